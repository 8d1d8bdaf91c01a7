//! From a gram to the patterns that have it.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::filter::Gram;

/// Records that entries can name.
pub const RECORDS_MAX: usize = RUN as usize;
/// In the place of a record: the patterns are found by the seven bytes from the place of the comparison on.
pub const SPLIT: u32 = (1 << RECORD_BITS) - 1;
/// In the place of a record: the patterns are runs of the gram's byte.
pub const RUN: u32 = SPLIT - 1;

const DELTA_BITS: u32 = 2;
const RECORD_BITS: u32 = 20;
const TAG_SHIFT: u32 = DELTA_BITS + RECORD_BITS;

/// How a gram is hashed.
#[derive(Clone, Copy, Debug)]
pub struct BucketHash {
    multiplier: u64,
    shift: u32,
}

/// Bucket of a gram, and what tells it from most others there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Number of the bucket.
    pub bucket: usize,
    tag: u32,
}

impl BucketHash {
    /// A hash into about as many buckets as there are entries.
    pub fn new(entries: usize, random: &mut ChaCha8Rng) -> Self {
        let log2 = entries.next_power_of_two().ilog2().clamp(1, 28);
        Self { multiplier: random.random::<u64>() | 1 << 63 | 1, shift: 64 - log2 }
    }

    /// Number of buckets.
    pub fn buckets(&self) -> usize {
        1 << (64 - self.shift)
    }

    /// Bucket of a gram.
    #[inline]
    pub fn slot(&self, gram: Gram) -> Slot {
        let product = u64::from(gram).wrapping_mul(self.multiplier);
        Slot {
            bucket: (product >> self.shift) as usize,
            tag: (product >> 24) as u32 >> TAG_SHIFT << TAG_SHIFT,
        }
    }
}

/// A record, and how far before its gram the record's bytes are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Number of the record.
    pub record: u32,
    /// Bytes between the place of the comparison and the gram's: 0 to 3. (Of [`super::MediumBuckets`]: and the place
    /// behind that.)
    pub delta: u32,
}

/// Entries by bucket. An entry is one word: tag, record, delta.
#[derive(Clone, Debug)]
pub struct Buckets {
    hash: BucketHash,
    /// Where each bucket begins in `entries`, and where the last one ends.
    starts: Vec<u32>,
    entries: Vec<u32>,
}

impl Buckets {
    /// Buckets with these entries. The order in a bucket is theirs.
    pub fn new(hash: BucketHash, grams: &[(Gram, Entry)]) -> Self {
        let mut starts = vec![0u32; hash.buckets() + 1];
        for (gram, _) in grams {
            starts[hash.slot(*gram).bucket + 1] += 1;
        }
        for bucket in 1..starts.len() {
            starts[bucket] += starts[bucket - 1];
        }
        let mut next = starts.clone();
        let mut entries = vec![0; grams.len()];
        for (gram, entry) in grams {
            let slot = hash.slot(*gram);
            entries[next[slot.bucket] as usize] = slot.tag | entry.record << DELTA_BITS | entry.delta;
            next[slot.bucket] += 1;
        }
        Self { hash, starts, entries }
    }

    /// Entries of a gram, and few of others.
    #[inline]
    pub fn of(&self, gram: Gram) -> impl Iterator<Item = Entry> + '_ {
        let slot = self.hash.slot(gram);
        let range = self.starts[slot.bucket] as usize..self.starts[slot.bucket + 1] as usize;
        let entries =
            self.entries[range].iter().filter(move |entry| *entry >> TAG_SHIFT << TAG_SHIFT == slot.tag);
        entries.map(|entry| Entry {
            record: (entry >> DELTA_BITS) & SPLIT,
            delta: entry & ((1 << DELTA_BITS) - 1),
        })
    }

    /// Bytes of its arrays.
    pub fn bytes(&self) -> usize {
        size_of_val(&self.starts[..]) + size_of_val(&self.entries[..])
    }
}

/// Hash of the seven bytes that the grams of a long pattern cover.
#[derive(Clone, Copy, Debug)]
pub struct SplitHash(u64);

impl SplitHash {
    /// A hash.
    pub fn new(random: &mut ChaCha8Rng) -> Self {
        Self(random.random::<u64>() | 1)
    }

    /// What stands in the place of a gram for the first seven bytes.
    #[inline]
    pub fn of(&self, bytes: &[u8]) -> Gram {
        let mut seven = [0; 8];
        for (byte, there) in seven[1..].iter_mut().zip(bytes) {
            *byte = *there;
        }
        self.of_eight(u64::from_le_bytes(seven) >> 8)
    }

    /// As [`Self::of`], of a word with the first byte lowest.
    #[inline]
    pub fn of_eight(&self, bytes: u64) -> Gram {
        ((bytes << 8).wrapping_mul(self.0) >> 32) as Gram
    }
}

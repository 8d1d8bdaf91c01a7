//! From a gram to the patterns that have it.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::filter::Gram;

/// Highest number of records that an entry can name.
pub const RECORDS_MAX: usize = 1 << 20;

const DELTA_BITS: u32 = 2;
const RECORD_BITS: u32 = 20;
const TAG_SHIFT: u32 = DELTA_BITS + RECORD_BITS;
const _: () = assert!(1 << RECORD_BITS == RECORDS_MAX);

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

/// A record, and how far its gram lies from where the record's bytes are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Number of the record.
    pub record: u32,
    /// Bytes between the place of the comparison and the gram: 0 to 3.
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
            record: (entry >> DELTA_BITS) & (RECORDS_MAX as u32 - 1),
            delta: entry & ((1 << DELTA_BITS) - 1),
        })
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes of its arrays.
    pub fn bytes(&self) -> usize {
        size_of_val(&self.starts[..]) + size_of_val(&self.entries[..])
    }
}

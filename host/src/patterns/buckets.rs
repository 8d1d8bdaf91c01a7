//! From some bytes of the payload to the patterns that have them.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// What is looked up: four bytes, three of them, or seven ([`window`]), the first one lowest.
pub type Key = u64;

/// The seven bytes that four neighbouring grams cover, of eight with the first one lowest.
#[inline]
pub const fn window(eight: u64) -> Key {
    eight << 8
}

/// Records that entries can name.
pub const RECORDS_MAX: usize = RUN as usize;
/// In the place of a record: the patterns are runs of the key's byte.
pub const RUN: u32 = (1 << RECORD_BITS) - 1;

const DELTA_BITS: u32 = 2;
const RECORD_BITS: u32 = 20;
const TAG_SHIFT: u32 = DELTA_BITS + RECORD_BITS;

/// How a key is hashed: by the upper bits of a product (Dietzfelbinger et al., "A reliable randomized algorithm for the
/// closest-pair problem", 1997).
#[derive(Clone, Copy, Debug)]
pub struct BucketHash {
    multiplier: u64,
    shift: u32,
}

/// Bucket of a key, and what tells it from most others there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Number of the bucket.
    pub bucket: usize,
    tag: u32,
}

impl Slot {
    /// One of 32 bits, by the upper ones of the tag.
    #[inline]
    fn mark(self) -> u32 {
        1 << (self.tag >> 27)
    }
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

    /// Bucket of a key.
    #[inline]
    pub fn slot(&self, key: Key) -> Slot {
        let product = key.wrapping_mul(self.multiplier);
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
    /// Of each bucket a bit for each of [`Slot::mark`] that its entries have.
    marks: Vec<u32>,
    /// Where each bucket begins in `entries`, and where the last one ends.
    starts: Vec<u32>,
    entries: Vec<u32>,
}

impl Buckets {
    /// Buckets with these entries. The order in a bucket is theirs.
    pub fn new(hash: BucketHash, keys: &[(Key, Entry)]) -> Self {
        let mut marks = vec![0; hash.buckets()];
        let mut starts = vec![0u32; hash.buckets() + 1];
        for (key, _) in keys {
            let slot = hash.slot(*key);
            marks[slot.bucket] |= slot.mark();
            starts[slot.bucket + 1] += 1;
        }
        for bucket in 1..starts.len() {
            starts[bucket] += starts[bucket - 1];
        }
        let mut next = starts.clone();
        let mut entries = vec![0; keys.len()];
        for (key, entry) in keys {
            let slot = hash.slot(*key);
            entries[next[slot.bucket] as usize] = slot.tag | entry.record << DELTA_BITS | entry.delta;
            next[slot.bucket] += 1;
        }
        Self { hash, marks, starts, entries }
    }

    /// Whether there may be an entry of the key: said of few others.
    #[inline]
    pub fn may_have(&self, key: Key) -> bool {
        let slot = self.hash.slot(key);
        self.marks[slot.bucket] & slot.mark() != 0
    }

    /// Entries of a key, and few of others.
    #[inline]
    pub fn of(&self, key: Key) -> impl Iterator<Item = Entry> + '_ {
        let slot = self.hash.slot(key);
        let range = self.starts[slot.bucket] as usize..self.starts[slot.bucket + 1] as usize;
        let entries =
            self.entries[range].iter().filter(move |entry| *entry >> TAG_SHIFT << TAG_SHIFT == slot.tag);
        entries.map(|entry| Entry {
            record: (entry >> DELTA_BITS) & RUN,
            delta: entry & ((1 << DELTA_BITS) - 1),
        })
    }

    /// Bytes of its arrays.
    pub fn bytes(&self) -> usize {
        size_of_val(&self.marks[..]) + size_of_val(&self.starts[..]) + size_of_val(&self.entries[..])
    }
}

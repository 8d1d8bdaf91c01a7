//! The card's hash ([`wiresift_abi::hash`]) by bytes instead of by output bits.
//!
//! The hash is linear, so it is the exclusive or of what each byte of the masked key gives alone: a
//! table of 256 words for each byte replaces a parity for each output bit. A byte's word holds the index
//! in way `w` at bits `w * INDEX_BITS` and up.

use wiresift_abi::geometry::WAYS;
use wiresift_abi::hash::{INDEX_BITS, ROWS, Secret};
use wiresift_abi::vector::{HASHED_BITS, Key};

/// Bytes of a key that go into the hash.
pub const HASHED_BYTES: usize = HASHED_BITS / 8;

const _: () = assert!(HASHED_BITS.is_multiple_of(8) && ROWS <= u32::BITS as usize);

/// What every value of every byte gives.
#[derive(Clone)]
pub struct ByteHash {
    words: Box<[[u32; 256]; HASHED_BYTES]>,
}

impl ByteHash {
    /// The tables of a secret.
    pub fn new(secret: &Secret) -> Self {
        let mut words = Box::new([[0u32; 256]; HASHED_BYTES]);
        for (at, words) in words.iter_mut().enumerate() {
            for bit in 0..8 {
                let key_bit = at * 8 + bit;
                let column = secret.0.iter().enumerate().fold(0u32, |column, (row, key)| {
                    column | ((key.0[key_bit / 64] >> (key_bit % 64) & 1) as u32) << row
                });
                // Values with this bit as their highest one: the value without it is done already.
                for value in 1 << bit..2usize << bit {
                    words[value] = words[value ^ (1 << bit)] ^ column;
                }
            }
        }
        Self { words }
    }

    /// What byte `at` (below [`HASHED_BYTES`]) of value `value` gives.
    #[inline]
    pub fn byte(&self, at: usize, value: u8) -> u32 {
        self.words[at][usize::from(value)]
    }

    /// Hash of a masked key: the indices of both ways.
    pub fn of(&self, masked: &Key) -> u32 {
        let bytes = masked.0.iter().flat_map(|word| word.to_le_bytes());
        self.words.iter().zip(bytes).fold(0, |hash, (words, value)| hash ^ words[usize::from(value)])
    }
}

/// Index of way `way` in a hash, for a table of `1 << buckets_log2` buckets.
#[inline]
pub fn index(hash: u32, way: usize, buckets_log2: u32) -> usize {
    debug_assert!(way < WAYS && buckets_log2 as usize <= INDEX_BITS);
    (hash >> (way * INDEX_BITS)) as usize & ((1 << buckets_log2) - 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn both_ways_agree_with_the_contract(
            rows in proptest::array::uniform24(any::<[u64; 5]>()), key: [u64; 5], buckets_log2 in 1u32..=12,
        ) {
            let secret = Secret(rows.map(|mut row| {
                row[4] &= (1 << (HASHED_BITS - 256)) - 1;
                Key(row)
            }));
            let hash = ByteHash::new(&secret).of(&Key(key));
            for way in 0..WAYS {
                prop_assert_eq!(
                    index(hash, way, buckets_log2), secret.bucket(&Key(key), way, buckets_log2));
            }
        }
    }
}

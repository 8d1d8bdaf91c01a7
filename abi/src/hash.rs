//! The keyed hash that finds the buckets of a key.
//!
//! H3 (Carter and Wegman, "Universal classes of hash functions", JCSS 18 (1979), class H3): output bit
//! `j` is the parity of the masked key under a secret random row `j`. It is universal, so without the
//! secret an attacker cannot aim at a bucket, and it is 4 logic levels in hardware. The secret is
//! drawn anew for each rule image.

use crate::vector::{HASHED_BITS, Key};

/// Bits of the index of one way.
pub const INDEX_BITS: usize = 12;
/// Rows of the secret: [`INDEX_BITS`] for each way, way 0 first.
pub const ROWS: usize = crate::geometry::WAYS * INDEX_BITS;

/// Secret of the hash: one row of [`HASHED_BITS`] random bits for each output bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Secret(pub [Key; ROWS]);

impl Secret {
    /// Bucket of a masked key in way `way` of a table of `1 << buckets_log2` buckets.
    /// Row `way * INDEX_BITS + j` gives bit `j`.
    pub fn bucket(&self, masked: &Key, way: usize, buckets_log2: u32) -> usize {
        let rows = &self.0[way * INDEX_BITS..][..buckets_log2 as usize];
        rows.iter()
            .enumerate()
            .fold(0, |index, (bit, row)| index | (masked.and(row).parity() as usize) << bit)
    }
}

const _: () = assert!(HASHED_BITS <= 304);

//! Places that the filters let pass.
//!
//! In most payloads they are few, nobody can foretell where, and few of these have a gram of a pattern. A branch on each
//! would cost more than the look itself. So they are written as lists, and those that no bucket knows are taken out again,
//! without a branch on any of them.

use super::scratch::CHUNK;
use super::short::BLOCK;

/// Places of a block that one look-up is made for: every fourth one.
pub const LANES: usize = 16;

/// Bits of a word that say the place.
const PLACE_BITS: u32 = 16;
const _: () = assert!(CHUNK <= 1 << PLACE_BITS);

/// Places of a chunk that passed, those of long patterns ascending.
#[derive(Clone, Debug)]
pub struct Places {
    /// Bytes from the chunk's first one on, and [`Self::keep`]'s bits. Every second place is asked at most; what is
    /// written at once may be more than passed.
    list: Box<[u32; CHUNK / 2 + LANES]>,
    len: usize,
}

impl Default for Places {
    fn default() -> Self {
        Self { list: Box::new([0; CHUNK / 2 + LANES]), len: 0 }
    }
}

impl Places {
    /// [`LANES`] words, where the next ones are written; [`Self::add`] says how many they were.
    #[inline]
    pub fn next(&mut self) -> &mut [u32] {
        &mut self.list[self.len..][..LANES]
    }

    /// Takes as many more as were written.
    #[inline]
    pub fn add(&mut self, count: usize) {
        self.len += count;
    }

    /// Leaves those out that `leads` says nothing of: each of its bits is a bucket to look into.
    #[inline]
    pub fn keep(&mut self, leads: impl Fn(usize) -> u8) {
        let mut kept = 0;
        for at in 0..self.len {
            let place = self.list[at];
            let bits = leads(place as usize);
            self.list[kept] = place | u32::from(bits) << PLACE_BITS;
            kept += usize::from(bits != 0);
        }
        self.len = kept;
    }

    /// How many there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// One of those that were kept, with its bits.
    #[inline]
    pub fn get(&self, at: usize) -> (usize, Bits) {
        let word = self.list[at];
        ((word & ((1 << PLACE_BITS) - 1)) as usize, Bits(word >> PLACE_BITS))
    }
}

/// Numbers of bits that are set.
#[derive(Clone, Copy, Debug)]
pub struct Bits(u32);

impl Iterator for Bits {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        let bit = (self.0 != 0).then(|| self.0.trailing_zeros() as usize)?;
        self.0 &= self.0 - 1;
        Some(bit)
    }
}

/// Places of a chunk that passed in either filter.
#[derive(Clone, Debug, Default)]
pub struct Survivors {
    /// In that of long patterns.
    pub long: Places,
    /// In that of shorter ones.
    pub medium: Places,
}

impl Survivors {
    /// Forgets all.
    pub fn clear(&mut self) {
        self.long.len = 0;
        self.medium.len = 0;
    }
}

/// Which places of a block, of which the payload has `bytes`, are asked: those whose grams have four bytes there for
/// long patterns; three of them for shorter ones, at the places 0, 4, … and at 2, 6, …. One bit each.
#[inline]
pub fn asked(bytes: usize) -> [u16; 3] {
    if bytes >= BLOCK {
        return [u16::MAX; 3];
    }
    let lanes = |count: usize| (u32::from(u16::MAX) >> (LANES - count)) as u16;
    [lanes(bytes / 4), lanes((bytes + 1) / 4), lanes(bytes.saturating_sub(1) / 4)]
}

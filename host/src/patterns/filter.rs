//! The filters: is there a pattern with this gram?
//!
//! Both are arrays of words. A keyed hash of a gram, or of some bits of it, says which word; of this, one bit of the lower
//! half must be set, told by four bits of the gram's first byte, and one of the upper half, told by as many of its last
//! byte. So one look-up answers for a gram, in a form that a vector of grams can use at once.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// Four bytes of the payload in lower case, the first one lowest.
pub type Gram = u32;

/// Bits of a word that the first byte tells.
const FIRST: u32 = 0xffff;

/// Bits of a word that must be set for a gram: told by the bits of the first and of the last byte from `from` on.
#[inline]
pub const fn bits(gram: Gram, from: u32) -> u32 {
    1 << (gram >> from & 15) | 1 << (16 + (gram >> (24 + from) & 15))
}

/// Filter of patterns of seven bytes and more, asked at every fourth place. All bytes of a gram say which word.
#[derive(Clone, Debug)]
pub struct Long {
    /// The words; their number is a power of two.
    pub words: Vec<u32>,
    /// Odd multiplier of the index.
    pub index: u32,
    /// Right shift of the product.
    pub shift: u32,
}

/// Words of the smallest filter: they stay in the first cache.
const LONG_LEAST_LOG2: u32 = 12;
/// Words of the largest filter.
const LONG_MOST_LOG2: u32 = 28;

impl Long {
    /// A filter for that many grams.
    pub fn new(grams: usize, random: &mut ChaCha8Rng) -> Self {
        let log2 = grams.next_power_of_two().ilog2().clamp(LONG_LEAST_LOG2, LONG_MOST_LOG2);
        Self { words: vec![0; 1 << log2], index: random.random::<u32>() | 1, shift: 32 - log2 }
    }

    /// Puts a gram in.
    pub fn insert(&mut self, gram: Gram) {
        let at = self.at(gram);
        self.words[at] |= bits(gram, 0);
    }

    /// Whether the gram may have been put in.
    #[inline]
    pub fn passes(&self, gram: Gram) -> bool {
        !self.words[self.at(gram)] & bits(gram, 0) == 0
    }

    fn at(&self, gram: Gram) -> usize {
        (gram.wrapping_mul(self.index) >> self.shift) as usize
    }

    /// Bytes of its words.
    pub fn bytes(&self) -> usize {
        size_of_val(&self.words[..])
    }
}

/// Filter of patterns of three to six bytes, asked at every second place. The two bytes in the middle of a gram and two
/// bits of each other byte say which word, so that three bytes of it, the first or the last ones, can be put in too.
#[derive(Clone, Debug)]
pub struct Medium {
    /// The words; their number is a power of two.
    pub words: Vec<u32>,
    /// Odd multiplier of the index.
    pub index: u32,
    /// Right shift of the product.
    pub shift: u32,
}

/// Bits of a gram that say which word of [`Medium`].
pub const MEDIUM_INDEXED: u32 = 0x03ff_ff03;
/// First of the bits of a byte that say which bit there: those before are in the index.
pub const MEDIUM_FROM: u32 = 2;
/// Words for each gram: three bytes of one are put in four times, with all bits of a half, so that in fewer words much
/// passes that should not.
const MEDIUM_WORDS_EACH: usize = 8;
/// Words of a filter that stays in the first cache beside other things.
const MEDIUM_LEAST_LOG2: u32 = 13;
/// Words of the largest filter: one for each value of the bits that say which.
const MEDIUM_MOST_LOG2: u32 = 20;

impl Medium {
    /// A filter for that many grams.
    pub fn new(grams: usize, random: &mut ChaCha8Rng) -> Self {
        let words = grams.saturating_mul(MEDIUM_WORDS_EACH);
        let log2 = words.next_power_of_two().ilog2().clamp(MEDIUM_LEAST_LOG2, MEDIUM_MOST_LOG2);
        Self { words: vec![0; 1 << log2], index: random.random::<u32>() | 1, shift: 32 - log2 }
    }

    /// Puts a gram in.
    pub fn insert(&mut self, gram: Gram) {
        let at = self.at(gram);
        self.words[at] |= bits(gram, MEDIUM_FROM);
    }

    /// Puts in every gram with these first three bytes.
    pub fn insert_front(&mut self, gram: Gram) {
        for last in 0..4 {
            let gram = gram & 0xff_ffff | last << 24;
            let at = self.at(gram);
            self.words[at] |= bits(gram, MEDIUM_FROM) | !FIRST;
        }
    }

    /// Puts in every gram with these last three bytes.
    pub fn insert_back(&mut self, gram: Gram) {
        for first in 0..4 {
            let gram = gram & !0xff | first;
            let at = self.at(gram);
            self.words[at] |= bits(gram, MEDIUM_FROM) | FIRST;
        }
    }

    /// Whether the gram may have been put in.
    #[inline]
    pub fn passes(&self, gram: Gram) -> bool {
        !self.words[self.at(gram)] & bits(gram, MEDIUM_FROM) == 0
    }

    fn at(&self, gram: Gram) -> usize {
        ((gram & MEDIUM_INDEXED).wrapping_mul(self.index) >> self.shift) as usize
    }

    /// Bytes of its words.
    pub fn bytes(&self) -> usize {
        size_of_val(&self.words[..])
    }
}

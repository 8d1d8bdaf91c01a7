//! The filters: is there a pattern with this gram?
//!
//! Blocked Bloom filters: a keyed hash of the gram says which word, another one which bits of it must be set. One look-up
//! a gram, and all in a form that a vector of grams can do at once: the index is a product's highest bits, the
//! bits come from the middle of a sum of two products of halves.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// A gram of four bytes of the payload in lower case, the first one lowest.
pub type Gram = u32;

/// Places in a mixed hash from which on bits are taken: those below depend on few bits of the gram.
pub const FIRST_SHIFT: u32 = 15;
/// As [`FIRST_SHIFT`], of the next bits.
pub const SECOND_SHIFT: u32 = 19;
/// As [`FIRST_SHIFT`], of the last bits.
pub const THIRD_SHIFT: u32 = 22;
/// Bits of the low half of a word.
pub const FIRST: [u32; 16] = one_of(0, 16);
/// Bits of the next eighth.
pub const SECOND: [u32; 16] = one_of(16, 8);
/// Bits of the highest eighth.
pub const THIRD: [u32; 16] = one_of(24, 8);
/// Two bits each of the highest eighth.
pub const TWO: [u32; 16] = two_of_the_highest();

const fn one_of(from: u32, bits: u32) -> [u32; 16] {
    let mut table = [0; 16];
    let mut at = 0;
    while at < 16 {
        table[at] = 1 << (from + at as u32 % bits);
        at += 1;
    }
    table
}

const fn two_of_the_highest() -> [u32; 16] {
    let mut table = [0; 16];
    let mut at = 0;
    while at < 16 {
        // Neighbours, then those three apart, modulo eight.
        let (low, apart) = (at as u32 % 8, if at < 8 { 1 } else { 3 });
        table[at] = 1 << (24 + low) | 1 << (24 + (low + apart) % 8);
        at += 1;
    }
    table
}

/// Words of a filter and how they are indexed.
#[derive(Clone, Debug)]
pub struct Words {
    /// The words; their number is a power of two, at least two.
    pub words: Vec<u32>,
    /// Odd multiplier of the index.
    pub index: u32,
    /// Right shift of the product.
    pub shift: u32,
}

impl Words {
    fn new(log2: u32, random: &mut ChaCha8Rng) -> Self {
        let log2 = log2.clamp(1, 28);
        Self { words: vec![0; 1 << log2], index: random.random::<u32>() | 1, shift: 32 - log2 }
    }

    fn at(&self, gram: Gram) -> usize {
        (gram.wrapping_mul(self.index) >> self.shift) as usize
    }
}

/// Sum of the products of two signed halves: what `pmaddwd` computes.
#[inline]
pub fn mixed(gram: Gram, halves: u32) -> u32 {
    let product = |shift: u32| i32::from((gram >> shift) as i16) * i32::from((halves >> shift) as i16);
    product(0).wrapping_add(product(16)) as u32
}

/// Two odd halves with their high bits in use.
fn halves(random: &mut ChaCha8Rng) -> u32 {
    random.random::<u32>() | 0x2001_2001
}

/// Filter of patterns of seven bytes and more, asked at every fourth place.
#[derive(Clone, Debug)]
pub struct Long {
    /// The words.
    pub words: Words,
    /// Key of the bits.
    pub halves: u32,
    count: usize,
}

impl Long {
    /// A filter for about that many grams.
    pub fn new(grams: usize, random: &mut ChaCha8Rng) -> Self {
        let log2 = grams.next_power_of_two().ilog2().max(LEAST_LOG2);
        Self { words: Words::new(log2, random), halves: halves(random), count: 0 }
    }

    /// Puts a gram in.
    pub fn insert(&mut self, gram: Gram) {
        let at = self.words.at(gram);
        self.words.words[at] |= self.bits(gram);
        self.count += 1;
    }

    /// Whether the gram may have been put in.
    #[inline]
    pub fn passes(&self, gram: Gram) -> bool {
        !self.words.words[self.words.at(gram)] & self.bits(gram) == 0
    }

    #[inline]
    fn bits(&self, gram: Gram) -> u32 {
        let mixed = mixed(gram, self.halves);
        let bit = |table: &[u32; 16], shift: u32| table[(mixed >> shift) as usize % 16];
        bit(&FIRST, FIRST_SHIFT) | bit(&SECOND, SECOND_SHIFT) | bit(&THIRD, THIRD_SHIFT)
    }

    /// Whether nothing was put in.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes of its words.
    pub fn bytes(&self) -> usize {
        size_of_val(&self.words.words[..])
    }
}

/// Words of the smallest filter: they stay in the first cache.
const LEAST_LOG2: u32 = 12;
/// Words of the largest filter of short patterns that stays there beside other things.
const CACHED_LOG2: u32 = 13;

/// Filter of patterns of three to six bytes, asked at every place: three bytes say which word; four bytes or
/// three say which bits.
#[derive(Clone, Debug)]
pub struct Medium {
    /// The words.
    pub words: Words,
    /// Key of the bits of four bytes.
    pub four: u32,
    /// Key of the bits of three bytes.
    pub three: u32,
    count: usize,
}

impl Medium {
    /// A filter for about that many grams.
    pub fn new(grams: usize, random: &mut ChaCha8Rng) -> Self {
        let sparse = (4 * grams).next_power_of_two().ilog2().clamp(LEAST_LOG2, CACHED_LOG2);
        let log2 = grams.next_power_of_two().ilog2().max(sparse);
        Self { words: Words::new(log2, random), four: halves(random), three: halves(random), count: 0 }
    }

    /// Puts the gram of a pattern of four bytes and more in.
    pub fn insert_four(&mut self, gram: Gram) {
        let at = self.words.at(gram << 8);
        self.words.words[at] |= self.bits_of_four(gram);
        self.count += 1;
    }

    /// Puts a pattern of three bytes in.
    pub fn insert_three(&mut self, gram: Gram) {
        let at = self.words.at(gram << 8);
        self.words.words[at] |= self.bits_of_three(gram);
        self.count += 1;
    }

    /// Whether the gram, or its first three bytes, may have been put in.
    #[inline]
    pub fn passes(&self, gram: Gram) -> bool {
        let word = self.words.words[self.words.at(gram << 8)];
        !word & self.bits_of_four(gram) == 0 || !word & self.bits_of_three(gram) == 0
    }

    #[inline]
    fn bits_of_four(&self, gram: Gram) -> u32 {
        let mixed = mixed(gram, self.four);
        FIRST[(mixed >> FIRST_SHIFT) as usize % 16] | SECOND[(mixed >> SECOND_SHIFT) as usize % 16]
    }

    #[inline]
    fn bits_of_three(&self, gram: Gram) -> u32 {
        TWO[(mixed(gram << 8, self.three) >> SECOND_SHIFT) as usize % 16]
    }

    /// Whether nothing was put in.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes of its words.
    pub fn bytes(&self) -> usize {
        size_of_val(&self.words.words[..])
    }
}

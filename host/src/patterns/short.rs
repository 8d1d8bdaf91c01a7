//! Patterns of one and two bytes.
//!
//! They are in most payloads, so what counts is to report each once and then to be rid of it: what is sought is a set of
//! bytes (of pairs) still wanted, from which whatever was found is taken out.

use std::sync::atomic::{AtomicU64, Ordering};

use super::simd;
use crate::engine::cpu::Chosen;

/// Places that are looked at together.
pub const BLOCK: usize = 64;
/// Bytes that are read for a block of pairs.
pub const BLOCK_BYTES: usize = BLOCK + 4;
/// Words of a set of pairs.
pub const PAIR_WORDS: usize = (1 << 16) / 32;

/// A set of bytes: of the bytes with low half `l`, bit `h % 8` of `rows[h / 8][l]` stands for that with high half `h`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ByteSet {
    /// Rows of the lower and of the upper 128 bytes.
    pub rows: [[u8; 16]; 2],
}

impl ByteSet {
    fn place(byte: u8) -> (usize, usize, u8) {
        (usize::from(byte >> 7), usize::from(byte & 15), 1 << (byte >> 4 & 7))
    }

    fn insert(&mut self, byte: u8) {
        let (half, row, bit) = Self::place(byte);
        self.rows[half][row] |= bit;
    }

    fn remove(&mut self, byte: u8) {
        let (half, row, bit) = Self::place(byte);
        self.rows[half][row] &= !bit;
    }

    /// Whether it has the byte.
    #[inline]
    pub fn has(&self, byte: u8) -> bool {
        let (half, row, bit) = Self::place(byte);
        self.rows[half][row] & bit != 0
    }

    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn len(&self) -> u32 {
        self.rows.iter().flatten().map(|row| row.count_ones()).sum()
    }
}

/// Texts of each spelling, sorted by spelling.
#[derive(Clone, Debug, Default)]
struct Spellings {
    /// Spellings and their texts.
    texts: Vec<(u16, u32)>,
}

impl Spellings {
    fn new(mut texts: Vec<(u16, u32)>) -> Self {
        texts.sort_unstable();
        texts.dedup();
        Self { texts }
    }

    fn of(&self, spelling: u16) -> impl Iterator<Item = u32> + '_ {
        let first = self.texts.partition_point(|(other, _)| *other < spelling);
        self.texts[first..].iter().take_while(move |(other, _)| *other == spelling).map(|(_, text)| *text)
    }

    fn bytes(&self) -> usize {
        size_of_val(&self.texts[..])
    }
}

/// Marks of what was found in the payload at hand.
pub struct Settled<'a> {
    /// Payload in which each text was found last.
    pub marks: &'a mut [u32],
    /// The payload at hand.
    pub generation: u32,
}

impl Settled<'_> {
    /// Marks a text; false if it was marked already.
    #[inline]
    pub fn mark(&mut self, text: u32) -> bool {
        std::mem::replace(&mut self.marks[text as usize], self.generation) != self.generation
    }
}

/// Patterns of one byte.
#[derive(Clone, Debug, Default)]
pub struct Singles {
    wanted: ByteSet,
    spellings: Spellings,
}

impl Singles {
    /// Spellings of one byte with their texts.
    pub fn new(texts: Vec<(u8, u32)>) -> Self {
        let mut wanted = ByteSet::default();
        texts.iter().for_each(|(byte, _)| wanted.insert(*byte));
        let texts = texts.into_iter().map(|(byte, text)| (u16::from(byte), text)).collect();
        Self { wanted, spellings: Spellings::new(texts) }
    }

    /// Reports the texts that occur.
    pub fn search(
        &self,
        chosen: Chosen,
        payload: &[u8],
        settled: &mut Settled<'_>,
        report: &mut impl FnMut(u32),
    ) {
        let mut wanted = self.wanted;
        for from in (0..payload.len()).step_by(BLOCK) {
            if wanted.is_empty() {
                return;
            }
            let mut tail = [0; BLOCK];
            let block: &[u8; BLOCK] = match payload[from..].first_chunk() {
                Some(block) => block,
                None => {
                    tail[..payload.len() - from].copy_from_slice(&payload[from..]);
                    &tail
                }
            };
            let mut hits = simd::singles(chosen, &wanted, block) & first_bits(payload.len() - from);
            while hits != 0 {
                let byte = block[hits.trailing_zeros() as usize];
                hits &= hits - 1;
                if wanted.has(byte) {
                    wanted.remove(byte);
                    let texts = self.spellings.of(u16::from(byte));
                    texts.filter(|text| settled.mark(*text)).for_each(&mut *report);
                }
            }
        }
    }

    /// Bytes of its arrays.
    pub fn bytes(&self) -> usize {
        self.spellings.bytes()
    }
}

fn first_bits(count: usize) -> u64 {
    if count >= 64 { u64::MAX } else { (1 << count) - 1 }
}

/// Patterns of two bytes.
///
/// Where few bytes begin one and few end one, places between such bytes are all that is looked at. Every pair is looked up
/// in blocks with many such places.
#[derive(Clone, Debug)]
pub struct Pairs {
    /// The pairs, one bit each; empty if there are none.
    wanted: Vec<u32>,
    /// Their first and their second bytes, where these are few.
    ends: Option<[ByteSet; 2]>,
    spellings: Spellings,
    /// Tells the sets of different searchers apart.
    owner: u64,
}

/// Share of all pairs that the first and second bytes may make up where places between them are looked for first.
const ENDS_SHARE: f64 = 0.125;
/// Places of a block that are looked at one by one at most; a guess of how many cost less than all at once.
const FEW_PLACES: u32 = 8;

/// Pairs still wanted in a payload.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    words: Vec<u32>,
    /// Whose pairs they are; 0 while some are taken out.
    owner: u64,
    taken: Vec<u16>,
}

/// The next number of [`Pairs::owner`].
static OWNERS: AtomicU64 = AtomicU64::new(1);

impl Pairs {
    /// Spellings of two bytes, the first one low, with their texts.
    pub fn new(texts: Vec<(u16, u32)>) -> Self {
        let mut wanted = vec![0; if texts.is_empty() { 0 } else { PAIR_WORDS }];
        for (pair, _) in &texts {
            wanted[usize::from(pair / 32)] |= 1 << (pair % 32);
        }
        let owner = OWNERS.fetch_add(1, Ordering::Relaxed);
        Self { wanted, ends: ends(&texts), spellings: Spellings::new(texts), owner }
    }

    /// Reports the texts that occur.
    pub fn search(
        &self,
        chosen: Chosen,
        payload: &[u8],
        wanted: &mut Wanted,
        settled: &mut Settled<'_>,
        report: &mut impl FnMut(u32),
    ) {
        let pairs = payload.len().saturating_sub(1);
        if self.wanted.is_empty() || pairs == 0 {
            return;
        }
        if wanted.owner != self.owner {
            wanted.words.clone_from(&self.wanted);
            wanted.taken.clear();
        }
        // If `report` panics the set is not whole any more.
        wanted.owner = 0;
        for from in (0..pairs).step_by(BLOCK) {
            let mut tail = [0; BLOCK_BYTES];
            let block: &[u8; BLOCK_BYTES] = match payload[from..].first_chunk() {
                Some(block) => block,
                None => {
                    tail[..payload.len() - from].copy_from_slice(&payload[from..]);
                    &tail
                }
            };
            let near = self.ends.as_ref().map(|ends| between(chosen, ends, block));
            let few = near.filter(|near| near.count_ones() <= FEW_PLACES);
            // `wanted` has the words of `self`, which are as many.
            let Some(words) = wanted.words.first_chunk::<PAIR_WORDS>() else { return };
            let mut hits = few.unwrap_or_else(|| simd::pairs(chosen, words, block));
            while hits != 0 {
                let bit = hits.trailing_zeros() as usize;
                hits &= hits - 1;
                let place = if few.is_some() { bit } else { place_of(bit) };
                let pair = u16::from_le_bytes([block[place], block[place + 1]]);
                let (word, mask) = (&mut wanted.words[usize::from(pair / 32)], 1 << (pair % 32));
                if *word & mask != 0 && from + place < pairs {
                    *word &= !mask;
                    wanted.taken.push(pair);
                    let texts = self.spellings.of(pair);
                    texts.filter(|text| settled.mark(*text)).for_each(&mut *report);
                }
            }
        }
        for pair in wanted.taken.drain(..) {
            wanted.words[usize::from(pair / 32)] |= 1 << (pair % 32);
        }
        wanted.owner = self.owner;
    }

    /// Whether their first and second bytes are looked for before they are.
    #[cfg(test)]
    pub fn looks_at_ends(&self) -> bool {
        self.ends.is_some()
    }

    /// Bytes of its arrays.
    pub fn bytes(&self) -> usize {
        size_of_val(&self.wanted[..]) + self.spellings.bytes()
    }
}

/// First and second bytes of pairs, the first one low, if they are few.
fn ends(texts: &[(u16, u32)]) -> Option<[ByteSet; 2]> {
    let mut ends = [ByteSet::default(); 2];
    for (pair, _) in texts {
        ends.iter_mut().zip(pair.to_le_bytes()).for_each(|(set, byte)| set.insert(byte));
    }
    let [first, second] = ends.map(|set| f64::from(set.len()) / 256.0);
    (first * second <= ENDS_SHARE).then_some(ends)
}

/// Places of a block, as bits, where a first byte stands in front of a second one.
#[inline]
fn between(chosen: Chosen, ends: &[ByteSet; 2], block: &[u8; BLOCK_BYTES]) -> u64 {
    let at = |place: usize| block[place..].first_chunk();
    match (at(0), at(1)) {
        (Some(here), Some(next)) => {
            simd::singles(chosen, &ends[0], here) & simd::singles(chosen, &ends[1], next)
        }
        // A block of pairs is longer than one of bytes.
        _ => u64::MAX,
    }
}

/// Place in a block that a bit of [`simd::pairs`] stands for: the lanes of a vector are four bytes apart, and there are
/// four vectors, each a byte behind the one before.
#[inline]
pub const fn place_of(bit: usize) -> usize {
    bit % 16 * 4 + bit / 16
}

//! What a search writes: reused from payload to payload.

use super::filter::Gram;
use super::short::Wanted;
use super::simd;
use super::survivors::Survivors;
use crate::engine::cpu::Chosen;

/// Bytes of a payload that are filtered before their survivors are looked at: those stay in the first cache.
pub const CHUNK: usize = 2048;
/// Bytes before and behind the payload's copy, so that what is read around a place always exists.
pub const MARGIN: usize = 128;

/// A gram that has nothing new to say for a payload: all patterns of three to six bytes that it leads to are settled.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quiet {
    gram: Gram,
    generation: u32,
}

/// The last quiet grams.
#[derive(Clone, Debug)]
pub struct QuietGrams(Box<[Quiet; QUIET]>);

/// Quiet grams that are remembered.
const QUIET: usize = 64;

impl Default for QuietGrams {
    fn default() -> Self {
        Self(Box::new([Quiet::default(); QUIET]))
    }
}

impl QuietGrams {
    fn place(gram: Gram) -> usize {
        (gram.wrapping_mul(0x9e37_79b1) >> 16) as usize % QUIET
    }

    /// Whether the gram is known to be quiet in a payload.
    #[inline]
    pub fn has(&self, gram: Gram, generation: u32) -> bool {
        let quiet = &self.0[Self::place(gram)];
        quiet.gram == gram && quiet.generation == generation
    }

    /// Remembers it.
    #[inline]
    pub fn insert(&mut self, gram: Gram, generation: u32) {
        self.0[Self::place(gram)] = Quiet { gram, generation };
    }
}

/// What of a pattern is known for the payload at hand.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wasted {
    /// Payload that the bytes belong to.
    pub generation: u32,
    /// Bytes of the pattern compared in vain.
    pub bytes: usize,
}

/// Memory that a search works in. One for each thread; any searcher can use it.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    /// The payload in lower case, between margins of zeros.
    pub(super) folded: Vec<u8>,
    pub(super) survivors: Survivors,
    pub(super) quiet: QuietGrams,
    pub(super) pairs: Wanted,
    /// Payload in which each pattern was found last, or was settled otherwise.
    pub(super) settled: Vec<u32>,
    /// Comparisons in vain of each pattern.
    pub(super) wasted: Vec<Wasted>,
    /// Number of the payload at hand.
    pub(super) generation: u32,
    /// Failure function of a pattern that is sought alone.
    pub(super) failure: Vec<usize>,
}

impl Scratch {
    /// Makes ready for the next payload and a searcher of that many texts.
    pub(super) fn start(&mut self, texts: usize) {
        if self.settled.len() < texts {
            self.settled.resize(texts, 0);
            self.wasted.resize(texts, Wasted::default());
        }
        self.generation = match self.generation.checked_add(1) {
            Some(generation) => generation,
            None => {
                self.settled.fill(0);
                self.wasted.fill(Wasted::default());
                self.quiet = QuietGrams::default();
                1
            }
        };
    }

    /// Takes the payload in lower case.
    pub(super) fn fold(&mut self, chosen: Chosen, payload: &[u8]) {
        let needed = payload.len() + 2 * MARGIN;
        if self.folded.len() < needed {
            self.folded.resize(needed.next_power_of_two(), 0);
        }
        let end = MARGIN + payload.len();
        simd::fold(chosen, payload, &mut self.folded[MARGIN..end]);
        self.folded[end..end + MARGIN].fill(0);
    }
}

/// The folded payload from a place on, with its margin.
#[inline]
pub fn from(folded: &[u8], place: usize) -> &[u8] {
    &folded[MARGIN + place..]
}

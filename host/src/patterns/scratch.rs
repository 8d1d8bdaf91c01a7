//! What a search writes: reused from payload to payload.

use super::short::Wanted;
use super::simd;
use crate::engine::cpu::Chosen;

/// Bytes of a payload that are filtered before their survivors are looked at: those stay in the first cache.
pub const CHUNK: usize = 2048;
/// Bytes before and behind the payload's copy, so that what is read around a place always exists.
pub const MARGIN: usize = 128;

/// Places, from the start of a chunk on, that a filter let pass.
#[derive(Clone, Debug)]
pub struct Survivors {
    /// The places; there is room for a vector more than a chunk has bytes.
    pub places: Box<[u32; CHUNK + 16]>,
    /// How many there are.
    pub count: usize,
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
#[derive(Clone, Debug)]
pub struct Scratch {
    /// The payload in lower case, between margins of zeros.
    pub(super) folded: Vec<u8>,
    pub(super) survivors: Survivors,
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

impl Default for Scratch {
    fn default() -> Self {
        Self {
            folded: Vec::new(),
            survivors: Survivors { places: Box::new([0; CHUNK + 16]), count: 0 },
            pairs: Wanted::default(),
            settled: Vec::new(),
            wasted: Vec::new(),
            generation: 0,
            failure: Vec::new(),
        }
    }
}

impl Scratch {
    /// Makes ready for a payload and a searcher of that many texts.
    pub(super) fn start(&mut self, chosen: Chosen, payload: &[u8], texts: usize) {
        if self.settled.len() < texts {
            self.settled.resize(texts, 0);
            self.wasted.resize(texts, Wasted::default());
        }
        self.generation = match self.generation.checked_add(1) {
            Some(generation) => generation,
            None => {
                self.settled.fill(0);
                self.wasted.fill(Wasted::default());
                1
            }
        };
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

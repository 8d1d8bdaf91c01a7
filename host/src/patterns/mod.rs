//! Multi-pattern search: which of many thousand patterns occur in a payload.
//!
//! Only *whether* a pattern occurs is told, not where: that is all a candidate needs, and it lets the search leave
//! out what it has found already. By length of the patterns:
//!
//! | bytes | how they are found |
//! |---|---|
//! | 1, 2 | a set of the bytes (pairs) still wanted; what was found is taken out of it ([`short`]) |
//! | 3 to 6 | the filter sees the four bytes at every second place ([`filter`]); two neighbouring grams of a pattern, or what it has of them, are in it |
//! | 7 and more | the filter sees the four bytes at every fourth place; four neighbouring grams of a pattern are in it |
//!
//! A *gram* is four neighbouring bytes of the payload in lower case; a *window* the seven bytes that four neighbouring
//! grams cover. A place whose gram passes the filter *survives* ([`survivors`]) and leads to buckets ([`buckets`]): those of
//! shorter patterns by the gram or three bytes of it, those of longer ones by each window that has the gram. An entry
//! there is a pattern and where the gram lies in it; eight bytes are compared, then the whole pattern ([`verify`]). Which bytes of
//! a pattern are used is chosen when the searcher is built: the rarest ones in usual traffic ([`background`]), as long
//! as their buckets have room ([`build`]).
//!
//! # Worst case
//!
//! For a payload of `n` bytes, whatever they are:
//! - At most `n / 2` places survive in the filter of the shorter patterns, each with three buckets; `n / 4` in the other,
//!   each with four. A bucket names at most [`build::BUCKET_ENTRIES`] patterns: together at most `20 n` comparisons of
//!   eight bytes, and as many of a pattern's last eight.
//! - Comparisons of whole patterns that fail cost a pattern at most `n` bytes and twice its length; then it is sought
//!   once in linear time ([`verify`]). They are at most as many as the comparisons above.
//! - Runs of one byte are measured where one of their grams survives, each once ([`runs`]).
//! - Patterns that find no bucket with room, as thousands that differ only in how often two bytes are repeated, go to an
//!   automaton with at most two steps a byte ([`crowd`]). None of the patterns of real sets does.
//! - Each pattern is reported once.
//!
//! The filters and buckets are hashed with secret multipliers, so nobody without the seed can aim at their collisions.

pub(crate) mod background;
mod buckets;
mod build;
mod crowd;
mod filter;
mod runs;
mod scratch;
mod short;
mod simd;
mod survivors;
mod verify;

#[cfg(test)]
mod tests;

use std::ops::BitOrAssign;

use crate::engine::cpu::Chosen;
use buckets::Buckets;
use crowd::Crowds;
use filter::{Long, Medium};
use runs::Runs;
use scratch::CHUNK;
pub use scratch::Scratch;
use short::{Pairs, Settled, Singles};
use verify::{Record, Texts};

/// A pattern to seek.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pattern<'a> {
    /// Its bytes. A pattern without any occurs in every payload.
    pub bytes: &'a [u8],
    /// Whether an ASCII letter stands for itself in the other case too.
    pub nocase: bool,
}

/// Of which lengths patterns are sought: each is a search of its own, which is left out where none of its patterns is of use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lengths(u8);

impl Lengths {
    /// Of one byte.
    pub const ONE: Self = Self(1);
    /// Of two bytes.
    pub const TWO: Self = Self(2);
    /// Of more; and those without any, which are not sought.
    pub const MORE: Self = Self(4);
    /// Of any.
    pub const ALL: Self = Self(7);

    /// That of a pattern.
    pub fn of(pattern: &Pattern<'_>) -> Self {
        match pattern.bytes.len() {
            1 => Self::ONE,
            2 => Self::TWO,
            _ => Self::MORE,
        }
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }

    /// Whether all of `others` are among them.
    #[inline]
    pub fn has(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }
}

impl BitOrAssign for Lengths {
    fn bitor_assign(&mut self, others: Self) {
        self.0 |= others.0;
    }
}

/// Patterns, made ready for the search.
#[derive(Clone, Debug)]
pub struct Searcher {
    chosen: Chosen,
    /// The patterns, equal ones as one.
    texts: Texts,
    /// Patterns without bytes.
    empty: Vec<u32>,
    singles: Singles,
    pairs: Pairs,
    medium: Medium,
    medium_buckets: MediumBuckets,
    long: Long,
    /// Longer patterns by their windows.
    windows: Buckets,
    runs: Runs,
    records: Vec<Record>,
    crowds: Crowds,
}

/// Buckets of patterns of 3 to 6 bytes. A gram can lie one byte before the pattern, so deltas count from the place behind
/// the gram's first byte. By four bytes, by a gram's first three, and by its last three ([`build::Kind`]).
#[derive(Clone, Debug)]
struct MediumBuckets([Buckets; 3]);

impl Searcher {
    /// A searcher for these patterns. The same seed gives the same searcher; it should be drawn at random and kept
    /// from those who send the payloads.
    pub fn new(patterns: &[Pattern<'_>], seed: u64) -> Self {
        Self::with(patterns, seed, Chosen::best())
    }

    /// A searcher made of certain instructions.
    pub fn with(patterns: &[Pattern<'_>], seed: u64, chosen: Chosen) -> Self {
        build::build(patterns, seed, chosen)
    }

    /// Calls `found` with the number of every pattern of these lengths that occurs in `payload`, once each, in no certain order.
    pub fn search(
        &self,
        payload: &[u8],
        lengths: Lengths,
        scratch: &mut Scratch,
        mut found: impl FnMut(u32),
    ) {
        scratch.start(self.texts.len());
        let texts = &self.texts;
        let mut report = |text: u32| texts.patterns(text).iter().for_each(|pattern| found(*pattern));
        let mut settled = Settled { marks: &mut scratch.settled, generation: scratch.generation };
        if lengths.has(Lengths::ONE) {
            self.singles.search(self.chosen, payload, &mut settled, &mut report);
        }
        if lengths.has(Lengths::TWO) {
            self.pairs.search(self.chosen, payload, &mut scratch.pairs, &mut settled, &mut report);
        }
        if !lengths.has(Lengths::MORE) {
            return;
        }
        scratch.fold(self.chosen, payload);
        let mut run_end = 0;
        for from in (0..payload.len()).step_by(CHUNK) {
            let count = CHUNK.min(payload.len() - from);
            let text = scratch::from(&scratch.folded, from);
            simd::scan(self.chosen, &self.long, &self.medium, text, count, &mut scratch.survivors);
            self.verify(payload, from, &mut run_end, scratch, &mut report);
        }
        self.crowds.search(payload, scratch, &mut report);
        self.empty.iter().for_each(|pattern| found(*pattern));
    }

    /// Number of patterns.
    pub fn patterns(&self) -> usize {
        self.texts.patterns_len() + self.empty.len()
    }

    /// Patterns in the automata: those that found no bucket with room.
    pub fn crowded(&self) -> usize {
        self.crowds.len()
    }

    /// Bytes of all arrays.
    pub fn bytes(&self) -> usize {
        size_of::<Self>()
            + size_of_val(&self.empty[..])
            + self.texts.bytes()
            + self.singles.bytes()
            + self.pairs.bytes()
            + self.medium.bytes()
            + self.medium_buckets.0.iter().map(Buckets::bytes).sum::<usize>()
            + self.long.bytes()
            + self.windows.bytes()
            + self.runs.bytes()
            + size_of_val(&self.records[..])
            + self.crowds.bytes()
    }
}

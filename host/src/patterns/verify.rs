//! From a survivor to the patterns that stand there.

use super::buckets::{Entry, RUN, SPLIT};
use super::scratch::{self, MARGIN, Scratch};
use super::{Searcher, filter::Gram, short::BLOCK};

/// Eight bytes of a pattern.
#[derive(Clone, Copy, Debug)]
pub struct Record {
    /// The bytes, the first one lowest; in lower case where case does not count.
    value: u64,
    /// Which of them count.
    mask: u64,
    /// The pattern.
    text: u32,
    /// Bytes of the pattern before these, and [`NOCASE`].
    back: u32,
}

/// In [`Record::back`]: case does not count.
const NOCASE: u32 = 1 << 31;

impl Record {
    /// The bytes from `back` on, at most eight, of a text of three bytes at least; in lower case where `nocase` says so.
    pub fn new(text: u32, bytes: &[u8], nocase: bool, back: usize) -> Self {
        let count = (bytes.len() - back).min(8);
        let mut value = [0; 8];
        value[..count].copy_from_slice(&bytes[back..back + count]);
        let mask = u64::MAX >> (64 - 8 * count);
        let back = back as u32 | if nocase { NOCASE } else { 0 };
        Self { value: u64::from_le_bytes(value), mask, text, back }
    }
}

/// The different patterns.
#[derive(Clone, Debug, Default)]
pub struct Texts {
    /// Bytes of all of them; those of a pattern without case are in lower case.
    bytes: Vec<u8>,
    /// Where each one's bytes end.
    ends: Vec<u32>,
    nocase: Vec<bool>,
    /// Numbers of the patterns that are the same text.
    patterns: Vec<u32>,
    /// Where each text's numbers end.
    pattern_ends: Vec<u32>,
}

impl Texts {
    /// Adds a text; `bytes` are in lower case where `nocase` says so. Gives its number.
    pub fn add(&mut self, bytes: &[u8], nocase: bool, patterns: impl IntoIterator<Item = u32>) -> u32 {
        let text = self.ends.len() as u32;
        self.bytes.extend_from_slice(bytes);
        self.ends.push(self.bytes.len() as u32);
        self.nocase.push(nocase);
        self.patterns.extend(patterns);
        self.pattern_ends.push(self.patterns.len() as u32);
        text
    }

    /// Number of texts.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Number of patterns.
    pub fn patterns_len(&self) -> usize {
        self.patterns.len()
    }

    /// Bytes of a text.
    #[inline]
    pub fn of(&self, text: u32) -> &[u8] {
        &self.bytes[range(&self.ends, text)]
    }

    /// Whether its case does not count.
    #[inline]
    pub fn nocase(&self, text: u32) -> bool {
        self.nocase[text as usize]
    }

    /// Numbers of the patterns that are this text.
    #[inline]
    pub fn patterns(&self, text: u32) -> &[u32] {
        &self.patterns[range(&self.pattern_ends, text)]
    }

    /// Bytes of all arrays.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
            + size_of_val(&self.ends[..])
            + self.nocase.len()
            + size_of_val(&self.patterns[..])
            + size_of_val(&self.pattern_ends[..])
    }
}

#[inline]
fn range(ends: &[u32], at: u32) -> std::ops::Range<usize> {
    let at = at as usize;
    let start = if at == 0 { 0 } else { ends[at - 1] };
    start as usize..ends[at] as usize
}

/// Bits of a block's survivors for each group of places.
const LANES: usize = 16;

impl Searcher {
    /// Looks at the survivors of the chunk that begins at `from`. `run_end` is where the last run of one byte ended.
    pub(super) fn verify(
        &self,
        payload: &[u8],
        from: usize,
        blocks: usize,
        run_end: &mut usize,
        scratch: &mut Scratch,
        report: &mut impl FnMut(u32),
    ) {
        let mut run = None;
        for block in 0..blocks {
            let mut bits = scratch.survivors[block];
            while bits != 0 {
                let bit = bits.trailing_zeros() as usize;
                bits &= bits - 1;
                let group = bit / LANES;
                let place = from + block * BLOCK + bit % LANES * 4 + (group & 2);
                // The last block goes on behind the payload.
                if place >= payload.len() {
                    continue;
                }
                if group == 0 {
                    self.verify_long(payload, place, (&mut run, run_end), scratch, report);
                } else {
                    self.verify_medium(payload, place, scratch, report);
                }
            }
        }
    }

    /// Looks at a survivor among patterns of three to six bytes.
    #[inline]
    fn verify_medium(
        &self,
        payload: &[u8],
        place: usize,
        scratch: &mut Scratch,
        report: &mut impl FnMut(u32),
    ) {
        let gram = gram(&scratch.folded, place);
        if scratch.quiet_medium.has(gram, scratch.generation) {
            return;
        }
        let buckets = &self.medium_buckets;
        let mut open = false;
        for entry in buckets.four.of(gram) {
            open |= !self.settle(payload, place + 1, entry, scratch, report);
        }
        for entry in buckets.front.of(front(gram)) {
            open |= !self.settle(payload, place + 1, entry, scratch, report);
        }
        for entry in buckets.back.of(back(gram)) {
            open |= !self.settle(payload, place + 1, entry, scratch, report);
        }
        if !open {
            scratch.quiet_medium.insert(gram, scratch.generation);
        }
    }

    /// Looks at a survivor among longer patterns. `run` are the bytes around the last one, if all patterns that they
    /// lead to are settled.
    #[inline]
    fn verify_long(
        &self,
        payload: &[u8],
        place: usize,
        (run, run_end): (&mut Option<[u64; 2]>, &mut usize),
        scratch: &mut Scratch,
        report: &mut impl FnMut(u32),
    ) {
        let gram = gram(&scratch.folded, place);
        if scratch.quiet_long.has(gram, scratch.generation) {
            return;
        }
        // From the first byte of the window of seven that begins three bytes before, to the last of that which begins here.
        let around = [eight(&scratch.folded, MARGIN + place - 3), eight(&scratch.folded, MARGIN + place)];
        if *run == Some(around) {
            return;
        }
        let (mut open, mut split) = (false, false);
        for entry in self.long_buckets.grams.of(gram) {
            if entry.record == RUN {
                // Its bucket has other grams too, some with the same tag.
                if gram == u32::from_le_bytes([gram as u8; 4]) {
                    self.runs.settle(place, payload.len(), run_end, scratch, report);
                    open = true;
                }
                continue;
            }
            if entry.record != SPLIT {
                open |= !self.settle(payload, place, entry, scratch, report);
                continue;
            }
            split = true;
            let window = eight(&scratch.folded, MARGIN + place - entry.delta as usize);
            for record in self.long_buckets.splits.of(self.long_buckets.split.of_eight(window)) {
                open |= !self.settle(payload, place, Entry { delta: entry.delta, ..record }, scratch, report);
            }
        }
        *run = (!open).then_some(around);
        // What a split holds depends on more than the gram.
        if !open && !split {
            scratch.quiet_long.insert(gram, scratch.generation);
        }
    }

    /// Whether an entry's pattern needs no more looking for in this payload; reports it if it stands here.
    #[inline]
    fn settle(
        &self,
        payload: &[u8],
        place: usize,
        entry: Entry,
        scratch: &mut Scratch,
        report: &mut impl FnMut(u32),
    ) -> bool {
        let record = &self.records[entry.record as usize];
        if scratch.settled[record.text as usize] == scratch.generation {
            return true;
        }
        let there = if record.back & NOCASE == 0 { &scratch.exact } else { &scratch.folded };
        // A delta is at most three: the margin has as many bytes.
        let at = MARGIN + place - entry.delta as usize;
        if eight(there, at) & record.mask != record.value {
            return false;
        }
        let Some(start) = at.checked_sub(MARGIN + (record.back & !NOCASE) as usize) else {
            return false;
        };
        if self.stands_at(record.text, payload, start, &scratch.folded) {
            scratch.settled[record.text as usize] = scratch.generation;
            report(record.text);
            return true;
        }
        self.waste(record.text, payload, scratch, report)
    }

    #[inline]
    fn stands_at(&self, text: u32, payload: &[u8], start: usize, folded: &[u8]) -> bool {
        let bytes = self.texts.of(text);
        if payload.len() - start.min(payload.len()) < bytes.len() {
            return false;
        }
        let there = if self.texts.nocase(text) { scratch::from(folded, start) } else { &payload[start..] };
        there[..bytes.len()] == *bytes
    }

    /// Counts a comparison in vain. Where a pattern had more of them than the payload has bytes it is sought alone,
    /// which settles it: true then.
    #[cold]
    fn waste(&self, text: u32, payload: &[u8], scratch: &mut Scratch, report: &mut impl FnMut(u32)) -> bool {
        let bytes = self.texts.of(text);
        let wasted = &mut scratch.wasted[text as usize];
        if wasted.generation != scratch.generation {
            *wasted = scratch::Wasted { generation: scratch.generation, bytes: 0 };
        }
        wasted.bytes += bytes.len();
        if wasted.bytes <= payload.len() + bytes.len() {
            return false;
        }
        let end = MARGIN + payload.len();
        let there = if self.texts.nocase(text) { &scratch.folded[MARGIN..end] } else { payload };
        scratch.settled[text as usize] = scratch.generation;
        if occurs(bytes, there, &mut scratch.failure) {
            report(text);
        }
        true
    }
}

/// Whether a pattern occurs, in linear time (Knuth, Morris, Pratt, "Fast pattern matching in strings", 1977).
pub fn occurs(pattern: &[u8], text: &[u8], failure: &mut Vec<usize>) -> bool {
    // The longest proper prefix of the pattern that ends with each of its bytes.
    failure.clear();
    let mut length = 0;
    for (at, byte) in pattern.iter().enumerate() {
        if at > 0 {
            while length > 0 && pattern[length] != *byte {
                length = failure[length - 1];
            }
            length += usize::from(pattern[length] == *byte);
        }
        failure.push(length);
    }
    let mut length = 0;
    for byte in text {
        while length > 0 && pattern[length] != *byte {
            length = failure[length - 1];
        }
        length += usize::from(pattern[length] == *byte);
        if length == pattern.len() {
            return true;
        }
    }
    false
}

/// The first three bytes of a gram, as [`super::MediumBuckets`] has them.
#[inline]
pub fn front(gram: Gram) -> Gram {
    gram << 8
}

/// The last three bytes of a gram, likewise.
#[inline]
pub fn back(gram: Gram) -> Gram {
    gram & 0xffff_ff00
}

/// The gram at a place of the payload.
#[inline]
fn gram(folded: &[u8], place: usize) -> Gram {
    folded[MARGIN + place..].first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

/// Eight bytes of the payload's copy.
#[inline]
fn eight(folded: &[u8], at: usize) -> u64 {
    folded[at..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

//! From a survivor to the patterns that stand there.

use super::buckets::{Entry, Key, RUN, window};
use super::filter::Gram;
use super::scratch::{self, MARGIN, Scratch};
use super::survivors::Bits;
use super::{MediumBuckets, Searcher};

/// Eight bytes of a pattern.
#[derive(Clone, Copy, Debug)]
pub struct Record {
    /// The bytes, the first one lowest; in lower case where case does not count.
    value: u64,
    /// The pattern.
    text: u32,
    /// Bytes of the pattern before these; from bit [`LACKS`] on for how many bits of the value it has no byte; [`NOCASE`].
    at: u32,
}

/// In [`Record::at`]: the lowest bit of how many lack.
const LACKS: u32 = 16;
/// Likewise: case does not count.
const NOCASE: u32 = 1 << 31;

impl Record {
    /// The bytes from `back` on, at most eight, of a text of three bytes at least; in lower case where `nocase` says so.
    pub fn new(text: u32, bytes: &[u8], nocase: bool, back: usize) -> Self {
        let count = (bytes.len() - back).min(8);
        let mut value = [0; 8];
        value[..count].copy_from_slice(&bytes[back..back + count]);
        let at = back as u32 | (64 - 8 * count as u32) << LACKS | if nocase { NOCASE } else { 0 };
        Self { value: u64::from_le_bytes(value), text, at }
    }

    /// Bytes of the pattern before these.
    fn back(&self) -> usize {
        (self.at & ((1 << LACKS) - 1)) as usize
    }

    /// Whether case does not count.
    #[inline]
    fn nocase(&self) -> bool {
        self.at & NOCASE != 0
    }

    /// Whether these eight bytes are the pattern's, as far as it has any.
    #[inline]
    fn is(&self, eight: u64) -> bool {
        (eight ^ self.value) << (self.at >> LACKS & 63) == 0
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

impl Searcher {
    /// Looks at the survivors of the chunk that begins at `from`. `run_end` is where the last run of one byte ended.
    pub(super) fn verify(
        &self,
        payload: &[u8],
        from: usize,
        run_end: &mut usize,
        scratch: &mut Scratch,
        report: &mut impl FnMut(u32),
    ) {
        let Scratch { survivors, folded, .. } = scratch;
        survivors.long.keep(|place| self.windows_with(windows(folded, from + place)));
        survivors.medium.keep(|place| self.medium_buckets.with(gram(folded, from + place)));
        let mut run = None;
        for at in 0..scratch.survivors.long.len() {
            let (place, deltas) = scratch.survivors.long.get(at);
            self.verify_long(payload, from + place, deltas, (&mut run, run_end), scratch, report);
        }
        for at in 0..scratch.survivors.medium.len() {
            let (place, kinds) = scratch.survivors.medium.get(at);
            self.verify_medium(payload, from + place, kinds, scratch, report);
        }
    }

    /// Which of the windows may be in a bucket, a bit each.
    #[inline]
    fn windows_with(&self, windows: [Key; 4]) -> u8 {
        let bit = |delta: usize| u8::from(self.windows.may_have(windows[delta])) << delta;
        bit(0) | bit(1) | bit(2) | bit(3)
    }

    /// Looks at a survivor among patterns of three to six bytes.
    #[inline]
    fn verify_medium(
        &self,
        payload: &[u8],
        place: usize,
        kinds: Bits,
        scratch: &mut Scratch,
        report: &mut impl FnMut(u32),
    ) {
        let gram = gram(&scratch.folded, place);
        if scratch.quiet.has(gram, scratch.generation) {
            return;
        }
        let mut open = false;
        for kind in kinds {
            for entry in self.medium_buckets.0[kind].of(keys(gram)[kind]) {
                open |= !self.settle(payload, place + 1, entry, scratch, report);
            }
        }
        if !open {
            scratch.quiet.insert(gram, scratch.generation);
        }
    }

    /// Looks at a survivor among longer patterns. `run` are the bytes around the last one, if all patterns that they
    /// lead to are settled.
    #[inline]
    fn verify_long(
        &self,
        payload: &[u8],
        place: usize,
        deltas: Bits,
        (run, run_end): (&mut Option<[u64; 2]>, &mut usize),
        scratch: &mut Scratch,
        report: &mut impl FnMut(u32),
    ) {
        // All bytes of the windows.
        let around = [eight(&scratch.folded, MARGIN + place - 3), eight(&scratch.folded, MARGIN + place)];
        if *run == Some(around) {
            return;
        }
        let mut open = false;
        for delta in deltas {
            for entry in self.windows.of(window(eight(&scratch.folded, MARGIN + place - delta))) {
                if entry.record == RUN {
                    // Its bucket has other windows too, some with the same tag.
                    let gram = gram(&scratch.folded, place);
                    if gram == u32::from_le_bytes([gram as u8; 4]) {
                        self.runs.settle(place, payload, run_end, scratch, report);
                    }
                    open = true;
                } else {
                    let entry = Entry { delta: delta as u32, ..entry };
                    open |= !self.settle(payload, place, entry, scratch, report);
                }
            }
        }
        *run = (!open).then_some(around);
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
        let Some(at) = place.checked_sub(entry.delta as usize) else { return false };
        let nocase = record.nocase();
        let (exact, folded) = (eight_or_less(payload, at), eight(&scratch.folded, MARGIN + at));
        // About every third pattern is without case, so that a branch would go either way.
        let there = std::hint::select_unpredictable(nocase, folded, exact);
        if !record.is(there) {
            return false;
        }
        let Some(start) = at.checked_sub(record.back()) else { return false };
        let bytes = self.texts.of(record.text);
        let there = if nocase { &scratch.folded[MARGIN..MARGIN + payload.len()] } else { payload };
        let Some(there) = there.get(start..start + bytes.len()) else { return false };
        // Patterns that begin alike mostly end differently.
        if last(there) != last(bytes) {
            return false;
        }
        if there == bytes {
            scratch.settled[record.text as usize] = scratch.generation;
            report(record.text);
            return true;
        }
        self.waste(record.text, payload, scratch, report)
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

impl MediumBuckets {
    /// Which of them may have an entry of the gram, a bit each.
    #[inline]
    fn with(&self, gram: Gram) -> u8 {
        let keys = keys(gram);
        let bit = |kind: usize| u8::from(self.0[kind].may_have(keys[kind])) << kind;
        bit(0) | bit(1) | bit(2)
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

/// What a gram is looked up by in each of [`MediumBuckets`]: in the order of [`super::build::Kind`].
#[inline]
fn keys(gram: Gram) -> [Key; 3] {
    [gram, gram & 0x00ff_ffff, gram >> 8].map(Key::from)
}

/// The seven bytes that begin at a place of the payload, and one, two and three bytes before.
#[inline]
fn windows(folded: &[u8], place: usize) -> [Key; 4] {
    let at = MARGIN + place;
    [eight(folded, at), eight(folded, at - 1), eight(folded, at - 2), eight(folded, at - 3)].map(window)
}

/// The gram at a place of the payload.
#[inline]
fn gram(folded: &[u8], place: usize) -> Gram {
    folded[MARGIN + place..].first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

/// The last bytes, eight if there are as many.
#[inline]
fn last(bytes: &[u8]) -> u64 {
    bytes.last_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// Eight bytes of the payload, with zeros behind its end.
#[inline]
fn eight_or_less(payload: &[u8], at: usize) -> u64 {
    let there = payload.get(at..).unwrap_or_default();
    let bytes = there.first_chunk().copied().unwrap_or_else(|| {
        let mut bytes = [0; 8];
        bytes[..there.len()].copy_from_slice(there);
        bytes
    });
    u64::from_le_bytes(bytes)
}

/// Eight bytes of the payload's copy.
#[inline]
fn eight(folded: &[u8], at: usize) -> u64 {
    folded[at..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

//! Patterns of one byte again and again, as long runs of zeros or of `0xff`.
//!
//! All of one byte share their only gram, so they would crowd its bucket. Instead the gram leads to all of them: where it
//! survives, the run around it is measured once, and every pattern that is not longer is in it.

use rustc_hash::FxHashMap;

use super::scratch::{MARGIN, Scratch};
use super::verify::Texts;

/// Patterns that are runs, by their byte.
#[derive(Clone, Debug, Default)]
pub struct Runs {
    /// Lengths and texts, by byte; of patterns without case by the small letter.
    exact: FxHashMap<u8, Vec<(usize, u32)>>,
    folded: FxHashMap<u8, Vec<(usize, u32)>>,
}

/// The byte that a text has alone.
pub fn only(bytes: &[u8]) -> Option<u8> {
    let first = *bytes.first()?;
    bytes.iter().all(|byte| *byte == first).then_some(first)
}

impl Runs {
    /// Runs of these texts, and the bytes in lower case that a gram must lead to them from.
    pub fn new(texts: &Texts, members: &[u32]) -> (Self, Vec<u8>) {
        let mut runs = Self::default();
        let mut grams = Vec::new();
        for text in members {
            let Some(byte) = only(texts.of(*text)) else { continue };
            let of = if texts.nocase(*text) { &mut runs.folded } else { &mut runs.exact };
            of.entry(byte).or_default().push((texts.of(*text).len(), *text));
            grams.push(byte.to_ascii_lowercase());
        }
        runs.exact.values_mut().chain(runs.folded.values_mut()).for_each(|list| list.sort_unstable());
        grams.sort_unstable();
        grams.dedup();
        (runs, grams)
    }

    /// Reports what the run around a place holds. Places must come in ascending order; `end` is where the last run ended.
    #[cold]
    pub fn settle(
        &self,
        place: usize,
        payload: &[u8],
        end: &mut usize,
        scratch: &mut Scratch,
        report: &mut impl FnMut(u32),
    ) {
        if place < *end {
            return;
        }
        let folded = &scratch.folded[MARGIN..MARGIN + payload.len()];
        let byte = folded[place];
        let from = folded[..place].iter().rposition(|other| *other != byte).map_or(0, |at| at + 1);
        let to =
            folded[place..].iter().position(|other| *other != byte).map_or(payload.len(), |at| place + at);
        *end = to;
        let exact = &payload[from..to];
        let mut found = |of: &FxHashMap<u8, Vec<(usize, u32)>>, byte: u8, longest: usize| {
            for (length, text) in of.get(&byte).into_iter().flatten() {
                if *length > longest {
                    break;
                }
                let mark = &mut scratch.settled[*text as usize];
                if std::mem::replace(mark, scratch.generation) != scratch.generation {
                    report(*text);
                }
            }
        };
        found(&self.folded, byte, to - from);
        let other = Some(byte.to_ascii_uppercase()).filter(|other| *other != byte);
        for spelling in [Some(byte), other].into_iter().flatten() {
            let longest = exact.split(|other| *other != spelling).map(<[u8]>::len).max();
            found(&self.exact, spelling, longest.unwrap_or_default());
        }
    }

    /// Bytes of all lists.
    pub fn bytes(&self) -> usize {
        let lists = self.exact.values().chain(self.folded.values());
        lists.map(|list| size_of_val(&list[..]) + size_of::<Vec<u8>>()).sum()
    }
}

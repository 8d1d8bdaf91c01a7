//! The patterns that a card seeks, as the host knows them.

use std::sync::OnceLock;

use memchr::memmem;
use rustc_hash::{FxHashMap, FxHashSet};
use wiresift_abi::c2h::HIT_BITS;

use super::rules::{HostError, sought_pattern};
use crate::metadata::Metadata;
use crate::patterns::{Pattern, Searcher};

/// No pattern.
const NONE: u32 = u32::MAX;

/// Patterns on the card, and those that are left to the host.
#[derive(Debug, Default)]
pub struct OnCard {
    /// By the card's number: the host's number.
    numbers: Vec<u32>,
    /// By the host's number: what the card has.
    texts: FxHashMap<u32, Text>,
    /// What the card does not have.
    rest: Vec<(u32, Text)>,
    /// Made when the first packet asks for it: only a card needs it.
    searcher: OnceLock<Searcher>,
    seed: u64,
}

#[derive(Debug)]
struct Text {
    /// In lower case if case does not count.
    bytes: Box<[u8]>,
    nocase: bool,
}

impl Text {
    fn of(pattern: &Pattern<'_>) -> Self {
        let Pattern { bytes, nocase } = *pattern;
        let bytes = if nocase { bytes.to_ascii_lowercase() } else { bytes.to_vec() };
        Self { bytes: bytes.into(), nocase }
    }

    fn pattern(&self) -> Pattern<'_> {
        Pattern { bytes: &self.bytes, nocase: self.nocase }
    }
}

/// A payload in lower case, once it was asked for.
#[derive(Debug, Default)]
pub struct Lower {
    bytes: Vec<u8>,
    is_made: bool,
}

impl Lower {
    /// Forgets the payload before.
    pub fn begin(&mut self) {
        self.is_made = false;
    }

    fn of(&mut self, payload: &[u8]) -> &[u8] {
        if !self.is_made {
            self.is_made = true;
            self.bytes.clear();
            self.bytes.extend(payload.iter().map(u8::to_ascii_lowercase));
        }
        &self.bytes
    }
}

impl OnCard {
    /// What the metadata says of the card's patterns; `patterns` are the host's by number, `numbers` the number of each.
    ///
    /// # Errors
    /// Where it names a signature that no pattern leads to.
    pub fn new(
        metadata: &Metadata,
        patterns: &[Pattern<'_>],
        numbers: &FxHashMap<(&[u8], bool), u32>,
        seed: u64,
    ) -> Result<Self, HostError> {
        let mut on_card = Self { seed, ..Self::default() };
        for &(number, place) in &metadata.patterns {
            let count = metadata.signatures.len();
            let signature = metadata.signatures.get(place as usize);
            let signature = signature.ok_or(HostError::Unknown { place, count })?;
            let pattern = sought_pattern(signature);
            let own = pattern.and_then(|pattern| numbers.get(&(pattern.bytes, pattern.nocase)).copied());
            let own = own.ok_or(HostError::NoPattern { number, sid: signature.sid })?;
            let number = number as usize;
            if number >> HIT_BITS != 0 {
                return Err(HostError::NoPattern { number: number as u32, sid: signature.sid });
            }
            if on_card.numbers.len() <= number {
                on_card.numbers.resize(number + 1, NONE);
            }
            on_card.numbers[number] = own;
        }
        if on_card.numbers.is_empty() {
            return Ok(on_card);
        }
        let has: FxHashSet<u32> = on_card.numbers.iter().copied().collect();
        for (number, pattern) in (0..).zip(patterns) {
            let text = Text::of(pattern);
            if has.contains(&number) {
                on_card.texts.insert(number, text);
            } else {
                on_card.rest.push((number, text));
            }
        }
        Ok(on_card)
    }

    /// Whether the card seeks no pattern.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// Number of patterns that the card seeks.
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Whether the card seeks a pattern of the host's.
    pub fn has(&self, pattern: u32) -> bool {
        self.texts.contains_key(&pattern)
    }

    /// The host's number of a pattern of the card's.
    pub fn number(&self, hit: u16) -> Option<u32> {
        self.numbers.get(usize::from(hit)).copied().filter(|number| *number != NONE)
    }

    /// Whether a pattern on the card is in a payload: the card says that it, or a part of it, is somewhere in the packet.
    pub fn is_in(&self, pattern: u32, payload: &[u8], lower: &mut Lower) -> bool {
        self.texts.get(&pattern).is_some_and(|text| {
            let payload = if text.nocase { lower.of(payload) } else { payload };
            memmem::find(payload, &text.bytes).is_some()
        })
    }

    /// What finds the patterns that the card does not have.
    pub fn rest(&self) -> &Searcher {
        self.searcher.get_or_init(|| {
            let patterns: Vec<Pattern<'_>> = self.rest.iter().map(|(_, text)| text.pattern()).collect();
            Searcher::new(&patterns, self.seed)
        })
    }

    /// The host's number of a pattern that [`Self::rest`] finds.
    pub fn number_of_rest(&self, found: u32) -> u32 {
        self.rest[found as usize].0
    }
}

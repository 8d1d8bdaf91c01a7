//! The patterns that a card seeks, as the host knows them.

use std::sync::OnceLock;

use memchr::memmem;
use rustc_hash::{FxHashMap, FxHashSet};
use wiresift_abi::c2h::{self, HIT_BITS, PRESENCE_BITS, PRESENCE_WORDS};
use wiresift_abi::payload::short::SHORT_BYTES_MAX;

use super::rules::{HostError, sought_pattern};
use crate::metadata::{Metadata, RuleGroup};
use crate::patterns::{Pattern, Searcher};

/// No pattern.
const NONE: u32 = u32::MAX;

/// Patterns on the card, and those that are left to the host.
#[derive(Debug, Default)]
pub struct OnCard {
    /// By the card's number: place of the rule group.
    numbers: Vec<u32>,
    groups: Vec<Group>,
    /// By presence bit: the host's number of the pattern.
    bits: Vec<u32>,
    /// The presence bits that have one.
    known: [u32; PRESENCE_WORDS],
    /// By the host's number: what the card has.
    texts: FxHashMap<u32, Text>,
    /// What the card does not have.
    rest: Vec<(u32, Text)>,
    /// Made when the first packet asks for it: only a card needs it.
    searcher: OnceLock<Searcher>,
    seed: u64,
}

/// Signatures that the card names by one number.
#[derive(Debug)]
pub struct Group {
    /// The host's number of their pattern.
    pub pattern: u32,
    /// Their places, ascending.
    pub signatures: Box<[u32]>,
}

/// Notes what the card calls a rule group or a pattern.
fn note(numbers: &mut Vec<u32>, at: usize, own: u32) {
    if numbers.len() <= at {
        numbers.resize(at + 1, NONE);
    }
    numbers[at] = own;
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
    /// Where it names a signature that no pattern leads to, or one that the pattern of its rule group does not lead to.
    pub fn new(
        metadata: &Metadata,
        patterns: &[Pattern<'_>],
        numbers: &FxHashMap<(&[u8], bool), u32>,
        seed: u64,
    ) -> Result<Self, HostError> {
        let mut on_card = Self { seed, ..Self::default() };
        // The signature at a place, its pattern, and the host's number of that.
        let sought = |place: u32| {
            let count = metadata.signatures.len();
            let signature = metadata.signatures.get(place as usize);
            let signature = signature.ok_or(HostError::Unknown { place, count })?;
            let pattern = sought_pattern(signature);
            let number = |pattern: &Pattern<'_>| numbers.get(&(pattern.bytes, pattern.nocase)).copied();
            Ok((signature.sid, pattern.and_then(|pattern| number(&pattern).map(|own| (pattern, own)))))
        };
        for RuleGroup { number, signatures } in &metadata.rule_groups {
            let number = *number;
            let mut of_group = None;
            for &place in signatures {
                let (sid, pattern) = sought(place)?;
                let pattern = pattern.filter(|_| number >> HIT_BITS == 0).map(|(_, own)| own);
                let own = pattern.filter(|own| *own == *of_group.get_or_insert(*own));
                own.ok_or(HostError::NoPattern { number, sid })?;
            }
            let pattern = of_group.ok_or(HostError::EmptyGroup { number })?;
            note(&mut on_card.numbers, number as usize, on_card.groups.len() as u32);
            on_card.groups.push(Group { pattern, signatures: signatures.as_slice().into() });
        }
        for &(bit, place) in &metadata.short_patterns {
            let (sid, pattern) = sought(place)?;
            let is_short = |pattern: &Pattern<'_>| pattern.bytes.len() <= SHORT_BYTES_MAX;
            let pattern =
                pattern.filter(|(pattern, _)| usize::from(bit) < PRESENCE_BITS && is_short(pattern));
            let (_, own) = pattern.ok_or(HostError::NoShortPattern { bit, sid })?;
            note(&mut on_card.bits, bit.into(), own);
            on_card.known[usize::from(bit / 32)] |= 1 << (bit % 32);
        }
        let of_groups = on_card.groups.iter().map(|group| group.pattern);
        let has: FxHashSet<u32> = of_groups.chain(on_card.bits.iter().copied()).collect();
        if has.is_empty() {
            return Ok(on_card);
        }
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

    /// The rule group of a number of the card's.
    pub fn group(&self, hit: u16) -> Option<&Group> {
        let place = self.numbers.get(usize::from(hit)).copied().filter(|place| *place != NONE)?;
        self.groups.get(place as usize)
    }

    /// Every rule group.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// Whether it is a presence bit that tells of a pattern of the host's.
    pub fn has_bit(&self, pattern: u32) -> bool {
        self.bits.contains(&pattern)
    }

    /// A presence bit that is set and is that of no pattern.
    pub fn unknown_bit(&self, mut words: [u32; PRESENCE_WORDS]) -> Option<u16> {
        words.iter_mut().zip(self.known).for_each(|(word, known)| *word &= !known);
        c2h::present(words).next()
    }

    /// The host's number of the pattern of a presence bit.
    pub fn number_of_bit(&self, bit: u16) -> Option<u32> {
        self.bits.get(usize::from(bit)).copied().filter(|number| *number != NONE)
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

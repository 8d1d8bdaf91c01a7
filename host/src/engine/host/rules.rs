//! Rules as the host finishes them: what leads to each, and what it asks.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use wiresift_abi::c2h::PRESENCE_WORDS;

use super::off_card::OffCard;
use super::on_card::OnCard;
use crate::metadata::{Mentions, Metadata, SignatureInfo};
use crate::patterns::{Lengths, Pattern, Searcher};
use crate::rules::detect::{Buffer, Detect, FastPattern, Test, Threshold};
use crate::rules::model::RuleClass;
use crate::verify::program::{Program, ProgramError};

/// Why the metadata of a rule image cannot be run on the host.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// A signature that cannot be verified.
    #[error("signature {sid} cannot be verified")]
    Program {
        /// Its id.
        sid: u32,
        /// Why.
        #[source]
        error: ProgramError,
    },
    /// A header names a signature that there is not.
    #[error("the rule image names signature {place}, and its metadata has {count}")]
    Unknown {
        /// Its place.
        place: u32,
        /// How many there are.
        count: usize,
    },
    /// A pattern of the card's that leads to no signature.
    #[error("the rule image says that pattern {number} leads to signature {sid}, and it does not")]
    NoPattern {
        /// The card's number.
        number: u32,
        /// The signature that it should lead to.
        sid: u32,
    },
    /// A number of the card's that leads to no signature at all.
    #[error("the rule image says that pattern {number} leads to no signature")]
    EmptyGroup {
        /// The card's number.
        number: u32,
    },
    /// A signature whose pattern is on the card, and which no number there leads to.
    #[error("the rule image has the pattern of signature {sid} on the card, and no number that leads to it")]
    NoGroup {
        /// Its id.
        sid: u32,
    },
    /// A presence bit that leads to no signature, or that a card cannot have.
    #[error("the rule image says that presence bit {bit} leads to signature {sid}, and it does not")]
    NoShortPattern {
        /// The bit.
        bit: u16,
        /// The signature that it should lead to.
        sid: u32,
    },
    /// A header that the card is not asked about and that there is not.
    #[error("the rule image has an entry of signature header {id}, and its metadata has {count}")]
    UnknownHeader {
        /// Its number.
        id: u32,
        /// How many there are.
        count: usize,
    },
    /// A header that the card is not asked about, of a signature that waits for no pattern, or for a presence bit that the card does
    /// not send.
    #[error(
        "the rule image asks the card nothing about a header of signature {sid}, and nothing else leads to it"
    )]
    NotOnCard {
        /// Its signature id.
        sid: u32,
    },
    /// The operating system gave no random numbers for the secret of the pattern search.
    #[error("no random numbers for the secret of the pattern search: {0}")]
    Random(getrandom::Error),
}

/// Rules as the host finishes them.
#[derive(Debug)]
pub struct HostRules {
    /// By place in the metadata.
    pub(super) rules: Vec<Rule>,
    /// By the card's signature id: the signatures without a pattern, which are candidates wherever the header holds.
    always: Lists,
    /// Likewise: lengths of the patterns of the others.
    lengths: Vec<Lengths>,
    /// Likewise: of those patterns that the card does not seek.
    rest: Vec<Lengths>,
    pub(super) searcher: Searcher,
    /// Signatures of each pattern.
    of_pattern: Lists,
    /// What is known of the patterns on the card.
    pub(super) on_card: OnCard,
    /// The headers that the card is not asked about, if there are any.
    pub(super) off_card: Option<OffCard>,
    metadata: Arc<Metadata>,
    verified: usize,
    has_prefilters: bool,
}

/// One signature.
#[derive(Debug)]
pub(super) struct Rule {
    pub kind: Kind,
    /// Headers with which it holds, and those that take it away.
    holds_with: Box<[u32]>,
    pub taken_away_by: Box<[u32]>,
}

/// What is left to do for a signature whose header holds.
#[derive(Debug)]
pub(super) enum Kind {
    /// Nothing: it matches.
    Header,
    /// Its program must hold.
    Verified {
        program: Box<Program>,
        /// It does not match, it is a suspect.
        is_prefilter: bool,
        threshold: Option<Threshold>,
    },
    /// It is never reported, or never evaluated.
    Never,
}

/// Lists of places, one behind the other.
#[derive(Debug)]
struct Lists {
    /// Where each starts; one more than lists.
    starts: Vec<u32>,
    places: Vec<u32>,
}

impl Lists {
    /// So many lists of the pairs' second parts, by the first ones; those of one list in the order of the pairs.
    fn new(count: usize, mut pairs: Vec<(u32, u32)>) -> Self {
        pairs.sort_by_key(|(list, _)| *list);
        let mut starts = Vec::with_capacity(count + 1);
        for list in 0..=count as u32 {
            let start = starts.last().map_or(0, |start| *start as usize);
            let more = pairs[start..].iter().take_while(|(of, _)| *of < list).count();
            starts.push((start + more) as u32);
        }
        Self { starts, places: pairs.into_iter().map(|(_, place)| place).collect() }
    }

    fn len(&self) -> usize {
        self.starts.len() - 1
    }

    fn of(&self, list: u32) -> &[u32] {
        let at = |n: u32| self.starts[n as usize] as usize;
        &self.places[at(list)..at(list + 1)]
    }
}

/// The bytes that lead to a signature: of the content that its writer marked, or else of the longest one; `None` where none
/// must be in the payload.
pub fn fast_pattern(detect: &Detect) -> Option<Pattern<'_>> {
    let content = |buffer: usize, test: usize| {
        let tests = detect.buffers.get(buffer).filter(|tests| tests.buffer == Buffer::Payload)?;
        match tests.tests.get(test) {
            Some(Test::Content(content)) if !content.negated => Some(content),
            _ => None,
        }
    };
    if let Some(FastPattern { buffer, test, part }) = detect.fast_pattern
        && let Some(content) = content(buffer, test)
    {
        let bytes = match part {
            Some((first, count)) => first.checked_add(count).and_then(|end| content.bytes.get(first..end)),
            None => Some(&content.bytes[..]),
        };
        if let Some(bytes) = bytes.filter(|bytes| !bytes.is_empty()) {
            return Some(Pattern { bytes, nocase: content.nocase });
        }
    }
    let places = detect
        .buffers
        .iter()
        .enumerate()
        .flat_map(|(buffer, tests)| (0..tests.tests.len()).map(move |test| (buffer, test)));
    let contents = places.filter_map(|(buffer, test)| content(buffer, test));
    let longest = contents.max_by_key(|content| (content.bytes.len(), different(&content.bytes)))?;
    (!longest.bytes.is_empty()).then_some(Pattern { bytes: &longest.bytes, nocase: longest.nocase })
}

/// The pattern for which a payload is searched on behalf of a signature, whose header holds; `None` where the signature is a
/// candidate without, or never.
pub fn sought_pattern(signature: &SignatureInfo) -> Option<Pattern<'_>> {
    match &signature.class {
        RuleClass::Exact | RuleClass::Refused(_) => None,
        RuleClass::ExactOnHost if signature.detect.noalert => None,
        RuleClass::ExactOnHost | RuleClass::Prefilter(_) => fast_pattern(&signature.detect),
    }
}

/// Different bytes.
fn different(bytes: &[u8]) -> usize {
    let mut seen = [false; 256];
    bytes.iter().filter(|byte| !std::mem::replace(&mut seen[usize::from(**byte)], true)).count()
}

impl HostRules {
    /// Makes the rules of an image ready.
    ///
    /// # Errors
    /// Where the metadata contradicts itself, or a signature cannot be compiled.
    pub fn new(metadata: &Arc<Metadata>) -> Result<Self, HostError> {
        let kinds = metadata.signatures.iter().map(Kind::of);
        let kinds = kinds.collect::<Result<Vec<Kind>, HostError>>()?;
        let count = kinds.len();
        let mentions = metadata.mentions().map_err(|place| HostError::Unknown { place, count })?;
        let rules: Vec<Rule> = kinds
            .into_iter()
            .zip(mentions)
            .map(|(kind, Mentions { holds_with, taken_away_by })| Rule {
                kind,
                holds_with: holds_with.into(),
                taken_away_by: taken_away_by.into(),
            })
            .collect();
        let mut lengths = vec![Lengths::default(); metadata.headers.len()];
        let (mut always, mut of_pattern) = (Vec::new(), Vec::new());
        let mut patterns = Vec::new();
        let mut pattern_ids = FxHashMap::default();
        for (place, (rule, info)) in rules.iter().zip(&metadata.signatures).enumerate() {
            let place = place as u32;
            let pattern = match &rule.kind {
                Kind::Never => continue,
                Kind::Header => None,
                Kind::Verified { .. } => sought_pattern(info),
            };
            for &header in &rule.holds_with {
                match &pattern {
                    None => always.push((header, place)),
                    Some(pattern) => lengths[header as usize] |= Lengths::of(pattern),
                }
            }
            if let Some(pattern) = pattern.filter(|_| !rule.holds_with.is_empty()) {
                let id = *pattern_ids.entry((pattern.bytes, pattern.nocase)).or_insert_with(|| {
                    patterns.push(pattern);
                    patterns.len() as u32 - 1
                });
                of_pattern.push((id, place));
            }
        }
        let seed = getrandom::u64().map_err(HostError::Random)?;
        let searcher = Searcher::new(&patterns, seed);
        let on_card = OnCard::new(metadata, &patterns, &pattern_ids, seed)?;
        let mut rest = vec![Lengths::default(); metadata.headers.len()];
        let named: FxHashSet<u32> =
            on_card.groups().iter().flat_map(|group| group.signatures.iter().copied()).collect();
        for (pattern, place) in &of_pattern {
            if !on_card.has(*pattern) {
                for header in &rules[*place as usize].holds_with {
                    rest[*header as usize] |= Lengths::of(&patterns[*pattern as usize]);
                }
            } else if !named.contains(place) && !on_card.has_bit(*pattern) {
                return Err(HostError::NoGroup { sid: metadata.signatures[*place as usize].sid });
            }
        }
        let waiting = of_pattern.iter().map(|(pattern, place)| (*place, on_card.has_bit(*pattern)));
        let off_card = OffCard::new(metadata, &waiting.collect(), &rest, seed)?;
        let is_prefilter = |rule: &Rule| matches!(rule.kind, Kind::Verified { is_prefilter: true, .. });
        let has_prefilters = rules.iter().any(is_prefilter);
        let verified = rules.iter().filter(|rule| matches!(rule.kind, Kind::Verified { .. })).count();
        Ok(Self {
            rules,
            always: Lists::new(metadata.headers.len(), always),
            lengths,
            searcher,
            rest,
            on_card,
            off_card,
            of_pattern: Lists::new(patterns.len(), of_pattern),
            metadata: Arc::clone(metadata),
            verified,
            has_prefilters,
        })
    }

    /// Number of signatures that are verified on the host.
    pub fn verified(&self) -> usize {
        self.verified
    }

    /// Whether some select suspects.
    pub fn has_prefilters(&self) -> bool {
        self.has_prefilters
    }

    /// Number of different patterns that lead to them.
    pub fn patterns(&self) -> usize {
        self.of_pattern.len()
    }

    /// Number of signature headers.
    pub fn headers(&self) -> usize {
        self.lengths.len()
    }

    /// The metadata that they were made of.
    pub fn metadata(&self) -> &Arc<Metadata> {
        &self.metadata
    }

    /// Signatures that are candidates wherever a header holds.
    pub(super) fn always(&self, header: u32) -> &[u32] {
        self.always.of(header)
    }

    /// Lengths of the patterns that lead to signatures of a header.
    pub(super) fn lengths(&self, header: u32) -> Lengths {
        self.lengths[header as usize]
    }

    /// Lengths of those that the host seeks even where the card named the patterns it found.
    pub(super) fn rest(&self, header: u32) -> Lengths {
        self.rest[header as usize]
    }

    /// Whether a number of the card's is that of a rule group.
    pub fn is_rule_group(&self, hit: u16) -> bool {
        self.on_card.group(hit).is_some()
    }

    /// A presence bit of the card's that is set and is that of no pattern.
    pub fn unknown_presence_bit(&self, words: [u32; PRESENCE_WORDS]) -> Option<u16> {
        self.on_card.unknown_bit(words)
    }

    /// Number of patterns that the card seeks, those with a presence bit included.
    pub fn patterns_on_card(&self) -> usize {
        self.on_card.len()
    }

    /// Makes ready what only a card's verdicts need, so that no packet waits for it.
    pub fn prepare_for_card(&self) {
        if !self.on_card.is_empty() {
            self.on_card.rest();
        }
        if let Some(off_card) = &self.off_card {
            off_card.sets(&self.metadata);
        }
    }

    /// Signatures of a pattern.
    pub(super) fn of_pattern(&self, pattern: u32) -> &[u32] {
        self.of_pattern.of(pattern)
    }

    /// Whether a signature whose header holds is not taken away by another one.
    pub(super) fn is_left(&self, place: u32, mut holds: impl FnMut(u32) -> bool) -> bool {
        !self.rules[place as usize].taken_away_by.iter().any(|header| holds(*header))
    }

    /// Whether the headers say that a signature holds.
    pub(super) fn holds(&self, place: u32, mut holds: impl FnMut(u32) -> bool) -> bool {
        let rule = &self.rules[place as usize];
        rule.holds_with.iter().any(|header| holds(*header)) && self.is_left(place, holds)
    }
}

impl Kind {
    fn of(signature: &SignatureInfo) -> Result<Self, HostError> {
        let is_prefilter = match &signature.class {
            RuleClass::Exact => return Ok(Self::Header),
            RuleClass::Refused(_) => return Ok(Self::Never),
            RuleClass::ExactOnHost if signature.detect.noalert => return Ok(Self::Never),
            RuleClass::ExactOnHost => false,
            RuleClass::Prefilter(_) => true,
        };
        let program = Program::new(&signature.detect)
            .map_err(|error| HostError::Program { sid: signature.sid, error })?;
        let threshold = signature.detect.threshold;
        Ok(Self::Verified { program: Box::new(program), is_prefilter, threshold })
    }
}

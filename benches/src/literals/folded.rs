//! Aho-Corasick automata of the crates `aho-corasick` and `daachorse`. They have one kind of case for all patterns, so
//! they seek all in lower case, and where case counts a match is looked at again.

use std::collections::BTreeMap;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use anyhow::{Result, anyhow};
use daachorse::DoubleArrayAhoCorasick;

use super::rules::Pattern;

enum Automaton {
    AhoCorasick(AhoCorasick),
    Daachorse(DoubleArrayAhoCorasick<u32>),
}

/// Which automaton.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `aho-corasick`, contiguous NFA.
    Nfa,
    /// `aho-corasick`, DFA.
    Dfa,
    /// `daachorse`.
    Daachorse,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Nfa, Self::Dfa, Self::Daachorse];

    /// Name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nfa => "aho-corasick nfa",
            Self::Dfa => "aho-corasick dfa",
            Self::Daachorse => "daachorse",
        }
    }
}

/// An automaton over payloads in lower case.
pub struct Folded {
    automaton: Automaton,
    /// Patterns of each text in lower case.
    patterns: Vec<Vec<(u32, Pattern)>>,
    folded: Vec<u8>,
}

impl Folded {
    /// Builds it.
    ///
    /// # Errors
    /// Where the crate refuses the patterns.
    pub fn new(patterns: &[Pattern], kind: Kind) -> Result<Self> {
        let mut texts: BTreeMap<Vec<u8>, Vec<(u32, Pattern)>> = BTreeMap::new();
        for (number, pattern) in patterns.iter().enumerate() {
            texts.entry(pattern.0.to_ascii_lowercase()).or_default().push((number as u32, pattern.clone()));
        }
        let aho_corasick = |kind| {
            AhoCorasick::builder().match_kind(MatchKind::Standard).kind(Some(kind)).build(texts.keys())
        };
        let automaton = match kind {
            Kind::Nfa => Automaton::AhoCorasick(aho_corasick(AhoCorasickKind::ContiguousNFA)?),
            Kind::Dfa => Automaton::AhoCorasick(aho_corasick(AhoCorasickKind::DFA)?),
            Kind::Daachorse => Automaton::Daachorse(
                DoubleArrayAhoCorasick::new(texts.keys()).map_err(|error| anyhow!("daachorse: {error}"))?,
            ),
        };
        Ok(Self { automaton, patterns: texts.into_values().collect(), folded: Vec::new() })
    }

    /// Calls `found` for matches in a payload.
    pub fn search(&mut self, payload: &[u8], mut found: impl FnMut(u32)) {
        self.folded.clear();
        self.folded.extend(payload.iter().map(u8::to_ascii_lowercase));
        let mut at = |text: usize, end: usize| {
            for (number, (bytes, nocase)) in &self.patterns[text] {
                if *nocase || payload[end - bytes.len()..end] == bytes[..] {
                    found(*number);
                }
            }
        };
        match &self.automaton {
            Automaton::AhoCorasick(automaton) => {
                let matches = automaton.find_overlapping_iter(&self.folded);
                matches.for_each(|found| at(found.pattern().as_usize(), found.end()));
            }
            Automaton::Daachorse(automaton) => {
                let matches = automaton.find_overlapping_iter(&self.folded);
                matches.for_each(|found| at(found.value() as usize, found.end()));
            }
        }
    }

    /// Bytes of the automaton.
    pub fn bytes(&self) -> usize {
        match &self.automaton {
            Automaton::AhoCorasick(automaton) => automaton.memory_usage(),
            Automaton::Daachorse(automaton) => automaton.heap_bytes(),
        }
    }
}

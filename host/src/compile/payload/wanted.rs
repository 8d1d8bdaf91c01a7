//! The patterns that rules ask for, and the rule groups behind each.
//!
//! A *rule group* is what the card names by one number: the signatures with one pattern and one header. The number's
//! header list is that header, so it says of which rules pattern and header hold. Where a pattern has more headers
//! than it may take places on the card, all its signatures are one group, and its list joins their headers.

use rustc_hash::FxHashMap;
use wiresift_abi::payload::short::SHORT_BYTES_MAX;

use crate::engine::host::sought_pattern;
use crate::metadata::{Mentions, Metadata};

/// A pattern as rules ask for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Text {
    pub bytes: Vec<u8>,
    pub nocase: bool,
}

/// A pattern that leads to signatures which some header can satisfy.
pub struct Wanted {
    pub text: Text,
    /// Places of the signatures of each rule group, ascending, in order of the first one; at least one each. Of a
    /// pattern of one or two bytes, whose presence bit goes by no header, there is one.
    groups: Vec<Vec<u32>>,
}

/// Rule groups of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// One of them.
    Group(usize),
    /// All, as one.
    Whole,
}

impl Wanted {
    /// Every such pattern, in order of its first signature; `mentions` are those of the metadata.
    pub fn of(metadata: &Metadata, mentions: &[Mentions]) -> Vec<Self> {
        let any_header = Mentions::default();
        let mut places: FxHashMap<Text, usize> = FxHashMap::default();
        let mut group_of: FxHashMap<(usize, &Mentions), usize> = FxHashMap::default();
        let mut all: Vec<Self> = Vec::new();
        for ((place, signature), mentions) in (0..).zip(&metadata.signatures).zip(mentions) {
            let has_header = !mentions.holds_with.is_empty();
            let Some(pattern) = sought_pattern(signature).filter(|_| has_header) else { continue };
            let text = Text { bytes: pattern.bytes.to_vec(), nocase: pattern.nocase };
            let at = *places.entry(text).or_insert_with_key(|text| {
                all.push(Self { text: text.clone(), groups: Vec::new() });
                all.len() - 1
            });
            let groups = &mut all[at].groups;
            let header = if pattern.bytes.len() > SHORT_BYTES_MAX { mentions } else { &any_header };
            let group = *group_of.entry((at, header)).or_insert_with(|| {
                groups.push(Vec::new());
                groups.len() - 1
            });
            groups[group].push(place);
        }
        all
    }

    /// Its rule groups.
    pub fn groups(&self) -> usize {
        self.groups.len()
    }

    /// Place of its first signature.
    pub fn first(&self) -> u32 {
        self.groups[0][0]
    }

    /// Places of the signatures of rule groups, ascending.
    pub fn places(&self, part: Part) -> Vec<u32> {
        match part {
            Part::Group(group) => self.groups[group].clone(),
            Part::Whole => {
                let mut all = self.groups.concat();
                all.sort_unstable();
                all
            }
        }
    }
}

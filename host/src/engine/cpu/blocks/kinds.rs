//! Kinds of rules: what they ask for beside addresses and ports.
//!
//! The rules of most sets ask for few different things in the last word (protocol, class, `aux`): TCP, UDP, any. Then
//! a rule has a bit that says which, in its number; a header is compared with each kind once, not with each
//! rule, and the blocks are two words of nine shorter. What a header is compared with comes from the second cache, line
//! after line, so that is a fifth of the time.

use super::block::{KIND_BITS, Rule};
use super::{BATCH, Headers, Row};

/// Value and mask of the last word of rules.
type Kind = (u32, u32);

/// The kinds of the rules of a set, each with its place as its bit.
#[derive(Clone, Debug, Default)]
pub struct Kinds(Vec<Kind>);

impl Kinds {
    /// The kinds of these rules, or `None` where they have more than [`KIND_BITS`].
    pub fn of<const W: usize>(rules: &[Rule<W>]) -> Option<Self> {
        let mut kinds = Vec::new();
        for rule in rules {
            let kind = (rule.value[W - 1], rule.mask[W - 1]);
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
            if kinds.len() > KIND_BITS as usize {
                return None;
            }
        }
        Some(Self(kinds))
    }

    /// The bit of a rule's kind: none where the set has no kinds.
    pub fn bit<const W: usize>(&self, rule: &Rule<W>) -> u32 {
        let kind = (rule.value[W - 1], rule.mask[W - 1]);
        self.0.iter().position(|other| *other == kind).map_or(0, |place| 1 << place)
    }

    /// The bits of the kinds that each header is not of. Bits of no kind are zero.
    #[inline(always)]
    pub fn lacks<const W: usize>(&self, headers: &Headers<W>) -> Row {
        let mut lacks = Row([0; BATCH]);
        for (place, (value, mask)) in self.0.iter().enumerate() {
            for (lacks, word) in lacks.0.iter_mut().zip(&headers.words[W - 1]) {
                *lacks |= u32::from((word ^ value) & mask != 0) << place;
            }
        }
        lacks
    }

    /// Bytes of the array.
    pub fn bytes(&self) -> usize {
        size_of_val(&self.0[..])
    }
}

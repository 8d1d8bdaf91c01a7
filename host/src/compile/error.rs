//! Why a rule set became no rule image.

use std::fmt;

use wiresift_abi::image::ImageError;

use super::normalise::{RULE_ENTRIES_MAX, TooManyEntries};
use crate::rules::model::Origin;

/// Rules that an error names at most.
pub const RULES_NAMED: usize = 8;

/// Why a rule set became no rule image.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// One rule needs more entries than a rule may have.
    #[error(
        "{}:{}: the rule needs {count} table entries, {limit} are allowed: shorten its address and port lists",
        origin.file, origin.line
    )]
    RuleTooLarge {
        /// Where the rule stands.
        origin: Origin,
        /// Entries that it needs.
        count: u128,
        /// Entries that a rule may have.
        limit: usize,
    },
    /// More rules than numbers for them.
    #[error("{count} {what}, a card can number {limit}")]
    TooManyIds {
        /// What there are too many of.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// How many there may be.
        limit: usize,
    },
    /// The rules need more entries than the geometry has slots.
    #[error(
        "the rules need about {entries} table entries, geometry `{geometry}` holds {room} at most; they are \
         used up at {}:{}{}",
        origin.file, origin.line, other_room(*larger)
    )]
    NoRoom {
        /// Name of the geometry.
        geometry: &'static str,
        /// Entries that the rules need; equal ones may be counted more than once.
        entries: u128,
        /// Slots of all tables, and entries of the TCAM.
        room: usize,
        /// Rule at which they are used up.
        origin: Origin,
        /// A geometry with room for them: its name and the entries that it holds.
        larger: Option<(&'static str, usize)>,
    },
    /// The tables and the TCAM of the geometry do not hold the rules.
    #[error(transparent)]
    DoesNotFit(Box<DoesNotFit>),
    /// The operating system gave no random numbers for the secret of the hash.
    #[error("no random numbers for the secret of the hash: {0}")]
    Random(getrandom::Error),
    /// The metadata could not be written as JSON.
    #[error("cannot write the metadata of the rule image")]
    Metadata(#[source] serde_json::Error),
    /// The image would be refused by its own reader.
    #[error(transparent)]
    Image(#[from] ImageError),
}

fn other_room(larger: Option<(&'static str, usize)>) -> String {
    larger.map_or_else(String::new, |(name, room)| format!("; geometry `{name}` holds {room}"))
}

impl CompileError {
    pub(super) fn too_many_entries(origin: &Origin, TooManyEntries(count): TooManyEntries) -> Self {
        Self::RuleTooLarge { origin: origin.clone(), count, limit: RULE_ENTRIES_MAX }
    }
}

/// What did not fit where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoesNotFit {
    /// Name of the geometry.
    pub geometry: &'static str,
    /// Entries that the rules need.
    pub entries: usize,
    /// Entries that no table took.
    pub left: usize,
    /// Entries that the TCAM holds.
    pub tcam: usize,
    /// Tables and slots of the geometry.
    pub tables: usize,
    /// Slots of all tables.
    pub slots: usize,
    /// The first rules among those that did not fit, each once, at most [`RULES_NAMED`].
    pub rules: Vec<Origin>,
    /// Name of a geometry that would hold the rules.
    pub fits: Option<&'static str>,
    /// The address prefixes, ports and protocol (the mask) that most of what did not fit have in common.
    pub mask: String,
    /// What there is too little of.
    pub shortage: Shortage,
}

/// What there is too little of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortage {
    /// Slots: nearly all of those that could hold the entries are taken.
    Slots {
        /// Slots that are taken.
        taken: usize,
        /// Slots that could hold them.
        slots: usize,
    },
    /// Room for one key: so many entries have the same bits under the mask that tells them apart best.
    OneKey {
        /// Entries with one key.
        entries: usize,
        /// Entries of one key that a table holds.
        room: usize,
    },
    /// Masks: slots are free, but not under masks that the entries have.
    Masks {
        /// Different masks that the entries have.
        masks: usize,
        /// Tables, so masks at a time.
        tables: usize,
    },
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Slots { taken, slots } => {
                write!(f, "the slots are used up, {taken} of {slots}: fewer rules or shorter lists would fit")
            }
            Self::OneKey { entries, room } => write!(
                f,
                "{entries} of them have the same addresses, protocol and leading port bits, and a table holds \
                 {room} of one key: single ports or ranges that do not overlap would fit"
            ),
            Self::Masks { masks, tables } => write!(
                f,
                "they have {masks} different masks for {tables} tables: fewer different prefix lengths would fit"
            ),
        }
    }
}

impl std::error::Error for DoesNotFit {}

impl fmt::Display for DoesNotFit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { geometry, entries, left, tcam, tables, slots, .. } = self;
        write!(
            f,
            "the rules do not fit geometry `{geometry}`: of {entries} entries {left} found no place in its \
             {tables} tables ({slots} slots), and its TCAM holds {tcam}; first among them:"
        )?;
        for Origin { file, line } in &self.rules {
            write!(f, " {file}:{line}")?;
        }
        match self.fits {
            Some(other) => write!(f, "; geometry `{other}` holds all of them"),
            None => write!(
                f,
                "; {}; {} entries fewer would fit, best of the mask that most of them have: {}",
                self.shortage,
                left - tcam,
                self.mask
            ),
        }
    }
}

//! The signature headers that a card is not asked about, as the host asks them: where the card named a pattern, or where the host
//! seeks one of theirs itself ([`Metadata::host_entries`]).

use std::sync::OnceLock;

use rustc_hash::FxHashMap;

use super::rules::HostError;
use crate::engine::cpu::{Found, HeaderSets};
use crate::metadata::{Metadata, TAKES_AWAY};
use crate::patterns::Lengths;

/// Headers that are not on the card.
#[derive(Debug)]
pub struct OffCard {
    /// Some signature of theirs has a pattern that the card does not seek.
    has_rest: bool,
    /// Some signature of theirs has a pattern with a presence bit.
    has_short: bool,
    /// Made when the first packet asks for it: only a card needs it.
    sets: OnceLock<HeaderSets>,
    seed: u64,
}

impl OffCard {
    /// Those of the metadata, `None` where there are none. `waiting` are the signatures that are candidates for their pattern
    /// alone, and whether that has a presence bit, `rest` which patterns of a header the card does not seek.
    ///
    /// # Errors
    /// Where a header is unknown; where one of its signatures waits for no pattern, or for a presence bit without a gate: the card
    /// would have had to tell of it.
    pub fn new(
        metadata: &Metadata,
        waiting: &FxHashMap<u32, bool>,
        rest: &[Lengths],
        seed: u64,
    ) -> Result<Option<Self>, HostError> {
        let (mut has_rest, mut has_short) = (false, false);
        let has_gate = !metadata.presence_gates.is_empty();
        let count = metadata.headers.len();
        if let Some(&id) = metadata.presence_gates.iter().find(|id| **id as usize >= count) {
            return Err(HostError::UnknownHeader { id, count });
        }
        // The entries of a header stand together.
        for entries in metadata.host_entries.chunk_by(|a, b| a.id == b.id) {
            let id = entries[0].id;
            let mentions = metadata.headers.get(id as usize).ok_or(HostError::UnknownHeader { id, count })?;
            for place in mentions.iter().map(|mention| mention & !TAKES_AWAY) {
                match waiting.get(&place) {
                    Some(is_short) if !is_short || has_gate => has_short |= is_short,
                    _ => return Err(HostError::NotOnCard { sid: metadata.signatures[place as usize].sid }),
                }
            }
            has_rest |= !rest[id as usize].is_empty();
        }
        let off_card = Self { has_rest, has_short, sets: OnceLock::new(), seed };
        Ok((!metadata.host_entries.is_empty()).then_some(off_card))
    }

    /// Whether they matter for a packet with a payload, in which the card found that.
    pub fn matter(&self, found: &Found<'_>) -> bool {
        self.has_rest
            || !found.hits.is_empty()
            || self.has_short && found.presence.iter().any(|word| *word != 0)
    }

    /// What looks them up; `metadata` is that which they were made of.
    pub fn sets(&self, metadata: &Metadata) -> &HeaderSets {
        self.sets.get_or_init(|| HeaderSets::new(&metadata.host_entries, self.seed))
    }
}

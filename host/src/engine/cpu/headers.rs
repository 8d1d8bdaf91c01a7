//! Signature headers alone, asked about single packets: those that are not on a card.

use wiresift_abi::entry::Entry;
use wiresift_abi::vector::Key;

use super::answers::Answers;
use super::blocks::{Chosen, Multipliers};
use super::sets::Sets;

/// Signature headers, made ready to be looked up.
#[derive(Clone, Debug)]
pub struct HeaderSets {
    chosen: Chosen,
    sets: Sets,
    answers: Answers,
}

impl HeaderSets {
    /// The headers of these entries. The same seed gives the same sets; it should be drawn at random and kept from those
    /// who send the packets.
    pub fn new(entries: &[Entry], seed: u64) -> Self {
        let sets = Sets::new(entries, &Multipliers::of_seed(seed));
        Self { chosen: Chosen::best(), sets, answers: Answers::default() }
    }

    /// Numbers of those that a header vector satisfies, each at least once.
    pub fn look_up(&mut self, key: &Key) -> &[u32] {
        self.answers.reset(1);
        self.sets.look_up(self.chosen, std::slice::from_ref(key), &mut self.answers);
        self.answers.headers(0)
    }
}

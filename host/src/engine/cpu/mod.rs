//! The CPU engine: decides packets by the tables of a rule image, with the answers of a card that holds it.
//!
//! It runs the image's commands ([`state`]) and takes the entries that they leave in slots and TCAM, and those of headers that a
//! card is not asked about ([`Metadata::host_entries`]). A slot in the
//! bucket of its own key is found by every header vector that satisfies its entry, so where it
//! stands does not matter any more: the engine lays the entries out anew, for caches and vectors ([`sets`], [`blocks`]). Only an entry
//! that the card would not find by all of them is looked up where it stands ([`strays`]).
//!
//! The work for a packet does not depend on it: one block of sixteen rules in each of a few tables, whether the
//! packet matches or not, and whatever packets came before. How many tables there are is known when the engine is built
//! ([`CpuEngine::probes`]).
//!
//! Changes: whatever commands do to the state, a new [`Sets`] of its entries is the new engine; that takes some
//! tens of milliseconds for ten thousand rules.

mod answers;
mod blocks;
mod device;
pub mod hash;
mod headers;
pub mod parse;
mod sets;
mod state;
mod strays;

use std::sync::Arc;

use wiresift_abi::bits::Line;
use wiresift_abi::c2h::PRESENCE_WORDS;
use wiresift_abi::command::CommandError;
use wiresift_abi::entry::{Entry, Kind};
use wiresift_abi::image::Image;
use wiresift_abi::vector::{Flags, Key};

pub use answers::Answers;
pub use blocks::{Chosen, Simd};
pub use device::CpuDevice;
pub use headers::HeaderSets;

use crate::compile;
use crate::decision::Decision;
use crate::metadata::{Metadata, TAKES_AWAY, settle};
use blocks::Multipliers;
use hash::ByteHash;
use parse::Header;
use sets::Sets;
use state::State;
use strays::Strays;

/// Packets that are parsed before they are looked up: their keys stay in the first cache.
const PARSED: usize = 256;

/// Why an image cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Its metadata cannot be read.
    #[error("the metadata of the rule image cannot be read")]
    Metadata(#[source] serde_json::Error),
    /// What should change the tables is no command.
    #[error("the rules cannot be changed")]
    Command(#[source] CommandError),
    /// An entry names an ACL rule or a signature header that the metadata does not have.
    #[error("the rule image names {what} {id}, and its metadata has {count}")]
    Unknown {
        /// What is named.
        what: &'static str,
        /// Its number.
        id: u32,
        /// How many the metadata has.
        count: usize,
    },
}

/// Decides packets on the CPU.
#[derive(Clone)]
pub struct CpuEngine {
    chosen: Chosen,
    sets: Sets,
    hash: ByteHash,
    strays: Strays,
    /// What the numbers in the entries mean.
    metadata: Arc<Metadata>,
    /// What the commands so far left in the tables.
    state: State,
    /// Keys, headers and answers of the packets at hand.
    keys: Vec<Key>,
    parsed: Vec<Header>,
    answers: Answers,
}

/// What the headers of a packet say, before the host finishes it ([`crate::engine::host`]).
#[derive(Clone, Copy, Debug)]
pub struct Headed<'a> {
    /// The card's id of the first ACL rule that matches.
    pub acl: Option<u32>,
    /// Ids of the signature headers that hold, each at least once; where a card found patterns, perhaps without those that it
    /// is not asked about.
    pub headers: &'a [u32],
    /// The header vector.
    pub header: Header,
    /// What the card found in the packet; `None` where the host is to seek all patterns.
    pub found: Option<Found<'a>>,
}

/// What a card found of its patterns in a packet.
#[derive(Clone, Copy, Debug, Default)]
pub struct Found<'a> {
    /// Its numbers of the rule groups whose pattern, of three bytes and more, is there.
    pub hits: &'a [u16],
    /// Its presence bits, of the shorter ones: bit `n % 32` of word `n / 32` is that of pattern `n`.
    pub presence: [u32; PRESENCE_WORDS],
}

impl CpuEngine {
    /// An engine with the tables of an image.
    ///
    /// # Errors
    /// Where its metadata cannot be read or does not explain its entries.
    pub fn new(image: &Image) -> Result<Self, EngineError> {
        Self::with(image, Chosen::best())
    }

    /// An engine made of certain instructions.
    ///
    /// # Errors
    /// As of [`Self::new`].
    pub fn with(image: &Image, chosen: Chosen) -> Result<Self, EngineError> {
        let metadata = compile::metadata(image).map_err(EngineError::Metadata)?;
        Self::of(State::of(image), Arc::new(metadata), chosen)
    }

    /// Runs commands that change the tables, and goes by `metadata` from here on.
    ///
    /// # Errors
    /// Where it does not explain the entries, or a line is no command; the engine is as before then.
    pub fn update<'a>(
        &mut self,
        commands: impl IntoIterator<Item = &'a Line>,
        metadata: Arc<Metadata>,
    ) -> Result<(), EngineError> {
        let mut state = self.state.clone();
        commands.into_iter().try_for_each(|line| state.run_line(line)).map_err(EngineError::Command)?;
        *self = Self::of(state, metadata, self.chosen)?;
        Ok(())
    }

    fn of(state: State, metadata: Arc<Metadata>, chosen: Chosen) -> Result<Self, EngineError> {
        let hash = ByteHash::new(&state.secret);
        let mut strays = Strays::default();
        let mut entries: Vec<Entry> =
            state.entries().filter_map(|(at, entry)| strays.sort(&state, &hash, at, entry)).collect();
        entries.extend(state.tcam_entries());
        entries.extend(&metadata.host_entries);
        let ids = entries.iter().map(|entry| (entry.kind, entry.id));
        ids.chain(strays.ids()).try_for_each(|(kind, id)| check(&metadata, kind, id))?;
        check_signatures(&metadata)?;
        // In the order of the rules, so that the same image gives the same engine.
        entries.sort_by_key(|entry| entry.id);
        let sets = Sets::new(&entries, &Multipliers::of(&state.secret));
        Ok(Self {
            chosen,
            sets,
            hash,
            strays,
            metadata,
            state,
            keys: Vec::new(),
            parsed: Vec::new(),
            answers: Answers::default(),
        })
    }

    /// Blocks that a packet is compared with: the work for it, whatever it is.
    pub fn probes(&self) -> usize {
        self.sets.probes()
    }

    /// Bytes of the tables and blocks.
    pub fn bytes(&self) -> usize {
        self.sets.bytes()
    }

    /// The instructions that it is made of.
    pub fn simd(&self) -> Simd {
        self.chosen.simd()
    }

    /// What the headers of the rules say of a packet, Ethernet header first: the whole decision where no signature asks
    /// for more than its header.
    pub fn decide(&mut self, packet: &[u8]) -> Decision {
        let mut decisions = Vec::with_capacity(1);
        self.decide_all(std::iter::once(packet), &mut decisions);
        decisions.pop().unwrap_or_default()
    }

    /// Adds what the headers of the rules say of each packet to `decisions`, as [`Self::decide`] does.
    pub fn decide_all<'a>(&mut self, packets: impl Iterator<Item = &'a [u8]>, decisions: &mut Vec<Decision>) {
        let metadata = Arc::clone(&self.metadata);
        self.classify(packets, |_, headed| {
            decisions.push(Decision {
                acl: headed.acl.and_then(|id| metadata.acl_place(id)),
                signatures: signatures(&metadata, headed.headers),
                suspects: Vec::new(),
                flags: Flags(headed.header.flags),
            });
        });
    }

    /// Calls `take` with each packet and what its headers say, in order.
    pub fn classify<'a>(
        &mut self,
        packets: impl Iterator<Item = &'a [u8]>,
        mut take: impl FnMut(&'a [u8], &Headed<'_>),
    ) {
        let mut packets = packets.peekable();
        let mut at_hand = Vec::with_capacity(PARSED.min(packets.size_hint().0));
        while packets.peek().is_some() {
            at_hand.clear();
            self.keys.clear();
            self.parsed.clear();
            for packet in packets.by_ref().take(PARSED) {
                let header = Header::of(packet);
                at_hand.push(packet);
                self.keys.push(header.key());
                self.parsed.push(header);
            }
            let (keys, mut answers) = (std::mem::take(&mut self.keys), std::mem::take(&mut self.answers));
            self.look_up_all(&keys, &mut answers);
            for (place, (packet, header)) in at_hand.iter().zip(&self.parsed).enumerate() {
                let (acl, headers) = (answers.first(place), answers.headers(place));
                take(packet, &Headed { acl, headers, header: *header, found: None });
            }
            (self.keys, self.answers) = (keys, answers);
        }
    }

    /// The card's id of the first ACL rule that a header vector satisfies.
    pub fn look_up(&mut self, key: &Key) -> Option<u32> {
        let mut answers = std::mem::take(&mut self.answers);
        self.look_up_all(std::slice::from_ref(key), &mut answers);
        let first = answers.first(0);
        self.answers = answers;
        first
    }

    /// The card's ids of the first ACL rule and of the signature headers that each header vector satisfies. As in every header vector,
    /// addresses that are not of IPv6 have zeros below their 32 highest bits.
    pub fn look_up_all(&mut self, keys: &[Key], answers: &mut Answers) {
        answers.reset(keys.len());
        self.sets.look_up(self.chosen, keys, answers);
        if self.strays.is_empty() {
            return;
        }
        for (place, key) in keys.iter().enumerate() {
            answers.again(place);
            let mut first = answers.acl[place];
            let mut take = |kind: Kind, id: u32| match kind {
                Kind::Acl => first = first.min(id),
                Kind::Signature => answers.push(id),
            };
            self.strays.look_up(key, &self.hash, &mut take);
            answers.acl[place] = first;
            answers.end(place);
        }
    }

    /// What the numbers in its entries mean.
    pub fn metadata(&self) -> &Arc<Metadata> {
        &self.metadata
    }
}

/// Signatures behind headers, ascending, each once.
fn signatures(metadata: &Metadata, headers: &[u32]) -> Vec<u32> {
    let headers = headers.iter().flat_map(|&header| &metadata.headers[header as usize]);
    let mut signatures: Vec<u32> = headers.copied().collect();
    settle(&mut signatures);
    signatures
}

/// Whether the metadata has what an entry names.
fn check(metadata: &Metadata, kind: Kind, id: u32) -> Result<(), EngineError> {
    let (what, count, is_there) = match kind {
        Kind::Acl => ("ACL rule", metadata.acl.len(), metadata.acl_place(id).is_some()),
        Kind::Signature => {
            ("signature header", metadata.headers.len(), (id as usize) < metadata.headers.len())
        }
    };
    if is_there { Ok(()) } else { Err(EngineError::Unknown { what, id, count }) }
}

/// Whether the metadata has the signatures that it names itself.
fn check_signatures(metadata: &Metadata) -> Result<(), EngineError> {
    let count = metadata.signatures.len();
    let mut mentioned = metadata.headers.iter().flatten().map(|mention| mention & !TAKES_AWAY);
    match mentioned.find(|&place| place as usize >= count) {
        Some(id) => Err(EngineError::Unknown { what: "signature", id, count }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;

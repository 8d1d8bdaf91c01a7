//! The CPU engine: decides packets with the tables of a rule image, as the card does and with the same
//! answers.
//!
//! It is built by running the image's commands ([`state`]), so it looks up the same tables ([`tables`], [`tcam`])
//! with the same hash ([`hash`], [`plan`]). The work for a packet is bounded: one probe of two
//! buckets for each table in use, and one row for each chunk of the TCAM.

mod device;
pub mod hash;
pub mod parse;
mod plan;
mod state;
mod tables;
mod tcam;

use wiresift_abi::entry::Kind;
use wiresift_abi::image::Image;
use wiresift_abi::vector::{Flags, Key};

pub use device::CpuDevice;

use crate::compile;
use crate::decision::Decision;
use hash::ByteHash;
use parse::Header;
use plan::{Plan, Sums};
use state::State;
use tables::Table;
use tcam::Tcam;

/// Why an image cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Its metadata cannot be read.
    #[error("the metadata of the rule image cannot be read")]
    Metadata(#[source] serde_json::Error),
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
    hash: ByteHash,
    tables: Vec<Table>,
    tcam: Tcam,
    /// Leading address bytes that the tables hash.
    address_bytes: usize,
    /// Signatures behind each header.
    headers: Vec<Vec<u32>>,
    /// Headers that match the packet at hand.
    found: Vec<u32>,
}

impl CpuEngine {
    /// An engine with the tables of an image.
    ///
    /// # Errors
    /// Where its metadata cannot be read or does not explain its entries.
    pub fn new(image: &Image) -> Result<Self, EngineError> {
        let metadata = compile::metadata(image).map_err(EngineError::Metadata)?;
        let state = State::of(image);
        let hash = ByteHash::new(&state.secret);
        let tables = Table::all(&state, &hash);
        let tcam = Tcam::new(&state);
        let limit = |what, count| move |id: u32| check(what, id, count);
        let acl = limit("ACL rule", metadata.acl.len());
        let header = limit("signature header", metadata.headers.len());
        let signature = limit("signature", metadata.signatures.len());
        for (kind, id) in tables.iter().flat_map(Table::ids).chain(tcam.ids()) {
            match kind {
                Kind::Acl => acl(id)?,
                Kind::Signature => header(id)?,
            }
        }
        metadata.headers.iter().flatten().try_for_each(|&place| signature(place))?;
        let address_bytes = Plan::address_bytes(tables.iter().map(Table::plan));
        Ok(Self { hash, tables, tcam, address_bytes, headers: metadata.headers, found: Vec::new() })
    }

    /// Tables that are probed for a packet.
    pub fn tables(&self) -> usize {
        self.tables.len()
    }

    /// What the rules say of a packet, Ethernet header first.
    pub fn decide(&mut self, packet: &[u8]) -> Decision {
        let header = Header::of(packet);
        let acl = self.look_up(&header.key());
        Decision { acl, signatures: self.signatures(), flags: Flags(header.flags) }
    }

    /// The first ACL rule that a header vector satisfies. The signature headers that it satisfies are then in
    /// [`Self::found`], each at least once.
    pub fn look_up(&mut self, key: &Key) -> Option<u32> {
        let Self { hash, tables, tcam, found, .. } = self;
        found.clear();
        let mut first = u32::MAX;
        let mut take = |first: &mut u32, kind: Kind, id: u32| match kind {
            Kind::Acl => *first = id.min(*first),
            Kind::Signature => found.push(id),
        };
        let sums = Sums::new(key, hash, self.address_bytes);
        for table in tables.iter() {
            if table.signatures || table.first_acl < first {
                table.look_up(key, &sums, hash, |rule| take(&mut first, rule.kind, rule.id));
            }
        }
        if !tcam.is_empty() {
            tcam.look_up(key, |kind, id| take(&mut first, kind, id));
        }
        (first != u32::MAX).then_some(first)
    }

    /// Signature headers that the key looked up last satisfies.
    pub fn found(&self) -> &[u32] {
        &self.found
    }

    /// Signatures behind the headers found, ascending, each once.
    fn signatures(&mut self) -> Vec<u32> {
        let headers = self.found.iter().flat_map(|&header| &self.headers[header as usize]);
        let mut signatures: Vec<u32> = headers.copied().collect();
        signatures.sort_unstable();
        signatures.dedup();
        signatures
    }
}

fn check(what: &'static str, id: u32, count: usize) -> Result<(), EngineError> {
    if (id as usize) < count { Ok(()) } else { Err(EngineError::Unknown { what, id, count }) }
}

#[cfg(test)]
mod tests;

//! The seam between the session and whatever decides packets.

use std::fmt;
use std::sync::{Arc, OnceLock};

use wiresift_abi::bits::Line;

use crate::compile::live::{Counts, Update};
use crate::decision::Decision;
use crate::engine::host::{HostError, HostRules};
use crate::metadata::Metadata;
use crate::rules::model::RuleSet;

/// Packets in the order of the capture.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Number of the first packet over all captures, from 0.
    pub first: u64,
    bytes: Vec<u8>,
    packets: Vec<PacketAt>,
}

/// One packet of a [`Batch`].
#[derive(Clone, Copy, Debug, Default)]
struct PacketAt {
    start: usize,
    end: usize,
    info: PacketInfo,
}

/// What the capture said of a packet beside its bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PacketInfo {
    /// Time stamp in nanoseconds since 1970.
    pub nanos: u64,
    /// Bytes on the wire, which may be more than were captured.
    pub wire_length: u32,
    /// Place of the capture on the command line, from 0.
    pub capture: u32,
    /// Number of the packet in its capture, from 1.
    pub number: u64,
}

impl Batch {
    /// An empty batch whose first packet will have that number.
    pub fn new(first: u64) -> Self {
        Self { first, ..Self::default() }
    }

    /// An empty batch for the packets behind this one, with room for as much as there is in it.
    pub fn following(&self) -> Self {
        Self {
            first: self.first + self.len() as u64,
            bytes: Vec::with_capacity(self.bytes.len()),
            packets: Vec::with_capacity(self.packets.len()),
        }
    }

    /// Adds a packet, Ethernet header first.
    pub fn push(&mut self, packet: &[u8], info: PacketInfo) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(packet);
        self.packets.push(PacketAt { start, end: self.bytes.len(), info });
    }

    /// Number of packets.
    pub fn len(&self) -> usize {
        self.packets.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    /// Bytes of all packets.
    pub fn total_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Packet `n` of the batch.
    pub fn packet(&self, n: usize) -> &[u8] {
        let at = self.packets[n];
        &self.bytes[at.start..at.end]
    }

    /// What the capture said of packet `n`.
    pub fn info(&self, n: usize) -> PacketInfo {
        self.packets[n].info
    }

    /// Every packet in order.
    pub fn packets(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.packets.iter().map(|at| &self.bytes[at.start..at.end])
    }
}

/// A batch with one decision for each of its packets.
#[derive(Clone, Debug)]
pub struct Decided {
    /// The batch that was submitted.
    pub batch: Arc<Batch>,
    /// Its decisions, in order.
    pub decisions: Vec<Decision>,
}

/// Rules that take the place of those before, for every kind of device.
#[derive(Clone, Debug)]
pub struct RuleUpdate {
    /// Version that they get; the verdicts of a card carry it.
    pub version: u16,
    /// Commands that change the tables of the rules before, up to the COMMIT of the version.
    pub commands: Arc<[Line]>,
    /// What decisions by these rules mean.
    pub metadata: Arc<Metadata>,
    /// The rules as written.
    pub rules: Arc<RuleSet>,
    /// What the commands do.
    pub counts: Counts,
    /// The signatures as the host finishes them, once they were asked for.
    host_rules: OnceLock<Arc<HostRules>>,
}

impl RuleUpdate {
    /// An update to `rules`.
    pub fn new(update: Update, rules: Arc<RuleSet>) -> Self {
        let Update { version, commands, metadata, counts } = update;
        Self { version, commands: commands.into(), metadata, rules, counts, host_rules: OnceLock::new() }
    }

    /// An update whose signatures were compiled before.
    #[cfg(all(test, feature = "card"))]
    pub(crate) fn with(update: Update, rules: Arc<RuleSet>, host_rules: Arc<HostRules>) -> Self {
        Self { host_rules: OnceLock::from(host_rules), ..Self::new(update, rules) }
    }

    /// The signatures as the host finishes them. They are compiled when they are first asked for: before the update is
    /// handed to a session, so that no packet waits for it.
    ///
    /// # Errors
    /// Where they cannot be verified.
    pub fn host_rules(&self) -> Result<Arc<HostRules>, HostError> {
        if let Some(rules) = self.host_rules.get() {
            return Ok(Arc::clone(rules));
        }
        let rules = Arc::new(HostRules::new(&self.metadata)?);
        Ok(Arc::clone(self.host_rules.get_or_init(|| rules)))
    }
}

impl fmt::Display for RuleUpdate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { inserted, deleted, renumbered, moved, .. } = self.counts;
        write!(
            f,
            "rules reloaded as version {}: {inserted} entries inserted, {deleted} deleted, {renumbered} \
             renumbered, {moved} moved; {} commands",
            self.version,
            self.commands.len()
        )?;
        if self.counts.is_placed_anew {
            f.write_str(" (all entries were placed anew)")?;
        }
        match self.rules.skipped.len() {
            0 => {}
            skipped => write!(f, "; {skipped} rules left out")?,
        }
        let all = self.metadata.signatures.len();
        match self.metadata.refused() {
            0 => Ok(()),
            refused => write!(f, "; {refused} of {all} signatures are not evaluated"),
        }
    }
}

/// Why a device could not go on.
#[derive(Debug, thiserror::Error)]
#[error("{device}: {message}")]
pub struct DeviceError {
    /// The device's name on the command line.
    pub device: String,
    /// What happened.
    pub message: String,
    /// What it came from.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// Something that decides packets: the CPU engine or a card.
///
/// Batches are decided in the order in which they were submitted.
pub trait Device {
    /// Takes a batch. May decide earlier batches before it returns.
    ///
    /// # Errors
    /// When the device cannot go on; batches not yet collected are lost to it.
    fn submit(&mut self, batch: Arc<Batch>) -> Result<(), DeviceError>;

    /// Changes the rules between the batches submitted so far and those to come: the former are decided
    /// by the rules before, the latter by the new ones. No batch is lost, none is decided by both.
    ///
    /// # Errors
    /// When the device cannot go on.
    fn update(&mut self, update: &Arc<RuleUpdate>) -> Result<(), DeviceError>;

    /// The next decided batch. With `drain`, waits for it, and `None` means that nothing is under way;
    /// without, `None` means that nothing is decided yet.
    ///
    /// # Errors
    /// When the device cannot go on.
    fn collect(&mut self, drain: bool) -> Result<Option<Decided>, DeviceError>;

    /// Lines for the summary: name and value, for example the cycles of the simulated card.
    fn summary(&self) -> Vec<(String, String)>;

    /// What happened to the device since the last call, for standard error: one line each.
    fn notices(&mut self) -> Vec<String> {
        Vec::new()
    }
}

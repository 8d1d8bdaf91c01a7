//! The table of flows: which way a packet goes in its flow, and whether that is established.

use std::hash::RandomState;
use std::num::NonZeroUsize;

use lru::LruCache;
use wiresift_abi::vector::number;

use super::layers::Layers;
use crate::rules::detect::{Flow, FlowDirection};

/// Flows that are remembered.
pub const FLOWS: NonZeroUsize = NonZeroUsize::new(65_536).unwrap();

/// Bits of TCP's flags byte.
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;

/// The flows used last. Its hash has a random key, so that nobody can aim at one bucket.
#[derive(Debug)]
pub struct FlowTable {
    flows: LruCache<FlowKey, Entry, RandomState>,
}

/// One side of a flow.
type Side = (u128, u16);

/// A flow: its two sides in order, protocol and family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FlowKey {
    low: Side,
    high: Side,
    proto: u8,
    is_v6: bool,
}

/// What is remembered of a flow.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Whether the side that comes first in the key is the client.
    is_low_client: bool,
    stage: Stage,
    /// A RST was seen.
    is_reset: bool,
}

/// How far a flow has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// TCP that was picked up in its middle: it never is established.
    Middle,
    /// The SYN of the client was seen; everything but TCP: a packet of one direction.
    Opened,
    /// The SYN of the server was seen.
    Answered,
    Established,
}

/// What a packet is in its flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowState {
    /// Which way it goes.
    pub direction: FlowDirection,
    /// Whether the flow is established, by this packet at the latest.
    pub is_established: bool,
}

impl FlowKey {
    /// The flow of a packet, and whether the packet comes from the side that is first in the key; `None` where the packet
    /// takes part in none.
    pub fn of(layers: &Layers<'_>) -> Option<(Self, bool)> {
        if !layers.has_flow() {
            return None;
        }
        let header = layers.header();
        let has_ports = !matches!(header.proto, number::ICMP | number::ICMPV6);
        let port = |port: u16| if has_ports { port } else { 0 };
        let (src, dst) = ((header.src, port(header.sport)), (header.dst, port(header.dport)));
        let is_from_low = src <= dst;
        let (low, high) = if is_from_low { (src, dst) } else { (dst, src) };
        Some((Self { low, high, proto: header.proto, is_v6: layers.is_v6() }, is_from_low))
    }
}

impl Default for FlowTable {
    fn default() -> Self {
        Self::with_capacity(FLOWS)
    }
}

impl FlowTable {
    /// A table that remembers so many flows.
    pub fn with_capacity(flows: NonZeroUsize) -> Self {
        Self { flows: LruCache::with_hasher(flows, RandomState::new()) }
    }

    /// Takes the next packet; `None` where it takes part in no flow.
    pub fn update(&mut self, layers: &Layers<'_>) -> Option<FlowState> {
        let (key, is_from_low) = FlowKey::of(layers)?;
        let tcp = (key.proto == number::TCP).then(|| layers.tcp_flags().unwrap_or_default());
        match self.flows.get_mut(&key) {
            Some(entry) => Some(entry.next(is_from_low, tcp)),
            None => {
                let mut entry = Entry::new(is_from_low, tcp);
                let state = entry.next(is_from_low, tcp);
                self.flows.push(key, entry);
                Some(state)
            }
        }
    }
}

impl Entry {
    /// A flow that a packet begins.
    fn new(is_from_low: bool, tcp: Option<u8>) -> Self {
        let (stage, is_answer) = match tcp {
            None => (Stage::Opened, false),
            Some(flags) if flags & (SYN | ACK) == SYN => (Stage::Opened, false),
            Some(flags) => (Stage::Middle, flags & (SYN | ACK) == SYN | ACK),
        };
        Self { is_low_client: is_from_low != is_answer, stage, is_reset: false }
    }

    fn next(&mut self, is_from_low: bool, tcp: Option<u8>) -> FlowState {
        if let Some(flags) = tcp
            && flags & (SYN | ACK) == SYN
            && (self.stage == Stage::Established || self.is_reset)
        {
            *self = Self::new(is_from_low, tcp);
        }
        let is_to_server = is_from_low == self.is_low_client;
        self.stage = match (self.stage, tcp) {
            (Stage::Opened, None) if !is_to_server => Stage::Established,
            (Stage::Opened, Some(flags)) if !is_to_server && flags & (SYN | ACK) == SYN | ACK => {
                Stage::Answered
            }
            (Stage::Answered, Some(flags)) if is_to_server && flags & (SYN | ACK) == ACK => {
                Stage::Established
            }
            (stage, _) => stage,
        };
        self.is_reset |= tcp.is_some_and(|flags| flags & RST != 0);
        FlowState {
            direction: if is_to_server { FlowDirection::ToServer } else { FlowDirection::ToClient },
            is_established: self.stage == Stage::Established,
        }
    }
}

impl Flow {
    /// Whether a packet in that state satisfies it.
    pub fn holds(&self, state: Option<FlowState>) -> bool {
        let established = |asked| state.is_some_and(|state| state.is_established == asked);
        self.established.is_none_or(established) && self.holds_direction(state)
    }

    /// Whether the direction alone is satisfied.
    pub fn holds_direction(&self, state: Option<FlowState>) -> bool {
        self.direction.is_none_or(|asked| state.is_some_and(|state| state.direction == asked))
    }
}

//! The table of flows: which way a packet goes in its flow, and whether that is established.

use std::hash::RandomState;
use std::num::NonZeroUsize;

use lru::LruCache;
use wiresift_abi::vector::{Class, number};

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
    /// Sequence number behind the last TCP payload from the side that comes first in the key, and from the other one.
    next: [Option<u32>; 2],
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
    /// Whether its TCP payload goes on where the one before it in this direction ended: what a signature looks for may lie
    /// across the border.
    pub continues: bool,
}

impl FlowKey {
    /// The flow of a packet, and whether the packet comes from the side that is first in the key; `None` where the packet
    /// takes part in none.
    pub fn of(layers: &Layers<'_>) -> Option<(Self, bool)> {
        if !layers.has_flow() {
            return None;
        }
        let has_ports = !matches!(layers.header().proto, number::ICMP | number::ICMPV6);
        Some(Self::between(layers, has_ports))
    }

    /// What fragments of a protocol between two addresses have in common with all packets of it; `None` where the packet
    /// is not IP.
    pub fn of_fragments(layers: &Layers<'_>) -> Option<Self> {
        (layers.header().class & Class::IP != 0).then(|| Self::between(layers, false).0)
    }

    /// Whether both sides are the same, so that nothing tells the directions apart.
    fn is_loop(&self) -> bool {
        self.low == self.high
    }

    fn between(layers: &Layers<'_>, has_ports: bool) -> (Self, bool) {
        let header = layers.header();
        let port = |port: u16| if has_ports { port } else { 0 };
        let (src, dst) = ((header.src, port(header.sport)), (header.dst, port(header.dport)));
        let is_from_low = src <= dst;
        let (low, high) = if is_from_low { (src, dst) } else { (dst, src) };
        (Self { low, high, proto: header.proto, is_v6: layers.is_v6() }, is_from_low)
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
        let entry = self.flows.get_or_insert_mut(key, || Entry::new(is_from_low, tcp));
        let mut state = entry.next(is_from_low, key.is_loop(), tcp);
        state.continues = entry.continues(is_from_low, layers.tcp_segment());
        Some(state)
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
        Self { is_low_client: is_from_low != is_answer, stage, is_reset: false, next: [None; 2] }
    }

    fn next(&mut self, is_from_low: bool, is_loop: bool, tcp: Option<u8>) -> FlowState {
        if let Some(flags) = tcp
            && flags & (SYN | ACK) == SYN
            && (self.stage == Stage::Established || self.is_reset)
        {
            *self = Self::new(is_from_low, tcp);
        }
        let is_to_server = is_loop || is_from_low == self.is_low_client;
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
            continues: false,
        }
    }

    /// Whether a TCP payload, its sequence number and bytes, goes on where the one before it ended.
    fn continues(&mut self, is_from_low: bool, segment: Option<(u32, usize)>) -> bool {
        let Some((sequence, bytes)) = segment.filter(|(_, bytes)| *bytes > 0) else { return false };
        let next = &mut self.next[usize::from(!is_from_low)];
        next.replace(sequence.wrapping_add(bytes as u32)) == Some(sequence)
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

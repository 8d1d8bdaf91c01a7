//! The flow table, by the section on flows of `docs/signature-semantics.md`.

use std::net::IpAddr;

use etherparse::{IpNumber, ip_number};
use wiresift_abi::vector::Flags;

use super::headers::Headers;
use super::recent::Recent;
use crate::rules::detect::{Flow, FlowDirection};

/// Flows that are kept.
const FLOWS: usize = 65_536;

const SYN: u16 = 0x02;
const RST: u16 = 0x04;
const ACK: u16 = 0x10;

/// One side of a flow: address, and port where there are ports.
type Side = (IpAddr, Option<u16>);

/// What is known of a flow.
#[derive(Clone, Copy, Debug)]
struct Known {
    client: Side,
    step: Step,
    closed: bool,
}

/// How far a flow has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// TCP that was picked up in its middle.
    Middle,
    /// TCP: SYN was sent.
    Syn,
    /// TCP: SYN and ACK were answered.
    SynAck,
    /// Not TCP: one direction was seen.
    OneWay,
    /// Established.
    Established,
}

/// What a packet is to its flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InFlow {
    /// Its direction.
    pub direction: FlowDirection,
    /// Whether the flow is established, this packet included.
    pub established: bool,
}

/// Flows of the packets so far.
#[derive(Clone, Debug)]
pub struct Flows {
    flows: Recent<(u8, Side, Side), Known>,
}

impl Flows {
    /// No flows.
    pub fn new() -> Self {
        Self { flows: Recent::new(FLOWS) }
    }

    /// Notes a packet, and says what it is to its flow; `None` where it belongs to none.
    pub fn note(&mut self, headers: &Headers) -> Option<InFlow> {
        let ip = headers.ip?;
        let whole = headers.behind_ip.is_some() && headers.flags.0 & Flags::TRUNCATED == 0;
        let (src, dst) = match IpNumber(ip.protocol) {
            _ if headers.later_fragment || !whole => return None,
            ip_number::TCP | ip_number::UDP | ip_number::SCTP => {
                let (sport, dport) = ip.ports?;
                ((ip.src, Some(sport)), (ip.dst, Some(dport)))
            }
            ip_number::ICMP | ip_number::IPV6_ICMP => ((ip.src, None), (ip.dst, None)),
            _ => return None,
        };
        let tcp = headers.aux.filter(|_| IpNumber(ip.protocol) == ip_number::TCP);
        let (low, high) = if src <= dst { (src, dst) } else { (dst, src) };
        let flow = self.flows.using(&(ip.protocol, low, high), || Known::begun(src, dst, tcp));
        if let Some(flags) = tcp {
            let begins = flags & (SYN | ACK) == SYN;
            if begins && (flow.step == Step::Established || flow.closed) {
                *flow = Known::begun(src, dst, tcp);
            }
            flow.closed |= flags & RST != 0;
        }
        let direction = if flow.client == src { FlowDirection::ToServer } else { FlowDirection::ToClient };
        flow.step = flow.step.then(direction, tcp);
        Some(InFlow { direction, established: flow.step == Step::Established })
    }
}

impl Known {
    /// A flow that begins with a packet from `src`.
    fn begun(src: Side, dst: Side, tcp: Option<u16>) -> Self {
        let (client, step) = match tcp.map(|flags| flags & (SYN | ACK)) {
            None => (src, Step::OneWay),
            Some(SYN) => (src, Step::Syn),
            Some(both) if both == SYN | ACK => (dst, Step::Middle),
            Some(_) => (src, Step::Middle),
        };
        Self { client, step, closed: false }
    }
}

impl Step {
    /// What a packet leads to.
    fn then(self, direction: FlowDirection, tcp: Option<u16>) -> Self {
        let (syn, ack) = tcp.map_or((false, false), |flags| (flags & SYN != 0, flags & ACK != 0));
        match (self, direction) {
            (Self::OneWay, FlowDirection::ToClient) => Self::Established,
            (Self::Syn, FlowDirection::ToClient) if syn && ack => Self::SynAck,
            (Self::SynAck, FlowDirection::ToServer) if !syn && ack => Self::Established,
            _ => self,
        }
    }
}

/// Whether a packet is what a rule asks of its flow.
pub fn satisfies(flow: Option<InFlow>, asked: Flow) -> bool {
    asked.established.is_none_or(|asked| flow.is_some_and(|flow| flow.established == asked))
        && has_direction(flow, asked)
}

/// Whether a packet goes in the direction that a rule asks for.
pub fn has_direction(flow: Option<InFlow>, asked: Flow) -> bool {
    asked.direction.is_none_or(|asked| flow.is_some_and(|flow| flow.direction == asked))
}

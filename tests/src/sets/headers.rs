//! Headers that meet the rules of a set.

use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use super::{Prefix, Rule};

/// Protocols with ports: TCP, UDP, SCTP.
const WITH_PORTS: [u8; 3] = [6, 17, 132];
/// Bytes of a packet: an Ethernet packet without its checksum.
const PACKET_BYTES: usize = 60;
/// Bytes of a packet with IPv6 and a TCP header.
const PACKET_BYTES_V6: usize = 74;

/// What a 5-tuple rule asks of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Header {
    /// IPv6 addresses, not IPv4.
    pub v6: bool,
    /// Source; an IPv4 address stands in the 32 highest bits.
    pub src: u128,
    /// Destination, likewise.
    pub dst: u128,
    /// Source port; 0 where the protocol has none.
    pub sport: u16,
    /// Destination port.
    pub dport: u16,
    /// Protocol.
    pub proto: u8,
}

impl Header {
    /// Whether the protocol has ports.
    pub fn has_ports(&self) -> bool {
        WITH_PORTS.contains(&self.proto)
    }

    /// A packet with this header, from the Ethernet header on: 60 bytes with IPv4, 74 with IPv6.
    pub fn packet(&self) -> Vec<u8> {
        let mut packet = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
        let size = if self.v6 {
            packet.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, (PACKET_BYTES_V6 - 54) as u8, self.proto, 64]);
            packet.extend(self.src.to_be_bytes());
            packet.extend(self.dst.to_be_bytes());
            PACKET_BYTES_V6
        } else {
            packet.extend([
                0x08,
                0x00,
                0x45,
                0,
                0,
                (PACKET_BYTES - 14) as u8,
                0,
                1,
                0,
                0,
                64,
                self.proto,
                0,
                0,
            ]);
            packet.extend(&self.src.to_be_bytes()[..4]);
            packet.extend(&self.dst.to_be_bytes()[..4]);
            PACKET_BYTES
        };
        let transport = packet.len();
        packet.resize(size, 0);
        if self.has_ports() {
            packet[transport..][..2].copy_from_slice(&self.sport.to_be_bytes());
            packet[transport + 2..][..2].copy_from_slice(&self.dport.to_be_bytes());
        }
        if self.proto == 6 {
            packet[transport + 12] = 0x50;
        }
        packet
    }
}

/// A header at a corner of a rule, just outside of one, or anywhere.
pub fn draw(rng: &mut ChaCha8Rng, rules: &[Rule]) -> Header {
    let Some(rule) = rules.choose(rng) else { return anywhere(rng, false) };
    match rng.random_range(0..10) {
        0..6 => corner(rng, rule),
        6..9 => near(rng, rule),
        _ => anywhere(rng, rule.v6),
    }
}

fn corner(rng: &mut ChaCha8Rng, rule: &Rule) -> Header {
    let needs_ports = rule.sport != super::ANY_PORT || rule.dport != super::ANY_PORT;
    let proto = rule.proto.unwrap_or_else(|| match needs_ports {
        true => WITH_PORTS[rng.random_range(0..3)],
        false => [6, 6, 17, 17, 1, 47, 58, 132][rng.random_range(0..8)],
    });
    let header = Header {
        v6: rule.v6,
        src: in_prefix(rng, &rule.src, rule.v6),
        dst: in_prefix(rng, &rule.dst, rule.v6),
        sport: in_range(rng, rule.sport),
        dport: in_range(rng, rule.dport),
        proto,
    };
    plain(header)
}

/// A protocol without ports has none, and a header of IPv6 no next header that is walked over.
fn plain(mut header: Header) -> Header {
    if !header.has_ports() {
        (header.sport, header.dport) = (0, 0);
    }
    header
}

fn in_prefix(rng: &mut ChaCha8Rng, prefix: &Prefix, v6: bool) -> u128 {
    let width = if v6 { 128 } else { 32 };
    let free = (u128::MAX.checked_shr(prefix.len).unwrap_or(0)) & Prefix::mask(width);
    let below = match rng.random_range(0..3) {
        0 => 0,
        1 => free,
        _ => rng.random::<u128>() & free,
    };
    prefix.bits | below
}

fn in_range(rng: &mut ChaCha8Rng, range: (u16, u16)) -> u16 {
    match rng.random_range(0..3) {
        0 => range.0,
        1 => range.1,
        _ => rng.random_range(range.0..=range.1),
    }
}

/// A corner with one field moved over the edge of the rule.
fn near(rng: &mut ChaCha8Rng, rule: &Rule) -> Header {
    let mut header = corner(rng, rule);
    let outside = |rng: &mut ChaCha8Rng, range: (u16, u16)| match rng.random_bool(0.5) {
        true => range.0.wrapping_sub(1),
        false => range.1.wrapping_add(1),
    };
    let last_bit = |prefix: &Prefix| if prefix.len == 0 { 0 } else { 1u128 << (128 - prefix.len) };
    match rng.random_range(0..5) {
        0 => header.src ^= last_bit(&rule.src),
        1 => header.dst ^= last_bit(&rule.dst),
        2 => header.sport = outside(rng, rule.sport),
        3 => header.dport = outside(rng, rule.dport),
        _ => header.proto = [6, 17, 1, 132, 58, 47][rng.random_range(0..6)],
    }
    plain(header)
}

fn anywhere(rng: &mut ChaCha8Rng, v6: bool) -> Header {
    let mask = Prefix::mask(if v6 { 128 } else { 32 });
    plain(Header {
        v6,
        src: rng.random::<u128>() & mask,
        dst: rng.random::<u128>() & mask,
        sport: rng.random(),
        dport: rng.random(),
        proto: [6, 17, 1, 132][rng.random_range(0..4)],
    })
}

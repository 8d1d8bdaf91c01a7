//! The header vector: all fields that the parser extracts from a packet, at fixed bits.
//!
//! Every parser of the project (the card, the CPU engine, the reference) fills it by the rules of
//! `docs/packet-semantics.md`, so that the same packet has the same fields, flags and verdict
//! everywhere. A field that the packet does not have is zero, and its class bit says so.

use bytemuck::{Pod, Zeroable};

use crate::bits::{Field, Line};

/// Source address: an IPv6 address, or an IPv4 address in the 32 highest bits over zeros, so that a
/// prefix of n bits is the n highest bits in both families.
pub const SRC: Field = Field::new("src", 0, 128);
/// Destination address, placed like the source address.
pub const DST: Field = SRC.then("dst", 128);
/// Source port of TCP, UDP or SCTP.
pub const SPORT: Field = DST.then("sport", 16);
/// Destination port of TCP, UDP or SCTP.
pub const DPORT: Field = SPORT.then("dport", 16);
/// IPv4 protocol, or the IPv6 next header at which the walk over extension headers stopped.
pub const PROTO: Field = DPORT.then("proto", 8);
/// [`Class`] bits.
pub const CLASS: Field = PROTO.then("class", 8);
/// TCP: the flags byte (CWR to FIN); ICMP and ICMPv6: type in the high byte, code in the low one.
pub const AUX: Field = CLASS.then("aux", 16);
/// EtherType after VLAN tags, or the 802.3 length.
pub const ETHERTYPE: Field = AUX.then("ethertype", 16);
/// Tag control information of the outer VLAN tag.
pub const VLAN_OUTER: Field = ETHERTYPE.then("vlan_outer", 16);
/// Tag control information of the inner VLAN tag.
pub const VLAN_INNER: Field = VLAN_OUTER.then("vlan_inner", 16);
/// Reason [`Flags`].
pub const FLAGS: Field = VLAN_INNER.then("flags", 16);
/// Bytes of the packet, 65535 where it is longer (only the host sees such a packet).
pub const LENGTH: Field = FLAGS.then("length", 16);
/// Byte at which the transport header starts; 0 where none was found.
pub const L4_OFFSET: Field = LENGTH.then("l4_offset", 16);

/// Every field in order.
pub const FIELDS: [Field; 13] =
    [SRC, DST, SPORT, DPORT, PROTO, CLASS, AUX, ETHERTYPE, VLAN_OUTER, VLAN_INNER, FLAGS, LENGTH, L4_OFFSET];

/// Bits from bit 0 that go into the hash under a mask: addresses, ports, protocol, class.
pub const HASHED_BITS: usize = CLASS.end();
/// Bits from bit 0 that a rule can ask for: the hashed ones and `aux`.
pub const KEY_BITS: usize = AUX.end();
/// Bits of the vector in use.
pub const VECTOR_BITS: usize = L4_OFFSET.end();

const _: () = assert!(HASHED_BITS == 304 && KEY_BITS == 320 && VECTOR_BITS == 416);

/// The lowest [`KEY_BITS`] bits of a header vector, or a mask over them; bit `n` is bit `n % 64` of
/// word `n / 64`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Pod, Zeroable)]
pub struct Key(pub [u64; KEY_BITS / 64]);

impl Key {
    /// The key part of a line.
    pub fn of(line: &Line) -> Self {
        let mut words = [0; KEY_BITS / 64];
        for (word, bytes) in words.iter_mut().zip(line.0.chunks_exact(8)) {
            let mut eight = [0; 8];
            eight.copy_from_slice(bytes);
            *word = u64::from_le_bytes(eight);
        }
        Self(words)
    }

    /// The key as the low bits of a line, the rest zero.
    pub fn to_line(&self) -> Line {
        let mut line = Line::default();
        for (word, bytes) in self.0.iter().zip(line.0.chunks_exact_mut(8)) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        line
    }

    /// Bits that both have.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let mut words = self.0;
        for (word, other) in words.iter_mut().zip(other.0) {
            *word &= other;
        }
        Self(words)
    }

    /// Parity of all bits.
    pub fn parity(&self) -> bool {
        self.0.iter().fold(0, |all, word| all ^ word).count_ones() & 1 == 1
    }
}

/// Bits of the field [`CLASS`]: which fields the packet has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Class(pub u8);

impl Class {
    /// IPv4 or IPv6: the address fields and `proto` are valid.
    pub const IP: u8 = 1 << 0;
    /// IPv6 (with [`Class::IP`]).
    pub const IPV6: u8 = 1 << 1;
    /// The packet has ports.
    pub const PORTS: u8 = 1 << 2;
    /// Some part of a fragmented packet.
    pub const FRAGMENT: u8 = 1 << 3;
    /// A fragment other than the first: it has no transport header.
    pub const LATER_FRAGMENT: u8 = 1 << 4;
    /// At least one VLAN tag.
    pub const VLAN: u8 = 1 << 5;
    /// `aux` is valid.
    pub const AUX: u8 = 1 << 6;
}

/// Reason flags of a packet, the field [`FLAGS`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags(pub u16);

impl Flags {
    /// The capture or the packet ends inside a header that is there.
    pub const TRUNCATED: u16 = 1 << 0;
    /// A header contradicts itself: version, header length or total length.
    pub const MALFORMED: u16 = 1 << 1;
    /// A fragment, first or later.
    pub const FRAGMENT: u16 = 1 << 2;
    /// No IPv4 or IPv6 header could be read: the class bit [`Class::IP`] is zero.
    pub const NON_IP: u16 = 1 << 3;
    /// More than two VLAN tags: what lies behind the second is not parsed.
    pub const VLAN_DEPTH: u16 = 1 << 4;
    /// Another packet is inside (IP in IP, GRE, MPLS, PPPoE, NSH); rules see the outer one.
    pub const TUNNEL: u16 = 1 << 5;
    /// More IPv6 extension headers than [`EXTENSION_HEADERS_MAX`].
    pub const EXT_CHAIN: u16 = 1 << 6;
    /// Longer than [`crate::h2c::PACKET_BYTES_MAX`].
    pub const JUMBO: u16 = 1 << 7;
    /// Host only: a signature that a packet alone cannot decide selects it for a full IDS.
    pub const SUSPECT: u16 = 1 << 8;
    /// Card only: the payload matcher could not look at all of the packet, or found more patterns than
    /// the records hold; the host decides.
    pub const OVERFLOW: u16 = 1 << 13;
    /// Card only: the header does not fit the card's parser; the host decides the packet.
    pub const DEFER: u16 = 1 << 14;
    /// Card only: more matching signature headers than the record holds; the host decides.
    pub const CUT: u16 = 1 << 15;

    /// Flags with which the card hands a packet back to the host; no report shows them.
    pub const HOST_DECIDES: u16 = Self::OVERFLOW | Self::DEFER | Self::CUT;

    /// Flags that only the host sets: no verdict of a card may carry them.
    pub const HOST_ONLY: u16 = Self::SUSPECT;

    /// Every flag that a report shows, with its name there, in order.
    pub const NAMES: [(u16, &'static str); 9] = [
        (Self::TRUNCATED, "truncated"),
        (Self::MALFORMED, "malformed"),
        (Self::FRAGMENT, "fragment"),
        (Self::NON_IP, "non_ip"),
        (Self::VLAN_DEPTH, "vlan_depth"),
        (Self::TUNNEL, "tunnel"),
        (Self::EXT_CHAIN, "ext_chain"),
        (Self::JUMBO, "jumbo"),
        (Self::SUSPECT, "suspect"),
    ];
}

/// IPv6 extension headers that a parser walks over at most (RFC 8504, 5.3, lets a node set such a
/// limit).
pub const EXTENSION_HEADERS_MAX: usize = 8;
/// IPv6 extension headers that the card walks over; a longer chain is deferred to the host.
pub const CARD_EXTENSION_HEADERS: usize = 4;
/// Bytes from the start of a packet that the card's parser sees; a header that ends behind them
/// (and inside the packet) is deferred to the host.
pub const WINDOW_BYTES: usize = 128;

/// EtherTypes, IP protocols and IPv6 extension headers that the parsers know.
pub mod number {
    /// EtherType of IPv4.
    pub const ETHERTYPE_IPV4: u16 = 0x0800;
    /// EtherType of IPv6.
    pub const ETHERTYPE_IPV6: u16 = 0x86dd;
    /// EtherTypes of a VLAN tag: 802.1Q, 802.1ad, and 0x9100 of older double tagging.
    pub const ETHERTYPES_VLAN: [u16; 3] = [0x8100, 0x88a8, 0x9100];
    /// EtherTypes that carry another packet: MPLS unicast and multicast, PPPoE session, NSH.
    pub const ETHERTYPES_TUNNEL: [u16; 4] = [0x8847, 0x8848, 0x8864, 0x894f];
    /// TCP.
    pub const TCP: u8 = 6;
    /// UDP.
    pub const UDP: u8 = 17;
    /// SCTP.
    pub const SCTP: u8 = 132;
    /// ICMP.
    pub const ICMP: u8 = 1;
    /// ICMPv6.
    pub const ICMPV6: u8 = 58;
    /// Protocols that carry another packet: IPv4, IPv6, GRE, MPLS.
    pub const PROTOCOLS_TUNNEL: [u8; 4] = [4, 41, 47, 137];
    /// IPv6 extension headers of `(length + 1) * 8` bytes: hop-by-hop, routing, destination,
    /// mobility, HIP, shim6.
    pub const EXTENSIONS: [u8; 6] = [0, 43, 60, 135, 139, 140];
    /// IPv6 fragment header, 8 bytes.
    pub const FRAGMENT: u8 = 44;
    /// Authentication header, `(length + 2) * 4` bytes; walked over in IPv6 only.
    pub const AUTHENTICATION: u8 = 51;
}

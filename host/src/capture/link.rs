//! Link types: what stands before the IP header in a capture, and the Ethernet header that a packet
//! gets in its place (docs/packet-semantics.md). Numbers: <https://www.tcpdump.org/linktypes.html>.

use wiresift_abi::vector::number::{ETHERTYPE_IPV4, ETHERTYPE_IPV6};

/// Bytes of the two addresses of an Ethernet header.
const ADDRESS_BYTES: usize = 12;

/// A link type whose packets can be classified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    /// Ethernet.
    Ethernet,
    /// IPv4 or IPv6 without anything before it.
    Raw,
    /// IPv4 without anything before it.
    RawV4,
    /// IPv6 without anything before it.
    RawV6,
    /// Linux cooked v1: 16 bytes, the EtherType in the last two.
    Cooked1,
    /// Linux cooked v2: 20 bytes, the EtherType in the first two.
    Cooked2,
    /// BSD loopback: the address family in four bytes, in the byte order of the machine that captured.
    Null,
    /// OpenBSD loopback: the same in network byte order.
    Loop,
}

impl Link {
    /// The link type with that number, if its packets can be classified.
    pub(super) fn from_number(number: i32) -> Option<Self> {
        Some(match number {
            0 => Self::Null,
            1 => Self::Ethernet,
            // 12 and 14 are what DLT_RAW is on different systems; some wrote it into their files.
            12 | 14 | 101 => Self::Raw,
            108 => Self::Loop,
            113 => Self::Cooked1,
            228 => Self::RawV4,
            229 => Self::RawV6,
            276 => Self::Cooked2,
            _ => return None,
        })
    }

    /// The packet with an Ethernet header, in `scratch` where it has none of its own. Where the bytes do
    /// not reach to the EtherType, what comes out is too short for an Ethernet header, so it is
    /// flagged as truncated.
    pub(super) fn to_ethernet<'a>(self, data: &'a [u8], scratch: &'a mut Vec<u8>) -> &'a [u8] {
        let (ethertype, header_bytes) = match self {
            Self::Ethernet => return data,
            Self::Raw => (Some(raw_ethertype(data)), 0),
            Self::RawV4 => (Some(ETHERTYPE_IPV4), 0),
            Self::RawV6 => (Some(ETHERTYPE_IPV6), 0),
            Self::Cooked1 => (data.get(14..16).map(be16), 16),
            Self::Cooked2 => (data.get(..20).map(be16), 20),
            Self::Null => (data.first_chunk().map(|four| family_ethertype(host_order(*four))), 4),
            Self::Loop => (data.first_chunk().map(|four| family_ethertype(u32::from_be_bytes(*four))), 4),
        };
        scratch.clear();
        scratch.resize(ADDRESS_BYTES, 0);
        if let Some(ethertype) = ethertype {
            scratch.extend_from_slice(&ethertype.to_be_bytes());
            scratch.extend_from_slice(&data[header_bytes..]);
        }
        scratch
    }
}

/// IPv6 where the version says so. Everything else counts as IPv4, whose rules then name the fault.
fn raw_ethertype(data: &[u8]) -> u16 {
    if data.first().is_some_and(|byte| byte >> 4 == 6) { ETHERTYPE_IPV6 } else { ETHERTYPE_IPV4 }
}

/// The first two bytes as a number.
fn be16(bytes: &[u8]) -> u16 {
    u16::from_be_bytes([bytes[0], bytes[1]])
}

/// An address family in the byte order of an unknown machine: families are small.
fn host_order(four: [u8; 4]) -> u32 {
    let value = u32::from_le_bytes(four);
    if value > 0xffff { value.swap_bytes() } else { value }
}

/// AF_INET is 2 everywhere, AF_INET6 is 10 on Linux, 24 on NetBSD and OpenBSD, 28 on FreeBSD, 30 on
/// Darwin. Other families are no IP: 0 is no EtherType.
fn family_ethertype(family: u32) -> u16 {
    match family {
        2 => ETHERTYPE_IPV4,
        10 | 24 | 28 | 30 => ETHERTYPE_IPV6,
        _ => 0,
    }
}

/// Name of a link type that is met now and then but cannot be classified, for a message.
pub(super) fn parenthesised_name(number: i32) -> &'static str {
    match number {
        6 => " (IEEE 802.5)",
        9 => " (PPP)",
        10 => " (FDDI)",
        50 => " (PPP in HDLC framing)",
        51 => " (PPPoE)",
        104 => " (Cisco HDLC)",
        105 => " (IEEE 802.11)",
        117 => " (OpenBSD pflog)",
        119 => " (802.11 with Prism header)",
        127 => " (802.11 with radiotap header)",
        143 => " (DOCSIS)",
        147..=162 => " (private use)",
        163 => " (802.11 with AVS header)",
        187 | 201 => " (Bluetooth HCI)",
        189 | 220 => " (USB)",
        192 => " (PPI)",
        195 | 230 => " (IEEE 802.15.4)",
        227 => " (CAN)",
        239 => " (Linux NFLOG)",
        249 => " (USBPcap)",
        251 => " (Bluetooth low energy)",
        252 => " (Wireshark upper PDU)",
        253 => " (Linux netlink)",
        _ => "",
    }
}

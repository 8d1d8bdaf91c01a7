//! Tests of single fields, by the table of `docs/signature-semantics.md`.

use std::net::IpAddr;

use etherparse::{IpNumber, ip_number};

use super::buffers::Buffers;
use super::headers::{Headers, Ip};
use crate::rules::detect::{BitTest, BitsAsk, Buffer, FieldTest};

/// What a packet has to offer.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// Its bytes, Ethernet header first.
    pub bytes: &'a [u8],
    /// Its headers.
    pub headers: &'a Headers,
    /// Its buffers.
    pub buffers: Buffers<'a>,
}

impl<'a> Packet<'a> {
    /// The bytes of an IP packet from its header on.
    fn ip_packet(&self) -> Option<&'a [u8]> {
        self.headers.ip.as_ref()?;
        self.bytes.get(self.headers.ip_offset..self.headers.end)
    }

    /// The bytes of an IPv4 packet from its header on.
    fn ipv4(&self) -> Option<&'a [u8]> {
        self.ip_packet().filter(|_| self.headers.ip.is_some_and(|ip| ip.src.is_ipv4()))
    }

    /// The bytes from the transport header on, where it is one of `kinds`.
    fn transport(&self, kinds: &[IpNumber]) -> Option<&'a [u8]> {
        let Ip { protocol, .. } = self.headers.ip?;
        let behind = self.headers.behind_ip.filter(|_| !self.headers.later_fragment)?;
        kinds.contains(&IpNumber(protocol)).then_some(&self.bytes[behind..self.headers.end])
    }

    /// A TCP header whose first 20 bytes are there.
    fn tcp(&self) -> Option<&'a [u8]> {
        self.transport(&[ip_number::TCP]).filter(|header| header.len() >= 20)
    }

    /// Type and code of ICMP or ICMPv6.
    fn icmp(&self) -> Option<[u8; 2]> {
        self.transport(&[ip_number::ICMP, ip_number::IPV6_ICMP])?.first_chunk().copied()
    }

    /// Two bytes at `at` of an ICMP header of the types that have an identifier and a sequence number.
    fn icmp_echo(&self, at: usize) -> Option<u64> {
        let types: &[u8] = match IpNumber(self.headers.ip?.protocol) {
            ip_number::ICMP => &[0, 8, 13, 14, 15, 16, 17, 18],
            _ => &[128, 129],
        };
        let header = self.transport(&[ip_number::ICMP, ip_number::IPV6_ICMP])?;
        number(header, at, 2).filter(|_| types.contains(&header[0]))
    }

    fn ttl(&self) -> Option<u64> {
        let at = match self.headers.ip?.src {
            IpAddr::V4(_) => 8,
            IpAddr::V6(_) => 7,
        };
        number(self.ip_packet()?, at, 1)
    }

    /// Types of the options of an IPv4 header that is wholly there.
    fn ip_options(&self) -> Option<Vec<u8>> {
        let mut rest = self.buffers.get(Buffer::Ipv4Header)?.get(20..)?;
        let mut types = Vec::new();
        while let Some(&kind) = rest.first() {
            let length = if kind <= 1 { 1 } else { rest.get(1).map_or(0, |length| usize::from(*length)) };
            if kind > 1 && length < 2 || length > rest.len() {
                break;
            }
            types.push(kind);
            if kind == 0 {
                break;
            }
            rest = &rest[length..];
        }
        Some(types)
    }

    /// Value of the first maximum segment size option.
    fn tcp_mss(&self) -> Option<u64> {
        let mut rest = self.buffers.get(Buffer::TcpHeader)?.get(20..)?;
        loop {
            let length = match *rest.first()? {
                0 => return None,
                1 => 1,
                _ => usize::from(*rest.get(1)?),
            };
            if rest[0] > 1 && rest[1] < 2 {
                return None;
            }
            match rest.split_at_checked(length)? {
                ([2, 4, value @ ..], _) => return number(value, 0, 2),
                (_, behind) => rest = behind,
            }
        }
    }
}

/// Whether a packet satisfies a test.
pub fn satisfies(packet: &Packet, test: &FieldTest) -> bool {
    match test {
        FieldTest::PayloadSize(test) => {
            packet.buffers.get(Buffer::Payload).is_some_and(|payload| test.holds(payload.len() as u64))
        }
        FieldTest::Ttl(test) => packet.ttl().is_some_and(|ttl| test.holds(ttl)),
        FieldTest::Tos(test) => field(packet.ipv4(), 1, 1).is_some_and(|tos| test.holds(tos)),
        FieldTest::IpId(test) => field(packet.ipv4(), 4, 2).is_some_and(|id| test.holds(id)),
        FieldTest::IpProtocol(test) => packet.headers.ip.is_some_and(|ip| test.holds(u64::from(ip.protocol))),
        FieldTest::IpOption(kind) => packet.ip_options().is_some_and(|types| match kind {
            None => !types.is_empty(),
            Some(kind) => types.contains(kind),
        }),
        FieldTest::FragmentBits(test) => {
            field(packet.ipv4(), 6, 1).is_some_and(|byte| has_bits((byte >> 5) as u8, *test))
        }
        FieldTest::FragmentOffset(test) => {
            field(packet.ipv4(), 6, 2).is_some_and(|bits| test.holds(bits & 0x1fff))
        }
        FieldTest::SameAddress => packet.headers.ip.is_some_and(|ip| ip.src == ip.dst),
        FieldTest::TcpFlags(test) => field(packet.transport(&[ip_number::TCP]), 13, 1)
            .is_some_and(|flags| has_bits(flags as u8, *test)),
        FieldTest::TcpSequence(test) => field(packet.tcp(), 4, 4).is_some_and(|n| test.holds(n)),
        FieldTest::TcpAcknowledgement(test) => field(packet.tcp(), 8, 4).is_some_and(|n| test.holds(n)),
        FieldTest::TcpWindow(test) => field(packet.tcp(), 14, 2).is_some_and(|n| test.holds(n)),
        FieldTest::TcpMss(test) => packet.tcp_mss().is_some_and(|mss| test.holds(mss)),
        FieldTest::IcmpType(test) => packet.icmp().is_some_and(|[kind, _]| test.holds(u64::from(kind))),
        FieldTest::IcmpCode(test) => packet.icmp().is_some_and(|[_, code]| test.holds(u64::from(code))),
        FieldTest::IcmpId(test) => packet.icmp_echo(4).is_some_and(|id| test.holds(id)),
        FieldTest::IcmpSequence(test) => packet.icmp_echo(6).is_some_and(|n| test.holds(n)),
    }
}

fn has_bits(bits: u8, test: BitTest) -> bool {
    let (bits, asked) = (bits & !test.ignored, test.bits & !test.ignored);
    match test.asks {
        BitsAsk::Exactly => bits == asked,
        BitsAsk::All => bits & asked == asked,
        BitsAsk::Any => bits & asked != 0,
        BitsAsk::None => bits & asked == 0,
    }
}

fn field(bytes: Option<&[u8]>, at: usize, length: usize) -> Option<u64> {
    number(bytes?, at, length)
}

/// `length` bytes at `at`, big-endian, where they are there.
fn number(bytes: &[u8], at: usize, length: usize) -> Option<u64> {
    let bytes = bytes.get(at..at + length)?;
    Some(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

//! Where the parts of a packet lie: its fields and the byte strings that signatures look into.
//!
//! The walk is that of the CPU engine's parser ([`Header`]); this finds the places again that it went over.

use wiresift_abi::vector::{Class, number};

use crate::engine::cpu::parse::Header;
use crate::rules::detect::{BitTest, BitsAsk, Buffer, FieldTest, NumberTest};

/// Ethernet header, VLAN tag, IPv4 header without options, IPv6 header, fragment header and TCP header without options,
/// in bytes.
const ETHERNET_BYTES: usize = 14;
const VLAN_BYTES: usize = 4;
const IPV4_BYTES: usize = 20;
const IPV6_BYTES: usize = 40;
const FRAGMENT_BYTES: usize = 8;
const TCP_BYTES: usize = 20;
/// Header of UDP, ICMP and ICMPv6, and of SCTP, in bytes.
const SHORT_BYTES: usize = 8;
const SCTP_BYTES: usize = 12;

/// Number of [`Buffer`]s.
pub const BUFFERS: usize = 7;

/// A packet with the places of its parts.
#[derive(Clone, Copy, Debug)]
pub struct Layers<'a> {
    packet: &'a [u8],
    header: Header,
    /// Where the IP header starts.
    ip: usize,
    /// Where the data of the IP packet end, inside the capture.
    end: usize,
    /// Where the walk ended behind all IP headers: the transport header, or the data of a later fragment.
    transport: Option<usize>,
    payload: Option<&'a [u8]>,
}

impl<'a> Layers<'a> {
    /// Finds the parts of a packet whose header vector is `header`.
    pub fn new(packet: &'a [u8], header: Header) -> Self {
        let mut layers = Self { packet, header, ip: 0, end: 0, transport: None, payload: None };
        if header.class & Class::IP != 0 {
            layers.find();
            layers.payload = layers.find_payload();
        }
        layers
    }

    fn find(&mut self) {
        let p = self.packet;
        // A class bit IP says that the header without options is inside the packet, behind two tags at most.
        let mut ip = ETHERNET_BYTES;
        while ip < ETHERNET_BYTES + 2 * VLAN_BYTES && number::ETHERTYPES_VLAN.contains(&be16(p, ip - 2)) {
            ip += VLAN_BYTES;
        }
        self.ip = ip;
        let later = self.header.class & Class::LATER_FRAGMENT != 0;
        if self.header.class & Class::IPV6 == 0 {
            let header_bytes = usize::from(p[ip] & 0xf) * 4;
            self.end = p.len().min(ip + usize::from(be16(p, ip + 2)));
            self.transport = Some(ip + header_bytes).filter(|at| *at <= self.end);
        } else {
            self.end = p.len().min(ip + IPV6_BYTES + usize::from(be16(p, ip + 4)));
            let l4 = usize::from(self.header.l4_offset);
            self.transport =
                if later { self.behind_fragment_header() } else { Some(l4).filter(|l4| *l4 > 0) };
        }
    }

    /// Where the data of a later IPv6 fragment begin: behind its fragment header, which the walk came to.
    fn behind_fragment_header(&self) -> Option<usize> {
        let p = &self.packet[..self.end];
        let (mut next, mut at) = (p[self.ip + 6], self.ip + IPV6_BYTES);
        loop {
            let header = p.get(at..at + SHORT_BYTES)?;
            let bytes = match next {
                number::FRAGMENT if be16(header, 2) >> 3 != 0 => return Some(at + FRAGMENT_BYTES),
                number::FRAGMENT => FRAGMENT_BYTES,
                number::AUTHENTICATION => (usize::from(header[1]) + 2) * 4,
                _ => (usize::from(header[1]) + 1) * 8,
            };
            next = header[0];
            at += bytes;
        }
    }

    /// The header vector.
    pub fn header(&self) -> &Header {
        &self.header
    }

    fn is_ip(&self) -> bool {
        self.header.class & Class::IP != 0
    }

    /// Whether it is an IPv6 packet.
    pub fn is_v6(&self) -> bool {
        self.header.class & Class::IPV6 != 0
    }

    fn is_v4(&self) -> bool {
        self.is_ip() && !self.is_v6()
    }

    /// Where the transport header starts, where there may be one.
    fn l4(&self) -> Option<usize> {
        self.transport.filter(|_| self.header.class & Class::LATER_FRAGMENT == 0)
    }

    /// The transport header of one of these protocols and all behind it; with at least `bytes` bytes.
    fn transport_of(&self, protocols: &[u8], bytes: usize) -> Option<&'a [u8]> {
        let at = self.l4().filter(|_| protocols.contains(&self.header.proto))?;
        self.packet[..self.end].get(at..).filter(|rest| rest.len() >= bytes)
    }

    /// The TCP header with its options.
    fn tcp_header(&self) -> Option<&'a [u8]> {
        let rest = self.transport_of(&[number::TCP], TCP_BYTES)?;
        let bytes = usize::from(rest[12] >> 4) * 4;
        if bytes < TCP_BYTES { None } else { rest.get(..bytes) }
    }

    /// What lies behind the transport header.
    pub fn payload(&self) -> Option<&'a [u8]> {
        self.payload
    }

    fn find_payload(&self) -> Option<&'a [u8]> {
        let at = self.transport?;
        let rest = self.packet[..self.end].get(at..)?;
        if self.header.class & Class::LATER_FRAGMENT != 0 {
            return Some(rest);
        }
        match self.header.proto {
            number::TCP => rest.get(self.tcp_header()?.len()..),
            number::UDP | number::ICMP | number::ICMPV6 => rest.get(SHORT_BYTES..),
            number::SCTP => rest.get(SCTP_BYTES..),
            _ => Some(rest),
        }
    }

    /// The bytes of a buffer; `None` where the packet does not have it.
    pub fn buffer(&self, buffer: Buffer) -> Option<&'a [u8]> {
        match buffer {
            Buffer::Payload => self.payload,
            Buffer::Ipv4Header => {
                self.ipv4().and_then(|ip| self.packet.get(self.ip..self.ip + header_bytes(ip)))
            }
            Buffer::Ipv6Header if self.is_v6() => Some(&self.packet[self.ip..self.ip + IPV6_BYTES]),
            Buffer::Ipv6Header => None,
            Buffer::TcpHeader => self.tcp_header(),
            Buffer::UdpHeader => {
                self.transport_of(&[number::UDP], SHORT_BYTES).map(|rest| &rest[..SHORT_BYTES])
            }
            Buffer::Icmpv4Header if self.is_v4() => self.transport_of(&[number::ICMP], SHORT_BYTES),
            Buffer::Icmpv6Header if self.is_v6() => self.transport_of(&[number::ICMPV6], SHORT_BYTES),
            Buffer::Icmpv4Header | Buffer::Icmpv6Header => None,
        }
    }

    /// The IPv4 header and what lies behind it.
    fn ipv4(&self) -> Option<&'a [u8]> {
        self.is_v4().then(|| &self.packet[self.ip..])
    }

    /// Whether the packet has the field and it passes the test.
    pub fn holds(&self, test: &FieldTest) -> bool {
        let number = |value: Option<u64>, test: &NumberTest| value.is_some_and(|value| test.holds(value));
        let bits = |value: Option<u8>, test: &BitTest| value.is_some_and(|value| bits_hold(test, value));
        let icmp = [number::ICMP, number::ICMPV6];
        let tcp32 = |at| self.transport_of(&[number::TCP], TCP_BYTES).map(|tcp| be32(tcp, at));
        match test {
            FieldTest::PayloadSize(test) => number(self.payload.map(|bytes| bytes.len() as u64), test),
            FieldTest::Ttl(test) => number(self.ttl(), test),
            FieldTest::Tos(test) => number(self.ipv4().map(|ip| ip[1].into()), test),
            FieldTest::IpId(test) => number(self.ipv4().map(|ip| be16(ip, 4).into()), test),
            FieldTest::IpProtocol(test) => number(self.is_ip().then_some(self.header.proto.into()), test),
            FieldTest::IpOption(asked) => self.has_ip_option(*asked),
            FieldTest::FragmentBits(test) => bits(self.ipv4().map(|ip| ip[6] >> 5), test),
            FieldTest::FragmentOffset(test) => {
                number(self.ipv4().map(|ip| (be16(ip, 6) & 0x1fff).into()), test)
            }
            FieldTest::SameAddress => self.is_ip() && self.header.src == self.header.dst,
            FieldTest::TcpFlags(test) => bits(self.tcp_flags(), test),
            FieldTest::TcpSequence(test) => number(tcp32(4), test),
            FieldTest::TcpAcknowledgement(test) => number(tcp32(8), test),
            FieldTest::TcpWindow(test) => number(tcp32(12).map(|word| word & 0xffff), test),
            FieldTest::TcpMss(test) => number(self.tcp_mss(), test),
            FieldTest::IcmpType(test) => number(self.transport_of(&icmp, 2).map(|icmp| icmp[0].into()), test),
            FieldTest::IcmpCode(test) => number(self.transport_of(&icmp, 2).map(|icmp| icmp[1].into()), test),
            FieldTest::IcmpId(test) => number(self.icmp_echo(4), test),
            FieldTest::IcmpSequence(test) => number(self.icmp_echo(6), test),
        }
    }

    fn ttl(&self) -> Option<u64> {
        let at = if self.is_v6() { 7 } else { 8 };
        self.is_ip().then(|| self.packet[self.ip + at].into())
    }

    /// The flags byte of TCP.
    pub fn tcp_flags(&self) -> Option<u8> {
        self.transport_of(&[number::TCP], 14).map(|tcp| tcp[13])
    }

    /// Sequence number and bytes of payload of a TCP segment.
    pub fn tcp_segment(&self) -> Option<(u32, usize)> {
        let tcp = self.tcp_header()?;
        Some((be32(tcp, 4) as u32, self.payload?.len()))
    }

    fn has_ip_option(&self, asked: Option<u8>) -> bool {
        let Some(mut options) = self.buffer(Buffer::Ipv4Header).and_then(|header| header.get(IPV4_BYTES..))
        else {
            return false;
        };
        while let Some(&kind) = options.first() {
            let bytes = match (kind, options.get(1)) {
                (0 | 1, _) => 1,
                (_, Some(&bytes)) if bytes >= 2 && usize::from(bytes) <= options.len() => bytes.into(),
                _ => return false,
            };
            if asked.is_none_or(|asked| asked == kind) {
                return true;
            }
            if kind == 0 {
                return false;
            }
            options = &options[bytes..];
        }
        false
    }

    fn tcp_mss(&self) -> Option<u64> {
        let mut options = self.tcp_header()?.get(TCP_BYTES..)?;
        loop {
            let bytes = match *options {
                [] | [0, ..] => return None,
                [1, ..] => 1,
                [2, 4, high, low, ..] => return Some(u16::from_be_bytes([high, low]).into()),
                [_, bytes, ..] if bytes >= 2 => bytes.into(),
                _ => return None,
            };
            options = options.get(bytes..)?;
        }
    }

    /// The two bytes at `at` of an ICMP message that has an identifier and a sequence number.
    fn icmp_echo(&self, at: usize) -> Option<u64> {
        let icmp = self.transport_of(&[number::ICMP, number::ICMPV6], SHORT_BYTES)?;
        let has = match self.header.proto {
            number::ICMP => matches!(icmp[0], 0 | 8 | 13..=18),
            _ => matches!(icmp[0], 128 | 129),
        };
        has.then(|| be16(icmp, at).into())
    }

    /// Whether the packet takes part in a flow: its transport header is there.
    pub fn has_flow(&self) -> bool {
        let of = |protocols, bytes| self.transport_of(protocols, bytes).is_some();
        of(&[number::TCP], TCP_BYTES)
            || of(&[number::UDP, number::ICMP, number::ICMPV6], SHORT_BYTES)
            || of(&[number::SCTP], SCTP_BYTES)
    }
}

/// Bytes of an IPv4 header by its own number.
fn header_bytes(ip: &[u8]) -> usize {
    usize::from(ip[0] & 0xf) * 4
}

fn bits_hold(test: &BitTest, value: u8) -> bool {
    let (value, bits) = (value & !test.ignored, test.bits & !test.ignored);
    match test.asks {
        BitsAsk::Exactly => value == bits,
        BitsAsk::All => value & bits == bits,
        BitsAsk::Any => value & bits != 0,
        BitsAsk::None => value & bits == 0,
    }
}

fn be16(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn be32(bytes: &[u8], at: usize) -> u64 {
    u64::from(be16(bytes, at)) << 16 | u64::from(be16(bytes, at + 2))
}

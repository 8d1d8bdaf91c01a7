//! The headers of a packet by `docs/packet-semantics.md`, whose numbers the comments name.

use std::net::{IpAddr, Ipv6Addr};

use etherparse::{
    EtherType, Ethernet2HeaderSlice, IpNumber, Ipv4HeaderSlice, Ipv6HeaderSlice, Ipv6RawExtHeaderSlice,
    SingleVlanHeaderSlice, ether_type, ip_number,
};
use wiresift_abi::h2c::PACKET_BYTES_MAX;
use wiresift_abi::vector::{EXTENSION_HEADERS_MAX, Flags};

/// EtherTypes of a VLAN tag.
const VLAN_TAGS: [EtherType; 3] =
    [ether_type::VLAN_TAGGED_FRAME, ether_type::PROVIDER_BRIDGING, ether_type::VLAN_DOUBLE_TAGGED_FRAME];
/// EtherTypes with another packet inside: MPLS unicast and multicast, PPPoE session, NSH.
const TUNNEL_TYPES: [EtherType; 4] =
    [EtherType(0x8847), EtherType(0x8848), EtherType(0x8864), EtherType(0x894f)];
/// Protocols with another packet inside; the last is MPLS.
const TUNNEL_PROTOCOLS: [IpNumber; 4] = [ip_number::IPV4, ip_number::IPV6, ip_number::GRE, IpNumber(137)];
/// Bytes of the largest IPv4 header.
const IPV4_HEADER_MAX: usize = 60;
/// Bytes of the largest IPv6 extension header of the common form.
const EXTENSION_MAX: usize = 256 * 8;

/// What the headers of a packet say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers {
    /// EtherType behind the VLAN tags, or the 802.3 length; 0 where there is none.
    pub ethertype: u16,
    /// Tag control information of the VLAN tags, the outer one first.
    pub vlan: Vec<u16>,
    /// IPv4 or IPv6, if such a header could be read.
    pub ip: Option<Ip>,
    /// TCP: the flags byte; ICMP and ICMPv6: type in the high byte, code in the low one.
    pub aux: Option<u16>,
    /// Byte at which the transport header starts; 0 where none was found.
    pub l4_offset: usize,
    /// Byte at which the IP header starts; 0 where there is none.
    pub ip_offset: usize,
    /// Byte behind the IP packet, as far as it was captured; 0 where there is none.
    pub end: usize,
    /// Byte behind the IP headers, where the walk went over all of them. A fragment other than the first has
    /// the rest of a transport header there, or none.
    pub behind_ip: Option<usize>,
    /// Some part of a fragmented packet.
    pub fragment: bool,
    /// A fragment other than the first.
    pub later_fragment: bool,
    /// Reason flags.
    pub flags: Flags,
}

/// What a rule can ask for of an IP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ip {
    /// Source address.
    pub src: IpAddr,
    /// Destination address, of the same family.
    pub dst: IpAddr,
    /// IPv4 protocol, or the IPv6 next header at which the walk stopped.
    pub protocol: u8,
    /// Source and destination port of TCP, UDP or SCTP.
    pub ports: Option<(u16, u16)>,
}

impl Headers {
    /// The headers of a packet, Ethernet header first.
    pub fn of(packet: &[u8]) -> Self {
        let mut headers = Self::default();
        // A walk that stops early has nothing more to find; the flags below are set all the same.
        let _stopped = headers.ethernet(packet);
        match &headers.ip {
            Some(ip) if TUNNEL_PROTOCOLS.contains(&IpNumber(ip.protocol)) => headers.flag(Flags::TUNNEL),
            Some(_) => {}
            None => headers.flag(Flags::NON_IP),
        }
        if packet.len() > PACKET_BYTES_MAX {
            headers.flag(Flags::JUMBO);
        }
        headers
    }

    fn flag(&mut self, flag: u16) {
        self.flags.0 |= flag;
    }

    /// Sets a flag and stops the walk.
    fn stop(&mut self, flag: u16) -> Option<()> {
        self.flag(flag);
        None
    }

    /// 1 to 3: Ethernet, VLAN tags, what is inside.
    fn ethernet(&mut self, packet: &[u8]) -> Option<()> {
        let Ok(ethernet) = Ethernet2HeaderSlice::from_slice(packet) else {
            return self.stop(Flags::TRUNCATED);
        };
        let mut ethertype = ethernet.ether_type();
        let mut at = ethernet.slice().len();
        self.ethertype = ethertype.0;
        while VLAN_TAGS.contains(&ethertype) {
            if self.vlan.len() == 2 {
                return self.stop(Flags::VLAN_DEPTH);
            }
            let Ok(tag) = SingleVlanHeaderSlice::from_slice(&packet[at..]) else {
                return self.stop(Flags::TRUNCATED);
            };
            self.vlan.push(u16::from_be_bytes([tag.slice()[0], tag.slice()[1]]));
            ethertype = tag.ether_type();
            self.ethertype = ethertype.0;
            at += tag.slice().len();
        }
        match ethertype {
            ether_type::IPV4 => self.ipv4(packet, at),
            ether_type::IPV6 => self.ipv6(packet, at),
            tunnel if TUNNEL_TYPES.contains(&tunnel) => self.stop(Flags::TUNNEL),
            _ => None,
        }
    }

    /// 4: IPv4.
    fn ipv4(&mut self, packet: &[u8], at: usize) -> Option<()> {
        let here = &packet[at..];
        if here.len() < 20 {
            return self.stop(Flags::TRUNCATED);
        }
        // `etherparse` refuses a header whose options are cut off, the rules read it: the missing bytes
        // are filled up with zeros, so only a wrong version or header length is refused.
        let filled = filled::<IPV4_HEADER_MAX>(here);
        let Ok(ipv4) = Ipv4HeaderSlice::from_slice(&filled) else { return self.stop(Flags::MALFORMED) };
        let header_length = ipv4.slice().len();
        let total_length = usize::from(ipv4.total_len());
        if total_length < header_length {
            return self.stop(Flags::MALFORMED);
        }
        let protocol = ipv4.protocol().0;
        let (src, dst) = (ipv4.source_addr().into(), ipv4.destination_addr().into());
        self.ip = Some(Ip { src, dst, protocol, ports: None });
        self.ip_offset = at;
        self.end = packet.len().min(at + total_length);
        let offset = ipv4.fragments_offset().value();
        if ipv4.more_fragments() || offset != 0 {
            self.fragment = true;
            self.flag(Flags::FRAGMENT);
        }
        if offset != 0 {
            self.later_fragment = true;
            self.behind_ip = Some(at + header_length).filter(|behind| *behind <= self.end);
            return None;
        }
        if here.len() < header_length {
            return self.stop(Flags::TRUNCATED);
        }
        self.transport(&packet[..self.end], at + header_length, protocol)
    }

    /// 5: IPv6 and its extension headers.
    fn ipv6(&mut self, packet: &[u8], at: usize) -> Option<()> {
        let here = &packet[at..];
        if here.len() < 40 {
            return self.stop(Flags::TRUNCATED);
        }
        let Ok(ipv6) = Ipv6HeaderSlice::from_slice(here) else { return self.stop(Flags::MALFORMED) };
        let end = packet.len().min(at + 40 + usize::from(ipv6.payload_length()));
        (self.ip_offset, self.end) = (at, end);
        let (src, dst) = (ipv6.source_addr(), ipv6.destination_addr());
        let mut next = ipv6.next_header();
        let mut cur = at + 40;
        let mut walked = 0;
        while is_extension(next) {
            if walked == EXTENSION_HEADERS_MAX {
                self.addresses(src, dst, next);
                return self.stop(Flags::EXT_CHAIN);
            }
            if cur + 8 > end {
                self.addresses(src, dst, next);
                return self.stop(Flags::TRUNCATED);
            }
            let (following, length) = match next {
                // Plainly: `etherparse` takes the fragment offset and the bit M from the wrong bits of
                // the fourth byte (RFC 8200, 4.5: five bits of offset, two reserved, M the lowest).
                ip_number::IPV6_FRAGMENTATION_HEADER => {
                    let following = IpNumber(packet[cur]);
                    let offset_and_more = u16::from_be_bytes([packet[cur + 2], packet[cur + 3]]);
                    let (offset, more) = (offset_and_more >> 3, offset_and_more & 1 == 1);
                    if offset != 0 || more {
                        self.fragment = true;
                        self.flag(Flags::FRAGMENT);
                    }
                    if offset != 0 {
                        self.later_fragment = true;
                        self.addresses(src, dst, following);
                        self.behind_ip = Some(cur + 8);
                        return None;
                    }
                    (following, 8)
                }
                // Plainly: `etherparse` refuses a length of zero, which the rules take as it is.
                ip_number::AUTHENTICATION_HEADER => {
                    (IpNumber(packet[cur]), (usize::from(packet[cur + 1]) + 2) * 4)
                }
                // A header that reaches behind the packet is walked over and found missing behind it.
                _ => {
                    let filled = filled::<EXTENSION_MAX>(&packet[cur..end]);
                    let extension = Ipv6RawExtHeaderSlice::from_slice(&filled).ok()?;
                    (extension.next_header(), extension.slice().len())
                }
            };
            next = following;
            cur += length;
            walked += 1;
        }
        self.addresses(src, dst, next);
        if cur > end {
            return self.stop(Flags::TRUNCATED);
        }
        self.transport(&packet[..end], cur, next.0)
    }

    fn addresses(&mut self, src: Ipv6Addr, dst: Ipv6Addr, protocol: IpNumber) {
        self.ip = Some(Ip { src: src.into(), dst: dst.into(), protocol: protocol.0, ports: None });
    }

    /// 6: the transport header at `at` of a packet without its padding. Plainly: `etherparse` reads whole
    /// headers only, the rules take what is there.
    fn transport(&mut self, packet: &[u8], at: usize, protocol: u8) -> Option<()> {
        self.l4_offset = at;
        self.behind_ip = Some(at);
        let there = &packet[at..];
        let header_length = match IpNumber(protocol) {
            ip_number::TCP => 20,
            ip_number::UDP | ip_number::ICMP | ip_number::IPV6_ICMP => 8,
            ip_number::SCTP => 12,
            _ => return None,
        };
        match IpNumber(protocol) {
            ip_number::ICMP | ip_number::IPV6_ICMP => {
                self.aux = there.first_chunk().map(|bytes| u16::from_be_bytes(*bytes));
            }
            transport => {
                let ports = there.first_chunk().map(|[a, b, c, d]: &[u8; 4]| {
                    (u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d]))
                });
                if let Some(ip) = &mut self.ip {
                    ip.ports = ports;
                }
                if transport == ip_number::TCP {
                    self.aux = there.get(13).map(|flags| u16::from(*flags));
                }
            }
        }
        if there.len() < header_length { self.stop(Flags::TRUNCATED) } else { Some(()) }
    }
}

/// The extension headers that are walked over.
fn is_extension(next: IpNumber) -> bool {
    matches!(
        next,
        ip_number::IPV6_HEADER_HOP_BY_HOP
            | ip_number::IPV6_ROUTE_HEADER
            | ip_number::IPV6_FRAGMENTATION_HEADER
            | ip_number::AUTHENTICATION_HEADER
            | ip_number::IPV6_DESTINATION_OPTIONS
            | ip_number::MOBILITY_HEADER
            | ip_number::HIP
            | ip_number::SHIM6
    )
}

/// The first `BYTES` bytes, filled up with zeros.
fn filled<const BYTES: usize>(bytes: &[u8]) -> [u8; BYTES] {
    let mut filled = [0; BYTES];
    let there = bytes.len().min(BYTES);
    filled[..there].copy_from_slice(&bytes[..there]);
    filled
}

//! The CPU engine's parser: packet → header vector, by the rules of `docs/packet-semantics.md`.
//!
//! The numbers in the comments are those of that document. There are no limits of the card here: the
//! whole packet is read.

use wiresift_abi::bits::Line;
use wiresift_abi::h2c::PACKET_BYTES_MAX;
use wiresift_abi::vector::{self, Class, EXTENSION_HEADERS_MAX, Flags, Key, number};

/// The fields of a header vector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Source address, IPv4 in the 32 highest bits.
    pub src: u128,
    /// Destination address, placed likewise.
    pub dst: u128,
    /// Source port.
    pub sport: u16,
    /// Destination port.
    pub dport: u16,
    /// IP protocol.
    pub proto: u8,
    /// [`Class`] bits.
    pub class: u8,
    /// TCP flags, or ICMP type and code.
    pub aux: u16,
    /// EtherType after VLAN tags.
    pub ethertype: u16,
    /// Tag control information of the outer VLAN tag.
    pub vlan_outer: u16,
    /// Tag control information of the inner VLAN tag.
    pub vlan_inner: u16,
    /// [`Flags`].
    pub flags: u16,
    /// Bytes of the packet, 65535 at most.
    pub length: u16,
    /// Byte at which the transport header starts.
    pub l4_offset: u16,
}

/// Ethernet header in bytes.
const ETHERNET_BYTES: usize = 14;
/// VLAN tag in bytes, and tags read at most.
const VLAN_BYTES: usize = 4;
const VLAN_TAGS: usize = 2;
/// IPv4 header without options, and IPv6 header, in bytes.
const IPV4_BYTES: usize = 20;
const IPV6_BYTES: usize = 40;
/// Shortest extension header in bytes.
const EXTENSION_BYTES: usize = 8;
/// The bit M of an IPv6 fragment header and of the IPv4 flags: more fragments follow.
const IPV6_MORE: u8 = 1;
const IPV4_MORE: u16 = 0x2000;
const IPV4_OFFSET: u16 = 0x1fff;

impl Header {
    /// Parses a packet, Ethernet header first.
    pub fn of(packet: &[u8]) -> Self {
        let mut header = Self { length: packet.len().min(u16::MAX.into()) as u16, ..Self::default() };
        header.ethernet(packet);
        if header.has(Class::IP) {
            if number::PROTOCOLS_TUNNEL.contains(&header.proto) {
                header.flags |= Flags::TUNNEL;
            }
        } else {
            header.flags |= Flags::NON_IP;
        }
        if packet.len() > PACKET_BYTES_MAX {
            header.flags |= Flags::JUMBO;
        }
        header
    }

    /// The part of the header vector that rules can ask for.
    #[inline]
    pub fn key(&self) -> Key {
        const _: () = assert!(vector::SPORT.lsb == 256 && vector::DPORT.lsb == 272);
        const _: () = assert!(vector::PROTO.lsb == 288 && vector::CLASS.lsb == 296 && vector::AUX.lsb == 304);
        let rest = u64::from(self.sport)
            | u64::from(self.dport) << 16
            | u64::from(self.proto) << 32
            | u64::from(self.class) << 40
            | u64::from(self.aux) << 48;
        Key([self.src as u64, (self.src >> 64) as u64, self.dst as u64, (self.dst >> 64) as u64, rest])
    }

    /// The whole header vector.
    pub fn to_line(&self) -> Line {
        self.key()
            .to_line()
            .with(vector::ETHERTYPE, self.ethertype.into())
            .with(vector::VLAN_OUTER, self.vlan_outer.into())
            .with(vector::VLAN_INNER, self.vlan_inner.into())
            .with(vector::FLAGS, self.flags.into())
            .with(vector::LENGTH, self.length.into())
            .with(vector::L4_OFFSET, self.l4_offset.into())
    }

    fn has(&self, class: u8) -> bool {
        self.class & class != 0
    }

    /// 1 to 3.
    fn ethernet(&mut self, p: &[u8]) {
        if p.len() < ETHERNET_BYTES {
            self.flags |= Flags::TRUNCATED;
            return;
        }
        self.ethertype = be16(p, 12);
        let mut at = ETHERNET_BYTES;
        let mut tags = 0;
        while number::ETHERTYPES_VLAN.contains(&self.ethertype) {
            if tags == VLAN_TAGS {
                self.flags |= Flags::VLAN_DEPTH;
                return;
            }
            if p.len() < at + VLAN_BYTES {
                self.flags |= Flags::TRUNCATED;
                return;
            }
            *if tags == 0 { &mut self.vlan_outer } else { &mut self.vlan_inner } = be16(p, at);
            self.class |= Class::VLAN;
            self.ethertype = be16(p, at + 2);
            at += VLAN_BYTES;
            tags += 1;
        }
        match self.ethertype {
            number::ETHERTYPE_IPV4 => self.ipv4(p, at),
            number::ETHERTYPE_IPV6 => self.ipv6(p, at),
            other if number::ETHERTYPES_TUNNEL.contains(&other) => self.flags |= Flags::TUNNEL,
            _ => {}
        }
    }

    /// 4.
    fn ipv4(&mut self, p: &[u8], at: usize) {
        let Some(ip) = p.get(at..at + IPV4_BYTES) else {
            self.flags |= Flags::TRUNCATED;
            return;
        };
        let header_bytes = usize::from(ip[0] & 0xf) * 4;
        let total_bytes = usize::from(be16(ip, 2));
        if ip[0] >> 4 != 4 || header_bytes < IPV4_BYTES || total_bytes < header_bytes {
            self.flags |= Flags::MALFORMED;
            return;
        }
        self.class |= Class::IP;
        self.src = u128::from(be32(ip, 12)) << 96;
        self.dst = u128::from(be32(ip, 16)) << 96;
        self.proto = ip[9];
        let end = p.len().min(at + total_bytes);
        let fragment = be16(ip, 6);
        if fragment & (IPV4_MORE | IPV4_OFFSET) != 0 {
            self.class |= Class::FRAGMENT;
            self.flags |= Flags::FRAGMENT;
        }
        if fragment & IPV4_OFFSET != 0 {
            self.class |= Class::LATER_FRAGMENT;
            return;
        }
        if p.len() < at + header_bytes {
            self.flags |= Flags::TRUNCATED;
            return;
        }
        self.transport(&p[..end], at + header_bytes);
    }

    /// 5.
    fn ipv6(&mut self, p: &[u8], at: usize) {
        let Some(ip) = p.get(at..at + IPV6_BYTES) else {
            self.flags |= Flags::TRUNCATED;
            return;
        };
        if ip[0] >> 4 != 6 {
            self.flags |= Flags::MALFORMED;
            return;
        }
        self.class |= Class::IP | Class::IPV6;
        self.src = be128(ip, 8);
        self.dst = be128(ip, 24);
        let end = p.len().min(at + IPV6_BYTES + usize::from(be16(ip, 4)));
        let mut next = ip[6];
        let mut cur = at + IPV6_BYTES;
        let mut walked = 0;
        while is_extension(next) {
            self.proto = next;
            if walked == EXTENSION_HEADERS_MAX {
                self.flags |= Flags::EXT_CHAIN;
                return;
            }
            if cur + EXTENSION_BYTES > end {
                self.flags |= Flags::TRUNCATED;
                return;
            }
            let units = usize::from(p[cur + 1]);
            let length = match next {
                number::FRAGMENT => {
                    if self.ipv6_fragment(be16(p, cur + 2)) {
                        self.proto = p[cur];
                        return;
                    }
                    EXTENSION_BYTES
                }
                number::AUTHENTICATION => (units + 2) * 4,
                _ => (units + 1) * 8,
            };
            next = p[cur];
            cur += length;
            walked += 1;
        }
        self.proto = next;
        if cur > end {
            self.flags |= Flags::TRUNCATED;
            return;
        }
        self.transport(&p[..end], cur);
    }

    /// Takes the offset and the bit M of a fragment header; whether it is a later fragment.
    fn ipv6_fragment(&mut self, offset_and_more: u16) -> bool {
        let offset = offset_and_more >> 3;
        if offset != 0 || offset_and_more as u8 & IPV6_MORE != 0 {
            self.class |= Class::FRAGMENT;
            self.flags |= Flags::FRAGMENT;
        }
        if offset != 0 {
            self.class |= Class::LATER_FRAGMENT;
        }
        offset != 0
    }

    /// 6. `p` ends where the packet's data end.
    fn transport(&mut self, p: &[u8], a: usize) {
        self.l4_offset = a as u16;
        let bytes = p.len() - a;
        let header_bytes = match self.proto {
            number::TCP => 20,
            number::UDP | number::ICMP | number::ICMPV6 => 8,
            number::SCTP => 12,
            _ => return,
        };
        if bytes < header_bytes {
            self.flags |= Flags::TRUNCATED;
        }
        if matches!(self.proto, number::ICMP | number::ICMPV6) {
            if bytes >= 2 {
                self.aux = be16(p, a);
                self.class |= Class::AUX;
            }
            return;
        }
        if bytes >= 4 {
            self.sport = be16(p, a);
            self.dport = be16(p, a + 2);
            self.class |= Class::PORTS;
        }
        if self.proto == number::TCP && bytes >= 14 {
            self.aux = p[a + 13].into();
            self.class |= Class::AUX;
        }
    }
}

fn is_extension(next: u8) -> bool {
    number::EXTENSIONS.contains(&next) || matches!(next, number::FRAGMENT | number::AUTHENTICATION)
}

fn be16(p: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([p[at], p[at + 1]])
}

fn be32(p: &[u8], at: usize) -> u32 {
    u32::from(be16(p, at)) << 16 | u32::from(be16(p, at + 2))
}

fn be128(p: &[u8], at: usize) -> u128 {
    (0..4).fold(0, |all, word| all << 32 | u128::from(be32(p, at + 4 * word)))
}

#[cfg(test)]
mod tests;

//! A second parser, written from `docs/packet-semantics.md` clause by clause on byte slices. It knows
//! nothing of the hardware but the two limits the document names.

use std::cell::Cell;

use wiresift_abi::bits::{LINE_BYTES, Line};
use wiresift_abi::vector;

/// A packet of which is noted how far it was read.
struct Bytes<'a> {
    packet: &'a [u8],
    read: Cell<usize>,
}

impl Bytes<'_> {
    fn u8(&self, at: usize) -> u8 {
        self.read.set(self.read.get().max(at + 1));
        self.packet[at]
    }

    fn u16(&self, at: usize) -> u16 {
        u16::from(self.u8(at)) << 8 | u16::from(self.u8(at + 1))
    }

    fn address(&self, at: usize, bytes: usize) -> u128 {
        let value = (at..at + bytes).fold(0, |value, at| value << 8 | u128::from(self.u8(at)));
        value << (128 - 8 * bytes)
    }
}

/// Fields of a packet, with the names of the document.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fields {
    src: u128,
    dst: u128,
    sport: u16,
    dport: u16,
    proto: u8,
    ip: bool,
    ipv6: bool,
    ports: bool,
    fragment: bool,
    later_fragment: bool,
    vlan: bool,
    has_aux: bool,
    aux: u16,
    ethertype: u16,
    vlan_outer: u16,
    vlan_inner: u16,
    truncated: bool,
    malformed: bool,
    vlan_depth: bool,
    tunnel: bool,
    ext_chain: bool,
    length: usize,
    l4_offset: usize,
    extension_headers: usize,
    /// The card leaves the packet to the host.
    pub defer: bool,
}

impl Fields {
    /// The fields of a packet.
    pub fn of(packet: &[u8]) -> Self {
        let bytes = Bytes { packet, read: Cell::new(0) };
        let mut fields = Self { length: packet.len(), ..Self::default() };
        fields.ethernet(&bytes);
        if fields.ip && [4, 41, 47, 137].contains(&fields.proto) {
            fields.tunnel = true;
        }
        fields.defer = bytes.read.get() > 128 || fields.extension_headers > 4;
        fields
    }

    fn ethernet(&mut self, p: &Bytes) {
        let n = p.packet.len();
        if n < 14 {
            self.truncated = true;
            return;
        }
        self.ethertype = p.u16(12);
        let mut at = 14;
        let mut tags = 0;
        while [0x8100, 0x88a8, 0x9100].contains(&self.ethertype) {
            if tags == 2 {
                self.vlan_depth = true;
                return;
            }
            if n < at + 4 {
                self.truncated = true;
                return;
            }
            if tags == 0 {
                self.vlan_outer = p.u16(at);
            } else {
                self.vlan_inner = p.u16(at);
            }
            self.vlan = true;
            self.ethertype = p.u16(at + 2);
            at += 4;
            tags += 1;
        }
        match self.ethertype {
            0x8847 | 0x8848 | 0x8864 | 0x894f => self.tunnel = true,
            0x0800 => self.ipv4(p, at),
            0x86dd => self.ipv6(p, at),
            _ => {}
        }
    }

    fn ipv4(&mut self, p: &Bytes, at: usize) {
        let n = p.packet.len();
        if n < at + 20 {
            self.truncated = true;
            return;
        }
        let header_length = usize::from(p.u8(at) & 15) * 4;
        let total_length = usize::from(p.u16(at + 2));
        if p.u8(at) >> 4 != 4 || header_length < 20 || total_length < header_length {
            self.malformed = true;
            return;
        }
        self.ip = true;
        self.src = p.address(at + 12, 4);
        self.dst = p.address(at + 16, 4);
        self.proto = p.u8(at + 9);
        let end = n.min(at + total_length);
        let word = p.u16(at + 6);
        let (more_fragments, offset) = (word & 0x2000 != 0, word & 0x1fff);
        if more_fragments || offset != 0 {
            self.fragment = true;
        }
        if offset != 0 {
            self.later_fragment = true;
            return;
        }
        if n < at + header_length {
            self.truncated = true;
            return;
        }
        self.transport(p, at + header_length, end);
    }

    fn ipv6(&mut self, p: &Bytes, at: usize) {
        let n = p.packet.len();
        if n < at + 40 {
            self.truncated = true;
            return;
        }
        if p.u8(at) >> 4 != 6 {
            self.malformed = true;
            return;
        }
        self.ip = true;
        self.ipv6 = true;
        self.src = p.address(at + 8, 16);
        self.dst = p.address(at + 24, 16);
        let end = n.min(at + 40 + usize::from(p.u16(at + 4)));
        let mut next = p.u8(at + 6);
        let mut cur = at + 40;
        let mut walked = 0;
        while [0, 43, 44, 51, 60, 135, 139, 140].contains(&next) {
            self.extension_headers += 1;
            self.proto = next;
            if walked == 8 {
                self.ext_chain = true;
                return;
            }
            if cur + 8 > end {
                self.truncated = true;
                return;
            }
            let length = match next {
                44 => {
                    let offset = p.u16(cur + 2) >> 3;
                    if offset != 0 || p.u8(cur + 3) & 1 != 0 {
                        self.fragment = true;
                    }
                    if offset != 0 {
                        self.later_fragment = true;
                        self.proto = p.u8(cur);
                        return;
                    }
                    8
                }
                51 => (usize::from(p.u8(cur + 1)) + 2) * 4,
                _ => (usize::from(p.u8(cur + 1)) + 1) * 8,
            };
            next = p.u8(cur);
            cur += length;
            walked += 1;
        }
        self.proto = next;
        if cur > end {
            self.truncated = true;
            return;
        }
        self.transport(p, cur, end);
    }

    fn transport(&mut self, p: &Bytes, a: usize, end: usize) {
        self.l4_offset = a;
        let header = match self.proto {
            6 => 20,
            17 | 58 | 1 => 8,
            132 => 12,
            _ => return,
        };
        if [6, 17, 132].contains(&self.proto) && a + 4 <= end {
            self.ports = true;
            self.sport = p.u16(a);
            self.dport = p.u16(a + 2);
        }
        if self.proto == 6 && a + 14 <= end {
            self.has_aux = true;
            self.aux = p.u8(a + 13).into();
        }
        if [1, 58].contains(&self.proto) && a + 2 <= end {
            self.has_aux = true;
            self.aux = p.u16(a);
        }
        if a + header > end {
            self.truncated = true;
        }
    }

    /// The header vector. Bits are written as numbers here, so that they are held against the contract.
    pub fn line(&self) -> Line {
        let bit = |set: bool, bit: u32| u128::from(set) << bit;
        let class = bit(self.ip, 0)
            | bit(self.ipv6, 1)
            | bit(self.ports, 2)
            | bit(self.fragment, 3)
            | bit(self.later_fragment, 4)
            | bit(self.vlan, 5)
            | bit(self.has_aux, 6);
        let flags = bit(self.truncated, 0)
            | bit(self.malformed, 1)
            | bit(self.fragment, 2)
            | bit(!self.ip, 3)
            | bit(self.vlan_depth, 4)
            | bit(self.tunnel, 5)
            | bit(self.ext_chain, 6)
            | bit(self.length > 9216, 7)
            | bit(self.defer, 14);
        Line([0; LINE_BYTES])
            .with(vector::SRC, self.src)
            .with(vector::DST, self.dst)
            .with(vector::SPORT, self.sport.into())
            .with(vector::DPORT, self.dport.into())
            .with(vector::PROTO, self.proto.into())
            .with(vector::CLASS, class)
            .with(vector::AUX, self.aux.into())
            .with(vector::ETHERTYPE, self.ethertype.into())
            .with(vector::VLAN_OUTER, self.vlan_outer.into())
            .with(vector::VLAN_INNER, self.vlan_inner.into())
            .with(vector::FLAGS, flags)
            .with(vector::LENGTH, self.length as u128)
            .with(vector::L4_OFFSET, self.l4_offset as u128)
    }
}

//! A packet for each clause of `docs/packet-semantics.md`; clause numbers in the names.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;

const V4: u128 = 0x0a01_0203 << 96;
const V4_DST: u128 = 0xc0a8_0001 << 96;

fn ethernet(ethertype: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
    packet.extend(ethertype.to_be_bytes());
    packet.extend(payload);
    packet
}

fn tagged(tags: &[(u16, u16)], ethertype: u16, payload: &[u8]) -> Vec<u8> {
    let mut behind = Vec::new();
    for (n, (_, control)) in tags.iter().enumerate() {
        behind.extend(control.to_be_bytes());
        behind.extend(tags.get(n + 1).map_or(ethertype, |tag| tag.0).to_be_bytes());
    }
    behind.extend(payload);
    ethernet(tags[0].0, &behind)
}

fn ipv4(proto: u8, fragment: u16, payload: &[u8]) -> Vec<u8> {
    let mut ip = vec![0x45, 0];
    ip.extend((20 + payload.len() as u16).to_be_bytes());
    ip.extend([0, 0]);
    ip.extend(fragment.to_be_bytes());
    ip.extend([64, proto, 0, 0, 10, 1, 2, 3, 192, 168, 0, 1]);
    ip.extend(payload);
    ip
}

fn ipv6(next: u8, payload: &[u8]) -> Vec<u8> {
    let mut ip = vec![0x60, 0, 0, 0];
    ip.extend((payload.len() as u16).to_be_bytes());
    ip.extend([next, 64]);
    ip.extend((1..=32).collect::<Vec<u8>>());
    ip.extend(payload);
    ip
}

fn of4(proto: u8, payload: &[u8]) -> Header {
    Header::of(&ethernet(0x0800, &ipv4(proto, 0, payload)))
}

fn of6(next: u8, payload: &[u8]) -> Header {
    Header::of(&ethernet(0x86dd, &ipv6(next, payload)))
}

fn tcp() -> Vec<u8> {
    let mut tcp = vec![0x12, 0x34, 0, 80, 0, 0, 0, 1, 0, 0, 0, 2, 0x50, 0x12];
    tcp.resize(20, 0);
    tcp
}

/// An extension header of `8 * (units + 1)` bytes.
fn extension(next: u8, units: u8) -> Vec<u8> {
    let mut header = vec![next, units];
    header.resize(8 * (usize::from(units) + 1), 0);
    header
}

#[test]
fn clause_1_ethernet() {
    for length in 0..14 {
        let header = Header::of(&ethernet(0x0800, &[])[..length]);
        assert_eq!((header.flags, header.ethertype), (Flags::TRUNCATED | Flags::NON_IP, 0));
    }
    let header = Header::of(&ethernet(0x0806, &[0; 28]));
    assert_eq!(header, Header { flags: Flags::NON_IP, ethertype: 0x0806, length: 42, ..Header::default() });
}

#[test]
fn clause_2_vlan_tags() {
    let ip = ipv4(6, 0, &tcp());
    let one = Header::of(&tagged(&[(0x8100, 0x2064)], 0x0800, &ip));
    assert_eq!((one.vlan_outer, one.vlan_inner, one.dport, one.l4_offset), (0x2064, 0, 80, 38));
    assert!(one.has(Class::VLAN));
    let two = Header::of(&tagged(&[(0x88a8, 1), (0x9100, 2)], 0x0800, &ip));
    assert_eq!((two.vlan_outer, two.vlan_inner, two.dport, two.flags), (1, 2, 80, 0));
    let three = Header::of(&tagged(&[(0x8100, 1), (0x8100, 2), (0x8100, 3)], 0x0800, &ip));
    assert_eq!(three.flags, Flags::VLAN_DEPTH | Flags::NON_IP);
    assert_eq!((three.ethertype, three.vlan_inner), (0x8100, 2));
    let cut = Header::of(&tagged(&[(0x8100, 1), (0x8100, 2)], 0x0800, &[])[..21]);
    assert_eq!(cut.flags, Flags::TRUNCATED | Flags::NON_IP);
    assert_eq!((cut.vlan_outer, cut.vlan_inner, cut.ethertype), (1, 0, 0x8100));
}

#[test]
fn clause_3_other_ethertypes() {
    for ethertype in [0x8847, 0x8848, 0x8864, 0x894f] {
        let header = Header::of(&ethernet(ethertype, &ipv4(6, 0, &tcp())));
        assert_eq!((header.flags, header.class), (Flags::TUNNEL | Flags::NON_IP, 0));
    }
}

#[test]
fn clause_4_ipv4() {
    let header = of4(6, &tcp());
    assert_eq!((header.src, header.dst, header.proto), (V4, V4_DST, 6));
    assert_eq!(header.class, Class::IP | Class::PORTS | Class::AUX);
    assert_eq!((header.sport, header.dport, header.aux, header.l4_offset), (0x1234, 80, 0x12, 34));
    let short = Header::of(&ethernet(0x0800, &ipv4(6, 0, &tcp())[..19]));
    assert_eq!((short.flags, short.class), (Flags::TRUNCATED | Flags::NON_IP, 0));
    for (at, value) in [(0, 0x55), (0, 0x44), (3, 19)] {
        let mut ip = ipv4(6, 0, &tcp());
        ip[at] = value;
        let header = Header::of(&ethernet(0x0800, &ip));
        assert_eq!((header.flags, header.src), (Flags::MALFORMED | Flags::NON_IP, 0));
    }
}

#[test]
fn clause_4_ipv4_options_and_padding() {
    let mut ip = ipv4(17, 0, &[1; 8]);
    ip[0] = 0x46;
    let header = Header::of(&ethernet(0x0800, &ip));
    assert_eq!((header.l4_offset, header.sport, header.flags), (38, 0x0101, Flags::TRUNCATED));
    // Options that the capture cut off.
    let header = Header::of(&ethernet(0x0800, &ip[..22]));
    assert_eq!((header.flags, header.class, header.l4_offset), (Flags::TRUNCATED, Class::IP, 0));
    // What lies behind the total length is padding and gives no ports.
    let mut ip = ipv4(17, 0, &[]);
    ip.extend([1; 26]);
    let header = Header::of(&ethernet(0x0800, &ip));
    assert_eq!((header.class, header.flags, header.l4_offset), (Class::IP, Flags::TRUNCATED, 34));
}

#[test]
fn clause_4_ipv4_fragments() {
    let first = Header::of(&ethernet(0x0800, &ipv4(17, 0x2000, &[0; 8])));
    assert_eq!(first.class, Class::IP | Class::FRAGMENT | Class::PORTS);
    assert_eq!(first.flags, Flags::FRAGMENT);
    for fragment in [0x0001, 0x2001] {
        let later = Header::of(&ethernet(0x0800, &ipv4(17, fragment, &[0; 8])));
        assert_eq!(later.class, Class::IP | Class::FRAGMENT | Class::LATER_FRAGMENT);
        assert_eq!((later.l4_offset, later.flags), (0, Flags::FRAGMENT));
    }
    let whole = Header::of(&ethernet(0x0800, &ipv4(17, 0x4000, &[0; 8])));
    assert_eq!(whole.class, Class::IP | Class::PORTS);
}

#[test]
fn clause_4_an_authentication_header_is_not_walked_in_ipv4() {
    let mut behind = vec![6, 1];
    behind.resize(12, 0);
    behind.extend(tcp());
    assert_eq!((of4(51, &behind).proto, of4(51, &behind).class), (51, Class::IP));
}

#[test]
fn clause_5_ipv6() {
    let header = of6(6, &tcp());
    assert_eq!(header.src, 0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10);
    assert_eq!(header.dst, 0x1112_1314_1516_1718_191a_1b1c_1d1e_1f20);
    assert_eq!(header.class, Class::IP | Class::IPV6 | Class::PORTS | Class::AUX);
    assert_eq!((header.l4_offset, header.dport), (54, 80));
    let cut = Header::of(&ethernet(0x86dd, &ipv6(6, &[])[..39]));
    assert_eq!(cut.flags, Flags::TRUNCATED | Flags::NON_IP);
    let mut wrong = ipv6(6, &tcp());
    wrong[0] = 0x40;
    assert_eq!(Header::of(&ethernet(0x86dd, &wrong)).flags, Flags::MALFORMED | Flags::NON_IP);
    // Behind the payload length is padding.
    let mut padded = ipv6(17, &[]);
    padded.extend([1; 8]);
    assert_eq!(Header::of(&ethernet(0x86dd, &padded)).flags, Flags::TRUNCATED);
}

#[test]
fn clause_5_extension_headers() {
    for kind in [0, 43, 60, 135, 139, 140] {
        for units in [0, 1, 31] {
            let header = of6(kind, &[extension(6, units), tcp()].concat());
            assert_eq!((header.proto, header.dport), (6, 80), "{kind} {units}");
            assert_eq!(usize::from(header.l4_offset), 54 + 8 * (usize::from(units) + 1));
        }
    }
    // Authentication: (length + 2) * 4 bytes.
    let mut ah = vec![6, 1];
    ah.resize(12, 0);
    assert_eq!(of6(51, &[ah, tcp()].concat()).l4_offset, 66);
}

#[test]
fn clause_5_the_chain_ends_after_eight() {
    let chain = |count: usize, last: u8| -> Vec<u8> {
        let headers = (1..=count).map(|n| extension(if n == count { last } else { 60 }, 0));
        headers.flatten().chain(tcp()).collect()
    };
    let eight = of6(60, &chain(8, 6));
    assert_eq!((eight.proto, eight.dport, eight.flags), (6, 80, 0));
    let nine = of6(60, &chain(9, 6));
    assert_eq!((nine.proto, nine.dport, nine.flags, nine.l4_offset), (60, 0, Flags::EXT_CHAIN, 0));
    // A fragment header counts as one.
    assert_eq!(of6(44, &chain(9, 6)).flags, Flags::EXT_CHAIN);
}

#[test]
fn clause_5_cut_extension_headers() {
    let cut = of6(60, &extension(6, 0)[..7]);
    assert_eq!((cut.proto, cut.flags, cut.l4_offset), (60, Flags::TRUNCATED, 0));
    // The header says more than there is.
    let long = of6(60, &extension(6, 3)[..8]);
    assert_eq!((long.proto, long.flags, long.l4_offset), (6, Flags::TRUNCATED, 0));
    // It ends just where the packet ends: no transport header, but a place for it.
    let end = of6(60, &extension(6, 0));
    assert_eq!((end.proto, end.flags, end.l4_offset), (6, Flags::TRUNCATED, 62));
}

#[test]
fn clause_5_ipv6_fragments() {
    let fragment = |offset_and_more: u16, next: u8| {
        let mut header = vec![next, 0];
        header.extend(offset_and_more.to_be_bytes());
        header.extend([0; 4]);
        of6(44, &[header, tcp()].concat())
    };
    let base = Class::IP | Class::IPV6;
    let atomic = fragment(0, 6);
    assert_eq!((atomic.class, atomic.flags), (base | Class::PORTS | Class::AUX, 0));
    let first = fragment(1, 6);
    assert_eq!(first.class, base | Class::FRAGMENT | Class::PORTS | Class::AUX);
    // The reserved bits are no part of the offset.
    assert_eq!(fragment(6, 6).class, atomic.class);
    let later = fragment(8, 58);
    assert_eq!((later.class, later.proto), (base | Class::FRAGMENT | Class::LATER_FRAGMENT, 58));
    assert_eq!((later.flags, later.l4_offset), (Flags::FRAGMENT, 0));
}

#[test]
fn clause_6_transport_headers_by_length() {
    for (proto, header_bytes, ports, aux) in [
        (6, 20, true, Some(14)),
        (17, 8, true, None),
        (132, 12, true, None),
        (1, 8, false, Some(2)),
        (58, 8, false, Some(2)),
    ] {
        for length in 0..=24 {
            let header = of4(proto, &tcp().repeat(2)[..length]);
            assert_eq!(header.flags & Flags::TRUNCATED != 0, length < header_bytes, "{proto} {length}");
            assert_eq!(header.has(Class::PORTS), ports && length >= 4, "{proto} {length}");
            assert_eq!(header.has(Class::AUX), aux.is_some_and(|aux| length >= aux), "{proto} {length}");
            assert_eq!(header.l4_offset, 34);
        }
    }
    assert_eq!(of4(1, &[3, 13, 0, 0, 0, 0, 0, 0]).aux, 0x030d);
    let other = of4(50, &[1; 24]);
    assert_eq!((other.class, other.aux, other.sport, other.flags, other.l4_offset), (Class::IP, 0, 0, 0, 34));
}

#[test]
fn flags_whatever_stopped_the_walk() {
    for proto in [4, 41, 47, 137] {
        assert_eq!(of4(proto, &[0; 30]).flags, Flags::TUNNEL);
        assert_eq!(of6(proto, &[0; 30]).flags, Flags::TUNNEL);
        let later = Header::of(&ethernet(0x0800, &ipv4(proto, 1, &[0; 30])));
        assert_eq!(later.flags, Flags::TUNNEL | Flags::FRAGMENT);
    }
    let mut packet = ethernet(0x0806, &[]);
    packet.resize(9216, 0);
    assert_eq!(Header::of(&packet).flags, Flags::NON_IP);
    packet.push(0);
    assert_eq!(Header::of(&packet).flags, Flags::NON_IP | Flags::JUMBO);
    packet.resize(70_000, 0);
    assert_eq!(Header::of(&packet).length, 65535);
}

#[test]
fn the_key_is_the_low_part_of_the_vector() {
    let header = Header {
        src: 0x0123_4567_89ab_cdef_0011_2233_4455_6677,
        dst: 0x8899_aabb_ccdd_eeff_1020_3040_5060_7080,
        sport: 0x1111,
        dport: 0x2222,
        proto: 0x33,
        class: 0x44,
        aux: 0x5555,
        ethertype: 0x6666,
        vlan_outer: 0x7777,
        vlan_inner: 0x8888,
        flags: 0x9999,
        length: 0xaaaa,
        l4_offset: 0xbbbb,
    };
    let line = header.to_line();
    assert_eq!(Key::of(&line), header.key());
    let expected = [
        header.src, header.dst, 0x1111, 0x2222, 0x33, 0x44, 0x5555, 0x6666, 0x7777, 0x8888, 0x9999, 0xaaaa,
        0xbbbb,
    ];
    for (field, expected) in vector::FIELDS.into_iter().zip(expected) {
        assert_eq!(line.get(field), expected, "{}", field.name);
    }
}

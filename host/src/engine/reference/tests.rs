//! One test a clause of docs/packet-semantics.md and, in the files below, of docs/signature-semantics.md, with packets
//! written byte by byte.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod buffers;
mod contents;
mod expressions;
mod fields;
mod flows;
mod numbers;
mod signatures;
mod thresholds;

use std::net::IpAddr;
use std::ops::RangeInclusive;

use wiresift_abi::vector::Flags;

use super::headers::Headers;
use super::*;
use crate::rules::detect::{Buffer, BufferTests, Content, Detect, NumberTest, Operand, Test};
use crate::rules::model::{
    AclAction, AclRule, AddressList, AddressRange, AuxList, Condition, Details, Family, Origin, PortList,
    SignatureAction,
};

/// Zero addresses, then an EtherType.
fn ethernet(ethertype: u16) -> Vec<u8> {
    let mut packet = vec![0; 12];
    packet.extend(ethertype.to_be_bytes());
    packet
}

/// An IPv4 header of `words` words with that total length, flags and fragment offset; addresses 10.0.0.1
/// and 10.0.0.2.
fn ipv4(words: u8, total_length: u16, fragment: u16, protocol: u8) -> Vec<u8> {
    let mut header = vec![0x40 | words, 0];
    header.extend(total_length.to_be_bytes());
    header.extend([0, 0]);
    header.extend(fragment.to_be_bytes());
    header.extend([64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    header.resize(20.max(usize::from(words) * 4), 1);
    header
}

/// An IPv6 header; addresses 2001:db8::1 and 2001:db8::2.
fn ipv6(payload_length: u16, next: u8) -> Vec<u8> {
    let mut header = vec![0x60, 0, 0, 0];
    header.extend(payload_length.to_be_bytes());
    header.extend([next, 64]);
    for last in [1, 2] {
        header.extend([0x20, 0x01, 0x0d, 0xb8]);
        header.extend([0; 11]);
        header.push(last);
    }
    header
}

/// A TCP header from port 1234 to port 80 with SYN and ACK.
fn tcp() -> Vec<u8> {
    let mut header = vec![0x04, 0xd2, 0, 80];
    header.extend([0; 8]);
    header.extend([0x50, 0x12, 0, 0, 0, 0, 0, 0]);
    header
}

fn join(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

fn flags(packet: &[u8]) -> Vec<&'static str> {
    let set = Headers::of(packet).flags.0;
    let named = Flags::NAMES.into_iter().filter(|(bit, _)| set & bit != 0).map(|(_, name)| name);
    let names = named.collect::<Vec<_>>();
    assert_eq!(names.len() as u32, set.count_ones(), "a flag without a name: {set:#x}");
    names
}

fn protocol(packet: &[u8]) -> Option<u8> {
    Headers::of(packet).ip.map(|ip| ip.protocol)
}

fn ports(packet: &[u8]) -> Option<(u16, u16)> {
    Headers::of(packet).ip.and_then(|ip| ip.ports)
}

#[test]
fn a_packet_shorter_than_an_ethernet_header_is_truncated() {
    for length in 0..14 {
        assert_eq!(flags(&ethernet(0x0800)[..length]), ["truncated", "non_ip"], "{length}");
    }
    assert_eq!(Headers::of(&ethernet(0x0806)).ethertype, 0x0806);
    assert_eq!(flags(&ethernet(0x0806)), ["non_ip"]);
}

#[test]
fn two_vlan_tags_are_read_and_a_third_is_too_deep() {
    for tag in [0x8100, 0x88a8, 0x9100] {
        let two = join(&[&ethernet(tag), &[0x20, 5, 0x81, 0], &[0, 7, 8, 0], &ipv4(5, 20, 0, 99)]);
        let headers = Headers::of(&two);
        assert_eq!((headers.vlan, headers.ethertype), (vec![0x2005, 7], 0x0800));
        assert_eq!((protocol(&two), flags(&two)), (Some(99), vec![]));
        for length in 14..22 {
            assert_eq!(flags(&two[..length]), ["truncated", "non_ip"], "{length}");
        }
    }
    let three = join(&[&ethernet(0x8100), &[0, 1, 0x88, 0xa8], &[0, 2, 0x91, 0], &[0, 3, 8, 0]]);
    let headers = Headers::of(&three);
    assert_eq!((headers.vlan, headers.ethertype), (vec![1, 2], 0x9100));
    assert_eq!(flags(&three), ["non_ip", "vlan_depth"]);
    // The depth is found before the length: nothing of the third tag need be there.
    assert_eq!(flags(&three[..22]), ["non_ip", "vlan_depth"]);
}

#[test]
fn ethertypes_with_a_packet_inside_are_tunnels() {
    for ethertype in [0x8847, 0x8848, 0x8864, 0x894f] {
        assert_eq!(flags(&ethernet(ethertype)), ["non_ip", "tunnel"]);
    }
    for ethertype in [0x8863, 0x0806, 46] {
        assert_eq!(flags(&ethernet(ethertype)), ["non_ip"]);
    }
}

#[test]
fn an_ipv4_header_must_be_there_and_agree_with_itself() {
    let whole = join(&[&ethernet(0x0800), &ipv4(5, 40, 0, 6), &tcp()]);
    let headers = Headers::of(&whole);
    let ip = headers.ip.unwrap();
    assert_eq!(ip.src, "10.0.0.1".parse::<IpAddr>().unwrap());
    assert_eq!(ip.dst, "10.0.0.2".parse::<IpAddr>().unwrap());
    assert_eq!(
        (ip.protocol, ip.ports, headers.aux, headers.l4_offset),
        (6, Some((1234, 80)), Some(0x12), 34)
    );
    assert_eq!(headers.flags, Flags::default());
    for length in 14..34 {
        assert_eq!(flags(&whole[..length]), ["truncated", "non_ip"], "{length}");
    }
    for (what, header) in [
        ("version", [&[0x65][..], &ipv4(5, 40, 0, 6)[1..]].concat()),
        ("header length", ipv4(4, 40, 0, 6)),
        ("total length", ipv4(5, 19, 0, 6)),
        ("total length with options", ipv4(6, 23, 0, 6)),
    ] {
        let packet = join(&[&ethernet(0x0800), &header, &tcp()]);
        assert_eq!(flags(&packet), ["malformed", "non_ip"], "{what}");
    }
}

#[test]
fn ipv4_options_are_walked_over_and_may_be_cut_off() {
    let whole = join(&[&ethernet(0x0800), &ipv4(15, 80, 0, 6), &tcp()]);
    assert_eq!((ports(&whole), flags(&whole)), (Some((1234, 80)), vec![]));
    for length in 34..74 {
        assert_eq!((protocol(&whole[..length]), ports(&whole[..length])), (Some(6), None), "{length}");
        assert_eq!(flags(&whole[..length]), ["truncated"], "{length}");
        assert_eq!(Headers::of(&whole[..length]).l4_offset, 0);
    }
}

#[test]
fn the_total_length_ends_an_ipv4_packet_before_its_padding() {
    for (total, expected) in [(23, None), (24, Some((1234, 80))), (33, Some((1234, 80)))] {
        let packet = join(&[&ethernet(0x0800), &ipv4(5, total, 0, 6), &tcp()]);
        assert_eq!((ports(&packet), flags(&packet)), (expected, vec!["truncated"]), "{total}");
        assert_eq!(Headers::of(&packet).aux, None);
    }
    let packet = join(&[&ethernet(0x0800), &ipv4(5, 34, 0, 6), &tcp()]);
    assert_eq!((Headers::of(&packet).aux, flags(&packet)), (Some(0x12), vec!["truncated"]));
}

#[test]
fn ipv4_fragments_are_marked_and_later_ones_have_no_ports() {
    let first = join(&[&ethernet(0x0800), &ipv4(5, 40, 0x2000, 6), &tcp()]);
    assert_eq!((ports(&first), flags(&first)), (Some((1234, 80)), vec!["fragment"]));
    assert!(Headers::of(&first).fragment && !Headers::of(&first).later_fragment);
    for fragment in [0x0001, 0x2001, 0x1fff] {
        let later = join(&[&ethernet(0x0800), &ipv4(5, 40, fragment, 6), &tcp()]);
        assert_eq!((protocol(&later), ports(&later), flags(&later)), (Some(6), None, vec!["fragment"]));
        assert!(Headers::of(&later).later_fragment);
    }
    // A later fragment ends the walk before cut options are looked at, a first one does not.
    let later = join(&[&ethernet(0x0800), &ipv4(6, 40, 0x2001, 6)[..20]]);
    assert_eq!(flags(&later), ["fragment"]);
    let first = join(&[&ethernet(0x0800), &ipv4(6, 40, 0x2000, 6)[..20]]);
    assert_eq!(flags(&first), ["truncated", "fragment"]);
    // Neither "do not fragment" nor the reserved bit makes a fragment.
    let whole = join(&[&ethernet(0x0800), &ipv4(5, 40, 0xc000, 6), &tcp()]);
    assert_eq!(flags(&whole), [""; 0]);
}

#[test]
fn an_authentication_header_is_not_walked_over_in_ipv4() {
    let packet =
        join(&[&ethernet(0x0800), &ipv4(5, 52, 0, 51), &[6, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], &tcp()]);
    assert_eq!((protocol(&packet), ports(&packet), flags(&packet)), (Some(51), None, vec![]));
}

#[test]
fn an_ipv6_header_must_be_there_and_have_its_version() {
    let whole = join(&[&ethernet(0x86dd), &ipv6(20, 6), &tcp()]);
    let headers = Headers::of(&whole);
    let ip = headers.ip.unwrap();
    assert_eq!(ip.src, "2001:db8::1".parse::<IpAddr>().unwrap());
    assert_eq!(ip.dst, "2001:db8::2".parse::<IpAddr>().unwrap());
    assert_eq!((ip.ports, headers.aux, headers.l4_offset), (Some((1234, 80)), Some(0x12), 54));
    for length in 14..54 {
        assert_eq!(flags(&whole[..length]), ["truncated", "non_ip"], "{length}");
    }
    let mut wrong = whole;
    wrong[14] = 0x40;
    assert_eq!(flags(&wrong), ["malformed", "non_ip"]);
}

#[test]
fn every_ipv6_extension_header_is_walked_over_by_its_length() {
    for kind in [0, 43, 60, 135, 139, 140] {
        let extension = join(&[&[6, 1], &[0; 14]]);
        let packet = join(&[&ethernet(0x86dd), &ipv6(36, kind), &extension, &tcp()]);
        assert_eq!((ports(&packet), flags(&packet)), (Some((1234, 80)), vec![]), "{kind}");
    }
    // (length + 2) * 4 bytes; a length of zero is eight bytes as any other.
    for words in [0_u8, 1, 4] {
        let mut extension = vec![6, words];
        extension.resize((usize::from(words) + 2) * 4, 0);
        let packet = join(&[&ethernet(0x86dd), &ipv6(60, 51), &extension, &tcp()]);
        assert_eq!((ports(&packet), flags(&packet)), (Some((1234, 80)), vec![]), "{words}");
    }
    // Encapsulating security payload and "no next header" end the walk.
    for last in [50, 59] {
        let packet = join(&[&ethernet(0x86dd), &ipv6(28, 60), &[last, 0, 0, 0, 0, 0, 0, 0], &tcp()]);
        assert_eq!((protocol(&packet), ports(&packet), flags(&packet)), (Some(last), None, vec![]));
    }
}

#[test]
fn eight_extension_headers_are_walked_over_and_a_ninth_is_not() {
    for count in 7..=10 {
        let mut chain = [60, 0, 0, 0, 0, 0, 0, 0].repeat(count - 1);
        chain.extend([6, 0, 0, 0, 0, 0, 0, 0]);
        let packet = join(&[&ethernet(0x86dd), &ipv6(20 + 8 * count as u16, 60), &chain, &tcp()]);
        if count <= 8 {
            assert_eq!(
                (protocol(&packet), ports(&packet), flags(&packet)),
                (Some(6), Some((1234, 80)), vec![])
            );
        } else {
            assert_eq!(
                (protocol(&packet), ports(&packet), flags(&packet)),
                (Some(60), None, vec!["ext_chain"])
            );
            // The count is looked at before what is left of the packet.
            let cut = &packet[..54 + 64];
            assert_eq!((protocol(cut), flags(cut)), (Some(60), vec!["ext_chain"]));
        }
    }
}

#[test]
fn an_extension_header_that_is_cut_off_is_truncated() {
    let extension = join(&[&[6, 1], &[0; 14]]);
    let packet = join(&[&ethernet(0x86dd), &ipv6(36, 60), &extension, &tcp()]);
    for length in 54..62 {
        assert_eq!(protocol(&packet[..length]), Some(60), "{length}");
        assert_eq!(flags(&packet[..length]), ["truncated"], "{length}");
    }
    // Its first eight bytes are enough to go on to a header that is not there.
    for length in 62..70 {
        assert_eq!((protocol(&packet[..length]), ports(&packet[..length])), (Some(6), None), "{length}");
        assert_eq!(flags(&packet[..length]), ["truncated"], "{length}");
        assert_eq!(Headers::of(&packet[..length]).l4_offset, 0, "{length}");
    }
    assert_eq!(Headers::of(&packet[..70]).l4_offset, 70);
    // The payload length cuts as the end of the packet does.
    let packet = join(&[&ethernet(0x86dd), &ipv6(7, 60), &extension, &tcp()]);
    assert_eq!((protocol(&packet), flags(&packet)), (Some(60), vec!["truncated"]));
    let packet = join(&[&ethernet(0x86dd), &ipv6(0, 6), &tcp()]);
    assert_eq!((protocol(&packet), ports(&packet), flags(&packet)), (Some(6), None, vec!["truncated"]));
}

#[test]
fn ipv6_fragments_are_marked_and_later_ones_have_no_ports() {
    let fragment = |bits: u16| {
        let [high, low] = bits.to_be_bytes();
        join(&[&ethernet(0x86dd), &ipv6(28, 44), &[6, 9, high, low, 0, 0, 0, 1], &tcp()])
    };
    let first = fragment(0x0001);
    assert_eq!((ports(&first), flags(&first)), (Some((1234, 80)), vec!["fragment"]));
    for bits in [0x0008, 0x0009, 0xfff8] {
        let later = fragment(bits);
        assert_eq!((protocol(&later), ports(&later), flags(&later)), (Some(6), None, vec!["fragment"]));
        assert!(Headers::of(&later).later_fragment);
    }
    // Atomic (RFC 6946), also with the reserved bits set: whole. The second byte is no length.
    for bits in [0, 0x0006] {
        let whole = fragment(bits);
        assert_eq!((ports(&whole), flags(&whole)), (Some((1234, 80)), vec![]));
        assert!(!Headers::of(&whole).fragment);
    }
    // A later fragment ends the walk with what stands in it, also an extension header.
    let mut later = fragment(0x0008);
    later[54] = 60;
    assert_eq!((protocol(&later), flags(&later)), (Some(60), vec!["fragment"]));
}

#[test]
fn transport_headers_give_what_is_there() {
    for (kind, whole, has_ports, aux_at) in [
        (6, 20, true, Some(14)),
        (17, 8, true, None),
        (132, 12, true, None),
        (1, 8, false, Some(2)),
        (58, 8, false, Some(2)),
    ] {
        for there in 0..=whole {
            let packet = join(&[&ethernet(0x0800), &ipv4(5, 20 + there as u16, 0, kind), &tcp()[..there]]);
            let headers = Headers::of(&packet);
            let ports = headers.ip.unwrap().ports;
            assert_eq!(ports, (has_ports && there >= 4).then_some((1234, 80)), "{kind} {there}");
            let aux = if kind == 6 { 0x12 } else { 0x04d2 };
            assert_eq!(headers.aux, aux_at.filter(|at| there >= *at).map(|_| aux), "{kind} {there}");
            let expected = if there < whole { Flags::TRUNCATED } else { 0 };
            assert_eq!(headers.flags, Flags(expected), "{kind} {there}");
            assert_eq!(headers.l4_offset, 34);
        }
    }
    let other = join(&[&ethernet(0x0800), &ipv4(5, 20, 0, 89)]);
    assert_eq!((protocol(&other), ports(&other), flags(&other)), (Some(89), None, vec![]));
    assert_eq!(Headers::of(&other).l4_offset, 34);
}

#[test]
fn protocols_with_a_packet_inside_are_tunnels_however_the_walk_stopped() {
    for kind in [4, 41, 47, 137] {
        let packet = join(&[&ethernet(0x0800), &ipv4(6, 24, 0, kind)]);
        assert_eq!(flags(&packet), ["tunnel"]);
        assert_eq!(flags(&packet[..34]), ["truncated", "tunnel"]);
        let later = join(&[&ethernet(0x0800), &ipv4(5, 20, 1, kind)]);
        assert_eq!(flags(&later), ["fragment", "tunnel"]);
        let packet = join(&[&ethernet(0x86dd), &ipv6(8, 60), &[kind, 0, 0, 0, 0, 0, 0, 0]]);
        assert_eq!(flags(&packet), ["tunnel"]);
    }
}

#[test]
fn a_packet_of_more_than_9216_bytes_is_jumbo() {
    let mut packet = join(&[&ethernet(0x0800), &ipv4(5, 40, 0, 6), &tcp()]);
    packet.resize(9216, 0);
    assert_eq!(flags(&packet), [""; 0]);
    packet.push(0);
    assert_eq!((ports(&packet), flags(&packet)), (Some((1234, 80)), vec!["jumbo"]));
}

fn range(first: &str, last: &str) -> AddressRange {
    AddressRange { first: first.parse().unwrap(), last: last.parse().unwrap() }
}

fn any() -> AddressList {
    let include =
        vec![range("0.0.0.0", "255.255.255.255"), range("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")];
    AddressList { include, exclude: vec![] }
}

fn anything() -> Condition {
    Condition {
        family: Family::Ip,
        protocols: vec![(0, 0)],
        src: any(),
        dst: any(),
        sport: PortList::Any,
        dport: PortList::Any,
        details: Details::default(),
    }
}

fn acl(conditions: Vec<Condition>) -> Reference {
    let rule = |condition| AclRule { condition, action: AclAction::Match, origin: Origin::default() };
    Reference::new(&RuleSet { acl: conditions.into_iter().map(rule).collect(), ..RuleSet::default() })
}

fn v4_packet() -> Vec<u8> {
    join(&[&ethernet(0x0800), &ipv4(5, 40, 0, 6), &tcp()])
}

fn v6_packet() -> Vec<u8> {
    join(&[&ethernet(0x86dd), &ipv6(20, 6), &tcp()])
}

#[test]
fn the_first_acl_rule_that_matches_wins() {
    let none = Condition { protocols: vec![(17, 0xff)], ..anything() };
    assert_eq!(acl(vec![none.clone(), anything(), anything()]).decide(&v4_packet()).acl, Some(1));
    assert_eq!(acl(vec![none]).decide(&v4_packet()).acl, None);
    assert_eq!(acl(vec![]).decide(&v4_packet()).acl, None);
}

#[test]
fn a_packet_that_is_no_ip_matches_only_what_asks_for_nothing_of_ip() {
    let arp = ethernet(0x0806);
    assert_eq!(acl(vec![anything()]).decide(&arp).acl, None);
    let every = Condition { family: Family::Any, ..anything() };
    assert_eq!(acl(vec![every.clone()]).decide(&arp).acl, Some(0));
    assert_eq!(acl(vec![every.clone()]).decide(&[]).acl, Some(0));
    assert_eq!(acl(vec![every.clone()]).decide(&v6_packet()).acl, Some(0));
    let detailed = |details| Condition { details, ..every.clone() };
    let some = AddressList { include: vec![range("0.0.0.0", "255.255.255.255")], exclude: vec![] };
    let port = PortList::Ports { include: vec![0..=65535], exclude: vec![] };
    for asks in [
        Condition { protocols: vec![(0, 0xff)], ..every.clone() },
        Condition { src: some.clone(), ..every.clone() },
        Condition { dst: some, ..every.clone() },
        Condition { sport: port.clone(), ..every.clone() },
        Condition { dport: port, ..every.clone() },
        detailed(Details { fragment: Some(false), ..Details::default() }),
        detailed(Details { later_fragment: Some(false), ..Details::default() }),
        detailed(Details { aux: AuxList::Values(vec![(0, 0)]), ..Details::default() }),
    ] {
        assert_eq!(acl(vec![asks.clone()]).decide(&arp).acl, None, "{asks:?}");
    }
    let tagged = join(&[&ethernet(0x8100), &[0, 5, 8, 6]]);
    for (vlan, packet, other) in [(true, &tagged, &arp), (false, &arp, &tagged)] {
        let mut judge = acl(vec![detailed(Details { vlan: Some(vlan), ..Details::default() })]);
        assert_eq!((judge.decide(packet).acl, judge.decide(other).acl), (Some(0), None));
    }
}

#[test]
fn details_are_what_they_say() {
    let with = |details| acl(vec![Condition { details, ..anything() }]);
    let aux = |values: &[(u16, u16)]| Details { aux: AuxList::Values(values.to_vec()), ..Details::default() };
    let mut packet = v4_packet();
    packet[14 + 20 + 13] = 0x12;
    assert_eq!(with(aux(&[(0x12, 0xff)])).decide(&packet).acl, Some(0));
    assert_eq!(with(aux(&[(0x02, 0x02)])).decide(&packet).acl, Some(0));
    assert_eq!(with(aux(&[(0x02, 0xff), (0x10, 0x18)])).decide(&packet).acl, Some(0));
    assert_eq!(with(aux(&[(0x02, 0x12)])).decide(&packet).acl, None);
    assert_eq!(with(aux(&[])).decide(&packet).acl, None);
    // The flags are cut off.
    assert_eq!(with(aux(&[(0, 0)])).decide(&packet[..14 + 20 + 13]).acl, None);
    for (offset, fragment, later) in [(0u16, false, false), (0x2000, true, false), (0x2001, true, true)] {
        packet[20..22].copy_from_slice(&offset.to_be_bytes());
        for asked in [false, true] {
            let details = Details { fragment: Some(asked), ..Details::default() };
            assert_eq!(with(details).decide(&packet).acl.is_some(), fragment == asked, "{offset:#x}");
            let details = Details { later_fragment: Some(asked), ..Details::default() };
            assert_eq!(with(details).decide(&packet).acl.is_some(), later == asked, "{offset:#x}");
        }
    }
}

#[test]
fn families_do_not_mix_also_not_under_a_prefix_of_length_zero() {
    let v4 = Condition {
        src: AddressList { include: vec![range("0.0.0.0", "255.255.255.255")], exclude: vec![] },
        ..anything()
    };
    assert_eq!(acl(vec![v4.clone()]).decide(&v4_packet()).acl, Some(0));
    assert_eq!(acl(vec![v4]).decide(&v6_packet()).acl, None);
    for (family, packet, other) in
        [(Family::V4, v4_packet(), v6_packet()), (Family::V6, v6_packet(), v4_packet())]
    {
        let mut judge = acl(vec![Condition { family, ..anything() }]);
        assert_eq!((judge.decide(&packet).acl, judge.decide(&other).acl), (Some(0), None));
    }
}

#[test]
fn one_of_the_protocols_must_fit_under_its_mask() {
    for (protocols, expected) in [
        (vec![(6, 0xff)], true),
        (vec![(1, 0xff), (7, 0xfe)], true),
        (vec![(1, 0xff), (58, 0xff)], false),
        (vec![], false),
    ] {
        let mut judge = acl(vec![Condition { protocols: protocols.clone(), ..anything() }]);
        assert_eq!(judge.decide(&v4_packet()).acl.is_some(), expected, "{protocols:?}");
    }
}

#[test]
fn lists_take_their_exclusions_out() {
    let with = |include: Vec<AddressRange>, exclude| {
        let list = AddressList { include, exclude };
        acl(vec![Condition { src: list, ..anything() }]).decide(&v4_packet()).acl.is_some()
    };
    let around = range("10.0.0.0", "10.255.255.255");
    let other = range("11.0.0.0", "11.0.0.1");
    assert!(with(vec![other, around], vec![]));
    assert!(with(vec![range("10.0.0.1", "10.0.0.1")], vec![other]));
    assert!(!with(vec![range("10.0.0.2", "10.0.0.9")], vec![]));
    assert!(!with(vec![around], vec![other, range("10.0.0.0", "10.0.0.1")]));
    let with = |include: Vec<RangeInclusive<u16>>, exclude| {
        let dport = PortList::Ports { include, exclude };
        acl(vec![Condition { dport, ..anything() }]).decide(&v4_packet()).acl.is_some()
    };
    assert!(with(vec![1..=2, 80..=80], vec![81..=81]));
    assert!(!with(vec![0..=65535], vec![79..=80]));
    assert!(!with(vec![], vec![]));
}

#[test]
fn a_rule_with_ports_asks_for_ports() {
    let every = PortList::Ports { include: vec![0..=65535], exclude: vec![] };
    let mut judge = acl(vec![Condition { sport: every, ..anything() }]);
    assert_eq!(judge.decide(&v4_packet()).acl, Some(0));
    let later = join(&[&ethernet(0x0800), &ipv4(5, 40, 1, 6), &tcp()]);
    assert_eq!(judge.decide(&later).acl, None);
    let icmp = join(&[&ethernet(0x0800), &ipv4(5, 40, 0, 1), &tcp()]);
    assert_eq!(judge.decide(&icmp).acl, None);
}

fn signature(condition: Condition, bidirectional: bool, class: RuleClass) -> Signature {
    Signature {
        sid: 1,
        gid: 1,
        rev: 0,
        action: SignatureAction::Alert,
        msg: String::new(),
        detect: Detect::default(),
        classtype: None,
        priority: None,
        references: vec![],
        metadata: vec![],
        condition,
        bidirectional,
        class,
        origin: Origin::default(),
    }
}

#[test]
fn every_exact_signature_that_matches_is_reported_in_order() {
    let udp = Condition { protocols: vec![(17, 0xff)], ..anything() };
    let signatures = vec![
        signature(anything(), false, RuleClass::Exact),
        signature(udp, false, RuleClass::Exact),
        signature(anything(), false, RuleClass::Refused("content".to_owned())),
        signature(anything(), false, RuleClass::Exact),
    ];
    let mut judge = Reference::new(&RuleSet { signatures, ..RuleSet::default() });
    assert_eq!(judge.decide(&v4_packet()).signatures, [0, 3]);
}

#[test]
fn a_bidirectional_signature_matches_both_ways_with_addresses_and_ports_together() {
    let host = |address: &str| AddressList { include: vec![range(address, address)], exclude: vec![] };
    let port = |port: u16| PortList::Ports { include: vec![port..=port], exclude: vec![] };
    let answer = Condition { src: host("10.0.0.2"), dst: host("10.0.0.1"), sport: port(80), ..anything() };
    let mixed = Condition { src: host("10.0.0.2"), sport: port(1234), ..anything() };
    for (condition, bidirectional, expected) in [
        (answer.clone(), false, false),
        (answer, true, true),
        (mixed.clone(), false, false),
        (mixed, true, false),
    ] {
        let signatures = vec![signature(condition, bidirectional, RuleClass::Exact)];
        let mut judge = Reference::new(&RuleSet { signatures, ..RuleSet::default() });
        assert_eq!(!judge.decide(&v4_packet()).signatures.is_empty(), expected);
    }
}

/// A UDP packet over IPv4 from port 1234 to port 80.
fn udp_packet(payload: &[u8]) -> Vec<u8> {
    let length = (8 + payload.len()) as u16;
    let header = join(&[&[0x04, 0xd2, 0, 80], &length.to_be_bytes(), &[0, 0]]);
    join(&[&ethernet(0x0800), &ipv4(5, 20 + length, 0, 17), &header, payload])
}

/// A judge by one rule that asks this and nothing of the header but IP.
fn judge(detect: Detect) -> Reference {
    let signatures = vec![Signature { detect, ..signature(anything(), false, RuleClass::ExactOnHost) }];
    Reference::new(&RuleSet { signatures, ..RuleSet::default() })
}

/// Whether a packet matches a rule that asks this.
fn matches(detect: &Detect, packet: &[u8]) -> bool {
    !judge(detect.clone()).decide(packet).signatures.is_empty()
}

/// What a rule asks that has these tests of one buffer.
fn asks(buffer: Buffer, tests: Vec<Test>) -> Detect {
    Detect { buffers: vec![BufferTests { buffer, tests }], ..Detect::default() }
}

/// Whether the payload of a packet satisfies tests.
fn payload_satisfies(payload: &[u8], tests: Vec<Test>) -> bool {
    matches(&asks(Buffer::Payload, tests), &udp_packet(payload))
}

/// A content, and what is changed of it.
fn content(bytes: &[u8], change: impl FnOnce(&mut Content)) -> Test {
    let mut content = Content { bytes: bytes.to_vec(), ..Content::default() };
    change(&mut content);
    Test::Content(content)
}

fn exactly(value: u64) -> NumberTest {
    NumberTest { first: value, last: value, negated: false }
}

fn other_than(value: u64) -> NumberTest {
    NumberTest { negated: true, ..exactly(value) }
}

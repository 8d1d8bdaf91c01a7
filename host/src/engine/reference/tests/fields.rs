//! Single fields: where they are, and which packets have them.

use super::*;
use crate::rules::detect::{BitTest, BitsAsk, FieldTest};

/// Whether a packet satisfies one test of a field.
fn has(packet: &[u8], test: FieldTest) -> bool {
    matches(&Detect { fields: vec![test], ..Detect::default() }, packet)
}

/// Checks that a field of a packet has a value, or that the packet does not have it: then no test holds, also not a
/// negated one.
fn expect(packet: &[u8], test: fn(NumberTest) -> FieldTest, value: Option<u64>) {
    let any = NumberTest { first: 0, last: u64::MAX, negated: false };
    assert_eq!(has(packet, test(any)), value.is_some());
    let nothing = NumberTest { first: 5, last: 4, negated: true };
    assert_eq!(has(packet, test(nothing)), value.is_some());
    if let Some(value) = value {
        assert!(has(packet, test(exactly(value))), "not {value}");
        assert!(!has(packet, test(other_than(value))), "not {value}");
    }
}

fn v4(protocol: u8, behind: &[u8]) -> Vec<u8> {
    join(&[&ethernet(0x0800), &ipv4(5, 20 + behind.len() as u16, 0, protocol), behind])
}

fn v6(protocol: u8, behind: &[u8]) -> Vec<u8> {
    join(&[&ethernet(0x86dd), &ipv6(behind.len() as u16, protocol), behind])
}

/// IPv4 with these options, filled up with zeros.
fn with_options(options: &[u8]) -> Vec<u8> {
    let words = 5 + options.len().div_ceil(4);
    let mut header = ipv4(words as u8, words as u16 * 4, 0, 89);
    header[20..].fill(0);
    header[20..20 + options.len()].copy_from_slice(options);
    join(&[&ethernet(0x0800), &header])
}

#[test]
fn the_size_of_the_payload() {
    for length in [0, 1, 300, 1400] {
        expect(&udp_packet(&vec![1; length]), FieldTest::PayloadSize, Some(length as u64));
    }
    expect(&v4(17, &[0; 7]), FieldTest::PayloadSize, None);
    expect(&v4(89, &[0; 7]), FieldTest::PayloadSize, Some(7));
}

#[test]
fn fields_of_ip_headers() {
    let mut four = udp_packet(b"");
    (four[15], four[22]) = (0xb8, 200);
    four[18..20].copy_from_slice(&[0x12, 0x34]);
    expect(&four, FieldTest::Ttl, Some(200));
    expect(&four, FieldTest::Tos, Some(0xb8));
    expect(&four, FieldTest::IpId, Some(0x1234));
    expect(&four, FieldTest::IpProtocol, Some(17));
    expect(&four, FieldTest::FragmentOffset, Some(0));
    let mut six = v6(60, &join(&[&[17, 0, 0, 0, 0, 0, 0, 0], &[0; 8]]));
    six[21] = 3;
    expect(&six, FieldTest::Ttl, Some(3));
    expect(&six, FieldTest::IpProtocol, Some(17));
    for test in [FieldTest::Tos, FieldTest::IpId, FieldTest::FragmentOffset] {
        expect(&six, test, None);
    }
    let arp = join(&[&ethernet(0x0806), &[1; 60]]);
    for test in [
        FieldTest::Ttl,
        FieldTest::Tos,
        FieldTest::IpId,
        FieldTest::IpProtocol,
        FieldTest::FragmentOffset,
        FieldTest::PayloadSize,
    ] {
        expect(&arp, test, None);
    }
    // The first 20 bytes are enough, whatever is cut off behind them.
    let cut = &with_options(&[7, 3, 4])[..34];
    expect(cut, FieldTest::Ttl, Some(64));
    expect(cut, FieldTest::IpId, Some(0));
}

#[test]
fn fragments_tell_their_bits_and_offset() {
    let packet = |bits: u16| join(&[&ethernet(0x0800), &ipv4(5, 28, bits, 17), &[0; 8]]);
    expect(&packet(0xffff), FieldTest::FragmentOffset, Some(0x1fff));
    expect(&packet(0xe005), FieldTest::FragmentOffset, Some(5));
    let test = |asks, bits, ignored| FieldTest::FragmentBits(BitTest { bits, ignored, asks });
    for (bits, exactly, all, any, none) in [
        (0x0000, false, false, false, true),
        (0x4000, true, true, true, false),
        (0x6000, false, true, true, false),
        (0x2000, false, false, false, true),
        (0xa000, false, false, false, true),
        (0xe123, false, true, true, false),
    ] {
        let packet = packet(bits);
        assert_eq!(has(&packet, test(BitsAsk::Exactly, 2, 0)), exactly, "{bits:#x}");
        assert_eq!(has(&packet, test(BitsAsk::All, 2, 0)), all, "{bits:#x}");
        assert_eq!(has(&packet, test(BitsAsk::Any, 2, 0)), any, "{bits:#x}");
        assert_eq!(has(&packet, test(BitsAsk::None, 2, 0)), none, "{bits:#x}");
    }
    assert!(!has(&v6(17, &[0; 8]), test(BitsAsk::None, 2, 0)));
}

#[test]
fn options_of_ipv4_end_at_the_first_zero() {
    let any = |packet: &[u8]| has(packet, FieldTest::IpOption(None));
    let has = |options: &[u8], kind| has(&with_options(options), FieldTest::IpOption(kind));
    // Record route, router alert, end.
    let options = [7, 3, 4, 1, 148, 4, 0, 0, 0, 68, 4, 5];
    for (kind, expected) in
        [(7, true), (1, true), (148, true), (0, true), (68, false), (131, false), (20, false)]
    {
        assert_eq!(has(&options, Some(kind)), expected, "{kind}");
    }
    assert!(has(&options, None));
    // Lengths that make no sense end the walk, with their own option.
    for broken in [&[1, 7, 0, 1][..], &[1, 7, 1, 1], &[1, 7, 9, 1], &[1, 1, 1, 7]] {
        assert!(has(broken, Some(1)) && !has(broken, Some(7)), "{broken:?}");
    }
    assert!(has(&[7, 4, 4, 0], Some(7)) && !has(&[7, 4, 4, 0], Some(0)));
    // No options, options that are cut off, IPv6.
    assert!(!any(&v4(89, &[])));
    assert!(!any(&with_options(&[7, 3, 4, 0])[..37]));
    assert!(!any(&v6(0, &[17, 0, 5, 2, 0, 0, 0, 0])));
}

#[test]
fn the_same_address_on_both_sides() {
    let mut packet = udp_packet(b"");
    assert!(!has(&packet, FieldTest::SameAddress));
    packet[33] = 1;
    assert!(has(&packet, FieldTest::SameAddress));
    let mut packet = v6(17, &[0; 8]);
    assert!(!has(&packet, FieldTest::SameAddress));
    packet[53] = 1;
    assert!(has(&packet, FieldTest::SameAddress));
    assert!(!has(&ethernet(0x0806), FieldTest::SameAddress));
}

#[test]
fn tcp_flags_under_each_kind_of_test() {
    let packet = |flags| {
        let mut header = tcp();
        header[13] = flags;
        v4(6, &header)
    };
    let test = |asks, bits, ignored| FieldTest::TcpFlags(BitTest { bits, ignored, asks });
    for (flags, exactly, all, any, none) in [
        (0x12, true, true, true, false),
        (0x1a, false, true, true, false),
        (0x10, false, false, true, false),
        (0x08, false, false, false, true),
        (0xd2, false, true, true, false),
    ] {
        let packet = packet(flags);
        assert_eq!(has(&packet, test(BitsAsk::Exactly, 0x12, 0)), exactly, "{flags:#x}");
        assert_eq!(has(&packet, test(BitsAsk::All, 0x12, 0)), all, "{flags:#x}");
        assert_eq!(has(&packet, test(BitsAsk::Any, 0x12, 0)), any, "{flags:#x}");
        assert_eq!(has(&packet, test(BitsAsk::None, 0x12, 0)), none, "{flags:#x}");
    }
    // Ignored bits are cleared in both.
    assert!(has(&packet(0xd2), test(BitsAsk::Exactly, 0x12, 0xc0)));
    assert!(has(&packet(0x10), test(BitsAsk::Exactly, 0x12, 0x02)));
    assert!(!has(&packet(0x02), test(BitsAsk::Any, 0x12, 0x02)));
    // No flags asked for.
    assert!(has(&packet(0), test(BitsAsk::Exactly, 0, 0)) && !has(&packet(1), test(BitsAsk::Exactly, 0, 0)));
    // Byte 13 must be there.
    for (length, expected) in [(13, false), (14, true)] {
        assert_eq!(has(&v4(6, &tcp()[..length]), test(BitsAsk::All, 0x12, 0)), expected);
    }
    assert!(!has(&udp_packet(&[0; 20]), test(BitsAsk::None, 0xff, 0)));
    let later = join(&[&ethernet(0x0800), &ipv4(5, 40, 1, 6), &tcp()]);
    assert!(!has(&later, test(BitsAsk::All, 0x12, 0)));
}

#[test]
fn numbers_of_a_tcp_header() {
    let mut header = tcp();
    header[4..12].copy_from_slice(&[1, 2, 3, 4, 0xff, 6, 7, 8]);
    header[14..16].copy_from_slice(&[0x20, 0x01]);
    for packet in [v4(6, &header), v6(6, &header)] {
        expect(&packet, FieldTest::TcpSequence, Some(0x0102_0304));
        expect(&packet, FieldTest::TcpAcknowledgement, Some(0xff06_0708));
        expect(&packet, FieldTest::TcpWindow, Some(0x2001));
        expect(&packet, FieldTest::TcpMss, None);
    }
    for packet in [v4(6, &header[..19]), v4(17, &header)] {
        for test in [FieldTest::TcpSequence, FieldTest::TcpAcknowledgement, FieldTest::TcpWindow] {
            expect(&packet, test, None);
        }
    }
    // The header's own length does not count for them.
    header[12] = 0x10;
    expect(&v4(6, &header), FieldTest::TcpSequence, Some(0x0102_0304));
}

#[test]
fn the_maximum_segment_size_is_the_first_option_of_its_kind_and_length() {
    for (options, expected) in [
        (&[2, 4, 5, 0xb4][..], Some(1460)),
        (&[1, 1, 2, 4, 1, 2, 2, 4, 9, 9, 0, 0], Some(0x0102)),
        (&[3, 3, 7, 2, 4, 1, 2, 0], Some(0x0102)),
        (&[2, 3, 7, 2, 4, 1, 2, 0], Some(0x0102)),
        (&[0, 2, 4, 1, 2, 0, 0, 0], None),
        (&[3, 1, 2, 4, 1, 2, 0, 0], None),
        (&[3, 0, 2, 4, 1, 2, 0, 0], None),
        (&[3, 9, 2, 4, 1, 2, 0, 0], None),
        (&[1, 2, 4, 1], None),
        (&[1, 1, 1, 2], None),
        (&[4, 2, 1, 1], None),
    ] {
        let mut header = tcp();
        header.extend(options);
        header[12] = (header.len() as u8 / 4) << 4;
        header.extend(b"payload");
        expect(&v4(6, &header), FieldTest::TcpMss, expected);
        // Options that are not wholly there are none.
        expect(&v4(6, &header[..19 + options.len()]), FieldTest::TcpMss, None);
    }
}

#[test]
fn icmp_has_type_and_code_and_some_types_have_an_identifier() {
    for (protocol, kinds) in [(1, &[0, 8, 13, 14, 15, 16, 17, 18][..]), (58, &[128, 129])] {
        for kind in 0..=255 {
            let header = [kind, 7, 0, 0, 0x12, 0x34, 0x56, 0x78];
            for packet in [v4(protocol, &header), v6(protocol, &header)] {
                expect(&packet, FieldTest::IcmpType, Some(u64::from(kind)));
                expect(&packet, FieldTest::IcmpCode, Some(7));
                let there = kinds.contains(&kind);
                expect(&packet, FieldTest::IcmpId, there.then_some(0x1234));
                expect(&packet, FieldTest::IcmpSequence, there.then_some(0x5678));
            }
        }
        // What is there of a header that is cut off.
        let header = [kinds[0], 7, 0, 0, 0x12, 0x34, 0x56, 0x78];
        for length in 0..8 {
            let packet = v4(protocol, &header[..length]);
            expect(&packet, FieldTest::IcmpType, (length >= 2).then_some(u64::from(kinds[0])));
            expect(&packet, FieldTest::IcmpCode, (length >= 2).then_some(7));
            expect(&packet, FieldTest::IcmpId, (length >= 6).then_some(0x1234));
            expect(&packet, FieldTest::IcmpSequence, None);
        }
    }
    for test in [FieldTest::IcmpType, FieldTest::IcmpCode, FieldTest::IcmpId, FieldTest::IcmpSequence] {
        expect(&udp_packet(b"abc"), test, None);
    }
}

#[test]
fn all_fields_must_hold() {
    let fields = |ttl| vec![FieldTest::IpProtocol(exactly(17)), FieldTest::Ttl(exactly(ttl))];
    for (ttl, expected) in [(64, true), (65, false)] {
        let detect = Detect { fields: fields(ttl), ..Detect::default() };
        assert_eq!(matches(&detect, &udp_packet(b"")), expected);
    }
}

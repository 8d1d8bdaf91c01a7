//! Fields and buffers of packets that have them and of those that do not.

use super::*;
use crate::rules::detect::{BitTest, BitsAsk};

fn is(value: u64) -> NumberTest {
    NumberTest { first: value, last: value, negated: false }
}

fn is_not(value: u64) -> NumberTest {
    NumberTest { negated: true, ..is(value) }
}

fn bits(asks: BitsAsk, bits: u8, ignored: u8) -> BitTest {
    BitTest { bits, ignored, asks }
}

/// Length of a buffer that the packet has.
fn length(packet: &[u8], buffer: Buffer) -> Option<usize> {
    Layers::new(packet, Header::of(packet)).buffer(buffer).map(<[u8]>::len)
}

#[test]
fn payloads_begin_behind_the_transport_header() {
    let payload = |packet: &[u8]| length(packet, Buffer::Payload);
    assert_eq!(payload(&udp(b"abc")), Some(3));
    assert_eq!(payload(&udp(b"")), Some(0));
    assert_eq!(payload(&tcp(0x18, &[1, 1, 1, 0], b"abcd")), Some(4));
    assert_eq!(payload(&ipv4(132, &[0; 15])), Some(3));
    assert_eq!(payload(&ipv4(132, &[0; 11])), None);
    assert_eq!(payload(&ipv4(1, &[8; 12])), Some(4));
    assert_eq!(payload(&ipv4(1, &[8; 7])), None);
    assert_eq!(payload(&ipv6(58, &[128; 12])), Some(4));
    assert_eq!(payload(&ipv4(47, &[8; 12])), Some(12));
    assert_eq!(payload(&ipv6(59, &[])), Some(0));
    // Padding does not belong to it.
    assert_eq!(payload(&[udp(b"abc"), vec![0; 9]].concat()), Some(3));
    // A TCP header that is shorter than it can be, or longer than the packet.
    for (data_offset, expected) in [(4, None), (5, Some(8)), (7, Some(0)), (8, None)] {
        let mut packet = tcp(0x18, &[], &[0; 8]);
        packet[14 + 20 + 12] = data_offset << 4;
        assert_eq!(payload(&packet), expected, "{data_offset}");
        assert_eq!(length(&packet, Buffer::TcpHeader), expected.map(|_| usize::from(data_offset) * 4));
    }
    // Later fragments: all behind the IP headers.
    let mut later = ipv4(6, &[0; 5]);
    later[14 + 7] = 1;
    assert_eq!(payload(&later), Some(5));
    assert_eq!(payload(&later[..34]), Some(0));
    let fragment = [6, 0, 0, 9, 0, 0, 0, 1, 1, 2, 3];
    assert_eq!(payload(&ipv6(44, &fragment)), Some(3));
    let behind_options = [vec![44, 0, 0, 0, 0, 0, 0, 0], fragment.to_vec()].concat();
    assert_eq!(payload(&ipv6(0, &behind_options)), Some(3));
    // Where the walk stopped before the transport header.
    assert_eq!(payload(&ipv6(0, &[17, 1, 0, 0, 0, 0, 0, 0])), None);
    assert_eq!(payload(&udp(b"abc")[..20]), None);
    assert_eq!(payload(&[0; 40]), None);
    let mut tagged = udp(b"abc");
    tagged.splice(12..12, [0x81, 0, 0, 5, 0x88, 0xa8, 0, 6]);
    assert_eq!(payload(&tagged), Some(3));
}

#[test]
fn headers_are_buffers() {
    use Buffer::{Icmpv4Header, Icmpv6Header, Ipv4Header, Ipv6Header, TcpHeader, UdpHeader};
    let all = [Ipv4Header, Ipv6Header, TcpHeader, UdpHeader, Icmpv4Header, Icmpv6Header];
    let lengths = |packet: &[u8]| all.map(|buffer| length(packet, buffer));
    let none = None;
    assert_eq!(lengths(&udp(b"abc")), [Some(20), none, none, Some(8), none, none]);
    assert_eq!(lengths(&tcp(2, &[0; 4], b"abc")), [Some(20), none, Some(24), none, none, none]);
    assert_eq!(lengths(&ipv4(1, &[0; 9])), [Some(20), none, none, none, Some(9), none]);
    assert_eq!(lengths(&ipv4(1, &[0; 7])), [Some(20), none, none, none, none, none]);
    assert_eq!(lengths(&ipv4(58, &[0; 9])), [Some(20), none, none, none, none, none]);
    assert_eq!(lengths(&ipv6(58, &[0; 9])), [none, Some(40), none, none, none, Some(9)]);
    assert_eq!(lengths(&[0; 60]), [none; 6]);
    // A buffer that is not there satisfies nothing.
    let mut detect = payload_tests(&[]);
    for negated in [false, true] {
        let tests = vec![Test::Size(NumberTest { first: 0, last: 99, negated })];
        detect.buffers = vec![BufferTests { buffer: TcpHeader, tests }];
        assert_eq!(verdict(&udp(b"abc"), &detect), Ok(false));
    }
    let absent = Content { negated: true, ..content(b"a") };
    detect.buffers = vec![BufferTests { buffer: TcpHeader, tests: vec![Test::Content(absent)] }];
    assert_eq!(verdict(&udp(b"abc"), &detect), Ok(false));
    assert_eq!(verdict(&tcp(2, &[], b"abc"), &detect), Ok(true));
}

#[test]
fn fields_of_ip() {
    use FieldTest::{FragmentBits, FragmentOffset, IpId, IpProtocol, PayloadSize, SameAddress, Tos, Ttl};
    let four = udp(b"abc");
    for test in [PayloadSize(is(3)), Ttl(is(61)), Tos(is(0x1c)), IpId(is(0x1234)), IpProtocol(is(17))] {
        assert!(field(&four, test), "{test:?}");
        assert!(!field(&[0; 60], test), "{test:?}");
    }
    for test in [PayloadSize(is(4)), Ttl(is_not(61)), Tos(is(0)), IpId(is(0)), IpProtocol(is_not(17))] {
        assert!(!field(&four, test), "{test:?}");
    }
    let six = ipv6(17, &[0; 8]);
    for test in [PayloadSize(is(0)), Ttl(is(64)), IpProtocol(is(17))] {
        assert!(field(&six, test), "{test:?}");
    }
    // IPv6 does not have these, so no test of them holds.
    for test in
        [Tos(is_not(7)), IpId(is_not(7)), FragmentOffset(is_not(7)), FragmentBits(bits(BitsAsk::None, 7, 0))]
    {
        assert!(!field(&six, test), "{test:?}");
    }
    for (asks, asked, expected) in [
        (BitsAsk::Exactly, 2, true),
        (BitsAsk::Exactly, 3, false),
        (BitsAsk::All, 2, true),
        (BitsAsk::All, 3, false),
        (BitsAsk::Any, 3, true),
        (BitsAsk::Any, 1, false),
        (BitsAsk::None, 5, true),
        (BitsAsk::None, 6, false),
    ] {
        assert_eq!(field(&four, FragmentBits(bits(asks, asked, 0))), expected, "{asks:?} {asked}");
    }
    assert!(field(&four, FragmentBits(bits(BitsAsk::Exactly, 3, 1))));
    let mut fragment = four.clone();
    fragment[20..22].copy_from_slice(&0x2123u16.to_be_bytes());
    assert!(field(&fragment, FragmentOffset(is(0x123))));
    assert!(!field(&four, SameAddress));
    let mut same = four;
    same.copy_within(26..30, 30);
    assert!(field(&same, SameAddress));
}

#[test]
fn options_of_ipv4() {
    let with = |options: &[u8]| {
        let mut packet = udp(b"");
        packet.splice(34..34, options.iter().copied());
        packet[14] = 0x45 + options.len() as u8 / 4;
        packet[17] += options.len() as u8;
        packet
    };
    let has = |options: &[u8], kind| field(&with(options), FieldTest::IpOption(kind));
    assert!(has(&[7, 4, 1, 1, 1, 0, 0, 0], Some(7)));
    assert!(has(&[7, 4, 1, 1, 1, 0, 0, 0], Some(1)));
    assert!(has(&[7, 4, 1, 1, 1, 0, 0, 0], Some(0)));
    assert!(has(&[7, 4, 1, 1], None));
    assert!(!has(&[], None));
    assert!(!has(&[0, 7, 3, 1], Some(7)));
    assert!(!has(&[9, 1, 7, 4], Some(7)));
    assert!(!has(&[1, 1, 7, 4], Some(7)));
}

#[test]
fn fields_of_tcp() {
    use FieldTest::{TcpAcknowledgement, TcpFlags, TcpMss, TcpSequence, TcpWindow};
    let syn = tcp(0xc2, &[1, 2, 4, 5, 0xb4, 0, 0, 0], b"");
    for test in [
        TcpSequence(is(0x0102_0304)),
        TcpAcknowledgement(is(0x0506_0708)),
        TcpWindow(is(0x2000)),
        TcpMss(is(1460)),
        TcpFlags(bits(BitsAsk::Exactly, 0x02, 0xc0)),
        TcpFlags(bits(BitsAsk::All, 0x02, 0)),
    ] {
        assert!(field(&syn, test), "{test:?}");
        assert!(!field(&udp(b""), test), "{test:?}");
    }
    assert!(!field(&syn, TcpFlags(bits(BitsAsk::Exactly, 0x02, 0))));
    let mss = |options: &[u8]| {
        field(&tcp(2, options, b""), TcpMss(NumberTest { first: 0, last: 65535, negated: false }))
    };
    assert!(mss(&[2, 4, 0, 0]));
    assert!(!mss(&[]));
    assert!(!mss(&[0, 2, 4, 0]));
    assert!(!mss(&[2, 3, 0, 1, 2, 4, 0]));
    assert!(!mss(&[8, 1, 2, 4, 0, 0, 0, 0]));
    assert!(!mss(&[8, 9, 2, 4]));
}

#[test]
fn fields_of_icmp() {
    use FieldTest::{IcmpCode, IcmpId, IcmpSequence, IcmpType};
    let echo = ipv4(1, &[8, 3, 0, 0, 1, 2, 3, 4]);
    for test in [IcmpType(is(8)), IcmpCode(is(3)), IcmpId(is(0x0102)), IcmpSequence(is(0x0304))] {
        assert!(field(&echo, test), "{test:?}");
        assert!(!field(&udp(b""), test), "{test:?}");
    }
    let unreachable = ipv4(1, &[3, 3, 0, 0, 1, 2, 3, 4]);
    assert!(field(&unreachable, IcmpType(is(3))) && !field(&unreachable, IcmpId(is_not(0))));
    assert!(field(&ipv6(58, &[129, 0, 0, 0, 0, 9, 0, 7]), IcmpId(is(9))));
    assert!(!field(&ipv6(58, &[8, 0, 0, 0, 0, 9, 0, 7]), IcmpId(is(9))));
    assert!(
        field(&ipv4(1, &[8, 3]), IcmpType(is(8))) && !field(&ipv4(1, &[8, 3, 0, 0, 1]), IcmpId(is_not(0)))
    );
}

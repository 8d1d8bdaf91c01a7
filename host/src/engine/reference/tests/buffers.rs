//! Buffers: which bytes they are, and which packets have them.

use super::super::buffers::Buffers;
use super::*;

const ALL: [Buffer; 7] = [
    Buffer::Payload,
    Buffer::Ipv4Header,
    Buffer::Ipv6Header,
    Buffer::TcpHeader,
    Buffer::UdpHeader,
    Buffer::Icmpv4Header,
    Buffer::Icmpv6Header,
];

/// First byte in the packet and length of each buffer that the packet has.
fn buffers(packet: &[u8]) -> Vec<(Buffer, usize, usize)> {
    let buffers = Buffers::of(packet, &Headers::of(packet));
    let at = |bytes: &[u8]| bytes.as_ptr() as usize - packet.as_ptr() as usize;
    let found = |buffer| buffers.get(buffer).map(|bytes| (buffer, at(bytes), bytes.len()));
    ALL.into_iter().filter_map(found).collect()
}

fn payload(packet: &[u8]) -> Option<(usize, usize)> {
    buffers(packet).into_iter().find(|(buffer, ..)| *buffer == Buffer::Payload).map(|(_, at, len)| (at, len))
}

/// IPv4 with 20 bytes of header, that protocol and that behind it.
fn v4(protocol: u8, behind: &[u8]) -> Vec<u8> {
    join(&[&ethernet(0x0800), &ipv4(5, 20 + behind.len() as u16, 0, protocol), behind])
}

fn v6(protocol: u8, behind: &[u8]) -> Vec<u8> {
    join(&[&ethernet(0x86dd), &ipv6(behind.len() as u16, protocol), behind])
}

#[test]
fn the_payload_of_tcp_lies_behind_its_options() {
    for words in 5..=15_u8 {
        let mut behind = tcp();
        behind[12] = words << 4;
        behind.resize(70, 9);
        let (header, all) = (usize::from(words) * 4, 70);
        let expected = [
            (Buffer::Payload, 34 + header, all - header),
            (Buffer::Ipv4Header, 14, 20),
            (Buffer::TcpHeader, 34, header),
        ];
        assert_eq!(buffers(&v4(6, &behind)), expected, "{words}");
        let expected = [
            (Buffer::Payload, 54 + header, all - header),
            (Buffer::Ipv6Header, 14, 40),
            (Buffer::TcpHeader, 54, header),
        ];
        assert_eq!(buffers(&v6(6, &behind)), expected, "{words}");
        // Options that are not wholly there: neither header nor payload.
        for length in 20..header {
            assert_eq!(
                buffers(&v4(6, &behind[..length])),
                [(Buffer::Ipv4Header, 14, 20)],
                "{words} {length}"
            );
        }
        assert_eq!(payload(&v4(6, &behind[..header])), Some((34 + header, 0)));
    }
    // A header of less than 20 bytes by its own number.
    for words in 0..5 {
        let mut behind = tcp();
        behind[12] = words << 4;
        behind.resize(70, 9);
        assert_eq!(buffers(&v4(6, &behind)), [(Buffer::Ipv4Header, 14, 20)], "{words}");
    }
}

#[test]
fn the_payload_of_other_transports_lies_behind_their_fixed_headers() {
    for (protocol, header) in [(17, 8), (1, 8), (58, 8), (132, 12)] {
        for length in 0..30 {
            let expected = (length >= header).then(|| (34 + header, length - header));
            assert_eq!(payload(&v4(protocol, &[1; 30][..length])), expected, "{protocol} {length}");
            let expected = (length >= header).then(|| (54 + header, length - header));
            assert_eq!(payload(&v6(protocol, &[1; 30][..length])), expected, "{protocol} {length}");
        }
    }
    // UDP's own length is not looked at.
    assert_eq!(payload(&v4(17, &[0; 20])), Some((42, 12)));
}

#[test]
fn the_payload_ends_with_the_ip_packet_and_with_the_capture() {
    let mut packet = udp_packet(b"payload");
    packet.extend([0; 20]);
    assert_eq!(payload(&packet), Some((42, 7)));
    assert_eq!(payload(&packet[..45]), Some((42, 3)));
    // The IP packet is shorter than what was captured.
    packet[17] = 20 + 8 + 2;
    assert_eq!(payload(&packet), Some((42, 2)));
}

#[test]
fn other_protocols_have_everything_behind_the_ip_headers() {
    for protocol in [0, 4, 41, 47, 50, 89, 255] {
        assert_eq!(payload(&v4(protocol, b"abc")), Some((34, 3)), "{protocol}");
        assert_eq!(payload(&v4(protocol, b"")), Some((34, 0)), "{protocol}");
    }
    assert_eq!(payload(&v6(59, b"abc")), Some((54, 3)));
    // Behind the extension headers too.
    assert_eq!(payload(&v6(60, &[89, 0, 0, 0, 0, 0, 0, 0, 7])), Some((62, 1)));
}

#[test]
fn later_fragments_have_everything_behind_the_ip_headers_and_no_transport_header() {
    for protocol in [1, 6, 17, 89] {
        let packet = join(&[&ethernet(0x0800), &ipv4(6, 24 + 30, 3, protocol), &[0x60; 30]]);
        assert_eq!(buffers(&packet), [(Buffer::Payload, 38, 30), (Buffer::Ipv4Header, 14, 24)]);
        // The IPv4 options are cut off, and with them all behind.
        assert_eq!(buffers(&packet[..37]), []);
        assert_eq!(payload(&packet[..38]), Some((38, 0)));
    }
    let packet = v6(44, &join(&[&[6, 0, 0, 8, 0, 0, 0, 1], &[0x60; 30]]));
    assert_eq!(buffers(&packet), [(Buffer::Payload, 62, 30), (Buffer::Ipv6Header, 14, 40)]);
    // The first fragment has its transport header.
    let packet = join(&[&ethernet(0x0800), &ipv4(5, 20 + 12, 0x2000, 17), &[1; 12]]);
    let expected = [(Buffer::Payload, 42, 4), (Buffer::Ipv4Header, 14, 20), (Buffer::UdpHeader, 34, 8)];
    assert_eq!(buffers(&packet), expected);
}

#[test]
fn there_is_no_payload_where_the_walk_stopped_before_the_transport_header() {
    // Nine extension headers.
    let chain = [60, 0, 0, 0, 0, 0, 0, 0].repeat(9);
    assert_eq!(buffers(&v6(60, &chain)), [(Buffer::Ipv6Header, 14, 40)]);
    // An extension header that reaches behind the packet.
    assert_eq!(buffers(&v6(60, &[17, 9, 0, 0, 0, 0, 0, 0])), [(Buffer::Ipv6Header, 14, 40)]);
    // IPv4 options that are cut off.
    assert_eq!(buffers(&join(&[&ethernet(0x0800), &ipv4(5, 40, 0, 17), &[]])[..34]).len(), 1);
    let cut = join(&[&ethernet(0x0800), &ipv4(6, 60, 0, 17)]);
    assert_eq!(buffers(&cut[..36]), []);
}

#[test]
fn a_packet_without_ip_has_no_buffer() {
    assert_eq!(buffers(&[]), []);
    assert_eq!(buffers(&join(&[&ethernet(0x0806), &[0; 40]])), []);
    // Malformed: total length below the header length.
    assert_eq!(buffers(&join(&[&ethernet(0x0800), &ipv4(5, 19, 0, 17), &[0; 20]])), []);
    assert_eq!(buffers(&join(&[&ethernet(0x8847), &ipv4(5, 40, 0, 17), &[0; 20]])), []);
}

#[test]
fn header_buffers_are_of_their_own_protocol_and_family() {
    let eight = [3; 12];
    assert_eq!(
        buffers(&v4(17, &eight)),
        [(Buffer::Payload, 42, 4), (Buffer::Ipv4Header, 14, 20), (Buffer::UdpHeader, 34, 8)]
    );
    // ICMP: with everything behind the header.
    assert_eq!(
        buffers(&v4(1, &eight)),
        [(Buffer::Payload, 42, 4), (Buffer::Ipv4Header, 14, 20), (Buffer::Icmpv4Header, 34, 12)]
    );
    assert_eq!(
        buffers(&v6(58, &eight)),
        [(Buffer::Payload, 62, 4), (Buffer::Ipv6Header, 14, 40), (Buffer::Icmpv6Header, 54, 12)]
    );
    // ICMP of the other family has a payload and no buffer of its header.
    assert_eq!(buffers(&v4(58, &eight)), [(Buffer::Payload, 42, 4), (Buffer::Ipv4Header, 14, 20)]);
    assert_eq!(buffers(&v6(1, &eight)), [(Buffer::Payload, 62, 4), (Buffer::Ipv6Header, 14, 40)]);
    for protocol in [1, 17] {
        assert_eq!(buffers(&v4(protocol, &eight[..7])), [(Buffer::Ipv4Header, 14, 20)], "{protocol}");
        assert_eq!(buffers(&v4(protocol, &eight[..8])).len(), 3, "{protocol}");
    }
    // VLAN tags come before the IP header.
    let tagged = join(&[&ethernet(0x8100), &[0, 5, 8, 0], &v4(17, &eight)[14..]]);
    assert_eq!(buffers(&tagged)[1], (Buffer::Ipv4Header, 18, 20));
}

#[test]
fn a_buffer_that_is_not_there_satisfies_no_test_and_an_empty_one_has_length_0() {
    let absent = [(Buffer::TcpHeader, udp_packet(b"abc")), (Buffer::Payload, ethernet(0x0806))];
    for (buffer, packet) in &absent {
        for test in [
            content(b"zzz", |_| {}),
            content(b"zzz", |content| content.negated = true),
            Test::Size(other_than(77)),
            Test::Size(exactly(0)),
        ] {
            assert!(!matches(&asks(*buffer, vec![test.clone()]), packet), "{test:?}");
        }
    }
    assert!(payload_satisfies(b"", vec![Test::Size(exactly(0))]));
    assert!(payload_satisfies(b"", vec![content(b"zzz", |content| content.negated = true)]));
    assert!(!payload_satisfies(b"", vec![content(b"z", |_| {})]));
}

#[test]
fn every_buffer_must_be_satisfied_and_positions_do_not_go_over() {
    let packet = udp_packet(b"abc");
    // Source port 1234, then port 80, then length 11.
    let port = content(&[0, 80], |_| {});
    let both = |payload: Test| Detect {
        buffers: vec![
            BufferTests { buffer: Buffer::UdpHeader, tests: vec![port.clone()] },
            BufferTests { buffer: Buffer::Payload, tests: vec![payload] },
        ],
        ..Detect::default()
    };
    assert!(matches(&both(content(b"b", |_| {})), &packet));
    assert!(!matches(&both(content(b"d", |_| {})), &packet));
    // The position is 0 again.
    let first = |content: &mut Content| {
        (content.distance, content.within) = (Some(Operand::Number(0)), Some(Operand::Number(1)));
    };
    assert!(matches(&both(content(b"a", first)), &packet));
}

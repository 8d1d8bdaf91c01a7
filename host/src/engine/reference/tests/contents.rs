//! `content` with its modifiers, `isdataat`, `bsize`, and the order in which choices are tried.

use super::*;
use crate::rules::detect::{ByteExtract, Encoding, IsDataAt, NumberAt};

/// Modifiers of a content: what it asks of where it stands.
#[derive(Clone, Copy, Default)]
struct At {
    offset: Option<i64>,
    depth: Option<i64>,
    distance: Option<i64>,
    within: Option<i64>,
}

fn at(bytes: &[u8], at: At) -> Test {
    let number = |number: Option<i64>| number.map(Operand::Number);
    content(bytes, |content| {
        content.offset = number(at.offset);
        content.depth = number(at.depth);
        content.distance = number(at.distance);
        content.within = number(at.within);
    })
}

#[test]
fn a_content_is_found_anywhere() {
    for (payload, bytes, expected) in [
        (&b"xxabcxx"[..], &b"abc"[..], true),
        (b"abc", b"abc", true),
        (b"abcd", b"abc", true),
        (b"zabc", b"abc", true),
        (b"ab", b"abc", false),
        (b"aabab", b"abc", false),
        (b"", b"a", false),
        (b"\x00\xff\x00", b"\xff\x00", true),
    ] {
        assert_eq!(payload_satisfies(payload, vec![content(bytes, |_| {})]), expected, "{payload:?}");
        let negated = content(bytes, |content| content.negated = true);
        assert_eq!(payload_satisfies(payload, vec![negated]), !expected, "{payload:?}");
    }
}

#[test]
fn letters_of_either_case_are_the_same_with_nocase_alone() {
    for (payload, expected, exact) in [
        (&b"Get /"[..], true, false),
        (b"GET /", true, false),
        (b"gEt /", true, true),
        (b"get/", false, false),
    ] {
        let nocase = content(b"gEt /", |content| content.nocase = true);
        assert_eq!(payload_satisfies(payload, vec![nocase]), expected);
        assert_eq!(payload_satisfies(payload, vec![content(b"gEt /", |_| {})]), exact);
    }
    // No other bytes: those beside the letters, and letters beyond ASCII.
    for (a, b) in [(b"@", b"`"), (b"[", b"{"), (b"\xc4", b"\xe4")] {
        assert!(!payload_satisfies(a, vec![content(b, |content| content.nocase = true)]));
    }
}

#[test]
fn offset_and_depth_count_from_the_start_of_the_buffer() {
    let payload = b"0123456789";
    for (bytes, offset, depth, expected) in [
        (&b"34"[..], Some(3), None, true),
        (b"34", Some(4), None, false),
        (b"34", None, Some(5), true),
        (b"34", None, Some(4), false),
        (b"34", Some(3), Some(2), true),
        (b"34", Some(3), Some(1), false),
        (b"34", Some(2), Some(3), true),
        (b"34", Some(2), Some(2), false),
        (b"34", Some(-4), None, true),
        (b"34", Some(-1), Some(6), true),
        (b"34", Some(-1), Some(5), false),
        (b"89", Some(8), Some(2), true),
        (b"89", Some(8), Some(100), true),
        (b"89", Some(100), None, false),
    ] {
        let test = at(bytes, At { offset, depth, ..At::default() });
        assert_eq!(payload_satisfies(payload, vec![test]), expected, "{offset:?} {depth:?}");
    }
}

#[test]
fn distance_and_within_count_from_where_the_test_before_ended() {
    let payload = b"ab..cd..ef";
    for (distance, within, expected) in [
        (Some(0), None, true),
        (Some(2), None, true),
        (Some(3), None, false),
        (Some(-4), None, true),
        (None, Some(4), true),
        (None, Some(3), false),
        (Some(2), Some(2), true),
        (Some(2), Some(1), false),
        (Some(1), Some(3), true),
        (Some(1), Some(2), false),
        (Some(-2), Some(6), true),
        (Some(-2), Some(5), false),
    ] {
        let tests = vec![content(b"ab", |_| {}), at(b"cd", At { distance, within, ..At::default() })];
        assert_eq!(payload_satisfies(payload, tests), expected, "{distance:?} {within:?}");
    }
    // Before the position: with a distance below 0 alone.
    for (distance, within, expected) in
        [(Some(-6), None, true), (Some(-5), None, false), (None, Some(0), false), (None, Some(9), false)]
    {
        let tests = vec![content(b"cd", |_| {}), at(b"ab", At { distance, within, ..At::default() })];
        assert_eq!(payload_satisfies(payload, tests), expected, "{distance:?} {within:?}");
    }
    // The first test counts from 0.
    assert!(payload_satisfies(payload, vec![at(b"cd", At { distance: Some(4), ..At::default() })]));
    assert!(!payload_satisfies(payload, vec![at(b"cd", At { within: Some(5), ..At::default() })]));
}

#[test]
fn all_modifiers_of_one_content_hold_together() {
    let payload = b"ab..ab..ab";
    let test = At { offset: Some(1), depth: Some(5), distance: Some(2), within: Some(2) };
    assert!(payload_satisfies(payload, vec![content(b"ab", |_| {}), at(b"ab", test)]));
    let test = At { offset: Some(4), ..test };
    assert!(!payload_satisfies(payload, vec![content(b"ab..ab", |_| {}), at(b"ab", test)]));
}

#[test]
fn the_ends_of_the_buffer() {
    let starts = |bytes| content(bytes, |content| content.startswith = true);
    let ends = |bytes| content(bytes, |content| content.endswith = true);
    for (payload, start, end) in [
        (&b"ab"[..], true, true),
        (b"abx", true, false),
        (b"xab", false, true),
        (b"abxab", true, true),
        (b"xabx", false, false),
        (b"a", false, false),
    ] {
        assert_eq!(payload_satisfies(payload, vec![starts(b"ab")]), start, "{payload:?}");
        assert_eq!(payload_satisfies(payload, vec![ends(b"ab")]), end, "{payload:?}");
        let not_start = content(b"ab", |content| (content.startswith, content.negated) = (true, true));
        assert_eq!(payload_satisfies(payload, vec![not_start]), !start, "{payload:?}");
        let both = content(b"ab", |content| (content.startswith, content.endswith) = (true, true));
        assert_eq!(payload_satisfies(payload, vec![both]), payload == b"ab", "{payload:?}");
    }
}

#[test]
fn every_way_of_a_content_is_tried() {
    // The first `a` is not followed by `b`, the second is.
    let next = At { distance: Some(0), within: Some(1), ..At::default() };
    let tests = || vec![content(b"a", |_| {}), at(b"b", next), at(b"c", next)];
    for (payload, expected) in
        [(&b"axabdabc"[..], true), (b"axabdab", false), (b"abc", true), (b"aabbcc", false)]
    {
        assert_eq!(payload_satisfies(payload, tests()), expected, "{payload:?}");
    }
    // Overlapping ways.
    let tests = vec![content(b"aa", |_| {}), at(b"b", next)];
    assert!(payload_satisfies(b"aaab", tests));
    // What does not count from it is not asked for another way, and need not.
    assert!(payload_satisfies(
        b"a.ab",
        vec![content(b"a", |_| {}), at(b"b", At { offset: Some(3), ..At::default() })]
    ));
    // A test that moves nothing hands the position on.
    let not = content(b"z", |content| content.negated = true);
    assert!(payload_satisfies(b"axab", vec![content(b"a", |_| {}), not, at(b"b", next)]));
}

#[test]
fn a_negated_content_counts_from_the_position_and_leaves_it() {
    let near = |content: &mut Content| {
        (content.distance, content.within, content.negated) =
            (Some(Operand::Number(0)), Some(Operand::Number(3)), true);
    };
    for (payload, expected) in [(&b"a.b"[..], false), (b"a...b", true), (b"a.ba...b", true), (b"b", false)] {
        let tests = vec![content(b"a", |_| {}), content(b"b", near)];
        assert_eq!(payload_satisfies(payload, tests), expected, "{payload:?}");
    }
    let next = At { distance: Some(0), within: Some(1), ..At::default() };
    assert!(payload_satisfies(b"acb", vec![content(b"a", |_| {}), content(b"zz", near), at(b"c", next)]));
}

#[test]
fn a_search_with_very_many_choices_ends() {
    let payload = vec![b'a'; 3000];
    let mut tests = vec![content(b"a", |_| {})];
    for _ in 0..12 {
        tests.push(at(b"a", At { distance: Some(1), ..At::default() }));
    }
    tests.push(at(b"b", At { distance: Some(0), ..At::default() }));
    assert!(!payload_satisfies(&payload[..300], tests.clone()));
    // Long rows of tests do not exhaust the stack.
    let row = vec![at(b"a", At { distance: Some(0), ..At::default() }); 2000];
    assert!(payload_satisfies(&payload, row.clone()));
    assert!(payload_satisfies(&payload[..100], row[..100].to_vec()));
    assert!(!payload_satisfies(&payload[..99], row[..100].to_vec()));
}

#[test]
fn data_is_at_a_place() {
    let is = |offset, relative, negated| {
        Test::IsDataAt(IsDataAt { offset: Operand::Number(offset), relative, negated })
    };
    for (offset, expected) in [(0, true), (4, true), (5, false), (6, false)] {
        assert_eq!(payload_satisfies(b"abcde", vec![is(offset, false, false)]), expected, "{offset}");
        assert_eq!(payload_satisfies(b"abcde", vec![is(offset, false, true)]), !expected, "{offset}");
    }
    assert!(!payload_satisfies(b"", vec![is(0, false, false)]));
    // Relative: the end of the buffer counts, as in Suricata.
    for (offset, expected) in [(0, true), (3, true), (4, false), (-9, true)] {
        for negated in [false, true] {
            let tests = vec![content(b"ab", |_| {}), is(offset, true, negated)];
            assert_eq!(payload_satisfies(b"abcde", tests), expected != negated, "{offset}");
        }
    }
    // The position stays, and another way of what stands before is tried.
    let next = At { distance: Some(0), within: Some(1), ..At::default() };
    assert!(payload_satisfies(b"abc", vec![content(b"a", |_| {}), is(1, true, false), at(b"b", next)]));
    assert!(payload_satisfies(b"axxa", vec![content(b"a", |_| {}), is(1, true, true)]));
}

#[test]
fn the_size_of_a_buffer() {
    for (length, test, expected) in [
        (4, exactly(4), true),
        (5, exactly(4), false),
        (4, other_than(4), false),
        (5, other_than(4), true),
        (3, NumberTest { first: 3, last: 5, negated: false }, true),
        (6, NumberTest { first: 3, last: 5, negated: false }, false),
    ] {
        assert_eq!(
            payload_satisfies(&vec![7; length], vec![Test::Size(test)]),
            expected,
            "{length} {test:?}"
        );
    }
    // The position stays.
    let next = At { distance: Some(0), within: Some(1), ..At::default() };
    assert!(payload_satisfies(b"ab", vec![content(b"a", |_| {}), Test::Size(exactly(2)), at(b"b", next)]));
}

#[test]
fn operands_can_be_variables_also_of_another_buffer() {
    let number = NumberAt {
        bytes: Operand::Number(1),
        offset: Operand::Number(0),
        relative: false,
        encoding: Encoding::Big,
        bitmask: None,
    };
    let take = Test::ByteExtract(ByteExtract { number, variable: 1, multiplier: 1, align: None });
    let by =
        |change: fn(&mut Content, Operand)| content(b"x", |content| change(content, Operand::Variable(1)));
    for (payload, test, expected) in [
        (b"\x03..x.", by(|content, value| content.offset = Some(value)), true),
        (b"\x04..x.", by(|content, value| content.offset = Some(value)), false),
        (b"\x04..x.", by(|content, value| content.depth = Some(value)), true),
        (b"\x03..x.", by(|content, value| content.depth = Some(value)), false),
        (b"\x02..x.", by(|content, value| content.distance = Some(value)), true),
        (b"\x03..x.", by(|content, value| content.distance = Some(value)), false),
        (b"\x03..x.", by(|content, value| content.within = Some(value)), true),
        (b"\x02..x.", by(|content, value| content.within = Some(value)), false),
    ] {
        assert_eq!(payload_satisfies(payload, vec![take.clone(), test.clone()]), expected, "{test:?}");
    }
    // Before it is set, it is 0.
    assert!(payload_satisfies(b"x", vec![by(|content, value| content.offset = Some(value))]));
    // Byte 3 of the UDP header is 80, of the destination port.
    let port = NumberAt { offset: Operand::Number(3), ..number };
    let take = Test::ByteExtract(ByteExtract { number: port, variable: 0, multiplier: 1, align: None });
    let there = Test::IsDataAt(IsDataAt { offset: Operand::Variable(0), relative: false, negated: false });
    for (payload, expected) in [(&[0; 80][..], false), (&[0; 81], true)] {
        let buffers = vec![
            BufferTests { buffer: Buffer::UdpHeader, tests: vec![take.clone()] },
            BufferTests { buffer: Buffer::Payload, tests: vec![there.clone()] },
        ];
        let detect = Detect { buffers, ..Detect::default() };
        assert_eq!(matches(&detect, &udp_packet(payload)), expected);
    }
}

#[test]
fn another_way_is_tried_for_a_test_of_another_buffer() {
    // The position of the content in the payload decides what is taken; the second way takes what the header has.
    let number = NumberAt {
        bytes: Operand::Number(1),
        offset: Operand::Number(0),
        relative: true,
        encoding: Encoding::Big,
        bitmask: None,
    };
    let take = Test::ByteExtract(ByteExtract { number, variable: 0, multiplier: 1, align: None });
    let port = content(&[80], |content| {
        (content.offset, content.depth) = (Some(Operand::Variable(0)), Some(Operand::Number(1)));
    });
    let buffers = vec![
        BufferTests { buffer: Buffer::Payload, tests: vec![content(b"a", |_| {}), take] },
        BufferTests { buffer: Buffer::UdpHeader, tests: vec![port] },
    ];
    let detect = Detect { buffers, variables: vec!["at".to_owned()], ..Detect::default() };
    assert!(matches(&detect, &udp_packet(b"a\x01.a\x03")));
    assert!(!matches(&detect, &udp_packet(b"a\x01.a\x02")));
}

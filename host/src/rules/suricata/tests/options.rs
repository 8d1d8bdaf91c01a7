//! What options become, in the notations of Suricata and of Snort.

use super::*;
use crate::rules::detect::{
    BitTest, BitsAsk, Buffer, ByteExtract, ByteJump, ByteMath, ByteTest, Content, Detect, Encoding,
    FieldTest, Flow, FlowDirection, IsDataAt, JumpFrom, MathOperator, NumberAt, NumberTest, Operand,
    Operator, Pcre, Test, Threshold, ThresholdKind, Track,
};
use crate::rules::lower::lowered;
use crate::rules::model::AuxList;

#[track_caller]
fn detect(options: &str) -> Detect {
    let rule = one(&format!("alert tcp any any -> any any ({options} sid:1;)"));
    assert_eq!(rule.class, RuleClass::ExactOnHost, "{options}");
    assert!(rule.detect.dropped.is_empty());
    rule.detect
}

/// The tests of the only buffer, which is the payload.
#[track_caller]
fn tests(options: &str) -> Vec<Test> {
    let detect = detect(options);
    let [buffer] = detect.buffers.as_slice() else { panic!("{options}: {:?}", detect.buffers) };
    assert_eq!(buffer.buffer, Buffer::Payload);
    buffer.tests.clone()
}

fn content(bytes: &[u8]) -> Content {
    Content { bytes: bytes.to_vec(), ..Content::default() }
}

fn number(number: i64) -> Option<Operand> {
    Some(Operand::Number(number))
}

#[test]
fn contents_are_bytes() {
    for (written, bytes) in [
        (r#""abc""#, b"abc".as_slice()),
        (r#""a b  c ""#, b"a b  c "),
        (r#""|41 42|""#, b"AB"),
        (r#""|4142|c|0a|""#, b"ABc\n"),
        (r#""|de AD bE ef|""#, b"\xde\xad\xbe\xef"),
        (r#""a\"b\;c\\d\:e""#, b"a\"b;c\\d:e"),
        (r#""\\""#, b"\\"),
        (r#""|5c|\\|5c|""#, b"\\\\\\"),
        (r#""a:b,c""#, b"a:b,c"),
        (r#""(a)""#, b"(a)"),
        (r#""né""#, "né".as_bytes()),
        ("\"a\\\n  b\"", b"a  b"),
    ] {
        assert_eq!(tests(&format!("content:{written};")), [Test::Content(content(bytes))], "{written}");
        let negated = Content { negated: true, ..content(bytes) };
        assert_eq!(tests(&format!("content:! {written} ;")), [Test::Content(negated)], "{written}");
    }
}

#[test]
fn bytes_that_are_not_utf8_are_those_of_the_file() {
    let text = b"alert tcp any any -> any any (content:\"a\xe9\xc3\xa9\"; pcre:\"/\xe9\xc3\xa9/\"; sid:1;)";
    let rules = parse_sources(&[Source::new("a.rules", text)], &BTreeMap::new()).unwrap();
    let pcre = Pcre { expression: "\u{e9}\u{c3}\u{a9}".to_owned(), ..Pcre::default() };
    let expected = [Test::Content(content(b"a\xe9\xc3\xa9")), Test::Pcre(pcre)];
    assert_eq!(rules.signatures[0].detect.buffers[0].tests, expected);
}

#[test]
fn modifiers_of_contents_in_both_notations() {
    let all =
        Content { nocase: true, offset: number(3), depth: number(9), endswith: true, ..content(b"abc") };
    let relative = Content { distance: number(-2), within: number(7), negated: true, ..content(b"d") };
    let start = Content { startswith: true, ..content(b"e") };
    let expected = [Test::Content(all), Test::Content(relative), Test::Content(start)];
    let suricata = "content:\"abc\"; nocase; offset:3; depth:9; endswith; rawbytes; content:!\"d\"; distance:-2; \
                    within:7; content:\"e\"; startswith;";
    let snort = "content:\"abc\",nocase,offset 3, depth 9, endswith,rawbytes; content:!\"d\",distance -2,within 7; \
                 content:\"e\",startswith;";
    assert_eq!(tests(suricata), expected);
    assert_eq!(tests(snort), expected);
}

#[test]
fn the_fast_pattern_of_the_writer() {
    for (options, test, part) in [
        ("content:\"abcdef\"; fast_pattern;", 0, None),
        ("content:\"a\"; content:\"abcdef\"; fast_pattern:only; nocase;", 1, None),
        ("content:\"a\"; content:\"abcdef\"; fast_pattern:2,3;", 1, Some((2, 3))),
        ("content:\"abcdef\",fast_pattern;", 0, None),
        ("content:\"abcdef\",fast_pattern,fast_pattern_offset 2,fast_pattern_length 3;", 0, Some((2, 3))),
        ("content:\"abcdef\",fast_pattern,fast_pattern_length 3;", 0, Some((0, 3))),
        ("content:\"abcdef\",fast_pattern,fast_pattern_offset 4;", 0, Some((4, 2))),
    ] {
        let fast = detect(options).fast_pattern.unwrap();
        assert_eq!((fast.buffer, fast.test, fast.part), (0, test, part), "{options}");
    }
    assert_eq!(detect("content:\"a\";").fast_pattern, None);
    assert_eq!(detect("content:\"a\"; content:!\"b\"; fast_pattern;").fast_pattern, None);
    let header = detect("content:\"a\"; tcp.hdr; content:\"b\"; fast_pattern;").fast_pattern.unwrap();
    assert_eq!((header.buffer, header.test), (1, 0));
}

#[test]
fn expressions() {
    for (written, expected) in [
        ("\"/a\\/b/\"", Pcre { expression: "a\\/b".to_owned(), ..Pcre::default() }),
        (
            "!\"/a\"b/i\"",
            Pcre { expression: "a\"b".to_owned(), caseless: true, negated: true, ..Pcre::default() },
        ),
        (
            "\"/a\\;b\\\"/Rs\"",
            Pcre { expression: "a\\;b\\\"".to_owned(), relative: true, dot_all: true, ..Pcre::default() },
        ),
        (
            "\"/a/mxAEGBO\"",
            Pcre {
                expression: "a".to_owned(),
                multi_line: true,
                extended: true,
                anchored: true,
                dollar_end_only: true,
                ungreedy: true,
                ..Pcre::default()
            },
        ),
        ("/a,b/", Pcre { expression: "a,b".to_owned(), ..Pcre::default() }),
        ("\"/(?P<flow_x>a)/\", flow:x", Pcre { expression: "(?P<flow_x>a)".to_owned(), ..Pcre::default() }),
    ] {
        assert_eq!(tests(&format!("pcre:{written};")), [Test::Pcre(expected)], "{written}");
    }
}

fn at(bytes: i64, offset: i64) -> NumberAt {
    NumberAt {
        bytes: Operand::Number(bytes),
        offset: Operand::Number(offset),
        relative: false,
        encoding: Encoding::Big,
        bitmask: None,
    }
}

#[test]
fn byte_tests() {
    let test = |number, negated, operator, value| {
        Test::ByteTest(ByteTest { number, negated, operator, value: Operand::Number(value) })
    };
    for (written, expected) in [
        ("2,>,5,3", test(at(2, 3), false, Operator::Greater, 5)),
        (
            "4, !=, 0x10, -2, relative",
            test(NumberAt { relative: true, ..at(4, -2) }, true, Operator::Equal, 16),
        ),
        ("1,!,7,0", test(at(1, 0), true, Operator::Equal, 7)),
        ("1,!&,128,0", test(at(1, 0), true, Operator::And, 128)),
        ("8,<=,18446744073709551615,0", test(at(8, 0), false, Operator::LessEqual, -1)),
        (
            "2,^,1,0,little",
            test(NumberAt { encoding: Encoding::Little, ..at(2, 0) }, false, Operator::Xor, 1),
        ),
        (
            "10,>=,1,0,string,dec,relative",
            test(
                NumberAt { encoding: Encoding::Text(10), relative: true, ..at(10, 0) },
                false,
                Operator::GreaterEqual,
                1,
            ),
        ),
        (
            "3,<,9,0,string",
            test(NumberAt { encoding: Encoding::Text(10), ..at(3, 0) }, false, Operator::Less, 9),
        ),
        (
            "4,=,1,0,string,hex,bitmask 0xF0",
            test(
                NumberAt { encoding: Encoding::Text(16), bitmask: Some(0xf0), ..at(4, 0) },
                false,
                Operator::Equal,
                1,
            ),
        ),
    ] {
        assert_eq!(tests(&format!("byte_test:{written};")), [expected], "{written}");
    }
}

#[test]
fn jumps() {
    let plain = ByteJump {
        number: at(2, 1),
        multiplier: 1,
        align: false,
        from: JumpFrom::Number,
        post_offset: Operand::Number(0),
    };
    for (written, expected) in [
        ("2,1", plain),
        (
            "2,1,align,multiplier 4,post_offset -3",
            ByteJump { multiplier: 4, align: true, post_offset: Operand::Number(-3), ..plain },
        ),
        ("2,1,from_beginning", ByteJump { from: JumpFrom::Beginning, ..plain }),
        (
            "0,0,from_end, post_offset -8",
            ByteJump { number: at(0, 0), from: JumpFrom::End, post_offset: Operand::Number(-8), ..plain },
        ),
    ] {
        assert_eq!(tests(&format!("byte_jump:{written};")), [Test::ByteJump(expected)], "{written}");
    }
}

#[test]
fn variables_are_set_before_they_are_used() {
    let detect = detect(
        "byte_extract:2,4,length,relative,multiplier 2,align 4,little; \
         byte_math:bytes 1, offset 0, oper <<, rvalue length, result sum, relative, string hex; \
         content:\"a\"; offset:length; depth:sum; content:\"b\"; distance:sum; within:length; \
         isdataat:!length,relative; byte_test:1,>,sum,length; byte_jump:length,0,post_offset sum;",
    );
    assert_eq!(detect.variables, ["length", "sum"]);
    let (length, sum) = (Operand::Variable(0), Operand::Variable(1));
    let relative = NumberAt { relative: true, ..at(2, 4) };
    assert_eq!(
        detect.buffers[0].tests,
        [
            Test::ByteExtract(ByteExtract {
                number: NumberAt { encoding: Encoding::Little, ..relative },
                variable: 0,
                multiplier: 2,
                align: Some(4),
            }),
            Test::ByteMath(ByteMath {
                number: NumberAt { encoding: Encoding::Text(16), relative: true, ..at(1, 0) },
                operator: MathOperator::ShiftLeft,
                value: length,
                variable: 1,
            }),
            Test::Content(Content { offset: Some(length), depth: Some(sum), ..content(b"a") }),
            Test::Content(Content { distance: Some(sum), within: Some(length), ..content(b"b") }),
            Test::IsDataAt(IsDataAt { offset: length, relative: true, negated: true }),
            Test::ByteTest(ByteTest {
                number: NumberAt { offset: length, ..at(1, 0) },
                negated: false,
                operator: Operator::Greater,
                value: sum,
            }),
            Test::ByteJump(ByteJump {
                number: NumberAt { bytes: length, ..at(1, 0) },
                multiplier: 1,
                align: false,
                from: JumpFrom::Number,
                post_offset: sum,
            }),
        ]
    );
}

#[test]
fn comparisons() {
    let test = |first, last, negated| NumberTest { first, last, negated };
    for (written, expected) in [
        ("5", test(5, 5, false)),
        (" \"5\" ", test(5, 5, false)),
        ("!5", test(5, 5, true)),
        ("=5", test(5, 5, false)),
        ("!=5", test(5, 5, true)),
        (">5", test(6, u64::MAX, false)),
        ("> 5", test(6, u64::MAX, false)),
        (">=5", test(5, u64::MAX, false)),
        ("<5", test(0, 4, false)),
        ("<=5", test(0, 5, false)),
        ("3<>9", test(4, 8, false)),
        ("3-9", test(4, 8, false)),
        ("3 <=> 9", test(3, 9, false)),
        ("!3<=>9", test(3, 9, true)),
        ("0x10", test(16, 16, false)),
    ] {
        assert_eq!(
            detect(&format!("dsize:{written};")).fields,
            [FieldTest::PayloadSize(expected)],
            "{written}"
        );
        assert_eq!(tests(&format!("bsize:{written};")), [Test::Size(expected)], "{written}");
    }
}

#[test]
fn fields() {
    let exactly = |number| NumberTest { first: number, last: number, negated: false };
    let bits = |asks, bits, ignored| BitTest { bits, ignored, asks };
    for (written, expected) in [
        ("ttl:1", FieldTest::Ttl(exactly(1))),
        ("tos:8", FieldTest::Tos(exactly(8))),
        ("id:39426", FieldTest::IpId(exactly(39426))),
        ("ip_proto:88", FieldTest::IpProtocol(exactly(88))),
        ("ip_proto:!GRE", FieldTest::IpProtocol(NumberTest { negated: true, ..exactly(47) })),
        ("ipopts:lsrr", FieldTest::IpOption(Some(131))),
        ("ipopts:any", FieldTest::IpOption(None)),
        ("fragbits:M+", FieldTest::FragmentBits(bits(BitsAsk::All, 1, 0))),
        ("fragbits:!DMR", FieldTest::FragmentBits(bits(BitsAsk::None, 7, 0))),
        ("fragbits:*RD", FieldTest::FragmentBits(bits(BitsAsk::Any, 6, 0))),
        ("fragoffset:0", FieldTest::FragmentOffset(exactly(0))),
        ("sameip", FieldTest::SameAddress),
        ("flags:S", FieldTest::TcpFlags(bits(BitsAsk::Exactly, 2, 0))),
        ("flags: S,12", FieldTest::TcpFlags(bits(BitsAsk::Exactly, 2, 0xc0))),
        ("flags:+SA,CE", FieldTest::TcpFlags(bits(BitsAsk::All, 0x12, 0xc0))),
        ("flags:0", FieldTest::TcpFlags(bits(BitsAsk::Exactly, 0, 0))),
        ("flags:FPU12", FieldTest::TcpFlags(bits(BitsAsk::Exactly, 0xe9, 0))),
        ("seq:4294967295", FieldTest::TcpSequence(exactly(u64::from(u32::MAX)))),
        ("ack:0", FieldTest::TcpAcknowledgement(exactly(0))),
        ("window:!55808", FieldTest::TcpWindow(NumberTest { negated: true, ..exactly(55808) })),
        ("tcp.mss:<536", FieldTest::TcpMss(NumberTest { first: 0, last: 535, negated: false })),
        ("itype:8", FieldTest::IcmpType(exactly(8))),
        ("icode:>0", FieldTest::IcmpCode(NumberTest { first: 1, last: u64::MAX, negated: false })),
        ("icmp_id:666", FieldTest::IcmpId(exactly(666))),
        ("icmp_seq:\"0\"", FieldTest::IcmpSequence(exactly(0))),
    ] {
        let rule = one(&format!("alert tcp any any -> any any ({written}; sid:1;)"));
        assert_eq!(rule.detect.fields, [expected], "{written}");
    }
}

#[test]
fn the_card_answers_flags_and_types_of_icmp() {
    for (header, options, values) in [
        ("tcp", "flags:S;", &[(0x02, 0xff)][..]),
        ("tcp", "flags:S,12;", &[(0x02, 0x3f)]),
        ("tcp", "flags:+SA;", &[(0x12, 0x12)]),
        ("tcp", "flags:*SA;", &[(0x02, 0x02), (0x10, 0x10)]),
        ("tcp", "flags:!SA;", &[(0, 0x12)]),
        ("icmp", "itype:8;", &[(0x0800, 0xff00)]),
        ("icmp", "icode:1; itype:3;", &[(0x0301, 0xffff)]),
        ("icmpv6", "icode:4;", &[(4, 0x00ff)]),
    ] {
        let rule = one(&format!("alert {header} any any -> any any ({options} sid:1;)"));
        assert_eq!((&rule.class, rule.detect.is_empty()), (&RuleClass::Exact, false), "{options}");
        assert_eq!(rule.condition.details.aux, AuxList::Any, "{options}");
        let lowered = lowered(&rule);
        assert_eq!(lowered.condition.details.aux, AuxList::Values(values.to_vec()), "{options}");
        assert!(lowered.detect.is_empty(), "{options}");
    }
    // Another protocol, a second test, a range, and whatever the host looks at anyway.
    for rule in [
        "udp any any -> any any (flags:S;",
        "ip any any -> any any (itype:8;",
        "tcp any any -> any any (flags:+S; flags:!A;",
        "icmp any any -> any any (itype:3; icode:>3;",
        "tcp any any -> any any (flags:S; content:\"a\";",
    ] {
        let rule = one(&format!("alert {rule} sid:1;)"));
        assert_eq!(rule.class, RuleClass::ExactOnHost);
        assert_eq!(*lowered(&rule), rule);
    }
}

#[test]
fn flows_thresholds_and_silence() {
    let flow = |established, direction| Flow { established, direction };
    for (written, expected) in [
        ("established,to_server", flow(Some(true), Some(FlowDirection::ToServer))),
        ("to_client", flow(None, Some(FlowDirection::ToClient))),
        ("from_server, not_established", flow(Some(false), Some(FlowDirection::ToClient))),
        ("from_client,established,no_stream", flow(Some(true), Some(FlowDirection::ToServer))),
    ] {
        assert_eq!(detect(&format!("flow:{written};")).flow, expected, "{written}");
    }
    let threshold = |kind, track| Some(Threshold { kind, track, count: 5, seconds: 60 });
    for (written, expected) in [
        (
            "threshold: type limit, track by_src, count 5, seconds 60",
            threshold(ThresholdKind::Limit, Track::Source),
        ),
        ("threshold:type both,count 5,track by_both,seconds 60", threshold(ThresholdKind::Both, Track::Both)),
        (
            "threshold:type threshold, seconds 60, track by_rule, count 5",
            threshold(ThresholdKind::Threshold, Track::Rule),
        ),
        (
            "detection_filter:track by_dst,count 5,seconds 60",
            threshold(ThresholdKind::Filter, Track::Destination),
        ),
    ] {
        assert_eq!(detect(&format!("{written};")).threshold, expected, "{written}");
    }
    assert!(detect("noalert;").noalert && detect("flowbits:noalert;").noalert);
    assert!(!detect("content:\"a\"; flowbits:set,x;").noalert);
}

#[test]
fn buffers_come_in_the_order_of_the_rule() {
    let detect = detect(
        "tcp.hdr; content:\"a\"; pkt_data; content:\"b\"; ipv4.hdr; bsize:20; tcp.hdr; content:\"c\"; distance:1;",
    );
    let names: Vec<_> = detect.buffers.iter().map(|buffer| (buffer.buffer, buffer.tests.len())).collect();
    assert_eq!(names, [(Buffer::TcpHeader, 2), (Buffer::Payload, 1), (Buffer::Ipv4Header, 1)]);
}

#[test]
fn rules_that_ask_nothing_of_the_payload_stay_on_the_card() {
    for options in
        ["", "flow:stateless;", "flowbits:set,a;", "target:src_ip; tag:session,5,packets;", "flowint:a,+,1;"]
    {
        let rule = one(&format!("alert tcp any any -> any any ({options} sid:1;)"));
        assert_eq!((rule.class, rule.detect.is_empty()), (RuleClass::Exact, true), "{options}");
    }
}

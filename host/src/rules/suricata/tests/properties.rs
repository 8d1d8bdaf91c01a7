//! Generated rules: their texts mean what they were made from, and no text makes the readers panic.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::rules::detect::{
    BitTest, BitsAsk, Buffer, BufferTests, ByteExtract, ByteJump, ByteMath, ByteTest, Content, Detect,
    Encoding, FastPattern, FieldTest, Flow, FlowDirection, IsDataAt, JumpFrom, MathOperator, NumberAt,
    NumberTest, Operand, Operator, Pcre, Test, Threshold, ThresholdKind, Track,
};
use crate::rules::lower::exact_class;
use crate::rules::model::{AddressList, AddressRange};

/// A value of a list for the test of its meaning: few of them, so that parts of a list meet.
#[derive(Clone, Debug, PartialEq)]
enum Value {
    V4(u8, u8),
    V6(u8, u8),
    Any,
}

/// A list as a tree; negation, then what.
#[derive(Clone, Debug)]
enum Tree {
    Value(bool, Value),
    List(bool, Vec<Tree>),
}

const PROBES: u8 = 12;

fn v4(value: u8) -> IpAddr {
    Ipv4Addr::new(10, 0, 0, value).into()
}

fn v6(value: u8) -> IpAddr {
    Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, value.into()).into()
}

fn written(tree: &Tree) -> String {
    let sign = |negated: &bool| if *negated { "!" } else { "" };
    match tree {
        Tree::Value(negated, Value::Any) => format!("{}any", sign(negated)),
        Tree::Value(negated, Value::V4(a, b)) => format!("{}{}-{}", sign(negated), v4(*a), v4(*b)),
        Tree::Value(negated, Value::V6(a, b)) => format!("{}{}-{}", sign(negated), v6(*a), v6(*b)),
        Tree::List(negated, trees) => {
            format!("{}[{}]", sign(negated), trees.iter().map(written).collect::<Vec<_>>().join(", "))
        }
    }
}

/// Places where a family is named in a list without being negated (`+`) or negated (`-`), lists inside it included.
fn names(trees: &[Tree], v4: bool, negated: bool) -> bool {
    trees.iter().any(|tree| match tree {
        Tree::Value(sign, value) => {
            let family = match value {
                Value::V4(..) => v4,
                Value::V6(..) => !v4,
                Value::Any => true,
            };
            *sign == negated && family
        }
        Tree::List(false, trees) => names(trees, v4, negated),
        Tree::List(true, trees) => negated && (0..=PROBES).any(|i| whole(trees, &probe(v4, i))),
    })
}

fn probe(is_v4: bool, value: u8) -> IpAddr {
    if is_v4 { v4(value) } else { v6(value) }
}

/// An address is in a list when the list names it and takes it away nowhere.
fn whole(trees: &[Tree], address: &IpAddr) -> bool {
    let v4 = address.is_ipv4();
    let all = names(trees, v4, true) && !names(trees, v4, false);
    (all || included(trees, address)) && !excluded(trees, address)
}

fn holds(value: &Value, address: &IpAddr) -> bool {
    match value {
        Value::Any => true,
        Value::V4(a, b) => address.is_ipv4() && (v4(*a)..=v4(*b)).contains(address),
        Value::V6(a, b) => address.is_ipv6() && (v6(*a)..=v6(*b)).contains(address),
    }
}

fn included(trees: &[Tree], address: &IpAddr) -> bool {
    trees.iter().any(|tree| match tree {
        Tree::Value(false, value) => holds(value, address),
        Tree::List(false, trees) => included(trees, address),
        Tree::Value(true, _) | Tree::List(true, _) => false,
    })
}

fn excluded(trees: &[Tree], address: &IpAddr) -> bool {
    trees.iter().any(|tree| match tree {
        Tree::Value(true, value) => holds(value, address),
        Tree::List(false, trees) => excluded(trees, address),
        Tree::List(true, trees) => whole(trees, address),
        Tree::Value(false, _) => false,
    })
}

fn value() -> impl Strategy<Value = Value> {
    let pair = || (0..PROBES, 0..PROBES).prop_map(|(a, b)| (a.min(b), a.max(b)));
    prop_oneof![
        6 => pair().prop_map(|(a, b)| Value::V4(a, b)),
        3 => pair().prop_map(|(a, b)| Value::V6(a, b)),
        1 => Just(Value::Any),
    ]
}

fn tree() -> impl Strategy<Value = Vec<Tree>> {
    let negated = || prop::bool::weighted(0.4);
    let leaf = (negated(), value()).prop_map(|(negated, value)| Tree::Value(negated, value));
    let tree = leaf.prop_recursive(3, 24, 4, move |inner| {
        (negated(), vec(inner, 1..4)).prop_map(|(negated, trees)| Tree::List(negated, trees))
    });
    vec(tree, 1..5)
}

fn in_list(list: &AddressList, address: IpAddr) -> bool {
    let within = |ranges: &[AddressRange]| {
        ranges.iter().any(|range| {
            range.first.is_ipv4() == address.is_ipv4() && (range.first..=range.last).contains(&address)
        })
    };
    within(&list.include) && !within(&list.exclude)
}

fn address_range() -> impl Strategy<Value = AddressRange> {
    let v4 = (any::<u32>(), any::<u32>()).prop_map(|(a, b)| AddressRange {
        first: Ipv4Addr::from(a.min(b)).into(),
        last: Ipv4Addr::from(a.max(b)).into(),
    });
    let v6 = (any::<u128>(), any::<u128>()).prop_map(|(a, b)| AddressRange {
        first: Ipv6Addr::from(a.min(b)).into(),
        last: Ipv6Addr::from(a.max(b)).into(),
    });
    let prefix = (any::<u32>(), 0..=32_u32)
        .prop_map(|(address, length)| AddressRange::prefix(Ipv4Addr::from(address).into(), length).unwrap());
    let prefix6 = (any::<u128>(), 0..=128_u32)
        .prop_map(|(address, length)| AddressRange::prefix(Ipv6Addr::from(address).into(), length).unwrap());
    prop_oneof![v4, v6, prefix, prefix6]
}

/// A list of both families, with something left of both, so that nothing is added and nothing refused.
fn addresses() -> impl Strategy<Value = AddressList> {
    let rest = (vec(address_range(), 0..5), vec(1..=u32::MAX / 2, 0..3));
    let list = rest.prop_map(|(mut include, exclude)| {
        include.push(AddressRange::prefix(v4(0), 32).unwrap());
        include.push(AddressRange::prefix(v6(0), 128).unwrap());
        let exclude = exclude.into_iter().map(|address| {
            // Behind 128.0.0.0, so 10.0.0.0 stays.
            AddressRange::prefix(Ipv4Addr::from(address | 1 << 31).into(), 32).unwrap()
        });
        AddressList { include, exclude: exclude.collect() }
    });
    prop_oneof![Just(AddressList::any()), list]
}

fn ports() -> impl Strategy<Value = PortList> {
    let range = || (any::<u16>(), any::<u16>()).prop_map(|(a, b)| a.min(b)..=a.max(b));
    let list = (vec(range(), 0..4), vec(1..=u16::MAX, 0..3)).prop_map(|(mut include, exclude)| {
        include.push(0..=0);
        PortList::Ports { include, exclude: exclude.into_iter().map(|port| port..=port).collect() }
    });
    prop_oneof![Just(PortList::Any), list]
}

fn number_test() -> impl Strategy<Value = NumberTest> {
    let last = prop_oneof![2 => 0..=200_u64, 1 => Just(u64::MAX)];
    (0..=200_u64, last, any::<bool>()).prop_map(|(first, last, negated)| NumberTest {
        first: first.min(last),
        last: first.max(last),
        negated,
    })
}

fn bit_test(bits: u8, ignored: u8) -> impl Strategy<Value = BitTest> {
    let asks = prop::sample::select(vec![BitsAsk::Exactly, BitsAsk::All, BitsAsk::Any, BitsAsk::None]);
    (1..=bits, 0..=ignored, asks).prop_map(|(bits, ignored, asks)| BitTest { bits, ignored, asks })
}

fn field() -> impl Strategy<Value = FieldTest> {
    type Make = fn(NumberTest) -> FieldTest;
    let numbers: Vec<Make> = vec![
        FieldTest::PayloadSize,
        FieldTest::Ttl,
        FieldTest::Tos,
        FieldTest::IpId,
        FieldTest::IpProtocol,
        FieldTest::FragmentOffset,
        FieldTest::TcpSequence,
        FieldTest::TcpAcknowledgement,
        FieldTest::TcpWindow,
        FieldTest::TcpMss,
        FieldTest::IcmpType,
        FieldTest::IcmpCode,
        FieldTest::IcmpId,
        FieldTest::IcmpSequence,
    ];
    prop_oneof![
        (prop::sample::select(numbers), number_test()).prop_map(|(make, test)| make(test)),
        prop::option::of(prop::sample::select(vec![0, 1, 7, 68, 130, 131, 133, 136, 137]))
            .prop_map(FieldTest::IpOption),
        bit_test(7, 0).prop_map(FieldTest::FragmentBits),
        bit_test(255, 255).prop_map(FieldTest::TcpFlags),
        Just(FieldTest::SameAddress),
    ]
}

/// A number, or one of the two variables that the rule sets first.
fn operand(numbers: RangeInclusive<i64>) -> impl Strategy<Value = Operand> {
    prop_oneof![4 => numbers.prop_map(Operand::Number), 1 => (0..2_usize).prop_map(Operand::Variable)]
}

fn content() -> impl Strategy<Value = Content> {
    let bytes = prop_oneof![vec(any::<u8>(), 1..40), "[ -~]{1,20}".prop_map(String::into_bytes)];
    let places = (operand(0..=65_535), operand(300..=65_535), operand(-900..=900), operand(300..=900));
    let chosen = (any::<[bool; 4]>(), 0..4_u8);
    (bytes, places, chosen).prop_map(|(bytes, (offset, depth, distance, within), (flags, kind))| {
        let [nocase, negated, endswith, both] = flags;
        let mut content = Content { bytes, nocase, negated, endswith, ..Content::default() };
        match kind {
            0 => content.startswith = both,
            1 => (content.offset, content.depth) = (Some(offset), both.then_some(depth)),
            2 => (content.distance, content.within) = (both.then_some(distance), Some(within)),
            _ => (content.distance, content.depth) = (None, both.then_some(depth)),
        }
        content
    })
}

fn number_at() -> impl Strategy<Value = NumberAt> {
    let encoding = prop::sample::select(vec![
        Encoding::Big,
        Encoding::Little,
        Encoding::Text(8),
        Encoding::Text(10),
        Encoding::Text(16),
    ]);
    let mask = prop::option::of(1..=u32::MAX);
    (operand(1..=8), operand(-500..=500), any::<bool>(), encoding, mask).prop_map(
        |(bytes, offset, relative, encoding, bitmask)| NumberAt {
            bytes,
            offset,
            relative,
            encoding,
            bitmask,
        },
    )
}

fn pcre() -> impl Strategy<Value = Pcre> {
    let shapes = ["a+b*?", "(a|b)c", "[a-f]{2,}", "(?:x)?y", "\\x41\\d", "a\\/b", "\\\"\\;"];
    let shape = prop::sample::select(shapes.to_vec()).prop_map(str::to_owned);
    let expression = prop_oneof!["[a-z0-9., ^$|]{0,12}", shape];
    (expression, any::<[bool; 9]>()).prop_map(|(expression, flags)| {
        let [negated, relative, caseless, dot_all, multi_line, extended, anchored, dollar_end_only, ungreedy] = flags;
        Pcre {
            expression,
            negated,
            relative,
            caseless,
            dot_all,
            multi_line,
            extended,
            anchored,
            dollar_end_only,
            ungreedy,
        }
    })
}

fn test() -> impl Strategy<Value = Test> {
    use Operator::{And, Equal, Greater, GreaterEqual, Less, LessEqual, Xor};
    let operators = prop::sample::select(vec![Less, Greater, Equal, LessEqual, GreaterEqual, And, Xor]);
    let byte_test = (number_at(), any::<bool>(), operators, operand(i64::MIN..=i64::MAX))
        .prop_map(|(number, negated, operator, value)| ByteTest { number, negated, operator, value });
    let from = prop::sample::select(vec![JumpFrom::Number, JumpFrom::Beginning, JumpFrom::End]);
    let byte_jump = (number_at(), 1..=9_u32, any::<bool>(), from, operand(-9..=9)).prop_map(
        |(number, multiplier, align, from, post_offset)| ByteJump {
            number,
            multiplier,
            align,
            from,
            post_offset,
        },
    );
    let is_data_at = (operand(0..=900), any::<bool>(), any::<bool>())
        .prop_map(|(offset, relative, negated)| IsDataAt { offset, relative, negated });
    prop_oneof![
        4 => content().prop_map(Test::Content),
        1 => pcre().prop_map(Test::Pcre),
        1 => byte_test.prop_map(Test::ByteTest),
        1 => byte_jump.prop_map(Test::ByteJump),
        1 => is_data_at.prop_map(Test::IsDataAt),
        1 => number_test().prop_map(Test::Size),
    ]
}

/// The tests that set the two variables.
fn setters() -> impl Strategy<Value = [Test; 2]> {
    let operators = prop::sample::select(vec![
        MathOperator::Add,
        MathOperator::Subtract,
        MathOperator::Multiply,
        MathOperator::Divide,
        MathOperator::ShiftLeft,
        MathOperator::ShiftRight,
    ]);
    let constant = |mut number: NumberAt| {
        number.bytes = Operand::Number(2);
        number.offset = Operand::Number(1);
        number
    };
    let align = prop::sample::select(vec![None, Some(2), Some(4)]);
    let extract = (number_at(), 1..=9_u32, align).prop_map(move |(number, multiplier, align)| {
        Test::ByteExtract(ByteExtract { number: constant(number), variable: 0, multiplier, align })
    });
    let math = (number_at(), operators, 0..=9_i64).prop_map(move |(number, operator, value)| {
        let value = Operand::Number(value);
        Test::ByteMath(ByteMath { number: constant(number), operator, value, variable: 1 })
    });
    (extract, math).prop_map(|(extract, math)| [extract, math])
}

fn detect() -> impl Strategy<Value = Detect> {
    let names = [
        Buffer::Payload,
        Buffer::Ipv4Header,
        Buffer::Ipv6Header,
        Buffer::TcpHeader,
        Buffer::UdpHeader,
        Buffer::Icmpv4Header,
        Buffer::Icmpv6Header,
    ];
    let buffers = (Just(names.to_vec()).prop_shuffle(), vec(vec(test(), 1..5), 0..4), setters());
    let directions = vec![None, Some(FlowDirection::ToServer), Some(FlowDirection::ToClient)];
    let flow = (any::<Option<bool>>(), prop::sample::select(directions));
    let kinds =
        vec![ThresholdKind::Limit, ThresholdKind::Threshold, ThresholdKind::Both, ThresholdKind::Filter];
    let tracks = vec![Track::Source, Track::Destination, Track::Both, Track::Rule];
    let threshold = (prop::sample::select(kinds), prop::sample::select(tracks), 1..=u32::MAX, 1..=u32::MAX)
        .prop_map(|(kind, track, count, seconds)| Threshold { kind, track, count, seconds });
    let rest =
        (flow, prop::option::of(threshold), any::<bool>(), any::<prop::sample::Index>(), any::<bool>());
    (vec(field(), 0..4), buffers, rest).prop_map(|(fields, (names, tests, setters), rest)| {
        let ((established, direction), threshold, noalert, chosen, whole) = rest;
        let mut buffers: Vec<_> =
            names.into_iter().zip(tests).map(|(buffer, tests)| BufferTests { buffer, tests }).collect();
        let mut variables = Vec::new();
        if let Some(first) = buffers.first_mut() {
            first.tests.splice(0..0, setters);
            variables = vec!["one".to_owned(), "other_1".to_owned()];
        }
        let contents: Vec<_> = (0..buffers.len())
            .flat_map(|buffer| (0..buffers[buffer].tests.len()).map(move |test| (buffer, test)))
            .filter_map(|(buffer, test)| match &buffers[buffer].tests[test] {
                Test::Content(content) if !content.negated => Some((buffer, test, content.bytes.len())),
                _ => None,
            })
            .collect();
        let fast_pattern = (!contents.is_empty()).then(|| {
            let (buffer, test, length) = *chosen.get(&contents);
            FastPattern { buffer, test, part: (!whole).then_some((length - 1, 1)) }
        });
        let flow = Flow { established, direction };
        Detect { fields, buffers, fast_pattern, variables, flow, threshold, noalert, dropped: Vec::new() }
    })
}

fn signature() -> impl Strategy<Value = Signature> {
    let protocols =
        prop::sample::select(vec!["ip", "ip4", "ip6", "tcp", "udp", "sctp", "icmp", "icmpv4", "icmpv6"]);
    let actions = prop::sample::select(vec!["alert", "pass", "drop", "reject"]);
    let word = || "[a-z_]{1,8}";
    let texts = (
        "[ -~éß€]{0,20}",
        prop::option::of(word()),
        vec("[a-z]{1,4},[a-z./]{1,10}", 0..3),
        vec((word(), "[a-z]{1,4}( [a-z]{1,4})?"), 0..3),
    );
    let numbers = (1..=u32::MAX, any::<u32>(), any::<u32>(), prop::option::of(any::<u32>()));
    let header = (protocols, actions, any::<bool>(), (addresses(), addresses(), ports(), ports()));
    (header, texts, numbers, detect()).prop_map(|(header, texts, (sid, gid, rev, priority), detect)| {
        let (protocol, action, bidirectional, (src, dst, sport, dport)) = header;
        let mut signature = one(&format!("{action} {protocol} any any -> any any (sid:1;)"));
        let has_ports = !protocol.starts_with("icmp");
        let condition = &mut signature.condition;
        (condition.src, condition.dst) = (src, dst);
        if has_ports {
            (condition.sport, condition.dport) = (sport, dport);
        }
        let class = exact_class(&detect, condition);
        let (msg, classtype, references, metadata) = texts;
        Signature {
            sid,
            gid,
            rev,
            priority,
            msg,
            classtype,
            references,
            metadata,
            bidirectional,
            class,
            detect,
            ..signature
        }
    })
}

proptest! {
    #[test]
    fn the_text_of_a_rule_is_read_as_the_rule(signature in signature()) {
        let text = signature.to_string();
        let read = parse(&text);
        prop_assert_eq!(read.map_err(|errors| errors.errors()[0].message().to_owned()), Ok(vec![signature]), "{}", text);
    }

    #[test]
    fn a_list_holds_what_its_parts_say(trees in tree()) {
        let text = format!("[{}]", trees.iter().map(written).collect::<Vec<_>>().join(","));
        let read = parse(&format!("alert ip {text} any -> any any (sid:1;)"));
        match read {
            Ok(rules) => for value in 0..=PROBES {
                for address in [v4(value), v6(value)] {
                    let list = &rules[0].condition.src;
                    prop_assert_eq!(in_list(list, address), whole(&trees, &address), "{} in {}", address, text);
                }
            },
            Err(errors) => {
                let message = errors.errors()[0].message();
                prop_assert!(message.starts_with("the list leaves no addresses"), "{}: {}", text, message);
            }
        }
    }

    #[test]
    fn no_bytes_make_the_readers_panic(bytes in vec(any::<u8>(), 0..200)) {
        for start in ["", "@", "alert ", "alert tcp any any -> any any (", "alert ip ["] {
            let text = [start.as_bytes(), bytes.as_slice()].concat();
            if let Err(errors) = parse_sources(&[Source::new("a.rules", &text)], &BTreeMap::new()) {
                let report = format!("{:?}", miette::Report::new(errors));
                prop_assert!(!report.contains("Failed to read contents"), "{}", report);
            }
        }
    }

    #[test]
    fn no_text_of_the_grammars_characters_makes_the_readers_panic(
        text in "[@!$\\[\\],:;/\\\\\"()a-f0-2. \t\n<>=~é-]{0,120}", start in 0..4_usize,
    ) {
        let start = ["@", "alert ip ", "alert ip any any -> any any (", "alert tcp any any -> any any (sid:1;"][start];
        let text = format!("{start}{text}");
        if let Err(errors) = parse_with(&text, &[("a", "$b"), ("b", "[$a,10.0.0.1]"), ("c", "80")]) {
            let report = format!("{:?}", miette::Report::new(errors));
            prop_assert!(!report.contains("Failed to read contents"), "{}", report);
        }
    }
}

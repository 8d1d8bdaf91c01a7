//! Generated rules: their texts mean what they were made from, and no text makes the readers panic.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
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
    (header, texts, numbers).prop_map(|(header, texts, (sid, gid, rev, priority))| {
        let (protocol, action, bidirectional, (src, dst, sport, dport)) = header;
        let mut signature = one(&format!("{action} {protocol} any any -> any any (sid:1;)"));
        let has_ports = !protocol.starts_with("icmp");
        let condition = &mut signature.condition;
        (condition.src, condition.dst) = (src, dst);
        if has_ports {
            (condition.sport, condition.dport) = (sport, dport);
        }
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

#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use crate::rules::load::parse_sources;

fn parse(text: &str) -> Result<Vec<AclRule>, Diagnostics> {
    parse_sources(&[Source::new("acl.rules", text.as_bytes())], &Default::default()).map(|rules| rules.acl)
}

fn one(text: &str) -> Condition {
    let mut rules = parse(text).unwrap();
    assert_eq!(rules.len(), 1);
    rules.remove(0).condition
}

#[track_caller]
fn assert_error(text: &str, position: (u32, u32), message: &str) {
    let errors = parse(text).unwrap_err();
    assert_eq!(errors.total(), 1, "{text}");
    assert_eq!(errors.errors()[0].message(), message, "{text}");
    assert_eq!(errors.errors()[0].position(), Some(position), "{text}");
}

#[test]
fn a_rule_of_the_generator() {
    let text = "@89.215.201.144/32\t51.220.85.152/30\t0 : 65535\t14753 : 14755\t0x06/0xFF\t0x0000/0x0200\t";
    let expected = Condition {
        family: Family::V4,
        protocols: vec![(6, 0xff)],
        src: AddressList {
            include: vec![AddressRange {
                first: "89.215.201.144".parse().unwrap(),
                last: "89.215.201.144".parse().unwrap(),
            }],
            exclude: Vec::new(),
        },
        dst: AddressList {
            include: vec![AddressRange {
                first: "51.220.85.152".parse().unwrap(),
                last: "51.220.85.155".parse().unwrap(),
            }],
            exclude: Vec::new(),
        },
        sport: PortList::Any,
        dport: PortList::Ports { include: vec![14753..=14755], exclude: Vec::new() },
        details: Details::default(),
    };
    assert_eq!(one(text), expected);
    assert_eq!(one(&format!("{text}\r\n")), expected);
}

#[test]
fn columns_may_be_parted_by_blanks_and_the_flags_missing() {
    let with = one("@1.2.3.4/8\t5.6.7.8/16\t1 : 2\t3 : 4\t0x11/0xff\t0x1000/0x1000");
    for text in [
        "@1.2.3.4/8 5.6.7.8/16 1 : 2 3 : 4 0x11/0xff 0x1000/0x1000",
        "  @1.2.3.4/8   5.6.7.8/16  1:2  3:4  17/255  ",
        "@1.0.0.0/8 5.6.0.0/16 01 :2 3: 04 0x11/0xFF",
    ] {
        assert_eq!(one(text), with, "{text}");
    }
}

#[test]
fn prefixes_of_both_families() {
    for (text, first, last) in [
        ("0.0.0.0/0", "0.0.0.0", "255.255.255.255"),
        ("10.255.255.255/8", "10.0.0.0", "10.255.255.255"),
        ("10.1.2.3/31", "10.1.2.2", "10.1.2.3"),
        ("10.1.2.3/32", "10.1.2.3", "10.1.2.3"),
        ("::/0", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("2001:db8::ffff/32", "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("2001:DB8::1/127", "2001:db8::", "2001:db8::1"),
        ("::ffff:1.2.3.4/128", "::ffff:1.2.3.4", "::ffff:1.2.3.4"),
    ] {
        let condition = one(&format!("@{text} {text} 0 : 65535 0 : 65535 0x00/0x00"));
        let range = AddressRange { first: first.parse().unwrap(), last: last.parse().unwrap() };
        assert_eq!(condition.src.include, [range], "{text}");
        assert_eq!(condition.dst.include, [range], "{text}");
        assert_eq!(condition.family, if range.first.is_ipv4() { Family::V4 } else { Family::V6 });
    }
}

#[test]
fn the_protocol_keeps_only_the_bits_of_its_mask() {
    assert_eq!(one("@0.0.0.0/0 0.0.0.0/0 0:0 0:0 0x06/0x00").protocols, [(0, 0)]);
    assert_eq!(one("@0.0.0.0/0 0.0.0.0/0 0:0 0:0 0xff/0x0f").protocols, [(0x0f, 0x0f)]);
}

#[test]
fn only_all_ports_are_any() {
    let ports = |text: &str| one(&format!("@0.0.0.0/0 0.0.0.0/0 {text} 0 : 65535 0/0")).sport;
    assert_eq!(ports("0 : 65535"), PortList::Any);
    assert_eq!(ports("0 : 65534"), PortList::Ports { include: vec![0..=65534], exclude: Vec::new() });
    assert_eq!(ports("1 : 65535"), PortList::Ports { include: vec![1..=65535], exclude: Vec::new() });
    assert_eq!(ports("7 : 7"), PortList::Ports { include: vec![7..=7], exclude: Vec::new() });
}

#[test]
fn rules_keep_their_order_and_their_line() {
    let rules =
        parse("# a list\n\n@0.0.0.0/0 1.0.0.0/8 0:1 0:1 0/0\n   # more\r\n@0.0.0.0/0 2.0.0.0/8 0:1 0:1 0/0")
            .unwrap();
    let lines: Vec<_> = rules.iter().map(|rule| rule.origin.line).collect();
    assert_eq!(lines, [3, 5]);
    assert_eq!(rules[1].condition.dst.to_string(), "2.0.0.0/8");
    assert!(rules.iter().all(|rule| rule.origin.file == "acl.rules"));
}

#[test]
fn errors_name_place_and_reason() {
    let cases = [
        ("@300.1.1.1/8 0.0.0.0/0 0:1 0:1 0/0", 2, "`300.1.1.1` is not an IP address"),
        ("@1.1.1/8 0.0.0.0/0 0:1 0:1 0/0", 2, "`1.1.1` is not an IP address"),
        ("@1.1.1.1/33 0.0.0.0/0 0:1 0:1 0/0", 10, "prefix length 33 is above 32"),
        ("@::1/129 ::/0 0:1 0:1 0/0", 6, "prefix length 129 is above 128"),
        ("@1.1.1.1/99999999999 0.0.0.0/0 0:1 0:1 0/0", 10, "prefix length 99999999999 is above 32"),
        ("@1.1.1.1 0.0.0.0/0 0:1 0:1 0/0", 9, "expected `/` and a prefix length, found a blank"),
        ("@1.1.1.1/ 0.0.0.0/0 0:1 0:1 0/0", 10, "expected a prefix length, found a blank"),
        ("@1.1.1.1/8x 0.0.0.0/0 0:1 0:1 0/0", 11, "expected a blank, found `x`"),
        ("@ 1.1.1.1/8 0.0.0.0/0 0:1 0:1 0/0", 2, "expected an address such as `10.0.0.0/8`, found a blank"),
        ("@1.1.1.1/8 ::/0 0:1 0:1 0/0", 12, "both addresses must be of one family"),
        ("@1.1.1.1/8 0.0.0.0/0 2 : 1 0:1 0/0", 22, "the lowest port 2 is above the highest 1"),
        ("@1.1.1.1/8 0.0.0.0/0 0 : 65536 0:1 0/0", 26, "port 65536 is above 65535"),
        (
            "@1.1.1.1/8 0.0.0.0/0 0 - 1 0:1 0/0",
            24,
            "expected `:` between the lowest and the highest port, found `-`",
        ),
        ("@1.1.1.1/8 0.0.0.0/0 0:1 0:1 0x100/0xff", 30, "`0x100` is not a number up to 0xff"),
        ("@1.1.1.1/8 0.0.0.0/0 0:1 0:1 tcp/0xff", 30, "`tcp` is not a number up to 0xff"),
        ("@1.1.1.1/8 0.0.0.0/0 0:1 0:1 0x06", 34, "expected `/` and a mask, found the end of the line"),
        ("@1.1.1.1/8 0.0.0.0/0 0:1 0:1 6/255 0x0/0x10000", 40, "`0x10000` is not a number up to 0xffff"),
        ("@1.1.1.1/8 0.0.0.0/0 0:1 0:1 6/255 0/0 drop", 40, "expected the end of the rule, found `d`"),
        (
            "@1.1.1.1/8 0.0.0.0/0 0:1 0:1",
            29,
            "expected a protocol such as `0x06/0xFF`, found the end of the line",
        ),
        ("@1.1.1.1/8 0.0.0.0/0 é:1 0:1 0/0", 22, "expected a port, found `é`"),
    ];
    for (text, column, message) in cases {
        assert_error(text, (1, column), message);
        assert_error(&format!("# €\n@0.0.0.0/0 0.0.0.0/0 0:1 0:1 0/0\n{text}\n"), (3, column), message);
    }
    assert_error("@0.0.0.0/0 0.0.0.0/0 0:1 0:1 0/0\n1.1.1.1/8", (2, 1), "expected `@`, found `1`");
}

#[test]
fn all_errors_of_a_file_are_told() {
    let text = "@1.1.1.1/40 0.0.0.0/0 0:1 0:1 0/0\n".repeat(25);
    let errors = parse(&text).unwrap_err();
    assert_eq!((errors.total(), errors.errors().len()), (25, 20));
    assert_eq!(errors.errors()[19].position(), Some((20, 10)));
}

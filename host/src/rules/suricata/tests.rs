#![allow(clippy::unwrap_used, clippy::expect_used)]

mod classes;
mod errors;
mod lists;
mod options;
mod properties;

use std::collections::BTreeMap;

use crate::rules::diagnostics::Diagnostics;
use crate::rules::load::parse_sources;
use crate::rules::model::{Family, PortList, RuleClass, Signature, SignatureAction};
use crate::rules::source::Source;

fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|&(name, text)| (name.to_owned(), text.to_owned())).collect()
}

fn parse_with(text: &str, vars: &[(&str, &str)]) -> Result<Vec<Signature>, Diagnostics> {
    let source = Source::new("a.rules", text.as_bytes());
    parse_sources(&[source], &variables(vars)).map(|rules| rules.signatures)
}

fn parse(text: &str) -> Result<Vec<Signature>, Diagnostics> {
    parse_with(text, &[])
}

#[track_caller]
fn one(text: &str) -> Signature {
    let mut signatures = parse(text).unwrap_or_else(|errors| panic!("{text}: {:?}", errors.errors()));
    assert_eq!(signatures.len(), 1, "{text}");
    signatures.remove(0)
}

fn refused(reason: &str) -> RuleClass {
    RuleClass::Refused(reason.to_owned())
}

#[test]
fn a_whole_rule() {
    let rule = one(concat!(
        "drop udp [10.0.0.0/8,!10.1.0.0/16] 1024: -> 192.0.2.1 53 (msg:\"A \\\"name\\\"\\; asked\"; ",
        "reference:url,example.com/a\\;b; reference:cve,2024-1; classtype:bad-unknown; priority:2; gid:3; sid:7; rev:4; ",
        "metadata:created_at 2024_01_02, former_category INFO, lone;)"
    ));
    assert_eq!((rule.gid, rule.sid, rule.rev, rule.action), (3, 7, 4, SignatureAction::Drop));
    assert_eq!(rule.msg, "A \"name\"; asked");
    assert_eq!(rule.references, ["url,example.com/a\\;b", "cve,2024-1"]);
    assert_eq!((rule.classtype.as_deref(), rule.priority), (Some("bad-unknown"), Some(2)));
    let metadata = [("created_at", "2024_01_02"), ("former_category", "INFO"), ("lone", "")];
    assert_eq!(rule.metadata, metadata.map(|(key, value)| (key.to_owned(), value.to_owned())));
    assert_eq!(rule.condition.to_string(), "udp [10.0.0.0/8,!10.1.0.0/16] 1024:65535 -> 192.0.2.1 53");
    assert_eq!((rule.bidirectional, rule.class), (false, RuleClass::Exact));
    assert_eq!((rule.origin.file.as_str(), rule.origin.line), ("a.rules", 1));
}

#[test]
fn what_a_rule_does_not_say() {
    let rule = one("alert ip any any -> any any (sid:9;)");
    assert_eq!((rule.gid, rule.sid, rule.rev, rule.priority), (1, 9, 0, None));
    assert_eq!((rule.msg.as_str(), rule.classtype, rule.references.len()), ("", None, 0));
    assert_eq!(rule.condition.to_string(), "ip any any -> any any");
    assert_eq!((rule.condition.sport, rule.condition.dport), (PortList::Any, PortList::Any));
}

#[test]
fn actions() {
    for (word, action) in [
        ("alert", SignatureAction::Alert),
        ("ALERT", SignatureAction::Alert),
        ("pass", SignatureAction::Pass),
        ("drop", SignatureAction::Drop),
        ("reject", SignatureAction::Reject),
        ("rejectsrc", SignatureAction::Reject),
        ("rejectdst", SignatureAction::Reject),
        ("rejectboth", SignatureAction::Reject),
    ] {
        assert_eq!(one(&format!("{word} ip any any -> any any (sid:1;)")).action, action, "{word}");
    }
}

#[test]
fn protocols() {
    let (tcp, udp, sctp, icmp, icmpv6) = ((6, 255), (17, 255), (132, 255), (1, 255), (58, 255));
    for (name, family, protocols) in [
        ("ip", Family::Ip, vec![(0, 0)]),
        ("pkthdr", Family::Ip, vec![(0, 0)]),
        ("ip4", Family::V4, vec![(0, 0)]),
        ("ipv4", Family::V4, vec![(0, 0)]),
        ("ip6", Family::V6, vec![(0, 0)]),
        ("IPv6", Family::V6, vec![(0, 0)]),
        ("tcp", Family::Ip, vec![tcp]),
        ("tcp-pkt", Family::Ip, vec![tcp]),
        ("udp", Family::Ip, vec![udp]),
        ("sctp", Family::Ip, vec![sctp]),
        ("icmp", Family::Ip, vec![icmp, icmpv6]),
        ("icmpv4", Family::Ip, vec![icmp]),
        ("icmpv6", Family::Ip, vec![icmpv6]),
    ] {
        let rule = one(&format!("alert {name} any any -> any any (sid:1;)"));
        assert_eq!((rule.condition.family, rule.condition.protocols), (family, protocols), "{name}");
        assert_eq!(rule.class, RuleClass::Exact, "{name}");
    }
}

#[test]
fn rules_that_nothing_is_known_of_are_refused_with_all_reasons() {
    for (text, reason) in [
        ("alert arp any any -> any any (sid:1;)", "protocol `arp` (not IP)"),
        (
            "alert tcp any any -> any any (no_such_option; content:\"a\"; other:1; sid:1;)",
            "option no_such_option is not known; option other is not known",
        ),
        // Rules that no packet can satisfy.
        (
            "alert icmp any 80 -> any any (sid:1;)",
            "matches no packet: it asks for ports, and its protocol has none",
        ),
        (
            "alert icmpv6 any any -> any !80 (sid:1;)",
            "matches no packet: it asks for ports, and its protocol has none",
        ),
        (
            "alert ip 10.0.0.0/8 any -> fe80::/10 any (sid:1;)",
            "matches no packet: its parts ask for different address families",
        ),
        (
            "alert ip6 10.0.0.0/8 any -> any any (sid:1;)",
            "matches no packet: its parts ask for different address families",
        ),
        (
            "alert ip4 [10.0.0.0/8,fe80::/10] any <> [::/0,10.0.0.0/8,!10.0.0.0/8] any (sid:1;)",
            "matches no packet: its parts ask for different address families",
        ),
    ] {
        assert_eq!(one(text).class, refused(reason), "{text}");
        assert!(one(text).detect.is_empty(), "{text}");
    }
}

#[test]
fn directions() {
    assert!(!one("alert tcp 10.0.0.1 1 -> 10.0.0.2 2 (sid:1;)").bidirectional);
    let both = one("alert tcp 10.0.0.1 1 <> 10.0.0.2 2 (sid:1;)");
    assert!(both.bidirectional);
    assert_eq!(both.condition.to_string(), "tcp 10.0.0.1 1 -> 10.0.0.2 2");
    assert_eq!(both.class, RuleClass::Exact);
}

#[test]
fn messages() {
    for (written, text) in [
        (r#""plain""#, "plain"),
        (r#" "blanks around" "#, "blanks around"),
        (r#""""#, ""),
        (r#"" kept ""#, " kept "),
        (r#""a\;b""#, "a;b"),
        (r#""a\"b""#, "a\"b"),
        (r#""a\\b""#, r"a\b"),
        (r#""a\\\;b""#, r"a\;b"),
        (r#""needless \x""#, "needless x"),
        (r#""inner "quotes" stay""#, "inner \"quotes\" stay"),
        (r#""a:b,c(d)e""#, "a:b,c(d)e"),
        (r#""naïve €""#, "naïve €"),
    ] {
        let rule = one(&format!("alert ip any any -> any any (msg:{written}; sid:1;)"));
        assert_eq!(rule.msg, text, "{written}");
        assert_eq!((rule.sid, rule.class), (1, RuleClass::Exact), "{written}");
    }
}

#[test]
fn option_layout_is_free() {
    for text in [
        "alert ip any any -> any any(msg:\"m\";sid:5;rev:2;)",
        "  alert\tip  any\tany   ->  any any  ( msg : \"m\" ; SID: 5 ; rev :\"2\"; )  ",
        "alert ip any any -> any any (rev:2; sid:\"5\"; msg:\"m\";)\r\n",
        "alert ip any any -> any any \\\n  (msg:\"m\"; \\\r\n  sid:5; \\\n  rev:2;)",
        "\u{feff}alert ip any any -> any any (msg:\"m\"; sid:5; rev:2;)",
    ] {
        let rule = one(text);
        assert_eq!((rule.msg.as_str(), rule.sid, rule.rev), ("m", 5, 2), "{text}");
    }
}

#[test]
fn lines_continue_with_a_backslash_and_comments_do_not() {
    let text = concat!(
        "# alert ip any any -> any any (sid:1;) \\\n",
        "alert ip any any -> any any (msg:\"one \\\n",
        "text\"; sid:2;)\n",
        "\n",
        "  #alert ip any any -> any any (sid:3;)\n",
        "alert ip \\\n",
        "  any any -> \\\r\n",
        "  [10.0.0.0/8, \\\n",
        "   192.0.2.0/24] any (sid:4;)\n",
        "alert ip any any -> any any (sid:5;)\\",
    );
    let rules = parse(text).unwrap();
    let places: Vec<_> = rules.iter().map(|rule| (rule.sid, rule.origin.line)).collect();
    assert_eq!(places, [(2, 2), (4, 6), (5, 10)]);
    assert_eq!(rules[0].msg, "one text");
    assert_eq!(rules[1].condition.dst.to_string(), "[10.0.0.0/8,192.0.2.0/24]");
}

#[test]
fn bytes_outside_utf8_are_latin1_in_texts_and_comments() {
    let mut bytes = b"# caf\xe9\nalert ip any any -> any any (msg:\"caf\xe9 ".to_vec();
    bytes.extend("é\"; metadata:author Zo\u{eb}; sid:1;)".as_bytes());
    let rules = parse_sources(&[Source::new("a.rules", &bytes)], &BTreeMap::new()).unwrap();
    assert_eq!(rules.signatures[0].msg, "café é");
    assert_eq!(rules.signatures[0].metadata[0].1, "Zoë");

    let source = Source::new("a.rules", b"alert ip any any -> any\xff any (sid:1;)");
    let errors = parse_sources(&[source], &BTreeMap::new()).unwrap_err();
    assert_eq!(errors.errors()[0].message(), "`anyÿ` is not an IP address");
    assert_eq!(errors.errors()[0].position(), Some((1, 21)));
}

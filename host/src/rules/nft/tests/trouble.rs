//! What is left out, and what is wrong.

use super::*;

#[test]
fn what_is_not_expressible_leaves_its_rule_out() {
    for (rule, reason) in [
        ("ct state established,related accept", "`ct state` is not expressible"),
        ("iifname \"eth0\" accept", "`iifname` is not expressible"),
        ("meta iif lo accept", "`meta iif` is not expressible"),
        ("tcp dport 80 limit rate 5/second accept", "`limit rate` is not expressible"),
        ("ip6 nexthdr tcp drop", "`ip6 nexthdr` is not expressible"),
        ("vlan id 5 drop", "`vlan id` is not expressible"),
        ("ip ttl 5 drop", "`ip ttl` is not expressible"),
        ("meta protocol arp drop", "an EtherType other than those of IPv4 and IPv6 is not expressible"),
        ("ether type arp drop", "an EtherType other than those of IPv4 and IPv6 is not expressible"),
        ("ether type 8021q drop", "the EtherType of a VLAN tag is not expressible"),
        ("ip saddr & 255.0.0.255 == 10.0.0.1 drop", "a mask that is no prefix is not expressible"),
        (
            "ip frag-off 0 drop",
            "any part of `ip frag-off` but whether there are fragments is not expressible",
        ),
        ("th dport 5 drop", "a port of any protocol is not expressible"),
        ("ip saddr . iifname { 1.1.1.1 . \"eth0\" } drop", "`iifname` is not expressible"),
        ("ip daddr set 1.2.3.4", "`ip daddr` is not expressible"),
        ("frobnicate", "`frobnicate` is not expressible"),
        ("tcp dport 80 acept", "`acept` is not expressible"),
        ("queue num 1", "`queue num` is not expressible"),
        ("@nh,8,16 5 drop", "`@nh` is not expressible"),
        ("fib daddr type local accept", "`fib daddr` is not expressible"),
        (
            "ip saddr . tcp dport != { 1.1.1.1 . 80 } accept",
            "a comparison of several fields other than with a set",
        ),
        ("ct state vmap { established : accept, invalid : drop }", "`ct state` is not expressible"),
        ("tcp dport map { 1 : 2 } drop", "`tcp dport` is not expressible"),
        ("ip saddr { 1.1.1.1 timeout 5m } accept", "elements that expire is not expressible"),
        ("meta l4proto tcp tcp option maxseg size 5 drop", "`tcp option` is not expressible"),
    ] {
        let rules = rules(&table("netdev", "ingress", rule));
        assert_eq!(rules.skipped.len(), 1, "{rule}");
        let skipped = &rules.skipped[0];
        assert!(skipped.reason.starts_with(reason), "{rule}: {}", skipped.reason);
        assert_eq!((skipped.origin.line, rules.acl.len()), (4, 1), "{rule}");
    }
}

#[test]
fn what_decides_nothing_is_not_told() {
    for rule in [
        "counter packets 5 bytes 6",
        "ct state invalid counter",
        "meta mark set 0x1",
        "ip saddr 1.1.1.1 log prefix \"a drop\" level info flags tcp sequence,options",
        "limit rate 5/second burst 5 packets log",
        "tcp dport 80",
        "notrack",
        "iif lo counter name \"x\" comment \"an accept\"",
        "meta nftrace set 1",
        "continue",
    ] {
        let rules = rules(&inet(rule));
        assert_eq!((rules.skipped.len(), rules.acl.len()), (0, 1), "{rule}: {:?}", rules.skipped);
    }
}

#[test]
fn a_rule_in_a_chain_that_is_not_reached_is_not_told() {
    let text = inet("accept\n}\nchain unused {\n ct state new drop");
    assert!(rules(&text).skipped.is_empty());
}

#[test]
fn errors_name_place_and_reason() {
    for (text, message, position) in [
        ("table ip t {\n chain c {\n", "expected a rule or `}`, found the end of the file", (3, 1)),
        ("table frob t {\n}\n", "`frob` is not a family of tables", (1, 7)),
        ("table ip t {\n frob\n}\n", "expected `chain`, `set`, `map` or `}`, found `frob`", (2, 2)),
        ("table ip t {\n}\nadd rule x\n", "expected `table`, found `add`", (3, 1)),
        (
            "table ip t {\n chain c {\n policy drop\n}\n}\n",
            "a policy without the hook of a base chain",
            (3, 2),
        ),
        (&inet("tcp dport 65536 drop"), "`65536` is no value of this field", (4, 11)),
        (&inet("tcp dport 9-5 drop"), "the range `9-5` begins above its end", (4, 11)),
        (&inet("ip saddr 1.1.1.1/33 drop"), "`1.1.1.1/33` is not a prefix of this field", (4, 10)),
        (&inet("ip saddr ::1 drop"), "`::1` is no value of this field", (4, 10)),
        (&inet("ip saddr @s drop"), "set `s` is not in the table", (4, 10)),
        (&inet("jump other"), "chain `other` is not in the table", (4, 1)),
        (&inet("jump c"), "chains call each other more than 16 deep, or in a circle", (4, 1)),
        (&inet("tcp dport { 1, 2 drop"), "expected `,` or `}`, found `drop`", (4, 18)),
        (&inet("tcp dport vmap { 1 : 2 }"), "`2` is not a verdict", (4, 18)),
        (&inet("tcp dport vmap { 1 }"), "an element without a verdict", (4, 18)),
        (&inet("log prefix \"x"), "the text is not closed", (4, 12)),
        (
            &inet("ip saddr . tcp dport { 1.1.1.1 } drop"),
            "the key has 2 fields, its value has another number",
            (4, 24),
        ),
        ("{\"nftables\": [5]}", "not the JSON of a ruleset", (1, 15)),
        ("{\"nftables\": 5}", "not the JSON of a ruleset", (1, 14)),
        (
            "{\n \"nftables\": [\n {\"table\": {}}]}",
            "not the JSON of a ruleset: missing field `family`",
            (3, 13),
        ),
    ] {
        let errors = read(text).unwrap_err();
        let error = &errors.errors()[0];
        assert!(error.message().starts_with(message), "{text}: {}", error.message());
        assert_eq!(error.position(), Some(position), "{text}: {}", error.message());
    }
}

#[test]
fn chains_that_multiply_are_an_error() {
    let chain = |n: usize| {
        let next = n + 1;
        format!("chain c{n} {{\ntcp sport {n} return\njump c{next}\njump c{next}\njump c{next}\n}}\n")
    };
    let chains: String = (0..14).map(chain).collect();
    let text = inet(&format!("jump c0\n}}\n{chains}chain c14 {{\ntcp dport 9 drop"));
    let errors = read(&text).unwrap_err();
    assert!(errors.errors()[0].message().starts_with("the chains make more than"));
}

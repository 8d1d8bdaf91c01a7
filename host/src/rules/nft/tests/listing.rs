//! A listing as text and as JSON, both as nft 1.0.6 prints them.

use super::*;

const TEXT: &str = include_str!("../../../../../fuzz/seeds/nft/listing.nft");
const JSON: &str = include_str!("listing.json");
const SMALL: &str = include_str!("../../../../../fuzz/seeds/nft/small.nft");

#[test]
fn text_and_json_are_the_same_list() {
    let text = rules(TEXT);
    let json = rules(JSON);
    assert_eq!(text.chain_rules, json.chain_rules);
    let plain = |rules: &RuleSet| {
        rules.acl.iter().map(|rule| (rule.condition.clone(), rule.action)).collect::<Vec<_>>()
    };
    assert_eq!(plain(&text), plain(&json));
    assert!(text.acl.len() > 30, "{}", text.acl.len());
    let reasons = |rules: &RuleSet| rules.skipped.iter().map(|one| one.reason.clone()).collect::<Vec<_>>();
    assert_eq!(reasons(&text).len(), reasons(&json).len());
}

#[test]
fn a_small_ruleset_with_everything_that_is_no_rule() {
    let rules = rules(SMALL);
    let lines: Vec<_> = rules.skipped.iter().map(|one| (one.origin.line, one.reason.as_str())).collect();
    assert_eq!(
        lines,
        [
            (
                13,
                "`ct state` is not expressible: needs what was seen before; every packet is decided by itself"
            ),
            (14, "set `hosts` is not expressible: packets or time change its elements"),
        ]
    );
    assert_eq!(rules.chain_rules, 7);
    let found = |packet: Packet| decide(&rules, &packet.bytes()).unwrap();
    assert_eq!(found(Packet::tcp(22)), (AclAction::Accept, 19));
    assert_eq!(found(Packet::of(17, 53)), (AclAction::Accept, 16));
    // To the other chain, which it leaves at its end, and by the policy.
    assert_eq!(found(Packet::tcp(8001)), (AclAction::Reject, 22));
    assert_eq!(found(Packet::of(17, 54)), (AclAction::Drop, 12));
}

#[test]
fn the_place_of_a_rule_in_json_is_told_with_its_path() {
    let text = JSON.replace("\"tcp\"", "\n\"tcp\"");
    let rules = rules(&text);
    let report = rules.skipped[0].report.as_ref().unwrap();
    let help = miette::Diagnostic::help(report.as_ref()).unwrap().to_string();
    assert!(help.contains("nftables["), "{help}");
    assert!(rules.skipped[0].origin.line > 1);
}

#[test]
fn a_chain_is_named_where_there_are_several() {
    let two = format!("{}{}", table("inet", "input", "accept"), table("ip", "forward", "drop"));
    let error = read(&two).unwrap_err();
    let error = &error.errors()[0];
    assert_eq!(error.message(), "2 base chains of type filter");
    let help = miette::Diagnostic::help(error).unwrap().to_string();
    assert!(help.ends_with("`inet t c` (hook input), `ip t c` (hook forward)"), "{help}");
    let with = |chain: &str| {
        let reading = Reading { chain: Some(chain.to_owned()), ..Reading::default() };
        parse_sources_with(&[Source::new("x", two.as_bytes())], &reading)
    };
    assert_eq!(with("inet t c").unwrap().acl[0].action, AclAction::Accept);
    assert_eq!(with("ip/t/c").unwrap().acl[0].action, AclAction::Drop);
    assert!(with("t/c").unwrap_err().errors()[0].message().contains("2 base chains"));
    assert!(
        with("ip t d").unwrap_err().errors()[0]
            .message()
            .contains("no base chain of type filter is `ip t d`")
    );
    let dormant = two.replace("table ip t {", "table ip t {\n flags dormant");
    assert_eq!(rules(&dormant).acl[0].action, AclAction::Accept);
    let nat = two.replace("type filter hook forward", "type nat hook prerouting");
    assert_eq!(rules(&nat).acl[0].action, AclAction::Accept);
    let none = read("table ip t {\n chain c {\n accept\n }\n}\n").unwrap_err();
    assert_eq!(none.errors()[0].message(), "there is no base chain of type filter");
}

#[test]
fn strict_makes_errors_of_what_is_left_out() {
    let text = inet("ct state new drop\ntcp dport 1 accept");
    assert_eq!(rules(&text).acl.len(), 2);
    let reading = Reading { strict: true, ..Reading::default() };
    let errors = parse_sources_with(&[Source::new("x.nft", text.as_bytes())], &reading).unwrap_err();
    assert_eq!((errors.total(), errors.errors()[0].position()), (1, Some((4, 1))));
    assert_eq!(errors.errors()[0].message(), "`ct state` is not expressible");
}

//! What is wrong in a signature, and where.

use super::*;

#[test]
fn errors_name_place_and_reason() {
    let cases = [
        ("alert", 6, "expected a blank, found the end of the line"),
        ("alert  ", 8, "expected a protocol, found the end of the line"),
        ("alert tpc any any -> any any (sid:1;)", 7, "`tpc` is not a protocol"),
        ("alert 6 any any -> any any (sid:1;)", 7, "`6` is not a protocol"),
        ("alert tcp (sid:1;)", 11, "expected a source address, found `(`"),
        ("alert ip any any - any any (sid:1;)", 18, "`-` is not a direction"),
        ("alert ip any any <- any any (sid:1;)", 18, "`<-` is not a direction"),
        ("alert ip any any any any (sid:1;)", 18, "expected `->` or `<>`, found `a`"),
        ("alert ip any any ->any any (sid:1;)", 20, "expected a blank, found `a`"),
        ("alert ip any -> any any (sid:1;)", 14, "`->` is not a port"),
        (
            "alert ip any any -> any (sid:1;)",
            25,
            "expected a port, a list `[…]`, a variable `$…` or `any`, found `(`",
        ),
        ("alert ip any any -> any any", 28, "expected a blank, found the end of the line"),
        ("alert ip any any -> any any ", 29, "expected `(` and the options, found the end of the line"),
        ("alert ip any any -> any any sid:1;", 29, "expected `(` and the options, found `s`"),
        // Addresses.
        ("alert ip 10.0.0 any -> any any (sid:1;)", 10, "`10.0.0` is not an IP address"),
        ("alert ip 10.0.0.0/33 any -> any any (sid:1;)", 10, "`33` is not a prefix length"),
        ("alert ip 10.0.0.0/ any -> any any (sid:1;)", 10, "`` is not a prefix length"),
        ("alert ip 10.0.0.0/255.0.255.0 any -> any any (sid:1;)", 10, "`255.0.255.0` is not a prefix length"),
        ("alert ip fe80::/129 any -> any any (sid:1;)", 10, "`129` is not a prefix length"),
        (
            "alert ip 10.0.0.9-10.0.0.1 any -> any any (sid:1;)",
            10,
            "the first address 10.0.0.9 is above the last 10.0.0.1",
        ),
        ("alert ip 10.0.0.9-fe80::1 any -> any any (sid:1;)", 10, "a range holds addresses of one family"),
        ("alert ip [10.0.0.1 any -> any any (sid:1;)", 20, "expected `,` or `]`, found `a`"),
        (
            "alert ip [10.0.0.1,] any -> any any (sid:1;)",
            20,
            "expected an address, a list `[…]`, a variable `$…` or `any`, found `]`",
        ),
        (
            "alert ip [] any -> any any (sid:1;)",
            11,
            "expected an address, a list `[…]`, a variable `$…` or `any`, found `]`",
        ),
        ("alert ip 10.0.0.1] any -> any any (sid:1;)", 18, "expected a blank, found `]`"),
        (
            "alert ip !!10.0.0.1 any -> any any (sid:1;)",
            11,
            "expected an address, a list `[…]`, a variable `$…` or `any`, found `!`",
        ),
        ("alert ip $ any -> any any (sid:1;)", 11, "expected the name of a variable, found a blank"),
        ("alert ip any any -> [10.0.0.1,$X] any (sid:1;)", 31, "variable `X` is not defined"),
        // Ports.
        ("alert tcp any 65536 -> any any (sid:1;)", 15, "port 65536 is above 65535"),
        ("alert tcp any http -> any any (sid:1;)", 15, "`http` is not a port"),
        ("alert tcp any : -> any any (sid:1;)", 15, "`:` is not a port"),
        ("alert tcp any 90:80 -> any any (sid:1;)", 15, "the lowest port 90 is above the highest 80"),
        ("alert tcp any 80:!90 -> any any (sid:1;)", 15, "`!90` is not a port"),
        ("alert tcp any +80 -> any any (sid:1;)", 15, "`+80` is not a port"),
        ("alert tcp any ![80,!81] -> any any (sid:1;)", 15, "a negation inside a negated list of ports"),
        // Options.
        ("alert ip any any -> any any (msg:\"a\";)", 29, "the signature has no `sid`"),
        ("alert ip any any -> any any (sid:1)", 30, "option `sid` does not end"),
        (
            "alert ip any any -> any any (sid:1;",
            36,
            "expected another option or `)`, found the end of the line",
        ),
        ("alert ip any any -> any any (sid:1;) x", 38, "expected the end of the rule, found `x`"),
        ("alert ip any any -> any any (sid;)", 30, "option `sid` has no value"),
        ("alert ip any any -> any any (sid: ;)", 30, "option `sid` has no value"),
        ("alert ip any any -> any any (sid:0;)", 34, "sid 0 names no signature"),
        ("alert ip any any -> any any (sid:-1;)", 34, "`-1` is not a sid"),
        ("alert ip any any -> any any (sid:4294967296;)", 34, "`4294967296` is not a sid"),
        ("alert ip any any -> any any (sid:1; rev:x;)", 41, "`x` is not a rev"),
        ("alert ip any any -> any any (sid:1; sid:2;)", 37, "option `sid` stands twice"),
        ("alert ip any any -> any any (msg:a; sid:1;)", 34, "the text of `msg` stands between quotes"),
        ("alert ip any any -> any any (msg:\"a; sid:1;)", 34, "the text of `msg` has no closing quote"),
        ("alert ip any any -> any any (msg:\"a\" sid:1;)", 34, "the text of `msg` has no closing quote"),
        ("alert ip any any -> any any (sid 1;)", 34, "expected `:` or `;` after option `sid`, found `1`"),
        ("alert ip any any -> any any (;sid:1;)", 30, "expected the name of an option, found `;`"),
    ];
    for (text, column, message) in cases {
        let errors = parse(text).unwrap_err();
        assert_eq!(errors.total(), 1, "{text}");
        let error = &errors.errors()[0];
        assert_eq!((error.position(), error.message()), (Some((1, column)), message), "{text}");
    }
}

#[test]
fn messages_quote_the_file_in_part_and_without_control_characters() {
    let errors = parse(&format!("alert ip \u{1b}{} any -> any any (sid:1;)", "é".repeat(100))).unwrap_err();
    let expected = format!("`\u{fffd}{}…` is not an IP address", "é".repeat(47));
    assert_eq!(errors.errors()[0].message(), expected);
    let report = format!("{:?}", miette::Report::new(errors));
    assert!(!report.contains("\u{1b}é"), "{report}");
}

#[test]
fn an_error_in_a_continued_line_names_that_line() {
    let errors = parse("alert ip any any -> \\\r\n  any any (sid:1; \\\n  rev:x;)").unwrap_err();
    assert_eq!(errors.errors()[0].position(), Some((3, 7)));
}

#[test]
fn the_rules_around_a_wrong_one_are_read() {
    let text = concat!(
        "alert ip any any -> any any (sid:1;)\n",
        "alret ip any any -> any any (sid:2;)\n",
        "alert ip any 70000 -> any any (sid:3;)\n",
        "alert ip any any -> any any (sid:1;)\n",
    );
    let errors = parse(text).unwrap_err();
    let told: Vec<_> =
        errors.errors().iter().map(|error| (error.message(), error.position().unwrap().0)).collect();
    let expected = [
        ("`alret` is not an action", 2),
        ("port 70000 is above 65535", 3),
        ("signature 1:1 stands twice", 4),
    ];
    assert_eq!(told, expected);
}

#[test]
fn all_undefined_variables_are_told_once() {
    let rule = |sid| format!("alert tcp $HOME any -> [$OTHER,$HOME] $PORTS (sid:{sid};)\n");
    let text: String = (1..=100).map(rule).collect();
    let errors = parse(&text).unwrap_err();
    let told: Vec<_> = errors.errors().iter().map(|error| error.message()).collect();
    let undefined = |name| format!("variable `{name}` is not defined");
    assert_eq!(told, ["HOME", "OTHER", "PORTS"].map(undefined));
    assert_eq!(errors.total(), 300);
}

#[test]
fn ids_differ_over_all_files_by_gid_and_sid() {
    let rule = |options: &str| format!("alert ip any any -> any any ({options})\n");
    let first = Source::new("a.rules", format!("\n{}", rule("sid:1;") + &rule("gid:2; sid:1;")).as_bytes());
    let second = Source::new("b.rules", (rule("sid:2;") + &rule("gid:1; sid:1; rev:2;")).as_bytes());
    let errors = parse_sources(&[first.clone(), second], &BTreeMap::new()).unwrap_err();
    let [error] = errors.errors() else { panic!("{errors}") };
    assert_eq!((error.message(), error.file_name()), ("signature 1:1 stands twice", "b.rules"));
    assert_eq!(error.position(), Some((2, 41)));
    assert_eq!(miette::Diagnostic::help(error).unwrap().to_string(), "the first one is in a.rules, line 2");
    assert_eq!(parse_sources(&[first], &BTreeMap::new()).unwrap().signatures.len(), 2);
}

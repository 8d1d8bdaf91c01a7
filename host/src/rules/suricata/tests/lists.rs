//! What lists of addresses and ports mean.

use super::*;

#[track_caller]
fn source_addresses(text: &str, vars: &[(&str, &str)]) -> Result<String, String> {
    match parse_with(&format!("alert ip {text} any -> any any (sid:1;)"), vars) {
        Ok(rules) => Ok(rules[0].condition.src.to_string()),
        Err(errors) => Err(errors.errors()[0].message().to_owned()),
    }
}

#[track_caller]
fn source_ports(text: &str, vars: &[(&str, &str)]) -> Result<String, String> {
    match parse_with(&format!("alert tcp any {text} -> any any (sid:1;)"), vars) {
        Ok(rules) => Ok(rules[0].condition.sport.to_string()),
        Err(errors) => Err(errors.errors()[0].message().to_owned()),
    }
}

#[test]
fn addresses() {
    for (text, expected) in [
        ("any", "any"),
        ("ANY", "any"),
        ("[any]", "any"),
        ("10.0.0.1", "10.0.0.1"),
        ("10.1.2.3/8", "10.0.0.0/8"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("10.1.2.3/255.255.0.0", "10.1.0.0/16"),
        ("10.1.2.3/0.0.0.0", "0.0.0.0/0"),
        ("10.0.0.0-10.0.0.255", "10.0.0.0/24"),
        ("10.0.0.1-10.0.0.9", "10.0.0.1-10.0.0.9"),
        ("10.0.0.1-10.0.0.1", "10.0.0.1"),
        ("fe80::1", "fe80::1"),
        ("FE80::/10", "fe80::/10"),
        ("2001:db8::1-2001:db8::ffff", "2001:db8::1-2001:db8::ffff"),
        ("::/0", "::/0"),
        ("[10.0.0.1,10.0.0.1]", "[10.0.0.1,10.0.0.1]"),
        ("10.0.0.1,10.0.0.3", "[10.0.0.1,10.0.0.3]"),
        ("[ 10.0.0.1 , 10.0.0.3 ]", "[10.0.0.1,10.0.0.3]"),
        ("[10.0.0.1,[10.0.0.3,[fe80::1]]]", "[10.0.0.1,10.0.0.3,fe80::1]"),
        // Negations. A family that is only negated is all of it but that; another one is not meant.
        ("!10.0.0.0/8", "[0.0.0.0/0,!10.0.0.0/8]"),
        ("[!10.0.0.0/8]", "[0.0.0.0/0,!10.0.0.0/8]"),
        ("!fe80::/10", "[::/0,!fe80::/10]"),
        ("[10.0.0.0/8,!fe80::/10]", "[10.0.0.0/8,::/0,!fe80::/10]"),
        ("[any,!10.0.0.0/8]", "[0.0.0.0/0,::/0,!10.0.0.0/8]"),
        ("![10.0.0.1,fe80::1]", "[0.0.0.0/0,::/0,!10.0.0.1,!fe80::1]"),
        ("[10.0.0.0/8,!10.1.0.0/16,!10.2.0.0/16]", "[10.0.0.0/8,!10.1.0.0/16,!10.2.0.0/16]"),
        // A list inside another one takes away from the whole.
        ("[10.0.0.0/8,[10.1.0.0/16,!10.2.0.0/16]]", "[10.0.0.0/8,10.1.0.0/16,!10.2.0.0/16]"),
        // A negated list is evaluated by itself.
        ("![10.0.0.0/8,!10.0.0.0/9]", "[0.0.0.0/0,!10.128.0.0/9]"),
        ("![!10.0.0.0/8]", "[0.0.0.0/0,!0.0.0.0-9.255.255.255,!11.0.0.0-255.255.255.255]"),
        ("[10.0.0.0/8,![10.1.0.0/16,!10.1.1.0/24]]", "[10.0.0.0/8,!10.1.0.0/24,!10.1.2.0-10.1.255.255]"),
        ("[10.0.0.0/8,!::/0]", "[10.0.0.0/8,::/0,!::/0]"),
    ] {
        assert_eq!(source_addresses(text, &[]).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn ports() {
    for (text, expected) in [
        ("any", "any"),
        ("80", "80"),
        ("0", "0"),
        ("65535", "65535"),
        ("0080", "80"),
        ("80:90", "80:90"),
        ("80:80", "80"),
        ("1024:", "1024:65535"),
        (":1023", "0:1023"),
        ("[80,443]", "[80,443]"),
        ("[ 80 , 8000:8010 ]", "[80,8000:8010]"),
        ("80,443", "[80,443]"),
        ("!80", "[0:65535,!80]"),
        ("!80:90", "[0:65535,!80:90]"),
        ("[!80,!443]", "[0:65535,!80,!443]"),
        ("![80,443]", "[0:65535,!80,!443]"),
        ("[1:80,![2,4]]", "[1:80,!2,!4]"),
        ("[1024:,!8080]", "[1024:65535,!8080]"),
    ] {
        assert_eq!(source_ports(text, &[]).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn only_the_word_any_takes_packets_without_ports() {
    let sport = |text: &str| parse_with(text, &[("P", "any")]).unwrap().remove(0).condition.sport;
    let all = PortList::Ports { include: vec![0..=65535], exclude: Vec::new() };
    assert_eq!(sport("alert ip any Any -> any any (sid:1;)"), PortList::Any);
    assert_eq!(sport("alert ip any [any] -> any any (sid:1;)"), all);
    assert_eq!(sport("alert ip any $P -> any any (sid:1;)"), all);
    assert_eq!(sport("alert ip any 0:65535 -> any any (sid:1;)"), all);
}

#[test]
fn variables_stand_for_lists() {
    let vars = [
        ("HOME", "[10.0.0.0/8,!10.9.0.0/16]"),
        ("BARE", "10.0.0.1, 10.0.0.3"),
        ("OUTSIDE", "!$HOME"),
        ("BOTH", "[$BARE,$HOME]"),
        ("ANY", "any"),
        ("A-B_1", "192.0.2.1"),
    ];
    for (text, expected) in [
        ("$HOME", "[10.0.0.0/8,!10.9.0.0/16]"),
        ("$BARE", "[10.0.0.1,10.0.0.3]"),
        ("!$BARE", "[0.0.0.0/0,!10.0.0.1,!10.0.0.3]"),
        ("$OUTSIDE", "[0.0.0.0/0,!10.0.0.0-10.8.255.255,!10.10.0.0-10.255.255.255]"),
        ("!$HOME", "[0.0.0.0/0,!10.0.0.0-10.8.255.255,!10.10.0.0-10.255.255.255]"),
        ("!$OUTSIDE", "[0.0.0.0/0,!0.0.0.0-9.255.255.255,!10.9.0.0/16,!11.0.0.0-255.255.255.255]"),
        ("$BOTH", "[10.0.0.1,10.0.0.3,10.0.0.0/8,!10.9.0.0/16]"),
        ("[$BARE,!10.0.0.3]", "[10.0.0.1,10.0.0.3,!10.0.0.3]"),
        ("$ANY", "any"),
        ("[$A-B_1,fe80::1]", "[192.0.2.1,fe80::1]"),
    ] {
        assert_eq!(source_addresses(text, &vars).as_deref(), Ok(expected), "{text}");
    }
    let vars = [("HTTP", "[80,8080:8089]"), ("HIGH", "1024:"), ("SHELL", "!80")];
    for (text, expected) in [
        ("$HTTP", "[80,8080:8089]"),
        ("!$HTTP", "[0:65535,!80,!8080:8089]"),
        ("[$HIGH,!$HTTP]", "[1024:65535,!80,!8080:8089]"),
        ("$SHELL", "[0:65535,!80]"),
        ("[$SHELL,!443]", "[0:65535,!80,!443]"),
    ] {
        assert_eq!(source_ports(text, &vars).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn many_variables_may_stand_side_by_side() {
    let vars: Vec<_> = (0..40).map(|i| (format!("V{i}"), format!("10.0.0.{i}"))).collect();
    let vars: Vec<_> = vars.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let list = |prefix: &str| (0..40).map(|i| format!("{prefix}{i}")).collect::<Vec<_>>().join(",");
    let text = format!("[{}]", list("$V"));
    assert_eq!(source_addresses(&text, &vars), Ok(format!("[{}]", list("10.0.0."))));
}

#[test]
fn lists_that_leave_nothing() {
    let all = "the list leaves no addresses: all of them are taken away";
    let none = "the list leaves no addresses: the negations leave none of those listed";
    for (text, expected) in [
        ("!any", all),
        ("!0.0.0.0/0", all),
        ("[!0.0.0.0/1,!128.0.0.0/1]", all),
        ("[10.0.0.0/8,![0.0.0.0/0]]", all),
        ("[fe80::/10,!0.0.0.0/0]", all),
        ("!::/0", none),
        ("[10.0.0.1,!10.0.0.1]", none),
        ("[10.0.0.1,!10.0.0.0/8]", none),
        ("[10.0.0.1,![10.0.0.2,!10.0.0.2]]", none),
        ("!$ANY", all),
    ] {
        assert_eq!(source_addresses(text, &[("ANY", "any")]), Err(expected.to_owned()), "{text}");
    }
    let all = "the list leaves no ports: all of them are taken away";
    let none = "the list leaves no ports: the negations leave none of those listed";
    for (text, expected) in [("!any", all), ("!0:65535", all), ("[!:79,!80:]", all), ("[80,!80]", none)] {
        assert_eq!(source_ports(text, &[]), Err(expected.to_owned()), "{text}");
    }
}

#[test]
fn variables_that_cannot_be_read() {
    let vars = [
        ("LOOP", "[$LOOP]"),
        ("A", "$B"),
        ("B", "[10.0.0.1,$A]"),
        ("BAD", "[10.0.0.0/33]"),
        ("DEEP", "[10.0.0.1,$BAD]"),
        ("OPEN", "[10.0.0.1"),
        ("TAIL", "10.0.0.1]"),
        ("EMPTY", ""),
        ("MISSING", "$NOWHERE"),
    ];
    for (text, expected) in [
        ("$NONE", "variable `NONE` is not defined"),
        ("$home", "variable `home` is not defined"),
        ("$MISSING", "variable `MISSING` = `$NOWHERE`: variable `NOWHERE` is not defined"),
        ("$LOOP", "variable `LOOP` = `[$LOOP]`: variable `LOOP` names itself: LOOP → LOOP"),
        ("$A", "variable `A` = `$B`: variable `B` = `[10.0.0.1,$A]`: variable `A` names itself: A → B → A"),
        ("$BAD", "variable `BAD` = `[10.0.0.0/33]`: `33` is not a prefix length"),
        (
            "!$DEEP",
            "variable `DEEP` = `[10.0.0.1,$BAD]`: variable `BAD` = `[10.0.0.0/33]`: `33` is not a prefix length",
        ),
        ("$OPEN", "variable `OPEN` = `[10.0.0.1`: expected `,` or `]`, found the end of the line"),
        ("$TAIL", "variable `TAIL` = `10.0.0.1]`: expected `,` or the end, found `]`"),
        (
            "$EMPTY",
            "variable `EMPTY` = ``: expected an address, a list `[…]`, a variable `$…` or `any`, found the end of the line",
        ),
    ] {
        assert_eq!(source_addresses(text, &vars), Err(expected.to_owned()), "{text}");
    }
}

#[test]
fn lists_are_bounded() {
    let deep = format!("{}10.0.0.1{}", "[".repeat(32), "]".repeat(32));
    assert_eq!(source_addresses(&deep, &[]).as_deref(), Ok("10.0.0.1"));
    let deeper = format!("{}10.0.0.1{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(source_addresses(&deeper, &[]), Err("lists are nested deeper than 32".to_owned()));
    // Every variable names the one before it twice: 2^30 addresses.
    let mut vars = vec![("V0".to_owned(), "10.0.0.1".to_owned())];
    vars.extend((1..31).map(|i| (format!("V{i}"), format!("[$V{},$V{}]", i - 1, i - 1))));
    let vars: Vec<_> = vars.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let error = source_addresses("$V30", &vars).unwrap_err();
    assert!(error.ends_with("the list holds more than 1048576 addresses"), "{error}");
    // A chain of variables.
    let mut vars = vec![("W0".to_owned(), "10.0.0.1".to_owned())];
    vars.extend((1..100_000).map(|i| (format!("W{i}"), format!("$W{}", i - 1))));
    let vars: Vec<_> = vars.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let error = source_addresses("$W99999", &vars).unwrap_err();
    assert!(error.ends_with("variables are nested deeper than 32"), "{}", &error[error.len() - 100..]);
}

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
fn errors_of_options_name_place_and_reason() {
    // Columns count from the first character of the options.
    let cases = [
        // Contents.
        ("content;", 1, "option `content` has no value"),
        ("content:abc;", 9, "content stands between quotes"),
        ("content:\"abc;", 9, "content has no closing quote"),
        ("content:\"\";", 10, "the content has no bytes"),
        ("content:\"|41 4|\";", 15, "a byte has two hexadecimal digits"),
        ("content:\"|4g|\";", 12, "a byte has two hexadecimal digits"),
        ("content:\"|g|\";", 11, "`g` is not a hexadecimal digit"),
        ("content:\"a|41\";", 11, "the bytes have no closing `|`"),
        ("content:\"a\\n\";", 11, "`\\n` escapes nothing"),
        ("content:\"a\"b\";", 12, "`b\"` stands behind the closing quote"),
        ("content:\"a\",nocsae;", 13, "`nocsae` does not modify a content"),
        ("content:\"a\",depth;", 13, "option `depth` has no value"),
        ("nocase;", 1, "`nocase` has no content before it"),
        ("depth:x;", 1, "`depth` has no content before it"),
        ("content:\"a\"; depth:x;", 20, "variable `x` is not set"),
        ("content:\"a\"; depth:65536;", 20, "depth 65536 is above 65535"),
        ("content:\"a\"; offset:-1;", 21, "offset -1 is below 0"),
        ("content:\"a\"; depth:1; depth:2;", 23, "`depth` stands twice"),
        ("content:\"abc\"; depth:2;", 9, "`depth` 2 is less than the 3 bytes of the content"),
        ("content:\"abc\"; distance:0; within:2;", 9, "`within` 2 is less than the 3 bytes of the content"),
        (
            "content:\"a\"; offset:1; distance:1;",
            9,
            "one content counts from the start of the buffer and from the last match",
        ),
        (
            "content:\"a\"; startswith; depth:3;",
            9,
            "`startswith` says where the content begins, and so does another modifier",
        ),
        ("content:\"abc\"; fast_pattern:1,3;", 16, "the fast pattern ends behind the content of 3 bytes"),
        ("content:\"abc\"; fast_pattern:x;", 29, "`x` is no part of a content"),
        ("content:\"abc\"; fast_pattern:1,x;", 31, "`x` is not a number for the length of the fast pattern"),
        ("content:\"a\"; fast_pattern; content:\"b\"; fast_pattern;", 36, "the rule has two fast patterns"),
        // Expressions.
        ("pcre:\"abc\";", 7, "an expression stands between slashes"),
        ("pcre:\"/abc/q\";", 12, "`q` is not a flag of an expression"),
        ("pcre:\"/a;", 6, "the expression has no closing quote"),
        // Numbers.
        ("byte_test:1,>;", 11, "`byte_test` has four parts at least"),
        ("byte_test:9,>,1,0;", 11, "a binary number of 9 bytes"),
        ("byte_test:0,>,1,0;", 11, "the number of bytes 0 is below 1"),
        ("byte_test:24,>,1,0,string;", 11, "the number of bytes 24 is above 23"),
        ("byte_test:1,~,1,0;", 13, "`~` is not an operator"),
        ("byte_test:1,>,n,0;", 15, "variable `n` is not set"),
        ("byte_test:1,>,1,0,hex;", 11, "the base of a number is for those in text"),
        ("byte_test:1,>,1,0,relativ;", 19, "`relativ` is not a part of `byte_test`"),
        ("byte_test:1,>,1,0,bitmask 0;", 27, "the bitmask 0 is below 1"),
        ("byte_jump:4;", 11, "`byte_jump` has two parts at least"),
        ("byte_jump:4,0,multiplier 0;", 26, "the multiplier 0 is below 1"),
        ("byte_extract:1,0;", 14, "`byte_extract` has three parts at least"),
        ("byte_extract:1,0,1a;", 18, "`1a` is not the name of a variable"),
        ("byte_extract:1,0,a,align 3;", 26, "the value is aligned to 2 or 4"),
        ("byte_math:bytes 1,offset 0,oper +,rvalue 1;", 11, "`byte_math` lacks a part"),
        ("byte_math:bytes 1,offset 0,oper %,rvalue 1,result a;", 33, "`%` is not an operator"),
        (
            "byte_math:bytes 1,offset 0,oper +,rvalue 1,result a,endian middle;",
            60,
            "`middle` is not an order of bytes",
        ),
        ("isdataat:x;", 10, "variable `x` is not set"),
        ("isdataat:-1;", 10, "the place -1 is below 0"),
        ("isdataat:1,near;", 12, "`near` is not a part of `isdataat`"),
        ("bsize:x;", 7, "`x` is not a number for the length"),
        ("bsize:1,relativ;", 9, "`relativ` is not a part of `bsize`"),
        // Fields.
        ("dsize:<0;", 8, "no value is below 0"),
        ("ttl:256;", 5, "the TTL 256 is above 255"),
        ("ttl:>255;", 6, "no value is above 255"),
        ("ttl:5<>6;", 5, "no number is 5<>6"),
        ("ttl:9<=>6;", 5, "no number is 9<=>6"),
        ("ttl:;", 1, "option `ttl` has no value"),
        ("flags:X;", 7, "`X` is not a TCP flag"),
        ("flags:S,12,A;", 7, "`flags` has one part or two"),
        ("flags:*0;", 7, "one of no bits is never set"),
        ("flags:!;", 8, "a TCP flag is missing"),
        ("fragbits:A;", 10, "`A` is not a fragment bit"),
        ("ipopts:foo;", 8, "`foo` is not an IP option"),
        ("ip_proto:foo;", 10, "`foo` is not a number for the protocol"),
        // Flow and rate.
        ("flow:to_sever;", 6, "`to_sever` says nothing of a flow"),
        ("flow:to_server,to_client;", 16, "the rule asks for both directions of a flow"),
        ("flow:established,not_established;", 18, "the rule asks for flows that are established and not"),
        ("flow:to_server; flow:established;", 17, "option `flow` stands twice"),
        ("flowbits:sett,a;", 10, "`sett` is not a command of `flowbits`"),
        ("flowint:a;", 9, "`flowint` names no command"),
        ("threshold:type limit,track by_src,count 1;", 11, "`threshold` lacks a part"),
        ("threshold:type most,track by_src,count 1,seconds 1;", 16, "`most` is not a type of threshold"),
        ("threshold:type limit,track by_me,count 1,seconds 1;", 28, "`by_me` cannot be tracked"),
        ("threshold:type limit,track by_src,count 0,seconds 1;", 41, "the count 0 is below 1"),
        ("threshold:limit;", 11, "`limit` is not a part of `threshold`"),
        (
            "detection_filter:type limit,track by_src,count 1,seconds 1;",
            18,
            "`type limit` is not a part of `detection_filter`",
        ),
        (
            "detection_filter:track by_src,count 1,seconds 1; threshold:type limit,track by_src,count 1,seconds 1;",
            50,
            "option `threshold` stands twice",
        ),
    ];
    let header = "alert tcp any any -> any any (";
    for (options, column, message) in cases {
        let errors = parse(&format!("{header}{options} sid:1;)")).unwrap_err();
        assert_eq!(errors.total(), 1, "{options}");
        let error = &errors.errors()[0];
        let (line, at) = error.position().unwrap();
        assert_eq!((line, at as usize - header.len(), error.message()), (1, column, message), "{options}");
    }
    // What PCRE2 says depends on its version.
    let errors = parse(&format!("{header}pcre:\"/ab(c/i\"; sid:1;)")).unwrap_err();
    let error = &errors.errors()[0];
    assert!(error.message().starts_with("PCRE2 does not take the expression: "), "{}", error.message());
    assert_eq!(error.position(), Some((1, header.len() as u32 + 8)));
    let long = "a".repeat(9217);
    let errors = parse(&format!("{header}content:\"{long}\"; sid:1;)")).unwrap_err();
    assert_eq!(errors.errors()[0].message(), "a content of 9217 bytes");
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

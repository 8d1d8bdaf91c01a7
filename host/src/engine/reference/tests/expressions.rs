//! `pcre`: options, subject, positions, errors.

use super::*;
use crate::rules::detect::Pcre;

fn pcre(expression: &str, change: impl FnOnce(&mut Pcre)) -> Test {
    let mut pcre = Pcre { expression: expression.to_owned(), ..Pcre::default() };
    change(&mut pcre);
    Test::Pcre(pcre)
}

fn next(bytes: &[u8]) -> Test {
    content(bytes, |content| {
        (content.distance, content.within) =
            (Some(Operand::Number(0)), Some(Operand::Number(bytes.len() as i64)));
    })
}

#[test]
fn each_flag_is_the_option_of_its_name() {
    type Flag = fn(&mut Pcre);
    let none: Flag = |_| {};
    for (expression, payload, flag, with, without) in [
        ("abc", &b"xABCx"[..], (|pcre| pcre.caseless = true) as Flag, true, false),
        ("a.b", b"a\nb", |pcre| pcre.dot_all = true, true, false),
        ("^b$", b"a\nb\nc", |pcre| pcre.multi_line = true, true, false),
        ("a b # c", b"ab", |pcre| pcre.extended = true, true, false),
        ("b", b"ab", |pcre| pcre.anchored = true, false, true),
        ("b$", b"ab\n", |pcre| pcre.dollar_end_only = true, false, true),
    ] {
        assert_eq!(payload_satisfies(payload, vec![pcre(expression, flag)]), with, "{expression}");
        assert_eq!(payload_satisfies(payload, vec![pcre(expression, none)]), without, "{expression}");
    }
    // What stands behind the shortest match.
    let ungreedy = pcre("a+", |pcre| pcre.ungreedy = true);
    assert!(payload_satisfies(b"aab", vec![ungreedy, next(b"a")]));
    // The longest match from the first `a` leads to `b`; from there on no way leads to another.
    assert!(!payload_satisfies(b"aab", vec![pcre("a+", none), next(b"a")]));
}

#[test]
fn an_expression_is_of_bytes() {
    assert!(payload_satisfies(b"\xe4\xff", vec![pcre("\u{e4}\u{ff}", |_| {})]));
    assert!(payload_satisfies(b"\xe4", vec![pcre("^.$", |_| {})]));
    assert!(payload_satisfies(b"\x80\x00", vec![pcre("\\x80\\x00", |_| {})]));
    // Letters beyond ASCII have no case.
    assert!(!payload_satisfies(b"\xe4", vec![pcre("\u{c4}", |pcre| pcre.caseless = true)]));
    assert!(!payload_satisfies("\u{e4}".as_bytes(), vec![pcre("^.$", |_| {})]));
}

#[test]
fn a_relative_expression_sees_nothing_before_the_position() {
    let relative = |expression| pcre(expression, |pcre| pcre.relative = true);
    for (expression, expected) in
        [("^cd", true), ("cd", true), ("d", true), ("ab", false), ("(?<=b)c", false)]
    {
        let tests = vec![content(b"ab", |_| {}), relative(expression)];
        assert_eq!(payload_satisfies(b"abcd", tests), expected, "{expression}");
    }
    // Each way of the test before has a subject of its own.
    assert!(payload_satisfies(b"ab.abcd", vec![content(b"ab", |_| {}), relative("^cd")]));
    // The end of the buffer is a position too.
    assert!(payload_satisfies(b"ab", vec![content(b"ab", |_| {}), relative("^$")]));
    // Not relative: the whole buffer, wherever the position is.
    assert!(payload_satisfies(b"abcd", vec![content(b"cd", |_| {}), pcre("^ab", |_| {})]));
    // Its end is the next position, counted from the start of the buffer.
    assert!(payload_satisfies(b"abcde", vec![content(b"ab", |_| {}), relative("c"), next(b"d")]));
}

#[test]
fn the_search_goes_on_behind_the_start_of_a_match() {
    assert!(payload_satisfies(b"ax.ay", vec![pcre("a", |_| {}), next(b"y")]));
    // From the second byte of the first match on.
    assert!(payload_satisfies(b"aaab", vec![pcre("aa", |_| {}), next(b"b")]));
    // What lies before is still there to be looked back at, and is no start of the subject.
    assert!(payload_satisfies(b"xaxab", vec![pcre("(?<=x)a", |_| {}), next(b"b")]));
    assert!(!payload_satisfies(b"axab", vec![pcre("^a", |_| {}), next(b"b")]));
    // Empty matches, up to the end.
    assert!(payload_satisfies(b"xyz", vec![pcre("", |_| {}), next(b"z")]));
    assert!(!payload_satisfies(b"xyz", vec![pcre("", |_| {}), next(b"w")]));
    assert!(!payload_satisfies(b"xyz", vec![pcre("x\\K", |_| {}), next(b"w")]));
    // At one start PCRE2's own choice counts, no other.
    assert!(!payload_satisfies(b"ab", vec![pcre("a|ab", |pcre| pcre.anchored = true), next(b"z")]));
    assert!(!payload_satisfies(b"abc", vec![pcre("a(?:b)?", |_| {}), next(b"b")]));
}

#[test]
fn a_negated_expression_leaves_the_position() {
    let not = |expression| pcre(expression, |pcre| pcre.negated = true);
    assert!(payload_satisfies(b"abc", vec![content(b"a", |_| {}), not("x"), next(b"b")]));
    assert!(!payload_satisfies(b"abc", vec![content(b"a", |_| {}), not("c"), next(b"b")]));
    let relative = pcre("^b", |pcre| (pcre.negated, pcre.relative) = (true, true));
    assert!(!payload_satisfies(b"ab", vec![content(b"a", |_| {}), relative.clone()]));
    assert!(payload_satisfies(b"abac", vec![content(b"a", |_| {}), relative, next(b"c")]));
}

#[test]
fn an_error_is_no_match() {
    // Catastrophic: over the limit.
    let payload = [&[b'a'; 60][..], b"!"].concat();
    let expression = "^(?:a|a|aa)+$";
    assert!(!payload_satisfies(&payload, vec![pcre(expression, |_| {})]));
    assert!(payload_satisfies(&payload, vec![pcre(expression, |pcre| pcre.negated = true)]));
    // Does not compile: the parser lets none through.
    for expression in ["(", "(*UTF)a", "\u{100}"] {
        assert!(!payload_satisfies(b"a(", vec![pcre(expression, |_| {})]), "{expression}");
    }
}

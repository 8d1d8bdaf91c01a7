//! Signatures: any bytes give rules, or errors that can be shown; a rule that is decided exactly is read back from its
//! own text.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use wiresift_host::rules::detect::Test;
use wiresift_host::rules::load::parse_sources;
use wiresift_host::rules::model::{Origin, RuleClass, Signature};
use wiresift_host::rules::source::Source;

/// Whether the rule's text says all of it: what a prefilter leaves out is gone, and an expression may hold bytes that no
/// text in UTF-8 has.
fn reads_back(rule: &Signature) -> bool {
    let ascii = |test: &Test| !matches!(test, Test::Pcre(pcre) if !pcre.expression.is_ascii());
    matches!(rule.class, RuleClass::Exact | RuleClass::ExactOnHost)
        && rule.detect.buffers.iter().flat_map(|buffer| &buffer.tests).all(ascii)
}

fuzz_target!(|data: &[u8]| {
    let vars: BTreeMap<_, _> =
        [("HOME_NET", "[10.0.0.0/8,!10.1.0.0/16]"), ("A", "!$B"), ("B", "[10.0.0.1,fe80::/10]")]
            .map(|(name, text)| (name.to_owned(), text.to_owned()))
            .into();
    let text = [b"alert ", data].concat();
    match parse_sources(&[Source::new("fuzz.rules", &text)], &vars) {
        Ok(rules) => {
            for mut rule in rules.signatures.into_iter().filter(reads_back) {
                let text = rule.to_string();
                let source = Source::new("again", text.as_bytes());
                rule.origin = Origin { file: "again".to_owned(), line: 1 };
                match parse_sources(&[source], &BTreeMap::new()) {
                    Ok(again) => assert_eq!(again.signatures, [rule], "{text}"),
                    Err(errors) => panic!("{text}: {:?}", errors.errors()),
                }
            }
        }
        Err(errors) => {
            assert!(!errors.errors().is_empty() && errors.total() >= errors.errors().len());
            assert!(!format!("{:?}", miette::Report::new(errors)).contains("Failed to read contents"));
        }
    }
});

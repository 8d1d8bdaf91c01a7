//! nftables rulesets, text or JSON: any bytes give rules that hold, or errors that can be shown.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use wiresift_host::rules::diagnostics::Diagnostics;
use wiresift_host::rules::load::parse_sources;
use wiresift_host::rules::source::Source;

fuzz_target!(|data: &[u8]| {
    match parse_sources(&[Source::new("fuzz.nft", data)], &BTreeMap::new()) {
        Ok(rules) => {
            for condition in rules.acl.iter().map(|rule| &rule.condition) {
                for range in condition.src.include.iter().chain(&condition.dst.include) {
                    assert!(range.first <= range.last && range.first.is_ipv4() == range.last.is_ipv4());
                }
            }
            assert!(rules.skipped.len() <= rules.chain_rules);
            let warnings =
                format!("{:?}", miette::Report::new(Diagnostics::of_skipped(&rules.skipped, true)));
            assert!(!warnings.contains("Failed to read contents"));
        }
        Err(errors) => {
            assert!(!errors.errors().is_empty() && errors.total() >= errors.errors().len());
            assert!(!format!("{:?}", miette::Report::new(errors)).contains("Failed to read contents"));
        }
    }
});

//! Seeded mutations of rule files: what the fuzz targets check, in bounded time and without their tool.

use std::fs;
use std::path::Path;

use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::rules::detect::Test;
use crate::rules::diagnostics::Diagnostics;
use crate::rules::load::parse_sources;
use crate::rules::model::{Origin, RuleClass, Signature};

const ROUNDS: u32 = 4_000;

/// Parts of the grammars that mutations put in.
const WORDS: [&str; 64] = [
    "@",
    "!",
    "$A",
    "$HOME_NET",
    "[",
    "]",
    ",",
    ":",
    ";",
    "\"",
    "\\",
    "\\\n",
    "(",
    ")",
    "->",
    "<>",
    "=>",
    "any",
    "0/0",
    "::/0",
    "65536",
    "0x06/0xFF",
    "#",
    "\n",
    "\r\n",
    "\t",
    "sid:1;",
    "msg:\"",
    "tcp ",
    "icmp ",
    "é",
    "10.0.0.0-10.0.0.9",
    "{",
    "}",
    "\"",
    " . ",
    " & ",
    " | ",
    " != ",
    " / ",
    "@s ",
    "jump c2",
    "goto c2",
    "return\n",
    " vmap { ",
    "tcp dport ",
    "ip saddr ",
    " : drop",
    "content:\"",
    "|41 ",
    ",nocase",
    "nocase;",
    "offset:n;",
    "distance:-1;",
    "fast_pattern:1,2;",
    "http_uri;",
    "http.host;",
    "pkt_data;",
    "pcre:\"/a/R\";",
    "byte_extract:1,0,n;",
    "byte_test:1,!&,n,-1,relative;",
    "flow:established;",
    "flags:!SA,12;",
    "dsize:3<>9;",
];

/// Whether the rule's text says all of it: what a prefilter leaves out is gone, and an expression may hold bytes that no
/// text in UTF-8 has.
fn reads_back(rule: &Signature) -> bool {
    let ascii = |test: &Test| !matches!(test, Test::Pcre(pcre) if !pcre.expression.is_ascii());
    matches!(rule.class, RuleClass::Exact | RuleClass::ExactOnHost)
        && rule.detect.buffers.iter().flat_map(|buffer| &buffer.tests).all(ascii)
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds").join(target);
    let mut files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "no seeds in {}", folder.display());
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

fn random() -> ChaCha8Rng {
    let seed = std::env::var("WIRESIFT_SEED").map_or(1, |seed| seed.parse().unwrap());
    println!("WIRESIFT_SEED={seed}");
    ChaCha8Rng::seed_from_u64(seed)
}

fn mutate(text: &mut Vec<u8>, random: &mut ChaCha8Rng) {
    for _ in 0..random.random_range(1..=4) {
        let at = random.random_range(0..=text.len());
        let end = (at + random.random_range(0..8)).min(text.len());
        match random.random_range(0..5) {
            0 => drop(text.splice(at..at, WORDS.choose(random).unwrap().bytes())),
            1 => drop(text.splice(at..end, WORDS.choose(random).unwrap().bytes())),
            2 => drop(text.drain(at..end)),
            3 => drop(text.splice(at..end, [random.random::<u8>()])),
            _ => {
                let part = text[at..end].to_vec();
                let to = random.random_range(0..=text.len());
                text.splice(to..to, part);
            }
        }
    }
}

/// Rules, or errors that can be shown.
fn read(text: &[u8], vars: &BTreeMap<String, String>) -> Option<RuleSet> {
    match parse_sources(&[Source::new("mutated", text)], vars) {
        Ok(rules) => Some(rules),
        Err(errors) => {
            assert!(!errors.errors().is_empty() && errors.total() >= errors.errors().len());
            let report = format!("{:?}", miette::Report::new(errors));
            assert!(!report.contains("Failed to read contents"), "{report}");
            None
        }
    }
}

#[test]
fn classbench() {
    let mut random = random();
    let seeds = seeds("classbench");
    let mut taken = 0;
    for _ in 0..ROUNDS {
        let mut text = b"@".to_vec();
        text.extend(seeds.choose(&mut random).unwrap());
        mutate(&mut text, &mut random);
        let Some(rules) = read(&text, &BTreeMap::new()) else { continue };
        taken += 1;
        for condition in rules.acl.iter().map(|rule| &rule.condition) {
            for range in condition.src.include.iter().chain(&condition.dst.include) {
                assert!(range.first <= range.last && range.first.is_ipv4() == range.last.is_ipv4());
            }
        }
    }
    assert!((ROUNDS / 50..ROUNDS).contains(&taken), "{taken} of {ROUNDS} were rules");
}

#[test]
fn signatures() {
    let mut random = random();
    let seeds = seeds("signatures");
    let vars: BTreeMap<_, _> =
        [("HOME_NET", "[10.0.0.0/8,!10.1.0.0/16]"), ("A", "!$B"), ("B", "[10.0.0.1,fe80::/10]")]
            .map(|(name, text)| (name.to_owned(), text.to_owned()))
            .into();
    let mut taken = 0;
    for _ in 0..ROUNDS {
        let mut text = b"alert ".to_vec();
        text.extend(seeds.choose(&mut random).unwrap());
        mutate(&mut text, &mut random);
        let Some(rules) = read(&text, &vars) else { continue };
        taken += 1;
        for mut rule in rules.signatures.into_iter().filter(reads_back) {
            let text = rule.to_string();
            rule.origin = Origin { file: "mutated".to_owned(), line: 1 };
            assert_eq!(
                read(text.as_bytes(), &BTreeMap::new()).map(|rules| rules.signatures),
                Some(vec![rule]),
                "{text}"
            );
        }
    }
    assert!((ROUNDS / 50..ROUNDS).contains(&taken), "{taken} of {ROUNDS} were rules");
}

/// What a ruleset must hold that was taken, whatever it says.
fn check_chains(rules: &RuleSet) {
    for condition in rules.acl.iter().map(|rule| &rule.condition) {
        assert!(!condition.protocols.is_empty());
        for range in condition.src.include.iter().chain(&condition.dst.include) {
            assert!(range.first <= range.last && range.first.is_ipv4() == range.last.is_ipv4());
        }
    }
    assert!(rules.skipped.len() <= rules.chain_rules && rules.skipped.iter().all(|one| one.origin.line > 0));
    let warnings = format!("{:?}", miette::Report::new(Diagnostics::of_skipped(&rules.skipped, true)));
    assert!(!warnings.contains("Failed to read contents"), "{warnings}");
}

#[test]
fn nft() {
    let mut random = random();
    let seeds = seeds("nft");
    let (mut text, mut json) = (0, 0);
    for _ in 0..ROUNDS / 2 {
        let mut bytes = seeds.choose(&mut random).unwrap().clone();
        mutate(&mut bytes, &mut random);
        let Some(rules) = read(&bytes, &BTreeMap::new()) else { continue };
        *if bytes.starts_with(b"{") { &mut json } else { &mut text } += u32::from(rules.chain_rules > 0);
        check_chains(&rules);
    }
    assert!(text > ROUNDS / 40 && json > ROUNDS / 200, "{text} and {json} of {} were rules", ROUNDS / 2);
}

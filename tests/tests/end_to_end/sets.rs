//! Rule sets at full scale, and sets made to be hard, on the CPU engine and the simulated card: every packet
//! gets what a linear search for the first match gives.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::io::Read;

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use wiresift_abi::geometry::LINE;
use wiresift_host::compile::{CompileError, Compiled, Options, Shortage, compile};
use wiresift_host::engine::cpu::CpuEngine;
use wiresift_host::engine::reference::Reference;
use wiresift_host::rules::load::parse_sources;
use wiresift_host::rules::model::RuleSet;
use wiresift_host::rules::source::Source;
use wiresift_tests::capture::pcap;
use wiresift_tests::command::{DEVICES, can_run, classify};
use wiresift_tests::sets::{FAMILIES, Family, Header, RULES_MAX, Set, adversarial, generate};
use wiresift_tests::{corpus, long, seeded};

/// Seed of the hash.
const HASH: Options = Options { seed: Some(11) };
/// Rules times headers that the reference of the host package tries for a set; it is slower than the search
/// of `Set`, which tries every header.
const REFERENCE_TRIES: usize = 8_000_000;

fn rules_of(name: &str, text: &str) -> RuleSet {
    parse_sources(&[Source::new(name, text.as_bytes())], &BTreeMap::new())
        .unwrap_or_else(|errors| panic!("{name}: {errors:?}"))
}

/// Compares the CPU engine with the search of the set, and with the reference as far as time allows.
fn equal_on_cpu(set: &Set, rules: &RuleSet, compiled: &Compiled, headers: &[Header]) {
    let mut engine = CpuEngine::new(&compiled.image).unwrap();
    let mut reference = Reference::new(rules);
    let judged = REFERENCE_TRIES * if long() { 20 } else { 1 } / set.rules.len();
    let mut matched = 0;
    for (n, header) in headers.iter().enumerate() {
        let packet = header.packet();
        let decision = engine.decide(&packet);
        let first = set.first_match(header);
        assert_eq!(decision.acl.map(|rule| rule as usize), first, "{}: {header:x?}", set.name);
        if n < judged {
            assert_eq!(decision, reference.decide(&packet), "{}: {header:x?}", set.name);
        }
        matched += usize::from(first.is_some());
    }
    let report = &compiled.report;
    println!(
        "{}: {} headers equal ({} with the reference), {matched} matched; {} entries, {} cut, {} tables, {} in the TCAM",
        set.name,
        headers.len(),
        judged.min(headers.len()),
        report.entries,
        report.cut,
        report.tables.len(),
        report.tcam
    );
    assert!(matched * 4 > headers.len(), "{}: {matched} of {} matched", set.name, headers.len());
}

fn fits(set: &Set, rng: &mut ChaCha8Rng, headers: usize) {
    let rules = rules_of(&set.name, &set.text());
    let compiled = compile(&rules, &LINE, &HASH).unwrap_or_else(|error| panic!("{}: {error}", set.name));
    equal_on_cpu(set, &rules, &compiled, &set.headers(rng, headers));
}

#[test]
fn every_family_of_every_size_on_cpu() {
    let mut rng = seeded("families on cpu", 21);
    for family in FAMILIES {
        for count in [1, 20, 300, 5000] {
            fits(&generate(family, count, rng.random()), &mut rng, if long() { 20_000 } else { 2000 });
        }
        fits(&generate(family, RULES_MAX, rng.random()), &mut rng, if long() { 50_000 } else { 4000 });
    }
}

#[test]
fn a_seed_gives_one_image_of_64k_rules() {
    let rules = rules_of("mix", &generate(Family::Mix, RULES_MAX, 5).text());
    let image = || compile(&rules, &LINE, &HASH).unwrap().image.to_bytes();
    assert!(image() == image());
}

#[test]
fn hard_sets_are_equal_on_cpu_or_refused_with_the_reason() {
    let mut rng = seeded("adversarial sets on cpu", 22);
    let mut refused = Vec::new();
    for set in adversarial::all(rng.random()) {
        let rules = rules_of(&set.name, &set.text());
        match compile(&rules, &LINE, &HASH) {
            Ok(compiled) => {
                let headers = set.headers(&mut rng, if long() { 20_000 } else { 3000 });
                equal_on_cpu(&set, &rules, &compiled, &headers);
            }
            Err(CompileError::DoesNotFit(error)) => {
                println!("{error}");
                assert!(error.left > LINE.tcam_entries && !error.rules.is_empty(), "{error}");
                let kind = set.name.rsplit_once('_').unwrap().0.to_owned();
                let reason = match error.shortage {
                    Shortage::OneKey { entries, room } => entries > room && kind != "nested_pairs",
                    Shortage::Masks { masks, tables } => masks > tables && kind == "nested_pairs",
                    Shortage::Slots { .. } => false,
                };
                assert!(reason, "{kind}: {error}");
                refused.push(kind);
            }
            Err(error) => panic!("{}: {error}", set.name),
        }
    }
    // Of these a packet matches more entries than any card of this kind looks at; every other one fits.
    assert_eq!(refused, ["nested_ranges", "wide_ranges", "wide_rectangles", "nested_pairs"]);
}

#[test]
fn every_classbench_set_of_the_corpus_on_cpu() {
    let Some(folder) = corpus::folder("ClassBench sets with headers of their corners") else { return };
    let mut rng = seeded("ClassBench corners on cpu", 23);
    let files = corpus::files(&folder.join("classbench"), &["gz"]);
    let files: Vec<_> = files.iter().filter(|file| file.to_string_lossy().ends_with(".rules.gz")).collect();
    assert!(files.len() >= 7, "{files:?}");
    for file in files {
        let mut text = String::new();
        flate2::read::GzDecoder::new(std::fs::File::open(file).unwrap()).read_to_string(&mut text).unwrap();
        let set = Set::read(&file.file_name().unwrap().to_string_lossy(), &text).unwrap();
        let rules = rules_of(&set.name, &text);
        let compiled = compile(&rules, &LINE, &HASH).unwrap_or_else(|error| panic!("{}: {error}", set.name));
        equal_on_cpu(&set, &rules, &compiled, &set.headers(&mut rng, if long() { 50_000 } else { 3000 }));
    }
}

/// A signature with a list of `count` addresses, as lists of bad hosts come.
fn address_list(rng: &mut ChaCha8Rng, count: usize) -> (String, Vec<u32>) {
    let addresses: Vec<u32> = (0..count).map(|_| rng.random()).collect();
    let list: Vec<String> = addresses.iter().map(|&a| std::net::Ipv4Addr::from_bits(a).to_string()).collect();
    let list = list.join(",");
    let text = format!(
        "alert ip [{list}] any -> $HOME_NET any (msg:\"bad host\"; sid:1;)\n\
         alert tcp [{list}] any -> $HOME_NET [22,80,443] (msg:\"bad host, TCP\"; sid:2;)\n"
    );
    (text, addresses)
}

#[test]
fn a_list_of_15000_addresses_is_the_work_of_one_table() {
    const ADDRESSES: usize = 15_000;
    let mut rng = seeded("address lists", 24);
    let (text, addresses) = address_list(&mut rng, ADDRESSES);
    let vars = BTreeMap::from([("HOME_NET".to_owned(), "192.168.0.0/16".to_owned())]);
    let rules = parse_sources(&[Source::new("list", text.as_bytes())], &vars).unwrap();
    let mut one = rules.clone();
    one.signatures.truncate(1);
    let compiled = compile(&one, &LINE, &HASH).unwrap();
    assert!(
        compiled.report.entries <= ADDRESSES && compiled.report.tables.len() == 1,
        "{:?}",
        compiled.report
    );
    let compiled = compile(&rules, &LINE, &HASH).unwrap();
    println!("{} entries in {} tables", compiled.report.entries, compiled.report.tables.len());
    let mut engine = CpuEngine::new(&compiled.image).unwrap();
    let mut reference = Reference::new(&rules);
    let mut matched = 0;
    for n in 0..if long() { 20_000 } else { 2000 } {
        let from = if n % 3 == 0 { rng.random() } else { addresses[rng.random_range(0..ADDRESSES)] };
        let header = Header {
            v6: false,
            src: u128::from(from ^ u32::from(n % 5 == 0)) << 96,
            dst: u128::from(0xc0a8_0000u32 | rng.random_range(0..1 << 17)) << 96,
            sport: rng.random(),
            dport: [22, 80, 443, 444][n % 4],
            proto: [6, 17, 1][n % 3],
        };
        let packet = header.packet();
        let decision = engine.decide(&packet);
        assert_eq!(decision, reference.decide(&packet), "{header:x?}");
        matched += usize::from(!decision.signatures.is_empty());
    }
    assert!(matched > 200, "{matched} matched");
}

/// Compares the simulated card with the search of the set.
fn equal_on_card(set: &Set, rng: &mut ChaCha8Rng, headers: usize) {
    let headers = set.headers(rng, headers);
    let temporary = tempfile::tempdir().unwrap();
    let (rules, capture) = (temporary.path().join("rules"), temporary.path().join("headers.pcap"));
    std::fs::write(&rules, set.text()).unwrap();
    let packets: Vec<Vec<u8>> = headers.iter().map(Header::packet).collect();
    std::fs::write(&capture, pcap(packets.iter().map(Vec::as_slice))).unwrap();
    let run = classify(DEVICES[2], &[rules], &[], &[capture]);
    assert_eq!(run.code, Some(0), "{}: {}", set.name, run.errors);
    assert_eq!(run.csv.lines().count(), headers.len() + 1, "{}", set.name);
    for (n, (line, header)) in run.csv.lines().skip(1).zip(&headers).enumerate() {
        let first = set.first_match(header);
        let action = if first.is_some() { "match" } else { "none" };
        let rule = first.map(|place| (place + 1).to_string()).unwrap_or_default();
        let start = format!("{},{action},{rule},", n + 1);
        assert!(line.starts_with(&start), "{}: {line}, expected {start} for {header:x?}", set.name);
    }
    println!("{} on the simulated card: {} headers equal", set.name, headers.len());
}

#[test]
fn large_and_hard_sets_on_the_simulated_card() {
    if !can_run("large sets", DEVICES[2]) {
        return;
    }
    let mut rng = seeded("large sets on rtl", 25);
    let headers = if long() { 5000 } else { 500 };
    let families: &[Family] = if long() { &FAMILIES } else { &[Family::Mix] };
    for &family in families {
        equal_on_card(&generate(family, RULES_MAX, rng.random()), &mut rng, headers);
    }
    for set in adversarial::all(rng.random()) {
        let fits = compile(&rules_of(&set.name, &set.text()), &LINE, &HASH).is_ok();
        // By default those that use the TCAM and masks of port ranges.
        if fits && (long() || set.name.starts_with("many_masks_28") || set.name.starts_with("short_ranges")) {
            equal_on_card(&set, &mut rng, headers);
        }
    }
}

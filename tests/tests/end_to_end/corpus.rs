//! Real rules and real captures: every device gives the reference's answers, byte for byte.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::fmt::Write;
use std::io::Read;
use std::path::{Path, PathBuf};

use wiresift_abi::geometry::LINE;
use wiresift_host::compile::{Options, compile};
use wiresift_host::rules::load;
use wiresift_tests::command::{DEVICES, agree, classify, report};
use wiresift_tests::corpus::{self, ELSEWHERE};
use wiresift_tests::{long, suricata_verify};

/// The variables with that EXTERNAL_NET.
fn variables(external: &'static str) -> Vec<&'static str> {
    corpus::VARIABLES.into_iter().chain([external]).flat_map(|variable| ["--var", variable]).collect()
}

const ANYWHERE: &str = "EXTERNAL_NET=any";

/// The headers of the enabled rules of all rule files, one rule for each that is different.
fn header_rules(rules: &Path, wanted: impl Fn(&[&str]) -> bool) -> String {
    let mut seen = BTreeSet::new();
    let mut text = String::new();
    for file in corpus::files(rules, &["rules"]) {
        for line in String::from_utf8_lossy(&std::fs::read(file).unwrap()).lines() {
            let Some((header, _)) = line.split_once('(') else { continue };
            let words: Vec<_> = header.split_whitespace().collect();
            if words.len() == 7
                && words[0] == "alert"
                && wanted(&words)
                && seen.insert(header.trim().to_string())
            {
                let sid = seen.len();
                writeln!(text, "{} (msg:\"header {sid}\"; sid:{sid};)", header.trim()).unwrap();
            }
        }
    }
    text
}

fn gunzip(path: &Path, to: &Path) {
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_end(&mut text).unwrap();
    std::fs::write(to, text).unwrap();
}

/// Captures that are read by one command.
struct Group {
    captures: Vec<PathBuf>,
    has_packets: bool,
}

/// Captures that end in an error (cut, damaged) stand alone, so that what comes after them is not lost.
fn grouped(captures: &[PathBuf]) -> Vec<Group> {
    let temporary = tempfile::tempdir().unwrap();
    let rules = [temporary.path().join("any.rules")];
    std::fs::write(&rules[0], "alert ip any any -> any any (sid:1;)\n").unwrap();
    let (mut whole, mut groups) = (Vec::new(), Vec::new());
    for capture in captures {
        let run = classify(DEVICES[1], &rules, &[], std::slice::from_ref(capture));
        if run.code == Some(0) {
            whole.push(capture.clone());
        } else {
            assert!(!run.errors.is_empty());
            let has_packets = run.csv.lines().count() > 1;
            groups.push(Group { captures: vec![capture.clone()], has_packets });
        }
    }
    println!("{} captures whole, {} with a fault", whole.len(), groups.len());
    assert!(whole.len() > 200, "the corpus has {} whole captures", whole.len());
    groups.push(Group { captures: whole, has_packets: true });
    groups
}

/// All captures on `devices`; those without a packet, whose file alone can be wrong, on the first of them.
fn all_captures(test: &str, rules: &[PathBuf], external: &'static str, folder: &Path, devices: &[&[&str]]) {
    let variables = variables(external);
    let captures = corpus::captures(&folder.join("pcaps"));
    let (mut packets, mut matched) = (0, 0);
    for group in grouped(&captures) {
        let devices = if group.has_packets || long() { devices } else { &devices[..1] };
        let (run, refused) = agree(test, rules, &variables, &group.captures, devices);
        assert_eq!(refused, 0, "{test}: the rules do not fit");
        packets += run.csv.lines().count() - 1;
        matched += run.csv.lines().skip(1).filter(|line| !line.contains(",none,,,")).count();
    }
    println!("{test}: {packets} packets, {matched} matched");
    assert!(packets > 10_000 && matched > 0);
}

#[test]
fn all_captures_with_a_classbench_acl() {
    let Some(folder) = corpus::folder("all captures with a ClassBench ACL") else { return };
    let temporary = tempfile::tempdir().unwrap();
    let acl = temporary.path().join("acl");
    gunzip(&folder.join("classbench/ipc1_1k.rules.gz"), &acl);
    // ClassBench's addresses are random: a few wide rules behind them meet the captures' traffic.
    let mut text = std::fs::read_to_string(&acl).unwrap();
    text.push_str("@10.0.0.0/8 0.0.0.0/0 0 : 65535 0 : 1023 0x06/0xFF 0x0000/0x0000\n");
    text.push_str("@192.168.0.0/16 0.0.0.0/0 0 : 65535 53 : 53 0x11/0xFF 0x0000/0x0000\n");
    text.push_str("@0.0.0.0/0 192.168.0.0/16 0 : 65535 0 : 65535 0x00/0x00 0x0000/0x0000\n");
    text.push_str("@2000::/3 ::/0 0 : 65535 1024 : 65535 0x06/0xFF 0x0000/0x0000\n");
    text.push_str("@fe80::/10 ff00::/8 0 : 65535 0 : 65535 0x3a/0xFF 0x0000/0x0000\n");
    text.push_str("@::/0 ::/0 0 : 65535 0 : 65535 0x00/0x00 0x0000/0x0000\n");
    std::fs::write(&acl, &text).unwrap();
    // Both cards take the part of it below.
    let devices = &DEVICES[1..if long() { 3 } else { 2 }];
    all_captures("captures with an ACL", std::slice::from_ref(&acl), ANYWHERE, &folder, devices);
    // The small card holds a third of the set.
    let lines: Vec<&str> = text.lines().collect();
    std::fs::write(&acl, lines[lines.len() - 250..].join("\n")).unwrap();
    all_captures("captures with a small ACL", &[acl], ANYWHERE, &folder, &DEVICES[1..]);
}

#[test]
fn all_captures_with_the_header_rules_of_the_corpus() {
    let Some(folder) = corpus::folder("all captures with the corpus's header rules") else { return };
    let temporary = tempfile::tempdir().unwrap();
    let file = temporary.path().join("headers.rules");
    let text = header_rules(&folder.join("rules"), |_| true);
    println!("{} different headers", text.lines().count());
    assert!(text.lines().count() > 1000);
    std::fs::write(&file, text).unwrap();
    // Lists of thousands of addresses are more than `lab` holds.
    all_captures("captures with all headers", &[file], ELSEWHERE, &folder, &DEVICES[1..3]);
}

#[test]
fn all_captures_with_the_headers_that_fit_the_small_card() {
    let Some(folder) = corpus::folder("all captures with the headers that fit `lab`") else { return };
    let temporary = tempfile::tempdir().unwrap();
    let file = temporary.path().join("headers.rules");
    let narrow = |words: &[&str]| words[2].len() < 40 && words[6] != "any" && !words.concat().contains('!');
    let text = header_rules(&folder.join("rules"), narrow);
    let text: String = text.lines().take(90).flat_map(|line| [line, "\n"]).collect();
    std::fs::write(&file, text).unwrap();
    // `line` has all headers in the test above.
    all_captures("captures with headers for lab", &[file], ANYWHERE, &folder, &[DEVICES[1], DEVICES[3]]);
}

#[test]
fn all_captures_with_signatures_that_fit_the_small_card() {
    let Some(folder) = corpus::folder("all captures with signatures that fit `lab`") else { return };
    let temporary = tempfile::tempdir().unwrap();
    let file = temporary.path().join("few.rules");
    let (mut headers, mut text) = (BTreeSet::new(), String::new());
    for path in corpus::files(&folder.join("rules"), &["rules"]) {
        for line in String::from_utf8_lossy(&std::fs::read(path).unwrap()).lines() {
            let Some((header, _)) = line.split_once('(') else { continue };
            let fits = header.starts_with("alert") && header.len() < 60 && !header.contains('!');
            if fits && line.contains("content:") && (headers.len() < 24 || headers.contains(header)) {
                headers.insert(header.to_owned());
                writeln!(text, "{line}").unwrap();
            }
        }
    }
    println!("{} signatures with {} headers", text.lines().count(), headers.len());
    assert!(text.lines().count() > 2000);
    std::fs::write(&file, text).unwrap();
    all_captures("signatures for lab", &[file], ANYWHERE, &folder, &[DEVICES[1], DEVICES[3]]);
}

#[test]
fn all_captures_with_all_rules_of_the_corpus() {
    let Some(folder) = corpus::folder("all captures with all rules of the corpus") else { return };
    let files = corpus::files(&folder.join("rules"), &["rules"]);
    assert!(!files.is_empty());
    // `lab` does not hold the headers of all.
    all_captures("captures with all rules", &files, ELSEWHERE, &folder, &DEVICES[1..3]);
    if long() {
        same_suspects(&files, &folder);
    }
}

/// csv says whether a packet is a suspect; eve also of which rules.
fn same_suspects(rules: &[PathBuf], folder: &Path) {
    let variables = variables(ELSEWHERE);
    let mut suspects = 0;
    for group in grouped(&corpus::captures(&folder.join("pcaps"))) {
        let [judge, cpu] = [0, 1]
            .map(|device: usize| report("eve", DEVICES[device], rules, &variables, &group.captures).csv);
        let differs = cpu.lines().zip(judge.lines()).find(|(cpu, judge)| cpu != judge);
        assert!(cpu == judge, "{differs:?}");
        suspects += judge.lines().filter(|line| line.contains("\"event_type\":\"suspect\"")).count();
    }
    println!("{suspects} suspects");
    assert!(suspects > 1000);
}

#[test]
fn every_test_of_suricata_verify_is_as_the_document_says() {
    let Some(folder) = corpus::folder("suricata-verify") else { return };
    let (outcomes, wrong) = suricata_verify::judge(&folder);
    assert_eq!(wrong, Vec::<String>::new());
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/suricata-verify.md");
    let table = suricata_verify::table(&outcomes);
    assert!(std::fs::read_to_string(document).unwrap().ends_with(&table), "the document is not:\n{table}");
}

/// Whatever the secret of the hash: a set that is close to what the tables hold fits by luck. (TCP flags in the headers of rules with contents made
/// it so: four secrets of sixteen were refused.)
#[test]
fn all_rules_of_the_corpus_fit_line_with_any_secret() {
    let Some(folder) = corpus::folder("all rules with any secret") else { return };
    let files = corpus::files(&folder.join("rules"), &["rules"]);
    let rules = load(&files, &corpus::variables(ELSEWHERE)).unwrap();
    for seed in 0..16 {
        if let Err(error) = compile(&rules, &LINE, &Options { seed: Some(seed) }) {
            panic!("seed {seed}: {error}");
        }
    }
}

//! ClassBench sets: the compiled sets give what a linear first-match search over the 5-tuple gives.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::Read;
use std::path::{Path, PathBuf};

use wiresift_tests::command::{DEVICES, can_run, classify};
use wiresift_tests::{corpus, long};

/// A rule as its line says it, and nothing of the project in between.
struct Rule {
    src: (u32, u32),
    dst: (u32, u32),
    sport: (u32, u32),
    dport: (u32, u32),
    proto: (u32, u32),
}

fn gunzip(path: &Path) -> String {
    let mut text = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    text
}

fn prefix(text: &str) -> (u32, u32) {
    let (address, len) = text.split_once('/').unwrap();
    let address = u32::from(address.parse::<std::net::Ipv4Addr>().unwrap());
    let mask = u32::MAX.checked_shl(32 - len.parse::<u32>().unwrap()).unwrap_or(0);
    (address & mask, mask)
}

fn rule(line: &str) -> Rule {
    let words: Vec<_> = line.trim_start_matches('@').split_whitespace().collect();
    let hex = |text: &str| u32::from_str_radix(text.trim_start_matches("0x"), 16).unwrap();
    let (proto, mask) = words[8].split_once('/').unwrap();
    Rule {
        src: prefix(words[0]),
        dst: prefix(words[1]),
        sport: (words[2].parse().unwrap(), words[4].parse().unwrap()),
        dport: (words[5].parse().unwrap(), words[7].parse().unwrap()),
        proto: (hex(proto), hex(mask)),
    }
}

/// Number, from 1, of the first rule that a header line matches.
fn first_match(rules: &[Rule], header: &str) -> Option<usize> {
    let words: Vec<u32> = header.split_whitespace().take(5).map(|word| word.parse().unwrap()).collect();
    let [src, dst, sport, dport, proto] = words[..] else { panic!("trace line {header}") };
    let matches = |rule: &Rule| {
        src & rule.src.1 == rule.src.0
            && dst & rule.dst.1 == rule.dst.0
            && (rule.sport.0..=rule.sport.1).contains(&sport)
            && (rule.dport.0..=rule.dport.1).contains(&dport)
            && proto & rule.proto.1 == rule.proto.0
    };
    rules.iter().position(matches).map(|n| n + 1)
}

fn set_agrees(folder: &Path, name: &str, device: &[&str], headers: usize) {
    let rules_text = gunzip(&folder.join(format!("classbench/{name}.rules.gz")));
    let rules: Vec<Rule> = rules_text.lines().map(rule).collect();
    let trace = gunzip(&folder.join(format!("classbench/{name}.trace.gz")));
    let trace: Vec<&str> = trace.lines().take(headers).collect();
    let temporary = tempfile::tempdir().unwrap();
    let write = |file: &str, text: &str| -> PathBuf {
        let path = temporary.path().join(file);
        std::fs::write(&path, text).unwrap();
        path
    };
    let rule_file = write("rules", &rules_text);
    let trace_file = write("trace", &(trace.join("\n") + "\n"));
    let run = classify(device, &[rule_file], &[], &[trace_file]);
    assert_eq!(run.code, Some(0), "{name}: {}", run.errors);
    let lines: Vec<&str> = run.csv.lines().skip(1).collect();
    assert_eq!(lines.len(), trace.len(), "{name}");
    for (n, (line, header)) in lines.iter().zip(&trace).enumerate() {
        let want = first_match(&rules, header);
        let action = if want.is_some() { "match" } else { "none" };
        let want = want.map(|rule| rule.to_string()).unwrap_or_default();
        let start = format!("{},{action},{want},,", n + 1);
        assert!(line.starts_with(&start), "{name} on {}: {line}, expected {start}", device.join(" "));
    }
    println!("{name} on {}: {} rules, {} headers equal", device.join(" "), rules.len(), trace.len());
}

const SETS: [&str; 6] = ["acl1_1k", "fw1_1k", "ipc1_1k", "acl1_10k", "fw1_10k", "ipc1_10k"];

#[test]
fn the_traces_on_the_cpu_engine() {
    let Some(folder) = corpus::folder("ClassBench on cpu") else { return };
    for name in SETS {
        set_agrees(&folder, name, DEVICES[1], usize::MAX);
    }
}

#[test]
fn the_traces_on_the_simulated_card() {
    let Some(folder) = corpus::folder("ClassBench on rtl") else { return };
    for name in if long() { &SETS[..] } else { &SETS[3..] } {
        if can_run("ClassBench", DEVICES[2]) {
            set_agrees(&folder, name, DEVICES[2], if long() { 20_000 } else { 2_000 });
        }
    }
}

//! nftables rulesets against netfilter itself: the same rules and packets, accepted or dropped.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "nft/packets.rs"]
mod packets;
#[path = "nft/rules.rs"]
mod rules;

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value as Json, json};
use wiresift_abi::geometry::LINE;
use wiresift_host::compile::{self, Options};
use wiresift_host::engine::cpu::CpuEngine;
use wiresift_host::engine::reference::Reference;
use wiresift_host::engine::reference::headers::Headers;
use wiresift_host::rules::load::parse_sources;
use wiresift_host::rules::model::{AclAction, RuleSet};
use wiresift_host::rules::source::Source;

/// Rulesets of a run, ten times as many in a long one, and packets for each.
const RULESETS: usize = 240;
const PACKETS: usize = 60;
/// Every how many rulesets of a family the CPU engine decides too.
const ENGINE_EVERY: usize = 4;
const FAMILIES: [&str; 5] = ["inet", "ip", "ip6", "netdev", "bridge"];

/// Addresses and ports that rules and packets both draw from.
struct Pool {
    v4: Vec<u32>,
    v6: Vec<u128>,
    ports: Vec<u16>,
}

fn pick<T: Copy>(rng: &mut ChaCha8Rng, from: &[T]) -> T {
    from[rng.random_range(0..from.len())]
}

/// Why there is no network namespace to try in.
fn missing() -> Option<String> {
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let runs = |program: &str, args: &[&str]| {
        let output = Command::new(program).args(args).env("PATH", &path).output();
        match output {
            Ok(output) if output.status.success() => None,
            Ok(output) => Some(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
            Err(error) => Some(error.to_string()),
        }
    };
    for (program, args) in [("nft", &["--version"][..]), ("ip", &["-V"]), ("python3", &["--version"])] {
        if let Some(why) = runs(program, args) {
            let required = std::env::var("REQUIRE_TOOLS").is_ok_and(|value| value == "1");
            assert!(!required, "{program} is missing: {why}");
            return Some(format!("{program} is not installed: {why}"));
        }
    }
    let trial = "nft list ruleset && ip link add x type veth peer name y && \
                 nft add table inet t && nft add chain inet t c '{ type filter hook prerouting priority 0; }'";
    runs("unshare", &["-rn", "sh", "-c", trial])
        .map(|why| format!("no network namespace with nftables here: {why}"))
}

/// What netfilter does with the cases.
fn netfilter(cases: &[Json]) -> Vec<Json> {
    let folder = tempfile::tempdir().unwrap();
    let (input, output) = (folder.path().join("cases"), folder.path().join("answers"));
    std::fs::write(&input, serde_json::to_vec(cases).unwrap()).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/nft/namespace.py");
    let run =
        Command::new("unshare").args(["-rn", "python3", script]).args([&input, &output]).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    serde_json::from_slice(&std::fs::read(&output).unwrap()).unwrap()
}

#[track_caller]
fn read(text: &str) -> RuleSet {
    let rules = parse_sources(&[Source::new("listed", text.as_bytes())], &BTreeMap::new());
    let rules = rules.unwrap_or_else(|errors| panic!("{text}\n{:?}", miette::Report::new(errors)));
    assert!(rules.skipped.is_empty(), "{text}\n{:?}", rules.skipped);
    rules
}

fn places(answer: &Json, name: &str) -> BTreeSet<usize> {
    let list = answer[name].as_array().unwrap();
    list.iter().map(|place| place.as_u64().unwrap() as usize).collect()
}

/// What a family's packets met.
#[derive(Default)]
struct Tally {
    rulesets: usize,
    /// Those that were compiled, and those that fit and were decided by the CPU engine too.
    compiled: usize,
    engine: usize,
    refused: usize,
    seen: usize,
    passed: usize,
    later: usize,
    undecided: usize,
}

#[test]
fn packets_are_accepted_and_dropped_as_by_netfilter() {
    if let Some(why) = missing() {
        println!("skipped: nft: {why}");
        return;
    }
    let seed = std::env::var("WIRESIFT_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    println!("nft: seed {seed} (WIRESIFT_SEED)");
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let pool = Pool {
        v4: vec![0x0a00_0001, 0x0a00_0002, 0x0a00_0003, 0x0a00_00ff, 0x0a00_0100, 0xc0a8_0001, 0xc0a8_0101],
        v6: [1, 2, 3, 0x10, 0x1_0000]
            .map(|low| 0x2001_0db8 << 96 | low)
            .into_iter()
            .chain([0xfe80 << 112 | 5])
            .collect(),
        ports: vec![0, 22, 53, 80, 443, 1024, 20_000, 20_022, 40_000, 65_535],
    };
    let long = std::env::var("WIRESIFT_LONG").is_ok_and(|text| !text.is_empty());
    let cases: Vec<Case> = (0..if long { 10 * RULESETS } else { RULESETS })
        .map(|n| {
            let family = FAMILIES[n % FAMILIES.len()];
            let transport = !(n / FAMILIES.len()).is_multiple_of(4);
            let text = rules::table(&mut rng, &pool, family, transport);
            let packets = (0..PACKETS).map(|_| packets::packet(&mut rng, &pool, family)).collect();
            Case { family, transport, text, packets }
        })
        .collect();
    let reads_fragments = reads_ports_of_later_fragments();
    if reads_fragments {
        println!(
            "nft: this kernel reads ports of later fragments: they are compared only where no rule asks for ports"
        );
    }
    let asked: Vec<Json> = cases.iter().map(Case::asked).collect();
    let mut tallies = BTreeMap::<&str, Tally>::new();
    for (case, answer) in cases.iter().zip(netfilter(&asked)) {
        let tally = tallies.entry(case.family).or_default();
        tally.rulesets += 1;
        if let Some(why) = answer["refused"].as_str() {
            println!("refused: {why}\n{}", case.text);
            tally.refused += 1;
            continue;
        }
        compare(&answer, &case.packets, case.transport && reads_fragments, tally);
    }
    for (family, tally) in &tallies {
        let Tally { rulesets, compiled, engine, refused, seen, passed, later, undecided } = tally;
        println!(
            "{family}: {rulesets} rulesets, {engine} of {compiled} fit the card, {refused} refused by nft; {seen} packets, {passed} passed, \
             {later} later fragments, {undecided} not of the table"
        );
        assert!(*engine > 0, "{family}: none fits");
        assert!(*refused * 20 < *rulesets, "{family}: nft refuses too many of the rulesets");
        let (few, many) = (seen / 10, seen - seen / 10);
        assert!(*seen > rulesets * PACKETS / 4 && (few..many).contains(passed) && *later > 10, "{family}");
    }
}

/// A ruleset and packets for it.
struct Case {
    family: &'static str,
    /// Whether rules may ask for what transport headers hold.
    transport: bool,
    text: String,
    packets: Vec<Vec<u8>>,
}

impl Case {
    fn asked(&self) -> Json {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let packets: Vec<_> = self.packets.iter().map(|packet| hex(packet)).collect();
        let sentinel = hex(&packets::sentinel(self.family));
        json!({"family": self.family, "rules": self.text, "packets": packets, "sentinel": sentinel})
    }
}

/// Linux reads a port out of a later fragment's payload where the load takes the short way (`nft_payload_fast_eval`), until
/// "netfilter: nf_tables: skip L4 header parsing for non-first fragments" of April 2026.
fn reads_ports_of_later_fragments() -> bool {
    let rule = "table ip t {\nchain c {\ntype filter hook prerouting priority 0; policy accept;\ntcp dport 22 drop\n}\n}\n";
    let packets = vec![packets::later_fragment()];
    let case = Case { family: "ip", transport: true, text: rule.to_owned(), packets };
    let answer = netfilter(&[case.asked()]).remove(0);
    assert_eq!(places(&answer, "seen").len(), 1, "{answer}");
    places(&answer, "passed").is_empty()
}

/// One ruleset: both listings are the same rules, and decide each packet as netfilter did.
fn compare(answer: &Json, packets: &[Vec<u8>], leave_fragments: bool, tally: &mut Tally) {
    let listed = answer["text"].as_str().unwrap();
    let rules = read(listed);
    let json = read(answer["json"].as_str().unwrap());
    let plain = |rules: &RuleSet| {
        rules.acl.iter().map(|rule| (rule.condition.clone(), rule.action)).collect::<Vec<_>>()
    };
    assert_eq!(plain(&rules), plain(&json), "{listed}");
    // To compile and build the engine takes the most time, so it is done for some. Negations of IPv6 addresses take many
    // entries: not every ruleset fits the card.
    let compiled = tally.rulesets.is_multiple_of(ENGINE_EVERY).then(|| {
        tally.compiled += 1;
        compile::compile(&rules, &LINE, &Options { seed: Some(1) })
    });
    let mut engine = compiled.and_then(Result::ok).map(|compiled| CpuEngine::new(&compiled.image).unwrap());
    tally.engine += usize::from(engine.is_some());
    let mut reference = Reference::new(&rules);
    let passed = places(answer, "passed");
    for place in places(answer, "seen") {
        let packet = &packets[place];
        let later = Headers::of(packet).later_fragment;
        if later && leave_fragments {
            continue;
        }
        let decision = reference.decide(packet);
        if let Some(engine) = &mut engine {
            assert_eq!(engine.decide(packet), decision, "{packet:02x?}\n{listed}");
        }
        let rule = decision.acl.map(|acl| &rules.acl[acl as usize]);
        let passes = rule.is_none_or(|rule| rule.action == AclAction::Accept);
        assert_eq!(
            passes,
            passed.contains(&place),
            "netfilter is on the right; line {:?} decides {packet:02x?}\n{listed}",
            rule.map(|rule| rule.origin.line)
        );
        tally.seen += 1;
        tally.later += usize::from(later);
        tally.passed += usize::from(passes);
        tally.undecided += usize::from(rule.is_none());
    }
}

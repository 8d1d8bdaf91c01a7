//! Random rules and packets: every device gives the reference's answers, byte for byte.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::PathBuf;

use wiresift_tests::{Pool, capture, command, long, packets, rules, seeded, signatures, traffic};

/// Rules and packets of one seed, written to files.
struct Case {
    _folder: tempfile::TempDir,
    rules: Vec<PathBuf>,
    capture: PathBuf,
}

fn case(seed: u64, acl: usize, signatures: usize, negated: bool, count: usize) -> Case {
    let rng = &mut seeded("random", seed);
    let pool = Pool::new(rng);
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let acl = file("random.acl", rules::acl(rng, &pool, acl).as_bytes());
    let signatures = file("random.rules", rules::signatures(rng, &pool, signatures, negated).as_bytes());
    let made: Vec<_> = (0..count).map(|_| packets::packet(rng, &pool)).collect();
    let capture = file("random.pcap", &capture::pcap(made.iter().map(Vec::as_slice)));
    Case { rules: vec![acl, signatures], capture, _folder: folder }
}

/// Signatures with options, and flows that carry what they look for.
fn with_options(seed: u64, signatures: usize, count: usize) -> Case {
    let rng = &mut seeded("random options", seed);
    let made = signatures::signatures(rng, signatures);
    let packets = traffic::packets(rng, &made.payloads, count);
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let rules = vec![file("options.rules", made.text.as_bytes())];
    let timed = packets.iter().map(|(nanos, packet)| (*nanos, packet.as_slice()));
    let capture = file("options.pcap", &capture::pcap_at(timed));
    Case { rules, capture, _folder: folder }
}

/// The cases of `seeds` on `devices`. Some random sets are more than a card holds, which is refused;
/// most must run.
fn agree(seeds: std::ops::Range<u64>, devices: &[&[&str]], make: impl Fn(u64) -> Case) {
    let mut refused = 0;
    let runs = seeds.clone().count() * devices.len();
    for seed in seeds {
        let case = make(seed);
        let captures = std::slice::from_ref(&case.capture);
        refused += command::agree("random rules", &case.rules, &[], captures, devices).1;
    }
    println!("{runs} runs, {refused} with too many rules");
    assert!(refused * 4 <= runs, "{refused} of {runs} rule sets did not fit");
}

#[test]
fn the_cpu_engine_agrees_with_the_reference() {
    let make = |seed: u64| case(seed, 5 + seed as usize * 3 % 90, 3 + seed as usize % 20, true, 3000);
    agree(0..if long() { 400 } else { 40 }, &command::DEVICES[1..2], make);
}

#[test]
fn the_simulated_cards_agree_with_the_reference() {
    let make = |seed| case(seed, 30, 8, false, 4000);
    // To load `line` takes most of its time.
    agree(1000..if long() { 1100 } else { 1002 }, &command::DEVICES[2..], make);
    if !long() {
        agree(1002..1006, &command::DEVICES[3..], make);
    }
}

/// Signatures with options on `devices`, which must hold them all.
fn agree_on_options(seeds: std::ops::Range<u64>, devices: &[&[&str]], count: usize) {
    let (mut matched, mut packets) = (0, 0);
    for seed in seeds {
        let case = with_options(seed, 10 + seed as usize % 40, count);
        let captures = std::slice::from_ref(&case.capture);
        let (run, refused) = command::agree("random options", &case.rules, &[], captures, devices);
        assert_eq!((run.code, refused), (Some(0), 0), "{}", run.errors);
        packets += run.csv.lines().count() - 1;
        matched += run.csv.lines().skip(1).filter(|line| !line.contains(",none,,,")).count();
    }
    println!("{packets} packets, {matched} matched");
    assert!(matched * 20 > packets && matched < packets, "{matched} of {packets} packets matched");
}

#[test]
fn the_cpu_engine_verifies_options_as_the_reference_does() {
    agree_on_options(0..if long() { 400 } else { 30 }, &command::DEVICES[1..2], 3000);
}

#[test]
fn the_simulated_cards_verify_options_as_the_reference_does() {
    agree_on_options(1000..if long() { 1030 } else { 1002 }, &command::DEVICES[2..], 2000);
}

//! Random rules and packets: every device gives the reference's answers, byte for byte.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::PathBuf;

use wiresift_tests::{Pool, capture, command, long, packets, rules, seeded};

/// Rules and packets of one seed, written to files.
struct Case {
    _folder: tempfile::TempDir,
    rules: Vec<PathBuf>,
    capture: PathBuf,
}

fn case(seed: u64, acl: usize, signatures: usize, count: usize) -> Case {
    let rng = &mut seeded("random", seed);
    let pool = Pool::new(rng);
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let acl = file("random.acl", rules::acl(rng, &pool, acl).as_bytes());
    let signatures = file("random.rules", rules::signatures(rng, &pool, signatures).as_bytes());
    let made: Vec<_> = (0..count).map(|_| packets::packet(rng, &pool)).collect();
    let capture = file("random.pcap", &capture::pcap(made.iter().map(Vec::as_slice)));
    Case { rules: vec![acl, signatures], capture, _folder: folder }
}

#[test]
fn the_cpu_engine_agrees_with_the_reference() {
    for seed in 0..if long() { 400 } else { 40 } {
        let case = case(seed, 5 + seed as usize * 3 % 200, 3 + seed as usize % 40, 3000);
        let devices = &command::DEVICES[1..2];
        command::agree("random rules", &case.rules, &[], std::slice::from_ref(&case.capture), devices);
    }
}

#[test]
fn the_simulated_cards_agree_with_the_reference() {
    for seed in 1000..if long() { 1100 } else { 1006 } {
        let case = case(seed, 60, 20, 4000);
        let devices = &command::DEVICES[2..];
        command::agree("random rules", &case.rules, &[], std::slice::from_ref(&case.capture), devices);
    }
}

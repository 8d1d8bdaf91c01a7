//! The tests of suricata-verify in the corpus, on the reference and on the CPU engine: a table of what came of each.
//!
//! `CORPUS=FOLDER cargo run -p wiresift-tests --example suricata_verify` prints the table of `docs/suricata-verify.md`. It
//! fails where the devices differ, where a test is not as expected without a reason, and where a reason is not needed.
#![allow(clippy::print_stdout, reason = "it prints its results")]

use std::process::ExitCode;

use wiresift_tests::command::DEVICES;
use wiresift_tests::corpus;
use wiresift_tests::suricata_verify::{cases, faults, table};

fn main() -> ExitCode {
    let Some(folder) = corpus::folder("suricata-verify") else { return ExitCode::FAILURE };
    let (mut outcomes, mut wrong) = (Vec::new(), Vec::new());
    for case in cases(&folder.join("pcaps/suricata-verify")) {
        let [reference, cpu] = [0, 1].map(|device: usize| case.run(DEVICES[device]));
        if cpu != reference {
            wrong.push(format!("{}: {cpu:?} on cpu, {reference:?} by the reference", case.name));
        }
        outcomes.push((case, reference));
    }
    print!("{}", table(&outcomes));
    wrong.extend(faults(&outcomes));
    let as_expected = outcomes.iter().filter(|(_, outcome)| outcome.failed.is_empty()).count();
    println!("\n{as_expected} of {} as expected", outcomes.len());
    for fault in &wrong {
        println!("wrong: {fault}");
    }
    if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

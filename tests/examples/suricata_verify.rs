//! The tests of suricata-verify in the corpus, by the reference and on the CPU engine: `CORPUS=FOLDER cargo run -p
//! wiresift-tests --example suricata_verify` prints the table of `docs/suricata-verify.md`, and what is wrong with it.
#![allow(clippy::print_stdout, reason = "it prints its results")]

use std::process::ExitCode;

use wiresift_tests::corpus;
use wiresift_tests::suricata_verify::{judge, table};

fn main() -> ExitCode {
    let Some(folder) = corpus::folder("suricata-verify") else { return ExitCode::FAILURE };
    let (outcomes, wrong) = judge(&folder);
    print!("{}", table(&outcomes));
    for fault in &wrong {
        println!("wrong: {fault}");
    }
    if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

//! The simulated card as a whole. One program of all these, not one of each, so that its tests keep all processors busy: many are
//! a long simulation on one of them.
//!
//! `cargo test -p wiresift-testbench --test whole_card -- axi::` runs those of one module.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod axi;
mod loopback;
mod payload;
#[path = "../rules/mod.rs"]
mod rules;
#[path = "../sweep/mod.rs"]
mod sweep;
mod verdicts;

use wiresift_driver::Config;
use wiresift_testbench::library::BuildError;
use wiresift_testbench::model::ModelError;
use wiresift_testbench::{SimCard, SimError};

/// Small rings, which are full and go round; a card that hangs is given up after 400 us. A CLEAR of `line` takes 262 us.
fn config() -> Config {
    Config { h2c_lines_log2: 9, c2h_records_log2: 8, timeout_ns: 400_000, ..Config::default() }
}

/// The simulated card that was built, or `None` with a printed line where Verilator is absent.
fn built(result: Result<SimCard, SimError>) -> Option<SimCard> {
    match result {
        Err(SimError::Model(ModelError::Build(BuildError::NoTool(tool))))
            if std::env::var_os("REQUIRE_TOOLS").is_none_or(|value| value != "1") =>
        {
            println!("skipped: {tool} is not installed");
            None
        }
        result => Some(result.expect("a simulated card")),
    }
}

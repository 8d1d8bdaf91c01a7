//! The CPU engine beside `rte_acl` of DPDK, and its search for patterns beside Hyperscan and others, in one run.
//!
//! `CORPUS=FOLDER cargo run --release --manifest-path benches/Cargo.toml -- acl [SET]...` prints look-ups a second, build
//! time and memory; `-- crafted [SET]...` what crafted headers do to both; `-- literals [SIZE]...` Gbit/s, build time and
//! memory of the searches. Peers take turns; the figures are medians over rounds with the lowest and highest.
#![allow(clippy::print_stdout, reason = "it prints its results")]

mod acl;
#[path = "../../tests/src/corpus.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod corpus;
mod crafted;
mod dpdk;
#[path = "../../tests/src/sets/mod.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod generate;
mod literals;
mod measure;
mod sets;

use std::path::PathBuf;

use anyhow::{Result, bail};

fn main() -> Result<()> {
    let corpus = std::env::var_os("CORPUS").map(PathBuf::from);
    let mut args = std::env::args().skip(1);
    let what = args.next().unwrap_or_default();
    let asked: Vec<String> = args.collect();
    if what == "literals" {
        return literals::compare(corpus.as_deref(), &asked);
    }
    let sets = if asked.is_empty() { sets::SETS.map(str::to_owned).to_vec() } else { asked };
    match what.as_str() {
        "acl" => acl::compare(corpus.as_deref(), &sets),
        "crafted" => acl::crafted(corpus.as_deref(), &sets),
        _ => bail!(
            "say `acl` or `crafted`, then the sets (else {}), or `literals`, then the sizes (else {})",
            sets::SETS.join(", "),
            literals::SIZES.join(", "),
        ),
    }
}

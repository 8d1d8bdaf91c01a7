//! Writes a rule set of ClassBench's kind to standard output, and on request a capture that meets it.
//!
//! `cargo run -p wiresift-tests --example generate -- acl 65536 --seed 1 --capture FILE.pcap > FILE.acl`
#![allow(clippy::print_stderr, reason = "it says what it wrote")]

use std::error::Error;
use std::io::Write;
use std::path::PathBuf;

use clap::Parser;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use wiresift_tests::capture::pcap;
use wiresift_tests::sets::{self, FAMILIES, Family, RULES_MAX, adversarial};

#[derive(Parser)]
#[command(about = "Writes a generated rule set in the format of ClassBench")]
struct Args {
    /// acl, fw, ipc, ipv6, mix, or `adversarial` for a list of the sets that are made to be hard
    family: String,
    /// Number of rules, or of the adversarial set in that list
    #[arg(default_value_t = 0)]
    count: usize,
    /// Seed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Also write a capture with headers that meet the rules
    #[arg(long)]
    capture: Option<PathBuf>,
    /// Packets of the capture
    #[arg(long, default_value_t = 10_000)]
    packets: usize,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let set = if args.family == "adversarial" {
        let mut sets = adversarial::all(args.seed);
        if !(1..=sets.len()).contains(&args.count) {
            sets.iter().enumerate().for_each(|(n, set)| eprintln!("{} {}", n + 1, set.name));
            return Ok(());
        }
        sets.swap_remove(args.count - 1)
    } else {
        let names = || FAMILIES.map(Family::name).join(", ");
        let family =
            Family::by_name(&args.family).ok_or_else(|| format!("no such family; there are {}", names()))?;
        if args.count > RULES_MAX {
            return Err(format!("a set has at most {RULES_MAX} rules").into());
        }
        sets::generate(family, args.count, args.seed)
    };
    eprintln!("{}: {} rules, seed {}", set.name, set.rules.len(), args.seed);
    std::io::stdout().write_all(set.text().as_bytes())?;
    if let Some(file) = args.capture {
        let headers = set.headers(&mut ChaCha8Rng::seed_from_u64(args.seed), args.packets);
        let packets: Vec<Vec<u8>> = headers.iter().map(sets::Header::packet).collect();
        std::fs::write(file, pcap(packets.iter().map(Vec::as_slice)))?;
    }
    Ok(())
}

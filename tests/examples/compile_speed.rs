//! Time and fit of the compiler on generated sets of 65,536 rules, and time to refuse sets that no card holds.
//!
//! `cargo run --release -p wiresift-tests --example compile_speed -- --seeds 5` prints a line a set: the worst of the
//! seeds for each figure. Times are those that the thread ran, so one core's, from rules in memory to the image.
#![allow(clippy::print_stdout, reason = "it prints its results")]

use std::collections::BTreeMap;
use std::error::Error;
use std::time::{Duration, Instant};

use clap::Parser;
use wiresift_abi::geometry::LINE;
use wiresift_host::compile::{CompileError, Options, ResourceReport, compile};
use wiresift_host::rules::load::parse_sources;
use wiresift_host::rules::source::Source;
use wiresift_tests::sets::{FAMILIES, RULES_MAX, Set, adversarial, generate};

#[derive(Parser)]
#[command(about = "Measures the compiler on generated rule sets")]
struct Args {
    /// Seeds 1 to N of rules and hash
    #[arg(long, default_value_t = 3)]
    seeds: u64,
    /// Rules of each family
    #[arg(long, default_value_t = RULES_MAX)]
    rules: usize,
}

/// The worst that was seen of a set.
#[derive(Default)]
struct Worst {
    time: Duration,
    refused: usize,
    entries: usize,
    tables: usize,
    load: f64,
    tcam: usize,
    cut: usize,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    println!("| set | entries | tables | fullest table | TCAM | cut | refused | compile s |");
    println!("|---|---|---|---|---|---|---|---|");
    for family in FAMILIES {
        let sets = (1..=args.seeds).map(|seed| (seed, generate(family, args.rules.min(RULES_MAX), seed)));
        measure(sets)?;
    }
    for (place, _) in adversarial::all(1).iter().enumerate() {
        measure((1..=args.seeds).map(|seed| (seed, adversarial::all(seed).swap_remove(place))))?;
    }
    Ok(())
}

fn measure(sets: impl Iterator<Item = (u64, Set)>) -> Result<(), Box<dyn Error>> {
    let (mut name, mut worst) = (String::new(), Worst::default());
    for (seed, set) in sets {
        let source = Source::new(set.name.clone(), set.text().as_bytes());
        let rules = parse_sources(&[source], &BTreeMap::new()).map_err(|errors| format!("{errors:?}"))?;
        let clock = Clock::start();
        let compiled = compile(&rules, &LINE, &Options { seed: Some(seed) });
        worst.time = worst.time.max(clock.busy());
        match compiled {
            Ok(compiled) => worst.add(&compiled.report),
            Err(CompileError::DoesNotFit(_)) => worst.refused += 1,
            Err(error) => return Err(error.into()),
        }
        name = set.name;
    }
    println!(
        "| {name} | {} | {} | {:.1} % | {} | {} | {} | {:.2} |",
        worst.entries,
        worst.tables,
        worst.load,
        worst.tcam,
        worst.cut,
        worst.refused,
        worst.time.as_secs_f64()
    );
    Ok(())
}

impl Worst {
    fn add(&mut self, report: &ResourceReport) {
        let load = report.tables.iter().map(|table| 100.0 * table.entries as f64 / table.slots as f64);
        self.entries = self.entries.max(report.entries);
        self.tables = self.tables.max(report.tables.len());
        self.load = load.fold(self.load, f64::max);
        self.tcam = self.tcam.max(report.tcam);
        self.cut = self.cut.max(report.cut);
    }
}

/// Time that this thread ran, where the system tells it (Linux, Documentation/scheduler/sched-stats.rst).
struct Clock {
    wall: Instant,
    ran: Option<Duration>,
}

impl Clock {
    fn start() -> Self {
        Self { wall: Instant::now(), ran: ran() }
    }

    fn busy(&self) -> Duration {
        match (self.ran, ran()) {
            (Some(before), Some(now)) => now - before,
            _ => self.wall.elapsed(),
        }
    }
}

fn ran() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(Duration::from_nanos(text.split_ascii_whitespace().next()?.parse().ok()?))
}

//! The search for many patterns beside Hyperscan, `aho-corasick` and `daachorse`.

mod folded;
mod hyperscan;
mod payloads;
mod rules;

use std::cell::RefCell;
use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use wiresift_host::engine::cpu::Simd;
use wiresift_host::patterns::{Lengths, Pattern, Scratch, Searcher};

use crate::measure::{Clock, Contender, in_turns};
use folded::{Folded, Kind};
use hyperscan::Hyperscan;
use payloads::Payloads;
use rules::Contents;

/// Rounds, and how long each contender searches in a round.
const ROUNDS: usize = 7;
const TIME: Duration = Duration::from_millis(100);
/// Seed of the searcher.
const SEED: u64 = 11;
/// Sizes that are measured unless others are asked for; `all` are all contents of the rules.
pub const SIZES: [&str; 4] = ["1000", "10000", "all", "30000"];
/// Shortest patterns: with and without those of one and two bytes.
const SHORTEST: [usize; 2] = [1, 3];

/// An engine with its name, build time and bytes. Its search tells pattern numbers, perhaps more than once; false if it
/// gave up.
struct Engine<'a> {
    name: String,
    built: Duration,
    bytes: usize,
    search: RefCell<Search<'a>>,
}

type Search<'a> = Box<dyn FnMut(&[u8], &mut dyn FnMut(u32)) -> bool + 'a>;

/// Rates, build time and memory of all, on real, random and crafted payloads.
///
/// # Errors
/// Where the corpus cannot be read, an engine refuses the patterns, or two do not find the same.
pub fn compare(corpus: Option<&Path>, sizes: &[String]) -> Result<()> {
    let corpus = corpus.context("set CORPUS to the folder of real rules and captures (docs/testing.md)")?;
    let contents = Contents::load(corpus)?;
    let real = payloads::real(corpus);
    let random = payloads::random(&real);
    println!(
        "Gbit/s: median (lowest-highest) of {ROUNDS} rounds, one core; ratio to Hyperscan in this run; {} payloads, \
         {:.0} bytes in the mean; {} fast patterns, {} contents",
        real.list.len(),
        real.mean(),
        contents.fast(),
        contents.count(1),
    );
    let sizes = if sizes.is_empty() { SIZES.map(str::to_owned).to_vec() } else { sizes.to_vec() };
    for size in &sizes {
        let count = if size == "all" { usize::MAX } else { size.parse().with_context(|| size.clone())? };
        for shortest in SHORTEST {
            let count = if count == usize::MAX { contents.count(shortest) } else { count };
            let patterns = contents.take(count, shortest);
            println!("\n{} patterns of {shortest} byte(s) and more", patterns.len());
            set(&patterns, &real, &random)?;
        }
    }
    Ok(())
}

fn set(patterns: &[rules::Pattern], real: &Payloads, random: &Payloads) -> Result<()> {
    let engines = engines(patterns)?;
    for engine in &engines {
        println!(
            "  {:<20} built in {:>8.4} s, {:>8.2} MiB",
            engine.name,
            engine.built.as_secs_f64(),
            engine.bytes as f64 / f64::from(1 << 20)
        );
    }
    let crafted = payloads::crafted(patterns);
    for payloads in [real, random].into_iter().chain(&crafted) {
        println!("  {}:", payloads.name);
        let engines: Vec<&Engine<'_>> = check(&engines, payloads, patterns)?;
        let mut contenders: Vec<Contender<'_>> = engines
            .iter()
            .map(|engine| {
                Contender::new(engine.name.clone(), payloads.list.len(), |from, count| {
                    let mut search = engine.search.borrow_mut();
                    for payload in &payloads.list[from..from + count] {
                        search(payload, &mut |pattern| {
                            black_box(pattern);
                        });
                    }
                })
            })
            .collect();
        let rates = in_turns(&mut contenders, ROUNDS, TIME);
        let gigabits = |rate: f64| rate * payloads.mean() * 8.0 / 1000.0;
        let hyperscan = engines.iter().zip(&rates).filter(|(engine, _)| engine.name.starts_with("hyperscan"));
        let peer = hyperscan.map(|(_, rates)| rates.median()).fold(0.0, f64::max);
        for (engine, rates) in engines.iter().zip(&rates) {
            let (lowest, highest) = rates.spread();
            println!(
                "    {:<20} {:>7.3} ({:>7.3}-{:>7.3})  {:>6.2}",
                engine.name,
                gigabits(rates.median()),
                gigabits(lowest),
                gigabits(highest),
                rates.median() / peer,
            );
        }
    }
    Ok(())
}

fn engines(patterns: &[rules::Pattern]) -> Result<Vec<Engine<'_>>> {
    let mut engines: Vec<Engine<'_>> = Vec::new();
    let borrowed: Vec<Pattern<'_>> =
        patterns.iter().map(|(bytes, nocase)| Pattern { bytes, nocase: *nocase }).collect();
    for simd in Simd::ALL {
        let Some(chosen) = simd.choose() else {
            println!("  skipped: this processor has no {}", simd.name());
            continue;
        };
        let (searcher, built) = timed(|| Ok(Searcher::with(&borrowed, SEED, chosen)))?;
        let (bytes, mut scratch) = (searcher.bytes(), Scratch::default());
        if simd == Simd::Portable {
            println!("  {} patterns in the automaton", searcher.crowded());
        }
        engines.push(Engine {
            name: format!("wiresift {}", simd.name()),
            built,
            bytes,
            search: RefCell::new(Box::new(move |payload, found| {
                searcher.search(payload, Lengths::ALL, &mut scratch, found);
                true
            })),
        });
    }
    for (name, single) in [("hyperscan", false), ("hyperscan single", true)] {
        let (mut hyperscan, built) = timed(|| Hyperscan::new(patterns, single))?;
        let bytes = hyperscan.bytes();
        let search: Search<'_> = Box::new(move |payload, found| hyperscan.search(payload, found));
        engines.push(Engine { name: name.into(), built, bytes, search: RefCell::new(search) });
    }
    for kind in Kind::ALL {
        let (mut folded, built) = timed(|| Folded::new(patterns, kind))?;
        let bytes = folded.bytes();
        let search: Search<'_> = Box::new(move |payload, found| {
            folded.search(payload, found);
            true
        });
        engines.push(Engine { name: kind.name().into(), built, bytes, search: RefCell::new(search) });
    }
    Ok(engines)
}

/// All must find the same patterns in every payload. Gives those that did not give up on any.
fn check<'a, 'b>(
    engines: &'b [Engine<'a>],
    payloads: &Payloads,
    patterns: &[rules::Pattern],
) -> Result<Vec<&'b Engine<'a>>> {
    let find = |engine: &Engine<'_>, payload: &[u8]| {
        let mut found = Vec::new();
        let whole = (engine.search.borrow_mut())(payload, &mut |pattern| found.push(pattern));
        found.sort_unstable();
        found.dedup();
        whole.then_some(found)
    };
    let mut expected = Vec::new();
    for payload in &payloads.list {
        expected.push(find(&engines[0], payload).context("the first engine gave up")?);
    }
    let mut agree = vec![&engines[0]];
    for engine in &engines[1..] {
        let mut whole = true;
        for (number, (payload, expected)) in payloads.list.iter().zip(&expected).enumerate() {
            let Some(found) = find(engine, payload) else {
                println!("    {:<20} gives up on payload {number}", engine.name);
                whole = false;
                break;
            };
            let differs = expected.iter().find(|pattern| !found.contains(pattern));
            if let Some(pattern) = differs {
                bail!("{} misses {:?} in payload {number}", engine.name, patterns[*pattern as usize]);
            }
            ensure!(found == *expected, "{} finds more in payload {number}", engine.name);
        }
        if whole {
            agree.push(engine);
        }
    }
    Ok(agree)
}

/// What it makes, and the time that it takes.
fn timed<T>(make: impl FnOnce() -> Result<T>) -> Result<(T, Duration)> {
    let clock = Clock::start();
    let made = make()?;
    Ok((made, clock.busy()))
}

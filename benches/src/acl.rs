//! Both comparisons.

use std::cell::RefCell;
use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use wiresift_abi::geometry::LINE;
use wiresift_abi::image::Image;
use wiresift_abi::vector::Key;
use wiresift_host::compile::{Options, compile};
use wiresift_host::engine::cpu::parse::Header;
use wiresift_host::engine::cpu::{Answers, CpuEngine, Simd};

use crate::crafted::{Stream, slowest, streams};
use crate::dpdk::{self, Acl, Algorithm, Dpdk};
use crate::measure::{BURST, Clock, Contender, Rates, in_turns};
use crate::sets::Set;

/// Rounds, and how long each contender looks up in a round: short, so that all of a round run at one clock of the machine.
const ROUNDS: usize = 101;
const TIME: Duration = Duration::from_millis(10);

/// Rates, build time and memory of both.
///
/// # Errors
/// Where a set cannot be read or built, or both do not give the same answers.
pub fn compare(corpus: Option<&Path>, sets: &[String]) -> Result<()> {
    let dpdk = Dpdk::start()?;
    println!(
        "Mpps: median (lowest-highest) of {ROUNDS} rounds, one core; ratio to the best of rte_acl, round by round"
    );
    for name in sets {
        let set = Set::load(corpus, name)?;
        let (acl, acl_time) = timed(|| Acl::new(&dpdk, &set.rules.acl))?;
        let (image, compile_time) = timed(|| Ok(compile(&set.rules, &LINE, &Options::default())?.image))?;
        let (engine, engine_time) = timed(|| Ok(CpuEngine::new(&image)?))?;
        let stream = Both::of(&set.headers);
        check(&engine, &acl, &stream, name)?;
        println!(
            "\n{name}: {} rules, {} headers, the same answer for each",
            set.rules.acl.len(),
            set.headers.len()
        );
        println!(
            "  wiresift  built in {:.3} s (card's tables {:.3} s, engine {:.3} s), {:.2} MiB, {} blocks a packet",
            (compile_time + engine_time).as_secs_f64(),
            compile_time.as_secs_f64(),
            engine_time.as_secs_f64(),
            mebibytes(engine.bytes()),
            engine.probes(),
        );
        println!("  rte_acl   built in {:.3} s, {:.2} MiB", acl_time.as_secs_f64(), mebibytes(acl.bytes));
        let mut contenders = ours(&image, &stream)?;
        let ours = contenders.len();
        contenders.extend(Algorithm::ALL.map(|how| theirs(&acl, &stream, how, how.name())));
        let names: Vec<String> = contenders.iter().map(|contender| contender.name.clone()).collect();
        let rates = in_turns(&mut contenders, ROUNDS, TIME);
        let theirs = &rates[ours..];
        let best = theirs.iter().max_by(|a, b| a.median().total_cmp(&b.median())).context("no peer")?;
        for (name, rates) in names.iter().zip(&rates) {
            println!("  {name:<18} {}  {:>6.2}", show(rates), rates.ratio(best));
        }
    }
    Ok(())
}

/// Rates on crafted headers beside those on headers of the rules.
///
/// # Errors
/// As of [`compare`].
pub fn crafted(corpus: Option<&Path>, sets: &[String]) -> Result<()> {
    let dpdk = Dpdk::start()?;
    println!(
        "Mpps: median (lowest-highest) of {ROUNDS} rounds, one core; ratio to headers of the rules, \
         and to uniformly random ones, round by round"
    );
    for name in sets {
        let set = Set::load(corpus, name)?;
        let acl = Acl::new(&dpdk, &set.rules.acl)?;
        let image = compile(&set.rules, &LINE, &Options::default())?.image;
        let engine = CpuEngine::new(&image)?;
        let first = first(&engine, &keys(&set.headers));
        let mut streams = streams(&set.headers, &first, set.rules.acl.len());
        let mut timing = engine.clone();
        let mut answers = Answers::default();
        streams.push(slowest(&streams, |burst| {
            timing.look_up_all(&keys(burst), &mut answers);
            black_box(&answers);
        }));
        let both: Vec<(&Stream, Both)> =
            streams.iter().map(|stream| (stream, Both::of(&stream.headers))).collect();
        both.iter().try_for_each(|(_, stream)| check(&engine, &acl, stream, name))?;
        let engine = RefCell::new(engine);
        let mut contenders: Vec<Contender<'_>> = Vec::new();
        for (stream, both) in &both {
            contenders.push(our(&engine, both, stream.name));
            contenders.push(theirs(&acl, both, Algorithm::Avx512, stream.name));
        }
        let rates = in_turns(&mut contenders, ROUNDS, TIME);
        println!("\n{name}: {} rules{:>24}{:>45}", set.rules.acl.len(), "wiresift", "rte_acl avx512x32");
        let [rules, uniform] = [0, 1].map(|stream| [&rates[2 * stream], &rates[2 * stream + 1]]);
        for (place, (stream, _)) in both.iter().enumerate() {
            let [ours, theirs] = [&rates[2 * place], &rates[2 * place + 1]];
            println!(
                "  {:<16} {}  {:>5.2} {:>5.2}   {}  {:>5.2} {:>5.2}",
                stream.name,
                show(ours),
                ours.ratio(rules[0]),
                ours.ratio(uniform[0]),
                show(theirs),
                theirs.ratio(rules[1]),
                theirs.ratio(uniform[1]),
            );
        }
    }
    Ok(())
}

/// Headers as each of them takes them.
struct Both {
    keys: Vec<Key>,
    headers: dpdk::Headers,
}

impl Both {
    fn of(headers: &[Header]) -> Self {
        let address = |placed: u128| (placed >> 96) as u32;
        let theirs = headers.iter().map(|header| {
            dpdk::Header::new(
                address(header.src),
                address(header.dst),
                header.sport,
                header.dport,
                header.proto,
            )
        });
        Self { keys: keys(headers), headers: dpdk::Headers::new(theirs.collect()) }
    }
}

fn keys(headers: &[Header]) -> Vec<Key> {
    headers.iter().map(Header::key).collect()
}

/// One contender for each kind of instructions that this processor has.
fn ours<'a>(image: &Image, stream: &'a Both) -> Result<Vec<Contender<'a>>> {
    let mut contenders = Vec::new();
    for simd in Simd::ALL {
        let Some(chosen) = simd.choose() else {
            println!("  skipped: this processor has no {}", simd.name());
            continue;
        };
        let mut engine = CpuEngine::with(image, chosen)?;
        let mut answers = Answers::default();
        let name = format!("wiresift {}", simd.name());
        contenders.push(Contender::new(name, stream.keys.len(), move |from, count| {
            engine.look_up_all(&stream.keys[from..from + count], &mut answers);
            black_box(&answers);
        }));
    }
    Ok(contenders)
}

fn our<'a>(engine: &'a RefCell<CpuEngine>, stream: &'a Both, name: &str) -> Contender<'a> {
    let mut answers = Answers::default();
    Contender::new(name, stream.keys.len(), move |from, count| {
        engine.borrow_mut().look_up_all(&stream.keys[from..from + count], &mut answers);
        black_box(&answers);
    })
}

fn theirs<'a>(acl: &'a Acl, stream: &'a Both, how: Algorithm, name: &str) -> Contender<'a> {
    let mut results = vec![0; BURST];
    Contender::new(name, stream.keys.len(), move |from, count| {
        acl.look_up(&stream.headers, from, count, how, &mut results);
        black_box(&results);
    })
}

/// The first rule of each header by the engine.
fn first(engine: &CpuEngine, keys: &[Key]) -> Vec<Option<u32>> {
    let mut engine = engine.clone();
    let mut answers = Answers::default();
    let bursts = keys.chunks(BURST).flat_map(|burst| {
        engine.look_up_all(burst, &mut answers);
        (0..burst.len()).map(|place| answers.first(place)).collect::<Vec<_>>()
    });
    bursts.collect()
}

/// Both must give the same first rule for every header. (`rte_acl` keeps the first of equal rules, as the compiler does.)
fn check(engine: &CpuEngine, acl: &Acl, stream: &Both, name: &str) -> Result<()> {
    let ours = first(engine, &stream.keys);
    let mut results = vec![0; BURST];
    for from in (0..ours.len()).step_by(BURST) {
        let count = BURST.min(ours.len() - from);
        for how in Algorithm::ALL {
            acl.look_up(&stream.headers, from, count, how, &mut results);
            for (our, their) in ours[from..from + count].iter().zip(&results) {
                ensure!(
                    our.map_or(0, |rule| rule + 1) == *their,
                    "{name}: {our:?} and, with {}, {their}",
                    how.name()
                );
            }
        }
    }
    Ok(())
}

/// What it makes, and the time that it takes.
fn timed<T>(make: impl FnOnce() -> Result<T>) -> Result<(T, Duration)> {
    let clock = Clock::start();
    let made = make()?;
    Ok((made, clock.busy()))
}

fn show(rates: &Rates) -> String {
    let (lowest, highest) = rates.spread();
    format!("{:>7.2} ({:>6.2}-{:>6.2})", rates.median(), lowest, highest)
}

fn mebibytes(bytes: usize) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

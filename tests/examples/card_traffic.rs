//! The captures of the corpus, with all its rules, through the simulated card as fast as the bus brings them:
//! `CORPUS=FOLDER cargo run -p wiresift-tests --example card_traffic [-- GEOMETRY [TIMES]]`.
//!
//! Prints how many packets and beats a cycle the card takes, and how many packets it flagged because its payload matcher
//! could not look at all of them. Captures follow each other without a gap, each TIMES times. It is a
//! measurement, nothing is asserted.
#![allow(clippy::print_stdout, reason = "it prints its results")]

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use wiresift_abi::csr::Counter;
use wiresift_abi::geometry::{Geometry, LINE};
use wiresift_abi::h2c::PACKET_BYTES_MAX;
use wiresift_abi::vector::Flags;
use wiresift_driver::{Card, Config};
use wiresift_host::capture::{Capture, Next};
use wiresift_host::compile::{Options, compile};
use wiresift_host::rules::load;
use wiresift_testbench::SimCard;
use wiresift_tests::corpus::{self, ELSEWHERE};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_else(|| LINE.name.to_owned());
    let geometry = Geometry::by_name(&name).ok_or_else(|| format!("no geometry `{name}`"))?;
    let times: usize = arguments.next().map_or(Ok(1), |times| times.parse())?;
    let folder = corpus::folder("traffic on the card").ok_or("CORPUS is not set")?;
    let files = corpus::files(&folder.join("rules"), &["rules"]);
    let rules = load(&files, &corpus::variables(ELSEWHERE)).map_err(|errors| format!("{errors:?}"))?;
    let compiled = compile(&rules, geometry, &Options { seed: Some(1) })?;
    let mut packets = Vec::new();
    for capture in corpus::captures(&folder.join("pcaps")) {
        // A capture that is damaged counts as far as it goes.
        if let Err(error) = read(&capture, &mut packets) {
            println!("{}: {error}", capture.display());
        }
    }
    let all = packets.len();
    packets.retain(|packet| packet.len() <= PACKET_BYTES_MAX);
    println!("{} packets, {} more are longer than the card takes", packets.len(), all - packets.len());
    println!("{:?}", compiled.report.payload);

    let mut card = Card::open(
        SimCard::new(&wiresift_testbench::Options::new(geometry))?,
        Config { h2c_lines_log2: 16, ..Config::default() },
    )?;
    card.load(&compiled.image)?;
    let base = card.card_counters()?;
    let mut verdicts = Vec::new();
    for _ in 0..times {
        let (mut posted, before) = (0, verdicts.len());
        while verdicts.len() - before < packets.len() {
            posted += card.post(packets[posted..].iter().map(Vec::as_slice))?;
            card.poll(&mut verdicts)?;
        }
    }
    let counters = card.card_counters()?.since(&base);
    card.transport().check()?;
    let [cycles, beats] = [Counter::Cycles, Counter::PacketBeats].map(|counter| counters.get(counter) as f64);
    let count = |flag: u16| verdicts.iter().filter(|verdict| verdict.flags.0 & flag != 0).count();
    let hits: Vec<usize> = verdicts.iter().map(|verdict| verdict.hits().len()).collect();
    println!(
        "{} cycles, {:.3} packets a cycle, {:.1} % of beats",
        cycles,
        hits.len() as f64 / cycles,
        100.0 * beats / cycles
    );
    println!(
        "{} patterns found, {} in one packet at most; OVERFLOW {}, CUT {}, DEFER {} of {}",
        hits.iter().sum::<usize>(),
        hits.iter().max().unwrap_or(&0),
        count(Flags::OVERFLOW),
        count(Flags::CUT),
        count(Flags::DEFER),
        hits.len(),
    );
    let present: Vec<usize> =
        verdicts.iter().map(|verdict| verdict.presence().count()).filter(|count| *count > 0).collect();
    println!("{} presence bits, in {} packets", present.iter().sum::<usize>(), present.len());
    Ok(())
}

fn read(path: &Path, packets: &mut Vec<Vec<u8>>) -> Result<(), Box<dyn Error>> {
    let mut capture = Capture::open(path, Arc::new(AtomicU64::new(0)))?;
    loop {
        match capture.next(true)? {
            Next::Packet(packet) => packets.push(packet.bytes.to_vec()),
            Next::Starved => {}
            Next::End => return Ok(()),
        }
    }
}

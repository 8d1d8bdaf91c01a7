//! Speed of compiler and CPU engine on ClassBench sets, beside the reference in the same run.
//!
//! `CORPUS=<folder> cargo run --release --example classify_speed [SET]...` reads `classbench/SET.rules.gz` and
//! `.trace.gz` there. Headers are taken in random order, so there is no locality that real traffic might
//! not have, and times are those that the thread ran. Look-ups are header vectors, packets are 64 bytes from Ethernet header to padding.
#![allow(clippy::print_stdout, reason = "it prints its results")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use wiresift_abi::geometry::LINE;
use wiresift_abi::vector::{Class, Key};
use wiresift_host::compile::{Options, compile};
use wiresift_host::engine::cpu::CpuEngine;
use wiresift_host::engine::cpu::parse::Header;
use wiresift_host::engine::reference::Reference;
use wiresift_host::rules::load::parse_sources;
use wiresift_host::rules::source::Source;

const SETS: [&str; 6] = ["acl1_1k", "fw1_1k", "ipc1_1k", "acl1_10k", "fw1_10k", "ipc1_10k"];
/// Bytes of a packet.
const PACKET_BYTES: usize = 64;
/// How long each thing is measured.
const TIME: Duration = Duration::from_millis(1000);
/// Packets that both engines must decide alike.
const COMPARED: usize = 2000;

fn main() -> Result<()> {
    let corpus =
        std::env::var_os("CORPUS").map(PathBuf::from).context("set CORPUS to the folder of real rules")?;
    let asked: Vec<String> = std::env::args().skip(1).collect();
    let sets = if asked.is_empty() { SETS.map(str::to_owned).to_vec() } else { asked };
    println!("set        rules  probes  tcam  compile ms  look-ups Mpps  packets Mpps  reference Mpps");
    sets.iter().try_for_each(|set| measure(&corpus.join("classbench"), set))
}

fn measure(folder: &Path, set: &str) -> Result<()> {
    let text = unpack(&folder.join(format!("{set}.rules.gz")))?;
    let rules = match parse_sources(&[Source::new(set, &text)], &BTreeMap::new()) {
        Ok(rules) => rules,
        Err(errors) => bail!("{set}: {errors:?}"),
    };
    let clock = Clock::start();
    let compiled = compile(&rules, &LINE, &Options::default())?;
    let compile_time = clock.busy();
    let mut engine = CpuEngine::new(&compiled.image)?;
    let headers = headers(&unpack(&folder.join(format!("{set}.trace.gz")))?)?;
    let keys: Vec<Key> = headers.iter().map(Header::key).collect();
    let packets: Vec<[u8; PACKET_BYTES]> = headers.iter().map(packet).collect();
    let mut reference = Reference::new(&rules);
    for packet in packets.iter().take(COMPARED) {
        ensure!(engine.decide(packet) == reference.decide(packet), "{set}: mismatch for {packet:02x?}");
    }
    let look_ups = rate(&keys, |key| {
        black_box(engine.look_up(key));
    });
    let decided = rate(&packets, |packet| {
        black_box(engine.decide(packet));
    });
    let linear = rate(&packets, |packet| {
        black_box(reference.decide(packet));
    });
    println!(
        "{set:<10} {:>5}  {:>6}  {:>4}  {:>10.1}  {look_ups:>13.2}  {decided:>12.2}  {linear:>14.4}",
        rules.acl.len(),
        engine.probes(),
        compiled.report.tcam,
        compile_time.as_secs_f64() * 1e3,
    );
    Ok(())
}

/// Millions a second of this thread's processor time, over and over the items in order.
fn rate<T>(items: &[T], mut each: impl FnMut(&T)) -> f64 {
    const STRIDE: usize = 64;
    let clock = Clock::start();
    let mut count = 0;
    for chunk in items.chunks(STRIDE).cycle() {
        chunk.iter().for_each(&mut each);
        count += chunk.len();
        if clock.wall.elapsed() > TIME {
            break;
        }
    }
    count as f64 / clock.busy().as_secs_f64() / 1e6
}

/// Time that this thread ran, so that others on the machine count as little as possible.
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

/// Time that this thread ran so far (Linux, Documentation/scheduler/sched-stats.rst).
fn ran() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(Duration::from_nanos(text.split_ascii_whitespace().next()?.parse().ok()?))
}

fn unpack(file: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let packed = std::fs::File::open(file).with_context(|| file.display().to_string())?;
    flate2::read::GzDecoder::new(packed).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Headers of a trace in random order, with ports whatever their protocol.
fn headers(trace: &[u8]) -> Result<Vec<Header>> {
    let mut headers = Vec::new();
    for line in std::str::from_utf8(trace)?.lines() {
        let numbers: Vec<u32> = line.split_ascii_whitespace().map(str::parse).collect::<Result<_, _>>()?;
        let [src, dst, sport, dport, proto, ..] = numbers[..] else { bail!("not a line of a trace: {line}") };
        headers.push(Header {
            src: u128::from(src) << 96,
            dst: u128::from(dst) << 96,
            sport: u16::try_from(sport)?,
            dport: u16::try_from(dport)?,
            proto: u8::try_from(proto)?,
            class: Class::IP | Class::PORTS,
            ..Header::default()
        });
    }
    ensure!(!headers.is_empty(), "an empty trace");
    headers.shuffle(&mut ChaCha8Rng::seed_from_u64(1));
    Ok(headers)
}

fn packet(header: &Header) -> [u8; PACKET_BYTES] {
    let mut packet = [0; PACKET_BYTES];
    packet[12..18].copy_from_slice(&[0x08, 0x00, 0x45, 0, 0, 50]);
    packet[22..24].copy_from_slice(&[64, header.proto]);
    packet[26..30].copy_from_slice(&((header.src >> 96) as u32).to_be_bytes());
    packet[30..34].copy_from_slice(&((header.dst >> 96) as u32).to_be_bytes());
    packet[34..36].copy_from_slice(&header.sport.to_be_bytes());
    packet[36..38].copy_from_slice(&header.dport.to_be_bytes());
    packet
}

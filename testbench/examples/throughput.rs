//! How fast the simulated card is, in cycles: `cargo run --release -p wiresift-testbench --example
//! throughput [-- [--matching | --dense | --near-miss | --patterns] [GEOMETRY [PACKETS [BYTES ..]]]]`.
//!
//! With `--matching` every packet matches an ACL rule and as many signature headers as one packet can report, in two
//! tables, and has a presence bit set: the most that traffic can ask of the classifier and the bus, a line of records for each
//! packet. Without it nothing matches.
//!
//! The others load the payload matcher, and tell how many packets it flagged because it could not look at all of them:
//! - `--patterns`: a thousand patterns, one of which is in each packet.
//! - `--dense`: patterns of one repeated byte in all three window lengths, and packets full of it. Every byte ends three
//!   windows, and each of them has as many patterns as a window can have, so no traffic asks more of the card.
//! - `--near-miss`: the same windows in packets full of that byte, but in patterns that end with another one: every
//!   survivor is compared and none is a match.
//!
//! The whole card with a latency of one microsecond on the bus and no stalls; the driver keeps the ring
//! full. The steady state leaves out the first and the last tenth of the packets; the card's counters,
//! which tell what limits, are those of the whole run. Nothing is asserted: this is a measurement.

use std::error::Error;
use std::time::Instant;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use wiresift_abi::c2h::IDS_MAX;
use wiresift_abi::command::{Command, Opcode};
use wiresift_abi::csr::Counter;
use wiresift_abi::entry::{Entry, Kind, Ternary};
use wiresift_abi::geometry::{Geometry, LINE, WAYS};
use wiresift_abi::image::Image;
use wiresift_abi::payload::short::{ShortPattern, ShortPatterns};
use wiresift_abi::payload::{CHAIN_MAX, Class, Pattern, SECRET_ROWS, Secret, Tables};
use wiresift_abi::vector::Flags;
use wiresift_driver::{Card, Config};
use wiresift_testbench::{Options, SimCard};

fn main() -> Result<(), Box<dyn Error>> {
    let (flags, rest): (Vec<_>, Vec<_>) =
        std::env::args().skip(1).partition(|argument| argument.starts_with("--"));
    let traffic = match flags.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => Traffic::Plain,
        ["--matching"] => Traffic::Matching,
        ["--patterns"] => Traffic::Patterns,
        ["--dense"] => Traffic::Dense,
        ["--near-miss"] => Traffic::NearMiss,
        _ => return Err(format!("unknown traffic {}", flags.join(" ")).into()),
    };
    let mut arguments = rest.into_iter();
    let name = arguments.next().unwrap_or_else(|| LINE.name.to_owned());
    let geometry = Geometry::by_name(&name).ok_or_else(|| format!("no geometry `{name}`"))?;
    let packets: usize = arguments.next().map_or(Ok(4000), |count| count.parse())?;
    println!("{name}: beats of {} bytes, read latency 1 us, {}\n", geometry.beat_bytes, traffic.what());
    println!(
        "bytes | packets a cycle | beats used | starved | blocked | credit | bus read | bus written | flagged | hits | cycles/s"
    );
    let mut sizes = arguments.map(|bytes| bytes.parse()).collect::<Result<Vec<usize>, _>>()?;
    if sizes.is_empty() {
        sizes = vec![60, 64, 65, 128, 256, 512, 1500, 9000];
    }
    for bytes in sizes {
        measure(geometry, bytes, packets, traffic)?;
    }
    Ok(())
}

/// What the packets and the tables are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Traffic {
    Plain,
    Matching,
    Patterns,
    Dense,
    NearMiss,
}

impl Traffic {
    fn what(self) -> &'static str {
        match self {
            Self::Plain => "no packet matches",
            Self::Matching => "every packet matches all it can",
            Self::Patterns => "a pattern in every packet",
            Self::Dense => "every byte ends three windows, each with 16 patterns that match",
            Self::NearMiss => "every byte ends three windows, each with 16 patterns that do not match",
        }
    }

    /// The patterns to load, and the payload of a packet that follows the headers.
    fn patterns(self) -> Vec<Vec<u8>> {
        let flood = |end: &dyn Fn(usize) -> Vec<u8>| {
            let class = |bytes: usize| (0..CHAIN_MAX).map(move |n| [vec![FLOOD; bytes], end(n)].concat());
            [8, 4, 3].into_iter().flat_map(class).collect()
        };
        match self {
            Self::Plain | Self::Matching => Vec::new(),
            // The small card takes 204 of them.
            Self::Patterns => (0..1000).map(|n| format!("~{n:06}-pattern").into_bytes()).collect(),
            Self::Dense => flood(&|_| Vec::new()),
            Self::NearMiss => flood(&|n| vec![b'0' + n as u8]),
        }
    }

    fn fill(self, payload: &mut [u8], n: usize) {
        match self {
            Self::Plain | Self::Matching => {}
            Self::Patterns => {
                let pattern = format!("~{:06}-pattern", n % 200);
                let at = (n * 7) % payload.len().saturating_sub(pattern.len()).max(1);
                let end = payload.len().min(at + pattern.len());
                payload[at..end].copy_from_slice(&pattern.as_bytes()[..end - at]);
            }
            Self::Dense | Self::NearMiss => payload.fill(FLOOD),
        }
    }
}

/// The byte of floods.
const FLOOD: u8 = b'a';

/// Commands that load patterns, each with the window at its start.
fn windows(geometry: &'static Geometry, texts: &[Vec<u8>]) -> Result<Vec<Command>, Box<dyn Error>> {
    if texts.is_empty() {
        return Ok(Vec::new());
    }
    let sizes = &geometry.payload;
    let room = 1usize << sizes.patterns_log2;
    let pattern = |bytes: &Vec<u8>| {
        let flood = bytes.iter().take_while(|byte| **byte == FLOOD).count();
        let class = Class::of(if flood == 0 { bytes.len() } else { flood })?;
        Some(Pattern { bytes: bytes.clone(), nocase: false, class, window_end: class.bytes() })
    };
    let patterns: Vec<Pattern> = texts.iter().take(room * 2 / 5).filter_map(pattern).collect();
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for _ in 0..20 {
        let secret = Secret([(); SECRET_ROWS].map(|()| rng.next_u64() >> (64 - sizes.hash_bits)));
        if let Ok(tables) = Tables::new(geometry, secret, &patterns) {
            return Ok(tables.commands());
        }
    }
    Err("the patterns do not fit".into())
}

/// A UDP packet over IPv4 of `bytes` bytes; `n` makes it another one.
fn packet(bytes: usize, n: usize, traffic: Traffic) -> Vec<u8> {
    let mut packet = vec![0; bytes.clamp(42, 9216)];
    traffic.fill(&mut packet[42..], n);
    packet[12] = 0x08;
    packet[14] = 0x45;
    packet[16..18].copy_from_slice(&((bytes - 14) as u16).to_be_bytes());
    packet[22] = 64;
    packet[23] = 17;
    packet[26..30].copy_from_slice(&(n as u32).to_be_bytes());
    packet[34..36].copy_from_slice(&(n as u16).to_be_bytes());
    packet
}

/// Commands that put an ACL rule and [`IDS_MAX`] signature headers, all of which every packet satisfies, where every
/// packet looks: under a mask of zeros all keys have bucket 0.
fn everything(geometry: &Geometry) -> Result<Vec<Command>, Box<dyn Error>> {
    let any = |kind, id| Entry {
        kind,
        id,
        src: Ternary::default(),
        dst: Ternary::default(),
        sport: (0, u16::MAX),
        dport: (0, u16::MAX),
        proto: Ternary::default(),
        class: Ternary::default(),
        aux: Ternary::default(),
    };
    let ids = 0..IDS_MAX as u32;
    let entries = std::iter::once(any(Kind::Acl, 0)).chain(ids.map(|id| any(Kind::Signature, id)));
    // The slots of a bucket in both ways are at least four, and a table passes on four ids.
    let commands = entries.enumerate().map(|(n, entry)| {
        let data = entry.to_narrow().ok_or("an entry without addresses fits a narrow slot")?;
        Ok(Command { table: (n / 4) as u8, slot: (n % 4) as u8, data, ..Command::new(Opcode::WriteSlot, 0) })
    });
    assert!(WAYS * geometry.bucket_slots >= 4 && geometry.narrow_tables >= 2);
    commands.collect()
}

fn measure(
    geometry: &'static Geometry,
    bytes: usize,
    count: usize,
    traffic: Traffic,
) -> Result<(), Box<dyn Error>> {
    let matching = traffic == Traffic::Matching;
    let sim = SimCard::new(&Options::new(geometry))?;
    let mut card = Card::open(sim, Config { h2c_lines_log2: 16, ..Config::default() })?;
    let mut commands = vec![Command::new(Opcode::Clear, 0)];
    if matching {
        commands.extend(everything(geometry)?);
        // The EtherType of IPv4.
        let short = ShortPattern::new(&[0x08, 0x00], false).ok_or("two bytes are a short pattern")?;
        let none = ShortPatterns::empty(geometry);
        commands.extend(none.next(&[short]).0.changes(&none));
    }
    commands.extend(windows(geometry, &traffic.patterns())?);
    commands.push(Command::new(Opcode::Commit, 1));
    let lines = commands.iter().map(Command::to_line).collect();
    card.load(&Image::new(geometry, lines, Vec::new())?)?;

    let packets: Vec<_> = (0..count).map(|n| packet(bytes, n, traffic)).collect();
    let (mut posted, mut verdicts) = (0, Vec::new());
    let base = card.card_counters()?;
    // Verdicts, cycles and traffic at the begin and the end of the steady state, taken without a
    // register access, which would cost cycles of its own.
    let mut marks = Vec::new();
    let started = Instant::now();
    let begin_cycles = card.transport().cycles();
    while verdicts.len() < count {
        posted += card.post(packets[posted..].iter().map(Vec::as_slice))?;
        card.poll(&mut verdicts)?;
        let due = if marks.is_empty() { count / 10 } else { count * 9 / 10 };
        if marks.len() < 2 && verdicts.len() >= due {
            let sim = card.transport();
            marks.push((verdicts.len() as f64, sim.cycles() as f64, sim.traffic()));
        }
    }
    let speed = (card.transport().cycles() - begin_cycles) as f64 / started.elapsed().as_secs_f64();
    let counters = card.card_counters()?.since(&base);
    card.transport().check()?;
    let (ids, bits) = if matching { (IDS_MAX, 1) } else { (0, 0) };
    let reported =
        verdicts.iter().all(|verdict| (verdict.ids().len(), verdict.presence().count()) == (ids, bits));
    if !reported || verdicts.iter().any(|verdict| verdict.acl.is_some() != matching) {
        return Err("a verdict is not what the rules say".into());
    }
    let flagged = verdicts.iter().filter(|verdict| verdict.flags.0 & Flags::OVERFLOW != 0).count();
    let hits: usize = verdicts.iter().map(|verdict| verdict.hits().len()).sum();
    let [begin, end] = marks[..] else { return Err("too few packets".into()) };
    let (cycles, rate) = (end.1 - begin.1, (end.0 - begin.0) / (end.1 - begin.1));
    let beats = counters.get(Counter::PacketBeats) as f64 / count as f64;
    // Over the whole run, with its begin and end.
    let share = |counter| 100.0 * counters.get(counter) as f64 / counters.get(Counter::Cycles) as f64;
    println!(
        "{bytes:5} | {rate:15.3} | {:8.1} % | {:5.1} % | {:5.1} % | {:4.1} % | {:6.1} % | {:9.1} % | {:5.1} % | {hits:4} | {speed:.0}",
        100.0 * rate * beats,
        share(Counter::StarvedCycles),
        share(Counter::BlockedCycles),
        share(Counter::CreditCycles),
        100.0 * (end.2.beats_read - begin.2.beats_read) as f64 / cycles,
        100.0 * (end.2.beats_written - begin.2.beats_written) as f64 / cycles,
        100.0 * flagged as f64 / count as f64,
    );
    Ok(())
}

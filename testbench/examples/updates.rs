//! What changes of the rules cost the packets behind them, in cycles of the simulated card:
//! `cargo run --release -p wiresift-testbench --example updates [-- GEOMETRY [PACKETS]]`.
//!
//! The same packets go through the card twice, as fast as the ring gives them: once alone, and once with a
//! transaction in the middle. Every other difference is none, so what a verdict comes later the second time
//! is what its packet waited for the transaction. Then a transaction behind every few packets, for the rate.
//! That verdicts carry the version of the place where their packet stood is checked by the driver and here.

use std::error::Error;
use std::sync::Arc;

use wiresift_abi::bits::Line;
use wiresift_abi::command::{Command, Opcode};
use wiresift_abi::entry::{self, Entry, Kind, Ternary, prefix_mask};
use wiresift_abi::geometry::{Geometry, LINE};
use wiresift_abi::image::Image;
use wiresift_abi::vector::Class;
use wiresift_driver::{Card, Config, Verdict};
use wiresift_testbench::{Options, SimCard};

/// Cycles a microsecond at 250 MHz.
const CYCLES_PER_US: f64 = 250.0;
/// Bytes of a packet: the size of which most go through the card in a second.
const PACKET_BYTES: usize = 64;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What a transaction is made of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    /// Entries into slots of a table.
    Insert,
    /// Entries out of slots.
    Delete,
    /// Entries into the TCAM.
    Tcam,
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_else(|| LINE.name.to_owned());
    let geometry = Geometry::by_name(&name).ok_or_else(|| format!("no geometry `{name}`"))?;
    let packets: usize = arguments.next().map_or(Ok(3000), |count| count.parse())?;
    println!("{name}: {PACKET_BYTES}-byte packets without a gap, a transaction in the middle\n");
    println!("change | entries | commands | longest wait (cycles) | (us) | cycles an entry | ns an entry");
    let alone = arrivals(geometry, packets, packets, &[])?;
    let tcam = geometry.tcam_entries;
    for (change, text, sizes) in [
        (Change::Insert, "insert", vec![1, 2, 10, 100, 1000]),
        (Change::Delete, "delete", vec![1, 100]),
        (Change::Tcam, "TCAM", vec![1, tcam / 4, tcam]),
    ] {
        for entries in sizes {
            let commands = transaction(change, entries, geometry);
            let with = arrivals(geometry, packets, packets / 2, &commands)?;
            // The packets before the transaction come as before.
            let later = alone.iter().zip(&with).map(|(alone, with)| with.saturating_sub(*alone));
            let longest = later.max().unwrap_or(0) as f64;
            println!(
                "{text:6} | {entries:7} | {:8} | {longest:21.0} | {:4.2} | {:15.2} | {:11.1}",
                commands.len() + 1,
                longest / CYCLES_PER_US,
                longest / entries as f64,
                1000.0 * longest / CYCLES_PER_US / entries as f64,
            );
        }
    }
    println!("\nentries a transaction | packets between | transactions/s | entries/s | packets/s (millions)");
    for (entries, every) in [(1, 1), (1, 10), (4, 31), (4, 100), (100, 1000)] {
        let commands = transaction(Change::Insert, entries, geometry);
        let count = packets.max(3 * every);
        let cycles = *arrivals(geometry, count, every, &commands)?.last().unwrap_or(&1) as f64;
        let rate = |count: f64| count * CYCLES_PER_US * 1e6 / cycles;
        let transactions = (count / every) as f64;
        println!(
            "{entries:21} | {every:15} | {:14.0} | {:9.0} | {:20.1}",
            rate(transactions),
            rate(transactions * entries as f64),
            rate(count as f64) / 1e6,
        );
    }
    Ok(())
}

/// A UDP packet over IPv4; `n` makes it another one.
fn packet(n: usize) -> Vec<u8> {
    let mut packet = vec![0; PACKET_BYTES];
    packet[12] = 0x08;
    packet[14] = 0x45;
    packet[16..18].copy_from_slice(&((PACKET_BYTES - 14) as u16).to_be_bytes());
    packet[22] = 64;
    packet[23] = 17;
    packet[26..30].copy_from_slice(&(n as u32).to_be_bytes());
    packet
}

/// The commands of a transaction without its COMMIT.
fn transaction(change: Change, entries: usize, geometry: &Geometry) -> Vec<Command> {
    let entry = |n: usize| Entry {
        kind: Kind::Acl,
        id: n as u32,
        src: Ternary { value: (n as u128) << 96, mask: prefix_mask(32) },
        dst: Ternary::default(),
        sport: (0, u16::MAX),
        dport: (0, u16::MAX),
        proto: Ternary::default(),
        class: Ternary { value: Class::IP, mask: Class::IP },
        aux: Ternary::default(),
    };
    let slot = |n: usize| {
        let mut command = Command::new(Opcode::WriteSlot, (n % (1 << geometry.buckets_log2(0))) as u16);
        command.slot = (n >> geometry.buckets_log2(0)) as u8;
        if change == Change::Insert {
            // A narrow slot takes every prefix of at most 32 bits.
            command.data = entry(n).to_narrow().unwrap_or_default();
        }
        command
    };
    let in_tcam = |n: usize| {
        let [low, high] = entry::tcam_halves(&entry(n).tcam_key());
        let with = |opcode, data| Command { data, ..Command::new(opcode, n as u16) };
        let low = Command { index: 0, ..with(Opcode::WriteTcamLow, low) };
        [low, with(Opcode::WriteTcamHigh, high), with(Opcode::WriteTcamEntry, entry(n).to_tcam())]
    };
    match change {
        Change::Insert | Change::Delete => (0..entries).map(slot).collect(),
        Change::Tcam => (0..entries).flat_map(in_tcam).collect(),
    }
}

/// The cycle in which each verdict arrives, counted from the first doorbell, where `commands` and a COMMIT stand
/// behind every `every` packets but the last.
fn arrivals(
    geometry: &'static Geometry,
    count: usize,
    every: usize,
    commands: &[Command],
) -> Result<Vec<u64>> {
    let sim = SimCard::new(&Options::new(geometry))?;
    let mut card = Card::open(sim, Config { h2c_lines_log2: 16, ..Config::default() })?;
    let load = [Command::new(Opcode::Clear, 0), Command::new(Opcode::Commit, 1)];
    card.load(&Image::new(geometry, load.iter().map(Command::to_line).collect(), Vec::new())?)?;
    let packets: Vec<_> = (0..count).map(packet).collect();
    let (mut verdicts, mut arrivals): (Vec<Verdict>, Vec<u64>) = (Vec::new(), Vec::new());
    // Everything is in the ring before the card sees the first line of it.
    for (n, some) in packets.chunks(every).enumerate() {
        if n > 0 {
            let commit = Command::new(Opcode::Commit, n as u16 + 1);
            let lines: Arc<[Line]> = commands.iter().chain([&commit]).map(Command::to_line).collect();
            card.update(lines)?;
        }
        if card.post(some.iter().map(Vec::as_slice))? < some.len() {
            return Err("the ring does not hold that many packets and commands".into());
        }
    }
    let begin = card.transport().cycles();
    card.doorbell()?;
    while verdicts.len() < count {
        card.poll(&mut verdicts)?;
        arrivals.resize(verdicts.len(), card.transport().cycles() - begin);
    }
    card.transport().check()?;
    for (n, verdict) in verdicts.iter().enumerate() {
        if usize::from(verdict.version) != n / every + 1 {
            return Err(format!("packet {n} was decided by version {}", verdict.version).into());
        }
    }
    Ok(arrivals)
}

//! Patterns on the whole simulated card: loaded by commands, found in packets, and the answers of a naive search.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::VecDeque;

use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use wiresift_abi::command::{Command, Opcode};
use wiresift_abi::csr::Counter;
use wiresift_abi::geometry::{Geometry, LAB, LINE};
use wiresift_abi::image::Image;
use wiresift_abi::payload::{Pattern, Secret, Tables};
use wiresift_abi::vector::Flags;
use wiresift_driver::{Card, Config};
use wiresift_testbench::axi::Timing;
use wiresift_testbench::library::BuildError;
use wiresift_testbench::model::ModelError;
use wiresift_testbench::{Options, SimCard, SimError};

/// A card, or `None` with a printed line where Verilator is absent.
fn card(options: &Options) -> Option<Card<SimCard>> {
    let sim = match SimCard::new(options) {
        Err(SimError::Model(ModelError::Build(BuildError::NoTool(tool))))
            if std::env::var_os("REQUIRE_TOOLS").is_none_or(|value| value != "1") =>
        {
            println!("skipped: {tool} is not installed");
            return None;
        }
        result => result.expect("a simulated card"),
    };
    let config = Config { h2c_lines_log2: 9, c2h_records_log2: 8, timeout_ns: 400_000, ..Config::default() };
    Some(Card::open(sim, config).expect("a card"))
}

fn patterns(geometry: &Geometry, rng: &mut ChaCha8Rng, count: usize) -> Vec<Pattern> {
    let lengths = [3, 4, 6, 8, 9, 12, 16, 24];
    let pattern = |rng: &mut ChaCha8Rng| {
        let length = *lengths.choose(rng).unwrap();
        let bytes: Vec<u8> = (0..length).map(|_| b'A' + rng.random_range(0..50)).collect();
        Pattern::new(&bytes, rng.random(), &geometry.payload).unwrap()
    };
    (0..count).map(|_| pattern(rng)).collect()
}

fn image(
    geometry: &'static Geometry,
    rng: &mut ChaCha8Rng,
    patterns: &[Pattern],
    version: u16,
) -> (Image, Tables) {
    let tables = loop {
        let secret =
            Secret(std::array::from_fn(|_| rng.random::<u64>() >> (64 - geometry.payload.hash_bits)));
        if let Ok(tables) = Tables::new(geometry, secret, patterns) {
            break tables;
        }
    };
    let mut lines = vec![Command::new(Opcode::Clear, 0).to_line()];
    lines.extend(tables.commands().iter().map(Command::to_line));
    lines.push(Command::new(Opcode::Commit, version).to_line());
    (Image::new(geometry, lines, Vec::new()).unwrap(), tables)
}

/// The part of a pattern that the card compares.
fn part<'a>(pattern: &'a Pattern, geometry: &Geometry) -> &'a [u8] {
    let sizes = &geometry.payload;
    let start = pattern.window_end.saturating_sub(sizes.region_bytes - sizes.region_after);
    &pattern.bytes[start..pattern.bytes.len().min(pattern.window_end + sizes.region_after)]
}

fn expected(packet: &[u8], patterns: &[Pattern], geometry: &Geometry) -> Vec<usize> {
    let is_in = |pattern: &Pattern| {
        let part = part(pattern, geometry);
        packet
            .windows(part.len())
            .any(|window| if pattern.nocase { window.eq_ignore_ascii_case(part) } else { window == part })
    };
    (0..patterns.len()).filter(|n| is_in(&patterns[*n])).collect()
}

fn packets(rng: &mut ChaCha8Rng, patterns: &[Pattern], count: usize, density: f64) -> Vec<Vec<u8>> {
    (0..count)
        .map(|n| {
            let length = match n % 4 {
                0 => n / 4 % 70,
                1 => rng.random_range(60..130),
                2 => rng.random_range(0..400),
                _ => rng.random_range(0..1500),
            };
            let mut packet = Vec::new();
            while packet.len() < length {
                if rng.random_bool(density) {
                    let mut bytes = patterns.choose(rng).unwrap().bytes.clone();
                    match rng.random_range(0..4) {
                        0 => bytes.make_ascii_lowercase(),
                        1 => *bytes.choose_mut_at(rng) ^= 1,
                        _ => {}
                    }
                    packet.extend(bytes);
                } else {
                    packet.extend((0..rng.random_range(1..100)).map(|_| rng.random::<u8>()));
                }
            }
            packet.truncate(length);
            packet
        })
        .collect()
}

/// A byte at random.
trait ChooseMutAt {
    fn choose_mut_at(&mut self, rng: &mut ChaCha8Rng) -> &mut u8;
}

impl ChooseMutAt for Vec<u8> {
    fn choose_mut_at(&mut self, rng: &mut ChaCha8Rng) -> &mut u8 {
        let at = rng.random_range(0..self.len());
        &mut self[at]
    }
}

/// Puts packets through, and judges every answer; gives hits and flagged packets.
fn run(
    card: &mut Card<SimCard>,
    tables: &Tables,
    patterns: &[Pattern],
    packets: &[Vec<u8>],
) -> (usize, usize) {
    let geometry = card.geometry();
    let (mut next, mut hits, mut flagged) = (0, 0, 0);
    let mut posted: VecDeque<&Vec<u8>> = VecDeque::new();
    let mut verdicts = Vec::new();
    while next < packets.len() || !posted.is_empty() {
        let taken = card.post(packets[next..].iter().map(Vec::as_slice)).unwrap();
        posted.extend(&packets[next..next + taken]);
        next += taken;
        card.doorbell().unwrap();
        verdicts.clear();
        card.poll(&mut verdicts).unwrap();
        for verdict in &verdicts {
            let packet = posted.pop_front().expect("a packet in flight");
            let expected = expected(packet, patterns, geometry);
            let mut found: Vec<usize> = verdict
                .hits()
                .iter()
                .map(|number| tables.pattern(u32::from(*number)).expect("a pattern"))
                .collect();
            found.sort_unstable();
            if verdict.flags.0 & Flags::OVERFLOW == 0 {
                assert_eq!(found, expected, "{packet:02x?}");
            } else {
                assert!(found.iter().all(|n| expected.contains(n)), "{packet:02x?}");
                flagged += 1;
            }
            hits += found.len();
        }
    }
    (hits, flagged)
}

fn options(geometry: &'static Geometry, seed: u64, timing: Timing) -> Options {
    Options { seed, timing, ..Options::new(geometry) }
}

/// Loads sets of so many patterns one behind the other, and judges packets by each.
fn in_turn(geometry: &'static Geometry, seed: u64, timing: Timing, counts: &[usize]) {
    let Some(mut card) = card(&options(geometry, seed, timing)) else { return };
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    for (version, count) in (1..).zip(counts) {
        let patterns = patterns(geometry, &mut rng, *count);
        let (image, tables) = image(geometry, &mut rng, &patterns, version);
        assert_eq!(card.load(&image).unwrap().version, version);
        let packets = packets(&mut rng, &patterns, 600, 0.1);
        let (hits, flagged) = run(&mut card, &tables, &patterns, &packets);
        println!("{hits} hits, {flagged} of {} packets flagged", packets.len());
        assert!(hits > 100 && flagged < packets.len() / 10);
    }
    card.transport().check().expect("the rules of the bus are kept");
}

#[test]
fn the_card_names_the_patterns_of_every_packet() {
    let busses = [(250, 0, 0), (3, 300, 40), (0, 0, 0)];
    for (seed, (latency, jitter, stall_percent)) in (0..).zip(busses) {
        in_turn(&LAB, seed, Timing { latency, jitter, stall_percent, ..Timing::new(&LAB) }, &[200, 60]);
    }
}

#[test]
fn the_card_of_line_names_the_patterns_of_every_packet() {
    in_turn(&LINE, 5, Timing::new(&LINE), &[3000, 200]);
}

fn flood(geometry: &'static Geometry) {
    let Some(mut card) = card(&options(geometry, 9, Timing::new(geometry))) else { return };
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let patterns = patterns(geometry, &mut rng, 100);
    let (image, tables) = image(geometry, &mut rng, &patterns, 3);
    card.load(&image).unwrap();
    let packets = packets(&mut rng, &patterns, 400, 0.97);
    let (hits, flagged) = run(&mut card, &tables, &patterns, &packets);
    println!("{}: {hits} hits, {flagged} of {} packets flagged", geometry.name, packets.len());
    assert!(hits > 500 && flagged > 50);

    // Packets of one pattern, which ask for more comparisons than there are beats: all small, or long ones in front of small
    // ones that hold nothing. The stream waits for neither.
    let of_pattern =
        |n: usize, length| patterns[n % 8].bytes.iter().copied().cycle().take(length).collect::<Vec<u8>>();
    let small: Vec<Vec<u8>> = (0..1500).map(|n| of_pattern(n, 64)).collect();
    let mixed = (0..1500).map(|n| if n % 250 == 0 { of_pattern(n / 250, 9000) } else { vec![0xff; 64] });
    for (packets, least) in [(small, 100), (mixed.collect(), 3)] {
        let before = card.card_counters().unwrap();
        let (_, flagged) = run(&mut card, &tables, &patterns, &packets);
        let counted = card.card_counters().unwrap().since(&before);
        let [blocked, cycles] = [Counter::BlockedCycles, Counter::Cycles].map(|counter| counted.get(counter));
        println!(
            "{}: {flagged} of {} packets flagged, {blocked} of {cycles} cycles blocked",
            geometry.name,
            packets.len()
        );
        assert!(flagged > least && blocked * 50 < cycles);
    }
}

#[test]
fn floods_are_flagged_and_no_answer_is_wrong() {
    flood(&LAB);
}

#[test]
fn floods_of_line_are_flagged_and_no_answer_is_wrong() {
    flood(&LINE);
}

//! Patterns on the whole simulated card: loaded by commands, found in packets, and the answers of a naive search.

use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use wiresift_abi::command::{Command, Opcode};
use wiresift_abi::csr::Counter;
use wiresift_abi::entry::{self, Entry, Kind, Ternary};
use wiresift_abi::geometry::{Geometry, LAB, LINE};
use wiresift_abi::image::Image;
use wiresift_abi::payload::headers::{Header, HeaderLists};
use wiresift_abi::payload::short::{ShortPattern, ShortPatterns};
use wiresift_abi::payload::{Pattern, Secret, Tables};
use wiresift_abi::vector::{Class, Flags};
use wiresift_driver::{Card, Verdict};
use wiresift_testbench::axi::Timing;
use wiresift_testbench::{Options, SimCard};

use crate::{built, config};

/// A card, or `None` with a printed line where Verilator is absent.
fn card(options: &Options) -> Option<Card<SimCard>> {
    Some(Card::open(built(SimCard::new(options))?, config()).expect("a card"))
}

/// Puts packets through; `judge` sees every verdict with the place of its packet.
fn each_verdict(card: &mut Card<SimCard>, packets: &[&[u8]], mut judge: impl FnMut(usize, &Verdict)) {
    let (mut posted, mut judged, mut verdicts) = (0, 0, Vec::new());
    while judged < packets.len() {
        posted += card.post(packets[posted..].iter().copied()).unwrap();
        card.doorbell().unwrap();
        verdicts.clear();
        card.poll(&mut verdicts).unwrap();
        for verdict in &verdicts {
            judge(judged, verdict);
            judged += 1;
        }
    }
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

/// Brings rules into force: the second version as a transaction that changes those `before` it, the others, which need the
/// secret of `all` too, as an image. The card takes long to empty its tables for one.
fn put_in_force(card: &mut Card<SimCard>, version: u16, changes: &[Command], all: &[Command]) {
    let commit = Command::new(Opcode::Commit, version);
    let lines =
        |commands: &[Command]| commands.iter().chain([&commit]).map(Command::to_line).collect::<Vec<_>>();
    if version == 2 {
        assert_eq!(card.update(lines(changes).into()).unwrap(), version);
    } else {
        let lines = lines(&[&[Command::new(Opcode::Clear, 0)], all].concat());
        card.load(&Image::new(card.geometry(), lines, Vec::new()).unwrap()).unwrap();
    }
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
    let (mut hits, mut flagged) = (0, 0);
    let slices: Vec<&[u8]> = packets.iter().map(Vec::as_slice).collect();
    each_verdict(card, &slices, |at, verdict| {
        let packet = &packets[at];
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
    });
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
    in_turn(&LINE, 5, Timing::new(&LINE), &[3000]);
}

/// IPv4 and UDP to port `dport`, with that payload.
fn udp(dport: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![2; 12];
    packet.extend([0x08, 0x00, 0x45, 0]);
    packet.extend((28 + payload.len() as u16).to_be_bytes());
    packet.extend([0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    packet.extend([0x30, 0x39]);
    packet.extend(dport.to_be_bytes());
    packet.extend((8 + payload.len() as u16).to_be_bytes());
    packet.extend([0, 0]);
    packet.extend(payload);
    packet
}

/// What a rule for one port of UDP asks for.
fn to_port(port: u16) -> Entry {
    let any = Ternary { value: 0, mask: 0 };
    Entry {
        kind: Kind::Signature,
        id: 0,
        src: any,
        dst: any,
        sport: (0, u16::MAX),
        dport: (port, port),
        proto: Ternary { value: 17, mask: 0xff },
        class: Ternary { value: Class::IP | Class::PORTS, mask: Class::IP | Class::PORTS },
        aux: Ternary { value: 0, mask: 0 },
    }
}

/// Headers, each for one port of UDP.
fn to_ports(ports: &[u16]) -> Vec<Header> {
    ports.iter().map(|port| Header::of(&to_port(*port)).unwrap()).collect()
}

/// Patterns that are reported for some ports alone, on long and short packets of all ports, while lists change.
fn with_header_lists(geometry: &'static Geometry, timing: Timing, versions: u16) {
    const PORTS: std::ops::Range<u16> = 1000..1006;
    let Some(mut card) = card(&options(geometry, 11, timing)) else { return };
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let patterns = patterns(geometry, &mut rng, 100);
    let (_, mut tables) = image(geometry, &mut rng, &patterns, 1);
    let mut loaded = HeaderLists::empty(geometry);
    for version in 1..=versions {
        let lists: Vec<Vec<u16>> = (0..patterns.len())
            .map(|_| {
                let count = rng.random_range(0..=geometry.payload.headers_a_list);
                PORTS.collect::<Vec<u16>>().choose_multiple(&mut rng, count).copied().collect()
            })
            .collect();
        let headers: Vec<Vec<Header>> = lists.iter().map(|ports| to_ports(ports)).collect();
        let (next, numbers) = loaded.next(&headers);
        let place_of: Vec<usize> = (0..patterns.len() as u32).map(|n| tables.pattern(n).unwrap()).collect();
        let before = tables.clone();
        tables.set_header_lists(|number| numbers[place_of[number as usize]]);
        let changes = [next.changes(&loaded), tables.changes(&before)].concat();
        let all = [next.changes(&HeaderLists::empty(geometry)), tables.commands()].concat();
        put_in_force(&mut card, version, &changes, &all);
        loaded = next;
        let packets: Vec<(u16, Vec<u8>)> = packets(&mut rng, &patterns, 400, 0.3)
            .iter()
            .map(|payload| {
                let port = rng.random_range(PORTS);
                (port, udp(port, payload))
            })
            .collect();
        let is_reported = |n: &usize, port: u16| lists[*n].is_empty() || lists[*n].contains(&port);
        let (mut kept, mut left_out) = (0, 0);
        let slices: Vec<&[u8]> = packets.iter().map(|(_, packet)| &packet[..]).collect();
        each_verdict(&mut card, &slices, |at, verdict| {
            let (port, packet) = &packets[at];
            let there = expected(packet, &patterns, geometry);
            let reported: Vec<usize> = there.iter().copied().filter(|n| is_reported(n, *port)).collect();
            let mut found: Vec<usize> =
                verdict.hits().iter().map(|hit| tables.pattern(u32::from(*hit)).unwrap()).collect();
            found.sort_unstable();
            if verdict.flags.0 & Flags::OVERFLOW == 0 {
                assert_eq!(found, reported, "port {port}: {packet:02x?}");
            } else {
                assert!(found.iter().all(|n| reported.contains(n)), "port {port}: {packet:02x?}");
            }
            kept += found.len();
            left_out += there.len() - reported.len();
        });
        println!("{}: {kept} patterns reported, {left_out} kept back", geometry.name);
        assert!(kept > 80 && left_out > 80);
    }
    card.transport().check().expect("the rules of the bus are kept");
}

#[test]
fn a_pattern_is_reported_where_a_header_of_its_list_holds() {
    for (latency, jitter, stall_percent) in [(250, 0, 0), (3, 300, 60)] {
        with_header_lists(&LAB, Timing { latency, jitter, stall_percent, ..Timing::new(&LAB) }, 3);
    }
}

#[test]
fn a_pattern_of_line_is_reported_where_a_header_of_its_list_holds() {
    with_header_lists(&LINE, Timing::new(&LINE), 2);
}

/// IPv6 with more extension headers than the card follows, so that the host decides about its header.
fn deferred(payload: &[u8]) -> Vec<u8> {
    const DESTINATION_OPTIONS: u8 = 60;
    let mut packet = vec![2; 12];
    packet.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
    packet.extend((8 * 6 + payload.len() as u16).to_be_bytes());
    packet.extend([DESTINATION_OPTIONS, 64]);
    packet.extend([0x20; 32]);
    for next in [[DESTINATION_OPTIONS; 5].as_slice(), &[17]].concat() {
        // Options: one that fills all of it.
        packet.extend([next, 0, 1, 4, 0, 0, 0, 0]);
    }
    packet.extend(payload);
    packet
}

/// Sets of short patterns one behind the other, in packets with a signature header, deferred ones, and others, which the
/// card says nothing of.
fn with_short_patterns(geometry: &'static Geometry, timing: Timing, versions: u16) {
    const PORT: u16 = 1000;
    let Some(mut card) = card(&options(geometry, 13, timing)) else { return };
    let mut rng = ChaCha8Rng::seed_from_u64(13);
    let long = patterns(geometry, &mut rng, 50);
    let (_, tables) = image(geometry, &mut rng, &long, 1);
    let none = ShortPatterns::empty(geometry);
    let mut loaded = none.clone();
    for version in 1..=versions {
        let mut texts: Vec<(Vec<u8>, bool)> = Vec::new();
        while texts.len() < geometry.payload.short_patterns {
            // Of the bytes that packets have much of.
            let length = if rng.random_bool(0.1) { 1 } else { 2 };
            let bytes = &long.choose(&mut rng).unwrap().bytes;
            let at = rng.random_range(0..=bytes.len() - length);
            let text = (bytes[at..at + length].to_vec(), rng.random());
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        let wanted: Vec<ShortPattern> =
            texts.iter().map(|(bytes, nocase)| ShortPattern::new(bytes, *nocase).unwrap()).collect();
        let (short, bits) = none.next(&wanted);
        let with = |opcode, data| Command { data, ..Command::new(opcode, 0) };
        let header = to_port(PORT);
        let [low, high] = entry::tcam_halves(&header.tcam_key());
        let mut all = vec![
            with(Opcode::WriteTcamLow, low),
            with(Opcode::WriteTcamHigh, high),
            with(Opcode::WriteTcamEntry, header.to_tcam()),
        ];
        all.extend(short.changes(&none));
        all.extend(tables.commands());
        put_in_force(&mut card, version, &short.changes(&loaded), &all);
        loaded = short;
        let packets: Vec<(bool, Vec<u8>)> = packets(&mut rng, &long, 400, 0.3)
            .iter()
            .map(|payload| match rng.random_range(0..4) {
                0 => (true, deferred(payload)),
                1 => (false, udp(PORT + 1, payload)),
                _ => (true, udp(PORT, payload)),
            })
            .collect();
        let (mut kept, mut without) = (0, 0);
        let slices: Vec<&[u8]> = packets.iter().map(|(_, packet)| &packet[..]).collect();
        each_verdict(&mut card, &slices, |at, verdict| {
            let (is_told, packet) = &packets[at];
            let is_deferred = verdict.flags.0 & Flags::DEFER != 0;
            assert_eq!(*is_told, is_deferred || !verdict.ids().is_empty(), "{packet:02x?}");
            let is_in = |(bytes, nocase): &(Vec<u8>, bool)| {
                packet.windows(bytes.len()).any(|window| {
                    if *nocase { window.eq_ignore_ascii_case(bytes) } else { window == &bytes[..] }
                })
            };
            let there = (0..texts.len()).filter(|n| *is_told && is_in(&texts[*n]));
            let mut expected: Vec<u16> = there.map(|n| bits[n].unwrap()).collect();
            expected.sort_unstable();
            assert_eq!(verdict.presence().collect::<Vec<u16>>(), expected, "{packet:02x?}");
            kept += expected.len();
            without += usize::from(expected.is_empty());
        });
        println!("{}: {kept} presence bits, {without} packets without", geometry.name);
        assert!(kept > 10 * texts.len() && without > 80);
    }
    card.transport().check().expect("the rules of the bus are kept");
}

#[test]
fn presence_bits_say_which_short_patterns_are_there() {
    for (latency, jitter, stall_percent) in [(250, 0, 0), (3, 300, 60)] {
        with_short_patterns(&LAB, Timing { latency, jitter, stall_percent, ..Timing::new(&LAB) }, 3);
    }
}

#[test]
fn presence_bits_of_line_say_which_short_patterns_are_there() {
    with_short_patterns(&LINE, Timing::new(&LINE), 2);
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

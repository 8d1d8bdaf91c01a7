//! The whole matcher: patterns loaded by commands, random packets, the answers of a naive search.

use std::collections::VecDeque;

use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use wiresift_abi::bits::Line;
use wiresift_abi::c2h::{HIT_BITS, HITS_MAX};
use wiresift_abi::command::{Command, Opcode};
use wiresift_abi::entry::Kind;
use wiresift_abi::payload::headers::{Header, HeaderLists};
use wiresift_abi::payload::short::{ShortPattern, ShortPatterns};
use wiresift_abi::payload::{CLASSES, Pattern, Secret, Tables};
use wiresift_abi::vector::WINDOW_BYTES;

use super::testing::bits_of_bytes;
use super::*;
use crate::classify::testing::{entry_for, near, random_vector};
use crate::gate::{Native, passes};

/// What goes through: packet or command, and what has to come of it.
struct Item {
    bytes: Vec<u8>,
    is_command: bool,
    /// Header vector, which has nothing to do with the bytes; of a command its line.
    vector: Line,
    /// Numbers of the patterns that are there, and whose header list the vector satisfies.
    hits: Vec<u32>,
    /// Bits of the short patterns that are there.
    present: Vec<usize>,
}

/// Whether the part of a pattern that the card compares is anywhere in the packet.
fn is_in(pattern: &Pattern, packet: &[u8], geometry: &Geometry) -> bool {
    let sizes = &geometry.payload;
    let start = pattern.window_end.saturating_sub(sizes.region_bytes - sizes.region_after);
    let end = pattern.bytes.len().min(pattern.window_end + sizes.region_after);
    let part = &pattern.bytes[start..end];
    packet
        .windows(part.len())
        .any(|window| if pattern.nocase { window.eq_ignore_ascii_case(part) } else { window == part })
}

fn patterns(geometry: &Geometry, rng: &mut ChaCha8Rng, count: usize) -> Vec<Pattern> {
    let mut patterns: Vec<Pattern> = Vec::new();
    while patterns.len() < count {
        let length = *[3, 4, 5, 7, 8, 9, 12, 16, 20, 40].choose(rng).unwrap();
        // Some share the window of another one, or lie inside of it.
        let mut bytes: Vec<u8> = (0..length).map(|_| b'A' + rng.random_range(0..50)).collect();
        if let (true, Some(other)) = (rng.random_bool(0.3), patterns.choose(rng)) {
            bytes = other.window().to_vec();
            bytes.extend((0..rng.random_range(0..4)).map(|_| b'0' + rng.random_range(0..3)));
        }
        let Some(mut pattern) = Pattern::new(&bytes, rng.random(), &geometry.payload) else { continue };
        if rng.random_bool(0.4) {
            // Any window will do.
            let classes: Vec<_> = CLASSES.into_iter().filter(|class| class.bytes() <= bytes.len()).collect();
            pattern.class = *classes.choose(rng).unwrap();
            pattern.window_end = rng.random_range(pattern.class.bytes()..=bytes.len());
        }
        patterns.push(pattern);
    }
    patterns
}

/// Patterns on the card, and which of them is reported for which vectors.
struct Loaded {
    tables: Tables,
    /// Of each pattern of the list that was given: its headers, none where it has no list.
    headers: Vec<Vec<Header>>,
    /// Vectors that the headers were made from.
    known: Vec<Line>,
    /// Short patterns, by bit.
    short: Vec<[u8; 2]>,
}

impl Loaded {
    /// Whether a pattern of that number is reported for packets with that vector.
    fn passes(&self, number: u32, vector: &Line) -> bool {
        let headers = &self.headers[self.tables.pattern(number).unwrap()];
        headers.is_empty() || headers.iter().any(|header| header.matches(vector))
    }
}

fn load(
    geometry: &'static Geometry,
    rng: &mut ChaCha8Rng,
    patterns: &[Pattern],
    items: &mut Vec<Item>,
) -> Loaded {
    let mut tables = loop {
        let secret =
            Secret(std::array::from_fn(|_| rng.random::<u64>() >> (64 - geometry.payload.hash_bits)));
        if let Ok(tables) = Tables::new(geometry, secret, patterns) {
            break tables;
        }
    };
    let known: Vec<Line> = (0..4).map(|_| random_vector(rng)).collect();
    let list = |rng: &mut ChaCha8Rng| -> Vec<Header> {
        let headers = (0..rng.random_range(0..=geometry.payload.headers_a_list)).map(|_| {
            let vector = *known.choose(rng).unwrap();
            Header::of(&entry_for(&vector, 32, Kind::Signature, 5, rng)).unwrap()
        });
        headers.collect()
    };
    let some: Vec<Vec<Header>> = (0..12).map(|_| list(rng)).collect();
    let headers: Vec<Vec<Header>> = patterns.iter().map(|_| some.choose(rng).unwrap().clone()).collect();
    let none = HeaderLists::empty(geometry);
    let (lists, numbers) = none.next(&headers);
    let place_of: Vec<Option<usize>> = (0..patterns.len() as u32).map(|n| tables.pattern(n)).collect();
    tables.set_header_lists(|number| numbers[place_of[number as usize].unwrap()]);
    // Two bytes of a pattern, so that packets have them.
    let two = |rng: &mut ChaCha8Rng| -> [u8; 2] {
        let bytes = &patterns.choose(rng).unwrap().bytes;
        let at = rng.random_range(1..bytes.len());
        [bytes[at - 1], bytes[at]]
    };
    let short: Vec<[u8; 2]> = (0..geometry.payload.short_patterns).map(|_| two(rng)).collect();
    let wanted: Vec<ShortPattern> =
        short.iter().map(|bytes| ShortPattern::new(bytes, false).unwrap()).collect();
    let no_short = ShortPatterns::empty(geometry);
    let (rows, bits) = no_short.next(&wanted);
    // Equal ones share a bit.
    let mut by_bit = vec![[0xff; 2]; short.len()];
    for (bit, bytes) in bits.into_iter().zip(short) {
        by_bit[usize::from(bit.unwrap())] = bytes;
    }
    by_bit.truncate(rows.used());
    let clear = Command::new(Opcode::Clear, 0);
    let commands = std::iter::once(clear)
        .chain(rows.changes(&no_short))
        .chain(lists.changes(&none))
        .chain(tables.commands());
    let commands = commands.chain([Command::new(Opcode::Commit, 1)]);
    items.extend(commands.map(|command| Item {
        bytes: command.to_line().0.to_vec(),
        is_command: true,
        vector: command.to_line(),
        hits: Vec::new(),
        present: Vec::new(),
    }));
    Loaded { tables, headers, known, short: by_bit }
}

/// Packets with patterns here and there, whole and cut off, at both ends and at beat borders.
fn packets(
    geometry: &Geometry,
    rng: &mut ChaCha8Rng,
    patterns: &[Pattern],
    loaded: &Loaded,
    count: usize,
    density: f64,
) -> Vec<Item> {
    let beat = geometry.beat_bytes;
    (0..count)
        .map(|n| {
            let length = match n % 5 {
                0 => n / 5 % 24,
                1 => (beat * (1 + n / 5 % 4) + n / 5 % 21).saturating_sub(10),
                2 => rng.random_range(0..90),
                _ => rng.random_range(40..300),
            };
            let mut packet: Vec<u8> = Vec::new();
            while packet.len() < length {
                if rng.random_bool(density) {
                    let pattern = patterns.choose(rng).unwrap();
                    let mut bytes = pattern.bytes.clone();
                    match rng.random_range(0..4) {
                        0 => bytes.make_ascii_lowercase(),
                        1 => {
                            let at = rng.random_range(0..bytes.len());
                            bytes[at] ^= 1;
                        }
                        _ => {}
                    }
                    packet.extend(bytes);
                } else {
                    packet.extend((0..rng.random_range(1..40)).map(|_| rng.random::<u8>()));
                }
            }
            packet.truncate(length);
            let numbers = 0..patterns.len() as u32;
            let vector = match rng.random_range(0..8) {
                0 => random_vector(rng),
                1 => near(loaded.known.choose(rng).unwrap(), rng),
                _ => *loaded.known.choose(rng).unwrap(),
            };
            let is_there = |number: &u32| {
                let pattern = &patterns[loaded.tables.pattern(*number).unwrap()];
                loaded.passes(*number, &vector) && is_in(pattern, &packet, geometry)
            };
            let hits = numbers.filter(is_there).collect();
            let is_present = |bit: &usize| packet.windows(2).any(|window| window == loaded.short[*bit]);
            let present = (0..loaded.short.len()).filter(is_present).collect();
            Item { bytes: packet, is_command: false, vector, hits, present }
        })
        .collect()
}

/// Items to beats, with the gate of the window: credits, and waiting behind a CLEAR or a row of the secret.
struct Driver {
    items: VecDeque<Item>,
    at: usize,
    beat_bytes: usize,
    /// Presence bits of the card.
    short: usize,
    credits: usize,
    waits: bool,
    classified_in: Option<usize>,
    cycle: usize,
    /// Elements that entered the parser, or will in the next cycle: when, and the vector.
    parsed: VecDeque<(usize, Line)>,
    /// Answers that are due.
    due: VecDeque<Item>,
    answered: usize,
    flagged: usize,
    found: usize,
    /// Presence bits.
    seen: usize,
}

impl Driver {
    fn new(geometry: &Geometry, items: Vec<Item>) -> Self {
        Self {
            items: items.into(),
            at: 0,
            beat_bytes: geometry.beat_bytes,
            short: geometry.payload.short_patterns,
            credits: geometry.packets_in_flight,
            waits: false,
            classified_in: None,
            cycle: 0,
            parsed: VecDeque::new(),
            due: VecDeque::new(),
            answered: 0,
            flagged: 0,
            found: 0,
            seen: 0,
        }
    }

    /// Judges the answer of a cycle.
    fn answer(&mut self, count: usize, ids: &[u32], overflow: bool, present: Vec<usize>) {
        let item = self.due.pop_front().expect("an answer for an element");
        assert_eq!(present, item.present, "packet {:02x?}", item.bytes);
        self.seen += present.len();
        let mut ids = ids[..count].to_vec();
        ids.sort_unstable();
        if overflow {
            assert!(ids.iter().all(|id| item.hits.contains(id)));
            self.flagged += 1;
        } else {
            assert_eq!(ids, item.hits, "packet {:02x?}", item.bytes);
        }
        self.found += ids.len();
        self.answered += 1;
        self.credits += 1;
    }

    /// The beat of a cycle: bytes, last, command, length.
    fn beat(&mut self, rng: &mut ChaCha8Rng, rate: f64) -> Option<(Vec<u8>, bool, bool, usize)> {
        let can = self.credits > 0 && !self.waits && !self.items.is_empty();
        if !can || !rng.random_bool(rate) {
            return None;
        }
        let item = self.items.front().unwrap();
        let length = item.bytes.len();
        let end = length.min(self.at + self.beat_bytes);
        let mut bytes = item.bytes[self.at.min(end)..end].to_vec();
        bytes.resize(self.beat_bytes, rng.random());
        let last = self.at + self.beat_bytes >= length;
        let beat = (bytes, last, item.is_command, length);
        // As the window hands it on: when it is full, or nothing follows.
        let window_ends = self.at + self.beat_bytes == WINDOW_BYTES;
        if window_ends || last && self.at < WINDOW_BYTES {
            self.parsed.push_back((self.cycle + 1, item.vector));
        }
        self.at += self.beat_bytes;
        if last {
            self.at = 0;
            self.credits -= 1;
            let is = |opcode: Opcode| item.is_command && item.bytes[0] == opcode as u8;
            self.waits = is(Opcode::Clear) || is(Opcode::WriteWindowSecret);
            if is(Opcode::Clear) {
                self.classified_in = Some(rng.random_range(20..600));
            }
            let item = self.items.pop_front().unwrap();
            self.due.push_back(item);
        }
        Some(beat)
    }

    /// Whether an element enters the parser in this cycle, and the vector that comes out of it.
    fn parse(&mut self) -> (bool, Option<Line>) {
        self.cycle += 1;
        let enters = self.parsed.iter().any(|(cycle, _)| *cycle == self.cycle);
        let comes = self.parsed.front().is_some_and(|(cycle, _)| cycle + LATENCY == self.cycle);
        (enters, if comes { self.parsed.pop_front().map(|(_, vector)| vector) } else { None })
    }

    /// Whether the classifier's pulse comes in this cycle.
    fn classified(&mut self) -> bool {
        let pulse = self.classified_in == Some(0);
        self.classified_in = self.classified_in.and_then(|cycles| cycles.checked_sub(1));
        pulse
    }
}

/// One cycle: answers are judged, a beat is offered.
macro_rules! cycle {
    ($uut:expr, $driver:expr, $rng:expr, $rate:expr) => {{
        let uut = $uut;
        if uut.cleared.val() {
            assert!($driver.waits, "cleared without a command to wait for");
            $driver.waits = false;
        }
        if uut.out_valid.val() {
            let ids: Vec<u32> = (0..HITS_MAX)
                .map(|n| uut.out_ids.val().get_bits::<HIT_BITS>(HIT_BITS * n).index() as u32)
                .collect();
            let present = uut.out_present.val();
            let present = (0..$driver.short).filter(|bit| present.get_bit(*bit)).collect();
            $driver.answer(uut.out_count.val().index(), &ids, uut.out_overflow.val(), present);
        }
        let (enters, vector) = $driver.parse();
        uut.entered.next = enters;
        uut.vector_valid.next = vector.is_some();
        uut.vector_line.next = bits_of_bytes(&vector.unwrap_or_default().0);
        uut.classified.next = $driver.classified();
        uut.taken.next = false;
        if let Some((bytes, last, command, length)) = $driver.beat($rng, $rate) {
            uut.taken.next = true;
            uut.tdata.next = bits_of_bytes(&bytes);
            uut.tlast.next = last;
            uut.command.next = command;
            uut.length.next = (length as u64).to_bits();
        }
    }};
}

fn stimulus(geometry: &'static Geometry, seed: u64, count: usize, density: f64) -> Vec<Item> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut items = Vec::new();
    // Loaded twice: the second set takes the place of the first between two packets.
    for patterns_count in [60, 30] {
        let patterns = patterns(geometry, &mut rng, patterns_count);
        let loaded = load(geometry, &mut rng, &patterns, &mut items);
        items.extend(packets(geometry, &mut rng, &patterns, &loaded, count, density));
    }
    items
}

#[test]
fn passes_the_gate_in_lab() {
    let mut driver = Driver::new(&LAB, stimulus(&LAB, 1, 300, 0.2));
    passes("payload_matcher_lab", LabMatcher::lab, 19000, 2, |uut, rng, cycle| {
        uut.reset.next = cycle == 0;
        if cycle > 0 {
            let rate = if cycle % 2000 < 1000 { 0.97 } else { 0.5 };
            cycle!(uut, driver, rng, rate);
        }
    });
    assert!(driver.items.is_empty() && driver.due.is_empty(), "{} left", driver.items.len());
    println!("{} answers, {} hits, {} flagged", driver.answered, driver.found, driver.flagged);
    assert!(driver.found > 150 && driver.seen > 50 && driver.flagged < driver.answered / 5);
}

/// Runs natively until everything is answered.
fn run_lab(items: Vec<Item>, rate: f64, seed: u64) -> (Driver, usize) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut driver = Driver::new(&LAB, items);
    let mut sim = Native::new(LabMatcher::lab());
    sim.uut.reset.next = true;
    sim.step();
    sim.uut.reset.next = false;
    let mut cycles = 0;
    while !(driver.items.is_empty() && driver.due.is_empty()) {
        cycle!(&mut sim.uut, driver, &mut rng, rate);
        sim.step();
        cycles += 1;
        assert!(cycles < 40_000, "no end: {} items, {} due", driver.items.len(), driver.due.len());
    }
    (driver, cycles)
}

#[test]
fn dense_traffic_is_flagged_and_never_wrong() {
    let (driver, _) = run_lab(stimulus(&LAB, 4, 250, 0.95), 1.0, 5);
    println!("{} answers, {} hits, {} flagged", driver.answered, driver.found, driver.flagged);
    assert!(driver.flagged > 20 && driver.found > 300);
}

#[test]
fn a_slow_stream_is_never_flagged_but_for_long_lists() {
    let items = stimulus(&LAB, 6, 160, 0.95);
    let long = items.iter().filter(|item| item.hits.len() > HITS_MAX).count();
    let (driver, _) = run_lab(items, 0.15, 7);
    assert!(long > 0);
    assert_eq!(driver.flagged, long);
}

#[test]
fn passes_the_gate_in_line() {
    let mut driver = Driver::new(&LINE, Vec::new());
    let mut rng = ChaCha8Rng::seed_from_u64(8);
    // Without a CLEAR, which takes 65,536 cycles here; tables are empty at first in the models.
    let patterns = patterns(&LINE, &mut rng, 40);
    let mut items = Vec::new();
    let loaded = load(&LINE, &mut rng, &patterns, &mut items);
    items.remove(0);
    items.extend(packets(&LINE, &mut rng, &patterns, &loaded, 150, 0.25));
    driver.items = items.into();
    passes(
        "payload_matcher_line",
        || LineMatcher::new(&LINE, RamStyle::Block),
        3600,
        2,
        |uut, rng, cycle| {
            uut.reset.next = cycle == 0;
            if cycle > 0 {
                cycle!(uut, driver, rng, 0.9);
            }
        },
    );
    assert!(driver.items.is_empty() && driver.due.is_empty(), "{} left", driver.items.len());
    println!("{} answers, {} hits, {} flagged", driver.answered, driver.found, driver.flagged);
    assert!(driver.found > 40 && driver.seen > 300 && driver.flagged < driver.answered / 5);
}

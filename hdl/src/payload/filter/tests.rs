use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use wiresift_abi::command::Command;
use wiresift_abi::geometry::{LAB, LINE};
use wiresift_abi::payload::{CLASSES, Pattern, SECRET_ROWS, Secret, Tables, memories, probe};

use super::super::testing::{Pipe, Stream, bits_of_bytes, number};
use super::*;
use crate::gate::passes;

type Line = Filter<512, 64, 32, 48, 64, 12, 6, 24>;
type Lab = Filter<128, 16, 8, 32, 8, 11, 3, 17>;

/// The filter as the contract has it: the memories, looked up window by window.
struct Model {
    geometry: &'static Geometry,
    secret: Secret,
    words: Vec<Vec<u64>>,
}

impl Model {
    fn new(geometry: &'static Geometry) -> Self {
        let sizes = &geometry.payload;
        let words = vec![vec![0; 1 << sizes.filter_words_log2]; sizes.memories()];
        Self { geometry, secret: Secret([0; SECRET_ROWS]), words }
    }

    fn run(&mut self, command: &Command) {
        let word = u64::from_le_bytes(command.data.0[..8].try_into().unwrap());
        let keep = |bits: usize| if bits == 64 { word } else { word & ((1 << bits) - 1) };
        match command.opcode {
            Opcode::Clear => self.words.iter_mut().for_each(|words| words.fill(0)),
            Opcode::WriteWindowSecret => {
                self.secret.0[usize::from(command.index)] = keep(self.geometry.payload.hash_bits);
            }
            Opcode::WriteFilter => {
                let bits = 1 << self.geometry.payload.filter_word_log2;
                self.words[usize::from(command.table)][usize::from(command.index)] = keep(bits);
            }
            _ => {}
        }
    }

    /// A bit for each byte of the beat from `from` on with which a window that passes ends, for each class.
    fn hits(&self, packet: &[u8], from: usize) -> [u64; 3] {
        let sizes = &self.geometry.payload;
        CLASSES.map(|class| {
            let passes = |end: usize| {
                let Some(start) = (end + 1).checked_sub(class.bytes()) else { return false };
                let hash = self.secret.hash(&packet[start..=end], sizes.hash_bits);
                memories(class, sizes).all(|memory| {
                    let (word, bits) = probe(hash, memory, sizes);
                    bits.iter().all(|bit| self.words[memory][word] >> bit & 1 == 1)
                })
            };
            let lanes = 0..self.geometry.beat_bytes.min(packet.len() - from.min(packet.len()));
            lanes.filter(|lane| passes(from + lane)).fold(0, |bits, lane| bits | 1 << lane)
        })
    }
}

/// What goes through the filter: a packet, or a command.
#[derive(Clone)]
enum Item {
    Packet(Vec<u8>),
    Command(Command),
}

fn items(geometry: &'static Geometry, rng: &mut ChaCha8Rng, packets: usize) -> Vec<Item> {
    let pool: Vec<Vec<u8>> =
        (0..24).map(|n| (0..3 + n % 20).map(|_| b'A' + rng.random_range(0..30)).collect()).collect();
    let patterns: Vec<Pattern> =
        pool.iter().filter_map(|bytes| Pattern::new(bytes, false, &geometry.payload)).collect();
    let secret = Secret(std::array::from_fn(|_| rng.random::<u64>() >> (64 - geometry.payload.hash_bits)));
    let tables = Tables::new(geometry, secret, &patterns).unwrap();
    let mut items: Vec<Item> = tables.commands().into_iter().map(Item::Command).collect();
    for n in 0..packets {
        let beat = geometry.beat_bytes;
        let length = match n % 4 {
            0 => n / 4 % 20,
            1 => beat * (1 + n / 4 % 3) + n / 4 % 19 - 9,
            _ => rng.random_range(0..200),
        };
        let mut packet: Vec<u8> = Vec::new();
        while packet.len() < length {
            packet.extend(pool.choose(rng).unwrap());
            packet.extend((0..rng.random_range(0..12)).map(|_| rng.random::<u8>()));
        }
        packet.truncate(length);
        items.push(Item::Packet(packet));
        if rng.random_bool(0.3) {
            // Words are taken away and written between packets.
            let mut command = Command::new(Opcode::WriteFilter, 0);
            command.index = rng.random_range(0..1 << geometry.payload.filter_words_log2);
            command.table = rng.random_range(0..geometry.payload.memories() as u8);
            command.data.0[..8].fill(if rng.random() { 0 } else { 0xff });
            items.push(Item::Command(command));
        }
    }
    items
}

fn gate<
    const B: usize,
    const L: usize,
    const P: usize,
    const H: usize,
    const W: usize,
    const D: usize,
    const S: usize,
    const R: usize,
>(
    name: &str,
    geometry: &'static Geometry,
    packets: usize,
    cycles: usize,
) {
    let mut rng = rand_chacha::rand_core::SeedableRng::seed_from_u64(9);
    let items = items(geometry, &mut rng, packets);
    let mut model = Model::new(geometry);
    let mut stream = Stream::new(geometry);
    let mut items = items.into_iter();
    let mut current: Option<(Item, usize)> = None;
    let mut expected: Option<(Beat, [u64; 3])> = None;
    let mut pipe = Pipe::new(5);
    let mut hits = [0; 3];
    let mut waits = false;
    let make = || Filter::<B, L, P, H, W, D, S, R>::new(geometry, RamStyle::Block);
    passes(name, make, cycles, 3, |uut, rng, cycle| {
        if cycle > 0 {
            assert_eq!(uut.out_valid.val(), expected.is_some());
        }
        if let Some((beat, lanes)) = expected.take() {
            assert_eq!(uut.out_beat.val(), beat);
            let found = [number(uut.eight.val()), number(uut.four.val()), number(uut.three.val())];
            assert_eq!(found, lanes, "cycle {cycle}, {beat:?}");
            hits.iter_mut().zip(found).for_each(|(sum, found)| *sum += found.count_ones());
        }
        let mut fresh = None;
        if uut.done.val() {
            assert!(waits);
            waits = false;
        }
        uut.reset.next = cycle == 0;
        uut.valid.next = false;
        if cycle > 0 && !waits && rng.random_bool(0.85) {
            if current.is_none() {
                current = items.next().map(|item| (item, 0));
            }
            if let Some((item, at)) = current.take() {
                let (bytes, command) = match &item {
                    Item::Packet(packet) => (packet.clone(), false),
                    Item::Command(command) => (command.to_line().0.to_vec(), true),
                };
                let beat = stream.beat(&bytes, at, command);
                uut.valid.next = true;
                uut.beat.next = beat;
                uut.line.next = bits_of_bytes(&stream.line);
                let lanes = if command { [0; 3] } else { model.hits(&bytes, at) };
                fresh = Some((beat, lanes));
                if let (Item::Command(command), true) = (&item, beat.last) {
                    model.run(command);
                    waits = command.opcode == Opcode::WriteWindowSecret;
                }
                if !beat.last {
                    current = Some((item, at + geometry.beat_bytes));
                }
            }
        }
        expected = pipe.shift(fresh).flatten();
    });
    assert!(items.next().is_none(), "the run is too short");
    assert!(hits.iter().all(|hits| *hits > 50), "{hits:?}");
}

#[test]
fn every_window_of_a_packet_is_looked_up_in_lab() {
    gate::<128, 16, 8, 32, 8, 11, 3, 17>("payload_filter_lab", &LAB, 250, 6600);
}

#[test]
fn every_window_of_a_packet_is_looked_up_in_line() {
    gate::<512, 64, 32, 48, 64, 12, 6, 24>("payload_filter_line", &LINE, 180, 2800);
}

#[test]
fn a_clear_empties_every_memory() {
    let mut sim = crate::gate::Native::new(Lab::new(&LAB, RamStyle::Block));
    let mut stream = Stream::new(&LAB);
    let mut send = |sim: &mut crate::gate::Native<Lab>, bytes: &[u8], command: bool| {
        let mut hits = 0;
        for at in (0..bytes.len()).step_by(16) {
            sim.uut.valid.next = true;
            sim.uut.beat.next = stream.beat(bytes, at, command);
            sim.uut.line.next = bits_of_bytes(&stream.line);
            sim.step();
            hits += number(sim.uut.eight.val()).count_ones();
        }
        sim.uut.valid.next = false;
        for _ in 0..8 {
            sim.step();
            hits += number(sim.uut.eight.val()).count_ones();
        }
        hits
    };
    let mut command = Command::new(Opcode::WriteFilter, 0);
    command.data.0[..8].fill(0xff);
    // No secret: every window is sought in word 0.
    send(&mut sim, &command.to_line().0, true);
    assert_eq!(send(&mut sim, &[b'x'; 40], false), 33);
    send(&mut sim, &Command::new(Opcode::Clear, 0).to_line().0, true);
    let mut cycles = 0;
    while !sim.uut.done.val() {
        sim.step();
        cycles += 1;
    }
    assert!((2000..2060).contains(&cycles), "{cycles}");
    assert_eq!(send(&mut sim, &[b'x'; 40], false), 0);
    let _ = Line::new(&LINE, RamStyle::Ultra);
}

use std::collections::VecDeque;

use rand::{Rng, RngCore};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use wiresift_abi::command::Command;
use wiresift_abi::geometry::{LAB, LINE};
use wiresift_abi::h2c::PACKET_BYTES_MAX;

use super::super::testing::{to_bytes, to_port};
use super::*;
use crate::gate::{Clocked, Native, passes};

impl<const BEAT_BITS: usize, const BEATS: usize> Clocked for Window<BEAT_BITS, BEATS> {
    fn clock(&mut self) -> &mut Signal<In, Clock> {
        &mut self.clock
    }
}

/// A packet or command on its way through the block.
#[derive(Clone, Debug, PartialEq)]
struct Item {
    command: bool,
    sequence: u32,
    bytes: Vec<u8>,
}

impl Item {
    fn packet(bytes: Vec<u8>) -> Self {
        Self { command: false, sequence: 0, bytes }
    }

    fn command(opcode: Opcode) -> Self {
        Self { command: true, sequence: 0, bytes: Command::new(opcode, 3).to_line().0.to_vec() }
    }

    fn is_slow(&self) -> bool {
        let slow = [Opcode::Clear, Opcode::WriteSecret, Opcode::WriteTcamHigh, Opcode::WriteWindowSecret];
        self.command && slow.iter().any(|slow| *slow as u8 == self.bytes[0])
    }

    fn beats(&self, beat_bytes: usize) -> usize {
        self.bytes.len().div_ceil(beat_bytes).max(1)
    }
}

fn numbered(items: Vec<Item>) -> Vec<Item> {
    let number = |(n, item): (usize, Item)| Item { sequence: n as u32 ^ 0xfeed_0000, ..item };
    items.into_iter().enumerate().map(number).collect()
}

/// What the other sides of the block do: probability in percent that they hold back, and cycles an
/// element stays behind the block at most.
#[derive(Clone, Copy)]
struct Pace {
    idle_percent: u32,
    cycles_behind: usize,
}

/// Sends the items, and checks every output in every cycle against counters kept here. Returns the
/// cycles it took.
fn run<const BEAT_BITS: usize, const BEATS: usize>(
    geometry: &Geometry,
    items: &[Item],
    pace: Pace,
    seed: u64,
) -> usize {
    let beat_bytes = geometry.beat_bytes;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut native = Native::new(Window::<BEAT_BITS, BEATS>::new(geometry));
    native.uut.reset.next = true;
    native.step();
    native.uut.reset.next = false;

    let mut at = (0, 0);
    let mut offered = false;
    let mut due: VecDeque<usize> = VecDeque::new();
    let mut clear_done = None;
    let (mut shown, mut left, mut in_flight) = (0, 0, 0);
    let mut cycle = 0;
    while left < items.len() || in_flight > 0 {
        // Source: what was offered stays until it is taken (AXI4-Stream, 2.2.1).
        offered = at.0 < items.len() && (offered || rng.random_range(0..100) >= pace.idle_percent);
        let uut = &mut native.uut;
        uut.s_axis_tvalid.next = offered;
        if offered {
            let item = &items[at.0];
            let start = at.1 * beat_bytes;
            let mut beat = vec![0; beat_bytes];
            rng.fill_bytes(&mut beat);
            let end = item.bytes.len().min(start + beat_bytes);
            beat[..end - start].copy_from_slice(&item.bytes[start..end]);
            uut.s_axis_tdata.next = to_port(&beat);
            uut.s_axis_tlast.next = at.1 + 1 == item.beats(beat_bytes);
            uut.s_axis_command.next = item.command;
            uut.s_axis_length.next = (item.bytes.len() as u64).into();
            uut.s_axis_sequence.next = u64::from(item.sequence).into();
        } else {
            uut.s_axis_tdata.next = to_port(&vec![rng.random(); beat_bytes]);
            uut.s_axis_tlast.next = rng.random();
            uut.s_axis_command.next = rng.random();
        }
        // Sink: results leave in order, one a cycle at most.
        let credit = due.front().is_some_and(|when| *when <= cycle);
        uut.credit.next = credit;
        uut.cleared.next = clear_done == Some(cycle);
        native.settle();
        let uut = &native.uut;
        let taken = offered && uut.s_axis_tready.val();
        let element = taken && at.1 + 1 == items[at.0].beats(beat_bytes);
        // The window is known: it is full, or there is no more.
        let shows = taken && (at.1 + 1 == BEATS || element && at.1 < BEATS);
        assert!(!element || clear_done.is_none(), "cycle {cycle}: let in during a CLEAR");
        if taken {
            at = if element { (at.0 + 1, 0) } else { (at.0, at.1 + 1) };
            offered = false;
        }
        native.step();
        if clear_done == Some(cycle) {
            clear_done = None;
        }
        if credit {
            due.pop_front();
            in_flight -= 1;
        }
        let uut = &native.uut;
        assert_eq!(uut.valid.val(), shows, "cycle {cycle}");
        if element {
            let item = &items[left];
            left += 1;
            in_flight += 1;
            let when = due.back().map_or(0, |last| last + 1);
            due.push_back(when.max(cycle + 1 + rng.random_range(0..=pace.cycles_behind)));
            if item.is_slow() {
                clear_done = Some(cycle + 2 + rng.random_range(0..60));
            }
        }
        if shows {
            let item = &items[shown];
            shown += 1;
            let window = to_bytes(uut.window.val());
            let held = item.bytes.len().min(WINDOW_BYTES);
            let out = Item {
                command: uut.command.val(),
                sequence: uut.sequence_number.val().to_u32(),
                bytes: window[..held].to_vec(),
            };
            assert_eq!(uut.length.val().index(), item.bytes.len());
            assert_eq!(out, Item { bytes: item.bytes[..held].to_vec(), ..item.clone() });
        }
        assert!(in_flight <= geometry.packets_in_flight, "cycle {cycle}: a credit too many");
        assert_eq!(uut.idle.val(), in_flight == 0, "cycle {cycle}");
        cycle += 1;
        assert!(cycle < 1_000_000, "stuck at item {} beat {}", at.0, at.1);
    }
    cycle
}

fn random_items(seed: u64, count: usize) -> Vec<Item> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let item = |_| match rng.random_range(0..40) {
        0 => Item::command(Opcode::Clear),
        1 => Item::command(Opcode::WriteTcamHigh),
        2 => Item::command(Opcode::WriteSecret),
        3 => Item::command(Opcode::WriteWindowSecret),
        4..6 => Item::command(Opcode::WriteMask),
        6..30 => Item::packet((0..rng.random_range(0..65)).map(|_| rng.random()).collect()),
        _ => Item::packet((0..rng.random_range(0..300)).map(|_| rng.random()).collect()),
    };
    numbered((0..count).map(item).collect())
}

/// Every length around the boundaries of beats, lines and the window, and the longest packet. The
/// packets begin with the byte of a CLEAR: only a command is one.
fn boundary_items() -> Vec<Item> {
    let lengths = (0..=20).chain(30..=34).chain(46..=50).chain(62..=66).chain(78..=82).chain(110..=114);
    let lengths = lengths.chain(126..=130).chain(142..=146).chain(190..=194).chain([PACKET_BYTES_MAX]);
    let packet = |length| {
        let mut bytes: Vec<u8> = (0..length).map(|n| (n * 7 + length) as u8).collect();
        if let Some(byte) = bytes.first_mut() {
            *byte = Opcode::Clear as u8;
        }
        Item::packet(bytes)
    };
    let mut items: Vec<Item> = lengths.map(packet).collect();
    // A command right behind a CLEAR, two CLEARs in a row, and packets around them.
    let slow = [
        Opcode::Clear,
        Opcode::WriteMask,
        Opcode::WriteTcamHigh,
        Opcode::WriteSecret,
        Opcode::WriteWindowSecret,
        Opcode::Clear,
    ];
    items.extend(slow.map(Item::command));
    items.push(packet(64));
    items.push(Item::command(Opcode::Commit));
    items.push(packet(1));
    numbered(items)
}

const PACES: [Pace; 4] = [
    Pace { idle_percent: 0, cycles_behind: 0 },
    Pace { idle_percent: 60, cycles_behind: 0 },
    Pace { idle_percent: 0, cycles_behind: 900 },
    Pace { idle_percent: 30, cycles_behind: 300 },
];

#[test]
fn elements_come_out_whole_under_every_pace() {
    for (seed, pace) in PACES.into_iter().enumerate() {
        for items in [boundary_items(), random_items(seed as u64, 600)] {
            run::<512, 2>(&LINE, &items, pace, seed as u64);
            run::<128, 8>(&LAB, &items, pace, seed as u64);
        }
    }
}

#[test]
fn packets_of_one_beat_are_one_element_a_cycle() {
    let items = numbered((0..1000u32).map(|n| Item::packet(n.to_be_bytes().repeat(4))).collect());
    let pace = Pace { idle_percent: 0, cycles_behind: 40 };
    // The rest are the cycles until the last result is out.
    assert!(run::<512, 2>(&LINE, &items, pace, 1) <= 1000 + 50);
    assert!(run::<128, 8>(&LAB, &items, pace, 1) <= 1000 + 50);
}

#[test]
fn without_credits_coming_back_exactly_all_are_used() {
    let mut native = Native::new(Window::<512, 2>::new(&LINE));
    native.uut.reset.next = true;
    native.step();
    native.uut.reset.next = false;
    native.uut.s_axis_tvalid.next = true;
    native.uut.s_axis_tlast.next = true;
    let mut elements = 0;
    for _ in 0..1000 {
        native.step();
        elements += usize::from(native.uut.valid.val());
    }
    assert_eq!(elements, LINE.packets_in_flight);
    native.uut.credit.next = true;
    native.step();
    native.uut.credit.next = false;
    for _ in 0..10 {
        native.step();
        elements += usize::from(native.uut.valid.val());
    }
    assert_eq!(elements, LINE.packets_in_flight + 1);
}

#[test]
fn a_reset_in_a_packet_and_in_a_clear_leaves_nothing_behind() {
    let mut native = Native::new(Window::<128, 8>::new(&LAB));
    let line = Command::new(Opcode::Clear, 0).to_line();
    for beats in 1..=5 {
        native.uut.reset.next = true;
        native.step();
        native.uut.reset.next = false;
        native.step();
        native.uut.s_axis_command.next = true;
        for beat in 0..beats {
            native.uut.s_axis_tvalid.next = true;
            let at = beat % 4 * 16;
            native.uut.s_axis_tdata.next = to_port(&line.0[at..at + 16]);
            native.uut.s_axis_tlast.next = beat == 3;
            native.step();
        }
        native.uut.s_axis_tvalid.next = false;
        native.uut.s_axis_command.next = false;
        assert_eq!(native.uut.s_axis_tready.val(), beats < 4, "a CLEAR is let in at its fourth beat");
    }
    native.uut.reset.next = true;
    native.step();
    native.uut.reset.next = false;
    assert!(native.uut.idle.val() && !native.uut.valid.val());
    native.step();
    assert!(native.uut.s_axis_tready.val());
    native.uut.s_axis_tvalid.next = true;
    native.uut.s_axis_tlast.next = true;
    native.uut.s_axis_tdata.next = to_port(&[0xa5; 16]);
    native.step();
    assert!(native.uut.valid.val() && !native.uut.idle.val());
    assert_eq!(to_bytes(native.uut.window.val())[..16], [0xa5; 16]);
}

fn stimulus<const BEAT_BITS: usize, const BEATS: usize>(
    uut: &mut Window<BEAT_BITS, BEATS>,
    rng: &mut ChaCha8Rng,
    cycle: usize,
) {
    uut.reset.next = cycle == 0 || rng.random_range(0..500) == 0;
    uut.s_axis_tvalid.next = rng.random_range(0..4) > 0;
    uut.s_axis_tlast.next = rng.random();
    uut.s_axis_command.next = rng.random_range(0..4) == 0;
    let mut beat = vec![0; BEAT_BITS / 8];
    rng.fill_bytes(&mut beat);
    beat[0] = rng.random_range(0..8);
    uut.s_axis_tdata.next = to_port(&beat);
    uut.s_axis_length.next = u64::from(rng.random::<u16>()).into();
    uut.s_axis_sequence.next = u64::from(rng.random::<u32>()).into();
    // Phases in which credits hardly come back, and phases in which more come than are out.
    uut.credit.next = rng.random_range(0..100) < if (cycle / 400).is_multiple_of(2) { 2 } else { 90 };
    uut.cleared.next = rng.random_range(0..8) == 0;
}

#[test]
fn the_text_behaves_like_the_block() {
    passes("window_line", || Window::<512, 2>::new(&LINE), 4000, 1, stimulus);
    passes("window_lab", || Window::<128, 8>::new(&LAB), 4000, 2, stimulus);
}

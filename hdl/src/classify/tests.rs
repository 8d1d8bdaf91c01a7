//! The whole classifier against the model: random commands and packets back to back.

use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rust_hdl::core::prelude::*;
use wiresift_abi::bits::Line;
use wiresift_abi::command::{Command, INDEX, OPCODE, Opcode, SLOT, TABLE};
use wiresift_abi::entry::{Entry, Kind};
use wiresift_abi::geometry::{Geometry, LAB};
use wiresift_abi::vector::{self, Flags};

use super::testing::{
    Expected, Model, Pipe, bits_of, entry_for, is_slow, key_commands, near, random_id, random_line,
    random_vector, tcam_commands,
};
use super::*;
use crate::gate::{Native, long, passes};

/// As `lab`, with few buckets, so that keys meet in them, two wide tables and a larger TCAM.
const SMALL: Geometry =
    Geometry { narrow_buckets_log2: 3, wide_tables: 2, wide_buckets_log2: 4, tcam_entries: 16, ..LAB };
/// Buckets of eight slots, so that one table alone finds more ids than it passes on.
const DEEP: Geometry =
    Geometry { narrow_tables: 4, narrow_buckets_log2: 2, wide_buckets_log2: 3, bucket_slots: 4, ..SMALL };

/// What comes of an element.
#[derive(Clone, Debug)]
struct Outcome {
    packet: bool,
    commit: bool,
    sequence: u32,
    line: Line,
    version: u16,
    found: Expected,
}

/// How often things happened.
#[derive(Debug, Default)]
struct Tally {
    packets: usize,
    acl: usize,
    ids: usize,
    cut: usize,
    commits: usize,
    bad: usize,
    refused: usize,
    clears: usize,
    rows: usize,
    keys: usize,
}

/// Makes elements and knows what comes of them.
struct Traffic {
    geometry: Geometry,
    model: Model,
    queue: Vec<Line>,
    hot: Vec<Line>,
    last: Line,
    clearing: bool,
    sequence: u32,
    tally: Tally,
}

impl Traffic {
    /// Starts with a CLEAR, masks, a secret, and a TCAM that is full when `tcam`.
    fn new(geometry: &Geometry, tcam: bool, seed: u64) -> Self {
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        let hot: Vec<_> = (0..6).map(|_| random_vector(rng)).collect();
        let mut queue = vec![Command::new(Opcode::Clear, 0).to_line()];
        for row in 0..wiresift_abi::hash::ROWS as u16 {
            queue.push(with_data(Command::new(Opcode::WriteSecret, row), random_line(rng)));
        }
        for table in 0..geometry.tables() as u8 {
            queue.push(mask(table, rng));
        }
        if tcam {
            let entries: Vec<_> = (0..geometry.tcam_entries).map(|_| entry(&hot, 128, rng)).collect();
            queue.extend(tcam_commands(&entries));
        }
        queue.reverse();
        let model = Model::new(geometry);
        let (last, tally) = (hot[0], Tally::default());
        Self { geometry: *geometry, model, queue, hot, last, clearing: false, sequence: 0, tally }
    }

    /// The next element, or a bubble: whether it is a command, and its line.
    fn element(&mut self, rng: &mut ChaCha8Rng) -> Option<(bool, Line)> {
        if self.clearing {
            return None;
        }
        if let Some(line) = self.queue.pop() {
            return Some((true, line));
        }
        match rng.random_range(0..100) {
            0..15 => None,
            15..45 => Some((true, self.write_slot(rng))),
            45..48 => Some((true, mask(rng.random_range(0..self.geometry.tables() as u8), rng))),
            48 => {
                let row = rng.random_range(0..wiresift_abi::hash::ROWS as u16);
                Some((true, with_data(Command::new(Opcode::WriteSecret, row), random_line(rng))))
            }
            49..52 => {
                let n = rng.random_range(0..self.geometry.tcam_entries as u16);
                let data = entry(&self.hot, 128, rng).to_tcam();
                Some((true, with_data(Command::new(Opcode::WriteTcamEntry, n), data)))
            }
            52 if rng.random_bool(0.3) => {
                // A key, whatever entry stands there: half of them of a vector, half of them of nothing.
                let n = rng.random_range(0..self.geometry.tcam_entries as u16);
                let key = entry(&self.hot, 128, rng).tcam_key();
                let [low, high] = key_commands(n, &key);
                self.queue.push(high);
                Some((
                    true,
                    if rng.random() {
                        low
                    } else {
                        with_data(Command::new(Opcode::WriteTcamLow, 0), random_line(rng))
                    },
                ))
            }
            53..56 => Some((true, Command::new(Opcode::Commit, rng.random()).to_line())),
            56..59 => Some((true, self.bad(rng))),
            59 if rng.random_bool(0.2) => Some((true, Command::new(Opcode::Clear, 0).to_line())),
            // The vector that the command before was about, then others.
            60..80 => Some((false, self.last)),
            _ => Some((false, near(self.hot.choose(rng).unwrap(), rng))),
        }
    }

    /// An entry for a hot vector where a look-up finds it, an empty slot, or garbage.
    fn write_slot(&mut self, rng: &mut ChaCha8Rng) -> Line {
        let table = rng.random_range(0..self.geometry.tables());
        self.last = *self.hot.choose(rng).unwrap();
        let way = rng.random_range(0..2);
        let bucket = self.model.buckets(table, &self.last)[way];
        let mut command = Command::new(Opcode::WriteSlot, bucket as u16);
        command.table = table as u8;
        command.slot =
            (way * self.geometry.bucket_slots + rng.random_range(0..self.geometry.bucket_slots)) as u8;
        let narrow = self.geometry.is_narrow(table);
        let entry = entry(&[self.last], if narrow { 32 } else { 128 }, rng);
        let data = match rng.random_range(0..20) {
            0 => Line::default(),
            1 => random_line(rng),
            _ => if narrow { entry.to_narrow() } else { entry.to_wide() }.unwrap(),
        };
        with_data(command, data)
    }

    /// A command that the geometry does not have.
    fn bad(&self, rng: &mut ChaCha8Rng) -> Line {
        loop {
            let line = random_line(rng)
                .with(OPCODE, rng.random_range(0..10))
                .with(TABLE, rng.random_range(0..8))
                .with(SLOT, rng.random_range(0..50))
                .with(INDEX, rng.random_range(0..70));
            if Command::from_line(&line, &self.geometry).is_err() {
                return line;
            }
        }
    }

    /// What comes of an element.
    fn outcome(&mut self, command: bool, line: Line) -> (Outcome, Option<u32>) {
        let found = if command {
            Expected { acl: None, ids: Vec::new(), cut: false }
        } else {
            self.model.classify(&line)
        };
        let mut error = None;
        let opcode = line.get(OPCODE);
        if command && !self.model.apply(&line) {
            error = Some((opcode | line.get(TABLE) << 8 | line.get(INDEX) << 16) as u32);
            self.tally.bad += 1;
        }
        // Packets wait for a bad one too: the window does not look at the numbers.
        self.clearing = command && is_slow(&line);
        self.tally.refused += usize::from(self.clearing && error.is_some());
        let commit = command && error.is_none() && opcode == Opcode::Commit as u128;
        let is_done = self.clearing && error.is_none();
        self.tally.clears += usize::from(is_done && opcode == Opcode::Clear as u128);
        self.tally.rows += usize::from(is_done && opcode == Opcode::WriteSecret as u128);
        self.tally.keys += usize::from(is_done && opcode == Opcode::WriteTcamHigh as u128);
        self.tally.commits += usize::from(commit);
        self.tally.packets += usize::from(!command);
        self.tally.acl += usize::from(found.acl.is_some());
        self.tally.ids += usize::from(!found.ids.is_empty() && !found.cut);
        self.tally.cut += usize::from(found.cut);
        let (sequence, version) = (self.sequence, self.model.version);
        self.sequence = self.sequence.wrapping_add(0x1234_5677);
        (Outcome { packet: !command, commit, sequence, line, version, found }, error)
    }
}

fn with_data(mut command: Command, data: Line) -> Line {
    command.data = data;
    command.to_line()
}

/// An entry for one of the vectors.
fn entry(vectors: &[Line], width: u32, rng: &mut ChaCha8Rng) -> Entry {
    let kind = if rng.random_bool(0.35) { Kind::Acl } else { Kind::Signature };
    let id = random_id(rng);
    entry_for(vectors.choose(rng).unwrap(), width, kind, id, rng)
}

/// A mask that many vectors share a key under, or one of single bits.
fn mask(table: u8, rng: &mut ChaCha8Rng) -> Line {
    let mut data = match rng.random_range(0..3) {
        0 => Line([0xff; 64]),
        1 => Line::default(),
        _ => random_line(rng),
    };
    if rng.random() {
        data = data.with(vector::SRC, u128::MAX << 112).with(vector::DST, 0);
    }
    let mut command = Command::new(Opcode::WriteMask, 0);
    command.table = table;
    with_data(command, data)
}

fn assert_outcome<const A: usize, const B: usize, const C: usize, const D: usize>(
    uut: &Classifier<A, B, C, D>,
    expected: Option<&Outcome>,
) {
    assert_eq!(uut.out_valid.val(), expected.is_some());
    let Some(expected) = expected else { return };
    assert_eq!(uut.out_silent.val(), !expected.packet && !expected.commit);
    assert_eq!(uut.out_commit.val(), expected.commit);
    assert_eq!(uut.out_sequence.val().index() as u32, expected.sequence);
    assert_eq!(uut.out_version.val().index(), usize::from(expected.version));
    let (mut flags, mut length) = (0, 0);
    if expected.packet {
        flags = expected.line.get(vector::FLAGS) as u16 | if expected.found.cut { Flags::CUT } else { 0 };
        length = expected.line.get(vector::LENGTH);
    }
    assert_eq!(uut.out_flags.val().index(), usize::from(flags), "{expected:?}");
    assert_eq!(uut.out_length.val().index() as u128, length);
    let acl = uut.out_acl_valid.val().then_some(uut.out_acl.val().index() as u32);
    assert_eq!(acl, expected.found.acl, "{expected:?}");
    let count = uut.out_ids_count.val().index();
    let ids = uut.out_ids.val();
    let id = |n: usize| ids.get_bits::<ID_BITS>(n * ID_BITS).index() as u32;
    let mut found: Vec<_> = (0..count).map(id).collect();
    assert!((count..6).all(|n| id(n) == 0), "places behind the last id");
    found.sort_unstable();
    if expected.found.cut {
        // Those that are there match.
        let mut rest = expected.found.ids.clone();
        for id in found {
            let at = rest.iter().position(|other| *other == id).unwrap();
            rest.remove(at);
        }
    } else {
        assert_eq!(found, expected.found.ids, "{expected:?}");
    }
}

/// Random traffic through `make()`, native and Verilated, every result against the model.
fn agrees<const A: usize, const B: usize, const C: usize, const D: usize>(
    name: &str,
    geometry: &Geometry,
    tcam: bool,
    memory: LutMemory,
    cycles: usize,
) -> Tally {
    let make = || Classifier::<A, B, C, D>::new(geometry, RamStyle::Block, memory);
    let mut traffic = Traffic::new(geometry, tcam, 50);
    let mut results = Pipe::new(make().latency());
    let mut errors = Pipe::new(2);
    let mut last_valid = 0;
    passes(name, make, cycles, 51, |uut, rng, cycle| {
        if uut.cleared.val() {
            assert!(traffic.clearing);
            traffic.clearing = false;
        }
        assert!(
            !traffic.clearing || cycle - last_valid <= (1 << A.max(B)).max(64) + 10,
            "no end of a command"
        );
        let element = traffic.element(rng);
        let outcome = element.map(|(command, line)| traffic.outcome(command, line));
        let error = outcome.as_ref().and_then(|(_, error)| *error);
        let sequence = outcome.as_ref().map_or(0, |(outcome, _)| outcome.sequence);
        if let Some(expected) = results.shift(outcome.map(|(outcome, _)| outcome)) {
            assert_outcome(uut, expected.as_ref());
        }
        let expected = errors.shift(error).flatten();
        assert_eq!(uut.error.val(), expected.is_some());
        if let Some(detail) = expected {
            assert_eq!(uut.error_detail.val().index() as u32, detail);
        }
        if element.is_some() {
            last_valid = cycle;
        }
        let (command, line) = element.unwrap_or_else(|| (rng.random(), random_line(rng)));
        uut.valid.next = element.is_some();
        uut.command.next = command;
        uut.line.next = bits_of(&line);
        uut.sequence_number.next = u64::from(sequence).to_bits();
    });
    println!("{name}: {:?}", traffic.tally);
    traffic.tally
}

#[test]
fn commands_and_packets_back_to_back_are_answered_in_order() {
    let cycles = if long() { 13_000 } else { 6500 };
    let tally = agrees::<3, 4, 16, 4>("classifier_small", &SMALL, true, LutMemory::Bits64, cycles);
    assert!(tally.packets > 700 && tally.acl > 250 && tally.ids > 150 && tally.cut > 10, "{tally:?}");
    assert!(
        tally.commits > 25 && tally.bad > 25 && tally.clears > 1 && tally.keys > 10 && tally.rows > 30,
        "{tally:?}"
    );
    assert!(tally.refused > 2, "{tally:?}");
}

#[test]
fn deep_buckets_are_cut_when_a_table_finds_more_than_it_passes_on() {
    let cycles = if long() { 6000 } else { 3000 };
    let tally = agrees::<2, 3, 16, 8>("classifier_deep", &DEEP, false, LutMemory::Words16, cycles);
    assert!(tally.cut > 40 && tally.ids > 50, "{tally:?}");
}

#[test]
fn lab_answers_as_the_model() {
    let tally = agrees::<9, 9, { LAB.tcam_entries }, { WAYS * LAB.bucket_slots }>(
        "classifier_lab",
        &LAB,
        false,
        LutMemory::Words16,
        4000,
    );
    assert!(tally.packets > 200 && tally.acl + tally.ids > 50, "{tally:?}");
}

#[test]
fn a_reset_forgets_elements_and_keeps_tables_masks_secret_and_version() {
    let mut traffic = Traffic::new(&SMALL, false, 60);
    let mut native = Native::new(Classifier::<3, 4, 16, 4>::new(&SMALL, RamStyle::Block, LutMemory::Words16));
    let rng = &mut ChaCha8Rng::seed_from_u64(61);
    let latency = native.uut.latency();
    let drive = |native: &mut Native<Classifier<3, 4, 16, 4>>, element: Option<(bool, Line)>, reset: bool| {
        native.uut.valid.next = element.is_some();
        native.uut.command.next = element.is_some_and(|(command, _)| command);
        native.uut.line.next = bits_of(&element.map_or(Line::default(), |(_, line)| line));
        native.uut.reset.next = reset;
        native.step();
    };
    let mut commands = 0;
    while commands < 400 {
        let element = traffic.element(rng).filter(|(command, _)| *command);
        if let Some((_, line)) = element {
            traffic.outcome(true, line);
            commands += 1;
        }
        drive(&mut native, element, false);
        traffic.clearing &= !native.uut.cleared.val();
    }
    drive(&mut native, Some((true, Command::new(Opcode::Commit, 77).to_line())), false);
    while traffic.clearing {
        drive(&mut native, None, false);
        traffic.clearing &= !native.uut.cleared.val();
    }
    for _ in 0..latency {
        drive(&mut native, None, false);
    }
    // Elements in every stage, then a reset with one more at the inputs.
    for _ in 0..latency {
        drive(&mut native, Some((false, traffic.hot[0])), false);
    }
    drive(&mut native, Some((true, Command::new(Opcode::Commit, 78).to_line())), true);
    for _ in 0..=latency {
        assert!(!native.uut.out_valid.val());
        drive(&mut native, None, false);
    }
    let mut matched = 0;
    for _ in 0..50 {
        let line = near(traffic.hot.choose(rng).unwrap(), rng);
        drive(&mut native, Some((false, line)), false);
        for _ in 1..latency {
            drive(&mut native, None, false);
        }
        let found = traffic.model.classify(&line);
        matched += usize::from(found.acl.is_some());
        let expected = Outcome { packet: true, commit: false, sequence: 0, line, version: 77, found };
        assert_outcome(&native.uut, Some(&expected));
    }
    assert!(matched > 5);
}

#[test]
fn a_reset_ends_a_clear() {
    let mut native = Native::new(Classifier::<3, 4, 16, 4>::new(&SMALL, RamStyle::Block, LutMemory::Words16));
    let clear = Command::new(Opcode::Clear, 0).to_line();
    native.uut.line.next = bits_of(&clear);
    native.uut.command.next = true;
    for reset_after in [1, 2, 3, 4, 10] {
        for cycle in 0..60 {
            native.uut.valid.next = cycle == 0;
            native.uut.reset.next = cycle == reset_after;
            native.step();
            assert!(!native.uut.cleared.val(), "{reset_after} {cycle}");
        }
    }
    for cycle in 0..60 {
        native.uut.valid.next = cycle == 0;
        native.step();
        // Stages 0 to 2, sixteen buckets, the pulse.
        assert_eq!(native.uut.cleared.val(), cycle == 2 + 1 + 16, "{cycle}");
    }
}

#[test]
fn both_geometries_have_the_latency_that_is_told() {
    assert_eq!((LineClassifier::line().latency(), LabClassifier::lab().latency()), (16, 14));
}

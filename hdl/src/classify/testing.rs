//! What the tests of the classifier share: values to and from bits, seeded entries and vectors, and a plain
//! model of the tables that is nothing but the contract applied one after the other.

use std::collections::VecDeque;

use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use rust_hdl::core::prelude::*;
use wiresift_abi::bits::{Field, LINE_BITS, Line};
use wiresift_abi::command::{Command, Opcode};
use wiresift_abi::entry::{
    Entry, Kind, Ternary, kind_of, prefix_mask, tcam_halves, tcam_key_of, tcam_of_halves,
};
use wiresift_abi::geometry::Geometry;
use wiresift_abi::hash::{ROWS, Secret};
use wiresift_abi::vector::{self, HASHED_BITS, KEY_BITS, Key};

use crate::gate::Clocked;

/// `impl Clocked` for blocks with a port `clock`.
macro_rules! clocked {
    ($([$($generics:tt)*] $name:ty;)*) => {
        $(impl<$($generics)*> Clocked for $name {
            fn clock(&mut self) -> &mut Signal<In, Clock> {
                &mut self.clock
            }
        })*
    };
}
clocked! {
    [const A: usize, const B: usize] super::bank::Bank<A, B>;
    [const A: usize] super::compare::Compare<A>;
    [const A: usize, const B: usize] super::tcam::Tcam<A, B>;
    [const A: usize, const B: usize, const C: usize, const D: usize] super::Classifier<A, B, C, D>;
    [const A: usize, const B: usize, const C: usize, const D: usize] super::table::Table<A, B, C, D>;
    [] super::select::Pick;
    [] super::select::Merge;
    [] super::decode::Decode;
    [] super::sweep::Sweep;
    [] super::finish::Finish;
}

/// The low `N` bits (more than 32) of a line.
pub fn bits_of<const N: usize>(line: &Line) -> Bits<N> {
    let mut bits = [false; N];
    for (n, bit) in bits.iter_mut().enumerate().take(LINE_BITS) {
        *bit = line.0[n / 8] >> (n % 8) & 1 == 1;
    }
    Bits::Long(bits.into())
}

/// A line of random bits.
pub fn random_line(rng: &mut ChaCha8Rng) -> Line {
    Line(std::array::from_fn(|_| rng.random()))
}

/// What was put in `depth` calls ago.
pub struct Pipe<T> {
    queue: VecDeque<T>,
    depth: usize,
}

impl<T> Pipe<T> {
    /// An empty pipe.
    pub fn new(depth: usize) -> Self {
        Self { queue: VecDeque::new(), depth }
    }

    /// Puts a value in, and gives that of `depth` calls before, or `None` at first.
    pub fn shift(&mut self, value: T) -> Option<T> {
        self.queue.push_back(value);
        if self.queue.len() > self.depth { self.queue.pop_front() } else { None }
    }
}

impl<T> Pipe<Option<T>> {
    /// Forgets what is inside but for the value that is about to come out.
    pub fn forget(&mut self) {
        let keep = usize::from(self.queue.len() == self.depth);
        for value in self.queue.iter_mut().skip(keep) {
            *value = None;
        }
    }
}

/// An id, often one at the end of the range.
pub fn random_id(rng: &mut ChaCha8Rng) -> u32 {
    const MAX: u32 = (1 << super::layout::ID_BITS) - 1;
    match rng.random_range(0..4) {
        0 => *[0, 1, MAX - 1, MAX].choose(rng).unwrap(),
        _ => rng.random_range(0..=MAX),
    }
}

/// Random bits.
pub fn random_bits<const N: usize>(rng: &mut ChaCha8Rng) -> Bits<N> {
    bits_of(&random_line(rng))
}

/// Flips one bit of a field.
pub fn flip(line: &Line, field: Field, rng: &mut ChaCha8Rng) -> Line {
    line.with(field, line.get(field) ^ 1 << rng.random_range(0..field.bits))
}

/// Address with few different high parts, so that prefixes overlap.
fn address(rng: &mut ChaCha8Rng) -> u128 {
    let high = [0x0a00_0000u32, 0x0a01_0000, 0xc0a8_0101, 0xffff_ffff, 0].choose(rng).unwrap();
    let low = if rng.random() { 0 } else { rng.random::<u128>() >> 32 };
    u128::from(*high) << 96 | low
}

/// A header vector: fields of a rule, and garbage in the others.
pub fn random_vector(rng: &mut ChaCha8Rng) -> Line {
    let port = |rng: &mut ChaCha8Rng| *[0u16, 1, 53, 80, 443, 65534, 65535].choose(rng).unwrap();
    let (src, dst) = (address(rng), address(rng));
    let (sport, dport) = (port(rng), port(rng));
    random_line(rng)
        .with(vector::SRC, src)
        .with(vector::DST, dst)
        .with(vector::SPORT, sport.into())
        .with(vector::DPORT, dport.into())
        .with(vector::PROTO, [6, 17, 0, 255].choose(rng).copied().unwrap())
        .with(vector::CLASS, [5, 7, 69, 0].choose(rng).copied().unwrap())
        .with(vector::AUX, [2, 0x12, 0x800, 0].choose(rng).copied().unwrap())
}

/// An entry that matches the vector; its addresses are prefixes of at most `width` bits.
pub fn entry_for(vector: &Line, width: u32, kind: Kind, id: u32, rng: &mut ChaCha8Rng) -> Entry {
    let len = |rng: &mut ChaCha8Rng| match rng.random_range(0..6) {
        0 => 0,
        1 => 1,
        2 => width - 1,
        3 => width,
        _ => rng.random_range(0..=width),
    };
    let (src_mask, dst_mask) = (prefix_mask(len(rng)), prefix_mask(len(rng)));
    let range = |port: u128, rng: &mut ChaCha8Rng| {
        let port = port as u16;
        match rng.random_range(0..4) {
            0 => (0, 65535),
            1 => (port, port),
            2 => (port.saturating_sub(rng.random_range(0..3)), port),
            _ => (port, port.saturating_add(rng.random_range(0..3))),
        }
    };
    let mask = |rng: &mut ChaCha8Rng| match rng.random_range(0..3) {
        0 => 0,
        1 => u16::MAX,
        _ => rng.random(),
    };
    let (proto, class, aux) = (mask(rng) as u8, mask(rng) as u8, mask(rng));
    Entry {
        kind,
        id,
        src: Ternary { value: vector.get(vector::SRC) & src_mask, mask: src_mask },
        dst: Ternary { value: vector.get(vector::DST) & dst_mask, mask: dst_mask },
        sport: range(vector.get(vector::SPORT), rng),
        dport: range(vector.get(vector::DPORT), rng),
        proto: Ternary { value: vector.get(vector::PROTO) as u8 & proto, mask: proto },
        class: Ternary { value: vector.get(vector::CLASS) as u8 & class, mask: class },
        aux: Ternary { value: vector.get(vector::AUX) as u16 & aux, mask: aux },
    }
}

/// The vector, or one that differs from it in a little.
pub fn near(vector: &Line, rng: &mut ChaCha8Rng) -> Line {
    const FIELDS: [Field; 7] =
        [vector::SRC, vector::DST, vector::SPORT, vector::DPORT, vector::PROTO, vector::CLASS, vector::AUX];
    let field = *FIELDS.choose(rng).unwrap();
    match rng.random_range(0..4) {
        0 | 1 => *vector,
        2 => flip(vector, field, rng),
        _ => {
            let port = *[vector::SPORT, vector::DPORT].choose(rng).unwrap();
            let by = if rng.random() { 1 } else { u128::MAX };
            vector.with(port, vector.get(port).wrapping_add(by))
        }
    }
}

/// What a packet is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// First ACL rule.
    pub acl: Option<u32>,
    /// Ids of signatures, sorted.
    pub ids: Vec<u32>,
    /// More than may be reported.
    pub cut: bool,
}

/// The tables as the contract describes them.
pub struct Model {
    geometry: Geometry,
    secret: Secret,
    masks: Vec<Key>,
    /// By table, bucket, slot of both ways.
    slots: Vec<Vec<Vec<Line>>>,
    low: Line,
    /// Ternary key of each TCAM entry, once it has one.
    keys: Vec<Option<(Line, Line)>>,
    entries: Vec<Line>,
    /// Version in force.
    pub version: u16,
}

impl Model {
    /// Empty tables.
    pub fn new(geometry: &Geometry) -> Self {
        let table = |table: usize| {
            vec![vec![Line::default(); 2 * geometry.bucket_slots]; 1 << geometry.buckets_log2(table)]
        };
        Self {
            geometry: *geometry,
            secret: Secret([Key::default(); ROWS]),
            masks: vec![Key::default(); geometry.tables()],
            slots: (0..geometry.tables()).map(table).collect(),
            low: Line::default(),
            keys: vec![None; geometry.tcam_entries],
            entries: vec![Line::default(); geometry.tcam_entries],
            version: 0,
        }
    }

    /// Applies a command; a bad one changes nothing and gives `false`.
    pub fn apply(&mut self, line: &Line) -> bool {
        let Ok(command) = Command::from_line(line, &self.geometry) else { return false };
        let (table, slot, index) =
            (usize::from(command.table), usize::from(command.slot), usize::from(command.index));
        match command.opcode {
            Opcode::Clear => {
                let keys = std::mem::take(&mut self.keys);
                let Self { low, secret, version, .. } = *self;
                *self = Self { low, keys, secret, version, ..Self::new(&self.geometry) };
            }
            Opcode::WriteSlot => self.slots[table][index][slot] = command.data,
            Opcode::WriteMask => self.masks[table] = hashed(&command.data),
            Opcode::WriteSecret => self.secret.0[index] = hashed(&command.data),
            Opcode::WriteTcamLow => self.low = command.data,
            Opcode::WriteTcamHigh => self.keys[index] = Some(tcam_of_halves(&[self.low, command.data])),
            Opcode::WriteTcamEntry => self.entries[index] = command.data,
            Opcode::Commit => self.version = command.index,
            // Not of the classifier.
            Opcode::WriteWindowSecret
            | Opcode::WriteFilter
            | Opcode::WriteWindow
            | Opcode::WritePattern
            | Opcode::WriteHeader
            | Opcode::WriteShort => {}
        }
        true
    }

    /// The two buckets of a vector in a table.
    pub fn buckets(&self, table: usize, vector: &Line) -> [usize; 2] {
        let mut mask = self.masks[table];
        if self.geometry.is_narrow(table) {
            let no_low = !(u128::MAX >> 32);
            let line = mask.to_line();
            mask = Key::of(
                &line
                    .with(vector::SRC, line.get(vector::SRC) & no_low)
                    .with(vector::DST, line.get(vector::DST) & no_low),
            );
        }
        let masked = Key::of(vector).and(&mask);
        [0, 1].map(|way| self.secret.bucket(&masked, way, self.geometry.buckets_log2(table)))
    }

    /// What the card must answer for a vector.
    pub fn classify(&self, vector: &Line) -> Expected {
        let mut expected = Expected { acl: None, ids: Vec::new(), cut: false };
        let slots = self.geometry.bucket_slots;
        for table in 0..self.geometry.tables() {
            let narrow = self.geometry.is_narrow(table);
            let found: Vec<_> = self
                .buckets(table, vector)
                .into_iter()
                .enumerate()
                .flat_map(|(way, bucket)| self.slots[table][bucket][way * slots..][..slots].iter())
                .filter_map(|slot| Entry::from_slot(slot, narrow))
                .filter(|entry| entry.matches(vector))
                .map(|entry| (entry.kind, entry.id))
                .collect();
            expected.add(&found);
        }
        let key = tcam_key_of(vector);
        for (group, entries) in self.entries.chunks(2 * slots).enumerate() {
            let found: Vec<_> = entries
                .iter()
                .enumerate()
                .filter(|(n, entry)| self.tcam_hit(group * 2 * slots + n, entry, &key, vector))
                .filter_map(|(_, entry)| Some((kind_of(entry.get(wiresift_abi::entry::KIND))?, id_of(entry))))
                .collect();
            expected.add(&found);
        }
        expected.cut |= expected.ids.len() > wiresift_abi::c2h::IDS_MAX;
        expected.ids.sort_unstable();
        expected
    }

    fn tcam_hit(&self, n: usize, entry: &Line, key: &Line, vector: &Line) -> bool {
        use wiresift_abi::entry::{DPORT_HI, DPORT_LO, SPORT_HI, SPORT_LO};
        let in_range = |port, lo, hi| (entry.get(lo)..=entry.get(hi)).contains(&vector.get(port));
        let agrees = |(value, mask): &(Line, Line)| {
            key.0.iter().zip(&mask.0).zip(&value.0).all(|((key, mask), value)| key & mask == *value)
        };
        self.keys[n].as_ref().is_some_and(agrees)
            && in_range(vector::SPORT, SPORT_LO, SPORT_HI)
            && in_range(vector::DPORT, DPORT_LO, DPORT_HI)
    }
}

impl Expected {
    /// Adds what one table, or one group of TCAM entries, found.
    fn add(&mut self, found: &[(Kind, u32)]) {
        let ids = |kind: Kind| found.iter().filter(move |(k, _)| *k == kind).map(|(_, id)| *id);
        self.acl = ids(Kind::Acl).chain(self.acl).min();
        self.cut |= ids(Kind::Signature).count() > super::layout::PICKED_MAX;
        self.ids.extend(ids(Kind::Signature));
    }
}

fn id_of(entry: &Line) -> u32 {
    entry.get(wiresift_abi::entry::ID) as u32
}

/// The low bits that are hashed, as a key.
fn hashed(data: &Line) -> Key {
    let mut key = Key::of(data);
    for bit in HASHED_BITS..KEY_BITS {
        key.0[bit / 64] &= !(1 << (bit % 64));
    }
    key
}

/// Whether no element may come in behind a command until the card says `cleared`.
pub fn is_slow(line: &Line) -> bool {
    let opcode = line.get(wiresift_abi::command::OPCODE);
    [Opcode::Clear, Opcode::WriteSecret, Opcode::WriteTcamHigh].iter().any(|slow| *slow as u128 == opcode)
}

/// The commands that give TCAM place `n` a key.
pub fn key_commands(n: u16, key: &(Line, Line)) -> [Line; 2] {
    let [low, high] = tcam_halves(key);
    [(Opcode::WriteTcamLow, 0, low), (Opcode::WriteTcamHigh, n, high)]
        .map(|(opcode, index, data)| Command { data, ..Command::new(opcode, index) }.to_line())
}

/// Commands that fill the places of the TCAM: a key, then the entry.
pub fn tcam_commands(entries: &[Entry]) -> Vec<Line> {
    let mut lines = Vec::new();
    for (n, entry) in entries.iter().enumerate() {
        lines.extend(key_commands(n as u16, &entry.tcam_key()));
        lines.push(entry_command(n as u16, entry));
    }
    lines
}

/// The command that writes what TCAM place `n` keeps beside its key.
pub fn entry_command(n: u16, entry: &Entry) -> Line {
    Command { data: entry.to_tcam(), ..Command::new(Opcode::WriteTcamEntry, n) }.to_line()
}

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::{BTreeMap, BTreeSet};

use rand::Rng;
use wiresift_abi::bits::Line;
use wiresift_abi::command::{Command, Opcode};
use wiresift_abi::entry::{self, Entry, Kind};
use wiresift_abi::geometry::{LAB, LINE, WAYS};
use wiresift_abi::vector::{self, Class};

use super::testing::{Random, classbench, corpus};
use super::*;
use crate::rules::model::{AclRule, AddressList, AddressRange, Origin, PortList};

/// What a rule says: ACL or signature, and its number.
pub(super) type Match = (Kind, u32);

/// The card's look-up, written after the contract alone: slow, and fed with the image's commands.
pub(super) struct Card {
    geometry: &'static Geometry,
    secret: Secret,
    pub masks: BTreeMap<usize, Key>,
    /// Slots in use, by table, slot and bucket.
    pub slots: BTreeMap<(usize, usize, usize), Line>,
    low: Line,
    keys: BTreeMap<u16, (Line, Line)>,
    /// TCAM entries in use.
    pub tcam: BTreeMap<u16, Line>,
    pub version: u16,
}

impl Card {
    pub fn new(image: &Image) -> Self {
        let mut card = Self {
            geometry: image.geometry(),
            secret: Secret([Key::default(); ROWS]),
            masks: BTreeMap::new(),
            slots: BTreeMap::new(),
            low: Line::default(),
            keys: BTreeMap::new(),
            tcam: BTreeMap::new(),
            version: 0,
        };
        let mut written = 0;
        for command in image.commands() {
            written += usize::from(command.opcode == Opcode::WriteSlot);
            card.run(&command);
        }
        assert_eq!(written, card.slots.len(), "two entries for one slot, or an empty one");
        card
    }

    /// Runs a command. Data of zeros empties a place.
    pub fn run(&mut self, command: &Command) {
        let Command { data, .. } = *command;
        let (table, slot, index) =
            (usize::from(command.table), usize::from(command.slot), usize::from(command.index));
        match command.opcode {
            Opcode::Clear => {
                (self.masks, self.slots, self.tcam) = Default::default();
            }
            Opcode::Commit => self.version = command.index,
            Opcode::WriteWindowSecret
            | Opcode::WriteFilter
            | Opcode::WriteWindow
            | Opcode::WritePattern
            | Opcode::WriteHeader
            | Opcode::WriteShort => {
                panic!("a command of the payload matcher")
            }
            Opcode::WriteSecret => self.secret.0[index] = Key::of(&data),
            Opcode::WriteMask => {
                let is_empty = self.slots.range((table, 0, 0)..(table + 1, 0, 0)).next().is_none();
                assert!(is_empty, "a mask for table {table}, which has entries");
                self.masks.insert(table, Key::of(&data));
            }
            Opcode::WriteSlot if data == Line::default() => {
                self.slots.remove(&(table, slot, index));
            }
            Opcode::WriteSlot => drop(self.slots.insert((table, slot, index), data)),
            Opcode::WriteTcamLow => self.low = data,
            Opcode::WriteTcamHigh => {
                assert!(!self.tcam.contains_key(&command.index), "a key for an entry in use");
                let key = entry::tcam_of_halves(&[self.low, data]);
                self.keys.insert(command.index, key);
            }
            Opcode::WriteTcamEntry if data == Line::default() => {
                self.tcam.remove(&command.index);
            }
            Opcode::WriteTcamEntry => drop(self.tcam.insert(command.index, data)),
        }
    }

    pub fn matches(&self, vector: &Line) -> BTreeSet<Match> {
        let mut found = BTreeSet::new();
        for table in 0..self.geometry.tables() {
            let masked = Key::of(vector).and(self.masks.get(&table).unwrap_or(&Key::default()));
            for way in 0..WAYS {
                let bucket = self.secret.bucket(&masked, way, self.geometry.buckets_log2(table));
                for slot in 0..self.geometry.bucket_slots {
                    let place = (table, way * self.geometry.bucket_slots + slot, bucket);
                    let narrow = self.geometry.is_narrow(table);
                    let entry = self.slots.get(&place).and_then(|line| Entry::from_slot(line, narrow));
                    found.extend(entry.filter(|entry| entry.matches(vector)).map(|e| (e.kind, e.id)));
                }
            }
        }
        found.extend(self.tcam_matches(vector));
        found
    }

    fn tcam_matches(&self, vector: &Line) -> impl Iterator<Item = Match> {
        let key = entry::tcam_key_of(vector);
        let (sport, dport) = (vector.get(vector::SPORT), vector.get(vector::DPORT));
        let entries = self.tcam.iter().filter(move |(index, line)| {
            let (value, mask) = &self.keys[*index];
            key.0.iter().zip(&mask.0).zip(&value.0).all(|((key, mask), value)| key & mask == *value)
                && (line.get(entry::SPORT_LO)..=line.get(entry::SPORT_HI)).contains(&sport)
                && (line.get(entry::DPORT_LO)..=line.get(entry::DPORT_HI)).contains(&dport)
        });
        entries.map(|(_, line)| {
            (entry::kind_of(line.get(entry::KIND)).expect("a kind"), line.get(entry::ID) as u32)
        })
    }
}

/// What the entries say when each is tried: of the ACL rules the first only, which is what counts.
pub(super) fn linear(entries: &[Entry], vector: &Line) -> BTreeSet<Match> {
    first_acl(entries.iter().filter(|entry| entry.matches(vector)).map(|e| (e.kind, e.id)).collect())
}

pub(super) fn first_acl(mut matches: BTreeSet<Match>) -> BTreeSet<Match> {
    let first = matches.iter().find(|(kind, _)| *kind == Kind::Acl).copied();
    matches.retain(|found| found.0 == Kind::Signature || Some(*found) == first);
    matches
}

pub(super) fn random(seed: u64) -> Random {
    Random(ChaCha8Rng::seed_from_u64(seed))
}

/// A header vector that hits many of the rules of [`Random`].
pub(super) fn vector(random: &mut Random) -> Line {
    let v6 = random.0.random_bool(0.5);
    let mut address = || if v6 { random.address6() } else { u128::from(random.address4()) << 96 };
    let (src, dst) = (address(), address());
    let ports = random.0.random_bool(0.8);
    let port = |random: &mut Random| if ports { random.0.random_range(76..90) } else { 0 };
    let has_aux = random.0.random_bool(0.8);
    let aux = if has_aux { [0, 0x02, 0x12, 0x0803][random.0.random_range(0..4)] } else { 0 };
    let mut class = Class::IP | if v6 { Class::IPV6 } else { 0 } | if ports { Class::PORTS } else { 0 };
    class |= if has_aux { Class::AUX } else { 0 };
    class |= random.0.random::<u8>() & (Class::VLAN | Class::FRAGMENT | Class::LATER_FRAGMENT);
    Line::default()
        .with(vector::SRC, src)
        .with(vector::DST, dst)
        .with(vector::SPORT, port(random))
        .with(vector::DPORT, port(random))
        .with(vector::PROTO, [6, 17, 1, 58][random.0.random_range(0..4)])
        .with(vector::CLASS, class.into())
        .with(vector::AUX, aux)
}

/// Checks that every entry is found by a key of its own, and that the tables say what the entries say.
fn check(rules: &RuleSet, compiled: &Compiled, random: &mut Random) {
    let card = Card::new(&compiled.image);
    let entries = Expanded::new(rules, compiled.image.geometry()).unwrap().entries;
    // An entry that no mask is left for is cut into pieces, which `lab` has few masks against.
    let in_pieces = compiled.report.entries - entries.len();
    assert_eq!(
        (card.slots.len() + card.tcam.len(), in_pieces > 0),
        (compiled.report.entries, compiled.report.cut > 0)
    );
    for entry in &entries {
        let found = card.matches(&own_vector(entry));
        assert!(found.contains(&(entry.kind, entry.id)), "{entry:?}");
    }
    for _ in 0..200 {
        let vector = vector(random);
        assert_eq!(first_acl(card.matches(&vector)), linear(&entries, &vector));
    }
}

pub(super) fn own_vector(entry: &Entry) -> Line {
    Line::default()
        .with(vector::SRC, entry.src.value)
        .with(vector::DST, entry.dst.value)
        .with(vector::SPORT, entry.sport.1.into())
        .with(vector::DPORT, entry.dport.0.into())
        .with(vector::PROTO, entry.proto.value.into())
        .with(vector::CLASS, entry.class.value.into())
        .with(vector::AUX, entry.aux.value.into())
}

const SEED: Options = Options { seed: Some(7) };

#[test]
fn tables_say_what_the_entries_say() {
    let mut in_lab = 0;
    for seed in 0..12 {
        let mut random = random(seed);
        let small = random.rules(seed as usize, 2);
        let large = random.rules(8 * seed as usize, 20);
        for (rules, geometry) in [(&small, &LAB), (&small, &LINE), (&large, &LINE)] {
            match compile(rules, geometry, &SEED) {
                Ok(compiled) => {
                    check(rules, &compiled, &mut random);
                    in_lab += usize::from(*geometry == LAB);
                }
                // One negated address takes up to 128 entries that share few keys.
                Err(CompileError::DoesNotFit(_)) if *geometry == LAB => {}
                Err(error) => panic!("seed {seed}, {}: {error}", geometry.name),
            }
        }
    }
    assert!(in_lab > 3, "{in_lab} sets fitted `lab`");
}

/// Rules that match every packet with ports and differ in ranges that no mask can use.
pub(super) fn wildcards(count: u16) -> RuleSet {
    let mut rules = random(1).rules(1, 0);
    let condition = &mut rules.acl[0].condition;
    condition.family = crate::rules::model::Family::V4;
    condition.protocols = vec![(0, 0)];
    let all = AddressRange { first: [0; 4].into(), last: [255; 4].into() };
    condition.src.include = vec![all];
    condition.src.exclude.clear();
    condition.dst = condition.src.clone();
    let one = rules.acl.remove(0);
    for n in 0..count {
        let mut condition = one.condition.clone();
        condition.sport = PortList::Any;
        condition.dport = PortList::Ports { include: vec![70..=80 + n], exclude: vec![] };
        let origin = Origin { file: "wild".to_owned(), line: u32::from(n) + 1 };
        rules.acl.push(AclRule { condition, origin, action: one.action });
    }
    rules
}

#[test]
fn entries_of_one_key_fill_its_buckets_and_then_the_tcam() {
    let room = LAB.tables() * WAYS * LAB.bucket_slots + LAB.tcam_entries;
    let compiled = compile(&wildcards(room as u16), &LAB, &SEED).unwrap();
    assert_eq!(compiled.report.tcam, LAB.tcam_entries);
    check(&wildcards(room as u16), &compiled, &mut random(3));
    let Err(CompileError::DoesNotFit(error)) = compile(&wildcards(room as u16 + 1), &LAB, &SEED) else {
        panic!("more entries of one key than the card holds were compiled");
    };
    assert_eq!((error.left, error.tcam, error.fits), (LAB.tcam_entries + 1, LAB.tcam_entries, Some("line")));
    assert_eq!(error.rules.len(), RULES_NAMED);
    let text = error.to_string();
    assert!(text.contains("geometry `lab`") && text.contains(" wild:"), "{text}");
}

#[test]
fn entries_that_move_to_make_room_are_still_found() {
    let mut random = random(13);
    let mut rules = wildcards(1);
    let one = rules.acl.remove(0);
    // More than the slots that are free at the first try: two of three buckets are full in the end.
    let slots: usize = (0..LAB.tables()).map(|table| LAB.slots(table)).sum();
    for line in 1..=slots as u32 * 3 / 4 {
        let mut rule = one.clone();
        let mut address = || AddressList { include: vec![host(random.0.random())], exclude: vec![] };
        (rule.condition.src, rule.condition.dst) = (address(), address());
        rule.origin.line = line;
        rules.acl.push(rule);
    }
    let compiled = compile(&rules, &LAB, &SEED).unwrap();
    assert_eq!(compiled.report.tcam, 0);
    let card = Card::new(&compiled.image);
    for entry in Expanded::new(&rules, &LAB).unwrap().entries {
        assert!(card.matches(&own_vector(&entry)).contains(&(entry.kind, entry.id)), "{entry:?}");
    }
}

fn host(address: u32) -> AddressRange {
    let address = address.to_be_bytes().into();
    AddressRange { first: address, last: address }
}

#[test]
fn more_entries_than_slots_are_an_error_before_anything_is_placed() {
    let mut rules = random(1).rules(0, 0);
    let mut one = wildcards(1).acl.remove(0);
    one.condition.src.include = (0..300u16)
        .flat_map(|n| {
            let [high, low] = (2 * n + 1).to_be_bytes();
            let address = [10, 0, high, low].into();
            [AddressRange { first: address, last: address }]
        })
        .collect();
    one.condition.dst = one.condition.src.clone();
    for dport in 0..100 {
        one.condition.dport = PortList::Ports { include: vec![dport..=dport], exclude: vec![] };
        one.origin.line = u32::from(dport) + 1;
        rules.acl.push(one.clone());
    }
    let error = compile(&rules, &LINE, &SEED).unwrap_err();
    assert!(matches!(error, CompileError::RuleTooLarge { count: 90_000, .. }), "{error}");
    for rule in &mut rules.acl {
        rule.condition.src.include.truncate(200);
    }
    let error = compile(&rules, &LINE, &SEED).unwrap_err();
    assert!(matches!(error, CompileError::NoRoom { entries: 6_000_000, .. }), "{error}");
    assert!(error.to_string().contains("wild:6"), "{error}");
}

#[test]
fn signatures_with_one_condition_share_a_header() {
    let mut rules = random(5).rules(0, 3);
    for signature in &mut rules.signatures {
        signature.class = RuleClass::Exact;
        signature.bidirectional = false;
    }
    rules.signatures[2].condition = rules.signatures[0].condition.clone();
    let compiled = compile(&rules, &LINE, &SEED).unwrap();
    assert_eq!(compiled.metadata.headers, [vec![0, 2], vec![1]]);
    assert_eq!(metadata(&compiled.image).unwrap(), compiled.metadata);
    rules.signatures[0].class = RuleClass::Refused("pcre".to_owned());
    let compiled = compile(&rules, &LINE, &SEED).unwrap();
    assert_eq!(compiled.metadata.headers, [vec![1], vec![2]]);
    assert_eq!((compiled.report.evaluated, compiled.report.signatures), (2, 3));
}

#[test]
fn a_rule_that_no_packet_satisfies_is_reported() {
    let mut rules = wildcards(2);
    rules.acl[1].condition.dport = PortList::Ports { include: vec![80..=80], exclude: vec![0..=100] };
    let compiled = compile(&rules, &LAB, &SEED).unwrap();
    assert_eq!(compiled.report.never, [rules.acl[1].origin.clone()]);
    assert_eq!(compiled.metadata.acl.len(), 2);
}

#[test]
fn a_seed_gives_one_image_and_no_seed_another_secret_each_time() {
    let rules = random(9).rules(40, 20);
    let image = |options: &Options| compile(&rules, &LINE, options).unwrap().image;
    assert_eq!(image(&SEED).to_bytes(), image(&SEED).to_bytes());
    assert_ne!(image(&SEED), image(&Options { seed: Some(8) }));
    assert_ne!(image(&Options::default()), image(&Options::default()));
}

#[test]
fn no_rules_are_an_image() {
    let compiled = compile(&RuleSet::default(), &LAB, &SEED).unwrap();
    assert_eq!(Image::from_bytes(&compiled.image.to_bytes()).as_ref(), Ok(&compiled.image));
    assert_eq!((compiled.report.entries, compiled.report.tables.len()), (0, 0));
}

#[test]
fn classbench_sets_fit_line_and_are_found() {
    let Some(corpus) = corpus() else { return };
    for (name, acl_rules) in [
        ("acl1_1k", 936),
        ("fw1_1k", 891),
        ("ipc1_1k", 979),
        ("acl1_10k", 9755),
        ("fw1_10k", 9770),
        ("ipc1_10k", 9565),
    ] {
        let rules = classbench(&corpus, name);
        let compiled = compile(&rules, &LINE, &SEED).unwrap_or_else(|error| panic!("{name}: {error}"));
        let report = &compiled.report;
        assert_eq!((report.acl_rules, report.entries + report.shadowed), (acl_rules, acl_rules), "{name}");
        let card = Card::new(&compiled.image);
        for entry in Expanded::new(&rules, &LINE).unwrap().entries.iter().step_by(7) {
            assert!(card.matches(&own_vector(entry)).contains(&(entry.kind, entry.id)), "{name} {entry:?}");
        }
    }
}

#[test]
fn classbench_sets_that_are_too_large_for_lab_say_so() {
    let Some(corpus) = corpus() else { return };
    let mut half = classbench(&corpus, "acl1_1k");
    half.acl.truncate(400);
    check(&half, &compile(&half, &LAB, &SEED).unwrap(), &mut random(4));
    for name in ["fw1_1k", "ipc1_1k"] {
        let error = compile(&classbench(&corpus, name), &LAB, &SEED).unwrap_err();
        let CompileError::DoesNotFit(error) = error else { panic!("{error}") };
        assert!(error.left > error.tcam && error.fits == Some("line"), "{error}");
        assert!(error.rules[0].file.contains(name) && error.rules[0].line > 0, "{error}");
    }
}

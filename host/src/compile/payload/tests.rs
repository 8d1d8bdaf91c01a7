#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use wiresift_abi::entry::{self, Kind};
use wiresift_abi::geometry::{LAB, LINE};
use wiresift_abi::payload::headers::{HEADER_HALF_BITS, HEADER_LSB};
use wiresift_abi::payload::{CLASS, FIRST, MORE, TAG, USED, header_list_field, place, probe};
use wiresift_abi::vector;

use super::*;
use crate::compile::live::Live;
use crate::compile::{Options, compile};
use crate::engine::host::sought_pattern;
use crate::rules::load::parse_sources;
use crate::rules::model::RuleSet;
use crate::rules::source::Source;

fn rules(contents: &[String]) -> RuleSet {
    let mut text = String::new();
    for (n, content) in contents.iter().enumerate() {
        writeln!(text, "alert tcp any any -> any any (content:{content}; sid:{};)", n + 1).unwrap();
    }
    parse_sources(&[Source::new("test.rules", text.as_bytes())], &BTreeMap::new()).unwrap()
}

/// Bytes as a content writes them.
fn content(bytes: &[u8]) -> String {
    let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("\"|{}|\"", hex.join(" "))
}

fn random(rng: &mut ChaCha8Rng, count: usize) -> Vec<String> {
    let lengths = [1, 2, 3, 4, 5, 7, 8, 9, 12, 17, 30, 300];
    let one = |rng: &mut ChaCha8Rng| {
        let length = *lengths.choose(rng).unwrap();
        let bytes: Vec<u8> = (0..length).map(|_| rng.random_range(b'A'..b'z')).collect();
        content(&bytes) + if rng.random() { "; nocase" } else { "" }
    };
    (0..count).map(|_| one(rng)).collect()
}

/// The card's payload matcher after the contract alone: slow, and fed with commands.
#[derive(Default)]
struct SoftCard {
    memory: BTreeMap<(u8, u8, u8, u16), Line>,
}

impl SoftCard {
    fn run(&mut self, lines: &[Line], geometry: &Geometry) {
        for line in lines {
            let command = Command::from_line(line, geometry).unwrap();
            self.memory
                .insert((command.opcode as u8, command.table, command.slot, command.index), command.data);
        }
    }

    fn read(&self, opcode: Opcode, table: u8, slot: u8, index: usize) -> Line {
        self.memory.get(&(opcode as u8, table, slot, index as u16)).copied().unwrap_or_default()
    }

    fn hits(&self, packet: &[u8], geometry: &Geometry) -> BTreeSet<u32> {
        let sizes = &geometry.payload;
        let word = |line: Line| u64::from_le_bytes(line.0[..8].try_into().unwrap());
        let row = |row: usize| word(self.read(Opcode::WriteWindowSecret, 0, 0, row));
        let secret = Secret(std::array::from_fn(row));
        let mut hits = BTreeSet::new();
        for class in CLASSES {
            for end in class.bytes()..=packet.len() {
                let hash = secret.hash(&packet[end - class.bytes()..end], sizes.hash_bits);
                let survives = memories(class, sizes).all(|memory| {
                    let (at, bits) = probe(hash, memory, sizes);
                    let word = word(self.read(Opcode::WriteFilter, memory as u8, 0, at));
                    bits.iter().all(|bit| word >> bit & 1 == 1)
                });
                let (buckets, tag) = place(hash, sizes);
                let slots =
                    (0..2).map(|way| self.read(Opcode::WriteWindow, 0, way, buckets[usize::from(way)]));
                let found = slots.into_iter().find(|slot| {
                    let is = |field, value: u128| slot.get(field) == value;
                    is(USED, 1) && is(CLASS, class as u128) && is(TAG, tag.into())
                });
                let Some(slot) = found.filter(|_| survives) else { continue };
                let first = slot.get(FIRST) as u32;
                hits.extend(
                    (first..=first + slot.get(MORE) as u32)
                        .filter(|number| self.agrees(*number, packet, end, geometry)),
                );
            }
        }
        hits
    }

    /// The presence bits of a packet.
    fn presence(&self, packet: &[u8], geometry: &Geometry) -> BTreeSet<u16> {
        let pairs = packet.windows(2).map(|pair| (pair[0], pair[1]));
        pairs.flat_map(|(first, last)| self.present(first, last, geometry)).collect()
    }

    /// The presence bits that these two bytes set.
    fn present(&self, first: u8, last: u8, geometry: &Geometry) -> Vec<u16> {
        let row = |byte: u8| self.read(Opcode::WriteShort, 0, 0, byte.into());
        let (begins, ends, count) = (row(first), row(last), geometry.payload.short_patterns);
        let has = |row: &Line, bit: usize| row.0[bit / 8] >> (bit % 8) & 1 == 1;
        (0..count).filter(|bit| has(&begins, *bit) && has(&ends, count + bit)).map(|bit| bit as u16).collect()
    }

    /// What the header list of a pattern asks for; `None` where it has none.
    fn headers(&self, number: u32, geometry: &Geometry) -> Option<BTreeSet<Vec<u8>>> {
        let pattern = self.read(Opcode::WritePattern, 0, 0, number as usize);
        let list = pattern.get(header_list_field(&geometry.payload)) as usize;
        let header = |n: usize| {
            let halves = [2 * n, 2 * n + 1].map(|slot| self.read(Opcode::WriteHeader, 0, slot as u8, list));
            let bytes = HEADER_HALF_BITS / 8;
            halves.iter().flat_map(|half| half.0[..bytes].to_vec()).collect()
        };
        (list > 0).then(|| (0..geometry.payload.headers_a_list).map(header).collect())
    }

    /// Whether a pattern is reported for packets with that header vector.
    fn lets_through(&self, number: u32, vector: &Line, geometry: &Geometry) -> bool {
        let Some(headers) = self.headers(number, geometry) else { return true };
        headers.into_iter().any(|header| {
            let mut slot = Line::default();
            slot.0[HEADER_LSB / 8..][..header.len()].copy_from_slice(&header);
            let slot = slot.with(entry::KIND, Kind::Signature as u128);
            Entry::from_slot(&slot, true).is_some_and(|entry| entry.matches(vector))
        })
    }

    fn agrees(&self, number: u32, packet: &[u8], end: usize, geometry: &Geometry) -> bool {
        let sizes = &geometry.payload;
        let pattern = self.read(Opcode::WritePattern, 0, 0, number as usize);
        (0..sizes.region_bytes).all(|at| {
            let mode = pattern.0[sizes.region_bytes + at / 4] >> (at % 4 * 2) & 3;
            let byte = (end + at).checked_sub(sizes.region_bytes - sizes.region_after);
            let byte = byte.and_then(|at| packet.get(at)).map(|byte| byte ^ pattern.0[at]);
            match mode {
                0 => true,
                1 => byte == Some(0),
                _ => byte.is_some_and(|byte| byte & !0x20 == 0),
            }
        })
    }
}

/// A payload full of patterns, or nearly so.
fn payload(rng: &mut ChaCha8Rng, metadata: &Metadata) -> Vec<u8> {
    let mut payload = Vec::new();
    for _ in 0..rng.random_range(0..12) {
        let signature = metadata.signatures.choose(rng).unwrap();
        let mut bytes = sought_pattern(signature).unwrap().bytes.to_vec();
        match rng.random_range(0..4) {
            0 => bytes.make_ascii_lowercase(),
            1 => bytes[0] ^= 1,
            2 => payload.extend((0..rng.random_range(0..30)).map(|_| rng.random::<u8>())),
            _ => {}
        }
        payload.extend(bytes);
    }
    payload
}

/// Every pattern that the metadata says is on the card is found wherever it is in a packet.
fn finds_all(card: &SoftCard, metadata: &Metadata, geometry: &Geometry, rng: &mut ChaCha8Rng) {
    for _ in 0..60 {
        let payload = payload(rng, metadata);
        let hits = card.hits(&payload, geometry);
        let numbers: BTreeSet<u32> = metadata.rule_groups.iter().map(|group| group.number).collect();
        assert!(hits.is_subset(&numbers));
        for RuleGroup { number, signatures } in &metadata.rule_groups {
            if is_in(&payload, metadata, signatures[0]) {
                assert!(hits.contains(number), "{number} in {payload:02x?}");
            }
        }
        // Something is always in front of a payload.
        let presence = card.presence(&[&[0], &payload[..]].concat(), geometry);
        let short = metadata.short_patterns.iter();
        let short: BTreeSet<u16> =
            short.filter(|(_, place)| is_in(&payload, metadata, *place)).map(|(bit, _)| *bit).collect();
        assert_eq!(presence, short, "{payload:02x?}");
    }
}

/// Whether the pattern of a signature is in a payload.
fn is_in(payload: &[u8], metadata: &Metadata, place: u32) -> bool {
    let pattern = sought_pattern(&metadata.signatures[place as usize]).unwrap();
    let alike = |window: &[u8]| {
        if pattern.nocase { window.eq_ignore_ascii_case(pattern.bytes) } else { window == pattern.bytes }
    };
    payload.windows(pattern.bytes.len()).any(alike)
}

/// The card sets the presence bits that the metadata names where their patterns are, and no others anywhere.
fn tells_short_patterns_exactly(card: &SoftCard, metadata: &Metadata, geometry: &Geometry) {
    for (first, last) in (0..=u8::MAX).flat_map(|first| (0..=u8::MAX).map(move |last| (first, last))) {
        let is_there = |place: u32| {
            let length = sought_pattern(&metadata.signatures[place as usize]).unwrap().bytes.len();
            is_in(&[first, last][2 - length..], metadata, place)
        };
        let wanted = metadata.short_patterns.iter().filter(|(_, place)| is_there(*place));
        let wanted: Vec<u16> = wanted.map(|(bit, _)| *bit).collect();
        assert_eq!(card.present(first, last, geometry), wanted, "{first:02x} {last:02x}");
    }
}

#[test]
fn the_card_finds_every_pattern_that_the_metadata_says_it_has() {
    let mut rng = ChaCha8Rng::seed_from_u64(31);
    for (geometry, count) in [(&LAB, 300), (&LAB, 1200), (&LINE, 800)] {
        let rules = rules(&random(&mut rng, count));
        let compiled = compile(&rules, geometry, &Options { seed: Some(3) }).unwrap();
        let PayloadReport { patterns, groups, groups_total, joined, short, short_total, left, .. } =
            compiled.report.payload;
        assert_eq!(patterns + short + left.no_bit + left.hot + left.no_room, compiled.report.patterns);
        // All have one header.
        assert_eq!((patterns, groups, joined), (groups, compiled.metadata.rule_groups.len(), 0));
        assert_eq!(short, compiled.metadata.short_patterns.len());
        assert_eq!((short, short_total), (geometry.payload.short_patterns, geometry.payload.short_patterns));
        assert!(left.no_bit > 0 && patterns * 2 > count.min(groups_total), "{:?}", compiled.report.payload);
        let mut card = SoftCard::default();
        card.run(compiled.image.lines(), geometry);
        finds_all(&card, &compiled.metadata, geometry, &mut rng);
        tells_short_patterns_exactly(&card, &compiled.metadata, geometry);
    }
}

#[test]
fn rules_that_change_keep_the_patterns_that_stay_where_they_are() {
    let mut rng = ChaCha8Rng::seed_from_u64(32);
    let mut contents = random(&mut rng, 200);
    let mut live = Live::new(&rules(&contents), &LAB, &Options { seed: Some(4) }).unwrap();
    let mut card = SoftCard::default();
    card.run(live.image().unwrap().lines(), &LAB);
    finds_all(&card, live.metadata(), &LAB, &mut rng);
    for round in 0..20 {
        contents.remove(rng.random_range(0..contents.len()));
        contents.insert(rng.random_range(0..contents.len()), random(&mut rng, 1).remove(0));
        let update = live.update(&rules(&contents)).unwrap();
        // Any byte may stand in front of a pattern of one, so that changes every row.
        let opcodes = update.commands.iter().map(|line| Command::from_line(line, &LAB).unwrap().opcode);
        let (rows, others): (Vec<Opcode>, Vec<Opcode>) =
            opcodes.partition(|opcode| *opcode == Opcode::WriteShort);
        assert!(rows.len() <= 256 && others.len() < 30, "{} and {} commands", rows.len(), others.len());
        card.run(&update.commands, &LAB);
        finds_all(&card, live.metadata(), &LAB, &mut rng);
        tells_short_patterns_exactly(&card, live.metadata(), &LAB);
        // As a card that is loaded with the rules in force finds them.
        let mut fresh = SoftCard::default();
        fresh.run(live.image().unwrap().lines(), &LAB);
        let payload = payload(&mut rng, live.metadata());
        assert_eq!(card.hits(&payload, &LAB), fresh.hits(&payload, &LAB), "round {round}");
        assert_eq!(card.presence(&payload, &LAB), fresh.presence(&payload, &LAB), "round {round}");
    }
}

#[test]
fn patterns_come_to_a_card_without_any_and_go_again() {
    let mut rng = ChaCha8Rng::seed_from_u64(33);
    let mut live = Live::new(&rules(&[]), &LAB, &Options { seed: Some(5) }).unwrap();
    let image = live.image().unwrap();
    assert!(image.commands().all(|command| (command.opcode as u8) < Opcode::WriteWindowSecret as u8));
    let mut card = SoftCard::default();
    for count in [40, 0, 7] {
        let update = live.update(&rules(&random(&mut rng, count))).unwrap();
        card.run(&update.commands, &LAB);
        if count > 0 {
            finds_all(&card, live.metadata(), &LAB, &mut rng);
        } else {
            assert_eq!(card.hits(&[7; 100], &LAB), BTreeSet::new());
        }
        tells_short_patterns_exactly(&card, live.metadata(), &LAB);
    }
}

/// Rules for these short patterns, a signature each.
fn short_rules(patterns: &[&[u8]]) -> RuleSet {
    rules(&patterns.iter().map(|bytes| content(bytes)).collect::<Vec<_>>())
}

#[test]
fn short_patterns_alone_need_no_secret_and_long_ones_bring_it() {
    let payload_commands = |lines: &[Line]| {
        let commands = lines.iter().map(|line| Command::from_line(line, &LAB).unwrap().opcode);
        commands.filter(|opcode| *opcode as u8 >= Opcode::WriteWindowSecret as u8).collect::<Vec<_>>()
    };
    let mut live = Live::new(&short_rules(&[b"a1", b"b2"]), &LAB, &Options { seed: Some(8) }).unwrap();
    let (image, mut card) = (live.image().unwrap(), SoftCard::default());
    assert_eq!(payload_commands(image.lines()), [Opcode::WriteShort; 4]);
    card.run(image.lines(), &LAB);
    tells_short_patterns_exactly(&card, live.metadata(), &LAB);
    assert_eq!(live.metadata().short_patterns, [(0, 0), (1, 1)]);
    assert_eq!(live.metadata().rule_groups, []);
    let long: [&[u8]; 3] = [b"a1", b"b2", b"qzxkw!vj"];
    for (patterns, brings_secret) in [(&long[..], true), (&long[..2], false), (&long, true), (&[], false)] {
        let update = live.update(&short_rules(patterns)).unwrap();
        let opcodes = payload_commands(&update.commands);
        let secret_rows = opcodes.iter().filter(|opcode| **opcode == Opcode::WriteWindowSecret).count();
        assert_eq!(secret_rows, if brings_secret { SECRET_ROWS } else { 0 });
        // What stays is not written again.
        let rows = opcodes.iter().filter(|opcode| **opcode == Opcode::WriteShort).count();
        assert_eq!(rows, if patterns.is_empty() { 4 } else { 0 });
        card.run(&update.commands, &LAB);
        tells_short_patterns_exactly(&card, live.metadata(), &LAB);
        if !patterns.is_empty() {
            let mut rng = ChaCha8Rng::seed_from_u64(36);
            finds_all(&card, live.metadata(), &LAB, &mut rng);
        }
    }
}

#[test]
fn the_first_signatures_have_the_presence_bits_and_keep_them() {
    let patterns: Vec<[u8; 2]> = (0..12).map(|n| [b'a' + n, b'0']).collect();
    let of = |numbers: &[usize]| {
        let some: Vec<&[u8]> = numbers.iter().map(|n| &patterns[*n][..]).collect();
        short_rules(&some)
    };
    let all: Vec<usize> = (0..12).collect();
    let mut live = Live::new(&of(&all), &LAB, &Options { seed: Some(9) }).unwrap();
    let first: Vec<(u16, u32)> = (0..8).map(|n| (n, n.into())).collect();
    assert_eq!(live.metadata().short_patterns, first);
    let compiled = compile(&of(&all), &LAB, &Options { seed: Some(9) }).unwrap();
    assert_eq!(compiled.metadata.short_patterns, first);
    assert_eq!(compiled.report.payload.left, LeftToHost { no_bit: 4, ..LeftToHost::default() });
    let mut card = SoftCard::default();
    card.run(live.image().unwrap().lines(), &LAB);
    // One goes, and the first that had none has its bit; one comes in front of all, and finds none.
    let update = live.update(&of(&[0, 1, 2, 4, 5, 6, 7, 8, 9])).unwrap();
    let rows = |update: &[Line]| {
        let commands = update.iter().map(|line| Command::from_line(line, &LAB).unwrap());
        let rows = commands.filter(|command| command.opcode == Opcode::WriteShort);
        rows.map(|command| command.index as u8).collect::<Vec<_>>()
    };
    assert_eq!(rows(&update.commands), *b"di");
    card.run(&update.commands, &LAB);
    tells_short_patterns_exactly(&card, live.metadata(), &LAB);
    let bits = |live: &Live| live.metadata().short_patterns.iter().map(|pair| pair.1).collect::<Vec<_>>();
    assert_eq!(bits(&live), [0, 1, 2, 7, 3, 4, 5, 6]);
    let update = live.update(&of(&[3, 0, 1, 2, 4, 5, 6, 7, 8, 9])).unwrap();
    assert!(rows(&update.commands).is_empty());
    assert_eq!(bits(&live), [1, 2, 3, 8, 4, 5, 6, 7]);
    tells_short_patterns_exactly(&card, live.metadata(), &LAB);
    // As a card that is loaded with the rules in force has them.
    let mut fresh = SoftCard::default();
    fresh.run(live.image().unwrap().lines(), &LAB);
    tells_short_patterns_exactly(&fresh, live.metadata(), &LAB);
}

#[test]
fn what_is_frequent_or_repeats_itself_is_left_to_the_host() {
    let contents =
        ["\"ab\"", "\"|00 00 00|\"", "\"|90 90 90 90 90 90|\"", "\"qzxkw!vj\"", "\"http\"", "\"x9|07|Q\""];
    let rules = rules(&contents.map(str::to_owned));
    let compiled = compile(&rules, &LINE, &Options { seed: Some(6) }).unwrap();
    assert_eq!(compiled.report.payload.left, LeftToHost { no_bit: 0, hot: 3, no_room: 0 });
    assert_eq!(compiled.metadata.short_patterns, [(0, 0)]);
    let on_card: Vec<u32> =
        compiled.metadata.rule_groups.iter().flat_map(|group| group.signatures.clone()).collect();
    assert_eq!(BTreeSet::from_iter(on_card), BTreeSet::from([3, 5]));
    let worst = compiled.payload.worst();
    assert_eq!((worst.comparisons, worst.payload.len()), (1, 4));
}

/// Rules that share a few patterns, each for a network and a port; one may ask for several ports.
fn rules_with_headers(conditions: &[(u8, u16, u8)]) -> RuleSet {
    let mut text = String::new();
    for (sid, (pattern, port, network)) in (1..).zip(conditions) {
        writeln!(
            text,
            "alert tcp any any -> 10.{network}.0.0/16 [{port},{}] (content:\"qz{pattern:02}#w!vj\"; sid:{sid};)",
            port + 7
        )
        .unwrap();
    }
    parse_sources(&[Source::new("test.rules", text.as_bytes())], &BTreeMap::new()).unwrap()
}

/// The rule groups of the metadata, as sets of signatures.
fn groups(metadata: &Metadata) -> BTreeSet<Vec<u32>> {
    metadata.rule_groups.iter().map(|group| group.signatures.clone()).collect()
}

#[test]
fn rules_with_one_pattern_and_one_header_are_a_group() {
    // Pattern, port, network.
    let rules = rules_with_headers(&[(1, 80, 0), (1, 81, 0), (2, 80, 0), (1, 80, 0), (1, 80, 1), (2, 80, 0)]);
    let compiled = compile(&rules, &LAB, &Options { seed: Some(10) }).unwrap();
    let wanted = [vec![0, 3], vec![1], vec![4], vec![2, 5]];
    assert_eq!(groups(&compiled.metadata), BTreeSet::from(wanted));
    let PayloadReport { patterns, groups, joined, listed, .. } = compiled.report.payload;
    assert_eq!((patterns, groups, joined, listed.wide), (2, 4, 0, 0));
    // One window leads to all groups of a pattern.
    assert_eq!(compiled.report.payload.windows, 2);
}

#[test]
fn a_pattern_of_more_headers_than_groups_is_one_group_and_leaves_one_as_they_change() {
    let rules = |headers: u16| {
        let conditions: Vec<(u8, u16, u8)> = (0..headers).map(|n| (1, 1000 + n, 0)).collect();
        rules_with_headers(&conditions)
    };
    let most = GROUPS_MAX as u16;
    let mut live = Live::new(&rules(most + 1), &LAB, &Options { seed: Some(11) }).unwrap();
    let mut card = SoftCard::default();
    card.run(live.image().unwrap().lines(), &LAB);
    let mut rng = ChaCha8Rng::seed_from_u64(37);
    for headers in [most + 1, most, 1, 2, most + 5] {
        let update = live.update(&rules(headers)).unwrap();
        card.run(&update.commands, &LAB);
        let all = 0..u32::from(headers);
        let wanted: BTreeSet<Vec<u32>> =
            if headers > most { [all.collect()].into() } else { all.map(|place| vec![place]).collect() };
        assert_eq!(groups(live.metadata()), wanted);
        finds_all(&card, live.metadata(), &LAB, &mut rng);
    }
}

#[test]
fn where_groups_have_no_room_patterns_have() {
    // Three headers a pattern; in `lab` there is room for two.
    let room = 1 << LAB.payload.patterns_log2;
    let mut text = String::new();
    for n in 0..3 * room / 2 {
        let (pattern, port) = (n / 3, n % 3);
        writeln!(
            text,
            "alert tcp any any -> any {port} (content:\"qz{pattern:04}#w!vj~{pattern:04x}\"; sid:{};)",
            n + 1
        )
        .unwrap();
    }
    let rules = parse_sources(&[Source::new("test.rules", text.as_bytes())], &BTreeMap::new()).unwrap();
    let compiled = compile(&rules, &LAB, &Options { seed: Some(12) }).unwrap();
    let PayloadReport { patterns, groups, joined, left, .. } = compiled.report.payload;
    assert_eq!((patterns, groups, joined), (room / 2 - left.no_room, patterns, patterns));
    assert!(left.no_room < room / 50, "{left:?}");
}

#[test]
fn header_lists_follow_rules_that_change_and_stop_no_packet_of_theirs() {
    for (geometry, seed) in [(&LAB, 34), (&LINE, 35)] {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let random = |rng: &mut ChaCha8Rng| {
            (rng.random_range(0..20), rng.random_range(1000..1010), rng.random_range(0..5))
        };
        let mut conditions: Vec<(u8, u16, u8)> = (0..40).map(|_| random(&mut rng)).collect();
        let mut live =
            Live::new(&rules_with_headers(&conditions), geometry, &Options { seed: Some(7) }).unwrap();
        let mut card = SoftCard::default();
        card.run(live.image().unwrap().lines(), geometry);
        let (mut stopped, mut passed, mut joined) = (0, 0, 0);
        for round in 0..30 {
            let at = rng.random_range(0..conditions.len());
            conditions[at] = random(&mut rng);
            let update = live.update(&rules_with_headers(&conditions)).unwrap();
            card.run(&update.commands, geometry);
            let mut fresh = SoftCard::default();
            fresh.run(live.image().unwrap().lines(), geometry);
            for RuleGroup { number, signatures } in &live.metadata().rule_groups {
                assert_eq!(
                    card.headers(*number, geometry),
                    fresh.headers(*number, geometry),
                    "round {round}"
                );
                let of_group: Vec<(u8, u16, u8)> =
                    signatures.iter().map(|place| conditions[*place as usize]).collect();
                for (port, network) in (1000..1020u16).flat_map(|port| (0..6u8).map(move |n| (port, n))) {
                    let vector = Line::default()
                        .with(vector::DST, u128::from(u32::from_be_bytes([10, network, 0, 1])) << 96)
                        .with(vector::DPORT, port.into())
                        .with(vector::PROTO, 6)
                        .with(vector::CLASS, (vector::Class::IP | vector::Class::PORTS).into());
                    let is_asked_for = of_group
                        .iter()
                        .any(|(_, first, net)| *net == network && [*first, first + 7].contains(&port));
                    let is_let_through = card.lets_through(*number, &vector, geometry);
                    assert!(is_let_through || !is_asked_for, "{round}: {of_group:?} {port} {network}");
                    // What a number stands for is asked for by each of its rules, unless they were joined.
                    let is_one = of_group.iter().all(|rule| *rule == of_group[0]);
                    joined += usize::from(!is_one);
                    assert!(
                        !is_one || is_let_through == is_asked_for,
                        "{round}: {of_group:?} {port} {network}"
                    );
                    *if is_let_through { &mut passed } else { &mut stopped } += 1;
                }
            }
        }
        println!("{}: {passed} let through, {stopped} stopped, {joined} by joined groups", geometry.name);
        assert!(passed > 1000 && stopped > passed && 5 * joined < passed, "{passed} {stopped} {joined}");
    }
}

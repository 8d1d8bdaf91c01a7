#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use wiresift_abi::bits::{LINE_BYTES, Line};
use wiresift_abi::command::{Command, Opcode};
use wiresift_abi::entry;
use wiresift_abi::geometry::{self, Geometry, LAB, LINE, WAYS};
use wiresift_abi::image::{HEADER_BYTES, ImageHeader};
use wiresift_abi::vector::Class;

use super::blocks::tests::all_chosen;
use super::*;
use crate::capture::{Capture, Next};
use crate::compile::testing::{Random, classbench, corpus, unpacked};
use crate::compile::{CompileError, Options, compile};
use crate::device::{Batch, Device, PacketInfo};
use crate::engine::reference::Reference;
use crate::rules::model::*;

const SEED: Options = Options { seed: Some(3) };

fn engine(rules: &RuleSet, geometry: &'static Geometry) -> CpuEngine {
    let compiled = compile(rules, geometry, &SEED).unwrap_or_else(|error| panic!("{error}"));
    CpuEngine::new(&compiled.image).unwrap()
}

/// A packet that hits many of the rules of [`Random`], at times cut or with bytes changed.
fn packet(random: &mut Random) -> Vec<u8> {
    let proto = [6, 17, 1, 58, 132, 44][random.0.random_range(0..6)];
    let mut transport = vec![0; random.0.random_range(0..30)];
    for port in transport.chunks_exact_mut(2).take(2) {
        port.copy_from_slice(&random.0.random_range(76..90u16).to_be_bytes());
    }
    if let Some(flags) = transport.get_mut(13) {
        *flags = [0, 0x02, 0x12][random.0.random_range(0..3)];
    }
    if matches!(proto, 1 | 58) && transport.len() > 1 {
        transport[..2].copy_from_slice(&[8, random.0.random_range(0..2)]);
    }
    let mut packet = vec![0; 12];
    if random.0.random_ratio(1, 4) {
        packet.extend([0x81, 0, 0, 5]);
    }
    if random.0.random_bool(0.5) {
        packet.extend([0x08, 0x00, 0x45, 0]);
        packet.extend((20 + transport.len() as u16).to_be_bytes());
        let fragment: u16 = [0, 0, 0, 0x2000, 0x2001][random.0.random_range(0..5)];
        packet.extend([0, 0]);
        packet.extend(fragment.to_be_bytes());
        packet.extend([64, proto, 0, 0]);
        packet.extend(random.address4().to_be_bytes());
        packet.extend(random.address4().to_be_bytes());
    } else {
        packet.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
        packet.extend((transport.len() as u16).to_be_bytes());
        packet.extend([proto, 64]);
        packet.extend(random.address6().to_be_bytes());
        packet.extend(random.address6().to_be_bytes());
    }
    packet.extend(transport);
    if random.0.random_ratio(1, 8) {
        packet.truncate(random.0.random_range(0..=packet.len()));
    }
    if random.0.random_ratio(1, 4) && !packet.is_empty() {
        let at = random.0.random_range(0..packet.len());
        packet[at] = random.0.random();
    }
    packet
}

#[test]
fn the_engine_says_what_the_reference_says() {
    let (mut acl, mut signatures) = (0, 0);
    for seed in 0..12 {
        let mut random = Random(ChaCha8Rng::seed_from_u64(seed));
        let rules = random.rules(8 * seed as usize, 12);
        for geometry in geometry::ALL {
            let compiled = match compile(&rules, geometry, &SEED) {
                Ok(compiled) => compiled,
                Err(CompileError::DoesNotFit(_)) if *geometry == LAB => continue,
                Err(error) => panic!("seed {seed}, {}: {error}", geometry.name),
            };
            let mut reference = Reference::new(&rules);
            let packets: Vec<Vec<u8>> = (0..1000).map(|_| packet(&mut random)).collect();
            let expected: Vec<Decision> = packets.iter().map(|packet| reference.decide(packet)).collect();
            for chosen in all_chosen() {
                let mut engine = CpuEngine::with(&compiled.image, chosen).unwrap();
                let mut decisions = Vec::new();
                let mut left = &packets[..];
                while !left.is_empty() {
                    let (some, rest) = left.split_at(random.0.random_range(1..=left.len().min(700)));
                    engine.decide_all(some.iter().map(Vec::as_slice), &mut decisions);
                    left = rest;
                }
                for ((packet, decision), expected) in packets.iter().zip(&decisions).zip(&expected) {
                    let name = (chosen.simd().name(), geometry.name);
                    assert_eq!(decision, expected, "seed {seed}, {name:?}: {packet:02x?}");
                }
                assert_eq!(decisions.len(), packets.len());
            }
            acl += expected.iter().filter(|decision| decision.acl.is_some()).count();
            signatures += expected.iter().filter(|decision| decision.signatures.len() > 1).count();
        }
    }
    assert!(acl > 1000 && signatures > 200, "{acl} and {signatures} packets matched");
}

#[test]
fn entries_in_the_tcam_are_found() {
    let mut random = Random(ChaCha8Rng::seed_from_u64(2));
    let mut rules = random.rules(1, 0);
    let one = rules.acl.remove(0);
    let all = AddressRange { first: [0; 4].into(), last: [255; 4].into() };
    // Of one key: more than its buckets hold.
    let buckets = LAB.tables() * WAYS * LAB.bucket_slots;
    for last in 0..buckets as u16 + 4 {
        let mut rule = one.clone();
        rule.condition.family = Family::V4;
        rule.condition.protocols = vec![(17, 255)];
        rule.condition.src = AddressList { include: vec![all], exclude: vec![] };
        rule.condition.dst = rule.condition.src.clone();
        rule.condition.sport = PortList::Ports { include: vec![0..=80], exclude: vec![] };
        rule.condition.dport = PortList::Ports { include: vec![last..=78 + last], exclude: vec![] };
        rules.acl.push(rule);
    }
    let compiled = compile(&rules, &LAB, &SEED).unwrap();
    assert!(compiled.report.tcam > 0);
    let mut engine = CpuEngine::new(&compiled.image).unwrap();
    let mut reference = Reference::new(&rules);
    let mut matched = 0;
    for _ in 0..20_000 {
        let packet = packet(&mut random);
        let decision = engine.decide(&packet);
        assert_eq!(decision, reference.decide(&packet), "{packet:02x?}");
        matched += usize::from(decision.acl.is_some());
    }
    assert!(matched > 20, "{matched} packets matched");
}

#[test]
fn the_device_gives_batches_back_in_order() {
    let mut random = Random(ChaCha8Rng::seed_from_u64(1));
    let rules = random.rules(20, 10);
    let mut engine = engine(&rules, &LINE);
    let mut device = CpuDevice::new(engine.clone()).unwrap();
    let batches: Vec<Arc<Batch>> = (0..3)
        .map(|n| {
            let mut batch = Batch::new(n * 10);
            (0..10).for_each(|_| batch.push(&packet(&mut random), PacketInfo::default()));
            Arc::new(batch)
        })
        .collect();
    for batch in &batches {
        device.submit(Arc::clone(batch)).unwrap();
    }
    for batch in &batches {
        let decided = device.collect(false).unwrap().unwrap();
        assert_eq!(decided.batch.first, batch.first);
        let expected: Vec<Decision> = batch.packets().map(|packet| engine.decide(packet)).collect();
        assert_eq!(decided.decisions, expected);
    }
    assert!(device.collect(true).unwrap().is_none());
}

/// A header of a ClassBench trace, as a packet with ports whatever its protocol.
fn headers(trace: &str) -> Vec<Header> {
    trace
        .lines()
        .map(|line| {
            let numbers: Vec<u32> = line.split_ascii_whitespace().map(|n| n.parse().unwrap()).collect();
            Header {
                src: u128::from(numbers[0]) << 96,
                dst: u128::from(numbers[1]) << 96,
                sport: numbers[2] as u16,
                dport: numbers[3] as u16,
                proto: numbers[4] as u8,
                class: Class::IP | Class::PORTS,
                ..Header::default()
            }
        })
        .collect()
}

fn satisfies(condition: &Condition, header: &Header) -> bool {
    let port = |list: &PortList, port: u16| match list {
        PortList::Any => true,
        PortList::Ports { include, .. } => include.iter().any(|range| range.contains(&port)),
    };
    let address = |placed: u128| IpAddr::V4(Ipv4Addr::from_bits((placed >> 96) as u32));
    let (src, dst) = (condition.src.include[0], condition.dst.include[0]);
    let (value, mask) = condition.protocols[0];
    (src.first..=src.last).contains(&address(header.src))
        && (dst.first..=dst.last).contains(&address(header.dst))
        && port(&condition.sport, header.sport)
        && port(&condition.dport, header.dport)
        && header.proto & mask == value
}

#[test]
fn classbench_traces_find_the_first_rule() {
    let Some(corpus) = corpus() else { return };
    for (name, step) in
        [("acl1_1k", 1), ("fw1_1k", 1), ("ipc1_1k", 1), ("acl1_10k", 20), ("fw1_10k", 20), ("ipc1_10k", 20)]
    {
        let rules = classbench(&corpus, name);
        let engine = engine(&rules, &LINE);
        assert!(engine.probes() < 10, "{name}: {} blocks a packet", engine.probes());
        let trace = unpacked(&corpus.join(format!("classbench/{name}.trace.gz")));
        let headers = headers(std::str::from_utf8(&trace).unwrap());
        let headers: Vec<Header> = headers.into_iter().step_by(step).collect();
        let keys: Vec<Key> = headers.iter().map(Header::key).collect();
        let first = |header| rules.acl.iter().position(|rule| satisfies(&rule.condition, header));
        let expected: Vec<Option<u32>> =
            headers.iter().map(|header| first(header).map(|n| n as u32)).collect();
        for chosen in all_chosen() {
            let mut engine = CpuEngine { chosen, ..engine.clone() };
            let mut answers = Answers::default();
            engine.look_up_all(&keys, &mut answers);
            for (place, header) in headers.iter().enumerate() {
                assert_eq!(answers.first(place), expected[place], "{name} {header:?}");
            }
        }
    }
}

/// Every capture below a folder.
fn captures(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            captures(&path, found);
        } else if path.to_string_lossy().contains(".pcap")
            || path.extension().is_some_and(|end| end == "trace")
        {
            found.push(path);
        }
    }
}

/// Packets of a capture up to its end, or to where it is damaged.
fn packets(path: &Path) -> Vec<Vec<u8>> {
    let mut packets = Vec::new();
    let Ok(mut capture) = Capture::open(path, Arc::default()) else { return packets };
    while let Ok(Next::Packet(packet)) = capture.next(true) {
        packets.push(packet.bytes.to_vec());
    }
    packets
}

/// A condition for exactly the addresses and the destination port of a packet.
fn condition_of(header: &Header) -> Condition {
    let v6 = header.class & Class::IPV6 != 0;
    let address = |placed: u128| {
        let v4 = || IpAddr::V4(Ipv4Addr::from_bits((placed >> 96) as u32));
        let address = if v6 { IpAddr::V6(Ipv6Addr::from_bits(placed)) } else { v4() };
        AddressList { include: vec![AddressRange { first: address, last: address }], exclude: vec![] }
    };
    let has_ports = header.class & Class::PORTS != 0;
    let ports = || PortList::Ports { include: vec![header.dport..=header.dport], exclude: vec![] };
    Condition {
        family: if v6 { Family::V6 } else { Family::V4 },
        protocols: vec![(header.proto, 255)],
        src: address(header.src),
        dst: address(header.dst),
        sport: PortList::Any,
        dport: if has_ports { ports() } else { PortList::Any },
        details: Details::default(),
    }
}

#[test]
fn real_packets_are_decided_as_by_the_reference() {
    let Some(corpus) = corpus() else { return };
    let mut files = Vec::new();
    captures(&corpus.join("pcaps"), &mut files);
    files.sort();
    let packets: Vec<Vec<u8>> = files.iter().flat_map(|file| packets(file)).collect();
    // Rules for every 40th packet, some of them with the family alone or both ways.
    let mut rules = Random(ChaCha8Rng::seed_from_u64(1)).rules(0, 1);
    let template = rules.signatures.remove(0);
    for (n, packet) in packets.iter().step_by(40).enumerate() {
        let header = Header::of(packet);
        if header.class & Class::IP == 0 {
            continue;
        }
        let condition = condition_of(&header);
        if n % 2 == 0 {
            let origin = Origin { file: "acl".to_owned(), line: n as u32 + 1 };
            rules.acl.push(AclRule { condition, action: AclAction::Match, origin });
        } else {
            let class = RuleClass::Exact;
            let bidirectional = n % 3 == 0;
            rules.signatures.push(Signature { condition, class, bidirectional, ..template.clone() });
        }
    }
    let mut engine = engine(&rules, &LINE);
    let mut reference = Reference::new(&rules);
    let (mut matched, mut flagged) = (0, 0);
    for packet in &packets {
        let decision = engine.decide(packet);
        assert_eq!(decision, reference.decide(packet), "{packet:02x?}");
        matched += usize::from(decision.acl.is_some() || !decision.signatures.is_empty());
        flagged += usize::from(decision.flags.0 != 0);
    }
    println!("{} captures, {} packets, {matched} matched, {flagged} flagged", files.len(), packets.len());
    assert!(matched > packets.len() / 40 && flagged > 100, "{matched} matched, {flagged} flagged");
}

/// The file with another body, and CRCs that fit it.
fn sealed(mut file: Vec<u8>) -> Vec<u8> {
    let mut header: ImageHeader = bytemuck::pod_read_unaligned(&file[..HEADER_BYTES]);
    header.body_crc = crc32(&file[HEADER_BYTES..]);
    let crc_at = std::mem::offset_of!(ImageHeader, header_crc);
    header.header_crc = crc32(&bytemuck::bytes_of(&header)[..crc_at]);
    file[..HEADER_BYTES].copy_from_slice(bytemuck::bytes_of(&header));
    file
}

/// CRC-32 of IEEE 802.3, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| crc >> 1 ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 })
    })
}

/// Reads a file and, if it is an image that the engine takes, decides packets with it.
fn try_file(file: &[u8], random: &mut Random) -> bool {
    let Ok(image) = Image::from_bytes(file) else { return false };
    let Ok(mut engine) = CpuEngine::new(&image) else { return false };
    for _ in 0..20 {
        engine.decide(&packet(random));
    }
    true
}

#[test]
fn damaged_images_are_errors_or_usable() {
    let mut random = Random(ChaCha8Rng::seed_from_u64(6));
    let rules = random.rules(12, 4);
    let file = compile(&rules, &LINE, &SEED).unwrap().image.to_bytes();
    assert!(try_file(&file, &mut random));
    let (mut usable, mut refused) = (0, 0);
    for n in 0..3000 {
        let mut damaged = file.clone();
        match n % 3 {
            0 => damaged.truncate(random.0.random_range(0..file.len())),
            1 => (0..random.0.random_range(1..4)).for_each(|_| {
                let at = random.0.random_range(0..damaged.len());
                damaged[at] ^= 1 << random.0.random_range(0..8);
            }),
            // Damage in commands and metadata that the CRC does not show.
            _ => {
                for _ in 0..random.0.random_range(1..20) {
                    let at = random.0.random_range(HEADER_BYTES..damaged.len());
                    damaged[at] = random.0.random();
                }
                damaged = sealed(damaged);
            }
        }
        if try_file(&damaged, &mut random) {
            assert_eq!(n % 3, 2, "damage was not noticed");
            usable += 1;
        } else {
            refused += 1;
        }
    }
    assert!(usable > 50 && refused > 2000, "{usable} usable, {refused} refused");
}

/// What a card in that state finds, slot by slot and row by row: the first ACL rule, and signature headers.
fn card_says(state: &State, key: &Key) -> (Option<u32>, Vec<u32>) {
    let (mut acl, mut signatures) = (None, Vec::new());
    let line = key.to_line();
    let mut take = |kind: Kind, id: u32| match kind {
        Kind::Acl => acl = Some(acl.map_or(id, |acl: u32| acl.min(id))),
        Kind::Signature => signatures.push(id),
    };
    for ((table, index, slot), entry) in state.entries() {
        let way = usize::from(slot) / state.geometry.bucket_slots;
        let masked = key.and(&state.masks[usize::from(table)]);
        let bucket = state.secret.bucket(&masked, way, state.geometry.buckets_log2(table.into()));
        if bucket == usize::from(index) && entry.matches(&line) {
            take(entry.kind, entry.id);
        }
    }
    state.tcam_entries().filter(|entry| entry.matches(&line)).for_each(|entry| take(entry.kind, entry.id));
    signatures.sort_unstable();
    signatures.dedup();
    (acl, signatures)
}

#[test]
fn strange_images_are_decided_as_the_card_does() {
    let mut random = Random(ChaCha8Rng::seed_from_u64(13));
    let rules = random.rules(12, 4);
    let image = compile(&rules, &LAB, &SEED).unwrap().image;
    let (mut strays, mut tcam, mut matched) = (0, 0, 0);
    for _ in 0..200 {
        let mut lines = image.lines().to_vec();
        let last = lines.len() - 1;
        for line in &mut lines[1..last] {
            let mut command = Command::from_line(line, &LAB).unwrap();
            if random.0.random_ratio(1, 4) {
                match command.opcode {
                    Opcode::WriteSlot => command.index = random.0.random_range(0..2),
                    Opcode::WriteMask => command.data.0[random.0.random_range(0..38)] &= 0x5f,
                    _ => continue,
                }
                *line = command.to_line();
            }
        }
        // Entries of the TCAM that ask for a few bits, anywhere in the key.
        for index in 0..3 {
            let key = entry::tcam_key_of(&Header::of(&packet(&mut random)).to_line());
            let mask =
                Line(std::array::from_fn(
                    |_| if random.0.random_ratio(1, 12) { random.0.random() } else { 0 },
                ));
            let halves = entry::tcam_halves(&(key, mask));
            for (opcode, data) in [Opcode::WriteTcamLow, Opcode::WriteTcamHigh].into_iter().zip(halves) {
                lines.insert(lines.len() - 1, Command { data, ..Command::new(opcode, index) }.to_line());
            }
        }
        for index in 0..3 {
            let mut command = Command::new(Opcode::WriteTcamEntry, index);
            command.data = Line::default()
                .with(entry::ID, random.0.random_range(0..4))
                .with(entry::KIND, random.0.random_range(0..4))
                .with(entry::SPORT_HI, 0xffff)
                .with(entry::DPORT_HI, 0xffff);
            lines.insert(lines.len() - 1, command.to_line());
        }
        let strange = Image::new(&LAB, lines, image.metadata().to_vec()).unwrap();
        let state = State::of(&strange);
        let Ok(engine) = CpuEngine::new(&strange) else { continue };
        strays += usize::from(!engine.strays.is_empty());
        tcam += state.tcam_entries().count();
        let keys: Vec<Key> = (0..70).map(|_| Header::of(&packet(&mut random)).key()).collect();
        for chosen in all_chosen() {
            let mut answers = Answers::default();
            CpuEngine { chosen, ..engine.clone() }.look_up_all(&keys, &mut answers);
            for (place, key) in keys.iter().enumerate() {
                let mut headers = answers.headers(place).to_vec();
                headers.sort_unstable();
                headers.dedup();
                assert_eq!((answers.first(place), headers), card_says(&state, key), "{key:?}");
                matched += usize::from(answers.acl[place] != u32::MAX);
            }
        }
    }
    assert!(strays > 50 && tcam > 50 && matched > 1000, "{strays} {tcam} {matched}");
}

#[test]
fn random_bodies_are_errors_or_usable() {
    let mut random = Random(ChaCha8Rng::seed_from_u64(8));
    let rules = random.rules(12, 4);
    let image = compile(&rules, &LAB, &SEED).unwrap().image;
    let mut usable = 0;
    for _ in 0..300 {
        let mut lines = image.lines().to_vec();
        let last = lines.len() - 1;
        for line in &mut lines[1..last] {
            if random.0.random_ratio(1, 3) {
                *line = random_command(&mut random.0);
            }
        }
        let random_image = Image::new(&LAB, lines, image.metadata().to_vec()).unwrap();
        usable += usize::from(try_file(&random_image.to_bytes(), &mut random));
    }
    assert!(usable > 0);
}

/// A command that the geometry has, with any data.
fn random_command(random: &mut ChaCha8Rng) -> Line {
    loop {
        let opcode = [
            Opcode::WriteSlot,
            Opcode::WriteMask,
            Opcode::WriteSecret,
            Opcode::WriteTcamLow,
            Opcode::WriteTcamHigh,
            Opcode::WriteTcamEntry,
        ][random.random_range(0..6)];
        let mut command = Command::new(opcode, random.random_range(0..512));
        command.table = random.random_range(0..4);
        command.slot = random.random_range(0..48);
        let mut bytes = [0; LINE_BYTES];
        random.fill(&mut bytes[..]);
        // Numbers of rules that exist, more often than not.
        (bytes[0], bytes[1], bytes[2]) = (bytes[0] & 3, 0, bytes[2] & 0x30);
        command.data = Line(bytes);
        let line = command.to_line();
        if Command::from_line(&line, &LAB).is_ok() {
            return line;
        }
    }
}

/// The card compares a slot only with keys whose bucket it is in; a slot that the compiler would not have
/// put there is found by those keys alone.
#[test]
fn a_slot_outside_its_bucket_is_compared_as_the_card_does() {
    let mut random = Random(ChaCha8Rng::seed_from_u64(11));
    let mut rules = random.rules(1, 0);
    let condition = &mut rules.acl[0].condition;
    condition.protocols = vec![(0, 0)];
    let compiled = compile(&rules, &LAB, &SEED).unwrap();
    // Under a mask of zero every key falls into bucket 0; an entry with an address stands there at will.
    let slot = Line::default()
        .with(wiresift_abi::entry::KIND, 1)
        .with(wiresift_abi::entry::SPORT_HI, 0xffff)
        .with(wiresift_abi::entry::DPORT_HI, 0xffff)
        .with(wiresift_abi::entry::SRC_SHIFT, 32)
        .with(wiresift_abi::entry::DST_SHIFT, 32);
    let at =
        |bucket: u16, table: u8| Command { table, data: slot, ..Command::new(Opcode::WriteSlot, bucket) };
    let mut mask = Command::new(Opcode::WriteMask, 0);
    mask.data = Key([0, u64::MAX << 32, 0, 0, 0]).to_line();
    let secret: Vec<Line> = compiled.image.lines()[1..25].to_vec();
    let image = |slot: Command| {
        let mut lines = vec![Command::new(Opcode::Clear, 0).to_line(), mask.to_line(), slot.to_line()];
        lines.extend(&secret);
        lines.push(Command::new(Opcode::Commit, 1).to_line());
        Image::new(&LAB, lines, compiled.image.metadata().to_vec()).unwrap()
    };
    let mut unknown = at(0, 0);
    unknown.data = slot.with(wiresift_abi::entry::ID, 1);
    let error = CpuEngine::new(&image(unknown)).err();
    assert!(matches!(error, Some(EngineError::Unknown { what: "ACL rule", id: 1, count: 1 })), "{error:?}");
    let secret = State::of(&compiled.image).secret;
    // A wildcard in bucket 5 of a table that hashes the source: those sources whose hash is 5 find it.
    let mut engine = CpuEngine::new(&image(at(5, 0))).unwrap();
    let mut found = 0;
    for src in 0..4096u64 {
        let key = Key([0, src << 40, 0, 0, 0]);
        let expected = secret.bucket(&key, 0, LAB.narrow_buckets_log2) == 5;
        assert_eq!(engine.look_up(&key).is_some(), expected);
        found += u32::from(expected);
    }
    assert!(found > 0);
}

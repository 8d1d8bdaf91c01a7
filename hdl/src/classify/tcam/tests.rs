//! A TCAM of 16 entries against its description.

use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use wiresift_abi::bits::{Field, Line};
use wiresift_abi::command::{Command, DATA_LSB, INDEX, OPCODE, Opcode};
use wiresift_abi::entry::{Entry, tcam_key_of};
use wiresift_abi::geometry::{Geometry, LAB};
use wiresift_abi::vector::SPORT;

use super::super::layout::{FIELDS_BITS, HEAD_BITS, ID_BITS};
use super::super::testing::{
    Expected, Model, Pipe, bits_of, entry_command, entry_for, key_commands, near, random_id, random_vector,
    tcam_commands,
};
use super::*;
use crate::gate::passes;

const ENTRIES: usize = 16;
const GROUP: usize = 4;
const GEOMETRY: Geometry = Geometry { tcam_entries: ENTRIES, ..LAB };

/// An entry around one of the vectors; some ask for address bits that are no prefix.
fn random_entry(vectors: &[Line], rng: &mut ChaCha8Rng) -> Entry {
    let vector = vectors.choose(rng).unwrap();
    let kind = if rng.random_bool(0.4) { Kind::Acl } else { Kind::Signature };
    let id = random_id(rng);
    let mut entry = entry_for(vector, 128, kind, id, rng);
    if rng.random() {
        entry.src.mask = rng.random();
        entry.src.value = vector.get(wiresift_abi::vector::SRC) & entry.src.mask;
    }
    entry
}

/// What the groups found, all together.
fn found(uut: &Tcam<ENTRIES, GROUP>) -> Expected {
    let mut all = Expected { acl: None, ids: Vec::new(), cut: false };
    for list in &uut.found {
        let list = list.val();
        let acl = list.acl.index() as u32;
        all.acl = all.acl.into_iter().chain((acl >> ID_BITS == 0).then_some(acl)).min();
        let count = (0..7).find(|n| list.count.get_bit(*n)).unwrap();
        all.ids.extend((0..count).map(|n| list.ids.get_bits::<ID_BITS>(n * ID_BITS).index() as u32));
        all.cut |= list.cut;
    }
    all.ids.sort_unstable();
    all
}

/// An element: a packet's vector, a command, or a bubble.
fn next(queue: &mut Vec<Line>, vectors: &[Line], rng: &mut ChaCha8Rng) -> (bool, Line) {
    if let Some(line) = queue.pop() {
        return (false, line);
    }
    let n = rng.random_range(0..ENTRIES) as u16;
    match rng.random_range(0..30) {
        0 => {
            let mut line = entry_command(n, &random_entry(vectors, rng));
            if rng.random_bool(0.3) {
                line.set(Field::new("kind", DATA_LSB + KIND.lsb, KIND.bits), rng.random_range(0..4));
            }
            (false, line)
        }
        1 => {
            // A key whose entry stays what it was; sometimes the low half is not followed by its high one.
            let [low, high] = key_commands(n, &random_entry(vectors, rng).tcam_key());
            queue.extend(rng.random_bool(0.8).then_some(high));
            (false, low)
        }
        2 => (false, Line::default()),
        3 if rng.random_bool(0.05) => {
            *queue = (0..ENTRIES as u16).map(|n| entry_command(n, &random_entry(vectors, rng))).collect();
            (false, Command::new(Opcode::Clear, 0).to_line())
        }
        _ => (true, near(vectors.choose(rng).unwrap(), rng)),
    }
}

#[test]
fn entries_match_as_their_keys_and_ranges_say() {
    let mut rng = ChaCha8Rng::seed_from_u64(40);
    let vectors: Vec<_> = (0..2).map(|_| random_vector(&mut rng)).collect();
    let entries: Vec<_> = (0..ENTRIES).map(|_| random_entry(&vectors, &mut rng)).collect();
    let mut queue = tcam_commands(&entries);
    queue.reverse();
    let mut model = Model::new(&GEOMETRY);
    let mut pipe = Pipe::new(5);
    let mut before = (false, Line::default());
    let mut waits_since = None;
    let (mut packets, mut matched, mut full, mut keys) = (0, 0, 0, 0);
    passes("tcam", Tcam::<ENTRIES, GROUP>::default, 14_000, 9, |uut, rng, cycle| {
        if let Some(since) = waits_since {
            // The sweep: registers of the key, the addresses, the last write, the pulse.
            assert_eq!(uut.done.val(), cycle - since == 1 + ROW_COUNT + 1, "cycle {cycle}");
            keys += usize::from(uut.done.val());
            waits_since = waits_since.filter(|_| !uut.done.val());
        } else {
            assert!(!uut.done.val(), "cycle {cycle}");
        }
        let (packet, line) =
            if waits_since.is_some() { (false, Line::default()) } else { next(&mut queue, &vectors, rng) };
        let expected = if packet {
            model.classify(&line)
        } else {
            model.apply(&line);
            Expected { acl: None, ids: Vec::new(), cut: false }
        };
        packets += usize::from(packet);
        matched += usize::from(expected.acl.is_some() || !expected.ids.is_empty());
        full += usize::from(expected.ids.len() > 4);
        if let Some(mut expected) = pipe.shift(expected) {
            // The limit of all groups together is not the TCAM's.
            expected.cut = false;
            assert_eq!(found(uut), expected, "cycle {cycle}");
        }
        let opcode = if packet { 0 } else { line.get(OPCODE) };
        if opcode == Opcode::WriteTcamHigh as u128 {
            waits_since = Some(cycle);
        }
        let half = |from: usize| {
            let mut half = Line::default();
            half.0[..TCAM_HALF_BITS / 8]
                .copy_from_slice(&line.0[DATA_LSB / 8 + from..][..TCAM_HALF_BITS / 8]);
            bits_of(&half)
        };
        uut.key.next = bits_of(&tcam_key_of(&line));
        uut.low.next = opcode == Opcode::WriteTcamLow as u128;
        uut.high.next = opcode == Opcode::WriteTcamHigh as u128;
        uut.value.next = half(0);
        uut.mask.next = half(TCAM_HALF_BITS / 8);
        uut.place.next = (line.get(INDEX) as u64).to_bits();
        let (was_packet, line) = std::mem::replace(&mut before, (packet, line));
        let opcode = if was_packet { 0 } else { line.get(OPCODE) };
        let mut data = Line::default();
        data.0[..53].copy_from_slice(&line.0[11..]);
        let mut fields = Line::default();
        fields.0[..8].copy_from_slice(&line.0[SPORT.lsb / 8..][..8]);
        uut.fields.next = bits_of::<FIELDS_BITS>(&fields).into();
        uut.packet.next = was_packet;
        uut.write_entry.next = opcode == Opcode::WriteTcamEntry as u128;
        uut.index.next = (line.get(INDEX) as u64).to_bits();
        uut.head.next = bits_of::<HEAD_BITS>(&data).into();
        uut.clear.next = opcode == Opcode::Clear as u128;
    });
    let seen = format!("{packets} packets, {matched} matched, {full} full, {keys} keys");
    assert!(packets > 1500 && matched > 300 && full > 20 && keys > 50, "{seen}");
}

//! Records of every kind, good, wrong and random.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;

use proptest::prelude::*;
use wiresift_abi::c2h::control;

use super::*;
use crate::dma::DmaMemory;
use crate::transport::{Direction, Iova};

/// Packets of 60 bytes plus their sequence number, announced up to a number.
struct Sixty(u32);

impl Posted for Sixty {
    fn announced(&self) -> u32 {
        self.0
    }
    fn length(&self, sequence: u32) -> u16 {
        60 + (sequence % 1000) as u16
    }
}

fn good(sequence: u32, ids: usize) -> VerdictRecord {
    VerdictRecord {
        sequence,
        acl: 7,
        flags: Flags::TUNNEL,
        length: Sixty(0).length(sequence),
        version: 0,
        control: control(RecordKind::Verdict, ids, true),
    }
}

fn ids(sequence: u32, ids: &[u32]) -> IdRecord {
    let mut record = IdRecord {
        ids: [0; IDS_PER_RECORD],
        sequence: sequence as u16,
        control: control(RecordKind::Ids, ids.len(), true),
    };
    record.ids[..ids.len()].copy_from_slice(ids);
    record
}

fn hits(sequence: u32, numbers: &[u16]) -> HitRecord {
    let control = control(RecordKind::Hits, numbers.len(), true);
    let mut record = HitRecord { sequence: sequence as u16, control, ..HitRecord::default() };
    record.hits[..numbers.len()].copy_from_slice(numbers);
    record
}

fn presence(sequence: u32, words: [u32; PRESENCE_WORDS]) -> PresenceRecord {
    PresenceRecord { words, sequence: sequence as u16, control: control(RecordKind::Presence, 0, true) }
}

/// A verdict that announces presence bits behind so many ids and patterns.
fn with_presence(ids: usize, hits: usize) -> VerdictRecord {
    VerdictRecord { control: c2h::verdict_control(ids, hits, true) | 1 << PRESENCE_BIT, ..good(0, 0) }
}

fn pad() -> [u64; 2] {
    [0, u64::from(control(RecordKind::Pad, 0, true)) << 48]
}

fn first(record: VerdictRecord) -> Result<Event, RecordError> {
    Checker::default().take(0, bytemuck::cast(record), &Sixty(10))
}

#[test]
fn a_verdict_takes_its_patterns_behind_its_ids() {
    let posted = Sixty(3);
    for count in 0..=IDS_MAX {
        let mut checker = Checker::default();
        let verdict = VerdictRecord { control: c2h::verdict_control(count, 7, true), ..good(0, 0) };
        let mut records: Vec<[u64; 2]> = vec![bytemuck::cast(verdict)];
        let numbers: Vec<u32> = (0..count as u32).collect();
        records.extend(numbers.chunks(3).map(|some| bytemuck::cast::<_, [u64; 2]>(ids(0, some))));
        records.push(bytemuck::cast(hits(0, &[7, 0, 9, 1, 2, 3])));
        for (n, record) in records.iter().enumerate() {
            // A record of the other kind does not do.
            let other = record[1]
                ^ u64::from((RecordKind::Ids as u16 ^ RecordKind::Hits as u16) << c2h::KIND_LSB) << 48;
            if n > 0 {
                assert!(checker.take(n as u32, [record[0], other], &posted).is_err());
            }
            assert_eq!(checker.take(n as u32, *record, &posted), Ok(Event::Nothing));
        }
        let last = records.len() as u32;
        assert!(matches!(
            checker.take(last, bytemuck::cast(good(1, 0)), &posted),
            Err(RecordError::Kind { .. })
        ));
        assert!(matches!(
            checker.take(last, bytemuck::cast(hits(0, &[1, 2])), &posted),
            Err(RecordError::IdCount { is: 2, should: 1, .. })
        ));
        let Ok(Event::Verdict(verdict)) = checker.take(last, bytemuck::cast(hits(0, &[0xffff])), &posted)
        else {
            panic!("a verdict");
        };
        assert_eq!((verdict.ids(), verdict.hits()), (&numbers[..], &[7, 0, 9, 1, 2, 3, 0xffff][..]));
    }
    let thirteen = VerdictRecord { control: c2h::verdict_control(0, 13, true), ..good(0, 0) };
    assert_eq!(first(thirteen), Err(RecordError::IdCount { index: 0, is: 13, should: HITS_MAX }));
    let announced = VerdictRecord { control: c2h::verdict_control(0, 1, true), ..good(0, 0) };
    let mut checker = Checker::default();
    assert_eq!(checker.take(0, bytemuck::cast(announced), &posted), Ok(Event::Nothing));
    let behind = HitRecord { hits: [1, 0, 0, 0, 0, 5], ..hits(0, &[1]) };
    let refused = checker.take(1, bytemuck::cast(behind), &posted);
    assert_eq!(refused, Err(RecordError::Number { index: 1, is: 5 }));
    let stray = Checker::default().take(0, bytemuck::cast(hits(0, &[1])), &posted);
    assert!(matches!(stray, Err(RecordError::Kind { is: RecordKind::Hits, .. })));
}

#[test]
fn a_verdict_takes_its_presence_bits_behind_everything_else() {
    let (posted, words) = (Sixty(2), [0x8000_0001, 0, 0x8000_0010]);
    for (id_count, hit_count) in [(0, 0), (2, 0), (0, 5), (6, 12)] {
        let numbers: Vec<u32> = (0..id_count as u32).collect();
        let patterns: Vec<u16> = (0..hit_count as u16).collect();
        let mut records: Vec<[u64; 2]> = vec![bytemuck::cast(with_presence(id_count, hit_count))];
        records.extend(numbers.chunks(3).map(|some| bytemuck::cast::<_, [u64; 2]>(ids(0, some))));
        records.extend(patterns.chunks(6).map(|some| bytemuck::cast::<_, [u64; 2]>(hits(0, some))));
        let mut checker = Checker::default();
        for (index, record) in (0..).zip(&records) {
            if index > 0 {
                // Not before its turn.
                let early = checker.take(index, bytemuck::cast(presence(0, words)), &posted);
                assert!(matches!(early, Err(RecordError::Kind { is: RecordKind::Presence, .. })));
            }
            assert_eq!(checker.take_plain(index, *record, &posted), None);
            assert_eq!(checker.take(index, *record, &posted), Ok(Event::Nothing));
        }
        let index = records.len() as u32;
        let should = "a record of presence bits";
        for (is, other) in [
            (RecordKind::Verdict, bytemuck::cast(good(1, 0))),
            (RecordKind::Ids, bytemuck::cast(ids(0, &[1]))),
            (RecordKind::Hits, bytemuck::cast(hits(0, &[1]))),
            (RecordKind::Pad, pad()),
        ] {
            assert_eq!(checker.take_plain(index, other, &posted), None);
            assert_eq!(checker.take(index, other, &posted), Err(RecordError::Kind { index, is, should }));
        }
        let last = checker.take(index, bytemuck::cast(presence(0, words)), &posted);
        let Ok(Event::Verdict(verdict)) = last else { panic!("no verdict") };
        assert_eq!((verdict.ids(), verdict.hits()), (&numbers[..], &patterns[..]));
        assert_eq!(verdict.presence().collect::<Vec<_>>(), [0, 31, 68, 95]);
        assert_eq!(verdict.presence_words(), words);
        let Ok(Event::Verdict(next)) = checker.take(index + 1, bytemuck::cast(good(1, 0)), &posted) else {
            panic!("no verdict")
        };
        assert_eq!(next.presence().count(), 0);
    }
}

#[test]
fn every_wrong_field_of_a_presence_record_has_its_error() {
    let (index, posted, right) = (1, Sixty(1), presence(0, [0, 4, 0]));
    let wrong = |record: PresenceRecord| {
        let mut checker = Checker::default();
        checker.take(0, bytemuck::cast(with_presence(0, 0)), &posted).unwrap();
        let result = checker.take(index, bytemuck::cast(record), &posted);
        assert_eq!(checker.sequence(), 0);
        // The right one is still taken.
        assert!(matches!(checker.take(index, bytemuck::cast(right), &posted), Ok(Event::Verdict(_))));
        result.unwrap_err()
    };
    assert_eq!(wrong(presence(1, [0, 4, 0])), RecordError::Sequence { index, is: 1, should: 0 });
    assert_eq!(wrong(presence(0, [0; 3])), RecordError::NoPresence { index });
    for bit in c2h::IDS_LSB..16 {
        let control = right.control | 1 << bit;
        assert_eq!(wrong(PresenceRecord { control, ..right }), RecordError::Control { index, control });
    }
    // None was announced.
    let mut checker = Checker::default();
    let stray = RecordError::Kind { index, is: RecordKind::Presence, should: "a verdict" };
    assert_eq!(checker.take(index, bytemuck::cast(right), &posted), Err(stray));
    assert!(matches!(checker.take(0, bytemuck::cast(good(0, 0)), &posted), Ok(Event::Verdict(_))));
    assert_eq!(checker.take(index, bytemuck::cast(right), &posted), Err(stray));
    assert!(stray.is_part_of_nothing());
}

#[test]
fn a_verdict_takes_its_ids_from_the_records_behind_it() {
    let mut checker = Checker::default();
    let posted = Sixty(2);
    assert_eq!(checker.take(0, bytemuck::cast(good(0, 5)), &posted), Ok(Event::Nothing));
    assert_eq!(checker.take(1, bytemuck::cast(ids(0, &[1, 2, 3])), &posted), Ok(Event::Nothing));
    let Ok(Event::Verdict(verdict)) = checker.take(2, bytemuck::cast(ids(0, &[9, 0])), &posted) else {
        panic!("no verdict")
    };
    assert_eq!(verdict.ids(), [1, 2, 3, 9, 0]);
    assert_eq!((verdict.packet, verdict.acl, verdict.flags.0), (0, Some(7), Flags::TUNNEL));
    assert_eq!(checker.take(3, pad(), &posted), Ok(Event::Nothing));
    let none = VerdictRecord { acl: NO_RULE, ..good(1, 0) };
    let Ok(Event::Verdict(verdict)) = checker.take(4, bytemuck::cast(none), &posted) else {
        panic!("no verdict")
    };
    assert_eq!((verdict.packet, verdict.acl, verdict.ids()), (1, None, &[][..]));
}

#[test]
fn every_wrong_field_of_a_verdict_has_its_error() {
    let index = 0;
    let wrong = |change: fn(&mut VerdictRecord)| {
        let mut record = good(0, 0);
        change(&mut record);
        first(record).unwrap_err()
    };
    assert_eq!(wrong(|r| r.sequence = 1), RecordError::Sequence { index, is: 1, should: 0 });
    assert_eq!(wrong(|r| r.length = 61), RecordError::Length { index, sequence: 0, is: 61, should: 60 });
    assert_eq!(wrong(|r| r.version = 3), RecordError::Version { index, is: 3, should: 0 });
    assert_eq!(wrong(|r| r.acl = 1 << 20), RecordError::Number { index, is: 1 << 20 });
    assert_eq!(wrong(|r| r.flags = 1 << 9), RecordError::Flags { index, is: 1 << 9 });
    let is = Flags::TUNNEL | Flags::SUSPECT;
    assert_eq!(wrong(|r| r.flags |= Flags::SUSPECT), RecordError::Flags { index, is });
    let seven = control(RecordKind::Verdict, 7, true);
    assert_eq!(
        wrong(|r| r.control = control(RecordKind::Verdict, 7, true)),
        RecordError::IdCount { index, is: 7, should: 6 }
    );
    assert_eq!(wrong(|r| r.control = 0xd), RecordError::Control { index, control: 0xd });
    assert_eq!(
        wrong(|r| r.control |= 0x2000),
        RecordError::Control { index, control: good(0, 0).control | 0x2000 }
    );
    assert_ne!(seven, 0);
    let early = Checker::default().take(0, bytemuck::cast(good(0, 0)), &Sixty(0));
    assert_eq!(early, Err(RecordError::NotAnnounced { index, sequence: 0 }));
}

#[test]
fn every_wrong_field_of_an_id_record_has_its_error() {
    let wrong = |record: IdRecord| {
        let mut checker = Checker::default();
        checker.take(4, bytemuck::cast(good(0, 2)), &Sixty(1)).unwrap();
        let result = checker.take(5, bytemuck::cast(record), &Sixty(1));
        assert_eq!(checker.sequence(), 0);
        result.unwrap_err()
    };
    let index = 5;
    assert_eq!(wrong(ids(1, &[1, 2])), RecordError::Sequence { index, is: 1, should: 0 });
    assert_eq!(wrong(ids(0, &[1])), RecordError::IdCount { index, is: 1, should: 2 });
    assert_eq!(wrong(ids(0, &[1, 2, 3])), RecordError::IdCount { index, is: 3, should: 2 });
    assert_eq!(wrong(ids(0, &[1, 1 << 20])), RecordError::Number { index, is: 1 << 20 });
    let mut unused = ids(0, &[1, 2]);
    unused.ids[2] = 5;
    assert_eq!(wrong(unused), RecordError::Number { index, is: 5 });
    let should = "an id record";
    assert_eq!(
        wrong(bytemuck::cast(good(1, 0))),
        RecordError::Kind { index, is: RecordKind::Verdict, should }
    );
    assert_eq!(wrong(bytemuck::cast(pad())), RecordError::Kind { index, is: RecordKind::Pad, should });
}

#[test]
fn kinds_come_only_where_they_may() {
    let mut checker = Checker::default();
    let index = 1;
    let stray = checker.take(index, bytemuck::cast(ids(0, &[1])), &Sixty(1));
    assert_eq!(stray, Err(RecordError::Kind { index, is: RecordKind::Ids, should: "a verdict" }));
    checker.take(1, pad(), &Sixty(1)).unwrap();
    let should = "padding to the end of the line";
    let behind = checker.take(2, bytemuck::cast(good(0, 0)), &Sixty(1));
    assert_eq!(behind, Err(RecordError::Kind { index: 2, is: RecordKind::Verdict, should }));
    assert!(checker.take(4, bytemuck::cast(good(0, 0)), &Sixty(1)).is_ok());
}

#[test]
fn a_commit_is_answered_between_its_packets_and_changes_the_version() {
    let mut checker = Checker::default();
    let posted = Sixty(2);
    let answer = |sequence, version| VerdictRecord {
        sequence,
        acl: NO_RULE,
        version,
        control: control(RecordKind::Committed, 0, true),
        ..Default::default()
    };
    let should = "a verdict";
    let stray = checker.take(0, bytemuck::cast(answer(0, 0)), &posted);
    assert_eq!(stray, Err(RecordError::Kind { index: 0, is: RecordKind::Committed, should }));
    checker.expect_commit(1, 5);
    let early = checker.take(0, bytemuck::cast(answer(0, 5)), &posted);
    assert_eq!(early, Err(RecordError::Kind { index: 0, is: RecordKind::Committed, should }));
    assert!(matches!(checker.take(0, bytemuck::cast(good(0, 0)), &posted), Ok(Event::Verdict(_))));
    let late = checker.take(1, bytemuck::cast(good(1, 0)), &posted);
    let should = "the answer to a COMMIT";
    assert_eq!(late, Err(RecordError::Kind { index: 1, is: RecordKind::Verdict, should }));
    let other = checker.take(1, bytemuck::cast(answer(1, 6)), &posted);
    assert_eq!(other, Err(RecordError::Version { index: 1, is: 6, should: 5 }));
    let full = VerdictRecord { length: 1, ..answer(1, 5) };
    assert!(matches!(checker.take(1, bytemuck::cast(full), &posted), Err(RecordError::Committed { .. })));
    assert_eq!(checker.take(1, bytemuck::cast(answer(1, 5)), &posted), Ok(Event::Committed(5)));
    let old = checker.take(2, bytemuck::cast(good(1, 0)), &posted);
    assert_eq!(old, Err(RecordError::Version { index: 2, is: 0, should: 5 }));
}

#[test]
fn a_status_line_is_given_once_and_none_before_the_first() {
    let region = |bytes| {
        let memory = Arc::new(DmaMemory::new(bytes).unwrap());
        DmaRegion::new(memory, Iova(0x1000), Direction::C2h, || {})
    };
    let mut ring = C2hRing::new(region(4096), region(64), 8);
    assert_eq!(ring.status(), None);
    for _ in 0..2 {
        // As the card writes them: word 0 holds both indices, word 2 the number of the line.
        ring.status_region().memory().store(0, 0x0000_0008_0000_0005);
        ring.status_region().memory().store(16, 1 << 32);
        let line = ring.status().expect("a line");
        assert_eq!((line.h2c_cidx, line.c2h_pidx, line.writes), (5, 8, 1));
        assert_eq!(ring.status(), None);
        ring.restart();
        assert_eq!(ring.status(), None);
    }
}

proptest! {
    /// Random records, mixed with good ones: no panic, and no verdict but that of the next packet.
    #[test]
    fn no_record_gives_a_verdict_to_another_packet(
        records in prop::collection::vec((0u8..4, any::<[u64; 2]>(), 0u32..128), 0..60),
    ) {
        let mut checker = Checker::default();
        let posted = Sixty(1000);
        let mut next = 0;
        for (n, (kind, random, bit)) in records.into_iter().enumerate() {
            let good: [u64; 2] = bytemuck::cast(good(checker.sequence(), 0));
            let record = match kind {
                0 => random,
                1 if bit < 64 => [good[0] ^ 1 << bit, good[1]],
                1 => [good[0], good[1] ^ 1 << (bit - 64)],
                _ => good,
            };
            if let Ok(Event::Verdict(verdict)) = checker.take(n as u32, record, &posted) {
                prop_assert_eq!(verdict.packet, next);
                prop_assert_eq!(verdict.length, posted.length(next as u32));
                next += 1;
            }
            prop_assert_eq!(u64::from(checker.sequence()), next);
        }
    }
}

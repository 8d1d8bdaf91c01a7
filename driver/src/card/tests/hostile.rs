//! A card that writes whatever it likes, and whose memory changes while it is read: the driver reads and writes nothing
//! but its own memory (every access goes through [`DmaMemory`], which checks its bounds), never panics and never hangs.
//!
//! What a card can forge so that it looks right, a rule's number for instance, nobody can find out; so the verdicts are
//! held against what the driver promises of them: each packet at most one, in order, with its own length.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use wiresift_abi::c2h::{PRESENCE_BITS, PresenceRecord, RECORD_BYTES, RecordKind, VerdictRecord};

use super::*;
use crate::c2h::{Checker, Posted};
use crate::dma::{DmaMemory, WORD_BYTES};
use crate::transport::{Direction, DmaRegion, TransportError};

fn many(long: u64, part: u64) -> u64 {
    if std::env::var_os("WIRESIFT_LONG").is_some_and(|value| value == "1") { long } else { long / part }
}

/// What the checker is told was posted: everything up to some number, of lengths that follow from it.
struct Announced(u32);

impl Posted for Announced {
    fn announced(&self) -> u32 {
        self.0
    }
    fn length(&self, sequence: u32) -> u16 {
        sequence as u16 % 9000
    }
}

/// Ten million records, from wholly random ones to right ones with one thing wrong: what is taken is right, and the short way
/// takes what the long one takes, no more and no less.
#[test]
fn random_records_give_nothing_that_was_not_posted() {
    let (count, start) = (10_000_000, Instant::now());
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let (mut checker, mut index, mut verdicts, mut refused) = (Checker::default(), 0_u32, 0_u64, 0_u64);
    let (mut announced, mut with_presence) = (false, 0_u64);
    let posted = Announced(u32::MAX);
    for n in 0..count {
        let sequence = checker.sequence();
        let right = VerdictRecord {
            sequence,
            acl: rng.random_range(0..1 << 20),
            flags: 0,
            length: posted.length(sequence),
            version: 0,
            control: c2h::control(RecordKind::Verdict, 0, false),
        };
        let presence = PresenceRecord {
            words: rng.random(),
            sequence: sequence as u16,
            control: c2h::control(RecordKind::Presence, 0, false),
        };
        // What was announced comes one time in two.
        let is_due = announced && rng.random();
        let mut record: [u64; 2] = if is_due { bytemuck::cast(presence) } else { bytemuck::cast(right) };
        match rng.random_range(0..4) {
            0 => record = rng.random(),
            1 => record[rng.random_range(0..2)] ^= 1 << rng.random_range(0..64),
            2 => record[1] = (record[1] & ((1 << 48) - 1)) | (u64::from(rng.random::<u16>()) << 48),
            _ => {}
        }
        if !is_due && rng.random_ratio(1, 8) {
            record[1] ^= 1 << (48 + c2h::PRESENCE_BIT);
        }
        let words = record.map(u64::to_le);
        let given: VerdictRecord = bytemuck::cast(words);
        let mut short = checker.clone();
        let plain = short.take_plain(index, record, &posted);
        let result = checker.take(index, record, &posted);
        match (plain, &result) {
            (Some(plain), Ok(Event::Verdict(verdict))) if plain == *verdict => assert_eq!(short, checker),
            (None, Ok(Event::Verdict(verdict))) => {
                let has_lists = !verdict.ids().is_empty() || !verdict.hits().is_empty();
                assert!(has_lists || verdict.presence().next().is_some(), "record {n}: {given:?}");
            }
            (None, _) => {}
            both => panic!("record {n}: {given:?} is {both:?}"),
        }
        if let Ok(event) = &result {
            announced = *event == Event::Nothing && c2h::has_presence(given.control);
        }
        match result {
            Ok(Event::Verdict(verdict)) => {
                verdicts += 1;
                with_presence += u64::from(verdict.presence().next().is_some());
                assert_eq!(verdict.packet, u64::from(sequence), "record {n}");
                assert_eq!(verdict.length, posted.length(sequence), "record {n}");
                assert!(verdict.acl.is_none_or(|acl| acl < 1 << 20) && verdict.ids().len() <= 6);
                assert!(verdict.ids().iter().all(|id| *id < 1 << 20), "record {n}: {given:?}");
                assert!(
                    verdict.presence().all(|bit| usize::from(bit) < PRESENCE_BITS),
                    "record {n}: {given:?}"
                );
                index = index.wrapping_add(1);
            }
            Ok(Event::Nothing) => index = index.wrapping_add(1),
            Ok(Event::Committed(version)) => panic!("record {n}: COMMIT {version} was never asked for"),
            Err(_) => {
                refused += 1;
                assert_eq!(checker.sequence(), sequence, "a refused record answers nothing");
                if rng.random_ratio(1, 4) {
                    // What a recovery does.
                    (checker, index, announced) = (Checker::default(), 0, false);
                }
            }
        }
    }
    assert!(verdicts > count / 100 && refused > count / 10, "{verdicts} verdicts, {refused} refused");
    assert!(with_presence > count / 1000, "{with_presence} verdicts with presence bits");
    println!("{count} records: {verdicts} verdicts, {refused} refused, in {:?}", start.elapsed());
}

/// A fake card whose answers are spoiled on their way: in memory, and in registers.
struct Hostile {
    card: FakeCard,
    rng: ChaCha8Rng,
    /// Records, words and registers are spoiled one time in so many.
    one_in: u32,
    spoiled: u64,
}

impl Hostile {
    fn spoil_memory(&mut self) {
        if !self.rng.random_ratio(1, self.one_in) {
            return;
        }
        for memory in self.card.writable() {
            for _ in 0..self.rng.random_range(1..20) {
                self.spoiled += 1;
                let offset = self.rng.random_range(0..memory.bytes() / WORD_BYTES) * WORD_BYTES;
                let value = match self.rng.random_range(0..4) {
                    0 => self.rng.random(),
                    1 => u64::MAX,
                    2 => memory.load(offset).wrapping_add(1 << self.rng.random_range(0..64)),
                    // A record from somewhere else.
                    _ => memory.load(offset ^ RECORD_BYTES),
                };
                memory.store(offset, value);
            }
        }
    }
}

impl Transport for Hostile {
    fn read_register(&mut self, offset: u16) -> Result<u32, TransportError> {
        let right = self.card.read_register(offset)?;
        if offset < Csr::Status as u16 || !self.rng.random_ratio(1, self.one_in) {
            return Ok(right);
        }
        self.spoiled += 1;
        Ok(match self.rng.random_range(0..3) {
            0 => u32::MAX,
            1 => right.wrapping_add(self.rng.random_range(0..8)).wrapping_sub(4),
            _ => self.rng.random(),
        })
    }
    fn write_register(&mut self, offset: u16, value: u32) -> Result<(), TransportError> {
        self.card.write_register(offset, value)
    }
    fn map(&mut self, bytes: usize, direction: Direction) -> Result<DmaRegion, TransportError> {
        self.card.map(bytes, direction)
    }
    fn wait_interrupt(&mut self, timeout_ns: u64) -> Result<bool, TransportError> {
        Ok(self.card.wait_interrupt(timeout_ns)? ^ self.rng.random_ratio(1, self.one_in))
    }
    fn reset_function(&mut self) -> Result<(), TransportError> {
        self.card.reset_function()
    }
    fn is_contained(&self) -> bool {
        true
    }
    fn relax(&mut self) {
        self.card.relax();
        self.spoil_memory();
    }
    fn now_ns(&self) -> u64 {
        self.card.now_ns()
    }
}

/// One card from its opening to the last packet, or to the error with which the driver gives it up. `share` is given the
/// memory that the card may write. Gives the verdicts, and the words spoiled.
fn live(hostile: Hostile, seed: u64, packets: usize, share: impl FnOnce(Vec<Arc<DmaMemory>>)) -> (u64, u64) {
    let Ok(mut card) = Card::open(hostile, config()) else { return (0, 0) };
    share(card.transport().card.writable());
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (mut lengths, mut next, mut taken) = (Vec::new(), 0, 0);
    let mut loaded = card.load(&image(&LAB, 3)).map(|_| ());
    while let Err(error) = loaded {
        // Until rules are in force a recovery has none to load again.
        match card.recover(error) {
            Ok(()) => loaded = card.load(&image(&LAB, 3)).map(|_| ()),
            Err(_) => return (0, card.transport().spoiled),
        }
    }
    let mut steps = 0_u64;
    while (taken as usize) < packets {
        steps += 1;
        assert!(steps < 2_000_000, "seed {seed}: {taken} of {packets} packets after {steps} steps");
        let packet = vec![7; rng.random_range(0..300)];
        let mut verdicts = Vec::new();
        let driven = card.post([packet.as_slice()].into_iter().filter(|_| next < packets));
        let driven = driven.and_then(|count| {
            if count == 1 {
                lengths.push(packet.len());
                next += 1;
            }
            card.poll(&mut verdicts).map(|_| ())
        });
        for verdict in &verdicts {
            assert_eq!(verdict.packet, taken, "seed {seed}");
            assert_eq!(usize::from(verdict.length), lengths[taken as usize], "seed {seed}");
            assert!((taken as usize) < next, "seed {seed}: a verdict for a packet that was not posted");
            taken += 1;
        }
        if let Err(error) = driven
            && card.recover(error).is_err()
        {
            break;
        }
    }
    (taken, card.transport().spoiled)
}

#[test]
fn a_hostile_card_is_given_up_or_answers() {
    let (wanted, start) = (many(10_000_000, 20), Instant::now());
    let (mut spoiled, mut verdicts, mut lives) = (0, 0, 0_u64);
    while spoiled < wanted {
        let one_in = [1, 3, 10, 60][lives as usize % 4];
        let card = FakeCard::new(&LAB, lives, vec![]).contained();
        let hostile = Hostile { card, rng: ChaCha8Rng::seed_from_u64(lives), one_in, spoiled: 0 };
        let (taken, words) = live(hostile, lives, 400, drop);
        (verdicts, spoiled, lives) = (verdicts + taken, spoiled + words, lives + 1);
    }
    assert!(verdicts > lives, "{verdicts} verdicts in {lives} lives");
    println!("{spoiled} words spoiled in {lives} lives, {verdicts} verdicts, in {:?}", start.elapsed());
}

/// Another thread writes into rings and status line all the while, so that two reads of the same word differ.
#[test]
fn memory_that_changes_while_it_is_read_harms_nothing() {
    let (lives, start) = (many(400, 20), Instant::now());
    let (is_done, written) = (AtomicBool::new(false), AtomicU64::new(0));
    let target: Mutex<Vec<Arc<DmaMemory>>> = Mutex::default();
    let mut verdicts = 0;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut rng = ChaCha8Rng::seed_from_u64(5);
            while !is_done.load(Ordering::Relaxed) {
                let memories = target.lock().unwrap().clone();
                for memory in memories.iter().cycle().take(64) {
                    // The beginning, where the driver looks most.
                    let words = (memory.bytes() / WORD_BYTES).min(64);
                    memory.store(rng.random_range(0..words) * WORD_BYTES, rng.random());
                    written.fetch_add(1, Ordering::Relaxed);
                }
                std::thread::yield_now();
            }
        });
        for seed in 0..lives {
            let card = FakeCard::new(&LAB, seed, vec![]).contained();
            let hostile = Hostile { card, rng: ChaCha8Rng::seed_from_u64(seed), one_in: 200, spoiled: 0 };
            verdicts += live(hostile, seed, 400, |memories| *target.lock().unwrap() = memories).0;
        }
        is_done.store(true, Ordering::Relaxed);
    });
    let written = written.load(Ordering::Relaxed);
    assert!(written > 0);
    println!(
        "{lives} lives, {written} words written meanwhile, {verdicts} verdicts, in {:?}",
        start.elapsed()
    );
}

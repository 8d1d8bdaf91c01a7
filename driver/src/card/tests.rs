//! The driver against the fake card: at random moments, with everything that can go wrong.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::VecDeque;
use std::error::Error;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use wiresift_abi::c2h::{self, RECORD_BYTES, RecordKind};
use wiresift_abi::command::{Command, Opcode};
use wiresift_abi::csr::{self, ErrorCode};
use wiresift_abi::geometry::{LAB, LINE};
use wiresift_abi::image::Image;

use super::*;
use crate::c2h::RecordError;
use crate::conservation::{CallerCounters, ConservationError};
use crate::dma::WORD_BYTES;
use crate::error::Cause;
use crate::fake::{FakeCard, Fault, SharedMappings, answer, hits_by, presence_by};
use crate::ring::RingSize;

mod endurance;
mod hostile;

const VERSION: u16 = 0x1234;

/// Small rings, which are full and go round often.
fn config() -> Config {
    Config { h2c_lines_log2: 8, c2h_records_log2: 8, ..Config::default() }
}

fn image(geometry: &'static Geometry, masks: usize) -> Image {
    let mut lines = vec![Command::new(Opcode::Clear, 0).to_line()];
    lines.extend((0..masks).map(|_| Command::new(Opcode::WriteMask, 0).to_line()));
    lines.push(Command::new(Opcode::Commit, VERSION).to_line());
    Image::new(geometry, lines, Vec::new()).unwrap()
}

fn packets(rng: &mut ChaCha8Rng, count: usize) -> Vec<Vec<u8>> {
    (0..count)
        .map(|_| {
            let length = match rng.random_range(0..10) {
                0 => rng.random_range(0..4),
                1 => rng.random_range(1400..1600),
                2 if rng.random_ratio(1, 8) => 9216,
                3 => 64 * rng.random_range(1..4) + rng.random_range(0..3) - 1,
                _ => rng.random_range(60..130),
            };
            (0..length).map(|_| rng.random()).collect()
        })
        .collect()
}

/// A caller: posts packets in random portions, and checks every verdict by its packet's bytes.
struct Caller<T: Transport = FakeCard> {
    card: Card<T>,
    rng: ChaCha8Rng,
    posted: VecDeque<Vec<u8>>,
    counters: CallerCounters,
    /// Errors recovered from.
    errors: Vec<DriverError>,
    /// What the first of them said.
    first_error: String,
}

impl Caller {
    fn try_new(seed: u64, faults: Vec<Fault>) -> Result<Self, DriverError> {
        Self::on(FakeCard::new(&LAB, seed, faults), seed)
    }

    fn new(seed: u64, faults: Vec<Fault>) -> Self {
        let mut caller = Self::try_new(seed, faults).unwrap();
        let image = image(&LAB, 300);
        while let Err(error) = caller.card.load(&image).map(|_| ()) {
            caller.recover(error).unwrap();
        }
        caller
    }
}

impl<T: Transport> Caller<T> {
    fn on(transport: T, seed: u64) -> Result<Self, DriverError> {
        Self::with(transport, config(), seed)
    }

    fn with(transport: T, config: Config, seed: u64) -> Result<Self, DriverError> {
        let card = Card::open(transport, config)?;
        let rng = ChaCha8Rng::seed_from_u64(seed ^ 77);
        let (posted, errors) = (VecDeque::new(), Vec::new());
        let (counters, first_error) = (CallerCounters::default(), String::new());
        Ok(Self { card, rng, posted, counters, errors, first_error })
    }

    fn recover(&mut self, error: DriverError) -> Result<(), DriverError> {
        if self.errors.is_empty() {
            self.first_error = format!("{error}: {:?}", error.source().map(ToString::to_string));
        }
        self.errors.push(DriverError::Stopped);
        let result = self.card.recover(error);
        if result.is_ok() {
            assert_eq!(self.card.in_flight() as usize, self.posted.len());
        }
        result
    }

    fn poll(&mut self) -> Result<(), DriverError> {
        let mut verdicts = Vec::new();
        let result = self.card.poll(&mut verdicts);
        for verdict in &verdicts {
            let packet = self.posted.pop_front().expect("a verdict for a packet in flight");
            assert_eq!(verdict.packet, self.counters.verdicts);
            self.counters.verdicts += 1;
            let (acl, flags, ids) = answer(&packet);
            assert_eq!((verdict.acl, verdict.flags, verdict.ids()), (acl, flags, &ids[..]));
            assert_eq!(verdict.hits(), hits_by(&packet, 0));
            assert_eq!(verdict.presence_words(), presence_by(&packet, 0));
            assert_eq!((usize::from(verdict.length), verdict.version), (packet.len(), VERSION));
        }
        result.map(|count| assert_eq!(count, verdicts.len()))
    }

    /// Puts all packets through; ends with the error that could not be recovered from.
    fn run(&mut self, packets: &[Vec<u8>]) -> Result<(), DriverError> {
        let mut next = 0;
        while next < packets.len() || !self.posted.is_empty() {
            let portion = self.rng.random_range(0..100).min(packets.len() - next);
            let some = packets[next..next + portion].iter().map(Vec::as_slice);
            let result = match self.card.post(some) {
                Ok(taken) => {
                    self.posted.extend(packets[next..next + taken].iter().cloned());
                    self.counters.posted += taken as u64;
                    next += taken;
                    if self.rng.random() { self.card.doorbell() } else { Ok(()) }
                }
                Err(error) => Err(error),
            };
            if let Err(error) = result.and_then(|()| self.poll()) {
                self.recover(error)?;
            }
        }
        Ok(())
    }

    fn run_and_balance(&mut self, seed: u64, count: usize) {
        let all = packets(&mut ChaCha8Rng::seed_from_u64(seed), count);
        self.run(&all).unwrap();
        assert_eq!(self.counters.verdicts as usize, count);
        self.card.conservation(self.counters).unwrap();
    }
}

fn look(mappings: &SharedMappings) -> (usize, u64) {
    let mappings = mappings.lock().unwrap();
    (mappings.regions(), mappings.torn)
}

#[test]
fn every_packet_gets_its_verdict_in_order() {
    for seed in 0..30 {
        let mut caller = Caller::new(seed, vec![]);
        caller.run_and_balance(seed, 2000);
        assert_eq!(caller.errors.len(), 0);
        let counters = caller.card.counters().clone();
        assert_eq!((counters.posted, counters.verdicts, counters.replayed), (2000, 2000, 0));
        let mappings = caller.card.transport().mappings();
        assert_eq!(look(&mappings), (3, 0));
        caller.card.shutdown().unwrap();
        assert_eq!(look(&mappings), (0, 0), "seed {seed}");
    }
}

/// Each fault alone, early, in the middle, late: the driver names it, recovers, loses nothing.
#[test]
fn every_fault_is_seen_named_and_recovered_from() {
    use ErrorCode::ReadResponse;
    let far = u32::MAX / 2;
    type Make = fn(u64, u32) -> Fault;
    let cases: [(Make, Cause); 14] = [
        (|at, _| Fault::Damage { at, mask: 1 << 100 }, Cause::Record),
        (|at, _| Fault::Damage { at, mask: 1 << (96 + 31) }, Cause::Record),
        (|at, _| Fault::Damage { at, mask: 1 << 114 }, Cause::Record),
        // The phase: the record looks as if it were never written.
        (|at, _| Fault::Damage { at, mask: 1 << 112 }, Cause::RecordsLost),
        (|at, _| Fault::LoseLine { at }, Cause::RecordsLost),
        // Not the answer to the COMMIT, behind which nothing comes.
        (|at, _| Fault::Drop { at: at + 1 }, Cause::Record),
        (|at, _| Fault::Halt { at, error: ReadResponse }, Cause::Halted),
        (|at, _| Fault::Hang { at, forever: false }, Cause::Stalled),
        (|at, far| Fault::WildStatus { at: at / 9, word: 0, value: far }, Cause::Index),
        (|at, far| Fault::WildStatus { at: at / 9, word: 1, value: far }, Cause::Index),
        (|at, _| Fault::WildStatus { at: at / 9, word: 2, value: csr::STATUS_HALTED }, Cause::Halted),
        (|at, _| Fault::WildStatus { at: at / 9, word: 3, value: 77 }, Cause::Halted),
        (|at, _| Fault::Halt { at, error: ErrorCode::BadSequence }, Cause::Halted),
        (|at, _| Fault::Hang { at: at + 1, forever: false }, Cause::Stalled),
    ];
    for (n, (fault, cause)) in cases.into_iter().enumerate() {
        for at in [0, 1, 5, 31, 100, 513, 900] {
            let seed = n as u64 * 100 + at;
            let mut caller = Caller::new(seed, vec![fault(at, far)]);
            caller.run_and_balance(seed, 1500);
            let counters = caller.card.counters();
            assert!(counters.errors_of(cause) >= 1, "{:?} {counters:?}", fault(at, far));
            assert!(counters.recoveries >= 1);
            assert_eq!(
                caller.errors.len() as u64,
                counters.errors.iter().sum::<u64>().min(caller.errors.len() as u64)
            );
        }
    }
}

#[test]
fn lost_status_lines_and_doorbells_only_cost_time() {
    for at in [0, 1, 20] {
        for seed in 0..5 {
            let mut caller = Caller::new(seed, vec![Fault::LoseStatus { at }]);
            caller.run_and_balance(seed, 800);
            let counters = caller.card.counters();
            assert_eq!(counters.errors, [0; 6], "{at}");
            // Only a status line says that commands were taken, and these are more than the ring holds.
            assert!(at > 0 || counters.rereads > 0);
        }
    }
    let mut caller = Caller::new(6, vec![]);
    let at = caller.card.transport().doorbells;
    caller.card.transport_mut().add(Fault::LoseDoorbell { at });
    let packets = packets(&mut caller.rng, 1);
    caller.run(&packets).unwrap();
    assert!(caller.card.transport().doorbells > at + 1);
    assert!(caller.card.counters().rereads > 0);
    assert_eq!(caller.card.counters().errors, [0; 6]);
}

/// The driver reads registers only when nothing comes; a lost doorbell makes it.
#[test]
fn registers_that_do_not_answer_are_an_error_that_passes_or_ends() {
    for (count, is_mended) in [(1, true), (3, true), (100, false)] {
        let mut caller = Caller::new(6, vec![]);
        let (at, doorbell) = (caller.card.transport().reads, caller.card.transport().doorbells);
        caller.card.transport_mut().add(Fault::LoseDoorbell { at: doorbell });
        caller.card.transport_mut().add(Fault::Deaf { at, count });
        let result = caller.run(&packets(&mut ChaCha8Rng::seed_from_u64(8), 1));
        assert_eq!(result.is_ok(), is_mended, "{count}: {result:?}");
        assert!(caller.card.counters().errors_of(Cause::Transport) >= 1);
    }
}

/// A caller whose card has answered packets and was not yet looked at.
fn answered(seed: u64) -> Caller {
    let mut caller = Caller::new(seed, vec![]);
    let packets = packets(&mut ChaCha8Rng::seed_from_u64(seed), 60);
    let taken = caller.card.post(packets.iter().map(Vec::as_slice)).unwrap();
    caller.posted.extend(packets.into_iter().take(taken));
    caller.counters.posted += taken as u64;
    caller.card.doorbell().unwrap();
    for _ in 0..10_000 {
        caller.card.transport_mut().relax();
    }
    caller
}

/// Changes the first record that is `wanted` by its control, in the ring of an [`answered`] caller. The
/// driver says what is wrong, and gives out every verdict, and none that is wrong.
fn spoiled(wanted: impl Fn(u16) -> bool, change: impl FnOnce([u64; 2]) -> [u64; 2]) -> RecordError {
    let size = RingSize::new(config().c2h_records_log2);
    let word = |n: u32| size.place(n) * RECORD_BYTES + WORD_BYTES;
    let find = |seed| {
        let caller = answered(seed);
        let first = caller.card.c2h.cidx();
        let memory = caller.card.c2h.region().memory();
        let is_wanted = |n: &u32| wanted((memory.load(word(*n)) >> 48) as u16);
        let at = (first..first + size.entries()).find(is_wanted)?;
        Some((caller, at))
    };
    let (mut caller, at) = (4..100).find_map(find).unwrap();
    let memory = caller.card.c2h.region().memory();
    let changed = change([memory.load(word(at) - WORD_BYTES), memory.load(word(at))]);
    memory.store(word(at) - WORD_BYTES, changed[0]);
    memory.store(word(at), changed[1]);
    // The caller holds every verdict that is given out against the right one.
    let error = caller.poll().unwrap_err();
    let DriverError::Record(wrong) = error else { panic!("{error:?}") };
    caller.recover(error).unwrap();
    caller.run(&[]).unwrap();
    assert_eq!(caller.counters.verdicts, caller.counters.posted);
    assert_eq!(caller.card.counters().verdicts, caller.card.counters().posted);
    caller.card.conservation(caller.counters).unwrap();
    wrong
}

/// Bits of a verdict's control that say what follows.
const FOLLOWS: u64 = 0x1ff << (48 + c2h::IDS_LSB);

/// A verdict that claims less than follows is contradicted by what follows. It was given out once: a million
/// packets with faults at random found it.
#[test]
fn a_verdict_that_denies_what_follows_is_not_given_out() {
    let is_verdict = |control| c2h::kind(control) == Some(RecordKind::Verdict);
    let has_ids = |control| is_verdict(control) && c2h::ids(control) > 0;
    // Neither ids nor patterns nor presence bits.
    let error = spoiled(has_ids, |record| [record[0], record[1] & !FOLLOWS]);
    assert!(matches!(error, RecordError::Kind { is: RecordKind::Ids, .. }), "{error:?}");
    let has_presence = |control| is_verdict(control) && c2h::has_presence(control);
    let error = spoiled(has_presence, |record| [record[0], record[1] & !(1 << (48 + c2h::PRESENCE_BIT))]);
    assert!(matches!(error, RecordError::Kind { is: RecordKind::Presence, .. }), "{error:?}");
    let is_alone = |control| has_presence(control) && c2h::ids(control) + c2h::hits(control) == 0;
    let error = spoiled(is_alone, |record| [record[0], record[1] & !FOLLOWS]);
    assert!(matches!(error, RecordError::Kind { is: RecordKind::Presence, .. }), "{error:?}");
}

/// Presence bits that a verdict announces and that do not come, or are not its own, are missed.
#[test]
fn presence_bits_that_are_lost_or_wrong_are_seen() {
    let is_presence = |control| c2h::kind(control) == Some(RecordKind::Presence);
    let other = |kind: RecordKind| (kind as u64 ^ RecordKind::Presence as u64) << (48 + c2h::KIND_LSB);
    for kind in
        [RecordKind::Pad, RecordKind::Verdict, RecordKind::Ids, RecordKind::Committed, RecordKind::Hits]
    {
        let error = spoiled(is_presence, |record| [record[0], record[1] ^ other(kind)]);
        let RecordError::Kind { is, should, .. } = error else { panic!("{error:?}") };
        assert_eq!((is, should), (kind, "a record of presence bits"));
    }
    let none = spoiled(is_presence, |record| [0, record[1] >> 32 << 32]);
    assert!(matches!(none, RecordError::NoPresence { .. }), "{none:?}");
    let stray = spoiled(is_presence, |record| [record[0], record[1] ^ 1 << 32]);
    assert!(matches!(stray, RecordError::Sequence { .. }), "{stray:?}");
    let counted = spoiled(is_presence, |record| [record[0], record[1] ^ 1 << (48 + c2h::IDS_LSB)]);
    assert!(matches!(counted, RecordError::Control { .. }), "{counted:?}");
}

/// As the card leaves a record out: what comes next stands in its place.
#[test]
fn a_lost_presence_record_costs_no_packet() {
    let mut seen = 0;
    for at in 0..40 {
        let mut caller = Caller::new(at, vec![Fault::Drop { at: 1 + at }]);
        let all = packets(&mut ChaCha8Rng::seed_from_u64(at), 200);
        caller.run(&all).unwrap();
        assert_eq!(caller.counters.verdicts, 200);
        caller.card.conservation(caller.counters).unwrap();
        seen += usize::from(caller.first_error.contains("where a record of presence bits should stand"));
    }
    assert!(seen > 2, "{seen}");
}

/// Many faults at once, flipping anything: a right end or an error, never a wrong verdict or a hang.
#[test]
fn any_mixture_of_faults_ends() {
    for seed in 0..200 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let faults: Vec<_> = (0..rng.random_range(1..9))
            .map(|_| {
                let at = rng.random_range(0..1200);
                match rng.random_range(0..8) {
                    // Version or sequence number, and control: the rest may be the card's judgement.
                    0 => Fault::Damage { at, mask: u128::from(rng.random::<u32>() | 1) << 96 },
                    1 => Fault::Damage { at, mask: 1 << rng.random_range(96..128) },
                    2 => Fault::LoseLine { at: at / 2 },
                    3 => Fault::Drop { at },
                    4 => Fault::LoseStatus { at },
                    5 => Fault::WildStatus { at, word: rng.random_range(0..6), value: rng.random() },
                    6 => Fault::Hang { at, forever: rng.random_ratio(1, 4) },
                    _ => Fault::Deaf { at: 150 + at, count: rng.random_range(1..200) },
                }
            })
            .collect();
        let mut caller = Caller::new(seed, faults.clone());
        let all = packets(&mut rng, 1000);
        let mappings = caller.card.transport().mappings();
        match caller.run(&all) {
            Ok(()) => match caller.card.conservation(caller.counters) {
                // A fault may still be waiting for the reads of the counters.
                Ok(_) | Err(ConservationError::Driver(DriverError::Transport(_))) => {}
                Err(error) => panic!("{faults:?}: {error}"),
            },
            Err(DriverError::GaveUp { tries, source }) => {
                assert_eq!(tries, config().recoveries);
                assert!(source.is_recoverable());
                let counters = caller.card.counters();
                assert_eq!(counters.posted, counters.verdicts + counters.discarded);
            }
            Err(other) => panic!("{other:?}"),
        }
        drop(caller);
        assert_eq!(look(&mappings), (0, 0), "memory is freed after the card has stopped");
    }
}

#[test]
fn a_card_that_never_answers_is_given_up() {
    let mut caller = Caller::new(1, vec![Fault::Hang { at: 50, forever: true }]);
    let error = caller.run(&packets(&mut ChaCha8Rng::seed_from_u64(1), 300)).unwrap_err();
    let DriverError::GaveUp { tries: 3, source } = &error else { panic!("{error:?}") };
    assert!(matches!(**source, DriverError::Stalled { .. }), "{source:?}");
    let source = error.source().expect("the last error").to_string();
    assert!(source.contains("no progress for 1") && source.contains("packets in flight"), "{source}");
    let counters = caller.card.counters();
    assert_eq!(counters.posted, counters.verdicts + counters.discarded);
    assert!(counters.discarded > 0);
    assert!(matches!(caller.poll(), Err(DriverError::Stopped)));
}

/// A packet that gets lost inside the card, with its record, is not made good by anything.
#[test]
fn the_books_show_a_lost_verdict() {
    let mut caller = Caller::new(3, vec![]);
    caller.run_and_balance(3, 100);
    let short = CallerCounters { verdicts: 99, ..caller.counters };
    let error = caller.card.conservation(short).unwrap_err();
    assert_eq!(error.to_string(), "verdicts, by caller and driver: 99 and 100 do not add up");
    caller.card.span.answered -= 1;
    let error = caller.card.conservation(caller.counters).unwrap_err();
    assert!(error.to_string().starts_with("verdicts of the card"), "{error}");
}

#[test]
fn a_card_that_contradicts_itself_is_refused() {
    let registers = [
        Csr::Id,
        Csr::AbiVersion,
        Csr::Geometry,
        Csr::BeatBytes,
        Csr::NarrowTables,
        Csr::NarrowBucketsLog2,
        Csr::WideTables,
        Csr::WideBucketsLog2,
        Csr::BucketSlots,
        Csr::TcamEntries,
    ];
    for csr in registers {
        let error = Caller::try_new(0, vec![Fault::Register { csr, value: 99 }]).err().expect("refused");
        match error {
            DriverError::UnknownGeometry(99) => assert_eq!(csr, Csr::Geometry),
            DriverError::Register { csr: named, is: 99, .. } => assert_eq!(csr, named),
            other => panic!("{other:?}"),
        }
    }
    // A base address that does not hold.
    let error = Caller::try_new(0, vec![Fault::Register { csr: Csr::C2hBaseLo, value: 0 }]).err();
    assert!(matches!(error, Some(DriverError::Register { csr: Csr::C2hBaseLo, is: 0, .. })));
    // `line` where every size is that of `lab`.
    let error = Caller::try_new(0, vec![Fault::Register { csr: Csr::Geometry, value: LINE.id }]).err();
    assert!(matches!(error, Some(DriverError::Register { csr: Csr::BeatBytes, is: 16, should: 64 })));
}

#[test]
fn what_the_caller_does_wrong_is_an_error_and_harms_nothing() {
    for (h2c_lines_log2, c2h_records_log2) in [(5, 8), (21, 8), (8, 7), (8, 23)] {
        let config = Config { h2c_lines_log2, c2h_records_log2, ..config() };
        let error = Card::open(FakeCard::new(&LAB, 0, vec![]), config).err();
        assert!(matches!(error, Some(DriverError::RingSize { .. })));
    }
    let mut caller = Caller::try_new(0, vec![]).unwrap();
    assert!(matches!(caller.card.post([&[0u8; 60][..]]), Err(DriverError::NotLoaded)));
    let error = caller.card.load(&image(&LINE, 1)).unwrap_err();
    assert_eq!(error.to_string(), "the rule image is for geometry `line`, the card has `lab`");
    let loaded = caller.card.load(&image(&LAB, 700)).unwrap();
    assert_eq!((loaded.version, loaded.commands), (VERSION, 702));
    assert!(loaded.nanos > 0);
    let error = caller.card.post([&[0u8; 9217][..]]).unwrap_err();
    assert_eq!(
        error.source().expect("why").to_string(),
        "a packet of 9217 bytes is longer than the 9216 that the card takes"
    );
    assert!(!error.is_recoverable());
    assert!(matches!(caller.card.recover(error), Err(DriverError::Packet(_))));
    assert_eq!(caller.card.post([&[0u8; 60][..]]).unwrap(), 1);
    caller.posted.push_back(vec![0; 60]);
    caller.counters.posted += 1;
    assert!(matches!(caller.card.load(&image(&LAB, 1)), Err(DriverError::InFlight(1))));
    caller.run_and_balance_rest();
}

impl Caller {
    fn run_and_balance_rest(&mut self) {
        self.run(&[]).unwrap();
        self.card.conservation(self.counters).unwrap();
    }
}

/// An image whose COMMIT is answered by a halt: the image before stays loaded.
#[test]
fn a_failed_load_brings_the_image_before_back() {
    let mut caller = Caller::new(5, vec![Fault::Damage { at: 1, mask: 1 << 100 }]);
    let error = caller.card.load(&image(&LAB, 3)).unwrap_err();
    assert!(matches!(error, DriverError::Record(crate::c2h::RecordError::Version { .. })), "{error:?}");
    assert!(matches!(caller.card.post([&[0u8; 60][..]]), Err(DriverError::Stopped)));
    caller.card.recover(error).unwrap();
    assert_eq!(caller.card.tables, Some(Tables::of(&LAB, image(&LAB, 300).lines())));
    caller.run_and_balance(5, 300);
}

#[test]
fn an_interrupt_comes_for_what_is_posted_and_none_for_nothing() {
    let mut caller = Caller::new(9, vec![]);
    while caller.card.is_awaited() {
        caller.poll().unwrap();
    }
    let _late = caller.card.wait(100_000).unwrap();
    assert!(!caller.card.wait(100_000).unwrap());
    let all = packets(&mut caller.rng, 20);
    assert_eq!(caller.card.post(all.iter().map(Vec::as_slice)).unwrap(), 20);
    assert!(caller.card.wait(1_000_000).unwrap());
}

/// Somebody resets the card behind the driver's back.
#[test]
fn a_card_that_was_reset_is_brought_back_and_its_books_begin_anew() {
    let mut caller = Caller::new(4, vec![]);
    caller.run_and_balance(4, 200);
    caller.card.transport_mut().reset_function().unwrap();
    let all = packets(&mut ChaCha8Rng::seed_from_u64(4), 50);
    caller.run(&all).unwrap();
    assert_eq!(caller.card.counters().errors_of(Cause::Index), 1);
    caller.card.conservation(caller.counters).unwrap();
}

/// Records that came before the interrupt was armed raise none.
#[test]
fn records_that_are_there_need_no_interrupt() {
    let mut caller = Caller::new(9, vec![]);
    let all = packets(&mut caller.rng, 5);
    caller.card.post(all.iter().map(Vec::as_slice)).unwrap();
    caller.card.doorbell().unwrap();
    for _ in 0..200 {
        caller.card.transport_mut().relax();
    }
    assert!(caller.card.wait(0).unwrap());
}

/// A card that can be neither stopped nor reset may still write: its memory is never freed.
#[test]
fn memory_of_a_card_that_cannot_be_stopped_is_kept() {
    let mut caller = Caller::new(2, vec![Fault::Hang { at: 3, forever: true }, Fault::NoReset { at: 1 }]);
    let mappings = caller.card.transport().mappings();
    let error = caller.run(&packets(&mut ChaCha8Rng::seed_from_u64(1), 30)).unwrap_err();
    let DriverError::GaveUp { source, .. } = error else { panic!("{error:?}") };
    assert!(matches!(*source, DriverError::Transport(_)), "{source:?}");
    drop(caller);
    assert_eq!(look(&mappings), (3, 0));
}

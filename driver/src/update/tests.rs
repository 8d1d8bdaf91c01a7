//! Transactions on the fake card, whose answers tell what its tables hold: a verdict of half a transaction,
//! or of another version than it carries, is seen.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use wiresift_abi::csr::ErrorCode;
use wiresift_abi::entry;
use wiresift_abi::geometry::{LAB, WAYS};
use wiresift_abi::image::Image;

use super::*;
use crate::card::Config;
use crate::conservation::{CallerCounters, ConservationError};
use crate::fake::{FakeCard, Fault, Slots, answer_by};

/// Small rings: a large transaction is more than one holds.
const CONFIG: Config = Config {
    h2c_lines_log2: 8,
    c2h_records_log2: 8,
    reread_ns: 20_000,
    timeout_ns: 1_000_000,
    recoveries: 3,
    spin_ns: u64::MAX,
};

/// A packet in flight: its bytes, and version and hash of the tables that are to decide it.
struct Posted {
    packet: Vec<u8>,
    version: u16,
    tables: u64,
}

struct Caller {
    card: Card<FakeCard>,
    rng: ChaCha8Rng,
    slots: Slots,
    version: u16,
    tables: u64,
    posted: VecDeque<Posted>,
    counters: CallerCounters,
    updates: u64,
}

fn write(rng: &mut ChaCha8Rng) -> Command {
    let table = rng.random_range(0..LAB.tables() as u8);
    let mut command = Command::new(Opcode::WriteSlot, rng.random_range(0..8));
    (command.table, command.slot) = (table, rng.random_range(0..(WAYS * LAB.bucket_slots) as u8));
    if rng.random_ratio(2, 3) {
        command.data = command.data.with(entry::KIND, 1).with(entry::ID, rng.random_range(0..1 << 20));
    }
    command
}

impl Caller {
    fn new(seed: u64, faults: Vec<Fault>) -> Self {
        let mut card = Card::open(FakeCard::new(&LAB, seed, faults).by_tables(), CONFIG).unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut commands = vec![Command::new(Opcode::Clear, 0)];
        commands.extend((0..40).map(|_| write(&mut rng)));
        commands.push(Command::new(Opcode::Commit, 1));
        let mut slots = Slots::default();
        commands.iter().for_each(|command| slots.run(command));
        let image = Image::new(&LAB, commands.iter().map(Command::to_line).collect(), Vec::new()).unwrap();
        while let Err(error) = card.load(&image).map(|_| ()) {
            card.recover(error).unwrap();
        }
        let tables = slots.hash();
        let (posted, counters) = (VecDeque::new(), CallerCounters::default());
        Self { card, rng, slots, version: 1, tables, posted, counters, updates: 0 }
    }

    /// Posts a transaction; its size is often small and sometimes more than the ring.
    fn update(&mut self) -> Result<(), DriverError> {
        let most = [3, 20, 100, 600][self.rng.random_range(0..4)];
        let count = self.rng.random_range(0..most);
        let mut commands: Vec<Command> = (0..count).map(|_| write(&mut self.rng)).collect();
        if self.rng.random_ratio(1, 10) {
            commands.insert(0, Command::new(Opcode::Clear, 0));
        }
        let version = self.version % u16::MAX + 1;
        commands.push(Command::new(Opcode::Commit, version));
        // Posted whether or not the card fails meanwhile.
        commands.iter().for_each(|command| self.slots.run(command));
        (self.version, self.tables) = (version, self.slots.hash());
        self.updates += 1;
        let given = self.card.update(commands.iter().map(Command::to_line).collect())?;
        assert_eq!(given, version);
        Ok(())
    }

    fn post(&mut self) -> Result<(), DriverError> {
        let count = self.rng.random_range(0..60);
        let packets: Vec<Vec<u8>> = (0..count)
            .map(|_| {
                let bytes = self.rng.random_range(0..200);
                (0..bytes).map(|_| self.rng.random()).collect()
            })
            .collect();
        let taken = self.card.post(packets.iter().map(Vec::as_slice))?;
        self.counters.posted += taken as u64;
        for packet in packets.into_iter().take(taken) {
            self.posted.push_back(Posted { packet, version: self.version, tables: self.tables });
        }
        if self.rng.random() { self.card.doorbell() } else { Ok(()) }
    }

    fn poll(&mut self) -> Result<(), DriverError> {
        let mut verdicts = Vec::new();
        let result = self.card.poll(&mut verdicts);
        for verdict in &verdicts {
            let Posted { packet, version, tables } = self.posted.pop_front().expect("a packet in flight");
            assert_eq!((verdict.packet, verdict.version), (self.counters.verdicts, version));
            self.counters.verdicts += 1;
            let (acl, flags, ids) = answer_by(&packet, tables);
            assert_eq!((verdict.acl, verdict.flags, verdict.ids()), (acl, flags, &ids[..]));
        }
        result.map(|_| ())
    }

    /// Packets, transactions and polls in random order; recovers from what goes wrong.
    fn run(&mut self, steps: usize) -> Result<(), DriverError> {
        for step in 0.. {
            let result = match self.rng.random_range(0..5) {
                _ if step >= steps && self.posted.is_empty() && self.card.updates_under_way() == 0 => break,
                0 if step < steps => self.update(),
                1 | 2 if step < steps => self.post(),
                _ => self.poll(),
            };
            if let Err(error) = result {
                self.card.recover(error)?;
            }
            assert_eq!(self.card.in_flight() as usize, self.posted.len());
        }
        assert_eq!(self.card.version(), self.version);
        assert_eq!(self.card.counters().updates, self.updates);
        match self.card.conservation(self.counters) {
            // A fault may still be waiting for the reads of the counters.
            Ok(_) | Err(ConservationError::Driver(DriverError::Transport(_))) => Ok(()),
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn every_verdict_is_that_of_the_version_it_carries() {
    for seed in 0..40 {
        let mut caller = Caller::new(seed, vec![]);
        caller.run(400).unwrap();
        assert!(caller.updates > 40 && caller.counters.verdicts > 1000);
        assert_eq!(caller.card.counters().recoveries, 0);
    }
}

/// Each fault alone, at many moments: in the load, between transactions, in the middle of one.
#[test]
fn a_fault_tears_no_transaction_apart() {
    type Make = fn(u64) -> Fault;
    let cases: [Make; 8] = [
        |at| Fault::HaltAtCommand { at: 3 * at, error: ErrorCode::ReadResponse },
        |at| Fault::HangAtCommand { at: 3 * at },
        |at| Fault::Halt { at, error: ErrorCode::ReadResponse },
        |at| Fault::Hang { at, forever: false },
        |at| Fault::Damage { at, mask: 1 << 100 },
        |at| Fault::LoseLine { at: at / 2 },
        |at| Fault::Drop { at: at + 1 },
        |at| Fault::WildStatus { at: at / 9, word: 0, value: u32::MAX / 2 },
    ];
    let mut again = 0;
    for (n, fault) in cases.into_iter().enumerate() {
        for at in [0, 1, 5, 14, 31, 40, 77, 100, 160, 333, 513, 700] {
            let seed = n as u64 * 1000 + at;
            let mut caller = Caller::new(seed, vec![fault(at)]);
            caller.run(250).unwrap();
            assert!(caller.card.counters().recoveries >= 1, "{:?}", fault(at));
            again += caller.card.counters().updates_again;
        }
    }
    assert!(again > 50, "{again} transactions were posted again");
}

/// Many faults, some of them while the card recovers from others.
#[test]
fn any_mixture_of_faults_ends() {
    let mut ended = 0;
    for seed in 0..150 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x5555);
        let faults: Vec<_> = (0..rng.random_range(1..12))
            .map(|_| {
                let at = rng.random_range(45..1500);
                match rng.random_range(0..8) {
                    0 => Fault::HaltAtCommand { at: 3 * at, error: ErrorCode::BadCommand },
                    1 => Fault::HangAtCommand { at: 3 * at },
                    2 => Fault::Halt { at, error: ErrorCode::BadLength },
                    3 => Fault::LoseLine { at: at / 2 },
                    // The version: another number of ids may be what the card meant.
                    4 => Fault::Damage { at, mask: 1 << rng.random_range(96..112) },
                    5 => Fault::LoseStatus { at: at / 4 },
                    6 => Fault::Deaf { at: 150 + at, count: rng.random_range(1..30) },
                    _ => Fault::Hang { at, forever: false },
                }
            })
            .collect();
        let mut caller = Caller::new(seed, faults.clone());
        match caller.run(300) {
            Ok(()) => ended += 1,
            Err(DriverError::GaveUp { .. }) => {
                let counters = caller.card.counters().clone();
                assert_eq!(counters.posted, counters.verdicts + counters.discarded);
                // What had been answered is still there.
                while caller.card.in_flight() > 0 {
                    caller.poll().unwrap();
                }
            }
            Err(other) => panic!("{faults:?}: {other:?}"),
        }
    }
    assert!(ended > 75, "{ended}");
}

#[test]
fn what_is_no_transaction_is_refused_before_anything_is_sent() {
    let mut caller = Caller::new(1, vec![]);
    let commands = caller.card.counters().commands;
    let line = |opcode, index| Command::new(opcode, index).to_line();
    let commit = |version| line(Opcode::Commit, version);
    let write = line(Opcode::WriteSlot, 1);
    let cases: [(Vec<Line>, UpdateError); 7] = [
        (vec![], UpdateError::Order),
        (vec![write], UpdateError::Order),
        (vec![commit(2), write], UpdateError::Order),
        (vec![commit(2), commit(3)], UpdateError::Order),
        (vec![write, commit(0)], UpdateError::Version(0)),
        (vec![write, commit(1)], UpdateError::Version(1)),
        (
            vec![write, line(Opcode::WriteSlot, 512), commit(2)],
            UpdateError::Command { at: 1, error: CommandError::Index(512) },
        ),
    ];
    for (lines, expected) in cases {
        let error = caller.card.update(lines.into()).unwrap_err();
        assert!(!error.is_recoverable());
        let DriverError::Update(error) = error else { panic!("{error:?}") };
        assert_eq!(error, expected);
    }
    assert_eq!((caller.card.counters().commands, caller.card.updates_under_way()), (commands, 0));
    // The card goes on as if nothing had been asked.
    caller.run(50).unwrap();
    let mut card = Card::open(FakeCard::new(&LAB, 1, vec![]), CONFIG).unwrap();
    assert!(matches!(card.update(vec![commit(2)].into()), Err(DriverError::NotLoaded)));
}

/// A rule image takes the place of whatever transactions came before.
#[test]
fn a_load_waits_for_the_transactions_before_it() {
    let mut caller = Caller::new(3, vec![]);
    for _ in 0..3 {
        caller.update().unwrap();
    }
    let lines = vec![Command::new(Opcode::Clear, 0).to_line(), Command::new(Opcode::Commit, 77).to_line()];
    caller.card.load(&Image::new(&LAB, lines, Vec::new()).unwrap()).unwrap();
    assert_eq!((caller.card.version(), caller.card.updates_under_way()), (77, 0));
    (caller.slots, caller.version, caller.tables) = (Slots::default(), 77, 0);
    caller.run(100).unwrap();
}

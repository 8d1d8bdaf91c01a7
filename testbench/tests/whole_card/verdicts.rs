//! The whole card, simulated, behind the driver: every verdict is the right one for its packet, whatever
//! the bus does, and what goes wrong is named, mended, or the end.

use std::collections::VecDeque;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use wiresift_abi::csr::{Counter, Csr, ErrorCode, STATUS_IDLE};
use wiresift_abi::geometry::{Geometry, LAB, LINE};
use wiresift_driver::conservation::{CallerCounters, ConservationError};
use wiresift_driver::error::Cause;
use wiresift_driver::{Card, DriverError, Transport};
use wiresift_testbench::axi::{PATIENCE_CYCLES, Timing};
use wiresift_testbench::sim::CYCLE_NS;
use wiresift_testbench::{Fault, FaultKind, Options, Side, SimCard, When};

use crate::{built, config, rules, sweep};

const VERSION: u16 = 0x7a5;

/// A card with rules loaded, and what was posted to it.
struct Bench {
    card: Card<SimCard>,
    rng: ChaCha8Rng,
    posted: VecDeque<Vec<u8>>,
    counters: CallerCounters,
}

impl Bench {
    /// `None` with a printed line where Verilator is absent.
    fn new(options: &Options) -> Option<Self> {
        let mut card = Card::open(built(SimCard::new(options))?, config()).expect("a card");
        let loaded = card.load(&rules::image(options.geometry, VERSION)).expect("rules");
        assert_eq!(loaded.version, VERSION);
        let rng = ChaCha8Rng::seed_from_u64(options.seed);
        Some(Self { card, rng, posted: VecDeque::new(), counters: CallerCounters::default() })
    }

    fn poll(&mut self) -> Result<(), DriverError> {
        let mut verdicts = Vec::new();
        let result = self.card.poll(&mut verdicts);
        for verdict in verdicts {
            let packet = self.posted.pop_front().expect("a verdict for a packet in flight");
            assert_eq!(verdict.packet, self.counters.verdicts);
            self.counters.verdicts += 1;
            let (acl, ids) = rules::expected(&packet);
            assert_eq!(
                (verdict.acl, verdict.ids()),
                (acl, &ids[..]),
                "packet {}: {packet:02x?}",
                verdict.packet
            );
            assert_eq!((usize::from(verdict.length), verdict.version), (packet.len(), VERSION));
        }
        result.map(|_| ())
    }

    /// Posts some of the packets and polls once.
    fn move_on(&mut self, packets: &[Vec<u8>]) -> Result<(), DriverError> {
        let next = self.counters.posted as usize;
        let portion = self.rng.random_range(0..100).min(packets.len() - next);
        let taken = self.card.post(packets[next..next + portion].iter().map(Vec::as_slice))?;
        self.posted.extend(packets[next..next + taken].iter().cloned());
        self.counters.posted += taken as u64;
        if self.rng.random() {
            self.card.doorbell()?;
        }
        self.poll()
    }

    /// Puts all packets through, recovering from errors; gives the causes of these.
    fn run(&mut self, packets: &[Vec<u8>]) -> Result<Vec<Cause>, DriverError> {
        let mut causes = Vec::new();
        while self.counters.verdicts < packets.len() as u64 {
            if let Err(error) = self.move_on(packets) {
                causes.extend(error.cause());
                self.card.recover(error)?;
            }
        }
        Ok(causes)
    }

    /// Nothing is lost, and the card kept the rules of the bus.
    fn balance(&mut self) {
        self.card.conservation(self.counters).expect("card, driver and caller count the same");
        self.card.transport().check().expect("the rules of the bus are kept");
    }
}

fn options(geometry: &'static Geometry, seed: u64, timing: Timing) -> Options {
    Options { seed, timing, ..Options::new(geometry) }
}

fn bus(geometry: &Geometry, latency: u32, jitter: u32, stall_percent: u32) -> Timing {
    Timing { latency, jitter, stall_percent, ..Timing::new(geometry) }
}

#[test]
fn every_packet_gets_its_verdict_on_any_bus() {
    for (seed, timing) in [
        (1, bus(&LAB, 250, 0, 0)),
        (2, bus(&LAB, 3, 300, 30)),
        (3, bus(&LAB, 60, 10, 70)),
        (4, bus(&LAB, 0, 0, 0)),
    ] {
        let Some(mut bench) = Bench::new(&options(&LAB, seed, timing)) else { return };
        let packets = rules::packets(seed, 1500);
        assert_eq!(bench.run(&packets).unwrap(), []);
        bench.balance();
        let card = bench.card.card_counters().unwrap();
        let count = |is: fn(&(Option<u32>, Vec<u32>)) -> bool| {
            packets.iter().filter(|packet| is(&rules::expected(packet))).count() as u64
        };
        assert_eq!(card.get(Counter::AclMatches), count(|(acl, _)| acl.is_some()));
        assert_eq!(card.get(Counter::SignatureMatches), count(|(_, ids)| !ids.is_empty()));
        assert_eq!(
            card.get(Counter::PacketBytes),
            packets.iter().map(|packet| packet.len() as u64).sum::<u64>()
        );
        assert_eq!((card.get(Counter::ReadErrors), card.get(Counter::WriteErrors)), (0, 0));
    }
}

/// Over many packets, a million with `--long`, nothing is lost: every verdict is the right one for its packet, and card,
/// driver and caller count the same.
#[test]
fn many_packets_add_up() {
    let count = if sweep::long() { 1_000_000 } else { 250_000 };
    let Some(mut bench) = Bench::new(&options(&LAB, 20, bus(&LAB, 60, 30, 5))) else { return };
    let packets = rules::short_packets(20, count);
    assert_eq!(bench.run(&packets).unwrap(), []);
    bench.balance();
    let card = bench.card.card_counters().unwrap();
    let counts = [Counter::PacketsIn, Counter::Verdicts].map(|counter| card.get(counter));
    assert_eq!(counts, [count as u64; 2]);
    assert_eq!(bench.counters.verdicts, count as u64);
    println!("{count} packets in {} cycles", card.get(Counter::Cycles));
}

#[test]
fn the_line_card_answers_the_same() {
    for (seed, timing) in [(5, bus(&LINE, 250, 0, 0)), (6, bus(&LINE, 3, 300, 40))] {
        let Some(mut bench) = Bench::new(&options(&LINE, seed, timing)) else { return };
        assert_eq!(bench.run(&rules::packets(seed, 1500)).unwrap(), []);
        bench.balance();
    }
}

/// Each fault alone, at several moments: it is named by its cause, mended, and no verdict is wrong.
#[test]
fn faults_of_the_bus_are_named_and_recovered_from() {
    let records = Side::WriteTo(1);
    let cases: [(Side, FaultKind, &[Cause]); 10] = [
        (Side::Read, FaultKind::Error, &[Cause::Halted]),
        (records, FaultKind::Error, &[Cause::Halted]),
        (Side::WriteTo(2), FaultKind::Error, &[Cause::Halted]),
        (Side::Read, FaultKind::Lost, &[Cause::Stalled]),
        (records, FaultKind::Lost, &[Cause::Stalled]),
        (Side::WriteTo(2), FaultKind::Lost, &[Cause::Stalled]),
        (records, FaultKind::Swallow, &[Cause::RecordsLost]),
        (Side::WriteTo(2), FaultKind::Swallow, &[]),
        (Side::Read, FaultKind::Late(20_000), &[]),
        (records, FaultKind::Late(20_000), &[]),
    ];
    let packets = rules::packets(7, 400);
    for (side, kind, causes) in cases {
        // Status lines are much fewer than the other writes.
        for n in if side == Side::WriteTo(2) { [0, 1, 3] } else { [0, 7, 60] } {
            let Some(mut bench) = Bench::new(&options(&LAB, n, bus(&LAB, 100, 50, 10))) else { return };
            bench.card.transport_mut().add_fault(Fault { side, when: When::Nth(n), kind });
            let happened =
                bench.run(&packets).unwrap_or_else(|error| panic!("{side:?} {kind:?} {n}: {error:?}"));
            assert_eq!(happened, causes, "{side:?} {kind:?} {n}");
            assert_eq!(bench.card.transport().traffic().faults, 1, "{side:?} {kind:?} {n}");
            assert_eq!(bench.card.counters().recoveries, causes.len() as u64);
            bench.balance();
        }
    }
}

#[test]
fn the_card_says_which_answer_stopped_it() {
    let cases = [
        (Side::Read, ErrorCode::ReadResponse),
        (Side::WriteTo(1), ErrorCode::RecordWriteResponse),
        (Side::WriteTo(2), ErrorCode::StatusWriteResponse),
    ];
    for (side, code) in cases {
        let Some(mut bench) = Bench::new(&Options::new(&LAB)) else { return };
        bench.card.transport_mut().add_fault(Fault { side, when: When::Nth(0), kind: FaultKind::Error });
        let packets = rules::packets(8, 60);
        let error = loop {
            if let Err(error) = bench.move_on(&packets) {
                break error;
            }
        };
        assert!(matches!(error, DriverError::Halted { error, .. } if error == code as u32), "{error:?}");
        assert!(error.to_string().contains(code.text()));
    }
}

/// Faults at random, often: it ends, rightly or with an error, and never with a wrong verdict.
#[test]
fn any_mixture_of_faults_ends() {
    for seed in 0..6 {
        let kinds = [FaultKind::Error, FaultKind::Swallow, FaultKind::Lost, FaultKind::Late(3000)];
        let faults = kinds.into_iter().enumerate().flat_map(|(n, kind)| {
            let when = When::OneIn(150 + 100 * n as u32);
            [Side::Read, Side::WriteTo(1), Side::WriteTo(2)].map(|side| Fault { side, when, kind })
        });
        let Some(mut bench) = Bench::new(&options(&LAB, seed, bus(&LAB, 50, 100, 20))) else { return };
        for fault in faults {
            bench.card.transport_mut().add_fault(fault);
        }
        match bench.run(&rules::packets(seed, 500)) {
            Ok(causes) => assert_eq!(causes.is_empty(), bench.card.counters().recoveries == 0),
            Err(DriverError::GaveUp { .. }) => {
                let counters = bench.card.counters();
                assert_eq!(counters.posted, counters.verdicts + counters.discarded);
            }
            Err(other) => panic!("{other:?}"),
        }
        bench.card.transport().check().expect("the rules of the bus are kept");
    }
}

/// Somebody resets the card while packets are in flight.
#[test]
fn a_reset_in_mid_stream_loses_nothing() {
    let Some(mut bench) = Bench::new(&options(&LAB, 11, bus(&LAB, 200, 0, 0))) else { return };
    let packets = rules::packets(11, 600);
    let mut resets = 0;
    while bench.counters.verdicts < 600 {
        if let Err(error) = bench.move_on(&packets) {
            assert_eq!(error.cause(), Some(Cause::Index), "{error:?}");
            bench.card.recover(error).unwrap();
        }
        if bench.card.in_flight() > 20 && bench.counters.verdicts > 150 * (resets + 1) && resets < 3 {
            resets += 1;
            bench.card.doorbell().unwrap();
            for _ in 0..bench.rng.random_range(0..600) {
                bench.card.transport_mut().step();
            }
            bench.card.transport_mut().reset_function().unwrap();
        }
    }
    assert_eq!((resets, bench.card.counters().recoveries), (3, 3));
    assert!(bench.card.counters().replayed > 0);
    bench.balance();
}

/// One verdict is dropped on its way, with an answer that says all is well.
#[test]
fn a_dropped_packet_is_caught() {
    let Some(mut bench) = Bench::new(&Options::new(&LAB)) else { return };
    let packets = rules::packets(12, 10);
    bench.run(&packets[..9]).unwrap();
    bench.balance();
    let drop = Fault { side: Side::WriteTo(1), when: When::Nth(0), kind: FaultKind::Swallow };
    bench.card.transport_mut().add_fault(drop);
    let error = loop {
        if let Err(error) = bench.move_on(&packets) {
            break error;
        }
    };
    assert!(matches!(error, DriverError::RecordsLost { .. }), "{error:?}");
    // The driver's own look at the records aside: the counts of the card alone show it too.
    let found = bench.card.conservation(bench.counters).unwrap_err();
    let ConservationError::Unbalanced(unbalanced) = found else { panic!("{found:?}") };
    assert_eq!((unbalanced.left, unbalanced.right), (10, 9), "{unbalanced}");
    bench.card.recover(error).unwrap();
    bench.run(&packets).unwrap();
    assert_eq!((bench.counters.verdicts, bench.card.counters().lost), (10, 1));
    bench.balance();
}

#[test]
fn an_interrupt_tells_of_verdicts() {
    let Some(mut bench) = Bench::new(&Options::new(&LAB)) else { return };
    let packets = rules::packets(13, 40);
    bench.posted.extend(packets.iter().cloned());
    bench.counters.posted = bench.card.post(packets.iter().map(Vec::as_slice)).unwrap() as u64;
    while !bench.posted.is_empty() {
        assert!(bench.card.wait(1_000_000).unwrap(), "{} packets are left", bench.posted.len());
        bench.poll().unwrap();
    }
    bench.balance();
}

/// A shut-down in mid-stream stops the card before the memory goes: not one access misses.
#[test]
fn a_shutdown_in_mid_stream_leaves_no_access_behind() {
    let Some(mut bench) = Bench::new(&options(&LAB, 14, bus(&LAB, 250, 100, 5))) else { return };
    let packets = rules::packets(14, 300);
    while bench.counters.verdicts < 100 {
        bench.move_on(&packets).unwrap();
    }
    let in_flight = bench.card.in_flight();
    assert!(in_flight > 0);
    let memory = bench.card.transport().memory().clone();
    let counters = bench.card.shutdown().unwrap();
    assert_eq!((counters.discarded, memory.regions()), (in_flight, 0));
}

/// The AWS F2 shell wants the bus at rest 8 us after a stop; here the stop comes at any moment of full traffic, and the
/// bus answers after one microsecond.
#[test]
fn the_bus_is_at_rest_soon_after_a_stop() {
    let mut longest = 0;
    for (seed, geometry) in [(30, &LAB), (31, &LAB), (32, &LAB), (33, &LINE), (34, &LINE)] {
        let timing = bus(geometry, 250, 20, 0);
        let Some(mut bench) = Bench::new(&options(geometry, seed, timing)) else { return };
        let packets = rules::packets(seed, 2000);
        while bench.counters.verdicts < 300 {
            bench.move_on(&packets).unwrap();
        }
        for _ in 0..bench.rng.random_range(0..300) {
            bench.card.transport_mut().step();
        }
        let sim = bench.card.transport_mut();
        let start = sim.now_ns();
        sim.write_csr(Csr::Control, 0).unwrap();
        while sim.read_csr(Csr::Status).unwrap() & STATUS_IDLE == 0 {
            assert!(sim.now_ns() - start < 1_000_000, "it never comes to rest");
        }
        let took = sim.now_ns() - start;
        assert!(took <= PATIENCE_CYCLES * CYCLE_NS, "{}: {took} ns", geometry.name);
        longest = longest.max(took);
        // Nothing comes behind it; the checker of the bus would see it.
        for _ in 0..2 * PATIENCE_CYCLES {
            sim.step();
        }
        sim.check().unwrap();
    }
    println!("at rest at the latest {longest} ns after a stop");
}

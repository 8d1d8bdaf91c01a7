//! A card whose rings are plain Rust, which fails in mid-stream, and the host that goes on.
//!
//! The fake card answers with a hash of the packet and the host by the rules, so it is seen who decided what.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use wiresift_abi::csr::Csr;
use wiresift_abi::geometry::LAB;
use wiresift_driver::fake::{FakeCard, Fault};

use super::*;
use crate::compile::Options;
use crate::compile::live::{Live, Update};
use crate::decision::Decision;
use crate::device::{Batch, Decided, Device, PacketInfo};
use crate::engine::card::tests::{
    expected_of, host_rules_of, metadata_of, now_ns, packets_of, rules, set_port,
};
use crate::engine::cpu::CpuEngine;
use crate::rules::model::RuleSet;

/// Cards that are reached one after the other: the faults of each, or `None` for one that does not come up.
type Cards = Vec<Option<Vec<Fault>>>;

fn fake(number: usize, cards: &Cards) -> FakeCard {
    let faults = match cards.get(number) {
        Some(Some(faults)) => faults.clone(),
        Some(None) => vec![Fault::Register { csr: Csr::Id, value: u32::MAX }],
        None => Vec::new(),
    };
    FakeCard::new(&LAB, number as u64, faults).contained()
}

/// A batch under way, with what the card and what the host must say of each of its packets.
type Wanted = (Arc<Batch>, [Vec<Decision>; 2]);

/// A session over cards that fail.
struct Bench {
    device: CardDevice<FakeCard>,
    live: Live,
    rules: RuleSet,
    /// Judges what the host decides.
    engine: CpuEngine,
    version: u32,
    reached: Rc<RefCell<usize>>,
    number: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Card,
    Host,
}

impl Bench {
    fn new(cards: Cards, back: Return) -> Self {
        let rules = rules();
        let live = Live::new(&rules, &LAB, &Options { seed: Some(1) }).unwrap();
        let image = live.image().unwrap();
        let mut engine = CpuEngine::new(&image).unwrap();
        // The device goes by the metadata that it is given, whatever is in the image.
        engine.update([], metadata_of(0)).unwrap();
        let reached = Rc::new(RefCell::new(1));
        let (count, first) = (reached.clone(), fake(0, &cards));
        let connect: Connect<FakeCard> = Box::new(move || {
            let number = count.replace_with(|number| *number + 1);
            Ok(fake(number, &cards))
        });
        let failover = Failover::new(connect, back, &image);
        let device = CardDevice::open("fake", first, |_| Ok(()), &image, metadata_of(0), engine.clone());
        let device = device.unwrap().with_failover(failover);
        Self { device, live, rules, engine, version: 0, reached, number: 0 }
    }

    fn batch(&mut self, packets: u32) -> Arc<Batch> {
        let mut batch = Batch::new(self.number.into());
        for packet in packets_of(self.number..self.number + packets) {
            batch.push(&packet, PacketInfo::default());
        }
        self.number += packets;
        Arc::new(batch)
    }

    /// What card and host must say of a batch that is submitted now.
    fn wanted(&mut self, batch: &Batch) -> [Vec<Decision>; 2] {
        let card =
            batch.packets().map(|packet| expected_of(packet, &mut self.engine, self.version, 0)).collect();
        let host = batch.packets().map(|packet| self.engine.decide(packet)).collect();
        [card, host]
    }

    fn update(&mut self) {
        self.version += 1;
        set_port(&mut self.rules, 1000 + self.version as u16);
        let Update { version, commands, counts, .. } = self.live.update(&self.rules).unwrap();
        let metadata = metadata_of(self.version);
        self.engine.update(&commands, metadata.clone()).unwrap();
        let update = Update { version, commands, metadata, counts };
        let rules = Arc::new(self.rules.clone());
        let update = RuleUpdate::with(update, rules, host_rules_of(self.version));
        self.device.update(&Arc::new(update)).unwrap();
    }

    /// Runs batches, with updates between them where that is asked for. Says who decided, in turns, with the number of
    /// packets of each; and what was told on the way.
    fn run(&mut self, sizes: &[u32], updates: bool) -> (Vec<(By, u64)>, Vec<String>) {
        let (mut wanted, mut turns, mut notices) = (VecDeque::new(), Vec::new(), Vec::new());
        for (n, packets) in sizes.iter().enumerate() {
            for _ in 0..if updates { [0, 1, 3][n % 3] } else { 0 } {
                self.update();
            }
            let batch = self.batch(*packets);
            wanted.push_back((batch.clone(), self.wanted(&batch)));
            self.device.submit(batch).unwrap();
            while let Some(decided) = self.device.collect(false).unwrap() {
                take(&decided, &mut wanted, &mut turns);
            }
            notices.extend(self.device.notices());
        }
        while let Some(decided) = self.device.collect(true).unwrap() {
            take(&decided, &mut wanted, &mut turns);
        }
        notices.extend(self.device.notices());
        assert!(wanted.is_empty(), "{} batches are missing", wanted.len());
        (turns, notices)
    }
}

/// Judges a batch. Where both say the same, it counts for the one whose turn it is.
fn take(decided: &Decided, wanted: &mut VecDeque<Wanted>, turns: &mut Vec<(By, u64)>) {
    let (batch, [card, host]) = wanted.pop_front().expect("a batch that was submitted");
    assert_eq!((decided.batch.first, decided.decisions.len()), (batch.first, batch.len()));
    for (n, decision) in decided.decisions.iter().enumerate() {
        let by = match (*decision == card[n], *decision == host[n]) {
            (true, true) => turns.last().map_or(By::Card, |turn| turn.0),
            (true, false) => By::Card,
            (false, true) => By::Host,
            (false, false) => panic!("packet {}: {decision:?}", batch.first + n as u64),
        };
        match turns.last_mut() {
            Some(turn) if turn.0 == by => turn.1 += 1,
            _ => turns.push((by, 1)),
        }
    }
}

const SIZES: [u32; 10] = [700, 30, 400, 900, 2048, 90, 500, 1000, 40, 300];

fn value(summary: &[(String, String)], name: &str) -> Option<String> {
    summary.iter().find(|(found, _)| found == name).map(|(_, value)| value.clone())
}

/// Faults that no reset mends, at many moments; without and with rules that change all the while.
#[test]
fn whatever_the_card_does_each_packet_gets_one_decision_in_order() {
    let total: u64 = SIZES.iter().map(|size| u64::from(*size)).sum();
    for updates in [false, true] {
        for at in [0, 1, 650, 800, 1500, 3100] {
            let faults = [
                vec![Fault::Unplug { at }],
                vec![Fault::Hang { at, forever: true }],
                vec![Fault::Hang { at, forever: false }, Fault::NoReset { at: 1 }],
                vec![Fault::Reset { at }, Fault::NoReset { at: 1 }],
                vec![Fault::Deaf { at: 150, count: u64::MAX / 2 }, Fault::Hang { at, forever: false }],
            ];
            for faults in faults {
                let mut bench = Bench::new(vec![Some(faults.clone())], Return::Never);
                let (turns, notices) = bench.run(&SIZES, updates);
                let turn_of = |by| turns.iter().filter(|turn| turn.0 == by).map(|turn| turn.1).sum::<u64>();
                assert!(turns.len() <= 2 && turns.last().unwrap().0 == By::Host, "{faults:?}: {turns:?}");
                let counts = bench.device.failover_counts();
                assert_eq!((counts.failures, counts.returns, counts.tries), (1, 0, 0));
                // Those that both would decide alike are counted for the card around the change.
                assert!(
                    counts.stood_in >= turn_of(By::Host) && counts.stood_in <= total,
                    "{counts:?} {turns:?}"
                );
                assert!(counts.stood_in - turn_of(By::Host) < 400, "{counts:?} {turns:?}");
                assert!(counts.in_flight > 0 && counts.in_flight <= counts.stood_in, "{counts:?}");
                assert_eq!(notices.len(), 1, "{notices:?}");
                assert!(
                    notices[0].starts_with("fake: the card failed (fake: failed: given up"),
                    "{notices:?}"
                );
                let summary = bench.device.summary();
                assert_eq!(value(&summary, "failures of the card"), Some("1".to_owned()));
                assert_eq!(
                    value(&summary, "decided by the host: in its place"),
                    Some(counts.stood_in.to_string())
                );
                assert!(value(&summary, "the card at the end").unwrap().starts_with("given up: "));
            }
        }
    }
}

#[test]
fn without_failover_it_is_an_error() {
    let mut bench = Bench::new(vec![Some(vec![Fault::Unplug { at: 300 }])], Return::Never);
    bench.device.failover = None;
    let batch = bench.batch(2000);
    let result = bench.device.submit(batch).and_then(|()| bench.device.collect(true));
    assert_eq!(result.unwrap_err().to_string(), "fake: failed");
}

#[test]
fn what_a_reset_mends_needs_no_host() {
    for at in [0, 700, 2000] {
        for faults in [vec![Fault::Reset { at }], vec![Fault::Hang { at, forever: false }]] {
            let mut bench = Bench::new(vec![Some(faults)], Return::Never);
            let (turns, notices) = bench.run(&SIZES, true);
            assert_eq!((turns.len(), turns[0].0, notices), (1, By::Card, vec![]));
            assert_eq!(bench.device.failover_counts(), Counts::default());
            assert_eq!(value(&bench.device.summary(), "recoveries of the card"), Some("1".to_owned()));
        }
    }
}

/// An answer that cannot be, though the driver takes it: the host decides, and the card is not believed any more.
#[test]
fn a_verdict_that_cannot_be_is_a_failure_of_the_card() {
    let mut bench = Bench::new(vec![], Return::Never);
    bench.device.rules.version += 1;
    bench.device.tables.version += 1;
    let batch = bench.batch(300);
    let host: Vec<Decision> = batch.packets().map(|packet| bench.engine.decide(packet)).collect();
    bench.device.submit(batch).unwrap();
    assert!(bench.device.collect(true).unwrap().unwrap().decisions == host);
    let notices = bench.device.notices();
    assert!(notices[0].contains("decided by version 1 instead of 2"), "{notices:?}");
}

/// It comes back with the rules of that moment, fails again, does not come up, and comes back again.
#[test]
fn the_card_decides_again_when_it_is_back() {
    let cards: Cards =
        vec![Some(vec![Fault::Unplug { at: 900 }]), None, Some(vec![Fault::Unplug { at: 3000 }]), None];
    let mut bench = Bench::new(cards, Return::After(Duration::ZERO));
    let sizes: Vec<u32> = SIZES.iter().copied().cycle().take(40).collect();
    let (turns, notices) = bench.run(&sizes, true);
    assert_eq!(*bench.reached.borrow(), 5);
    let counts = bench.device.failover_counts();
    assert_eq!((counts.failures, counts.tries, counts.returns), (2, 4, 2));
    assert!(bench.device.is_on_card());
    let turns: Vec<By> = turns.iter().map(|turn| turn.0).collect();
    assert_eq!(turns, [By::Card, By::Host, By::Card, By::Host, By::Card]);
    let told: Vec<bool> = notices.iter().map(|notice| notice.contains("is back after")).collect();
    assert_eq!(told, [false, true, false, true], "{notices:?}");
    let summary = bench.device.summary();
    assert_eq!(value(&summary, "the card at the end"), Some("in use".to_owned()));
    assert_eq!(value(&summary, "returns to the card"), Some("2 of 4 tries".to_owned()));
}

/// The waits between tries grow while the card decides nothing, so that a card that only comes up costs nothing.
#[test]
fn a_card_that_does_not_come_back_is_left_alone() {
    let gone = || vec![Some(vec![Fault::Unplug { at: 5 }])];
    let mut bench = Bench::new(gone(), Return::After(Duration::from_secs(3600)));
    bench.run(&SIZES, false);
    assert_eq!((*bench.reached.borrow(), bench.device.failover_counts().tries), (1, 0));
    let dead: Cards = gone().into_iter().chain(std::iter::repeat_n(None, 1000)).collect();
    let mut bench = Bench::new(dead, Return::After(Duration::from_millis(1)));
    for _ in 0..20 {
        bench.run(&[10], false);
    }
    let (tries, failover) = (bench.device.failover_counts().tries, bench.device.failover.as_ref().unwrap());
    assert_eq!(failover.wait, Duration::from_millis(1) * 2_u32.pow(tries as u32 + 1), "{tries} tries");
}

/// From the moment at which the card is gone to the one at which that is known, in the card's own time.
#[test]
fn a_silent_card_is_seen_within_a_second() {
    for faults in [
        vec![Fault::Unplug { at: 300 }],
        vec![Fault::Hang { at: 300, forever: true }],
        vec![Fault::Deaf { at: 150, count: u64::MAX / 2 }, Fault::Hang { at: 300, forever: true }],
    ] {
        let mut bench = Bench::new(vec![Some(faults.clone())], Return::Never);
        bench.device.failover = None;
        let batch = bench.batch(2000);
        bench.device.submit(batch).unwrap();
        let before = now_ns(&bench.device);
        let error = bench.device.collect(true).unwrap_err();
        let took = now_ns(&bench.device) - before;
        assert!(took < 1_000_000_000, "{faults:?}: {took} ns until `{error}`");
        println!("{faults:?}: seen after {took} ns of the card's time");
    }
}

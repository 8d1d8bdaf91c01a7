//! Rule sets that change at random, and devices that must follow every change.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use wiresift_abi::geometry::Geometry;
use wiresift_host::compile::Options;
use wiresift_host::compile::live::{Live, Update};
use wiresift_host::decision::Decision;
use wiresift_host::device::{Batch, Decided, Device, PacketInfo, RuleUpdate};
use wiresift_host::engine::reference::Reference;
use wiresift_host::metadata::Metadata;
use wiresift_host::rules::load::parse_sources;
use wiresift_host::rules::model::RuleSet;
use wiresift_host::rules::source::Source;

use crate::{Pool, packets, rules};

/// ACL rules and signatures of a set at most.
const SET: [usize; 2] = [40, 12];
/// Packets behind a transaction at most.
const PACKETS: usize = 4;
/// Bytes of a packet that is used at most: what counts here is the number of packets.
const PACKET_BYTES: usize = 400;

/// What a run came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ran {
    /// Transactions that took effect.
    pub transactions: usize,
    /// Rule sets that did not fit.
    pub refused: usize,
    /// Entries inserted, deleted, renumbered or moved.
    pub changes: usize,
    /// Commands in all transactions.
    pub commands: usize,
    /// Transactions that placed all entries anew.
    pub anew: usize,
    /// Packets decided.
    pub packets: usize,
    /// Packets that some ACL rule or signature matched.
    pub matched: usize,
}

/// A rule set in change, with the rules that it draws from.
pub struct Changing {
    rng: ChaCha8Rng,
    pool: Pool,
    /// Rules to draw from.
    stock: Arc<RuleSet>,
    /// Rules in force.
    rules: RuleSet,
    live: Live,
}

/// What is expected of a batch.
struct Expected {
    decisions: Vec<Decision>,
    metadata: Arc<Metadata>,
}

impl Changing {
    /// An empty rule set on a card of that geometry.
    ///
    /// # Panics
    /// Where the generators make something that is no rule.
    pub fn new(mut rng: ChaCha8Rng, geometry: &'static Geometry) -> Self {
        let pool = Pool::new(&mut rng);
        let acl = Source::new("stock.acl", rules::acl(&mut rng, &pool, 300).as_bytes());
        let signatures = rules::signatures(&mut rng, &pool, 120, false);
        let sources = [acl, Source::new("stock.rules", signatures.as_bytes())];
        let stock = parse_sources(&sources, &BTreeMap::new())
            .unwrap_or_else(|errors| panic!("the generated rules are wrong: {errors:?}"));
        let rules = RuleSet::default();
        let live = Live::new(&rules, geometry, &Options { seed: Some(rng.random()) })
            .unwrap_or_else(|error| panic!("no rules do not fit: {error}"));
        Self { rng, pool, stock: Arc::new(stock), rules, live }
    }

    /// The rule set as a card has it.
    pub fn live(&self) -> &Live {
        &self.live
    }

    /// Sends `transactions` random transactions through a device that holds [`Self::live`], with random
    /// packets between them, and compares every decision with that of the reference by the rules that were
    /// in force when the packet was submitted.
    ///
    /// # Panics
    /// At the first decision that differs, and where the device fails.
    pub fn run(&mut self, device: &mut dyn Device, transactions: usize) -> Ran {
        let mut ran = Ran::default();
        let mut expected = VecDeque::new();
        let mut first = 0;
        while ran.transactions < transactions {
            let Some(update) = self.next(&mut ran) else { continue };
            device.update(&update).unwrap_or_else(|error| panic!("{error}: {:?}", error.source));
            let mut reference = Reference::new(&self.rules);
            let batch = self.batch(first);
            first += batch.len() as u64;
            let decisions = batch.packets().map(|packet| reference.decide(packet)).collect();
            expected.push_back(Expected { decisions, metadata: update.metadata.clone() });
            device.submit(batch).unwrap_or_else(|error| panic!("{error}: {:?}", error.source));
            while let Some(decided) = collect(device, false) {
                check(&decided, expected.pop_front(), &mut ran);
            }
        }
        while let Some(decided) = collect(device, true) {
            check(&decided, expected.pop_front(), &mut ran);
        }
        assert!(expected.is_empty(), "{} batches were lost", expected.len());
        ran
    }

    /// The next transaction, or `None` where the changed rules do not fit.
    fn next(&mut self, ran: &mut Ran) -> Option<Arc<RuleUpdate>> {
        let rules = self.changed();
        let Ok(update) = self.live.update(&rules) else {
            ran.refused += 1;
            return None;
        };
        self.rules = rules;
        ran.transactions += 1;
        let Update { commands, counts, .. } = &update;
        ran.changes += counts.inserted + counts.deleted + counts.renumbered + counts.moved;
        ran.commands += commands.len();
        ran.anew += usize::from(counts.is_placed_anew);
        Some(Arc::new(RuleUpdate::new(update, Arc::new(self.rules.clone()))))
    }

    /// The rules with one to three of them new, gone, exchanged, moved.
    fn changed(&mut self) -> RuleSet {
        let (mut rules, stock) = (self.rules.clone(), Arc::clone(&self.stock));
        for _ in 0..self.rng.random_range(1..4) {
            if self.rng.random_bool(0.7) {
                self.change(&mut rules.acl, &stock.acl, SET[0]);
            } else {
                self.change(&mut rules.signatures, &stock.signatures, SET[1]);
            }
        }
        rules
    }

    fn change<R: Clone>(&mut self, rules: &mut Vec<R>, stock: &[R], most: usize) {
        let one = stock[self.rng.random_range(0..stock.len())].clone();
        let place = self.rng.random_range(0..=rules.len());
        match self.rng.random_range(0..4) {
            0 | 1 if rules.len() < most => rules.insert(place, one),
            _ if place == rules.len() => {}
            2 => rules[place] = one,
            3 => {
                let moved = rules.remove(place);
                rules.insert(self.rng.random_range(0..=rules.len()), moved);
            }
            _ => drop(rules.remove(place)),
        }
    }

    fn batch(&mut self, first: u64) -> Arc<Batch> {
        let mut batch = Batch::new(first);
        for _ in 0..self.rng.random_range(0..=PACKETS) {
            let mut packet = packets::packet(&mut self.rng, &self.pool);
            packet.truncate(PACKET_BYTES);
            batch.push(&packet, PacketInfo::default());
        }
        Arc::new(batch)
    }
}

fn collect(device: &mut dyn Device, drain: bool) -> Option<Decided> {
    device.collect(drain).unwrap_or_else(|error| panic!("{error}: {:?}", error.source))
}

fn check(decided: &Decided, expected: Option<Expected>, ran: &mut Ran) {
    let Some(Expected { decisions, metadata }) = expected else { panic!("a batch that was not submitted") };
    assert_eq!(decided.decisions.len(), decided.batch.len());
    for (n, (got, want)) in decided.decisions.iter().zip(&decisions).enumerate() {
        assert_eq!(got, want, "transaction {}, packet {:02x?}", ran.transactions, decided.batch.packet(n));
        assert!(want.acl.is_none_or(|place| (place as usize) < metadata.acl.len()));
        ran.packets += 1;
        ran.matched += usize::from(want.acl.is_some() || !want.signatures.is_empty());
    }
}

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::{BTreeMap, BTreeSet};

use rand::Rng;
use wiresift_abi::geometry::{LAB, LINE};
use wiresift_abi::vector as fields;

use super::super::testing::{Random, classbench, corpus};
use super::super::tests::{Card, first_acl, linear, own_vector, random, vector, wildcards};
use super::*;
use crate::engine::cpu::{Answers, CpuEngine};
use crate::engine::host::HostRules;
use crate::metadata::settle;
use crate::rules::load::parse_sources;
use crate::rules::source::Source;

const SEED: Options = Options { seed: Some(7) };

/// Place of the ACL rule and places of the signatures that match.
type Decided = (Option<u32>, Vec<u32>);

/// A card that runs every transaction, beside the rule set that made it.
struct Follower {
    live: Live,
    card: Card,
    rules: RuleSet,
}

impl Follower {
    fn new(rules: RuleSet, geometry: &'static Geometry) -> Self {
        let live = Live::new(&rules, geometry, &SEED).unwrap();
        let card = Card::new(&live.image().unwrap());
        Self { live, card, rules }
    }

    /// Changes the rules, unless they do not fit.
    fn update(&mut self, rules: RuleSet) -> Option<Update> {
        let before = self.live.version;
        let update = match self.live.update(&rules) {
            Ok(update) => update,
            Err(CompileError::DoesNotFit(_) | CompileError::NoRoom { .. }) => {
                assert_eq!(self.live.version, before);
                return None;
            }
            Err(error) => panic!("{error}"),
        };
        let (last, others) = update.commands.split_last().unwrap();
        assert_eq!(update.version, following(before));
        for line in others {
            let command = Command::from_line(line, self.live.geometry).unwrap();
            assert!(!matches!(command.opcode, Opcode::Clear | Opcode::Commit));
            self.card.run(&command);
        }
        self.card.run(&Command::from_line(last, self.live.geometry).unwrap());
        assert_eq!(self.card.version, update.version);
        self.rules = rules;
        Some(update)
    }

    /// Checks that the card says what the rules in force say, and that the image loads the same card.
    fn check(&self, random: &mut Random, vectors: usize) {
        let expanded = Expanded::new(&self.rules, self.live.geometry).unwrap();
        let (places, tcam) = self.live.places();
        assert_eq!((self.card.slots.len(), self.card.tcam.len()), (places - tcam, tcam));
        assert!(places >= expanded.entries.len());
        let own: Vec<Line> = expanded.entries.iter().map(own_vector).collect();
        let some = (0..vectors.min(own.len())).map(|_| own[random.0.random_range(0..own.len())]);
        let all: Vec<Line> = some.collect();
        for vector in all.into_iter().chain((0..vectors).map(|_| vector(random))) {
            let card = decided(&first_acl(self.card.matches(&vector)), self.live.metadata());
            let rules = decided(&linear(&expanded.entries, &vector), &expanded.metadata);
            assert_eq!(card, rules);
        }
        let loaded = Card::new(&self.live.image().unwrap());
        assert_eq!((&loaded.slots, &loaded.tcam), (&self.card.slots, &self.card.tcam));
        assert_eq!(loaded.version, self.card.version);
        for (table, mask) in &loaded.masks {
            assert_eq!(self.card.masks.get(table), Some(mask));
        }
    }
}

fn decided(matches: &BTreeSet<(Kind, u32)>, metadata: &Metadata) -> Decided {
    let (mut acl, mut signatures) = (None, Vec::new());
    for (kind, id) in matches {
        match kind {
            Kind::Acl => acl = Some(metadata.acl_place(*id).expect("an id of a rule")),
            Kind::Signature => signatures.extend(&metadata.headers[*id as usize]),
        }
    }
    settle(&mut signatures);
    (acl, signatures)
}

/// Changes some rules: new, gone, changed, moved, twice there.
fn change(rules: &RuleSet, random: &mut Random) -> RuleSet {
    let mut rules = rules.clone();
    for _ in 0..random.0.random_range(0..4) {
        let fresh = random.rules(1, 1);
        let place = |random: &mut Random, count: usize| random.0.random_range(0..count.max(1)).min(count);
        let (acl, signature) = (place(random, rules.acl.len()), place(random, rules.signatures.len()));
        match random.0.random_range(0..12) {
            0 | 1 => rules.acl.insert(acl, fresh.acl[0].clone()),
            2 | 3 => rules.signatures.insert(signature, fresh.signatures[0].clone()),
            4 if acl < rules.acl.len() => drop(rules.acl.remove(acl)),
            5 if signature < rules.signatures.len() => drop(rules.signatures.remove(signature)),
            6 if acl < rules.acl.len() => rules.acl[acl].condition = fresh.acl[0].condition.clone(),
            7 if signature < rules.signatures.len() => {
                rules.signatures[signature].condition = fresh.signatures[0].condition.clone();
            }
            8 if acl < rules.acl.len() => {
                let rule = rules.acl.remove(acl);
                let other = place(random, rules.acl.len() + 1);
                rules.acl.insert(other, rule);
            }
            9 if acl < rules.acl.len() => {
                let rule = rules.acl[acl].clone();
                let other = place(random, rules.acl.len() + 1);
                rules.acl.insert(other, rule);
            }
            10 if signature < rules.signatures.len() => {
                let rule = rules.signatures[signature].clone();
                rules.signatures.push(rule);
            }
            11 if acl < rules.acl.len() => drop(rules.acl[acl].condition.src.include.pop()),
            _ => {}
        }
    }
    rules
}

/// Long rows of random changes on the smallest card, where room is short, and on the large one.
#[test]
fn every_transaction_leads_to_the_rules_that_made_it() {
    let (mut anew, mut refused, mut in_tcam) = (0, 0, 0);
    for (seed, geometry, size, steps) in
        [(1, &LAB, 0, 120), (2, &LAB, 12, 120), (3, &LAB, 30, 120), (4, &LINE, 20, 60), (5, &LINE, 200, 20)]
    {
        let mut random = random(seed);
        let mut follower = Follower::new(RuleSet::default(), geometry);
        follower.update(random.rules(size, size / 3));
        for _ in 0..steps {
            let mut rules = change(&follower.rules, &mut random);
            if random.0.random_ratio(1, 60) {
                rules = random.rules(size, size / 3);
            }
            match follower.update(rules) {
                Some(update) => anew += usize::from(update.counts.is_placed_anew),
                None => refused += 1,
            }
            follower.check(&mut random, 20);
            in_tcam += follower.live.places().1;
        }
    }
    println!("{anew} placed anew, {refused} refused, {in_tcam} in the TCAM");
    assert!(anew > 0 && refused > 0 && in_tcam > 0);
}

#[test]
fn a_rule_in_front_is_a_transaction_of_its_own_entries() {
    let mut random = random(5);
    let mut rules = random.rules(400, 50);
    let mut follower = Follower::new(rules.clone(), &LINE);
    rules.acl.insert(0, random.rules(1, 0).acl[0].clone());
    let update = follower.update(rules.clone()).unwrap();
    let entries = update.counts.inserted;
    assert!(update.counts.renumbered + update.counts.deleted < 4, "{:?}", update.counts);
    assert!(update.commands.len() <= 4 * entries + 4, "{:?}", update.counts);
    follower.check(&mut random, 50);
    // Nothing but the order of rules that do not meet changes nothing but numbers.
    rules.acl.swap(10, 11);
    rules.signatures.reverse();
    let update = follower.update(rules.clone()).unwrap();
    assert_eq!((update.counts.inserted, update.counts.deleted, update.counts.moved), (0, 0, 0));
    assert_eq!(update.commands.len(), update.counts.renumbered + 1);
    follower.check(&mut random, 50);
    // Actions and messages are no concern of the card.
    rules.signatures[0].msg.push('!');
    let update = follower.update(rules.clone()).unwrap();
    assert_eq!(update.commands.len(), 1);
    assert_eq!(update.metadata.signatures[0].msg, rules.signatures[0].msg);
    // And back to nothing.
    let update = follower.update(RuleSet::default()).unwrap();
    assert_eq!(update.counts.inserted, 0);
    assert!(follower.card.slots.is_empty() && follower.card.tcam.is_empty());
}

/// Rules in front, one after the other, until the gaps are used up many times.
#[test]
fn a_thousand_rules_in_front_of_others() {
    let mut random = random(6);
    let mut follower = Follower::new(wildcards(3), &LAB);
    let mut sum = 0;
    for n in 0..1000u16 {
        let mut rules = follower.rules.clone();
        let mut rule = rules.acl[0].clone();
        rule.condition.dport = crate::rules::model::PortList::Ports { include: vec![n..=n], exclude: vec![] };
        rules.acl.insert(0, rule);
        rules.acl.truncate(20);
        let update = follower.update(rules).unwrap();
        assert!(!update.counts.is_placed_anew || n < 60, "{n}");
        sum += update.counts.renumbered;
    }
    follower.check(&mut random, 200);
    assert!(sum < 8000, "{sum} entries renumbered");
}

#[test]
fn rules_that_do_not_fit_leave_the_old_ones() {
    let room = LAB.tables() * 2 * LAB.bucket_slots + LAB.tcam_entries;
    let mut random = random(8);
    let mut follower = Follower::new(wildcards(room as u16), &LAB);
    let error = follower.live.update(&wildcards(room as u16 + 1)).expect_err("refused");
    assert!(matches!(error, CompileError::DoesNotFit(_)), "{error}");
    assert!(error.to_string().contains(" wild:"), "{error}");
    assert_eq!(follower.live.version(), FIRST_VERSION);
    follower.check(&mut random, 100);
    let update = follower.update(wildcards(room as u16 - 1)).unwrap();
    assert_eq!((update.version, update.commands.len()), (FIRST_VERSION + 1, 2));
    follower.check(&mut random, 100);
}

#[test]
fn versions_go_round_without_the_one_of_an_empty_card() {
    assert_eq!((following(1), following(u16::MAX)), (2, 1));
}

#[test]
fn a_large_set_changes_in_small_transactions() {
    let Some(corpus) = corpus() else { return };
    let rules = classbench(&corpus, "fw1_10k");
    let mut random = random(9);
    let mut follower =
        Follower::new(RuleSet { acl: rules.acl[..8000].to_vec(), ..RuleSet::default() }, &LINE);
    let mut commands = 0;
    for n in 0..40 {
        let mut changed = follower.rules.clone();
        let place = random.0.random_range(0..changed.acl.len());
        changed.acl.remove(place);
        let place = random.0.random_range(0..changed.acl.len());
        changed.acl.insert(place, rules.acl[8000 + n].clone());
        let update = follower.update(changed).unwrap();
        assert!(!update.counts.is_placed_anew, "{n}");
        commands += update.commands.len();
    }
    println!("{commands} commands for 40 rules exchanged");
    assert!(commands < 40 * 20);
    follower.check(&mut random, 500);
}

/// Options of the signatures, entries on the card, headers off it, its presence gates, and the headers of a packet to each of two
/// ports.
type Case<'a> = (&'a [&'a str], usize, usize, &'a [u32], [&'a [u32]; 2]);

/// A header leaves the card with the last signature that asks for no pattern, and comes back with the next one. In the place of
/// one whose pattern has a presence bit there is a gate, if no other header is one.
#[test]
fn a_header_is_on_the_card_while_a_signature_needs_it_there() {
    let rules = |with: &[&str]| {
        let rule = |(sid, options): (usize, &&str)| {
            let header = if *options == "ttl:9" { "ip any any -> any any" } else { "tcp any any -> any 80" };
            format!("alert {header} ({options}; sid:{sid};)\n")
        };
        let text: String = (1..).zip(with).map(rule).collect();
        parse_sources(&[Source::new("test.rules", text.as_bytes())], &BTreeMap::new()).unwrap()
    };
    let (long, none, short, any) = ("content:\"qz!xk7vj\"", "dsize:3", "content:\"q\"", "ttl:9");
    let mut live = Live::new(&rules(&[long]), &LAB, &SEED).unwrap();
    let mut engine = CpuEngine::new(&live.image().unwrap()).unwrap();
    let cases: [Case<'_>; 8] = [
        (&[long], 0, 1, &[], [&[0], &[]]),
        (&[long, none], 1, 0, &[], [&[0], &[]]),
        (&[long, short], 1, 1, &[1], [&[0, 1], &[]]),
        (&[long, none, short], 1, 0, &[], [&[0], &[]]),
        (&[short], 1, 1, &[1], [&[0, 1], &[]]),
        (&[short, any], 1, 1, &[1], [&[0, 1], &[1]]),
        (&[long, any], 1, 1, &[], [&[0, 1], &[1]]),
        (&[long], 0, 1, &[], [&[0], &[]]),
    ];
    for (with, on_card, off_card, gates, ids) in cases {
        let update = live.update(&rules(with)).unwrap();
        let metadata = &update.metadata;
        assert_eq!((live.places().0, metadata.host_headers()), (on_card, off_card));
        assert_eq!(metadata.presence_gates, gates);
        let without_pattern = usize::from(with.contains(&any));
        assert_eq!(metadata.headers_in_use(), 1 + without_pattern);
        HostRules::new(metadata).unwrap();
        // The engine knows it in either place.
        engine.update(&update.commands, Arc::clone(metadata)).unwrap();
        let mut answers = Answers::default();
        let vector = |port: u16| {
            let fields = [(fields::PROTO, 6), (fields::CLASS, 5), (fields::DPORT, u128::from(port))];
            fields::Key::of(
                &fields.into_iter().fold(Line::default(), |line, (field, value)| line.with(field, value)),
            )
        };
        engine.look_up_all(&[vector(80), vector(81)], &mut answers);
        for (place, ids) in ids.into_iter().enumerate() {
            let found: BTreeSet<u32> = answers.headers(place).iter().copied().collect();
            assert_eq!(found, ids.iter().copied().collect(), "{with:?}, port {}", 80 + place);
        }
    }
}

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use wiresift_abi::vector::Flags;

use super::*;
use crate::gate::{self, Clocked, Native};
use crate::ring::testing::{below, chance, to_bits, to_bytes};

type Line = Pack<7, 8, 96, { found_bits(96) }>;
type Lab = Pack<6, 7, 8, { found_bits(8) }>;

impl<const D: usize, const C: usize, const S: usize, const F: usize> Clocked for Pack<D, C, S, F> {
    fn clock(&mut self) -> &mut Signal<In, Clock> {
        &mut self.clock
    }
}

/// A result, as the classifier gives it.
#[derive(Clone, Debug)]
struct Outcome {
    commit: bool,
    silent: bool,
    sequence: u32,
    length: u16,
    flags: u16,
    version: u16,
    acl: Option<u32>,
    ids: Vec<u32>,
    /// Patterns, and whether there may be more.
    hits: Vec<u32>,
    overflow: bool,
    /// Presence bits.
    present: u128,
}

impl Outcome {
    fn random(rng: &mut ChaCha8Rng) -> Self {
        let (commit, silent) = (chance(rng, 10), chance(rng, 15));
        // A command has no patterns.
        let hits = if commit || silent || chance(rng, 50) { 0 } else { below(rng, 13) };
        let present = if commit || silent || chance(rng, 50) {
            0
        } else {
            // All of them, some, the first or the last.
            let bits = u128::from(rng.next_u64()) << 64 | u128::from(rng.next_u64());
            let some = [bits, 1, 1 << 7, 1 << 95][below(rng, 4)];
            some & ((1 << 96) - 1)
        };
        Self {
            present,
            hits: (0..hits).map(|_| rng.next_u32() >> 17).collect(),
            overflow: !commit && !silent && chance(rng, 20),
            commit,
            silent,
            sequence: rng.next_u32(),
            length: rng.next_u32() as u16,
            flags: rng.next_u32() as u16,
            version: rng.next_u32() as u16,
            acl: chance(rng, 60).then(|| rng.next_u32() >> 12),
            ids: (0..below(rng, 7)).map(|_| rng.next_u32() >> 12).collect(),
        }
    }

    fn plain(sequence: u32, ids: usize) -> Self {
        let ids = (0..ids as u32).map(|id| id * 0x11111).collect();
        let (length, flags, version) = (64, 0, 1);
        let hits = Vec::new();
        Self {
            commit: false,
            silent: false,
            sequence,
            length,
            flags,
            version,
            acl: None,
            ids,
            hits,
            overflow: false,
            present: 0,
        }
    }

    /// As a card with so many short patterns has it.
    fn with(mut self, short: usize) -> Self {
        self.present &= (1 << short) - 1;
        self
    }

    /// Whether its presence bits go out.
    fn has_presence(&self) -> bool {
        self.present != 0 && (!self.ids.is_empty() || self.flags & Flags::DEFER != 0)
    }

    /// The records as they have to stand in memory, with the phase bit clear.
    fn records(&self) -> Vec<[u8; 16]> {
        let mut records: Vec<[u32; 4]> = Vec::new();
        if self.silent {
            return Vec::new();
        }
        let (kind, ids) = if self.commit { (3u16, 0) } else { (1, self.ids.len()) };
        let mut words = [self.sequence, 0xffff_ffff, 0, 0];
        if self.commit {
            words[3] = u32::from(self.version);
        } else {
            words[1] = self.acl.unwrap_or(0xffff_ffff);
            words[2] = u32::from(self.flags) | u32::from(self.overflow) << 13 | u32::from(self.length) << 16;
            words[3] = u32::from(self.version) | (self.hits.len() as u32) << 24;
            words[3] |= u32::from(self.has_presence()) << 28;
        }
        words[3] |= u32::from(kind << 1 | (ids as u16) << 4) << 16;
        records.push(words);
        let end =
            |kind: u32, count: usize| (self.sequence & 0xffff) | (kind << 1 | (count as u32) << 4) << 16;
        for part in self.ids[..ids].chunks(3) {
            let mut words = [0, 0, 0, end(2, part.len())];
            words[..part.len()].copy_from_slice(part);
            records.push(words);
        }
        for part in self.hits.chunks(6) {
            let mut words = [0, 0, 0, end(4, part.len())];
            for (n, hit) in part.iter().enumerate() {
                words[n / 2] |= hit << (16 * (n % 2));
            }
            records.push(words);
        }
        if self.has_presence() {
            let word = |n: usize| (self.present >> (32 * n)) as u32;
            records.push([word(0), word(1), word(2), end(5, 0)]);
        }
        let bytes = |words: [u32; 4]| -> Vec<u8> { words.into_iter().flat_map(u32::to_le_bytes).collect() };
        records.into_iter().map(|words| bytes(words).try_into().unwrap()).collect()
    }

    fn offer<const D: usize, const C: usize, const S: usize, const F: usize>(
        &self,
        uut: &mut Pack<D, C, S, F>,
        rng: &mut ChaCha8Rng,
    ) {
        uut.out_commit.next = self.commit;
        uut.out_silent.next = self.silent;
        uut.out_sequence.next = u64::from(self.sequence).into();
        uut.out_length.next = u64::from(self.length).into();
        uut.out_flags.next = u64::from(self.flags).into();
        uut.out_version.next = u64::from(self.version).into();
        uut.out_acl_valid.next = self.acl.is_some();
        // Where nothing is said, anything may stand.
        uut.out_acl.next = u64::from(self.acl.unwrap_or(rng.next_u32() >> 12)).into();
        uut.out_ids_count.next = self.ids.len().to_bits();
        let mut list = rng.next_u64() as u128 | u128::from(rng.next_u64()) << 64;
        for (n, &id) in self.ids.iter().enumerate() {
            list = list & !(0xfffff << (20 * n)) | u128::from(id) << (20 * n);
        }
        uut.out_ids.next = to_bits(&list.to_le_bytes()[..15]);
    }

    fn offer_hits<const D: usize, const C: usize, const S: usize, const F: usize>(
        &self,
        uut: &mut Pack<D, C, S, F>,
    ) {
        uut.hits_count.next = self.hits.len().to_bits();
        let mut list = [0; 24];
        for (place, hit) in list.chunks_exact_mut(2).zip(&self.hits) {
            place.copy_from_slice(&(*hit as u16).to_le_bytes());
        }
        uut.hits_ids.next = to_bits(&list);
        uut.hits_overflow.next = self.overflow;
        let bits =
            (0..S).fold(Bits::<S>::default(), |bits, n| bits.replace_bit(n, self.present >> n & 1 == 1));
        uut.hits_present.next = bits;
    }
}

trait AsRecords {
    fn as_records(&self) -> Vec<[u8; 16]>;
}

impl AsRecords for [Outcome] {
    fn as_records(&self) -> Vec<[u8; 16]> {
        self.iter().flat_map(Outcome::records).collect()
    }
}

/// When `idle` is high.
#[derive(Clone, Copy, PartialEq)]
enum Idle {
    /// When nothing more is to come.
    True,
    Never,
    Random,
}

struct Ran {
    lines: Vec<Vec<u8>>,
    credits: usize,
    cycles: usize,
}

/// Offers `outcomes` as credits allow, until nothing moved for 100 cycles.
fn run<const D: usize, const C: usize, const S: usize, const F: usize>(
    outcomes: &[Outcome],
    first: u32,
    gap: u32,
    stall: u32,
    idle: Idle,
) -> Ran {
    let mut rng = ChaCha8Rng::seed_from_u64(u64::from(gap + stall));
    let mut sim = Native::new(Pack::<D, C, S, F>::default());
    sim.uut.records_log2.next = 8u64.into();
    sim.uut.index.q.next = u64::from(first).into();
    let mut ran = Ran { lines: Vec::new(), credits: 0, cycles: 0 };
    let (mut at, mut hits_at, mut quiet) = (0, 0, 0);
    let mut held: Option<Vec<u8>> = None;
    while at < outcomes.len() || hits_at < outcomes.len() || quiet < 100 {
        let offered = at < outcomes.len() && at - ran.credits < 1 << D && !chance(&mut rng, gap);
        sim.uut.out_valid.next = offered;
        quiet += 1;
        if offered {
            outcomes[at].offer(&mut sim.uut, &mut rng);
            at += 1;
            quiet = 0;
        }
        // The patterns of an element come before its result or behind it.
        let offered_hits =
            hits_at < outcomes.len() && hits_at - ran.credits < 1 << D && !chance(&mut rng, gap);
        sim.uut.hits_valid.next = offered_hits;
        if offered_hits {
            outcomes[hits_at].offer_hits(&mut sim.uut);
            hits_at += 1;
            quiet = 0;
        }
        sim.uut.idle.next = match idle {
            Idle::True => at == outcomes.len() && hits_at == outcomes.len(),
            Idle::Never => false,
            Idle::Random => chance(&mut rng, 20),
        };
        sim.uut.m_axis_tready.next = !chance(&mut rng, stall);
        sim.settle();
        let uut = &sim.uut;
        assert!(!offered || uut.results.s_axis_tready.val(), "the FIFO overflows");
        assert!(!offered_hits || uut.hits.s_axis_tready.val(), "the FIFO of patterns overflows");
        ran.credits += usize::from(uut.credit.val());
        let now = uut.m_axis_tvalid.val().then(|| to_bytes(uut.m_axis_tdata.val()));
        assert!(held.is_none() || now == held, "a line changed before it was taken");
        held = now;
        if let Some(line) = if uut.m_axis_tready.val() { held.take() } else { None } {
            ran.lines.push(line);
            quiet = 0;
        }
        ran.cycles += 1;
        sim.step();
    }
    ran.cycles -= quiet;
    ran
}

fn run_line(outcomes: &[Outcome], first: u32, gap: u32, stall: u32, idle: Idle) -> Ran {
    run::<7, 8, 96, { found_bits(96) }>(outcomes, first, gap, stall, idle)
}

fn run_lab(outcomes: &[Outcome], first: u32, gap: u32, stall: u32, idle: Idle) -> Ran {
    run::<6, 7, 8, { found_bits(8) }>(outcomes, first, gap, stall, idle)
}

/// Takes phases and padding off; both have to be right. Gives the number of pad records too.
fn strip(lines: &[Vec<u8>], first: u32) -> (Vec<[u8; 16]>, usize) {
    let (mut records, mut pads) = (Vec::new(), 0);
    for (n, line) in lines.iter().enumerate() {
        let lap = first.wrapping_add(4 * n as u32) / 256;
        let phase = u8::from(lap.is_multiple_of(2));
        let mut padding = false;
        for record in line.chunks(16) {
            let mut record: [u8; 16] = record.try_into().unwrap();
            assert_eq!(record[14] & 1, phase, "phase in line {n}");
            record[14] &= !1;
            let is_pad = record[14] >> 1 & 7 == 0;
            assert!(is_pad || !padding, "a record behind padding");
            padding = is_pad;
            if is_pad {
                assert_eq!(record, [0; 16]);
                pads += 1;
            } else {
                records.push(record);
            }
        }
    }
    (records, pads)
}

fn check(outcomes: &[Outcome], ran: &Ran, first: u32) {
    let (records, _) = strip(&ran.lines, first);
    let expected = outcomes.as_records();
    let differs = records.iter().zip(&expected).position(|(a, b)| a != b);
    assert_eq!((records.len(), differs), (expected.len(), None));
    assert_eq!(ran.credits, outcomes.len());
}

#[test]
fn records_come_out_in_order_whatever_stalls() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let outcomes: Vec<Outcome> = (0..350).map(|_| Outcome::random(&mut rng)).collect();
    let narrow: Vec<Outcome> = outcomes.iter().map(|outcome| outcome.clone().with(8)).collect();
    let behind = |outcomes: &[Outcome]| outcomes.iter().filter(|outcome| outcome.has_presence()).count();
    assert!(behind(&outcomes) > 100 && behind(&narrow) > 80);
    for (gap, stall) in [(0, 0), (60, 0), (0, 60), (40, 40), (92, 10)] {
        for idle in [Idle::True, Idle::Never, Idle::Random] {
            check(&outcomes, &run_line(&outcomes, 0, gap, stall, idle), 0);
            check(&narrow, &run_lab(&narrow, 0, gap, stall, idle), 0);
        }
    }
}

#[test]
fn the_phase_turns_when_the_index_goes_around() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let outcomes: Vec<Outcome> = (0..300).map(|_| Outcome::random(&mut rng)).collect();
    for first in [0u32.wrapping_sub(8), 0u32.wrapping_sub(4), (1 << 31) - 40, 252] {
        check(&outcomes, &run_line(&outcomes, first, 10, 10, Idle::True), first);
    }
}

#[test]
fn every_result_of_every_size_meets_every_fill() {
    // Each number of ids behind each number of records that wait.
    for before in 0..4 {
        for ids in 0..=6 {
            for hits in 0..=12 {
                let outcomes: Vec<Outcome> = (0..before).map(|n| Outcome::plain(n, 0)).collect();
                for (present, flags) in [(0, 0), (1 << 40, 0), (1 << 95 | 1, Flags::DEFER)] {
                    let mut outcomes = outcomes.clone();
                    let hits = (0..hits).map(|n| n * 0x1357).collect();
                    outcomes.push(Outcome { hits, present, flags, ..Outcome::plain(0xabcd_1234, ids) });
                    outcomes.push(Outcome::plain(77, 1));
                    check(&outcomes, &run_line(&outcomes, 0, 0, 0, Idle::True), 0);
                }
            }
        }
    }
}

#[test]
fn a_result_of_64_bytes_passes_in_every_cycle() {
    let present = |n: u32| Outcome { present: 1 << (n % 8), ..Outcome::plain(n, 6) };
    let outcomes: Vec<Outcome> = (0..1200).map(present).collect();
    let ran = run_line(&outcomes, 0, 0, 0, Idle::True);
    check(&outcomes, &ran, 0);
    assert_eq!(ran.lines.len(), 1200);
    assert!(ran.cycles <= 1200 + 12, "{} cycles", ran.cycles);
    let ran = run_lab(&outcomes, 0, 0, 0, Idle::True);
    assert!(ran.cycles <= 1200 + 12, "{} cycles", ran.cycles);
}

/// Cycles from a lone result to its line.
fn cycles_to_line(idle: bool) -> usize {
    let mut sim = Native::new(Line::default());
    sim.uut.records_log2.next = 8u64.into();
    sim.uut.m_axis_tready.next = true;
    sim.uut.idle.next = idle;
    sim.uut.out_valid.next = true;
    sim.uut.hits_valid.next = true;
    sim.step();
    sim.uut.out_valid.next = false;
    sim.uut.hits_valid.next = false;
    for cycle in 1..200 {
        sim.step();
        if sim.uut.m_axis_tvalid.val() {
            return cycle;
        }
    }
    panic!("no line");
}

#[test]
fn a_lone_result_does_not_wait_when_idle_and_64_cycles_when_not() {
    let at_once = cycles_to_line(true);
    assert!(at_once <= 8, "{at_once}");
    let later = cycles_to_line(false);
    assert!((64..=76).contains(&later), "{later}");
}

#[test]
fn results_that_follow_each_other_share_lines() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let outcomes: Vec<Outcome> = (0..400).map(|n| Outcome::plain(n, below(&mut rng, 3))).collect();
    let ran = run_line(&outcomes, 0, 70, 0, Idle::True);
    check(&outcomes, &ran, 0);
    assert!(strip(&ran.lines, 0).1 < 4, "padding only at the end");
}

#[test]
fn a_reset_empties_it_and_starts_the_ring_anew() {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let mut sim = Native::new(Lab::default());
    sim.uut.records_log2.next = 8u64.into();
    sim.uut.m_axis_tready.next = true;
    for n in 0..500 {
        Outcome::plain(n, 3).offer(&mut sim.uut, &mut rng);
        sim.uut.out_valid.next = true;
        sim.uut.hits_valid.next = true;
        sim.step();
    }
    sim.uut.reset.next = true;
    sim.step();
    sim.uut.reset.next = false;
    sim.uut.out_valid.next = false;
    sim.uut.hits_valid.next = false;
    sim.uut.idle.next = true;
    let mut lines = Vec::new();
    let outcomes: Vec<Outcome> = (0..5).map(|n| Outcome::plain(n, 2)).collect();
    for n in 0..60 {
        sim.uut.out_valid.next = false;
        sim.uut.hits_valid.next = false;
        if let Some(outcome) = outcomes.get(n) {
            outcome.offer(&mut sim.uut, &mut rng);
            sim.uut.out_valid.next = true;
            outcome.offer_hits(&mut sim.uut);
            sim.uut.hits_valid.next = true;
        }
        sim.step();
        if sim.uut.m_axis_tvalid.val() {
            lines.push(to_bytes(sim.uut.m_axis_tdata.val()));
        }
    }
    assert_eq!(strip(&lines, 0).0, outcomes.as_records());
}

fn gate<const D: usize, const C: usize, const S: usize, const F: usize>(name: &str) {
    let (mut outstanding, mut hits_outstanding) = (0, 0);
    gate::passes(name, Pack::<D, C, S, F>::default, 4000, 5, |uut, rng, cycle| {
        if uut.reset.val() {
            (outstanding, hits_outstanding) = (0, 0);
        } else if uut.credit.val() {
            outstanding -= 1;
            hits_outstanding -= 1;
        }
        uut.reset.next = cycle > 500 && chance(rng, 1) && cycle % 3 == 0;
        uut.records_log2.next = 8u64.into();
        uut.idle.next = chance(rng, 10);
        let busy = if cycle % 800 < 400 { 95 } else { 10 };
        uut.out_valid.next = outstanding < 1 << D && chance(rng, busy);
        uut.hits_valid.next = hits_outstanding < 1 << D && chance(rng, busy);
        outstanding += i32::from(uut.out_valid.next && !uut.reset.next);
        hits_outstanding += i32::from(uut.hits_valid.next && !uut.reset.next);
        // What belongs together does not matter here.
        Outcome::random(rng).offer(uut, rng);
        Outcome::random(rng).offer_hits(uut);
        uut.m_axis_tready.next = chance(rng, if cycle % 1000 < 200 { 5 } else { 85 });
    });
}

#[test]
fn passes_the_gate_in_line() {
    gate::<7, 8, 96, { found_bits(96) }>("pack_line");
}

#[test]
fn passes_the_gate_in_lab() {
    gate::<6, 7, 8, { found_bits(8) }>("pack_lab");
}

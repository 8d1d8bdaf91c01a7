use std::collections::VecDeque;

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use wiresift_abi::geometry::{LAB, LINE};

use super::super::testing::to_bits;
use super::*;
use crate::gate::{Native, passes};

/// What the queue has to give for beats it did not drop anything of: the hits of a beat by group, class, lane.
fn expand(beat: &Beat, hits: [u64; 3], lanes: usize, overflow: bool) -> Vec<Survivor> {
    let base = Survivor {
        number: beat.number,
        bytes: beat.bytes,
        first: beat.first,
        last: beat.last,
        command: beat.command,
        lane: 0.into(),
        class: 0.into(),
        hit: false,
        end: false,
        overflow,
    };
    let mut survivors = Vec::new();
    for group in 0..lanes / 4 {
        for (class, hits) in hits.iter().enumerate() {
            for lane in (4 * group..4 * group + 4).filter(|lane| hits >> lane & 1 == 1) {
                let (lane, class) = ((lane as u64).to_bits(), (class as u64).to_bits());
                survivors.push(Survivor { lane, class, hit: true, ..base });
            }
        }
    }
    if survivors.is_empty() && beat.last {
        survivors.push(base);
    }
    if let Some(last) = survivors.last_mut() {
        last.end = beat.last;
    }
    survivors
}

/// Random beats of random elements, and what was put in.
struct Source {
    lanes: usize,
    /// Beats of an element at most.
    most: usize,
    at: usize,
    beats: usize,
    command: bool,
    number: u64,
}

impl Source {
    fn next(&mut self, rng: &mut ChaCha8Rng, density: f64) -> (Beat, [u64; 3]) {
        if self.at == 0 {
            self.beats = rng.random_range(1..=self.most);
            self.command = rng.random_bool(0.1);
        }
        let last = self.at + 1 == self.beats;
        let beat = Beat {
            number: (self.number % 1024).to_bits(),
            bytes: u64::from(rng.random::<u8>() >> 1).to_bits(),
            first: self.at == 0,
            last,
            command: self.command,
        };
        self.number += 1;
        self.at = if last { 0 } else { self.at + 1 };
        let mut hits = [0u64; 3];
        if !self.command && rng.random_bool(density) {
            for _ in 0..rng.random_range(1..4) {
                hits[rng.random_range(0..3)] |= 1 << rng.random_range(0..self.lanes);
            }
            if rng.random_bool(0.05) {
                hits = hits.map(|_| rng.random::<u64>() >> (64 - self.lanes));
            }
        }
        (beat, hits)
    }
}

fn offer<const L: usize, const G: usize, const E: usize>(
    uut: &mut Survivors<L, G, E>,
    beat: &Beat,
    hits: [u64; 3],
) {
    uut.valid.next = true;
    uut.beat.next = *beat;
    uut.eight.next = to_bits(hits[0]);
    uut.four.next = to_bits(hits[1]);
    uut.three.next = to_bits(hits[2]);
}

fn source(lanes: usize, most: usize) -> Source {
    Source { lanes, most, at: 0, beats: 0, command: false, number: 0 }
}

fn gate<const L: usize, const G: usize, const E: usize>(
    name: &str,
    geometry: &'static Geometry,
    cycles: usize,
) {
    let mut source = source(L, 5);
    let mut expected: VecDeque<Survivor> = VecDeque::new();
    let mut taken = 0;
    passes(
        name,
        || Survivors::<L, G, E>::new(geometry),
        cycles,
        7,
        |uut, rng, cycle| {
            if cycle > 0 && uut.m_axis_tvalid.val() && uut.m_axis_tready.val() && !uut.reset.val() {
                taken += 1;
            }
            uut.reset.next = cycle == 0;
            uut.valid.next = false;
            // Few enough that the queue never fills.
            if cycle > 0 && expected.len() < 300 && rng.random_bool(0.6) {
                let (beat, hits) = source.next(rng, 0.3);
                offer(uut, &beat, hits);
                expected.extend(expand(&beat, hits, L, false));
            }
            uut.arrived.next = (source.number % 1024).to_bits();
            uut.m_axis_tready.next = rng.random_bool(if cycle % 900 < 450 { 0.9 } else { 0.4 });
            // The outputs are registers: what stands there is taken in this cycle.
            if cycle > 0 && uut.m_axis_tvalid.val() && uut.m_axis_tready.next {
                assert_eq!(Some(uut.m_axis_tdata.val()), expected.pop_front(), "cycle {cycle}");
            }
        },
    );
    assert!(taken > cycles / 3, "{taken}");
}

#[test]
fn survivors_come_out_in_order_one_a_cycle() {
    gate::<16, 4, 69>("payload_survivors_lab", &LAB, 5000);
    gate::<64, 16, 213>("payload_survivors_line", &LINE, 1500);
}

/// Everything is dropped or comes out; no end of an element is lost, and every element of which something was
/// dropped says so.
fn floods<const L: usize, const G: usize, const E: usize>(
    geometry: &'static Geometry,
    ready: f64,
    density: f64,
    hurries: bool,
) {
    let mut rng: ChaCha8Rng = rand_chacha::rand_core::SeedableRng::seed_from_u64(3);
    let mut sim = Native::new(Survivors::<L, G, E>::new(geometry));
    sim.uut.reset.next = true;
    sim.step();
    sim.uut.reset.next = false;
    // Long elements: short ones run out of credits before anything fills up.
    let mut source = source(L, 50);
    // Elements under way: hits that were put in.
    let mut elements: VecDeque<Vec<Survivor>> = VecDeque::from([Vec::new()]);
    let (mut ended, mut whole, mut flagged) = (0usize, 0, 0);
    let mut got: Vec<Survivor> = Vec::new();
    for cycle in 0..9000 {
        sim.uut.valid.next = false;
        // Credits: only so many elements are under way.
        if (cycle < 2500 || source.at > 0) && elements.len() <= geometry.packets_in_flight {
            let (beat, hits) = source.next(&mut rng, density);
            offer(&mut sim.uut, &beat, hits);
            elements.back_mut().unwrap().extend(expand(&beat, hits, L, false));
            if beat.last {
                elements.push_back(Vec::new());
            }
        }
        sim.uut.arrived.next = (source.number % 1024).to_bits();
        sim.uut.m_axis_tready.next = cycle >= 2500 || rng.random_bool(ready);
        sim.uut.hurry.next = hurries && cycle % 83 < 2;
        if sim.uut.m_axis_tvalid.val() && sim.uut.m_axis_tready.next {
            got.push(sim.uut.m_axis_tdata.val());
            if got.last().unwrap().end {
                let expected = elements.pop_front().unwrap();
                let overflow = got.iter().any(|survivor| survivor.overflow);
                let plain = |survivors: &[Survivor]| -> Vec<(u64, usize, usize)> {
                    let hits = survivors.iter().filter(|survivor| survivor.hit);
                    hits.map(|s| (s.number.index() as u64, s.lane.index(), s.class.index())).collect()
                };
                let (got_hits, all) = (plain(&got), plain(&expected));
                if overflow {
                    assert!(got_hits.len() < all.len() && got_hits.iter().all(|hit| all.contains(hit)));
                    flagged += 1;
                } else {
                    assert_eq!(got_hits, all);
                    whole += 1;
                }
                got.clear();
                ended += 1;
            }
        }
        sim.step();
        assert!(sim.uut.fifo.s_axis_tready.val(), "the queue overflows");
    }
    assert!(got.is_empty() && elements.iter().all(Vec::is_empty), "{} ends, {} left", ended, elements.len());
    assert!(whole > 10 && flagged > 10, "{whole} {flagged}");
}

#[test]
fn floods_are_flagged_and_no_end_is_lost() {
    for (ready, density) in [(0.3, 0.9), (0.02, 0.5), (0.9, 1.0)] {
        floods::<16, 4, 69>(&LAB, ready, density, false);
    }
    floods::<64, 16, 213>(&LINE, 0.5, 0.9, false);
}

#[test]
fn what_is_dropped_in_a_hurry_is_flagged() {
    floods::<16, 4, 69>(&LAB, 0.9, 0.6, true);
    floods::<64, 16, 213>(&LINE, 0.7, 0.8, true);
}

#[test]
fn in_a_hurry_every_beat_takes_a_cycle() {
    let mut rng: ChaCha8Rng = rand_chacha::rand_core::SeedableRng::seed_from_u64(5);
    let mut sim = Native::new(Survivors::<16, 4, 69>::new(&LAB));
    sim.uut.reset.next = true;
    sim.step();
    sim.uut.reset.next = false;
    // Two hundred elements of a beat, each full of hits.
    let mut source = source(16, 1);
    for _ in 0..200 {
        let (beat, _) = source.next(&mut rng, 0.0);
        offer(&mut sim.uut, &Beat { command: false, ..beat }, [0xffff; 3]);
        sim.uut.arrived.next = (source.number % 1024).to_bits();
        sim.step();
    }
    sim.uut.valid.next = false;
    sim.uut.hurry.next = true;
    sim.uut.m_axis_tready.next = true;
    let mut ends = 0;
    for _ in 0..215 {
        if sim.uut.m_axis_tvalid.val() && sim.uut.m_axis_tdata.val().end {
            assert!(sim.uut.m_axis_tdata.val().overflow);
            ends += 1;
        }
        sim.step();
    }
    assert_eq!(ends, 200);
}

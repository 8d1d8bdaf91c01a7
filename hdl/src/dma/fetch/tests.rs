use std::collections::VecDeque;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use wiresift_abi::geometry::{LAB, LINE};

use super::*;
use crate::gate::{self, Clocked, Native};
use crate::ring::testing::{below, chance, number, random_bytes, to_bits, to_bytes};

impl<const BEAT_BITS: usize, const D: usize, const C: usize> Clocked for Fetch<BEAT_BITS, D, C> {
    fn clock(&mut self) -> &mut Signal<In, Clock> {
        &mut self.clock
    }
}

/// How host, bus and sink behave.
#[derive(Clone)]
struct Plan {
    lines_log2: u32,
    latency: usize,
    /// Percent of cycles in which the bus takes no address, gives no answer; in which nothing is taken out.
    address_stall: u32,
    answer_stall: u32,
    out_stall: u32,
    /// Lines of a doorbell at most, and percent of cycles in which there is one.
    doorbell_lines: usize,
    doorbell: u32,
    /// Line index at which the run starts.
    first: u32,
    seed: u64,
}

const CALM: Plan = Plan {
    lines_log2: 8,
    latency: 20,
    address_stall: 0,
    answer_stall: 0,
    out_stall: 0,
    doorbell_lines: usize::MAX,
    doorbell: 100,
    first: 0,
    seed: 1,
};

/// A beat that the bus owes.
struct Owed {
    from: usize,
    offset: usize,
    /// Data as it was when the address was taken; without it, as it is when the beat is given.
    data: Option<Vec<u8>>,
    last: bool,
}

/// Reader, host memory, bus and host, stepped together.
struct Rig<const BEAT_BITS: usize> {
    sim: Native<Fetch<BEAT_BITS, 9, 10>>,
    plan: Plan,
    rng: ChaCha8Rng,
    geometry: Geometry,
    base: u64,
    memory: Vec<u8>,
    /// Everything the host wrote, from the first line on.
    written: Vec<u8>,
    out: Vec<u8>,
    pidx: u32,
    owed: VecDeque<Owed>,
    address: Option<(u64, u64)>,
    /// Lines of each burst.
    bursts: Vec<usize>,
    answer_given: bool,
    in_flight: usize,
    cycle: usize,
    out_cycles: Vec<usize>,
    errors: Vec<(u64, u64)>,
    pulses: [usize; 3],
    /// Beats from the start of the run that are answered with an error, and the response.
    bad_beats: Vec<(usize, u64)>,
    answered: usize,
}

impl<const BEAT_BITS: usize> Rig<BEAT_BITS> {
    fn new(geometry: &Geometry, plan: Plan) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(plan.seed);
        let mut sim = Native::new(Fetch::new(geometry));
        // A base just below 4 GiB: the ring crosses the carry between the halves of the address.
        let base = 0x7_ffff_f000 + 4096 * (rng.next_u64() % 2);
        sim.uut.base.next = base.into();
        sim.uut.lines_log2.next = u64::from(plan.lines_log2).into();
        sim.step();
        sim.step();
        let memory = vec![0xa5; 64 << plan.lines_log2];
        let mut rig = Self {
            sim,
            rng,
            geometry: *geometry,
            base,
            memory,
            written: Vec::new(),
            out: Vec::new(),
            pidx: plan.first,
            owed: VecDeque::new(),
            address: None,
            bursts: Vec::new(),
            answer_given: false,
            in_flight: 0,
            cycle: 0,
            out_cycles: Vec::new(),
            errors: Vec::new(),
            pulses: [0; 3],
            bad_beats: Vec::new(),
            answered: 0,
            plan,
        };
        rig.start();
        rig
    }

    fn start(&mut self) {
        let uut = &mut self.sim.uut;
        uut.enable.next = true;
        uut.pidx.next = 0.into();
        self.sim.step();
        let first = u64::from(self.plan.first);
        let uut = &mut self.sim.uut;
        for index in [&mut uut.asked, &mut uut.received, &mut uut.limit] {
            index.q.next = first.into();
        }
        uut.pidx.next = first.into();
        self.sim.settle();
    }

    fn cidx(&self) -> u32 {
        number(self.sim.uut.cidx.val()) as u32
    }

    /// Writes `lines` lines into the ring and rings the doorbell.
    fn post(&mut self, lines: usize) {
        for _ in 0..lines {
            let line = random_bytes(&mut self.rng, 64);
            let at = (self.pidx as usize & ((1 << self.plan.lines_log2) - 1)) * 64;
            self.memory[at..at + 64].copy_from_slice(&line);
            self.written.extend(line);
            self.pidx = self.pidx.wrapping_add(1);
        }
        self.sim.uut.pidx.next = u64::from(self.pidx).into();
    }

    /// Posts by the plan until `total` lines were posted.
    fn host(&mut self, total: usize) {
        let free = (1usize << self.plan.lines_log2) - self.pidx.wrapping_sub(self.cidx()) as usize;
        let most = free.min(total - self.written.len() / 64).min(self.plan.doorbell_lines);
        if most > 0 && chance(&mut self.rng, self.plan.doorbell) {
            let lines =
                if self.plan.doorbell_lines == usize::MAX { most } else { 1 + below(&mut self.rng, most) };
            self.post(lines);
        }
    }

    /// One cycle of bus and sink.
    fn step(&mut self) {
        let beat_bytes = BEAT_BITS / 8;
        let plan = self.plan.clone();
        let arready = !chance(&mut self.rng, plan.address_stall);
        let ready = self.owed.front().is_some_and(|owed| owed.from <= self.cycle);
        self.answer_given = ready && (self.answer_given || !chance(&mut self.rng, plan.answer_stall));
        let uut = &mut self.sim.uut;
        uut.m_axi_arready.next = arready;
        uut.m_axi_rvalid.next = self.answer_given;
        if let (Some(owed), true) = (self.owed.front(), self.answer_given) {
            let now = &self.memory[owed.offset..owed.offset + beat_bytes];
            uut.m_axi_rdata.next = to_bits(owed.data.as_deref().unwrap_or(now));
            uut.m_axi_rlast.next = owed.last;
            let bad = self.bad_beats.iter().find(|bad| bad.0 == self.answered);
            // EXOKAY (1) is not an error.
            uut.m_axi_rresp.next = bad.map_or((self.answered % 2) as u64, |bad| bad.1).into();
        }
        uut.m_axis_tready.next = !chance(&mut self.rng, plan.out_stall);
        self.sim.settle();
        let uut = &self.sim.uut;
        assert!(uut.m_axi_rready.val(), "rready is always high");
        assert!(!uut.push.val() || uut.buffer.s_axis_tready.val(), "the buffer overflows");
        if uut.m_axis_tvalid.val() && uut.m_axis_tready.val() {
            self.out.extend(to_bytes(uut.m_axis_tdata.val()));
            self.out_cycles.push(self.cycle);
        }
        if uut.error.val() {
            self.errors.push((number(uut.error_code.val()), number(uut.error_detail.val())));
        }
        for (pulse, seen) in self.pulses.iter_mut().zip([&uut.burst, &uut.line, &uut.read_error]) {
            *pulse += usize::from(seen.val());
        }
        if self.answer_given {
            self.in_flight -= usize::from(self.owed.pop_front().unwrap().last);
            self.answered += 1;
            self.answer_given = false;
        }
        self.take_address(arready);
        self.sim.step();
        self.cycle += 1;
    }

    /// Takes an address off the bus and checks it against AXI4 and the ring.
    fn take_address(&mut self, arready: bool) {
        let beat_bytes = BEAT_BITS / 8;
        let uut = &self.sim.uut;
        let now =
            uut.m_axi_arvalid.val().then(|| (number(uut.m_axi_araddr.val()), number(uut.m_axi_arlen.val())));
        assert!(self.address.is_none() || now == self.address, "an address changed before it was taken");
        self.address = if arready { None } else { now };
        let (Some((address, length)), true) = (now, arready) else { return };
        assert_eq!(1 << number(uut.m_axi_arsize.val()), beat_bytes);
        assert_eq!((number(uut.m_axi_arburst.val()), number(uut.m_axi_arid.val())), (1, 0));
        let bytes = (length as usize + 1) * beat_bytes;
        assert!(address % 64 == 0 && bytes.is_multiple_of(64));
        assert_eq!(address / 1024, (address + bytes as u64 - 1) / 1024, "a burst crosses its alignment");
        let offset = address.checked_sub(self.base).unwrap() as usize;
        assert!(offset + bytes <= self.memory.len(), "a burst leaves the ring");
        self.bursts.push(bytes / 64);
        self.in_flight += 1;
        assert!(self.in_flight <= self.geometry.reads_in_flight);
        let early = chance(&mut self.rng, 50);
        let from = (self.cycle + self.plan.latency).max(self.owed.back().map_or(0, |owed| owed.from));
        for at in (offset..offset + bytes).step_by(beat_bytes) {
            let data = early.then(|| self.memory[at..at + beat_bytes].to_vec());
            let last = at + beat_bytes == offset + bytes;
            self.owed.push_back(Owed { from, offset: at, data, last });
        }
        assert!(self.owed.len() <= self.geometry.read_buffer_beats);
    }

    /// Runs until `total` lines came out, then some more; everything has to be as it was written.
    fn run(&mut self, total: usize) {
        let mut quiet = 0;
        while quiet < 50 {
            assert!(self.cycle < 40 * total + 20_000, "{} of {} bytes came", self.out.len(), total * 64);
            self.host(total);
            self.step();
            quiet = if self.out.len() >= total * 64 { quiet + 1 } else { 0 };
        }
        assert!(self.out == self.written, "beats differ from the ring");
        assert_eq!(self.cidx(), self.plan.first.wrapping_add(total as u32));
        assert_eq!(self.errors, []);
        assert_eq!(self.pulses, [self.bursts.len(), total, 0]);
        assert_eq!(self.bursts.iter().sum::<usize>(), total);
        assert!(self.sim.uut.idle.val());
    }
}

fn both(plan: &Plan, total: usize) {
    Rig::<512>::new(&LINE, plan.clone()).run(total);
    Rig::<128>::new(&LAB, plan.clone()).run(total);
}

#[test]
fn gives_the_ring_in_order_whatever_stalls() {
    for (n, (bus, out)) in [(0, 0), (60, 0), (0, 60), (50, 50)].into_iter().enumerate() {
        for (doorbell_lines, doorbell) in [(usize::MAX, 100), (3, 15), (40, 5)] {
            let plan = Plan {
                lines_log2: 6,
                address_stall: bus,
                answer_stall: bus,
                out_stall: out,
                doorbell_lines,
                doorbell,
                seed: n as u64,
                ..CALM
            };
            // The ring goes around five times.
            both(&plan, 330);
        }
    }
}

#[test]
fn indices_go_around_two_to_the_32() {
    for first in [u32::MAX - 40, u32::MAX, u32::MAX - 15, 1 << 31, (1 << 31) - 37] {
        both(&Plan { first, lines_log2: 6, doorbell_lines: 20, doorbell: 20, ..CALM }, 200);
    }
}

#[test]
fn every_alignment_of_the_producer_index_is_read_out() {
    for start in 0..16 {
        for lines in 1..=33 {
            let mut rig = Rig::<512>::new(&LINE, Plan { first: start, latency: 3, ..CALM });
            rig.post(lines);
            for _ in 0..lines + 60 {
                rig.step();
            }
            assert!(rig.out == rig.written, "{lines} lines from {start}");
        }
    }
}

#[test]
fn two_doorbells_at_any_distance_are_read_out() {
    for gap in 0..24 {
        let mut rig = Rig::<128>::new(&LAB, Plan { first: 5, latency: 10, ..CALM });
        rig.post(3);
        for _ in 0..gap {
            rig.step();
        }
        rig.post(1 + gap % 3);
        for _ in 0..150 {
            rig.step();
        }
        assert!(rig.out == rig.written, "{gap} cycles between");
    }
}

#[test]
fn keeps_the_stream_full_over_250_cycles_of_latency() {
    fn beats_a_cycle<const BEAT_BITS: usize>(geometry: &Geometry, lines: usize) {
        let mut rig = Rig::<BEAT_BITS>::new(geometry, Plan { lines_log2: 12, latency: 250, ..CALM });
        rig.run(lines);
        let cycles = rig.out_cycles.last().unwrap() - rig.out_cycles[0] + 1;
        let rate = rig.out_cycles.len() as f64 / cycles as f64;
        assert!(rate >= 0.98, "{rate} beats a cycle");
        assert!(rig.bursts.iter().all(|&lines| lines == BURST_LINES), "only whole bursts");
    }
    beats_a_cycle::<512>(&LINE, 4096);
    beats_a_cycle::<128>(&LAB, 1024);
}

#[test]
fn single_lines_that_trickle_in_are_gathered() {
    // A line every four cycles: 2.5 bursts' worth within the latency.
    let plan = Plan { latency: 150, doorbell_lines: 1, doorbell: 25, ..CALM };
    let mut rig = Rig::<512>::new(&LINE, plan);
    rig.run(600);
    assert!(rig.bursts.len() <= 600 / SHORT_LINES + 10, "{} bursts", rig.bursts.len());
    // One alone, with nothing in flight, does not wait.
    let mut rig = Rig::<512>::new(&LINE, Plan { latency: 5, ..CALM });
    rig.post(1);
    for _ in 0..20 {
        rig.step();
    }
    assert_eq!(rig.out.len(), 64);
}

#[test]
fn a_stop_at_any_time_drains_the_bus_and_the_next_start_begins_anew() {
    for seed in 0..60 {
        let plan = Plan {
            lines_log2: 7,
            latency: 30,
            address_stall: [0, 70][seed as usize % 2],
            answer_stall: 40,
            out_stall: 50,
            doorbell_lines: 30,
            doorbell: 30,
            seed,
            ..CALM
        };
        let mut rig = Rig::<128>::new(&LAB, plan);
        for _ in 0..40 + 3 * seed {
            rig.host(1000);
            rig.step();
        }
        rig.sim.uut.enable.next = false;
        let (out, bursts) = (rig.out.len(), rig.bursts.len());
        // An address that is already out stays out.
        let open = usize::from(rig.sim.uut.m_axi_arvalid.val());
        let mut waited = 0;
        rig.sim.settle();
        while !rig.sim.uut.idle.val() {
            assert!(!rig.sim.uut.m_axis_tvalid.val());
            rig.step();
            waited += 1;
            assert!(waited < 5000);
        }
        assert!(rig.owed.is_empty() && rig.address.is_none());
        assert_eq!((rig.out.len(), rig.bursts.len()), (out, bursts + open));
        assert!(rig.out == rig.written[..out]);
        if seed % 3 > 0 {
            rig.step();
            rig.step();
            assert_eq!(rig.cidx(), 0);
        }
        // Another content, from the start of the ring.
        rig.written.clear();
        rig.out.clear();
        rig.bursts.clear();
        rig.pulses = [0; 3];
        rig.pidx = 0;
        rig.cycle = 0;
        rig.start();
        rig.run(150);
    }
}

#[test]
fn a_producer_index_out_of_range_halts() {
    for (posted, pidx) in [(10u32, 75u32), (10, u32::MAX), (64, 129), (0, 65), (0, 1 << 31), (20, 19)] {
        let mut rig = Rig::<512>::new(&LINE, Plan { lines_log2: 6, latency: 3, ..CALM });
        rig.post(posted as usize);
        for _ in 0..200 {
            rig.step();
        }
        assert_eq!(rig.errors, []);
        rig.sim.uut.pidx.next = u64::from(pidx).into();
        for _ in 0..50 {
            rig.step();
        }
        assert_eq!(rig.errors, [(ErrorCode::BadPidx as u64, u64::from(pidx))]);
        assert_eq!(rig.bursts.iter().sum::<usize>(), posted as usize);
        rig.sim.uut.enable.next = false;
        for _ in 0..3 {
            rig.step();
        }
        assert!(rig.sim.uut.idle.val());
    }
    // As far ahead as the ring is long is allowed.
    both(&Plan { lines_log2: 6, ..CALM }, 64);
}

#[test]
fn a_producer_index_that_goes_back_over_what_was_asked_asks_for_nothing() {
    let mut rig = Rig::<512>::new(&LINE, Plan { lines_log2: 8, latency: 100, ..CALM });
    rig.post(96);
    for _ in 0..60 {
        rig.step();
    }
    rig.sim.uut.pidx.next = 50u64.into();
    for _ in 0..400 {
        rig.step();
    }
    assert_eq!(rig.bursts.iter().sum::<usize>(), 96);
    assert_eq!(rig.errors, [(ErrorCode::BadPidx as u64, 50)]);
}

#[test]
fn an_error_response_halts_and_every_bad_beat_is_counted() {
    for response in [2, 3] {
        let mut rig = Rig::<128>::new(&LAB, Plan { latency: 40, ..CALM });
        rig.bad_beats = vec![(137, response), (138, 2), (200, 3)];
        rig.post(256);
        for _ in 0..1500 {
            rig.step();
        }
        assert_eq!(rig.errors, [(ErrorCode::ReadResponse as u64, response)]);
        assert_eq!(rig.pulses[2], 3);
        assert_eq!(rig.cidx(), 137 / 4);
        assert!(rig.out == rig.written[..137 * 16], "what came before it is good");
        assert!(rig.bursts.len() < 256 / BURST_LINES, "nothing more is asked for");
        rig.sim.uut.enable.next = false;
        rig.step();
        assert!(rig.sim.uut.idle.val());
        rig.step();
        assert_eq!(rig.cidx(), 0);
    }
}

/// Random bus, random producer index near the consumer's, starts and stops.
fn gate<const BEAT_BITS: usize>(name: &str, geometry: &Geometry) {
    let mut owed: VecDeque<(usize, bool)> = VecDeque::new();
    let (mut pidx, mut enable) = (0u32, false);
    let beats_log2 = geometry.beats_per_line().ilog2();
    gate::passes(
        name,
        || Fetch::<BEAT_BITS, 9, 10>::new(geometry),
        4000,
        21,
        |uut, rng, cycle| {
            let arready = chance(rng, 60);
            if uut.m_axi_arvalid.val() && arready {
                for left in (0..=number(uut.m_axi_arlen.val())).rev() {
                    owed.push_back((cycle + 30, left == 0));
                }
            }
            uut.m_axi_arready.next = arready;
            let answer = chance(rng, 90) && owed.front().is_some_and(|owed| owed.0 <= cycle);
            uut.m_axi_rvalid.next = answer;
            uut.m_axi_rlast.next = if answer { owed.pop_front().unwrap().1 } else { chance(rng, 50) };
            uut.m_axi_rdata.next = to_bits(&random_bytes(rng, BEAT_BITS / 8));
            uut.m_axi_rresp.next = if chance(rng, 1) && cycle > 2000 { 2 } else { 0u64 }.into();
            uut.m_axis_tready.next = chance(rng, if cycle % 1000 < 300 { 20 } else { 95 });
            uut.base.next = 0xffff_f000u64.into();
            uut.lines_log2.next = 7u64.into();
            if enable && chance(rng, 1) && cycle % 1000 > 600 {
                enable = false;
            } else if !enable && cycle > 5 && chance(rng, 10) && uut.idle.val() {
                enable = true;
                pidx = 0;
            }
            if enable && chance(rng, 10) {
                let cidx = number(uut.cidx.val()) as u32;
                let ahead = pidx.wrapping_sub(cidx);
                pidx = pidx.wrapping_add(below(rng, 1 + 128u32.saturating_sub(ahead) as usize) as u32);
                if cycle > 3000 && chance(rng, 2) {
                    pidx = pidx.wrapping_add(300 << beats_log2);
                }
            }
            uut.enable.next = enable;
            uut.pidx.next = u64::from(pidx).into();
            uut.reset.next = false;
        },
    );
}

#[test]
fn passes_the_gate_in_line() {
    gate::<512>("fetch_line", &LINE);
}

#[test]
fn passes_the_gate_in_lab() {
    gate::<128>("fetch_lab", &LAB);
}

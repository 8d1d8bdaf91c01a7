use std::collections::VecDeque;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use wiresift_abi::geometry::{ALL, LAB};

use super::*;
use crate::gate::{self, Clocked, Native};
use crate::ring::testing::{below, chance, number, random_bytes, to_bits, to_bytes};

impl<const BEAT_BITS: usize, const STRB_BITS: usize> Clocked for Writer<BEAT_BITS, STRB_BITS> {
    fn clock(&mut self) -> &mut Signal<In, Clock> {
        &mut self.clock
    }
}

/// The geometry with beats of that many bits.
fn geometry<const BEAT_BITS: usize>() -> &'static Geometry {
    ALL.into_iter().find(|geometry| geometry.beat_bytes * 8 == BEAT_BITS).unwrap()
}

/// How source, bus and host behave.
#[derive(Clone)]
struct Plan {
    latency: usize,
    /// Percent of cycles in which the source has no line, in which the bus takes nothing, gives no answer.
    source_idle: u32,
    bus_stall: u32,
    answer_stall: u32,
    /// Percent of cycles in which the host consumes all that is acknowledged.
    host: u32,
    /// Records of the ring, power of two.
    records_log2: u32,
    /// Record index at which the run starts.
    first: u32,
    seed: u64,
}

impl Plan {
    const fn ring_lines(&self) -> usize {
        (1 << self.records_log2) / LINE_RECORDS
    }
}

const CALM: Plan = Plan {
    latency: 10,
    source_idle: 0,
    bus_stall: 0,
    answer_stall: 0,
    host: 100,
    records_log2: 8,
    first: 0,
    seed: 1,
};
const STATUS_BASE: u64 = 0x12_3456_7fc0;

/// Words of a status line.
type Words = [u32; 16];

/// Writer, host memory, bus and host, stepped together.
struct Rig<const BEAT_BITS: usize, const STRB_BITS: usize> {
    sim: Native<Writer<BEAT_BITS, STRB_BITS>>,
    plan: Plan,
    rng: ChaCha8Rng,
    base: u64,
    /// Lines that were taken, and lines as they were written to the ring, in order.
    taken: Vec<Vec<u8>>,
    written: Vec<Vec<u8>>,
    offered: Option<Vec<u8>>,
    lines_left: usize,
    addresses: VecDeque<u64>,
    data: VecDeque<Vec<u8>>,
    beats: Vec<u8>,
    /// Cycle from which the bus answers, and whether the write was a record line.
    answers: VecDeque<(usize, bool)>,
    waits: [Option<Vec<u8>>; 2],
    acknowledged: u32,
    /// What was acknowledged one and two cycles ago.
    earlier: [u32; 2],
    cidx: u32,
    statuses: Vec<Words>,
    /// Answers that are errors: number of the answer, response.
    bad_answers: Vec<(usize, u64)>,
    answered: usize,
    errors: Vec<(u64, u64)>,
    /// line, status_line, burst, write_error, credit_wait, irq_disarm.
    pulses: [usize; 6],
    cycle: usize,
}

impl<const BEAT_BITS: usize, const STRB_BITS: usize> Rig<BEAT_BITS, STRB_BITS> {
    fn new(plan: Plan) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(plan.seed);
        let mut sim = Native::new(Writer::new(geometry::<BEAT_BITS>()));
        // The ring crosses 4 GiB in every other run.
        let base = 0x3_ffff_f000 + 0x1000 * below(&mut rng, 2) as u64;
        sim.uut.c2h_base.next = base.into();
        sim.uut.status_base.next = STATUS_BASE.into();
        sim.uut.c2h_records_log2.next = u64::from(plan.records_log2).into();
        sim.step();
        sim.step();
        let mut rig = Self {
            sim,
            rng,
            base,
            taken: Vec::new(),
            written: Vec::new(),
            offered: None,
            lines_left: 0,
            addresses: VecDeque::new(),
            data: VecDeque::new(),
            beats: Vec::new(),
            answers: VecDeque::new(),
            waits: [None, None],
            acknowledged: plan.first,
            earlier: [plan.first; 2],
            cidx: plan.first,
            statuses: Vec::new(),
            bad_answers: Vec::new(),
            answered: 0,
            errors: Vec::new(),
            pulses: [0; 6],
            cycle: 0,
            plan,
        };
        rig.start();
        rig
    }

    fn start(&mut self) {
        let first = self.plan.first;
        self.sim.uut.enable.next = true;
        self.sim.uut.c2h_cidx.next = 0.into();
        self.sim.uut.status.next = 1.into();
        self.sim.step();
        let place = u64::from(first) % (1 << self.plan.records_log2) * 16;
        let uut = &mut self.sim.uut;
        uut.taken.q.next = u64::from(first).into();
        uut.acknowledged.q.next = u64::from(first).into();
        uut.address_low.q.next = ((self.base & 0xffff_ffff) + place).into();
        let left = self.plan.ring_lines() as u64 - place / 64;
        uut.left.q.next = left.into();
        uut.at_end.q.next = left == 1;
        uut.c2h_cidx.next = u64::from(first).into();
        self.sim.settle();
    }

    fn pidx(&self) -> u32 {
        number(self.sim.uut.c2h_pidx.val()) as u32
    }

    fn step(&mut self) {
        let plan = self.plan.clone();
        if self.offered.is_none() && self.lines_left > 0 && !chance(&mut self.rng, plan.source_idle) {
            self.offered = Some(random_bytes(&mut self.rng, 64));
            self.lines_left -= 1;
        }
        let ready = self.answers.front().is_some_and(|answer| answer.0 <= self.cycle);
        let answer = ready && !chance(&mut self.rng, plan.answer_stall);
        if chance(&mut self.rng, plan.host) {
            self.cidx = self.acknowledged;
        }
        let response = self.bad_answers.iter().find(|bad| bad.0 == self.answered).map(|bad| bad.1);
        let uut = &mut self.sim.uut;
        uut.s_axis_tvalid.next = self.offered.is_some();
        uut.s_axis_tdata.next = to_bits(self.offered.as_deref().unwrap_or(&[0x33; 64]));
        uut.m_axi_awready.next = !chance(&mut self.rng, plan.bus_stall);
        uut.m_axi_wready.next = !chance(&mut self.rng, plan.bus_stall);
        uut.m_axi_bvalid.next = answer;
        uut.m_axi_bresp.next = response.unwrap_or((self.answered % 2) as u64).into();
        uut.c2h_cidx.next = u64::from(self.cidx).into();
        uut.h2c_cidx.next = (self.taken.len() as u64 * 3).into();
        uut.packets_in.next = (self.taken.len() as u64).into();
        self.sim.settle();
        self.watch();
        self.bus();
        if answer {
            let record = self.answers.pop_front().unwrap().1;
            self.acknowledged = self.acknowledged.wrapping_add(if record { 4 } else { 0 });
            self.answered += 1;
        }
        self.earlier = [self.acknowledged, self.earlier[0]];
        self.sim.step();
        self.cycle += 1;
    }

    fn watch(&mut self) {
        let uut = &self.sim.uut;
        assert!(uut.m_axi_bready.val());
        // Two registers lie between the answer and the index.
        if self.bad_answers.is_empty() {
            assert_eq!(self.pidx(), self.earlier[1], "answers of records and status lines are mixed up");
        }
        let pulses =
            [&uut.line, &uut.status_line, &uut.burst, &uut.write_error, &uut.credit_wait, &uut.irq_disarm];
        for (count, pulse) in self.pulses.iter_mut().zip(pulses) {
            *count += usize::from(pulse.val());
        }
        if uut.error.val() {
            self.errors.push((number(uut.error_code.val()), number(uut.error_detail.val())));
        }
        if let Some(line) = if uut.s_axis_tready.val() { self.offered.take() } else { None } {
            // Records that the host has not consumed must not be overwritten.
            let unconsumed =
                self.plan.first.wrapping_add(4 * self.taken.len() as u32).wrapping_sub(self.cidx);
            assert!(unconsumed as usize + 4 <= 4 * self.plan.ring_lines(), "taken without room");
            self.taken.push(line);
        }
    }

    /// Takes address and data off the bus, each in its own time, and checks them against AXI4.
    fn bus(&mut self) {
        let uut = &self.sim.uut;
        let address = uut.m_axi_awvalid.val().then(|| to_bytes(uut.m_axi_awaddr.val()));
        let beat = uut.m_axi_wvalid.val().then(|| to_bytes(uut.m_axi_wdata.val()));
        for (wait, (now, ready)) in
            self.waits.iter_mut().zip([(&address, uut.m_axi_awready.val()), (&beat, uut.m_axi_wready.val())])
        {
            assert!(wait.is_none() || wait == now, "changed before it was taken");
            *wait = if ready { None } else { now.clone() };
        }
        let beats = 512 / BEAT_BITS;
        if let (Some(address), true) = (address, uut.m_axi_awready.val()) {
            assert_eq!(number(uut.m_axi_awlen.val()) as usize + 1, beats);
            assert_eq!(1 << number(uut.m_axi_awsize.val()), BEAT_BITS / 8);
            assert_eq!((number(uut.m_axi_awburst.val()), number(uut.m_axi_awid.val())), (1, 0));
            self.addresses.push_back(u64::from_le_bytes(address.try_into().unwrap()));
        }
        if let (Some(beat), true) = (beat, uut.m_axi_wready.val()) {
            self.beats.extend(beat);
            assert_eq!(number(uut.m_axi_wstrb.val()), u64::MAX >> (64 - STRB_BITS));
            assert_eq!(uut.m_axi_wlast.val(), self.beats.len() == 64);
            if self.beats.len() == 64 {
                self.data.push_back(std::mem::take(&mut self.beats));
            }
        }
        while !self.addresses.is_empty() && !self.data.is_empty() {
            let (address, line) = (self.addresses.pop_front().unwrap(), self.data.pop_front().unwrap());
            self.write(address, line);
        }
        assert!(self.answers.len() <= geometry::<BEAT_BITS>().writes_in_flight);
    }

    fn write(&mut self, address: u64, line: Vec<u8>) {
        let record = address != STATUS_BASE;
        if record {
            let at = self.plan.first as usize / 4 + self.written.len();
            assert_eq!(
                address,
                self.base + (at % self.plan.ring_lines() * 64) as u64,
                "address of line {at}"
            );
            self.written.push(line);
        } else {
            let words: Vec<u32> =
                line.chunks(4).map(|word| u32::from_le_bytes(word.try_into().unwrap())).collect();
            let words: Words = words.try_into().unwrap();
            // Announced is only what was acknowledged.
            assert!(self.acknowledged.wrapping_sub(words[1]) as i32 >= 0, "announced too early");
            assert_eq!(words[5], self.statuses.len() as u32 + 1);
            assert_eq!(words[6..], [0; 10]);
            self.statuses.push(words);
        }
        self.answers.push_back((self.cycle + self.plan.latency, record));
    }

    /// Runs until `lines` more lines were written and everything is quiet.
    fn run(&mut self, lines: usize) {
        self.lines_left = lines;
        let total = self.taken.len() + lines;
        let (mut quiet, mut begun) = (0, usize::MAX);
        while quiet < 100 {
            assert!(self.cycle < 200 * total + 20_000, "{} of {total} lines", self.written.len());
            self.step();
            let now = self.pulses[2];
            quiet = if self.taken.len() == total && self.answers.is_empty() && begun == now {
                quiet + 1
            } else {
                0
            };
            begun = now;
        }
        self.settled();
    }

    /// Everything that was taken is in memory, and the status line says how things stand.
    fn settled(&self) {
        assert!(self.written == self.taken, "lines differ from those taken");
        let lines = self.taken.len();
        assert_eq!(self.pidx(), self.plan.first.wrapping_add(4 * lines as u32));
        assert_eq!(self.acknowledged, self.pidx());
        let status = self.statuses.last().unwrap();
        assert_eq!(status[..5], [3 * lines as u32, self.pidx(), 1, 0, lines as u32]);
        assert_eq!(self.errors, []);
        assert!(self.sim.uut.idle.val());
        assert_eq!(self.pulses[..4], [lines, self.statuses.len(), lines + self.statuses.len(), 0]);
    }
}

fn both(plan: &Plan, lines: usize) {
    Rig::<512, 64>::new(plan.clone()).run(lines);
    Rig::<128, 16>::new(plan.clone()).run(lines);
}

#[test]
fn lines_land_in_order_whatever_stalls() {
    let mut seed = 0;
    for (source_idle, bus_stall, answer_stall) in
        [(0, 0, 0), (60, 0, 0), (0, 50, 50), (40, 40, 40), (90, 5, 80)]
    {
        for host in [100, 2] {
            seed += 1;
            // The ring goes around three times.
            both(&Plan { source_idle, bus_stall, answer_stall, host, seed, ..CALM }, 200);
        }
    }
}

#[test]
fn indices_go_around_two_to_the_32() {
    for first in [0u32.wrapping_sub(40), 0u32.wrapping_sub(4), (1 << 31) - 16, 252] {
        both(&Plan { first, host: 5, source_idle: 20, ..CALM }, 150);
    }
}

#[test]
fn the_ring_is_filled_to_the_last_line_and_no_further() {
    let mut rig = Rig::<512, 64>::new(Plan { host: 0, ..CALM });
    rig.lines_left = 200;
    for _ in 0..400 {
        rig.step();
    }
    assert_eq!(rig.taken.len(), CALM.ring_lines());
    assert!(rig.pulses[4] > 200, "waiting for credit is counted");
    // Nothing but the credit is missing, so the status line is current.
    assert_eq!(rig.statuses.last().unwrap()[1], 256);
    for (cidx, lines) in [(3, 64), (4, 65), (7, 65), (8, 66), (21, 69), (256, 128), (258, 128), (500, 189)] {
        rig.cidx = cidx;
        for _ in 0..150 {
            rig.step();
        }
        assert_eq!(rig.taken.len(), lines, "consumed {cidx}");
    }
    assert_eq!(rig.errors, []);
    assert!(rig.written == rig.taken);
}

/// Cycles for `lines` lines.
fn cycles_for<const BEAT_BITS: usize, const STRB_BITS: usize>(
    latency: usize,
    lines: usize,
) -> (usize, usize) {
    let mut rig = Rig::<BEAT_BITS, STRB_BITS>::new(Plan { latency, records_log2: 11, ..CALM });
    rig.lines_left = lines;
    while rig.taken.len() < lines {
        rig.step();
    }
    let (cycles, statuses) = (rig.cycle, rig.statuses.len());
    rig.run(0);
    (cycles, statuses)
}

#[test]
fn a_line_is_written_in_every_cycle_and_status_lines_cost_little() {
    let (cycles, statuses) = cycles_for::<512, 64>(30, 1000);
    assert!(cycles <= 1000 + 1000 / 64 + 30, "{cycles} cycles");
    assert!(statuses <= 1000 / 64 + 2, "{statuses} status lines");
    let (cycles, statuses) = cycles_for::<128, 16>(30, 500);
    assert!(cycles <= 4 * (500 + 500 / 64) + 30, "{cycles} cycles");
    assert!(statuses <= 500 / 64 + 2, "{statuses} status lines");
    // One microsecond at 250 MHz: a line a cycle in `line`; in `lab`, where a line is four beats, lines in
    // flight over the latency.
    let (cycles, _) = cycles_for::<512, 64>(240, 2000);
    assert!(cycles <= 2000 + 2000 / 64 + 300, "{cycles} cycles");
    let (cycles, _) = cycles_for::<128, 16>(250, 1000);
    assert!(cycles <= 1000 * 260 / (LAB.writes_in_flight - 4) + 300, "{cycles} cycles");
}

#[test]
fn the_status_line_is_written_once_a_change_and_not_without_one() {
    let mut rig = Rig::<128, 16>::new(CALM);
    for _ in 0..60 {
        rig.step();
    }
    assert_eq!(rig.statuses.len(), 1, "RUNNING is told");
    for (n, status) in [5u32, 4, 0x8000_0000].into_iter().enumerate() {
        rig.sim.uut.status.next = u64::from(status).into();
        rig.sim.uut.error_register.next = (n as u64).into();
        for _ in 0..60 {
            rig.step();
        }
        assert_eq!(rig.statuses.len(), n + 2);
        assert_eq!(rig.statuses[n + 1][2..4], [status, n as u32]);
    }
    // IDLE changes with every write, so it is told but is no reason to tell.
    rig.sim.uut.status.next = 0x8000_0002u64.into();
    for _ in 0..60 {
        rig.step();
    }
    assert_eq!(rig.statuses.len(), 4);
}

#[test]
fn an_interrupt_follows_the_next_status_line_once_for_each_arming() {
    let mut rig = Rig::<512, 64>::new(CALM);
    let mut armed = false;
    let mut raised = 0;
    for round in 0..6 {
        armed |= round % 2 == 1;
        for cycle in 0..120 {
            if cycle == 10 {
                rig.lines_left = 3;
            }
            rig.sim.uut.irq_arm.next = armed;
            // The bridge acknowledges when it likes; in round 3 it takes its time.
            let wait = if round == 3 { 60 } else { 4 };
            raised = if rig.sim.uut.irq_req.val() { raised + 1 } else { 0 };
            rig.sim.uut.irq_ack.next = raised > wait;
            if raised > 0 {
                assert!(rig.statuses.len() > 1, "raised before a status line");
            }
            let disarmed = rig.pulses[5];
            rig.step();
            armed &= rig.pulses[5] == disarmed;
        }
        // Rounds 1, 3 and 5 armed it once each.
        assert_eq!(rig.pulses[5], usize::div_ceil(round, 2));
        assert_eq!(number(rig.sim.uut.irq_count.val()), round.div_ceil(2) as u64);
    }
    assert_eq!(rig.errors, []);
}

#[test]
fn an_arming_while_the_last_interrupt_waits_is_not_lost() {
    let mut rig = Rig::<512, 64>::new(CALM);
    rig.sim.uut.irq_arm.next = true;
    for _ in 0..60 {
        rig.step();
    }
    assert!(rig.sim.uut.irq_req.val());
    // Armed again (it never fell), the next status line comes while the request still waits.
    rig.lines_left = 1;
    for _ in 0..60 {
        rig.step();
    }
    assert_eq!(rig.pulses[5], 1);
    rig.sim.uut.irq_ack.next = true;
    for _ in 0..4 {
        rig.step();
    }
    assert_eq!(number(rig.sim.uut.irq_count.val()), 2);
}

#[test]
fn an_error_response_to_a_record_stops_lines_and_the_status_line_tells() {
    for response in [2, 3] {
        let mut rig = Rig::<128, 16>::new(CALM);
        for _ in 0..60 {
            rig.step();
        }
        // Answer 0 was the first status line; the third record line fails, and one more.
        rig.bad_answers = vec![(3, response), (4, 2)];
        rig.lines_left = 100;
        for _ in 0..300 {
            rig.step();
            if !rig.errors.is_empty() {
                rig.sim.uut.status.next = 4u64.into();
                rig.sim.uut.error_register.next = rig.errors[0].0.into();
            }
        }
        assert_eq!(rig.errors[0], (ErrorCode::RecordWriteResponse as u64, response));
        assert_eq!(rig.pulses[3], 2);
        assert_eq!(rig.pidx(), 8, "records behind the error are not counted");
        assert!(rig.taken.len() < 20 && rig.written == rig.taken);
        assert_eq!(rig.statuses.last().unwrap()[1..4], [8, 4, ErrorCode::RecordWriteResponse as u32]);
        assert!(rig.sim.uut.idle.val());
    }
}

#[test]
fn an_error_response_to_the_status_line_ends_it() {
    let mut rig = Rig::<512, 64>::new(CALM);
    rig.bad_answers = vec![(0, 3)];
    for _ in 0..60 {
        rig.step();
    }
    assert_eq!(rig.errors, [(ErrorCode::StatusWriteResponse as u64, 3)]);
    rig.sim.uut.status.next = 4u64.into();
    rig.lines_left = 5;
    for _ in 0..100 {
        rig.step();
    }
    assert_eq!((rig.statuses.len(), rig.taken.len(), rig.pulses[3]), (1, 0, 1));
}

#[test]
fn a_consumer_index_ahead_of_the_records_is_an_error() {
    for cidx in [41u32, 44, 1000, 0u32.wrapping_sub(257), 1 << 31] {
        let mut rig = Rig::<512, 64>::new(Plan { host: 0, ..CALM });
        rig.lines_left = 10;
        for _ in 0..100 {
            rig.step();
        }
        rig.cidx = 40;
        for _ in 0..10 {
            rig.step();
        }
        assert_eq!(rig.errors, []);
        rig.cidx = cidx;
        rig.step();
        for _ in 0..10 {
            rig.step();
        }
        assert_eq!(rig.errors, [(ErrorCode::BadCidx as u64, u64::from(cidx))]);
        rig.lines_left = 10;
        for _ in 0..50 {
            rig.step();
        }
        assert_eq!((rig.taken.len(), rig.pidx()), (10, 40));
    }
}

#[test]
fn a_stop_at_any_time_writes_what_was_taken_and_the_next_start_begins_anew() {
    for seed in 0..40 {
        let plan = Plan { latency: 25, bus_stall: 50, answer_stall: 30, host: 10, seed, ..CALM };
        let mut rig = Rig::<128, 16>::new(plan);
        rig.lines_left = 1000;
        for _ in 0..20 + 5 * seed {
            rig.step();
        }
        rig.sim.uut.enable.next = false;
        let (taken, begun) = (rig.taken.len(), rig.pulses[2] + usize::from(rig.sim.uut.line_taken.d.val()));
        let mut waited = 0;
        rig.sim.settle();
        while !rig.sim.uut.idle.val() {
            rig.step();
            waited += 1;
            assert!(waited < 3000);
        }
        assert!(rig.answers.is_empty() && rig.addresses.is_empty() && rig.beats.is_empty());
        assert!(rig.written == rig.taken && rig.taken.len() == taken);
        assert!(rig.pulses[2] <= begun + 1);
        assert_eq!(rig.pidx(), 4 * taken as u32);
        // A new run on the same card.
        rig.taken.clear();
        rig.written.clear();
        rig.statuses.clear();
        rig.offered = None;
        rig.pulses = [0; 6];
        rig.acknowledged = 0;
        rig.earlier = [0; 2];
        rig.cidx = 0;
        rig.cycle = 0;
        rig.start();
        rig.run(80);
    }
}

/// Random bus, credit, status words, interrupts, starts and stops.
fn gate<const BEAT_BITS: usize, const STRB_BITS: usize>(name: &str) {
    let (mut addresses, mut lines, mut answers) = (0usize, 0usize, VecDeque::new());
    let mut enable = false;
    let mut offered = false;
    let mut cidx = 0u32;
    let make = || Writer::<BEAT_BITS, STRB_BITS>::new(geometry::<BEAT_BITS>());
    gate::passes(name, make, 4000, 31, |uut, rng, cycle| {
        uut.m_axi_awready.next = chance(rng, 70);
        uut.m_axi_wready.next = chance(rng, 90);
        addresses += usize::from(uut.m_axi_awvalid.val() && uut.m_axi_awready.next);
        lines += usize::from(uut.m_axi_wvalid.val() && uut.m_axi_wready.next && uut.m_axi_wlast.val());
        while addresses > 0 && lines > 0 {
            answers.push_back(cycle + 20);
            addresses -= 1;
            lines -= 1;
        }
        let answer = chance(rng, 80) && answers.front().is_some_and(|&from| from <= cycle);
        uut.m_axi_bvalid.next = answer;
        if answer {
            answers.pop_front();
        }
        uut.m_axi_bresp.next = if cycle > 2500 && chance(rng, 2) { 2 } else { 0u64 }.into();
        offered = chance(rng, if cycle % 700 < 350 { 95 } else { 10 });
        uut.s_axis_tvalid.next = offered;
        uut.s_axis_tdata.next = to_bits(&random_bytes(rng, 64));
        uut.c2h_base.next = 0x1_ffff_f000u64.into();
        uut.status_base.next = 0x55_0000_0040u64.into();
        uut.c2h_records_log2.next = 8u64.into();
        if enable && cycle % 900 > 700 && chance(rng, 2) {
            enable = false;
        } else if !enable && cycle > 4 && chance(rng, 10) && uut.idle.val() {
            enable = true;
            cidx = 0;
        } else if enable && chance(rng, 10) && number(uut.c2h_pidx.val()) as u32 > cidx {
            cidx = number(uut.c2h_pidx.val()) as u32 + if cycle > 3300 && chance(rng, 3) { 999 } else { 0 };
        }
        uut.enable.next = enable;
        uut.c2h_cidx.next = u64::from(cidx).into();
        uut.h2c_cidx.next = (cycle as u64 / 60).into();
        uut.packets_in.next = (cycle as u64 / 90).into();
        uut.status.next = (cycle as u64 / 1000).into();
        uut.error_register.next = 0.into();
        uut.irq_arm.next = chance(rng, 20);
        uut.irq_ack.next = chance(rng, 10);
        uut.reset.next = false;
    });
}

#[test]
fn passes_the_gate_in_line() {
    gate::<512, 64>("write_line");
}

#[test]
fn passes_the_gate_in_lab() {
    gate::<128, 16>("write_lab");
}

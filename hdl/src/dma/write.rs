//! Writes the C2H ring and, between its lines, the status line.
//!
//! ```text
//!                          +--------+
//! s_axis_tdata, _tvalid -->|        |--> m_axi_aw*   (<-- awready)
//!                (<-- _tready)      |--> m_axi_w*    (<-- wready)
//! enable, c2h_*         -->| Writer |<-- m_axi_b*    (bready is always high)
//! status_base, status.. -->|        |--> c2h_pidx, idle, error*
//! irq_arm, irq_ack      -->|        |--> irq_req, irq_disarm, irq_count
//!                          +--------+--> line, status_line, burst, write_error, credit_wait
//! ```
//!
//! A line is taken when the host's consumer index leaves room for it; in the same cycle its address
//! and its data go into one register slice each, from where the bus takes them in any order. One
//! write a line, one line a cycle where a line is a beat. Answers come in order; `c2h_pidx` counts the
//! records that were acknowledged.
//!
//! The status line ([`crate::dma::status`]) is written when something in it changed and no line can be
//! taken, or 64 lines have gone by; one is in flight at most. It tells of acknowledged records only, so
//! it never runs ahead of them. An interrupt ([`crate::dma::interrupt`]) is raised when the bus has
//! acknowledged one while `irq_arm` was high.
//!
//! The geometry says how many writes are in flight at most: a line a cycle takes as many as the bus
//! takes cycles to answer one, so 256 cover 1 us at 250 MHz.
//!
//! `enable` low: nothing is begun any more, `idle` rises when everything begun was answered, and
//! only then can `enable` start it again, with every index at zero.

use rust_hdl::core::prelude::*;
use rust_hdl::widgets::prelude::*;
use wiresift_abi::bits::{LINE_BITS, LINE_BYTES};
use wiresift_abi::c2h::{LINE_RECORDS, RECORD_BYTES, RECORDS_LOG2_MAX, RECORDS_LOG2_MIN};
use wiresift_abi::csr::ErrorCode;
use wiresift_abi::geometry::Geometry;

use super::interrupt::Interrupt;
use super::status::{FLIGHT_BITS, STATUS_BITS, Status};
use crate::prim::distance::Distance;
use crate::prim::skid::RegisterSlice;

/// Cycles from a line's taking to its being seen in the room, and so lines that may not be seen yet.
const LINES_UNSEEN: usize = 2;
/// Bits of the number of records that the host has not consumed.
const AHEAD_BITS: usize = 24;
const _: () = assert!(AHEAD_BITS > RECORDS_LOG2_MAX as usize + 1);
/// Bits of the number of lines of a ring.
const LINES_BITS: usize = RECORDS_LOG2_MAX as usize - LINE_RECORDS.ilog2() as usize + 1;

// A ring of one line would end with its first.
const _: () = assert!(1 << RECORDS_LOG2_MIN >= 2 * LINE_RECORDS);

/// C2H writer; `BEAT_BITS` is the width of the bus and `STRB_BITS` an eighth of it.
#[derive(LogicBlock)]
pub struct Writer<const BEAT_BITS: usize, const STRB_BITS: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous reset; only when the bus is reset too.
    pub reset: Signal<In, Bit>,
    /// Writes while high.
    pub enable: Signal<In, Bit>,
    /// Address of the ring, a multiple of 4096.
    pub c2h_base: Signal<In, Bits<64>>,
    /// Records of the ring, power of two.
    pub c2h_records_log2: Signal<In, Bits<5>>,
    /// Records that the host has consumed; zero when `enable` rises.
    pub c2h_cidx: Signal<In, Bits<32>>,
    /// Address of the status line, a multiple of 64.
    pub status_base: Signal<In, Bits<64>>,
    /// For the status line: lines taken from the H2C ring.
    pub h2c_cidx: Signal<In, Bits<32>>,
    /// For the status line: STATUS.
    pub status: Signal<In, Bits<32>>,
    /// For the status line: ERROR.
    pub error_register: Signal<In, Bits<32>>,
    /// For the status line: packets taken in.
    pub packets_in: Signal<In, Bits<32>>,
    /// Raise an interrupt behind the next status line.
    pub irq_arm: Signal<In, Bit>,
    /// Pulse: the interrupt is raised, it is not armed any more.
    pub irq_disarm: Signal<Out, Bit>,
    /// Interrupt request, held until it is acknowledged.
    pub irq_req: Signal<Out, Bit>,
    /// Interrupt acknowledged.
    pub irq_ack: Signal<In, Bit>,
    /// Interrupts acknowledged since reset.
    pub irq_count: Signal<Out, Bits<32>>,
    /// Line of the ring.
    pub s_axis_tdata: Signal<In, Bits<LINE_BITS>>,
    /// The line is there.
    pub s_axis_tvalid: Signal<In, Bit>,
    /// The line is taken, and will be written.
    pub s_axis_tready: Signal<Out, Bit>,

    /// AXI4 write address channel.
    pub m_axi_awid: Signal<Out, Bits<4>>,
    /// Address of the first byte.
    pub m_axi_awaddr: Signal<Out, Bits<64>>,
    /// Beats less one.
    pub m_axi_awlen: Signal<Out, Bits<8>>,
    /// Bytes of a beat, power of two.
    pub m_axi_awsize: Signal<Out, Bits<3>>,
    /// 1: INCR.
    pub m_axi_awburst: Signal<Out, Bits<2>>,
    /// The address is there.
    pub m_axi_awvalid: Signal<Out, Bit>,
    /// The address is taken.
    pub m_axi_awready: Signal<In, Bit>,
    /// AXI4 write data channel.
    pub m_axi_wdata: Signal<Out, Bits<BEAT_BITS>>,
    /// All bytes count.
    pub m_axi_wstrb: Signal<Out, Bits<STRB_BITS>>,
    /// Last beat of a line.
    pub m_axi_wlast: Signal<Out, Bit>,
    /// The beat is there.
    pub m_axi_wvalid: Signal<Out, Bit>,
    /// The beat is taken.
    pub m_axi_wready: Signal<In, Bit>,
    /// AXI4 write response channel; the id is not looked at, answers come in order.
    pub m_axi_bid: Signal<In, Bits<4>>,
    /// Response: SLVERR and DECERR are errors.
    pub m_axi_bresp: Signal<In, Bits<2>>,
    /// The response is there.
    pub m_axi_bvalid: Signal<In, Bit>,
    /// Always high.
    pub m_axi_bready: Signal<Out, Bit>,

    /// Records acknowledged by the bus.
    pub c2h_pidx: Signal<Out, Bits<32>>,
    /// No write is in flight and none is about to be.
    pub idle: Signal<Out, Bit>,
    /// Pulse: an error was found.
    pub error: Signal<Out, Bit>,
    /// `abi::csr::ErrorCode`, with `error`.
    pub error_code: Signal<Out, Bits<8>>,
    /// The response or the consumer index, with `error`.
    pub error_detail: Signal<Out, Bits<32>>,
    /// Pulse: a line was taken.
    pub line: Signal<Out, Bit>,
    /// Pulse: a status line was begun.
    pub status_line: Signal<Out, Bit>,
    /// Pulse: a write was begun, of either kind.
    pub burst: Signal<Out, Bit>,
    /// Pulse: a write was answered with an error.
    pub write_error: Signal<Out, Bit>,
    /// A line waits for the host's credit in this cycle.
    pub credit_wait: Signal<Out, Bit>,

    addresses: RegisterSlice<64>,
    data: RegisterSlice<LINE_BITS>,
    running: DFF<Bit>,
    /// Nothing is in flight and nothing was begun in the last cycle.
    rested: DFF<Bit>,
    failed: DFF<Bit>,
    record_failed: DFF<Bit>,

    ring_records: DFF<Bits<32>>,
    /// Lines up to the end of the ring, the next one included; whether it is the last.
    left: DFF<Bits<LINES_BITS>>,
    at_end: DFF<Bit>,
    /// Most records that may be ahead where there is room for a line, and with the margin.
    line_limit: DFF<Bits<AHEAD_BITS>>,
    margin_limit: DFF<Bits<AHEAD_BITS>>,
    /// Records taken, free-running, and how many of them the host had not consumed a cycle ago.
    taken: DFF<Bits<32>>,
    ahead: DFF<Bits<AHEAD_BITS>>,
    /// The same in all bits, for the check of the host's index; whether that is of this run.
    exact: Distance,
    seen_before: DFF<Bit>,
    seen: DFF<Bit>,
    /// Room for a line when none was taken lately.
    room: DFF<Bit>,
    /// Room for those that may have been taken since, and one more.
    plenty: DFF<Bit>,
    recent: [DFF<Bit>; LINES_UNSEEN],
    /// Low half of the next line's address with a carry, and the high halves without and with it.
    address_low: DFF<Bits<33>>,
    high: DFF<Bits<32>>,
    high_carried: DFF<Bits<32>>,
    beat: DFF<Bits<2>>,

    in_flight: DFF<Bits<FLIGHT_BITS>>,
    may_fly: DFF<Bit>,
    /// Records acknowledged.
    acknowledged: DFF<Bits<32>>,
    b_valid: DFF<Bit>,
    b_resp: DFF<Bits<2>>,

    teller: Status,
    interrupt: Interrupt,

    error_found: DFF<Bit>,
    code: DFF<Bits<8>>,
    detail: DFF<Bits<32>>,
    line_taken: DFF<Bit>,
    status_begun: DFF<Bit>,
    response_bad: DFF<Bit>,

    quiet: Signal<Local, Bit>,
    ready: Signal<Local, Bit>,
    take: Signal<Local, Bit>,
    tell: Signal<Local, Bit>,
    begin_write: Signal<Local, Bit>,
    start: Signal<Local, Bit>,
    status_answer: Signal<Local, Bit>,
    credit: Signal<Local, Bit>,
    bad: Signal<Local, Bit>,
    low: Signal<Local, Bits<32>>,
    high_now: Signal<Local, Bits<32>>,
    base_low: Signal<Local, Bits<32>>,
    base_high: Signal<Local, Bits<32>>,
    ring_lines: Signal<Local, Bits<32>>,
    w_last: Signal<Local, Bit>,
    w_shift: Signal<Local, Bits<10>>,
    w_line: Signal<Local, Bits<LINE_BITS>>,

    one: Constant<Bits<32>>,
    line_records: Constant<Bits<32>>,
    margin_records: Constant<Bits<32>>,
    one_line: Constant<Bits<LINES_BITS>>,
    two_lines: Constant<Bits<LINES_BITS>>,
    line_records_log2: Constant<Bits<8>>,
    line_bytes: Constant<Bits<33>>,
    none_in_flight: Constant<Bits<FLIGHT_BITS>>,
    fly_limit: Constant<Bits<FLIGHT_BITS>>,
    beat_last: Constant<Bits<2>>,
    beats_less_one: Constant<Bits<8>>,
    beat_bits_log2: Constant<Bits<4>>,
    beat_bytes_log2: Constant<Bits<3>>,
    burst_incr: Constant<Bits<2>>,
    strobes: Constant<Bits<STRB_BITS>>,
    code_record: Constant<Bits<8>>,
    code_status: Constant<Bits<8>>,
    code_cidx: Constant<Bits<8>>,
}

/// A value with every bit set.
fn all_ones<const N: usize>() -> Bits<N> {
    !Bits::<N>::default()
}

impl<const BEAT_BITS: usize, const STRB_BITS: usize> Writer<BEAT_BITS, STRB_BITS> {
    /// The writer of that geometry.
    ///
    /// # Panics
    /// When the sizes of the type are not those of the geometry, or the counter of writes in flight is too small.
    pub fn new(geometry: &Geometry) -> Self {
        assert!(BEAT_BITS == geometry.beat_bytes * 8 && STRB_BITS == geometry.beat_bytes);
        assert!(matches!(BEAT_BITS, 128 | 256 | 512), "a beat is 16, 32 or 64 bytes");
        // What is begun is seen two cycles later, so the counter stays below the limit.
        assert!((3..=1 << FLIGHT_BITS).contains(&geometry.writes_in_flight));
        const { assert!(LINE_RECORDS.is_power_of_two() && LINE_RECORDS * RECORD_BYTES == LINE_BYTES) };
        Self {
            clock: Default::default(),
            reset: Default::default(),
            enable: Default::default(),
            c2h_base: Default::default(),
            c2h_records_log2: Default::default(),
            c2h_cidx: Default::default(),
            status_base: Default::default(),
            h2c_cidx: Default::default(),
            status: Default::default(),
            error_register: Default::default(),
            packets_in: Default::default(),
            irq_arm: Default::default(),
            irq_disarm: Default::default(),
            irq_req: Default::default(),
            irq_ack: Default::default(),
            irq_count: Default::default(),
            s_axis_tdata: Default::default(),
            s_axis_tvalid: Default::default(),
            s_axis_tready: Default::default(),
            m_axi_awid: Default::default(),
            m_axi_awaddr: Default::default(),
            m_axi_awlen: Default::default(),
            m_axi_awsize: Default::default(),
            m_axi_awburst: Default::default(),
            m_axi_awvalid: Default::default(),
            m_axi_awready: Default::default(),
            m_axi_wdata: Default::default(),
            m_axi_wstrb: Default::default(),
            m_axi_wlast: Default::default(),
            m_axi_wvalid: Default::default(),
            m_axi_wready: Default::default(),
            m_axi_bid: Default::default(),
            m_axi_bresp: Default::default(),
            m_axi_bvalid: Default::default(),
            m_axi_bready: Default::default(),
            c2h_pidx: Default::default(),
            idle: Default::default(),
            error: Default::default(),
            error_code: Default::default(),
            error_detail: Default::default(),
            line: Default::default(),
            status_line: Default::default(),
            burst: Default::default(),
            write_error: Default::default(),
            credit_wait: Default::default(),
            addresses: Default::default(),
            data: Default::default(),
            running: Default::default(),
            rested: Default::default(),
            failed: Default::default(),
            record_failed: Default::default(),
            ring_records: Default::default(),
            left: Default::default(),
            at_end: Default::default(),
            line_limit: Default::default(),
            margin_limit: Default::default(),
            taken: Default::default(),
            ahead: Default::default(),
            exact: Default::default(),
            seen_before: Default::default(),
            seen: Default::default(),
            room: Default::default(),
            plenty: Default::default(),
            recent: Default::default(),
            address_low: Default::default(),
            high: Default::default(),
            high_carried: Default::default(),
            beat: Default::default(),
            in_flight: Default::default(),
            may_fly: Default::default(),
            acknowledged: Default::default(),
            b_valid: Default::default(),
            b_resp: Default::default(),
            teller: Default::default(),
            interrupt: Default::default(),
            error_found: Default::default(),
            code: Default::default(),
            detail: Default::default(),
            line_taken: Default::default(),
            status_begun: Default::default(),
            response_bad: Default::default(),
            quiet: Default::default(),
            ready: Default::default(),
            take: Default::default(),
            tell: Default::default(),
            begin_write: Default::default(),
            start: Default::default(),
            status_answer: Default::default(),
            credit: Default::default(),
            bad: Default::default(),
            low: Default::default(),
            high_now: Default::default(),
            base_low: Default::default(),
            base_high: Default::default(),
            ring_lines: Default::default(),
            w_last: Default::default(),
            w_shift: Default::default(),
            w_line: Default::default(),
            one: Constant::new(1.into()),
            line_records: Constant::new(LINE_RECORDS.to_bits()),
            margin_records: Constant::new((LINES_UNSEEN * LINE_RECORDS + LINE_RECORDS).to_bits()),
            one_line: Constant::new(1.into()),
            two_lines: Constant::new(2.into()),
            line_records_log2: Constant::new(LINE_RECORDS.ilog2().to_bits()),
            line_bytes: Constant::new(LINE_BYTES.to_bits()),
            none_in_flight: Constant::new(0.into()),
            fly_limit: Constant::new((geometry.writes_in_flight - 2).to_bits()),
            beat_last: Constant::new((LINE_BITS / BEAT_BITS - 1).to_bits()),
            beats_less_one: Constant::new((LINE_BITS / BEAT_BITS - 1).to_bits()),
            beat_bits_log2: Constant::new((BEAT_BITS.ilog2() as usize).to_bits()),
            beat_bytes_log2: Constant::new((STRB_BITS.ilog2() as usize).to_bits()),
            burst_incr: Constant::new(1.into()),
            strobes: Constant::new(all_ones()),
            code_record: Constant::new((ErrorCode::RecordWriteResponse as u64).into()),
            code_status: Constant::new((ErrorCode::StatusWriteResponse as u64).into()),
            code_cidx: Constant::new((ErrorCode::BadCidx as u64).into()),
        }
    }
}

impl<const BEAT_BITS: usize, const STRB_BITS: usize> Logic for Writer<BEAT_BITS, STRB_BITS> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self,
            clock,
            running,
            rested,
            failed,
            record_failed,
            ring_records,
            left,
            at_end,
            line_limit,
            margin_limit,
            taken,
            ahead,
            seen_before,
            seen,
            room,
            plenty,
            address_low,
            high,
            high_carried,
            beat,
            in_flight,
            may_fly,
            acknowledged,
            b_valid,
            b_resp,
            error_found,
            code,
            detail,
            line_taken,
            status_begun,
            response_bad
        );
        self.addresses.clock.next = self.clock.val();
        self.addresses.reset.next = self.reset.val();
        self.data.clock.next = self.clock.val();
        self.data.reset.next = self.reset.val();
        self.teller.clock.next = self.clock.val();
        self.teller.reset.next = self.reset.val();
        self.interrupt.clock.next = self.clock.val();
        self.interrupt.reset.next = self.reset.val();
        for i in 0..LINES_UNSEEN {
            self.recent[i].clock.next = self.clock.val();
        }

        // Credit. A line that is taken is seen a few cycles later, so near the end of the room lines
        // are taken one by one.
        self.ring_records.d.next = self.one.val() << self.c2h_records_log2.val();
        self.ring_lines.next = self.ring_records.q.val() >> self.line_records_log2.val();
        self.exact.clock.next = self.clock.val();
        self.exact.a.next = self.taken.q.val();
        self.exact.b.next = self.c2h_cidx.val();
        self.seen_before.d.next = self.seen.q.val();
        self.ahead.d.next =
            self.taken.q.val().get_bits::<AHEAD_BITS>(0) - self.c2h_cidx.val().get_bits::<AHEAD_BITS>(0);
        self.seen.d.next = self.running.q.val();
        self.line_limit.d.next = self.ring_records.q.val().get_bits::<AHEAD_BITS>(0)
            - self.line_records.val().get_bits::<AHEAD_BITS>(0);
        self.margin_limit.d.next = self.ring_records.q.val().get_bits::<AHEAD_BITS>(0)
            - self.margin_records.val().get_bits::<AHEAD_BITS>(0);
        self.room.d.next = self.seen.q.val() & (self.ahead.q.val() <= self.line_limit.q.val());
        self.plenty.d.next = self.seen.q.val() & (self.ahead.q.val() <= self.margin_limit.q.val());
        self.credit.next =
            self.plenty.q.val() | (self.room.q.val() & !self.recent[0].q.val() & !self.recent[1].q.val());
        self.credit_wait.next =
            self.running.q.val() & self.s_axis_tvalid.val() & !self.credit.val() & !self.failed.q.val();

        self.start.next = !self.running.q.val() & self.rested.q.val() & self.enable.val();

        // What is begun in this cycle: a line, or the status line.
        self.quiet.next = self.in_flight.q.val() == self.none_in_flight.val();
        self.ready.next = self.running.q.val()
            & self.enable.val()
            & self.may_fly.q.val()
            & self.addresses.s_axis_tready.val()
            & self.data.s_axis_tready.val();
        self.s_axis_tready.next =
            self.ready.val() & self.credit.val() & !self.teller.turn.val() & !self.failed.q.val();
        self.take.next = self.s_axis_tvalid.val() & self.s_axis_tready.val();
        self.tell.next = self.ready.val() & self.teller.turn.val();
        self.begin_write.next = self.take.val() | self.tell.val();
        self.recent[0].d.next = self.take.val();
        self.recent[1].d.next = self.recent[0].q.val();

        // The next line's address.
        self.base_low.next = self.c2h_base.val().get_bits::<32>(0);
        self.base_high.next = self.c2h_base.val().get_bits::<32>(32);
        self.high.d.next = self.base_high.val();
        self.high_carried.d.next = self.base_high.val() + self.one.val();
        self.low.next = self.address_low.q.val().get_bits::<32>(0);
        self.high_now.next = self.high.q.val();
        if self.address_low.q.val().get_bit(32) {
            self.high_now.next = self.high_carried.q.val();
        }
        if self.take.val() {
            self.left.d.next = self.left.q.val() - self.one_line.val();
            self.at_end.d.next = self.left.q.val() == self.two_lines.val();
            self.taken.d.next = self.taken.q.val() + self.line_records.val();
            self.address_low.d.next = self.address_low.q.val() + self.line_bytes.val();
            if self.at_end.q.val() {
                self.left.d.next = self.ring_lines.val().get_bits::<LINES_BITS>(0);
                self.address_low.d.next = bit_cast::<33, 32>(self.base_low.val());
            }
        }

        // The status line.
        self.teller.running.next = self.running.q.val();
        self.teller.start.next = self.start.val();
        self.teller.h2c_cidx.next = self.h2c_cidx.val();
        self.teller.c2h_pidx.next = self.acknowledged.q.val();
        self.teller.status.next = self.status.val();
        self.teller.error_register.next = self.error_register.val();
        self.teller.packets_in.next = self.packets_in.val();
        self.teller.lull.next = !self.s_axis_tvalid.val() | !self.credit.val() | self.failed.q.val();
        self.teller.line.next = self.take.val();
        self.teller.begun.next = self.tell.val();
        self.teller.in_flight.next = self.in_flight.q.val();

        self.addresses.s_axis_tvalid.next = self.begin_write.val();
        self.addresses.s_axis_tdata.next =
            bit_cast::<64, 32>(self.low.val()) | (bit_cast::<64, 32>(self.high_now.val()) << 32);
        self.data.s_axis_tvalid.next = self.begin_write.val();
        self.data.s_axis_tdata.next = self.s_axis_tdata.val();
        if self.teller.turn.val() {
            self.addresses.s_axis_tdata.next = self.status_base.val();
            self.data.s_axis_tdata.next = bit_cast::<LINE_BITS, STATUS_BITS>(self.teller.data.val());
        }

        // The bus.
        self.m_axi_awid.next = 0.into();
        self.m_axi_awaddr.next = self.addresses.m_axis_tdata.val();
        self.m_axi_awlen.next = self.beats_less_one.val();
        self.m_axi_awsize.next = self.beat_bytes_log2.val();
        self.m_axi_awburst.next = self.burst_incr.val();
        self.m_axi_awvalid.next = self.addresses.m_axis_tvalid.val();
        self.addresses.m_axis_tready.next = self.m_axi_awready.val();
        self.w_last.next = self.beat.q.val() == self.beat_last.val();
        self.w_shift.next = bit_cast::<10, 2>(self.beat.q.val()) << self.beat_bits_log2.val();
        self.w_line.next = self.data.m_axis_tdata.val() >> self.w_shift.val();
        self.m_axi_wdata.next = self.w_line.val().get_bits::<BEAT_BITS>(0);
        self.m_axi_wstrb.next = self.strobes.val();
        self.m_axi_wlast.next = self.w_last.val();
        self.m_axi_wvalid.next = self.data.m_axis_tvalid.val();
        self.data.m_axis_tready.next = self.m_axi_wready.val() & self.w_last.val();
        if self.data.m_axis_tvalid.val() & self.m_axi_wready.val() {
            self.beat.d.next = self.beat.q.val() + 1;
            if self.w_last.val() {
                self.beat.d.next = 0.into();
            }
        }
        self.m_axi_bready.next = true;
        self.b_valid.d.next = self.m_axi_bvalid.val();
        self.b_resp.d.next = self.m_axi_bresp.val();

        // Answers, in order.
        if self.begin_write.val() & !self.b_valid.q.val() {
            self.in_flight.d.next = self.in_flight.q.val() + 1;
        } else if self.b_valid.q.val() & !self.begin_write.val() {
            self.in_flight.d.next = self.in_flight.q.val() - 1;
        }
        self.may_fly.d.next = self.in_flight.q.val() < self.fly_limit.val();
        self.bad.next = self.b_valid.q.val() & self.b_resp.q.val().get_bit(1);
        self.status_answer.next = self.b_valid.q.val() & self.teller.oldest.val();
        self.teller.answered.next = self.b_valid.q.val();
        self.teller.bad.next = self.bad.val();
        self.error_found.d.next = false;
        self.response_bad.d.next = self.bad.val();
        if self.running.q.val()
            & self.seen.q.val()
            & !self.failed.q.val()
            & self.seen_before.q.val()
            & (self.exact.difference.val() > self.ring_records.q.val())
        {
            self.error_found.d.next = true;
            self.failed.d.next = true;
            self.code.d.next = self.code_cidx.val();
            self.detail.d.next = self.exact.b_then.val();
        }
        if self.b_valid.q.val() & !self.status_answer.val() & !self.record_failed.q.val() & !self.bad.val() {
            self.acknowledged.d.next = self.acknowledged.q.val() + self.line_records.val();
        }
        if self.bad.val() {
            self.error_found.d.next = true;
            self.failed.d.next = true;
            self.detail.d.next = bit_cast::<32, 2>(self.b_resp.q.val());
            if self.status_answer.val() {
                self.code.d.next = self.code_status.val();
            } else {
                self.record_failed.d.next = true;
                self.code.d.next = self.code_record.val();
            }
        }

        self.interrupt.told.next = self.status_answer.val() & !self.bad.val();
        self.interrupt.arm.next = self.irq_arm.val();
        self.irq_disarm.next = self.interrupt.disarm.val();
        self.irq_req.next = self.interrupt.req.val();
        self.interrupt.ack.next = self.irq_ack.val();
        self.irq_count.next = self.interrupt.count.val();

        self.c2h_pidx.next = self.acknowledged.q.val();
        self.idle.next = self.quiet.val();
        self.error.next = self.error_found.q.val();
        self.error_code.next = self.code.q.val();
        self.error_detail.next = self.detail.q.val();
        self.line_taken.d.next = self.take.val();
        self.status_begun.d.next = self.tell.val();
        self.line.next = self.line_taken.q.val();
        self.status_line.next = self.status_begun.q.val();
        self.burst.next = self.line_taken.q.val() | self.status_begun.q.val();
        self.write_error.next = self.response_bad.q.val();

        // Start and stop.
        self.rested.d.next = self.quiet.val() & !self.running.q.val();
        if self.running.q.val() {
            self.running.d.next = self.enable.val();
        }
        if self.start.val() {
            self.running.d.next = true;
            self.failed.d.next = false;
            self.record_failed.d.next = false;
            self.taken.d.next = 0.into();
            self.left.d.next = self.ring_lines.val().get_bits::<LINES_BITS>(0);
            self.at_end.d.next = false;
            self.acknowledged.d.next = 0.into();
            self.address_low.d.next = bit_cast::<33, 32>(self.base_low.val());
        }
        if self.reset.val() {
            self.running.d.next = false;
            self.rested.d.next = false;
            self.beat.d.next = 0.into();
            self.in_flight.d.next = 0.into();
            self.b_valid.d.next = false;
            self.error_found.d.next = false;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;

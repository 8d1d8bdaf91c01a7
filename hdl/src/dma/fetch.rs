//! Reads the H2C ring.
//!
//! ```text
//!                     +-------+
//! enable, base     -->|       |--> m_axi_ar*     (<-- arready)
//! lines_log2, pidx -->|       |<-- m_axi_r*      (rready is always high)
//!                     | Fetch |
//! cidx, idle       <--|       |--> m_axis_tdata, _tvalid   (<-- _tready)
//! error*           <--|       |--> burst, line, read_error
//!                     +-------+
//! ```
//!
//! A burst goes from where the last one ended up to the next multiple of `READ_BURST_BYTES` or to the
//! producer index, so it never crosses 4 KiB nor the end of the ring. It is asked for only when the
//! read buffer has room for a whole one; answers are therefore never held up. A burst below 512 bytes
//! that ends at the producer index waits a little for more, but not when nothing else is in flight:
//! what lies in the ring is never stranded. Asking takes four cycles a burst; answers and output pass
//! at one beat a cycle, and enough bursts are in flight to cover 250 cycles of latency.
//!
//! `enable` low: nothing more is asked for, the buffer is emptied, answers still coming are thrown
//! away, and `idle` rises behind the last of them. Only then can `enable` start it again.

use rust_hdl::core::prelude::*;
use rust_hdl::widgets::prelude::*;
use wiresift_abi::bits::LINE_BYTES;
use wiresift_abi::csr::ErrorCode;
use wiresift_abi::geometry::Geometry;
use wiresift_abi::h2c::{LINES_LOG2_MAX, READ_BURST_BYTES};

use crate::prim::distance::Distance;
use crate::prim::fifo::Fifo;
use crate::prim::ram::RamStyle;

/// Lines of a whole burst.
const BURST_LINES: usize = READ_BURST_BYTES / LINE_BYTES;
/// Place of a line in its burst, in bits.
const BURST_BITS: usize = BURST_LINES.ilog2() as usize;
/// A burst of fewer lines, ending at the producer index, waits for more.
const SHORT_LINES: usize = 512 / LINE_BYTES;
/// Rounds of three cycles that a short burst waits at most while others are in flight.
const WAIT_BITS: usize = 4;

/// Bits of the number of lines that are there: the index was found to be within the ring, so they tell a
/// producer index that went back (the highest bit) from one that is ahead.
const AVAILABLE_BITS: usize = 24;
const HALF_BITS: usize = 16;
const SUM_BITS: usize = HALF_BITS + 1;

const _: () = assert!(AVAILABLE_BITS > LINES_LOG2_MAX as usize + 1);
const _: () = assert!(BURST_LINES.is_power_of_two() && READ_BURST_BYTES <= 4096);

/// What is done about the next burst in this cycle.
#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
enum State {
    /// Lines that are there, lines up to the end of the burst.
    Measure,
    /// The smaller of the two, and the address.
    Size,
    /// Whether it is asked for now.
    Decide,
    /// The address is on the bus.
    Ask,
}

/// H2C ring reader; `BEAT_BITS` is the width of bus and stream, the buffer has `1 << BUFFER_LOG2` beats
/// and `BUFFER_COUNT` is `BUFFER_LOG2 + 1`.
#[derive(LogicBlock)]
pub struct Fetch<const BEAT_BITS: usize, const BUFFER_LOG2: usize, const BUFFER_COUNT: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous reset; only when the bus is reset too.
    pub reset: Signal<In, Bit>,
    /// Reads the ring while high.
    pub enable: Signal<In, Bit>,
    /// Address of the ring, a multiple of 4096.
    pub base: Signal<In, Bits<64>>,
    /// Lines of the ring, power of two.
    pub lines_log2: Signal<In, Bits<5>>,
    /// Producer index in lines; zero when `enable` rises.
    pub pidx: Signal<In, Bits<32>>,
    /// Lines received whole; zero while neither enabled nor busy.
    pub cidx: Signal<Out, Bits<32>>,
    /// No burst is in flight and none is about to be.
    pub idle: Signal<Out, Bit>,
    /// Pulse: an error was found; nothing more is asked for or passed on until the next start.
    pub error: Signal<Out, Bit>,
    /// `abi::csr::ErrorCode`, with `error`.
    pub error_code: Signal<Out, Bits<8>>,
    /// The response or the producer index, with `error`.
    pub error_detail: Signal<Out, Bits<32>>,

    /// AXI4 read address channel.
    pub m_axi_arid: Signal<Out, Bits<4>>,
    /// Address of the first byte.
    pub m_axi_araddr: Signal<Out, Bits<64>>,
    /// Beats less one.
    pub m_axi_arlen: Signal<Out, Bits<8>>,
    /// Bytes of a beat, power of two.
    pub m_axi_arsize: Signal<Out, Bits<3>>,
    /// 1: INCR.
    pub m_axi_arburst: Signal<Out, Bits<2>>,
    /// The address is there.
    pub m_axi_arvalid: Signal<Out, Bit>,
    /// The address is taken.
    pub m_axi_arready: Signal<In, Bit>,
    /// AXI4 read data channel; the id is not looked at, answers come in order.
    pub m_axi_rid: Signal<In, Bits<4>>,
    /// Data.
    pub m_axi_rdata: Signal<In, Bits<BEAT_BITS>>,
    /// Response: SLVERR and DECERR are errors.
    pub m_axi_rresp: Signal<In, Bits<2>>,
    /// Last beat of a burst.
    pub m_axi_rlast: Signal<In, Bit>,
    /// The beat is there.
    pub m_axi_rvalid: Signal<In, Bit>,
    /// Always high.
    pub m_axi_rready: Signal<Out, Bit>,

    /// Beat of the ring.
    pub m_axis_tdata: Signal<Out, Bits<BEAT_BITS>>,
    /// The beat is there; falls with `enable`, taken or not.
    pub m_axis_tvalid: Signal<Out, Bit>,
    /// The beat is taken.
    pub m_axis_tready: Signal<In, Bit>,
    /// Pulse: a burst was asked for.
    pub burst: Signal<Out, Bit>,
    /// Pulse: a line was received whole.
    pub line: Signal<Out, Bit>,
    /// Pulse: a beat came with an error response.
    pub read_error: Signal<Out, Bit>,

    buffer: Fifo<BEAT_BITS, BUFFER_LOG2, BUFFER_COUNT>,
    running: DFF<Bit>,
    failed: DFF<Bit>,
    state: DFF<State>,

    ring_lines: DFF<Bits<32>>,
    ring_mask: DFF<Bits<32>>,
    /// How far the producer index is ahead; whether that is of this run.
    ahead: Distance,
    running_before: DFF<Bit>,
    seen: DFF<Bit>,
    /// Producer index as checked.
    limit: DFF<Bits<32>>,

    /// Lines asked for.
    asked: DFF<Bits<32>>,
    /// Low half of it behind the next burst, with the carry.
    asked_low: DFF<Bits<SUM_BITS>>,
    available: DFF<Bits<AVAILABLE_BITS>>,
    to_end: DFF<Bits<5>>,
    lines: DFF<Bits<5>>,
    short: DFF<Bit>,
    place: DFF<Bits<33>>,
    address: DFF<Bits<64>>,
    address_valid: DFF<Bit>,
    length: DFF<Bits<8>>,
    waited: DFF<Bits<WAIT_BITS>>,
    /// Beats of the buffer that are neither filled nor promised to a burst.
    room: DFF<Bits<16>>,
    /// What it grows by in this cycle, less what it shrinks by.
    room_change: DFF<Bits<16>>,
    in_flight: DFF<Bits<8>>,
    /// There is room for a whole burst; one more burst may be in flight. One cycle old, and until the
    /// next burst is asked for they only become true.
    fits: DFF<Bit>,
    may_fly: DFF<Bit>,

    received: DFF<Bits<32>>,
    beat: DFF<Bits<2>>,
    r_data: DFF<Bits<BEAT_BITS>>,
    r_resp: DFF<Bits<2>>,
    r_last: DFF<Bit>,
    r_valid: DFF<Bit>,
    popped: DFF<Bit>,

    error_found: DFF<Bit>,
    code: DFF<Bits<8>>,
    detail: DFF<Bits<32>>,
    burst_asked: DFF<Bit>,
    line_received: DFF<Bit>,
    beat_bad: DFF<Bit>,

    base_low: Signal<Local, Bits<32>>,
    base_high: Signal<Local, Bits<32>>,
    /// Place of the next burst in the ring, in bytes.
    offset: DFF<Bits<32>>,
    low: Signal<Local, Bits<BURST_BITS>>,
    available_low: Signal<Local, Bits<5>>,
    place_low: Signal<Local, Bits<32>>,
    high: Signal<Local, Bits<32>>,
    /// High half of the base, and one more.
    high_now: DFF<Bits<32>>,
    high_carried: DFF<Bits<32>>,
    low_half: Signal<Local, Bits<HALF_BITS>>,
    high_half: Signal<Local, Bits<HALF_BITS>>,
    few: Signal<Local, Bit>,
    beats: Signal<Local, Bits<16>>,
    length_next: Signal<Local, Bits<16>>,
    ask: Signal<Local, Bit>,
    hurry: Signal<Local, Bit>,
    answered: Signal<Local, Bit>,
    bad: Signal<Local, Bit>,
    push: Signal<Local, Bit>,
    line_end: Signal<Local, Bit>,
    quiet: Signal<Local, Bit>,
    room_less: Signal<Local, Bits<16>>,
    room_more: Signal<Local, Bits<16>>,

    one: Constant<Bits<32>>,
    one_beat: Constant<Bits<2>>,
    one_flight: Constant<Bits<8>>,
    one_wait: Constant<Bits<WAIT_BITS>>,
    beat_last: Constant<Bits<2>>,
    beats_log2: Constant<Bits<4>>,
    burst_lines: Constant<Bits<5>>,
    short_lines: Constant<Bits<5>>,
    zero_high: Constant<Bits<20>>,
    one_half: Constant<Bits<HALF_BITS>>,
    no_lines: Constant<Bits<5>>,
    one_word: Constant<Bits<16>>,
    line_log2: Constant<Bits<4>>,
    none_in_flight: Constant<Bits<8>>,
    most_in_flight: Constant<Bits<8>>,
    buffer_beats: Constant<Bits<16>>,
    burst_beats: Constant<Bits<16>>,
    beat_bytes_log2: Constant<Bits<3>>,
    burst_incr: Constant<Bits<2>>,
    code_response: Constant<Bits<8>>,
    code_pidx: Constant<Bits<8>>,
}

impl<const BEAT_BITS: usize, const BUFFER_LOG2: usize, const BUFFER_COUNT: usize>
    Fetch<BEAT_BITS, BUFFER_LOG2, BUFFER_COUNT>
{
    /// The reader of that geometry.
    ///
    /// # Panics
    /// When the sizes of the type are not those of the geometry, or the buffer has no room for a burst.
    pub fn new(geometry: &Geometry) -> Self {
        assert_eq!(BEAT_BITS, geometry.beat_bytes * 8);
        assert_eq!(1 << BUFFER_LOG2, geometry.read_buffer_beats);
        assert!(geometry.read_buffer_beats * geometry.beat_bytes >= READ_BURST_BYTES);
        assert!(geometry.read_buffer_beats < 1 << 16 && geometry.reads_in_flight < 1 << 8);
        let line_beats = geometry.beats_per_line();
        assert!(line_beats <= 4 && BURST_LINES * line_beats <= 256, "AXI4, A3.4.1: 256 beats at most");
        Self {
            clock: Default::default(),
            reset: Default::default(),
            enable: Default::default(),
            base: Default::default(),
            lines_log2: Default::default(),
            pidx: Default::default(),
            cidx: Default::default(),
            idle: Default::default(),
            error: Default::default(),
            error_code: Default::default(),
            error_detail: Default::default(),
            m_axi_arid: Default::default(),
            m_axi_araddr: Default::default(),
            m_axi_arlen: Default::default(),
            m_axi_arsize: Default::default(),
            m_axi_arburst: Default::default(),
            m_axi_arvalid: Default::default(),
            m_axi_arready: Default::default(),
            m_axi_rid: Default::default(),
            m_axi_rdata: Default::default(),
            m_axi_rresp: Default::default(),
            m_axi_rlast: Default::default(),
            m_axi_rvalid: Default::default(),
            m_axi_rready: Default::default(),
            m_axis_tdata: Default::default(),
            m_axis_tvalid: Default::default(),
            m_axis_tready: Default::default(),
            burst: Default::default(),
            line: Default::default(),
            read_error: Default::default(),
            buffer: Fifo::new(RamStyle::Block),
            running: Default::default(),
            failed: Default::default(),
            state: Default::default(),
            ring_lines: Default::default(),
            ring_mask: Default::default(),
            ahead: Default::default(),
            running_before: Default::default(),
            seen: Default::default(),
            limit: Default::default(),
            asked: Default::default(),
            asked_low: Default::default(),
            available: Default::default(),
            to_end: Default::default(),
            lines: Default::default(),
            short: Default::default(),
            place: Default::default(),
            address: Default::default(),
            address_valid: Default::default(),
            length: Default::default(),
            waited: Default::default(),
            room: Default::default(),
            room_change: Default::default(),
            in_flight: Default::default(),
            fits: Default::default(),
            may_fly: Default::default(),
            received: Default::default(),
            beat: Default::default(),
            r_data: Default::default(),
            r_resp: Default::default(),
            r_last: Default::default(),
            r_valid: Default::default(),
            popped: Default::default(),
            error_found: Default::default(),
            code: Default::default(),
            detail: Default::default(),
            burst_asked: Default::default(),
            line_received: Default::default(),
            beat_bad: Default::default(),
            base_low: Default::default(),
            base_high: Default::default(),
            offset: Default::default(),
            low: Default::default(),
            available_low: Default::default(),
            place_low: Default::default(),
            high: Default::default(),
            high_now: Default::default(),
            high_carried: Default::default(),
            low_half: Default::default(),
            high_half: Default::default(),
            few: Default::default(),
            beats: Default::default(),
            length_next: Default::default(),
            ask: Default::default(),
            hurry: Default::default(),
            answered: Default::default(),
            bad: Default::default(),
            push: Default::default(),
            line_end: Default::default(),
            quiet: Default::default(),
            room_less: Default::default(),
            room_more: Default::default(),
            one: Constant::new(1.into()),
            one_beat: Constant::new(1.into()),
            one_flight: Constant::new(1.into()),
            one_wait: Constant::new(1.into()),
            beat_last: Constant::new((line_beats - 1).to_bits()),
            beats_log2: Constant::new((line_beats.ilog2() as usize).to_bits()),
            burst_lines: Constant::new(BURST_LINES.to_bits()),
            short_lines: Constant::new(SHORT_LINES.to_bits()),
            zero_high: Constant::new(0.into()),
            one_half: Constant::new(1.into()),
            no_lines: Constant::new(0.into()),
            one_word: Constant::new(1.into()),
            line_log2: Constant::new((LINE_BYTES.ilog2() as usize).to_bits()),
            none_in_flight: Constant::new(0.into()),
            most_in_flight: Constant::new(geometry.reads_in_flight.to_bits()),
            burst_beats: Constant::new((BURST_LINES * line_beats).to_bits()),
            buffer_beats: Constant::new(geometry.read_buffer_beats.to_bits()),
            beat_bytes_log2: Constant::new((geometry.beat_bytes.ilog2() as usize).to_bits()),
            burst_incr: Constant::new(1.into()),
            code_response: Constant::new((ErrorCode::ReadResponse as u64).into()),
            code_pidx: Constant::new((ErrorCode::BadPidx as u64).into()),
        }
    }
}

impl<const BEAT_BITS: usize, const BUFFER_LOG2: usize, const BUFFER_COUNT: usize> Logic
    for Fetch<BEAT_BITS, BUFFER_LOG2, BUFFER_COUNT>
{
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self,
            clock,
            running,
            failed,
            state,
            ring_lines,
            ring_mask,
            running_before,
            seen,
            limit,
            asked,
            asked_low,
            offset,
            high_now,
            high_carried,
            available,
            to_end,
            lines,
            short,
            place,
            address,
            address_valid,
            length,
            waited,
            room,
            room_change,
            in_flight,
            fits,
            may_fly,
            received,
            beat,
            r_data,
            r_resp,
            r_last,
            r_valid,
            popped,
            error_found,
            code,
            detail,
            burst_asked,
            line_received,
            beat_bad
        );
        self.buffer.clock.next = self.clock.val();

        self.ring_lines.d.next = self.one.val() << self.lines_log2.val();
        self.ring_mask.d.next = self.ring_lines.q.val() - self.one.val();
        self.ahead.clock.next = self.clock.val();
        self.ahead.a.next = self.pidx.val();
        self.ahead.b.next = self.received.q.val();
        self.running_before.d.next = self.running.q.val();
        self.seen.d.next = self.running.q.val() & self.running_before.q.val();
        self.quiet.next = self.in_flight.q.val() == self.none_in_flight.val();

        // Answers, one register behind the bus.
        self.r_data.d.next = self.m_axi_rdata.val();
        self.r_resp.d.next = self.m_axi_rresp.val();
        self.r_last.d.next = self.m_axi_rlast.val();
        self.r_valid.d.next = self.m_axi_rvalid.val();
        self.answered.next = self.r_valid.q.val() & self.r_last.q.val();
        self.bad.next = self.r_valid.q.val() & self.r_resp.q.val().get_bit(1);
        self.push.next = self.r_valid.q.val() & !self.bad.val() & self.running.q.val() & !self.failed.q.val();
        self.buffer.s_axis_tdata.next = self.r_data.q.val();
        self.buffer.s_axis_tvalid.next = self.push.val();
        self.line_end.next = self.beat.q.val() == self.beat_last.val();
        self.line_received.d.next = self.push.val() & self.line_end.val();
        self.beat_bad.d.next = self.bad.val();
        if self.push.val() {
            self.beat.d.next = self.beat.q.val() + self.one_beat.val();
            if self.line_end.val() {
                self.beat.d.next = 0.into();
                self.received.d.next = self.received.q.val() + self.one.val();
            }
        }

        // The producer index counts once it was found to be within the ring.
        self.error_found.d.next = false;
        if self.running.q.val() & !self.failed.q.val() {
            if self.seen.q.val() {
                if self.ahead.difference.val() > self.ring_lines.q.val() {
                    self.error_found.d.next = true;
                    self.failed.d.next = true;
                    self.code.d.next = self.code_pidx.val();
                    self.detail.d.next = self.ahead.a_then.val();
                } else {
                    self.limit.d.next = self.ahead.a_then.val();
                }
            }
            if self.bad.val() {
                self.error_found.d.next = true;
                self.failed.d.next = true;
                self.code.d.next = self.code_response.val();
                self.detail.d.next = bit_cast::<32, 2>(self.r_resp.q.val());
            }
        }

        // The next burst.
        self.base_low.next = self.base.val().get_bits::<32>(0);
        self.base_high.next = self.base.val().get_bits::<32>(32);
        self.offset.d.next = (self.asked.q.val() & self.ring_mask.q.val()) << self.line_log2.val();
        self.low.next = self.asked.q.val().get_bits::<BURST_BITS>(0);
        self.available_low.next = self.available.q.val().get_bits::<5>(0);
        self.place_low.next = self.place.q.val().get_bits::<32>(0);
        self.high_now.d.next = self.base_high.val();
        self.high_carried.d.next = self.base_high.val() + self.one.val();
        self.high.next = self.high_now.q.val();
        if self.place.q.val().get_bit(32) {
            self.high.next = self.high_carried.q.val();
        }
        self.few.next = (self.available.q.val().get_bits::<20>(4) == self.zero_high.val())
            & (self.available_low.val() < self.to_end.q.val());
        self.beats.next = bit_cast::<16, 5>(self.lines.q.val()) << self.beats_log2.val();
        self.length_next.next = self.beats.val() - self.one_word.val();
        self.hurry.next = !self.short.q.val() | self.quiet.val() | self.waited.q.val().all();
        self.ask.next = false;
        self.room_less.next = 0.into();
        match self.state.q.val() {
            State::Measure => {
                self.available.d.next = self.limit.q.val().get_bits::<AVAILABLE_BITS>(0)
                    - self.asked.q.val().get_bits::<AVAILABLE_BITS>(0);
                self.to_end.d.next = self.burst_lines.val() - bit_cast::<5, BURST_BITS>(self.low.val());
                self.state.d.next = State::Size;
            }
            State::Size => {
                self.place.d.next =
                    bit_cast::<33, 32>(self.base_low.val()) + bit_cast::<33, 32>(self.offset.q.val());
                self.lines.d.next = self.to_end.q.val();
                if self.few.val() {
                    self.lines.d.next = self.available_low.val();
                }
                // A producer index that went back behind what was asked for: nothing to ask.
                if self.available.q.val().get_bit(23) {
                    self.lines.d.next = 0.into();
                }
                self.short.d.next = self.few.val() & (self.available_low.val() < self.short_lines.val());
                self.state.d.next = State::Decide;
            }
            State::Decide => {
                self.address.d.next =
                    bit_cast::<64, 32>(self.place_low.val()) | (bit_cast::<64, 32>(self.high.val()) << 32);
                self.state.d.next = State::Measure;
                if self.lines.q.val() != self.no_lines.val() {
                    if !self.waited.q.val().all() {
                        self.waited.d.next = self.waited.q.val() + self.one_wait.val();
                    }
                    self.ask.next = self.running.q.val()
                        & self.enable.val()
                        & !self.failed.q.val()
                        & self.hurry.val()
                        & self.fits.q.val()
                        & self.may_fly.q.val();
                }
            }
            _ => {
                if self.m_axi_arready.val() {
                    self.address_valid.d.next = false;
                    self.state.d.next = State::Measure;
                }
            }
        }
        if self.ask.val() {
            self.address_valid.d.next = true;
            self.length.d.next = self.length_next.val().get_bits::<8>(0);
            self.waited.d.next = 0.into();
            self.state.d.next = State::Ask;
        }
        // What a burst takes is taken off one cycle later, before the next one is measured.
        self.low_half.next = self.asked.q.val().get_bits::<HALF_BITS>(0);
        self.asked_low.d.next = bit_cast::<SUM_BITS, HALF_BITS>(self.low_half.val())
            + bit_cast::<SUM_BITS, 5>(self.lines.q.val());
        for i in HALF_BITS..(HALF_BITS + 1) {
            self.high_half.next = self.asked.q.val().get_bits::<HALF_BITS>(i);
            if self.asked_low.q.val().get_bit(i) {
                self.high_half.next = self.asked.q.val().get_bits::<HALF_BITS>(i) + self.one_half.val();
            }
        }
        self.burst_asked.d.next = self.ask.val();
        if self.burst_asked.q.val() {
            self.low_half.next = self.asked_low.q.val().get_bits::<HALF_BITS>(0);
            self.asked.d.next = bit_cast::<32, HALF_BITS>(self.low_half.val())
                | (bit_cast::<32, HALF_BITS>(self.high_half.val()) << 16);
            self.room_less.next = self.beats.val();
        }
        self.fits.d.next = self.room.q.val() >= self.burst_beats.val();
        self.may_fly.d.next = self.in_flight.q.val() < self.most_in_flight.val();
        if self.ask.val() & !self.answered.val() {
            self.in_flight.d.next = self.in_flight.q.val() + self.one_flight.val();
        } else if self.answered.val() & !self.ask.val() {
            self.in_flight.d.next = self.in_flight.q.val() - self.one_flight.val();
        }

        // Beats out; a beat that is taken makes room one cycle later.
        self.m_axis_tdata.next = self.buffer.m_axis_tdata.val();
        self.m_axis_tvalid.next = self.buffer.m_axis_tvalid.val() & self.enable.val() & self.running.q.val();
        self.buffer.m_axis_tready.next = self.m_axis_tready.val();
        self.popped.d.next = self.m_axis_tvalid.val() & self.m_axis_tready.val();
        self.room_more.next = 0.into();
        if self.popped.q.val() {
            self.room_more.next = self.one_word.val();
        }
        // Known to `fits` four cycles behind the asking: just before the next burst is decided.
        self.room_change.d.next = self.room_more.val() - self.room_less.val();
        self.room.d.next = self.room.q.val() + self.room_change.q.val();

        self.cidx.next = self.received.q.val();
        self.idle.next = self.quiet.val();
        self.error.next = self.error_found.q.val();
        self.error_code.next = self.code.q.val();
        self.error_detail.next = self.detail.q.val();
        self.burst.next = self.burst_asked.q.val();
        self.line.next = self.line_received.q.val();
        self.read_error.next = self.beat_bad.q.val();
        self.m_axi_arid.next = 0.into();
        self.m_axi_araddr.next = self.address.q.val();
        self.m_axi_arlen.next = self.length.q.val();
        self.m_axi_arsize.next = self.beat_bytes_log2.val();
        self.m_axi_arburst.next = self.burst_incr.val();
        self.m_axi_arvalid.next = self.address_valid.q.val();
        self.m_axi_rready.next = true;

        // Start and stop.
        self.buffer.reset.next = !self.running.q.val();
        if self.running.q.val() {
            self.running.d.next = self.enable.val();
        } else if self.quiet.val() {
            self.running.d.next = self.enable.val();
            self.failed.d.next = false;
            self.limit.d.next = 0.into();
            self.asked.d.next = 0.into();
            self.received.d.next = 0.into();
            self.beat.d.next = 0.into();
            self.waited.d.next = 0.into();
            self.room.d.next = self.buffer_beats.val();
            self.room_change.d.next = 0.into();
            self.state.d.next = State::Measure;
        }
        if self.reset.val() {
            self.running.d.next = false;
            self.in_flight.d.next = 0.into();
            self.address_valid.d.next = false;
            self.r_valid.d.next = false;
            self.state.d.next = State::Measure;
            self.error_found.d.next = false;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;

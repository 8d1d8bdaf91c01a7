//! Takes the batches of the H2C ring apart into packets and commands.
//!
//! ```text
//!                 +--------+
//! s_axis_*     -->|        |--> m_axis_tdata, _tvalid, _tlast     (<-- _tready)
//!                 | Unpack |--> m_axis_command, _length, _sequence
//!                 |        |--> error, error_code, error_detail
//!                 +--------+--> batch, packet, command
//! ```
//!
//! One beat a cycle. A header line (`abi::h2c::BatchHeader`) costs its own beats and nothing else:
//! the lengths it holds go into a register that shifts by one length an item, so the length of the
//! next packet always lies at the same place and no wide multiplexer stands in the path. Of a
//! packet's last line only the beats that hold bytes of it are passed on (one for a packet without
//! bytes); the others are swallowed. The output is registered; the input has a register slice, so
//! `s_axis_tready` depends on nothing but registers.
//!
//! A header that is wrong, or a packet that is too long, raises `error` for one cycle; after that the
//! block takes and gives nothing until it is reset, because nothing behind it in the ring can be trusted.

use rust_hdl::core::prelude::*;
use rust_hdl::widgets::prelude::*;
use wiresift_abi::bits::{LINE_BITS, LINE_BYTES};
use wiresift_abi::csr::ErrorCode;
use wiresift_abi::h2c::{BatchKind, COUNT_BITS, KIND_BITS, PACKET_BYTES_MAX, SEQUENCE_BITS};

use crate::prim::skid::RegisterSlice;

/// What the next beat of the ring is.
#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
enum State {
    /// A beat of a header line.
    Header,
    /// A beat of an item that is passed on.
    Pass,
    /// Padding behind the last byte of a packet.
    Swallow,
    /// An error was found: only a reset leads on.
    Stuck,
}

/// Batches to packets and commands; `BEAT_BITS` is the width of both streams.
#[derive(LogicBlock)]
pub struct Unpack<const BEAT_BITS: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous reset: the next beat is the first of a header line, the next packet has number 0.
    pub reset: Signal<In, Bit>,
    /// Beat of the ring.
    pub s_axis_tdata: Signal<In, Bits<BEAT_BITS>>,
    /// The beat is there.
    pub s_axis_tvalid: Signal<In, Bit>,
    /// The beat is taken.
    pub s_axis_tready: Signal<Out, Bit>,
    /// Beat of a packet or of a command line.
    pub m_axis_tdata: Signal<Out, Bits<BEAT_BITS>>,
    /// The beat is there.
    pub m_axis_tvalid: Signal<Out, Bit>,
    /// Last beat of the packet or command.
    pub m_axis_tlast: Signal<Out, Bit>,
    /// The beat is taken.
    pub m_axis_tready: Signal<In, Bit>,
    /// The beat belongs to a command.
    pub m_axis_command: Signal<Out, Bit>,
    /// Bytes of the packet; 64 for a command.
    pub m_axis_length: Signal<Out, Bits<16>>,
    /// Sequence number of the packet; for a command that of the next packet.
    pub m_axis_sequence: Signal<Out, Bits<32>>,
    /// Pulse: an error was found.
    pub error: Signal<Out, Bit>,
    /// `abi::csr::ErrorCode`, with `error`.
    pub error_code: Signal<Out, Bits<8>>,
    /// The header's control (low half) and the length of the item (high half), with `error`.
    pub error_detail: Signal<Out, Bits<32>>,
    /// Pulse: a header line was taken.
    pub batch: Signal<Out, Bit>,
    /// Pulse: the last beat of a packet is taken in this cycle; `m_axis_length` is that of the packet.
    pub packet: Signal<Out, Bit>,
    /// Pulse: the last beat of a command is taken in this cycle.
    pub command: Signal<Out, Bit>,

    slice: RegisterSlice<BEAT_BITS>,
    state: DFF<State>,
    /// Beat of the line that comes next.
    beat: DFF<Bits<2>>,
    /// Header line being collected; then, from bit 16 up, the lengths of this item and those behind it.
    lengths: DFF<Bits<LINE_BITS>>,
    control: DFF<Bits<16>>,
    is_command: DFF<Bit>,
    /// Items of the batch from this one on.
    items: DFF<Bits<COUNT_BITS>>,
    length: DFF<Bits<16>>,
    /// Whole beats that an item has which ends with the beat behind the next one: counted up beside
    /// `length`, so that the length of an item goes through no adder when it comes from a header.
    whole_at: DFF<Bits<10>>,
    /// The next beat is the item's last.
    last: DFF<Bit>,
    next_sequence: DFF<Bits<32>>,
    bad_batch: DFF<Bit>,
    bad_sequence: DFF<Bit>,
    bad_length: DFF<Bit>,

    out_data: DFF<Bits<BEAT_BITS>>,
    out_valid: DFF<Bit>,
    out_last: DFF<Bit>,
    out_command: DFF<Bit>,
    out_length: DFF<Bits<16>>,
    out_sequence: DFF<Bits<32>>,
    error_found: DFF<Bit>,
    code: DFF<Bits<8>>,
    detail: DFF<Bits<32>>,
    batch_begun: DFF<Bit>,

    loaded: Signal<Local, Bits<LINE_BITS>>,
    free: Signal<Local, Bit>,
    line_end: Signal<Local, Bit>,
    take: Signal<Local, Bit>,
    fault: Signal<Local, Bit>,
    header_end: Signal<Local, Bit>,
    item_end: Signal<Local, Bit>,
    kind: Signal<Local, Bits<KIND_BITS>>,
    count: Signal<Local, Bits<COUNT_BITS>>,
    number: Signal<Local, Bits<SEQUENCE_BITS>>,
    next_is_command: Signal<Local, Bit>,
    next_length: Signal<Local, Bits<16>>,
    whole_beats: Signal<Local, Bits<16>>,
    part: Signal<Local, Bits<16>>,
    length_beats: Signal<Local, Bits<16>>,
    whole: Signal<Local, Bits<10>>,

    beat_bits: Constant<Bits<10>>,
    load_shift: Constant<Bits<10>>,
    beat_log2: Constant<Bits<4>>,
    beat_mask: Constant<Bits<16>>,
    beat_last: Constant<Bits<2>>,
    one_beat: Constant<Bits<2>>,
    one_item: Constant<Bits<COUNT_BITS>>,
    one_at: Constant<Bits<10>>,
    two_at: Constant<Bits<10>>,
    one_whole: Constant<Bits<16>>,
    zero_length: Constant<Bits<16>>,
    one_sequence: Constant<Bits<32>>,
    packets: Constant<Bits<KIND_BITS>>,
    commands: Constant<Bits<KIND_BITS>>,
    line_bytes: Constant<Bits<16>>,
    length_max: Constant<Bits<16>>,
    code_batch: Constant<Bits<8>>,
    code_sequence: Constant<Bits<8>>,
    code_length: Constant<Bits<8>>,
}

impl<const BEAT_BITS: usize> Default for Unpack<BEAT_BITS> {
    /// # Panics
    /// When the beat is not 16, 32 or 64 bytes.
    fn default() -> Self {
        assert!(matches!(BEAT_BITS, 128 | 256 | 512), "a beat is 16, 32 or 64 bytes");
        let beat_bytes = BEAT_BITS / 8;
        Self {
            clock: Default::default(),
            reset: Default::default(),
            s_axis_tdata: Default::default(),
            s_axis_tvalid: Default::default(),
            s_axis_tready: Default::default(),
            m_axis_tdata: Default::default(),
            m_axis_tvalid: Default::default(),
            m_axis_tlast: Default::default(),
            m_axis_tready: Default::default(),
            m_axis_command: Default::default(),
            m_axis_length: Default::default(),
            m_axis_sequence: Default::default(),
            error: Default::default(),
            error_code: Default::default(),
            error_detail: Default::default(),
            batch: Default::default(),
            packet: Default::default(),
            command: Default::default(),
            slice: Default::default(),
            state: Default::default(),
            beat: Default::default(),
            lengths: Default::default(),
            control: Default::default(),
            is_command: Default::default(),
            items: Default::default(),
            length: Default::default(),
            whole_at: Default::default(),
            last: Default::default(),
            next_sequence: Default::default(),
            bad_batch: Default::default(),
            bad_sequence: Default::default(),
            bad_length: Default::default(),
            out_data: Default::default(),
            out_valid: Default::default(),
            out_last: Default::default(),
            out_command: Default::default(),
            out_length: Default::default(),
            out_sequence: Default::default(),
            error_found: Default::default(),
            code: Default::default(),
            detail: Default::default(),
            batch_begun: Default::default(),
            loaded: Default::default(),
            free: Default::default(),
            line_end: Default::default(),
            take: Default::default(),
            fault: Default::default(),
            header_end: Default::default(),
            item_end: Default::default(),
            kind: Default::default(),
            count: Default::default(),
            number: Default::default(),
            next_is_command: Default::default(),
            next_length: Default::default(),
            whole_beats: Default::default(),
            part: Default::default(),
            length_beats: Default::default(),
            whole: Default::default(),
            beat_bits: Constant::new(BEAT_BITS.to_bits()),
            load_shift: Constant::new((LINE_BITS - BEAT_BITS).to_bits()),
            beat_log2: Constant::new(u64::from(beat_bytes.ilog2()).into()),
            beat_mask: Constant::new((beat_bytes - 1).to_bits()),
            beat_last: Constant::new((LINE_BYTES / beat_bytes - 1).to_bits()),
            one_beat: Constant::new(1.into()),
            one_item: Constant::new(1.into()),
            one_at: Constant::new(1.into()),
            two_at: Constant::new(2.into()),
            one_whole: Constant::new(1.into()),
            zero_length: Constant::new(0.into()),
            one_sequence: Constant::new(1.into()),
            packets: Constant::new((BatchKind::Packets as u64).into()),
            commands: Constant::new((BatchKind::Commands as u64).into()),
            line_bytes: Constant::new(LINE_BYTES.to_bits()),
            length_max: Constant::new(PACKET_BYTES_MAX.to_bits()),
            code_batch: Constant::new((ErrorCode::BadBatch as u64).into()),
            code_sequence: Constant::new((ErrorCode::BadSequence as u64).into()),
            code_length: Constant::new((ErrorCode::BadLength as u64).into()),
        }
    }
}

#[allow(clippy::single_match, reason = "a state is told by `match`, the form that is emitted faithfully")]
impl<const BEAT_BITS: usize> Logic for Unpack<BEAT_BITS> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self,
            clock,
            state,
            beat,
            lengths,
            control,
            is_command,
            items,
            length,
            whole_at,
            last,
            next_sequence,
            bad_batch,
            bad_sequence,
            bad_length,
            out_data,
            out_valid,
            out_last,
            out_command,
            out_length,
            out_sequence,
            error_found,
            code,
            detail,
            batch_begun
        );
        self.slice.clock.next = self.clock.val();
        self.slice.reset.next = self.reset.val();
        self.slice.s_axis_tdata.next = self.s_axis_tdata.val();
        self.slice.s_axis_tvalid.next = self.s_axis_tvalid.val();
        self.s_axis_tready.next = self.slice.s_axis_tready.val();

        // Whether this beat of the ring is taken, and what ends with it.
        self.free.next = !self.out_valid.q.val() | self.m_axis_tready.val();
        self.line_end.next = self.beat.q.val() == self.beat_last.val();
        self.fault.next = self.bad_batch.q.val() | self.bad_sequence.q.val() | self.bad_length.q.val();
        self.take.next = false;
        self.header_end.next = false;
        self.item_end.next = false;
        match self.state.q.val() {
            State::Header => {
                self.take.next = self.slice.m_axis_tvalid.val();
                self.header_end.next = self.slice.m_axis_tvalid.val() & self.line_end.val();
            }
            State::Pass => {
                self.take.next = self.slice.m_axis_tvalid.val() & self.free.val() & !self.fault.val();
                self.item_end.next = self.take.val() & self.last.q.val() & self.line_end.val();
            }
            State::Swallow => {
                self.take.next = self.slice.m_axis_tvalid.val();
                self.item_end.next = self.slice.m_axis_tvalid.val() & self.line_end.val();
            }
            _ => {}
        }
        self.slice.m_axis_tready.next = self.take.val();
        if self.take.val() {
            self.beat.d.next = self.beat.q.val() + self.one_beat.val();
            if self.line_end.val() {
                self.beat.d.next = 0.into();
            }
        }

        // The header line, beat by beat from the low end.
        self.loaded.next = (self.lengths.q.val() >> self.beat_bits.val())
            | (bit_cast::<LINE_BITS, BEAT_BITS>(self.slice.m_axis_tdata.val()) << self.load_shift.val());
        self.count.next = self.loaded.val().get_bits::<COUNT_BITS>(0);
        for i in COUNT_BITS..(COUNT_BITS + 1) {
            self.kind.next = self.loaded.val().get_bits::<KIND_BITS>(i);
        }
        for i in (COUNT_BITS + KIND_BITS)..(COUNT_BITS + KIND_BITS + 1) {
            self.number.next = self.loaded.val().get_bits::<SEQUENCE_BITS>(i);
        }
        self.batch_begun.d.next = self.header_end.val();

        // The item that comes next: the first of a header line, or the one behind this.
        self.next_is_command.next = self.is_command.q.val();
        self.next_length.next = self.lengths.q.val().get_bits::<16>(32);
        match self.state.q.val() {
            State::Header => {
                self.next_is_command.next = self.kind.val() == self.commands.val();
                self.next_length.next = self.loaded.val().get_bits::<16>(16);
            }
            _ => {}
        }
        if self.next_is_command.val() {
            self.next_length.next = self.line_bytes.val();
        }
        self.whole_beats.next = self.next_length.val() >> self.beat_log2.val();
        self.part.next = self.next_length.val() & self.beat_mask.val();
        self.length_beats.next = self.length.q.val() >> self.beat_log2.val();
        self.whole.next = self.length_beats.val().get_bits::<10>(0);
        if self.header_end.val() | self.item_end.val() {
            self.is_command.d.next = self.next_is_command.val();
            self.length.d.next = self.next_length.val();
            self.bad_length.d.next = self.next_length.val() > self.length_max.val();
            self.whole_at.d.next = self.one_at.val();
            self.last.d.next = self.whole_beats.val() == self.zero_length.val();
            if self.part.val() == self.zero_length.val() {
                self.whole_at.d.next = self.two_at.val();
                self.last.d.next = (self.whole_beats.val() == self.zero_length.val())
                    | (self.whole_beats.val() == self.one_whole.val());
            }
        }

        if self.free.val() {
            self.out_valid.d.next = false;
        }
        self.error_found.d.next = false;
        match self.state.q.val() {
            State::Header => {
                if self.take.val() {
                    self.lengths.d.next = self.loaded.val();
                }
                if self.header_end.val() {
                    self.control.d.next = self.loaded.val().get_bits::<16>(0);
                    self.items.d.next = self.count.val();
                    self.bad_batch.d.next = !self.count.val().any()
                        | ((self.kind.val() != self.packets.val())
                            & (self.kind.val() != self.commands.val()));
                    for i in 0..1 {
                        self.bad_sequence.d.next =
                            self.number.val() != self.next_sequence.q.val().get_bits::<SEQUENCE_BITS>(i);
                    }
                    self.state.d.next = State::Pass;
                }
            }
            State::Pass => {
                if self.take.val() {
                    self.out_valid.d.next = true;
                    self.out_data.d.next = self.slice.m_axis_tdata.val();
                    self.out_last.d.next = self.last.q.val();
                    self.out_command.d.next = self.is_command.q.val();
                    self.out_length.d.next = self.length.q.val();
                    self.out_sequence.d.next = self.next_sequence.q.val();
                    if self.last.q.val() {
                        self.state.d.next = State::Swallow;
                    } else {
                        self.whole_at.d.next = self.whole_at.q.val() + self.one_at.val();
                        self.last.d.next = self.whole.val() == self.whole_at.q.val();
                    }
                }
                if self.fault.val() {
                    self.error_found.d.next = true;
                    self.state.d.next = State::Stuck;
                }
            }
            _ => {}
        }
        if self.item_end.val() {
            self.items.d.next = self.items.q.val() - self.one_item.val();
            self.lengths.d.next = self.lengths.q.val() >> 16;
            self.state.d.next = State::Pass;
            if self.items.q.val() == self.one_item.val() {
                self.state.d.next = State::Header;
            }
            if !self.is_command.q.val() {
                self.next_sequence.d.next = self.next_sequence.q.val() + self.one_sequence.val();
            }
        }

        self.code.d.next = self.code_length.val();
        if self.bad_sequence.q.val() {
            self.code.d.next = self.code_sequence.val();
        }
        if self.bad_batch.q.val() {
            self.code.d.next = self.code_batch.val();
        }
        self.detail.d.next =
            bit_cast::<32, 16>(self.control.q.val()) | (bit_cast::<32, 16>(self.length.q.val()) << 16);

        self.m_axis_tdata.next = self.out_data.q.val();
        self.m_axis_tvalid.next = self.out_valid.q.val();
        self.m_axis_tlast.next = self.out_last.q.val();
        self.m_axis_command.next = self.out_command.q.val();
        self.m_axis_length.next = self.out_length.q.val();
        self.m_axis_sequence.next = self.out_sequence.q.val();
        self.error.next = self.error_found.q.val();
        self.error_code.next = self.code.q.val();
        self.error_detail.next = self.detail.q.val();
        self.batch.next = self.batch_begun.q.val();
        self.packet.next = self.out_valid.q.val()
            & self.out_last.q.val()
            & self.m_axis_tready.val()
            & !self.out_command.q.val();
        self.command.next = self.out_valid.q.val()
            & self.out_last.q.val()
            & self.m_axis_tready.val()
            & self.out_command.q.val();

        if self.reset.val() {
            self.state.d.next = State::Header;
            self.beat.d.next = 0.into();
            self.next_sequence.d.next = 0.into();
            self.out_valid.d.next = false;
            self.error_found.d.next = false;
            self.batch_begun.d.next = false;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;

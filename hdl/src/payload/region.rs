//! The last beats of the stream, and the bytes around a window from them.
//!
//! ```text
//! write, number, data --->.--------.---> out_check, region         three cycles later, while `go`
//! check, position ------->| Region |---> command, operand          two cycles later: a command's line
//! go -------------------->'--------'---> busy
//! ```
//!
//! Even and odd beats lie in two banks, so the two beats that a region touches are read together: one cycle to
//! read, one to choose eight bytes and more, one to choose the byte.

use rust_hdl::core::prelude::*;
use rust_hdl::widgets::prelude::*;

use super::layout::{BEAT_NUMBER_BITS, Check};
use crate::prim::ram::{Ram, RamStyle};

/// Bits of the place of a beat in its bank.
const PLACE_BITS: usize = BEAT_NUMBER_BITS - 1;

/// Buffer of beats of `BEAT_BITS` bits; `PAIR_BITS` two of them, `LANE_LOG2` the logarithm of its bytes, `POSITION` the
/// bits of a byte's place, `REGION_BITS` those of a region, `COARSE_BITS` seven bytes more, `OPERAND_BITS` the
/// part of a command that is handed on.
#[derive(LogicBlock)]
pub struct Region<
    const BEAT_BITS: usize,
    const PAIR_BITS: usize,
    const LANE_LOG2: usize,
    const POSITION: usize,
    const REGION_BITS: usize,
    const COARSE_BITS: usize,
    const OPERAND_BITS: usize,
> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous, active high.
    pub reset: Signal<In, Bit>,
    /// Stores a beat.
    pub write: Signal<In, Bit>,
    /// Its number.
    pub number: Signal<In, Bits<BEAT_NUMBER_BITS>>,
    /// The beat.
    pub data: Signal<In, Bits<BEAT_BITS>>,
    /// All stages move.
    pub go: Signal<In, Bit>,
    /// What is asked for.
    pub check: Signal<In, Check>,
    /// Where its region begins.
    pub position: Signal<In, Bits<POSITION>>,
    /// What was asked for.
    pub out_check: Signal<Out, Check>,
    /// Its region, the first byte in the low bits.
    pub region: Signal<Out, Bits<REGION_BITS>>,
    /// There is a command; it stays for one cycle.
    pub command: Signal<Out, Bit>,
    /// Its line.
    pub operand: Signal<Out, Bits<OPERAND_BITS>>,
    /// A window is in here.
    pub busy: Signal<Out, Bit>,
    even: Ram<BEAT_BITS, PLACE_BITS>,
    odd: Ram<BEAT_BITS, PLACE_BITS>,
    check1: DFF<Check>,
    check2: DFF<Check>,
    check3: DFF<Check>,
    is_odd: DFF<Bit>,
    offset: DFF<Bits<LANE_LOG2>>,
    coarse: DFF<Bits<COARSE_BITS>>,
    fine: DFF<Bits<8>>,
    line: DFF<Bits<OPERAND_BITS>>,
    fresh: DFF<Bit>,
    bytes: DFF<Bits<REGION_BITS>>,
    first: Signal<Local, Bits<BEAT_NUMBER_BITS>>,
    even_place: Signal<Local, Bits<PLACE_BITS>>,
    odd_place: Signal<Local, Bits<PLACE_BITS>>,
    place: Signal<Local, Bits<PLACE_BITS>>,
    pair: Signal<Local, Bits<PAIR_BITS>>,
    wide_offset: Signal<Local, Bits<16>>,
    coarse_at: Signal<Local, Bits<16>>,
    one: Constant<Bits<PLACE_BITS>>,
    number_at: Constant<Bits<8>>,
    beat_bits: Constant<Bits<16>>,
    eight_log2: Constant<Bits<8>>,
    byte_log2: Constant<Bits<8>>,
    eight_bits_log2: Constant<Bits<8>>,
    seven: Constant<Bits<16>>,
}

impl<
    const BEAT_BITS: usize,
    const PAIR_BITS: usize,
    const LANE_LOG2: usize,
    const POSITION: usize,
    const REGION_BITS: usize,
    const COARSE_BITS: usize,
    const OPERAND_BITS: usize,
> Default for Region<BEAT_BITS, PAIR_BITS, LANE_LOG2, POSITION, REGION_BITS, COARSE_BITS, OPERAND_BITS>
{
    fn default() -> Self {
        assert!(PAIR_BITS == 2 * BEAT_BITS && BEAT_BITS == 8 << LANE_LOG2);
        assert!(POSITION == BEAT_NUMBER_BITS + LANE_LOG2 && COARSE_BITS == REGION_BITS + 7 * 8);
        // The last eight bytes in which a region can begin.
        assert!(BEAT_BITS - 64 + COARSE_BITS <= PAIR_BITS && OPERAND_BITS <= PAIR_BITS);
        Self {
            clock: Signal::default(),
            reset: Signal::default(),
            write: Signal::default(),
            number: Signal::default(),
            data: Signal::default(),
            go: Signal::default(),
            check: Signal::default(),
            position: Signal::default(),
            out_check: Signal::default(),
            region: Signal::default(),
            command: Signal::default(),
            operand: Signal::default(),
            busy: Signal::default(),
            even: Ram::without_collisions(RamStyle::Block),
            odd: Ram::without_collisions(RamStyle::Block),
            check1: DFF::default(),
            check2: DFF::default(),
            check3: DFF::default(),
            is_odd: DFF::default(),
            offset: DFF::default(),
            coarse: DFF::default(),
            fine: DFF::default(),
            line: DFF::default(),
            fresh: DFF::default(),
            bytes: DFF::default(),
            first: Signal::default(),
            even_place: Signal::default(),
            odd_place: Signal::default(),
            place: Signal::default(),
            pair: Signal::default(),
            wide_offset: Signal::default(),
            coarse_at: Signal::default(),
            one: Constant::new(1u64.to_bits()),
            number_at: Constant::new((LANE_LOG2 as u64).to_bits()),
            beat_bits: Constant::new((BEAT_BITS as u64).to_bits()),
            eight_log2: Constant::new(3u64.to_bits()),
            byte_log2: Constant::new(3u64.to_bits()),
            eight_bits_log2: Constant::new(6u64.to_bits()),
            seven: Constant::new(7u64.to_bits()),
        }
    }
}

impl<
    const BEAT_BITS: usize,
    const PAIR_BITS: usize,
    const LANE_LOG2: usize,
    const POSITION: usize,
    const REGION_BITS: usize,
    const COARSE_BITS: usize,
    const OPERAND_BITS: usize,
> Logic for Region<BEAT_BITS, PAIR_BITS, LANE_LOG2, POSITION, REGION_BITS, COARSE_BITS, OPERAND_BITS>
{
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, check1, check2, check3, is_odd, offset, coarse, fine, line, fresh, bytes);
        self.even.clock.next = self.clock.val();
        self.odd.clock.next = self.clock.val();
        // Stores.
        self.place.next = self.number.val().get_bits::<PLACE_BITS>(1);
        self.even.write_enable.next = self.write.val() & !self.number.val().get_bit(0);
        self.odd.write_enable.next = self.write.val() & self.number.val().get_bit(0);
        self.even.write_address.next = self.place.val();
        self.odd.write_address.next = self.place.val();
        self.even.write_data.next = self.data.val();
        self.odd.write_data.next = self.data.val();
        // Cycle 1. A beat that is being stored lies behind the packet's end: it is not read.
        self.first.next = self.position.val().get_bits::<BEAT_NUMBER_BITS>(self.number_at.val().index());
        self.odd_place.next = self.first.val().get_bits::<PLACE_BITS>(1);
        self.even_place.next = self.first.val().get_bits::<PLACE_BITS>(1);
        if self.first.val().get_bit(0) {
            self.even_place.next = self.odd_place.val() + self.one.val();
        }
        self.even.read_address.next = self.even_place.val();
        self.odd.read_address.next = self.odd_place.val();
        self.even.read_enable.next = self.go.val()
            & !(self.write.val()
                & !self.number.val().get_bit(0)
                & (self.place.val() == self.even_place.val()));
        self.odd.read_enable.next = self.go.val()
            & !(self.write.val() & self.number.val().get_bit(0) & (self.place.val() == self.odd_place.val()));
        if self.go.val() {
            self.check1.d.next = self.check.val();
            self.is_odd.d.next = self.first.val().get_bit(0);
            self.offset.d.next = self.position.val().get_bits::<LANE_LOG2>(0);
        }
        // Cycle 2.
        self.pair.next = bit_cast::<PAIR_BITS, BEAT_BITS>(self.even.read_data.val())
            | (bit_cast::<PAIR_BITS, BEAT_BITS>(self.odd.read_data.val()) << self.beat_bits.val());
        if self.is_odd.q.val() {
            self.pair.next = bit_cast::<PAIR_BITS, BEAT_BITS>(self.odd.read_data.val())
                | (bit_cast::<PAIR_BITS, BEAT_BITS>(self.even.read_data.val()) << self.beat_bits.val());
        }
        self.wide_offset.next = bit_cast::<16, LANE_LOG2>(self.offset.q.val());
        self.coarse_at.next = (self.wide_offset.val() >> self.eight_log2.val()) << self.eight_bits_log2.val();
        self.fresh.d.next = self.go.val() & self.check1.q.val().valid & self.check1.q.val().command;
        if self.go.val() {
            self.check2.d.next = self.check1.q.val();
            self.coarse.d.next = self.pair.val().get_bits::<COARSE_BITS>(self.coarse_at.val().index());
            self.line.d.next = self.pair.val().get_bits::<OPERAND_BITS>(0);
            self.wide_offset.next = (self.wide_offset.val() & self.seven.val()) << self.byte_log2.val();
            self.fine.d.next = self.wide_offset.val().get_bits::<8>(0);
        }
        self.command.next = self.fresh.q.val();
        self.operand.next = self.line.q.val();
        // Cycle 3.
        if self.go.val() {
            self.check3.d.next = self.check2.q.val();
            self.bytes.d.next = self.coarse.q.val().get_bits::<REGION_BITS>(self.fine.q.val().index());
        }
        self.out_check.next = self.check3.q.val();
        self.region.next = self.bytes.q.val();
        self.busy.next = (self.check1.q.val().valid & self.check1.q.val().hit)
            | (self.check2.q.val().valid & self.check2.q.val().hit)
            | (self.check3.q.val().valid & self.check3.q.val().hit);
        if self.reset.val() {
            self.check1.d.next.valid = false;
            self.check2.d.next.valid = false;
            self.check3.d.next.valid = false;
            self.fresh.d.next = false;
        }
    }
}

//! Lets survivors into the verification when what they need is there.
//!
//! ```text
//! s_axis_tdata, _tvalid --->.-------.---> check, position    of the first byte of the region
//! s_axis_tready <-----------| Issue |
//! arrived, go, busy ------->|       |
//! known ------------------->'-------'
//! ```
//!
//! Nothing of an element is let in before its header is on the way (`known`). A window waits for the beat behind its
//! own, unless its own is the last of the packet; a command waits until no window is under way in front of it (`busy`),
//! because what it writes is written at once. A window that comes too late, when the buffer may soon be written over, is
//! dropped and says so.

use rust_hdl::core::prelude::*;
use rust_hdl::widgets::prelude::*;
use wiresift_abi::bits::LINE_BYTES;
use wiresift_abi::geometry::Geometry;

use super::layout::{BEAT_NUMBER_BITS, BYTES_BITS, Check, LANE_BITS, SIDE_BITS, Survivor};

/// Bits of a number of elements: no more are inside than there are credits, so two counters are equal only where none is.
const COUNT_BITS: usize = 8;

/// The gate of the verification; `POSITION` is the bits of a byte's place in the buffer.
#[derive(LogicBlock)]
pub struct Issue<const POSITION: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous, active high.
    pub reset: Signal<In, Bit>,
    /// A survivor.
    pub s_axis_tdata: Signal<In, Survivor>,
    /// It is there.
    pub s_axis_tvalid: Signal<In, Bit>,
    /// It is taken.
    pub s_axis_tready: Signal<Out, Bit>,
    /// Number of the beat that comes next.
    pub arrived: Signal<In, Bits<BEAT_NUMBER_BITS>>,
    /// The stages behind move.
    pub go: Signal<In, Bit>,
    /// A window is under way in them.
    pub busy: Signal<In, Bit>,
    /// Pulse: the header vector of one more element will be there for what is let in from the next cycle on.
    pub known: Signal<In, Bit>,
    /// What was let in.
    pub check: Signal<Out, Check>,
    /// Place in the buffer of the first byte of its region; of a command, of its line.
    pub position: Signal<Out, Bits<POSITION>>,
    /// Elements whose header is known, and elements whose end was let in: two counters, because the sum of one waits for
    /// nothing, where one counter up and down would wait for `can`.
    known_count: DFF<Bits<COUNT_BITS>>,
    end_count: DFF<Bits<COUNT_BITS>>,
    held: DFF<Check>,
    held_position: DFF<Bits<POSITION>>,
    back: Signal<Local, Bits<BEAT_NUMBER_BITS>>,
    is_late: Signal<Local, Bit>,
    can: Signal<Local, Bit>,
    beat_at: Signal<Local, Bits<POSITION>>,
    lane: Signal<Local, Bits<BYTES_BITS>>,
    ahead: Signal<Local, Bits<BYTES_BITS>>,
    after: Signal<Local, Bits<BYTES_BITS>>,
    one: Constant<Bits<BEAT_NUMBER_BITS>>,
    one_element: Constant<Bits<COUNT_BITS>>,
    one_byte: Constant<Bits<BYTES_BITS>>,
    lane_log2: Constant<Bits<8>>,
    to_window: Constant<Bits<POSITION>>,
    to_line: Constant<Bits<POSITION>>,
    most_before: Constant<Bits<BYTES_BITS>>,
    most_after: Constant<Bits<BYTES_BITS>>,
}

impl<const POSITION: usize> Issue<POSITION> {
    /// For a geometry.
    ///
    /// # Panics
    /// Where the parameter is not that of the geometry.
    pub fn new(geometry: &Geometry) -> Self {
        let lane_log2 = geometry.beat_bytes.ilog2() as usize;
        assert!(POSITION == BEAT_NUMBER_BITS + lane_log2 && lane_log2 <= LANE_BITS);
        assert!(geometry.packets_in_flight < 1 << COUNT_BITS);
        let sizes = &geometry.payload;
        let inside = sizes.region_bytes - sizes.region_after;
        assert!(inside < 1 << SIDE_BITS && inside <= geometry.beat_bytes);
        let number = |n: usize| Constant::new((n as u64).to_bits());
        Self {
            clock: Signal::default(),
            reset: Signal::default(),
            s_axis_tdata: Signal::default(),
            s_axis_tvalid: Signal::default(),
            s_axis_tready: Signal::default(),
            arrived: Signal::default(),
            go: Signal::default(),
            busy: Signal::default(),
            known: Signal::default(),
            check: Signal::default(),
            position: Signal::default(),
            known_count: DFF::default(),
            end_count: DFF::default(),
            held: DFF::default(),
            held_position: DFF::default(),
            back: Signal::default(),
            is_late: Signal::default(),
            can: Signal::default(),
            beat_at: Signal::default(),
            lane: Signal::default(),
            ahead: Signal::default(),
            after: Signal::default(),
            one: Constant::new(1u64.to_bits()),
            one_element: Constant::new(1u64.to_bits()),
            one_byte: Constant::new(1u64.to_bits()),
            lane_log2: Constant::new((lane_log2 as u64).to_bits()),
            to_window: Constant::new((inside as u64 - 1).to_bits()),
            // The first beat of a line that ends in this one.
            to_line: Constant::new(((LINE_BYTES - geometry.beat_bytes) as u64).to_bits()),
            most_before: number(inside),
            most_after: number(sizes.region_after),
        }
    }
}

impl<const POSITION: usize> Logic for Issue<POSITION> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, known_count, end_count, held, held_position);
        self.back.next = self.arrived.val() - self.s_axis_tdata.val().number;
        // Three quarters of the buffer back: what may still be in front of it takes less than the rest.
        self.is_late.next = self.back.val().get_bit(9) & self.back.val().get_bit(8);
        self.can.next = self.s_axis_tvalid.val()
            & self.go.val()
            & (self.known_count.q.val() != self.end_count.q.val())
            & (!self.s_axis_tdata.val().hit
                | self.s_axis_tdata.val().last
                | (self.back.val() != self.one.val()))
            & !(self.s_axis_tdata.val().command
                & (self.busy.val() | (self.held.q.val().valid & self.held.q.val().hit)));
        self.s_axis_tready.next = self.can.val();
        if self.known.val() {
            self.known_count.d.next = self.known_count.q.val() + self.one_element.val();
        }
        if self.can.val() & self.s_axis_tdata.val().end {
            self.end_count.d.next = self.end_count.q.val() + self.one_element.val();
        }
        self.beat_at.next =
            bit_cast::<POSITION, BEAT_NUMBER_BITS>(self.s_axis_tdata.val().number) << self.lane_log2.val();
        self.lane.next = bit_cast::<BYTES_BITS, LANE_BITS>(self.s_axis_tdata.val().lane);
        self.ahead.next = self.most_before.val();
        if self.s_axis_tdata.val().first & (self.lane.val() < self.most_before.val()) {
            self.ahead.next = self.lane.val() + self.one_byte.val();
        }
        self.after.next = self.s_axis_tdata.val().bytes - self.lane.val() - self.one_byte.val();
        if self.after.val() > self.most_after.val() {
            self.after.next = self.most_after.val();
        }
        if self.go.val() {
            self.held.d.next.valid = self.can.val();
            self.held.d.next.hit = self.s_axis_tdata.val().hit & !self.is_late.val();
            self.held.d.next.command = self.s_axis_tdata.val().command;
            self.held.d.next.end = self.s_axis_tdata.val().end;
            self.held.d.next.overflow =
                self.s_axis_tdata.val().overflow | (self.s_axis_tdata.val().hit & self.is_late.val());
            self.held.d.next.class = self.s_axis_tdata.val().class;
            self.held.d.next.before = self.ahead.val().get_bits::<SIDE_BITS>(0);
            self.held.d.next.after = self.after.val().get_bits::<SIDE_BITS>(0);
            self.held_position.d.next =
                self.beat_at.val() + bit_cast::<POSITION, BYTES_BITS>(self.lane.val()) - self.to_window.val();
            if self.s_axis_tdata.val().command {
                self.held_position.d.next = self.beat_at.val() - self.to_line.val();
            }
        }
        self.check.next = self.held.q.val();
        self.position.next = self.held_position.q.val();
        if self.reset.val() {
            self.known_count.d.next = 0.into();
            self.end_count.d.next = 0.into();
            self.held.d.next.valid = false;
        }
    }
}

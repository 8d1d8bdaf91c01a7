//! Collects the first bytes of each packet, and lets it in when there is a credit for it.
//!
//! ```text
//!                 +--------+
//! s_axis_*     -->|        |--> valid, command
//!   s_axis_tready |        |--> window, length, sequence_number
//!              <--| Window |
//! credit       -->|        |--> idle
//! cleared      -->|        |
//!                 +--------+
//! ```
//!
//! One beat a cycle. The beats of a packet go into slots of the window, the first one into the lowest;
//! what lies behind the window is passed over. In the cycle after the beat that fills the window, or after the last one
//! where that comes before, the element is at the outputs for one cycle: packets of one beat give one element a cycle,
//! and the header of a long packet is known before its end.
//!
//! Behind this block nothing stalls, so an element is let in only on a credit: `s_axis_tready` is a
//! register that is high only while a credit is left for the beat it takes, be it a last one or not (the last one uses
//! it up, and no other element comes before that), and while no CLEAR, WRITE_SECRET, WRITE_TCAM_HIGH or
//! WRITE_WINDOW_SECRET is at work.

use rust_hdl::prelude::*;
use wiresift_abi::bits::LINE_BYTES;
use wiresift_abi::command::{OPCODE, Opcode};
use wiresift_abi::geometry::Geometry;
use wiresift_abi::vector::WINDOW_BYTES;

use super::slots::Slots;

/// Bits of the window.
pub const WINDOW_BITS: usize = WINDOW_BYTES * 8;
/// Bits of the counter of credits.
const CREDIT_BITS: usize = 8;
const OPCODE_BITS: usize = OPCODE.bits;

// The opcode is read from the low bits of a command's first beat.
const _: () = assert!(OPCODE.lsb == 0 && OPCODE_BITS == 8 && WINDOW_BYTES >= LINE_BYTES);

/// Stream to elements; `BEAT_BITS` is the width of the stream and `BEATS` the beats of a window.
#[derive(LogicBlock)]
pub struct Window<const BEAT_BITS: usize, const BEATS: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous reset: all credits are here, the next beat is the first of a packet.
    pub reset: Signal<In, Bit>,
    /// Beat of a packet or command.
    pub s_axis_tdata: Signal<In, Bits<BEAT_BITS>>,
    /// The beat is there.
    pub s_axis_tvalid: Signal<In, Bit>,
    /// Last beat of the packet or command.
    pub s_axis_tlast: Signal<In, Bit>,
    /// The beat is taken.
    pub s_axis_tready: Signal<Out, Bit>,
    /// The beat belongs to a command.
    pub s_axis_command: Signal<In, Bit>,
    /// Bytes of the packet.
    pub s_axis_length: Signal<In, Bits<16>>,
    /// Sequence number of the packet.
    pub s_axis_sequence: Signal<In, Bits<32>>,
    /// A result was taken: one credit comes back.
    pub credit: Signal<In, Bit>,
    /// A command that the packets behind it wait for is done.
    pub cleared: Signal<In, Bit>,
    /// An element is at the outputs.
    pub valid: Signal<Out, Bit>,
    /// It is a command.
    pub command: Signal<Out, Bit>,
    /// First bytes of the packet, byte 0 in the low bits; what lies behind the packet is unspecified.
    pub window: Signal<Out, Bits<WINDOW_BITS>>,
    /// Bytes of the packet.
    pub length: Signal<Out, Bits<16>>,
    /// Sequence number of the packet.
    pub sequence_number: Signal<Out, Bits<32>>,
    /// Every credit is here: between these outputs (included) and the record packer there is no element, but one whose
    /// last beat has not come.
    pub idle: Signal<Out, Bit>,
    slots: Slots<BEAT_BITS, BEATS>,
    fill: DFF<Bits<BEATS>>,
    free: DFF<Bits<CREDIT_BITS>>,
    ready: DFF<Bit>,
    all_free: DFF<Bit>,
    waiting: DFF<Bit>,
    starts_wait: DFF<Bit>,
    valid_held: DFF<Bit>,
    command_held: DFF<Bit>,
    length_held: DFF<Bits<16>>,
    sequence_held: DFF<Bits<32>>,
    taken: Signal<Local, Bit>,
    element: Signal<Local, Bit>,
    is_full: Signal<Local, Bit>,
    returned: Signal<Local, Bit>,
    is_slow: Signal<Local, Bit>,
    opcode: Signal<Local, Bits<OPCODE_BITS>>,
    spare: Signal<Local, Bit>,
    next_free: Signal<Local, Bits<CREDIT_BITS>>,
    first_slot: Constant<Bits<BEATS>>,
    last_slot: Constant<Bits<8>>,
    credits: Constant<Bits<CREDIT_BITS>>,
    all_but_one: Constant<Bits<CREDIT_BITS>>,
    one: Constant<Bits<CREDIT_BITS>>,
    clear: Constant<Bits<OPCODE_BITS>>,
    secret: Constant<Bits<OPCODE_BITS>>,
    tcam_high: Constant<Bits<OPCODE_BITS>>,
    window_secret: Constant<Bits<OPCODE_BITS>>,
}

impl<const BEAT_BITS: usize, const BEATS: usize> Window<BEAT_BITS, BEATS> {
    /// A window for the stream and the credits of a geometry.
    ///
    /// # Panics
    /// Where the widths are not those of the geometry, or there are fewer than 2 credits or more than
    /// the counter counts.
    pub fn new(geometry: &Geometry) -> Self {
        assert_eq!(BEAT_BITS, geometry.beat_bytes * 8, "beat of the geometry");
        assert_eq!(BEAT_BITS * BEATS, WINDOW_BITS, "whole beats fill the window");
        assert!((2..1 << CREDIT_BITS).contains(&geometry.packets_in_flight), "credits");
        Self {
            clock: Signal::default(),
            reset: Signal::default(),
            s_axis_tdata: Signal::default(),
            s_axis_tvalid: Signal::default(),
            s_axis_tlast: Signal::default(),
            s_axis_tready: Signal::default(),
            s_axis_command: Signal::default(),
            s_axis_length: Signal::default(),
            s_axis_sequence: Signal::default(),
            credit: Signal::default(),
            cleared: Signal::default(),
            valid: Signal::default(),
            command: Signal::default(),
            window: Signal::default(),
            length: Signal::default(),
            sequence_number: Signal::default(),
            idle: Signal::default(),
            slots: Slots::default(),
            fill: DFF::default(),
            free: DFF::default(),
            ready: DFF::default(),
            all_free: DFF::default(),
            waiting: DFF::default(),
            starts_wait: DFF::default(),
            valid_held: DFF::default(),
            command_held: DFF::default(),
            length_held: DFF::default(),
            sequence_held: DFF::default(),
            taken: Signal::default(),
            element: Signal::default(),
            is_full: Signal::default(),
            returned: Signal::default(),
            is_slow: Signal::default(),
            opcode: Signal::default(),
            spare: Signal::default(),
            next_free: Signal::default(),
            first_slot: Constant::new(1.into()),
            last_slot: Constant::new((BEATS as u64 - 1).into()),
            credits: Constant::new((geometry.packets_in_flight as u64).into()),
            all_but_one: Constant::new((geometry.packets_in_flight as u64 - 1).into()),
            one: Constant::new(1.into()),
            clear: Constant::new((Opcode::Clear as u64).into()),
            secret: Constant::new((Opcode::WriteSecret as u64).into()),
            tcam_high: Constant::new((Opcode::WriteTcamHigh as u64).into()),
            window_secret: Constant::new((Opcode::WriteWindowSecret as u64).into()),
        }
    }
}

impl<const BEAT_BITS: usize, const BEATS: usize> Logic for Window<BEAT_BITS, BEATS> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self,
            clock,
            fill,
            free,
            ready,
            all_free,
            waiting,
            starts_wait,
            valid_held,
            command_held,
            length_held,
            sequence_held
        );
        self.slots.clock.next = self.clock.val();
        self.taken.next = self.s_axis_tvalid.val() & self.ready.q.val();
        self.element.next = self.taken.val() & self.s_axis_tlast.val();

        // A slot takes whatever is on the stream until its beat is accepted and the next slot's turn
        // comes: the enable of the wide registers is a register of its own.
        self.slots.data.next = self.s_axis_tdata.val();
        self.slots.turn.next = self.fill.q.val();
        if self.taken.val() {
            self.fill.d.next = self.fill.q.val() << 1;
        }
        if self.element.val() {
            self.fill.d.next = self.first_slot.val();
        }

        // The opcode stands in the first beat, which is the last one too where a beat is a line.
        self.opcode.next = self.s_axis_tdata.val().get_bits::<OPCODE_BITS>(0);
        self.is_slow.next = self.starts_wait.q.val();
        if self.fill.q.val().get_bit(0) {
            self.is_slow.next = self.s_axis_command.val()
                & ((self.opcode.val() == self.clear.val())
                    | (self.opcode.val() == self.secret.val())
                    | (self.opcode.val() == self.tcam_high.val())
                    | (self.opcode.val() == self.window_secret.val()));
        }
        self.starts_wait.d.next = self.is_slow.val();
        if self.cleared.val() {
            self.waiting.d.next = false;
        }
        if self.element.val() & self.is_slow.val() {
            self.waiting.d.next = true;
        }

        // Credits. One that comes back where none is out is not counted.
        self.returned.next = self.credit.val() & !self.all_free.q.val();
        self.next_free.next = self.free.q.val();
        if self.element.val() & !self.returned.val() {
            self.next_free.next = self.free.q.val() - self.one.val();
        }
        if self.returned.val() & !self.element.val() {
            self.next_free.next = self.free.q.val() + self.one.val();
        }
        self.free.d.next = self.next_free.val();
        // Whether `next_free` is all credits, or not zero, is said without waiting for its carry.
        self.all_free.d.next = !self.element.val()
            & (self.all_free.q.val() | (self.returned.val() & (self.free.q.val() == self.all_but_one.val())));
        self.spare.next = self.free.q.val().get_bits::<7>(1).any()
            | (self.free.q.val().get_bit(0) & !self.element.val())
            | self.returned.val();
        self.ready.d.next = self.spare.val()
            & (!self.waiting.q.val() | self.cleared.val())
            & !(self.element.val() & self.is_slow.val());

        // The slot that is filled last; behind it no slot has its turn.
        self.is_full.next = self.fill.q.val().get_bit(self.last_slot.val().index());
        self.valid_held.d.next =
            self.taken.val() & (self.is_full.val() | (self.s_axis_tlast.val() & self.fill.q.val().any()));
        self.command_held.d.next = self.s_axis_command.val();
        self.length_held.d.next = self.s_axis_length.val();
        self.sequence_held.d.next = self.s_axis_sequence.val();

        self.s_axis_tready.next = self.ready.q.val();
        self.valid.next = self.valid_held.q.val();
        self.command.next = self.command_held.q.val();
        self.window.next = self.slots.window.val();
        self.length.next = self.length_held.q.val();
        self.sequence_number.next = self.sequence_held.q.val();
        self.idle.next = self.all_free.q.val();

        if self.reset.val() {
            self.fill.d.next = self.first_slot.val();
            self.free.d.next = self.credits.val();
            self.ready.d.next = false;
            self.all_free.d.next = true;
            self.waiting.d.next = false;
            self.valid_held.d.next = false;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;

//! Exact comparison of one entry with one header vector (`abi::entry::Entry::matches`).
//!
//! ```text
//! cycle 0                          .---------.
//! head, src, dst (a slot) -------->|         |
//! key_src, key_dst, fields ------->| Compare |---> candidate   cycle 2
//! packet ------------------------->|         |
//!                                  '---------'
//! ```
//!
//! In the first cycle every field gives one bit (the deepest is an address: shift to mask, mask,
//! equality), in the second they come together. [`Ranges`] is the part that TCAM entries share.

use rust_hdl::core::prelude::*;
use rust_hdl::widgets::prelude::*;
use wiresift_abi::entry::{KIND, Kind, SRC_SHIFT};

use super::layout::{Candidate, Compared, Fields, Head};

/// Whether both ports are in an entry's ranges. No clock.
#[derive(LogicBlock, Default)]
pub struct Ranges {
    /// Entry.
    pub head: Signal<In, Head>,
    /// Header vector.
    pub fields: Signal<In, Fields>,
    /// Both ports are in range.
    pub in_range: Signal<Out, Bit>,
}

impl Logic for Ranges {
    #[hdl_gen]
    fn update(&mut self) {
        self.in_range.next = (self.head.val().sport_lo <= self.fields.val().sport)
            & (self.fields.val().sport <= self.head.val().sport_hi)
            & (self.head.val().dport_lo <= self.fields.val().dport)
            & (self.fields.val().dport <= self.head.val().dport_hi);
    }
}

/// Compares slots with addresses of `ADDRESS` bits; `MASK` is one more.
#[derive(LogicBlock)]
pub struct Compare<const ADDRESS: usize, const MASK: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Slot but for the addresses.
    pub head: Signal<In, Head>,
    /// Source address of the slot.
    pub src: Signal<In, Bits<ADDRESS>>,
    /// Destination address of the slot.
    pub dst: Signal<In, Bits<ADDRESS>>,
    /// Source address of the packet.
    pub key_src: Signal<In, Bits<ADDRESS>>,
    /// Destination address of the packet.
    pub key_dst: Signal<In, Bits<ADDRESS>>,
    /// Other fields of the packet.
    pub fields: Signal<In, Fields>,
    /// There is a packet.
    pub packet: Signal<In, Bit>,
    /// Two cycles later.
    pub candidate: Signal<Out, Candidate>,
    ranges: Ranges,
    compared: DFF<Compared>,
    held: DFF<Candidate>,
    hit: Signal<Local, Bit>,
    src_mask: Signal<Local, Bits<MASK>>,
    dst_mask: Signal<Local, Bits<MASK>>,
    ones: Constant<Bits<MASK>>,
    limit: Constant<Bits<{ SRC_SHIFT.bits }>>,
    acl: Constant<Bits<{ KIND.bits }>>,
    signature: Constant<Bits<{ KIND.bits }>>,
}

impl<const ADDRESS: usize, const MASK: usize> Default for Compare<ADDRESS, MASK> {
    fn default() -> Self {
        assert!(MASK == ADDRESS + 1 && (ADDRESS as u64) < 1 << SRC_SHIFT.bits);
        Self {
            clock: Signal::default(),
            head: Signal::default(),
            src: Signal::default(),
            dst: Signal::default(),
            key_src: Signal::default(),
            key_dst: Signal::default(),
            fields: Signal::default(),
            packet: Signal::default(),
            candidate: Signal::default(),
            ranges: Ranges::default(),
            compared: DFF::default(),
            held: DFF::default(),
            hit: Signal::default(),
            src_mask: Signal::default(),
            dst_mask: Signal::default(),
            ones: Constant::new(Bits::<MASK>::mask()),
            limit: Constant::new((ADDRESS as u64).to_bits()),
            acl: Constant::new((Kind::Acl as u64).to_bits()),
            signature: Constant::new((Kind::Signature as u64).to_bits()),
        }
    }
}

impl<const ADDRESS: usize, const MASK: usize> Logic for Compare<ADDRESS, MASK> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, compared, held);
        self.ranges.head.next = self.head.val();
        self.ranges.fields.next = self.fields.val();
        // One bit more than an address has, so that a shift by the whole width leaves the bits above
        // bit 0 empty whatever a tool makes of a shift by the width.
        self.src_mask.next = self.ones.val() << self.head.val().src_shift;
        self.dst_mask.next = self.ones.val() << self.head.val().dst_shift;
        self.compared.d.next.src = ((self.key_src.val() & self.src_mask.val().get_bits::<ADDRESS>(1))
            == self.src.val())
            & (self.head.val().src_shift <= self.limit.val());
        self.compared.d.next.dst = ((self.key_dst.val() & self.dst_mask.val().get_bits::<ADDRESS>(1))
            == self.dst.val())
            & (self.head.val().dst_shift <= self.limit.val());
        self.compared.d.next.ternary = ((self.fields.val().proto & self.head.val().proto_mask)
            == self.head.val().proto)
            & ((self.fields.val().class & self.head.val().class_mask) == self.head.val().class)
            & ((self.fields.val().aux & self.head.val().aux_mask) == self.head.val().aux);
        self.compared.d.next.inside = self.ranges.in_range.val();
        self.compared.d.next.packet = self.packet.val();
        self.compared.d.next.kind = self.head.val().kind;
        self.compared.d.next.id = self.head.val().id;

        self.hit.next = self.compared.q.val().src
            & self.compared.q.val().dst
            & self.compared.q.val().ternary
            & self.compared.q.val().inside
            & self.compared.q.val().packet;
        self.held.d.next.acl = self.hit.val() & (self.compared.q.val().kind == self.acl.val());
        self.held.d.next.signature = self.hit.val() & (self.compared.q.val().kind == self.signature.val());
        self.held.d.next.id = self.compared.q.val().id;
        self.candidate.next = self.held.q.val();
    }
}

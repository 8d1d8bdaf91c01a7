//! Finds the patterns that have a window, and names them one a cycle.
//!
//! ```text
//! check, region ---------->.--------.---> out_check, out_region, number   a pattern to compare
//! command, operand ------->| Lookup |---> go                              the stages in front move
//!                          '--------'---> busy, done
//! ```
//!
//! Two cycles for the hash of the window at its place in the region (what each byte adds, [`OctetHash`], and their sum),
//! two for the index (both ways read, tags compared). A window with several patterns stands for a cycle with each; `go` is low meanwhile. Commands write rows
//! of the secret and buckets; when one comes no window is under way, and none comes between a row or a CLEAR and `done`. While `hurry` is high one pattern of a window is named, and
//! the check says with `overflow` that there are others.

use rust_hdl::core::prelude::*;
use rust_hdl::widgets::prelude::*;
use wiresift_abi::command::{DATA_LSB, INDEX, OPCODE, Opcode, SLOT};
use wiresift_abi::geometry::{Geometry, WAYS};
use wiresift_abi::payload::{CLASS, Class, FIRST, INDEX_BITS, MORE, TAG, USED};

use super::layout::Check;
use super::octet_hash::{OCTET_BITS, OctetHash};
use crate::classify::sweep::Sweep;
use crate::prim::ram::{Ram, RamStyle};

const WINDOW_BYTES: usize = Class::Eight.bytes();
const TAG_BITS: usize = TAG.bits;
/// Bits of the number of a pattern.
pub const NUMBER_BITS: usize = FIRST.bits;
const MORE_BITS: usize = MORE.bits;

type Number = Constant<Bits<16>>;

/// Index of `1 << BUCKETS_LOG2` buckets a way over hashes of `HASH` bits.
#[derive(LogicBlock)]
pub struct Lookup<
    const REGION_BITS: usize,
    const OPERAND_BITS: usize,
    const HASH: usize,
    const BUCKETS_LOG2: usize,
> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous, active high.
    pub reset: Signal<In, Bit>,
    /// What is to be verified; it stays while `go` is low.
    pub check: Signal<In, Check>,
    /// Its region.
    pub region: Signal<In, Bits<REGION_BITS>>,
    /// Too much waits.
    pub hurry: Signal<In, Bit>,
    /// There is a command.
    pub command: Signal<In, Bit>,
    /// Its line.
    pub operand: Signal<In, Bits<OPERAND_BITS>>,
    /// The stages move.
    pub go: Signal<Out, Bit>,
    /// A window is in here.
    pub busy: Signal<Out, Bit>,
    /// Pulse: the index is empty, or the row counts.
    pub done: Signal<Out, Bit>,
    /// What is to be compared.
    pub out_check: Signal<Out, Check>,
    /// Its region.
    pub out_region: Signal<Out, Bits<REGION_BITS>>,
    /// The pattern.
    pub number: Signal<Out, Bits<NUMBER_BITS>>,
    product: OctetHash<HASH>,
    ways: Vec<Ram<INDEX_BITS, BUCKETS_LOG2>>,
    sweep: Sweep,
    check1: DFF<Check>,
    check2: DFF<Check>,
    check3: DFF<Check>,
    check4: DFF<Check>,
    check5: DFF<Check>,
    region1: DFF<Bits<REGION_BITS>>,
    region2: DFF<Bits<REGION_BITS>>,
    region3: DFF<Bits<REGION_BITS>>,
    region4: DFF<Bits<REGION_BITS>>,
    region5: DFF<Bits<REGION_BITS>>,
    hash: DFF<Bits<HASH>>,
    tag: DFF<Bits<TAG_BITS>>,
    first4: DFF<Bits<NUMBER_BITS>>,
    more4: DFF<Bits<MORE_BITS>>,
    first5: DFF<Bits<NUMBER_BITS>>,
    more5: DFF<Bits<MORE_BITS>>,
    stall: DFF<Bit>,
    sum: Signal<Local, Bits<HASH>>,
    term: Signal<Local, Bits<HASH>>,
    bucket: Signal<Local, Bits<INDEX_BITS>>,
    is_found: Signal<Local, Bit>,
    found_first: Signal<Local, Bits<NUMBER_BITS>>,
    found_more: Signal<Local, Bits<MORE_BITS>>,
    above: Signal<Local, Bits<16>>,
    opcode: Signal<Local, Bits<8>>,
    index: Signal<Local, Bits<16>>,
    slot: Signal<Local, Bits<8>>,
    writes: Signal<Local, Bit>,
    tag_is: Signal<Local, Bits<TAG_BITS>>,
    class_is: Signal<Local, Bits<2>>,
    opcode_at: Number,
    index_at: Number,
    slot_at: Number,
    data_at: Number,
    op_clear: Constant<Bits<8>>,
    op_secret: Constant<Bits<8>>,
    op_window: Constant<Bits<8>>,
    buckets_log2: Number,
    way_numbers: Vec<Constant<Bits<8>>>,
    window_at: Vec<Number>,
    in_class: Vec<Constant<Bits<3>>>,
    up: Vec<Constant<Bits<8>>>,
    down: Vec<Constant<Bits<8>>>,
    way_at: Vec<Number>,
    tag_at: Number,
    entry_class_at: Number,
    entry_tag_at: Number,
    entry_first_at: Number,
    entry_more_at: Number,
    one: Constant<Bits<NUMBER_BITS>>,
    one_more: Constant<Bits<MORE_BITS>>,
    zero: Constant<Bits<INDEX_BITS>>,
}

impl<const REGION_BITS: usize, const OPERAND_BITS: usize, const HASH: usize, const BUCKETS_LOG2: usize>
    Lookup<REGION_BITS, OPERAND_BITS, HASH, BUCKETS_LOG2>
{
    /// The index of a geometry; its RAM has that style.
    ///
    /// # Panics
    /// Where the parameters are not those of the geometry.
    pub fn new(geometry: &Geometry, style: RamStyle) -> Self {
        let sizes = &geometry.payload;
        assert!(REGION_BITS == 8 * sizes.region_bytes && HASH == sizes.hash_bits);
        assert!(
            BUCKETS_LOG2 == sizes.window_buckets_log2 as usize
                && OPERAND_BITS >= DATA_LSB + INDEX_BITS.max(HASH)
        );
        let number = |n: usize| Constant::new((n as u64).to_bits());
        let last = sizes.region_bytes - sizes.region_after - 1;
        Self {
            clock: Signal::default(),
            reset: Signal::default(),
            check: Signal::default(),
            region: Signal::default(),
            hurry: Signal::default(),
            command: Signal::default(),
            operand: Signal::default(),
            go: Signal::default(),
            busy: Signal::default(),
            done: Signal::default(),
            out_check: Signal::default(),
            out_region: Signal::default(),
            number: Signal::default(),
            product: OctetHash::new(WINDOW_BYTES),
            ways: (0..WAYS).map(|_| Ram::without_collisions(style)).collect(),
            sweep: Sweep::new(1 << BUCKETS_LOG2),
            check1: DFF::default(),
            check2: DFF::default(),
            check3: DFF::default(),
            check4: DFF::default(),
            check5: DFF::default(),
            region1: DFF::default(),
            region2: DFF::default(),
            region3: DFF::default(),
            region4: DFF::default(),
            region5: DFF::default(),
            hash: DFF::default(),
            tag: DFF::default(),
            first4: DFF::default(),
            more4: DFF::default(),
            first5: DFF::default(),
            more5: DFF::default(),
            stall: DFF::default(),
            sum: Signal::default(),
            term: Signal::default(),
            bucket: Signal::default(),
            is_found: Signal::default(),
            found_first: Signal::default(),
            found_more: Signal::default(),
            above: Signal::default(),
            opcode: Signal::default(),
            index: Signal::default(),
            slot: Signal::default(),
            writes: Signal::default(),
            tag_is: Signal::default(),
            class_is: Signal::default(),
            opcode_at: number(OPCODE.lsb),
            index_at: number(INDEX.lsb),
            slot_at: number(SLOT.lsb),
            data_at: number(DATA_LSB),
            op_clear: Constant::new((Opcode::Clear as u64).to_bits()),
            op_secret: Constant::new((Opcode::WriteWindowSecret as u64).to_bits()),
            op_window: Constant::new((Opcode::WriteWindow as u64).to_bits()),
            buckets_log2: number(BUCKETS_LOG2),
            way_numbers: (0..WAYS as u64).map(|n| Constant::new(n.to_bits())).collect(),
            // From the end of the window on.
            window_at: (0..WINDOW_BYTES).map(|n| number(8 * (last - n))).collect(),
            in_class: (0..WINDOW_BYTES)
                .map(|n| {
                    let classes = [Class::Eight, Class::Four, Class::Three].into_iter();
                    let bits = classes.filter(|class| n < class.bytes()).map(|class| 1u64 << class as u64);
                    Constant::new(bits.sum::<u64>().to_bits())
                })
                .collect(),
            up: (0..WINDOW_BYTES as u64).map(|n| Constant::new(n.to_bits())).collect(),
            down: (0..WINDOW_BYTES as u64).map(|n| Constant::new((HASH as u64 - n).to_bits())).collect(),
            way_at: (0..WAYS).map(|way| number(way * BUCKETS_LOG2)).collect(),
            tag_at: number(WAYS * BUCKETS_LOG2),
            entry_class_at: number(CLASS.lsb),
            entry_tag_at: number(TAG.lsb),
            entry_first_at: number(FIRST.lsb),
            entry_more_at: number(MORE.lsb),
            one: Constant::new(1u64.to_bits()),
            one_more: Constant::new(1u64.to_bits()),
            zero: Constant::new(Bits::default()),
        }
    }
}

const _: () = assert!(USED.lsb == 0 && CLASS.bits == 2 && WAYS == 2);

impl<const REGION_BITS: usize, const OPERAND_BITS: usize, const HASH: usize, const BUCKETS_LOG2: usize> Logic
    for Lookup<REGION_BITS, OPERAND_BITS, HASH, BUCKETS_LOG2>
{
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self, clock, check1, check2, check3, check4, check5, region1, region2, region3, region4, region5,
            hash, tag, first4, more4, first5, more5, stall
        );
        self.sweep.clock.next = self.clock.val();
        self.sweep.reset.next = self.reset.val();
        self.go.next = !self.stall.q.val();
        // Commands.
        self.opcode.next = self.operand.val().get_bits::<8>(self.opcode_at.val().index());
        self.slot.next = self.operand.val().get_bits::<8>(self.slot_at.val().index());
        self.index.next = self.operand.val().get_bits::<16>(self.index_at.val().index());
        self.product.clock.next = self.clock.val();
        self.product.reset.next = self.reset.val();
        self.product.write.next = self.command.val() & (self.opcode.val() == self.op_secret.val());
        self.product.row.next = self.index.val();
        self.product.data.next = self.operand.val().get_bits::<HASH>(self.data_at.val().index());
        self.above.next = self.index.val() >> self.buckets_log2.val();
        self.writes.next =
            self.command.val() & (self.opcode.val() == self.op_window.val()) & !self.above.val().any();
        self.sweep.start.next = self.command.val() & (self.opcode.val() == self.op_clear.val());
        self.done.next = self.sweep.done.val() | self.product.done.val();
        // Cycle 1: the bytes of the window, from its end.
        self.product.read.next = !self.stall.q.val() & self.check.val().valid & self.check.val().hit;
        for i in 0..WINDOW_BYTES {
            self.product.octet[i].next =
                self.region.val().get_bits::<OCTET_BITS>(self.window_at[i].val().index());
        }
        // Cycle 2: those that the class has.
        self.sum.next = self.product.word[0].val();
        for i in 1..WINDOW_BYTES {
            self.term.next = (self.product.word[i].val() << self.up[i].val())
                | (self.product.word[i].val() >> self.down[i].val());
            if self.in_class[i].val().get_bit(self.check1.q.val().class.index()) {
                self.sum.next = self.sum.val() ^ self.term.val();
            }
        }
        // Cycle 3: both ways.
        for i in 0..WAYS {
            self.ways[i].clock.next = self.clock.val();
            self.ways[i].read_enable.next =
                !self.stall.q.val() & self.check2.q.val().valid & self.check2.q.val().hit;
            self.ways[i].read_address.next =
                self.hash.q.val().get_bits::<BUCKETS_LOG2>(self.way_at[i].val().index());
            self.ways[i].write_enable.next =
                self.sweep.busy.val() | (self.writes.val() & (self.slot.val() == self.way_numbers[i].val()));
            self.ways[i].write_address.next = self.index.val().get_bits::<BUCKETS_LOG2>(0);
            self.ways[i].write_data.next =
                self.operand.val().get_bits::<INDEX_BITS>(self.data_at.val().index());
            if self.sweep.busy.val() {
                self.ways[i].write_address.next = self.sweep.bucket.val().get_bits::<BUCKETS_LOG2>(0);
                self.ways[i].write_data.next = self.zero.val();
            }
        }
        // Cycle 4: a way whose tag is right; where both are, they name one list.
        self.is_found.next = false;
        self.found_first.next = 0.into();
        self.found_more.next = 0.into();
        for i in 0..WAYS {
            self.bucket.next = self.ways[i].read_data.val();
            self.tag_is.next = self.bucket.val().get_bits::<TAG_BITS>(self.entry_tag_at.val().index());
            self.class_is.next = self.bucket.val().get_bits::<2>(self.entry_class_at.val().index());
            if self.check3.q.val().hit
                & self.bucket.val().get_bit(0)
                & (self.tag_is.val() == self.tag.q.val())
                & (self.class_is.val() == self.check3.q.val().class)
            {
                self.is_found.next = true;
                self.found_first.next =
                    self.bucket.val().get_bits::<NUMBER_BITS>(self.entry_first_at.val().index());
                self.found_more.next =
                    self.bucket.val().get_bits::<MORE_BITS>(self.entry_more_at.val().index());
            }
        }
        if !self.stall.q.val() {
            self.check1.d.next = self.check.val();
            self.check2.d.next = self.check1.q.val();
            self.check3.d.next = self.check2.q.val();
            self.check4.d.next = self.check3.q.val();
            self.region1.d.next = self.region.val();
            self.region2.d.next = self.region1.q.val();
            self.region3.d.next = self.region2.q.val();
            self.region4.d.next = self.region3.q.val();
            self.hash.d.next = self.sum.val();
            self.tag.d.next = self.hash.q.val().get_bits::<TAG_BITS>(self.tag_at.val().index());
            self.check4.d.next.hit = self.is_found.val();
            self.first4.d.next = self.found_first.val();
            self.more4.d.next = self.found_more.val();
            // Cycle 5: the first pattern.
            self.check5.d.next = self.check4.q.val();
            self.region5.d.next = self.region4.q.val();
            self.first5.d.next = self.first4.q.val();
            self.more5.d.next = 0.into();
            self.stall.d.next = false;
            if self.check4.q.val().valid & self.check4.q.val().hit {
                if self.hurry.val() {
                    self.check5.d.next.overflow = self.check4.q.val().overflow | self.more4.q.val().any();
                } else {
                    self.more5.d.next = self.more4.q.val();
                    self.stall.d.next = self.more4.q.val().any();
                }
            }
        } else {
            // And the others.
            self.first5.d.next = self.first5.q.val() + self.one.val();
            self.more5.d.next = self.more5.q.val() - self.one_more.val();
            self.stall.d.next = self.more5.q.val() != self.one_more.val();
            if self.hurry.val() & (self.more5.q.val() != self.one_more.val()) {
                self.more5.d.next = 0.into();
                self.stall.d.next = false;
                self.check5.d.next.overflow = true;
            }
        }
        self.out_check.next.valid = self.check5.q.val().valid;
        self.out_check.next.hit = self.check5.q.val().hit;
        self.out_check.next.command = self.check5.q.val().command;
        self.out_check.next.end = self.check5.q.val().end & !self.more5.q.val().any();
        self.out_check.next.overflow = self.check5.q.val().overflow;
        self.out_check.next.class = self.check5.q.val().class;
        self.out_check.next.before = self.check5.q.val().before;
        self.out_check.next.after = self.check5.q.val().after;
        self.out_region.next = self.region5.q.val();
        self.number.next = self.first5.q.val();
        self.busy.next = (self.check1.q.val().valid & self.check1.q.val().hit)
            | (self.check2.q.val().valid & self.check2.q.val().hit)
            | (self.check3.q.val().valid & self.check3.q.val().hit)
            | (self.check4.q.val().valid & self.check4.q.val().hit)
            | (self.check5.q.val().valid & self.check5.q.val().hit);
        if self.reset.val() {
            self.check1.d.next.valid = false;
            self.check2.d.next.valid = false;
            self.check3.d.next.valid = false;
            self.check4.d.next.valid = false;
            self.check5.d.next.valid = false;
            self.stall.d.next = false;
        }
    }
}

//! One masked table: a mask, two hashed ways, and an exact comparison of every slot that is read.
//!
//! ```text
//! stage 1  key, mask, write_mask, probing, probe >.-------.
//! stage 2  store, row0, row1, parity ------------>|       |
//! stage 2  write, slots, index, data ------------>| Table |---> found     stage 9
//! stage 4  src, dst, fields, packet ------------->'-------'
//! ```
//!
//! Stage by stage: 1 key AND mask; 2 hash of both ways; 3 bucket read or slot written; 4 and 5 the RAM's own
//! register and one behind it; 5 and 6 comparison; 7 and 8 selection. A command changes the mask in stage 1 and
//! a slot in stage 3, so it counts for every element behind it and for none before it.

use rust_hdl::core::prelude::*;
use rust_hdl::widgets::prelude::*;
use wiresift_abi::geometry::WAYS;

use super::bank::Bank;
use super::compare::Compare;
use super::hash::{Hash, LutMemory, PARTS_MAX};
use super::layout::{Fields, HEAD_BITS, List, MAX_SLOTS};
use super::select::Pick;
use crate::prim::ram::RamStyle;

/// One way: RAM and the registers on both sides.
#[derive(LogicBlock)]
pub struct Way<const SLOT: usize, const LOG2: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Stage 2: bucket of the key.
    pub hash: Signal<In, Bits<LOG2>>,
    /// Stage 2: writes slot `n`.
    pub write: Vec<Signal<In, Bit>>,
    /// Stage 2: any of them.
    pub any: Signal<In, Bit>,
    /// Stage 2: bucket of the write.
    pub index: Signal<In, Bits<LOG2>>,
    /// Stage 3: what is written.
    pub data: Signal<In, Bits<SLOT>>,
    /// Stage 5: the bucket.
    pub slot: Vec<Signal<Out, Bits<SLOT>>>,
    address: DFF<Bits<LOG2>>,
    writes: Vec<DFF<Bit>>,
    bank: Bank<SLOT, LOG2>,
    held: Vec<DFF<Bits<SLOT>>>,
}

impl<const SLOT: usize, const LOG2: usize> Way<SLOT, LOG2> {
    /// A way of `slots` slots a bucket.
    pub fn new(slots: usize, style: RamStyle) -> Self {
        Self {
            clock: Signal::default(),
            hash: Signal::default(),
            write: vec![Signal::default(); slots],
            any: Signal::default(),
            index: Signal::default(),
            data: Signal::default(),
            slot: vec![Signal::default(); slots],
            address: DFF::default(),
            writes: vec![DFF::default(); slots],
            bank: Bank::new(slots, style),
            held: vec![DFF::default(); slots],
        }
    }
}

impl<const SLOT: usize, const LOG2: usize> Logic for Way<SLOT, LOG2> {
    #[hdl_gen]
    fn update(&mut self) {
        self.address.clock.next = self.clock.val();
        self.bank.clock.next = self.clock.val();
        self.address.d.next = self.hash.val();
        if self.any.val() {
            self.address.d.next = self.index.val();
        }
        self.bank.address.next = self.address.q.val();
        self.bank.data.next = self.data.val();
        for i in 0..self.slot.len() {
            self.writes[i].clock.next = self.clock.val();
            self.writes[i].d.next = self.write[i].val();
            self.bank.write[i].next = self.writes[i].q.val();
            self.held[i].clock.next = self.clock.val();
            self.held[i].d.next = self.bank.slot[i].val();
            self.slot[i].next = self.held[i].q.val();
        }
    }
}

/// A table with addresses of `ADDRESS` bits, keys of `HASHED` bits, slots of
/// `SLOT` bits and `1 << LOG2` buckets a way.
#[derive(LogicBlock)]
pub struct Table<const ADDRESS: usize, const HASHED: usize, const SLOT: usize, const LOG2: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Stage 1: hashed bits of the header vector.
    pub key: Signal<In, Bits<HASHED>>,
    /// Stage 1: new mask.
    pub mask: Signal<In, Bits<HASHED>>,
    /// Stage 1: writes it.
    pub write_mask: Signal<In, Bit>,
    /// Stage 1: `probe` takes the place of the masked key.
    pub probing: Signal<In, Bit>,
    /// Stage 1: value for every part of the hash.
    pub probe: Signal<In, Bits<HASHED>>,
    /// Stage 2: the hash stores rows at that value ([`struct@Hash`]).
    pub store: Signal<In, Bit>,
    /// Stage 2: rows of way 0.
    pub row0: Signal<In, Bits<LOG2>>,
    /// Stage 2: rows of way 1.
    pub row1: Signal<In, Bits<LOG2>>,
    /// Stage 2: their parity.
    pub parity: Signal<In, Bits<PARTS_MAX>>,
    /// Stage 2: writes the slots that `slots` names.
    pub write: Signal<In, Bit>,
    /// Stage 2: one bit a slot, way 0 first.
    pub slots: Signal<In, Bits<{ WAYS * MAX_SLOTS }>>,
    /// Stage 2: bucket of the write.
    pub index: Signal<In, Bits<LOG2>>,
    /// Stage 2: what is written.
    pub data: Signal<In, Bits<SLOT>>,
    /// Stage 4: source address.
    pub src: Signal<In, Bits<ADDRESS>>,
    /// Stage 4: destination address.
    pub dst: Signal<In, Bits<ADDRESS>>,
    /// Stage 4: other fields.
    pub fields: Signal<In, Fields>,
    /// Stage 4: there is a packet.
    pub packet: Signal<In, Bit>,
    /// Stage 9: what the table found.
    pub found: Signal<Out, List>,
    held_mask: DFF<Bits<HASHED>>,
    held_key: DFF<Bits<HASHED>>,
    written: DFF<Bits<SLOT>>,
    key_src: DFF<Bits<ADDRESS>>,
    key_dst: DFF<Bits<ADDRESS>>,
    key_fields: DFF<Fields>,
    is_packet: DFF<Bit>,
    hash: Hash<HASHED, LOG2>,
    way0: Way<SLOT, LOG2>,
    way1: Way<SLOT, LOG2>,
    compare: Vec<Compare<ADDRESS>>,
    pick: Pick,
    slot: Vec<Signal<Local, Bits<SLOT>>>,
    any: Signal<Local, Bit>,
    hit: Signal<Local, Bit>,
    src_at: Constant<Bits<16>>,
    dst_at: Constant<Bits<16>>,
}

impl<const ADDRESS: usize, const HASHED: usize, const SLOT: usize, const LOG2: usize>
    Table<ADDRESS, HASHED, SLOT, LOG2>
{
    /// A table of `slots` slots a bucket.
    pub fn new(slots: usize, style: RamStyle, memory: LutMemory) -> Self {
        assert!(SLOT == HEAD_BITS + 2 * ADDRESS && slots <= MAX_SLOTS);
        let candidates = WAYS * slots;
        Self {
            clock: Signal::default(),
            key: Signal::default(),
            mask: Signal::default(),
            write_mask: Signal::default(),
            probing: Signal::default(),
            probe: Signal::default(),
            store: Signal::default(),
            row0: Signal::default(),
            row1: Signal::default(),
            parity: Signal::default(),
            write: Signal::default(),
            slots: Signal::default(),
            index: Signal::default(),
            data: Signal::default(),
            src: Signal::default(),
            dst: Signal::default(),
            fields: Signal::default(),
            packet: Signal::default(),
            found: Signal::default(),
            held_mask: DFF::default(),
            held_key: DFF::default(),
            written: DFF::default(),
            key_src: DFF::default(),
            key_dst: DFF::default(),
            key_fields: DFF::default(),
            is_packet: DFF::default(),
            hash: Hash::new(memory),
            way0: Way::new(slots, style),
            way1: Way::new(slots, style),
            compare: (0..candidates).map(|_| Compare::default()).collect(),
            pick: Pick::new(candidates),
            slot: vec![Signal::default(); candidates],
            any: Signal::default(),
            hit: Signal::default(),
            src_at: Constant::new((HEAD_BITS as u64).to_bits()),
            dst_at: Constant::new(((HEAD_BITS + ADDRESS) as u64).to_bits()),
        }
    }
}

impl<const ADDRESS: usize, const HASHED: usize, const SLOT: usize, const LOG2: usize> Logic
    for Table<ADDRESS, HASHED, SLOT, LOG2>
{
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, held_mask, held_key, written, key_src, key_dst, key_fields, is_packet);
        self.way0.clock.next = self.clock.val();
        self.way1.clock.next = self.clock.val();
        self.pick.clock.next = self.clock.val();
        // Stage 1.
        if self.write_mask.val() {
            self.held_mask.d.next = self.mask.val();
        }
        self.held_key.d.next = self.key.val() & self.held_mask.q.val();
        if self.probing.val() {
            self.held_key.d.next = self.probe.val();
        }
        // Stage 2.
        self.hash.clock.next = self.clock.val();
        self.hash.key.next = self.held_key.q.val();
        self.hash.store.next = self.store.val();
        self.hash.row0.next = self.row0.val();
        self.hash.row1.next = self.row1.val();
        self.hash.parity.next = self.parity.val();
        self.way0.hash.next = self.hash.way0.val();
        self.way1.hash.next = self.hash.way1.val();
        self.way0.index.next = self.index.val();
        self.way1.index.next = self.index.val();
        self.written.d.next = self.data.val();
        for n in (self.way0.slot.len())..(self.way0.slot.len() + 1) {
            self.any.next = false;
            for i in 0..(self.way0.slot.len()) {
                self.hit.next = self.write.val() & self.slots.val().get_bit(i);
                self.way0.write[i].next = self.hit.val();
                self.any.next = self.any.val() | self.hit.val();
            }
            self.way0.any.next = self.any.val();
            self.any.next = false;
            for i in 0..(self.way0.slot.len()) {
                self.hit.next = self.write.val() & self.slots.val().get_bit(n + i);
                self.way1.write[i].next = self.hit.val();
                self.any.next = self.any.val() | self.hit.val();
            }
            self.way1.any.next = self.any.val();
        }
        // Stage 3.
        self.way0.data.next = self.written.q.val();
        self.way1.data.next = self.written.q.val();
        // Stage 4.
        self.key_src.d.next = self.src.val();
        self.key_dst.d.next = self.dst.val();
        self.key_fields.d.next = self.fields.val();
        self.is_packet.d.next = self.packet.val();
        // Stage 5.
        for n in (self.way0.slot.len())..(self.way0.slot.len() + 1) {
            for i in 0..(self.way0.slot.len()) {
                self.slot[i].next = self.way0.slot[i].val();
                self.slot[n + i].next = self.way1.slot[i].val();
            }
        }
        for i in 0..(self.compare.len()) {
            self.compare[i].clock.next = self.clock.val();
            self.compare[i].head.next = self.slot[i].val().get_bits::<HEAD_BITS>(0).into();
            self.compare[i].src.next = self.slot[i].val().get_bits::<ADDRESS>(self.src_at.val().index());
            self.compare[i].dst.next = self.slot[i].val().get_bits::<ADDRESS>(self.dst_at.val().index());
            self.compare[i].key_src.next = self.key_src.q.val();
            self.compare[i].key_dst.next = self.key_dst.q.val();
            self.compare[i].fields.next = self.key_fields.q.val();
            self.compare[i].packet.next = self.is_packet.q.val();
            self.pick.candidate[i].next = self.compare[i].candidate.val();
        }
        self.found.next = self.pick.found.val();
    }
}

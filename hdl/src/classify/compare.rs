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
//! In the first cycle every field gives one bit, an address one for each part of it (the deepest path: [`Prefix`],
//! mask, equality); in the second they come together. [`Ranges`] is the part that TCAM entries share.

use rust_hdl::core::prelude::*;
use rust_hdl::widgets::prelude::*;
use wiresift_abi::entry::{KIND, Kind, SRC_SHIFT};

use super::layout::{Candidate, Compared, Fields, Head};

/// Bits of an address that are joined to one in the first cycle.
const PART_BITS: usize = 16;

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

/// Bits of a shift that say which byte of the address it ends in, and where in the byte.
const BYTE_BITS: usize = SRC_SHIFT.bits - 3;

/// The mask of a prefix from the number of low bits that do not count. No clock.
///
/// A byte of the mask is zero below the byte that the shift ends in, ones above it, and one of eight values in it: a
/// few LUTs deep, where a shifter of the whole width is a tree of multiplexers.
#[derive(LogicBlock)]
pub struct Prefix<const ADDRESS: usize> {
    /// Low bits that do not count.
    pub shift: Signal<In, Bits<{ SRC_SHIFT.bits }>>,
    /// Ones above them; none where the shift is the width or more.
    pub mask: Signal<Out, Bits<ADDRESS>>,
    ones: Signal<Local, Bits<ADDRESS>>,
    high: Signal<Local, Bits<BYTE_BITS>>,
    low: Signal<Local, Bits<3>>,
    border: Signal<Local, Bits<8>>,
    octet: Signal<Local, Bits<8>>,
    above: Signal<Local, Bit>,
    number: Vec<Constant<Bits<BYTE_BITS>>>,
    at: Vec<Constant<Bits<8>>>,
    full: Constant<Bits<8>>,
}

impl<const ADDRESS: usize> Default for Prefix<ADDRESS> {
    fn default() -> Self {
        assert!(ADDRESS.is_multiple_of(8) && ADDRESS < 1 << SRC_SHIFT.bits);
        Self {
            shift: Signal::default(),
            mask: Signal::default(),
            ones: Signal::default(),
            high: Signal::default(),
            low: Signal::default(),
            border: Signal::default(),
            octet: Signal::default(),
            above: Signal::default(),
            number: (0..ADDRESS / 8).map(|n| Constant::new((n as u64).to_bits())).collect(),
            at: (0..ADDRESS / 8).map(|n| Constant::new((8 * n as u64).to_bits())).collect(),
            full: Constant::new(Bits::<8>::mask()),
        }
    }
}

impl<const ADDRESS: usize> Logic for Prefix<ADDRESS> {
    #[hdl_gen]
    fn update(&mut self) {
        self.low.next = self.shift.val().get_bits::<3>(0);
        self.high.next = self.shift.val().get_bits::<BYTE_BITS>(3);
        self.border.next = self.full.val() << self.low.val();
        self.above.next = false;
        self.ones.next = 0.into();
        for i in 0..(self.number.len()) {
            self.octet.next = 0.into();
            if self.above.val() {
                self.octet.next = self.full.val();
            }
            if self.high.val() == self.number[i].val() {
                self.octet.next = self.border.val();
                self.above.next = true;
            }
            self.ones.next = self.ones.val() | (bit_cast::<ADDRESS, 8>(self.octet.val()) << self.at[i].val());
        }
        self.mask.next = self.ones.val();
    }
}

/// Compares slots with addresses of `ADDRESS` bits.
#[derive(LogicBlock)]
pub struct Compare<const ADDRESS: usize> {
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
    src_part: Vec<DFF<Bit>>,
    dst_part: Vec<DFF<Bit>>,
    src_diff: Signal<Local, Bits<ADDRESS>>,
    dst_diff: Signal<Local, Bits<ADDRESS>>,
    hit: Signal<Local, Bit>,
    src_prefix: Prefix<ADDRESS>,
    dst_prefix: Prefix<ADDRESS>,
    same: Constant<Bits<PART_BITS>>,
    at: Vec<Constant<Bits<8>>>,
    limit: Constant<Bits<{ SRC_SHIFT.bits }>>,
    acl: Constant<Bits<{ KIND.bits }>>,
    signature: Constant<Bits<{ KIND.bits }>>,
}

impl<const ADDRESS: usize> Default for Compare<ADDRESS> {
    fn default() -> Self {
        assert!(ADDRESS.is_multiple_of(PART_BITS));
        assert!((ADDRESS as u64) < 1 << SRC_SHIFT.bits);
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
            src_part: vec![DFF::default(); ADDRESS / PART_BITS],
            dst_part: vec![DFF::default(); ADDRESS / PART_BITS],
            src_diff: Signal::default(),
            dst_diff: Signal::default(),
            hit: Signal::default(),
            src_prefix: Prefix::default(),
            dst_prefix: Prefix::default(),
            same: Constant::new(0.into()),
            at: (0..ADDRESS / PART_BITS).map(|n| Constant::new(((n * PART_BITS) as u64).to_bits())).collect(),
            limit: Constant::new((ADDRESS as u64).to_bits()),
            acl: Constant::new((Kind::Acl as u64).to_bits()),
            signature: Constant::new((Kind::Signature as u64).to_bits()),
        }
    }
}

impl<const ADDRESS: usize> Logic for Compare<ADDRESS> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, compared, held);
        self.ranges.head.next = self.head.val();
        self.ranges.fields.next = self.fields.val();
        self.src_prefix.shift.next = self.head.val().src_shift;
        self.dst_prefix.shift.next = self.head.val().dst_shift;
        self.src_diff.next = (self.key_src.val() & self.src_prefix.mask.val()) ^ self.src.val();
        self.dst_diff.next = (self.key_dst.val() & self.dst_prefix.mask.val()) ^ self.dst.val();
        for i in 0..(self.src_part.len()) {
            self.src_part[i].clock.next = self.clock.val();
            self.dst_part[i].clock.next = self.clock.val();
            self.src_part[i].d.next =
                self.src_diff.val().get_bits::<PART_BITS>(self.at[i].val().index()) == self.same.val();
            self.dst_part[i].d.next =
                self.dst_diff.val().get_bits::<PART_BITS>(self.at[i].val().index()) == self.same.val();
        }
        self.compared.d.next.shifts =
            (self.head.val().src_shift <= self.limit.val()) & (self.head.val().dst_shift <= self.limit.val());
        self.compared.d.next.ternary = ((self.fields.val().proto & self.head.val().proto_mask)
            == self.head.val().proto)
            & ((self.fields.val().class & self.head.val().class_mask) == self.head.val().class)
            & ((self.fields.val().aux & self.head.val().aux_mask) == self.head.val().aux);
        self.compared.d.next.inside = self.ranges.in_range.val();
        self.compared.d.next.packet = self.packet.val();
        self.compared.d.next.kind = self.head.val().kind;
        self.compared.d.next.id = self.head.val().id;

        self.hit.next = self.compared.q.val().shifts
            & self.compared.q.val().ternary
            & self.compared.q.val().inside
            & self.compared.q.val().packet;
        for i in 0..(self.src_part.len()) {
            self.hit.next = self.hit.val() & self.src_part[i].q.val() & self.dst_part[i].q.val();
        }
        self.held.d.next.acl = self.hit.val() & (self.compared.q.val().kind == self.acl.val());
        self.held.d.next.signature = self.hit.val() & (self.compared.q.val().kind == self.signature.val());
        self.held.d.next.id = self.compared.q.val().id;
        self.candidate.next = self.held.q.val();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use rand::Rng;
    use rand::seq::IndexedRandom;
    use rand_chacha::ChaCha8Rng;
    use wiresift_abi::bits::{Field, Line};
    use wiresift_abi::entry::{DST_SHIFT, Entry, NARROW_DST, NARROW_SRC, SRC_SHIFT, WIDE_DST, WIDE_SRC};
    use wiresift_abi::vector::{DST, SPORT, SRC};

    use super::super::layout::{FIELDS_BITS, HEAD_BITS};
    use super::super::testing::{Pipe, bits_of, entry_for, near, random_id, random_vector};
    use super::*;
    use crate::gate::passes;

    /// The part of a line from bit `lsb` up, at most 128 bits.
    fn part<const N: usize>(line: &Line, lsb: usize) -> Bits<N> {
        if N <= 32 {
            return (line.get(Field::new("part", lsb, N)) as u64).to_bits();
        }
        bits_of(&Line::default().with(Field::new("part", 0, N), line.get(Field::new("part", lsb, N))))
    }

    /// A matching slot with source shift `shift`, and a vector that differs from it in nothing, in the
    /// highest bit that does not count, or in the lowest that does.
    fn boundary(narrow: bool, cycle: usize, rng: &mut ChaCha8Rng) -> (Line, Line) {
        let width = if narrow { 32 } else { 128 };
        let shift = cycle / 6;
        let (address, field) = if cycle.is_multiple_of(2) { (SRC, SRC_SHIFT) } else { (DST, DST_SHIFT) };
        let vector = random_vector(rng).with(address, rng.random());
        let mut entry = entry_for(&vector, width as u32, Kind::Acl, 1, rng);
        let mask = u128::MAX.checked_shl((shift + 128 - width) as u32).unwrap_or(0);
        let ternary = if address == SRC { &mut entry.src } else { &mut entry.dst };
        ternary.mask = mask;
        ternary.value = vector.get(address) & mask;
        let slot = if narrow { entry.to_narrow() } else { entry.to_wide() }.unwrap();
        assert_eq!(slot.get(field), shift as u128);
        let low = 128 - width + shift;
        let flipped = match cycle / 2 % 3 {
            1 if shift > 0 => 1u128 << (low - 1),
            2 if shift < width => 1 << low,
            _ => 0,
        };
        (slot, vector.with(address, vector.get(address) ^ flipped))
    }

    /// A slot and a vector that match or nearly do.
    fn random(narrow: bool, rng: &mut ChaCha8Rng) -> (Line, Line) {
        let width = if narrow { 32 } else { 128 };
        let vector = random_vector(rng);
        let kind = *[Kind::Acl, Kind::Signature].choose(rng).unwrap();
        let id = random_id(rng);
        let entry = entry_for(&vector, width, kind, id, rng);
        let mut slot = if narrow { entry.to_narrow() } else { entry.to_wide() }.unwrap();
        match rng.random_range(0..8) {
            0 => slot.set(KIND, rng.random_range(0..4)),
            1 => slot.set(SRC_SHIFT, rng.random_range(u128::from(width) - 1..256)),
            2 => slot.set(DST_SHIFT, rng.random_range(u128::from(width) - 1..256)),
            3 => {
                let bit = rng.random_range(0..if narrow { NARROW_DST.end() } else { WIDE_DST.end() });
                slot.0[bit / 8] ^= 1 << (bit % 8);
            }
            _ => {}
        }
        (slot, near(&vector, rng))
    }

    fn agrees_with_the_contract<const ADDRESS: usize>(name: &str) {
        let narrow = ADDRESS == 32;
        let (slot_src, slot_dst) = if narrow { (NARROW_SRC, NARROW_DST) } else { (WIDE_SRC, WIDE_DST) };
        let mut pipe = Pipe::new(2);
        let (mut hits, mut misses) = (0, 0);
        passes(name, Compare::<ADDRESS>::default, 4000, 3, |uut, rng, cycle| {
            let (slot, vector) =
                if cycle < 6 * (ADDRESS + 1) { boundary(narrow, cycle, rng) } else { random(narrow, rng) };
            let packet = rng.random_bool(0.9);
            let kind = Entry::from_slot(&slot, narrow)
                .filter(|entry| packet && entry.matches(&vector))
                .map(|entry| entry.kind);
            *if kind.is_some() { &mut hits } else { &mut misses } += 1;
            let expected = Candidate {
                acl: kind == Some(Kind::Acl),
                signature: kind == Some(Kind::Signature),
                id: (slot.get(wiresift_abi::entry::ID) as u64).to_bits(),
            };
            if let Some(expected) = pipe.shift(expected) {
                assert_eq!(uut.candidate.val(), expected, "cycle {cycle}");
            }
            uut.head.next = bits_of::<HEAD_BITS>(&slot).into();
            uut.src.next = part(&slot, slot_src.lsb);
            uut.dst.next = part(&slot, slot_dst.lsb);
            uut.key_src.next = part(&vector, SRC.end() - ADDRESS);
            uut.key_dst.next = part(&vector, DST.end() - ADDRESS);
            uut.fields.next = part::<FIELDS_BITS>(&vector, SPORT.lsb).into();
            uut.packet.next = packet;
        });
        assert!(hits > 1000 && misses > 1000, "{hits} {misses}");
    }

    #[test]
    fn narrow_slots_match_as_the_contract_says() {
        agrees_with_the_contract::<32>("compare_narrow");
    }

    #[test]
    fn wide_slots_match_as_the_contract_says() {
        agrees_with_the_contract::<128>("compare_wide");
    }
}

//! Lets a pattern pass where the packet satisfies the header of one of its rules.
//!
//! ```text
//! vector_valid, vector_line ------------>.---------.
//! valid, hit, is_end, overflow, number ->| Headers |---> out_valid, out_hit, out_is_end, out_overflow, out_number
//! header_list -------------------------->|         |     five cycles later
//! command, operand --------------------->'---------'
//! ```
//!
//! The header vectors of the packets inside the matcher are kept in a ring. A pattern names a header list
//! ([`wiresift_abi::payload::headers`]), whose headers are all compared at once, so this takes one cycle whatever the list:
//! nothing waits here, and nothing is flagged. Five cycles: list and vector are read, held, compared in two, and joined.
//!
//! A vector must be there one cycle before the first pattern of its packet ([`super::issue`] sees to it). A command writes
//! half of a header; when it comes no pattern is in front of the read.

use rust_hdl::core::prelude::*;
use rust_hdl::widgets::prelude::*;
use wiresift_abi::bits::LINE_BITS;
use wiresift_abi::command::{DATA_LSB, INDEX, OPCODE, Opcode, SLOT};
use wiresift_abi::entry::{KIND, Kind, NARROW_BITS, NARROW_DST, NARROW_SRC};
use wiresift_abi::geometry::Geometry;
use wiresift_abi::payload::header_list_field;
use wiresift_abi::payload::headers::{HEADER_HALF_BITS, HEADER_LSB};
use wiresift_abi::vector::{DST, SPORT, SRC};

use super::lookup::NUMBER_BITS;
use crate::classify::compare::Compare;
use crate::classify::layout::{Candidate, FIELDS_BITS, HEAD_BITS};
use crate::prim::ram::{Ram, RamStyle};

/// Bits of an address in a header.
const ADDRESS_BITS: usize = NARROW_SRC.bits;
/// Bits of a header vector that headers ask for: the fields, then both addresses.
const VECTOR_BITS: usize = FIELDS_BITS + 2 * ADDRESS_BITS;

type Number = Constant<Bits<16>>;

/// What the comparison in front says.
#[derive(Clone, Copy, Debug, Default, PartialEq, LogicStruct)]
struct Found {
    /// There is something at all.
    valid: Bit,
    /// It is a pattern.
    hit: Bit,
    /// Nothing of the element follows.
    is_end: Bit,
    /// Windows of the element were dropped.
    overflow: Bit,
    /// It has no list.
    is_free: Bit,
    /// The pattern.
    number: Bits<NUMBER_BITS>,
}

/// `1 << LISTS_LOG2` header lists, and vectors of `1 << FLIGHT_LOG2` elements.
#[derive(LogicBlock)]
pub struct Headers<
    const OPERAND_BITS: usize,
    const HEADER_LIST_BITS: usize,
    const LISTS_LOG2: usize,
    const FLIGHT_LOG2: usize,
> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous, active high: forgets the elements inside.
    pub reset: Signal<In, Bit>,
    /// The header vector of the next element.
    pub vector_valid: Signal<In, Bit>,
    /// It; of a command, its line.
    pub vector_line: Signal<In, Bits<LINE_BITS>>,
    /// There is something of an element.
    pub valid: Signal<In, Bit>,
    /// A pattern.
    pub hit: Signal<In, Bit>,
    /// Nothing of the element follows.
    pub is_end: Signal<In, Bit>,
    /// Windows of the element were dropped.
    pub overflow: Signal<In, Bit>,
    /// The pattern.
    pub number: Signal<In, Bits<NUMBER_BITS>>,
    /// Its header list.
    pub header_list: Signal<In, Bits<HEADER_LIST_BITS>>,
    /// There is a command.
    pub command: Signal<In, Bit>,
    /// Its line.
    pub operand: Signal<In, Bits<OPERAND_BITS>>,
    /// There is something of an element.
    pub out_valid: Signal<Out, Bit>,
    /// A pattern, and a header of its list is satisfied.
    pub out_hit: Signal<Out, Bit>,
    /// Nothing of the element follows.
    pub out_is_end: Signal<Out, Bit>,
    /// Windows of the element were dropped.
    pub out_overflow: Signal<Out, Bit>,
    /// The pattern.
    pub out_number: Signal<Out, Bits<NUMBER_BITS>>,
    vectors: Ram<VECTOR_BITS, FLIGHT_LOG2>,
    /// Two halves of each header of a list.
    halves: Vec<Ram<HEADER_HALF_BITS, LISTS_LOG2>>,
    compare: Vec<Compare<ADDRESS_BITS>>,
    enters: DFF<Bits<FLIGHT_LOG2>>,
    leaves: DFF<Bits<FLIGHT_LOG2>>,
    found1: DFF<Found>,
    found2: DFF<Found>,
    found3: DFF<Found>,
    found4: DFF<Found>,
    found5: DFF<Found>,
    vector2: DFF<Bits<VECTOR_BITS>>,
    half2: Vec<DFF<Bits<HEADER_HALF_BITS>>>,
    low_half: Signal<Local, Bits<HEADER_HALF_BITS>>,
    high_half: Signal<Local, Bits<HEADER_HALF_BITS>>,
    header: Signal<Local, Bits<NARROW_BITS>>,
    candidate: Signal<Local, Candidate>,
    holds: Signal<Local, Bit>,
    opcode: Signal<Local, Bits<8>>,
    slot: Signal<Local, Bits<8>>,
    index: Signal<Local, Bits<16>>,
    above: Signal<Local, Bits<16>>,
    writes: Signal<Local, Bit>,
    one: Constant<Bits<FLIGHT_LOG2>>,
    signature: Constant<Bits<NARROW_BITS>>,
    is_packet: Constant<Bit>,
    op_header: Constant<Bits<8>>,
    slot_numbers: Vec<Constant<Bits<8>>>,
    opcode_at: Number,
    slot_at: Number,
    index_at: Number,
    data_at: Number,
    lists_log2: Number,
    low_at: Number,
    high_at: Number,
    header_src_at: Number,
    header_dst_at: Number,
    line_src_at: Number,
    line_dst_at: Number,
    line_fields_at: Number,
    src_at: Number,
    dst_at: Number,
}

impl<
    const OPERAND_BITS: usize,
    const HEADER_LIST_BITS: usize,
    const LISTS_LOG2: usize,
    const FLIGHT_LOG2: usize,
> Headers<OPERAND_BITS, HEADER_LIST_BITS, LISTS_LOG2, FLIGHT_LOG2>
{
    /// For a geometry; the lists lie in RAM of that style.
    ///
    /// # Panics
    /// Where the parameters are not those of the geometry.
    pub fn new(geometry: &Geometry, style: RamStyle) -> Self {
        let sizes = &geometry.payload;
        assert!(HEADER_LIST_BITS == header_list_field(sizes).bits && HEADER_LIST_BITS >= LISTS_LOG2);
        assert!(
            LISTS_LOG2 == sizes.header_lists_log2 as usize && 1 << FLIGHT_LOG2 == geometry.packets_in_flight
        );
        assert!(OPERAND_BITS >= DATA_LSB + HEADER_HALF_BITS);
        let number = |n: usize| Constant::new((n as u64).to_bits());
        let count = sizes.headers_a_list;
        Self {
            clock: Signal::default(),
            reset: Signal::default(),
            vector_valid: Signal::default(),
            vector_line: Signal::default(),
            valid: Signal::default(),
            hit: Signal::default(),
            is_end: Signal::default(),
            overflow: Signal::default(),
            number: Signal::default(),
            header_list: Signal::default(),
            command: Signal::default(),
            operand: Signal::default(),
            out_valid: Signal::default(),
            out_hit: Signal::default(),
            out_is_end: Signal::default(),
            out_overflow: Signal::default(),
            out_number: Signal::default(),
            vectors: Ram::without_collisions(RamStyle::Distributed),
            halves: (0..2 * count).map(|_| Ram::without_collisions(style)).collect(),
            compare: (0..count).map(|_| Compare::default()).collect(),
            enters: DFF::default(),
            leaves: DFF::default(),
            found1: DFF::default(),
            found2: DFF::default(),
            found3: DFF::default(),
            found4: DFF::default(),
            found5: DFF::default(),
            vector2: DFF::default(),
            half2: vec![DFF::default(); 2 * count],
            low_half: Signal::default(),
            high_half: Signal::default(),
            header: Signal::default(),
            candidate: Signal::default(),
            holds: Signal::default(),
            opcode: Signal::default(),
            slot: Signal::default(),
            index: Signal::default(),
            above: Signal::default(),
            writes: Signal::default(),
            one: Constant::new(1u64.to_bits()),
            signature: Constant::new((0..KIND.bits).fold(Bits::<NARROW_BITS>::default(), |bits, n| {
                bits.replace_bit(KIND.lsb + n, Kind::Signature as u64 >> n & 1 == 1)
            })),
            is_packet: Constant::new(true),
            op_header: Constant::new((Opcode::WriteHeader as u64).to_bits()),
            slot_numbers: (0..2 * count as u64).map(|n| Constant::new(n.to_bits())).collect(),
            opcode_at: number(OPCODE.lsb),
            slot_at: number(SLOT.lsb),
            index_at: number(INDEX.lsb),
            data_at: number(DATA_LSB),
            lists_log2: number(LISTS_LOG2),
            low_at: number(HEADER_LSB),
            high_at: number(HEADER_LSB + HEADER_HALF_BITS),
            header_src_at: number(NARROW_SRC.lsb),
            header_dst_at: number(NARROW_DST.lsb),
            line_src_at: number(SRC.end() - ADDRESS_BITS),
            line_dst_at: number(DST.end() - ADDRESS_BITS),
            line_fields_at: number(SPORT.lsb),
            src_at: number(FIELDS_BITS),
            dst_at: number(FIELDS_BITS + ADDRESS_BITS),
        }
    }
}

impl<
    const OPERAND_BITS: usize,
    const HEADER_LIST_BITS: usize,
    const LISTS_LOG2: usize,
    const FLIGHT_LOG2: usize,
> Logic for Headers<OPERAND_BITS, HEADER_LIST_BITS, LISTS_LOG2, FLIGHT_LOG2>
{
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, enters, leaves, found1, found2, found3, found4, found5, vector2);
        self.vectors.clock.next = self.clock.val();
        // Vectors, in order of the elements.
        self.vectors.write_enable.next = self.vector_valid.val();
        self.vectors.write_address.next = self.enters.q.val();
        self.vectors.write_data.next = bit_cast::<VECTOR_BITS, FIELDS_BITS>(
            self.vector_line.val().get_bits::<FIELDS_BITS>(self.line_fields_at.val().index()),
        ) | (bit_cast::<VECTOR_BITS, ADDRESS_BITS>(
            self.vector_line.val().get_bits::<ADDRESS_BITS>(self.line_src_at.val().index()),
        ) << self.src_at.val())
            | (bit_cast::<VECTOR_BITS, ADDRESS_BITS>(
                self.vector_line.val().get_bits::<ADDRESS_BITS>(self.line_dst_at.val().index()),
            ) << self.dst_at.val());
        if self.vector_valid.val() {
            self.enters.d.next = self.enters.q.val() + self.one.val();
        }
        // Commands.
        self.opcode.next = self.operand.val().get_bits::<8>(self.opcode_at.val().index());
        self.slot.next = self.operand.val().get_bits::<8>(self.slot_at.val().index());
        self.index.next = self.operand.val().get_bits::<16>(self.index_at.val().index());
        self.above.next = self.index.val() >> self.lists_log2.val();
        self.writes.next =
            self.command.val() & (self.opcode.val() == self.op_header.val()) & !self.above.val().any();
        // Cycle 1: list and vector are read.
        self.vectors.read_enable.next = self.valid.val() & self.hit.val();
        self.vectors.read_address.next = self.leaves.q.val();
        if self.valid.val() & self.is_end.val() {
            self.leaves.d.next = self.leaves.q.val() + self.one.val();
        }
        for i in 0..(self.halves.len()) {
            self.halves[i].clock.next = self.clock.val();
            self.halves[i].read_enable.next = self.valid.val() & self.hit.val();
            self.halves[i].read_address.next = self.header_list.val().get_bits::<LISTS_LOG2>(0);
            self.halves[i].write_enable.next =
                self.writes.val() & (self.slot.val() == self.slot_numbers[i].val());
            self.halves[i].write_address.next = self.index.val().get_bits::<LISTS_LOG2>(0);
            self.halves[i].write_data.next =
                self.operand.val().get_bits::<HEADER_HALF_BITS>(self.data_at.val().index());
        }
        self.found1.d.next.valid = self.valid.val();
        self.found1.d.next.hit = self.hit.val();
        self.found1.d.next.is_end = self.is_end.val();
        self.found1.d.next.overflow = self.overflow.val();
        self.found1.d.next.is_free = !self.header_list.val().any();
        self.found1.d.next.number = self.number.val();
        // Cycle 2: both are held.
        self.found2.d.next = self.found1.q.val();
        self.vector2.d.next = self.vectors.read_data.val();
        for i in 0..(self.half2.len()) {
            self.half2[i].clock.next = self.clock.val();
            self.half2[i].d.next = self.halves[i].read_data.val();
        }
        // Cycles 3 and 4: every header is compared.
        self.found3.d.next = self.found2.q.val();
        self.found4.d.next = self.found3.q.val();
        self.holds.next = self.found4.q.val().is_free;
        for i in 0..(self.compare.len()) {
            self.low_half.next = self.half2[2 * i].q.val();
            self.high_half.next = self.half2[2 * i + 1].q.val();
            self.header.next = (bit_cast::<NARROW_BITS, HEADER_HALF_BITS>(self.low_half.val())
                << self.low_at.val())
                | (bit_cast::<NARROW_BITS, HEADER_HALF_BITS>(self.high_half.val()) << self.high_at.val())
                | self.signature.val();
            self.compare[i].clock.next = self.clock.val();
            self.compare[i].head.next = self.header.val().get_bits::<HEAD_BITS>(0).into();
            self.compare[i].src.next =
                self.header.val().get_bits::<ADDRESS_BITS>(self.header_src_at.val().index());
            self.compare[i].dst.next =
                self.header.val().get_bits::<ADDRESS_BITS>(self.header_dst_at.val().index());
            self.compare[i].key_src.next =
                self.vector2.q.val().get_bits::<ADDRESS_BITS>(self.src_at.val().index());
            self.compare[i].key_dst.next =
                self.vector2.q.val().get_bits::<ADDRESS_BITS>(self.dst_at.val().index());
            self.compare[i].fields.next = self.vector2.q.val().get_bits::<FIELDS_BITS>(0).into();
            self.compare[i].packet.next = self.is_packet.val();
            self.candidate.next = self.compare[i].candidate.val();
            self.holds.next = self.holds.val() | self.candidate.val().signature;
        }
        // Cycle 5: one of them is satisfied.
        self.found5.d.next = self.found4.q.val();
        self.found5.d.next.hit = self.found4.q.val().hit & self.holds.val();
        self.out_valid.next = self.found5.q.val().valid;
        self.out_hit.next = self.found5.q.val().hit;
        self.out_is_end.next = self.found5.q.val().is_end;
        self.out_overflow.next = self.found5.q.val().overflow;
        self.out_number.next = self.found5.q.val().number;
        if self.reset.val() {
            self.enters.d.next = 0.into();
            self.leaves.d.next = 0.into();
            self.found1.d.next.valid = false;
            self.found2.d.next.valid = false;
            self.found3.d.next.valid = false;
            self.found4.d.next.valid = false;
            self.found5.d.next.valid = false;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::collections::VecDeque;

    use rand::Rng;
    use rand::seq::IndexedRandom;
    use wiresift_abi::bits::Line;
    use wiresift_abi::command::Command;
    use wiresift_abi::geometry::{LAB, LINE};
    use wiresift_abi::payload::headers::{Header, HeaderLists};

    use super::super::testing::{Pipe, bits_of_bytes};
    use super::*;
    use crate::classify::testing::{entry_for, near, random_vector};
    use crate::gate::passes;

    fn gate<const O: usize, const B: usize, const L: usize, const F: usize>(
        name: &str,
        geometry: &'static Geometry,
        style: RamStyle,
        cycles: usize,
    ) {
        let most = geometry.payload.headers_a_list;
        let mut lists = HeaderLists::empty(geometry);
        let mut stored: Vec<(u16, Vec<Header>)> = Vec::new();
        let mut commands: VecDeque<Command> = VecDeque::new();
        // Vectors that lists were made from, and those of the elements inside.
        let mut known: Vec<Line> = Vec::new();
        let mut inside: VecDeque<Line> = VecDeque::new();
        let mut fresh_vector: Option<Line> = None;
        let mut pipe = Pipe::new(4);
        let mut expected: Option<(bool, bool, bool, u64)> = None;
        let (mut passed, mut stopped, mut free, mut wraps) = (0, 0, 0, 0);
        let make = || Headers::<O, B, L, F>::new(geometry, style);
        passes(name, make, cycles, 5, |uut, rng, cycle| {
            if cycle > 5 {
                assert_eq!(uut.out_valid.val(), expected.is_some(), "cycle {cycle}");
            }
            if let Some((hit, is_end, overflow, number)) = expected.take() {
                assert_eq!(uut.out_hit.val(), hit, "cycle {cycle}");
                assert_eq!((uut.out_is_end.val(), uut.out_overflow.val()), (is_end, overflow));
                assert_eq!(uut.out_number.val().index() as u64, number);
            }
            uut.reset.next = cycle == 0;
            inside.extend(fresh_vector.take());
            // New lists come in the course of the run; those that patterns name are not written.
            if commands.is_empty() && stored.len() < 20 && cycle % 40 == 1 {
                let wanted: Vec<Header> = (0..rng.random_range(1..=most))
                    .map(|_| {
                        let vector = random_vector(rng);
                        known.push(vector);
                        Header::of(&entry_for(&vector, 32, Kind::Signature, 5, rng)).unwrap()
                    })
                    .collect();
                let mut all: Vec<Vec<Header>> = stored.iter().map(|(_, list)| list.clone()).collect();
                all.push(wanted.clone());
                let (next, numbers) = lists.next(&all);
                commands.extend(next.changes(&lists));
                lists = next;
                stored.push((*numbers.last().unwrap(), wanted));
            }
            let usable = if commands.is_empty() { &stored[..] } else { &stored[..stored.len() - 1] };
            uut.command.next = false;
            uut.valid.next = false;
            if rng.random_bool(0.3)
                && let Some(command) = commands.pop_front()
            {
                uut.command.next = true;
                uut.operand.next = bits_of_bytes(&command.to_line().0[..O / 8]);
            } else if let (true, Some(vector)) = (rng.random_bool(0.8), inside.front()) {
                let hit = rng.random_bool(0.8);
                let (is_end, overflow) = (rng.random_bool(0.5), rng.random_bool(0.1));
                let number = rng.random_range(0..1u64 << NUMBER_BITS);
                let (list, holds) = match usable.choose(rng) {
                    Some((list, headers)) if rng.random_bool(0.9) => {
                        (*list, headers.iter().any(|header| header.matches(vector)))
                    }
                    _ => (0, true),
                };
                uut.valid.next = true;
                uut.hit.next = hit;
                uut.is_end.next = is_end;
                uut.overflow.next = overflow;
                uut.number.next = number.to_bits();
                uut.header_list.next = u64::from(list).to_bits();
                match (hit, list, holds) {
                    (true, 0, _) => free += 1,
                    (true, _, true) => passed += 1,
                    (true, ..) => stopped += 1,
                    _ => {}
                }
                expected = pipe.shift(Some((hit && holds, is_end, overflow, number))).flatten();
                if is_end {
                    inside.pop_front();
                }
            }
            if !uut.valid.next {
                expected = pipe.shift(None).flatten();
            }
            uut.vector_valid.next = false;
            let ahead = if cycle % 1000 < 500 { 3 } else { (1 << F) - 1 };
            if cycle > 0 && inside.len() < ahead && rng.random_bool(0.6) {
                let vector = match known.choose(rng) {
                    Some(vector) if rng.random_bool(0.9) => near(vector, rng),
                    _ => random_vector(rng),
                };
                uut.vector_valid.next = true;
                uut.vector_line.next = bits_of_bytes(&vector.0);
                fresh_vector = Some(vector);
                wraps += 1;
            }
        });
        println!("{name}: {passed} passed, {stopped} stopped, {free} without a list, {wraps} vectors");
        assert!(passed > cycles / 50 && stopped > cycles / 10 && free > cycles / 30 && wraps > 2 << F);
    }

    #[test]
    fn a_pattern_passes_where_a_header_of_its_list_holds() {
        gate::<256, 8, 8, 6>("payload_headers_lab", &LAB, RamStyle::Block, 4000);
        gate::<424, 16, 12, 7>("payload_headers_line", &LINE, RamStyle::Block, 2400);
    }
}

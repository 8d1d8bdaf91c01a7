//! Compares a region with a pattern, byte by byte.
//!
//! ```text
//! check, region, number --->.---------.---> valid, hit, end, overflow, out_number, header_list
//! command, operand -------->| Compare |     three cycles later
//!                           '---------'---> busy
//! ```
//!
//! Three cycles: the pattern is read, bytes are compared, and all of them have to be right. A byte that the packet
//! does not have is none. A command writes a pattern; when it comes none is being read.

use rust_hdl::core::prelude::*;
use rust_hdl::widgets::prelude::*;
use wiresift_abi::command::{DATA_LSB, INDEX, OPCODE, Opcode};
use wiresift_abi::geometry::Geometry;
use wiresift_abi::payload::{MODE_BITS, Mode, header_list_field, pattern_bits};

use super::layout::{Check, SIDE_BITS};
use super::lookup::NUMBER_BITS;
use crate::prim::ram::{Ram, RamStyle};

type Number = Constant<Bits<16>>;

/// Patterns of `PATTERN_BITS` bits, `1 << PATTERNS_LOG2` of them, for regions of `BYTES` bytes.
#[derive(LogicBlock)]
pub struct Compare<
    const BYTES: usize,
    const REGION_BITS: usize,
    const OPERAND_BITS: usize,
    const PATTERN_BITS: usize,
    const PATTERNS_LOG2: usize,
    const HEADER_LIST_BITS: usize,
> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous, active high.
    pub reset: Signal<In, Bit>,
    /// What is to be compared.
    pub check: Signal<In, Check>,
    /// Its region.
    pub region: Signal<In, Bits<REGION_BITS>>,
    /// The pattern.
    pub number: Signal<In, Bits<NUMBER_BITS>>,
    /// There is a command.
    pub command: Signal<In, Bit>,
    /// Its line.
    pub operand: Signal<In, Bits<OPERAND_BITS>>,
    /// There was something to compare.
    pub valid: Signal<Out, Bit>,
    /// The pattern is there.
    pub hit: Signal<Out, Bit>,
    /// Nothing of the element follows.
    pub is_end: Signal<Out, Bit>,
    /// Windows of the element were dropped.
    pub overflow: Signal<Out, Bit>,
    /// The pattern.
    pub out_number: Signal<Out, Bits<NUMBER_BITS>>,
    /// Number of its header list.
    pub header_list: Signal<Out, Bits<HEADER_LIST_BITS>>,
    /// A window is in here.
    pub busy: Signal<Out, Bit>,
    patterns: Ram<PATTERN_BITS, PATTERNS_LOG2>,
    check1: DFF<Check>,
    check2: DFF<Check>,
    check3: DFF<Check>,
    region1: DFF<Bits<REGION_BITS>>,
    number1: DFF<Bits<NUMBER_BITS>>,
    number2: DFF<Bits<NUMBER_BITS>>,
    number3: DFF<Bits<NUMBER_BITS>>,
    list2: DFF<Bits<HEADER_LIST_BITS>>,
    list3: DFF<Bits<HEADER_LIST_BITS>>,
    right: DFF<Bits<BYTES>>,
    octet: Signal<Local, Bits<8>>,
    mode: Signal<Local, Bits<MODE_BITS>>,
    has: Signal<Local, Bit>,
    all: Signal<Local, Bits<BYTES>>,
    opcode: Signal<Local, Bits<8>>,
    index: Signal<Local, Bits<16>>,
    opcode_at: Number,
    index_at: Number,
    data_at: Number,
    op_pattern: Constant<Bits<8>>,
    last_pattern: Number,
    modes_at: Vec<Number>,
    list_at: Number,
    from_end: Vec<Constant<Bits<SIDE_BITS>>>,
    is_inside: Constant<Bits<BYTES>>,
    any: Constant<Bits<MODE_BITS>>,
    exact: Constant<Bits<MODE_BITS>>,
    no_case: Constant<Bits<MODE_BITS>>,
    letters: Constant<Bits<8>>,
}

impl<
    const BYTES: usize,
    const REGION_BITS: usize,
    const OPERAND_BITS: usize,
    const PATTERN_BITS: usize,
    const PATTERNS_LOG2: usize,
    const HEADER_LIST_BITS: usize,
> Compare<BYTES, REGION_BITS, OPERAND_BITS, PATTERN_BITS, PATTERNS_LOG2, HEADER_LIST_BITS>
{
    /// For a geometry; the RAM has that style.
    ///
    /// # Panics
    /// Where the parameters are not those of the geometry.
    pub fn new(geometry: &Geometry, style: RamStyle) -> Self {
        let sizes = &geometry.payload;
        assert!(
            BYTES == sizes.region_bytes && REGION_BITS == 8 * BYTES && PATTERN_BITS == pattern_bits(sizes)
        );
        assert!(HEADER_LIST_BITS == header_list_field(sizes).bits);
        assert!(PATTERNS_LOG2 == sizes.patterns_log2 as usize && OPERAND_BITS == DATA_LSB + PATTERN_BITS);
        let inside = sizes.region_bytes - sizes.region_after;
        let number = |n: usize| Constant::new((n as u64).to_bits());
        // Bytes of the packet that there must be on its side of the window's end for a byte to be one of them.
        let from_end = |at: usize| if at < inside { inside - at } else { at - inside + 1 };
        Self {
            clock: Signal::default(),
            reset: Signal::default(),
            check: Signal::default(),
            region: Signal::default(),
            number: Signal::default(),
            command: Signal::default(),
            operand: Signal::default(),
            valid: Signal::default(),
            hit: Signal::default(),
            is_end: Signal::default(),
            overflow: Signal::default(),
            out_number: Signal::default(),
            header_list: Signal::default(),
            busy: Signal::default(),
            patterns: Ram::without_collisions(style),
            check1: DFF::default(),
            check2: DFF::default(),
            check3: DFF::default(),
            region1: DFF::default(),
            number1: DFF::default(),
            number2: DFF::default(),
            number3: DFF::default(),
            list2: DFF::default(),
            list3: DFF::default(),
            right: DFF::default(),
            octet: Signal::default(),
            mode: Signal::default(),
            has: Signal::default(),
            all: Signal::default(),
            opcode: Signal::default(),
            index: Signal::default(),
            opcode_at: number(OPCODE.lsb),
            index_at: number(INDEX.lsb),
            data_at: number(DATA_LSB),
            op_pattern: Constant::new((Opcode::WritePattern as u64).to_bits()),
            last_pattern: number((1 << PATTERNS_LOG2) - 1),
            modes_at: (0..BYTES).map(|n| number(REGION_BITS + MODE_BITS * n)).collect(),
            list_at: number(header_list_field(sizes).lsb),
            from_end: (0..BYTES).map(|at| Constant::new((from_end(at) as u64).to_bits())).collect(),
            is_inside: Constant::new(
                (0..inside).fold(Bits::<BYTES>::default(), |bits, at| bits.replace_bit(at, true)),
            ),
            any: Constant::new((Mode::Any as u64).to_bits()),
            exact: Constant::new((Mode::Exact as u64).to_bits()),
            no_case: Constant::new((Mode::NoCase as u64).to_bits()),
            letters: Constant::new(0xdfu64.to_bits()),
        }
    }
}

impl<
    const BYTES: usize,
    const REGION_BITS: usize,
    const OPERAND_BITS: usize,
    const PATTERN_BITS: usize,
    const PATTERNS_LOG2: usize,
    const HEADER_LIST_BITS: usize,
> Logic for Compare<BYTES, REGION_BITS, OPERAND_BITS, PATTERN_BITS, PATTERNS_LOG2, HEADER_LIST_BITS>
{
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self, clock, check1, check2, check3, region1, number1, number2, number3, list2, list3, right
        );
        self.patterns.clock.next = self.clock.val();
        self.opcode.next = self.operand.val().get_bits::<8>(self.opcode_at.val().index());
        self.index.next = self.operand.val().get_bits::<16>(self.index_at.val().index());
        self.patterns.write_enable.next = self.command.val()
            & (self.opcode.val() == self.op_pattern.val())
            & (self.index.val() <= self.last_pattern.val());
        self.patterns.write_address.next = self.index.val().get_bits::<PATTERNS_LOG2>(0);
        self.patterns.write_data.next =
            self.operand.val().get_bits::<PATTERN_BITS>(self.data_at.val().index());
        // Cycle 1.
        self.patterns.read_enable.next = self.check.val().valid & self.check.val().hit;
        self.patterns.read_address.next = self.number.val().get_bits::<PATTERNS_LOG2>(0);
        self.check1.d.next = self.check.val();
        self.region1.d.next = self.region.val();
        self.number1.d.next = self.number.val();
        // Cycle 2.
        self.all.next = 0.into();
        for i in 0..BYTES {
            self.octet.next = self.region1.q.val().get_bits::<8>(i * 8)
                ^ self.patterns.read_data.val().get_bits::<8>(i * 8);
            self.mode.next =
                self.patterns.read_data.val().get_bits::<MODE_BITS>(self.modes_at[i].val().index());
            self.has.next = self.from_end[i].val() <= self.check1.q.val().after;
            if self.is_inside.val().get_bit(i) {
                self.has.next = self.from_end[i].val() <= self.check1.q.val().before;
            }
            self.all.next = self.all.val().replace_bit(
                i,
                (self.mode.val() == self.any.val())
                    | (self.has.val() & (self.mode.val() == self.exact.val()) & !self.octet.val().any())
                    | (self.has.val()
                        & (self.mode.val() == self.no_case.val())
                        & !((self.octet.val() & self.letters.val()).any())),
            );
        }
        self.right.d.next = self.all.val();
        self.check2.d.next = self.check1.q.val();
        self.number2.d.next = self.number1.q.val();
        self.list2.d.next =
            self.patterns.read_data.val().get_bits::<HEADER_LIST_BITS>(self.list_at.val().index());
        // Cycle 3.
        self.check3.d.next = self.check2.q.val();
        self.check3.d.next.hit = self.check2.q.val().hit & self.right.q.val().all();
        self.number3.d.next = self.number2.q.val();
        self.list3.d.next = self.list2.q.val();
        self.valid.next = self.check3.q.val().valid;
        self.hit.next = self.check3.q.val().hit;
        self.is_end.next = self.check3.q.val().end;
        self.overflow.next = self.check3.q.val().overflow;
        self.out_number.next = self.number3.q.val();
        self.header_list.next = self.list3.q.val();
        self.busy.next = (self.check1.q.val().valid & self.check1.q.val().hit)
            | (self.check2.q.val().valid & self.check2.q.val().hit)
            | (self.check3.q.val().valid & self.check3.q.val().hit);
        if self.reset.val() {
            self.check1.d.next.valid = false;
            self.check2.d.next.valid = false;
            self.check3.d.next.valid = false;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use rand::Rng;
    use wiresift_abi::command::Command;
    use wiresift_abi::geometry::{LAB, LINE};
    use wiresift_abi::payload::Pattern;

    use super::super::testing::{Pipe, bits_of_bytes};
    use super::*;
    use crate::gate::passes;

    fn gate<
        const B: usize,
        const R: usize,
        const O: usize,
        const P: usize,
        const L: usize,
        const H: usize,
    >(
        name: &str,
        geometry: &Geometry,
        cycles: usize,
    ) {
        let sizes = geometry.payload;
        let inside = sizes.region_bytes - sizes.region_after;
        let mut stored: Vec<Option<(Pattern, u16)>> = vec![None; 16];
        let mut pipe = Pipe::new(2);
        let mut expected: Option<(bool, bool, bool, u64, u64)> = None;
        let (mut hits, mut near) = (0, 0);
        let make = || Compare::<B, R, O, P, L, H>::new(geometry, RamStyle::Block);
        passes(name, make, cycles, 5, |uut, rng, cycle| {
            if cycle > 1 {
                assert_eq!(uut.valid.val(), expected.is_some());
            }
            if let Some((hit, end, overflow, number, list)) = expected.take() {
                assert_eq!((uut.hit.val(), uut.is_end.val()), (hit, end));
                assert_eq!((uut.overflow.val(), uut.out_number.val().index() as u64), (overflow, number));
                assert!(!hit || uut.header_list.val().index() as u64 == list);
                if hit { hits += 1 } else { near += 1 }
            }
            uut.reset.next = cycle == 0;
            uut.command.next = cycle > 0 && (cycle < 40 || rng.random_bool(0.2));
            let mut fresh = None;
            let mut check = Check::default();
            if uut.command.next {
                let length = rng.random_range(3..40);
                let bytes: Vec<u8> = (0..length).map(|_| b'A' + rng.random_range(0..60)).collect();
                let mut pattern = Pattern::new(&bytes, rng.random(), &sizes).unwrap();
                pattern.window_end = rng.random_range(pattern.class.bytes()..=length);
                let number = rng.random_range(0..stored.len());
                let mut command = Command::new(Opcode::WritePattern, number as u16);
                let list = rng.random::<u16>() & header_list_field(&sizes).max() as u16;
                command.data = pattern.to_data(&sizes, list);
                uut.operand.next = bits_of_bytes(&command.to_line().0[..O / 8]);
                stored[number] = Some((pattern, list));
            } else if let (true, Some((pattern, list))) =
                (rng.random_bool(0.9), &stored[cycle % stored.len()])
            {
                // The packet around a window: some bytes of the pattern are missing or wrong, or case is.
                let before = rng.random_range(0..=inside);
                let after = rng.random_range(0..=sizes.region_after);
                let (before, after) =
                    if rng.random_bool(0.7) { (inside, sizes.region_after) } else { (before, after) };
                let mut region: Vec<u8> = (0..B).map(|_| rng.random()).collect();
                for (at, place) in region.iter_mut().enumerate() {
                    if let Some(byte) =
                        (at + pattern.window_end).checked_sub(inside).and_then(|n| pattern.bytes.get(n))
                    {
                        *place = if rng.random_bool(0.3) && byte.is_ascii_alphabetic() {
                            byte ^ 0x20
                        } else {
                            *byte
                        };
                        if !pattern.nocase && rng.random_bool(0.97) {
                            *place = *byte;
                        }
                        if rng.random_bool(0.02) {
                            *place ^= 1 << rng.random_range(0..8);
                        }
                    }
                }
                let is_right = (0..B).all(|at| {
                    let Some(wanted) =
                        (at + pattern.window_end).checked_sub(inside).and_then(|n| pattern.bytes.get(n))
                    else {
                        return true;
                    };
                    let is_there = if at < inside { at + before >= inside } else { at - inside < after };
                    let same =
                        region[at] == *wanted || pattern.nocase && region[at].eq_ignore_ascii_case(wanted);
                    is_there && same
                });
                check.valid = true;
                check.hit = rng.random_bool(0.9);
                check.end = rng.random();
                check.overflow = rng.random_bool(0.1);
                check.before = (before as u64).to_bits();
                check.after = (after as u64).to_bits();
                let number = (cycle % stored.len()) as u64;
                uut.number.next = number.to_bits();
                uut.region.next = bits_of_bytes(&region);
                fresh = Some((check.hit && is_right, check.end, check.overflow, number, u64::from(*list)));
            }
            uut.check.next = check;
            expected = pipe.shift(fresh).flatten();
        });
        assert!(hits > cycles / 10 && near > cycles / 10, "{hits} {near}");
    }

    #[test]
    fn a_pattern_is_there_when_all_its_bytes_are() {
        gate::<16, 128, 256, 168, 9, 8>("payload_compare_lab", &LAB, 4000);
        gate::<32, 256, 424, 336, 15, 16>("payload_compare_line", &LINE, 2000);
    }
}

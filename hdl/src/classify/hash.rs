//! The keyed hash that finds the buckets of a key in both ways of a table (`abi::hash`).
//!
//! ```text
//! store, row0, row1, parity ---->.------.---> way0, way1   buckets, same cycle
//! key -------------------------->| Hash |
//!                                '------'
//! ```
//!
//! Bit `j` of a bucket is the parity of the masked key under a row of the secret. The key is cut into parts of as many
//! bits as a LUT has addresses when it is a memory, and a memory for each part holds the parity of every value of the
//! part under every row: so a look-up is one read and the sum of the parts, four logic levels for the 304 bits of a wide
//! table. In LUTs of 64 bits that takes a quarter of what AND and XOR with rows in registers take; in those of 16 bits it
//! saves the registers. What a row that is written changes is found out by [`RowWriter`](super::row_writer::RowWriter), which goes through all values of the parts.

use rust_hdl::core::prelude::*;
use wiresift_abi::bits::Field;
use wiresift_abi::entry::{NARROW_DST, NARROW_SRC};
use wiresift_abi::vector::{DST, HASHED_BITS, SPORT, SRC};

/// Bits of an address in a narrow table.
pub const NARROW_ADDRESS: usize = NARROW_SRC.bits;
/// Bits of the hashed fields behind the addresses.
const REST_BITS: usize = HASHED_BITS - SPORT.lsb;
/// Bits that a narrow table hashes.
pub const NARROW_HASHED: usize = NARROW_SRC.bits + NARROW_DST.bits + REST_BITS;

/// Lowest of the bits of an address that a narrow table has.
pub const fn narrow_lsb(address: Field) -> usize {
    address.end() - NARROW_ADDRESS
}

/// Leaves the bits that a narrow table hashes. Wires only.
#[derive(LogicBlock)]
pub struct Narrow {
    /// Hashed bits of a header vector, a mask or a row.
    pub wide: Signal<In, Bits<HASHED_BITS>>,
    /// Those that a narrow table has, closed up.
    pub narrow: Signal<Out, Bits<NARROW_HASHED>>,
    src: Signal<Local, Bits<NARROW_ADDRESS>>,
    dst: Signal<Local, Bits<NARROW_ADDRESS>>,
    rest: Signal<Local, Bits<REST_BITS>>,
    src_at: Constant<Bits<16>>,
    dst_at: Constant<Bits<16>>,
    rest_at: Constant<Bits<16>>,
    dst_to: Constant<Bits<16>>,
    rest_to: Constant<Bits<16>>,
}

impl Default for Narrow {
    fn default() -> Self {
        let place = |bit: usize| Constant::new((bit as u64).to_bits());
        Self {
            wide: Signal::default(),
            narrow: Signal::default(),
            src: Signal::default(),
            dst: Signal::default(),
            rest: Signal::default(),
            src_at: place(narrow_lsb(SRC)),
            dst_at: place(narrow_lsb(DST)),
            rest_at: place(SPORT.lsb),
            dst_to: place(NARROW_ADDRESS),
            rest_to: place(2 * NARROW_ADDRESS),
        }
    }
}

impl Logic for Narrow {
    #[hdl_gen]
    fn update(&mut self) {
        self.src.next = self.wide.val().get_bits::<NARROW_ADDRESS>(self.src_at.val().index());
        self.dst.next = self.wide.val().get_bits::<NARROW_ADDRESS>(self.dst_at.val().index());
        self.rest.next = self.wide.val().get_bits::<REST_BITS>(self.rest_at.val().index());
        self.narrow.next = bit_cast::<NARROW_HASHED, NARROW_ADDRESS>(self.src.val())
            | (bit_cast::<NARROW_HASHED, NARROW_ADDRESS>(self.dst.val()) << self.dst_to.val())
            | (bit_cast::<NARROW_HASHED, REST_BITS>(self.rest.val()) << self.rest_to.val());
    }
}

/// Most parts that a key is cut into.
pub const PARTS_MAX: usize = LutMemory::Words16.parts(HASHED_BITS);

/// What a LUT of a family of FPGAs is as a memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LutMemory {
    /// 64 bits that are written one by one: RAM64X1S of UltraScale+ (UG574, distributed RAM).
    Bits64,
    /// 16 words of four bits, whose bits are written together: DPR16X4 of the ECP5 (FPGA-TN-02204).
    Words16,
}

impl LutMemory {
    /// Bits of an address.
    pub const fn address_bits(self) -> usize {
        match self {
            Self::Bits64 => 6,
            Self::Words16 => 4,
        }
    }

    /// Parts of a key of `hashed` bits.
    pub const fn parts(self, hashed: usize) -> usize {
        hashed.div_ceil(self.address_bits())
    }
}

/// The hash of keys of `HASHED` bits into `1 << LOG2` buckets a way.
#[derive(LogicBlock)]
pub struct Hash<const HASHED: usize, const LOG2: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Masked key; where a row is written, every part of it is the value that is written.
    pub key: Signal<In, Bits<HASHED>>,
    /// Writes, at that value of every part, the bits of the rows.
    pub store: Signal<In, Bit>,
    /// Rows of way 0 that are written.
    pub row0: Signal<In, Bits<LOG2>>,
    /// Rows of way 1.
    pub row1: Signal<In, Bits<LOG2>>,
    /// What is written: bit `n` is the parity of the value under part `n` of the row.
    pub parity: Signal<In, Bits<PARTS_MAX>>,
    /// Bucket in way 0.
    pub way0: Signal<Out, Bits<LOG2>>,
    /// Bucket in way 1.
    pub way1: Signal<Out, Bits<LOG2>>,
    _memory: LutMemory,
    /// By part and value: rows of way 0, then those of way 1.
    _words: Vec<u32>,
}

impl<const HASHED: usize, const LOG2: usize> Hash<HASHED, LOG2> {
    /// A hash in such memories.
    pub fn new(memory: LutMemory) -> Self {
        let parts = memory.parts(HASHED);
        Self {
            clock: Signal::default(),
            key: Signal::default(),
            store: Signal::default(),
            row0: Signal::default(),
            row1: Signal::default(),
            parity: Signal::default(),
            way0: Signal::default(),
            way1: Signal::default(),
            _memory: memory,
            _words: vec![0; parts << memory.address_bits()],
        }
    }

    /// First bit of what addresses the memory of a part. Where the last part has fewer bits than the others, some of the
    /// part before address it too: they change nothing, and all memories are whole LUTs.
    fn address_lsb(&self, part: usize) -> usize {
        let bits = self._memory.address_bits();
        (part * bits).min(HASHED - bits)
    }
}

impl<const HASHED: usize, const LOG2: usize> Logic for Hash<HASHED, LOG2> {
    fn update(&mut self) {
        let key = self.key.val();
        let bits = self._memory.address_bits();
        let is_written = self.clock.pos_edge() && self.store.val();
        let rows = (self.row0.val().index() | self.row1.val().index() << LOG2) as u32;
        let mut sum = 0;
        for part in 0..self._memory.parts(HASHED) {
            let lsb = self.address_lsb(part);
            let value = (0..bits).fold(0, |value, bit| value | usize::from(key.get_bit(lsb + bit)) << bit);
            let word = &mut self._words[part << bits | value];
            if is_written {
                *word = *word & !rows | if self.parity.val().get_bit(part) { rows } else { 0 };
            }
            sum ^= *word;
        }
        self.way0.next = u64::from(sum & ((1 << LOG2) - 1)).to_bits();
        self.way1.next = u64::from(sum >> LOG2).to_bits();
    }

    fn connect(&mut self) {
        self.way0.connect();
        self.way1.connect();
    }

    fn hdl(&self) -> Verilog {
        let (rows, parts) = (2 * LOG2, self._memory.parts(HASHED));
        let bits = self._memory.address_bits();
        let last = (1 << bits) - 1;
        let mut text =
            format!("wire [{high}:0] rows = {{row1, row0}};\nreg [{high}:0] sum;\n", high = rows - 1);
        for part in 0..parts {
            let at = format!("key[{lsb} +: {bits}]", lsb = self.address_lsb(part));
            text += &format!("wire [{high}:0] word{part};\n", high = rows - 1);
            match self._memory {
                LutMemory::Bits64 => {
                    for row in 0..rows {
                        text += &format!(
                            "(* ram_style = \"distributed\" *) reg [0:0] part{part}_{row} [0:{last}];\n\
                             assign word{part}[{row}] = part{part}_{row}[{at}];\n\
                             always @(posedge clock) if (store & rows[{row}]) part{part}_{row}[{at}] <= parity[{part}];\n",
                        );
                    }
                }
                LutMemory::Words16 => {
                    text += &format!(
                        "(* ram_style = \"distributed\" *) reg [{high}:0] part{part} [0:{last}];\n\
                         assign word{part} = part{part}[{at}];\n\
                         always @(posedge clock) if (store) part{part}[{at}] <= \
                         word{part} & ~rows | {{{rows}{{parity[{part}]}}}} & rows;\n",
                        high = rows - 1,
                    );
                }
            }
        }
        text += "always @(*) begin\n";
        for row in 0..rows {
            // A reduction, which becomes a tree; a chain of sums would stay one.
            let bits: Vec<_> = (0..parts).map(|part| format!("word{part}[{row}]")).collect();
            text += &format!("    sum[{row}] = ^{{{}}};\n", bits.join(", "));
        }
        text += &format!(
            "    way0 = sum[{low}:0];\n    way1 = sum[{high}:{LOG2}];\nend\n",
            low = LOG2 - 1,
            high = rows - 1,
        );
        Verilog::Custom(text)
    }
}

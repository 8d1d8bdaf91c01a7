//! Bit fields of a 64-byte line, the widest unit that crosses the bus or a table.

use bytemuck::{Pod, Zeroable};

/// Bytes in a line: the unit of both rings and of a table command.
pub const LINE_BYTES: usize = 64;
/// Bits in a line.
pub const LINE_BITS: usize = LINE_BYTES * 8;

/// A field of a [`Line`]: `bits` bits from bit `lsb` up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Name, as in the documents and in the hardware.
    pub name: &'static str,
    /// Lowest bit.
    pub lsb: usize,
    /// Width in bits, at most 128.
    pub bits: usize,
}

impl Field {
    /// A field of `bits` bits from bit `lsb`.
    pub const fn new(name: &'static str, lsb: usize, bits: usize) -> Self {
        assert!(bits >= 1 && bits <= 128 && lsb + bits <= LINE_BITS);
        Self { name, lsb, bits }
    }

    /// The field that starts where this one ends.
    pub const fn then(self, name: &'static str, bits: usize) -> Self {
        Self::new(name, self.end(), bits)
    }

    /// First bit above the field.
    pub const fn end(self) -> usize {
        self.lsb + self.bits
    }

    /// Largest value the field holds.
    pub const fn max(self) -> u128 {
        if self.bits == 128 { u128::MAX } else { (1 << self.bits) - 1 }
    }
}

/// Sixty-four bytes, little-endian: bit `n` is bit `n % 8` of byte `n / 8`.
#[repr(C, align(64))]
#[derive(Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
pub struct Line(pub [u8; LINE_BYTES]);

const _: () = assert!(size_of::<Line>() == LINE_BYTES);

impl Default for Line {
    fn default() -> Self {
        Self([0; LINE_BYTES])
    }
}

impl core::fmt::Debug for Line {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Line(")?;
        for byte in self.0.iter().rev() {
            write!(f, "{byte:02x}")?;
        }
        f.write_str(")")
    }
}

impl Line {
    /// Value of a field.
    pub fn get(&self, field: Field) -> u128 {
        let mut value = 0u128;
        let first = field.lsb / 8;
        let last = (field.end() - 1) / 8;
        // A field of 128 bits that is not byte-aligned touches 17 bytes: the low byte is shifted
        // down on its own, the others up.
        for (n, &byte) in self.0[first..=last].iter().enumerate() {
            let up = (n * 8) as i32 - (field.lsb % 8) as i32;
            value |= if up < 0 { u128::from(byte) >> -up } else { u128::from(byte) << up };
        }
        value & field.max()
    }

    /// Sets a field; bits of `value` above the field's width are dropped, so callers that take the
    /// value from outside check it against [`Field::max`] first.
    pub fn set(&mut self, field: Field, value: u128) {
        let value = value & field.max();
        for bit in 0..field.bits {
            let at = field.lsb + bit;
            let one = (value >> bit) as u8 & 1;
            let byte = &mut self.0[at / 8];
            *byte = (*byte & !(1 << (at % 8))) | (one << (at % 8));
        }
    }

    /// The line with a field set, for building values in one expression.
    #[must_use]
    pub fn with(mut self, field: Field, value: u128) -> Self {
        self.set(field, value);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_any_alignment_come_back_and_leave_their_neighbours() {
        for lsb in [0, 1, 7, 8, 13, 127, 200, 383] {
            for bits in [1, 2, 8, 20, 64, 127, 128] {
                let field = Field::new("f", lsb, bits);
                let value = 0x5a5a_1234_dead_beef_0f0f_9876_5432_1001 & field.max();
                let line = Line([0xff; LINE_BYTES]).with(field, value);
                assert_eq!(line.get(field), value, "{lsb} {bits}");
                let ones = line.0.iter().map(|b| b.count_ones()).sum::<u32>();
                assert_eq!(ones, (LINE_BITS - bits) as u32 + value.count_ones());
            }
        }
    }
}

//! Sets of bytes.

/// A set of bytes: bit `n % 64` of word `n / 64` says whether `n` is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bits([u64; 4]);

impl Bits {
    /// All bytes.
    pub const ALL: Self = Self([u64::MAX; 4]);

    /// The bytes for which `holds` is true.
    pub fn of(holds: impl Fn(u8) -> bool) -> Self {
        let mut bits = Self([0; 4]);
        for byte in (0..=u8::MAX).filter(|&byte| holds(byte)) {
            bits.0[usize::from(byte / 64)] |= 1 << (byte % 64);
        }
        bits
    }

    /// Whether a byte is in it.
    #[cfg(test)]
    pub fn has(&self, byte: u8) -> bool {
        self.0[usize::from(byte / 64)] >> (byte % 64) & 1 == 1
    }

    /// Bytes in both.
    pub fn and(&self, other: &Self) -> Self {
        Self(std::array::from_fn(|word| self.0[word] & other.0[word]))
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.0 == [0; 4]
    }

    /// The bytes that are `value` under `mask`.
    fn block(value: u8, mask: u8) -> Self {
        // Word `n` of the set of the bytes that have one bit.
        const WITH: [[u64; 4]; 8] = {
            let mut with = [[0; 4]; 8];
            let mut byte = 0;
            while byte < 256 {
                let mut bit = 0;
                while bit < 8 {
                    if byte >> bit & 1 == 1 {
                        with[bit][byte / 64] |= 1 << (byte % 64);
                    }
                    bit += 1;
                }
                byte += 1;
            }
            with
        };
        let mut block = Self::ALL;
        for (bit, with) in WITH.iter().enumerate().filter(|(bit, _)| mask >> bit & 1 == 1) {
            let flip = if value >> bit & 1 == 1 { 0 } else { u64::MAX };
            block = block.and(&Self(with.map(|word| word ^ flip)));
        }
        block
    }

    /// Values with masks that hold exactly these bytes, few of them: each time the one that holds most of what is
    /// left, of equals the one with the smallest mask and value.
    pub fn cover(&self) -> Vec<(u8, u8)> {
        // Every value and mask within the set; a larger mask holds fewer bytes.
        let mut masks: Vec<u8> = (0..=u8::MAX).collect();
        masks.sort_by_key(|mask| (mask.count_ones(), *mask));
        let mut left = *self;
        let mut cover = Vec::new();
        for mask in masks {
            for value in (0..=u8::MAX).filter(|value| value & !mask == 0) {
                if left.is_empty() {
                    return cover;
                }
                let block = Self::block(value, mask);
                if block.and(self) == block && !block.and(&left).is_empty() {
                    cover.push((value, mask));
                    left = Self(std::array::from_fn(|word| left.0[word] & !block.0[word]));
                }
            }
        }
        cover
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        #[test]
        fn a_cover_holds_the_set_and_nothing_else(words: [u64; 4], mask: u8, value: u8) {
            for bits in [Bits(words), Bits::of(|byte| byte & mask == value & mask), Bits::of(|byte| byte & mask != 0)] {
                let cover = bits.cover();
                for byte in 0..=u8::MAX {
                    prop_assert_eq!(cover.iter().any(|(value, mask)| byte & mask == *value), bits.has(byte));
                }
            }
        }
    }

    #[test]
    fn covers_are_short() {
        assert_eq!(Bits::ALL.cover(), [(0, 0)]);
        assert_eq!(Bits::of(|_| false).cover(), []);
        assert_eq!(Bits::of(|byte| byte == 6).cover(), [(6, 255)]);
        assert_eq!(Bits::of(|byte| byte & 0x12 == 2).cover(), [(2, 0x12)]);
        assert_eq!(Bits::of(|byte| byte & 0x12 != 0).cover(), [(2, 2), (0x10, 0x10)]);
        assert_eq!(Bits::of(|byte| byte != 6).cover().len(), 8);
    }
}

//! The cut of a table: which bits of a header say in which cell it lies.

use wiresift_abi::hash::Secret;

use super::block::{Rule, WIDE};

/// Shift by which nothing is left of a word.
pub const NOTHING: u32 = 32;
/// Shift that leaves the protocol of the last word.
const PROTOCOL: u32 = 24;

/// Which bits count: prefixes of both addresses and of both ports, the whole protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Shape {
    /// Prefix length of the source address.
    pub src: u8,
    /// Prefix length of the destination address.
    pub dst: u8,
    /// Leading bits of the source port that count.
    pub sport: u8,
    /// Leading bits of the destination port that count.
    pub dport: u8,
    /// Whether the protocol counts.
    pub proto: bool,
}

/// A shape with a keyed hash of what it leaves of a header.
///
/// The hash is multilinear: every word, shifted down to the bits that count, times a secret odd number; the
/// highest bits of the sum are the cell.
#[derive(Clone, Copy, Debug)]
pub struct Cut<const W: usize> {
    /// Right shift of each word, 32 where none of its bits counts.
    pub shift: [u32; W],
    /// Mask of the ports.
    pub ports: u32,
    /// Multipliers of the words.
    pub multiplier: [u32; W],
    /// Multiplier of the ports.
    pub port_multiplier: u32,
    /// Right shift of the sum.
    pub cell_shift: u32,
}

/// Secret odd numbers of the hash.
#[derive(Clone, Copy, Debug)]
pub struct Multipliers(pub [u32; WIDE + 1]);

impl Multipliers {
    /// Multipliers that follow from the secret of an image.
    pub fn of(secret: &Secret) -> Self {
        let words = secret.0.iter().flat_map(|row| row.0);
        Self::of_seed(words.fold(0, |state, word| mix(state ^ word)))
    }

    /// Multipliers that follow from a number.
    pub fn of_seed(seed: u64) -> Self {
        let mut state = seed;
        Self(std::array::from_fn(|_| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            (mix(state) >> 32) as u32 | 1
        }))
    }
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014).
fn mix(word: u64) -> u64 {
    let word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ word >> 31
}

impl<const W: usize> Cut<W> {
    /// The cut of a shape into `1 << bits` cells.
    pub fn new(shape: &Shape, multipliers: &Multipliers, bits: u32) -> Self {
        let each = (W - 1) / 2;
        let shift = std::array::from_fn(|word| {
            let prefix = |length: u8, word: usize| {
                NOTHING - u32::from(length).saturating_sub(32 * word as u32).min(32)
            };
            match word {
                _ if word == W - 1 => {
                    if shape.proto {
                        PROTOCOL
                    } else {
                        NOTHING
                    }
                }
                _ if word < each => prefix(shape.src, word),
                _ => prefix(shape.dst, word - each),
            }
        });
        let ones = |length: u8| u32::from(!u16::MAX.checked_shr(length.into()).unwrap_or(0));
        Self {
            shift,
            ports: ones(shape.sport) | ones(shape.dport) << 16,
            multiplier: std::array::from_fn(|word| multipliers.0[word]),
            port_multiplier: multipliers.0[W],
            cell_shift: 32 - bits,
        }
    }

    /// Cell of a header.
    #[inline]
    pub fn cell(&self, words: &[u32; W], ports: u32) -> usize {
        let mut sum = (ports & self.ports).wrapping_mul(self.port_multiplier);
        for (word, value) in words.iter().enumerate() {
            let counts = value.checked_shr(self.shift[word]).unwrap_or(0);
            sum = sum.wrapping_add(counts.wrapping_mul(self.multiplier[word]));
        }
        sum.checked_shr(self.cell_shift).unwrap_or(0) as usize
    }
}

/// Cells in which a rule must stand under a cut.
#[derive(Clone, Debug, Default)]
pub struct Cells {
    sums: Vec<u32>,
    next: Vec<u32>,
}

impl Cells {
    /// The cells, ascending, each once; `None` where they are more than `limit` before those that fall
    /// together are counted once.
    pub fn of<const W: usize>(&mut self, cut: &Cut<W>, rule: &Rule<W>, limit: usize) -> Option<&[u32]> {
        if copies(cut, rule) > limit as u64 {
            return None;
        }
        self.sums.clear();
        self.sums.push(0);
        for word in 0..W {
            if cut.shift[word] == NOTHING {
                continue;
            }
            let (value, free) = (rule.value[word] >> cut.shift[word], !rule.mask[word] >> cut.shift[word]);
            self.add(cut.multiplier[word], subsets(free).map(|subset| value | subset));
        }
        for (mask, range, up) in port_masks(cut.ports, rule) {
            if mask != 0 {
                let free = mask.trailing_zeros();
                let blocks = range.0 >> free..=range.1 >> free;
                self.add(cut.port_multiplier, blocks.map(|block| u32::from(block) << free << up));
            }
        }
        for sum in &mut self.sums {
            *sum = sum.checked_shr(cut.cell_shift).unwrap_or(0);
        }
        self.sums.sort_unstable();
        self.sums.dedup();
        Some(&self.sums)
    }

    /// Every sum so far plus every value times the multiplier.
    fn add(&mut self, multiplier: u32, values: impl Iterator<Item = u32>) {
        self.next.clear();
        for value in values {
            let product = value.wrapping_mul(multiplier);
            self.next.extend(self.sums.iter().map(|sum| sum.wrapping_add(product)));
        }
        std::mem::swap(&mut self.sums, &mut self.next);
    }
}

/// Cells that a rule stands in, those counted twice that fall together.
pub fn copies<const W: usize>(cut: &Cut<W>, rule: &Rule<W>) -> u64 {
    let free = (0..W).filter(|&word| cut.shift[word] != NOTHING);
    let bits: u32 = free.map(|word| (!rule.mask[word] >> cut.shift[word]).count_ones()).sum();
    let ports = port_masks(cut.ports, rule).map(|(mask, range, _)| {
        let free = mask.trailing_zeros();
        if mask == 0 { 1 } else { u64::from((range.1 >> free) - (range.0 >> free)) + 1 }
    });
    let ports = ports[0] * ports[1];
    // Ports are at most 2^32 together.
    if bits >= 32 { u64::MAX } else { ports << bits }
}

/// Source and destination port: leading bits that count, range, and place in the word of both.
fn port_masks<const W: usize>(ports: u32, rule: &Rule<W>) -> [(u16, (u16, u16), u32); 2] {
    [(ports as u16, rule.sport, 0), ((ports >> 16) as u16, rule.dport, 16)]
}

/// Every subset of the bits of `set`.
fn subsets(set: u32) -> impl Iterator<Item = u32> {
    std::iter::successors(Some(0u32), move |subset| {
        let next = subset.wrapping_sub(set) & set;
        (next != 0).then_some(next)
    })
}

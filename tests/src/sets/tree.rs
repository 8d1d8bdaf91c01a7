//! The tree that addresses come from.
//!
//! A binary tree over address bits. Whether a node has two children, and which of them is heavy, is a hash
//! of the way to it, so the tree is never built: an address is a walk from the root. Walks share their first
//! steps, so short prefixes hold long ones, and a skew makes some prefixes frequent.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::profile::{Profile, SIDE_RULES, Side};

/// Probability with which a node branches at most.
const BRANCHING_MAX: f64 = 0.99;
/// First bits of every IPv6 address: 2000::/3 (RFC 4291, 2.4).
const GLOBAL_UNICAST: (u128, u32) = (1 << 125, 3);

/// A tree of one side of a set.
pub struct Tree {
    side: &'static Side,
    /// Added to each probability that is not zero, because the set is larger.
    more: f64,
    v6: bool,
    seed: u64,
}

impl Tree {
    pub fn new(side: &'static Side, profile: &Profile, count: usize, seed: u64) -> Self {
        // Prefixes that a walk over `depth` branching levels tells apart grow as a power of it.
        let doublings = (count.max(1) as f64 / SIDE_RULES as f64).log2();
        let levels: u32 = side.branching.windows(2).map(|pair| pair[1].0 - pair[0].0).sum();
        Self { side, more: doublings / f64::from(levels.min(32)), v6: profile.v6, seed }
    }

    /// An address whose first `len` bits are of the tree, the others zero.
    pub fn address(&self, rng: &mut ChaCha8Rng, len: u32) -> u128 {
        let (mut address, mut depth) = match self.v6 {
            true if len >= GLOBAL_UNICAST.1 => GLOBAL_UNICAST,
            _ => (0, 0),
        };
        while depth < len {
            let node = mix(self.seed, address, depth);
            let heavy = node & 1;
            let branches = (node >> 11) as f64 / (1u64 << 53) as f64;
            let light = branches < self.branching(depth) && rng.random_bool((1.0 - self.side.skew) / 2.0);
            address |= u128::from(heavy ^ u64::from(light)) << (127 - depth);
            depth += 1;
        }
        address
    }

    fn branching(&self, depth: u32) -> f64 {
        let at = self.side.branching.iter().find(|(end, _)| depth < *end);
        let probability = at.map_or(0.0, |(_, probability)| *probability);
        if probability == 0.0 { 0.0 } else { (probability + self.more).clamp(0.0, BRANCHING_MAX) }
    }
}

/// A hash of a node (the finaliser of SplitMix64, Steele, Lea and Flood, OOPSLA 2014).
fn mix(seed: u64, address: u128, depth: u32) -> u64 {
    let finish = |mut word: u64| {
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    };
    let high = finish(seed ^ u64::from(depth).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (address >> 64) as u64);
    finish(high.wrapping_add(0x9e37_79b9_7f4a_7c15) ^ address as u64)
}

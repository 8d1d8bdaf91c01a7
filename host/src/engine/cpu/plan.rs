//! How the hash of a masked key is put together from sums that all tables share.
//!
//! The hash is linear and every table has the same secret. So the hashes of an address's leading
//! bytes, and those of ports and protocol, are computed once a packet; a table picks the sums that
//! its mask asks for and adds the few bytes that its mask cuts in two.

use wiresift_abi::vector::{self, Key};

use super::hash::{ByteHash, HASHED_BYTES};

/// Bytes of an address.
const ADDRESS_BYTES: usize = 16;
const _: () = assert!(vector::SRC.lsb == 0 && vector::DST.lsb == 8 * ADDRESS_BYTES);
const _: () = assert!(vector::SPORT.lsb == 256 && vector::DPORT.lsb == 272 && vector::PROTO.lsb == 288);

/// First byte of the fields behind the addresses.
const SPORT_AT: usize = vector::SPORT.lsb / 8;
const DPORT_AT: usize = vector::DPORT.lsb / 8;
const PROTO_AT: usize = vector::PROTO.lsb / 8;

/// What a mask asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Leading bytes of the addresses that count whole.
    src: usize,
    dst: usize,
    /// All ones where the whole field counts.
    sport: u32,
    dport: u32,
    proto: u32,
    /// Other bytes that count, with their masks.
    rest: Vec<(u8, u8)>,
}

/// Hashes of the parts of one key.
#[derive(Clone, Debug)]
pub struct Sums {
    src: [u32; ADDRESS_BYTES + 1],
    dst: [u32; ADDRESS_BYTES + 1],
    sport: u32,
    dport: u32,
    proto: u32,
}

impl Plan {
    /// Plan for a mask.
    pub fn new(mask: &Key) -> Self {
        let bytes: Vec<u8> = mask.0.iter().flat_map(|word| word.to_le_bytes()).take(HASHED_BYTES).collect();
        let leading = |address: &[u8]| address.iter().rev().take_while(|byte| **byte == u8::MAX).count();
        let src = leading(&bytes[..ADDRESS_BYTES]);
        let dst = leading(&bytes[ADDRESS_BYTES..2 * ADDRESS_BYTES]);
        let whole = |at: usize, count: usize| bytes[at..at + count].iter().all(|byte| *byte == u8::MAX);
        let (sport, dport, proto) = (whole(SPORT_AT, 2), whole(DPORT_AT, 2), whole(PROTO_AT, 1));
        let in_sum = |at: usize| match at {
            0..ADDRESS_BYTES => at >= ADDRESS_BYTES - src,
            ADDRESS_BYTES..SPORT_AT => at >= 2 * ADDRESS_BYTES - dst,
            SPORT_AT..DPORT_AT => sport,
            DPORT_AT..PROTO_AT => dport,
            PROTO_AT => proto,
            _ => false,
        };
        let rest = (0..bytes.len()).filter(|&at| bytes[at] != 0 && !in_sum(at));
        let ones = |counts: bool| if counts { u32::MAX } else { 0 };
        Self {
            src,
            dst,
            sport: ones(sport),
            dport: ones(dport),
            proto: ones(proto),
            rest: rest.map(|at| (at as u8, bytes[at])).collect(),
        }
    }

    /// Most leading bytes of an address that some plan asks for.
    pub fn address_bytes<'a>(plans: impl Iterator<Item = &'a Self>) -> usize {
        plans.map(|plan| plan.src.max(plan.dst)).max().unwrap_or(0)
    }

    /// Hash of the key under the mask.
    #[inline]
    pub fn hash(&self, key: &Key, sums: &Sums, hash: &ByteHash) -> u32 {
        let mut both = sums.src[self.src]
            ^ sums.dst[self.dst]
            ^ (sums.sport & self.sport)
            ^ (sums.dport & self.dport)
            ^ (sums.proto & self.proto);
        for &(at, mask) in &self.rest {
            both ^= hash.byte(at.into(), byte(key, at.into()) & mask);
        }
        both
    }
}

impl Sums {
    /// Sums over a key; those of addresses up to `address_bytes` leading bytes.
    #[inline]
    pub fn new(key: &Key, hash: &ByteHash, address_bytes: usize) -> Self {
        let sum = |at: usize| hash.byte(at, byte(key, at));
        let leading = |end: usize| {
            let mut sums = [0; ADDRESS_BYTES + 1];
            for n in 0..address_bytes.min(ADDRESS_BYTES) {
                sums[n + 1] = sums[n] ^ sum(end - 1 - n);
            }
            sums
        };
        Self {
            src: leading(ADDRESS_BYTES),
            dst: leading(2 * ADDRESS_BYTES),
            sport: sum(SPORT_AT) ^ sum(SPORT_AT + 1),
            dport: sum(DPORT_AT) ^ sum(DPORT_AT + 1),
            proto: sum(PROTO_AT),
        }
    }
}

#[inline]
fn byte(key: &Key, at: usize) -> u8 {
    (key.0[at / 8] >> (at % 8 * 8)) as u8
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use wiresift_abi::entry::prefix_mask;
    use wiresift_abi::hash::Secret;

    use super::*;

    proptest! {
        #[test]
        fn a_plan_hashes_what_its_mask_leaves(
            rows in proptest::array::uniform24(any::<[u64; 5]>()), key: [u64; 5],
            src in 0u32..=128, dst in 0u32..=128, rest: u64, odd: [bool; 3], scattered: [u64; 4],
        ) {
            let hash = ByteHash::new(&Secret(rows.map(Key)));
            let (src, dst) = (prefix_mask(src), prefix_mask(dst));
            let mut rest = rest & 0xffff_ffff_ffff;
            for (whole, field) in odd.into_iter().zip([0xffff, 0xffff_0000, 0xff_0000_0000]) {
                rest |= if whole { field } else { 0 };
            }
            let prefixes = Key([src as u64, (src >> 64) as u64, dst as u64, (dst >> 64) as u64, rest]);
            let [a, b, c, d] = scattered;
            for mask in [prefixes, Key([a, b, c, d, rest]), Key::default()] {
                let plan = Plan::new(&mask);
                let sums = Sums::new(&Key(key), &hash, Plan::address_bytes([&plan].into_iter()));
                prop_assert_eq!(plan.hash(&Key(key), &sums, &hash), hash.of(&Key(key).and(&mask)));
            }
        }
    }
}

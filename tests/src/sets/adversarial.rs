//! Sets made to be hard to hold: few keys, many masks, much overlap.

use std::collections::HashSet;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{ANY_PORT, Prefix, Rule, Set};

/// TCP, the protocol of all rules here that have one.
const TCP: Option<u8> = Some(6);

/// Every set, of the size that it is tested with.
pub fn all(seed: u64) -> Vec<Set> {
    vec![
        exact_ports(seed, 8000),
        port_pairs(seed, 8000),
        short_ranges(seed, 4000),
        nested_ranges(4000),
        wide_ranges(seed, 2000),
        wide_rectangles(seed, 2000),
        same_first_bits(seed, 16_384),
        wildcards(seed, 200),
        hosts(seed, 65_536),
        chains(seed, 33 * 500),
        nested_pairs(seed),
        many_masks(seed, 24),
        many_masks(seed, 28),
    ]
}

/// Draws different rules.
fn distinct(name: &str, seed: u64, count: usize, mut draw: impl FnMut(&mut ChaCha8Rng) -> Rule) -> Set {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (mut seen, mut rules) = (HashSet::new(), Vec::with_capacity(count));
    while rules.len() < count {
        let rule = draw(&mut rng);
        if seen.insert(rule) {
            rules.push(rule);
        }
    }
    Set { name: format!("{name}_{count}"), rules }
}

fn v4(address: u32, len: u32) -> Prefix {
    Prefix::of(u128::from(address) << 96, len)
}

/// Two hosts, TCP, every port.
fn one_pair() -> Rule {
    Rule {
        v6: false,
        src: v4(0xc0a8_0a01, 32),
        dst: v4(0x0a14_1e28, 32),
        sport: ANY_PORT,
        dport: ANY_PORT,
        proto: TCP,
    }
}

/// Rules that differ in one destination port only.
pub fn exact_ports(seed: u64, count: usize) -> Set {
    distinct("exact_ports", seed, count, |rng| {
        let port = rng.random();
        Rule { dport: (port, port), ..one_pair() }
    })
}

/// Rules that differ in both ports only.
pub fn port_pairs(seed: u64, count: usize) -> Set {
    distinct("port_pairs", seed, count, |rng| {
        let (sport, dport) = (rng.random(), rng.random());
        Rule { sport: (sport, sport), dport: (dport, dport), ..one_pair() }
    })
}

/// Rules that differ in short ranges of destination ports only; some overlap.
pub fn short_ranges(seed: u64, count: usize) -> Set {
    distinct("short_ranges", seed, count, |rng| {
        let lo: u16 = rng.random_range(0..65_500);
        Rule { dport: (lo, lo + rng.random_range(1..32)), ..one_pair() }
    })
}

/// Ranges of destination ports around one port, the shortest first: a packet to that port matches all.
pub fn nested_ranges(count: usize) -> Set {
    let rules = (1..=count as u16).map(|n| Rule { dport: (30_000 - n, 30_000 + n), ..one_pair() }).collect();
    Set { name: format!("nested_ranges_{count}"), rules }
}

/// Rules of one pair of hosts that differ in ranges of destination ports of any width.
pub fn wide_ranges(seed: u64, count: usize) -> Set {
    distinct("wide_ranges", seed, count, |rng| {
        let (a, b): (u16, u16) = (rng.random(), rng.random());
        Rule { dport: (a.min(b), a.max(b)), ..one_pair() }
    })
}

/// Rules of one pair of hosts that differ in ranges of both ports of any width: about a ninth of them
/// match any packet, and no mask tells them apart.
pub fn wide_rectangles(seed: u64, count: usize) -> Set {
    distinct("wide_rectangles", seed, count, |rng| {
        let mut range = || {
            let (a, b): (u16, u16) = (rng.random(), rng.random());
            (a.min(b), a.max(b))
        };
        Rule { sport: range(), dport: range(), ..one_pair() }
    })
}

/// Pairs of hosts that have their first 20 bits in common.
pub fn same_first_bits(seed: u64, count: usize) -> Set {
    distinct("same_first_bits", seed, count, |rng| Rule {
        src: v4(0xac10_0000 | rng.random::<u32>() >> 20, 32),
        dst: v4(0x0a00_0000 | rng.random::<u32>() >> 20, 32),
        ..one_pair()
    })
}

/// Any address, any protocol, some range of ports.
pub fn wildcards(seed: u64, count: usize) -> Set {
    distinct("wildcards", seed, count, |rng| {
        let (a, b): (u16, u16) = (rng.random(), rng.random());
        Rule { src: v4(0, 0), dst: v4(0, 0), dport: (a.min(b), a.max(b)), proto: None, ..one_pair() }
    })
}

/// Host routes: one destination address, nothing else.
pub fn hosts(seed: u64, count: usize) -> Set {
    distinct("hosts", seed, count, |rng| Rule {
        src: v4(0, 0),
        dst: v4(rng.random(), 32),
        proto: None,
        ..one_pair()
    })
}

/// Prefixes of every length around random addresses, the longest first.
pub fn chains(seed: u64, count: usize) -> Set {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (mut seen, mut rules) = (HashSet::new(), Vec::new());
    while rules.len() < count {
        let (address, to): (u32, u32) = (rng.random(), rng.random());
        let chain = (0..=32).rev().map(|len| Rule { src: v4(address, len), dst: v4(to, 32), ..one_pair() });
        rules.extend(chain.filter(|rule| seen.insert(*rule)));
    }
    rules.truncate(count);
    rules.sort_by_key(|rule| std::cmp::Reverse(rule.src.len));
    Set { name: format!("chains_{count}"), rules }
}

/// Every length of both prefixes around one pair of addresses, the longest first: a packet of that pair
/// matches all 1,089.
pub fn nested_pairs(seed: u64) -> Set {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (from, to): (u32, u32) = (rng.random(), rng.random());
    let lengths = (0..=32).flat_map(|a| (0..=32).map(move |b| (a, b)));
    let mut rules: Vec<Rule> =
        lengths.map(|(a, b)| Rule { src: v4(from, a), dst: v4(to, b), proto: None, ..one_pair() }).collect();
    rules.sort_by_key(|rule| std::cmp::Reverse(rule.src.len + rule.dst.len));
    Set { name: format!("nested_pairs_{}", rules.len()), rules }
}

/// Bits of an address or port between one mask of [`many_masks`] and the next.
const MASK_STEP: u32 = 3;
/// Steps that each of its masks has, shared by two fields.
const MASK_STEPS: u32 = 5;

/// `masks` (at most 28) masks of which none helps another one: each asks for 15 bits in two of four
/// fields, beside the first byte of both addresses, and where a mask leaves out three bits that the rules
/// of another one ask for, eight of them fall on one key, as many as a table holds. At most 1,024 rules each.
pub fn many_masks(seed: u64, masks: usize) -> Set {
    const EACH: u32 = 1024;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let pairs = (0..4).flat_map(|a| (0..4).filter(move |b| a != *b).map(move |b| (a, b)));
    // Of a split 5 and 0 only one order is new.
    let splits = pairs.flat_map(|(a, b)| (3..=MASK_STEPS).map(move |steps| (a, b, steps)));
    let mut seen = HashSet::new();
    let all = splits.map(|(a, b, steps)| {
        let mut lengths = [0; 4];
        (lengths[a], lengths[b]) = (MASK_STEP * steps, MASK_STEP * (MASK_STEPS - steps));
        lengths
    });
    let all: Vec<[u32; 4]> = all.filter(|lengths| seen.insert(*lengths)).take(masks).collect();
    // All masks around the same places, or a mask that several have in common would tell them apart.
    let centres: Vec<[u32; 4]> = (0..EACH >> MASK_STEP).map(|_| rng.random()).collect();
    let mut rules = HashSet::new();
    let mut list = Vec::new();
    for lengths in all {
        // Every value of the last bits of each field that has any.
        let fields = lengths.iter().filter(|length| **length > 0).count() as u32;
        let values = 1u32 << (MASK_STEP * fields);
        for centre in &centres[..(EACH / values) as usize] {
            for last in 0..values {
                let mut bits = *centre;
                let mut low = last;
                for (bits, length) in bits.iter_mut().zip(lengths) {
                    *bits &= !u32::MAX.checked_shr(length).unwrap_or(0);
                    if length > 0 {
                        *bits ^= (low & 7) << (32 - length);
                        low >>= MASK_STEP;
                    }
                }
                let rule = of_bits(bits, lengths);
                if rules.insert(rule) {
                    list.push(rule);
                }
            }
        }
    }
    Set { name: format!("many_masks_{masks}"), rules: list }
}

/// A rule of leading bits of source, destination, source port and destination port; the addresses have a
/// byte before them.
fn of_bits(bits: [u32; 4], lengths: [u32; 4]) -> Rule {
    let port = |bits: u32, length: u32| {
        let lo = (bits >> 16) as u16;
        (lo, lo | u16::MAX.checked_shr(length).unwrap_or(0))
    };
    Rule {
        src: v4(0x0a00_0000 | bits[0] >> 8, 8 + lengths[0]),
        dst: v4(0x1400_0000 | bits[1] >> 8, 8 + lengths[1]),
        sport: port(bits[2], lengths[2]),
        dport: port(bits[3], lengths[3]),
        ..one_pair()
    }
}

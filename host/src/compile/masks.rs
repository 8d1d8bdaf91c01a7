//! Choice of the masks: which bits each table hashes.
//!
//! Greedy: the next mask is the one whose table takes the most of the entries that are left. Candidates
//! are a grid over the prefix lengths that the entries have and the leading bits of their ports, with and
//! without protocol and family. How many entries a mask takes is counted with small counters by a quick hash, so two keys may
//! share a counter and the count come out a little low; it only guides the choice.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rustc_hash::{FxHashMap, FxHashSet};
use wiresift_abi::vector::Key;

use super::shape::Shape;
use super::table::Item;

/// Prefix lengths of one address in the grid at most.
const LEVELS_MAX: usize = 14;

/// Numbers of leading bits of one port in the grid at most.
const PORT_LEVELS_MAX: usize = 5;

/// Chooses masks for a pool of items that shrinks as they are placed.
pub struct Chooser<'a> {
    items: &'a [Item],
    groups: Vec<Group>,
    candidates: Vec<Shape>,
    /// Bound of the gain, weight and place of each candidate, and the round in which it was counted.
    heap: BinaryHeap<(usize, u32, Reverse<usize>, u32)>,
    round: u32,
    /// Entries with one masked key that a table holds at most.
    key_slots: u8,
    counters: Vec<u8>,
    /// Number of the attempt, which shifts the choice.
    attempt: u64,
}

/// Items of one shape.
struct Group {
    shape: Shape,
    items: Vec<u32>,
}

impl<'a> Chooser<'a> {
    /// A chooser for the items of `pool`, places in `items`, for tables that hold `key_slots` entries
    /// of one key. Attempt 0 takes the largest gain; every other one lessens the gain of each mask by
    /// another part, to come to other choices.
    pub fn new(items: &'a [Item], pool: &[u32], key_slots: usize, attempt: u64) -> Self {
        let mut by_shape: FxHashMap<Shape, Vec<u32>> = FxHashMap::default();
        for &item in pool {
            by_shape.entry(items[item as usize].shape).or_default().push(item);
        }
        let mut groups: Vec<Group> =
            by_shape.into_iter().map(|(shape, items)| Group { shape, items }).collect();
        groups.sort_unstable_by_key(|group| group.shape);
        let mut chooser = Self {
            items,
            candidates: Vec::new(),
            heap: BinaryHeap::new(),
            groups,
            round: 0,
            key_slots: u8::try_from(key_slots).unwrap_or(u8::MAX),
            counters: Vec::new(),
            attempt,
        };
        for (shape, eligible) in chooser.grid() {
            let place = chooser.candidates.len();
            chooser.heap.push((eligible, shape.weight(), Reverse(place), 0));
            chooser.candidates.push(shape);
        }
        chooser
    }

    /// Items left.
    pub fn left(&self) -> usize {
        self.groups.iter().map(|group| group.items.len()).sum()
    }

    /// Items left, those that count the fewest bits first: they have the fewest tables to go to.
    pub fn pool(&self) -> Vec<u32> {
        let mut pool: Vec<u32> = self.groups.iter().flat_map(|group| &group.items).copied().collect();
        pool.sort_by_key(|&item| (self.items[item as usize].shape.weight(), item));
        pool
    }

    /// The mask whose table takes the most items, at most `slots`, and how many it takes; of equals the
    /// one with the most bits. `None` when nothing is left.
    pub fn best(&mut self, slots: usize) -> Option<(Shape, usize)> {
        self.round += 1;
        let counters = (4 * self.left()).next_power_of_two().max(64);
        self.counters.clear();
        self.counters.resize(counters, 0);
        // A gain never grows while items leave, so an old one is a bound.
        while let Some((gain, weight, place, round)) = self.heap.pop() {
            let shape = self.candidates[place.0];
            if round == self.round {
                self.heap.push((gain, weight, place, round));
                let gain = self.gain(&shape).min(slots);
                return (gain > 0).then_some((shape, gain));
            }
            let gain = self.gain(&shape).min(slots);
            let gain = self.lessened(gain, place.0);
            self.heap.push((gain, weight, place, self.round));
        }
        None
    }

    /// Takes out the items for which `placed` is true.
    pub fn remove(&mut self, placed: &[bool]) {
        for group in &mut self.groups {
            group.items.retain(|&item| !placed[item as usize]);
        }
        self.groups.retain(|group| !group.items.is_empty());
    }

    /// A gain as this attempt sees it.
    fn lessened(&self, gain: usize, candidate: usize) -> usize {
        const STEPS: u64 = 64;
        let key = Key([self.attempt, candidate as u64, 0, 0, 0]);
        let part = mix(&key, &Key([u64::MAX; 5])) >> 32 & (STEPS - 1);
        let part = if self.attempt == 0 { 0 } else { part as usize };
        gain - gain * part / (2 * STEPS as usize)
    }

    /// Items that a table with that mask takes, as far as keys limit it.
    fn gain(&mut self, shape: &Shape) -> usize {
        let mask = shape.mask();
        let shift = 64 - self.counters.len().ilog2();
        self.counters.fill(0);
        let mut gain = 0;
        for group in self.groups.iter().filter(|group| shape.within(&group.shape)) {
            for &item in &group.items {
                let place = (mix(&self.items[item as usize].key, &mask) >> shift) as usize;
                let counter = &mut self.counters[place];
                gain += usize::from(*counter < self.key_slots);
                *counter = counter.saturating_add(1);
            }
        }
        gain
    }

    /// Candidates with the number of items that could stand in a table of that mask. One whose items
    /// could all stand under a mask of more bits is left out.
    fn grid(&self) -> Vec<(Shape, usize)> {
        let of = |bits: fn(&Shape) -> u8, most: usize| {
            levels(self.groups.iter().map(|group| (bits(&group.shape), group.items.len())), most)
        };
        let src = of(|shape| shape.src, LEVELS_MAX);
        let dst = of(|shape| shape.dst, LEVELS_MAX);
        let sport = of(|shape| shape.sport, PORT_LEVELS_MAX);
        let dport = of(|shape| shape.dport, PORT_LEVELS_MAX);
        let flags: FxHashSet<[bool; 2]> = self.groups.iter().map(|group| flags(&group.shape)).collect();
        let mut flags: Vec<[bool; 2]> = meets(&flags).into_iter().collect();
        flags.sort_unstable();
        let mut counts: FxHashMap<Shape, usize> = FxHashMap::default();
        let mut shapes = Vec::new();
        let ports = sport.iter().flat_map(|&sport| dport.iter().map(move |&dport| (sport, dport)));
        for (sport, dport) in ports {
            for &[proto, family] in &flags {
                for &src in &src {
                    for &dst in &dst {
                        let shape = Shape { src, dst, sport, dport, proto, family };
                        counts.insert(shape, self.eligible(&shape));
                        shapes.push(shape);
                    }
                }
            }
        }
        let next = |levels: &[u8], level| levels.iter().copied().find(|&other| other > level);
        let dominated = |shape: &Shape, count: usize| {
            let finer = [
                next(&src, shape.src).map(|src| Shape { src, ..*shape }),
                next(&dst, shape.dst).map(|dst| Shape { dst, ..*shape }),
                next(&sport, shape.sport).map(|sport| Shape { sport, ..*shape }),
                next(&dport, shape.dport).map(|dport| Shape { dport, ..*shape }),
                (!shape.proto).then_some(Shape { proto: true, ..*shape }),
                (!shape.family).then_some(Shape { family: true, ..*shape }),
            ];
            finer.iter().flatten().any(|finer| counts.get(finer) == Some(&count))
        };
        shapes
            .into_iter()
            .map(|shape| (shape, counts[&shape]))
            .filter(|(shape, count)| *count > 0 && !dominated(shape, *count))
            .collect()
    }

    fn eligible(&self, shape: &Shape) -> usize {
        self.groups.iter().filter(|group| shape.within(&group.shape)).map(|group| group.items.len()).sum()
    }
}

fn flags(shape: &Shape) -> [bool; 2] {
    [shape.proto, shape.family]
}

/// The sets with whatever some of them have in common.
fn meets(sets: &FxHashSet<[bool; 2]>) -> FxHashSet<[bool; 2]> {
    let mut all = sets.clone();
    loop {
        let pairs: Vec<[bool; 2]> =
            all.iter().flat_map(|a| all.iter().map(move |b| std::array::from_fn(|n| a[n] && b[n]))).collect();
        let before = all.len();
        all.extend(pairs);
        if all.len() == before {
            return all;
        }
    }
}

/// Numbers of leading bits for the grid, ascending, at most `most`: the lowest, those of the most items,
/// and some between.
fn levels(lengths: impl Iterator<Item = (u8, usize)>, most: usize) -> Vec<u8> {
    let mut weights: FxHashMap<u8, usize> = FxHashMap::default();
    for (length, items) in lengths {
        *weights.entry(length).or_default() += items;
    }
    let mut all: Vec<(u8, usize)> = weights.into_iter().collect();
    all.sort_unstable();
    if all.len() > most {
        let spread: Vec<u8> = (0..most / 2).map(|n| all[n * all.len() / (most / 2)].0).collect();
        all.sort_unstable_by_key(|&(length, items)| (spread.contains(&length), items, length));
        all.drain(..all.len() - most);
        all.sort_unstable();
    }
    all.into_iter().map(|(length, _)| length).collect()
}

/// A quick hash of a masked key; its high bits are the good ones.
#[inline]
fn mix(key: &Key, mask: &Key) -> u64 {
    const ODD: [u64; 5] = [
        0x9e37_79b9_7f4a_7c15,
        0xc2b2_ae3d_27d4_eb4f,
        0xd6e8_feb8_6659_fd93,
        0xa076_1d64_78bd_642f,
        0xe703_7ed1_a0b4_28db,
    ];
    let word = |n: usize| {
        let masked = key.0[n] & mask.0[n];
        (masked ^ masked >> 32).wrapping_mul(ODD[n])
    };
    let sum = (0..5).fold(0u64, |sum, n| sum.wrapping_add(word(n)));
    (sum ^ sum >> 29).wrapping_mul(ODD[0])
}

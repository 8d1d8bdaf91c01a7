//! Rules → tables of blocks.
//!
//! Each table takes, of the rules that no table before it took, as many as it can: those with few copies under
//! its cut whose cells all have room. What is left at the end shares blocks without any cut.

use rustc_hash::FxHashMap;

use super::block::{Block, LANES, Rule};
use super::cut::{Cells, Cut, Multipliers, Shape};
use super::{BlockSet, Table};

/// Copies of a rule in one table at most, where many rules are left and where few are.
const COPIES_MIN: usize = 4;
const COPIES_MAX: usize = 16;
/// Copies that the rules left are meant to have together where they are few.
const COPIES_TOTAL: usize = 8192;
/// Cells of a table as a power of two: most.
const CELL_BITS_MAX: u32 = 20;
/// Prefix lengths that are tried.
const NARROW_LENGTHS: [u8; 13] = [0, 2, 4, 8, 12, 14, 16, 20, 22, 24, 28, 30, 32];
const WIDE_LENGTHS: [u8; 17] = [0, 4, 8, 16, 20, 24, 32, 36, 40, 44, 48, 52, 56, 60, 64, 96, 128];

/// Builds the tables of a set of rules.
pub fn build<const W: usize>(rules: &[Rule<W>], multipliers: &Multipliers) -> BlockSet<W> {
    let mut set = BlockSet { tables: Vec::new(), blocks: vec![Block::EMPTY], far: false };
    let mut builder = Builder::default();
    let mut left: Vec<u32> = (0..rules.len() as u32).collect();
    while !left.is_empty() {
        let limit = (COPIES_TOTAL / left.len()).clamp(COPIES_MIN, COPIES_MAX);
        let cut = builder.choose(rules, &left, multipliers, limit);
        left = builder.fill(&mut set, rules, &left, cut, limit);
    }
    set
}

/// What a rule asks for as far as it says how many copies a shape makes of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Profile {
    src: u8,
    dst: u8,
    sport: u8,
    dport: u8,
    proto: u8,
}

impl Profile {
    fn of<const W: usize>(rule: &Rule<W>) -> Self {
        let each = (W - 1) / 2;
        let length = |words: &[u32]| words.iter().map(|mask| mask.count_ones() as u8).sum();
        let log2 = |range: (u16, u16)| (u32::from(range.1 - range.0) + 1).ilog2() as u8;
        Self {
            src: length(&rule.mask[..each]),
            dst: length(&rule.mask[each..2 * each]),
            sport: log2(rule.sport),
            dport: log2(rule.dport),
            proto: 8 - (rule.mask[W - 1] >> 24).count_ones() as u8,
        }
    }

    /// Copies under a shape as a power of two, rounded down.
    fn copies_log2(&self, shape: &Shape) -> u32 {
        let port = |counts: bool, log2: u8| if counts { u32::from(log2) } else { 0 };
        u32::from(shape.src.saturating_sub(self.src))
            + u32::from(shape.dst.saturating_sub(self.dst))
            + port(shape.sport, self.sport)
            + port(shape.dport, self.dport)
            + port(shape.proto, self.proto)
    }
}

#[derive(Default)]
struct Builder {
    cells: Cells,
    /// Rules in each cell.
    loads: Vec<u8>,
}

impl Builder {
    /// The cut that takes the most of the rules left.
    fn choose<const W: usize>(
        &mut self,
        rules: &[Rule<W>],
        left: &[u32],
        multipliers: &Multipliers,
        limit: usize,
    ) -> Cut<W> {
        let whole = Cut::new(&Shape::default(), multipliers, 0);
        if left.len() <= LANES {
            return whole;
        }
        let mut profiles: FxHashMap<Profile, usize> = FxHashMap::default();
        for &rule in left {
            *profiles.entry(Profile::of(&rules[rule as usize])).or_default() += 1;
        }
        let mut bounds: Vec<(usize, usize, Shape)> =
            shapes(if W == super::block::NARROW { &NARROW_LENGTHS } else { &WIDE_LENGTHS })
                .map(|shape| {
                    let (mut takes, mut copies) = (0, 0);
                    for (profile, count) in &profiles {
                        let log2 = profile.copies_log2(&shape);
                        if log2 <= limit.ilog2() {
                            takes += count;
                            copies += count << log2;
                        }
                    }
                    (takes, copies, shape)
                })
                .collect();
        bounds.sort_unstable_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
        let (mut best, mut best_cut) = ((LANES, 0), whole);
        for (takes, copies, shape) in bounds {
            if takes <= best.0 {
                break;
            }
            let bits = (2 * copies).next_power_of_two().ilog2().min(CELL_BITS_MAX);
            let cut = Cut::new(&shape, multipliers, bits);
            let (taken, copies) = self.try_cut(rules, left, &cut, bits, limit);
            if (taken, usize::MAX - copies) > (best.0, usize::MAX - best.1) {
                (best, best_cut) = ((taken, copies), cut);
            }
        }
        best_cut
    }

    /// Rules that a cut takes, and their copies.
    fn try_cut<const W: usize>(
        &mut self,
        rules: &[Rule<W>],
        left: &[u32],
        cut: &Cut<W>,
        bits: u32,
        limit: usize,
    ) -> (usize, usize) {
        self.loads.clear();
        self.loads.resize(1 << bits, 0);
        let (mut taken, mut copies) = (0, 0);
        for &rule in left {
            if let Some(cells) = self.take(cut, &rules[rule as usize], limit) {
                taken += 1;
                copies += cells.len();
            }
        }
        (taken, copies)
    }

    /// Counts a rule in its cells if all of them have room, and says which they are.
    fn take<const W: usize>(&mut self, cut: &Cut<W>, rule: &Rule<W>, limit: usize) -> Option<&[u32]> {
        let cells = self.cells.of(cut, rule, limit)?;
        if cells.iter().any(|&cell| usize::from(self.loads[cell as usize]) == LANES) {
            return None;
        }
        cells.iter().for_each(|&cell| self.loads[cell as usize] += 1);
        Some(cells)
    }

    /// Adds a table with that cut to the set, and gives back the rules that it did not take.
    fn fill<const W: usize>(
        &mut self,
        set: &mut BlockSet<W>,
        rules: &[Rule<W>],
        left: &[u32],
        cut: Cut<W>,
        limit: usize,
    ) -> Vec<u32> {
        self.loads.clear();
        self.loads.resize(1 << (32 - cut.cell_shift), 0);
        let mut taken: Vec<(u32, u32)> = Vec::with_capacity(left.len());
        let mut rest = Vec::new();
        for &rule in left {
            match self.take(&cut, &rules[rule as usize], limit) {
                Some(cells) => taken.extend(cells.iter().map(|&cell| (cell, rule))),
                None => rest.push(rule),
            }
        }
        let first = set.blocks.len();
        let cells = pack(&self.loads, first as u32);
        let blocks = cells.iter().max().map_or(first, |last| first.max(*last as usize + 1));
        set.blocks.resize(blocks, Block::EMPTY);
        // Lanes in use, and the last rule put in: the cells of a rule follow each other.
        let mut ends = vec![(0, u32::MAX); blocks - first];
        for (cell, rule) in taken {
            let block = cells[cell as usize] as usize;
            let end = &mut ends[block - first];
            if end.1 != rule {
                set.blocks[block].set(end.0, &rules[rule as usize]);
                *end = (end.0 + 1, rule);
            }
        }
        set.tables.push(Table { cut, cells });
        rest
    }
}

/// Every shape that is tried.
fn shapes(lengths: &[u8]) -> impl Iterator<Item = Shape> {
    let flags = (0..8u8).map(|bits| (bits & 1 != 0, bits & 2 != 0, bits & 4 != 0));
    flags.flat_map(move |(sport, dport, proto)| {
        lengths
            .iter()
            .flat_map(move |&src| lengths.iter().map(move |&dst| Shape { src, dst, sport, dport, proto }))
    })
}

/// Shares blocks from number `first` up among cells with that many rules each; empty cells get block 0. The
/// fullest cells first, each into the block that it fills best.
fn pack(loads: &[u8], first: u32) -> Vec<u32> {
    let mut by_load: [Vec<u32>; LANES + 1] = Default::default();
    for (cell, &load) in loads.iter().enumerate() {
        by_load[usize::from(load)].push(cell as u32);
    }
    let mut cells = vec![0; loads.len()];
    let mut open: [Vec<u32>; LANES + 1] = Default::default();
    let mut next = first;
    for load in (1..=LANES).rev() {
        for &cell in &by_load[load] {
            let free = (load..LANES).find(|&free| !open[free].is_empty());
            let (block, free) = match free.and_then(|free| open[free].pop().map(|block| (block, free))) {
                Some(found) => found,
                None => {
                    next += 1;
                    (next - 1, LANES)
                }
            };
            cells[cell as usize] = block;
            open[free - load].push(block);
        }
    }
    cells
}

//! Rules → tables of blocks.
//!
//! Each table takes, of the rules that no table before it took, as many as it can: those with few copies under
//! its cut whose cells all have room. What is left at the end shares blocks without any cut.

use std::cmp::Reverse;

use rustc_hash::FxHashMap;

use super::block::{Block, LANES, NARROW, Rule};
use super::cut::{Cells, Cut, Multipliers, Shape};
use super::kinds::Kinds;
use super::{BlockSet, Table};

/// Copies of a rule in one table at most, where many rules are left and where few are.
const COPIES_MIN: usize = 4;
const COPIES_MAX: usize = 16;
/// Copies that the rules left are meant to have together where they are few.
const COPIES_TOTAL: usize = 8192;
/// Copies in a cell on average, at most. With fewer most headers meet an empty cell, whose block stays in the first cache,
/// and headers chosen to meet rules are slower than any others; with more the fullest cells leave rules to more tables.
const COPIES_PER_CELL: usize = 3;
/// Cells of a table as a power of two: most.
const CELL_BITS_MAX: u32 = 20;
/// Prefix lengths that are tried.
const NARROW_LENGTHS: [u8; 13] = [0, 2, 4, 8, 12, 14, 16, 20, 22, 24, 28, 30, 32];
/// Leading bits of ports that are tried.
const PORT_LENGTHS: [u8; 2] = [0, 16];
/// Where a table would take less than one of so many of the rules left, the shapes of the rules themselves are tried
/// too, the most frequent ones, and these leading bits of one port.
const ENOUGH: usize = 4;
const OWN_SHAPES: usize = 64;
const MORE_PORT_LENGTHS: [u8; 6] = [4, 6, 8, 10, 12, 14];
const WIDE_LENGTHS: [u8; 17] = [0, 4, 8, 16, 20, 24, 32, 36, 40, 44, 48, 52, 56, 60, 64, 96, 128];

/// Builds the tables of a set of rules.
pub fn build<const W: usize, const T: usize>(
    rules: &[Rule<W>],
    kinds: Kinds,
    multipliers: &Multipliers,
) -> BlockSet<W, T> {
    let mut set = BlockSet { tables: Vec::new(), blocks: vec![Block::EMPTY], kinds, far: false };
    let mut builder = Builder::default();
    let mut left: Vec<u32> = (0..rules.len() as u32).collect();
    let whole = Cut::new(&Shape::default(), multipliers, 0);
    while !left.is_empty() {
        let limit = (COPIES_TOTAL / left.len()).clamp(COPIES_MIN, COPIES_MAX);
        let Some(cut) = builder.choose(rules, &left, multipliers, limit) else { break };
        left = builder.fill(&mut set, rules, &left, cut, limit);
    }
    for rest in left.chunks(LANES) {
        builder.fill(&mut set, rules, rest, whole, 1);
    }
    set
}

/// What a rule asks for as far as it says how many copies a shape makes of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
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

    /// The shape under which a rule has few copies and few rules beside it.
    fn shape(&self) -> Shape {
        let port = |log2: u8| 16 - log2;
        let (sport, dport) = (port(self.sport), port(self.dport));
        Shape { src: self.src, dst: self.dst, sport, dport, proto: self.proto == 0 }
    }

    /// Copies under a shape as a power of two, rounded down.
    fn copies_log2(&self, shape: &Shape) -> u32 {
        // A range of 2^n ports reaches over at least 2^n blocks of the ports that a prefix leaves together, less
        // the bits that do not count.
        let port = |length: u8, log2: u8| (u32::from(log2) + u32::from(length)).saturating_sub(16);
        u32::from(shape.src.saturating_sub(self.src))
            + u32::from(shape.dst.saturating_sub(self.dst))
            + port(shape.sport, self.sport)
            + port(shape.dport, self.dport)
            + if shape.proto { u32::from(self.proto) } else { 0 }
    }
}

/// What a search for a cut looks at.
struct Search<'a, const W: usize> {
    rules: &'a [Rule<W>],
    left: &'a [u32],
    multipliers: &'a Multipliers,
    limit: usize,
    /// What the rules left ask for, and how many ask for it.
    profiles: Vec<(Profile, usize)>,
}

/// The best cut so far.
struct Best<const W: usize> {
    taken: usize,
    copies: usize,
    cut: Option<Cut<W>>,
}

#[derive(Default)]
struct Builder {
    cells: Cells,
    /// Rules in each cell.
    loads: Vec<u8>,
}

impl Builder {
    /// The cut that takes the most of the rules left; `None` where none takes more than one block does.
    fn choose<const W: usize>(
        &mut self,
        rules: &[Rule<W>],
        left: &[u32],
        multipliers: &Multipliers,
        limit: usize,
    ) -> Option<Cut<W>> {
        if left.len() <= LANES {
            return None;
        }
        let mut profiles: FxHashMap<Profile, usize> = FxHashMap::default();
        for &rule in left {
            *profiles.entry(Profile::of(&rules[rule as usize])).or_default() += 1;
        }
        let lengths = if W == NARROW { &NARROW_LENGTHS[..] } else { &WIDE_LENGTHS };
        let mut search = Search { rules, left, multipliers, limit, profiles: profiles.into_iter().collect() };
        let mut best = Best { taken: LANES, copies: 0, cut: None };
        self.search(&search, shapes(lengths, &PORT_LENGTHS, &PORT_LENGTHS), &mut best);
        if best.taken * ENOUGH < left.len() {
            search.profiles.sort_unstable_by_key(|&(profile, count)| (Reverse(count), profile));
            let own = search.profiles.iter().take(OWN_SHAPES).map(|(profile, _)| profile.shape());
            let mut more: Vec<Shape> = own.collect();
            more.extend(shapes(lengths, &[0], &MORE_PORT_LENGTHS));
            more.extend(shapes(lengths, &MORE_PORT_LENGTHS, &[0]));
            self.search(&search, more, &mut best);
        }
        best.cut
    }

    /// Tries shapes, those first that could take the most.
    fn search<const W: usize>(&mut self, search: &Search<'_, W>, shapes: Vec<Shape>, best: &mut Best<W>) {
        let bound = |shape: Shape| {
            let (mut takes, mut copies) = (0, 0);
            for (profile, count) in &search.profiles {
                let log2 = profile.copies_log2(&shape);
                if log2 <= search.limit.ilog2() {
                    takes += count;
                    copies += count << log2;
                }
            }
            (takes, copies, shape)
        };
        let mut bounds: Vec<(usize, usize, Shape)> = shapes.into_iter().map(bound).collect();
        bounds.sort_unstable_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
        for (takes, copies, shape) in bounds {
            if takes <= best.taken {
                break;
            }
            let bits = (copies / COPIES_PER_CELL).max(1).next_power_of_two().ilog2().min(CELL_BITS_MAX);
            let cut = Cut::new(&shape, search.multipliers, bits);
            let (taken, copies) = self.try_cut(search.rules, search.left, &cut, bits, search.limit);
            if taken > best.taken || taken == best.taken && copies < best.copies {
                *best = Best { taken, copies, cut: Some(cut) };
            }
        }
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
    fn fill<const W: usize, const T: usize>(
        &mut self,
        set: &mut BlockSet<W, T>,
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
                let filled = &rules[rule as usize];
                set.blocks[block].set(end.0, filled, set.kinds.bit(filled));
                *end = (end.0 + 1, rule);
            }
        }
        set.tables.push(Table { cut, cells });
        rest
    }
}

/// Every shape of these prefix lengths of addresses and ports.
fn shapes(lengths: &[u8], sports: &[u8], dports: &[u8]) -> Vec<Shape> {
    let mut shapes = Vec::with_capacity(2 * lengths.len().pow(2) * sports.len() * dports.len());
    for (&src, &dst) in lengths.iter().flat_map(|src| lengths.iter().map(move |dst| (src, dst))) {
        for (&sport, &dport) in sports.iter().flat_map(|sport| dports.iter().map(move |dport| (sport, dport)))
        {
            shapes.extend([false, true].map(|proto| Shape { src, dst, sport, dport, proto }));
        }
    }
    shapes
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

//! Tables of blocks: what the engine looks up instead of the card's tables.

mod block;
mod build;
mod cut;
mod kinds;
mod simd;

pub use block::{Block, LANES, NARROW, Rule, WIDE};
use block::{key_words, ports};
pub use cut::Multipliers;
pub use simd::{Chosen, Simd};

use cut::Cut;
use kinds::Kinds;
use wiresift_abi::vector::Key;

/// Headers that are looked up together.
pub const BATCH: usize = 32;
const _: () = assert!(BATCH.is_multiple_of(LANES));

/// Bytes of blocks from which on they are fetched before they are needed.
const FAR_BYTES: usize = 1 << 20;

/// A table: every cell of its cut has one block.
#[derive(Clone, Debug)]
pub struct Table<const W: usize> {
    /// What of a header says in which cell it lies.
    cut: Cut<W>,
    /// Block of each cell.
    cells: Vec<u32>,
}

/// Tables that together hold a set of rules, each in at least one of them. A header is compared with one
/// block of each table, so the work for it is the same whatever it is. `W` words of a header, of which blocks hold the first `T`.
#[derive(Clone, Debug)]
pub struct BlockSet<const W: usize, const T: usize> {
    tables: Vec<Table<W>>,
    /// Blocks of all tables; the first one is empty.
    blocks: Vec<Block<T>>,
    /// Kinds of the rules; none where the blocks have the last word.
    kinds: Kinds,
    /// Whether the blocks are more than a core's own caches hold beside other things.
    far: bool,
}

/// The blocks of a set of rules, with as few words as they need: `A` of addresses, or all `W`.
#[derive(Clone, Debug)]
pub enum Set<const W: usize, const A: usize> {
    /// The last word is a kind.
    Short(BlockSet<W, A>),
    /// The rules ask for too many things in the last word.
    Long(BlockSet<W, W>),
}

/// Headers word by word.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub struct Headers<const W: usize> {
    /// Words of the headers.
    pub words: [[u32; BATCH]; W],
    /// Ports of the headers.
    pub ports: [u32; BATCH],
}

impl<const W: usize> Default for Headers<W> {
    fn default() -> Self {
        Self { words: [[0; BATCH]; W], ports: [0; BATCH] }
    }
}

impl<const W: usize> Headers<W> {
    /// Puts a header at a place.
    #[inline]
    pub fn set(&mut self, at: usize, key: &Key) {
        for (words, word) in self.words.iter_mut().zip(key_words::<W>(key)) {
            words[at] = word;
        }
        self.ports[at] = ports(key);
    }
}

/// Something of each header in a batch, at the start of a cache line.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub struct Row(pub [u32; BATCH]);

/// Block of each header in each table.
pub type Found = Vec<Row>;
/// Lanes of that block whose rule the header satisfies.
pub type Hits = Vec<[u16; BATCH]>;

impl<const W: usize, const T: usize> BlockSet<W, T> {
    fn new(rules: &[Rule<W>], kinds: Kinds, multipliers: &Multipliers) -> Self {
        let mut set = build::build(rules, kinds, multipliers);
        set.far = size_of_val(&set.blocks[..]) > FAR_BYTES;
        set
    }

    fn bytes(&self) -> usize {
        let cells: usize = self.tables.iter().map(|table| size_of_val(&table.cells[..])).sum();
        cells + size_of_val(&self.blocks[..]) + size_of_val(&self.tables[..]) + self.kinds.bytes()
    }
}

impl<const W: usize, const A: usize> Set<W, A> {
    /// The set of these rules.
    pub fn new(rules: &[Rule<W>], multipliers: &Multipliers) -> Self {
        const { assert!(A == W - 1) };
        match Kinds::of(rules) {
            Some(kinds) => Self::Short(BlockSet::new(rules, kinds, multipliers)),
            None => Self::Long(BlockSet::new(rules, Kinds::default(), multipliers)),
        }
    }

    /// The lowest number of a rule that each of the first `count` headers satisfies.
    #[inline]
    pub fn first(
        &self,
        chosen: Chosen,
        headers: &Headers<W>,
        count: usize,
        found: &mut Found,
        first: &mut [u32; BATCH],
    ) {
        match self {
            Self::Short(set) => chosen.first(set, headers, count, found, first),
            Self::Long(set) => chosen.first(set, headers, count, found, first),
        }
    }

    /// Blocks of the first `count` headers, and the lanes in them whose rules each header satisfies. A lane without
    /// a rule is never among them.
    #[inline]
    pub fn hits(
        &self,
        chosen: Chosen,
        headers: &Headers<W>,
        count: usize,
        found: &mut Found,
        hits: &mut Hits,
    ) {
        match self {
            Self::Short(set) => chosen.hits(set, headers, count, found, hits),
            Self::Long(set) => chosen.hits(set, headers, count, found, hits),
        }
    }

    /// Number of the rule in a lane of a block.
    #[inline]
    pub fn id(&self, block: u32, lane: usize) -> u32 {
        match self {
            Self::Short(set) => set.blocks[block as usize].id(lane),
            Self::Long(set) => set.blocks[block as usize].id(lane),
        }
    }

    /// Number of tables: blocks that a header is compared with.
    pub fn tables(&self) -> usize {
        match self {
            Self::Short(set) => set.tables.len(),
            Self::Long(set) => set.tables.len(),
        }
    }

    /// Bytes of all arrays.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Short(set) => set.bytes(),
            Self::Long(set) => set.bytes(),
        }
    }
}

#[cfg(test)]
pub(super) mod tests;

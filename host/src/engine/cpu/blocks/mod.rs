//! Tables of blocks: what the engine looks up instead of the card's tables.

mod block;
mod build;
mod cut;
mod simd;

pub use block::{Block, LANES, NARROW, Rule, WIDE};
use block::{key_words, ports};
pub use cut::Multipliers;
pub use simd::{Chosen, Simd};

use cut::Cut;
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
/// block of each table, so the work for it is the same whatever it is.
#[derive(Clone, Debug)]
pub struct BlockSet<const W: usize> {
    tables: Vec<Table<W>>,
    /// Blocks of all tables; the first one is empty.
    blocks: Vec<Block<W>>,
    /// Whether the blocks are more than a core's own caches hold beside other things.
    far: bool,
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

impl<const W: usize> BlockSet<W> {
    /// The set of these rules.
    pub fn new(rules: &[Rule<W>], multipliers: &Multipliers) -> Self {
        let mut set = build::build(rules, multipliers);
        set.far = size_of_val(&set.blocks[..]) > FAR_BYTES;
        set
    }

    /// The block with that number.
    #[inline]
    pub fn block(&self, number: u32) -> &Block<W> {
        &self.blocks[number as usize]
    }

    /// Number of tables: blocks that a header is compared with.
    pub fn tables(&self) -> usize {
        self.tables.len()
    }

    /// Bytes of all arrays.
    pub fn bytes(&self) -> usize {
        let cells: usize = self.tables.iter().map(|table| size_of_val(&table.cells[..])).sum();
        cells + size_of_val(&self.blocks[..]) + size_of_val(&self.tables[..])
    }
}

#[cfg(test)]
pub(super) mod tests;

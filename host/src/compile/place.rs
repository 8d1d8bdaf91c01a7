//! Placement: every entry into a slot of a table, or into the TCAM.
//!
//! An entry has one bucket in each way of every table whose shape lies within its own. It goes to a free
//! slot of one of them; where all are taken, entries that stand there move to other buckets of theirs
//! (cuckoo hashing, by breadth-first search, so the shortest chain of moves is taken).

use std::sync::Arc;

use wiresift_abi::geometry::{Geometry, WAYS};

use super::masks::Chooser;
use super::search::{Search, Tables};
use super::table::{FREE, Item, Table};
use crate::engine::cpu::hash::ByteHash;

/// Buckets that one search within a table looks at.
const TABLE_SEARCH: usize = 400;
/// Buckets that one search over all tables looks at.
const WIDE_SEARCH: usize = 1000;
/// Buckets that all searches over all tables in all attempts look at together: what bounds the time of a
/// placement that fails.
const WIDE_SEARCHES: usize = 4_000_000;
/// Attempts at a placement at most.
const ATTEMPTS_MAX: usize = 32;
/// Items that all attempts together may place.
const ATTEMPTS_ITEMS: usize = 100_000;
/// Times that every table may get another mask.
const IMPROVE_PASSES: usize = 4;
/// Items that may be placed anew, each time counted, while tables get other masks.
const IMPROVE_ITEMS: usize = 600_000;

/// All tables, and what did not go into them.
pub struct Placement<'a> {
    items: Arc<Vec<Item>>,
    hash: &'a ByteHash,
    geometry: &'static Geometry,
    /// Every table of the geometry, in order.
    pub tables: Vec<Table>,
    placed: Vec<bool>,
    search: Search,
    searched: usize,
    attempt: u64,
}

impl<'a> Placement<'a> {
    /// Places what fits. Where that is not all, small rule sets get more attempts with other masks.
    pub fn new(items: Vec<Item>, hash: &'a ByteHash, geometry: &'static Geometry) -> Self {
        let items = Arc::new(items);
        let attempts = (ATTEMPTS_ITEMS / items.len().max(1)).clamp(1, ATTEMPTS_MAX) as u64;
        let mut best = Self::attempt(&items, hash, geometry, 0, 0);
        let mut searched = best.searched;
        for attempt in 1..attempts {
            if best.fits() || best.is_far() || searched >= WIDE_SEARCHES {
                break;
            }
            let other = Self::attempt(&items, hash, geometry, attempt, searched);
            searched = other.searched;
            if other.left().len() < best.left().len() {
                best = other;
            }
        }
        best
    }

    fn attempt(
        items: &Arc<Vec<Item>>,
        hash: &'a ByteHash,
        geometry: &'static Geometry,
        attempt: u64,
        searched: usize,
    ) -> Self {
        let tables: Vec<Table> = (0..geometry.tables()).map(|number| Table::new(geometry, number)).collect();
        let search = Search::new(&tables);
        let mut placement = Self {
            items: Arc::clone(items),
            hash,
            geometry,
            tables,
            placed: vec![false; items.len()],
            search,
            searched,
            attempt,
        };
        let all = 0..items.len() as u32;
        let (narrow, wide): (Vec<u32>, Vec<u32>) =
            all.partition(|&item| items[item as usize].shape.is_narrow());
        placement.fill(&wide, false);
        placement.fill(&narrow, true);
        placement.squeeze();
        placement.improve();
        placement
    }

    /// What was to be placed, in the order in which it was given.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// Whether the TCAM holds what no table took.
    fn fits(&self) -> bool {
        self.left().len() <= self.geometry.tcam_entries
    }

    /// Whether so much is left that other masks are not worth the time.
    fn is_far(&self) -> bool {
        self.left().len() > self.geometry.tcam_entries + self.items.len() / 4
    }

    /// Items that no table took, in order.
    pub fn left(&self) -> Vec<usize> {
        (0..self.items.len()).filter(|&item| !self.placed[item]).collect()
    }

    /// Gives masks to tables without one, as long as there are such tables and items of the pool.
    fn fill(&mut self, pool: &[u32], narrow: bool) {
        let items = Arc::clone(&self.items);
        let mut chooser = Chooser::new(&items, pool, WAYS * self.geometry.bucket_slots, self.attempt);
        for table in 0..self.tables.len() {
            self.insert_all(&chooser.pool(), table);
        }
        chooser.remove(&self.placed);
        while chooser.left() > 0 {
            let free_narrow = narrow.then(|| self.free_table(true)).flatten();
            let free_wide = self.free_table(false);
            let slots = |table: Option<usize>| table.map_or(0, |table| self.tables[table].slots().len());
            let (narrow_slots, wide_slots) = (slots(free_narrow), slots(free_wide));
            let Some((shape, gain)) = chooser.best(narrow_slots.max(wide_slots)) else { break };
            // A table is never filled to the last slot.
            let small = gain * 10 <= narrow_slots * 9 || free_wide.is_none();
            let Some(table) = (if small { free_narrow } else { free_wide }) else { break };
            self.tables[table].set_shape(Some(shape));
            self.insert_all(&chooser.pool(), table);
            chooser.remove(&self.placed);
        }
    }

    fn free_table(&self, narrow: bool) -> Option<usize> {
        self.tables.iter().position(|table| table.shape().is_none() && table.is_narrow() == narrow)
    }

    /// Puts what fits of the pool into one table.
    fn insert_all(&mut self, pool: &[u32], table: usize) {
        let mut full = rustc_hash::FxHashSet::default();
        for &item in pool {
            if self.placed[item as usize] || !self.tables[table].takes(&self.items[item as usize]) {
                continue;
            }
            // A key whose buckets could not take one item more will not take the next.
            let key = self.tables[table].masked(&self.items[item as usize].key);
            if !full.contains(&key) && !self.insert(item, table..table + 1, TABLE_SEARCH) {
                full.insert(key);
            }
        }
    }

    /// Tries what is left in all tables together.
    fn squeeze(&mut self) {
        let tables = self.tables.len();
        for item in self.left() {
            if self.searched < WIDE_SEARCHES {
                self.insert(item as u32, 0..tables, WIDE_SEARCH);
            }
        }
    }

    /// While too much is left: empties one table after the other and gives it the mask that is best for
    /// what was in it and what is left, where that leaves less.
    fn improve(&mut self) {
        let mut improved = 0;
        for _ in 0..IMPROVE_PASSES {
            let before = self.left().len();
            for table in 0..self.tables.len() {
                let too_long = self.searched >= WIDE_SEARCHES || improved >= IMPROVE_ITEMS;
                if self.fits() || self.is_far() || too_long {
                    return;
                }
                improved += self.items.len();
                self.replace_mask(table);
            }
            if self.left().len() == before {
                return;
            }
        }
    }

    /// Another mask for a table, kept where it leaves fewer items.
    fn replace_mask(&mut self, table: usize) {
        let (tables, placed) = (self.tables.clone(), self.placed.clone());
        let before = self.left().len();
        let narrow = self.tables[table].is_narrow();
        for (_, _, item) in tables[table].occupants() {
            self.placed[item] = false;
        }
        self.tables[table] = Table::new(self.geometry, table);
        let fits_table = |&item: &usize| !narrow || self.items[item].shape.is_narrow();
        let pool: Vec<u32> = self.left().into_iter().filter(fits_table).map(|item| item as u32).collect();
        let items = Arc::clone(&self.items);
        let mut chooser = Chooser::new(&items, &pool, WAYS * self.geometry.bucket_slots, self.attempt);
        if let Some((shape, _)) = chooser.best(self.tables[table].slots().len()) {
            self.tables[table].set_shape(Some(shape));
            self.insert_all(&chooser.pool(), table);
        }
        self.squeeze();
        if self.left().len() >= before {
            (self.tables, self.placed) = (tables, placed);
        }
    }

    /// Puts an item into a free slot of one of the tables, moving others where need be. Looks at about
    /// `limit` buckets at most.
    fn insert(&mut self, item: u32, within: std::ops::Range<usize>, limit: usize) -> bool {
        let items = &self.items;
        let tables =
            Tables { tables: &self.tables, within, item: |item| &items[item as usize], hash: self.hash };
        let moves = self.search.room(item, &tables, limit);
        let is_there = moves.is_some();
        for to in moves.unwrap_or_default() {
            self.tables[to.table].put(to.slot, to.item);
        }
        self.placed[item as usize] |= is_there;
        self.searched += self.search.looked_at();
        is_there
    }

    /// Places `pieces`, behind all other items, instead of an item that no table took; `false`, and nothing
    /// is changed but where others stand, if not all of them find a slot.
    pub fn replace(&mut self, item: usize, pieces: &[Item]) -> bool {
        let first = self.items.len();
        Arc::make_mut(&mut self.items).extend_from_slice(pieces);
        self.placed.resize(self.items.len(), false);
        let tables = self.tables.len();
        let fits = (first..self.items.len()).all(|piece| self.insert(piece as u32, 0..tables, TABLE_SEARCH));
        if fits {
            self.placed[item] = true;
        } else {
            let placed: Vec<usize> = (first..self.items.len()).filter(|&piece| self.placed[piece]).collect();
            placed.into_iter().for_each(|piece| self.remove(piece));
            Arc::make_mut(&mut self.items).truncate(first);
            self.placed.truncate(first);
        }
        fits
    }

    /// Frees the slot of a placed item.
    fn remove(&mut self, item: usize) {
        for table in &mut self.tables {
            if !table.takes(&self.items[item]) {
                continue;
            }
            for bucket in table.buckets(&self.items[item].key, self.hash) {
                let slot = table.in_bucket(bucket).iter().position(|&other| other == item as u32);
                if let Some(slot) = slot {
                    table.put(table.slot(bucket, slot), FREE);
                    return;
                }
            }
        }
    }
}

//! Placement: every entry into a slot of a table, or into the TCAM.
//!
//! An entry has one bucket in each way of every table whose shape lies within its own. It goes to a free
//! slot of one of them; where all are taken, entries that stand there move to other buckets of theirs
//! (cuckoo hashing, by breadth-first search, so the shortest chain of moves is taken).

use std::sync::Arc;

use wiresift_abi::entry::Entry;
use wiresift_abi::geometry::{Geometry, WAYS};
use wiresift_abi::vector::Key;

use super::masks::Chooser;
use super::shape::{self, Shape};
use crate::engine::cpu::hash::{self, ByteHash};

/// No entry.
const FREE: u32 = u32::MAX;
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

/// An entry as the placement sees it.
#[derive(Clone, Copy, Debug)]
pub struct Item {
    /// Key of the header vectors that match, right in the bits of `shape`.
    pub key: Key,
    /// Bits that count.
    pub shape: Shape,
}

impl Item {
    /// An entry as an item; `None` where an address is not a prefix.
    pub fn of(entry: &Entry) -> Option<Self> {
        Some(Self { key: shape::key_of(entry), shape: Shape::of(entry)? })
    }
}

/// A table with the items in its slots.
#[derive(Clone, Debug)]
pub struct Table {
    /// Mask, once it has one.
    pub shape: Option<Shape>,
    mask: Key,
    narrow: bool,
    buckets_log2: u32,
    bucket_slots: usize,
    /// Way by way, bucket by bucket.
    slots: Vec<u32>,
    /// Search in which each bucket was last looked at.
    seen: Vec<u32>,
    load: usize,
}

impl Table {
    fn new(geometry: &Geometry, number: usize) -> Self {
        let buckets_log2 = geometry.buckets_log2(number);
        Self {
            shape: None,
            mask: Key::default(),
            narrow: geometry.is_narrow(number),
            buckets_log2,
            bucket_slots: geometry.bucket_slots,
            slots: vec![FREE; geometry.slots(number)],
            seen: vec![0; WAYS << buckets_log2],
            load: 0,
        }
    }

    /// Items in the table.
    pub fn load(&self) -> usize {
        self.load
    }

    /// Slots of the table.
    pub fn capacity(&self) -> usize {
        self.slots.len()
    }

    /// Every item in the table: slot (`way * bucket_slots + slot`, as in a command), bucket, item.
    pub fn occupants(&self) -> impl Iterator<Item = (usize, usize, usize)> {
        self.slots.iter().enumerate().filter(|(_, item)| **item != FREE).map(|(at, &item)| {
            let (bucket, slot) = (at / self.bucket_slots, at % self.bucket_slots);
            let way = bucket >> self.buckets_log2;
            let in_way = bucket & ((1 << self.buckets_log2) - 1);
            (way * self.bucket_slots + slot, in_way, item as usize)
        })
    }

    fn takes(&self, item: &Item) -> bool {
        let within = self.shape.is_some_and(|shape| shape.within(&item.shape));
        within && (!self.narrow || item.shape.is_narrow())
    }

    fn bucket(&self, hash: u32, way: usize) -> usize {
        (way << self.buckets_log2) | hash::index(hash, way, self.buckets_log2)
    }

    fn in_bucket(&self, bucket: usize) -> &[u32] {
        &self.slots[bucket * self.bucket_slots..][..self.bucket_slots]
    }
}

/// A bucket that a search came to.
#[derive(Clone, Copy)]
struct Step {
    table: u32,
    bucket: u32,
    /// Step and slot whose item would move here; for the first steps the item to be placed.
    from: Option<(u32, u32)>,
}

/// All tables, and what did not go into them.
pub struct Placement<'a> {
    items: Arc<Vec<Item>>,
    hash: &'a ByteHash,
    geometry: &'static Geometry,
    /// Every table of the geometry, in order.
    pub tables: Vec<Table>,
    placed: Vec<bool>,
    steps: Vec<Step>,
    search: u32,
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
        let tables = (0..geometry.tables()).map(|number| Table::new(geometry, number)).collect();
        let mut placement = Self {
            items: Arc::clone(items),
            hash,
            geometry,
            tables,
            placed: vec![false; items.len()],
            steps: Vec::new(),
            search: 0,
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
            let slots = |table: Option<usize>| table.map_or(0, |table| self.tables[table].capacity());
            let (narrow_slots, wide_slots) = (slots(free_narrow), slots(free_wide));
            let Some((shape, gain)) = chooser.best(narrow_slots.max(wide_slots)) else { break };
            // A table is never filled to the last slot.
            let small = gain * 10 <= narrow_slots * 9 || free_wide.is_none();
            let Some(table) = (if small { free_narrow } else { free_wide }) else { break };
            self.tables[table].shape = Some(shape);
            self.tables[table].mask = shape.mask();
            self.insert_all(&chooser.pool(), table);
            chooser.remove(&self.placed);
        }
    }

    fn free_table(&self, narrow: bool) -> Option<usize> {
        self.tables.iter().position(|table| table.shape.is_none() && table.narrow == narrow)
    }

    /// Puts what fits of the pool into one table.
    fn insert_all(&mut self, pool: &[u32], table: usize) {
        let mut full = rustc_hash::FxHashSet::default();
        for &item in pool {
            if self.placed[item as usize] || !self.tables[table].takes(&self.items[item as usize]) {
                continue;
            }
            // A key whose buckets could not take one item more will not take the next.
            let key = self.items[item as usize].key.and(&self.tables[table].mask);
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
        let narrow = self.tables[table].narrow;
        for (_, _, item) in tables[table].occupants() {
            self.placed[item] = false;
        }
        self.tables[table] = Table::new(self.geometry, table);
        let fits_table = |&item: &usize| !narrow || self.items[item].shape.is_narrow();
        let pool: Vec<u32> = self.left().into_iter().filter(fits_table).map(|item| item as u32).collect();
        let items = Arc::clone(&self.items);
        let mut chooser = Chooser::new(&items, &pool, WAYS * self.geometry.bucket_slots, self.attempt);
        if let Some((shape, _)) = chooser.best(self.tables[table].capacity()) {
            self.tables[table].shape = Some(shape);
            self.tables[table].mask = shape.mask();
            self.insert_all(&chooser.pool(), table);
        }
        self.squeeze();
        if self.left().len() >= before {
            (self.tables, self.placed) = (tables, placed);
        }
    }

    /// Puts an item into a free slot of one of the tables, moving others where need be. Looks at about
    /// `limit` buckets at most.
    fn insert(&mut self, item: u32, tables: std::ops::Range<usize>, limit: usize) -> bool {
        self.search += 1;
        self.steps.clear();
        self.reach(item, tables.clone(), None);
        let mut at = 0;
        while let Some(&Step { table, bucket, .. }) = self.steps.get(at) {
            let table = &self.tables[table as usize];
            let slots = table.in_bucket(bucket as usize);
            if let Some(slot) = slots.iter().position(|&item| item == FREE) {
                self.tables[self.steps[at].table as usize].load += 1;
                self.unwind(at, slot, item);
                self.placed[item as usize] = true;
                self.searched += self.steps.len();
                return true;
            }
            for slot in 0..slots.len() {
                if self.steps.len() >= limit {
                    break;
                }
                let occupant = self.occupant(at, slot);
                self.reach(occupant, tables.clone(), Some((at as u32, slot as u32)));
            }
            at += 1;
        }
        self.searched += self.steps.len();
        false
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
        let key = self.items[item].key;
        for table in &mut self.tables {
            if !table.takes(&self.items[item]) {
                continue;
            }
            let hash = self.hash.of(&key.and(&table.mask));
            for way in 0..WAYS {
                let at = table.bucket(hash, way) * table.bucket_slots;
                let slots = &mut table.slots[at..at + table.bucket_slots];
                if let Some(slot) = slots.iter_mut().find(|slot| **slot == item as u32) {
                    *slot = FREE;
                    table.load -= 1;
                    return;
                }
            }
        }
    }

    fn occupant(&self, step: usize, slot: usize) -> u32 {
        let Step { table, bucket, .. } = self.steps[step];
        self.tables[table as usize].in_bucket(bucket as usize)[slot]
    }

    /// Adds the buckets of an item to the search.
    fn reach(&mut self, item: u32, tables: std::ops::Range<usize>, from: Option<(u32, u32)>) {
        let item = &self.items[item as usize];
        for number in tables {
            let table = &mut self.tables[number];
            if !table.takes(item) {
                continue;
            }
            let hash = self.hash.of(&item.key.and(&table.mask));
            for way in 0..WAYS {
                let bucket = table.bucket(hash, way);
                if table.seen[bucket] != self.search {
                    table.seen[bucket] = self.search;
                    self.steps.push(Step { table: number as u32, bucket: bucket as u32, from });
                }
            }
        }
    }

    /// Moves the items of the chain that ends in a free slot, and puts `item` where it begins.
    fn unwind(&mut self, mut step: usize, mut slot: usize, item: u32) {
        loop {
            let Step { table, bucket, from } = self.steps[step];
            let mover = from.map_or(item, |(step, slot)| self.occupant(step as usize, slot as usize));
            let table = &mut self.tables[table as usize];
            table.slots[bucket as usize * table.bucket_slots + slot] = mover;
            let Some((from_step, from_slot)) = from else { return };
            (step, slot) = (from_step as usize, from_slot as usize);
        }
    }
}

//! The search for a free slot: in a bucket of the item itself, or where another item moves out of the way.
//!
//! Cuckoo hashing with buckets, searched breadth first, so the shortest chain of moves is found (Erlingsson,
//! Manasse, McSherry, "A cool and practical alternative to traditional hash tables", 2006).

use super::table::{FREE, Item, Table};
use crate::engine::cpu::hash::ByteHash;

/// Tables in which items look for room.
pub struct Tables<'a, F> {
    /// Every table of the geometry.
    pub tables: &'a [Table],
    /// Those of them that may be used.
    pub within: std::ops::Range<usize>,
    /// What stands behind a number.
    pub item: F,
    /// Hash of their keys.
    pub hash: &'a ByteHash,
}

/// An item that goes into a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    /// Number of the table.
    pub table: usize,
    /// Number of the slot in it.
    pub slot: usize,
    /// Number of the item.
    pub item: u32,
}

/// A bucket that a search came to.
#[derive(Clone, Copy, Debug)]
struct Step {
    table: u32,
    bucket: u32,
    /// Step and slot whose item would move here; for the first steps the item to be placed.
    from: Option<(u32, u32)>,
}

/// What searches leave for the next one, so that it need not ask for memory.
#[derive(Clone, Debug)]
pub struct Search {
    steps: Vec<Step>,
    moves: Vec<Move>,
    /// Number of the search in which each bucket of each table was last come to.
    seen: Vec<Vec<u32>>,
    number: u32,
}

impl Search {
    /// For these tables.
    pub fn new(tables: &[Table]) -> Self {
        let seen = tables.iter().map(|table| vec![0; table.bucket_count()]).collect();
        Self { steps: Vec::new(), moves: Vec::new(), seen, number: 0 }
    }

    /// Moves that make room for an item, in the order in which they can be done; the last one is its own. `None` where there is
    /// no room among about `limit` buckets.
    pub fn room<'i>(
        &mut self,
        item: u32,
        tables: &Tables<'_, impl Fn(u32) -> &'i Item>,
        limit: usize,
    ) -> Option<&[Move]> {
        self.number += 1;
        self.steps.clear();
        self.reach(item, tables, None);
        let mut at = 0;
        while let Some(&Step { table, bucket, .. }) = self.steps.get(at) {
            let slots = tables.tables[table as usize].in_bucket(bucket as usize);
            if let Some(slot) = slots.iter().position(|&item| item == FREE) {
                self.unwind(at, slot, item, tables.tables);
                return Some(&self.moves);
            }
            for (slot, &occupant) in slots.iter().enumerate() {
                if self.steps.len() >= limit {
                    break;
                }
                self.reach(occupant, tables, Some((at as u32, slot as u32)));
            }
            at += 1;
        }
        None
    }

    /// Buckets that the last search came to.
    pub fn looked_at(&self) -> usize {
        self.steps.len()
    }

    /// Adds the buckets of an item to the search.
    fn reach<'i>(
        &mut self,
        item: u32,
        tables: &Tables<'_, impl Fn(u32) -> &'i Item>,
        from: Option<(u32, u32)>,
    ) {
        let item = (tables.item)(item);
        for number in tables.within.clone() {
            let table = &tables.tables[number];
            if !table.takes(item) {
                continue;
            }
            for bucket in table.buckets(&item.key, tables.hash) {
                let seen = &mut self.seen[number][bucket];
                if *seen != self.number {
                    *seen = self.number;
                    self.steps.push(Step { table: number as u32, bucket: bucket as u32, from });
                }
            }
        }
    }

    /// The moves of the chain that ends in a free slot.
    fn unwind(&mut self, step: usize, slot: usize, item: u32, tables: &[Table]) {
        self.moves.clear();
        let mut at = (step, slot);
        loop {
            let Step { table, bucket, from } = self.steps[at.0];
            let from = from.map(|(step, slot)| (step as usize, slot as usize));
            let mover = from.map_or(item, |(step, slot)| {
                let Step { table, bucket, .. } = self.steps[step];
                tables[table as usize].in_bucket(bucket as usize)[slot]
            });
            let table = table as usize;
            self.moves.push(Move { table, slot: tables[table].slot(bucket as usize, at.1), item: mover });
            let Some(from) = from else { return };
            at = from;
        }
    }
}

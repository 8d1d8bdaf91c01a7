//! A masked table as the compiler sees it: which items it takes, in which buckets, and what its slots hold.

use wiresift_abi::entry::Entry;
use wiresift_abi::geometry::{Geometry, WAYS};
use wiresift_abi::vector::Key;

use super::shape::{self, Shape};
use crate::engine::cpu::hash::{self, ByteHash};

/// What a slot holds that holds nothing.
pub const FREE: u32 = u32::MAX;

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

/// A table with the numbers of items in its slots.
#[derive(Clone, Debug)]
pub struct Table {
    shape: Option<Shape>,
    mask: Key,
    narrow: bool,
    buckets_log2: u32,
    bucket_slots: usize,
    /// Way by way, bucket by bucket.
    slots: Vec<u32>,
    load: usize,
}

impl Table {
    /// An empty table of a geometry, without a mask.
    pub fn new(geometry: &Geometry, number: usize) -> Self {
        Self {
            shape: None,
            mask: Key::default(),
            narrow: geometry.is_narrow(number),
            buckets_log2: geometry.buckets_log2(number),
            bucket_slots: geometry.bucket_slots,
            slots: vec![FREE; geometry.slots(number)],
            load: 0,
        }
    }

    /// Mask, once it has one.
    pub fn shape(&self) -> Option<Shape> {
        self.shape
    }

    /// Gives it a mask, or takes it away; what is in its slots stays.
    pub fn set_shape(&mut self, shape: Option<Shape>) {
        self.shape = shape;
        self.mask = shape.map_or(Key::default(), |shape| shape.mask());
    }

    /// Whether its entries have no room for the lower bits of IPv6 addresses.
    pub fn is_narrow(&self) -> bool {
        self.narrow
    }

    /// Items in the table.
    pub fn load(&self) -> usize {
        self.load
    }

    /// Slots of the table, which are numbered way by way, bucket by bucket.
    pub fn slots(&self) -> &[u32] {
        &self.slots
    }

    /// Puts an item, or [`FREE`], into a slot, and gives what was there.
    pub fn put(&mut self, slot: usize, item: u32) -> u32 {
        let old = std::mem::replace(&mut self.slots[slot], item);
        self.load = self.load + usize::from(item != FREE) - usize::from(old != FREE);
        old
    }

    /// Number of a slot of a bucket.
    pub fn slot(&self, bucket: usize, slot: usize) -> usize {
        bucket * self.bucket_slots + slot
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

    /// Whether an item may stand in the table.
    pub fn takes(&self, item: &Item) -> bool {
        let within = self.shape.is_some_and(|shape| shape.within(&item.shape));
        within && (!self.narrow || item.shape.is_narrow())
    }

    /// What the mask leaves of a key.
    pub fn masked(&self, key: &Key) -> Key {
        key.and(&self.mask)
    }

    /// Buckets of a key, one in each way.
    pub fn buckets(&self, key: &Key, hash: &ByteHash) -> [usize; WAYS] {
        let both = hash.of(&self.masked(key));
        std::array::from_fn(|way| (way << self.buckets_log2) | hash::index(both, way, self.buckets_log2))
    }

    /// Buckets of all ways.
    pub fn bucket_count(&self) -> usize {
        WAYS << self.buckets_log2
    }

    /// Slots of a bucket.
    pub fn in_bucket(&self, bucket: usize) -> &[u32] {
        &self.slots[bucket * self.bucket_slots..][..self.bucket_slots]
    }
}

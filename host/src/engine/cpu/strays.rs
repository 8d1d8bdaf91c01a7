//! Slots whose entry is not in the bucket of its own key, or asks for less than its table's mask hashes.
//!
//! The compiler places none, but an image may hold them, and the card compares a slot only with the keys whose
//! bucket it is in. They are looked up as the card does it: one bucket of each way of each such table.

use rustc_hash::FxHashMap;
use wiresift_abi::bits::Line;
use wiresift_abi::entry::{Entry, Kind};
use wiresift_abi::geometry::WAYS;
use wiresift_abi::vector::Key;

use super::hash::{self, ByteHash};
use super::state::State;

/// Tables with strays.
#[derive(Clone, Debug, Default)]
pub struct Strays {
    tables: Vec<Table>,
}

#[derive(Clone, Debug)]
struct Table {
    number: u8,
    mask: Key,
    buckets_log2: u32,
    /// Entries by way and index.
    buckets: FxHashMap<(usize, usize), Vec<Entry>>,
}

impl Strays {
    /// Takes the entry of a slot if it is a stray, or else gives it back: every header vector that satisfies it
    /// then finds it.
    pub fn sort(&mut self, state: &State, hash: &ByteHash, at: (u8, u16, u8), entry: Entry) -> Option<Entry> {
        let (number, index, slot) = at;
        let (way, index) = (usize::from(slot) / state.geometry.bucket_slots, usize::from(index));
        let mask = &state.masks[usize::from(number)];
        let buckets_log2 = state.geometry.buckets_log2(usize::from(number));
        if home(&entry, mask, hash, way, buckets_log2) == Some(index) {
            return Some(entry);
        }
        let place = self.tables.iter().position(|table| table.number == number).unwrap_or_else(|| {
            self.tables.push(Table { number, mask: *mask, buckets_log2, buckets: FxHashMap::default() });
            self.tables.len() - 1
        });
        self.tables[place].buckets.entry((way, index)).or_default().push(entry);
        None
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    /// Kind and number of every stray.
    pub fn ids(&self) -> impl Iterator<Item = (Kind, u32)> {
        self.tables
            .iter()
            .flat_map(|table| table.buckets.values().flatten())
            .map(|entry| (entry.kind, entry.id))
    }

    /// Calls `found` with every stray that the key satisfies.
    pub fn look_up(&self, key: &Key, hash: &ByteHash, mut found: impl FnMut(Kind, u32)) {
        let vector: Line = key.to_line();
        for table in &self.tables {
            let both = hash.of(&key.and(&table.mask));
            for way in 0..WAYS {
                let index = hash::index(both, way, table.buckets_log2);
                let bucket = table.buckets.get(&(way, index)).map_or(&[][..], Vec::as_slice);
                bucket
                    .iter()
                    .filter(|entry| entry.matches(&vector))
                    .for_each(|entry| found(entry.kind, entry.id));
            }
        }
    }
}

/// The bucket that all keys that satisfy the entry have in a way; `None` where they do not have one.
fn home(entry: &Entry, mask: &Key, hash: &ByteHash, way: usize, buckets_log2: u32) -> Option<usize> {
    // The leading bits that all ports of a range have in common.
    let in_common =
        |(lo, hi): (u16, u16)| u64::from(!u16::MAX.checked_shr((lo ^ hi).leading_zeros()).unwrap_or(0));
    let key = |src: u128, dst: u128, ports: u64, proto: u8, class: u8| {
        let rest = ports | u64::from(proto) << 32 | u64::from(class) << 40;
        Key([src as u64, (src >> 64) as u64, dst as u64, (dst >> 64) as u64, rest])
    };
    let (sport, dport) = (entry.sport, entry.dport);
    let counts = in_common(sport) | in_common(dport) << 16;
    let counts = key(entry.src.mask, entry.dst.mask, counts, entry.proto.mask, entry.class.mask);
    if counts.and(mask) != *mask {
        return None;
    }
    let ports = u64::from(sport.0) | u64::from(dport.0) << 16;
    let value = key(entry.src.value, entry.dst.value, ports, entry.proto.value, entry.class.value);
    Some(hash::index(hash.of(&value.and(mask)), way, buckets_log2))
}

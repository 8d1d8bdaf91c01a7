//! Tables that change entry by entry: every entry has its slot or its place in the TCAM, and a change can
//! be taken back.
//!
//! Where `place` finds room for a whole set, this finds it for one entry more, and moves as few others as
//! it can. As there (`split`), an entry for which no mask is left may stand in pieces.

use rustc_hash::FxHashMap;
use wiresift_abi::entry::Entry;
use wiresift_abi::geometry::Geometry;

use super::super::search::{self, Search};
use super::super::shape::Shape;
use super::super::split::{self, Fitted};
use super::super::table::{FREE, Item, Table};
use crate::engine::cpu::hash::ByteHash;

/// Buckets that the search for room for one entry looks at.
const SEARCH: usize = 2000;
/// Pieces of one entry at most: each is a command and a slot.
const PIECES: u64 = 128;
/// Masks for whose bits an entry is cut, at most.
const CUTS: usize = 4;
/// Bits that a mask of one entry counts at least, if the entry shall not rather go to the TCAM.
const MASK_WEIGHT: u32 = 12;

/// Where an entry stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// Slot of a table: way by way, bucket by bucket.
    Slot {
        /// Number of the table.
        table: u8,
        /// Number of the slot.
        at: u32,
    },
    /// Entry of the TCAM.
    Tcam(u16),
}

/// An entry, or a piece of one, with its place.
#[derive(Clone, Debug)]
struct Held {
    entry: Entry,
    item: Item,
    place: Place,
}

/// How an entry is held.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Pieces {
    Whole(u32),
    Cut(Vec<u32>),
}

impl Pieces {
    fn all(&self) -> &[u32] {
        match self {
            Self::Whole(n) => std::slice::from_ref(n),
            Self::Cut(all) => all,
        }
    }
}

/// All tables and the TCAM.
#[derive(Clone, Debug)]
pub struct Tables {
    geometry: &'static Geometry,
    tables: Vec<Table>,
    tcam: Vec<u32>,
    held: Vec<Held>,
    unused: Vec<u32>,
    by_entry: FxHashMap<Entry, Pieces>,
    journal: Journal,
    search: Search,
}

/// What there was before the changes that are not yet kept.
#[derive(Clone, Debug, Default)]
struct Journal {
    places: FxHashMap<Place, u32>,
    masks: FxHashMap<u8, Option<Shape>>,
    inserted: Vec<(Entry, Pieces)>,
    removed: Vec<(Entry, Pieces)>,
}

/// A place that holds another entry than before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The place.
    pub place: Place,
    /// Entry before.
    pub old: Option<Entry>,
    /// Entry now.
    pub new: Option<Entry>,
}

impl Change {
    /// Whether the place is a slot of one of these tables.
    fn is_in(&self, tables: &[(u8, Shape)]) -> bool {
        matches!(self.place, Place::Slot { table, .. } if tables.iter().any(|(number, _)| *number == table))
    }
}

/// What became of tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Places whose entry changed, in order.
    pub places: Vec<Change>,
    /// Tables with another mask, in order. Where such a table held entries, `places` has all of them.
    pub masks: Vec<(u8, Shape)>,
}

impl Tables {
    /// Tables as a placement says that the TCAM holds the rest of.
    pub fn new(geometry: &'static Geometry, fitted: &Fitted<'_>) -> Self {
        let mut tables = Self::empty(geometry);
        let mut cut: FxHashMap<usize, Vec<u32>> = FxHashMap::default();
        for (number, placed) in fitted.placement.tables.iter().enumerate() {
            if let Some(shape) = placed.shape() {
                tables.set_mask(number as u8, shape);
            }
            let (bucket_slots, log2) = (geometry.bucket_slots, geometry.buckets_log2(number));
            for (slot, bucket, n) in placed.occupants() {
                let (way, slot) = (slot / bucket_slots, slot % bucket_slots);
                let at = (((way << log2) | bucket) * bucket_slots + slot) as u32;
                let held = tables.hold(fitted, n, Place::Slot { table: number as u8, at });
                match n.checked_sub(fitted.whole) {
                    Some(piece) => cut.entry(fitted.parents[piece]).or_default().push(held),
                    None => tables.note(fitted.entries[n], Pieces::Whole(held)),
                }
            }
        }
        for (index, n) in fitted.placement.left().into_iter().enumerate() {
            let held = tables.hold(fitted, n, Place::Tcam(index as u16));
            tables.note(fitted.entries[n], Pieces::Whole(held));
        }
        for (parent, pieces) in cut {
            tables.note(fitted.entries[parent], Pieces::Cut(pieces));
        }
        tables.keep();
        tables
    }

    fn hold(&mut self, fitted: &Fitted<'_>, n: usize, place: Place) -> u32 {
        let (entry, item) = (fitted.entries[n], fitted.placement.items()[n]);
        let held = self.new_held(Held { entry, item, place });
        self.put(place, held);
        held
    }

    fn note(&mut self, entry: Entry, pieces: Pieces) {
        self.by_entry.insert(entry, pieces.clone());
        self.journal.inserted.push((entry, pieces));
    }

    fn empty(geometry: &'static Geometry) -> Self {
        let tables: Vec<Table> = (0..geometry.tables()).map(|number| Table::new(geometry, number)).collect();
        Self {
            geometry,
            search: Search::new(&tables),
            tables,
            tcam: vec![FREE; geometry.tcam_entries],
            held: Vec::new(),
            unused: Vec::new(),
            by_entry: FxHashMap::default(),
            journal: Journal::default(),
        }
    }

    /// Every entry, in no order.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.by_entry.keys()
    }

    /// Places in use: entries, and pieces of those that were cut.
    pub fn places(&self) -> usize {
        self.tables.iter().map(|table| table.load()).sum::<usize>() + self.tcam_len()
    }

    /// Entries in the TCAM.
    pub fn tcam_len(&self) -> usize {
        self.tcam.iter().filter(|held| **held != FREE).count()
    }

    /// Whether an entry is there.
    pub fn contains(&self, entry: &Entry) -> bool {
        self.by_entry.contains_key(entry)
    }

    /// Takes an entry out.
    pub fn remove(&mut self, entry: &Entry) {
        if let Some(pieces) = self.by_entry.remove(entry) {
            for &n in pieces.all() {
                self.put(self.held[n as usize].place, FREE);
            }
            self.journal.removed.push((*entry, pieces));
        }
    }

    /// Puts `new`, which asks for the same under another number, in the place of `old`.
    pub fn renumber(&mut self, old: &Entry, new: Entry) {
        let Some(before) = self.by_entry.remove(old) else { return };
        let mut again = |n: &u32| {
            let held = self.held[*n as usize].clone();
            let place = held.place;
            let n = self.new_held(Held { entry: Entry { id: new.id, ..held.entry }, ..held });
            self.put(place, n);
            n
        };
        let pieces = match &before {
            Pieces::Whole(n) => Pieces::Whole(again(n)),
            Pieces::Cut(all) => Pieces::Cut(all.iter().map(again).collect()),
        };
        self.journal.removed.push((*old, before));
        self.note(new, pieces);
    }

    /// Finds room for an entry; `false`, and nothing done, where it finds none.
    pub fn insert(&mut self, entry: Entry, item: Item, hash: &ByteHash) -> bool {
        // Held at a place that is overwritten.
        let n = self.new_held(Held { entry, item, place: Place::Tcam(0) });
        let found = self.settle(n, hash)
            || self.settle_in_tcam_for_want_of_bits(n)
            || self.open_table(n, hash)
            || self.settle_in_tcam(n)
            || self.relieve_tcam(n, hash);
        if found {
            self.note(entry, Pieces::Whole(n));
            return true;
        }
        self.unused.push(n);
        self.insert_cut(&entry, hash)
    }

    /// Finds room for the pieces of an entry, cut for a mask that some table has.
    fn insert_cut(&mut self, entry: &Entry, hash: &ByteHash) -> bool {
        let shapes = self.tables.iter().filter_map(Table::shape);
        let options = split::options(shapes, entry).into_iter().filter(|(count, _)| *count <= PIECES);
        let options: Vec<(u64, Shape)> = options.take(CUTS).collect();
        for (_, shape) in options {
            let pieces = split::pieces(entry, &shape).unwrap_or_default();
            let items: Option<Vec<Item>> = pieces.iter().map(Item::of).collect();
            let Some(items) = items else { continue };
            let mut held = Vec::with_capacity(pieces.len());
            let found = pieces.into_iter().zip(items).all(|(entry, item)| {
                let n = self.new_held(Held { entry, item, place: Place::Tcam(0) });
                let found = self.settle(n, hash);
                if found {
                    held.push(n);
                } else {
                    self.unused.push(n);
                }
                found
            });
            if found {
                self.note(*entry, Pieces::Cut(held));
                return true;
            }
            for n in held {
                self.put(self.held[n as usize].place, FREE);
                self.unused.push(n);
            }
        }
        false
    }

    /// Keeps what was changed since the last time; says what it was.
    pub fn keep(&mut self) -> Changes {
        let journal = std::mem::take(&mut self.journal);
        let mut masks: Vec<(u8, Shape)> = journal
            .masks
            .into_iter()
            .filter(|(table, old)| *old != self.tables[usize::from(*table)].shape())
            .filter_map(|(table, _)| self.tables[usize::from(table)].shape().map(|shape| (table, shape)))
            .collect();
        masks.sort_unstable();
        let mut places: Vec<Change> = journal
            .places
            .iter()
            .map(|(&place, &old)| Change { place, old: self.entry(old), new: self.entry(self.at(place)) })
            .filter(|change| change.old != change.new || change.is_in(&masks))
            .collect();
        places.sort_unstable_by_key(|change| change.place);
        self.unused.extend(journal.removed.iter().flat_map(|(_, pieces)| pieces.all()));
        Changes { places, masks }
    }

    /// Takes back what was changed since the last [`Self::keep`].
    pub fn take_back(&mut self) {
        let journal = std::mem::take(&mut self.journal);
        for (entry, pieces) in journal.removed {
            self.by_entry.insert(entry, pieces);
        }
        for (entry, pieces) in journal.inserted {
            if self.by_entry.get(&entry) == Some(&pieces) {
                self.by_entry.remove(&entry);
            }
            self.unused.extend(pieces.all());
        }
        for (place, old) in journal.places {
            self.replace(place, old);
            if old != FREE {
                self.held[old as usize].place = place;
            }
        }
        for (number, shape) in journal.masks {
            self.tables[usize::from(number)].set_shape(shape);
        }
    }

    /// What it takes to come from `self` to `other`.
    pub fn changes_to(&self, other: &Self) -> Changes {
        let mut changes = Changes::default();
        for (number, (old, new)) in self.tables.iter().zip(&other.tables).enumerate() {
            let table = number as u8;
            if let Some(shape) = new.shape().filter(|_| new.shape() != old.shape()) {
                changes.masks.push((table, shape));
            }
            let is_other_mask = new.shape().is_some() && new.shape() != old.shape();
            for (at, (&was, &is)) in (0..).zip(old.slots().iter().zip(new.slots())) {
                let (old, new) = (self.entry(was), other.entry(is));
                if old != new || (is_other_mask && old.is_some()) {
                    changes.places.push(Change { place: Place::Slot { table, at }, old, new });
                }
            }
        }
        for (index, (&was, &is)) in (0..).zip(self.tcam.iter().zip(&other.tcam)) {
            let (old, new) = (self.entry(was), other.entry(is));
            if old != new {
                changes.places.push(Change { place: Place::Tcam(index), old, new });
            }
        }
        changes
    }

    /// Everything that empty tables would have to become.
    pub fn contents(&self) -> Changes {
        Self::empty(self.geometry).changes_to(self)
    }

    fn entry(&self, n: u32) -> Option<Entry> {
        self.held.get(n as usize).map(|held| held.entry)
    }

    fn new_held(&mut self, held: Held) -> u32 {
        match self.unused.pop() {
            Some(n) => {
                self.held[n as usize] = held;
                n
            }
            None => {
                self.held.push(held);
                self.held.len() as u32 - 1
            }
        }
    }

    fn replace(&mut self, place: Place, n: u32) -> u32 {
        match place {
            Place::Slot { table, at } => self.tables[usize::from(table)].put(at as usize, n),
            Place::Tcam(index) => std::mem::replace(&mut self.tcam[usize::from(index)], n),
        }
    }

    fn at(&self, place: Place) -> u32 {
        match place {
            Place::Slot { table, at } => self.tables[usize::from(table)].slots()[at as usize],
            Place::Tcam(index) => self.tcam[usize::from(index)],
        }
    }

    /// Puts an entry, or none, at a place.
    fn put(&mut self, place: Place, n: u32) {
        let old = self.replace(place, n);
        self.journal.places.entry(place).or_insert(old);
        if n != FREE {
            self.held[n as usize].place = place;
        }
    }

    fn set_mask(&mut self, number: u8, shape: Shape) {
        let table = &mut self.tables[usize::from(number)];
        self.journal.masks.entry(number).or_insert(table.shape());
        table.set_shape(Some(shape));
    }

    /// A free slot for an entry, for which others may move to other buckets of theirs.
    fn settle(&mut self, n: u32, hash: &ByteHash) -> bool {
        let held = &self.held;
        let item = |n: u32| &held[n as usize].item;
        let tables = search::Tables { tables: &self.tables, within: 0..self.tables.len(), item, hash };
        let moves = self.search.room(n, &tables, SEARCH).map(<[_]>::to_vec);
        for to in moves.iter().flatten() {
            self.put(Place::Slot { table: to.table as u8, at: to.slot as u32 }, to.item);
        }
        moves.is_some()
    }

    /// Gives an empty table a mask for an entry.
    fn open_table(&mut self, n: u32, hash: &ByteHash) -> bool {
        let shape = self.held[n as usize].item.shape;
        let empty = |narrow: bool| {
            let fits = |table: &Table| table.load() == 0 && table.is_narrow() == narrow;
            self.tables.iter().position(fits).filter(|_| !narrow || shape.is_narrow())
        };
        let Some(number) = empty(true).or_else(|| empty(false)) else { return false };
        self.set_mask(number as u8, coarse(&shape));
        self.settle(n, hash)
    }

    fn free_in_tcam(&self) -> Option<Place> {
        self.tcam.iter().position(|held| *held == FREE).map(|index| Place::Tcam(index as u16))
    }

    fn settle_in_tcam(&mut self, n: u32) -> bool {
        let place = self.free_in_tcam();
        if let Some(place) = place {
            self.put(place, n);
        }
        place.is_some()
    }

    /// A table whose mask has few bits holds few entries: half the TCAM is for such entries.
    fn settle_in_tcam_for_want_of_bits(&mut self, n: u32) -> bool {
        let weight = coarse(&self.held[n as usize].item.shape).weight();
        weight < MASK_WEIGHT && 2 * self.tcam_len() < self.tcam.len() && self.settle_in_tcam(n)
    }

    /// Takes the place of an entry of the TCAM that a table has room for by now.
    fn relieve_tcam(&mut self, n: u32, hash: &ByteHash) -> bool {
        for index in 0..self.tcam.len() as u16 {
            let occupant = self.at(Place::Tcam(index));
            if self.settle(occupant, hash) {
                self.put(Place::Tcam(index), n);
                return true;
            }
        }
        false
    }
}

/// A mask for entries like one: prefix lengths rounded down, so that entries to come share it; ports and
/// protocol only where the addresses tell little.
fn coarse(shape: &Shape) -> Shape {
    const STEP: u8 = 8;
    let (src, dst) = (shape.src / STEP * STEP, shape.dst / STEP * STEP);
    let is_enough = u32::from(src) + u32::from(dst) >= 3 * u32::from(STEP);
    let port = |bits| if is_enough { 0 } else { bits };
    Shape {
        src,
        dst,
        sport: port(shape.sport),
        dport: port(shape.dport),
        proto: shape.proto && !is_enough,
        family: shape.family,
    }
}

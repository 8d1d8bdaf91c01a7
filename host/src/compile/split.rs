//! Entries cut into pieces that count more bits, so that they can stand in tables whose masks ask for these
//! bits.
//!
//! Together the pieces match what the entry matches, and no packet matches two of them. A card has more
//! slots than masks, so for the last entries of a set that is rich in masks (complements of address lists
//! above all: one prefix of every length) slots are what there is to spend.

use wiresift_abi::entry::{Entry, Ternary, prefix_mask};
use wiresift_abi::geometry::Geometry;
use wiresift_abi::vector::Class;

use super::place::Placement;
use super::shape::{PORT_BITS, Shape};
use super::table::{Item, Table};
use crate::engine::cpu::hash::ByteHash;

/// Pieces of one entry at most.
const PIECES_MAX: usize = 1024;
/// Pieces that are tried for all entries together: what bounds the time of a set that does not fit.
const PIECES_TRIED: usize = 400_000;
/// Masks that are tried for one entry.
const MASKS_TRIED: usize = 6;

/// Entries with their places.
pub struct Fitted<'a> {
    /// The entries that were to be placed, and behind them pieces of some.
    pub entries: Vec<Entry>,
    /// Places of all but those that were cut; what no table took is for the TCAM.
    pub placement: Placement<'a>,
    /// Entries that were to be placed.
    pub whole: usize,
    /// The entry that each piece is of.
    pub parents: Vec<usize>,
    /// Entries that were cut.
    pub cut: usize,
}

impl<'a> Fitted<'a> {
    /// Places entries, and cuts some where the TCAM would not hold what no table took.
    pub fn new(entries: Vec<Entry>, hash: &'a ByteHash, geometry: &'static Geometry) -> Self {
        #[expect(clippy::expect_used, reason = "`normalise` makes every address a prefix")]
        let items: Vec<Item> = entries
            .iter()
            .map(|entry| Item::of(entry).expect("an entry whose address is not a prefix"))
            .collect();
        let placement = Placement::new(items, hash, geometry);
        let mut fitted = Self { whole: entries.len(), parents: Vec::new(), entries, placement, cut: 0 };
        fitted.cut(geometry.tcam_entries);
        fitted
    }

    /// Entries and pieces with a place of their own.
    pub fn placed(&self) -> usize {
        self.entries.len() - self.cut
    }

    /// Cuts entries that no table took, those first that need the fewest pieces, until not more than `left`
    /// are left.
    fn cut(&mut self, left: usize) {
        let all_left = self.placement.left();
        let mut too_many = all_left.len().saturating_sub(left);
        let fewest = |item: usize| options(self.shapes(), &self.entries[item]).first().map(|option| option.0);
        let mut waiting: Vec<(u64, usize)> =
            all_left.into_iter().filter_map(|item| Some((fewest(item)?, item))).collect();
        if waiting.len() < too_many {
            return;
        }
        waiting.sort_unstable();
        let mut tried = 0;
        for (_, item) in waiting {
            if too_many == 0 || tried > PIECES_TRIED {
                return;
            }
            if self.cut_one(item, &mut tried) {
                too_many -= 1;
                self.cut += 1;
            }
        }
    }

    /// Masks of all tables.
    fn shapes(&self) -> impl Iterator<Item = Shape> {
        self.placement.tables.iter().filter_map(Table::shape)
    }

    fn cut_one(&mut self, item: usize, tried: &mut usize) -> bool {
        let entry = self.entries[item];
        for (_, shape) in options(self.shapes(), &entry).into_iter().take(MASKS_TRIED) {
            let Some(pieces) = pieces(&entry, &shape) else { continue };
            *tried += pieces.len();
            let items: Option<Vec<Item>> = pieces.iter().map(Item::of).collect();
            if items.is_some_and(|items| self.placement.replace(item, &items)) {
                self.parents.resize(self.parents.len() + pieces.len(), item);
                self.entries.extend(pieces);
                return true;
            }
        }
        false
    }
}

/// Those masks of tables that could take pieces of an entry, and how many pieces, the fewest first.
pub fn options(shapes: impl Iterator<Item = Shape>, entry: &Entry) -> Vec<(u64, Shape)> {
    let mut options: Vec<(u64, Shape)> = shapes
        .filter_map(|shape| Some((count(entry, &shape)?, shape)))
        .filter(|(count, _)| (2..=PIECES_MAX as u64).contains(count))
        .collect();
    options.sort_unstable();
    options.dedup();
    options
}

/// Pieces of an entry for a table of that mask; `None` where no pieces count the mask's bits, or they would be
/// more than [`PIECES_MAX`].
pub fn pieces(entry: &Entry, mask: &Shape) -> Option<Vec<Entry>> {
    let count = count(entry, mask)?;
    if count > PIECES_MAX as u64 {
        return None;
    }
    let src = prefixes(entry.src, mask.src);
    let dst = prefixes(entry.dst, mask.dst);
    let (sport, dport) = (ranges(entry.sport, mask.sport), ranges(entry.dport, mask.dport));
    let classes = classes(entry, mask);
    let mut pieces = Vec::with_capacity(count as usize);
    for &src in &src {
        for &dst in &dst {
            for &sport in &sport {
                for &dport in &dport {
                    pieces.extend(classes.iter().map(|&class| Entry {
                        src,
                        dst,
                        sport,
                        dport,
                        class,
                        ..*entry
                    }));
                }
            }
        }
    }
    Some(pieces)
}

/// How many pieces [`pieces`] gives without a limit.
fn count(entry: &Entry, mask: &Shape) -> Option<u64> {
    let shape = Shape::of(entry)?;
    let splits_family = mask.family && !shape.family;
    if mask.proto && !shape.proto || splits_family && !is_ip_of_any_family(entry) {
        return None;
    }
    let bits = mask.src.saturating_sub(shape.src) + mask.dst.saturating_sub(shape.dst);
    let blocks = |(lo, hi): (u16, u16), bits: u8| {
        let block = u32::from(PORT_BITS - bits);
        u64::from((u32::from(hi) >> block) - (u32::from(lo) >> block) + 1)
    };
    let families = if splits_family { 2 } else { 1 };
    let ports = blocks(entry.sport, mask.sport) * blocks(entry.dport, mask.dport) * families;
    (bits < 32).then(|| ports << bits)
}

fn prefixes(address: Ternary<u128>, len: u8) -> Vec<Ternary<u128>> {
    let mask = address.mask | prefix_mask(len.into());
    let more = mask.count_ones() - address.mask.count_ones();
    let shift = mask.trailing_zeros();
    (0..1u128 << more)
        .map(|n| Ternary { value: address.value | n.checked_shl(shift).unwrap_or(0), mask })
        .collect()
}

/// The parts of a range that agree in the `bits` leading bits; the whole range where it does itself.
fn ranges((lo, hi): (u16, u16), bits: u8) -> Vec<(u16, u16)> {
    let block = u32::from(PORT_BITS - bits);
    let numbers = u32::from(lo) >> block..=u32::from(hi) >> block;
    numbers
        .map(|number| {
            let first = number << block;
            let last = first + ((1 << block) - 1);
            (lo.max(first as u16), hi.min(last as u16))
        })
        .collect()
}

/// Class bits that tell the family.
const FAMILY: u8 = Class::IP | Class::IPV6;

fn is_ip_of_any_family(entry: &Entry) -> bool {
    entry.class.mask & FAMILY == Class::IP && entry.class.value & Class::IP != 0
}

/// The class, once for each family where the mask tells them apart and the entry does not.
fn classes(entry: &Entry, mask: &Shape) -> Vec<Ternary<u8>> {
    let class = entry.class;
    if !mask.family || !is_ip_of_any_family(entry) {
        return vec![class];
    }
    [0, Class::IPV6]
        .into_iter()
        .map(|ipv6| Ternary { value: class.value | ipv6, mask: class.mask | FAMILY })
        .collect()
}

#[cfg(test)]
mod tests;

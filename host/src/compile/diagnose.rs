//! Why entries found no place: which rules, and what there is too little of.

use rustc_hash::{FxHashMap, FxHashSet};
use wiresift_abi::geometry::{self, Geometry, WAYS};
use wiresift_abi::vector::Key;

use super::error::{CompileError, DoesNotFit, RULES_NAMED, Shortage};
use super::expand::Expanded;
use super::shape::Shape;
use super::split::Fitted;
use super::table::Item;
use crate::engine::cpu::hash::ByteHash;

/// Share of the slots that is taken where slots are short, in percent.
const FULL_PERCENT: usize = 90;

/// The error for a set of which more is left than the TCAM holds. `fitted` was made of the entries of `expanded`,
/// in its order.
pub fn does_not_fit(
    expanded: &Expanded,
    fitted: &Fitted<'_>,
    hash: &ByteHash,
    geometry: &'static Geometry,
) -> CompileError {
    let left = fitted.placement.left();
    let mut rules = Vec::new();
    for &item in &left {
        let Some(origin) = expanded.origin(&expanded.entries[item]) else { continue };
        if rules.len() < RULES_NAMED && !rules.contains(origin) {
            rules.push(origin.clone());
        }
    }
    let fits = geometry::ALL.into_iter().find(|other| {
        slots(other) > slots(geometry) && {
            let fitted = Fitted::new(expanded.entries.clone(), hash, other);
            fitted.placement.left().len() <= other.tcam_entries
        }
    });
    let mut masks = FxHashMap::<Shape, usize>::default();
    for &item in &left {
        *masks.entry(fitted.placement.items()[item].shape).or_default() += 1;
    }
    let most = masks.into_iter().max_by_key(|&(shape, count)| (count, shape));
    CompileError::DoesNotFit(Box::new(DoesNotFit {
        geometry: geometry.name,
        entries: expanded.entries.len(),
        left: left.len(),
        tcam: geometry.tcam_entries,
        tables: geometry.tables(),
        slots: slots(geometry),
        rules,
        fits: fits.map(|other| other.name),
        mask: most.map_or_else(String::new, |(shape, _)| shape.to_string()),
        shortage: shortage(fitted, &left, geometry),
    }))
}

fn slots(geometry: &Geometry) -> usize {
    (0..geometry.tables()).map(|table| geometry.slots(table)).sum()
}

fn shortage(fitted: &Fitted<'_>, left: &[usize], geometry: &Geometry) -> Shortage {
    let items = fitted.placement.items();
    let is_narrow = left.iter().all(|&item| items[item].shape.is_narrow());
    let tables = fitted.placement.tables.iter().enumerate();
    let (taken, slots) = tables
        .filter(|(number, _)| is_narrow || !geometry.is_narrow(*number))
        .fold((0, 0), |(taken, slots), (_, table)| (taken + table.load(), slots + table.slots().len()));
    if taken * 100 >= slots * FULL_PERCENT {
        return Shortage::Slots { taken, slots };
    }
    let key = |item: &Item| (item.shape, item.key.and(&item.shape.mask()));
    let mut counts = FxHashMap::<(Shape, Key), usize>::default();
    for item in &items[..fitted.whole] {
        *counts.entry(key(item)).or_default() += 1;
    }
    let entries = left.iter().filter_map(|&item| counts.get(&key(&items[item]))).max().copied().unwrap_or(0);
    let room = WAYS * geometry.bucket_slots;
    if entries > room {
        return Shortage::OneKey { entries, room };
    }
    let masks = items[..fitted.whole].iter().map(|item| item.shape).collect::<FxHashSet<_>>().len();
    Shortage::Masks { masks, tables: geometry.tables() }
}

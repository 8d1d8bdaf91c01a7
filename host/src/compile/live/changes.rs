//! Changes of tables → the commands that make them.

use wiresift_abi::bits::Line;
use wiresift_abi::command::{Command, Opcode};
use wiresift_abi::entry::Entry;
use wiresift_abi::geometry::Geometry;

use super::super::commands;
use super::tables::{Change, Changes, Place};

/// Commands that make `changes`, without COMMIT. First the tables that get another mask are emptied and
/// get it, then new entries are written, then the places that stay empty are cleared. They are to stand
/// together in the ring: between two of them, no packet has the right answer.
pub fn commands(changes: &Changes, geometry: &Geometry) -> Vec<Line> {
    let mut lines = Vec::with_capacity(changes.places.len() + changes.masks.len());
    let is_remasked = |place: Place| {
        let Place::Slot { table, .. } = place else { return false };
        changes.masks.iter().any(|(number, _)| *number == table)
    };
    let (remasked, others): (Vec<&Change>, Vec<&Change>) =
        changes.places.iter().partition(|change| is_remasked(change.place));
    for change in remasked.iter().filter(|change| change.old.is_some()) {
        write(change.place, change.old.as_ref(), None, geometry, &mut lines);
    }
    for (table, shape) in &changes.masks {
        lines.push(commands::with_key(Opcode::WriteMask, *table, 0, &shape.mask()));
    }
    for change in remasked.iter().chain(&others) {
        if let Some(entry) = &change.new {
            write(change.place, change.old.as_ref(), Some(entry), geometry, &mut lines);
        }
    }
    for change in others.iter().filter(|change| change.new.is_none()) {
        write(change.place, change.old.as_ref(), None, geometry, &mut lines);
    }
    lines
}

/// The commands that write an entry to a place that holds `old`, or clear it.
fn write(place: Place, old: Option<&Entry>, new: Option<&Entry>, geometry: &Geometry, lines: &mut Vec<Line>) {
    match place {
        Place::Slot { table, at } => {
            let (number, at) = (usize::from(table), at as usize);
            let (bucket, slot) = (at / geometry.bucket_slots, at % geometry.bucket_slots);
            let way = bucket >> geometry.buckets_log2(number);
            let index = bucket & ((1 << geometry.buckets_log2(number)) - 1);
            let slot = (way * geometry.bucket_slots + slot) as u8;
            let narrow = geometry.is_narrow(number);
            lines.push(commands::write_slot(table, slot, index as u16, narrow, new));
        }
        Place::Tcam(index) => write_tcam(index, old, new, lines),
    }
}

/// A key may be written only while its entry is empty.
fn write_tcam(index: u16, old: Option<&Entry>, new: Option<&Entry>, lines: &mut Vec<Line>) {
    let beside = |entry: Option<&Entry>| {
        let data = entry.map_or_else(Line::default, Entry::to_tcam);
        Command { data, ..Command::new(Opcode::WriteTcamEntry, index) }.to_line()
    };
    let Some(entry) = new else { return lines.push(beside(None)) };
    if old.is_some_and(|old| old.tcam_key() == entry.tcam_key()) {
        return lines.push(beside(new));
    }
    if old.is_some() {
        lines.push(beside(None));
    }
    lines.extend(commands::tcam_insert(entry, index));
}

/// The command that ends a transaction.
pub fn commit(version: u16) -> Line {
    Command::new(Opcode::Commit, version).to_line()
}

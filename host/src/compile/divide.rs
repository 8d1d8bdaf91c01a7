//! Which signature headers the card is asked about, and which the host.
//!
//! A header all of whose signatures wait for a pattern says nothing while there is no pattern, and most packets satisfy some
//! of those: with all of them on the card, six packets of ten had more headers than a verdict names. So they have no entry on the
//! card. The host asks them when the card has named a rule group or set a presence bit, or when it seeks patterns itself
//! ([`crate::engine::host`]). On the card are the headers of signatures that ask for no pattern.
//!
//! The card sends presence bits only with a header. So where headers of signatures that wait for them are off it, few conditions that
//! let through what any of those does are their *presence gates*. Where a header on the card lets that through anyway, it is the
//! gate; for the others there is one more header.

use rustc_hash::FxHashSet;
use wiresift_abi::entry::{Entry, Kind};

use super::payload::headers::{cover, lets_through};
use crate::engine::host::sought_pattern;
use crate::metadata::{Metadata, TAKES_AWAY};

/// Conditions of the presence gates at most.
const GATE_ENTRIES_MAX: usize = 4;

/// Takes out of `entries` those that the card does not get, and notes them in the metadata, which explains their numbers and
/// says which patterns have presence bits; adds those of a presence gate. Says of each entry that there was, in order, whether
/// it stayed.
pub fn divide(entries: &mut Vec<Entry>, metadata: &mut Metadata) -> Vec<bool> {
    let first = metadata.short_patterns.iter().map(|(_, place)| &metadata.signatures[*place as usize]);
    let short: FxHashSet<(&[u8], bool)> =
        first.filter_map(sought_pattern).map(|pattern| (pattern.bytes, pattern.nocase)).collect();
    let pattern = |mention: &u32| sought_pattern(&metadata.signatures[(mention & !TAKES_AWAY) as usize]);
    let has_bit = |mention: &u32| {
        pattern(mention).is_some_and(|pattern| short.contains(&(pattern.bytes, pattern.nocase)))
    };
    let needs_gate: Vec<bool> =
        metadata.headers.iter().map(|mentions| mentions.iter().any(has_bit)).collect();
    let asks_card = |mention: &u32| pattern(mention).is_none();
    let on_card: Vec<bool> = metadata.headers.iter().map(|mentions| mentions.iter().any(asks_card)).collect();
    let stays = |entry: &Entry| entry.kind == Kind::Acl || on_card[entry.id as usize];
    let stayed = entries.iter().map(stays).collect();
    metadata.host_entries = entries.extract_if(.., |entry| !stays(entry)).collect();
    let behind_gate = metadata.host_entries.iter().filter(|entry| needs_gate[entry.id as usize]);
    let (mut gate, _) = cover(behind_gate, GATE_ENTRIES_MAX);
    let mut gates = Vec::new();
    gate.retain(|behind| {
        let is_gate = |entry: &&Entry| entry.kind == Kind::Signature && lets_through(entry, behind);
        let there = entries.iter().find(is_gate);
        gates.extend(there.map(|entry| entry.id));
        there.is_none()
    });
    if !gate.is_empty() {
        let id = metadata.headers.len() as u32;
        metadata.headers.push(Vec::new());
        gates.push(id);
        entries.extend(gate.into_iter().map(|entry| Entry { id, ..entry }));
    }
    gates.sort_unstable();
    gates.dedup();
    metadata.presence_gates = gates;
    stayed
}

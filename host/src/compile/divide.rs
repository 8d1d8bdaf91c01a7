//! Which signature headers the card is asked about, and which the host.
//!
//! A header all of whose signatures wait for a pattern says nothing while there is no pattern, and most packets satisfy some
//! of those: with all of them on the card, six packets of ten had more headers than a verdict names. So they have no entry on the
//! card. The host asks them when the card has named a rule group, or when it seeks patterns itself
//! ([`crate::engine::host`]).
//!
//! On the card are the headers of signatures that ask for no pattern, and of those whose pattern has a presence bit, which the
//! card reports with a header alone.

use rustc_hash::FxHashSet;
use wiresift_abi::entry::{Entry, Kind};

use crate::engine::host::sought_pattern;
use crate::metadata::{Metadata, TAKES_AWAY};

/// By header: whether the card is asked about it. The metadata says which patterns have presence bits.
pub fn on_card(metadata: &Metadata) -> Vec<bool> {
    let first = metadata.short_patterns.iter().map(|(_, place)| &metadata.signatures[*place as usize]);
    let short: FxHashSet<(&[u8], bool)> =
        first.filter_map(sought_pattern).map(|pattern| (pattern.bytes, pattern.nocase)).collect();
    let asks_card = |mention: &u32| {
        let signature = &metadata.signatures[(mention & !TAKES_AWAY) as usize];
        sought_pattern(signature).is_none_or(|pattern| short.contains(&(pattern.bytes, pattern.nocase)))
    };
    metadata.headers.iter().map(|mentions| mentions.iter().any(asks_card)).collect()
}

/// Takes out of `entries` those that the card does not get, and notes them in the metadata, which explains their numbers. Says
/// of each entry, in order, whether it stayed.
pub fn divide(entries: &mut Vec<Entry>, metadata: &mut Metadata) -> Vec<bool> {
    let on_card = on_card(metadata);
    let stays = |entry: &Entry| entry.kind == Kind::Acl || on_card[entry.id as usize];
    let stayed = entries.iter().map(stays).collect();
    metadata.host_entries = entries.extract_if(.., |entry| !stays(entry)).collect();
    stayed
}

//! A rule set that changes while packets are decided by it.
//!
//! [`Live`] remembers where every entry of a card stands. [`Live::update`] compares the entries of a new
//! rule set with them and gives the commands that make the difference: a *transaction*, which ends with a
//! COMMIT of the next version. Put into the H2C ring behind one another it takes effect between two
//! packets, wholly: commands pass through the card one a line, in order with packets.
//!
//! What keeps transactions small: a rule is recognised by its entries, not by its line; ACL rules have
//! numbers with gaps (`labels`), so a rule in front does not renumber the others; an entry that only gets
//! another number stays in its slot; and room for a new entry is found by moving few others (`tables`).
//! Patterns too keep their places on the card, as far as they stay.
//! Where there is none that way, all entries are placed anew, and the transaction is as large as the
//! tables. Where that fails too the rule set is refused, nothing was sent, and the old rules stay.

mod changes;
mod labels;
mod tables;

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use wiresift_abi::bits::Line;
use wiresift_abi::command::{Command, Opcode};
use wiresift_abi::entry::{Entry, Kind};
use wiresift_abi::geometry::Geometry;
use wiresift_abi::hash::Secret;
use wiresift_abi::image::Image;

use super::commands::{self, FIRST_VERSION};
use super::divide::divide;
use super::error::CompileError;
use super::expand::{Expanded, IDS};
use super::payload::Payload;
use super::split::Fitted;
use super::table::Item;
use super::{Options, Secrets, diagnose, secrets};
use crate::engine::cpu::hash::ByteHash;
use crate::metadata::Metadata;
use crate::rules::model::RuleSet;
use tables::{Changes, Tables};

/// A rule set on a card, and what is needed to change it there.
pub struct Live {
    geometry: &'static Geometry,
    secret: Secret,
    hash: ByteHash,
    tables: Tables,
    numbers: Numbers,
    payload: Payload,
    metadata: Arc<Metadata>,
    version: u16,
}

/// The difference between two rule sets.
#[derive(Clone, Debug)]
pub struct Update {
    /// Version that decides the packets behind it. Never 0, that of a card without rules.
    pub version: u16,
    /// The commands; the last one is the COMMIT of the version.
    pub commands: Vec<Line>,
    /// Metadata of the new rules.
    pub metadata: Arc<Metadata>,
    /// What it does.
    pub counts: Counts,
}

/// What a transaction does, in entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Entries that come.
    pub inserted: usize,
    /// Entries that go.
    pub deleted: usize,
    /// Entries that get another number where they stand.
    pub renumbered: usize,
    /// Entries that stay and get another place.
    pub moved: usize,
    /// Tables that get another mask.
    pub masks: usize,
    /// Whether all entries were placed anew, because no room was found for the new ones alone.
    pub is_placed_anew: bool,
}

/// Which numbers the entries carry.
#[derive(Debug, Default)]
struct Numbers {
    /// Entries (without number) of each ACL rule that has any, in order, and its number.
    acl: Vec<(Box<[Entry]>, u32)>,
    /// Entries (without number) of each signature header, and its id.
    headers: FxHashMap<Box<[Entry]>, u32>,
}

/// A rule set with the numbers that its entries get.
struct Numbered {
    entries: Vec<Entry>,
    numbers: Numbers,
    metadata: Metadata,
}

impl Live {
    /// Compiles rules for a geometry, as [`super::compile`] does.
    ///
    /// # Errors
    /// Where they do not fit it; see [`CompileError`].
    pub fn new(
        rules: &RuleSet,
        geometry: &'static Geometry,
        options: &Options,
    ) -> Result<Self, CompileError> {
        let mut expanded = Expanded::new(rules, geometry)?;
        let Secrets { hash: secret, window } = secrets(options.seed, geometry)?;
        let hash = ByteHash::new(&secret);
        let mut numbered = Numbers::default().next(&expanded);
        let payload = Payload::new(geometry, window, &numbered.entries, &mut numbered.metadata);
        divide_both(&mut numbered, &mut expanded);
        let tables = place(&numbered.entries, &expanded, &hash, geometry)?;
        let (numbers, metadata) = (numbered.numbers, Arc::new(numbered.metadata));
        Ok(Self { geometry, secret, hash, tables, numbers, payload, metadata, version: FIRST_VERSION })
    }

    /// The rule image of the rules in force.
    ///
    /// # Errors
    /// [`CompileError::Metadata`], [`CompileError::Image`].
    pub fn image(&self) -> Result<Image, CompileError> {
        let mut lines = vec![Command::new(Opcode::Clear, 0).to_line()];
        lines.extend(commands::secret(&self.secret));
        lines.extend(changes::commands(&self.tables.contents(), self.geometry));
        lines.extend(self.payload.commands());
        lines.push(changes::commit(self.version));
        let metadata = serde_json::to_vec(&*self.metadata).map_err(CompileError::Metadata)?;
        Ok(Image::new(self.geometry, lines, metadata)?)
    }

    /// Metadata of the rules in force.
    pub fn metadata(&self) -> &Arc<Metadata> {
        &self.metadata
    }

    /// Version of the rules in force.
    pub fn version(&self) -> u16 {
        self.version
    }

    /// Places in use in tables and TCAM, and those of them in the TCAM.
    pub fn places(&self) -> (usize, usize) {
        (self.tables.places(), self.tables.tcam_len())
    }

    /// Puts `rules` in force; gives the transaction that does so on a card that has the rules before them.
    ///
    /// # Errors
    /// Where they do not fit; the rules before them then stay in force.
    pub fn update(&mut self, rules: &RuleSet) -> Result<Update, CompileError> {
        let mut expanded = Expanded::new(rules, self.geometry)?;
        let mut numbered = self.numbers.next(&expanded);
        let payload = self.payload.next(&numbered.entries, &mut numbered.metadata);
        divide_both(&mut numbered, &mut expanded);
        let mut counts = Counts::default();
        let changes = match self.change_entries(&numbered.entries, &mut counts) {
            Some(changes) => changes,
            None => {
                let anew = place(&numbered.entries, &expanded, &self.hash, self.geometry)?;
                let changes = self.tables.changes_to(&anew);
                self.tables = anew;
                counts.is_placed_anew = true;
                changes
            }
        };
        counts.masks = changes.masks.len();
        counts.moved = moved(&changes);
        self.version = following(self.version);
        self.numbers = numbered.numbers;
        self.metadata = Arc::new(numbered.metadata);
        let mut commands = changes::commands(&changes, self.geometry);
        commands.extend(payload.changes(&self.payload));
        self.payload = payload;
        commands.push(changes::commit(self.version));
        Ok(Update { version: self.version, commands, metadata: self.metadata.clone(), counts })
    }

    /// Brings the tables to `entries`; `None`, and nothing done, where there is no room.
    fn change_entries(&mut self, entries: &[Entry], counts: &mut Counts) -> Option<Changes> {
        let wanted: FxHashSet<&Entry> = entries.iter().collect();
        let added: Vec<Entry> =
            entries.iter().filter(|entry| !self.tables.contains(entry)).copied().collect();
        let gone: Vec<Entry> =
            self.tables.entries().filter(|entry| !wanted.contains(entry)).copied().collect();
        // Two headers may ask for the same, so there may be more than one of a kind.
        let mut gone_by_condition: FxHashMap<Entry, Vec<Entry>> = FxHashMap::default();
        for entry in gone {
            gone_by_condition.entry(without_number(&entry)).or_default().push(entry);
        }
        let mut inserted = Vec::new();
        for entry in added {
            match gone_by_condition.get_mut(&without_number(&entry)).and_then(Vec::pop) {
                Some(old) => {
                    self.tables.renumber(&old, entry);
                    counts.renumbered += 1;
                }
                None => inserted.push(entry),
            }
        }
        for entry in gone_by_condition.values().flatten() {
            self.tables.remove(entry);
            counts.deleted += 1;
        }
        counts.inserted = inserted.len();
        // Those with the fewest bits have the fewest tables to go to.
        let mut items: Vec<(Entry, Item)> = inserted.into_iter().map(|entry| (entry, item(&entry))).collect();
        items.sort_by_key(|(_, item)| item.shape.weight());
        if items.into_iter().all(|(entry, item)| self.tables.insert(entry, item, &self.hash)) {
            return Some(self.tables.keep());
        }
        self.tables.take_back();
        None
    }
}

impl Numbers {
    /// Numbers for other rules: those that stay keep theirs where they can.
    fn next(&self, expanded: &Expanded) -> Numbered {
        let (acl, headers) = by_rule(&expanded.entries);
        let (places, keys): (Vec<u32>, Vec<Box<[Entry]>>) = acl.into_iter().unzip();
        let labels = labels::assign(&self.acl, &keys, IDS as u32);
        let headers: Vec<(u32, Box<[Entry]>)> = headers;
        let ids = self.header_ids(&headers);
        let acl_label: FxHashMap<u32, u32> = places.iter().copied().zip(labels.iter().copied()).collect();
        let header_id: FxHashMap<u32, u32> =
            headers.iter().map(|(header, _)| *header).zip(ids.iter().copied()).collect();
        let number = |entry: &Entry| match entry.kind {
            Kind::Acl => Entry { id: acl_label[&entry.id], ..*entry },
            Kind::Signature => Entry { id: header_id[&entry.id], ..*entry },
        };
        let entries = expanded.entries.iter().map(number).collect();
        let mut metadata = expanded.metadata.clone();
        metadata.acl_ids = labels.iter().copied().zip(places).collect();
        metadata.headers = vec![Vec::new(); ids.iter().max().map_or(0, |id| *id as usize + 1)];
        for (header, signatures) in expanded.metadata.headers.iter().enumerate() {
            if let Some(&id) = header_id.get(&(header as u32)) {
                metadata.headers[id as usize].clone_from(signatures);
            }
        }
        let numbers = Self {
            acl: keys.into_iter().zip(labels).collect(),
            headers: headers.into_iter().map(|(_, key)| key).zip(ids).collect(),
        };
        Numbered { entries, numbers, metadata }
    }

    /// An id for each header: its own, or the lowest that none of the others has.
    fn header_ids(&self, headers: &[(u32, Box<[Entry]>)]) -> Vec<u32> {
        let known: Vec<Option<u32>> = headers.iter().map(|(_, key)| self.headers.get(key).copied()).collect();
        let taken: FxHashSet<u32> = known.iter().flatten().copied().collect();
        let mut free = (0..).filter(|id| !taken.contains(id));
        known.into_iter().map(|id| id.or_else(|| free.next()).unwrap_or_default()).collect()
    }
}

/// Divides the entries with numbers, and their likes in `expanded`.
fn divide_both(numbered: &mut Numbered, expanded: &mut Expanded) {
    let mut stayed = divide(&mut numbered.entries, &mut numbered.metadata).into_iter();
    expanded.entries.retain(|_| stayed.next().unwrap_or(true));
    let gate = &numbered.entries[expanded.entries.len()..];
    // No rule of `expanded` has its number.
    expanded.entries.extend(gate.iter().map(|entry| Entry { id: u32::MAX, ..*entry }));
}

/// Entries (without number) of each number, for ACL rules and for signature headers, in order.
type ByRule = Vec<(u32, Box<[Entry]>)>;

fn by_rule(entries: &[Entry]) -> (ByRule, ByRule) {
    let (mut acl, mut headers) = (ByRule::new(), ByRule::new());
    // The entries of a rule stand together.
    for some in entries.chunk_by(|a, b| (a.kind, a.id) == (b.kind, b.id)) {
        let key = some.iter().map(without_number).collect();
        let list = if some[0].kind == Kind::Acl { &mut acl } else { &mut headers };
        list.push((some[0].id, key));
    }
    (acl, headers)
}

fn without_number(entry: &Entry) -> Entry {
    Entry { id: 0, ..*entry }
}

#[expect(clippy::expect_used, reason = "`normalise` makes every address a prefix")]
fn item(entry: &Entry) -> Item {
    Item::of(entry).expect("an entry whose address is not a prefix")
}

/// Places all entries. They are those of `expanded`, in its order, with other numbers.
fn place(
    entries: &[Entry],
    expanded: &Expanded,
    hash: &ByteHash,
    geometry: &'static Geometry,
) -> Result<Tables, CompileError> {
    let fitted = Fitted::new(entries.to_vec(), hash, geometry);
    if fitted.placement.left().len() > geometry.tcam_entries {
        return Err(diagnose::does_not_fit(expanded, &fitted, hash, geometry));
    }
    Ok(Tables::new(geometry, &fitted))
}

/// Entries that were there before, are there after and stand elsewhere.
fn moved(changes: &Changes) -> usize {
    let old: FxHashSet<Entry> = changes.places.iter().filter_map(|change| change.old).collect();
    let is_moved = |new: &Entry| old.contains(new);
    changes
        .places
        .iter()
        .filter(|change| change.old != change.new && change.new.as_ref().is_some_and(is_moved))
        .count()
}

/// The next version. 0 is left out.
fn following(version: u16) -> u16 {
    version.checked_add(1).unwrap_or(FIRST_VERSION)
}

#[cfg(test)]
mod tests;

//! A rule set → numbered entries and the metadata that explains the numbers.

use rustc_hash::{FxHashMap, FxHashSet};
use wiresift_abi::entry::{self, Entry, Kind};
use wiresift_abi::geometry::{self, Geometry};

use super::error::CompileError;
use super::normalise::{count, normalise};
use super::relax::relax;
use crate::metadata::{AclInfo, Metadata, SignatureInfo, TAKES_AWAY};
use crate::rules::lower::lowered;
use crate::rules::model::{Origin, RuleClass, RuleSet, Signature};

/// Numbers that an entry can carry.
pub const IDS: usize = 1 << entry::ID.bits;

/// Number of the header that has certain entries.
type Headers = FxHashMap<Vec<Entry>, u32>;

/// All entries of a rule set.
#[derive(Debug, Default)]
pub struct Expanded {
    /// Entries, ACL rules first, in file order.
    pub entries: Vec<Entry>,
    /// What the numbers in them mean.
    pub metadata: Metadata,
    /// Rules that no packet can satisfy.
    pub never: Vec<Origin>,
    /// Entries of ACL rules that a rule before them has too, and that therefore never win.
    pub shadowed: usize,
    /// Entries that the geometry holds at most; expanding ends when they are more.
    room: usize,
}

impl Expanded {
    /// Expands the rules for a geometry.
    ///
    /// # Errors
    /// Where a rule needs too many entries, all of them together need more than the geometry has, or there
    /// are more rules than numbers.
    pub fn new(rules: &RuleSet, geometry: &Geometry) -> Result<Self, CompileError> {
        if rules.acl.len() > IDS {
            return Err(CompileError::TooManyIds { what: "ACL rules", count: rules.acl.len(), limit: IDS });
        }
        if rules.signatures.len() > TAKES_AWAY as usize {
            let (count, limit) = (rules.signatures.len(), TAKES_AWAY as usize);
            return Err(CompileError::TooManyIds { what: "signatures", count, limit });
        }
        let mut expanded = Self { room: room(geometry), ..Self::default() };
        expanded.add_acl(rules)?;
        expanded.add_signatures(rules)?;
        if expanded.entries.len() > expanded.room {
            return Err(expanded.no_room(rules, geometry));
        }
        let headers = expanded.metadata.headers.len();
        // One number is for the presence gate.
        let limit = IDS - 1;
        if headers > limit {
            return Err(CompileError::TooManyIds { what: "signature headers", count: headers, limit });
        }
        Ok(expanded)
    }

    /// Where the rule stands that an entry comes from; of signatures with one header the first. `None` for the presence gate.
    pub fn origin(&self, entry: &Entry) -> Option<&Origin> {
        let id = entry.id as usize;
        match entry.kind {
            Kind::Acl => Some(&self.metadata.acl[id].origin),
            Kind::Signature => {
                let place = self.metadata.headers.get(id)?.first()? & !TAKES_AWAY;
                Some(&self.metadata.signatures[place as usize].origin)
            }
        }
    }

    /// The error for more entries than slots. Counts the rules that were not expanded.
    fn no_room(&self, rules: &RuleSet, geometry: &Geometry) -> CompileError {
        let acl = rules.acl.iter().map(|rule| count(&rule.condition, false));
        let evaluated = rules.signatures.iter().filter(|signature| is_evaluated(signature));
        let signatures = evaluated.map(lowered).map(|signature| match relax(&signature.condition) {
            Some(relaxed) if !signature.bidirectional => count(&relaxed.condition, false),
            _ => count(&signature.condition, signature.bidirectional),
        });
        let last = self.entries.last().and_then(|entry| self.origin(entry)).cloned();
        let entries = acl.chain(signatures).sum();
        let mut others = geometry::ALL.into_iter().map(|other| (other.name, room(other)));
        CompileError::NoRoom {
            geometry: geometry.name,
            entries,
            room: self.room,
            origin: last.unwrap_or_default(),
            larger: others.find(|(_, room)| *room as u128 >= entries),
        }
    }

    fn add_acl(&mut self, rules: &RuleSet) -> Result<(), CompileError> {
        let mut seen = FxHashSet::default();
        for (id, rule) in rules.acl.iter().enumerate() {
            if self.entries.len() > self.room {
                return Ok(());
            }
            self.metadata.acl.push(AclInfo::of(rule));
            let entries = normalise(&rule.condition, false, Kind::Acl)
                .map_err(|error| CompileError::too_many_entries(&rule.origin, error))?;
            if entries.is_empty() {
                self.never.push(rule.origin.clone());
            }
            for entry in entries {
                if seen.insert(entry) {
                    self.entries.push(Entry { id: id as u32, ..entry });
                } else {
                    self.shadowed += 1;
                }
            }
        }
        Ok(())
    }

    fn add_signatures(&mut self, rules: &RuleSet) -> Result<(), CompileError> {
        let mut headers = Headers::default();
        for (place, signature) in rules.signatures.iter().enumerate() {
            if self.entries.len() > self.room {
                return Ok(());
            }
            let signature = &*lowered(signature);
            self.metadata.signatures.push(SignatureInfo::of(signature));
            if !is_evaluated(signature) {
                continue;
            }
            let both_ways = signature.bidirectional;
            // Both directions of one signature would take each other away.
            let relaxed = if both_ways { None } else { relax(&signature.condition) };
            let condition = relaxed.as_ref().map_or(&signature.condition, |relaxed| &relaxed.condition);
            let entries = |condition| {
                normalise(condition, both_ways, Kind::Signature)
                    .map_err(|error| CompileError::too_many_entries(&signature.origin, error))
            };
            let own = entries(condition)?;
            if own.is_empty() {
                self.never.push(signature.origin.clone());
                continue;
            }
            self.mention(&mut headers, own, place as u32);
            for condition in relaxed.iter().flat_map(|relaxed| &relaxed.unless) {
                self.mention(&mut headers, entries(condition)?, place as u32 | TAKES_AWAY);
            }
        }
        Ok(())
    }

    /// Adds a mention of a signature to the header of these entries.
    fn mention(&mut self, headers: &mut Headers, entries: Vec<Entry>, mention: u32) {
        if entries.is_empty() {
            return;
        }
        if let Some(&header) = headers.get(&entries) {
            self.metadata.headers[header as usize].push(mention);
            return;
        }
        let header = self.metadata.headers.len() as u32;
        self.metadata.headers.push(vec![mention]);
        self.entries.extend(entries.iter().map(|entry| Entry { id: header, ..*entry }));
        headers.insert(entries, header);
    }
}

/// Whether packets can satisfy a signature so that something is reported.
fn is_evaluated(signature: &Signature) -> bool {
    match signature.class {
        RuleClass::Refused(_) => false,
        RuleClass::ExactOnHost => !signature.detect.noalert,
        RuleClass::Exact | RuleClass::Prefilter(_) => true,
    }
}

/// Entries that a geometry holds when every slot is taken.
fn room(geometry: &Geometry) -> usize {
    geometry.tcam_entries + (0..geometry.tables()).map(|table| geometry.slots(table)).sum::<usize>()
}

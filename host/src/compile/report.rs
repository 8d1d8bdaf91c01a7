//! What a rule image uses of the card.

use serde::Serialize;

use super::payload::PayloadReport;
use crate::rules::model::Origin;

/// What a rule image uses of the card.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ResourceReport {
    /// Name of the geometry.
    pub geometry: &'static str,
    /// ACL rules.
    pub acl_rules: usize,
    /// Signatures, those included that are not evaluated.
    pub signatures: usize,
    /// Signatures that are evaluated: all but the refused ones.
    pub evaluated: usize,
    /// Different patterns that lead to signatures.
    pub patterns: usize,
    /// Signatures that no pattern leads to: the host tries them on every packet of their header.
    pub without_pattern: usize,
    /// Different header conditions of the signatures that are evaluated.
    pub headers: usize,
    /// Those of them that the card is not asked about: the host asks them where a pattern was found.
    pub headers_on_host: usize,
    /// Rules that no packet can satisfy; they need no entry.
    pub never: Vec<Origin>,
    /// Entries left out because an ACL rule before theirs has the same.
    pub shadowed: usize,
    /// Entries in tables and TCAM, pieces included.
    pub entries: usize,
    /// Entries that were cut into pieces, because no mask was left that they could stand under whole.
    pub cut: usize,
    /// Tables in use.
    pub tables: Vec<TableReport>,
    /// Tables that the geometry has.
    pub tables_total: usize,
    /// Slots of all tables of the geometry.
    pub slots_total: usize,
    /// Entries in the TCAM.
    pub tcam: usize,
    /// Entries that the TCAM holds.
    pub tcam_total: usize,
    /// Commands of 64 bytes that load the image.
    pub commands: usize,
    /// What the patterns use of it.
    pub payload: PayloadReport,
}

/// One table in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TableReport {
    /// Number of the table.
    pub table: usize,
    /// Whether its addresses have 32 bits.
    pub narrow: bool,
    /// Its mask: prefix lengths, and which of ports, protocol and family are hashed.
    pub mask: String,
    /// Entries in it.
    pub entries: usize,
    /// Its slots.
    pub slots: usize,
}

//! Reports: what the decisions are told as.
//!
//! [`table`] for people, [`csv`] with one line a packet, [`eve`] as Suricata's alert records.

mod classification;
pub mod csv;
pub mod eve;
pub mod table;

#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;

use crate::device::Decided;
use crate::metadata::Metadata;
use crate::rules::model::{AclAction, SignatureAction};
use crate::session::Totals;

/// Takes decisions in packet order and tells them.
pub trait Report: Send {
    /// Takes a decided batch.
    ///
    /// # Errors
    /// Where the output cannot be written.
    fn decided(&mut self, decided: &Decided) -> io::Result<()>;

    /// The batches to come are decided by other rules: what their decisions mean.
    fn rules(&mut self, metadata: Arc<Metadata>);

    /// Sees to it that what was told can be read by now.
    ///
    /// # Errors
    /// Where the output cannot be written.
    fn flush(&mut self) -> io::Result<()>;

    /// Ends the report.
    ///
    /// # Errors
    /// Where the output cannot be written.
    fn finish(&mut self, totals: &Totals) -> io::Result<()>;
}

/// Name of an ACL action in reports.
fn acl_action(action: AclAction) -> &'static str {
    match action {
        AclAction::Match => "match",
        AclAction::Accept => "accept",
        AclAction::Drop => "drop",
        AclAction::Reject => "reject",
    }
}

/// Name of a signature's action, as the rule writes it.
fn signature_action(action: SignatureAction) -> &'static str {
    match action {
        SignatureAction::Alert => "alert",
        SignatureAction::Pass => "pass",
        SignatureAction::Drop => "drop",
        SignatureAction::Reject => "reject",
    }
}

//! Reports: what the decisions are told as.
//!
//! [`table`] for people, [`csv`] with one line a packet, [`eve`] as Suricata's alert records; beside them [`suspects`], the
//! packets for a full IDS as a capture.

mod classification;
pub mod csv;
pub mod eve;
pub mod suspects;
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

/// Tells two reports the same.
pub struct Both(pub Box<dyn Report>, pub Box<dyn Report>);

impl Report for Both {
    fn decided(&mut self, decided: &Decided) -> io::Result<()> {
        self.0.decided(decided)?;
        self.1.decided(decided)
    }

    fn rules(&mut self, metadata: Arc<Metadata>) {
        self.0.rules(metadata.clone());
        self.1.rules(metadata);
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()?;
        self.1.flush()
    }

    /// Ends both, also where one fails.
    fn finish(&mut self, totals: &Totals) -> io::Result<()> {
        let second = self.1.finish(totals);
        self.0.finish(totals).and(second)
    }
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

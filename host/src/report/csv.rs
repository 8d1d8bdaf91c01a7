//! Comma-separated values: one line a packet, for other programs.

use std::io::{self, Write};
use std::sync::Arc;

use wiresift_abi::vector::Flags;

use super::{Report, acl_action};
use crate::decision::Decision;
use crate::device::Decided;
use crate::metadata::Metadata;
use crate::session::Totals;

/// The first line.
pub const HEADER: &str = "packet,action,acl_rule,signatures,flags";

/// Writes [`HEADER`], then for each packet: its number over all captures, from 1; the action of the
/// first ACL rule that matches, or `none`; that rule's number, from 1, or nothing; the ids of the
/// signatures that match and are reported, ascending, joined by `;`; the reason flags in the order of [`Flags::NAMES`],
/// joined by `;`.
pub struct Csv<W> {
    out: W,
    metadata: Arc<Metadata>,
    sids: Vec<u32>,
    begun: bool,
}

impl<W: Write> Csv<W> {
    /// A report on `out`.
    pub fn new(out: W, metadata: Arc<Metadata>) -> Self {
        Self { out, metadata, sids: Vec::new(), begun: false }
    }

    fn begin(&mut self) -> io::Result<()> {
        if !std::mem::replace(&mut self.begun, true) {
            writeln!(self.out, "{HEADER}")?;
        }
        Ok(())
    }

    fn line(&mut self, number: u64, decision: &Decision) -> io::Result<()> {
        write!(self.out, "{number},")?;
        match decision.acl {
            Some(place) => {
                let action = acl_action(self.metadata.acl[place as usize].action);
                write!(self.out, "{action},{},", u64::from(place) + 1)?;
            }
            None => write!(self.out, "none,,")?,
        }
        self.sids.clear();
        let sids = decision.signatures.iter().map(|place| self.metadata.signatures[*place as usize].sid);
        self.sids.extend(sids);
        self.sids.sort_unstable();
        for (n, sid) in self.sids.iter().enumerate() {
            write!(self.out, "{}{sid}", if n == 0 { "" } else { ";" })?;
        }
        let flags = Flags::NAMES.into_iter().filter(|(bit, _)| decision.flags.0 & bit != 0);
        for (n, (_, name)) in flags.enumerate() {
            write!(self.out, "{}{name}", if n == 0 { "," } else { ";" })?;
        }
        let no_flags = Flags::NAMES.into_iter().all(|(bit, _)| decision.flags.0 & bit == 0);
        writeln!(self.out, "{}", if no_flags { "," } else { "" })
    }
}

impl<W: Write + Send> Report for Csv<W> {
    fn decided(&mut self, decided: &Decided) -> io::Result<()> {
        self.begin()?;
        for (number, decision) in (decided.batch.first + 1..).zip(&decided.decisions) {
            self.line(number, decision)?;
        }
        Ok(())
    }

    fn rules(&mut self, metadata: Arc<Metadata>) {
        self.metadata = metadata;
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn finish(&mut self, _totals: &Totals) -> io::Result<()> {
        self.begin()?;
        self.out.flush()
    }
}

//! Suricata and Snort signatures.
//!
//! ```text
//! action protocol source ports -> destination ports (option; option:value; …)
//! ```
//!
//! One rule a line; a backslash at its end continues it. Lines that begin with `#` are comments, disabled rules too.
//! Names mean what they mean in Suricata 7; rules of Snort 2 and 3 are read by the same grammar. Every rule becomes
//! a [`Signature`] of one class: what a packet alone cannot decide is a prefilter, what nothing is known of is
//! [`RuleClass::Refused`](crate::rules::model::RuleClass::Refused) with all its reasons.

mod detect;
mod header;
mod line;
mod list;
mod option;
mod protocol;
mod variables;

use std::collections::HashMap;

pub use variables::Variables;

/// Bits and options by their names in rules.
pub(crate) mod names {
    pub(crate) use super::detect::field::{FRAGMENT_BITS, IP_OPTIONS, TCP_FLAGS};
}

use crate::rules::cursor::Cursor;
use crate::rules::diagnostics::{Diagnostics, Fault};
use crate::rules::model::{Origin, RuleSet, Signature};
use crate::rules::source::Source;
use detect::Asks;
use detect::settle::settle;
use header::{Header, header};
use line::{Line, lines};
use option::{Options, options};

/// Generator id of a rule that names none.
const DEFAULT_GID: u32 = 1;

/// Whether a word is the action of a signature.
pub(crate) fn is_action(word: &str) -> bool {
    header::action(word).is_some()
}

/// Reads files of signatures, whose ids must differ over all files.
pub(crate) struct Reader<'a> {
    variables: &'a Variables<'a>,
    /// Where a signature stands, by `gid` and `sid`.
    seen: HashMap<(u32, u32), Origin>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(variables: &'a Variables<'a>) -> Self {
        Self { variables, seen: HashMap::new() }
    }

    /// Reads a file into `rules`; what is wrong goes to `errors`.
    pub(crate) fn read(&mut self, source: &Source, rules: &mut RuleSet, errors: &mut Diagnostics) {
        for line in lines(source) {
            match self.signature(source, &line) {
                Ok(signature) => rules.signatures.push(signature),
                Err(faults) => faults.into_iter().for_each(|fault| errors.add(source, fault)),
            }
        }
    }

    fn signature(&mut self, source: &Source, line: &Line<'_>) -> Result<Signature, Vec<Fault>> {
        let mut cursor = Cursor::new(&line.text, line.start);
        let header = header(&mut cursor, self.variables)?;
        let options = options(&mut cursor).map_err(|fault| vec![fault])?;
        let asks = Asks::read(source, &options.asked, header.short).map_err(|fault| vec![fault])?;
        let origin = Origin { file: source.name().to_owned(), line: line.number };
        let id = (options.gid.unwrap_or(DEFAULT_GID), options.sid.unwrap_or_default());
        if let Some(first) = self.seen.get(&id) {
            let message = format!("signature {}:{} stands twice", id.0, id.1);
            let fault = Fault::new(options.sid_at, message, "the second one");
            return Err(vec![fault.help(format!("the first one is in {}, line {}", first.file, first.line))]);
        }
        self.seen.insert(id, origin.clone());
        Ok(assembled(header, options, asks, id, origin))
    }
}

fn assembled(
    header: Header,
    options: Options<'_>,
    asks: Asks<'_>,
    (gid, sid): (u32, u32),
    origin: Origin,
) -> Signature {
    let (detect, class) = settle(asks, header.says, &header.condition);
    Signature {
        sid,
        gid,
        rev: options.rev.unwrap_or(0),
        action: header.action,
        msg: options.msg.unwrap_or_default(),
        classtype: options.classtype,
        priority: options.priority,
        references: options.references,
        metadata: options.metadata,
        condition: header.condition,
        bidirectional: header.bidirectional,
        detect,
        class,
        origin,
    }
}

#[cfg(test)]
mod tests;

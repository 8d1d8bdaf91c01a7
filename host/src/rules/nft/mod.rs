//! nftables rulesets: the text that `nft list ruleset` prints, and its JSON (`nft -j list ruleset`).
//!
//! Both are read into one tree ([`ast`]); the rules of one base chain, with all chains that it leads to, become an
//! ordered list ([`lower`]). What the card's key does not hold, and what is stateful, is not expressible:
//! such a rule is left out and told. `docs/rule-files.md` says what is read.

mod ast;
mod foreign;
mod json;
mod lex;
mod lower;
mod names;
mod text;

use crate::rules::diagnostics::{Diagnostics, Fault, RuleError, SHOWN_PER_FILE};
use crate::rules::model::{AclRule, Origin, RuleSet, Skipped};
use crate::rules::source::{Kind, Source};

/// Reads a ruleset into `rules`; what is wrong goes to `errors`. `chain`: the base chain, `family table chain`.
pub(crate) fn read(
    source: &Source,
    kind: Kind,
    chain: Option<&str>,
    rules: &mut RuleSet,
    errors: &mut Diagnostics,
) {
    if let Err(fault) = read_into(source, kind, chain, rules) {
        errors.add(source, fault);
    }
}

fn read_into(source: &Source, kind: Kind, chain: Option<&str>, rules: &mut RuleSet) -> Result<(), Fault> {
    let (list, document) = match kind {
        Kind::NftJson => {
            let document = json::parse(source)?;
            let list = lower::lower(&document.ruleset, chain).map_err(|fault| with_path(fault, &document))?;
            (list, Some(document))
        }
        _ => (lower::lower(&text::parse(source)?, chain)?, None),
    };
    let lines = Lines::new(source);
    rules.chain_rules += list.rules;
    rules.acl.extend(list.entries.into_iter().map(|entry| AclRule {
        condition: entry.condition,
        action: entry.action,
        origin: lines.origin(entry.at.start),
    }));
    for (n, (at, fault)) in list.skipped.into_iter().enumerate() {
        let origin = lines.origin(at.start);
        let fault = document.iter().filter(|_| n < SHOWN_PER_FILE).fold(fault, with_path);
        let reason = format!("{}: {}", fault.message, fault.label);
        let report = (n < SHOWN_PER_FILE).then(|| Box::new(RuleError::at(source, fault).warning()));
        rules.skipped.push(Skipped { origin, reason, report });
    }
    Ok(())
}

/// A fault in JSON, which may be one long line, also says its path.
fn with_path(fault: Fault, document: &json::Document) -> Fault {
    match (document.path(&fault.at), &fault.help) {
        (Some(path), None) => fault.help(format!("at {path}")),
        (Some(path), Some(help)) => {
            let help = format!("{help} (at {path})");
            fault.help(help)
        }
        (None, _) => fault,
    }
}

/// Where the lines of a file begin.
struct Lines<'a> {
    source: &'a Source,
    begins: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn new(source: &'a Source) -> Self {
        Self { source, begins: source.lines().map(|(_, begin, _)| begin).collect() }
    }

    fn origin(&self, at: usize) -> Origin {
        let line = self.begins.partition_point(|begin| *begin <= at);
        Origin { file: self.source.name().to_owned(), line: u32::try_from(line).unwrap_or(u32::MAX) }
    }
}

#[cfg(test)]
mod tests;

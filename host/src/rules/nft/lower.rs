//! A ruleset → an ordered access control list.
//!
//! The rules of the base chain become conditions in their order. A jump's condition is joined with those of the
//! rules of the chain it leads to, so that the first match of the list is what the chains decide ([`walk`]).
//! [`rule`] turns one rule into sets of packets ([`region`]) with a verdict each.

mod bits;
mod field;
mod region;
mod rule;
mod value;
mod walk;

use crate::rules::diagnostics::Fault;
use crate::rules::model::{AclAction, Condition};

use super::ast::{At, Base, Chain, Ruleset, Table, TableFamily};

/// A rule of the list.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub condition: Condition,
    pub action: AclAction,
    /// The rule that decides, or the base chain for its policy.
    pub at: At,
}

/// A list and what is not in it.
#[derive(Debug, Default)]
pub(super) struct List {
    pub entries: Vec<Entry>,
    /// Rules that are reached, those left out included.
    pub rules: usize,
    /// Why rules were left out, in the order of the file.
    pub skipped: Vec<(At, Fault)>,
}

/// Why a rule becomes no condition.
pub(super) enum Trouble {
    /// It is not expressible.
    Skip(Fault),
    /// It says nothing that nft would take.
    Wrong(Fault),
}

impl Trouble {
    fn skip(at: &At, what: &str) -> Self {
        Self::Skip(Fault::new(
            at.clone(),
            format!("{what} is not expressible"),
            "the card's key does not hold this",
        ))
    }
}

/// The list of a base chain: the one named, or the only one there is.
pub(super) fn lower(ruleset: &Ruleset, wanted: Option<&str>) -> Result<List, Fault> {
    let (table, chain, base) = choose(ruleset, wanted)?;
    walk::list(table, chain, base)
}

/// Whether packets of the family can be decided.
fn is_supported(family: TableFamily) -> bool {
    family != TableFamily::Arp
}

fn choose<'a>(ruleset: &'a Ruleset, wanted: Option<&str>) -> Result<(&'a Table, &'a Chain, &'a Base), Fault> {
    let all: Vec<_> = ruleset
        .tables
        .iter()
        .filter(|table| !table.dormant && is_supported(table.family))
        .flat_map(|table| table.chains.iter().map(move |chain| (table, chain)))
        .filter_map(|(table, chain)| chain.base.as_ref().map(|base| (table, chain, base)))
        .filter(|(.., base)| base.kind == "filter")
        .collect();
    let named = |(table, chain, _): &&(&Table, &Chain, &Base)| {
        let words: Vec<&str> =
            wanted.unwrap_or_default().split(|c: char| c.is_whitespace() || c == '/').collect();
        match words.as_slice() {
            [family, name, inner] => {
                *family == table.family.name() && *name == table.name && *inner == chain.name
            }
            [name, inner] => *name == table.name && *inner == chain.name,
            _ => false,
        }
    };
    let found: Vec<_> = all.iter().filter(|one| wanted.is_none() || named(one)).collect();
    if let [one] = found.as_slice() {
        return Ok(**one);
    }
    let list = |chains: &mut dyn Iterator<Item = &&(&Table, &Chain, &Base)>| {
        let names = chains.map(|(table, chain, base)| {
            format!("`{} {} {}` (hook {})", table.family.name(), table.name, chain.name, base.hook)
        });
        names.collect::<Vec<_>>().join(", ")
    };
    let (message, at) = match (wanted, found.first()) {
        (Some(wanted), None) => (format!("no base chain of type filter is `{wanted}`"), 0..0),
        (None, None) => ("there is no base chain of type filter".to_owned(), 0..0),
        (_, Some((_, chain, _))) => (format!("{} base chains of type filter", found.len()), chain.at.clone()),
    };
    let fault = Fault::new(at, message, "which one decides is not said");
    Err(match all.is_empty() {
        true => {
            fault.help("a list needs a chain with a line such as: type filter hook input priority filter")
        }
        false => {
            let names =
                list(&mut if found.is_empty() { all.iter().collect::<Vec<_>>() } else { found }.iter());
            fault.help(format!(
                "name one with --chain 'FAMILY TABLE CHAIN'; each decides by itself, whatever others of its hook say: {names}"
            ))
        }
    })
}

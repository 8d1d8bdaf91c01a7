//! The JSON that `nft -j list ruleset` prints (libnftables-json(5)): tables, chains, sets and rules, each an object of
//! one list. [`expression`] reads what rules and sets consist of.

mod expression;

use serde::Deserialize;
use serde_json::Value as Json;
use serde_json::value::RawValue;

use crate::rules::cursor::quoted;
use crate::rules::diagnostics::Fault;
use crate::rules::source::Source;

use super::ast::{At, Base, Chain, Rule, Ruleset, Set, Table, TableFamily};
use expression::{elements, statements};

/// A ruleset, and the path of each of its parts.
pub(super) struct Document {
    pub ruleset: Ruleset,
    /// Outer parts before those within them.
    pub paths: Vec<(At, String)>,
}

impl Document {
    /// The path of the smallest part that holds a place.
    pub(super) fn path(&self, at: &At) -> Option<&str> {
        path(&self.paths, at)
    }
}

/// The path of the smallest part that holds a place.
fn path<'a>(paths: &'a [(At, String)], at: &At) -> Option<&'a str> {
    let holds = |part: &&(At, String)| part.0.start <= at.start && at.end <= part.0.end;
    paths.iter().rev().find(holds).map(|(_, path)| path.as_str())
}

#[derive(Deserialize)]
struct Root<'a> {
    #[serde(borrow)]
    nftables: Vec<&'a RawValue>,
}

/// An object of the list: one of these, or something without effect on verdicts.
#[derive(Deserialize)]
struct Object<'a> {
    table: Option<TableObject>,
    chain: Option<ChainObject>,
    #[serde(borrow)]
    rule: Option<RuleObject<'a>>,
    set: Option<SetObject>,
    map: Option<SetObject>,
}

#[derive(Deserialize)]
struct TableObject {
    family: String,
    name: String,
    #[serde(default)]
    flags: Json,
}

#[derive(Deserialize)]
struct ChainObject {
    family: String,
    table: String,
    name: String,
    #[serde(rename = "type")]
    kind: Option<String>,
    hook: Option<String>,
    policy: Option<String>,
}

#[derive(Deserialize)]
struct RuleObject<'a> {
    family: String,
    table: String,
    chain: String,
    #[serde(borrow, default)]
    expr: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct SetObject {
    family: String,
    table: String,
    name: String,
    #[serde(default)]
    flags: Json,
    #[serde(default)]
    timeout: Json,
    #[serde(default)]
    elem: Vec<Json>,
}

/// Reads a document.
pub(super) fn parse(source: &Source) -> Result<Document, Fault> {
    let text = source.text();
    let root: Root<'_> = serde_json::from_str(text).map_err(|error| fault(text, 0, &error))?;
    let mut reader = Reader { text, document: Document { ruleset: Ruleset::default(), paths: Vec::new() } };
    for (n, raw) in root.nftables.into_iter().enumerate() {
        let path = format!("nftables[{n}]");
        let at = place(text, raw);
        reader.document.paths.push((at.clone(), path.clone()));
        let object: Object<'_> = serde_json::from_str(raw.get())
            .map_err(|error| fault(text, at.start, &error).help(format!("at {path}")))?;
        reader.object(object, &at, &path).map_err(|fault| match path_of(&reader, &fault) {
            Some(path) if fault.help.is_none() => fault.help(format!("at {path}")),
            _ => fault,
        })?;
    }
    Ok(reader.document)
}

fn path_of(reader: &Reader<'_>, fault: &Fault) -> Option<String> {
    path(&reader.document.paths, &fault.at).map(str::to_owned)
}

/// Bytes of a part of the text.
fn place(text: &str, part: &RawValue) -> At {
    // The part was borrowed from the text.
    let start = (part.get().as_ptr() as usize).saturating_sub(text.as_ptr() as usize).min(text.len());
    start..(start + part.get().len()).min(text.len())
}

/// An error of `serde_json` in the part of the text from `from` on.
fn fault(text: &str, from: usize, error: &serde_json::Error) -> Fault {
    let part = &text[from..];
    let lines = part.split_inclusive('\n').take(error.line().saturating_sub(1));
    let line: usize = lines.map(str::len).sum();
    let mut at = (from + line + error.column().saturating_sub(1)).min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    let message = error.to_string();
    let message = message.split(" at line ").next().unwrap_or_default();
    let end = at + text[at..].chars().next().map_or(0, char::len_utf8);
    Fault::new(at..end, format!("not the JSON of a ruleset: {}", quoted(message)), "here")
}

struct Reader<'a> {
    text: &'a str,
    document: Document,
}

impl<'a> Reader<'a> {
    fn object(&mut self, object: Object<'a>, at: &At, path: &str) -> Result<(), Fault> {
        let Object { table, chain, rule, set, map } = object;
        if let Some(table) = table {
            let dormant = has(&table.flags, &["dormant"]);
            self.table(&table.family, &table.name, at)?.dormant |= dormant;
        }
        if let Some(chain) = chain {
            self.chain(chain, at)?;
        }
        if let Some(set) = set.or(map) {
            let changes = !set.timeout.is_null() || has(&set.flags, &["dynamic", "timeout"]);
            let elements = elements(&set.elem, at)?;
            let set = (Set { name: set.name, elements, changes }, set.family, set.table);
            self.table(&set.1, &set.2, at)?.sets.push(set.0);
        }
        if let Some(rule) = rule {
            self.rule(&rule, at, path)?;
        }
        Ok(())
    }

    /// The table of that name, which is made where there is none yet.
    fn table(&mut self, family: &str, name: &str, at: &At) -> Result<&mut Table, Fault> {
        let Some(family) = TableFamily::by_name(family) else {
            let message = format!("`{}` is not a family of tables", quoted(family));
            return Err(Fault::new(at.clone(), message, "expected ip, ip6, inet, bridge, netdev or arp"));
        };
        let tables = &mut self.document.ruleset.tables;
        let place = tables.iter().position(|table| table.family == family && table.name == name);
        let place = place.unwrap_or_else(|| {
            let name = name.to_owned();
            tables.push(Table { family, name, dormant: false, sets: Vec::new(), chains: Vec::new() });
            tables.len() - 1
        });
        Ok(&mut tables[place])
    }

    fn chain(&mut self, chain: ChainObject, at: &At) -> Result<(), Fault> {
        let base = match (chain.kind, chain.hook) {
            (Some(kind), Some(hook)) => {
                let drops = match chain.policy.as_deref() {
                    None | Some("accept") => false,
                    Some("drop") => true,
                    Some(other) => {
                        let message = format!("`{}` is not a policy", quoted(other));
                        return Err(Fault::new(at.clone(), message, "expected accept or drop"));
                    }
                };
                Some(Base { kind, hook, drops, at: at.clone() })
            }
            _ => None,
        };
        let chain_of = (chain.family, chain.table);
        let chain = Chain { name: chain.name, at: at.clone(), base, rules: Vec::new() };
        self.table(&chain_of.0, &chain_of.1, at)?.chains.push(chain);
        Ok(())
    }

    fn rule(&mut self, rule: &RuleObject<'a>, at: &At, path: &str) -> Result<(), Fault> {
        let mut parts = Vec::with_capacity(rule.expr.len());
        for (n, raw) in rule.expr.iter().enumerate() {
            let part = place(self.text, raw);
            self.document.paths.push((part.clone(), format!("{path}.rule.expr[{n}]")));
            let json: Json =
                serde_json::from_str(raw.get()).map_err(|error| fault(self.text, part.start, &error))?;
            parts.push((json, part));
        }
        let statements = statements(&parts)?;
        let table = self.table(&rule.family, &rule.table, at)?;
        let Some(chain) = table.chains.iter_mut().find(|chain| chain.name == rule.chain) else {
            let message = format!("chain `{}` is not in the table", quoted(&rule.chain));
            return Err(Fault::new(at.clone(), message, "a rule of it"));
        };
        chain.rules.push(Rule { at: at.clone(), statements });
        Ok(())
    }
}

/// Whether a flag, or a list of them, holds one of the names.
fn has(flags: &Json, names: &[&str]) -> bool {
    match flags {
        Json::String(flag) => names.contains(&flag.as_str()),
        Json::Array(flags) => flags.iter().any(|flag| has(flag, names)),
        _ => false,
    }
}

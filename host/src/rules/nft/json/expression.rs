//! Statements, fields and values of the JSON.

use serde_json::Value as Json;

use crate::rules::cursor::quoted;
use crate::rules::diagnostics::Fault;

use super::super::ast::{
    At, Element, Field, Match, Op, Reject, Selector, Statement, Value, ValueKind, Verdict,
};
use super::super::foreign::{self, Foreign};

/// The statements of a rule, each with its place. Behind one that is not expressible nothing is read.
pub(super) fn statements(parts: &[(Json, At)]) -> Result<Vec<Statement>, Fault> {
    let mut statements = Vec::new();
    for (json, at) in parts {
        match statement(json, at) {
            Ok(statement) => statements.extend(statement),
            Err(Trouble::Wrong(fault)) => return Err(fault),
            Err(Trouble::Foreign(Foreign { fault, changes })) => {
                let decides = |json: &Json| key_of(json).is_some_and(|(key, _)| foreign::decides(key));
                if !changes && !parts.iter().any(|(json, _)| decides(json)) {
                    return Ok(Vec::new());
                }
                statements.push(Statement::Foreign(fault));
                return Ok(statements);
            }
        }
    }
    Ok(statements)
}

enum Trouble {
    Foreign(Foreign),
    Wrong(Fault),
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Self::Wrong(fault)
    }
}

fn wrong(at: &At, message: impl Into<String>) -> Fault {
    Fault::new(at.clone(), message, "here")
}

fn foreign(at: &At, word: &str, what: &str) -> Trouble {
    let fault = foreign::fault(at.clone(), word, what);
    Trouble::Foreign(Foreign { fault, changes: !foreign::only_matches(word) })
}

/// The only key of an object, and what it holds.
fn key_of(json: &Json) -> Option<(&str, &Json)> {
    let object = json.as_object()?;
    let mut members = object.iter();
    let (key, inner) = members.next()?;
    members.next().is_none().then_some((key.as_str(), inner))
}

fn text<'a>(json: &'a Json, member: &str) -> Option<&'a str> {
    json.get(member).and_then(Json::as_str)
}

/// One statement; none where it has no effect on verdicts.
fn statement(json: &Json, at: &At) -> Result<Option<Statement>, Trouble> {
    let Some((key, inner)) = key_of(json) else {
        return Err(wrong(at, "a statement is an object with one member").into());
    };
    match key {
        "match" => comparison(inner, at).map(|one| Some(Statement::Match(one))),
        "vmap" => {
            let (Some(key), Some(data)) = (inner.get("key"), inner.get("data")) else {
                return Err(wrong(at, "a verdict map has `key` and `data`").into());
            };
            let map = value(data, at)?;
            Ok(Some(Statement::VerdictMap { key: selectors(key, at)?, map }))
        }
        "counter" | "log" | "comment" | "notrack" => Ok(None),
        "mangle" => {
            let changed = inner.get("key").and_then(key_of);
            let name = changed.and_then(|(_, inner)| text(inner, "key")).unwrap_or_default();
            if changed.is_some_and(|(key, _)| foreign::is_unseen(key, name)) {
                return Ok(None);
            }
            let fault = Fault::new(at.clone(), "`mangle` is not expressible", foreign::CHANGES);
            Err(Trouble::Foreign(Foreign { fault, changes: true }))
        }
        _ => match verdict(key, inner, at)? {
            Some(verdict) => Ok(Some(Statement::Verdict(verdict))),
            // `set` adds to a set; the others begin with the word of the text.
            None if key == "set" => Err(foreign(at, "add", "set")),
            None => Err(foreign(at, key.split(' ').next().unwrap_or(key), key)),
        },
    }
}

fn verdict(key: &str, inner: &Json, at: &At) -> Result<Option<Verdict>, Fault> {
    Ok(Some(match key {
        "jump" | "goto" => {
            let Some(target) = text(inner, "target") else {
                return Err(wrong(at, format!("`{key}` has a `target`")));
            };
            let jump = if key == "jump" { Verdict::Jump } else { Verdict::Goto };
            jump(target.to_owned())
        }
        "reject" => Verdict::Reject(match text(inner, "type") {
            None | Some("icmpx") => Reject::Any,
            Some("icmp") => Reject::Icmp,
            Some("icmpv6") => Reject::Icmp6,
            Some("tcp reset") => Reject::TcpReset,
            Some(other) => return Err(wrong(at, format!("`{}` is no answer to a packet", quoted(other)))),
        }),
        _ => return Ok(Verdict::of(key)),
    }))
}

fn comparison(json: &Json, at: &At) -> Result<Match, Trouble> {
    let (Some(left), Some(right)) = (json.get("left"), json.get("right")) else {
        return Err(wrong(at, "a match has `left` and `right`").into());
    };
    let op = match text(json, "op") {
        Some("==") => Op::Eq,
        Some("!=") => Op::Ne,
        Some("<") => Op::Lt,
        Some("<=") => Op::Le,
        Some(">") => Op::Gt,
        Some(">=") => Op::Ge,
        Some("in") | None => Op::Implicit,
        Some("!") => Op::Not,
        Some(other) => return Err(wrong(at, format!("`{}` is no comparison", quoted(other))).into()),
    };
    let (left, mask) = match key_of(left) {
        Some(("&", operands)) => match operands.as_array().map(Vec::as_slice) {
            Some([field, mask]) => (field, Some(mask)),
            _ => return Err(wrong(at, "`&` has two operands").into()),
        },
        _ => (left, None),
    };
    let left = selectors(left, at)?;
    let mask = mask.map(|mask| value(mask, at)).transpose()?;
    Ok(Match { at: at.clone(), left, mask, op, right: value(right, at)? })
}

/// A field, or several as a concatenation.
fn selectors(json: &Json, at: &At) -> Result<Vec<Selector>, Trouble> {
    match key_of(json) {
        Some(("concat", Json::Array(fields))) => fields.iter().map(|field| selector(field, at)).collect(),
        _ => Ok(vec![selector(json, at)?]),
    }
}

fn selector(json: &Json, at: &At) -> Result<Selector, Trouble> {
    let Some((key, inner)) = key_of(json) else {
        return Err(wrong(at, "a field is an object with one member").into());
    };
    let (protocol, name) = match key {
        "payload" => (text(inner, "protocol"), text(inner, "field")),
        _ => (Some(key), text(inner, "key")),
    };
    let (Some(protocol), Some(name)) = (protocol, name) else { return Err(foreign(at, key, key)) };
    match Field::named(protocol, name) {
        Some(field) => Ok(Selector { field, at: at.clone() }),
        None => Err(foreign(at, protocol, &format!("{protocol} {name}"))),
    }
}

/// A value, a set or the name of one.
fn value(json: &Json, at: &At) -> Result<Value, Fault> {
    let of = |kind| Ok(Value { at: at.clone(), kind });
    let many = |list: &[Json]| list.iter().map(|one| value(one, at)).collect::<Result<Vec<_>, _>>();
    match json {
        Json::String(word) => of(match word.strip_prefix('@') {
            Some(name) => ValueKind::Named(name.to_owned()),
            None if word == "*" => ValueKind::Rest,
            None => ValueKind::Word(word.clone()),
        }),
        Json::Number(number) => of(ValueKind::Word(number.to_string())),
        Json::Array(flags) => of(ValueKind::Flags(many(flags)?)),
        _ => match key_of(json) {
            Some(("set", Json::Array(list))) => of(ValueKind::Set(elements(list, at)?)),
            Some(("set", one)) => of(ValueKind::Set(elements(std::slice::from_ref(one), at)?)),
            Some(("concat", Json::Array(parts))) => of(ValueKind::Concat(many(parts)?)),
            Some(("|", Json::Array(flags))) => of(ValueKind::Flags(many(flags)?)),
            Some(("prefix", prefix)) => {
                let parts = text(prefix, "addr").zip(prefix.get("len").and_then(Json::as_u64));
                let Some((address, length)) = parts else {
                    return Err(wrong(at, "a prefix has `addr` and `len`"));
                };
                of(ValueKind::Word(format!("{address}/{length}")))
            }
            Some(("range", Json::Array(ends))) => match many(ends)?.as_slice() {
                [Value { kind: ValueKind::Word(first), .. }, Value { kind: ValueKind::Word(last), .. }] => {
                    of(ValueKind::Word(format!("{first}-{last}")))
                }
                _ => Err(wrong(at, "a range has two values")),
            },
            _ => Err(wrong(at, "this is no value of a field")),
        },
    }
}

/// Elements of a set, or of a map: pairs of key and verdict.
pub(super) fn elements(list: &[Json], at: &At) -> Result<Vec<Element>, Fault> {
    list.iter()
        .map(|json| match json {
            Json::Array(pair) => match pair.as_slice() {
                [key, what] => {
                    let mut element = element(key, at)?;
                    let verdict = match key_of(what) {
                        Some((name, inner)) => verdict(name, inner, at)?,
                        None => None,
                    };
                    element.verdict = Some(verdict.ok_or_else(|| what.to_string()));
                    Ok(element)
                }
                _ => Err(wrong(at, "an element of a map is a key and a verdict")),
            },
            key => element(key, at),
        })
        .collect()
}

/// A key, alone or with what is noted of it.
fn element(json: &Json, at: &At) -> Result<Element, Fault> {
    let (key, expires) = match key_of(json) {
        Some(("elem", inner)) => {
            let Some(key) = inner.get("val") else { return Err(wrong(at, "an element has a `val`")) };
            (key, inner.get("timeout").is_some() || inner.get("expires").is_some())
        }
        _ => (json, false),
    };
    Ok(Element { key: value(key, at)?, verdict: None, expires })
}

//! Header of a signature: `action protocol source ports direction destination ports`.

use std::ops::Range;

use crate::rules::cursor::{Cursor, Token, is_blank};
use crate::rules::diagnostics::Fault;
use crate::rules::model::{AddressList, Condition, Details, Family, PortList, SignatureAction};

use super::detect::reason::Why;
use super::detect::settle::HeaderSays;
use super::list::{Item, Kind, Parts, items};
use super::protocol::{Protocol, protocol};
use super::variables::Variables;

/// Actions by their names.
const ACTIONS: [(&str, SignatureAction); 7] = [
    ("alert", SignatureAction::Alert),
    ("pass", SignatureAction::Pass),
    ("drop", SignatureAction::Drop),
    ("reject", SignatureAction::Reject),
    ("rejectsrc", SignatureAction::Reject),
    ("rejectdst", SignatureAction::Reject),
    ("rejectboth", SignatureAction::Reject),
];

/// The action of that name, in any case.
pub(super) fn action(word: &str) -> Option<SignatureAction> {
    ACTIONS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|&(_, action)| action)
}

/// The header as the rule says it.
#[derive(Debug)]
pub(super) struct Header {
    pub action: SignatureAction,
    pub condition: Condition,
    pub bidirectional: bool,
    /// It is a short one of Snort 3.
    pub short: bool,
    /// What it says of the rule's class.
    pub says: HeaderSays,
}

/// The texts of a header, its lists not evaluated.
struct Written<'a> {
    action: SignatureAction,
    protocol: Protocol,
    /// `None` in a short header of Snort 3: `alert http (…)`.
    ends: Option<Ends<'a>>,
}

struct Ends<'a> {
    src: List<'a>,
    sport: List<'a>,
    direction: Token<'a>,
    dst: List<'a>,
    dport: List<'a>,
}

struct List<'a> {
    items: Vec<Item<'a>>,
    text: &'a str,
    at: Range<usize>,
}

/// Reads the header up to the options.
pub(super) fn header(cursor: &mut Cursor<'_>, variables: &Variables<'_>) -> Result<Header, Vec<Fault>> {
    let written = written(cursor).map_err(|fault| vec![fault])?;
    let Protocol { family, protocols, has_ports, says } = written.protocol;
    let mut header = Header {
        action: written.action,
        condition: Condition {
            family,
            protocols,
            src: AddressList::any(),
            dst: AddressList::any(),
            sport: PortList::Any,
            dport: PortList::Any,
            details: Details::default(),
        },
        bidirectional: false,
        short: written.ends.is_none(),
        says,
    };
    let Some(ends) = written.ends else { return Ok(header) };
    match ends.direction.text {
        "<>" => header.bidirectional = true,
        "=>" => {
            header.bidirectional = true;
            header.says.transaction = true;
            header.says.reasons.add(Why::Application, "transactions =>");
        }
        _ => {}
    }
    let condition = &mut header.condition;
    // All four lists are evaluated, so that all undefined variables of a rule are told at once.
    let results = [
        addresses(&ends.src, variables).map(|list| condition.src = list),
        ports(&ends.sport, variables).map(|list| condition.sport = list),
        addresses(&ends.dst, variables).map(|list| condition.dst = list),
        ports(&ends.dport, variables).map(|list| condition.dport = list),
    ];
    let faults: Vec<_> = results.into_iter().filter_map(Result::err).collect();
    if !faults.is_empty() {
        return Err(faults);
    }
    if header.says.refused.is_empty() {
        header.says.refused.extend(never_matches(&header.condition, has_ports));
    }
    Ok(header)
}

fn written<'a>(cursor: &mut Cursor<'a>) -> Result<Written<'a>, Fault> {
    cursor.skip_blanks();
    let word = cursor.take_while(|c| !is_blank(c) && c != '(');
    let Some(action) = action(word.text) else {
        let names = ACTIONS.map(|(name, _)| name).join(", ");
        let fault = word.fault(format!("`{}` is not an action", word.quoted()), "expected an action");
        return Err(fault.help(format!("actions are {names}")));
    };
    blank(cursor)?;
    let name = cursor.take_while(|c| !is_blank(c) && c != '(');
    if name.text.is_empty() {
        return Err(cursor.expected("a protocol"));
    }
    cursor.skip_blanks();
    let short = cursor.peek() == Some('(');
    let protocol = protocol(&name, short)?;
    if short && protocol.says.protocol.is_none() {
        return Err(cursor.expected("a source address"));
    }
    if short {
        return Ok(Written { action, protocol, ends: None });
    }
    let src = list(cursor, Kind::Address)?;
    let sport = list(cursor, Kind::Port)?;
    let direction = direction(cursor)?;
    let dst = list(cursor, Kind::Address)?;
    let dport = list(cursor, Kind::Port)?;
    Ok(Written { action, protocol, ends: Some(Ends { src, sport, direction, dst, dport }) })
}

fn list<'a>(cursor: &mut Cursor<'a>, kind: Kind) -> Result<List<'a>, Fault> {
    let (start, rest) = (cursor.at(), cursor.rest());
    let items = items(cursor, kind, 0)?;
    let at = start..cursor.at();
    let text = &rest[..at.len()];
    if cursor.peek() != Some('(') {
        blank(cursor)?;
    }
    Ok(List { items, text, at })
}

fn direction<'a>(cursor: &mut Cursor<'a>) -> Result<Token<'a>, Fault> {
    if cursor.peek() == Some('(') {
        return Err(cursor.expected("`->` or `<>`"));
    }
    let token = cursor.take_while(|c| matches!(c, '-' | '<' | '>' | '='));
    match token.text {
        "->" | "<>" | "=>" => {}
        "" => return Err(cursor.expected("`->` or `<>`")),
        "<-" => {
            let fault = token.fault("`<-` is not a direction", "expected `->` or `<>`");
            return Err(fault.help("exchange source and destination and write `->`"));
        }
        _ => {
            return Err(
                token.fault(format!("`{}` is not a direction", token.quoted()), "expected `->` or `<>`")
            );
        }
    }
    blank(cursor)?;
    Ok(token)
}

fn blank(cursor: &mut Cursor<'_>) -> Result<(), Fault> {
    if !cursor.peek().is_some_and(is_blank) {
        return Err(cursor.expected("a blank"));
    }
    cursor.skip_blanks();
    Ok(())
}

fn addresses(list: &List<'_>, variables: &Variables<'_>) -> Result<AddressList, Fault> {
    let parts = Parts::evaluate(&list.items, Kind::Address, variables, &mut Vec::new())?;
    parts.addresses().map_err(|trouble| trouble.within(list.at.clone()))
}

/// Only the word `any` means packets without ports too; a list or a variable that holds every port asks for one,
/// as in Suricata (`SIG_FLAG_SP_ANY`, `SIG_FLAG_DP_ANY`).
fn ports(list: &List<'_>, variables: &Variables<'_>) -> Result<PortList, Fault> {
    if list.text.eq_ignore_ascii_case("any") {
        return Ok(PortList::Any);
    }
    let parts = Parts::evaluate(&list.items, Kind::Port, variables, &mut Vec::new())?;
    parts.ports().map_err(|trouble| trouble.within(list.at.clone()))
}

/// Suricata takes rules that no packet can satisfy and stays silent; here they are told.
fn never_matches(condition: &Condition, has_ports: bool) -> Option<String> {
    let Condition { family, src, dst, sport, dport, .. } = condition;
    if !has_ports && [sport, dport].iter().any(|&list| *list != PortList::Any) {
        return Some("matches no packet: it asks for ports, and its protocol has none".to_owned());
    }
    let (src, dst) = (super::list::families(src), super::list::families(dst));
    let v4 = src.0 && dst.0 && *family != Family::V6;
    let v6 = src.1 && dst.1 && *family != Family::V4;
    (!v4 && !v6).then(|| "matches no packet: its parts ask for different address families".to_owned())
}

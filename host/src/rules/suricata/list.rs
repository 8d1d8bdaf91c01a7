//! Lists of addresses and of ports: `any`, single values, ranges, nested lists, negations, variables.
//!
//! What a list means is what Suricata makes of it (`detect-engine-address.c`, `detect-engine-port.c`):
//! - a list that is not negated joins the one around it, its negations too: they take away from the whole;
//! - a negated list is evaluated by itself and then taken away from the whole;
//! - where a family (or the ports) is only negated, everything else of it is meant. So `!10.0.0.0/8` is the rest of
//!   IPv4 and no IPv6, and `[any,!10.0.0.0/8]` is the rest of IPv4 and all of IPv6;
//! - a list that leaves nothing is an error, as is one that takes away all of IPv4 or all ports.
//!
//! A negation in a negated list of ports is refused: Suricata reads it by its place in the list.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use crate::rules::cursor::{Cursor, Token, is_blank, quoted};
use crate::rules::diagnostics::Fault;
use crate::rules::interval::{Interval, Space, merged, subtract};
use crate::rules::model::{AddressList, AddressRange, PortList};

use super::variables::Variables;

/// Lists inside lists, and variables inside variables.
pub(super) const MAX_DEPTH: usize = 32;
/// Ranges of one list with those of its variables.
const MAX_RANGES: usize = 1 << 20;

/// What a list is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Address,
    Port,
}

impl Kind {
    fn any(self) -> Vec<Interval> {
        match self {
            Self::Address => vec![Space::V4.all(), Space::V6.all()],
            Self::Port => vec![Space::Port.all()],
        }
    }

    fn wanted(self) -> &'static str {
        match self {
            Self::Address => "an address, a list `[…]`, a variable `$…` or `any`",
            Self::Port => "a port, a list `[…]`, a variable `$…` or `any`",
        }
    }

    fn plural(self) -> &'static str {
        match self {
            Self::Address => "addresses",
            Self::Port => "ports",
        }
    }
}

/// One part of a list, as written.
#[derive(Clone, Debug)]
pub(super) struct Item<'a> {
    negated: bool,
    at: Range<usize>,
    what: What<'a>,
}

#[derive(Clone, Debug)]
enum What<'a> {
    Value(Vec<Interval>),
    Variable(&'a str),
    List(Vec<Item<'a>>),
}

/// Reads a list. Outside of brackets it ends at a blank.
pub(super) fn items<'a>(cursor: &mut Cursor<'a>, kind: Kind, depth: usize) -> Result<Vec<Item<'a>>, Fault> {
    let mut items = Vec::new();
    loop {
        items.push(item(cursor, kind, depth)?);
        if depth > 0 {
            cursor.skip_blanks();
        }
        if !cursor.eat(',') {
            return Ok(items);
        }
    }
}

fn item<'a>(cursor: &mut Cursor<'a>, kind: Kind, depth: usize) -> Result<Item<'a>, Fault> {
    if depth > 0 {
        cursor.skip_blanks();
    }
    let start = cursor.at();
    let negated = cursor.eat('!');
    if negated && cursor.peek() == Some('!') {
        let fault = cursor.expected(kind.wanted());
        return Err(fault.help("a negation is written once; Suricata reads `!!` as `!`"));
    }
    let what = match cursor.peek() {
        Some('[') => list(cursor, kind, depth)?,
        Some('$') => {
            cursor.eat('$');
            let name = cursor.take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
            if name.text.is_empty() {
                return Err(cursor.expected("the name of a variable"));
            }
            What::Variable(name.text)
        }
        _ => {
            let value =
                cursor.take_while(|c| !is_blank(c) && !matches!(c, ',' | '[' | ']' | '(' | ')' | ';'));
            if value.text.is_empty() {
                return Err(cursor.expected(kind.wanted()));
            }
            What::Value(match kind {
                _ if value.text.eq_ignore_ascii_case("any") => kind.any(),
                Kind::Address => vec![address(&value)?],
                Kind::Port => vec![port(&value)?],
            })
        }
    };
    Ok(Item { negated, at: start..cursor.at(), what })
}

fn list<'a>(cursor: &mut Cursor<'a>, kind: Kind, depth: usize) -> Result<What<'a>, Fault> {
    if depth == MAX_DEPTH {
        let message = format!("lists are nested deeper than {MAX_DEPTH}");
        return Err(Fault::new(cursor.at()..cursor.at() + 1, message, "one too many"));
    }
    cursor.eat('[');
    let items = items(cursor, kind, depth + 1)?;
    if !cursor.eat(']') {
        return Err(cursor.expected("`,` or `]`"));
    }
    Ok(What::List(items))
}

/// `address`, `address/length`, `address/mask`, `first-last`.
fn address(token: &Token<'_>) -> Result<Interval, Fault> {
    let ip = |text: &str| {
        text.parse::<IpAddr>().map_err(|_| {
            token.fault(format!("`{}` is not an IP address", quoted(text)), "expected an IPv4 or IPv6 address").help(
                "addresses are written as 10.0.0.1, 10.0.0.0/8, 10.0.0.0/255.0.0.0, 10.0.0.1-10.0.0.9, fe80::/10",
            )
        })
    };
    if let Some((text, length)) = token.text.split_once('/') {
        let address = ip(text)?;
        let range = prefix_length(length, address).and_then(|length| AddressRange::prefix(address, length));
        let highest = if address.is_ipv4() { 32 } else { 128 };
        return range.map(interval).ok_or_else(|| {
            let message = format!("`{}` is not a prefix length", quoted(length));
            token.fault(message, format!("expected a length from 0 to {highest}"))
        });
    }
    let Some((first, last)) = token.text.split_once('-') else {
        let address = ip(token.text)?;
        return Ok(interval(AddressRange { first: address, last: address }));
    };
    let (first, last) = (ip(first)?, ip(last)?);
    if first.is_ipv4() != last.is_ipv4() {
        return Err(token.fault("a range holds addresses of one family", "two families"));
    }
    if first > last {
        let message = format!("the first address {first} is above the last {last}");
        return Err(token.fault(message, "expected the lower address first"));
    }
    Ok(interval(AddressRange { first, last }))
}

/// A length in bits, or for IPv4 a mask of leading ones.
fn prefix_length(text: &str, address: IpAddr) -> Option<u32> {
    if address.is_ipv4() && text.contains('.') {
        let mask = text.parse::<Ipv4Addr>().ok()?.to_bits();
        return (mask.leading_ones() + mask.trailing_zeros() >= 32).then_some(mask.leading_ones());
    }
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// `port`, `low:high`, `low:`, `:high`.
fn port(token: &Token<'_>) -> Result<Interval, Fault> {
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let port = digits.then(|| text.parse::<u16>().ok()).flatten();
        port.ok_or_else(|| {
            let message = match digits {
                true => format!("port {} is above 65535", quoted(text)),
                false => format!("`{}` is not a port", quoted(text)),
            };
            token
                .fault(message, "expected a number from 0 to 65535")
                .help("ports are written as 80, 80:90, 1024: (and above), :1023 (and below), [80,443], !80")
        })
    };
    let (low, high) = match token.text.split_once(':') {
        None | Some(("", "")) => (number(token.text)?, number(token.text)?),
        Some((low, "")) => (number(low)?, u16::MAX),
        Some(("", high)) => (0, number(high)?),
        Some((low, high)) => (number(low)?, number(high)?),
    };
    if low > high {
        let message = format!("the lowest port {low} is above the highest {high}");
        return Err(token.fault(message, "expected the lower port first"));
    }
    Ok(Interval { space: Space::Port, first: low.into(), last: high.into() })
}

fn interval(range: AddressRange) -> Interval {
    let value = |address| match address {
        IpAddr::V4(address) => Ipv4Addr::to_bits(address).into(),
        IpAddr::V6(address) => Ipv6Addr::to_bits(address),
    };
    let space = if range.first.is_ipv4() { Space::V4 } else { Space::V6 };
    Interval { space, first: value(range.first), last: value(range.last) }
}

/// A list without names: what it holds and what it takes away, in the order of the text.
#[derive(Clone, Debug, Default)]
pub(super) struct Parts {
    include: Vec<Interval>,
    exclude: Vec<Interval>,
}

/// What is wrong with a list as a whole.
pub(super) struct Trouble {
    pub message: String,
    pub help: Option<String>,
}

impl Parts {
    /// Puts the variables in. `open` holds the names that are being evaluated.
    pub(super) fn evaluate(
        items: &[Item<'_>],
        kind: Kind,
        variables: &Variables<'_>,
        open: &mut Vec<String>,
    ) -> Result<Self, Fault> {
        let mut parts = Self::default();
        for item in items {
            let inner = match &item.what {
                What::Value(values) => Self { include: values.clone(), exclude: Vec::new() },
                What::List(items) => Self::evaluate(items, kind, variables, open)?,
                What::Variable(name) => {
                    (*variables.parts(kind, name, open).map_err(|trouble| trouble.at(item).once())?).clone()
                }
            };
            if item.negated {
                parts.exclude.extend(inner.negated(kind).map_err(|trouble| trouble.at(item))?);
            } else {
                parts.include.extend(inner.include);
                parts.exclude.extend(inner.exclude);
            }
            if parts.include.len() + parts.exclude.len() > MAX_RANGES {
                let message = format!("the list holds more than {MAX_RANGES} {}", kind.plural());
                return Err(Trouble { message, help: None }.at(item));
            }
        }
        Ok(parts)
    }

    /// What a negation of this list takes away.
    fn negated(self, kind: Kind) -> Result<Vec<Interval>, Trouble> {
        if self.exclude.is_empty() {
            return Ok(self.include);
        }
        if kind == Kind::Port {
            return Err(Trouble {
                message: "a negation inside a negated list of ports".to_owned(),
                help: Some(
                    "Suricata reads it by its place in the list; write the ports that are meant".to_owned(),
                ),
            });
        }
        let whole = self.completed(kind)?;
        Ok(subtract(&whole.include, &whole.exclude))
    }

    /// With everything of a family that is only negated; something must be left.
    fn completed(mut self, kind: Kind) -> Result<Self, Trouble> {
        let taken = merged(&self.exclude);
        for all in kind.any() {
            // Suricata refuses this for IPv4 and ports only; all of IPv6 may be taken away from other addresses.
            if all.space != Space::V6 && taken.contains(&all) {
                return Err(nothing_left(kind, "all of them are taken away"));
            }
            let named = |list: &[Interval]| list.iter().any(|interval| interval.space == all.space);
            if named(&self.exclude) && !named(&self.include) {
                self.include.push(all);
            }
        }
        if subtract(&self.include, &self.exclude).is_empty() {
            return Err(nothing_left(kind, "the negations leave none of those listed"));
        }
        Ok(self)
    }

    /// The list as addresses.
    pub(super) fn addresses(self) -> Result<AddressList, Trouble> {
        let whole = self.completed(Kind::Address)?;
        let list = |intervals: Vec<Interval>| intervals.into_iter().map(address_range).collect();
        Ok(AddressList { include: list(whole.include), exclude: list(whole.exclude) })
    }

    /// The list as ports.
    pub(super) fn ports(self) -> Result<PortList, Trouble> {
        let whole = self.completed(Kind::Port)?;
        #[expect(clippy::cast_possible_truncation, reason = "port() makes no interval above u16::MAX")]
        let list = |intervals: Vec<Interval>| {
            intervals.into_iter().map(|interval| interval.first as u16..=interval.last as u16).collect()
        };
        Ok(PortList::Ports { include: list(whole.include), exclude: list(whole.exclude) })
    }
}

fn nothing_left(kind: Kind, why: &str) -> Trouble {
    Trouble {
        message: format!("the list leaves no {}: {why}", kind.plural()),
        help: Some(format!("a list that holds negations only means all {} but those", kind.plural())),
    }
}

impl Trouble {
    fn at(self, item: &Item<'_>) -> Fault {
        self.within(item.at.clone())
    }

    pub(super) fn within(self, at: Range<usize>) -> Fault {
        let mut fault = Fault::new(at, self.message, "here");
        fault.help = self.help;
        fault
    }
}

#[expect(clippy::cast_possible_truncation, reason = "address() makes no IPv4 interval above u32::MAX")]
fn address_range(interval: Interval) -> AddressRange {
    let address = |value: u128| match interval.space {
        Space::V4 => IpAddr::V4(Ipv4Addr::from(value as u32)),
        Space::V6 | Space::Port => IpAddr::V6(Ipv6Addr::from(value)),
    };
    AddressRange { first: address(interval.first), last: address(interval.last) }
}

/// Address families in which a list holds something: IPv4, IPv6.
pub(super) fn families(list: &AddressList) -> (bool, bool) {
    let intervals = |ranges: &[AddressRange]| ranges.iter().copied().map(interval).collect::<Vec<_>>();
    let left = subtract(&intervals(&list.include), &intervals(&list.exclude));
    let holds = |space| left.iter().any(|interval| interval.space == space);
    (holds(Space::V4), holds(Space::V6))
}

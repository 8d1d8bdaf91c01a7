//! What the values of a match mean for its field.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::rules::cursor::quoted;
use crate::rules::diagnostics::Fault;
use crate::rules::model::AddressRange;

use super::super::ast::{At, Element, Field, Match, Op, Set, Value, ValueKind};
use super::super::names;
use super::Trouble;

/// Lowest and highest number, both included.
pub type Numbers = (u128, u128);

/// A test of a field's value.
#[derive(Clone, Debug)]
pub struct Test {
    mask: Option<u128>,
    op: Op,
    /// What the masked value is compared with, ascending; for flags their bits.
    numbers: Vec<Numbers>,
}

/// Bits of a field.
pub fn width(field: Field) -> u32 {
    match field {
        Field::V4Src | Field::V4Dst => 32,
        Field::V6Src | Field::V6Dst => 128,
        Field::V4Protocol | Field::L4Proto | Field::TcpFlags => 8,
        Field::IcmpType | Field::IcmpCode | Field::Icmp6Type | Field::Icmp6Code => 8,
        Field::NfProto => 8,
        Field::FragOff | Field::Protocol | Field::EtherType | Field::Sport(_) | Field::Dport(_) => 16,
    }
}

/// Highest value of a field.
pub fn highest(field: Field) -> u128 {
    u128::MAX >> (128 - width(field))
}

impl Test {
    /// Whether the value is one of these.
    pub fn within(numbers: Vec<Numbers>) -> Self {
        Self::new(None, Op::Eq, numbers)
    }

    /// Whether the value is none of these.
    pub fn without(numbers: Vec<Numbers>) -> Self {
        Self::new(None, Op::Ne, numbers)
    }

    fn new(mask: Option<u128>, op: Op, mut numbers: Vec<Numbers>) -> Self {
        numbers.sort_unstable();
        Self { mask, op, numbers }
    }

    /// The test of a match with one field.
    pub fn of(one: &Match, field: Field, sets: &[Set]) -> Result<Self, Trouble> {
        let mask = match &one.mask {
            None => None,
            Some(mask) => Some(number(field, mask)?),
        };
        let numbers = numbers(field, &one.right, sets)?;
        let in_set = matches!(one.right.kind, ValueKind::Set(_) | ValueKind::Named(_));
        let op = match one.op {
            Op::Implicit if in_set || field != Field::TcpFlags || mask.is_some() => Op::Eq,
            Op::Not if field != Field::TcpFlags || in_set || mask.is_some() => {
                return Err(Trouble::skip(&one.at, "`!` of what are no flags"));
            }
            op => op,
        };
        let single = matches!(numbers.as_slice(), [(first, last)] if first == last);
        if !matches!(op, Op::Eq | Op::Ne) && !single {
            return Err(Trouble::skip(&one.right.at, "expected one value"));
        }
        Ok(Self::new(mask, op, numbers))
    }

    /// Whether a value of the field passes.
    pub fn holds(&self, value: u128) -> bool {
        let value = value & self.mask.unwrap_or(u128::MAX);
        let bound = self.numbers.first().map_or(0, |(first, _)| *first);
        let is_one = || {
            // Ranges may overlap, so all that begin at or below the value are looked at.
            let end = self.numbers.partition_point(|(first, _)| *first <= value);
            self.numbers[..end].iter().any(|(_, last)| value <= *last)
        };
        match self.op {
            Op::Eq => is_one(),
            Op::Ne => !is_one(),
            Op::Lt => value < bound,
            Op::Le => value <= bound,
            Op::Gt => value > bound,
            Op::Ge => value >= bound,
            Op::Implicit => value & bound != 0,
            Op::Not => value & bound == 0,
        }
    }

    /// The values that pass: ranges that are in, and whether everything but them is meant. `None` where the mask is
    /// no prefix.
    pub fn ranges(&self, field: Field) -> Option<(Vec<Numbers>, bool)> {
        let top = highest(field);
        let ranges = match (self.op, self.numbers.first()) {
            (Op::Eq | Op::Ne, _) => self.numbers.clone(),
            (Op::Lt, Some(&(bound, _))) => bound.checked_sub(1).map(|last| (0, last)).into_iter().collect(),
            (Op::Le, Some(&(bound, _))) => vec![(0, bound)],
            (Op::Gt, Some(&(bound, _))) if bound < top => vec![(bound + 1, top)],
            (Op::Ge, Some(&(bound, _))) => vec![(bound, top)],
            _ => Vec::new(),
        };
        let negated = self.op == Op::Ne;
        let Some(mask) = self.mask else { return Some((ranges, negated)) };
        let host = top & !mask;
        if host & host.wrapping_add(1) != 0 || !matches!(self.op, Op::Eq | Op::Ne) {
            return None;
        }
        // Masked values have zeros behind the prefix: of a range those that have them too.
        let blocks = ranges.into_iter().filter_map(|(first, last)| {
            let first = first.checked_add(host).filter(|sum| *sum <= top)? & mask;
            (first <= last).then_some((first, last & mask | host))
        });
        Some((blocks.collect(), negated))
    }
}

/// Elements of a set, named or written out.
pub fn elements<'a>(right: &'a Value, sets: &'a [Set]) -> Result<Option<&'a [Element]>, Trouble> {
    let elements = match &right.kind {
        ValueKind::Set(elements) => elements,
        ValueKind::Named(name) => {
            let Some(set) = sets.iter().find(|set| set.name == *name) else {
                let message = format!("set `{}` is not in the table", quoted(name));
                return Err(Trouble::Wrong(Fault::new(right.at.clone(), message, "not defined")));
            };
            if set.changes {
                let message = format!("set `{}` is not expressible", quoted(name));
                let label = "packets or time change its elements";
                return Err(Trouble::Skip(Fault::new(right.at.clone(), message, label)));
            }
            &set.elements
        }
        _ => return Ok(None),
    };
    if elements.iter().any(|element| element.expires) {
        return Err(Trouble::skip(&right.at, "elements that expire"));
    }
    Ok(Some(elements))
}

/// Everything that a value of a field stands for.
pub fn numbers(field: Field, value: &Value, sets: &[Set]) -> Result<Vec<Numbers>, Trouble> {
    match elements(value, sets)? {
        Some(elements) => elements.iter().map(|element| one(field, &element.key)).collect(),
        None => Ok(vec![one(field, value)?]),
    }
}

/// A value that is no set.
pub fn one(field: Field, value: &Value) -> Result<Numbers, Trouble> {
    match &value.kind {
        ValueKind::Word(word) => range(field, word).map_err(|message| wrong(&value.at, message)),
        ValueKind::Flags(flags) if matches!(field, Field::TcpFlags | Field::FragOff) => {
            let mut all = 0;
            for flag in flags {
                all |= number(field, flag)?;
            }
            Ok((all, all))
        }
        _ => Err(wrong(&value.at, "this is no value of the field".to_owned())),
    }
}

fn number(field: Field, value: &Value) -> Result<u128, Trouble> {
    match one(field, value)? {
        (first, last) if first == last => Ok(first),
        _ => Err(wrong(&value.at, "a range in the place of one value".to_owned())),
    }
}

fn wrong(at: &At, message: String) -> Trouble {
    Trouble::Wrong(Fault::new(at.clone(), message, "here"))
}

/// A word: a value, a prefix, or `first-last`.
fn range(field: Field, word: &str) -> Result<Numbers, String> {
    if let Some(number) = single(field, word) {
        return Ok((number, number));
    }
    if let Some((address, length)) = word.split_once('/') {
        let address: Option<IpAddr> = match field {
            Field::V4Src | Field::V4Dst => address.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
            Field::V6Src | Field::V6Dst => address.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
            _ => None,
        };
        let range = address
            .zip(length.parse().ok())
            .and_then(|(address, length)| AddressRange::prefix(address, length));
        return match range.map(|range| (range.first, range.last)) {
            Some((IpAddr::V4(first), IpAddr::V4(last))) => {
                Ok((first.to_bits().into(), last.to_bits().into()))
            }
            Some((IpAddr::V6(first), IpAddr::V6(last))) => Ok((first.to_bits(), last.to_bits())),
            _ => Err(format!("`{}` is not a prefix of this field", quoted(word))),
        };
    }
    let ends = word
        .match_indices('-')
        .find_map(|(at, _)| Some((single(field, &word[..at])?, single(field, &word[at + 1..])?)));
    match ends {
        Some((first, last)) if first <= last => Ok((first, last)),
        Some(_) => Err(format!("the range `{}` begins above its end", quoted(word))),
        None => Err(format!("`{}` is no value of this field", quoted(word))),
    }
}

/// A number, a name or an address.
fn single(field: Field, word: &str) -> Option<u128> {
    match field {
        Field::V4Src | Field::V4Dst => {
            return word.parse::<Ipv4Addr>().ok().map(|address| address.to_bits().into());
        }
        Field::V6Src | Field::V6Dst => return word.parse::<Ipv6Addr>().ok().map(Ipv6Addr::to_bits),
        _ => {}
    }
    if let Some((_, number)) = names::of(field).iter().find(|(name, _)| *name == word) {
        return Some((*number).into());
    }
    let number = match word.strip_prefix("0x") {
        Some(digits) => u128::from_str_radix(digits, 16).ok()?,
        None if word.bytes().all(|byte| byte.is_ascii_digit()) => word.parse().ok()?,
        None => return None,
    };
    (number <= highest(field)).then_some(number)
}

//! Signatures with negated addresses without the complement.
//!
//! The complement of a list is a prefix of nearly every length, and a signature from the complement of `HOME_NET`
//! to `HOME_NET` a hundred entries that share few masks. Instead such a signature becomes a header without the
//! negation, and a header that *takes it away* from the packets that the negation excludes: those from `HOME_NET`
//! to `HOME_NET`, which is one header for all such signatures. The host puts both together
//! ([`crate::metadata::settle`]); traffic between the addresses that are excluded is what reports a number more.

use std::net::IpAddr;

use super::normalise::count;
use crate::rules::model::{AddressList, AddressRange, Condition, Details, Family, PortList};

/// A negation stays where it costs at most so many times the entries of the signature without it.
const COST: u128 = 4;
/// Part of a family's addresses that makes a range broad, as a power of two: an eighth. Next to a broad list a
/// header that takes away would match a good part of all traffic.
const BROAD_LOG2: u32 = 3;

/// A condition without some negation.
#[derive(Clone, Debug, PartialEq)]
pub struct Relaxed {
    /// What is left to ask for.
    pub condition: Condition,
    /// A packet that satisfies one of these does not satisfy the condition that was relaxed.
    pub unless: Vec<Condition>,
}

/// A condition without the negated addresses that cost many entries; `None` where there are none.
pub fn relax(condition: &Condition) -> Option<Relaxed> {
    // A packet that is not IP has no addresses to be taken away by.
    if condition.family == Family::Any {
        return None;
    }
    let (src, dst) = (&condition.src, &condition.dst);
    let mut relaxed = Relaxed { condition: condition.clone(), unless: Vec::new() };
    if !src.exclude.is_empty() && !is_broad(dst) {
        relaxed.condition.src.exclude.clear();
        relaxed.unless.push(between(condition, excluded(src), included(dst)));
    }
    if !dst.exclude.is_empty() && !is_broad(src) {
        relaxed.condition.dst.exclude.clear();
        relaxed.unless.push(between(condition, included(src), excluded(dst)));
    }
    let is_worth = count(condition, false) > COST * count(&relaxed.condition, false);
    (is_worth && !relaxed.unless.is_empty()).then_some(relaxed)
}

fn included(list: &AddressList) -> AddressList {
    AddressList { include: list.include.clone(), exclude: Vec::new() }
}

fn excluded(list: &AddressList) -> AddressList {
    AddressList { include: list.exclude.clone(), exclude: Vec::new() }
}

/// Every packet from one list to another.
fn between(condition: &Condition, src: AddressList, dst: AddressList) -> Condition {
    Condition {
        family: condition.family,
        protocols: vec![(0, 0)],
        src,
        dst,
        sport: PortList::Any,
        dport: PortList::Any,
        details: Details::default(),
    }
}

/// Whether some range that the list includes holds a large part of its family's addresses.
fn is_broad(list: &AddressList) -> bool {
    let is_broad = |range: &AddressRange| match (range.first, range.last) {
        (IpAddr::V4(first), IpAddr::V4(last)) => (last.to_bits() - first.to_bits()) >> (32 - BROAD_LOG2) > 0,
        (IpAddr::V6(first), IpAddr::V6(last)) => (last.to_bits() - first.to_bits()) >> (128 - BROAD_LOG2) > 0,
        _ => false,
    };
    list.include.iter().any(is_broad)
}

#[cfg(test)]
mod tests;

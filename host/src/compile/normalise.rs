//! A condition as written → the entries that the hardware compares.
//!
//! Address lists become disjoint prefixes per family, port lists disjoint ranges, and an entry is one
//! choice of each. The entries of a condition together match exactly the header vectors that satisfy
//! it.

use std::net::IpAddr;
use std::ops::BitAnd;

use rustc_hash::FxHashSet;
use wiresift_abi::entry::{Entry, Kind, Ternary, prefix_mask};
use wiresift_abi::vector::Class;

use super::ranges::{self, Range};
use crate::rules::model::{AddressList, AddressRange, AuxList, Condition, Details, Family, PortList};

/// Entries that one rule may need at most: a fifth of what the largest geometry holds.
pub const RULE_ENTRIES_MAX: usize = 1 << 16;

/// A rule needs more entries than [`RULE_ENTRIES_MAX`]: the number that it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyEntries(pub u128);

/// Bits that an address of each family has.
const V4_BITS: u32 = 32;
const V6_BITS: u32 = 128;

/// The entries of a condition, without number; with `both_ways` also those with source and destination
/// exchanged. None when no packet can satisfy it. Each entry comes once; conditions that ask for the
/// same in other words give the same entries in the same order.
///
/// # Errors
/// Where they are more than [`RULE_ENTRIES_MAX`]; nothing is expanded then.
pub fn normalise(condition: &Condition, both_ways: bool, kind: Kind) -> Result<Vec<Entry>, TooManyEntries> {
    let mut entries = expand(condition, kind)?;
    if both_ways {
        let exchanged: Vec<Entry> = entries.iter().map(exchange).collect();
        let mut seen: FxHashSet<Entry> = entries.iter().copied().collect();
        entries.extend(exchanged.into_iter().filter(|entry| seen.insert(*entry)));
        if entries.len() > RULE_ENTRIES_MAX {
            return Err(TooManyEntries(entries.len() as u128));
        }
        entries.sort_unstable_by_key(order);
    }
    Ok(entries)
}

/// Entries that [`normalise`] makes of a condition at most (with `both_ways` some may be equal).
pub fn count(condition: &Condition, both_ways: bool) -> u128 {
    Choices::new(condition).count() * if both_ways { 2 } else { 1 }
}

/// What a condition leaves to choose from, list by list.
struct Choices {
    sides: Vec<Side>,
    sports: Vec<(u16, u16)>,
    dports: Vec<(u16, u16)>,
    protocols: Vec<Ternary<u8>>,
    aux: Vec<Ternary<u16>>,
}

/// A family with the prefixes of source and destination in it.
struct Side {
    class: Ternary<u8>,
    src: Vec<Ternary<u128>>,
    dst: Vec<Ternary<u128>>,
}

impl Choices {
    fn new(condition: &Condition) -> Self {
        let mut sides = sides(condition);
        let asked = class(condition);
        for side in &mut sides {
            side.class.value |= asked.value;
            side.class.mask |= asked.mask;
        }
        Self {
            sides,
            sports: ports(&condition.sport),
            dports: ports(&condition.dport),
            protocols: ternaries(&condition.protocols),
            aux: match &condition.details.aux {
                AuxList::Any => vec![Ternary::default()],
                AuxList::Values(values) => ternaries(values),
            },
        }
    }

    fn count(&self) -> u128 {
        let addresses: u128 =
            self.sides.iter().map(|side| side.src.len() as u128 * side.dst.len() as u128).sum();
        let ports = self.sports.len() as u128 * self.dports.len() as u128;
        addresses * ports * self.protocols.len() as u128 * self.aux.len() as u128
    }
}

fn expand(condition: &Condition, kind: Kind) -> Result<Vec<Entry>, TooManyEntries> {
    let choices = Choices::new(condition);
    let count = choices.count();
    if count > RULE_ENTRIES_MAX as u128 {
        return Err(TooManyEntries(count));
    }
    let mut entries = Vec::with_capacity(count as usize);
    for side in &choices.sides {
        let addresses = side.src.iter().flat_map(|&src| side.dst.iter().map(move |&dst| (src, dst)));
        for (src, dst) in addresses {
            for &sport in &choices.sports {
                for &dport in &choices.dports {
                    entries.extend(choices.protocols.iter().flat_map(|&proto| {
                        let class = side.class;
                        let entry =
                            move |&aux| Entry { kind, id: 0, src, dst, sport, dport, proto, class, aux };
                        choices.aux.iter().map(entry)
                    }));
                }
            }
        }
    }
    Ok(entries)
}

/// Class bits that a condition asks for beyond those of the family.
fn class(condition: &Condition) -> Ternary<u8> {
    let Details { vlan, fragment, later_fragment, aux } = &condition.details;
    let has_ports = condition.sport != PortList::Any || condition.dport != PortList::Any;
    let mut class = Ternary::default();
    for (bit, asked) in [
        (Class::PORTS, has_ports.then_some(true)),
        (Class::AUX, (*aux != AuxList::Any).then_some(true)),
        (Class::VLAN, *vlan),
        (Class::FRAGMENT, *fragment),
        (Class::LATER_FRAGMENT, *later_fragment),
    ] {
        if let Some(asked) = asked {
            class.mask |= bit;
            class.value |= if asked { bit } else { 0 };
        }
    }
    class
}

/// Whether a packet that is not IP can satisfy a condition. Its class bits are zero but that of VLAN tags, as
/// are its fields, so only what asks for nothing of them may leave the class bit IP open.
fn holds_without_ip(condition: &Condition) -> bool {
    condition.family == Family::Any
        && class(condition).mask & !Class::VLAN == 0
        && condition.src == AddressList::any()
        && condition.dst == AddressList::any()
        && condition.protocols.iter().any(|(_, mask)| *mask == 0)
}

fn sides(condition: &Condition) -> Vec<Side> {
    const FAMILY: u8 = Class::IP | Class::IPV6;
    let v4 = Ternary { value: Class::IP, mask: FAMILY };
    let v6 = Ternary { value: FAMILY, mask: FAMILY };
    let of = |class, width, pick: fn(&AddressRange) -> Option<Range>| {
        let src = addresses(&condition.src, pick);
        let dst = addresses(&condition.dst, pick);
        Side { class, src: placed(&src, width), dst: placed(&dst, width) }
    };
    let whole = |side: &Side| side.src == [Ternary::default()] && side.dst == [Ternary::default()];
    match condition.family {
        Family::V4 => vec![of(v4, V4_BITS, v4_range)],
        Family::V6 => vec![of(v6, V6_BITS, v6_range)],
        Family::Ip | Family::Any => {
            let mut both = vec![of(v4, V4_BITS, v4_range), of(v6, V6_BITS, v6_range)];
            if both.iter().all(whole) {
                both.truncate(1);
                let ip = if holds_without_ip(condition) { 0 } else { Class::IP };
                both[0].class = Ternary { value: ip, mask: ip };
            }
            both
        }
    }
}

/// Prefixes of the ranges, placed as in the header vector: an IPv4 address in the highest bits.
fn placed(ranges: &[Range], width: u32) -> Vec<Ternary<u128>> {
    ranges::prefixes(ranges, width)
        .into_iter()
        .map(|(lo, len)| Ternary { value: lo << (V6_BITS - width), mask: prefix_mask(len) })
        .collect()
}

fn addresses(list: &AddressList, pick: fn(&AddressRange) -> Option<Range>) -> Vec<Range> {
    let of = |ranges: &[AddressRange]| ranges.iter().filter_map(pick).collect();
    ranges::difference(of(&list.include), of(&list.exclude))
}

fn v4_range(range: &AddressRange) -> Option<Range> {
    match (range.first, range.last) {
        (IpAddr::V4(first), IpAddr::V4(last)) => Some((first.to_bits().into(), last.to_bits().into())),
        _ => None,
    }
}

fn v6_range(range: &AddressRange) -> Option<Range> {
    match (range.first, range.last) {
        (IpAddr::V6(first), IpAddr::V6(last)) => Some((first.to_bits(), last.to_bits())),
        _ => None,
    }
}

fn ports(list: &PortList) -> Vec<(u16, u16)> {
    match list {
        PortList::Any => vec![(0, u16::MAX)],
        PortList::Ports { include, exclude } => {
            let of = |ranges: &[std::ops::RangeInclusive<u16>]| {
                ranges
                    .iter()
                    .filter(|range| !range.is_empty())
                    .map(|range| (u128::from(*range.start()), u128::from(*range.end())))
                    .collect()
            };
            let ranges = ranges::difference(of(include), of(exclude));
            ranges.into_iter().map(|(lo, hi)| (lo as u16, hi as u16)).collect()
        }
    }
}

/// Values and masks without those that another one holds.
fn ternaries<T: Copy + Ord + BitAnd<Output = T>>(list: &[(T, T)]) -> Vec<Ternary<T>> {
    let mut all: Vec<(T, T)> = list.iter().map(|&(value, mask)| (mask, value & mask)).collect();
    all.sort_unstable();
    all.dedup();
    let holds = |a: &(T, T), b: &(T, T)| a != b && a.0 & b.0 == a.0 && b.1 & a.0 == a.1;
    let kept = all.iter().filter(|b| !all.iter().any(|a| holds(a, b)));
    kept.map(|&(mask, value)| Ternary { value, mask }).collect()
}

fn exchange(entry: &Entry) -> Entry {
    Entry { src: entry.dst, dst: entry.src, sport: entry.dport, dport: entry.sport, ..*entry }
}

type Order = (u8, u8, u128, u128, u128, u128, (u16, u16), (u16, u16), (u16, u16));

fn order(entry: &Entry) -> Order {
    (
        entry.class.value,
        entry.proto.value,
        entry.src.value,
        entry.src.mask,
        entry.dst.value,
        entry.dst.mask,
        entry.sport,
        entry.dport,
        (entry.aux.value, entry.aux.mask),
    )
}

#[cfg(test)]
mod tests;

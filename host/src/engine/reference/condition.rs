//! The header condition of a rule, tried as it was written.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use super::headers::{Headers, Ip};
use crate::rules::model::{AddressList, AddressRange, AuxList, Condition, Details, Family, PortList};

/// The headers of the packet that would go the other way with the same contents: for `<>`.
pub fn turned(headers: &Headers) -> Headers {
    let turned = |ip: &Ip| Ip { src: ip.dst, dst: ip.src, ports: ip.ports.map(|(s, d)| (d, s)), ..*ip };
    Headers { ip: headers.ip.as_ref().map(turned), ..headers.clone() }
}

/// Whether a packet satisfies a condition.
pub fn satisfies(headers: &Headers, condition: &Condition) -> bool {
    let details = &condition.details;
    let tagged = !headers.vlan.is_empty();
    if details.vlan.is_some_and(|asked| asked != tagged) {
        return false;
    }
    match &headers.ip {
        None => condition.family == Family::Any && asks_nothing_of_ip(condition),
        Some(ip) => {
            satisfies_ip(ip, condition)
                && details.fragment.is_none_or(|asked| asked == headers.fragment)
                && details.later_fragment.is_none_or(|asked| asked == headers.later_fragment)
                && has_aux(&details.aux, headers.aux)
        }
    }
}

fn asks_nothing_of_ip(condition: &Condition) -> bool {
    let Details { vlan: _, fragment, later_fragment, aux } = &condition.details;
    condition.protocols.iter().any(|(_, mask)| *mask == 0)
        && condition.src == AddressList::any()
        && condition.dst == AddressList::any()
        && condition.sport == PortList::Any
        && condition.dport == PortList::Any
        && (*fragment, *later_fragment, aux) == (None, None, &AuxList::Any)
}

fn has_aux(list: &AuxList, aux: Option<u16>) -> bool {
    match (list, aux) {
        (AuxList::Any, _) => true,
        (AuxList::Values(_), None) => false,
        (AuxList::Values(values), Some(aux)) => values.iter().any(|(value, mask)| aux & mask == value & mask),
    }
}

fn satisfies_ip(ip: &Ip, condition: &Condition) -> bool {
    let family = match condition.family {
        Family::Any | Family::Ip => true,
        Family::V4 => ip.src.is_ipv4(),
        Family::V6 => ip.src.is_ipv6(),
    };
    family
        && condition.protocols.iter().any(|(value, mask)| ip.protocol & mask == value & mask)
        && has_address(&condition.src, ip.src)
        && has_address(&condition.dst, ip.dst)
        && has_port(&condition.sport, ip.ports.map(|(sport, _)| sport))
        && has_port(&condition.dport, ip.ports.map(|(_, dport)| dport))
}

fn has_address(list: &AddressList, address: IpAddr) -> bool {
    list.include.iter().any(|range| holds(range, address))
        && !list.exclude.iter().any(|range| holds(range, address))
}

/// A range holds addresses of its own family only.
fn holds(range: &AddressRange, address: IpAddr) -> bool {
    match (range.first, range.last, address) {
        (IpAddr::V4(first), IpAddr::V4(last), IpAddr::V4(address)) => first <= address && address <= last,
        (IpAddr::V6(first), IpAddr::V6(last), IpAddr::V6(address)) => first <= address && address <= last,
        _ => false,
    }
}

fn has_port(list: &PortList, port: Option<u16>) -> bool {
    let holds = |ranges: &[RangeInclusive<u16>], port| ranges.iter().any(|range| range.contains(&port));
    match (list, port) {
        (PortList::Any, _) => true,
        (PortList::Ports { .. }, None) => false,
        (PortList::Ports { include, exclude }, Some(port)) => holds(include, port) && !holds(exclude, port),
    }
}

//! The judge: a slow, obvious engine that reads a packet header by header and tries every rule as it
//! was written.
//!
//! It shares nothing with what it judges: no compiled tables, hashes or header vectors. It takes
//! numbers of protocols from `etherparse` and reads headers by its slices; `docs/packet-semantics.md`
//! says what is accepted, and where `etherparse` is stricter than that, the bytes are read plainly.

pub mod headers;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;

use crate::decision::Decision;
use crate::device::{Batch, Decided, Device, DeviceError, RuleUpdate};
use crate::rules::model::{
    AddressList, AddressRange, AuxList, Condition, Details, Family, PortList, RuleClass, RuleSet, Signature,
};
use headers::{Headers, Ip};

/// Tries every rule on every packet.
pub struct Reference {
    rules: RuleSet,
}

impl Reference {
    /// A judge by these rules.
    pub fn new(rules: &RuleSet) -> Self {
        Self { rules: rules.clone() }
    }

    /// What the rules say of a packet, Ethernet header first.
    pub fn decide(&mut self, packet: &[u8]) -> Decision {
        let headers = Headers::of(packet);
        let mut decision = Decision { flags: headers.flags, ..Decision::default() };
        for (place, rule) in self.rules.acl.iter().enumerate() {
            if satisfies(&headers, &rule.condition) {
                decision.acl = Some(place as u32);
                break;
            }
        }
        for (place, signature) in self.rules.signatures.iter().enumerate() {
            if signature.class == RuleClass::Exact && matches_signature(&headers, signature) {
                decision.signatures.push(place as u32);
            }
        }
        decision
    }
}

fn matches_signature(headers: &Headers, signature: &Signature) -> bool {
    if satisfies(headers, &signature.condition) {
        return true;
    }
    let turned = |ip: &Ip| Ip { src: ip.dst, dst: ip.src, ports: ip.ports.map(|(s, d)| (d, s)), ..*ip };
    let backwards = Headers { ip: headers.ip.as_ref().map(turned), ..headers.clone() };
    signature.bidirectional && satisfies(&backwards, &signature.condition)
}

fn satisfies(headers: &Headers, condition: &Condition) -> bool {
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

/// The judge as a device (`--device reference`): for tests and for doubts about another device. It is
/// slow, for it tries every rule.
pub struct ReferenceDevice {
    reference: Reference,
    decided: VecDeque<Decided>,
}

impl ReferenceDevice {
    /// A device that decides by these rules.
    pub fn new(rules: &RuleSet) -> Self {
        Self { reference: Reference::new(rules), decided: VecDeque::new() }
    }
}

impl Device for ReferenceDevice {
    fn submit(&mut self, batch: Arc<Batch>) -> Result<(), DeviceError> {
        let decisions = batch.packets().map(|packet| self.reference.decide(packet)).collect();
        self.decided.push_back(Decided { batch, decisions });
        Ok(())
    }

    fn update(&mut self, update: &Arc<RuleUpdate>) -> Result<(), DeviceError> {
        self.reference = Reference::new(&update.rules);
        Ok(())
    }

    fn collect(&mut self, _drain: bool) -> Result<Option<Decided>, DeviceError> {
        Ok(self.decided.pop_front())
    }

    fn summary(&self) -> Vec<(String, String)> {
        let rules = self.reference.rules.acl.len() + self.reference.rules.signatures.len();
        vec![("rules tried on every packet".to_owned(), rules.to_string())]
    }
}

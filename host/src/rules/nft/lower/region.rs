//! Sets of packets that one condition can describe: products of families, addresses, protocols and so on.
//!
//! The intersection of two regions is a region again, which is what makes jumps expressible.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::rules::interval::{Interval, Space, common};
use crate::rules::model::{AddressList, AddressRange, AuxList, Condition, Details, Family, PortList};

use super::bits::Bits;

/// Packets that are not IP.
pub const NON_IP: u8 = 1;
/// IPv4 packets.
pub const V4: u8 = 2;
/// IPv6 packets.
pub const V6: u8 = 4;
/// All of them.
pub const EVERY: u8 = NON_IP | V4 | V6;

/// A set of packets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    /// [`NON_IP`], [`V4`], [`V6`]. Without IP nothing below is asked but VLAN tags.
    pub families: u8,
    pub vlan: Option<bool>,
    pub fragment: Option<bool>,
    pub later_fragment: Option<bool>,
    /// IP protocols.
    pub protocols: Bits,
    /// Addresses of the families, ascending and with gaps between them.
    pub src: Vec<Interval>,
    pub dst: Vec<Interval>,
    /// Ports; `None`: every packet, also without.
    pub sport: Option<Vec<Interval>>,
    pub dport: Option<Vec<Interval>>,
    /// High byte (ICMP type) and low byte (ICMP code, TCP flags); `None`: every packet, also without.
    pub aux: Option<(Bits, Bits)>,
}

impl Region {
    /// All packets of the families.
    pub fn of(families: u8) -> Self {
        let whole = || {
            let v4 = (families & V4 != 0).then(|| Space::V4.all());
            let v6 = (families & V6 != 0).then(|| Space::V6.all());
            v4.into_iter().chain(v6).collect()
        };
        Self {
            families,
            vlan: None,
            fragment: None,
            later_fragment: None,
            protocols: Bits::ALL,
            src: whole(),
            dst: whole(),
            sport: None,
            dport: None,
            aux: None,
        }
    }

    /// Packets that are in both; `None` when there are none.
    pub fn and(&self, other: &Self) -> Option<Self> {
        let mut both = Self {
            families: self.families & other.families,
            vlan: both_flags(self.vlan, other.vlan)?,
            fragment: both_flags(self.fragment, other.fragment)?,
            later_fragment: both_flags(self.later_fragment, other.later_fragment)?,
            protocols: self.protocols.and(&other.protocols),
            src: common(&self.src, &other.src),
            dst: common(&self.dst, &other.dst),
            sport: both_ports(&self.sport, &other.sport),
            dport: both_ports(&self.dport, &other.dport),
            aux: match (&self.aux, &other.aux) {
                (Some(a), Some(b)) => Some((a.0.and(&b.0), a.1.and(&b.1))),
                (a, b) => a.or(*b),
            },
        };
        for (family, space) in [(V4, Space::V4), (V6, Space::V6)] {
            let has = |list: &[Interval]| list.iter().any(|interval| interval.space == space);
            if both.families & family == 0 || !has(&both.src) || !has(&both.dst) {
                both.families &= !family;
                both.src.retain(|interval| interval.space != space);
                both.dst.retain(|interval| interval.space != space);
            }
        }
        (!both.is_empty()).then_some(both)
    }

    fn is_empty(&self) -> bool {
        let no_ports = |ports: &Option<Vec<Interval>>| ports.as_ref().is_some_and(Vec::is_empty);
        let no_aux = self.aux.is_some_and(|(high, low)| high.is_empty() || low.is_empty());
        self.families == 0
            || self.protocols.is_empty()
            || no_ports(&self.sport)
            || no_ports(&self.dport)
            || no_aux
    }

    /// The condition that exactly these packets satisfy. The families are one, both of IP, or all.
    pub fn condition(&self) -> Condition {
        let family = match self.families {
            V4 => Family::V4,
            V6 => Family::V6,
            EVERY => Family::Any,
            _ => Family::Ip,
        };
        let aux = self.aux.map_or(AuxList::Any, |(high, low)| {
            let low = low.cover();
            let pair = |(value, mask): (u8, u8), (low_value, low_mask): &(u8, u8)| {
                (u16::from_be_bytes([value, *low_value]), u16::from_be_bytes([mask, *low_mask]))
            };
            let values = high.cover().into_iter().flat_map(|high| low.iter().map(move |low| pair(high, low)));
            AuxList::Values(values.collect())
        });
        let Self { vlan, fragment, later_fragment, .. } = *self;
        Condition {
            family,
            protocols: self.protocols.cover(),
            src: addresses(&self.src),
            dst: addresses(&self.dst),
            sport: ports(&self.sport),
            dport: ports(&self.dport),
            details: Details { vlan, fragment, later_fragment, aux },
        }
    }
}

/// What two demands leave: `None` when they contradict each other.
fn both_flags(a: Option<bool>, b: Option<bool>) -> Option<Option<bool>> {
    match (a, b) {
        (Some(a), Some(b)) if a != b => None,
        (a, b) => Some(a.or(b)),
    }
}

fn both_ports(a: &Option<Vec<Interval>>, b: &Option<Vec<Interval>>) -> Option<Vec<Interval>> {
    match (a, b) {
        (Some(a), Some(b)) => Some(common(a, b)),
        (a, b) => a.clone().or_else(|| b.clone()),
    }
}

fn addresses(intervals: &[Interval]) -> AddressList {
    let include = intervals.iter().map(|interval| {
        let address = |value: u128| match interval.space {
            Space::V6 => IpAddr::V6(Ipv6Addr::from_bits(value)),
            _ => IpAddr::V4(Ipv4Addr::from_bits(value as u32)),
        };
        AddressRange { first: address(interval.first), last: address(interval.last) }
    });
    AddressList { include: include.collect(), exclude: Vec::new() }
}

fn ports(ports: &Option<Vec<Interval>>) -> PortList {
    ports.as_ref().map_or(PortList::Any, |intervals| PortList::Ports {
        include: intervals.iter().map(|interval| interval.first as u16..=interval.last as u16).collect(),
        exclude: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_intersection_without_addresses_of_a_family_loses_it() {
        let mut one = Region::of(EVERY);
        one.families = V4 | V6;
        one.src = vec![Interval { space: Space::V4, first: 5, last: 9 }, Space::V6.all()];
        let mut two = Region::of(V4 | V6);
        two.src = vec![Interval { space: Space::V4, first: 10, last: 20 }, Space::V6.all()];
        assert_eq!(one.and(&two), Some(Region::of(V6)));
        assert_eq!(one.and(&Region::of(V4)).map(|both| both.dst), Some(vec![Space::V4.all()]));
        two.families = V4;
        assert_eq!(one.and(&two), None);
    }

    #[test]
    fn demands_that_contradict_leave_nothing() {
        let all = Region::of(EVERY);
        let tagged = |vlan| Region { vlan: Some(vlan), ..Region::of(EVERY) };
        assert_eq!(tagged(true).and(&tagged(false)), None);
        assert_eq!(tagged(true).and(&all), Some(tagged(true)));
        assert_eq!(all.and(&all), Some(all.clone()));
        let port = |port| Region {
            sport: Some(vec![Interval { space: Space::Port, first: port, last: port }]),
            ..Region::of(V4)
        };
        assert_eq!(port(80).and(&port(81)), None);
        assert_eq!(port(80).and(&Region::of(V4)), Some(port(80)));
    }

    #[test]
    fn every_packet_is_any() {
        let condition = Region::of(EVERY).condition();
        assert_eq!(
            (condition.family, &condition.src, &condition.dst),
            (Family::Any, &AddressList::any(), &AddressList::any(),)
        );
        assert_eq!(condition.protocols, [(0, 0)]);
    }
}

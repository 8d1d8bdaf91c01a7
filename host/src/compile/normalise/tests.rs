#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::collection::vec;
use proptest::prelude::*;
use wiresift_abi::bits::Line;
use wiresift_abi::vector;

use super::*;

/// A packet as a condition sees it.
#[derive(Clone, Copy, Debug)]
struct Packet {
    src: IpAddr,
    dst: IpAddr,
    ports: Option<(u16, u16)>,
    proto: u8,
    aux: Option<u16>,
    /// VLAN, FRAGMENT, LATER_FRAGMENT.
    bits: [bool; 3],
    /// Without it addresses, ports, protocol, `aux` and the fragment bits are not there.
    is_ip: bool,
}

impl Packet {
    fn vector(&self) -> Line {
        let placed = |address| match address {
            IpAddr::V4(address) => u128::from(address.to_bits()) << 96,
            IpAddr::V6(address) => address.to_bits(),
        };
        let bit = |set: bool, bit: u8| if set { bit } else { 0 };
        let [vlan, fragment, later] = self.bits;
        if !self.is_ip {
            return Line::default().with(vector::CLASS, bit(vlan, Class::VLAN).into());
        }
        let (sport, dport) = self.ports.unwrap_or_default();
        let class = Class::IP
            | bit(self.src.is_ipv6(), Class::IPV6)
            | bit(self.ports.is_some(), Class::PORTS)
            | bit(self.aux.is_some(), Class::AUX)
            | bit(vlan, Class::VLAN)
            | bit(fragment, Class::FRAGMENT)
            | bit(later, Class::LATER_FRAGMENT);
        Line::default()
            .with(vector::SRC, placed(self.src))
            .with(vector::DST, placed(self.dst))
            .with(vector::SPORT, sport.into())
            .with(vector::DPORT, dport.into())
            .with(vector::PROTO, self.proto.into())
            .with(vector::CLASS, class.into())
            .with(vector::AUX, self.aux.unwrap_or_default().into())
    }

    fn exchanged(&self) -> Self {
        Self { src: self.dst, dst: self.src, ports: self.ports.map(|(a, b)| (b, a)), ..*self }
    }
}

/// What the condition's text says of a packet.
fn satisfies(condition: &Condition, packet: &Packet) -> bool {
    let in_list = |list: &AddressList, address: IpAddr| {
        let within = |range: &AddressRange| {
            range.first.is_ipv4() == address.is_ipv4() && (range.first..=range.last).contains(&address)
        };
        list.include.iter().any(within) && !list.exclude.iter().any(within)
    };
    let in_ports = |list: &PortList, port: Option<u16>| match list {
        PortList::Any => true,
        PortList::Ports { include, exclude } => port.is_some_and(|port| {
            include.iter().any(|r| r.contains(&port)) && !exclude.iter().any(|r| r.contains(&port))
        }),
    };
    let [vlan, fragment, later] = packet.bits;
    let Details { vlan: asked_vlan, fragment: asked_fragment, later_fragment, aux } = &condition.details;
    let fits = |asked: &Option<bool>, is: bool| asked.is_none() || *asked == Some(is);
    if !packet.is_ip {
        return condition.family == Family::Any
            && fits(asked_vlan, vlan)
            && (asked_fragment, later_fragment, aux) == (&None, &None, &AuxList::Any)
            && condition.protocols.iter().any(|(_, mask)| *mask == 0)
            && [&condition.src, &condition.dst].iter().all(|list| **list == any())
            && [&condition.sport, &condition.dport].iter().all(|list| **list == PortList::Any);
    }
    let in_aux = match (aux, packet.aux) {
        (AuxList::Any, _) => true,
        (AuxList::Values(values), Some(aux)) => values.iter().any(|(value, mask)| aux & mask == value & mask),
        (AuxList::Values(_), None) => false,
    };
    let family = match condition.family {
        Family::Any | Family::Ip => true,
        Family::V4 => packet.src.is_ipv4(),
        Family::V6 => packet.src.is_ipv6(),
    };
    family
        && in_aux
        && fits(asked_vlan, vlan)
        && fits(asked_fragment, fragment)
        && fits(later_fragment, later)
        && condition.protocols.iter().any(|(value, mask)| packet.proto & mask == value & mask)
        && in_list(&condition.src, packet.src)
        && in_list(&condition.dst, packet.dst)
        && in_ports(&condition.sport, packet.ports.map(|ports| ports.0))
        && in_ports(&condition.dport, packet.ports.map(|ports| ports.1))
}

/// Addresses near each other and near both ends of the space, so that ranges touch, nest and wrap.
fn v4() -> impl Strategy<Value = u32> {
    prop_oneof![0u32..6, Just(0x0a00_0000u32), 0x0a00_00f0u32..0x0a00_0110, u32::MAX - 5..=u32::MAX]
}

fn v6() -> impl Strategy<Value = u128> {
    const BASE: u128 = 0x2001_0db8 << 96;
    prop_oneof![0u128..6, BASE - 3..BASE + 9, u128::MAX - 5..=u128::MAX]
}

fn range() -> impl Strategy<Value = AddressRange> {
    let v4_range = (v4(), v4()).prop_map(|(a, b)| AddressRange {
        first: Ipv4Addr::from_bits(a.min(b)).into(),
        last: Ipv4Addr::from_bits(a.max(b)).into(),
    });
    let v6_range = (v6(), v6()).prop_map(|(a, b)| AddressRange {
        first: Ipv6Addr::from_bits(a.min(b)).into(),
        last: Ipv6Addr::from_bits(a.max(b)).into(),
    });
    prop_oneof![v4_range, v6_range]
}

fn any() -> AddressList {
    AddressList {
        include: vec![
            AddressRange { first: Ipv4Addr::from_bits(0).into(), last: Ipv4Addr::from_bits(u32::MAX).into() },
            AddressRange {
                first: Ipv6Addr::from_bits(0).into(),
                last: Ipv6Addr::from_bits(u128::MAX).into(),
            },
        ],
        exclude: Vec::new(),
    }
}

fn list() -> impl Strategy<Value = AddressList> {
    let narrowed = vec(range(), 0..2).prop_map(|exclude| AddressList { exclude, ..any() });
    let some = (vec(range(), 0..3), vec(range(), 0..2))
        .prop_map(|(include, exclude)| AddressList { include, exclude });
    prop_oneof![Just(any()), narrowed, some]
}

fn port() -> impl Strategy<Value = u16> {
    prop_oneof![0u16..5, 78u16..83, u16::MAX - 3..=u16::MAX]
}

fn port_list() -> impl Strategy<Value = PortList> {
    let ranges = |n| vec((port(), port()).prop_map(|(a, b)| a.min(b)..=a.max(b)), n);
    prop_oneof![
        Just(PortList::Any),
        (ranges(0..3), ranges(0..3)).prop_map(|(include, exclude)| PortList::Ports { include, exclude })
    ]
}

fn condition() -> impl Strategy<Value = Condition> {
    let family = prop_oneof![Just(Family::Ip), Just(Family::V4), Just(Family::V6), Just(Family::Any)];
    let protocol = prop_oneof![Just((0, 0)), Just((6, 255)), Just((17, 255)), Just((7, 6)), Just((1, 3))];
    (family, vec(protocol, 1..3), list(), list(), port_list(), port_list(), details()).prop_map(
        |(family, protocols, src, dst, sport, dport, details)| Condition {
            family,
            protocols,
            src,
            dst,
            sport,
            dport,
            details,
        },
    )
}

fn details() -> impl Strategy<Value = Details> {
    let asked = || proptest::option::weighted(0.3, any_bool());
    let values = prop_oneof![Just((0, 0)), Just((2, 0x12)), Just((0x0203, 0xffff)), Just((0x10, 0x10))];
    let aux = prop_oneof![3 => Just(AuxList::Any), 1 => vec(values, 0..3).prop_map(AuxList::Values)];
    (asked(), asked(), asked(), aux).prop_map(|(vlan, fragment, later_fragment, aux)| Details {
        vlan,
        fragment,
        later_fragment,
        aux,
    })
}

fn any_bool() -> proptest::bool::Any {
    proptest::bool::ANY
}

fn packet() -> impl Strategy<Value = Packet> {
    let addresses = prop_oneof![
        (v4(), v4()).prop_map(|(a, b)| (Ipv4Addr::from_bits(a).into(), Ipv4Addr::from_bits(b).into())),
        (v6(), v6()).prop_map(|(a, b)| (Ipv6Addr::from_bits(a).into(), Ipv6Addr::from_bits(b).into())),
    ];
    let ports = proptest::option::weighted(0.8, (port(), port()));
    let proto = prop_oneof![Just(6), Just(17), Just(1), Just(0)];
    let aux = proptest::option::of(prop_oneof![Just(0), Just(2), Just(0x12), Just(0x0203)]);
    let bits = [any_bool(), any_bool(), any_bool()];
    (addresses, ports, proto, aux, bits, proptest::bool::weighted(0.8)).prop_map(
        |((src, dst), ports, proto, aux, bits, is_ip)| Packet { src, dst, ports, proto, aux, bits, is_ip },
    )
}

fn set_is_empty(list: &AddressList, family: Family) -> bool {
    let v4 = addresses(list, v4_range).is_empty() || family == Family::V6;
    let v6 = addresses(list, v6_range).is_empty() || family == Family::V4;
    v4 && v6
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn entries_match_what_satisfies_the_condition(
        condition in condition(), both_ways: bool, packets in vec(packet(), 64),
    ) {
        let Ok(entries) = normalise(&condition, both_ways, Kind::Acl) else {
            return Err(TestCaseError::reject("too many entries"));
        };
        for packet in packets {
            let expected = satisfies(&condition, &packet)
                || (both_ways && satisfies(&condition, &packet.exchanged()));
            let matching = entries.iter().filter(|entry| entry.matches(&packet.vector())).count();
            prop_assert_eq!(matching > 0, expected, "{:?}", packet);
            let several_aux = matches!(&condition.details.aux, AuxList::Values(values) if values.len() > 1);
            let alone = !both_ways && condition.protocols.len() == 1 && !several_aux;
            prop_assert!(!alone || matching <= 1, "{} entries for {:?}", matching, packet);
        }
        let unique: FxHashSet<Entry> = entries.iter().copied().collect();
        prop_assert_eq!(unique.len(), entries.len());
        if set_is_empty(&condition.src, condition.family) || set_is_empty(&condition.dst, condition.family) {
            prop_assert!(entries.is_empty());
        }
    }
}

fn any_to_any() -> Condition {
    Condition {
        family: Family::Ip,
        protocols: vec![(6, 255)],
        src: any(),
        dst: any(),
        sport: PortList::Any,
        dport: PortList::Any,
        details: Details::default(),
    }
}

#[test]
fn any_is_one_entry_for_both_families() {
    let entries = normalise(&any_to_any(), true, Kind::Signature).unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].class, Ternary { value: Class::IP, mask: Class::IP });
}

#[test]
fn all_ports_written_out_still_ask_for_a_packet_with_ports() {
    let mut condition = any_to_any();
    condition.dport = PortList::Ports { include: vec![0..=65535], exclude: vec![] };
    let entries = normalise(&condition, false, Kind::Acl).unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].class.mask, Class::IP | Class::PORTS);
}

#[test]
fn a_protocol_that_another_one_holds_adds_no_entry() {
    let mut condition = any_to_any();
    condition.protocols = vec![(58, 255), (1, 255), (58, 255)];
    assert_eq!(normalise(&condition, false, Kind::Acl).unwrap().len(), 2);
    condition.protocols.push((0, 0));
    assert_eq!(normalise(&condition, false, Kind::Acl).unwrap().len(), 1);
}

#[test]
fn a_rule_that_blows_up_gives_its_count_and_no_entries() {
    let mut condition = any_to_any();
    let odd = |n: u128| {
        let address = IpAddr::V6(Ipv6Addr::from_bits(2 * n + 1));
        AddressRange { first: address, last: address }
    };
    condition.src.include = (0..400).map(odd).collect();
    condition.dst.include = (0..200).map(odd).collect();
    assert_eq!(normalise(&condition, false, Kind::Acl), Err(TooManyEntries(80_000)));
}

#[test]
fn the_same_condition_in_other_words_gives_the_same_entries() {
    let address = |n: u32| IpAddr::V4(Ipv4Addr::from_bits(n));
    let mut one = any_to_any();
    one.src.include = vec![AddressRange { first: address(0), last: address(255) }];
    let mut two = one.clone();
    two.src.include = vec![
        AddressRange { first: address(100), last: address(255) },
        AddressRange { first: address(0), last: address(120) },
    ];
    let normal = |condition| normalise(condition, false, Kind::Signature).unwrap();
    assert_eq!(normal(&one), normal(&two));
    // `A <> B` is `B <> A`.
    let mut turned = two.clone();
    std::mem::swap(&mut turned.src, &mut turned.dst);
    let both = |condition| normalise(condition, true, Kind::Signature).unwrap();
    assert_eq!(both(&one), both(&turned));
}

#[test]
fn only_what_asks_for_nothing_of_ip_leaves_the_class_open() {
    let all = Condition { family: Family::Any, protocols: vec![(0, 0)], ..any_to_any() };
    let class = |condition: &Condition| {
        let entries = normalise(condition, false, Kind::Acl).unwrap();
        assert_eq!(entries.len(), 1);
        entries[0].class
    };
    assert_eq!(class(&all), Ternary::default());
    let tagged = Details { vlan: Some(true), ..Details::default() };
    let tagged = Condition { details: tagged, ..all.clone() };
    assert_eq!(class(&tagged), Ternary { value: Class::VLAN, mask: Class::VLAN });
    let whole = Details { fragment: Some(false), ..Details::default() };
    let whole = Condition { details: whole, ..all.clone() };
    assert_eq!(class(&whole), Ternary { value: Class::IP, mask: Class::IP | Class::FRAGMENT });
    let zero = Condition { protocols: vec![(0, 255)], ..all };
    assert_eq!(class(&zero), Ternary { value: Class::IP, mask: Class::IP });
}

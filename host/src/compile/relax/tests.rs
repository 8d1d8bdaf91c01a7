#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;

fn v4(first: u32, last: u32) -> AddressRange {
    AddressRange { first: Ipv4Addr::from_bits(first).into(), last: Ipv4Addr::from_bits(last).into() }
}

fn v6(first: u128, last: u128) -> AddressRange {
    AddressRange { first: Ipv6Addr::from_bits(first).into(), last: Ipv6Addr::from_bits(last).into() }
}

fn all() -> Vec<AddressRange> {
    vec![v4(0, u32::MAX), v6(0, u128::MAX)]
}

/// Two small blocks of each family, and all of IPv4, of IPv6, of both.
fn ranges() -> impl Strategy<Value = Vec<AddressRange>> {
    prop_oneof![
        Just(vec![v4(0x0a00_0000, 0x0aff_ffff)]),
        Just(vec![v4(0x0a01_0000, 0x0a01_00ff), v6(5 << 100, (5 << 100) + 99)]),
        Just(vec![v4(0xc0a8_0101, 0xc0a8_0101)]),
        Just(vec![v4(0, u32::MAX)]),
        Just(all()),
        Just(vec![v6(5 << 100, (6 << 100) - 1)]),
    ]
}

fn list() -> impl Strategy<Value = AddressList> {
    let exclude = prop_oneof![Just(Vec::new()), ranges()];
    (ranges(), exclude).prop_map(|(include, exclude)| AddressList { include, exclude })
}

fn holds(list: &AddressList, address: IpAddr) -> bool {
    let within = |range: &AddressRange| {
        range.first.is_ipv4() == address.is_ipv4() && range.first <= address && address <= range.last
    };
    list.include.iter().any(within) && !list.exclude.iter().any(within)
}

fn satisfies(condition: &Condition, src: IpAddr, dst: IpAddr) -> bool {
    let family = match condition.family {
        Family::Any | Family::Ip => true,
        Family::V4 => src.is_ipv4(),
        Family::V6 => src.is_ipv6(),
    };
    family && holds(&condition.src, src) && holds(&condition.dst, dst)
}

fn condition(family: Family, src: AddressList, dst: AddressList) -> Condition {
    let (sport, dport) = (PortList::Any, PortList::Any);
    Condition { family, protocols: vec![(6, 255)], src, dst, sport, dport, details: Details::default() }
}

/// Addresses at the edges of the ranges above.
const V4: [u32; 8] =
    [0x0a00_0000, 0x0aff_ffff, 0x0a01_0000, 0x0a01_00ff, 0x0a01_0100, 0xc0a8_0101, 0x0b00_0000, 0];
const V6: [u128; 5] = [5 << 100, (5 << 100) + 99, (5 << 100) + 100, 6 << 100, 0];

proptest! {
    #[test]
    fn what_is_left_and_not_taken_away_is_the_condition(
        src in list(), dst in list(), family in prop_oneof![Just(Family::Ip), Just(Family::V4), Just(Family::V6)],
    ) {
        let condition = condition(family, src, dst);
        let Some(relaxed) = relax(&condition) else { return Ok(()) };
        let four: Vec<IpAddr> = V4.iter().map(|&bits| Ipv4Addr::from_bits(bits).into()).collect();
        let six: Vec<IpAddr> = V6.iter().map(|&bits| Ipv6Addr::from_bits(bits).into()).collect();
        for addresses in [four, six] {
            for &src in &addresses {
                for &dst in &addresses {
                    let is_taken = relaxed.unless.iter().any(|unless| satisfies(unless, src, dst));
                    prop_assert_eq!(
                        satisfies(&relaxed.condition, src, dst) && !is_taken,
                        satisfies(&condition, src, dst),
                        "{} to {}", src, dst
                    );
                }
            }
        }
    }
}

fn home() -> Vec<AddressRange> {
    vec![v4(0x0a00_0000, 0x0aff_ffff), v4(0xac10_0000, 0xac1f_ffff), v4(0xc0a8_0000, 0xc0a8_ffff)]
}

#[test]
fn the_complement_of_the_private_networks_is_not_written_out() {
    let home = AddressList { include: home(), exclude: Vec::new() };
    let external = AddressList { include: vec![v4(0, u32::MAX)], exclude: home.include.clone() };
    for (src, dst) in [(&external, &home), (&home, &external)] {
        let condition = condition(Family::Ip, src.clone(), dst.clone());
        let relaxed = relax(&condition).unwrap();
        assert_eq!((count(&condition, false), count(&relaxed.condition, false)), (93, 3));
        assert_eq!(relaxed.unless.len(), 1);
        assert_eq!((&relaxed.unless[0].src, &relaxed.unless[0].dst), (&home, &home));
    }
}

#[test]
fn a_negation_beside_any_address_or_one_that_is_cheap_stays() {
    let any = AddressList { include: all(), exclude: Vec::new() };
    let external = AddressList { include: vec![v4(0, u32::MAX)], exclude: home() };
    assert_eq!(relax(&condition(Family::Ip, external.clone(), any)), None);
    assert_eq!(relax(&condition(Family::Ip, external.clone(), external)), None);
    let half = AddressList { include: vec![v4(0, u32::MAX)], exclude: vec![v4(0, u32::MAX >> 1)] };
    let host = AddressList { include: vec![v4(7, 7)], exclude: Vec::new() };
    assert_eq!(relax(&condition(Family::Ip, half, host)), None);
}

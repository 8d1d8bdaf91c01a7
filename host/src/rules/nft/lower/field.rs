//! A test of one field → the packets that pass it.
//!
//! Netfilter ends a rule without a match where a packet does not have the field (`nft_payload.c`, `nft_meta.c`), so
//! each field brings the packets that have it, also under `!=`: `tcp dport != 80` asks for TCP.

use wiresift_abi::vector::number::{
    ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPES_VLAN, FRAGMENT, ICMP, ICMPV6, TCP,
};

use crate::rules::interval::{Interval, Space, merged, subtract};

use super::super::ast::{At, Field, TableFamily};
use super::super::names::{NFPROTO_IPV4, NFPROTO_IPV6};
use super::Trouble;
use super::bits::Bits;
use super::region::{EVERY, NON_IP, Region, V4, V6};
use super::value::Test;

/// What the statements before say of a rule's packets.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    pub table: TableFamily,
    /// A match before named the network protocol.
    pub network: bool,
    /// A match before named the transport protocol.
    pub transport: bool,
}

/// IPv6 extension headers that `meta l4proto` is never one of, because netfilter walks over them
/// (`ipv6_find_hdr`). The header vector has one where the walk stopped.
const WALKED_OVER: [u8; 4] = [0, 43, FRAGMENT, 60];
/// Bits of `ip frag-off`: more fragments and the offset.
const MORE_FRAGMENTS: u128 = 0x2000;
const OFFSET: u128 = 0x1fff;

/// Families of the packets that a table sees.
pub fn seen(table: TableFamily) -> u8 {
    match table {
        TableFamily::Ip => V4,
        TableFamily::Ip6 => V6,
        TableFamily::Inet => V4 | V6,
        TableFamily::Bridge | TableFamily::Netdev | TableFamily::Arp => EVERY,
    }
}

/// The packets that have the field and pass the test.
pub fn regions(field: Field, test: &Test, known: Known, at: &At) -> Result<Vec<Region>, Trouble> {
    let bytes = || Bits::of(|byte| test.holds(byte.into()));
    Ok(match field {
        Field::V4Src | Field::V4Dst | Field::V6Src | Field::V6Dst => vec![address(field, test, at)?],
        Field::Sport(protocol) | Field::Dport(protocol) => {
            let ports = Some(intervals(Space::Port, field, test, at)?);
            let mut region = Region::of(V4 | V6);
            if let Some(protocol) = protocol {
                region.protocols = Bits::of(|byte| byte == protocol);
            }
            match field {
                Field::Sport(_) => region.sport = ports,
                _ => region.dport = ports,
            }
            vec![region]
        }
        Field::V4Protocol => vec![Region { protocols: bytes(), ..Region::of(V4) }],
        Field::L4Proto => l4proto(&bytes()),
        Field::TcpFlags => {
            let protocols = Bits::of(|byte| byte == TCP);
            vec![Region { protocols, aux: Some((Bits::ALL, bytes())), ..Region::of(V4 | V6) }]
        }
        Field::IcmpType => vec![icmp((bytes(), Bits::ALL), ICMP, known)],
        Field::IcmpCode => vec![icmp((Bits::ALL, bytes()), ICMP, known)],
        Field::Icmp6Type => vec![icmp((bytes(), Bits::ALL), ICMPV6, known)],
        Field::Icmp6Code => vec![icmp((Bits::ALL, bytes()), ICMPV6, known)],
        Field::FragOff => fragments(test, at)?,
        Field::NfProto => {
            let bit = |number: u16, family| if test.holds(number.into()) { family } else { 0 };
            families(bit(NFPROTO_IPV4, V4) | bit(NFPROTO_IPV6, V6)).into_iter().collect()
        }
        Field::Protocol => {
            let found = of_ethertypes(test, known, at)?;
            families(found).into_iter().collect()
        }
        Field::EtherType => ethertype(test, known, at)?,
    })
}

fn families(found: u8) -> Option<Region> {
    (found != 0).then(|| Region::of(found))
}

fn intervals(space: Space, field: Field, test: &Test, at: &At) -> Result<Vec<Interval>, Trouble> {
    let Some((ranges, negated)) = test.ranges(field) else {
        return Err(Trouble::skip(at, "a mask that is no prefix"));
    };
    let ranges: Vec<_> = ranges.into_iter().map(|(first, last)| Interval { space, first, last }).collect();
    Ok(if negated { subtract(&[space.all()], &ranges) } else { merged(&ranges) })
}

fn address(field: Field, test: &Test, at: &At) -> Result<Region, Trouble> {
    let (space, family) = match field {
        Field::V4Src | Field::V4Dst => (Space::V4, V4),
        _ => (Space::V6, V6),
    };
    let addresses = intervals(space, field, test, at)?;
    let region = Region::of(family);
    Ok(match field {
        Field::V4Src | Field::V6Src => Region { src: addresses, ..region },
        _ => Region { dst: addresses, ..region },
    })
}

/// IPv4: the protocol of the header; IPv6: that behind the extension headers.
fn l4proto(protocols: &Bits) -> Vec<Region> {
    let behind = Bits::of(|byte| !WALKED_OVER.contains(&byte)).and(protocols);
    if behind == *protocols {
        return vec![Region { protocols: behind, ..Region::of(V4 | V6) }];
    }
    vec![Region { protocols: *protocols, ..Region::of(V4) }, Region { protocols: behind, ..Region::of(V6) }]
}

/// Type and code. nft asks for the family too where the table sees several and nothing before names the network
/// or transport protocol; in a bridge by the EtherType, which a tagged packet does not have.
fn icmp(aux: (Bits, Bits), protocol: u8, known: Known) -> Region {
    let families = match known.table {
        TableFamily::Ip | TableFamily::Ip6 => V4 | V6,
        _ if known.network || known.transport => V4 | V6,
        _ if protocol == ICMP => V4,
        _ => V6,
    };
    let untagged = known.table == TableFamily::Bridge && !known.network && !known.transport;
    Region {
        protocols: Bits::of(|byte| byte == protocol),
        aux: Some(aux),
        vlan: untagged.then_some(false),
        ..Region::of(families)
    }
}

/// `ip frag-off`: three kinds of packets can be told apart, so every kind must pass as a whole or not at all.
fn fragments(test: &Test, at: &At) -> Result<Vec<Region>, Trouble> {
    let mut passes = [None; 3];
    for value in 0..=u128::from(u16::MAX) {
        let kind = if value & OFFSET != 0 { 2 } else { usize::from(value & MORE_FRAGMENTS != 0) };
        let here = test.holds(value);
        if *passes[kind].get_or_insert(here) != here {
            return Err(Trouble::skip(at, "any part of `ip frag-off` but whether there are fragments"));
        }
    }
    let region = |fragment, later_fragment| Region { fragment, later_fragment, ..Region::of(V4) };
    Ok(match passes.map(|passes| passes == Some(true)) {
        [false, false, false] => vec![],
        [true, true, true] => vec![region(None, None)],
        [true, false, false] => vec![region(Some(false), None)],
        [false, true, true] => vec![region(Some(true), None)],
        [true, true, false] => vec![region(None, Some(false))],
        [false, false, true] => vec![region(None, Some(true))],
        [false, true, false] => vec![region(Some(true), Some(false))],
        [true, false, true] => vec![region(Some(false), None), region(None, Some(true))],
    })
}

/// Families of the EtherTypes that pass; those that are not IP only all together.
fn of_ethertypes(test: &Test, known: Known, at: &At) -> Result<u8, Trouble> {
    let seen = seen(known.table);
    let bit = |number: u16, family| if test.holds(number.into()) { family } else { 0 };
    let mut found = bit(ETHERTYPE_IPV4, V4) | bit(ETHERTYPE_IPV6, V6);
    if seen & NON_IP != 0 {
        let tag = |number: &u16| ETHERTYPES_VLAN.contains(number);
        let other = |number: &u16| ![ETHERTYPE_IPV4, ETHERTYPE_IPV6].contains(number) && !tag(number);
        let mut others = (0..=u16::MAX).filter(other).map(|number| test.holds(number.into()));
        let first = others.next() == Some(true);
        if others.any(|here| here != first) || first && found != V4 | V6 {
            return Err(Trouble::skip(at, "an EtherType other than those of IPv4 and IPv6"));
        }
        found |= if first { NON_IP } else { 0 };
    }
    Ok(found)
}

/// `ether type`: that of the tag where there is one.
fn ethertype(test: &Test, known: Known, at: &At) -> Result<Vec<Region>, Trouble> {
    let tags = ETHERTYPES_VLAN.map(|number| test.holds(number.into()));
    if tags.iter().any(|here| *here != tags[0]) {
        return Err(Trouble::skip(at, "the EtherType of a VLAN tag"));
    }
    let untagged = families(of_ethertypes(test, known, at)?);
    let mut found: Vec<_> =
        untagged.into_iter().map(|region| Region { vlan: Some(false), ..region }).collect();
    if tags[0] {
        found.push(Region { vlan: Some(true), ..Region::of(EVERY) });
    }
    Ok(found)
}

//! Rule sets for the tests of compiler and engine.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::rules::detect::Detect;
use crate::rules::load::parse_sources;
use crate::rules::model::*;
use crate::rules::source::Source;

/// The folder of real rules and captures; prints why a test does nothing where there is none.
pub fn corpus() -> Option<PathBuf> {
    let corpus = std::env::var_os("CORPUS").map(PathBuf::from);
    if corpus.is_none() {
        println!("skipped: CORPUS is not set");
    }
    corpus
}

/// A ClassBench set of the corpus.
pub fn classbench(corpus: &Path, name: &str) -> RuleSet {
    let source = Source::new(name, &unpacked(&corpus.join(format!("classbench/{name}.rules.gz"))));
    parse_sources(&[source], &BTreeMap::new()).unwrap_or_else(|errors| panic!("{name}: {errors:?}"))
}

/// Bytes of a gzip file.
pub fn unpacked(file: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    flate2::read::GzDecoder::new(file).read_to_end(&mut bytes).unwrap();
    bytes
}

/// Random rules over few addresses and ports, so that they overlap, share keys and leave packets
/// undecided.
pub struct Random(pub ChaCha8Rng);

impl Random {
    /// Rules of both kinds and both families.
    pub fn rules(&mut self, acl: usize, signatures: usize) -> RuleSet {
        let mut rules = RuleSet::default();
        for line in 1..=acl as u32 {
            let origin = Origin { file: "acl".to_owned(), line };
            rules.acl.push(AclRule { condition: self.condition(), action: AclAction::Match, origin });
        }
        for sid in 1..=signatures as u32 {
            rules.signatures.push(self.signature(sid));
        }
        rules
    }

    fn signature(&mut self, sid: u32) -> Signature {
        let refused = self.0.random_ratio(1, 20);
        Signature {
            sid,
            gid: 1,
            rev: 1,
            action: SignatureAction::Alert,
            msg: format!("signature {sid}"),
            detect: Detect::default(),
            classtype: None,
            priority: None,
            references: Vec::new(),
            metadata: Vec::new(),
            condition: self.condition(),
            bidirectional: self.0.random_ratio(1, 4),
            class: if refused { RuleClass::Refused("content".to_owned()) } else { RuleClass::Exact },
            origin: Origin { file: "signatures".to_owned(), line: sid },
        }
    }

    fn condition(&mut self) -> Condition {
        let family = [Family::V4, Family::V6, Family::Ip, Family::Any][self.0.random_range(0..4)];
        let protocols = [vec![(6, 255)], vec![(17, 255)], vec![(0, 0)], vec![(1, 255), (58, 255)]];
        Condition {
            family,
            protocols: protocols[self.0.random_range(0..4)].clone(),
            src: self.addresses(family),
            dst: self.addresses(family),
            sport: self.ports(),
            dport: self.ports(),
            details: self.details(),
        }
    }

    /// Nothing most of the time.
    fn details(&mut self) -> Details {
        if self.0.random_ratio(2, 3) {
            return Details::default();
        }
        let mut some = || [None, None, Some(false), Some(true)][self.0.random_range(0..4)];
        let (vlan, fragment, later_fragment) = (some(), some(), some());
        let aux = match self.0.random_range(0..4) {
            0 => AuxList::Values(vec![(0x02, 0x12), (0x0800, 0xff00)]),
            1 => AuxList::Values(vec![(0, 0xffff)]),
            _ => AuxList::Any,
        };
        Details { vlan, fragment, later_fragment, aux }
    }

    fn addresses(&mut self, family: Family) -> AddressList {
        let mut list = AddressList::default();
        if family == Family::Any || self.0.random_ratio(1, 3) {
            list.include = vec![prefix4(0, 0), prefix6(0, 0)];
        } else {
            let v4 = prefix4(self.address4(), self.0.random_range(8..=32));
            let v6 = prefix6(self.address6(), self.0.random_range(20..=128));
            list.include = match family {
                Family::V4 => vec![v4],
                Family::V6 => vec![v6],
                Family::Ip | Family::Any => vec![v4, v6],
            };
        }
        if self.0.random_ratio(1, 40) {
            list.exclude.push(prefix4(self.address4(), 30));
        }
        list
    }

    fn ports(&mut self) -> PortList {
        let port = self.0.random_range(78..84);
        let include = match self.0.random_range(0..4) {
            0 | 1 => return PortList::Any,
            2 => vec![port..=port],
            _ => vec![port..=1024],
        };
        PortList::Ports { include, exclude: Vec::new() }
    }

    /// An IPv4 address of few.
    pub fn address4(&mut self) -> u32 {
        0x0a00_0000
            | self.0.random_range(0..4) << 16
            | self.0.random_range(0..4) << 8
            | self.0.random_range(0..8)
    }

    /// An IPv6 address of few.
    pub fn address6(&mut self) -> u128 {
        let mut part = |values: u32| u128::from(self.0.random_range(0..values));
        0x2001_0db8 << 96 | part(4) << 84 | part(4) << 64 | part(8)
    }
}

fn prefix4(address: u32, length: u32) -> AddressRange {
    let host = u32::MAX.checked_shr(length).unwrap_or(0);
    AddressRange {
        first: IpAddr::V4(Ipv4Addr::from_bits(address & !host)),
        last: IpAddr::V4(Ipv4Addr::from_bits(address | host)),
    }
}

fn prefix6(address: u128, length: u32) -> AddressRange {
    let host = u128::MAX.checked_shr(length).unwrap_or(0);
    AddressRange {
        first: IpAddr::V6(Ipv6Addr::from_bits(address & !host)),
        last: IpAddr::V6(Ipv6Addr::from_bits(address | host)),
    }
}

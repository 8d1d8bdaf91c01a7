#![allow(clippy::unwrap_used, clippy::expect_used)]

mod chains;
mod listing;
mod matches;
mod trouble;

use std::collections::BTreeMap;

use crate::engine::reference::Reference;
use crate::rules::diagnostics::Diagnostics;
use crate::rules::load::{Reading, parse_sources, parse_sources_with};
use crate::rules::model::{AclAction, RuleSet};
use crate::rules::source::Source;

fn read(text: &str) -> Result<RuleSet, Diagnostics> {
    parse_sources(&[Source::new("x.nft", text.as_bytes())], &BTreeMap::new())
}

#[track_caller]
fn rules(text: &str) -> RuleSet {
    read(text).unwrap_or_else(|errors| panic!("{text}\n{:?}", miette::Report::new(errors)))
}

/// A table whose only base chain has these rules and drops what they do not decide.
fn table(family: &str, hook: &str, rules: &str) -> String {
    format!(
        "table {family} t {{\n chain c {{\n type filter hook {hook} priority 0; policy drop;\n{rules}\n}}\n}}\n"
    )
}

fn inet(rules: &str) -> String {
    table("inet", "prerouting", rules)
}

/// What the rules do with a packet, and in which line.
fn decide(rules: &RuleSet, packet: &[u8]) -> Option<(AclAction, u32)> {
    let place = Reference::new(rules).decide(packet).acl?;
    let rule = &rules.acl[place as usize];
    Some((rule.action, rule.origin.line))
}

/// Whether one rule `<match> accept` accepts a packet.
#[track_caller]
fn accepts(family: &str, matches: &str, packet: &[u8]) -> bool {
    let rules = rules(&table(family, "ingress", &format!("{matches} accept")));
    assert!(rules.skipped.is_empty(), "{matches}: {:?}", rules.skipped);
    decide(&rules, packet).is_some_and(|(action, _)| action == AclAction::Accept)
}

/// A packet from 10.1.2.3 to 10.9.8.7, or from 2001:db8::1 to 2001:db8::2.
#[derive(Clone)]
struct Packet {
    v6: bool,
    protocol: u8,
    sport: u16,
    dport: u16,
    flags: u8,
    tags: Vec<u16>,
    /// The bytes of `ip frag-off`.
    fragment: u16,
    /// IPv6 extension headers.
    extensions: Vec<u8>,
}

impl Packet {
    fn tcp(dport: u16) -> Self {
        Self {
            v6: false,
            protocol: 6,
            sport: 1234,
            dport,
            flags: 0x02,
            tags: Vec::new(),
            fragment: 0,
            extensions: Vec::new(),
        }
    }

    fn of(protocol: u8, dport: u16) -> Self {
        Self { protocol, ..Self::tcp(dport) }
    }

    /// ICMP or ICMPv6.
    fn icmp(v6: bool, kind: u8, code: u8) -> Self {
        let sport = u16::from_be_bytes([kind, code]);
        Self { v6, sport, ..Self::of(if v6 { 58 } else { 1 }, 0) }
    }

    fn six(self) -> Self {
        Self { v6: true, ..self }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
        for tag in &self.tags {
            bytes.extend([0x81, 0]);
            bytes.extend(tag.to_be_bytes());
        }
        let mut body = Vec::new();
        let nexts = self.extensions.iter().copied().chain([self.protocol]);
        for next in nexts.clone().skip(1) {
            body.extend([next, 0, 0, 0, 0, 0, 0, 0]);
        }
        body.extend(self.sport.to_be_bytes());
        body.extend(self.dport.to_be_bytes());
        body.extend([0, 0, 0, 1, 0, 0, 0, 0, 0x50, self.flags, 0, 0, 0, 0, 0, 0]);
        let length = body.len() as u16;
        if self.v6 {
            bytes.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
            bytes.extend(length.to_be_bytes());
            bytes.extend([nexts.clone().next().unwrap(), 64]);
            bytes.extend("2001:db8::1".parse::<std::net::Ipv6Addr>().unwrap().octets());
            bytes.extend("2001:db8::2".parse::<std::net::Ipv6Addr>().unwrap().octets());
        } else {
            bytes.extend([8, 0, 0x45, 0]);
            bytes.extend((length + 20).to_be_bytes());
            bytes.extend([0, 0]);
            bytes.extend(self.fragment.to_be_bytes());
            bytes.extend([64, self.protocol, 0, 0, 10, 1, 2, 3, 10, 9, 8, 7]);
        }
        bytes.extend(body);
        bytes
    }
}

fn arp() -> Vec<u8> {
    let mut packet = vec![0; 60];
    packet[12..14].copy_from_slice(&[8, 6]);
    packet
}

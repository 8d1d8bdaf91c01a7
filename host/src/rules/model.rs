//! Rules as they were written: what the parsers produce and what the compiler and the reference read.
//!
//! Nothing is expanded here. Lists keep their negations, signatures their direction operator, so the
//! reference can judge the compiler's expansion by evaluating a rule as its text says it.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::rules::detect::Detect;
use crate::rules::diagnostics::RuleError;

/// Everything that the rule files said.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RuleSet {
    /// Rules of nftables chains, as written: those that packets of the chosen chain can come to, those left out
    /// included. They become more or fewer rules of `acl`.
    pub chain_rules: usize,
    /// Rules of nftables chains that were left out because they are not expressible, in file order.
    pub skipped: Vec<Skipped>,
    /// ACL rules in file order over all files: the first that matches wins.
    pub acl: Vec<AclRule>,
    /// Signatures in file order, those that cannot be evaluated included.
    pub signatures: Vec<Signature>,
}

/// Where a rule stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// File as named on the command line.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
}

/// A rule that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Where it stands.
    pub origin: Origin,
    /// Why, in one line.
    pub reason: String,
    /// The reason with its place and what can be done; kept for the first of each file only.
    pub report: Option<Box<RuleError>>,
}

/// A rule of an access control list.
#[derive(Clone, Debug, PartialEq)]
pub struct AclRule {
    /// What it asks of a packet.
    pub condition: Condition,
    /// What it says of a packet that satisfies it.
    pub action: AclAction,
    /// Where it stands.
    pub origin: Origin,
}

/// Action of an ACL rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AclAction {
    /// The format has no actions (ClassBench).
    Match,
    /// Let the packet pass.
    Accept,
    /// Drop it.
    Drop,
    /// Drop it and answer the sender.
    Reject,
}

/// A Suricata or Snort signature.
#[derive(Clone, Debug, PartialEq)]
pub struct Signature {
    /// Signature id.
    pub sid: u32,
    /// Generator id, 1 where the rule does not say.
    pub gid: u32,
    /// Revision, 0 where the rule does not say.
    pub rev: u32,
    /// Action.
    pub action: SignatureAction,
    /// Text of `msg`.
    pub msg: String,
    /// Text of `classtype`.
    pub classtype: Option<String>,
    /// `priority`.
    pub priority: Option<u32>,
    /// `reference` options, as written.
    pub references: Vec<String>,
    /// `metadata` options: key and value.
    pub metadata: Vec<(String, String)>,
    /// Header condition. Meaningful only where `class` is not [`RuleClass::Refused`].
    pub condition: Condition,
    /// `<>`: source and destination may be exchanged.
    pub bidirectional: bool,
    /// What it asks beyond `condition`. Where `class` is [`RuleClass::Exact`] the header vector answers all of it
    /// ([`lowered`](super::lower::lowered)).
    pub detect: Detect,
    /// What becomes of the rule.
    pub class: RuleClass,
    /// Where it stands.
    pub origin: Origin,
}

/// Action of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SignatureAction {
    /// Report.
    Alert,
    /// Let pass without a report of the others.
    Pass,
    /// Drop and report.
    Drop,
    /// Drop, report, and answer the sender.
    Reject,
}

/// What becomes of a signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "class", content = "reason")]
pub enum RuleClass {
    /// The card decides it from the header, exactly.
    Exact,
    /// The host finishes it, exactly, on the packets that header and patterns select.
    ExactOnHost,
    /// A packet alone cannot decide it, for the reason given: packets that may matter are selected for a full IDS.
    Prefilter(String),
    /// It is not evaluated; the text says why (for example the options that this version cannot
    /// evaluate).
    Refused(String),
}

/// What a rule asks of the header of a packet.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// Address family.
    pub family: Family,
    /// IP protocols, each as value and mask (mask 0: any). One of them must fit: `icmp` of a signature is
    /// ICMP and ICMPv6.
    pub protocols: Vec<(u8, u8)>,
    /// Source addresses.
    pub src: AddressList,
    /// Destination addresses.
    pub dst: AddressList,
    /// Source ports.
    pub sport: PortList,
    /// Destination ports.
    pub dport: PortList,
    /// Everything else.
    pub details: Details,
}

/// What a rule asks of a header beyond addresses, protocol and ports; nothing by default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Details {
    /// Whether the packet has a VLAN tag.
    pub vlan: Option<bool>,
    /// Whether it is some part of a fragmented packet.
    pub fragment: Option<bool>,
    /// Whether it is a fragment other than the first.
    pub later_fragment: Option<bool>,
    /// TCP flags, or ICMP type and code.
    pub aux: AuxList,
}

/// Values of TCP's flags byte, or of ICMP's type (high byte) and code (low byte).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum AuxList {
    /// Every packet, also one that has neither.
    #[default]
    Any,
    /// Packets that have them, and with a value that fits one of these, each as value and mask.
    Values(Vec<(u16, u16)>),
}

/// Address family that a condition asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// Every packet, also one that is not IP. Such a packet has no addresses, protocol, ports or details but
    /// VLAN tags: it satisfies a condition that asks for none of them and whose addresses are
    /// [`AddressList::any`].
    Any,
    /// IPv4 or IPv6.
    Ip,
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// A list of addresses: an address is in it when some `include` holds it and no `exclude` does.
/// `any` is one range for each family.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct AddressList {
    /// Ranges that count.
    pub include: Vec<AddressRange>,
    /// Ranges taken out of them.
    pub exclude: Vec<AddressRange>,
}

/// Addresses from `first` to `last`, both included and both of one family, `first <= last`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AddressRange {
    /// Lowest address.
    pub first: IpAddr,
    /// Highest address.
    pub last: IpAddr,
}

/// A list of ports.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PortList {
    /// Every packet, also one without ports.
    Any,
    /// Packets with a port that some `include` holds and no `exclude` does.
    Ports {
        /// Ranges that count.
        include: Vec<RangeInclusive<u16>>,
        /// Ranges taken out of them.
        exclude: Vec<RangeInclusive<u16>>,
    },
}

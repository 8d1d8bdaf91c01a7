//! What a ruleset says, whichever way it was written: the text and the JSON both become this.
//!
//! Values stay words here; the field they are compared with says what they mean.

use std::ops::Range;

use crate::rules::diagnostics::Fault;

/// Bytes of the file.
pub(super) type At = Range<usize>;

/// A ruleset.
#[derive(Clone, Debug, Default)]
pub(super) struct Ruleset {
    pub tables: Vec<Table>,
}

/// A table.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub family: TableFamily,
    pub name: String,
    /// Its base chains are not registered.
    pub dormant: bool,
    pub sets: Vec<Set>,
    pub chains: Vec<Chain>,
}

/// Family of a table: which packets it sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TableFamily {
    Ip,
    Ip6,
    Inet,
    Bridge,
    Netdev,
    Arp,
}

impl TableFamily {
    const NAMES: [(&str, Self); 6] = [
        ("ip", Self::Ip),
        ("ip6", Self::Ip6),
        ("inet", Self::Inet),
        ("bridge", Self::Bridge),
        ("netdev", Self::Netdev),
        ("arp", Self::Arp),
    ];

    pub(super) fn by_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, family)| *family)
    }

    pub(super) fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, family)| *family == self).map_or("", |(name, _)| name)
    }
}

/// A named set or map.
#[derive(Clone, Debug, Default)]
pub(super) struct Set {
    pub name: String,
    pub elements: Vec<Element>,
    /// Packets or time change its elements.
    pub changes: bool,
}

/// An element of a set, or of a map with its verdict.
#[derive(Clone, Debug)]
pub(super) struct Element {
    pub key: Value,
    /// The verdict; `Err` for a value that is none.
    pub verdict: Option<Result<Verdict, String>>,
    /// It ends by itself.
    pub expires: bool,
}

/// A chain.
#[derive(Clone, Debug, Default)]
pub(super) struct Chain {
    pub name: String,
    pub at: At,
    /// Where packets enter it; `None`: only by jumps.
    pub base: Option<Base>,
    pub rules: Vec<Rule>,
}

/// What makes a chain a base chain.
#[derive(Clone, Debug, Default)]
pub(super) struct Base {
    /// `filter`, `nat` or `route`.
    pub kind: String,
    pub hook: String,
    /// `drop` where nothing says otherwise is `accept`.
    pub drops: bool,
    pub at: At,
}

/// A rule.
#[derive(Clone, Debug, Default)]
pub(super) struct Rule {
    pub at: At,
    /// In order; those without effect on verdicts are left out.
    pub statements: Vec<Statement>,
}

/// A part of a rule.
#[derive(Clone, Debug)]
pub(super) enum Statement {
    Match(Match),
    Verdict(Verdict),
    /// `key vmap map`.
    VerdictMap {
        key: Vec<Selector>,
        map: Value,
    },
    /// Something that is not expressible. What stands behind it in the text was not read.
    Foreign(Fault),
}

/// A comparison of header fields.
#[derive(Clone, Debug)]
pub(super) struct Match {
    pub at: At,
    /// One field, or several as a concatenation.
    pub left: Vec<Selector>,
    /// Bits that are compared.
    pub mask: Option<Value>,
    pub op: Op,
    pub right: Value,
}

/// How a match compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    /// Nothing is written: equal, for flags some of them.
    Implicit,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    /// `!`: none of the flags.
    Not,
}

/// A field of the packet.
#[derive(Clone, Debug)]
pub(super) struct Selector {
    pub field: Field,
    pub at: At,
}

/// Fields of which the card's key knows at least something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    V4Src,
    V4Dst,
    V6Src,
    V6Dst,
    /// `ip protocol`.
    V4Protocol,
    /// `ip frag-off`: the whole 16 bits.
    FragOff,
    /// `meta l4proto`.
    L4Proto,
    /// `meta nfproto`.
    NfProto,
    /// `meta protocol`.
    Protocol,
    /// `ether type`.
    EtherType,
    /// Source port of a protocol, or with `th` of any.
    Sport(Option<u8>),
    /// Destination port.
    Dport(Option<u8>),
    TcpFlags,
    IcmpType,
    IcmpCode,
    Icmp6Type,
    Icmp6Code,
}

impl Field {
    /// The field that a rule names with two words; `None` where the key knows nothing of it.
    pub(super) fn named(protocol: &str, name: &str) -> Option<Self> {
        use wiresift_abi::vector::number::{SCTP, TCP, UDP};
        Some(match (protocol, name) {
            ("ip", "saddr") => Self::V4Src,
            ("ip", "daddr") => Self::V4Dst,
            ("ip6", "saddr") => Self::V6Src,
            ("ip6", "daddr") => Self::V6Dst,
            ("ip", "protocol") => Self::V4Protocol,
            ("ip", "frag-off") => Self::FragOff,
            ("meta", "l4proto") => Self::L4Proto,
            ("meta", "nfproto") => Self::NfProto,
            ("meta", "protocol") => Self::Protocol,
            ("ether", "type") => Self::EtherType,
            ("th", "sport") => Self::Sport(None),
            ("th", "dport") => Self::Dport(None),
            ("tcp", "sport") => Self::Sport(Some(TCP)),
            ("tcp", "dport") => Self::Dport(Some(TCP)),
            ("udp", "sport") => Self::Sport(Some(UDP)),
            ("udp", "dport") => Self::Dport(Some(UDP)),
            ("sctp", "sport") => Self::Sport(Some(SCTP)),
            ("sctp", "dport") => Self::Dport(Some(SCTP)),
            ("tcp", "flags") => Self::TcpFlags,
            ("icmp", "type") => Self::IcmpType,
            ("icmp", "code") => Self::IcmpCode,
            ("icmpv6", "type") => Self::Icmp6Type,
            ("icmpv6", "code") => Self::Icmp6Code,
            _ => return None,
        })
    }
}

/// What a field is compared with.
#[derive(Clone, Debug)]
pub(super) struct Value {
    pub at: At,
    pub kind: ValueKind,
}

/// Kinds of [`Value`].
#[derive(Clone, Debug)]
pub(super) enum ValueKind {
    /// A name, a number, an address, a prefix, or a range.
    Word(String),
    /// `a . b`.
    Concat(Vec<Value>),
    /// Flags, any of which or all together are meant.
    Flags(Vec<Value>),
    /// `{ a, b }`.
    Set(Vec<Element>),
    /// `@name`.
    Named(String),
    /// `*` of a map: what no other element holds.
    Rest,
}

/// A verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Accept,
    Drop,
    Reject(Reject),
    Jump(String),
    Goto(String),
    Return,
    Continue,
}

impl Verdict {
    /// The verdict of a word, without the target of a jump.
    pub(super) fn of(word: &str) -> Option<Self> {
        Some(match word {
            "accept" => Self::Accept,
            "drop" => Self::Drop,
            "return" => Self::Return,
            "continue" => Self::Continue,
            _ => return None,
        })
    }
}

/// Kind of answer to a rejected packet, which also says which packets the rule means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Reject {
    /// `icmpx`, or nothing.
    #[default]
    Any,
    Icmp,
    Icmp6,
    TcpReset,
}

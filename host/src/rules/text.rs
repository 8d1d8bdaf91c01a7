//! Conditions as text, in the notation of signatures, and ranges from prefixes.

pub(crate) mod detect;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;

use crate::rules::model::{
    AddressList, AddressRange, Condition, Family, PortList, RuleClass, Signature, SignatureAction,
};

impl AddressRange {
    /// The addresses with the first `length` bits of `address`. `None` when the address has fewer bits.
    pub fn prefix(address: IpAddr, length: u32) -> Option<Self> {
        match address {
            IpAddr::V4(address) => {
                let host = u32::MAX.checked_shr(length).unwrap_or(0);
                let first = address.to_bits() & !host;
                let range =
                    Self { first: Ipv4Addr::from(first).into(), last: Ipv4Addr::from(first | host).into() };
                (length <= 32).then_some(range)
            }
            IpAddr::V6(address) => {
                let host = u128::MAX.checked_shr(length).unwrap_or(0);
                let first = address.to_bits() & !host;
                let range =
                    Self { first: Ipv6Addr::from(first).into(), last: Ipv6Addr::from(first | host).into() };
                (length <= 128).then_some(range)
            }
        }
    }

    /// All IPv4 addresses.
    pub fn all_v4() -> Self {
        Self { first: Ipv4Addr::UNSPECIFIED.into(), last: Ipv4Addr::BROADCAST.into() }
    }

    /// All IPv6 addresses.
    pub fn all_v6() -> Self {
        Self { first: Ipv6Addr::UNSPECIFIED.into(), last: Ipv6Addr::from(u128::MAX).into() }
    }
}

impl fmt::Display for AddressRange {
    /// An address, a prefix, or `first-last`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            return write!(f, "{}", self.first);
        }
        let same_bits = match (self.first, self.last) {
            (IpAddr::V4(first), IpAddr::V4(last)) => (first.to_bits() ^ last.to_bits()).leading_zeros(),
            (IpAddr::V6(first), IpAddr::V6(last)) => (first.to_bits() ^ last.to_bits()).leading_zeros(),
            _ => 0,
        };
        if Self::prefix(self.first, same_bits) == Some(*self) {
            return write!(f, "{}/{same_bits}", self.first);
        }
        write!(f, "{}-{}", self.first, self.last)
    }
}

impl AddressList {
    /// Every address of both families.
    pub fn any() -> Self {
        Self { include: vec![AddressRange::all_v4(), AddressRange::all_v6()], exclude: Vec::new() }
    }
}

impl fmt::Display for AddressList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::any() {
            return f.write_str("any");
        }
        list(f, &self.include, &self.exclude, |range| range.to_string())
    }
}

impl fmt::Display for PortList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Ports { include, exclude } => list(f, include, exclude, |range: &RangeInclusive<u16>| {
                if range.start() == range.end() {
                    return range.start().to_string();
                }
                format!("{}:{}", range.start(), range.end())
            }),
        }
    }
}

/// `one`, or `[one,another,!without]`.
fn list<T>(
    f: &mut fmt::Formatter<'_>,
    include: &[T],
    exclude: &[T],
    text: impl Fn(&T) -> String,
) -> fmt::Result {
    if let ([one], []) = (include, exclude) {
        return f.write_str(&text(one));
    }
    let included = include.iter().map(&text);
    let excluded = exclude.iter().map(|range| format!("!{}", text(range)));
    write!(f, "[{}]", included.chain(excluded).collect::<Vec<_>>().join(","))
}

impl Condition {
    /// Name of the protocols in the notation of signatures; where that has none, family and `value/mask`.
    pub fn protocol_name(&self) -> String {
        let name = match (self.family, self.protocols.as_slice()) {
            (Family::Any, [(_, 0)]) => "any",
            (Family::Ip, [(_, 0)]) => "ip",
            (Family::V4, [(_, 0)]) => "ip4",
            (Family::V6, [(_, 0)]) => "ip6",
            (Family::Ip, [(6, 0xff)]) => "tcp",
            (Family::Ip, [(17, 0xff)]) => "udp",
            (Family::Ip, [(132, 0xff)]) => "sctp",
            (Family::Ip, [(1, 0xff)]) => "icmpv4",
            (Family::Ip, [(58, 0xff)]) => "icmpv6",
            (Family::Ip, [(1, 0xff), (58, 0xff)]) => "icmp",
            (family, protocols) => {
                let family = match family {
                    Family::Any => "any",
                    Family::Ip => "ip",
                    Family::V4 => "ip4",
                    Family::V6 => "ip6",
                };
                let each: Vec<_> =
                    protocols.iter().map(|(value, mask)| format!("{value:#04x}/{mask:#04x}")).collect();
                return format!("{family}:{}", each.join(","));
            }
        };
        name.to_owned()
    }
}

impl fmt::Display for Condition {
    /// `protocol source ports -> destination ports`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_condition(f, self, "->")
    }
}

fn write_condition(f: &mut fmt::Formatter<'_>, condition: &Condition, direction: &str) -> fmt::Result {
    let Condition { src, dst, sport, dport, .. } = condition;
    write!(f, "{} {src} {sport} {direction} {dst} {dport}", condition.protocol_name())
}

impl fmt::Display for SignatureAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Alert => "alert",
            Self::Pass => "pass",
            Self::Drop => "drop",
            Self::Reject => "reject",
        })
    }
}

impl fmt::Display for Signature {
    /// The rule with the options that this version reads; a reader of signatures takes it back.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.action)?;
        write_condition(f, &self.condition, if self.bidirectional { "<>" } else { "->" })?;
        write!(f, " (msg:\"{}\";", escaped(&self.msg))?;
        for reference in &self.references {
            write!(f, " reference:{reference};")?;
        }
        if let Some(classtype) = &self.classtype {
            write!(f, " classtype:{classtype};")?;
        }
        if let Some(priority) = self.priority {
            write!(f, " priority:{priority};")?;
        }
        if !self.metadata.is_empty() {
            let pairs: Vec<_> = self.metadata.iter().map(|(key, value)| format!("{key} {value}")).collect();
            write!(f, " metadata:{};", pairs.join(", "))?;
        }
        write!(f, "{}", self.detect)?;
        write!(f, " gid:{}; sid:{}; rev:{};)", self.gid, self.sid, self.rev)
    }
}

/// Text for between quotes.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '"' | ';' | '\\') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

impl RuleClass {
    /// One of each class, with an empty reason.
    pub fn each() -> [Self; 4] {
        [Self::Exact, Self::ExactOnHost, Self::Prefilter(String::new()), Self::Refused(String::new())]
    }

    /// Name of the class.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Exact => "exact on card",
            Self::ExactOnHost => "exact with host verification",
            Self::Prefilter(_) => "prefilter",
            Self::Refused(_) => "refused",
        }
    }

    /// What becomes of a rule of the class.
    pub fn meaning(&self) -> &'static str {
        match self {
            Self::Exact => "the card decides it from the header",
            Self::ExactOnHost => "the host finishes it on candidate packets",
            Self::Prefilter(_) => "packets that may matter are marked for a full IDS",
            Self::Refused(_) => "it is not evaluated",
        }
    }

    /// Kinds of the reasons, without what they name in brackets; none for the exact classes.
    pub fn kinds(&self) -> Vec<&str> {
        match self {
            Self::Exact | Self::ExactOnHost => Vec::new(),
            Self::Prefilter(reason) => {
                reason.split("; ").map(|one| one.split(" (").next().unwrap_or(one)).collect()
            }
            Self::Refused(reason) => reason.split("; ").collect(),
        }
    }
}

impl fmt::Display for RuleClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact | Self::ExactOnHost => f.write_str(self.name()),
            Self::Prefilter(reason) | Self::Refused(reason) => write!(f, "{}: {reason}", self.name()),
        }
    }
}

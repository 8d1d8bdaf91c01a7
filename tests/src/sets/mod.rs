//! Rule sets of any size, with the shapes of real ones, and headers that meet them.
//!
//! What is drawn follows ClassBench (Taylor and Turner, "ClassBench: A Packet Classification
//! Benchmark", INFOCOM 2005): pairs of prefix lengths, classes of ports joined with the protocol, and
//! addresses from a tree whose branching and skew make prefixes nest and repeat. The numbers are the
//! project's own ([`mod@profile`]). A seed gives the same set everywhere.

pub mod adversarial;
mod headers;
mod profile;
mod tree;

use std::collections::HashSet;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub use headers::Header;
use profile::Profile;

/// Rules of a set at most.
pub const RULES_MAX: usize = 65_536;
/// Of 100 rules of a [`Family::Mix`], those with IPv6 addresses.
const MIX_IPV6_PERCENT: u32 = 25;
/// Prefix bits by which rules may stand out of order.
const ORDER_JITTER: u32 = 6;
/// Draws that give a rule that is there already, before addresses leave the tree.
const REPEATS_MAX: usize = 64;

/// An address prefix: the leading `len` bits of `bits`, the others zero. An IPv4 address stands in the
/// 32 highest bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Prefix {
    /// Address.
    pub bits: u128,
    /// Bits that count, 0 to 32 or 128.
    pub len: u32,
}

impl Prefix {
    /// The prefix of an address.
    pub fn of(address: u128, len: u32) -> Self {
        Self { bits: address & Self::mask(len), len }
    }

    fn mask(len: u32) -> u128 {
        u128::MAX.checked_shl(128 - len).unwrap_or(0)
    }

    /// Whether an address lies in it.
    pub fn holds(&self, address: u128) -> bool {
        address & Self::mask(self.len) == self.bits
    }
}

/// A rule of an access control list: a 5-tuple.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rule {
    /// IPv6 addresses, not IPv4.
    pub v6: bool,
    /// Source.
    pub src: Prefix,
    /// Destination.
    pub dst: Prefix,
    /// Lowest and highest source port.
    pub sport: (u16, u16),
    /// Lowest and highest destination port.
    pub dport: (u16, u16),
    /// Protocol; `None` is any.
    pub proto: Option<u8>,
}

/// Every port, and packets without one.
pub const ANY_PORT: (u16, u16) = (0, u16::MAX);

impl Rule {
    /// Whether a header satisfies the rule (`docs/packet-semantics.md`).
    pub fn matches(&self, header: &Header) -> bool {
        let port = |range: (u16, u16), port: u16| {
            range == ANY_PORT || header.has_ports() && range.0 <= port && port <= range.1
        };
        self.v6 == header.v6
            && self.proto.is_none_or(|proto| proto == header.proto)
            && self.src.holds(header.src)
            && self.dst.holds(header.dst)
            && port(self.sport, header.sport)
            && port(self.dport, header.dport)
    }

    fn line(&self, text: &mut String) {
        text.push('@');
        for prefix in [self.src, self.dst] {
            let _ = if self.v6 {
                write!(text, "{}/{}\t", Ipv6Addr::from_bits(prefix.bits), prefix.len)
            } else {
                write!(text, "{}/{}\t", Ipv4Addr::from_bits((prefix.bits >> 96) as u32), prefix.len)
            };
        }
        let (proto, mask) = self.proto.map_or((0, 0), |proto| (proto, 255));
        let _ = writeln!(
            text,
            "{} : {}\t{} : {}\t0x{proto:02x}/0x{mask:02X}\t0x0000/0x0000",
            self.sport.0, self.sport.1, self.dport.0, self.dport.1
        );
    }
}

/// A named list of rules; the first that matches wins.
#[derive(Clone, Debug)]
pub struct Set {
    /// What it is, with its size.
    pub name: String,
    /// Rules, all different.
    pub rules: Vec<Rule>,
}

impl Set {
    /// The set in the format of ClassBench.
    pub fn text(&self) -> String {
        let mut text = String::with_capacity(self.rules.len() * 80);
        self.rules.iter().for_each(|rule| rule.line(&mut text));
        text
    }

    /// Reads a set in the format of ClassBench, plainly: what a line says and nothing of the project in between.
    /// `None` where a line is not as `db_generator` writes it.
    pub fn read(name: &str, text: &str) -> Option<Self> {
        let rules: Option<Vec<Rule>> = text.lines().map(read_rule).collect();
        Some(Self { name: name.to_owned(), rules: rules? })
    }

    /// Place of the first rule that a header satisfies, by trying one after the other.
    pub fn first_match(&self, header: &Header) -> Option<usize> {
        self.rules.iter().position(|rule| rule.matches(header))
    }

    /// Headers that meet the rules: of ten six at corners of a rule, three just outside of one, one
    /// anywhere.
    pub fn headers(&self, rng: &mut ChaCha8Rng, count: usize) -> Vec<Header> {
        (0..count).map(|_| headers::draw(rng, &self.rules)).collect()
    }
}

/// Kind of a generated set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Access control list: hosts and small nets, destination ports.
    Acl,
    /// Firewall: wide prefixes on one side, ports on either.
    Firewall,
    /// IP chain: every prefix length, many rules without ports.
    Chain,
    /// Access control list of IPv6: sites, subnets and hosts.
    Ipv6,
    /// A quarter [`Family::Ipv6`], and equal parts of the others.
    Mix,
}

/// Every family.
pub const FAMILIES: [Family; 5] = [Family::Acl, Family::Firewall, Family::Chain, Family::Ipv6, Family::Mix];

impl Family {
    /// Short name, as in ClassBench: `acl`, `fw`, `ipc`, and `ipv6`, `mix`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Acl => "acl",
            Self::Firewall => "fw",
            Self::Chain => "ipc",
            Self::Ipv6 => "ipv6",
            Self::Mix => "mix",
        }
    }

    /// Family of that name.
    pub fn by_name(name: &str) -> Option<Self> {
        FAMILIES.into_iter().find(|family| family.name() == name)
    }
}

/// A set of `count` different rules, at most [`RULES_MAX`].
pub fn generate(family: Family, count: usize, seed: u64) -> Set {
    assert!(count <= RULES_MAX, "{count} rules, a set has at most {RULES_MAX}");
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let profiles: Vec<Drawer> = match family {
        Family::Acl => vec![&profile::ACL],
        Family::Firewall => vec![&profile::FIREWALL],
        Family::Chain => vec![&profile::CHAIN],
        Family::Ipv6 => vec![&profile::IPV6],
        Family::Mix => vec![&profile::IPV6, &profile::ACL, &profile::FIREWALL, &profile::CHAIN],
    }
    .into_iter()
    .map(|profile| Drawer::new(profile, count, &mut rng))
    .collect();
    let mut seen = HashSet::with_capacity(count);
    let mut rules = Vec::with_capacity(count);
    let mut repeats = 0;
    while rules.len() < count {
        let drawer = match profiles.len() {
            1 => &profiles[0],
            _ if rng.random_ratio(MIX_IPV6_PERCENT, 100) => &profiles[0],
            n => &profiles[rng.random_range(1..n)],
        };
        let rule = drawer.rule(&mut rng, repeats > REPEATS_MAX);
        if seen.insert(rule) {
            rules.push(rule);
            repeats = 0;
        } else {
            repeats += 1;
        }
    }
    // Long prefixes first, as in ClassBench's sets: behind a wide rule hardly one would ever match.
    rules.sort_by_cached_key(|rule| {
        let bits = (rule.src.len + rule.dst.len) / if rule.v6 { 4 } else { 1 };
        std::cmp::Reverse(bits + rng.random_range(0..ORDER_JITTER))
    });
    Set { name: format!("{}_{count}", family.name()), rules }
}

fn read_rule(line: &str) -> Option<Rule> {
    let words: Vec<&str> = line.strip_prefix('@')?.split_whitespace().collect();
    let prefix = |text: &str| {
        let (address, len) = text.split_once('/')?;
        let address: IpAddr = address.parse().ok()?;
        let bits = match address {
            IpAddr::V4(address) => u128::from(address.to_bits()) << 96,
            IpAddr::V6(address) => address.to_bits(),
        };
        Some((address.is_ipv6(), Prefix::of(bits, len.parse().ok()?)))
    };
    let port = |word: usize| words.get(word)?.parse::<u16>().ok();
    let hex = |text: &str| u8::from_str_radix(text.strip_prefix("0x")?, 16).ok();
    let (proto, mask) = words.get(8)?.split_once('/')?;
    let proto = match hex(mask)? {
        0 => None,
        255 => Some(hex(proto)?),
        _ => return None,
    };
    let ((v6, src), (_, dst)) = (prefix(words.first()?)?, prefix(words.get(1)?)?);
    Some(Rule { v6, src, dst, sport: (port(2)?, port(4)?), dport: (port(5)?, port(7)?), proto })
}

/// A profile with its address trees.
struct Drawer {
    profile: &'static Profile,
    src: tree::Tree,
    dst: tree::Tree,
}

impl Drawer {
    fn new(profile: &'static Profile, count: usize, rng: &mut ChaCha8Rng) -> Self {
        let mut tree = |side| tree::Tree::new(side, profile, count, rng.random());
        Self { profile, src: tree(&profile.src), dst: tree(&profile.dst) }
    }

    /// A rule; with `anywhere` its addresses are not of the trees.
    fn rule(&self, rng: &mut ChaCha8Rng, anywhere: bool) -> Rule {
        let lengths = profile::weighted(rng, self.profile.lengths, |lengths| lengths.weight);
        let mut side = |tree: &tree::Tree, lengths: &[u8]| {
            let len = u32::from(lengths[rng.random_range(0..lengths.len())]);
            Prefix::of(if anywhere { rng.random() } else { tree.address(rng, len) }, len)
        };
        let (src, dst) = (side(&self.src, lengths.src), side(&self.dst, lengths.dst));
        let service = profile::weighted(rng, self.profile.services, |service| service.weight);
        Rule {
            v6: self.profile.v6,
            src,
            dst,
            sport: service.sport.draw(rng, self.profile),
            dport: service.dport.draw(rng, self.profile),
            proto: service.proto,
        }
    }
}

#[cfg(test)]
mod tests;

//! The numbers behind each family: what ClassBench calls a seed.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::ANY_PORT;

/// What the rules of a family look like.
pub struct Profile {
    /// IPv6 addresses.
    pub v6: bool,
    /// Pairs of prefix lengths.
    pub lengths: &'static [Lengths],
    /// Protocol with ports.
    pub services: &'static [Service],
    /// Single ports, the frequent ones first.
    pub ports: &'static [u16],
    /// Source addresses.
    pub src: Side,
    /// Destination addresses.
    pub dst: Side,
}

/// Pairs of prefix lengths; a length that stands twice is drawn twice as often.
pub struct Lengths {
    /// Share of the rules.
    pub weight: u32,
    /// Lengths of the source.
    pub src: &'static [u8],
    /// Lengths of the destination.
    pub dst: &'static [u8],
}

/// Protocol and ports of a rule.
pub struct Service {
    /// Share of the rules.
    pub weight: u32,
    /// Protocol; `None` is any.
    pub proto: Option<u8>,
    /// Source ports.
    pub sport: Ports,
    /// Destination ports.
    pub dport: Ports,
}

/// ClassBench's classes of ports.
#[derive(Clone, Copy)]
pub enum Ports {
    /// Every port.
    Any,
    /// 1024 to 65535.
    High,
    /// 0 to 1023.
    Low,
    /// Any other range.
    Range,
    /// One port.
    Exact,
}

/// The tree that addresses of one side come from: see [`super::tree`].
pub struct Side {
    /// Probability that a node has two children, up to a depth each.
    pub branching: &'static [(u32, f64)],
    /// How much more often the walk takes the heavy child: 0 equally, 1 always.
    pub skew: f64,
}

/// Size of the sets that the probabilities of [`Side`] are for; larger sets branch more.
pub const SIDE_RULES: usize = 10_000;

impl Ports {
    pub fn draw(self, rng: &mut ChaCha8Rng, profile: &Profile) -> (u16, u16) {
        match self {
            Self::Any => ANY_PORT,
            Self::High => (1024, u16::MAX),
            Self::Low => (0, 1023),
            Self::Range => {
                // Aligned and odd ones, short ones more often.
                let bits = rng.random_range(1..12);
                let width = rng.random_range(1..1u32 << bits);
                let lo = rng.random_range(1..65_535 - width);
                let lo = if rng.random_bool(0.5) { (lo / 10 * 10).max(1) } else { lo };
                (lo as u16, (lo + width) as u16)
            }
            Self::Exact => {
                let port = if rng.random_bool(0.02) {
                    rng.random_range(1..=u16::MAX)
                } else {
                    let place: f64 = rng.random();
                    profile.ports[(place * place * profile.ports.len() as f64) as usize]
                };
                (port, port)
            }
        }
    }
}

/// One of a list, each as often as its weight says.
pub fn weighted<'a, T>(rng: &mut ChaCha8Rng, list: &'a [T], weight: impl Fn(&T) -> u32) -> &'a T {
    let mut left = rng.random_range(0..list.iter().map(&weight).sum());
    for item in list {
        if left < weight(item) {
            return item;
        }
        left -= weight(item);
    }
    unreachable!("{left} is left of a number below the sum of all weights")
}

const fn lengths(weight: u32, src: &'static [u8], dst: &'static [u8]) -> Lengths {
    Lengths { weight, src, dst }
}

const fn service(weight: u32, proto: Option<u8>, sport: Ports, dport: Ports) -> Service {
    Service { weight, proto, sport, dport }
}

const ICMP: Option<u8> = Some(1);
const TCP: Option<u8> = Some(6);
const UDP: Option<u8> = Some(17);
const GRE: Option<u8> = Some(47);
const ICMPV6: Option<u8> = Some(58);
use Ports::{Any, Exact, High, Low, Range};

/// Hosts, pairs of hosts and small nets; TCP services in the destination port.
pub const ACL: Profile = Profile {
    v6: false,
    lengths: &[
        lengths(50, &[32], &[32]),
        lengths(13, &[31], &[32]),
        lengths(11, &[32], &[31]),
        lengths(3, &[31], &[31]),
        lengths(9, &[31, 32, 32], &[21, 22, 22, 23, 24, 24, 25, 26, 29, 30, 30]),
        lengths(7, &[22, 23, 23, 24, 24, 25, 29, 30, 30], &[31, 32, 32]),
        lengths(5, &[21, 22, 23, 24, 25, 29, 30], &[15, 16, 17, 20, 21, 22, 23, 24, 25, 27, 28, 30]),
        lengths(1, &[0, 1, 8, 16, 32], &[0, 1, 2, 3, 5, 8, 9, 12, 13]),
    ],
    services: &[
        service(55, TCP, Any, Exact),
        service(19, TCP, Any, Any),
        service(12, TCP, Any, Range),
        service(9, None, Any, Any),
        service(4, ICMP, Any, Any),
        service(1, UDP, Any, Exact),
    ],
    ports: &[
        1521, 80, 443, 1526, 22, 25, 1433, 135, 21, 3306, 8080, 1711, 6000, 5541, 139, 445, 389, 636, 23, 53,
        111, 2049, 5432, 8443, 9090, 1708, 1712, 14753, 3389, 7001, 9100, 514, 515, 5900, 6379, 11211, 27017,
    ],
    src: Side { branching: &[(8, 0.85), (20, 0.0), (32, 0.42)], skew: 0.3 },
    dst: Side { branching: &[(4, 0.95), (8, 0.7), (16, 0.08), (32, 0.04)], skew: 0.5 },
};

/// One side nearly everything, the other a host or a small net; ports on either side.
pub const FIREWALL: Profile = Profile {
    v6: false,
    lengths: &[
        lengths(43, &[0, 0, 0, 1, 1, 1, 2], &[30, 31, 31, 32, 32, 32, 32]),
        lengths(17, &[27, 28, 29, 30, 31, 31, 32, 32, 32], &[0, 0, 0, 1, 1, 2]),
        lengths(13, &[28, 29, 30, 31, 31, 32, 32, 32], &[21, 22, 28, 29, 30, 31, 31, 32, 32, 32]),
        lengths(6, &[0, 1, 2], &[20, 21, 22, 23, 25, 26, 27, 28, 29]),
        lengths(6, &[7, 11, 12, 15, 16, 19, 20, 21, 22, 23, 24, 25, 26], &[0, 1, 31, 32]),
        lengths(1, &[0, 1, 2, 12], &[0, 1, 2]),
    ],
    services: &[
        service(42, TCP, Any, Exact),
        service(14, UDP, Any, Exact),
        service(11, TCP, Any, Any),
        service(10, UDP, Exact, Any),
        service(6, GRE, Any, Any),
        service(4, TCP, High, High),
        service(4, ICMP, Any, Any),
        service(2, UDP, High, High),
        service(2, UDP, Exact, Exact),
        service(2, UDP, High, Exact),
        service(1, UDP, Exact, High),
        service(1, None, Any, Any),
        service(1, UDP, Any, Range),
        service(1, TCP, Any, Low),
    ],
    ports: &[
        22, 80, 25, 53, 123, 443, 161, 21, 23, 88, 69, 750, 500, 514, 1812, 110, 143, 389, 544, 2105, 7648,
        67, 162, 3389, 5060, 24032,
    ],
    src: Side { branching: &[(4, 1.0), (12, 0.95), (16, 0.3), (32, 0.05)], skew: 0.1 },
    dst: Side { branching: &[(14, 0.97), (18, 0.2), (32, 0.02)], skew: 0.05 },
};

/// Every length on both sides; a third has neither protocol nor ports.
pub const CHAIN: Profile = Profile {
    v6: false,
    lengths: &[
        lengths(16, &[32], &[32]),
        lengths(9, &[31, 32], &[31]),
        lengths(5, &[31], &[32]),
        lengths(17, &[16, 17, 22, 23, 23, 24, 24, 24, 25, 25, 26, 27], &[31, 32, 32, 32]),
        lengths(15, &[31, 32, 32, 32], &[15, 16, 17, 22, 23, 24, 24, 24, 25, 25, 26, 26, 27, 28]),
        lengths(26, &[22, 23, 23, 24, 24, 25, 25, 26, 27], &[22, 23, 24, 24, 25, 25, 26, 27, 28, 29]),
        lengths(5, &[14, 15, 16, 17, 18, 21, 28, 29, 30], &[14, 15, 16, 16, 17, 18, 21, 29, 30]),
        lengths(5, &[0, 0, 1, 2], &[16, 23, 24, 25, 31, 32, 32]),
        lengths(3, &[16, 23, 24, 25, 32], &[0, 0, 1, 2]),
        lengths(1, &[0, 1], &[0, 1, 2]),
    ],
    services: &[
        service(33, None, Any, Any),
        service(22, UDP, Any, Exact),
        service(14, TCP, Any, Exact),
        service(7, UDP, Exact, Any),
        service(7, TCP, Exact, Any),
        service(6, UDP, Any, High),
        service(2, TCP, Any, Any),
        service(2, TCP, Any, Range),
        service(2, TCP, Range, Any),
        service(1, ICMP, Any, Any),
        service(1, UDP, Any, Range),
        service(1, UDP, High, Any),
        service(1, UDP, Exact, Exact),
        service(1, GRE, Any, Any),
    ],
    ports: &[
        514, 69, 80, 53, 161, 9003, 25, 1433, 137, 113, 162, 22, 143, 119, 1646, 443, 21, 110, 5540, 5550,
        5520, 123, 2049, 8888,
    ],
    src: Side { branching: &[(4, 0.95), (8, 0.65), (16, 0.2), (28, 0.08), (32, 0.03)], skew: 0.5 },
    dst: Side { branching: &[(4, 0.95), (8, 0.8), (16, 0.18), (28, 0.1), (32, 0.06)], skew: 0.4 },
};

/// Allocations (32), sites (48, 56), subnets (64) and hosts (128), as registries hand them out (RFC 6177,
/// RFC 7421); inside of 2000::/3.
pub const IPV6: Profile = Profile {
    v6: true,
    lengths: &[
        lengths(30, &[128], &[128]),
        lengths(14, &[64], &[128]),
        lengths(12, &[128], &[64]),
        lengths(10, &[64], &[64]),
        lengths(8, &[48, 48, 56], &[128]),
        lengths(8, &[128], &[48, 48, 56]),
        lengths(6, &[48, 56, 64], &[48, 56, 64]),
        lengths(5, &[32, 32, 29, 40, 44], &[48, 64, 128]),
        lengths(4, &[0, 3, 32], &[64, 128]),
        lengths(2, &[64, 128], &[0, 3, 32]),
        lengths(1, &[0, 16, 20, 24], &[32, 36, 60, 80, 96, 112, 127]),
    ],
    services: &[
        service(48, TCP, Any, Exact),
        service(14, TCP, Any, Any),
        service(10, UDP, Any, Exact),
        service(9, None, Any, Any),
        service(6, ICMPV6, Any, Any),
        service(5, TCP, Any, Range),
        service(3, TCP, High, Exact),
        service(2, UDP, Exact, Any),
        service(2, TCP, Any, High),
        service(1, TCP, Any, Low),
    ],
    ports: &[
        443, 80, 22, 53, 25, 8080, 8443, 123, 161, 993, 587, 465, 389, 636, 3389, 5060, 5061, 1433, 3306,
        5432, 6443, 9090, 9100, 10250, 2379, 179, 500, 4500, 51820,
    ],
    src: Side {
        branching: &[(3, 0.0), (8, 0.4), (16, 0.3), (32, 0.3), (48, 0.12), (64, 0.12), (128, 0.015)],
        skew: 0.4,
    },
    dst: Side {
        branching: &[(3, 0.0), (8, 0.4), (16, 0.2), (32, 0.15), (48, 0.15), (64, 0.15), (128, 0.02)],
        skew: 0.5,
    },
};

//! Seeded rulesets of everything that is expressible.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::{Pool, pick};

/// Chains that rules jump to.
const CHAINS: usize = 3;

/// Network and transport protocol of a rule; nft refuses rules that contradict themselves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Network {
    Any,
    V4,
    V6,
}

/// What rules of a table may ask for.
struct Kind<'a> {
    family: &'a str,
    networks: &'a [Network],
    transport: bool,
}

/// A table `t` of the family with a base chain and chains that it jumps to; with or without matches on transport
/// headers.
pub fn table(rng: &mut ChaCha8Rng, pool: &Pool, family: &str, transport: bool) -> String {
    let mut text = format!("table {family} t {{\n");
    let networks: &[Network] = match family {
        "ip" => &[Network::V4],
        "ip6" => &[Network::V6],
        _ => &[Network::Any, Network::V4, Network::V6],
    };
    let kind = Kind { family, networks, transport };
    for (name, element, network) in [("s4", "ipv4_addr", Network::V4), ("s6", "ipv6_addr", Network::V6)] {
        let elements: Vec<_> = (0..rng.random_range(1..5)).map(|_| address(rng, pool, network)).collect();
        let _ = writeln!(
            text,
            "set {name} {{ type {element}; flags interval; auto-merge; elements = {{ {} }}; }}",
            elements.join(", ")
        );
    }
    let ports: Vec<_> = (0..3).map(|n| (n * 20_000, ports(rng, pool, n * 20_000))).collect();
    let verdicts = [verdict(rng, 0), "accept".to_owned(), "drop".to_owned()];
    let elements: Vec<_> =
        ports.iter().zip(&verdicts).map(|((_, ports), verdict)| format!("{ports} : {verdict}")).collect();
    let _ = writeln!(
        text,
        "map m {{ type inet_service : verdict; flags interval; elements = {{ {} }}; }}",
        elements.join(", ")
    );
    // A chain is defined before it is named; jumps lead to chains of higher numbers.
    for chain in (1..=CHAINS).rev() {
        let _ = writeln!(text, "chain c{chain} {{");
        rules(rng, pool, &kind, chain, &mut text);
        text += "}\n";
    }
    let hook = if family == "netdev" { "ingress device \"take0\"" } else { "prerouting" };
    let policy = pick(rng, &["accept", "drop"]);
    let _ = writeln!(text, "chain c0 {{ type filter hook {hook} priority 0; policy {policy};");
    rules(rng, pool, &kind, 0, &mut text);
    text + "}\n}\n"
}

fn rules(rng: &mut ChaCha8Rng, pool: &Pool, kind: &Kind<'_>, chain: usize, text: &mut String) {
    for _ in 0..rng.random_range(1..6) {
        let network = pick(rng, kind.networks);
        let matches = matches(rng, pool, kind, network);
        let counter = pick(rng, &["", "", "counter "]);
        let verdict = match rng.random_range(0..12) {
            0 if chain == 0 && kind.transport => {
                let _ = writeln!(text, "{}tcp dport vmap @m", within(rng, pool, network));
                continue;
            }
            1 if matches!(kind.family, "ip" | "ip6" | "inet") && !matches.contains("icmp") => {
                "reject".to_owned()
            }
            _ => verdict(rng, chain),
        };
        let _ = writeln!(text, "{matches} {counter}{verdict}");
    }
}

/// A network match before others.
fn within(rng: &mut ChaCha8Rng, pool: &Pool, network: Network) -> String {
    if rng.random_bool(0.5) { format!("{} ", addresses(rng, pool, network)) } else { String::new() }
}

fn verdict(rng: &mut ChaCha8Rng, chain: usize) -> String {
    match rng.random_range(0..10) {
        0..3 => "accept".to_owned(),
        3..6 => "drop".to_owned(),
        6 => "return".to_owned(),
        kind if chain < CHAINS => {
            let target = rng.random_range(chain + 1..=CHAINS);
            format!("{} c{target}", if kind == 7 { "goto" } else { "jump" })
        }
        _ => "accept".to_owned(),
    }
}

fn matches(rng: &mut ChaCha8Rng, pool: &Pool, kind: &Kind<'_>, network: Network) -> String {
    let mut parts = Vec::new();
    if network == Network::Any {
        let named = match kind.family {
            "inet" => pick(rng, &["", "", "meta nfproto ipv4", "meta nfproto ipv6", "meta nfproto != ipv6"]),
            _ => pick(
                rng,
                &[
                    "",
                    "",
                    "meta protocol ip",
                    "meta protocol { ip, ip6 }",
                    "ether type ip6",
                    "ether type { ip, ip6 }",
                ],
            ),
        };
        parts.push(named.to_owned());
    } else if rng.random_bool(0.7) {
        parts.push(addresses(rng, pool, network));
    }
    if rng.random_bool(0.7) {
        // A named family and the protocol of another one contradict each other.
        let free = network == Network::Any && parts.iter().all(String::is_empty);
        parts.push(if kind.transport { transport(rng, pool, network, free) } else { protocol(rng) });
    }
    if network == Network::V4 && rng.random_bool(0.15) {
        let fragment = [
            "ip frag-off & 0x1fff != 0",
            "ip frag-off & 0x1fff == 0",
            "ip frag-off & 0x3fff != 0",
            "ip frag-off & 0x3fff == 0",
        ];
        parts.insert(0, pick(rng, &fragment).to_owned());
    }
    parts.retain(|part| !part.is_empty());
    parts.join(" ")
}

fn address(rng: &mut ChaCha8Rng, pool: &Pool, network: Network) -> String {
    let (kind, a, b) = (rng.random_range(0..4), rng.random::<u32>() as usize, rng.random::<u32>() as usize);
    if network == Network::V6 {
        let (a, b) = (pool.v6[a % pool.v6.len()], pool.v6[b % pool.v6.len()]);
        let length = pick(rng, &[16, 64, 120, 127]);
        return match kind {
            0 => format!("{}/{length}", Ipv6Addr::from(a & (u128::MAX << (128 - length)))),
            1 if a != b => format!("{}-{}", Ipv6Addr::from(a.min(b)), Ipv6Addr::from(a.max(b))),
            _ => Ipv6Addr::from(a).to_string(),
        };
    }
    let (a, b) = (pool.v4[a % pool.v4.len()], pool.v4[b % pool.v4.len()]);
    let length = pick(rng, &[8, 24, 30, 31]);
    match kind {
        0 => format!("{}/{length}", Ipv4Addr::from(a & (u32::MAX << (32 - length)))),
        1 if a != b => format!("{}-{}", Ipv4Addr::from(a.min(b)), Ipv4Addr::from(a.max(b))),
        _ => Ipv4Addr::from(a).to_string(),
    }
}

fn addresses(rng: &mut ChaCha8Rng, pool: &Pool, network: Network) -> String {
    let (protocol, set) = match network {
        Network::V6 => ("ip6", "s6"),
        _ => ("ip", "s4"),
    };
    let side = pick(rng, &["saddr", "daddr"]);
    let not = pick(rng, &["", "", "!= "]);
    match rng.random_range(0..6) {
        0 => format!("{protocol} {side} {not}@{set}"),
        1 => {
            let list: Vec<_> = (0..rng.random_range(2..5)).map(|_| single(rng, pool, network)).collect();
            format!("{protocol} {side} {not}{{ {} }}", list.join(", "))
        }
        2 if network == Network::V4 => {
            format!("ip {side} & 255.255.255.0 {} 10.0.0.0", pick(rng, &["==", "!="]))
        }
        3 => {
            format!("{protocol} {side} {} {}", pick(rng, &["<", "<=", ">", ">="]), single(rng, pool, network))
        }
        _ => format!("{protocol} {side} {not}{}", address(rng, pool, network)),
    }
}

fn single(rng: &mut ChaCha8Rng, pool: &Pool, network: Network) -> String {
    match network {
        Network::V6 => Ipv6Addr::from(pick(rng, &pool.v6)).to_string(),
        _ => Ipv4Addr::from(pick(rng, &pool.v4)).to_string(),
    }
}

/// A port or range in the third of the ports that begins at `from`.
fn ports(rng: &mut ChaCha8Rng, pool: &Pool, from: u16) -> String {
    let inside: Vec<u16> =
        pool.ports.iter().copied().filter(|port| (from..from + 20_000).contains(port)).collect();
    let port = if inside.is_empty() { from } else { pick(rng, &inside) };
    if rng.random_bool(0.5) {
        port.to_string()
    } else {
        format!("{port}-{}", (port + 300).min(from + 19_999))
    }
}

fn port_match(rng: &mut ChaCha8Rng, pool: &Pool, protocol: &str) -> String {
    let field = format!("{protocol} {}", pick(rng, &["sport", "dport"]));
    let port = pick(rng, &pool.ports);
    match rng.random_range(0..8) {
        0 => format!("{field} {{ {}, {} }}", ports(rng, pool, 0), ports(rng, pool, 20_000)),
        1 => format!("{field} != {{ {}, {} }}", ports(rng, pool, 0), ports(rng, pool, 40_000)),
        2 => format!("{field} != {port}"),
        3 => format!("{field} {} {port}", pick(rng, &["<=", ">=", "<", ">"])),
        4 => format!("{field} {}", ports(rng, pool, 0)),
        5 => format!("{field} != {}", ports(rng, pool, 20_000)),
        _ => format!("{field} {port}"),
    }
}

fn protocol(rng: &mut ChaCha8Rng) -> String {
    const PROTOCOLS: [&str; 8] = [
        "meta l4proto tcp",
        "meta l4proto != { tcp, ah }",
        "meta l4proto 0-20",
        "meta l4proto > 50",
        "meta l4proto { udp, ipv6-icmp, ipv6-nonxt }",
        "meta l4proto != udp",
        "meta l4proto 51",
        "meta l4proto { 0, 43, 44, 60, 132 }",
    ];
    pick(rng, &PROTOCOLS).to_owned()
}

fn transport(rng: &mut ChaCha8Rng, pool: &Pool, network: Network, free: bool) -> String {
    const FLAGS: [&str; 9] = [
        "tcp flags syn",
        "tcp flags syn,ack",
        "tcp flags == syn",
        "tcp flags != syn",
        "tcp flags ! syn",
        "tcp flags { syn, ack }",
        "tcp flags syn / syn,ack",
        "tcp flags & (fin | syn | rst | ack) == syn | ack",
        "tcp flags != syn,ack / syn,ack",
    ];
    match rng.random_range(0..12) {
        0..3 => port_match(rng, pool, "tcp"),
        3 => {
            let protocol = pick(rng, &["udp", "sctp"]);
            port_match(rng, pool, protocol)
        }
        4 => pick(rng, &FLAGS).to_owned(),
        5 => format!("{} {}", port_match(rng, pool, "tcp"), pick(rng, &FLAGS)),
        6 => format!("meta l4proto {{ tcp, udp }} {}", port_match(rng, pool, "th")),
        7 if network == Network::V4 || free && rng.random_bool(0.5) => {
            let icmp = [
                "icmp type echo-request",
                "icmp type { 3, 13 } icmp code 1-2",
                "icmp code != 0",
                "icmp type != 8",
            ];
            pick(rng, &icmp).to_owned()
        }
        7 if network == Network::V6 || free => {
            let icmp =
                ["icmpv6 type echo-request", "icmpv6 type { 1, 135 } icmpv6 code 0-2", "icmpv6 code 1"];
            pick(rng, &icmp).to_owned()
        }
        8 if network == Network::V4 => {
            pick(rng, &["ip protocol tcp", "ip protocol { udp, icmp, 47 }", "ip protocol != 6"]).to_owned()
        }
        9 if network != Network::Any => concatenation(rng, pool, network),
        10 => {
            let (one, two) = (verdict_word(rng), verdict_word(rng));
            // A map ends the rule; what the caller writes behind it is cut off.
            format!(
                "tcp dport vmap {{ {} : {one}, {} : {two} }}#",
                ports(rng, pool, 0),
                ports(rng, pool, 20_000)
            )
        }
        _ => protocol(rng),
    }
}

fn verdict_word(rng: &mut ChaCha8Rng) -> &'static str {
    pick(rng, &["accept", "drop", "return", "continue"])
}

fn concatenation(rng: &mut ChaCha8Rng, pool: &Pool, network: Network) -> String {
    let protocol = if network == Network::V6 { "ip6" } else { "ip" };
    let mut elements: Vec<String> =
        (0..3).map(|_| format!("{} . {}", single(rng, pool, network), pick(rng, &pool.ports))).collect();
    elements.sort();
    elements.dedup();
    if rng.random_bool(0.3) {
        let pairs: Vec<_> =
            elements.iter().map(|key| format!("{key} : {}", pick(rng, &["accept", "drop"]))).collect();
        return format!("{protocol} saddr . tcp dport vmap {{ {} }}#", pairs.join(", "));
    }
    format!("{protocol} saddr . tcp dport {{ {} }}", elements.join(", "))
}

//! Seeded rules as text: ClassBench ACLs and signatures that have nothing but a header.

use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use crate::{Pool, pick};

const PROTOCOLS: [u8; 9] = [6, 6, 17, 17, 1, 58, 132, 47, 0];

/// Lowest and highest port: everything, one port, or a range around pool ports.
fn port_range(rng: &mut ChaCha8Rng, pool: &Pool) -> (u16, u16) {
    match rng.random_range(0..6) {
        0 | 1 => (0, 65535),
        2 | 3 => {
            let port = pick(rng, &pool.ports);
            (port, port)
        }
        _ => {
            let (a, b) = (pick(rng, &pool.ports), pick(rng, &pool.ports));
            (a.min(b), a.max(b))
        }
    }
}

fn v4_prefix(rng: &mut ChaCha8Rng, pool: &Pool) -> (u32, u32) {
    let len = pick(rng, &[0, 0, 8, 15, 16, 24, 31, 32, 32]);
    let mask = if len == 0 { 0 } else { u32::MAX << (32 - len) };
    (pick(rng, &pool.v4) & mask, len)
}

fn v6_prefix(rng: &mut ChaCha8Rng, pool: &Pool) -> (u128, u32) {
    let len = pick(rng, &[0, 0, 16, 32, 33, 48, 64, 127, 128, 128]);
    let mask = if len == 0 { 0 } else { u128::MAX << (128 - len) };
    (pick(rng, &pool.v6) & mask, len)
}

/// A ClassBench ACL of `count` rules.
pub fn acl(rng: &mut ChaCha8Rng, pool: &Pool, count: usize) -> String {
    let mut text = String::new();
    for _ in 0..count {
        text.push('@');
        if rng.random_bool(0.7) {
            let ((src, a), (dst, b)) = (v4_prefix(rng, pool), v4_prefix(rng, pool));
            let _ = write!(text, "{}/{a}\t{}/{b}", Ipv4Addr::from(src), Ipv4Addr::from(dst));
        } else {
            let ((src, a), (dst, b)) = (v6_prefix(rng, pool), v6_prefix(rng, pool));
            let _ = write!(text, "{}/{a}\t{}/{b}", Ipv6Addr::from(src), Ipv6Addr::from(dst));
        }
        let (sport, dport) = (port_range(rng, pool), port_range(rng, pool));
        let (proto, mask) = if rng.random_bool(0.3) { (0, 0) } else { (pick(rng, &PROTOCOLS), 255) };
        let _ = writeln!(
            text,
            "\t{} : {}\t{} : {}\t0x{proto:02x}/0x{mask:02X}\t0x0000/0x0000\t",
            sport.0, sport.1, dport.0, dport.1
        );
    }
    text
}

fn address_item(rng: &mut ChaCha8Rng, pool: &Pool) -> String {
    match rng.random_range(0..6) {
        0..3 => {
            let (address, len) = v4_prefix(rng, pool);
            format!("{}/{}", Ipv4Addr::from(address), len.max(1))
        }
        3 => Ipv4Addr::from(pick(rng, &pool.v4)).to_string(),
        4 => {
            let (address, len) = v6_prefix(rng, pool);
            format!("{}/{}", Ipv6Addr::from(address), len.max(1))
        }
        _ => Ipv6Addr::from(pick(rng, &pool.v6)).to_string(),
    }
}

fn addresses(rng: &mut ChaCha8Rng, pool: &Pool, negated: bool) -> String {
    match rng.random_range(0..if negated { 5 } else { 4 }) {
        0 | 1 => "any".to_string(),
        2 => address_item(rng, pool),
        3 => {
            let items: Vec<_> = (0..rng.random_range(1..4)).map(|_| address_item(rng, pool)).collect();
            format!("[{}]", items.join(","))
        }
        _ => format!("!{}", Ipv4Addr::from(pick(rng, &pool.v4))),
    }
}

fn ports(rng: &mut ChaCha8Rng, pool: &Pool) -> String {
    let port = pick(rng, &pool.ports).clamp(2, 65000);
    match rng.random_range(0..7) {
        0 | 1 => "any".to_string(),
        2 => port.to_string(),
        3 => format!("{port}:{}", port + rng.random_range(0..500)),
        4 => format!("{port}:"),
        5 => format!("!{port}"),
        _ => format!("[{port},{},{}]", port / 2, port + 7),
    }
}

/// Signatures without any condition but their header, `count` of them, with ascending ids. `negated`:
/// the first may have a negated address, which takes dozens of entries, more than a small card has.
pub fn signatures(rng: &mut ChaCha8Rng, pool: &Pool, count: usize, negated: bool) -> String {
    let mut text = String::new();
    for sid in 1..=count {
        let protocol = *["ip", "tcp", "udp", "icmp"].choose(rng).unwrap_or(&"ip");
        let with_ports = protocol == "tcp" || protocol == "udp";
        let mut port = || if with_ports { ports(rng, pool) } else { "any".to_string() };
        let (sport, dport) = (port(), port());
        let direction = if rng.random_bool(0.15) { "<>" } else { "->" };
        let (src, dst) = (addresses(rng, pool, negated && sid == 1), addresses(rng, pool, false));
        let _ = writeln!(
            text,
            "alert {protocol} {src} {sport} {direction} {dst} {dport} (msg:\"rule {sid}\"; sid:{sid}; rev:1;)"
        );
    }
    text
}

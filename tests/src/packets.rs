//! Seeded packets: well-formed ones of every kind that the parsers know, then damage.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::{Pool, pick};

/// A packet: most whole, some cut, padded or with changed bytes; 0 to 9,000 bytes.
pub fn packet(rng: &mut ChaCha8Rng, pool: &Pool) -> Vec<u8> {
    if rng.random_bool(0.02) {
        let mut bytes = vec![0; rng.random_range(0..200)];
        rng.fill(&mut bytes[..]);
        return bytes;
    }
    let mut packet = ethernet(rng, pool);
    if rng.random_bool(0.1) {
        let cut = rng.random_range(0..=packet.len());
        packet.truncate(cut);
    }
    if rng.random_bool(0.1) && !packet.is_empty() {
        for _ in 0..rng.random_range(1..4) {
            let at = rng.random_range(0..packet.len().min(100));
            packet[at] = rng.random();
        }
    }
    if rng.random_bool(0.1) {
        packet.extend(std::iter::repeat_n(0, rng.random_range(0..20)));
    }
    packet
}

fn ethernet(rng: &mut ChaCha8Rng, pool: &Pool) -> Vec<u8> {
    let mut packet = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
    for _ in 0..pick(rng, &[0, 0, 0, 0, 1, 2, 3]) {
        packet.extend(pick(rng, &[0x8100u16, 0x88a8, 0x9100]).to_be_bytes());
        packet.extend(rng.random::<u16>().to_be_bytes());
    }
    match rng.random_range(0..20) {
        0 => {
            packet.extend(pick(rng, &[0x0806u16, 0x8847, 0x8864, 0x894f, 0x0026, 0xffff]).to_be_bytes());
            packet.extend((0..rng.random_range(0..60)).map(|n| n as u8));
        }
        1..13 => ipv4(rng, pool, &mut packet),
        _ => ipv6(rng, pool, &mut packet),
    }
    packet
}

fn payload_length(rng: &mut ChaCha8Rng) -> usize {
    match rng.random_range(0..30) {
        0 => rng.random_range(0..8900),
        1..4 => rng.random_range(0..1460),
        _ => rng.random_range(0..70),
    }
}

fn ipv4(rng: &mut ChaCha8Rng, pool: &Pool, packet: &mut Vec<u8>) {
    packet.extend(0x0800u16.to_be_bytes());
    let words = pick(rng, &[5u8, 5, 5, 5, 6, 8, 15, 4]);
    let protocol = pick(rng, &[6u8, 6, 6, 17, 17, 1, 132, 4, 47, 41, 50, 58, 0, 255]);
    let fragment = pick(rng, &[0u16, 0, 0, 0, 0, 0x4000, 0x2000, 0x2010, 0x0010, 0x1fff]);
    let transport = transport(rng, pool, protocol);
    let header = usize::from(words) * 4;
    let mut total = (header + transport.len()) as u16;
    if rng.random_bool(0.04) {
        total = rng.random_range(0..100);
    }
    packet.extend([0x40 | words, 0]);
    packet.extend(total.to_be_bytes());
    packet.extend([0, 1]);
    packet.extend(fragment.to_be_bytes());
    packet.extend([64, protocol, 0, 0]);
    packet.extend(pick(rng, &pool.v4).to_be_bytes());
    packet.extend(pick(rng, &pool.v4).to_be_bytes());
    packet.extend(std::iter::repeat_n(1, header.saturating_sub(20)));
    packet.extend(transport);
}

fn ipv6(rng: &mut ChaCha8Rng, pool: &Pool, packet: &mut Vec<u8>) {
    packet.extend(0x86ddu16.to_be_bytes());
    let protocol = pick(rng, &[6u8, 6, 17, 17, 58, 132, 59, 4, 47, 1]);
    let chain: Vec<u8> = match rng.random_range(0..12) {
        0 => (0..rng.random_range(3..11)).map(|_| pick(rng, &[0, 43, 44, 51, 60, 135, 139, 140])).collect(),
        1..5 => (0..rng.random_range(1..4)).map(|_| pick(rng, &[0, 43, 44, 51, 60])).collect(),
        _ => Vec::new(),
    };
    let mut body = Vec::new();
    for (n, &kind) in chain.iter().enumerate() {
        let next = chain.get(n + 1).copied().unwrap_or(protocol);
        extension(rng, kind, next, &mut body);
    }
    body.extend(transport(rng, pool, protocol));
    let mut length = body.len() as u16;
    if rng.random_bool(0.04) {
        length = rng.random_range(0..100);
    }
    packet.extend([0x60, 0, 0, 0]);
    packet.extend(length.to_be_bytes());
    packet.extend([chain.first().copied().unwrap_or(protocol), 64]);
    packet.extend(pick(rng, &pool.v6).to_be_bytes());
    packet.extend(pick(rng, &pool.v6).to_be_bytes());
    packet.extend(body);
}

fn extension(rng: &mut ChaCha8Rng, kind: u8, next: u8, body: &mut Vec<u8>) {
    match kind {
        44 => {
            let offset = pick(rng, &[0u16, 0, 0, 1, 8, 0x10]);
            body.extend([next, 0]);
            body.extend(offset.to_be_bytes());
            body.extend([0, 0, 0, 7]);
        }
        51 => {
            let words = pick(rng, &[1u8, 1, 4, 0]);
            body.extend([next, words]);
            body.extend(std::iter::repeat_n(0, (usize::from(words) + 2) * 4 - 2));
        }
        _ => {
            let eights = pick(rng, &[0u8, 0, 0, 1, 3]);
            body.extend([next, eights]);
            body.extend(std::iter::repeat_n(0, (usize::from(eights) + 1) * 8 - 2));
        }
    }
}

fn transport(rng: &mut ChaCha8Rng, pool: &Pool, protocol: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    match protocol {
        6 | 17 | 132 => {
            bytes.extend(pick(rng, &pool.ports).to_be_bytes());
            bytes.extend(pick(rng, &pool.ports).to_be_bytes());
        }
        1 | 58 => bytes.extend([pick(rng, &[0u8, 3, 8, 128, 129]), rng.random_range(0..4), 0, 0]),
        _ => {}
    }
    let rest = match protocol {
        6 => 16,
        132 => 8,
        _ => 4,
    };
    let mut tail = vec![0; rest + payload_length(rng)];
    rng.fill(&mut tail[..]);
    if protocol == 6 {
        tail[8] = 0x50;
    }
    bytes.extend(tail);
    bytes
}

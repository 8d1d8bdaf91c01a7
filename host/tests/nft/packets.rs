//! Seeded packets that rules and netfilter read alike: whole ones, fragments, short transport headers, extension headers,
//! VLAN tags. Not those of which `docs/rule-files.md` says that netfilter sees them in another way.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::{Pool, pick};

/// Address of the device that packets are sent to.
const DESTINATION: [u8; 6] = [0x02, 0xff, 0, 0, 0, 1];
/// IPv6 extension headers that netfilter walks over.
const EXTENSIONS: [u8; 4] = [0, 43, 44, 60];

/// A packet for a table of the family.
pub fn packet(rng: &mut ChaCha8Rng, pool: &Pool, family: &str) -> Vec<u8> {
    let mut packet = DESTINATION.to_vec();
    packet.extend([0; 6]);
    let every = matches!(family, "netdev" | "bridge");
    if every && rng.random_bool(0.2) {
        packet.extend(pick(rng, &[[0x81, 0, 0, 0], [0x81, 0, 0x20, 5], [0x88, 0xa8, 0, 7]]));
    }
    match rng.random_range(0..10) {
        0 if every => {
            packet.extend(pick(rng, &[[8, 6], [0x88, 0xcc], [0x12, 0x34]]));
            packet.extend([0; 46]);
        }
        0..6 => v4(rng, pool, &mut packet),
        _ => v6(rng, pool, &mut packet),
    }
    packet
}

/// A packet that comes to the hook of every family.
pub fn sentinel(family: &str) -> Vec<u8> {
    let mut packet = DESTINATION.to_vec();
    packet.extend([0; 6]);
    let body = [0, 1, 0, 2, 0, 8, 0, 0];
    match family {
        "ip6" => ipv6_header(&mut packet, 17, body.len(), [1, 2].map(|low| 0x2001_0db8 << 96 | low)),
        _ => ipv4_header(&mut packet, 20, 0, 17, body.len(), [0x0a00_0001, 0x0a00_0002]),
    }
    packet.extend(body);
    packet
}

/// A fragment whose payload begins like a TCP header to port 22.
pub fn later_fragment() -> Vec<u8> {
    let mut packet = DESTINATION.to_vec();
    packet.extend([0; 6]);
    let body = [0, 1, 0, 22, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 2, 0, 0, 0, 0, 0, 0];
    ipv4_header(&mut packet, 20, 5, 6, body.len(), [0x0a00_0001, 0x0a00_0002]);
    packet.extend(body);
    packet
}

fn ipv4_header(
    packet: &mut Vec<u8>,
    length: usize,
    fragment: u16,
    protocol: u8,
    body: usize,
    addresses: [u32; 2],
) {
    packet.extend([8, 0]);
    let mut header = vec![0x40 | (length / 4) as u8, 0];
    header.extend(((length + body) as u16).to_be_bytes());
    header.extend([0, 1]);
    header.extend(fragment.to_be_bytes());
    header.extend([64, protocol, 0, 0]);
    header.extend(addresses[0].to_be_bytes());
    header.extend(addresses[1].to_be_bytes());
    header.resize(length, 1);
    let sum =
        header.chunks_exact(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum::<u32>();
    let folded = (sum & 0xffff) + (sum >> 16);
    let folded = (folded & 0xffff) + (folded >> 16);
    header[10..12].copy_from_slice(&(!(folded as u16)).to_be_bytes());
    packet.extend(header);
}

fn ipv6_header(packet: &mut Vec<u8>, next: u8, body: usize, addresses: [u128; 2]) {
    packet.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
    packet.extend((body as u16).to_be_bytes());
    packet.extend([next, 64]);
    packet.extend(addresses[0].to_be_bytes());
    packet.extend(addresses[1].to_be_bytes());
}

/// A transport header, whole or cut where both read it alike.
fn transport(rng: &mut ChaCha8Rng, pool: &Pool, protocol: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    match protocol {
        1 => bytes.extend([pick(rng, &[0, 3, 8, 13]), rng.random_range(0..4), 0, 0]),
        58 => bytes.extend([pick(rng, &[1, 128, 129, 135]), rng.random_range(0..4), 0, 0]),
        _ => {
            bytes.extend(pick(rng, &pool.ports).to_be_bytes());
            bytes.extend(pick(rng, &pool.ports).to_be_bytes());
        }
    }
    bytes.extend([
        0,
        0,
        0,
        1,
        0,
        0,
        0,
        0,
        0x50,
        pick(rng, &[0x02, 0x12, 0x10, 0x11, 0x04, 0x00, 0x29]),
        0,
        0,
    ]);
    bytes.extend([0; 20]);
    let length = match rng.random_range(0..10) {
        0 => pick(rng, &[0, 4, 8, 13, 14]),
        _ => bytes.len(),
    };
    bytes.truncate(length);
    bytes
}

fn v4(rng: &mut ChaCha8Rng, pool: &Pool, packet: &mut Vec<u8>) {
    let protocol = pick(rng, &[6, 6, 6, 17, 17, 1, 1, 132, 47, 51, 0, 58]);
    let fragment = pick(rng, &[0, 0, 0, 0, 0x4000, 0x2000, 0x2005, 0x0005]);
    let body = transport(rng, pool, protocol);
    let header = pick(rng, &[20, 20, 20, 24, 60]);
    ipv4_header(packet, header, fragment, protocol, body.len(), [pick(rng, &pool.v4), pick(rng, &pool.v4)]);
    let whole = body.len() >= 20;
    packet.extend(body);
    if whole && rng.random_bool(0.2) {
        packet.extend([0xff; 7]); // padding
    }
}

fn v6(rng: &mut ChaCha8Rng, pool: &Pool, packet: &mut Vec<u8>) {
    let protocol = pick(rng, &[6, 6, 6, 17, 17, 58, 58, 132, 47, 59, 1]);
    let count = pick(rng, &[0, 0, 0, 0, 1, 1, 2, 3, 6]);
    let mut chain: Vec<u8> = (0..count).map(|_| pick(rng, &EXTENSIONS)).collect();
    // Hop-by-hop options come first (RFC 8200, 4.1); the stack drops others before the hook.
    chain.sort_by_key(|next| *next != 0);
    chain.dedup_by_key(|next| if *next == 0 { 0 } else { 256 + usize::from(*next) });
    let nexts: Vec<u8> = chain.iter().copied().chain([protocol]).collect();
    let mut body = Vec::new();
    for (n, kind) in chain.iter().enumerate() {
        let next = nexts[n + 1];
        match kind {
            44 => {
                // Behind a later fragment there is nothing to walk over, so it comes before the last header only.
                let offset =
                    if n + 1 == chain.len() { pick(rng, &[0u16, 0, 1, 8, 9]) } else { pick(rng, &[0, 1]) };
                body.extend([next, 0]);
                body.extend(offset.to_be_bytes());
                body.extend([0, 0, 0, 7]);
            }
            _ => {
                let eights = pick(rng, &[0u8, 0, 1]);
                body.extend([next, eights]);
                body.extend(std::iter::repeat_n(0, usize::from(eights) * 8 + 6));
            }
        }
    }
    body.extend(transport(rng, pool, protocol));
    ipv6_header(packet, nexts[0], body.len(), [pick(rng, &pool.v6), pick(rng, &pool.v6)]);
    packet.extend(body);
}

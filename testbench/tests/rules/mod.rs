//! Rules and packets whose verdicts are plain to see: an ACL rule for each destination port below
//! [`ACL_RULES`], with the port as its number, and a signature for each source port below
//! [`SIGNATURES`]. So a verdict that belongs to another packet is seen.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use wiresift_abi::bits::Line;
use wiresift_abi::command::{Command, Opcode};
use wiresift_abi::entry::{Entry, Kind, Ternary};
use wiresift_abi::geometry::{Geometry, WAYS};
use wiresift_abi::hash::{ROWS, Secret};
use wiresift_abi::image::Image;
use wiresift_abi::vector::{Class, DPORT, HASHED_BITS, Key, SPORT};

/// ACL rules.
pub const ACL_RULES: u16 = 500;
/// Signatures; their numbers start at [`SIGNATURE_IDS`].
pub const SIGNATURES: u16 = 300;
/// Number of the first signature.
pub const SIGNATURE_IDS: u32 = 0xf_0000;

fn entry(kind: Kind, id: u32, sport: (u16, u16), dport: (u16, u16)) -> Entry {
    let any = Ternary { value: 0, mask: 0 };
    let ports = Class::IP | Class::PORTS;
    Entry {
        kind,
        id,
        src: any,
        dst: any,
        sport,
        dport,
        proto: Ternary { value: 0, mask: 0 },
        class: Ternary { value: ports, mask: ports },
        aux: Ternary { value: 0, mask: 0 },
    }
}

/// The rule image: ACL rules in table 0, by destination port, signatures in table 1, by source port.
pub fn image(geometry: &'static Geometry, version: u16) -> Image {
    let mut rng = ChaCha8Rng::seed_from_u64(42);
    let mut secret = Secret([Key::default(); ROWS]);
    let mut lines = vec![Command::new(Opcode::Clear, 0)];
    for (n, row) in secret.0.iter_mut().enumerate() {
        row.0 = rng.random();
        row.0[HASHED_BITS / 64] &= (1 << (HASHED_BITS % 64)) - 1;
        let mut command = Command::new(Opcode::WriteSecret, n as u16);
        command.data = row.to_line();
        lines.push(command);
    }
    let all = (0, u16::MAX);
    let acl = (0..ACL_RULES).map(|port| (port, entry(Kind::Acl, port.into(), all, (port, port))));
    let signatures = (0..SIGNATURES)
        .map(|port| (port, entry(Kind::Signature, SIGNATURE_IDS + u32::from(port), (port, port), all)));
    for (table, field, entries) in
        [(0, DPORT, acl.collect::<Vec<_>>()), (1, SPORT, signatures.collect::<Vec<_>>())]
    {
        let mut command = Command::new(Opcode::WriteMask, 0);
        command.table = table;
        command.data = Line::default().with(field, field.max());
        lines.push(command);
        let mut filled = vec![0; WAYS << geometry.buckets_log2(table.into())];
        for (port, entry) in entries {
            let key = Key::of(&Line::default().with(field, port.into()));
            // The emptier of both buckets, which never overflows with so few entries.
            let buckets = geometry.buckets_log2(table.into());
            let places = [0, 1].map(|way| (way, secret.bucket(&key, way, buckets)));
            let (way, bucket) =
                places.into_iter().min_by_key(|(way, bucket)| filled[way << buckets | bucket]).unwrap();
            let slot = &mut filled[way << buckets | bucket];
            assert!(*slot < geometry.bucket_slots, "the bucket is full");
            let mut command = Command::new(Opcode::WriteSlot, bucket as u16);
            command.table = table;
            command.slot = (way * geometry.bucket_slots + *slot) as u8;
            command.data = entry.to_narrow().unwrap();
            lines.push(command);
            *slot += 1;
        }
    }
    lines.push(Command::new(Opcode::Commit, version));
    Image::new(geometry, lines.iter().map(Command::to_line).collect(), Vec::new()).unwrap()
}

/// Random packets: most are UDP over IPv4 with ports around those that match; some are anything.
pub fn packets(seed: u64, count: usize) -> Vec<Vec<u8>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..count).map(|_| packet(&mut rng)).collect()
}

/// Random packets of at most one line.
#[allow(dead_code, reason = "not every test that shares this module uses it")]
pub fn short_packets(seed: u64, count: usize) -> Vec<Vec<u8>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..count)
        .map(|_| {
            let length = rng.random_range(42..=64);
            packet_of(length, &mut rng)
        })
        .collect()
}

fn packet(rng: &mut ChaCha8Rng) -> Vec<u8> {
    let length = match rng.random_range(0..20) {
        0 => rng.random_range(0..60),
        1 => rng.random_range(1400..1600),
        2 if rng.random_ratio(1, 6) => 9216,
        3..6 => 64 * rng.random_range(1..4) + rng.random_range(0..3) - 1,
        _ => rng.random_range(60..200),
    };
    packet_of(length, rng)
}

fn packet_of(length: usize, rng: &mut ChaCha8Rng) -> Vec<u8> {
    let mut packet: Vec<u8> = (0..length).map(|_| rng.random()).collect();
    if length < 42 || rng.random_ratio(1, 20) {
        // Another EtherType than any that is parsed.
        if let Some(kind) = packet.get_mut(12..14) {
            kind.copy_from_slice(&[0x08, 0x06]);
        }
        return packet;
    }
    packet[12..14].copy_from_slice(&[0x08, 0x00]);
    packet[14] = 0x45;
    packet[16..18].copy_from_slice(&((length - 14) as u16).to_be_bytes());
    packet[20..22].copy_from_slice(&[0x40, 0]);
    packet[23] = 17;
    packet[34..36].copy_from_slice(&rng.random_range(0..2 * SIGNATURES).to_be_bytes());
    packet[36..38].copy_from_slice(&rng.random_range(0..2 * ACL_RULES).to_be_bytes());
    packet
}

/// The ACL rule and the signatures that match one of [`packets`].
pub fn expected(packet: &[u8]) -> (Option<u32>, Vec<u32>) {
    if packet.len() < 42 || packet[12..14] != [0x08, 0x00] {
        return (None, Vec::new());
    }
    let port = |at: usize| u16::from_be_bytes([packet[at], packet[at + 1]]);
    let (sport, dport) = (port(34), port(36));
    let acl = (dport < ACL_RULES).then_some(dport.into());
    let ids = (sport < SIGNATURES).then(|| SIGNATURE_IDS + u32::from(sport));
    (acl, ids.into_iter().collect())
}

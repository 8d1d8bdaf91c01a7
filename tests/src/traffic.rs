//! Seeded traffic for signatures: flows in both directions whose packets carry the payloads that rules look for.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::signatures::changed;
use crate::{Pool, packets, pick};

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;

/// A flow on its way.
#[derive(Clone, Debug)]
struct Flow {
    protocol: u8,
    v6: bool,
    /// Last byte of the client's address and of the server's.
    hosts: [u8; 2],
    ports: [u16; 2],
    /// Packets so far.
    step: usize,
}

/// `count` packets with their times in nanoseconds: of flows that run side by side, and some of every other kind.
pub fn packets(rng: &mut ChaCha8Rng, payloads: &[Vec<u8>], count: usize) -> Vec<(u64, Vec<u8>)> {
    let pool = Pool::new(rng);
    let mut flows: Vec<_> = (0..12).map(|_| Flow::new(rng)).collect();
    let mut nanos = 1_700_000_000_000_000_000;
    let mut all = Vec::new();
    for _ in 0..count {
        nanos += rng.random_range(0..200_000) * 1000;
        if rng.random_bool(0.01) {
            nanos -= 700_000_000;
        }
        let packet = if rng.random_bool(0.1) {
            packets::packet(rng, &pool)
        } else {
            let n = rng.random_range(0..flows.len());
            if rng.random_bool(0.05) {
                flows[n] = Flow::new(rng);
            }
            let (one, other) = (pick_one(rng, payloads), pick_one(rng, payloads));
            let payload = changed(rng, one, other);
            flows[n].packet(rng, &payload)
        };
        all.push((nanos, packet));
    }
    all
}

fn pick_one<'a>(rng: &mut ChaCha8Rng, payloads: &'a [Vec<u8>]) -> &'a [u8] {
    if payloads.is_empty() { &[] } else { &payloads[rng.random_range(0..payloads.len())] }
}

impl Flow {
    fn new(rng: &mut ChaCha8Rng) -> Self {
        Self {
            protocol: pick(rng, &[6, 6, 6, 17, 17, 1, 58, 132]),
            v6: rng.random_bool(0.3),
            hosts: [rng.random_range(1..4), rng.random_range(1..4)],
            ports: [pick(rng, &[1024, 40_000, 53]), pick(rng, &[80, 53, 1024])],
            step: 0,
        }
    }

    /// The next packet: mostly as the protocol wants it.
    fn packet(&mut self, rng: &mut ChaCha8Rng, payload: &[u8]) -> Vec<u8> {
        let step = self.step;
        self.step += 1;
        let (back, flags) = match step {
            _ if rng.random_bool(0.08) => {
                (rng.random_bool(0.5), pick(rng, &[SYN, RST, FIN | ACK, SYN | ACK, 0, RST | ACK]))
            }
            0 => (false, SYN),
            1 => (true, SYN | ACK),
            2 => (false, ACK),
            _ => (rng.random_bool(0.5), pick(rng, &[ACK, ACK | 8, ACK | 8, ACK | FIN])),
        };
        let payload =
            if self.protocol == 6 && flags & SYN != 0 && rng.random_bool(0.8) { &[][..] } else { payload };
        let transport = self.transport(rng, back, flags, payload);
        self.ip(rng, back, &transport)
    }

    fn transport(&self, rng: &mut ChaCha8Rng, back: bool, flags: u8, payload: &[u8]) -> Vec<u8> {
        let [client, server] = self.ports;
        let (sport, dport) = if back { (server, client) } else { (client, server) };
        let mut bytes = Vec::new();
        match self.protocol {
            6 => {
                let options: &[u8] =
                    pick(rng, &[&[][..], &[], &[2, 4, 5, 0xb4], &[1, 1, 1, 0], &[2, 4, 1, 0, 3, 3, 7, 1]]);
                bytes.extend(sport.to_be_bytes());
                bytes.extend(dport.to_be_bytes());
                bytes.extend([0, 0, 0, pick(rng, &[0, 1])]);
                bytes.extend([0, 0, 0, pick(rng, &[0, 1])]);
                bytes.extend([
                    (5 + options.len() as u8 / 4) << 4,
                    flags,
                    pick(rng, &[0x20, 0x10]),
                    0,
                    0,
                    0,
                    0,
                    0,
                ]);
                bytes.extend(options);
            }
            17 => {
                bytes.extend(sport.to_be_bytes());
                bytes.extend(dport.to_be_bytes());
                bytes.extend((8 + payload.len() as u16).to_be_bytes());
                bytes.extend([0, 0]);
            }
            132 => {
                bytes.extend(sport.to_be_bytes());
                bytes.extend(dport.to_be_bytes());
                bytes.extend([0; 8]);
            }
            _ => {
                let kinds: [u8; 4] = if self.protocol == 1 { [8, 0, 3, 11] } else { [128, 129, 1, 3] };
                bytes.extend([pick(rng, &kinds), pick(rng, &[0, 0, 1]), 0, 0, 0, 7, 0, pick(rng, &[1, 2])]);
            }
        }
        bytes.extend(payload);
        bytes
    }

    fn ip(&self, rng: &mut ChaCha8Rng, back: bool, transport: &[u8]) -> Vec<u8> {
        let [client, server] = self.hosts;
        let (src, dst) = if back { (server, client) } else { (client, server) };
        let mut packet = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
        if rng.random_bool(0.1) {
            packet.extend([0x81, 0, 0, 5]);
        }
        let ttl = pick(rng, &[64, 64, 65, 255]);
        if self.v6 {
            packet.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
            packet.extend((transport.len() as u16).to_be_bytes());
            packet.extend([self.protocol, ttl]);
            for last in [src, dst] {
                packet.extend([0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]);
            }
        } else {
            let options: &[u8] = pick(rng, &[&[][..], &[], &[], &[], &[1, 1, 1, 0], &[7, 3, 4, 0]]);
            let fragment = pick(rng, &[0u16, 0, 0, 0x4000, 0x4000, 0x4000, 0x2000, 0x2001]);
            packet.extend([8, 0, 0x45 + options.len() as u8 / 4, pick(rng, &[0, 0, 8])]);
            packet.extend((20 + options.len() as u16 + transport.len() as u16).to_be_bytes());
            packet.extend([pick(rng, &[0, 1]), pick(rng, &[0, 1])]);
            packet.extend(fragment.to_be_bytes());
            packet.extend([ttl, self.protocol, 0, 0, 10, 0, 0, src, 10, 0, 0, dst]);
            packet.extend(options);
        }
        packet.extend(transport);
        if rng.random_bool(0.03) {
            packet.truncate(rng.random_range(0..=packet.len()));
        }
        if rng.random_bool(0.1) {
            packet.extend(std::iter::repeat_n(0, rng.random_range(0..20)));
        }
        packet
    }
}

//! Payloads: those of the corpus' captures, random ones, and ones meant to slow an engine down.

use std::path::Path;
use std::sync::Arc;

use rand::seq::IndexedRandom;
use rand::{Rng, RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use wiresift_host::capture::{Capture, Next};
use wiresift_host::engine::cpu::parse::Header;

use super::rules::Pattern;
use crate::corpus;

/// Seed of everything drawn.
const SEED: u64 = 5;
/// Bytes and number of crafted payloads.
const CRAFTED: (usize, usize) = (1460, 512);

/// Payloads with a name.
pub struct Payloads {
    /// Name in the table.
    pub name: &'static str,
    /// The payloads.
    pub list: Vec<Vec<u8>>,
}

impl Payloads {
    /// Mean length in bytes.
    pub fn mean(&self) -> f64 {
        self.list.iter().map(Vec::len).sum::<usize>() as f64 / self.list.len() as f64
    }
}

/// Payloads of all packets of the captures below `pcaps` that have one.
/// What cannot be read of a capture is left out.
pub fn real(corpus: &Path) -> Payloads {
    let mut list = Vec::new();
    for file in &corpus::captures(&corpus.join("pcaps")) {
        let Ok(mut capture) = Capture::open(file, Arc::default()) else { continue };
        while let Ok(Next::Packet(packet)) = capture.next(true) {
            list.extend(payload(packet.bytes).filter(|payload| !payload.is_empty()).map(<[u8]>::to_vec));
        }
    }
    Payloads { name: "real", list }
}

/// What follows the transport header.
fn payload(packet: &[u8]) -> Option<&[u8]> {
    const TCP: u8 = 6;
    let header = Header::of(packet);
    let transport = packet.get(usize::from(header.l4_offset)..)?;
    let bytes = if header.proto == TCP { usize::from(transport.get(12)? >> 4) * 4 } else { 8 };
    transport.get(bytes..)
}

/// Random bytes, as many as `like` has.
pub fn random(like: &Payloads) -> Payloads {
    let mut random = ChaCha8Rng::seed_from_u64(SEED);
    let list = like.list.iter().map(|payload| {
        let mut bytes = vec![0; payload.len()];
        random.fill_bytes(&mut bytes);
        bytes
    });
    Payloads { name: "random", list: list.collect() }
}

/// Zeros; patterns back to back; patterns without their last byte, back to back.
pub fn crafted(patterns: &[Pattern]) -> [Payloads; 3] {
    let mut random = ChaCha8Rng::seed_from_u64(SEED + 1);
    let mut fill = |name, cut: usize| {
        let list = (0..CRAFTED.1).map(|_| {
            let mut bytes = Vec::new();
            while bytes.len() < CRAFTED.0 {
                let Some((pattern, _)) = patterns.choose(&mut random) else { break };
                bytes.extend(&pattern[..pattern.len().saturating_sub(cut)]);
                bytes.extend((0..cut).map(|_| random.random::<u8>()));
            }
            bytes.truncate(CRAFTED.0);
            bytes
        });
        Payloads { name, list: list.collect() }
    };
    let (dense, near) = (fill("dense", 0), fill("near", 1));
    [Payloads { name: "zeros", list: vec![vec![0; CRAFTED.0]; CRAFTED.1] }, dense, near]
}

//! What the end-to-end tests share: seeded rules and packets that meet each other often, and the
//! corpus of real ones where the variable CORPUS names its folder.

pub mod capture;
pub mod changes;
pub mod command;
pub mod corpus;
pub mod packets;
pub mod rules;
pub mod sets;
pub mod signatures;
pub mod suricata_verify;
pub mod traffic;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The seed of a randomised test: WIRESIFT_SEED, or the one given. Printed, so that a failure can be
/// repeated.
pub fn seeded(test: &str, default: u64) -> ChaCha8Rng {
    let seed = std::env::var("WIRESIFT_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    println!("{test}: seed {seed} (WIRESIFT_SEED)");
    ChaCha8Rng::seed_from_u64(seed)
}

/// One of some, which must not be none.
pub(crate) fn pick<T: Copy>(rng: &mut ChaCha8Rng, from: &[T]) -> T {
    from[rng.random_range(0..from.len())]
}

/// Whether the slow sweeps run (`tests/run --long`).
pub fn long() -> bool {
    std::env::var("WIRESIFT_LONG").is_ok_and(|text| !text.is_empty())
}

/// Addresses and ports that rules and packets both draw from, so that near misses and matches are
/// frequent.
#[derive(Clone, Debug)]
pub struct Pool {
    /// IPv4 addresses.
    pub v4: Vec<u32>,
    /// IPv6 addresses.
    pub v6: Vec<u128>,
    /// Ports.
    pub ports: Vec<u16>,
}

impl Pool {
    /// A pool of addresses that lie close together: some differ in a single bit.
    pub fn new(rng: &mut ChaCha8Rng) -> Self {
        let mut v4 = vec![0, u32::MAX];
        let mut v6 = vec![0, u128::MAX];
        for _ in 0..4 {
            let (four, six) = (rng.random::<u32>(), rng.random::<u128>());
            v4.push(four);
            v6.push(six);
            for _ in 0..5 {
                v4.push(four ^ 1 << rng.random_range(0..32));
                v6.push(six ^ 1 << rng.random_range(0..128));
            }
        }
        let mut ports = vec![0, 1, 53, 80, 1023, 1024, 65535];
        ports.extend((0..6).map(|_| rng.random::<u16>()));
        Self { v4, v6, ports }
    }
}

//! Headers meant to slow an engine down.

use std::time::Instant;

use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use wiresift_host::engine::cpu::parse::Header;

use crate::measure::BURST;
use crate::sets::header;

/// Seed of everything drawn.
const SEED: u64 = 7;
/// Of the rules, the share whose headers are the last ones.
const LAST: f64 = 0.05;
/// Times that a burst is looked up to see how slow it is.
const TRIES: usize = 5;
/// Of all bursts, the share that is the slowest ones.
const SLOWEST: usize = 20;

/// A list of headers with its name.
pub struct Stream {
    /// Name in the table.
    pub name: &'static str,
    /// The headers.
    pub headers: Vec<Header>,
}

/// Streams of headers: the first is that of the set, the second uniformly random, the others are crafted.
/// `first` says for every header of the set which of `rules` rules is its first.
pub fn streams(headers: &[Header], first: &[Option<u32>], rules: usize) -> Vec<Stream> {
    let mut random = ChaCha8Rng::seed_from_u64(SEED);
    let count = headers.len();
    let last = ((1.0 - LAST) * rules as f64) as u32;
    let is_last = |place: &usize| first[*place].is_none_or(|rule| rule >= last);
    let mut draw = |name, make: &dyn Fn(&mut ChaCha8Rng) -> Header| Stream {
        name,
        headers: (0..count).map(|_| make(&mut random)).collect(),
    };
    // A list of headers is never empty.
    let any = |random: &mut ChaCha8Rng| headers.choose(random).copied().unwrap_or_default();
    let address = |placed: u128| (placed >> 96) as u32;
    vec![
        Stream { name: "of the rules", headers: headers.to_vec() },
        draw("uniform", &|random| {
            header(random.random(), random.random(), random.random(), random.random(), random.random())
        }),
        // Every field meets rules, together they meet other masks than any rule's header (tuple space explosion).
        draw("crossed", &|random| {
            let (src, dst, ports, proto) = (any(random), any(random), any(random), any(random));
            header(address(src.src), address(dst.dst), ports.sport, ports.dport, proto.proto)
        }),
        // All but the protocol: as far as an engine can be led before it sees that nothing matches.
        draw("near", &|random| Header { proto: 255, ..any(random) }),
        Stream {
            name: "last rules",
            headers: (0..count).filter(is_last).map(|place| headers[place]).collect(),
        },
    ]
}

/// The slowest bursts of all streams together, as `look_up` shows them to be.
pub fn slowest(streams: &[Stream], mut look_up: impl FnMut(&[Header])) -> Stream {
    let bursts = streams.iter().flat_map(|stream| stream.headers.chunks_exact(BURST));
    let mut timed: Vec<(u128, &[Header])> = bursts
        .map(|burst| {
            let tries = (0..TRIES).map(|_| {
                let start = Instant::now();
                look_up(burst);
                start.elapsed().as_nanos()
            });
            (tries.min().unwrap_or(0), burst)
        })
        .collect();
    timed.sort_by_key(|(time, _)| std::cmp::Reverse(*time));
    timed.truncate((timed.len() / SLOWEST).max(1));
    Stream {
        name: "slowest bursts",
        headers: timed.iter().flat_map(|(_, burst)| burst.iter().copied()).collect(),
    }
}

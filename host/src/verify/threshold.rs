//! Counters of thresholds: which of the matches of a signature are reported.

use std::hash::RandomState;
use std::num::NonZeroUsize;

use lru::LruCache;
use wiresift_abi::vector::Class;

use crate::engine::cpu::parse::Header;
use crate::rules::detect::{Threshold, ThresholdKind, Track};

/// Counters that are kept, of all signatures together.
pub const COUNTERS: NonZeroUsize = NonZeroUsize::new(65_536).unwrap();
const NANOS: u64 = 1_000_000_000;

/// The counters used last.
#[derive(Debug)]
pub struct Thresholds {
    counters: LruCache<Tracked, Counter, RandomState>,
}

/// What a counter counts: matches of a signature with one address, or pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Tracked {
    signature: u32,
    addresses: (u128, u128),
    is_v6: bool,
}

/// Matches in an interval.
#[derive(Clone, Copy, Debug)]
struct Counter {
    /// Time of its first match, in nanoseconds.
    begin: u64,
    matches: u64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { counters: LruCache::with_hasher(COUNTERS, RandomState::new()) }
    }
}

impl Thresholds {
    /// Forgets everything.
    pub fn clear(&mut self) {
        self.counters.clear();
    }

    /// Counts a match of the signature at a place, at a time in nanoseconds; whether it is reported.
    pub fn count(&mut self, signature: u32, threshold: &Threshold, header: &Header, nanos: u64) -> bool {
        let addresses = match threshold.track {
            Track::Source => (header.src, 0),
            Track::Destination => (header.dst, 0),
            Track::Both => (header.src.min(header.dst), header.src.max(header.dst)),
            Track::Rule => (0, 0),
        };
        let is_v6 = header.class & Class::IPV6 != 0 && threshold.track != Track::Rule;
        let tracked = Tracked { signature, addresses, is_v6 };
        let counter = self.counters.get_or_insert_mut(tracked, || Counter { begin: nanos, matches: 0 });
        let passed = nanos.checked_sub(counter.begin);
        if passed.is_none_or(|passed| passed >= u64::from(threshold.seconds) * NANOS) {
            *counter = Counter { begin: nanos, matches: 0 };
        }
        counter.matches += 1;
        let count = u64::from(threshold.count);
        match threshold.kind {
            ThresholdKind::Limit => counter.matches <= count,
            ThresholdKind::Threshold => counter.matches.checked_rem(count) == Some(0),
            ThresholdKind::Both => counter.matches == count,
            ThresholdKind::Filter => counter.matches > count,
        }
    }
}

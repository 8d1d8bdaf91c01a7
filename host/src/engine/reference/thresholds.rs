//! Thresholds, by their section of `docs/signature-semantics.md`.

use std::net::IpAddr;

use super::headers::Ip;
use super::recent::Recent;
use crate::rules::detect::{Threshold, ThresholdKind, Track};

/// Counters that are kept.
const COUNTERS: usize = 65_536;

/// What is counted apart: the rule by its place, and addresses of the packet.
type Tracked = (usize, Option<IpAddr>, Option<IpAddr>);

/// Matches in an interval.
#[derive(Clone, Copy, Debug)]
struct Counter {
    /// Nanoseconds.
    begun: u64,
    matches: u64,
}

/// Counters of all rules.
#[derive(Clone, Debug)]
pub struct Thresholds {
    counters: Recent<Tracked, Counter>,
}

impl Thresholds {
    /// Nothing counted.
    pub fn new() -> Self {
        Self { counters: Recent::new(COUNTERS) }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.counters.clear();
    }

    /// Counts a match of rule `rule` at the time `nanos`; whether it is reported.
    pub fn count(&mut self, rule: usize, threshold: &Threshold, ip: Option<&Ip>, nanos: u64) -> bool {
        let (src, dst) = (ip.map(|ip| ip.src), ip.map(|ip| ip.dst));
        let tracked = match threshold.track {
            Track::Source => (rule, src, None),
            Track::Destination => (rule, dst, None),
            Track::Both => (rule, src.min(dst), src.max(dst)),
            Track::Rule => (rule, None, None),
        };
        let new = Counter { begun: nanos, matches: 0 };
        let counter = self.counters.using(&tracked, || new);
        let length = u64::from(threshold.seconds) * 1_000_000_000;
        if nanos.checked_sub(counter.begun).is_none_or(|passed| passed >= length) {
            *counter = new;
        }
        counter.matches += 1;
        let (matches, count) = (counter.matches, u64::from(threshold.count));
        match threshold.kind {
            ThresholdKind::Limit => matches <= count,
            ThresholdKind::Threshold => matches.is_multiple_of(count),
            ThresholdKind::Both => matches == count,
            ThresholdKind::Filter => matches > count,
        }
    }
}

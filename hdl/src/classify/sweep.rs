//! Runs through all buckets for a CLEAR.
//!
//! ```text
//!            .-------.---> busy, bucket
//! start ---->| Sweep |
//!            '-------'---> done   pulse, the cycle after the last bucket
//! ```
//!
//! From the cycle after `start` on it names one bucket a cycle, up to the last one of the deepest table. A
//! reset ends it half way; the host then has no answer to its COMMIT and loads the tables anew.

use rust_hdl::core::prelude::*;
use rust_hdl::widgets::prelude::*;

/// Counter of buckets.
#[derive(LogicBlock)]
pub struct Sweep {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous, active high: stops.
    pub reset: Signal<In, Bit>,
    /// Starts from bucket 0.
    pub start: Signal<In, Bit>,
    /// `bucket` is to be emptied.
    pub busy: Signal<Out, Bit>,
    /// Bucket.
    pub bucket: Signal<Out, Bits<16>>,
    /// Pulse: all are empty.
    pub done: Signal<Out, Bit>,
    running: DFF<Bit>,
    index: DFF<Bits<16>>,
    ended: DFF<Bit>,
    one: Constant<Bits<16>>,
    last: Constant<Bits<16>>,
}

impl Sweep {
    /// A sweep over `buckets` buckets.
    pub fn new(buckets: usize) -> Self {
        assert!((1..=1 << 16).contains(&buckets));
        Self {
            clock: Signal::default(),
            reset: Signal::default(),
            start: Signal::default(),
            busy: Signal::default(),
            bucket: Signal::default(),
            done: Signal::default(),
            running: DFF::default(),
            index: DFF::default(),
            ended: DFF::default(),
            one: Constant::new(1.into()),
            last: Constant::new((buckets as u64 - 1).to_bits()),
        }
    }
}

impl Logic for Sweep {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, running, index, ended);
        self.busy.next = self.running.q.val();
        self.bucket.next = self.index.q.val();
        self.done.next = self.ended.q.val();
        self.ended.d.next = false;
        if self.running.q.val() {
            self.index.d.next = self.index.q.val() + self.one.val();
            if self.index.q.val() == self.last.val() {
                self.running.d.next = false;
                self.ended.d.next = true;
            }
        }
        if self.start.val() {
            self.running.d.next = true;
            self.index.d.next = 0.into();
            self.ended.d.next = false;
        }
        if self.reset.val() {
            self.running.d.next = false;
            self.ended.d.next = false;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use rand::Rng;

    use super::*;
    use crate::gate::passes;

    #[test]
    fn every_bucket_is_named_once_then_done_pulses() {
        let mut at: Option<u64> = None;
        let (mut done, mut sweeps) = (false, 0);
        passes(
            "sweep",
            || Sweep::new(5),
            2000,
            7,
            |uut, rng, _| {
                assert_eq!((uut.busy.val(), uut.done.val()), (at.is_some(), done));
                if let Some(at) = at {
                    assert_eq!(uut.bucket.val(), at.to_bits::<16>());
                }
                sweeps += usize::from(done);
                done = at == Some(4);
                at = at.map(|at| at + 1).filter(|at| *at < 5);
                uut.start.next = rng.random_bool(0.1);
                uut.reset.next = rng.random_bool(0.02);
                if uut.start.next {
                    (at, done) = (Some(0), false);
                }
                if uut.reset.next {
                    (at, done) = (None, false);
                }
            },
        );
        assert!(sweeps > 20);
    }
}

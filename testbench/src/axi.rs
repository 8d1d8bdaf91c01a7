//! The AXI4 slave in front of the host memory: answers reads and writes in order, after a delay, with
//! stalls, and holds the card to the rules of the bus (AXI4, IHI 0022, sections cited below).
//!
//! [`AxiSlave::drive`] sets its signals for a cycle from what it knows, [`AxiSlave::observe`] sees what
//! the clock edge at the end of the cycle transfers; so nothing of it depends on the card's signals of
//! the same cycle.

mod read;
mod rules;
mod write;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use wiresift_abi::geometry::Geometry;

use crate::faults::{Fault, Faults};
use crate::memory::{CardMemory, Refused};
use crate::ports::{Inputs, Outputs};
pub use rules::{PATIENCE_CYCLES, Violation};

/// OKAY (A3.4.4).
pub const OKAY: u8 = 0;
/// SLVERR: the slave failed.
pub const SLVERR: u8 = 2;
/// DECERR: nobody is at that address.
pub const DECERR: u8 = 3;
/// Findings that are kept; more are only counted.
const FINDINGS_KEPT: usize = 100;

/// How the bus behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Cycles from a request to the first beat of its answer.
    pub latency: u32,
    /// Cycles that are added at most, at random.
    pub jitter: u32,
    /// Cycles in a hundred, on the average, in which a channel stalls; 0 is full throughput.
    pub stall_percent: u32,
    /// Read bursts that the card may have in flight.
    pub reads_in_flight: usize,
    /// Write bursts that the card may have in flight.
    pub writes_in_flight: usize,
}

impl Timing {
    /// One microsecond at 250 MHz, no stalls; as many bursts in flight as the card of that geometry says
    /// it has at most.
    pub const fn new(geometry: &Geometry) -> Self {
        Self {
            latency: 250,
            jitter: 0,
            stall_percent: 0,
            reads_in_flight: geometry.reads_in_flight,
            writes_in_flight: geometry.writes_in_flight,
        }
    }
}

/// What went over the bus.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Read bursts.
    pub reads: u64,
    /// Beats read.
    pub beats_read: u64,
    /// Write bursts.
    pub writes: u64,
    /// Beats written.
    pub beats_written: u64,
    /// Faults on purpose that happened.
    pub faults: u64,
}

/// Whether a channel stalls, in runs of random length.
#[derive(Debug, Default)]
struct Stall {
    left: u32,
}

impl Stall {
    fn is_now(&mut self, percent: u32, rng: &mut ChaCha8Rng) -> bool {
        if percent == 0 {
            return false;
        }
        if self.left == 0 {
            // Mostly single cycles and now and then a long run: of 1 in 16 cases, 8 cycles on average.
            // A run begins so rarely that the share of stalled cycles stays about `percent`.
            if !rng.random_ratio(percent.min(95), 100) {
                return false;
            }
            self.left = if rng.random_ratio(1, 16) { rng.random_range(1..16) } else { 1 };
        }
        self.left -= 1;
        true
    }
}

/// A slave with the card as its only master.
pub struct AxiSlave {
    beat_bytes: usize,
    timing: Timing,
    memory: Box<dyn CardMemory>,
    rng: ChaCha8Rng,
    faults: Faults,
    cycle: u64,
    reads: read::Reads,
    writes: write::Writes,
    before: Option<(Inputs, Outputs)>,
    waits: rules::Waits,
    traffic: Traffic,
    findings: Findings,
}

/// What the card did that it may not.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// Rules of the bus that were broken, with the cycle; the first ones.
    pub violations: Vec<(u64, Violation)>,
    /// Accesses that the IOMMU refused, with the cycle; the first ones.
    pub refused: Vec<(u64, Refused)>,
    /// How many of both there were.
    pub count: u64,
}

impl Findings {
    pub(crate) fn violation(&mut self, cycle: u64, violation: Violation) {
        self.count += 1;
        if self.violations.len() < FINDINGS_KEPT {
            self.violations.push((cycle, violation));
        }
    }

    pub(crate) fn refused(&mut self, cycle: u64, refused: Refused) {
        self.count += 1;
        if self.refused.len() < FINDINGS_KEPT {
            self.refused.push((cycle, refused));
        }
    }
}

impl AxiSlave {
    /// A slave for beats of `beat_bytes` bytes.
    pub fn new(
        beat_bytes: usize,
        timing: Timing,
        memory: impl CardMemory + 'static,
        seed: u64,
        faults: &[Fault],
    ) -> Self {
        Self {
            beat_bytes,
            timing,
            memory: Box::new(memory),
            rng: ChaCha8Rng::seed_from_u64(seed),
            faults: Faults::new(faults),
            cycle: 0,
            reads: read::Reads::default(),
            writes: write::Writes::default(),
            before: None,
            waits: rules::Waits::default(),
            traffic: Traffic::default(),
            findings: Findings::default(),
        }
    }

    /// Forgets what is in flight: the bus was reset.
    pub fn reset(&mut self) {
        self.reads = read::Reads::default();
        self.writes = write::Writes::default();
        self.before = None;
        self.memory.forget();
    }

    /// Whether a burst is on its way.
    pub fn is_busy(&self) -> bool {
        self.reads.is_busy() || self.writes.is_busy()
    }

    /// The host enabled or stopped the card: from a stop on, it has to come to rest in time.
    pub fn note_enable(&mut self, is_enabled: bool) {
        self.waits.stopped = if is_enabled { None } else { self.waits.stopped.or(Some(0)) };
    }

    /// Adds a fault; its count starts now.
    pub fn add_fault(&mut self, fault: Fault) {
        self.faults.add(fault);
    }

    /// What went over the bus.
    pub fn traffic(&self) -> Traffic {
        Traffic { faults: self.faults.happened, ..self.traffic }
    }

    /// What the card did that it may not.
    pub fn findings(&self) -> &Findings {
        &self.findings
    }

    pub(crate) fn findings_mut(&mut self) -> &mut Findings {
        &mut self.findings
    }

    /// Sets the signals of the slave for the next cycle.
    pub fn drive(&mut self, inputs: &mut Inputs) {
        self.drive_reads(inputs);
        self.drive_writes(inputs);
    }

    /// Sees a cycle: what was driven, and what the card drove. Says whether a burst of the card became
    /// visible in host memory.
    pub fn observe(&mut self, inputs: &Inputs, outputs: &Outputs) -> bool {
        self.check_stable(inputs, outputs);
        self.check_patience(inputs, outputs);
        self.observe_reads(inputs, outputs);
        self.observe_writes(inputs, outputs);
        self.before = Some((*inputs, *outputs));
        let is_visible = self.apply_writes();
        self.cycle += 1;
        is_visible
    }

    /// Cycles until the answer to a request of now.
    fn delay(&mut self) -> u64 {
        u64::from(self.timing.latency) + self.rng.random_range(0..=u64::from(self.timing.jitter))
    }
}

#[cfg(test)]
mod tests;

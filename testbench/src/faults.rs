//! Answers of the bus that are late, lost, errors or lies, on purpose.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// Which transactions a fault is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Read bursts.
    Read,
    /// Write bursts.
    Write,
    /// Write bursts to the region of that number, in the order of mapping: of those that
    /// `wiresift_driver::Card` maps, 1 holds the records and 2 the status line.
    WriteTo(usize),
}

/// When a fault happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// At the n-th transaction of its side, from 0, counted from the start of the simulation.
    Nth(u64),
    /// At one of so many on the average, by the seed.
    OneIn(u32),
}

/// What happens to a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// Its answer comes so many cycles later.
    Late(u32),
    /// It is never answered; and because answers come in order, nothing behind it is.
    Lost,
    /// SLVERR in every beat of a read, or for a write, which is not done.
    Error,
    /// A write is answered with OKAY and not done: a lie that drops what it carried.
    Swallow,
}

/// A fault on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which transactions.
    pub side: Side,
    /// When.
    pub when: When,
    /// What.
    pub kind: FaultKind,
}

/// The faults of a simulation, with their counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    faults: Vec<(Fault, u64)>,
    /// Faults that happened.
    pub(crate) happened: u64,
}

impl Faults {
    pub(crate) fn new(faults: &[Fault]) -> Self {
        Self { faults: faults.iter().map(|fault| (*fault, 0)).collect(), happened: 0 }
    }

    pub(crate) fn add(&mut self, fault: Fault) {
        self.faults.push((fault, 0));
    }

    /// What happens to the next transaction; `region` is that of its first byte.
    pub(crate) fn next(
        &mut self,
        is_write: bool,
        region: Option<usize>,
        rng: &mut ChaCha8Rng,
    ) -> Option<FaultKind> {
        let mut hit = None;
        for (fault, seen) in &mut self.faults {
            let is_meant = match fault.side {
                Side::Read => !is_write,
                Side::Write => is_write,
                Side::WriteTo(number) => is_write && region == Some(number),
            };
            if !is_meant {
                continue;
            }
            let is_now = match fault.when {
                When::Nth(n) => *seen == n,
                When::OneIn(many) => rng.random_ratio(1, many.max(1)),
            };
            *seen += 1;
            if is_now {
                hit = Some(fault.kind);
            }
        }
        self.happened += u64::from(hit.is_some());
        hit
    }
}

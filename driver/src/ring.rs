//! Arithmetic of ring indices, without memory.
//!
//! Indices are free-running counts modulo 2^32; a ring has a power of two of entries, at most 2^31,
//! so that the distance of two indices says at once how full it is.

use wiresift_abi::c2h;

/// Entries of a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingSize {
    log2: u32,
}

impl RingSize {
    /// `1 << log2` entries.
    ///
    /// # Panics
    /// Where `log2` is above 31.
    pub const fn new(log2: u32) -> Self {
        assert!(log2 <= 31);
        Self { log2 }
    }

    /// Power of two.
    pub const fn log2(self) -> u32 {
        self.log2
    }

    /// Number of entries.
    pub const fn entries(self) -> u32 {
        1 << self.log2
    }

    /// Place of a free-running index.
    pub const fn place(self, index: u32) -> usize {
        (index & (self.entries() - 1)) as usize
    }

    /// Phase that the entry at `index` has once it is written ([`c2h::phase_at`]).
    pub const fn phase(self, index: u32) -> bool {
        c2h::phase_at(index, self.log2)
    }
}

/// An index that is not between the two that bound it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("index {is:#x} is not between {low:#x} and {high:#x}")]
pub struct IndexError {
    /// The index.
    pub is: u32,
    /// Lowest that could be.
    pub low: u32,
    /// Highest that could be.
    pub high: u32,
}

/// Checks that `is` lies in `low ..= high`, going round at 2^32.
///
/// # Errors
/// Where it does not.
pub const fn between(is: u32, low: u32, high: u32) -> Result<(), IndexError> {
    if is.wrapping_sub(low) <= high.wrapping_sub(low) { Ok(()) } else { Err(IndexError { is, low, high }) }
}

/// The producing side of a ring.
#[derive(Clone, Copy, Debug)]
pub struct Producer {
    size: RingSize,
    pidx: u32,
    cidx: u32,
}

impl Producer {
    /// An empty ring.
    pub const fn new(size: RingSize) -> Self {
        Self { size, pidx: 0, cidx: 0 }
    }

    /// Entries of the ring.
    pub const fn size(&self) -> RingSize {
        self.size
    }

    /// Next index to fill.
    pub const fn pidx(&self) -> u32 {
        self.pidx
    }

    /// Next index that is not yet free again.
    pub const fn cidx(&self) -> u32 {
        self.cidx
    }

    /// Entries in use.
    pub const fn used(&self) -> u32 {
        self.pidx.wrapping_sub(self.cidx)
    }

    /// Entries free.
    pub const fn free(&self) -> u32 {
        self.size.entries() - self.used()
    }

    /// Takes the next `count` entries into use; gives the index of the first, or `None` where that
    /// many are not free.
    pub const fn take(&mut self, count: u32) -> Option<u32> {
        if count > self.free() {
            return None;
        }
        let first = self.pidx;
        self.pidx = first.wrapping_add(count);
        Some(first)
    }

    /// Frees everything before `cidx`.
    ///
    /// # Errors
    /// Where `cidx` is not between the two indices.
    pub const fn free_to(&mut self, cidx: u32) -> Result<(), IndexError> {
        match between(cidx, self.cidx, self.pidx) {
            Ok(()) => {
                self.cidx = cidx;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

/// The consuming side of a ring whose producer marks entries with a phase and waits for credit.
#[derive(Clone, Copy, Debug)]
pub struct Consumer {
    size: RingSize,
    cidx: u32,
    returned: u32,
}

impl Consumer {
    /// At the first entry of an empty ring.
    pub const fn new(size: RingSize) -> Self {
        Self { size, cidx: 0, returned: 0 }
    }

    /// Next index to take.
    pub const fn cidx(&self) -> u32 {
        self.cidx
    }

    /// Place of the next entry.
    pub const fn place(&self) -> usize {
        self.size.place(self.cidx)
    }

    /// Whether an entry with this phase bit is the next one, and not one of the lap before.
    pub const fn is_new(&self, phase: bool) -> bool {
        phase == self.size.phase(self.cidx)
    }

    /// Takes the next entry.
    pub const fn advance(&mut self) {
        self.cidx = self.cidx.wrapping_add(1);
    }

    /// The index to give back to the producer, once a quarter of the ring is due: so never more than
    /// half of it is held back. Whole units of `unit` entries (a power of two) are given back.
    pub const fn credit(&mut self, unit: u32) -> Option<u32> {
        let whole = self.cidx & !(unit - 1);
        let due = whole.wrapping_sub(self.returned);
        // `returned` is a multiple of the unit too, so `due` cannot be negative.
        if due == 0 || due < self.size.entries() / 4 {
            return None;
        }
        self.returned = whole;
        Some(whole)
    }

    /// The index given back last.
    pub const fn returned(&self) -> u32 {
        self.returned
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    /// Sets both indices of an empty ring, so that they go round soon.
    fn producer_at(size: RingSize, start: u32) -> Producer {
        Producer { size, pidx: start, cidx: start }
    }

    proptest! {
        #[test]
        fn the_producer_agrees_with_a_queue(
            log2 in 0u32..7,
            start in prop_oneof![Just(0u32), Just(u32::MAX - 20), any::<u32>()],
            steps in prop::collection::vec((any::<bool>(), 0u32..90), 1..200),
        ) {
            let size = RingSize::new(log2);
            let mut ring = producer_at(size, start);
            // Absolute positions, which do not go round, stand for the model.
            let mut queue: VecDeque<u64> = VecDeque::new();
            let mut next = u64::from(start);
            for (is_take, count) in steps {
                if is_take {
                    let fits = queue.len() + count as usize <= size.entries() as usize;
                    let taken = ring.take(count);
                    prop_assert_eq!(taken, fits.then_some(next as u32));
                    if fits {
                        for n in 0..u64::from(count) {
                            prop_assert_eq!(size.place((next + n) as u32) as u64, (next + n) % (1 << log2));
                            queue.push_back(next + n);
                        }
                        next += u64::from(count);
                    }
                } else {
                    let cidx = ring.cidx().wrapping_add(count);
                    let fits = count as usize <= queue.len();
                    prop_assert_eq!(ring.free_to(cidx).is_ok(), fits);
                    if fits {
                        queue.drain(..count as usize);
                    }
                }
                prop_assert_eq!(ring.used() as usize, queue.len());
                prop_assert_eq!(ring.used() + ring.free(), size.entries());
            }
        }

        #[test]
        fn the_consumer_sees_each_entry_once_and_keeps_credit_flowing(
            log2 in 3u32..7,
            steps in prop::collection::vec((0u32..70, 0u32..70), 1..300),
        ) {
            let size = RingSize::new(log2);
            let entries = size.entries();
            let mut memory = vec![(false, 0u32); entries as usize];
            let mut consumer = Consumer::new(size);
            let (mut written, mut credit, mut seen) = (0u32, 0u32, 0u32);
            for (write, take) in steps {
                for _ in 0..write {
                    if written.wrapping_sub(credit) < entries {
                        memory[size.place(written)] = (size.phase(written), written);
                        written += 1;
                    }
                }
                for _ in 0..take {
                    let (phase, value) = memory[consumer.place()];
                    prop_assert_eq!(consumer.is_new(phase), seen != written);
                    if consumer.is_new(phase) {
                        prop_assert_eq!(value, seen);
                        seen += 1;
                        consumer.advance();
                    }
                    if let Some(index) = consumer.credit(4) {
                        prop_assert!(index.is_multiple_of(4) && index <= seen);
                        credit = index;
                    }
                }
                prop_assert!(seen - credit <= entries / 2, "{} held back", seen - credit);
            }
        }
    }

    #[test]
    fn an_index_is_between_two_others_also_when_they_go_round() {
        assert!(between(5, 5, 5).is_ok());
        assert!(between(4, 5, 9).is_err());
        assert!(between(10, 5, 9).is_err());
        assert!(between(1, u32::MAX - 1, 3).is_ok());
        assert!(between(u32::MAX - 2, u32::MAX - 1, 3).is_err());
        let error = between(4, 5, 9).unwrap_err();
        assert_eq!(error.to_string(), "index 0x4 is not between 0x5 and 0x9");
    }
}

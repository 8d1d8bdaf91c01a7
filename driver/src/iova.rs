//! Addresses for the card: which are free, and which the IOMMU lets it use.

use std::collections::BTreeMap;

use crate::dma::PAGE_BYTES;

/// Free pages left between two regions, so that an access beyond one meets nothing.
const GUARD_BYTES: u64 = 4 * PAGE_BYTES as u64;

/// Addresses that can be mapped, and those that are.
#[derive(Clone, Debug)]
pub struct IovaSpace {
    /// First and last address of each range, in order.
    ranges: Vec<(u64, u64)>,
    /// Start and bytes.
    taken: BTreeMap<u64, u64>,
}

impl IovaSpace {
    /// The addresses of `ranges` (first and last of each). The lowest page is left out, so that no address is 0.
    pub fn new(ranges: impl IntoIterator<Item = (u64, u64)>) -> Self {
        let lowest = PAGE_BYTES as u64;
        let mut ranges: Vec<_> = ranges
            .into_iter()
            .map(|(first, last)| (first.max(lowest), last))
            .filter(|(first, last)| first < last)
            .collect();
        ranges.sort_unstable();
        Self { ranges, taken: BTreeMap::new() }
    }

    /// Takes `bytes` bytes, a multiple of the page, at a multiple of `align`, a power of two; `None` where that
    /// much is not free in one piece.
    pub fn take(&mut self, bytes: u64, align: u64) -> Option<u64> {
        for &(first, last) in &self.ranges {
            let mut start = first.checked_next_multiple_of(align)?;
            loop {
                let end = start.checked_add(bytes)?;
                if end - 1 > last {
                    break;
                }
                let before = self.taken.range(..end.saturating_add(GUARD_BYTES)).next_back();
                match before.map(|(at, bytes)| at + bytes + GUARD_BYTES).filter(|busy| *busy > start) {
                    None => {
                        self.taken.insert(start, bytes);
                        return Some(start);
                    }
                    Some(busy) => start = busy.checked_next_multiple_of(align)?,
                }
            }
        }
        None
    }

    /// Gives back what was taken at `start`.
    pub fn give_back(&mut self, start: u64) {
        self.taken.remove(&start);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn regions_are_aligned_inside_a_range_and_apart(
            steps in prop::collection::vec((1u64..40, 12u32..22, any::<bool>()), 1..60),
        ) {
            let ranges = [(0, 0xf_ffff), (0x20_0000, 0xff_ffff)];
            let mut space = IovaSpace::new(ranges);
            let mut held: Vec<(u64, u64)> = Vec::new();
            for (pages, align, gives) in steps {
                if gives && let Some((start, _)) = held.pop() {
                    space.give_back(start);
                }
                let bytes = pages * 4096;
                let Some(start) = space.take(bytes, 1 << align) else { continue };
                prop_assert!(start.is_multiple_of(1 << align) && start > 0);
                prop_assert!(ranges.iter().any(|(a, b)| *a <= start && start + bytes - 1 <= *b));
                for (other, size) in &held {
                    prop_assert!(start + bytes + GUARD_BYTES <= *other || other + size + GUARD_BYTES <= start);
                }
                held.push((start, bytes));
            }
        }
    }

    #[test]
    fn what_is_full_gives_nothing_until_something_is_given_back() {
        let mut space = IovaSpace::new([(0, 0x1_ffff)]);
        let start = space.take(0x1_0000, 4096).unwrap();
        assert_eq!(space.take(0x1_0000, 4096), None);
        space.give_back(start);
        assert_eq!(space.take(0x1_0000, 4096), Some(start));
        assert_eq!(IovaSpace::new([(5, 5), (0, 10)]).take(4096, 4096), None);
        assert_eq!(IovaSpace::new([(0, u64::MAX)]).take(u64::MAX - 4095, 4096), None);
    }
}

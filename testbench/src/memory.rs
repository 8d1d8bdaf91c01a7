//! The host memory that the card can reach: the mapped regions, and nothing else.
//!
//! As behind an IOMMU, each region has an address of its own somewhere in 48 bits, with free space
//! around it, and the card may either read it or write it. Everything else is refused and noted.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use wiresift_driver::dma::{DmaError, DmaMemory, PAGE_BYTES, WORD_BYTES};
use wiresift_driver::{Direction, DmaRegion, Iova};

/// Bits of an address that the IOMMU translates.
const ADDRESS_BITS: u32 = 48;
/// Free pages around a region, at least.
const GUARD_PAGES: u64 = 4;

/// An access that the IOMMU refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the card may not {} {bytes} bytes at {address:#x}", if *.is_write { "write" } else { "read" })]
pub struct Refused {
    /// Where.
    pub address: u64,
    /// How many bytes.
    pub bytes: usize,
    /// Whether it would write.
    pub is_write: bool,
}

/// Memory that the AXI slave stands in front of.
///
/// Each beat of a burst is one access. Memory that is far away answers a burst as a whole and later:
/// [`CardMemory::begin_read`] and [`CardMemory::begin_write`] give a number by which [`CardMemory::poll`] asks
/// for the answer, and the bus waits.
pub trait CardMemory {
    /// The card reads words.
    ///
    /// # Errors
    /// Where it may not.
    fn read(&mut self, address: u64, words: &mut [u64]) -> Result<(), Refused>;

    /// The card writes the bytes of words whose bit in `strobe` is set.
    ///
    /// # Errors
    /// Where it may not.
    fn write(&mut self, address: u64, words: &[u64], strobe: u64) -> Result<(), Refused>;

    /// Number of the region that holds an address, counted in the order of mapping from 0.
    fn region_at(&self, address: u64) -> Option<usize>;

    /// Asks for a burst of `bytes` bytes; `None` where its beats are read one by one.
    fn begin_read(&mut self, _address: u64, _bytes: usize) -> Option<u64> {
        None
    }

    /// Writes the bytes of a burst that are `Some`; `None` where its beats are written one by one.
    fn begin_write(&mut self, _address: u64, _bytes: &[Option<u8>]) -> Option<u64> {
        None
    }

    /// The answer to a burst, once it is there: the bytes of a read, none of a write. It is given once.
    fn poll(&mut self, _number: u64) -> Option<Result<Vec<u8>, Refused>> {
        None
    }

    /// Forgets every burst: the bus was reset.
    fn forget(&mut self) {}
}

struct Region {
    memory: Arc<DmaMemory>,
    direction: Direction,
    number: usize,
}

struct Table {
    regions: BTreeMap<u64, Region>,
    rng: ChaCha8Rng,
    mapped: usize,
}

/// The mapped regions. Clones share them.
#[derive(Clone)]
pub struct HostMemory {
    table: Arc<Mutex<Table>>,
}

impl HostMemory {
    /// No memory yet; the addresses to come are drawn from `seed`.
    pub fn new(seed: u64) -> Self {
        let rng = ChaCha8Rng::seed_from_u64(seed);
        Self { table: Arc::new(Mutex::new(Table { regions: BTreeMap::new(), rng, mapped: 0 })) }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // No code panics while it holds the lock with the table half changed.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Maps zeroed memory; it is unmapped when the region is dropped.
    ///
    /// # Errors
    /// Where the host has no memory.
    pub fn map(&self, bytes: usize, direction: Direction) -> Result<DmaRegion, DmaError> {
        let memory = Arc::new(DmaMemory::new(bytes)?);
        let mut table = self.table();
        let start = table.free_place(memory.bytes() as u64);
        let number = table.mapped;
        table.mapped += 1;
        table.regions.insert(start, Region { memory: Arc::clone(&memory), direction, number });
        let this = self.clone();
        let unmap = move || {
            this.table().regions.remove(&start);
        };
        Ok(DmaRegion::new(memory, Iova(start), direction, unmap))
    }

    /// Number of regions mapped now.
    pub fn regions(&self) -> usize {
        self.table().regions.len()
    }

    fn find(
        &self,
        address: u64,
        bytes: usize,
        direction: Direction,
    ) -> Result<(Arc<DmaMemory>, usize), Refused> {
        let refused = Refused { address, bytes, is_write: direction == Direction::C2h };
        let table = self.table();
        let (start, region) = table.regions.range(..=address).next_back().ok_or(refused)?;
        let offset = address - start;
        let size = region.memory.bytes() as u64;
        let is_inside = offset < size && bytes as u64 <= size - offset;
        let is_aligned = offset.is_multiple_of(WORD_BYTES as u64) && bytes.is_multiple_of(WORD_BYTES);
        if region.direction == direction && is_inside && is_aligned {
            Ok((Arc::clone(&region.memory), offset as usize))
        } else {
            Err(refused)
        }
    }
}

impl CardMemory for HostMemory {
    fn read(&mut self, address: u64, words: &mut [u64]) -> Result<(), Refused> {
        let (memory, offset) = self.find(address, words.len() * WORD_BYTES, Direction::H2c)?;
        read_words(&memory, offset, words);
        Ok(())
    }

    fn write(&mut self, address: u64, words: &[u64], strobe: u64) -> Result<(), Refused> {
        let (memory, offset) = self.find(address, words.len() * WORD_BYTES, Direction::C2h)?;
        write_words(&memory, offset, words, strobe);
        Ok(())
    }

    fn region_at(&self, address: u64) -> Option<usize> {
        let table = self.table();
        let (start, region) = table.regions.range(..=address).next_back()?;
        (address - start < region.memory.bytes() as u64).then_some(region.number)
    }
}

/// Reads words from `offset` on.
pub(crate) fn read_words(memory: &DmaMemory, offset: usize, words: &mut [u64]) {
    for (n, word) in words.iter_mut().enumerate() {
        *word = memory.load(offset + n * WORD_BYTES);
    }
}

/// Writes the bytes of words whose bit in `strobe` is set. A whole record becomes visible at once, as a
/// processor sees it from a card.
pub(crate) fn write_words(memory: &DmaMemory, offset: usize, words: &[u64], strobe: u64) {
    if strobe == u64::MAX >> (64 - words.len() * WORD_BYTES) || strobe == u64::MAX {
        for (n, pair) in words.chunks(2).enumerate() {
            let at = offset + 2 * n * WORD_BYTES;
            match *pair {
                [first, last] => memory.store_record(at, [first, last]),
                _ => memory.store(at, pair[0]),
            }
        }
        return;
    }
    for (n, word) in words.iter().enumerate() {
        let mask = byte_mask((strobe >> (n * WORD_BYTES)) as u8);
        let at = offset + n * WORD_BYTES;
        if mask == u64::MAX {
            memory.store(at, *word);
        } else if mask != 0 {
            memory.store(at, memory.load(at) & !mask | word & mask);
        }
    }
}

impl Table {
    /// A start address of whole pages, with free pages before and behind.
    fn free_place(&mut self, bytes: u64) -> u64 {
        let guard = GUARD_PAGES * PAGE_BYTES as u64;
        loop {
            // Addresses of less than 32 bits come now and then, so that both halves of a base register count.
            let bits = self.rng.random_range(34..=ADDRESS_BITS);
            let start = self.rng.random_range(1..1u64 << (bits - 12)) * PAGE_BYTES as u64;
            let low = start.saturating_sub(guard);
            let high = start.saturating_add(bytes).saturating_add(guard);
            let before = self.regions.range(..high).next_back();
            let is_free = before.is_none_or(|(at, region)| at + region.memory.bytes() as u64 <= low);
            if is_free && high < 1 << ADDRESS_BITS && start >= guard {
                return start;
            }
        }
    }
}

/// A mask of the bytes whose bit is set.
fn byte_mask(bits: u8) -> u64 {
    (0..8).filter(|n| bits >> n & 1 == 1).fold(0, |mask, n| mask | 0xff << (8 * n))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_card_reaches_what_is_mapped_in_its_direction_and_nothing_else() {
        for seed in 0..50 {
            let mut host = HostMemory::new(seed);
            let read = host.map(5000, Direction::H2c).unwrap();
            let write = host.map(64, Direction::C2h).unwrap();
            let (from, to) = (read.iova().0, write.iova().0);
            read.memory().store(8, 0x1234);
            let mut words = [0; 2];
            host.read(from, &mut words).unwrap();
            assert_eq!(words, [0, 0x1234]);
            host.write(to + 16, &[0x1122_3344_5566_7788, u64::MAX], 0xff01).unwrap();
            assert_eq!((write.memory().load(16), write.memory().load(24)), (0x88, u64::MAX));
            assert_eq!(host.read(from + 8192, &mut words).unwrap_err().address, from + 8192);
            assert!(host.read(from + 8184, &mut words).is_err(), "across the end");
            assert!(host.read(from - 8, &mut words).is_err());
            assert!(host.read(to, &mut words).is_err(), "read where it may write");
            let error = host.write(from, &words, u64::MAX).unwrap_err();
            assert_eq!(error.to_string(), format!("the card may not write 16 bytes at {from:#x}"));
            assert!(host.read(u64::MAX - 7, &mut words).is_err());
            assert_eq!((host.region_at(from + 8191), host.region_at(to)), (Some(0), Some(1)));
            assert_eq!((host.region_at(from + 8192), host.regions()), (None, 2));
            drop(write);
            assert!(host.write(to, &words, u64::MAX).is_err(), "unmapped");
        }
    }
}

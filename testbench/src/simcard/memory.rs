//! The client's memory, as the card reaches it.
//!
//! What came with a file is mapped into this process, each file once, and accessed in place; the rest is asked
//! for by message ([`Ask`]), which the server sends. Without bus master nothing is reachable. Mappings are whole
//! pages and a burst never crosses one (AXI4, A3.4.1), so every burst lies in one mapping, also where a buffer
//! of the client is many.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::{Arc, Weak};

use wiresift_driver::dma::{DmaMemory, MappedFile, PAGE_BYTES, WORD_BYTES};
use wiresift_driver::vfio_user::DmaBy;
use wiresift_driver::vfio_user::protocol::{
    DmaMap, DmaUnmap, MAP_READ, MAP_WRITE, MAPS_MAX, UNMAP_ALL, errno,
};

use crate::memory::{CardMemory, Refused, read_words, write_words};

/// An access that goes to the client as a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Number of its burst.
    pub burst: u64,
    /// Where.
    pub address: u64,
    /// Bytes to read.
    pub bytes: usize,
    /// Bytes to write, where it is a write.
    pub data: Option<Vec<u8>>,
}

/// A burst that waits for messages.
#[derive(Debug)]
struct Burst {
    refused: Refused,
    left: usize,
    answer: Result<Vec<u8>, Refused>,
}

/// A mapping of the client.
#[derive(Debug)]
pub struct Mapping {
    bytes: u64,
    flags: u32,
    number: usize,
    /// In this process, where it came with a file.
    memory: Option<Arc<DmaMemory>>,
}

#[derive(Debug, Default)]
struct Table {
    by: DmaBy,
    is_master: bool,
    maps: BTreeMap<u64, Mapping>,
    mapped: usize,
    /// Files by device and inode: a client maps pieces of the same one thousands of times.
    files: HashMap<(u64, u64), Weak<MappedFile>>,
    bursts: HashMap<u64, Burst>,
    next_burst: u64,
    asks: VecDeque<Ask>,
}

/// The client's memory. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct ClientMemory {
    table: Rc<RefCell<Table>>,
}

impl ClientMemory {
    /// Nothing mapped; `by` says how memory that could be reached in both ways is.
    pub fn new(by: DmaBy) -> Self {
        Self { table: Rc::new(RefCell::new(Table { by, ..Table::default() })) }
    }

    /// Whether the card may reach memory at all.
    pub fn set_bus_master(&self, is_master: bool) {
        self.table.borrow_mut().is_master = is_master;
    }

    /// Maps what the client asks for; gives the memory where it came with a file.
    ///
    /// # Errors
    /// The error number for the client.
    pub fn map(&self, map: &DmaMap, file: Option<OwnedFd>) -> Result<Option<Arc<DmaMemory>>, u32> {
        let mut table = self.table.borrow_mut();
        let page = PAGE_BYTES as u64;
        let end = map.address.checked_add(map.size).ok_or(errno::EINVAL)?;
        let is_whole = map.address.is_multiple_of(page) && map.size.is_multiple_of(page) && map.size > 0;
        if !is_whole || map.flags & !(MAP_READ | MAP_WRITE) != 0 {
            return Err(errno::EINVAL);
        }
        // The same range again takes the place of the one before; one that overlaps is a mistake.
        let before = table.maps.range(..end).next_back().map(|(start, mapping)| (*start, mapping.bytes));
        if before.is_some_and(|(start, bytes)| {
            (start, bytes) != (map.address, map.size) && start + bytes > map.address
        }) {
            return Err(errno::EINVAL);
        }
        if table.maps.len() >= MAPS_MAX {
            return Err(errno::ENOSPC);
        }
        let memory = match file.filter(|_| table.by == DmaBy::Fd) {
            None => None,
            Some(file) => {
                let file = table.file(file).ok_or(errno::EINVAL)?;
                let bytes = usize::try_from(map.size).map_err(|_| errno::EINVAL)?;
                let part = DmaMemory::part(&file, map.offset, bytes).map_err(|_| errno::EINVAL)?;
                Some(Arc::new(part))
            }
        };
        let number = table.mapped;
        table.mapped += 1;
        let mapping = Mapping { bytes: map.size, flags: map.flags, number, memory: memory.clone() };
        table.maps.insert(map.address, mapping);
        Ok(memory)
    }

    /// Takes away every mapping inside a range; gives their addresses. None there is no error: QEMU asks so for
    /// what it never mapped. Accesses are made on this thread, so none is under way.
    ///
    /// # Errors
    /// The error number where a mapping would be cut in two.
    pub fn unmap(&self, unmap: &DmaUnmap) -> Result<Vec<u64>, u32> {
        let mut table = self.table.borrow_mut();
        // The last address and not the one behind it: QEMU unmaps up to the end of the address space.
        let (start, last) = match unmap.flags {
            UNMAP_ALL => (0, u64::MAX),
            0 => {
                let last = unmap.size.checked_sub(1).and_then(|behind| unmap.address.checked_add(behind));
                (unmap.address, last.ok_or(errno::EINVAL)?)
            }
            _ => return Err(errno::EINVAL),
        };
        let is_cut = |at: u64, end: u64| at < start && end >= start || at <= last && end > last;
        let touched: Vec<_> =
            table.maps.range(..=last).map(|(at, mapping)| (*at, at + (mapping.bytes - 1))).collect();
        if touched.iter().any(|(at, end)| is_cut(*at, *end)) {
            return Err(errno::EINVAL);
        }
        let gone: Vec<u64> = touched.into_iter().map(|(at, _)| at).filter(|at| *at >= start).collect();
        for at in &gone {
            table.maps.remove(at);
        }
        table.files.retain(|_, file| file.strong_count() > 0);
        Ok(gone)
    }

    /// Takes everything away: the client is gone.
    pub fn clear(&self) {
        let mut table = self.table.borrow_mut();
        let by = table.by;
        *table = Table { by, ..Table::default() };
    }

    /// Mappings now.
    pub fn mappings(&self) -> usize {
        self.table.borrow().maps.len()
    }

    /// Whether a mapping lets the card read, and write.
    pub fn access(&self, address: u64) -> (bool, bool) {
        let flags = self.table.borrow().maps.get(&address).map_or(0, |mapping| mapping.flags);
        (flags & MAP_READ != 0, flags & MAP_WRITE != 0)
    }

    /// The next access that is to be sent.
    pub fn next_ask(&self) -> Option<Ask> {
        self.table.borrow_mut().asks.pop_front()
    }

    /// Notes the client's answer to an access: the bytes of a read, or `None` where it refused.
    pub fn answer(&self, ask: &Ask, answer: Option<&[u8]>) {
        let mut table = self.table.borrow_mut();
        // A burst of before a reset is no longer there.
        let Some(burst) = table.bursts.get_mut(&ask.burst) else { return };
        burst.left -= 1;
        let expected = if ask.data.is_some() { 0 } else { ask.bytes };
        match (&mut burst.answer, answer) {
            (Ok(bytes), Some(data)) if data.len() == expected => bytes.extend_from_slice(data),
            (answer, _) => *answer = Err(burst.refused),
        }
    }

    /// Whether a burst waits for the client.
    pub fn is_waiting(&self) -> bool {
        !self.table.borrow().bursts.is_empty()
    }
}

impl Table {
    /// A file, mapped whole.
    fn file(&mut self, file: OwnedFd) -> Option<Arc<MappedFile>> {
        let stat = rustix::fs::fstat(&file).ok()?;
        let key = (stat.st_dev, stat.st_ino);
        if let Some(mapped) = self.files.get(&key).and_then(Weak::upgrade) {
            return Some(mapped);
        }
        let bytes = usize::try_from(stat.st_size).ok()?;
        let mapped = Arc::new(MappedFile::new(file, bytes).ok()?);
        self.files.insert(key, Arc::downgrade(&mapped));
        Some(mapped)
    }

    /// The mapping that holds a whole access, and the offset in it.
    fn find(&self, address: u64, bytes: usize, flag: u32) -> Option<(&Mapping, usize)> {
        let (start, mapping) = self.maps.range(..=address).next_back()?;
        let offset = address - start;
        let is_inside = offset < mapping.bytes && bytes as u64 <= mapping.bytes - offset;
        (is_inside && mapping.flags & flag != 0).then_some((mapping, offset as usize))
    }

    /// The memory of an access that is made in place.
    fn direct(&self, refused: Refused) -> Result<(Arc<DmaMemory>, usize), Refused> {
        let flag = if refused.is_write { MAP_WRITE } else { MAP_READ };
        let (mapping, offset) = self.find(refused.address, refused.bytes, flag).ok_or(refused)?;
        let is_aligned = offset.is_multiple_of(WORD_BYTES) && refused.bytes.is_multiple_of(WORD_BYTES);
        match &mapping.memory {
            Some(memory) if self.is_master && is_aligned => Ok((Arc::clone(memory), offset)),
            _ => Err(refused),
        }
    }

    /// Whether an access goes to the client as a message. Where all do, the client's IOMMU judges them.
    fn is_remote(&self, address: u64, bytes: usize, flag: u32) -> bool {
        let is_mapped_there =
            || self.find(address, bytes, flag).is_some_and(|(mapping, _)| mapping.memory.is_none());
        self.is_master && (self.by == DmaBy::Message || is_mapped_there())
    }

    fn begin(&mut self, refused: Refused, asks: Vec<(u64, usize, Option<Vec<u8>>)>) -> u64 {
        let burst = self.next_burst;
        self.next_burst += 1;
        self.bursts.insert(burst, Burst { refused, left: asks.len(), answer: Ok(Vec::new()) });
        let ask = |(address, bytes, data)| Ask { burst, address, bytes, data };
        self.asks.extend(asks.into_iter().map(ask));
        burst
    }
}

impl CardMemory for ClientMemory {
    fn read(&mut self, address: u64, words: &mut [u64]) -> Result<(), Refused> {
        let refused = Refused { address, bytes: words.len() * WORD_BYTES, is_write: false };
        let (memory, offset) = self.table.borrow().direct(refused)?;
        read_words(&memory, offset, words);
        Ok(())
    }

    fn write(&mut self, address: u64, words: &[u64], strobe: u64) -> Result<(), Refused> {
        let refused = Refused { address, bytes: words.len() * WORD_BYTES, is_write: true };
        let (memory, offset) = self.table.borrow().direct(refused)?;
        write_words(&memory, offset, words, strobe);
        Ok(())
    }

    fn region_at(&self, address: u64) -> Option<usize> {
        let table = self.table.borrow();
        table.find(address, 1, MAP_READ | MAP_WRITE).map(|(mapping, _)| mapping.number)
    }

    fn begin_read(&mut self, address: u64, bytes: usize) -> Option<u64> {
        let mut table = self.table.borrow_mut();
        let refused = Refused { address, bytes, is_write: false };
        table.is_remote(address, bytes, MAP_READ).then(|| table.begin(refused, vec![(address, bytes, None)]))
    }

    fn begin_write(&mut self, address: u64, bytes: &[Option<u8>]) -> Option<u64> {
        let mut table = self.table.borrow_mut();
        if !table.is_remote(address, bytes.len(), MAP_WRITE) {
            return None;
        }
        // One message for each run of bytes that are to be written.
        let mut asks: Vec<(u64, usize, Option<Vec<u8>>)> = Vec::new();
        let mut before = None;
        for (n, byte) in bytes.iter().enumerate() {
            match (byte, before, asks.last_mut()) {
                (Some(byte), Some(_), Some((_, count, Some(data)))) => {
                    data.push(*byte);
                    *count += 1;
                }
                (Some(byte), ..) => asks.push((address.wrapping_add(n as u64), 1, Some(vec![*byte]))),
                (None, ..) => {}
            }
            before = *byte;
        }
        Some(table.begin(Refused { address, bytes: bytes.len(), is_write: true }, asks))
    }

    fn poll(&mut self, number: u64) -> Option<Result<Vec<u8>, Refused>> {
        let mut table = self.table.borrow_mut();
        let is_done = table.bursts.get(&number).is_some_and(|burst| burst.left == 0);
        if is_done { table.bursts.remove(&number).map(|burst| burst.answer) } else { None }
    }

    fn forget(&mut self) {
        let mut table = self.table.borrow_mut();
        table.bursts.clear();
        table.asks.clear();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use wiresift_driver::hugepages::{PageSize, Pool};

    fn page(n: u64) -> DmaMap {
        let flags = MAP_READ | MAP_WRITE;
        DmaMap { argsz: 32, flags, offset: n * 4096, address: 0x10_0000 + n * 4096, size: 4096 }
    }

    fn unmap(address: u64, size: u64) -> DmaUnmap {
        DmaUnmap { argsz: 24, flags: 0, address, size }
    }

    #[test]
    fn pages_of_one_file_are_mapped_once_and_unmapped_one_by_one() {
        let file = Pool::new(PageSize::Small).take(4 * PAGE_BYTES).unwrap();
        let fd = || Some(file.file().unwrap().0.try_clone_to_owned().unwrap());
        let mut memory = ClientMemory::new(DmaBy::Fd);
        // The pages of the file in another order than the card sees them.
        for (n, offset) in [(0, 2), (1, 0), (2, 3)] {
            memory.map(&DmaMap { offset: offset * 4096, ..page(n) }, fd()).unwrap();
        }
        assert_eq!(memory.table.borrow().files.len(), 1);
        let mut word = [0];
        assert!(memory.read(0x10_0000, &mut word).is_err(), "no bus master");
        memory.set_bus_master(true);
        file.store(2 * 4096 + 8, 11);
        memory.read(0x10_0008, &mut word).unwrap();
        assert_eq!(word, [11]);
        memory.write(0x10_2000, &[1, 2], 0xffff).unwrap();
        assert_eq!((file.load(3 * 4096), file.load(3 * 4096 + 8)), (1, 2));
        assert_eq!(memory.region_at(0x10_1fff), Some(1));
        assert_eq!(memory.unmap(&unmap(0x10_1000, 4096)), Ok(vec![0x10_1000]));
        assert!(memory.read(0x10_1000, &mut word).is_err());
        assert_eq!(memory.unmap(&unmap(0x50_0000, 1 << 30)), Ok(vec![]));
        assert_eq!(memory.unmap(&unmap(0x10_0000, 0x800)), Err(errno::EINVAL));
        assert_eq!(
            memory.unmap(&DmaUnmap { flags: UNMAP_ALL, ..unmap(0, 0) }),
            Ok(vec![0x10_0000, 0x10_2000])
        );
        assert!(memory.table.borrow().files.is_empty());
    }

    /// What QEMU asks for when the guest's IOMMU is turned on: the rest of the address space, in one range that ends at
    /// 2^64. It was refused once.
    #[test]
    fn an_unmap_up_to_the_end_of_the_address_space_is_done() {
        let memory = ClientMemory::new(DmaBy::Message);
        for n in 0..2 {
            memory.map(&page(n), None).unwrap();
        }
        let rest = unmap(0x10_1000, 0x10_1000_u64.wrapping_neg());
        assert_eq!(memory.unmap(&rest), Ok(vec![0x10_1000]));
        assert_eq!(memory.unmap(&unmap(0xfef0_0000, 0xffff_ffff_0110_0000)), Ok(vec![]));
        assert_eq!(memory.unmap(&unmap(0xfef0_0001, 0xffff_ffff_0110_0000)), Err(errno::EINVAL));
        assert_eq!(memory.unmap(&unmap(0x10_0000, 0)), Err(errno::EINVAL));
        assert_eq!(memory.mappings(), 1);
    }

    #[test]
    fn what_overlaps_or_is_no_page_or_no_file_is_refused() {
        let file = Pool::new(PageSize::Small).take(PAGE_BYTES).unwrap();
        let fd = || Some(file.file().unwrap().0.try_clone_to_owned().unwrap());
        let memory = ClientMemory::new(DmaBy::Fd);
        for map in [
            DmaMap { size: 0, ..page(0) },
            DmaMap { size: 100, ..page(0) },
            DmaMap { address: 8, ..page(0) },
            DmaMap { address: u64::MAX - 4095, size: 8192, ..page(0) },
            DmaMap { offset: 4096, ..page(0) },
            DmaMap { flags: 0x80, ..page(0) },
        ] {
            assert_eq!(memory.map(&map, fd()).err(), Some(errno::EINVAL), "{map:?}");
        }
        memory.map(&page(0), fd()).unwrap();
        memory.map(&page(0), fd()).unwrap();
        assert!(memory.map(&DmaMap { size: 8192, ..page(0) }, None).is_err());
        let device = rustix::event::eventfd(0, rustix::event::EventfdFlags::empty()).unwrap();
        assert!(memory.map(&page(9), Some(device)).is_err());
        assert_eq!(memory.mappings(), 1);
    }

    #[test]
    fn a_burst_by_message_is_answered_when_all_its_messages_are() {
        let mut memory = ClientMemory::new(DmaBy::Message);
        memory.set_bus_master(true);
        let read = memory.begin_read(0x123_0000, 64).unwrap();
        assert_eq!(memory.poll(read), None);
        let ask = memory.next_ask().unwrap();
        memory.answer(&ask, Some(&[5; 64]));
        assert_eq!(memory.poll(read), Some(Ok(vec![5; 64])));
        let bytes = [Some(1), None, Some(2), Some(3)];
        let write = memory.begin_write(0x1000, &bytes).unwrap();
        let (first, second) = (memory.next_ask().unwrap(), memory.next_ask().unwrap());
        assert_eq!((first.address, first.data.clone()), (0x1000, Some(vec![1])));
        assert_eq!((second.address, second.data.clone()), (0x1002, Some(vec![2, 3])));
        memory.answer(&first, Some(&[]));
        assert_eq!(memory.poll(write), None);
        memory.answer(&second, None);
        let refused = Refused { address: 0x1000, bytes: 4, is_write: true };
        assert_eq!(memory.poll(write), Some(Err(refused)));
        let lost = memory.begin_read(0, 8).unwrap();
        memory.forget();
        memory.answer(&Ask { burst: lost, address: 0, bytes: 8, data: None }, Some(&[0; 8]));
        assert_eq!((memory.poll(lost), memory.is_waiting()), (None, false));
    }
}

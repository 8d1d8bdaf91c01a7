//! Memory for the card from files in memory, in the largest pages that are to be had.
//!
//! A file (`memfd_create`) serves both ways to a card: the kernel pins it for VFIO, and a vfio-user peer gets
//! its descriptor. One page of 1 GiB holds everything a card needs, so all regions are parts of it; where
//! there is none, each region is a file of 2 MiB pages, and where those are short too, of 4 KiB pages.

use std::fmt;
use std::sync::Arc;

use rustix::fs::{FallocateFlags, MemfdFlags, fallocate, ftruncate, memfd_create};

use crate::dma::{DmaError, DmaMemory, MappedFile, PAGE_BYTES};

/// Pages of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PageSize {
    /// 4 KiB.
    Small,
    /// 2 MiB.
    Huge,
    /// 1 GiB.
    Giant,
}

impl PageSize {
    /// Bytes of a page.
    pub const fn bytes(self) -> usize {
        match self {
            Self::Small => PAGE_BYTES,
            Self::Huge => 2 << 20,
            Self::Giant => 1 << 30,
        }
    }

    /// A new file of that many bytes, a multiple of the page, mapped.
    fn file(self, bytes: usize) -> Result<MappedFile, DmaError> {
        let flags = MemfdFlags::CLOEXEC
            | match self {
                Self::Small => MemfdFlags::empty(),
                Self::Huge => MemfdFlags::HUGETLB | MemfdFlags::HUGE_2MB,
                Self::Giant => MemfdFlags::HUGETLB | MemfdFlags::HUGE_1GB,
            };
        let failed = |source| DmaError::File { bytes, source };
        let file = memfd_create("wiresift-dma", flags).map_err(failed)?;
        ftruncate(&file, bytes as u64).map_err(failed)?;
        // Memory that is not there is an error here, and not a signal at the first access.
        fallocate(&file, FallocateFlags::empty(), 0, bytes as u64).map_err(failed)?;
        MappedFile::new(file, bytes)
    }
}

impl fmt::Display for PageSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Small => "4 KiB",
            Self::Huge => "2 MiB",
            Self::Giant => "1 GiB",
        })
    }
}

/// Is told what somebody may want to know, in words.
pub type Note = fn(&str);

/// Where the memory of a card comes from.
#[derive(Debug)]
pub struct Pool {
    told: Option<Note>,
    largest: PageSize,
    /// The page of 1 GiB, and the bytes of it in use.
    giant: Option<(Arc<MappedFile>, usize)>,
    smallest_used: Option<PageSize>,
}

impl Default for Pool {
    fn default() -> Self {
        Self::new(PageSize::Giant)
    }
}

impl Pool {
    /// Memory in pages of at most that size.
    pub fn new(largest: PageSize) -> Self {
        Self { told: None, largest, giant: None, smallest_used: None }
    }

    /// The pool, which tells `told` of the pages that it takes memory from.
    #[must_use]
    pub fn telling(mut self, told: Option<Note>) -> Self {
        self.told = told;
        self
    }

    /// Zeroed memory of at least `bytes` bytes, in whole pages.
    ///
    /// # Errors
    /// Where there is no memory, not even in pages of 4 KiB.
    pub fn take(&mut self, bytes: usize) -> Result<DmaMemory, DmaError> {
        if bytes == 0 {
            return Err(DmaError::Size(bytes));
        }
        if let Some(memory) = self.take_from_giant(bytes) {
            self.note(PageSize::Giant);
            return Ok(memory);
        }
        // Pages of 1 GiB are shared, so what is asked for alone begins with 2 MiB.
        for size in [PageSize::Huge, PageSize::Small] {
            if size > self.largest {
                continue;
            }
            let whole = bytes.checked_next_multiple_of(size.bytes()).ok_or(DmaError::Size(bytes))?;
            match size.file(whole) {
                Ok(file) => {
                    self.note(size);
                    return DmaMemory::part(&Arc::new(file), 0, whole);
                }
                Err(error) if size == PageSize::Small => return Err(error),
                Err(_) => {}
            }
        }
        Err(DmaError::OutOfMemory(bytes))
    }

    /// The smallest pages that something taken so far is in.
    pub fn page_size(&self) -> Option<PageSize> {
        self.smallest_used
    }

    fn note(&mut self, size: PageSize) {
        if self.smallest_used.is_none_or(|smallest| size < smallest) {
            self.smallest_used = Some(size);
            if let Some(told) = self.told {
                told(&format!("memory for the card is in pages of {size}"));
            }
        }
    }

    fn take_from_giant(&mut self, bytes: usize) -> Option<DmaMemory> {
        if self.largest < PageSize::Giant {
            return None;
        }
        if self.giant.is_none() {
            let file = PageSize::Giant.file(PageSize::Giant.bytes()).ok();
            if file.is_none() {
                // Asked once: the next regions begin with 2 MiB.
                self.largest = PageSize::Huge;
            }
            self.giant = file.map(|file| (Arc::new(file), 0));
        }
        let (file, used) = self.giant.as_mut()?;
        if Arc::strong_count(file) == 1 {
            *used = 0;
        }
        // An IOMMU maps a part by pages of 2 MiB where it is aligned so.
        let whole = bytes.checked_next_multiple_of(PageSize::Huge.bytes())?;
        let memory = DmaMemory::part(file, *used as u64, whole).ok()?;
        *used += whole;
        memory.zero(0, whole);
        Some(memory)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn memory_in_any_page_size_is_zero_and_shared_through_its_file() {
        for largest in [PageSize::Giant, PageSize::Huge, PageSize::Small] {
            let mut pool = Pool::new(largest);
            let (first, second) = (pool.take(5000).unwrap(), pool.take(64).unwrap());
            assert!(pool.page_size().unwrap() <= largest);
            assert!(first.bytes() >= 5000 && first.bytes().is_multiple_of(PAGE_BYTES));
            first.store(8, 7);
            second.store(0, 9);
            assert_eq!((first.load(0), first.load(8), second.load(0), second.load(8)), (0, 7, 9, 0));
            let (file, offset) = first.file().unwrap();
            let again = MappedFile::new(file.try_clone_to_owned().unwrap(), first.bytes()).unwrap();
            let again = DmaMemory::part(&Arc::new(again), offset, first.bytes()).unwrap();
            assert_eq!(again.load(8), 7);
            again.store(16, 3);
            assert_eq!(first.load(16), 3);
        }
    }

    #[test]
    fn no_bytes_and_parts_outside_of_a_file_are_errors() {
        assert_eq!(Pool::default().take(0).err(), Some(DmaError::Size(0)));
        assert!(Pool::new(PageSize::Small).take(usize::MAX).is_err());
        let file = Arc::new(PageSize::Small.file(2 * PAGE_BYTES).unwrap());
        for (offset, bytes) in
            [(0, 3 * PAGE_BYTES), (PAGE_BYTES as u64, 2 * PAGE_BYTES), (8, PAGE_BYTES), (0, 8)]
        {
            let part = DmaError::Part { bytes, offset, file: 2 * PAGE_BYTES as u64 };
            assert_eq!(DmaMemory::part(&file, offset, bytes).err(), Some(part));
        }
        assert!(DmaMemory::part(&file, u64::MAX - 4095, PAGE_BYTES).is_err());
        assert!(DmaMemory::part(&file, 0, 0).is_err());
    }
}

//! Memory that host and card share, read and written in words of 8 bytes.
//!
//! No Rust reference to it ever exists: the card may write at any time, so every access is an atomic
//! load or store through a raw pointer. All accesses have the same size and alignment, so none
//! overlaps another one in part. Ordering is said where it is needed: [`DmaMemory::load_record`] and
//! [`publish`]. Packets are copied in by instructions that are wider than a word, of which the compiler
//! knows no more than that they store words (`copy_block`).
#![allow(unsafe_code)]

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::{NonNull, null_mut};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering, fence};

use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// Bytes of a word, the unit of access.
pub const WORD_BYTES: usize = size_of::<u64>();
/// Bytes that are copied in at a time: a line of the ring.
const BLOCK_BYTES: usize = 64;
/// Alignment and size unit of DMA memory in bytes: an IOMMU maps whole pages.
pub const PAGE_BYTES: usize = 4096;

/// Why there is no memory for the card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DmaError {
    /// No bytes, or more than an address space holds.
    #[error("{0} bytes of DMA memory were asked for")]
    Size(usize),
    /// The host has no memory left.
    #[error("the host has no {0} bytes of memory left")]
    OutOfMemory(usize),
    /// A part of a file that is not inside it, or not of whole pages.
    #[error("{bytes} bytes at {offset:#x} are no whole pages of a file of {file} bytes")]
    Part {
        /// Bytes of the part.
        bytes: usize,
        /// Where it begins.
        offset: u64,
        /// Bytes of the file.
        file: u64,
    },
    /// A file could not be made or mapped.
    #[error("a file of {bytes} bytes cannot be mapped")]
    File {
        /// Bytes asked for.
        bytes: usize,
        /// What the kernel says.
        #[source]
        source: Errno,
    },
}

/// A file of memory, mapped into this process.
#[derive(Debug)]
pub struct MappedFile {
    start: NonNull<u8>,
    bytes: usize,
    file: OwnedFd,
}

// SAFETY: the mapping is owned by this value alone and is not tied to a thread.
unsafe impl Send for MappedFile {}
// SAFETY: nothing is accessed through it but by `DmaMemory`, whose accesses are atomic.
unsafe impl Sync for MappedFile {}

impl MappedFile {
    /// Maps the first `bytes` bytes of `file`, which has that many, for reading and writing. A process that
    /// shares the file and shortens it later ends this one with SIGBUS.
    ///
    /// # Errors
    /// Where the kernel does not map it: for a file of hugepages, where none are free.
    pub fn new(file: OwnedFd, bytes: usize) -> Result<Self, DmaError> {
        if bytes == 0 || !bytes.is_multiple_of(PAGE_BYTES) {
            return Err(DmaError::Size(bytes));
        }
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: the kernel picks free addresses, so no memory that something else refers to is replaced.
        let start = unsafe { mmap(null_mut(), bytes, protection, MapFlags::SHARED, &file, 0) };
        let start = start.map_err(|source| DmaError::File { bytes, source })?;
        // The kernel maps nothing at address 0.
        let start = NonNull::new(start.cast()).ok_or(DmaError::OutOfMemory(bytes))?;
        Ok(Self { start, bytes, file })
    }

    /// Bytes mapped.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for MappedFile {
    fn drop(&mut self) {
        // SAFETY: these are the addresses that `mmap` gave, and every `DmaMemory` on them holds an `Arc` of
        // this value, so nothing refers to them any more.
        let unmapped = unsafe { munmap(self.start.as_ptr().cast(), self.bytes) };
        debug_assert!(unmapped.is_ok(), "munmap of a whole mapping: {unmapped:?}");
    }
}

#[derive(Debug)]
enum Owner {
    Heap(Layout),
    File { file: Arc<MappedFile>, offset: u64 },
}

/// Whole pages of memory, shared between host and card.
#[derive(Debug)]
pub struct DmaMemory {
    start: NonNull<u8>,
    bytes: usize,
    owner: Owner,
}

// SAFETY: the memory is owned by this value, alone or with other parts of its file, and is not tied to a
// thread.
unsafe impl Send for DmaMemory {}
// SAFETY: every access is an atomic access of one word (`word`), so threads cannot race.
unsafe impl Sync for DmaMemory {}

impl DmaMemory {
    /// At least `bytes` bytes of zeroes, rounded up to whole pages.
    ///
    /// # Errors
    /// Where `bytes` is 0 or too large, or the host has no memory.
    pub fn new(bytes: usize) -> Result<Self, DmaError> {
        if bytes == 0 {
            return Err(DmaError::Size(bytes));
        }
        let pages = bytes.checked_next_multiple_of(PAGE_BYTES).ok_or(DmaError::Size(bytes))?;
        let layout = Layout::from_size_align(pages, PAGE_BYTES).map_err(|_| DmaError::Size(bytes))?;
        // SAFETY: the layout has a size of at least one page, which is what `alloc_zeroed` asks for.
        let start = unsafe { alloc_zeroed(layout) };
        let start = NonNull::new(start).ok_or(DmaError::OutOfMemory(bytes))?;
        Ok(Self { start, bytes: pages, owner: Owner::Heap(layout) })
    }

    /// The part of a mapped file that begins at `offset`.
    ///
    /// # Errors
    /// Where the part is not inside the file, or not of whole pages.
    pub fn part(file: &Arc<MappedFile>, offset: u64, bytes: usize) -> Result<Self, DmaError> {
        let whole = file.bytes;
        let error = DmaError::Part { bytes, offset, file: whole as u64 };
        let start = usize::try_from(offset).map_err(|_| error)?;
        let is_inside = start <= whole && bytes <= whole - start && bytes > 0;
        if !is_inside || !start.is_multiple_of(PAGE_BYTES) || !bytes.is_multiple_of(PAGE_BYTES) {
            return Err(error);
        }
        // SAFETY: `start` lies inside the mapping (checked above).
        let start = unsafe { file.start.add(start) };
        Ok(Self { start, bytes, owner: Owner::File { file: Arc::clone(file), offset } })
    }

    /// Bytes, a multiple of [`PAGE_BYTES`].
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The file that holds the memory, and where in it the memory begins; `None` where no file does.
    pub fn file(&self) -> Option<(BorrowedFd<'_>, u64)> {
        match &self.owner {
            Owner::Heap(_) => None,
            Owner::File { file, offset } => Some((file.file.as_fd(), *offset)),
        }
    }

    /// Address in this process, for the kernel to map for the card.
    pub fn address(&self) -> u64 {
        self.start.as_ptr().addr() as u64
    }

    fn word(&self, offset: usize) -> &AtomicU64 {
        assert!(offset.is_multiple_of(WORD_BYTES) && offset < self.bytes(), "DMA memory at {offset:#x}");
        // SAFETY: the word lies inside the memory (checked above, and its size is a multiple of
        // the word), is aligned (the memory is to a page, the offset to a word), lives as long as
        // `self`, and is only ever accessed through this function, so always atomically. A reference
        // to an atomic lets others, here the card, write behind it.
        unsafe { AtomicU64::from_ptr(self.start.as_ptr().add(offset).cast()) }
    }

    /// `count` words from byte `offset` on: one check for all of them.
    #[inline]
    fn words(&self, offset: usize, count: usize) -> &[AtomicU64] {
        if count == 0 {
            return &[];
        }
        let is_inside = offset < self.bytes() && count <= (self.bytes() - offset) / WORD_BYTES;
        assert!(offset.is_multiple_of(WORD_BYTES) && is_inside, "DMA memory at {offset:#x}");
        // SAFETY: as in `word`, for each of the words, which lie inside the memory (checked above).
        unsafe { std::slice::from_raw_parts(self.start.as_ptr().add(offset).cast(), count) }
    }

    /// The word at byte `offset`, little-endian.
    ///
    /// # Panics
    /// Where `offset` is not inside or not a multiple of [`WORD_BYTES`]; so do the others.
    pub fn load(&self, offset: usize) -> u64 {
        u64::from_le(self.word(offset).load(Ordering::Relaxed))
    }

    /// Writes the word at byte `offset`, little-endian.
    pub fn store(&self, offset: usize, value: u64) {
        self.word(offset).store(value.to_le(), Ordering::Relaxed);
    }

    /// Copies bytes in from `offset` on; where the last word is not full, its rest becomes zero.
    pub fn write(&self, offset: usize, from: &[u8]) {
        store_bytes(self.words(offset, from.len().div_ceil(WORD_BYTES)), from);
    }

    /// Copies bytes in from `offset` on and zeroes what is left of the last `unit` bytes, a multiple of
    /// [`WORD_BYTES`]; one check for all of it.
    #[inline]
    pub fn write_padded(&self, offset: usize, from: &[u8], unit: usize) {
        if let Ok(block) = <&[u8; BLOCK_BYTES]>::try_from(from)
            && unit == BLOCK_BYTES
        {
            // The smallest packets are the most, so they have a way of their own.
            return copy_block(self.words(offset, BLOCK_BYTES / WORD_BYTES), block);
        }
        self.write_padded_long(offset, from, unit);
    }

    fn write_padded_long(&self, offset: usize, from: &[u8], unit: usize) {
        let used = from.len().div_ceil(WORD_BYTES);
        let all = from.len().next_multiple_of(unit) / WORD_BYTES;
        let (places, padding) = self.words(offset, all).split_at(used);
        store_bytes(places, from);
        for place in padding {
            place.store(0, Ordering::Relaxed);
        }
    }

    /// Copies bytes out from `offset` on.
    pub fn read(&self, offset: usize, into: &mut [u8]) {
        let places = self.words(offset, into.len().div_ceil(WORD_BYTES));
        for (place, chunk) in places.iter().zip(into.chunks_mut(WORD_BYTES)) {
            let word = place.load(Ordering::Relaxed).to_ne_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
    }

    /// Zeroes `bytes` bytes from `offset` on; both are multiples of [`WORD_BYTES`].
    pub fn zero(&self, offset: usize, bytes: usize) {
        for place in self.words(offset, bytes / WORD_BYTES) {
            place.store(0, Ordering::Relaxed);
        }
    }

    /// The 16-byte record at `offset`, last half first: once the phase in it is the awaited one, the
    /// first half was written too.
    #[inline]
    pub fn load_record(&self, offset: usize) -> [u64; 2] {
        let words = self.words(offset, 2);
        // Acquire orders this load (phase) before the load of the first half below.
        let last = words[1].load(Ordering::Acquire);
        [words[0].load(Ordering::Relaxed), last].map(u64::from_le)
    }

    /// Writes the 16-byte record at `offset` so that [`DmaMemory::load_record`] sees it whole: what a
    /// card made of software does.
    pub fn store_record(&self, offset: usize, record: [u64; 2]) {
        self.store(offset, record[0]);
        // Release orders the store of the first half before this store (phase).
        self.word(offset + WORD_BYTES).store(record[1].to_le(), Ordering::Release);
    }
}

impl Drop for DmaMemory {
    fn drop(&mut self) {
        if let Owner::Heap(layout) = self.owner {
            // SAFETY: `start` came from `alloc_zeroed` with this layout, and nothing else frees it.
            unsafe { dealloc(self.start.as_ptr(), layout) }
        }
    }
}

/// Stores bytes into as many words as they take; the rest of the last one becomes zero.
#[inline]
fn store_bytes(places: &[AtomicU64], from: &[u8]) {
    let (blocks, from) = from.as_chunks::<BLOCK_BYTES>();
    let (head, places) = places.split_at(blocks.len() * (BLOCK_BYTES / WORD_BYTES));
    copy_blocks(head, blocks);
    let (words, rest) = from.as_chunks::<WORD_BYTES>();
    for (place, word) in places.iter().zip(words) {
        place.store(u64::from_ne_bytes(*word), Ordering::Relaxed);
    }
    if let (false, Some(place)) = (rest.is_empty(), places.get(words.len())) {
        let mut word = [0; WORD_BYTES];
        word[..rest.len()].copy_from_slice(rest);
        place.store(u64::from_ne_bytes(word), Ordering::Relaxed);
    }
}

/// Copies a block into the places for it. The compiler may not join atomic stores of words into wider ones, so this is
/// written in the processor's own words.
#[cfg(all(target_arch = "x86_64", not(miri)))]
#[inline]
fn copy_block(places: &[AtomicU64], from: &[u8; BLOCK_BYTES]) {
    assert!(places.len() == BLOCK_BYTES / WORD_BYTES);
    // SAFETY: 64 bytes are read at `from`, which is a block, and written at `places`, which are 64 bytes (checked above).
    // Places are atomic words behind a shared reference, and the stores are those of such words: on x86-64 each aligned 8
    // bytes of a wider store become visible at once.
    unsafe {
        std::arch::asm!(
            "movups {a}, [{from}]",
            "movups {b}, [{from} + 16]",
            "movups {c}, [{from} + 32]",
            "movups {d}, [{from} + 48]",
            "movups [{to}], {a}",
            "movups [{to} + 16], {b}",
            "movups [{to} + 32], {c}",
            "movups [{to} + 48], {d}",
            from = in(reg) from.as_ptr(),
            to = in(reg) places.as_ptr(),
            a = out(xmm_reg) _,
            b = out(xmm_reg) _,
            c = out(xmm_reg) _,
            d = out(xmm_reg) _,
            options(nostack, preserves_flags),
        );
    }
}

/// Copies blocks into the places for them.
#[cfg(all(target_arch = "x86_64", not(miri)))]
fn copy_blocks(places: &[AtomicU64], from: &[[u8; BLOCK_BYTES]]) {
    assert!(places.len() == from.len() * (BLOCK_BYTES / WORD_BYTES));
    for (places, block) in places.chunks_exact(BLOCK_BYTES / WORD_BYTES).zip(from) {
        copy_block(places, block);
    }
}

/// Copies a block into the places for it.
#[cfg(not(all(target_arch = "x86_64", not(miri))))]
fn copy_block(places: &[AtomicU64], from: &[u8; BLOCK_BYTES]) {
    copy_blocks(places, std::slice::from_ref(from));
}

/// Copies blocks into the places for them.
#[cfg(not(all(target_arch = "x86_64", not(miri))))]
fn copy_blocks(places: &[AtomicU64], from: &[[u8; BLOCK_BYTES]]) {
    for (place, word) in places.iter().zip(from.as_flattened().as_chunks::<WORD_BYTES>().0) {
        place.store(u64::from_ne_bytes(*word), Ordering::Relaxed);
    }
}

/// Orders every earlier store to DMA memory (ring lines) before every later store (the doorbell).
pub fn publish() {
    fence(Ordering::Release);
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_zero_whole_pages_and_gives_back_its_bytes() {
        let memory = DmaMemory::new(5000).unwrap();
        assert_eq!(memory.bytes(), 2 * PAGE_BYTES);
        let mut bytes = [1; 64];
        memory.read(4096 - 32, &mut bytes);
        assert_eq!(bytes, [0; 64]);
        memory.write(8, &[0xff; 32]);
        memory.write(8, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        memory.read(0, &mut bytes[..40]);
        assert_eq!(bytes[..8], [0; 8]);
        assert_eq!(bytes[8..24], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0, 0, 0, 0, 0, 0]);
        assert_eq!(bytes[24..40], [0xff; 16]);
        assert_eq!(memory.load(8), 0x0807_0605_0403_0201);
        memory.zero(8, 32);
        assert_eq!(memory.load(32), 0);
    }

    #[test]
    fn a_record_comes_back_in_the_order_of_its_bytes() {
        let memory = DmaMemory::new(1).unwrap();
        memory.write(16, &[1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(memory.load_record(16), [1, 2]);
        memory.store_record(32, [3, 4]);
        assert_eq!((memory.load(32), memory.load(40)), (3, 4));
    }

    #[test]
    fn bytes_of_any_length_come_to_their_place_and_nowhere_else() {
        let from: Vec<u8> = (1..=255).cycle().take(1600).collect();
        let memory = DmaMemory::new(PAGE_BYTES).unwrap();
        for length in (0..200).chain([1023, 1024, 1025, 1500, 1600]) {
            for offset in [0, 8, 64, 72, PAGE_BYTES - from[..length].len().next_multiple_of(64)] {
                memory.write(0, &[0xee; PAGE_BYTES]);
                // Sources of any alignment.
                let from = &from[length % 7..length];
                memory.write_padded(offset, from, BLOCK_BYTES);
                let mut bytes = [0; PAGE_BYTES];
                memory.read(0, &mut bytes);
                let end = offset + from.len().next_multiple_of(BLOCK_BYTES);
                assert_eq!(&bytes[offset..offset + from.len()], from);
                assert!(bytes[offset + from.len()..end].iter().all(|byte| *byte == 0));
                assert!(bytes[..offset].iter().chain(&bytes[end..]).all(|byte| *byte == 0xee), "{length}");
            }
        }
    }

    #[test]
    #[should_panic(expected = "DMA memory at 0xfc0")]
    fn no_block_is_copied_behind_the_end() {
        DmaMemory::new(1).unwrap().write_padded(PAGE_BYTES - 64, &[1; 65], BLOCK_BYTES);
    }

    #[test]
    fn no_memory_is_an_error() {
        assert_eq!(DmaMemory::new(0).err(), Some(DmaError::Size(0)));
        assert_eq!(DmaMemory::new(usize::MAX).err(), Some(DmaError::Size(usize::MAX)));
    }

    #[test]
    #[should_panic(expected = "DMA memory at 0x1000")]
    fn nothing_reaches_behind_the_end() {
        DmaMemory::new(1).unwrap().store(PAGE_BYTES, 1);
    }
}

//! A BAR mapped into this process: registers read and written in place.
#![allow(unsafe_code)]

use std::os::fd::AsFd;
use std::ptr::{NonNull, null_mut};

use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use wiresift_abi::csr::Csr;

use crate::transport::TransportError;

/// A mapped part of a BAR, unmapped when dropped.
#[derive(Debug)]
pub struct Bar {
    start: NonNull<u32>,
    bytes: usize,
}

// SAFETY: the mapping is owned by this value alone and is not tied to a thread.
unsafe impl Send for Bar {}

impl Bar {
    /// Maps `bytes` bytes, whole pages, of what `file` holds from `offset` on.
    ///
    /// # Errors
    /// Where the kernel does not map it.
    pub fn new(file: impl AsFd, offset: u64, bytes: usize) -> Result<Self, Errno> {
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: the kernel picks free addresses, so no memory that something else refers to is replaced.
        let start = unsafe { mmap(null_mut(), bytes, protection, MapFlags::SHARED, file, offset) }?;
        // The kernel maps nothing at address 0.
        let start = NonNull::new(start.cast()).ok_or(Errno::NOMEM)?;
        Ok(Self { start, bytes })
    }

    fn register(&self, offset: u16) -> NonNull<u32> {
        let at = usize::from(offset);
        assert!(at.is_multiple_of(4) && at + 4 <= self.bytes, "register {offset:#x} in {} bytes", self.bytes);
        // SAFETY: the register lies inside the mapping (checked above).
        unsafe { self.start.add(at / 4) }
    }

    /// Reads the register at byte `offset`.
    ///
    /// # Panics
    /// Where `offset` is not inside or not a multiple of 4; so does [`Bar::write`].
    pub fn read(&self, offset: u16) -> u32 {
        // SAFETY: the address is mapped and aligned (`register`); no reference to it exists, and a volatile
        // access is what a register asks for.
        u32::from_le(unsafe { self.register(offset).read_volatile() })
    }

    /// Reads a register of a card that is there. Reads of one that is gone give ones (PCIe 2.3.2); a card's
    /// register ID never does.
    ///
    /// # Errors
    /// [`TransportError::Gone`].
    pub fn read_present(&self, offset: u16) -> Result<u32, TransportError> {
        let value = self.read(offset);
        if value == u32::MAX && self.read(Csr::Id as u16) == u32::MAX {
            return Err(TransportError::Gone { offset });
        }
        Ok(value)
    }

    /// Writes the register at byte `offset`.
    pub fn write(&self, offset: u16, value: u32) {
        // SAFETY: as in `read`.
        unsafe { self.register(offset).write_volatile(value.to_le()) }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        // SAFETY: these are the addresses that `mmap` gave; no reference to them exists.
        let unmapped = unsafe { munmap(self.start.as_ptr().cast(), self.bytes) };
        debug_assert!(unmapped.is_ok(), "munmap of a whole mapping: {unmapped:?}");
    }
}

//! The seam between driver and card.
//!
//! A [`Transport`] is a way to reach one card: its registers, memory it may read or write, its
//! interrupt, its reset, and the time as the card sees it. The driver does everything else.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use wiresift_abi::csr::{Counter, Csr};

use crate::dma::DmaMemory;

/// Address by which the card reaches host memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Iova(pub u64);

impl fmt::Display for Iova {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

/// What the card may do with a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Host to card: it may read.
    H2c,
    /// Card to host: it may write.
    C2h,
}

/// Why a transport did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The card or the bus refused a register access.
    #[error("register {offset:#05x}: the bus answered with error response {response}")]
    Response {
        /// Byte offset in BAR0.
        offset: u16,
        /// AXI response (AXI4, A3.4.4).
        response: u8,
    },
    /// A register access was not answered.
    #[error("register {offset:#05x}: no answer for {waited_ns} ns")]
    NoAnswer {
        /// Byte offset in BAR0.
        offset: u16,
        /// How long was waited, in nanoseconds.
        waited_ns: u64,
    },
    /// The card is gone from the bus: every read gives ones.
    #[error("register {offset:#05x}: all ones, and so is the register ID: the card is gone from the bus")]
    Gone {
        /// Byte offset in BAR0.
        offset: u16,
    },
    /// What lies between driver and card failed.
    #[error("the transport failed")]
    Broken {
        /// What came between.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// No memory could be mapped for the card.
    #[error("cannot map {bytes} bytes for the card")]
    Map {
        /// Bytes asked for.
        bytes: usize,
        /// What came between.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The reset of the card failed.
    #[error("cannot reset the card")]
    Reset {
        /// What came between.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

/// Memory mapped for the card. It is unmapped and freed when dropped.
pub struct DmaRegion {
    memory: Arc<DmaMemory>,
    iova: Iova,
    direction: Direction,
    unmap: Option<Box<dyn FnOnce() + Send>>,
}

impl DmaRegion {
    /// A region at `iova`; `unmap` takes the mapping away and runs before the memory is freed.
    pub fn new(
        memory: Arc<DmaMemory>,
        iova: Iova,
        direction: Direction,
        unmap: impl FnOnce() + Send + 'static,
    ) -> Self {
        Self { memory, iova, direction, unmap: Some(Box::new(unmap)) }
    }

    /// Where the card sees it.
    pub fn iova(&self) -> Iova {
        self.iova
    }

    /// The memory.
    pub fn memory(&self) -> &DmaMemory {
        &self.memory
    }

    /// What the card may do with it.
    pub fn direction(&self) -> Direction {
        self.direction
    }

    /// Keeps memory and mapping for ever: for a card that could not be stopped and may still write.
    pub fn leak(&mut self) {
        self.unmap = None;
        std::mem::forget(Arc::clone(&self.memory));
    }
}

impl Drop for DmaRegion {
    fn drop(&mut self) {
        if let Some(unmap) = self.unmap.take() {
            unmap();
        }
    }
}

impl fmt::Debug for DmaRegion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DmaRegion({} + {:#x}, {:?})", self.iova, self.memory.bytes(), self.direction)
    }
}

/// A way to reach one card.
pub trait Transport {
    /// Reads the 32-bit register at byte `offset` of BAR0.
    ///
    /// # Errors
    /// Where the card does not answer, or with an error.
    fn read_register(&mut self, offset: u16) -> Result<u32, TransportError>;

    /// Writes the 32-bit register at byte `offset` of BAR0. Stores to DMA memory before a call of
    /// [`crate::dma::publish`] are visible to the card when the write reaches it.
    ///
    /// # Errors
    /// Where the card does not answer, or with an error.
    fn write_register(&mut self, offset: u16, value: u32) -> Result<(), TransportError>;

    /// Zeroed memory of at least `bytes` bytes at an IOVA that is a multiple of
    /// [`crate::dma::PAGE_BYTES`]; the card can reach it until the region is dropped.
    ///
    /// # Errors
    /// Where there is no memory or no address for it.
    fn map(&mut self, bytes: usize, direction: Direction) -> Result<DmaRegion, TransportError>;

    /// Waits for an interrupt for at most `timeout_ns`; says whether one came since the last call.
    ///
    /// # Errors
    /// Where the transport is broken.
    fn wait_interrupt(&mut self, timeout_ns: u64) -> Result<bool, TransportError>;

    /// Resets the card: it forgets everything, and no access of it to host memory is left.
    ///
    /// # Errors
    /// Where the reset cannot be done.
    fn reset_function(&mut self) -> Result<(), TransportError>;

    /// Whether the card reaches nothing of a region once it is unmapped, whatever it does: an IOMMU stands between, or
    /// the memory is shared with another process that keeps it. Memory of a card that can neither be stopped nor reset
    /// is freed then; otherwise it stays allocated for ever.
    fn is_contained(&self) -> bool {
        false
    }

    /// Called whenever the driver waits: a simulated card runs some cycles, a real one lets the
    /// processor rest a moment. [`Transport::now_ns`] is later behind it.
    fn relax(&mut self);

    /// Nanoseconds that have passed for the card since some point in time; for a simulated card that
    /// is simulated time, so that no time-out depends on the speed of the simulation.
    fn now_ns(&self) -> u64;

    /// Reads a register of the contract.
    ///
    /// # Errors
    /// As [`Transport::read_register`].
    fn read_csr(&mut self, csr: Csr) -> Result<u32, TransportError> {
        self.read_register(csr as u16)
    }

    /// Writes a register of the contract.
    ///
    /// # Errors
    /// As [`Transport::write_register`].
    fn write_csr(&mut self, csr: Csr, value: u32) -> Result<(), TransportError> {
        self.write_register(csr as u16, value)
    }

    /// Reads a counter: low word first, which latches the high one.
    ///
    /// # Errors
    /// As [`Transport::read_register`].
    fn read_counter(&mut self, counter: Counter) -> Result<u64, TransportError> {
        let low = self.read_register(counter.offset())?;
        let high = self.read_register(counter.offset() + 4)?;
        Ok(u64::from(high) << 32 | u64::from(low))
    }
}

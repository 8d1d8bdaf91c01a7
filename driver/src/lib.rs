//! The driver: from packets in host memory to checked verdicts.
//!
//! The way through this crate, in the order in which a packet meets it:
//!
//! 1. [`transport`]: the seam to the card: registers, DMA memory, interrupts, reset, time.
//! 2. [`dma`]: memory that host and card share, from the largest pages that are to be had ([`hugepages`]).
//! 3. [`ring`]: the arithmetic of free-running indices and phases, without memory.
//! 4. [`h2c`]: packets and commands packed into batches in ring memory.
//! 5. [`c2h`]: records taken by phase, everything in them checked, verdicts tied to packets.
//! 6. [`card`]: [`card::Card`], which ties these together: bring-up (`bringup`), post and poll,
//!    loading a rule image (`loader`), changing it under traffic ([`update`]), stop and recovery
//!    (`recovery`, [`tables`]), the books (`conservation`).
//! 7. The ways to a card: [`vfio`], one on the bus, by the kernel's VFIO; [`vfio_user`], one that another process
//!    serves over a socket. Addresses for the card ([`iova`]) and its mapped registers ([`bar`]).
//! 8. `fake`: the rings of a card as plain Rust, for tests (feature `fake-card`).
//!
//! `unsafe` is in three files: [`dma`], [`bar`] and `vfio/ioctl.rs`. The driver trusts nothing the card writes, and never waits without a limit.
#![deny(unsafe_code)]

pub mod bar;
mod bringup;
pub mod c2h;
pub mod card;
pub mod conservation;
pub mod dma;
pub mod error;
#[cfg(any(test, feature = "fake-card"))]
pub mod fake;
pub mod h2c;
pub mod hugepages;
pub mod iova;
mod loader;
mod recovery;
pub mod ring;
pub mod tables;
pub mod transport;
pub mod update;
pub mod vfio;
pub mod vfio_user;

pub use c2h::Verdict;
pub use card::{Card, Config};
pub use error::DriverError;
pub use transport::{Direction, DmaRegion, Iova, Transport, TransportError};

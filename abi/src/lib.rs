//! The contract between host and card, declared once.
//!
//! The card (`hdl`), the driver, the rule compiler, the CPU engine and the generated register
//! document (`docs/registers.md`) all read these declarations; nothing that crosses the PCIe bus is
//! written down anywhere else.
//!
//! The way through this crate, in the order in which a packet meets it:
//!
//! 1. [`geometry`]: the sizes a build of the card was made with (`line`, `lab`).
//! 2. [`csr`]: the control and status registers in BAR0, error codes and counters.
//! 3. [`h2c`]: lines, batches and packets in the H2C byte ring.
//! 4. [`vector`]: the header vector that the parser extracts, its flags, and the exact parsing rules.
//! 5. [`hash`]: the keyed hash that finds a bucket.
//! 6. [`entry`]: what a slot of a masked table and an entry of the TCAM hold.
//! 7. [`payload`]: the patterns sought in packets: filter, window index, what a pattern is stored as, and presence bits.
//! 8. [`command`]: the lines that change tables, in the same ring as packets.
//! 9. [`c2h`]: verdict records, what follows them in the C2H ring, and the status line.
//! 10. [`image`]: the rule image, the file that the compiler writes and the loader reads.
//! 11. [`pci`]: what the card is on the PCI bus.
//!
//! Byte order is little-endian everywhere on the bus. A bit field is named by its lowest bit and its
//! width ([`bits::Field`]); bit 0 of a line is bit 0 of its first byte.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod bits;
pub mod c2h;
pub mod command;
pub mod csr;
pub mod document;
pub mod entry;
pub mod geometry;
pub mod h2c;
pub mod hash;
pub mod image;
pub mod payload;
pub mod pci;
pub mod vector;

/// Version of everything declared in this crate. It stands in a register of the card and in every
/// rule image; driver and loader refuse another one. Any change of a layout raises it.
pub const ABI_VERSION: u32 = 5;

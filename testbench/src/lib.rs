//! The card simulated on any machine: the Verilog that `hdl` emits, Verilated, behind the transport of
//! the driver.
//!
//! 1. [`ports`]: the ports of the top, as the shim and this crate both see them.
//! 2. [`library`]: from Verilog to a shared library, built at first use and kept in a cache.
//! 3. [`model`]: the library, loaded; the only file with `unsafe`.
//! 4. [`memory`]: the host memory that the card can reach, and nothing else.
//! 5. [`axi`]: the AXI4 slave in front of that memory, and the rules of the bus.
//! 6. [`faults`]: answers that are late, lost, errors or lies, on purpose.
//! 7. [`sim`]: [`sim::SimCard`], all of that as a `Transport`.
//! 8. [`simcard`]: the card as a PCI device that another process uses over vfio-user.
//!
//! The simulated card knows nothing of packets: it runs the card's Verilog cycle by cycle, and what is
//! around it is memory, a bus and time.
#![deny(unsafe_code)]

pub mod axi;
pub mod faults;
pub mod library;
pub mod memory;
pub mod model;
pub mod ports;
pub mod sim;
pub mod simcard;

pub use faults::{Fault, FaultKind, Side, When};
pub use sim::{Options, SimCard, SimError};

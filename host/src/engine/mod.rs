//! Engines that decide packets on the host.

pub mod cpu;
pub mod reference;

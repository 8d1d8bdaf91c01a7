//! Engines that decide packets on the host.

pub mod reference;

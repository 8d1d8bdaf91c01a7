//! Engines that decide packets on the host.

#[cfg(feature = "card")]
pub mod card;
pub mod cpu;
pub mod host;
pub mod reference;

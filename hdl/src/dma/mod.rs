//! The card's side of host memory: [`fetch`] and [`mod@write`] are the only blocks that put addresses on the bus.

pub mod fetch;
pub mod interrupt;
pub mod status;
pub mod write;

//! The card's side of host memory: the only two blocks that put addresses on the bus.

pub mod fetch;
pub mod write;

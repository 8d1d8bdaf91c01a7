//! The card in RustHDL, from the H2C ring to the verdict ring, and the Verilog emitter.
//!
//! The way through the card is told in `docs/packet-path.md`; the modules stand here in the order in
//! which a packet meets them.
#![forbid(unsafe_code)]

pub mod card;
pub mod classify;
pub mod control;
pub mod csr;
pub mod dma;
pub mod emit;
pub mod merge;
pub mod parse;
pub mod payload;
pub mod place;
pub mod prim;
pub mod ring;
pub mod synth;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod gate;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod proof;

//! Verification: whether a packet satisfies what a signature asks beyond its header.
//!
//! `docs/signature-semantics.md` says what that means. A [`program::Program`] is a signature's
//! [`Detect`](crate::rules::detect::Detect), compiled once; [`layers`] finds the parts of a packet, [`run`] tries the
//! program on them within the packet's budget, [`flow`] and [`threshold`] keep what one packet does not tell. Which signatures are tried on which
//! packet is the business of [`crate::engine::host`].

pub mod flow;
pub mod layers;
mod number;
pub mod pcre;
pub mod program;
pub mod run;
pub mod threshold;

#[cfg(test)]
mod tests;

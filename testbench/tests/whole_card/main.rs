//! The simulated card as a whole. One program of all these, not one of each, so that its tests keep all processors busy: many are
//! a long simulation on one of them.
//!
//! `cargo test -p wiresift-testbench --test whole_card -- axi::` runs those of one module.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod axi;
mod loopback;
mod payload;
#[path = "../rules/mod.rs"]
mod rules;
#[path = "../sweep/mod.rs"]
mod sweep;
mod verdicts;

//! The CPU engine.
pub mod hash;

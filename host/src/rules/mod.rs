//! Rule files: what they say ([`model`]) and how they are read ([`load`](load::load)).
//!
//! A file is a ClassBench access control list ([`classbench`]), holds Suricata or Snort signatures ([`suricata`]), or is
//! an nftables ruleset ([`nft`]); [`source`] tells which. Errors are collected over all files and name file, line and column
//! ([`diagnostics`]).

pub mod classbench;
mod cursor;
pub mod detect;
pub mod diagnostics;
mod interval;
pub mod load;
pub mod lower;
pub mod model;
pub mod nft;
pub mod source;
pub mod suricata;
mod text;

pub use load::{Reading, load, load_with};

#[cfg(test)]
mod tests;

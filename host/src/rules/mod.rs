//! Rule files: what they say ([`model`]) and how they are read ([`load`](load::load)).
//!
//! A file is either a ClassBench access control list ([`classbench`]) or holds Suricata or Snort signatures
//! ([`suricata`]); [`source`] tells which. Errors are collected over all files and name file, line and column
//! ([`diagnostics`]).

pub mod classbench;
mod cursor;
pub mod diagnostics;
mod interval;
pub mod load;
pub mod model;
pub mod source;
pub mod suricata;
mod text;

pub use load::load;

#[cfg(test)]
mod tests;

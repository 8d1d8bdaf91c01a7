//! Rule files: what they say ([`model`]) and how they are read.

pub mod model;

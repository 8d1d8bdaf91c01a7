//! The parts that blocks are made of.

pub mod distance;
pub mod fifo;
pub mod ram;
pub mod skid;

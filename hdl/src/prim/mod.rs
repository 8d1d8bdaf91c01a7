//! The parts that blocks are made of.

pub mod fifo;
pub mod ram;
pub mod skid;

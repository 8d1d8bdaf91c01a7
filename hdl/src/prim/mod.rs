//! The parts that blocks are made of.

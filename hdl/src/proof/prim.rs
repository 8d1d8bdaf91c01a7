//! Proofs of the FIFO and the register slice.

use super::{emitted, holds};
use crate::prim::fifo::Fifo;
use crate::prim::ram::RamStyle;
use crate::prim::skid::RegisterSlice;

/// Properties of a block with one stream in and one out, `depth` transfers deep.
fn stream(depth: usize, latency: usize) -> String {
    include_str!("../../formal/fifo.sv")
        .replace("DEPTH_OF_UUT", &depth.to_string())
        .replace("LATENCY_OF_UUT", &latency.to_string())
}

#[test]
fn a_fifo_keeps_order_and_loses_nothing() {
    let verilog = emitted(Fifo::<4, 2, 3>::new(RamStyle::Distributed));
    let mutants = [
        ("full$d = stored == last", "full$d = 1'b0"),
        ("read = filled$q &", "read = filled$q |"),
        ("filled$d = stored != one", "filled$d = 1'b0"),
    ];
    holds("fifo", &verilog, &stream(5, 1), &mutants);
}

#[test]
fn a_register_slice_keeps_order_and_loses_nothing() {
    let verilog = emitted(RegisterSlice::<4>::default());
    let mutants = [
        ("if (~skid_valid$q) begin", "if (1'b1) begin"),
        ("skid_valid$d = 1'b0;", ""),
        ("s_axis_tready = ~skid_valid$q;", "s_axis_tready = 1'b1;"),
    ];
    holds("register slice", &verilog, &stream(2, 0), &mutants);
}

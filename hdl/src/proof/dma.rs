//! Proofs of the blocks that touch the host's memory.

use wiresift_abi::geometry::{Geometry, LAB};

use super::{emitted, holds};
use crate::dma::fetch::Fetch;
use crate::dma::write::Writer;

#[test]
fn the_reader_asks_for_nothing_outside_the_ring() {
    let geometry = Geometry { read_buffer_beats: 64, reads_in_flight: 2, ..LAB };
    let verilog = emitted(Fetch::<128, 6, 7>::new(&geometry));
    let properties = include_str!("../../formal/fetch.sv").replace("LINES_LOG2_OF_UUT", "6");
    holds("reader of the H2C ring", &verilog, &properties, &[]);
}

#[test]
fn the_writer_writes_nothing_outside_ring_and_status_line() {
    let verilog = emitted(Writer::<512, 64>::default());
    holds("writer of the C2H ring", &verilog, include_str!("../../formal/writer.sv"), &[]);
}

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
    let mutants = [
        ("offset = (asked$q & ring_mask$q) << line_log2;", "offset = asked$q << line_log2;"),
        ("to_end$d = burst_lines - ((low) & 5'h1f);", "to_end$d = burst_lines;"),
        ("if (m_axi_arready) begin", "if (1'b1) begin"),
    ];
    holds("reader of the H2C ring", &verilog, &properties, &mutants);
}

#[test]
fn the_writer_gives_each_line_one_address_and_its_data() {
    let verilog = emitted(Writer::<512, 64>::default());
    let mutants = [
        ("addresses$s_axis_tvalid = begin_write;", "addresses$s_axis_tvalid = tell;"),
        ("data$s_axis_tvalid = begin_write;", "data$s_axis_tvalid = 1'b0;"),
    ];
    holds("writer of the C2H ring", &verilog, include_str!("../../formal/writer.sv"), &mutants);
}

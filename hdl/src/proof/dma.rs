//! Proofs of the blocks that touch the host's memory.

use wiresift_abi::geometry::{Geometry, LAB, LINE};

use super::{emitted, holds, holds_by_induction, inside};
use crate::dma::fetch::Fetch;
use crate::dma::write::Writer;

fn reader() -> (String, String) {
    let geometry = Geometry { read_buffer_beats: 64, reads_in_flight: 2, ..LAB };
    let properties = include_str!("../../formal/fetch.sv").replace("LINES_LOG2_OF_UUT", "6");
    (emitted(Fetch::<128, 6, 7>::new(&geometry)), properties)
}

#[test]
fn the_reader_asks_for_nothing_outside_the_ring() {
    let (verilog, properties) = reader();
    let mutants = [
        ("offset$d = (asked$q & ring_mask$q) << line_log2;", "offset$d = 32'h1000;"),
        ("m_axi_araddr = address$q;", "m_axi_araddr = address$q - 64'd16;"),
    ];
    holds("reader of the H2C ring", &verilog, &properties, &mutants);
}

#[test]
fn the_reader_keeps_what_it_offers() {
    let inside_it = include_str!("../../formal/fetch_inside.sv").replace("READS_IN_FLIGHT", "2");
    let verilog = inside(&reader().0, "", &inside_it);
    let mutants = [
        ("if (m_axi_arready) begin", "if (1'b1) begin"),
        ("buffer$m_axis_tready = m_axis_tready;", "buffer$m_axis_tready = 1'b1;"),
    ];
    holds_by_induction("reader of the H2C ring, stability", &verilog, 30, &mutants);
}

#[test]
fn the_writer_gives_each_line_one_address_and_its_data() {
    let mutants = [
        ("addresses$s_axis_tvalid = begin_write;", "addresses$s_axis_tvalid = tell;"),
        ("data$s_axis_tvalid = begin_write;", "data$s_axis_tvalid = 1'b0;"),
    ];
    holds("writer of the C2H ring", &writer(), include_str!("../../formal/writer.sv"), &mutants);
}

#[test]
fn the_writer_touches_nothing_but_the_ring_and_the_status_line() {
    let properties = format!("`define ADDRESSES\n{}", include_str!("../../formal/writer.sv"));
    let mutants = [
        ("at_end$d = left$q == two_lines;", "at_end$d = left$q == one_line;"),
        ("addresses$s_axis_tdata = status_base;", "addresses$s_axis_tdata = status_base + 64'd64;"),
        (
            "address_low$d = address_low$q + line_bytes;",
            "address_low$d = address_low$q + line_bytes + line_bytes;",
        ),
    ];
    holds("addresses of the writer of the C2H ring", &writer(), &properties, &mutants);
}

/// The writer, with what ties its address to its place in the ring of the proof (four lines) asserted
/// inside: the engine needs it to see that the address stays in the ring.
fn writer() -> String {
    let verilog = emitted(Writer::<512, 64>::new(&LINE));
    inside(&verilog, "", include_str!("../../formal/writer_inside.sv"))
}

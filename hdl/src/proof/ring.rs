//! Proofs of the blocks that take the rings apart and put them together.

use super::{emitted, holds, holds_by_induction, inside};
use crate::ring::pack::{Pack, found_bits};
use crate::ring::unpack::Unpack;

#[test]
fn unpacking_keeps_order_and_loses_nothing() {
    let mutants = [
        ("free = ~out_valid$q | m_axis_tready;", "free = 1'b1;"),
        ("items$d = items$q - one_item;", "items$d = items$q;"),
    ];
    holds("unpacking", &emitted(Unpack::<512>::default()), include_str!("../../formal/unpack.sv"), &mutants);
}

#[test]
fn every_beat_of_a_packet_comes_out_once_and_in_its_place() {
    // The narrowest beat: four to a line, so that there are beats to swallow.
    let properties = include_str!("../../formal/unpack_inside.sv").replace("BITS_OF_BEAT", "128");
    let verilog = inside(&emitted(Unpack::<128>::default()), "", &properties);
    let mutants = [("free = ~out_valid$q | m_axis_tready;", "free = 1'b1;"), ("whole_at$d = two_at;", "")];
    holds_by_induction("packets in the unpacking", &verilog, 20, &mutants);
}

#[test]
fn the_packer_keeps_the_order_of_the_records_and_loses_none() {
    let properties = include_str!("../../formal/pack_inside.sv");
    let verilog =
        inside(&emitted(Pack::<2, 3, 5, { found_bits(5) }>::default()), "f_mark,f_which,", properties);
    let mutants = [
        ("(&held_count$q & fresh_count$q[32'h0])", "1'b0"),
        ("                held$d = 32'h0;", ""),
        ("id$4 << id_lsb$1", "id$3 << id_lsb$1"),
        ("has_second$d = |hits_second;", "has_second$d = |hits_first;"),
        ("joined_hits$q[(96)+:(96)]", "joined_hits$q[(80)+:(96)]"),
        ("presence_at = third_place;", "presence_at = second_place;"),
        ("is_present & (tail_due$q | ~has_both)", "is_present"),
        ("is_asked_for = 1'b1;", ""),
    ];
    holds_by_induction("order of the record packer", &verilog, 20, &mutants);
}

#[test]
fn the_packer_gives_back_every_credit_once() {
    let properties = include_str!("../../formal/pack.sv").replace("CREDITS_OF_UUT", "4");
    let mutants = [
        ("given_back$d = go & both_there", "given_back$d = both_there"),
        (
            "results$m_axis_tready = go & both_there & (tail_due$q | ~has_both);",
            "results$m_axis_tready = go & both_there;",
        ),
    ];
    holds("record packer", &emitted(Pack::<2, 3, 5, { found_bits(5) }>::default()), &properties, &mutants);
}

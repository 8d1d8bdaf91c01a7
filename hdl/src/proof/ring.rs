//! Proofs of the blocks that take the rings apart and put them together.

use super::{emitted, holds};
use crate::ring::pack::Pack;
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
fn the_packer_gives_back_every_credit_once() {
    let properties = include_str!("../../formal/pack.sv").replace("CREDITS_OF_UUT", "4");
    let mutants = [
        ("given_back$d = go & results$m_axis_tvalid;", "given_back$d = results$m_axis_tvalid;"),
        ("results$m_axis_tready = go;", "results$m_axis_tready = 1'b1;"),
    ];
    holds("record packer", &emitted(Pack::<2, 3>::default()), &properties, &mutants);
}

//! The text of both cards is sound, and a small life of the card goes as told.

use super::*;
use crate::emit::{EmitError, card_verilog};
use crate::gate::check_text;

#[test]
fn both_cards_are_taken_by_every_tool() {
    for geometry in [&LAB, &LINE] {
        let text = card_verilog(geometry).unwrap();
        assert!(text.ends_with("endmodule\n\n") && text.contains("module top(clock,reset,s_axil_awaddr,"));
        check_text(geometry.name, &text);
    }
}

#[test]
fn the_text_is_the_same_every_time() {
    assert_eq!(card_verilog(&LAB).unwrap(), card_verilog(&LAB).unwrap());
}

#[test]
fn a_geometry_without_a_card_is_an_error() {
    let other = Geometry { name: "other", tcam_entries: 32, ..LAB };
    assert!(matches!(card_verilog(&other), Err(EmitError::Geometry("other"))));
}

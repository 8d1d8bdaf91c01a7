//! The whole classifier.

use rand::Rng;
use rust_hdl::core::prelude::*;
use wiresift_abi::geometry::{Geometry, LAB};

use super::testing::{bits_of, random_vector};
use super::*;
use crate::gate::passes;

#[test]
fn lab_passes_the_gate() {
    passes("classifier_lab", LabClassifier::lab, 300, 1, |uut, rng, cycle| {
        uut.reset.next = cycle < 2;
        uut.valid.next = rng.random_bool(0.8);
        uut.command.next = false;
        uut.line.next = bits_of(&random_vector(rng));
        uut.sequence_number.next = (cycle as u64).to_bits();
    });
    let _: &Geometry = &LAB;
}

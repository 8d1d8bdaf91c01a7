//! Register slice: one-stage buffer that cuts the path both ways.
//!
//! ```text
//!                    .-----------------.
//! s_axis_tdata  ---->| [skid] -> [out] |----> m_axis_tdata
//! s_axis_tvalid ---->|                 |----> m_axis_tvalid
//! s_axis_tready <----|                 |<---- m_axis_tready
//!                    '-----------------'
//! ```
//!
//! Each cycle the output register loads when it is free or taken; a word that arrives when it does not
//! goes to the skid register, which holds `s_axis_tready` low until it is empty again. Every
//! output is a register (`s_axis_tready` the inverse of one); one word a cycle, one cycle late.

use rust_hdl::core::prelude::*;
use rust_hdl::widgets::prelude::*;

/// A slice for words of `WIDTH` bits; `tlast` and sideband are part of the word.
#[derive(LogicBlock, Default)]
pub struct RegisterSlice<const WIDTH: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous, active high: empties the slice.
    pub reset: Signal<In, Bit>,
    /// Word in.
    pub s_axis_tdata: Signal<In, Bits<WIDTH>>,
    /// A word is offered.
    pub s_axis_tvalid: Signal<In, Bit>,
    /// There is room.
    pub s_axis_tready: Signal<Out, Bit>,
    /// Word out.
    pub m_axis_tdata: Signal<Out, Bits<WIDTH>>,
    /// There is a word.
    pub m_axis_tvalid: Signal<Out, Bit>,
    /// The word is taken.
    pub m_axis_tready: Signal<In, Bit>,
    out_data: DFF<Bits<WIDTH>>,
    out_valid: DFF<Bit>,
    skid_data: DFF<Bits<WIDTH>>,
    skid_valid: DFF<Bit>,
}

impl<const WIDTH: usize> Logic for RegisterSlice<WIDTH> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, out_data, out_valid, skid_data, skid_valid);
        self.s_axis_tready.next = !self.skid_valid.q.val();
        self.m_axis_tdata.next = self.out_data.q.val();
        self.m_axis_tvalid.next = self.out_valid.q.val();
        // The skid register follows the input until it holds a word, so its enable is one flag.
        if !self.skid_valid.q.val() {
            self.skid_data.d.next = self.s_axis_tdata.val();
        }
        if self.m_axis_tready.val() | !self.out_valid.q.val() {
            self.out_valid.d.next = self.s_axis_tvalid.val() | self.skid_valid.q.val();
            self.skid_valid.d.next = false;
            if self.skid_valid.q.val() {
                self.out_data.d.next = self.skid_data.q.val();
            } else {
                self.out_data.d.next = self.s_axis_tdata.val();
            }
        } else if self.s_axis_tvalid.val() {
            self.skid_valid.d.next = true;
        }
        if self.reset.val() {
            self.out_valid.d.next = false;
            self.skid_valid.d.next = false;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use rand::Rng;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;
    use std::collections::VecDeque;

    use super::*;
    use crate::gate::{Clocked, Native, passes};

    impl<const WIDTH: usize> Clocked for RegisterSlice<WIDTH> {
        fn clock(&mut self) -> &mut Signal<In, Clock> {
            &mut self.clock
        }
    }

    fn streams(idle: bool, stall: bool, seed: u64) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut slice = Native::new(RegisterSlice::<16>::default());
        let (mut inside, mut taken) = (VecDeque::new(), 0);
        for _ in 0..2000 {
            let word = rng.random_range(0..1u64 << 16);
            let offered = !idle || rng.random();
            let ready = !stall || rng.random();
            slice.uut.s_axis_tdata.next = word.to_bits();
            slice.uut.s_axis_tvalid.next = offered;
            // Neither output may follow the other side within the cycle.
            slice.uut.m_axis_tready.next = !ready;
            slice.settle();
            let before = (slice.uut.s_axis_tready.val(), slice.uut.m_axis_tvalid.val());
            slice.uut.m_axis_tready.next = ready;
            slice.settle();
            assert_eq!(before, (slice.uut.s_axis_tready.val(), slice.uut.m_axis_tvalid.val()));
            if slice.uut.m_axis_tvalid.val() && ready {
                assert_eq!(Some(slice.uut.m_axis_tdata.val().to_u64()), inside.pop_front());
                taken += 1;
            }
            if offered && slice.uut.s_axis_tready.val() {
                inside.push_back(word);
            }
            assert!(inside.len() <= 2);
            slice.step();
        }
        if !idle && !stall {
            assert_eq!(taken, 2000 - 1, "one word a cycle, one cycle late");
        }
        assert!(taken > 400);
    }

    #[test]
    fn words_come_out_in_order_under_any_stall() {
        for (seed, (idle, stall)) in
            [(false, false), (true, false), (false, true), (true, true)].into_iter().enumerate()
        {
            streams(idle, stall, seed as u64);
        }
    }

    #[test]
    fn it_passes_the_gate() {
        passes("register slice", RegisterSlice::<33>::default, 2000, 7, |uut, rng, _| {
            uut.reset.next = rng.random_bool(0.02);
            uut.s_axis_tdata.next = rng.random_range(0..1u64 << 33).to_bits();
            uut.s_axis_tvalid.next = rng.random();
            uut.m_axis_tready.next = rng.random();
        });
    }
}

//! Holds what a part of the parser does not need until the end of the part.
//!
//! ```text
//!          +-------+
//! data  -->| Delay |--> delayed
//!          +-------+
//! ```
//!
//! `delayed` is `data` of `CYCLES` cycles before. A ring in LUT memory of which one word is read and
//! written in each cycle, instead of `CYCLES` rows of flip-flops. It has no reset: whether the content
//! means anything, the user knows.

use rust_hdl::prelude::*;

use crate::prim::ram::{Ram, RamStyle};

/// Bits of the address in the ring.
const DEPTH_LOG2: usize = 4;

/// `WIDTH` bits for `CYCLES` cycles, 3 to 17.
#[derive(LogicBlock)]
pub struct Delay<const WIDTH: usize, const CYCLES: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// In.
    pub data: Signal<In, Bits<WIDTH>>,
    /// Out.
    pub delayed: Signal<Out, Bits<WIDTH>>,
    ring: Ram<WIDTH, DEPTH_LOG2>,
    at: DFF<Bits<DEPTH_LOG2>>,
    one: Constant<Bits<DEPTH_LOG2>>,
    zero: Constant<Bits<DEPTH_LOG2>>,
    last: Constant<Bits<DEPTH_LOG2>>,
}

impl<const WIDTH: usize, const CYCLES: usize> Default for Delay<WIDTH, CYCLES> {
    fn default() -> Self {
        const { assert!(CYCLES >= 3 && CYCLES <= (1 << DEPTH_LOG2) + 1) };
        Self {
            clock: Signal::default(),
            data: Signal::default(),
            delayed: Signal::default(),
            ring: Ram::new(RamStyle::Distributed),
            at: DFF::default(),
            one: Constant::new(1.into()),
            zero: Constant::new(0.into()),
            // A word is read one cycle before it leaves, so the ring has one place less.
            last: Constant::new((CYCLES as u64 - 2).into()),
        }
    }
}

impl<const WIDTH: usize, const CYCLES: usize> Logic for Delay<WIDTH, CYCLES> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, at);
        self.at.d.next = self.at.q.val() + self.one.val();
        if self.at.q.val() == self.last.val() {
            self.at.d.next = self.zero.val();
        }
        // The word that leaves is read where the new one is written: a RAM gives the old one.
        self.ring.clock.next = self.clock.val();
        self.ring.read_enable.next = true;
        self.ring.read_address.next = self.at.q.val();
        self.ring.write_enable.next = true;
        self.ring.write_address.next = self.at.q.val();
        self.ring.write_data.next = self.data.val();
        self.delayed.next = self.ring.read_data.val();
    }
}

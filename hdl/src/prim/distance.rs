//! The difference of two free-running indices, in two steps.
//!
//! ```text
//!           .----------.
//! a, b ---->| Distance |---> difference (a - b modulo 2^32), a_then, b_then   two cycles later
//!           '----------'
//! ```
//!
//! A subtraction of 32 bits in one cycle is a chain of carries that is longer than any other path of a ring
//! engine; in halves it is not. What reads the difference must bear that it is two cycles old.

use rust_hdl::core::prelude::*;
use rust_hdl::widgets::prelude::*;

const HALF_BITS: usize = 16;
/// A half and its borrow.
const SUM_BITS: usize = HALF_BITS + 1;

/// Subtracts in two cycles.
#[derive(LogicBlock)]
pub struct Distance {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Index that is ahead.
    pub a: Signal<In, Bits<32>>,
    /// Index that is behind.
    pub b: Signal<In, Bits<32>>,
    /// Two cycles later: `a - b` modulo 2^32.
    pub difference: Signal<Out, Bits<32>>,
    /// Two cycles later: `a`.
    pub a_then: Signal<Out, Bits<32>>,
    /// Two cycles later: `b`.
    pub b_then: Signal<Out, Bits<32>>,
    low: DFF<Bits<SUM_BITS>>,
    high: DFF<Bits<HALF_BITS>>,
    whole: DFF<Bits<32>>,
    a_first: DFF<Bits<32>>,
    a_second: DFF<Bits<32>>,
    b_first: DFF<Bits<32>>,
    b_second: DFF<Bits<32>>,
    a_low: Signal<Local, Bits<HALF_BITS>>,
    b_low: Signal<Local, Bits<HALF_BITS>>,
    a_high: Signal<Local, Bits<HALF_BITS>>,
    b_high: Signal<Local, Bits<HALF_BITS>>,
    high_now: Signal<Local, Bits<HALF_BITS>>,
    low_now: Signal<Local, Bits<HALF_BITS>>,
    one: Constant<Bits<HALF_BITS>>,
}

impl Default for Distance {
    fn default() -> Self {
        Self {
            clock: Signal::default(),
            a: Signal::default(),
            b: Signal::default(),
            difference: Signal::default(),
            a_then: Signal::default(),
            b_then: Signal::default(),
            b_first: DFF::default(),
            b_second: DFF::default(),
            low: DFF::default(),
            high: DFF::default(),
            whole: DFF::default(),
            a_first: DFF::default(),
            a_second: DFF::default(),
            a_low: Signal::default(),
            b_low: Signal::default(),
            a_high: Signal::default(),
            b_high: Signal::default(),
            high_now: Signal::default(),
            low_now: Signal::default(),
            one: Constant::new(1.into()),
        }
    }
}

impl Logic for Distance {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, low, high, whole, a_first, a_second, b_first, b_second);
        self.a_low.next = self.a.val().get_bits::<HALF_BITS>(0);
        self.b_low.next = self.b.val().get_bits::<HALF_BITS>(0);
        for i in HALF_BITS..(HALF_BITS + 1) {
            self.a_high.next = self.a.val().get_bits::<HALF_BITS>(i);
            self.b_high.next = self.b.val().get_bits::<HALF_BITS>(i);
        }
        self.low.d.next = bit_cast::<SUM_BITS, HALF_BITS>(self.a_low.val())
            - bit_cast::<SUM_BITS, HALF_BITS>(self.b_low.val());
        self.high.d.next = self.a_high.val() - self.b_high.val();
        self.high_now.next = self.high.q.val();
        for i in HALF_BITS..(HALF_BITS + 1) {
            if self.low.q.val().get_bit(i) {
                self.high_now.next = self.high.q.val() - self.one.val();
            }
        }
        self.low_now.next = self.low.q.val().get_bits::<HALF_BITS>(0);
        self.whole.d.next = bit_cast::<32, HALF_BITS>(self.low_now.val())
            | (bit_cast::<32, HALF_BITS>(self.high_now.val()) << 16);
        self.a_first.d.next = self.a.val();
        self.a_second.d.next = self.a_first.q.val();
        self.difference.next = self.whole.q.val();
        self.a_then.next = self.a_second.q.val();
        self.b_first.d.next = self.b.val();
        self.b_second.d.next = self.b_first.q.val();
        self.b_then.next = self.b_second.q.val();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::collections::VecDeque;

    use rand::Rng;

    use super::*;
    use crate::gate::{Clocked, passes};

    impl Clocked for Distance {
        fn clock(&mut self) -> &mut Signal<In, Clock> {
            &mut self.clock
        }
    }

    #[test]
    fn the_difference_comes_two_cycles_later() {
        let mut inside: VecDeque<(u32, u32)> = VecDeque::new();
        passes("distance", Distance::default, 3000, 1, |uut, rng, _| {
            if inside.len() == 2
                && let Some((a, b)) = inside.pop_front()
            {
                assert_eq!(uut.difference.val(), a.wrapping_sub(b).to_bits::<32>(), "{a:#x} {b:#x}");
                assert_eq!(uut.a_then.val(), a.to_bits::<32>());
                assert_eq!(uut.b_then.val(), b.to_bits::<32>());
            }
            let b: u32 = rng.random::<u32>() & if rng.random() { u32::MAX } else { 0xffff_0000 };
            // Close together, on both sides, or anywhere.
            let by = match rng.random_range(0..3) {
                0 => rng.random_range(0..0x2_0000),
                1 => 0u32.wrapping_sub(rng.random_range(0..0x2_0000)),
                _ => rng.random(),
            };
            let a = b.wrapping_add(by);
            inside.push_back((a, b));
            uut.a.next = a.to_bits();
            uut.b.next = b.to_bits();
        });
    }
}

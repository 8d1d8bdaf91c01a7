//! Raises an interrupt behind a status line.
//!
//! ```text
//!               +-----------+
//! told, arm  -->| Interrupt |--> disarm, count
//!               |           |--> req  (<-- ack)
//!               +-----------+
//! ```
//!
//! One interrupt for each time it was armed: when a status line was acknowledged (`told`) while `arm` is
//! high, the request goes up and `disarm` says so; the request stays until it is acknowledged.

use rust_hdl::core::prelude::*;
use rust_hdl::widgets::prelude::*;

/// The interrupt.
#[derive(LogicBlock)]
pub struct Interrupt {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous reset.
    pub reset: Signal<In, Bit>,
    /// Pulse: a status line was acknowledged without an error.
    pub told: Signal<In, Bit>,
    /// Raise an interrupt behind the next status line.
    pub arm: Signal<In, Bit>,
    /// Pulse: the interrupt is raised, it is not armed any more.
    pub disarm: Signal<Out, Bit>,
    /// Interrupt request, held until it is acknowledged.
    pub req: Signal<Out, Bit>,
    /// Interrupt acknowledged.
    pub ack: Signal<In, Bit>,
    /// Interrupts acknowledged since reset.
    pub count: Signal<Out, Bits<32>>,
    owed: DFF<Bit>,
    raised: DFF<Bit>,
    acknowledged: DFF<Bits<32>>,
    one: Constant<Bits<32>>,
}

impl Default for Interrupt {
    fn default() -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            told: Default::default(),
            arm: Default::default(),
            disarm: Default::default(),
            req: Default::default(),
            ack: Default::default(),
            count: Default::default(),
            owed: Default::default(),
            raised: Default::default(),
            acknowledged: Default::default(),
            one: Constant::new(1.into()),
        }
    }
}

impl Logic for Interrupt {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, owed, raised, acknowledged);
        self.disarm.next = false;
        if self.raised.q.val() {
            if self.ack.val() {
                self.raised.d.next = false;
                self.acknowledged.d.next = self.acknowledged.q.val() + self.one.val();
            }
        } else if self.owed.q.val() {
            self.raised.d.next = true;
            self.owed.d.next = false;
            self.disarm.next = true;
        }
        // `arm` falls a cycle behind the pulse that clears it.
        if self.told.val() & self.arm.val() & !self.owed.q.val() {
            self.owed.d.next = true;
        }
        self.req.next = self.raised.q.val();
        self.count.next = self.acknowledged.q.val();
        if self.reset.val() {
            self.owed.d.next = false;
            self.raised.d.next = false;
            self.acknowledged.d.next = 0.into();
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use crate::gate::{Clocked, passes};
    use crate::ring::testing::{chance, number};

    impl Clocked for Interrupt {
        fn clock(&mut self) -> &mut Signal<In, Clock> {
            &mut self.clock
        }
    }

    /// As many interrupts as times that it was armed and told, each held until it is acknowledged.
    #[test]
    fn one_interrupt_for_each_time_it_was_armed() {
        let (mut armed, mut raised, mut acknowledged, mut was_up) = (false, 0u64, 0, false);
        passes("interrupt", Interrupt::default, 4000, 5, |uut, rng, cycle| {
            // What the edge that passed took in.
            if was_up && uut.ack.next {
                acknowledged += 1;
                assert!(!uut.req.val());
            } else {
                assert!(!was_up || uut.req.val(), "cycle {cycle}: the request fell");
            }
            was_up = uut.req.val();
            assert_eq!(number(uut.count.val()), acknowledged);
            if uut.disarm.val() {
                assert!(armed, "cycle {cycle}: disarmed what was not armed");
                armed = false;
                raised += 1;
            } else if !armed {
                armed = chance(rng, 10);
            }
            assert!(raised <= acknowledged + 1);
            uut.arm.next = armed;
            uut.told.next = chance(rng, 30);
            uut.ack.next = chance(rng, 20);
            uut.reset.next = false;
            if cycle == 3999 {
                assert!(raised > 100);
            }
        });
    }
}

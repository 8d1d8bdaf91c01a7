//! Decides when the status line is written, and what it says.
//!
//! ```text
//!                                     +--------+
//! running, start                   -->|        |--> turn, data
//! h2c_cidx, c2h_pidx, status, ..   -->| Status |<-- begun
//! lull, line                       -->|        |--> oldest
//! in_flight, answered, bad         -->|        |
//!                                     +--------+
//! ```
//!
//! It has a turn when something in it changed since it was last written and no line of the ring can be
//! taken (`lull`), or 64 lines went by. From then on the next write that is begun is the status line;
//! one is in flight at most. Answers come in order, so its own is found by counting those of the writes
//! before it. An answer that is an error ends it until the next start.

use std::mem::offset_of;

use rust_hdl::core::prelude::*;
use rust_hdl::widgets::prelude::*;
use wiresift_abi::c2h::StatusLine;
use wiresift_abi::csr::STATUS_IDLE;

/// Bits of the number of writes in flight.
pub const FLIGHT_BITS: usize = 8;
/// Bits of the status line that say something.
pub const STATUS_BITS: usize = TOLD_BITS + 32;
/// Lines after which a status line goes first, power of two.
const STATUS_LINES_LOG2: usize = 6;
/// Words whose change is a reason to write it: all but the number of writes.
const TOLD_WORDS: usize = 5;
const TOLD_BITS: usize = TOLD_WORDS * 32;

const _: () = assert!(offset_of!(StatusLine, h2c_cidx) == 0 && offset_of!(StatusLine, c2h_pidx) == 4);
const _: () = assert!(offset_of!(StatusLine, status) == 8 && offset_of!(StatusLine, error) == 12);
const _: () = assert!(offset_of!(StatusLine, packets_in) == 16 && offset_of!(StatusLine, writes) == 20);

/// The status line.
#[derive(LogicBlock)]
pub struct Status {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous reset.
    pub reset: Signal<In, Bit>,
    /// The writer runs; without it there is no turn.
    pub running: Signal<In, Bit>,
    /// Pulse: the writer starts; nothing is in flight.
    pub start: Signal<In, Bit>,
    /// Lines taken from the H2C ring.
    pub h2c_cidx: Signal<In, Bits<32>>,
    /// Records of the C2H ring that were acknowledged.
    pub c2h_pidx: Signal<In, Bits<32>>,
    /// STATUS.
    pub status: Signal<In, Bits<32>>,
    /// ERROR.
    pub error_register: Signal<In, Bits<32>>,
    /// Packets taken in.
    pub packets_in: Signal<In, Bits<32>>,
    /// No line of the ring can be taken in this cycle.
    pub lull: Signal<In, Bit>,
    /// Pulse: a line is taken.
    pub line: Signal<In, Bit>,
    /// The next write is the status line; stays until it is begun.
    pub turn: Signal<Out, Bit>,
    /// It is begun in this cycle; only in its turn.
    pub begun: Signal<In, Bit>,
    /// What is written: the status line from its first byte on.
    pub data: Signal<Out, Bits<STATUS_BITS>>,
    /// Writes in flight, this cycle's not counted.
    pub in_flight: Signal<In, Bits<FLIGHT_BITS>>,
    /// Pulse: the oldest of them is answered.
    pub answered: Signal<In, Bit>,
    /// The answer is an error.
    pub bad: Signal<In, Bit>,
    /// The oldest write in flight is the status line; an answer in this cycle is its answer.
    pub oldest: Signal<Out, Bit>,

    /// What the last status line said, as far as it is compared.
    told: DFF<Bits<TOLD_BITS>>,
    changed: [DFF<Bit>; TOLD_WORDS],
    next: DFF<Bit>,
    /// One is in flight, behind that many other writes.
    open: DFF<Bit>,
    before_it: DFF<Bits<FLIGHT_BITS>>,
    lines_since: DFF<Bits<STATUS_LINES_LOG2>>,
    overdue: DFF<Bit>,
    failed: DFF<Bit>,
    /// Number of the next status line.
    writes: DFF<Bits<32>>,
    now: Signal<Local, Bits<TOLD_BITS>>,
    compared: Signal<Local, Bits<TOLD_BITS>>,
    any_changed: Signal<Local, Bit>,
    one: Constant<Bits<32>>,
    none: Constant<Bits<FLIGHT_BITS>>,
    compare: Constant<Bits<TOLD_BITS>>,
}

/// The bits whose change is a reason to write the status line: not STATUS.IDLE, which the writing
/// itself changes.
fn compare() -> Bits<TOLD_BITS> {
    (!Bits::<TOLD_BITS>::default()).replace_bit(64 + STATUS_IDLE.trailing_zeros() as usize, false)
}

impl Default for Status {
    fn default() -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            running: Default::default(),
            start: Default::default(),
            h2c_cidx: Default::default(),
            c2h_pidx: Default::default(),
            status: Default::default(),
            error_register: Default::default(),
            packets_in: Default::default(),
            lull: Default::default(),
            line: Default::default(),
            turn: Default::default(),
            begun: Default::default(),
            data: Default::default(),
            in_flight: Default::default(),
            answered: Default::default(),
            bad: Default::default(),
            oldest: Default::default(),
            told: Default::default(),
            changed: Default::default(),
            next: Default::default(),
            open: Default::default(),
            before_it: Default::default(),
            lines_since: Default::default(),
            overdue: Default::default(),
            failed: Default::default(),
            writes: Default::default(),
            now: Default::default(),
            compared: Default::default(),
            any_changed: Default::default(),
            one: Constant::new(1.into()),
            none: Constant::new(0.into()),
            compare: Constant::new(compare()),
        }
    }
}

impl Logic for Status {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, told, next, open, before_it, lines_since, overdue, failed, writes);
        for i in 0..TOLD_WORDS {
            self.changed[i].clock.next = self.clock.val();
        }

        self.now.next = bit_cast::<TOLD_BITS, 32>(self.h2c_cidx.val())
            | (bit_cast::<TOLD_BITS, 32>(self.c2h_pidx.val()) << 32)
            | (bit_cast::<TOLD_BITS, 32>(self.status.val()) << 64)
            | (bit_cast::<TOLD_BITS, 32>(self.error_register.val()) << 96)
            | (bit_cast::<TOLD_BITS, 32>(self.packets_in.val()) << 128);
        self.compared.next = self.now.val() & self.compare.val();
        self.data.next = bit_cast::<STATUS_BITS, TOLD_BITS>(self.now.val())
            | (bit_cast::<STATUS_BITS, 32>(self.writes.q.val()) << 160);

        // Its turn.
        self.any_changed.next = false;
        for i in 0..TOLD_WORDS {
            self.changed[i].d.next =
                self.compared.val().get_bits::<32>(i * 32) != self.told.q.val().get_bits::<32>(i * 32);
            self.any_changed.next = self.any_changed.val() | self.changed[i].q.val();
        }
        self.next.d.next = self.any_changed.val()
            & !self.open.q.val()
            & !self.next.q.val()
            & !self.failed.q.val()
            & (self.overdue.q.val() | self.lull.val());
        if self.next.q.val() & !self.begun.val() {
            self.next.d.next = true;
        }
        self.turn.next = self.next.q.val();
        if self.line.val() {
            self.lines_since.d.next = self.lines_since.q.val() + 1;
            if self.lines_since.q.val().all() {
                self.overdue.d.next = true;
            }
        }

        // Its answer.
        // Written out twice: through a common signal Verilator takes `answered` for a cause of `oldest`.
        self.oldest.next = self.open.q.val() & (self.before_it.q.val() == self.none.val());
        if self.begun.val() {
            self.told.d.next = self.compared.val();
            self.writes.d.next = self.writes.q.val() + self.one.val();
            self.lines_since.d.next = 0.into();
            self.overdue.d.next = false;
            self.open.d.next = true;
            self.before_it.d.next = self.in_flight.val();
            if self.answered.val() {
                self.before_it.d.next = self.in_flight.val() - 1;
            }
        } else if self.open.q.val() & self.answered.val() {
            self.before_it.d.next = self.before_it.q.val() - 1;
        }
        if self.answered.val() & self.open.q.val() & (self.before_it.q.val() == self.none.val()) {
            self.open.d.next = false;
            if self.bad.val() {
                self.failed.d.next = true;
            }
        }

        // Start and stop.
        if self.start.val() {
            self.failed.d.next = false;
            self.told.d.next = 0.into();
            self.writes.d.next = self.one.val();
            self.lines_since.d.next = 0.into();
            self.overdue.d.next = false;
        }
        if !self.running.val() {
            self.next.d.next = false;
        }
        if self.reset.val() {
            self.next.d.next = false;
            self.open.d.next = false;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::collections::VecDeque;

    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;
    use crate::gate::{Clocked, Native, passes};
    use crate::ring::testing::{chance, number};

    impl Clocked for Status {
        fn clock(&mut self) -> &mut Signal<In, Clock> {
            &mut self.clock
        }
    }

    /// The writer around it: a queue of the writes in flight, where true is a status line.
    #[derive(Default)]
    struct Around {
        in_flight: VecDeque<bool>,
        running: bool,
        /// The answer of this cycle is that of the status line.
        is_answer: bool,
        told: u64,
    }

    impl Around {
        fn drive(&mut self, uut: &mut Status, rng: &mut ChaCha8Rng, cycle: usize) {
            uut.reset.next = cycle < 2;
            uut.running.next = self.running;
            uut.start.next = false;
            if self.running {
                self.running = !chance(rng, 1);
            } else if self.in_flight.is_empty() && cycle > 3 {
                uut.start.next = true;
                (self.running, self.told) = (true, 0);
            }
            let running = uut.running.next;
            let begun = running && uut.turn.val() && chance(rng, 40);
            let line = running && !uut.turn.val() && self.in_flight.len() < 9 && chance(rng, 60);
            uut.begun.next = begun;
            uut.line.next = line;
            uut.in_flight.next = self.in_flight.len().to_bits();
            let answered = !self.in_flight.is_empty() && chance(rng, 50);
            uut.answered.next = answered;
            self.is_answer = answered && self.in_flight.pop_front() == Some(true);
            if begun || line {
                assert!(!begun || !self.in_flight.contains(&true), "two in flight");
                self.in_flight.push_back(begun);
            }
            self.told += u64::from(begun);
            uut.bad.next = answered && chance(rng, 1);
            uut.lull.next = chance(rng, 30);
            uut.h2c_cidx.next = (cycle as u64 / 7).into();
            uut.c2h_pidx.next = (cycle as u64 / 11).into();
            uut.status.next = (cycle as u64 / 100).into();
            uut.packets_in.next = (cycle as u64 / 300).into();
        }
    }

    #[test]
    fn it_knows_its_own_answer_and_is_alone_in_flight() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let (mut around, mut native) = (Around::default(), Native::new(Status::default()));
        let mut answers = 0;
        for cycle in 0..6000 {
            around.drive(&mut native.uut, &mut rng, cycle);
            native.settle();
            let uut = &native.uut;
            assert_eq!(uut.oldest.val() && uut.answered.val(), around.is_answer, "cycle {cycle}");
            if uut.begun.val() {
                let word = |n: usize| number(uut.data.val().get_bits::<32>(32 * n));
                let now = cycle as u64;
                assert_eq!([word(0), word(1), word(2), word(3)], [now / 7, now / 11, now / 100, 0]);
                assert_eq!([word(4), word(5)], [now / 300, around.told]);
            }
            answers += usize::from(around.is_answer);
            native.step();
        }
        assert!(answers > 300, "{answers}");
    }

    #[test]
    fn it_passes_the_gate() {
        let mut around = Around::default();
        passes("status", Status::default, 4000, 3, |uut, rng, cycle| around.drive(uut, rng, cycle));
    }
}

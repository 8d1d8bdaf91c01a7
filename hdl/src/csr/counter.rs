//! One counter of the CSR space.
//!
//! ```text
//!                          .---------.
//! step ------------------->|         |---> low, middle, high    a third each, one cycle apart
//! read_address ----------->| Counter |
//! latch ------------------>|         |---> latched              the high third at the last read
//!                          '---------'
//! ```
//!
//! Each cycle the counter grows by `step`. So that no carry runs through 48 bits, it is held in
//! thirds: a carry reaches the next third one cycle later. A read takes the thirds one cycle after
//! another, and so sees a number that the counter really had. Thirds are zero when not asked for.

use rust_hdl::core::prelude::*;
use rust_hdl::widgets::prelude::*;
use wiresift_abi::csr::{COUNTER_BITS, COUNTERS};

use super::word::NUMBER_BITS;

/// Bits of a third.
pub const THIRD_BITS: usize = COUNTER_BITS / 3;
/// Bits of a third and its carry.
const SUM_BITS: usize = THIRD_BITS + 1;
/// Bits of the number of a pair of registers.
const PAIR_BITS: usize = NUMBER_BITS - 1;

const _: () = assert!(THIRD_BITS * 3 == COUNTER_BITS && THIRD_BITS == 16);

/// A counter.
#[derive(LogicBlock)]
pub struct Counter {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous reset: zero.
    pub reset: Signal<In, Bit>,
    /// What is added.
    pub step: Signal<In, Bits<THIRD_BITS>>,
    /// Number of the register that is read, stable during the read.
    pub read_address: Signal<In, Bits<NUMBER_BITS>>,
    /// The high third is the one of this read.
    pub latch: Signal<In, Bit>,
    /// Bits 15:0.
    pub low: Signal<Out, Bits<THIRD_BITS>>,
    /// Bits 31:16, one cycle later.
    pub middle: Signal<Out, Bits<THIRD_BITS>>,
    /// The latched bits 47:32, when the high word is read.
    pub latched: Signal<Out, Bits<THIRD_BITS>>,
    added: DFF<Bits<THIRD_BITS>>,
    low_sum: DFF<Bits<SUM_BITS>>,
    middle_sum: DFF<Bits<SUM_BITS>>,
    high: DFF<Bits<THIRD_BITS>>,
    high_at_read: DFF<Bits<THIRD_BITS>>,
    selected: DFF<Bit>,
    high_word: DFF<Bit>,
    low_third: Signal<Local, Bits<THIRD_BITS>>,
    middle_third: Signal<Local, Bits<THIRD_BITS>>,
    middle_carry: Signal<Local, Bits<SUM_BITS>>,
    high_carry: Signal<Local, Bits<THIRD_BITS>>,
    pair: Signal<Local, Bits<PAIR_BITS>>,
    number: Constant<Bits<PAIR_BITS>>,
}

impl Counter {
    /// Counter number `counter` of the table in `abi::csr`.
    pub fn new(counter: usize) -> Self {
        Self {
            clock: Signal::default(),
            reset: Signal::default(),
            step: Signal::default(),
            read_address: Signal::default(),
            latch: Signal::default(),
            low: Signal::default(),
            middle: Signal::default(),
            latched: Signal::default(),
            added: DFF::default(),
            low_sum: DFF::default(),
            middle_sum: DFF::default(),
            high: DFF::default(),
            high_at_read: DFF::default(),
            selected: DFF::default(),
            high_word: DFF::default(),
            low_third: Signal::default(),
            middle_third: Signal::default(),
            middle_carry: Signal::default(),
            high_carry: Signal::default(),
            pair: Signal::default(),
            number: Constant::new((usize::from(COUNTERS) / 8 + counter).to_bits()),
        }
    }
}

impl Logic for Counter {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, added, low_sum, middle_sum, high, high_at_read, selected, high_word);
        self.added.d.next = self.step.val();
        self.low_third.next = self.low_sum.q.val().get_bits::<THIRD_BITS>(0);
        self.middle_third.next = self.middle_sum.q.val().get_bits::<THIRD_BITS>(0);
        self.middle_carry.next = 0.into();
        self.high_carry.next = 0.into();
        for i in THIRD_BITS..(THIRD_BITS + 1) {
            if self.low_sum.q.val().get_bit(i) {
                self.middle_carry.next = 1.into();
            }
            if self.middle_sum.q.val().get_bit(i) {
                self.high_carry.next = 1.into();
            }
        }
        self.low_sum.d.next = bit_cast::<SUM_BITS, THIRD_BITS>(self.low_third.val())
            + bit_cast::<SUM_BITS, THIRD_BITS>(self.added.q.val());
        self.middle_sum.d.next =
            bit_cast::<SUM_BITS, THIRD_BITS>(self.middle_third.val()) + self.middle_carry.val();
        self.high.d.next = self.high.q.val() + self.high_carry.val();

        self.pair.next = self.read_address.val().get_bits::<PAIR_BITS>(1);
        self.selected.d.next = self.pair.val() == self.number.val();
        self.high_word.d.next = self.read_address.val().get_bit(0);
        self.low.next = 0.into();
        self.middle.next = 0.into();
        self.latched.next = 0.into();
        if self.selected.q.val() & self.high_word.q.val() {
            self.latched.next = self.high_at_read.q.val();
        } else if self.selected.q.val() {
            self.low.next = self.low_third.val();
            self.middle.next = self.middle_third.val();
            if self.latch.val() {
                self.high_at_read.d.next = self.high.q.val();
            }
        }
        if self.reset.val() {
            self.added.d.next = 0.into();
            self.low_sum.d.next = 0.into();
            self.middle_sum.d.next = 0.into();
            self.high.d.next = 0.into();
            self.high_at_read.d.next = 0.into();
        }
    }
}

//! Every counter of `abi::csr`, one port each.
//!
//! ```text
//!                                       .----------.
//! cycles, h2c_lines, batches, .. ------>|          |
//! packet_bytes, id_records, .. (n bits) | Counters |---> read_data
//! read_address, take_low/middle/high -->|          |
//!                                       '----------'
//! ```
//!
//! Each cycle every counter grows by its port: a pulse by one, a number by itself. During a read
//! `read_address` stands still and the three `take` pulses follow one another, the first no earlier than
//! one cycle behind a change of the address; `read_data` is whole behind the last. It is zero for
//! registers that are no counters.

use rust_hdl::core::prelude::*;
use rust_hdl::widgets::prelude::*;
use wiresift_abi::csr::{COUNTER_TABLE, Counter as Name};

use super::counter::{Counter, THIRD_BITS};
use super::word::NUMBER_BITS;

/// How many there are.
const COUNT: usize = COUNTER_TABLE.len();
const _: () = assert!(COUNT.is_multiple_of(4));

macro_rules! counters {
    (pulses { $($pulse:ident $pulse_name:ident $pulse_text:literal;)* }
     numbers { $($number:ident $bits:literal $number_name:ident $number_text:literal;)* }) => {
        /// The counters.
        #[derive(LogicBlock)]
        pub struct Counters {
            /// Clock.
            pub clock: Signal<In, Clock>,
            /// Synchronous reset: all zero.
            pub reset: Signal<In, Bit>,
            $(#[doc = $pulse_text] pub $pulse: Signal<In, Bit>,)*
            $(#[doc = $number_text] pub $number: Signal<In, Bits<$bits>>,)*
            /// Number of the register that is read.
            pub read_address: Signal<In, Bits<NUMBER_BITS>>,
            /// Takes bits 15:0, or the latched high word.
            pub take_low: Signal<In, Bit>,
            /// Takes bits 31:16.
            pub take_middle: Signal<In, Bit>,
            /// Latches bits 47:32.
            pub take_high: Signal<In, Bit>,
            /// What is read.
            pub read_data: Signal<Out, Bits<32>>,
            bank: Vec<Counter>,
            low: DFF<Bits<THIRD_BITS>>,
            middle: DFF<Bits<THIRD_BITS>>,
            any_low: Signal<Local, Bits<THIRD_BITS>>,
            any_middle: Signal<Local, Bits<THIRD_BITS>>,
            quarter_low: Vec<Signal<Local, Bits<THIRD_BITS>>>,
            quarter_middle: Vec<Signal<Local, Bits<THIRD_BITS>>>,
        }

        impl Default for Counters {
            fn default() -> Self {
                Self {
                    clock: Signal::default(),
                    reset: Signal::default(),
                    $($pulse: Signal::default(),)*
                    $($number: Signal::default(),)*
                    read_address: Signal::default(),
                    take_low: Signal::default(),
                    take_middle: Signal::default(),
                    take_high: Signal::default(),
                    read_data: Signal::default(),
                    bank: (0..COUNT).map(Counter::new).collect(),
                    low: DFF::default(),
                    middle: DFF::default(),
                    any_low: Signal::default(),
                    any_middle: Signal::default(),
                    quarter_low: vec![Signal::default(); 4],
                    quarter_middle: vec![Signal::default(); 4],
                }
            }
        }

        impl Logic for Counters {
            #[hdl_gen]
            fn update(&mut self) {
                dff_setup!(self, clock, low, middle);
                $(
                    for i in (Name::$pulse_name as usize)..(Name::$pulse_name as usize + 1) {
                        self.bank[i].step.next = 0.into();
                        if self.$pulse.val() {
                            self.bank[i].step.next = 1.into();
                        }
                    }
                )*
                $(
                    for i in (Name::$number_name as usize)..(Name::$number_name as usize + 1) {
                        self.bank[i].step.next = bit_cast::<THIRD_BITS, $bits>(self.$number.val());
                    }
                )*
                for i in 0..COUNT {
                    self.bank[i].clock.next = self.clock.val();
                    self.bank[i].reset.next = self.reset.val();
                    self.bank[i].read_address.next = self.read_address.val();
                    self.bank[i].latch.next = self.take_high.val();
                }
                // Joined by quarters: one chain over all would be as deep as it is long.
                self.any_low.next = 0.into();
                self.any_middle.next = 0.into();
                for k in 0..4 {
                    self.quarter_low[k].next = 0.into();
                    self.quarter_middle[k].next = 0.into();
                    for i in 0..(COUNT / 4) {
                        self.quarter_low[k].next = self.quarter_low[k].val()
                            | self.bank[4 * i + k].low.val()
                            | self.bank[4 * i + k].latched.val();
                        self.quarter_middle[k].next =
                            self.quarter_middle[k].val() | self.bank[4 * i + k].middle.val();
                    }
                    self.any_low.next = self.any_low.val() | self.quarter_low[k].val();
                    self.any_middle.next = self.any_middle.val() | self.quarter_middle[k].val();
                }
                if self.take_low.val() {
                    self.low.d.next = self.any_low.val();
                }
                if self.take_middle.val() {
                    self.middle.d.next = self.any_middle.val();
                }
                self.read_data.next = bit_cast::<32, THIRD_BITS>(self.low.q.val())
                    | (bit_cast::<32, THIRD_BITS>(self.middle.q.val()) << 16);
            }
        }

        /// Sets a port by its counter: `value` is 0 or 1 for a pulse.
        #[cfg(test)]
        pub fn set(uut: &mut Counters, counter: Name, value: u32) {
            match counter {
                $(Name::$pulse_name => uut.$pulse.next = value != 0,)*
                $(Name::$number_name => uut.$number.next = value.to_bits(),)*
            }
        }

        /// Largest step of a counter.
        #[cfg(test)]
        pub fn step_max(counter: Name) -> u32 {
            match counter {
                $(Name::$pulse_name => 1,)*
                $(Name::$number_name => (1 << $bits) - 1,)*
            }
        }

        // Each counter of the contract has exactly one port.
        const _: () = {
            let ports = [$(Name::$pulse_name as usize,)* $(Name::$number_name as usize,)*];
            assert!(ports.len() == COUNT);
            let mut seen = 0u64;
            let mut n = 0;
            while n < COUNT {
                seen |= 1 << ports[n];
                n += 1;
            }
            assert!(seen == (1 << COUNT) - 1);
        };
    };
}

counters! {
    pulses {
        cycles Cycles "A cycle while RUNNING.";
        h2c_lines H2cLines "A line came from the ring.";
        batches Batches "A batch was begun.";
        packets_in PacketsIn "A packet was taken from the ring.";
        packet_beats PacketBeats "A beat of a packet was taken.";
        commands Commands "A command was taken from the ring.";
        c2h_lines C2hLines "A line was written to the C2H ring.";
        status_lines StatusLines "The status line was written.";
        read_bursts ReadBursts "A read burst was asked for.";
        read_errors ReadErrors "A beat was read with an error response.";
        write_bursts WriteBursts "A write burst was asked for.";
        write_errors WriteErrors "A write burst was answered with an error.";
        starved_cycles StarvedCycles "A cycle in which the unpacking had no beat.";
        blocked_cycles BlockedCycles "A cycle in which the parser did not take a beat.";
        credit_cycles CreditCycles "A cycle in which a C2H line waited for credit.";
    }
    numbers {
        packet_bytes 16 PacketBytes "Bytes of the packet that was taken.";
        packets_discarded 16 PacketsDiscarded "Packets discarded by a stop or a halt.";
        verdicts 3 Verdicts "Verdict records handed to the writer.";
        id_records 3 IdRecords "Id records handed to the writer.";
        pad_records 3 PadRecords "Pad records handed to the writer.";
        acl_matches 3 AclMatches "Verdicts with an ACL rule among them.";
        signature_matches 3 SignatureMatches "Verdicts with signature headers among them.";
        cut 3 Cut "Verdicts with the flag CUT among them.";
        deferred 3 Deferred "Verdicts with the flag DEFER among them.";
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;

//! From a window to a header vector, by the rules of `docs/packet-semantics.md`.
//!
//! ```text
//!                     +--------+
//! valid, command   -->|        |--> out_valid, out_command
//! window, length   -->| Parser |--> out_line
//! sequence_number  -->|        |--> out_sequence
//!                     +--------+
//! ```
//!
//! One element a cycle; each comes out [`LATENCY`] cycles later. Nothing stalls, so there is no `tready`.
//! The stages hand on no more than the later ones need:
//!
//! | cycle | stage | in one line |
//! |---|---|---|
//! | 1 | [`Ethernet`] | looks at the three places of the EtherType |
//! | 2 | [`Vlan`] | decides which of them it is |
//! | 3 | [`Base`] | IPv4 or IPv6 base header: lengths and checks |
//! | 4 | [`Bounds`] | where the packet ends, first part of the vector |
//! | 5-12 | [`Extension`] x 4 | walks over IPv6 extension headers |
//! | 13 | [`Transport`] | picks the words of the transport header |
//! | 14 | [`Assemble`] | second part of the vector |
//!
//! A command's line goes the way of the vector. Where a byte of the packet behind the window is needed,
//! or a fifth extension header stands in the way, the flag DEFER leaves the packet to the host.

use rust_hdl::prelude::*;
use wiresift_abi::bits::LINE_BITS;
use wiresift_abi::vector::CARD_EXTENSION_HEADERS;

use super::assemble::Assemble;
use super::base::Base;
use super::bounds::Bounds;
use super::delay::Delay;
use super::element;
use super::ethernet::Ethernet;
use super::extension::Extension;
use super::transport::Transport;
use super::vlan::{LOW_BITS, TAIL_BITS, Vlan};
use super::window::WINDOW_BITS;

/// Cycles from an element's input to its output.
pub const LATENCY: usize = BOUNDS + WALK + 2;
/// Cycle in which the first part of the vector comes out.
const BOUNDS: usize = 4;
/// Cycles of the walk over extension headers.
const WALK: usize = 2 * CARD_EXTENSION_HEADERS;
/// Bits of what goes past the stages: `command` and sequence number.
const LABEL_BITS: usize = 33;

// The kernel names the last step and the last cycle by number.
const _: () = assert!(CARD_EXTENSION_HEADERS == 4 && LATENCY == 14);

/// The parser: wires between its stages.
#[derive(LogicBlock)]
pub struct Parser {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous reset: no element is inside.
    pub reset: Signal<In, Bit>,
    /// An element is at the inputs.
    pub valid: Signal<In, Bit>,
    /// It is a command.
    pub command: Signal<In, Bit>,
    /// First bytes of the packet, or the line of the command in the low bits; byte 0 lowest.
    pub window: Signal<In, Bits<WINDOW_BITS>>,
    /// Bytes of the packet.
    pub length: Signal<In, Bits<16>>,
    /// Sequence number.
    pub sequence_number: Signal<In, Bits<32>>,
    /// An element is at the outputs.
    pub out_valid: Signal<Out, Bit>,
    /// It is a command.
    pub out_command: Signal<Out, Bit>,
    /// Header vector ([`wiresift_abi::vector`]), or the command's line.
    pub out_line: Signal<Out, Bits<LINE_BITS>>,
    /// Sequence number.
    pub out_sequence: Signal<Out, Bits<32>>,
    ethernet: Ethernet,
    vlan: Vlan,
    base: Base,
    bounds: Bounds,
    extensions: [Extension; CARD_EXTENSION_HEADERS],
    transport: Transport,
    assemble: Assemble,
    low_base: DFF<Bits<LOW_BITS>>,
    tail_base: DFF<Bits<TAIL_BITS>>,
    tail_bounds: DFF<Bits<TAIL_BITS>>,
    line_past_walk: Delay<LINE_BITS, { WALK + 1 }>,
    label: Delay<LABEL_BITS, LATENCY>,
    in_flight: DFF<Bits<LATENCY>>,
    label_in: Signal<Local, Bits<LABEL_BITS>>,
    label_out: Signal<Local, Bits<LABEL_BITS>>,
    command_bit: Constant<Bits<LABEL_BITS>>,
    none: Constant<Bits<LATENCY>>,
}

impl Default for Parser {
    fn default() -> Self {
        element::assert_layout();
        Self {
            clock: Signal::default(),
            reset: Signal::default(),
            valid: Signal::default(),
            command: Signal::default(),
            window: Signal::default(),
            length: Signal::default(),
            sequence_number: Signal::default(),
            out_valid: Signal::default(),
            out_command: Signal::default(),
            out_line: Signal::default(),
            out_sequence: Signal::default(),
            ethernet: Ethernet::default(),
            vlan: Vlan::default(),
            base: Base::default(),
            bounds: Bounds::default(),
            extensions: Default::default(),
            transport: Transport::default(),
            assemble: Assemble::default(),
            low_base: DFF::default(),
            tail_base: DFF::default(),
            tail_bounds: DFF::default(),
            line_past_walk: Delay::default(),
            label: Delay::default(),
            in_flight: DFF::default(),
            label_in: Signal::default(),
            label_out: Signal::default(),
            command_bit: Constant::new((1u64 << 32).into()),
            none: Constant::new(0.into()),
        }
    }
}

impl Logic for Parser {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, low_base, tail_base, tail_bounds, in_flight);
        self.ethernet.clock.next = self.clock.val();
        self.vlan.clock.next = self.clock.val();
        self.base.clock.next = self.clock.val();
        self.bounds.clock.next = self.clock.val();
        self.transport.clock.next = self.clock.val();
        self.assemble.clock.next = self.clock.val();
        self.line_past_walk.clock.next = self.clock.val();
        self.label.clock.next = self.clock.val();

        self.ethernet.command.next = self.command.val();
        self.ethernet.window.next = self.window.val();
        self.ethernet.length.next = self.length.val();

        self.vlan.looks.next = self.ethernet.looks.val();
        self.vlan.window.next = self.ethernet.out_window.val();
        self.vlan.bytes.next = self.ethernet.bytes.val();

        self.base.link.next = self.vlan.link.val();
        self.base.head.next = self.vlan.head.val();
        self.low_base.d.next = self.vlan.low.val();
        self.tail_base.d.next = self.vlan.tail.val();

        self.bounds.link.next = self.base.out_link.val();
        self.bounds.base.next = self.base.base.val();
        self.bounds.head.next = self.base.out_head.val();
        self.bounds.low.next = self.low_base.q.val();
        self.tail_bounds.d.next = self.tail_base.q.val();

        for i in 0..CARD_EXTENSION_HEADERS {
            self.extensions[i].clock.next = self.clock.val();
        }
        self.extensions[0].walk.next = self.bounds.walk.val();
        self.extensions[0].tail.next = self.tail_bounds.q.val();
        for i in 1..CARD_EXTENSION_HEADERS {
            self.extensions[i].walk.next = self.extensions[i - 1].out_walk.val();
            self.extensions[i].tail.next = self.extensions[i - 1].out_tail.val();
        }
        self.transport.walk.next = self.extensions[3].out_walk.val();
        self.transport.tail.next = self.extensions[3].out_tail.val();
        self.line_past_walk.data.next = self.bounds.line.val();

        self.assemble.found.next = self.transport.found.val();
        self.assemble.line.next = self.line_past_walk.delayed.val();
        self.out_line.next = self.assemble.out_line.val();

        self.label_in.next = bit_cast::<LABEL_BITS, 32>(self.sequence_number.val());
        if self.command.val() {
            self.label_in.next =
                bit_cast::<LABEL_BITS, 32>(self.sequence_number.val()) | self.command_bit.val();
        }
        self.label.data.next = self.label_in.val();
        self.label_out.next = self.label.delayed.val();
        self.out_command.next = self.label_out.val().get_bit(32);
        self.out_sequence.next = self.label_out.val().get_bits::<32>(0);

        self.in_flight.d.next =
            (self.in_flight.q.val() << 1) | bit_cast::<LATENCY, 1>(self.valid.val().into());
        self.out_valid.next = self.in_flight.q.val().get_bit(13);
        if self.reset.val() {
            self.in_flight.d.next = self.none.val();
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;

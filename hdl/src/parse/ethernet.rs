//! Ethernet header: looks at all places at which the EtherType can be.
//!
//! ```text
//!            +----------+
//! command -->|          |--> looks
//! window  -->| Ethernet |
//! length  -->|          |--> out_window, bytes
//!            +----------+
//! ```
//!
//! One element a cycle, one cycle. With at most two VLAN tags the EtherType is at byte 12, 16 or 20; it
//! is compared at all three before it is known which of them it is (`docs/packet-semantics.md`, 1 and 2).

use rust_hdl::prelude::*;

use super::element::Looks;
use super::ether_type::EtherType;
use super::window::WINDOW_BITS;
use super::wire_order::WireOrder;

/// Bytes of an Ethernet header without tags, with one, with two.
const HEADER_BYTES: [u64; 3] = [14, 18, 22];

/// First stage of the parser.
#[derive(LogicBlock)]
pub struct Ethernet {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// The element is a command.
    pub command: Signal<In, Bit>,
    /// First bytes of the packet.
    pub window: Signal<In, Bits<WINDOW_BITS>>,
    /// Bytes of the packet.
    pub length: Signal<In, Bits<16>>,
    /// What was seen.
    pub looks: Signal<Out, Looks>,
    /// The window, in step with `looks`.
    pub out_window: Signal<Out, Bits<WINDOW_BITS>>,
    /// The window with byte 0 in the high bits.
    pub bytes: Signal<Out, Bits<WINDOW_BITS>>,
    at_12: EtherType,
    at_16: EtherType,
    at_20: EtherType,
    looks_held: DFF<Looks>,
    order: WireOrder,
    headers: [Constant<Bits<16>>; 3],
}

impl Default for Ethernet {
    fn default() -> Self {
        Self {
            clock: Signal::default(),
            command: Signal::default(),
            window: Signal::default(),
            length: Signal::default(),
            looks: Signal::default(),
            out_window: Signal::default(),
            bytes: Signal::default(),
            at_12: EtherType::default(),
            at_16: EtherType::default(),
            at_20: EtherType::default(),
            looks_held: DFF::default(),
            order: WireOrder::default(),
            headers: HEADER_BYTES.map(|bytes| Constant::new(bytes.into())),
        }
    }
}

impl Logic for Ethernet {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, looks_held);
        self.order.clock.next = self.clock.val();
        self.order.window.next = self.window.val();
        self.at_12.clock.next = self.clock.val();
        self.at_16.clock.next = self.clock.val();
        self.at_20.clock.next = self.clock.val();
        self.at_12.bytes.next = self.window.val().get_bits::<16>(96);
        self.at_16.bytes.next = self.window.val().get_bits::<16>(128);
        self.at_20.bytes.next = self.window.val().get_bits::<16>(160);
        self.looks_held.d.next.command = self.command.val();
        self.looks_held.d.next.whole_0 = self.length.val() >= self.headers[0].val();
        self.looks_held.d.next.whole_1 = self.length.val() >= self.headers[1].val();
        self.looks_held.d.next.whole_2 = self.length.val() >= self.headers[2].val();
        self.looks_held.d.next.length = self.length.val();
        self.looks_held.d.next.behind = self.length.val() - self.headers[0].val();
        self.looks.next = self.looks_held.q.val();
        self.looks.next.vlan_0 = self.at_12.vlan.val();
        self.looks.next.vlan_1 = self.at_16.vlan.val();
        self.looks.next.vlan_2 = self.at_20.vlan.val();
        self.looks.next.ipv4_0 = self.at_12.ipv4.val();
        self.looks.next.ipv4_1 = self.at_16.ipv4.val();
        self.looks.next.ipv4_2 = self.at_20.ipv4.val();
        self.looks.next.ipv6_0 = self.at_12.ipv6.val();
        self.looks.next.ipv6_1 = self.at_16.ipv6.val();
        self.looks.next.ipv6_2 = self.at_20.ipv6.val();
        self.looks.next.tunnel_0 = self.at_12.tunnel.val();
        self.looks.next.tunnel_1 = self.at_16.tunnel.val();
        self.looks.next.tunnel_2 = self.at_20.tunnel.val();
        self.out_window.next = self.order.out_window.val();
        self.bytes.next = self.order.bytes.val();
    }
}

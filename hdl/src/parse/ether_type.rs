//! What an EtherType is to the parser.
//!
//! ```text
//!           +-----------+
//! bytes  -->| EtherType |--> vlan, ipv4, ipv6, tunnel
//!           +-----------+
//! ```
//!
//! One cycle. A block without a register cannot be driven and read by one kernel: the tools would see a
//! loop through it.

use rust_hdl::prelude::*;
use wiresift_abi::vector::number::{ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPES_TUNNEL, ETHERTYPES_VLAN};

/// Compares two bytes as they lie in the window (the first one low) with the known EtherTypes.
#[derive(LogicBlock)]
pub struct EtherType {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// The two bytes.
    pub bytes: Signal<In, Bits<16>>,
    /// A VLAN tag.
    pub vlan: Signal<Out, Bit>,
    /// IPv4.
    pub ipv4: Signal<Out, Bit>,
    /// IPv6.
    pub ipv6: Signal<Out, Bit>,
    /// Another packet.
    pub tunnel: Signal<Out, Bit>,
    is_vlan: DFF<Bit>,
    is_ipv4: DFF<Bit>,
    is_ipv6: DFF<Bit>,
    is_tunnel: DFF<Bit>,
    vlans: [Constant<Bits<16>>; 3],
    tunnels: [Constant<Bits<16>>; 4],
    four: Constant<Bits<16>>,
    six: Constant<Bits<16>>,
}

/// An EtherType as its bytes lie in the window.
fn in_window(ethertype: u16) -> Constant<Bits<16>> {
    Constant::new(u64::from(ethertype.swap_bytes()).into())
}

impl Default for EtherType {
    fn default() -> Self {
        Self {
            clock: Signal::default(),
            bytes: Signal::default(),
            vlan: Signal::default(),
            ipv4: Signal::default(),
            ipv6: Signal::default(),
            tunnel: Signal::default(),
            is_vlan: DFF::default(),
            is_ipv4: DFF::default(),
            is_ipv6: DFF::default(),
            is_tunnel: DFF::default(),
            vlans: ETHERTYPES_VLAN.map(in_window),
            tunnels: ETHERTYPES_TUNNEL.map(in_window),
            four: in_window(ETHERTYPE_IPV4),
            six: in_window(ETHERTYPE_IPV6),
        }
    }
}

impl Logic for EtherType {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, is_vlan, is_ipv4, is_ipv6, is_tunnel);
        self.is_vlan.d.next = (self.bytes.val() == self.vlans[0].val())
            | (self.bytes.val() == self.vlans[1].val())
            | (self.bytes.val() == self.vlans[2].val());
        self.is_ipv4.d.next = self.bytes.val() == self.four.val();
        self.is_ipv6.d.next = self.bytes.val() == self.six.val();
        self.is_tunnel.d.next = (self.bytes.val() == self.tunnels[0].val())
            | (self.bytes.val() == self.tunnels[1].val())
            | (self.bytes.val() == self.tunnels[2].val())
            | (self.bytes.val() == self.tunnels[3].val());
        self.vlan.next = self.is_vlan.q.val();
        self.ipv4.next = self.is_ipv4.q.val();
        self.ipv6.next = self.is_ipv6.q.val();
        self.tunnel.next = self.is_tunnel.q.val();
    }
}

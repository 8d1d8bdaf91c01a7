//! What an EtherType is to the parser.
//!
//! ```text
//!           +-----------+
//! bytes  -->| EtherType |--> vlan, ipv4, ipv6, tunnel
//!           +-----------+
//! ```
//!
//! Without a register.

use rust_hdl::prelude::*;
use wiresift_abi::vector::number::{ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPES_TUNNEL, ETHERTYPES_VLAN};

/// Compares two bytes as they lie in the window (the first one low) with the known EtherTypes.
#[derive(LogicBlock)]
pub struct EtherType {
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
            bytes: Signal::default(),
            vlan: Signal::default(),
            ipv4: Signal::default(),
            ipv6: Signal::default(),
            tunnel: Signal::default(),
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
        self.vlan.next = (self.bytes.val() == self.vlans[0].val())
            | (self.bytes.val() == self.vlans[1].val())
            | (self.bytes.val() == self.vlans[2].val());
        self.ipv4.next = self.bytes.val() == self.four.val();
        self.ipv6.next = self.bytes.val() == self.six.val();
        self.tunnel.next = (self.bytes.val() == self.tunnels[0].val())
            | (self.bytes.val() == self.tunnels[1].val())
            | (self.bytes.val() == self.tunnels[2].val())
            | (self.bytes.val() == self.tunnels[3].val());
    }
}

//! What the stages of the parser hand on, as structures of bits (first field at bit 0).

use rust_hdl::prelude::*;
use wiresift_abi::bits::Field;
use wiresift_abi::vector::{self, Class, Flags};

/// The header vector, field by field and flag by flag as in [`wiresift_abi::vector`];
/// [`assert_layout`] holds the two against each other.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Vector {
    /// Source address.
    pub src: Bits<128>,
    /// Destination address.
    pub dst: Bits<128>,
    /// Source port.
    pub sport: Bits<16>,
    /// Destination port.
    pub dport: Bits<16>,
    /// Protocol.
    pub proto: Bits<8>,
    /// Class: IP.
    pub class_ip: Bit,
    /// Class: IPv6.
    pub class_ipv6: Bit,
    /// Class: ports.
    pub class_ports: Bit,
    /// Class: fragment.
    pub class_fragment: Bit,
    /// Class: later fragment.
    pub class_later_fragment: Bit,
    /// Class: VLAN.
    pub class_vlan: Bit,
    /// Class: `aux`.
    pub class_aux: Bit,
    /// Class: unused.
    pub class_spare: Bits<1>,
    /// TCP flags, or ICMP type and code.
    pub aux: Bits<16>,
    /// EtherType.
    pub ethertype: Bits<16>,
    /// Outer tag.
    pub vlan_outer: Bits<16>,
    /// Inner tag.
    pub vlan_inner: Bits<16>,
    /// Flag: truncated.
    pub truncated: Bit,
    /// Flag: malformed.
    pub malformed: Bit,
    /// Flag: fragment.
    pub fragment: Bit,
    /// Flag: no IP.
    pub non_ip: Bit,
    /// Flag: too many tags.
    pub vlan_depth: Bit,
    /// Flag: tunnel.
    pub tunnel: Bit,
    /// Flags that the card never sets (`ext_chain`: it defers before, `jumbo`: never in the ring),
    /// and unused ones.
    pub flags_spare: Bits<8>,
    /// Flag: the host decides.
    pub defer: Bit,
    /// Flag of a later stage.
    pub cut: Bit,
    /// Bytes of the packet.
    pub length: Bits<16>,
    /// Start of the transport header.
    pub l4_offset: Bits<16>,
}

/// Bits of [`Vector`].
pub const VECTOR_BITS: usize = <Vector as Synth>::BITS;
const _: () = assert!(VECTOR_BITS == vector::VECTOR_BITS);

/// Holds [`Vector`] against the contract.
///
/// # Panics
/// Where a field lies elsewhere or has another width.
pub fn assert_layout() {
    let v = Vector::default();
    let fields: [(Field, usize, usize); 13] = [
        (vector::SRC, v.get_my_offset_src(), v.get_my_width_src()),
        (vector::DST, v.get_my_offset_dst(), v.get_my_width_dst()),
        (vector::SPORT, v.get_my_offset_sport(), v.get_my_width_sport()),
        (vector::DPORT, v.get_my_offset_dport(), v.get_my_width_dport()),
        (vector::PROTO, v.get_my_offset_proto(), v.get_my_width_proto()),
        (vector::CLASS, v.get_my_offset_class_ip(), v.get_my_offset_aux() - v.get_my_offset_class_ip()),
        (vector::AUX, v.get_my_offset_aux(), v.get_my_width_aux()),
        (vector::ETHERTYPE, v.get_my_offset_ethertype(), v.get_my_width_ethertype()),
        (vector::VLAN_OUTER, v.get_my_offset_vlan_outer(), v.get_my_width_vlan_outer()),
        (vector::VLAN_INNER, v.get_my_offset_vlan_inner(), v.get_my_width_vlan_inner()),
        (vector::FLAGS, v.get_my_offset_truncated(), v.get_my_offset_length() - v.get_my_offset_truncated()),
        (vector::LENGTH, v.get_my_offset_length(), v.get_my_width_length()),
        (vector::L4_OFFSET, v.get_my_offset_l4_offset(), v.get_my_width_l4_offset()),
    ];
    for (field, lsb, bits) in fields {
        assert_eq!((field.lsb, field.bits), (lsb, bits), "field {} of the vector", field.name);
    }
    let class = |offset: usize| 1u8 << (offset - vector::CLASS.lsb);
    assert_eq!(class(v.get_my_offset_class_ip()), Class::IP);
    assert_eq!(class(v.get_my_offset_class_ipv6()), Class::IPV6);
    assert_eq!(class(v.get_my_offset_class_ports()), Class::PORTS);
    assert_eq!(class(v.get_my_offset_class_fragment()), Class::FRAGMENT);
    assert_eq!(class(v.get_my_offset_class_later_fragment()), Class::LATER_FRAGMENT);
    assert_eq!(class(v.get_my_offset_class_vlan()), Class::VLAN);
    assert_eq!(class(v.get_my_offset_class_aux()), Class::AUX);
    let flag = |offset: usize| 1u16 << (offset - vector::FLAGS.lsb);
    assert_eq!(flag(v.get_my_offset_truncated()), Flags::TRUNCATED);
    assert_eq!(flag(v.get_my_offset_malformed()), Flags::MALFORMED);
    assert_eq!(flag(v.get_my_offset_fragment()), Flags::FRAGMENT);
    assert_eq!(flag(v.get_my_offset_non_ip()), Flags::NON_IP);
    assert_eq!(flag(v.get_my_offset_vlan_depth()), Flags::VLAN_DEPTH);
    assert_eq!(flag(v.get_my_offset_tunnel()), Flags::TUNNEL);
    assert_eq!(flag(v.get_my_offset_defer()), Flags::DEFER);
    assert_eq!(flag(v.get_my_offset_cut()), Flags::CUT);
}

/// What the EtherType fields at bytes 12, 16 and 20 look like, and how many bytes there are.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Looks {
    /// The element is a command.
    pub command: Bit,
    /// There is a VLAN tag at the place.
    pub vlan_0: Bit,
    /// The same for the second place.
    pub vlan_1: Bit,
    /// The same for the third place.
    pub vlan_2: Bit,
    /// IPv4 follows the place.
    pub ipv4_0: Bit,
    /// The same for the second place.
    pub ipv4_1: Bit,
    /// The same for the third place.
    pub ipv4_2: Bit,
    /// IPv6 follows the place.
    pub ipv6_0: Bit,
    /// The same for the second place.
    pub ipv6_1: Bit,
    /// The same for the third place.
    pub ipv6_2: Bit,
    /// Another packet follows the place.
    pub tunnel_0: Bit,
    /// The same for the second place.
    pub tunnel_1: Bit,
    /// The same for the third place.
    pub tunnel_2: Bit,
    /// The Ethernet header is whole.
    pub whole_0: Bit,
    /// It is whole with one tag.
    pub whole_1: Bit,
    /// It is whole with two tags.
    pub whole_2: Bit,
    /// Bytes of the packet.
    pub length: Bits<16>,
    /// Bytes of the packet behind byte 14, where there are as many.
    pub behind: Bits<16>,
}

/// What Ethernet header and VLAN tags say.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Link {
    /// The element is a command; `ipv4` and `ipv6` are not set then.
    pub command: Bit,
    /// IPv4 follows.
    pub ipv4: Bit,
    /// IPv6 follows.
    pub ipv6: Bit,
    /// Flag.
    pub truncated: Bit,
    /// Flag.
    pub vlan_depth: Bit,
    /// Flag.
    pub tunnel: Bit,
    /// Class bit.
    pub vlan: Bit,
    /// Field.
    pub ethertype: Bits<16>,
    /// Field.
    pub vlan_outer: Bits<16>,
    /// Field.
    pub vlan_inner: Bits<16>,
    /// Bytes of the packet.
    pub length: Bits<16>,
    /// Bytes of the packet from the IP header on.
    pub left: Bits<16>,
    /// Place of the IP header: words from there to the last of the window, which is word 0.
    pub words: Bits<11>,
}

/// What was read from an IPv4 or IPv6 base header, and its checks, not yet put together.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Base {
    /// Fewer bytes than the smallest header.
    pub short: Bit,
    /// The version is not that of the EtherType.
    pub other_version: Bit,
    /// IPv4: header length below five words.
    pub small_header: Bit,
    /// IPv4: total length below the header length.
    pub small_total: Bit,
    /// Fewer bytes than the header.
    pub cut: Bit,
    /// IPv4: more fragments, or an offset.
    pub fragment: Bit,
    /// IPv4: an offset.
    pub later: Bit,
    /// Protocol or next header.
    pub kind: Bits<8>,
    /// Bytes of the capture behind the header.
    pub room: Bits<16>,
    /// Bytes behind the header, as it says.
    pub said: Bits<16>,
    /// Place of what follows the header, in words as in [`Link::words`].
    pub words: Bits<11>,
}

/// The walk over extension headers: where it stands and what it found. Zero for a command and where
/// there is no IP header.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Walk {
    /// The walk goes on.
    pub active: Bit,
    /// The base header is IPv6's.
    pub ipv6: Bit,
    /// Protocol or next header.
    pub kind: Bits<8>,
    /// Where the walk stands: words (4 bytes) to the last word of the window, which is word 0 and of
    /// which the window has the first two bytes. Below zero: behind the window. Two's complement.
    pub words: Bits<11>,
    /// Words from there to the end of the packet, rounded down. Below zero: behind it. Two's complement.
    pub span: Bits<15>,
    /// What was rounded off is two bytes or more.
    pub half: Bit,
    /// Flag.
    pub truncated: Bit,
    /// Class bit and flag.
    pub fragment: Bit,
    /// Class bit.
    pub later: Bit,
    /// Flag.
    pub defer: Bit,
}

/// What was found where the walk ended, and how much of it is there.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Found {
    /// Protocol or next header.
    pub kind: Bits<8>,
    /// The walk came to a transport header.
    pub reached: Bit,
    /// TCP.
    pub tcp: Bit,
    /// UDP.
    pub udp: Bit,
    /// SCTP.
    pub sctp: Bit,
    /// ICMP or ICMPv6.
    pub icmp: Bit,
    /// A protocol that carries another packet.
    pub tunnel: Bit,
    /// Two bytes of it are inside the packet; likewise below.
    pub bytes_2: Bit,
    /// Four bytes.
    pub bytes_4: Bit,
    /// Eight bytes.
    pub bytes_8: Bit,
    /// Twelve bytes.
    pub bytes_12: Bit,
    /// Fourteen bytes.
    pub bytes_14: Bit,
    /// Twenty bytes.
    pub bytes_20: Bit,
    /// Two bytes of it are inside the window; likewise below.
    pub seen_2: Bit,
    /// Four bytes.
    pub seen_4: Bit,
    /// Fourteen bytes.
    pub seen_14: Bit,
    /// Its first four bytes, the first one highest.
    pub word: Bits<32>,
    /// Its byte 13.
    pub tcp_flags: Bits<8>,
    /// Its place in the packet in bytes.
    pub offset: Bits<16>,
    /// Flag, so far.
    pub truncated: Bit,
    /// Class bit and flag.
    pub fragment: Bit,
    /// Class bit.
    pub later: Bit,
    /// Flag, so far.
    pub defer: Bit,
}

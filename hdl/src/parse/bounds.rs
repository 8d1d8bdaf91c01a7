//! Puts the checks of the base header together: where the packet ends, and whether the walk goes on.
//!
//! ```text
//!         +--------+
//! link -->|        |--> walk
//! base -->| Bounds |--> line
//! head -->|        |
//! low  -->|        |
//!         +--------+
//! ```
//!
//! One element a cycle, one cycle. `line` is the header vector with all fields and flags that are known
//! here, the others zero, so that what is found later is ORed in; or the line of a command.

use rust_hdl::prelude::*;
use wiresift_abi::bits::LINE_BITS;

use super::element::{Base, Link, VECTOR_BITS, Vector, Walk};
use super::vlan::{HEAD_BITS, LOW_BITS};

/// Fourth stage of the parser.
#[derive(LogicBlock)]
pub struct Bounds {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// From the stage before.
    pub link: Signal<In, Link>,
    /// From the stage before.
    pub base: Signal<In, Base>,
    /// First bytes of the IP header, the first one highest; high bits of a command's line.
    pub head: Signal<In, Bits<HEAD_BITS>>,
    /// Low bits of a command's line.
    pub low: Signal<In, Bits<LOW_BITS>>,
    /// Where the walk stands.
    pub walk: Signal<Out, Walk>,
    /// What is known, or the command's line.
    pub line: Signal<Out, Bits<LINE_BITS>>,
    walk_held: DFF<Walk>,
    line_held: DFF<Bits<LINE_BITS>>,
    vector: Signal<Local, Vector>,
    high: Signal<Local, Bits<LINE_BITS>>,
    ipv4: Signal<Local, Bit>,
    ipv6: Signal<Local, Bit>,
    ip: Signal<Local, Bit>,
    short: Signal<Local, Bit>,
    malformed: Signal<Local, Bit>,
    span: Signal<Local, Bits<16>>,
    ipv4_src: Signal<Local, Bits<128>>,
    ipv4_dst: Signal<Local, Bits<128>>,
    no_address: Constant<Bits<128>>,
    no_bits: Constant<Bits<16>>,
    no_kind: Constant<Bits<8>>,
    no_class: Constant<Bits<1>>,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            clock: Signal::default(),
            link: Signal::default(),
            base: Signal::default(),
            head: Signal::default(),
            low: Signal::default(),
            walk: Signal::default(),
            line: Signal::default(),
            walk_held: DFF::default(),
            line_held: DFF::default(),
            vector: Signal::default(),
            high: Signal::default(),
            ipv4: Signal::default(),
            ipv6: Signal::default(),
            ip: Signal::default(),
            short: Signal::default(),
            malformed: Signal::default(),
            span: Signal::default(),
            ipv4_src: Signal::default(),
            ipv4_dst: Signal::default(),
            no_address: Constant::new(0.into()),
            no_bits: Constant::new(0.into()),
            no_kind: Constant::new(0.into()),
            no_class: Constant::new(0.into()),
        }
    }
}

impl Logic for Bounds {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, walk_held, line_held);
        self.short.next = (self.link.val().ipv4 | self.link.val().ipv6) & self.base.val().short;
        self.malformed.next = (self.link.val().ipv4
            & !self.base.val().short
            & (self.base.val().other_version | self.base.val().small_header | self.base.val().small_total))
            | (self.link.val().ipv6 & !self.base.val().short & self.base.val().other_version);
        self.ipv4.next = self.link.val().ipv4 & !self.short.val() & !self.malformed.val();
        self.ipv6.next = self.link.val().ipv6 & !self.short.val() & !self.malformed.val();
        self.ip.next = self.ipv4.val() | self.ipv6.val();

        // The walk. What IPv6's base header calls fragment bits are bytes of an address.
        self.span.next = self.base.val().room;
        if self.base.val().said < self.base.val().room {
            self.span.next = self.base.val().said;
        }
        self.walk_held.d.next.active =
            self.ipv6.val() | (self.ipv4.val() & !self.base.val().later & !self.base.val().cut);
        self.walk_held.d.next.ipv6 = self.ipv6.val();
        self.walk_held.d.next.kind = self.no_kind.val();
        if self.ip.val() {
            self.walk_held.d.next.kind = self.base.val().kind;
        }
        self.walk_held.d.next.words = self.base.val().words;
        self.walk_held.d.next.span = bit_cast::<15, 14>(self.span.val().get_bits::<14>(2));
        self.walk_held.d.next.half = self.span.val().get_bit(1);
        self.walk_held.d.next.truncated = false;
        self.walk_held.d.next.fragment = false;
        self.walk_held.d.next.later = false;
        self.walk_held.d.next.defer = false;

        // The vector.
        self.ipv4_src.next = bit_cast::<128, 32>(self.head.val().get_bits::<32>(192));
        self.ipv4_dst.next = bit_cast::<128, 32>(self.head.val().get_bits::<32>(160));
        self.vector.next.src = self.no_address.val();
        self.vector.next.dst = self.no_address.val();
        if self.ipv4.val() {
            self.vector.next.src = self.ipv4_src.val() << 96;
            self.vector.next.dst = self.ipv4_dst.val() << 96;
        }
        if self.ipv6.val() {
            self.vector.next.src = self.head.val().get_bits::<128>(128);
            self.vector.next.dst = self.head.val().get_bits::<128>(0);
        }
        self.vector.next.sport = self.no_bits.val();
        self.vector.next.dport = self.no_bits.val();
        self.vector.next.proto = self.no_kind.val();
        self.vector.next.class_ip = self.ip.val();
        self.vector.next.class_ipv6 = self.ipv6.val();
        self.vector.next.class_ports = false;
        self.vector.next.class_fragment = self.ipv4.val() & self.base.val().fragment;
        self.vector.next.class_later_fragment = self.ipv4.val() & self.base.val().later;
        self.vector.next.class_vlan = self.link.val().vlan;
        self.vector.next.class_aux = false;
        self.vector.next.class_spare = self.no_class.val();
        self.vector.next.aux = self.no_bits.val();
        self.vector.next.ethertype = self.link.val().ethertype;
        self.vector.next.vlan_outer = self.link.val().vlan_outer;
        self.vector.next.vlan_inner = self.link.val().vlan_inner;
        self.vector.next.truncated = self.link.val().truncated
            | self.short.val()
            | (self.ipv4.val() & !self.base.val().later & self.base.val().cut);
        self.vector.next.malformed = self.malformed.val();
        self.vector.next.fragment = self.ipv4.val() & self.base.val().fragment;
        self.vector.next.non_ip = !self.ip.val();
        self.vector.next.vlan_depth = self.link.val().vlan_depth;
        self.vector.next.tunnel = self.link.val().tunnel;
        self.vector.next.flags_spare = self.no_kind.val();
        self.vector.next.defer = false;
        self.vector.next.cut = false;
        self.vector.next.length = self.link.val().length;
        self.vector.next.l4_offset = self.no_bits.val();

        self.high.next = bit_cast::<LINE_BITS, HEAD_BITS>(self.head.val());
        if self.link.val().command {
            self.line_held.d.next =
                (self.high.val() << 192) | bit_cast::<LINE_BITS, LOW_BITS>(self.low.val());
        } else {
            self.line_held.d.next = bit_cast::<LINE_BITS, VECTOR_BITS>(self.vector.val().into());
        }
        self.walk.next = self.walk_held.q.val();
        self.line.next = self.line_held.q.val();
    }
}

//! Adds what the transport header says, and finishes the header vector.
//!
//! ```text
//!          +----------+
//! found -->| Assemble |--> out_line
//! line  -->|          |
//!          +----------+
//! ```
//!
//! One element a cycle, one cycle. `line` has zeros where something is added here; a command's line has
//! nothing added, because nothing is found in it (`docs/packet-semantics.md`, 6).

use rust_hdl::prelude::*;
use wiresift_abi::bits::LINE_BITS;

use super::element::{Found, VECTOR_BITS, Vector};

/// Last stage of the parser.
#[derive(LogicBlock)]
pub struct Assemble {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// From the stage before.
    pub found: Signal<In, Found>,
    /// What was known before.
    pub line: Signal<In, Bits<LINE_BITS>>,
    /// The header vector, or the line of a command.
    pub out_line: Signal<Out, Bits<LINE_BITS>>,
    line_held: DFF<Bits<LINE_BITS>>,
    vector: Signal<Local, Vector>,
    word: Signal<Local, Bits<32>>,
    has_ports: Signal<Local, Bit>,
    has_tcp_flags: Signal<Local, Bit>,
    has_type: Signal<Local, Bit>,
    missing: Signal<Local, Bit>,
    unseen: Signal<Local, Bit>,
    no_address: Constant<Bits<128>>,
    no_bits: Constant<Bits<16>>,
    no_flags: Constant<Bits<8>>,
    no_class: Constant<Bits<1>>,
}

impl Default for Assemble {
    fn default() -> Self {
        Self {
            clock: Signal::default(),
            found: Signal::default(),
            line: Signal::default(),
            out_line: Signal::default(),
            line_held: DFF::default(),
            vector: Signal::default(),
            word: Signal::default(),
            has_ports: Signal::default(),
            has_tcp_flags: Signal::default(),
            has_type: Signal::default(),
            missing: Signal::default(),
            unseen: Signal::default(),
            no_address: Constant::new(0.into()),
            no_bits: Constant::new(0.into()),
            no_flags: Constant::new(0.into()),
            no_class: Constant::new(0.into()),
        }
    }
}

impl Logic for Assemble {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, line_held);
        self.word.next = self.found.val().word;
        self.has_ports.next = self.found.val().reached
            & (self.found.val().tcp | self.found.val().udp | self.found.val().sctp)
            & self.found.val().bytes_4;
        self.has_tcp_flags.next = self.found.val().reached & self.found.val().tcp & self.found.val().bytes_14;
        self.has_type.next = self.found.val().reached & self.found.val().icmp & self.found.val().bytes_2;
        self.missing.next = self.found.val().reached
            & ((self.found.val().tcp & !self.found.val().bytes_20)
                | (self.found.val().udp & !self.found.val().bytes_8)
                | (self.found.val().sctp & !self.found.val().bytes_12)
                | (self.found.val().icmp & !self.found.val().bytes_8));
        self.unseen.next = (self.has_ports.val() & !self.found.val().seen_4)
            | (self.has_tcp_flags.val() & !self.found.val().seen_14)
            | (self.has_type.val() & !self.found.val().seen_2);

        self.vector.next.src = self.no_address.val();
        self.vector.next.dst = self.no_address.val();
        self.vector.next.sport = self.no_bits.val();
        self.vector.next.dport = self.no_bits.val();
        self.vector.next.aux = self.no_bits.val();
        self.vector.next.l4_offset = self.no_bits.val();
        if self.has_ports.val() {
            self.vector.next.sport = self.word.val().get_bits::<16>(16);
            self.vector.next.dport = self.word.val().get_bits::<16>(0);
        }
        if self.has_type.val() {
            self.vector.next.aux = self.word.val().get_bits::<16>(16);
        }
        if self.has_tcp_flags.val() {
            self.vector.next.aux = bit_cast::<16, 8>(self.found.val().tcp_flags);
        }
        if self.found.val().reached {
            self.vector.next.l4_offset = self.found.val().offset;
        }
        self.vector.next.proto = self.found.val().kind;
        self.vector.next.class_ip = false;
        self.vector.next.class_ipv6 = false;
        self.vector.next.class_ports = self.has_ports.val();
        self.vector.next.class_fragment = self.found.val().fragment;
        self.vector.next.class_later_fragment = self.found.val().later;
        self.vector.next.class_vlan = false;
        self.vector.next.class_aux = self.has_tcp_flags.val() | self.has_type.val();
        self.vector.next.class_spare = self.no_class.val();
        self.vector.next.ethertype = self.no_bits.val();
        self.vector.next.vlan_outer = self.no_bits.val();
        self.vector.next.vlan_inner = self.no_bits.val();
        self.vector.next.truncated = self.found.val().truncated | self.missing.val();
        self.vector.next.malformed = false;
        self.vector.next.fragment = self.found.val().fragment;
        self.vector.next.non_ip = false;
        self.vector.next.vlan_depth = false;
        self.vector.next.tunnel = self.found.val().tunnel;
        self.vector.next.flags_spare = self.no_flags.val();
        self.vector.next.defer = self.found.val().defer | self.unseen.val();
        self.vector.next.cut = false;
        self.vector.next.length = self.no_bits.val();

        self.line_held.d.next =
            self.line.val() | bit_cast::<LINE_BITS, VECTOR_BITS>(self.vector.val().into());
        self.out_line.next = self.line_held.q.val();
    }
}

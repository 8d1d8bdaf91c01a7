//! IPv4 and IPv6 base header: the lengths they give, and their checks.
//!
//! ```text
//!         +------+
//! link -->|      |--> out_link, base
//! head -->| Base |--> out_head
//!         +------+
//! ```
//!
//! One element a cycle, one cycle. Lengths are made relative to the end of the header at once, so that
//! a borrow of the subtraction is the check (`docs/packet-semantics.md`, 4 and 5).

use rust_hdl::prelude::*;

use super::element::{Base as Values, Link};
use super::vlan::HEAD_BITS;

/// Third stage of the parser.
#[derive(LogicBlock)]
pub struct Base {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// From the stage before.
    pub link: Signal<In, Link>,
    /// First bytes of the IP header, the first one highest.
    pub head: Signal<In, Bits<HEAD_BITS>>,
    /// What was read.
    pub base: Signal<Out, Values>,
    /// `link`, in step with `base`.
    pub out_link: Signal<Out, Link>,
    /// `head`, in step with `base`.
    pub out_head: Signal<Out, Bits<HEAD_BITS>>,
    base_held: DFF<Values>,
    link_held: DFF<Link>,
    head_held: DFF<Bits<HEAD_BITS>>,
    header_words: Signal<Local, Bits<4>>,
    version: Signal<Local, Bits<4>>,
    header: Signal<Local, Bits<17>>,
    wide_words: Signal<Local, Bits<17>>,
    ipv4_header: Signal<Local, Bits<17>>,
    left: Signal<Local, Bits<17>>,
    said: Signal<Local, Bits<17>>,
    room_difference: Signal<Local, Bits<17>>,
    said_difference: Signal<Local, Bits<17>>,
    skipped: Signal<Local, Bits<11>>,
    is_later: Signal<Local, Bit>,
    version_4: Constant<Bits<4>>,
    version_6: Constant<Bits<4>>,
    words_min: Constant<Bits<4>>,
    ipv4_min: Constant<Bits<16>>,
    ipv6_bytes: Constant<Bits<16>>,
    ipv6_wide: Constant<Bits<17>>,
    ipv6_words: Constant<Bits<11>>,
}

impl Default for Base {
    fn default() -> Self {
        Self {
            clock: Signal::default(),
            link: Signal::default(),
            head: Signal::default(),
            base: Signal::default(),
            out_link: Signal::default(),
            out_head: Signal::default(),
            base_held: DFF::default(),
            link_held: DFF::default(),
            head_held: DFF::default(),
            header_words: Signal::default(),
            version: Signal::default(),
            header: Signal::default(),
            wide_words: Signal::default(),
            ipv4_header: Signal::default(),
            left: Signal::default(),
            said: Signal::default(),
            room_difference: Signal::default(),
            said_difference: Signal::default(),
            skipped: Signal::default(),
            is_later: Signal::default(),
            version_4: Constant::new(4.into()),
            version_6: Constant::new(6.into()),
            words_min: Constant::new(5.into()),
            ipv4_min: Constant::new(20.into()),
            ipv6_bytes: Constant::new(40.into()),
            ipv6_wide: Constant::new(40.into()),
            ipv6_words: Constant::new(10.into()),
        }
    }
}

impl Logic for Base {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, base_held, link_held, head_held);
        self.link_held.d.next = self.link.val();
        self.head_held.d.next = self.head.val();
        // Byte `n` of the header is bits `312 - 8 n` up.
        self.version.next = self.head.val().get_bits::<4>(316);
        self.header_words.next = self.head.val().get_bits::<4>(312);
        self.is_later.next = self.head.val().get_bits::<13>(256).any();

        self.wide_words.next = bit_cast::<17, 4>(self.header_words.val());
        self.ipv4_header.next = self.wide_words.val() << 2;
        self.left.next = bit_cast::<17, 16>(self.link.val().left);
        if self.link.val().ipv6 {
            self.header.next = self.ipv6_wide.val();
            self.skipped.next = self.ipv6_words.val();
            self.said.next = bit_cast::<17, 16>(self.head.val().get_bits::<16>(272));
            self.said_difference.next = self.said.val();
            self.base_held.d.next.kind = self.head.val().get_bits::<8>(264);
            self.base_held.d.next.short = self.link.val().left < self.ipv6_bytes.val();
            self.base_held.d.next.other_version = self.version.val() != self.version_6.val();
        } else {
            self.header.next = self.ipv4_header.val();
            self.skipped.next = bit_cast::<11, 4>(self.header_words.val());
            self.said.next = bit_cast::<17, 16>(self.head.val().get_bits::<16>(288));
            self.said_difference.next = self.said.val() - self.ipv4_header.val();
            self.base_held.d.next.kind = self.head.val().get_bits::<8>(240);
            self.base_held.d.next.short = self.link.val().left < self.ipv4_min.val();
            self.base_held.d.next.other_version = self.version.val() != self.version_4.val();
        }
        self.room_difference.next = self.left.val() - self.header.val();
        self.base_held.d.next.cut = self.room_difference.val().get_bit(16);
        self.base_held.d.next.room = self.room_difference.val().get_bits::<16>(0);
        self.base_held.d.next.small_total = self.said_difference.val().get_bit(16);
        self.base_held.d.next.said = self.said_difference.val().get_bits::<16>(0);
        self.base_held.d.next.words = self.link.val().words - self.skipped.val();
        self.base_held.d.next.small_header = self.header_words.val() < self.words_min.val();
        self.base_held.d.next.later = self.is_later.val();
        // Bit 13 of the word is More Fragments (RFC 791, 3.1).
        self.base_held.d.next.fragment = self.is_later.val() | self.head.val().get_bit(269);

        self.base.next = self.base_held.q.val();
        self.out_link.next = self.link_held.q.val();
        self.out_head.next = self.head_held.q.val();
    }
}

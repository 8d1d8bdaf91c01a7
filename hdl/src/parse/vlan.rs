//! VLAN tags: how many there are, and what lies behind them.
//!
//! ```text
//!           +------+
//! looks  -->|      |--> link
//! window -->| Vlan |--> head, low
//! bytes  -->|      |--> tail
//!           +------+
//! ```
//!
//! One element a cycle, one cycle. The IP header is at byte 14, 18 or 22: `head` is its first 40 bytes.
//! All that follows it is found by counting words from the end of the window (`tail`), so it need not be
//! shifted. For a command, `head` over `low` is its line.

use rust_hdl::prelude::*;

use super::element::{Link, Looks};
use super::window::WINDOW_BITS;

/// Bits of `head`: the bytes of an IPv6 base header.
pub const HEAD_BITS: usize = 40 * 8;
/// Bits of the line of a command that `head` does not hold.
pub const LOW_BITS: usize = 512 - HEAD_BITS;
/// Bits of `tail`: words 0 to 23. Word 0 is bytes 126 to 129, of which the window has two (the others
/// are zero here); word 23 is byte 34, where the smallest IPv4 header ends.
pub const TAIL_BITS: usize = 24 * 32;
/// Words from the IP header to the last word of the window, without tags, with one, with two.
const WORDS: [u64; 3] = [28, 27, 26];

/// Second stage of the parser.
#[derive(LogicBlock)]
pub struct Vlan {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// From the stage before.
    pub looks: Signal<In, Looks>,
    /// First bytes of the packet, or the line of a command.
    pub window: Signal<In, Bits<WINDOW_BITS>>,
    /// The window with byte 0 in the high bits.
    pub bytes: Signal<In, Bits<WINDOW_BITS>>,
    /// What the header says.
    pub link: Signal<Out, Link>,
    /// First bytes of the IP header, the first one highest; high bits of a command's line.
    pub head: Signal<Out, Bits<HEAD_BITS>>,
    /// Low bits of a command's line.
    pub low: Signal<Out, Bits<LOW_BITS>>,
    /// End of the window, in words counted from its end, the first byte of a word highest.
    pub tail: Signal<Out, Bits<TAIL_BITS>>,
    link_held: DFF<Link>,
    head_held: DFF<Bits<HEAD_BITS>>,
    low_held: DFF<Bits<LOW_BITS>>,
    tail_held: DFF<Bits<TAIL_BITS>>,
    last_words: Signal<Local, Bits<TAIL_BITS>>,
    one: Signal<Local, Bit>,
    two: Signal<Local, Bit>,
    is_packet: Signal<Local, Bit>,
    no_bytes: Constant<Bits<16>>,
    four_bytes: Constant<Bits<16>>,
    eight_bytes: Constant<Bits<16>>,
    words: [Constant<Bits<11>>; 3],
}

impl Default for Vlan {
    fn default() -> Self {
        Self {
            clock: Signal::default(),
            looks: Signal::default(),
            window: Signal::default(),
            bytes: Signal::default(),
            link: Signal::default(),
            head: Signal::default(),
            low: Signal::default(),
            tail: Signal::default(),
            link_held: DFF::default(),
            head_held: DFF::default(),
            low_held: DFF::default(),
            tail_held: DFF::default(),
            last_words: Signal::default(),
            one: Signal::default(),
            two: Signal::default(),
            is_packet: Signal::default(),
            no_bytes: Constant::new(0.into()),
            four_bytes: Constant::new(4.into()),
            eight_bytes: Constant::new(8.into()),
            words: WORDS.map(|words| Constant::new(words.into())),
        }
    }
}

impl Logic for Vlan {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, link_held, head_held, low_held, tail_held);
        self.is_packet.next = !self.looks.val().command;
        // A tag counts only when it is whole.
        self.one.next = self.looks.val().vlan_0 & self.looks.val().whole_1;
        self.two.next = self.one.val() & self.looks.val().vlan_1 & self.looks.val().whole_2;

        self.link_held.d.next.command = self.looks.val().command;
        self.link_held.d.next.length = self.looks.val().length;
        self.link_held.d.next.vlan = self.one.val();
        self.link_held.d.next.vlan_outer = self.no_bytes.val();
        self.link_held.d.next.vlan_inner = self.no_bytes.val();
        self.link_held.d.next.vlan_depth = false;
        self.link_held.d.next.ethertype = self.no_bytes.val();
        if self.looks.val().whole_0 {
            self.link_held.d.next.ethertype = self.bytes.val().get_bits::<16>(912);
        }
        self.link_held.d.next.truncated = !self.looks.val().whole_0 | self.looks.val().vlan_0;
        self.link_held.d.next.ipv4 =
            self.is_packet.val() & self.looks.val().whole_0 & self.looks.val().ipv4_0;
        self.link_held.d.next.ipv6 =
            self.is_packet.val() & self.looks.val().whole_0 & self.looks.val().ipv6_0;
        self.link_held.d.next.tunnel = self.looks.val().whole_0 & self.looks.val().tunnel_0;
        self.link_held.d.next.left = self.looks.val().behind;
        self.link_held.d.next.words = self.words[0].val();
        self.head_held.d.next = self.bytes.val().get_bits::<HEAD_BITS>(592);
        if self.one.val() {
            self.link_held.d.next.vlan_outer = self.bytes.val().get_bits::<16>(896);
            self.link_held.d.next.ethertype = self.bytes.val().get_bits::<16>(880);
            self.link_held.d.next.truncated = self.looks.val().vlan_1;
            self.link_held.d.next.ipv4 = self.is_packet.val() & self.looks.val().ipv4_1;
            self.link_held.d.next.ipv6 = self.is_packet.val() & self.looks.val().ipv6_1;
            self.link_held.d.next.tunnel = self.looks.val().tunnel_1;
            self.link_held.d.next.left = self.looks.val().behind - self.four_bytes.val();
            self.link_held.d.next.words = self.words[1].val();
            self.head_held.d.next = self.bytes.val().get_bits::<HEAD_BITS>(560);
        }
        if self.two.val() {
            self.link_held.d.next.vlan_inner = self.bytes.val().get_bits::<16>(864);
            self.link_held.d.next.ethertype = self.bytes.val().get_bits::<16>(848);
            self.link_held.d.next.truncated = false;
            self.link_held.d.next.vlan_depth = self.looks.val().vlan_2;
            self.link_held.d.next.ipv4 = self.is_packet.val() & self.looks.val().ipv4_2;
            self.link_held.d.next.ipv6 = self.is_packet.val() & self.looks.val().ipv6_2;
            self.link_held.d.next.tunnel = self.looks.val().tunnel_2;
            self.link_held.d.next.left = self.looks.val().behind - self.eight_bytes.val();
            self.link_held.d.next.words = self.words[2].val();
            self.head_held.d.next = self.bytes.val().get_bits::<HEAD_BITS>(528);
        }
        if self.looks.val().command {
            self.head_held.d.next = self.window.val().get_bits::<HEAD_BITS>(192);
        }
        self.low_held.d.next = self.window.val().get_bits::<LOW_BITS>(0);
        self.last_words.next = bit_cast::<TAIL_BITS, WINDOW_BITS>(self.bytes.val());
        self.tail_held.d.next = self.last_words.val() << 16;

        self.link.next = self.link_held.q.val();
        self.head.next = self.head_held.q.val();
        self.low.next = self.low_held.q.val();
        self.tail.next = self.tail_held.q.val();
    }
}

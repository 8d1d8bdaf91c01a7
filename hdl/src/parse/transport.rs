//! Transport header: picks its words and sees how much of it there is.
//!
//! ```text
//!         +-----------+
//! walk -->| Transport |--> found
//! tail -->|           |
//!         +-----------+
//! ```
//!
//! One element a cycle, one cycle.

use rust_hdl::prelude::*;
use wiresift_abi::vector::WINDOW_BYTES;
use wiresift_abi::vector::number::{ICMP, ICMPV6, PROTOCOLS_TUNNEL, SCTP, TCP, UDP};

use super::element::{Found, Walk};
use super::next_header::NextHeader;
use super::vlan::TAIL_BITS;

/// Bits of the words among which one is picked: as many as the index can name.
const PICK_BITS: usize = 32 * 32;
/// `Walk::words` has this sign bit; flipping it adds the bit's value to the number.
const SIGN: u64 = 1 << 10;
/// Byte of the packet at which word 0 begins.
const WORD_0: u64 = WINDOW_BYTES as u64 - 2;

/// The stage behind the last step of the walk.
#[derive(LogicBlock)]
pub struct Transport {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Where the walk ended.
    pub walk: Signal<In, Walk>,
    /// End of the window.
    pub tail: Signal<In, Bits<TAIL_BITS>>,
    /// What is there.
    pub found: Signal<Out, Found>,
    header: NextHeader,
    found_held: DFF<Found>,
    walks: DFF<Bit>,
    kind: Signal<Local, Bits<8>>,
    words: Signal<Local, Bits<11>>,
    span: Signal<Local, Bits<15>>,
    words_choices: Signal<Local, Bits<PICK_BITS>>,
    flags_choices: Signal<Local, Bits<PICK_BITS>>,
    index: Signal<Local, Bits<10>>,
    at: Signal<Local, Bits<10>>,
    behind: Signal<Local, Bit>,
    many: Signal<Local, Bit>,
    low_span: Signal<Local, Bits<3>>,
    in_window: Signal<Local, Bit>,
    lifted: Signal<Local, Bits<11>>,
    wide_words: Signal<Local, Bits<16>>,
    to_end: Signal<Local, Bits<16>>,
    tcp: Constant<Bits<8>>,
    udp: Constant<Bits<8>>,
    sctp: Constant<Bits<8>>,
    icmp: Constant<Bits<8>>,
    icmpv6: Constant<Bits<8>>,
    tunnels: [Constant<Bits<8>>; 4],
    three: Constant<Bits<3>>,
    four: Constant<Bits<3>>,
    five: Constant<Bits<3>>,
    sign: Constant<Bits<11>>,
    window_end: Constant<Bits<16>>,
}

impl Default for Transport {
    fn default() -> Self {
        let number = |number: u8| Constant::new(u64::from(number).into());
        Self {
            clock: Signal::default(),
            walk: Signal::default(),
            tail: Signal::default(),
            found: Signal::default(),
            header: NextHeader::default(),
            found_held: DFF::default(),
            walks: DFF::default(),
            kind: Signal::default(),
            words: Signal::default(),
            span: Signal::default(),
            words_choices: Signal::default(),
            flags_choices: Signal::default(),
            index: Signal::default(),
            at: Signal::default(),
            behind: Signal::default(),
            many: Signal::default(),
            low_span: Signal::default(),
            in_window: Signal::default(),
            lifted: Signal::default(),
            wide_words: Signal::default(),
            to_end: Signal::default(),
            tcp: number(TCP),
            udp: number(UDP),
            sctp: number(SCTP),
            icmp: number(ICMP),
            icmpv6: number(ICMPV6),
            tunnels: PROTOCOLS_TUNNEL.map(number),
            three: Constant::new(3.into()),
            four: Constant::new(4.into()),
            five: Constant::new(5.into()),
            sign: Constant::new(SIGN.into()),
            window_end: Constant::new((WORD_0 + 4 * SIGN).into()),
        }
    }
}

impl Logic for Transport {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, found_held, walks);
        self.header.clock.next = self.clock.val();
        self.kind.next = self.walk.val().kind;
        self.words.next = self.walk.val().words;
        self.span.next = self.walk.val().span;

        // The words. Byte 13 is in the third word behind the first, and words are counted downwards.
        self.words_choices.next = bit_cast::<PICK_BITS, TAIL_BITS>(self.tail.val());
        self.flags_choices.next = self.words_choices.val() << 80;
        self.index.next = bit_cast::<10, 5>(self.words.val().get_bits::<5>(0));
        self.at.next = self.index.val() << 5;
        self.found_held.d.next.word = self.words_choices.val().get_bits::<32>(self.at.val().index());
        self.found_held.d.next.tcp_flags = self.flags_choices.val().get_bits::<8>(self.at.val().index());

        // The protocol.
        self.header.kind.next = self.kind.val();
        self.found_held.d.next.kind = self.kind.val();
        self.found_held.d.next.tcp = self.kind.val() == self.tcp.val();
        self.found_held.d.next.udp = self.kind.val() == self.udp.val();
        self.found_held.d.next.sctp = self.kind.val() == self.sctp.val();
        self.found_held.d.next.icmp =
            (self.kind.val() == self.icmp.val()) | (self.kind.val() == self.icmpv6.val());
        self.found_held.d.next.tunnel = (self.kind.val() == self.tunnels[0].val())
            | (self.kind.val() == self.tunnels[1].val())
            | (self.kind.val() == self.tunnels[2].val())
            | (self.kind.val() == self.tunnels[3].val());

        // A header behind the packet is not there, and one more extension header is left to the host.
        self.behind.next = self.span.val().get_bit(14);
        self.found_held.d.next.reached = self.walk.val().active & !self.behind.val();
        self.found_held.d.next.truncated =
            self.walk.val().truncated | (self.walk.val().active & self.behind.val());
        self.found_held.d.next.fragment = self.walk.val().fragment;
        self.found_held.d.next.later = self.walk.val().later;
        self.found_held.d.next.defer = self.walk.val().defer;
        self.walks.d.next = self.walk.val().active & self.walk.val().ipv6;

        // How much of it is inside the packet; where the walk is behind the packet nobody asks.
        self.many.next = self.span.val().get_bits::<11>(3).any();
        self.low_span.next = self.span.val().get_bits::<3>(0);
        self.found_held.d.next.bytes_2 = self.many.val() | self.low_span.val().any() | self.walk.val().half;
        self.found_held.d.next.bytes_4 = self.many.val() | self.low_span.val().any();
        self.found_held.d.next.bytes_8 = self.many.val() | self.low_span.val().get_bits::<2>(1).any();
        self.found_held.d.next.bytes_12 = self.many.val() | (self.low_span.val() >= self.three.val());
        self.found_held.d.next.bytes_14 = self.many.val()
            | (self.low_span.val() >= self.four.val())
            | ((self.low_span.val() == self.three.val()) & self.walk.val().half);
        self.found_held.d.next.bytes_20 = self.many.val() | (self.low_span.val() >= self.five.val());

        // How much of it is inside the window.
        self.in_window.next = !self.words.val().get_bit(10);
        self.found_held.d.next.seen_2 = self.in_window.val();
        self.found_held.d.next.seen_4 = self.in_window.val() & self.words.val().get_bits::<10>(0).any();
        self.found_held.d.next.seen_14 = self.in_window.val()
            & (self.words.val().get_bits::<8>(2).any()
                | (self.words.val().get_bit(0) & self.words.val().get_bit(1)));

        self.lifted.next = self.words.val() ^ self.sign.val();
        self.wide_words.next = bit_cast::<16, 11>(self.lifted.val());
        self.to_end.next = self.wide_words.val() << 2;
        self.found_held.d.next.offset = self.window_end.val() - self.to_end.val();

        self.found.next = self.found_held.q.val();
        if self.walks.q.val() & self.header.extension.val() {
            self.found.next.reached = false;
            self.found.next.defer = true;
        }
    }
}

//! One step of the walk over IPv6 extension headers.
//!
//! ```text
//!         +-----------+
//! walk -->|           |--> out_walk
//! tail -->| Extension |--> out_tail
//!         +-----------+
//! ```
//!
//! One element a cycle, two cycles: the first one picks the word at which the walk stands, the second
//! one moves on by the length in it. Where no extension header stands the walk goes through unchanged.
//! A header of which a byte is needed that lies behind the window ends the walk with `defer`.

use rust_hdl::prelude::*;

use super::element::Walk;
use super::next_header::NextHeader;
use super::vlan::TAIL_BITS;

/// Bits of the words among which one is picked: as many as the index can name.
const PICK_BITS: usize = 32 * 32;

/// What the first cycle found.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
struct Picked {
    /// First word of the header.
    word: Bits<32>,
    /// The walk goes on where the next header is an extension header.
    walks: Bit,
    /// Its first 8 bytes are inside the packet.
    whole: Bit,
    /// Its first two bytes are inside the window.
    seen_2: Bit,
    /// Its first four bytes are.
    seen_4: Bit,
    /// `Walk::words` behind a header of 8 bytes.
    words: Bits<11>,
    /// `Walk::span` behind a header of 8 bytes.
    span: Bits<15>,
}

/// A step.
#[derive(LogicBlock)]
pub struct Extension {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Where the walk stands.
    pub walk: Signal<In, Walk>,
    /// End of the window.
    pub tail: Signal<In, Bits<TAIL_BITS>>,
    /// Where it stands after the step.
    pub out_walk: Signal<Out, Walk>,
    /// `tail`, in step with `out_walk`.
    pub out_tail: Signal<Out, Bits<TAIL_BITS>>,
    header: NextHeader,
    picked: DFF<Picked>,
    walk_picked: DFF<Walk>,
    tail_picked: DFF<Bits<TAIL_BITS>>,
    walk_moved: DFF<Walk>,
    tail_moved: DFF<Bits<TAIL_BITS>>,
    choices: Signal<Local, Bits<PICK_BITS>>,
    index: Signal<Local, Bits<10>>,
    at: Signal<Local, Bits<10>>,
    words: Signal<Local, Bits<11>>,
    span: Signal<Local, Bits<15>>,
    word: Signal<Local, Bits<32>>,
    more: Signal<Local, Bits<9>>,
    seen: Signal<Local, Bit>,
    offset: Signal<Local, Bit>,
    no_more: Constant<Bits<9>>,
    two_words: Constant<Bits<11>>,
    two_of_span: Constant<Bits<15>>,
}

impl Default for Extension {
    fn default() -> Self {
        Self {
            clock: Signal::default(),
            walk: Signal::default(),
            tail: Signal::default(),
            out_walk: Signal::default(),
            out_tail: Signal::default(),
            header: NextHeader::default(),
            picked: DFF::default(),
            walk_picked: DFF::default(),
            tail_picked: DFF::default(),
            walk_moved: DFF::default(),
            tail_moved: DFF::default(),
            choices: Signal::default(),
            index: Signal::default(),
            at: Signal::default(),
            words: Signal::default(),
            span: Signal::default(),
            word: Signal::default(),
            more: Signal::default(),
            seen: Signal::default(),
            offset: Signal::default(),
            no_more: Constant::new(0.into()),
            two_words: Constant::new(2.into()),
            two_of_span: Constant::new(2.into()),
        }
    }
}

impl Logic for Extension {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, picked, walk_picked, tail_picked, walk_moved, tail_moved);

        self.header.clock.next = self.clock.val();

        // First cycle. Word 0 has the first two bytes only: enough for all but a fragment header.
        self.header.kind.next = self.walk.val().kind;
        self.words.next = self.walk.val().words;
        self.span.next = self.walk.val().span;
        self.choices.next = bit_cast::<PICK_BITS, TAIL_BITS>(self.tail.val());
        self.index.next = bit_cast::<10, 5>(self.words.val().get_bits::<5>(0));
        self.at.next = self.index.val() << 5;
        self.picked.d.next.word = self.choices.val().get_bits::<32>(self.at.val().index());
        self.picked.d.next.walks = self.walk.val().active & self.walk.val().ipv6;
        self.picked.d.next.whole = !self.span.val().get_bit(14) & self.span.val().get_bits::<13>(1).any();
        self.picked.d.next.seen_2 = !self.words.val().get_bit(10);
        self.picked.d.next.seen_4 = !self.words.val().get_bit(10) & self.words.val().get_bits::<10>(0).any();
        self.picked.d.next.words = self.walk.val().words - self.two_words.val();
        self.picked.d.next.span = self.walk.val().span - self.two_of_span.val();
        self.walk_picked.d.next = self.walk.val();
        self.tail_picked.d.next = self.tail.val();

        // Second cycle. Words of the header behind the first two.
        self.word.next = self.picked.q.val().word;
        self.more.next = self.no_more.val();
        if self.header.authentication.val() {
            self.more.next = bit_cast::<9, 8>(self.word.val().get_bits::<8>(16));
        } else if !self.header.fragment.val() {
            self.more.next = bit_cast::<9, 8>(self.word.val().get_bits::<8>(16)) << 1;
        }
        self.seen.next =
            self.picked.q.val().seen_4 | (self.picked.q.val().seen_2 & !self.header.fragment.val());
        self.offset.next = self.word.val().get_bits::<13>(3).any();
        self.walk_moved.d.next = self.walk_picked.q.val();
        self.tail_moved.d.next = self.tail_picked.q.val();
        if self.picked.q.val().walks & self.header.extension.val() {
            if !self.picked.q.val().whole {
                self.walk_moved.d.next.truncated = true;
                self.walk_moved.d.next.active = false;
            } else if !self.seen.val() {
                self.walk_moved.d.next.defer = true;
                self.walk_moved.d.next.active = false;
            } else {
                self.walk_moved.d.next.kind = self.word.val().get_bits::<8>(24);
                self.walk_moved.d.next.words = self.picked.q.val().words - bit_cast::<11, 9>(self.more.val());
                self.walk_moved.d.next.span = self.picked.q.val().span - bit_cast::<15, 9>(self.more.val());
                if self.header.fragment.val() & (self.offset.val() | self.word.val().get_bit(0)) {
                    self.walk_moved.d.next.fragment = true;
                }
                if self.header.fragment.val() & self.offset.val() {
                    self.walk_moved.d.next.later = true;
                    self.walk_moved.d.next.active = false;
                }
            }
        }
        self.out_walk.next = self.walk_moved.q.val();
        self.out_tail.next = self.tail_moved.q.val();
    }
}

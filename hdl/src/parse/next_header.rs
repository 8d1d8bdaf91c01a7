//! Which IPv6 next headers are extension headers.
//!
//! ```text
//!          +------------+
//! kind  -->| NextHeader |--> extension, fragment, authentication
//!          +------------+
//! ```
//!
//! One cycle; why it has a register, see [`super::ether_type`].

use rust_hdl::prelude::*;
use wiresift_abi::vector::number::{AUTHENTICATION, EXTENSIONS, FRAGMENT};

/// Compares a next header with those of extension headers.
#[derive(LogicBlock)]
pub struct NextHeader {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Next header.
    pub kind: Signal<In, Bits<8>>,
    /// Any extension header, the two below included.
    pub extension: Signal<Out, Bit>,
    /// The fragment header.
    pub fragment: Signal<Out, Bit>,
    /// The authentication header.
    pub authentication: Signal<Out, Bit>,
    is_extension: DFF<Bit>,
    is_fragment: DFF<Bit>,
    is_authentication: DFF<Bit>,
    others: [Constant<Bits<8>>; 6],
    forty_four: Constant<Bits<8>>,
    fifty_one: Constant<Bits<8>>,
}

impl Default for NextHeader {
    fn default() -> Self {
        let number = |number: u8| Constant::new(u64::from(number).into());
        Self {
            clock: Signal::default(),
            kind: Signal::default(),
            extension: Signal::default(),
            fragment: Signal::default(),
            authentication: Signal::default(),
            is_extension: DFF::default(),
            is_fragment: DFF::default(),
            is_authentication: DFF::default(),
            others: EXTENSIONS.map(number),
            forty_four: number(FRAGMENT),
            fifty_one: number(AUTHENTICATION),
        }
    }
}

impl Logic for NextHeader {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, is_extension, is_fragment, is_authentication);
        self.is_fragment.d.next = self.kind.val() == self.forty_four.val();
        self.is_authentication.d.next = self.kind.val() == self.fifty_one.val();
        self.is_extension.d.next = (self.kind.val() == self.forty_four.val())
            | (self.kind.val() == self.fifty_one.val())
            | (self.kind.val() == self.others[0].val())
            | (self.kind.val() == self.others[1].val())
            | (self.kind.val() == self.others[2].val())
            | (self.kind.val() == self.others[3].val())
            | (self.kind.val() == self.others[4].val())
            | (self.kind.val() == self.others[5].val());
        self.extension.next = self.is_extension.q.val();
        self.fragment.next = self.is_fragment.q.val();
        self.authentication.next = self.is_authentication.q.val();
    }
}

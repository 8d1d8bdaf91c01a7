//! Which IPv6 next headers are extension headers.
//!
//! ```text
//!          +------------+
//! kind  -->| NextHeader |--> extension, fragment, authentication
//!          +------------+
//! ```
//!
//! Without a register.

use rust_hdl::prelude::*;
use wiresift_abi::vector::number::{AUTHENTICATION, EXTENSIONS, FRAGMENT};

/// Compares a next header with those of extension headers.
#[derive(LogicBlock)]
pub struct NextHeader {
    /// Next header.
    pub kind: Signal<In, Bits<8>>,
    /// Any extension header, the two below included.
    pub extension: Signal<Out, Bit>,
    /// The fragment header.
    pub fragment: Signal<Out, Bit>,
    /// The authentication header.
    pub authentication: Signal<Out, Bit>,
    is_fragment: Signal<Local, Bit>,
    is_authentication: Signal<Local, Bit>,
    others: [Constant<Bits<8>>; 6],
    forty_four: Constant<Bits<8>>,
    fifty_one: Constant<Bits<8>>,
}

impl Default for NextHeader {
    fn default() -> Self {
        let number = |number: u8| Constant::new(u64::from(number).into());
        Self {
            kind: Signal::default(),
            extension: Signal::default(),
            fragment: Signal::default(),
            authentication: Signal::default(),
            is_fragment: Signal::default(),
            is_authentication: Signal::default(),
            others: EXTENSIONS.map(number),
            forty_four: number(FRAGMENT),
            fifty_one: number(AUTHENTICATION),
        }
    }
}

impl Logic for NextHeader {
    #[hdl_gen]
    fn update(&mut self) {
        self.is_fragment.next = self.kind.val() == self.forty_four.val();
        self.is_authentication.next = self.kind.val() == self.fifty_one.val();
        self.extension.next = self.is_fragment.val()
            | self.is_authentication.val()
            | (self.kind.val() == self.others[0].val())
            | (self.kind.val() == self.others[1].val())
            | (self.kind.val() == self.others[2].val())
            | (self.kind.val() == self.others[3].val())
            | (self.kind.val() == self.others[4].val())
            | (self.kind.val() == self.others[5].val());
        self.fragment.next = self.is_fragment.val();
        self.authentication.next = self.is_authentication.val();
    }
}

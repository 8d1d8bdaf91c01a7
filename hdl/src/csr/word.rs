//! One register of the CSR space.
//!
//! ```text
//!                          .------.
//! write, write_address --->|      |---> value     what is stored
//! write_data, _strobe  --->| Word |---> answer    to a read: value or external, zero when not asked
//! locked, zero, disarm --->|      |
//! read_address, external ->|      |
//!                          '------'
//! ```
//!
//! Each cycle: a write to this address stores the bytes that the strobe selects; `zero` clears the
//! register and `disarm` its bit 0, both stronger than a write. One cycle after `read_address` is this
//! address, `answer` is what the register reads; otherwise it is zero, so all answers can be ored.

use rust_hdl::core::prelude::*;
use rust_hdl::widgets::prelude::*;
use wiresift_abi::csr::{ADDRESS_BITS, Access, Csr, REGISTERS};

/// Bits of a register's number: its byte offset without the two low bits.
pub const NUMBER_BITS: usize = ADDRESS_BITS - 2;

/// Place of a register in [`REGISTERS`].
pub const fn place(csr: Csr) -> usize {
    let mut n = 0;
    while REGISTERS[n].csr as u16 != csr as u16 {
        n += 1;
    }
    n
}

/// A register.
#[derive(LogicBlock)]
pub struct Word {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous reset: zero.
    pub reset: Signal<In, Bit>,
    /// A register is written.
    pub write: Signal<In, Bit>,
    /// Its number.
    pub write_address: Signal<In, Bits<NUMBER_BITS>>,
    /// What is written.
    pub write_data: Signal<In, Bits<32>>,
    /// Bytes that are written.
    pub write_strobe: Signal<In, Bits<4>>,
    /// The card is enabled.
    pub locked: Signal<In, Bit>,
    /// Clears the register.
    pub zero: Signal<In, Bit>,
    /// Clears bit 0.
    pub disarm: Signal<In, Bit>,
    /// Number of the register that is read.
    pub read_address: Signal<In, Bits<NUMBER_BITS>>,
    /// What a read-only register reads.
    pub external: Signal<In, Bits<32>>,
    /// What is stored.
    pub value: Signal<Out, Bits<32>>,
    /// What this register adds to the answer.
    pub answer: Signal<Out, Bits<32>>,
    stored: DFF<Bits<32>>,
    selected: DFF<Bit>,
    mask: Signal<Local, Bits<32>>,
    byte_masks: [Constant<Bits<32>>; 4],
    number: Constant<Bits<NUMBER_BITS>>,
    read_only: Constant<Bit>,
    stopped_only: Constant<Bit>,
    fixed: Constant<Bits<32>>,
    bit_0: Constant<Bits<32>>,
}

impl Word {
    /// The register at place `place` of [`REGISTERS`]; a read-only one answers `fixed` ored with `external`.
    pub fn new(place: usize, fixed: u32) -> Self {
        let register = &REGISTERS[place];
        Self {
            clock: Signal::default(),
            reset: Signal::default(),
            write: Signal::default(),
            write_address: Signal::default(),
            write_data: Signal::default(),
            write_strobe: Signal::default(),
            locked: Signal::default(),
            zero: Signal::default(),
            disarm: Signal::default(),
            read_address: Signal::default(),
            external: Signal::default(),
            value: Signal::default(),
            answer: Signal::default(),
            stored: DFF::default(),
            selected: DFF::default(),
            mask: Signal::default(),
            byte_masks: [0, 8, 16, 24].map(|lsb| Constant::new((0xffu32 << lsb).to_bits())),
            number: Constant::new((register.csr as u32 >> 2).to_bits()),
            read_only: Constant::new(register.access == Access::Ro),
            stopped_only: Constant::new(register.access == Access::RwStopped),
            fixed: Constant::new(fixed.to_bits()),
            bit_0: Constant::new(1u32.to_bits()),
        }
    }
}

impl Logic for Word {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, stored, selected);
        self.mask.next = 0.into();
        for i in 0..4 {
            if self.write_strobe.val().get_bit(i) {
                self.mask.next = self.mask.val() | self.byte_masks[i].val();
            }
        }
        if self.write.val()
            & (self.write_address.val() == self.number.val())
            & !self.read_only.val()
            & !(self.stopped_only.val() & self.locked.val())
        {
            self.stored.d.next =
                (self.stored.q.val() & !self.mask.val()) | (self.write_data.val() & self.mask.val());
        }
        if self.disarm.val() {
            self.stored.d.next = self.stored.q.val() & !self.bit_0.val();
        }
        if self.zero.val() | self.reset.val() {
            self.stored.d.next = 0.into();
        }
        self.value.next = self.stored.q.val();
        self.selected.d.next = self.read_address.val() == self.number.val();
        self.answer.next = 0.into();
        if self.selected.q.val() {
            if self.read_only.val() {
                self.answer.next = self.external.val() | self.fixed.val();
            } else {
                self.answer.next = self.stored.q.val();
            }
        }
    }
}

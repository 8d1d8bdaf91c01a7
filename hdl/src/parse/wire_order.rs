//! Holds the window for a cycle and turns it round, so that big-endian fields of any width can be read at
//! once.
//!
//! ```text
//!            +-----------+
//! window  -->| WireOrder |--> out_window, bytes
//!            +-----------+
//! ```
//!
//! One cycle. Byte 0 is in the low bits of `out_window` and in the high bits of `bytes`. A leaf with its own
//! text, because in a kernel the wires would be a thousand shifts.

use rust_hdl::core::ast::Verilog;
use rust_hdl::core::bitvec::BitVec;
use rust_hdl::prelude::*;

use super::window::WINDOW_BITS;

/// The window in both orders.
#[derive(LogicBlock, Default)]
pub struct WireOrder {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Byte 0 in the low bits.
    pub window: Signal<In, Bits<WINDOW_BITS>>,
    /// Byte 0 in the low bits.
    pub out_window: Signal<Out, Bits<WINDOW_BITS>>,
    /// Byte 0 in the high bits.
    pub bytes: Signal<Out, Bits<WINDOW_BITS>>,
}

impl Logic for WireOrder {
    fn update(&mut self) {
        if self.clock.pos_edge() {
            let window = self.window.val();
            let mut bits = [false; WINDOW_BITS];
            for (n, bit) in bits.iter_mut().enumerate() {
                *bit = window.get_bit(WINDOW_BITS - 8 - n / 8 * 8 + n % 8);
            }
            self.out_window.next = window;
            self.bytes.next = Bits::Long(BitVec::from(bits));
        }
    }

    fn connect(&mut self) {
        self.out_window.connect();
        self.bytes.connect();
    }

    fn hdl(&self) -> Verilog {
        let bytes: Vec<_> =
            (0..WINDOW_BITS / 8).map(|byte| format!("out_window[{} +: 8]", byte * 8)).collect();
        Verilog::Custom(format!(
            "initial out_window = {WINDOW_BITS}'h0;\n\n\
             always @(posedge clock) out_window <= window;\n\n\
             always @(*) bytes = {{{}}};\n",
            bytes.join(", ")
        ))
    }
}

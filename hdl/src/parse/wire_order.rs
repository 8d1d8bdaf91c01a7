//! Turns the window round, so that big-endian fields of any width can be read at once.
//!
//! ```text
//!            +-----------+
//! window  -->| WireOrder |--> bytes
//!            +-----------+
//! ```
//!
//! Byte 0 is in the low bits of `window` and in the high bits of `bytes`. Wires only; a leaf with its
//! own text, because in a kernel it would be a thousand shifts.

use rust_hdl::core::ast::Verilog;
use rust_hdl::core::bitvec::BitVec;
use rust_hdl::prelude::*;

use super::window::WINDOW_BITS;

/// The bytes of the window in reverse.
#[derive(LogicBlock, Default)]
pub struct WireOrder {
    /// Byte 0 in the low bits.
    pub window: Signal<In, Bits<WINDOW_BITS>>,
    /// Byte 0 in the high bits.
    pub bytes: Signal<Out, Bits<WINDOW_BITS>>,
}

impl Logic for WireOrder {
    fn update(&mut self) {
        let window = self.window.val();
        let mut bits = [false; WINDOW_BITS];
        for (n, bit) in bits.iter_mut().enumerate() {
            *bit = window.get_bit(WINDOW_BITS - 8 - n / 8 * 8 + n % 8);
        }
        self.bytes.next = Bits::Long(BitVec::from(bits));
    }

    fn connect(&mut self) {
        self.bytes.connect();
    }

    fn hdl(&self) -> Verilog {
        let bytes: Vec<_> = (0..WINDOW_BITS / 8).map(|byte| format!("window[{} +: 8]", byte * 8)).collect();
        Verilog::Custom(format!("always @(*) bytes = {{{}}};\n", bytes.join(", ")))
    }
}

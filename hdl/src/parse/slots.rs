//! The registers of the window: one slot a beat.
//!
//! ```text
//!          +-------+
//! data  -->| Slots |--> window
//! turn  -->|       |
//!          +-------+
//! ```
//!
//! In every cycle slot `n` takes `data` where bit `n` of `turn` is set; slot 0 is the lowest of `window`.
//! A leaf with its own text: in a kernel the enables would come out as masks over the whole window.

use rust_hdl::core::ast::Verilog;
use rust_hdl::prelude::*;

use super::window::WINDOW_BITS;

/// `BEATS` slots of `BEAT_BITS` bits.
#[derive(LogicBlock, Default)]
pub struct Slots<const BEAT_BITS: usize, const BEATS: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// What goes into the slots.
    pub data: Signal<In, Bits<BEAT_BITS>>,
    /// Slots that take it.
    pub turn: Signal<In, Bits<BEATS>>,
    /// All slots.
    pub window: Signal<Out, Bits<WINDOW_BITS>>,
}

impl<const BEAT_BITS: usize, const BEATS: usize> Logic for Slots<BEAT_BITS, BEATS> {
    fn update(&mut self) {
        if self.clock.pos_edge() {
            let turn = self.turn.val();
            let mut window = self.window.val();
            for slot in (0..BEATS).filter(|slot| turn.get_bit(*slot)) {
                window.set_bits::<BEAT_BITS>(slot * BEAT_BITS, self.data.val());
            }
            self.window.next = window;
        }
    }

    fn connect(&mut self) {
        self.window.connect();
    }

    fn hdl(&self) -> Verilog {
        let slots: String = (0..BEATS)
            .map(|slot| {
                format!("    if (turn[{slot}]) window[{} +: {BEAT_BITS}] <= data;\n", slot * BEAT_BITS)
            })
            .collect();
        Verilog::Custom(format!(
            "initial window = {WINDOW_BITS}'h0;\n\nalways @(posedge clock) begin\n{slots}end\n"
        ))
    }

    fn timing(&self) -> Vec<TimingInfo> {
        vec![TimingInfo {
            name: "slots".into(),
            clock: "clock".into(),
            inputs: vec!["data".into(), "turn".into()],
            outputs: vec!["window".into()],
        }]
    }
}

//! RAM leaves: a Verilog text that synthesis maps to one kind of memory, and a model of it in Rust.
//!
//! ```text
//! read_enable --->.-----------.
//! read_address -->|           |
//! write_enable -->|    Ram    |---> read_data   one cycle after read_enable, then it stays
//! write_address ->|           |
//! write_data ---->'-----------'
//!
//! read_address -->.-----------.---> read_data   in the same cycle
//! write_* ------->|  AsyncRam |
//!                 '-----------'
//! ```
//!
//! A read of the address that is written in the same cycle gives the old word. No RAM has a reset or
//! initial contents: what is read before it was written means nothing (the models hold zeros).

use rust_hdl::core::prelude::*;

/// Which memory of the FPGA a RAM becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RamStyle {
    /// LUTs (RAM64M8, RAM32M16; DPR16X4 on ECP5).
    Distributed,
    /// Block RAM (RAMB36E2, RAMB18E2; DP16KD on ECP5).
    Block,
    /// UltraRAM (URAM288); a device without it takes block RAM.
    Ultra,
}

impl RamStyle {
    /// Value of the synthesis attribute `ram_style`.
    fn attribute(self) -> &'static str {
        match self {
            Self::Distributed => "distributed",
            Self::Block => "block",
            Self::Ultra => "ultra",
        }
    }
}

/// One read port with enable, one write port, `1 << DEPTH_LOG2` words of `WIDTH` bits.
///
/// Each cycle: `read_enable` loads `read_data` with the word at `read_address`; `write_enable` stores
/// `write_data` at `write_address`.
#[derive(LogicBlock)]
pub struct Ram<const WIDTH: usize, const DEPTH_LOG2: usize> {
    /// Clock of both ports.
    pub clock: Signal<In, Clock>,
    /// Loads `read_data`.
    pub read_enable: Signal<In, Bit>,
    /// Word to read.
    pub read_address: Signal<In, Bits<DEPTH_LOG2>>,
    /// The word read last.
    pub read_data: Signal<Out, Bits<WIDTH>>,
    /// Stores `write_data`.
    pub write_enable: Signal<In, Bit>,
    /// Word to write.
    pub write_address: Signal<In, Bits<DEPTH_LOG2>>,
    /// What is written.
    pub write_data: Signal<In, Bits<WIDTH>>,
    _style: RamStyle,
    _collides: bool,
    _words: Vec<Bits<WIDTH>>,
}

impl<const WIDTH: usize, const DEPTH_LOG2: usize> Ram<WIDTH, DEPTH_LOG2> {
    /// A RAM of that style.
    pub fn new(style: RamStyle) -> Self {
        Self {
            clock: Signal::default(),
            read_enable: Signal::default(),
            read_address: Signal::default(),
            read_data: Signal::default(),
            write_enable: Signal::default(),
            write_address: Signal::default(),
            write_data: Signal::default(),
            _style: style,
            _collides: true,
            _words: words(DEPTH_LOG2),
        }
    }

    /// A RAM whose user never reads the address that is written in the same cycle: saves what
    /// ECP5 needs to give the old word. The model panics where the promise is broken.
    pub fn without_collisions(style: RamStyle) -> Self {
        Self { _collides: false, ..Self::new(style) }
    }
}

impl<const WIDTH: usize, const DEPTH_LOG2: usize> Logic for Ram<WIDTH, DEPTH_LOG2> {
    fn update(&mut self) {
        if self.clock.pos_edge() {
            if self.read_enable.val() {
                let collision =
                    self.write_enable.val() && self.write_address.val() == self.read_address.val();
                assert!(self._collides || !collision, "a RAM without collisions is read where it is written");
                self.read_data.next = self._words[self.read_address.val().index()];
            }
            if self.write_enable.val() {
                self._words[self.write_address.val().index()] = self.write_data.val();
            }
        }
    }

    fn connect(&mut self) {
        self.read_data.connect();
    }

    fn hdl(&self) -> Verilog {
        let unchecked = if self._collides { "" } else { "(* no_rw_check *) " };
        Verilog::Custom(format!(
            "(* ram_style = \"{style}\" *) {unchecked}reg [{high}:0] mem [0:{last}];\n\
             always @(posedge clock) begin\n\
             \x20   if (read_enable) read_data <= mem[read_address];\n\
             \x20   if (write_enable) mem[write_address] <= write_data;\n\
             end\n",
            style = self._style.attribute(),
            high = WIDTH - 1,
            last = (1usize << DEPTH_LOG2) - 1,
        ))
    }
}

/// LUT memory that is read without a clock.
///
/// `read_data` is the word at `read_address`; each cycle `write_enable` stores `write_data` at
/// `write_address`.
#[derive(LogicBlock)]
pub struct AsyncRam<const WIDTH: usize, const DEPTH_LOG2: usize> {
    /// Clock of the write port.
    pub clock: Signal<In, Clock>,
    /// Word to read.
    pub read_address: Signal<In, Bits<DEPTH_LOG2>>,
    /// That word.
    pub read_data: Signal<Out, Bits<WIDTH>>,
    /// Stores `write_data`.
    pub write_enable: Signal<In, Bit>,
    /// Word to write.
    pub write_address: Signal<In, Bits<DEPTH_LOG2>>,
    /// What is written.
    pub write_data: Signal<In, Bits<WIDTH>>,
    _words: Vec<Bits<WIDTH>>,
}

impl<const WIDTH: usize, const DEPTH_LOG2: usize> Default for AsyncRam<WIDTH, DEPTH_LOG2> {
    fn default() -> Self {
        Self {
            clock: Signal::default(),
            read_address: Signal::default(),
            read_data: Signal::default(),
            write_enable: Signal::default(),
            write_address: Signal::default(),
            write_data: Signal::default(),
            _words: words(DEPTH_LOG2),
        }
    }
}

impl<const WIDTH: usize, const DEPTH_LOG2: usize> Logic for AsyncRam<WIDTH, DEPTH_LOG2> {
    fn update(&mut self) {
        if self.clock.pos_edge() && self.write_enable.val() {
            self._words[self.write_address.val().index()] = self.write_data.val();
        }
        self.read_data.next = self._words[self.read_address.val().index()];
    }

    fn connect(&mut self) {
        self.read_data.connect();
    }

    fn hdl(&self) -> Verilog {
        // The word goes over a wire: an `always @*` would be sensitive to every word of the array.
        Verilog::Custom(format!(
            "(* ram_style = \"distributed\" *) reg [{high}:0] mem [0:{last}];\n\
             wire [{high}:0] word = mem[read_address];\n\
             always @(*) read_data = word;\n\
             always @(posedge clock) if (write_enable) mem[write_address] <= write_data;\n",
            high = WIDTH - 1,
            last = (1usize << DEPTH_LOG2) - 1,
        ))
    }
}

fn words<const WIDTH: usize>(depth_log2: usize) -> Vec<Bits<WIDTH>> {
    vec![Bits::default(); 1 << depth_log2]
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;

//! One way of a masked table in RAM: a bucket is read whole, a slot is written alone.
//!
//! ```text
//!              .------.
//! address ---->|      |
//! write[n] --->| Bank |---> slot[n]   one cycle after the address; a write leaves it as it was
//! data ------->|      |
//!              '------'
//! ```
//!
//! Each cycle either `write[n]` stores `data` in slot `n` of bucket `address`, or all slots of that
//! bucket are read: an element is a packet or a command, so one address is enough, and the RAM needs
//! no rule for a collision. All slots lie in one memory, which packs narrow slots into a fifth less
//! block RAM than a memory a slot.

use rust_hdl::core::prelude::*;

use crate::prim::ram::RamStyle;

/// `1 << LOG2` buckets of slots of `SLOT` bits.
#[derive(LogicBlock)]
pub struct Bank<const SLOT: usize, const LOG2: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Bucket.
    pub address: Signal<In, Bits<LOG2>>,
    /// Bit `n` writes slot `n`.
    pub write: Vec<Signal<In, Bit>>,
    /// What is written.
    pub data: Signal<In, Bits<SLOT>>,
    /// The bucket read last.
    pub slot: Vec<Signal<Out, Bits<SLOT>>>,
    _style: RamStyle,
    _memory: Vec<Bits<SLOT>>,
}

impl<const SLOT: usize, const LOG2: usize> Bank<SLOT, LOG2> {
    /// A bank of `slots` slots a bucket.
    pub fn new(slots: usize, style: RamStyle) -> Self {
        assert!(slots >= 1 && SLOT >= 2 && LOG2 >= 2 && style != RamStyle::Distributed);
        Self {
            clock: Signal::default(),
            address: Signal::default(),
            write: vec![Signal::default(); slots],
            data: Signal::default(),
            slot: vec![Signal::default(); slots],
            _style: style,
            _memory: vec![Bits::default(); slots << LOG2],
        }
    }
}

impl<const SLOT: usize, const LOG2: usize> Logic for Bank<SLOT, LOG2> {
    fn update(&mut self) {
        if !self.clock.pos_edge() {
            return;
        }
        let slots = self.slot.len();
        let bucket = &mut self._memory[self.address.val().index() * slots..][..slots];
        if self.write.iter().any(|write| write.val()) {
            for (slot, _) in bucket.iter_mut().zip(&self.write).filter(|(_, write)| write.val()) {
                *slot = self.data.val();
            }
        } else {
            for (out, slot) in self.slot.iter_mut().zip(bucket) {
                out.next = *slot;
            }
        }
    }

    fn connect(&mut self) {
        for slot in &mut self.slot {
            slot.connect();
        }
    }

    fn hdl(&self) -> Verilog {
        let slots = self.slot.len();
        let lines = |line: &dyn Fn(usize) -> String| (0..slots).map(line).collect::<String>();
        let any = (0..slots).map(|n| format!("write${n}")).collect::<Vec<_>>().join(" | ");
        let writes = lines(&|n| {
            format!("    if (write${n}) mem[address][{lsb} +: {SLOT}] <= data;\n", lsb = n * SLOT)
        });
        let outs = lines(&|n| format!("    slot${n} = word[{lsb} +: {SLOT}];\n", lsb = n * SLOT));
        Verilog::Custom(format!(
            "(* ram_style = \"{style}\" *) reg [{high}:0] mem [0:{last}];\n\
             reg [{high}:0] word;\n\
             always @(posedge clock) begin\n    if (!({any})) word <= mem[address];\n{writes}end\n\
             always @(*) begin\n{outs}end\n",
            style = if self._style == RamStyle::Ultra { "ultra" } else { "block" },
            high = slots * SLOT - 1,
            last = (1usize << LOG2) - 1,
        ))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use rand::Rng;

    use super::super::testing::random_bits;
    use super::*;
    use crate::gate::{mapped_cells, passes};

    #[test]
    fn a_bucket_is_read_whole_and_a_slot_written_alone() {
        let mut memory = [[Bits::<40>::default(); 3]; 8];
        let mut read = memory[0];
        passes(
            "bank",
            || Bank::<40, 3>::new(3, RamStyle::Block),
            2000,
            1,
            |uut, rng, _| {
                for (slot, expected) in uut.slot.iter().zip(read) {
                    assert_eq!(slot.val(), expected);
                }
                let address = rng.random_range(0..8usize);
                let data = random_bits(rng);
                let mut any = false;
                for (slot, write) in memory[address].iter_mut().zip(&mut uut.write) {
                    write.next = rng.random_bool(0.2);
                    any |= write.next;
                    if write.next {
                        *slot = data;
                    }
                }
                if !any {
                    read = memory[address];
                }
                uut.address.next = (address as u64).to_bits();
                uut.data.next = data;
            },
        );
    }

    #[test]
    fn a_bucket_of_line_is_urams_and_nothing_else() {
        let mut uut = Bank::<424, 12>::new(4, RamStyle::Ultra);
        uut.connect_all();
        let Some(cells) = mapped_cells("bank_line", &generate_verilog(&uut), "xcup") else { return };
        let of = |kinds: &[&str]| -> usize {
            let is_one = |name: &str| kinds.iter().any(|kind| name.starts_with(kind));
            cells.iter().filter(|(name, _)| is_one(name)).map(|(_, count)| count).sum()
        };
        assert_eq!((of(&["URAM288"]), of(&["FD"]), of(&["LUT"])), (24, 0, 0), "{cells:?}");
    }
}

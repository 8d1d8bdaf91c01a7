//! Synchronous FIFO with valid and ready on both sides.
//!
//! ```text
//!                    .----------------------.
//! s_axis_tdata  ---->|  RAM      output reg |----> m_axis_tdata
//! s_axis_tvalid ---->|  [ ][ ][ ][ ] -> [ ] |----> m_axis_tvalid
//! s_axis_tready <----|                      |<---- m_axis_tready
//!                    '----------------------'
//! ```
//!
//! Each cycle a word is taken when `s_axis_tvalid` and `s_axis_tready` are high, and the next one is
//! fetched from the RAM when the output register is free or taken. A word that enters an empty FIFO
//! stands at the output two cycles later (first word falls through). Both flags are registers, so no
//! path leads from one side's handshake to the other's.

use rust_hdl::core::prelude::*;
use rust_hdl::widgets::prelude::*;

use super::ram::{Ram, RamStyle};

/// A FIFO of `1 << DEPTH_LOG2` words of `WIDTH` bits (and one more in the output register).
/// `COUNT_BITS` is `DEPTH_LOG2 + 1`.
#[derive(LogicBlock)]
pub struct Fifo<const WIDTH: usize, const DEPTH_LOG2: usize, const COUNT_BITS: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous, active high: empties the FIFO.
    pub reset: Signal<In, Bit>,
    /// Word in.
    pub s_axis_tdata: Signal<In, Bits<WIDTH>>,
    /// A word is offered.
    pub s_axis_tvalid: Signal<In, Bit>,
    /// There is room.
    pub s_axis_tready: Signal<Out, Bit>,
    /// Word out.
    pub m_axis_tdata: Signal<Out, Bits<WIDTH>>,
    /// There is a word.
    pub m_axis_tvalid: Signal<Out, Bit>,
    /// The word is taken.
    pub m_axis_tready: Signal<In, Bit>,
    /// Words in the RAM: those that came in and are not yet in the output register.
    pub count: Signal<Out, Bits<COUNT_BITS>>,
    ram: Ram<WIDTH, DEPTH_LOG2>,
    // One bit more than an address: their distance tells a full RAM from an empty one.
    write_at: DFF<Bits<COUNT_BITS>>,
    read_at: DFF<Bits<COUNT_BITS>>,
    full: DFF<Bit>,
    filled: DFF<Bit>,
    out_valid: DFF<Bit>,
    stored: Signal<Local, Bits<COUNT_BITS>>,
    write: Signal<Local, Bit>,
    read: Signal<Local, Bit>,
    one: Constant<Bits<COUNT_BITS>>,
    last: Constant<Bits<COUNT_BITS>>,
}

impl<const WIDTH: usize, const DEPTH_LOG2: usize, const COUNT_BITS: usize>
    Fifo<WIDTH, DEPTH_LOG2, COUNT_BITS>
{
    const SIZES: () = assert!(DEPTH_LOG2 >= 1 && COUNT_BITS == DEPTH_LOG2 + 1);

    /// A FIFO whose RAM has that style.
    pub fn new(style: RamStyle) -> Self {
        let () = Self::SIZES;
        Self {
            clock: Signal::default(),
            reset: Signal::default(),
            s_axis_tdata: Signal::default(),
            s_axis_tvalid: Signal::default(),
            s_axis_tready: Signal::default(),
            m_axis_tdata: Signal::default(),
            m_axis_tvalid: Signal::default(),
            m_axis_tready: Signal::default(),
            count: Signal::default(),
            ram: Ram::without_collisions(style),
            write_at: DFF::default(),
            read_at: DFF::default(),
            full: DFF::default(),
            filled: DFF::default(),
            out_valid: DFF::default(),
            stored: Signal::default(),
            write: Signal::default(),
            read: Signal::default(),
            one: Constant::new(1u32.to_bits()),
            last: Constant::new(((1u64 << DEPTH_LOG2) - 1).to_bits()),
        }
    }
}

impl<const WIDTH: usize, const DEPTH_LOG2: usize, const COUNT_BITS: usize> Logic
    for Fifo<WIDTH, DEPTH_LOG2, COUNT_BITS>
{
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, write_at, read_at, full, filled, out_valid);
        self.ram.clock.next = self.clock.val();
        self.write.next = self.s_axis_tvalid.val() & !self.full.q.val();
        self.read.next = self.filled.q.val() & (!self.out_valid.q.val() | self.m_axis_tready.val());
        self.ram.write_enable.next = self.write.val();
        self.ram.write_address.next = self.write_at.q.val().get_bits::<DEPTH_LOG2>(0);
        self.ram.write_data.next = self.s_axis_tdata.val();
        self.ram.read_enable.next = self.read.val();
        self.ram.read_address.next = self.read_at.q.val().get_bits::<DEPTH_LOG2>(0);
        self.s_axis_tready.next = !self.full.q.val();
        self.m_axis_tdata.next = self.ram.read_data.val();
        self.m_axis_tvalid.next = self.out_valid.q.val();
        // From registers alone: a sum that is kept would end every path to `m_axis_tready`.
        self.stored.next = self.write_at.q.val() - self.read_at.q.val();
        self.count.next = self.stored.val();

        self.out_valid.d.next = self.filled.q.val() | (self.out_valid.q.val() & !self.m_axis_tready.val());
        if self.write.val() {
            self.write_at.d.next = self.write_at.q.val() + self.one.val();
        }
        if self.read.val() {
            self.read_at.d.next = self.read_at.q.val() + self.one.val();
        }
        if self.write.val() & !self.read.val() {
            self.filled.d.next = true;
            self.full.d.next = self.stored.val() == self.last.val();
        } else if self.read.val() & !self.write.val() {
            self.full.d.next = false;
            self.filled.d.next = self.stored.val() != self.one.val();
        }
        if self.reset.val() {
            self.write_at.d.next = 0.into();
            self.read_at.d.next = 0.into();
            self.full.d.next = false;
            self.filled.d.next = false;
            self.out_valid.d.next = false;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use rand::Rng;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;
    use std::collections::VecDeque;

    use super::*;
    use crate::gate::{Clocked, Native, mapped_cells, passes};

    impl<const W: usize, const D: usize, const C: usize> Clocked for Fifo<W, D, C> {
        fn clock(&mut self) -> &mut Signal<In, Clock> {
            &mut self.clock
        }
    }

    /// Every word comes out once and in order; the number of words inside never passes the capacity.
    fn streams<const D: usize, const C: usize>(style: RamStyle, idle: bool, stall: bool, seed: u64) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut fifo = Native::new(Fifo::<16, D, C>::new(style));
        let (mut inside, mut taken, mut most) = (VecDeque::new(), 0, 0);
        for cycle in 0..3000u64 {
            // Long spells on one side, so that the FIFO runs full and empty.
            let spell = cycle / 100 % 3;
            let word = rng.random_range(0..1u64 << 16);
            let offered = !idle || rng.random_bool([0.9, 0.5, 0.1][spell as usize]);
            let ready = !stall || rng.random_bool([0.1, 0.5, 0.9][spell as usize]);
            fifo.uut.s_axis_tdata.next = word.to_bits();
            fifo.uut.s_axis_tvalid.next = offered;
            fifo.uut.m_axis_tready.next = ready;
            fifo.settle();
            if fifo.uut.m_axis_tvalid.val() && ready {
                assert_eq!(Some(fifo.uut.m_axis_tdata.val().to_u64()), inside.pop_front());
                taken += 1;
            }
            if offered && fifo.uut.s_axis_tready.val() {
                inside.push_back(word);
            }
            most = most.max(inside.len());
            fifo.step();
        }
        let capacity = (1 << D) + 1;
        assert!(most <= capacity);
        if stall {
            assert_eq!(most, capacity, "the FIFO never ran full");
        }
        if !idle && !stall {
            assert_eq!(taken, 3000 - 2, "one word a cycle, two cycles late");
        }
    }

    #[test]
    fn words_come_out_in_order_under_any_stall() {
        for style in [RamStyle::Distributed, RamStyle::Block] {
            for (seed, (idle, stall)) in
                [(false, false), (true, false), (false, true), (true, true)].into_iter().enumerate()
            {
                streams::<1, 2>(style, idle, stall, seed as u64);
                streams::<4, 5>(style, idle, stall, 10 + seed as u64);
            }
        }
    }

    #[test]
    fn reset_empties_it() {
        let mut fifo = Native::new(Fifo::<8, 2, 3>::new(RamStyle::Block));
        fifo.uut.s_axis_tvalid.next = true;
        for _ in 0..20 {
            fifo.step();
        }
        assert!(!fifo.uut.s_axis_tready.val() && fifo.uut.m_axis_tvalid.val());
        fifo.uut.s_axis_tvalid.next = false;
        fifo.uut.reset.next = true;
        fifo.step();
        fifo.uut.reset.next = false;
        for _ in 0..5 {
            assert!(fifo.uut.s_axis_tready.val() && !fifo.uut.m_axis_tvalid.val());
            assert_eq!(fifo.uut.count.val().index(), 0);
            fifo.step();
        }
    }

    #[test]
    fn it_passes_the_gate() {
        for style in [RamStyle::Distributed, RamStyle::Block] {
            passes(
                "fifo",
                || Fifo::<70, 3, 4>::new(style),
                2000,
                5,
                |uut, rng, cycle| {
                    let spell = cycle / 64 % 2;
                    uut.reset.next = rng.random_bool(0.005);
                    uut.s_axis_tdata.next = bit_cast::<70, 64>(rng.random::<u64>().to_bits()) << 6;
                    uut.s_axis_tvalid.next = rng.random_bool([0.9, 0.3][spell]);
                    uut.m_axis_tready.next = rng.random_bool([0.3, 0.9][spell]);
                },
            );
        }
    }

    #[test]
    fn its_ram_becomes_block_ram() {
        let verilog = generate_verilog(&Native::new(Fifo::<512, 9, 10>::new(RamStyle::Block)).uut);
        for (target, kind, count) in [("xcup", "RAMB18E2", 15), ("ecp5", "DP16KD", 15)] {
            let Some(cells) = mapped_cells("fifo", &verilog, target) else { return };
            let rams: Vec<_> =
                cells.iter().filter(|cell| cell.0.contains("RAM") || cell.0 == "DP16KD").collect();
            let total: usize = rams.iter().map(|cell| cell.1).sum();
            assert!(total <= count && rams.iter().all(|cell| cell.0 == kind), "{cells:?}");
            let registers: usize = cells
                .iter()
                .filter(|cell| cell.0.contains("FF") || cell.0.starts_with("FD"))
                .map(|cell| cell.1)
                .sum();
            assert!(registers < 64, "{target}: the output is not in the RAM: {cells:?}");
        }
    }
}

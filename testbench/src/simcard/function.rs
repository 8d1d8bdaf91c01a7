//! What is behind the registers of a served card.

use std::sync::Arc;

use wiresift_abi::csr::Csr;
use wiresift_driver::dma::DmaMemory;
use wiresift_driver::fake::FakeCard;
use wiresift_driver::{Direction, Transport, TransportError};

use crate::SimCard;

/// Cycles that a moment of the Verilated card has.
const MOMENT_CYCLES: u32 = 256;
/// Cycles without traffic after which the Verilated card has nothing to do. It may work without traffic, but
/// not that long: a sweep over its largest table is shorter.
const QUIET_CYCLES: u64 = 1 << 16;

/// A function of the PCI device.
pub trait Function {
    /// Reads a register of BAR0.
    ///
    /// # Errors
    /// Where the card does not answer, or with an error.
    fn read_register(&mut self, offset: u16) -> Result<u32, TransportError>;

    /// Writes a register of BAR0.
    ///
    /// # Errors
    /// Where the card does not answer, or with an error.
    fn write_register(&mut self, offset: u16, value: u32) -> Result<(), TransportError>;

    /// Lets a moment pass; says whether something is under way, so that another moment is worth it.
    fn run(&mut self) -> bool;

    /// Whether the card raised its interrupt since the last call.
    fn take_interrupt(&mut self) -> bool;

    /// Resets the function.
    fn reset(&mut self);

    /// The client mapped memory, here in this process where it came with a file.
    fn mapped(&mut self, _iova: u64, _memory: Option<Arc<DmaMemory>>, _access: (bool, bool)) {}

    /// The client took a mapping away.
    fn unmapped(&mut self, _iova: u64) {}

    /// What is wrong with what the card did so far, if anything.
    fn complaint(&self) -> Option<String> {
        None
    }
}

/// The card's Verilog, cycle by cycle. It reaches the [`super::ClientMemory`] that it was made with.
pub struct VerilatedCard {
    sim: SimCard,
    busy_at: u64,
}

impl VerilatedCard {
    /// Around a card whose memory is that of the client ([`SimCard::with_memory`]).
    pub fn new(sim: SimCard) -> Self {
        let busy_at = sim.cycles();
        Self { sim, busy_at }
    }

    /// The card.
    pub fn sim(&self) -> &SimCard {
        &self.sim
    }
}

impl Function for VerilatedCard {
    fn read_register(&mut self, offset: u16) -> Result<u32, TransportError> {
        self.sim.read_register(offset)
    }

    fn write_register(&mut self, offset: u16, value: u32) -> Result<(), TransportError> {
        self.busy_at = self.sim.cycles();
        self.sim.write_register(offset, value)
    }

    fn run(&mut self) -> bool {
        let before = self.sim.traffic();
        for _ in 0..MOMENT_CYCLES {
            self.sim.step();
        }
        if self.sim.traffic() != before || self.sim.is_bus_busy() {
            self.busy_at = self.sim.cycles();
        }
        self.sim.cycles() - self.busy_at < QUIET_CYCLES
    }

    fn take_interrupt(&mut self) -> bool {
        // No time passes; an error is not possible.
        self.sim.wait_interrupt(0).unwrap_or(false)
    }

    fn reset(&mut self) {
        // The reset of a simulated card cannot fail.
        let _: Result<(), TransportError> = self.sim.reset_function();
    }

    /// Rules of the bus that were broken. Accesses that were refused are the client's affair: it may want them.
    fn complaint(&self) -> Option<String> {
        let (cycle, violation) = self.sim.findings().violations.first()?;
        Some(format!("cycle {cycle}: {violation}"))
    }
}

/// The driver's software card. It reaches what came with a file.
pub struct SoftCard {
    card: FakeCard,
}

impl SoftCard {
    /// Around a card without memory.
    pub fn new(card: FakeCard) -> Self {
        Self { card }
    }
}

impl Function for SoftCard {
    fn read_register(&mut self, offset: u16) -> Result<u32, TransportError> {
        self.card.read_register(offset)
    }

    fn write_register(&mut self, offset: u16, value: u32) -> Result<(), TransportError> {
        self.card.write_register(offset, value)
    }

    fn run(&mut self) -> bool {
        self.card.relax();
        // An armed interrupt comes with the next status line, which is asked for as long as it is armed.
        self.card.is_busy()
    }

    fn take_interrupt(&mut self) -> bool {
        self.card.wait_interrupt(0).unwrap_or(false)
    }

    fn reset(&mut self) {
        // A fault on purpose: the card stays as it is then, and the driver finds out.
        let _: Result<(), TransportError> = self.card.reset_function();
    }

    fn mapped(&mut self, iova: u64, memory: Option<Arc<DmaMemory>>, (can_read, can_write): (bool, bool)) {
        let Some(memory) = memory else { return };
        for (allowed, direction) in [(can_read, Direction::H2c), (can_write, Direction::C2h)] {
            if allowed {
                self.card.attach(iova, Arc::clone(&memory), direction);
            }
        }
    }

    fn unmapped(&mut self, iova: u64) {
        self.card.detach(iova);
    }
}

/// Whether a byte offset of BAR0 is that of the doorbell or of credit: the writes that are frequent.
pub(super) fn is_frequent(offset: u16) -> bool {
    offset == Csr::H2cPidx as u16 || offset == Csr::C2hCidx as u16
}

//! The simulated card as a transport of the driver.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use wiresift_abi::csr::{CONTROL_ENABLE, Csr};
use wiresift_abi::geometry::Geometry;
use wiresift_driver::{Direction, DmaRegion, Transport, TransportError};

use crate::axi::{AxiSlave, Findings, OKAY, Timing, Traffic, Violation};
use crate::faults::Fault;
use crate::memory::{CardMemory, HostMemory};
use crate::model::{Model, ModelError};
use crate::ports::{Inputs, Outputs};

/// Nanoseconds in a cycle: 250 MHz.
pub const CYCLE_NS: u64 = 4;
/// Cycles that `relax` runs at most.
const RELAX_CYCLES: u32 = 128;
/// Cycles after which a register access counts as not answered.
const REGISTER_CYCLES: u64 = 10_000;
/// Cycles that a reset lasts.
const RESET_CYCLES: usize = 16;
/// Cycles that an interrupt takes on its way at most.
const INTERRUPT_CYCLES: u32 = 40;

/// What is simulated, and how the bus around it behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// Sizes of the card.
    pub geometry: &'static Geometry,
    /// Everything random comes from it.
    pub seed: u64,
    /// How the bus behaves.
    pub timing: Timing,
    /// What goes wrong on purpose.
    pub faults: Vec<Fault>,
    /// VCD file that every signal is written to.
    pub trace: Option<PathBuf>,
}

impl Options {
    /// A card of that geometry on a bus without stalls and faults.
    pub fn new(geometry: &'static Geometry) -> Self {
        let timing = Timing::new(geometry);
        Self { geometry, seed: 1, timing, faults: Vec::new(), trace: None }
    }
}

/// Why the simulated card cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// There is no Verilog for the geometry.
    #[error("no simulated card")]
    Emit(#[from] wiresift_hdl::emit::EmitError),
    /// The model could not be built or loaded.
    #[error("no simulated card")]
    Model(#[from] ModelError),
    /// The card did something on the bus that it may not.
    #[error("the simulated card broke {count} rules, the first in cycle {cycle}: {text}")]
    Findings {
        /// How many.
        count: u64,
        /// When.
        cycle: u64,
        /// What, in words.
        text: String,
    },
}

/// The Verilog of a card; emitting it takes seconds, so it is done once in a process.
fn verilog(geometry: &'static Geometry) -> Result<Arc<str>, SimError> {
    static EMITTED: Mutex<Vec<(u32, Arc<str>)>> = Mutex::new(Vec::new());
    // Texts are only ever added, whole.
    let mut emitted = EMITTED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, text)) = emitted.iter().find(|(id, _)| *id == geometry.id) {
        return Ok(Arc::clone(text));
    }
    let text: Arc<str> = wiresift_hdl::emit::card_verilog(geometry)?.into();
    emitted.push((geometry.id, Arc::clone(&text)));
    Ok(text)
}

/// The interrupt line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Interrupt {
    Idle,
    /// Requested; acknowledged after so many cycles.
    Requested(u32),
    /// Acknowledged; the request goes away within so many cycles.
    Acknowledged(u32),
}

/// A card that runs in simulation, with its bus and the host memory behind it.
pub struct SimCard {
    model: Model,
    axi: AxiSlave,
    memory: HostMemory,
    inputs: Inputs,
    rng: ChaCha8Rng,
    cycles: u64,
    interrupt: Interrupt,
    is_interrupt: bool,
    /// The register bus in the cycle before: valid answers that were not taken.
    waiting: (bool, bool),
    /// Requests on the register bus that are to be answered: writes, reads.
    asked: (u32, u32),
    is_visible: bool,
}

impl SimCard {
    /// The card that `wiresift-hdl` makes for `options`, after reset. The first call for a version of
    /// the card builds its model, which takes minutes.
    ///
    /// # Errors
    /// Where the model cannot be built or loaded.
    pub fn new(options: &Options) -> Result<Self, SimError> {
        Self::with_verilog(options, &verilog(options.geometry)?)
    }

    /// Like [`SimCard::new`], with a text of one's own: module `top` with the ports of
    /// [`crate::ports`] and a `clock`.
    ///
    /// # Errors
    /// As [`SimCard::new`].
    pub fn with_verilog(options: &Options, verilog: &str) -> Result<Self, SimError> {
        let memory = HostMemory::new(options.seed);
        Self::build(options, verilog, memory.clone(), memory)
    }

    /// Like [`SimCard::new`], with other memory behind the bus; what [`Transport::map`] gives is not reachable
    /// for this card then.
    ///
    /// # Errors
    /// As [`SimCard::new`].
    pub fn with_memory(options: &Options, bus: impl CardMemory + 'static) -> Result<Self, SimError> {
        Self::build(options, &verilog(options.geometry)?, HostMemory::new(options.seed), bus)
    }

    fn build(
        options: &Options,
        verilog: &str,
        memory: HostMemory,
        bus: impl CardMemory + 'static,
    ) -> Result<Self, SimError> {
        let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
        let beat_bytes = options.geometry.beat_bytes;
        let axi = AxiSlave::new(beat_bytes, options.timing, bus, rng.random(), &options.faults);
        let mut sim = Self {
            model: Model::new(verilog, options.trace.as_deref())?,
            axi,
            memory,
            inputs: Inputs::default(),
            rng,
            cycles: 0,
            interrupt: Interrupt::Idle,
            is_interrupt: false,
            waiting: (false, false),
            asked: (0, 0),
            is_visible: false,
        };
        sim.reset();
        Ok(sim)
    }

    /// Cycles simulated so far.
    pub fn cycles(&self) -> u64 {
        self.cycles
    }

    /// What went over the bus so far.
    pub fn traffic(&self) -> Traffic {
        self.axi.traffic()
    }

    /// What the card did on the bus that it may not.
    pub fn findings(&self) -> &Findings {
        self.axi.findings()
    }

    /// Whether the card kept the rules of the bus and to the memory that was mapped for it.
    ///
    /// # Errors
    /// [`SimError::Findings`].
    pub fn check(&self) -> Result<(), SimError> {
        let findings = self.axi.findings();
        let violations = findings.violations.iter().map(|(cycle, what)| (*cycle, what.to_string()));
        let refused = findings.refused.iter().map(|(cycle, what)| (*cycle, what.to_string()));
        match violations.chain(refused).min_by_key(|(cycle, _)| *cycle) {
            None => Ok(()),
            Some((cycle, text)) => Err(SimError::Findings { count: findings.count, cycle, text }),
        }
    }

    /// Adds a fault; its count starts now.
    pub fn add_fault(&mut self, fault: Fault) {
        self.axi.add_fault(fault);
    }

    /// The host memory.
    pub fn memory(&self) -> &HostMemory {
        &self.memory
    }

    /// Whether a burst is on its way on the bus.
    pub fn is_bus_busy(&self) -> bool {
        self.axi.is_busy()
    }

    /// One cycle.
    pub fn step(&mut self) -> Outputs {
        self.axi.drive(&mut self.inputs);
        self.drive_interrupt();
        let outputs = self.model.step(&self.inputs);
        self.is_visible |= self.axi.observe(&self.inputs, &outputs);
        if self.inputs.reset == 0 {
            self.watch_interrupt(&outputs);
            self.watch_registers(&outputs);
        }
        self.cycles += 1;
        outputs
    }

    fn reset(&mut self) {
        self.inputs = Inputs { reset: 1, ..Inputs::default() };
        self.axi.reset();
        self.interrupt = Interrupt::Idle;
        (self.is_interrupt, self.waiting, self.asked) = (false, (false, false), (0, 0));
        for _ in 0..RESET_CYCLES {
            self.step();
        }
        self.axi.reset();
        self.inputs.reset = 0;
        self.step();
    }

    fn drive_interrupt(&mut self) {
        self.inputs.irq_ack = u8::from(self.interrupt == Interrupt::Requested(0));
    }

    fn watch_interrupt(&mut self, outputs: &Outputs) {
        let is_high = outputs.irq_req != 0;
        let wrong = |what| Violation::Interrupt { what };
        let (next, violation) = match self.interrupt {
            Interrupt::Idle if is_high => {
                (Interrupt::Requested(self.rng.random_range(0..INTERRUPT_CYCLES)), None)
            }
            Interrupt::Idle => (Interrupt::Idle, None),
            Interrupt::Requested(_) if !is_high => {
                (Interrupt::Idle, Some(wrong("went away before it was acknowledged")))
            }
            Interrupt::Requested(0) => {
                self.is_interrupt = true;
                (Interrupt::Acknowledged(INTERRUPT_CYCLES), None)
            }
            Interrupt::Requested(left) => (Interrupt::Requested(left - 1), None),
            Interrupt::Acknowledged(_) if !is_high => (Interrupt::Idle, None),
            Interrupt::Acknowledged(0) => (Interrupt::Idle, Some(wrong("stayed after it was acknowledged"))),
            Interrupt::Acknowledged(left) => (Interrupt::Acknowledged(left - 1), None),
        };
        self.interrupt = next;
        if let Some(violation) = violation {
            self.axi.findings_mut().violation(self.cycles, violation);
        }
    }

    /// Rules of the card as a slave on the register bus.
    fn watch_registers(&mut self, outputs: &Outputs) {
        let (b, r) = (outputs.s_axil_bvalid != 0, outputs.s_axil_rvalid != 0);
        let mut broken = Vec::new();
        for (channel, valid, waiting, asked) in
            [("register B", b, self.waiting.0, self.asked.0), ("register R", r, self.waiting.1, self.asked.1)]
        {
            if waiting && !valid {
                broken.push(Violation::Unstable { channel });
            }
            if valid && asked == 0 {
                broken.push(Violation::Unasked { channel });
            }
        }
        self.waiting = (b && self.inputs.s_axil_bready == 0, r && self.inputs.s_axil_rready == 0);
        for violation in broken {
            self.axi.findings_mut().violation(self.cycles, violation);
        }
    }

    /// Runs cycles until `is_done` says so of one's outputs.
    fn run_until(
        &mut self,
        offset: u16,
        mut is_done: impl FnMut(&mut Inputs, &Outputs) -> bool,
    ) -> Result<Outputs, TransportError> {
        for _ in 0..REGISTER_CYCLES {
            let outputs = self.step();
            if is_done(&mut self.inputs, &outputs) {
                return Ok(outputs);
            }
        }
        // The request is taken back, which no master may; the card is to be reset anyway.
        self.inputs.s_axil_arvalid = 0;
        self.inputs.s_axil_awvalid = 0;
        self.inputs.s_axil_wvalid = 0;
        Err(TransportError::NoAnswer { offset, waited_ns: REGISTER_CYCLES * CYCLE_NS })
    }

    /// Some cycles in which the register bus is idle.
    fn pause(&mut self) {
        for _ in 0..self.rng.random_range(0..4) {
            self.step();
        }
    }
}

impl Transport for SimCard {
    fn read_register(&mut self, offset: u16) -> Result<u32, TransportError> {
        self.pause();
        self.inputs.s_axil_araddr = offset;
        self.inputs.s_axil_arvalid = 1;
        self.run_until(offset, |inputs, outputs| {
            let is_taken = outputs.s_axil_arready != 0;
            inputs.s_axil_arvalid = u8::from(!is_taken);
            is_taken
        })?;
        self.asked.1 += 1;
        self.pause();
        self.inputs.s_axil_rready = 1;
        let outputs = self.run_until(offset, |_, outputs| outputs.s_axil_rvalid != 0)?;
        self.inputs.s_axil_rready = 0;
        self.asked.1 -= 1;
        match outputs.s_axil_rresp {
            OKAY => Ok(outputs.s_axil_rdata),
            response => Err(TransportError::Response { offset, response }),
        }
    }

    fn write_register(&mut self, offset: u16, value: u32) -> Result<(), TransportError> {
        if offset == Csr::Control as u16 {
            self.axi.note_enable(value & CONTROL_ENABLE != 0);
        }
        self.pause();
        self.inputs.s_axil_awaddr = offset;
        self.inputs.s_axil_wdata = value;
        self.inputs.s_axil_wstrb = 0xf;
        // Address and data may come in either order.
        let [address_first, data_first] = self.rng.random::<[bool; 2]>();
        self.inputs.s_axil_awvalid = u8::from(address_first || !data_first);
        self.inputs.s_axil_wvalid = u8::from(data_first || !address_first);
        let (mut has_address, mut has_data) = (false, false);
        self.asked.0 += 1;
        self.run_until(offset, |inputs, outputs| {
            has_address |= inputs.s_axil_awvalid != 0 && outputs.s_axil_awready != 0;
            has_data |= inputs.s_axil_wvalid != 0 && outputs.s_axil_wready != 0;
            inputs.s_axil_awvalid = u8::from(!has_address);
            inputs.s_axil_wvalid = u8::from(!has_data);
            has_address && has_data
        })?;
        self.pause();
        self.inputs.s_axil_bready = 1;
        let outputs = self.run_until(offset, |_, outputs| outputs.s_axil_bvalid != 0)?;
        self.inputs.s_axil_bready = 0;
        self.asked.0 -= 1;
        match outputs.s_axil_bresp {
            OKAY => Ok(()),
            response => Err(TransportError::Response { offset, response }),
        }
    }

    fn map(&mut self, bytes: usize, direction: Direction) -> Result<DmaRegion, TransportError> {
        self.memory
            .map(bytes, direction)
            .map_err(|error| TransportError::Map { bytes, source: Box::new(error) })
    }

    fn wait_interrupt(&mut self, timeout_ns: u64) -> Result<bool, TransportError> {
        for _ in 0..timeout_ns / CYCLE_NS {
            if self.is_interrupt {
                break;
            }
            self.step();
        }
        Ok(std::mem::take(&mut self.is_interrupt))
    }

    fn reset_function(&mut self) -> Result<(), TransportError> {
        self.reset();
        Ok(())
    }

    /// Runs the card until it has written something to host memory, for 128 cycles at most.
    fn relax(&mut self) {
        self.is_visible = false;
        for _ in 0..RELAX_CYCLES {
            self.step();
            if self.is_visible {
                return;
            }
        }
    }

    fn now_ns(&self) -> u64 {
        self.cycles * CYCLE_NS
    }
}

//! The rings of a card as plain Rust in host memory, for tests of the driver: what the card does with
//! indices, batches, records and errors, at random moments, and with faults on purpose.
//!
//! It classifies nothing: its answer to a packet ([`answer`]) is a hash of the packet's bytes, so that
//! a verdict that belongs to another packet is seen; and where it answers by its tables ([`answer_by`]), one
//! that belongs to other rules too.

mod engine;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use wiresift_abi::ABI_VERSION;
use wiresift_abi::bits::Line;
use wiresift_abi::c2h::PRESENCE_WORDS;
use wiresift_abi::command::{Command, Opcode};
use wiresift_abi::csr::{
    self, CONTROL_ENABLE, COUNTER_TABLE, COUNTERS, Counter, Csr, ErrorCode, STATUS_HALTED, STATUS_IDLE,
    STATUS_RUNNING,
};
use wiresift_abi::geometry::Geometry;
use wiresift_abi::h2c::BatchKind;
use wiresift_abi::vector::Flags;

use crate::dma::DmaMemory;
use crate::transport::{Direction, DmaRegion, Iova, Transport, TransportError};

/// Something the card does wrong, once, at a moment counted since it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Record number `at` (padding not counted) is xored with `mask`.
    Damage {
        /// Number of the record.
        at: u64,
        /// Bits to flip.
        mask: u128,
    },
    /// Line number `at` of records is not written, though acknowledged.
    LoseLine {
        /// Number of the line.
        at: u64,
    },
    /// Record number `at` is left out.
    Drop {
        /// Number of the record.
        at: u64,
    },
    /// Status lines from number `at` on are not written.
    LoseStatus {
        /// Number of the first lost one.
        at: u64,
    },
    /// Word `word` of status line number `at` is `value`.
    WildStatus {
        /// Number of the status line.
        at: u64,
        /// Number of the 32-bit word.
        word: usize,
        /// What it holds.
        value: u32,
    },
    /// The card halts at packet number `at`.
    Halt {
        /// Number of the packet.
        at: u64,
        /// Why.
        error: ErrorCode,
    },
    /// The card goes on no further at packet number `at`, and never comes to rest; at every one from
    /// then on, if `forever`.
    Hang {
        /// Number of the packet.
        at: u64,
        /// Whether a reset mends it.
        forever: bool,
    },
    /// The card halts at command number `at`, which it does not run.
    HaltAtCommand {
        /// Number of the command.
        at: u64,
        /// Why.
        error: ErrorCode,
    },
    /// The card goes on no further at command number `at`, and never comes to rest until it is reset.
    HangAtCommand {
        /// Number of the command.
        at: u64,
    },
    /// From register read number `at` on, no read is answered; for `count` of them.
    Deaf {
        /// Number of the register read.
        at: u64,
        /// How many.
        count: u64,
    },
    /// The doorbell number `at` is lost.
    LoseDoorbell {
        /// Number of the doorbell.
        at: u64,
    },
    /// Function resets fail, from number `at` on.
    NoReset {
        /// Number of the reset.
        at: u64,
    },
    /// At packet number `at` the card falls off the bus: every read gives all-ones, writes do nothing, it reaches no
    /// memory, and it cannot be reset.
    Unplug {
        /// Number of the packet.
        at: u64,
    },
    /// At packet number `at` somebody else resets the card.
    Reset {
        /// Number of the packet.
        at: u64,
    },
    /// The interrupt number `at` is lost; it is counted when it would be raised.
    LoseInterrupt {
        /// Number of the interrupt.
        at: u64,
    },
    /// From packet number `at` on nothing is written for `ns` nanoseconds, then all of it.
    Late {
        /// Number of the packet.
        at: u64,
        /// How long.
        ns: u64,
    },
    /// A register always reads `value`.
    Register {
        /// The register.
        csr: Csr,
        /// What it reads.
        value: u32,
    },
}

/// What the fake card answers for a packet: ACL rule, flags, ids.
pub fn answer(packet: &[u8]) -> (Option<u32>, Flags, Vec<u32>) {
    answer_by(packet, 0)
}

/// What a fake card that answers by its tables ([`FakeCard::by_tables`]) answers for a packet; `tables` is
/// their [`Slots::hash`].
pub fn answer_by(packet: &[u8], tables: u64) -> (Option<u32>, Flags, Vec<u32>) {
    // FNV-1a, 64 bits.
    let hash = fnv(0xcbf2_9ce4_8422_2325 ^ tables, packet);
    let acl = (!hash.is_multiple_of(5)).then_some((hash >> 7) as u32 & 0xf_ffff);
    let flags = Flags(match (hash & 64 != 0, hash >> 50 & 7) {
        (true, _) => Flags::TUNNEL | Flags::DEFER,
        (false, 0) => Flags::OVERFLOW,
        (false, _) => 0,
    });
    let ids = (0..(hash >> 33) % 7).map(|n| (hash >> (28 + n)) as u32 & 0xf_ffff).collect();
    (acl, flags, ids)
}

/// The patterns that it names beside [`answer_by`].
pub fn hits_by(packet: &[u8], tables: u64) -> Vec<u16> {
    let hash = fnv(0x9e37_79b9_7f4a_7c15 ^ tables, packet);
    (0..(hash >> 40) % 13).map(|n| (hash >> (13 + n)) as u16 & 0x7fff).collect()
}

/// The presence bits that it sets beside [`answer_by`]; as the card's, only where a packet has signature
/// headers or is deferred.
pub fn presence_by(packet: &[u8], tables: u64) -> [u32; PRESENCE_WORDS] {
    let (_, flags, ids) = answer_by(packet, tables);
    let hash = fnv(0x85eb_ca6b_27d4_eb4f ^ tables, packet);
    if hash.is_multiple_of(3) || ids.is_empty() && flags.0 & Flags::DEFER == 0 {
        return [0; PRESENCE_WORDS];
    }
    [7, 23, 39].map(|from| hash.rotate_right(from) as u32)
}

fn fnv(start: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(start, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The slots of a card's tables, as far as a fake card looks at them: as a whole.
#[derive(Clone, Debug, Default)]
pub struct Slots(BTreeMap<(u8, u8, u16), Line>);

impl Slots {
    /// Runs a command.
    pub fn run(&mut self, command: &Command) {
        let Command { table, slot, index, data, .. } = *command;
        match command.opcode {
            Opcode::Clear => self.0.clear(),
            Opcode::WriteSlot if data == Line::default() => drop(self.0.remove(&(table, slot, index))),
            Opcode::WriteSlot => drop(self.0.insert((table, slot, index), data)),
            _ => {}
        }
    }

    /// A number that is another one when any slot is; 0 when all are empty.
    pub fn hash(&self) -> u64 {
        let of = |(&(table, slot, index), line): (&(u8, u8, u16), &Line)| {
            fnv(u64::from(table) << 32 | u64::from(slot) << 16 | u64::from(index), &line.0)
        };
        self.0.iter().map(of).fold(0, u64::wrapping_add)
    }
}

struct Mapped {
    iova: u64,
    memory: Arc<DmaMemory>,
    direction: Direction,
}

/// What the IOMMU of the fake card knows; shared with the regions, which outlive the card.
#[derive(Default)]
pub struct Mappings {
    regions: Vec<Mapped>,
    is_enabled: bool,
    /// Regions that were unmapped while the card could still reach for them.
    pub torn: u64,
}

impl Mappings {
    /// Regions mapped now.
    pub fn regions(&self) -> usize {
        self.regions.len()
    }

    fn remove(&mut self, iova: u64) {
        self.regions.retain(|m| m.iova != iova);
        self.torn += u64::from(self.is_enabled);
    }
}

/// [`Mappings`], shared.
pub type SharedMappings = Arc<Mutex<Mappings>>;

fn lock(mappings: &SharedMappings) -> std::sync::MutexGuard<'_, Mappings> {
    mappings.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is under way in the card; emptied by a stop.
#[derive(Default)]
struct Pipeline {
    cidx: u32,
    /// Lengths of the items that are still to come of a batch.
    items: VecDeque<u16>,
    kind: Option<BatchKind>,
    packet: Vec<u8>,
    sequence: u32,
    /// Groups of records that stay together: a packet's.
    results: VecDeque<Vec<[u64; 2]>>,
    pidx: u32,
    status_writes: u32,
    is_status_due: bool,
}

/// A card of plain Rust.
pub struct FakeCard {
    geometry: &'static Geometry,
    rng: ChaCha8Rng,
    now_ns: u64,
    registers: Vec<u32>,
    counters: [u64; COUNTER_TABLE.len()],
    latch: u32,
    mappings: SharedMappings,
    next_iova: u64,
    faults: Vec<Fault>,
    pipeline: Pipeline,
    version: u16,
    slots: Slots,
    is_by_tables: bool,
    is_without_patterns: bool,
    /// [`Slots::hash`] of the slots, while none was written since it was made.
    hash: Option<u64>,
    is_hung: bool,
    is_contained: bool,
    /// One packet in so many is in for a fault.
    trouble: Option<u32>,
    troubles: u64,
    /// When the card fell off the bus.
    gone_ns: Option<u64>,
    late_until_ns: u64,
    is_irq: bool,
    interrupts: u64,
    records: u64,
    lines: u64,
    statuses: u64,
    packets: u64,
    /// Commands taken so far.
    pub commands: u64,
    /// Register reads so far.
    pub reads: u64,
    /// Doorbells so far.
    pub doorbells: u64,
    /// Function resets so far.
    pub resets: u64,
}

impl FakeCard {
    /// A card of that geometry; everything random comes from `seed`.
    pub fn new(geometry: &'static Geometry, seed: u64, faults: Vec<Fault>) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let next_iova = rng.random_range(1..1u64 << 40) << 12;
        Self {
            geometry,
            rng,
            now_ns: 0,
            registers: vec![0; usize::from(COUNTERS) / 4],
            counters: [0; COUNTER_TABLE.len()],
            latch: 0,
            mappings: SharedMappings::default(),
            next_iova,
            faults,
            pipeline: Pipeline::default(),
            version: 0,
            slots: Slots::default(),
            is_by_tables: false,
            is_without_patterns: false,
            hash: None,
            is_hung: false,
            is_contained: false,
            trouble: None,
            troubles: 0,
            gone_ns: None,
            late_until_ns: 0,
            is_irq: false,
            interrupts: 0,
            records: 0,
            lines: 0,
            statuses: 0,
            packets: 0,
            commands: 0,
            reads: 0,
            doorbells: 0,
            resets: 0,
        }
    }

    /// The card with answers that tell its tables ([`answer_by`]).
    #[must_use]
    pub fn by_tables(mut self) -> Self {
        self.is_by_tables = true;
        self
    }

    /// The card that never names a pattern, nor sets a presence bit.
    #[must_use]
    pub fn without_patterns(mut self) -> Self {
        self.is_without_patterns = true;
        self
    }

    /// The card with faults of its own accord: at one packet in so many, on the average, a fault of a random kind is due
    /// soon. Each is one that the driver can mend: late, lost and corrupt records, a halt, a hang, a reset by somebody
    /// else, a lost interrupt, doorbell or register read.
    ///
    /// A record has no checksum, so only what the driver checks is damaged: of a rule's number it checks no
    /// more than that it can be one, and that a verdict announces less than follows it may find out when the
    /// verdict is out.
    #[must_use]
    pub fn troubled(mut self, one_in: u32) -> Self {
        self.trouble = Some(one_in);
        self
    }

    /// The card behind an IOMMU, so that it reaches nothing that is not mapped.
    #[must_use]
    pub fn contained(mut self) -> Self {
        self.is_contained = true;
        self
    }

    /// When the card fell off the bus, in its own time.
    pub fn gone_ns(&self) -> Option<u64> {
        self.gone_ns
    }

    /// Packets taken in so far, resets included.
    pub fn packets(&self) -> u64 {
        self.packets
    }

    /// Adds a fault of a random kind that happens soon.
    fn add_any(&mut self) {
        let soon = self.rng.random_range(0..200);
        let fault = match self.rng.random_range(0..11) {
            0 => {
                // Version, and control without what says how much follows.
                let bit = [96..116, 125..128][usize::from(self.rng.random_ratio(1, 4))].clone();
                Fault::Damage { at: self.records + soon, mask: 1 << self.rng.random_range(bit) }
            }
            1 => Fault::LoseLine { at: self.lines + soon },
            2 => Fault::Drop { at: self.records + soon },
            3 => Fault::WildStatus {
                at: self.statuses + soon / 8,
                word: self.rng.random_range(0..2),
                value: self.rng.random(),
            },
            4 => Fault::Halt { at: self.packets + soon, error: ErrorCode::ReadResponse },
            5 => Fault::Hang { at: self.packets + soon, forever: false },
            6 => Fault::Reset { at: self.packets + soon },
            7 => Fault::Late { at: self.packets + soon, ns: self.rng.random_range(0..3_000_000) },
            8 => Fault::LoseInterrupt { at: self.interrupts },
            9 => Fault::LoseDoorbell { at: self.doorbells + soon / 8 },
            _ => Fault::Deaf { at: self.reads + soon / 8, count: self.rng.random_range(1..3) },
        };
        // The driver reads registers in recoveries and hardly ever else, so these faults would gather until one recovery meets
        // all of them, one a try.
        let waits = |fault: &Fault| matches!(fault, Fault::Deaf { at, count } if at + count > self.reads);
        if waits(&fault) && self.faults.iter().any(waits) {
            return;
        }
        self.troubles += 1;
        self.add(fault);
    }

    /// Faults that a troubled card was in for so far.
    pub fn troubles(&self) -> u64 {
        self.troubles
    }

    /// The memory that the card may write.
    pub fn writable(&self) -> Vec<Arc<DmaMemory>> {
        let mappings = lock(&self.mappings);
        let regions = mappings.regions.iter().filter(|mapped| mapped.direction == Direction::C2h);
        regions.map(|mapped| Arc::clone(&mapped.memory)).collect()
    }

    /// Adds a fault.
    pub fn add(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    /// Lets the card reach memory that something else mapped for it.
    pub fn attach(&mut self, iova: u64, memory: Arc<DmaMemory>, direction: Direction) {
        lock(&self.mappings).regions.push(Mapped { iova, memory, direction });
    }

    /// Takes memory away from the card.
    pub fn detach(&mut self, iova: u64) {
        lock(&self.mappings).remove(iova);
    }

    /// Whether the card has something to do that it will do by itself.
    pub fn is_busy(&self) -> bool {
        let is_behind = self.is_running() && self.pipeline.cidx != self.reg(Csr::H2cPidx);
        let is_owing = !self.pipeline.results.is_empty() || self.pipeline.is_status_due;
        !self.is_hung && (is_behind || is_owing && self.reg(Csr::Control) & CONTROL_ENABLE != 0)
    }

    /// The mappings, to be looked at when the card is gone.
    pub fn mappings(&self) -> SharedMappings {
        Arc::clone(&self.mappings)
    }

    fn reg(&self, csr: Csr) -> u32 {
        self.registers[csr as usize / 4]
    }

    fn set(&mut self, csr: Csr, value: u32) {
        self.registers[csr as usize / 4] = value;
    }

    fn iova(&self, low: Csr, high: Csr) -> u64 {
        u64::from(self.reg(high)) << 32 | u64::from(self.reg(low))
    }

    fn count(&mut self, counter: Counter, by: u64) {
        self.counters[counter as usize] += by;
    }

    /// Forgets everything; the tables hold anything behind it.
    fn reset(&mut self) {
        lock(&self.mappings).is_enabled = false;
        self.registers.fill(0);
        self.counters = [0; COUNTER_TABLE.len()];
        self.pipeline = Pipeline::default();
        (self.version, self.is_hung, self.is_irq, self.late_until_ns) = (0, false, false, 0);
        let data = Line([self.resets as u8; 64]);
        self.run(&Command { data, ..Command::new(Opcode::WriteSlot, 0) });
    }

    fn is_running(&self) -> bool {
        self.reg(Csr::Control) & CONTROL_ENABLE != 0 && self.reg(Csr::Error) == 0
    }

    fn fires(&mut self, is_it: impl Fn(&Fault) -> bool) -> Option<Fault> {
        let n = self.faults.iter().position(is_it)?;
        Some(self.faults.remove(n))
    }

    /// The memory at an IOVA, and the offset in it, as an IOMMU would find it.
    fn translate(&self, iova: u64, bytes: usize, direction: Direction) -> Option<(Arc<DmaMemory>, usize)> {
        let mappings = lock(&self.mappings);
        let found = mappings.regions.iter().find(|m| {
            m.direction == direction
                && iova >= m.iova
                && iova + bytes as u64 <= m.iova + m.memory.bytes() as u64
        })?;
        Some((Arc::clone(&found.memory), (iova - found.iova) as usize))
    }

    fn status(&self) -> u32 {
        let is_enabled = self.reg(Csr::Control) & CONTROL_ENABLE != 0;
        let running = if self.is_running() { STATUS_RUNNING } else { 0 };
        let idle = if !is_enabled && !self.is_hung { STATUS_IDLE } else { 0 };
        let halted = if is_enabled && self.reg(Csr::Error) != 0 { STATUS_HALTED } else { 0 };
        running | idle | halted
    }

    fn read(&mut self, offset: u16) -> u32 {
        if offset >= COUNTERS {
            if offset.is_multiple_of(8) {
                let count = self.counters.get(usize::from(offset - COUNTERS) / 8).copied().unwrap_or(0);
                self.latch = (count >> 32) as u32;
                return count as u32;
            }
            return self.latch;
        }
        let g = self.geometry;
        let constants = [
            (Csr::Id, csr::ID),
            (Csr::AbiVersion, ABI_VERSION),
            (Csr::Geometry, g.id),
            (Csr::BeatBytes, g.beat_bytes as u32),
            (Csr::NarrowTables, g.narrow_tables as u32),
            (Csr::NarrowBucketsLog2, g.narrow_buckets_log2),
            (Csr::WideTables, g.wide_tables as u32),
            (Csr::WideBucketsLog2, g.wide_buckets_log2),
            (Csr::BucketSlots, g.bucket_slots as u32),
            (Csr::TcamEntries, g.tcam_entries as u32),
            (Csr::Status, self.status()),
            (Csr::H2cCidx, self.pipeline.cidx),
            (Csr::C2hPidx, self.pipeline.pidx),
        ];
        let wrong = self.faults.iter().find_map(|f| match f {
            Fault::Register { csr, value } if *csr as u16 == offset => Some(*value),
            _ => None,
        });
        let constant = constants.iter().find(|row| row.0 as u16 == offset).map(|row| row.1);
        wrong.or(constant).unwrap_or_else(|| self.registers[usize::from(offset) / 4])
    }
}

impl Transport for FakeCard {
    fn read_register(&mut self, offset: u16) -> Result<u32, TransportError> {
        self.now_ns += 500;
        let at = self.reads;
        self.reads += 1;
        if self
            .faults
            .iter()
            .any(|f| matches!(f, Fault::Deaf { at: n, count } if at >= *n && at - n < *count))
        {
            return Err(TransportError::NoAnswer { offset, waited_ns: 500 });
        }
        if self.gone_ns.is_some() {
            // PCI Express 5.0, 2.3.2: a read that nobody completes gives all-ones.
            return Ok(u32::MAX);
        }
        Ok(self.read(offset))
    }

    fn write_register(&mut self, offset: u16, value: u32) -> Result<(), TransportError> {
        self.now_ns += 100;
        if self.gone_ns.is_some() {
            return Ok(());
        }
        if offset == Csr::Control as u16 {
            self.control(value);
        } else if offset == Csr::H2cPidx as u16 {
            let at = self.doorbells;
            self.doorbells += 1;
            if self.fires(|f| matches!(f, Fault::LoseDoorbell { at: n } if *n == at)).is_none() {
                self.set(Csr::H2cPidx, value);
                if value.wrapping_sub(self.pipeline.cidx) > 1 << self.reg(Csr::H2cLinesLog2) {
                    self.halt(ErrorCode::BadPidx, value);
                }
            }
        } else if offset == Csr::C2hCidx as u16 && self.pipeline.pidx.wrapping_sub(value) as i32 >= 0 {
            self.set(Csr::C2hCidx, value);
        } else if offset == Csr::C2hCidx as u16 {
            self.halt(ErrorCode::BadCidx, value);
        } else if offset < COUNTERS {
            self.registers[usize::from(offset) / 4] = value;
        }
        Ok(())
    }

    fn map(&mut self, bytes: usize, direction: Direction) -> Result<DmaRegion, TransportError> {
        let memory =
            DmaMemory::new(bytes).map_err(|error| TransportError::Map { bytes, source: Box::new(error) })?;
        let memory = Arc::new(memory);
        let iova = self.next_iova;
        self.next_iova += memory.bytes() as u64 + (self.rng.random_range(1..100) << 12);
        lock(&self.mappings).regions.push(Mapped { iova, memory: Arc::clone(&memory), direction });
        let table = Arc::clone(&self.mappings);
        let unmap = move || lock(&table).remove(iova);
        Ok(DmaRegion::new(memory, Iova(iova), direction, unmap))
    }

    fn wait_interrupt(&mut self, timeout_ns: u64) -> Result<bool, TransportError> {
        let end = self.now_ns + timeout_ns;
        while !self.is_irq && self.now_ns < end {
            self.relax();
        }
        Ok(std::mem::take(&mut self.is_irq))
    }

    fn reset_function(&mut self) -> Result<(), TransportError> {
        let at = self.resets;
        self.resets += 1;
        if self.faults.iter().any(|f| matches!(f, Fault::NoReset { at: n } if at >= *n)) {
            return Err(TransportError::Reset { source: "the fake card was told not to".into() });
        }
        if self.gone_ns.is_some() {
            return Err(TransportError::Reset { source: "no such device".into() });
        }
        self.reset();
        Ok(())
    }

    fn is_contained(&self) -> bool {
        self.is_contained
    }

    fn relax(&mut self) {
        self.now_ns += 200;
        self.step();
    }

    fn now_ns(&self) -> u64 {
        self.now_ns
    }
}

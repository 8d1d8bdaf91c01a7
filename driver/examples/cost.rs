//! What the driver costs the processor: packets a second on one core with a null card, which answers from memory and
//! whose own time is not counted; and the ratio to a memcpy of the same bytes, in the same run.
//!
//! ```text
//! cargo run --release -p wiresift-driver --example cost [BYTES...]
//! ```
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use wiresift_abi::ABI_VERSION;
use wiresift_abi::bits::{LINE_BYTES, Line};
use wiresift_abi::c2h::{self, LINE_RECORDS, NO_RULE, RECORD_BYTES, RecordKind, VerdictRecord};
use wiresift_abi::command::{Command, Opcode};
use wiresift_abi::csr::{CONTROL_ENABLE, Csr, ID, STATUS_IDLE, STATUS_RUNNING};
use wiresift_abi::geometry::{Geometry, LAB};
use wiresift_abi::h2c::{BatchHeader, BatchKind, packet_lines};
use wiresift_abi::image::Image;
use wiresift_driver::dma::DmaMemory;
use wiresift_driver::hugepages::Pool;
use wiresift_driver::{Card, Config, Direction, DmaRegion, Iova, Transport, TransportError};

/// Packets of a measurement, and how many measurements are made: the one that a tenth of them undercuts counts, because
/// on a machine with other load many are cut in two by the scheduler.
const SLICE: usize = 1 << 12;
const SLICES: usize = 2001;
/// Bytes of the packets that are posted again and again.
const SOURCE_BYTES: usize = 1 << 18;
/// Packets that are posted at a time: a doorbell each.
const PORTION: usize = 512;

/// A card that decides nothing: every packet that is announced has its verdict at once.
struct NullCard {
    registers: Vec<u32>,
    pool: Pool,
    memory: Vec<Arc<DmaMemory>>,
    /// H2C lines taken, C2H records written, and packets answered.
    cidx: u32,
    pidx: u32,
    sequence: u32,
    version: u16,
    /// Time in the card.
    own: Duration,
}

impl NullCard {
    fn new(geometry: &Geometry) -> Self {
        let mut card = Self {
            registers: vec![0; 1024],
            pool: Pool::default(),
            memory: Vec::new(),
            cidx: 0,
            pidx: 0,
            sequence: 0,
            version: 0,
            own: Duration::ZERO,
        };
        for (csr, value) in [
            (Csr::Id, ID),
            (Csr::AbiVersion, ABI_VERSION),
            (Csr::Geometry, geometry.id),
            (Csr::BeatBytes, geometry.beat_bytes as u32),
            (Csr::NarrowTables, geometry.narrow_tables as u32),
            (Csr::NarrowBucketsLog2, geometry.narrow_buckets_log2),
            (Csr::WideTables, geometry.wide_tables as u32),
            (Csr::WideBucketsLog2, geometry.wide_buckets_log2),
            (Csr::BucketSlots, geometry.bucket_slots as u32),
            (Csr::TcamEntries, geometry.tcam_entries as u32),
            (Csr::Status, STATUS_IDLE),
        ] {
            card.registers[csr as usize / 4] = value;
        }
        card
    }

    fn reg(&self, csr: Csr) -> u32 {
        self.registers[csr as usize / 4]
    }

    /// Answers everything up to the doorbell.
    fn answer(&mut self, end: u32) {
        let h2c_lines = 1u32 << self.reg(Csr::H2cLinesLog2);
        let h2c = Arc::clone(&self.memory[0]);
        let line = |index: u32| {
            let mut line = Line::default();
            h2c.read((index & (h2c_lines - 1)) as usize * LINE_BYTES, &mut line.0);
            line
        };
        while self.cidx != end {
            let header: BatchHeader = bytemuck::cast(line(self.cidx).0);
            let count = header.count();
            self.cidx = self.cidx.wrapping_add(1);
            match header.kind() {
                Some(BatchKind::Packets) => {
                    for length in &header.lengths[..count] {
                        self.cidx = self.cidx.wrapping_add(packet_lines(usize::from(*length)) as u32);
                        self.record(RecordKind::Verdict, *length);
                        self.sequence = self.sequence.wrapping_add(1);
                    }
                }
                Some(BatchKind::Commands) => {
                    for n in 0..count as u32 {
                        let command =
                            Command::from_line(&line(self.cidx.wrapping_add(n)), &LAB).expect("a command");
                        if command.opcode == Opcode::Commit {
                            self.version = command.index;
                            self.record(RecordKind::Committed, 0);
                        }
                    }
                    self.cidx = self.cidx.wrapping_add(count as u32);
                }
                None => panic!("a batch of no kind"),
            }
        }
        while !(self.pidx as usize).is_multiple_of(LINE_RECORDS) {
            self.write([0, 0]);
        }
        self.registers[Csr::H2cCidx as usize / 4] = self.cidx;
        self.registers[Csr::C2hPidx as usize / 4] = self.pidx;
    }

    fn record(&mut self, kind: RecordKind, length: u16) {
        let record = VerdictRecord {
            sequence: self.sequence,
            acl: NO_RULE,
            length,
            version: self.version,
            control: c2h::control(kind, 0, false),
            ..Default::default()
        };
        self.write(bytemuck::cast(record));
    }

    fn write(&mut self, record: [u64; 2]) {
        let log2 = self.reg(Csr::C2hRecordsLog2);
        let place = (self.pidx & ((1 << log2) - 1)) as usize * RECORD_BYTES;
        let phase = u64::from(c2h::phase_at(self.pidx, log2)) << 48;
        self.memory[1].store_record(place, [record[0], record[1] ^ phase]);
        self.pidx = self.pidx.wrapping_add(1);
    }
}

impl Transport for NullCard {
    fn read_register(&mut self, offset: u16) -> Result<u32, TransportError> {
        Ok(self.registers[usize::from(offset) / 4])
    }

    fn write_register(&mut self, offset: u16, value: u32) -> Result<(), TransportError> {
        self.registers[usize::from(offset) / 4] = value;
        if offset == Csr::Control as u16 {
            (self.cidx, self.pidx, self.sequence) = (0, 0, 0);
            let status = if value & CONTROL_ENABLE != 0 { STATUS_RUNNING } else { STATUS_IDLE };
            self.registers[Csr::Status as usize / 4] = status;
        } else if offset == Csr::H2cPidx as u16 && self.reg(Csr::Control) & CONTROL_ENABLE != 0 {
            let start = Instant::now();
            self.answer(value);
            self.own += start.elapsed();
        }
        Ok(())
    }

    fn map(&mut self, bytes: usize, direction: Direction) -> Result<DmaRegion, TransportError> {
        let memory =
            self.pool.take(bytes).map_err(|error| TransportError::Map { bytes, source: Box::new(error) })?;
        let memory = Arc::new(memory);
        self.memory.push(Arc::clone(&memory));
        Ok(DmaRegion::new(memory, Iova(4096 * self.memory.len() as u64), direction, || {}))
    }

    fn wait_interrupt(&mut self, _: u64) -> Result<bool, TransportError> {
        Ok(false)
    }

    fn reset_function(&mut self) -> Result<(), TransportError> {
        self.registers[Csr::Status as usize / 4] = STATUS_IDLE;
        Ok(())
    }

    fn relax(&mut self) {}

    fn now_ns(&self) -> u64 {
        0
    }
}

/// Nanoseconds a packet in the driver: of all, and of posting alone.
fn driver(packets: &[Vec<u8>]) -> (f64, f64) {
    let mut card = Card::open(NullCard::new(&LAB), Config::default()).expect("a card");
    let lines =
        [Command::new(Opcode::Clear, 0), Command::new(Opcode::Commit, 1)].map(|command| command.to_line());
    card.load(&Image::new(&LAB, lines.to_vec(), Vec::new()).expect("an image")).expect("rules");
    let mut verdicts = Vec::new();
    let mut next = packets.iter().map(Vec::as_slice).cycle();
    let slices = (0..SLICES).map(|_| {
        card.transport_mut().own = Duration::ZERO;
        let (mut done, mut posting) = (0, Duration::ZERO);
        let start = Instant::now();
        while done < SLICE {
            let begin = Instant::now();
            let posted = card.post(next.by_ref().take(PORTION)).expect("posted");
            posting += begin.elapsed();
            card.doorbell().expect("a doorbell");
            verdicts.clear();
            while verdicts.len() < posted {
                card.poll(&mut verdicts).expect("verdicts");
            }
            done += posted;
        }
        let elapsed = start.elapsed() - card.transport().own;
        (nanoseconds(elapsed, done), nanoseconds(posting, done))
    });
    let (all, posting) = slices.collect::<(Vec<f64>, Vec<f64>)>();
    (low(all), low(posting))
}

/// Nanoseconds a packet that a memcpy of its bytes into the same ring takes.
fn copy(packets: &[Vec<u8>]) -> f64 {
    let mut ring = vec![0u8; LINE_BYTES << Config::default().h2c_lines_log2];
    let mut at = 0;
    let mut next = packets.iter().cycle();
    let slices = (0..SLICES).map(|_| {
        let start = Instant::now();
        for packet in next.by_ref().take(SLICE) {
            if at + packet.len() > ring.len() {
                at = 0;
            }
            ring[at..at + packet.len()].copy_from_slice(packet);
            std::hint::black_box(&mut ring[at]);
            at += packet.len().next_multiple_of(LINE_BYTES);
        }
        nanoseconds(start.elapsed(), SLICE)
    });
    low(slices.collect())
}

fn nanoseconds(elapsed: Duration, packets: usize) -> f64 {
    elapsed.as_secs_f64() * 1e9 / packets as f64
}

fn low(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 10]
}

fn main() {
    let sizes: Vec<usize> =
        std::env::args().skip(1).map(|text| text.parse().expect("bytes of a packet")).collect();
    let sizes = if sizes.is_empty() { vec![64, 1500] } else { sizes };
    println!(
        "| bytes | driver, ns a packet | posting | verdicts | million packets a second | memcpy, ns a packet | ratio |"
    );
    println!("|---:|---:|---:|---:|---:|---:|---:|");
    for bytes in sizes {
        let count = (SOURCE_BYTES / bytes).max(1);
        let packets: Vec<Vec<u8>> = (0..count).map(|n| vec![n as u8; bytes]).collect();
        let ((ours, posting), theirs) = (driver(&packets), copy(&packets));
        println!(
            "| {bytes} | {ours:.2} | {posting:.2} | {:.2} | {:.1} | {theirs:.2} | {:.2} |",
            ours - posting,
            1e3 / ours,
            ours / theirs
        );
    }
}

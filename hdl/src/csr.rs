//! The registers: an AXI4-Lite slave in front of everything in `abi::csr`.
//!
//! ```text
//!                 .-----.---> enable, h2c_*, c2h_*, status_base, irq_arm    from the registers
//! s_axil_aw*  --->|     |<--- status, error, error_detail, h2c_cidx, c2h_pidx, irq_count
//! s_axil_w*   --->|     |<--- irq_disarm
//! s_axil_b*   <---| Csr |
//! s_axil_ar*  --->|     |---> read_address, take_low, take_middle, take_high    to the counters
//! s_axil_r*   <---|     |<--- counter_data
//!                 '-----'
//! ```
//!
//! A write is done when both its address and its data are there, in whatever order they came; one is
//! held of each, and none is taken before the answer to the last write was. A read takes seven cycles
//! from address to data: compare, or over all registers and counters, the thirds of a counter one after
//! another. Addresses without a register read 0, writes to them do nothing; every answer is OKAY.
//!
//! When ENABLE rises, the doorbell and the credit go to zero before the next write can reach them.

use rust_hdl::core::prelude::*;
use rust_hdl::widgets::prelude::*;
use wiresift_abi::ABI_VERSION;
use wiresift_abi::csr::{ADDRESS_BITS, Csr as Name, ID, REGISTERS};
use wiresift_abi::geometry::Geometry;

pub mod counter;
pub mod counters;
pub mod meter;
pub mod tally;
pub mod word;

use word::{NUMBER_BITS, Word, place};

const COUNT: usize = REGISTERS.len();
const CONTROL: usize = place(Name::Control);
const STATUS: usize = place(Name::Status);
const ERROR: usize = place(Name::Error);
const ERROR_DETAIL: usize = place(Name::ErrorDetail);
const H2C_BASE_LO: usize = place(Name::H2cBaseLo);
const H2C_BASE_HI: usize = place(Name::H2cBaseHi);
const H2C_LINES_LOG2: usize = place(Name::H2cLinesLog2);
const H2C_PIDX: usize = place(Name::H2cPidx);
const H2C_CIDX: usize = place(Name::H2cCidx);
const C2H_BASE_LO: usize = place(Name::C2hBaseLo);
const C2H_BASE_HI: usize = place(Name::C2hBaseHi);
const C2H_RECORDS_LOG2: usize = place(Name::C2hRecordsLog2);
const C2H_CIDX: usize = place(Name::C2hCidx);
const C2H_PIDX: usize = place(Name::C2hPidx);
const STATUS_BASE_LO: usize = place(Name::StatusBaseLo);
const STATUS_BASE_HI: usize = place(Name::StatusBaseHi);
const IRQ_CONTROL: usize = place(Name::IrqControl);
const IRQ_COUNT: usize = place(Name::IrqCount);

/// The registers without the counters.
#[derive(LogicBlock)]
pub struct Csr {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous reset: every register zero, no answer pending.
    pub reset: Signal<In, Bit>,

    /// AXI4-Lite write address channel: byte offset in BAR0.
    pub s_axil_awaddr: Signal<In, Bits<ADDRESS_BITS>>,
    /// The address is there.
    pub s_axil_awvalid: Signal<In, Bit>,
    /// The address is taken.
    pub s_axil_awready: Signal<Out, Bit>,
    /// Write data channel.
    pub s_axil_wdata: Signal<In, Bits<32>>,
    /// Bytes to write.
    pub s_axil_wstrb: Signal<In, Bits<4>>,
    /// The data is there.
    pub s_axil_wvalid: Signal<In, Bit>,
    /// The data is taken.
    pub s_axil_wready: Signal<Out, Bit>,
    /// Write answer channel: always OKAY.
    pub s_axil_bresp: Signal<Out, Bits<2>>,
    /// The answer is there.
    pub s_axil_bvalid: Signal<Out, Bit>,
    /// The answer is taken.
    pub s_axil_bready: Signal<In, Bit>,
    /// Read address channel: byte offset in BAR0.
    pub s_axil_araddr: Signal<In, Bits<ADDRESS_BITS>>,
    /// The address is there.
    pub s_axil_arvalid: Signal<In, Bit>,
    /// The address is taken.
    pub s_axil_arready: Signal<Out, Bit>,
    /// Read data channel.
    pub s_axil_rdata: Signal<Out, Bits<32>>,
    /// Always OKAY.
    pub s_axil_rresp: Signal<Out, Bits<2>>,
    /// The data is there.
    pub s_axil_rvalid: Signal<Out, Bit>,
    /// The data is taken.
    pub s_axil_rready: Signal<In, Bit>,

    /// CONTROL.ENABLE.
    pub enable: Signal<Out, Bit>,
    /// H2C_BASE.
    pub h2c_base: Signal<Out, Bits<64>>,
    /// H2C_LINES_LOG2, not checked.
    pub h2c_lines_log2: Signal<Out, Bits<32>>,
    /// H2C_PIDX.
    pub h2c_pidx: Signal<Out, Bits<32>>,
    /// C2H_BASE.
    pub c2h_base: Signal<Out, Bits<64>>,
    /// C2H_RECORDS_LOG2, not checked.
    pub c2h_records_log2: Signal<Out, Bits<32>>,
    /// C2H_CIDX.
    pub c2h_cidx: Signal<Out, Bits<32>>,
    /// STATUS_BASE.
    pub status_base: Signal<Out, Bits<64>>,
    /// IRQ_CONTROL.ARM.
    pub irq_arm: Signal<Out, Bit>,
    /// Pulse: clears IRQ_CONTROL.ARM.
    pub irq_disarm: Signal<In, Bit>,
    /// STATUS.
    pub status: Signal<In, Bits<32>>,
    /// ERROR.
    pub error: Signal<In, Bits<32>>,
    /// ERROR_DETAIL.
    pub error_detail: Signal<In, Bits<32>>,
    /// H2C_CIDX.
    pub h2c_cidx: Signal<In, Bits<32>>,
    /// C2H_PIDX.
    pub c2h_pidx: Signal<In, Bits<32>>,
    /// IRQ_COUNT.
    pub irq_count: Signal<In, Bits<32>>,

    /// Number of the register that is read.
    pub read_address: Signal<Out, Bits<NUMBER_BITS>>,
    /// Pulse: takes the low third of a counter.
    pub take_low: Signal<Out, Bit>,
    /// Pulse: takes the middle third.
    pub take_middle: Signal<Out, Bit>,
    /// Pulse: latches the high third.
    pub take_high: Signal<Out, Bit>,
    /// What the counters read.
    pub counter_data: Signal<In, Bits<32>>,

    words: Vec<Word>,
    aw_held: DFF<Bit>,
    aw_number: DFF<Bits<NUMBER_BITS>>,
    w_held: DFF<Bit>,
    w_data: DFF<Bits<32>>,
    w_strobe: DFF<Bits<4>>,
    b_valid: DFF<Bit>,
    reading: DFF<Bit>,
    ar_number: DFF<Bits<NUMBER_BITS>>,
    /// Stages of a read that are still to come, one-hot.
    compare: DFF<Bit>,
    low: DFF<Bit>,
    middle: DFF<Bit>,
    high: DFF<Bit>,
    gather: DFF<Bit>,
    word_data: DFF<Bits<32>>,
    r_data: DFF<Bits<32>>,
    r_valid: DFF<Bit>,
    was_enabled: DFF<Bit>,
    write: Signal<Local, Bit>,
    any: Signal<Local, Bits<32>>,
    base_low: Signal<Local, Bits<32>>,
    base_high: Signal<Local, Bits<32>>,
    on: Signal<Local, Bit>,
    okay: Constant<Bits<2>>,
}

impl Csr {
    /// The registers of a card of that geometry.
    pub fn new(geometry: &Geometry) -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            s_axil_awaddr: Default::default(),
            s_axil_awvalid: Default::default(),
            s_axil_awready: Default::default(),
            s_axil_wdata: Default::default(),
            s_axil_wstrb: Default::default(),
            s_axil_wvalid: Default::default(),
            s_axil_wready: Default::default(),
            s_axil_bresp: Default::default(),
            s_axil_bvalid: Default::default(),
            s_axil_bready: Default::default(),
            s_axil_araddr: Default::default(),
            s_axil_arvalid: Default::default(),
            s_axil_arready: Default::default(),
            s_axil_rdata: Default::default(),
            s_axil_rresp: Default::default(),
            s_axil_rvalid: Default::default(),
            s_axil_rready: Default::default(),
            enable: Default::default(),
            h2c_base: Default::default(),
            h2c_lines_log2: Default::default(),
            h2c_pidx: Default::default(),
            c2h_base: Default::default(),
            c2h_records_log2: Default::default(),
            c2h_cidx: Default::default(),
            status_base: Default::default(),
            irq_arm: Default::default(),
            irq_disarm: Default::default(),
            status: Default::default(),
            error: Default::default(),
            error_detail: Default::default(),
            h2c_cidx: Default::default(),
            c2h_pidx: Default::default(),
            irq_count: Default::default(),
            read_address: Default::default(),
            take_low: Default::default(),
            take_middle: Default::default(),
            take_high: Default::default(),
            counter_data: Default::default(),
            words: (0..COUNT).map(|place| Word::new(place, fixed(REGISTERS[place].csr, geometry))).collect(),
            aw_held: Default::default(),
            aw_number: Default::default(),
            w_held: Default::default(),
            w_data: Default::default(),
            w_strobe: Default::default(),
            b_valid: Default::default(),
            reading: Default::default(),
            ar_number: Default::default(),
            compare: Default::default(),
            low: Default::default(),
            middle: Default::default(),
            high: Default::default(),
            gather: Default::default(),
            word_data: Default::default(),
            r_data: Default::default(),
            r_valid: Default::default(),
            was_enabled: Default::default(),
            write: Default::default(),
            any: Default::default(),
            base_low: Default::default(),
            base_high: Default::default(),
            on: Default::default(),
            okay: Constant::new(0u32.to_bits()),
        }
    }
}

/// What a register reads that never changes; zero where the value comes from the card.
fn fixed(csr: Name, geometry: &Geometry) -> u32 {
    let size = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
    match csr {
        Name::Id => ID,
        Name::AbiVersion => ABI_VERSION,
        Name::Geometry => geometry.id,
        Name::BeatBytes => size(geometry.beat_bytes),
        Name::NarrowTables => size(geometry.narrow_tables),
        Name::NarrowBucketsLog2 => geometry.narrow_buckets_log2,
        Name::WideTables => size(geometry.wide_tables),
        Name::WideBucketsLog2 => geometry.wide_buckets_log2,
        Name::BucketSlots => size(geometry.bucket_slots),
        Name::TcamEntries => size(geometry.tcam_entries),
        _ => 0,
    }
}

impl Logic for Csr {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self,
            clock,
            aw_held,
            aw_number,
            w_held,
            w_data,
            w_strobe,
            b_valid,
            reading,
            ar_number,
            compare,
            low,
            middle,
            high,
            gather,
            word_data,
            r_data,
            r_valid,
            was_enabled
        );
        // Writes: one address and one data word are held; both there and the last answer gone: done.
        self.s_axil_awready.next = !self.aw_held.q.val();
        self.s_axil_wready.next = !self.w_held.q.val();
        self.s_axil_bvalid.next = self.b_valid.q.val();
        self.s_axil_bresp.next = self.okay.val();
        self.write.next = self.aw_held.q.val() & self.w_held.q.val() & !self.b_valid.q.val();
        if !self.aw_held.q.val() {
            self.aw_held.d.next = self.s_axil_awvalid.val();
            self.aw_number.d.next = self.s_axil_awaddr.val().get_bits::<NUMBER_BITS>(2);
        }
        if !self.w_held.q.val() {
            self.w_held.d.next = self.s_axil_wvalid.val();
            self.w_data.d.next = self.s_axil_wdata.val();
            self.w_strobe.d.next = self.s_axil_wstrb.val();
        }
        if self.s_axil_bready.val() {
            self.b_valid.d.next = false;
        }
        if self.write.val() {
            self.aw_held.d.next = false;
            self.w_held.d.next = false;
            self.b_valid.d.next = true;
        }

        // Reads: one at a time, a stage a cycle.
        self.s_axil_arready.next = !self.reading.q.val();
        self.s_axil_rvalid.next = self.r_valid.q.val();
        self.s_axil_rdata.next = self.r_data.q.val();
        self.s_axil_rresp.next = self.okay.val();
        self.read_address.next = self.ar_number.q.val();
        self.take_low.next = self.low.q.val();
        self.take_middle.next = self.middle.q.val();
        self.take_high.next = self.high.q.val();
        self.compare.d.next = false;
        if !self.reading.q.val() {
            self.ar_number.d.next = self.s_axil_araddr.val().get_bits::<NUMBER_BITS>(2);
            self.reading.d.next = self.s_axil_arvalid.val();
            self.compare.d.next = self.s_axil_arvalid.val();
        }
        self.low.d.next = self.compare.q.val();
        self.middle.d.next = self.low.q.val();
        self.high.d.next = self.middle.q.val();
        self.gather.d.next = self.high.q.val();
        self.any.next = 0.into();

        // The registers.
        for i in CONTROL..(CONTROL + 1) {
            self.on.next = self.words[i].value.val().get_bit(0);
        }
        self.enable.next = self.was_enabled.q.val();
        self.was_enabled.d.next = self.on.val();
        for i in 0..COUNT {
            self.words[i].clock.next = self.clock.val();
            self.words[i].reset.next = self.reset.val();
            self.words[i].write.next = self.write.val();
            self.words[i].write_address.next = self.aw_number.q.val();
            self.words[i].write_data.next = self.w_data.q.val();
            self.words[i].write_strobe.next = self.w_strobe.q.val();
            self.words[i].locked.next = self.on.val();
            self.words[i].zero.next = false;
            self.words[i].disarm.next = false;
            self.words[i].read_address.next = self.ar_number.q.val();
            self.words[i].external.next = 0.into();
            self.any.next = self.any.val() | self.words[i].answer.val();
        }
        self.word_data.d.next = self.any.val();
        if self.gather.q.val() {
            self.r_data.d.next = self.word_data.q.val() | self.counter_data.val();
            self.r_valid.d.next = true;
        }
        if self.r_valid.q.val() & self.s_axil_rready.val() {
            self.r_valid.d.next = false;
            self.reading.d.next = false;
        }
        for i in H2C_PIDX..(H2C_PIDX + 1) {
            self.words[i].zero.next = self.on.val() & !self.was_enabled.q.val();
            self.h2c_pidx.next = self.words[i].value.val();
        }
        for i in C2H_CIDX..(C2H_CIDX + 1) {
            self.words[i].zero.next = self.on.val() & !self.was_enabled.q.val();
            self.c2h_cidx.next = self.words[i].value.val();
        }
        for i in IRQ_CONTROL..(IRQ_CONTROL + 1) {
            self.words[i].disarm.next = self.irq_disarm.val();
            self.irq_arm.next = self.words[i].value.val().get_bit(0);
        }
        for i in H2C_BASE_LO..(H2C_BASE_LO + 1) {
            self.base_low.next = self.words[i].value.val();
        }
        for i in H2C_BASE_HI..(H2C_BASE_HI + 1) {
            self.base_high.next = self.words[i].value.val();
        }
        self.h2c_base.next =
            bit_cast::<64, 32>(self.base_low.val()) | (bit_cast::<64, 32>(self.base_high.val()) << 32);
        for i in H2C_LINES_LOG2..(H2C_LINES_LOG2 + 1) {
            self.h2c_lines_log2.next = self.words[i].value.val();
        }
        for i in C2H_BASE_LO..(C2H_BASE_LO + 1) {
            self.base_low.next = self.words[i].value.val();
        }
        for i in C2H_BASE_HI..(C2H_BASE_HI + 1) {
            self.base_high.next = self.words[i].value.val();
        }
        self.c2h_base.next =
            bit_cast::<64, 32>(self.base_low.val()) | (bit_cast::<64, 32>(self.base_high.val()) << 32);
        for i in C2H_RECORDS_LOG2..(C2H_RECORDS_LOG2 + 1) {
            self.c2h_records_log2.next = self.words[i].value.val();
        }
        for i in STATUS_BASE_LO..(STATUS_BASE_LO + 1) {
            self.base_low.next = self.words[i].value.val();
        }
        for i in STATUS_BASE_HI..(STATUS_BASE_HI + 1) {
            self.base_high.next = self.words[i].value.val();
        }
        self.status_base.next =
            bit_cast::<64, 32>(self.base_low.val()) | (bit_cast::<64, 32>(self.base_high.val()) << 32);
        for i in STATUS..(STATUS + 1) {
            self.words[i].external.next = self.status.val();
        }
        for i in ERROR..(ERROR + 1) {
            self.words[i].external.next = self.error.val();
        }
        for i in ERROR_DETAIL..(ERROR_DETAIL + 1) {
            self.words[i].external.next = self.error_detail.val();
        }
        for i in H2C_CIDX..(H2C_CIDX + 1) {
            self.words[i].external.next = self.h2c_cidx.val();
        }
        for i in C2H_PIDX..(C2H_PIDX + 1) {
            self.words[i].external.next = self.c2h_pidx.val();
        }
        for i in IRQ_COUNT..(IRQ_COUNT + 1) {
            self.words[i].external.next = self.irq_count.val();
        }

        if self.reset.val() {
            self.aw_held.d.next = false;
            self.w_held.d.next = false;
            self.b_valid.d.next = false;
            self.reading.d.next = false;
            self.compare.d.next = false;
            self.low.d.next = false;
            self.middle.d.next = false;
            self.high.d.next = false;
            self.gather.d.next = false;
            self.r_valid.d.next = false;
            self.was_enabled.d.next = false;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;

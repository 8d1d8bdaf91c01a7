//! The card: wires between its blocks, and nothing else.
//!
//! ```text
//!  s_axil_* --> Csr --> Control --> enable, clear        Counters <-- pulses of all, Meter
//!
//!  m_axi_ar* <--.                                                              .--> m_axi_aw*, _w*
//!  m_axi_r* --> Fetch -> Unpack -> Window -> Parser -> Classifier -> Pack -> Writer <-- m_axi_b*
//!                            |       ^         |                     ^  |       '--> irq_req
//!                            |       |         '-- vectors --.       |  |       <--- irq_ack
//!                            |       '-------- credit -------|-------|--'
//!                            '-- beats ------------------> Matcher --'
//! ```
//!
//! The pulse `cleared` goes from the classifier through the matcher to the window. The way of a packet, block by block,
//! and the ports of each are told in `docs/packet-path.md`. Both geometries are made from this one source.

use rust_hdl::core::prelude::*;
use wiresift_abi::csr::ADDRESS_BITS;
use wiresift_abi::geometry::{Geometry, LAB, LINE, WAYS};
use wiresift_abi::vector::WINDOW_BYTES;

use crate::classify::Classifier;
use crate::classify::hash::LutMemory;
use crate::control::Control;
use crate::csr::Csr;
use crate::csr::counters::Counters;
use crate::csr::meter::Meter;
use crate::csr::tally::Tally;
use crate::dma::fetch::Fetch;
use crate::dma::write::Writer;
use crate::parse::parser::Parser;
use crate::parse::window::Window;
use crate::payload::{Matcher, sized};
use crate::prim::ram::RamStyle;
use crate::ring::pack::{Pack, found_bits};
use crate::ring::unpack::Unpack;

const fn log2(size: usize) -> usize {
    assert!(size.is_power_of_two());
    size.ilog2() as usize
}

macro_rules! card_of {
    ($geometry:ident) => {
        sized!(
            Card,
            $geometry,
            $geometry.beat_bytes * 8,
            $geometry.beat_bytes,
            WINDOW_BYTES / $geometry.beat_bytes,
            log2($geometry.read_buffer_beats),
            log2($geometry.read_buffer_beats) + 1,
            log2($geometry.packets_in_flight),
            log2($geometry.packets_in_flight) + 1,
            $geometry.narrow_buckets_log2 as usize,
            $geometry.wide_buckets_log2 as usize,
            $geometry.tcam_entries,
            WAYS * $geometry.bucket_slots,
            found_bits($geometry.payload.short_patterns)
        )
    };
}

/// The card of the geometry `line`.
pub type LineCard = card_of!(LINE);
/// The card of the geometry `lab`.
pub type LabCard = card_of!(LAB);

/// The card; the parameters are bits and bytes of a beat, beats of a window, the sizes of read
/// buffer, result FIFO and tables (powers of two; `_COUNT` is `_LOG2 + 1`), bits of what is found in a packet, and those of
/// [`Matcher`].
#[derive(LogicBlock)]
pub struct Card<
    const BEAT_BITS: usize,
    const STRB_BITS: usize,
    const WINDOW_BEATS: usize,
    const BUFFER_LOG2: usize,
    const BUFFER_COUNT: usize,
    const RESULTS_LOG2: usize,
    const RESULTS_COUNT: usize,
    const NARROW_LOG2: usize,
    const WIDE_LOG2: usize,
    const ENTRIES: usize,
    const CANDIDATES: usize,
    const FOUND: usize,
    const PAIRS: usize,
    const GROUPS: usize,
    const ENTRY: usize,
    const HASH: usize,
    const WORD: usize,
    const WORD_LOG2: usize,
    const BIT_LOG2: usize,
    const PROBE: usize,
    const PAIR_BITS: usize,
    const LANE_LOG2: usize,
    const POSITION: usize,
    const REGION: usize,
    const REGION_BITS: usize,
    const COARSE_BITS: usize,
    const OPERAND_BITS: usize,
    const BUCKETS_LOG2: usize,
    const PATTERN_BITS: usize,
    const PATTERNS_LOG2: usize,
    const HEADER_LIST_BITS: usize,
    const LISTS_LOG2: usize,
    const FLIGHT_LOG2: usize,
    const SHORT: usize,
    const ROW: usize,
> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous reset; the bus is reset with it.
    pub reset: Signal<In, Bit>,
    /// AXI4-Lite write address channel: `addr`.
    pub s_axil_awaddr: Signal<In, Bits<ADDRESS_BITS>>,
    /// AXI4-Lite write address channel: `valid`.
    pub s_axil_awvalid: Signal<In, Bit>,
    /// AXI4-Lite write address channel: `ready`.
    pub s_axil_awready: Signal<Out, Bit>,
    /// AXI4-Lite write data channel: `data`.
    pub s_axil_wdata: Signal<In, Bits<32>>,
    /// AXI4-Lite write data channel: `strb`.
    pub s_axil_wstrb: Signal<In, Bits<4>>,
    /// AXI4-Lite write data channel: `valid`.
    pub s_axil_wvalid: Signal<In, Bit>,
    /// AXI4-Lite write data channel: `ready`.
    pub s_axil_wready: Signal<Out, Bit>,
    /// AXI4-Lite write answer channel: `resp`.
    pub s_axil_bresp: Signal<Out, Bits<2>>,
    /// AXI4-Lite write answer channel: `valid`.
    pub s_axil_bvalid: Signal<Out, Bit>,
    /// AXI4-Lite write answer channel: `ready`.
    pub s_axil_bready: Signal<In, Bit>,
    /// AXI4-Lite read address channel: `addr`.
    pub s_axil_araddr: Signal<In, Bits<ADDRESS_BITS>>,
    /// AXI4-Lite read address channel: `valid`.
    pub s_axil_arvalid: Signal<In, Bit>,
    /// AXI4-Lite read address channel: `ready`.
    pub s_axil_arready: Signal<Out, Bit>,
    /// AXI4-Lite read data channel: `data`.
    pub s_axil_rdata: Signal<Out, Bits<32>>,
    /// AXI4-Lite read data channel: `resp`.
    pub s_axil_rresp: Signal<Out, Bits<2>>,
    /// AXI4-Lite read data channel: `valid`.
    pub s_axil_rvalid: Signal<Out, Bit>,
    /// AXI4-Lite read data channel: `ready`.
    pub s_axil_rready: Signal<In, Bit>,
    /// AXI4 read address channel: `id`.
    pub m_axi_arid: Signal<Out, Bits<4>>,
    /// AXI4 read address channel: `addr`.
    pub m_axi_araddr: Signal<Out, Bits<64>>,
    /// AXI4 read address channel: `len`.
    pub m_axi_arlen: Signal<Out, Bits<8>>,
    /// AXI4 read address channel: `size`.
    pub m_axi_arsize: Signal<Out, Bits<3>>,
    /// AXI4 read address channel: `burst`.
    pub m_axi_arburst: Signal<Out, Bits<2>>,
    /// AXI4 read address channel: `valid`.
    pub m_axi_arvalid: Signal<Out, Bit>,
    /// AXI4 read address channel: `ready`.
    pub m_axi_arready: Signal<In, Bit>,
    /// AXI4 read data channel: `id`.
    pub m_axi_rid: Signal<In, Bits<4>>,
    /// AXI4 read data channel: `data`.
    pub m_axi_rdata: Signal<In, Bits<BEAT_BITS>>,
    /// AXI4 read data channel: `resp`.
    pub m_axi_rresp: Signal<In, Bits<2>>,
    /// AXI4 read data channel: `last`.
    pub m_axi_rlast: Signal<In, Bit>,
    /// AXI4 read data channel: `valid`.
    pub m_axi_rvalid: Signal<In, Bit>,
    /// AXI4 read data channel: `ready`.
    pub m_axi_rready: Signal<Out, Bit>,
    /// AXI4 write address channel: `id`.
    pub m_axi_awid: Signal<Out, Bits<4>>,
    /// AXI4 write address channel: `addr`.
    pub m_axi_awaddr: Signal<Out, Bits<64>>,
    /// AXI4 write address channel: `len`.
    pub m_axi_awlen: Signal<Out, Bits<8>>,
    /// AXI4 write address channel: `size`.
    pub m_axi_awsize: Signal<Out, Bits<3>>,
    /// AXI4 write address channel: `burst`.
    pub m_axi_awburst: Signal<Out, Bits<2>>,
    /// AXI4 write address channel: `valid`.
    pub m_axi_awvalid: Signal<Out, Bit>,
    /// AXI4 write address channel: `ready`.
    pub m_axi_awready: Signal<In, Bit>,
    /// AXI4 write data channel: `data`.
    pub m_axi_wdata: Signal<Out, Bits<BEAT_BITS>>,
    /// AXI4 write data channel: `strb`.
    pub m_axi_wstrb: Signal<Out, Bits<STRB_BITS>>,
    /// AXI4 write data channel: `last`.
    pub m_axi_wlast: Signal<Out, Bit>,
    /// AXI4 write data channel: `valid`.
    pub m_axi_wvalid: Signal<Out, Bit>,
    /// AXI4 write data channel: `ready`.
    pub m_axi_wready: Signal<In, Bit>,
    /// AXI4 write answer channel: `id`.
    pub m_axi_bid: Signal<In, Bits<4>>,
    /// AXI4 write answer channel: `resp`.
    pub m_axi_bresp: Signal<In, Bits<2>>,
    /// AXI4 write answer channel: `valid`.
    pub m_axi_bvalid: Signal<In, Bit>,
    /// AXI4 write answer channel: `ready`.
    pub m_axi_bready: Signal<Out, Bit>,
    /// An interrupt is asked for; held until acknowledged.
    pub irq_req: Signal<Out, Bit>,
    /// It is acknowledged.
    pub irq_ack: Signal<In, Bit>,
    csr: Csr,
    counters: Counters,
    meter: Meter,
    tally: Tally,
    control: Control,
    fetch: Fetch<BEAT_BITS, BUFFER_LOG2, BUFFER_COUNT>,
    unpack: Unpack<BEAT_BITS>,
    window: Window<BEAT_BITS, WINDOW_BEATS>,
    parser: Parser,
    classifier: Classifier<NARROW_LOG2, WIDE_LOG2, ENTRIES, CANDIDATES>,
    matcher: Matcher<
        BEAT_BITS,
        STRB_BITS,
        PAIRS,
        GROUPS,
        ENTRY,
        HASH,
        WORD,
        WORD_LOG2,
        BIT_LOG2,
        PROBE,
        PAIR_BITS,
        LANE_LOG2,
        POSITION,
        REGION,
        REGION_BITS,
        COARSE_BITS,
        OPERAND_BITS,
        BUCKETS_LOG2,
        PATTERN_BITS,
        PATTERNS_LOG2,
        HEADER_LIST_BITS,
        LISTS_LOG2,
        FLIGHT_LOG2,
        SHORT,
        ROW,
    >,
    pack: Pack<RESULTS_LOG2, RESULTS_COUNT, SHORT, FOUND>,
    write: Writer<BEAT_BITS, STRB_BITS>,
}

impl LineCard {
    /// The card of `line`.
    pub fn line() -> Self {
        Self::new(&LINE, RamStyle::Ultra, LutMemory::Bits64)
    }
}

impl LabCard {
    /// The card of `lab`.
    pub fn lab() -> Self {
        Self::new(&LAB, RamStyle::Block, LutMemory::Words16)
    }
}

impl<
    const BEAT_BITS: usize,
    const STRB_BITS: usize,
    const WINDOW_BEATS: usize,
    const BUFFER_LOG2: usize,
    const BUFFER_COUNT: usize,
    const RESULTS_LOG2: usize,
    const RESULTS_COUNT: usize,
    const NARROW_LOG2: usize,
    const WIDE_LOG2: usize,
    const ENTRIES: usize,
    const CANDIDATES: usize,
    const FOUND: usize,
    const PAIRS: usize,
    const GROUPS: usize,
    const ENTRY: usize,
    const HASH: usize,
    const WORD: usize,
    const WORD_LOG2: usize,
    const BIT_LOG2: usize,
    const PROBE: usize,
    const PAIR_BITS: usize,
    const LANE_LOG2: usize,
    const POSITION: usize,
    const REGION: usize,
    const REGION_BITS: usize,
    const COARSE_BITS: usize,
    const OPERAND_BITS: usize,
    const BUCKETS_LOG2: usize,
    const PATTERN_BITS: usize,
    const PATTERNS_LOG2: usize,
    const HEADER_LIST_BITS: usize,
    const LISTS_LOG2: usize,
    const FLIGHT_LOG2: usize,
    const SHORT: usize,
    const ROW: usize,
>
    Card<
        BEAT_BITS,
        STRB_BITS,
        WINDOW_BEATS,
        BUFFER_LOG2,
        BUFFER_COUNT,
        RESULTS_LOG2,
        RESULTS_COUNT,
        NARROW_LOG2,
        WIDE_LOG2,
        ENTRIES,
        CANDIDATES,
        FOUND,
        PAIRS,
        GROUPS,
        ENTRY,
        HASH,
        WORD,
        WORD_LOG2,
        BIT_LOG2,
        PROBE,
        PAIR_BITS,
        LANE_LOG2,
        POSITION,
        REGION,
        REGION_BITS,
        COARSE_BITS,
        OPERAND_BITS,
        BUCKETS_LOG2,
        PATTERN_BITS,
        PATTERNS_LOG2,
        HEADER_LIST_BITS,
        LISTS_LOG2,
        FLIGHT_LOG2,
        SHORT,
        ROW,
    >
{
    /// A card whose sizes are the parameters; the RAM of the wide tables is of style `wide`, the hashes of all tables
    /// are in LUTs that are `memory`.
    fn new(geometry: &Geometry, wide: RamStyle, memory: LutMemory) -> Self {
        // Every element that holds a credit finds room in the FIFO of the results.
        assert!(1 << RESULTS_LOG2 == geometry.packets_in_flight);
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
            m_axi_arid: Default::default(),
            m_axi_araddr: Default::default(),
            m_axi_arlen: Default::default(),
            m_axi_arsize: Default::default(),
            m_axi_arburst: Default::default(),
            m_axi_arvalid: Default::default(),
            m_axi_arready: Default::default(),
            m_axi_rid: Default::default(),
            m_axi_rdata: Default::default(),
            m_axi_rresp: Default::default(),
            m_axi_rlast: Default::default(),
            m_axi_rvalid: Default::default(),
            m_axi_rready: Default::default(),
            m_axi_awid: Default::default(),
            m_axi_awaddr: Default::default(),
            m_axi_awlen: Default::default(),
            m_axi_awsize: Default::default(),
            m_axi_awburst: Default::default(),
            m_axi_awvalid: Default::default(),
            m_axi_awready: Default::default(),
            m_axi_wdata: Default::default(),
            m_axi_wstrb: Default::default(),
            m_axi_wlast: Default::default(),
            m_axi_wvalid: Default::default(),
            m_axi_wready: Default::default(),
            m_axi_bid: Default::default(),
            m_axi_bresp: Default::default(),
            m_axi_bvalid: Default::default(),
            m_axi_bready: Default::default(),
            irq_req: Default::default(),
            irq_ack: Default::default(),
            csr: Csr::new(geometry),
            counters: Counters::default(),
            meter: Meter::default(),
            tally: Tally::default(),
            control: Control::default(),
            fetch: Fetch::new(geometry),
            unpack: Unpack::default(),
            window: Window::new(geometry),
            parser: Parser::default(),
            classifier: Classifier::new(geometry, wide, memory),
            matcher: Matcher::new(geometry, wide),
            pack: Pack::default(),
            write: Writer::new(geometry),
        }
    }
}

impl<
    const BEAT_BITS: usize,
    const STRB_BITS: usize,
    const WINDOW_BEATS: usize,
    const BUFFER_LOG2: usize,
    const BUFFER_COUNT: usize,
    const RESULTS_LOG2: usize,
    const RESULTS_COUNT: usize,
    const NARROW_LOG2: usize,
    const WIDE_LOG2: usize,
    const ENTRIES: usize,
    const CANDIDATES: usize,
    const FOUND: usize,
    const PAIRS: usize,
    const GROUPS: usize,
    const ENTRY: usize,
    const HASH: usize,
    const WORD: usize,
    const WORD_LOG2: usize,
    const BIT_LOG2: usize,
    const PROBE: usize,
    const PAIR_BITS: usize,
    const LANE_LOG2: usize,
    const POSITION: usize,
    const REGION: usize,
    const REGION_BITS: usize,
    const COARSE_BITS: usize,
    const OPERAND_BITS: usize,
    const BUCKETS_LOG2: usize,
    const PATTERN_BITS: usize,
    const PATTERNS_LOG2: usize,
    const HEADER_LIST_BITS: usize,
    const LISTS_LOG2: usize,
    const FLIGHT_LOG2: usize,
    const SHORT: usize,
    const ROW: usize,
> Logic
    for Card<
        BEAT_BITS,
        STRB_BITS,
        WINDOW_BEATS,
        BUFFER_LOG2,
        BUFFER_COUNT,
        RESULTS_LOG2,
        RESULTS_COUNT,
        NARROW_LOG2,
        WIDE_LOG2,
        ENTRIES,
        CANDIDATES,
        FOUND,
        PAIRS,
        GROUPS,
        ENTRY,
        HASH,
        WORD,
        WORD_LOG2,
        BIT_LOG2,
        PROBE,
        PAIR_BITS,
        LANE_LOG2,
        POSITION,
        REGION,
        REGION_BITS,
        COARSE_BITS,
        OPERAND_BITS,
        BUCKETS_LOG2,
        PATTERN_BITS,
        PATTERNS_LOG2,
        HEADER_LIST_BITS,
        LISTS_LOG2,
        FLIGHT_LOG2,
        SHORT,
        ROW,
    >
{
    #[hdl_gen]
    fn update(&mut self) {
        self.csr.clock.next = self.clock.val();
        self.counters.clock.next = self.clock.val();
        self.meter.clock.next = self.clock.val();
        self.tally.clock.next = self.clock.val();
        self.control.clock.next = self.clock.val();
        self.fetch.clock.next = self.clock.val();
        self.unpack.clock.next = self.clock.val();
        self.window.clock.next = self.clock.val();
        self.parser.clock.next = self.clock.val();
        self.classifier.clock.next = self.clock.val();
        self.matcher.clock.next = self.clock.val();
        self.pack.clock.next = self.clock.val();
        self.write.clock.next = self.clock.val();
        self.csr.reset.next = self.reset.val();
        self.counters.reset.next = self.reset.val();
        self.meter.reset.next = self.reset.val();
        self.control.reset.next = self.reset.val();
        self.fetch.reset.next = self.reset.val();
        self.write.reset.next = self.reset.val();
        // The blocks between the DMA engines are emptied when the card stops.
        self.unpack.reset.next = self.control.clear.val();
        self.window.reset.next = self.control.clear.val();
        self.parser.reset.next = self.control.clear.val();
        self.classifier.reset.next = self.control.clear.val();
        self.matcher.reset.next = self.control.clear.val();
        self.pack.reset.next = self.control.clear.val();

        // Registers.
        self.csr.s_axil_awaddr.next = self.s_axil_awaddr.val();
        self.csr.s_axil_awvalid.next = self.s_axil_awvalid.val();
        self.s_axil_awready.next = self.csr.s_axil_awready.val();
        self.csr.s_axil_wdata.next = self.s_axil_wdata.val();
        self.csr.s_axil_wstrb.next = self.s_axil_wstrb.val();
        self.csr.s_axil_wvalid.next = self.s_axil_wvalid.val();
        self.s_axil_wready.next = self.csr.s_axil_wready.val();
        self.s_axil_bresp.next = self.csr.s_axil_bresp.val();
        self.s_axil_bvalid.next = self.csr.s_axil_bvalid.val();
        self.csr.s_axil_bready.next = self.s_axil_bready.val();
        self.csr.s_axil_araddr.next = self.s_axil_araddr.val();
        self.csr.s_axil_arvalid.next = self.s_axil_arvalid.val();
        self.s_axil_arready.next = self.csr.s_axil_arready.val();
        self.s_axil_rdata.next = self.csr.s_axil_rdata.val();
        self.s_axil_rresp.next = self.csr.s_axil_rresp.val();
        self.s_axil_rvalid.next = self.csr.s_axil_rvalid.val();
        self.csr.s_axil_rready.next = self.s_axil_rready.val();

        // Host memory, reads.
        self.m_axi_arid.next = self.fetch.m_axi_arid.val();
        self.m_axi_araddr.next = self.fetch.m_axi_araddr.val();
        self.m_axi_arlen.next = self.fetch.m_axi_arlen.val();
        self.m_axi_arsize.next = self.fetch.m_axi_arsize.val();
        self.m_axi_arburst.next = self.fetch.m_axi_arburst.val();
        self.m_axi_arvalid.next = self.fetch.m_axi_arvalid.val();
        self.fetch.m_axi_arready.next = self.m_axi_arready.val();
        self.fetch.m_axi_rid.next = self.m_axi_rid.val();
        self.fetch.m_axi_rdata.next = self.m_axi_rdata.val();
        self.fetch.m_axi_rresp.next = self.m_axi_rresp.val();
        self.fetch.m_axi_rlast.next = self.m_axi_rlast.val();
        self.fetch.m_axi_rvalid.next = self.m_axi_rvalid.val();
        self.m_axi_rready.next = self.fetch.m_axi_rready.val();

        // Host memory, writes.
        self.m_axi_awid.next = self.write.m_axi_awid.val();
        self.m_axi_awaddr.next = self.write.m_axi_awaddr.val();
        self.m_axi_awlen.next = self.write.m_axi_awlen.val();
        self.m_axi_awsize.next = self.write.m_axi_awsize.val();
        self.m_axi_awburst.next = self.write.m_axi_awburst.val();
        self.m_axi_awvalid.next = self.write.m_axi_awvalid.val();
        self.write.m_axi_awready.next = self.m_axi_awready.val();
        self.m_axi_wdata.next = self.write.m_axi_wdata.val();
        self.m_axi_wstrb.next = self.write.m_axi_wstrb.val();
        self.m_axi_wlast.next = self.write.m_axi_wlast.val();
        self.m_axi_wvalid.next = self.write.m_axi_wvalid.val();
        self.write.m_axi_wready.next = self.m_axi_wready.val();
        self.write.m_axi_bid.next = self.m_axi_bid.val();
        self.write.m_axi_bresp.next = self.m_axi_bresp.val();
        self.write.m_axi_bvalid.next = self.m_axi_bvalid.val();
        self.m_axi_bready.next = self.write.m_axi_bready.val();

        // Control.
        self.control.enable.next = self.csr.enable.val();
        self.control.h2c_base.next = self.csr.h2c_base.val();
        self.control.h2c_lines_log2.next = self.csr.h2c_lines_log2.val();
        self.control.c2h_base.next = self.csr.c2h_base.val();
        self.control.c2h_records_log2.next = self.csr.c2h_records_log2.val();
        self.control.status_base.next = self.csr.status_base.val();
        self.csr.status.next = self.control.status.val();
        self.csr.error.next = self.control.error.val();
        self.csr.error_detail.next = self.control.error_detail.val();
        self.csr.h2c_cidx.next = self.control.h2c_cidx.val();
        self.control.fetch_error.next = self.fetch.error.val();
        self.control.fetch_error_code.next = self.fetch.error_code.val();
        self.control.fetch_error_detail.next = self.fetch.error_detail.val();
        self.control.unpack_error.next = self.unpack.error.val();
        self.control.unpack_error_code.next = self.unpack.error_code.val();
        self.control.unpack_error_detail.next = self.unpack.error_detail.val();
        self.control.write_error.next = self.write.error.val();
        self.control.write_error_code.next = self.write.error_code.val();
        self.control.write_error_detail.next = self.write.error_detail.val();
        self.control.classify_error.next = self.classifier.error.val();
        self.control.classify_error_detail.next = self.classifier.error_detail.val();
        self.control.fetch_idle.next = self.fetch.idle.val();
        self.control.write_idle.next = self.write.idle.val();
        self.control.fetch_cidx.next = self.fetch.cidx.val();
        self.control.packet.next = self.unpack.packet.val();
        self.control.verdicts.next = self.tally.verdicts.val();

        // The way of a packet.
        self.fetch.enable.next = self.control.fetch_enable.val();
        self.fetch.base.next = self.csr.h2c_base.val();
        self.fetch.lines_log2.next = self.csr.h2c_lines_log2.val().get_bits::<5>(0);
        self.fetch.pidx.next = self.csr.h2c_pidx.val();
        self.unpack.s_axis_tdata.next = self.fetch.m_axis_tdata.val();
        self.unpack.s_axis_tvalid.next = self.fetch.m_axis_tvalid.val();
        self.fetch.m_axis_tready.next = self.unpack.s_axis_tready.val();
        self.window.s_axis_tdata.next = self.unpack.m_axis_tdata.val();
        self.window.s_axis_tvalid.next = self.unpack.m_axis_tvalid.val();
        self.window.s_axis_tlast.next = self.unpack.m_axis_tlast.val();
        self.window.s_axis_command.next = self.unpack.m_axis_command.val();
        self.window.s_axis_length.next = self.unpack.m_axis_length.val();
        self.window.s_axis_sequence.next = self.unpack.m_axis_sequence.val();
        self.unpack.m_axis_tready.next = self.window.s_axis_tready.val();
        self.window.credit.next = self.pack.credit.val();
        self.matcher.tdata.next = self.unpack.m_axis_tdata.val();
        self.matcher.taken.next = self.unpack.m_axis_tvalid.val() & self.window.s_axis_tready.val();
        self.matcher.tlast.next = self.unpack.m_axis_tlast.val();
        self.matcher.command.next = self.unpack.m_axis_command.val();
        self.matcher.length.next = self.unpack.m_axis_length.val();
        self.matcher.entered.next = self.window.valid.val();
        self.matcher.vector_valid.next = self.parser.out_valid.val();
        self.matcher.vector_line.next = self.parser.out_line.val();
        self.matcher.classified.next = self.classifier.cleared.val();
        self.window.cleared.next = self.matcher.cleared.val();
        self.parser.valid.next = self.window.valid.val();
        self.parser.command.next = self.window.command.val();
        self.parser.window.next = self.window.window.val();
        self.parser.length.next = self.window.length.val();
        self.parser.sequence_number.next = self.window.sequence_number.val();
        self.classifier.valid.next = self.parser.out_valid.val();
        self.classifier.command.next = self.parser.out_command.val();
        self.classifier.line.next = self.parser.out_line.val();
        self.classifier.sequence_number.next = self.parser.out_sequence.val();
        self.pack.out_valid.next = self.classifier.out_valid.val();
        self.pack.out_commit.next = self.classifier.out_commit.val();
        self.pack.out_silent.next = self.classifier.out_silent.val();
        self.pack.out_sequence.next = self.classifier.out_sequence.val();
        self.pack.out_length.next = self.classifier.out_length.val();
        self.pack.out_flags.next = self.classifier.out_flags.val();
        self.pack.out_version.next = self.classifier.out_version.val();
        self.pack.out_acl_valid.next = self.classifier.out_acl_valid.val();
        self.pack.out_acl.next = self.classifier.out_acl.val();
        self.pack.out_ids_count.next = self.classifier.out_ids_count.val();
        self.pack.out_ids.next = self.classifier.out_ids.val();
        self.pack.hits_valid.next = self.matcher.out_valid.val();
        self.pack.hits_count.next = self.matcher.out_count.val();
        self.pack.hits_ids.next = self.matcher.out_ids.val();
        self.pack.hits_overflow.next = self.matcher.out_overflow.val();
        self.pack.hits_present.next = self.matcher.out_present.val();
        self.pack.records_log2.next = self.csr.c2h_records_log2.val().get_bits::<5>(0);
        self.pack.idle.next = self.window.idle.val();
        self.write.s_axis_tdata.next = self.pack.m_axis_tdata.val();
        self.write.s_axis_tvalid.next = self.pack.m_axis_tvalid.val();
        self.pack.m_axis_tready.next = self.write.s_axis_tready.val();
        self.tally.line.next = self.pack.m_axis_tdata.val();
        self.tally.handed.next = self.pack.m_axis_tvalid.val() & self.write.s_axis_tready.val();
        self.write.enable.next = self.control.write_enable.val();
        self.write.c2h_base.next = self.csr.c2h_base.val();
        self.write.c2h_records_log2.next = self.csr.c2h_records_log2.val().get_bits::<5>(0);
        self.write.c2h_cidx.next = self.csr.c2h_cidx.val();
        self.write.status_base.next = self.csr.status_base.val();
        self.write.h2c_cidx.next = self.control.h2c_cidx.val();
        self.write.status.next = self.control.status.val();
        self.write.error_register.next = self.control.error.val();
        self.write.packets_in.next = self.meter.packets_in.val();
        self.csr.c2h_pidx.next = self.write.c2h_pidx.val();

        // Interrupt.
        self.write.irq_arm.next = self.csr.irq_arm.val();
        self.csr.irq_disarm.next = self.write.irq_disarm.val();
        self.csr.irq_count.next = self.write.irq_count.val();
        self.irq_req.next = self.write.irq_req.val();
        self.write.irq_ack.next = self.irq_ack.val();

        // What is counted.
        self.meter.running.next = self.control.running.val();
        self.meter.ring_tvalid.next = self.fetch.m_axis_tvalid.val();
        self.meter.ring_tready.next = self.unpack.s_axis_tready.val();
        self.meter.stream_tvalid.next = self.unpack.m_axis_tvalid.val();
        self.meter.stream_tready.next = self.window.s_axis_tready.val();
        self.meter.stream_command.next = self.unpack.m_axis_command.val();
        self.meter.stream_length.next = self.unpack.m_axis_length.val();
        self.meter.packet.next = self.unpack.packet.val();
        self.counters.cycles.next = self.control.running.val();
        self.counters.h2c_lines.next = self.fetch.line.val();
        self.counters.batches.next = self.unpack.batch.val();
        self.counters.packets_in.next = self.unpack.packet.val();
        self.counters.packet_bytes.next = self.meter.packet_bytes.val();
        self.counters.packet_beats.next = self.meter.packet_beat.val();
        self.counters.commands.next = self.unpack.command.val();
        self.counters.verdicts.next = self.tally.verdicts.val();
        self.counters.packets_discarded.next = self.control.discarded.val();
        self.counters.id_records.next = self.tally.id_records.val();
        self.counters.pad_records.next = self.tally.pad_records.val();
        self.counters.c2h_lines.next = self.write.line.val();
        self.counters.status_lines.next = self.write.status_line.val();
        self.counters.acl_matches.next = self.tally.acl_matches.val();
        self.counters.signature_matches.next = self.tally.signature_matches.val();
        self.counters.cut.next = self.tally.cut.val();
        self.counters.deferred.next = self.tally.deferred.val();
        self.counters.read_bursts.next = self.fetch.burst.val();
        self.counters.read_errors.next = self.fetch.read_error.val();
        self.counters.write_bursts.next = self.write.burst.val();
        self.counters.write_errors.next = self.write.write_error.val();
        self.counters.starved_cycles.next = self.meter.starved.val();
        self.counters.blocked_cycles.next = self.meter.blocked.val();
        self.counters.credit_cycles.next = self.write.credit_wait.val();
        self.counters.read_address.next = self.csr.read_address.val();
        self.counters.take_low.next = self.csr.take_low.val();
        self.counters.take_middle.next = self.csr.take_middle.val();
        self.counters.take_high.next = self.csr.take_high.val();
        self.csr.counter_data.next = self.counters.read_data.val();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;

//! Starts, stops and halts the card.
//!
//! ```text
//!                                 .---------.
//! enable, ring registers -------->|         |---> fetch_enable, write_enable
//! fetch_error*, unpack_error* --->|         |---> clear            empties the blocks between
//! classify_error*, write_error* ->| Control |---> status, error, error_detail
//! fetch_idle, write_idle -------->|         |---> running, discarded          to the counters
//! fetch_cidx, packet, verdicts -->|         |---> h2c_cidx                    as it was last
//!                                 '---------'
//! ```
//!
//! Each cycle the machine looks at ENABLE and at the errors, which are registered first:
//!
//! * `Stopped`, ENABLE rises: errors and indices go to zero, the ring registers are checked.
//! * `Running`: both DMA engines are enabled. The first error is kept with its detail and halts the card.
//! * `Halting`: nothing more is read. When all reads are answered, `clear` empties the pipeline. The
//!   writer stays enabled, so the host finds the error in the status line too.
//! * `Halted`: until ENABLE falls. After a bad configuration the writer was never enabled.
//! * `Stopping`, ENABLE fell: both engines are disabled; when the bus has answered all, `clear`.
//!
//! A packet is in flight from `packet` to its verdict; those still in flight at `clear` are discarded and
//! counted in
//! `discarded`, so PACKETS_IN = VERDICTS + PACKETS_DISCARDED + in flight holds in every cycle.

use rust_hdl::core::prelude::*;
use rust_hdl::widgets::prelude::*;
use wiresift_abi::bits::LINE_BYTES;
use wiresift_abi::c2h::{RECORDS_LOG2_MAX, RECORDS_LOG2_MIN};
use wiresift_abi::csr::{Csr, ErrorCode, STATUS_HALTED, STATUS_IDLE, STATUS_RUNNING};
use wiresift_abi::h2c::{LINES_LOG2_MAX, LINES_LOG2_MIN, RING_ALIGN};

/// Cycles that the bus must be quiet before it counts as such, as a power of two: longer than an engine
/// needs to see that it is disabled.
const QUIET_BITS: usize = 3;
/// Bits of the number of packets in flight.
pub const IN_FLIGHT_BITS: usize = 16;
/// Bits of the number of verdicts in a line.
const VERDICT_BITS: usize = 3;

#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
enum State {
    Stopped,
    Check,
    Running,
    Halting,
    Halted,
    Stopping,
}

/// The start, stop and halt machine.
#[derive(LogicBlock)]
pub struct Control {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous reset: stopped, no error.
    pub reset: Signal<In, Bit>,
    /// CONTROL.ENABLE.
    pub enable: Signal<In, Bit>,
    /// H2C_BASE.
    pub h2c_base: Signal<In, Bits<64>>,
    /// H2C_LINES_LOG2.
    pub h2c_lines_log2: Signal<In, Bits<32>>,
    /// C2H_BASE.
    pub c2h_base: Signal<In, Bits<64>>,
    /// C2H_RECORDS_LOG2.
    pub c2h_records_log2: Signal<In, Bits<32>>,
    /// STATUS_BASE.
    pub status_base: Signal<In, Bits<64>>,

    /// Pulse from `dma::Fetch`, with code and detail.
    pub fetch_error: Signal<In, Bit>,
    /// `abi::csr::ErrorCode`.
    pub fetch_error_code: Signal<In, Bits<8>>,
    /// What it was found in.
    pub fetch_error_detail: Signal<In, Bits<32>>,
    /// Pulse from `ring::Unpack`, with code and detail.
    pub unpack_error: Signal<In, Bit>,
    /// `abi::csr::ErrorCode`.
    pub unpack_error_code: Signal<In, Bits<8>>,
    /// What it was found in.
    pub unpack_error_detail: Signal<In, Bits<32>>,
    /// Pulse from `classify::Classifier`: a bad command.
    pub classify_error: Signal<In, Bit>,
    /// What it was found in.
    pub classify_error_detail: Signal<In, Bits<32>>,
    /// Pulse from `dma::Writer`, with code and detail.
    pub write_error: Signal<In, Bit>,
    /// `abi::csr::ErrorCode`.
    pub write_error_code: Signal<In, Bits<8>>,
    /// What it was found in.
    pub write_error_detail: Signal<In, Bits<32>>,

    /// No read is in flight.
    pub fetch_idle: Signal<In, Bit>,
    /// No write is in flight.
    pub write_idle: Signal<In, Bit>,
    /// Lines received.
    pub fetch_cidx: Signal<In, Bits<32>>,
    /// Pulse: a packet was taken from the ring.
    pub packet: Signal<In, Bit>,
    /// Verdict records handed to the writer.
    pub verdicts: Signal<In, Bits<VERDICT_BITS>>,

    /// Reads go on.
    pub fetch_enable: Signal<Out, Bit>,
    /// Writes go on.
    pub write_enable: Signal<Out, Bit>,
    /// Pulse: empties the pipeline; high during reset.
    pub clear: Signal<Out, Bit>,
    /// STATUS.
    pub status: Signal<Out, Bits<32>>,
    /// ERROR.
    pub error: Signal<Out, Bits<32>>,
    /// ERROR_DETAIL.
    pub error_detail: Signal<Out, Bits<32>>,
    /// STATUS.RUNNING.
    pub running: Signal<Out, Bit>,
    /// Packets discarded in this cycle.
    pub discarded: Signal<Out, Bits<IN_FLIGHT_BITS>>,
    /// H2C_CIDX: lines received in this run, or in the last one.
    pub h2c_cidx: Signal<Out, Bits<32>>,

    state: DFF<State>,
    fetch_on: DFF<Bit>,
    write_on: DFF<Bit>,
    clearing: DFF<Bit>,
    fetch_still: DFF<Bit>,
    write_still: DFF<Bit>,
    quiet: DFF<Bits<QUIET_BITS>>,
    code: DFF<Bits<8>>,
    detail: DFF<Bits<32>>,
    found: DFF<Bit>,
    found_code: DFF<Bits<8>>,
    found_detail: DFF<Bits<32>>,
    bad_config: DFF<Bit>,
    bad_config_at: DFF<Bits<32>>,
    in_flight: DFF<Bits<IN_FLIGHT_BITS>>,
    packet_in: DFF<Bit>,
    verdicts_out: DFF<Bits<VERDICT_BITS>>,
    cleared: DFF<Bit>,
    at_rest: Signal<Local, Bit>,
    change: Signal<Local, Bits<IN_FLIGHT_BITS>>,
    cidx_seen: DFF<Bits<32>>,
    bus_quiet: Signal<Local, Bit>,
    in_flight_next: Signal<Local, Bits<IN_FLIGHT_BITS>>,

    one_packet: Constant<Bits<IN_FLIGHT_BITS>>,
    one_cycle: Constant<Bits<QUIET_BITS>>,
    lines_min: Constant<Bits<32>>,
    lines_max: Constant<Bits<32>>,
    records_min: Constant<Bits<32>>,
    records_max: Constant<Bits<32>>,
    ring_align: Constant<Bits<64>>,
    status_align: Constant<Bits<64>>,
    at_h2c_base: Constant<Bits<32>>,
    at_h2c_size: Constant<Bits<32>>,
    at_c2h_base: Constant<Bits<32>>,
    at_c2h_size: Constant<Bits<32>>,
    at_status: Constant<Bits<32>>,
    code_config: Constant<Bits<8>>,
    code_command: Constant<Bits<8>>,
    status_running: Constant<Bits<32>>,
    status_idle: Constant<Bits<32>>,
    status_halted: Constant<Bits<32>>,
}

impl Default for Control {
    fn default() -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            enable: Default::default(),
            h2c_base: Default::default(),
            h2c_lines_log2: Default::default(),
            c2h_base: Default::default(),
            c2h_records_log2: Default::default(),
            status_base: Default::default(),
            fetch_error: Default::default(),
            fetch_error_code: Default::default(),
            fetch_error_detail: Default::default(),
            unpack_error: Default::default(),
            unpack_error_code: Default::default(),
            unpack_error_detail: Default::default(),
            classify_error: Default::default(),
            classify_error_detail: Default::default(),
            write_error: Default::default(),
            write_error_code: Default::default(),
            write_error_detail: Default::default(),
            fetch_idle: Default::default(),
            write_idle: Default::default(),
            fetch_cidx: Default::default(),
            packet: Default::default(),
            verdicts: Default::default(),
            packet_in: Default::default(),
            verdicts_out: Default::default(),
            cleared: Default::default(),
            at_rest: Default::default(),
            change: Default::default(),
            fetch_enable: Default::default(),
            write_enable: Default::default(),
            clear: Default::default(),
            status: Default::default(),
            error: Default::default(),
            error_detail: Default::default(),
            running: Default::default(),
            discarded: Default::default(),
            h2c_cidx: Default::default(),
            state: Default::default(),
            fetch_on: Default::default(),
            write_on: Default::default(),
            clearing: Default::default(),
            fetch_still: Default::default(),
            write_still: Default::default(),
            quiet: Default::default(),
            code: Default::default(),
            detail: Default::default(),
            found: Default::default(),
            found_code: Default::default(),
            found_detail: Default::default(),
            bad_config: Default::default(),
            bad_config_at: Default::default(),
            in_flight: Default::default(),
            cidx_seen: Default::default(),
            bus_quiet: Default::default(),
            in_flight_next: Default::default(),
            one_packet: Constant::new(1u32.to_bits()),
            one_cycle: Constant::new(1u32.to_bits()),
            lines_min: Constant::new(LINES_LOG2_MIN.to_bits()),
            lines_max: Constant::new(LINES_LOG2_MAX.to_bits()),
            records_min: Constant::new(RECORDS_LOG2_MIN.to_bits()),
            records_max: Constant::new(RECORDS_LOG2_MAX.to_bits()),
            ring_align: Constant::new((RING_ALIGN - 1).to_bits()),
            status_align: Constant::new((LINE_BYTES - 1).to_bits()),
            at_h2c_base: Constant::new((Csr::H2cBaseLo as u32).to_bits()),
            at_h2c_size: Constant::new((Csr::H2cLinesLog2 as u32).to_bits()),
            at_c2h_base: Constant::new((Csr::C2hBaseLo as u32).to_bits()),
            at_c2h_size: Constant::new((Csr::C2hRecordsLog2 as u32).to_bits()),
            at_status: Constant::new((Csr::StatusBaseLo as u32).to_bits()),
            code_config: Constant::new((ErrorCode::BadConfig as u32).to_bits()),
            code_command: Constant::new((ErrorCode::BadCommand as u32).to_bits()),
            status_running: Constant::new(STATUS_RUNNING.to_bits()),
            status_idle: Constant::new(STATUS_IDLE.to_bits()),
            status_halted: Constant::new(STATUS_HALTED.to_bits()),
        }
    }
}

impl Logic for Control {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self,
            clock,
            state,
            fetch_on,
            write_on,
            clearing,
            fetch_still,
            write_still,
            quiet,
            code,
            detail,
            found,
            found_code,
            found_detail,
            bad_config,
            bad_config_at,
            in_flight,
            packet_in,
            verdicts_out,
            cleared,
            cidx_seen
        );
        // The ring registers are locked while ENABLE is set, so what is found here is of this start.
        self.bad_config.d.next = false;
        self.bad_config_at.d.next = 0.into();
        if (self.status_base.val() & self.status_align.val()).any() {
            self.bad_config.d.next = true;
            self.bad_config_at.d.next = self.at_status.val();
        }
        if (self.c2h_records_log2.val() < self.records_min.val())
            | (self.c2h_records_log2.val() > self.records_max.val())
        {
            self.bad_config.d.next = true;
            self.bad_config_at.d.next = self.at_c2h_size.val();
        }
        if (self.c2h_base.val() & self.ring_align.val()).any() {
            self.bad_config.d.next = true;
            self.bad_config_at.d.next = self.at_c2h_base.val();
        }
        if (self.h2c_lines_log2.val() < self.lines_min.val())
            | (self.h2c_lines_log2.val() > self.lines_max.val())
        {
            self.bad_config.d.next = true;
            self.bad_config_at.d.next = self.at_h2c_size.val();
        }
        if (self.h2c_base.val() & self.ring_align.val()).any() {
            self.bad_config.d.next = true;
            self.bad_config_at.d.next = self.at_h2c_base.val();
        }

        // One error a cycle; where several come together, the one nearest to the host's doing.
        self.found.d.next = self.write_error.val()
            | self.classify_error.val()
            | self.unpack_error.val()
            | self.fetch_error.val();
        self.found_code.d.next = self.write_error_code.val();
        self.found_detail.d.next = self.write_error_detail.val();
        if self.classify_error.val() {
            self.found_code.d.next = self.code_command.val();
            self.found_detail.d.next = self.classify_error_detail.val();
        }
        if self.unpack_error.val() {
            self.found_code.d.next = self.unpack_error_code.val();
            self.found_detail.d.next = self.unpack_error_detail.val();
        }
        if self.fetch_error.val() {
            self.found_code.d.next = self.fetch_error_code.val();
            self.found_detail.d.next = self.fetch_error_detail.val();
        }

        // How long the engines that are disabled have had nothing in flight.
        self.bus_quiet.next = self.quiet.q.val().all();
        self.fetch_still.d.next = self.fetch_idle.val();
        self.write_still.d.next = self.write_idle.val();
        if !self.fetch_still.q.val() | (!self.write_on.q.val() & !self.write_still.q.val()) {
            self.quiet.d.next = 0.into();
        } else if !self.bus_quiet.val() {
            self.quiet.d.next = self.quiet.q.val() + self.one_cycle.val();
        }

        self.clearing.d.next = false;
        self.status.next = 0.into();
        self.at_rest.next = false;
        match self.state.q.val() {
            State::Stopped => {
                self.at_rest.next = !self.clearing.q.val();
                self.found.d.next = false;
                if self.enable.val() {
                    self.code.d.next = 0.into();
                    self.detail.d.next = 0.into();
                    self.cidx_seen.d.next = 0.into();
                    self.state.d.next = State::Check;
                }
            }
            State::Check => {
                self.found.d.next = false;
                if self.bad_config.q.val() {
                    self.code.d.next = self.code_config.val();
                    self.detail.d.next = self.bad_config_at.q.val();
                    self.state.d.next = State::Halted;
                } else {
                    self.fetch_on.d.next = true;
                    self.write_on.d.next = true;
                    self.state.d.next = State::Running;
                }
            }
            State::Running => {
                self.status.next = self.status_running.val();
                self.cidx_seen.d.next = self.fetch_cidx.val();
                self.quiet.d.next = 0.into();
                if self.found.q.val() {
                    self.code.d.next = self.found_code.q.val();
                    self.detail.d.next = self.found_detail.q.val();
                    self.fetch_on.d.next = false;
                    self.state.d.next = State::Halting;
                }
                if !self.enable.val() {
                    self.fetch_on.d.next = false;
                    self.write_on.d.next = false;
                    self.state.d.next = State::Stopping;
                }
            }
            State::Halting => {
                self.status.next = self.status_halted.val();
                if self.bus_quiet.val() {
                    self.clearing.d.next = true;
                    self.state.d.next = State::Halted;
                }
                if !self.enable.val() {
                    self.quiet.d.next = 0.into();
                    self.clearing.d.next = false;
                    self.write_on.d.next = false;
                    self.state.d.next = State::Stopping;
                }
            }
            State::Halted => {
                self.status.next = self.status_halted.val();
                self.at_rest.next = true;
                if !self.enable.val() {
                    self.quiet.d.next = 0.into();
                    self.write_on.d.next = false;
                    self.state.d.next = State::Stopping;
                }
            }
            State::Stopping => {
                if self.found.q.val() & !self.code.q.val().any() {
                    self.code.d.next = self.found_code.q.val();
                    self.detail.d.next = self.found_detail.q.val();
                }
                if self.bus_quiet.val() {
                    self.clearing.d.next = true;
                    self.state.d.next = State::Stopped;
                }
            }
        }
        if self.at_rest.val() & self.fetch_still.q.val() & self.write_still.q.val() {
            self.status.next = self.status.val() | self.status_idle.val();
        }
        self.fetch_enable.next = self.fetch_on.q.val();
        self.write_enable.next = self.write_on.q.val();
        self.clear.next = self.clearing.q.val() | self.reset.val();
        self.running.next = self.fetch_on.q.val();
        self.error.next = bit_cast::<32, 8>(self.code.q.val());
        self.error_detail.next = self.detail.q.val();
        self.h2c_cidx.next = self.cidx_seen.q.val();

        self.packet_in.d.next = self.packet.val();
        self.verdicts_out.d.next = self.verdicts.val();
        self.cleared.d.next = self.clearing.q.val();
        self.change.next = bit_cast::<IN_FLIGHT_BITS, VERDICT_BITS>(self.verdicts_out.q.val());
        if self.packet_in.q.val() {
            self.change.next =
                bit_cast::<IN_FLIGHT_BITS, VERDICT_BITS>(self.verdicts_out.q.val()) - self.one_packet.val();
        }
        self.in_flight_next.next = self.in_flight.q.val() - self.change.val();
        self.in_flight.d.next = self.in_flight_next.val();
        self.discarded.next = 0.into();
        if self.cleared.q.val() {
            self.in_flight.d.next = 0.into();
            self.discarded.next = self.in_flight_next.val();
        }

        if self.reset.val() {
            self.state.d.next = State::Stopped;
            self.fetch_on.d.next = false;
            self.write_on.d.next = false;
            self.clearing.d.next = false;
            self.fetch_still.d.next = false;
            self.write_still.d.next = false;
            self.quiet.d.next = 0.into();
            self.code.d.next = 0.into();
            self.detail.d.next = 0.into();
            self.found.d.next = false;
            self.in_flight.d.next = 0.into();
            self.packet_in.d.next = false;
            self.verdicts_out.d.next = 0.into();
            self.cleared.d.next = false;
            self.cidx_seen.d.next = 0.into();
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;

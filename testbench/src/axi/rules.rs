//! Rules of AXI4 that a master has to keep.

use super::AxiSlave;
use crate::ports::{Inputs, Outputs};

/// INCR (A3.4.1, table A3-3).
const INCR: u8 = 1;
/// No burst crosses such a boundary (A3.4.1).
const BOUNDARY: u64 = 4096;
/// Cycles that the card may let the bus wait, 8 us at 250 MHz: the AWS F2 shell gives a channel of the PCIM interface up
/// after that ("AXI4 Error Handling for CL outbound Transactions"), and the bridge is of no use until the next load.
pub const PATIENCE_CYCLES: u64 = 2000;

/// A rule of the bus that the card broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A master keeps VALID and its payload until READY (A3.2.1).
    #[error("{channel}: VALID was taken back or its payload changed before READY (AXI4 A3.2.1)")]
    Unstable {
        /// Name of the channel.
        channel: &'static str,
    },
    /// Only INCR bursts are allowed here.
    #[error("{channel}: burst type {burst}, not INCR")]
    Burst {
        /// Name of the channel.
        channel: &'static str,
        /// AxBURST.
        burst: u8,
    },
    /// Only whole beats are allowed here.
    #[error("{channel}: beats of 2^{size} bytes, not the width of the bus")]
    Size {
        /// Name of the channel.
        channel: &'static str,
        /// AxSIZE.
        size: u8,
    },
    /// Only addresses of whole beats are allowed here.
    #[error("{channel}: address {address:#x} is not that of a beat")]
    Unaligned {
        /// Name of the channel.
        channel: &'static str,
        /// AxADDR.
        address: u64,
    },
    /// A burst does not cross 4 KiB (A3.4.1).
    #[error("{channel}: {beats} beats at {address:#x} cross a 4 KiB boundary (AXI4 A3.4.1)")]
    Boundary {
        /// Name of the channel.
        channel: &'static str,
        /// AxADDR.
        address: u64,
        /// Beats of the burst.
        beats: u32,
    },
    /// Every id is zero, so that answers come in order.
    #[error("{channel}: id {id}, not 0")]
    Id {
        /// Name of the channel.
        channel: &'static str,
        /// AxID.
        id: u8,
    },
    /// More bursts in flight than the bridge takes.
    #[error("{channel}: {count} bursts in flight")]
    InFlight {
        /// Name of the channel.
        channel: &'static str,
        /// How many there are.
        count: usize,
    },
    /// WLAST is high in the last beat of a burst and in no other (A3.3.1, A3.4.1).
    #[error("WLAST is {last} in beat {beat} of a burst of {beats} (from 0)")]
    Last {
        /// WLAST.
        last: u8,
        /// Number of the beat.
        beat: usize,
        /// Beats of the burst.
        beats: u32,
    },
    /// The bytes that a write enables are in one piece (PCI Express 5.0, 2.2.5, for more than two double words).
    #[error("W: strobes {strobe:#x} are not in one piece")]
    Strobe {
        /// WSTRB.
        strobe: u64,
    },
    /// The card takes answers and gives data within [`PATIENCE_CYCLES`].
    #[error("{channel}: the bus waits for the card for more than {PATIENCE_CYCLES} cycles")]
    Slow {
        /// Name of the channel.
        channel: &'static str,
    },
    /// The card asks for nothing and owes nothing [`PATIENCE_CYCLES`] after a stop.
    #[error("{channel}: something of the card {PATIENCE_CYCLES} cycles after its stop")]
    Drain {
        /// Name of the channel.
        channel: &'static str,
    },
    /// No VALID is high while the reset is (A3.1.2).
    #[error("{channel}: VALID during reset (AXI4 A3.1.2)")]
    Reset {
        /// Name of the channel.
        channel: &'static str,
    },
    /// An answer on the register bus that nobody asked for.
    #[error("{channel}: an answer without a request")]
    Unasked {
        /// Name of the channel.
        channel: &'static str,
    },
    /// An interrupt request is kept until it is acknowledged, and then taken back.
    #[error("irq_req {what}")]
    Interrupt {
        /// What is wrong.
        what: &'static str,
    },
}

/// How long something has been waited for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Waits {
    /// Cycles that R and B wait for their READY.
    r: u64,
    b: u64,
    /// Cycles that the data of a burst is behind its address.
    w: u64,
    /// Cycles since the card was stopped; `None` while it may run.
    pub stopped: Option<u64>,
}

/// What AR and AW have in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    pub channel: &'static str,
    pub id: u8,
    pub address: u64,
    pub len: u8,
    pub size: u8,
    pub burst: u8,
}

impl Request {
    /// Beats of the burst (A3.4.1: AxLEN + 1).
    pub fn beats(&self) -> u32 {
        u32::from(self.len) + 1
    }
}

impl AxiSlave {
    pub(super) fn check_request(&mut self, request: &Request) {
        let Request { channel, id, address, size, burst, .. } = *request;
        let beats = request.beats();
        let bytes = u64::from(beats) * self.beat_bytes as u64;
        let broken = [
            (burst != INCR).then_some(Violation::Burst { channel, burst }),
            (1u64 << (size & 7) != self.beat_bytes as u64).then_some(Violation::Size { channel, size }),
            (!address.is_multiple_of(self.beat_bytes as u64))
                .then_some(Violation::Unaligned { channel, address }),
            (address % BOUNDARY + bytes > BOUNDARY).then_some(Violation::Boundary {
                channel,
                address,
                beats,
            }),
            (id != 0).then_some(Violation::Id { channel, id }),
        ];
        for violation in broken.into_iter().flatten() {
            self.findings.violation(self.cycle, violation);
        }
    }

    /// What was valid and not taken in the cycle before stands there unchanged.
    pub(super) fn check_stable(&mut self, inputs: &Inputs, now: &Outputs) {
        if inputs.reset != 0 {
            for (channel, valid) in
                [("AR", now.m_axi_arvalid), ("AW", now.m_axi_awvalid), ("W", now.m_axi_wvalid)]
            {
                // The card needs one edge to see the reset.
                let is_seen = self.before.is_some_and(|(before, _)| before.reset != 0);
                if valid != 0 && is_seen {
                    self.findings.violation(self.cycle, Violation::Reset { channel });
                }
            }
            return;
        }
        let Some((driven, before)) = self.before.filter(|(driven, _)| driven.reset == 0) else { return };
        let read = |o: &Outputs| {
            (o.m_axi_arvalid, o.m_axi_arid, o.m_axi_araddr, o.m_axi_arlen, o.m_axi_arsize, o.m_axi_arburst)
        };
        let write = |o: &Outputs| {
            (o.m_axi_awvalid, o.m_axi_awid, o.m_axi_awaddr, o.m_axi_awlen, o.m_axi_awsize, o.m_axi_awburst)
        };
        let data = |o: &Outputs| (o.m_axi_wvalid, o.m_axi_wdata, o.m_axi_wstrb, o.m_axi_wlast);
        let waits = |valid: u8, ready: u8| valid != 0 && ready == 0;
        let channels = [
            ("AR", waits(before.m_axi_arvalid, driven.m_axi_arready) && read(&before) != read(now)),
            ("AW", waits(before.m_axi_awvalid, driven.m_axi_awready) && write(&before) != write(now)),
            ("W", waits(before.m_axi_wvalid, driven.m_axi_wready) && data(&before) != data(now)),
        ];
        for (channel, is_broken) in channels {
            if is_broken {
                self.findings.violation(self.cycle, Violation::Unstable { channel });
            }
        }
    }

    /// What the shell of a board gives up after a time is in time. Told once, when it is late.
    pub(super) fn check_patience(&mut self, inputs: &Inputs, now: &Outputs) {
        if inputs.reset != 0 {
            self.waits = Waits::default();
            return;
        }
        let is_owing = self.writes.is_owing();
        let is_late = |cycles: &mut u64, is_waiting: bool| {
            *cycles = if is_waiting { *cycles + 1 } else { 0 };
            *cycles == PATIENCE_CYCLES + 1
        };
        let moves_data = now.m_axi_wvalid != 0 && inputs.m_axi_wready != 0;
        let waits = &mut self.waits;
        let late = [
            ("R", is_late(&mut waits.r, inputs.m_axi_rvalid != 0 && now.m_axi_rready == 0)),
            ("B", is_late(&mut waits.b, inputs.m_axi_bvalid != 0 && now.m_axi_bready == 0)),
            ("W", is_late(&mut waits.w, is_owing && !moves_data && now.m_axi_wvalid == 0)),
        ];
        if let Some(cycles) = &mut waits.stopped {
            *cycles += 1;
        }
        let is_past = waits.stopped.is_some_and(|cycles| cycles > PATIENCE_CYCLES);
        for (channel, is_late) in late {
            if is_late {
                self.findings.violation(self.cycle, Violation::Slow { channel });
            }
        }
        let under_way = [
            ("AR", now.m_axi_arvalid != 0),
            ("AW", now.m_axi_awvalid != 0),
            ("W", now.m_axi_wvalid != 0 || is_owing),
        ];
        if let Some((channel, _)) = under_way.into_iter().find(|(_, is_there)| is_past && *is_there) {
            self.findings.violation(self.cycle, Violation::Drain { channel });
            self.waits.stopped = None;
        }
    }
}

/// Whether the ones of a number stand in one piece, or there is none.
pub(super) fn is_one_piece(strobe: u64) -> bool {
    let low = strobe >> strobe.trailing_zeros().min(63);
    low & low.wrapping_add(1) == 0
}

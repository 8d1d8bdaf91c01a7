//! Bring-up and stop of a card.

use wiresift_abi::c2h::{RECORD_BYTES, RECORDS_LOG2_MAX, RECORDS_LOG2_MIN};
use wiresift_abi::csr::{self, CONTROL_ENABLE, Csr, STATUS_HALTED, STATUS_IDLE, STATUS_RUNNING};
use wiresift_abi::geometry::Geometry;
use wiresift_abi::h2c::{LINES_LOG2_MAX, LINES_LOG2_MIN};
use wiresift_abi::{ABI_VERSION, bits::LINE_BYTES};

use crate::c2h::{C2hRing, Checker};
use crate::card::{Card, Config, Seen, State};
use crate::conservation::Span;
use crate::error::DriverError;
use crate::h2c::H2cRing;
use crate::transport::{Direction, DmaRegion, Transport, TransportError};

impl<T: Transport> Card<T> {
    /// Brings a card up: checks what it is, stops and resets it, maps the rings, starts it. The tables
    /// are empty until [`Card::load`].
    ///
    /// # Errors
    /// Where it is no Wiresift card, one of another ABI version, of an unknown geometry or with
    /// registers that contradict it; where a ring size is out of range; where it does not start.
    pub fn open(mut transport: T, config: Config) -> Result<Self, DriverError> {
        in_range("H2C", config.h2c_lines_log2, LINES_LOG2_MIN, LINES_LOG2_MAX)?;
        in_range("C2H", config.c2h_records_log2, RECORDS_LOG2_MIN, RECORDS_LOG2_MAX)?;
        let geometry = identify(&mut transport)?;
        // Whoever used the card before may have left it running.
        transport.reset_function()?;
        let h2c = transport.map(LINE_BYTES << config.h2c_lines_log2, Direction::H2c)?;
        let c2h = transport.map(RECORD_BYTES << config.c2h_records_log2, Direction::C2h)?;
        let status = transport.map(LINE_BYTES, Direction::C2h)?;
        let h2c = H2cRing::new(h2c, config.h2c_lines_log2);
        let c2h = C2hRing::new(c2h, status, config.c2h_records_log2);
        // From here on, dropping the card stops it before the memory goes.
        let mut card = Self::assemble(transport, geometry, config, h2c, c2h);
        card.start()?;
        Ok(card)
    }

    /// Starts the stopped card with empty rings.
    pub(crate) fn start(&mut self) -> Result<(), DriverError> {
        let found = identify(&mut self.transport)?;
        if found != self.geometry {
            let (is, should) = (found.id, self.geometry.id);
            return Err(DriverError::Register { csr: Csr::Geometry, is, should });
        }
        self.h2c.restart();
        self.c2h.restart();
        self.checker = Checker::default();
        self.seen = Seen::default();
        let h2c = iova(self.h2c.region());
        let c2h = iova(self.c2h.region());
        let status = iova(self.c2h.status_region());
        let registers = [
            (Csr::H2cBaseLo, h2c[0]),
            (Csr::H2cBaseHi, h2c[1]),
            (Csr::H2cLinesLog2, self.config.h2c_lines_log2),
            (Csr::H2cPidx, 0),
            (Csr::C2hBaseLo, c2h[0]),
            (Csr::C2hBaseHi, c2h[1]),
            (Csr::C2hRecordsLog2, self.config.c2h_records_log2),
            (Csr::C2hCidx, 0),
            (Csr::StatusBaseLo, status[0]),
            (Csr::StatusBaseHi, status[1]),
        ];
        for (csr, value) in registers {
            self.transport.write_csr(csr, value)?;
            expect(&mut self.transport, csr, value)?;
        }
        let unbalanced = self.span.unbalanced;
        self.span = Span { base: self.read_card_counters()?, unbalanced, ..Span::default() };
        crate::dma::publish();
        self.transport.write_csr(Csr::Control, CONTROL_ENABLE)?;
        self.await_status("start", |status| status & (STATUS_RUNNING | STATUS_HALTED) != 0)?;
        self.state = State::Running;
        self.note_progress();
        Ok(())
    }

    /// Stops the card: nothing of it is in flight on the bus afterwards. Where it does not come to
    /// rest, it is reset.
    pub(crate) fn stop(&mut self) -> Result<(), DriverError> {
        if self.stop_gently().is_err() {
            self.transport.reset_function()?;
        }
        Ok(())
    }

    /// Clears CONTROL.ENABLE and waits for the bus to be idle.
    pub(crate) fn stop_gently(&mut self) -> Result<(), DriverError> {
        self.transport.write_csr(Csr::Control, 0)?;
        self.await_status("come to rest", |status| status & (STATUS_IDLE | STATUS_RUNNING) == STATUS_IDLE)
            .map(|_| ())
    }

    fn await_status(
        &mut self,
        what: &'static str,
        is_reached: impl Fn(u32) -> bool,
    ) -> Result<u32, DriverError> {
        let start = self.transport.now_ns();
        loop {
            let status = read_status(&mut self.transport)?;
            if is_reached(status) {
                if what == "start" && status & STATUS_HALTED != 0 {
                    let error = self.transport.read_csr(Csr::Error)?;
                    let detail = self.transport.read_csr(Csr::ErrorDetail)?;
                    return Err(DriverError::Halted { error, detail });
                }
                return Ok(status);
            }
            let waited_ns = self.transport.now_ns().saturating_sub(start);
            if waited_ns >= self.config.timeout_ns {
                return Err(DriverError::Timeout { what, waited_ns, status });
            }
            self.transport.relax();
        }
    }
}

fn gone(csr: Csr) -> DriverError {
    TransportError::Gone { offset: csr as u16 }.into()
}

/// Reads STATUS, which has three bits.
pub(crate) fn read_status<T: Transport>(transport: &mut T) -> Result<u32, DriverError> {
    match transport.read_csr(Csr::Status)? {
        u32::MAX => Err(gone(Csr::Status)),
        status => Ok(status),
    }
}

fn iova(region: &DmaRegion) -> [u32; 2] {
    let iova = region.iova().0;
    [iova as u32, (iova >> 32) as u32]
}

fn in_range(ring: &'static str, is: u32, low: u32, high: u32) -> Result<(), DriverError> {
    if (low..=high).contains(&is) { Ok(()) } else { Err(DriverError::RingSize { ring, is, low, high }) }
}

fn expect<T: Transport>(transport: &mut T, csr: Csr, should: u32) -> Result<(), DriverError> {
    let is = transport.read_csr(csr)?;
    if csr == Csr::Id && is == u32::MAX {
        return Err(gone(csr));
    }
    if is == should { Ok(()) } else { Err(DriverError::Register { csr, is, should }) }
}

/// Reads what the card is; every size that it reports must be that of its geometry.
fn identify<T: Transport>(transport: &mut T) -> Result<&'static Geometry, DriverError> {
    expect(transport, Csr::Id, csr::ID)?;
    expect(transport, Csr::AbiVersion, ABI_VERSION)?;
    let id = transport.read_csr(Csr::Geometry)?;
    let geometry = Geometry::by_id(id).ok_or(DriverError::UnknownGeometry(id))?;
    let sizes = [
        (Csr::BeatBytes, geometry.beat_bytes as u32),
        (Csr::NarrowTables, geometry.narrow_tables as u32),
        (Csr::NarrowBucketsLog2, geometry.narrow_buckets_log2),
        (Csr::WideTables, geometry.wide_tables as u32),
        (Csr::WideBucketsLog2, geometry.wide_buckets_log2),
        (Csr::BucketSlots, geometry.bucket_slots as u32),
        (Csr::TcamEntries, geometry.tcam_entries as u32),
    ];
    for (csr, should) in sizes {
        expect(transport, csr, should)?;
    }
    Ok(geometry)
}

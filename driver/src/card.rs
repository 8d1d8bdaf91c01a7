//! A card: packets in, checked verdicts out.

use std::collections::VecDeque;

use wiresift_abi::c2h::LINE_RECORDS;
use wiresift_abi::csr::{Csr, IRQ_ARM, STATUS_HALTED, STATUS_RUNNING};
use wiresift_abi::geometry::Geometry;

use crate::bringup::read_status;
use crate::c2h::{C2hRing, Checker, Event, Posted, Verdict};
use crate::conservation::{Counters, Span};
use crate::dma::publish;
use crate::error::DriverError;
use crate::h2c::H2cRing;
use crate::ring::between;
use crate::tables::Tables;
use crate::transport::Transport;
use crate::update::UnderWay;

/// Sizes and limits of the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Lines of the H2C ring, power of two.
    pub h2c_lines_log2: u32,
    /// Records of the C2H ring, power of two.
    pub c2h_records_log2: u32,
    /// Nanoseconds without progress after which registers are read: status lines are a convenience
    /// that may be late or lost.
    pub reread_ns: u64,
    /// Nanoseconds without progress after which the card is given up as stalled; and the limit for a
    /// stop, a start and each wait for one step of loading.
    pub timeout_ns: u64,
    /// Recoveries in a row without a verdict in between, at most.
    pub recoveries: u32,
    /// Nanoseconds without progress after which a poll sleeps until the card's interrupt, for `reread_ns` at
    /// most; [`u64::MAX`] is never.
    pub spin_ns: u64,
}

impl Config {
    /// For a card on a bus, where time is real: registers after 1 ms, asleep after 50 us, stalled after 900 ms,
    /// so that a card that is gone is noticed within a second.
    pub fn bus() -> Self {
        Self { reread_ns: 1_000_000, timeout_ns: 900_000_000, spin_ns: 50_000, ..Self::default() }
    }
}

impl Default for Config {
    /// 1 MiB for packets, 256 KiB for records; registers after 20 us, stalled after 1 ms, never asleep.
    fn default() -> Self {
        Self {
            h2c_lines_log2: 14,
            c2h_records_log2: 14,
            reread_ns: 20_000,
            timeout_ns: 1_000_000,
            recoveries: 3,
            spin_ns: u64::MAX,
        }
    }
}

/// What a [`Card`] can be asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Post and poll.
    Running,
    /// Recover, after an error.
    Failed,
    /// Nothing any more.
    Stopped,
}

/// Indices that the card gave last. A status line may be older than a register read before it, so
/// each source is held against itself.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    /// H2C consumer index of the status line.
    status_taken: u32,
    /// C2H producer index of the status line.
    status_written: u32,
    /// Register C2H_PIDX.
    written: u32,
}

/// Since when nothing has happened.
#[derive(Clone, Copy, Debug)]
struct Watch {
    progress_ns: u64,
    reread_ns: u64,
}

/// A card behind a transport, brought up.
///
/// Verdicts come in the order in which packets were posted, each exactly once, also over
/// [`Card::recover`]; [`Verdict::packet`] counts them from 0.
#[derive(Debug)]
pub struct Card<T: Transport> {
    pub(crate) transport: T,
    pub(crate) geometry: &'static Geometry,
    pub(crate) config: Config,
    pub(crate) h2c: H2cRing,
    pub(crate) c2h: C2hRing,
    pub(crate) checker: Checker,
    /// What the card's tables hold at the last answer, once rules are loaded.
    pub(crate) tables: Option<Tables>,
    /// Transactions that were not answered yet.
    pub(crate) updates: VecDeque<UnderWay>,
    /// Verdicts that came while the driver waited for something else.
    pub(crate) ready: Vec<Verdict>,
    pub(crate) state: State,
    pub(crate) counters: Counters,
    pub(crate) span: Span,
    /// Recoveries since the last verdict.
    pub(crate) tries: u32,
    pub(crate) seen: Seen,
    watch: Watch,
}

impl Posted for H2cRing {
    fn announced(&self) -> u32 {
        self.announced_sequence()
    }
    fn length(&self, sequence: u32) -> u16 {
        H2cRing::length(self, sequence)
    }
}

impl<T: Transport> Card<T> {
    pub(crate) fn assemble(
        transport: T,
        geometry: &'static Geometry,
        config: Config,
        h2c: H2cRing,
        c2h: C2hRing,
    ) -> Self {
        let now = transport.now_ns();
        Self {
            transport,
            geometry,
            config,
            h2c,
            c2h,
            checker: Checker::default(),
            tables: None,
            updates: VecDeque::new(),
            ready: Vec::new(),
            state: State::Failed,
            counters: Counters::default(),
            span: Span::default(),
            tries: 0,
            seen: Seen::default(),
            watch: Watch { progress_ns: now, reread_ns: now },
        }
    }

    /// Sizes the card was made with.
    pub fn geometry(&self) -> &'static Geometry {
        self.geometry
    }

    /// The transport.
    pub fn transport(&self) -> &T {
        &self.transport
    }

    /// The transport, for what the driver knows nothing of: traces, faults.
    pub fn transport_mut(&mut self) -> &mut T {
        &mut self.transport
    }

    /// What the driver counted.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Packets posted whose verdict was not handed out.
    pub fn in_flight(&self) -> u64 {
        self.unanswered() + self.ready.len() as u64
    }

    /// Packets posted and not answered.
    pub(crate) fn unanswered(&self) -> u64 {
        self.counters.posted - self.counters.verdicts - self.counters.discarded
    }

    /// Version of the tables in force for the next verdict.
    pub fn version(&self) -> u16 {
        self.checker.version()
    }

    /// Copies packets into the ring until it is full; says how many it took. The card sees them at
    /// the next [`Card::doorbell`].
    ///
    /// # Errors
    /// [`DriverError::Packet`] where a packet can never be posted (those before it were);
    /// [`DriverError::NotLoaded`] before the first rule image; [`DriverError::Stopped`].
    pub fn post<'a>(&mut self, packets: impl IntoIterator<Item = &'a [u8]>) -> Result<usize, DriverError> {
        self.must_run()?;
        if self.tables.is_none() {
            return Err(DriverError::NotLoaded);
        }
        let (mut count, mut bytes, mut result) = (0, 0, Ok(()));
        for packet in packets {
            match self.h2c.push_packet(packet) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    result = Err(error.into());
                    break;
                }
            }
            count += 1;
            bytes += packet.len() as u64;
        }
        self.counters.posted += count as u64;
        self.counters.posted_bytes += bytes;
        result.map(|()| count)
    }

    /// Announces everything posted since the last doorbell to the card.
    ///
    /// # Errors
    /// Where the transport fails; then [`Card::recover`].
    pub fn doorbell(&mut self) -> Result<(), DriverError> {
        self.must_run()?;
        let result = self.announce();
        self.or_failed(result)
    }

    /// Adds the verdicts that are there to `out`; says how many. Where none is, rings the doorbell if
    /// something was posted since the last one, and lets the card run a moment.
    ///
    /// # Errors
    /// Where the card or the transport failed; the verdicts in `out` are good all the same. Then
    /// [`Card::recover`].
    pub fn poll(&mut self, out: &mut Vec<Verdict>) -> Result<usize, DriverError> {
        let before = out.len();
        out.append(&mut self.ready);
        if out.len() > before {
            return Ok(out.len() - before);
        }
        self.must_run()?;
        let result = self.step(out);
        self.or_failed(result)?;
        Ok(out.len() - before)
    }

    /// Waits for an interrupt for at most `timeout_ns`, unless records are there already; says whether
    /// it is worth to poll.
    ///
    /// # Errors
    /// Where the transport fails; then [`Card::recover`].
    pub fn wait(&mut self, timeout_ns: u64) -> Result<bool, DriverError> {
        self.must_run()?;
        let result = self.wait_armed(timeout_ns);
        self.or_failed(result)
    }

    fn wait_armed(&mut self, timeout_ns: u64) -> Result<bool, DriverError> {
        self.announce()?;
        self.transport.write_csr(Csr::IrqControl, IRQ_ARM)?;
        // Records that came before the interrupt was armed raise none, so they are looked for first.
        Ok(!self.ready.is_empty()
            || self.c2h.peek().is_some()
            || self.transport.wait_interrupt(timeout_ns)?)
    }

    pub(crate) fn must_run(&self) -> Result<(), DriverError> {
        if self.state == State::Running { Ok(()) } else { Err(DriverError::Stopped) }
    }

    /// Notes an error after which only a recovery helps.
    pub(crate) fn or_failed<R>(&mut self, result: Result<R, DriverError>) -> Result<R, DriverError> {
        if let Err(error) = &result {
            self.counters.note_error(error);
            self.state = State::Failed;
        }
        result
    }

    pub(crate) fn announce(&mut self) -> Result<(), DriverError> {
        if let Some(pidx) = self.h2c.announce() {
            publish();
            self.counters.doorbells += 1;
            if !self.is_awaited() {
                // Nothing was awaited until now, so the time up to now does not count as a stall.
                self.note_progress();
            }
            self.transport.write_csr(Csr::H2cPidx, pidx)?;
        }
        Ok(())
    }

    /// Takes what is there, or waits a moment: the one place where the driver makes progress.
    pub(crate) fn step(&mut self, out: &mut Vec<Verdict>) -> Result<(), DriverError> {
        let before = self.c2h.cidx();
        let result = self.take_records(out);
        if self.c2h.cidx() != before {
            self.note_progress();
            self.free_lines()?;
            return result;
        }
        result?;
        self.announce()?;
        self.read_status()?;
        if self.is_awaited() && self.idle_ns() >= self.config.spin_ns {
            self.wait_armed(self.config.reread_ns)?;
        } else {
            self.transport.relax();
        }
        self.look_after()
    }

    fn idle_ns(&self) -> u64 {
        // Asked for only where it counts: the time costs some nanoseconds each.
        if self.config.spin_ns == u64::MAX {
            return 0;
        }
        self.transport.now_ns().saturating_sub(self.watch.progress_ns)
    }

    /// Takes at most one lap of the ring, so that a card that never stops writing cannot hold us.
    fn take_records(&mut self, out: &mut Vec<Verdict>) -> Result<(), DriverError> {
        let before = out.len();
        let result = self.take_lap(out);
        let count = (out.len() - before) as u64;
        if count > 0 {
            self.counters.verdicts += count;
            self.span.answered += count;
            self.tries = 0;
        }
        result
    }

    fn take_lap(&mut self, out: &mut Vec<Verdict>) -> Result<(), DriverError> {
        // Records are checked to come in order, so the count of verdicts is the packet's number.
        let (first, before) = (self.counters.verdicts, out.len());
        let number = |out: &[Verdict]| first + (out.len() - before) as u64;
        let mut is_behind_verdict = false;
        for _ in 0..1u32 << self.config.c2h_records_log2 {
            let Some(record) = self.c2h.peek() else { break };
            let index = self.c2h.cidx();
            if let Some(mut verdict) = self.checker.take_plain(index, record, &self.h2c) {
                verdict.packet = number(out);
                out.push(verdict);
                is_behind_verdict = true;
            } else {
                match self.checker.take(index, record, &self.h2c) {
                    Ok(Event::Verdict(mut verdict)) => {
                        verdict.packet = number(out);
                        out.push(verdict);
                        is_behind_verdict = true;
                    }
                    Ok(event) => {
                        is_behind_verdict = false;
                        if matches!(event, Event::Committed(_)) {
                            self.note_commit();
                        }
                    }
                    Err(error) => {
                        if is_behind_verdict && error.is_part_of_nothing() {
                            // The verdict before claimed less than there is.
                            out.pop();
                            self.checker.ask_again();
                        }
                        return Err(error.into());
                    }
                }
            }
            self.c2h.advance();
            // Credit is for whole lines.
            if (self.c2h.cidx() as usize).is_multiple_of(LINE_RECORDS) {
                self.return_credit()?;
            }
        }
        Ok(())
    }

    fn return_credit(&mut self) -> Result<(), DriverError> {
        if let Some(cidx) = self.c2h.credit() {
            self.counters.credits += 1;
            self.transport.write_csr(Csr::C2hCidx, cidx)?;
        }
        Ok(())
    }

    pub(crate) fn free_lines(&mut self) -> Result<(), DriverError> {
        let answered = self.checker.sequence();
        self.h2c.free(answered).map_err(|source| DriverError::Index { what: "place in the H2C ring", source })
    }

    pub(crate) fn note_progress(&mut self) {
        let now = self.transport.now_ns();
        self.watch = Watch { progress_ns: now, reread_ns: now };
    }

    /// Whether the card owes something.
    fn is_awaited(&self) -> bool {
        self.checker.sequence() != self.h2c.announced_sequence()
            || self.checker.is_commit_under_way()
            || self.h2c.taken() != self.h2c.announced()
    }

    /// Looks at the status line in memory.
    fn read_status(&mut self) -> Result<(), DriverError> {
        let Some(line) = self.c2h.status() else { return Ok(()) };
        if line.status & STATUS_HALTED != 0 || line.error != 0 {
            return self.halted();
        }
        let is_ahead = self
            .h2c
            .note_taken(line.h2c_cidx, self.seen.status_taken)
            .map_err(|source| DriverError::Index { what: "H2C consumer index in the status line", source })?;
        self.seen.status_taken = line.h2c_cidx;
        self.check_written(line.c2h_pidx, self.seen.status_written)?;
        self.seen.status_written = line.c2h_pidx;
        if is_ahead {
            self.note_progress();
            self.free_lines()?;
        }
        Ok(())
    }

    fn halted(&mut self) -> Result<(), DriverError> {
        let error = self.transport.read_csr(Csr::Error)?;
        let detail = self.transport.read_csr(Csr::ErrorDetail)?;
        Err(DriverError::Halted { error, detail })
    }

    /// Checks a C2H producer index: not behind the last one of its source, and within the credit that
    /// the card has.
    fn check_written(&self, written: u32, low: u32) -> Result<(), DriverError> {
        let high = self.c2h.credit_returned().wrapping_add(1 << self.config.c2h_records_log2);
        between(written, low, high)
            .map_err(|source| DriverError::Index { what: "C2H producer index", source })
    }

    /// Where nothing has happened for long: reads the registers, and gives up in the end.
    fn look_after(&mut self) -> Result<(), DriverError> {
        let now = self.transport.now_ns();
        if !self.is_awaited() {
            self.note_progress();
            return Ok(());
        }
        if now.saturating_sub(self.watch.reread_ns) < self.config.reread_ns {
            return Ok(());
        }
        self.watch.reread_ns = now;
        self.counters.rereads += 1;
        let status = read_status(&mut self.transport)?;
        if status & STATUS_HALTED != 0 {
            return self.halted();
        }
        if status & STATUS_RUNNING == 0 {
            return Err(DriverError::Register { csr: Csr::Status, is: status, should: STATUS_RUNNING });
        }
        let taken = self.transport.read_csr(Csr::H2cCidx)?;
        let is_ahead = self
            .h2c
            .note_taken(taken, self.h2c.taken())
            .map_err(|source| DriverError::Index { what: "register H2C_CIDX", source })?;
        let written = self.transport.read_csr(Csr::C2hPidx)?;
        self.check_written(written, self.seen.written)?;
        self.seen.written = written;
        // The write was acknowledged before the register changed, so memory is looked at behind it.
        let is_in_memory = self.c2h.peek().is_some();
        if (written.wrapping_sub(self.c2h.cidx()) as i32) > 0 && !is_in_memory {
            return Err(DriverError::RecordsLost { first: self.c2h.cidx(), end: written });
        }
        if is_ahead || is_in_memory {
            self.note_progress();
            return self.free_lines();
        }
        let waited_ns = now.saturating_sub(self.watch.progress_ns);
        if waited_ns < self.config.timeout_ns {
            return self.announce_again();
        }
        Err(DriverError::Stalled {
            waited_ns,
            in_flight: self.in_flight(),
            announced: self.h2c.announced(),
            taken,
            written,
            consumed: self.c2h.cidx(),
        })
    }

    /// Writes the indices that the card was told before once more: harmless, and mends a lost write.
    fn announce_again(&mut self) -> Result<(), DriverError> {
        publish();
        self.transport.write_csr(Csr::C2hCidx, self.c2h.credit_returned())?;
        self.transport.write_csr(Csr::H2cPidx, self.h2c.announced())?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;

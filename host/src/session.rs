//! A session: captures through a device to a report, as a pipeline of three threads.
//!
//! ```text
//! reader thread ── batches ──> this thread: device ── decided batches ──> report thread
//! ```
//!
//! The channels between them are short and a batch is bounded, so memory is too, however long the
//! captures are. Batches stay in order. A batch never waits for packets that are not there yet: the
//! reader hands on what it has before it waits for its source, and the device is drained when nothing
//! more is at hand, so a live pipe is answered at once.
//!
//! Whatever ends a session early, the packets before it are decided and reported.
//!
//! Rules may change while the session runs ([`Plan::reloads`]): between two batches, of which the first is
//! decided and reported by the rules before, wholly, and the second by the new ones.

mod progress;
mod reader;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, Sender, TryRecvError, bounded, never};
use crossbeam::select;

use crate::capture::CaptureError;
use crate::decision::Decision;
use crate::device::{Batch, Decided, Device, DeviceError, RuleUpdate};
use crate::metadata::Metadata;
use crate::report::Report;
use progress::Progress;
use reader::Reader;

/// Batches that wait in a channel at most.
const CHANNEL_BATCHES: usize = 8;

/// What a session came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Packets decided.
    pub packets: u64,
    /// Their bytes, as decided: what a capture says of the wire may be anything.
    pub bytes: u64,
    /// From the first byte read to the last decision.
    pub elapsed: Duration,
    /// Times that the rules were changed.
    pub reloads: u64,
    /// The device's lines for the summary: name and value.
    pub device: Vec<(String, String)>,
}

/// What became of rule files that changed.
#[derive(Clone, Debug)]
pub enum Reload {
    /// They are in force from the next batch on.
    Rules(Arc<RuleUpdate>),
    /// They are not, for the reason given; the rules before stay in force.
    Refused(String),
}

/// Why a session ended early.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// A capture could not be read on.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// The device could not go on.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The report could not be written.
    #[error("the report cannot be written")]
    Report(#[source] io::Error),
}

/// How a session ended.
#[derive(Debug)]
#[must_use]
pub struct Outcome {
    /// What was decided.
    pub totals: Totals,
    /// Why it ended early, if it did. A reader of the report that goes away (a closed pipe) ends the
    /// session early without an error: it wanted no more.
    pub error: Option<SessionError>,
}

/// What a session works on.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Captures in the order of the command line; `-` is standard input.
    pub captures: Vec<PathBuf>,
    /// Metadata of the rules that the device decides by at first.
    pub metadata: Arc<Metadata>,
    /// Whether a bar on standard error shows how far the session is.
    pub progress: bool,
    /// Where changed rules come from; each is told of on standard error. What is at hand when the session
    /// begins and each time before a batch is submitted takes effect then.
    pub reloads: Option<Receiver<Reload>>,
}

/// Runs a session: every packet of the captures in order, decided by `device`, told to `report`.
pub fn run(plan: Plan, device: &mut dyn Device, report: &mut dyn Report) -> Outcome {
    let Plan { captures, metadata, progress, reloads } = plan;
    let bar = Progress::new(&captures, progress);
    let (to_device, from_reader) = bounded(CHANNEL_BATCHES);
    let (to_report, from_device) = bounded(CHANNEL_BATCHES);
    let bytes_read = bar.bytes_read();
    // Not a scoped thread: when the session ends early the reader may wait for a pipe that stays silent,
    // and nobody waits for it then.
    let reader = thread::spawn(move || Reader::new(captures, bytes_read, to_device).run());
    let mut totals = Totals::default();
    let begin = Instant::now();
    let (decided, reported) = thread::scope(|scope| {
        let reporter = scope.spawn(|| tell(from_device, report));
        let pipeline = Pipeline {
            device,
            told: metadata.clone(),
            metadata,
            to_report,
            totals: &mut totals,
            under_way: VecDeque::new(),
            reloads: reloads.unwrap_or_else(never),
            bar: &bar,
        };
        let decided = pipeline.run(&from_reader);
        let reported = reporter.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (decided, reported)
    });
    bar.finish();
    totals.elapsed = begin.elapsed();
    totals.device = device.summary();
    let mut error = match decided {
        Ok(()) => {
            // The reader hung up, so it has ended or is about to; a panic in it must not look like the end
            // of the captures.
            reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            None
        }
        Err(Stopped::By(error)) => Some(error),
        Err(Stopped::ReportGone) => None,
    };
    let told = reported.and_then(|()| report.finish(&totals));
    match told {
        Err(closed) if closed.kind() == io::ErrorKind::BrokenPipe => {}
        Err(failed) => error = error.or(Some(SessionError::Report(failed))),
        Ok(()) => {}
    }
    Outcome { totals, error }
}

/// What the reader sends.
enum FromReader {
    Batch(Arc<Batch>),
    Failed(CaptureError),
}

/// What the report thread gets.
enum ToReport {
    Decided(Decided),
    /// The batches to come are decided by other rules.
    Rules(Arc<Metadata>),
}

/// Why the device's thread stopped early.
enum Stopped {
    By(SessionError),
    /// The report thread ended and says why itself.
    ReportGone,
}

impl<E: Into<SessionError>> From<E> for Stopped {
    fn from(error: E) -> Self {
        Self::By(error.into())
    }
}

/// The middle of the session: the device, and the packets on their way through it.
struct Pipeline<'a> {
    device: &'a mut dyn Device,
    /// Metadata of the rules in force for the next batch.
    metadata: Arc<Metadata>,
    /// Metadata that the report has.
    told: Arc<Metadata>,
    to_report: Sender<ToReport>,
    totals: &'a mut Totals,
    /// Batches submitted and not collected: metadata of the rules that decide each.
    under_way: VecDeque<Arc<Metadata>>,
    reloads: Receiver<Reload>,
    bar: &'a Progress,
}

impl Pipeline<'_> {
    /// Hangs up on the report thread when it is done.
    fn run(mut self, from_reader: &Receiver<FromReader>) -> Result<(), Stopped> {
        let mut failed = None;
        loop {
            while let Ok(reload) = self.reloads.try_recv() {
                self.reload(reload)?;
            }
            let message = match from_reader.try_recv() {
                Ok(message) => message,
                Err(TryRecvError::Empty) if !self.under_way.is_empty() => {
                    self.collect_next()?;
                    continue;
                }
                Err(TryRecvError::Empty) => select! {
                    recv(from_reader) -> message => match message {
                        Ok(message) => message,
                        Err(_) => break,
                    },
                    recv(self.reloads) -> reload => {
                        match reload {
                            Ok(reload) => self.reload(reload)?,
                            // Nobody watches the rules any more.
                            Err(_) => self.reloads = never(),
                        }
                        continue;
                    }
                },
                Err(TryRecvError::Disconnected) => break,
            };
            match message {
                FromReader::Batch(batch) => self.submit(batch)?,
                FromReader::Failed(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        while !self.under_way.is_empty() {
            self.collect_next()?;
        }
        failed.map_or(Ok(()), |error| Err(error.into()))
    }

    fn reload(&mut self, reload: Reload) -> Result<(), Stopped> {
        match reload {
            Reload::Rules(update) => {
                let updated = self.device.update(&update);
                self.tell_notices();
                updated?;
                self.metadata = update.metadata.clone();
                self.totals.reloads += 1;
                self.bar.say(&format!("wiresift: {update}"));
            }
            Reload::Refused(why) => self.bar.say(&why),
        }
        Ok(())
    }

    fn submit(&mut self, batch: Arc<Batch>) -> Result<(), Stopped> {
        let submitted = self.device.submit(batch);
        self.tell_notices();
        submitted?;
        self.under_way.push_back(self.metadata.clone());
        while !self.under_way.is_empty() {
            match self.collect(false)? {
                Some(decided) => self.forward(decided)?,
                None => break,
            }
        }
        Ok(())
    }

    /// Waits for the next batch under way.
    fn collect_next(&mut self) -> Result<(), Stopped> {
        match self.collect(true)? {
            Some(decided) => self.forward(decided),
            None => Err(wrong(format!("{} batches were not decided", self.under_way.len())).into()),
        }
    }

    fn collect(&mut self, drain: bool) -> Result<Option<Decided>, DeviceError> {
        let collected = self.device.collect(drain);
        self.tell_notices();
        collected
    }

    fn tell_notices(&mut self) {
        for notice in self.device.notices() {
            self.bar.say(&format!("wiresift: {notice}"));
        }
    }

    fn forward(&mut self, decided: Decided) -> Result<(), Stopped> {
        let Some(metadata) = self.under_way.pop_front() else {
            return Err(wrong("a batch that was not submitted".to_owned()).into());
        };
        self.check(&decided, &metadata).map_err(wrong)?;
        self.totals.packets += decided.batch.len() as u64;
        self.totals.bytes += decided.batch.total_bytes() as u64;
        self.bar.show(self.totals.packets);
        if !Arc::ptr_eq(&metadata, &self.told) {
            self.told = metadata.clone();
            self.to_report.send(ToReport::Rules(metadata)).map_err(|_| Stopped::ReportGone)?;
        }
        self.to_report.send(ToReport::Decided(decided)).map_err(|_| Stopped::ReportGone)
    }

    /// Whether the device kept its promises: nothing lost, the order kept, no rule that does not exist.
    fn check(&self, decided: &Decided, metadata: &Metadata) -> Result<(), String> {
        let (batch, decisions) = (&decided.batch, &decided.decisions);
        let (expected, first) = (self.totals.packets, batch.first);
        if first != expected || batch.len() != decisions.len() {
            let (packets, decisions) = (batch.len(), decisions.len());
            return Err(format!(
                "{decisions} decisions for {packets} packets from number {first} on; number {expected} was next"
            ));
        }
        let (acl, signatures) = (metadata.acl.len(), metadata.signatures.len());
        let exists = |decision: &Decision| {
            decision.acl.is_none_or(|place| (place as usize) < acl)
                && decision.signatures.iter().all(|place| (*place as usize) < signatures)
                && decision.suspects.iter().all(|place| (*place as usize) < signatures)
        };
        match decisions.iter().find(|decision| !exists(decision)) {
            Some(decision) => Err(format!("a decision names a rule that does not exist: {decision:?}")),
            None => Ok(()),
        }
    }
}

/// A device that breaks the promises of [`Device`].
fn wrong(message: String) -> DeviceError {
    DeviceError { device: "device".to_owned(), message, source: None }
}

/// The report thread: tells what was decided until the channel closes, and sees to it that it is seen
/// when nothing more is at hand.
fn tell(from_device: Receiver<ToReport>, report: &mut dyn Report) -> io::Result<()> {
    loop {
        let next = match from_device.try_recv() {
            Ok(next) => next,
            Err(TryRecvError::Disconnected) => return Ok(()),
            Err(TryRecvError::Empty) => {
                report.flush()?;
                match from_device.recv() {
                    Ok(next) => next,
                    Err(_) => return Ok(()),
                }
            }
        };
        match next {
            ToReport::Decided(decided) => report.decided(&decided)?,
            ToReport::Rules(metadata) => report.rules(metadata),
        }
    }
}

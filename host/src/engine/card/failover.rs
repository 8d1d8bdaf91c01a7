//! The host in place of a card that failed.
//!
//! A card that fails for good stops answering, reads all-ones, cannot be reset, is unplugged, or answers what cannot be. Then the
//! packets without a decision are decided on the host, in their order and each by the rules that it was submitted
//! under, and so are those to come. The decisions before stay, and what the host remembers of the packets (flows,
//! rates) goes on, so the whole is what the card would have given, and each packet has exactly one decision.
//! A fault that a reset mends never comes here: the driver recovers from it.
//!
//! From time to time, between two batches, it is tried to bring a card up anew with the rules in force by then. The
//! waits between tries grow as long as the card decides nothing.

#[cfg(test)]
mod tests;

use std::error::Error;
use std::time::{Duration, Instant};

use wiresift_abi::geometry::Geometry;
use wiresift_abi::image::Image;
use wiresift_driver::tables::Tables;
use wiresift_driver::{Card, Config, Transport};

use super::{CardDevice, Pending, behind};
use crate::device::{DeviceError, RuleUpdate};

/// Longest wait between two tries to bring the card up.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// Reaches the card anew.
pub type Connect<T> = Box<dyn FnMut() -> Result<T, Box<dyn Error + Send + Sync>>>;

/// What happens after the card failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Return {
    /// The host decides for the rest of the session.
    Never,
    /// The card is tried again after that time, later after longer ones.
    After(Duration),
}

/// What became of a card so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Times that it failed.
    pub failures: u64,
    /// Packets in flight at these times.
    pub in_flight: u64,
    /// Packets decided in its place, those in flight included.
    pub stood_in: u64,
    /// Times that it was tried again.
    pub tries: u64,
    /// Times that it came back.
    pub returns: u64,
}

/// How the host stands in for a card.
pub struct Failover<T> {
    connect: Connect<T>,
    back: Return,
    geometry: &'static Geometry,
    /// What a card has to hold for the batches to come.
    tables: Tables,
    wait: Duration,
    next_try: Instant,
    failed_at: Instant,
    /// When the card answered last, or was given something to answer.
    pub(super) alive_at: Instant,
    notices: Vec<String>,
    counts: Counts,
    /// Why the card failed last, or why it did not come back.
    last_error: String,
}

impl<T> Failover<T> {
    /// For a card that holds `image`, and that `connect` reaches anew.
    pub fn new(connect: Connect<T>, back: Return, image: &Image) -> Self {
        let now = Instant::now();
        let tables = Tables::of(image.geometry(), image.lines());
        Self {
            connect,
            back,
            geometry: image.geometry(),
            tables,
            wait: Duration::ZERO,
            next_try: now,
            failed_at: now,
            alive_at: now,
            notices: Vec::new(),
            counts: Counts::default(),
            last_error: String::new(),
        }
        .rested()
    }

    /// After the card decided something, it is worth to be tried soon when it fails.
    fn rested(mut self) -> Self {
        self.rest();
        self
    }

    fn rest(&mut self) {
        self.wait = if let Return::After(wait) = self.back { wait } else { WAIT_MAX };
    }

    /// Notes that the card answered.
    pub(super) fn note_answers(&mut self) {
        self.rest();
        self.alive_at = Instant::now();
    }

    /// Notes rules for the batches to come.
    pub(super) fn note_rules(&mut self, update: &RuleUpdate) {
        self.tables.run(&update.commands);
    }

    /// Notes that the host decided packets in the card's place.
    fn note_stood_in(&mut self, packets: usize) {
        self.counts.stood_in += packets as u64;
    }

    fn note_failure(&mut self, error: &DeviceError, in_flight: u64, noticed: Duration) {
        self.counts.failures += 1;
        self.counts.in_flight += in_flight;
        self.failed_at = Instant::now();
        self.next_try = self.failed_at + self.wait;
        let next = match self.back {
            Return::Never => "the CPU decides from here on".to_owned(),
            Return::After(_) => format!("the CPU goes on, next try in {} ms", self.wait.as_millis()),
        };
        self.wait = (self.wait * 2).min(WAIT_MAX);
        self.last_error = chain(error);
        self.notices.push(format!(
            "the card failed ({}), seen {} ms after its last sign of life, with {in_flight} packets in flight: {next}",
            self.last_error,
            noticed.as_millis(),
        ));
    }

    fn is_due(&self) -> bool {
        self.back != Return::Never && Instant::now() >= self.next_try
    }

    pub(super) fn take_notices(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notices)
    }

    /// Lines for the summary; none where the card never failed.
    pub(super) fn summary(&self, is_on_card: bool) -> Vec<(String, String)> {
        let Counts { failures, in_flight, stood_in, tries, returns } = self.counts;
        if failures == 0 {
            return Vec::new();
        }
        let state = if is_on_card { "in use".to_owned() } else { format!("given up: {}", self.last_error) };
        vec![
            ("failures of the card".to_owned(), failures.to_string()),
            ("decided by the host: in its place".to_owned(), stood_in.to_string()),
            ("packets in flight when it failed".to_owned(), in_flight.to_string()),
            ("returns to the card".to_owned(), format!("{returns} of {tries} tries")),
            ("the card at the end".to_owned(), state),
        ]
    }
}

impl<T: Transport> CardDevice<T> {
    /// The device with the host in the card's place when it fails; without, a failure ends the session.
    #[must_use]
    pub fn with_failover(mut self, failover: Failover<T>) -> Self {
        self.failover = Some(failover);
        self
    }

    /// What became of the card so far.
    pub fn failover_counts(&self) -> Counts {
        self.failover.as_ref().map_or_else(Counts::default, |failover| failover.counts)
    }

    /// Whether the card decides the batches to come.
    pub fn is_on_card(&self) -> bool {
        self.card.borrow().is_some()
    }

    /// The card failed: lets go of it, and decides what is without a decision.
    ///
    /// # Errors
    /// `error` where the host does not stand in.
    pub(super) fn fail(&mut self, error: DeviceError) -> Result<(), DeviceError> {
        let Some(failover) = &mut self.failover else { return Err(error) };
        let noticed = failover.alive_at.elapsed();
        failover.note_failure(&error, self.posted - self.answered, noticed);
        // Stops it, as far as it can still be stopped.
        *self.card.get_mut() = None;
        self.verdicts.clear();
        self.stand_in()
    }

    /// Decides every packet without a decision on the host.
    pub(super) fn stand_in(&mut self) -> Result<(), DeviceError> {
        for pending in &mut self.batches {
            let left = pending.batch.len() - pending.decisions.len();
            if left == 0 {
                continue;
            }
            pending
                .decide_rest(&mut self.tables, &mut self.host)
                .map_err(|error| behind(self.name, error))?;
            if let Some(failover) = &mut self.failover {
                failover.note_stood_in(left);
            }
        }
        Ok(())
    }

    /// Tries to bring a card up, if there is none and it is time.
    pub(super) fn try_again(&mut self) {
        let has_none = self.card.get_mut().is_none();
        let Some(failover) = self.failover.as_mut().filter(|failover| has_none && failover.is_due()) else {
            return;
        };
        failover.counts.tries += 1;
        match failover.reopen(self.config) {
            Ok((card, loaded)) => {
                failover.counts.returns += 1;
                failover.alive_at = Instant::now();
                let away = failover.failed_at.elapsed().as_millis();
                failover.notices.push(format!("the card is back after {away} ms and decides again"));
                *self.card.get_mut() = Some(card);
                (self.posted, self.answered, self.loaded) = (0, 0, loaded);
            }
            Err(error) => {
                failover.last_error = chain(error.as_ref());
                failover.next_try = Instant::now() + failover.wait;
                failover.wait = (failover.wait * 2).min(WAIT_MAX);
            }
        }
    }
}

type Reopened<T> = (Card<T>, wiresift_driver::conservation::CardCounters);

impl<T: Transport> Failover<T> {
    /// A card with the rules in force.
    fn reopen(&mut self, config: Config) -> Result<Reopened<T>, Box<dyn Error + Send + Sync>> {
        // The driver needs no metadata.
        let image = Image::new(self.geometry, self.tables.commands(), Vec::new())?;
        let mut card = Card::open((self.connect)()?, config)?;
        card.load(&image)?;
        let loaded = card.card_counters()?;
        Ok((card, loaded))
    }
}

impl Pending {
    /// Decides every packet without a decision on the host alone.
    fn decide_rest(
        &mut self,
        tables: &mut super::HostTables,
        host: &mut super::HostEngine,
    ) -> Result<(), super::EngineError> {
        let Self { batch, rules, decisions, posted } = self;
        let engine = tables.at(rules.version)?;
        host.follow(&rules.host);
        engine.classify(batch.packets().skip(decisions.len()), |packet, headed| {
            let nanos = batch.info(decisions.len()).nanos;
            decisions.push(host.decide(packet, nanos, headed));
        });
        *posted = batch.len();
        Ok(())
    }
}

/// An error and what it came from, in one line.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

//! The books: what card, driver and caller counted must add up, packet by packet.

use wiresift_abi::csr::{COUNTER_BITS, COUNTER_TABLE, Counter};

use crate::card::Card;
use crate::error::{Cause, DriverError};
use crate::transport::Transport;

/// What the driver counted since [`Card::open`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets posted; each counts once, however often it was posted again.
    pub posted: u64,
    /// Bytes of those packets.
    pub posted_bytes: u64,
    /// Verdicts taken, those included that wait for the next [`Card::poll`].
    pub verdicts: u64,
    /// Packets that were in flight at the shutdown or when recovery was given up.
    pub discarded: u64,
    /// Commands sent.
    pub commands: u64,
    /// COMMITs answered.
    pub commits: u64,
    /// Transactions answered.
    pub updates: u64,
    /// Rules loaded again by a recovery.
    pub commits_again: u64,
    /// Transactions posted again by recoveries.
    pub updates_again: u64,
    /// Doorbells rung.
    pub doorbells: u64,
    /// Times that C2H credit was given back.
    pub credits: u64,
    /// Times that registers were read because nothing came.
    pub rereads: u64,
    /// Tries to recover.
    pub recoveries: u64,
    /// Packets posted again by recoveries.
    pub replayed: u64,
    /// Verdicts that the card gave and that never arrived, as far as it could still be asked.
    pub lost: u64,
    /// Errors by [`Cause`], in its order.
    pub errors: [u64; 6],
}

impl Counters {
    /// Errors of one cause.
    pub fn errors_of(&self, cause: Cause) -> u64 {
        self.errors[cause as usize]
    }

    pub(crate) fn note_error(&mut self, error: &DriverError) {
        if let Some(cause) = error.cause() {
            self.errors[cause as usize] += 1;
        }
    }
}

/// Every counter of the card, read at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardCounters([u64; COUNTER_TABLE.len()]);

impl Default for CardCounters {
    fn default() -> Self {
        Self([0; COUNTER_TABLE.len()])
    }
}

impl CardCounters {
    /// A counter.
    pub fn get(&self, counter: Counter) -> u64 {
        self.0[counter as usize]
    }

    /// What was counted since `base`; counters wrap at [`COUNTER_BITS`] bits.
    #[must_use]
    pub fn since(&self, base: &Self) -> Self {
        let mut counts = self.clone();
        for (count, base) in counts.0.iter_mut().zip(base.0) {
            *count = count.wrapping_sub(base) & ((1 << COUNTER_BITS) - 1);
        }
        counts
    }

    /// Every counter with its name, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        COUNTER_TABLE.iter().map(|row| row.1).zip(self.0)
    }
}

/// The time from a start of the card to its stop.
#[derive(Clone, Debug, Default)]
pub(crate) struct Span {
    /// The card's counters at the start.
    pub base: CardCounters,
    /// Packets answered.
    pub answered: u64,
    /// What did not add up in an earlier span.
    pub unbalanced: Option<Unbalanced>,
}

/// What the caller counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallerCounters {
    /// Packets that [`Card::post`] took.
    pub posted: u64,
    /// Verdicts that [`Card::poll`] gave.
    pub verdicts: u64,
}

/// Two counts of the same thing that differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {left} and {right} do not add up")]
pub struct Unbalanced {
    /// What was counted, left and right.
    pub what: &'static str,
    /// First count.
    pub left: u64,
    /// Second count.
    pub right: u64,
}

/// Why the books could not be closed.
#[derive(Debug, thiserror::Error)]
pub enum ConservationError {
    /// Something was lost or came from nowhere.
    #[error(transparent)]
    Unbalanced(#[from] Unbalanced),
    /// The card could not be asked.
    #[error("cannot read the counters of the card")]
    Driver(#[from] DriverError),
}

impl<T: Transport> Card<T> {
    /// Reads every counter of the card. They are zero after a function reset and run on otherwise.
    ///
    /// # Errors
    /// Where the transport fails.
    pub fn read_card_counters(&mut self) -> Result<CardCounters, DriverError> {
        let mut counters = CardCounters::default();
        for (n, row) in COUNTER_TABLE.iter().enumerate() {
            counters.0[n] = self.transport.read_counter(row.0)?;
        }
        Ok(counters)
    }

    /// What the card counted since it was started last (at the open, or by a recovery).
    ///
    /// # Errors
    /// Where the transport fails.
    pub fn card_counters(&mut self) -> Result<CardCounters, DriverError> {
        Ok(self.read_card_counters()?.since(&self.span.base))
    }

    /// Checks that card, driver and caller counted the same, to the packet. To be asked while nothing
    /// is in flight.
    ///
    /// # Errors
    /// [`ConservationError::Unbalanced`] names the two counts that differ.
    pub fn conservation(&mut self, caller: CallerCounters) -> Result<CardCounters, ConservationError> {
        if let Some(unbalanced) = self.span.unbalanced {
            return Err(unbalanced.into());
        }
        let driver = &self.counters;
        same("packets posted, by caller and driver", caller.posted, driver.posted)?;
        same("verdicts, by caller and driver", caller.verdicts, driver.verdicts)?;
        same(
            "packets posted and verdicts with packets discarded",
            driver.posted,
            driver.verdicts + driver.discarded,
        )?;
        let card = self.card_counters()?;
        same(
            "packets that entered the card, and verdicts with packets it discarded",
            card.get(Counter::PacketsIn),
            card.get(Counter::Verdicts) + card.get(Counter::PacketsDiscarded),
        )?;
        let announced = self.span.announced(self.h2c.announced_sequence());
        same(
            "packets announced by the driver and taken by the card",
            announced,
            card.get(Counter::PacketsIn),
        )?;
        same("verdicts of the card and those that arrived", card.get(Counter::Verdicts), self.span.answered)?;
        Ok(card)
    }

    /// Closes the books of a card that came to rest after an error: it may have lost what was under
    /// way, and nothing else.
    pub(crate) fn close_span(&mut self) {
        let announced = self.span.announced(self.h2c.announced_sequence());
        let answered = self.span.answered;
        let Ok(card) = self.card_counters() else { return };
        let [entered, verdicts, discarded] =
            [Counter::PacketsIn, Counter::Verdicts, Counter::PacketsDiscarded].map(|n| card.get(n));
        self.counters.lost += verdicts.saturating_sub(answered);
        let balance = same("packets that entered the card before an error", entered, verdicts + discarded)
            .and(at_most("packets taken by the card and announced before an error", entered, announced))
            .and(at_most("verdicts that arrived and that the card gave before an error", answered, verdicts));
        if let Err(unbalanced) = balance {
            self.span.unbalanced.get_or_insert(unbalanced);
        }
    }
}

impl Span {
    /// Packets announced in this span, from the low 32 bits of that number: no more than 2^31 are in
    /// flight.
    fn announced(&self, sequence: u32) -> u64 {
        let in_flight = sequence.wrapping_sub(self.answered as u32);
        self.answered + u64::from(in_flight)
    }
}

fn same(what: &'static str, left: u64, right: u64) -> Result<(), Unbalanced> {
    if left == right { Ok(()) } else { Err(Unbalanced { what, left, right }) }
}

fn at_most(what: &'static str, left: u64, right: u64) -> Result<(), Unbalanced> {
    if left <= right { Ok(()) } else { Err(Unbalanced { what, left, right }) }
}

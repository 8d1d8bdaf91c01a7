//! Recovery after an error, and the end of a card.

use std::collections::VecDeque;

use wiresift_abi::csr::{CONTROL_ENABLE, Csr};

use crate::card::{Card, State};
use crate::conservation::Counters;
use crate::error::DriverError;
use crate::tables::Tables;
use crate::transport::Transport;
use crate::update::Unfinished;

impl<T: Transport> Card<T> {
    /// Puts the card back to work after `error`: stops and resets it, loads the rules again that were in
    /// force at the last answer, and posts again every packet and every transaction that was not answered,
    /// in the order in which they stood. No verdict is given twice or lost, and each is that of the rules
    /// whose version it carries. Verdicts that come meanwhile are kept for [`Card::poll`].
    ///
    /// # Errors
    /// `error` itself where no reset mends it; [`DriverError::GaveUp`] after
    /// [`crate::Config::recoveries`] tries without a verdict in between: the packets in flight then
    /// count as discarded, and the card is stopped for good.
    pub fn recover(&mut self, error: DriverError) -> Result<(), DriverError> {
        if !error.is_recoverable() {
            return Err(error);
        }
        if self.state == State::Stopped {
            return Err(DriverError::Stopped);
        }
        self.state = State::Failed;
        let mut unfinished = self.take_unfinished();
        let mut last = error;
        while self.tries < self.config.recoveries {
            self.tries += 1;
            self.counters.recoveries += 1;
            match self.restart(&mut unfinished) {
                Ok(()) => return Ok(()),
                Err(error) => {
                    self.counters.note_error(&error);
                    self.state = State::Failed;
                    last = error;
                    let mut all = self.take_unfinished();
                    all.append(&mut unfinished);
                    unfinished = all;
                }
            }
        }
        let tries = self.tries;
        self.counters.discarded += self.unanswered();
        self.end();
        Err(DriverError::GaveUp { tries, source: Box::new(last) })
    }

    fn restart(&mut self, unfinished: &mut VecDeque<Unfinished>) -> Result<(), DriverError> {
        // The counts of a card that was reset by somebody, or does not come to rest, say nothing.
        let is_enabled =
            self.transport.read_csr(Csr::Control).is_ok_and(|control| control & CONTROL_ENABLE != 0);
        if self.stop_gently().is_ok() && is_enabled {
            self.close_span();
        }
        self.transport.reset_function()?;
        self.start()?;
        if let Some(commands) = self.tables.as_ref().map(Tables::commands) {
            self.send(&commands)?;
            self.counters.commits_again += 1;
        }
        self.post_again(unfinished)
    }

    /// Stops the card and frees its memory; gives back what was counted. Packets in flight count as
    /// discarded. Dropping a card does the same.
    ///
    /// # Errors
    /// Where the card can neither be stopped nor reset; its memory then stays allocated for ever, because the card may
    /// still write to it, unless [`Transport::is_contained`].
    pub fn shutdown(mut self) -> Result<Counters, DriverError> {
        self.counters.discarded += self.unanswered();
        let result = self.finish();
        result.map(|()| self.counters.clone())
    }

    fn finish(&mut self) -> Result<(), DriverError> {
        self.state = State::Stopped;
        let result = self.stop();
        if result.is_err() && !self.transport.is_contained() {
            self.h2c.leak();
            self.c2h.leak();
        }
        result
    }

    /// Stops the card where nobody is left to tell of an error.
    fn end(&mut self) {
        if self.state != State::Stopped {
            // An error was dealt with in `finish`: the memory is kept.
            let _: Result<(), DriverError> = self.finish();
        }
    }
}

impl<T: Transport> Drop for Card<T> {
    fn drop(&mut self) {
        self.end();
    }
}

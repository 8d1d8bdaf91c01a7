//! Recovery after an error, and the end of a card.

use std::sync::Arc;

use wiresift_abi::csr::{CONTROL_ENABLE, Csr};

use crate::card::{Card, State};
use crate::conservation::Counters;
use crate::error::DriverError;
use crate::transport::Transport;

impl<T: Transport> Card<T> {
    /// Puts the card back to work after `error`: stops and resets it, loads the rule image again and
    /// posts every packet again that was not answered. No verdict is given twice or lost.
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
        let packets = self.h2c.unanswered(self.checker.sequence());
        let mut last = error;
        while self.tries < self.config.recoveries {
            self.tries += 1;
            self.counters.recoveries += 1;
            match self.restart(&packets) {
                Ok(()) => return Ok(()),
                Err(error) => {
                    self.counters.note_error(&error);
                    self.state = State::Failed;
                    last = error;
                }
            }
        }
        let tries = self.tries;
        self.counters.discarded += self.in_flight();
        self.end();
        Err(DriverError::GaveUp { tries, source: Box::new(last) })
    }

    fn restart(&mut self, packets: &[Vec<u8>]) -> Result<(), DriverError> {
        // The counts of a card that was reset by somebody, or does not come to rest, say nothing.
        let is_enabled =
            self.transport.read_csr(Csr::Control).is_ok_and(|control| control & CONTROL_ENABLE != 0);
        if self.stop_gently().is_ok() && is_enabled {
            self.close_span();
        }
        self.transport.reset_function()?;
        self.start()?;
        if let Some(image) = self.image.clone() {
            self.send(&image)?;
            self.counters.commits_again += 1;
        }
        for packet in packets {
            // They stood in the ring together before, and stand in it more densely now: it has room.
            let has_room = self.h2c.push_packet(packet)?;
            debug_assert!(has_room, "replayed packets fit where they stood");
            self.counters.replayed += 1;
        }
        self.announce()
    }

    /// Stops the card and frees its memory; gives back what was counted. Packets in flight count as
    /// discarded. Dropping a card does the same.
    ///
    /// # Errors
    /// Where the card can neither be stopped nor reset; its memory then stays allocated for ever,
    /// because the card may still write to it.
    pub fn shutdown(mut self) -> Result<Counters, DriverError> {
        self.counters.discarded += self.in_flight();
        let result = self.finish();
        result.map(|()| self.counters.clone())
    }

    fn finish(&mut self) -> Result<(), DriverError> {
        self.state = State::Stopped;
        let result = self.stop();
        if result.is_err() {
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

    /// The rule image in force.
    pub fn image(&self) -> Option<&Arc<wiresift_abi::image::Image>> {
        self.image.as_ref()
    }
}

impl<T: Transport> Drop for Card<T> {
    fn drop(&mut self) {
        self.end();
    }
}

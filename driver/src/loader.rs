//! Loading of a rule image: its commands through the H2C ring, then the answer to its COMMIT.

use wiresift_abi::bits::Line;
use wiresift_abi::command::INDEX;
use wiresift_abi::image::Image;

use crate::card::{Card, State};
use crate::error::DriverError;
use crate::tables::Tables;
use crate::transport::Transport;

/// What a load took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// Table version now in force.
    pub version: u16,
    /// Commands sent.
    pub commands: usize,
    /// Nanoseconds from the first command to the answer ([`Transport::now_ns`]).
    pub nanos: u64,
}

impl<T: Transport> Card<T> {
    /// Loads a rule image in place of the one before, and waits until it is in force.
    ///
    /// # Errors
    /// [`DriverError::ImageGeometry`] where the image is for another geometry,
    /// [`DriverError::InFlight`] while packets are in flight; else where the card refuses or fails.
    /// Then [`Card::recover`], which brings back what was in force before.
    pub fn load(&mut self, image: &Image) -> Result<Loaded, DriverError> {
        if self.state != State::Running {
            return Err(DriverError::Stopped);
        }
        if image.geometry() != self.geometry {
            return Err(DriverError::ImageGeometry { image: image.geometry(), card: self.geometry });
        }
        if self.in_flight() != 0 {
            return Err(DriverError::InFlight(self.in_flight()));
        }
        let result = self.finish_updates().and_then(|()| self.send(image.lines()));
        let loaded = self.or_failed(result)?;
        self.tables = Some(Tables::of(self.geometry, image.lines()));
        Ok(loaded)
    }

    /// Waits for the answers to all COMMITs under way. No packet is in flight, so no verdict comes; a record
    /// that were one is an error.
    fn finish_updates(&mut self) -> Result<(), DriverError> {
        let mut none = Vec::new();
        self.announce()?;
        while self.checker.is_commit_under_way() {
            self.step(&mut none)?;
        }
        Ok(())
    }

    /// Sends the commands of an image and waits for the answer to its COMMIT.
    pub(crate) fn send(&mut self, lines: &[Line]) -> Result<Loaded, DriverError> {
        let start = self.transport.now_ns();
        for line in lines {
            self.send_command(line)?;
        }
        // An image ends with its only COMMIT, whose index is the version.
        let version = lines.last().map_or(0, |line| line.get(INDEX) as u16);
        self.checker.expect_commit(self.h2c.sequence(), version);
        self.finish_updates()?;
        // The answer to the last command says that the card has taken them all: their lines are free.
        self.h2c.all_taken();
        self.free_lines()?;
        let nanos = self.transport.now_ns().saturating_sub(start);
        Ok(Loaded { version, commands: lines.len(), nanos })
    }
}

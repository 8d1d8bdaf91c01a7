//! Changes of the tables while packets are in flight.
//!
//! A transaction is a row of commands that ends with a COMMIT. They stand behind one another in the H2C
//! ring, so the card applies all of them between the packet before and the packet behind: no packet sees
//! a part of it, and a packet behind waits one line a command. Its verdict carries the new version. Any
//! number of transactions may be under way.

use std::collections::VecDeque;
use std::sync::Arc;

use wiresift_abi::bits::Line;
use wiresift_abi::command::{Command, CommandError, Opcode};
use wiresift_abi::geometry::Geometry;

use crate::card::Card;
use crate::error::DriverError;
use crate::transport::Transport;

/// Why commands are no transaction for a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpdateError {
    /// One of them is none for the geometry.
    #[error("command {at}: {error}")]
    Command {
        /// Its place.
        at: usize,
        /// What is wrong with it.
        error: CommandError,
    },
    /// They do not end with their only COMMIT.
    #[error("the commands do not end with their only COMMIT")]
    Order,
    /// The version is 0, which is that of empty tables, or the one before it.
    #[error("version {0} cannot follow")]
    Version(u16),
}

/// A transaction that was not answered yet.
#[derive(Clone, Debug)]
pub(crate) struct UnderWay {
    /// Sequence number of the packet behind it.
    sequence: u32,
    commands: Arc<[Line]>,
}

/// What was posted and is not answered.
#[derive(Clone, Debug)]
pub(crate) enum Unfinished {
    /// A packet.
    Packet(Vec<u8>),
    /// A transaction.
    Update(Arc<[Line]>),
}

impl<T: Transport> Card<T> {
    /// Posts a transaction behind the packets posted so far; gives its version, which the verdicts of the
    /// packets posted behind it carry. Commands as the compiler's difference between two rule sets gives
    /// them: each changes what the ones before left, and the last is the COMMIT of the version. The card
    /// sees them at the next [`Card::doorbell`]. Where the ring is full, waits for room; verdicts that come
    /// meanwhile are kept for [`Card::poll`].
    ///
    /// # Errors
    /// [`DriverError::Update`] where the commands are no transaction for this card, and
    /// [`DriverError::NotLoaded`] before the first rule image: nothing was sent then. Else where card or
    /// transport failed: the transaction was posted all the same, and [`Card::recover`] sees to it that it
    /// takes effect wholly, at its place.
    pub fn update(&mut self, commands: Arc<[Line]>) -> Result<u16, DriverError> {
        self.must_run()?;
        if self.tables.is_none() {
            return Err(DriverError::NotLoaded);
        }
        let version = check(&commands, self.geometry, self.checker.last_version())?;
        let result = self.send_update(commands, version);
        self.or_failed(result)?;
        Ok(version)
    }

    /// Transactions posted and not answered.
    pub fn updates_under_way(&self) -> usize {
        self.updates.len()
    }

    fn send_update(&mut self, commands: Arc<[Line]>, version: u16) -> Result<(), DriverError> {
        let sequence = self.h2c.sequence();
        // Noted before the first line is sent: whatever fails from here on, it is not forgotten.
        self.updates.push_back(UnderWay { sequence, commands: commands.clone() });
        for (at, line) in commands.iter().enumerate() {
            if at + 1 == commands.len() {
                self.checker.expect_commit(sequence, version);
            }
            self.send_command(line)?;
        }
        Ok(())
    }

    /// Puts a command into the ring, waiting for room.
    pub(crate) fn send_command(&mut self, line: &Line) -> Result<(), DriverError> {
        while !self.h2c.push_command(line) {
            self.wait_for_room()?;
        }
        self.counters.commands += 1;
        Ok(())
    }

    /// Lets the card run a moment, so that lines of the ring become free.
    fn wait_for_room(&mut self) -> Result<(), DriverError> {
        self.announce()?;
        let mut ready = std::mem::take(&mut self.ready);
        let result = self.step(&mut ready);
        self.ready = ready;
        result?;
        self.free_lines()
    }

    /// Notes that the oldest COMMIT under way was answered.
    pub(crate) fn note_commit(&mut self) {
        self.counters.commits += 1;
        // None where the COMMIT is that of a load.
        if let Some(update) = self.updates.pop_front() {
            self.counters.updates += 1;
            if let Some(tables) = &mut self.tables {
                tables.run(&update.commands);
            }
        }
    }

    /// Takes what was posted and not answered, in order.
    pub(crate) fn take_unfinished(&mut self) -> VecDeque<Unfinished> {
        let answered = self.checker.sequence();
        let packets = self.h2c.take_unanswered(answered);
        let mut updates = std::mem::take(&mut self.updates).into_iter().peekable();
        let mut unfinished = VecDeque::new();
        for (n, packet) in (0..).zip(packets) {
            while let Some(update) = updates.next_if(|update| update.sequence.wrapping_sub(answered) <= n) {
                unfinished.push_back(Unfinished::Update(update.commands));
            }
            unfinished.push_back(Unfinished::Packet(packet));
        }
        unfinished.extend(updates.map(|update| Unfinished::Update(update.commands)));
        unfinished
    }

    /// Posts again what was posted before, in the same order. What is left in `unfinished` after an error
    /// was not posted.
    pub(crate) fn post_again(&mut self, unfinished: &mut VecDeque<Unfinished>) -> Result<(), DriverError> {
        while let Some(next) = unfinished.pop_front() {
            match next {
                Unfinished::Packet(packet) => {
                    while !self.h2c.push_packet(&packet)? {
                        if let Err(error) = self.wait_for_room() {
                            unfinished.push_front(Unfinished::Packet(packet));
                            return Err(error);
                        }
                    }
                    self.counters.replayed += 1;
                }
                Unfinished::Update(commands) => {
                    let version = version(&commands);
                    self.counters.updates_again += 1;
                    self.send_update(commands, version)?;
                }
            }
        }
        self.announce()
    }
}

/// Version of a transaction.
fn version(commands: &[Line]) -> u16 {
    commands.last().map_or(0, |line| line.get(wiresift_abi::command::INDEX) as u16)
}

/// Checks a transaction that follows version `before`; gives its version.
fn check(commands: &[Line], geometry: &Geometry, before: u16) -> Result<u16, UpdateError> {
    for (at, line) in commands.iter().enumerate() {
        let command =
            Command::from_line(line, geometry).map_err(|error| UpdateError::Command { at, error })?;
        if (command.opcode == Opcode::Commit) != (at + 1 == commands.len()) {
            return Err(UpdateError::Order);
        }
    }
    match version(commands) {
        _ if commands.is_empty() => Err(UpdateError::Order),
        version if version == 0 || version == before => Err(UpdateError::Version(version)),
        version => Ok(version),
    }
}

#[cfg(test)]
mod tests;

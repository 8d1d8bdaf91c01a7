//! What a card's tables hold, as the host knows it: the commands answered so far, without those that later
//! ones have undone. A card that was reset is brought back to it.

use std::collections::BTreeMap;

use wiresift_abi::bits::Line;
use wiresift_abi::command::{Command, Opcode};
use wiresift_abi::entry;
use wiresift_abi::geometry::Geometry;

/// Contents of a card's tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tables {
    geometry: &'static Geometry,
    secret: BTreeMap<u16, Line>,
    masks: BTreeMap<u8, Line>,
    /// Slots in use by table, slot and bucket.
    slots: BTreeMap<(u8, u8, u16), Line>,
    /// Low half of a TCAM key that was kept last.
    low: Option<Line>,
    keys: BTreeMap<u16, [Line; 2]>,
    /// TCAM entries in use.
    tcam: BTreeMap<u16, Line>,
    /// Secret, filter words, index, patterns, header lists and short patterns of the payload matcher, by
    /// opcode, table, slot and index.
    payload: BTreeMap<(u8, u8, u8, u16), Line>,
    version: u16,
}

impl Tables {
    /// Tables after these commands, from empty ones on.
    pub fn of(geometry: &'static Geometry, commands: &[Line]) -> Self {
        let mut tables = Self {
            geometry,
            secret: BTreeMap::new(),
            masks: BTreeMap::new(),
            slots: BTreeMap::new(),
            low: None,
            keys: BTreeMap::new(),
            tcam: BTreeMap::new(),
            payload: BTreeMap::new(),
            version: 0,
        };
        tables.run(commands);
        tables
    }

    /// Runs commands, which were checked before they were sent.
    pub fn run(&mut self, commands: &[Line]) {
        for line in commands {
            if let Ok(command) = Command::from_line(line, self.geometry) {
                self.run_one(&command, line);
            }
        }
    }

    fn run_one(&mut self, command: &Command, line: &Line) {
        let Command { table, slot, index, .. } = *command;
        let is_empty = command.data.get(entry::KIND) == 0;
        match command.opcode {
            Opcode::Clear => {
                self.masks.clear();
                self.slots.clear();
                self.keys.clear();
                self.tcam.clear();
                // A CLEAR empties filter, index and short patterns; secret, patterns and header lists stay.
                let emptied = [Opcode::WriteFilter, Opcode::WriteWindow, Opcode::WriteShort];
                self.payload.retain(|key, _| emptied.iter().all(|opcode| *opcode as u8 != key.0));
            }
            Opcode::WriteSlot if is_empty => drop(self.slots.remove(&(table, slot, index))),
            Opcode::WriteSlot => drop(self.slots.insert((table, slot, index), *line)),
            Opcode::WriteMask => drop(self.masks.insert(table, *line)),
            Opcode::WriteSecret => drop(self.secret.insert(index, *line)),
            Opcode::WriteTcamLow => self.low = Some(*line),
            Opcode::WriteTcamHigh => {
                if let Some(low) = self.low {
                    self.keys.insert(index, [low, *line]);
                }
            }
            Opcode::WriteTcamEntry if is_empty => drop(self.tcam.remove(&index)),
            Opcode::WriteTcamEntry => drop(self.tcam.insert(index, *line)),
            // Zero is what a CLEAR leaves there.
            Opcode::WriteFilter | Opcode::WriteWindow | Opcode::WriteShort
                if command.data == Line::default() =>
            {
                self.payload.remove(&(command.opcode as u8, table, slot, index));
            }
            Opcode::WriteWindowSecret
            | Opcode::WriteFilter
            | Opcode::WriteWindow
            | Opcode::WritePattern
            | Opcode::WriteHeader
            | Opcode::WriteShort => {
                self.payload.insert((command.opcode as u8, table, slot, index), *line);
            }
            Opcode::Commit => self.version = index,
        }
    }

    /// Commands that bring a card to these tables, whatever it holds: from CLEAR to COMMIT.
    pub fn commands(&self) -> Vec<Line> {
        let mut lines = vec![Command::new(Opcode::Clear, 0).to_line()];
        lines.extend(self.secret.values());
        lines.extend(self.masks.values());
        lines.extend(self.slots.values());
        for (index, entry) in &self.tcam {
            lines.extend(self.keys.get(index).into_iter().flatten());
            lines.push(*entry);
        }
        lines.extend(self.payload.values());
        lines.push(Command::new(Opcode::Commit, self.version).to_line());
        lines
    }
}

#[cfg(test)]
mod tests {
    use wiresift_abi::geometry::LAB;

    use super::*;

    fn command(opcode: Opcode, table: u8, slot: u8, index: u16, kind: u8) -> Line {
        let data = Line::default().with(entry::KIND, kind.into()).with(entry::SPORT_LO, index.into());
        Command { table, slot, data, ..Command::new(opcode, index) }.to_line()
    }

    /// The commands of tables lead to the same tables, from any others.
    #[test]
    fn commands_give_back_their_tables() {
        let history = [
            command(Opcode::Clear, 0, 0, 0, 0),
            command(Opcode::WriteSecret, 0, 0, 3, 1),
            command(Opcode::WriteMask, 2, 0, 0, 1),
            command(Opcode::WriteMask, 2, 0, 0, 2),
            command(Opcode::WriteSlot, 2, 1, 500, 1),
            command(Opcode::WriteSlot, 2, 1, 501, 1),
            command(Opcode::WriteSlot, 2, 1, 500, 0),
            command(Opcode::WriteTcamLow, 0, 0, 0, 1),
            command(Opcode::WriteTcamHigh, 0, 0, 6, 1),
            command(Opcode::WriteTcamEntry, 0, 0, 6, 2),
            command(Opcode::WriteTcamEntry, 0, 0, 7, 2),
            command(Opcode::WriteTcamEntry, 0, 0, 7, 0),
            command(Opcode::WriteWindowSecret, 0, 0, 3, 1),
            command(Opcode::WriteFilter, 2, 0, 9, 1),
            command(Opcode::WriteFilter, 1, 0, 9, 1),
            Command { table: 1, ..Command::new(Opcode::WriteFilter, 9) }.to_line(),
            command(Opcode::WriteWindow, 0, 1, 9, 1),
            command(Opcode::WritePattern, 0, 0, 9, 1),
            command(Opcode::WriteShort, 0, 0, 9, 1),
            command(Opcode::WriteShort, 0, 0, 255, 1),
            Command::new(Opcode::WriteShort, 255).to_line(),
            command(Opcode::Commit, 0, 0, 9, 0),
        ];
        let tables = Tables::of(&LAB, &history);
        let commands = tables.commands();
        // CLEAR, secret, mask, slot, three of the TCAM, five of the payload matcher, COMMIT.
        assert_eq!(commands.len(), 13);
        let mut cleared = tables.clone();
        cleared.run(&[command(Opcode::Clear, 0, 0, 0, 0)]);
        // CLEAR, both secrets, pattern, COMMIT.
        assert_eq!(cleared.commands().len(), 5);
        assert_eq!(commands[2], history[3]);
        assert_eq!(commands[3], history[5]);
        let again = Tables::of(&LAB, &commands);
        assert_eq!(again, tables);
        let mut other = Tables::of(&LAB, &[command(Opcode::WriteSlot, 1, 1, 1, 1), history[10]]);
        other.run(&commands);
        assert_eq!(other, tables);
    }
}

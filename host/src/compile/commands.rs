//! Placed entries → the commands that load them.

use wiresift_abi::bits::Line;
use wiresift_abi::command::{Command, Opcode};
use wiresift_abi::entry::{self, Entry};
use wiresift_abi::geometry::Geometry;
use wiresift_abi::hash::Secret;
use wiresift_abi::vector::Key;

use super::place::Placement;

/// Version that a freshly compiled image commits.
pub const FIRST_VERSION: u16 = 1;

/// Commands that bring a card to these tables: CLEAR, secret, masks, slots, TCAM, `patterns`, COMMIT. `tcam` are the
/// places in `entries` of those that go to the TCAM.
pub fn commands(
    entries: &[Entry],
    secret: &Secret,
    placement: &Placement<'_>,
    tcam: &[usize],
    patterns: &[Line],
    geometry: &Geometry,
) -> Vec<Line> {
    let mut lines = vec![Command::new(Opcode::Clear, 0).to_line()];
    lines.extend(self::secret(secret));
    for (number, table) in placement.tables.iter().enumerate() {
        if let Some(shape) = table.shape() {
            lines.push(with_key(Opcode::WriteMask, number as u8, 0, &shape.mask()));
        }
    }
    for (number, table) in placement.tables.iter().enumerate() {
        let narrow = geometry.is_narrow(number);
        for (slot, bucket, item) in table.occupants() {
            lines.push(write_slot(number as u8, slot as u8, bucket as u16, narrow, Some(&entries[item])));
        }
    }
    for (index, &item) in tcam.iter().enumerate() {
        lines.extend(tcam_insert(&entries[item], index as u16));
    }
    lines.extend(patterns);
    lines.push(Command::new(Opcode::Commit, FIRST_VERSION).to_line());
    lines
}

/// Commands that write the secret of the hash.
pub fn secret(secret: &Secret) -> impl Iterator<Item = Line> {
    secret.0.iter().enumerate().map(|(row, key)| with_key(Opcode::WriteSecret, 0, row as u16, key))
}

/// The command that writes an entry into a slot, or nothing, which empties it.
pub fn write_slot(table: u8, slot: u8, bucket: u16, narrow: bool, entry: Option<&Entry>) -> Line {
    let in_slot = |entry: &Entry| {
        let line = if narrow { entry.to_narrow() } else { entry.to_wide() };
        #[expect(clippy::expect_used, reason = "the placement puts into a table only what its slots hold")]
        line.expect("an entry stands in a table that cannot hold it")
    };
    let data = entry.map_or_else(Line::default, in_slot);
    Command { table, slot, data, ..Command::new(Opcode::WriteSlot, bucket) }.to_line()
}

/// The command that writes a key: a mask or a row of the secret.
pub fn with_key(opcode: Opcode, table: u8, index: u16, key: &Key) -> Line {
    Command { table, data: key.to_line(), ..Command::new(opcode, index) }.to_line()
}

/// Commands that put an entry into place `index` of the TCAM, which must be empty: the key first, so that
/// the entry is complete when its kind makes it valid.
pub fn tcam_insert(entry: &Entry, index: u16) -> [Line; 3] {
    let [low, high] = entry::tcam_halves(&entry.tcam_key());
    let command = |opcode, index, data| Command { data, ..Command::new(opcode, index) }.to_line();
    [
        command(Opcode::WriteTcamLow, 0, low),
        command(Opcode::WriteTcamHigh, index, high),
        command(Opcode::WriteTcamEntry, index, entry.to_tcam()),
    ]
}

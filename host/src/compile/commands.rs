//! Placed entries → the commands that load them.

use wiresift_abi::bits::{Field, LINE_BITS, Line};
use wiresift_abi::command::{Command, Opcode};
use wiresift_abi::entry::{Entry, TCAM_CHUNK_BITS, TCAM_CHUNKS};
use wiresift_abi::geometry::Geometry;
use wiresift_abi::hash::Secret;
use wiresift_abi::vector::Key;

use super::place::Placement;

/// Version that a freshly compiled image commits.
pub const FIRST_VERSION: u16 = 1;

/// Commands that bring a card to these tables: CLEAR, secret, masks, slots, TCAM, COMMIT. `tcam` are the
/// places in `entries` of those that go to the TCAM.
pub fn commands(
    entries: &[Entry],
    secret: &Secret,
    placement: &Placement<'_>,
    tcam: &[usize],
    geometry: &Geometry,
) -> Vec<Line> {
    let mut lines = vec![Command::new(Opcode::Clear, 0).to_line()];
    for (row, key) in secret.0.iter().enumerate() {
        lines.push(with_key(Opcode::WriteSecret, 0, row as u16, key));
    }
    for (number, table) in placement.tables.iter().enumerate() {
        if let Some(shape) = table.shape {
            lines.push(with_key(Opcode::WriteMask, number as u8, 0, &shape.mask()));
        }
    }
    for (number, table) in placement.tables.iter().enumerate() {
        let narrow = geometry.is_narrow(number);
        for (slot, bucket, item) in table.occupants() {
            let entry = &entries[item];
            let slot_line = if narrow { entry.to_narrow() } else { entry.to_wide() };
            #[expect(
                clippy::expect_used,
                reason = "the placement puts into a table only what its slots hold"
            )]
            let data = slot_line.expect("an entry stands in a table that cannot hold it");
            let command = Command::new(Opcode::WriteSlot, bucket as u16);
            lines.push(Command { table: number as u8, slot: slot as u8, data, ..command }.to_line());
        }
    }
    tcam_commands(entries, tcam, &mut lines);
    lines.push(Command::new(Opcode::Commit, FIRST_VERSION).to_line());
    lines
}

fn with_key(opcode: Opcode, table: u8, index: u16, key: &Key) -> Line {
    Command { table, data: key.to_line(), ..Command::new(opcode, index) }.to_line()
}

/// Rows first, so that an entry is complete when its kind makes it valid.
fn tcam_commands(entries: &[Entry], tcam: &[usize], lines: &mut Vec<Line>) {
    if tcam.is_empty() {
        return;
    }
    const ALL: Field = Field::new("entries", 0, 128);
    let keys: Vec<(Line, Line)> = tcam.iter().map(|&item| entries[item].tcam_key()).collect();
    for chunk in 0..TCAM_CHUNKS {
        let bits = Field::new("chunk", chunk * TCAM_CHUNK_BITS, TCAM_CHUNK_BITS);
        for address in 0..1u16 << TCAM_CHUNK_BITS {
            let agrees =
                |(value, mask): &(Line, Line)| u128::from(address) & mask.get(bits) == value.get(bits);
            let row = keys.iter().enumerate().fold(0u128, |row, (n, key)| row | u128::from(agrees(key)) << n);
            let command = Command::new(Opcode::WriteTcamRow, address);
            let data = Line::default().with(ALL, row);
            lines.push(Command { slot: chunk as u8, data, ..command }.to_line());
        }
    }
    for (index, &item) in tcam.iter().enumerate() {
        let command = Command::new(Opcode::WriteTcamEntry, index as u16);
        lines.push(Command { data: entries[item].to_tcam(), ..command }.to_line());
    }
}

const _: () = assert!(TCAM_CHUNKS * TCAM_CHUNK_BITS <= LINE_BITS);

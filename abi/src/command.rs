//! Commands: lines in the H2C ring that change the card's tables.
//!
//! They travel through the same pipeline as packets, so a command takes effect exactly between the
//! packet before it and the packet behind it. The card refuses what is out of range
//! ([`crate::csr::ErrorCode::BadCommand`]).

use crate::bits::{Field, LINE_BITS, Line};
use crate::entry;
use crate::geometry::{Geometry, WAYS};
use crate::hash;
use crate::payload;
use crate::vector::HASHED_BITS;

/// [`Opcode`].
pub const OPCODE: Field = Field::new("opcode", 0, 8);
/// Table number.
pub const TABLE: Field = OPCODE.then("table", 8);
/// Slot: `way * bucket_slots + slot`.
pub const SLOT: Field = TABLE.then("slot", 8);
/// Bucket, row of the secret, entry of the TCAM, or version.
pub const INDEX: Field = Field::new("index", 32, 16);
/// Lowest bit of the data.
pub const DATA_LSB: usize = 88;
/// Bits of the data at most.
pub const DATA_BITS: usize = LINE_BITS - DATA_LSB;

const _: () = assert!(entry::WIDE_BITS <= DATA_BITS);
const _: () = assert!(HASHED_BITS <= DATA_BITS);
const _: () = assert!(2 * entry::TCAM_HALF_BITS <= DATA_BITS);

/// What a command does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Opcode {
    /// Empties every table, the TCAM, the payload filter, the window index and the short patterns, and sets every mask to
    /// zero. The packets behind it wait until the deepest of them is empty (one cycle a bucket).
    Clear = 1,
    /// Writes a slot of table `table`: slot `slot`, bucket `index`, data as in [`crate::entry`].
    WriteSlot = 2,
    /// Writes the mask of table `table`: the data's low [`HASHED_BITS`] bits. A narrow table has
    /// no mask for the 96 low bits of an address.
    WriteMask = 3,
    /// Writes row `index` of the hash secret: the data's low [`HASHED_BITS`] bits. The packets behind it wait until
    /// every table has it (one cycle a value of what a LUT is addressed by, at most 64 in all).
    WriteSecret = 4,
    /// Keeps the low half of a ternary key ([`crate::entry::tcam_halves`]) for the next
    /// [`Opcode::WriteTcamHigh`].
    WriteTcamLow = 5,
    /// Gives TCAM entry `index` the ternary key whose high half is in the data and whose low half was
    /// kept last. The packets behind it wait until it is in every row memory (one cycle an address of
    /// those, 16 in all). The entry must be empty, or packets could see half of the key.
    WriteTcamHigh = 6,
    /// Writes what TCAM entry `index` keeps beside its key ([`crate::entry::Entry::to_tcam`]); kind 0
    /// makes it empty.
    WriteTcamEntry = 7,
    /// Makes `index` the table version and answers with a record
    /// ([`crate::c2h::RecordKind::Committed`]).
    Commit = 8,
    /// Writes row `index` of the secret of the payload filter: the data's low bits, as many as the hash of
    /// a window has. The packets behind it wait until both hashes of windows have it (one cycle a value of a byte, 256
    /// in all, in each of them, and what the matcher has to do before).
    WriteWindowSecret = 9,
    /// Writes word `index` of the filter memory `table`.
    WriteFilter = 10,
    /// Writes bucket `index` of way `slot` of the window index ([`crate::payload::IndexSlot`]).
    WriteWindow = 11,
    /// Writes pattern `index` ([`crate::payload::Pattern::to_data`]).
    WritePattern = 12,
    /// Writes half of a header of header list `index` ([`crate::payload::headers`]): `slot` is twice the place of the
    /// header in the list, and one more for the high half. A pattern that names the list sees each half at once.
    WriteHeader = 13,
    /// Says which short patterns byte `index` begins and ends ([`crate::payload::short`]).
    WriteShort = 14,
}

/// Every opcode.
pub const OPCODES: [Opcode; 14] = [
    Opcode::Clear,
    Opcode::WriteSlot,
    Opcode::WriteMask,
    Opcode::WriteSecret,
    Opcode::WriteTcamLow,
    Opcode::WriteTcamHigh,
    Opcode::WriteTcamEntry,
    Opcode::Commit,
    Opcode::WriteWindowSecret,
    Opcode::WriteFilter,
    Opcode::WriteWindow,
    Opcode::WritePattern,
    Opcode::WriteHeader,
    Opcode::WriteShort,
];

/// A command, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Command {
    /// What it does.
    pub opcode: Opcode,
    /// Table number.
    pub table: u8,
    /// Slot.
    pub slot: u8,
    /// Bucket, row, entry or version.
    pub index: u16,
    /// Data, from bit 0.
    pub data: Line,
}

/// Why a line is no command for a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandError {
    /// No such opcode.
    Opcode(u8),
    /// No such table in this geometry.
    Table(u8),
    /// No such slot in this geometry.
    Slot(u8),
    /// No such bucket, row or entry in this geometry.
    Index(u16),
}

impl core::fmt::Display for CommandError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Opcode(n) => write!(f, "command with unknown opcode {n}"),
            Self::Table(n) => write!(f, "command for table {n}, which the geometry does not have"),
            Self::Slot(n) => write!(f, "command for slot {n}, which the geometry does not have"),
            Self::Index(n) => write!(f, "command for index {n}, which the geometry does not have"),
        }
    }
}

impl core::error::Error for CommandError {}

impl Command {
    /// A command without table, slot and data.
    pub fn new(opcode: Opcode, index: u16) -> Self {
        Self { opcode, table: 0, slot: 0, index, data: Line::default() }
    }

    /// The command as a line of the ring.
    pub fn to_line(&self) -> Line {
        let mut line = Line::default();
        line.0[DATA_LSB / 8..].copy_from_slice(&self.data.0[..DATA_BITS / 8]);
        line.with(OPCODE, self.opcode as u128)
            .with(TABLE, self.table.into())
            .with(SLOT, self.slot.into())
            .with(INDEX, self.index.into())
    }

    /// The command in a line.
    ///
    /// # Errors
    /// Where the opcode does not exist or a number is out of range for the geometry.
    pub fn from_line(line: &Line, geometry: &Geometry) -> Result<Self, CommandError> {
        let number = line.get(OPCODE) as u8;
        let opcode =
            OPCODES.into_iter().find(|opcode| *opcode as u8 == number).ok_or(CommandError::Opcode(number))?;
        let mut data = Line::default();
        data.0[..DATA_BITS / 8].copy_from_slice(&line.0[DATA_LSB / 8..]);
        let command = Self {
            opcode,
            table: line.get(TABLE) as u8,
            slot: line.get(SLOT) as u8,
            index: line.get(INDEX) as u16,
            data,
        };
        command.check(geometry)?;
        Ok(command)
    }

    fn check(&self, geometry: &Geometry) -> Result<(), CommandError> {
        let table = usize::from(self.table);
        let index = |limit: usize| {
            if usize::from(self.index) < limit { Ok(()) } else { Err(CommandError::Index(self.index)) }
        };
        let in_table = || {
            if table < geometry.tables() { Ok(()) } else { Err(CommandError::Table(self.table)) }
        };
        let slot = |limit: usize| {
            if usize::from(self.slot) < limit { Ok(()) } else { Err(CommandError::Slot(self.slot)) }
        };
        match self.opcode {
            Opcode::Clear | Opcode::Commit | Opcode::WriteTcamLow => Ok(()),
            Opcode::WriteSlot => {
                in_table()?;
                slot(WAYS * geometry.bucket_slots)?;
                index(1 << geometry.buckets_log2(table))
            }
            Opcode::WriteMask => in_table(),
            Opcode::WriteSecret => index(hash::ROWS),
            Opcode::WriteTcamHigh | Opcode::WriteTcamEntry => index(geometry.tcam_entries),
            Opcode::WriteWindowSecret => index(payload::SECRET_ROWS),
            Opcode::WriteFilter => {
                if table >= geometry.payload.memories() {
                    return Err(CommandError::Table(self.table));
                }
                index(1 << geometry.payload.filter_words_log2)
            }
            Opcode::WriteWindow => {
                slot(WAYS)?;
                index(1 << geometry.payload.window_buckets_log2)
            }
            Opcode::WritePattern => index(1 << geometry.payload.patterns_log2),
            Opcode::WriteHeader => {
                slot(2 * geometry.payload.headers_a_list)?;
                index(1 << geometry.payload.header_lists_log2)
            }
            Opcode::WriteShort => index(payload::short::OCTETS),
        }
    }
}

const _: () = assert!(DATA_LSB.is_multiple_of(8) && INDEX.end() <= DATA_LSB);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{LAB, LINE};

    #[test]
    fn a_line_gives_back_its_command() {
        let mut command = Command::new(Opcode::WriteSlot, 511);
        command.slot = 7;
        command.data = Line([0x5a; 64]);
        command.data.0[DATA_BITS / 8..].fill(0);
        assert_eq!(Command::from_line(&command.to_line(), &LINE), Ok(command));
        assert_eq!(Command::from_line(&command.to_line(), &LAB), Err(CommandError::Slot(7)));
    }

    #[test]
    fn every_number_out_of_range_is_refused() {
        assert_eq!(Command::from_line(&Line::default(), &LINE), Err(CommandError::Opcode(0)));
        let mut command = Command::new(Opcode::WriteMask, 0);
        command.table = 24;
        assert_eq!(Command::from_line(&command.to_line(), &LINE), Err(CommandError::Table(24)));
        for opcode in [
            Opcode::WriteShort,
            Opcode::WriteHeader,
            Opcode::WritePattern,
            Opcode::WriteWindow,
            Opcode::WriteFilter,
            Opcode::WriteWindowSecret,
        ] {
            let index = Command::new(opcode, 0x7fff).to_line();
            assert_eq!(Command::from_line(&index, &LAB), Err(CommandError::Index(0x7fff)));
            let good = Command::new(opcode, 7);
            assert_eq!(Command::from_line(&good.to_line(), &LAB), Ok(good));
        }
        command = Command::new(Opcode::WriteFilter, 0);
        command.table = 3;
        assert_eq!(Command::from_line(&command.to_line(), &LAB), Err(CommandError::Table(3)));
        command = Command::new(Opcode::WriteHeader, 0);
        command.slot = 4;
        assert_eq!(Command::from_line(&command.to_line(), &LAB), Err(CommandError::Slot(4)));
        let row = Command::new(Opcode::WriteSecret, 24).to_line();
        assert_eq!(Command::from_line(&row, &LINE), Err(CommandError::Index(24)));
    }
}

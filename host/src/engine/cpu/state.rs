//! What a card's tables hold after the commands of an image.

use rustc_hash::FxHashMap;
use wiresift_abi::bits::Line;
use wiresift_abi::command::{Command, CommandError, Opcode};
use wiresift_abi::entry::{self, Entry};
use wiresift_abi::geometry::Geometry;
use wiresift_abi::hash::{ROWS, Secret};
use wiresift_abi::image::Image;
use wiresift_abi::vector::{self, HASHED_BITS, Key};

/// Contents of all tables.
#[derive(Clone)]
pub struct State {
    /// Sizes.
    pub geometry: &'static Geometry,
    /// Secret of the hash.
    pub secret: Secret,
    /// Mask of each table.
    pub masks: Vec<Key>,
    /// Slots in use by table, bucket and slot (`way * bucket_slots + slot`).
    pub slots: FxHashMap<(u8, u16, u8), Line>,
    /// Low half of a TCAM key, until its high half comes.
    low: Line,
    /// Ternary keys of TCAM entries by number: value and mask.
    tcam_keys: FxHashMap<u16, (Line, Line)>,
    /// TCAM entries in use by number.
    tcam: FxHashMap<u16, Line>,
}

impl State {
    /// Runs the commands of an image.
    pub fn of(image: &Image) -> Self {
        let geometry = image.geometry();
        let mut state = Self {
            geometry,
            secret: Secret([Key::default(); ROWS]),
            masks: vec![Key::default(); geometry.tables()],
            slots: FxHashMap::default(),
            low: Line::default(),
            tcam_keys: FxHashMap::default(),
            tcam: FxHashMap::default(),
        };
        image.commands().for_each(|command| state.run(&command));
        state
    }

    /// Runs the command in a line.
    ///
    /// # Errors
    /// Where there is none for the geometry.
    pub fn run_line(&mut self, line: &Line) -> Result<(), CommandError> {
        Command::from_line(line, self.geometry).map(|command| self.run(&command))
    }

    fn run(&mut self, command: &Command) {
        let Command { table, slot, index, data, .. } = command;
        let is_empty = entry::kind_of(data.get(entry::KIND)).is_none();
        match command.opcode {
            // The tables are looked at behind a COMMIT only.
            Opcode::Commit => {}
            // Of the card's payload matcher: here the host seeks all patterns.
            Opcode::WriteWindowSecret
            | Opcode::WriteFilter
            | Opcode::WriteWindow
            | Opcode::WritePattern
            | Opcode::WriteHeader
            | Opcode::WriteShort => {}
            Opcode::Clear => {
                self.masks.fill(Key::default());
                self.slots.clear();
                self.tcam.clear();
            }
            Opcode::WriteSlot if is_empty => drop(self.slots.remove(&(*table, *index, *slot))),
            Opcode::WriteSlot => drop(self.slots.insert((*table, *index, *slot), *data)),
            Opcode::WriteMask => {
                let narrow = self.geometry.is_narrow(usize::from(*table));
                self.masks[usize::from(*table)] = Key::of(data).and(&mask_bits(narrow));
            }
            Opcode::WriteSecret => {
                self.secret.0[usize::from(*index)] = Key::of(data).and(&mask_bits(false));
            }
            Opcode::WriteTcamLow => self.low = *data,
            Opcode::WriteTcamHigh => {
                self.tcam_keys.insert(*index, entry::tcam_of_halves(&[self.low, *data]));
            }
            Opcode::WriteTcamEntry if is_empty => drop(self.tcam.remove(index)),
            Opcode::WriteTcamEntry => drop(self.tcam.insert(*index, *data)),
        }
    }

    /// The entries in slots, and where they stand: table, bucket and slot.
    pub fn entries(&self) -> impl Iterator<Item = ((u8, u16, u8), Entry)> {
        self.slots.iter().filter_map(|(&at, line)| {
            let narrow = self.geometry.is_narrow(usize::from(at.0));
            Entry::from_slot(line, narrow).map(|entry| (at, entry))
        })
    }

    /// The entries of the TCAM. One whose key was never written agrees with nothing.
    pub fn tcam_entries(&self) -> impl Iterator<Item = Entry> {
        self.tcam.iter().filter_map(|(index, kept)| Entry::from_tcam(kept, self.tcam_keys.get(index)?))
    }
}

/// Bits that a mask can have: a narrow table has none for the 96 low bits of an address.
fn mask_bits(narrow: bool) -> Key {
    let mut bits = Key([u64::MAX; vector::KEY_BITS / 64]);
    bits.0[HASHED_BITS / 64] = (1 << (HASHED_BITS % 64)) - 1;
    if narrow {
        const HIGH: u64 = u64::MAX << 32;
        (bits.0[0], bits.0[1], bits.0[2], bits.0[3]) = (0, HIGH, 0, HIGH);
    }
    bits
}

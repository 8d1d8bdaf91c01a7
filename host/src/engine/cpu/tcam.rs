//! The entries of the TCAM.
//!
//! Rows that the compiler writes say of each entry what value and mask would say; it is then looked up like
//! any other. Rows can also say what no value and mask does: such an entry is looked up as the card does it, one row for
//! each chunk of the key, all of which must agree.

use wiresift_abi::bits::{Field, Line};
use wiresift_abi::entry::{self, Kind, TCAM_CHUNK_BITS, TCAM_CHUNKS, Ternary};
use wiresift_abi::vector::Key;

use super::state::{Rows, State};

/// The TCAM with the entries that no value and mask describes.
#[derive(Clone, Debug, Default)]
pub struct Tcam {
    /// Chunks that tell entries apart, with their rows.
    chunks: Vec<(usize, Rows)>,
    /// Entries in use.
    in_use: u128,
    entries: Vec<Entry>,
}

/// What an entry asks for beside its rows, and its number.
#[derive(Clone, Copy, Debug)]
struct Entry {
    sport: (u16, u16),
    dport: (u16, u16),
    kind: Kind,
    id: u32,
}

impl Tcam {
    /// The TCAM of a card in that state; the entries that a value and a mask describe go to `entries`.
    pub fn new(state: &State, entries: &mut Vec<entry::Entry>) -> Self {
        let mut tcam = Self::default();
        let nothing = Entry { sport: (1, 0), dport: (1, 0), kind: Kind::Acl, id: 0 };
        tcam.entries = vec![nothing; state.geometry.tcam_entries];
        for (&index, line) in &state.tcam {
            let port = |field| line.get(field) as u16;
            let Some(kind) = entry::kind_of(line.get(entry::KIND)) else { continue };
            let asked = Entry {
                sport: (port(entry::SPORT_LO), port(entry::SPORT_HI)),
                dport: (port(entry::DPORT_LO), port(entry::DPORT_HI)),
                kind,
                id: line.get(entry::ID) as u32,
            };
            if let Some(key) = ternary(&state.rows, index) {
                entries.push(asked.with_key(key));
            } else {
                tcam.in_use |= 1 << index;
                tcam.entries[usize::from(index)] = asked;
            }
        }
        let tells = |rows: &Rows| rows.iter().any(|row| row & tcam.in_use != tcam.in_use);
        tcam.chunks = state.rows.iter().copied().enumerate().filter(|(_, rows)| tells(rows)).collect();
        tcam
    }

    /// Whether no entry is in use.
    pub fn is_empty(&self) -> bool {
        self.in_use == 0
    }

    /// Kind and number of every entry in use.
    pub fn ids(&self) -> impl Iterator<Item = (Kind, u32)> {
        self.in_use().map(|entry| (entry.kind, entry.id))
    }

    fn in_use(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().enumerate().filter(|(n, _)| self.in_use >> n & 1 == 1).map(|(_, entry)| entry)
    }

    /// Calls `found` with kind and number of every entry that the key satisfies.
    #[inline]
    pub fn look_up(&self, key: &Key, mut found: impl FnMut(Kind, u32)) {
        let mut agree = self.in_use;
        for (chunk, rows) in &self.chunks {
            agree &= rows[chunk_of(key, *chunk)];
            if agree == 0 {
                return;
            }
        }
        let (sport, dport) = (key.0[4] as u16, (key.0[4] >> 16) as u16);
        while agree != 0 {
            let entry = &self.entries[agree.trailing_zeros() as usize];
            agree &= agree - 1;
            if (entry.sport.0..=entry.sport.1).contains(&sport)
                && (entry.dport.0..=entry.dport.1).contains(&dport)
            {
                found(entry.kind, entry.id);
            }
        }
    }
}

impl Entry {
    /// The entry as if it stood in a slot.
    fn with_key(self, (value, mask): (Line, Line)) -> entry::Entry {
        const SRC: Field = Field::new("src", 0, 128);
        const DST: Field = SRC.then("dst", 128);
        const PROTO: Field = DST.then("proto", 8);
        const CLASS: Field = PROTO.then("class", 8);
        const AUX: Field = CLASS.then("aux", 16);
        const _: () = assert!(AUX.end() == entry::TCAM_KEY_BITS);
        let eight = |field| Ternary { value: value.get(field) as u8, mask: mask.get(field) as u8 };
        entry::Entry {
            kind: self.kind,
            id: self.id,
            src: Ternary { value: value.get(SRC), mask: mask.get(SRC) },
            dst: Ternary { value: value.get(DST), mask: mask.get(DST) },
            sport: self.sport,
            dport: self.dport,
            proto: eight(PROTO),
            class: eight(CLASS),
            aux: Ternary { value: value.get(AUX) as u16, mask: mask.get(AUX) as u16 },
        }
    }
}

/// Value and mask of the keys that agree with entry `index` in all rows, where these are the keys of a value and
/// a mask.
fn ternary(rows: &[Rows], index: u16) -> Option<(Line, Line)> {
    let (mut value, mut mask) = (Line::default(), Line::default());
    for (chunk, rows) in rows.iter().enumerate() {
        let agree = (0..rows.len()).filter(|&address| rows[address] >> index & 1 == 1);
        let (count, all, any) = agree.fold((0, rows.len() - 1, 0), |(count, all, any), address| {
            (count + 1, all & address, any | address)
        });
        let free: usize = all ^ any;
        if count != 1 << free.count_ones() || count == 0 {
            return None;
        }
        let bits = Field::new("chunk", chunk * TCAM_CHUNK_BITS, TCAM_CHUNK_BITS);
        value.set(bits, all as u128);
        mask.set(bits, !free as u128);
    }
    debug_assert_eq!(rows.len(), TCAM_CHUNKS);
    Some((value, mask))
}

/// A chunk of the TCAM's key: both addresses, then protocol, class and `aux`, which stand behind the ports
/// in the header vector.
fn chunk_of(key: &Key, chunk: usize) -> usize {
    let word = |n: usize| if n == 4 { key.0[4] >> 32 } else { key.0.get(n).copied().unwrap_or(0) };
    let (at, shift) = (chunk * TCAM_CHUNK_BITS / 64, chunk * TCAM_CHUNK_BITS % 64);
    let two = u128::from(word(at)) | u128::from(word(at + 1)) << 64;
    (two >> shift) as usize & ((1 << TCAM_CHUNK_BITS) - 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn rows_of_a_value_and_a_mask_give_them_back(value: [u128; 3], mask: [u128; 3], index in 0u16..128) {
            let line = |words: [u128; 3]| {
                let fields = [Field::new("a", 0, 128), Field::new("b", 128, 128), Field::new("c", 256, 32)];
                fields.into_iter().zip(words).fold(Line::default(), |line, (field, word)| line.with(field, word))
            };
            let mask = line(mask);
            let mut value = line(value);
            value.0.iter_mut().zip(mask.0).for_each(|(value, mask)| *value &= mask);
            let mut rows = vec![[0; 1 << TCAM_CHUNK_BITS]; TCAM_CHUNKS];
            for (chunk, rows) in rows.iter_mut().enumerate() {
                let bits = Field::new("chunk", chunk * TCAM_CHUNK_BITS, TCAM_CHUNK_BITS);
                for (address, row) in rows.iter_mut().enumerate() {
                    *row = u128::from(address as u128 & mask.get(bits) == value.get(bits)) << index;
                }
            }
            prop_assert_eq!(ternary(&rows, index), Some((value, mask)));
            // One key more than a value and a mask describe.
            let odd = rows[7].iter().filter(|row| **row != 0).count();
            if odd < 60 && odd != 1 {
                if let Some(row) = rows[7].iter_mut().find(|row| **row == 0) {
                    *row = 1 << index;
                }
                prop_assert_eq!(ternary(&rows, index), None);
            }
        }

        #[test]
        fn chunks_are_those_of_the_contract(words: [u64; 5]) {
            let line: Line = Key(words).to_line();
            let whole = entry::tcam_key_of(&line);
            for chunk in 0..entry::TCAM_CHUNKS {
                let bits = Field::new("chunk", chunk * TCAM_CHUNK_BITS, TCAM_CHUNK_BITS);
                prop_assert_eq!(chunk_of(&Key(words), chunk) as u128, whole.get(bits));
            }
        }
    }
}

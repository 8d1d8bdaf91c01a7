//! The TCAM as the CPU looks it up: like the card, one row of entries for each chunk of the key, all of
//! which must agree.

use wiresift_abi::entry::{self, Kind, TCAM_CHUNK_BITS};
use wiresift_abi::vector::Key;

use super::state::{Rows, State};
use super::tables::ports;

/// The TCAM with what its entries ask for.
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
    /// The TCAM of a card in that state.
    pub fn new(state: &State) -> Self {
        let mut tcam = Self::default();
        let nothing = Entry { sport: (1, 0), dport: (1, 0), kind: Kind::Acl, id: 0 };
        tcam.entries = vec![nothing; state.geometry.tcam_entries];
        for (&index, line) in &state.tcam {
            let port = |field| line.get(field) as u16;
            let Some(kind) = entry::kind_of(line.get(entry::KIND)) else { continue };
            tcam.in_use |= 1 << index;
            tcam.entries[usize::from(index)] = Entry {
                sport: (port(entry::SPORT_LO), port(entry::SPORT_HI)),
                dport: (port(entry::DPORT_LO), port(entry::DPORT_HI)),
                kind,
                id: line.get(entry::ID) as u32,
            };
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
        let (sport, dport) = ports(key);
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
    use wiresift_abi::bits::{Field, Line};

    use super::*;

    proptest! {
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

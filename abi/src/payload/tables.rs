//! Places patterns into the tables of a geometry.

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

use super::{CHAIN_MAX, Class, IndexSlot, Pattern, Secret, memories, place, probe, secret_row};
use crate::command::{Command, Opcode};
use crate::geometry::{Geometry, WAYS};

/// Buckets that are emptied for another window before the set is given up.
const MOVES_MAX: usize = 500;

/// Bucket of a window in each way.
type Buckets = [usize; WAYS];

/// Why patterns fit no card of that geometry (with that secret).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaceError {
    /// More patterns than the card holds.
    Patterns(usize),
    /// More than [`CHAIN_MAX`] patterns with one window; that of pattern number `.0` of the list.
    Chain(usize),
    /// The window of pattern number `.0` of the list finds no bucket.
    Window(usize),
}

impl core::fmt::Display for PlaceError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Patterns(n) => write!(f, "{n} patterns, more than the card holds"),
            Self::Chain(n) => write!(f, "pattern {n}: more than {CHAIN_MAX} patterns have its window"),
            Self::Window(n) => write!(f, "pattern {n}: no bucket of the window index is free"),
        }
    }
}

impl core::error::Error for PlaceError {}

/// The contents of filter, window index and pattern memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tables {
    geometry: &'static Geometry,
    secret: Secret,
    filter: Vec<Vec<u64>>,
    index: [BTreeMap<usize, (IndexSlot, Buckets)>; WAYS],
    patterns: Vec<Pattern>,
    /// Place in the list given to [`Tables::new`] of each stored pattern.
    order: Vec<usize>,
}

impl Tables {
    /// Places `patterns`.
    ///
    /// # Errors
    /// See [`PlaceError`]; another secret may place what [`PlaceError::Window`] refuses.
    pub fn new(
        geometry: &'static Geometry,
        secret: Secret,
        patterns: &[Pattern],
    ) -> Result<Self, PlaceError> {
        let sizes = &geometry.payload;
        if patterns.len() > 1 << sizes.patterns_log2 {
            return Err(PlaceError::Patterns(patterns.len()));
        }
        // Windows that the index cannot tell apart share a list, as those of one text do.
        let mut windows: BTreeMap<(Class, u16), BTreeMap<Buckets, Vec<usize>>> = BTreeMap::new();
        let mut filter = vec![vec![0u64; 1 << sizes.filter_words_log2]; sizes.memories()];
        for (number, pattern) in patterns.iter().enumerate() {
            let hash = secret.hash(pattern.window(), sizes.hash_bits);
            for memory in memories(pattern.class, sizes) {
                let (word, bits) = probe(hash, memory, sizes);
                filter[memory][word] |= 1 << bits[0] | 1 << bits[1];
            }
            let (buckets, tag) = place(hash, sizes);
            windows.entry((pattern.class, tag)).or_default().entry(buckets).or_default().push(number);
        }
        let mut tables = Self {
            geometry,
            secret,
            filter,
            index: Default::default(),
            patterns: Vec::new(),
            order: Vec::new(),
        };
        for ((class, tag), places) in windows {
            for (buckets, list) in confusable(places) {
                if list.len() > CHAIN_MAX {
                    return Err(PlaceError::Chain(list[0]));
                }
                let slot =
                    IndexSlot { class, tag, first: tables.order.len() as u16, more: list.len() as u8 - 1 };
                for buckets in buckets {
                    tables.insert((slot, buckets), list[0])?;
                }
                tables.patterns.extend(list.iter().map(|number| patterns[*number].clone()));
                tables.order.extend(list);
            }
        }
        Ok(tables)
    }

    /// Two-choice hashing with moves (Pagh and Rodler, "Cuckoo hashing", 2001).
    fn insert(&mut self, entry: (IndexSlot, Buckets), number: usize) -> Result<(), PlaceError> {
        let (mut entry, mut way) = (entry, 0);
        for _ in 0..MOVES_MAX {
            let buckets = entry.1;
            if let Some(free) = (0..WAYS).find(|way| !self.index[*way].contains_key(&buckets[*way])) {
                self.index[free].insert(buckets[free], entry);
                return Ok(());
            }
            let Some(moved) = self.index[way].insert(buckets[way], entry) else { return Ok(()) };
            // It goes to its other bucket.
            entry = moved;
            way = (way + 1) % WAYS;
        }
        Err(PlaceError::Window(number))
    }

    /// The commands that write everything into emptied tables; they belong between CLEAR and COMMIT.
    pub fn commands(&self) -> Vec<Command> {
        let sizes = &self.geometry.payload;
        let mut commands: Vec<Command> =
            self.secret.0.iter().enumerate().map(|(row, bits)| secret_row(row, *bits)).collect();
        for (memory, words) in self.filter.iter().enumerate() {
            for (index, word) in words.iter().enumerate().filter(|(_, word)| **word != 0) {
                let mut command = Command::new(Opcode::WriteFilter, index as u16);
                command.table = memory as u8;
                command.data.0[..8].copy_from_slice(&word.to_le_bytes());
                commands.push(command);
            }
        }
        for (way, buckets) in self.index.iter().enumerate() {
            for (bucket, (slot, _)) in buckets {
                let mut command = Command::new(Opcode::WriteWindow, *bucket as u16);
                command.slot = way as u8;
                command.data = slot.to_data();
                commands.push(command);
            }
        }
        for (number, pattern) in self.patterns.iter().enumerate() {
            let mut command = Command::new(Opcode::WritePattern, number as u16);
            command.data = pattern.to_data(sizes);
            commands.push(command);
        }
        commands
    }

    /// Place in the list that was given of the pattern that the card knows by `number`.
    pub fn pattern(&self, number: u32) -> Option<usize> {
        self.order.get(number as usize).copied()
    }
}

/// Windows of one class and tag, put together where one could be found in the bucket of another: the card takes the
/// first bucket whose tag is right.
fn confusable(places: BTreeMap<Buckets, Vec<usize>>) -> Vec<(Vec<Buckets>, Vec<usize>)> {
    let mut groups: Vec<(Vec<Buckets>, Vec<usize>)> = Vec::new();
    for (buckets, list) in places {
        let shares = |other: &Buckets| (0..WAYS).any(|way| other[way] == buckets[way]);
        let (near, far): (Vec<_>, Vec<_>) =
            groups.into_iter().partition(|(others, _)| others.iter().any(shares));
        let mut group = (vec![buckets], list);
        for (buckets, list) in near {
            group.0.extend(buckets);
            group.1.extend(list);
        }
        groups = far;
        groups.push(group);
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{LAB, LINE};

    fn secret(seed: u64) -> Secret {
        let mut state = seed;
        Secret(core::array::from_fn(|_| {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            state ^ state >> 29
        }))
    }

    #[test]
    fn letters_of_both_cases_hash_alike_and_bytes_do_not() {
        let secret = secret(1);
        assert_eq!(secret.hash(b"GET /Ind", 48), secret.hash(b"get /iND", 48));
        assert_ne!(secret.hash(b"abcdefgh", 48), secret.hash(b"abcdefgi", 48));
        assert_ne!(secret.hash(b"abcdefgh", 48), secret.hash(b"bacdefgh", 48));
    }

    #[test]
    fn every_pattern_is_found_through_filter_and_index() {
        for (geometry, count) in [(&LAB, 400), (&LINE, 3000)] {
            let sizes = &geometry.payload;
            let patterns: Vec<Pattern> = (0..count)
                .filter_map(|n: usize| {
                    let bytes: Vec<u8> = (0..3 + n % 30).map(|at| (n * 31 + at * at * 7) as u8).collect();
                    Pattern::new(&bytes, n.is_multiple_of(2), sizes)
                })
                .collect();
            let tables =
                Tables::new(geometry, secret(2), &patterns).unwrap_or_else(|error| panic!("{error}"));
            assert!(tables.commands().iter().all(|c| Command::from_line(&c.to_line(), geometry) == Ok(*c)));
            for (at, number) in tables.order.iter().enumerate() {
                let pattern = &patterns[*number];
                let hash = tables.secret.hash(pattern.window(), sizes.hash_bits);
                for memory in memories(pattern.class, sizes) {
                    let (word, bits) = probe(hash, memory, sizes);
                    assert!(bits.iter().all(|bit| tables.filter[memory][word] >> bit & 1 == 1));
                }
                let (buckets, tag) = place(hash, sizes);
                let slots = (0..WAYS).filter_map(|way| tables.index[way].get(&buckets[way]));
                let slots = slots.filter(|(slot, _)| slot.tag == tag && slot.class == pattern.class);
                let mut found = 0;
                for (slot, _) in slots {
                    let first = usize::from(slot.first);
                    assert!((first..=first + usize::from(slot.more)).contains(&at));
                    found += 1;
                }
                assert!(found > 0);
            }
        }
    }

    #[test]
    fn windows_that_could_be_confused_share_a_list() {
        let places = [([1, 1], vec![0]), ([2, 2], vec![1]), ([1, 2], vec![2]), ([3, 3], vec![3])];
        let groups = confusable(places.into_iter().collect());
        let mut lists: Vec<Vec<usize>> = groups.into_iter().map(|(_, list)| list).collect();
        lists.iter_mut().for_each(|list| list.sort_unstable());
        lists.sort();
        assert_eq!(lists, [vec![0, 1, 2], vec![3]]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let pattern = |bytes: &[u8]| Pattern::new(bytes, false, &LAB.payload).into_iter();
        let many: Vec<Pattern> =
            (0..600u16).flat_map(|n| pattern(&[b'a', n as u8, (n >> 8) as u8])).collect();
        assert_eq!(Tables::new(&LAB, secret(3), &many), Err(PlaceError::Patterns(600)));
        let alike: Vec<Pattern> = (0..17).flat_map(|_| pattern(b"alike")).collect();
        assert_eq!(Tables::new(&LAB, secret(3), &alike), Err(PlaceError::Chain(0)));
        assert_eq!(Pattern::new(b"ab", false, &LAB.payload), None);
    }
}

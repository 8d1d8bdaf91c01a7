//! Places patterns into the tables of a geometry.

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

use super::headers::NO_LIST;
use super::{CHAIN_MAX, Class, IndexSlot, Pattern, Secret, memories, place, probe, secret_row};
use crate::bits::Line;
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
    /// By the card's number.
    patterns: Vec<Option<Stored>>,
}

/// A pattern in the card's memory.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stored {
    pattern: Pattern,
    /// Its place in the list that was given.
    place: usize,
    header_list: u16,
}

/// Windows that share a list of patterns.
struct Group {
    class: Class,
    tag: u16,
    /// Of each different window.
    buckets: Vec<Buckets>,
    /// Places of the patterns in the list that was given.
    list: Vec<usize>,
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
        let (tables, refused) = Self::fit(geometry, secret, patterns, None);
        match refused.into_iter().next() {
            None => Ok(tables),
            Some((_, error)) => Err(error),
        }
    }

    fn empty(geometry: &'static Geometry, secret: Secret) -> Self {
        let sizes = &geometry.payload;
        Self {
            geometry,
            secret,
            filter: vec![vec![0u64; 1 << sizes.filter_words_log2]; sizes.memories()],
            index: Default::default(),
            patterns: vec![None; 1 << sizes.patterns_log2],
        }
    }

    /// Places what fits of `patterns`; gives the places in the list of the others, each with the reason. The card may
    /// not find those.
    ///
    /// With the tables `before`, which have the same secret, what stands there stays where it is.
    pub fn fit(
        geometry: &'static Geometry,
        secret: Secret,
        patterns: &[Pattern],
        before: Option<&Self>,
    ) -> (Self, Vec<(usize, PlaceError)>) {
        let mut tables = Self::empty(geometry, secret);
        let mut refused = Vec::new();
        let mut comes = Vec::new();
        for mut group in groups(geometry, &secret, patterns) {
            let too_many = group.list.split_off(group.list.len().min(CHAIN_MAX));
            refused.extend(too_many.into_iter().map(|place| (place, PlaceError::Chain(group.list[0]))));
            match before.and_then(|before| before.first_of(&group, patterns)) {
                Some(first) => {
                    tables.store(&group, first, patterns);
                    for buckets in core::mem::take(&mut group.buckets) {
                        match before.and_then(|before| before.held(&group, buckets, first)) {
                            Some((way, entry)) => drop(tables.index[way].insert(buckets[way], entry)),
                            None => group.buckets.push(buckets),
                        }
                    }
                    comes.push((group, Some(first)));
                }
                None => comes.push((group, None)),
            }
        }
        let mut free = tables.free();
        for (group, first) in comes {
            let count = group.list.len();
            let first = first.or_else(|| {
                let (start, left) = free.iter_mut().find(|(_, left)| *left >= count)?;
                let first = *start;
                (*start, *left) = (first + count, *left - count);
                tables.store(&group, first, patterns);
                Some(first)
            });
            let Some(first) = first else {
                let error = PlaceError::Patterns(patterns.len());
                refused.extend(group.list.into_iter().map(|place| (place, error)));
                continue;
            };
            let slot =
                IndexSlot { class: group.class, tag: group.tag, first: first as u16, more: count as u8 - 1 };
            for buckets in group.buckets {
                if let Err(lost) = tables.insert((slot, buckets)) {
                    refused.extend(tables.places(&lost).map(|place| (place, PlaceError::Window(place))));
                }
            }
        }
        tables.fill_filter();
        refused.sort_by_key(|(place, _)| *place);
        refused.dedup_by_key(|(place, _)| *place);
        (tables, refused)
    }

    /// Where the list of a group stands, if it is the same.
    fn first_of(&self, group: &Group, patterns: &[Pattern]) -> Option<usize> {
        let mut slots = group
            .buckets
            .iter()
            .flat_map(|buckets| (0..WAYS).filter_map(|way| self.index[way].get(&buckets[way])))
            .filter(|(slot, _)| (slot.class, slot.tag) == (group.class, group.tag));
        let (slot, _) = slots.next()?;
        let first = usize::from(slot.first);
        let stored = &self.patterns[first..=first + usize::from(slot.more)];
        let is_same = stored.len() == group.list.len()
            && stored.iter().zip(&group.list).all(|(stored, place)| {
                stored.as_ref().is_some_and(|stored| stored.pattern == patterns[*place])
            });
        is_same.then_some(first)
    }

    /// Way and entry of one window of a group whose list stands at `first`.
    fn held(&self, group: &Group, buckets: Buckets, first: usize) -> Option<(usize, (IndexSlot, Buckets))> {
        (0..WAYS).find_map(|way| {
            let entry = self.index[way].get(&buckets[way])?;
            let is_it = entry.1 == buckets
                && usize::from(entry.0.first) == first
                && (entry.0.class, entry.0.tag) == (group.class, group.tag);
            is_it.then_some((way, *entry))
        })
    }

    fn store(&mut self, group: &Group, first: usize, patterns: &[Pattern]) {
        for (number, place) in (first..).zip(&group.list) {
            let pattern = patterns[*place].clone();
            self.patterns[number] = Some(Stored { pattern, place: *place, header_list: NO_LIST });
        }
    }

    /// Free places of the pattern memory that stand side by side: the first one, and how many.
    fn free(&self) -> Vec<(usize, usize)> {
        let mut runs: Vec<(usize, usize)> = Vec::new();
        for number in (0..self.patterns.len()).filter(|number| self.patterns[*number].is_none()) {
            match runs.last_mut() {
                Some((start, count)) if *start + *count == number => *count += 1,
                _ => runs.push((number, 1)),
            }
        }
        runs
    }

    /// Two-choice hashing with moves (Pagh and Rodler, "Cuckoo hashing", 2001); gives what has no bucket in the end.
    fn insert(&mut self, entry: (IndexSlot, Buckets)) -> Result<(), IndexSlot> {
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
        Err(entry.0)
    }

    /// Places in the given list of the patterns of a slot.
    fn places(&self, slot: &IndexSlot) -> impl Iterator<Item = usize> + use<'_> {
        let first = usize::from(slot.first);
        self.patterns[first..=first + usize::from(slot.more)].iter().flatten().map(|stored| stored.place)
    }

    fn fill_filter(&mut self) {
        let sizes = &self.geometry.payload;
        for Stored { pattern, .. } in self.patterns.iter().flatten() {
            let hash = self.secret.hash(pattern.window(), sizes.hash_bits);
            for memory in memories(pattern.class, sizes) {
                let (word, bits) = probe(hash, memory, sizes);
                self.filter[memory][word] |= 1 << bits[0] | 1 << bits[1];
            }
        }
    }

    /// The commands that write everything into emptied tables; they belong between CLEAR and COMMIT.
    pub fn commands(&self) -> Vec<Command> {
        let mut commands: Vec<Command> =
            self.secret.0.iter().enumerate().map(|(row, bits)| secret_row(row, *bits)).collect();
        commands.extend(self.changes(&Self::empty(self.geometry, self.secret)));
        commands
    }

    /// The commands that make these tables of those `before`, which have the same secret.
    pub fn changes(&self, before: &Self) -> Vec<Command> {
        let mut commands = Vec::new();
        for (memory, (words, old)) in self.filter.iter().zip(&before.filter).enumerate() {
            for (index, (word, _)) in words.iter().zip(old).enumerate().filter(|(_, (word, old))| word != old)
            {
                let mut command = Command::new(Opcode::WriteFilter, index as u16);
                command.table = memory as u8;
                command.data.0[..8].copy_from_slice(&word.to_le_bytes());
                commands.push(command);
            }
        }
        for (way, (buckets, old)) in self.index.iter().zip(&before.index).enumerate() {
            let write = |bucket: usize, data| Command {
                slot: way as u8,
                data,
                ..Command::new(Opcode::WriteWindow, bucket as u16)
            };
            let gone = old.keys().filter(|bucket| !buckets.contains_key(bucket));
            commands.extend(gone.map(|bucket| write(*bucket, Line::default())));
            let comes = buckets
                .iter()
                .filter(|(bucket, (slot, _))| old.get(bucket).is_none_or(|(old, _)| old != slot));
            commands.extend(comes.map(|(bucket, (slot, _))| write(*bucket, slot.to_data())));
        }
        for (number, (stored, old)) in self.patterns.iter().zip(&before.patterns).enumerate() {
            let Some(Stored { pattern, header_list, .. }) = stored else { continue };
            let is_same = |old: &Stored| old.pattern == *pattern && old.header_list == *header_list;
            if !old.as_ref().is_some_and(is_same) {
                let mut command = Command::new(Opcode::WritePattern, number as u16);
                command.data = pattern.to_data(&self.geometry.payload, *header_list);
                commands.push(command);
            }
        }
        commands
    }

    /// Gives each pattern the header list that `of` says for the number that the card knows it by. Without, every pattern
    /// has [`NO_LIST`].
    pub fn set_header_lists(&mut self, of: impl Fn(u32) -> u16) {
        for (number, stored) in (0..).zip(&mut self.patterns) {
            if let Some(stored) = stored {
                stored.header_list = of(number);
            }
        }
    }

    /// Place in the list that was given of the pattern that the card knows by `number`.
    pub fn pattern(&self, number: u32) -> Option<usize> {
        Some(self.patterns.get(number as usize)?.as_ref()?.place)
    }

    /// The patterns on the card: number, and place in the list that was given.
    pub fn stored(&self) -> impl Iterator<Item = (u32, usize)> {
        let stored = (0..).zip(&self.patterns);
        stored.filter_map(|(number, stored)| stored.as_ref().map(|stored| (number, stored.place)))
    }

    /// Buckets of the window index in use.
    pub fn windows(&self) -> usize {
        self.index.iter().map(BTreeMap::len).sum()
    }

    /// Buckets of the window index.
    pub fn windows_max(&self) -> usize {
        WAYS << self.geometry.payload.window_buckets_log2
    }

    /// Patterns that the card compares with a packet where these bytes stand: `None` where the filter sees that none has
    /// such a window, zero where only the window index does.
    ///
    /// # Panics
    /// Where there are not as many bytes as windows of the class have.
    pub fn compared(&self, class: Class, window: &[u8]) -> Option<usize> {
        assert_eq!(window.len(), class.bytes());
        let sizes = &self.geometry.payload;
        let hash = self.secret.hash(window, sizes.hash_bits);
        let passes = memories(class, sizes).all(|memory| {
            let (word, bits) = probe(hash, memory, sizes);
            bits.iter().all(|bit| self.filter[memory][word] >> bit & 1 == 1)
        });
        let (buckets, tag) = place(hash, sizes);
        passes.then(|| {
            let mut slots = (0..WAYS).filter_map(|way| self.index[way].get(&buckets[way]));
            let found = slots.find(|(slot, _)| (slot.class, slot.tag) == (class, tag));
            found.map_or(0, |(slot, _)| usize::from(slot.more) + 1)
        })
    }
}

/// Patterns by their windows. Windows that the index cannot tell apart share a list, as those of one text do.
fn groups(geometry: &Geometry, secret: &Secret, patterns: &[Pattern]) -> impl Iterator<Item = Group> {
    let sizes = &geometry.payload;
    let mut windows: BTreeMap<(Class, u16), BTreeMap<Buckets, Vec<usize>>> = BTreeMap::new();
    for (number, pattern) in patterns.iter().enumerate() {
        let (buckets, tag) = place(secret.hash(pattern.window(), sizes.hash_bits), sizes);
        windows.entry((pattern.class, tag)).or_default().entry(buckets).or_default().push(number);
    }
    windows.into_iter().flat_map(|((class, tag), places)| {
        confusable(places).into_iter().map(move |(buckets, list)| Group { class, tag, buckets, list })
    })
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
            assert_eq!(tables.stored().count(), patterns.len());
            for (at, number) in tables.stored() {
                let pattern = &patterns[number];
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
                    let first = u32::from(slot.first);
                    assert!((first..=first + u32::from(slot.more)).contains(&at));
                    found += 1;
                }
                assert!(found > 0 && tables.compared(pattern.class, pattern.window()) > Some(0));
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

    fn texts(from: usize, to: usize) -> Vec<Pattern> {
        let text =
            |n: usize| (0..9).map(move |at| (n * 37 + at * at * 11 + n / 7) as u8).collect::<Vec<u8>>();
        (from..to).filter_map(|n| Pattern::new(&text(n), false, &LAB.payload)).collect()
    }

    /// What a card holds after commands.
    fn memory(commands: &[Command]) -> BTreeMap<(u8, u8, u8, u16), Line> {
        let key = |c: &Command| (c.opcode as u8, c.table, c.slot, c.index);
        commands.iter().map(|command| (key(command), command.data)).collect()
    }

    #[test]
    fn changes_lead_from_tables_to_tables_and_move_little() {
        let (old, none) = Tables::fit(&LAB, secret(5), &texts(0, 200), None);
        let (new, none_too) = Tables::fit(&LAB, secret(5), &texts(3, 204), Some(&old));
        assert!(none.is_empty() && none_too.is_empty());
        let changes = new.changes(&old);
        let of = |opcode| changes.iter().filter(move |command| command.opcode == opcode).count();
        assert!((4..16).contains(&of(Opcode::WritePattern)));
        assert!(of(Opcode::WriteWindow) < 20 && of(Opcode::WriteFilter) < 30, "{} commands", changes.len());
        let mut held = memory(&old.commands());
        held.extend(memory(&changes));
        let wanted = memory(&new.commands());
        assert!(wanted.iter().all(|(key, data)| held[key] == *data));
        // Nothing is left of what is gone but patterns that nothing leads to.
        let left = held.iter().filter(|(key, _)| !wanted.contains_key(key));
        assert!(
            left.into_iter()
                .all(|(key, data)| { key.0 == Opcode::WritePattern as u8 || *data == Line::default() })
        );
    }

    #[test]
    fn what_fits_is_placed_and_the_rest_is_named() {
        let mut many = texts(0, 900);
        many.extend((0..20).filter_map(|_| Pattern::new(b"alike", false, &LAB.payload)));
        let (tables, refused) = Tables::fit(&LAB, secret(6), &many, None);
        let refused: Vec<usize> = refused.into_iter().map(|(place, _)| place).collect();
        assert!(tables.stored().count() > 400 && tables.windows() <= tables.windows_max());
        // What is not refused is found.
        for (place, pattern) in many.iter().enumerate().filter(|(place, _)| !refused.contains(place)) {
            assert!(tables.compared(pattern.class, pattern.window()) > Some(0), "{place}");
            assert!(tables.stored().any(|(_, stored)| stored == place));
        }
    }
}

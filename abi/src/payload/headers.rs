//! Header lists: with which packets a pattern is reported.
//!
//! Rules that ask for a pattern ask for a header too. A pattern on the card names a *header list*: a few conditions on
//! addresses, ports, protocol, class and `aux`. The card reports the pattern for packets that satisfy one of them, and
//! for no others. A list may let more packets through than the rules do, never fewer: who reads the verdict goes by the rules.
//! List 0 is no list: its patterns are reported for every packet.

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

use crate::bits::Line;
use crate::command::{Command, Opcode};
use crate::entry::{DST_SHIFT, Entry, ID, KIND, Kind, NARROW_BITS, PROTO, SRC_SHIFT};
use crate::geometry::{Geometry, PayloadSizes};

/// Lowest bit of a narrow slot ([`crate::entry`]) that a header has: all but `id` and `kind`.
pub const HEADER_LSB: usize = PROTO.lsb;
/// Bits of a header.
pub const HEADER_BITS: usize = NARROW_BITS - HEADER_LSB;
/// Bits of half a header, which is what one command writes.
pub const HEADER_HALF_BITS: usize = HEADER_BITS / 2;
/// The list that lets every packet through. It is never written.
pub const NO_LIST: u16 = 0;

const HEADER_BYTES: usize = HEADER_BITS / 8;
const HALF_BYTES: usize = HEADER_HALF_BITS / 8;
const LSB_BYTES: usize = HEADER_LSB / 8;

const _: () = assert!(8 * 2 * HALF_BYTES == HEADER_BITS && 8 * LSB_BYTES == HEADER_LSB);

/// Bits of the number of a header list beside a stored pattern: whole bytes.
pub const fn header_list_bits(sizes: &PayloadSizes) -> usize {
    (sizes.header_lists_log2 as usize).next_multiple_of(8)
}

/// One condition of a header list: a narrow slot from bit [`HEADER_LSB`] up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Header([u8; HEADER_BYTES]);

impl Header {
    /// The condition of an entry; `None` where an address is no prefix of at most 32 bits.
    pub fn of(entry: &Entry) -> Option<Self> {
        entry.to_narrow().map(|slot| Self::from_slot(&slot))
    }

    /// One that no packet satisfies: its shifts are out of range.
    pub fn none() -> Self {
        let slot = Line::default().with(SRC_SHIFT, SRC_SHIFT.max()).with(DST_SHIFT, DST_SHIFT.max());
        Self::from_slot(&slot)
    }

    fn from_slot(slot: &Line) -> Self {
        let mut bytes = [0; HEADER_BYTES];
        bytes.copy_from_slice(&slot.0[LSB_BYTES..][..HEADER_BYTES]);
        Self(bytes)
    }

    /// It as a narrow slot of a signature header with number 0.
    pub fn to_slot(&self) -> Line {
        let mut slot = Line::default();
        slot.0[LSB_BYTES..][..HEADER_BYTES].copy_from_slice(&self.0);
        slot.with(ID, 0).with(KIND, Kind::Signature as u128)
    }

    /// Whether a header vector satisfies it.
    pub fn matches(&self, vector: &Line) -> bool {
        Entry::from_slot(&self.to_slot(), true).is_some_and(|entry| entry.matches(vector))
    }

    /// The data of the commands that write it: low half, high half.
    fn halves(&self) -> [Line; 2] {
        [0, HALF_BYTES].map(|from| {
            let mut data = Line::default();
            data.0[..HALF_BYTES].copy_from_slice(&self.0[from..][..HALF_BYTES]);
            data
        })
    }
}

/// The header lists of a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderLists {
    geometry: &'static Geometry,
    /// By number; that of [`NO_LIST`] stays empty.
    lists: Vec<Option<Vec<Header>>>,
}

impl HeaderLists {
    /// None at all.
    pub fn empty(geometry: &'static Geometry) -> Self {
        Self { geometry, lists: vec![None; 1 << geometry.payload.header_lists_log2] }
    }

    /// The lists `wanted`, and the number of each: [`NO_LIST`] where it has more headers than a list holds, where it has
    /// none, or where there is no room. A list that `self` has keeps its number, and no other takes one that `self`
    /// uses as long as there are others.
    pub fn next(&self, wanted: &[Vec<Header>]) -> (Self, Vec<u16>) {
        let held = |list: &Option<Vec<Header>>, number| list.clone().map(|list| (list, number));
        let before: BTreeMap<Vec<Header>, u16> =
            (0..).zip(&self.lists).filter_map(|(number, list)| held(list, number)).collect();
        let fits = |list: &&Vec<Header>| (1..=self.geometry.payload.headers_a_list).contains(&list.len());
        let mut next = Self::empty(self.geometry);
        for list in wanted.iter().filter(fits) {
            if let Some(&number) = before.get(list) {
                next.lists[usize::from(number)] = Some(list.clone());
            }
        }
        let is_free = |number: &usize| *number != usize::from(NO_LIST) && next.lists[*number].is_none();
        let (fresh, used): (Vec<usize>, Vec<usize>) =
            (0..next.lists.len()).filter(is_free).partition(|number| self.lists[*number].is_none());
        let mut free = fresh.into_iter().chain(used);
        let mut numbers: BTreeMap<&Vec<Header>, u16> = BTreeMap::new();
        for list in wanted.iter().filter(fits) {
            let number = match before.get(list) {
                Some(&number) => number,
                None if numbers.contains_key(list) => continue,
                None => match free.next() {
                    Some(number) => {
                        next.lists[number] = Some(list.clone());
                        number as u16
                    }
                    None => NO_LIST,
                },
            };
            numbers.insert(list, number);
        }
        let number_of = |list: &Vec<Header>| numbers.get(list).copied().unwrap_or(NO_LIST);
        let given = wanted.iter().map(number_of).collect();
        (next, given)
    }

    /// Lists in use.
    pub fn used(&self) -> usize {
        self.lists.iter().flatten().count()
    }

    /// Lists that there is room for.
    pub fn room(&self) -> usize {
        self.lists.len() - 1
    }

    /// The commands that make these lists of those `before`. A list that goes is left as it is.
    ///
    /// A number may be in use before and after with another list: packets between these commands and those that say
    /// which list a pattern has are judged by neither set.
    pub fn changes(&self, before: &Self) -> Vec<Command> {
        let mut commands = Vec::new();
        for (number, (list, old)) in self.lists.iter().zip(&before.lists).enumerate() {
            let Some(list) = list.as_ref().filter(|list| old.as_ref() != Some(list)) else { continue };
            let unused = core::iter::repeat(Header::none());
            let headers = list.iter().copied().chain(unused).take(self.geometry.payload.headers_a_list);
            let halves = headers.flat_map(|header| header.halves());
            commands.extend((0..).zip(halves).map(|(slot, data)| Command {
                slot,
                data,
                ..Command::new(Opcode::WriteHeader, number as u16)
            }));
        }
        commands
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Ternary;
    use crate::geometry::{LAB, LINE};
    use crate::vector;

    fn entry(dport: u16) -> Entry {
        Entry {
            kind: Kind::Signature,
            id: 77,
            src: Ternary::default(),
            dst: Ternary { value: 10 << 120, mask: 0xff << 120 },
            sport: (0, u16::MAX),
            dport: (dport, dport),
            proto: Ternary { value: 6, mask: 0xff },
            class: Ternary::default(),
            aux: Ternary::default(),
        }
    }

    fn list(dport: u16) -> Vec<Header> {
        Header::of(&entry(dport)).into_iter().collect()
    }

    #[test]
    fn a_header_asks_what_its_entry_asks() {
        let header = list(80)[0];
        let vector =
            Line::default().with(vector::DST, 10 << 120 | 5).with(vector::DPORT, 80).with(vector::PROTO, 6);
        assert!(header.matches(&vector) && !header.matches(&vector.with(vector::DPORT, 81)));
        assert!(!header.matches(&vector.with(vector::DST, 11 << 120)));
        assert!(!Header::none().matches(&vector) && !Header::none().matches(&Line::default()));
        let long = Entry { src: Ternary { value: 0, mask: u128::MAX << 64 }, ..entry(80) };
        assert_eq!(Header::of(&long), None);
    }

    #[test]
    fn lists_that_stay_keep_their_numbers_and_equal_ones_share_one() {
        let empty = HeaderLists::empty(&LAB);
        let (first, numbers) = empty.next(&[list(1), list(2), list(1), Vec::new()]);
        assert_eq!((numbers, first.used(), first.room()), (vec![1, 2, 1, NO_LIST], 2, 255));
        let (second, numbers) = first.next(&[list(2), list(3)]);
        assert_eq!(numbers, [2, 3]);
        let too_long: Vec<Header> = (0..5).flat_map(list).collect();
        assert_eq!(second.next(&[too_long]).1, [NO_LIST]);
        // A list of one header: all its halves are written, and nothing of what stayed.
        let changes = second.changes(&first);
        assert_eq!(changes.len(), 2 * LAB.payload.headers_a_list);
        assert!(changes.iter().all(|command| command.index == 3));
        assert!(changes.iter().all(|c| Command::from_line(&c.to_line(), &LAB) == Ok(*c)));
        let (wide, _) = HeaderLists::empty(&LINE).next(&[list(4)]);
        assert_eq!(wide.changes(&HeaderLists::empty(&LINE)).len(), 2 * LINE.payload.headers_a_list);
    }

    #[test]
    fn where_there_is_no_room_every_packet_is_let_through() {
        let many: Vec<Vec<Header>> = (0..300).map(list).collect();
        let (lists, numbers) = HeaderLists::empty(&LAB).next(&many);
        assert_eq!(lists.used(), lists.room());
        assert_eq!(numbers.iter().filter(|number| **number == NO_LIST).count(), 300 - lists.room());
        // What comes takes the numbers of what goes where there are no others.
        let others: Vec<Vec<Header>> = (500..800).map(list).collect();
        let (next, numbers) = lists.next(&others);
        assert_eq!(next.used(), next.room());
        assert!(numbers.iter().filter(|number| **number != NO_LIST).count() == next.room());
    }
}

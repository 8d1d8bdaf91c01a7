//! Short patterns: those of one or two bytes, and which of them are in a packet.
//!
//! Bytes this few are in nearly every packet, so naming where each was found would cost more than all other patterns
//! together. Each short pattern has a *presence bit* instead: the card sets it when the pattern is anywhere in the packet, and
//! the bits stand in a record of their own behind the verdict ([`crate::c2h::PresenceRecord`]).
//!
//! For every value of a byte the card has a row of two sets: the patterns that it may begin and those that it may end. A
//! pattern is at a byte that is in its second set where the byte before is in its first one. A pattern of one byte has all bytes in
//! its first set, so it is not seen in the first byte of a packet, which is no payload.

use alloc::vec;
use alloc::vec::Vec;

use crate::bits::Line;
use crate::command::{Command, Opcode};
use crate::geometry::Geometry;

/// Values of a byte.
pub const OCTETS: usize = 256;
/// Bytes of a short pattern at most.
pub const SHORT_BYTES_MAX: usize = 2;

/// A pattern of one or two bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ShortPattern {
    /// The byte in front of the last one, if there is one.
    first: Option<u8>,
    last: u8,
    nocase: bool,
}

impl ShortPattern {
    /// The pattern of these bytes; `None` where there is none of them, or more than [`SHORT_BYTES_MAX`].
    pub fn new(bytes: &[u8], nocase: bool) -> Option<Self> {
        match *bytes {
            [last] => Some(Self { first: None, last, nocase }),
            [first, last] => Some(Self { first: Some(first), last, nocase }),
            _ => None,
        }
    }

    fn is(&self, own: u8, byte: u8) -> bool {
        own == byte || self.nocase && own.eq_ignore_ascii_case(&byte)
    }

    /// Whether a byte may stand in front of the last one.
    pub fn begins_with(&self, byte: u8) -> bool {
        self.first.is_none_or(|own| self.is(own, byte))
    }

    /// Whether a byte may be the last one.
    pub fn ends_with(&self, byte: u8) -> bool {
        self.is(self.last, byte)
    }
}

/// The short patterns of a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShortPatterns {
    geometry: &'static Geometry,
    /// By presence bit.
    patterns: Vec<Option<ShortPattern>>,
}

impl ShortPatterns {
    /// None at all.
    pub fn empty(geometry: &'static Geometry) -> Self {
        Self { geometry, patterns: vec![None; geometry.payload.short_patterns] }
    }

    /// The patterns `wanted`, and the presence bit of each; `None` where there is no room. Equal ones share a bit, and
    /// one that `self` has keeps its own.
    pub fn next(&self, wanted: &[ShortPattern]) -> (Self, Vec<Option<u16>>) {
        let mut next = Self::empty(self.geometry);
        for (place, own) in next.patterns.iter_mut().zip(&self.patterns) {
            *place = own.filter(|own| wanted.contains(own));
        }
        let bits = wanted.iter().map(|pattern| {
            let is = |place: &Option<ShortPattern>| place.as_ref() == Some(pattern);
            let held = next.patterns.iter().position(is);
            let bit = held.or_else(|| next.patterns.iter().position(Option::is_none))?;
            next.patterns[bit] = Some(*pattern);
            Some(bit as u16)
        });
        let bits = bits.collect();
        (next, bits)
    }

    /// Patterns that there are.
    pub fn used(&self) -> usize {
        self.patterns.iter().flatten().count()
    }

    /// Patterns that there is room for.
    pub fn room(&self) -> usize {
        self.patterns.len()
    }

    /// The row of a byte: a bit for each pattern that it may begin, then one for each that it may end.
    fn row(&self, byte: u8) -> Line {
        let mut row = Line::default();
        let mut set = |bit: usize| row.0[bit / 8] |= 1 << (bit % 8);
        for (bit, pattern) in self.patterns.iter().enumerate() {
            let Some(pattern) = pattern else { continue };
            if pattern.begins_with(byte) {
                set(bit);
            }
            if pattern.ends_with(byte) {
                set(self.patterns.len() + bit);
            }
        }
        row
    }

    /// The commands that make these patterns of those `before`: one for each byte whose row is another.
    pub fn changes(&self, before: &Self) -> Vec<Command> {
        let rows = (0..=u8::MAX).map(|byte| (byte, self.row(byte), before.row(byte)));
        let changed = rows.filter(|(_, row, old)| row != old);
        changed
            .map(|(byte, data, _)| Command { data, ..Command::new(Opcode::WriteShort, byte.into()) })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{LAB, LINE};

    fn pattern(bytes: &[u8], nocase: bool) -> ShortPattern {
        match ShortPattern::new(bytes, nocase) {
            Some(pattern) => pattern,
            None => panic!("{bytes:?}"),
        }
    }

    #[test]
    fn a_pattern_is_where_both_its_bytes_are() {
        assert_eq!(ShortPattern::new(b"", false), None);
        assert_eq!(ShortPattern::new(b"abc", false), None);
        let exact = pattern(b"a1", false);
        assert!(exact.begins_with(b'a') && !exact.begins_with(b'A') && exact.ends_with(b'1'));
        let folded = pattern(b"aB", true);
        assert!(folded.begins_with(b'A') && folded.ends_with(b'b') && !folded.ends_with(b'\x22'));
        let one = pattern(b"@", true);
        assert!((0..=255).all(|byte| one.begins_with(byte)));
        assert!(one.ends_with(b'@') && !one.ends_with(b'`'));
    }

    #[test]
    fn what_stays_keeps_its_bit_and_what_finds_no_room_has_none() {
        let all: Vec<ShortPattern> = (0..9).map(|n| pattern(&[n, n + 1], false)).collect();
        let (first, bits) = ShortPatterns::empty(&LAB).next(&all);
        let mut expected: Vec<Option<u16>> = (0..8).map(Some).collect();
        expected.push(None);
        assert_eq!((bits, first.used(), first.room()), (expected, 8, 8));
        let (second, bits) = first.next(&[all[5], all[8], all[8]]);
        assert_eq!((bits, second.used()), (vec![Some(5), Some(0), Some(0)], 2));
        // Rows of the bytes of what went and of what came.
        let changed: Vec<u16> = second.changes(&first).iter().map(|command| command.index).collect();
        assert_eq!(changed, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    }

    #[test]
    fn a_row_says_what_a_byte_begins_and_ends() {
        let (patterns, _) = ShortPatterns::empty(&LINE).next(&[pattern(b"ab", false), pattern(b"b", false)]);
        let changes = patterns.changes(&ShortPatterns::empty(&LINE));
        assert_eq!(changes.len(), OCTETS);
        for command in changes {
            assert_eq!(Command::from_line(&command.to_line(), &LINE), Ok(command));
            let begins = u8::from(command.index == b'a'.into()) | 2;
            let ends = if command.index == b'b'.into() { 3 } else { 0 };
            assert_eq!((command.data.0[0], command.data.0[12]), (begins, ends));
        }
    }
}

//! The patterns that the card seeks in every packet, and the tables in which they lie.
//!
//! A pattern is found by a *window* of it: 8, 4 or 3 bytes side by side, chosen by the compiler. At every byte
//! of a packet the card hashes the three windows that end there and looks the hashes up in the *filter* (bitmaps).
//! What survives is looked up in the *window index*, which leads to the patterns with that window; these are
//! compared with the packet, byte by byte, in a *region* around the window. A pattern that is there is reported where the
//! packet satisfies its *header list* ([`headers`]). Patterns of one or two bytes have no window: each has a bit that
//! says whether it is in the packet ([`short`]). The whole is told in `docs/payload-matcher.md`.
//!
//! The hash of a window is the cyclic polynomial of Cohen (1997): each byte, folded ([`fold`]), gives a linear
//! function of its bits (eight secret rows), rotated by its distance from the end of the window, and all are added.
//! For random rows it is universal on any `hash_bits - 7` neighbouring bits (Lemire and Kaser, "Recursive n-gram
//! hashing is pairwise independent, at best", 2010), so without the secret nobody can aim at a word.

use alloc::vec::Vec;

use crate::bits::{Field, LINE_BYTES, Line};
use crate::command::{Command, Opcode};
use crate::geometry::{Geometry, PayloadSizes, WAYS};

pub mod headers;
pub mod short;
mod tables;

pub use tables::{PlaceError, Tables};

/// Rows of the secret: one for each bit of a byte.
pub const SECRET_ROWS: usize = 8;
/// Patterns that share a window at most.
pub const CHAIN_MAX: usize = 16;

/// Elements in the matcher, and lines of beats in its queue, beyond which it drops what it has not compared yet: all that waits
/// can be let out before the credits are at an end, so that it never holds the stream up.
pub const fn backlog_max(geometry: &Geometry) -> usize {
    geometry.packets_in_flight * 11 / 16
}

/// Length of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Class {
    /// 8 bytes.
    Eight = 0,
    /// 4 bytes.
    Four = 1,
    /// 3 bytes.
    Three = 2,
}

/// Every class in order of its number.
pub const CLASSES: [Class; 3] = [Class::Eight, Class::Four, Class::Three];

impl Class {
    /// Bytes of the window.
    pub const fn bytes(self) -> usize {
        match self {
            Self::Eight => 8,
            Self::Four => 4,
            Self::Three => 3,
        }
    }

    /// The longest class of window that a pattern of that many bytes has; `None` below 3 bytes.
    pub fn of(bytes: usize) -> Option<Self> {
        CLASSES.into_iter().find(|class| class.bytes() <= bytes)
    }
}

/// The byte as windows are hashed: bytes 0x40 to 0x5f are taken for 0x60 to 0x7f, so letters of both cases are one.
pub const fn fold(byte: u8) -> u8 {
    if byte & 0xc0 == 0x40 { byte | 0x20 } else { byte }
}

/// Secret of the hash of windows: row `n` counts where bit `n` of a byte is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Secret(pub [u64; SECRET_ROWS]);

impl Secret {
    /// Hash of a window, `hash_bits` bits (at most 63).
    pub fn hash(&self, window: &[u8], hash_bits: usize) -> u64 {
        let mask = (1u64 << hash_bits) - 1;
        window.iter().fold(0, |hash, byte| {
            let rotated = (hash << 1 | hash >> (hash_bits - 1)) & mask;
            let rows = (0..SECRET_ROWS).filter(|bit| fold(*byte) >> bit & 1 == 1);
            rows.fold(rotated, |hash, bit| hash ^ self.0[bit]) & mask
        })
    }
}

/// Where the filter memory `memory` is asked for a hash: its word, and the two bits there that are both set for
/// the window of a pattern (they may be one).
pub fn probe(hash: u64, memory: usize, sizes: &PayloadSizes) -> (usize, [u32; 2]) {
    // Each memory of the long windows has bits of its own; the short classes take the lowest.
    let from = if memory < sizes.long_memories { memory * sizes.probe_bits() } else { 0 };
    let bits = |lsb: u32, count: u32| hash >> from >> lsb & ((1 << count) - 1);
    let (words, word) = (sizes.filter_words_log2, sizes.filter_word_log2);
    (bits(0, words) as usize, [bits(words, word) as u32, bits(words + word, word) as u32])
}

/// The filter memories that windows of a class are sought in.
pub fn memories(class: Class, sizes: &PayloadSizes) -> core::ops::Range<usize> {
    match class {
        Class::Eight => 0..sizes.long_memories,
        Class::Four => sizes.long_memories..sizes.long_memories + 1,
        Class::Three => sizes.long_memories + 1..sizes.long_memories + 2,
    }
}

/// A bucket of the window index is in use.
pub const USED: Field = Field::new("used", 0, 1);
/// [`Class`] of the window.
pub const CLASS: Field = USED.then("class", 2);
/// Bits of the hash behind those of both ways.
pub const TAG: Field = CLASS.then("tag", 14);
/// Number of the first pattern with that window.
pub const FIRST: Field = TAG.then("first", 15);
/// Patterns behind it that have the same window.
pub const MORE: Field = FIRST.then("more", 4);
/// Every field of a bucket of the window index.
pub const INDEX_FIELDS: [Field; 5] = [USED, CLASS, TAG, FIRST, MORE];
/// Bits of a bucket of the window index.
pub const INDEX_BITS: usize = MORE.end();

/// What a bucket of the window index holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexSlot {
    /// Length of the window.
    pub class: Class,
    /// Bits of its hash.
    pub tag: u16,
    /// First pattern that has it.
    pub first: u16,
    /// Patterns behind that, at most [`CHAIN_MAX`] - 1.
    pub more: u8,
}

impl IndexSlot {
    /// The data of its command.
    pub fn to_data(&self) -> Line {
        Line::default()
            .with(USED, 1)
            .with(CLASS, self.class as u128)
            .with(TAG, self.tag.into())
            .with(FIRST, self.first.into())
            .with(MORE, self.more.into())
    }
}

/// Bucket of each way, and the tag, of a hash.
pub fn place(hash: u64, sizes: &PayloadSizes) -> ([usize; WAYS], u16) {
    let bits = sizes.window_buckets_log2;
    let bucket = |way: u32| (hash >> (way * bits)) as usize & ((1 << bits) - 1);
    ([bucket(0), bucket(1)], (hash >> (2 * bits)) as u16 & TAG.max() as u16)
}

/// Whether a byte of the region is compared, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Mode {
    /// Not at all.
    Any = 0,
    /// Every bit.
    Exact = 1,
    /// Every bit but 0x20.
    NoCase = 2,
}

/// Bits of a [`Mode`].
pub const MODE_BITS: usize = 2;

/// A pattern and the window by which it is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Letters of either case are alike.
    pub nocase: bool,
    /// Length of the window.
    pub class: Class,
    /// Bytes of the pattern up to the end of the window.
    pub window_end: usize,
}

impl Pattern {
    /// A pattern with the window that leaves as little of it as can be outside of the region; `None` below 3 bytes.
    pub fn new(bytes: &[u8], nocase: bool, sizes: &PayloadSizes) -> Option<Self> {
        let window_end = bytes.len().min(sizes.region_bytes - sizes.region_after);
        Some(Self { bytes: bytes.to_vec(), nocase, class: Class::of(bytes.len())?, window_end })
    }

    /// The bytes of the window.
    ///
    /// # Panics
    /// Where the window does not lie inside the pattern.
    pub fn window(&self) -> &[u8] {
        &self.bytes[self.window_end - self.class.bytes()..self.window_end]
    }

    /// What each byte of the region is compared with, and how. Byte `region_bytes - region_after - 1` is the last
    /// of the window; what of the pattern lies outside of the region is not compared.
    pub fn region(&self, sizes: &PayloadSizes) -> Vec<(u8, Mode)> {
        let inside = sizes.region_bytes - sizes.region_after;
        (0..sizes.region_bytes)
            .map(|at| {
                let byte = (at + self.window_end).checked_sub(inside).and_then(|n| self.bytes.get(n));
                let mode = match byte {
                    None => Mode::Any,
                    Some(byte) if self.nocase && byte.is_ascii_alphabetic() => Mode::NoCase,
                    Some(_) => Mode::Exact,
                };
                (byte.copied().unwrap_or(0), mode)
            })
            .collect()
    }

    /// Whether the region holds the whole pattern, so that a hit of the card is one.
    pub fn is_whole(&self, sizes: &PayloadSizes) -> bool {
        self.window_end <= sizes.region_bytes - sizes.region_after
            && self.bytes.len() - self.window_end <= sizes.region_after
    }

    /// The data of its command: the bytes of the region, [`MODE_BITS`] bits of [`Mode`] for each, and the number of
    /// the header list.
    pub fn to_data(&self, sizes: &PayloadSizes, header_list: u16) -> Line {
        let mut data = Line::default();
        for (at, (byte, mode)) in self.region(sizes).into_iter().enumerate() {
            data.0[at] = byte;
            let bit = at * MODE_BITS;
            data.0[sizes.region_bytes + bit / 8] |= (mode as u8) << (bit % 8);
        }
        data.with(header_list_field(sizes), header_list.into())
    }
}

/// Where the number of the header list stands in a stored pattern.
pub const fn header_list_field(sizes: &PayloadSizes) -> Field {
    Field::new("header_list", sizes.region_bytes * (8 + MODE_BITS), headers::header_list_bits(sizes))
}

/// Bits of a stored pattern.
pub const fn pattern_bits(sizes: &PayloadSizes) -> usize {
    header_list_field(sizes).end()
}

const _: () = {
    let mut n = 0;
    while n < crate::geometry::ALL.len() {
        let g: &Geometry = crate::geometry::ALL[n];
        let p = &g.payload;
        assert!(p.hash_bits < 64 && p.filter_word_log2 <= 6);
        assert!(p.long_memories * p.probe_bits() <= p.hash_bits);
        // Long windows are found by bits that are independent of each other (see the head of this module).
        assert!(p.filter_words_log2 as usize <= p.hash_bits - 7);
        assert!(WAYS * p.window_buckets_log2 as usize + TAG.bits <= p.hash_bits);
        assert!(p.patterns_log2 as usize <= FIRST.bits && p.window_buckets_log2 <= 16);
        assert!(pattern_bits(p) <= crate::command::DATA_BITS && headers::header_list_bits(p) <= 16);
        assert!(headers::HEADER_HALF_BITS <= pattern_bits(p));
        assert!(p.short_patterns <= crate::c2h::PRESENCE_BITS);
        assert!(2 * p.short_patterns <= crate::command::DATA_BITS);
        // A region touches two beats, and reaches into the next beat at most.
        assert!(p.region_bytes <= g.beat_bytes && p.region_after <= g.beat_bytes);
        assert!(p.region_bytes - p.region_after >= Class::Eight.bytes());
        n += 1;
    }
    assert!(INDEX_BITS == 36 && CHAIN_MAX == 1 << MORE.bits);
};

/// The command that writes a row of the secret.
fn secret_row(row: usize, bits: u64) -> Command {
    let mut command = Command::new(Opcode::WriteWindowSecret, row as u16);
    command.data.0[..8].copy_from_slice(&bits.to_le_bytes());
    command
}

const _: () = assert!(LINE_BYTES >= 8);

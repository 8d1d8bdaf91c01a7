//! The loops in plain Rust.

use super::super::filter::{Gram, Long, Medium};
use super::super::scratch::Survivors;
use super::super::short::{BLOCK, BLOCK_BYTES, ByteSet, PAIR_WORDS, place_of};

/// See [`super::fold`].
pub fn fold(payload: &[u8], folded: &mut [u8]) {
    for (folded, byte) in folded.iter_mut().zip(payload) {
        *folded = byte.to_ascii_lowercase();
    }
}

/// See [`super::scan`].
pub fn scan(long: &Long, medium: &Medium, text: &[u8], count: usize, survivors: &mut Survivors) {
    for (block, survivors) in (0..count).step_by(BLOCK).zip(survivors) {
        *survivors = (0..16).fold(0, |bits, lane| {
            let even = gram(text, block + 4 * lane);
            let odd = gram(text, block + 4 * lane + 2);
            let passes = [long.passes(even), medium.passes(even), medium.passes(odd)];
            passes
                .iter()
                .enumerate()
                .fold(bits, |bits, (group, passes)| bits | u64::from(*passes) << (16 * group + lane))
        });
    }
}

fn gram(text: &[u8], place: usize) -> Gram {
    text[place..].first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

/// See [`super::singles`].
pub fn singles(wanted: &ByteSet, block: &[u8; BLOCK]) -> u64 {
    block.iter().enumerate().fold(0, |hits, (place, byte)| hits | u64::from(wanted.has(*byte)) << place)
}

/// See [`super::pairs`].
pub fn pairs(wanted: &[u32; PAIR_WORDS], block: &[u8; BLOCK_BYTES]) -> u64 {
    (0..BLOCK).fold(0, |hits, bit| {
        let place = place_of(bit);
        let pair = u16::from_le_bytes([block[place], block[place + 1]]);
        hits | u64::from(wanted[usize::from(pair / 32)] >> (pair % 32) & 1) << bit
    })
}

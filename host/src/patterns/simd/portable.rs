//! The loops in plain Rust.

use super::super::filter::{Gram, Long, Medium};
use super::super::short::{BLOCK, BLOCK_BYTES, ByteSet, PAIR_WORDS, place_of};
use super::super::survivors::{LANES, Places, Survivors, asked};

/// See [`super::fold`].
pub fn fold(payload: &[u8], folded: &mut [u8]) {
    for (folded, byte) in folded.iter_mut().zip(payload) {
        *folded = byte.to_ascii_lowercase();
    }
}

/// See [`super::scan`].
pub fn scan(long: &Long, medium: &Medium, text: &[u8], count: usize, survivors: &mut Survivors) {
    for block in (0..count).step_by(BLOCK) {
        let asked = asked(count - block);
        for lane in 0..LANES {
            let place = block + 4 * lane;
            let (even, odd) = (gram(text, place), gram(text, place + 2));
            let asked = asked.map(|lanes| lanes >> lane & 1 != 0);
            push(&mut survivors.long, place, asked[0] & long.passes(even));
            push(&mut survivors.medium, place, asked[1] & medium.passes(even));
            push(&mut survivors.medium, place + 2, asked[2] & medium.passes(odd));
        }
    }
}

/// Adds a place where it passed.
#[inline]
fn push(places: &mut Places, place: usize, passed: bool) {
    places.next()[0] = place as u32;
    places.add(usize::from(passed));
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

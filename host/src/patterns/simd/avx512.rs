//! The loops with AVX-512: sixteen grams at once, 64 bytes at once.

use std::arch::x86_64::*;

use super::super::filter::{Long, MEDIUM_FROM, MEDIUM_INDEXED, Medium};
use super::super::short::{BLOCK, BLOCK_BYTES, ByteSet, PAIR_WORDS};
use super::super::survivors::{LANES, Places, Survivors, asked};

/// See [`super::fold`].
#[target_feature(enable = "avx512f,avx512bw")]
pub fn fold(payload: &[u8], folded: &mut [u8]) {
    for (payload, folded) in payload.chunks(BLOCK).zip(folded.chunks_mut(BLOCK)) {
        let there = u64::MAX >> (BLOCK - payload.len().min(folded.len()));
        // SAFETY: no more bytes are read than the chunk has.
        let bytes = unsafe { _mm512_maskz_loadu_epi8(there, payload.as_ptr().cast()) };
        let from_a = _mm512_sub_epi8(bytes, _mm512_set1_epi8(b'A' as i8));
        let capitals = _mm512_cmplt_epu8_mask(from_a, _mm512_set1_epi8(26));
        let lower = _mm512_mask_add_epi8(bytes, capitals, bytes, _mm512_set1_epi8(0x20));
        // SAFETY: no more bytes are written than the chunk has.
        unsafe { _mm512_mask_storeu_epi8(folded.as_mut_ptr().cast(), there, lower) };
    }
}

/// See [`super::scan`].
#[target_feature(enable = "avx512f,avx512bw,popcnt")]
pub fn scan(long: &Long, medium: &Medium, text: &[u8], count: usize, survivors: &mut Survivors) {
    debug_assert_eq!(long.words.len() as u64, 1 << (32 - long.shift));
    debug_assert_eq!(medium.words.len() as u64, 1 << (32 - medium.shift));
    let (bit, lane) = (load(&BIT), load(&LANE));
    for block in (0..count).step_by(BLOCK) {
        let asked = asked(count - block);
        let places = _mm512_add_epi32(lane, broadcast(block as u32));
        let even = grams(text, block);
        let product = _mm512_mullo_epi32(even, broadcast(long.index));
        let index = _mm512_srlv_epi32(product, broadcast(long.shift));
        // SAFETY: a word shifted right by `shift` is below `1 << (32 - shift)`, the number of words that the filter
        // was built with.
        let words = unsafe { _mm512_i32gather_epi32::<4>(index, long.words.as_ptr().cast()) };
        push(&mut survivors.long, places, asked[0] & has(words, bits::<0, 24>(even, bit)));
        for (odd, grams) in [(0, even), (1, grams(text, block + 2))] {
            let indexed = _mm512_and_si512(grams, broadcast(MEDIUM_INDEXED));
            let product = _mm512_mullo_epi32(indexed, broadcast(medium.index));
            let index = _mm512_srlv_epi32(product, broadcast(medium.shift));
            // SAFETY: as above.
            let words = unsafe { _mm512_i32gather_epi32::<4>(index, medium.words.as_ptr().cast()) };
            let passed = has(words, bits::<MEDIUM_FROM, { 24 + MEDIUM_FROM }>(grams, bit));
            let places = _mm512_add_epi32(places, broadcast(2 * odd));
            push(&mut survivors.medium, places, asked[1 + odd as usize] & passed);
        }
    }
}

/// Adds the places that passed.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,popcnt")]
fn push(list: &mut Places, places: __m512i, passed: __mmask16) {
    let first = _mm512_maskz_compress_epi32(passed, places);
    let next = &mut list.next()[..LANES];
    // SAFETY: the slice has sixteen words of four bytes.
    unsafe { _mm512_storeu_si512(next.as_mut_ptr().cast(), first) };
    list.add(passed.count_ones() as usize);
}

/// Place of each lane in a block.
const LANE: [u32; LANES] = [0, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48, 52, 56, 60];

/// Words with one bit of the lower half each.
const BIT: [u32; LANES] = [
    1,
    1 << 1,
    1 << 2,
    1 << 3,
    1 << 4,
    1 << 5,
    1 << 6,
    1 << 7,
    1 << 8,
    1 << 9,
    1 << 10,
    1 << 11,
    1 << 12,
    1 << 13,
    1 << 14,
    1 << 15,
];

/// See [`super::super::filter::bits`]. (A permutation goes by the lowest four bits of a lane.)
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn bits<const FIRST: u32, const LAST: u32>(grams: __m512i, bit: __m512i) -> __m512i {
    let first = _mm512_permutexvar_epi32(_mm512_srli_epi32::<FIRST>(grams), bit);
    let last = _mm512_permutexvar_epi32(_mm512_srli_epi32::<LAST>(grams), _mm512_slli_epi32::<16>(bit));
    _mm512_or_si512(first, last)
}

/// See [`super::singles`].
#[target_feature(enable = "avx512f,avx512bw")]
pub fn singles(wanted: &ByteSet, block: &[u8; BLOCK]) -> u64 {
    // SAFETY: a block has 64 bytes.
    let bytes = unsafe { _mm512_loadu_si512(block.as_ptr().cast()) };
    let [lower, upper] = wanted.rows.map(|row| {
        // SAFETY: a row has 16 bytes.
        _mm512_broadcast_i32x4(unsafe { _mm_loadu_si128(row.as_ptr().cast()) })
    });
    // A shuffle gives zero for bytes with the highest bit set, so each row answers for its half.
    let other_half = _mm512_xor_si512(bytes, _mm512_set1_epi8(i8::MIN));
    let row = _mm512_or_si512(_mm512_shuffle_epi8(lower, bytes), _mm512_shuffle_epi8(upper, other_half));
    let high = _mm512_and_si512(_mm512_srli_epi16::<4>(bytes), _mm512_set1_epi8(7));
    let bits =
        _mm512_shuffle_epi8(_mm512_set1_epi64(i64::from_le_bytes([1, 2, 4, 8, 16, 32, 64, 128])), high);
    _mm512_test_epi8_mask(row, bits)
}

/// See [`super::pairs`].
#[target_feature(enable = "avx512f,avx512bw")]
pub fn pairs(wanted: &[u32; PAIR_WORDS], block: &[u8; BLOCK_BYTES]) -> u64 {
    let mut hits = 0;
    for behind in 0..4 {
        let pairs = _mm512_and_si512(grams(block, behind), broadcast(0xffff));
        let index = _mm512_srli_epi32::<5>(pairs);
        // SAFETY: 16 bits shifted by 5 are below 2048, the number of words.
        let words = unsafe { _mm512_i32gather_epi32::<4>(index, wanted.as_ptr().cast()) };
        let bits = _mm512_sllv_epi32(broadcast(1), _mm512_and_si512(pairs, broadcast(31)));
        hits |= u64::from(_mm512_test_epi32_mask(words, bits)) << (16 * behind);
    }
    hits
}

/// Lanes whose word has all bits.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn has(words: __m512i, bits: __m512i) -> __mmask16 {
    let missing = _mm512_andnot_si512(words, bits);
    _mm512_testn_epi32_mask(missing, missing)
}

/// Sixteen grams from a place on, four bytes apart.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn grams(text: &[u8], place: usize) -> __m512i {
    let bytes = &text[place..][..BLOCK];
    // SAFETY: the slice has 64 bytes.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn broadcast(value: u32) -> __m512i {
    _mm512_set1_epi32(value as i32)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn load(table: &[u32; LANES]) -> __m512i {
    // SAFETY: sixteen words of four bytes are 64 bytes.
    unsafe { _mm512_loadu_si512(table.as_ptr().cast()) }
}

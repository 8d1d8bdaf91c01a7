//! The loops with AVX-512: sixteen grams at once, 64 bytes at once.

use std::arch::x86_64::*;

use super::super::filter::{
    FIRST, FIRST_SHIFT, Long, Medium, SECOND, SECOND_SHIFT, THIRD, THIRD_SHIFT, TWO, Words,
};
use super::super::scratch::Survivors;
use super::super::short::{BLOCK, BLOCK_BYTES, ByteSet, PAIR_WORDS};
use super::READ_BEHIND;

/// Grams of a vector.
const LANES: usize = 16;

/// See [`super::fold`]: compilers make vectors of it.
#[target_feature(enable = "avx512f,avx512bw")]
pub fn fold(payload: &[u8], folded: &mut [u8]) {
    for (folded, byte) in folded.iter_mut().zip(payload) {
        *folded = byte.to_ascii_lowercase();
    }
}

/// See [`super::long`].
#[target_feature(enable = "avx512f,avx512bw")]
pub fn long(filter: &Long, text: &[u8], count: usize, survivors: &mut Survivors) {
    assert!(text.len() >= count + READ_BEHIND);
    let halves = broadcast(filter.halves);
    let (first, second, third) = (load(&FIRST), load(&SECOND), load(&THIRD));
    let limit = broadcast(count as u32);
    survivors.count = 0;
    for block in (0..count).step_by(BLOCK) {
        let grams = grams(text, block);
        let words = look_up(&filter.words, grams);
        let mixed = _mm512_madd_epi16(grams, halves);
        let bits = _mm512_ternarylogic_epi32::<0xfe>(
            _mm512_permutexvar_epi32(_mm512_srli_epi32::<FIRST_SHIFT>(mixed), first),
            _mm512_permutexvar_epi32(_mm512_srli_epi32::<SECOND_SHIFT>(mixed), second),
            _mm512_permutexvar_epi32(_mm512_srli_epi32::<THIRD_SHIFT>(mixed), third),
        );
        let places = places(block);
        let within = _mm512_cmplt_epu32_mask(places, limit);
        push(survivors, places, within & has(words, bits));
    }
}

/// See [`super::medium`].
#[target_feature(enable = "avx512f,avx512bw")]
pub fn medium(filter: &Medium, text: &[u8], count: usize, survivors: &mut Survivors) {
    assert!(text.len() >= count + READ_BEHIND);
    let (four, three) = (broadcast(filter.four), broadcast(filter.three));
    let (first, second, two) = (load(&FIRST), load(&SECOND), load(&TWO));
    let limit = broadcast(count as u32);
    survivors.count = 0;
    for block in (0..count).step_by(BLOCK) {
        for behind in 0..4 {
            let grams = grams(text, block + behind);
            let begin = _mm512_slli_epi32::<8>(grams);
            let words = look_up(&filter.words, begin);
            let mixed = _mm512_madd_epi16(grams, four);
            let bits_of_four = _mm512_or_si512(
                _mm512_permutexvar_epi32(_mm512_srli_epi32::<FIRST_SHIFT>(mixed), first),
                _mm512_permutexvar_epi32(_mm512_srli_epi32::<SECOND_SHIFT>(mixed), second),
            );
            let mixed = _mm512_madd_epi16(begin, three);
            let bits_of_three = _mm512_permutexvar_epi32(_mm512_srli_epi32::<SECOND_SHIFT>(mixed), two);
            let places = places(block + behind);
            let within = _mm512_cmplt_epu32_mask(places, limit);
            push(survivors, places, within & (has(words, bits_of_four) | has(words, bits_of_three)));
        }
    }
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

/// Word of each gram.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn look_up(words: &Words, grams: __m512i) -> __m512i {
    debug_assert_eq!(words.words.len() as u64, 1 << (32 - words.shift));
    let product = _mm512_mullo_epi32(grams, broadcast(words.index));
    let index = _mm512_srlv_epi32(product, broadcast(words.shift));
    // SAFETY: a word shifted right by `shift` is below `1 << (32 - shift)`, the number of words that the filter was
    // built with.
    unsafe { _mm512_i32gather_epi32::<4>(index, words.words.as_ptr().cast()) }
}

/// Lanes whose word has all bits.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn has(words: __m512i, bits: __m512i) -> __mmask16 {
    let missing = _mm512_andnot_si512(words, bits);
    _mm512_testn_epi32_mask(missing, missing)
}

/// Appends the places of the lanes that passed.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn push(survivors: &mut Survivors, places: __m512i, passed: __mmask16) {
    let room = &mut survivors.places[survivors.count..][..LANES];
    // SAFETY: there is room for sixteen words.
    unsafe { _mm512_storeu_si512(room.as_mut_ptr().cast(), _mm512_maskz_compress_epi32(passed, places)) };
    survivors.count += passed.count_ones() as usize;
}

/// Places of the grams of a vector that begins at `first`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn places(first: usize) -> __m512i {
    let lanes = _mm512_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48, 52, 56, 60);
    _mm512_add_epi32(lanes, broadcast(first as u32))
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

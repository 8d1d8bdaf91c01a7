//! The loops with AVX2: eight grams at once, 32 bytes at once.

use std::arch::x86_64::*;

use super::super::filter::{FIRST_SHIFT, Long, Medium, SECOND_SHIFT, THIRD_SHIFT, TWO, Words};
use super::super::scratch::Survivors;
use super::super::short::{BLOCK, BLOCK_BYTES, ByteSet, PAIR_WORDS};
use super::READ_BEHIND;

/// Bytes of a vector.
const VECTOR: usize = 32;

/// See [`super::fold`]: compilers make vectors of it.
#[target_feature(enable = "avx2")]
pub fn fold(payload: &[u8], folded: &mut [u8]) {
    for (folded, byte) in folded.iter_mut().zip(payload) {
        *folded = byte.to_ascii_lowercase();
    }
}

/// See [`super::long`].
#[target_feature(enable = "avx2")]
pub fn long(filter: &Long, text: &[u8], count: usize, survivors: &mut Survivors) {
    assert!(text.len() >= count + READ_BEHIND);
    let halves = broadcast(filter.halves);
    survivors.count = 0;
    for place in (0..count).step_by(VECTOR) {
        let grams = grams(text, place);
        let words = look_up(&filter.words, grams);
        let mixed = _mm256_madd_epi16(grams, halves);
        let bits = _mm256_or_si256(
            _mm256_or_si256(
                bit(_mm256_srli_epi32::<{ FIRST_SHIFT as i32 }>(mixed), 15, 0),
                bit(_mm256_srli_epi32::<{ SECOND_SHIFT as i32 }>(mixed), 7, 16),
            ),
            bit(_mm256_srli_epi32::<{ THIRD_SHIFT as i32 }>(mixed), 7, 24),
        );
        push(survivors, place, count, has(words, bits));
    }
}

/// See [`super::medium`].
#[target_feature(enable = "avx2")]
pub fn medium(filter: &Medium, text: &[u8], count: usize, survivors: &mut Survivors) {
    assert!(text.len() >= count + READ_BEHIND);
    let (four, three) = (broadcast(filter.four), broadcast(filter.three));
    survivors.count = 0;
    for from in (0..count).step_by(VECTOR) {
        for behind in 0..4 {
            let grams = grams(text, from + behind);
            let begin = _mm256_slli_epi32::<8>(grams);
            let words = look_up(&filter.words, begin);
            let mixed = _mm256_madd_epi16(grams, four);
            let bits_of_four = _mm256_or_si256(
                bit(_mm256_srli_epi32::<{ FIRST_SHIFT as i32 }>(mixed), 15, 0),
                bit(_mm256_srli_epi32::<{ SECOND_SHIFT as i32 }>(mixed), 7, 16),
            );
            let mixed = _mm256_srli_epi32::<{ SECOND_SHIFT as i32 }>(_mm256_madd_epi16(begin, three));
            let index = _mm256_and_si256(mixed, broadcast(15));
            // SAFETY: the index is below sixteen, the number of words.
            let bits_of_three = unsafe { _mm256_i32gather_epi32::<4>(TWO.as_ptr().cast(), index) };
            let passed = has(words, bits_of_four) | has(words, bits_of_three);
            push(survivors, from + behind, count, passed);
        }
    }
}

/// See [`super::singles`].
#[target_feature(enable = "avx2")]
pub fn singles(wanted: &ByteSet, block: &[u8; BLOCK]) -> u64 {
    let [lower, upper] = wanted.rows.map(|row| {
        // SAFETY: a row has 16 bytes.
        _mm256_broadcastsi128_si256(unsafe { _mm_loadu_si128(row.as_ptr().cast()) })
    });
    let mut hits = 0;
    for from in [0, VECTOR] {
        let bytes = grams(block, from);
        // A shuffle gives zero for bytes with the highest bit set, so each row answers for its half.
        let other_half = _mm256_xor_si256(bytes, _mm256_set1_epi8(i8::MIN));
        let row = _mm256_or_si256(_mm256_shuffle_epi8(lower, bytes), _mm256_shuffle_epi8(upper, other_half));
        let high = _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), _mm256_set1_epi8(7));
        let bits = _mm256_set1_epi64x(i64::from_le_bytes([1, 2, 4, 8, 16, 32, 64, 128]));
        let bit = _mm256_shuffle_epi8(bits, high);
        let wanted = _mm256_cmpeq_epi8(_mm256_and_si256(row, bit), bit);
        hits |= u64::from(_mm256_movemask_epi8(wanted) as u32) << from;
    }
    hits
}

/// See [`super::pairs`].
#[target_feature(enable = "avx2")]
pub fn pairs(wanted: &[u32; PAIR_WORDS], block: &[u8; BLOCK_BYTES]) -> u64 {
    let mut hits = 0;
    for behind in 0..4 {
        for half in 0..2 {
            let pairs = _mm256_and_si256(grams(block, VECTOR * half + behind), broadcast(0xffff));
            let index = _mm256_srli_epi32::<5>(pairs);
            // SAFETY: 16 bits shifted by 5 are below 2048, the number of words.
            let words = unsafe { _mm256_i32gather_epi32::<4>(wanted.as_ptr().cast(), index) };
            hits |= u64::from(has(words, bit(pairs, 31, 0))) << (16 * behind + 8 * half);
        }
    }
    hits
}

/// Bit `from` plus what `mask` leaves of each number.
#[inline]
#[target_feature(enable = "avx2")]
fn bit(numbers: __m256i, mask: u32, from: u32) -> __m256i {
    _mm256_sllv_epi32(broadcast(1 << from), _mm256_and_si256(numbers, broadcast(mask)))
}

/// Word of each gram.
#[inline]
#[target_feature(enable = "avx2")]
fn look_up(words: &Words, grams: __m256i) -> __m256i {
    debug_assert_eq!(words.words.len() as u64, 1 << (32 - words.shift));
    let product = _mm256_mullo_epi32(grams, broadcast(words.index));
    let index = _mm256_srlv_epi32(product, broadcast(words.shift));
    // SAFETY: a word shifted right by `shift` is below `1 << (32 - shift)`, the number of words that the filter was
    // built with.
    unsafe { _mm256_i32gather_epi32::<4>(words.words.as_ptr().cast(), index) }
}

/// Lanes whose word has all bits, one bit each.
#[inline]
#[target_feature(enable = "avx2")]
fn has(words: __m256i, bits: __m256i) -> u8 {
    let all = _mm256_cmpeq_epi32(_mm256_and_si256(words, bits), bits);
    _mm256_movemask_ps(_mm256_castsi256_ps(all)) as u8
}

/// Appends the places, below `count`, of the lanes that passed; lane 0 is at `first`.
#[inline]
#[target_feature(enable = "avx2")]
fn push(survivors: &mut Survivors, first: usize, count: usize, mut passed: u8) {
    while passed != 0 {
        let place = first + 4 * passed.trailing_zeros() as usize;
        passed &= passed - 1;
        survivors.places[survivors.count] = place as u32;
        survivors.count += usize::from(place < count);
    }
}

/// Eight grams from a place on, four bytes apart.
#[inline]
#[target_feature(enable = "avx2")]
fn grams(text: &[u8], place: usize) -> __m256i {
    let bytes = &text[place..][..VECTOR];
    // SAFETY: the slice has 32 bytes.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn broadcast(value: u32) -> __m256i {
    _mm256_set1_epi32(value as i32)
}

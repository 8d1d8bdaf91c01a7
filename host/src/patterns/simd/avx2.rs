//! The loops with AVX2: eight grams at once, 32 bytes at once.

use std::arch::x86_64::*;

use super::super::filter::{Long, MEDIUM_FROM, MEDIUM_INDEXED, Medium};
use super::super::short::{BLOCK, BLOCK_BYTES, ByteSet, PAIR_WORDS};
use super::super::survivors::{Places, Survivors, asked};

/// Bytes of a vector.
const VECTOR: usize = 32;
/// Grams of a vector.
const LANES: usize = 8;

/// See [`super::fold`]: compilers make vectors of it.
#[target_feature(enable = "avx2")]
pub fn fold(payload: &[u8], folded: &mut [u8]) {
    for (folded, byte) in folded.iter_mut().zip(payload) {
        *folded = byte.to_ascii_lowercase();
    }
}

/// See [`super::scan`].
#[target_feature(enable = "avx2,bmi1,popcnt")]
pub fn scan(long: &Long, medium: &Medium, text: &[u8], count: usize, survivors: &mut Survivors) {
    debug_assert_eq!(long.words.len() as u64, 1 << (32 - long.shift));
    debug_assert_eq!(medium.words.len() as u64, 1 << (32 - medium.shift));
    for block in (0..count).step_by(BLOCK) {
        let mut passed = [0; 3];
        for half in 0..2 {
            let even = grams(text, block + VECTOR * half);
            let product = _mm256_mullo_epi32(even, broadcast(long.index));
            let index = _mm256_srlv_epi32(product, broadcast(long.shift));
            // SAFETY: a word shifted right by `shift` is below `1 << (32 - shift)`, the number of words that the
            // filter was built with.
            let words = unsafe { _mm256_i32gather_epi32::<4>(long.words.as_ptr().cast(), index) };
            passed[0] |= u16::from(has(words, bits::<0, 24>(even))) << (LANES * half);
            for (group, grams) in [(1, even), (2, grams(text, block + VECTOR * half + 2))] {
                let indexed = _mm256_and_si256(grams, broadcast(MEDIUM_INDEXED));
                let product = _mm256_mullo_epi32(indexed, broadcast(medium.index));
                let index = _mm256_srlv_epi32(product, broadcast(medium.shift));
                // SAFETY: as above.
                let words = unsafe { _mm256_i32gather_epi32::<4>(medium.words.as_ptr().cast(), index) };
                let bits = bits::<{ MEDIUM_FROM as i32 }, { 24 + MEDIUM_FROM as i32 }>(grams);
                passed[group] |= u16::from(has(words, bits)) << (LANES * half);
            }
        }
        let asked = asked(count - block);
        push(&mut survivors.long, block, passed[0] & asked[0]);
        push(&mut survivors.medium, block, passed[1] & asked[1]);
        push(&mut survivors.medium, block + 2, passed[2] & asked[2]);
    }
}

/// Adds the places that passed: every fourth one from a place on. Four are written whether there are as many or not.
#[inline]
#[target_feature(enable = "avx2,bmi1,popcnt")]
fn push(list: &mut Places, from: usize, passed: u16) {
    let (mut bits, count) = (u32::from(passed), passed.count_ones() as usize);
    let mut place = |place: &mut u32| {
        *place = from as u32 + 4 * bits.trailing_zeros();
        bits &= bits.wrapping_sub(1);
    };
    let next = list.next();
    next[..4].iter_mut().for_each(&mut place);
    if count > 4 {
        next[4..count].iter_mut().for_each(place);
    }
    list.add(count);
}

/// See [`super::super::filter::bits`].
#[inline]
#[target_feature(enable = "avx2")]
fn bits<const FIRST: i32, const LAST: i32>(grams: __m256i) -> __m256i {
    let first = bit(_mm256_srli_epi32::<FIRST>(grams), 15, 0);
    _mm256_or_si256(first, bit(_mm256_srli_epi32::<LAST>(grams), 15, 16))
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

/// Lanes whose word has all bits, one bit each.
#[inline]
#[target_feature(enable = "avx2")]
fn has(words: __m256i, bits: __m256i) -> u8 {
    let all = _mm256_cmpeq_epi32(_mm256_and_si256(words, bits), bits);
    _mm256_movemask_ps(_mm256_castsi256_ps(all)) as u8
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

//! The loops with AVX2: as with AVX-512, eight lanes at a time.
#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::super::block::{Block, LANES, NO_RULE, id};
use super::super::cut::NOTHING;
use super::super::{BATCH, BlockSet, Found, Headers, Hits, Row, Table};
use super::{AHEAD, fetch_ahead};

/// Lanes of a vector.
const HALF: usize = 8;
const _: () = assert!(LANES == 2 * HALF);

/// See [`super::super::Set::first`].
#[target_feature(enable = "avx2")]
pub fn first<const W: usize, const T: usize>(
    set: &BlockSet<W, T>,
    headers: &Headers<W>,
    count: usize,
    found: &mut Found,
    first: &mut [u32; BATCH],
) {
    for (table, found) in set.tables.iter().zip(found.iter_mut()) {
        cells(table, headers, count, &mut found.0);
    }
    let lacks = set.kinds.lacks(headers);
    for (at, first) in first.iter_mut().enumerate().take(count) {
        fetch_ahead(set, found, at + AHEAD, count);
        let header = Header::<T>::of(headers, &lacks, at);
        let mut best = broadcast(NO_RULE);
        for found in found.iter() {
            let block = &set.blocks[found.0[at] as usize];
            for lane in [0, HALF] {
                let differs = _mm256_xor_si256(header.equal(block, lane), broadcast(u32::MAX));
                // All ones, the number of no rule, where the lane differs.
                const { assert!(NO_RULE == u32::MAX) };
                best = _mm256_min_epu32(best, _mm256_or_si256(load(&block.number, lane), differs));
            }
        }
        *first = id(lowest(best));
    }
}

/// See [`super::super::Set::hits`].
#[target_feature(enable = "avx2")]
pub fn hits<const W: usize, const T: usize>(
    set: &BlockSet<W, T>,
    headers: &Headers<W>,
    count: usize,
    found: &mut Found,
    hits: &mut Hits,
) {
    for (table, found) in set.tables.iter().zip(found.iter_mut()) {
        cells(table, headers, count, &mut found.0);
    }
    let lacks = set.kinds.lacks(headers);
    for at in 0..count {
        fetch_ahead(set, found, at + AHEAD, count);
        let header = Header::<T>::of(headers, &lacks, at);
        for (found, hits) in found.iter().zip(hits.iter_mut()) {
            let block = &set.blocks[found.0[at] as usize];
            let lanes = [0, HALF].map(|lane| {
                let free = _mm256_cmpeq_epi32(load(&block.number, lane), broadcast(NO_RULE));
                let equal = _mm256_andnot_si256(free, header.equal(block, lane));
                _mm256_movemask_ps(_mm256_castsi256_ps(equal)) as u16
            });
            hits[at] = lanes[0] | lanes[1] << HALF;
        }
    }
}

/// Block of each header in a table.
#[target_feature(enable = "avx2")]
fn cells<const W: usize>(table: &Table<W>, headers: &Headers<W>, count: usize, found: &mut [u32; BATCH]) {
    let cut = &table.cut;
    if let [block] = table.cells[..] {
        found.fill(block);
        return;
    }
    for at in (0..count).step_by(HALF) {
        let mut sum = _mm256_setzero_si256();
        if cut.ports != 0 {
            let counts = _mm256_and_si256(load_at(&headers.ports, at), broadcast(cut.ports));
            sum = _mm256_mullo_epi32(counts, broadcast(cut.port_multiplier));
        }
        for word in (0..W).filter(|&word| cut.shift[word] != NOTHING) {
            let counts = _mm256_srlv_epi32(load_at(&headers.words[word], at), broadcast(cut.shift[word]));
            sum = _mm256_add_epi32(sum, _mm256_mullo_epi32(counts, broadcast(cut.multiplier[word])));
        }
        let cell = _mm256_srlv_epi32(sum, broadcast(cut.cell_shift));
        debug_assert_eq!(table.cells.len() as u64, 1 << (32 - cut.cell_shift));
        // SAFETY: a sum shifted right by `cell_shift` is below `1 << (32 - cell_shift)`, the number of
        // cells that the table was built with.
        let blocks = unsafe { _mm256_i32gather_epi32::<4>(table.cells.as_ptr().cast(), cell) };
        // SAFETY: `at` is a multiple of eight below `BATCH`, which is one too.
        unsafe { _mm256_storeu_si256(found.as_mut_ptr().add(at).cast(), blocks) };
    }
}

/// One header in every lane.
struct Header<const T: usize> {
    words: [__m256i; T],
    ports: __m256i,
    /// Kinds that it is not of.
    lacks: __m256i,
}

impl<const T: usize> Header<T> {
    #[inline]
    #[target_feature(enable = "avx2")]
    fn of<const W: usize>(headers: &Headers<W>, lacks: &Row, at: usize) -> Self {
        let words = std::array::from_fn(|word| broadcast(headers.words[word][at]));
        Self { words, ports: broadcast(headers.ports[at]), lacks: broadcast(lacks.0[at]) }
    }

    /// All ones in the lanes from `lane` up whose rule the header satisfies.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn equal(&self, block: &Block<T>, lane: usize) -> __m256i {
        // What a port lies above its range, or, wrapped, below it.
        let above = _mm256_sub_epi16(self.ports, load(&block.port_lo, lane));
        let outside = _mm256_subs_epu16(above, load(&block.port_span, lane));
        let mut differ = _mm256_or_si256(outside, _mm256_and_si256(self.lacks, load(&block.number, lane)));
        for (word, (value, mask)) in self.words.iter().zip(block.value.iter().zip(&block.mask)) {
            let other = _mm256_xor_si256(*word, load(value, lane));
            differ = _mm256_or_si256(differ, _mm256_and_si256(other, load(mask, lane)));
        }
        _mm256_cmpeq_epi32(differ, _mm256_setzero_si256())
    }
}

/// The lowest of eight unsigned words.
#[inline]
#[target_feature(enable = "avx2")]
fn lowest(words: __m256i) -> u32 {
    let four = _mm_min_epu32(_mm256_castsi256_si128(words), _mm256_extracti128_si256::<1>(words));
    let two = _mm_min_epu32(four, _mm_shuffle_epi32::<0b01_00_11_10>(four));
    let one = _mm_min_epu32(two, _mm_shuffle_epi32::<0b10_11_00_01>(two));
    _mm_cvtsi128_si32(one) as u32
}

#[inline]
#[target_feature(enable = "avx2")]
fn broadcast(value: u32) -> __m256i {
    _mm256_set1_epi32(value as i32)
}

#[inline]
#[target_feature(enable = "avx2")]
fn load(lanes: &[u32; LANES], lane: usize) -> __m256i {
    debug_assert!(lane + HALF <= LANES);
    // SAFETY: `lane` is 0 or 8, and eight words of sixteen follow.
    unsafe { _mm256_loadu_si256(lanes.as_ptr().add(lane).cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn load_at(words: &[u32; BATCH], at: usize) -> __m256i {
    debug_assert!(at + HALF <= BATCH);
    // SAFETY: `at` is a multiple of eight below `BATCH`, which is one too.
    unsafe { _mm256_loadu_si256(words.as_ptr().add(at).cast()) }
}

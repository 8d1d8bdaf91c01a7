//! The loops with AVX-512: sixteen headers find their cells at once, and one header is compared with the
//! sixteen rules of a block at once.
#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::super::block::{Block, KIND_BITS, LANES, NO_RULE};
use super::super::cut::NOTHING;
use super::super::{BATCH, BlockSet, Found, Headers, Hits, Row, Table};
use super::{AHEAD, fetch_ahead};

/// See [`super::super::Set::first`].
#[target_feature(enable = "avx512f,avx512bw")]
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
    let mut lowest = [broadcast(NO_RULE); LANES];
    for at in 0..count {
        fetch_ahead(set, found, at + AHEAD, count);
        let header = Header::<T>::of(headers, &lacks, at);
        let mut best = broadcast(NO_RULE);
        for found in found.iter() {
            let block = &set.blocks[found.0[at] as usize];
            best = _mm512_mask_min_epu32(best, header.equal(block), best, load(&block.number));
        }
        lowest[at % LANES] = best;
        if at % LANES == LANES - 1 || at == count - 1 {
            store_at(first, at - at % LANES, ids(lowest_of_each(&lowest)));
        }
    }
}

/// See [`super::super::Set::hits`].
#[target_feature(enable = "avx512f,avx512bw")]
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
            let used = _mm512_cmpneq_epi32_mask(load(&block.number), broadcast(NO_RULE));
            hits[at] = header.equal(block) & used;
        }
    }
}

/// Block of each header in a table.
#[target_feature(enable = "avx512f,avx512bw")]
fn cells<const W: usize>(table: &Table<W>, headers: &Headers<W>, count: usize, found: &mut [u32; BATCH]) {
    let cut = &table.cut;
    if let [block] = table.cells[..] {
        found.fill(block);
        return;
    }
    for at in (0..count).step_by(LANES) {
        let mut sum = _mm512_setzero_si512();
        if cut.ports != 0 {
            let counts = _mm512_and_si512(load_at(&headers.ports, at), broadcast(cut.ports));
            sum = _mm512_mullo_epi32(counts, broadcast(cut.port_multiplier));
        }
        for word in (0..W).filter(|&word| cut.shift[word] != NOTHING) {
            let counts = _mm512_srlv_epi32(load_at(&headers.words[word], at), broadcast(cut.shift[word]));
            sum = _mm512_add_epi32(sum, _mm512_mullo_epi32(counts, broadcast(cut.multiplier[word])));
        }
        let cell = _mm512_srlv_epi32(sum, broadcast(cut.cell_shift));
        debug_assert_eq!(table.cells.len() as u64, 1 << (32 - cut.cell_shift));
        // SAFETY: a sum shifted right by `cell_shift` is below `1 << (32 - cell_shift)`, the number of
        // cells that the table was built with.
        let blocks = unsafe { _mm512_i32gather_epi32::<4>(cell, table.cells.as_ptr().cast()) };
        store_at(found, at, blocks);
    }
}

/// One header in every lane.
struct Header<const T: usize> {
    words: [__m512i; T],
    ports: __m512i,
    /// Kinds that it is not of.
    lacks: __m512i,
}

impl<const T: usize> Header<T> {
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn of<const W: usize>(headers: &Headers<W>, lacks: &Row, at: usize) -> Self {
        let words = std::array::from_fn(|word| broadcast(headers.words[word][at]));
        Self { words, ports: broadcast(headers.ports[at]), lacks: broadcast(lacks.0[at]) }
    }

    /// Lanes whose rule the header satisfies.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn equal(&self, block: &Block<T>) -> __mmask16 {
        // What a port lies above its range, or, wrapped, below it.
        let above = _mm512_sub_epi16(self.ports, load(&block.port_lo));
        let mut differ = _mm512_subs_epu16(above, load(&block.port_span));
        // (a & b) | c
        const AND_OR: i32 = 0xea;
        differ = _mm512_ternarylogic_epi32::<AND_OR>(self.lacks, load(&block.number), differ);
        for (word, (value, mask)) in self.words.iter().zip(block.value.iter().zip(&block.mask)) {
            let other = _mm512_xor_si512(*word, load(value));
            differ = _mm512_ternarylogic_epi32::<AND_OR>(other, load(mask), differ);
        }
        _mm512_testn_epi32_mask(differ, differ)
    }
}

/// The rules' numbers of lanes' numbers.
#[inline]
#[target_feature(enable = "avx512f")]
fn ids(numbers: __m512i) -> __m512i {
    let used = _mm512_cmpneq_epi32_mask(numbers, broadcast(NO_RULE));
    _mm512_mask_srli_epi32::<KIND_BITS>(numbers, used, numbers)
}

/// The lowest of the sixteen unsigned words of each vector, in their order.
#[inline]
#[target_feature(enable = "avx512f")]
fn lowest_of_each(all: &[__m512i; LANES]) -> __m512i {
    // Each step joins two vectors: what both have left goes into one half as many words each.
    let eight: [__m512i; 8] = std::array::from_fn(|n| {
        let (a, b) = (all[n], all[n + 8]);
        _mm512_min_epu32(_mm512_shuffle_i64x2::<0x44>(a, b), _mm512_shuffle_i64x2::<0xee>(a, b))
    });
    let four: [__m512i; 4] = std::array::from_fn(|n| {
        let (a, b) = (eight[n], eight[n + 4]);
        _mm512_min_epu32(_mm512_shuffle_i64x2::<0x88>(a, b), _mm512_shuffle_i64x2::<0xdd>(a, b))
    });
    let two: [__m512i; 2] = std::array::from_fn(|n| {
        let (a, b) = (four[n], four[n + 2]);
        _mm512_min_epu32(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b))
    });
    let (a, b) = (_mm512_castsi512_ps(two[0]), _mm512_castsi512_ps(two[1]));
    let (even, odd) = (_mm512_shuffle_ps::<0x88>(a, b), _mm512_shuffle_ps::<0xdd>(a, b));
    let one = _mm512_min_epu32(_mm512_castps_si512(even), _mm512_castps_si512(odd));
    // Where the word of each vector came to lie.
    let order = _mm512_setr_epi32(0, 2, 1, 3, 8, 10, 9, 11, 4, 6, 5, 7, 12, 14, 13, 15);
    _mm512_permutexvar_epi32(order, one)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store_at(words: &mut [u32; BATCH], at: usize, lanes: __m512i) {
    debug_assert!(at + LANES <= BATCH);
    // SAFETY: `at` is a multiple of the lanes below `BATCH`, which is one too.
    unsafe { _mm512_storeu_si512(words.as_mut_ptr().add(at).cast(), lanes) };
}

#[inline]
#[target_feature(enable = "avx512f")]
fn broadcast(value: u32) -> __m512i {
    _mm512_set1_epi32(value as i32)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load(lanes: &[u32; LANES]) -> __m512i {
    // SAFETY: sixteen words of four bytes are 64 bytes.
    unsafe { _mm512_loadu_si512(lanes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load_at(words: &[u32; BATCH], at: usize) -> __m512i {
    debug_assert!(at + LANES <= BATCH);
    // SAFETY: `at` is a multiple of the lanes below `BATCH`, which is one too.
    unsafe { _mm512_loadu_si512(words.as_ptr().add(at).cast()) }
}

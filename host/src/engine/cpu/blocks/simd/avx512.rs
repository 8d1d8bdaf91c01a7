//! The loops with AVX-512: sixteen headers find their cells at once, and one header is compared with the
//! sixteen rules of a block at once.
#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::super::block::{Block, LANES, NO_ID};
use super::super::{BATCH, BlockSet, Found, Headers, Hits, Table};

/// See [`super::Chosen::first`].
#[target_feature(enable = "avx512f,avx512bw")]
pub fn first<const W: usize>(
    set: &BlockSet<W>,
    headers: &Headers<W>,
    count: usize,
    found: &mut Found,
    first: &mut [u32; BATCH],
) {
    for (table, found) in set.tables.iter().zip(found.iter_mut()) {
        cells(table, headers, count, found);
    }
    for at in 0..count {
        let words: [__m512i; W] = std::array::from_fn(|word| broadcast(headers.words[word][at]));
        let ports = broadcast(headers.ports[at]);
        let mut best = broadcast(u32::MAX);
        for found in found.iter() {
            let block = &set.blocks[found[at] as usize];
            let equal = equal(block, &words, ports);
            best = _mm512_mask_min_epu32(best, equal, best, load(&block.id));
        }
        first[at] = _mm512_reduce_min_epu32(best);
    }
}

/// See [`super::Chosen::hits`].
#[target_feature(enable = "avx512f,avx512bw")]
pub fn hits<const W: usize>(
    set: &BlockSet<W>,
    headers: &Headers<W>,
    count: usize,
    found: &mut Found,
    hits: &mut Hits,
) {
    for (table, found) in set.tables.iter().zip(found.iter_mut()) {
        cells(table, headers, count, found);
    }
    for at in 0..count {
        let words: [__m512i; W] = std::array::from_fn(|word| broadcast(headers.words[word][at]));
        let ports = broadcast(headers.ports[at]);
        for (found, hits) in found.iter().zip(hits.iter_mut()) {
            let block = &set.blocks[found[at] as usize];
            let used = _mm512_cmpneq_epi32_mask(load(&block.id), broadcast(NO_ID));
            hits[at] = equal(block, &words, ports) & used;
        }
    }
}

/// Block of each header in a table.
#[target_feature(enable = "avx512f,avx512bw")]
fn cells<const W: usize>(table: &Table<W>, headers: &Headers<W>, count: usize, found: &mut [u32; BATCH]) {
    let cut = &table.cut;
    for at in (0..count).step_by(LANES) {
        let ports = load_at(&headers.ports, at);
        let mut sum =
            _mm512_mullo_epi32(_mm512_and_si512(ports, broadcast(cut.ports)), broadcast(cut.port_multiplier));
        for word in 0..W {
            // A shift by 32 leaves zero, as the cut means it.
            let counts = _mm512_srlv_epi32(load_at(&headers.words[word], at), broadcast(cut.shift[word]));
            sum = _mm512_add_epi32(sum, _mm512_mullo_epi32(counts, broadcast(cut.multiplier[word])));
        }
        let cell = _mm512_srlv_epi32(sum, broadcast(cut.cell_shift));
        debug_assert_eq!(table.cells.len() as u64, 1 << (32 - cut.cell_shift));
        // SAFETY: a sum shifted right by `cell_shift` is below `1 << (32 - cell_shift)`, the number of
        // cells that the table was built with.
        let blocks = unsafe { _mm512_i32gather_epi32::<4>(cell, table.cells.as_ptr().cast()) };
        // SAFETY: `at` is a multiple of the lanes below `BATCH`, which is one too.
        unsafe { _mm512_storeu_si512(found.as_mut_ptr().add(at).cast(), blocks) };
    }
}

/// Lanes whose rule the header satisfies.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn equal<const W: usize>(block: &Block<W>, words: &[__m512i; W], ports: __m512i) -> __mmask16 {
    // What a port lies above its range, or, wrapped, below it.
    let above = _mm512_sub_epi16(ports, load(&block.port_lo));
    let mut differ = _mm512_subs_epu16(above, load(&block.port_span));
    for (word, (value, mask)) in words.iter().zip(block.value.iter().zip(&block.mask)) {
        let other = _mm512_xor_si512(*word, load(value));
        // (other & mask) | differ
        differ = _mm512_ternarylogic_epi32::<0xea>(other, load(mask), differ);
    }
    _mm512_testn_epi32_mask(differ, differ)
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

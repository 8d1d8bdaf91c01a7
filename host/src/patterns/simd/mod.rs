//! The loops over payloads, for each kind of processor. What they mean is said by those in plain Rust ([`portable`]);
//! the others give the same.
#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

use super::filter::{Long, Medium};
use super::short::{BLOCK, BLOCK_BYTES, ByteSet, PAIR_WORDS};
use super::survivors::Survivors;
use crate::engine::cpu::Chosen;
#[cfg(target_arch = "x86_64")]
use crate::engine::cpu::Simd;

/// Bytes behind the last place that a filter reads: a vector, and three bytes more.
pub const READ_BEHIND: usize = BLOCK + 3;
const _: () = assert!(READ_BEHIND <= super::scratch::MARGIN);

/// Writes `payload` into `folded`, which is as long, with capitals in lower case.
pub fn fold(chosen: Chosen, payload: &[u8], folded: &mut [u8]) {
    match chosen.simd() {
        // SAFETY: a `Chosen` exists only for instructions that the processor has.
        #[cfg(target_arch = "x86_64")]
        Simd::Avx512 => unsafe { avx512::fold(payload, folded) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Simd::Avx2 => unsafe { avx2::fold(payload, folded) },
        _ => portable::fold(payload, folded),
    }
}

/// Places of the first `count` bytes that pass; `text` goes on for [`READ_BEHIND`] bytes. Where `count` ends within a block,
/// the payload ends.
pub fn scan(
    chosen: Chosen,
    long: &Long,
    medium: &Medium,
    text: &[u8],
    count: usize,
    survivors: &mut Survivors,
) {
    survivors.clear();
    match chosen.simd() {
        // SAFETY: a `Chosen` exists only for instructions that the processor has.
        #[cfg(target_arch = "x86_64")]
        Simd::Avx512 => unsafe { avx512::scan(long, medium, text, count, survivors) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Simd::Avx2 => unsafe { avx2::scan(long, medium, text, count, survivors) },
        _ => portable::scan(long, medium, text, count, survivors),
    }
}

/// Places of a block whose byte is wanted, one bit each.
pub fn singles(chosen: Chosen, wanted: &ByteSet, block: &[u8; BLOCK]) -> u64 {
    match chosen.simd() {
        // SAFETY: a `Chosen` exists only for instructions that the processor has.
        #[cfg(target_arch = "x86_64")]
        Simd::Avx512 => unsafe { avx512::singles(wanted, block) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Simd::Avx2 => unsafe { avx2::singles(wanted, block) },
        _ => portable::singles(wanted, block),
    }
}

/// Places of a block whose byte and the next one are wanted, in the order of [`super::short::place_of`].
pub fn pairs(chosen: Chosen, wanted: &[u32; PAIR_WORDS], block: &[u8; BLOCK_BYTES]) -> u64 {
    match chosen.simd() {
        // SAFETY: a `Chosen` exists only for instructions that the processor has.
        #[cfg(target_arch = "x86_64")]
        Simd::Avx512 => unsafe { avx512::pairs(wanted, block) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Simd::Avx2 => unsafe { avx2::pairs(wanted, block) },
        _ => portable::pairs(wanted, block),
    }
}

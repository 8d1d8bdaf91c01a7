//! The two loops that every header goes through, for each kind of processor.
#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

use super::{BATCH, BlockSet, Found, Headers, Hits, Row};

/// Instructions that the engine is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Simd {
    /// What every processor has.
    Portable,
    /// AVX2 of x86-64.
    Avx2,
    /// AVX-512F and AVX-512BW of x86-64.
    Avx512,
}

impl Simd {
    /// All of them, the best ones last.
    pub const ALL: [Self; 3] = [Self::Portable, Self::Avx2, Self::Avx512];

    /// Name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }

    /// The instructions, if this processor has them.
    pub fn choose(self) -> Option<Chosen> {
        let available = match self {
            Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => {
                is_x86_feature_detected!("avx2")
                    && is_x86_feature_detected!("bmi1")
                    && is_x86_feature_detected!("popcnt")
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("popcnt")
            }
            #[cfg(not(target_arch = "x86_64"))]
            _ => false,
        };
        available.then_some(Chosen(self))
    }
}

/// Instructions that this processor has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chosen(Simd);

impl Chosen {
    /// The best ones.
    pub fn best() -> Self {
        Simd::ALL.into_iter().rev().find_map(Simd::choose).unwrap_or(Self(Simd::Portable))
    }

    /// Which they are.
    pub fn simd(self) -> Simd {
        self.0
    }

    /// See [`super::Set::first`].
    #[inline]
    pub fn first<const W: usize, const T: usize>(
        self,
        set: &BlockSet<W, T>,
        headers: &Headers<W>,
        count: usize,
        found: &mut Found,
        first: &mut [u32; BATCH],
    ) {
        found.resize(set.tables.len(), Row([0; BATCH]));
        match self.0 {
            Simd::Portable => portable::first(set, headers, count, found, first),
            // SAFETY: a `Chosen` exists only for instructions that the processor has.
            #[cfg(target_arch = "x86_64")]
            Simd::Avx2 => unsafe { avx2::first(set, headers, count, found, first) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Simd::Avx512 => unsafe { avx512::first(set, headers, count, found, first) },
            #[cfg(not(target_arch = "x86_64"))]
            _ => portable::first(set, headers, count, found, first),
        }
    }

    /// See [`super::Set::hits`].
    #[inline]
    pub fn hits<const W: usize, const T: usize>(
        self,
        set: &BlockSet<W, T>,
        headers: &Headers<W>,
        count: usize,
        found: &mut Found,
        hits: &mut Hits,
    ) {
        found.resize(set.tables.len(), Row([0; BATCH]));
        hits.resize(set.tables.len(), [0; BATCH]);
        match self.0 {
            Simd::Portable => portable::hits(set, headers, count, found, hits),
            // SAFETY: a `Chosen` exists only for instructions that the processor has.
            #[cfg(target_arch = "x86_64")]
            Simd::Avx2 => unsafe { avx2::hits(set, headers, count, found, hits) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Simd::Avx512 => unsafe { avx512::hits(set, headers, count, found, hits) },
            #[cfg(not(target_arch = "x86_64"))]
            _ => portable::hits(set, headers, count, found, hits),
        }
    }
}

/// Headers between the one that is compared and the one whose blocks are fetched.
#[cfg(target_arch = "x86_64")]
const AHEAD: usize = 4;

/// Asks for the blocks of a header that is compared soon, where they may be far away.
#[cfg(target_arch = "x86_64")]
#[inline]
fn fetch_ahead<const W: usize, const T: usize>(set: &BlockSet<W, T>, found: &Found, at: usize, count: usize) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    if !set.far || at >= count {
        return;
    }
    for found in found {
        let block: *const i8 = std::ptr::from_ref(&set.blocks[found.0[at] as usize]).cast();
        for line in (0..size_of::<super::Block<T>>()).step_by(64) {
            // SAFETY: the line is one of the block's. (A prefetch reads nothing that a program sees.)
            unsafe { _mm_prefetch::<_MM_HINT_T0>(block.add(line)) };
        }
    }
}

//! What the tests of rings and DMA share: bytes to bits and back, and chance.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore;
use rust_hdl::core::prelude::*;

/// Bytes as a value of more than 32 bits, byte 0 in the low bits.
pub fn to_bits<const N: usize>(bytes: &[u8]) -> Bits<N> {
    assert!(N > 32 && bytes.len() * 8 <= N);
    let mut bools = [false; N];
    for (bit, place) in bools.iter_mut().enumerate().take(bytes.len() * 8) {
        *place = bytes[bit / 8] >> (bit % 8) & 1 == 1;
    }
    Bits::Long(bools.into())
}

/// The bytes of a value.
pub fn to_bytes<const N: usize>(bits: Bits<N>) -> Vec<u8> {
    (0..N / 8).map(|byte| (0..8).map(|bit| u8::from(bits.get_bit(byte * 8 + bit)) << bit).sum()).collect()
}

/// The number of a value of at most 64 bits.
pub fn number<const N: usize>(bits: Bits<N>) -> u64 {
    (0..N).map(|bit| u64::from(bits.get_bit(bit)) << bit).sum()
}

/// True in `percent` of 100 cases.
pub fn chance(rng: &mut ChaCha8Rng, percent: u32) -> bool {
    rng.next_u32() % 100 < percent
}

/// A number below `limit`.
pub fn below(rng: &mut ChaCha8Rng, limit: usize) -> usize {
    rng.next_u32() as usize % limit
}

/// Random bytes.
pub fn random_bytes(rng: &mut ChaCha8Rng, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    rng.fill_bytes(&mut bytes);
    bytes
}

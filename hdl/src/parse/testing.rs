//! Bytes to wide ports and back, for the tests of these blocks.

use rust_hdl::core::bitvec::BitVec;
use rust_hdl::prelude::*;

/// The bytes as bits of a port wider than 32 bits, byte 0 in the low ones; zeros above them.
pub fn to_port<const N: usize>(bytes: &[u8]) -> Bits<N> {
    const { assert!(N > 32) };
    let mut all = [false; N];
    for (n, bit) in all.iter_mut().enumerate().take(bytes.len() * 8) {
        *bit = bytes[n / 8] >> (n % 8) & 1 == 1;
    }
    Bits::Long(BitVec::from(all))
}

/// The bits of a port as bytes.
pub fn to_bytes<const N: usize>(port: Bits<N>) -> Vec<u8> {
    (0..N / 8).map(|byte| (0..8).map(|bit| u8::from(port.get_bit(byte * 8 + bit)) << bit).sum()).collect()
}

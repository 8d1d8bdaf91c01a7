//! What the tests of the matcher share: values to and from bits, a delay, and the gate's view of the blocks.

use std::collections::VecDeque;

use rust_hdl::core::prelude::*;
use wiresift_abi::geometry::Geometry;

use super::layout::Beat;
use crate::gate::Clocked;

/// Bytes as a value of more than 32 bits, byte 0 in the low bits.
pub fn bits_of_bytes<const N: usize>(bytes: &[u8]) -> Bits<N> {
    assert!(N > 32 && bytes.len() * 8 <= N);
    let mut bools = [false; N];
    for (bit, place) in bools.iter_mut().enumerate().take(bytes.len() * 8) {
        *place = bytes[bit / 8] >> (bit % 8) & 1 == 1;
    }
    Bits::Long(bools.into())
}

/// The bytes of a value.
pub fn bytes_of_bits<const N: usize>(bits: Bits<N>) -> Vec<u8> {
    (0..N / 8).map(|byte| (0..8).map(|bit| u8::from(bits.get_bit(byte * 8 + bit)) << bit).sum()).collect()
}

/// The number of a value of at most 64 bits.
pub fn number<const N: usize>(bits: Bits<N>) -> u64 {
    (0..N).map(|bit| u64::from(bits.get_bit(bit)) << bit).sum()
}

/// A number as a value of at most 64 bits.
pub fn to_bits<const N: usize>(number: u64) -> Bits<N> {
    (0..N).fold(Bits::default(), |bits, bit| bits.replace_bit(bit, number >> bit & 1 == 1))
}

/// What was put in `depth` calls ago.
pub struct Pipe<T> {
    queue: VecDeque<T>,
    depth: usize,
}

impl<T> Pipe<T> {
    /// An empty pipe.
    pub fn new(depth: usize) -> Self {
        Self { queue: VecDeque::new(), depth }
    }

    /// Puts a value in, and gives that of `depth` calls before, or `None` at first.
    pub fn shift(&mut self, value: T) -> Option<T> {
        self.queue.push_back(value);
        if self.queue.len() > self.depth { self.queue.pop_front() } else { None }
    }
}

/// Beats as the tap gives them.
pub struct Stream {
    beat_bytes: usize,
    /// The last 64 bytes.
    pub line: Vec<u8>,
    /// Number of the next beat.
    pub number: u64,
}

impl Stream {
    /// Nothing came yet.
    pub fn new(geometry: &Geometry) -> Self {
        Self { beat_bytes: geometry.beat_bytes, line: vec![0; 64], number: 0 }
    }

    /// The beat of an element from byte `at` on.
    pub fn beat(&mut self, bytes: &[u8], at: usize, command: bool) -> Beat {
        let end = bytes.len().min(at + self.beat_bytes);
        self.line.extend(&bytes[at.min(end)..end]);
        // Padding is whatever it is.
        self.line.resize(64 + self.beat_bytes, b'A');
        self.line.drain(..self.beat_bytes);
        let number = self.number;
        self.number += 1;
        Beat {
            number: (number % 1024).to_bits(),
            bytes: ((bytes.len() - at.min(bytes.len())).min(127) as u64).to_bits(),
            first: at == 0,
            last: at + self.beat_bytes >= bytes.len(),
            command,
        }
    }
}

/// `impl Clocked` for blocks with a port `clock`.
macro_rules! clocked {
    ($([$($generics:tt)*] $name:ty;)*) => {
        $(impl<$($generics)*> Clocked for $name {
            fn clock(&mut self) -> &mut Signal<In, Clock> {
                &mut self.clock
            }
        })*
    };
}
clocked! {
    [const A: usize] super::tap::Tap<A>;
    [const A: usize] super::octet_hash::OctetHash<A>;
    [const A: usize, const B: usize] super::window_hash::WindowHash<A, B>;
    [const A: usize, const B: usize, const C: usize, const D: usize, const E: usize]
        super::bitmaps::Bitmaps<A, B, C, D, E>;
    [const A: usize, const B: usize, const C: usize, const D: usize, const E: usize, const F: usize, const G: usize,
        const H: usize] super::filter::Filter<A, B, C, D, E, F, G, H>;
    [const A: usize, const B: usize, const C: usize] super::survivors::Survivors<A, B, C>;
    [const A: usize] super::issue::Issue<A>;
    [const A: usize, const B: usize, const C: usize, const D: usize, const E: usize, const F: usize, const G: usize]
        super::region::Region<A, B, C, D, E, F, G>;
    [const A: usize, const B: usize, const C: usize, const D: usize] super::lookup::Lookup<A, B, C, D>;
    [const A: usize, const B: usize, const C: usize, const D: usize, const E: usize, const F: usize]
        super::compare::Compare<A, B, C, D, E, F>;
    [const A: usize, const B: usize, const C: usize, const D: usize] super::headers::Headers<A, B, C, D>;
    [const A: usize, const B: usize, const C: usize, const D: usize] super::presence::Presence<A, B, C, D>;
    [] super::collect::Collect;
    [] super::LineMatcher;
    [] super::LabMatcher;
}

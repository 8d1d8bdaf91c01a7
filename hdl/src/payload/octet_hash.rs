//! What the secret makes of a byte, for every byte: the table that the hashes of windows are added up from.
//!
//! ```text
//! write, row, data --->.-----------.---> done
//!                      | OctetHash |
//! read, octet[n] ----->'-----------'---> word[n]   one cycle later, then it stays
//! ```
//!
//! Bits of a byte choose rows of the secret, and their sum is what the byte adds to the hash of a window (`abi::payload`).
//! A block RAM for each byte of a cycle holds the sum for all 256 values, letters of both cases alike: that
//! takes a read where AND and XOR with the rows took four to six LUTs a bit. The rows are kept beside; whenever one is written
//! all values are gone through, one a cycle, and `done` pulses behind the last. Nothing may be read until then, so
//! packets wait. A reset ends it half way; the host then has no answer to its COMMIT and loads the tables anew.

use rust_hdl::core::prelude::*;
use rust_hdl::widgets::prelude::*;
use wiresift_abi::payload::SECRET_ROWS;

use crate::classify::sweep::Sweep;
use crate::prim::ram::{Ram, RamStyle};

/// Bits of a byte.
pub const OCTET_BITS: usize = 8;

/// What bytes add to a hash of `HASH` bits.
#[derive(LogicBlock)]
pub struct OctetHash<const HASH: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous, active high: stops the writing of the tables.
    pub reset: Signal<In, Bit>,
    /// Writes a row.
    pub write: Signal<In, Bit>,
    /// Its number; one above the last row writes the tables as they are.
    pub row: Signal<In, Bits<16>>,
    /// Its bits.
    pub data: Signal<In, Bits<HASH>>,
    /// Pulse: the row counts.
    pub done: Signal<Out, Bit>,
    /// Loads every `word`.
    pub read: Signal<In, Bit>,
    /// Bytes.
    pub octet: Vec<Signal<In, Bits<OCTET_BITS>>>,
    /// What each adds to a hash.
    pub word: Vec<Signal<Out, Bits<HASH>>>,
    rows: Vec<DFF<Bits<HASH>>>,
    tables: Vec<Ram<HASH, OCTET_BITS>>,
    sweep: Sweep,
    storing: DFF<Bit>,
    octet_held: DFF<Bits<OCTET_BITS>>,
    word_held: DFF<Bits<HASH>>,
    finished: DFF<Bit>,
    folded: Signal<Local, Bits<OCTET_BITS>>,
    sum: Signal<Local, Bits<HASH>>,
    numbers: Vec<Constant<Bits<16>>>,
    lower: Constant<Bits<OCTET_BITS>>,
}

impl<const HASH: usize> OctetHash<HASH> {
    /// For that many bytes a cycle.
    pub fn new(octets: usize) -> Self {
        Self {
            clock: Signal::default(),
            reset: Signal::default(),
            write: Signal::default(),
            row: Signal::default(),
            data: Signal::default(),
            done: Signal::default(),
            read: Signal::default(),
            octet: vec![Signal::default(); octets],
            word: vec![Signal::default(); octets],
            rows: vec![DFF::default(); SECRET_ROWS],
            tables: (0..octets).map(|_| Ram::without_collisions(RamStyle::Block)).collect(),
            sweep: Sweep::new(1 << OCTET_BITS),
            storing: DFF::default(),
            octet_held: DFF::default(),
            word_held: DFF::default(),
            finished: DFF::default(),
            folded: Signal::default(),
            sum: Signal::default(),
            numbers: (0..SECRET_ROWS as u64).map(|n| Constant::new(n.to_bits())).collect(),
            lower: Constant::new(0x20u64.to_bits()),
        }
    }
}

impl<const HASH: usize> Logic for OctetHash<HASH> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, storing, octet_held, word_held, finished);
        self.sweep.clock.next = self.clock.val();
        self.sweep.reset.next = self.reset.val();
        self.sweep.start.next = self.write.val();
        for k in 0..SECRET_ROWS {
            self.rows[k].clock.next = self.clock.val();
            self.rows[k].d.next = self.rows[k].q.val();
            if self.write.val() & (self.row.val() == self.numbers[k].val()) {
                self.rows[k].d.next = self.data.val();
            }
        }
        self.octet_held.d.next = self.sweep.bucket.val().get_bits::<OCTET_BITS>(0);
        self.folded.next = self.sweep.bucket.val().get_bits::<OCTET_BITS>(0);
        if self.folded.val().get_bit(6) & !self.folded.val().get_bit(7) {
            self.folded.next = self.folded.val() | self.lower.val();
        }
        self.sum.next = 0.into();
        for k in 0..SECRET_ROWS {
            if self.folded.val().get_bit(k) {
                self.sum.next = self.sum.val() ^ self.rows[k].q.val();
            }
        }
        self.word_held.d.next = self.sum.val();
        self.storing.d.next = self.sweep.busy.val() & !self.reset.val();
        self.finished.d.next = self.sweep.done.val() & !self.reset.val();
        self.done.next = self.finished.q.val();
        for i in 0..(self.tables.len()) {
            self.tables[i].clock.next = self.clock.val();
            self.tables[i].read_enable.next = self.read.val();
            self.tables[i].read_address.next = self.octet[i].val();
            self.tables[i].write_enable.next = self.storing.q.val();
            self.tables[i].write_address.next = self.octet_held.q.val();
            self.tables[i].write_data.next = self.word_held.q.val();
            self.word[i].next = self.tables[i].read_data.val();
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::Rng;
    use wiresift_abi::payload::Secret;

    use super::super::testing::{number, to_bits};
    use super::*;
    use crate::gate::passes;

    const OCTETS: usize = 3;

    /// Rows in any order, and numbers above the last; a reset now and then, behind which a row is written before
    /// anything is read. Behind each row all bytes are read, and some again.
    fn gate<const HASH: usize>(name: &str) {
        let mut secret = Secret([0; SECRET_ROWS]);
        // Bytes to read before the next row, and what was asked for in the cycle before.
        let (mut busy, mut left, mut asked) = (false, 0, None::<[u8; OCTETS]>);
        let (mut written, mut resets, mut words) = (0, 0, [None; OCTETS]);
        passes(
            name,
            || OctetHash::<HASH>::new(OCTETS),
            18_000,
            3,
            |uut, rng, cycle| {
                if let Some(octets) = asked.take() {
                    words = octets.map(|octet| Some(secret.hash(&[octet], HASH)));
                }
                for (port, word) in uut.word.iter().zip(words) {
                    assert!(word.is_none_or(|word| number(port.val()) == word), "cycle {cycle}");
                }
                if uut.done.val() {
                    assert!(busy, "cycle {cycle}");
                    (busy, left, written) = (false, 300, written + 1);
                }
                uut.reset.next = busy && rng.random_bool(0.0015);
                uut.write.next = !busy && left == 0;
                let (row, bits) = (rng.random_range(0..SECRET_ROWS + 2), rng.random::<u64>() >> (64 - HASH));
                uut.row.next = (row as u64).to_bits();
                uut.data.next = to_bits(bits);
                uut.read.next = left > 0 && rng.random_bool(0.9);
                let octets: [u8; OCTETS] =
                    std::array::from_fn(|n| if n == 0 { left as u8 } else { rng.random() });
                for (port, octet) in uut.octet.iter_mut().zip(octets) {
                    port.next = u64::from(octet).to_bits();
                }
                if uut.read.next {
                    (left, asked) = (left - 1, Some(octets));
                }
                if uut.reset.next {
                    (busy, resets) = (false, resets + 1);
                } else if uut.write.next {
                    busy = true;
                    if let Some(place) = secret.0.get_mut(row) {
                        *place = bits;
                    }
                }
            },
        );
        assert!(written > 15 && resets > 3, "{written} {resets}");
    }

    #[test]
    fn what_a_byte_adds_is_that_of_the_contract() {
        gate::<32>("payload_octets_lab");
        gate::<48>("payload_octets_line");
    }
}

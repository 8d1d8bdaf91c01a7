//! What the secret makes of a byte, for every byte: the table that the hashes of windows are added up from.
//!
//! ```text
//! write, row, data --->.-----------.---> store, octet, word   to the tables
//!                      | OctetHash |
//!                      '-----------'---> done
//! ```
//!
//! Bits of a byte choose rows of the secret, and their sum is what the byte adds to the hash of a window (`abi::payload`).
//! A block RAM for each byte that is hashed in a cycle holds the sum for all 256 values, letters of both cases alike: that
//! takes a read where AND and XOR with the rows took four to six LUTs a bit. The rows are kept here; whenever one is written
//! all values are gone through, one a cycle, and `done` pulses behind the last. What is read until then means nothing, so
//! packets wait. A reset ends it half way; the host then has no answer to its COMMIT and loads the tables anew.

use rust_hdl::core::prelude::*;
use rust_hdl::widgets::prelude::*;
use wiresift_abi::payload::SECRET_ROWS;

use crate::classify::sweep::Sweep;
use crate::prim::ram::{Ram, RamStyle};

/// Bits of a byte.
pub const OCTET_BITS: usize = 8;

/// What a byte adds to a hash of `HASH` bits; read only while nothing is stored.
pub type OctetTable<const HASH: usize> = Ram<HASH, OCTET_BITS>;

/// A table in block RAM.
pub fn octet_table<const HASH: usize>() -> OctetTable<HASH> {
    Ram::without_collisions(RamStyle::Block)
}

/// The rows of the secret, and the writer of the tables.
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
    /// The tables are to take `word`.
    pub store: Signal<Out, Bit>,
    /// For that byte.
    pub octet: Signal<Out, Bits<OCTET_BITS>>,
    /// What the byte adds to a hash.
    pub word: Signal<Out, Bits<HASH>>,
    /// Pulse: the row counts.
    pub done: Signal<Out, Bit>,
    rows: Vec<DFF<Bits<HASH>>>,
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

impl<const HASH: usize> Default for OctetHash<HASH> {
    fn default() -> Self {
        Self {
            clock: Signal::default(),
            reset: Signal::default(),
            write: Signal::default(),
            row: Signal::default(),
            data: Signal::default(),
            store: Signal::default(),
            octet: Signal::default(),
            word: Signal::default(),
            done: Signal::default(),
            rows: vec![DFF::default(); SECRET_ROWS],
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
        self.store.next = self.storing.q.val();
        self.octet.next = self.octet_held.q.val();
        self.word.next = self.word_held.q.val();
        self.done.next = self.finished.q.val();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use rand::Rng;
    use wiresift_abi::payload::Secret;

    use super::super::testing::{number, to_bits};
    use super::*;
    use crate::gate::passes;

    /// Rows in any order, and numbers above the last; a reset now and then, behind which a row is written again.
    fn gate<const HASH: usize>(name: &str) {
        let mut secret = Secret([0; SECRET_ROWS]);
        let mut table = vec![None; 1 << OCTET_BITS];
        let (mut busy, mut written, mut resets) = (false, 0, 0);
        passes(name, OctetHash::<HASH>::default, 12_000, 3, |uut, rng, cycle| {
            if uut.store.val() {
                assert!(busy, "cycle {cycle}");
                table[uut.octet.val().index()] = Some(number(uut.word.val()));
            }
            if uut.done.val() {
                assert!(busy, "cycle {cycle}");
                for (octet, word) in table.iter().enumerate() {
                    assert_eq!(*word, Some(secret.hash(&[octet as u8], HASH)), "byte {octet}");
                }
                (busy, written) = (false, written + 1);
            }
            uut.reset.next = busy && rng.random_bool(0.0015);
            uut.write.next = !busy && rng.random_bool(0.3);
            let (row, bits) = (rng.random_range(0..SECRET_ROWS + 2), rng.random::<u64>() >> (64 - HASH));
            uut.row.next = (row as u64).to_bits();
            uut.data.next = to_bits(bits);
            if uut.reset.next {
                (busy, resets) = (false, resets + 1);
            } else if uut.write.next {
                busy = true;
                table.fill(None);
                if let Some(place) = secret.0.get_mut(row) {
                    *place = bits;
                }
            }
        });
        assert!(written > 20 && resets > 3, "{written} {resets}");
    }

    #[test]
    fn what_a_byte_adds_is_that_of_the_contract() {
        gate::<32>("payload_octets_lab");
        gate::<48>("payload_octets_line");
    }
}

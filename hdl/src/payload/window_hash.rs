//! The hash of every window that ends in a beat (`abi::payload`), and its secret.
//!
//! ```text
//! write, row, data ------>.------------.---> eight[n]   window of 8 bytes that ends at byte n of the beat
//!                         | WindowHash |---> four[n]    4 bytes
//! beat, valid ----------->'------------'---> three[n]   3 bytes
//!                                      '---> done       the row counts
//! ```
//!
//! Three cycles: what each byte adds is read from its table ([`OctetHash`]), four and three bytes are added, eight bytes
//! are. A window that ends in a beat may begin in the beat before, so the products of its last seven bytes
//! are kept until the next beat; whether the packet has these bytes is not asked here. Between a row that is written and
//! `done` no beat may come.

use rust_hdl::core::prelude::*;
use rust_hdl::widgets::prelude::*;
use wiresift_abi::payload::Class;

use super::octet_hash::{OCTET_BITS, OctetHash};

/// Bytes of the beat before that a window can begin in.
const BEFORE: usize = Class::Eight.bytes() - 1;

const _: () = assert!(Class::Four.bytes() == 4 && Class::Three.bytes() == 3 && BEFORE == 7);

/// Hashes of `HASH` bits over beats of `BEAT_BITS` bits.
#[derive(LogicBlock)]
pub struct WindowHash<const BEAT_BITS: usize, const HASH: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous, active high: stops the writing of a row.
    pub reset: Signal<In, Bit>,
    /// Writes a row.
    pub write: Signal<In, Bit>,
    /// Its number.
    pub row: Signal<In, Bits<16>>,
    /// Its bits.
    pub data: Signal<In, Bits<HASH>>,
    /// Bytes.
    pub beat: Signal<In, Bits<BEAT_BITS>>,
    /// There is a beat.
    pub valid: Signal<In, Bit>,
    /// Hash of the 8 bytes that end at each byte, three cycles later.
    pub eight: Vec<Signal<Out, Bits<HASH>>>,
    /// Hash of 4 bytes.
    pub four: Vec<Signal<Out, Bits<HASH>>>,
    /// Hash of 3 bytes.
    pub three: Vec<Signal<Out, Bits<HASH>>>,
    /// Pulse: the row counts.
    pub done: Signal<Out, Bit>,
    product: OctetHash<HASH>,
    product_valid: DFF<Bit>,
    kept: Vec<DFF<Bits<HASH>>>,
    four2: Vec<DFF<Bits<HASH>>>,
    three2: Vec<DFF<Bits<HASH>>>,
    eight3: Vec<DFF<Bits<HASH>>>,
    four3: Vec<DFF<Bits<HASH>>>,
    three3: Vec<DFF<Bits<HASH>>>,
    all: Vec<Signal<Local, Bits<HASH>>>,
    up: Vec<Constant<Bits<8>>>,
    down: Vec<Constant<Bits<8>>>,
}

impl<const BEAT_BITS: usize, const HASH: usize> Default for WindowHash<BEAT_BITS, HASH> {
    fn default() -> Self {
        let lanes = BEAT_BITS / 8;
        assert!(lanes > BEFORE && HASH > 2 * 4);
        Self {
            clock: Signal::default(),
            reset: Signal::default(),
            write: Signal::default(),
            row: Signal::default(),
            data: Signal::default(),
            beat: Signal::default(),
            valid: Signal::default(),
            eight: vec![Signal::default(); lanes],
            four: vec![Signal::default(); lanes],
            three: vec![Signal::default(); lanes],
            done: Signal::default(),
            product: OctetHash::new(lanes),
            product_valid: DFF::default(),
            kept: vec![DFF::default(); BEFORE],
            four2: vec![DFF::default(); lanes + 4],
            three2: vec![DFF::default(); lanes],
            eight3: vec![DFF::default(); lanes],
            four3: vec![DFF::default(); lanes],
            three3: vec![DFF::default(); lanes],
            all: vec![Signal::default(); lanes + BEFORE],
            up: (0..5u64).map(|n| Constant::new(n.to_bits())).collect(),
            down: (0..5u64).map(|n| Constant::new((HASH as u64 - n).to_bits())).collect(),
        }
    }
}

impl<const BEAT_BITS: usize, const HASH: usize> Logic for WindowHash<BEAT_BITS, HASH> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, product_valid);
        // Cycle 1.
        self.product.clock.next = self.clock.val();
        self.product.reset.next = self.reset.val();
        self.product.write.next = self.write.val();
        self.product.row.next = self.row.val();
        self.product.data.next = self.data.val();
        self.product.read.next = self.valid.val();
        for i in 0..(self.product.octet.len()) {
            self.product.octet[i].next = self.beat.val().get_bits::<OCTET_BITS>(i * 8);
        }
        self.done.next = self.product.done.val();
        self.product_valid.d.next = self.valid.val();
        // Cycle 2.
        for i in 0..BEFORE {
            self.all[i].next = self.kept[i].q.val();
        }
        for i in 0..(self.product.word.len()) {
            self.all[i + 7].next = self.product.word[i].val();
        }
        for i in 0..BEFORE {
            self.kept[i].clock.next = self.clock.val();
            self.kept[i].d.next = self.kept[i].q.val();
            for n in (self.product.word.len())..(self.product.word.len() + 1) {
                if self.product_valid.q.val() {
                    self.kept[i].d.next = self.all[n + i].val();
                }
            }
        }
        for i in 0..(self.four2.len()) {
            self.four2[i].clock.next = self.clock.val();
            self.four2[i].d.next = self.all[i + 3].val()
                ^ ((self.all[i + 2].val() << self.up[1].val())
                    | (self.all[i + 2].val() >> self.down[1].val()))
                ^ ((self.all[i + 1].val() << self.up[2].val())
                    | (self.all[i + 1].val() >> self.down[2].val()))
                ^ ((self.all[i].val() << self.up[3].val()) | (self.all[i].val() >> self.down[3].val()));
        }
        for i in 0..(self.three2.len()) {
            self.three2[i].clock.next = self.clock.val();
            self.three2[i].d.next = self.all[i + 7].val()
                ^ ((self.all[i + 6].val() << self.up[1].val())
                    | (self.all[i + 6].val() >> self.down[1].val()))
                ^ ((self.all[i + 5].val() << self.up[2].val())
                    | (self.all[i + 5].val() >> self.down[2].val()));
        }
        // Cycle 3.
        for i in 0..(self.eight3.len()) {
            self.eight3[i].clock.next = self.clock.val();
            self.four3[i].clock.next = self.clock.val();
            self.three3[i].clock.next = self.clock.val();
            self.eight3[i].d.next = self.four2[i + 4].q.val()
                ^ ((self.four2[i].q.val() << self.up[4].val())
                    | (self.four2[i].q.val() >> self.down[4].val()));
            self.four3[i].d.next = self.four2[i + 4].q.val();
            self.three3[i].d.next = self.three2[i].q.val();
            self.eight[i].next = self.eight3[i].q.val();
            self.four[i].next = self.four3[i].q.val();
            self.three[i].next = self.three3[i].q.val();
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use rand::Rng;
    use wiresift_abi::payload::{SECRET_ROWS, Secret};

    use super::super::testing::{Pipe, bits_of_bytes, number, to_bits};
    use super::*;
    use crate::gate::passes;

    /// From a row that is written to the pulse.
    const WRITE_CYCLES: usize = 257;

    fn gate<const BEAT_BITS: usize, const HASH: usize>(name: &str, cycles: usize) {
        let lanes = BEAT_BITS / 8;
        let mut secret = Secret([0; SECRET_ROWS]);
        let mut stream: Vec<u8> = Vec::new();
        let mut pipe = Pipe::new(2);
        let (mut expected, mut compared) = (None::<Vec<[u64; 3]>>, 0);
        // Cycles until `done`, rows so far.
        let (mut waits, mut row, mut is_torn, mut resets) = (None::<usize>, 0, false, 0);
        passes(name, WindowHash::<BEAT_BITS, HASH>::default, cycles, 1, |uut, rng, cycle| {
            if let Some(expected) = expected.take() {
                for (n, hashes) in expected.iter().enumerate() {
                    let found = [&uut.eight[n], &uut.four[n], &uut.three[n]].map(|port| number(port.val()));
                    assert_eq!(found, *hashes, "lane {n}");
                }
                compared += 1;
            }
            // The rows change now and then; what was kept of the beat before is of no use then.
            assert_eq!(uut.done.val(), waits == Some(0), "cycle {cycle}");
            if uut.done.val() {
                waits = None;
            }
            uut.reset.next = false;
            uut.write.next = false;
            uut.valid.next = false;
            if let Some(cycles) = &mut waits {
                *cycles -= 1;
                if (3..250).contains(cycles) && rng.random_bool(0.002) {
                    // It ends half way; the tables are written by the next row.
                    uut.reset.next = true;
                    (waits, is_torn, resets) = (None, true, resets + 1);
                }
                expected = pipe.shift(None).flatten();
                return;
            }
            if row < SECRET_ROWS || is_torn || rng.random_bool(0.005) {
                // One row, or what no row has: nothing changes, and it takes as long.
                let n = if row < SECRET_ROWS { row } else { rng.random_range(0..2 * SECRET_ROWS) };
                let bits = rng.random::<u64>() >> (64 - HASH);
                if n < SECRET_ROWS {
                    secret.0[n] = bits;
                }
                uut.write.next = true;
                uut.row.next = (n as u64).to_bits();
                uut.data.next = to_bits(bits);
                row += 1;
                (waits, is_torn) = (Some(WRITE_CYCLES), false);
                stream.clear();
                expected = pipe.shift(None).flatten();
                return;
            }
            let valid = rng.random_bool(0.7);
            let bytes: Vec<u8> = (0..lanes).map(|_| rng.random()).collect();
            uut.beat.next = bits_of_bytes(&bytes);
            uut.valid.next = valid;
            let mut hashes = None;
            if valid {
                let before = stream.len();
                stream.extend(&bytes);
                if before >= BEFORE {
                    let of = |end: usize, bytes: usize| secret.hash(&stream[end - bytes..end], HASH);
                    let lane = |n: usize| [8, 4, 3].map(|bytes| of(before + n + 1, bytes));
                    hashes = Some((0..lanes).map(lane).collect());
                }
                let keep = stream.len() - BEFORE;
                stream.drain(..keep);
            }
            expected = pipe.shift(hashes).flatten();
        });
        assert!(row > SECRET_ROWS && resets > 0 && compared > cycles / 6, "{row} {resets} {compared}");
    }

    #[test]
    fn hashes_are_those_of_the_contract() {
        gate::<128, 32>("payload_hash_lab", 6000);
        gate::<512, 48>("payload_hash_line", 4500);
    }
}

//! Writes a row of the hash secret into the memories of every table of a kind ([`super::hash`]).
//!
//! ```text
//!                            .-----------.---> probing, probe               to stage 1 of the tables
//! write, index, data ------->| RowWriter |---> store, row0, row1, parity    to stage 2
//!            stage 2         '-----------'---> done
//! ```
//!
//! It goes through the values that a part of a key can have, one a cycle: first every table is given that value as all
//! parts of its masked key, and the parity of the value under each part of the row is found; a cycle later this is
//! stored. `done` pulses behind the last one; no packet may come in before. A reset ends it half way; the host then has no
//! answer to its COMMIT and loads the tables anew. Rows that no bucket number is long enough for change nothing.

use rust_hdl::core::prelude::*;
use rust_hdl::widgets::prelude::*;
use wiresift_abi::bits::LINE_BITS;
use wiresift_abi::command::INDEX;
use wiresift_abi::hash::INDEX_BITS;

use super::hash::{LutMemory, PARTS_MAX};
use super::sweep::Sweep;

/// Bits that a part is taken out with: as many as any has, and more.
const PART_BITS: usize = 8;

/// Writer of rows for hashes of `HASHED` bits into `1 << LOG2` buckets.
#[derive(LogicBlock)]
pub struct RowWriter<const HASHED: usize, const LOG2: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous, active high: stops the writing of a row.
    pub reset: Signal<In, Bit>,
    /// Writes a row.
    pub write: Signal<In, Bit>,
    /// Its number.
    pub index: Signal<In, Bits<{ INDEX.bits }>>,
    /// Its bits.
    pub data: Signal<In, Bits<HASHED>>,
    /// `probe` is to become the masked key of the next cycle.
    pub probing: Signal<Out, Bit>,
    /// The value, in every part.
    pub probe: Signal<Out, Bits<HASHED>>,
    /// The value of the cycle before is to be stored.
    pub store: Signal<Out, Bit>,
    /// The row, one-hot, where it is of way 0.
    pub row0: Signal<Out, Bits<LOG2>>,
    /// Where it is of way 1.
    pub row1: Signal<Out, Bits<LOG2>>,
    /// Parity of the value under each part of the row, a bit a part.
    pub parity: Signal<Out, Bits<PARTS_MAX>>,
    /// Pulse: the row counts.
    pub done: Signal<Out, Bit>,
    sweep: Sweep,
    row: DFF<Bits<HASHED>>,
    way0: DFF<Bits<LOG2>>,
    way1: DFF<Bits<LOG2>>,
    storing: DFF<Bit>,
    finished: DFF<Bit>,
    held: DFF<Bits<PARTS_MAX>>,
    new0: Signal<Local, Bits<LOG2>>,
    new1: Signal<Local, Bits<LOG2>>,
    value: Signal<Local, Bits<LINE_BITS>>,
    product: Signal<Local, Bits<LINE_BITS>>,
    sums: Signal<Local, Bits<PARTS_MAX>>,
    number0: Vec<Constant<Bits<{ INDEX.bits }>>>,
    number1: Vec<Constant<Bits<{ INDEX.bits }>>>,
    part_at: Vec<Constant<Bits<16>>>,
    part_mask: Constant<Bits<PART_BITS>>,
}

impl<const HASHED: usize, const LOG2: usize> RowWriter<HASHED, LOG2> {
    /// A writer for hashes in such memories.
    pub fn new(memory: LutMemory) -> Self {
        assert!((2..=INDEX_BITS).contains(&LOG2) && memory.address_bits() <= PART_BITS);
        let (bits, parts) = (memory.address_bits(), memory.parts(HASHED));
        assert!(parts * bits + PART_BITS <= LINE_BITS);
        let numbers = |way: usize| {
            (0..LOG2).map(|bit| Constant::new(((way * INDEX_BITS + bit) as u64).to_bits())).collect()
        };
        Self {
            clock: Signal::default(),
            reset: Signal::default(),
            write: Signal::default(),
            index: Signal::default(),
            data: Signal::default(),
            probing: Signal::default(),
            probe: Signal::default(),
            store: Signal::default(),
            row0: Signal::default(),
            row1: Signal::default(),
            parity: Signal::default(),
            done: Signal::default(),
            sweep: Sweep::new(1 << bits),
            row: DFF::default(),
            way0: DFF::default(),
            way1: DFF::default(),
            storing: DFF::default(),
            finished: DFF::default(),
            held: DFF::default(),
            new0: Signal::default(),
            new1: Signal::default(),
            value: Signal::default(),
            product: Signal::default(),
            sums: Signal::default(),
            number0: numbers(0),
            number1: numbers(1),
            part_at: (0..parts).map(|part| Constant::new(((part * bits) as u64).to_bits())).collect(),
            part_mask: Constant::new(((1u64 << bits) - 1).to_bits()),
        }
    }
}

impl<const HASHED: usize, const LOG2: usize> Logic for RowWriter<HASHED, LOG2> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, row, way0, way1, held, storing, finished);
        self.sweep.clock.next = self.clock.val();
        self.sweep.reset.next = self.reset.val();
        self.sweep.start.next = self.write.val();
        self.new0.next = 0.into();
        self.new1.next = 0.into();
        for i in 0..LOG2 {
            self.new0.next = self.new0.val().replace_bit(i, self.index.val() == self.number0[i].val());
            self.new1.next = self.new1.val().replace_bit(i, self.index.val() == self.number1[i].val());
        }
        if self.write.val() {
            self.row.d.next = self.data.val();
            self.way0.d.next = self.new0.val();
            self.way1.d.next = self.new1.val();
        }
        // A value, and its parity.
        self.value.next = 0.into();
        for i in 0..(self.part_at.len()) {
            self.value.next = self.value.val()
                | (bit_cast::<LINE_BITS, 16>(self.sweep.bucket.val()) << self.part_at[i].val());
        }
        self.probing.next = self.sweep.busy.val();
        self.probe.next = self.value.val().get_bits::<HASHED>(0);
        self.product.next = self.value.val() & bit_cast::<LINE_BITS, HASHED>(self.row.q.val());
        self.sums.next = 0.into();
        for i in 0..(self.part_at.len()) {
            self.sums.next = self.sums.val().replace_bit(
                i,
                (self.product.val().get_bits::<PART_BITS>(self.part_at[i].val().index())
                    & self.part_mask.val())
                .xor(),
            );
        }
        self.held.d.next = self.sums.val();
        // Stored a cycle later.
        self.storing.d.next = self.sweep.busy.val() & !self.reset.val();
        self.store.next = self.storing.q.val();
        self.parity.next = self.held.q.val();
        self.row0.next = self.way0.q.val();
        self.row1.next = self.way1.q.val();
        self.finished.d.next = self.sweep.done.val() & !self.reset.val();
        self.done.next = self.finished.q.val();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use rand::Rng;
    use rand_chacha::ChaCha8Rng;
    use wiresift_abi::bits::{Field, Line};
    use wiresift_abi::geometry::WAYS;
    use wiresift_abi::hash::{ROWS, Secret};
    use wiresift_abi::vector::{DST, HASHED_BITS, Key, SPORT, SRC};

    use super::super::hash::{Hash, NARROW_HASHED};
    use super::super::testing::{bits_of, random_line};
    use super::*;
    use crate::gate::{Clocked, passes};

    /// A writer, and one hash behind the register of a masked key, as a table has them.
    #[derive(LogicBlock)]
    struct Hashed<const HASHED: usize, const LOG2: usize> {
        clock: Signal<In, Clock>,
        reset: Signal<In, Bit>,
        write: Signal<In, Bit>,
        index: Signal<In, Bits<{ INDEX.bits }>>,
        data: Signal<In, Bits<HASHED>>,
        key: Signal<In, Bits<HASHED>>,
        way0: Signal<Out, Bits<LOG2>>,
        way1: Signal<Out, Bits<LOG2>>,
        done: Signal<Out, Bit>,
        writer: RowWriter<HASHED, LOG2>,
        hash: Hash<HASHED, LOG2>,
        held_key: DFF<Bits<HASHED>>,
    }

    impl<const HASHED: usize, const LOG2: usize> Hashed<HASHED, LOG2> {
        fn new(memory: LutMemory) -> Self {
            Self {
                clock: Signal::default(),
                reset: Signal::default(),
                write: Signal::default(),
                index: Signal::default(),
                data: Signal::default(),
                key: Signal::default(),
                way0: Signal::default(),
                way1: Signal::default(),
                done: Signal::default(),
                writer: RowWriter::new(memory),
                hash: Hash::new(memory),
                held_key: DFF::default(),
            }
        }
    }

    impl<const HASHED: usize, const LOG2: usize> Logic for Hashed<HASHED, LOG2> {
        #[hdl_gen]
        fn update(&mut self) {
            dff_setup!(self, clock, held_key);
            self.writer.clock.next = self.clock.val();
            self.writer.reset.next = self.reset.val();
            self.writer.write.next = self.write.val();
            self.writer.index.next = self.index.val();
            self.writer.data.next = self.data.val();
            self.held_key.d.next = self.key.val();
            if self.writer.probing.val() {
                self.held_key.d.next = self.writer.probe.val();
            }
            self.hash.clock.next = self.clock.val();
            self.hash.key.next = self.held_key.q.val();
            self.hash.store.next = self.writer.store.val();
            self.hash.row0.next = self.writer.row0.val();
            self.hash.row1.next = self.writer.row1.val();
            self.hash.parity.next = self.writer.parity.val();
            self.way0.next = self.hash.way0.val();
            self.way1.next = self.hash.way1.val();
            self.done.next = self.writer.done.val();
        }
    }

    impl<const HASHED: usize, const LOG2: usize> Clocked for Hashed<HASHED, LOG2> {
        fn clock(&mut self) -> &mut Signal<In, Clock> {
            &mut self.clock
        }
    }

    /// The bits that a narrow table hashes, closed up.
    fn narrowed(line: &Line) -> Line {
        const REST_BITS: usize = HASHED_BITS - SPORT.lsb;
        let rest = Field::new("rest", SPORT.lsb, REST_BITS);
        Line::default()
            .with(Field::new("src", 0, 32), line.get(SRC) >> 96)
            .with(Field::new("dst", 32, 32), line.get(DST) >> 96)
            .with(Field::new("rest", 64, REST_BITS), line.get(rest))
    }

    /// All rows, then rows in any order, each followed by some keys; now and then a reset, and another row in its place.
    fn agrees_with_the_contract<const HASHED: usize, const LOG2: usize>(name: &str, memory: LutMemory) {
        const ROUNDS: usize = 2 * ROWS;
        let narrow = HASHED == NARROW_HASHED;
        let values = 1 << memory.address_bits();
        let line_of = |line: &Line| if narrow { narrowed(line) } else { *line };
        let random_key = |rng: &mut ChaCha8Rng| {
            let line = random_line(rng).with(Field::new("aux", HASHED_BITS, 16), 0);
            if !narrow {
                return line;
            }
            line.with(SRC, line.get(SRC) >> 96 << 96).with(DST, line.get(DST) >> 96 << 96)
        };
        let mut secret = Secret([Key::default(); ROWS]);
        let mut key = Line::default();
        // Cycles since the row was given, keys left behind it, rows so far, the one that a reset ended.
        let (mut waits, mut left, mut rounds, mut resets, mut checked) = (None::<usize>, 0, 0, 0, 0);
        let (mut index, mut is_open) = (0, false);
        let cycles = ROUNDS * (values + 3 + 8);
        passes(
            name,
            || Hashed::<HASHED, LOG2>::new(memory),
            cycles,
            2,
            |uut, rng, _| {
                if let Some(cycles) = &mut waits {
                    *cycles += 1;
                    assert_eq!(uut.done.val(), *cycles == values + 2, "{cycles}");
                    if uut.done.val() {
                        (waits, left) = (None, 6);
                    }
                } else {
                    assert!(!uut.done.val());
                    left -= usize::from(left > 0);
                    // Every row was written once.
                    if rounds >= ROWS && (1..5).contains(&left) {
                        let masked = Key::of(&key);
                        let buckets: Vec<_> =
                            (0..WAYS).map(|way| secret.bucket(&masked, way, LOG2 as u32)).collect();
                        assert_eq!([uut.way0.val().index(), uut.way1.val().index()], *buckets);
                        checked += 1;
                    }
                }
                key = random_key(rng);
                uut.key.next = bits_of(&line_of(&key));
                uut.reset.next = false;
                uut.write.next = false;
                if waits.is_some_and(|cycles| cycles > 3) && rng.random_bool(0.002) {
                    // It ends half way; the row is given again.
                    uut.reset.next = true;
                    (waits, is_open, resets) = (None, true, resets + 1);
                } else if waits.is_none() && left == 0 {
                    if !is_open {
                        index = if rounds < ROWS { rounds } else { rng.random_range(0..ROWS + 8) };
                        rounds += 1;
                    }
                    let row = random_line(rng);
                    uut.write.next = true;
                    uut.index.next = (index as u64).to_bits();
                    uut.data.next = bits_of(&line_of(&row));
                    if index < ROWS {
                        secret.0[index] = Key::of(&row);
                    }
                    (waits, is_open) = (Some(0), false);
                }
            },
        );
        assert!(rounds > ROUNDS - 4 && resets > 0 && checked > 3 * ROWS, "{rounds} {resets} {checked}");
    }

    #[test]
    fn buckets_are_those_of_the_contract() {
        agrees_with_the_contract::<NARROW_HASHED, 9>("hash_narrow_words", LutMemory::Words16);
        agrees_with_the_contract::<HASHED_BITS, 9>("hash_wide_words", LutMemory::Words16);
        agrees_with_the_contract::<NARROW_HASHED, 9>("hash_narrow_bits", LutMemory::Bits64);
        agrees_with_the_contract::<HASHED_BITS, 12>("hash_wide_bits", LutMemory::Bits64);
    }
}

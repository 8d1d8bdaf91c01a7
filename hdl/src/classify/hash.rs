//! The keyed hash that finds the buckets of every table of a kind (`abi::hash`), and its secret.
//!
//! ```text
//! write, index, data ----->.--------.---> way0[n], way1[n]   buckets of table n, same cycle
//! masked[n] -------------->| Hasher |
//!                          '--------'
//! ```
//!
//! Bit `j` of a bucket is the parity of the masked key under a row of the secret: AND and XOR of 112 bits in a
//! narrow table, of 304 bits in a wide one, four logic levels of six inputs. The rows are registers, shared by
//! all tables of a kind; a row that is written counts from the next cycle on. Rows that no bucket number is
//! long enough for are not kept.

use rust_hdl::core::prelude::*;
use rust_hdl::widgets::prelude::*;
use wiresift_abi::bits::Field;
use wiresift_abi::command::INDEX;
use wiresift_abi::entry::{NARROW_DST, NARROW_SRC};
use wiresift_abi::hash::INDEX_BITS;
use wiresift_abi::vector::{DST, HASHED_BITS, SPORT, SRC};

/// Bits of an address in a narrow table.
pub const NARROW_ADDRESS: usize = NARROW_SRC.bits;
/// Bits of the hashed fields behind the addresses.
const REST_BITS: usize = HASHED_BITS - SPORT.lsb;
/// Bits that a narrow table hashes.
pub const NARROW_HASHED: usize = NARROW_SRC.bits + NARROW_DST.bits + REST_BITS;

/// Lowest of the bits of an address that a narrow table has.
pub const fn narrow_lsb(address: Field) -> usize {
    address.end() - NARROW_ADDRESS
}

/// Leaves the bits that a narrow table hashes. Wires only.
#[derive(LogicBlock)]
pub struct Narrow {
    /// Hashed bits of a header vector, a mask or a row.
    pub wide: Signal<In, Bits<HASHED_BITS>>,
    /// Those that a narrow table has, closed up.
    pub narrow: Signal<Out, Bits<NARROW_HASHED>>,
    src: Signal<Local, Bits<NARROW_ADDRESS>>,
    dst: Signal<Local, Bits<NARROW_ADDRESS>>,
    rest: Signal<Local, Bits<REST_BITS>>,
    src_at: Constant<Bits<16>>,
    dst_at: Constant<Bits<16>>,
    rest_at: Constant<Bits<16>>,
    dst_to: Constant<Bits<16>>,
    rest_to: Constant<Bits<16>>,
}

impl Default for Narrow {
    fn default() -> Self {
        let place = |bit: usize| Constant::new((bit as u64).to_bits());
        Self {
            wide: Signal::default(),
            narrow: Signal::default(),
            src: Signal::default(),
            dst: Signal::default(),
            rest: Signal::default(),
            src_at: place(narrow_lsb(SRC)),
            dst_at: place(narrow_lsb(DST)),
            rest_at: place(SPORT.lsb),
            dst_to: place(NARROW_ADDRESS),
            rest_to: place(2 * NARROW_ADDRESS),
        }
    }
}

impl Logic for Narrow {
    #[hdl_gen]
    fn update(&mut self) {
        self.src.next = self.wide.val().get_bits::<NARROW_ADDRESS>(self.src_at.val().index());
        self.dst.next = self.wide.val().get_bits::<NARROW_ADDRESS>(self.dst_at.val().index());
        self.rest.next = self.wide.val().get_bits::<REST_BITS>(self.rest_at.val().index());
        self.narrow.next = bit_cast::<NARROW_HASHED, NARROW_ADDRESS>(self.src.val())
            | (bit_cast::<NARROW_HASHED, NARROW_ADDRESS>(self.dst.val()) << self.dst_to.val())
            | (bit_cast::<NARROW_HASHED, REST_BITS>(self.rest.val()) << self.rest_to.val());
    }
}

/// Rows of the secret, and the hash of keys of `HASHED` bits into `1 << LOG2` buckets a way.
#[derive(LogicBlock)]
pub struct Hasher<const HASHED: usize, const LOG2: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Writes a row.
    pub write: Signal<In, Bit>,
    /// Number of the row.
    pub index: Signal<In, Bits<{ INDEX.bits }>>,
    /// Its bits.
    pub data: Signal<In, Bits<HASHED>>,
    /// Masked key of each table.
    pub masked: Vec<Signal<In, Bits<HASHED>>>,
    /// Its bucket in way 0.
    pub way0: Vec<Signal<Out, Bits<LOG2>>>,
    /// Its bucket in way 1.
    pub way1: Vec<Signal<Out, Bits<LOG2>>>,
    row0: Vec<DFF<Bits<HASHED>>>,
    row1: Vec<DFF<Bits<HASHED>>>,
    sum: Signal<Local, Bits<LOG2>>,
    number0: Vec<Constant<Bits<{ INDEX.bits }>>>,
    number1: Vec<Constant<Bits<{ INDEX.bits }>>>,
}

impl<const HASHED: usize, const LOG2: usize> Hasher<HASHED, LOG2> {
    /// A hasher for `tables` tables.
    pub fn new(tables: usize) -> Self {
        assert!((2..=INDEX_BITS).contains(&LOG2));
        let numbers = |way: usize| {
            (0..LOG2).map(|bit| Constant::new(((way * INDEX_BITS + bit) as u64).to_bits())).collect()
        };
        Self {
            clock: Signal::default(),
            write: Signal::default(),
            index: Signal::default(),
            data: Signal::default(),
            masked: vec![Signal::default(); tables],
            way0: vec![Signal::default(); tables],
            way1: vec![Signal::default(); tables],
            row0: vec![DFF::default(); LOG2],
            row1: vec![DFF::default(); LOG2],
            sum: Signal::default(),
            number0: numbers(0),
            number1: numbers(1),
        }
    }
}

impl<const HASHED: usize, const LOG2: usize> Logic for Hasher<HASHED, LOG2> {
    #[hdl_gen]
    fn update(&mut self) {
        for i in 0..LOG2 {
            self.row0[i].clock.next = self.clock.val();
            self.row1[i].clock.next = self.clock.val();
            self.row0[i].d.next = self.row0[i].q.val();
            self.row1[i].d.next = self.row1[i].q.val();
            if self.write.val() & (self.index.val() == self.number0[i].val()) {
                self.row0[i].d.next = self.data.val();
            }
            if self.write.val() & (self.index.val() == self.number1[i].val()) {
                self.row1[i].d.next = self.data.val();
            }
        }
        for n in 0..(self.masked.len()) {
            self.sum.next = 0.into();
            for i in 0..LOG2 {
                self.sum.next =
                    self.sum.val().replace_bit(i, (self.masked[n].val() & self.row0[i].q.val()).xor());
            }
            self.way0[n].next = self.sum.val();
            self.sum.next = 0.into();
            for i in 0..LOG2 {
                self.sum.next =
                    self.sum.val().replace_bit(i, (self.masked[n].val() & self.row1[i].q.val()).xor());
            }
            self.way1[n].next = self.sum.val();
        }
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
    use wiresift_abi::vector::Key;

    use super::super::testing::{bits_of, random_line};
    use super::*;
    use crate::gate::passes;

    /// The bits that a narrow table hashes, closed up.
    fn narrowed(line: &Line) -> Line {
        let rest = Field::new("rest", SPORT.lsb, REST_BITS);
        Line::default()
            .with(Field::new("src", 0, 32), line.get(SRC) >> 96)
            .with(Field::new("dst", 32, 32), line.get(DST) >> 96)
            .with(Field::new("rest", 64, REST_BITS), line.get(rest))
    }

    fn agrees_with_the_contract<const HASHED: usize, const LOG2: usize>(name: &str) {
        let narrow = HASHED == NARROW_HASHED;
        let mut secret = Secret([Key::default(); ROWS]);
        let mut masked = [Key::default(); 2];
        let mut rows_written = 0;
        let line_of = |line: &Line| if narrow { narrowed(line) } else { *line };
        let key = |rng: &mut ChaCha8Rng| {
            let mut line = random_line(rng);
            if narrow {
                line = line.with(SRC, line.get(SRC) >> 96 << 96).with(DST, line.get(DST) >> 96 << 96);
            }
            (Key::of(&line), line)
        };
        passes(
            name,
            || Hasher::<HASHED, LOG2>::new(2),
            600,
            2,
            |uut, rng, cycle| {
                for (n, masked) in masked.iter().enumerate() {
                    let buckets: Vec<_> =
                        (0..WAYS).map(|way| secret.bucket(masked, way, LOG2 as u32)).collect();
                    let found = [uut.way0[n].val().index(), uut.way1[n].val().index()];
                    assert!(cycle == 0 || found == *buckets, "{found:?} {buckets:?}");
                }
                for (n, masked) in masked.iter_mut().enumerate() {
                    let (new, line) = key(rng);
                    let mut hashed = line.to_owned();
                    hashed.set(Field::new("aux", HASHED_BITS, 16), 0);
                    *masked = Key::of(&hashed);
                    assert!(new.0[..4] == masked.0[..4]);
                    uut.masked[n].next = bits_of(&line_of(&hashed));
                }
                let index = rng.random_range(0..ROWS + 8);
                let row = random_line(rng);
                uut.write.next = rng.random_bool(0.3);
                uut.index.next = (index as u64).to_bits();
                uut.data.next = bits_of(&line_of(&row));
                if uut.write.next && index < ROWS {
                    secret.0[index] = Key::of(&row);
                    rows_written += 1;
                }
            },
        );
        assert!(rows_written > ROWS);
    }

    #[test]
    fn buckets_are_those_of_the_contract() {
        agrees_with_the_contract::<NARROW_HASHED, 9>("hasher_narrow");
        agrees_with_the_contract::<HASHED_BITS, 12>("hasher_wide");
    }
}

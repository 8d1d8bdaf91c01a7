//! Presence bits: which patterns of one or two bytes are anywhere in an element.
//!
//! ```text
//!                       .----------.
//! valid, beat, line --->| Presence |---> present   a bit for each short pattern
//! take ---------------->|          |     of the oldest element, the cycle after `take`
//!                       '----------'
//! ```
//!
//! A RAM says for every value of a byte which patterns it may begin and which it may end
//! ([`wiresift_abi::payload::short`]); two lanes share one, each at a port of its own. A pattern is at a byte that may end it
//! behind one that may begin it. Six cycles, whatever the beats: the rows are read, held, put together with
//! their neighbours in groups of lanes, the groups put together, gathered up to the end of the element, and stored. A
//! command writes the row of a byte where rows are read, so it counts for every beat behind it and for none before it. A CLEAR
//! empties them all, in fewer cycles than packets wait for it.

use rust_hdl::core::prelude::*;
use rust_hdl::widgets::prelude::*;
use wiresift_abi::bits::LINE_BITS;
use wiresift_abi::command::{DATA_LSB, INDEX, OPCODE, Opcode};
use wiresift_abi::geometry::Geometry;
use wiresift_abi::payload::short::OCTETS;

use super::bitmaps::PairRam;
use super::layout::{BYTES_BITS, Beat};
use crate::classify::sweep::Sweep;
use crate::prim::ram::{Ram, RamStyle};

/// Bits of a byte.
const OCTET_BITS: usize = 8;
/// Lanes that are put together in one cycle.
const GROUP: usize = 8;

const _: () = assert!(OCTETS == 1 << OCTET_BITS);

type Number = Constant<Bits<16>>;

/// `SHORT` presence bits of elements in beats of `LANES` bytes, `1 << FLIGHT_LOG2` elements of which may wait; `ROW` is
/// `2 * SHORT`.
#[derive(LogicBlock)]
pub struct Presence<const LANES: usize, const SHORT: usize, const ROW: usize, const FLIGHT_LOG2: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous, active high: forgets the elements inside.
    pub reset: Signal<In, Bit>,
    /// There is a beat.
    pub valid: Signal<In, Bit>,
    /// What it is.
    pub beat: Signal<In, Beat>,
    /// The last bytes of the stream, the beat at the top.
    pub line: Signal<In, Bits<LINE_BITS>>,
    /// The bits of the oldest element are asked for, six cycles after its last beat or later.
    pub take: Signal<In, Bit>,
    /// Bit `n`: pattern `n` is there.
    pub present: Signal<Out, Bits<SHORT>>,
    rows: Vec<PairRam<ROW, OCTET_BITS>>,
    sweep: Sweep,
    ring: Ram<SHORT, FLIGHT_LOG2>,
    enters: DFF<Bits<FLIGHT_LOG2>>,
    leaves: DFF<Bits<FLIGHT_LOG2>>,
    /// Lanes that hold a byte of a packet.
    has1: DFF<Bits<LANES>>,
    valid1: DFF<Bit>,
    last1: DFF<Bit>,
    /// By lane: what its byte may begin, and what it may end.
    begins2: Vec<DFF<Bits<SHORT>>>,
    ends2: Vec<DFF<Bits<SHORT>>>,
    valid2: DFF<Bit>,
    last2: DFF<Bit>,
    /// What the last byte of the beat before may begin.
    carried: DFF<Bits<SHORT>>,
    /// By group of lanes.
    groups3: Vec<DFF<Bits<SHORT>>>,
    valid3: DFF<Bit>,
    last3: DFF<Bit>,
    found4: DFF<Bits<SHORT>>,
    valid4: DFF<Bit>,
    last4: DFF<Bit>,
    /// Of the beats before.
    gathered: DFF<Bits<SHORT>>,
    opcode: Signal<Local, Bits<16>>,
    index: Signal<Local, Bits<16>>,
    above: Signal<Local, Bits<16>>,
    is_command: Signal<Local, Bit>,
    writes: Signal<Local, Bit>,
    written: Signal<Local, Bits<OCTET_BITS>>,
    row: Signal<Local, Bits<ROW>>,
    has: Signal<Local, Bits<LANES>>,
    last_beat: Signal<Local, Beat>,
    octet: Vec<Signal<Local, Bits<OCTET_BITS>>>,
    previous: Vec<Signal<Local, Bits<SHORT>>>,
    begun: Signal<Local, Bits<SHORT>>,
    ended: Signal<Local, Bits<SHORT>>,
    some: Signal<Local, Bits<SHORT>>,
    opcode_at: Number,
    index_at: Number,
    data_at: Number,
    octet_bits: Number,
    op_clear: Number,
    op_short: Number,
    ends_at: Number,
    lanes: Vec<Constant<Bits<BYTES_BITS>>>,
    lane_at: Vec<Number>,
    none: Constant<Bits<LANES>>,
    nothing: Constant<Bits<SHORT>>,
    no_row: Constant<Bits<ROW>>,
    one: Constant<Bits<FLIGHT_LOG2>>,
}

impl<const LANES: usize, const SHORT: usize, const ROW: usize, const FLIGHT_LOG2: usize>
    Presence<LANES, SHORT, ROW, FLIGHT_LOG2>
{
    /// For a geometry whose sizes are the parameters.
    ///
    /// # Panics
    /// Where they are not.
    pub fn new(geometry: &Geometry) -> Self {
        assert!(LANES == geometry.beat_bytes && LANES.is_multiple_of(GROUP));
        assert!(SHORT == geometry.payload.short_patterns && ROW == 2 * SHORT);
        assert!(1 << FLIGHT_LOG2 == geometry.packets_in_flight);
        let number = |n: usize| Constant::new((n as u64).to_bits());
        Self {
            clock: Signal::default(),
            reset: Signal::default(),
            valid: Signal::default(),
            beat: Signal::default(),
            line: Signal::default(),
            take: Signal::default(),
            present: Signal::default(),
            rows: (0..LANES / 2).map(|_| PairRam::new(RamStyle::Block)).collect(),
            sweep: Sweep::new(OCTETS),
            ring: Ram::without_collisions(RamStyle::Distributed),
            enters: DFF::default(),
            leaves: DFF::default(),
            has1: DFF::default(),
            valid1: DFF::default(),
            last1: DFF::default(),
            begins2: vec![DFF::default(); LANES],
            ends2: vec![DFF::default(); LANES],
            valid2: DFF::default(),
            last2: DFF::default(),
            carried: DFF::default(),
            groups3: vec![DFF::default(); LANES / GROUP],
            valid3: DFF::default(),
            last3: DFF::default(),
            found4: DFF::default(),
            valid4: DFF::default(),
            last4: DFF::default(),
            gathered: DFF::default(),
            opcode: Signal::default(),
            index: Signal::default(),
            above: Signal::default(),
            is_command: Signal::default(),
            writes: Signal::default(),
            written: Signal::default(),
            row: Signal::default(),
            has: Signal::default(),
            last_beat: Signal::default(),
            octet: vec![Signal::default(); LANES],
            previous: vec![Signal::default(); LANES],
            begun: Signal::default(),
            ended: Signal::default(),
            some: Signal::default(),
            opcode_at: number(OPCODE.lsb),
            index_at: number(INDEX.lsb),
            data_at: number(DATA_LSB),
            octet_bits: number(OCTET_BITS),
            op_clear: number(Opcode::Clear as usize),
            op_short: number(Opcode::WriteShort as usize),
            ends_at: number(SHORT),
            lanes: (0..LANES as u64).map(|n| Constant::new(n.to_bits())).collect(),
            lane_at: (0..LANES).map(|n| number(LINE_BITS - OCTET_BITS * (LANES - n))).collect(),
            none: Constant::new(Bits::default()),
            nothing: Constant::new(Bits::default()),
            no_row: Constant::new(Bits::default()),
            one: Constant::new(1u64.to_bits()),
        }
    }
}

impl<const LANES: usize, const SHORT: usize, const ROW: usize, const FLIGHT_LOG2: usize> Logic
    for Presence<LANES, SHORT, ROW, FLIGHT_LOG2>
{
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self, clock, enters, leaves, has1, valid1, last1, valid2, last2, carried, valid3, last3, found4,
            valid4, last4, gathered
        );
        self.sweep.clock.next = self.clock.val();
        self.sweep.reset.next = self.reset.val();
        self.ring.clock.next = self.clock.val();
        // Commands.
        self.opcode.next = bit_cast::<16, 8>(self.line.val().get_bits::<8>(self.opcode_at.val().index()));
        self.index.next = self.line.val().get_bits::<16>(self.index_at.val().index());
        self.above.next = self.index.val() >> self.octet_bits.val();
        self.is_command.next = self.valid.val() & self.beat.val().command & self.beat.val().last;
        self.sweep.start.next = self.is_command.val() & (self.opcode.val() == self.op_clear.val());
        self.writes.next = self.sweep.busy.val()
            | (self.is_command.val() & (self.opcode.val() == self.op_short.val()) & !self.above.val().any());
        self.written.next = self.index.val().get_bits::<OCTET_BITS>(0);
        self.row.next = self.line.val().get_bits::<ROW>(self.data_at.val().index());
        if self.sweep.busy.val() {
            self.written.next = self.sweep.bucket.val().get_bits::<OCTET_BITS>(0);
            self.row.next = self.no_row.val();
        }
        // Cycle 1: the rows of all bytes are read.
        for i in 0..LANES {
            self.octet[i].next = self.line.val().get_bits::<OCTET_BITS>(self.lane_at[i].val().index());
        }
        for i in 0..(self.rows.len()) {
            self.rows[i].clock.next = self.clock.val();
            self.rows[i].write.next = self.writes.val();
            self.rows[i].write_data.next = self.row.val();
            self.rows[i].address_a.next = self.octet[i * 2].val();
            if self.writes.val() {
                self.rows[i].address_a.next = self.written.val();
            }
            self.rows[i].address_b.next = self.octet[i * 2 + 1].val();
        }
        self.last_beat.next = self.beat.val();
        self.has.next = 0.into();
        for i in 0..LANES {
            self.has.next = self.has.val().replace_bit(i, self.lanes[i].val() < self.last_beat.val().bytes);
        }
        if self.last_beat.val().command | !self.valid.val() {
            self.has.next = self.none.val();
        }
        self.has1.d.next = self.has.val();
        self.valid1.d.next = self.valid.val();
        self.last1.d.next = self.beat.val().last;
        // Cycle 2: they are held; what lies behind the packet ends nothing.
        for i in 0..(self.rows.len()) {
            self.row.next = self.rows[i].data_a.val();
            self.begins2[i * 2].d.next = self.row.val().get_bits::<SHORT>(0);
            self.ends2[i * 2].d.next = self.row.val().get_bits::<SHORT>(self.ends_at.val().index());
            if !self.has1.q.val().get_bit(i * 2) {
                self.ends2[i * 2].d.next = self.nothing.val();
            }
            self.row.next = self.rows[i].data_b.val();
            self.begins2[i * 2 + 1].d.next = self.row.val().get_bits::<SHORT>(0);
            self.ends2[i * 2 + 1].d.next = self.row.val().get_bits::<SHORT>(self.ends_at.val().index());
            if !self.has1.q.val().get_bit(i * 2 + 1) {
                self.ends2[i * 2 + 1].d.next = self.nothing.val();
            }
        }
        for i in 0..LANES {
            self.begins2[i].clock.next = self.clock.val();
            self.ends2[i].clock.next = self.clock.val();
        }
        self.valid2.d.next = self.valid1.q.val();
        self.last2.d.next = self.last1.q.val();
        // Cycle 3: with the byte before, which may be in the beat before.
        self.previous[0].next = self.carried.q.val();
        for i in 1..LANES {
            self.previous[i].next = self.begins2[i - 1].q.val();
        }
        for i in (LANES - 1)..LANES {
            self.begun.next = self.begins2[i].q.val();
        }
        if self.valid2.q.val() {
            self.carried.d.next = self.begun.val();
            if self.last2.q.val() {
                self.carried.d.next = self.nothing.val();
            }
        }
        for group in GROUP..(GROUP + 1) {
            for g in 0..(self.groups3.len()) {
                self.groups3[g].clock.next = self.clock.val();
                self.some.next = self.nothing.val();
                for i in 0..GROUP {
                    self.begun.next = self.previous[g * group + i].val();
                    self.ended.next = self.ends2[g * group + i].q.val();
                    self.some.next = self.some.val() | (self.begun.val() & self.ended.val());
                }
                self.groups3[g].d.next = self.some.val();
            }
        }
        self.valid3.d.next = self.valid2.q.val();
        self.last3.d.next = self.last2.q.val();
        // Cycle 4: the beat.
        self.some.next = self.nothing.val();
        for g in 0..(self.groups3.len()) {
            self.some.next = self.some.val() | self.groups3[g].q.val();
        }
        self.found4.d.next = self.some.val();
        self.valid4.d.next = self.valid3.q.val();
        self.last4.d.next = self.last3.q.val();
        // Cycle 5: the element, and its place in the ring.
        self.some.next = self.gathered.q.val() | self.found4.q.val();
        self.gathered.d.next = self.some.val();
        self.ring.write_enable.next = self.valid4.q.val() & self.last4.q.val();
        self.ring.write_address.next = self.enters.q.val();
        self.ring.write_data.next = self.some.val();
        if self.valid4.q.val() & self.last4.q.val() {
            self.gathered.d.next = self.nothing.val();
            self.enters.d.next = self.enters.q.val() + self.one.val();
        }
        self.ring.read_enable.next = self.take.val();
        self.ring.read_address.next = self.leaves.q.val();
        if self.take.val() {
            self.leaves.d.next = self.leaves.q.val() + self.one.val();
        }
        self.present.next = self.ring.read_data.val();
        if self.reset.val() {
            self.enters.d.next = 0.into();
            self.leaves.d.next = 0.into();
            self.valid1.d.next = false;
            self.has1.d.next = self.none.val();
            self.valid2.d.next = false;
            self.valid3.d.next = false;
            self.valid4.d.next = false;
            self.carried.d.next = self.nothing.val();
            self.gathered.d.next = self.nothing.val();
            for i in 0..LANES {
                self.ends2[i].d.next = self.nothing.val();
            }
            for g in 0..(self.groups3.len()) {
                self.groups3[g].d.next = self.nothing.val();
            }
            self.found4.d.next = self.nothing.val();
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::collections::VecDeque;

    use rand::Rng;
    use rand::seq::IndexedRandom;
    use rand_chacha::ChaCha8Rng;
    use wiresift_abi::command::Command;
    use wiresift_abi::geometry::{LAB, LINE};
    use wiresift_abi::payload::short::{ShortPattern, ShortPatterns};

    use super::super::testing::{Stream, bits_of_bytes};
    use super::*;
    use crate::gate::{mapped_cells, passes};

    /// Few different bytes, so that two that are sought stand side by side now and then.
    const ALPHABET: &[u8] = b"aAbB0 \x00\xff";

    type Wanted = (Vec<u8>, bool);

    fn random_patterns(rng: &mut ChaCha8Rng, count: usize) -> Vec<Wanted> {
        let mut patterns: Vec<Wanted> = Vec::new();
        while patterns.len() < count {
            let length = if rng.random_bool(0.03) { 1 } else { 2 };
            let bytes: Vec<u8> = (0..length)
                .map(|_| if rng.random_bool(0.85) { *ALPHABET.choose(rng).unwrap() } else { rng.random() })
                .collect();
            let pattern = (bytes, rng.random());
            if !patterns.contains(&pattern) {
                patterns.push(pattern);
            }
        }
        patterns
    }

    /// Whether bytes are in a packet, and not its first byte alone.
    fn is_in((bytes, nocase): &Wanted, packet: &[u8]) -> bool {
        let windows = packet.windows(bytes.len()).skip(2 - bytes.len());
        windows
            .into_iter()
            .any(|window| if *nocase { window.eq_ignore_ascii_case(bytes) } else { window == &bytes[..] })
    }

    fn gate<const L: usize, const S: usize, const R: usize, const F: usize>(
        name: &str,
        geometry: &'static Geometry,
        cycles: usize,
    ) {
        let mut stream = Stream::new(geometry);
        let mut short = ShortPatterns::empty(geometry);
        // By bit: what is there, for every element behind the commands that are still to go.
        let mut wanted: Vec<Option<Wanted>> = vec![None; S];
        let mut commands: VecDeque<Command> = VecDeque::new();
        let mut pauses = 0;
        let mut element: Option<(Vec<u8>, bool, usize)> = None;
        // When an element ended, and its bits.
        let mut inside: VecDeque<(usize, Vec<bool>)> = VecDeque::new();
        let mut expected: Option<Vec<bool>> = None;
        let (mut there, mut not_there, mut clears, mut most) = (0, 0, 0, 0);
        passes(
            name,
            || Presence::<L, S, R, F>::new(geometry),
            cycles,
            7,
            |uut, rng, cycle| {
                if let Some(expected) = expected.take() {
                    let present: Vec<bool> = (0..S).map(|n| uut.present.val().get_bit(n)).collect();
                    assert_eq!(present, expected, "cycle {cycle}");
                }
                uut.reset.next = cycle == 0 || cycle == cycles / 2;
                uut.valid.next = false;
                uut.take.next = false;
                if uut.reset.next {
                    (element, inside) = (None, VecDeque::new());
                    return;
                }
                let slow = cycle % 1000 < 400;
                if inside.front().is_some_and(|(ended, _)| *ended + 6 <= cycle)
                    && rng.random_bool(if slow { 0.2 } else { 0.9 })
                {
                    let (_, bits) = inside.pop_front().unwrap();
                    for bit in &bits {
                        if *bit { there += 1 } else { not_there += 1 }
                    }
                    uut.take.next = true;
                    expected = Some(bits);
                }
                most = most.max(inside.len());
                if pauses > 0 {
                    pauses -= 1;
                    return;
                }
                if rng.random_bool(0.1) {
                    return;
                }
                let (bytes, is_command, at) = element.take().unwrap_or_else(|| {
                    if commands.is_empty() && rng.random_bool(if clears == 0 { 0.1 } else { 0.004 }) {
                        let count = rng.random_range(0..=S + 2);
                        let texts = random_patterns(rng, count);
                        let before = if clears == 0 || rng.random_bool(0.3) {
                            clears += 1;
                            commands.push_back(Command::new(Opcode::Clear, 0));
                            ShortPatterns::empty(geometry)
                        } else {
                            short.clone()
                        };
                        let patterns: Vec<ShortPattern> = texts
                            .iter()
                            .map(|(bytes, nocase)| ShortPattern::new(bytes, *nocase).unwrap())
                            .collect();
                        let (next, bits) = before.next(&patterns);
                        commands.extend(next.changes(&before));
                        short = next;
                        wanted = vec![None; S];
                        for (bit, text) in bits.into_iter().zip(texts) {
                            if let Some(bit) = bit {
                                wanted[usize::from(bit)] = Some(text);
                            }
                        }
                    }
                    if let Some(command) = commands.pop_front() {
                        return (command.to_line().0.to_vec(), true, 0);
                    }
                    let length = *[0, 1, 2, L - 1, L, L + 1, 2 * L, 3 * L + 5, 90].choose(rng).unwrap();
                    let few = rng.random_bool(0.7);
                    let one = |rng: &mut ChaCha8Rng| {
                        if few { *ALPHABET.choose(rng).unwrap() } else { rng.random() }
                    };
                    ((0..length).map(|_| one(rng)).collect(), false, 0)
                });
                // As many as hold a credit.
                if inside.len() == 1 << F {
                    element = Some((bytes, is_command, at));
                    return;
                }
                let beat = stream.beat(&bytes, at, is_command);
                uut.valid.next = true;
                uut.beat.next = beat;
                uut.line.next = bits_of_bytes(&stream.line);
                if !beat.last {
                    element = Some((bytes, is_command, at + L));
                    return;
                }
                let is = |text: &Option<Wanted>| text.as_ref().is_some_and(|text| is_in(text, &bytes));
                let bits = wanted.iter().map(|text| !is_command && is(text)).collect();
                inside.push_back((cycle, bits));
                if is_command && bytes[0] == Opcode::Clear as u8 {
                    pauses = OCTETS + 3;
                }
            },
        );
        println!("{name}: {there} there, {not_there} not, {clears} cleared, {most} waited");
        assert!(there > cycles / 8 && not_there > cycles && clears > 0 && most > 1 << (F - 1));
    }

    #[test]
    fn a_short_pattern_is_seen_wherever_it_is() {
        gate::<16, 8, 16, 6>("payload_presence_lab", &LAB, 12_000);
        gate::<64, 96, 192, 7>("payload_presence_line", &LINE, 4000);
    }

    #[test]
    fn two_lanes_share_the_rows() {
        let text = |mut uut: PairRam<16, 8>| {
            uut.connect_all();
            generate_verilog(&uut)
        };
        let Some(cells) = mapped_cells("payload_rows_lab", &text(PairRam::new(RamStyle::Block)), "ecp5")
        else {
            return;
        };
        assert_eq!(cells, [("DP16KD".to_owned(), 1)]);
        let mut uut = PairRam::<192, 8>::new(RamStyle::Block);
        uut.connect_all();
        let cells = mapped_cells("payload_rows_line", &generate_verilog(&uut), "xcup").unwrap();
        assert!(cells.iter().all(|(cell, count)| cell.starts_with("RAMB") && *count <= 11), "{cells:?}");
    }
}

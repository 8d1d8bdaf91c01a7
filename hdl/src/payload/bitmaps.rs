//! The memories of the filter, asked for every byte of a beat at once.
//!
//! ```text
//! probe[n] ------------------>.---------.
//! write[m], address, data --->| Bitmaps |---> hit[n]   both bits of probe n are set, two cycles later
//!                             '---------'
//! ```
//!
//! A probe is a word and two bits in it (`abi::payload::probe`); those of memory `m` are `2 * PAIRS * m` and the
//! following. Every two lanes share a copy of a memory with two ports. A write takes the place of the look-ups of
//! even lanes in its cycle; these then mean nothing.

use rust_hdl::core::prelude::*;
use rust_hdl::widgets::prelude::*;

use crate::prim::ram::RamStyle;

/// A RAM with two ports that read, of which one writes.
///
/// Each cycle: `data_b` is loaded with the word at `address_b`; `write` stores `write_data` at `address_a`, else
/// `data_a` is loaded with the word there. A look-up in port b at the address that is written gives the old word.
#[derive(LogicBlock)]
pub struct PairRam<const WIDTH: usize, const DEPTH_LOG2: usize> {
    /// Clock of both ports.
    pub clock: Signal<In, Clock>,
    /// Word of port a.
    pub address_a: Signal<In, Bits<DEPTH_LOG2>>,
    /// Word of port b.
    pub address_b: Signal<In, Bits<DEPTH_LOG2>>,
    /// Stores `write_data`.
    pub write: Signal<In, Bit>,
    /// What is written.
    pub write_data: Signal<In, Bits<WIDTH>>,
    /// The word read last at port a.
    pub data_a: Signal<Out, Bits<WIDTH>>,
    /// The word read last at port b.
    pub data_b: Signal<Out, Bits<WIDTH>>,
    _style: RamStyle,
    _words: Vec<Bits<WIDTH>>,
}

impl<const WIDTH: usize, const DEPTH_LOG2: usize> PairRam<WIDTH, DEPTH_LOG2> {
    /// A RAM of that style, which is not that of LUTs.
    pub fn new(style: RamStyle) -> Self {
        assert!(style != RamStyle::Distributed);
        Self {
            clock: Signal::default(),
            address_a: Signal::default(),
            address_b: Signal::default(),
            write: Signal::default(),
            write_data: Signal::default(),
            data_a: Signal::default(),
            data_b: Signal::default(),
            _style: style,
            _words: vec![Bits::default(); 1 << DEPTH_LOG2],
        }
    }
}

impl<const WIDTH: usize, const DEPTH_LOG2: usize> Logic for PairRam<WIDTH, DEPTH_LOG2> {
    fn update(&mut self) {
        if self.clock.pos_edge() {
            self.data_b.next = self._words[self.address_b.val().index()];
            let at = self.address_a.val().index();
            if self.write.val() {
                self._words[at] = self.write_data.val();
            } else {
                self.data_a.next = self._words[at];
            }
        }
    }

    fn connect(&mut self) {
        self.data_a.connect();
        self.data_b.connect();
    }

    fn hdl(&self) -> Verilog {
        Verilog::Custom(format!(
            "(* ram_style = \"{style}\" *) (* no_rw_check *) reg [{high}:0] mem [0:{last}];\n\
             always @(posedge clock) begin\n\
             \x20   if (write) mem[address_a] <= write_data;\n\
             \x20   else data_a <= mem[address_a];\n\
             end\n\
             always @(posedge clock) data_b <= mem[address_b];\n",
            style = if self._style == RamStyle::Ultra { "ultra" } else { "block" },
            high = WIDTH - 1,
            last = (1usize << DEPTH_LOG2) - 1,
        ))
    }
}

/// Memories of `1 << WORD_LOG2` words of `WORD` bits, `BIT_LOG2` their logarithm, for `2 * PAIRS` lanes; `PROBE` is
/// `WORD_LOG2 + 2 * BIT_LOG2`.
#[derive(LogicBlock)]
pub struct Bitmaps<
    const PAIRS: usize,
    const WORD: usize,
    const WORD_LOG2: usize,
    const BIT_LOG2: usize,
    const PROBE: usize,
> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// What each lane asks each memory for.
    pub probe: Vec<Signal<In, Bits<PROBE>>>,
    /// Writes a word of a memory.
    pub write: Vec<Signal<In, Bit>>,
    /// Which.
    pub address: Signal<In, Bits<WORD_LOG2>>,
    /// Its bits.
    pub data: Signal<In, Bits<WORD>>,
    /// Both bits of the probe are set.
    pub hit: Vec<Signal<Out, Bit>>,
    rams: Vec<PairRam<WORD, WORD_LOG2>>,
    first: Vec<DFF<Bits<BIT_LOG2>>>,
    second: Vec<DFF<Bits<BIT_LOG2>>>,
    held: Vec<DFF<Bit>>,
    word: Signal<Local, Bits<WORD>>,
    first_at: Constant<Bits<8>>,
    second_at: Constant<Bits<8>>,
}

impl<const PAIRS: usize, const WORD: usize, const WORD_LOG2: usize, const BIT_LOG2: usize, const PROBE: usize>
    Bitmaps<PAIRS, WORD, WORD_LOG2, BIT_LOG2, PROBE>
{
    const SIZES: () = assert!(WORD == 1 << BIT_LOG2 && PROBE == WORD_LOG2 + 2 * BIT_LOG2);

    /// That many memories whose RAM has that style.
    pub fn new(memories: usize, style: RamStyle) -> Self {
        let () = Self::SIZES;
        let lanes = 2 * PAIRS * memories;
        Self {
            clock: Signal::default(),
            probe: vec![Signal::default(); lanes],
            write: vec![Signal::default(); memories],
            address: Signal::default(),
            data: Signal::default(),
            hit: vec![Signal::default(); lanes],
            rams: (0..PAIRS * memories).map(|_| PairRam::new(style)).collect(),
            first: vec![DFF::default(); lanes],
            second: vec![DFF::default(); lanes],
            held: vec![DFF::default(); lanes],
            word: Signal::default(),
            first_at: Constant::new((WORD_LOG2 as u64).to_bits()),
            second_at: Constant::new(((WORD_LOG2 + BIT_LOG2) as u64).to_bits()),
        }
    }
}

impl<const PAIRS: usize, const WORD: usize, const WORD_LOG2: usize, const BIT_LOG2: usize, const PROBE: usize>
    Logic for Bitmaps<PAIRS, WORD, WORD_LOG2, BIT_LOG2, PROBE>
{
    #[hdl_gen]
    fn update(&mut self) {
        for i in 0..(self.first.len()) {
            self.first[i].clock.next = self.clock.val();
            self.second[i].clock.next = self.clock.val();
            self.held[i].clock.next = self.clock.val();
            self.first[i].d.next = self.probe[i].val().get_bits::<BIT_LOG2>(self.first_at.val().index());
            self.second[i].d.next = self.probe[i].val().get_bits::<BIT_LOG2>(self.second_at.val().index());
            self.hit[i].next = self.held[i].q.val();
        }
        for pairs in PAIRS..(PAIRS + 1) {
            for m in 0..(self.write.len()) {
                for i in 0..PAIRS {
                    self.rams[m * pairs + i].write.next = self.write[m].val();
                }
            }
        }
        for i in 0..(self.rams.len()) {
            self.rams[i].clock.next = self.clock.val();
            self.rams[i].write_data.next = self.data.val();
            self.rams[i].address_a.next = self.probe[i * 2].val().get_bits::<WORD_LOG2>(0);
            if self.rams[i].write.val() {
                self.rams[i].address_a.next = self.address.val();
            }
            self.rams[i].address_b.next = self.probe[i * 2 + 1].val().get_bits::<WORD_LOG2>(0);
            self.word.next = self.rams[i].data_a.val();
            self.held[i * 2].d.next = self.word.val().get_bit(self.first[i * 2].q.val().index())
                & self.word.val().get_bit(self.second[i * 2].q.val().index());
            self.word.next = self.rams[i].data_b.val();
            self.held[i * 2 + 1].d.next = self.word.val().get_bit(self.first[i * 2 + 1].q.val().index())
                & self.word.val().get_bit(self.second[i * 2 + 1].q.val().index());
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use rand::Rng;
    use wiresift_abi::geometry::{Geometry, LAB, LINE};
    use wiresift_abi::payload::probe;

    use super::super::testing::{Pipe, to_bits};
    use super::*;
    use crate::gate::{mapped_cells, passes};

    fn gate<const L: usize, const W: usize, const D: usize, const B: usize, const P: usize>(
        name: &str,
        geometry: &Geometry,
        cycles: usize,
    ) {
        let memories = 2;
        let mut words = vec![vec![0u64; 1 << D]; memories];
        let mut pipe = Pipe::new(1);
        let (mut expected, mut hits, mut misses) = (None::<Vec<bool>>, 0, 0);
        // Few words, so that look-ups meet what was written.
        let few: u64 = 7 << (D - 3);
        passes(
            name,
            || Bitmaps::<L, W, D, B, P>::new(memories, RamStyle::Block),
            cycles,
            1,
            |uut, rng, cycle| {
                if let Some(expected) = expected.take() {
                    for (lane, hit) in expected.iter().enumerate() {
                        assert_eq!(uut.hit[lane].val(), *hit, "cycle {cycle} lane {lane}");
                        if *hit { hits += 1 } else { misses += 1 }
                    }
                }
                let write = rng.random_bool(0.2);
                let memory = rng.random_range(0..memories);
                for (m, port) in uut.write.iter_mut().enumerate() {
                    port.next = write && m == memory;
                }
                let (address, data) = (rng.random::<u64>() & few, rng.random::<u64>() >> (64 - W));
                uut.address.next = address.to_bits();
                uut.data.next = to_bits(data);
                let mut found = Vec::new();
                for lane in 0..2 * L * memories {
                    let hash =
                        (rng.random::<u64>() >> (64 - P)) & !((1 << D) - 1) | rng.random::<u64>() & few;
                    uut.probe[lane].next = to_bits(hash);
                    let (word, bits) = probe(hash, 0, &geometry.payload);
                    found.push(bits.iter().all(|bit| words[lane / (2 * L)][word] >> bit & 1 == 1));
                }
                if write {
                    words[memory][address as usize] = data;
                }
                // What a lane finds while a word is written means nothing.
                expected = pipe.shift((!write).then_some(found)).flatten();
            },
        );
        assert!(hits > cycles && misses > cycles);
    }

    #[test]
    fn a_lane_hits_where_both_its_bits_are_set() {
        gate::<8, 8, 11, 3, 17>("payload_bitmaps_lab", &LAB, 1500);
        gate::<32, 64, 12, 6, 24>("payload_bitmaps_line", &LINE, 300);
    }

    #[test]
    fn two_lanes_share_a_ram() {
        let text = |style| {
            let mut uut = PairRam::<64, 12>::new(style);
            uut.connect_all();
            generate_verilog(&uut)
        };
        let Some(cells) = mapped_cells("payload_pair_line", &text(RamStyle::Ultra), "xcup") else { return };
        assert_eq!(cells, [("URAM288".to_owned(), 1)]);
        let mut uut = PairRam::<8, 11>::new(RamStyle::Block);
        uut.connect_all();
        let cells = mapped_cells("payload_pair_lab", &generate_verilog(&uut), "ecp5").unwrap();
        assert_eq!(cells, [("DP16KD".to_owned(), 1)]);
    }
}

//! The filter: which windows of a beat may be those of a pattern.
//!
//! ```text
//!                       .--------.---> out_valid, out_beat
//! valid, beat, line --->| Filter |---> eight, four, three   a bit for each byte with which a window ends
//!                       '--------'---> clear, rewrite, done  a CLEAR, a WRITE_WINDOW_SECRET came, and is done
//! ```
//!
//! Six cycles: [`WindowHash`], look-up in [`Bitmaps`], and what lies outside of the packet is taken out. Commands
//! travel with the packets: a row of the secret is written where rows are used, a word where words are read, so
//! both count for every beat behind the command and for none before it. Packets wait for a row, as they do for a CLEAR.

use rust_hdl::core::prelude::*;
use rust_hdl::widgets::prelude::*;
use wiresift_abi::bits::LINE_BITS;
use wiresift_abi::command::{DATA_LSB, INDEX, OPCODE, Opcode, TABLE};
use wiresift_abi::geometry::Geometry;
use wiresift_abi::payload::Class;

use super::bitmaps::Bitmaps;
use super::layout::{BYTES_BITS, Beat};
use super::window_hash::WindowHash;
use crate::classify::sweep::Sweep;
use crate::prim::ram::RamStyle;

/// Memories at most, for field widths.
const MAX_MEMORIES: usize = 4;
/// Cycles from a beat to what [`Bitmaps`] is asked, and from there to what the packet has of it.
const HASH_CYCLES: usize = 3;
const LOOK_UP_CYCLES: usize = 2;

type Number = Constant<Bits<16>>;

/// The filter of a geometry; `LANES` bytes a beat, `PAIRS` half of that, the others as in [`WindowHash`] and
/// [`Bitmaps`].
#[derive(LogicBlock)]
pub struct Filter<
    const BEAT_BITS: usize,
    const LANES: usize,
    const PAIRS: usize,
    const HASH: usize,
    const WORD: usize,
    const WORD_LOG2: usize,
    const BIT_LOG2: usize,
    const PROBE: usize,
> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous, active high: forgets the beats inside.
    pub reset: Signal<In, Bit>,
    /// There is a beat.
    pub valid: Signal<In, Bit>,
    /// What it is.
    pub beat: Signal<In, Beat>,
    /// The last bytes of the stream, the beat at the top.
    pub line: Signal<In, Bits<LINE_BITS>>,
    /// There was a beat.
    pub out_valid: Signal<Out, Bit>,
    /// What it is.
    pub out_beat: Signal<Out, Beat>,
    /// Bytes with which a window of 8 bytes ends.
    pub eight: Signal<Out, Bits<LANES>>,
    /// Of 4 bytes.
    pub four: Signal<Out, Bits<LANES>>,
    /// Of 3 bytes.
    pub three: Signal<Out, Bits<LANES>>,
    /// Pulse: the beat ends a CLEAR.
    pub clear: Signal<Out, Bit>,
    /// Pulse: it ends a WRITE_WINDOW_SECRET.
    pub rewrite: Signal<Out, Bit>,
    /// Pulse: the memories are empty, or the row counts.
    pub done: Signal<Out, Bit>,
    hash: WindowHash<BEAT_BITS, HASH>,
    bitmaps: Bitmaps<PAIRS, WORD, WORD_LOG2, BIT_LOG2, PROBE>,
    sweep: Sweep,
    valids: Vec<DFF<Bit>>,
    beats: Vec<DFF<Beat>>,
    clears: Vec<DFF<Bit>>,
    writes: Vec<DFF<Bits<MAX_MEMORIES>>>,
    addresses: Vec<DFF<Bits<WORD_LOG2>>>,
    words: Vec<DFF<Bits<WORD>>>,
    mask8: DFF<Bits<LANES>>,
    mask4: DFF<Bits<LANES>>,
    mask3: DFF<Bits<LANES>>,
    eight_held: DFF<Bits<LANES>>,
    four_held: DFF<Bits<LANES>>,
    three_held: DFF<Bits<LANES>>,
    opcode: Signal<Local, Bits<16>>,
    memory: Signal<Local, Bits<16>>,
    index: Signal<Local, Bits<16>>,
    is_command: Signal<Local, Bit>,
    memories: Signal<Local, Bits<MAX_MEMORIES>>,
    last_beat: Signal<Local, Beat>,
    has: Signal<Local, Bits<LANES>>,
    found: Signal<Local, Bits<LANES>>,
    opcode_at: Number,
    memory_at: Number,
    index_at: Number,
    data_at: Number,
    beat_at: Number,
    op_clear: Number,
    op_secret: Number,
    op_filter: Number,
    word_count: Number,
    memory_count: Number,
    one_memory: Constant<Bits<MAX_MEMORIES>>,
    lanes: Vec<Constant<Bits<BYTES_BITS>>>,
    long_at: Vec<Number>,
    none: Constant<Bits<LANES>>,
    from8: Constant<Bits<LANES>>,
    from4: Constant<Bits<LANES>>,
    from3: Constant<Bits<LANES>>,
    zero_word: Constant<Bits<WORD>>,
}

impl<
    const BEAT_BITS: usize,
    const LANES: usize,
    const PAIRS: usize,
    const HASH: usize,
    const WORD: usize,
    const WORD_LOG2: usize,
    const BIT_LOG2: usize,
    const PROBE: usize,
> Filter<BEAT_BITS, LANES, PAIRS, HASH, WORD, WORD_LOG2, BIT_LOG2, PROBE>
{
    /// The filter of a geometry whose sizes are the parameters; its RAM has that style.
    ///
    /// # Panics
    /// Where they are not.
    pub fn new(geometry: &Geometry, style: RamStyle) -> Self {
        let sizes = &geometry.payload;
        assert!(BEAT_BITS == geometry.beat_bytes * 8 && LANES == geometry.beat_bytes && 2 * PAIRS == LANES);
        assert!(HASH == sizes.hash_bits && PROBE == sizes.probe_bits());
        assert!(WORD_LOG2 == sizes.filter_words_log2 as usize && BIT_LOG2 == sizes.filter_word_log2 as usize);
        assert!(sizes.memories() <= MAX_MEMORIES);
        let number = |n: usize| Constant::new((n as u64).to_bits());
        // The lanes in which a window that begins with the packet can end.
        let from = |class: Class| {
            let lanes = (class.bytes() - 1..LANES)
                .fold(Bits::<LANES>::default(), |bits, lane| bits.replace_bit(lane, true));
            Constant::new(lanes)
        };
        Self {
            clock: Signal::default(),
            reset: Signal::default(),
            valid: Signal::default(),
            beat: Signal::default(),
            line: Signal::default(),
            out_valid: Signal::default(),
            out_beat: Signal::default(),
            eight: Signal::default(),
            four: Signal::default(),
            three: Signal::default(),
            clear: Signal::default(),
            rewrite: Signal::default(),
            done: Signal::default(),
            hash: WindowHash::default(),
            bitmaps: Bitmaps::new(sizes.memories(), style),
            sweep: Sweep::new(1 << WORD_LOG2),
            valids: vec![DFF::default(); HASH_CYCLES + LOOK_UP_CYCLES + 1],
            beats: vec![DFF::default(); HASH_CYCLES + LOOK_UP_CYCLES + 1],
            clears: vec![DFF::default(); HASH_CYCLES],
            writes: vec![DFF::default(); HASH_CYCLES],
            addresses: vec![DFF::default(); HASH_CYCLES],
            words: vec![DFF::default(); HASH_CYCLES],
            mask8: DFF::default(),
            mask4: DFF::default(),
            mask3: DFF::default(),
            eight_held: DFF::default(),
            four_held: DFF::default(),
            three_held: DFF::default(),
            opcode: Signal::default(),
            memory: Signal::default(),
            index: Signal::default(),
            is_command: Signal::default(),
            memories: Signal::default(),
            last_beat: Signal::default(),
            has: Signal::default(),
            found: Signal::default(),
            opcode_at: number(OPCODE.lsb),
            memory_at: number(TABLE.lsb),
            index_at: number(INDEX.lsb),
            data_at: number(DATA_LSB),
            beat_at: number(LINE_BITS - BEAT_BITS),
            op_clear: number(Opcode::Clear as usize),
            op_secret: number(Opcode::WriteWindowSecret as usize),
            op_filter: number(Opcode::WriteFilter as usize),
            word_count: number(1 << WORD_LOG2),
            memory_count: number(sizes.memories()),
            one_memory: Constant::new(1u64.to_bits()),
            lanes: (0..LANES as u64).map(|n| Constant::new(n.to_bits())).collect(),
            long_at: (0..sizes.long_memories).map(|m| number(m * PROBE)).collect(),
            none: Constant::new(Bits::default()),
            from8: from(Class::Eight),
            from4: from(Class::Four),
            from3: from(Class::Three),
            zero_word: Constant::new(Bits::default()),
        }
    }
}

impl<
    const BEAT_BITS: usize,
    const LANES: usize,
    const PAIRS: usize,
    const HASH: usize,
    const WORD: usize,
    const WORD_LOG2: usize,
    const BIT_LOG2: usize,
    const PROBE: usize,
> Logic for Filter<BEAT_BITS, LANES, PAIRS, HASH, WORD, WORD_LOG2, BIT_LOG2, PROBE>
{
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, mask8, mask4, mask3, eight_held, four_held, three_held);
        self.hash.clock.next = self.clock.val();
        self.hash.reset.next = self.reset.val();
        self.bitmaps.clock.next = self.clock.val();
        self.sweep.clock.next = self.clock.val();
        self.sweep.reset.next = self.reset.val();
        // Commands.
        self.opcode.next = bit_cast::<16, 8>(self.line.val().get_bits::<8>(self.opcode_at.val().index()));
        self.memory.next = bit_cast::<16, 8>(self.line.val().get_bits::<8>(self.memory_at.val().index()));
        self.index.next = self.line.val().get_bits::<16>(self.index_at.val().index());
        self.is_command.next = self.valid.val() & self.beat.val().command & self.beat.val().last;
        self.hash.write.next = self.is_command.val() & (self.opcode.val() == self.op_secret.val());
        self.rewrite.next = self.hash.write.val();
        self.hash.row.next = self.index.val();
        self.hash.data.next = self.line.val().get_bits::<HASH>(self.data_at.val().index());
        self.memories.next = 0.into();
        if self.is_command.val()
            & (self.opcode.val() == self.op_filter.val())
            & (self.memory.val() < self.memory_count.val())
            & (self.index.val() < self.word_count.val())
        {
            self.memories.next = self.one_memory.val() << self.memory.val();
        }
        self.clear.next = self.is_command.val() & (self.opcode.val() == self.op_clear.val());
        // What goes beside the beat.
        for i in 0..(self.valids.len()) {
            self.valids[i].clock.next = self.clock.val();
            self.beats[i].clock.next = self.clock.val();
        }
        for i in 0..HASH_CYCLES {
            self.clears[i].clock.next = self.clock.val();
            self.writes[i].clock.next = self.clock.val();
            self.addresses[i].clock.next = self.clock.val();
            self.words[i].clock.next = self.clock.val();
        }
        self.valids[0].d.next = self.valid.val();
        self.beats[0].d.next = self.beat.val();
        for i in 1..(self.valids.len()) {
            self.valids[i].d.next = self.valids[i - 1].q.val();
            self.beats[i].d.next = self.beats[i - 1].q.val();
        }
        self.clears[0].d.next = self.is_command.val() & (self.opcode.val() == self.op_clear.val());
        self.writes[0].d.next = self.memories.val();
        self.addresses[0].d.next = self.index.val().get_bits::<WORD_LOG2>(0);
        self.words[0].d.next = self.line.val().get_bits::<WORD>(self.data_at.val().index());
        for i in 1..HASH_CYCLES {
            self.clears[i].d.next = self.clears[i - 1].q.val();
            self.writes[i].d.next = self.writes[i - 1].q.val();
            self.addresses[i].d.next = self.addresses[i - 1].q.val();
            self.words[i].d.next = self.words[i - 1].q.val();
        }
        // Hash.
        self.hash.valid.next = self.valid.val();
        self.hash.beat.next = self.line.val().get_bits::<BEAT_BITS>(self.beat_at.val().index());
        for lanes in LANES..(LANES + 1) {
            for m in 0..(self.long_at.len()) {
                for i in 0..LANES {
                    self.bitmaps.probe[m * lanes + i].next =
                        self.hash.eight[i].val().get_bits::<PROBE>(self.long_at[m].val().index());
                }
            }
            for m in (self.long_at.len())..(self.long_at.len() + 1) {
                for i in 0..LANES {
                    self.bitmaps.probe[m * lanes + i].next = self.hash.four[i].val().get_bits::<PROBE>(0);
                    self.bitmaps.probe[m * lanes + lanes + i].next =
                        self.hash.three[i].val().get_bits::<PROBE>(0);
                }
            }
        }
        // Look-up.
        self.sweep.start.next = self.clears[2].q.val();
        self.done.next = self.sweep.done.val() | self.hash.done.val();
        self.bitmaps.address.next = self.addresses[2].q.val();
        self.bitmaps.data.next = self.words[2].q.val();
        self.memories.next = self.writes[2].q.val();
        if self.sweep.busy.val() {
            self.bitmaps.address.next = self.sweep.bucket.val().get_bits::<WORD_LOG2>(0);
            self.bitmaps.data.next = self.zero_word.val();
        }
        for m in 0..(self.bitmaps.write.len()) {
            self.bitmaps.write[m].next = self.memories.val().get_bit(m) | self.sweep.busy.val();
        }
        // What the packet has of the windows.
        self.last_beat.next = self.beats[3].q.val();
        self.has.next = 0.into();
        for i in 0..LANES {
            self.has.next = self.has.val().replace_bit(i, self.lanes[i].val() < self.last_beat.val().bytes);
        }
        if self.last_beat.val().command | !self.valids[3].q.val() {
            self.has.next = self.none.val();
        }
        self.mask8.d.next = self.has.val();
        self.mask4.d.next = self.has.val();
        self.mask3.d.next = self.has.val();
        if self.last_beat.val().first {
            self.mask8.d.next = self.has.val() & self.from8.val();
            self.mask4.d.next = self.has.val() & self.from4.val();
            self.mask3.d.next = self.has.val() & self.from3.val();
        }
        for lanes in LANES..(LANES + 1) {
            self.found.next = self.mask8.q.val();
            for m in 0..(self.long_at.len()) {
                for i in 0..LANES {
                    if !self.bitmaps.hit[m * lanes + i].val() {
                        self.found.next = self.found.val().replace_bit(i, false);
                    }
                }
            }
            self.eight_held.d.next = self.found.val();
            for m in (self.long_at.len())..(self.long_at.len() + 1) {
                self.found.next = self.mask4.q.val();
                for i in 0..LANES {
                    if !self.bitmaps.hit[m * lanes + i].val() {
                        self.found.next = self.found.val().replace_bit(i, false);
                    }
                }
                self.four_held.d.next = self.found.val();
                self.found.next = self.mask3.q.val();
                for i in 0..LANES {
                    if !self.bitmaps.hit[m * lanes + lanes + i].val() {
                        self.found.next = self.found.val().replace_bit(i, false);
                    }
                }
                self.three_held.d.next = self.found.val();
            }
        }
        self.eight.next = self.eight_held.q.val();
        self.four.next = self.four_held.q.val();
        self.three.next = self.three_held.q.val();
        self.out_valid.next = self.valids[5].q.val();
        self.out_beat.next = self.beats[5].q.val();
        if self.reset.val() {
            for i in 0..(self.valids.len()) {
                self.valids[i].d.next = false;
            }
            for i in 0..HASH_CYCLES {
                self.clears[i].d.next = false;
                self.writes[i].d.next = 0.into();
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;

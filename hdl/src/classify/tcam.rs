//! The bit-vector TCAM for entries that no table takes.
//!
//! ```text
//! stage 4  key, low, high, value, mask, place ------>.------.---> found[]   stage 9
//!                                                    | Tcam |
//! stage 5  fields, packet, write_entry, index, head >'------'---> done
//! ```
//!
//! Chunk `c` of the key addresses row memory `c`; bit `n` of the row says whether entry `n` agrees with that
//! value of the chunk. Stage 4 reads the rows and joins groups of them, stage 5 joins the groups and compares ports,
//! stage 6 joins both with the kind, stages 7 and 8 select among each group of entries. CLEAR makes every entry
//! empty; rows stay, so whoever uses an entry gives it a key first.
//!
//! A ternary key comes in two halves. Behind the second one the block goes through all addresses of the row
//! memories, one a cycle, and sets the entry's bit in every row to whether value and mask agree with that address:
//! it reads the row and writes it back with one bit changed, so the other entries stay. `done` pulses
//! behind the last write; no packet may come in before.

use rust_hdl::core::prelude::*;
use rust_hdl::widgets::prelude::*;
use wiresift_abi::entry::{
    KIND, Kind, TCAM_CHUNK_BITS, TCAM_CHUNKS, TCAM_ENTRIES_MAX, TCAM_HALF_BITS, TCAM_KEY_BITS,
};

use super::compare::Ranges;
use super::layout::{Candidate, Fields, Head, List, Ranged};
use super::select::Pick;
use super::sweep::Sweep;

/// Chunks whose rows are joined in the cycle of the read: one LUT of six inputs.
const GROUP_CHUNKS: usize = 6;
const GROUPS: usize = TCAM_CHUNKS / GROUP_CHUNKS;
const ROW_COUNT: usize = 1 << TCAM_CHUNK_BITS;
/// Chunks of half a key.
const HALF_CHUNKS: usize = TCAM_HALF_BITS / TCAM_CHUNK_BITS;
const _: () = assert!(TCAM_CHUNKS.is_multiple_of(GROUP_CHUNKS));

/// The row memories, in LUTs, and a register behind each group of them.
#[derive(LogicBlock)]
pub struct Rows<const ENTRIES: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Key to look up, and address of what is written.
    pub key: Signal<In, Bits<TCAM_KEY_BITS>>,
    /// Writes one bit of the row of every chunk.
    pub write: Signal<In, Bit>,
    /// Its place, one-hot.
    pub entry: Signal<In, Bits<ENTRIES>>,
    /// Its new value, by chunk.
    pub bit: Vec<Signal<In, Bit>>,
    /// A cycle later: entries that agree with every chunk of group `n`.
    pub agree: Vec<Signal<Out, Bits<ENTRIES>>>,
    _rows: Vec<Bits<ENTRIES>>,
}

impl<const ENTRIES: usize> Default for Rows<ENTRIES> {
    fn default() -> Self {
        Self {
            clock: Signal::default(),
            key: Signal::default(),
            write: Signal::default(),
            entry: Signal::default(),
            bit: vec![Signal::default(); TCAM_CHUNKS],
            agree: vec![Signal::default(); GROUPS],
            _rows: vec![Bits::default(); TCAM_CHUNKS * ROW_COUNT],
        }
    }
}

impl<const ENTRIES: usize> Logic for Rows<ENTRIES> {
    fn update(&mut self) {
        if !self.clock.pos_edge() {
            return;
        }
        let key = self.key.val();
        let row_of = |chunk: usize| {
            chunk * ROW_COUNT + key.get_bits::<TCAM_CHUNK_BITS>(chunk * TCAM_CHUNK_BITS).index()
        };
        for (group, agree) in self.agree.iter_mut().enumerate() {
            agree.next = (0..GROUP_CHUNKS)
                .fold(Bits::mask(), |all, n| all & self._rows[row_of(group * GROUP_CHUNKS + n)]);
        }
        if self.write.val() {
            let entry = self.entry.val();
            for (chunk, bit) in self.bit.iter().enumerate() {
                let row = &mut self._rows[row_of(chunk)];
                *row = if bit.val() { *row | entry } else { *row & !entry };
            }
        }
    }

    fn connect(&mut self) {
        for agree in &mut self.agree {
            agree.connect();
        }
    }

    fn hdl(&self) -> Verilog {
        let mut text = String::new();
        for chunk in 0..TCAM_CHUNKS {
            text += &format!(
                "(* ram_style = \"distributed\" *) reg [{high}:0] row{chunk} [0:{last}];\n\
                 wire [{high}:0] word{chunk} = row{chunk}[key[{lsb} +: {TCAM_CHUNK_BITS}]];\n\
                 always @(posedge clock) if (write) row{chunk}[key[{lsb} +: {TCAM_CHUNK_BITS}]] <= \
                 bit${chunk} ? word{chunk} | entry : word{chunk} & ~entry;\n",
                high = ENTRIES - 1,
                last = ROW_COUNT - 1,
                lsb = chunk * TCAM_CHUNK_BITS,
            );
        }
        for group in 0..GROUPS {
            let words: Vec<_> =
                (0..GROUP_CHUNKS).map(|n| format!("word{}", group * GROUP_CHUNKS + n)).collect();
            text += &format!("always @(posedge clock) agree${group} <= {};\n", words.join(" & "));
        }
        Verilog::Custom(text)
    }
}

/// What the TCAM keeps of one entry beside its rows.
#[derive(LogicBlock)]
pub struct TcamEntry {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Stage 5: writes the entry.
    pub write: Signal<In, Bit>,
    /// Stage 5: new entry.
    pub head: Signal<In, Head>,
    /// Stage 5: header vector.
    pub fields: Signal<In, Fields>,
    /// Stage 5: there is a packet.
    pub packet: Signal<In, Bit>,
    /// Stage 6: the rows agree.
    pub agree: Signal<In, Bit>,
    /// Stage 7.
    pub candidate: Signal<Out, Candidate>,
    entry: DFF<Head>,
    ranges: Ranges,
    ranged: DFF<Ranged>,
    held: DFF<Candidate>,
    hit: Signal<Local, Bit>,
    acl: Constant<Bits<{ KIND.bits }>>,
    signature: Constant<Bits<{ KIND.bits }>>,
}

impl Default for TcamEntry {
    fn default() -> Self {
        Self {
            clock: Signal::default(),
            write: Signal::default(),
            head: Signal::default(),
            fields: Signal::default(),
            packet: Signal::default(),
            agree: Signal::default(),
            candidate: Signal::default(),
            entry: DFF::default(),
            ranges: Ranges::default(),
            ranged: DFF::default(),
            held: DFF::default(),
            hit: Signal::default(),
            acl: Constant::new((Kind::Acl as u64).to_bits()),
            signature: Constant::new((Kind::Signature as u64).to_bits()),
        }
    }
}

impl Logic for TcamEntry {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, entry, ranged, held);
        if self.write.val() {
            self.entry.d.next = self.head.val();
        }
        self.ranges.head.next = self.entry.q.val();
        self.ranges.fields.next = self.fields.val();
        self.ranged.d.next.inside = self.ranges.in_range.val() & self.packet.val();
        self.ranged.d.next.kind = self.entry.q.val().kind;
        self.ranged.d.next.id = self.entry.q.val().id;

        self.hit.next = self.agree.val() & self.ranged.q.val().inside;
        self.held.d.next.acl = self.hit.val() & (self.ranged.q.val().kind == self.acl.val());
        self.held.d.next.signature = self.hit.val() & (self.ranged.q.val().kind == self.signature.val());
        self.held.d.next.id = self.ranged.q.val().id;
        self.candidate.next = self.held.q.val();
    }
}

/// `GROUP` entries and the selection among them.
#[derive(LogicBlock)]
pub struct TcamGroup<const GROUP: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Stage 5: bit `n` writes entry `n`.
    pub write: Signal<In, Bits<GROUP>>,
    /// Stage 5: new entry.
    pub head: Signal<In, Head>,
    /// Stage 5: header vector.
    pub fields: Signal<In, Fields>,
    /// Stage 5: there is a packet.
    pub packet: Signal<In, Bit>,
    /// Stage 6: the rows agree with entry `n`.
    pub agree: Signal<In, Bits<GROUP>>,
    /// Stage 9.
    pub found: Signal<Out, List>,
    entry: Vec<TcamEntry>,
    pick: Pick,
}

impl<const GROUP: usize> Default for TcamGroup<GROUP> {
    fn default() -> Self {
        Self {
            clock: Signal::default(),
            write: Signal::default(),
            head: Signal::default(),
            fields: Signal::default(),
            packet: Signal::default(),
            agree: Signal::default(),
            found: Signal::default(),
            entry: (0..GROUP).map(|_| TcamEntry::default()).collect(),
            pick: Pick::new(GROUP),
        }
    }
}

impl<const GROUP: usize> Logic for TcamGroup<GROUP> {
    #[hdl_gen]
    fn update(&mut self) {
        self.pick.clock.next = self.clock.val();
        for i in 0..GROUP {
            self.entry[i].clock.next = self.clock.val();
            self.entry[i].write.next = self.write.val().get_bit(i);
            self.entry[i].head.next = self.head.val();
            self.entry[i].fields.next = self.fields.val();
            self.entry[i].packet.next = self.packet.val();
            self.entry[i].agree.next = self.agree.val().get_bit(i);
            self.pick.candidate[i].next = self.entry[i].candidate.val();
        }
        self.found.next = self.pick.found.val();
    }
}

/// The TCAM of `ENTRIES` entries, selected among `GROUP` at a time.
#[derive(LogicBlock)]
pub struct Tcam<const ENTRIES: usize, const GROUP: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous, active high: stops the writing of a key.
    pub reset: Signal<In, Bit>,
    /// Stage 4: key to look up.
    pub key: Signal<In, Bits<TCAM_KEY_BITS>>,
    /// Stage 4: the low half of a ternary key is here.
    pub low: Signal<In, Bit>,
    /// Stage 4: the high half is here: the key is written.
    pub high: Signal<In, Bit>,
    /// Stage 4: half of the key, value.
    pub value: Signal<In, Bits<TCAM_HALF_BITS>>,
    /// Stage 4: mask.
    pub mask: Signal<In, Bits<TCAM_HALF_BITS>>,
    /// Stage 4: the entry that gets it.
    pub place: Signal<In, Bits<16>>,
    /// Pulse: the key is in every row.
    pub done: Signal<Out, Bit>,
    /// Stage 5: header vector.
    pub fields: Signal<In, Fields>,
    /// Stage 5: there is a packet.
    pub packet: Signal<In, Bit>,
    /// Stage 5: writes an entry.
    pub write_entry: Signal<In, Bit>,
    /// Stage 5: which.
    pub index: Signal<In, Bits<16>>,
    /// Stage 5: its new contents.
    pub head: Signal<In, Head>,
    /// Stage 5: empties every entry.
    pub clear: Signal<In, Bit>,
    /// Stage 9: what each group found.
    pub found: Vec<Signal<Out, List>>,
    rows: Rows<ENTRIES>,
    sweep: Sweep,
    low_value: DFF<Bits<TCAM_HALF_BITS>>,
    low_mask: DFF<Bits<TCAM_HALF_BITS>>,
    high_value: DFF<Bits<TCAM_HALF_BITS>>,
    high_mask: DFF<Bits<TCAM_HALF_BITS>>,
    entry: DFF<Bits<ENTRIES>>,
    writing: DFF<Bit>,
    finished: DFF<Bit>,
    address: DFF<Bits<TCAM_CHUNK_BITS>>,
    bit: Vec<DFF<Bit>>,
    agree: DFF<Bits<ENTRIES>>,
    bucket: Signal<Local, Bits<TCAM_CHUNK_BITS>>,
    low_diff: Signal<Local, Bits<TCAM_HALF_BITS>>,
    high_diff: Signal<Local, Bits<TCAM_HALF_BITS>>,
    turn: Signal<Local, Bits<TCAM_HALF_BITS>>,
    chunk_at: Vec<Constant<Bits<16>>>,
    no_difference: Constant<Bits<TCAM_CHUNK_BITS>>,
    half_bits: Constant<Bits<16>>,
    group: Vec<TcamGroup<GROUP>>,
    joined: Signal<Local, Bits<ENTRIES>>,
    strobes: Signal<Local, Bits<ENTRIES>>,
    fresh: Signal<Local, Head>,
    base: Vec<Constant<Bits<16>>>,
    one: Constant<Bits<ENTRIES>>,
    ones: Constant<Bits<ENTRIES>>,
}

impl<const ENTRIES: usize, const GROUP: usize> Default for Tcam<ENTRIES, GROUP> {
    fn default() -> Self {
        assert!(ENTRIES.is_multiple_of(GROUP) && ENTRIES <= TCAM_ENTRIES_MAX && GROUP >= 2);
        let groups = ENTRIES / GROUP;
        Self {
            clock: Signal::default(),
            reset: Signal::default(),
            key: Signal::default(),
            low: Signal::default(),
            high: Signal::default(),
            value: Signal::default(),
            mask: Signal::default(),
            place: Signal::default(),
            done: Signal::default(),
            fields: Signal::default(),
            packet: Signal::default(),
            write_entry: Signal::default(),
            index: Signal::default(),
            head: Signal::default(),
            clear: Signal::default(),
            found: vec![Signal::default(); groups],
            rows: Rows::default(),
            sweep: Sweep::new(ROW_COUNT),
            low_value: DFF::default(),
            low_mask: DFF::default(),
            high_value: DFF::default(),
            high_mask: DFF::default(),
            entry: DFF::default(),
            writing: DFF::default(),
            finished: DFF::default(),
            address: DFF::default(),
            bit: vec![DFF::default(); TCAM_CHUNKS],
            agree: DFF::default(),
            bucket: Signal::default(),
            low_diff: Signal::default(),
            high_diff: Signal::default(),
            turn: Signal::default(),
            chunk_at: (0..HALF_CHUNKS)
                .map(|n| Constant::new(((n * TCAM_CHUNK_BITS) as u64).to_bits()))
                .collect(),
            no_difference: Constant::new(0.into()),
            half_bits: Constant::new((TCAM_HALF_BITS as u64).to_bits()),
            group: (0..groups).map(|_| TcamGroup::default()).collect(),
            joined: Signal::default(),
            strobes: Signal::default(),
            fresh: Signal::default(),
            base: (0..groups).map(|n| Constant::new(((n * GROUP) as u64).to_bits())).collect(),
            one: Constant::new(1.into()),
            ones: Constant::new(Bits::<ENTRIES>::mask()),
        }
    }
}

impl<const ENTRIES: usize, const GROUP: usize> Logic for Tcam<ENTRIES, GROUP> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self, clock, agree, low_value, low_mask, high_value, high_mask, entry, writing, finished, address
        );
        self.rows.clock.next = self.clock.val();
        self.sweep.clock.next = self.clock.val();
        self.sweep.reset.next = self.reset.val();
        // A ternary key, and for each address whether each chunk of it agrees.
        if self.low.val() {
            self.low_value.d.next = self.value.val();
            self.low_mask.d.next = self.mask.val();
        }
        if self.high.val() {
            self.high_value.d.next = self.value.val();
            self.high_mask.d.next = self.mask.val();
            self.entry.d.next = self.one.val() << self.place.val();
        }
        self.sweep.start.next = self.high.val();
        self.finished.d.next = self.sweep.done.val() & !self.reset.val();
        self.done.next = self.finished.q.val();
        self.writing.d.next = self.sweep.busy.val() & !self.reset.val();
        self.bucket.next = self.sweep.bucket.val().get_bits::<TCAM_CHUNK_BITS>(0);
        self.address.d.next = self.bucket.val();
        self.turn.next = 0.into();
        for i in 0..HALF_CHUNKS {
            self.turn.next = self.turn.val()
                | (bit_cast::<TCAM_HALF_BITS, TCAM_CHUNK_BITS>(self.bucket.val()) << self.chunk_at[i].val());
        }
        self.low_diff.next = (self.turn.val() ^ self.low_value.q.val()) & self.low_mask.q.val();
        self.high_diff.next = (self.turn.val() ^ self.high_value.q.val()) & self.high_mask.q.val();
        for i in 0..HALF_CHUNKS {
            self.bit[i].clock.next = self.clock.val();
            self.bit[i].d.next =
                self.low_diff.val().get_bits::<TCAM_CHUNK_BITS>(self.chunk_at[i].val().index())
                    == self.no_difference.val();
        }
        for n in HALF_CHUNKS..(HALF_CHUNKS + 1) {
            for i in 0..HALF_CHUNKS {
                self.bit[n + i].clock.next = self.clock.val();
                self.bit[n + i].d.next =
                    self.high_diff.val().get_bits::<TCAM_CHUNK_BITS>(self.chunk_at[i].val().index())
                        == self.no_difference.val();
            }
        }
        for i in 0..TCAM_CHUNKS {
            self.rows.bit[i].next = self.bit[i].q.val();
        }
        self.rows.write.next = self.writing.q.val();
        self.rows.entry.next = self.entry.q.val();
        self.rows.key.next = self.key.val();
        if self.writing.q.val() {
            self.turn.next = 0.into();
            for i in 0..HALF_CHUNKS {
                self.turn.next = self.turn.val()
                    | (bit_cast::<TCAM_HALF_BITS, TCAM_CHUNK_BITS>(self.address.q.val())
                        << self.chunk_at[i].val());
            }
            self.rows.key.next = bit_cast::<TCAM_KEY_BITS, TCAM_HALF_BITS>(self.turn.val())
                | (bit_cast::<TCAM_KEY_BITS, TCAM_HALF_BITS>(self.turn.val()) << self.half_bits.val());
        }
        self.joined.next = self.ones.val();
        for i in 0..GROUPS {
            self.joined.next = self.joined.val() & self.rows.agree[i].val();
        }
        self.agree.d.next = self.joined.val();
        self.strobes.next = 0.into();
        if self.write_entry.val() {
            self.strobes.next = self.one.val() << self.index.val();
        }
        self.fresh.next = self.head.val();
        if self.clear.val() {
            self.strobes.next = self.ones.val();
            self.fresh.next.kind = 0.into();
        }
        for i in 0..(self.group.len()) {
            self.group[i].clock.next = self.clock.val();
            self.group[i].write.next = self.strobes.val().get_bits::<GROUP>(self.base[i].val().index());
            self.group[i].head.next = self.fresh.val();
            self.group[i].fields.next = self.fields.val();
            self.group[i].packet.next = self.packet.val();
            self.group[i].agree.next = self.agree.q.val().get_bits::<GROUP>(self.base[i].val().index());
            self.found[i].next = self.group[i].found.val();
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;

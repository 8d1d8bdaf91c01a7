//! The header classifier: every masked table and the TCAM at once, one element a cycle.
//!
//! ```text
//!                            .------------.---> out_valid, out_commit, out_silent
//! valid, command, line,      |            |---> out_sequence, out_length, out_flags, out_version
//! sequence_number ---------->| Classifier |---> out_acl_valid, out_acl
//!                            |            |---> out_ids_count, out_ids
//!                            '------------'---> cleared, error, error_detail
//! ```
//!
//! A feed-forward pipeline: an element goes in every cycle and its result comes out a fixed number of
//! cycles later ([`Classifier::latency`]), whatever the traffic. Commands travel between the packets. Each
//! piece of state is read and written in one and the same stage, so a command counts for every element
//! behind it and for none before it. Only CLEAR,
//! WRITE_SECRET and WRITE_TCAM_HIGH take longer: from one of them to `cleared` no element may come in.
//!
//! | stage | packet | command |
//! |---|---|---|
//! | 0 | input register | decoded and checked ([`decode`]) |
//! | 1 | key AND mask of each table | WRITE_MASK |
//! | 2 | [`hash`] of both ways | WRITE_SECRET starts the [`row_writer`]s, CLEAR the [`sweep`] |
//! | 3 | buckets read ([`bank`]) | WRITE_SLOT |
//! | 4 | TCAM rows read ([`tcam`]) | WRITE_TCAM_LOW, WRITE_TCAM_HIGH |
//! | 5, 6 | slots and TCAM entries compared ([`compare`]) | WRITE_TCAM_ENTRY |
//! | 7, 8 | candidates of each table selected ([`select`]) | |
//! | 9 .. | lists merged, two to one a stage | |
//! | last | result with the version in force | COMMIT |
//!
//! `reset` forgets the elements inside and touches neither tables nor masks, secret or version; but what CLEAR,
//! WRITE_SECRET or WRITE_TCAM_HIGH is at then stays half done.

use rust_hdl::core::prelude::*;
use rust_hdl::widgets::prelude::*;
use wiresift_abi::bits::LINE_BITS;
use wiresift_abi::command::INDEX;
use wiresift_abi::entry::{NARROW_BITS, TCAM_HALF_BITS, WIDE_BITS};
use wiresift_abi::geometry::{Geometry, LAB, LINE, MAX_TABLES, WAYS};
use wiresift_abi::vector::{HASHED_BITS, SRC};

pub mod bank;
pub mod compare;
pub mod decode;
pub mod finish;
pub mod hash;
pub mod layout;
pub mod parts;
pub mod row_writer;
pub mod select;
pub mod sweep;
pub mod table;
pub mod tcam;

use crate::prim::ram::RamStyle;
use decode::Decode;
use finish::Finish;
use hash::{LutMemory, NARROW_ADDRESS, NARROW_HASHED, Narrow};
use layout::{Answer, HEAD_BITS, ID_BITS, LIST_BITS, List, MAX_SLOTS, Op};
use parts::{DATA_BITS, Parts};
use row_writer::RowWriter;
use select::Merge;
use sweep::Sweep;
use table::Table;
use tcam::Tcam;

/// Stage whose register holds the lists of tables and TCAM.
const LIST_STAGE: usize = 9;

type NarrowTable<const LOG2: usize> = Table<NARROW_ADDRESS, NARROW_HASHED, NARROW_BITS, LOG2>;
type WideTable<const LOG2: usize> = Table<{ SRC.bits }, HASHED_BITS, WIDE_BITS, LOG2>;

/// The classifier of the geometry `line`.
pub type LineClassifier = Classifier<
    { LINE.narrow_buckets_log2 as usize },
    { LINE.wide_buckets_log2 as usize },
    { LINE.tcam_entries },
    { WAYS * LINE.bucket_slots },
>;
/// The classifier of the geometry `lab`.
pub type LabClassifier = Classifier<
    { LAB.narrow_buckets_log2 as usize },
    { LAB.wide_buckets_log2 as usize },
    { LAB.tcam_entries },
    { WAYS * LAB.bucket_slots },
>;

/// A classifier; the parameters are buckets a way of each kind of table (powers of two), TCAM entries,
/// and candidates of a table, which is also the number of TCAM entries that are selected together.
#[derive(LogicBlock)]
pub struct Classifier<
    const NARROW_LOG2: usize,
    const WIDE_LOG2: usize,
    const ENTRIES: usize,
    const CANDIDATES: usize,
> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous, active high: forgets the elements inside.
    pub reset: Signal<In, Bit>,
    /// There is an element.
    pub valid: Signal<In, Bit>,
    /// It is a command.
    pub command: Signal<In, Bit>,
    /// Header vector or command.
    pub line: Signal<In, Bits<LINE_BITS>>,
    /// Its sequence number.
    pub sequence_number: Signal<In, Bits<32>>,
    /// Pulse: a CLEAR or a WRITE_TCAM_HIGH is finished.
    pub cleared: Signal<Out, Bit>,
    /// Pulse: a bad command, which was not applied.
    pub error: Signal<Out, Bit>,
    /// Its opcode in bits 0-7, table 8-15, index 16-31.
    pub error_detail: Signal<Out, Bits<32>>,
    /// A result: one for each element.
    pub out_valid: Signal<Out, Bit>,
    /// It is that of a COMMIT.
    pub out_commit: Signal<Out, Bit>,
    /// It gives no record: a command other than COMMIT.
    pub out_silent: Signal<Out, Bit>,
    /// Sequence number of the element.
    pub out_sequence: Signal<Out, Bits<32>>,
    /// Bytes of the packet; zero for a command.
    pub out_length: Signal<Out, Bits<16>>,
    /// Flags of the packet; zero for a command.
    pub out_flags: Signal<Out, Bits<16>>,
    /// Version in force.
    pub out_version: Signal<Out, Bits<16>>,
    /// An ACL rule matches.
    pub out_acl_valid: Signal<Out, Bit>,
    /// The first that does.
    pub out_acl: Signal<Out, Bits<ID_BITS>>,
    /// Number of ids.
    pub out_ids_count: Signal<Out, Bits<4>>,
    /// Id `n` at bits `20 n`, zero behind the last.
    pub out_ids: Signal<Out, Bits<LIST_BITS>>,

    decode: Decode,
    line2: DFF<Bits<LINE_BITS>>,
    line3: DFF<Bits<LINE_BITS>>,
    line4: DFF<Bits<LINE_BITS>>,
    line5: DFF<Bits<LINE_BITS>>,
    op2: DFF<Op>,
    op3: DFF<Op>,
    op4: DFF<Op>,
    op5: DFF<Op>,
    sweep: Sweep,
    narrow_rows: RowWriter<NARROW_HASHED, NARROW_LOG2>,
    wide_rows: RowWriter<HASHED_BITS, WIDE_LOG2>,
    parts1: Parts,
    parts2: Parts,
    parts4: Parts,
    parts5: Parts,
    key: Narrow,
    mask: Narrow,
    row: Narrow,
    narrow: Vec<NarrowTable<NARROW_LOG2>>,
    wide: Vec<WideTable<WIDE_LOG2>>,
    tcam: Tcam<ENTRIES, CANDIDATES>,
    merge: Vec<Merge>,
    finish: Finish,
    op: Signal<Local, Op>,
    data: Signal<Local, Bits<DATA_BITS>>,
    new_mask: Signal<Local, Bits<HASHED_BITS>>,
    bucket: Signal<Local, Bits<{ INDEX.bits }>>,
    masks: Signal<Local, Bits<MAX_TABLES>>,
    tables: Signal<Local, Bits<MAX_TABLES>>,
    slots: Signal<Local, Bits<{ WAYS * MAX_SLOTS }>>,
    found: Vec<Signal<Local, List>>,
    empty: Constant<List>,
    answer: Signal<Local, Answer>,
    idle: Constant<Op>,
    every_table: Constant<Bits<MAX_TABLES>>,
    every_slot: Constant<Bits<{ WAYS * MAX_SLOTS }>>,
    _latency: usize,
}

impl<const NARROW_LOG2: usize, const WIDE_LOG2: usize, const ENTRIES: usize, const CANDIDATES: usize>
    Classifier<NARROW_LOG2, WIDE_LOG2, ENTRIES, CANDIDATES>
{
    /// The classifier for a geometry whose sizes are the parameters; the RAM of the wide tables is of
    /// style `wide`, the hashes are in LUTs that are `memory`.
    ///
    /// # Panics
    /// Where they are not, or where there are fewer than three tables and groups of TCAM entries together.
    pub fn new(geometry: &Geometry, wide: RamStyle, memory: LutMemory) -> Self {
        assert!(geometry.narrow_buckets_log2 as usize == NARROW_LOG2);
        assert!(geometry.wide_buckets_log2 as usize == WIDE_LOG2);
        assert!(geometry.tcam_entries == ENTRIES && WAYS * geometry.bucket_slots == CANDIDATES);
        assert!(geometry.narrow_tables >= 1 && geometry.wide_tables >= 1);
        // The tree that merges lists is whole: where there are too few, empty ones fill it up.
        let lists = (geometry.tables() + ENTRIES / CANDIDATES).next_power_of_two();
        assert!(lists >= 4);
        let list_stage = LIST_STAGE + lists.ilog2() as usize;
        Self {
            clock: Signal::default(),
            reset: Signal::default(),
            valid: Signal::default(),
            command: Signal::default(),
            line: Signal::default(),
            sequence_number: Signal::default(),
            cleared: Signal::default(),
            error: Signal::default(),
            error_detail: Signal::default(),
            out_valid: Signal::default(),
            out_commit: Signal::default(),
            out_silent: Signal::default(),
            out_sequence: Signal::default(),
            out_length: Signal::default(),
            out_flags: Signal::default(),
            out_version: Signal::default(),
            out_acl_valid: Signal::default(),
            out_acl: Signal::default(),
            out_ids_count: Signal::default(),
            out_ids: Signal::default(),
            decode: Decode::new(geometry),
            line2: DFF::default(),
            line3: DFF::default(),
            line4: DFF::default(),
            line5: DFF::default(),
            op2: DFF::default(),
            op3: DFF::default(),
            op4: DFF::default(),
            op5: DFF::default(),
            sweep: Sweep::new(1 << NARROW_LOG2.max(WIDE_LOG2)),
            narrow_rows: RowWriter::new(memory),
            wide_rows: RowWriter::new(memory),
            row: Narrow::default(),
            parts1: Parts::default(),
            parts2: Parts::default(),
            parts4: Parts::default(),
            parts5: Parts::default(),
            key: Narrow::default(),
            mask: Narrow::default(),
            narrow: (0..geometry.narrow_tables)
                .map(|_| Table::new(geometry.bucket_slots, RamStyle::Block, memory))
                .collect(),
            wide: (0..geometry.wide_tables)
                .map(|_| Table::new(geometry.bucket_slots, wide, memory))
                .collect(),
            tcam: Tcam::default(),
            merge: (1..lists).map(|_| Merge::default()).collect(),
            // The delay starts at stage 1.
            finish: Finish::new(list_stage - 1),
            op: Signal::default(),
            data: Signal::default(),
            new_mask: Signal::default(),
            bucket: Signal::default(),
            masks: Signal::default(),
            tables: Signal::default(),
            slots: Signal::default(),
            found: vec![Signal::default(); lists],
            empty: Constant::new(List {
                acl: (1u64 << ID_BITS).to_bits(),
                count: 1.into(),
                ..List::default()
            }),
            answer: Signal::default(),
            idle: Constant::new(Op::default()),
            every_table: Constant::new(Bits::<MAX_TABLES>::mask()),
            every_slot: Constant::new(Bits::<{ WAYS * MAX_SLOTS }>::mask()),
            // Stage n is the register that is loaded n cycles after the element was at the ports, and
            // the result is a register behind the last stage.
            _latency: list_stage + 2,
        }
    }

    /// Cycles from an element at the inputs to its result at the outputs.
    pub fn latency(&self) -> usize {
        self._latency
    }
}

impl LineClassifier {
    /// The classifier of `line`.
    pub fn line() -> Self {
        Self::new(&LINE, RamStyle::Ultra, LutMemory::Bits64)
    }
}

impl LabClassifier {
    /// The classifier of `lab`.
    pub fn lab() -> Self {
        Self::new(&LAB, RamStyle::Block, LutMemory::Words16)
    }
}

impl<const NARROW_LOG2: usize, const WIDE_LOG2: usize, const ENTRIES: usize, const CANDIDATES: usize> Logic
    for Classifier<NARROW_LOG2, WIDE_LOG2, ENTRIES, CANDIDATES>
{
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, line2, line3, line4, line5, op2, op3, op4, op5);
        self.decode.clock.next = self.clock.val();
        self.sweep.clock.next = self.clock.val();
        self.narrow_rows.clock.next = self.clock.val();
        self.wide_rows.clock.next = self.clock.val();
        self.tcam.clock.next = self.clock.val();
        self.finish.clock.next = self.clock.val();
        self.decode.reset.next = self.reset.val();
        self.sweep.reset.next = self.reset.val();
        self.narrow_rows.reset.next = self.reset.val();
        self.wide_rows.reset.next = self.reset.val();
        self.finish.reset.next = self.reset.val();
        // Stages 0 and 1.
        self.decode.valid.next = self.valid.val();
        self.decode.command.next = self.command.val();
        self.decode.line.next = self.line.val();
        self.decode.sequence_number.next = self.sequence_number.val();
        self.error.next = self.decode.error.val();
        self.error_detail.next = self.decode.error_detail.val();
        self.finish.valid.next = self.decode.out_valid.val();
        self.finish.meta.next = self.decode.meta.val();
        self.line2.d.next = self.decode.out_line.val();
        self.line3.d.next = self.line2.q.val();
        self.line4.d.next = self.line3.q.val();
        self.line5.d.next = self.line4.q.val();
        self.op2.d.next = self.decode.op.val();
        self.op3.d.next = self.op2.q.val();
        self.op4.d.next = self.op3.q.val();
        self.op5.d.next = self.op4.q.val();
        self.parts1.line.next = self.decode.out_line.val();
        self.parts2.line.next = self.line2.q.val();
        self.parts4.line.next = self.line4.q.val();
        self.parts5.line.next = self.line5.q.val();
        // Stage 1: masks. A CLEAR writes zero to all.
        self.data.next = self.parts1.data.val();
        self.new_mask.next = self.data.val().get_bits::<HASHED_BITS>(0);
        if self.decode.op.val().clear {
            self.new_mask.next = 0.into();
        }
        self.key.wide.next = self.parts1.key.val();
        self.mask.wide.next = self.new_mask.val();
        // Stage 2: secret, and what is written to slots.
        self.data.next = self.parts2.data.val();
        self.row.wide.next = self.data.val().get_bits::<HASHED_BITS>(0);
        self.narrow_rows.write.next = self.op2.q.val().secret;
        self.narrow_rows.index.next = self.parts2.index.val();
        self.narrow_rows.data.next = self.row.narrow.val();
        self.wide_rows.write.next = self.op2.q.val().secret;
        self.wide_rows.index.next = self.parts2.index.val();
        self.wide_rows.data.next = self.data.val().get_bits::<HASHED_BITS>(0);
        self.sweep.start.next = self.op2.q.val().clear;
        // Both writers of rows need the same time.
        self.cleared.next = self.sweep.done.val()
            | self.tcam.done.val()
            | self.wide_rows.done.val()
            | self.decode.refused.val();
        self.tables.next = self.op2.q.val().tables;
        self.slots.next = self.op2.q.val().slots;
        self.bucket.next = self.parts2.index.val();
        if self.sweep.busy.val() {
            self.tables.next = self.every_table.val();
            self.slots.next = self.every_slot.val();
            self.bucket.next = self.sweep.bucket.val();
            self.data.next = 0.into();
        }
        self.op.next = self.decode.op.val();
        self.masks.next = self.op.val().masks;
        for i in 0..(self.narrow.len()) {
            self.narrow[i].clock.next = self.clock.val();
            self.narrow[i].key.next = self.key.narrow.val();
            self.narrow[i].mask.next = self.mask.narrow.val();
            self.narrow[i].write_mask.next = self.masks.val().get_bit(i);
            self.narrow[i].probing.next = self.narrow_rows.probing.val();
            self.narrow[i].probe.next = self.narrow_rows.probe.val();
            self.narrow[i].store.next = self.narrow_rows.store.val();
            self.narrow[i].row0.next = self.narrow_rows.row0.val();
            self.narrow[i].row1.next = self.narrow_rows.row1.val();
            self.narrow[i].parity.next = self.narrow_rows.parity.val();
            self.narrow[i].write.next = self.tables.val().get_bit(i);
            self.narrow[i].slots.next = self.slots.val();
            self.narrow[i].index.next = self.bucket.val().get_bits::<NARROW_LOG2>(0);
            self.narrow[i].data.next = self.data.val().get_bits::<NARROW_BITS>(0);
            self.narrow[i].src.next = self.parts4.narrow_src.val();
            self.narrow[i].dst.next = self.parts4.narrow_dst.val();
            self.narrow[i].fields.next = self.parts4.fields.val();
            self.narrow[i].packet.next = self.op4.q.val().packet;
            self.found[i].next = self.narrow[i].found.val();
        }
        for n in (self.narrow.len())..(self.narrow.len() + 1) {
            for i in 0..(self.wide.len()) {
                self.wide[i].clock.next = self.clock.val();
                self.wide[i].key.next = self.parts1.key.val();
                self.wide[i].mask.next = self.new_mask.val();
                self.wide[i].write_mask.next = self.masks.val().get_bit(n + i);
                self.wide[i].probing.next = self.wide_rows.probing.val();
                self.wide[i].probe.next = self.wide_rows.probe.val();
                self.wide[i].store.next = self.wide_rows.store.val();
                self.wide[i].row0.next = self.wide_rows.row0.val();
                self.wide[i].row1.next = self.wide_rows.row1.val();
                self.wide[i].parity.next = self.wide_rows.parity.val();
                self.wide[i].write.next = self.tables.val().get_bit(n + i);
                self.wide[i].slots.next = self.slots.val();
                self.wide[i].index.next = self.bucket.val().get_bits::<WIDE_LOG2>(0);
                self.wide[i].data.next = self.data.val();
                self.wide[i].src.next = self.parts4.src.val();
                self.wide[i].dst.next = self.parts4.dst.val();
                self.wide[i].fields.next = self.parts4.fields.val();
                self.wide[i].packet.next = self.op4.q.val().packet;
                self.found[n + i].next = self.wide[i].found.val();
            }
        }
        // Stages 4 and 5: TCAM.
        self.tcam.key.next = self.parts4.tcam_key.val();
        self.tcam.reset.next = self.reset.val();
        self.tcam.low.next = self.op4.q.val().low;
        self.tcam.high.next = self.op4.q.val().high;
        self.data.next = self.parts4.data.val();
        self.tcam.value.next = self.data.val().get_bits::<TCAM_HALF_BITS>(0);
        for i in TCAM_HALF_BITS..(TCAM_HALF_BITS + 1) {
            self.tcam.mask.next = self.data.val().get_bits::<TCAM_HALF_BITS>(i);
        }
        self.tcam.place.next = self.parts4.index.val();
        self.tcam.fields.next = self.parts5.fields.val();
        self.tcam.packet.next = self.op5.q.val().packet;
        self.tcam.write_entry.next = self.op5.q.val().entry;
        self.tcam.index.next = self.parts5.index.val();
        self.data.next = self.parts5.data.val();
        self.tcam.head.next = self.data.val().get_bits::<HEAD_BITS>(0).into();
        self.tcam.clear.next = self.op5.q.val().clear;
        for n in (self.narrow.len() + self.wide.len())..(self.narrow.len() + self.wide.len() + 1) {
            for i in 0..(self.tcam.found.len()) {
                self.found[n + i].next = self.tcam.found[i].val();
            }
        }
        for i in (self.narrow.len() + self.wide.len() + self.tcam.found.len())..(self.found.len()) {
            self.found[i].next = self.empty.val();
        }
        // A heap: node i has the children 2 i + 1 and 2 i + 2; the lowest nodes have lists instead.
        for n in (self.found.len() / 2 - 1)..(self.found.len() / 2) {
            for i in 0..(self.found.len() / 2) {
                self.merge[n + i].a.next = self.found[2 * i].val();
                self.merge[n + i].b.next = self.found[2 * i + 1].val();
            }
        }
        for i in 0..(self.found.len() / 2 - 1) {
            self.merge[i].a.next = self.merge[2 * i + 1].found.val();
            self.merge[i].b.next = self.merge[2 * i + 2].found.val();
        }
        for i in 0..(self.merge.len()) {
            self.merge[i].clock.next = self.clock.val();
        }
        // Last stage.
        self.finish.found.next = self.merge[0].found.val();
        self.out_valid.next = self.finish.out_valid.val();
        self.answer.next = self.finish.answer.val();
        self.out_commit.next = self.answer.val().commit;
        self.out_silent.next = self.answer.val().silent;
        self.out_sequence.next = self.answer.val().sequence;
        self.out_length.next = self.answer.val().length;
        self.out_flags.next = self.answer.val().flags;
        self.out_version.next = self.answer.val().version;
        self.out_acl_valid.next = self.answer.val().acl_valid;
        self.out_acl.next = self.answer.val().acl;
        self.out_ids_count.next = self.answer.val().ids_count;
        self.out_ids.next = self.answer.val().ids;
        if self.reset.val() {
            self.op2.d.next = self.idle.val();
            self.op3.d.next = self.idle.val();
            self.op4.d.next = self.idle.val();
            self.op5.d.next = self.idle.val();
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
pub(crate) mod testing;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;

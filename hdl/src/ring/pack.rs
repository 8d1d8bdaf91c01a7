//! Packs results into the lines of the C2H ring.
//!
//! ```text
//!                  +------+
//! out_*         -->|      |--> m_axis_tdata, _tvalid   (<-- _tready)
//! hits_*        -->| Pack |
//! records_log2  -->|      |--> credit
//! idle          -->|      |
//!                  +------+
//! ```
//!
//! Results cannot be held up, so they go into a FIFO that has room for every element that holds a
//! credit, and so do the patterns that the payload matcher found, in a FIFO of their own. In a cycle in which both have
//! the next element, stage 0 joins them and gives the credit back. A cycle has room for four records: a verdict (or the
//! answer to a COMMIT), up to two of ids or of patterns, and one of presence bits. Where there are ids and patterns, the patterns take a
//! cycle more, and the presence bits go with them. These are left out where they say nothing: no header of a signature
//! holds, and the host does not decide the headers itself (DEFER). Stage 1 forms the records; a silent result ends there.
//! Stage 2 appends them to the records that wait (at most three) and lets a line out when it has
//! four. Stage 3 sets the phase bits, which are the same for a whole line, and counts it. A register
//! slice at the end cuts the path of `m_axis_tready`; all stages move together while it has room.
//!
//! When records wait, no result is behind them, and `idle` is high or nothing came for 64 cycles,
//! the line is filled up with pad records and let out.

mod layout;

use rust_hdl::core::prelude::*;
use rust_hdl::widgets::prelude::*;
use wiresift_abi::bits::LINE_BITS;
use wiresift_abi::c2h::{
    self, HITS_BITS, HITS_PER_RECORD, IDS_BITS, IDS_MAX, IDS_PER_RECORD, KIND_BITS, LINE_RECORDS,
    PRESENCE_BITS, RecordKind,
};

pub use layout::found_bits;
use layout::*;

use crate::prim::fifo::Fifo;
use crate::prim::ram::RamStyle;
use crate::prim::skid::RegisterSlice;

/// Record packer with a FIFO of `1 << DEPTH_LOG2` results, and `SHORT` presence bits; `DEPTH_COUNT` is `DEPTH_LOG2 + 1`,
/// `FOUND` is [`found_bits`] of them.
#[derive(LogicBlock)]
pub struct Pack<const DEPTH_LOG2: usize, const DEPTH_COUNT: usize, const SHORT: usize, const FOUND: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous reset: everything inside is gone, the next record has index 0.
    pub reset: Signal<In, Bit>,
    /// A result.
    pub out_valid: Signal<In, Bit>,
    /// It answers a COMMIT.
    pub out_commit: Signal<In, Bit>,
    /// It gives no record.
    pub out_silent: Signal<In, Bit>,
    /// Sequence number of the packet; for a COMMIT that of the next one.
    pub out_sequence: Signal<In, Bits<32>>,
    /// Bytes of the packet.
    pub out_length: Signal<In, Bits<16>>,
    /// Reason flags.
    pub out_flags: Signal<In, Bits<16>>,
    /// Version of the tables.
    pub out_version: Signal<In, Bits<16>>,
    /// An ACL rule matched.
    pub out_acl_valid: Signal<In, Bit>,
    /// Its number.
    pub out_acl: Signal<In, Bits<ID_BITS>>,
    /// Signature ids, at most `IDS_MAX`.
    pub out_ids_count: Signal<In, Bits<IDS_BITS>>,
    /// The ids, the first in the low bits.
    pub out_ids: Signal<In, Bits<LIST_BITS>>,
    /// Patterns of an element, which come for each in the order of the results, earlier or later.
    pub hits_valid: Signal<In, Bit>,
    /// How many.
    pub hits_count: Signal<In, Bits<HITS_BITS>>,
    /// Their numbers, the first in the low bits, zero behind the last.
    pub hits_ids: Signal<In, Bits<HITS_LIST_BITS>>,
    /// There may be more.
    pub hits_overflow: Signal<In, Bit>,
    /// Which short patterns are there.
    pub hits_present: Signal<In, Bits<SHORT>>,
    /// Pulse: a result left the FIFO.
    pub credit: Signal<Out, Bit>,
    /// Records of the C2H ring, power of two.
    pub records_log2: Signal<In, Bits<5>>,
    /// No element is on its way to here.
    pub idle: Signal<In, Bit>,
    /// Line of the C2H ring.
    pub m_axis_tdata: Signal<Out, Bits<LINE_BITS>>,
    /// The line is there.
    pub m_axis_tvalid: Signal<Out, Bit>,
    /// The line is taken.
    pub m_axis_tready: Signal<In, Bit>,

    results: Fifo<WORD_BITS, DEPTH_LOG2, DEPTH_COUNT>,
    hits: Fifo<FOUND, DEPTH_LOG2, DEPTH_COUNT>,
    slice: RegisterSlice<LINE_BITS>,
    given_back: DFF<Bit>,
    /// A result with its ids, and the patterns.
    joined: DFF<Bits<WORD_BITS>>,
    joined_hits: DFF<Bits<HITS_LIST_BITS>>,
    joined_present: DFF<Bits<PRESENCE_BITS>>,
    /// Patterns in the first record of them, and in the second.
    first_hits: DFF<Bits<HITS_IN_BITS>>,
    second_hits: DFF<Bits<HITS_IN_BITS>>,
    /// Records of ids or of patterns behind the verdict: one, two.
    has_first: DFF<Bit>,
    has_second: DFF<Bit>,
    /// The presence bits go now.
    has_present: DFF<Bit>,
    joined_valid: DFF<Bit>,
    /// The patterns are to go, not the ids.
    are_hits: DFF<Bit>,
    /// The verdict went before.
    is_tail: DFF<Bit>,
    /// The patterns of the result at the head are still to go.
    tail_due: DFF<Bit>,
    /// Records of the last result, low first; unused places are zero.
    fresh: DFF<Bits<FRESH_BITS>>,
    fresh_count: DFF<Bits<COUNT_BITS>>,
    fresh_valid: DFF<Bit>,
    /// Records that wait, low first; unused places are zero, which is what a pad record is.
    held: DFF<Bits<HELD_BITS>>,
    held_count: DFF<Bits<WAITING_BITS>>,
    due: DFF<Bit>,
    waited: DFF<Bits<WAIT_BITS>>,
    whole: DFF<Bits<LINE_BITS>>,
    whole_valid: DFF<Bit>,
    index: DFF<Bits<32>>,

    go: Signal<Local, Bit>,
    hits_first: Signal<Local, Bits<HITS_IN_BITS>>,
    hits_second: Signal<Local, Bits<HITS_IN_BITS>>,
    hits_more: Signal<Local, Bits<HITS_BITS>>,
    both_there: Signal<Local, Bit>,
    has_both: Signal<Local, Bit>,
    is_asked_for: Signal<Local, Bit>,
    is_present: Signal<Local, Bit>,
    present: Signal<Local, Bits<SHORT>>,
    takes_hits: Signal<Local, Bit>,
    result: Signal<Local, Bits<WORD_BITS>>,
    found: Signal<Local, Bits<FOUND>>,
    result_ids: Signal<Local, Bits<PART_BITS>>,
    found_count: Signal<Local, Bits<HITS_BITS>>,
    result_more: Signal<Local, Bits<PART_BITS>>,
    acl: Signal<Local, Bits<32>>,
    flags: Signal<Local, Bits<16>>,
    length: Signal<Local, Bits<16>>,
    control: Signal<Local, Bits<16>>,
    verdict: Signal<Local, Bits<RECORD_BITS>>,
    word: Signal<Local, Bits<BOTH_BITS>>,
    head: Signal<Local, Bits<RECORD_BITS>>,
    head_kind: Signal<Local, Bits<KIND_BITS>>,
    head_sequence: Signal<Local, Bits<16>>,
    more_ids: Signal<Local, Bits<IDS_BITS>>,
    first_in: Signal<Local, Bits<PART_BITS>>,
    second_in: Signal<Local, Bits<PART_BITS>>,
    part: [Signal<Local, Bits<PART_BITS>>; 2],
    id: [Signal<Local, Bits<RECORD_BITS>>; IDS_MAX],
    ids_end: Signal<Local, Bits<RECORD_BITS>>,
    hits_end: Signal<Local, Bits<RECORD_BITS>>,
    presence: Signal<Local, Bits<RECORD_BITS>>,
    presence_at: Signal<Local, Bits<10>>,
    records: Signal<Local, Bits<FRESH_BITS>>,
    records_count: Signal<Local, Bits<COUNT_BITS>>,
    first_list: Signal<Local, Bits<HITS_PART_BITS>>,
    second_list: Signal<Local, Bits<HITS_PART_BITS>>,
    first_ids: Signal<Local, Bits<RECORD_BITS>>,
    second_ids: Signal<Local, Bits<RECORD_BITS>>,
    both: Signal<Local, Bits<BOTH_BITS>>,
    rest: Signal<Local, Bits<REST_BITS>>,
    both_count: Signal<Local, Bits<WAITING_BITS>>,
    full: Signal<Local, Bit>,
    shift: Signal<Local, Bits<10>>,
    flush: Signal<Local, Bit>,
    phase: Signal<Local, Bit>,

    no_rule: Constant<Bits<32>>,
    acl_lsb: Constant<Bits<8>>,
    flags_lsb: Constant<Bits<8>>,
    length_lsb: Constant<Bits<8>>,
    version_lsb: Constant<Bits<8>>,
    control_lsb: Constant<Bits<8>>,
    list_lsb: Constant<Bits<8>>,
    count_lsb: Constant<Bits<8>>,
    id_sequence_lsb: Constant<Bits<8>>,
    id_lsb: [Constant<Bits<8>>; IDS_PER_RECORD],
    id_mask: Constant<Bits<RECORD_BITS>>,
    id_place: [Constant<Bits<PART_BITS>>; IDS_PER_RECORD],
    first_place: Constant<Bits<10>>,
    second_place: Constant<Bits<10>>,
    third_place: Constant<Bits<10>>,
    one_record: Constant<Bits<COUNT_BITS>>,
    record_log2: Constant<Bits<4>>,
    per_record: Constant<Bits<IDS_BITS>>,
    whole_part: Constant<Bits<PART_BITS>>,
    first_lsb: Constant<Bits<8>>,
    second_lsb: Constant<Bits<8>>,
    verdict_control: Constant<Bits<16>>,
    committed_control: Constant<Bits<16>>,
    ids_control: Constant<Bits<16>>,
    hits_control: Constant<Bits<16>>,
    presence_control: Constant<Bits<16>>,
    hits_per_record: Constant<Bits<HITS_BITS>>,
    whole_hits: Constant<Bits<HITS_IN_BITS>>,
    hits_count_lsb: Constant<Bits<8>>,
    hits_overflow_at: Constant<Bits<8>>,
    verdict_hits_lsb: Constant<Bits<8>>,
    verdict_presence_lsb: Constant<Bits<8>>,
    present_lsb: Constant<Bits<16>>,
    is_present_at: Constant<Bits<8>>,
    overflow_lsb: Constant<Bits<8>>,
    one_word: Constant<Bits<WORD_BITS>>,
    one_found: Constant<Bits<FOUND>>,
    line_records: Constant<Bits<COUNT_BITS>>,
    none: Constant<Bits<WAITING_BITS>>,
    phases: Constant<Bits<LINE_BITS>>,
}

/// The phase bit of every record of a line.
fn phases() -> Bits<LINE_BITS> {
    let mut phases = Bits::default();
    for record in 0..LINE_RECORDS {
        phases = phases | (bits::<LINE_BITS>(1) << (record * RECORD_BITS + CONTROL_LSB) as u64);
    }
    phases
}

impl<const DEPTH_LOG2: usize, const DEPTH_COUNT: usize, const SHORT: usize, const FOUND: usize> Default
    for Pack<DEPTH_LOG2, DEPTH_COUNT, SHORT, FOUND>
{
    fn default() -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            out_valid: Default::default(),
            out_commit: Default::default(),
            out_silent: Default::default(),
            out_sequence: Default::default(),
            out_length: Default::default(),
            out_flags: Default::default(),
            out_version: Default::default(),
            out_acl_valid: Default::default(),
            out_acl: Default::default(),
            out_ids_count: Default::default(),
            out_ids: Default::default(),
            hits_valid: Default::default(),
            hits_count: Default::default(),
            hits_ids: Default::default(),
            hits_overflow: Default::default(),
            hits_present: Default::default(),
            credit: Default::default(),
            records_log2: Default::default(),
            idle: Default::default(),
            m_axis_tdata: Default::default(),
            m_axis_tvalid: Default::default(),
            m_axis_tready: Default::default(),
            results: Fifo::new(RamStyle::Block),
            hits: Fifo::new(RamStyle::Block),
            slice: Default::default(),
            given_back: Default::default(),
            joined: Default::default(),
            joined_hits: Default::default(),
            joined_present: Default::default(),
            first_hits: Default::default(),
            second_hits: Default::default(),
            has_first: Default::default(),
            has_second: Default::default(),
            has_present: Default::default(),
            joined_valid: Default::default(),
            are_hits: Default::default(),
            is_tail: Default::default(),
            tail_due: Default::default(),
            fresh: Default::default(),
            fresh_count: Default::default(),
            fresh_valid: Default::default(),
            held: Default::default(),
            held_count: Default::default(),
            due: Default::default(),
            waited: Default::default(),
            whole: Default::default(),
            whole_valid: Default::default(),
            index: Default::default(),
            go: Default::default(),
            hits_first: Default::default(),
            hits_second: Default::default(),
            hits_more: Default::default(),
            both_there: Default::default(),
            has_both: Default::default(),
            is_asked_for: Default::default(),
            is_present: Default::default(),
            present: Default::default(),
            takes_hits: Default::default(),
            result: Default::default(),
            found: Default::default(),
            result_ids: Default::default(),
            found_count: Default::default(),
            result_more: Default::default(),
            acl: Default::default(),
            flags: Default::default(),
            length: Default::default(),
            control: Default::default(),
            verdict: Default::default(),
            word: Default::default(),
            head: Default::default(),
            head_kind: Default::default(),
            head_sequence: Default::default(),
            more_ids: Default::default(),
            first_in: Default::default(),
            second_in: Default::default(),
            part: Default::default(),
            id: Default::default(),
            ids_end: Default::default(),
            hits_end: Default::default(),
            presence: Default::default(),
            presence_at: Default::default(),
            records: Default::default(),
            records_count: Default::default(),
            first_list: Default::default(),
            second_list: Default::default(),
            first_ids: Default::default(),
            second_ids: Default::default(),
            both: Default::default(),
            rest: Default::default(),
            both_count: Default::default(),
            full: Default::default(),
            shift: Default::default(),
            flush: Default::default(),
            phase: Default::default(),
            no_rule: Constant::new(u64::from(c2h::NO_RULE).into()),
            acl_lsb: Constant::new(ACL_LSB.to_bits()),
            flags_lsb: Constant::new(FLAGS_LSB.to_bits()),
            length_lsb: Constant::new(LENGTH_LSB.to_bits()),
            version_lsb: Constant::new(VERSION_LSB.to_bits()),
            control_lsb: Constant::new(CONTROL_LSB.to_bits()),
            list_lsb: Constant::new(RECORD_BITS.to_bits()),
            count_lsb: Constant::new(IDS_LSB.to_bits()),
            id_sequence_lsb: Constant::new(ID_SEQUENCE_LSB.to_bits()),
            id_lsb: std::array::from_fn(|n| Constant::new((32 * n).to_bits())),
            id_mask: Constant::new(((1u64 << ID_BITS) - 1).into()),
            id_place: std::array::from_fn(|n| Constant::new(n.to_bits())),
            first_place: Constant::new(RECORD_BITS.to_bits()),
            second_place: Constant::new((2 * RECORD_BITS).to_bits()),
            third_place: Constant::new((3 * RECORD_BITS).to_bits()),
            one_record: Constant::new(1u64.to_bits()),
            record_log2: Constant::new((RECORD_BITS.ilog2() as usize).to_bits()),
            per_record: Constant::new(IDS_PER_RECORD.to_bits()),
            whole_part: Constant::new(IDS_PER_RECORD.to_bits()),
            first_lsb: Constant::new(FIRST_LSB.to_bits()),
            second_lsb: Constant::new(SECOND_LSB.to_bits()),
            verdict_control: Constant::new(u64::from(c2h::control(RecordKind::Verdict, 0, false)).into()),
            committed_control: Constant::new(u64::from(c2h::control(RecordKind::Committed, 0, false)).into()),
            ids_control: Constant::new(u64::from(c2h::control(RecordKind::Ids, 0, false)).into()),
            hits_control: Constant::new(u64::from(c2h::control(RecordKind::Hits, 0, false)).into()),
            presence_control: Constant::new(u64::from(c2h::control(RecordKind::Presence, 0, false)).into()),
            hits_per_record: Constant::new(HITS_PER_RECORD.to_bits()),
            whole_hits: Constant::new(HITS_PER_RECORD.to_bits()),
            hits_count_lsb: Constant::new(HITS_COUNT_LSB.to_bits()),
            hits_overflow_at: Constant::new(HITS_OVERFLOW_BIT.to_bits()),
            verdict_hits_lsb: Constant::new(VERDICT_HITS_LSB.to_bits()),
            verdict_presence_lsb: Constant::new(VERDICT_PRESENCE_BIT.to_bits()),
            present_lsb: Constant::new(PRESENT_LSB.to_bits()),
            is_present_at: Constant::new(IS_PRESENT_BIT.to_bits()),
            overflow_lsb: Constant::new(OVERFLOW_BIT.to_bits()),
            one_word: Constant::new(1u64.to_bits()),
            one_found: Constant::new(1u64.to_bits()),
            line_records: Constant::new(LINE_RECORDS.to_bits()),
            none: Constant::new(0.into()),
            phases: Constant::new(phases()),
        }
    }
}

impl<const DEPTH_LOG2: usize, const DEPTH_COUNT: usize, const SHORT: usize, const FOUND: usize> Logic
    for Pack<DEPTH_LOG2, DEPTH_COUNT, SHORT, FOUND>
{
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self,
            clock,
            given_back,
            joined,
            joined_hits,
            joined_present,
            first_hits,
            second_hits,
            has_first,
            has_second,
            has_present,
            joined_valid,
            are_hits,
            is_tail,
            tail_due,
            fresh,
            fresh_count,
            fresh_valid,
            held,
            held_count,
            due,
            waited,
            whole,
            whole_valid,
            index
        );
        self.results.clock.next = self.clock.val();
        self.results.reset.next = self.reset.val();
        self.slice.clock.next = self.clock.val();
        self.slice.reset.next = self.reset.val();
        self.go.next = self.slice.s_axis_tready.val();

        // Before the FIFO: the verdict record, all zero for a silent result.
        self.acl.next = self.no_rule.val();
        self.flags.next = 0.into();
        self.length.next = 0.into();
        self.control.next = self.committed_control.val();
        if !self.out_commit.val() {
            self.flags.next = self.out_flags.val();
            self.length.next = self.out_length.val();
            self.control.next = self.verdict_control.val();
            if self.out_acl_valid.val() {
                self.acl.next = bit_cast::<32, ID_BITS>(self.out_acl.val());
            }
        }
        self.verdict.next = bit_cast::<RECORD_BITS, 32>(self.out_sequence.val())
            | (bit_cast::<RECORD_BITS, 32>(self.acl.val()) << self.acl_lsb.val())
            | (bit_cast::<RECORD_BITS, 16>(self.flags.val()) << self.flags_lsb.val())
            | (bit_cast::<RECORD_BITS, 16>(self.length.val()) << self.length_lsb.val())
            | (bit_cast::<RECORD_BITS, 16>(self.out_version.val()) << self.version_lsb.val())
            | (bit_cast::<RECORD_BITS, 16>(self.control.val()) << self.control_lsb.val());
        self.more_ids.next = self.out_ids_count.val() - self.per_record.val();
        self.first_in.next = self.out_ids_count.val().get_bits::<PART_BITS>(0);
        self.second_in.next = 0.into();
        if self.out_ids_count.val() > self.per_record.val() {
            self.first_in.next = self.whole_part.val();
            self.second_in.next = self.more_ids.val().get_bits::<PART_BITS>(0);
        }
        if self.out_commit.val() {
            self.first_in.next = 0.into();
            self.second_in.next = 0.into();
        } else {
            self.verdict.next = self.verdict.val()
                | (bit_cast::<RECORD_BITS, IDS_BITS>(self.out_ids_count.val()) << self.count_lsb.val());
        }
        if self.out_silent.val() {
            self.verdict.next = 0.into();
        }
        self.results.s_axis_tdata.next = bit_cast::<WORD_BITS, RECORD_BITS>(self.verdict.val())
            | (bit_cast::<WORD_BITS, LIST_BITS>(self.out_ids.val()) << self.list_lsb.val())
            | (bit_cast::<WORD_BITS, PART_BITS>(self.first_in.val()) << self.first_lsb.val())
            | (bit_cast::<WORD_BITS, PART_BITS>(self.second_in.val()) << self.second_lsb.val());
        self.results.s_axis_tvalid.next = self.out_valid.val();
        self.hits.clock.next = self.clock.val();
        self.hits.reset.next = self.reset.val();
        self.found.next = bit_cast::<FOUND, HITS_LIST_BITS>(self.hits_ids.val())
            | (bit_cast::<FOUND, HITS_BITS>(self.hits_count.val()) << self.hits_count_lsb.val())
            | (bit_cast::<FOUND, SHORT>(self.hits_present.val()) << self.present_lsb.val());
        if self.hits_overflow.val() {
            self.found.next = self.found.val() | (self.one_found.val() << self.hits_overflow_at.val());
        }
        if self.hits_present.val().any() {
            self.found.next = self.found.val() | (self.one_found.val() << self.is_present_at.val());
        }
        self.hits.s_axis_tdata.next = self.found.val();
        self.hits.s_axis_tvalid.next = self.hits_valid.val();

        // Stage 0: result and patterns of an element.
        self.both_there.next = self.results.m_axis_tvalid.val() & self.hits.m_axis_tvalid.val();
        for i in FIRST_LSB..(FIRST_LSB + 1) {
            self.result_ids.next = self.results.m_axis_tdata.val().get_bits::<PART_BITS>(i);
        }
        for i in HITS_COUNT_LSB..(HITS_COUNT_LSB + 1) {
            self.found_count.next = self.hits.m_axis_tdata.val().get_bits::<HITS_BITS>(i);
        }
        for i in SECOND_LSB..(SECOND_LSB + 1) {
            self.result_more.next = self.results.m_axis_tdata.val().get_bits::<PART_BITS>(i);
        }
        self.hits_more.next = self.found_count.val() - self.hits_per_record.val();
        self.hits_first.next = self.found_count.val().get_bits::<HITS_IN_BITS>(0);
        self.hits_second.next = 0.into();
        if self.found_count.val() > self.hits_per_record.val() {
            self.hits_first.next = self.whole_hits.val();
            self.hits_second.next = self.hits_more.val().get_bits::<HITS_IN_BITS>(0);
        }
        self.present.next = self.hits.m_axis_tdata.val().get_bits::<SHORT>(self.present_lsb.val().index());
        self.is_asked_for.next = self.result_ids.val().any();
        for i in DEFER_BIT..(DEFER_BIT + 1) {
            if self.results.m_axis_tdata.val().get_bit(i) {
                self.is_asked_for.next = true;
            }
        }
        self.is_present.next = false;
        for i in IS_PRESENT_BIT..(IS_PRESENT_BIT + 1) {
            if self.hits.m_axis_tdata.val().get_bit(i) {
                self.is_present.next = self.is_asked_for.val();
            }
        }
        self.has_both.next = self.result_ids.val().any() & self.found_count.val().any();
        self.takes_hits.next = self.tail_due.q.val() | !self.result_ids.val().any();
        self.result.next = self.results.m_axis_tdata.val();
        if self.found_count.val().any() {
            self.result.next = self.result.val()
                | (bit_cast::<WORD_BITS, HITS_BITS>(self.found_count.val()) << self.verdict_hits_lsb.val());
        }
        if self.is_present.val() {
            self.result.next = self.result.val() | (self.one_word.val() << self.verdict_presence_lsb.val());
        }
        for i in HITS_OVERFLOW_BIT..(HITS_OVERFLOW_BIT + 1) {
            if self.hits.m_axis_tdata.val().get_bit(i) {
                self.result.next = self.result.val() | (self.one_word.val() << self.overflow_lsb.val());
            }
        }
        self.results.m_axis_tready.next =
            self.go.val() & self.both_there.val() & (self.tail_due.q.val() | !self.has_both.val());
        self.hits.m_axis_tready.next =
            self.go.val() & self.both_there.val() & (self.tail_due.q.val() | !self.has_both.val());
        self.given_back.d.next =
            self.go.val() & self.both_there.val() & (self.tail_due.q.val() | !self.has_both.val());
        self.credit.next = self.given_back.q.val();
        if self.go.val() {
            self.joined_valid.d.next = self.both_there.val();
            self.joined.d.next = self.result.val();
            self.joined_hits.d.next = self.hits.m_axis_tdata.val().get_bits::<HITS_LIST_BITS>(0);
            self.first_hits.d.next = self.hits_first.val();
            self.second_hits.d.next = self.hits_second.val();
            self.has_first.d.next = self.result_ids.val().any();
            self.has_second.d.next = self.result_more.val().any();
            if self.takes_hits.val() {
                self.has_first.d.next = self.hits_first.val().any();
                self.has_second.d.next = self.hits_second.val().any();
            }
            self.are_hits.d.next = self.takes_hits.val();
            self.is_tail.d.next = self.tail_due.q.val();
            self.has_present.d.next = self.is_present.val() & (self.tail_due.q.val() | !self.has_both.val());
            self.joined_present.d.next = bit_cast::<PRESENCE_BITS, SHORT>(self.present.val());
            self.tail_due.d.next = self.both_there.val() & self.has_both.val() & !self.tail_due.q.val();
        }

        // Stage 1: the records of a result.
        self.word.next = bit_cast::<BOTH_BITS, WORD_BITS>(self.joined.q.val());
        self.head.next = self.word.val().get_bits::<RECORD_BITS>(0);
        self.head_sequence.next = self.word.val().get_bits::<16>(0);
        for i in KIND_LSB..(KIND_LSB + 1) {
            self.head_kind.next = self.word.val().get_bits::<KIND_BITS>(i);
        }
        for i in FIRST_LSB..(FIRST_LSB + 1) {
            self.part[0].next = self.word.val().get_bits::<PART_BITS>(i);
        }
        for i in SECOND_LSB..(SECOND_LSB + 1) {
            self.part[1].next = self.word.val().get_bits::<PART_BITS>(i);
        }
        for i in RECORD_BITS..(RECORD_BITS + 1) {
            for width in ID_BITS..(ID_BITS + 1) {
                for n in 0..IDS_MAX {
                    self.id[n].next =
                        self.word.val().get_bits::<RECORD_BITS>(i + (n * width)) & self.id_mask.val();
                }
            }
        }
        for n in 0..IDS_PER_RECORD {
            if self.part[0].val() <= self.id_place[n].val() {
                self.id[n].next = 0.into();
            }
            if self.part[1].val() <= self.id_place[n].val() {
                self.id[n + 3].next = 0.into();
            }
        }
        self.ids_end.next = (bit_cast::<RECORD_BITS, 16>(self.head_sequence.val())
            << self.id_sequence_lsb.val())
            | (bit_cast::<RECORD_BITS, 16>(self.ids_control.val()) << self.control_lsb.val());
        self.first_ids.next = 0.into();
        self.second_ids.next = 0.into();
        if self.part[0].val().any() {
            self.first_ids.next = self.ids_end.val()
                | (bit_cast::<RECORD_BITS, PART_BITS>(self.part[0].val()) << self.count_lsb.val());
        }
        if self.part[1].val().any() {
            self.second_ids.next = self.ids_end.val()
                | (bit_cast::<RECORD_BITS, PART_BITS>(self.part[1].val()) << self.count_lsb.val());
        }
        for n in 0..IDS_PER_RECORD {
            self.first_ids.next = self.first_ids.val() | (self.id[n].val() << self.id_lsb[n].val());
            self.second_ids.next = self.second_ids.val() | (self.id[n + 3].val() << self.id_lsb[n].val());
        }
        self.first_list.next = self.joined_hits.q.val().get_bits::<HITS_PART_BITS>(0);
        for i in HITS_PART_BITS..(HITS_PART_BITS + 1) {
            self.second_list.next = self.joined_hits.q.val().get_bits::<HITS_PART_BITS>(i);
        }
        self.hits_end.next = (bit_cast::<RECORD_BITS, 16>(self.head_sequence.val())
            << self.id_sequence_lsb.val())
            | (bit_cast::<RECORD_BITS, 16>(self.hits_control.val()) << self.control_lsb.val());
        if self.are_hits.q.val() {
            self.first_ids.next = 0.into();
            self.second_ids.next = 0.into();
            if self.first_hits.q.val().any() {
                self.first_ids.next = self.hits_end.val()
                    | bit_cast::<RECORD_BITS, HITS_PART_BITS>(self.first_list.val())
                    | (bit_cast::<RECORD_BITS, HITS_IN_BITS>(self.first_hits.q.val())
                        << self.count_lsb.val());
            }
            if self.second_hits.q.val().any() {
                self.second_ids.next = self.hits_end.val()
                    | bit_cast::<RECORD_BITS, HITS_PART_BITS>(self.second_list.val())
                    | (bit_cast::<RECORD_BITS, HITS_IN_BITS>(self.second_hits.q.val())
                        << self.count_lsb.val());
            }
        }
        self.presence.next = 0.into();
        if self.has_present.q.val() {
            self.presence.next = bit_cast::<RECORD_BITS, PRESENCE_BITS>(self.joined_present.q.val())
                | (bit_cast::<RECORD_BITS, 16>(self.head_sequence.val()) << self.id_sequence_lsb.val())
                | (bit_cast::<RECORD_BITS, 16>(self.presence_control.val()) << self.control_lsb.val());
        }
        self.records.next = bit_cast::<FRESH_BITS, RECORD_BITS>(self.head.val())
            | (bit_cast::<FRESH_BITS, RECORD_BITS>(self.first_ids.val()) << self.first_place.val())
            | (bit_cast::<FRESH_BITS, RECORD_BITS>(self.second_ids.val()) << self.second_place.val());
        self.presence_at.next = self.first_place.val();
        self.records_count.next = 1.into();
        if self.has_second.q.val() {
            self.presence_at.next = self.third_place.val();
            self.records_count.next = 3.into();
        } else if self.has_first.q.val() {
            self.presence_at.next = self.second_place.val();
            self.records_count.next = 2.into();
        }
        // Without the verdict; there is a first one.
        if self.is_tail.q.val() {
            self.records.next = bit_cast::<FRESH_BITS, RECORD_BITS>(self.first_ids.val())
                | (bit_cast::<FRESH_BITS, RECORD_BITS>(self.second_ids.val()) << self.first_place.val());
            self.presence_at.next = self.first_place.val();
            self.records_count.next = 1.into();
            if self.has_second.q.val() {
                self.presence_at.next = self.second_place.val();
                self.records_count.next = 2.into();
            }
        }
        if self.has_present.q.val() {
            self.records_count.next = self.records_count.val() + self.one_record.val();
        }
        if self.go.val() {
            self.fresh_valid.d.next = self.joined_valid.q.val() & self.head_kind.val().any();
            self.fresh.d.next = self.records.val()
                | (bit_cast::<FRESH_BITS, RECORD_BITS>(self.presence.val()) << self.presence_at.val());
            self.fresh_count.d.next = self.records_count.val();
        }

        // Stage 2: behind the records that wait; a line when there are four.
        self.shift.next = bit_cast::<10, WAITING_BITS>(self.held_count.q.val()) << self.record_log2.val();
        self.both.next = bit_cast::<BOTH_BITS, HELD_BITS>(self.held.q.val());
        self.both_count.next = self.held_count.q.val();
        if self.fresh_valid.q.val() {
            self.both.next =
                self.both.val() | (bit_cast::<BOTH_BITS, FRESH_BITS>(self.fresh.q.val()) << self.shift.val());
            // Of a whole line nothing is left.
            self.both_count.next =
                self.held_count.q.val() + self.fresh_count.q.val().get_bits::<WAITING_BITS>(0);
        }
        // The carry of that sum, written out: it selects what 384 bits become.
        self.full.next = self.fresh_valid.q.val()
            & (self.fresh_count.q.val().get_bit(2)
                | (self.held_count.q.val().get_bit(1) & self.fresh_count.q.val().get_bit(1))
                | (self.held_count.q.val().all() & self.fresh_count.q.val().get_bit(0))
                | (self.fresh_count.q.val().get_bit(1)
                    & self.fresh_count.q.val().get_bit(0)
                    & self.held_count.q.val().get_bit(0)));
        for i in LINE_BITS..(LINE_BITS + 1) {
            self.rest.next = self.both.val().get_bits::<REST_BITS>(i);
        }
        self.due.d.next = !self.out_valid.val()
            & !(self.results.count.val().any())
            & !self.results.m_axis_tvalid.val()
            & !self.joined_valid.q.val()
            & !self.fresh_valid.q.val()
            & (self.idle.val() | self.waited.q.val().all());
        self.waited.d.next = self.waited.q.val() + 1;
        if self.results.m_axis_tvalid.val()
            | self.joined_valid.q.val()
            | self.fresh_valid.q.val()
            | (self.held_count.q.val() == self.none.val())
        {
            self.waited.d.next = 0.into();
        }
        self.flush.next = self.due.q.val()
            & !self.joined_valid.q.val()
            & !self.fresh_valid.q.val()
            & (self.held_count.q.val() != self.none.val());
        if self.go.val() {
            self.whole.d.next = self.both.val().get_bits::<LINE_BITS>(0);
            self.whole_valid.d.next = false;
            self.held.d.next = self.both.val().get_bits::<HELD_BITS>(0);
            self.held_count.d.next = self.both_count.val();
            if self.full.val() {
                self.whole_valid.d.next = true;
                self.held.d.next = bit_cast::<HELD_BITS, REST_BITS>(self.rest.val());
            }
            if self.flush.val() {
                self.whole_valid.d.next = true;
                self.held.d.next = 0.into();
                self.held_count.d.next = 0.into();
            }
        }

        // Stage 3: the phase.
        self.phase.next = !(self.index.q.val().get_bit(self.records_log2.val().index()));
        self.slice.s_axis_tdata.next = self.whole.q.val();
        if self.phase.val() {
            self.slice.s_axis_tdata.next = self.whole.q.val() | self.phases.val();
        }
        self.slice.s_axis_tvalid.next = self.whole_valid.q.val();
        if self.go.val() & self.whole_valid.q.val() {
            self.index.d.next = self.index.q.val() + bit_cast::<32, COUNT_BITS>(self.line_records.val());
        }
        self.m_axis_tdata.next = self.slice.m_axis_tdata.val();
        self.m_axis_tvalid.next = self.slice.m_axis_tvalid.val();
        self.slice.m_axis_tready.next = self.m_axis_tready.val();

        if self.reset.val() {
            self.given_back.d.next = false;
            self.joined_valid.d.next = false;
            self.tail_due.d.next = false;
            self.fresh_valid.d.next = false;
            self.held.d.next = 0.into();
            self.held_count.d.next = 0.into();
            self.whole_valid.d.next = false;
            self.index.d.next = 0.into();
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;

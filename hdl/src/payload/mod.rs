//! The payload matcher: seeks patterns at every byte of every packet, one beat a cycle, and holds nothing up.
//!
//! ```text
//! tdata, taken, tlast, command, length --->.---------.---> out_valid, out_count, out_ids, out_overflow
//!                                          | Matcher |
//! entered, vector_valid, vector_line ----->|         |
//! classified ----------------------------->'---------'---> cleared
//! ```
//!
//! It listens to the beats that the window takes, and answers for every element, packet or command, in order. Its
//! design, what fills up and what then happens are told in `docs/payload-matcher.md`; the contract is
//! [`wiresift_abi::payload`]. The blocks stand here in the order in which a beat meets them.
//!
//! The pulse by which the classifier says that a CLEAR, WRITE_SECRET or WRITE_TCAM_HIGH is done goes through here: it is
//! held back until the matcher's tables are empty too. Of a WRITE_WINDOW_SECRET the classifier knows nothing, and the
//! pulse comes when both hashes of windows have the row.

use rust_hdl::core::prelude::*;
use rust_hdl::widgets::prelude::*;
use wiresift_abi::bits::LINE_BITS;
use wiresift_abi::c2h::HITS_BITS;
use wiresift_abi::geometry::{Geometry, LAB, LINE};
use wiresift_abi::payload::backlog_max;

pub mod bitmaps;
pub mod collect;
pub mod compare;
pub mod filter;
pub mod headers;
pub mod issue;
pub mod layout;
pub mod lookup;
pub mod octet_hash;
pub mod presence;
pub mod region;
pub mod survivors;
pub mod tap;
pub mod window_hash;

use crate::parse::parser::LATENCY;
use crate::prim::ram::RamStyle;
use collect::{Collect, HIT_LIST_BITS};
use compare::Compare;
use filter::Filter;
use headers::Headers;
use issue::Issue;
use lookup::Lookup;
use presence::Presence;
use region::Region;
use survivors::{QUEUE_COUNT, Survivors};
use tap::Tap;

/// A block whose last parameters are those of the matcher of a geometry behind bits and bytes of a beat; the block's own come
/// first.
macro_rules! sized {
    ($block:ident, $geometry:ident, $($own:expr),+) => {
        $block<
            $({ $own },)+
            { $geometry.beat_bytes / 2 },
            { $geometry.beat_bytes / 4 },
            { $geometry.beat_bytes * 3 + $crate::payload::survivors::INFO_BITS },
            { $geometry.payload.hash_bits },
            { 1 << $geometry.payload.filter_word_log2 },
            { $geometry.payload.filter_words_log2 as usize },
            { $geometry.payload.filter_word_log2 as usize },
            { $geometry.payload.probe_bits() },
            { $geometry.beat_bytes * 16 },
            { $geometry.beat_bytes.ilog2() as usize },
            { $crate::payload::layout::BEAT_NUMBER_BITS + $geometry.beat_bytes.ilog2() as usize },
            { $geometry.payload.region_bytes },
            { $geometry.payload.region_bytes * 8 },
            { $geometry.payload.region_bytes * 8 + 56 },
            { wiresift_abi::command::DATA_LSB + wiresift_abi::payload::pattern_bits(&$geometry.payload) },
            { $geometry.payload.window_buckets_log2 as usize },
            { wiresift_abi::payload::pattern_bits(&$geometry.payload) },
            { $geometry.payload.patterns_log2 as usize },
            { wiresift_abi::payload::headers::header_list_bits(&$geometry.payload) },
            { $geometry.payload.header_lists_log2 as usize },
            { $geometry.packets_in_flight.ilog2() as usize },
            { $geometry.payload.short_patterns },
            { 2 * $geometry.payload.short_patterns },
        >
    };
}
pub(crate) use sized;

/// Cycles from a survivor that is let in to the read of its header vector: one in [`Issue`], three in [`Region`], five in
/// [`Lookup`], three in [`Compare`].
const ISSUE_TO_VECTOR: usize = 12;
/// Cycles after an element entered the parser from which on it may be let in: its vector is then written in the cycle before
/// it can be read.
const KNOWN_AFTER: usize = LATENCY - ISSUE_TO_VECTOR;

/// The matcher of the geometry `line`.
pub type LineMatcher = sized!(Matcher, LINE, LINE.beat_bytes * 8, LINE.beat_bytes);
/// The matcher of the geometry `lab`.
pub type LabMatcher = sized!(Matcher, LAB, LAB.beat_bytes * 8, LAB.beat_bytes);

/// The matcher; the parameters are those of its blocks.
#[derive(LogicBlock)]
pub struct Matcher<
    const BEAT_BITS: usize,
    const LANES: usize,
    const PAIRS: usize,
    const GROUPS: usize,
    const ENTRY: usize,
    const HASH: usize,
    const WORD: usize,
    const WORD_LOG2: usize,
    const BIT_LOG2: usize,
    const PROBE: usize,
    const PAIR_BITS: usize,
    const LANE_LOG2: usize,
    const POSITION: usize,
    const BYTES: usize,
    const REGION_BITS: usize,
    const COARSE_BITS: usize,
    const OPERAND_BITS: usize,
    const BUCKETS_LOG2: usize,
    const PATTERN_BITS: usize,
    const PATTERNS_LOG2: usize,
    const HEADER_LIST_BITS: usize,
    const LISTS_LOG2: usize,
    const FLIGHT_LOG2: usize,
    const SHORT: usize,
    const ROW: usize,
> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous, active high: forgets the elements inside and never touches tables.
    pub reset: Signal<In, Bit>,
    /// The beat.
    pub tdata: Signal<In, Bits<BEAT_BITS>>,
    /// It is taken in this cycle.
    pub taken: Signal<In, Bit>,
    /// It is the last of its element.
    pub tlast: Signal<In, Bit>,
    /// The element is a command.
    pub command: Signal<In, Bit>,
    /// Bytes of the packet.
    pub length: Signal<In, Bits<16>>,
    /// Pulse: an element enters the parser, in the order in which they come here.
    pub entered: Signal<In, Bit>,
    /// [`LATENCY`] cycles after it entered: its header vector.
    pub vector_valid: Signal<In, Bit>,
    /// The vector.
    pub vector_line: Signal<In, Bits<LINE_BITS>>,
    /// Pulse: the classifier is done with a command that packets wait for.
    pub classified: Signal<In, Bit>,
    /// Pulse: so is the matcher.
    pub cleared: Signal<Out, Bit>,
    /// The answer for an element.
    pub out_valid: Signal<Out, Bit>,
    /// Patterns found.
    pub out_count: Signal<Out, Bits<HITS_BITS>>,
    /// Their numbers, each in 16 bits, zero behind the last.
    pub out_ids: Signal<Out, Bits<HIT_LIST_BITS>>,
    /// There may be more.
    pub out_overflow: Signal<Out, Bit>,
    /// Which short patterns are there: a bit for each.
    pub out_present: Signal<Out, Bits<SHORT>>,
    tap: Tap<BEAT_BITS>,
    filter: Filter<BEAT_BITS, LANES, PAIRS, HASH, WORD, WORD_LOG2, BIT_LOG2, PROBE>,
    survivors: Survivors<LANES, GROUPS, ENTRY>,
    issue: Issue<POSITION>,
    region: Region<BEAT_BITS, PAIR_BITS, LANE_LOG2, POSITION, REGION_BITS, COARSE_BITS, OPERAND_BITS>,
    lookup: Lookup<REGION_BITS, OPERAND_BITS, HASH, BUCKETS_LOG2>,
    compare: Compare<BYTES, REGION_BITS, OPERAND_BITS, PATTERN_BITS, PATTERNS_LOG2, HEADER_LIST_BITS>,
    headers: Headers<OPERAND_BITS, HEADER_LIST_BITS, LISTS_LOG2, FLIGHT_LOG2>,
    presence: Presence<LANES, SHORT, ROW, FLIGHT_LOG2>,
    collect: Collect,
    coming: DFF<Bits<KNOWN_AFTER>>,
    filter_waits: DFF<Bit>,
    index_waits: DFF<Bit>,
    owed: DFF<Bit>,
    paid: DFF<Bit>,
    /// Elements whose answer has not come.
    under_way: DFF<Bits<QUEUE_COUNT>>,
    /// These, and lines of beats in the queue.
    backlog: DFF<Bits<QUEUE_COUNT>>,
    hurry: DFF<Bit>,
    begins: Signal<Local, Bit>,
    one: Constant<Bits<QUEUE_COUNT>>,
    enters: Constant<Bits<KNOWN_AFTER>>,
    known_at: Constant<Bits<8>>,
    beats_log2: Constant<Bits<QUEUE_COUNT>>,
    most: Constant<Bits<QUEUE_COUNT>>,
    beat_at: Constant<Bits<16>>,
}

impl<
    const BEAT_BITS: usize,
    const LANES: usize,
    const PAIRS: usize,
    const GROUPS: usize,
    const ENTRY: usize,
    const HASH: usize,
    const WORD: usize,
    const WORD_LOG2: usize,
    const BIT_LOG2: usize,
    const PROBE: usize,
    const PAIR_BITS: usize,
    const LANE_LOG2: usize,
    const POSITION: usize,
    const BYTES: usize,
    const REGION_BITS: usize,
    const COARSE_BITS: usize,
    const OPERAND_BITS: usize,
    const BUCKETS_LOG2: usize,
    const PATTERN_BITS: usize,
    const PATTERNS_LOG2: usize,
    const HEADER_LIST_BITS: usize,
    const LISTS_LOG2: usize,
    const FLIGHT_LOG2: usize,
    const SHORT: usize,
    const ROW: usize,
>
    Matcher<
        BEAT_BITS,
        LANES,
        PAIRS,
        GROUPS,
        ENTRY,
        HASH,
        WORD,
        WORD_LOG2,
        BIT_LOG2,
        PROBE,
        PAIR_BITS,
        LANE_LOG2,
        POSITION,
        BYTES,
        REGION_BITS,
        COARSE_BITS,
        OPERAND_BITS,
        BUCKETS_LOG2,
        PATTERN_BITS,
        PATTERNS_LOG2,
        HEADER_LIST_BITS,
        LISTS_LOG2,
        FLIGHT_LOG2,
        SHORT,
        ROW,
    >
{
    /// The matcher of a geometry whose sizes are the parameters; filter, index and patterns lie in RAM of style
    /// `tables`.
    ///
    /// # Panics
    /// Where they are not.
    pub fn new(geometry: &Geometry, tables: RamStyle) -> Self {
        Self {
            clock: Signal::default(),
            reset: Signal::default(),
            tdata: Signal::default(),
            taken: Signal::default(),
            tlast: Signal::default(),
            command: Signal::default(),
            length: Signal::default(),
            entered: Signal::default(),
            vector_valid: Signal::default(),
            vector_line: Signal::default(),
            classified: Signal::default(),
            cleared: Signal::default(),
            out_valid: Signal::default(),
            out_count: Signal::default(),
            out_ids: Signal::default(),
            out_overflow: Signal::default(),
            out_present: Signal::default(),
            tap: Tap::default(),
            filter: Filter::new(geometry, tables),
            survivors: Survivors::new(geometry),
            issue: Issue::new(geometry),
            region: Region::default(),
            lookup: Lookup::new(geometry, tables),
            compare: Compare::new(geometry, tables),
            headers: Headers::new(geometry, tables),
            presence: Presence::new(geometry),
            collect: Collect::default(),
            coming: DFF::default(),
            filter_waits: DFF::default(),
            index_waits: DFF::default(),
            owed: DFF::default(),
            paid: DFF::default(),
            under_way: DFF::default(),
            backlog: DFF::default(),
            hurry: DFF::default(),
            begins: Signal::default(),
            one: Constant::new(1u64.to_bits()),
            enters: Constant::new(1u64.to_bits()),
            known_at: Constant::new((KNOWN_AFTER as u64 - 1).to_bits()),
            beats_log2: Constant::new(u64::from(geometry.beats_per_line().ilog2()).to_bits()),
            most: Constant::new((backlog_max(geometry) as u64).to_bits()),
            beat_at: Constant::new(((LINE_BITS - BEAT_BITS) as u64).to_bits()),
        }
    }
}

impl<
    const BEAT_BITS: usize,
    const LANES: usize,
    const PAIRS: usize,
    const GROUPS: usize,
    const ENTRY: usize,
    const HASH: usize,
    const WORD: usize,
    const WORD_LOG2: usize,
    const BIT_LOG2: usize,
    const PROBE: usize,
    const PAIR_BITS: usize,
    const LANE_LOG2: usize,
    const POSITION: usize,
    const BYTES: usize,
    const REGION_BITS: usize,
    const COARSE_BITS: usize,
    const OPERAND_BITS: usize,
    const BUCKETS_LOG2: usize,
    const PATTERN_BITS: usize,
    const PATTERNS_LOG2: usize,
    const HEADER_LIST_BITS: usize,
    const LISTS_LOG2: usize,
    const FLIGHT_LOG2: usize,
    const SHORT: usize,
    const ROW: usize,
> Logic
    for Matcher<
        BEAT_BITS,
        LANES,
        PAIRS,
        GROUPS,
        ENTRY,
        HASH,
        WORD,
        WORD_LOG2,
        BIT_LOG2,
        PROBE,
        PAIR_BITS,
        LANE_LOG2,
        POSITION,
        BYTES,
        REGION_BITS,
        COARSE_BITS,
        OPERAND_BITS,
        BUCKETS_LOG2,
        PATTERN_BITS,
        PATTERNS_LOG2,
        HEADER_LIST_BITS,
        LISTS_LOG2,
        FLIGHT_LOG2,
        SHORT,
        ROW,
    >
{
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, coming, filter_waits, index_waits, owed, paid, under_way, backlog, hurry);
        self.tap.clock.next = self.clock.val();
        self.filter.clock.next = self.clock.val();
        self.survivors.clock.next = self.clock.val();
        self.issue.clock.next = self.clock.val();
        self.region.clock.next = self.clock.val();
        self.lookup.clock.next = self.clock.val();
        self.compare.clock.next = self.clock.val();
        self.headers.clock.next = self.clock.val();
        self.presence.clock.next = self.clock.val();
        self.collect.clock.next = self.clock.val();
        self.tap.reset.next = self.reset.val();
        self.filter.reset.next = self.reset.val();
        self.survivors.reset.next = self.reset.val();
        self.issue.reset.next = self.reset.val();
        self.region.reset.next = self.reset.val();
        self.lookup.reset.next = self.reset.val();
        self.compare.reset.next = self.reset.val();
        self.headers.reset.next = self.reset.val();
        self.presence.reset.next = self.reset.val();
        self.collect.reset.next = self.reset.val();

        self.tap.tdata.next = self.tdata.val();
        self.tap.taken.next = self.taken.val();
        self.tap.tlast.next = self.tlast.val();
        self.tap.command.next = self.command.val();
        self.tap.length.next = self.length.val();
        self.filter.valid.next = self.tap.valid.val();
        self.filter.beat.next = self.tap.beat.val();
        self.filter.line.next = self.tap.line.val();
        self.presence.valid.next = self.tap.valid.val();
        self.presence.beat.next = self.tap.beat.val();
        self.presence.line.next = self.tap.line.val();
        self.survivors.valid.next = self.filter.out_valid.val();
        self.survivors.beat.next = self.filter.out_beat.val();
        self.survivors.eight.next = self.filter.eight.val();
        self.survivors.four.next = self.filter.four.val();
        self.survivors.three.next = self.filter.three.val();
        self.survivors.arrived.next = self.tap.arrived.val();
        self.issue.s_axis_tdata.next = self.survivors.m_axis_tdata.val();
        self.issue.s_axis_tvalid.next = self.survivors.m_axis_tvalid.val();
        self.survivors.m_axis_tready.next = self.issue.s_axis_tready.val();
        self.issue.arrived.next = self.tap.arrived.val();
        self.issue.go.next = self.lookup.go.val();
        self.issue.busy.next = self.region.busy.val() | self.lookup.busy.val() | self.compare.busy.val();
        self.coming.d.next = self.coming.q.val() << 1;
        if self.entered.val() {
            self.coming.d.next = (self.coming.q.val() << 1) | self.enters.val();
        }
        self.issue.known.next = self.coming.q.val().get_bit(self.known_at.val().index());
        self.region.write.next = self.tap.valid.val();
        self.region.number.next = self.tap.beat.val().number;
        self.region.data.next = self.tap.line.val().get_bits::<BEAT_BITS>(self.beat_at.val().index());
        self.region.go.next = self.lookup.go.val();
        self.region.check.next = self.issue.check.val();
        self.region.position.next = self.issue.position.val();
        self.lookup.check.next = self.region.out_check.val();
        self.lookup.region.next = self.region.region.val();
        self.lookup.command.next = self.region.command.val();
        self.lookup.operand.next = self.region.operand.val();
        self.compare.check.next = self.lookup.out_check.val();
        self.compare.region.next = self.lookup.out_region.val();
        self.compare.number.next = self.lookup.number.val();
        self.compare.command.next = self.region.command.val();
        self.compare.operand.next = self.region.operand.val();
        self.headers.vector_valid.next = self.vector_valid.val();
        self.headers.vector_line.next = self.vector_line.val();
        self.headers.valid.next = self.compare.valid.val();
        self.headers.hit.next = self.compare.hit.val();
        self.headers.is_end.next = self.compare.is_end.val();
        self.headers.overflow.next = self.compare.overflow.val();
        self.headers.number.next = self.compare.out_number.val();
        self.headers.header_list.next = self.compare.header_list.val();
        self.headers.command.next = self.region.command.val();
        self.headers.operand.next = self.region.operand.val();
        self.collect.valid.next = self.headers.out_valid.val();
        self.collect.hit.next = self.headers.out_hit.val();
        self.collect.is_end.next = self.headers.out_is_end.val();
        self.collect.overflow.next = self.headers.out_overflow.val();
        self.collect.number.next = self.headers.out_number.val();
        self.out_valid.next = self.collect.out_valid.val();
        self.out_count.next = self.collect.out_count.val();
        self.out_ids.next = self.collect.out_ids.val();
        self.out_overflow.next = self.collect.out_overflow.val();
        // They come when the list does.
        self.presence.take.next = self.headers.out_valid.val() & self.headers.out_is_end.val();
        self.out_present.next = self.presence.present.val();

        // What waits, in elements, before the credits for more are at an end.
        self.begins.next = self.taken.val() & self.tlast.val();
        if self.begins.val() & !self.collect.out_valid.val() {
            self.under_way.d.next = self.under_way.q.val() + self.one.val();
        }
        if self.collect.out_valid.val() & !self.begins.val() {
            self.under_way.d.next = self.under_way.q.val() - self.one.val();
        }
        self.backlog.d.next =
            self.under_way.q.val() + (self.survivors.waiting.val() >> self.beats_log2.val());
        self.hurry.d.next = self.backlog.q.val() > self.most.val();
        self.survivors.hurry.next = self.hurry.q.val();
        self.lookup.hurry.next = self.hurry.q.val();

        // The end of a command that packets wait for.
        if self.filter.done.val() {
            self.filter_waits.d.next = false;
        }
        if self.lookup.done.val() {
            self.index_waits.d.next = false;
        }
        if self.filter.clear.val() | self.filter.rewrite.val() {
            self.filter_waits.d.next = true;
            self.index_waits.d.next = true;
        }
        self.paid.d.next = false;
        if self.owed.q.val() & !self.filter_waits.q.val() & !self.index_waits.q.val() {
            self.owed.d.next = false;
            self.paid.d.next = true;
        }
        if self.classified.val() | self.filter.rewrite.val() {
            self.owed.d.next = true;
        }
        self.cleared.next = self.paid.q.val();
        if self.reset.val() {
            self.coming.d.next = 0.into();
            self.filter_waits.d.next = false;
            self.index_waits.d.next = false;
            self.owed.d.next = false;
            self.paid.d.next = false;
            self.under_way.d.next = 0.into();
            self.backlog.d.next = 0.into();
            self.hurry.d.next = false;
        }
    }
}

impl LineMatcher {
    /// The matcher of `line`.
    pub fn line() -> Self {
        Self::new(&LINE, RamStyle::Ultra)
    }
}

impl LabMatcher {
    /// The matcher of `lab`.
    pub fn lab() -> Self {
        Self::new(&LAB, RamStyle::Block)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod testing;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;

//! Beats with hits to survivors, one a cycle, over a bounded queue.
//!
//! ```text
//!                                 .-----------.
//! valid, beat, eight, four, three |           |---> m_axis_tdata, _tvalid   (<-- _tready)
//! ------------------------------->| Survivors |
//! arrived ----------------------->'-----------'
//! ```
//!
//! A beat goes into a FIFO when something ends in it: a window or its element. When the FIFO is nearly full, or the
//! oldest beat in it lies half the buffer back, windows are dropped, and the end of their element says so
//! (`overflow`). The ends of elements always find room: at most as many as there are credits are under way.
//!
//! A beat that leaves the FIFO is taken apart: in each cycle one group of four lanes that has hits goes on, then one hit
//! of the group. An end without hits is a survivor with `hit` low. Whether a hit is the last of its group, and a group the
//! last of its beat, stands in a register: the next beat is let in by it.
//!
//! While `hurry` is high nothing goes in but ends, every beat that leaves the FIFO takes one cycle, and what was dropped of it
//! is said with `overflow`.

use rust_hdl::core::prelude::*;
use rust_hdl::widgets::prelude::*;
use wiresift_abi::geometry::Geometry;

use super::layout::{BEAT_NUMBER_BITS, BYTES_BITS, Beat, LANE_BITS, Survivor};
use crate::prim::fifo::Fifo;
use crate::prim::ram::RamStyle;
use crate::prim::skid::RegisterSlice;

/// Beats in the FIFO.
const QUEUE_LOG2: usize = 9;
/// Bits of a number of beats in it.
pub const QUEUE_COUNT: usize = QUEUE_LOG2 + 1;
/// Places beyond those of the credits that may be taken before `close` is seen.
const MARGIN: usize = 8;
/// Bits of a [`Beat`] and `overflow`.
pub const INFO_BITS: usize = BEAT_NUMBER_BITS + BYTES_BITS + 4;
/// Bits of a [`Survivor`].
const SURVIVOR_BITS: usize = INFO_BITS + LANE_BITS + 2 + 2;
/// Lanes of a group.
const GROUP: usize = 4;
/// Hits of a group: four lanes in each class.
const GROUP_HITS: usize = 3 * GROUP;
/// Bits of what is counted: hits of a group, or groups.
const COUNTED: usize = 16;

/// Bit of `last` in the bits of a beat.
const LAST_AT: usize = BEAT_NUMBER_BITS + BYTES_BITS + 1;

fn at(n: usize) -> Constant<Bits<8>> {
    Constant::new((n as u64).to_bits())
}

/// Queue for beats of `LANES` bytes in `GROUPS` groups; `ENTRY` is `3 * LANES + 21`.
#[derive(LogicBlock)]
pub struct Survivors<const LANES: usize, const GROUPS: usize, const ENTRY: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous, active high: empties the queue.
    pub reset: Signal<In, Bit>,
    /// There is a beat.
    pub valid: Signal<In, Bit>,
    /// What it is.
    pub beat: Signal<In, Beat>,
    /// Bytes with which a window of 8 bytes ends that passed.
    pub eight: Signal<In, Bits<LANES>>,
    /// Of 4 bytes.
    pub four: Signal<In, Bits<LANES>>,
    /// Of 3 bytes.
    pub three: Signal<In, Bits<LANES>>,
    /// Number of the beat that comes next.
    pub arrived: Signal<In, Bits<BEAT_NUMBER_BITS>>,
    /// Too much waits: hits are to be dropped.
    pub hurry: Signal<In, Bit>,
    /// Beats in the FIFO.
    pub waiting: Signal<Out, Bits<QUEUE_COUNT>>,
    /// A survivor.
    pub m_axis_tdata: Signal<Out, Survivor>,
    /// It is there.
    pub m_axis_tvalid: Signal<Out, Bit>,
    /// It is taken.
    pub m_axis_tready: Signal<In, Bit>,
    fifo: Fifo<ENTRY, QUEUE_LOG2, QUEUE_COUNT>,
    slice: RegisterSlice<SURVIVOR_BITS>,
    // Into the queue.
    lost: DFF<Bit>,
    full: DFF<Bit>,
    far: DFF<Bit>,
    push: DFF<Bit>,
    entry: DFF<Bits<ENTRY>>,
    // A beat that is taken apart.
    open: DFF<Bit>,
    open_info: DFF<Bits<INFO_BITS>>,
    open_eight: DFF<Bits<LANES>>,
    open_four: DFF<Bits<LANES>>,
    open_three: DFF<Bits<LANES>>,
    groups: DFF<Bits<GROUPS>>,
    /// Not more than one of them is left.
    last_group: DFF<Bit>,
    /// By group: it has not more than one hit.
    singles: DFF<Bits<GROUPS>>,
    // A group of it.
    group_open: DFF<Bit>,
    group_last: DFF<Bit>,
    group_info: DFF<Bits<INFO_BITS>>,
    group: DFF<Bits<4>>,
    group_hits: DFF<Bits<GROUP_HITS>>,
    /// Not more than one of them is left.
    last_hit: DFF<Bit>,

    /// Bits of which it counts whether there are two or three: the hits of the group, the groups of the beat, those of
    /// the next beat, the hits of each of these.
    counted: Vec<Signal<Local, Bits<COUNTED>>>,
    are_two: Vec<Signal<Local, Bit>>,
    are_three: Vec<Signal<Local, Bit>>,
    four_bits: Signal<Local, Bits<4>>,
    low_pair: Signal<Local, Bits<2>>,
    high_pair: Signal<Local, Bits<2>>,
    two_of_four: Signal<Local, Bit>,
    three_of_four: Signal<Local, Bit>,
    one_seen: Signal<Local, Bit>,
    two_seen: Signal<Local, Bit>,
    three_seen: Signal<Local, Bit>,
    any: Signal<Local, Bit>,
    close: Signal<Local, Bit>,
    info: Signal<Local, Bits<INFO_BITS>>,
    number: Signal<Local, Bits<BEAT_NUMBER_BITS>>,
    back: Signal<Local, Bits<BEAT_NUMBER_BITS>>,
    take_hit: Signal<Local, Bit>,
    take_group: Signal<Local, Bit>,
    take_beat: Signal<Local, Bit>,
    found: Signal<Local, Bit>,
    chosen: Signal<Local, Bits<4>>,
    lanes8: Signal<Local, Bits<4>>,
    lanes4: Signal<Local, Bits<4>>,
    lanes3: Signal<Local, Bits<4>>,
    chosen_hits: Signal<Local, Bits<GROUP_HITS>>,
    chosen_single: Signal<Local, Bit>,
    next_singles: Signal<Local, Bits<GROUPS>>,
    is_last_hit: Signal<Local, Bit>,
    is_last_group: Signal<Local, Bit>,
    rest: Signal<Local, Bits<GROUPS>>,
    marks: Signal<Local, Bits<GROUPS>>,
    next_eight: Signal<Local, Bits<LANES>>,
    next_four: Signal<Local, Bits<LANES>>,
    next_three: Signal<Local, Bits<LANES>>,
    hit_found: Signal<Local, Bit>,
    hit: Signal<Local, Bits<4>>,
    rest_hits: Signal<Local, Bits<GROUP_HITS>>,
    survivor: Signal<Local, Bits<SURVIVOR_BITS>>,
    head: Signal<Local, Bits<SURVIVOR_BITS>>,

    limit: Constant<Bits<QUEUE_COUNT>>,
    group_numbers: Vec<Constant<Bits<4>>>,
    hit_numbers: Vec<Constant<Bits<4>>>,
    zero: Constant<Bits<4>>,
    info_at: Constant<Bits<8>>,
    four_at: Constant<Bits<8>>,
    three_at: Constant<Bits<8>>,
    bytes_at: Constant<Bits<8>>,
    first_at: Constant<Bits<8>>,
    command_at: Constant<Bits<8>>,
    overflow_at: Constant<Bits<8>>,
    lane_at: Constant<Bits<8>>,
    group_at: Constant<Bits<8>>,
    class_at: Constant<Bits<8>>,
    hit_at: Constant<Bits<8>>,
    end_at: Constant<Bits<8>>,
    one: Constant<Bits<INFO_BITS>>,
    one_there: Constant<Bits<SURVIVOR_BITS>>,
    hits_four_at: Constant<Bits<8>>,
    hits_three_at: Constant<Bits<8>>,
}

impl<const LANES: usize, const GROUPS: usize, const ENTRY: usize> Survivors<LANES, GROUPS, ENTRY> {
    /// The queue for a geometry.
    ///
    /// # Panics
    /// Where the sizes are not those of the geometry.
    pub fn new(geometry: &Geometry) -> Self {
        assert!(LANES == geometry.beat_bytes && GROUPS * GROUP == LANES && ENTRY == 3 * LANES + INFO_BITS);
        let room = (1 << QUEUE_LOG2) - geometry.packets_in_flight - MARGIN;
        let flags = BEAT_NUMBER_BITS + BYTES_BITS;
        Self {
            clock: Signal::default(),
            reset: Signal::default(),
            valid: Signal::default(),
            beat: Signal::default(),
            eight: Signal::default(),
            four: Signal::default(),
            three: Signal::default(),
            arrived: Signal::default(),
            hurry: Signal::default(),
            waiting: Signal::default(),
            m_axis_tdata: Signal::default(),
            m_axis_tvalid: Signal::default(),
            m_axis_tready: Signal::default(),
            fifo: Fifo::new(RamStyle::Block),
            slice: RegisterSlice::default(),
            counted: vec![Signal::default(); GROUPS + 3],
            are_two: vec![Signal::default(); GROUPS + 3],
            are_three: vec![Signal::default(); GROUPS + 3],
            four_bits: Signal::default(),
            low_pair: Signal::default(),
            high_pair: Signal::default(),
            two_of_four: Signal::default(),
            three_of_four: Signal::default(),
            one_seen: Signal::default(),
            two_seen: Signal::default(),
            three_seen: Signal::default(),
            lost: DFF::default(),
            full: DFF::default(),
            far: DFF::default(),
            push: DFF::default(),
            entry: DFF::default(),
            open: DFF::default(),
            open_info: DFF::default(),
            open_eight: DFF::default(),
            open_four: DFF::default(),
            open_three: DFF::default(),
            groups: DFF::default(),
            last_group: DFF::default(),
            singles: DFF::default(),
            group_open: DFF::default(),
            group_last: DFF::default(),
            group_info: DFF::default(),
            group: DFF::default(),
            group_hits: DFF::default(),
            last_hit: DFF::default(),
            any: Signal::default(),
            close: Signal::default(),
            info: Signal::default(),
            number: Signal::default(),
            back: Signal::default(),
            take_hit: Signal::default(),
            take_group: Signal::default(),
            take_beat: Signal::default(),
            found: Signal::default(),
            chosen: Signal::default(),
            lanes8: Signal::default(),
            lanes4: Signal::default(),
            lanes3: Signal::default(),
            chosen_hits: Signal::default(),
            chosen_single: Signal::default(),
            next_singles: Signal::default(),
            is_last_hit: Signal::default(),
            is_last_group: Signal::default(),
            rest: Signal::default(),
            marks: Signal::default(),
            next_eight: Signal::default(),
            next_four: Signal::default(),
            next_three: Signal::default(),
            hit_found: Signal::default(),
            hit: Signal::default(),
            rest_hits: Signal::default(),
            survivor: Signal::default(),
            head: Signal::default(),
            limit: Constant::new((room as u64).to_bits()),
            group_numbers: (0..GROUPS as u64).map(|n| Constant::new(n.to_bits())).collect(),
            hit_numbers: (0..GROUP_HITS as u64).map(|n| Constant::new(n.to_bits())).collect(),
            zero: Constant::new(0u64.to_bits()),
            info_at: at(3 * LANES),
            four_at: at(LANES),
            three_at: at(2 * LANES),
            bytes_at: at(BEAT_NUMBER_BITS),
            first_at: at(flags),
            command_at: at(flags + 2),
            overflow_at: at(flags + 3),
            lane_at: at(INFO_BITS),
            group_at: at(INFO_BITS + 2),
            class_at: at(INFO_BITS + LANE_BITS),
            hit_at: at(INFO_BITS + LANE_BITS + 2),
            end_at: at(INFO_BITS + LANE_BITS + 3),
            one: Constant::new(1u64.to_bits()),
            one_there: Constant::new(1u64.to_bits()),
            hits_four_at: at(GROUP),
            hits_three_at: at(2 * GROUP),
        }
    }
}

impl<const LANES: usize, const GROUPS: usize, const ENTRY: usize> Logic for Survivors<LANES, GROUPS, ENTRY> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self, clock, lost, full, far, push, entry, open, open_info, open_eight, open_four, open_three,
            groups, last_group, singles, group_open, group_last, group_info, group, group_hits, last_hit
        );
        self.fifo.clock.next = self.clock.val();
        self.fifo.reset.next = self.reset.val();
        self.slice.clock.next = self.clock.val();
        self.slice.reset.next = self.reset.val();

        // Into the queue.
        self.any.next = self.eight.val().any() | self.four.val().any() | self.three.val().any();
        self.close.next = self.full.q.val() | self.far.q.val() | self.hurry.val();
        self.waiting.next = self.fifo.count.val();
        if self.valid.val() {
            self.lost.d.next = self.lost.q.val() | (self.any.val() & self.close.val());
            if self.beat.val().last {
                self.lost.d.next = false;
            }
        }
        self.push.d.next = self.valid.val() & (self.beat.val().last | (self.any.val() & !self.close.val()));
        self.info.next = bit_cast::<INFO_BITS, BEAT_NUMBER_BITS>(self.beat.val().number)
            | (bit_cast::<INFO_BITS, BYTES_BITS>(self.beat.val().bytes) << self.bytes_at.val());
        if self.beat.val().first {
            self.info.next = self.info.val() | (self.one.val() << self.first_at.val());
        }
        if self.beat.val().last {
            for i in LAST_AT..(LAST_AT + 1) {
                self.info.next = self.info.val().replace_bit(i, true);
            }
        }
        if self.beat.val().command {
            self.info.next = self.info.val() | (self.one.val() << self.command_at.val());
        }
        if self.lost.q.val() | (self.any.val() & self.close.val()) {
            self.info.next = self.info.val() | (self.one.val() << self.overflow_at.val());
        }
        self.entry.d.next = bit_cast::<ENTRY, INFO_BITS>(self.info.val()) << self.info_at.val();
        if !self.close.val() {
            self.entry.d.next = bit_cast::<ENTRY, LANES>(self.eight.val())
                | (bit_cast::<ENTRY, LANES>(self.four.val()) << self.four_at.val())
                | (bit_cast::<ENTRY, LANES>(self.three.val()) << self.three_at.val())
                | (bit_cast::<ENTRY, INFO_BITS>(self.info.val()) << self.info_at.val());
        }
        self.fifo.s_axis_tdata.next = self.entry.q.val();
        self.fifo.s_axis_tvalid.next = self.push.q.val();
        self.full.d.next = self.fifo.count.val() >= self.limit.val();
        self.number.next =
            self.fifo.m_axis_tdata.val().get_bits::<BEAT_NUMBER_BITS>(self.info_at.val().index());
        self.back.next = self.arrived.val() - self.number.val();
        for i in BEAT_NUMBER_BITS..(BEAT_NUMBER_BITS + 1) {
            self.far.d.next = self.fifo.m_axis_tvalid.val() & self.back.val().get_bit(i - 1);
        }

        // What stands at the head of the queue; and how much is left, which is known long before the first of it is found.
        self.next_eight.next = self.fifo.m_axis_tdata.val().get_bits::<LANES>(0);
        self.next_four.next = self.fifo.m_axis_tdata.val().get_bits::<LANES>(self.four_at.val().index());
        self.next_three.next = self.fifo.m_axis_tdata.val().get_bits::<LANES>(self.three_at.val().index());
        self.marks.next = 0.into();
        for i in 0..GROUPS {
            self.lanes8.next = self.next_eight.val().get_bits::<4>(i * 4);
            self.lanes4.next = self.next_four.val().get_bits::<4>(i * 4);
            self.lanes3.next = self.next_three.val().get_bits::<4>(i * 4);
            self.counted[i + 3].next = bit_cast::<COUNTED, 4>(self.lanes8.val())
                | (bit_cast::<COUNTED, 4>(self.lanes4.val()) << self.hits_four_at.val())
                | (bit_cast::<COUNTED, 4>(self.lanes3.val()) << self.hits_three_at.val());
            self.marks.next = self.marks.val().replace_bit(i, self.counted[i + 3].val().any());
        }
        self.counted[0].next = bit_cast::<COUNTED, GROUP_HITS>(self.group_hits.q.val());
        self.counted[1].next = bit_cast::<COUNTED, GROUPS>(self.groups.q.val());
        self.counted[2].next = bit_cast::<COUNTED, GROUPS>(self.marks.val());
        for n in 0..(GROUPS + 3) {
            self.one_seen.next = false;
            self.two_seen.next = false;
            self.three_seen.next = false;
            for i in 0..4 {
                self.four_bits.next = self.counted[n].val().get_bits::<4>(i * 4);
                self.low_pair.next = self.four_bits.val().get_bits::<2>(0);
                self.high_pair.next = self.four_bits.val().get_bits::<2>(2);
                self.two_of_four.next = self.low_pair.val().all()
                    | self.high_pair.val().all()
                    | (self.low_pair.val().any() & self.high_pair.val().any());
                self.three_of_four.next = (self.low_pair.val().all() & self.high_pair.val().any())
                    | (self.high_pair.val().all() & self.low_pair.val().any());
                self.three_seen.next = self.three_seen.val()
                    | self.three_of_four.val()
                    | (self.two_seen.val() & self.four_bits.val().any())
                    | (self.one_seen.val() & self.two_of_four.val());
                self.two_seen.next = self.two_seen.val()
                    | self.two_of_four.val()
                    | (self.one_seen.val() & self.four_bits.val().any());
                self.one_seen.next = self.one_seen.val() | self.four_bits.val().any();
            }
            self.are_two[n].next = self.two_seen.val();
            self.are_three[n].next = self.three_seen.val();
        }
        self.next_singles.next = 0.into();
        for i in 0..GROUPS {
            self.next_singles.next = self.next_singles.val().replace_bit(i, !self.are_two[i + 3].val());
        }

        // One hit of a group.
        self.is_last_hit.next = self.last_hit.q.val() | self.hurry.val();
        self.is_last_group.next = self.last_group.q.val() | self.hurry.val();
        self.take_hit.next = self.group_open.q.val() & self.slice.s_axis_tready.val();
        self.hit_found.next = false;
        self.hit.next = self.zero.val();
        self.rest_hits.next = self.group_hits.q.val();
        for i in 0..GROUP_HITS {
            if self.group_hits.q.val().get_bit(i) & !self.hit_found.val() {
                self.hit_found.next = true;
                self.hit.next = self.hit_numbers[i].val();
                self.rest_hits.next = self.rest_hits.val().replace_bit(i, false);
            }
        }
        self.survivor.next = bit_cast::<SURVIVOR_BITS, INFO_BITS>(self.group_info.q.val())
            | (bit_cast::<SURVIVOR_BITS, 2>(self.hit.val().get_bits::<2>(0)) << self.lane_at.val())
            | (bit_cast::<SURVIVOR_BITS, 4>(self.group.q.val()) << self.group_at.val())
            | (bit_cast::<SURVIVOR_BITS, 2>(self.hit.val().get_bits::<2>(2)) << self.class_at.val());
        if self.hit_found.val() {
            self.survivor.next = self.survivor.val() | (self.one_there.val() << self.hit_at.val());
        }
        for i in LAST_AT..(LAST_AT + 1) {
            if self.group_info.q.val().get_bit(i) & self.group_last.q.val() & self.is_last_hit.val() {
                self.survivor.next = self.survivor.val() | (self.one_there.val() << self.end_at.val());
            }
        }
        if self.hurry.val() & !self.last_hit.q.val() {
            self.survivor.next = self.survivor.val() | (self.one_there.val() << self.overflow_at.val());
        }
        self.slice.s_axis_tdata.next = self.survivor.val();
        self.slice.s_axis_tvalid.next = self.group_open.q.val();
        if self.take_hit.val() {
            self.group_hits.d.next = self.rest_hits.val();
            self.last_hit.d.next = !self.are_three[0].val();
        }

        // One group of a beat.
        self.take_group.next =
            self.open.q.val() & (!self.group_open.q.val() | (self.take_hit.val() & self.is_last_hit.val()));
        self.found.next = false;
        self.chosen.next = self.zero.val();
        self.chosen_hits.next = 0.into();
        self.chosen_single.next = true;
        self.rest.next = self.groups.q.val();
        for i in 0..GROUPS {
            self.lanes8.next = self.open_eight.q.val().get_bits::<4>(i * 4);
            self.lanes4.next = self.open_four.q.val().get_bits::<4>(i * 4);
            self.lanes3.next = self.open_three.q.val().get_bits::<4>(i * 4);
            if self.groups.q.val().get_bit(i) & !self.found.val() {
                self.found.next = true;
                self.chosen.next = self.group_numbers[i].val();
                self.chosen_hits.next = bit_cast::<GROUP_HITS, 4>(self.lanes8.val())
                    | (bit_cast::<GROUP_HITS, 4>(self.lanes4.val()) << self.hits_four_at.val())
                    | (bit_cast::<GROUP_HITS, 4>(self.lanes3.val()) << self.hits_three_at.val());
                self.chosen_single.next = self.singles.q.val().get_bit(i);
                self.rest.next = self.rest.val().replace_bit(i, false);
            }
        }
        if self.take_hit.val() & self.is_last_hit.val() {
            self.group_open.d.next = false;
        }
        if self.take_group.val() {
            self.group_open.d.next = true;
            self.group_last.d.next = self.is_last_group.val();
            self.group_info.d.next = self.open_info.q.val();
            if self.hurry.val() & !self.last_group.q.val() {
                self.group_info.d.next = self.open_info.q.val() | (self.one.val() << self.overflow_at.val());
            }
            self.group.d.next = self.chosen.val();
            self.group_hits.d.next = self.chosen_hits.val();
            self.last_hit.d.next = self.chosen_single.val();
            self.groups.d.next = self.rest.val();
            self.last_group.d.next = !self.are_three[1].val();
        }

        // One beat of the queue.
        self.take_beat.next = !self.open.q.val() | (self.take_group.val() & self.is_last_group.val());
        self.fifo.m_axis_tready.next = self.take_beat.val();
        if self.take_beat.val() {
            self.singles.d.next = self.next_singles.val();
            self.last_group.d.next = !self.are_two[2].val();
            self.open.d.next = self.fifo.m_axis_tvalid.val();
            self.open_info.d.next =
                self.fifo.m_axis_tdata.val().get_bits::<INFO_BITS>(self.info_at.val().index());
            self.open_eight.d.next = self.next_eight.val();
            self.open_four.d.next = self.next_four.val();
            self.open_three.d.next = self.next_three.val();
            self.groups.d.next = self.marks.val();
            if self.hurry.val() {
                self.groups.d.next = 0.into();
                self.last_group.d.next = true;
                if self.marks.val().any() {
                    self.open_info.d.next =
                        self.fifo.m_axis_tdata.val().get_bits::<INFO_BITS>(self.info_at.val().index())
                            | (self.one.val() << self.overflow_at.val());
                }
            }
        }

        // A survivor.
        self.head.next = self.slice.m_axis_tdata.val();
        self.m_axis_tdata.next.number = self.head.val().get_bits::<BEAT_NUMBER_BITS>(0);
        self.m_axis_tdata.next.bytes = self.head.val().get_bits::<BYTES_BITS>(self.bytes_at.val().index());
        self.m_axis_tdata.next.first = self.head.val().get_bit(self.first_at.val().index());
        for i in LAST_AT..(LAST_AT + 1) {
            self.m_axis_tdata.next.last = self.head.val().get_bit(i);
        }
        self.m_axis_tdata.next.command = self.head.val().get_bit(self.command_at.val().index());
        self.m_axis_tdata.next.overflow = self.head.val().get_bit(self.overflow_at.val().index());
        self.m_axis_tdata.next.lane = self.head.val().get_bits::<LANE_BITS>(self.lane_at.val().index());
        self.m_axis_tdata.next.class = self.head.val().get_bits::<2>(self.class_at.val().index());
        self.m_axis_tdata.next.hit = self.head.val().get_bit(self.hit_at.val().index());
        self.m_axis_tdata.next.end = self.head.val().get_bit(self.end_at.val().index());
        self.m_axis_tvalid.next = self.slice.m_axis_tvalid.val();
        self.slice.m_axis_tready.next = self.m_axis_tready.val();
        if self.reset.val() {
            self.lost.d.next = false;
            self.full.d.next = false;
            self.far.d.next = false;
            self.push.d.next = false;
            self.open.d.next = false;
            self.group_open.d.next = false;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;

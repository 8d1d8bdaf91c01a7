//! Takes elements in, and decodes and checks commands (`abi::command`).
//!
//! ```text
//!                              .--------.---> line, op, meta, valid   stage 1
//! valid, command, line, ------>| Decode |
//! sequence_number     stage 0  '--------'---> error, error_detail     stage 1
//! ```
//!
//! Commands of the payload matcher set no strobe here: they act where the beats pass, and are only checked.
//! A command with an unknown opcode or a number that the geometry does not have sets no strobe: it
//! goes on as an element without effect, and `error` pulses; where packets wait for such a command, so does `refused`.

use rust_hdl::core::prelude::*;
use rust_hdl::widgets::prelude::*;
use wiresift_abi::bits::{Field, LINE_BITS};
use wiresift_abi::command::{INDEX, OPCODE, Opcode, SLOT, TABLE};
use wiresift_abi::geometry::{Geometry, MAX_TABLES, WAYS};
use wiresift_abi::hash::ROWS;
use wiresift_abi::payload::SECRET_ROWS;
use wiresift_abi::payload::short::OCTETS;
use wiresift_abi::vector::{FLAGS, LENGTH};

use super::layout::{MAX_SLOTS, Meta, Op};

const OPCODE_BITS: usize = OPCODE.bits;
const TABLE_BITS: usize = TABLE.bits;
const SLOT_BITS: usize = SLOT.bits;
const INDEX_BITS: usize = INDEX.bits;
const LENGTH_BITS: usize = LENGTH.bits;
const FLAGS_BITS: usize = FLAGS.bits;

type Number = Constant<Bits<16>>;

/// What the numbers of a line say if it is a command: compared before they are held, so that what follows is short.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
struct Seen {
    /// Its opcode is CLEAR; likewise below.
    clear: Bit,
    commit: Bit,
    slot: Bit,
    mask: Bit,
    secret: Bit,
    low: Bit,
    high: Bit,
    entry: Bit,
    window_secret: Bit,
    filter: Bit,
    window: Bit,
    pattern: Bit,
    header: Bit,
    short: Bit,
    /// There is a table of that number.
    has_table: Bit,
    /// It has a bucket of that number.
    has_bucket: Bit,
    /// A bucket has a slot of that number.
    has_slot: Bit,
    /// The secret has a row of that number.
    has_row: Bit,
    /// The TCAM has an entry of that number.
    has_entry: Bit,
    /// The secret of the windows has a row of that number.
    has_window_row: Bit,
    /// The filter has a memory of that number.
    has_memory: Bit,
    /// A memory of the filter has a word of that number.
    has_word: Bit,
    /// The window index has a way of that number.
    has_way: Bit,
    /// A way of the window index has a bucket of that number.
    has_window: Bit,
    /// There is room for a pattern of that number.
    has_pattern: Bit,
    /// There is a header list of that number.
    has_header_list: Bit,
    /// A header list has a half of a header of that number.
    has_half: Bit,
    /// There is a byte of that value.
    has_octet: Bit,
}

/// The first two stages.
#[derive(LogicBlock)]
pub struct Decode {
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
    /// Stage 1: there is an element.
    pub out_valid: Signal<Out, Bit>,
    /// Stage 1: the line.
    pub out_line: Signal<Out, Bits<LINE_BITS>>,
    /// Stage 1: what it asks for.
    pub op: Signal<Out, Op>,
    /// Stage 1: what goes beside it.
    pub meta: Signal<Out, Meta>,
    /// Pulse: a bad command.
    pub error: Signal<Out, Bit>,
    /// Opcode in bits 0-7, table 8-15, index 16-31.
    pub error_detail: Signal<Out, Bits<32>>,
    /// Pulse: packets wait for that command, and there is nothing to wait for.
    pub refused: Signal<Out, Bit>,
    valid0: DFF<Bit>,
    command0: DFF<Bit>,
    line0: DFF<Bits<LINE_BITS>>,
    seen0: DFF<Seen>,
    sequence0: DFF<Bits<32>>,
    valid1: DFF<Bit>,
    line1: DFF<Bits<LINE_BITS>>,
    op1: DFF<Op>,
    meta1: DFF<Meta>,
    error1: DFF<Bit>,
    refused1: DFF<Bit>,
    detail1: DFF<Bits<32>>,
    opcode: Signal<Local, Bits<16>>,
    masked_table: Signal<Local, Bits<16>>,
    slot: Signal<Local, Bits<16>>,
    index: Signal<Local, Bits<16>>,
    above_windows: Signal<Local, Bits<16>>,
    above_octets: Signal<Local, Bits<16>>,
    is_command: Signal<Local, Bit>,
    good: Signal<Local, Bit>,
    fresh: Signal<Local, Op>,
    idle: Constant<Op>,
    one_table: Constant<Bits<MAX_TABLES>>,
    all_tables: Constant<Bits<MAX_TABLES>>,
    one_slot: Constant<Bits<{ WAYS * MAX_SLOTS }>>,
    opcode_at: Number,
    table_at: Number,
    slot_at: Number,
    index_at: Number,
    length_at: Number,
    flags_at: Number,
    op_clear: Number,
    op_slot: Number,
    op_mask: Number,
    op_secret: Number,
    op_low: Number,
    op_high: Number,
    op_entry: Number,
    op_commit: Number,
    op_window_secret: Number,
    op_filter: Number,
    op_window: Number,
    op_pattern: Number,
    op_header: Number,
    op_short: Number,
    narrow_tables: Number,
    all_table_count: Number,
    narrow_buckets: Number,
    wide_buckets: Number,
    slot_count: Number,
    row_count: Number,
    entry_count: Number,
    window_row_count: Number,
    memory_count: Number,
    word_count: Number,
    way_count: Number,
    window_buckets_log2: Number,
    last_pattern: Number,
    header_list_count: Number,
    half_count: Number,
    octet_bits: Number,
    detail_table_at: Number,
    detail_index_at: Number,
}

impl Decode {
    /// The decoder for a geometry.
    pub fn new(geometry: &Geometry) -> Self {
        assert!(geometry.bucket_slots <= MAX_SLOTS && geometry.tables() <= MAX_TABLES);
        let number = |n: usize| Constant::new((n as u64).to_bits());
        let opcode = |opcode: Opcode| number(opcode as usize);
        let at = |field: Field| number(field.lsb);
        Self {
            clock: Signal::default(),
            reset: Signal::default(),
            valid: Signal::default(),
            command: Signal::default(),
            line: Signal::default(),
            sequence_number: Signal::default(),
            out_valid: Signal::default(),
            out_line: Signal::default(),
            op: Signal::default(),
            meta: Signal::default(),
            error: Signal::default(),
            error_detail: Signal::default(),
            refused: Signal::default(),
            valid0: DFF::default(),
            command0: DFF::default(),
            line0: DFF::default(),
            seen0: DFF::default(),
            sequence0: DFF::default(),
            valid1: DFF::default(),
            line1: DFF::default(),
            op1: DFF::default(),
            meta1: DFF::default(),
            error1: DFF::default(),
            refused1: DFF::default(),
            detail1: DFF::default(),
            opcode: Signal::default(),
            masked_table: Signal::default(),
            slot: Signal::default(),
            index: Signal::default(),
            above_windows: Signal::default(),
            above_octets: Signal::default(),
            is_command: Signal::default(),
            good: Signal::default(),
            fresh: Signal::default(),
            idle: Constant::new(Op::default()),
            one_table: Constant::new(1.into()),
            all_tables: Constant::new(Bits::<MAX_TABLES>::mask()),
            one_slot: Constant::new(1.into()),
            opcode_at: at(OPCODE),
            table_at: at(TABLE),
            slot_at: at(SLOT),
            index_at: at(INDEX),
            length_at: at(LENGTH),
            flags_at: at(FLAGS),
            op_clear: opcode(Opcode::Clear),
            op_slot: opcode(Opcode::WriteSlot),
            op_mask: opcode(Opcode::WriteMask),
            op_secret: opcode(Opcode::WriteSecret),
            op_low: opcode(Opcode::WriteTcamLow),
            op_high: opcode(Opcode::WriteTcamHigh),
            op_entry: opcode(Opcode::WriteTcamEntry),
            op_commit: opcode(Opcode::Commit),
            op_window_secret: opcode(Opcode::WriteWindowSecret),
            op_filter: opcode(Opcode::WriteFilter),
            op_window: opcode(Opcode::WriteWindow),
            op_pattern: opcode(Opcode::WritePattern),
            op_header: opcode(Opcode::WriteHeader),
            op_short: opcode(Opcode::WriteShort),
            narrow_tables: number(geometry.narrow_tables),
            all_table_count: number(geometry.tables()),
            narrow_buckets: number(1 << geometry.narrow_buckets_log2),
            wide_buckets: number(1 << geometry.wide_buckets_log2),
            slot_count: number(WAYS * geometry.bucket_slots),
            row_count: number(ROWS),
            entry_count: number(geometry.tcam_entries),
            window_row_count: number(SECRET_ROWS),
            memory_count: number(geometry.payload.memories()),
            word_count: number(1 << geometry.payload.filter_words_log2),
            way_count: number(WAYS),
            // As many as an index can name may be there, so what is above is asked for.
            window_buckets_log2: number(geometry.payload.window_buckets_log2 as usize),
            last_pattern: number((1 << geometry.payload.patterns_log2) - 1),
            header_list_count: number(1 << geometry.payload.header_lists_log2),
            half_count: number(2 * geometry.payload.headers_a_list),
            octet_bits: number(OCTETS.ilog2() as usize),
            detail_table_at: number(OPCODE.bits),
            detail_index_at: number(OPCODE.bits + TABLE.bits),
        }
    }
}

impl Logic for Decode {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self, clock, valid0, command0, line0, seen0, sequence0, valid1, line1, op1, meta1, error1,
            refused1, detail1
        );
        // In front of stage 0.
        self.opcode.next = bit_cast::<16, OPCODE_BITS>(
            self.line.val().get_bits::<OPCODE_BITS>(self.opcode_at.val().index()),
        );
        self.masked_table.next =
            bit_cast::<16, TABLE_BITS>(self.line.val().get_bits::<TABLE_BITS>(self.table_at.val().index()));
        self.slot.next =
            bit_cast::<16, SLOT_BITS>(self.line.val().get_bits::<SLOT_BITS>(self.slot_at.val().index()));
        self.index.next = self.line.val().get_bits::<INDEX_BITS>(self.index_at.val().index());
        self.above_windows.next = self.index.val() >> self.window_buckets_log2.val();
        self.seen0.d.next.clear = self.opcode.val() == self.op_clear.val();
        self.seen0.d.next.commit = self.opcode.val() == self.op_commit.val();
        self.seen0.d.next.slot = self.opcode.val() == self.op_slot.val();
        self.seen0.d.next.mask = self.opcode.val() == self.op_mask.val();
        self.seen0.d.next.secret = self.opcode.val() == self.op_secret.val();
        self.seen0.d.next.low = self.opcode.val() == self.op_low.val();
        self.seen0.d.next.high = self.opcode.val() == self.op_high.val();
        self.seen0.d.next.entry = self.opcode.val() == self.op_entry.val();
        self.seen0.d.next.window_secret = self.opcode.val() == self.op_window_secret.val();
        self.seen0.d.next.filter = self.opcode.val() == self.op_filter.val();
        self.seen0.d.next.window = self.opcode.val() == self.op_window.val();
        self.seen0.d.next.pattern = self.opcode.val() == self.op_pattern.val();
        self.seen0.d.next.header = self.opcode.val() == self.op_header.val();
        self.seen0.d.next.short = self.opcode.val() == self.op_short.val();
        self.seen0.d.next.has_table = self.masked_table.val() < self.all_table_count.val();
        self.seen0.d.next.has_bucket = self.index.val() < self.wide_buckets.val();
        if self.masked_table.val() < self.narrow_tables.val() {
            self.seen0.d.next.has_bucket = self.index.val() < self.narrow_buckets.val();
        }
        self.seen0.d.next.has_slot = self.slot.val() < self.slot_count.val();
        self.seen0.d.next.has_row = self.index.val() < self.row_count.val();
        self.seen0.d.next.has_entry = self.index.val() < self.entry_count.val();
        self.seen0.d.next.has_window_row = self.index.val() < self.window_row_count.val();
        self.seen0.d.next.has_memory = self.masked_table.val() < self.memory_count.val();
        self.seen0.d.next.has_word = self.index.val() < self.word_count.val();
        self.seen0.d.next.has_way = self.slot.val() < self.way_count.val();
        self.seen0.d.next.has_window = !self.above_windows.val().any();
        self.seen0.d.next.has_pattern = self.index.val() <= self.last_pattern.val();
        self.seen0.d.next.has_header_list = self.index.val() < self.header_list_count.val();
        self.seen0.d.next.has_half = self.slot.val() < self.half_count.val();
        self.above_octets.next = self.index.val() >> self.octet_bits.val();
        self.seen0.d.next.has_octet = !self.above_octets.val().any();
        // Stage 0.
        self.valid0.d.next = self.valid.val();
        self.command0.d.next = self.command.val();
        self.line0.d.next = self.line.val();
        self.sequence0.d.next = self.sequence_number.val();
        self.opcode.next = bit_cast::<16, OPCODE_BITS>(
            self.line0.q.val().get_bits::<OPCODE_BITS>(self.opcode_at.val().index()),
        );
        self.masked_table.next = bit_cast::<16, TABLE_BITS>(
            self.line0.q.val().get_bits::<TABLE_BITS>(self.table_at.val().index()),
        );
        self.slot.next =
            bit_cast::<16, SLOT_BITS>(self.line0.q.val().get_bits::<SLOT_BITS>(self.slot_at.val().index()));
        self.index.next = self.line0.q.val().get_bits::<INDEX_BITS>(self.index_at.val().index());
        self.is_command.next = self.valid0.q.val() & self.command0.q.val();
        self.fresh.next.packet = self.valid0.q.val() & !self.command0.q.val();
        self.fresh.next.clear = false;
        self.fresh.next.commit = false;
        self.fresh.next.secret = false;
        self.fresh.next.low = false;
        self.fresh.next.high = false;
        self.fresh.next.entry = false;
        self.fresh.next.masks = 0.into();
        self.fresh.next.tables = 0.into();
        self.fresh.next.slots = self.one_slot.val() << self.slot.val();
        self.good.next = false;
        if self.is_command.val() {
            if self.seen0.q.val().clear {
                self.good.next = true;
                self.fresh.next.clear = true;
                self.fresh.next.masks = self.all_tables.val();
            }
            if self.seen0.q.val().commit {
                self.good.next = true;
                self.fresh.next.commit = true;
            }
            if self.seen0.q.val().slot
                & self.seen0.q.val().has_table
                & self.seen0.q.val().has_slot
                & self.seen0.q.val().has_bucket
            {
                self.good.next = true;
                self.fresh.next.tables = self.one_table.val() << self.masked_table.val();
            }
            if self.seen0.q.val().mask & self.seen0.q.val().has_table {
                self.good.next = true;
                self.fresh.next.masks = self.one_table.val() << self.masked_table.val();
            }
            if self.seen0.q.val().secret & self.seen0.q.val().has_row {
                self.good.next = true;
                self.fresh.next.secret = true;
            }
            if self.seen0.q.val().low {
                self.good.next = true;
                self.fresh.next.low = true;
            }
            if self.seen0.q.val().high & self.seen0.q.val().has_entry {
                self.good.next = true;
                self.fresh.next.high = true;
            }
            if self.seen0.q.val().entry & self.seen0.q.val().has_entry {
                self.good.next = true;
                self.fresh.next.entry = true;
            }
            if (self.seen0.q.val().window_secret & self.seen0.q.val().has_window_row)
                | (self.seen0.q.val().filter & self.seen0.q.val().has_memory & self.seen0.q.val().has_word)
                | (self.seen0.q.val().window & self.seen0.q.val().has_way & self.seen0.q.val().has_window)
                | (self.seen0.q.val().pattern & self.seen0.q.val().has_pattern)
                | (self.seen0.q.val().header
                    & self.seen0.q.val().has_header_list
                    & self.seen0.q.val().has_half)
                | (self.seen0.q.val().short & self.seen0.q.val().has_octet)
            {
                self.good.next = true;
            }
        }
        // Stage 1.
        self.valid1.d.next = self.valid0.q.val();
        self.line1.d.next = self.line0.q.val();
        self.op1.d.next = self.fresh.val();
        self.meta1.d.next.packet = self.fresh.val().packet;
        self.meta1.d.next.commit = self.fresh.val().commit;
        self.meta1.d.next.sequence = self.sequence0.q.val();
        self.meta1.d.next.length = self.line0.q.val().get_bits::<LENGTH_BITS>(self.length_at.val().index());
        self.meta1.d.next.flags = self.line0.q.val().get_bits::<FLAGS_BITS>(self.flags_at.val().index());
        self.meta1.d.next.version = self.index.val();
        self.error1.d.next = self.is_command.val() & !self.good.val();
        self.refused1.d.next = self.is_command.val()
            & ((self.seen0.q.val().secret & !self.seen0.q.val().has_row)
                | (self.seen0.q.val().high & !self.seen0.q.val().has_entry));
        self.detail1.d.next = bit_cast::<32, 16>(self.opcode.val())
            | (bit_cast::<32, 16>(self.masked_table.val()) << self.detail_table_at.val())
            | (bit_cast::<32, 16>(self.index.val()) << self.detail_index_at.val());
        self.out_valid.next = self.valid1.q.val();
        self.out_line.next = self.line1.q.val();
        self.op.next = self.op1.q.val();
        self.meta.next = self.meta1.q.val();
        self.error.next = self.error1.q.val();
        self.refused.next = self.refused1.q.val();
        self.error_detail.next = self.detail1.q.val();
        if self.reset.val() {
            self.valid0.d.next = false;
            self.valid1.d.next = false;
            self.error1.d.next = false;
            self.refused1.d.next = false;
            self.op1.d.next = self.idle.val();
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use rand::Rng;
    use rand::seq::IndexedRandom;
    use rand_chacha::ChaCha8Rng;
    use wiresift_abi::bits::Line;
    use wiresift_abi::command::Command;
    use wiresift_abi::geometry::{LAB, LINE};

    use super::super::testing::{Pipe, bits_of, random_line};
    use super::*;
    use crate::gate::passes;

    /// A command with numbers on both sides of every limit.
    fn random_command(rng: &mut ChaCha8Rng) -> Line {
        let pick = |numbers: &[u128], rng: &mut ChaCha8Rng| *numbers.choose(rng).unwrap();
        random_line(rng)
            .with(
                OPCODE,
                pick(&[0, 1, 2, 2, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 11, 11, 12, 13, 13, 14, 14, 15, 255], rng),
            )
            .with(TABLE, pick(&[0, 1, 2, 3, 4, 15, 16, 23, 24, 255], rng))
            .with(SLOT, pick(&[0, 1, 3, 4, 7, 8, 47, 48, 255], rng))
            .with(
                INDEX,
                pick(
                    &[
                        0, 7, 8, 15, 16, 23, 24, 63, 64, 255, 256, 511, 512, 1024, 4095, 4096, 32767, 32768,
                        65535,
                    ],
                    rng,
                ),
            )
    }

    fn op_of(command: &Command) -> Op {
        let mut op = Op::default();
        let table = (1u64 << command.table.min(63)).to_bits();
        match command.opcode {
            Opcode::Clear => {
                op.clear = true;
                op.masks = Bits::<MAX_TABLES>::mask();
            }
            Opcode::WriteSlot => op.tables = table,
            Opcode::WriteMask => op.masks = table,
            Opcode::WriteSecret => op.secret = true,
            Opcode::WriteTcamLow => op.low = true,
            Opcode::WriteTcamHigh => op.high = true,
            Opcode::WriteTcamEntry => op.entry = true,
            Opcode::Commit => op.commit = true,
            Opcode::WriteWindowSecret
            | Opcode::WriteFilter
            | Opcode::WriteWindow
            | Opcode::WritePattern
            | Opcode::WriteHeader
            | Opcode::WriteShort => {}
        }
        op
    }

    fn decodes_as_the_contract_says(name: &str, geometry: &'static Geometry) {
        let mut pipe = Pipe::new(2);
        let (mut good, mut bad, mut refused) = (0, 0, 0);
        passes(
            name,
            || Decode::new(geometry),
            6000,
            6,
            |uut, rng, _| {
                let (valid, is_command) = (rng.random_bool(0.9), rng.random_bool(0.8));
                let line = if is_command { random_command(rng) } else { random_line(rng) };
                let command = Command::from_line(&line, geometry);
                let mut op = Op { packet: valid & !is_command, ..Op::default() };
                let mut error = None;
                match command {
                    Ok(command) if valid & is_command => {
                        op = op_of(&command);
                        good += 1;
                    }
                    Err(_) if valid & is_command => {
                        error = Some(line.get(OPCODE) | line.get(TABLE) << 8 | line.get(INDEX) << 16);
                        bad += 1;
                    }
                    _ => {}
                }
                let sequence = rng.random::<u32>();
                let reset = rng.random_bool(0.01);
                if reset {
                    pipe.forget();
                }
                let new = (!reset).then_some((valid, line, op, error, sequence));
                match pipe.shift(new) {
                    Some(Some((valid, line, op, error, sequence))) => {
                        assert_eq!(uut.out_valid.val(), valid);
                        let slots = uut.op.val().slots;
                        assert_eq!(uut.op.val(), Op { slots, ..op });
                        if op.tables.any() {
                            assert_eq!(slots, (1u64 << line.get(SLOT)).to_bits::<16>());
                        }
                        assert_eq!(uut.error.val(), error.is_some());
                        // Of the commands that packets wait for, a CLEAR is never bad.
                        let waits = [Opcode::WriteSecret as u128, Opcode::WriteTcamHigh as u128];
                        let is_refused = error.is_some_and(|detail| waits.contains(&(detail & 0xff)));
                        assert_eq!(uut.refused.val(), is_refused);
                        refused += usize::from(is_refused);
                        if let Some(detail) = error {
                            assert_eq!(uut.error_detail.val(), (detail as u64).to_bits::<32>());
                        }
                        assert_eq!(uut.out_line.val(), bits_of::<LINE_BITS>(&line));
                        let meta = uut.meta.val();
                        assert_eq!((meta.packet, meta.commit), (op.packet, op.commit));
                        assert_eq!(meta.sequence, u64::from(sequence).to_bits::<32>());
                        assert_eq!(meta.length, (line.get(LENGTH) as u64).to_bits::<16>());
                        assert_eq!(meta.flags, (line.get(FLAGS) as u64).to_bits::<16>());
                        assert_eq!(meta.version, (line.get(INDEX) as u64).to_bits::<16>());
                    }
                    Some(None) => {
                        assert!(!uut.out_valid.val() && !uut.error.val() && !uut.refused.val());
                        let slots = uut.op.val().slots;
                        assert_eq!(uut.op.val(), Op { slots, ..Op::default() });
                    }
                    None => {}
                }
                uut.reset.next = reset;
                uut.valid.next = valid;
                uut.command.next = is_command;
                uut.line.next = bits_of(&line);
                uut.sequence_number.next = u64::from(sequence).to_bits();
            },
        );
        assert!(good > 500 && bad > 500 && refused > 50, "{good} {bad} {refused}");
    }

    #[test]
    fn commands_of_line_are_decoded_as_the_contract_says() {
        decodes_as_the_contract_says("decode_line", &LINE);
    }

    #[test]
    fn commands_of_lab_are_decoded_as_the_contract_says() {
        decodes_as_the_contract_says("decode_lab", &LAB);
    }
}

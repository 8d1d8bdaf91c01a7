//! Where what the packer handles stands: in the words of its FIFOs, in records, in lines.

use std::mem::offset_of;

use wiresift_abi::bits::LINE_BITS;
use wiresift_abi::c2h::{
    self, HIT_BITS, HITS_BITS, HITS_LSB, HITS_MAX, HITS_PER_RECORD, HitRecord, IDS_MAX, IDS_PER_RECORD,
    IdRecord, LINE_RECORDS, PRESENCE_BIT, PresenceRecord, RECORD_BYTES, RecordKind, VerdictRecord,
};
use wiresift_abi::entry::ID;
use wiresift_abi::vector::Flags;

pub const ID_BITS: usize = ID.bits;
pub const LIST_BITS: usize = IDS_MAX * ID_BITS;
pub const RECORD_BITS: usize = RECORD_BYTES * 8;
/// Most records of a cycle, and most that wait.
pub const FRESH_RECORDS: usize = 1 + IDS_MAX / IDS_PER_RECORD + 1;
pub const HELD_RECORDS: usize = LINE_RECORDS - 1;
pub const FRESH_BITS: usize = FRESH_RECORDS * RECORD_BITS;
pub const HELD_BITS: usize = HELD_RECORDS * RECORD_BITS;
pub const BOTH_BITS: usize = FRESH_BITS + HELD_BITS;
pub const REST_BITS: usize = BOTH_BITS - LINE_BITS;
/// Bits of the number of ids in an id record.
pub const PART_BITS: usize = 2;
/// A word of the FIFO: the verdict record, the ids, how many go into each id record.
pub const WORD_BITS: usize = SECOND_LSB + PART_BITS;
pub const FIRST_LSB: usize = RECORD_BITS + LIST_BITS;
pub const SECOND_LSB: usize = FIRST_LSB + PART_BITS;
/// A word of the other FIFO: the patterns, how many, whether there may be more, whether a presence bit is set, and these.
pub const HITS_LIST_BITS: usize = HITS_MAX * HIT_BITS;
pub const HITS_COUNT_LSB: usize = HITS_LIST_BITS;
pub const HITS_OVERFLOW_BIT: usize = HITS_COUNT_LSB + HITS_BITS;
pub const IS_PRESENT_BIT: usize = HITS_OVERFLOW_BIT + 1;
pub const PRESENT_LSB: usize = IS_PRESENT_BIT + 1;
/// Bits of the patterns in a record, and of their number.
pub const HITS_PART_BITS: usize = HITS_PER_RECORD * HIT_BITS;
pub const HITS_IN_BITS: usize = 3;
/// Cycles after which a line is filled up, power of two.
pub const WAIT_BITS: usize = 6;
/// Bits of the number of records that wait.
pub const WAITING_BITS: usize = 2;
/// Bits of a number of records in a line.
pub const COUNT_BITS: usize = 3;

pub const ACL_LSB: usize = 8 * offset_of!(VerdictRecord, acl);
pub const FLAGS_LSB: usize = 8 * offset_of!(VerdictRecord, flags);
pub const LENGTH_LSB: usize = 8 * offset_of!(VerdictRecord, length);
pub const VERSION_LSB: usize = 8 * offset_of!(VerdictRecord, version);
pub const CONTROL_LSB: usize = 8 * offset_of!(VerdictRecord, control);
pub const ID_SEQUENCE_LSB: usize = 8 * offset_of!(IdRecord, sequence);
pub const KIND_LSB: usize = CONTROL_LSB + c2h::KIND_LSB;
pub const IDS_LSB: usize = CONTROL_LSB + c2h::IDS_LSB;
pub const VERDICT_HITS_LSB: usize = CONTROL_LSB + HITS_LSB;
pub const VERDICT_PRESENCE_BIT: usize = CONTROL_LSB + PRESENCE_BIT;
pub const OVERFLOW_BIT: usize = FLAGS_LSB + Flags::OVERFLOW.trailing_zeros() as usize;
pub const DEFER_BIT: usize = FLAGS_LSB + Flags::DEFER.trailing_zeros() as usize;

const _: () = assert!(offset_of!(VerdictRecord, sequence) == 0 && offset_of!(IdRecord, ids) == 0);
const _: () = assert!(8 * offset_of!(IdRecord, control) == CONTROL_LSB);
const _: () = assert!(offset_of!(HitRecord, hits) == 0 && 8 * offset_of!(HitRecord, control) == CONTROL_LSB);
const _: () = assert!(offset_of!(HitRecord, sequence) == offset_of!(IdRecord, sequence));
const _: () = assert!(offset_of!(PresenceRecord, words) == 0);
const _: () = assert!(offset_of!(PresenceRecord, sequence) == offset_of!(IdRecord, sequence));
const _: () = assert!(8 * offset_of!(PresenceRecord, control) == CONTROL_LSB);
const _: () = assert!(HITS_PER_RECORD < 1 << HITS_IN_BITS && HITS_MAX == 2 * HITS_PER_RECORD);
const _: () =
    assert!(LINE_RECORDS == 4 && FRESH_RECORDS == LINE_RECORDS && IDS_PER_RECORD == (1 << PART_BITS) - 1);
const _: () = assert!(c2h::NO_RULE == u32::MAX && ID_BITS < 32 && RecordKind::Pad as u8 == 0);

/// Bits of what the payload matcher found in an element, with so many presence bits.
pub const fn found_bits(short: usize) -> usize {
    PRESENT_LSB + short
}

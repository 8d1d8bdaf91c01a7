//! The C2H ring: 16-byte records, four to a line, written by the card in whole lines.
//!
//! A packet gives one [`VerdictRecord`] and, right behind it, up to two [`IdRecord`]s where signature
//! headers matched, then up to two [`HitRecord`]s where patterns were found, then a [`PresenceRecord`] where patterns of one or
//! two bytes were. Records stand in packet order. When nothing more is at hand the card fills the line up with
//! [`RecordKind::Pad`] records and writes it, so a record never waits for the next packet.
//!
//! The consumer knows a new record by its phase bit: 1 in the first lap of the ring, 0 in the second,
//! and so on (NVMe 1.4, 4.6, "phase tag"). The ring is zero before the card is enabled.
//! The kind, phase and count stand in the last two bytes of every record, so a reader that loads the
//! 16 bytes at once, or the last two first, never sees a half-written record as whole.

use bytemuck::{Pod, Zeroable};

use crate::bits::LINE_BYTES;

/// Bytes of a record.
pub const RECORD_BYTES: usize = 16;
/// Records in a line.
pub const LINE_RECORDS: usize = LINE_BYTES / RECORD_BYTES;
/// Records of the ring as a power of two: smallest.
pub const RECORDS_LOG2_MIN: u32 = 8;
/// Records of the ring as a power of two: largest (64 MiB).
pub const RECORDS_LOG2_MAX: u32 = 22;
/// Signature header ids that one packet reports at most; more set [`crate::vector::Flags::CUT`].
pub const IDS_MAX: usize = 6;
/// Patterns that one packet reports at most; more set [`crate::vector::Flags::OVERFLOW`].
pub const HITS_MAX: usize = 12;
/// Ids in one id record.
pub const IDS_PER_RECORD: usize = 3;
/// Patterns in one record of patterns.
pub const HITS_PER_RECORD: usize = 6;
/// Words of presence bits in a record of them.
pub const PRESENCE_WORDS: usize = 3;
/// Presence bits in a record of them.
pub const PRESENCE_BITS: usize = 32 * PRESENCE_WORDS;
/// Bits of the number of a pattern.
pub const HIT_BITS: usize = 16;
/// `acl` of a packet that no ACL rule matched.
pub const NO_RULE: u32 = 0xffff_ffff;

/// Lowest bit of the kind in `control`; bit 0 is the phase.
pub const KIND_LSB: usize = 1;
/// Bits of the kind.
pub const KIND_BITS: usize = 3;
/// Lowest bit of the number of ids in `control`.
pub const IDS_LSB: usize = 4;
/// Bits of the number of ids.
pub const IDS_BITS: usize = 4;
/// Lowest bit of the number of patterns in `control` of a verdict.
pub const HITS_LSB: usize = IDS_LSB + IDS_BITS;
/// Bits of the number of patterns.
pub const HITS_BITS: usize = 4;

/// Bit of a verdict's `control`: a [`PresenceRecord`] follows.
pub const PRESENCE_BIT: usize = HITS_LSB + HITS_BITS;

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum RecordKind {
    /// Fills the rest of a line; carries nothing.
    Pad = 0,
    /// [`VerdictRecord`].
    Verdict = 1,
    /// [`IdRecord`].
    Ids = 2,
    /// A [`VerdictRecord`] that answers a COMMIT: `sequence` is that of the next packet and
    /// `version` the version now in force; `acl` is [`NO_RULE`], the other fields are zero.
    Committed = 3,
    /// [`HitRecord`].
    Hits = 4,
    /// [`PresenceRecord`].
    Presence = 5,
}

/// What the card answers for one packet.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct VerdictRecord {
    /// Sequence number of the packet, counted from 0 since the card was enabled, modulo 2^32.
    pub sequence: u32,
    /// Number of the first ACL rule that matches, or [`NO_RULE`].
    pub acl: u32,
    /// [`crate::vector::Flags`].
    pub flags: u16,
    /// Bytes of the packet, as the ring said.
    pub length: u16,
    /// Version of the tables that decided it.
    pub version: u16,
    /// Phase, kind, number of ids and number of patterns that follow, and whether presence bits do.
    pub control: u16,
}

/// Ids of matching signature headers.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct IdRecord {
    /// Up to three ids, in no order; unused places are zero.
    pub ids: [u32; IDS_PER_RECORD],
    /// Low half of the sequence number of the packet.
    pub sequence: u16,
    /// Phase, kind, number of ids in this record.
    pub control: u16,
}

/// Numbers of the patterns in a packet.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct HitRecord {
    /// Up to six numbers, in no order; unused places are zero.
    pub hits: [u16; HITS_PER_RECORD],
    /// Low half of the sequence number of the packet.
    pub sequence: u16,
    /// Phase, kind, number of patterns in this record.
    pub control: u16,
}

/// Which patterns of one or two bytes are in a packet ([`crate::payload::short`]); at least one is.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct PresenceRecord {
    /// Bit `n % 32` of word `n / 32`: pattern `n`.
    pub words: [u32; PRESENCE_WORDS],
    /// Low half of the sequence number of the packet.
    pub sequence: u16,
    /// Phase and kind.
    pub control: u16,
}

const _: () = assert!(size_of::<VerdictRecord>() == RECORD_BYTES);
const _: () = assert!(size_of::<PresenceRecord>() == RECORD_BYTES && PRESENCE_BIT < 16);
const _: () = assert!(size_of::<IdRecord>() == RECORD_BYTES);
const _: () = assert!(IDS_MAX.is_multiple_of(IDS_PER_RECORD));
const _: () = assert!(IDS_MAX / IDS_PER_RECORD < LINE_RECORDS);
const _: () = assert!(size_of::<HitRecord>() == RECORD_BYTES && HIT_BITS == u16::BITS as usize);
// The card's packer has room for two records of either.
const _: () = assert!(HITS_MAX == 2 * HITS_PER_RECORD && IDS_MAX == 2 * IDS_PER_RECORD);
const _: () = assert!(HITS_MAX < 1 << HITS_BITS && HITS_LSB + HITS_BITS <= 16);

/// `control` of a record.
pub const fn control(kind: RecordKind, ids: usize, phase: bool) -> u16 {
    phase as u16 | (kind as u16) << KIND_LSB | ((ids & 0xf) as u16) << IDS_LSB
}

/// Phase bit of a record's `control`.
pub const fn phase(control: u16) -> bool {
    control & 1 == 1
}

/// Phase that a record at free-running index `index` has in a ring of `1 << records_log2` records.
pub const fn phase_at(index: u32, records_log2: u32) -> bool {
    (index >> records_log2) & 1 == 0
}

/// Kind in a record's `control`, if it is one that exists.
pub const fn kind(control: u16) -> Option<RecordKind> {
    match (control >> KIND_LSB) & ((1 << KIND_BITS) - 1) {
        0 => Some(RecordKind::Pad),
        1 => Some(RecordKind::Verdict),
        2 => Some(RecordKind::Ids),
        3 => Some(RecordKind::Committed),
        4 => Some(RecordKind::Hits),
        5 => Some(RecordKind::Presence),
        _ => None,
    }
}

/// Number of ids in a record's `control`.
pub const fn ids(control: u16) -> usize {
    ((control >> IDS_LSB) & ((1 << IDS_BITS) - 1)) as usize
}

/// `control` of the verdict of a packet with patterns.
pub const fn verdict_control(ids: usize, hits: usize, phase: bool) -> u16 {
    control(RecordKind::Verdict, ids, phase) | ((hits & 0xf) as u16) << HITS_LSB
}

/// Number of patterns in a verdict's `control`.
pub const fn hits(control: u16) -> usize {
    ((control >> HITS_LSB) & ((1 << HITS_BITS) - 1)) as usize
}

/// Numbers of the presence bits that are set, ascending.
pub fn present(words: [u32; PRESENCE_WORDS]) -> impl Iterator<Item = u16> {
    (0..).zip(words).flat_map(|(at, mut word)| {
        core::iter::from_fn(move || {
            let bit = (word != 0).then(|| word.trailing_zeros())?;
            word &= word - 1;
            Some(at * 32 + bit as u16)
        })
    })
}

/// Whether presence bits follow a verdict, by its `control`.
pub const fn has_presence(control: u16) -> bool {
    control >> PRESENCE_BIT & 1 == 1
}

/// The line that the card writes to the host's memory so that the host need not read registers.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct StatusLine {
    /// H2C consumer index: lines that the card has taken.
    pub h2c_cidx: u32,
    /// C2H producer index: records that the card has written (acknowledged by the bus).
    pub c2h_pidx: u32,
    /// The register STATUS.
    pub status: u32,
    /// The register ERROR.
    pub error: u32,
    /// Low half of the counter of packets taken in.
    pub packets_in: u32,
    /// Status lines written since the card was enabled, this one included: never 0 in a written line.
    pub writes: u32,
    /// Zero.
    pub reserved: [u32; 10],
}

const _: () = assert!(size_of::<StatusLine>() == LINE_BYTES);

//! What can be wrong with a record.

use wiresift_abi::c2h::{RecordKind, VerdictRecord};

/// What is wrong with a record. `index` is its free-running index in the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The kind does not exist, or unused bits are set.
    #[error("record {index}: unknown control word {control:#06x}")]
    Control {
        /// Index of the record.
        index: u32,
        /// Its control word.
        control: u16,
    },
    /// Another kind should stand there.
    #[error("record {index}: {is:?} where {should} should stand")]
    Kind {
        /// Index of the record.
        index: u32,
        /// Kind of the record.
        is: RecordKind,
        /// What may stand there.
        should: &'static str,
    },
    /// The sequence number is not the next one.
    #[error("record {index}: sequence number {is} where {should} should stand")]
    Sequence {
        /// Index of the record.
        index: u32,
        /// Sequence number of the record (its low half in a record behind a verdict).
        is: u32,
        /// Sequence number that comes next.
        should: u32,
    },
    /// A verdict for a packet that the card was not yet told of.
    #[error("record {index}: a verdict for packet {sequence}, which was not announced")]
    NotAnnounced {
        /// Index of the record.
        index: u32,
        /// Sequence number of the record.
        sequence: u32,
    },
    /// The length is not that of the packet.
    #[error("record {index}: length {is} for packet {sequence}, which has {should} bytes")]
    Length {
        /// Index of the record.
        index: u32,
        /// Sequence number of the record.
        sequence: u32,
        /// Length in the record.
        is: u16,
        /// Bytes of the packet.
        should: u16,
    },
    /// The version is not the one in force.
    #[error("record {index}: table version {is} where {should} is in force")]
    Version {
        /// Index of the record.
        index: u32,
        /// Version in the record.
        is: u16,
        /// Version that it should be.
        should: u16,
    },
    /// The number of ids is impossible.
    #[error("record {index}: {is} ids where {should} are possible")]
    IdCount {
        /// Index of the record.
        index: u32,
        /// Number of ids in the record.
        is: usize,
        /// Most (verdict) or exactly (id record) that many.
        should: usize,
    },
    /// A rule number or id has more bits than one has, or an unused place is not zero.
    #[error("record {index}: {is:#x} is no number of a rule")]
    Number {
        /// Index of the record.
        index: u32,
        /// The value.
        is: u32,
    },
    /// A record of presence bits that has none.
    #[error("record {index}: no presence bit is set")]
    NoPresence {
        /// Index of the record.
        index: u32,
    },
    /// A flag that does not exist.
    #[error("record {index}: unknown flags in {is:#06x}")]
    Flags {
        /// Index of the record.
        index: u32,
        /// Flags of the record.
        is: u16,
    },
    /// The answer to a COMMIT carries something else.
    #[error("record {index}: the answer to a COMMIT is not empty: {record:?}")]
    Committed {
        /// Index of the record.
        index: u32,
        /// The record.
        record: VerdictRecord,
    },
}

impl RecordError {
    /// Whether ids, patterns or presence bits came that no verdict announced.
    pub(crate) fn is_part_of_nothing(&self) -> bool {
        matches!(self, Self::Kind { is: RecordKind::Ids | RecordKind::Hits | RecordKind::Presence, .. })
    }
}

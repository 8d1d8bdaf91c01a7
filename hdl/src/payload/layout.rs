//! What the blocks of the matcher hand to each other.

#![expect(missing_docs, reason = "the derive of LogicStruct writes methods without docs")]

use rust_hdl::core::prelude::*;

/// Bits of the number of a beat: the buffer holds as many beats.
pub const BEAT_NUMBER_BITS: usize = 10;
/// Bits of a number of bytes that is held at its largest value where there are more.
pub const BYTES_BITS: usize = 7;

/// What a beat is, beside its bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, LogicStruct)]
pub struct Beat {
    /// Its number, modulo the beats of the buffer.
    pub number: Bits<BEAT_NUMBER_BITS>,
    /// Bytes of the packet from its first one on, 127 where there are more.
    pub bytes: Bits<BYTES_BITS>,
    /// First of the element.
    pub first: Bit,
    /// Last of the element.
    pub last: Bit,
    /// The element is a command.
    pub command: Bit,
}

/// A window that the filter let through, or the end of an element without one.
#[derive(Clone, Copy, Debug, Default, PartialEq, LogicStruct)]
pub struct Survivor {
    /// Number of the beat in which the window ends.
    pub number: Bits<BEAT_NUMBER_BITS>,
    /// Bytes of the packet from its first one on, 127 where there are more.
    pub bytes: Bits<BYTES_BITS>,
    /// First of the element.
    pub first: Bit,
    /// Last of the element.
    pub last: Bit,
    /// The element is a command.
    pub command: Bit,
    /// Byte of the beat with which it ends.
    pub lane: Bits<LANE_BITS>,
    /// [`wiresift_abi::payload::Class`].
    pub class: Bits<2>,
    /// There is a window.
    pub hit: Bit,
    /// Nothing of the element follows.
    pub end: Bit,
    /// Windows of the element were dropped.
    pub overflow: Bit,
}

/// Bits of the number of a byte in a beat of any geometry.
pub const LANE_BITS: usize = 6;
/// Bits of a number of bytes on one side of the end of a window.
pub const SIDE_BITS: usize = 5;

/// What is known of a survivor beside its region.
#[derive(Clone, Copy, Debug, Default, PartialEq, LogicStruct)]
pub struct Check {
    /// There is something at all.
    pub valid: Bit,
    /// It is a window.
    pub hit: Bit,
    /// It is a command.
    pub command: Bit,
    /// Nothing of the element follows.
    pub end: Bit,
    /// Windows of the element were dropped.
    pub overflow: Bit,
    /// [`wiresift_abi::payload::Class`].
    pub class: Bits<2>,
    /// Bytes of the packet up to the end of the window; those in front of the region do not count.
    pub before: Bits<SIDE_BITS>,
    /// Bytes of the packet behind the window; those behind the region do not count.
    pub after: Bits<SIDE_BITS>,
}

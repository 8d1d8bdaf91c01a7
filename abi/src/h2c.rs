//! The H2C ring: one byte ring in lines of 64 bytes, filled by the host, read by the card.
//!
//! A *batch* is a header line followed by the lines of its packets, or by command lines:
//!
//! ```text
//! line 0      BatchHeader   control | length 0 | length 1 | ... | length 30
//! line 1 ..   packet 0, ceil(length/64) lines, at least one, the rest of the last line padding
//!             packet 1 ...
//! ```
//!
//! Why not a header before each packet: a 64-byte packet with its header in front needs more than
//! one line, which caps the card at 0.94 packets a cycle of a 64-byte bus however small the header;
//! 31 lengths that share a line cost 1/32 of the bus (0.969 packets a cycle), and every packet
//! starts at byte 0 of a beat, so no byte shifter stands in the stream and the host copies packets
//! to whole cache lines.
//!
//! Indices count lines, run freely modulo 2^32, and are turned into a place by the ring's size
//! (a power of two). A batch may wrap around the end of the ring; no batch is larger than it.

use bytemuck::{Pod, Zeroable};

use crate::bits::LINE_BYTES;

/// Packets or commands in a batch at most.
pub const BATCH_ITEMS: usize = 31;
/// Bytes of a packet at most. A longer one never enters the ring: the host decides it
/// ([`crate::vector::Flags::JUMBO`]).
pub const PACKET_BYTES_MAX: usize = 9216;
/// Lines of the ring as a power of two: smallest.
pub const LINES_LOG2_MIN: u32 = 6;
/// Lines of the ring as a power of two: largest (64 MiB).
pub const LINES_LOG2_MAX: u32 = 20;
/// Alignment of the ring's base address in bytes: a burst that stays inside a 4 KiB page of the ring
/// stays inside one of the bus (AXI4, A3.4.1).
pub const RING_ALIGN: u64 = 4096;
/// Bytes a DMA read burst asks for where that much is there; bursts are aligned to it.
pub const READ_BURST_BYTES: usize = 1024;

/// What the items of a batch are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum BatchKind {
    /// Packets to decide.
    Packets = 1,
    /// Table commands ([`crate::command`]), one line each.
    Commands = 2,
}

/// First line of a batch.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct BatchHeader {
    /// Bits 0-4 number of items (1 to 31), bits 5-7 [`BatchKind`], bits 8-15 low byte of the
    /// sequence number of the next packet, by which the card sees that nothing was lost between.
    pub control: u16,
    /// Bytes of each packet, 0 to [`PACKET_BYTES_MAX`]; zero for commands and unused places.
    pub lengths: [u16; BATCH_ITEMS],
}

const _: () = assert!(size_of::<BatchHeader>() == LINE_BYTES);

/// Bits of `control` that hold the number of items.
pub const COUNT_BITS: usize = 5;
/// Bits of `control` that hold the kind.
pub const KIND_BITS: usize = 3;
/// Bits of `control` that hold the low part of the sequence number.
pub const SEQUENCE_BITS: usize = 8;
const _: () = assert!(COUNT_BITS + KIND_BITS + SEQUENCE_BITS == 16);
const _: () = assert!((1 << COUNT_BITS) - 1 == BATCH_ITEMS);

impl BatchHeader {
    /// A header for `count` items (1 to [`BATCH_ITEMS`]); `sequence` is that of the next packet.
    pub const fn new(kind: BatchKind, count: usize, sequence: u32) -> Self {
        assert!(count >= 1 && count <= BATCH_ITEMS);
        Self {
            control: count as u16
                | (kind as u16) << COUNT_BITS
                | ((sequence & 0xff) as u16) << (COUNT_BITS + KIND_BITS),
            lengths: [0; BATCH_ITEMS],
        }
    }

    /// Number of items.
    pub const fn count(&self) -> usize {
        (self.control & ((1 << COUNT_BITS) - 1)) as usize
    }

    /// Kind of the items, if it is one that exists.
    pub const fn kind(&self) -> Option<BatchKind> {
        match (self.control >> COUNT_BITS) & ((1 << KIND_BITS) - 1) {
            1 => Some(BatchKind::Packets),
            2 => Some(BatchKind::Commands),
            _ => None,
        }
    }

    /// Low byte of the sequence number of the next packet.
    pub const fn sequence(&self) -> u8 {
        (self.control >> (COUNT_BITS + KIND_BITS)) as u8
    }
}

/// Lines that a packet of `bytes` bytes takes in the ring: a packet of no bytes takes one.
pub const fn packet_lines(bytes: usize) -> usize {
    if bytes == 0 { 1 } else { bytes.div_ceil(LINE_BYTES) }
}

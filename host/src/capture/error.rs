//! What can be wrong with a capture.

use std::fmt;
use std::io;

use super::link;

/// A capture cannot be read on.
#[derive(Debug, thiserror::Error)]
pub struct CaptureError {
    /// The capture as named on the command line.
    pub capture: String,
    /// Byte at which the part with the fault begins, in the capture without its compression.
    pub offset: u64,
    /// What is wrong.
    #[source]
    pub fault: Fault,
}

impl fmt::Display for CaptureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.fault {
            Fault::Open(_) | Fault::Empty | Fault::Unknown(_) => write!(f, "{}", self.capture),
            _ => write!(f, "{}: at byte {}", self.capture, self.offset),
        }
    }
}

/// What is wrong with a capture.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// It cannot be opened.
    #[error("cannot be opened: {0}")]
    Open(io::Error),
    /// Reading failed, or its compression is damaged.
    #[error("cannot be read: {0}")]
    Read(io::Error),
    /// It has no bytes.
    #[error("is empty")]
    Empty,
    /// Its first bytes are those of no format that is known.
    #[error("is neither pcap nor pcapng nor a ClassBench trace (first bytes {0:02x?})")]
    Unknown(Vec<u8>),
    /// It ends inside a record.
    #[error("the capture ends inside {what}: {there} of {needed} bytes are there")]
    Cut {
        /// Name of the part.
        what: &'static str,
        /// Bytes that are there.
        there: usize,
        /// Bytes that belong to the part, as far as it is there to say so.
        needed: usize,
    },
    /// A length that cannot be.
    #[error("{what} of {length} bytes, {limit} are possible")]
    TooLong {
        /// Name of the part.
        what: &'static str,
        /// Length as written.
        length: u64,
        /// Largest length.
        limit: u64,
    },
    /// A part contradicts itself or the format.
    #[error("{0}")]
    Corrupt(String),
    /// A link type that cannot be classified.
    #[error("link type {0}{name} is not supported", name = link::parenthesised_name(*.0))]
    LinkType(i32),
}

//! Captures: files, pipes and standard input become packets, each with an Ethernet header.
//!
//! A capture is read once, front to back, through a buffer of fixed size ([`input`]), so any size and
//! any pipe will do. What kind it is stands in its first bytes: gzip (taken off), [`pcap`], [`pcapng`],
//! or a ClassBench header trace in text ([`trace`]). [`link`] gives packets of other link types
//! their Ethernet header.
//!
//! Everything before a fault is delivered; then comes an error that names the capture and the byte.

mod error;
mod input;
mod link;
mod pcap;
mod pcapng;
mod trace;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

pub use error::{CaptureError, Fault};
pub use trace::synthesize;

use input::{Fill, Input};
use link::Link;

/// Bytes that a packet has at most in a capture: what libpcap allows for Ethernet.
pub const CAPTURED_BYTES_MAX: usize = 256 * 1024;
/// Name of standard input on the command line.
pub const STANDARD_INPUT: &str = "-";

/// A packet as it was captured, with an Ethernet header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Captured<'a> {
    /// Time stamp in nanoseconds since 1970; 0 where the capture has none.
    pub nanos: u64,
    /// Bytes on the wire, as the capture says.
    pub wire_length: u32,
    /// The packet.
    pub bytes: &'a [u8],
}

/// What [`Capture::next`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum Next<'a> {
    /// A packet.
    Packet(Captured<'a>),
    /// No whole packet is at hand and more must be read.
    Starved,
    /// The capture ends here.
    End,
}

/// A capture that is being read.
pub struct Capture {
    input: Input,
    format: Format,
    /// Bytes at the front of the buffer that belong to the packet returned last.
    returned: usize,
    /// The packet returned last where it does not stand in the buffer as it is.
    built: Vec<u8>,
}

enum Format {
    Pcap(pcap::Pcap),
    Pcapng(pcapng::Pcapng),
    Trace(trace::Trace),
}

/// What one step of a format's reader gave.
enum Step {
    /// A packet in the buffer.
    Packet(Record),
    /// A packet that was built from its description; the bytes of that description in the buffer.
    Built { consumed: usize },
    /// Something that is no packet was consumed.
    Skipped,
    /// The buffer does not hold enough.
    Starved,
    /// The capture ends.
    End,
}

/// A packet in the buffer.
struct Record {
    nanos: u64,
    wire_length: u32,
    link: Link,
    /// Where its bytes are, from the first byte not consumed.
    data: Range<usize>,
    /// Bytes of the whole record.
    consumed: usize,
}

impl Capture {
    /// Opens the capture at `path`, or standard input for `-`. `bytes_read` counts what is read of the
    /// file itself, for a progress bar.
    ///
    /// # Errors
    /// Where it cannot be opened or is no capture.
    pub fn open(path: &Path, bytes_read: Arc<AtomicU64>) -> Result<Self, CaptureError> {
        if path.as_os_str() == STANDARD_INPUT {
            return Self::read_from("standard input", Box::new(io::stdin()), bytes_read);
        }
        let name = path.display().to_string();
        match File::open(path) {
            Ok(file) => Self::read_from(&name, Box::new(file), bytes_read),
            Err(error) => Err(CaptureError { capture: name, offset: 0, fault: Fault::Open(error) }),
        }
    }

    /// Reads a capture from anything that can be read; `name` is for messages.
    ///
    /// # Errors
    /// Where it cannot be read or is no capture.
    pub fn read_from(
        name: &str,
        source: Box<dyn Read + Send>,
        bytes_read: Arc<AtomicU64>,
    ) -> Result<Self, CaptureError> {
        let mut input = Input::new(name, source, bytes_read)?;
        let format = Format::recognise(&mut input)?;
        Ok(Self { input, format, returned: 0, built: Vec::new() })
    }

    /// The next packet. Reads from the source only with `may_read`; without, [`Next::Starved`] says
    /// that this must happen first, so a caller can hand on what it has before it waits.
    ///
    /// # Errors
    /// Where the capture is cut or corrupt, or cannot be read. The capture is then over.
    pub fn next(&mut self, may_read: bool) -> Result<Next<'_>, CaptureError> {
        self.input.consume(std::mem::take(&mut self.returned));
        loop {
            let step = match &mut self.format {
                Format::Pcap(pcap) => pcap.step(&mut self.input, may_read)?,
                Format::Pcapng(pcapng) => pcapng.step(&mut self.input, may_read)?,
                Format::Trace(trace) => trace.step(&mut self.input, may_read, &mut self.built)?,
            };
            match step {
                Step::Skipped => {}
                Step::Starved => return Ok(Next::Starved),
                Step::End => return Ok(Next::End),
                Step::Built { consumed } => {
                    self.returned = consumed;
                    let wire_length = self.built.len() as u32;
                    return Ok(Next::Packet(Captured { nanos: 0, wire_length, bytes: &self.built }));
                }
                Step::Packet(record) => {
                    self.returned = record.consumed;
                    let data = &self.input.available()[record.data];
                    let bytes = record.link.to_ethernet(data, &mut self.built);
                    let wire_length = record.wire_length.max(data.len() as u32);
                    return Ok(Next::Packet(Captured { nanos: record.nanos, wire_length, bytes }));
                }
            }
        }
    }
}

impl Format {
    fn recognise(input: &mut Input) -> Result<Self, CaptureError> {
        input.fill(4, true)?;
        let magic = input.available().get(..4);
        if magic == Some(&pcapng::SECTION_HEADER.to_le_bytes()) {
            return Ok(Self::Pcapng(pcapng::Pcapng::default()));
        }
        if magic.is_some_and(pcap::is_magic) {
            return Ok(Self::Pcap(pcap::Pcap::open(input)?));
        }
        if trace::is_trace(input)? {
            return Ok(Self::Trace(trace::Trace::default()));
        }
        let first = input.available().iter().take(4).copied().collect::<Vec<_>>();
        Err(input.error(if first.is_empty() { Fault::Empty } else { Fault::Unknown(first) }))
    }
}

/// The four bytes at `at` as a number.
fn u32_at(bytes: &[u8], at: usize, big_endian: bool) -> u32 {
    let mut four = [0; 4];
    four.copy_from_slice(&bytes[at..at + 4]);
    if big_endian { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) }
}

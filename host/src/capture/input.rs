//! The bytes of a capture behind a buffer of fixed size.

use std::io::{self, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::MultiGzDecoder;

use super::error::{CaptureError, Fault};

/// Bytes of the buffer: at least the largest record ([`super::pcapng::BLOCK_BYTES_MAX`]), and enough
/// for large reads.
pub(super) const BUFFER_BYTES: usize = 1 << 20;
/// First bytes of a gzip member of deflated data (RFC 1952, 2.3.1).
const GZIP_MAGIC: [u8; 3] = [0x1f, 0x8b, 0x08];

/// What [`Input::fill`] reached.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fill {
    /// That many bytes are available.
    Ready,
    /// Fewer are, and reading was not allowed.
    Starved,
    /// Fewer are, and no more will come.
    Ended,
}

/// A source of bytes with a window on what comes next.
pub(super) struct Input {
    name: String,
    source: Box<dyn Read + Send>,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    /// Bytes consumed so far.
    offset: u64,
    ended: bool,
}

impl Input {
    /// Begins to read `source`; gzip is recognised and taken off.
    pub(super) fn new(
        name: &str,
        source: Box<dyn Read + Send>,
        bytes_read: Arc<AtomicU64>,
    ) -> Result<Self, CaptureError> {
        let mut input = Self {
            name: name.to_owned(),
            source: Box::new(Counted { source, bytes_read }),
            buffer: vec![0; BUFFER_BYTES].into_boxed_slice(),
            start: 0,
            end: 0,
            offset: 0,
            ended: false,
        };
        input.fill(GZIP_MAGIC.len(), true)?;
        if input.available().starts_with(&GZIP_MAGIC) {
            let head = io::Cursor::new(input.available().to_vec());
            let rest = std::mem::replace(&mut input.source, Box::new(io::empty()));
            input.source = Box::new(MultiGzDecoder::new(BufReader::new(head.chain(rest))));
            (input.start, input.end) = (0, 0);
        }
        Ok(input)
    }

    /// The bytes that come next, as far as they were read.
    pub(super) fn available(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Sees to it that `bytes` bytes are available (at most [`BUFFER_BYTES`]).
    pub(super) fn fill(&mut self, bytes: usize, may_read: bool) -> Result<Fill, CaptureError> {
        debug_assert!(bytes <= BUFFER_BYTES);
        while self.end - self.start < bytes {
            if self.ended {
                return Ok(Fill::Ended);
            }
            if !may_read {
                return Ok(Fill::Starved);
            }
            if self.start + bytes > self.buffer.len() {
                self.buffer.copy_within(self.start..self.end, 0);
                self.end -= self.start;
                self.start = 0;
            }
            match self.source.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.ended = true,
                Ok(count) => self.end += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let offset = self.offset + (self.end - self.start) as u64;
                    return Err(CaptureError {
                        capture: self.name.clone(),
                        offset,
                        fault: Fault::Read(error),
                    });
                }
            }
        }
        Ok(Fill::Ready)
    }

    /// Takes `bytes` available bytes off the front.
    pub(super) fn consume(&mut self, bytes: usize) {
        debug_assert!(bytes <= self.end - self.start);
        self.start += bytes;
        self.offset += bytes as u64;
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
    }

    /// An error about the part that comes next.
    pub(super) fn error(&self, fault: Fault) -> CaptureError {
        CaptureError { capture: self.name.clone(), offset: self.offset, fault }
    }

    /// The error that the part that comes next is not all there.
    pub(super) fn cut(&self, what: &'static str, needed: usize) -> CaptureError {
        self.error(Fault::Cut { what, there: self.available().len(), needed })
    }
}

/// Counts the bytes that pass.
struct Counted {
    source: Box<dyn Read + Send>,
    bytes_read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        self.bytes_read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

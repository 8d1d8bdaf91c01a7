//! The reader thread: captures into batches.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use crossbeam::channel::Sender;

use super::FromReader;
use crate::capture::{Capture, CaptureError, Next};
use crate::device::{Batch, PacketInfo};

/// Packets in a batch at most.
const BATCH_PACKETS: usize = 2048;
/// Bytes after which a batch is handed on.
const BATCH_BYTES: usize = 1 << 20;

/// Reads captures one after another.
pub(super) struct Reader {
    captures: Vec<PathBuf>,
    bytes_read: Arc<AtomicU64>,
    to_device: Sender<FromReader>,
    batch: Batch,
}

/// What ends the reader early.
enum Stopped {
    Failed(CaptureError),
    /// Nobody takes batches any more.
    DeviceGone,
}

impl Reader {
    pub(super) fn new(
        captures: Vec<PathBuf>,
        bytes_read: Arc<AtomicU64>,
        to_device: Sender<FromReader>,
    ) -> Self {
        Self { captures, bytes_read, to_device, batch: Batch::new(0) }
    }

    /// Reads every capture, or up to the first fault. Hangs up when it is done.
    pub(super) fn run(mut self) {
        for (place, path) in std::mem::take(&mut self.captures).into_iter().enumerate() {
            let read = Capture::open(&path, self.bytes_read.clone()).map_err(Stopped::Failed);
            match read.and_then(|capture| self.read(capture, place as u32)) {
                Ok(()) => {}
                Err(Stopped::DeviceGone) => return,
                Err(Stopped::Failed(error)) => {
                    // Where nobody takes the packets before the fault, nobody asks for the fault.
                    if self.hand_on().is_ok() {
                        let _gone = self.to_device.send(FromReader::Failed(error));
                    }
                    return;
                }
            }
        }
        let _gone = self.hand_on();
    }

    fn read(&mut self, mut capture: Capture, place: u32) -> Result<(), Stopped> {
        let mut number = 0;
        loop {
            let may_wait = self.batch.is_empty();
            match capture.next(may_wait).map_err(Stopped::Failed)? {
                Next::Packet(packet) => {
                    number += 1;
                    let (nanos, wire_length) = (packet.nanos, packet.wire_length);
                    self.batch.push(packet.bytes, PacketInfo { nanos, wire_length, capture: place, number });
                    if self.batch.len() >= BATCH_PACKETS || self.batch.total_bytes() >= BATCH_BYTES {
                        self.hand_on()?;
                    }
                }
                Next::Starved => self.hand_on()?,
                Next::End => return Ok(()),
            }
        }
    }

    /// Sends the batch, if there is anything in it, and begins the next one.
    fn hand_on(&mut self) -> Result<(), Stopped> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let next = self.batch.following();
        let batch = std::mem::replace(&mut self.batch, next);
        self.to_device.send(FromReader::Batch(Arc::new(batch))).map_err(|_| Stopped::DeviceGone)
    }
}

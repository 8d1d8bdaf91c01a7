//! The producing side of the H2C ring: packets and commands packed into batches.
//!
//! A batch is written straight into ring memory: its header's line is kept free, packets are copied
//! behind it, and the header is written when the batch is full or closed ([`abi::h2c`]). One doorbell
//! then announces any number of batches.
//!
//! Lines of packets are free again when every packet of their batch was answered, not already when
//! the card has read them: what was not answered can so be posted again after a reset, without a
//! second copy. Lines of commands, which have no answer, are free when the card has taken them.
//!
//! [`abi::h2c`]: wiresift_abi::h2c

use std::collections::VecDeque;

use wiresift_abi::bits::{LINE_BYTES, Line};
use wiresift_abi::h2c::{BATCH_ITEMS, BatchHeader, BatchKind, PACKET_BYTES_MAX, packet_lines};

use crate::ring::{IndexError, Producer, RingSize, between};
use crate::transport::DmaRegion;

/// Why a packet cannot be posted, however empty the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PacketError {
    /// Longer than the card takes ([`PACKET_BYTES_MAX`]).
    #[error("a packet of {0} bytes is longer than the {PACKET_BYTES_MAX} that the card takes")]
    Jumbo(usize),
    /// Longer than the ring.
    #[error("a packet of {bytes} bytes does not fit a ring of {lines} lines")]
    Ring {
        /// Bytes of the packet.
        bytes: usize,
        /// Lines of the ring.
        lines: u32,
    },
}

/// A batch that the card has not answered, or not taken, wholly.
#[derive(Clone, Copy, Debug)]
struct Batch {
    kind: BatchKind,
    /// Index of the header's line.
    first: u32,
    /// Index behind the last line.
    end: u32,
    /// Sequence number of the first packet.
    sequence: u32,
    count: u32,
}

/// The producing side of the H2C ring.
#[derive(Debug)]
pub struct H2cRing {
    region: DmaRegion,
    ring: Producer,
    /// Sequence number of the next packet.
    sequence: u32,
    /// Sequence number of the next packet that has not been announced.
    announced_sequence: u32,
    /// Index that the last doorbell announced.
    announced: u32,
    /// Index that the card has taken, as far as known.
    taken: u32,
    /// The batch that is filled, and the lengths of its packets.
    open: Option<Batch>,
    open_lengths: [u16; BATCH_ITEMS],
    batches: VecDeque<Batch>,
    /// Bytes of the packet of a sequence number, at that number's place. A packet takes a line at
    /// least, so there are never more of them than lines.
    lengths: Vec<u16>,
}

impl H2cRing {
    /// An empty ring in a region of at least `1 << lines_log2` lines.
    pub fn new(region: DmaRegion, lines_log2: u32) -> Self {
        let size = RingSize::new(lines_log2);
        assert!(region.memory().bytes() >= size.entries() as usize * LINE_BYTES);
        Self {
            region,
            ring: Producer::new(size),
            sequence: 0,
            announced_sequence: 0,
            announced: 0,
            taken: 0,
            open: None,
            open_lengths: [0; BATCH_ITEMS],
            batches: VecDeque::new(),
            lengths: vec![0; size.entries() as usize],
        }
    }

    /// The memory.
    pub fn region(&self) -> &DmaRegion {
        &self.region
    }

    /// Keeps the memory for ever ([`DmaRegion::leak`]).
    pub fn leak(&mut self) {
        self.region.leak();
    }

    /// Empties the ring: every index and the sequence number are zero, as after CONTROL.ENABLE.
    pub fn restart(&mut self) {
        self.ring = Producer::new(self.ring.size());
        (self.sequence, self.announced_sequence, self.announced, self.taken) = (0, 0, 0, 0);
        self.open = None;
        self.batches.clear();
    }

    /// Sequence number of the next packet.
    pub fn sequence(&self) -> u32 {
        self.sequence
    }

    /// Sequence number behind the last packet that a doorbell announced.
    pub fn announced_sequence(&self) -> u32 {
        self.announced_sequence
    }

    /// Index that the last doorbell announced.
    pub fn announced(&self) -> u32 {
        self.announced
    }

    /// Index that the card has taken, as far as known.
    pub fn taken(&self) -> u32 {
        self.taken
    }

    /// Bytes of the packet with a sequence number that is in flight.
    pub fn length(&self, sequence: u32) -> u16 {
        self.lengths[self.ring.size().place(sequence)]
    }

    /// Copies a packet into the ring; `false` where there is no room for it now.
    ///
    /// # Errors
    /// Where there will never be room.
    #[inline]
    pub fn push_packet(&mut self, packet: &[u8]) -> Result<bool, PacketError> {
        if packet.len() > PACKET_BYTES_MAX {
            return Err(PacketError::Jumbo(packet.len()));
        }
        let lines = packet_lines(packet.len()) as u32;
        if lines >= self.ring.size().entries() {
            return Err(PacketError::Ring { bytes: packet.len(), lines: self.ring.size().entries() });
        }
        let Some((at, n)) = self.take(BatchKind::Packets, lines) else {
            return Ok(false);
        };
        self.copy_in(at, packet);
        let length = packet.len() as u16;
        self.open_lengths[n] = length;
        let place = self.ring.size().place(self.sequence);
        self.lengths[place] = length;
        self.sequence = self.sequence.wrapping_add(1);
        self.close_if_full(n);
        Ok(true)
    }

    /// Copies a command into the ring; `false` where there is no room for it now.
    pub fn push_command(&mut self, command: &Line) -> bool {
        let Some((at, n)) = self.take(BatchKind::Commands, 1) else {
            return false;
        };
        self.copy_in(at, &command.0);
        self.close_if_full(n);
        true
    }

    /// Takes `lines` lines for the next item of a batch of that kind, and one for the header of a new
    /// batch where none is open; gives the item's index and its number in the batch.
    #[inline]
    fn take(&mut self, kind: BatchKind, lines: u32) -> Option<(u32, usize)> {
        match &mut self.open {
            Some(batch) if batch.kind == kind => {
                let first = self.ring.take(lines)?;
                let n = batch.count as usize;
                batch.count += 1;
                batch.end = self.ring.pidx();
                Some((first, n))
            }
            _ => self.take_anew(kind, lines).map(|first| (first, 0)),
        }
    }

    /// The first item of a new batch.
    #[cold]
    fn take_anew(&mut self, kind: BatchKind, lines: u32) -> Option<u32> {
        self.close();
        let first = self.ring.take(lines + 1)?;
        self.open = Some(Batch { kind, first, end: self.ring.pidx(), sequence: self.sequence, count: 1 });
        self.open_lengths = [0; BATCH_ITEMS];
        Some(first.wrapping_add(1))
    }

    fn close_if_full(&mut self, n: usize) {
        if n + 1 == BATCH_ITEMS {
            self.close();
        }
    }

    /// Writes the header of the open batch, if there is one.
    #[cold]
    pub fn close(&mut self) {
        if let Some(batch) = self.open.take() {
            let mut header = BatchHeader::new(batch.kind, batch.count as usize, batch.sequence);
            header.lengths = self.open_lengths;
            self.copy_in(batch.first, bytemuck::bytes_of(&header));
            self.batches.push_back(batch);
        }
    }

    /// Copies bytes into the lines from `index` on, going round, and zeroes the rest of the last
    /// line, so that no bytes of an older packet go to the card.
    #[inline]
    fn copy_in(&self, index: u32, bytes: &[u8]) {
        let size = self.ring.size();
        let memory = self.region.memory();
        let start = size.place(index) * LINE_BYTES;
        let until_wrap = size.entries() as usize * LINE_BYTES - start;
        if bytes.is_empty() {
            // Its one line.
            memory.zero(start, LINE_BYTES);
        } else if bytes.len() <= until_wrap {
            memory.write_padded(start, bytes, LINE_BYTES);
        } else {
            let (head, tail) = bytes.split_at(until_wrap);
            memory.write_padded(start, head, LINE_BYTES);
            memory.write_padded(0, tail, LINE_BYTES);
        }
    }

    /// Closes the open batch and gives the producer index to announce, or `None` where it was
    /// announced already.
    pub fn announce(&mut self) -> Option<u32> {
        self.close();
        let pidx = self.ring.pidx();
        if pidx == self.announced {
            return None;
        }
        self.announced = pidx;
        self.announced_sequence = self.sequence;
        Some(pidx)
    }

    /// Notes how far the card has taken lines; `status` is the last such value from the same source.
    ///
    /// # Errors
    /// Where the card claims to have gone back or further than it was told.
    pub fn note_taken(&mut self, is: u32, last: u32) -> Result<bool, IndexError> {
        between(is, last, self.announced)?;
        let is_ahead = is != self.taken && between(is, self.taken, self.announced).is_ok();
        if is_ahead {
            self.taken = is;
        }
        Ok(is_ahead)
    }

    /// Notes that the card has taken everything that was announced.
    pub fn all_taken(&mut self) {
        self.taken = self.announced;
    }

    /// Frees the lines of batches that are done: commands that were taken, packets that come before
    /// the sequence number `answered`.
    ///
    /// # Errors
    /// None in a consistent ring; the error names the index that would go back.
    pub fn free(&mut self, answered: u32) -> Result<(), IndexError> {
        while let Some(batch) = self.batches.front() {
            // Both distances are signed in effect: nothing in flight is further than the ring's size.
            let is_done = match batch.kind {
                BatchKind::Packets => answered.wrapping_sub(batch.sequence) >= batch.count,
                BatchKind::Commands => (self.taken.wrapping_sub(batch.end) as i32) >= 0,
            };
            if !is_done {
                return Ok(());
            }
            self.ring.free_to(batch.end)?;
            self.batches.pop_front();
        }
        Ok(())
    }

    /// Takes the packets from the sequence number `answered` on out of the ring, in order. What is left is a
    /// ring for [`Self::restart`].
    pub fn take_unanswered(&mut self, answered: u32) -> Vec<Vec<u8>> {
        let packets = self.unanswered(answered);
        self.batches.clear();
        packets
    }

    /// Copies of the packets from the sequence number `answered` on, in order.
    fn unanswered(&mut self, answered: u32) -> Vec<Vec<u8>> {
        self.close();
        let mut packets = Vec::new();
        for batch in self.batches.iter().filter(|batch| batch.kind == BatchKind::Packets) {
            let mut index = batch.first.wrapping_add(1);
            for n in 0..batch.count {
                let sequence = batch.sequence.wrapping_add(n);
                let length = usize::from(self.length(sequence));
                if between(sequence, answered, self.sequence).is_ok() {
                    packets.push(self.copy_out(index, length));
                }
                index = index.wrapping_add(packet_lines(length) as u32);
            }
        }
        packets
    }

    fn copy_out(&self, index: u32, bytes: usize) -> Vec<u8> {
        let size = self.ring.size();
        let start = size.place(index) * LINE_BYTES;
        let until_wrap = size.entries() as usize * LINE_BYTES - start;
        let mut packet = vec![0; bytes];
        let (head, tail) = packet.split_at_mut(bytes.min(until_wrap));
        self.region.memory().read(start, head);
        self.region.memory().read(0, tail);
        packet
    }
}

#[cfg(test)]
mod tests;

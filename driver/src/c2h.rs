//! The consuming side of the C2H ring: records taken by phase, everything in them checked.
//!
//! [`C2hRing`] reads memory, [`Checker`] judges records. The checker knows what may come next: the verdict of
//! the next packet in flight, what that verdict announced (ids, patterns, presence bits), padding to the end
//! of a line, or the answer to a COMMIT. Whatever else the card writes is an error that carries the offending
//! value, and no verdict comes out of it.
//!
//! One thing is known only afterwards: a verdict that claims less than follows is contradicted by the next
//! record. It is taken back where that one is there already; where the verdict is the last record there is,
//! it is out by then.

mod error;

use std::collections::VecDeque;

use wiresift_abi::bits::LINE_BYTES;
use wiresift_abi::c2h::{
    self, HITS_MAX, HITS_PER_RECORD, HitRecord, IDS_BITS, IDS_LSB, IDS_MAX, IDS_PER_RECORD, IdRecord,
    LINE_RECORDS, NO_RULE, PRESENCE_BIT, PRESENCE_WORDS, PresenceRecord, RECORD_BYTES, RecordKind,
    StatusLine, VerdictRecord,
};
use wiresift_abi::entry;
use wiresift_abi::vector::Flags;

pub use error::RecordError;

use crate::ring::{Consumer, RingSize};
use crate::transport::DmaRegion;

/// What the card answered for one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Number of the packet, counted over all that were posted to the [`crate::Card`], from 0.
    pub packet: u64,
    /// Number of the first ACL rule that matches.
    pub acl: Option<u32>,
    /// Flags of the packet.
    pub flags: Flags,
    /// Bytes of the packet.
    pub length: u16,
    /// Version of the tables that decided it.
    pub version: u16,
    ids: [u32; IDS_MAX],
    ids_count: u8,
    hits: [u16; HITS_MAX],
    hits_count: u8,
    presence: [u32; PRESENCE_WORDS],
}

impl Verdict {
    /// Ids of the signature headers that match, in no order.
    pub fn ids(&self) -> &[u32] {
        &self.ids[..usize::from(self.ids_count)]
    }

    /// Numbers of the patterns that the card found in the packet, each once, in no order. They say nothing of a
    /// packet with [`Flags::OVERFLOW`].
    pub fn hits(&self) -> &[u16] {
        &self.hits[..usize::from(self.hits_count)]
    }

    /// Presence bits that are set, ascending: the patterns of one or two bytes that are in the packet, where
    /// it has signature headers or is deferred.
    pub fn presence(&self) -> impl Iterator<Item = u16> {
        c2h::present(self.presence)
    }

    /// All presence bits: bit `n % 32` of word `n / 32` is that of pattern `n`.
    pub fn presence_words(&self) -> [u32; PRESENCE_WORDS] {
        self.presence
    }
}

/// What a good record was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Padding, or the first part of a verdict.
    Nothing,
    /// A whole verdict. [`Verdict::packet`] is the sequence number.
    Verdict(Verdict),
    /// A COMMIT took effect; the version now in force.
    Committed(u16),
}

/// What the host posted, as far as records are judged by it.
pub trait Posted {
    /// Sequence number behind the last packet announced to the card.
    fn announced(&self) -> u32;
    /// Bytes of the packet with a sequence number that is in flight.
    fn length(&self, sequence: u32) -> u16;
}

const FLAGS_KNOWN: u16 = {
    let mut known = Flags::HOST_DECIDES;
    let mut n = 0;
    while n < Flags::NAMES.len() {
        known |= Flags::NAMES[n].0;
        n += 1;
    }
    known & !Flags::HOST_ONLY
};
/// Bits of `control` in use.
const fn control_known(kind: RecordKind) -> u16 {
    let bits = match kind {
        RecordKind::Verdict => PRESENCE_BIT + 1,
        // It has no count.
        RecordKind::Presence => IDS_LSB,
        RecordKind::Pad | RecordKind::Ids | RecordKind::Committed | RecordKind::Hits => IDS_LSB + IDS_BITS,
    };
    (1 << bits) - 1
}

/// A verdict of which something is still coming: so many ids and patterns, and presence bits.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Partial {
    verdict: Verdict,
    ids: usize,
    hits: usize,
    has_presence: bool,
}

impl Partial {
    /// The kind of record that has to come next, and what it is called; `None` where the verdict is whole.
    fn awaits(&self) -> Option<(RecordKind, &'static str)> {
        if self.ids > 0 {
            Some((RecordKind::Ids, "an id record"))
        } else if self.hits > 0 {
            Some((RecordKind::Hits, "a record of patterns"))
        } else {
            self.has_presence.then_some((RecordKind::Presence, "a record of presence bits"))
        }
    }
}

/// Judges records in the order of the ring.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Checker {
    /// Sequence number of the next packet to be answered.
    sequence: u32,
    version: u16,
    /// COMMITs under way: sequence number of the next packet, and the version asked for.
    commits: VecDeque<(u32, u16)>,
    /// A verdict of which something is still coming.
    partial: Option<Partial>,
    is_padding: bool,
}

impl Checker {
    /// Sequence number of the next packet to be answered.
    pub fn sequence(&self) -> u32 {
        self.sequence
    }

    /// Version of the tables in force for the next verdict.
    pub fn version(&self) -> u16 {
        self.version
    }

    /// Version of the tables behind everything that was posted.
    pub fn last_version(&self) -> u16 {
        self.commits.back().map_or(self.version, |commit| commit.1)
    }

    /// Notes a COMMIT of `version` that was put into the ring before the packet `sequence`.
    pub fn expect_commit(&mut self, sequence: u32, version: u16) {
        self.commits.push_back((sequence, version));
    }

    /// Whether a COMMIT is still to be answered.
    pub fn is_commit_under_way(&self) -> bool {
        !self.commits.is_empty()
    }

    /// Takes the last verdict back: what came behind it says that it was wrong.
    pub fn ask_again(&mut self) {
        self.sequence = self.sequence.wrapping_sub(1);
    }

    /// The verdict in a record that is nothing but one, with nothing behind it, and in which everything is as
    /// [`Self::take`] asks for it: what most records are, judged in few steps. Of any other record it says nothing.
    #[inline]
    pub fn take_plain(&mut self, index: u32, record: [u64; 2], posted: &impl Posted) -> Option<Verdict> {
        let VerdictRecord { sequence, acl, flags, length, version, control } =
            bytemuck::cast(record.map(u64::to_le));
        let is_alone = self.partial.is_none()
            && (!self.is_padding || (index as usize).is_multiple_of(LINE_RECORDS))
            && control & !1 == c2h::control(RecordKind::Verdict, 0, false);
        let is_next = sequence == self.sequence
            && sequence != posted.announced()
            && self.commits.front().is_none_or(|commit| commit.0 != sequence);
        if !is_alone
            || !is_next
            || length != posted.length(sequence)
            || version != self.version
            || flags & !FLAGS_KNOWN != 0
            || acl != NO_RULE && u128::from(acl) > entry::ID.max()
        {
            return None;
        }
        self.is_padding = false;
        self.sequence = sequence.wrapping_add(1);
        Some(Verdict {
            packet: sequence.into(),
            acl: (acl != NO_RULE).then_some(acl),
            flags: Flags(flags),
            length,
            version,
            ids: [0; IDS_MAX],
            ids_count: 0,
            hits: [0; HITS_MAX],
            hits_count: 0,
            presence: [0; PRESENCE_WORDS],
        })
    }

    /// Judges the record at `index`.
    ///
    /// # Errors
    /// See [`RecordError`]; nothing is taken from a wrong record.
    pub fn take(&mut self, index: u32, record: [u64; 2], posted: &impl Posted) -> Result<Event, RecordError> {
        let control = (record[1] >> 48) as u16;
        let kind = match c2h::kind(control) {
            Some(kind) if control & !control_known(kind) == 0 => kind,
            _ => return Err(RecordError::Control { index, control }),
        };
        if (index as usize).is_multiple_of(LINE_RECORDS) {
            self.is_padding = false;
        }
        if self.is_padding && kind != RecordKind::Pad {
            return Err(RecordError::Kind { index, is: kind, should: "padding to the end of the line" });
        }
        let is_part = matches!(kind, RecordKind::Ids | RecordKind::Hits | RecordKind::Presence);
        match self.partial.as_ref().and_then(Partial::awaits) {
            Some((awaited, should)) if awaited != kind => {
                return Err(RecordError::Kind { index, is: kind, should });
            }
            None if is_part => return Err(RecordError::Kind { index, is: kind, should: "a verdict" }),
            _ => {}
        }
        let words = record.map(u64::to_le);
        match kind {
            RecordKind::Pad => {
                self.is_padding = true;
                Ok(Event::Nothing)
            }
            RecordKind::Verdict => self.verdict(index, bytemuck::cast(words), posted),
            RecordKind::Ids => self.ids(index, bytemuck::cast(words)),
            RecordKind::Hits => self.hits(index, bytemuck::cast(words)),
            RecordKind::Presence => self.presence(index, bytemuck::cast(words)),
            RecordKind::Committed => self.committed(index, bytemuck::cast(words)),
        }
    }

    fn verdict(
        &mut self,
        index: u32,
        record: VerdictRecord,
        posted: &impl Posted,
    ) -> Result<Event, RecordError> {
        let (sequence, should) = (record.sequence, self.sequence);
        if sequence != should {
            return Err(RecordError::Sequence { index, is: sequence, should });
        }
        if sequence == posted.announced() {
            return Err(RecordError::NotAnnounced { index, sequence });
        }
        if self.commits.front().is_some_and(|commit| commit.0 == sequence) {
            let should = "the answer to a COMMIT";
            return Err(RecordError::Kind { index, is: RecordKind::Verdict, should });
        }
        let length = posted.length(sequence);
        if record.length != length {
            return Err(RecordError::Length { index, sequence, is: record.length, should: length });
        }
        if record.version != self.version {
            return Err(RecordError::Version { index, is: record.version, should: self.version });
        }
        if record.flags & !FLAGS_KNOWN != 0 {
            return Err(RecordError::Flags { index, is: record.flags });
        }
        let count = c2h::ids(record.control);
        if count > IDS_MAX {
            return Err(RecordError::IdCount { index, is: count, should: IDS_MAX });
        }
        let hits = c2h::hits(record.control);
        if hits > HITS_MAX {
            return Err(RecordError::IdCount { index, is: hits, should: HITS_MAX });
        }
        let acl = if record.acl == NO_RULE { None } else { Some(number(index, record.acl)?) };
        let verdict = Verdict {
            packet: sequence.into(),
            acl,
            flags: Flags(record.flags),
            length,
            version: record.version,
            ids: [0; IDS_MAX],
            ids_count: 0,
            hits: [0; HITS_MAX],
            hits_count: 0,
            presence: [0; PRESENCE_WORDS],
        };
        let has_presence = c2h::has_presence(record.control);
        Ok(self.partly(Partial { verdict, ids: count, hits, has_presence }))
    }

    fn ids(&mut self, index: u32, record: IdRecord) -> Result<Event, RecordError> {
        let Some(mut partial) = self.partial else {
            return Err(RecordError::Kind { index, is: RecordKind::Ids, should: "a verdict" });
        };
        self.part_of(index, record.sequence)?;
        let count = counted(index, record.control, partial.ids.min(IDS_PER_RECORD))?;
        if let Some(&is) = record.ids[count..].iter().find(|id| **id != 0) {
            return Err(RecordError::Number { index, is });
        }
        let verdict = &mut partial.verdict;
        for id in &record.ids[..count] {
            verdict.ids[usize::from(verdict.ids_count)] = number(index, *id)?;
            verdict.ids_count += 1;
        }
        partial.ids -= count;
        Ok(self.partly(partial))
    }

    fn hits(&mut self, index: u32, record: HitRecord) -> Result<Event, RecordError> {
        let Some(mut partial) = self.partial else {
            return Err(RecordError::Kind { index, is: RecordKind::Hits, should: "a verdict" });
        };
        self.part_of(index, record.sequence)?;
        let count = counted(index, record.control, partial.hits.min(HITS_PER_RECORD))?;
        if let Some(&is) = record.hits[count..].iter().find(|hit| **hit != 0) {
            return Err(RecordError::Number { index, is: is.into() });
        }
        let verdict = &mut partial.verdict;
        let at = usize::from(verdict.hits_count);
        verdict.hits[at..at + count].copy_from_slice(&record.hits[..count]);
        verdict.hits_count += count as u8;
        partial.hits -= count;
        Ok(self.partly(partial))
    }

    fn presence(&mut self, index: u32, record: PresenceRecord) -> Result<Event, RecordError> {
        let Some(mut partial) = self.partial else {
            return Err(RecordError::Kind { index, is: RecordKind::Presence, should: "a verdict" });
        };
        self.part_of(index, record.sequence)?;
        if record.words == [0; PRESENCE_WORDS] {
            return Err(RecordError::NoPresence { index });
        }
        partial.verdict.presence = record.words;
        partial.has_presence = false;
        Ok(self.partly(partial))
    }

    /// Whether a part of a verdict has the number of the packet at hand.
    fn part_of(&self, index: u32, is: u16) -> Result<(), RecordError> {
        let should = self.sequence & 0xffff;
        if u32::from(is) == should {
            return Ok(());
        }
        Err(RecordError::Sequence { index, is: is.into(), should })
    }

    /// A verdict is whole when nothing of it is missing.
    fn partly(&mut self, partial: Partial) -> Event {
        if partial.awaits().is_some() {
            self.partial = Some(partial);
            return Event::Nothing;
        }
        self.partial = None;
        self.sequence = self.sequence.wrapping_add(1);
        Event::Verdict(partial.verdict)
    }

    fn committed(&mut self, index: u32, record: VerdictRecord) -> Result<Event, RecordError> {
        let Some(&(sequence, version)) = self.commits.front() else {
            return Err(RecordError::Kind { index, is: RecordKind::Committed, should: "a verdict" });
        };
        if sequence != self.sequence {
            return Err(RecordError::Kind { index, is: RecordKind::Committed, should: "a verdict" });
        }
        if record.sequence != sequence {
            return Err(RecordError::Sequence { index, is: record.sequence, should: sequence });
        }
        if record.version != version {
            return Err(RecordError::Version { index, is: record.version, should: version });
        }
        if record.acl != NO_RULE || record.flags != 0 || record.length != 0 || c2h::ids(record.control) != 0 {
            return Err(RecordError::Committed { index, record });
        }
        self.commits.pop_front();
        self.version = version;
        Ok(Event::Committed(version))
    }
}

/// Number of ids or patterns that a record says it has, which has to be `should`.
fn counted(index: u32, control: u16, should: usize) -> Result<usize, RecordError> {
    let is = c2h::ids(control);
    if is == should { Ok(is) } else { Err(RecordError::IdCount { index, is, should }) }
}

/// Checks that a rule number or id has no more bits than one has.
fn number(index: u32, is: u32) -> Result<u32, RecordError> {
    if u128::from(is) <= entry::ID.max() { Ok(is) } else { Err(RecordError::Number { index, is }) }
}

/// The consuming side of the C2H ring, and the status line.
#[derive(Debug)]
pub struct C2hRing {
    region: DmaRegion,
    status: DmaRegion,
    consumer: Consumer,
    size: RingSize,
    /// [`StatusLine::writes`] of the status line read last.
    status_writes: u32,
}

impl C2hRing {
    /// An empty ring in a region of at least `1 << records_log2` records, and a line for the status.
    pub fn new(region: DmaRegion, status: DmaRegion, records_log2: u32) -> Self {
        let size = RingSize::new(records_log2);
        assert!(region.memory().bytes() >= size.entries() as usize * RECORD_BYTES);
        Self { region, status, consumer: Consumer::new(size), size, status_writes: 0 }
    }

    /// The memory of the records.
    pub fn region(&self) -> &DmaRegion {
        &self.region
    }

    /// The memory of the status line.
    pub fn status_region(&self) -> &DmaRegion {
        &self.status
    }

    /// Keeps the memory for ever ([`DmaRegion::leak`]).
    pub fn leak(&mut self) {
        self.region.leak();
        self.status.leak();
    }

    /// Empties the ring and the status line, as the card expects them at CONTROL.ENABLE.
    pub fn restart(&mut self) {
        self.region.memory().zero(0, self.size.entries() as usize * RECORD_BYTES);
        self.status.memory().zero(0, LINE_BYTES);
        self.consumer = Consumer::new(self.size);
        self.status_writes = 0;
    }

    /// Index of the next record to take.
    pub fn cidx(&self) -> u32 {
        self.consumer.cidx()
    }

    /// The next record, if the card has written it.
    #[inline]
    pub fn peek(&self) -> Option<[u64; 2]> {
        let record = self.region.memory().load_record(self.consumer.place() * RECORD_BYTES);
        self.consumer.is_new(c2h::phase((record[1] >> 48) as u16)).then_some(record)
    }

    /// Takes the next record.
    pub fn advance(&mut self) {
        self.consumer.advance();
    }

    /// The consumer index to write to C2H_CIDX, if enough was taken since the last time.
    pub fn credit(&mut self) -> Option<u32> {
        self.consumer.credit(LINE_RECORDS as u32)
    }

    /// The consumer index that was given back last.
    pub fn credit_returned(&self) -> u32 {
        self.consumer.returned()
    }

    /// The status line, if the card wrote a new one and it was not seen half-written.
    pub fn status(&mut self) -> Option<StatusLine> {
        let memory = self.status.memory();
        let read = || {
            let mut bytes = [0; LINE_BYTES];
            memory.read(0, &mut bytes);
            bytemuck::cast::<_, StatusLine>(bytes)
        };
        let (line, again) = (read(), read());
        // A written line never has 0 there, so a line that the card has not written yet is none.
        if [0, self.status_writes].contains(&line.writes) || line != again {
            return None;
        }
        self.status_writes = line.writes;
        Some(line)
    }
}

#[cfg(test)]
mod tests;

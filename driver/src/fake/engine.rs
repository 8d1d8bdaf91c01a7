//! What the fake card does by itself: it takes lines, decides, and writes lines.

use rand::Rng;
use wiresift_abi::bits::{LINE_BYTES, Line};
use wiresift_abi::c2h::{
    self, HitRecord, IdRecord, LINE_RECORDS, NO_RULE, PRESENCE_BIT, PRESENCE_WORDS, PresenceRecord,
    RECORD_BYTES, RecordKind, StatusLine, VerdictRecord,
};
use wiresift_abi::command::{Command, Opcode};
use wiresift_abi::csr::{self, CONTROL_ENABLE, Counter, Csr, ErrorCode};
use wiresift_abi::h2c::{BatchHeader, BatchKind, PACKET_BYTES_MAX, packet_lines};
use wiresift_abi::vector::Flags;

use super::{FakeCard, Fault, Pipeline, answer_by, hits_by, lock, presence_by};
use crate::transport::Direction;

/// Faults of a troubled card that wait for their moment at most.
const FAULTS_WAITING: usize = 40;

impl FakeCard {
    pub(super) fn halt(&mut self, error: ErrorCode, detail: u32) {
        if self.reg(Csr::Error) == 0 {
            self.set(Csr::Error, error as u32);
            self.set(Csr::ErrorDetail, detail);
            self.discard();
            self.pipeline.is_status_due = true;
        }
    }

    /// Packets under way are discarded and counted.
    pub(super) fn discard(&mut self) {
        let counted = |c: &Self, n| c.counters[n as usize];
        let under_way = counted(self, Counter::PacketsIn)
            - counted(self, Counter::Verdicts)
            - counted(self, Counter::PacketsDiscarded);
        self.count(Counter::PacketsDiscarded, under_way);
        self.pipeline.results.clear();
        self.pipeline.items.clear();
    }

    pub(super) fn control(&mut self, value: u32) {
        let was = self.reg(Csr::Control) & CONTROL_ENABLE != 0;
        self.set(Csr::Control, value);
        lock(&self.mappings).is_enabled = value & CONTROL_ENABLE != 0 || self.is_hung;
        match (was, value & CONTROL_ENABLE != 0) {
            (false, true) => {
                self.pipeline = Pipeline::default();
                for csr in [Csr::Error, Csr::ErrorDetail, Csr::H2cPidx, Csr::C2hCidx] {
                    self.set(csr, 0);
                }
            }
            (true, false) => self.discard(),
            _ => {}
        }
    }

    /// What happens in one moment.
    pub(super) fn step(&mut self) {
        if self.is_hung || self.gone_ns.is_some() {
            return;
        }
        for _ in 0..self.rng.random_range(0..40) {
            let is_done = self.pipeline.cidx == self.reg(Csr::H2cPidx);
            if !self.is_running() || is_done || self.is_hung || self.gone_ns.is_some() {
                break;
            }
            self.fetch();
        }
        if self.now_ns < self.late_until_ns {
            return;
        }
        while self.is_running() && !self.pipeline.results.is_empty() && self.rng.random_ratio(7, 8) {
            if !self.write_line() {
                break;
            }
        }
        if self.reg(Csr::Control) & CONTROL_ENABLE != 0
            && self.pipeline.is_status_due
            && self.rng.random_ratio(1, 4)
        {
            self.write_status();
        }
    }

    fn fetch(&mut self) {
        let lines = 1u32 << self.reg(Csr::H2cLinesLog2);
        let place = u64::from(self.pipeline.cidx & (lines - 1));
        let iova = self.iova(Csr::H2cBaseLo, Csr::H2cBaseHi) + place * LINE_BYTES as u64;
        let Some((memory, offset)) = self.translate(iova, LINE_BYTES, Direction::H2c) else {
            self.count(Counter::ReadErrors, 1);
            return self.halt(ErrorCode::ReadResponse, iova as u32);
        };
        let mut line = Line::default();
        memory.read(offset, &mut line.0);
        self.pipeline.cidx = self.pipeline.cidx.wrapping_add(1);
        self.pipeline.is_status_due = true;
        self.count(Counter::H2cLines, 1);
        match self.pipeline.kind.filter(|_| !self.pipeline.items.is_empty()) {
            None => self.header(bytemuck::cast(line.0)),
            Some(BatchKind::Commands) => self.command(&line),
            Some(BatchKind::Packets) => self.packet_line(&line),
        }
    }

    fn header(&mut self, header: BatchHeader) {
        let (count, kind) = (header.count(), header.kind());
        let Some(kind) = kind.filter(|_| count > 0) else {
            return self.halt(ErrorCode::BadBatch, header.control.into());
        };
        if header.sequence() != self.pipeline.sequence as u8 {
            return self.halt(ErrorCode::BadSequence, header.control.into());
        }
        self.count(Counter::Batches, 1);
        self.pipeline.kind = Some(kind);
        self.pipeline.items = header.lengths[..count].iter().copied().collect();
    }

    fn command(&mut self, line: &Line) {
        self.pipeline.items.pop_front();
        let Ok(command) = Command::from_line(line, self.geometry) else {
            return self.halt(ErrorCode::BadCommand, 0);
        };
        let at = self.commands;
        self.commands += 1;
        if let Some(Fault::HaltAtCommand { error, .. }) =
            self.fires(|f| matches!(f, Fault::HaltAtCommand { at: n, .. } if *n == at))
        {
            return self.halt(error, 0x4321);
        }
        if self.fires(|f| matches!(f, Fault::HangAtCommand { at: n } if *n == at)).is_some() {
            self.is_hung = true;
            return;
        }
        self.count(Counter::Commands, 1);
        self.run(&command);
        if command.opcode == Opcode::Commit {
            self.version = command.index;
            let record = VerdictRecord {
                sequence: self.pipeline.sequence,
                acl: NO_RULE,
                version: self.version,
                control: c2h::control(RecordKind::Committed, 0, false),
                ..Default::default()
            };
            self.pipeline.results.push_back(vec![bytemuck::cast(record)]);
        }
    }

    pub(super) fn run(&mut self, command: &Command) {
        self.slots.run(command);
        self.hash = None;
    }

    /// What the tables add to the answers.
    fn tables(&mut self) -> u64 {
        if self.is_by_tables { *self.hash.get_or_insert_with(|| self.slots.hash()) } else { 0 }
    }

    fn packet_line(&mut self, line: &Line) {
        let length = usize::from(self.pipeline.items[0]);
        if length > PACKET_BYTES_MAX {
            return self.halt(ErrorCode::BadLength, length as u32);
        }
        self.pipeline.packet.extend_from_slice(&line.0);
        if self.pipeline.packet.len() / LINE_BYTES < packet_lines(length) {
            return;
        }
        let at = self.packets;
        self.packets += 1;
        self.count(Counter::PacketsIn, 1);
        self.count(Counter::PacketBytes, length as u64);
        if self.trouble.is_some_and(|one_in| self.rng.random_ratio(1, one_in)) {
            // Some faults wait long for their moment; the one that waits longest makes room.
            if self.faults.len() >= FAULTS_WAITING {
                self.faults.remove(0);
            }
            self.add_any();
        }
        if let Some(Fault::Halt { error, .. }) =
            self.fires(|f| matches!(f, Fault::Halt { at: n, .. } if *n == at))
        {
            return self.halt(error, 0x1234);
        }
        if self.faults.iter().any(|f| matches!(f, Fault::Hang { at: n, forever: true } if at >= *n))
            || self.fires(|f| matches!(f, Fault::Hang { at: n, .. } if at == *n)).is_some()
        {
            self.is_hung = true;
            return;
        }
        if self.fires(|f| matches!(f, Fault::Unplug { at: n } if *n == at)).is_some() {
            self.gone_ns = Some(self.now_ns);
            lock(&self.mappings).is_enabled = false;
            return;
        }
        if self.fires(|f| matches!(f, Fault::Reset { at: n } if *n == at)).is_some() {
            return self.reset();
        }
        if let Some(Fault::Late { ns, .. }) =
            self.fires(|f| matches!(f, Fault::Late { at: n, .. } if *n == at))
        {
            self.late_until_ns = self.now_ns + ns;
        }
        let mut packet = std::mem::take(&mut self.pipeline.packet);
        packet.truncate(length);
        self.pipeline.items.pop_front();
        let tables = self.tables();
        let answer = answer_by(&packet, tables);
        let (hits, presence) = if self.is_without_patterns {
            Default::default()
        } else {
            (hits_by(&packet, tables), presence_by(&packet, tables))
        };
        let records = records_of(&packet, answer, &hits, presence, self.pipeline.sequence, self.version);
        self.pipeline.results.push_back(records);
        self.pipeline.sequence = self.pipeline.sequence.wrapping_add(1);
    }

    /// Writes a line of records, padded where nothing more is at hand; `false` without credit.
    fn write_line(&mut self) -> bool {
        let log2 = self.reg(Csr::C2hRecordsLog2);
        let pidx = self.pipeline.pidx;
        if pidx.wrapping_sub(self.reg(Csr::C2hCidx)) as usize + LINE_RECORDS > 1 << log2 {
            self.count(Counter::CreditCycles, 1);
            return false;
        }
        let mut line = Vec::new();
        while let Some(group) = self.pipeline.results.front_mut() {
            while line.len() < LINE_RECORDS && !group.is_empty() {
                line.push(group.remove(0));
            }
            if !group.is_empty() {
                break;
            }
            self.pipeline.results.pop_front();
        }
        let line: Vec<_> = line.into_iter().filter_map(|record| self.spoil(record)).collect();
        let base = self.iova(Csr::C2hBaseLo, Csr::C2hBaseHi);
        let is_lost = self.fires_line();
        for n in 0..LINE_RECORDS as u32 {
            let index = pidx.wrapping_add(n);
            let phase = u64::from(c2h::phase_at(index, log2));
            let record = line.get(n as usize).copied().unwrap_or_default();
            let iova = base + u64::from(index & ((1 << log2) - 1)) * RECORD_BYTES as u64;
            let Some((memory, offset)) = self.translate(iova, RECORD_BYTES, Direction::C2h) else {
                self.halt(ErrorCode::RecordWriteResponse, iova as u32);
                return false;
            };
            if !is_lost {
                memory.store_record(offset, [record[0], record[1] ^ phase << 48]);
            }
        }
        self.pipeline.pidx = pidx.wrapping_add(LINE_RECORDS as u32);
        self.pipeline.is_status_due = true;
        self.count(Counter::C2hLines, 1);
        true
    }

    fn fires_line(&mut self) -> bool {
        let at = self.lines;
        self.lines += 1;
        self.fires(|f| matches!(f, Fault::LoseLine { at: n } if *n == at)).is_some()
    }

    /// Counts a record on its way out, and spoils it where a fault says so.
    fn spoil(&mut self, record: [u64; 2]) -> Option<[u64; 2]> {
        let at = self.records;
        self.records += 1;
        if c2h::kind((record[1] >> 48) as u16) == Some(RecordKind::Verdict) {
            self.count(Counter::Verdicts, 1);
        }
        if self.fires(|f| matches!(f, Fault::Drop { at: n } if *n == at)).is_some() {
            return None;
        }
        match self.fires(|f| matches!(f, Fault::Damage { at: n, .. } if *n == at)) {
            Some(Fault::Damage { mask, .. }) => {
                Some([record[0] ^ mask as u64, record[1] ^ (mask >> 64) as u64])
            }
            _ => Some(record),
        }
    }

    fn write_status(&mut self) {
        self.pipeline.is_status_due = false;
        self.pipeline.status_writes += 1;
        let at = self.statuses;
        self.statuses += 1;
        if self.faults.iter().any(|f| matches!(f, Fault::LoseStatus { at: n } if at >= *n)) {
            return;
        }
        let mut words = [0u32; LINE_BYTES / 4];
        words.copy_from_slice(bytemuck::cast_slice(&[StatusLine {
            h2c_cidx: self.pipeline.cidx,
            c2h_pidx: self.pipeline.pidx,
            status: self.status(),
            error: self.reg(Csr::Error),
            packets_in: self.counters[Counter::PacketsIn as usize] as u32,
            writes: self.pipeline.status_writes,
            reserved: [0; 10],
        }]));
        if let Some(Fault::WildStatus { word, value, .. }) =
            self.fires(|f| matches!(f, Fault::WildStatus { at: n, .. } if *n == at))
        {
            words[word] = value;
        }
        let iova = self.iova(Csr::StatusBaseLo, Csr::StatusBaseHi);
        match self.translate(iova, LINE_BYTES, Direction::C2h) {
            Some((memory, offset)) => memory.write(offset, bytemuck::cast_slice(&words)),
            None => self.halt(ErrorCode::StatusWriteResponse, iova as u32),
        }
        if self.reg(Csr::IrqControl) & csr::IRQ_ARM != 0 {
            self.set(Csr::IrqControl, 0);
            let at = self.interrupts;
            self.interrupts += 1;
            self.is_irq |= self.fires(|f| matches!(f, Fault::LoseInterrupt { at: n } if *n == at)).is_none();
        }
    }
}

/// The records of a packet, phase zero.
fn records_of(
    packet: &[u8],
    (acl, flags, ids): (Option<u32>, Flags, Vec<u32>),
    hits: &[u16],
    presence: [u32; PRESENCE_WORDS],
    sequence: u32,
    version: u16,
) -> Vec<[u64; 2]> {
    let has_presence = presence.iter().any(|word| *word != 0);
    let verdict = VerdictRecord {
        sequence,
        acl: acl.unwrap_or(NO_RULE),
        flags: flags.0,
        length: packet.len() as u16,
        version,
        control: c2h::verdict_control(ids.len(), hits.len(), false) | u16::from(has_presence) << PRESENCE_BIT,
    };
    let mut records = vec![bytemuck::cast(verdict)];
    for some in ids.chunks(c2h::IDS_PER_RECORD) {
        let control = c2h::control(RecordKind::Ids, some.len(), false);
        let mut record = IdRecord { sequence: sequence as u16, control, ..IdRecord::default() };
        record.ids[..some.len()].copy_from_slice(some);
        records.push(bytemuck::cast(record));
    }
    for some in hits.chunks(c2h::HITS_PER_RECORD) {
        let control = c2h::control(RecordKind::Hits, some.len(), false);
        let mut record = HitRecord { sequence: sequence as u16, control, ..HitRecord::default() };
        record.hits[..some.len()].copy_from_slice(some);
        records.push(bytemuck::cast(record));
    }
    if has_presence {
        let control = c2h::control(RecordKind::Presence, 0, false);
        let record = PresenceRecord { words: presence, sequence: sequence as u16, control };
        records.push(bytemuck::cast(record));
    }
    records
}

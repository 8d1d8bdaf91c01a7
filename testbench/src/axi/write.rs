//! The write channels: AW, W and B.

use std::collections::VecDeque;

use rand::Rng;

use super::rules::{Request, Violation, is_one_piece};
use super::{AxiSlave, DECERR, OKAY, SLVERR, Stall};
use crate::faults::FaultKind;
use crate::ports::{Beat, Inputs, Outputs};

/// Beats of data that are taken before the address of their burst came (A5.3.1 lets them come first).
const EARLY_BEATS: usize = 16;

/// A beat of data.
#[derive(Clone, Copy, Debug)]
struct Data {
    data: Beat,
    strobe: u64,
    last: u8,
}

/// A burst that was asked for.
#[derive(Debug)]
struct Write {
    address: u64,
    beats: u32,
    data: Vec<Data>,
    /// Beats that are visible in memory.
    applied: usize,
    /// Cycle from which on memory shows it, and cycle of the answer; set when the last beat came.
    apply_at: u64,
    answer_at: u64,
    response: u8,
    fault: Option<FaultKind>,
    /// Number of the burst in memory that is far away.
    number: Option<u64>,
}

/// The state of the write channels.
#[derive(Debug, Default)]
pub(super) struct Writes {
    /// Bursts whose data is still coming.
    open: VecDeque<Write>,
    /// Bursts that are whole and not answered, oldest first.
    whole: VecDeque<Write>,
    /// Bursts that are whole and wholly visible, of `whole`.
    visible: usize,
    /// Data whose address has not come.
    early: VecDeque<Data>,
    answer: Option<u8>,
    ask: Stall,
    data: Stall,
    give: Stall,
}

impl Writes {
    /// Whether a burst was asked for whose data has not come.
    pub(super) fn is_owing(&self) -> bool {
        !self.open.is_empty()
    }

    /// Whether a burst was asked for that was not answered.
    pub(super) fn is_busy(&self) -> bool {
        !self.open.is_empty() || !self.whole.is_empty() || self.answer.is_some()
    }
}

impl Write {
    /// The bytes of the burst, as far as they are to be written.
    fn bytes(&self, beat_bytes: usize) -> Vec<Option<u8>> {
        let of = |beat: &Data| {
            let (data, strobe) = (beat.data, beat.strobe);
            let byte = move |n: usize| (strobe >> n & 1 == 1).then(|| data[n / 8].to_le_bytes()[n % 8]);
            (0..beat_bytes).map(byte).collect::<Vec<_>>()
        };
        self.data.iter().flat_map(of).collect()
    }
}

impl AxiSlave {
    pub(super) fn drive_writes(&mut self, inputs: &mut Inputs) {
        let percent = self.timing.stall_percent;
        let writes = &mut self.writes;
        inputs.m_axi_awready = u8::from(!writes.ask.is_now(percent, &mut self.rng));
        let has_room = writes.early.len() < EARLY_BEATS;
        inputs.m_axi_wready = u8::from(has_room && !writes.data.is_now(percent, &mut self.rng));
        if writes.answer.is_none() && !writes.give.is_now(percent, &mut self.rng) {
            let is_due = writes.visible > 0 && writes.whole[0].answer_at <= self.cycle;
            if is_due {
                writes.visible -= 1;
                writes.answer = writes.whole.pop_front().map(|write| write.response);
            }
        }
        inputs.m_axi_bvalid = u8::from(writes.answer.is_some());
        inputs.m_axi_bid = 0;
        inputs.m_axi_bresp = writes.answer.unwrap_or(DECERR);
    }

    pub(super) fn observe_writes(&mut self, inputs: &Inputs, outputs: &Outputs) {
        if inputs.m_axi_bvalid != 0 && outputs.m_axi_bready != 0 {
            self.writes.answer = None;
        }
        if inputs.reset != 0 {
            return;
        }
        if outputs.m_axi_awvalid != 0 && inputs.m_axi_awready != 0 {
            self.ask_write(Request {
                channel: "AW",
                id: outputs.m_axi_awid,
                address: outputs.m_axi_awaddr,
                len: outputs.m_axi_awlen,
                size: outputs.m_axi_awsize,
                burst: outputs.m_axi_awburst,
            });
        }
        if outputs.m_axi_wvalid != 0 && inputs.m_axi_wready != 0 {
            self.traffic.beats_written += 1;
            let (data, strobe) = (outputs.m_axi_wdata, outputs.m_axi_wstrb);
            if !is_one_piece(strobe) {
                self.findings.violation(self.cycle, Violation::Strobe { strobe });
            }
            self.writes.early.push_back(Data { data, strobe, last: outputs.m_axi_wlast });
        }
        self.match_data();
    }

    fn ask_write(&mut self, request: Request) {
        self.check_request(&request);
        self.traffic.writes += 1;
        let address = request.address;
        let fault = self.faults.next(true, self.memory.region_at(address), &mut self.rng);
        self.writes.open.push_back(Write {
            address,
            beats: request.beats(),
            data: Vec::new(),
            applied: 0,
            apply_at: 0,
            answer_at: 0,
            response: OKAY,
            fault,
            number: None,
        });
        let count =
            self.writes.open.len() + self.writes.whole.len() + usize::from(self.writes.answer.is_some());
        if count > self.timing.writes_in_flight {
            self.findings.violation(self.cycle, Violation::InFlight { channel: "AW", count });
        }
    }

    /// Gives data that came to the oldest burst that waits for some.
    fn match_data(&mut self) {
        while let Some(write) = self.writes.open.front_mut()
            && let Some(data) = self.writes.early.pop_front()
        {
            let (beat, beats) = (write.data.len(), write.beats);
            write.data.push(data);
            let is_last = beat + 1 == beats as usize;
            if (data.last != 0) != is_last {
                let violation = Violation::Last { last: data.last, beat, beats };
                self.findings.violation(self.cycle, violation);
            }
            if is_last && let Some(write) = self.writes.open.pop_front() {
                self.schedule(write);
            }
        }
    }

    /// Memory shows a burst at some moment between its last beat and its answer.
    fn schedule(&mut self, mut write: Write) {
        let delay = self.delay();
        write.apply_at = self.cycle + self.rng.random_range(0..=delay);
        write.answer_at = self.cycle + delay;
        match write.fault {
            Some(FaultKind::Late(cycles)) => write.answer_at += u64::from(cycles),
            Some(FaultKind::Lost) => write.answer_at = u64::MAX,
            Some(FaultKind::Error) => write.response = SLVERR,
            _ => {}
        }
        self.writes.whole.push_back(write);
    }

    /// Makes the next beat visible that is due, in order; says whether that ended a burst.
    pub(super) fn apply_writes(&mut self) -> bool {
        let Some(write) = self.writes.whole.get_mut(self.writes.visible) else { return false };
        if write.apply_at > self.cycle {
            return false;
        }
        let is_fake = matches!(write.fault, Some(FaultKind::Error | FaultKind::Swallow));
        if write.applied == 0 && write.number.is_none() && !is_fake {
            write.number = self.memory.begin_write(write.address, &write.bytes(self.beat_bytes));
        }
        if let Some(number) = write.number {
            let Some(answer) = self.memory.poll(number) else { return false };
            if let Err(refused) = answer {
                write.response = DECERR;
                self.findings.refused(self.cycle, refused);
            }
            // Its answer may be due already; it comes behind the memory's.
            write.answer_at = write.answer_at.max(self.cycle);
            write.applied = write.data.len();
            self.writes.visible += 1;
            return true;
        }
        let data = write.data[write.applied];
        let address = write.address.wrapping_add((write.applied * self.beat_bytes) as u64);
        write.applied += 1;
        let is_whole = write.applied == write.data.len();
        if !is_fake {
            let words = &data.data[..self.beat_bytes / 8];
            if let Err(refused) = self.memory.write(address, words, data.strobe) {
                write.response = DECERR;
                self.findings.refused(self.cycle, refused);
            }
        }
        self.writes.visible += usize::from(is_whole);
        is_whole
    }
}

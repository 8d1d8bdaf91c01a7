//! The read channels: AR and R.

use std::collections::VecDeque;

use rand::Rng;

use super::rules::{Request, Violation};
use super::{AxiSlave, DECERR, OKAY, SLVERR, Stall};
use crate::faults::FaultKind;
use crate::ports::{Beat, Inputs, Outputs};

/// A burst that was asked for.
#[derive(Debug)]
struct Read {
    address: u64,
    beats: u32,
    /// Beats put on the bus.
    done: u32,
    /// Cycle of the first beat.
    ready_at: u64,
    is_error: bool,
    /// What memory held when the burst was asked for; where `None`, each beat is read when it goes out.
    /// Real memory is read at some moment between the two.
    early: Option<Vec<(Beat, u8)>>,
    /// Number of the burst in memory that is far away, while `early` is still to come from there.
    number: Option<u64>,
}

/// A beat on the R channel.
#[derive(Clone, Copy, Debug)]
struct Answer {
    data: Beat,
    response: u8,
    is_last: bool,
}

/// The state of the read channels.
#[derive(Debug, Default)]
pub(super) struct Reads {
    queue: VecDeque<Read>,
    answer: Option<Answer>,
    is_ready: bool,
    ask: Stall,
    give: Stall,
}

impl Reads {
    pub(super) fn is_busy(&self) -> bool {
        !self.queue.is_empty() || self.answer.is_some()
    }
}

impl AxiSlave {
    pub(super) fn drive_reads(&mut self, inputs: &mut Inputs) {
        let percent = self.timing.stall_percent;
        self.reads.is_ready = !self.reads.ask.is_now(percent, &mut self.rng);
        if self.reads.answer.is_none() && !self.reads.give.is_now(percent, &mut self.rng) {
            self.reads.answer = self.next_beat();
        }
        inputs.m_axi_arready = u8::from(self.reads.is_ready);
        inputs.m_axi_rvalid = u8::from(self.reads.answer.is_some());
        inputs.m_axi_rid = 0;
        // While RVALID is low the other signals carry anything (A3.2.2): ones, to be seen where they are used.
        let answer =
            self.reads.answer.unwrap_or(Answer { data: [u64::MAX; 8], response: SLVERR, is_last: true });
        inputs.m_axi_rdata = answer.data;
        inputs.m_axi_rresp = answer.response;
        inputs.m_axi_rlast = u8::from(answer.is_last);
    }

    /// The next beat of the oldest burst, if its time has come.
    fn next_beat(&mut self) -> Option<Answer> {
        let read = self.reads.queue.front_mut().filter(|read| read.ready_at <= self.cycle)?;
        if let Some(number) = read.number {
            let answer = self.memory.poll(number)?;
            read.number = None;
            read.early = Some(match answer {
                Ok(bytes) => beats_of(&bytes, self.beat_bytes),
                Err(refused) => {
                    self.findings.refused(self.cycle, refused);
                    vec![(Beat::default(), DECERR); read.beats as usize]
                }
            });
        }
        let (address, n) = (read.address + u64::from(read.done) * self.beat_bytes as u64, read.done as usize);
        let (is_last, is_error) = (read.done + 1 == read.beats, read.is_error);
        let (data, response) = match &read.early {
            Some(beats) => beats[n],
            None => self.fetch(address),
        };
        if is_last {
            self.reads.queue.pop_front();
        } else if let Some(read) = self.reads.queue.front_mut() {
            read.done += 1;
        }
        let response = if is_error { SLVERR } else { response };
        Some(Answer { data, response, is_last })
    }

    fn fetch(&mut self, address: u64) -> (Beat, u8) {
        let mut data = Beat::default();
        match self.memory.read(address, &mut data[..self.beat_bytes / 8]) {
            Ok(()) => (data, OKAY),
            Err(refused) => {
                self.findings.refused(self.cycle, refused);
                (Beat::default(), DECERR)
            }
        }
    }

    pub(super) fn observe_reads(&mut self, inputs: &Inputs, outputs: &Outputs) {
        if inputs.m_axi_rvalid != 0 && outputs.m_axi_rready != 0 {
            self.reads.answer = None;
            self.traffic.beats_read += 1;
        }
        if outputs.m_axi_arvalid != 0 && inputs.m_axi_arready != 0 && inputs.reset == 0 {
            self.ask(Request {
                channel: "AR",
                id: outputs.m_axi_arid,
                address: outputs.m_axi_araddr,
                len: outputs.m_axi_arlen,
                size: outputs.m_axi_arsize,
                burst: outputs.m_axi_arburst,
            });
        }
    }

    fn ask(&mut self, request: Request) {
        self.check_request(&request);
        self.traffic.reads += 1;
        let (address, beats) = (request.address, request.beats());
        let fault = self.faults.next(false, self.memory.region_at(address), &mut self.rng);
        let mut ready_at = self.cycle + self.delay();
        match fault {
            Some(FaultKind::Late(cycles)) => ready_at += u64::from(cycles),
            Some(FaultKind::Lost) => ready_at = u64::MAX,
            _ => {}
        }
        let number = self.memory.begin_read(address, beats as usize * self.beat_bytes);
        let early = (number.is_none() && self.rng.random::<bool>()).then(|| {
            let step = self.beat_bytes as u64;
            (0..u64::from(beats)).map(|n| self.fetch(address.wrapping_add(n * step))).collect()
        });
        let is_error = fault == Some(FaultKind::Error);
        self.reads.queue.push_back(Read { address, beats, done: 0, ready_at, is_error, early, number });
        let count =
            self.reads.queue.len() + usize::from(self.reads.answer.is_some_and(|answer| answer.is_last));
        if count > self.timing.reads_in_flight {
            self.findings.violation(self.cycle, Violation::InFlight { channel: "AR", count });
        }
    }
}

/// The beats of a burst.
fn beats_of(bytes: &[u8], beat_bytes: usize) -> Vec<(Beat, u8)> {
    let beat = |bytes: &[u8]| {
        let mut beat = Beat::default();
        for (word, bytes) in beat.iter_mut().zip(bytes.as_chunks::<8>().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        (beat, OKAY)
    };
    bytes.chunks(beat_bytes).map(beat).collect()
}

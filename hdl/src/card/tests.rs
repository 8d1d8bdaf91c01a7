//! The text of both cards is sound, and a small life of the card goes as told.

use std::collections::{BTreeMap, VecDeque};

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use wiresift_abi::bits::LINE_BYTES;
use wiresift_abi::c2h::{self, RECORD_BYTES, RecordKind, StatusLine, VerdictRecord};
use wiresift_abi::csr::{self, Csr as Name};
use wiresift_abi::h2c::{BatchHeader, BatchKind, packet_lines};
use wiresift_abi::vector::Flags;

use super::*;
use crate::emit::{EmitError, card_verilog, with_room};
use crate::gate::{Clocked, check_text, text_behaves_like};
use crate::ring::testing::{to_bits, to_bytes};

#[test]
fn both_cards_are_taken_by_every_tool() {
    for geometry in [&LAB, &LINE] {
        let text = card_verilog(geometry).unwrap();
        assert!(text.ends_with("endmodule\n\n") && text.contains("module top(clock,reset,s_axil_awaddr,"));
        check_text(geometry.name, &text);
    }
}

#[test]
fn the_text_is_the_same_every_time() {
    assert_eq!(card_verilog(&LAB).unwrap(), card_verilog(&LAB).unwrap());
}

#[test]
fn a_geometry_without_a_card_is_an_error() {
    let other = Geometry { name: "other", tcam_entries: 32, ..LAB };
    assert!(matches!(card_verilog(&other), Err(EmitError::Geometry("other"))));
}

impl Clocked for LabCard {
    fn clock(&mut self) -> &mut Signal<In, Clock> {
        &mut self.clock
    }
}

const H2C: u64 = 0x1_0000_0000;
const C2H: u64 = 0x2_0000_0000;
const STATUS: u64 = 0x3_0000_0000;
const BEAT: u64 = LAB.beat_bytes as u64;

/// A host that writes registers in turn and whose memory answers by chance, late and in order.
#[derive(Default)]
struct Host {
    memory: BTreeMap<u64, u8>,
    registers: VecDeque<(Name, u32)>,
    is_written: (bool, bool),
    beats: VecDeque<(u64, bool)>,
    addresses: VecDeque<u64>,
    beat: u64,
    answers: usize,
}

impl Host {
    /// One cycle: what the card shows now meets what the host sets now.
    fn cycle(&mut self, uut: &mut LabCard, rng: &mut ChaCha8Rng, cycle: usize) {
        uut.reset.next = cycle < 2;
        if cycle >= 4 {
            self.write_register(uut);
            self.read(uut, rng);
            self.write(uut, rng);
        }
    }

    fn write_register(&mut self, uut: &mut LabCard) {
        uut.s_axil_bready.next = true;
        // What was offered in the cycle before and taken.
        if uut.s_axil_bvalid.val() && self.is_written == (true, true) {
            self.registers.pop_front();
            self.is_written = (false, false);
        }
        let Some((name, value)) = self.registers.front() else {
            uut.s_axil_awvalid.next = false;
            uut.s_axil_wvalid.next = false;
            return;
        };
        uut.s_axil_awaddr.next = (*name as u32).to_bits();
        uut.s_axil_wdata.next = value.to_bits();
        uut.s_axil_wstrb.next = 15u32.to_bits();
        uut.s_axil_awvalid.next = !self.is_written.0;
        uut.s_axil_wvalid.next = !self.is_written.1;
        self.is_written.0 |= uut.s_axil_awready.val();
        self.is_written.1 |= uut.s_axil_wready.val();
    }

    fn read(&mut self, uut: &mut LabCard, rng: &mut ChaCha8Rng) {
        let is_ready = rng.random();
        uut.m_axi_arready.next = is_ready;
        uut.m_axi_rvalid.next = false;
        if !self.beats.is_empty() && rng.random_bool(0.8) {
            let (address, is_last) = self.beats[0];
            let bytes: Vec<u8> = (address..address + BEAT).map(|at| self.byte(at)).collect();
            uut.m_axi_rdata.next = to_bits(&bytes);
            uut.m_axi_rlast.next = is_last;
            uut.m_axi_rvalid.next = true;
            assert!(uut.m_axi_rready.val());
            self.beats.pop_front();
        }
        if uut.m_axi_arvalid.val() && is_ready {
            let (start, beats) = (uut.m_axi_araddr.val().to_u64(), uut.m_axi_arlen.val().to_u64() + 1);
            assert!(start >= H2C && start + beats * BEAT <= H2C + (64 << 6), "{start:#x}");
            self.beats.extend((0..beats).map(|beat| (start + beat * BEAT, beat + 1 == beats)));
        }
    }

    fn write(&mut self, uut: &mut LabCard, rng: &mut ChaCha8Rng) {
        let (takes_address, takes_data) = (rng.random(), rng.random());
        uut.m_axi_awready.next = takes_address;
        if uut.m_axi_awvalid.val() && takes_address {
            self.addresses.push_back(uut.m_axi_awaddr.val().to_u64());
        }
        // Data is taken only behind its address.
        let takes_data = takes_data && !self.addresses.is_empty();
        uut.m_axi_wready.next = takes_data;
        uut.m_axi_bvalid.next = self.answers > 0;
        self.answers = self.answers.saturating_sub(1);
        if uut.m_axi_wvalid.val() && takes_data {
            let at = self.addresses[0] + self.beat * BEAT;
            self.memory.extend((at..).zip(to_bytes(uut.m_axi_wdata.val())));
            self.beat += 1;
            if uut.m_axi_wlast.val() {
                self.addresses.pop_front();
                self.beat = 0;
                self.answers += 1;
            }
        }
    }

    fn byte(&self, at: u64) -> u8 {
        self.memory.get(&at).copied().unwrap_or(0)
    }

    fn at<T: bytemuck::Pod>(&self, at: u64) -> T {
        let bytes: Vec<u8> = (at..at + size_of::<T>() as u64).map(|at| self.byte(at)).collect();
        bytemuck::pod_read_unaligned(&bytes)
    }
}

/// A host with a batch of packets that are no IP, `lengths` bytes each, in a card that is just started.
fn host(lengths: &[u16]) -> Host {
    let mut host = Host::default();
    let mut header = BatchHeader::new(BatchKind::Packets, lengths.len(), 0);
    header.lengths[..lengths.len()].copy_from_slice(lengths);
    host.memory.extend((H2C..).zip(bytemuck::bytes_of(&header).iter().copied()));
    let lines = 1 + lengths.iter().map(|length| packet_lines(usize::from(*length))).sum::<usize>();
    host.registers = VecDeque::from([
        (Name::H2cBaseHi, (H2C >> 32) as u32),
        (Name::H2cLinesLog2, 6),
        (Name::C2hBaseHi, (C2H >> 32) as u32),
        (Name::C2hRecordsLog2, c2h::RECORDS_LOG2_MIN),
        (Name::StatusBaseHi, (STATUS >> 32) as u32),
        (Name::Control, csr::CONTROL_ENABLE),
        (Name::H2cPidx, lines as u32),
    ]);
    host
}

/// The card answers packets in both simulations, which agree in every cycle.
#[test]
fn packets_come_back_as_verdicts() {
    with_room(answers_packets).unwrap();
}

fn answers_packets() {
    let lengths = [60u16, 0, 64, 65, 200, 1, 128, 129];
    let mut host = host(&lengths);
    let text = card_verilog(&LAB).unwrap();
    text_behaves_like("card", &text, LabCard::lab, 600, 1, |uut, rng, cycle| host.cycle(uut, rng, cycle));
    let mut at = C2H;
    for (number, length) in lengths.iter().enumerate() {
        let mut record: VerdictRecord = host.at(at);
        while c2h::kind(record.control) == Some(RecordKind::Pad) {
            at += RECORD_BYTES as u64;
            record = host.at(at);
            assert!(at < C2H + 64 * LINE_BYTES as u64, "no verdict {number}");
        }
        at += RECORD_BYTES as u64;
        let expected = VerdictRecord {
            sequence: number as u32,
            acl: c2h::NO_RULE,
            flags: Flags::NON_IP | if *length < 14 { Flags::TRUNCATED } else { 0 },
            length: *length,
            version: 0,
            control: c2h::control(RecordKind::Verdict, 0, true),
        };
        assert_eq!(record, expected);
    }
    let line: StatusLine = host.at(STATUS);
    assert_eq!((line.status, line.error, line.packets_in), (csr::STATUS_RUNNING, 0, lengths.len() as u32));
    assert_eq!(
        line.h2c_cidx,
        1 + lengths.iter().map(|length| packet_lines(usize::from(*length))).sum::<usize>() as u32
    );
}

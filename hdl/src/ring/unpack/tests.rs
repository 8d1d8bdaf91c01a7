use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use wiresift_abi::h2c::BatchHeader;

use super::*;
use crate::gate::{self, Clocked, Native};
use crate::ring::testing::{below, chance, number, random_bytes, to_bits, to_bytes};

impl<const BEAT_BITS: usize> Clocked for Unpack<BEAT_BITS> {
    fn clock(&mut self) -> &mut Signal<In, Clock> {
        &mut self.clock
    }
}

/// A packet or command as it goes into the ring and as it has to come out.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Item {
    command: bool,
    bytes: Vec<u8>,
    sequence: u32,
}

/// Writes batches the way the driver does, and keeps what must come out.
struct Writer {
    ring: Vec<u8>,
    expected: Vec<Item>,
    sequence: u32,
    rng: ChaCha8Rng,
}

impl Writer {
    fn new(seed: u64) -> Self {
        Self { ring: Vec::new(), expected: Vec::new(), sequence: 0, rng: ChaCha8Rng::seed_from_u64(seed) }
    }

    fn header(&mut self, header: BatchHeader) {
        let words = std::iter::once(header.control).chain(header.lengths);
        self.ring.extend(words.flat_map(u16::to_le_bytes));
    }

    fn packets(&mut self, lengths: &[usize]) {
        let mut header = BatchHeader::new(BatchKind::Packets, lengths.len(), self.sequence);
        for (place, &length) in header.lengths.iter_mut().zip(lengths) {
            *place = length as u16;
        }
        self.header(header);
        for &length in lengths {
            let bytes = random_bytes(&mut self.rng, length);
            self.ring.extend_from_slice(&bytes);
            // Padding is whatever lay in the ring: it must not come out.
            let padding = length.next_multiple_of(64).max(64) - length;
            self.ring.extend(vec![0xee; padding]);
            self.expected.push(Item { command: false, bytes, sequence: self.sequence });
            self.sequence = self.sequence.wrapping_add(1);
        }
    }

    fn commands(&mut self, count: usize) {
        let mut header = BatchHeader::new(BatchKind::Commands, count, self.sequence);
        // The card does not look at the lengths of commands.
        header.lengths = [0xffff; 31];
        self.header(header);
        for _ in 0..count {
            let bytes = random_bytes(&mut self.rng, 64);
            self.ring.extend_from_slice(&bytes);
            self.expected.push(Item { command: true, bytes, sequence: self.sequence });
        }
    }
}

/// What came out.
#[derive(Default)]
struct Ran {
    items: Vec<Item>,
    errors: Vec<(u64, u64)>,
    cycles: usize,
    batches: usize,
    packets: usize,
    commands: usize,
    packet_bytes: usize,
    beats_taken: usize,
}

/// Runs the block over `ring` with seeded stalls (in percent) until nothing has moved for 64 cycles.
fn run<const BEAT_BITS: usize>(ring: &[u8], idle: u32, stall: u32, seed: u64) -> Ran {
    let beat_bytes = BEAT_BITS / 8;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut sim = Native::new(Unpack::<BEAT_BITS>::default());
    let mut ran = Ran::default();
    let (mut at, mut offered, mut quiet) = (0, false, 0);
    let mut beats: Vec<Vec<u8>> = Vec::new();
    let mut held: Option<(Vec<u8>, bool, u64, u64)> = None;
    while quiet < 64 {
        // A beat that was offered stays offered until it is taken (AXI4-Stream, 2.2.1).
        offered = at < ring.len() && (offered || !chance(&mut rng, idle));
        sim.uut.s_axis_tvalid.next = offered;
        let end = (at + beat_bytes).min(ring.len());
        sim.uut.s_axis_tdata.next = if offered { to_bits(&ring[at..end]) } else { to_bits(&[0xdd; 16]) };
        sim.uut.m_axis_tready.next = !chance(&mut rng, stall);
        sim.settle();
        let uut = &sim.uut;
        quiet += 1;
        if offered && uut.s_axis_tready.val() {
            at = end;
            offered = false;
            ran.beats_taken += 1;
            quiet = 0;
        }
        let now = uut.m_axis_tvalid.val().then(|| {
            let data = to_bytes(uut.m_axis_tdata.val());
            let sideband = u64::from(uut.m_axis_command.val()) << 16 | number(uut.m_axis_length.val());
            (data, uut.m_axis_tlast.val(), sideband, number(uut.m_axis_sequence.val()))
        });
        if held.is_some() {
            assert_eq!(now, held, "an offered beat changed");
        }
        held = now;
        if let Some((data, last, sideband, sequence)) =
            if uut.m_axis_tready.val() { held.take() } else { None }
        {
            quiet = 0;
            beats.push(data);
            let length = (sideband & 0xffff) as usize;
            if last {
                assert_eq!(beats.len(), length.div_ceil(beat_bytes).max(1), "beats of {length} bytes");
                let mut bytes = std::mem::take(&mut beats).concat();
                bytes.truncate(length);
                let command = sideband >> 16 == 1;
                ran.items.push(Item { command, bytes, sequence: sequence as u32 });
                assert_eq!((uut.packet.val(), uut.command.val()), (!command, command));
                ran.packet_bytes += if command { 0 } else { length };
            }
        }
        ran.packets += usize::from(uut.packet.val());
        ran.commands += usize::from(uut.command.val());
        ran.batches += usize::from(uut.batch.val());
        if uut.error.val() {
            ran.errors.push((number(uut.error_code.val()), number(uut.error_detail.val())));
        }
        ran.cycles += 1;
        sim.step();
    }
    ran.cycles -= quiet;
    ran
}

fn check(writer: &Writer, ran: &Ran) {
    assert_eq!(ran.items.len(), writer.expected.len());
    for (item, expected) in ran.items.iter().zip(&writer.expected) {
        assert_eq!(item, expected);
    }
    assert_eq!(ran.errors, []);
    assert_eq!(ran.packets, writer.expected.iter().filter(|item| !item.command).count());
    assert_eq!(ran.commands, writer.expected.iter().filter(|item| item.command).count());
}

fn both(writer: &Writer, idle: u32, stall: u32) {
    check(writer, &run::<512>(&writer.ring, idle, stall, 7));
    check(writer, &run::<128>(&writer.ring, idle, stall, 8));
}

#[test]
fn every_length_around_the_beats_comes_out_whole() {
    let mut writer = Writer::new(1);
    let lengths: Vec<usize> = (0..=130).collect();
    for lengths in lengths.chunks(31) {
        writer.packets(lengths);
    }
    writer.packets(&[9215, 9216, 9201, 9200, 9199, 9153, 9152, 9151, 0, 1]);
    for (idle, stall) in [(0, 0), (50, 0), (0, 50), (40, 40)] {
        both(&writer, idle, stall);
    }
}

#[test]
fn batches_of_every_size_with_commands_between_come_out_in_order() {
    let mut writer = Writer::new(2);
    for count in 1..=31 {
        let lengths: Vec<usize> = (0..count).map(|_| below(&mut writer.rng, 200)).collect();
        writer.packets(&lengths);
        writer.commands(32 - count);
    }
    for (idle, stall) in [(0, 0), (30, 0), (0, 30), (30, 30)] {
        let ran = run::<512>(&writer.ring, idle, stall, 3);
        assert_eq!(ran.batches, 62);
        both(&writer, idle, stall);
    }
    // 496 packets: the low byte of the sequence number went around.
    assert!(writer.sequence > 256);
}

#[test]
fn a_batch_of_31_small_packets_takes_32_beats() {
    let mut writer = Writer::new(4);
    for _ in 0..40 {
        writer.packets(&[64; 31]);
    }
    let ran = run::<512>(&writer.ring, 0, 0, 1);
    check(&writer, &ran);
    // Two cycles through the slice and the output register.
    assert!(ran.cycles <= 40 * 32 + 3, "{} cycles", ran.cycles);
    let ran = run::<128>(&writer.ring, 0, 0, 1);
    check(&writer, &ran);
    assert!(ran.cycles <= 40 * 32 * 4 + 3, "{} cycles", ran.cycles);
}

/// A good batch, then a header with `control` and first length `length`.
fn broken(kind: u16, count: u16, sequence_off: u16, length: u16) -> (Writer, u64) {
    let mut writer = Writer::new(5);
    writer.packets(&[64, 65, 3]);
    let mut header = BatchHeader::new(BatchKind::Packets, 1, 0);
    header.control = count | kind << 5 | ((writer.sequence as u16 + sequence_off) & 0xff) << 8;
    header.lengths[0] = length;
    header.lengths[1] = 9217;
    writer.header(header);
    writer.ring.extend([0x11; 640]);
    (writer, u64::from(header.control) | u64::from(length) << 16)
}

fn halts_with(kind: u16, count: u16, sequence_off: u16, length: u16, code: ErrorCode) {
    let (writer, detail) = broken(kind, count, sequence_off, length);
    for (idle, stall) in [(0, 0), (50, 50)] {
        for ran in [run::<512>(&writer.ring, idle, stall, 6), run::<128>(&writer.ring, idle, stall, 6)] {
            assert_eq!(ran.errors, [(code as u64, detail)]);
            assert_eq!(ran.items, writer.expected, "only what stood before the error comes out");
        }
    }
}

#[test]
fn wrong_headers_halt_with_their_code_and_detail() {
    halts_with(1, 0, 0, 64, ErrorCode::BadBatch);
    for kind in [0, 3, 4, 5, 6, 7] {
        halts_with(kind, 1, 0, 64, ErrorCode::BadBatch);
    }
    for off in [1, 0xff, 0x80, 0x10] {
        halts_with(1, 1, off, 64, ErrorCode::BadSequence);
        halts_with(2, 1, off, 64, ErrorCode::BadSequence);
    }
    for length in [9217, 9280, 0x4000, 0x8000, 0xffff] {
        halts_with(1, 2, 0, length, ErrorCode::BadLength);
    }
}

#[test]
fn a_length_that_is_bad_inside_a_batch_lets_the_packets_before_it_out() {
    let mut writer = Writer::new(9);
    let mut header = BatchHeader::new(BatchKind::Packets, 3, 0);
    header.lengths[..3].copy_from_slice(&[64, 9217, 64]);
    writer.header(header);
    writer.ring.extend([0x77; 10_000]);
    for ran in [run::<512>(&writer.ring, 0, 0, 6), run::<128>(&writer.ring, 0, 0, 6)] {
        assert_eq!(ran.items.len(), 1);
        assert_eq!(ran.errors, [(ErrorCode::BadLength as u64, u64::from(header.control) | 9217 << 16)]);
    }
}

#[test]
fn after_a_reset_in_mid_packet_a_new_ring_is_read_from_its_start() {
    let mut writer = Writer::new(10);
    writer.packets(&[300, 200, 100]);
    let mut sim = Native::new(Unpack::<128>::default());
    sim.uut.m_axis_tready.next = true;
    for bytes in writer.ring.chunks(16).take(20) {
        sim.uut.s_axis_tvalid.next = true;
        sim.uut.s_axis_tdata.next = to_bits(bytes);
        sim.step();
    }
    assert!(sim.uut.m_axis_tvalid.val());
    sim.uut.reset.next = true;
    sim.step();
    sim.uut.reset.next = false;
    sim.uut.s_axis_tvalid.next = false;
    sim.step();
    assert!(!sim.uut.m_axis_tvalid.val());
    let mut out = Vec::new();
    for bytes in writer.ring.chunks(16) {
        sim.uut.s_axis_tvalid.next = true;
        sim.uut.s_axis_tdata.next = to_bits(bytes);
        sim.settle();
        assert!(sim.uut.s_axis_tready.val());
        sim.step();
        if sim.uut.m_axis_tvalid.val() && sim.uut.m_axis_tlast.val() {
            out.push((number(sim.uut.m_axis_sequence.val()), number(sim.uut.m_axis_length.val())));
        }
    }
    assert_eq!(out[..2], [(0, 300), (1, 200)]);
}

/// Beats of good batches with now and then a broken one, so that lock-step sees every state.
fn gate<const BEAT_BITS: usize>(name: &str) {
    let mut writer = Writer::new(11);
    writer.commands(2);
    for round in 0..6 {
        let count = [31, 1, 7, 30, 2, 12][round];
        let lengths: Vec<usize> = (0..count).map(|_| below(&mut writer.rng, 150)).collect();
        writer.packets(&lengths);
    }
    writer.packets(&[64, 9216]);
    let beats: Vec<Vec<u8>> = writer.ring.chunks(BEAT_BITS / 8).map(<[u8]>::to_vec).collect();
    let mut at = 0;
    let mut was_reset = true;
    gate::passes(name, Unpack::<BEAT_BITS>::default, 3000, 12, |uut, rng, cycle| {
        if was_reset {
            at = 0;
        }
        was_reset = chance(rng, 1) && cycle > 1200;
        uut.reset.next = was_reset;
        let corrupt = cycle > 1200 && chance(rng, 2);
        uut.s_axis_tvalid.next = chance(rng, 80);
        let mut bytes = beats[at % beats.len()].clone();
        if corrupt {
            bytes[0] ^= 0x21;
            bytes[3] ^= 0x40;
        }
        uut.s_axis_tdata.next = to_bits(&bytes);
        uut.m_axis_tready.next = chance(rng, 70);
        if uut.s_axis_tvalid.next && uut.s_axis_tready.val() {
            at += 1;
        }
    });
}

#[test]
fn passes_the_gate_in_line() {
    gate::<512>("unpack_line");
}

#[test]
fn passes_the_gate_in_lab() {
    gate::<128>("unpack_lab");
}

//! The ring against a reader that goes by the contract alone.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::dma::DmaMemory;
use crate::transport::{Direction, Iova};

fn ring(lines_log2: u32) -> H2cRing {
    let memory = Arc::new(DmaMemory::new(LINE_BYTES << lines_log2).unwrap());
    H2cRing::new(DmaRegion::new(memory, Iova(0x1000), Direction::H2c, || {}), lines_log2)
}

/// Reads the ring as the card does.
#[derive(Default)]
struct Reader {
    cidx: u32,
    sequence: u32,
}

#[derive(Debug, PartialEq)]
enum Item {
    Packet(Vec<u8>),
    Command(Line),
}

impl Reader {
    fn line(&mut self, ring: &H2cRing) -> Line {
        let mut line = Line::default();
        ring.region().memory().read(ring.ring.size().place(self.cidx) * LINE_BYTES, &mut line.0);
        self.cidx = self.cidx.wrapping_add(1);
        line
    }

    fn batch(&mut self, ring: &H2cRing) -> Vec<Item> {
        let header: BatchHeader = bytemuck::cast(self.line(ring).0);
        assert_eq!(header.sequence(), self.sequence as u8);
        let kind = header.kind().expect("a kind");
        assert!(header.count() >= 1);
        assert!(header.lengths[header.count()..].iter().all(|length| *length == 0));
        let mut items = Vec::new();
        for length in &header.lengths[..header.count()] {
            let length = usize::from(*length);
            if kind == BatchKind::Commands {
                assert_eq!(length, 0);
                items.push(Item::Command(self.line(ring)));
                continue;
            }
            let mut packet = Vec::new();
            for _ in 0..packet_lines(length) {
                packet.extend_from_slice(&self.line(ring).0);
            }
            assert!(packet[length..].iter().all(|byte| *byte == 0), "padding carries old bytes");
            packet.truncate(length);
            items.push(Item::Packet(packet));
            self.sequence = self.sequence.wrapping_add(1);
        }
        items
    }
}

fn packet(n: usize, length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 7 + n * 31 + 1) as u8 | 1).collect()
}

proptest! {
    /// Whatever is posted, taken and answered in whatever steps, the reader gets it whole and in order,
    /// and what was not answered comes back unchanged.
    #[test]
    fn a_reader_gets_what_was_posted(
        start in prop_oneof![Just(0u32), Just(u32::MAX - 300)],
        steps in prop::collection::vec((0u8..8, 0usize..40, prop_oneof![0usize..130, Just(1500), Just(9216)]), 1..120),
    ) {
        let mut ring = ring(8);
        // As if the card had run for long, so that every index goes round.
        ring.ring = Producer::new(RingSize::new(8));
        for _ in 0..start >> 8 & 1 { ring.restart(); }
        let mut reader = Reader::default();
        let mut expected: Vec<Item> = Vec::new();
        let mut packets: Vec<Vec<u8>> = Vec::new();
        let (mut read, mut answered) = (0usize, 0usize);
        for (kind, count, length) in steps {
            match kind {
                0..=3 => for _ in 0..count {
                    let packet = packet(packets.len(), length);
                    if !ring.push_packet(&packet).unwrap() { break }
                    packets.push(packet.clone());
                    expected.push(Item::Packet(packet));
                },
                4 => for n in 0..count {
                    let line = Line([n as u8; LINE_BYTES]);
                    if !ring.push_command(&line) { break }
                    expected.push(Item::Command(line));
                },
                5 | 6 => {
                    ring.announce();
                    while reader.cidx != ring.announced() {
                        for item in reader.batch(&ring) {
                            prop_assert_eq!(&item, &expected[read]);
                            read += 1;
                        }
                    }
                    let last = ring.taken();
                    ring.note_taken(reader.cidx, last).unwrap();
                }
                _ => {
                    answered += count.min(reader.sequence as usize - answered);
                    ring.free(answered as u32).unwrap();
                    prop_assert_eq!(&ring.unanswered(answered as u32)[..], &packets[answered..]);
                }
            }
            prop_assert!(ring.ring.used() <= 256);
        }
    }
}

#[test]
fn the_ring_is_full_at_its_last_line_and_empty_after_the_answers() {
    let mut ring = ring(8);
    // 8 batches of 31 packets and their headers fill 256 lines exactly.
    for n in 0..248 {
        assert!(ring.push_packet(&packet(n, 64)).unwrap(), "{n}");
    }
    assert!(!ring.push_packet(&[]).unwrap());
    assert_eq!(ring.announce(), Some(256));
    assert_eq!(ring.announce(), None);
    assert!(ring.note_taken(256, 0).unwrap());
    ring.free(247).unwrap();
    assert_eq!(ring.ring.free(), 7 * 32);
    ring.free(248).unwrap();
    assert_eq!(ring.ring.free(), 256);
}

#[test]
fn what_never_fits_is_an_error() {
    let mut small = ring(6);
    assert_eq!(small.push_packet(&[0; 9217]), Err(PacketError::Jumbo(9217)));
    assert_eq!(small.push_packet(&[0; 64 * 64]), Err(PacketError::Ring { bytes: 4096, lines: 64 }));
    assert_eq!(small.push_packet(&[0; 64 * 63]), Ok(true));
    assert_eq!(ring(8).push_packet(&[0; 9216]), Ok(true));
}

#[test]
fn an_index_that_goes_back_or_too_far_is_an_error() {
    let mut ring = ring(8);
    for n in 0..5 {
        ring.push_packet(&packet(n, 64)).unwrap();
    }
    ring.announce();
    assert_eq!(ring.note_taken(7, 0), Err(IndexError { is: 7, low: 0, high: 6 }));
    assert_eq!(ring.note_taken(4, 0), Ok(true));
    assert_eq!(ring.note_taken(3, 4), Err(IndexError { is: 3, low: 4, high: 6 }));
    // A status line that is older than the register read before it.
    assert_eq!(ring.note_taken(3, 2), Ok(false));
    assert_eq!(ring.taken(), 4);
}

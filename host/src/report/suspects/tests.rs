//! Captures of suspects, read again by the capture's own reader.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::Cursor;

use super::*;
use crate::capture::{Capture, Next, synthesize};
use crate::decision::Decision;
use crate::device::Batch;

/// Packet `n` of the flow from a source port.
fn packet(port: u16, n: u8) -> Vec<u8> {
    let mut packet = Vec::new();
    synthesize(0x0a00_0001, 0x0a00_0002, [port, 80], 6, &mut packet);
    packet[46] = 5 << 4;
    packet.push(n);
    packet[17] += 1;
    packet
}

/// A later fragment between the same addresses.
fn fragment(n: u8) -> Vec<u8> {
    let mut packet = packet(0, n);
    packet[21] = 9;
    packet
}

/// The packets written: their last bytes.
fn written(buffer: Option<usize>, packets: &[(Vec<u8>, bool)]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut report = Suspects::with_buffer(&mut out, buffer);
    for (n, (packet, is_suspect)) in packets.iter().enumerate() {
        let mut batch = Batch::new(n as u64);
        let info = PacketInfo { nanos: NANOS + n as u64, wire_length: 1000 + n as u32, ..Default::default() };
        batch.push(packet, info);
        let flags = Flags(if *is_suspect { Flags::SUSPECT } else { 0 });
        let decisions = vec![Decision { flags, ..Decision::default() }];
        report.decided(&Decided { batch: Arc::new(batch), decisions }).unwrap();
    }
    report.finish(&Totals::default()).unwrap();
    let mut capture = Capture::read_from("suspects", Box::new(Cursor::new(out)), Arc::default()).unwrap();
    let mut last_bytes = Vec::new();
    loop {
        match capture.next(true).unwrap() {
            Next::Packet(read) => {
                let n = (read.nanos - NANOS) as usize;
                assert_eq!((read.bytes, read.wire_length), (&packets[n].0[..], 1000 + n as u32));
                last_bytes.push(*read.bytes.last().unwrap());
            }
            Next::Starved => unreachable!(),
            Next::End => return last_bytes,
        }
    }
}

#[test]
fn suspects_alone_are_written_as_they_were_captured() {
    let packets = [(packet(1, 0), false), (packet(1, 1), true), (packet(1, 2), false), (packet(2, 3), true)];
    assert_eq!(written(None, &packets), [1, 3]);
    assert_eq!(written(None, &packets[..1]), [0; 0]);
}

#[test]
fn whole_flows_come_in_the_order_of_the_capture() {
    let packets = [
        (packet(1, 0), false),
        (packet(2, 1), false),
        (packet(1, 2), true),
        (packet(3, 3), true),
        (packet(2, 4), false),
        (packet(1, 5), false),
    ];
    assert_eq!(written(Some(1 << 20), &packets), [0, 2, 3, 5]);
    // A buffer of one packet: what came before is gone.
    assert_eq!(written(Some(200), &packets), [2, 3, 5]);
    assert_eq!(written(Some(0), &packets), [2, 3, 5]);
}

#[test]
fn later_fragments_go_with_the_flows_between_their_addresses() {
    let packets = [(fragment(0), false), (packet(1, 1), true), (fragment(2), false), (packet(2, 3), false)];
    assert_eq!(written(Some(1 << 20), &packets), [0, 1, 2]);
    let not_ip = (vec![7; 60], false);
    assert_eq!(written(Some(1 << 20), &[not_ip.clone(), packets[1].clone(), not_ip]), [1]);
}

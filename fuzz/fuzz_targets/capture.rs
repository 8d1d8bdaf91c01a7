//! Captures: any bytes give packets and then an end or an error, and the same ones however the bytes arrive.
#![no_main]

use std::io::{Cursor, Read};
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use wiresift_host::capture::{CAPTURED_BYTES_MAX, Capture, Next};
use wiresift_host::engine::cpu::parse::Header;

/// Gives a few bytes a read.
struct Trickle(Cursor<Vec<u8>>, usize);

impl Read for Trickle {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.1 = self.1 % 7 + 1;
        let count = self.1.min(buffer.len());
        self.0.read(&mut buffer[..count])
    }
}

type Outcome = (Vec<(u64, u32, Vec<u8>)>, Option<String>);

fn read(source: Box<dyn Read + Send>) -> Outcome {
    let mut packets = Vec::new();
    let mut capture = match Capture::read_from("fuzz", source, Arc::default()) {
        Ok(capture) => capture,
        Err(error) => return (packets, Some(error.to_string())),
    };
    let mut may_read = false;
    loop {
        match capture.next(may_read) {
            Ok(Next::Packet(packet)) => {
                // The Ethernet header of captures without one comes on top.
                assert!(packet.bytes.len() <= CAPTURED_BYTES_MAX + 14);
                let header = Header::of(packet.bytes);
                assert!(usize::from(header.l4_offset) <= packet.bytes.len());
                packets.push((packet.nanos, packet.wire_length, packet.bytes.to_vec()));
                may_read = false;
            }
            Ok(Next::Starved) => {
                assert!(!may_read, "starved although it may read");
                may_read = true;
            }
            Ok(Next::End) => return (packets, None),
            Err(error) => return (packets, Some(error.to_string())),
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let whole = read(Box::new(Cursor::new(data.to_vec())));
    let trickled = read(Box::new(Trickle(Cursor::new(data.to_vec()), 0)));
    assert_eq!(whole, trickled);
});

//! A capture in which every packet stands many times, each time in another flow: `cargo run --release -p wiresift-tests
//! --example copies -- IN.pcap COUNT > OUT.pcap`.
//!
//! To measure what follows flows on more traffic than a capture has: it is as if so many hosts did the same at once. In copy
//! `n` the low 16 bits of both IP addresses are changed by `n`, so that networks of 16 bits and less hold what they
//! held; checksums are left as they were (`suricata -k none`). What is not IP over Ethernet stays as it is.

use std::error::Error;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use wiresift_host::capture::{Capture, Next};
use wiresift_tests::capture::pcap_at;

const USAGE: &str = "copies IN.pcap COUNT > OUT.pcap";

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = PathBuf::from(arguments.next().ok_or(USAGE)?);
    let count: u16 = arguments.next().ok_or(USAGE)?.parse()?;
    let mut packets = Vec::new();
    let mut capture = Capture::open(&path, Arc::new(AtomicU64::new(0)))?;
    loop {
        match capture.next(true)? {
            Next::Packet(packet) => packets.push((packet.nanos, packet.bytes.to_vec())),
            Next::Starved => {}
            Next::End => break,
        }
    }
    let mut out = std::io::stdout().lock();
    // A file has one header, however many packets follow.
    let header = pcap_at(std::iter::empty());
    out.write_all(&header)?;
    for (nanos, bytes) in &packets {
        let copies: Vec<_> = (0..count).map(|n| moved(bytes, n)).collect();
        let text = pcap_at(copies.iter().map(|copy| (*nanos, copy.as_slice())));
        out.write_all(&text[header.len()..])?;
    }
    Ok(out.flush()?)
}

/// A packet with other addresses.
fn moved(packet: &[u8], n: u16) -> Vec<u8> {
    let mut packet = packet.to_vec();
    let mut at = 12;
    while matches!(packet.get(at..at + 2), Some([0x81, 0x00] | [0x88, 0xa8])) {
        at += 4;
    }
    let addresses = match packet.get(at..at + 2) {
        Some([0x08, 0x00]) => [at + 2 + 14, at + 2 + 18],
        Some([0x86, 0xdd]) => [at + 2 + 22, at + 2 + 38],
        _ => return packet,
    };
    for low in addresses {
        if let Some(bytes) = packet.get_mut(low..low + 2) {
            bytes.iter_mut().zip(n.to_be_bytes()).for_each(|(byte, change)| *byte ^= change);
        }
    }
    packet
}

//! The parser against the model over captured packets.

use wiresift_abi::h2c::PACKET_BYTES_MAX;

use super::Bench;

/// Packets of a capture in the libpcap format of any byte order; none of another format.
fn pcap(file: &[u8]) -> Vec<&[u8]> {
    let word = |at: usize, swapped: bool| {
        let bytes = file.get(at..at + 4)?.try_into().ok()?;
        Some(if swapped { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    };
    let swapped = match word(0, false) {
        Some(0xa1b2_c3d4 | 0xa1b2_3c4d) => false,
        Some(0xd4c3_b2a1 | 0x4d3c_b2a1) => true,
        _ => return Vec::new(),
    };
    let mut packets = Vec::new();
    let mut at = 24;
    while let Some(packet) = word(at + 8, swapped).and_then(|len| file.get(at + 16..at + 16 + len as usize)) {
        packets.push(packet);
        at += 16 + packet.len();
    }
    packets
}

#[test]
fn captured_packets_are_read_alike() {
    let Some(corpus) = std::env::var_os("CORPUS") else {
        println!("skipped: CORPUS is not set");
        return;
    };
    let mut folders = vec![std::path::PathBuf::from(corpus).join("pcaps")];
    let mut bench = Bench::new(8);
    let mut captures = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let file = std::fs::read(&path).unwrap();
            let packets = pcap(&file);
            captures += usize::from(!packets.is_empty());
            for packet in packets.into_iter().filter(|packet| packet.len() <= PACKET_BYTES_MAX) {
                bench.packet(packet);
                bench.between();
            }
        }
    }
    let (packets, deferred) = bench.drain();
    println!("{captures} captures, {packets} packets, {deferred} deferred");
    assert!(captures > 100 && packets > 1000);
}

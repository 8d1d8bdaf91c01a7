//! Writing of captures, for packets that a test made.

/// A pcap file (microseconds, little-endian, Ethernet) of the packets, one a microsecond.
pub fn pcap<'a>(packets: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4u32, 0x0004_0002, 0, 0, 262_144, 1] {
        file.extend(word.to_le_bytes());
    }
    for (n, packet) in packets.into_iter().enumerate() {
        let (seconds, micros) = (1_700_000_000 + n as u32 / 1_000_000, n as u32 % 1_000_000);
        for word in [seconds, micros, packet.len() as u32, packet.len() as u32] {
            file.extend(word.to_le_bytes());
        }
        file.extend(packet);
    }
    file
}

//! Writing of captures, for packets that a test made.

/// Nanoseconds since 1970 at which a capture of [`pcap`] begins.
const BEGIN: u64 = 1_700_000_000_000_000_000;

/// A pcap file (microseconds, little-endian, Ethernet) of the packets, one a microsecond.
pub fn pcap<'a>(packets: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let timed = packets.into_iter().enumerate().map(|(n, packet)| (BEGIN + n as u64 * 1000, packet));
    pcap_at(timed)
}

/// A pcap file of packets, each with its time in nanoseconds since 1970, which is kept to the microsecond.
pub fn pcap_at<'a>(packets: impl IntoIterator<Item = (u64, &'a [u8])>) -> Vec<u8> {
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4u32, 0x0004_0002, 0, 0, 262_144, 1] {
        file.extend(word.to_le_bytes());
    }
    for (nanos, packet) in packets {
        let (seconds, micros) = (nanos / 1_000_000_000, nanos / 1000 % 1_000_000);
        for word in [seconds as u32, micros as u32, packet.len() as u32, packet.len() as u32] {
            file.extend(word.to_le_bytes());
        }
        file.extend(packet);
    }
    file
}

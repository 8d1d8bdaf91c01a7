//! Packets made by hand.

/// An Ethernet header with tags before a payload.
pub fn ethernet(tags: &[u16], ethertype: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet: Vec<u8> = (0..12).map(|n| 0x10 + n).collect();
    for (n, tag) in tags.iter().enumerate() {
        packet.extend(tag.to_be_bytes());
        packet.extend((0x1001 * (n as u16 + 1)).to_be_bytes());
    }
    packet.extend(ethertype.to_be_bytes());
    packet.extend(payload);
    packet
}

/// An IPv4 header of `words` words (as the field says; at least five are there), fragment word `fragment`,
/// and a total length that differs from the true one by `off`.
pub fn ipv4(words: usize, fragment: u16, proto: u8, off: i32, payload: &[u8]) -> Vec<u8> {
    let bytes = words.max(5) * 4;
    let total = (bytes + payload.len()) as i32 + off;
    let mut packet = vec![0x40 | words as u8, 0xb8];
    packet.extend((total as u16).to_be_bytes());
    packet.extend([0xca, 0xfe]);
    packet.extend(fragment.to_be_bytes());
    packet.extend([64, proto, 0x12, 0x34, 10, 1, 2, 3, 192, 168, 200, 250]);
    packet.extend((0..bytes - 20).map(|n| 0x80 + n as u8));
    packet.extend(payload);
    packet
}

/// An IPv6 header, with a payload length that differs from the true one by `off`.
pub fn ipv6(next: u8, off: i32, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x6b, 0x80, 0x12, 0x34];
    packet.extend(((payload.len() as i32 + off) as u16).to_be_bytes());
    packet.extend([next, 255]);
    packet.extend((0..32).map(|n| 0x20 + n * 3));
    packet.extend(payload);
    packet
}

/// An extension header of a kind: the next one, and its length field; a fragment header has the
/// fragment word `word` instead.
pub fn extension(kind: u8, next: u8, length: u8, word: u16) -> Vec<u8> {
    let bytes = match kind {
        44 => 8,
        51 => (usize::from(length) + 2) * 4,
        _ => (usize::from(length) + 1) * 8,
    };
    let mut header: Vec<u8> = (0..bytes.max(8)).map(|n| 0x90u8.wrapping_add(n as u8)).collect();
    header[0] = next;
    header[1] = length;
    if kind == 44 {
        header[2..4].copy_from_slice(&word.to_be_bytes());
    }
    header.truncate(bytes);
    header
}

/// Extension headers in a row (kind, length field, fragment word) before a payload of kind `last`: the
/// first next header, and the bytes.
pub fn chain(headers: &[(u8, u8, u16)], last: u8, payload: &[u8]) -> (u8, Vec<u8>) {
    let mut bytes = payload.to_vec();
    let mut next = last;
    for (kind, length, word) in headers.iter().rev() {
        bytes = [extension(*kind, next, *length, *word), bytes].concat();
        next = *kind;
    }
    (next, bytes)
}

/// A transport header with ports 0x5152 and 0x5354, flags 0x5e, or type and code 0x51 and 0x52, and
/// some payload.
pub fn transport() -> Vec<u8> {
    (0x51..0x71).collect()
}

/// One packet of each shape.
pub fn shapes() -> Vec<Vec<u8>> {
    let tcp = transport();
    let v4 = |words, fragment, proto| ipv4(words, fragment, proto, 0, &tcp);
    let v6 = |headers: &[(u8, u8, u16)], last| {
        let (next, bytes) = chain(headers, last, &transport());
        ipv6(next, 0, &bytes)
    };
    vec![
        ethernet(&[], 0x0800, &v4(5, 0x4000, 6)),
        ethernet(&[0x8100], 0x0800, &v4(5, 0, 17)),
        ethernet(&[0x88a8, 0x8100], 0x0800, &v4(8, 0, 132)),
        ethernet(&[0x9100, 0x88a8, 0x8100], 0x0800, &v4(5, 0, 6)),
        ethernet(&[], 0x0800, &v4(15, 0x2000, 1)),
        ethernet(&[0x9100], 0x0800, &v4(6, 0x2123, 17)),
        ethernet(&[], 0x86dd, &v6(&[], 6)),
        ethernet(&[0x8100, 0x8100], 0x86dd, &v6(&[], 58)),
        ethernet(&[0x8100], 0x86dd, &v6(&[(0, 0, 0), (43, 1, 0), (60, 0, 0)], 17)),
        ethernet(&[], 0x86dd, &v6(&[(44, 0, 1)], 6)),
        ethernet(&[], 0x86dd, &v6(&[(60, 0, 0), (44, 0, 0x0108)], 6)),
        ethernet(&[0x88a8], 0x86dd, &v6(&[(51, 4, 0), (135, 0, 0)], 132)),
        ethernet(&[], 0x86dd, &v6(&[(139, 0, 0), (140, 0, 0), (60, 1, 0), (51, 1, 0)], 6)),
        ethernet(&[], 0x86dd, &v6(&[(60, 4, 0), (51, 2, 0)], 6)),
        ethernet(&[], 0x86dd, &v6(&[(60, 7, 0)], 6)),
        ethernet(&[], 0x8847, &[0, 1, 2, 3]),
        ethernet(&[0x8100], 0x8864, &tcp),
        ethernet(&[], 0x0806, &tcp),
        ethernet(&[], 40, &tcp),
        ethernet(&[], 0x0800, &v4(5, 0, 47)),
        ethernet(&[], 0x86dd, &v6(&[], 41)),
    ]
}

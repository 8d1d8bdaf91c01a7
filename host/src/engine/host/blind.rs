//! What a search in the bytes of single packets cannot see, as far as it can be counted (`docs/prefilter.md`).

use memchr::memmem;
use wiresift_abi::vector::Flags;

use crate::verify::flow::FlowState;
use crate::verify::layers::Layers;

/// Bytes of an HTTP message in which its encoding is looked for.
const HTTP_BYTES: usize = 2048;

/// Packets in which a candidate may stay unseen, by the reason; a packet counts for each that is true of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Blind {
    /// TCP segments that go on where the one before ended.
    pub segments: u64,
    /// Fragments.
    pub fragments: u64,
    /// Packets with another one inside.
    pub tunnels: u64,
    /// Packets that were not captured whole, or not read whole.
    pub cut: u64,
    /// HTTP messages with a compressed or chunked body.
    pub encoded: u64,
    /// TLS records.
    pub encrypted: u64,
}

impl Blind {
    /// Counts a packet.
    pub fn count(&mut self, layers: &Layers<'_>, flow: Option<FlowState>) {
        let flags = layers.header().flags;
        let has = |flag: u16| u64::from(flags & flag != 0);
        self.segments += u64::from(flow.is_some_and(|flow| flow.continues));
        self.fragments += has(Flags::FRAGMENT);
        self.tunnels += has(Flags::TUNNEL);
        self.cut += has(Flags::TRUNCATED | Flags::EXT_CHAIN | Flags::VLAN_DEPTH);
        let payload = layers.payload().unwrap_or_default();
        self.encoded += u64::from(is_encoded_http(payload));
        self.encrypted += u64::from(matches!(payload, [0x14..=0x17, 3, 0..=4, ..]));
    }

    /// The lines of a summary.
    pub fn lines(&self) -> impl Iterator<Item = (String, String)> {
        let Self { segments, fragments, tunnels, cut, encoded, encrypted } = *self;
        [
            ("TCP segments that continue another", segments),
            ("fragments", fragments),
            ("tunnels", tunnels),
            ("packets not read whole", cut),
            ("HTTP messages with encoded bodies", encoded),
            ("TLS records", encrypted),
        ]
        .into_iter()
        .map(|(name, count)| (format!("prefilters may miss: {name}"), count.to_string()))
    }
}

/// Whether a payload begins an HTTP response with a body that is not there as it is.
fn is_encoded_http(payload: &[u8]) -> bool {
    if !payload.starts_with(b"HTTP/") {
        return false;
    }
    let head = &payload[..payload.len().min(HTTP_BYTES)];
    let head = &head[..memmem::find(head, b"\r\n\r\n").unwrap_or(head.len())];
    let lower = head.to_ascii_lowercase();
    [&b"\ncontent-encoding:"[..], b"\ntransfer-encoding:"]
        .iter()
        .any(|name| memmem::find(&lower, name).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_bodies_are_told_by_their_head() {
        assert!(is_encoded_http(b"HTTP/1.1 200 OK\r\nA: b\r\nContent-encoding: gzip\r\n\r\n"));
        assert!(is_encoded_http(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked"));
        assert!(!is_encoded_http(b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n\nContent-Encoding: gzip\r\n"));
        assert!(!is_encoded_http(b"GET / HTTP/1.1\r\nContent-Encoding: gzip\r\n\r\n"));
    }
}

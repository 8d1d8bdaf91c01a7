//! The byte strings of a packet that rules look into, by the table of `docs/signature-semantics.md`.

use etherparse::ip_number;

use super::headers::Headers;
use crate::rules::detect::Buffer;

/// What a packet has of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Buffers<'a> {
    payload: Option<&'a [u8]>,
    ipv4: Option<&'a [u8]>,
    ipv6: Option<&'a [u8]>,
    tcp: Option<&'a [u8]>,
    udp: Option<&'a [u8]>,
    icmpv4: Option<&'a [u8]>,
    icmpv6: Option<&'a [u8]>,
}

impl<'a> Buffers<'a> {
    /// Those of the packet that has these headers.
    pub fn of(packet: &'a [u8], headers: &Headers) -> Self {
        let mut buffers = Self::default();
        let Some(ip) = &headers.ip else { return buffers };
        let packet = &packet[..headers.end];
        let at = headers.ip_offset;
        if ip.src.is_ipv4() {
            let length = usize::from(packet[at] & 0x0f) * 4;
            buffers.ipv4 = packet.get(at..at + length);
        } else {
            buffers.ipv6 = packet.get(at..at + 40);
        }
        let Some(behind) = headers.behind_ip else { return buffers };
        let transport = &packet[behind..];
        if headers.later_fragment {
            buffers.payload = Some(transport);
            return buffers;
        }
        let protocol = etherparse::IpNumber(ip.protocol);
        buffers.payload = match protocol {
            ip_number::TCP => {
                let length = tcp_header_length(transport);
                buffers.tcp = length.and_then(|length| transport.get(..length));
                length.and_then(|length| transport.get(length..))
            }
            ip_number::UDP => {
                buffers.udp = transport.get(..8);
                transport.get(8..)
            }
            ip_number::ICMP | ip_number::IPV6_ICMP => {
                let whole = Some(transport).filter(|header| header.len() >= 8);
                match (protocol, ip.src.is_ipv4()) {
                    (ip_number::ICMP, true) => buffers.icmpv4 = whole,
                    (ip_number::IPV6_ICMP, false) => buffers.icmpv6 = whole,
                    // ICMP of the other family has neither buffer.
                    _ => {}
                }
                transport.get(8..)
            }
            ip_number::SCTP => transport.get(12..),
            _ => Some(transport),
        };
        buffers
    }

    /// One of them; `None` where the packet does not have it.
    pub fn get(&self, buffer: Buffer) -> Option<&'a [u8]> {
        match buffer {
            Buffer::Payload => self.payload,
            Buffer::Ipv4Header => self.ipv4,
            Buffer::Ipv6Header => self.ipv6,
            Buffer::TcpHeader => self.tcp,
            Buffer::UdpHeader => self.udp,
            Buffer::Icmpv4Header => self.icmpv4,
            Buffer::Icmpv6Header => self.icmpv6,
        }
    }
}

/// Bytes of the TCP header by its own number; `None` where that is not there or less than 20.
fn tcp_header_length(transport: &[u8]) -> Option<usize> {
    let length = usize::from(*transport.get(12)? >> 4) * 4;
    (length >= 20).then_some(length)
}

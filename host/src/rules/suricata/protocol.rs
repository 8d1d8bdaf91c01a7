//! Protocols of signatures.

use crate::rules::cursor::{Token, quoted};
use crate::rules::diagnostics::Fault;
use crate::rules::model::Family;

const TCP: (u8, u8) = (6, 0xff);
const UDP: (u8, u8) = (17, 0xff);
const SCTP: (u8, u8) = (132, 0xff);
const ICMP: (u8, u8) = (1, 0xff);
const ICMPV6: (u8, u8) = (58, 0xff);
const ANY: (u8, u8) = (0, 0);

/// What a protocol asks of a packet.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Protocol {
    pub family: Family,
    pub protocols: Vec<(u8, u8)>,
    /// Some packet of it has ports.
    pub has_ports: bool,
    /// Why it cannot be evaluated.
    pub refused: Option<String>,
}

/// Protocols of the application layer in Suricata, and services of Snort 3.
const APPLICATION: &str = "\
    bittorrent-dht dcerpc dce_http_proxy dce_http_server dce_smb dce_tcp dce_udp dhcp dnp3 dns doh2 enip \
    failed file ftp ftp-data gtp_inspect http http1 http2 http3 ike ikev2 imap iec104 irc jabber \
    kerberos krb5 ldap llmnr mdns mms modbus mqtt mysql netbios-dgm netbios-ns netbios-ssn netflow nfs \
    nntp ntp opcua pgsql pop3 postgresql quic radius rdp rfb rpc rtsp s7commplus sip smb smtp snmp ssdp \
    ssh ssl sunrpc syslog telnet template tftp tls tns unknown user vnc websocket x11";

/// The protocol of that name. `short`: options follow at once (Snort 3), so it can only be a service.
///
/// Names mean what they mean in Suricata (`detect-engine-proto.c`): `icmp` is ICMP and ICMPv6, `tcp-pkt` single TCP
/// packets, `pkthdr` packets by their headers. The last one is `ip` here: packets without an IP header match no rule.
/// An IP protocol with ports (`ip any any -> any 80`) matches TCP, UDP and SCTP packets that have ports.
pub(super) fn protocol(name: &Token<'_>, short: bool) -> Result<Protocol, Fault> {
    let plain = |family, protocols: &[(u8, u8)], has_ports| Protocol {
        family,
        protocols: protocols.to_vec(),
        has_ports,
        refused: None,
    };
    let refused = |reason: String| Protocol {
        family: Family::Ip,
        protocols: vec![ANY],
        has_ports: true,
        refused: Some(reason),
    };
    let lower = name.text.to_ascii_lowercase();
    Ok(match lower.as_str() {
        "ip" | "pkthdr" => plain(Family::Ip, &[ANY], true),
        "ip4" | "ipv4" => plain(Family::V4, &[ANY], true),
        "ip6" | "ipv6" => plain(Family::V6, &[ANY], true),
        "tcp" | "tcp-pkt" => plain(Family::Ip, &[TCP], true),
        "udp" => plain(Family::Ip, &[UDP], true),
        "sctp" => plain(Family::Ip, &[SCTP], true),
        "icmp" => plain(Family::Ip, &[ICMP, ICMPV6], false),
        "icmpv4" => plain(Family::Ip, &[ICMP], false),
        "icmpv6" => plain(Family::Ip, &[ICMPV6], false),
        "tcp-stream" => refused("protocol `tcp-stream` (reassembled stream)".to_owned()),
        "arp" | "ether" => refused(format!("protocol `{lower}` (not IP)")),
        other if other.contains(':') => {
            refused(format!("protocol `{}` (state of a connection)", quoted(other)))
        }
        other if short || APPLICATION.split(' ').any(|name| name == other) => {
            refused(format!("protocol `{}` (application layer)", quoted(other)))
        }
        _ => {
            let message = format!("`{}` is not a protocol", name.quoted());
            return Err(name.fault(message, "expected a protocol").help(
                "protocols are ip, ip4, ip6, tcp, tcp-pkt, udp, sctp, icmp, icmpv4, icmpv6, pkthdr and those of the \
                 application layer such as http",
            ));
        }
    })
}

//! Protocols of signatures.

use crate::rules::cursor::{Token, quoted};
use crate::rules::diagnostics::Fault;
use crate::rules::model::Family;

use super::detect::reason::Why;
use super::detect::settle::HeaderSays;

const TCP: (u8, u8) = (6, 0xff);
const UDP: (u8, u8) = (17, 0xff);
const SCTP: (u8, u8) = (132, 0xff);
const ICMP: (u8, u8) = (1, 0xff);
const ICMPV6: (u8, u8) = (58, 0xff);
const ANY: (u8, u8) = (0, 0);

/// What a protocol asks of a packet.
pub(super) struct Protocol {
    pub family: Family,
    pub protocols: Vec<(u8, u8)>,
    /// Some packet of it has ports.
    pub has_ports: bool,
    /// What it says of the rule's class.
    pub says: HeaderSays,
}

/// Protocols of the application layer in Suricata, and services of Snort 3, that use TCP alone.
const ON_TCP: &str = "\
    dce_http_proxy dce_http_server dce_smb dce_tcp ftp ftp-data http http1 http2 iec104 imap irc jabber ldap mms modbus \
    mqtt mysql netbios-ssn nntp opcua pgsql pop3 postgresql rdp rfb rtsp s7commplus smb smtp ssh ssl telnet tls tns vnc \
    websocket x11";
/// Those that use UDP alone.
const ON_UDP: &str = "\
    bittorrent-dht dce_udp dhcp gtp_inspect http3 ike ikev2 llmnr mdns netbios-dgm netbios-ns netflow ntp quic radius \
    snmp ssdp tftp";
/// Those that use either, and what may be any of them.
const ON_BOTH: &str = "\
    dcerpc dnp3 dns doh2 enip failed file kerberos krb5 nfs rpc sip sunrpc syslog template unknown user";

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
        says: HeaderSays::default(),
    };
    let refused = |reason: String| Protocol {
        says: HeaderSays { refused: vec![reason], ..HeaderSays::default() },
        ..plain(Family::Ip, &[ANY], true)
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
        "tcp-stream" => {
            let mut stream = plain(Family::Ip, &[TCP], true);
            stream.says.stream = true;
            stream.says.reasons.add(Why::Stream, "protocol tcp-stream");
            stream
        }
        "arp" | "ether" => refused(format!("protocol `{lower}` (not IP)")),
        other => {
            // `dns:request` is a state of a connection of that protocol.
            let base = other.split(':').next().unwrap_or(other);
            let known = |names: &str| names.split(' ').any(|name| name == base);
            let mut application = if known(ON_TCP) {
                plain(Family::Ip, &[TCP], true)
            } else if known(ON_UDP) {
                plain(Family::Ip, &[UDP], true)
            } else if short || known(ON_BOTH) {
                plain(Family::Ip, &[TCP, UDP], true)
            } else {
                return Err(unknown(name));
            };
            application.says.protocol = Some(base.to_owned());
            application.says.reasons.add(Why::Application, format!("protocol {}", quoted(other)));
            application
        }
    })
}

fn unknown(name: &Token<'_>) -> Fault {
    let message = format!("`{}` is not a protocol", name.quoted());
    name.fault(message, "expected a protocol").help(
        "protocols are ip, ip4, ip6, tcp, tcp-pkt, tcp-stream, udp, sctp, icmp, icmpv4, icmpv6, pkthdr and those of the \
         application layer such as http",
    )
}

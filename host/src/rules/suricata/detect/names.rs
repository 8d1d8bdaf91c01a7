//! Options and buffers by name: what those mean that are no test of the packet.
//!
//! Names are those of Suricata 7 and of Snort 2 and 3. A name that is not here and is no test is unknown.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::rules::detect::Buffer;

use super::reason::Why;

/// What an option means that is no test of the packet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Meaning {
    /// It says nothing about which packets match.
    Silent,
    /// What follows looks into this buffer.
    Packet(Buffer),
    /// What follows looks into a buffer of the application layer.
    Application(Carry, Part),
    /// What follows looks into the buffer after this change of it.
    Transform(Carry),
    /// A packet alone cannot decide it, or nothing here does. The flag: tests behind it may count from where it ended.
    Undecided(Why, bool),
}

/// How bytes of a buffer that the application layer made stand in the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carry {
    /// As they are.
    Raw,
    /// With letters of either case.
    Caseless,
    /// As they are, but what a URI encodes may stand there encoded: only the pieces between such bytes are sought.
    Uri,
    /// Labels, with a length where the buffer has a dot.
    Labels,
    /// Lines that do not follow each other.
    Lines,
    /// Words with other blanks between them.
    Words,
    /// Values of a distinguished name; the names of its attributes do not stand there.
    Name,
    /// Behind a dot that does not stand there.
    Dot,
    /// Not at all: computed, converted or encoded.
    Not,
}

/// Part of a conversation that a buffer is made of. Two parts may lie in different packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Head of a message of either direction.
    Head,
    /// Head of what the client sends.
    Request,
    /// Head of what the server answers.
    Response,
    /// Body of a message, or a file.
    Body,
}

type Group = (Meaning, &'static str);

const fn application(carry: Carry, part: Part) -> Meaning {
    Meaning::Application(carry, part)
}

const fn undecided(why: Why) -> Meaning {
    Meaning::Undecided(why, false)
}

const GROUPS: [Group; 40] = [
    (
        Meaning::Silent,
        "bypass filestore logto nfq_set_mark prefilter react rem replace resp soid stream_reassemble tag target",
    ),
    (Meaning::Packet(Buffer::Payload), "pkt_data raw_data"),
    (Meaning::Packet(Buffer::Ipv4Header), "ipv4.hdr"),
    (Meaning::Packet(Buffer::Ipv6Header), "ipv6.hdr"),
    (Meaning::Packet(Buffer::TcpHeader), "tcp.hdr"),
    (Meaning::Packet(Buffer::UdpHeader), "udp.hdr"),
    (Meaning::Packet(Buffer::Icmpv4Header), "icmpv4.hdr"),
    (Meaning::Packet(Buffer::Icmpv6Header), "icmpv6.hdr"),
    // HTTP.
    (
        application(Carry::Raw, Part::Request),
        "http.method http.request_line http.uri.raw http.user_agent http.accept http.accept_enc http.accept_lang \
         http.referer http.host.raw http.request_header http_method http_request_line http_raw_uri http_user_agent \
         http_accept http_accept_enc http_accept_lang http_referer http_raw_host http_raw_request",
    ),
    (application(Carry::Uri, Part::Request), "http.uri http_uri http_param"),
    (application(Carry::Caseless, Part::Request), "http.host http_host"),
    (
        application(Carry::Raw, Part::Response),
        "http.stat_code http.stat_msg http.response_line http.server http.location http.response_header http_stat_code \
         http_stat_msg http_response_line http_server http_location http_raw_status",
    ),
    (
        application(Carry::Raw, Part::Head),
        "http.header http.header.raw http.cookie http.content_type http.content_len http.connection http.start \
         http.protocol http_header http_raw_header http_cookie http_raw_cookie http_content_type http_content_len \
         http_connection http_start http_protocol http_version http_trailer http_raw_trailer",
    ),
    (application(Carry::Lines, Part::Head), "http.header_names http_header_names"),
    (
        application(Carry::Raw, Part::Body),
        "http.request_body http.response_body http_client_body http_server_body http_raw_body file.data file_data",
    ),
    (application(Carry::Not, Part::Head), "http2.header http2.header_name http_true_ip"),
    (application(Carry::Not, Part::Body), "js_data vba_data base64_data dnp3_data websocket.payload"),
    (
        undecided(Why::Application),
        "urilen http2.frametype http2.errorcode http2.priority http2.window http2.size_update http2.settings \
         http_version_match http_num_headers http_num_trailers http_num_cookies http_header_test http_trailer_test \
         http_max_header_line http_max_trailer_line",
    ),
    // DNS.
    (application(Carry::Labels, Part::Head), "dns.query dns_query dns.query.name dns.queries.rrname"),
    (application(Carry::Not, Part::Head), "dns.answer.name dns.answers.rrname"),
    (undecided(Why::Application), "dns.opcode dns.rcode dns.rrtype"),
    // TLS.
    (application(Carry::Raw, Part::Request), "tls.sni tls_sni"),
    (application(Carry::Raw, Part::Head), "tls.random tls.random_time tls.random_bytes"),
    (application(Carry::Raw, Part::Response), "tls.certs tls.subjectaltname"),
    (
        application(Carry::Name, Part::Response),
        "tls.cert_subject tls.cert_issuer tls_cert_subject tls_cert_issuer",
    ),
    (
        application(Carry::Not, Part::Head),
        "tls.cert_serial tls.cert_fingerprint tls_cert_serial tls_cert_fingerprint tls.alpn ja3.hash ja3.string ja3s.hash \
         ja3s.string ja3_hash ja3_string ja3s_hash ja3s_string ja4.hash",
    ),
    (
        undecided(Why::Application),
        "tls.version tls.subject tls.issuerdn tls.fingerprint tls.store tls.cert_chain_len tls_cert_notbefore \
         tls_cert_notafter tls_cert_valid tls_cert_expired ssl_state ssl_version",
    ),
    // Other protocols.
    (
        application(Carry::Raw, Part::Head),
        "ssh.proto ssh.software ssh_proto ssh_software dce_stub_data dcerpc.stub_data snmp.community snmp.usm sip.method \
         sip.uri sip.protocol sip.stat_code sip.stat_msg sip.request_line sip.response_line sip_header sip_body rfb.name \
         mqtt.connect.clientid mqtt.connect.username mqtt.connect.password mqtt.connect.willtopic \
         mqtt.connect.willmessage mqtt.connect.protocol_string mqtt.publish.topic mqtt.publish.message \
         mqtt.subscribe.topic mqtt.unsubscribe.topic smtp.helo smtp.mail_from smtp.rcpt_to \
         modbus_data mms_data s7commplus_content gtp_info",
    ),
    (
        application(Carry::Not, Part::Head),
        "ssh.hassh ssh.hassh.server ssh.hassh.string ssh.hassh.server.string smb.named_pipe smb.share smb.ntlmssp_user \
         smb.ntlmssp_domain smb_named_pipe smb_share krb5_cname krb5_sname krb5.cname krb5.sname quic.sni quic.ua \
         quic.version quic.cyu.hash quic.cyu.string ike.vendor ike.nonce_payload ike.key_exchange_payload file.name \
         file.magic frame",
    ),
    (
        undecided(Why::Application),
        "service app-layer-protocol app-layer-event ssh.protoversion ssh.softwareversion smb.version dce_iface dce_opnum \
         dcerpc.iface dcerpc.opnum krb5_err_code krb5_msg_type krb5.ticket_encryption snmp.version snmp.pdu_type \
         sip_method sip_stat_code ftpdata_command mqtt.type mqtt.flags mqtt.qos mqtt.protocol_version mqtt.reason_code \
         mqtt.connect.flags mqtt.connack.session_present rfb.secresult rfb.sectype ike.init_spi ike.resp_spi \
         ike.chosen_sa_attribute ike.exchtype ike.nonce_payload_length ike.key_exchange_payload_length nfs_procedure \
         nfs_version nfs.procedure nfs.version modbus modbus_func modbus_unit dnp3_func dnp3_ind dnp3_obj \
         enip_command enip_req enip_rsp cip_service cip_attribute cip_class cip_conn_path_class cip_instance cip_req \
         cip_rsp cip_status dhcp.leasetime dhcp.rebinding_time dhcp.renewal_time filename fileext filemagic filemd5 \
         filesha1 filesha256 filesize file_id file_meta file_type rpc gtp_type gtp_version appids iec104_apci_type \
         iec104_asdu_func mms_func s7commplus_func s7commplus_opcode opcua_msg_service \
         opcua_msg_type opcua_node_id opcua_node_namespace_index",
    ),
    // Changes of a buffer.
    (Meaning::Transform(Carry::Dot), "dotprefix"),
    (Meaning::Transform(Carry::Caseless), "to_lowercase to_uppercase header_lowercase casechange"),
    (Meaning::Transform(Carry::Uri), "url_decode"),
    (Meaning::Transform(Carry::Words), "compress_whitespace"),
    (Meaning::Transform(Carry::Raw), "strip_pseudo_headers"),
    (
        Meaning::Transform(Carry::Not),
        "strip_whitespace to_md5 to_sha1 to_sha256 pcrexform xor from_base64 luaxform",
    ),
    // What lies outside of the packet.
    (
        undecided(Why::State),
        "xbits hostbits flowint flowvar pktvar hostvar stream_size stream-event flow.age flow.pkts_toclient \
         flow.pkts_toserver flow.bytes_toclient flow.bytes_toserver",
    ),
    (undecided(Why::Data), "dataset datarep geoip iprep lua luajit ip.src ip.dst"),
    // What of the packet is not looked at.
    (
        undecided(Why::NotRead),
        "ipv4-csum tcpv4-csum tcpv6-csum udpv4-csum udpv6-csum icmpv4-csum icmpv6-csum decode-event engine-event asn1 cvs \
         ftpbounce base64_decode icmpv6.mtu l3_proto wscale sd_pattern config requires",
    ),
    (Meaning::Undecided(Why::NotRead, true), "ber_data ber_skip md5 sha256 sha512 regex"),
];

static TABLE: LazyLock<HashMap<&'static str, Meaning>> = LazyLock::new(|| {
    let each = GROUPS.iter().flat_map(|(meaning, names)| names.split(' ').map(|name| (name, *meaning)));
    each.collect()
});

/// What the option of that name (lower case) means.
pub(super) fn meaning(name: &str) -> Option<Meaning> {
    TABLE.get(name).copied()
}

/// Names that stand behind their content in Suricata and in Snort 2, and before theirs in Snort 3.
pub(super) fn is_modifier(name: &str) -> bool {
    [
        "http_client_body",
        "http_cookie",
        "http_header",
        "http_host",
        "http_method",
        "http_raw_header",
        "http_raw_cookie",
        "http_raw_host",
        "http_raw_uri",
        "http_server_body",
        "http_stat_code",
        "http_stat_msg",
        "http_uri",
        "http_user_agent",
    ]
    .contains(&name)
}

/// Names that only Snort 3 has.
pub(super) fn is_snort3(name: &str) -> bool {
    [
        "service",
        "bufferlen",
        "raw_data",
        "http_param",
        "http_raw_request",
        "http_raw_status",
        "http_version",
        "rem",
    ]
    .contains(&name)
}

/// The buffer that a flag of `pcre` means, by its name; none for a flag that means no buffer.
pub(super) fn of_pcre_flag(flag: char) -> Option<&'static str> {
    Some(match flag {
        'U' => "http.uri",
        'I' => "http.uri.raw",
        'P' => "http.request_body",
        'Q' => "http.response_body",
        'H' => "http.header",
        'D' => "http.header.raw",
        'M' => "http.method",
        'C' | 'K' => "http.cookie",
        'S' => "http.stat_code",
        'Y' => "http.stat_msg",
        'V' => "http.user_agent",
        'W' => "http.host",
        'Z' => "http.host.raw",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_stands_once() {
        let names: Vec<_> = GROUPS.iter().flat_map(|(_, names)| names.split(' ')).collect();
        let twice: Vec<_> =
            names.iter().filter(|name| names.iter().filter(|other| other == name).count() > 1).collect();
        assert!(twice.is_empty(), "{twice:?}");
        assert!(names.iter().all(|name| !name.is_empty() && *name == name.to_ascii_lowercase()));
        for flag in "UIPQHDMCKSYVWZ".chars() {
            assert!(matches!(
                meaning(of_pcre_flag(flag).unwrap_or_default()),
                Some(Meaning::Application(..))
            ));
        }
    }
}

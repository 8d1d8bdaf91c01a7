//! The class of a rule, why, and what a prefilter keeps of it.

use super::*;
use crate::rules::detect::Buffer;

/// Class, reason, and what is evaluated as options.
fn of(rule: &str) -> (String, String) {
    let rule = one(rule);
    (rule.class.to_string(), rule.detect.to_string().trim_start().to_owned())
}

#[track_caller]
fn assert_prefilter(rule: &str, reason: &str, kept: &str) {
    let (class, text) = of(rule);
    assert_eq!((class.as_str(), text.as_str()), (format!("prefilter: {reason}").as_str(), kept), "{rule}");
}

#[test]
fn protocols_of_the_application_layer_are_headers_of_tcp_and_udp() {
    for (protocol, text) in [
        ("http", "tcp any any -> any 80"),
        ("TLS", "tcp any any -> any 80"),
        ("ntp", "udp any any -> any 80"),
        ("dns", "ip:0x06/0xff,0x11/0xff any any -> any 80"),
        ("dns:request", "ip:0x06/0xff,0x11/0xff any any -> any 80"),
    ] {
        let rule = one(&format!("alert {protocol} any any -> any 80 (sid:1;)"));
        let reason = format!("application layer (protocol {})", protocol.to_ascii_lowercase());
        assert_eq!(rule.class, RuleClass::Prefilter(reason), "{protocol}");
        assert_eq!(rule.condition.to_string(), text, "{protocol}");
        assert!(rule.detect.is_empty());
    }
    // Snort 3.
    let rule = one("alert http (sid:1;)");
    assert_eq!(rule.condition.to_string(), "tcp any any -> any any");
    let rule = one("alert new_service(sid:1;)");
    assert_eq!(rule.class, RuleClass::Prefilter("application layer (protocol new_service)".to_owned()));
    assert_prefilter(
        "alert file ( file_data; content:\"MZ\",depth 2; sid:1; )",
        "application layer (protocol file, file_data)",
        "content:\"MZ\";",
    );
}

#[test]
fn contents_of_application_buffers_are_sought_anywhere() {
    let rule = |options: &str| format!("alert tcp any any -> any any ({options} sid:1;)");
    for (options, reason, kept) in [
        ("http.method; content:\"GET\"; startswith;", "http.method", "content:\"GET\";"),
        ("content:\"/a\"; http_uri; depth:2;", "http_uri", "content:\"/a\";"),
        (
            "http_uri; content:\"/a\",fast_pattern,nocase;",
            "http_uri",
            "content:\"/a\"; nocase; fast_pattern;",
        ),
        ("uricontent:\"/a b\";", "uricontent", "content:\"/a\"; content:\"b\";"),
        ("http.host; content:\"example.org\"; bsize:11;", "http.host", "content:\"example.org\"; nocase;"),
        (
            "dns.query; content:\"www.example.org\"; nocase; endswith;",
            "dns.query",
            "content:\"www|07|example|03|org\"; nocase;",
        ),
        ("tls.sni; dotprefix; content:\".example.org\";", "tls.sni", "content:\"example.org\";"),
        ("tls.cert_subject; content:\"CN=example\";", "tls.cert_subject", "content:\"example\";"),
        (
            "http.header_names; content:\"|0d 0a|Host|0d 0a|\"; content:!\"Accept\";",
            "http.header_names",
            "content:\"Host\";",
        ),
        (
            "http.uri; content:\"|3c|script|3e|\"; fast_pattern:1,6;",
            "http.uri",
            "content:\"script\"; fast_pattern;",
        ),
        ("http.cookie; to_sha256; content:\"abc\";", "http.cookie", ""),
        ("ja3.hash; content:\"abc\";", "ja3.hash", ""),
        ("pcre:\"/a/U\"; urilen:>5;", "http.uri, urilen", ""),
        // The same bytes once, the mark of the writer kept.
        (
            "http.uri; content:\"/a\"; http.uri.raw; content:\"/a\"; fast_pattern;",
            "http.uri, http.uri.raw",
            "content:\"/a\"; fast_pattern;",
        ),
    ] {
        assert_prefilter(&rule(options), &format!("application layer ({reason})"), kept);
    }
}

#[test]
fn one_part_of_a_conversation_is_sought() {
    let rule = |options: &str| format!("alert tcp any any -> any any ({options} sid:1;)");
    for (options, reason, kept) in [
        // Request and body may lie in two packets: the longest content decides, or the writer's mark.
        (
            "http.method; content:\"POST\"; http.request_body; content:\"long body\";",
            "http.method, http.request_body",
            "content:\"long body\";",
        ),
        (
            "http.method; content:\"POST\"; fast_pattern; http.request_body; content:\"long body\";",
            "http.method, http.request_body",
            "content:\"POST\"; fast_pattern;",
        ),
        // A head of either direction is that of the flow's direction.
        (
            "flow:to_client; http.stat_code; content:\"200\"; http.header; content:\"Server\"; file.data; content:\"a\";",
            "http.stat_code, http.header, file.data",
            "flow:to_client; content:\"200\"; content:\"Server\";",
        ),
        (
            "http.uri; content:\"/a\"; http.header; content:\"Host\";",
            "http.uri, http.header",
            "content:\"/a\"; content:\"Host\";",
        ),
        // Contents of the payload keep their places where they lead to the rule.
        (
            "content:\"longer\"; depth:9; byte_test:1,>,2,0; http.method; content:\"GET\";",
            "http.method",
            "content:\"longer\"; depth:9; byte_test:1,>,2,0;",
        ),
        (
            "content:\"a\"; depth:9; byte_test:1,>,2,0; http.method; content:\"GET\";",
            "http.method",
            "content:\"GET\";",
        ),
        (
            "tcp.hdr; content:\"a\"; offset:3; http.method; content:\"GET\";",
            "http.method",
            "tcp.hdr; content:\"a\"; offset:3; pkt_data; content:\"GET\";",
        ),
        // Files of mail are base64.
        ("service:smtp; file_data; content:\"abc\";", "service, file_data", ""),
        ("service:smtp, http; file_data; content:\"abc\";", "service, file_data", "content:\"abc\";"),
    ] {
        assert_prefilter(&rule(options), &format!("application layer ({reason})"), kept);
    }
}

#[test]
fn what_cannot_be_evaluated_is_left_out_and_said() {
    let rule = |options: &str| format!("alert tcp any any -> any any ({options} sid:1;)");
    let state = "state of flows and hosts";
    for (options, reason, kept) in [
        (
            "flowbits:isset,a; content:\"a\"; offset:1;",
            format!("{state} (flowbits:isset)"),
            "content:\"a\"; offset:1;",
        ),
        (
            "flowbits:isnotset,a; xbits:isset,b,track ip_src;",
            format!("{state} (flowbits:isnotset, xbits:isset)"),
            "",
        ),
        ("flowint:a,>,3; stream_size:client,<,5;", format!("{state} (flowint, stream_size)"), ""),
        ("threshold:type limit,track by_flow,count 1,seconds 2;", format!("{state} (threshold by_flow)"), ""),
        // Of a stream a packet does not know the places, nor what is not there.
        (
            "flow:only_stream; content:\"a\"; depth:1; content:!\"b\"; pcre:\"/c/\"; content:\"d\"; distance:1; dsize:3;",
            "reassembly (flow:only_stream)".to_owned(),
            "dsize:3; content:\"a\"; content:\"d\";",
        ),
        // What counts from where an unknown test ended.
        (
            "content:\"a\"; ber_data:0x30; content:\"b\"; distance:1; within:2; content:\"c\"; distance:3;",
            "not looked at (ber_data)".to_owned(),
            "content:\"a\"; content:\"b\"; content:\"c\"; distance:3;",
        ),
        (
            "content:\"a\"; ber_skip:1; byte_test:1,>,2,0,relative; pcre:\"/x/R\"; content:!\"b\"; within:2; \
             byte_jump:1,0,relative; isdataat:!1,relative; content:\"d\"; offset:4; content:\"e\"; distance:1;",
            "not looked at (ber_skip)".to_owned(),
            "content:\"a\"; content:\"d\"; offset:4; content:\"e\"; distance:1;",
        ),
        // A variable without a value.
        (
            "byte_extract:2,0,n,dce; content:\"a\"; offset:n; content:\"b\"; byte_test:1,=,n,0; isdataat:n;",
            "application layer (dce)".to_owned(),
            "content:\"a\"; content:\"b\";",
        ),
        (
            "content:\"a\"; tcp.hdr; byte_extract:1,0,n; pkt_data; content:\"b\"; offset:n;",
            "not looked at (variable of another buffer)".to_owned(),
            "content:\"a\"; content:\"b\"; tcp.hdr; byte_extract:1,0,n;",
        ),
        ("tcpv4-csum:invalid;", "not looked at (tcpv4-csum)".to_owned(), ""),
        ("lua:a.lua; geoip:src,XX;", "data outside of the packet (lua, geoip)".to_owned(), ""),
        (
            "bufferlen:>500,relative; content:\"a\";",
            "not looked at (bufferlen relative)".to_owned(),
            "content:\"a\";",
        ),
    ] {
        assert_prefilter(&rule(options), &reason, kept);
        let rule = one(&rule(options));
        assert!(!rule.detect.dropped.is_empty(), "{options}");
    }
    let (class, _) = of("alert tcp-stream any any -> any any (content:\"a\"; offset:3; sid:1;)");
    assert_eq!(class, "prefilter: reassembly (protocol tcp-stream)");
}

#[test]
fn a_transaction_selects_every_packet_of_either_direction() {
    let rule =
        one("alert http any any => 10.0.0.1 any (flow:to_server; http.uri; content:\"/a\"; dsize:5; sid:1;)");
    let reason = "application layer (protocol http, transactions =>, http.uri)";
    assert_eq!(rule.class, RuleClass::Prefilter(reason.to_owned()));
    assert!(rule.bidirectional && rule.detect.buffers.is_empty() && rule.detect.fields.is_empty());
    assert_eq!(rule.detect.flow.direction, None);
}

#[test]
fn a_variable_of_an_earlier_buffer_is_fine() {
    let rule = one(
        "alert tcp any any -> any any (tcp.hdr; byte_extract:1,0,n; pkt_data; content:\"b\"; offset:n; sid:1;)",
    );
    assert_eq!(rule.class, RuleClass::ExactOnHost);
    let buffers: Vec<_> = rule.detect.buffers.iter().map(|buffer| buffer.buffer).collect();
    assert_eq!(buffers, [Buffer::TcpHeader, Buffer::Payload]);
}

#[test]
fn every_class_has_a_name_and_kinds_of_reasons() {
    let names = RuleClass::each().map(|class| class.name());
    assert_eq!(names, ["exact on card", "exact with host verification", "prefilter", "refused"]);
    let reason = "application layer (http.uri, http.method); state of flows and hosts (flowbits:isset)";
    let class = RuleClass::Prefilter(reason.to_owned());
    assert_eq!(class.kinds(), ["application layer", "state of flows and hosts"]);
    assert_eq!(
        RuleClass::Refused("option a is not known; b".to_owned()).kinds(),
        ["option a is not known", "b"]
    );
    assert_eq!(RuleClass::Exact.kinds(), [""; 0]);
}

//! What each report writes of the same decisions, letter by letter.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::time::Duration;

use wiresift_abi::vector::Flags;

use super::csv::Csv;
use super::eve::Eve;
use super::table::Table;
use super::*;
use crate::capture::synthesize;
use crate::decision::Decision;
use crate::device::{Batch, PacketInfo};
use crate::metadata::{AclInfo, Metadata, SignatureInfo};
use crate::rules::detect::Detect;
use crate::rules::model::{AclAction, Origin, RuleClass, SignatureAction};

fn origin(file: &str, line: u32) -> Origin {
    Origin { file: file.to_owned(), line }
}

fn signature(sid: u32, action: SignatureAction, msg: &str) -> SignatureInfo {
    SignatureInfo {
        sid,
        gid: 1,
        rev: 3,
        action,
        msg: msg.to_owned(),
        classtype: None,
        priority: None,
        references: vec![],
        metadata: vec![],
        class: RuleClass::Exact,
        detect: Detect::default(),
        origin: origin("a.rules", sid),
    }
}

fn metadata() -> Arc<Metadata> {
    let acl = |line| AclInfo { action: AclAction::Match, origin: origin("a.acl", line) };
    let mut web = signature(30, SignatureAction::Alert, "web \"quoted\" \u{1b}[31m");
    web.classtype = Some("web-application-attack".to_owned());
    web.metadata = vec![("tag".to_owned(), "b".to_owned()), ("at".to_owned(), "x".to_owned())];
    web.metadata.push(("tag".to_owned(), "a".to_owned()));
    let mut own = signature(20, SignatureAction::Alert, "own class");
    own.classtype = Some("our-own".to_owned());
    own.priority = Some(7);
    let drop = signature(10, SignatureAction::Drop, "dropped");
    let pass = signature(5, SignatureAction::Pass, "passed");
    Arc::new(Metadata {
        acl: vec![acl(1), acl(4)],
        signatures: vec![web, own, drop, pass],
        ..Metadata::default()
    })
}

fn packet(protocol: u8) -> Vec<u8> {
    let mut packet = Vec::new();
    synthesize(0x0a00_0001, 0xc0a8_0102, [1234, 80], protocol, &mut packet);
    packet
}

/// Two batches; the second begins with packet number 4.
fn decided() -> [Decided; 2] {
    let decision = |acl, signatures: &[u32], flags| Decision {
        acl,
        signatures: signatures.to_vec(),
        suspects: Vec::new(),
        flags: Flags(flags),
    };
    let mut first = Batch::new(0);
    let info = |capture, number| PacketInfo {
        nanos: 1_491_607_477_251_547_999 + number,
        wire_length: 1500,
        capture,
        number,
    };
    first.push(&packet(6), info(0, 1));
    first.push(&packet(17), info(0, 2));
    first.push(&packet(6), info(1, 1));
    let mut icmp = Vec::new();
    synthesize(1, 2, [0, 0], 1, &mut icmp);
    icmp.extend([8, 0, 0, 0, 0, 0, 0, 0]);
    icmp[17] += 8;
    let mut second = Batch::new(3);
    second.push(&icmp, info(1, 2));
    let card_only = Flags::DEFER | Flags::CUT;
    let all = Flags::NAMES.into_iter().fold(card_only, |all, (bit, _)| all | bit);
    [
        Decided {
            batch: Arc::new(first),
            decisions: vec![
                decision(Some(0), &[0, 1, 2], 0),
                decision(None, &[0, 3], Flags::TRUNCATED),
                decision(Some(1), &[], all),
            ],
        },
        Decided { batch: Arc::new(second), decisions: vec![decision(Some(1), &[1], Flags::TUNNEL)] },
    ]
}

fn totals() -> Totals {
    Totals {
        packets: 4,
        bytes: 6000,
        elapsed: Duration::from_millis(2),
        reloads: 0,
        device: vec![("cycles".to_owned(), "123".to_owned())],
    }
}

fn told(report: &mut dyn Report) {
    for decided in decided() {
        report.decided(&decided).unwrap();
        report.flush().unwrap();
    }
    report.finish(&totals()).unwrap();
}

#[test]
fn csv_has_one_line_a_packet() {
    let mut out = Vec::new();
    told(&mut Csv::new(&mut out, metadata()));
    let expected = "\
packet,action,acl_rule,signatures,flags
1,match,1,10;20;30,
2,none,,5;30,truncated
3,match,2,,truncated;malformed;fragment;non_ip;vlan_depth;tunnel;ext_chain;jumbo;suspect
4,match,2,20,tunnel
";
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

#[test]
fn csv_without_packets_is_its_header() {
    let mut out = Vec::new();
    Csv::new(&mut out, metadata()).finish(&totals()).unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), format!("{}\n", csv::HEADER));
}

#[test]
fn eve_has_the_records_of_suricata() {
    let mut out = Vec::new();
    let names = vec!["a.pcap".to_owned(), "b.pcap".to_owned()];
    told(&mut Eve::new(&mut out, metadata(), names));
    let expected = [
        r#"{"timestamp":"2017-04-07T23:24:37.251548+0000","event_type":"alert","src_ip":"10.0.0.1","src_port":1234,"dest_ip":"192.168.1.2","dest_port":80,"proto":"TCP","pcap_cnt":1,"pcap_filename":"a.pcap","alert":{"action":"blocked","gid":1,"signature_id":10,"rev":3,"signature":"dropped","category":"","severity":3}}"#,
        r#"{"timestamp":"2017-04-07T23:24:37.251548+0000","event_type":"alert","src_ip":"10.0.0.1","src_port":1234,"dest_ip":"192.168.1.2","dest_port":80,"proto":"TCP","pcap_cnt":1,"pcap_filename":"a.pcap","alert":{"action":"allowed","gid":1,"signature_id":30,"rev":3,"signature":"web \"quoted\" \u001b[31m","category":"Web Application Attack","severity":1,"metadata":{"at":["x"],"tag":["b","a"]}}}"#,
        r#"{"timestamp":"2017-04-07T23:24:37.251548+0000","event_type":"alert","src_ip":"10.0.0.1","src_port":1234,"dest_ip":"192.168.1.2","dest_port":80,"proto":"TCP","pcap_cnt":1,"pcap_filename":"a.pcap","alert":{"action":"allowed","gid":1,"signature_id":20,"rev":3,"signature":"own class","category":"our-own","severity":7}}"#,
        r#"{"timestamp":"2017-04-07T23:24:37.251548+0000","event_type":"alert","src_ip":"0.0.0.1","dest_ip":"0.0.0.2","proto":"ICMP","icmp_type":8,"icmp_code":0,"pcap_cnt":4,"pcap_filename":"b.pcap","alert":{"action":"allowed","gid":1,"signature_id":20,"rev":3,"signature":"own class","category":"our-own","severity":7}}"#,
    ];
    let text = String::from_utf8(out).unwrap();
    assert_eq!(text.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn eve_writes_ipv6_addresses_in_full() {
    let address = "2001:db8::a:1".parse().unwrap();
    assert_eq!(eve::full_address(address), "2001:0db8:0000:0000:0000:0000:000a:0001");
}

#[test]
fn the_table_shows_what_matched_and_the_totals() {
    let mut out = Vec::new();
    told(&mut Table::new(&mut out, metadata()));
    let expected = "\
╭──────────┬─────────┬────────┬─────────┬───────╮
│ ACL rule │ where   │ action │ packets │ bytes │
├──────────┼─────────┼────────┼─────────┼───────┤
│ 1        │ a.acl:1 │ match  │       1 │    54 │
│ 2        │ a.acl:4 │ match  │       2 │    96 │
│ none     │         │ none   │       1 │    42 │
╰──────────┴─────────┴────────┴─────────┴───────╯
";
    let text = String::from_utf8(out).unwrap();
    println!("{text}");
    assert!(text.starts_with(expected), "{text}");
    for line in [
        "│ 30        │ alert  │ web \"quoted\" \u{fffd}[31m                │ a.rules:30 │       2 │    96 │",
        "│ 5         │ pass   │ passed                             │ a.rules:5  │       1 │    42 │",
        "│ any       │        │ packets with at least one signature │            │       3 │   138 │",
    ] {
        let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(squeezed(&text).contains(&squeezed(line)), "{line}");
    }
    for line in [
        "│ tunnel     │       2 │    96 │",
        "│ truncated  │       2 │    96 │",
        "│ packets          │     4 │",
    ] {
        assert!(text.contains(line), "{line}");
    }
    assert!(text.contains("│ packets a second │ 2,000 │") && text.contains("│ cycles           │   123 │"));
}

#[test]
fn the_table_leaves_out_what_did_not_match_and_parts_without_rules() {
    let mut out = Vec::new();
    Table::new(&mut out, Arc::default()).finish(&totals()).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(!text.contains("ACL") && !text.contains("signature") && !text.contains("flag"), "{text}");
}

#[test]
fn suspects_are_told_apart_from_matches() {
    let mut metadata = Metadata::clone(&metadata());
    metadata.signatures[0].class = RuleClass::Prefilter("application layer (http.uri)".to_owned());
    metadata.signatures[1].class = RuleClass::ExactOnHost;
    let metadata = Arc::new(metadata);
    let mut batch = Batch::new(0);
    batch.push(&packet(6), PacketInfo { number: 1, ..PacketInfo::default() });
    batch.push(&packet(6), PacketInfo { number: 2, ..PacketInfo::default() });
    let decision = |signatures: &[u32], suspects: &[u32]| Decision {
        acl: None,
        signatures: signatures.to_vec(),
        suspects: suspects.to_vec(),
        flags: Flags(if suspects.is_empty() { 0 } else { Flags::SUSPECT }),
    };
    // The second packet matches a `pass` signature and went over the budget before it was decided by another one.
    let decisions = vec![decision(&[1, 2], &[0]), decision(&[3], &[1])];
    let decided = Decided { batch: Arc::new(batch), decisions };
    let text = |report: &mut dyn Report| {
        report.decided(&decided).unwrap();
        report.finish(&totals()).unwrap();
    };
    let (mut csv, mut eve, mut table) = (Vec::new(), Vec::new(), Vec::new());
    text(&mut Csv::new(&mut csv, metadata.clone()));
    assert_eq!(
        String::from_utf8(csv).unwrap(),
        format!("{}\n1,none,,10;20,suspect\n2,none,,5,suspect\n", csv::HEADER)
    );
    text(&mut Eve::new(&mut eve, metadata.clone(), vec!["a.pcap".to_owned()]));
    let eve = String::from_utf8(eve).unwrap();
    let records: Vec<serde_json::Value> =
        eve.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<_> = records
        .iter()
        .map(|record| {
            let kind = record["event_type"].as_str().unwrap();
            assert_eq!(record.get("alert").is_some(), kind == "alert");
            (kind, record["pcap_cnt"].as_u64().unwrap(), record[kind]["signature_id"].as_u64().unwrap())
        })
        .collect();
    assert_eq!(told, [("alert", 1, 10), ("alert", 1, 20), ("suspect", 1, 30), ("suspect", 2, 20)]);
    assert_eq!(records[2]["suspect"]["reason"], "application layer (http.uri)");
    assert_eq!(records[3]["suspect"]["reason"], "verification went over the budget of the packet");
    assert_eq!(records[2]["suspect"]["category"], "Web Application Attack");
    text(&mut Table::new(&mut table, metadata));
    let table = String::from_utf8(table).unwrap();
    let squeezed: String = table.split_whitespace().collect::<Vec<_>>().join(" ");
    for row in [
        "│ exact │ 2 matches │ 2 │ 108 │",
        "│ exact with host verification │ 1 matches │ 1 │ 54 │",
        "│ prefilter │ 2 suspects │ 2 │ 108 │",
        "│ suspect │ 2 │ 108 │",
    ] {
        assert!(squeezed.contains(row), "{row}\n{table}");
    }
}

//! EVE: Suricata's alert records, one JSON object a line
//! (<https://docs.suricata.io/en/latest/output/eve/eve-json-format.html>).
//!
//! A packet that a `pass` signature matches gives no record, whatever else matches it, because Suricata
//! looks at `pass` rules first. Records of one packet come in Suricata's order: by action (drop,
//! reject, alert), then severity, then place in the rule files. ACL rules give no records.
//!
//! A signature that makes the packet a suspect gives a record of the type `suspect`, which Suricata does not have: where an
//! alert has `alert` it has `suspect`, without an action and with the `reason` for which a packet alone does not decide the
//! signature. These records come behind the alerts, in the order of the rule files, also of a packet that a `pass` signature
//! matches: the IDS that gets the packet has that signature too.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::IpAddr;
use std::sync::Arc;

use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use super::{Report, classification};
use crate::decision::Decision;
use crate::device::{Decided, PacketInfo};
use crate::engine::reference::headers::Headers;
use crate::metadata::{Metadata, SignatureInfo};
use crate::rules::model::{RuleClass, SignatureAction};
use crate::session::Totals;

/// Suricata's time stamp; the zone is always UTC.
const TIMESTAMP: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]+0000");

/// Reason of a suspect that a packet alone would decide.
const OVER_BUDGET: &str = "verification went over the budget of the packet";

/// Writes a record for each alert and each suspect.
pub struct Eve<W> {
    out: W,
    metadata: Arc<Metadata>,
    captures: Vec<String>,
}

#[derive(Serialize)]
struct Record<'a> {
    timestamp: String,
    event_type: &'static str,
    src_ip: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    src_port: Option<u16>,
    dest_ip: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    dest_port: Option<u16>,
    proto: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    icmp_type: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    icmp_code: Option<u16>,
    pcap_cnt: u64,
    pcap_filename: &'a str,
    #[serde(flatten)]
    event: Event<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Event<'a> {
    Alert(Alert<'a>),
    Suspect(Suspect<'a>),
}

#[derive(Serialize)]
struct Alert<'a> {
    action: &'static str,
    gid: u32,
    signature_id: u32,
    rev: u32,
    signature: &'a str,
    category: &'a str,
    severity: u32,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    metadata: BTreeMap<&'a str, Vec<&'a str>>,
}

#[derive(Serialize)]
struct Suspect<'a> {
    gid: u32,
    signature_id: u32,
    rev: u32,
    signature: &'a str,
    category: &'a str,
    severity: u32,
    reason: &'a str,
}

impl<W: Write> Eve<W> {
    /// A report on `out`; `captures` are the names of the captures as on the command line.
    pub fn new(out: W, metadata: Arc<Metadata>, captures: Vec<String>) -> Self {
        Self { out, metadata, captures }
    }

    fn records(
        &mut self,
        number: u64,
        packet: &[u8],
        info: PacketInfo,
        decision: &Decision,
    ) -> io::Result<()> {
        let metadata = self.metadata.clone();
        let matching = decision.signatures.iter().map(|place| &metadata.signatures[*place as usize]);
        let mut matching = matching.collect::<Vec<_>>();
        if matching.iter().any(|signature| signature.action == SignatureAction::Pass) {
            matching.clear();
        }
        matching
            .sort_by_key(|signature| (action_order(signature.action), classification::severity(signature)));
        let headers = Headers::of(packet);
        let alerts = matching.into_iter().map(|signature| Event::Alert(Alert::of(signature)));
        let suspects = decision.suspects.iter().map(|place| &metadata.signatures[*place as usize]);
        for event in alerts.chain(suspects.map(|signature| Event::Suspect(Suspect::of(signature)))) {
            let capture = self.captures.get(info.capture as usize).map_or("", |name| name);
            let record = Record::of(number, &headers, info.nanos, capture, event);
            serde_json::to_writer(&mut self.out, &record)?;
            self.out.write_all(b"\n")?;
        }
        Ok(())
    }
}

impl<'a> Record<'a> {
    fn of(number: u64, headers: &Headers, nanos: u64, capture: &'a str, event: Event<'a>) -> Self {
        let ip = headers.ip.as_ref();
        let address = |address: Option<IpAddr>| address.map(full_address).unwrap_or_default();
        let protocol = ip.map_or(0, |ip| ip.protocol);
        let icmp = headers.aux.filter(|_| matches!(protocol, 1 | 58));
        let ports = ip.and_then(|ip| ip.ports);
        Record {
            timestamp: timestamp(nanos),
            event_type: match event {
                Event::Alert(_) => "alert",
                Event::Suspect(_) => "suspect",
            },
            src_ip: address(ip.map(|ip| ip.src)),
            src_port: ports.map(|(sport, _)| sport),
            dest_ip: address(ip.map(|ip| ip.dst)),
            dest_port: ports.map(|(_, dport)| dport),
            proto: protocol_name(protocol),
            icmp_type: icmp.map(|aux| aux >> 8),
            icmp_code: icmp.map(|aux| aux & 0xff),
            pcap_cnt: number,
            pcap_filename: capture,
            event,
        }
    }
}

impl<'a> Alert<'a> {
    fn of(signature: &'a SignatureInfo) -> Self {
        let mut metadata = BTreeMap::<_, Vec<_>>::new();
        for (key, value) in &signature.metadata {
            metadata.entry(key.as_str()).or_default().push(value.as_str());
        }
        Self {
            action: match signature.action {
                SignatureAction::Alert | SignatureAction::Pass => "allowed",
                SignatureAction::Drop | SignatureAction::Reject => "blocked",
            },
            gid: signature.gid,
            signature_id: signature.sid,
            rev: signature.rev,
            signature: &signature.msg,
            category: classification::category(signature),
            severity: classification::severity(signature),
            metadata,
        }
    }
}

impl<'a> Suspect<'a> {
    fn of(signature: &'a SignatureInfo) -> Self {
        Self {
            gid: signature.gid,
            signature_id: signature.sid,
            rev: signature.rev,
            signature: &signature.msg,
            category: classification::category(signature),
            severity: classification::severity(signature),
            reason: match &signature.class {
                RuleClass::Prefilter(reason) => reason,
                // A signature that a packet decides becomes a suspect where the host could not finish it.
                _ => OVER_BUDGET,
            },
        }
    }
}

/// Suricata's default `action-order`, without `pass`.
fn action_order(action: SignatureAction) -> u8 {
    match action {
        SignatureAction::Pass => 0,
        SignatureAction::Drop => 1,
        SignatureAction::Reject => 2,
        SignatureAction::Alert => 3,
    }
}

fn timestamp(nanos: u64) -> String {
    let time =
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(nanos)).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    time.format(TIMESTAMP).unwrap_or_default()
}

/// IPv4 as usual; IPv6 in full, as Suricata prints it.
pub(super) fn full_address(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => address.segments().map(|segment| format!("{segment:04x}")).join(":"),
    }
}

/// Suricata's names of protocols; it knows those of the system's list, here are the common ones, and
/// prints the others as three digits.
fn protocol_name(protocol: u8) -> String {
    let name = match protocol {
        1 => "ICMP",
        2 => "IGMP",
        4 => "IP-in-IP",
        6 => "TCP",
        17 => "UDP",
        41 => "IPv6",
        47 => "GRE",
        50 => "ESP",
        51 => "AH",
        58 => "IPv6-ICMP",
        89 => "OSPFIGP",
        103 => "PIM",
        112 => "VRRP",
        132 => "SCTP",
        other => return format!("{other:03}"),
    };
    name.to_owned()
}

impl<W: Write + Send> Report for Eve<W> {
    fn decided(&mut self, decided: &Decided) -> io::Result<()> {
        for (n, decision) in decided.decisions.iter().enumerate() {
            if !decision.signatures.is_empty() || !decision.suspects.is_empty() {
                let number = decided.batch.first + n as u64 + 1;
                self.records(number, decided.batch.packet(n), decided.batch.info(n), decision)?;
            }
        }
        Ok(())
    }

    fn rules(&mut self, metadata: Arc<Metadata>) {
        self.metadata = metadata;
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn finish(&mut self, _totals: &Totals) -> io::Result<()> {
        self.out.flush()
    }
}

//! Flows and thresholds.

use std::num::NonZeroUsize;

use super::*;
use crate::rules::detect::{Flow, FlowDirection, Threshold, ThresholdKind, Track};
use crate::verify::flow::{FlowState, FlowTable};
use crate::verify::threshold::Thresholds;

const SYN: u8 = 0x02;
const ACK: u8 = 0x10;
const RST: u8 = 0x04;

/// The packet the other way.
fn back(packet: &[u8]) -> Vec<u8> {
    let mut packet = packet.to_vec();
    let (src, dst): (Vec<u8>, Vec<u8>) = (packet[26..30].to_vec(), packet[30..34].to_vec());
    packet[26..30].copy_from_slice(&dst);
    packet[30..34].copy_from_slice(&src);
    packet[34..38].rotate_left(2);
    packet
}

fn update(table: &mut FlowTable, packet: &[u8]) -> Option<FlowState> {
    table.update(&Layers::new(packet, Header::of(packet)))
}

/// States after packets of TCP: flags, and whether it goes the other way. `s`/`c`: to server, to client; capital:
/// established.
fn states(packets: &[(u8, bool)]) -> String {
    let mut table = FlowTable::default();
    let step = |&(flags, is_back): &(u8, bool)| {
        let packet = tcp(flags, &[], b"");
        let packet = if is_back { back(&packet) } else { packet };
        let state = update(&mut table, &packet).unwrap();
        let letter = if state.direction == FlowDirection::ToServer { 's' } else { 'c' };
        if state.is_established { letter.to_ascii_uppercase() } else { letter }
    };
    packets.iter().map(step).collect()
}

#[test]
fn tcp_is_established_by_its_handshake() {
    let (syn, answer, ack) = ((SYN, false), (SYN | ACK, true), (ACK, false));
    assert_eq!(states(&[syn, answer, ack, (ACK, true), ack]), "scSCS");
    assert_eq!(states(&[syn, (ACK, true), ack]), "scs", "no SYN of the server");
    assert_eq!(states(&[syn, answer, (ACK, true), ack]), "sccS", "only a packet to the server ends it");
    assert_eq!(states(&[syn, answer, (SYN | ACK, false), ack]), "scsS");
    assert_eq!(states(&[ack, (SYN | ACK, true), ack]), "scs", "picked up in its middle");
    assert_eq!(states(&[answer, ack, (ACK, true)]), "csc", "begun by the answer: it comes from the server");
    assert_eq!(states(&[ack, syn, answer, ack]), "sscs", "a SYN in the middle begins nothing");
    assert_eq!(states(&[syn, syn, answer, ack]), "sscS", "a SYN again");
    assert_eq!(
        states(&[syn, answer, ack, (SYN, true), (SYN | ACK, false), (ACK, true)]),
        "scSscS",
        "anew, the other way"
    );
    assert_eq!(states(&[ack, (RST, true), syn, answer, ack]), "scscS", "anew behind a RST");
    assert_eq!(states(&[syn, answer, ack, (RST | ACK, true), ack]), "scSCS", "a RST alone ends nothing");
}

#[test]
fn a_flow_between_the_same_sides_goes_to_the_server_alone() {
    let mut table = FlowTable::default();
    for flags in [SYN | ACK, SYN, SYN | ACK, ACK, RST, SYN | ACK, ACK] {
        let mut packet = tcp(flags, &[], b"");
        packet.copy_within(26..30, 30);
        packet.copy_within(34..36, 36);
        let state = update(&mut table, &packet).unwrap();
        assert_eq!((state.direction, state.is_established), (FlowDirection::ToServer, false), "{flags:#x}");
    }
}

#[test]
fn everything_else_is_established_by_an_answer() {
    let mut table = FlowTable::default();
    let query = udp(b"");
    let states = [&query, &query, &back(&query), &query].map(|packet| update(&mut table, packet).unwrap());
    assert_eq!(states.map(|state| state.is_established), [false, false, true, true]);
    assert_eq!(states.map(|state| state.direction == FlowDirection::ToServer), [true, true, false, true]);
    // ICMP goes by addresses alone: these bytes are no ports.
    let echo = |kind| ipv4(1, &[kind, 0, 0, 0, 0, 1, 0, 1]);
    assert!(!update(&mut table, &echo(8)).unwrap().is_established);
    let mut reply = back(&echo(8));
    reply[34..38].copy_from_slice(&[0, 0, 9, 9]);
    assert!(update(&mut table, &reply).unwrap().is_established);
}

#[test]
fn a_segment_goes_on_where_the_one_before_it_ended() {
    let mut table = FlowTable::default();
    let segment = |sequence: u32, payload: &[u8], is_back: bool| {
        let mut packet = tcp(ACK, &[], payload);
        packet[38..42].copy_from_slice(&sequence.to_be_bytes());
        if is_back { back(&packet) } else { packet }
    };
    let packets = [
        (segment(u32::MAX, b"ab", false), false),
        (segment(1, b"", false), false),
        (segment(1, b"c", true), false),
        (segment(1, b"c", false), true),
        (segment(2, b"d", true), true),
        (segment(1, b"c", false), false),
    ];
    for (packet, continues) in packets {
        assert_eq!(update(&mut table, &packet).unwrap().continues, continues);
    }
}

#[test]
fn what_has_no_transport_header_has_no_flow() {
    let mut table = FlowTable::default();
    let mut later = udp(b"abc");
    later[21] = 1;
    let short = ipv4(6, &[0; 19]);
    for packet in [&later, &short, &ipv4(47, &[0; 20]), &vec![0; 60]] {
        assert_eq!(update(&mut table, packet), None);
    }
    let asks = |established, direction| Flow { established, direction }.holds(None);
    assert!(asks(None, None));
    assert!(!asks(Some(true), None) && !asks(Some(false), None));
    assert!(!asks(None, Some(FlowDirection::ToServer)));
}

#[test]
fn the_flow_used_least_recently_goes_first() {
    let mut table = FlowTable::with_capacity(NonZeroUsize::new(2).unwrap());
    let flow = |port: u8| {
        let mut packet = udp(b"");
        packet[35] = port;
        packet
    };
    update(&mut table, &flow(1));
    update(&mut table, &flow(2));
    update(&mut table, &flow(1));
    update(&mut table, &flow(3));
    assert_eq!(update(&mut table, &back(&flow(1))).unwrap().direction, FlowDirection::ToClient);
    assert_eq!(update(&mut table, &back(&flow(2))).unwrap().direction, FlowDirection::ToServer, "forgotten");
}

#[test]
fn thresholds_count_in_intervals() {
    const SECOND: u64 = 1_000_000_000;
    let header = Header::of(&udp(b""));
    let reported = |kind, times: &[u64]| {
        let threshold = Threshold { kind, track: Track::Source, count: 2, seconds: 10 };
        let mut thresholds = Thresholds::default();
        let count = |time: &u64| thresholds.count(7, &threshold, &header, *time);
        times.iter().map(count).map(|is| if is { 'y' } else { '.' }).collect::<String>()
    };
    let times = [0, SECOND, 2 * SECOND, 3 * SECOND, 10 * SECOND - 1, 10 * SECOND, 19 * SECOND, 20 * SECOND];
    assert_eq!(reported(ThresholdKind::Limit, &times), "yy...yyy");
    assert_eq!(reported(ThresholdKind::Threshold, &times), ".y.y..y.");
    assert_eq!(reported(ThresholdKind::Both, &times), ".y....y.");
    assert_eq!(reported(ThresholdKind::Filter, &times), "..yyy...");
    assert_eq!(reported(ThresholdKind::Limit, &[9 * SECOND, 9 * SECOND, 9 * SECOND, 8 * SECOND]), "yy.y");
}

#[test]
fn thresholds_track_what_they_say() {
    let (there, other) = (Header::of(&udp(b"")), Header::of(&back(&udp(b""))));
    let mut from_elsewhere = udp(b"");
    from_elsewhere[29] = 9;
    let elsewhere = Header::of(&from_elsewhere);
    for (track, expected) in [
        (Track::Source, [true, false, true, true]),
        (Track::Destination, [true, false, true, false]),
        (Track::Both, [true, false, false, true]),
        (Track::Rule, [true, false, false, false]),
    ] {
        let threshold = Threshold { kind: ThresholdKind::Limit, track, count: 1, seconds: 10 };
        let mut thresholds = Thresholds::default();
        let counted =
            [&there, &there, &other, &elsewhere].map(|header| thresholds.count(1, &threshold, header, 0));
        assert_eq!(counted, expected, "{track:?}");
        assert!(thresholds.count(2, &threshold, &there, 0), "another rule");
        thresholds.clear();
        assert!(thresholds.count(1, &threshold, &there, 0));
    }
}

//! Flows: who takes part, directions, when a flow is established.

use super::super::flows::{Flows, InFlow};
use super::*;
use crate::rules::detect::{Flow, FlowDirection};
use FlowDirection::{ToClient, ToServer};

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;

/// A packet from port `sport` to `dport` between 10.0.0.1 and 10.0.0.2, in the other direction with `back`.
fn packet(protocol: u8, ports: (u16, u16), flags: u8, back: bool) -> Vec<u8> {
    let mut header = ipv4(5, 40, 0, protocol);
    let (sport, dport) = if back { (ports.1, ports.0) } else { ports };
    if back {
        (header[15], header[19]) = (2, 1);
    }
    let mut transport = join(&[&sport.to_be_bytes(), &dport.to_be_bytes(), &[0; 16]]);
    (transport[12], transport[13]) = (0x50, flags);
    join(&[&ethernet(0x0800), &header, &transport])
}

fn note(flows: &mut Flows, packet: &[u8]) -> Option<InFlow> {
    flows.note(&Headers::of(packet))
}

/// Direction of each packet and whether the flow is established with it.
fn follow(packets: &[(u8, bool)]) -> Vec<(FlowDirection, bool)> {
    let mut flows = Flows::new();
    let one = |(flags, back): &(u8, bool)| {
        let InFlow { direction, established } =
            note(&mut flows, &packet(6, (1000, 80), *flags, *back)).unwrap();
        (direction, established)
    };
    packets.iter().map(one).collect()
}

fn established(packets: &[(u8, bool)]) -> Vec<bool> {
    follow(packets).into_iter().map(|(_, established)| established).collect()
}

/// SYN, SYN and ACK, ACK.
const HANDSHAKE: [(u8, bool); 3] = [(SYN, false), (SYN | ACK, true), (ACK, false)];

/// The handshake and more.
fn after_handshake(more: &[(u8, bool)]) -> Vec<bool> {
    established(&[&HANDSHAKE, more].concat()).split_off(3)
}

#[test]
fn a_handshake_establishes_a_flow() {
    let all =
        [&HANDSHAKE[..], &[(ACK, true), (ACK, false), (FIN | ACK, true), (RST, false), (0, true)]].concat();
    let expected = [
        (ToServer, false),
        (ToClient, false),
        (ToServer, true),
        (ToClient, true),
        (ToServer, true),
        (ToClient, true),
        (ToServer, true),
        (ToClient, true),
    ];
    assert_eq!(follow(&all), expected);
    // Other flags do not matter.
    assert_eq!(
        established(&[(SYN | 0xc0, false), (SYN | ACK | 0x40, true), (ACK | 8, false)]),
        [false, false, true]
    );
}

#[test]
fn each_step_of_a_handshake_is_needed() {
    for steps in [
        // No ACK, ACK from the wrong side, ACK with SYN.
        vec![(SYN, false), (SYN | ACK, true), (8, false)],
        vec![(SYN, false), (SYN | ACK, true), (ACK, true)],
        vec![(SYN, false), (SYN | ACK, true), (SYN | ACK, false)],
        // SYN and ACK from the wrong side, or without one of them.
        vec![(SYN, false), (SYN | ACK, false), (ACK, false)],
        vec![(SYN, false), (ACK, true), (ACK, false)],
        vec![(SYN, false), (SYN, true), (ACK, false)],
        // Picked up in its middle.
        vec![(SYN | ACK, true), (ACK, false), (ACK, true)],
        vec![(ACK, false), (ACK, true), (ACK, false)],
        vec![(0, false), (SYN, false), (SYN | ACK, true), (ACK, false)],
    ] {
        assert!(!established(&steps).contains(&true), "{steps:?}");
    }
    // Packets between the steps do no harm.
    let steps = [
        (SYN, false),
        (SYN, false),
        (0, true),
        (SYN | ACK, true),
        (SYN, false),
        (SYN | ACK, true),
        (ACK, false),
    ];
    assert_eq!(established(&steps).last(), Some(&true));
}

#[test]
fn the_first_packet_goes_to_the_server_but_for_syn_with_ack() {
    for (flags, direction) in [
        (SYN, ToServer),
        (ACK, ToServer),
        (0, ToServer),
        (RST, ToServer),
        (SYN | ACK, ToClient),
        (SYN | ACK | 8, ToClient),
    ] {
        assert_eq!(follow(&[(flags, false)])[0].0, direction, "{flags:#x}");
        let other = if direction == ToServer { ToClient } else { ToServer };
        assert_eq!(follow(&[(flags, false), (ACK, true)])[1].0, other, "{flags:#x}");
    }
}

#[test]
fn a_syn_begins_an_established_or_reset_flow_anew() {
    // Established: from the other side this time.
    let anew = [(SYN, true), (SYN | ACK, false), (ACK, true)];
    assert_eq!(after_handshake(&anew), [false, false, true]);
    let directions = follow(&[&HANDSHAKE[..], &anew].concat());
    assert_eq!(
        directions.iter().map(|(direction, _)| *direction).collect::<Vec<_>>()[3..],
        [ToServer, ToClient, ToServer]
    );
    // With ACK it does not.
    assert_eq!(after_handshake(&[(SYN | ACK, true), (ACK, false)]), [true, true]);
    // After RST, although it was never established.
    let reset = [(ACK, false), (RST, true), (SYN, true), (SYN | ACK, false), (ACK, true)];
    assert_eq!(established(&reset), [false, false, false, false, true]);
    assert_eq!(follow(&reset)[2].0, ToServer);
    // Neither: the SYN is one more packet of the flow.
    let middle = [(ACK, false), (SYN, true), (SYN | ACK, false), (ACK, true)];
    assert_eq!(established(&middle), [false; 4]);
    assert_eq!(follow(&middle)[1].0, ToClient);
    // What began anew is not reset.
    let again = [&reset[..3], &[(SYN, false), (SYN | ACK, false), (ACK, true)]].concat();
    assert_eq!(established(&again).last(), Some(&true));
    assert_eq!(follow(&again)[3].0, ToClient);
    // A RST leaves a flow established.
    assert_eq!(after_handshake(&[(RST, true), (ACK, false)]), [true, true]);
}

#[test]
fn other_protocols_are_established_by_the_second_direction() {
    for protocol in [17, 132, 1, 58] {
        let mut flows = Flows::new();
        for (back, expected) in [(false, false), (false, false), (true, true), (false, true), (true, true)] {
            // The byte of TCP's flags is no flag here.
            let found = note(&mut flows, &packet(protocol, (5, 6), SYN, back)).unwrap();
            let direction = if back { ToClient } else { ToServer };
            assert_eq!(found, InFlow { direction, established: expected }, "{protocol}");
        }
    }
}

#[test]
fn flows_are_told_apart_by_protocol_addresses_and_ports() {
    let mut flows = Flows::new();
    let mut direction = |packet: &[u8]| note(&mut flows, packet).unwrap().direction;
    assert_eq!(direction(&packet(17, (5, 6), 0, false)), ToServer);
    assert_eq!(direction(&packet(17, (5, 6), 0, true)), ToClient);
    // Others that begin with a packet in the other direction.
    for other in [
        packet(6, (5, 6), ACK, true),
        packet(132, (5, 6), 0, true),
        packet(17, (5, 7), 0, true),
        packet(17, (4, 6), 0, true),
        packet(17, (6, 5), 0, true),
        packet(1, (5, 6), 0, true),
        packet(58, (5, 6), 0, true),
    ] {
        assert_eq!(direction(&other), ToServer);
    }
    // ICMP has addresses alone: what stands where others have ports does not count.
    assert_eq!(direction(&packet(1, (99, 98), 0, false)), ToClient);
    // VLAN tags do not count.
    let plain = packet(17, (5, 6), 0, true);
    assert_eq!(direction(&join(&[&ethernet(0x8100), &[0, 5, 8, 0], &plain[14..]])), ToClient);
    // The same on both sides: every packet goes to the server.
    let mut same = packet(17, (5, 5), 0, false);
    same[33] = 1;
    for _ in 0..2 {
        assert_eq!(note(&mut flows, &same), Some(InFlow { direction: ToServer, established: false }));
    }
    // IPv6.
    let six = join(&[&ethernet(0x86dd), &ipv6(8, 17), &[0, 5, 0, 6, 0, 0, 0, 0]]);
    assert_eq!(note(&mut flows, &six).map(|found| found.direction), Some(ToServer));
}

#[test]
fn packets_without_a_whole_transport_header_are_of_no_flow() {
    let mut flows = Flows::new();
    for (protocol, whole) in [(6, 20), (17, 8), (132, 12), (1, 8), (58, 8)] {
        let packet = packet(protocol, (1, 2), ACK, false);
        for length in 34..54 {
            let found = note(&mut flows, &packet[..length]).is_some();
            assert_eq!(found, length >= 34 + whole, "{protocol} {length}");
        }
    }
    let later = join(&[&ethernet(0x0800), &ipv4(5, 40, 1, 17), &[0; 20]]);
    let other = join(&[&ethernet(0x0800), &ipv4(5, 40, 0, 47), &[0; 20]]);
    for none in [ethernet(0x0806), later, other] {
        assert_eq!(note(&mut flows, &none), None);
    }
    // The first fragment is of one.
    let first = join(&[&ethernet(0x0800), &ipv4(5, 40, 0x2000, 17), &[0; 20]]);
    assert!(note(&mut flows, &first).is_some());
}

#[test]
fn the_flow_whose_use_is_longest_ago_is_forgotten() {
    let mut flows = Flows::new();
    let mut direction = |ports, back| note(&mut flows, &packet(17, ports, 0, back)).unwrap().direction;
    for port in 0..=65535 {
        direction((port, 9), false);
    }
    // All are there; the answer makes the first the last used.
    assert_eq!(direction((0, 9), true), ToClient);
    direction((7, 10), false);
    // Flow 1 went, flow 0 did not. That flow 1 begins again takes flow 2.
    assert_eq!(direction((0, 9), true), ToClient);
    assert_eq!(direction((1, 9), true), ToServer);
    assert_eq!(direction((2, 9), true), ToServer);
    assert_eq!(direction((5, 9), true), ToClient);
}

#[test]
fn a_rule_asks_for_the_state_that_its_packet_leads_to() {
    let ask = |established, direction| {
        let detect = Detect { flow: Flow { established, direction }, ..Detect::default() };
        let mut judge = judge(detect);
        let one = |(flags, back)| !judge.decide(&packet(6, (1, 2), flags, back)).signatures.is_empty();
        [&HANDSHAKE[..], &[(ACK, true)]].concat().into_iter().map(one).collect::<Vec<_>>()
    };
    assert_eq!(ask(None, None), [true; 4]);
    assert_eq!(ask(Some(true), None), [false, false, true, true]);
    assert_eq!(ask(Some(false), None), [true, true, false, false]);
    assert_eq!(ask(None, Some(ToServer)), [true, false, true, false]);
    assert_eq!(ask(None, Some(ToClient)), [false, true, false, true]);
    assert_eq!(ask(Some(true), Some(ToClient)), [false, false, false, true]);
    // A packet of no flow satisfies nothing that is asked of one.
    for (established, direction) in
        [(Some(true), None), (Some(false), None), (None, Some(ToServer)), (None, Some(ToClient))]
    {
        let detect = Detect { flow: Flow { established, direction }, ..Detect::default() };
        let later = join(&[&ethernet(0x0800), &ipv4(5, 40, 1, 17), &[0; 20]]);
        assert!(!matches(&detect, &later));
    }
}

#[test]
fn packets_count_for_flows_whatever_the_rules_and_over_an_update_of_them() {
    let mut judge = Reference::new(&RuleSet::default());
    for (flags, back) in HANDSHAKE {
        judge.decide(&packet(6, (1, 2), flags, back));
    }
    let flow = Flow { established: Some(true), direction: None };
    let detect = Detect { flow, ..Detect::default() };
    let rule = Signature { detect, ..signature(anything(), false, RuleClass::ExactOnHost) };
    judge.update(&RuleSet { signatures: vec![rule], ..RuleSet::default() });
    assert_eq!(judge.decide(&packet(6, (1, 2), ACK, true)).signatures, [0]);
    assert_eq!(judge.decide(&packet(6, (1, 3), ACK, true)).signatures, [0; 0]);
}

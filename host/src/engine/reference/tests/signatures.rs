//! What becomes of a rule that matches: its class, `noalert`, both directions, suspects.

use super::*;
use crate::device::PacketInfo;
use crate::rules::detect::{FieldTest, Flow, FlowDirection, Threshold, ThresholdKind, Track};

fn rule(class: RuleClass, detect: Detect) -> Signature {
    Signature { detect, ..signature(anything(), false, class) }
}

fn prefilter() -> RuleClass {
    RuleClass::Prefilter("http.uri".to_owned())
}

fn decide(signatures: Vec<Signature>, packet: &[u8]) -> (Vec<u32>, Vec<u32>, bool) {
    let decision = Reference::new(&RuleSet { signatures, ..RuleSet::default() }).decide(packet);
    (decision.signatures, decision.suspects, decision.flags.0 & Flags::SUSPECT != 0)
}

#[test]
fn rules_that_match_are_reported_and_prefilters_make_suspects() {
    let has = |bytes| asks(Buffer::Payload, vec![content(bytes, |_| {})]);
    let refused = RuleClass::Refused("no".to_owned());
    let all = |bytes| {
        vec![
            rule(RuleClass::ExactOnHost, has(bytes)),
            rule(prefilter(), has(bytes)),
            rule(refused.clone(), has(bytes)),
            rule(RuleClass::Exact, Detect::default()),
            rule(prefilter(), has(bytes)),
        ]
    };
    assert_eq!(decide(all(b"abc"), &udp_packet(b"abc")), (vec![0, 3], vec![1, 4], true));
    assert_eq!(decide(all(b"abd"), &udp_packet(b"abc")), (vec![3], vec![], false));
}

#[test]
fn noalert_is_never_reported() {
    let quiet = Detect { noalert: true, ..Detect::default() };
    assert_eq!(
        decide(vec![rule(RuleClass::ExactOnHost, quiet.clone())], &udp_packet(b"")),
        (vec![], vec![], false)
    );
    // A suspect all the same.
    assert_eq!(decide(vec![rule(prefilter(), quiet)], &udp_packet(b"")), (vec![], vec![0], true));
}

#[test]
fn a_prefilter_asks_for_everything_but_established_and_thresholds() {
    let filter = Threshold { kind: ThresholdKind::Filter, track: Track::Rule, count: 9, seconds: 60 };
    let flow = |established, direction| Flow { established, direction };
    let fields = |length| vec![FieldTest::PayloadSize(exactly(length))];
    for (detect, expected) in [
        (Detect { threshold: Some(filter), ..Detect::default() }, true),
        (Detect { flow: flow(Some(true), None), ..Detect::default() }, true),
        (Detect { flow: flow(Some(false), None), ..Detect::default() }, true),
        (Detect { flow: flow(Some(true), Some(FlowDirection::ToServer)), ..Detect::default() }, true),
        (Detect { flow: flow(Some(true), Some(FlowDirection::ToClient)), ..Detect::default() }, false),
        (Detect { fields: fields(3), ..Detect::default() }, true),
        (Detect { fields: fields(4), ..Detect::default() }, false),
        (asks(Buffer::Payload, vec![content(b"b", |_| {})]), true),
        (asks(Buffer::Payload, vec![content(b"z", |_| {})]), false),
    ] {
        let (_, suspects, flag) = decide(vec![rule(prefilter(), detect.clone())], &udp_packet(b"abc"));
        assert_eq!((suspects.is_empty(), flag), (!expected, expected), "{detect:?}");
    }
    // The header as well.
    let other = Signature {
        condition: Condition { protocols: vec![(6, 0xff)], ..anything() },
        ..rule(prefilter(), Detect::default())
    };
    assert_eq!(decide(vec![other], &udp_packet(b"abc")), (vec![], vec![], false));
    // Of a packet without flow a direction is not known.
    let later = join(&[&ethernet(0x0800), &ipv4(5, 40, 1, 17), &[0; 20]]);
    for (direction, expected) in [(None, true), (Some(FlowDirection::ToServer), false)] {
        let detect = Detect { flow: flow(Some(true), direction), ..Detect::default() };
        assert_eq!(decide(vec![rule(prefilter(), detect)], &later).2, expected);
    }
}

#[test]
fn tests_of_a_rule_for_both_directions_are_the_same_in_both() {
    let answer =
        Condition { sport: PortList::Ports { include: vec![80..=80], exclude: vec![] }, ..anything() };
    let both = |detect| Signature { detect, ..signature(answer.clone(), true, RuleClass::ExactOnHost) };
    // The packet goes to port 80.
    let ask = |direction| Detect {
        flow: Flow { established: None, direction: Some(direction) },
        ..asks(Buffer::UdpHeader, vec![content(&[0x04, 0xd2, 0, 80], |content| content.startswith = true)])
    };
    assert_eq!(decide(vec![both(ask(FlowDirection::ToServer))], &udp_packet(b"")).0, [0]);
    assert_eq!(decide(vec![both(ask(FlowDirection::ToClient))], &udp_packet(b"")).0, [0; 0]);
}

#[test]
fn the_device_decides_by_the_time_of_each_packet() {
    let threshold = Some(Threshold { kind: ThresholdKind::Limit, track: Track::Rule, count: 1, seconds: 1 });
    let rules = RuleSet {
        signatures: vec![rule(RuleClass::ExactOnHost, Detect { threshold, ..Detect::default() })],
        ..RuleSet::default()
    };
    let mut batch = Batch::new(0);
    for millis in [5000, 5100, 5999, 6000, 6999] {
        batch.push(&udp_packet(b""), PacketInfo { nanos: millis * 1_000_000, ..PacketInfo::default() });
    }
    let mut device = ReferenceDevice::new(&rules);
    device.submit(Arc::new(batch)).unwrap();
    let decided = device.collect(true).unwrap().unwrap();
    let reported: Vec<_> = decided.decisions.iter().map(|decision| decision.signatures.len()).collect();
    assert_eq!(reported, [1, 0, 0, 1, 0]);
}

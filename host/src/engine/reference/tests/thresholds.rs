//! Thresholds: kinds, intervals, what is counted apart.

use super::*;
use crate::rules::detect::{FieldTest, Threshold, ThresholdKind, Track};

const SECOND: u64 = 1_000_000_000;

fn threshold(kind: ThresholdKind, count: u32, seconds: u32, track: Track) -> Threshold {
    Threshold { kind, track, count, seconds }
}

fn with(threshold: Threshold) -> Reference {
    judge(Detect { threshold: Some(threshold), ..Detect::default() })
}

/// A packet from one last byte of an address to another.
fn from_to(src: u8, dst: u8) -> Vec<u8> {
    let mut packet = udp_packet(b"abc");
    (packet[29], packet[33]) = (src, dst);
    packet
}

/// Which of the packets at these times are reported.
fn at_times(threshold: Threshold, times: &[u64]) -> Vec<bool> {
    let mut judge = with(threshold);
    times.iter().map(|nanos| judge.decide_at(&from_to(1, 2), *nanos).signatures == [0]).collect()
}

#[test]
fn each_kind_reports_what_it_says() {
    let times: Vec<u64> = (0..7).collect();
    for (kind, expected) in [
        (ThresholdKind::Limit, [true, true, true, false, false, false, false]),
        (ThresholdKind::Threshold, [false, false, true, false, false, true, false]),
        (ThresholdKind::Both, [false, false, true, false, false, false, false]),
        (ThresholdKind::Filter, [false, false, false, true, true, true, true]),
    ] {
        assert_eq!(at_times(threshold(kind, 3, 60, Track::Source), &times), expected, "{kind:?}");
    }
    // A count of 0.
    for (kind, expected) in [
        (ThresholdKind::Limit, false),
        (ThresholdKind::Threshold, false),
        (ThresholdKind::Both, false),
        (ThresholdKind::Filter, true),
    ] {
        assert_eq!(at_times(threshold(kind, 0, 60, Track::Source), &times), [expected; 7], "{kind:?}");
    }
}

#[test]
fn an_interval_ends_when_its_seconds_have_passed_to_the_nanosecond() {
    let limit = |seconds| threshold(ThresholdKind::Limit, 1, seconds, Track::Rule);
    let begin = 1_700_000_000 * SECOND + 5;
    let times = [
        begin,
        begin + 1,
        begin + 2 * SECOND - 1,
        begin + 2 * SECOND,
        begin + 4 * SECOND - 1,
        begin + 4 * SECOND,
    ];
    assert_eq!(at_times(limit(2), &times), [true, false, false, true, false, true]);
    // It begins with a match, not at a fixed time.
    assert_eq!(at_times(limit(2), &[0, 3 * SECOND, 4 * SECOND, 5 * SECOND]), [true, true, false, true]);
    // No seconds: every match begins one.
    assert_eq!(at_times(limit(0), &[7, 7, 8]), [true, true, true]);
    assert_eq!(at_times(threshold(ThresholdKind::Both, 2, 0, Track::Rule), &[7, 7, 8]), [false; 3]);
    // Time that goes back begins a new one.
    assert_eq!(at_times(limit(2), &[begin, begin - 1, begin, begin]), [true, true, false, false]);
    assert_eq!(at_times(limit(u32::MAX), &[0, u64::from(u32::MAX) * SECOND]), [true, true]);
}

#[test]
fn each_tracked_address_is_counted_apart() {
    for (track, expected) in [
        (Track::Source, [true, false, false, true, false, true]),
        (Track::Destination, [true, false, true, true, false, false]),
        (Track::Both, [true, false, true, false, false, true]),
        (Track::Rule, [true, false, false, false, false, false]),
    ] {
        let mut judge = with(threshold(ThresholdKind::Limit, 1, 60, track));
        let packets = [(1, 2), (1, 2), (1, 3), (2, 1), (2, 1), (3, 2)];
        let reported = packets.map(|(src, dst)| judge.decide(&from_to(src, dst)).signatures == [0]);
        assert_eq!(reported, expected, "{track:?}");
    }
}

#[test]
fn each_rule_counts_for_itself_and_what_matches_alone() {
    let rule = |fields: Vec<FieldTest>| {
        let threshold = Some(threshold(ThresholdKind::Limit, 1, 60, Track::Source));
        let detect = Detect { fields, threshold, ..Detect::default() };
        Signature { detect, ..signature(anything(), false, RuleClass::ExactOnHost) }
    };
    let signatures = vec![rule(vec![]), rule(vec![FieldTest::PayloadSize(exactly(9))])];
    let mut judge = Reference::new(&RuleSet { signatures, ..RuleSet::default() });
    assert_eq!(judge.decide(&udp_packet(b"abc")).signatures, [0]);
    assert_eq!(judge.decide(&udp_packet(b"abc")).signatures, [0; 0]);
    assert_eq!(judge.decide(&udp_packet(b"123456789")).signatures, [1]);
    assert_eq!(judge.decide(&udp_packet(b"123456789")).signatures, [0; 0]);
}

#[test]
fn an_update_of_the_rules_forgets_what_was_counted() {
    let limit = threshold(ThresholdKind::Limit, 1, 60, Track::Source);
    let mut judge = with(limit);
    let packet = udp_packet(b"abc");
    assert_eq!(
        [judge.decide(&packet), judge.decide(&packet)].map(|decision| decision.signatures.len()),
        [1, 0]
    );
    let rules = judge.rules.clone();
    judge.update(&rules);
    assert_eq!(
        [judge.decide(&packet), judge.decide(&packet)].map(|decision| decision.signatures.len()),
        [1, 0]
    );
}

#[test]
fn the_counter_whose_use_is_longest_ago_is_forgotten() {
    let mut judge = with(threshold(ThresholdKind::Limit, 1, 60, Track::Source));
    let mut reported = |n: u32| {
        let mut packet = from_to(1, 2);
        packet[26..30].copy_from_slice(&n.to_be_bytes());
        judge.decide(&packet).signatures == [0]
    };
    assert!((0..65_536).all(&mut reported));
    // All are known; 0 is the last used now, and 1 goes for the next.
    assert!(!reported(0));
    assert!(reported(70_000));
    assert!(!reported(0) && reported(1) && !reported(5));
}

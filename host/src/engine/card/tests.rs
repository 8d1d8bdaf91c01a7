//! The device over a card whose rings are plain Rust, with faults.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use wiresift_abi::csr::ErrorCode;
use wiresift_abi::geometry::LAB;
use wiresift_driver::fake::{FakeCard, Fault, answer};

use super::*;
use crate::capture::synthesize;
use crate::compile::{self, Compiled, Options};
use crate::rules::model::{
    AclAction, AclRule, AddressList, AddressRange, Condition, Details, Family, Origin, PortList, RuleSet,
};

/// One rule that every IPv4 packet satisfies.
fn compiled() -> Compiled {
    let range = AddressRange { first: [0, 0, 0, 0].into(), last: [255; 4].into() };
    let any = AddressList { include: vec![range], exclude: vec![] };
    let condition = Condition {
        family: Family::V4,
        protocols: vec![(0, 0)],
        src: any.clone(),
        dst: any,
        sport: PortList::Any,
        dport: PortList::Any,
        details: Details::default(),
    };
    let acl = vec![AclRule { condition, action: AclAction::Match, origin: Origin::default() }];
    compile::compile(&RuleSet { acl, ..RuleSet::default() }, &LAB, &Options { seed: Some(1) }).unwrap()
}

/// The fake card names any number as a header; header `n` is signature `n % 3`, so many fall together.
fn headers() -> Vec<Vec<u32>> {
    (0..1 << 20).map(|n| vec![n % 3]).collect()
}

fn open(faults: Vec<Fault>) -> Result<(CardDevice<FakeCard>, CpuEngine), DeviceError> {
    let compiled = compiled();
    let engine = CpuEngine::new(&compiled.image).unwrap();
    let fake = FakeCard::new(&LAB, 5, faults);
    let image = Arc::new(compiled.image);
    let device = CardDevice::open("fake", fake, |_| Ok(()), image, headers(), engine.clone())?;
    Ok((device, engine))
}

/// Batches of packets of many lengths, every tenth longer than the ring takes.
fn batches() -> Vec<Arc<Batch>> {
    let mut number = 0_u32;
    let mut batches = Vec::new();
    for packets in [700, 1, 0, 900, 2048, 3] {
        let mut batch = Batch::new(number.into());
        for _ in 0..packets {
            let mut packet = Vec::new();
            synthesize(number, !number, [1, 2], 17, &mut packet);
            let bytes =
                if number.is_multiple_of(10) { PACKET_BYTES_MAX + 1 } else { number as usize % 400 + 42 };
            packet.resize(bytes, number as u8);
            batch.push(&packet, crate::device::PacketInfo::default());
            number += 1;
        }
        batches.push(Arc::new(batch));
    }
    batches
}

fn expected(packet: &[u8], engine: &mut CpuEngine) -> Decision {
    let (acl, flags, ids) = answer(packet);
    if is_jumbo(packet) || flags.0 & Flags::HOST_DECIDES != 0 {
        return engine.decide(packet);
    }
    let mut signatures = ids.into_iter().map(|id| id % 3).collect::<Vec<_>>();
    signatures.sort_unstable();
    signatures.dedup();
    Decision { acl, signatures, flags }
}

/// Runs all batches as the session does, and checks every decision.
fn run(faults: Vec<Fault>) -> Vec<(String, String)> {
    let (mut device, mut engine) = open(faults).unwrap();
    let batches = batches();
    let mut decided = Vec::new();
    for batch in &batches {
        device.submit(batch.clone()).unwrap();
        while let Some(one) = device.collect(false).unwrap() {
            decided.push(one);
        }
    }
    while let Some(one) = device.collect(true).unwrap() {
        decided.push(one);
    }
    assert_eq!(decided.len(), batches.len());
    for (decided, batch) in decided.iter().zip(&batches) {
        assert_eq!((decided.batch.first, decided.decisions.len()), (batch.first, batch.len()));
        for (packet, decision) in batch.packets().zip(&decided.decisions) {
            assert_eq!(*decision, expected(packet, &mut engine));
        }
    }
    device.summary()
}

fn value(summary: &[(String, String)], name: &str) -> Option<u64> {
    summary.iter().find(|(found, _)| found == name).map(|(_, value)| value.parse().unwrap())
}

#[test]
fn verdicts_and_decisions_of_the_host_come_in_the_order_of_the_packets() {
    let summary = run(vec![]);
    let batches = batches();
    let count = |is: fn(&[u8]) -> bool| {
        batches.iter().map(|batch| batch.packets().filter(|packet| is(packet)).count() as u64).sum::<u64>()
    };
    let deferred = count(|packet| !is_jumbo(packet) && answer(packet).1.0 & Flags::DEFER != 0);
    assert_eq!(value(&summary, "decided by the host: deferred"), Some(deferred));
    assert_eq!(value(&summary, "decided by the host: jumbo"), Some(count(is_jumbo)));
    assert_eq!(value(&summary, "decided by the host: cut"), Some(0));
    assert!(value(&summary, "cycles").is_some());
}

#[test]
fn a_fault_that_a_reset_mends_changes_no_decision() {
    for fault in [
        Fault::Halt { at: 1000, error: ErrorCode::BadLength },
        Fault::Hang { at: 1500, forever: false },
        Fault::LoseDoorbell { at: 3 },
    ] {
        run(vec![fault]);
    }
    let summary = run(vec![Fault::Halt { at: 1000, error: ErrorCode::BadLength }]);
    assert_eq!(value(&summary, "recoveries of the card"), Some(1));
}

#[test]
fn a_fault_that_stays_is_an_error() {
    let (mut device, _) = open(vec![Fault::Hang { at: 100, forever: true }]).unwrap();
    let mut result = Ok(());
    for batch in batches() {
        result = result.and_then(|()| device.submit(batch));
    }
    let result = result.and_then(|()| device.collect(true).map(|_| ()));
    let error = result.unwrap_err();
    assert_eq!(error.to_string(), "fake: failed");
    assert!(error.source.unwrap().to_string().contains("given up"));
}

#[test]
fn headers_that_do_not_exist_are_errors() {
    let (mut device, _) = open(vec![]).unwrap();
    device.headers.truncate(1000);
    let result = batches().into_iter().try_for_each(|batch| device.submit(batch));
    let result = result.and_then(|()| device.collect(true).map(|_| ()));
    assert!(result.unwrap_err().to_string().contains("names signature header"));
}

#[test]
fn what_is_checked_at_rest_is_an_error() {
    let compiled = compiled();
    let engine = CpuEngine::new(&compiled.image).unwrap();
    let fake = FakeCard::new(&LAB, 5, vec![]);
    let check: Check<FakeCard> = |_| Err("the bus is on fire".into());
    let image = Arc::new(compiled.image);
    let mut device = CardDevice::open("fake", fake, check, image, headers(), engine).unwrap();
    device.submit(batches()[1].clone()).unwrap();
    let error = device.collect(true).unwrap_err();
    assert!(error.source.unwrap().to_string().contains("on fire"));
}

//! The device over a card whose rings are plain Rust, with faults.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::ops::Range;
use std::sync::OnceLock;

use wiresift_abi::command::Command;
use wiresift_abi::csr::ErrorCode;
use wiresift_abi::geometry::LAB;
use wiresift_driver::fake::{FakeCard, Fault, Slots, answer, answer_by};

use super::*;
use crate::capture::synthesize;
use crate::compile::live::{Live, Update};
use crate::compile::{self, Compiled, Options};
use crate::metadata::{AclInfo, RuleGroup, SignatureInfo};
use crate::rules::detect::{Buffer, BufferTests, Content, Detect, Test};
use crate::rules::model::{
    AclAction, AclRule, AddressList, AddressRange, Condition, Details, Family, Origin, PortList, RuleClass,
    RuleSet, SignatureAction,
};

/// One rule that every IPv4 packet satisfies.
fn compiled() -> Compiled {
    compile::compile(&rules(), &LAB, &Options { seed: Some(1) }).unwrap()
}

/// One ACL rule that every IPv4 packet satisfies.
pub fn rules() -> RuleSet {
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
    RuleSet { acl, ..RuleSet::default() }
}

/// The fake card names any number as a rule or as a header; rule `n` is rule `n % 5`, header `n` is signature
/// `n % 3`, so many fall together.
fn metadata() -> Arc<Metadata> {
    metadata_of(0)
}

fn signature() -> SignatureInfo {
    SignatureInfo {
        sid: 1,
        gid: 1,
        rev: 1,
        action: SignatureAction::Alert,
        msg: String::new(),
        classtype: None,
        priority: None,
        references: Vec::new(),
        metadata: Vec::new(),
        class: RuleClass::Exact,
        detect: Detect::default(),
        origin: Origin::default(),
    }
}

/// Versions whose metadata differs.
const MEANINGS: u32 = 3;

/// Metadata of a version: every number means another rule than in the version before.
pub fn metadata_of(version: u32) -> Arc<Metadata> {
    static ALL: OnceLock<Vec<Arc<Metadata>>> = OnceLock::new();
    let of = |version: u32| {
        let rule = AclInfo { action: AclAction::Match, origin: Origin::default() };
        let acl_ids = (0..1 << 20).map(|n| (n, (n + version) % 5)).collect();
        let headers = (0..1 << 20).map(|n| vec![(n + version) % 3]).collect();
        Arc::new(Metadata {
            acl: vec![rule; 5],
            acl_ids,
            signatures: vec![signature(); 3],
            headers,
            ..Metadata::default()
        })
    };
    ALL.get_or_init(|| (0..MEANINGS).map(of).collect())[(version % MEANINGS) as usize].clone()
}

/// The same as the host goes by it.
pub fn host_rules_of(version: u32) -> Arc<HostRules> {
    static ALL: OnceLock<Vec<Arc<HostRules>>> = OnceLock::new();
    let of = |version| Arc::new(HostRules::new(&metadata_of(version)).unwrap());
    ALL.get_or_init(|| (0..MEANINGS).map(of).collect())[(version % MEANINGS) as usize].clone()
}

/// Changes the metadata by which verdicts are read.
fn change_metadata(device: &mut CardDevice<FakeCard>, change: impl FnOnce(&mut Metadata)) {
    let mut metadata = Metadata::clone(device.rules.host.metadata());
    change(&mut metadata);
    device.rules.host = Arc::new(HostRules::new(&Arc::new(metadata)).unwrap());
}

fn open(faults: Vec<Fault>) -> Result<(CardDevice<FakeCard>, CpuEngine), DeviceError> {
    let compiled = compiled();
    let engine = CpuEngine::new(&compiled.image).unwrap();
    let fake = FakeCard::new(&LAB, 5, faults).without_patterns();
    let (image, engine_too) = (&compiled.image, engine.clone());
    let device = CardDevice::open("fake", fake, |_| Ok(()), image, metadata(), engine_too)?;
    Ok((device, engine))
}

/// Batches of [`packets_of`].
fn batches() -> Vec<Arc<Batch>> {
    let mut number = 0_u32;
    let mut batches = Vec::new();
    for packets in [700, 1, 0, 900, 2048, 3] {
        let mut batch = Batch::new(number.into());
        for packet in packets_of(number..number + packets) {
            batch.push(&packet, crate::device::PacketInfo::default());
        }
        number += packets;
        batches.push(Arc::new(batch));
    }
    batches
}

/// Packets of many lengths, every tenth longer than the ring takes.
pub fn packets_of(numbers: Range<u32>) -> Vec<Vec<u8>> {
    let packet = |number: u32| {
        let mut packet = Vec::new();
        synthesize(number, !number, [1, 2], 17, &mut packet);
        let bytes = if number.is_multiple_of(10) { PACKET_BYTES_MAX + 1 } else { number as usize % 400 + 42 };
        packet.resize(bytes, number as u8);
        packet
    };
    numbers.map(packet).collect()
}

/// Changes the rules so that they differ from those before.
pub fn set_port(rules: &mut RuleSet, port: u16) {
    rules.acl[0].condition.dport = PortList::Ports { include: vec![port..=60_000], exclude: vec![] };
}

/// The time of a device's card.
pub fn now_ns(device: &CardDevice<FakeCard>) -> u64 {
    device.card.borrow().as_ref().unwrap().transport().now_ns()
}

fn expected(packet: &[u8], engine: &mut CpuEngine) -> Decision {
    expected_of(packet, engine, 0, 0)
}

/// What a fake card with tables of that hash, and metadata of that version, comes to.
pub fn expected_of(packet: &[u8], engine: &mut CpuEngine, version: u32, tables: u64) -> Decision {
    let (acl, flags, ids) = answer_by(packet, tables);
    if is_jumbo(packet) || flags.0 & Flags::HOST_DECIDES != 0 {
        return engine.decide(packet);
    }
    let mut signatures = ids.into_iter().map(|id| (id + version % MEANINGS) % 3).collect::<Vec<_>>();
    signatures.sort_unstable();
    signatures.dedup();
    Decision { acl: acl.map(|id| (id + version % MEANINGS) % 5), signatures, suspects: Vec::new(), flags }
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

/// Updates between batches, also many in a row and behind the last one; with faults in the middle of them.
/// The fake card's answers tell its tables, and every version's metadata gives the numbers another meaning.
fn run_with_updates(faults: Vec<Fault>) {
    let mut live = Live::new(&rules(), &LAB, &Options { seed: Some(1) }).unwrap();
    let (image, mut slots) = (live.image().unwrap(), Slots::default());
    image.commands().for_each(|command| slots.run(&command));
    let mut engine = CpuEngine::new(&image).unwrap();
    // As the image would have it: the device reads the numbers of both by one metadata.
    engine.update(&[], metadata_of(0)).unwrap();
    let fake = FakeCard::new(&LAB, 5, faults).by_tables().without_patterns();
    // The device goes by the metadata that it is given, whatever is in the image.
    engine.update([], metadata()).unwrap();
    let mut device = CardDevice::open("fake", fake, |_| Ok(()), &image, metadata(), engine.clone()).unwrap();
    let (mut version, mut set) = (0, rules());
    let (mut wanted, mut decided): (_, Vec<Decided>) = (Vec::new(), Vec::new());
    for (n, batch) in batches().into_iter().cycle().take(12).enumerate() {
        for _ in 0..if n == 6 { 70 } else { [0, 1, 2, 5][n % 4] } {
            let one = set.acl[0].clone();
            set_port(&mut set, version as u16);
            if set.acl.len() < 4 {
                set.acl.push(one);
            }
            version += 1;
            let Update { version: number, commands, counts, .. } = live.update(&set).unwrap();
            assert_eq!(u32::from(number), version + 1);
            let lines = commands.iter().map(|line| Command::from_line(line, &LAB).unwrap());
            lines.for_each(|command| slots.run(&command));
            engine.update(&commands, metadata_of(version)).unwrap();
            let metadata = metadata_of(version);
            let update = Update { version: number, commands, metadata, counts };
            let update = RuleUpdate::with(update, Arc::new(set.clone()), host_rules_of(version));
            device.update(&Arc::new(update)).unwrap();
        }
        let want = batch.packets().map(|packet| expected_of(packet, &mut engine, version, slots.hash()));
        wanted.push(want.collect::<Vec<_>>());
        device.submit(batch).unwrap();
        while let Some(one) = device.collect(false).unwrap() {
            decided.push(one);
        }
    }
    while let Some(one) = device.collect(true).unwrap() {
        decided.push(one);
    }
    assert_eq!(decided.len(), wanted.len());
    for (n, (decided, wanted)) in decided.iter().zip(&wanted).enumerate() {
        assert!(decided.decisions == *wanted, "batch {n}");
    }
}

#[test]
fn every_batch_is_decided_by_the_rules_before_it() {
    run_with_updates(vec![]);
    for at in [60, 75, 200] {
        run_with_updates(vec![Fault::HaltAtCommand { at, error: ErrorCode::ReadResponse }]);
        run_with_updates(vec![Fault::HangAtCommand { at }]);
        run_with_updates(vec![Fault::Halt { at: 20 * at, error: ErrorCode::ReadResponse }]);
    }
}

/// A card that forgets to change the version is found out by the first verdict.
#[test]
fn a_verdict_of_another_version_is_an_error() {
    let (mut device, _) = open(vec![]).unwrap();
    device.rules.version += 1;
    let result = batches().into_iter().try_for_each(|batch| device.submit(batch));
    let result = result.and_then(|()| device.collect(true).map(|_| ()));
    assert_eq!(result.unwrap_err().to_string(), "fake: packet 0 decided by version 1 instead of 2");
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
fn rules_headers_patterns_and_presence_bits_that_do_not_exist_are_errors() {
    let (mut device, _) = open(vec![]).unwrap();
    change_metadata(&mut device, |metadata| metadata.headers.truncate(1000));
    let result = batches().into_iter().try_for_each(|batch| device.submit(batch));
    let result = result.and_then(|()| device.collect(true).map(|_| ()));
    assert!(result.unwrap_err().to_string().contains("names signature header"));
    let (image, engine) = (compiled().image, CpuEngine::new(&compiled().image).unwrap());
    let engine_too = engine.clone();
    let fake = FakeCard::new(&LAB, 5, vec![]);
    let mut device = CardDevice::open("fake", fake, |_| Ok(()), &image, metadata(), engine).unwrap();
    let result = batches().into_iter().try_for_each(|batch| device.submit(batch));
    let result = result.and_then(|()| device.collect(true).map(|_| ()));
    assert!(result.unwrap_err().to_string().contains("names pattern"));
    let fake = FakeCard::new(&LAB, 5, vec![]);
    let mut device = CardDevice::open("fake", fake, |_| Ok(()), &image, metadata(), engine_too).unwrap();
    // Every number is that of a pattern, and no presence bit is.
    change_metadata(&mut device, |metadata| {
        let content = Content { bytes: b"pattern".to_vec(), ..Content::default() };
        let tests = BufferTests { buffer: Buffer::Payload, tests: vec![Test::Content(content)] };
        metadata.signatures[0].class = RuleClass::ExactOnHost;
        metadata.signatures[0].detect.buffers.push(tests);
        let group = |number| RuleGroup { number, signatures: vec![0] };
        metadata.rule_groups = (0..1 << 15).map(group).collect();
    });
    let result = batches().into_iter().try_for_each(|batch| device.submit(batch));
    let result = result.and_then(|()| device.collect(true).map(|_| ()));
    assert!(result.unwrap_err().to_string().contains("sets presence bit"));
    let (mut device, _) = open(vec![]).unwrap();
    change_metadata(&mut device, |metadata| metadata.acl_ids.truncate(1000));
    let result = batches().into_iter().try_for_each(|batch| device.submit(batch));
    let result = result.and_then(|()| device.collect(true).map(|_| ()));
    assert!(result.unwrap_err().to_string().contains("names ACL rule"));
}

#[test]
fn what_is_checked_at_rest_is_an_error() {
    let compiled = compiled();
    let engine = CpuEngine::new(&compiled.image).unwrap();
    let fake = FakeCard::new(&LAB, 5, vec![]).without_patterns();
    let check: Check<FakeCard> = |_| Err("the bus is on fire".into());
    let mut device = CardDevice::open("fake", fake, check, &compiled.image, metadata(), engine).unwrap();
    device.submit(batches()[1].clone()).unwrap();
    let error = device.collect(true).unwrap_err();
    assert!(error.source.unwrap().to_string().contains("on fire"));
}

//! The judge: a slow, obvious engine that reads a packet header by header and tries every rule as it
//! was written.
//!
//! It shares nothing with what it judges: no compiled tables, hashes or header vectors. It takes
//! numbers of protocols from `etherparse` and reads headers by its slices; `docs/packet-semantics.md`
//! says what is accepted, and where `etherparse` is stricter than that, the bytes are read plainly.
//! What a signature asks beyond its header is told by `docs/signature-semantics.md`, clause by clause.

mod buffers;
mod condition;
mod expression;
mod fields;
mod flows;
pub mod headers;
mod numbers;
mod recent;
mod search;
mod thresholds;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;

use wiresift_abi::vector::Flags;

use crate::decision::Decision;
use crate::device::{Batch, Decided, Device, DeviceError, RuleUpdate};
use crate::rules::model::{RuleClass, RuleSet, Signature};
use buffers::Buffers;
use condition::{satisfies, turned};
use fields::Packet;
use flows::{Flows, InFlow};
use headers::Headers;
use search::Tests;
use thresholds::Thresholds;

/// Tries every rule on every packet. What it knows of flows and rates is of the packets that it decided before.
pub struct Reference {
    rules: RuleSet,
    /// Tests of buffers of each signature.
    tests: Vec<Tests>,
    flows: Flows,
    thresholds: Thresholds,
}

impl Reference {
    /// A judge by these rules, which has seen no packet.
    pub fn new(rules: &RuleSet) -> Self {
        let mut reference = Self {
            rules: RuleSet::default(),
            tests: Vec::new(),
            flows: Flows::new(),
            thresholds: Thresholds::new(),
        };
        reference.update(rules);
        reference
    }

    /// Goes on with other rules: flows are still known, what thresholds counted is forgotten.
    pub fn update(&mut self, rules: &RuleSet) {
        self.rules = rules.clone();
        self.tests = rules.signatures.iter().map(|rule| Tests::new(&rule.detect.buffers)).collect();
        self.thresholds.clear();
    }

    /// What the rules say of a packet, Ethernet header first, where its time does not matter: at the time 0.
    pub fn decide(&mut self, packet: &[u8]) -> Decision {
        self.decide_at(packet, 0)
    }

    /// What the rules say of a packet, Ethernet header first, that was captured `nanos` nanoseconds after some
    /// fixed time. Packets are decided in the order of the capture.
    pub fn decide_at(&mut self, bytes: &[u8], nanos: u64) -> Decision {
        let headers = &Headers::of(bytes);
        let flow = self.flows.note(headers);
        let packet = Packet { bytes, headers, buffers: Buffers::of(bytes, headers) };
        let backwards = turned(headers);
        let mut decision = Decision { flags: headers.flags, ..Decision::default() };
        for (place, rule) in self.rules.acl.iter().enumerate() {
            if satisfies(headers, &rule.condition) {
                decision.acl = Some(place as u32);
                break;
            }
        }
        for (place, (signature, tests)) in self.rules.signatures.iter().zip(&self.tests).enumerate() {
            if matches!(signature.class, RuleClass::Refused(_))
                || !matches_signature(&packet, &backwards, flow, signature, tests)
            {
                continue;
            }
            if matches!(signature.class, RuleClass::Prefilter(_)) {
                decision.suspects.push(place as u32);
                decision.flags.0 |= Flags::SUSPECT;
                continue;
            }
            let ip = headers.ip.as_ref();
            let reported = match &signature.detect.threshold {
                Some(threshold) => self.thresholds.count(place, threshold, ip, nanos),
                None => true,
            };
            if reported && !signature.detect.noalert {
                decision.signatures.push(place as u32);
            }
        }
        decision
    }
}

/// Whether a packet satisfies a signature, its threshold left aside. `backwards` are the packet's headers with
/// source and destination exchanged.
fn matches_signature(
    packet: &Packet,
    backwards: &Headers,
    flow: Option<InFlow>,
    signature: &Signature,
    tests: &Tests,
) -> bool {
    let Signature { condition, bidirectional, detect, class, .. } = signature;
    let in_flow = match class {
        // The packet may be from the middle of a flow that is established.
        RuleClass::Prefilter(_) => flows::has_direction(flow, detect.flow),
        _ => flows::satisfies(flow, detect.flow),
    };
    (satisfies(packet.headers, condition) || *bidirectional && satisfies(backwards, condition))
        && in_flow
        && detect.fields.iter().all(|test| fields::satisfies(packet, test))
        && tests.hold(&packet.buffers)
}

/// The judge as a device (`--device reference`): for tests and for doubts about another device. It is
/// slow, for it tries every rule.
pub struct ReferenceDevice {
    reference: Reference,
    decided: VecDeque<Decided>,
}

impl ReferenceDevice {
    /// A device that decides by these rules.
    pub fn new(rules: &RuleSet) -> Self {
        Self { reference: Reference::new(rules), decided: VecDeque::new() }
    }
}

impl Device for ReferenceDevice {
    fn submit(&mut self, batch: Arc<Batch>) -> Result<(), DeviceError> {
        let decide = |n| self.reference.decide_at(batch.packet(n), batch.info(n).nanos);
        let decisions = (0..batch.len()).map(decide).collect();
        self.decided.push_back(Decided { batch, decisions });
        Ok(())
    }

    fn update(&mut self, update: &Arc<RuleUpdate>) -> Result<(), DeviceError> {
        self.reference.update(&update.rules);
        Ok(())
    }

    fn collect(&mut self, _drain: bool) -> Result<Option<Decided>, DeviceError> {
        Ok(self.decided.pop_front())
    }

    fn summary(&self) -> Vec<(String, String)> {
        let rules = self.reference.rules.acl.len() + self.reference.rules.signatures.len();
        vec![("rules tried on every packet".to_owned(), rules.to_string())]
    }
}

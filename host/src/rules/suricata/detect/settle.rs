//! From what a rule asks to what of it is evaluated, and its class.

use std::collections::BTreeSet;

use crate::rules::detect::{Buffer, BufferTests, Content, Detect, FastPattern, Test};
use crate::rules::lower::exact_class;
use crate::rules::model::{Condition, RuleClass};

use super::carry::{Piece, pieces};
use super::names::{Carry, Part};
use super::reason::Why;
use super::relax::{Kept, relax, scattered};
use super::{Asks, Place, Step, What};

/// What the header of a rule says of its class.
#[derive(Clone, Debug, Default)]
pub(in crate::rules::suricata) struct HeaderSays {
    /// Why the rule cannot be evaluated.
    pub refused: Vec<String>,
    /// Why a packet alone cannot decide it.
    pub reasons: super::reason::Reasons,
    /// Its parts may be satisfied by packets of both directions (`=>`).
    pub transaction: bool,
    /// Its contents are those of a reassembled stream.
    pub stream: bool,
    /// Protocol of the application layer.
    pub protocol: Option<String>,
}

/// Protocols whose files are base64, so that no byte of them stands in a packet.
const MAIL: [&str; 3] = ["smtp", "imap", "pop3"];

/// What is evaluated of the rule beside its header `condition`, and its class.
pub(in crate::rules::suricata) fn settle(
    asks: Asks<'_>,
    header: HeaderSays,
    condition: &Condition,
) -> (Detect, RuleClass) {
    let mut refused = header.refused;
    refused.extend(asks.refused.iter().cloned());
    if !refused.is_empty() {
        return (Detect::default(), RuleClass::Refused(refused.join("; ")));
    }
    let mut reasons = header.reasons;
    reasons.extend(&asks.reasons);
    let mut detect = Detect {
        fields: asks.fields.clone(),
        variables: asks.variables.clone(),
        flow: asks.flow,
        threshold: asks.threshold,
        noalert: asks.noalert,
        ..Detect::default()
    };
    let mut left = Left::default();
    if header.transaction {
        detect.fields.clear();
        detect.flow.direction = None;
        left.dropped.push("all options, since packets of both directions may satisfy them".to_owned());
    } else {
        left.take(&asks, header.stream || asks.stream_only, header.protocol.as_deref());
        if reasons.is_empty() && !left.dropped.is_empty() {
            reasons.add(Why::NotRead, "variable of another buffer");
        }
    }
    detect.fast_pattern = left.fast_pattern();
    detect.buffers = left.tests();
    if reasons.is_empty() {
        let class = exact_class(&detect, condition);
        return (detect, class);
    }
    detect.dropped = left.dropped;
    (detect, RuleClass::Prefilter(reasons.text()))
}

/// What is left of the tests of a rule.
#[derive(Default)]
struct Left {
    buffers: Vec<(Buffer, Vec<Kept>)>,
    dropped: Vec<String>,
}

impl Left {
    fn take(&mut self, asks: &Asks<'_>, stream: bool, protocol: Option<&str>) {
        let mut grouped = Vec::<(Buffer, Vec<Step>)>::new();
        for step in &asks.steps {
            let Place::Packet(buffer) = step.place else { continue };
            match grouped.iter_mut().find(|(other, _)| *other == buffer) {
                Some((_, steps)) => steps.push(step.clone()),
                None => grouped.push((buffer, vec![step.clone()])),
            }
        }
        // A variable has a value where a test that is evaluated before has set it.
        let mut unset: BTreeSet<_> = (0..asks.variables.len()).collect();
        for (buffer, steps) in grouped {
            let kept = match buffer {
                Buffer::Payload if stream => scattered(&steps, &mut self.dropped),
                _ => relax(&steps, &mut unset, &mut self.dropped),
            };
            if !kept.is_empty() {
                self.buffers.push((buffer, kept));
            }
        }
        let steps: Vec<_> =
            asks.steps.iter().filter(|step| matches!(step.place, Place::Application { .. })).collect();
        if !steps.is_empty() {
            self.take_application(asks, &steps, protocol);
        }
    }

    /// The contents of that part of the conversation which the rule is found by: another part may lie in another packet.
    fn take_application(&mut self, asks: &Asks<'_>, steps: &[&Step], protocol: Option<&str>) {
        let mail = is_mail(asks, protocol);
        let direction = direction_of_heads(asks, steps);
        let parts = [Part::Request, Part::Response, Part::Body];
        let mut found: Vec<_> = parts
            .into_iter()
            .map(|part| {
                let of_part = |step: &&&Step| match &step.place {
                    Place::Application { part: Part::Head, .. } => part == direction,
                    Place::Application { part: other, .. } => part == *other,
                    Place::Packet(_) => false,
                };
                let steps: Vec<_> = steps.iter().filter(of_part).copied().collect();
                let mut dropped = Vec::new();
                let kept = sought(&steps, mail, &mut dropped);
                (steps, kept, dropped)
            })
            .collect();
        let payload = self.buffers.iter().position(|(buffer, _)| *buffer == Buffer::Payload);
        let of_payload = payload.map_or((false, 0), |place| weight(&self.buffers[place].1));
        // The first of the heaviest.
        let best = (0..found.len()).rev().max_by_key(|&place| weight(&found[place].1));
        let chosen = best.filter(|&place| weight(&found[place].1) > of_payload);
        for (place, (steps, _, dropped)) in found.iter_mut().enumerate() {
            match chosen {
                Some(chosen) if chosen == place => self.dropped.append(dropped),
                _ => self.dropped.extend(steps.iter().map(|step| within(step))),
            }
        }
        let Some(chosen) = chosen else { return };
        let (_, kept, _) = found.swap_remove(chosen);
        match payload {
            None => self.buffers.push((Buffer::Payload, kept)),
            Some(place) => {
                self.buffers[place].1 = kept;
                let steps = asks.steps.iter().filter(|step| step.place == Place::Packet(Buffer::Payload));
                let tests = steps.filter(|step| matches!(step.what, What::Test(_)));
                self.dropped.extend(tests.map(|step| step.text.clone()));
            }
        }
    }

    fn fast_pattern(&self) -> Option<FastPattern> {
        self.buffers.iter().enumerate().find_map(|(buffer, (_, tests))| {
            let marked = |kept: &Kept| kept.fast && matches!(&kept.test, Test::Content(one) if !one.negated);
            let test = tests.iter().position(marked)?;
            Some(FastPattern { buffer, test, part: tests[test].part })
        })
    }

    fn tests(&self) -> Vec<BufferTests> {
        let each = self.buffers.iter().map(|(buffer, tests)| BufferTests {
            buffer: *buffer,
            tests: tests.iter().map(|kept| kept.test.clone()).collect(),
        });
        each.collect()
    }
}

/// How well tests tell packets apart: whether one is the rule's own fast pattern, and the bytes of the longest content.
fn weight(tests: &[Kept]) -> (bool, usize) {
    let contents = tests.iter().filter_map(|kept| match &kept.test {
        Test::Content(content) if !content.negated => Some((kept.fast, content.bytes.len())),
        _ => None,
    });
    contents.fold((false, 0), |(fast, length), (is_fast, bytes)| (fast || is_fast, length.max(bytes)))
}

/// Files of mail are base64.
fn is_mail(asks: &Asks<'_>, protocol: Option<&str>) -> bool {
    let mail = |name: &str| MAIL.contains(&name);
    match protocol {
        Some(protocol) => mail(protocol),
        None => !asks.services.is_empty() && asks.services.iter().all(|service| mail(service)),
    }
}

/// Whose head a buffer is of that both directions have.
fn direction_of_heads(asks: &Asks<'_>, steps: &[&Step]) -> Part {
    use crate::rules::detect::FlowDirection;
    let request = |step: &&Step| matches!(step.place, Place::Application { part: Part::Request, .. });
    let response = |step: &&Step| matches!(step.place, Place::Application { part: Part::Response, .. });
    match asks.flow.direction {
        Some(FlowDirection::ToServer) => Part::Request,
        Some(FlowDirection::ToClient) => Part::Response,
        None if steps.iter().any(request) || !steps.iter().any(response) => Part::Request,
        None => Part::Response,
    }
}

/// The contents of application-layer buffers that stand in the packet, anywhere.
fn sought(steps: &[&Step], mail: bool, dropped: &mut Vec<String>) -> Vec<Kept> {
    let mut kept = Vec::<Kept>::new();
    for step in steps {
        let (What::Test(Test::Content(content)), Place::Application { name, carries, .. }) =
            (&step.what, &step.place)
        else {
            dropped.push(within(step));
            continue;
        };
        let mut carries = carries.clone();
        if mail && matches!(name.as_str(), "file.data" | "file_data") {
            carries.push(Carry::Not);
        }
        let mut bytes = content.bytes.clone();
        if content.endswith && carries.first() == Some(&Carry::Labels) {
            // The name ends here, so its last label is whole.
            bytes.push(b'.');
        }
        let whole = Piece { bytes, nocase: content.nocase };
        let found = if content.negated { Vec::new() } else { pieces(whole, &carries) };
        let as_written = matches!(found.as_slice(), [one] if one.bytes == content.bytes);
        match found.len() {
            0 => dropped.push(within(step)),
            _ if as_written => {}
            _ => dropped.push(format!("{}, but for the parts that stand in the packet", within(step))),
        }
        let longest = found.iter().map(|piece| piece.bytes.len()).max();
        let mut marked = false;
        for Piece { bytes, nocase } in found {
            let fast = step.fast && !marked && Some(bytes.len()) == longest;
            marked |= fast;
            let part = step.part.filter(|_| fast && as_written);
            let test = Test::Content(Content { bytes, nocase, ..Content::default() });
            match kept.iter_mut().find(|other| other.test == test) {
                Some(other) if fast => (other.fast, other.part) = (fast, part),
                Some(_) => {}
                None => kept.push(Kept { test, fast, part }),
            }
        }
    }
    kept
}

/// A test and the buffer it is about.
fn within(step: &Step) -> String {
    match (&step.place, &step.what) {
        (Place::Application { name, .. }, What::Test(_)) => format!("{} in {name}", step.text),
        _ => step.text.clone(),
    }
}

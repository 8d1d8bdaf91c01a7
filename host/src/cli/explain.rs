//! `wiresift check --explain`: what becomes of one signature, in words.

use std::fmt::Write as _;

use anyhow::{Result, bail};
use wiresift_host::rules::detect::{Detect, FlowDirection, Test};
use wiresift_host::rules::lower::lowered;
use wiresift_host::rules::model::{Origin, RuleClass, RuleSet, Signature};

/// Says what becomes of the signatures with these ids.
///
/// # Errors
/// No signature has one of them.
pub fn explain(rules: &RuleSet, sids: &[u32]) -> Result<String> {
    let mut texts = Vec::new();
    for sid in sids {
        let found: Vec<_> = rules.signatures.iter().filter(|signature| signature.sid == *sid).collect();
        if found.is_empty() {
            bail!("no signature of the rule files has the sid {sid}");
        }
        texts.extend(found.into_iter().map(one));
    }
    Ok(texts.join("\n"))
}

fn one(signature: &Signature) -> String {
    let Signature { sid, gid, rev, origin: Origin { file, line }, class, detect, .. } = signature;
    let mut text = format!("{file}:{line}: signature {gid}:{sid}, revision {rev}: {}\n", signature.msg);
    // Writing to a string does not fail.
    let mut put = |name: &str, what: &str| {
        let _written = writeln!(text, "  {name:<13} {what}");
    };
    put("class", &format!("{}: {}", class.name(), class.meaning()));
    if let RuleClass::Prefilter(reason) | RuleClass::Refused(reason) = class {
        put("why", reason);
    }
    if matches!(class, RuleClass::Refused(_)) {
        return text;
    }
    let direction = if signature.bidirectional { ", also with source and destination exchanged" } else { "" };
    let lowered = lowered(signature);
    let beyond = &lowered.detect;
    let in_header = detect.fields.iter().filter(|field| !beyond.fields.contains(field));
    let in_header: String = in_header.map(|field| format!(", {field}")).collect();
    put("header", &format!("{}{in_header}{direction}", signature.condition));
    if !detect.buffers.is_empty() {
        put("fast pattern", &fast_pattern(detect));
    }
    let asked = asked(beyond, matches!(class, RuleClass::Prefilter(_)));
    let name = match class {
        RuleClass::Prefilter(_) => "marks packets",
        _ => "host verifies",
    };
    for (place, line) in asked.iter().enumerate() {
        put(if place == 0 { name } else { "" }, line);
    }
    if matches!(class, RuleClass::Prefilter(_)) {
        if asked.is_empty() {
            put(
                name,
                "all that satisfy the header: nothing else of the rule is known to stand in the packet",
            );
        }
        for (place, line) in detect.dropped.iter().enumerate() {
            put(if place == 0 { "left out" } else { "" }, line);
        }
        let others = not_asked(detect);
        if !others.is_empty() {
            put("not asked", &others.join("; "));
        }
    } else {
        if let Some(threshold) = &detect.threshold {
            put("reported", &format!("as {threshold} says"));
        }
        if detect.noalert {
            put("reported", "never (noalert)");
        }
    }
    text
}

/// Everything that is evaluated, a line for each test.
fn asked(detect: &Detect, prefilter: bool) -> Vec<String> {
    let mut lines = Vec::new();
    let mut words = Vec::new();
    if let Some(established) = detect.flow.established.filter(|_| !prefilter) {
        words.push(if established { "flow is established" } else { "flow is not established" });
    }
    words.extend(detect.flow.direction.map(|direction| match direction {
        FlowDirection::ToServer => "packet goes to the server",
        FlowDirection::ToClient => "packet goes to the client",
    }));
    if !words.is_empty() {
        lines.push(words.join(", "));
    }
    lines.extend(detect.fields.iter().map(|field| field.to_string()));
    for buffer in &detect.buffers {
        let mut name = format!("in {}:", buffer.buffer);
        for test in &buffer.tests {
            lines.push(format!("{name} {}", detect.test_text(test)));
            name = " ".repeat(name.len());
        }
    }
    lines
}

/// What a prefilter does not ask, since it is for the full IDS.
fn not_asked(detect: &Detect) -> Vec<String> {
    let mut others = Vec::new();
    if let Some(established) = detect.flow.established {
        others.push(if established { "flow:established" } else { "flow:not_established" }.to_owned());
    }
    others.extend(detect.threshold.as_ref().map(ToString::to_string));
    if detect.noalert {
        others.push("noalert".to_owned());
    }
    others
}

/// Which content leads to the rule.
fn fast_pattern(detect: &Detect) -> String {
    let contents = detect.buffers.iter().flat_map(|buffer| &buffer.tests);
    let has_content = contents.into_iter().any(|test| matches!(test, Test::Content(one) if !one.negated));
    let chosen = detect.fast_pattern.and_then(|fast| {
        let test = detect.buffers.get(fast.buffer)?.tests.get(fast.test)?;
        let part = fast.part.map(|(from, count)| format!("{count} from byte {from} of "));
        Some(format!("{}{}, chosen by the rule", part.unwrap_or_default(), detect.test_text(test)))
    });
    match (chosen, has_content) {
        (Some(chosen), _) => chosen,
        (None, true) => "chosen when the rules are compiled".to_owned(),
        (None, false) => "none: every packet that satisfies the header is a candidate".to_owned(),
    }
}

//! `wiresift check`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context, Result};
use tabled::builder::Builder;
use tabled::settings::object::Columns;
use tabled::settings::width::Width;
use tabled::settings::{Alignment, Style};
use wiresift_abi::c2h::HITS_MAX;
use wiresift_host::compile::{self, Compiled, Options, PayloadReport, ResourceReport};
use wiresift_host::metadata::{Metadata, SignatureInfo};
use wiresift_host::rules::model::{Origin, RuleClass, RuleSet, Skipped};

use super::CheckArgs;

/// Seed of the hash for a check: the same rules always give the same answer.
const CHECK_SEED: u64 = 0;
/// Columns of a reason before it is broken into lines.
const REASON_COLUMNS: usize = 72;
/// Reasons shown at most without `--verbose`.
const REASONS_SHOWN: usize = 12;
/// Rules that no packet can satisfy, shown at most without `--verbose`.
const NEVER_SHOWN: usize = 10;

/// Says what becomes of the rules.
///
/// # Errors
/// Where they cannot be read, or do not fit the geometry; the classes are then part of the error's way
/// to standard output all the same.
pub fn run(args: &CheckArgs) -> Result<String> {
    let rules = args.rules.load_rules()?;
    if !args.explain.is_empty() {
        return super::explain::explain(&rules, &args.explain);
    }
    let metadata = Metadata::of(&rules);
    let mut text = String::new();
    if args.verbose {
        text.push_str(&every(&metadata.signatures));
        text.push_str(&left_out(&rules.skipped));
    }
    text.push_str(&classes(&metadata.signatures, args.verbose));
    let options = Options { seed: Some(CHECK_SEED) };
    match compile::compile(&rules, args.rules.geometry(), &options) {
        Ok(compiled) => {
            text.push_str(&resources(&compiled.report, &rules, args.verbose)?);
            text.push_str(&worst_case(&compiled)?);
            Ok(text)
        }
        Err(error) => {
            super::print(&text)?;
            Err(error).context("the rules do not become a rule image")
        }
    }
}

/// Name of the class, and what it means or why it is that one.
fn class_of(signature: &SignatureInfo) -> (&'static str, &str) {
    let name = signature.class.name();
    match &signature.class {
        RuleClass::Prefilter(reason) | RuleClass::Refused(reason) => (name, reason),
        class => (name, class.meaning()),
    }
}

/// Two tables: the number of signatures of each class, and the reasons for the classes that are not exact, the most
/// frequent ones or all; nothing without signatures.
pub fn classes(signatures: &[SignatureInfo], all: bool) -> String {
    if signatures.is_empty() {
        return String::new();
    }
    let mut builder = Builder::default();
    builder.push_record(["class", "signatures", "share", "what it means"]);
    for class in RuleClass::each() {
        let name = class.name();
        let count = signatures.iter().filter(|signature| signature.class.name() == name).count();
        let share = format!("{:.1} %", 100.0 * count as f64 / signatures.len() as f64);
        builder.push_record([name, &count.to_string(), &share, class.meaning()]);
    }
    let mut table = builder.build();
    table.with(Style::rounded());
    table.modify(Columns::new(1..3), Alignment::right());
    format!("{table}\n{}", reasons(signatures, all))
}

/// Why signatures are prefilters or refused; one may count in several rows.
fn reasons(signatures: &[SignatureInfo], all: bool) -> String {
    let mut counts = BTreeMap::<(&str, &str), usize>::new();
    for signature in signatures {
        for reason in signature.class.kinds() {
            *counts.entry((signature.class.name(), reason)).or_default() += 1;
        }
    }
    if counts.is_empty() {
        return String::new();
    }
    let mut rows = counts.into_iter().collect::<Vec<_>>();
    rows.sort_by_key(|((class, reason), count)| (*class, std::cmp::Reverse(*count), *reason));
    let mut builder = Builder::default();
    builder.push_record(["class", "signatures", "reason (one may have several)"]);
    let shown = if all { rows.len() } else { REASONS_SHOWN.min(rows.len()) };
    for ((class, reason), count) in &rows[..shown] {
        builder.push_record([*class, &count.to_string(), *reason]);
    }
    let others = rows[shown..].iter().map(|(_, count)| count).sum::<usize>();
    if others > 0 {
        let reasons = format!("{} other reasons, see `wiresift check --verbose`", rows.len() - shown);
        builder.push_record(["", &others.to_string(), &reasons]);
    }
    let mut table = builder.build();
    table.with(Style::rounded());
    table.modify(Columns::one(1), Alignment::right());
    table.modify(Columns::one(2), Width::wrap(REASON_COLUMNS).keep_words(true));
    format!("{table}\n")
}

/// A line for each signature.
fn every(signatures: &[SignatureInfo]) -> String {
    let mut text = String::new();
    for signature in signatures {
        let (class, reason) = class_of(signature);
        let Origin { file, line } = &signature.origin;
        // Writing to a string does not fail.
        let _written = writeln!(text, "{file}:{line}: {}: {class}: {reason}", signature.sid);
    }
    text
}

/// A line for each rule that is left out.
fn left_out(skipped: &[Skipped]) -> String {
    let mut text = String::new();
    for Skipped { origin: Origin { file, line }, reason, .. } in skipped {
        // Writing to a string does not fail.
        let _written = writeln!(text, "{file}:{line}: left out: {reason}");
    }
    text
}

/// What the rules use of the card.
fn resources(report: &ResourceReport, rules: &RuleSet, verbose: bool) -> Result<String> {
    let mut text = String::new();
    let mut builder = Builder::default();
    builder.push_record(["table", "addresses", "entries", "slots", "load", "mask"]);
    for table in &report.tables {
        builder.push_record([
            table.table.to_string(),
            if table.narrow { "32 bits" } else { "128 bits" }.to_owned(),
            table.entries.to_string(),
            table.slots.to_string(),
            format!("{:.1} %", 100.0 * table.entries as f64 / table.slots as f64),
            table.mask.clone(),
        ]);
    }
    if !report.tables.is_empty() {
        let mut tables = builder.build();
        tables.with(Style::rounded());
        tables.modify(Columns::new(2..5), Alignment::right());
        writeln!(text, "{tables}")?;
    }
    let of = |used: usize, total: usize| format!("{used} of {total}");
    let mut rows = vec![("geometry".to_owned(), report.geometry.to_owned())];
    if rules.chain_rules > 0 {
        let expressed = of(rules.chain_rules - rules.skipped.len(), rules.chain_rules);
        rows.push(("nftables rules expressed".to_owned(), expressed));
        rows.push(("nftables rules left out".to_owned(), rules.skipped.len().to_string()));
    }
    rows.extend([
        ("ACL rules".to_owned(), report.acl_rules.to_string()),
        ("signatures evaluated".to_owned(), of(report.evaluated, report.signatures)),
        ("patterns".to_owned(), report.patterns.to_string()),
        ("signatures without a pattern".to_owned(), report.without_pattern.to_string()),
    ]);
    if report.patterns > 0 {
        let PayloadReport {
            patterns,
            groups,
            groups_total,
            joined,
            short,
            short_total,
            windows,
            windows_total,
            passes,
            left,
            listed,
        } = &report.payload;
        let passes = format!("{:.4} %", 100.0 * passes.iter().sum::<f64>());
        rows.extend([
            ("patterns on the card".to_owned(), patterns.to_string()),
            ("their rule groups".to_owned(), of(*groups, *groups_total)),
            ("patterns whose rules of different headers are one group".to_owned(), joined.to_string()),
            ("presence bits of patterns of 1 or 2 bytes".to_owned(), of(*short, *short_total)),
            ("patterns sought by the host: no presence bit".to_owned(), left.no_bit.to_string()),
            ("patterns sought by the host: frequent".to_owned(), left.hot.to_string()),
            ("patterns sought by the host: no room".to_owned(), left.no_room.to_string()),
            ("buckets of the window index".to_owned(), of(*windows, *windows_total)),
            ("random bytes that pass the filter".to_owned(), passes),
            ("header lists of rule groups".to_owned(), of(listed.lists, listed.lists_total)),
            ("rule groups whose list may be wider than their rules".to_owned(), listed.wide.to_string()),
            (
                "rule groups reported for any packet, as their rules ask".to_owned(),
                listed.any_packet.to_string(),
            ),
            (
                "rule groups reported for any packet: no room for a list".to_owned(),
                listed.no_room.to_string(),
            ),
        ]);
    }
    rows.extend([
        ("signature headers".to_owned(), report.headers.to_string()),
        (
            "signature headers that wait for a pattern, off the card".to_owned(),
            report.headers_on_host.to_string(),
        ),
        ("entries".to_owned(), of(report.entries, report.slots_total + report.tcam_total)),
        ("entries cut into pieces".to_owned(), report.cut.to_string()),
        ("tables in use".to_owned(), of(report.tables.len(), report.tables_total)),
        ("TCAM entries".to_owned(), of(report.tcam, report.tcam_total)),
        ("entries that never win".to_owned(), report.shadowed.to_string()),
        ("rules that no packet satisfies".to_owned(), report.never.len().to_string()),
        ("commands".to_owned(), report.commands.to_string()),
    ]);
    writeln!(text, "{}", pairs(rows))?;
    let shown = if verbose { report.never.len() } else { NEVER_SHOWN };
    for Origin { file, line } in report.never.iter().take(shown) {
        writeln!(text, "{file}:{line}: no packet satisfies this rule")?;
    }
    let more = report.never.len().saturating_sub(shown);
    if more > 0 {
        writeln!(text, "and {more} more, see --verbose")?;
    }
    Ok(text)
}

/// What the hardest payload costs the card; nothing without patterns there.
fn worst_case(compiled: &Compiled) -> Result<String> {
    let Compiled { report: ResourceReport { geometry, payload, .. }, .. } = compiled;
    if payload.patterns == 0 {
        return Ok(String::new());
    }
    let worst = compiled.payload.worst();
    let bytes: Vec<String> = worst.payload.iter().map(|byte| format!("{byte:02x}")).collect();
    let a_beat = compiled.payload.comparisons_a_beat(&worst);
    let mut text = format!(
        "worst case of the payload matcher of `{geometry}`: the payload |{}|, repeated, costs {:.3} comparisons a byte, \
         {a_beat:.1} a beat, and no payload costs more (hash collisions aside, which nobody can aim at without the \
         secret). The card does one a cycle and takes a beat a cycle",
        bytes.join(" "),
        worst.rate(),
    );
    match compiled.payload.beats_taken(&worst) {
        None => text.push_str(": it keeps up with every payload."),
        Some(beats) => write!(
            text,
            ": its queue takes the first {beats} beats of it in a long packet, half as many in packets of one beat; \
             packets behind those are flagged, and the host seeks their patterns.",
        )?,
    }
    writeln!(text, " A packet with more than {HITS_MAX} rule groups is flagged too.")?;
    Ok(text)
}

/// A table of names and values.
pub fn pairs(rows: Vec<(String, String)>) -> String {
    let mut builder = Builder::default();
    for (name, value) in rows {
        builder.push_record([name, value]);
    }
    let mut table = builder.build();
    table.with(Style::rounded().remove_horizontals());
    table.modify(Columns::one(1), Alignment::right());
    table.to_string()
}

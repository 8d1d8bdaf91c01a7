//! The tests of suricata-verify (<https://github.com/OISF/suricata-verify>): rules, a capture, and the alerts that
//! Suricata gives. `wiresift classify --format eve` is asked for the same ones.
//!
//! A test is as expected where every check of alerts holds. Where one does not, [`reasons`] must say why; a reason that is
//! not needed any more is a fault too.

pub mod reasons;

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::command::{self, DEVICES, Run};
use crate::corpus;

/// What tests ask of an alert beside what our records say: the same of every alert here, or of the flow, the device or
/// the link. They are passed over.
const PASSED_OVER: [&str; 5] = ["flow.", "packet_info.", "verdict.", "ether.", "direction"];

/// One test.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its name, with its folders.
    pub name: String,
    /// Rule files.
    pub rules: Vec<PathBuf>,
    /// Capture.
    pub captures: Vec<PathBuf>,
    checks: Vec<Check>,
}

/// So many records with these values.
#[derive(Clone, Debug)]
struct Check {
    count: u64,
    /// Path of a field and its value.
    values: Vec<(String, Value)>,
}

/// What came of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Checks of alerts.
    pub checks: usize,
    /// Those that do not hold, in words.
    pub failed: Vec<String>,
    /// Ids of rules that selected packets for a full IDS.
    pub suspects: Vec<u64>,
}

/// Every test below a folder, in order of their names.
///
/// # Panics
/// Where a test cannot be read.
pub fn cases(folder: &Path) -> Vec<Case> {
    let tests = corpus::files(folder, &["yaml"]);
    let tests = tests.iter().filter(|path| path.ends_with("test.yaml"));
    let mut cases: Vec<_> = tests.map(|path| case(folder, path)).collect();
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    cases
}

/// What came of every test of a corpus by the reference, and what is wrong: the CPU engine gives something else, or
/// [`faults`].
///
/// # Panics
/// As of [`cases`].
pub fn judge(corpus: &Path) -> (Vec<(Case, Outcome)>, Vec<String>) {
    let (mut outcomes, mut wrong) = (Vec::new(), Vec::new());
    for case in cases(&corpus.join("pcaps/suricata-verify")) {
        let [reference, cpu] = [0, 1].map(|device: usize| case.run(DEVICES[device]));
        if cpu != reference {
            wrong.push(format!("{}: {cpu:?} on cpu, {reference:?} by the reference", case.name));
        }
        outcomes.push((case, reference));
    }
    wrong.extend(faults(&outcomes));
    (outcomes, wrong)
}

fn case(folder: &Path, path: &Path) -> Case {
    let text = fs::read_to_string(path).unwrap_or_else(|error| wrong(path, &error.to_string()));
    let yaml: Value = serde_norway::from_str(&text).unwrap_or_else(|error| wrong(path, &error.to_string()));
    let here = path.parent().unwrap_or(folder);
    let name = here.strip_prefix(folder).unwrap_or(here).to_string_lossy().into_owned();
    let checks = yaml["checks"].as_array().map_or(&[][..], Vec::as_slice).iter().filter_map(check).collect();
    let (rules, captures) = (corpus::files(here, &["rules"]), corpus::files(here, &["pcap", "pcapng"]));
    if rules.is_empty() || captures.len() != 1 {
        wrong(path, "not one capture with rules");
    }
    Case { name, rules, captures, checks }
}

fn wrong(path: &Path, what: &str) -> ! {
    panic!("{}: {what}", path.display())
}

/// A check of alerts; `None` for what asks for records of another kind.
fn check(check: &Value) -> Option<Check> {
    let filter = check.get("filter")?;
    let values = filter["match"].as_object()?;
    let of_alerts = values.get("event_type").is_some_and(|kind| kind == "alert");
    let in_eve = filter.get("filename").is_none_or(|name| name == "eve.json");
    let passed_over = |path: &str| PASSED_OVER.iter().any(|prefix| path.starts_with(prefix));
    let values = values.iter().filter(|(path, _)| !passed_over(path));
    let values = values.map(|(path, value)| (path.clone(), value.clone())).collect();
    (of_alerts && in_eve).then(|| Check { count: filter["count"].as_u64().unwrap_or(1), values })
}

impl Case {
    /// Runs a test on a device.
    ///
    /// # Panics
    /// Where the command gives records that are none.
    pub fn run(&self, device: &[&str]) -> Outcome {
        let variables = corpus::VARIABLES.into_iter().chain([corpus::ELSEWHERE]);
        let variables: Vec<_> = variables.flat_map(|variable| ["--var", variable]).collect();
        let Run { code, csv: eve, errors } =
            command::report("eve", device, &self.rules, &variables, &self.captures);
        let records: Vec<Value> = eve.lines().map(record).collect();
        let mut failed: Vec<_> = self.checks.iter().filter_map(|check| check.fails(&records)).collect();
        if code != Some(0) {
            failed.push(format!("exit code {code:?}: {}", errors.lines().next().unwrap_or_default()));
        }
        let suspects = records.iter().filter(|record| record["event_type"] == "suspect");
        let ids = suspects.filter_map(|record| record["suspect"]["signature_id"].as_u64());
        let mut suspects: Vec<_> = ids.collect();
        suspects.sort_unstable();
        suspects.dedup();
        Outcome { checks: self.checks.len(), failed, suspects }
    }
}

fn record(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"))
}

impl Check {
    /// What of it does not hold.
    fn fails(&self, records: &[Value]) -> Option<String> {
        let found =
            records.iter().filter(|record| self.values.iter().all(|value| has(record, value))).count();
        if found as u64 == self.count {
            return None;
        }
        let mut what = String::new();
        for (path, value) in self.values.iter().filter(|(path, _)| path != "event_type") {
            let path = path.strip_prefix("alert.").unwrap_or(path);
            let separator = if what.is_empty() { "" } else { ", " };
            // A string takes what is written to it.
            let _ = write!(what, "{separator}{path} {}", value.to_string().trim_matches('"'));
        }
        Some(format!("{found} of {} ({what})", self.count))
    }
}

/// Whether a record has a value.
fn has(record: &Value, (path, value): &(String, Value)) -> bool {
    // Every record is of a packet as it was captured.
    if path == "pkt_src" {
        return value == "wire/pcap";
    }
    let mut at = record;
    for key in path.split('.') {
        at = &at[key];
    }
    at == value
}

/// A table of tests and what came of them behind their sum, as the document has it.
pub fn table(outcomes: &[(Case, Outcome)]) -> String {
    let as_expected = outcomes.iter().filter(|(_, outcome)| outcome.failed.is_empty()).count();
    let mut table = format!("{as_expected} of {} tests are as expected.\n\n", outcomes.len());
    table += "| test | checks of alerts that hold | |\n|---|---|---|\n";
    for (case, outcome) in outcomes {
        let held = outcome.checks - outcome.failed.len().min(outcome.checks);
        let why = match (outcome.failed.is_empty(), reasons::reason(&case.name)) {
            (true, _) => "as expected".to_owned(),
            (false, reason) => {
                let is_suspect = if outcome.suspects.is_empty() { "" } else { "; a suspect" };
                format!("{}{is_suspect}", reason.unwrap_or("?"))
            }
        };
        // A string takes what is written to it.
        let _ = writeln!(table, "| {} | {held} of {} | {why} |", case.name, outcome.checks);
    }
    table
}

/// What is wrong with the reasons: differences without one, and those that nothing needs.
pub fn faults(outcomes: &[(Case, Outcome)]) -> Vec<String> {
    let fault = |(case, outcome): &(Case, Outcome)| match (&outcome.failed[..], reasons::reason(&case.name)) {
        ([], Some(reason)) => Some(format!("{} is as expected, but has a reason: {reason}", case.name)),
        ([_, ..], None) => Some(format!("{}: {}", case.name, outcome.failed.join("; "))),
        _ => None,
    };
    outcomes.iter().filter_map(fault).collect()
}

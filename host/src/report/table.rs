//! Tables for people: what matched how often, and the totals.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;

use tabled::builder::Builder;
use tabled::settings::object::Columns;
use tabled::settings::{Alignment, Style};
use wiresift_abi::vector::Flags;

use super::{Report, acl_action, signature_action};
use crate::decision::Decision;
use crate::device::Decided;
use crate::metadata::{AclInfo, Metadata, SignatureInfo};
use crate::rules::model::{Origin, RuleClass};
use crate::session::Totals;

/// Packets and their bytes.
#[derive(Clone, Copy, Default)]
struct Hits {
    packets: u64,
    bytes: u64,
}

impl Hits {
    fn count(&mut self, bytes: u64) {
        self.packets += 1;
        self.bytes += bytes;
    }
}

/// Counts hits and writes them at the end: ACL rules in file order, signatures in file order, reason
/// flags, totals. Rules without a hit are left out. Where the rules change on the way, the hits of both
/// are added up for what stands in one row: the same number, place and action, or the same signature.
pub struct Table<W> {
    out: W,
    metadata: Arc<Metadata>,
    /// Hits of rules before those in `metadata`: rows of the table of ACL rules and of that of signatures, by
    /// place in the rules.
    earlier_acl: Earlier<3>,
    earlier_signatures: Earlier<4>,
    acl: Vec<Hits>,
    no_acl: Hits,
    signatures: Vec<Hits>,
    with_signature: Hits,
    classes: [ClassHits; CLASSES.len()],
    flags: [Hits; Flags::NAMES.len()],
}

/// Classes of signatures that select packets.
const CLASSES: [&str; 3] = ["exact", "exact with host verification", "prefilter"];

/// What the signatures of one class selected.
#[derive(Clone, Copy, Default)]
struct ClassHits {
    /// Packets with at least one match; of prefilters, with at least one suspect.
    packets: Hits,
    /// Matches, or suspects, of all packets.
    signatures: u64,
}

/// Place of a class in [`CLASSES`].
fn class_place(signature: &SignatureInfo) -> usize {
    match signature.class {
        RuleClass::Exact | RuleClass::Refused(_) => 0,
        RuleClass::ExactOnHost => 1,
        RuleClass::Prefilter(_) => 2,
    }
}

/// Rows by place and names, with their hits.
type Earlier<const NAMES: usize> = BTreeMap<(usize, [String; NAMES]), Hits>;

/// Adds the hits of rules, in their order, to rows; `row` gives the names in the row of a rule.
fn add<const NAMES: usize, R>(
    rows: &mut Earlier<NAMES>,
    hits: &[Hits],
    rules: &[R],
    row: fn(usize, &R) -> [String; NAMES],
) {
    for (place, (hits, rule)) in hits.iter().zip(rules).enumerate() {
        if hits.packets > 0 {
            let sum = rows.entry((place, row(place, rule))).or_default();
            sum.packets += hits.packets;
            sum.bytes += hits.bytes;
        }
    }
}

fn acl_row(place: usize, rule: &AclInfo) -> [String; 3] {
    [(place + 1).to_string(), position(&rule.origin), acl_action(rule.action).to_owned()]
}

fn signature_row(_place: usize, signature: &SignatureInfo) -> [String; 4] {
    let action = signature_action(signature.action).to_owned();
    [signature.sid.to_string(), action, printable(&signature.msg), position(&signature.origin)]
}

impl<W: Write> Table<W> {
    /// A report on `out`.
    pub fn new(out: W, metadata: Arc<Metadata>) -> Self {
        Self {
            out,
            earlier_acl: Earlier::new(),
            earlier_signatures: Earlier::new(),
            acl: vec![Hits::default(); metadata.acl.len()],
            no_acl: Hits::default(),
            signatures: vec![Hits::default(); metadata.signatures.len()],
            with_signature: Hits::default(),
            classes: [ClassHits::default(); CLASSES.len()],
            flags: [Hits::default(); Flags::NAMES.len()],
            metadata,
        }
    }

    fn count(&mut self, decision: &Decision, bytes: u64) {
        match decision.acl {
            Some(place) => self.acl[place as usize].count(bytes),
            None => self.no_acl.count(bytes),
        }
        for place in &decision.signatures {
            self.signatures[*place as usize].count(bytes);
        }
        if !decision.signatures.is_empty() {
            self.with_signature.count(bytes);
        }
        let mut by_class = [0; CLASSES.len()];
        let matching = decision.signatures.iter();
        matching.for_each(|place| by_class[class_place(&self.metadata.signatures[*place as usize])] += 1);
        // Also those that the budget of the packet did not suffice for.
        by_class[2] += decision.suspects.len() as u64;
        for (hits, signatures) in self.classes.iter_mut().zip(by_class).filter(|(_, count)| *count > 0) {
            hits.packets.count(bytes);
            hits.signatures += signatures;
        }
        for (hits, (bit, _)) in self.flags.iter_mut().zip(Flags::NAMES) {
            if decision.flags.0 & bit != 0 {
                hits.count(bytes);
            }
        }
    }

    fn acl_table(&self) -> Option<String> {
        let mut all = self.earlier_acl.clone();
        add(&mut all, &self.acl, &self.metadata.acl, acl_row);
        if self.metadata.acl.is_empty() && all.is_empty() {
            return None;
        }
        let mut rows = Rows::new(["ACL rule", "where", "action", "packets", "bytes"]);
        for ((_, names), hits) in all {
            rows.push(names, &hits);
        }
        rows.push(["none", "", "none"].map(str::to_owned), &self.no_acl);
        Some(rows.to_table())
    }

    fn signature_table(&self) -> Option<String> {
        let mut all = self.earlier_signatures.clone();
        add(&mut all, &self.signatures, &self.metadata.signatures, signature_row);
        if self.metadata.signatures.is_empty() && all.is_empty() {
            return None;
        }
        let mut rows = Rows::new(["signature", "action", "message", "where", "packets", "bytes"]);
        for ((_, names), hits) in all {
            rows.push(names, &hits);
        }
        let any = ["any", "", "packets with at least one signature", ""];
        rows.push(any.map(str::to_owned), &self.with_signature);
        (!rows.is_empty()).then(|| rows.to_table())
    }

    /// Only where the classes differ: exact signatures alone are told by the table of signatures.
    fn class_table(&self) -> Option<String> {
        let [_, on_host, prefilter] = &self.classes;
        if on_host.signatures + prefilter.signatures == 0 {
            return None;
        }
        let mut rows = Rows::new(["class", "found", "packets", "bytes"]);
        for (name, hits) in CLASSES.into_iter().zip(&self.classes) {
            let found = if name == CLASSES[2] { "suspects" } else { "matches" };
            rows.push([name.to_owned(), format!("{} {found}", grouped(hits.signatures))], &hits.packets);
        }
        Some(rows.to_table())
    }

    fn flag_table(&self) -> Option<String> {
        let mut rows = Rows::new(["flag", "packets", "bytes"]);
        for (hits, (_, name)) in self.flags.iter().zip(Flags::NAMES) {
            rows.push([name.to_owned()], hits);
        }
        (!rows.is_empty()).then(|| rows.to_table())
    }

    fn totals(totals: &Totals) -> String {
        let seconds = totals.elapsed.as_secs_f64();
        let per_second = if seconds > 0.0 { totals.packets as f64 / seconds } else { 0.0 };
        let mut lines = vec![
            ("packets".to_owned(), grouped(totals.packets)),
            ("bytes".to_owned(), grouped(totals.bytes)),
            ("seconds".to_owned(), format!("{seconds:.3}")),
            ("packets a second".to_owned(), grouped(per_second as u64)),
        ];
        if totals.reloads > 0 {
            lines.push(("rules reloaded".to_owned(), grouped(totals.reloads)));
        }
        lines.extend(totals.device.iter().cloned());
        let mut builder = Builder::default();
        for (name, value) in lines {
            builder.push_record([name, value]);
        }
        let mut table = builder.build();
        table.with(Style::rounded().remove_horizontals());
        table.modify(Columns::last(), Alignment::right());
        table.to_string()
    }
}

impl<W: Write + Send> Report for Table<W> {
    fn decided(&mut self, decided: &Decided) -> io::Result<()> {
        for (n, decision) in decided.decisions.iter().enumerate() {
            self.count(decision, decided.batch.packet(n).len() as u64);
        }
        Ok(())
    }

    fn rules(&mut self, metadata: Arc<Metadata>) {
        add(&mut self.earlier_acl, &self.acl, &self.metadata.acl, acl_row);
        add(&mut self.earlier_signatures, &self.signatures, &self.metadata.signatures, signature_row);
        self.acl = vec![Hits::default(); metadata.acl.len()];
        self.signatures = vec![Hits::default(); metadata.signatures.len()];
        self.metadata = metadata;
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self, totals: &Totals) -> io::Result<()> {
        let tables = [self.acl_table(), self.signature_table(), self.class_table(), self.flag_table()];
        for table in tables.into_iter().flatten() {
            writeln!(self.out, "{table}")?;
        }
        writeln!(self.out, "{}", Self::totals(totals))?;
        self.out.flush()
    }
}

/// Rows that end with packets and bytes; rows without a packet are left out.
struct Rows {
    builder: Builder,
    columns: usize,
    rows: usize,
}

impl Rows {
    fn new<const COLUMNS: usize>(header: [&str; COLUMNS]) -> Self {
        let mut builder = Builder::default();
        builder.push_record(header);
        Self { builder, columns: COLUMNS, rows: 0 }
    }

    fn push<const NAMES: usize>(&mut self, names: [String; NAMES], hits: &Hits) {
        debug_assert_eq!(NAMES + 2, self.columns);
        if hits.packets > 0 {
            let numbers = [grouped(hits.packets), grouped(hits.bytes)];
            self.builder.push_record(names.into_iter().chain(numbers));
            self.rows += 1;
        }
    }

    fn is_empty(&self) -> bool {
        self.rows == 0
    }

    fn to_table(&self) -> String {
        let mut table = self.builder.clone().build();
        table.with(Style::rounded());
        table.modify(Columns::new(self.columns - 2..self.columns), Alignment::right());
        table.to_string()
    }
}

/// A place in a rule file.
fn position(origin: &Origin) -> String {
    format!("{}:{}", printable(&origin.file), origin.line)
}

/// A text from a file without the characters that would act on a terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// A number with its digits in groups of three.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

//! Errors in rule files, with file, line, column, and the line they stand in.

use std::collections::HashSet;
use std::fmt;
use std::ops::Range;

use miette::{
    Diagnostic, LabeledSpan, MietteError, MietteSpanContents, Severity, SourceCode, SourceSpan, SpanContents,
};

use crate::rules::cursor::printable;
use crate::rules::model::Skipped;
use crate::rules::source::Source;

/// Errors kept of one file; those behind are only counted.
pub const SHOWN_PER_FILE: usize = 20;

/// What is wrong in a text, before it is known which line that is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fault {
    /// Bytes of the text that it is about.
    pub at: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What stands under the caret: what was expected.
    pub label: String,
    /// What can be done.
    pub help: Option<String>,
    /// The message is worth telling once, wherever it comes up again.
    pub once: bool,
}

impl Fault {
    pub(crate) fn new(at: Range<usize>, message: impl Into<String>, label: impl Into<String>) -> Self {
        Self { at, message: message.into(), label: label.into(), help: None, once: false }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn once(mut self) -> Self {
        self.once = true;
        self
    }
}

/// An error in a rule file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleError {
    message: String,
    file: String,
    help: Option<String>,
    place: Option<Box<Place>>,
    severity: Severity,
}

impl RuleError {
    /// The error at a place of a file.
    pub(crate) fn at(source: &Source, fault: Fault) -> Self {
        let place = Some(Box::new(Place::new(source, &fault)));
        let Fault { message, help, .. } = fault;
        Self { message, file: source.name().to_owned(), help, place, severity: Severity::Error }
    }

    /// An error of a file as a whole.
    pub(crate) fn file(file: &str, message: impl Into<String>, help: Option<String>) -> Self {
        let (message, file) = (message.into(), file.to_owned());
        Self { message, file, help, place: None, severity: Severity::Error }
    }

    /// The same as a warning.
    pub(crate) fn warning(self) -> Self {
        Self { severity: Severity::Warning, ..self }
    }

    /// The same as an error.
    pub(crate) fn error(self) -> Self {
        Self { severity: Severity::Error, ..self }
    }

    /// What is wrong, in one line.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// File as named on the command line.
    pub fn file_name(&self) -> &str {
        &self.file
    }

    /// Line and column (in characters), from 1. `None` where the error is about the whole file.
    pub fn position(&self) -> Option<(u32, u32)> {
        self.place.as_ref().map(|place| (place.line, place.column))
    }
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            // The report shows file, line and column above the excerpt.
            Some(_) => f.write_str(&self.message),
            None => write!(f, "{}: {}", self.file, self.message),
        }
    }
}

impl std::error::Error for RuleError {}

impl Diagnostic for RuleError {
    fn severity(&self) -> Option<Severity> {
        Some(self.severity)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as _)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.place.as_deref().map(|place| place as _)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let place = self.place.as_deref()?;
        let label = LabeledSpan::new_with_span(Some(place.label.clone()), place.span.clone());
        Some(Box::new(std::iter::once(label)))
    }
}

/// A place in a file and the part of its line around it. Rules are lines of up to many thousand characters, so
/// the error keeps a window of the line and not the file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    file: String,
    line: u32,
    column: u32,
    /// The window, with `…` where the line was cut and without control characters.
    window: String,
    /// Bytes of the window that the error is about.
    span: Range<usize>,
    label: String,
}

impl Place {
    /// Characters shown before the place, where the line is cut there.
    const BEFORE: usize = 40;
    /// A place up to here is shown with the begin of its line.
    const BEGIN: usize = 64;
    /// Characters of a line that are shown.
    const WIDTH: usize = 120;

    fn new(source: &Source, fault: &Fault) -> Self {
        let (line, bounds) = source.line_at(fault.at.start);
        let text: Vec<char> = source.text()[bounds.clone()].chars().map(printable).collect();
        let chars = |from: usize, to: usize| source.text()[from..to].chars().count();
        let start = fault.at.start.clamp(bounds.start, bounds.end);
        let end = fault.at.end.clamp(start, bounds.end);
        let column = chars(bounds.start, start);
        let length = chars(start, end).min(Self::WIDTH - Self::BEFORE);
        let cut = text.len() > Self::WIDTH && column > Self::BEGIN;
        let from = if cut { column - Self::BEFORE } else { 0 };
        let to = text.len().min(from + Self::WIDTH);
        let mut window = String::from(if cut { "…" } else { "" });
        let head = window.len() + utf8_length(&text[from..column]);
        window.extend(&text[from..to]);
        let mut span = head..head + utf8_length(&text[column..(column + length).min(to)]);
        if to < text.len() {
            window.push('…');
        } else if column == text.len() {
            // A place behind the line needs something to stand under.
            window.push(' ');
            span.end += 1;
        }
        let column = u32::try_from(column + 1).unwrap_or(u32::MAX);
        Self { file: source.name().to_owned(), line, column, window, span, label: fault.label.clone() }
    }
}

fn utf8_length(text: &[char]) -> usize {
    text.iter().map(|c| c.len_utf8()).sum()
}

impl SourceCode for Place {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        _after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        // Without lines of context the report asks for the place itself.
        let (start, column) = if before == 0 { (span.offset(), self.column as usize - 1) } else { (0, 0) };
        let data = self.window.as_bytes().get(start..).ok_or(MietteError::OutOfBounds)?;
        let span = SourceSpan::from((start, data.len()));
        let contents =
            MietteSpanContents::new_named(self.file.clone(), data, span, self.line as usize - 1, column, 1);
        Ok(Box::new(contents))
    }
}

/// All errors of the rule files that were read together. Prints as a report of `miette`.
#[derive(Debug, Default)]
pub struct Diagnostics {
    errors: Vec<RuleError>,
    total: usize,
    shown_of_file: usize,
    told: HashSet<String>,
    /// They are warnings about rules that were left out.
    warnings: bool,
}

impl Diagnostics {
    /// Begins the count of another file.
    pub(crate) fn next_file(&mut self) {
        self.shown_of_file = 0;
    }

    pub(crate) fn push(&mut self, error: RuleError) {
        self.total += 1;
        if self.shown_of_file < SHOWN_PER_FILE {
            self.shown_of_file += 1;
            self.errors.push(error);
        }
    }

    /// Adds what is wrong at a place. The place is looked up only where the error is shown.
    pub(crate) fn add(&mut self, source: &Source, fault: Fault) {
        let hidden =
            self.shown_of_file == SHOWN_PER_FILE || (fault.once && self.told.contains(&fault.message));
        if hidden {
            self.total += 1;
            return;
        }
        if fault.once {
            self.told.insert(fault.message.clone());
        }
        self.push(RuleError::at(source, fault));
    }

    /// The rules that were left out, as errors or as warnings.
    pub fn of_skipped(skipped: &[Skipped], warnings: bool) -> Self {
        let mut errors = Self { total: skipped.len(), warnings, ..Self::default() };
        let reports = skipped.iter().filter_map(|rule| rule.report.as_deref().cloned());
        errors.errors.extend(reports.map(|error| if warnings { error.warning() } else { error.error() }));
        errors
    }

    /// The errors that are shown: of each file the first [`SHOWN_PER_FILE`], an undefined variable once.
    pub fn errors(&self) -> &[RuleError] {
        &self.errors
    }

    /// Number of errors, those that are not shown included.
    pub fn total(&self) -> usize {
        self.total
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.total, self.warnings) {
            (1, false) => f.write_str("1 error in the rules"),
            (total, false) => write!(f, "{total} errors in the rules"),
            (1, true) => f.write_str("1 rule is not expressible and left out"),
            (total, true) => write!(f, "{total} rules are not expressible and left out"),
        }
    }
}

impl std::error::Error for Diagnostics {}

impl Diagnostic for Diagnostics {
    fn severity(&self) -> Option<Severity> {
        Some(if self.warnings { Severity::Warning } else { Severity::Error })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        match self.total - self.errors.len() {
            0 => None,
            more => Some(Box::new(format!("{more} more are not shown; many may have the same cause"))),
        }
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        Some(Box::new(self.errors.iter().map(|error| error as &dyn Diagnostic)))
    }
}

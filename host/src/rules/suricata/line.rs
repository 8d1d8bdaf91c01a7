//! Lines that hold one signature each.

use std::borrow::Cow;

use crate::rules::source::Source;

/// A line, and those that continue it.
#[derive(Debug, PartialEq)]
pub(super) struct Line<'a> {
    /// Number of the first line.
    pub number: u32,
    /// First byte in the file.
    pub start: usize,
    /// Its text. The backslash and the line end at which it is continued are line feeds here, so every byte keeps its
    /// place.
    pub text: Cow<'a, str>,
}

/// The lines of a file that are neither empty nor comments. A backslash at the end of a line continues it, but not a
/// comment, as in Suricata.
pub(super) fn lines(source: &Source) -> impl Iterator<Item = Line<'_>> {
    let mut physical = source.lines();
    std::iter::from_fn(move || {
        let (number, start, first) = physical.find(|(_, _, text)| is_rule(text))?;
        let mut end = start + first.len();
        let mut continued = first.ends_with('\\');
        let mut text = Cow::Borrowed(first);
        while continued {
            let text = text.to_mut();
            text.truncate(text.len() - 1);
            let next = physical.next();
            let until = next.map_or(end, |(_, at, _)| at);
            text.push_str(&"\n".repeat(until - end + 1));
            let Some((_, at, more)) = next else { break };
            text.push_str(more);
            end = at + more.len();
            continued = more.ends_with('\\');
        }
        Some(Line { number, start, text })
    })
}

fn is_rule(text: &str) -> bool {
    let text = text.trim_start();
    !text.is_empty() && !text.starts_with('#')
}

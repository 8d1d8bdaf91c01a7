//! `content` and its modifiers, in the notations of Suricata and of Snort 3.

use crate::rules::cursor::{Token, is_blank};
use crate::rules::detect::{Content, Operand, Test};
use crate::rules::diagnostics::Fault;

use super::names::{Carry, Part};
use super::reason::Why;
use super::value::{behind, list, needs, number, part, trimmed, word};
use super::{Asks, Place, Step, What, shown};

/// Bytes of a content at most: no packet that a card takes is longer.
pub(super) const MAX_CONTENT_BYTES: usize = 9216;
/// Highest `offset` and `depth`, as in Suricata.
const MAX_POSITION: i128 = 65_535;
/// Highest `distance` and `within`, to either side, as in Suricata.
const MAX_DISTANCE: i128 = 1 << 20;

impl Asks<'_> {
    /// Takes the option where it is `content` or one of its modifiers.
    pub(super) fn content(
        &mut self,
        key: &str,
        name: &Token<'_>,
        value: Option<Token<'_>>,
    ) -> Result<bool, Fault> {
        match key {
            "content" | "uricontent" => {
                let value = needs(name, value)?;
                self.pattern(&value, shown(key, Some(&value)), key == "uricontent")?;
            }
            "rawbytes" => {}
            "nocase" | "startswith" | "endswith" | "fast_pattern" | "offset" | "depth" | "distance"
            | "within" => {
                self.modifier(key, name, value)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// `!"bytes",modifier,modifier value`.
    fn pattern(&mut self, value: &Token<'_>, text: String, uri: bool) -> Result<(), Fault> {
        let (negated, rest) = match value.text.strip_prefix('!') {
            Some(_) => (true, trimmed(behind(value, 1))),
            None => (false, value.clone()),
        };
        let (inner, after) = quotes(&rest, "content")?;
        let content = Content { bytes: self.unescaped(&inner)?, negated, ..Content::default() };
        self.test(Test::Content(content), text, value.at.clone());
        if uri {
            self.reasons.add(Why::Application, "uricontent");
            if let Some(step) = self.last_content() {
                step.place = Place::Application {
                    name: "uricontent".to_owned(),
                    carries: vec![Carry::Uri],
                    part: Part::Request,
                };
            }
        }
        let Some(modifiers) = after else { return Ok(()) };
        for modifier in list(&modifiers) {
            let (name, value) = word(&modifier);
            let key = name.text.to_ascii_lowercase();
            match key.as_str() {
                "rawbytes" => {}
                "nocase"
                | "startswith"
                | "endswith"
                | "fast_pattern"
                | "offset"
                | "depth"
                | "distance"
                | "within"
                | "fast_pattern_offset"
                | "fast_pattern_length" => self.modifier(&key, &name, value)?,
                _ => {
                    let message = format!("`{}` does not modify a content", modifier.quoted());
                    return Err(modifier.fault(message, "expected a modifier").help(
                        "modifiers are nocase, offset, depth, distance, within, startswith, endswith, rawbytes, \
                         fast_pattern, fast_pattern_offset and fast_pattern_length",
                    ));
                }
            }
        }
        Ok(())
    }

    fn modifier(&mut self, key: &str, name: &Token<'_>, value: Option<Token<'_>>) -> Result<(), Fault> {
        // A modifier without a content is told before what is wrong in its value.
        self.modified(name)?;
        match key {
            "nocase" | "startswith" | "endswith" => {
                let (content, ..) = self.modified(name)?;
                match key {
                    "nocase" => content.nocase = true,
                    "startswith" => content.startswith = true,
                    _ => content.endswith = true,
                }
            }
            "offset" | "depth" | "distance" | "within" => {
                let value = needs(name, value)?;
                let (first, last) = match key {
                    "offset" | "depth" => (0, MAX_POSITION),
                    _ => (-MAX_DISTANCE, MAX_DISTANCE),
                };
                let operand = self.operand(&value, key, first, last)?;
                let (content, ..) = self.modified(name)?;
                let field = match key {
                    "offset" => &mut content.offset,
                    "depth" => &mut content.depth,
                    "distance" => &mut content.distance,
                    _ => &mut content.within,
                };
                if field.replace(operand).is_some() {
                    return Err(name.fault(format!("`{key}` stands twice"), "the second one of this content"));
                }
            }
            _ => self.fast_pattern(key, name, value)?,
        }
        Ok(())
    }

    /// `fast_pattern`, `fast_pattern:only`, `fast_pattern:OFFSET,LENGTH`, and Snort 3's two modifiers.
    fn fast_pattern(&mut self, key: &str, name: &Token<'_>, value: Option<Token<'_>>) -> Result<(), Fault> {
        let (content, fast, chosen) = self.modified(name)?;
        let length = content.bytes.len();
        let last = length as i128;
        let within = |token: &Token<'_>, what: &str, first: i128| {
            // It lies in 0..=length.
            number(token, what, first, last).map(|number| usize::try_from(number).unwrap_or(length))
        };
        match key {
            "fast_pattern_offset" => {
                let from = within(&needs(name, value)?, "the offset of the fast pattern", 0)?;
                let length = chosen.map_or(length.saturating_sub(from), |(_, length)| length);
                *chosen = Some((from, length));
            }
            "fast_pattern_length" => {
                let count = within(&needs(name, value)?, "the length of the fast pattern", 1)?;
                *chosen = Some((chosen.map_or(0, |(from, _)| from), count));
            }
            _ => {
                *fast = true;
                let Some(value) = value.filter(|value| !value.text.is_empty()) else { return Ok(()) };
                if value.text.eq_ignore_ascii_case("only") {
                    return Ok(());
                }
                let parts = list(&value);
                let [from, count] = parts.as_slice() else {
                    let message = format!("`{}` is no part of a content", value.quoted());
                    return Err(value.fault(message, "expected `only` or `OFFSET,LENGTH`"));
                };
                let from = within(from, "the offset of the fast pattern", 0)?;
                let count = within(count, "the length of the fast pattern", 1)?;
                *chosen = Some((from, count));
            }
        }
        match *chosen {
            Some((from, count)) if from + count > length && key != "fast_pattern_offset" => {
                let message = format!("the fast pattern ends behind the content of {length} bytes");
                Err(name.fault(message, "expected a part of the content"))
            }
            _ => Ok(()),
        }
    }

    /// The bytes of a content: escapes undone, `|41 42|` as bytes, everything else as in the file.
    fn unescaped(&self, inner: &Token<'_>) -> Result<Vec<u8>, Fault> {
        let mut bytes = Vec::with_capacity(inner.text.len());
        // Where the open `|` stands, and the first digit of a byte that has no second one.
        let mut open = None;
        let mut half = None;
        let mut escape = None;
        for (at, c) in inner.text.char_indices() {
            let here = || part(inner, at, at + c.len_utf8());
            if c == '\n' {
                // A continued line.
            } else if let Some(from) = escape.take() {
                if !matches!(c, '"' | ';' | '\\' | ':' | '|') {
                    let token = part(inner, from, at + c.len_utf8());
                    return Err(token
                        .fault(
                            format!("`{}` escapes nothing", token.quoted()),
                            "expected `\\\"`, `\\;`, `\\\\` or `\\:`",
                        )
                        .help("a backslash is written `\\\\` or `|5C|`"));
                }
                self.source.push_bytes(c, inner.at.start + at, &mut bytes);
            } else if open.is_some() {
                match (c, c.to_digit(16), half) {
                    ('|', ..) if half.is_none() => open = None,
                    (c, ..) if is_blank(c) && half.is_none() => {}
                    (_, Some(digit), None) => half = Some(digit),
                    (_, Some(digit), Some(first)) => {
                        // Two hexadecimal digits are a byte.
                        bytes.push((first * 16 + digit) as u8);
                        half = None;
                    }
                    (_, None, Some(_)) => {
                        return Err(
                            here().fault("a byte has two hexadecimal digits", "expected the second one")
                        );
                    }
                    _ => {
                        let message = format!("`{}` is not a hexadecimal digit", here().quoted());
                        return Err(here().fault(message, "expected two digits for each byte, or `|`"));
                    }
                }
            } else {
                match c {
                    '|' => open = Some(at),
                    '\\' => escape = Some(at),
                    _ => self.source.push_bytes(c, inner.at.start + at, &mut bytes),
                }
            }
        }
        if let Some(at) = open {
            return Err(
                part(inner, at, inner.text.len()).fault("the bytes have no closing `|`", "expected `|`")
            );
        }
        if bytes.is_empty() {
            return Err(inner.fault("the content has no bytes", "expected at least one"));
        }
        if bytes.len() > MAX_CONTENT_BYTES {
            let message = format!("a content of {} bytes", bytes.len());
            return Err(inner.fault(message, format!("expected at most {MAX_CONTENT_BYTES}")));
        }
        Ok(bytes)
    }
}

/// What stands between quotes, and what follows behind a comma.
pub(super) fn quotes<'a>(token: &Token<'a>, what: &str) -> Result<(Token<'a>, Option<Token<'a>>), Fault> {
    if !token.text.starts_with('"') {
        return Err(token.fault(format!("{what} stands between quotes"), "expected `\"`"));
    }
    let mut escaped = false;
    let end = token.text.char_indices().skip(1).find(|&(_, c)| {
        let found = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        found
    });
    let Some((end, _)) = end else {
        let fault = token.fault(format!("{what} has no closing quote"), "expected `\"` before the `;`");
        return Err(
            fault.help("a `;` in the text is written `\\;` or `|3B|`; between two options stands a `;`")
        );
    };
    let inner = part(token, 1, end);
    let after = trimmed(behind(token, end + 1));
    match after.text.chars().next() {
        None => Ok((inner, None)),
        Some(',') => Ok((inner, Some(behind(&after, 1)))),
        Some(_) => {
            let fault = after.fault(
                format!("`{}` stands behind the closing quote", after.quoted()),
                "expected `;` or `,`",
            );
            Err(fault.help("a quote in the text is written `\\\"` or `|22|`"))
        }
    }
}

/// What no packet can satisfy, or what has two meanings.
pub(super) fn check(steps: &[Step]) -> Result<(), Fault> {
    if let Some(second) = steps.iter().filter(|step| step.fast).nth(1) {
        let fault = Fault::new(second.at.clone(), "the rule has two fast patterns", "the second one");
        return Err(fault);
    }
    for step in steps {
        let What::Test(Test::Content(content)) = &step.what else { continue };
        let fault = |message: String, label: &str| Err(Fault::new(step.at.clone(), message, label));
        let length = content.bytes.len();
        let absolute = content.offset.is_some() || content.depth.is_some();
        if absolute && content.is_relative() {
            let message = "one content counts from the start of the buffer and from the last match";
            return fault(message.to_owned(), "expected offset and depth, or distance and within");
        }
        if content.startswith && (absolute || content.is_relative()) {
            let message = "`startswith` says where the content begins, and so does another modifier";
            return fault(message.to_owned(), "expected one of them");
        }
        for (name, operand) in [("depth", content.depth), ("within", content.within)] {
            match operand {
                Some(Operand::Number(bound)) if bound < length as i64 => {
                    let message = format!("`{name}` {bound} is less than the {length} bytes of the content");
                    return fault(message, "matches no packet");
                }
                _ => {}
            }
        }
        if step.part.is_some_and(|(from, count)| from + count > length || count == 0) {
            let message = format!("the fast pattern ends behind the content of {length} bytes");
            return fault(message, "expected a part of the content");
        }
    }
    Ok(())
}

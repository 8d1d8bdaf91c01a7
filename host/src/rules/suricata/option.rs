//! Options of a signature: what stands between its parentheses.
//!
//! An option ends at the first `;` that has no backslash before it, also between quotes, as in Suricata
//! (`detect-parse.c`). What says who wrote the rule and why is read here, what it asks of a packet in
//! [`detect`](super::detect).

use std::ops::Range;

use crate::rules::cursor::{Cursor, Token, is_blank};
use crate::rules::diagnostics::Fault;

use super::detect::Written;
use super::detect::value::trimmed;

/// What the options say.
#[derive(Default)]
pub(super) struct Options<'a> {
    pub sid: Option<u32>,
    /// Where the value of `sid` stands.
    pub sid_at: Range<usize>,
    pub gid: Option<u32>,
    pub rev: Option<u32>,
    pub msg: Option<String>,
    pub classtype: Option<String>,
    pub priority: Option<u32>,
    pub references: Vec<String>,
    pub metadata: Vec<(String, String)>,
    /// What the rule asks of a packet, in its order.
    pub asked: Vec<Written<'a>>,
}

/// Reads `( … )` and checks that the line ends there.
pub(super) fn options<'a>(cursor: &mut Cursor<'a>) -> Result<Options<'a>, Fault> {
    let open = cursor.at();
    if !cursor.eat('(') {
        return Err(cursor.expected("`(` and the options"));
    }
    let mut options = Options::default();
    loop {
        cursor.skip_blanks();
        if cursor.eat(')') {
            break;
        }
        if cursor.is_end() {
            let help = "a rule that goes on in the next line ends its line with a backslash";
            return Err(cursor.expected("another option or `)`").help(help));
        }
        option(cursor, &mut options)?;
    }
    let close = cursor.at();
    cursor.skip_blanks();
    if !cursor.is_end() {
        return Err(cursor.expected("the end of the rule"));
    }
    if options.sid.is_none() {
        let fault =
            Fault::new(open..close, "the signature has no `sid`", "expected `sid:NUMBER;` in these options");
        return Err(
            fault.help("every signature is named by its sid; numbers from 1000000 are for local rules")
        );
    }
    Ok(options)
}

fn option<'a>(cursor: &mut Cursor<'a>, options: &mut Options<'a>) -> Result<(), Fault> {
    let name = cursor.take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'));
    if name.text.is_empty() {
        return Err(cursor.expected("the name of an option"));
    }
    cursor.skip_blanks();
    let value = match cursor.peek() {
        Some(';') => None,
        Some(':') => {
            cursor.eat(':');
            Some(trimmed(value(cursor, &name)?))
        }
        _ => return Err(cursor.expected(&format!("`:` or `;` after option `{}`", name.quoted()))),
    };
    cursor.eat(';');
    options.take(name, value)
}

/// Takes the text up to the `;` that ends the option.
fn value<'a>(cursor: &mut Cursor<'a>, name: &Token<'_>) -> Result<Token<'a>, Fault> {
    let rest = cursor.rest();
    let ends = rest.match_indices(';').map(|(at, _)| at);
    match ends.into_iter().find(|&at| !rest[..at].ends_with('\\')) {
        Some(end) => Ok(cursor.take(end)),
        None => Err(name
            .fault(
                format!("option `{}` does not end", name.quoted()),
                "expected `;` after the value of this option",
            )
            .help("every option ends with `;`, also the last one; in a text it is written `\\;`")),
    }
}

impl<'a> Options<'a> {
    fn take(&mut self, name: Token<'a>, value: Option<Token<'a>>) -> Result<(), Fault> {
        let key = name.text.to_ascii_lowercase();
        let known = ["sid", "gid", "rev", "priority", "msg", "classtype", "reference", "metadata"];
        if !known.contains(&key.as_str()) {
            self.asked.push(Written { name, value });
            return Ok(());
        }
        let Some(value) = value.filter(|value| !value.text.is_empty()) else {
            return Err(name.fault(format!("option `{key}` has no value"), format!("expected `{key}:…;`")));
        };
        let seen = match key.as_str() {
            "sid" => {
                self.sid_at = value.at.clone();
                let sid = number(&value, &key)?;
                if sid == 0 {
                    return Err(value.fault("sid 0 names no signature", "expected a number from 1"));
                }
                self.sid.replace(sid).is_some()
            }
            "gid" => self.gid.replace(number(&value, &key)?).is_some(),
            "rev" => self.rev.replace(number(&value, &key)?).is_some(),
            "priority" => self.priority.replace(number(&value, &key)?).is_some(),
            "msg" => self.msg.replace(text(&value)?).is_some(),
            "classtype" => self.classtype.replace(plain(&value)).is_some(),
            "reference" => {
                self.references.push(plain(&value));
                false
            }
            _ => {
                self.metadata.extend(pairs(&value));
                false
            }
        };
        if seen {
            return Err(name.fault(format!("option `{key}` stands twice"), "the second one"));
        }
        Ok(())
    }
}

/// A number, which may stand between quotes.
fn number(value: &Token<'_>, key: &str) -> Result<u32, Fault> {
    let text = value.text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(value.text);
    let number = text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
    number.ok_or_else(|| {
        let message = format!("`{}` is not a {key}", value.quoted());
        value.fault(message, format!("expected a number up to {}", u32::MAX))
    })
}

/// Text between quotes, without the backslashes that escape a character.
fn text(value: &Token<'_>) -> Result<String, Fault> {
    let Some(inner) = value.text.strip_prefix('"') else {
        return Err(value.fault("the text of `msg` stands between quotes", "expected `\"`"));
    };
    let Some(inner) = inner.strip_suffix('"') else {
        return Err(value
            .fault("the text of `msg` has no closing quote", "expected `\"` before the `;`")
            .help("a `;` in the text is written `\\;`; between two options stands a `;`"));
    };
    let mut text = String::with_capacity(inner.len());
    let mut escaped = false;
    for c in inner.chars().filter(|&c| c != '\n') {
        if c == '\\' && !escaped {
            escaped = true;
        } else {
            text.push(c);
            escaped = false;
        }
    }
    Ok(text)
}

/// Text as written, continued lines joined.
fn plain(value: &Token<'_>) -> String {
    value.text.replace('\n', "")
}

/// `key value, key value`; a key may stand alone.
fn pairs(value: &Token<'_>) -> Vec<(String, String)> {
    let text = plain(value);
    let entries = text.split(',').map(|entry| entry.trim_matches(is_blank)).filter(|entry| !entry.is_empty());
    entries
        .map(|entry| match entry.split_once(is_blank) {
            Some((key, value)) => (key.to_owned(), value.trim_start_matches(is_blank).to_owned()),
            None => (entry.to_owned(), String::new()),
        })
        .collect()
}

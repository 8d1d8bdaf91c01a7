//! Values of options: lists, numbers, comparisons.

use crate::rules::cursor::{Token, is_blank};
use crate::rules::detect::NumberTest;
use crate::rules::diagnostics::Fault;

/// Without the blanks around it.
pub(in crate::rules::suricata) fn trimmed(token: Token<'_>) -> Token<'_> {
    let front = token.text.len() - token.text.trim_start_matches(is_blank).len();
    let text = token.text.trim_matches(is_blank);
    let start = token.at.start + front;
    Token { text, at: start..start + text.len() }
}

/// The part of a token from byte `from` to byte `to`, both at a character's boundary.
pub(super) fn part<'a>(token: &Token<'a>, from: usize, to: usize) -> Token<'a> {
    let start = token.at.start;
    Token { text: &token.text[from..to], at: start + from..start + to }
}

/// Everything behind the first `length` bytes.
pub(super) fn behind<'a>(token: &Token<'a>, length: usize) -> Token<'a> {
    part(token, length, token.text.len())
}

/// The parts between commas, without the blanks around them.
pub(super) fn list<'a>(token: &Token<'a>) -> Vec<Token<'a>> {
    let mut from = 0;
    let ends = token.text.match_indices(',').map(|(at, _)| at).chain([token.text.len()]);
    ends.map(|end| {
        let one = trimmed(part(token, from, end));
        from = end + 1;
        one
    })
    .collect()
}

/// The first word, and what follows it.
pub(super) fn word<'a>(token: &Token<'a>) -> (Token<'a>, Option<Token<'a>>) {
    match token.text.find(is_blank) {
        None => (token.clone(), None),
        Some(end) => (part(token, 0, end), Some(trimmed(behind(token, end)))),
    }
}

/// Without the quotes around it, where there are some.
pub(super) fn unquoted<'a>(token: &Token<'a>) -> Token<'a> {
    let inner = token.text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    match inner {
        Some(text) => trimmed(part(token, 1, 1 + text.len())),
        None => token.clone(),
    }
}

/// A number as text: sign, decimal or hexadecimal digits; `None` where it is none.
pub(super) fn digits(text: &str) -> Option<i128> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(text) => (true, text),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let hexadecimal = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let (radix, text) = hexadecimal.map_or((10, text), |text| (16, text));
    if !text.starts_with(|c: char| c.is_digit(radix)) {
        return None;
    }
    let number = i128::from_str_radix(text, radix).ok()?;
    Some(if negative { -number } else { number })
}

/// A number from `first` to `last`; `what` names it in the error.
pub(super) fn number(token: &Token<'_>, what: &str, first: i128, last: i128) -> Result<i128, Fault> {
    let label = || format!("expected a number from {first} to {last}");
    match digits(token.text) {
        Some(number) if first <= number && number <= last => Ok(number),
        Some(number) if number > last => {
            Err(token.fault(format!("{what} {number} is above {last}"), label()))
        }
        Some(number) => Err(token.fault(format!("{what} {number} is below {first}"), label())),
        None if token.text.is_empty() => Err(token.fault(format!("{what} is missing"), label())),
        None => Err(token.fault(format!("`{}` is not a number for {what}", token.quoted()), label())),
    }
}

/// A comparison with a number up to `last`: `5`, `!5`, `<5`, `>=5`, `3<>9` and `3-9` (both not included), `3<=>9` (both
/// included).
pub(super) fn comparison(token: &Token<'_>, what: &str, last: u64) -> Result<NumberTest, Fault> {
    let token = unquoted(token);
    let (negated, body) = match token.text.strip_prefix('!') {
        Some(_) => (true, trimmed(behind(&token, 1))),
        None => (false, token.clone()),
    };
    let value = |token: &Token<'_>| {
        // What lies in 0..=u64::MAX is a u64.
        number(token, what, 0, i128::from(last)).map(|number| u64::try_from(number).unwrap_or(u64::MAX))
    };
    for between in ["<=>", "<>", "-"] {
        let Some(at) = body.text.find(between) else { continue };
        let low = value(&trimmed(part(&body, 0, at)))?;
        let high = value(&trimmed(behind(&body, at + between.len())))?;
        let (first, last) = match between {
            "<=>" => (low, high),
            _ => (low.saturating_add(1), high.saturating_sub(1)),
        };
        if first > last || low > high {
            let message = format!("no number is {}", token.quoted());
            let label = format!("expected two numbers with others between them, as in 1{between}9");
            return Err(token.fault(message, label));
        }
        return Ok(NumberTest { first, last, negated });
    }
    for operator in ["<=", ">=", "!=", "<", ">", "="] {
        let Some(rest) = body.text.strip_prefix(operator) else { continue };
        let at = trimmed(behind(&body, body.text.len() - rest.len()));
        let number = value(&at)?;
        let impossible =
            |wanted: &str| at.fault(format!("no value is {wanted} {number}"), "matches no packet");
        let (first, last, turned) = match operator {
            "<=" => (0, number, false),
            ">=" => (number, u64::MAX, false),
            "<" => (0, number.checked_sub(1).ok_or_else(|| impossible("below"))?, false),
            ">" if number == last => return Err(impossible("above")),
            ">" => (number + 1, u64::MAX, false),
            "!=" => (number, number, true),
            _ => (number, number, false),
        };
        return Ok(NumberTest { first, last, negated: negated != turned });
    }
    let number = value(&body)?;
    Ok(NumberTest { first: number, last: number, negated })
}

/// The option was given without a value that it needs.
pub(super) fn needs<'a>(name: &Token<'_>, value: Option<Token<'a>>) -> Result<Token<'a>, Fault> {
    let key = name.text.to_ascii_lowercase();
    value
        .filter(|value| !value.text.is_empty())
        .ok_or_else(|| name.fault(format!("option `{key}` has no value"), format!("expected `{key}:…;`")))
}

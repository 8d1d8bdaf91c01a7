//! The words of a ruleset's text.

use crate::rules::diagnostics::Fault;

use super::ast::At;

/// A word or sign and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token<'a> {
    pub what: What<'a>,
    pub at: At,
}

/// Words and signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What<'a> {
    Word(&'a str),
    /// Between quotation marks.
    Quoted(&'a str),
    /// One of [`SIGNS`], or `. : / -` that stands alone.
    Sign(char),
    /// One of [`PAIRS`].
    Pair(&'a str),
    /// End of a line.
    Line,
    End,
}

/// Signs that are never part of a word.
const SIGNS: &str = "{}();,=!&|^<>";
/// Signs of two characters.
const PAIRS: [&str; 6] = ["==", "!=", "<=", ">=", "<<", ">>"];

/// All tokens of a text, the last one [`What::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<Token<'_>>, Fault> {
    let mut tokens = Vec::new();
    let mut pos = 0;
    while let Some(c) = text[pos..].chars().next() {
        let rest = &text[pos..];
        let length = match c {
            '\n' => {
                tokens.push(Token { what: What::Line, at: pos..pos + 1 });
                1
            }
            '#' => rest.find('\n').unwrap_or(rest.len()),
            '\\' if rest[1..].trim_start_matches('\r').starts_with('\n') => {
                rest.find('\n').map_or(1, |end| end + 1)
            }
            '"' => {
                let Some(length) = rest[1..].find(['"', '\n']).filter(|end| rest[1 + end..].starts_with('"'))
                else {
                    return Err(Fault::new(pos..pos + 1, "the text is not closed", "expected another `\"`"));
                };
                tokens.push(Token { what: What::Quoted(&rest[1..=length]), at: pos..pos + length + 2 });
                length + 2
            }
            c if c.is_whitespace() => c.len_utf8(),
            c if SIGNS.contains(c) => {
                let pair = PAIRS.into_iter().find(|pair| rest.starts_with(pair));
                let what = pair.map_or(What::Sign(c), What::Pair);
                let length = pair.map_or(1, str::len);
                tokens.push(Token { what, at: pos..pos + length });
                length
            }
            _ => {
                let ends = |c: char| c.is_whitespace() || c == '"' || c == '#' || SIGNS.contains(c);
                let length = rest.find(ends).unwrap_or(rest.len());
                word(&rest[..length], pos, &mut tokens);
                length
            }
        };
        pos += length;
    }
    tokens.push(Token { what: What::End, at: text.len()..text.len() });
    Ok(tokens)
}

/// A word; the colon of a map may stand at its end or inside (`22:accept`), where it is no address.
fn word<'a>(word: &'a str, pos: usize, tokens: &mut Vec<Token<'a>>) {
    let mut push = |what, from: usize, to: usize| tokens.push(Token { what, at: pos + from..pos + to });
    if let ("." | ":" | "/" | "-", Some(sign)) = (word, word.chars().next()) {
        return push(What::Sign(sign), 0, 1);
    }
    let colon = word.rfind(':').filter(|&at| {
        let behind = &word[at + 1..];
        let in_address = |c: char| c.is_ascii_hexdigit() || matches!(c, '.' | '/' | '-');
        match word.matches(':').count() {
            1 => true,
            _ if behind.is_empty() => !word.ends_with("::"),
            _ => !behind.chars().all(in_address),
        }
    });
    let Some(at) = colon else { return push(What::Word(word), 0, word.len()) };
    push(What::Word(&word[..at]), 0, at);
    push(What::Sign(':'), at, at + 1);
    if at + 1 < word.len() {
        push(What::Word(&word[at + 1..]), at + 1, word.len());
    }
}

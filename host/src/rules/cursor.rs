//! A place in a line of a rule file.

use std::ops::Range;

use crate::rules::diagnostics::Fault;

/// Reads a text from left to right and knows where in the file it is.
#[derive(Clone)]
pub(crate) struct Cursor<'a> {
    text: &'a str,
    pos: usize,
    base: usize,
}

/// Text of a file as a message quotes it: bounded, and without control characters, which must not reach the terminal.
pub(crate) fn quoted(text: &str) -> String {
    const SHOWN: usize = 48;
    let mut shown: String = text.chars().take(SHOWN).map(printable).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

/// Puts a mark in place of a control character.
pub(crate) fn printable(c: char) -> char {
    if c.is_control() && c != '\t' { '\u{fffd}' } else { c }
}

/// Blanks between tokens. A line feed stands for a continued line.
pub(crate) fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

impl<'a> Cursor<'a> {
    /// At the start of `text`, which stands at byte `base` of its file.
    pub(crate) fn new(text: &'a str, base: usize) -> Self {
        Self { text, pos: 0, base }
    }

    /// Byte of the file.
    pub(crate) fn at(&self) -> usize {
        self.base + self.pos
    }

    pub(crate) fn rest(&self) -> &'a str {
        &self.text[self.pos..]
    }

    pub(crate) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(crate) fn is_end(&self) -> bool {
        self.pos == self.text.len()
    }

    pub(crate) fn eat(&mut self, c: char) -> bool {
        let found = self.peek() == Some(c);
        if found {
            self.pos += c.len_utf8();
        }
        found
    }

    pub(crate) fn skip_blanks(&mut self) {
        self.take_while(is_blank);
    }

    /// Takes what satisfies `wanted`, which may be nothing.
    pub(crate) fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> Token<'a> {
        let rest = self.rest();
        self.take(rest.find(|c| !wanted(c)).unwrap_or(rest.len()))
    }

    /// Takes `length` bytes, which must end at a character's boundary.
    pub(crate) fn take(&mut self, length: usize) -> Token<'a> {
        let start = self.at();
        let text = &self.rest()[..length];
        self.pos += length;
        Token { text, at: start..self.at() }
    }

    /// `wanted` should stand here, and something else does.
    pub(crate) fn expected(&self, wanted: &str) -> Fault {
        let (at, found) = match self.peek() {
            None => (self.at()..self.at(), "the end of the line".to_owned()),
            Some(c) if is_blank(c) => (self.at()..self.at() + c.len_utf8(), "a blank".to_owned()),
            Some(c) => (self.at()..self.at() + c.len_utf8(), format!("`{}`", c.escape_debug())),
        };
        Fault::new(at, format!("expected {wanted}, found {found}"), format!("expected {wanted}"))
    }
}

/// A part of the text and the bytes of the file where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Token<'a> {
    pub text: &'a str,
    pub at: Range<usize>,
}

impl Token<'_> {
    /// Its text for a message.
    pub(crate) fn quoted(&self) -> String {
        quoted(self.text)
    }

    pub(crate) fn fault(&self, message: impl Into<String>, label: impl Into<String>) -> Fault {
        Fault::new(self.at.clone(), message, label)
    }
}

//! Rule files as text, and what kind of rules they hold.

use std::io::Read;
use std::ops::Range;
use std::path::Path;

use crate::rules::diagnostics::{Fault, RuleError};
use crate::rules::suricata;

/// Text of a rule file and its name.
#[derive(Clone, Debug)]
pub struct Source {
    name: String,
    text: String,
    /// Where in `text` a character stands for one byte that is not part of UTF-8, ascending.
    latin1: Vec<usize>,
}

/// What a rule file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A ClassBench access control list.
    ClassBench,
    /// Suricata or Snort signatures.
    Signatures,
    /// An nftables ruleset as text.
    Nft,
    /// An nftables ruleset as JSON.
    NftJson,
}

/// Name that stands for the standard input.
const STANDARD_INPUT: &str = "-";

impl Source {
    /// Reads a file; `-` is the standard input.
    ///
    /// # Errors
    /// The file cannot be read, or is compressed.
    pub fn read(path: &Path) -> Result<Self, RuleError> {
        let name = path.to_string_lossy().into_owned();
        let mut bytes = Vec::new();
        let read = if name == STANDARD_INPUT {
            std::io::stdin().lock().read_to_end(&mut bytes)
        } else {
            std::fs::File::open(path).and_then(|mut file| file.read_to_end(&mut bytes))
        };
        match read {
            Err(error) => Err(RuleError::file(&name, format!("cannot be read: {error}"), None)),
            Ok(_) if bytes.starts_with(&[0x1f, 0x8b]) => {
                let help = "unpack it first, or pass it through a pipe: gzip -dc FILE | … -".to_owned();
                Err(RuleError::file(&name, "is compressed (gzip)", Some(help)))
            }
            Ok(_) => Ok(Self::new(name, &bytes)),
        }
    }

    /// Takes the bytes of a file. Old rule sets hold Latin-1 in comments and messages, so a byte that is not part of
    /// UTF-8 is read as that character of Latin-1. Characters outside ASCII are accepted in comments and option
    /// values only; anywhere else they are an error with their place.
    pub fn new(name: impl Into<String>, bytes: &[u8]) -> Self {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes); // byte order mark
        let mut text = String::with_capacity(bytes.len());
        let mut latin1 = Vec::new();
        for chunk in bytes.utf8_chunks() {
            text.push_str(chunk.valid());
            for &byte in chunk.invalid() {
                latin1.push(text.len());
                text.push(char::from(byte));
            }
        }
        Self { name: name.into(), text, latin1 }
    }

    /// Appends the bytes that the file has where character `c` stands at byte `at` of the text.
    pub(crate) fn push_bytes(&self, c: char, at: usize, bytes: &mut Vec<u8>) {
        match u8::try_from(c) {
            Ok(byte) if byte.is_ascii() || self.latin1.binary_search(&at).is_ok() => bytes.push(byte),
            _ => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }

    /// File as named on the command line.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Lines with their number (from 1) and their first byte; without line ends.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (u32, usize, &str)> {
        let mut start = 0;
        self.text.split('\n').zip(1..).map(move |(line, number)| {
            let at = start;
            start += line.len() + 1;
            (number, at, line.strip_suffix('\r').unwrap_or(line))
        })
    }

    /// Number of the line that holds byte `at`, and its bytes.
    pub(crate) fn line_at(&self, at: usize) -> (u32, Range<usize>) {
        let mut found = (1, 0..0);
        for (number, start, line) in self.lines() {
            if start > at {
                break;
            }
            found = (number, start..start + line.len());
        }
        found
    }

    /// What the file holds; `None` when it holds no rule. The first line that can be told decides: `@` begins a
    /// ClassBench rule, an action a signature, `table` or `flush` an nftables ruleset, `{` one as JSON.
    ///
    /// # Errors
    /// No line looks like a rule.
    pub fn kind(&self) -> Result<Option<Kind>, RuleError> {
        let mut first = None;
        for (_, start, line) in self.lines() {
            let trimmed = line.trim_start();
            if trimmed.is_empty() || trimmed.starts_with('#') {
                continue;
            }
            if trimmed.starts_with('@') {
                return Ok(Some(Kind::ClassBench));
            }
            if trimmed.starts_with('{') {
                return Ok(Some(Kind::NftJson));
            }
            let word = trimmed.split_ascii_whitespace().next().unwrap_or_default();
            if suricata::is_action(word) {
                return Ok(Some(Kind::Signatures));
            }
            if matches!(word, "table" | "flush") {
                return Ok(Some(Kind::Nft));
            }
            let at = start + line.len() - trimmed.len();
            first.get_or_insert(at..at + word.len());
        }
        let Some(at) = first else { return Ok(None) };
        let fault = Fault::new(at, "this is not a rule", "expected `@` or an action such as `alert`").help(
            "a ClassBench rule begins with `@`, a signature with alert, pass, drop, reject, rejectsrc, rejectdst or \
             rejectboth, the text of `nft list ruleset` with `table`",
        );
        Err(RuleError::at(self, fault))
    }
}

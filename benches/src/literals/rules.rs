//! The contents of the corpus' rules. (A reader of its own, for contents and nothing else; `host/src/rules` reads rules.)

use std::path::Path;

use anyhow::{Context, Result};
use rand::SeedableRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;

/// Seed of everything drawn.
const SEED: u64 = 3;

/// A pattern: bytes, and whether their case does not count.
pub type Pattern = (Vec<u8>, bool);

/// Contents of rules, each once: those that are a rule's fast pattern, and the others.
pub struct Contents {
    fast: Vec<Pattern>,
    others: Vec<Pattern>,
}

impl Contents {
    /// Of all enabled rules below `rules` in the corpus.
    ///
    /// # Errors
    /// Where the folder or a file cannot be read.
    pub fn load(corpus: &Path) -> Result<Self> {
        let mut files = Vec::new();
        super::files(&corpus.join("rules"), &["rules"], &mut files)?;
        let (mut fast, mut others) = (Vec::new(), Vec::new());
        for file in &files {
            let text = std::fs::read(file).with_context(|| file.display().to_string())?;
            for line in text.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().starts_with(b"#"))
            {
                // That of the longest pattern unless one is marked, as Suricata and Snort choose it.
                let contents = contents(line);
                let best = contents.iter().enumerate().max_by_key(|(at, content)| {
                    (content.fast, content.pattern.0.len(), std::cmp::Reverse(*at))
                });
                let best = best.map(|(at, _)| at);
                for (at, content) in contents.into_iter().enumerate() {
                    if Some(at) == best { &mut fast } else { &mut others }.push(content.pattern);
                }
            }
        }
        let mut random = ChaCha8Rng::seed_from_u64(SEED);
        for list in [&mut fast, &mut others] {
            list.sort_unstable();
            list.dedup();
            list.shuffle(&mut random);
        }
        others.retain(|pattern| !fast.contains(pattern));
        Ok(Self { fast, others })
    }

    /// `count` patterns: fast ones, then others, then, where the rules have no more, others' halves joined.
    pub fn take(&self, count: usize, shortest: usize) -> Vec<Pattern> {
        let real = self.fast.iter().chain(&self.others).filter(|(bytes, _)| bytes.len() >= shortest);
        let mut patterns: Vec<Pattern> = real.take(count).cloned().collect();
        let mut random = ChaCha8Rng::seed_from_u64(SEED + 1);
        let long: Vec<&Pattern> = self.fast.iter().filter(|(bytes, _)| bytes.len() >= 8).collect();
        while patterns.len() < count {
            let [Some((a, nocase)), Some((b, _))] = [long.choose(&mut random), long.choose(&mut random)]
            else {
                break;
            };
            patterns.push(([&a[..a.len() / 2], &b[b.len() / 2..]].concat(), *nocase));
        }
        patterns
    }

    /// Fast patterns.
    pub fn fast(&self) -> usize {
        self.fast.len()
    }

    /// Contents of that many bytes and more.
    pub fn count(&self, shortest: usize) -> usize {
        self.fast.iter().chain(&self.others).filter(|(bytes, _)| bytes.len() >= shortest).count()
    }
}

struct Content {
    pattern: Pattern,
    fast: bool,
}

/// Contents of a rule that are not negated.
fn contents(rule: &[u8]) -> Vec<Content> {
    let mut contents: Vec<Content> = Vec::new();
    let Some(body) = rule.iter().position(|byte| *byte == b'(') else { return contents };
    // Whether the option's modifiers belong to the last content.
    let mut counts = false;
    for option in options(&rule[body + 1..]) {
        let option = option.trim_ascii();
        if let Some(value) = option.strip_prefix(b"content:") {
            let value = value.trim_ascii();
            counts = !value.starts_with(b"!");
            let Some((bytes, rest)) = quoted(value.strip_prefix(b"!").unwrap_or(value)) else { continue };
            if counts && !bytes.is_empty() {
                contents.push(Content { pattern: (bytes, false), fast: false });
                rest.split(|byte| *byte == b',').for_each(|word| modify(&mut contents, word));
            }
        } else if counts {
            modify(&mut contents, option);
        }
    }
    contents
}

fn modify(contents: &mut [Content], word: &[u8]) {
    let Some(last) = contents.last_mut() else { return };
    match word.trim_ascii() {
        b"nocase" => last.pattern.1 = true,
        word if word.starts_with(b"fast_pattern") && !word.ends_with(b"only") => last.fast = true,
        b"fast_pattern:only" => last.fast = true,
        _ => {}
    }
}

/// Splits at semicolons outside of quotes.
fn options(body: &[u8]) -> Vec<&[u8]> {
    let (mut options, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, byte) in body.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            b';' if !quoted => {
                options.push(&body[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    options
}

/// Bytes of a quoted content, and what follows it. `None` where it is not well formed.
fn quoted(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let text = text.trim_ascii().strip_prefix(b"\"")?;
    let (mut bytes, mut at) = (Vec::new(), 0);
    loop {
        match *text.get(at)? {
            b'"' => return Some((bytes, &text[at + 1..])),
            b'\\' => {
                bytes.push(*text.get(at + 1)?);
                at += 2;
            }
            b'|' => {
                let length = text[at + 1..].iter().position(|byte| *byte == b'|')?;
                let digits = std::str::from_utf8(&text[at + 1..at + 1 + length]).ok()?.replace(' ', "");
                for pair in digits.as_bytes().chunks(2) {
                    bytes.push(u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?);
                }
                at += length + 2;
            }
            byte => {
                bytes.push(byte);
                at += 1;
            }
        }
    }
}

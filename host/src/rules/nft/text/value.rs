//! Values, sets and verdicts of the text.

use crate::rules::diagnostics::Fault;

use super::super::ast::{Element, Reject, Value, ValueKind, Verdict};
use super::super::lex::What;
use super::Parser;

/// Elements of all sets of a rule or of one named set, at most.
const MAX_ELEMENTS: usize = 1 << 20;

impl Parser<'_, '_> {
    /// What a field is compared with: a set, the name of one, or a value.
    pub(super) fn right(&mut self) -> Result<Value, Fault> {
        let start = self.peek().at.start;
        if self.peek().what == What::Sign('{') {
            let elements = self.elements()?;
            return Ok(Value { at: start..self.end(), kind: ValueKind::Set(elements) });
        }
        self.value(true)
    }

    /// A value; `lists`: flags may be joined by commas.
    pub(super) fn value(&mut self, lists: bool) -> Result<Value, Fault> {
        let start = self.peek().at.start;
        let mut parts = vec![self.one(lists)?];
        while self.eat(What::Sign('.')) {
            self.skip_lines();
            parts.push(self.one(lists)?);
        }
        Ok(match parts.pop() {
            Some(one) if parts.is_empty() => one,
            last => {
                parts.extend(last);
                Value { at: start..self.end(), kind: ValueKind::Concat(parts) }
            }
        })
    }

    /// A word, a range written with blanks, or flags joined by `|` or commas, also in parentheses.
    fn one(&mut self, lists: bool) -> Result<Value, Fault> {
        let start = self.peek().at.start;
        let mut words = Vec::new();
        loop {
            if self.eat(What::Sign('(')) {
                words.push(self.one(true)?);
                self.expect(')')?;
            } else {
                words.push(self.word()?);
            }
            if !(self.eat(What::Sign('|')) || lists && self.eat(What::Sign(','))) {
                break;
            }
        }
        Ok(match words.pop() {
            Some(one) if words.is_empty() => one,
            last => {
                words.extend(last);
                Value { at: start..self.end(), kind: ValueKind::Flags(words) }
            }
        })
    }

    fn word(&mut self) -> Result<Value, Fault> {
        let (first, at) = self.name("a value")?;
        if let Some(name) = first.strip_prefix('@') {
            return Ok(Value { at, kind: ValueKind::Named(name.to_owned()) });
        }
        if first == "*" {
            return Ok(Value { at, kind: ValueKind::Rest });
        }
        if !self.eat(What::Sign('-')) {
            return Ok(Value { at, kind: ValueKind::Word(first.to_owned()) });
        }
        let (last, last_at) = self.name("the end of the range")?;
        let kind = ValueKind::Word(format!("{first}-{last}"));
        Ok(Value { at: at.start..last_at.end, kind })
    }

    /// `{ element, … }`, over any number of lines.
    pub(super) fn elements(&mut self) -> Result<Vec<Element>, Fault> {
        self.expect('{')?;
        let mut elements = Vec::new();
        loop {
            self.skip_lines();
            if self.eat(What::Sign('}')) {
                return Ok(elements);
            }
            if elements.len() == MAX_ELEMENTS {
                let message = format!("the set has more than {MAX_ELEMENTS} elements");
                return Err(Fault::new(self.peek().at.clone(), message, "one too many"));
            }
            elements.push(self.element()?);
            self.skip_lines();
            if !self.eat(What::Sign(',')) && self.peek().what != What::Sign('}') {
                return Err(self.expected("`,` or `}`"));
            }
        }
    }

    /// A key, what is noted of it, and in a map the verdict.
    fn element(&mut self) -> Result<Element, Fault> {
        let key = self.value(false)?;
        let mut element = Element { key, verdict: None, expires: false };
        loop {
            self.skip_lines();
            match self.peek().what {
                What::Word("timeout" | "expires") => {
                    self.next();
                    self.name("a time")?;
                    element.expires = true;
                }
                What::Word("comment") => {
                    self.next();
                    self.name("a comment")?;
                }
                What::Word("counter") => self.counter()?,
                What::Sign(':') => {
                    self.next();
                    self.skip_lines();
                    element.verdict = Some(self.element_verdict()?);
                }
                _ => return Ok(element),
            }
        }
    }

    /// The verdict of a map's element; another value for what it is.
    fn element_verdict(&mut self) -> Result<Result<Verdict, String>, Fault> {
        if let Some(verdict) = self.verdict()? {
            return Ok(Ok(verdict));
        }
        let start = self.pos;
        self.value(false)?;
        let words = self.tokens[start..self.pos].iter().map(|token| match token.what {
            What::Word(text) | What::Quoted(text) | What::Pair(text) => text.to_owned(),
            What::Sign(sign) => sign.to_string(),
            What::Line | What::End => String::new(),
        });
        Ok(Err(words.collect()))
    }

    /// `packets N bytes N` behind `counter`, or its name.
    pub(super) fn counter(&mut self) -> Result<(), Fault> {
        self.next();
        if self.eat(What::Word("name")) {
            self.name("the name of a counter")?;
            return Ok(());
        }
        if matches!(self.peek().what, What::Quoted(_)) {
            self.next();
        }
        while self.eat(What::Word("packets")) || self.eat(What::Word("bytes")) {
            self.name("a number")?;
        }
        Ok(())
    }

    /// A verdict, if one stands here.
    pub(super) fn verdict(&mut self) -> Result<Option<Verdict>, Fault> {
        let What::Word(word) = self.peek().what else { return Ok(None) };
        let verdict = match word {
            "jump" | "goto" => {
                self.next();
                let (target, _) = self.name("the name of a chain")?;
                let jump = if word == "jump" { Verdict::Jump } else { Verdict::Goto };
                return Ok(Some(jump(target.to_owned())));
            }
            "reject" => {
                self.next();
                Verdict::Reject(self.reject()?)
            }
            _ => match Verdict::of(word) {
                Some(verdict) => {
                    self.next();
                    verdict
                }
                None => return Ok(None),
            },
        };
        Ok(Some(verdict))
    }

    /// What stands behind `reject`.
    fn reject(&mut self) -> Result<Reject, Fault> {
        if !self.eat(What::Word("with")) {
            return Ok(Reject::Any);
        }
        let answer = match self.peek().what {
            What::Word("icmp") => Reject::Icmp,
            What::Word("icmpv6") => Reject::Icmp6,
            What::Word("icmpx") => Reject::Any,
            What::Word("tcp") => Reject::TcpReset,
            _ => return Err(self.expected("icmp, icmpv6, icmpx or `tcp reset`")),
        };
        self.next();
        self.eat(What::Word("type"));
        self.name("the kind of answer")?;
        Ok(answer)
    }
}

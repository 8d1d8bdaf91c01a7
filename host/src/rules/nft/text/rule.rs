//! The statements of a rule.

use crate::rules::diagnostics::Fault;

use super::super::ast::{Field, Match, Op, Selector, Statement};
use super::super::foreign::{self, Foreign};
use super::super::lex::What;
use super::Parser;

/// Fields that stand for themselves, without the name of a protocol.
const ALONE: [&str; 14] = [
    "iif", "iifname", "iiftype", "iifgroup", "oif", "oifname", "oiftype", "oifgroup", "mark", "skuid",
    "skgid", "cpu", "cgroup", "xt",
];
impl<'a> Parser<'_, 'a> {
    /// All statements to the end of the rule. A rule that only counts, logs or marks has none; behind something
    /// that is not expressible the rest is not read.
    pub(super) fn statements(&mut self) -> Result<Vec<Statement>, Fault> {
        let start = self.pos;
        let mut statements = Vec::new();
        while !self.at_end() {
            match self.statement()? {
                Ok(statement) => statements.extend(statement),
                Err(Foreign { fault, changes }) => {
                    self.skip_line();
                    let decides = |what| matches!(what, What::Word(word) | What::Quoted(word) if foreign::decides(word));
                    if !changes && !self.tokens[start..self.pos].iter().any(|token| decides(token.what)) {
                        return Ok(Vec::new());
                    }
                    statements.push(Statement::Foreign(fault));
                }
            }
        }
        Ok(statements)
    }

    /// One statement; none where it has no effect on verdicts.
    fn statement(&mut self) -> Result<Result<Option<Statement>, Foreign>, Fault> {
        if let Some(verdict) = self.verdict()? {
            return Ok(Ok(Some(Statement::Verdict(verdict))));
        }
        match self.peek().what {
            What::Word("counter") => self.counter()?,
            What::Word("log") => self.log()?,
            What::Word("comment") => {
                self.next();
                self.name("a comment")?;
            }
            What::Word("notrack") => drop(self.next()),
            What::Word(_) => return self.comparison(),
            _ => return Err(self.expected("a match, a verdict or another statement")),
        }
        Ok(Ok(None))
    }

    fn log(&mut self) -> Result<(), Fault> {
        self.next();
        loop {
            match self.peek().what {
                What::Word("prefix" | "level" | "group" | "snaplen" | "queue-threshold") => {
                    self.next();
                    self.name("a value")?;
                }
                What::Word("flags") => {
                    self.next();
                    let (first, _) = self.name("a flag")?;
                    if matches!(first, "tcp" | "ip") {
                        self.value(true)?;
                    }
                }
                _ => return Ok(()),
            }
        }
    }

    /// A match, a verdict map, or a change of something.
    fn comparison(&mut self) -> Result<Result<Option<Statement>, Foreign>, Fault> {
        let start = self.pos;
        let begin = self.peek().at.start;
        if self.changes_unseen() {
            return Ok(Ok(None));
        }
        let mut left = Vec::new();
        loop {
            match self.selector() {
                Ok(selector) => left.push(selector),
                Err(foreign) => return Ok(Err(foreign)),
            }
            if !self.eat(What::Sign('.')) {
                break;
            }
        }
        match self.peek().what {
            What::Word("set") => return Ok(Err(self.foreign(start, foreign::CHANGES))),
            What::Word("map") => return Ok(Err(self.foreign(start, "a map of values"))),
            What::Word("vmap") => {
                self.next();
                let map = self.right()?;
                return Ok(Ok(Some(Statement::VerdictMap { key: left, map })));
            }
            _ => {}
        }
        let mut mask = if self.eat(What::Sign('&')) { Some(self.value(true)?) } else { None };
        let op = self.op();
        let right = self.right()?;
        if mask.is_none() && self.eat(What::Sign('/')) {
            // `flags value / mask`
            mask = Some(self.value(true)?);
        }
        let at = begin..self.end();
        Ok(Ok(Some(Statement::Match(Match { at, left, mask, op, right }))))
    }

    /// `meta mark set 1` and the like.
    fn changes_unseen(&mut self) -> bool {
        let words = |n: usize| match self.tokens.get(self.pos + n).map(|token| token.what) {
            Some(What::Word(word)) => word,
            _ => "",
        };
        let value = match (words(0), words(1), words(2)) {
            (word, key, "set") if foreign::is_unseen(word, key) => 3,
            ("mark", "set", _) => 2,
            _ => return false,
        };
        let ends = |what| matches!(what, What::Line | What::Sign(';' | '}') | What::Word(_) | What::End);
        let simple = matches!(self.tokens.get(self.pos + value), Some(token) if matches!(token.what, What::Word(_)))
            && self.tokens.get(self.pos + value + 1).is_none_or(|token| ends(token.what));
        if simple {
            self.pos += value + 1;
        }
        simple
    }

    /// A field.
    fn selector(&mut self) -> Result<Selector, Foreign> {
        let start = self.pos;
        let What::Word(first) = self.peek().what else {
            return Err(self.foreign(start, "expected a field"));
        };
        self.next();
        let second = match self.peek().what {
            What::Word(second) if !ALONE.contains(&first) && !foreign::decides(second) => second,
            _ => return Err(self.foreign(start, "")),
        };
        self.next();
        match Field::named(first, second) {
            Some(field) => Ok(Selector { field, at: self.tokens[start].at.start..self.end() }),
            None => Err(self.foreign(start, "")),
        }
    }

    /// That the tokens from `start` on are not expressible; `why` where the words themselves do not say it.
    fn foreign(&self, start: usize, why: &str) -> Foreign {
        let words: Vec<&str> = self.tokens[start..self.pos.max(start + 1)]
            .iter()
            .filter_map(|token| match token.what {
                What::Word(word) | What::Quoted(word) => Some(word),
                _ => None,
            })
            .collect();
        let at = self.tokens[start].at.start..self.end();
        let first = words.first().copied().unwrap_or_default();
        let mut fault = foreign::fault(at, first, &words.join(" "));
        if !why.is_empty() {
            fault.label = why.to_owned();
        }
        Foreign { fault, changes: !why.is_empty() || !foreign::only_matches(first) }
    }

    fn op(&mut self) -> Op {
        let op = match self.peek().what {
            What::Pair("==") | What::Word("eq") => Op::Eq,
            What::Pair("!=") | What::Word("ne") => Op::Ne,
            What::Pair("<=") | What::Word("le") => Op::Le,
            What::Pair(">=") | What::Word("ge") => Op::Ge,
            What::Sign('<') | What::Word("lt") => Op::Lt,
            What::Sign('>') | What::Word("gt") => Op::Gt,
            What::Sign('!') => Op::Not,
            _ => return Op::Implicit,
        };
        self.next();
        op
    }
}

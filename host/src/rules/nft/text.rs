//! The text that `nft list ruleset` prints: tables, sets and chains. [`rule`] reads the rules in them.

mod rule;
mod value;

use crate::rules::cursor::quoted;
use crate::rules::diagnostics::Fault;
use crate::rules::source::Source;

use super::ast::{At, Base, Chain, Element, Rule, Ruleset, Set, Table, TableFamily};
use super::lex::{Token, What, tokens};

/// Reads a text.
pub(super) fn parse(source: &Source) -> Result<Ruleset, Fault> {
    let tokens = tokens(source.text())?;
    let mut parser = Parser { tokens: &tokens, pos: 0 };
    let mut ruleset = Ruleset::default();
    loop {
        parser.skip_ends();
        match parser.peek().what {
            What::End => return Ok(ruleset),
            What::Word("table") => {
                let table = parser.table()?;
                let same = |other: &&mut Table| other.family == table.family && other.name == table.name;
                match ruleset.tables.iter_mut().find(same) {
                    Some(other) => join(other, table),
                    None => ruleset.tables.push(table),
                }
            }
            What::Word("flush") => parser.skip_line(),
            _ => return Err(parser.expected("`table`").help(NOT_LISTED)),
        }
    }
}

const NOT_LISTED: &str = "the text is read as `nft list ruleset` prints it; load definitions, includes and commands with nft and list them";

/// A table, set or chain that is written in parts.
fn join(table: &mut Table, more: Table) {
    table.dormant |= more.dormant;
    for set in more.sets {
        match table.sets.iter_mut().find(|other| other.name == set.name) {
            Some(other) => {
                other.elements.extend(set.elements);
                other.changes |= set.changes;
            }
            None => table.sets.push(set),
        }
    }
    for chain in more.chains {
        match table.chains.iter_mut().find(|other| other.name == chain.name) {
            Some(other) => {
                other.rules.extend(chain.rules);
                other.base = chain.base.or(other.base.take());
            }
            None => table.chains.push(chain),
        }
    }
}

/// Reads tokens from left to right.
struct Parser<'t, 'a> {
    tokens: &'t [Token<'a>],
    /// Never behind the last token, which is the end.
    pos: usize,
}

impl<'t, 'a> Parser<'t, 'a> {
    fn peek(&self) -> &'t Token<'a> {
        &self.tokens[self.pos]
    }

    fn next(&mut self) -> &'t Token<'a> {
        let token = self.peek();
        self.pos = (self.pos + 1).min(self.tokens.len() - 1);
        token
    }

    /// End of the token before.
    fn end(&self) -> usize {
        self.tokens[self.pos.saturating_sub(1)].at.end
    }

    fn eat(&mut self, what: What<'_>) -> bool {
        let found = self.peek().what == what && what != What::End;
        if found {
            self.next();
        }
        found
    }

    fn expect(&mut self, sign: char) -> Result<At, Fault> {
        let at = self.peek().at.clone();
        if self.eat(What::Sign(sign)) { Ok(at) } else { Err(self.expected(&format!("`{sign}`"))) }
    }

    fn expected(&self, wanted: &str) -> Fault {
        let token = self.peek();
        let found = match token.what {
            What::Word(text) => format!("`{}`", quoted(text)),
            What::Quoted(text) => format!("`\"{}\"`", quoted(text)),
            What::Sign(sign) => format!("`{sign}`"),
            What::Pair(pair) => format!("`{pair}`"),
            What::Line => "the end of the line".to_owned(),
            What::End => "the end of the file".to_owned(),
        };
        Fault::new(
            token.at.clone(),
            format!("expected {wanted}, found {found}"),
            format!("expected {wanted}"),
        )
    }

    /// A name, with or without quotation marks.
    fn name(&mut self, wanted: &str) -> Result<(&'a str, At), Fault> {
        let token = self.peek();
        let (What::Word(text) | What::Quoted(text)) = token.what else { return Err(self.expected(wanted)) };
        self.next();
        Ok((text, token.at.clone()))
    }

    fn skip_lines(&mut self) {
        while self.eat(What::Line) {}
    }

    /// Ends of lines and semicolons.
    fn skip_ends(&mut self) {
        while self.eat(What::Line) || self.eat(What::Sign(';')) {}
    }

    fn at_end(&self) -> bool {
        matches!(self.peek().what, What::Line | What::Sign(';' | '}') | What::End)
    }

    /// The rest of a statement: to the end of the line, a semicolon, or the end of the block around it; whole
    /// blocks inside.
    fn skip_line(&mut self) {
        let mut depth = 0_usize;
        loop {
            match self.peek().what {
                What::End => return,
                What::Line | What::Sign(';') if depth == 0 => return,
                What::Sign('}') if depth == 0 => return,
                What::Sign('{') => depth += 1,
                What::Sign('}') => depth -= 1,
                _ => {}
            }
            self.next();
        }
    }

    /// `table family name { … }`.
    fn table(&mut self) -> Result<Table, Fault> {
        self.next();
        let (first, at) = self.name("a family or the name of a table")?;
        let (family, name) = match (TableFamily::by_name(first), self.peek().what) {
            (Some(family), What::Word(_) | What::Quoted(_)) => (family, self.name("a name")?.0),
            (_, What::Sign('{')) => (TableFamily::Ip, first),
            _ => {
                let message = format!("`{}` is not a family of tables", quoted(first));
                return Err(Fault::new(at, message, "expected ip, ip6, inet, bridge, netdev or arp"));
            }
        };
        let name = name.to_owned();
        let mut table = Table { family, name, dormant: false, sets: Vec::new(), chains: Vec::new() };
        self.expect('{')?;
        loop {
            self.skip_ends();
            match self.peek().what {
                What::Sign('}') => break,
                What::Word("chain") => table.chains.push(self.chain()?),
                What::Word("set" | "map" | "meter") => table.sets.push(self.set()?),
                What::Word("flags") => {
                    self.next();
                    while !self.at_end() {
                        table.dormant |= self.next().what == What::Word("dormant");
                    }
                }
                // What rules name and what has no effect on verdicts.
                What::Word(
                    "comment" | "counter" | "quota" | "limit" | "ct" | "secmark" | "synproxy" | "flowtable"
                    | "tunnel",
                ) => self.skip_line(),
                _ => return Err(self.expected("`chain`, `set`, `map` or `}`").help(NOT_LISTED)),
            }
        }
        self.next();
        Ok(table)
    }

    /// `chain name { … }`.
    fn chain(&mut self) -> Result<Chain, Fault> {
        self.next();
        let (name, at) = self.name("the name of a chain")?;
        let mut chain = Chain { name: name.to_owned(), at, base: None, rules: Vec::new() };
        self.expect('{')?;
        loop {
            self.skip_ends();
            match self.peek().what {
                What::Sign('}') => break,
                What::Word("type") => chain.base = Some(self.base()?),
                What::Word("policy") => {
                    let at = self.next().at.clone();
                    let drops = self.policy()?;
                    match &mut chain.base {
                        Some(base) => base.drops = drops,
                        None => {
                            let message = "a policy without the hook of a base chain";
                            return Err(Fault::new(at, message, "only a base chain has a policy"));
                        }
                    }
                }
                What::Word("comment") => self.skip_line(),
                What::End => return Err(self.expected("a rule or `}`")),
                _ => chain.rules.push(self.rule()?),
            }
        }
        self.next();
        Ok(chain)
    }

    fn policy(&mut self) -> Result<bool, Fault> {
        match self.peek().what {
            What::Word("accept") => {}
            What::Word("drop") => {
                self.next();
                return Ok(true);
            }
            _ => return Err(self.expected("accept or drop")),
        }
        self.next();
        Ok(false)
    }

    /// `type filter hook input priority filter`; the policy follows behind a semicolon.
    fn base(&mut self) -> Result<Base, Fault> {
        let start = self.next().at.start;
        let (kind, _) = self.name("filter, nat or route")?;
        let (word, _) = self.name("`hook`")?;
        if word != "hook" {
            self.pos -= 1;
            return Err(self.expected("`hook`"));
        }
        let (hook, _) = self.name("the name of a hook")?;
        // Devices and priority: which packets come here, and when.
        self.skip_line();
        let at = start..self.end();
        Ok(Base { kind: kind.to_owned(), hook: hook.to_owned(), drops: false, at })
    }

    /// `set name { … }` or `map name { … }`.
    fn set(&mut self) -> Result<Set, Fault> {
        self.next();
        let (name, _) = self.name("the name of a set")?;
        let mut set = Set { name: name.to_owned(), ..Set::default() };
        self.expect('{')?;
        loop {
            self.skip_ends();
            match self.peek().what {
                What::Sign('}') => break,
                What::Word("flags") => {
                    self.next();
                    while !self.at_end() {
                        set.changes |= matches!(self.next().what, What::Word("dynamic" | "timeout"));
                    }
                }
                What::Word("timeout") => {
                    set.changes = true;
                    self.skip_line();
                }
                What::Word("elements") => {
                    self.next();
                    self.expect('=')?;
                    let elements: Vec<Element> = self.elements()?;
                    set.elements.extend(elements);
                }
                What::Word(_) => self.skip_line(),
                _ => return Err(self.expected("`elements`, a property of the set, or `}`")),
            }
        }
        self.next();
        Ok(set)
    }

    /// One rule, to the end of its line.
    fn rule(&mut self) -> Result<Rule, Fault> {
        let start = self.peek().at.start;
        let statements = self.statements()?;
        Ok(Rule { at: start..self.end(), statements })
    }
}

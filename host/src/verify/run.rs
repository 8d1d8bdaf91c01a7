//! Whether a packet satisfies what a signature asks beyond its header.
//!
//! A test that can be satisfied in several ways is a choice. Choices are tried in ascending order with a stack of them, not by
//! recursion, so that no rule is too long; a way to a step that failed once is not tried from the same position
//! again. Every step costs a part of the packet's budget.

use rustc_hash::FxHashSet;

use super::layers::{BUFFERS, Layers};
use super::number::{self, value};
use super::pcre::{Found, Matcher};
use super::program::{Action, Literal, Part, Program, Search, Step};
use crate::rules::detect::{Buffer, Content};

/// Bytes that a search of a literal passes over for one step of the budget.
const BYTES_A_STEP: u64 = 16;
/// PCRE2's match limit for the first try of a search, and by how much it grows when a try ends at it.
const MATCH_LIMIT: u32 = 1_000;
const MATCH_LIMIT_GROWTH: u32 = 10;
/// What a search of an expression costs in steps a byte of its subject.
const SEARCH_STEPS_A_BYTE: u64 = 2;

/// Room for failed ways that is kept from one part to the next.
const FAILED_KEPT: usize = 1 << 12;

/// Steps that one packet may cost, over all signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    left: u64,
}

impl Budget {
    /// Steps for every packet, and for each byte of it.
    const PACKET: u64 = 1 << 22;
    const BYTE: u64 = 1 << 11;

    /// The budget of a packet of so many bytes.
    pub fn of(bytes: usize) -> Self {
        Self { left: Self::PACKET + Self::BYTE * bytes as u64 }
    }

    /// A budget of so many steps.
    pub fn steps(left: u64) -> Self {
        Self { left }
    }

    fn spend(&mut self, steps: u64) -> Result<(), OverBudget> {
        match self.left.checked_sub(steps) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => {
                self.left = 0;
                Err(OverBudget)
            }
        }
    }
}

/// The budget of the packet does not suffice to decide the signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OverBudget;

/// What is kept between packets and signatures: memory, and nothing that changes an answer.
#[derive(Debug, Default)]
pub struct Scratch {
    matcher: Matcher,
    /// Each buffer of the packet at hand with small letters, where it was asked for.
    lower: [Option<Vec<u8>>; BUFFERS],
    spare: Vec<Vec<u8>>,
    choices: Vec<Choice>,
    variables: Vec<i128>,
    /// Values that variables had, to be put back.
    trail: Vec<(usize, i128)>,
    /// Steps and positions from which no way leads on.
    failed: FxHashSet<(usize, usize)>,
}

/// A test that was satisfied in one way and may be in others.
#[derive(Clone, Copy, Debug)]
struct Choice {
    step: usize,
    /// Position before the test.
    position: usize,
    /// Where its next match may begin.
    next: usize,
    /// Length of the trail before it.
    trail: usize,
}

impl Scratch {
    /// Forgets the packet before.
    pub fn begin(&mut self) {
        self.spare.extend(self.lower.iter_mut().filter_map(Option::take));
    }
}

impl Program {
    /// Whether the packet satisfies the fields and buffers. Between packets [`Scratch::begin`] is to be called.
    ///
    /// # Errors
    /// Where that cannot be said within the budget.
    pub fn holds(
        &self,
        layers: &Layers<'_>,
        scratch: &mut Scratch,
        budget: &mut Budget,
    ) -> Result<bool, OverBudget> {
        budget.spend(1 + self.fields.len() as u64)?;
        if !self.fields.iter().all(|test| layers.holds(test)) {
            return Ok(false);
        }
        scratch.variables.clear();
        scratch.variables.resize(self.variables, 0);
        for part in &self.parts {
            if !Run::new(part, layers, scratch, budget).holds()? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// One part of a program on one packet.
struct Run<'r, 'a> {
    part: &'r Part,
    layers: &'r Layers<'a>,
    scratch: &'r mut Scratch,
    budget: &'r mut Budget,
}

/// Where a test leads.
enum Next {
    /// On, from a position.
    On(usize),
    /// On from a position; other ways may begin at a place or behind.
    Or(usize, usize),
    /// Nowhere.
    Fails,
}

impl<'r, 'a> Run<'r, 'a> {
    fn new(part: &'r Part, layers: &'r Layers<'a>, scratch: &'r mut Scratch, budget: &'r mut Budget) -> Self {
        scratch.choices.clear();
        scratch.trail.clear();
        // A large table is slow to clear.
        if scratch.failed.capacity() > FAILED_KEPT {
            scratch.failed = FxHashSet::default();
        } else if !scratch.failed.is_empty() {
            scratch.failed.clear();
        }
        Self { part, layers, scratch, budget }
    }

    fn holds(&mut self) -> Result<bool, OverBudget> {
        let (mut step, mut position, mut from) = (0, 0, 0);
        loop {
            let Some(current) = self.part.steps.get(step) else { return Ok(true) };
            if current.is_first {
                position = 0;
            }
            let next = match self.layers.buffer(current.buffer) {
                Some(buffer) => self.try_step(current, buffer, position, from)?,
                None => return Ok(false),
            };
            match next {
                Next::On(end) => (step, position) = (step + 1, end),
                Next::Or(end, next) => {
                    let trail = self.scratch.trail.len();
                    self.scratch.choices.push(Choice { step, position, next, trail });
                    (step, position) = (step + 1, end);
                }
                Next::Fails => {
                    (step, position, from) = match self.back() {
                        Some(choice) => (choice.step, choice.position, choice.next),
                        None => return Ok(false),
                    };
                    continue;
                }
            }
            if self.has_failed(step, position) {
                (step, position, from) = match self.back() {
                    Some(choice) => (choice.step, choice.position, choice.next),
                    None => return Ok(false),
                };
                continue;
            }
            from = 0;
        }
    }

    /// Whether no way leads on from a step and position. Each is asked for once on every way, and a way that comes
    /// here a second time comes from a choice behind which the first one failed.
    fn has_failed(&mut self, step: usize, position: usize) -> bool {
        // The variables would have to be the same too.
        !self.part.has_variables
            && !self.scratch.choices.is_empty()
            && step < self.part.steps.len()
            && !self.scratch.failed.insert((step, position))
    }

    /// Takes the last choice back.
    fn back(&mut self) -> Option<Choice> {
        let choice = self.scratch.choices.pop()?;
        for (variable, old) in self.scratch.trail.drain(choice.trail..).rev() {
            self.scratch.variables[variable] = old;
        }
        Some(choice)
    }

    fn set(&mut self, variable: usize, value: i128) {
        let old = std::mem::replace(&mut self.scratch.variables[variable], value);
        self.scratch.trail.push((variable, old));
    }

    /// Tries a test; where it is a choice, only from a place on.
    fn try_step(
        &mut self,
        step: &Step,
        buffer: &[u8],
        position: usize,
        from: usize,
    ) -> Result<Next, OverBudget> {
        self.budget.spend(1)?;
        let variables = &*self.scratch.variables;
        let stay = |holds: bool| if holds { Next::On(position) } else { Next::Fails };
        Ok(match &step.action {
            Action::Content(literal) => self.content(step.buffer, literal, buffer, position, from)?,
            Action::Pcre(search) => self.pcre(search, buffer, position, from)?,
            Action::ByteTest(test) => stay(number::test(test, buffer, position, variables)),
            Action::ByteJump(jump) => {
                number::jump(jump, buffer, position, variables).map_or(Next::Fails, Next::On)
            }
            Action::ByteExtract(extract) => match number::extract(extract, buffer, position, variables) {
                Some((value, end)) => {
                    self.set(extract.variable, value);
                    Next::On(end)
                }
                None => Next::Fails,
            },
            Action::ByteMath(math) => match number::math(math, buffer, position, variables) {
                Some((value, end)) => {
                    self.set(math.variable, value);
                    Next::On(end)
                }
                None => Next::Fails,
            },
            Action::IsDataAt(test) => {
                let offset = value(test.offset, variables);
                let len = buffer.len() as i128;
                let there = if test.relative { offset + position as i128 <= len } else { offset < len };
                stay(there != test.negated)
            }
            Action::Size(test) => stay(test.holds(buffer.len() as u64)),
        })
    }

    fn content(
        &mut self,
        buffer: Buffer,
        literal: &Literal,
        bytes: &[u8],
        position: usize,
        from: usize,
    ) -> Result<Next, OverBudget> {
        let content = &literal.content;
        let range = range(content, bytes.len(), position, &self.scratch.variables);
        let found = match range {
            Some((first, end)) if first.max(from) + content.bytes.len() <= end => {
                let first = first.max(from);
                let text = if content.nocase { self.scratch.lower(buffer, bytes) } else { bytes };
                let window = &text[first..end];
                let found = if window.len() == content.bytes.len() {
                    (window == content.bytes).then_some(0)
                } else {
                    literal.finder.find(window)
                };
                let passed = found.map_or(window.len(), |at| at + content.bytes.len());
                self.budget.spend(passed as u64 / BYTES_A_STEP)?;
                found.map(|at| first + at)
            }
            _ => None,
        };
        Ok(match found {
            None if content.negated => Next::On(position),
            Some(_) if content.negated => Next::Fails,
            None => Next::Fails,
            Some(at) => Next::Or(at + content.bytes.len(), at + 1),
        })
    }

    fn pcre(
        &mut self,
        search: &Search,
        buffer: &[u8],
        position: usize,
        from: usize,
    ) -> Result<Next, OverBudget> {
        let start = if search.relative { position } else { 0 };
        let subject = &buffer[start..];
        let mut limit = MATCH_LIMIT;
        let found = loop {
            self.budget.spend(SEARCH_STEPS_A_BYTE * (subject.len() as u64 + 1))?;
            match self.scratch.matcher.find(&search.expression, subject, from, limit) {
                Found::At(first, end) => break Some((first, end)),
                Found::Nothing => break None,
                // The limit counts anew from every place of the subject.
                Found::Limit => {
                    self.budget.spend(u64::from(limit) * (subject.len() as u64 + 1))?;
                    limit = limit.saturating_mul(MATCH_LIMIT_GROWTH);
                }
            }
        };
        Ok(match found {
            None if search.negated => Next::On(position),
            Some(_) if search.negated => Next::Fails,
            None => Next::Fails,
            // `\K` can move the start behind the end, and before the place where the search began.
            Some((first, end)) => Next::Or(start + end, first.max(from) + 1),
        })
    }
}

/// Where a content may begin at the earliest, and before which place it must end; `None` where it fits nowhere.
fn range(content: &Content, len: usize, position: usize, variables: &[i128]) -> Option<(usize, usize)> {
    let of = |operand| value(operand, variables);
    let (mut first, mut end) = (0, len as i128);
    let offset = content.offset.map(of);
    if let Some(offset) = offset {
        first = first.max(offset);
    }
    if let Some(depth) = content.depth {
        end = end.min(offset.unwrap_or(0) + of(depth));
    }
    if content.is_relative() {
        let base = position as i128 + content.distance.map_or(0, of);
        first = first.max(base);
        if let Some(within) = content.within {
            end = end.min(base + of(within));
        }
    }
    let bytes = content.bytes.len() as i128;
    if content.startswith {
        end = end.min(bytes);
    }
    if content.endswith {
        first = first.max(len as i128 - bytes);
        if end < len as i128 {
            return None;
        }
    }
    let first = usize::try_from(first).ok()?;
    let end = usize::try_from(end).ok()?;
    (first <= end).then_some((first, end))
}

impl Scratch {
    /// The buffer of the packet at hand with small letters.
    fn lower(&mut self, buffer: Buffer, bytes: &[u8]) -> &[u8] {
        let spare = &mut self.spare;
        self.lower[buffer as usize].get_or_insert_with(|| {
            let mut lower = spare.pop().unwrap_or_default();
            lower.clear();
            lower.extend(bytes.iter().map(u8::to_ascii_lowercase));
            lower
        })
    }
}

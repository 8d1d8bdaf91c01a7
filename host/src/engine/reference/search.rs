//! Tests of buffers: every choice is tried in order, by plain recursion over the tests of a rule.
//!
//! What was found impossible from a state (test, position, variables) is remembered, so a search ends after as many
//! steps as there are states, which is what keeps it from hanging.

use std::collections::HashSet;

use super::buffers::Buffers;
use super::expression::Expression;
use super::numbers::{self, State};
use crate::rules::detect::{Buffer, BufferTests, Content, IsDataAt, Pcre, Test};

/// The tests of a rule in one row, ready to be tried.
#[derive(Debug)]
pub struct Tests(Vec<Step>);

#[derive(Debug)]
struct Step {
    buffer: Buffer,
    /// The first of its buffer: the position is 0.
    is_first: bool,
    test: Test,
    /// The compiled expression of a `pcre`.
    expression: Option<Expression>,
    /// Whether it or a test behind it counts from the position that the tests before it led to.
    counts_on: bool,
}

impl Tests {
    /// Those of a rule.
    pub fn new(buffers: &[BufferTests]) -> Self {
        let mut steps = Vec::new();
        for BufferTests { buffer, tests } in buffers {
            for (n, test) in tests.iter().enumerate() {
                let expression = match test {
                    Test::Pcre(pcre) => Expression::new(pcre),
                    _ => None,
                };
                let (buffer, test) = (*buffer, test.clone());
                steps.push(Step { buffer, is_first: n == 0, test, expression, counts_on: false });
            }
        }
        let mut behind = false;
        for step in steps.iter_mut().rev() {
            step.counts_on = !step.is_first && (is_relative(&step.test) || !moves(&step.test) && behind);
            behind = step.counts_on;
        }
        Self(steps)
    }

    /// Whether some choice satisfies all of them.
    pub fn hold(&self, buffers: &Buffers) -> bool {
        let there = self.0.iter().all(|step| buffers.get(step.buffer).is_some());
        there && Search { steps: &self.0, buffers, impossible: HashSet::new() }.rest(0, State::default())
    }
}

/// Whether a test counts from the position.
fn is_relative(test: &Test) -> bool {
    match test {
        Test::Content(content) => content.is_relative(),
        Test::Pcre(pcre) => pcre.relative,
        Test::ByteTest(test) => test.number.relative,
        Test::ByteJump(jump) => jump.number.relative,
        Test::ByteExtract(extract) => extract.number.relative,
        Test::ByteMath(math) => math.number.relative,
        Test::IsDataAt(test) => test.relative,
        Test::Size(_) => false,
    }
}

/// Whether a test sets the position.
fn moves(test: &Test) -> bool {
    match test {
        Test::Content(content) => !content.negated,
        Test::Pcre(pcre) => !pcre.negated,
        Test::ByteJump(_) | Test::ByteExtract(_) | Test::ByteMath(_) => true,
        Test::ByteTest(_) | Test::IsDataAt(_) | Test::Size(_) => false,
    }
}

struct Search<'a> {
    steps: &'a [Step],
    buffers: &'a Buffers<'a>,
    /// From where the rest cannot hold.
    impossible: HashSet<(usize, State)>,
}

impl Search<'_> {
    /// Whether the tests from number `n` on can hold from a state.
    fn rest(&mut self, n: usize, mut state: State) -> bool {
        let Some(step) = self.steps.get(n) else { return true };
        let Some(buffer) = self.buffers.get(step.buffer) else { return false };
        if !step.counts_on {
            state.pos = 0;
        }
        if self.impossible.contains(&(n, state.clone())) {
            return false;
        }
        let holds = match &step.test {
            Test::Content(content) => self.content(n, content, buffer, &state),
            Test::Pcre(pcre) => self.pcre(n, pcre, buffer, &state),
            Test::ByteTest(test) => {
                numbers::byte_test(test, buffer, &state) && self.rest(n + 1, state.clone())
            }
            Test::ByteJump(jump) => {
                numbers::byte_jump(jump, buffer, &state).is_some_and(|state| self.rest(n + 1, state))
            }
            Test::ByteExtract(extract) => {
                numbers::byte_extract(extract, buffer, &state).is_some_and(|state| self.rest(n + 1, state))
            }
            Test::ByteMath(math) => {
                numbers::byte_math(math, buffer, &state).is_some_and(|state| self.rest(n + 1, state))
            }
            Test::IsDataAt(test) => is_data_at(test, buffer, &state) && self.rest(n + 1, state.clone()),
            Test::Size(test) => test.holds(buffer.len() as u64) && self.rest(n + 1, state.clone()),
        };
        if !holds {
            self.impossible.insert((n, state));
        }
        holds
    }

    /// Whether the position that test `n` ends at matters behind it.
    fn matters(&self, n: usize) -> bool {
        self.steps.get(n + 1).is_some_and(|step| step.counts_on)
    }

    fn content(&mut self, n: usize, content: &Content, buffer: &[u8], state: &State) -> bool {
        let mut starts = (0..buffer.len()).filter(|start| is_at(content, *start, buffer, state));
        if content.negated {
            return starts.next().is_none() && self.rest(n + 1, state.clone());
        }
        if !self.matters(n) {
            return starts.next().is_some() && self.rest(n + 1, state.clone());
        }
        starts.any(|start| {
            let pos = start + content.bytes.len();
            self.rest(n + 1, State { pos, ..state.clone() })
        })
    }

    fn pcre(&mut self, n: usize, pcre: &Pcre, buffer: &[u8], state: &State) -> bool {
        let base = if pcre.relative { state.pos } else { 0 };
        let subject = &buffer[base..];
        // An expression that does not compile has no match, as one whose search fails.
        let steps = self.steps;
        let find = |from| steps[n].expression.as_ref().and_then(|expression| expression.find(subject, from));
        let mut found = find(0);
        if pcre.negated {
            return found.is_none() && self.rest(n + 1, state.clone());
        }
        let mut from = 0;
        while let Some(range) = found {
            if self.rest(n + 1, State { pos: base + range.end, ..state.clone() }) {
                return true;
            }
            if !self.matters(n) {
                return false;
            }
            // `\K` must not lead back.
            from = range.start.max(from) + 1;
            found = find(from);
        }
        false
    }
}

/// Whether a content stands at byte `start` of a buffer and may begin there.
fn is_at(content: &Content, start: usize, buffer: &[u8], state: &State) -> bool {
    let Content { bytes, nocase, negated: _, offset, depth, distance, within, startswith, endswith } =
        content;
    let Some(there) = buffer.get(start..start + bytes.len()) else { return false };
    let same = if *nocase { there.eq_ignore_ascii_case(bytes) } else { there == bytes };
    if !same {
        return false;
    }
    let value = |operand| state.value(operand);
    let (s, e, pos) = (start as i128, (start + bytes.len()) as i128, state.pos as i128);
    let moved = pos + distance.map_or(0, value);
    offset.is_none_or(|offset| s >= value(offset))
        && depth.is_none_or(|depth| e <= offset.map_or(0, value) + value(depth))
        && distance.is_none_or(|_| s >= moved)
        && within.is_none_or(|within| e <= moved + value(within) && (distance.is_some() || s >= pos))
        && (!startswith || start == 0)
        && (!endswith || start + bytes.len() == buffer.len())
}

fn is_data_at(test: &IsDataAt, buffer: &[u8], state: &State) -> bool {
    let (len, offset) = (buffer.len() as i128, state.value(test.offset));
    let there = if test.relative { state.pos as i128 + offset <= len } else { offset < len };
    there != test.negated
}

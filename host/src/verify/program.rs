//! A signature's [`Detect`] → what is run for a packet.

use memchr::memmem::Finder;

use super::pcre::{Expression, ExpressionError};
use crate::rules::detect::{
    Buffer, ByteExtract, ByteJump, ByteMath, ByteTest, Content, Detect, FieldTest, Flow, IsDataAt, NumberAt,
    NumberTest, Operand, Test,
};

/// Why a signature cannot be verified.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProgramError {
    /// An expression that PCRE2 does not take.
    #[error("pcre `{expression}`: {error}")]
    Expression {
        /// The expression as written.
        expression: String,
        /// What is wrong with it.
        error: ExpressionError,
    },
    /// A test names a variable that there is not.
    #[error("variable {variable} of {count}")]
    Variable {
        /// Its place.
        variable: usize,
        /// How many there are.
        count: usize,
    },
    /// A content without bytes.
    #[error("a content without bytes")]
    Empty,
}

/// A signature, ready to be run.
#[derive(Debug)]
pub struct Program {
    /// What it asks of the flow.
    pub(super) flow: Flow,
    pub(super) fields: Box<[FieldTest]>,
    /// Tests of all buffers. No part depends on what another one chose, so each is tried for itself.
    pub(super) parts: Box<[Part]>,
    pub(super) variables: usize,
}

/// Tests that depend on one another.
#[derive(Debug)]
pub(super) struct Part {
    pub steps: Box<[Step]>,
    /// Whether the variables too can differ between two ways to one step.
    pub has_variables: bool,
}

/// One test.
#[derive(Debug)]
pub(super) struct Step {
    pub buffer: Buffer,
    /// Whether the position is that of the buffer's start.
    pub is_first: bool,
    pub action: Action,
}

/// What a step does.
#[derive(Debug)]
pub(super) enum Action {
    Content(Box<Literal>),
    Pcre(Search),
    ByteTest(ByteTest),
    ByteJump(ByteJump),
    ByteExtract(ByteExtract),
    ByteMath(ByteMath),
    IsDataAt(IsDataAt),
    Size(NumberTest),
}

/// A content with what finds it.
#[derive(Debug)]
pub(super) struct Literal {
    pub content: Content,
    /// Finds the bytes; without case those with small letters, in a buffer with small letters.
    pub finder: Finder<'static>,
}

/// A pcre with its compiled expression.
#[derive(Debug)]
pub(super) struct Search {
    pub expression: Expression,
    pub negated: bool,
    pub relative: bool,
}

impl Program {
    /// Compiles what a signature asks beyond its header.
    ///
    /// # Errors
    /// Where an expression is none, or the tests contradict themselves (an image may say anything).
    pub fn new(detect: &Detect) -> Result<Self, ProgramError> {
        let variables = detect.variables.len();
        let mut steps = Vec::new();
        for tests in &detect.buffers {
            for (n, test) in tests.tests.iter().enumerate() {
                check_variables(test, variables)?;
                steps.push(Step { buffer: tests.buffer, is_first: n == 0, action: Action::new(test)? });
            }
        }
        let (flow, fields) = (detect.flow, detect.fields.clone().into());
        Ok(Self { flow, fields, parts: parts(steps).into(), variables })
    }

    /// Whether it asks for nothing but the flow.
    pub fn is_flow_alone(&self) -> bool {
        self.fields.is_empty() && self.parts.is_empty()
    }

    /// What it asks of the flow.
    pub fn flow(&self) -> Flow {
        self.flow
    }
}

impl Action {
    fn new(test: &Test) -> Result<Self, ProgramError> {
        Ok(match test {
            Test::Content(content) if content.bytes.is_empty() => return Err(ProgramError::Empty),
            Test::Content(content) => {
                let mut content = content.clone();
                if content.nocase {
                    content.bytes.make_ascii_lowercase();
                }
                let finder = Finder::new(&content.bytes).into_owned();
                Self::Content(Box::new(Literal { content, finder }))
            }
            Test::Pcre(pcre) => {
                let error = |error| ProgramError::Expression { expression: pcre.expression.clone(), error };
                let expression = Expression::new(pcre).map_err(error)?;
                Self::Pcre(Search { expression, negated: pcre.negated, relative: pcre.relative })
            }
            Test::ByteTest(test) => Self::ByteTest(*test),
            Test::ByteJump(jump) => Self::ByteJump(*jump),
            Test::ByteExtract(extract) => Self::ByteExtract(*extract),
            Test::ByteMath(math) => Self::ByteMath(*math),
            Test::IsDataAt(test) => Self::IsDataAt(*test),
            Test::Size(test) => Self::Size(*test),
        })
    }

    /// Whether it depends on where the test before it ended.
    fn reads_position(&self) -> bool {
        match self {
            Self::Content(literal) => literal.content.is_relative(),
            Self::Pcre(search) => search.relative,
            Self::ByteTest(test) => test.number.relative,
            Self::ByteJump(jump) => jump.number.relative,
            Self::ByteExtract(extract) => extract.number.relative,
            Self::ByteMath(math) => math.number.relative,
            Self::IsDataAt(test) => test.relative,
            Self::Size(_) => false,
        }
    }

    /// Whether the position behind it is its own.
    fn writes_position(&self) -> bool {
        match self {
            Self::Content(literal) => !literal.content.negated,
            Self::Pcre(search) => !search.negated,
            Self::ByteJump(_) | Self::ByteExtract(_) | Self::ByteMath(_) => true,
            Self::ByteTest(_) | Self::IsDataAt(_) | Self::Size(_) => false,
        }
    }

    fn writes_variable(&self) -> Option<usize> {
        match self {
            Self::ByteExtract(extract) => Some(extract.variable),
            Self::ByteMath(math) => Some(math.variable),
            _ => None,
        }
    }

    fn reads_variable(&self, variable: usize) -> bool {
        let is_read = |operand: Operand| operand == Operand::Variable(variable);
        match self {
            Self::Content(literal) => content_operands(&literal.content).any(is_read),
            Self::Pcre(_) | Self::Size(_) => false,
            Self::ByteTest(test) => number_operands(&test.number).chain([test.value]).any(is_read),
            Self::ByteJump(jump) => number_operands(&jump.number).chain([jump.post_offset]).any(is_read),
            Self::ByteExtract(extract) => number_operands(&extract.number).any(is_read),
            Self::ByteMath(math) => number_operands(&math.number).chain([math.value]).any(is_read),
            Self::IsDataAt(test) => is_read(test.offset),
        }
    }
}

fn content_operands(content: &Content) -> impl Iterator<Item = Operand> {
    [content.offset, content.depth, content.distance, content.within].into_iter().flatten()
}

fn number_operands(number: &NumberAt) -> impl Iterator<Item = Operand> {
    [number.bytes, number.offset].into_iter()
}

fn check_variables(test: &Test, count: usize) -> Result<(), ProgramError> {
    let (operands, written): (Vec<Operand>, Option<usize>) = match test {
        Test::Content(content) => (content_operands(content).collect(), None),
        Test::Pcre(_) | Test::Size(_) => (Vec::new(), None),
        Test::ByteTest(test) => (number_operands(&test.number).chain([test.value]).collect(), None),
        Test::ByteJump(jump) => (number_operands(&jump.number).chain([jump.post_offset]).collect(), None),
        Test::ByteExtract(extract) => (number_operands(&extract.number).collect(), Some(extract.variable)),
        Test::ByteMath(math) => {
            (number_operands(&math.number).chain([math.value]).collect(), Some(math.variable))
        }
        Test::IsDataAt(test) => (vec![test.offset], None),
    };
    let read = operands.iter().filter_map(|operand| match operand {
        Operand::Variable(variable) => Some(*variable),
        Operand::Number(_) => None,
    });
    match read.chain(written).find(|variable| *variable >= count) {
        Some(variable) => Err(ProgramError::Variable { variable, count }),
        None => Ok(()),
    }
}

/// Cuts the tests wherever nothing behind depends on what was chosen before: neither on the position nor on a variable.
fn parts(steps: Vec<Step>) -> Vec<Part> {
    // From the back: whether the position is read from a place on before it is written, and the variables that are
    // read there. A variable is taken as read wherever it is read at all.
    let mut cut_before = vec![true; steps.len()];
    let mut is_position_live = false;
    let mut live: Vec<usize> = Vec::new();
    let variables: Vec<usize> = steps.iter().filter_map(|step| step.action.writes_variable()).collect();
    for (n, step) in steps.iter().enumerate().rev() {
        let action = &step.action;
        is_position_live = (is_position_live && !action.writes_position()) || action.reads_position();
        if step.is_first {
            is_position_live = false;
        }
        live.extend(variables.iter().filter(|variable| action.reads_variable(**variable)));
        let is_written_before =
            |variable: &usize| steps[..n].iter().any(|step| step.action.writes_variable() == Some(*variable));
        cut_before[n] = !is_position_live && !live.iter().any(is_written_before);
    }
    let mut parts = Vec::new();
    let mut part: Vec<Step> = Vec::new();
    for (step, cut) in steps.into_iter().zip(cut_before) {
        if cut && !part.is_empty() {
            parts.push(Part::new(std::mem::take(&mut part)));
        }
        part.push(step);
    }
    if !part.is_empty() {
        parts.push(Part::new(part));
    }
    parts
}

impl Part {
    fn new(steps: Vec<Step>) -> Self {
        let has_variables = steps.iter().any(|step| step.action.writes_variable().is_some());
        Self { steps: steps.into(), has_variables }
    }
}

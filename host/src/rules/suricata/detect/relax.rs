//! Tests of one buffer of the packet, without those that cannot be evaluated.
//!
//! What is left must hold wherever everything holds. A test that counts from where one ended that is left out loses its
//! place; a content then is sought anywhere, and every place of it is tried, the right one too.

use std::collections::BTreeSet;

use crate::rules::detect::{Content, Operand, Test};

use super::{Step, What};

/// A test that is left, and what is known of its `fast_pattern`.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub test: Test,
    pub fast: bool,
    pub part: Option<(usize, usize)>,
}

/// What is left of the tests of one buffer; what is not is told in `dropped`. `unset`: variables that have no value.
pub(super) fn relax(steps: &[Step], unset: &mut BTreeSet<usize>, dropped: &mut Vec<String>) -> Vec<Kept> {
    let mut kept = Vec::new();
    // Whether the place where the last test ended is that of a test that was kept.
    let mut placed = true;
    for step in steps {
        let test = match &step.what {
            What::Undecided { moves, sets } => {
                placed &= !moves;
                unset.extend(sets);
                dropped.push(step.text.clone());
                continue;
            }
            What::Test(test) => test,
        };
        let lost = test.uses(unset) || (test.is_relative() && !placed);
        let (fast, part) = (step.fast, step.part);
        match (test, lost) {
            (test, false) => {
                placed |= test.moves();
                if let Some(variable) = test.sets() {
                    unset.remove(&variable);
                }
                kept.push(Kept { test: test.clone(), fast, part });
            }
            (Test::Content(content), true) if !content.negated => {
                dropped.push(format!("the place of {}", step.text));
                kept.push(Kept { test: Test::Content(anywhere(content)), fast, part });
                placed = true;
            }
            (test, true) => {
                dropped.push(step.text.clone());
                placed &= !test.moves();
                unset.extend(test.sets());
            }
        }
    }
    kept
}

/// The contents that must occur, wherever they stand: what holds of a stream holds of the packets that carry it.
pub(super) fn scattered(steps: &[Step], dropped: &mut Vec<String>) -> Vec<Kept> {
    let mut kept = Vec::new();
    for step in steps {
        match &step.what {
            What::Test(Test::Content(content)) if !content.negated => {
                let test = anywhere(content);
                if test != *content {
                    dropped.push(format!("the place of {}", step.text));
                }
                kept.push(Kept { test: Test::Content(test), fast: step.fast, part: step.part });
            }
            _ => dropped.push(step.text.clone()),
        }
    }
    kept
}

fn anywhere(content: &Content) -> Content {
    Content { bytes: content.bytes.clone(), nocase: content.nocase, ..Content::default() }
}

impl Test {
    /// Whether it counts from where the test before it ended.
    fn is_relative(&self) -> bool {
        match self {
            Self::Content(content) => content.is_relative(),
            Self::Pcre(pcre) => pcre.relative,
            Self::ByteTest(test) => test.number.relative,
            Self::ByteJump(jump) => jump.number.relative,
            Self::ByteExtract(extract) => extract.number.relative,
            Self::ByteMath(math) => math.number.relative,
            Self::IsDataAt(at) => at.relative,
            Self::Size(_) => false,
        }
    }

    /// Whether the next test may count from where it ended.
    fn moves(&self) -> bool {
        match self {
            Self::Content(content) => !content.negated,
            Self::Pcre(pcre) => !pcre.negated,
            Self::ByteJump(_) | Self::ByteExtract(_) | Self::ByteMath(_) => true,
            Self::ByteTest(_) | Self::IsDataAt(_) | Self::Size(_) => false,
        }
    }

    /// The variable that it sets.
    pub(super) fn sets(&self) -> Option<usize> {
        match self {
            Self::ByteExtract(extract) => Some(extract.variable),
            Self::ByteMath(math) => Some(math.variable),
            _ => None,
        }
    }

    /// Whether it uses one of these variables.
    fn uses(&self, variables: &BTreeSet<usize>) -> bool {
        self.operands().into_iter().flatten().any(|operand| match operand {
            Operand::Number(_) => false,
            Operand::Variable(variable) => variables.contains(&variable),
        })
    }

    /// Everything that may be a variable.
    pub(super) fn operands(&self) -> [Option<Operand>; 4] {
        match self {
            Self::Content(content) => [content.offset, content.depth, content.distance, content.within],
            Self::ByteTest(test) => {
                [Some(test.number.bytes), Some(test.number.offset), Some(test.value), None]
            }
            Self::ByteJump(jump) => {
                [Some(jump.number.bytes), Some(jump.number.offset), Some(jump.post_offset), None]
            }
            Self::ByteExtract(extract) => {
                [Some(extract.number.bytes), Some(extract.number.offset), None, None]
            }
            Self::ByteMath(math) => {
                [Some(math.number.bytes), Some(math.number.offset), Some(math.value), None]
            }
            Self::IsDataAt(at) => [Some(at.offset), None, None, None],
            Self::Pcre(_) | Self::Size(_) => [None; 4],
        }
    }
}

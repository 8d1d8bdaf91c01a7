//! Numbers read from a buffer: `byte_test`, `byte_jump`, `byte_extract`, `byte_math`.

use crate::rules::detect::{
    ByteExtract, ByteJump, ByteMath, ByteTest, Encoding, JumpFrom, MathOperator, NumberAt, Operand, Operator,
};

/// The state of a search: the position in the buffer, and the values of the rule's variables.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct State {
    /// Where the last test that is not negated ended.
    pub pos: usize,
    /// Values by the numbers of the variables.
    pub variables: Vec<i128>,
}

impl State {
    /// The value of an operand.
    pub fn value(&self, operand: Operand) -> i128 {
        match operand {
            Operand::Number(number) => i128::from(number),
            Operand::Variable(place) => self.variables.get(place).copied().unwrap_or(0),
        }
    }

    /// The state behind a test that ended at `end`, if such a place is in the buffer.
    fn at(&self, end: i128, buffer: &[u8]) -> Option<Self> {
        let pos = usize::try_from(end).ok().filter(|end| *end <= buffer.len())?;
        Some(Self { pos, variables: self.variables.clone() })
    }

    fn with(mut self, variable: usize, value: i128) -> Self {
        if self.variables.len() <= variable {
            self.variables.resize(variable + 1, 0);
        }
        self.variables[variable] = value;
        self
    }
}

/// A number, and the byte behind it. `None` where it cannot be read.
fn read(number: &NumberAt, buffer: &[u8], state: &State) -> Option<(i128, i128)> {
    let base = if number.relative { state.pos as i128 } else { 0 };
    let at = base + state.value(number.offset);
    let bytes = state.value(number.bytes);
    let start = usize::try_from(at).ok().filter(|start| *start <= buffer.len())?;
    let there = &buffer[start..];
    let (value, length) = match number.encoding {
        Encoding::Text(base) => text(there, bytes, base)?,
        binary => {
            let length = usize::try_from(bytes).ok().filter(|length| (1..=8).contains(length))?;
            let bytes = there.get(..length)?;
            let fold = |value: i128, byte: &u8| value << 8 | i128::from(*byte);
            let value = match binary {
                Encoding::Little => bytes.iter().rev().fold(0, fold),
                _ => bytes.iter().fold(0, fold),
            };
            (value, length)
        }
    };
    let value = match number.bitmask {
        Some(mask) => (value & i128::from(mask)) >> mask.trailing_zeros(),
        None => value,
    };
    Some((value, at + length as i128))
}

/// A number in digits of a base at the start of `there`, and its length with what stands before its digits.
fn text(there: &[u8], bytes: i128, base: u32) -> Option<(i128, usize)> {
    let length = usize::try_from(bytes).ok()?.min(there.len());
    let there = &there[..length];
    let mut at = there.iter().take_while(|byte| [b' ', b'\t'].contains(byte)).count();
    if base == 16 && there[at..].to_ascii_lowercase().starts_with(b"0x") {
        at += 2;
    }
    let digits = there[at..].iter().map_while(|byte| char::from(*byte).to_digit(base));
    let (mut value, mut end) = (0, at);
    for digit in digits {
        value = value * i128::from(base) + i128::from(digit);
        if value > i128::from(u64::MAX) {
            return None;
        }
        end += 1;
    }
    (end > at).then_some((value, end))
}

/// Whether the number compares as asked.
pub fn byte_test(test: &ByteTest, buffer: &[u8], state: &State) -> bool {
    let Some((value, _)) = read(&test.number, buffer, state) else { return false };
    let operand = match state.value(test.value) {
        negative if negative < 0 => negative + (1 << 64),
        operand => operand,
    };
    let holds = match test.operator {
        Operator::Less => value < operand,
        Operator::Greater => value > operand,
        Operator::Equal => value == operand,
        Operator::LessEqual => value <= operand,
        Operator::GreaterEqual => value >= operand,
        Operator::And => value & operand != 0,
        Operator::Xor => value ^ operand != 0,
    };
    holds != test.negated
}

/// The state behind a jump.
pub fn byte_jump(jump: &ByteJump, buffer: &[u8], state: &State) -> Option<State> {
    let number = &jump.number;
    let (value, end) = if state.value(number.bytes) == 0 {
        let base = if number.relative { state.pos as i128 } else { 0 };
        let at = base + state.value(number.offset);
        (0, state.at(at, buffer).map(|_| at)?)
    } else {
        read(number, buffer, state)?
    };
    let mut distance = value * i128::from(jump.multiplier);
    if jump.align {
        distance = rounded_up(distance, 4);
    }
    let from = match jump.from {
        JumpFrom::Number => end,
        JumpFrom::Beginning => 0,
        JumpFrom::End => buffer.len() as i128,
    };
    state.at(from + distance + state.value(jump.post_offset), buffer)
}

/// The state behind a value taken.
pub fn byte_extract(extract: &ByteExtract, buffer: &[u8], state: &State) -> Option<State> {
    let (value, end) = read(&extract.number, buffer, state)?;
    let mut value = value * i128::from(extract.multiplier);
    if let Some(align) = extract.align {
        value = rounded_up(value, i128::from(align));
    }
    Some(state.at(end, buffer)?.with(extract.variable, value))
}

/// The state behind a calculation.
pub fn byte_math(math: &ByteMath, buffer: &[u8], state: &State) -> Option<State> {
    let (value, end) = read(&math.number, buffer, state)?;
    let operand = state.value(math.value);
    let by = || u32::try_from(operand).ok().filter(|bits| *bits < 64);
    let result = match math.operator {
        MathOperator::Add => value + operand,
        MathOperator::Subtract => value - operand,
        MathOperator::Multiply => value.checked_mul(operand)?,
        MathOperator::Divide => value.checked_div(operand)?,
        MathOperator::ShiftLeft => value << by()?,
        MathOperator::ShiftRight => value >> by()?,
    };
    let result = u64::try_from(result).ok()?;
    Some(state.at(end, buffer)?.with(math.variable, i128::from(result)))
}

fn rounded_up(value: i128, multiple: i128) -> i128 {
    match multiple {
        0 => value,
        _ => (value + multiple - 1).div_euclid(multiple) * multiple,
    }
}

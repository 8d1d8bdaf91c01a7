//! Numbers read from a buffer, and arithmetic with them.

use crate::rules::detect::{
    ByteExtract, ByteJump, ByteMath, ByteTest, Encoding, JumpFrom, MathOperator, NumberAt, Operand, Operator,
};

/// Values that are out of every buffer's reach; larger ones are cut to them before they are added up.
const FAR: i128 = 1 << 100;
/// Bytes of a binary number at most.
const BINARY_BYTES: i128 = 8;
/// 2^64.
const TWO_64: i128 = 1 << 64;

/// Values of the variables. None is above 2^99: 64 bits times 32, rounded up.
pub(super) type Variables = [i128];

/// The value of an operand.
pub(super) fn value(operand: Operand, variables: &Variables) -> i128 {
    match operand {
        Operand::Number(number) => number.into(),
        Operand::Variable(variable) => variables[variable].clamp(-FAR, FAR),
    }
}

/// Reads a number: its value and the place behind it.
pub(super) fn read(
    number: &NumberAt,
    buffer: &[u8],
    position: usize,
    variables: &Variables,
) -> Option<(u64, usize)> {
    let base = if number.relative { position as i128 } else { 0 };
    let at = usize::try_from(base + value(number.offset, variables)).ok().filter(|at| *at <= buffer.len())?;
    let bytes = value(number.bytes, variables);
    if bytes <= 0 {
        return None;
    }
    let (read, end) = match number.encoding {
        Encoding::Text(base) => text(base, &buffer[at..], bytes)?,
        Encoding::Big | Encoding::Little => {
            let count = usize::try_from(bytes).ok().filter(|_| bytes <= BINARY_BYTES)?;
            let field = buffer.get(at..at + count)?;
            let push = |all: u64, byte: &u8| all << 8 | u64::from(*byte);
            let big = number.encoding == Encoding::Big;
            let read = if big { field.iter().fold(0, push) } else { field.iter().rev().fold(0, push) };
            (read, count)
        }
    };
    let masked = match number.bitmask {
        Some(mask) => (read & u64::from(mask)) >> mask.trailing_zeros(),
        None => read,
    };
    Some((masked, at + end))
}

/// Digits of a base within the first `bytes` bytes: their value and the place behind them.
fn text(base: u32, rest: &[u8], bytes: i128) -> Option<(u64, usize)> {
    let window = &rest[..rest.len().min(usize::try_from(bytes).unwrap_or(usize::MAX))];
    let mut at = window.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    if base == 16 && matches!(window.get(at..at + 2), Some([b'0', b'x' | b'X'])) {
        at += 2;
    }
    let digit = |byte: &u8| char::from(*byte).to_digit(base);
    let digits = window[at..].iter().map_while(digit).count();
    let push = |all: u64, byte: &u8| all.checked_mul(base.into())?.checked_add(digit(byte)?.into());
    let digits_at = at..at + digits;
    if digits == 0 {
        return None;
    }
    let value = window[digits_at.clone()].iter().try_fold(0, push)?;
    Some((value, digits_at.end))
}

/// Whether a `byte_test` holds.
pub(super) fn test(test: &ByteTest, buffer: &[u8], position: usize, variables: &Variables) -> bool {
    let Some((read, _)) = read(&test.number, buffer, position, variables) else { return false };
    let read = i128::from(read);
    let mut asked = value(test.value, variables);
    if asked < 0 {
        asked += TWO_64;
    }
    let holds = match test.operator {
        Operator::Less => read < asked,
        Operator::Greater => read > asked,
        Operator::Equal => read == asked,
        Operator::LessEqual => read <= asked,
        Operator::GreaterEqual => read >= asked,
        Operator::And => read & asked != 0,
        Operator::Xor => read ^ asked != 0,
    };
    holds != test.negated
}

/// Where a `byte_jump` leads.
pub(super) fn jump(jump: &ByteJump, buffer: &[u8], position: usize, variables: &Variables) -> Option<usize> {
    let number = &jump.number;
    let (read, end) = if value(number.bytes, variables) == 0 {
        let base = if number.relative { position as i128 } else { 0 };
        let at = usize::try_from(base + value(number.offset, variables)).ok()?;
        (0, Some(at).filter(|at| *at <= buffer.len())?)
    } else {
        read(number, buffer, position, variables)?
    };
    let mut distance = i128::from(read) * i128::from(jump.multiplier);
    if jump.align {
        distance = round_up(distance, 4);
    }
    let from = match jump.from {
        JumpFrom::Number => end,
        JumpFrom::Beginning => 0,
        JumpFrom::End => buffer.len(),
    };
    let to = from as i128 + distance + value(jump.post_offset, variables);
    usize::try_from(to).ok().filter(|to| *to <= buffer.len())
}

/// The value of a `byte_extract`, and the place behind the number.
pub(super) fn extract(
    extract: &ByteExtract,
    buffer: &[u8],
    position: usize,
    variables: &Variables,
) -> Option<(i128, usize)> {
    let (read, end) = read(&extract.number, buffer, position, variables)?;
    let value = i128::from(read) * i128::from(extract.multiplier);
    Some((extract.align.map_or(value, |align| round_up(value, align.max(1).into())), end))
}

/// The result of a `byte_math`, and the place behind the number.
pub(super) fn math(
    math: &ByteMath,
    buffer: &[u8],
    position: usize,
    variables: &Variables,
) -> Option<(i128, usize)> {
    let (read, end) = read(&math.number, buffer, position, variables)?;
    let (read, other) = (i128::from(read), value(math.value, variables));
    let shift = u32::try_from(other).ok().filter(|bits| *bits < u64::BITS);
    let result = match math.operator {
        MathOperator::Add => read + other,
        MathOperator::Subtract => read - other,
        MathOperator::Multiply => read.checked_mul(other)?,
        MathOperator::Divide => read.checked_div(other)?,
        MathOperator::ShiftLeft => read.checked_mul(1 << shift?)?,
        MathOperator::ShiftRight => read >> shift?,
    };
    u64::try_from(result).ok().map(|result| (result.into(), end))
}

fn round_up(value: i128, to: i128) -> i128 {
    (value + to - 1) / to * to
}

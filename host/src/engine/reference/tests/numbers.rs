//! Numbers in a buffer: `byte_test`, `byte_jump`, `byte_extract`, `byte_math`.

use super::super::numbers::{State, byte_extract, byte_jump, byte_math, byte_test};
use super::*;
use crate::rules::detect::{
    ByteExtract, ByteJump, ByteMath, ByteTest, Encoding, JumpFrom, MathOperator, NumberAt, Operator,
};

const BIG: Encoding = Encoding::Big;

fn number(bytes: i64, offset: i64, encoding: Encoding) -> NumberAt {
    let (bytes, offset) = (Operand::Number(bytes), Operand::Number(offset));
    NumberAt { bytes, offset, relative: false, encoding, bitmask: None }
}

fn relative(number: NumberAt) -> NumberAt {
    NumberAt { relative: true, ..number }
}

fn at(pos: usize) -> State {
    State { pos, variables: vec![0, 6] }
}

/// The number, and the position behind it.
fn read_at(number: NumberAt, buffer: &[u8], pos: usize) -> Option<(i128, usize)> {
    let extract = ByteExtract { number, variable: 0, multiplier: 1, align: None };
    byte_extract(&extract, buffer, &at(pos)).map(|state| (state.variables[0], state.pos))
}

fn read(number: NumberAt, buffer: &[u8]) -> Option<(i128, usize)> {
    read_at(number, buffer, 0)
}

#[test]
fn a_binary_number_must_be_wholly_in_the_buffer() {
    let buffer = [1, 2, 3, 4, 5, 6, 7, 8, 9];
    assert_eq!(read(number(1, 0, BIG), &buffer), Some((1, 1)));
    assert_eq!(read(number(3, 2, BIG), &buffer), Some((0x03_0405, 5)));
    assert_eq!(read(number(3, 2, Encoding::Little), &buffer), Some((0x05_0403, 5)));
    assert_eq!(read(number(8, 1, BIG), &buffer), Some((0x0203_0405_0607_0809, 9)));
    assert_eq!(read(number(8, 1, Encoding::Little), &buffer), Some((0x0908_0706_0504_0302, 9)));
    assert_eq!(read(number(8, 0, BIG), &[0xff; 8]), Some((i128::from(u64::MAX), 8)));
    for (bytes, offset) in
        [(1, 9), (2, 8), (8, 2), (1, -1), (9, 0), (0, 0), (-1, 3), (1, i64::MAX), (1, i64::MIN)]
    {
        assert_eq!(read(number(bytes, offset, BIG), &buffer), None, "{bytes} {offset}");
    }
    // From the position, also backwards.
    assert_eq!(read_at(relative(number(2, 1, BIG)), &buffer, 4), Some((0x0607, 7)));
    assert_eq!(read_at(relative(number(2, -4, BIG)), &buffer, 4), Some((0x0102, 2)));
    assert_eq!(read_at(relative(number(2, -5, BIG)), &buffer, 4), None);
    assert_eq!(read_at(number(2, 1, BIG), &buffer, 4), Some((0x0203, 3)));
    // Operands that are variables: variable 1 is 6, one that was never set is 0.
    let offset = |variable| NumberAt { offset: Operand::Variable(variable), ..number(1, 0, BIG) };
    assert_eq!(read(offset(1), &buffer), Some((7, 7)));
    assert_eq!(read(offset(5), &buffer), Some((1, 1)));
    let bytes = NumberAt { bytes: Operand::Variable(1), ..number(1, 0, BIG) };
    assert_eq!(read(bytes, &buffer), Some((0x0102_0304_0506, 6)));
}

#[test]
fn a_number_in_text_ends_behind_its_digits() {
    let text = Encoding::Text;
    for (buffer, bytes, base, expected) in [
        (&b"123x"[..], 4, 10, Some((123, 3))),
        (b"123x", 2, 10, Some((12, 2))),
        (b"123", 9, 10, Some((123, 3))),
        (b" \t 12 ", 6, 10, Some((12, 5))),
        // Blanks count as bytes.
        (b"   12", 4, 10, Some((1, 4))),
        (b"   12", 3, 10, None),
        (b"0x1fg", 5, 16, Some((0x1f, 4))),
        (b" 0X1F", 5, 16, Some((0x1f, 5))),
        (b"1f", 2, 16, Some((0x1f, 2))),
        (b"0x1", 3, 10, Some((0, 1))),
        (b"0x", 2, 16, None),
        (b"0x1f", 1, 16, Some((0, 1))),
        (b"1789", 4, 8, Some((0o17, 2))),
        (b"9", 1, 8, None),
        (b"x1", 2, 10, None),
        (b"-1", 2, 10, None),
        (b"+1", 2, 10, None),
        (b"\n1", 2, 10, None),
        (b"", 1, 10, None),
        (b"18446744073709551615", 23, 10, Some((i128::from(u64::MAX), 20))),
        (b"18446744073709551616", 23, 10, None),
        (b"00000000000000000000042", 23, 10, Some((42, 23))),
        (b"99999999999999999999999", 23, 10, None),
        (b"1\xb2", 2, 10, Some((1, 1))),
    ] {
        assert_eq!(read(number(bytes, 0, text(base)), buffer), expected, "{buffer:?} {bytes} {base}");
    }
    assert_eq!(read(number(2, 5, text(10)), b"12345"), None);
    assert_eq!(read(number(2, -1, text(10)), b"12345"), None);
    assert_eq!(read(number(2, 3, text(10)), b"12345"), Some((45, 5)));
    assert_eq!(read_at(relative(number(2, 1, text(10))), b"12345", 1), Some((34, 4)));
}

#[test]
fn a_bitmask_is_applied_and_shifted_out() {
    for (mask, expected) in [
        (0xff00, 0x56),
        (0x0ff0, 0x67),
        (0x8000_0000, 0),
        (0x7000_0000, 1),
        (0, 0),
        (0xffff_ffff, 0x1234_5678),
    ] {
        let masked = NumberAt { bitmask: Some(mask), ..number(4, 0, BIG) };
        assert_eq!(read(masked, &[0x12, 0x34, 0x56, 0x78]), Some((expected, 4)), "{mask:#x}");
    }
    // The mask has 32 bits.
    let masked = NumberAt { bitmask: Some(u32::MAX), ..number(8, 0, BIG) };
    assert_eq!(read(masked, &[1, 2, 3, 4, 5, 6, 7, 8]), Some((0x0506_0708, 8)));
}

#[test]
fn comparisons_are_of_unsigned_numbers() {
    use Operator::{And, Equal, Greater, GreaterEqual, Less, LessEqual, Xor};
    let whole = [0xff; 8];
    for (operator, value, operand, expected) in [
        (Less, 4, 5, true),
        (Less, 5, 5, false),
        (Greater, 6, 5, true),
        (Greater, 5, 5, false),
        (Equal, 5, 5, true),
        (Equal, 4, 5, false),
        (LessEqual, 5, 5, true),
        (LessEqual, 6, 5, false),
        (GreaterEqual, 5, 5, true),
        (GreaterEqual, 4, 5, false),
        (And, 6, 2, true),
        (And, 5, 2, false),
        (Xor, 5, 5, false),
        (Xor, 5, 4, true),
        (Less, 5, -1, true),
        (Greater, 5, i64::MIN, false),
    ] {
        for negated in [false, true] {
            let test =
                ByteTest { number: number(1, 0, BIG), negated, operator, value: Operand::Number(operand) };
            assert_eq!(byte_test(&test, &[value], &at(0)), expected != negated, "{test:?}");
            // What cannot be read fails either way.
            assert!(!byte_test(&test, &[], &at(0)));
        }
    }
    let test = |value| ByteTest { number: number(8, 0, BIG), negated: false, operator: Equal, value };
    assert!(byte_test(&test(Operand::Number(-1)), &whole, &at(0)));
    assert!(!byte_test(&test(Operand::Number(-2)), &whole, &at(0)));
    assert!(byte_test(&test(Operand::Variable(1)), &[0, 0, 0, 0, 0, 0, 0, 6], &at(0)));
    // The position stays.
    let next = content(b"b", |content| {
        (content.distance, content.within) = (Some(Operand::Number(0)), Some(Operand::Number(1)));
    });
    let test =
        ByteTest { number: number(1, 0, BIG), negated: false, operator: Equal, value: Operand::Number(97) };
    assert!(payload_satisfies(b"ab", vec![content(b"a", |_| {}), Test::ByteTest(test), next]));
}

/// Where a jump over these bytes from position 1 leads to.
fn jump(buffer: &[u8], number: NumberAt, change: impl FnOnce(&mut ByteJump)) -> Option<usize> {
    let (from, post_offset) = (JumpFrom::Number, Operand::Number(0));
    let mut jump = ByteJump { number, multiplier: 1, align: false, from, post_offset };
    change(&mut jump);
    byte_jump(&jump, buffer, &at(1)).map(|state| state.pos)
}

#[test]
fn a_jump_counts_from_the_number_the_beginning_or_the_end() {
    let buffer = [2, 3, 0, 0, 0, 0, 0, 0, 0, 0];
    let first = number(1, 0, BIG);
    let second = relative(first);
    assert_eq!(jump(&buffer, first, |_| {}), Some(3));
    assert_eq!(jump(&buffer, second, |_| {}), Some(5));
    assert_eq!(jump(&buffer, second, |jump| jump.multiplier = 2), Some(8));
    assert_eq!(jump(&buffer, second, |jump| jump.multiplier = 0), Some(2));
    assert_eq!(jump(&buffer, second, |jump| jump.align = true), Some(6));
    assert_eq!(jump(&buffer, second, |jump| (jump.align, jump.multiplier) = (true, 2)), Some(10));
    assert_eq!(jump(&buffer, second, |jump| jump.from = JumpFrom::Beginning), Some(3));
    let end = |post_offset| {
        move |jump: &mut ByteJump| {
            (jump.from, jump.post_offset) = (JumpFrom::End, Operand::Number(post_offset));
        }
    };
    assert_eq!(jump(&buffer, second, end(-3)), Some(10));
    assert_eq!(jump(&buffer, second, end(-13)), Some(0));
    assert_eq!(jump(&buffer, second, end(-14)), None);
    assert_eq!(jump(&buffer, second, end(0)), None);
    let post = |post_offset| move |jump: &mut ByteJump| jump.post_offset = post_offset;
    assert_eq!(jump(&buffer, second, post(Operand::Number(5))), Some(10));
    assert_eq!(jump(&buffer, second, post(Operand::Number(6))), None);
    assert_eq!(jump(&buffer, second, post(Operand::Number(-5))), Some(0));
    assert_eq!(jump(&buffer, second, post(Operand::Number(-6))), None);
    assert_eq!(jump(&buffer, first, post(Operand::Variable(1))), Some(9));
    // The end of the buffer is a position.
    assert_eq!(jump(&[1, 0], first, |_| {}), Some(2));
    assert_eq!(jump(&[2, 0], first, |_| {}), None);
    assert_eq!(jump(&[], first, |_| {}), None);
    // No number wraps.
    assert_eq!(jump(&[0xff; 8], number(8, 0, BIG), |jump| jump.multiplier = u32::MAX), None);
    let back = |jump: &mut ByteJump| jump.post_offset = Operand::Number(i64::MIN);
    assert_eq!(jump(&[0xff; 8], number(8, 0, BIG), back), None);
}

#[test]
fn a_jump_over_no_number_is_from_a_place_in_the_buffer() {
    let buffer = [9; 10];
    let nothing = |offset| relative(number(0, offset, BIG));
    assert_eq!(jump(&buffer, nothing(0), |_| {}), Some(1));
    assert_eq!(jump(&buffer, nothing(9), |_| {}), Some(10));
    assert_eq!(jump(&buffer, nothing(10), |_| {}), None);
    assert_eq!(jump(&buffer, nothing(-1), |_| {}), Some(0));
    assert_eq!(jump(&buffer, nothing(-2), |_| {}), None);
    assert_eq!(jump(&buffer, nothing(3), |jump| jump.post_offset = Operand::Number(2)), Some(6));
    let end = |jump: &mut ByteJump| (jump.from, jump.post_offset) = (JumpFrom::End, Operand::Number(-4));
    assert_eq!(jump(&buffer, nothing(0), end), Some(6));
    // In text as well.
    assert_eq!(jump(&buffer, number(0, 4, Encoding::Text(10)), |_| {}), Some(4));
}

#[test]
fn a_value_that_is_taken_is_multiplied_and_rounded_up() {
    let buffer = [0, 7, 0xff];
    let take = |offset, multiplier, align| {
        let number = number(1, offset, BIG);
        byte_extract(&ByteExtract { number, variable: 2, multiplier, align }, &buffer, &at(0))
            .map(|state| (state.pos, state.variables))
    };
    assert_eq!(take(1, 1, None), Some((2, vec![0, 6, 7])));
    assert_eq!(take(1, 3, None), Some((2, vec![0, 6, 21])));
    assert_eq!(take(1, 3, Some(4)), Some((2, vec![0, 6, 24])));
    assert_eq!(take(1, 3, Some(2)), Some((2, vec![0, 6, 22])));
    assert_eq!(take(1, 4, Some(4)), Some((2, vec![0, 6, 28])));
    assert_eq!(take(3, 1, None), None);
}

#[test]
fn a_result_outside_of_64_bits_fails() {
    use MathOperator::{Add, Divide, Multiply, ShiftLeft, ShiftRight, Subtract};
    let whole = [0xff; 8];
    let calculate = |buffer: &[u8], operator, value| {
        let number = number(buffer.len() as i64, 0, BIG);
        byte_math(&ByteMath { number, operator, value, variable: 0 }, buffer, &at(0))
            .map(|state| (state.variables[0], state.pos))
    };
    for (buffer, operator, value, expected) in [
        (&[7][..], Add, 5, Some(12)),
        (&[7], Subtract, 5, Some(2)),
        (&[7], Subtract, 7, Some(0)),
        (&[7], Subtract, 8, None),
        (&[7], Multiply, 5, Some(35)),
        (&[7], Divide, 2, Some(3)),
        (&[7], Divide, 0, None),
        (&[7], ShiftLeft, 2, Some(28)),
        (&[7], ShiftRight, 1, Some(3)),
        (&[7], ShiftRight, 63, Some(0)),
        (&[7], ShiftRight, 64, None),
        (&[7], ShiftLeft, 61, Some(7 << 61)),
        (&[7], ShiftLeft, 62, None),
        (&[0], ShiftLeft, 63, Some(0)),
        (&[0], ShiftLeft, 64, None),
        (&whole, Add, 0, Some(i128::from(u64::MAX))),
        (&whole, Add, 1, None),
        (&whole, Multiply, 2, None),
        (&whole, Multiply, i64::MAX, None),
    ] {
        let expected = expected.map(|value| (value, buffer.len()));
        assert_eq!(calculate(buffer, operator, Operand::Number(value)), expected, "{operator:?} {value}");
    }
    assert_eq!(calculate(&[7], Multiply, Operand::Variable(1)), Some((42, 1)));
    assert_eq!(calculate(&[], Add, Operand::Number(1)), None);
}

#[test]
fn a_variable_keeps_the_value_of_the_way_chosen() {
    // A way that fails leaves nothing behind: the first `a` takes 9, the second 1.
    let take = ByteExtract { number: relative(number(1, 0, BIG)), variable: 0, multiplier: 1, align: None };
    let then = content(b"z", |content| {
        (content.distance, content.within) = (Some(Operand::Variable(0)), Some(Operand::Number(1)));
    });
    for (payload, expected) in
        [(&b"a\x09...a\x01.z"[..], true), (b"a\x09...a\x02.z", false), (b"a\x00z", true)]
    {
        let tests = vec![content(b"a", |_| {}), Test::ByteExtract(take), then.clone()];
        assert_eq!(payload_satisfies(payload, tests), expected, "{payload:?}");
    }
    // The last of two that set the same one.
    let at = |offset| Test::ByteExtract(ByteExtract { number: number(1, offset, BIG), ..take });
    let is = |value| {
        let (negated, operator, value) = (false, Operator::Equal, Operand::Number(value));
        Test::ByteTest(ByteTest {
            number: NumberAt { offset: Operand::Variable(0), ..number(1, 0, BIG) },
            negated,
            operator,
            value,
        })
    };
    assert!(payload_satisfies(&[1, 2, 7], vec![at(0), at(1), is(7)]));
    assert!(!payload_satisfies(&[1, 2, 7], vec![at(1), at(0), is(7)]));
}

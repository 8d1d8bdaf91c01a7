//! Tests that read numbers or lengths: `byte_test`, `byte_jump`, `byte_extract`, `byte_math`, `isdataat`, `bsize`.

use crate::rules::cursor::Token;
use crate::rules::detect::{
    ByteExtract, ByteJump, ByteMath, ByteTest, Encoding, IsDataAt, JumpFrom, MathOperator, NumberAt, Operand,
    Operator, Test,
};
use crate::rules::diagnostics::Fault;

use super::reason::Why;
use super::value::{behind, comparison, list, needs, number, trimmed, unquoted, word};
use super::{Asks, shown};

/// Highest place of a number, to either side.
const MAX_OFFSET: i128 = i32::MAX as i128;
/// Highest distance, to either side.
const MAX_DISTANCE: i128 = 65_535;
/// Bytes of a binary number at most.
const MAX_BINARY: i128 = 8;
/// Digits of a number in text at most: those of 2^64 - 1 to base 8 and two more, as in Suricata.
const MAX_TEXT: i128 = 23;
/// Lowest and highest value that is compared with a number of 64 bits; a negative one stands for itself plus 2^64.
const VALUES: (i128, i128) = (i64::MIN as i128, u64::MAX as i128);
/// Highest `multiplier`.
const MAX_MULTIPLIER: i128 = 65_535;

/// How a number is read, as far as words behind commas say it.
#[derive(Default)]
struct Reading {
    relative: bool,
    little: bool,
    /// The order of the bytes is that of the message (DCE/RPC).
    dce: bool,
    text: bool,
    base: Option<u32>,
    bitmask: Option<u32>,
}

impl Reading {
    /// Takes the word, where it is one of these.
    fn take(&mut self, option: &Token<'_>) -> Result<bool, Fault> {
        let (name, value) = word(option);
        match name.text.to_ascii_lowercase().as_str() {
            "relative" => self.relative = true,
            "big" => self.little = false,
            "little" => self.little = true,
            "dce" => self.dce = true,
            "string" => {
                self.text = true;
                if let Some(base) = value {
                    self.base = Some(base_of(&base)?);
                }
            }
            "hex" | "dec" | "oct" => self.base = Some(base_of(&name)?),
            "endian" => {
                let order = value.unwrap_or_else(|| behind(&name, name.text.len()));
                match order.text.to_ascii_lowercase().as_str() {
                    "big" => self.little = false,
                    "little" => self.little = true,
                    _ => {
                        let message = format!("`{}` is not an order of bytes", order.quoted());
                        return Err(order.fault(message, "expected big or little"));
                    }
                }
            }
            "bitmask" => {
                let mask = value.unwrap_or_else(|| behind(&name, name.text.len()));
                let bits = number(&mask, "the bitmask", 1, i128::from(u32::MAX))?;
                // It lies in 1..=u32::MAX.
                self.bitmask = Some(bits as u32);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn encoding(&self, at: &Token<'_>) -> Result<Encoding, Fault> {
        match (self.text, self.base) {
            (true, base) => Ok(Encoding::Text(base.unwrap_or(10))),
            (false, Some(_)) => {
                Err(at
                    .fault("the base of a number is for those in text", "expected `string` beside the base"))
            }
            (false, None) => Ok(if self.little { Encoding::Little } else { Encoding::Big }),
        }
    }

    /// The number, whose length was read before it was known to be text or not.
    fn number(
        &self,
        bytes: (&Token<'_>, Operand),
        offset: Operand,
        all: &Token<'_>,
    ) -> Result<NumberAt, Fault> {
        let (token, bytes) = bytes;
        let encoding = self.encoding(all)?;
        match bytes {
            Operand::Number(count) if !self.text && i128::from(count) > MAX_BINARY => {
                let label = format!("expected at most {MAX_BINARY}, or `string`");
                Err(token.fault(format!("a binary number of {count} bytes"), label))
            }
            _ => Ok(NumberAt { bytes, offset, relative: self.relative, encoding, bitmask: self.bitmask }),
        }
    }
}

fn base_of(word: &Token<'_>) -> Result<u32, Fault> {
    match word.text.to_ascii_lowercase().as_str() {
        "hex" => Ok(16),
        "dec" => Ok(10),
        "oct" => Ok(8),
        _ => Err(word.fault(format!("`{}` is not a base", word.quoted()), "expected hex, dec or oct")),
    }
}

fn unknown(option: &Token<'_>, key: &str) -> Fault {
    option
        .fault(format!("`{}` is not a part of `{key}`", option.quoted()), "expected another word, or the end")
}

impl Asks<'_> {
    /// Takes the option where it is one of these.
    pub(super) fn bytes(
        &mut self,
        key: &str,
        name: &Token<'_>,
        value: Option<Token<'_>>,
    ) -> Result<bool, Fault> {
        let read = match key {
            "byte_test" => Self::byte_test,
            "byte_jump" => Self::byte_jump,
            "byte_extract" => Self::byte_extract,
            "byte_math" => Self::byte_math,
            "isdataat" => Self::is_data_at,
            "bsize" | "bufferlen" => Self::size,
            _ => return Ok(false),
        };
        let value = needs(name, value)?;
        let text = shown(key, Some(&value));
        read(self, &value, text)?;
        Ok(true)
    }

    /// Bytes of a number; in text, 0 are as many as there are digits, as in Suricata.
    fn count(&self, token: &Token<'_>, text: bool) -> Result<Operand, Fault> {
        let lowest = if text { 0 } else { 1 };
        match self.operand(token, "the number of bytes", lowest, MAX_TEXT)? {
            // It is a small number.
            Operand::Number(0) => Ok(Operand::Number(MAX_TEXT as i64)),
            count => Ok(count),
        }
    }

    fn add(&mut self, test: Test, dce: bool, text: String, value: &Token<'_>) {
        if !dce {
            return self.test(test, text, value.at.clone());
        }
        self.reasons.add(Why::Application, "dce");
        let (moves, sets) = match test {
            Test::ByteExtract(extract) => (true, Some(extract.variable)),
            Test::ByteMath(math) => (true, Some(math.variable)),
            Test::ByteJump(_) => (true, None),
            _ => (false, None),
        };
        self.undecided(text, value.at.clone(), moves, sets);
    }

    /// `bytes, operator, value, offset, …`.
    fn byte_test(&mut self, value: &Token<'_>, text: String) -> Result<(), Fault> {
        let parts = list(value);
        let [bytes, operator, with, offset, words @ ..] = parts.as_slice() else {
            return Err(
                value.fault("`byte_test` has four parts at least", "expected `BYTES,OPERATOR,VALUE,OFFSET`")
            );
        };
        let mut reading = Reading::default();
        for option in words {
            if !reading.take(option)? {
                return Err(unknown(option, "byte_test"));
            }
        }
        let count = self.count(bytes, reading.text)?;
        let (negated, sign) = match operator.text.strip_prefix('!') {
            Some(rest) => (true, rest.trim_start()),
            None => (false, operator.text),
        };
        let operator = match sign {
            "<" => Operator::Less,
            ">" => Operator::Greater,
            "=" => Operator::Equal,
            "" if negated => Operator::Equal,
            "<=" => Operator::LessEqual,
            ">=" => Operator::GreaterEqual,
            "&" => Operator::And,
            "^" => Operator::Xor,
            _ => {
                let message = format!("`{}` is not an operator", operator.quoted());
                return Err(
                    operator.fault(message, "expected <, >, =, <=, >=, &, ^, or one of these behind `!`")
                );
            }
        };
        let with = self.operand(with, "the value", VALUES.0, VALUES.1)?;
        let offset = self.operand(offset, "the offset", -MAX_OFFSET, MAX_OFFSET)?;
        let number = reading.number((bytes, count), offset, value)?;
        let test = Test::ByteTest(ByteTest { number, negated, operator, value: with });
        self.add(test, reading.dce, text, value);
        Ok(())
    }

    /// `bytes, offset, …`.
    fn byte_jump(&mut self, value: &Token<'_>, text: String) -> Result<(), Fault> {
        let parts = list(value);
        let [bytes, offset, words @ ..] = parts.as_slice() else {
            return Err(value.fault("`byte_jump` has two parts at least", "expected `BYTES,OFFSET`"));
        };
        let mut reading = Reading::default();
        let (mut multiplier, mut align, mut from) = (1, false, JumpFrom::Number);
        let mut post_offset = Operand::Number(0);
        for option in words {
            let (name, with) = word(option);
            let with = with.unwrap_or_else(|| behind(&name, name.text.len()));
            match name.text.to_ascii_lowercase().as_str() {
                "multiplier" => multiplier = self.multiplier(&with)?,
                "align" => align = true,
                "from_beginning" => from = JumpFrom::Beginning,
                "from_end" => from = JumpFrom::End,
                "post_offset" => {
                    post_offset = self.operand(&with, "post_offset", -MAX_DISTANCE, MAX_DISTANCE)?
                }
                _ if reading.take(option)? => {}
                _ => return Err(unknown(option, "byte_jump")),
            }
        }
        let count = self.operand(bytes, "the number of bytes", 0, MAX_TEXT)?;
        let offset = self.operand(offset, "the offset", -MAX_OFFSET, MAX_OFFSET)?;
        let number = reading.number((bytes, count), offset, value)?;
        let test = Test::ByteJump(ByteJump { number, multiplier, align, from, post_offset });
        self.add(test, reading.dce, text, value);
        Ok(())
    }

    fn multiplier(&self, token: &Token<'_>) -> Result<u32, Fault> {
        // It lies in 1..=65535.
        number(token, "the multiplier", 1, MAX_MULTIPLIER).map(|number| number as u32)
    }

    /// `bytes, offset, name, …`.
    fn byte_extract(&mut self, value: &Token<'_>, text: String) -> Result<(), Fault> {
        let parts = list(value);
        let [bytes, offset, variable, words @ ..] = parts.as_slice() else {
            return Err(
                value.fault("`byte_extract` has three parts at least", "expected `BYTES,OFFSET,NAME`")
            );
        };
        let mut reading = Reading::default();
        let (mut multiplier, mut align) = (1, None);
        for option in words {
            let (name, with) = word(option);
            let with = with.unwrap_or_else(|| behind(&name, name.text.len()));
            match name.text.to_ascii_lowercase().as_str() {
                "multiplier" => multiplier = self.multiplier(&with)?,
                "align" => match with.text {
                    "2" => align = Some(2),
                    "4" => align = Some(4),
                    _ => return Err(with.fault("the value is aligned to 2 or 4", "expected 2 or 4")),
                },
                _ if reading.take(option)? => {}
                _ => return Err(unknown(option, "byte_extract")),
            }
        }
        let count = self.count(bytes, reading.text)?;
        let offset = self.operand(offset, "the offset", -MAX_OFFSET, MAX_OFFSET)?;
        let number = reading.number((bytes, count), offset, value)?;
        let variable = self.variable(variable)?;
        let test = Test::ByteExtract(ByteExtract { number, variable, multiplier, align });
        self.add(test, reading.dce, text, value);
        Ok(())
    }

    /// `bytes N, offset N, oper X, rvalue N, result NAME, …`.
    fn byte_math(&mut self, value: &Token<'_>, text: String) -> Result<(), Fault> {
        let mut reading = Reading::default();
        let (mut bytes, mut offset, mut operator, mut with, mut result) = (None, None, None, None, None);
        for option in &list(value) {
            let (name, rest) = word(option);
            let rest = rest.unwrap_or_else(|| behind(&name, name.text.len()));
            match name.text.to_ascii_lowercase().as_str() {
                "bytes" => {
                    bytes = Some((rest.clone(), self.operand(&rest, "the number of bytes", 1, MAX_TEXT)?));
                }
                "offset" => offset = Some(self.operand(&rest, "the offset", -MAX_OFFSET, MAX_OFFSET)?),
                "oper" => {
                    operator = Some(match rest.text {
                        "+" => MathOperator::Add,
                        "-" => MathOperator::Subtract,
                        "*" => MathOperator::Multiply,
                        "/" => MathOperator::Divide,
                        "<<" => MathOperator::ShiftLeft,
                        ">>" => MathOperator::ShiftRight,
                        _ => {
                            let message = format!("`{}` is not an operator", rest.quoted());
                            return Err(rest.fault(message, "expected +, -, *, /, << or >>"));
                        }
                    });
                }
                "rvalue" => with = Some(self.operand(&rest, "rvalue", 0, i128::from(u32::MAX))?),
                "result" => result = Some(rest),
                _ if reading.take(option)? => {}
                _ => return Err(unknown(option, "byte_math")),
            }
        }
        let (Some((token, count)), Some(offset), Some(operator), Some(with), Some(result)) =
            (bytes, offset, operator, with, result)
        else {
            let label = "expected `bytes N, offset N, oper X, rvalue N, result NAME`";
            return Err(value.fault("`byte_math` lacks a part", label));
        };
        let number = reading.number((&token, count), offset, value)?;
        let variable = self.variable(&result)?;
        let test = Test::ByteMath(ByteMath { number, operator, value: with, variable });
        self.add(test, reading.dce, text, value);
        Ok(())
    }

    /// `!offset, relative`.
    fn is_data_at(&mut self, value: &Token<'_>, text: String) -> Result<(), Fault> {
        let unquoted = unquoted(value);
        let parts = list(&unquoted);
        let [place, words @ ..] = parts.as_slice() else { return Err(unknown(value, "isdataat")) };
        let (negated, place) = match place.text.strip_prefix('!') {
            Some(_) => (true, trimmed(behind(place, 1))),
            None => (false, place.clone()),
        };
        let mut relative = false;
        for option in words {
            match option.text.to_ascii_lowercase().as_str() {
                "relative" => relative = true,
                "rawbytes" => {}
                _ => return Err(unknown(option, "isdataat")),
            }
        }
        let lowest = if relative { -MAX_DISTANCE } else { 0 };
        let offset = self.operand(&place, "the place", lowest, MAX_DISTANCE)?;
        self.test(Test::IsDataAt(IsDataAt { offset, relative, negated }), text, value.at.clone());
        Ok(())
    }

    /// `comparison`, and in Snort 3 `comparison, relative`.
    fn size(&mut self, value: &Token<'_>, text: String) -> Result<(), Fault> {
        let parts = list(value);
        let [size, words @ ..] = parts.as_slice() else { return Err(unknown(value, "bsize")) };
        let test = comparison(size, "the length", u64::MAX)?;
        match words {
            [] => self.test(Test::Size(test), text, value.at.clone()),
            [relative] if relative.text.eq_ignore_ascii_case("relative") => {
                self.reasons.add(Why::NotRead, "bufferlen relative");
                self.undecided(text, value.at.clone(), false, None);
            }
            [other, ..] => return Err(unknown(other, "bsize")),
        }
        Ok(())
    }
}

//! Contents, expressions, numbers, lengths: one case for each clause.

use super::*;

const NUMBER: NumberAt = NumberAt {
    bytes: Operand::Number(1),
    offset: Operand::Number(0),
    relative: false,
    encoding: Encoding::Big,
    bitmask: None,
};

fn at(offset: i64, bytes: i64) -> NumberAt {
    NumberAt { bytes: Operand::Number(bytes), offset: Operand::Number(offset), ..NUMBER }
}

fn c(bytes: &[u8], change: impl FnOnce(&mut Content)) -> Test {
    let mut content = content(bytes);
    change(&mut content);
    Test::Content(content)
}

fn re(expression: &str, change: impl FnOnce(&mut Pcre)) -> Test {
    let mut pcre = Pcre { expression: expression.to_owned(), ..Pcre::default() };
    change(&mut pcre);
    Test::Pcre(pcre)
}

fn bt(number: NumberAt, operator: Operator, value: i64) -> Test {
    Test::ByteTest(ByteTest { number, negated: false, operator, value: Operand::Number(value) })
}

fn jump(number: NumberAt, change: impl FnOnce(&mut ByteJump)) -> Test {
    let mut jump = ByteJump {
        number,
        multiplier: 1,
        align: false,
        from: JumpFrom::Number,
        post_offset: Operand::Number(0),
    };
    change(&mut jump);
    Test::ByteJump(jump)
}

fn extract(number: NumberAt, variable: usize) -> Test {
    Test::ByteExtract(ByteExtract { number, variable, multiplier: 1, align: None })
}

fn data_at(offset: i64, relative: bool, negated: bool) -> Test {
    Test::IsDataAt(IsDataAt { offset: Operand::Number(offset), relative, negated })
}

/// The test before ended at this byte of the buffer.
fn ended_at(byte: i64) -> Test {
    jump(at(0, 0), |jump| jump.post_offset = Operand::Number(byte))
}

#[track_caller]
fn cases(payload: &[u8], cases: &[(&str, Vec<Test>, bool)]) {
    for (name, tests, expected) in cases {
        assert_eq!(holds(payload, tests), *expected, "{name}");
    }
}

#[test]
fn contents_stand_where_their_modifiers_let_them() {
    let var = |place| Some(Operand::Variable(place));
    cases(
        b"abcABCabc",
        &[
            ("anywhere", vec![c(b"cA", |_| {})], true),
            ("case counts", vec![c(b"Bc", |_| {})], false),
            ("nocase", vec![c(b"cAbC", |c| c.nocase = true)], true),
            ("negated and there", vec![c(b"ABC", |c| c.negated = true)], false),
            ("negated and not there", vec![c(b"abd", |c| c.negated = true)], true),
            ("offset lets it", vec![c(b"abc", |c| c.offset = number(6))], true),
            ("offset does not", vec![c(b"abc", |c| c.offset = number(7))], false),
            ("depth ends behind it", vec![c(b"ABC", |c| c.depth = number(6))], true),
            ("depth ends inside it", vec![c(b"ABC", |c| c.depth = number(5))], false),
            (
                "depth counts from offset",
                vec![c(b"ABC", |c| (c.offset, c.depth) = (number(3), number(3)))],
                true,
            ),
            (
                "depth from offset, too small",
                vec![c(b"ABC", |c| (c.offset, c.depth) = (number(2), number(3)))],
                false,
            ),
            ("negated outside of depth", vec![c(b"ABC", |c| (c.negated, c.depth) = (true, number(5)))], true),
            ("startswith", vec![c(b"abc", |c| c.startswith = true)], true),
            ("startswith and stands later", vec![c(b"bc", |c| c.startswith = true)], false),
            ("endswith, not its first place", vec![c(b"abc", |c| c.endswith = true)], true),
            ("endswith and stands before", vec![c(b"ABC", |c| c.endswith = true)], false),
            ("both ends", vec![c(b"abcABCabc", |c| (c.startswith, c.endswith) = (true, true))], true),
            ("both ends, too short", vec![c(b"abc", |c| (c.startswith, c.endswith) = (true, true))], false),
            ("distance", vec![c(b"abc", |_| {}), c(b"abc", |c| c.distance = number(3))], true),
            ("distance too far", vec![c(b"abc", |_| {}), c(b"abc", |c| c.distance = number(4))], false),
            ("negative distance", vec![c(b"ABC", |_| {}), c(b"BC", |c| c.distance = number(-2))], true),
            (
                "distance before the start",
                vec![c(b"abc", |_| {}), c(b"a", |c| (c.distance, c.within) = (number(-9), number(7)))],
                true,
            ),
            (
                "within from behind the last",
                vec![c(b"abc", |_| {}), c(b"ABC", |c| c.within = number(3))],
                true,
            ),
            ("within is too small", vec![c(b"abc", |_| {}), c(b"BC", |c| c.within = number(2))], false),
            (
                "within looks forward only",
                vec![c(b"ABC", |_| {}), c(b"ABC", |c| c.within = number(9))],
                false,
            ),
            (
                "within counts from distance",
                vec![c(b"abc", |_| {}), c(b"BC", |c| (c.distance, c.within) = (number(1), number(2)))],
                true,
            ),
            ("not relative", vec![c(b"ABC", |_| {}), c(b"abcA", |_| {})], true),
            (
                "negated relative",
                vec![c(b"ABC", |_| {}), c(b"A", |c| (c.negated, c.distance) = (true, number(0)))],
                true,
            ),
            (
                "negated keeps the position",
                vec![c(b"abc", |_| {}), c(b"zz", |c| c.negated = true), c(b"A", |c| c.within = number(1))],
                true,
            ),
            ("an offset by a variable", vec![extract(at(0, 1), 0), c(b"abc", |c| c.offset = var(0))], false),
            ("a variable is 0 before", vec![c(b"ab", |c| (c.offset, c.depth) = (var(1), number(2)))], true),
            ("longer than the payload", vec![c(b"abcABCabca", |_| {})], false),
        ],
    );
    cases(
        b"\x03xxabc",
        &[
            (
                "offset by a variable",
                vec![extract(at(0, 1), 0), c(b"abc", |c| (c.offset, c.depth) = (var(0), number(3)))],
                true,
            ),
            ("within by a variable", vec![extract(at(0, 1), 0), c(b"xa", |c| c.within = var(0))], true),
        ],
    );
    cases(
        b"",
        &[
            ("nothing in nothing", vec![c(b"a", |_| {})], false),
            ("negated in nothing", vec![c(b"a", |c| c.negated = true)], true),
        ],
    );
}

#[test]
fn every_choice_is_tried() {
    let near = |bytes: &[u8]| c(bytes, |c| c.within = number(bytes.len() as i64));
    cases(
        b"ax ay az bz",
        &[
            ("the second choice of the first", vec![c(b"a", |_| {}), near(b"y")], true),
            ("the third of it", vec![c(b"a", |_| {}), near(b"z"), c(b"b", |c| c.distance = number(0))], true),
            ("none", vec![c(b"a", |_| {}), near(b"w")], false),
            (
                "back over several",
                vec![c(b"a", |_| {}), c(b" ", |c| c.distance = number(0)), near(b"b"), near(b"z")],
                true,
            ),
            ("a choice of pcre", vec![re("a.", |_| {}), near(b" b")], true),
            ("a choice inside a match", vec![re("a.*?z", |_| {}), near(b" "), near(b"b")], true),
            ("behind an independent test", vec![c(b"a", |_| {}), c(b"bz", |_| {}), near(b"q")], false),
        ],
    );
    // The variable is that of the way chosen: of the second `k`, whose neighbour is 4.
    let by_var = c(b"E", |c| (c.offset, c.depth) = (Some(Operand::Variable(0)), number(1)));
    let read = extract(NumberAt { relative: true, ..at(0, 1) }, 0);
    cases(
        b"k\x09k\x04E",
        &[("a variable by choice", vec![c(b"k", |_| {}), read.clone(), by_var.clone()], true)],
    );
    cases(
        b"k\x09k\x03E",
        &[("a variable by no choice", vec![c(b"k", |_| {}), read.clone(), by_var.clone()], false)],
    );
    // Also where another buffer reads it.
    let mut detect = payload_tests(&[c(b"k", |_| {}), read]);
    detect.buffers.push(BufferTests {
        buffer: Buffer::UdpHeader,
        tests: vec![c(&[53], |c| (c.offset, c.depth) = (Some(Operand::Variable(0)), number(1)))],
    });
    assert!(verdict(&udp(b"k\x09k\x03E"), &detect).unwrap());
    assert!(!verdict(&udp(b"k\x09k\x04E"), &detect).unwrap());
}

#[test]
fn expressions_are_those_of_pcre2() {
    cases(
        b"One\ntwo three",
        &[
            ("anywhere", vec![re("t[a-z]o", |_| {})], true),
            ("case", vec![re("one", |_| {})], false),
            ("i", vec![re("one", |p| p.caseless = true)], true),
            ("no s", vec![re("e.t", |_| {})], false),
            ("s", vec![re("e.t", |p| p.dot_all = true)], true),
            ("no m", vec![re("^two", |_| {})], false),
            ("m", vec![re("^two", |p| p.multi_line = true)], true),
            ("x", vec![re("t w o # two", |p| p.extended = true)], true),
            ("A", vec![re("two", |p| p.anchored = true)], false),
            ("A at its place", vec![re("One", |p| p.anchored = true)], true),
            ("negated", vec![re("four", |p| p.negated = true)], true),
            ("negated and there", vec![re("two", |p| p.negated = true)], false),
            ("relative", vec![c(b"two", |_| {}), re("^ three", |p| p.relative = true)], true),
            (
                "relative sees nothing before",
                vec![c(b"two", |_| {}), re("(?<=o) three", |p| p.relative = true)],
                false,
            ),
            ("not relative", vec![c(b"two", |_| {}), re("One", |_| {})], true),
            (
                "it ends where it ends",
                vec![re("t\\w+", |_| {}), c(b" three", |c| c.within = number(6))],
                true,
            ),
            ("greedy", vec![re("t.*e", |_| {}), data_at(0, true, true), data_at(1, true, true)], false),
            (
                "a look ahead that moves the end",
                vec![re("two(?= t)", |_| {}), c(b" ", |c| c.within = number(1))],
                true,
            ),
        ],
    );
    cases(
        b"end\n",
        &[
            ("$ before the last line feed", vec![re("end$", |_| {})], true),
            ("E", vec![re("end$", |p| p.dollar_end_only = true)], false),
        ],
    );
    cases(
        b"<a><b>",
        &[
            ("greedy to the end", vec![re("<.+>", |_| {}), c(b"<", |c| c.distance = number(0))], false),
            ("G", vec![re("^<.+>", |p| p.ungreedy = true), c(b"<", |c| c.within = number(1))], true),
        ],
    );
    cases(&[0, 0xff, 0xe9], &[("bytes", vec![re("\\xff\u{e9}$", |_| {})], true)]);
}

#[test]
fn numbers_are_read_as_told() {
    use Operator::{And, Equal, Greater, GreaterEqual, Less, LessEqual, Xor};
    let little = |number| NumberAt { encoding: Encoding::Little, ..number };
    let text = |base, offset, bytes| NumberAt { encoding: Encoding::Text(base), ..at(offset, bytes) };
    let relative = |number| NumberAt { relative: true, ..number };
    let masked = |mask, number| NumberAt { bitmask: Some(mask), ..number };
    cases(
        &[1, 2, 3, 4, 5, 6, 7, 8, 9],
        &[
            ("big", vec![bt(at(0, 2), Equal, 0x0102)], true),
            ("little", vec![bt(little(at(0, 2)), Equal, 0x0201)], true),
            ("eight", vec![bt(at(1, 8), Equal, 0x0203_0405_0607_0809)], true),
            ("past the end", vec![bt(at(8, 2), Greater, 0)], false),
            ("before the start", vec![bt(at(-1, 1), GreaterEqual, 0)], false),
            ("relative", vec![ended_at(3), bt(relative(at(-1, 1)), Equal, 3)], true),
            ("less", vec![bt(at(0, 1), Less, 2)], true),
            ("not less", vec![bt(at(0, 1), Less, 1)], false),
            ("less or equal", vec![bt(at(0, 1), LessEqual, 1)], true),
            ("greater", vec![bt(at(0, 1), Greater, 1)], false),
            ("greater or equal", vec![bt(at(0, 1), GreaterEqual, 1)], true),
            ("and", vec![bt(at(2, 1), And, 2)], true),
            ("and none", vec![bt(at(2, 1), And, 4)], false),
            ("xor", vec![bt(at(2, 1), Xor, 3)], false),
            ("xor of others", vec![bt(at(2, 1), Xor, 2)], true),
            ("a negative operand is large", vec![bt(at(0, 1), Less, -1)], true),
            ("mask", vec![bt(masked(0x0ff0, at(0, 2)), Equal, 0x10)], true),
            (
                "the test keeps the position",
                vec![ended_at(3), bt(at(0, 1), Equal, 1), c(&[4], |c| c.within = number(1))],
                true,
            ),
        ],
    );
    let negated = |number, value| {
        Test::ByteTest(ByteTest { number, negated: true, operator: Equal, value: Operand::Number(value) })
    };
    cases(
        &[7],
        &[
            ("negated", vec![negated(at(0, 1), 8)], true),
            ("negated and equal", vec![negated(at(0, 1), 7)], false),
            ("negation does not turn a failure round", vec![negated(at(1, 1), 8)], false),
        ],
    );
    cases(&[0xff; 8], &[("64 bits have no sign", vec![bt(at(0, 8), Equal, -1)], true)]);
    cases(
        b" \t 42x 0x1F 99999999999999999999 0777",
        &[
            ("decimal behind blanks", vec![bt(text(10, 0, 6), Equal, 42)], true),
            ("blanks count", vec![bt(text(10, 0, 4), Equal, 4)], true),
            ("no digit", vec![bt(text(10, 5, 3), Equal, 0)], false),
            ("hex with 0x", vec![bt(text(16, 7, 4), Equal, 0x1f)], true),
            ("hex of all", vec![bt(text(16, 3, 3), Equal, 0x42)], true),
            ("too large", vec![bt(text(10, 12, 20), Greater, 0)], false),
            ("octal, fewer than asked for", vec![bt(text(8, 33, 9), Equal, 0o777)], true),
            ("at the end", vec![bt(text(10, 37, 1), Equal, 0)], false),
            (
                "it ends behind the last digit",
                vec![extract(text(10, 0, 9), 0), c(b"x", |c| c.within = number(1))],
                true,
            ),
        ],
    );
}

#[test]
fn jumps_lead_where_they_lead() {
    let here = |byte: u8| c(&[byte], |c| c.within = number(1));
    let payload: Vec<u8> = (0..40).collect();
    let ends =
        |byte: usize| vec![data_at(40 - byte as i64, true, false), data_at(41 - byte as i64, true, true)];
    let with = |test: Test, more: Vec<Test>| [vec![test], more].concat();
    cases(
        &payload,
        &[
            ("from the number", vec![jump(at(5, 1), |_| {}), here(11)], true),
            (
                "relative",
                vec![ended_at(4), jump(NumberAt { relative: true, ..at(1, 1) }, |_| {}), here(11)],
                true,
            ),
            ("multiplier", vec![jump(at(5, 1), |j| j.multiplier = 3), here(21)], true),
            ("align", vec![jump(at(5, 1), |j| j.align = true), here(14)], true),
            ("align of a multiple", vec![jump(at(4, 1), |j| j.align = true), here(9)], true),
            ("from the beginning", vec![jump(at(5, 1), |j| j.from = JumpFrom::Beginning), here(5)], true),
            (
                "from the end",
                vec![
                    jump(at(5, 1), |j| (j.from, j.post_offset) = (JumpFrom::End, Operand::Number(-10))),
                    here(35),
                ],
                true,
            ),
            ("past the end", vec![jump(at(39, 1), |_| {})], false),
            ("to the end", with(jump(at(19, 1), |j| j.post_offset = Operand::Number(1)), ends(40)), true),
            (
                "just to the end",
                vec![
                    jump(at(19, 1), |_| {}),
                    jump(NumberAt { relative: true, ..at(0, 0) }, |j| j.post_offset = Operand::Number(1)),
                    data_at(0, true, false),
                    data_at(1, true, true),
                ],
                true,
            ),
            ("before the start", vec![jump(at(5, 1), |j| j.post_offset = Operand::Number(-12))], false),
            ("no number", vec![jump(at(7, 0), |_| {}), here(7)], true),
            ("no number behind the end", vec![jump(at(41, 0), |_| {})], false),
            ("fails where the number does", vec![jump(at(40, 1), |_| {})], false),
        ],
    );
}

#[test]
fn variables_are_read_and_computed() {
    let math = |operator, value| {
        Test::ByteMath(ByteMath { number: at(0, 1), operator, value: Operand::Number(value), variable: 0 })
    };
    let is = |value: i64| {
        // A number of the payload compared with the variable.
        Test::ByteTest(ByteTest {
            number: at(value, 1),
            negated: false,
            operator: Operator::Equal,
            value: Operand::Variable(0),
        })
    };
    let payload: Vec<u8> = (10..250).collect();
    let byte = |value: i64| is(value - 10);
    cases(
        &payload,
        &[
            ("extract", vec![extract(at(3, 1), 0), byte(13)], true),
            (
                "extract times",
                vec![
                    Test::ByteExtract(ByteExtract {
                        number: at(0, 1),
                        variable: 0,
                        multiplier: 3,
                        align: None,
                    }),
                    byte(30),
                ],
                true,
            ),
            (
                "extract rounded up",
                vec![
                    Test::ByteExtract(ByteExtract {
                        number: at(3, 1),
                        variable: 0,
                        multiplier: 1,
                        align: Some(4),
                    }),
                    byte(16),
                ],
                true,
            ),
            ("extract ends behind", vec![extract(at(3, 1), 0), c(&[14], |c| c.within = number(1))], true),
            ("the last value counts", vec![extract(at(3, 1), 0), extract(at(4, 1), 0), byte(14)], true),
            ("add", vec![math(MathOperator::Add, 5), byte(15)], true),
            ("subtract", vec![math(MathOperator::Subtract, 0), byte(10)], true),
            ("below zero", vec![math(MathOperator::Subtract, 11)], false),
            ("multiply", vec![math(MathOperator::Multiply, 12), byte(120)], true),
            ("too large", vec![math(MathOperator::Multiply, i64::MAX)], false),
            ("divide", vec![math(MathOperator::Divide, 1), byte(10)], true),
            ("divide by zero", vec![math(MathOperator::Divide, 0)], false),
            ("shift left", vec![math(MathOperator::ShiftLeft, 4), byte(160)], true),
            ("shift by 64", vec![math(MathOperator::ShiftLeft, 64)], false),
            ("shift out", vec![math(MathOperator::ShiftLeft, 61)], false),
            ("shift right by 64", vec![math(MathOperator::ShiftRight, 64)], false),
            ("shift right", vec![math(MathOperator::ShiftRight, 0), byte(10)], true),
            ("math ends behind", vec![math(MathOperator::Add, 5), c(&[11], |c| c.within = number(1))], true),
        ],
    );
}

#[test]
fn lengths_are_those_of_the_buffer() {
    let size = |first, last, negated| Test::Size(NumberTest { first, last, negated });
    cases(
        b"12345",
        &[
            ("data there", vec![data_at(4, false, false)], true),
            ("no data there", vec![data_at(5, false, false)], false),
            ("negated", vec![data_at(5, false, true)], true),
            ("relative reaches one further", vec![c(b"3", |_| {}), data_at(2, true, false)], true),
            ("relative, too far", vec![c(b"3", |_| {}), data_at(3, true, false)], false),
            ("relative and negated", vec![c(b"3", |_| {}), data_at(3, true, true)], true),
            ("size", vec![size(5, 5, false)], true),
            ("another size", vec![size(6, 9, false)], false),
            ("not that size", vec![size(6, 9, true)], true),
            (
                "the position stays",
                vec![
                    c(b"3", |_| {}),
                    size(5, 5, false),
                    data_at(0, false, false),
                    c(b"4", |c| c.within = number(1)),
                ],
                true,
            ),
        ],
    );
    cases(
        b"",
        &[
            ("an empty payload has a size", vec![size(0, 0, false)], true),
            ("and no data", vec![data_at(0, false, true)], true),
        ],
    );
}

#[test]
fn no_rule_and_no_payload_takes_longer_than_the_budget() {
    let payload = vec![b'a'; 1400];
    // Without memory of what failed: 200 choices to the power of 40.
    let mut tests = vec![c(b"a", |_| {})];
    tests.extend((0..40).map(|_| c(b"a", |c| c.distance = number(0))));
    tests.push(c(b"b", |c| c.within = number(1)));
    assert_eq!(verdict(&udp(&payload[..200]), &payload_tests(&tests)), Ok(false));
    // With variables nothing is remembered.
    for n in (1..40).rev() {
        tests.insert(n, extract(NumberAt { relative: true, ..at(0, 1) }, 0));
    }
    assert_eq!(verdict(&udp(&payload), &payload_tests(&tests)), Err(OverBudget));
    let nested = [re("^(a+)+$", |_| {})];
    assert_eq!(verdict(&udp(&[&payload[..], b"!"].concat()), &payload_tests(&nested)), Err(OverBudget));
    // What a packet has spent is spent.
    let packet = udp(b"abc");
    let layers = Layers::new(&packet, Header::of(&packet));
    let program = Program::new(&payload_tests(&[c(b"abc", |_| {})])).unwrap();
    let (mut scratch, mut budget) = (Scratch::default(), Budget::steps(4));
    assert_eq!(program.holds(&layers, &mut scratch, &mut budget), Ok(true));
    assert_eq!(program.holds(&layers, &mut scratch, &mut budget), Ok(true));
    assert_eq!(program.holds(&layers, &mut scratch, &mut budget), Err(OverBudget));
    assert_eq!(program.holds(&layers, &mut scratch, &mut budget), Err(OverBudget));
}

#[test]
fn a_detect_that_contradicts_itself_is_an_error() {
    let error = |test: Test| {
        let detect = Detect { variables: vec!["a".to_owned()], ..payload_tests(&[test]) };
        Program::new(&detect).unwrap_err().to_string()
    };
    assert_eq!(error(c(b"", |_| {})), "a content without bytes");
    assert_eq!(error(c(b"a", |c| c.within = Some(Operand::Variable(1)))), "variable 1 of 1");
    assert_eq!(error(extract(at(0, 1), 7)), "variable 7 of 1");
    assert_eq!(error(re("a(", |_| {})), "pcre `a(`: missing closing parenthesis at byte 2");
}

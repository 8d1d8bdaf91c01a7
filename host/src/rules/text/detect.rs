//! What a signature asks beyond its header, as the options that say so.

use std::fmt;

use crate::rules::detect::{
    BitTest, BitsAsk, Buffer, ByteExtract, ByteJump, ByteMath, ByteTest, Content, Detect, Encoding,
    FieldTest, Flow, FlowDirection, IsDataAt, JumpFrom, MathOperator, NumberAt, NumberTest, Operand,
    Operator, Pcre, Test, Threshold, ThresholdKind, Track,
};
use crate::rules::suricata::names::{FRAGMENT_BITS, IP_OPTIONS, TCP_FLAGS};

impl fmt::Display for Detect {
    /// Options, each with a blank before it; a reader of signatures takes them back.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.flow)?;
        for field in &self.fields {
            write!(f, " {field};")?;
        }
        for (place, tests) in self.buffers.iter().enumerate() {
            if place > 0 || tests.buffer != Buffer::Payload {
                write!(f, " {};", tests.buffer)?;
            }
            for (number, test) in tests.tests.iter().enumerate() {
                self.test(f, test)?;
                let fast = self.fast_pattern.filter(|fast| (fast.buffer, fast.test) == (place, number));
                match fast.map(|fast| fast.part) {
                    None => {}
                    Some(None) => f.write_str(" fast_pattern;")?,
                    Some(Some((from, length))) => write!(f, " fast_pattern:{from},{length};")?,
                }
            }
        }
        if let Some(threshold) = &self.threshold {
            write!(f, " {threshold};")?;
        }
        f.write_str(if self.noalert { " noalert;" } else { "" })
    }
}

impl Detect {
    /// A test of it as the options that say it, without the end of the last one.
    pub fn test_text(&self, test: &Test) -> String {
        struct Of<'a>(&'a Detect, &'a Test);
        impl fmt::Display for Of<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.test(f, self.1)
            }
        }
        Of(self, test).to_string().trim_matches([' ', ';']).to_owned()
    }

    fn test(&self, f: &mut fmt::Formatter<'_>, test: &Test) -> fmt::Result {
        match test {
            Test::Content(content) => self.content(f, content),
            Test::Pcre(pcre) => write!(f, " {pcre};"),
            Test::ByteTest(test) => self.byte_test(f, test),
            Test::ByteJump(jump) => self.byte_jump(f, jump),
            Test::ByteExtract(extract) => self.byte_extract(f, extract),
            Test::ByteMath(math) => self.byte_math(f, math),
            Test::IsDataAt(IsDataAt { offset, relative, negated }) => {
                let (not, relative) = (not(*negated), if *relative { ",relative" } else { "" });
                write!(f, " isdataat:{not}{}{relative};", self.operand(*offset))
            }
            Test::Size(size) => write!(f, " bsize:{size};"),
        }
    }

    /// A number, or the name of a variable.
    pub(crate) fn operand(&self, operand: Operand) -> String {
        match operand {
            Operand::Number(number) => number.to_string(),
            Operand::Variable(place) => {
                self.variables.get(place).cloned().unwrap_or_else(|| format!("variable {place}"))
            }
        }
    }

    fn content(&self, f: &mut fmt::Formatter<'_>, content: &Content) -> fmt::Result {
        write!(f, " content:{}\"{}\";", not(content.negated), pattern(&content.bytes))?;
        for (name, set) in
            [("nocase", content.nocase), ("startswith", content.startswith), ("endswith", content.endswith)]
        {
            if set {
                write!(f, " {name};")?;
            }
        }
        let places = [
            ("offset", content.offset),
            ("depth", content.depth),
            ("distance", content.distance),
            ("within", content.within),
        ];
        for (name, operand) in places {
            if let Some(operand) = operand {
                write!(f, " {name}:{};", self.operand(operand))?;
            }
        }
        Ok(())
    }

    fn byte_test(&self, f: &mut fmt::Formatter<'_>, test: &ByteTest) -> fmt::Result {
        let operator = match test.operator {
            Operator::Less => "<",
            Operator::Greater => ">",
            Operator::Equal => "=",
            Operator::LessEqual => "<=",
            Operator::GreaterEqual => ">=",
            Operator::And => "&",
            Operator::Xor => "^",
        };
        let NumberAt { bytes, offset, .. } = test.number;
        let (bytes, offset, value) = (self.operand(bytes), self.operand(offset), self.operand(test.value));
        write!(
            f,
            " byte_test:{bytes},{}{operator},{value},{offset}{};",
            not(test.negated),
            reading(&test.number)
        )
    }

    fn byte_jump(&self, f: &mut fmt::Formatter<'_>, jump: &ByteJump) -> fmt::Result {
        let NumberAt { bytes, offset, .. } = jump.number;
        write!(f, " byte_jump:{},{}{}", self.operand(bytes), self.operand(offset), reading(&jump.number))?;
        write_multiplier(f, jump.multiplier)?;
        f.write_str(if jump.align { ",align" } else { "" })?;
        f.write_str(match jump.from {
            JumpFrom::Number => "",
            JumpFrom::Beginning => ",from_beginning",
            JumpFrom::End => ",from_end",
        })?;
        if jump.post_offset != Operand::Number(0) {
            write!(f, ",post_offset {}", self.operand(jump.post_offset))?;
        }
        f.write_str(";")
    }

    fn byte_extract(&self, f: &mut fmt::Formatter<'_>, extract: &ByteExtract) -> fmt::Result {
        let NumberAt { bytes, offset, .. } = extract.number;
        let (bytes, offset) = (self.operand(bytes), self.operand(offset));
        let name = self.operand(Operand::Variable(extract.variable));
        write!(f, " byte_extract:{bytes},{offset},{name}{}", reading(&extract.number))?;
        write_multiplier(f, extract.multiplier)?;
        if let Some(align) = extract.align {
            write!(f, ",align {align}")?;
        }
        f.write_str(";")
    }

    fn byte_math(&self, f: &mut fmt::Formatter<'_>, math: &ByteMath) -> fmt::Result {
        let operator = match math.operator {
            MathOperator::Add => "+",
            MathOperator::Subtract => "-",
            MathOperator::Multiply => "*",
            MathOperator::Divide => "/",
            MathOperator::ShiftLeft => "<<",
            MathOperator::ShiftRight => ">>",
        };
        let NumberAt { bytes, offset, .. } = math.number;
        let (bytes, offset, value) = (self.operand(bytes), self.operand(offset), self.operand(math.value));
        let result = self.operand(Operand::Variable(math.variable));
        write!(f, " byte_math:bytes {bytes},offset {offset},oper {operator},rvalue {value},result {result}")?;
        write!(f, "{};", reading(&math.number))
    }
}

fn not(negated: bool) -> &'static str {
    if negated { "!" } else { "" }
}

fn write_multiplier(f: &mut fmt::Formatter<'_>, multiplier: u32) -> fmt::Result {
    if multiplier == 1 { Ok(()) } else { write!(f, ",multiplier {multiplier}") }
}

/// How a number is read: words behind commas.
fn reading(number: &NumberAt) -> String {
    let mut text = String::from(if number.relative { ",relative" } else { "" });
    text.push_str(match number.encoding {
        Encoding::Big => "",
        Encoding::Little => ",little",
        Encoding::Text(8) => ",string,oct",
        Encoding::Text(16) => ",string,hex",
        Encoding::Text(_) => ",string,dec",
    });
    if let Some(mask) = number.bitmask {
        text.push_str(&format!(",bitmask {mask:#x}"));
    }
    text
}

/// The bytes of a content for between quotes.
pub(crate) fn pattern(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    let mut open = false;
    for &byte in bytes {
        let plain = (b' '..=b'~').contains(&byte) && !matches!(byte, b'"' | b';' | b'\\' | b':' | b'|');
        if plain == open {
            text.push('|');
            open = !open;
        } else if open {
            text.push(' ');
        }
        match plain {
            true => text.push(char::from(byte)),
            false => text.push_str(&format!("{byte:02X}")),
        }
    }
    if open {
        text.push('|');
    }
    text
}

impl fmt::Display for Buffer {
    /// The option that chooses it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Payload => "pkt_data",
            Self::Ipv4Header => "ipv4.hdr",
            Self::Ipv6Header => "ipv6.hdr",
            Self::TcpHeader => "tcp.hdr",
            Self::UdpHeader => "udp.hdr",
            Self::Icmpv4Header => "icmpv4.hdr",
            Self::Icmpv6Header => "icmpv6.hdr",
        })
    }
}

impl fmt::Display for Pcre {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pcre:{}\"/{}/", not(self.negated), self.expression)?;
        let flags = [
            ("i", self.caseless),
            ("s", self.dot_all),
            ("m", self.multi_line),
            ("x", self.extended),
            ("A", self.anchored),
            ("E", self.dollar_end_only),
            ("G", self.ungreedy),
            ("R", self.relative),
        ];
        for (flag, _) in flags.iter().filter(|(_, set)| *set) {
            f.write_str(flag)?;
        }
        f.write_str("\"")
    }
}

impl fmt::Display for NumberTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let not = not(self.negated);
        match (self.first, self.last) {
            (first, last) if first == last => write!(f, "{not}{first}"),
            (first, u64::MAX) => write!(f, "{not}>={first}"),
            (0, last) => write!(f, "{not}<={last}"),
            (first, last) => write!(f, "{not}{first}<=>{last}"),
        }
    }
}

impl BitTest {
    /// With the letters of the bits.
    fn text(&self, names: &[(char, u8)]) -> String {
        let letters = |bits: u8| {
            names.iter().filter(|(_, bit)| bits & bit != 0).map(|(letter, _)| *letter).collect::<String>()
        };
        let mut text = String::from(match self.asks {
            BitsAsk::Exactly => "",
            BitsAsk::All => "+",
            BitsAsk::Any => "*",
            BitsAsk::None => "!",
        });
        text.push_str(if self.bits == 0 { "0" } else { "" });
        text.push_str(&letters(self.bits));
        if self.ignored != 0 {
            text.push(',');
            text.push_str(&letters(self.ignored));
        }
        text
    }
}

impl fmt::Display for FieldTest {
    /// The option without its end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, test) = match self {
            Self::PayloadSize(test) => ("dsize", test),
            Self::Ttl(test) => ("ttl", test),
            Self::Tos(test) => ("tos", test),
            Self::IpId(test) => ("id", test),
            Self::IpProtocol(test) => ("ip_proto", test),
            Self::FragmentOffset(test) => ("fragoffset", test),
            Self::TcpSequence(test) => ("seq", test),
            Self::TcpAcknowledgement(test) => ("ack", test),
            Self::TcpWindow(test) => ("window", test),
            Self::TcpMss(test) => ("tcp.mss", test),
            Self::IcmpType(test) => ("itype", test),
            Self::IcmpCode(test) => ("icode", test),
            Self::IcmpId(test) => ("icmp_id", test),
            Self::IcmpSequence(test) => ("icmp_seq", test),
            Self::SameAddress => return f.write_str("sameip"),
            Self::FragmentBits(test) => return write!(f, "fragbits:{}", test.text(&FRAGMENT_BITS)),
            Self::TcpFlags(test) => return write!(f, "flags:{}", test.text(&TCP_FLAGS)),
            Self::IpOption(kind) => {
                let named = IP_OPTIONS.iter().find(|(_, number)| Some(*number) == *kind);
                return match (kind, named) {
                    (None, _) => f.write_str("ipopts:any"),
                    (Some(_), Some((name, _))) => write!(f, "ipopts:{name}"),
                    (Some(kind), None) => write!(f, "ipopts:{kind}"),
                };
            }
        };
        write!(f, "{name}:{test}")
    }
}

impl fmt::Display for Flow {
    /// The whole option, with a blank before it, or nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let established = self.established.map(|yes| if yes { "established" } else { "not_established" });
        let direction = self.direction.map(|direction| match direction {
            FlowDirection::ToServer => "to_server",
            FlowDirection::ToClient => "to_client",
        });
        let words: Vec<_> = established.into_iter().chain(direction).collect();
        if words.is_empty() { Ok(()) } else { write!(f, " flow:{};", words.join(",")) }
    }
}

impl fmt::Display for Threshold {
    /// The option without its end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            ThresholdKind::Limit => "threshold:type limit, ",
            ThresholdKind::Threshold => "threshold:type threshold, ",
            ThresholdKind::Both => "threshold:type both, ",
            ThresholdKind::Filter => "detection_filter:",
        })?;
        let track = match self.track {
            Track::Source => "by_src",
            Track::Destination => "by_dst",
            Track::Both => "by_both",
            Track::Rule => "by_rule",
        };
        write!(f, "track {track}, count {}, seconds {}", self.count, self.seconds)
    }
}

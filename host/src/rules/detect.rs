//! What a signature asks of a packet beyond its header condition: payload, single fields, flow, rate.
//!
//! The parser writes it, the reference and the verification of candidates read it; what each part means to the bit
//! is told in `docs/signature-semantics.md`. Nothing is expanded here and nothing is compiled.
//!
//! A rule of the class [`RuleClass::Prefilter`](super::model::RuleClass::Prefilter) has here what of it can be asked of
//! a single packet: a condition that selects candidates for a full IDS.

use serde::{Deserialize, Serialize};

/// Everything that a signature asks beyond its header condition; nothing by default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Detect {
    /// Fields of the packet. All must hold.
    #[serde(skip_serializing_if = "is_default")]
    pub fields: Vec<FieldTest>,
    /// Tests of byte strings, buffer by buffer in the order in which the rule first names them. All must hold.
    #[serde(skip_serializing_if = "is_default")]
    pub buffers: Vec<BufferTests>,
    /// Place of the test among those of the payload's buffer whose content was marked `fast_pattern`.
    #[serde(skip_serializing_if = "is_default")]
    pub fast_pattern: Option<FastPattern>,
    /// Names of the variables of `byte_extract` and `byte_math`, by their numbers.
    #[serde(skip_serializing_if = "is_default")]
    pub variables: Vec<String>,
    /// What it asks of the flow.
    #[serde(skip_serializing_if = "is_default")]
    pub flow: Flow,
    /// `threshold` and `detection_filter`.
    #[serde(skip_serializing_if = "is_default")]
    pub threshold: Option<Threshold>,
    /// `noalert`, `flowbits:noalert`: it matches and is not reported.
    #[serde(skip_serializing_if = "is_default")]
    pub noalert: bool,
    /// What the rule asks beside all this and a packet alone cannot decide, in words; empty but for
    /// [`RuleClass::Prefilter`](super::model::RuleClass::Prefilter).
    #[serde(skip_serializing_if = "is_default")]
    pub dropped: Vec<String>,
}

impl Detect {
    /// Whether it asks nothing and reports as a rule without options does.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Which content leads to the rule, where its writer says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FastPattern {
    /// Place in [`Detect::buffers`].
    pub buffer: usize,
    /// Place in its tests; a content that is not negated.
    pub test: usize,
    /// First byte and number of bytes of the part that is sought (`fast_pattern:OFFSET,LENGTH`).
    pub part: Option<(usize, usize)>,
}

/// Tests of one buffer, in the order of the rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BufferTests {
    /// What is looked into.
    pub buffer: Buffer,
    /// Tests; a relative one counts from where the one before it ended.
    pub tests: Vec<Test>,
}

/// Byte strings of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Buffer {
    /// What lies behind the transport header.
    Payload,
    /// IPv4 header with its options (`ipv4.hdr`).
    Ipv4Header,
    /// IPv6 header, 40 bytes (`ipv6.hdr`).
    Ipv6Header,
    /// TCP header with its options (`tcp.hdr`).
    TcpHeader,
    /// UDP header (`udp.hdr`).
    UdpHeader,
    /// ICMP header, 8 bytes, and what lies behind it (`icmpv4.hdr`).
    Icmpv4Header,
    /// ICMPv6 header, 8 bytes, and what lies behind it (`icmpv6.hdr`).
    Icmpv6Header,
}

/// One test of a buffer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Test {
    /// `content`.
    Content(Content),
    /// `pcre`.
    Pcre(Pcre),
    /// `byte_test`.
    ByteTest(ByteTest),
    /// `byte_jump`.
    ByteJump(ByteJump),
    /// `byte_extract`.
    ByteExtract(ByteExtract),
    /// `byte_math`.
    ByteMath(ByteMath),
    /// `isdataat`.
    IsDataAt(IsDataAt),
    /// `bsize`, `bufferlen`: length of the buffer in bytes.
    Size(NumberTest),
}

/// A number, or the value of a variable at that moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operand {
    /// As written.
    Number(i64),
    /// Place in [`Detect::variables`].
    Variable(usize),
}

/// A byte string that must or must not occur.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Content {
    /// The bytes, escapes undone; at least one.
    #[serde(with = "latin1")]
    pub bytes: Vec<u8>,
    /// ASCII letters of either case are the same.
    #[serde(skip_serializing_if = "is_default")]
    pub nocase: bool,
    /// It must not occur.
    #[serde(skip_serializing_if = "is_default")]
    pub negated: bool,
    /// Bytes from the start of the buffer at which it may begin at the earliest.
    #[serde(skip_serializing_if = "is_default")]
    pub offset: Option<Operand>,
    /// Bytes from the start of the buffer before whose end it must end (without `offset`); see the document.
    #[serde(skip_serializing_if = "is_default")]
    pub depth: Option<Operand>,
    /// Bytes from the end of the last match at which it may begin at the earliest; may be negative.
    #[serde(skip_serializing_if = "is_default")]
    pub distance: Option<Operand>,
    /// Bytes from the end of the last match, moved by `distance`, within which it must end.
    #[serde(skip_serializing_if = "is_default")]
    pub within: Option<Operand>,
    /// `startswith`: it begins at the start of the buffer.
    #[serde(skip_serializing_if = "is_default")]
    pub startswith: bool,
    /// `endswith`: it ends at the end of the buffer.
    #[serde(skip_serializing_if = "is_default")]
    pub endswith: bool,
}

impl Content {
    /// Whether it counts from where the test before it ended.
    pub fn is_relative(&self) -> bool {
        self.distance.is_some() || self.within.is_some()
    }
}

/// A regular expression of PCRE2.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pcre {
    /// The expression between its slashes, as bytes of Latin-1.
    pub expression: String,
    /// It must not match.
    #[serde(skip_serializing_if = "is_default")]
    pub negated: bool,
    /// `R`: the search begins where the test before it ended.
    #[serde(skip_serializing_if = "is_default")]
    pub relative: bool,
    /// `i`.
    #[serde(skip_serializing_if = "is_default")]
    pub caseless: bool,
    /// `s`.
    #[serde(skip_serializing_if = "is_default")]
    pub dot_all: bool,
    /// `m`.
    #[serde(skip_serializing_if = "is_default")]
    pub multi_line: bool,
    /// `x`.
    #[serde(skip_serializing_if = "is_default")]
    pub extended: bool,
    /// `A`.
    #[serde(skip_serializing_if = "is_default")]
    pub anchored: bool,
    /// `E`.
    #[serde(skip_serializing_if = "is_default")]
    pub dollar_end_only: bool,
    /// `G`.
    #[serde(skip_serializing_if = "is_default")]
    pub ungreedy: bool,
}

/// How a number is read from a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NumberAt {
    /// Bytes (binary: 1 to 8; text: digits at most, 1 to 23). 0 in `byte_jump` alone: no number, its value is 0.
    pub bytes: Operand,
    /// Byte at which it begins, from the start of the buffer or from where the test before ended.
    pub offset: Operand,
    /// `relative`.
    pub relative: bool,
    /// Binary or text.
    pub encoding: Encoding,
    /// `bitmask`: the value is ANDed with it and shifted right by its trailing zeros.
    pub bitmask: Option<u32>,
}

/// How the bytes of a number are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// Binary, most significant byte first.
    Big,
    /// Binary, least significant byte first.
    Little,
    /// Text of digits to this base: 8, 10 or 16.
    Text(u32),
}

/// `byte_test`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByteTest {
    /// Number read.
    pub number: NumberAt,
    /// The result is turned round.
    pub negated: bool,
    /// How it is compared.
    pub operator: Operator,
    /// With what.
    pub value: Operand,
}

/// Comparison of `byte_test`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operator {
    /// `<`.
    Less,
    /// `>`.
    Greater,
    /// `=`.
    Equal,
    /// `<=`.
    LessEqual,
    /// `>=`.
    GreaterEqual,
    /// `&`: some bit is set in both.
    And,
    /// `^`: their exclusive or is not zero.
    Xor,
}

/// `byte_jump`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByteJump {
    /// Number read.
    pub number: NumberAt,
    /// `multiplier`.
    pub multiplier: u32,
    /// `align`: the distance is rounded up to a multiple of four.
    pub align: bool,
    /// From where the jump counts.
    pub from: JumpFrom,
    /// `post_offset`: added at the end.
    pub post_offset: Operand,
}

/// From where a `byte_jump` counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JumpFrom {
    /// From the end of the number that was read.
    Number,
    /// From the start of the buffer.
    Beginning,
    /// From the end of the buffer.
    End,
}

/// `byte_extract`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByteExtract {
    /// Number read.
    pub number: NumberAt,
    /// Place in [`Detect::variables`] of what gets it.
    pub variable: usize,
    /// `multiplier`.
    pub multiplier: u32,
    /// `align`: the value is rounded up to a multiple of this (2 or 4).
    pub align: Option<u32>,
}

/// `byte_math`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByteMath {
    /// Number read.
    pub number: NumberAt,
    /// What is done with it.
    pub operator: MathOperator,
    /// The other operand.
    pub value: Operand,
    /// Place in [`Detect::variables`] of what gets the result.
    pub variable: usize,
}

/// Arithmetic of `byte_math`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MathOperator {
    /// `+`.
    Add,
    /// `-`.
    Subtract,
    /// `*`.
    Multiply,
    /// `/`; by zero the test fails.
    Divide,
    /// `<<`.
    ShiftLeft,
    /// `>>`.
    ShiftRight,
}

/// `isdataat`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IsDataAt {
    /// Place in bytes.
    pub offset: Operand,
    /// From where the test before ended.
    pub relative: bool,
    /// There must be none.
    pub negated: bool,
}

/// Whether a number lies between two, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NumberTest {
    /// Lowest value.
    pub first: u64,
    /// Highest value.
    pub last: u64,
    /// It must not.
    pub negated: bool,
}

impl NumberTest {
    /// Whether `value` passes.
    pub fn holds(&self, value: u64) -> bool {
        (self.first <= value && value <= self.last) != self.negated
    }
}

/// How bits are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BitTest {
    /// Bits named.
    pub bits: u8,
    /// Bits that are not looked at.
    pub ignored: u8,
    /// What is asked of them.
    pub asks: BitsAsk,
}

/// What is asked of bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BitsAsk {
    /// These and no others are set (no modifier).
    Exactly,
    /// All of these are set (`+`).
    All,
    /// One of these is set (`*`).
    Any,
    /// None of these is set (`!`).
    None,
}

/// A test of one field. A packet that does not have the field does not satisfy it, negated or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldTest {
    /// `dsize`: bytes of the payload.
    PayloadSize(NumberTest),
    /// `ttl`: IPv4 TTL or IPv6 hop limit.
    Ttl(NumberTest),
    /// `tos`: IPv4 type of service byte.
    Tos(NumberTest),
    /// `id`: IPv4 identification.
    IpId(NumberTest),
    /// `ip_proto`.
    IpProtocol(NumberTest),
    /// `ipopts`: an IPv4 option of this type is there; `None`: any.
    IpOption(Option<u8>),
    /// `fragbits`: reserved (4), don't fragment (2), more fragments (1), as in the header.
    FragmentBits(BitTest),
    /// `fragoffset`, in units of eight bytes.
    FragmentOffset(NumberTest),
    /// `sameip`: source and destination address are the same.
    SameAddress,
    /// `flags`: TCP flags byte (CWR is the highest bit, FIN the lowest).
    TcpFlags(BitTest),
    /// `seq`.
    TcpSequence(NumberTest),
    /// `ack`.
    TcpAcknowledgement(NumberTest),
    /// `window`.
    TcpWindow(NumberTest),
    /// `tcp.mss`: value of the maximum segment size option.
    TcpMss(NumberTest),
    /// `itype`.
    IcmpType(NumberTest),
    /// `icode`.
    IcmpCode(NumberTest),
    /// `icmp_id`: of the types that have one.
    IcmpId(NumberTest),
    /// `icmp_seq`.
    IcmpSequence(NumberTest),
}

/// What a rule asks of the flow; nothing by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Flow {
    /// `established` (true), `not_established` (false).
    #[serde(skip_serializing_if = "is_default")]
    pub established: Option<bool>,
    /// Direction of the packet.
    #[serde(skip_serializing_if = "is_default")]
    pub direction: Option<FlowDirection>,
}

/// Direction of a packet in its flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlowDirection {
    /// `to_server`, `from_client`.
    ToServer,
    /// `to_client`, `from_server`.
    ToClient,
}

/// How often a rule that matches is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Threshold {
    /// Kind.
    pub kind: ThresholdKind,
    /// What is counted apart.
    pub track: Track,
    /// Matches.
    pub count: u32,
    /// Length of the interval in seconds.
    pub seconds: u32,
}

/// Kind of a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThresholdKind {
    /// The first `count` matches of an interval are reported.
    Limit,
    /// Every `count`-th match of an interval is reported.
    Threshold,
    /// The `count`-th match of an interval is reported, and no other.
    Both,
    /// `detection_filter`: every match behind the `count`-th of an interval is reported.
    Filter,
}

/// What a threshold counts apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Track {
    /// Each source address.
    Source,
    /// Each destination address.
    Destination,
    /// Each pair of addresses, in either order.
    Both,
    /// The rule.
    Rule,
}

/// Whether a value need not be written.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Bytes as the text of their Latin-1 characters: a fifth of a list of numbers.
mod latin1 {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&bytes.iter().map(|byte| char::from(*byte)).collect::<String>())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let byte = |c: char| u8::try_from(c).map_err(|_| D::Error::custom(format!("`{c}` is no byte")));
        String::deserialize(deserializer)?.chars().map(byte).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn what_is_written_is_read_again_and_nothing_is_written_of_what_is_not_asked() {
        let bytes: Vec<u8> = (0..=255).collect();
        let content =
            Content { bytes, within: Some(Operand::Variable(0)), nocase: true, ..Content::default() };
        let pcre = Pcre { expression: "a\u{e9}".to_owned(), relative: true, ..Pcre::default() };
        let tests = vec![Test::Content(content), Test::Pcre(pcre)];
        let detect = Detect {
            buffers: vec![BufferTests { buffer: Buffer::Payload, tests }],
            variables: vec!["a".to_owned()],
            noalert: true,
            ..Detect::default()
        };
        let text = serde_json::to_string(&detect).unwrap();
        assert_eq!(serde_json::from_str::<Detect>(&text).unwrap(), detect);
        assert_eq!(serde_json::to_string(&Detect::default()).unwrap(), "{}");
        let content = Content { bytes: b"ab".to_vec(), ..Content::default() };
        assert_eq!(serde_json::to_string(&content).unwrap(), r#"{"bytes":"ab"}"#);
        assert!(serde_json::from_str::<Content>(r#"{"bytes":"\u0100"}"#).is_err());
    }
}

//! Tests of single fields of the packet.

use crate::rules::cursor::Token;
use crate::rules::detect::{BitTest, BitsAsk, FieldTest};
use crate::rules::diagnostics::Fault;

use super::Asks;
use super::value::{behind, comparison, list, needs, part, trimmed, unquoted};

/// Bits of the TCP flags byte by their letters, the highest first; `1` and `2` are older names.
pub(crate) const TCP_FLAGS: [(char, u8); 8] =
    [('C', 0x80), ('E', 0x40), ('U', 0x20), ('A', 0x10), ('P', 0x08), ('R', 0x04), ('S', 0x02), ('F', 0x01)];
/// Bits of IPv4's fragment flags.
pub(crate) const FRAGMENT_BITS: [(char, u8); 3] = [('R', 4), ('D', 2), ('M', 1)];
/// IPv4 options by name; `any` is every one.
pub(crate) const IP_OPTIONS: [(&str, u8); 9] = [
    ("eol", 0),
    ("nop", 1),
    ("rr", 7),
    ("ts", 68),
    ("sec", 130),
    ("lsrr", 131),
    ("esec", 133),
    ("satid", 136),
    ("ssrr", 137),
];
/// Names of IP protocols that rules use.
const PROTOCOLS: [(&str, u64); 16] = [
    ("icmp", 1),
    ("igmp", 2),
    ("ipip", 4),
    ("tcp", 6),
    ("egp", 8),
    ("igp", 9),
    ("udp", 17),
    ("ipv6", 41),
    ("gre", 47),
    ("esp", 50),
    ("ah", 51),
    ("ipv6-icmp", 58),
    ("ospf", 89),
    ("pim", 103),
    ("vrrp", 112),
    ("sctp", 132),
];

impl Asks<'_> {
    /// Takes the option where it tests a field.
    pub(super) fn field(
        &mut self,
        key: &str,
        name: &Token<'_>,
        value: Option<Token<'_>>,
    ) -> Result<bool, Fault> {
        if key == "sameip" {
            self.fields.push(FieldTest::SameAddress);
            return Ok(true);
        }
        let number = |make: fn(_) -> FieldTest, what: &str, last: u64| {
            let value = needs(name, value.clone())?;
            comparison(&value, what, last).map(make)
        };
        let byte = u64::from(u8::MAX);
        let short = u64::from(u16::MAX);
        let long = u64::from(u32::MAX);
        let test = match key {
            "dsize" => number(FieldTest::PayloadSize, "the size", short)?,
            "ttl" => number(FieldTest::Ttl, "the TTL", byte)?,
            "tos" => number(FieldTest::Tos, "the type of service", byte)?,
            "id" => number(FieldTest::IpId, "the identification", short)?,
            "fragoffset" => number(FieldTest::FragmentOffset, "the fragment offset", 8191)?,
            "seq" => number(FieldTest::TcpSequence, "the sequence number", long)?,
            "ack" => number(FieldTest::TcpAcknowledgement, "the acknowledgement number", long)?,
            "window" => number(FieldTest::TcpWindow, "the window", short)?,
            "tcp.mss" => number(FieldTest::TcpMss, "the segment size", short)?,
            "itype" => number(FieldTest::IcmpType, "the type", byte)?,
            "icode" => number(FieldTest::IcmpCode, "the code", byte)?,
            "icmp_id" => number(FieldTest::IcmpId, "the id", short)?,
            "icmp_seq" => number(FieldTest::IcmpSequence, "the sequence number", short)?,
            "ip_proto" => {
                let value = unquoted(&needs(name, value)?);
                let named = PROTOCOLS
                    .iter()
                    .find(|(name, _)| value.text.trim_start_matches(['!', ' ']).eq_ignore_ascii_case(name));
                match named {
                    Some(&(_, protocol)) => FieldTest::IpProtocol(crate::rules::detect::NumberTest {
                        first: protocol,
                        last: protocol,
                        negated: value.text.starts_with('!'),
                    }),
                    None => FieldTest::IpProtocol(comparison(&value, "the protocol", byte)?),
                }
            }
            "ipopts" => FieldTest::IpOption(ip_option(&needs(name, value)?)?),
            "fragbits" => {
                let value = unquoted(&needs(name, value)?);
                FieldTest::FragmentBits(bits(&value, &FRAGMENT_BITS, "fragment bit", "M, D or R")?)
            }
            "flags" => FieldTest::TcpFlags(tcp_flags(&unquoted(&needs(name, value)?))?),
            _ => return Ok(false),
        };
        self.fields.push(test);
        Ok(true)
    }
}

fn ip_option(value: &Token<'_>) -> Result<Option<u8>, Fault> {
    if value.text.eq_ignore_ascii_case("any") {
        return Ok(None);
    }
    let named = IP_OPTIONS.iter().find(|(name, _)| value.text.eq_ignore_ascii_case(name));
    // `lsrre` is Snort's name of a loose source route that is followed by an end of the list.
    let named =
        named.map(|&(_, kind)| kind).or_else(|| value.text.eq_ignore_ascii_case("lsrre").then_some(131));
    named.map(Some).ok_or_else(|| {
        let names: Vec<_> = IP_OPTIONS.iter().map(|(name, _)| *name).collect();
        let message = format!("`{}` is not an IP option", value.quoted());
        value.fault(message, format!("expected any or one of {}", names.join(", ")))
    })
}

/// `flags` and what is not looked at: `S,12`.
fn tcp_flags(value: &Token<'_>) -> Result<BitTest, Fault> {
    let parts = list(value);
    let (asked, ignored) = match parts.as_slice() {
        [asked] => (asked, None),
        [asked, ignored] => (asked, Some(ignored)),
        _ => return Err(value.fault("`flags` has one part or two", "expected `FLAGS` or `FLAGS,IGNORED`")),
    };
    let mut test = bits(asked, &TCP_FLAGS, "TCP flag", "of F, S, R, P, A, U, E, C, or 0")?;
    if let Some(ignored) = ignored {
        test.ignored = letters(ignored, &TCP_FLAGS, "TCP flag", "of F, S, R, P, A, U, E, C")?;
    }
    Ok(test)
}

/// Letters, with a modifier before or behind them.
fn bits(value: &Token<'_>, names: &[(char, u8)], what: &str, wanted: &str) -> Result<BitTest, Fault> {
    let modifier = |c: char| match c {
        '+' => Some(BitsAsk::All),
        '*' => Some(BitsAsk::Any),
        '!' => Some(BitsAsk::None),
        _ => None,
    };
    let first = value.text.chars().next().and_then(modifier);
    let last = value.text.chars().next_back().and_then(modifier);
    let (asks, rest) = match (first, last) {
        (Some(asks), _) => (asks, trimmed(behind(value, 1))),
        (None, Some(asks)) => (asks, trimmed(part(value, 0, value.text.len() - 1))),
        (None, None) => (BitsAsk::Exactly, value.clone()),
    };
    let bits = letters(&rest, names, what, wanted)?;
    if bits == 0 && asks == BitsAsk::Any {
        return Err(value.fault("one of no bits is never set", "expected a letter"));
    }
    Ok(BitTest { bits, ignored: 0, asks })
}

fn letters(value: &Token<'_>, names: &[(char, u8)], what: &str, wanted: &str) -> Result<u8, Fault> {
    if value.text.is_empty() {
        return Err(value.fault(format!("a {what} is missing"), format!("expected letters: {wanted}")));
    }
    let mut bits = 0;
    for (at, c) in value.text.char_indices() {
        let tcp = names.len() == TCP_FLAGS.len();
        bits |= match (c.to_ascii_uppercase(), names.iter().find(|(name, _)| c.eq_ignore_ascii_case(name))) {
            (_, Some(&(_, bit))) => bit,
            ('1', None) if tcp => 0x80,
            ('2', None) if tcp => 0x40,
            ('0', None) if tcp => 0,
            (' ', None) => 0,
            _ => {
                let letter = part(value, at, at + c.len_utf8());
                let message = format!("`{}` is not a {what}", letter.quoted());
                return Err(letter.fault(message, format!("expected letters: {wanted}")));
            }
        };
    }
    Ok(bits)
}

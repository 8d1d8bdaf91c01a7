//! ClassBench access control lists.
//!
//! One rule a line, the first that matches wins (Taylor and Turner, "ClassBench: A Packet Classification Benchmark",
//! IEEE/ACM Transactions on Networking 15(3), 2007):
//!
//! ```text
//! @sip/len dip/len splo : sphi dplo : dphi proto/mask flags/mask
//! ```
//!
//! Fields are parted by tabs or blanks; the column of flags may be missing. Addresses are IPv4, or both IPv6. Bits of
//! an address behind its prefix length are ignored. Ports `0 : 65535` mean every packet, also one without
//! ports. The flags are read and checked but not applied, as in the usual benchmarks of five fields. Empty lines and
//! lines that begin with `#` are skipped.

use std::net::IpAddr;

use crate::rules::cursor::{Cursor, Token, is_blank};
use crate::rules::diagnostics::{Diagnostics, Fault};
use crate::rules::model::{
    AclAction, AclRule, AddressList, AddressRange, Condition, Details, Family, Origin, PortList, RuleSet,
};
use crate::rules::source::Source;

/// Reads a list into `rules`; what is wrong goes to `errors`.
pub(crate) fn read(source: &Source, rules: &mut RuleSet, errors: &mut Diagnostics) {
    for (line, start, text) in source.lines() {
        let trimmed = text.trim_start();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        let origin = Origin { file: source.name().to_owned(), line };
        match rule(&mut Cursor::new(text, start)) {
            Ok(condition) => rules.acl.push(AclRule { condition, action: AclAction::Match, origin }),
            Err(fault) => errors.add(source, fault),
        }
    }
}

fn rule(cursor: &mut Cursor<'_>) -> Result<Condition, Fault> {
    cursor.skip_blanks();
    if !cursor.eat('@') {
        return Err(cursor.expected("`@`").help("every rule of a ClassBench list begins with `@`"));
    }
    let src = prefix(cursor)?;
    let dst_at = cursor.clone();
    let dst = prefix(cursor)?;
    if src.first.is_ipv4() != dst.first.is_ipv4() {
        let mut token = dst_at;
        let token = token.take_while(|c| !is_blank(c));
        return Err(
            token.fault("both addresses must be of one family", "not the family of the source address")
        );
    }
    let (sport, dport) = (ports(cursor)?, ports(cursor)?);
    let (value, mask) = masked(cursor, "a protocol such as `0x06/0xFF`", u8::MAX.into())?;
    cursor.skip_blanks();
    if !cursor.is_end() {
        masked(cursor, "flags such as `0x0000/0x0200`", u16::MAX.into())?;
        cursor.skip_blanks();
    }
    if !cursor.is_end() {
        return Err(cursor.expected("the end of the rule"));
    }
    #[expect(clippy::cast_possible_truncation, reason = "masked() checked both against u8::MAX")]
    let protocol = ((value & mask) as u8, mask as u8);
    Ok(Condition {
        family: if src.first.is_ipv4() { Family::V4 } else { Family::V6 },
        protocols: vec![protocol],
        src: AddressList { include: vec![src], exclude: Vec::new() },
        dst: AddressList { include: vec![dst], exclude: Vec::new() },
        sport,
        dport,
        details: Details::default(),
    })
}

/// `address/length`.
fn prefix(cursor: &mut Cursor<'_>) -> Result<AddressRange, Fault> {
    let token = cursor.take_while(|c| c.is_ascii_hexdigit() || matches!(c, '.' | ':'));
    if token.text.is_empty() {
        return Err(cursor.expected("an address such as `10.0.0.0/8`"));
    }
    let Ok(address) = token.text.parse::<IpAddr>() else {
        return Err(token.fault(
            format!("`{}` is not an IP address", token.quoted()),
            "expected an IPv4 or IPv6 address",
        ));
    };
    if !cursor.eat('/') {
        return Err(cursor.expected("`/` and a prefix length"));
    }
    let length = cursor.take_while(|c| c.is_ascii_digit());
    if length.text.is_empty() {
        return Err(cursor.expected("a prefix length"));
    }
    let highest = if address.is_ipv4() { 32 } else { 128 };
    let range = length.text.parse().ok().and_then(|length| AddressRange::prefix(address, length));
    let Some(range) = range else {
        let label = format!("expected 0 to {highest}");
        return Err(length.fault(format!("prefix length {} is above {highest}", length.quoted()), label));
    };
    field_end(cursor)?;
    Ok(range)
}

/// `low : high`.
fn ports(cursor: &mut Cursor<'_>) -> Result<PortList, Fault> {
    let (low, low_at) = port(cursor)?;
    cursor.skip_blanks();
    if !cursor.eat(':') {
        return Err(cursor.expected("`:` between the lowest and the highest port"));
    }
    cursor.skip_blanks();
    let (high, high_at) = port(cursor)?;
    field_end(cursor)?;
    if low > high {
        let at = low_at.at.start..high_at.at.end;
        let message = format!("the lowest port {low} is above the highest {high}");
        return Err(Fault::new(at, message, "expected the lower port first"));
    }
    if (low, high) == (0, u16::MAX) {
        return Ok(PortList::Any);
    }
    Ok(PortList::Ports { include: vec![low..=high], exclude: Vec::new() })
}

fn port<'a>(cursor: &mut Cursor<'a>) -> Result<(u16, Token<'a>), Fault> {
    let token = cursor.take_while(|c| c.is_ascii_digit());
    if token.text.is_empty() {
        return Err(cursor.expected("a port"));
    }
    match token.text.parse() {
        Ok(port) => Ok((port, token)),
        Err(_) => Err(token.fault(format!("port {} is above 65535", token.quoted()), "expected 0 to 65535")),
    }
}

/// `value/mask`, hexadecimal with `0x` or decimal, both up to `highest`.
fn masked(cursor: &mut Cursor<'_>, wanted: &str, highest: u32) -> Result<(u32, u32), Fault> {
    let value = number(cursor, wanted, highest)?;
    if !cursor.eat('/') {
        return Err(cursor.expected("`/` and a mask"));
    }
    let mask = number(cursor, "a mask", highest)?;
    field_end(cursor)?;
    Ok((value, mask))
}

fn number(cursor: &mut Cursor<'_>, wanted: &str, highest: u32) -> Result<u32, Fault> {
    let token = cursor.take_while(|c| c.is_ascii_alphanumeric());
    if token.text.is_empty() {
        return Err(cursor.expected(wanted));
    }
    let hexadecimal = token.text.strip_prefix("0x").or_else(|| token.text.strip_prefix("0X"));
    let number = match hexadecimal {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => token.text.parse(),
    };
    match number {
        Ok(number) if number <= highest => Ok(number),
        _ => Err(token.fault(
            format!("`{}` is not a number up to {highest:#x}", token.quoted()),
            format!("expected a number from 0x0 to {highest:#x}"),
        )),
    }
}

/// A field ends at a blank or at the end of the line.
fn field_end(cursor: &mut Cursor<'_>) -> Result<(), Fault> {
    if cursor.peek().is_some_and(|c| !is_blank(c)) {
        return Err(cursor.expected("a blank"));
    }
    cursor.skip_blanks();
    Ok(())
}

#[cfg(test)]
mod tests;

//! Every clause of `docs/signature-semantics.md` that one packet can show, and the tables of flows and thresholds.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod fields;
mod flows;
mod tests_of_buffers;

use super::layers::Layers;
use super::program::Program;
use super::run::{Budget, OverBudget, Scratch};
use crate::engine::cpu::parse::Header;
use crate::rules::detect::{
    Buffer, BufferTests, ByteExtract, ByteJump, ByteMath, ByteTest, Content, Detect, Encoding, FieldTest,
    IsDataAt, JumpFrom, MathOperator, NumberAt, NumberTest, Operand, Operator, Pcre, Test,
};

/// Ethernet and IPv4 headers, then what is given.
fn ipv4(protocol: u8, rest: &[u8]) -> Vec<u8> {
    let mut packet = vec![0; 12];
    packet.extend([8, 0, 0x45, 0x1c]);
    packet.extend((20 + rest.len() as u16).to_be_bytes());
    packet.extend([0x12, 0x34, 0x40, 0, 61, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    packet.extend(rest);
    packet
}

fn udp(payload: &[u8]) -> Vec<u8> {
    let mut rest = vec![0x10, 0, 0, 53];
    rest.extend((8 + payload.len() as u16).to_be_bytes());
    rest.extend([0, 0]);
    rest.extend(payload);
    ipv4(17, &rest)
}

/// TCP with options, whose bytes are a multiple of four.
fn tcp(flags: u8, options: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut rest = vec![0x10, 0, 0, 80, 1, 2, 3, 4, 5, 6, 7, 8];
    rest.extend([(5 + options.len() as u8 / 4) << 4, flags, 0x20, 0, 0, 0, 0, 0]);
    rest.extend(options);
    rest.extend(payload);
    ipv4(6, &rest)
}

fn ipv6(next: u8, rest: &[u8]) -> Vec<u8> {
    let mut packet = vec![0; 12];
    packet.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
    packet.extend((rest.len() as u16).to_be_bytes());
    packet.extend([next, 64]);
    packet.extend([1; 16]);
    packet.extend([2; 16]);
    packet.extend(rest);
    packet
}

fn verdict(packet: &[u8], detect: &Detect) -> Result<bool, OverBudget> {
    let layers = Layers::new(packet, Header::of(packet));
    Program::new(detect).unwrap().holds(&layers, &mut Scratch::default(), &mut Budget::of(packet.len()))
}

fn field(packet: &[u8], test: FieldTest) -> bool {
    verdict(packet, &Detect { fields: vec![test], ..Detect::default() }).unwrap()
}

/// Tests of the payload.
fn payload_tests(tests: &[Test]) -> Detect {
    let variables = ["a", "b"].map(str::to_owned).to_vec();
    let buffers = vec![BufferTests { buffer: Buffer::Payload, tests: tests.to_vec() }];
    Detect { buffers, variables, ..Detect::default() }
}

fn holds(payload: &[u8], tests: &[Test]) -> bool {
    verdict(&udp(payload), &payload_tests(tests)).unwrap()
}

fn content(bytes: &[u8]) -> Content {
    Content { bytes: bytes.to_vec(), ..Content::default() }
}

fn number(value: i64) -> Option<Operand> {
    Some(Operand::Number(value))
}

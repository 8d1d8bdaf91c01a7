//! ClassBench header traces: text, one header a line,
//! `source destination source-port destination-port protocol flags [filter]` in decimals.
//!
//! Each line becomes a packet: Ethernet, IPv4, and for TCP, UDP and SCTP a transport header with the
//! ports. The flags are read and checked, and not applied (docs/packet-semantics.md).

use etherparse::{IpNumber, PacketBuilder};

use super::{CaptureError, Fault, Fill, Input, Step};

/// Bytes of a line at most.
const LINE_BYTES_MAX: usize = 512;

/// Reader of traces.
#[derive(Default)]
pub(super) struct Trace {
    /// Lines read so far.
    lines: u64,
}

/// The headers that a line of a trace describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Header {
    source: u32,
    destination: u32,
    ports: [u16; 2],
    protocol: u8,
}

/// Whether the input begins with a line of a trace, behind empty lines.
pub(super) fn is_trace(input: &mut Input) -> Result<bool, CaptureError> {
    // No more than one line, so a trace that comes slowly through a pipe is recognised by what is there.
    loop {
        let there = input.available();
        let begin = there.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(there.len());
        let line = there[begin..].split(|byte| *byte == b'\n').next().unwrap_or_default();
        let whole = begin + line.len() < there.len();
        if whole || there.len() > LINE_BYTES_MAX {
            return Ok(line.len() <= LINE_BYTES_MAX && parse(line).is_ok());
        }
        let wanted = there.len() + 1;
        if input.fill(wanted, true)? == Fill::Ended {
            let line = input.available().trim_ascii();
            return Ok(parse(line).is_ok());
        }
    }
}

impl Trace {
    /// The next line, as a packet in `built`.
    pub(super) fn step(
        &mut self,
        input: &mut Input,
        may_read: bool,
        built: &mut Vec<u8>,
    ) -> Result<Step, CaptureError> {
        let (line_bytes, consumed) = loop {
            if let Some(end) =
                input.available().iter().take(LINE_BYTES_MAX + 1).position(|byte| *byte == b'\n')
            {
                break (end, end + 1);
            }
            let there = input.available().len();
            if there > LINE_BYTES_MAX {
                let limit = LINE_BYTES_MAX as u64;
                return Err(input.error(Fault::TooLong { what: "a line", length: there as u64, limit }));
            }
            match input.fill(there + 1, may_read)? {
                Fill::Ready => {}
                Fill::Starved => return Ok(Step::Starved),
                Fill::Ended if there == 0 => return Ok(Step::End),
                Fill::Ended => break (there, there),
            }
        };
        self.lines += 1;
        let line = &input.available()[..line_bytes];
        if line.trim_ascii().is_empty() {
            input.consume(consumed);
            return Ok(Step::Skipped);
        }
        let header = parse(line)
            .map_err(|problem| input.error(Fault::Corrupt(format!("line {}: {problem}", self.lines))))?;
        synthesize(header.source, header.destination, header.ports, header.protocol, built);
        Ok(Step::Built { consumed })
    }
}

fn parse(line: &[u8]) -> Result<Header, String> {
    let text = std::str::from_utf8(line).map_err(|_| "not a line of text".to_owned())?;
    let columns = text.split_ascii_whitespace().collect::<Vec<_>>();
    if !(6..=7).contains(&columns.len()) {
        return Err(format!("{} columns, a ClassBench trace has 6 or 7", columns.len()));
    }
    let number = |column: usize, max: u32| match columns[column].parse::<u32>() {
        Ok(value) if value <= max => Ok(value),
        _ => Err(format!("column {} is no number from 0 to {max}: {:?}", column + 1, columns[column])),
    };
    let header = Header {
        source: number(0, u32::MAX)?,
        destination: number(1, u32::MAX)?,
        ports: [number(2, 0xffff)? as u16, number(3, 0xffff)? as u16],
        protocol: number(4, 0xff)? as u8,
    };
    for column in 5..columns.len() {
        number(column, u32::MAX)?;
    }
    Ok(header)
}

/// Writes a packet with these headers and no payload to `packet`: Ethernet with zero addresses, IPv4,
/// and for TCP (6), UDP (17) and SCTP (132) a transport header with the ports, all with valid lengths
/// and checksums.
pub fn synthesize(source: u32, destination: u32, ports: [u16; 2], protocol: u8, packet: &mut Vec<u8>) {
    packet.clear();
    let ip =
        PacketBuilder::ethernet2([0; 6], [0; 6]).ipv4(source.to_be_bytes(), destination.to_be_bytes(), 64);
    let [sport, dport] = ports;
    let written = match protocol {
        6 => ip.tcp(sport, dport, 0, 0).write(packet, &[]),
        17 => ip.udp(sport, dport).write(packet, &[]),
        132 => ip.write(packet, IpNumber::SCTP, &sctp_header(ports)),
        _ => ip.write(packet, IpNumber(protocol), &[]),
    };
    debug_assert!(written.is_ok(), "writing to memory does not fail and the lengths are small");
}

/// An SCTP common header without chunks (RFC 9260, 3.1).
fn sctp_header([sport, dport]: [u16; 2]) -> [u8; 12] {
    let mut header = [0; 12];
    header[..2].copy_from_slice(&sport.to_be_bytes());
    header[2..4].copy_from_slice(&dport.to_be_bytes());
    let checksum = crc32c(&header);
    header[8..].copy_from_slice(&checksum.to_le_bytes());
    header
}

/// CRC-32C, bit by bit (RFC 9260, appendix A): twelve bytes are too few for a table.
fn crc32c(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_has_the_check_value_of_crc_32c() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn lines_with_faults_name_the_column() {
        for (line, column) in [
            ("4294967296\t0\t0\t0\t6\t0\t0", "column 1"),
            ("1\t2\t65536\t0\t6\t0", "column 3"),
            ("1\t2\t3\t4\t256\t0", "column 5"),
            ("1\t2\t3\t4\t5\t-1", "column 6"),
            ("1\t2\t3\t4\t5\t0\tx", "column 7"),
            ("1\t2\t3\t4\t5", "5 columns"),
            ("1\t2\t3\t4\t5\t6\t7\t8", "8 columns"),
        ] {
            let problem =
                parse(line.as_bytes()).map_or_else(|problem| problem, |header| format!("{header:?}"));
            assert!(problem.contains(column), "{line:?}: {problem}");
        }
    }
}

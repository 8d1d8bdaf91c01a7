//! pcap, the classic capture format (draft-ietf-opsawg-pcap): a header of 24 bytes, then records.

use pcap_parser::{
    LegacyPcapBlock, PcapHeader, parse_pcap_frame, parse_pcap_frame_be, parse_pcap_frame_modified,
    parse_pcap_header,
};

use super::{CAPTURED_BYTES_MAX, CaptureError, Fault, Fill, Input, Link, Record, Step, u32_at};

const HEADER_BYTES: usize = 24;
const RECORD_HEADER_BYTES: usize = 16;
/// Record header of the format of a patched libpcap of 1999, which still writes some files.
const MODIFIED_RECORD_HEADER_BYTES: usize = 24;
/// Bits of the link type; the others say whether packets end with a checksum.
const LINK_TYPE_BITS: i32 = 0x03ff_ffff;

/// Whether a capture that begins with these four bytes is pcap: microseconds or nanoseconds, in both
/// byte orders, or microseconds in the modified format (little-endian only).
pub(super) fn is_magic(four: &[u8]) -> bool {
    matches!(u32_at(four, 0, false), 0xa1b2_c3d4 | 0xd4c3_b2a1 | 0xa1b2_3c4d | 0x4d3c_b2a1 | 0xa1b2_cd34)
}

/// Reader of pcap.
pub(super) struct Pcap {
    big_endian: bool,
    modified: bool,
    nanos_per_tick: u64,
    link_type: i32,
}

impl Pcap {
    /// Reads the header.
    pub(super) fn open(input: &mut Input) -> Result<Self, CaptureError> {
        if input.fill(HEADER_BYTES, true)? != Fill::Ready {
            return Err(input.cut("the pcap header", HEADER_BYTES));
        }
        let header: PcapHeader = match parse_pcap_header(&input.available()[..HEADER_BYTES]) {
            Ok((_, header)) => header,
            Err(error) => return Err(input.error(Fault::Corrupt(format!("bad pcap header: {error}")))),
        };
        if header.version_major != 2 {
            let version = format!("pcap version {}.{}", header.version_major, header.version_minor);
            return Err(input.error(Fault::Corrupt(format!("{version}, only 2 is known"))));
        }
        input.consume(HEADER_BYTES);
        Ok(Self {
            big_endian: header.is_bigendian(),
            modified: header.is_modified_format(),
            nanos_per_tick: if header.is_nanosecond_precision() { 1 } else { 1000 },
            link_type: header.network.0 & LINK_TYPE_BITS,
        })
    }

    /// The next record.
    pub(super) fn step(&mut self, input: &mut Input, may_read: bool) -> Result<Step, CaptureError> {
        let header_bytes = if self.modified { MODIFIED_RECORD_HEADER_BYTES } else { RECORD_HEADER_BYTES };
        match input.fill(header_bytes, may_read)? {
            Fill::Ready => {}
            Fill::Starved => return Ok(Step::Starved),
            Fill::Ended if input.available().is_empty() => return Ok(Step::End),
            Fill::Ended => return Err(input.cut("the header of a packet", header_bytes)),
        }
        let length = u32_at(input.available(), 8, self.big_endian) as usize;
        if length > CAPTURED_BYTES_MAX {
            let limit = CAPTURED_BYTES_MAX as u64;
            return Err(input.error(Fault::TooLong { what: "a packet", length: length as u64, limit }));
        }
        let consumed = header_bytes + length;
        match input.fill(consumed, may_read)? {
            Fill::Ready => {}
            Fill::Starved => return Ok(Step::Starved),
            Fill::Ended => return Err(input.cut("a packet", consumed)),
        }
        let link =
            Link::from_number(self.link_type).ok_or_else(|| input.error(Fault::LinkType(self.link_type)))?;
        let frame = self.parse(&input.available()[..consumed]);
        let frame = frame.ok_or_else(|| input.error(Fault::Corrupt("bad packet record".to_owned())))?;
        let nanos = u64::from(frame.ts_sec) * 1_000_000_000 + u64::from(frame.ts_usec) * self.nanos_per_tick;
        let wire_length = frame.origlen;
        Ok(Step::Packet(Record { nanos, wire_length, link, data: header_bytes..consumed, consumed }))
    }

    fn parse<'a>(&self, record: &'a [u8]) -> Option<LegacyPcapBlock<'a>> {
        let parsed = match (self.modified, self.big_endian) {
            (true, _) => parse_pcap_frame_modified(record),
            (false, false) => parse_pcap_frame(record),
            (false, true) => parse_pcap_frame_be(record),
        };
        parsed.ok().map(|(_, frame)| frame)
    }
}

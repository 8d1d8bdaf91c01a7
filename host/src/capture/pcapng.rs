//! pcapng (draft-ietf-opsawg-pcapng): sections of blocks; interfaces are declared in their section.

use pcap_parser::{
    InterfaceDescriptionBlock, OptionCode, parse_enhancedpacketblock_be, parse_enhancedpacketblock_le,
    parse_interfacedescriptionblock_be, parse_interfacedescriptionblock_le, parse_sectionheaderblock,
    parse_simplepacketblock_be, parse_simplepacketblock_le,
};

use super::{CAPTURED_BYTES_MAX, CaptureError, Fault, Fill, Input, Link, Record, Step, u32_at};

/// Type of a section header block; the same in both byte orders.
pub(super) const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
/// The packet block that the enhanced packet block replaced.
const OBSOLETE_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

/// Bytes of a block that is looked into at most: the largest packet and as much of options. Blocks that
/// are skipped may have any length.
pub(super) const BLOCK_BYTES_MAX: usize = 2 * CAPTURED_BYTES_MAX;
/// Bytes of the smallest block: type, length, length again.
const BLOCK_BYTES_MIN: usize = 12;
/// Interfaces in a section at most, so that their list stays small.
const INTERFACES_MAX: usize = 65_536;
/// Byte-order magic as it reads in the section's own byte order.
const BYTE_ORDER: u32 = 0x1a2b_3c4d;
/// Where the packet begins in an enhanced (and an obsolete) packet block, and in a simple one.
const ENHANCED_DATA_AT: usize = 28;
const SIMPLE_DATA_AT: usize = 12;
/// Resolution of time stamps where an interface does not say: 10^-6 s.
const MICROSECONDS: u8 = 6;

/// Reader of pcapng.
#[derive(Default)]
pub(super) struct Pcapng {
    big_endian: bool,
    interfaces: Vec<Interface>,
    /// Bytes still to skip of a block that does not fit the buffer, its last four excluded, and its
    /// length.
    skipping: Option<(u64, u32)>,
}

/// What an interface description says of the packets that name it.
#[derive(Clone, Copy)]
struct Interface {
    link_type: i32,
    /// Packets are cut to that many bytes; 0: they are not.
    snap_length: u32,
    resolution: u8,
    /// Seconds to add to time stamps.
    offset: i64,
}

impl Pcapng {
    /// The next block.
    pub(super) fn step(&mut self, input: &mut Input, may_read: bool) -> Result<Step, CaptureError> {
        if self.skipping.is_some() {
            return self.skip(input, may_read);
        }
        match input.fill(BLOCK_BYTES_MIN, may_read)? {
            Fill::Ready => {}
            Fill::Starved => return Ok(Step::Starved),
            Fill::Ended if input.available().is_empty() => return Ok(Step::End),
            Fill::Ended => return Err(input.cut("the header of a block", BLOCK_BYTES_MIN)),
        }
        let block_type = u32_at(input.available(), 0, self.big_endian);
        if block_type == SECTION_HEADER {
            self.big_endian = byte_order(input)?;
        }
        let length = u32_at(input.available(), 4, self.big_endian);
        if length < BLOCK_BYTES_MIN as u32 || !length.is_multiple_of(4) {
            return Err(input.error(Fault::Corrupt(format!("a block of {length} bytes"))));
        }
        if length as usize > BLOCK_BYTES_MAX {
            return self.too_long(input, block_type, length);
        }
        let length = length as usize;
        match input.fill(length, may_read)? {
            Fill::Ready => {}
            Fill::Starved => return Ok(Step::Starved),
            Fill::Ended => return Err(input.cut("a block", length)),
        }
        self.check_trailer(input, length as u32, length - 4)?;
        match block_type {
            SECTION_HEADER => self.section(input, length),
            INTERFACE_DESCRIPTION => self.interface(input, length),
            ENHANCED_PACKET | OBSOLETE_PACKET => self.enhanced(input, block_type, length),
            SIMPLE_PACKET => self.simple(input, length),
            _ => {
                input.consume(length);
                Ok(Step::Skipped)
            }
        }
    }

    /// A block that does not fit the buffer is skipped, unless something must be read from it.
    fn too_long(&mut self, input: &mut Input, block_type: u32, length: u32) -> Result<Step, CaptureError> {
        let what = match block_type {
            SECTION_HEADER => "a section header block",
            INTERFACE_DESCRIPTION => "an interface description block",
            ENHANCED_PACKET | OBSOLETE_PACKET | SIMPLE_PACKET => "a packet block",
            _ => {
                self.skipping = Some((u64::from(length) - 4, length));
                return Ok(Step::Skipped);
            }
        };
        let limit = BLOCK_BYTES_MAX as u64;
        Err(input.error(Fault::TooLong { what, length: length.into(), limit }))
    }

    fn skip(&mut self, input: &mut Input, may_read: bool) -> Result<Step, CaptureError> {
        let Some((left, length)) = self.skipping else { return Ok(Step::Skipped) };
        let needed = if left == 0 { 4 } else { 1 };
        match input.fill(needed, may_read)? {
            Fill::Ready => {}
            Fill::Starved => return Ok(Step::Starved),
            Fill::Ended => return Err(input.cut("a block", usize::try_from(left + 4).unwrap_or(usize::MAX))),
        }
        if left == 0 {
            self.check_trailer(input, length, 0)?;
            input.consume(4);
            self.skipping = None;
        } else {
            let now = left.min(input.available().len() as u64);
            input.consume(now as usize);
            self.skipping = Some((left - now, length));
        }
        Ok(Step::Skipped)
    }

    /// Every block repeats its length at its end.
    fn check_trailer(&self, input: &Input, length: u32, at: usize) -> Result<(), CaptureError> {
        let trailer = u32_at(input.available(), at, self.big_endian);
        if trailer == length {
            return Ok(());
        }
        let text = format!("a block says {length} bytes at its beginning and {trailer} at its end");
        Err(input.error(Fault::Corrupt(text)))
    }

    fn section(&mut self, input: &mut Input, length: usize) -> Result<Step, CaptureError> {
        match parse_sectionheaderblock(&input.available()[..length]) {
            Ok((_, section)) if section.major_version == 1 => {}
            Ok((_, section)) => {
                let version = format!("pcapng version {}.{}", section.major_version, section.minor_version);
                return Err(input.error(Fault::Corrupt(format!("{version}, only 1 is known"))));
            }
            Err(_) => return Err(input.error(Fault::Corrupt("bad section header block".to_owned()))),
        }
        self.interfaces.clear();
        input.consume(length);
        Ok(Step::Skipped)
    }

    fn interface(&mut self, input: &mut Input, length: usize) -> Result<Step, CaptureError> {
        let block = &input.available()[..length];
        let parsed = if self.big_endian {
            parse_interfacedescriptionblock_be(block)
        } else {
            parse_interfacedescriptionblock_le(block)
        };
        let Ok((_, block)) = parsed else {
            return Err(input.error(Fault::Corrupt("bad interface description block".to_owned())));
        };
        if self.interfaces.len() == INTERFACES_MAX {
            let text = format!("more than {INTERFACES_MAX} interfaces in a section");
            return Err(input.error(Fault::Corrupt(text)));
        }
        self.interfaces.push(Interface::of(&block, self.big_endian));
        input.consume(length);
        Ok(Step::Skipped)
    }

    fn enhanced(&self, input: &Input, block_type: u32, length: usize) -> Result<Step, CaptureError> {
        let block = &input.available()[..length];
        if length < ENHANCED_DATA_AT + 4 {
            return Err(input.error(Fault::Corrupt(format!("a packet block of {length} bytes"))));
        }
        // Both kinds agree but for the interface, which is half as wide in the obsolete one.
        let number = match (block_type == OBSOLETE_PACKET, self.big_endian) {
            (false, _) => u32_at(block, 8, self.big_endian),
            (true, true) => u32::from(u16::from_be_bytes([block[8], block[9]])),
            (true, false) => u32::from(u16::from_le_bytes([block[8], block[9]])),
        };
        let captured = u32_at(block, 20, self.big_endian) as usize;
        check_captured(input, captured, length - ENHANCED_DATA_AT - 4)?;
        if block_type == ENHANCED_PACKET {
            let parsed = if self.big_endian {
                parse_enhancedpacketblock_be(block)
            } else {
                parse_enhancedpacketblock_le(block)
            };
            if parsed.is_err() {
                return Err(input.error(Fault::Corrupt("bad packet block".to_owned())));
            }
        }
        let interface = self.interface_of(input, number)?;
        let ticks = u64::from(u32_at(block, 12, self.big_endian)) << 32
            | u64::from(u32_at(block, 16, self.big_endian));
        Ok(Step::Packet(Record {
            nanos: interface.nanos(ticks),
            wire_length: u32_at(block, 24, self.big_endian),
            link: interface.link(input)?,
            data: ENHANCED_DATA_AT..ENHANCED_DATA_AT + captured,
            consumed: length,
        }))
    }

    fn simple(&self, input: &Input, length: usize) -> Result<Step, CaptureError> {
        let block = &input.available()[..length];
        let parsed = if self.big_endian {
            parse_simplepacketblock_be(block)
        } else {
            parse_simplepacketblock_le(block)
        };
        let Ok((_, packet)) = parsed else {
            return Err(input.error(Fault::Corrupt("bad simple packet block".to_owned())));
        };
        let wire_length = packet.origlen;
        let interface = self.interface_of(input, 0)?;
        // The block does not say how many bytes were captured (4.4): the interface's limit does.
        let limit = if interface.snap_length == 0 { u32::MAX } else { interface.snap_length };
        let room = length - SIMPLE_DATA_AT - 4;
        let captured = (wire_length.min(limit) as usize).min(room);
        check_captured(input, captured, room)?;
        Ok(Step::Packet(Record {
            nanos: 0,
            wire_length,
            link: interface.link(input)?,
            data: SIMPLE_DATA_AT..SIMPLE_DATA_AT + captured,
            consumed: length,
        }))
    }

    fn interface_of(&self, input: &Input, number: u32) -> Result<Interface, CaptureError> {
        self.interfaces.get(number as usize).copied().ok_or_else(|| {
            input.error(Fault::Corrupt(format!("a packet of interface {number}, which was not described")))
        })
    }
}

/// Whether the section whose header comes next is big-endian.
fn byte_order(input: &Input) -> Result<bool, CaptureError> {
    match u32_at(input.available(), 8, false) {
        BYTE_ORDER => Ok(false),
        order if order == BYTE_ORDER.swap_bytes() => Ok(true),
        order => {
            let text = format!("a section header block with the byte-order magic {order:#010x}");
            Err(input.error(Fault::Corrupt(text)))
        }
    }
}

fn check_captured(input: &Input, captured: usize, room: usize) -> Result<(), CaptureError> {
    let limit = room.min(CAPTURED_BYTES_MAX);
    if captured <= limit {
        return Ok(());
    }
    Err(input.error(Fault::TooLong { what: "a packet", length: captured as u64, limit: limit as u64 }))
}

impl Interface {
    fn of(block: &InterfaceDescriptionBlock<'_>, big_endian: bool) -> Self {
        let option = |code| block.options.iter().find(|option| option.code == code);
        let resolution = option(OptionCode::IfTsresol).and_then(|option| option.value.first().copied());
        let offset = option(OptionCode::IfTsoffset).and_then(|option| option.value.first_chunk().copied());
        let offset = offset.unwrap_or_default();
        Self {
            link_type: block.linktype.0,
            snap_length: block.snaplen,
            resolution: resolution.unwrap_or(MICROSECONDS),
            offset: if big_endian { i64::from_be_bytes(offset) } else { i64::from_le_bytes(offset) },
        }
    }

    fn link(&self, input: &Input) -> Result<Link, CaptureError> {
        Link::from_number(self.link_type).ok_or_else(|| input.error(Fault::LinkType(self.link_type)))
    }

    /// Time stamp in nanoseconds since 1970, held at the ends of what 64 bits can say (year 2554).
    fn nanos(&self, ticks: u64) -> u64 {
        const BILLION: u128 = 1_000_000_000;
        let exponent = u32::from(self.resolution & 0x7f);
        let base: u128 = if self.resolution & 0x80 == 0 { 10 } else { 2 };
        // A resolution finer than that makes every time stamp less than a nanosecond.
        let nanos =
            base.checked_pow(exponent).map_or(0, |per_second| u128::from(ticks) * BILLION / per_second);
        let offset = i128::from(self.offset) * BILLION as i128;
        // `nanos` is below 2^64 * 10^9 < 2^94, so neither the cast nor the sum overflows.
        u64::try_from((nanos as i128 + offset).max(0)).unwrap_or(u64::MAX)
    }
}

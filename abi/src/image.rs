//! The rule image: the file that the compiler writes and the loader reads.
//!
//! ```text
//! ImageHeader (128 bytes) | commands, 64 bytes each | metadata, JSON
//! ```
//!
//! The commands are those that bring an empty card to the rule set, in the order in which they are
//! sent: they begin with CLEAR and end with COMMIT. The CPU engine runs the same commands. The
//! metadata is what the host needs to report: rules, signatures, and the signatures behind each
//! signature header id; the card never sees it, and only the `host` package reads it.

use alloc::vec::Vec;
use core::fmt;

use bytemuck::{Pod, Zeroable};

use crate::ABI_VERSION;
use crate::bits::{LINE_BYTES, Line};
use crate::command::{Command, CommandError, Opcode};
use crate::geometry::Geometry;

/// First bytes of a rule image.
pub const MAGIC: [u8; 8] = *b"WSIFTIMG";

/// Head of the file.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct ImageHeader {
    /// [`MAGIC`].
    pub magic: [u8; 8],
    /// [`ABI_VERSION`] of the compiler.
    pub abi_version: u32,
    /// [`Geometry::id`] that the commands are for.
    pub geometry: u32,
    /// Number of commands.
    pub commands: u64,
    /// Bytes of metadata.
    pub metadata_bytes: u64,
    /// CRC-32 (IEEE 802.3) of everything behind the header.
    pub body_crc: u32,
    /// CRC-32 of the header up to this field.
    pub header_crc: u32,
    /// Zero.
    pub reserved: [u8; 88],
}

/// Bytes of the header.
pub const HEADER_BYTES: usize = size_of::<ImageHeader>();
const _: () = assert!(HEADER_BYTES == 128);
const CRC_AT: usize = core::mem::offset_of!(ImageHeader, header_crc);

/// Why a file is no rule image for this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageError {
    /// It does not begin with [`MAGIC`].
    Magic,
    /// It was made for another version of the contract.
    AbiVersion(u32),
    /// It was made for a geometry that does not exist.
    Geometry(u32),
    /// It has that many bytes, and should have the other many.
    Length(u64, u64),
    /// The head is damaged.
    HeaderCrc,
    /// Commands or metadata are damaged.
    BodyCrc,
    /// Command number `.0` is none for this geometry.
    Command(u64, CommandError),
    /// The commands do not begin with CLEAR and end with their only COMMIT.
    Order,
}

impl fmt::Display for ImageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Magic => f.write_str("not a rule image (the first eight bytes are not WSIFTIMG)"),
            Self::AbiVersion(version) => write!(
                f,
                "rule image of ABI version {version}, this program has version {ABI_VERSION}: compile the rules again"
            ),
            Self::Geometry(id) => write!(f, "rule image for an unknown geometry ({id})"),
            Self::Length(is, should) => {
                write!(f, "rule image of {is} bytes where its header says {should}")
            }
            Self::HeaderCrc => f.write_str("the header of the rule image is damaged (CRC)"),
            Self::BodyCrc => f.write_str("the rule image is damaged (CRC)"),
            Self::Command(n, error) => write!(f, "rule image, command {n}: {error}"),
            Self::Order => f.write_str("the rule image does not begin with CLEAR and end with COMMIT"),
        }
    }
}

impl core::error::Error for ImageError {}

/// A rule image in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    geometry: &'static Geometry,
    commands: Vec<Line>,
    metadata: Vec<u8>,
}

impl Image {
    /// An image of commands for a geometry.
    ///
    /// # Errors
    /// Where a command is none for the geometry, or their order is wrong.
    pub fn new(
        geometry: &'static Geometry,
        commands: Vec<Line>,
        metadata: Vec<u8>,
    ) -> Result<Self, ImageError> {
        for (n, line) in commands.iter().enumerate() {
            let command =
                Command::from_line(line, geometry).map_err(|error| ImageError::Command(n as u64, error))?;
            let is_first = n == 0;
            let is_last = n + 1 == commands.len();
            if (command.opcode == Opcode::Clear) != is_first || (command.opcode == Opcode::Commit) != is_last
            {
                return Err(ImageError::Order);
            }
        }
        if commands.len() < 2 {
            return Err(ImageError::Order);
        }
        Ok(Self { geometry, commands, metadata })
    }

    /// Geometry that the commands are for.
    pub fn geometry(&self) -> &'static Geometry {
        self.geometry
    }

    /// The commands as lines of the H2C ring.
    pub fn lines(&self) -> &[Line] {
        &self.commands
    }

    /// The commands, taken apart.
    pub fn commands(&self) -> impl Iterator<Item = Command> {
        // Every line was checked in `new`, so none is left out here.
        self.commands.iter().filter_map(|line| Command::from_line(line, self.geometry).ok())
    }

    /// The metadata, JSON.
    pub fn metadata(&self) -> &[u8] {
        &self.metadata
    }

    /// The file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(self.commands.len() * LINE_BYTES + self.metadata.len());
        for line in &self.commands {
            body.extend_from_slice(&line.0);
        }
        body.extend_from_slice(&self.metadata);
        let mut header = ImageHeader {
            magic: MAGIC,
            abi_version: ABI_VERSION,
            geometry: self.geometry.id,
            commands: self.commands.len() as u64,
            metadata_bytes: self.metadata.len() as u64,
            body_crc: crc32fast::hash(&body),
            header_crc: 0,
            reserved: [0; 88],
        };
        header.header_crc = crc32fast::hash(&bytemuck::bytes_of(&header)[..CRC_AT]);
        let mut file = Vec::with_capacity(HEADER_BYTES + body.len());
        file.extend_from_slice(bytemuck::bytes_of(&header));
        file.extend_from_slice(&body);
        file
    }

    /// Reads a file, checking everything in it that the card relies on.
    ///
    /// # Errors
    /// See [`ImageError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ImageError> {
        if !bytes.starts_with(&MAGIC) {
            return Err(ImageError::Magic);
        }
        let Some(head) = bytes.get(..HEADER_BYTES) else {
            return Err(ImageError::Length(bytes.len() as u64, HEADER_BYTES as u64));
        };
        let header: ImageHeader = bytemuck::pod_read_unaligned(head);
        if header.abi_version != ABI_VERSION {
            return Err(ImageError::AbiVersion(header.abi_version));
        }
        if crc32fast::hash(&head[..CRC_AT]) != header.header_crc || header.reserved != [0; 88] {
            return Err(ImageError::HeaderCrc);
        }
        let geometry = Geometry::by_id(header.geometry).ok_or(ImageError::Geometry(header.geometry))?;
        let should = (header.commands as u128) * LINE_BYTES as u128
            + header.metadata_bytes as u128
            + HEADER_BYTES as u128;
        if should != bytes.len() as u128 {
            let should = u64::try_from(should).unwrap_or(u64::MAX);
            return Err(ImageError::Length(bytes.len() as u64, should));
        }
        let body = &bytes[HEADER_BYTES..];
        if crc32fast::hash(body) != header.body_crc {
            return Err(ImageError::BodyCrc);
        }
        // The sum above equals the file's length, so both parts fit in it and in a usize.
        let (lines, metadata) = body.split_at(header.commands as usize * LINE_BYTES);
        let commands = lines.chunks_exact(LINE_BYTES).map(bytemuck::pod_read_unaligned).collect();
        Self::new(geometry, commands, metadata.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::LAB;

    fn image() -> Image {
        let lines = alloc::vec![
            Command::new(Opcode::Clear, 0).to_line(),
            Command::new(Opcode::WriteMask, 0).to_line(),
            Command::new(Opcode::Commit, 1).to_line(),
        ];
        Image::new(&LAB, lines, b"{}".to_vec()).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn a_file_gives_back_its_image() {
        assert_eq!(Image::from_bytes(&image().to_bytes()), Ok(image()));
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_an_error() {
        let file = image().to_bytes();
        for bit in 0..file.len() * 8 {
            let mut damaged = file.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(Image::from_bytes(&damaged).is_err(), "bit {bit}");
        }
        for length in 0..file.len() {
            assert!(Image::from_bytes(&file[..length]).is_err(), "length {length}");
        }
    }

    #[test]
    fn another_abi_version_is_named() {
        let mut file = image().to_bytes();
        file[8..12].copy_from_slice(&77u32.to_le_bytes());
        assert_eq!(Image::from_bytes(&file), Err(ImageError::AbiVersion(77)));
    }
}

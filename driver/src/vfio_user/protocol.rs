//! Messages of the vfio-user protocol, as both sides write and read them.
//!
//! The protocol carries the kernel's VFIO interface over a UNIX socket ("vfio-user Protocol Specification",
//! version 0.1, in the documents of QEMU and libvfio-user). A message is a header of 16 bytes and a payload,
//! little-endian; file descriptors travel beside it. Whatever is read here is checked: a payload that is too
//! short, or whose count is not that of its data, is an error.

/// Bytes of a header.
pub const HEADER_BYTES: usize = 16;
/// Bytes that one message may move.
pub const DATA_BYTES_MAX: usize = 1 << 20;
/// Bytes of a message at most: data and the largest structure in front of it.
pub const MESSAGE_BYTES_MAX: usize = DATA_BYTES_MAX + 256;
/// File descriptors that travel with a message at most.
pub const FDS_MAX: usize = 8;
/// Mappings that a card keeps; QEMU refuses a larger number.
pub const MAPS_MAX: usize = 65535;
/// Major and minor number of the protocol. The minor one is the lowest, because QEMU takes no other.
pub const VERSION: (u16, u16) = (0, 0);

/// Region of BAR0; BAR n is region n (as in the kernel's VFIO_PCI_BAR0_REGION_INDEX).
pub const REGION_BAR0: u32 = 0;
/// Region of the configuration space.
pub const REGION_CONFIG: u32 = 7;
/// Regions of a PCI device: six BARs, ROM, configuration space, VGA.
pub const REGIONS: u32 = 9;
/// Interrupt index of MSI-X.
pub const IRQ_MSIX: u32 = 2;
/// Interrupt indices of a PCI device: INTx, MSI, MSI-X, error, request.
pub const IRQS: u32 = 5;

/// Error numbers that go over the socket (Linux).
pub mod errno {
    /// No such mapping or region.
    pub const ENOENT: u32 = 2;
    /// An address that cannot be reached.
    pub const EFAULT: u32 = 14;
    /// An argument that makes no sense.
    pub const EINVAL: u32 = 22;
    /// No room for more.
    pub const ENOSPC: u32 = 28;
    /// A command that is not known.
    pub const ENOSYS: u32 = 38;
    /// Too many bytes for one message.
    pub const E2BIG: u32 = 7;
    /// The card does not answer.
    pub const EIO: u32 = 5;
}

/// What a message asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Command {
    /// Agree on version and limits.
    Version = 1,
    /// Memory of the client becomes reachable for the card.
    DmaMap = 2,
    /// It is no longer.
    DmaUnmap = 3,
    /// What the device has.
    DeviceGetInfo = 4,
    /// What a region is.
    GetRegionInfo = 5,
    /// What an interrupt index is.
    GetIrqInfo = 7,
    /// Which eventfd an interrupt goes to.
    SetIrqs = 8,
    /// Read a BAR or the configuration space.
    RegionRead = 9,
    /// Write a BAR or the configuration space.
    RegionWrite = 10,
    /// The card reads memory of the client.
    DmaRead = 11,
    /// The card writes memory of the client.
    DmaWrite = 12,
    /// Reset the function.
    DeviceReset = 13,
}

impl Command {
    /// Every command known here.
    pub const ALL: [Self; 12] = [
        Self::Version,
        Self::DmaMap,
        Self::DmaUnmap,
        Self::DeviceGetInfo,
        Self::GetRegionInfo,
        Self::GetIrqInfo,
        Self::SetIrqs,
        Self::RegionRead,
        Self::RegionWrite,
        Self::DmaRead,
        Self::DmaWrite,
        Self::DeviceReset,
    ];

    /// The command of that number.
    pub fn from_number(number: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|command| *command as u16 == number)
    }
}

/// Why a message makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// The header's size is less than a header or more than a message may have.
    #[error("a message of {0} bytes")]
    Size(u32),
    /// Neither a command nor a reply.
    #[error("a message with flags {0:#x}")]
    Flags(u32),
    /// The payload ends early.
    #[error("a payload of {is} bytes where {should} belong")]
    Short {
        /// Bytes there.
        is: usize,
        /// Bytes needed.
        should: usize,
    },
    /// A count that contradicts the bytes there, or is too large.
    #[error("{count} bytes of data announced and {is} sent")]
    Count {
        /// Bytes announced.
        count: u64,
        /// Bytes there.
        is: usize,
    },
    /// A protocol of another version.
    #[error("version {major}.{minor} of the protocol; this side speaks version {}", VERSION.0)]
    Version {
        /// Major number.
        major: u16,
        /// Minor number.
        minor: u16,
    },
    /// A reply to another command than was sent, or to none.
    #[error("a reply to message {id}, command {command}, that was not sent")]
    Reply {
        /// Number of the message.
        id: u16,
        /// Number of the command.
        command: u16,
    },
    /// A value that the other side may not give.
    #[error("{what} is {value:#x}")]
    Value {
        /// What is wrong.
        what: &'static str,
        /// What it is.
        value: u64,
    },
}

const TYPE_MASK: u32 = 0xf;
const TYPE_REPLY: u32 = 1;
const FLAG_NO_REPLY: u32 = 1 << 4;
const FLAG_ERROR: u32 = 1 << 5;

/// What kind of message a header belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It asks; whether it wants an answer.
    Command {
        /// Whether it does.
        wants_reply: bool,
    },
    /// It answers.
    Reply,
    /// It answers that something went wrong, with the error number.
    Error(u32),
}

/// The first 16 bytes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Number of the message; a reply has that of its command.
    pub id: u16,
    /// Number of the command.
    pub command: u16,
    /// Bytes behind the header.
    pub payload: usize,
    /// What it is.
    pub kind: Kind,
}

impl Header {
    /// The header in bytes.
    pub fn to_bytes(self) -> [u8; HEADER_BYTES] {
        let (flags, error) = match self.kind {
            Kind::Command { wants_reply: true } => (0, 0),
            Kind::Command { wants_reply: false } => (FLAG_NO_REPLY, 0),
            Kind::Reply => (TYPE_REPLY, 0),
            Kind::Error(error) => (TYPE_REPLY | FLAG_ERROR, error),
        };
        let size = (HEADER_BYTES + self.payload) as u32;
        let mut bytes = [0; HEADER_BYTES];
        bytes[..2].copy_from_slice(&self.id.to_le_bytes());
        bytes[2..4].copy_from_slice(&self.command.to_le_bytes());
        bytes[4..8].copy_from_slice(&size.to_le_bytes());
        bytes[8..12].copy_from_slice(&flags.to_le_bytes());
        bytes[12..].copy_from_slice(&error.to_le_bytes());
        bytes
    }

    /// Reads a header.
    ///
    /// # Errors
    /// Where its size or kind is impossible: nothing behind it can be read then.
    pub fn from_bytes(bytes: &[u8; HEADER_BYTES]) -> Result<Self, ProtocolError> {
        let mut fields = Fields(bytes);
        let (id, command) = (fields.u16()?, fields.u16()?);
        let (size, flags, error) = (fields.u32()?, fields.u32()?, fields.u32()?);
        if !(HEADER_BYTES..=MESSAGE_BYTES_MAX).contains(&(size as usize)) {
            return Err(ProtocolError::Size(size));
        }
        let kind = match flags & TYPE_MASK {
            0 => Kind::Command { wants_reply: flags & FLAG_NO_REPLY == 0 },
            TYPE_REPLY if flags & FLAG_ERROR != 0 => Kind::Error(error),
            TYPE_REPLY => Kind::Reply,
            _ => return Err(ProtocolError::Flags(flags)),
        };
        Ok(Self { id, command, payload: size as usize - HEADER_BYTES, kind })
    }
}

/// Reads fields from the front of a payload.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a>(pub &'a [u8]);

impl<'a> Fields<'a> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], ProtocolError> {
        let short = ProtocolError::Short { is: self.0.len(), should: N };
        let (field, rest) = self.0.split_first_chunk::<N>().ok_or(short)?;
        self.0 = rest;
        Ok(*field)
    }

    /// The next 16 bits.
    ///
    /// # Errors
    /// Where the payload ends; so do the others.
    pub fn u16(&mut self) -> Result<u16, ProtocolError> {
        self.take().map(u16::from_le_bytes)
    }

    /// The next 32 bits.
    ///
    /// # Errors
    /// Where the payload ends.
    pub fn u32(&mut self) -> Result<u32, ProtocolError> {
        self.take().map(u32::from_le_bytes)
    }

    /// The next 64 bits.
    ///
    /// # Errors
    /// Where the payload ends.
    pub fn u64(&mut self) -> Result<u64, ProtocolError> {
        self.take().map(u64::from_le_bytes)
    }

    /// The rest, which is `count` bytes of data.
    ///
    /// # Errors
    /// Where it is not, or more than a message may move.
    pub fn data(self, count: u64) -> Result<&'a [u8], ProtocolError> {
        let is = self.0.len();
        if count != is as u64 || is > DATA_BYTES_MAX {
            return Err(ProtocolError::Count { count, is });
        }
        Ok(self.0)
    }
}

/// A payload that is a fixed row of numbers.
macro_rules! payload {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ident,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $name { $($(#[$field_doc])* pub $field: $type,)* }

        impl $name {
            /// Bytes of it.
            pub const BYTES: usize = 0 $(+ size_of::<$type>())*;

            /// The payload in bytes.
            pub fn to_bytes(self) -> Vec<u8> {
                let mut bytes = Vec::with_capacity(Self::BYTES);
                $(bytes.extend_from_slice(&self.$field.to_le_bytes());)*
                bytes
            }

            /// Reads it from the front of a payload and gives what is behind it.
            ///
            /// # Errors
            /// Where the payload ends early.
            pub fn split(payload: &[u8]) -> Result<(Self, Fields<'_>), ProtocolError> {
                if payload.len() < Self::BYTES {
                    return Err(ProtocolError::Short { is: payload.len(), should: Self::BYTES });
                }
                let mut fields = Fields(payload);
                $(let $field = fields.$type()?;)*
                Ok((Self { $($field,)* }, fields))
            }
        }
    };
}

payload! {
    /// DMA_MAP: memory of the client. A file descriptor comes with it where the card may map it.
    DmaMap {
        /// Bytes of this structure.
        argsz: u32,
        /// [`MAP_READ`], [`MAP_WRITE`].
        flags: u32,
        /// Where in the file the memory begins.
        offset: u64,
        /// Address for the card.
        address: u64,
        /// Bytes.
        size: u64,
    }
}

/// DMA_MAP: the card may read.
pub const MAP_READ: u32 = 1 << 0;
/// DMA_MAP: the card may write.
pub const MAP_WRITE: u32 = 1 << 1;

payload! {
    /// DMA_UNMAP.
    DmaUnmap {
        /// Bytes of this structure.
        argsz: u32,
        /// [`UNMAP_ALL`].
        flags: u32,
        /// Address for the card.
        address: u64,
        /// Bytes.
        size: u64,
    }
}

/// DMA_UNMAP: everything, whatever the address.
pub const UNMAP_ALL: u32 = 1 << 1;

payload! {
    /// DEVICE_GET_INFO.
    DeviceInfo {
        /// Bytes of this structure.
        argsz: u32,
        /// [`DEVICE_RESET`], [`DEVICE_PCI`].
        flags: u32,
        /// Number of regions.
        regions: u32,
        /// Number of interrupt indices.
        irqs: u32,
    }
}

/// DEVICE_GET_INFO: the device can be reset.
pub const DEVICE_RESET: u32 = 1 << 0;
/// DEVICE_GET_INFO: it is a PCI device.
pub const DEVICE_PCI: u32 = 1 << 1;

payload! {
    /// GET_REGION_INFO.
    RegionInfo {
        /// Bytes of this structure.
        argsz: u32,
        /// [`REGION_READ`], [`REGION_WRITE`], [`REGION_MMAP`].
        flags: u32,
        /// Number of the region.
        index: u32,
        /// Where in the payload capabilities begin; 0 is nowhere.
        cap_offset: u32,
        /// Bytes of the region.
        size: u64,
        /// Where in the file that comes with the reply the region begins.
        offset: u64,
    }
}

/// GET_REGION_INFO: it can be read.
pub const REGION_READ: u32 = 1 << 0;
/// GET_REGION_INFO: it can be written.
pub const REGION_WRITE: u32 = 1 << 1;
/// GET_REGION_INFO: it can be mapped.
pub const REGION_MMAP: u32 = 1 << 2;

payload! {
    /// GET_IRQ_INFO.
    IrqInfo {
        /// Bytes of this structure.
        argsz: u32,
        /// [`IRQ_EVENTFD`].
        flags: u32,
        /// Number of the interrupt index.
        index: u32,
        /// Vectors of that index.
        count: u32,
    }
}

/// GET_IRQ_INFO: an interrupt goes to an eventfd.
pub const IRQ_EVENTFD: u32 = 1 << 0;
/// GET_IRQ_INFO: the number of vectors in use cannot be changed later.
pub const IRQ_NORESIZE: u32 = 1 << 3;

payload! {
    /// SET_IRQS.
    IrqSet {
        /// Bytes of this structure and the data behind it.
        argsz: u32,
        /// One of [`IRQ_DATA_NONE`], [`IRQ_DATA_BOOL`], [`IRQ_DATA_EVENTFD`], and one action.
        flags: u32,
        /// Number of the interrupt index.
        index: u32,
        /// First vector.
        start: u32,
        /// Number of vectors.
        count: u32,
    }
}

/// SET_IRQS: no data; with a count of 0, takes everything away.
pub const IRQ_DATA_NONE: u32 = 1 << 0;
/// SET_IRQS: a byte a vector.
pub const IRQ_DATA_BOOL: u32 = 1 << 1;
/// SET_IRQS: a file descriptor a vector comes with the message.
pub const IRQ_DATA_EVENTFD: u32 = 1 << 2;
/// SET_IRQS: raise, or name the eventfd to raise.
pub const IRQ_ACTION_TRIGGER: u32 = 1 << 5;

payload! {
    /// REGION_READ and REGION_WRITE; data is behind it in a write and in the reply to a read.
    RegionAccess {
        /// Byte offset in the region.
        offset: u64,
        /// Number of the region.
        region: u32,
        /// Bytes of data.
        count: u32,
    }
}

payload! {
    /// DMA_READ and DMA_WRITE; data is behind it in a write and in the reply to a read.
    DmaAccess {
        /// Address that the card uses.
        address: u64,
        /// Bytes of data.
        count: u64,
    }
}

impl DmaAccess {
    /// The payload of a write.
    pub fn with_data(&self, data: &[u8]) -> Vec<u8> {
        [&self.to_bytes(), data].concat()
    }

    /// The `count` bytes of data in the reply to a read.
    pub fn data_of_reply(payload: &[u8], count: usize) -> Option<&[u8]> {
        payload.get(Self::BYTES..Self::BYTES.checked_add(count)?)
    }
}

/// The payload of VERSION: numbers, and the limits of this side as JSON.
pub fn version(capabilities: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend_from_slice(&VERSION.0.to_le_bytes());
    bytes.extend_from_slice(&VERSION.1.to_le_bytes());
    bytes.extend_from_slice(capabilities.as_bytes());
    bytes.push(0);
    bytes
}

/// Reads VERSION; gives the other side's limits, JSON, empty where it names none.
///
/// # Errors
/// Where its version is another one than ours. A larger minor number is no obstacle: the lower one holds.
pub fn read_version(payload: &[u8]) -> Result<&str, ProtocolError> {
    let mut fields = Fields(payload);
    let (major, minor) = (fields.u16()?, fields.u16()?);
    if major != VERSION.0 {
        return Err(ProtocolError::Version { major, minor });
    }
    let text = fields.0.split(|byte| *byte == 0).next().unwrap_or_default();
    Ok(str::from_utf8(text).unwrap_or_default())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn headers_come_back(id: u16, command: u16, payload in 0usize..DATA_BYTES_MAX, error: u32) {
            let kinds = [
                Kind::Command { wants_reply: true },
                Kind::Command { wants_reply: false },
                Kind::Reply,
                Kind::Error(error),
            ];
            for kind in kinds {
                let header = Header { id, command, payload, kind };
                prop_assert_eq!(Header::from_bytes(&header.to_bytes()), Ok(header));
            }
        }

        #[test]
        fn any_bytes_are_a_message_or_an_error(
            header: [u8; HEADER_BYTES],
            payload in prop::collection::vec(any::<u8>(), 0..64),
        ) {
            if let Ok(header) = Header::from_bytes(&header) {
                prop_assert!(header.payload <= MESSAGE_BYTES_MAX);
            }
            if let Ok((access, rest)) = RegionAccess::split(&payload)
                && let Ok(data) = rest.data(access.count.into())
            {
                prop_assert_eq!(data.len(), access.count as usize);
            }
            prop_assert_eq!(DmaMap::split(&payload).is_ok(), payload.len() >= 32);
            let _: Result<&str, ProtocolError> = read_version(&payload);
        }
    }

    #[test]
    fn payloads_have_the_layout_of_the_specification() {
        let map = DmaMap { argsz: 32, flags: MAP_READ, offset: 0x1000, address: 0x2000, size: 0x3000 };
        let bytes = map.to_bytes();
        assert_eq!(bytes[..8], [32, 0, 0, 0, 1, 0, 0, 0]);
        assert_eq!((bytes[9], bytes[17], bytes[25], bytes.len()), (0x10, 0x20, 0x30, 32));
        assert_eq!(DmaMap::split(&bytes).unwrap().0, map);
        let sizes = [DmaUnmap::BYTES, DeviceInfo::BYTES, RegionInfo::BYTES, IrqInfo::BYTES, IrqSet::BYTES];
        assert_eq!(sizes, [24, 16, 32, 16, 20]);
        assert_eq!((RegionAccess::BYTES, DmaAccess::BYTES), (16, 16));
    }

    /// Read from the socket of QEMU 11.1.3. Data four bytes earlier, as its source can be read, made the card take the
    /// upper half of the count for a header.
    #[test]
    fn the_data_of_an_access_by_message_is_behind_a_count_of_64_bits() {
        let reply = [0, 0, 0x20, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0x5f, 0, 0, 0, 1, 0, 0, 0];
        let (access, _) = DmaAccess::split(&reply).unwrap();
        assert_eq!(access, DmaAccess { address: 0x20_0000, count: 8 });
        let data = DmaAccess::data_of_reply(&reply, 8).unwrap();
        assert_eq!(data, [0x5f, 0, 0, 0, 1, 0, 0, 0]);
        assert_eq!(access.with_data(data), reply);
        assert_eq!(DmaAccess::data_of_reply(&reply, 9), None);
        assert_eq!(DmaAccess::data_of_reply(&reply, usize::MAX), None);
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let mut header = Header { id: 1, command: 9, payload: 0, kind: Kind::Reply }.to_bytes();
        header[4] = 15;
        assert_eq!(Header::from_bytes(&header), Err(ProtocolError::Size(15)));
        header[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(Header::from_bytes(&header), Err(ProtocolError::Size(u32::MAX)));
        header[4..8].copy_from_slice(&16u32.to_le_bytes());
        header[8] = 2;
        assert_eq!(Header::from_bytes(&header), Err(ProtocolError::Flags(2)));
        let access = RegionAccess { offset: 0, region: 0, count: 5 };
        let mut bytes = access.to_bytes();
        bytes.extend([1; 4]);
        let (access, rest) = RegionAccess::split(&bytes).unwrap();
        assert_eq!(rest.data(access.count.into()), Err(ProtocolError::Count { count: 5, is: 4 }));
        assert_eq!(read_version(&[1, 0, 0, 0]), Err(ProtocolError::Version { major: 1, minor: 0 }));
        assert_eq!(read_version(&version("{}")), Ok("{}"));
    }
}

//! The client's side of the protocol: a request and its reply, and what the card asks for in between.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::protocol::{
    self, Command, DATA_BYTES_MAX, DmaAccess, DmaMap, DmaUnmap, FDS_MAX, Header, Kind, MAP_READ, MAP_WRITE,
    ProtocolError, RegionAccess, errno, read_version,
};
use super::socket::{Message, Socket, SocketError};
use crate::dma::{DmaMemory, PAGE_BYTES, WORD_BYTES};
use crate::iova::IovaSpace;
use crate::transport::Direction;

/// Addresses for the card: above what a PC has for its own devices, within 39 bits, the least that an IOMMU has.
const IOVA_RANGE: (u64, u64) = (1 << 32, (1 << 39) - 1);
/// Messages of the card that are answered in a row before something else is done.
const SERVED_MAX: usize = 1024;

/// Why a request was not answered as it should be.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// The socket, or what came over it.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// The other side says no.
    #[error("the other side refuses {command:?} with error {number}")]
    Refused {
        /// What was asked.
        command: Command,
        /// Error number.
        number: u32,
    },
    /// No address is free for memory.
    #[error("no address is free for {0} bytes")]
    Addresses(usize),
    /// Memory that is in no file.
    #[error("the memory is in no file")]
    NoFile,
}

/// The client's side of a socket.
#[derive(Debug)]
pub(super) struct Client {
    socket: Socket,
    limit: Duration,
    next_id: u16,
    iovas: IovaSpace,
    /// What the card may reach, by address.
    regions: BTreeMap<u64, (Arc<DmaMemory>, Direction)>,
}

impl Client {
    pub(super) fn new(stream: UnixStream, limit: Duration) -> io::Result<Self> {
        Ok(Self {
            socket: Socket::new(stream)?,
            limit,
            next_id: 0,
            iovas: IovaSpace::new([IOVA_RANGE]),
            regions: BTreeMap::new(),
        })
    }

    /// Sends a command and waits for its reply; answers the card meanwhile.
    pub(super) fn request(
        &mut self,
        command: Command,
        payload: &[u8],
        fds: &[BorrowedFd<'_>],
    ) -> Result<Message, PeerError> {
        let deadline = Instant::now() + self.limit;
        let id = self.next_id;
        self.next_id = id.wrapping_add(1);
        let kind = Kind::Command { wants_reply: true };
        let header = Header { id, command: command as u16, payload: 0, kind };
        self.socket.send(header, payload, fds, self.limit)?;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let message = self.socket.receive(left)?.ok_or(SocketError::Timeout(self.limit))?;
            let got = message.header;
            match got.kind {
                Kind::Command { wants_reply } => self.serve(&message, wants_reply)?,
                // An answer that came too late, to a command that was given up.
                Kind::Reply | Kind::Error(_) if got.id != id && id.wrapping_sub(got.id) < 1 << 15 => {}
                Kind::Error(number) if got.id == id => return Err(PeerError::Refused { command, number }),
                Kind::Reply if got.id == id && got.command == command as u16 => return Ok(message),
                Kind::Reply | Kind::Error(_) => {
                    return Err(ProtocolError::Reply { id: got.id, command: got.command }.into());
                }
            }
        }
    }

    /// Sends a command whose first number is the size of the structure that comes back.
    pub(super) fn ask_for(
        &mut self,
        command: Command,
        bytes: u32,
        payload: impl FnOnce(u32) -> Vec<u8>,
    ) -> Result<(Vec<u8>, Vec<OwnedFd>), PeerError> {
        let Message { payload, fds, .. } = self.request(command, &payload(bytes), &[])?;
        Ok((payload, fds))
    }

    pub(super) fn agree_on_version(&mut self) -> Result<(), PeerError> {
        let capabilities = format!(
            r#"{{"capabilities":{{"max_msg_fds":{FDS_MAX},"max_data_xfer_size":{DATA_BYTES_MAX},"pgsizes":{PAGE_BYTES}}}}}"#
        );
        let reply = self.request(Command::Version, &protocol::version(&capabilities), &[])?;
        // What this side sends stays below any limit that the other could name.
        read_version(&reply.payload)?;
        Ok(())
    }

    pub(super) fn read_region<const N: usize>(
        &mut self,
        region: u32,
        offset: u64,
    ) -> Result<[u8; N], PeerError> {
        let asked = RegionAccess { offset, region, count: N as u32 };
        let reply = self.request(Command::RegionRead, &asked.to_bytes(), &[])?;
        let (access, rest) = RegionAccess::split(&reply.payload)?;
        let data = rest.data(access.count.into())?;
        let error = ProtocolError::Count { count: N as u64, is: data.len() };
        Ok(data.try_into().map_err(|_| error)?)
    }

    pub(super) fn write_region(&mut self, region: u32, offset: u64, data: &[u8]) -> Result<(), PeerError> {
        let access = RegionAccess { offset, region, count: data.len() as u32 };
        let mut payload = access.to_bytes();
        payload.extend_from_slice(data);
        self.request(Command::RegionWrite, &payload, &[]).map(|_| ())
    }

    /// Maps memory for the card at an address of our choice.
    pub(super) fn map(
        &mut self,
        memory: &Arc<DmaMemory>,
        direction: Direction,
        by_file: bool,
    ) -> Result<u64, PeerError> {
        let size = memory.bytes() as u64;
        // Aligned so that an IOMMU can use pages of 2 MiB.
        let address = self.iovas.take(size, 2 << 20).ok_or(PeerError::Addresses(memory.bytes()))?;
        let flags = match direction {
            Direction::H2c => MAP_READ,
            Direction::C2h => MAP_WRITE,
        };
        let file = memory.file();
        let offset = file.map_or(0, |(_, offset)| offset);
        let fds: Vec<_> = file.filter(|_| by_file).map(|(fd, _)| fd).into_iter().collect();
        let map = DmaMap { argsz: DmaMap::BYTES as u32, flags, offset, address, size };
        let mapped = if by_file && fds.is_empty() {
            Err(PeerError::NoFile)
        } else {
            self.request(Command::DmaMap, &map.to_bytes(), &fds)
        };
        match mapped {
            Ok(_) => {
                self.regions.insert(address, (Arc::clone(memory), direction));
                Ok(address)
            }
            Err(error) => {
                self.iovas.give_back(address);
                Err(error)
            }
        }
    }

    /// Takes a mapping away. Where the other side does not answer, its address is not used again.
    pub(super) fn unmap(&mut self, address: u64) {
        let Some((memory, _)) = self.regions.get(&address) else { return };
        let size = memory.bytes() as u64;
        let unmap = DmaUnmap { argsz: DmaUnmap::BYTES as u32, flags: 0, address, size };
        let unmapped = self.request(Command::DmaUnmap, &unmap.to_bytes(), &[]);
        self.regions.remove(&address);
        if unmapped.is_ok() {
            self.iovas.give_back(address);
        }
    }

    /// Waits for a message, or for something to read from `more`.
    pub(super) fn wait(&self, more: Option<BorrowedFd<'_>>, limit: Duration) -> Result<(), PeerError> {
        self.socket.wait(more, limit)?;
        Ok(())
    }

    /// Answers what the card has asked for so far.
    pub(super) fn serve_waiting(&mut self) -> Result<(), PeerError> {
        for _ in 0..SERVED_MAX {
            let Some(message) = self.socket.receive(Duration::ZERO)? else { break };
            // A reply here is one that came too late.
            if let Kind::Command { wants_reply } = message.header.kind {
                self.serve(&message, wants_reply)?;
            }
        }
        Ok(())
    }

    fn serve(&mut self, message: &Message, wants_reply: bool) -> Result<(), PeerError> {
        let answer = match Command::from_number(message.header.command) {
            Some(Command::DmaRead) => self.dma_read(&message.payload),
            Some(Command::DmaWrite) => self.dma_write(&message.payload),
            _ => Err(errno::ENOSYS),
        };
        if !wants_reply {
            return Ok(());
        }
        let (kind, payload) = match answer {
            Ok(payload) => (Kind::Reply, payload),
            Err(number) => (Kind::Error(number), Vec::new()),
        };
        self.socket.send(Header { kind, ..message.header }, &payload, &[], self.limit)?;
        Ok(())
    }

    pub(super) fn dma_read(&self, payload: &[u8]) -> Result<Vec<u8>, u32> {
        let (access, rest) = DmaAccess::split(payload).map_err(|_| errno::EINVAL)?;
        if !rest.0.is_empty() {
            return Err(errno::EINVAL);
        }
        let (memory, offset, count) = self.find(access, Direction::H2c)?;
        let mut reply = access.to_bytes();
        reply.resize(DmaAccess::BYTES + count, 0);
        memory.read(offset, &mut reply[DmaAccess::BYTES..]);
        Ok(reply)
    }

    pub(super) fn dma_write(&self, payload: &[u8]) -> Result<Vec<u8>, u32> {
        let (access, rest) = DmaAccess::split(payload).map_err(|_| errno::EINVAL)?;
        let data = rest.data(access.count).map_err(|_| errno::EINVAL)?;
        let (memory, offset, _) = self.find(access, Direction::C2h)?;
        memory.write(offset, data);
        Ok(access.to_bytes())
    }

    /// The memory that an access of the card is to, where it may: what an IOMMU does.
    fn find(&self, access: DmaAccess, direction: Direction) -> Result<(&DmaMemory, usize, usize), u32> {
        let DmaAccess { address, count } = access;
        if count > DATA_BYTES_MAX as u64 {
            return Err(errno::E2BIG);
        }
        let (start, (memory, allowed)) = self.regions.range(..=address).next_back().ok_or(errno::EFAULT)?;
        let (offset, bytes) = (address - start, memory.bytes() as u64);
        if *allowed != direction || offset >= bytes || count > bytes - offset {
            return Err(errno::EFAULT);
        }
        // DMA memory is accessed by whole words.
        if !offset.is_multiple_of(WORD_BYTES as u64) || !count.is_multiple_of(WORD_BYTES as u64) {
            return Err(errno::EINVAL);
        }
        Ok((memory, offset as usize, count as usize))
    }
}

//! The card's side of the vfio-user protocol.
//!
//! One thread does it all. A command is answered before anything is sent that the client must answer: a client
//! that waits for its reply may not be able to. A write to a register is answered first and done then, as a
//! posted write on a bus; what comes behind it sees it.

use std::collections::HashMap;
use std::fmt;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use wiresift_abi::pci::{BAR0_BYTES, MSIX_VECTORS};
use wiresift_driver::dma::PAGE_BYTES;
use wiresift_driver::vfio_user::protocol::{
    self, Command, DATA_BYTES_MAX, DEVICE_PCI, DEVICE_RESET, DeviceInfo, DmaAccess, DmaMap, DmaUnmap,
    FDS_MAX, Header, IRQ_ACTION_TRIGGER, IRQ_DATA_BOOL, IRQ_DATA_EVENTFD, IRQ_DATA_NONE, IRQ_EVENTFD,
    IRQ_MSIX, IRQ_NORESIZE, IRQS, IrqInfo, IrqSet, Kind, MAPS_MAX, REGION_BAR0, REGION_CONFIG, REGION_READ,
    REGION_WRITE, REGIONS, RegionAccess, RegionInfo, errno, read_version,
};
use wiresift_driver::vfio_user::socket::{Message, Socket, SocketError};

use super::function::{Function, is_frequent};
use super::memory::{Ask, ClientMemory};
use super::pci::{CONFIG_BYTES, ConfigSpace, Effect, MSIX_BAR, MSIX_BAR_BYTES};
use crate::SimError;

/// How long the client may take to read what it is sent.
const SEND_LIMIT: Duration = Duration::from_secs(5);
/// How long the server waits at a stretch for a client that wants nothing.
const IDLE: Duration = Duration::from_millis(50);
/// Commands that are answered in a row before the card runs again.
const COMMANDS_MAX: usize = 64;

/// Why a session ended other than by the client's leaving.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The socket, or what came over it.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// The client's socket cannot be used.
    #[error("the client's socket cannot be used")]
    Io(#[from] std::io::Error),
    /// There is no card to serve.
    #[error(transparent)]
    Card(#[from] SimError),
}

/// What a session came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Served {
    /// Commands of the client.
    pub commands: u64,
    /// Commands that were refused.
    pub refused: u64,
    /// Accesses to memory that went by message.
    pub by_message: u64,
    /// Those of them that the client refused.
    pub by_message_refused: u64,
    /// Function resets.
    pub resets: u64,
    /// Doorbells and credits.
    pub doorbells: u64,
    /// Interrupts given to the client.
    pub interrupts: u64,
    /// Mappings at the end.
    pub mappings: usize,
    /// A rule of the bus that the card broke.
    pub complaint: Option<String>,
}

impl fmt::Display for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} commands ({} refused), {} doorbells and credits, {} accesses by message ({} refused), {} interrupts, \
             {} resets, {} mappings left",
            self.commands,
            self.refused,
            self.doorbells,
            self.by_message,
            self.by_message_refused,
            self.interrupts,
            self.resets,
            self.mappings
        )
    }
}

/// A register write that is answered and not done.
type Posted = Option<(u16, u32)>;

/// A card and its client.
pub struct Server<F: Function> {
    function: F,
    memory: ClientMemory,
    config: ConfigSpace,
    /// MSI-X table and pending bits: the client keeps its own, these are only memory.
    msix_bar: Vec<u8>,
    eventfds: Vec<Option<OwnedFd>>,
    /// Accesses that were sent, by the number of their message.
    sent: HashMap<u16, Ask>,
    next_id: u16,
    served: Served,
}

impl<F: Function> Server<F> {
    /// A card that reaches `memory`.
    pub fn new(function: F, memory: ClientMemory) -> Self {
        Self {
            function,
            memory,
            config: ConfigSpace::default(),
            msix_bar: vec![0; MSIX_BAR_BYTES],
            eventfds: (0..MSIX_VECTORS).map(|_| None).collect(),
            sent: HashMap::new(),
            next_id: 0,
            served: Served::default(),
        }
    }

    /// The card.
    pub fn function(&self) -> &F {
        &self.function
    }

    /// Serves one client until it goes, or `stop` is set. The card is reset at the end, and keeps no mapping.
    ///
    /// # Errors
    /// Where the client does not keep to the protocol, or the socket fails.
    pub fn run(&mut self, stream: UnixStream, stop: &AtomicBool) -> Result<Served, ServeError> {
        let mut socket = Socket::new(stream)?;
        let result = self.session(&mut socket, stop);
        self.served.mappings = self.memory.mappings();
        self.reset();
        self.memory.clear();
        self.eventfds.fill_with(|| None);
        let mut served = std::mem::take(&mut self.served);
        served.complaint = self.function.complaint();
        match result {
            Ok(()) | Err(ServeError::Socket(SocketError::Closed)) => Ok(served),
            Err(error) => Err(error),
        }
    }

    fn session(&mut self, socket: &mut Socket, stop: &AtomicBool) -> Result<(), ServeError> {
        let mut is_busy = false;
        while !stop.load(Ordering::Relaxed) {
            let mut limit = if is_busy { Duration::ZERO } else { IDLE };
            for _ in 0..COMMANDS_MAX {
                let Some(message) = socket.receive(limit)? else { break };
                limit = Duration::ZERO;
                is_busy = true;
                self.take(socket, message)?;
            }
            self.send_asks(socket)?;
            if is_busy {
                is_busy = self.function.run() && !self.waits_for_client();
            }
            self.interrupt();
        }
        Ok(())
    }

    /// Whether nothing can happen before the client answers. Some messages may be on their way at a time.
    fn waits_for_client(&self) -> bool {
        !self.sent.is_empty()
    }

    /// Gives an interrupt of the card to the client.
    fn interrupt(&mut self) {
        if self.function.take_interrupt()
            && let Some(eventfd) = &self.eventfds[0]
        {
            // Where the count is full, the client has interrupts enough to see.
            let _: Result<usize, _> = rustix::io::write(eventfd, &1u64.to_ne_bytes());
            self.served.interrupts += 1;
        }
    }

    fn send_asks(&mut self, socket: &mut Socket) -> Result<(), ServeError> {
        while let Some(ask) = self.memory.next_ask() {
            let id = self.next_id;
            self.next_id = id.wrapping_add(1);
            let access = DmaAccess { address: ask.address, count: ask.bytes as u64 };
            let (command, payload) = match &ask.data {
                None => (Command::DmaRead, access.to_bytes()),
                Some(data) => (Command::DmaWrite, access.with_data(data)),
            };
            let kind = Kind::Command { wants_reply: true };
            let header = Header { id, command: command as u16, payload: 0, kind };
            socket.send(header, &payload, &[], SEND_LIMIT)?;
            self.served.by_message += 1;
            self.sent.insert(id, ask);
        }
        Ok(())
    }

    /// Deals with a message of the client.
    fn take(&mut self, socket: &mut Socket, message: Message) -> Result<(), ServeError> {
        let header = message.header;
        let Kind::Command { wants_reply } = header.kind else {
            self.take_answer(&message);
            return Ok(());
        };
        self.served.commands += 1;
        let mut posted = None;
        let answer = self.command(message, &mut posted);
        self.served.refused += u64::from(answer.is_err());
        if wants_reply {
            let (kind, payload) = match answer {
                Ok(payload) => (Kind::Reply, payload),
                Err(number) => (Kind::Error(number), Vec::new()),
            };
            socket.send(Header { kind, ..header }, &payload, &[], SEND_LIMIT)?;
        }
        if let Some((offset, value)) = posted {
            self.served.doorbells += u64::from(is_frequent(offset));
            // Nobody is told of an error of a posted write; registers tell what became of the card.
            if self.function.write_register(offset, value).is_err() {
                self.served.refused += 1;
            }
        }
        Ok(())
    }

    /// The answer to an access that went by message.
    fn take_answer(&mut self, message: &Message) {
        // An answer to nothing, or to what was asked before a reset, is of no use and does no harm.
        let Some(ask) = self.sent.remove(&message.header.id) else { return };
        let data = match (message.header.kind, &ask.data) {
            (Kind::Reply, Some(_)) => Some(&[][..]),
            (Kind::Reply, None) => DmaAccess::data_of_reply(&message.payload, ask.bytes),
            _ => None,
        };
        self.served.by_message_refused += u64::from(data.is_none());
        self.memory.answer(&ask, data);
    }

    fn command(&mut self, message: Message, posted: &mut Posted) -> Result<Vec<u8>, u32> {
        let payload = &message.payload[..];
        match Command::from_number(message.header.command) {
            Some(Command::Version) => self.version(payload),
            Some(Command::DmaMap) => self.map(payload, message.fds),
            Some(Command::DmaUnmap) => self.unmap(payload),
            Some(Command::DeviceGetInfo) => {
                let flags = DEVICE_PCI | DEVICE_RESET;
                let argsz = DeviceInfo::BYTES as u32;
                Ok(DeviceInfo { argsz, flags, regions: REGIONS, irqs: IRQS }.to_bytes())
            }
            Some(Command::GetRegionInfo) => region_info(payload),
            Some(Command::GetIrqInfo) => irq_info(payload),
            Some(Command::SetIrqs) => self.set_irqs(payload, message.fds),
            Some(Command::RegionRead) => self.region_read(payload),
            Some(Command::RegionWrite) => self.region_write(payload, posted),
            Some(Command::DeviceReset) => {
                self.reset();
                Ok(Vec::new())
            }
            Some(Command::DmaRead | Command::DmaWrite) | None => Err(errno::ENOSYS),
        }
    }

    fn version(&mut self, payload: &[u8]) -> Result<Vec<u8>, u32> {
        read_version(payload).map_err(|_| errno::EINVAL)?;
        Ok(protocol::version(&format!(
            r#"{{"capabilities":{{"max_msg_fds":{FDS_MAX},"max_data_xfer_size":{DATA_BYTES_MAX},"max_dma_maps":{MAPS_MAX},"pgsizes":{PAGE_BYTES}}}}}"#
        )))
    }

    fn map(&mut self, payload: &[u8], fds: Vec<OwnedFd>) -> Result<Vec<u8>, u32> {
        let (map, _) = DmaMap::split(payload).map_err(|_| errno::EINVAL)?;
        let memory = self.memory.map(&map, fds.into_iter().next())?;
        self.function.unmapped(map.address);
        self.function.mapped(map.address, memory, self.memory.access(map.address));
        Ok(Vec::new())
    }

    fn unmap(&mut self, payload: &[u8]) -> Result<Vec<u8>, u32> {
        let (unmap, _) = DmaUnmap::split(payload).map_err(|_| errno::EINVAL)?;
        for address in self.memory.unmap(&unmap)? {
            self.function.unmapped(address);
        }
        Ok(unmap.to_bytes())
    }

    fn set_irqs(&mut self, payload: &[u8], fds: Vec<OwnedFd>) -> Result<Vec<u8>, u32> {
        let (set, data) = IrqSet::split(payload).map_err(|_| errno::EINVAL)?;
        let vectors = if set.index == IRQ_MSIX { self.eventfds.len() } else { 0 };
        let end = set.start.checked_add(set.count).ok_or(errno::EINVAL)?;
        if set.index >= IRQS || end as usize > vectors {
            return Err(errno::EINVAL);
        }
        let (start, end) = (set.start as usize, end as usize);
        match set.flags {
            flags if flags == IRQ_DATA_NONE | IRQ_ACTION_TRIGGER && set.count == 0 => {
                if set.index == IRQ_MSIX {
                    self.eventfds.fill_with(|| None);
                }
            }
            flags if flags == IRQ_DATA_EVENTFD | IRQ_ACTION_TRIGGER && fds.len() <= end - start => {
                let mut fds = fds.into_iter();
                self.eventfds[start..end].fill_with(|| fds.next());
            }
            flags if flags == IRQ_DATA_NONE | IRQ_ACTION_TRIGGER => self.raise(start..end, |_| true),
            flags if flags == IRQ_DATA_BOOL | IRQ_ACTION_TRIGGER && data.0.len() == end - start => {
                self.raise(start..end, |n| data.0[n - start] != 0);
            }
            _ => return Err(errno::EINVAL),
        }
        Ok(Vec::new())
    }

    /// Raises interrupts because the client asks for it.
    fn raise(&self, vectors: std::ops::Range<usize>, is_meant: impl Fn(usize) -> bool) {
        for n in vectors.filter(|n| is_meant(*n)) {
            if let Some(eventfd) = &self.eventfds[n] {
                let _: Result<usize, _> = rustix::io::write(eventfd, &1u64.to_ne_bytes());
            }
        }
    }

    fn region_read(&mut self, payload: &[u8]) -> Result<Vec<u8>, u32> {
        let (access, _) = RegionAccess::split(payload).map_err(|_| errno::EINVAL)?;
        let RegionAccess { offset, region, count } = access;
        let count = count as usize;
        if count > DATA_BYTES_MAX {
            return Err(errno::E2BIG);
        }
        let mut reply = access.to_bytes();
        match region {
            REGION_BAR0 => reply.extend(self.registers(offset, count)?),
            REGION_CONFIG => reply.extend(self.config.read(offset, count).ok_or(errno::EINVAL)?),
            MSIX_BAR => {
                let start = usize::try_from(offset).map_err(|_| errno::EINVAL)?;
                let end = start.checked_add(count).ok_or(errno::EINVAL)?;
                reply.extend(self.msix_bar.get(start..end).ok_or(errno::EINVAL)?);
            }
            _ => return Err(errno::EINVAL),
        }
        Ok(reply)
    }

    /// Reads BAR0, by whole registers; fewer bytes are cut out of one.
    fn registers(&mut self, offset: u64, count: usize) -> Result<Vec<u8>, u32> {
        let end = offset.checked_add(count as u64).filter(|end| *end <= BAR0_BYTES as u64);
        let is_aligned = count.is_power_of_two() && count <= 8 && offset.is_multiple_of(count as u64);
        if end.is_none() || !is_aligned {
            return Err(errno::EINVAL);
        }
        let mut bytes = Vec::new();
        let first = offset as u16 & !3;
        for at in (first..first + count.max(4) as u16).step_by(4) {
            let value = self.function.read_register(at).map_err(|_| errno::EIO)?;
            bytes.extend(value.to_le_bytes());
        }
        let cut = offset as usize & 3;
        Ok(bytes[cut..cut + count].to_vec())
    }

    fn region_write(&mut self, payload: &[u8], posted: &mut Posted) -> Result<Vec<u8>, u32> {
        let (access, rest) = RegionAccess::split(payload).map_err(|_| errno::EINVAL)?;
        let data = rest.data(access.count.into()).map_err(|_| errno::EINVAL)?;
        match access.region {
            REGION_BAR0 => {
                let value: [u8; 4] = data.try_into().map_err(|_| errno::EINVAL)?;
                if access.offset >= BAR0_BYTES as u64 || !access.offset.is_multiple_of(4) {
                    return Err(errno::EINVAL);
                }
                *posted = Some((access.offset as u16, u32::from_le_bytes(value)));
            }
            REGION_CONFIG => {
                let effect = self.config.write(access.offset, data).ok_or(errno::EINVAL)?;
                self.memory.set_bus_master(self.config.is_bus_master());
                if effect == Effect::Reset {
                    self.reset();
                }
            }
            MSIX_BAR => {
                let start = usize::try_from(access.offset).map_err(|_| errno::EINVAL)?;
                let end = start.checked_add(data.len()).ok_or(errno::EINVAL)?;
                self.msix_bar.get_mut(start..end).ok_or(errno::EINVAL)?.copy_from_slice(data);
            }
            _ => return Err(errno::EINVAL),
        }
        Ok(access.to_bytes())
    }

    /// A function-level reset: nothing of the card reaches memory until it is bus master again.
    fn reset(&mut self) {
        self.served.resets += 1;
        self.config = ConfigSpace::default();
        self.memory.set_bus_master(false);
        self.function.reset();
        self.sent.clear();
    }
}

fn region_info(payload: &[u8]) -> Result<Vec<u8>, u32> {
    let (asked, _) = RegionInfo::split(payload).map_err(|_| errno::EINVAL)?;
    let size = match asked.index {
        REGION_BAR0 => BAR0_BYTES,
        MSIX_BAR => MSIX_BAR_BYTES,
        REGION_CONFIG => CONFIG_BYTES,
        index if index < REGIONS => 0,
        _ => return Err(errno::EINVAL),
    };
    let flags = if size > 0 { REGION_READ | REGION_WRITE } else { 0 };
    let argsz = RegionInfo::BYTES as u32;
    Ok(RegionInfo { argsz, flags, index: asked.index, cap_offset: 0, size: size as u64, offset: 0 }
        .to_bytes())
}

fn irq_info(payload: &[u8]) -> Result<Vec<u8>, u32> {
    let (asked, _) = IrqInfo::split(payload).map_err(|_| errno::EINVAL)?;
    let (flags, count) = match asked.index {
        IRQ_MSIX => (IRQ_EVENTFD | IRQ_NORESIZE, MSIX_VECTORS as u32),
        index if index < IRQS => (0, 0),
        _ => return Err(errno::EINVAL),
    };
    Ok(IrqInfo { argsz: IrqInfo::BYTES as u32, flags, index: asked.index, count }.to_bytes())
}

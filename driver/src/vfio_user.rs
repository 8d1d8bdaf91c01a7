//! A card that another process serves over the vfio-user protocol.
//!
//! The client of the protocol: registers are messages, or memory where the other side offers its BAR to be
//! mapped; memory for the card is a file whose descriptor the other side gets, or stays here and is read and
//! written by messages ([`DmaBy`]); interrupts come by an eventfd. One thread does it all: messages of the
//! card are answered while this side waits for a reply, for an interrupt, or for records.
//!
//! The other side is not trusted: it reaches the regions that were mapped, each in its direction, and nothing
//! else; and every wait for it ends ([`Options::limit`]).

mod client;
pub mod protocol;
pub mod socket;

use std::error::Error;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, eventfd};
use rustix::io::Errno;

use crate::bar::Bar;
use crate::hugepages::{Note, PageSize, Pool};
use crate::transport::{Direction, DmaRegion, Iova, Transport, TransportError};
use client::{Client, PeerError};
use protocol::{
    Command, DEVICE_PCI, DEVICE_RESET, DeviceInfo, IRQ_ACTION_TRIGGER, IRQ_DATA_EVENTFD, IRQ_MSIX, IrqInfo,
    IrqSet, ProtocolError, REGION_BAR0, REGION_CONFIG, REGION_MMAP, REGION_READ, REGION_WRITE, RegionInfo,
};
use socket::SocketError;

/// Bytes of BAR0 that hold registers.
const REGISTER_BYTES: usize = 1 << wiresift_abi::csr::ADDRESS_BITS;
/// Command register in the configuration space, and its bits for memory and bus master.
const PCI_COMMAND: u64 = 4;
const PCI_COMMAND_ON: u16 = 1 << 1 | 1 << 2;
/// Calls of `relax` in a row that only spin.
const SPINS: u32 = 64;
/// How long `relax` waits for a message of the card.
const RELAX: Duration = Duration::from_micros(50);

/// How the card gets at memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DmaBy {
    /// The other side maps the file that holds it.
    #[default]
    Fd,
    /// The other side asks for each access by message.
    Message,
}

/// How to reach the other side.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How the card gets at memory.
    pub dma: DmaBy,
    /// How long an answer may take.
    pub limit: Duration,
    /// Largest pages to look for.
    pub pages: PageSize,
    /// Is told which pages the memory is in.
    pub note: Option<Note>,
}

impl Default for Options {
    /// By file; 800 ms, so that a peer that is stuck is an error within a second; the largest pages there are.
    fn default() -> Self {
        Self { dma: DmaBy::Fd, limit: Duration::from_millis(800), pages: PageSize::Giant, note: None }
    }
}

/// Why there is no card at the other end.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Nobody listens.
    #[error("cannot connect to {path}")]
    Connect {
        /// The socket.
        path: String,
        /// What came between.
        #[source]
        source: io::Error,
    },
    /// The other side did not do what the protocol asks for.
    #[error("the other side serves no card")]
    Peer(#[source] Box<dyn Error + Send + Sync>),
    /// The other side has something else.
    #[error("the other side serves no Wiresift card: {0}")]
    Device(String),
    /// No eventfd.
    #[error("no eventfd for interrupts")]
    Eventfd(#[source] Errno),
}

impl From<PeerError> for OpenError {
    fn from(error: PeerError) -> Self {
        Self::Peer(Box::new(error))
    }
}

/// A card behind a socket.
#[derive(Debug)]
pub struct VfioUser {
    client: Arc<Mutex<Client>>,
    bar: Option<Bar>,
    interrupt: OwnedFd,
    pool: Pool,
    dma: DmaBy,
    start: Instant,
    /// Calls of `relax` since something else was called.
    idle: u32,
}

impl VfioUser {
    /// Connects to the socket at `path`.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn connect(path: &Path, options: Options) -> Result<Self, OpenError> {
        let stream = UnixStream::connect(path)
            .map_err(|source| OpenError::Connect { path: path.display().to_string(), source })?;
        Self::over(stream, options)
    }

    /// Over a socket that is connected.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn over(stream: UnixStream, options: Options) -> Result<Self, OpenError> {
        let mut client = Client::new(stream, options.limit)
            .map_err(|source| OpenError::Connect { path: "a connected socket".to_owned(), source })?;
        client.agree_on_version()?;
        let (info, _) = client.ask_for(Command::DeviceGetInfo, DeviceInfo::BYTES as u32, |argsz| {
            DeviceInfo { argsz, ..DeviceInfo::default() }.to_bytes()
        })?;
        let (info, _) = DeviceInfo::split(&info).map_err(PeerError::from)?;
        let must = DEVICE_PCI | DEVICE_RESET;
        if info.flags & must != must || info.regions <= REGION_CONFIG || info.irqs <= IRQ_MSIX {
            return Err(OpenError::Device(format!("{info:?}")));
        }
        let bar = open_bar(&mut client)?;
        let interrupt =
            eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).map_err(OpenError::Eventfd)?;
        set_interrupt(&mut client, &interrupt)?;
        set_bus_master(&mut client)?;
        Ok(Self {
            client: Arc::new(Mutex::new(client)),
            bar,
            interrupt,
            pool: Pool::new(options.pages).telling(options.note),
            dma: options.dma,
            start: Instant::now(),
            idle: 0,
        })
    }

    /// The pages that the memory for the card is in: the smallest ones, where they differ.
    pub fn page_size(&self) -> Option<PageSize> {
        self.pool.page_size()
    }

    /// Whether registers are memory here, and no messages.
    pub fn is_bar_mapped(&self) -> bool {
        self.bar.is_some()
    }

    fn client(&self) -> MutexGuard<'_, Client> {
        lock(&self.client)
    }
}

fn lock(client: &Mutex<Client>) -> MutexGuard<'_, Client> {
    // A panic in between leaves at worst a socket that says it is broken.
    client.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Looks at BAR0, and maps it where that is offered.
fn open_bar(client: &mut Client) -> Result<Option<Bar>, OpenError> {
    let (payload, fds) = client.ask_for(Command::GetRegionInfo, RegionInfo::BYTES as u32, |argsz| {
        RegionInfo { argsz, index: REGION_BAR0, ..RegionInfo::default() }.to_bytes()
    })?;
    let (info, _) = RegionInfo::split(&payload).map_err(PeerError::from)?;
    let must = REGION_READ | REGION_WRITE;
    if info.flags & must != must || info.size < REGISTER_BYTES as u64 || info.index != REGION_BAR0 {
        return Err(OpenError::Device(format!("BAR0 is {info:?}")));
    }
    // A region that can be mapped in parts says so by a capability; then messages do.
    let Some(fd) = fds.into_iter().next().filter(|_| info.flags & REGION_MMAP != 0 && info.cap_offset == 0)
    else {
        return Ok(None);
    };
    let bar = Bar::new(fd, info.offset, REGISTER_BYTES);
    bar.map(Some).map_err(|error| OpenError::Device(format!("BAR0 cannot be mapped: {error}")))
}

fn set_interrupt(client: &mut Client, interrupt: &OwnedFd) -> Result<(), OpenError> {
    let (payload, _) = client.ask_for(Command::GetIrqInfo, IrqInfo::BYTES as u32, |argsz| {
        IrqInfo { argsz, index: IRQ_MSIX, ..IrqInfo::default() }.to_bytes()
    })?;
    let (info, _) = IrqInfo::split(&payload).map_err(PeerError::from)?;
    if info.count == 0 {
        return Err(OpenError::Device("it has no MSI-X interrupt".to_owned()));
    }
    let flags = IRQ_DATA_EVENTFD | IRQ_ACTION_TRIGGER;
    let set = IrqSet { argsz: IrqSet::BYTES as u32, flags, index: IRQ_MSIX, start: 0, count: 1 };
    client.request(Command::SetIrqs, &set.to_bytes(), &[interrupt.as_fd()])?;
    Ok(())
}

/// Lets the card read and write memory.
fn set_bus_master(client: &mut Client) -> Result<(), PeerError> {
    let bytes: [u8; 2] = client.read_region(REGION_CONFIG, PCI_COMMAND)?;
    let command = u16::from_le_bytes(bytes) | PCI_COMMAND_ON;
    client.write_region(REGION_CONFIG, PCI_COMMAND, &command.to_le_bytes())
}

fn broken(error: PeerError) -> TransportError {
    TransportError::Broken { source: Box::new(error) }
}

/// What a register access came to: no answer and an answer that says no are told apart.
fn of_register(offset: u16, error: PeerError) -> TransportError {
    match error {
        PeerError::Socket(SocketError::Timeout(waited)) => {
            TransportError::NoAnswer { offset, waited_ns: waited.as_nanos() as u64 }
        }
        error => broken(error),
    }
}

impl Transport for VfioUser {
    fn read_register(&mut self, offset: u16) -> Result<u32, TransportError> {
        self.idle = 0;
        if let Some(bar) = &self.bar {
            return bar.read_present(offset);
        }
        let value = self.client().read_region(REGION_BAR0, offset.into());
        value.map(u32::from_le_bytes).map_err(|error| of_register(offset, error))
    }

    fn write_register(&mut self, offset: u16, value: u32) -> Result<(), TransportError> {
        self.idle = 0;
        if let Some(bar) = &self.bar {
            bar.write(offset, value);
            return Ok(());
        }
        let written = self.client().write_region(REGION_BAR0, offset.into(), &value.to_le_bytes());
        written.map_err(|error| of_register(offset, error))
    }

    fn map(&mut self, bytes: usize, direction: Direction) -> Result<DmaRegion, TransportError> {
        let failed = |source: Box<dyn Error + Send + Sync>| TransportError::Map { bytes, source };
        let memory = Arc::new(self.pool.take(bytes).map_err(|error| failed(Box::new(error)))?);
        let by_file = self.dma == DmaBy::Fd;
        let iova = self.client().map(&memory, direction, by_file).map_err(|error| failed(Box::new(error)))?;
        let client = Arc::clone(&self.client);
        let unmap = move || lock(&client).unmap(iova);
        Ok(DmaRegion::new(memory, Iova(iova), direction, unmap))
    }

    fn wait_interrupt(&mut self, timeout_ns: u64) -> Result<bool, TransportError> {
        let deadline = Instant::now() + Duration::from_nanos(timeout_ns);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let mut client = self.client();
            client.wait(Some(self.interrupt.as_fd()), left).map_err(broken)?;
            client.serve_waiting().map_err(broken)?;
            // The count of an eventfd is 8 bytes; where it is 0 there is nothing to read.
            if rustix::io::read(&self.interrupt, &mut [0; 8]).is_ok() {
                return Ok(true);
            }
            if left.is_zero() {
                return Ok(false);
            }
        }
    }

    fn reset_function(&mut self) -> Result<(), TransportError> {
        let mut client = self.client();
        let reset = client.request(Command::DeviceReset, &[], &[]).map(|_| ());
        reset
            .and_then(|()| set_bus_master(&mut client))
            .map_err(|error| TransportError::Reset { source: Box::new(error) })
    }

    fn is_contained(&self) -> bool {
        true
    }

    /// Spins at first, then waits for messages of the card where it sends some, or gives the processor away.
    fn relax(&mut self) {
        self.idle = self.idle.saturating_add(1);
        if self.dma == DmaBy::Message {
            // An error stays with the socket, and the next register access tells it.
            let mut client = self.client();
            let limit = if self.idle < SPINS { Duration::ZERO } else { RELAX };
            let _: Result<(), PeerError> = client.wait(None, limit).and_then(|()| client.serve_waiting());
        } else if self.idle < SPINS {
            std::hint::spin_loop();
        } else {
            thread::yield_now();
        }
    }

    fn now_ns(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64
    }
}

impl From<ProtocolError> for PeerError {
    fn from(error: ProtocolError) -> Self {
        Self::Socket(error.into())
    }
}

#[cfg(test)]
mod tests;

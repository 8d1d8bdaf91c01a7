//! A card on the PCI bus, through the kernel's VFIO and an IOMMU.
//!
//! The process opens the card's IOMMU group, which holds nothing that the kernel uses; the IOMMU lets the card
//! reach the regions that were mapped, each in its direction, and nothing else. Registers are mapped, so an access
//! is one instruction. Everything is given back when this is dropped, and by the kernel when the process ends in
//! whatever way: it resets the function, takes the mappings away and frees the pages.

mod capability;
mod ioctl;

use std::ffi::CString;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, PollFlags, eventfd};
use rustix::io::Errno;
use vfio_bindings::bindings::vfio::{
    VFIO_API_VERSION, VFIO_DEVICE_FLAGS_PCI, VFIO_DEVICE_FLAGS_RESET, VFIO_DMA_MAP_FLAG_READ,
    VFIO_DMA_MAP_FLAG_WRITE, VFIO_GROUP_FLAGS_VIABLE, VFIO_IRQ_SET_ACTION_TRIGGER, VFIO_IRQ_SET_DATA_EVENTFD,
    VFIO_PCI_BAR0_REGION_INDEX, VFIO_PCI_CONFIG_REGION_INDEX, VFIO_PCI_MSIX_IRQ_INDEX,
    VFIO_REGION_INFO_FLAG_MMAP, VFIO_TYPE1v2_IOMMU,
};
use wiresift_abi::pci::BAR0_BYTES;

use crate::bar::Bar;
use crate::hugepages::{Note, PageSize, Pool};
use crate::iova::IovaSpace;
use crate::transport::{Direction, DmaRegion, Iova, Transport, TransportError};
use crate::vfio_user::socket::wait_for;

/// Command register in the configuration space, and its bits for memory and bus master.
const PCI_COMMAND: u64 = 4;
const COMMAND_MEMORY: u16 = 1 << 1;
const COMMAND_MASTER: u16 = 1 << 2;
/// Calls of `relax` in a row that only spin.
const SPINS: u32 = 256;

/// Why a card on the bus cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum VfioError {
    /// No such address, or not one.
    #[error("there is no PCI device {0}")]
    NoDevice(String),
    /// No IOMMU keeps the device apart.
    #[error("{0} is in no IOMMU group: the IOMMU is off, in the firmware or in the kernel (intel_iommu=on)")]
    NoGroup(String),
    /// The device has another driver, or none.
    #[error("{address} is bound to {driver}, not to vfio-pci (`wiresift bind {address}` does that)")]
    Driver {
        /// Address of the device.
        address: String,
        /// Name of its driver.
        driver: String,
    },
    /// A device of the group is used by the kernel.
    #[error("IOMMU group {group} is shared with devices that the kernel uses: {others}")]
    Shared {
        /// Number of the group.
        group: String,
        /// Addresses and drivers.
        others: String,
    },
    /// A file of the kernel cannot be opened.
    #[error("cannot open {}", .path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the kernel says.
        #[source]
        source: io::Error,
    },
    /// A call failed.
    #[error("cannot {what}")]
    Call {
        /// What was tried.
        what: &'static str,
        /// What the kernel says.
        #[source]
        source: Errno,
    },
    /// The kernel or the device cannot do what is needed.
    #[error("{0}")]
    Unfit(String),
    /// No address is free for memory.
    #[error("no address is free for {0} bytes")]
    Addresses(usize),
    /// Memory cannot be pinned.
    #[error("{0} bytes cannot be pinned: more than RLIMIT_MEMLOCK allows (`ulimit -l`)")]
    MemLock(usize),
}

fn call(what: &'static str) -> impl FnOnce(Errno) -> VfioError {
    move |source| VfioError::Call { what, source }
}

/// How to use a card.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Largest pages to look for.
    pub pages: PageSize,
    /// Is told which pages the memory is in.
    pub note: Option<Note>,
}

impl Default for Options {
    fn default() -> Self {
        Self { pages: PageSize::Giant, note: None }
    }
}

/// The files that keep the card ours, closed in this order.
struct Files {
    device: OwnedFd,
    _group: File,
    container: File,
}

/// What the mappings share.
struct Mappings {
    files: Files,
    iovas: Mutex<IovaSpace>,
}

/// A card on the bus.
pub struct Vfio {
    /// Unmapped before the files are closed: the kernel keeps the group busy otherwise.
    bar: Bar,
    mappings: Arc<Mappings>,
    /// Where in the device's file the configuration space begins.
    config: u64,
    interrupt: OwnedFd,
    pool: Pool,
    start: Instant,
    idle: u32,
}

impl fmt::Debug for Vfio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vfio({:?}, {:?})", self.bar, self.mappings.files.device)
    }
}

impl Vfio {
    /// Opens the card at an address of the bus, for example `0000:01:00.0`, which is bound to vfio-pci.
    ///
    /// # Errors
    /// See [`VfioError`].
    pub fn open(address: &str, options: Options) -> Result<Self, VfioError> {
        let group_number = group_of(address)?;
        let container = open(Path::new("/dev/vfio/vfio"))?;
        if ioctl::api_version(&container).map_err(call("ask for the version of VFIO"))? as u32
            != VFIO_API_VERSION
        {
            return Err(VfioError::Unfit("the kernel's VFIO has another version".to_owned()));
        }
        if !ioctl::has_extension(&container, VFIO_TYPE1v2_IOMMU).map_err(call("ask for the IOMMU"))? {
            return Err(VfioError::Unfit(
                "the kernel's VFIO has no type 1 IOMMU (module vfio_iommu_type1)".to_owned(),
            ));
        }
        let group = open(&Path::new("/dev/vfio").join(&group_number))?;
        let flags = ioctl::group_flags(&group).map_err(call("ask for the state of the IOMMU group"))?;
        if flags & VFIO_GROUP_FLAGS_VIABLE == 0 {
            let others = others_of(&group_number);
            return Err(VfioError::Shared { group: group_number, others });
        }
        ioctl::set_container(&group, container.as_raw_fd())
            .map_err(call("put the IOMMU group into a container"))?;
        ioctl::set_iommu(&container, VFIO_TYPE1v2_IOMMU).map_err(call("use the IOMMU"))?;
        let info = ioctl::iommu_info(&container).map_err(call("ask what the IOMMU can map"))?;
        let ranges = capability::iova_ranges(&info).map_err(|error| VfioError::Unfit(error.to_string()))?;
        let name = CString::new(address).map_err(|_| VfioError::NoDevice(address.to_owned()))?;
        let device = ioctl::device(&group, &name).map_err(call("open the device"))?;
        Self::over(Files { device, _group: group, container }, ranges, options)
    }

    fn over(files: Files, ranges: Vec<(u64, u64)>, options: Options) -> Result<Self, VfioError> {
        let device = &files.device;
        let info = ioctl::device_info(device).map_err(call("ask what the device is"))?;
        let must = VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET;
        if info.flags & must != must {
            return Err(VfioError::Unfit(format!(
                "a PCI device that cannot be reset (flags {:#x})",
                info.flags
            )));
        }
        let region =
            |index| ioctl::region_info(device, index).map_err(call("ask where a region of the device is"));
        let (bar0, config) = (region(VFIO_PCI_BAR0_REGION_INDEX)?, region(VFIO_PCI_CONFIG_REGION_INDEX)?);
        if bar0.size < BAR0_BYTES as u64 || bar0.flags & VFIO_REGION_INFO_FLAG_MMAP == 0 {
            return Err(VfioError::Unfit(format!("BAR0 of {} bytes cannot be mapped", bar0.size)));
        }
        let irq = ioctl::irq_info(device, VFIO_PCI_MSIX_IRQ_INDEX).map_err(call("ask for MSI-X"))?;
        if irq.count == 0 {
            return Err(VfioError::Unfit("the device has no MSI-X".to_owned()));
        }
        let interrupt =
            eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).map_err(call("make an eventfd"))?;
        let flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
        ioctl::set_irq(device, flags, VFIO_PCI_MSIX_IRQ_INDEX, interrupt.as_raw_fd())
            .map_err(call("connect the interrupt"))?;
        let bar = Bar::new(device, bar0.offset, BAR0_BYTES).map_err(call("map BAR0"))?;
        let vfio = Self {
            bar,
            mappings: Arc::new(Mappings { files, iovas: Mutex::new(IovaSpace::new(ranges)) }),
            config: config.offset,
            interrupt,
            pool: Pool::new(options.pages).telling(options.note),
            start: Instant::now(),
            idle: 0,
        };
        vfio.set_command(COMMAND_MEMORY | COMMAND_MASTER, 0).map_err(call("let the device reach memory"))?;
        Ok(vfio)
    }

    /// The pages that the memory for the card is in: the smallest ones, where they differ.
    pub fn page_size(&self) -> Option<PageSize> {
        self.pool.page_size()
    }

    /// Sets and clears bits of the command register.
    fn set_command(&self, set: u16, clear: u16) -> Result<(), Errno> {
        let (device, at) = (&self.mappings.files.device, self.config + PCI_COMMAND);
        let mut bytes = [0; 2];
        if rustix::io::pread(device, &mut bytes[..], at)? != bytes.len() {
            return Err(Errno::IO);
        }
        let command = u16::from_le_bytes(bytes) & !clear | set;
        let written = rustix::io::pwrite(device, &command.to_le_bytes(), at)?;
        if written == bytes.len() { Ok(()) } else { Err(Errno::IO) }
    }
}

impl Drop for Vfio {
    fn drop(&mut self) {
        // The kernel does that too when the device is closed; a card that is gone takes no write.
        let _: Result<(), Errno> = self.set_command(0, COMMAND_MASTER);
    }
}

impl Mappings {
    fn map(&self, address: u64, bytes: usize, direction: Direction) -> Result<u64, VfioError> {
        let flags = match direction {
            Direction::H2c => VFIO_DMA_MAP_FLAG_READ,
            Direction::C2h => VFIO_DMA_MAP_FLAG_WRITE,
        };
        let mut iovas = self.iovas.lock().unwrap_or_else(PoisonError::into_inner);
        // Aligned so that the IOMMU can use pages of 2 MiB.
        let iova = iovas.take(bytes as u64, 2 << 20).ok_or(VfioError::Addresses(bytes))?;
        let mapped = ioctl::map(&self.files.container, flags, address, iova, bytes as u64);
        match mapped {
            Ok(()) => Ok(iova),
            Err(error) => {
                iovas.give_back(iova);
                Err(match error {
                    Errno::NOMEM => VfioError::MemLock(bytes),
                    source => VfioError::Call { what: "map memory for the card", source },
                })
            }
        }
    }

    fn unmap(&self, iova: u64, bytes: usize) {
        // Where the kernel does not unmap all of it, its address is not used again.
        if ioctl::unmap(&self.files.container, iova, bytes as u64) == Ok(bytes as u64) {
            self.iovas.lock().unwrap_or_else(PoisonError::into_inner).give_back(iova);
        }
    }
}

fn open(path: &Path) -> Result<File, VfioError> {
    let opened = OpenOptions::new().read(true).write(true).open(path);
    opened.map_err(|source| VfioError::Open { path: path.to_owned(), source })
}

fn last_of(link: PathBuf) -> Option<String> {
    let target = fs::read_link(link).ok()?;
    Some(target.file_name()?.to_str()?.to_owned())
}

/// The number of the IOMMU group of a device that is bound to vfio-pci.
fn group_of(address: &str) -> Result<String, VfioError> {
    let is_plain = address.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b':' || byte == b'.');
    let device = Path::new("/sys/bus/pci/devices").join(address);
    if !is_plain || address.is_empty() || !device.is_dir() {
        return Err(VfioError::NoDevice(address.to_owned()));
    }
    let group = last_of(device.join("iommu_group")).ok_or_else(|| VfioError::NoGroup(address.to_owned()))?;
    match last_of(device.join("driver")) {
        Some(driver) if driver == "vfio-pci" => Ok(group),
        driver => {
            let driver = driver.unwrap_or_else(|| "no driver".to_owned());
            Err(VfioError::Driver { address: address.to_owned(), driver })
        }
    }
}

/// The devices of a group that another driver than vfio-pci has.
fn others_of(group: &str) -> String {
    let devices = Path::new("/sys/kernel/iommu_groups").join(group).join("devices");
    let entries = fs::read_dir(devices).into_iter().flatten().flatten();
    let others = entries.filter_map(|entry| {
        let driver = last_of(entry.path().join("driver")).filter(|driver| driver != "vfio-pci")?;
        Some(format!("{} ({driver})", entry.file_name().to_string_lossy()))
    });
    others.collect::<Vec<_>>().join(", ")
}

impl Transport for Vfio {
    fn read_register(&mut self, offset: u16) -> Result<u32, TransportError> {
        self.idle = 0;
        self.bar.read_present(offset)
    }

    fn write_register(&mut self, offset: u16, value: u32) -> Result<(), TransportError> {
        self.idle = 0;
        self.bar.write(offset, value);
        Ok(())
    }

    fn map(&mut self, bytes: usize, direction: Direction) -> Result<DmaRegion, TransportError> {
        let memory =
            self.pool.take(bytes).map_err(|error| TransportError::Map { bytes, source: Box::new(error) })?;
        let size = memory.bytes();
        let iova = self
            .mappings
            .map(memory.address(), size, direction)
            .map_err(|error| TransportError::Map { bytes, source: Box::new(error) })?;
        let mappings = Arc::clone(&self.mappings);
        let unmap = move || mappings.unmap(iova, size);
        Ok(DmaRegion::new(Arc::new(memory), Iova(iova), direction, unmap))
    }

    fn wait_interrupt(&mut self, timeout_ns: u64) -> Result<bool, TransportError> {
        let limit = Duration::from_nanos(timeout_ns);
        wait_for(self.interrupt.as_fd(), None, PollFlags::IN, limit)
            .map_err(|error| TransportError::Broken { source: Box::new(error) })?;
        // The count of an eventfd is 8 bytes; where it is 0 there is nothing to read.
        Ok(rustix::io::read(&self.interrupt, &mut [0; 8]).is_ok())
    }

    fn reset_function(&mut self) -> Result<(), TransportError> {
        let reset = ioctl::reset(&self.mappings.files.device).map_err(call("reset the function"));
        let master = || {
            self.set_command(COMMAND_MEMORY | COMMAND_MASTER, 0).map_err(call("let the device reach memory"))
        };
        reset.and_then(|()| master()).map_err(|error| TransportError::Reset { source: Box::new(error) })
    }

    fn is_contained(&self) -> bool {
        true
    }

    /// Spins at first, then gives the processor away.
    fn relax(&mut self) {
        self.idle = self.idle.saturating_add(1);
        if self.idle < SPINS {
            std::hint::spin_loop();
        } else {
            thread::yield_now();
        }
    }

    fn now_ns(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_none_is_an_error_that_says_so() {
        for address in ["", "../../..", "ffff:ff:1f.7", "0000:00:00.0\0", "wire"] {
            let error = Vfio::open(address, Options::default()).unwrap_err();
            assert!(matches!(error, VfioError::NoDevice(_)), "{address:?}: {error}");
        }
    }
}

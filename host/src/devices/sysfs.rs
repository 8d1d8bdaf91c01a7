//! What the kernel says of the devices on the PCI bus (Documentation/ABI/testing/sysfs-bus-pci).

use std::fs;
use std::path::{Path, PathBuf};

use wiresift_abi::pci;

use super::{Address, Root, VFIO_DRIVER, text};

/// Folder of the devices.
const DEVICES: &str = "/sys/bus/pci/devices";
/// Base class of bridges (PCI Code and ID Assignment, 1.7): they take no part in what a group's devices do.
const CLASS_BRIDGE: u32 = 0x06;

/// Speed and width of a link, as the kernel writes them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// For example `8.0 GT/s PCIe`.
    pub speed: String,
    /// Lanes.
    pub width: u32,
}

/// A function on the PCI bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PciDevice {
    /// Where it is.
    pub address: Address,
    /// Vendor.
    pub vendor: u16,
    /// Device.
    pub device: u16,
    /// Vendor and device of the subsystem.
    pub subsystem: (u16, u16),
    /// Class, 24 bits.
    pub class: u32,
    /// Driver that it is bound to.
    pub driver: Option<String>,
    /// IOMMU group; `None` where no IOMMU stands before it.
    pub group: Option<u32>,
    /// Link as it was trained, and as both ends could have it; `None` where it has none.
    pub link: Option<(Link, Link)>,
    /// NUMA node; `None` where the machine has only one.
    pub numa_node: Option<u32>,
}

impl PciDevice {
    /// The device at an address, if there is one.
    pub fn at(root: &Root, address: Address) -> Option<Self> {
        let folder = folder(root, address);
        let number = |name: &str| {
            let text = text(&folder.join(name))?;
            u32::from_str_radix(text.trim_start_matches("0x"), 16).ok()
        };
        let link = |which: &str| {
            let speed = text(&folder.join(format!("{which}_link_speed")))?;
            let width = text(&folder.join(format!("{which}_link_width")))?.parse().ok()?;
            (width > 0).then_some(Link { speed, width })
        };
        Some(Self {
            address,
            vendor: number("vendor")? as u16,
            device: number("device")? as u16,
            subsystem: (
                number("subsystem_vendor").unwrap_or(0) as u16,
                number("subsystem_device").unwrap_or(0) as u16,
            ),
            class: number("class").unwrap_or(0),
            driver: link_name(&folder.join("driver")),
            group: link_name(&folder.join("iommu_group")).and_then(|name| name.parse().ok()),
            link: link("current").and_then(|current| Some((current, link("max")?))),
            numa_node: text(&folder.join("numa_node")).and_then(|text| text.parse().ok()),
        })
    }

    /// Whether it has the numbers of a Wiresift card. Other makers' designs behind the same bridge may have them too:
    /// only the register ID says what it is.
    pub fn is_card(&self) -> bool {
        let Self { vendor, device, subsystem, .. } = *self;
        pci::is_card((vendor, device), subsystem)
    }

    /// Whether it is bound to `vfio-pci`.
    pub fn is_vfio(&self) -> bool {
        self.driver.as_deref() == Some(VFIO_DRIVER)
    }

    /// Whether it is a bridge.
    pub fn is_bridge(&self) -> bool {
        self.class >> 16 == CLASS_BRIDGE
    }

    /// Devices of its IOMMU group that a driver of the host holds: as long as there is one, the group cannot be used.
    pub fn sharers(&self, root: &Root) -> Vec<PciDevice> {
        let Some(group) = self.group else { return Vec::new() };
        let names = root.names(&format!("/sys/kernel/iommu_groups/{group}/devices"));
        let others = names.iter().filter_map(|name| name.parse().ok()).filter(|other| *other != self.address);
        let others = others.filter_map(|other| Self::at(root, other));
        others.filter(|other| !other.is_bridge() && other.driver.is_some() && !other.is_vfio()).collect()
    }

    /// What of the host uses it now: network interfaces, disks, displays.
    pub fn users(&self, root: &Root) -> Vec<String> {
        let folder = folder(root, self.address);
        let mut users = Vec::new();
        for kind in ["net", "block", "nvme", "drm", "ata_port"] {
            let entries = fs::read_dir(folder.join(kind)).into_iter().flatten().flatten();
            users.extend(entries.map(|entry| format!("{kind}/{}", entry.file_name().to_string_lossy())));
        }
        users.sort();
        users
    }
}

/// Every function on the bus, in the order of the addresses.
pub fn scan(root: &Root) -> Vec<PciDevice> {
    let names = root.names(DEVICES);
    let mut devices: Vec<PciDevice> = names
        .iter()
        .filter_map(|name| name.parse().ok())
        .filter_map(|address| PciDevice::at(root, address))
        .collect();
    devices.sort_by_key(|device| device.address);
    devices
}

/// Folder of a device.
pub(super) fn folder(root: &Root, address: Address) -> PathBuf {
    root.path(DEVICES).join(address.to_string())
}

/// Last part of what a symbolic link leads to.
fn link_name(path: &Path) -> Option<String> {
    Some(fs::read_link(path).ok()?.file_name()?.to_str()?.to_owned())
}

//! Binding of a device to `vfio-pci`, and back.
//!
//! `driver_override` names the only driver that may have the device, so no other device is touched by it
//! (Documentation/ABI/testing/sysfs-bus-pci). What was begun and does not come to its end is undone.

use std::io;
use std::path::PathBuf;

use super::sysfs::{PciDevice, folder};
use super::{Address, Root, VFIO_DRIVER, text};

/// Written to `driver_override`, it takes the override away.
const NO_OVERRIDE: &str = "\n";

/// Why a device was not bound.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// There is none.
    #[error("there is no PCI device {0}")]
    Absent(Address),
    /// It is something else.
    #[error(
        "{address} is no Wiresift card ({vendor:04x}:{device:04x}), and whoever uses it would lose it; \
         --force binds it all the same"
    )]
    NoCard {
        /// Where.
        address: Address,
        /// Its vendor.
        vendor: u16,
        /// Its device number.
        device: u16,
    },
    /// The host uses it.
    #[error("{address} is in use: {}", .users.join(", "))]
    InUse {
        /// Where.
        address: Address,
        /// What uses it.
        users: Vec<String>,
    },
    /// No IOMMU.
    #[error("{0} has no IOMMU group: the IOMMU is off (`wiresift devices doctor` tells how to turn it on)")]
    NoGroup(Address),
    /// The driver is not loaded.
    #[error("the driver {VFIO_DRIVER} is not loaded: sudo modprobe {VFIO_DRIVER}")]
    NoDriver,
    /// It is not bound to `vfio-pci`, so there is nothing to undo.
    #[error("{address} is not bound to {VFIO_DRIVER} but to {driver}")]
    NotBound {
        /// Where.
        address: Address,
        /// What it is bound to.
        driver: String,
    },
    /// A file of the kernel could not be written.
    #[error("cannot write {}{}", .path.display(), as_root(.source))]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The kernel did as if, and the device has another driver than it should.
    #[error("{address} is bound to {is} where it should be bound to {should}")]
    Result {
        /// Where.
        address: Address,
        /// What it is bound to.
        is: String,
        /// What it should be bound to.
        should: String,
    },
}

fn as_root(error: &io::Error) -> &'static str {
    if error.kind() == io::ErrorKind::PermissionDenied { " (this needs root)" } else { "" }
}

/// What binding a device did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Driver before; `None` where it had none.
    pub before: Option<String>,
    /// Driver now; `None` where it has none.
    pub now: Option<String>,
    /// Its group: `/dev/vfio/GROUP` is what a process opens.
    pub group: Option<u32>,
}

/// Binds a device to `vfio-pci`. Nothing is done to one that is bound to it already.
///
/// # Errors
/// See [`BindError`]; the device then has the driver that it had.
pub fn bind(root: &Root, address: Address, force: bool) -> Result<Bound, BindError> {
    let device = PciDevice::at(root, address).ok_or(BindError::Absent(address))?;
    let (before, group) = (device.driver.clone(), device.group);
    if device.is_vfio() {
        return Ok(Bound { now: before.clone(), before, group });
    }
    let PciDevice { vendor, device: number, .. } = device;
    if !device.is_card() && !force {
        return Err(BindError::NoCard { address, vendor, device: number });
    }
    let users = device.users(root);
    if !users.is_empty() {
        return Err(BindError::InUse { address, users });
    }
    if group.is_none() {
        return Err(BindError::NoGroup(address));
    }
    if !root.path("/sys/bus/pci/drivers").join(VFIO_DRIVER).is_dir() {
        return Err(BindError::NoDriver);
    }
    let bound = rebind(root, &device, VFIO_DRIVER).and_then(|now| {
        if now.as_deref() == Some(VFIO_DRIVER) { Ok(now) } else { Err(result(address, now, VFIO_DRIVER)) }
    });
    match bound {
        Ok(now) => Ok(Bound { before, now, group }),
        Err(error) => {
            // The first error counts; a second one would only say that the device has no driver now.
            let _: Result<_, BindError> = rebind(root, &device, NO_OVERRIDE);
            Err(error)
        }
    }
}

/// Takes a device from `vfio-pci` and lets the kernel pick its driver.
///
/// # Errors
/// See [`BindError`].
pub fn unbind(root: &Root, address: Address) -> Result<Bound, BindError> {
    let device = PciDevice::at(root, address).ok_or(BindError::Absent(address))?;
    if !device.is_vfio() {
        let driver = device.driver.unwrap_or_else(|| "none".to_owned());
        return Err(BindError::NotBound { address, driver });
    }
    let now = rebind(root, &device, NO_OVERRIDE)?;
    if now.as_deref() == Some(VFIO_DRIVER) {
        return Err(result(address, now, "another driver or none"));
    }
    Ok(Bound { before: device.driver, now, group: device.group })
}

fn result(address: Address, is: Option<String>, should: &str) -> BindError {
    BindError::Result { address, is: is.unwrap_or_else(|| "none".to_owned()), should: should.to_owned() }
}

/// Sets the override, takes the device from its driver and lets the kernel look for one; gives the driver found.
fn rebind(root: &Root, device: &PciDevice, override_: &str) -> Result<Option<String>, BindError> {
    let folder = folder(root, device.address);
    let address = device.address.to_string();
    let put = |path: PathBuf, text: &str| {
        root.write(&path, text).map_err(|source| BindError::Write { path: path.clone(), source })
    };
    put(folder.join("driver_override"), override_)?;
    if folder.join("driver").exists() {
        put(folder.join("driver/unbind"), &address)?;
    }
    put(root.path("/sys/bus/pci/drivers_probe"), &address)?;
    Ok(PciDevice::at(root, device.address).and_then(|device| device.driver))
}

/// The override that a device has; `None` where it has none.
pub fn override_of(root: &Root, address: Address) -> Option<String> {
    // The kernel writes `(null)` for none.
    text(&folder(root, address).join("driver_override")).filter(|text| !text.is_empty() && text != "(null)")
}

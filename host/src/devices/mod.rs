//! Cards on the PCI bus of this machine: which there are, what is missing to use one, and how to bind one to
//! `vfio-pci`.
//!
//! Everything is read from the kernel's files below a [`Root`], which is `/` but in tests.
//!
//! 1. [`sysfs`]: what the kernel says of the devices.
//! 2. [`mod@bind`]: a device to `vfio-pci`, and back to the driver that the kernel picks.
//! 3. [`doctor`]: what is missing, and the command that mends it.

pub mod bind;
pub mod doctor;
pub mod sysfs;

#[cfg(test)]
mod tests;

use std::fmt;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;

pub use bind::{BindError, Bound, bind, unbind};
pub use doctor::{Finding, Weight, examine};
pub use sysfs::{Link, PciDevice, scan};

/// The driver that hands a device to a process.
pub const VFIO_DRIVER: &str = "vfio-pci";

/// What happens when a file is written.
#[cfg(test)]
type Kernel = std::sync::Arc<dyn Fn(&Path, &str)>;

/// The folder that stands for `/`.
#[derive(Clone)]
pub struct Root {
    folder: PathBuf,
    /// What the kernel does when a file is written: a made tree has none behind it.
    #[cfg(test)]
    kernel: Option<Kernel>,
}

impl Default for Root {
    fn default() -> Self {
        Self::new("/")
    }
}

impl Root {
    /// A folder in place of `/`.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            #[cfg(test)]
            kernel: None,
        }
    }

    /// A tree with something that acts when a file is written.
    #[cfg(test)]
    fn with_kernel(folder: impl Into<PathBuf>, kernel: impl Fn(&Path, &str) + 'static) -> Self {
        Self { kernel: Some(std::sync::Arc::new(kernel)), ..Self::new(folder) }
    }

    /// The path below it of one that begins with `/`.
    pub fn path(&self, absolute: &str) -> PathBuf {
        self.folder.join(absolute.trim_start_matches('/'))
    }

    /// The text of a file without blanks around it; `None` where it cannot be read.
    pub(crate) fn text(&self, absolute: &str) -> Option<String> {
        text(&self.path(absolute))
    }

    /// Writes to a file of the kernel: as a whole, and only to one that is there.
    pub(crate) fn write(&self, path: &Path, text: &str) -> io::Result<()> {
        fs::OpenOptions::new().write(true).truncate(true).open(path)?.write_all(text.as_bytes())?;
        #[cfg(test)]
        if let Some(kernel) = &self.kernel {
            kernel(path, text);
        }
        Ok(())
    }

    /// Names in a folder, sorted; none where it cannot be read.
    pub(crate) fn names(&self, absolute: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(absolute)).into_iter().flatten().flatten();
        let mut names: Vec<String> =
            entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        names
    }
}

/// The text of a file without blanks around it; `None` where it cannot be read.
pub(crate) fn text(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

/// Place of a function on the PCI bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// Domain.
    pub domain: u32,
    /// Bus.
    pub bus: u8,
    /// Device, below 32.
    pub device: u8,
    /// Function, below 8.
    pub function: u8,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { domain, bus, device, function } = self;
        write!(f, "{domain:04x}:{bus:02x}:{device:02x}.{function}")
    }
}

/// A text that is no PCI address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no PCI address such as 0000:01:00.0")]
pub struct AddressError(String);

impl FromStr for Address {
    type Err = AddressError;

    /// As the kernel writes it, `0000:01:00.0`; the domain may be left out.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let parse = || {
            let (rest, function) = text.rsplit_once('.')?;
            let mut parts = rest.split(':').rev();
            let hex = |text: &str, digits: usize| {
                let is_hex =
                    (1..=digits).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
                is_hex.then(|| u32::from_str_radix(text, 16).ok()).flatten()
            };
            let device = hex(parts.next()?, 2).filter(|device| *device < 32)? as u8;
            let bus = hex(parts.next()?, 2)? as u8;
            // Behind some bridges (VMD) a domain has more than four digits.
            let domain = parts.next().map_or(Some(0), |domain| hex(domain, 8))?;
            let function = hex(function, 1).filter(|function| *function < 8)? as u8;
            parts.next().is_none().then_some(Self { domain, bus, device, function })
        };
        parse().ok_or_else(|| AddressError(text.to_owned()))
    }
}

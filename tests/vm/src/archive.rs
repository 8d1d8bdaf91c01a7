//! The guest's first file system: a cpio archive in the kernel's format (`Documentation/driver-api/early-userspace`,
//! "newc").

use std::collections::HashSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use cpio::newc::{Builder, trailer};

/// An archive that is written.
#[derive(Debug, Default)]
pub struct Archive {
    bytes: Vec<u8>,
    files: u32,
    /// Paths made by [`Archive::file_at`].
    made: HashSet<PathBuf>,
}

const FOLDER: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;
/// Devices that the kernel opens before anything is mounted: /dev/console is character device 5, 1.
const CONSOLE: u32 = 0o020_600;

impl Archive {
    /// A folder.
    ///
    /// # Errors
    /// As of all: where the archive cannot hold it, as a file of 4 GiB.
    pub fn folder(&mut self, name: &str) -> io::Result<()> {
        self.entry(Builder::new(name).mode(FOLDER), &[])
    }

    /// A file that can be run.
    ///
    /// # Errors
    /// As of [`Archive::folder`].
    pub fn file(&mut self, name: &str, content: &[u8]) -> io::Result<()> {
        self.entry(Builder::new(name).mode(PROGRAM), content)
    }

    /// A file at a path from the root, with the folders above it; a second one there is none.
    ///
    /// # Errors
    /// As of [`Archive::folder`].
    pub fn file_at(&mut self, path: &Path, content: &[u8]) -> io::Result<()> {
        if !self.made.insert(path.to_owned()) {
            return Ok(());
        }
        let mut above: Vec<_> = path.ancestors().skip(1).filter(|folder| folder.parent().is_some()).collect();
        above.reverse();
        for folder in above {
            if self.made.insert(folder.to_owned()) {
                self.folder(&name(folder))?;
            }
        }
        self.file(&name(path), content)
    }

    /// The device /dev/console.
    ///
    /// # Errors
    /// As of [`Archive::folder`].
    pub fn console(&mut self) -> io::Result<()> {
        self.entry(Builder::new("dev/console").mode(CONSOLE).rdev_major(5).rdev_minor(1), &[])
    }

    fn entry(&mut self, builder: Builder, content: &[u8]) -> io::Result<()> {
        self.files += 1;
        let size = u32::try_from(content.len()).map_err(io::Error::other)?;
        let mut entry = builder.ino(self.files).nlink(1).write(&mut self.bytes, size);
        entry.write_all(content)?;
        entry.finish().map(drop)
    }

    /// The archive, with its end.
    ///
    /// # Errors
    /// As of [`Archive::folder`].
    pub fn finish(self) -> io::Result<Vec<u8>> {
        trailer(self.bytes)
    }
}

/// The name of a path from the root: names in the archive are relative to it.
fn name(path: &Path) -> String {
    path.to_string_lossy().trim_start_matches('/').to_owned()
}

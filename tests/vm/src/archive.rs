//! The guest's first file system: a cpio archive in the kernel's format (`Documentation/driver-api/early-userspace`,
//! "newc").

use std::collections::HashSet;
use std::path::{Path, PathBuf};

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
    pub fn folder(&mut self, name: &str) {
        self.entry(name, FOLDER, (0, 0), &[]);
    }

    /// A file that can be run.
    pub fn file(&mut self, name: &str, content: &[u8]) {
        self.entry(name, PROGRAM, (0, 0), content);
    }

    /// A file at a path from the root, with the folders above it; a second one there is none.
    pub fn file_at(&mut self, path: &Path, content: &[u8]) {
        if !self.made.insert(path.to_owned()) {
            return;
        }
        let mut above: Vec<_> = path.ancestors().skip(1).filter(|folder| folder.parent().is_some()).collect();
        above.reverse();
        for folder in above {
            if self.made.insert(folder.to_owned()) {
                self.folder(&name(folder));
            }
        }
        self.file(&name(path), content);
    }

    /// The device /dev/console.
    pub fn console(&mut self) {
        self.entry("dev/console", CONSOLE, (5, 1), &[]);
    }

    fn entry(&mut self, name: &str, mode: u32, (major, minor): (u32, u32), content: &[u8]) {
        self.files += 1;
        let size = content.len() as u32;
        // ino, mode, uid, gid, nlink, mtime, filesize, device, device of the file, length of the name, checksum.
        let fields = [self.files, mode, 0, 0, 1, 0, size, 0, 0, major, minor, name.len() as u32 + 1, 0];
        self.bytes.extend(b"070701");
        for field in fields {
            self.bytes.extend(format!("{field:08x}").into_bytes());
        }
        self.bytes.extend(name.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend(content);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    /// The archive, with its end.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, (0, 0), &[]);
        self.bytes
    }
}

/// The name of a path from the root: names in the archive are relative to it.
fn name(path: &Path) -> String {
    path.to_string_lossy().trim_start_matches('/').to_owned()
}

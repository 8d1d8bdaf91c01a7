//! The guest's first file system: a cpio archive in the kernel's format (`Documentation/driver-api/early-userspace`,
//! "newc").

/// An archive that is written.
#[derive(Debug, Default)]
pub struct Archive {
    bytes: Vec<u8>,
    files: u32,
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

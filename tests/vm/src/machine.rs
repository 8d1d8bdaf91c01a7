//! The virtual machine: QEMU and a kernel from Debian's packages, with the simulated card on its bus.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use crate::archive::Archive;
use crate::programs::{libraries, root, stripped};

/// Modules of the kernel in the order in which they are loaded, below `lib/modules/VERSION/kernel`.
const MODULES: [&str; 6] = [
    "virt/lib/irqbypass.ko",
    "drivers/vfio/vfio_virqfd.ko",
    "drivers/vfio/vfio.ko",
    "drivers/vfio/vfio_iommu_type1.ko",
    "drivers/vfio/pci/vfio-pci-core.ko",
    "drivers/vfio/pci/vfio-pci.ko",
];
/// How long one machine may take from the start to its end.
const LIMIT: Duration = Duration::from_secs(240);
/// Bytes of QEMU's own output that are kept: it says a lot when a card goes away.
const SAID_MAX: usize = 4000;

/// What was unpacked from Debian's packages.
#[derive(Clone, Debug)]
pub struct Packages {
    folder: PathBuf,
}

impl Packages {
    /// Fetches them into the cache where they are not there.
    ///
    /// # Errors
    /// Why they cannot be had, in words.
    pub fn fetch() -> Result<Self, String> {
        let cache =
            std::env::var_os("WIRESIFT_CACHE").map_or_else(|| root().join("target/cache"), PathBuf::from);
        if !cfg!(target_arch = "x86_64") {
            return Err("the guest is an x86_64 machine and takes programs of this one".to_owned());
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("fetch");
        // Another script brings other packages.
        let recipe = fs::read(&script).map_err(|error| format!("{}: {error}", script.display()))?;
        let digest = Sha256::digest(&recipe);
        let name: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let folder = cache.join(format!("vm-{name}"));
        let output = Command::new(&script)
            .arg(&folder)
            .output()
            .map_err(|error| format!("{}: {error}", script.display()))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(said.lines().last().unwrap_or("tests/vm/fetch failed").to_owned());
        }
        let packages = Self { folder };
        packages
            .has_vfio_user()
            .then_some(packages)
            .ok_or_else(|| "this QEMU has no vfio-user-pci".to_owned())
    }

    /// QEMU, run with the dynamic loader and the libraries of its own packages.
    fn qemu(&self) -> Command {
        let root = self.folder.join("qemu");
        let library = root.join("usr/lib/x86_64-linux-gnu");
        let mut command = Command::new(library.join("ld-linux-x86-64.so.2"));
        let path =
            [library.clone(), library.join("pulseaudio")].map(|path| path.display().to_string()).join(":");
        command.args(["--library-path", &path]).arg(root.join("usr/bin/qemu-system-x86_64"));
        command.env("QEMU_MODULE_DIR", library.join("qemu")).arg("-L").arg(root.join("usr/share/qemu"));
        command.arg("-L").arg(root.join("usr/share/seabios"));
        command
    }

    fn has_vfio_user(&self) -> bool {
        let listed = self.qemu().args(["-device", "help"]).output();
        listed.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("\"vfio-user-pci\""))
    }

    fn kernel(&self) -> Result<PathBuf, String> {
        first_in(&self.folder.join("kernel/boot"), "vmlinuz-")
    }

    /// The modules of the kernel, by name and content.
    ///
    /// # Errors
    /// Where one is missing.
    pub fn modules(&self) -> Result<Vec<(String, Vec<u8>)>, String> {
        let kernel = first_in(&self.folder.join("kernel/lib/modules"), "")?.join("kernel");
        let read = |(n, name): (usize, &&str)| {
            let path = kernel.join(name);
            let content = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            Ok((format!("modules/{n}.ko"), content))
        };
        MODULES.iter().enumerate().map(read).collect()
    }
}

fn first_in(folder: &Path, prefix: &str) -> Result<PathBuf, String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix));
    names.next().map(|entry| entry.path()).ok_or_else(|| format!("nothing in {}", folder.display()))
}

/// What is on the guest's disk, so to say: modules of the kernel, both programs with their libraries, rules and a
/// capture.
///
/// # Errors
/// Where a file cannot be read.
pub fn file_system(packages: &Packages, guest: &Path, wiresift: &Path) -> Result<Vec<u8>, String> {
    let full = |error: io::Error| format!("the guest's file system: {error}");
    let mut archive = Archive::default();
    for folder in ["dev", "proc", "sys", "modules", "tmp"] {
        archive.folder(folder).map_err(full)?;
    }
    archive.console().map_err(full)?;
    for (name, content) in packages.modules()? {
        archive.file(&name, &content).map_err(full)?;
    }
    let read = |path: &Path| fs::read(path).map_err(|error| format!("{}: {error}", path.display()));
    let scratch = tempfile::tempdir().map_err(|error| format!("no temporary folder: {error}"))?;
    for (name, program) in [("init", guest), ("wiresift", wiresift)] {
        archive.file(name, &stripped(program, scratch.path())?).map_err(full)?;
        for library in libraries(program)? {
            archive.file_at(&library, &read(&library)?).map_err(full)?;
        }
    }
    let fixtures = root().join("tests/fixtures");
    for (name, file) in
        [("rules.acl", "demo.acl"), ("rules.rules", "demo.rules"), ("capture.pcap", "demo.pcap")]
    {
        archive.file(name, &read(&fixtures.join(file))?).map_err(full)?;
    }
    archive.finish().map_err(full)
}

/// A process that is ended when this is dropped.
#[derive(Debug)]
struct Owned(Child);

impl Drop for Owned {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Run {
    /// The lines that the guest wrote, without the word in front.
    pub lines: Vec<String>,
    /// The whole console and what the two programs said, for a failure.
    pub said: String,
    /// How long it took.
    pub elapsed: Duration,
}

impl Run {
    /// What stands behind words at the front of lines.
    pub fn of(&self, words: &str) -> Vec<&str> {
        let behind = |line: &'_ str| -> Option<usize> {
            let rest = line.strip_prefix(words)?;
            (rest.is_empty() || rest.starts_with(' ')).then_some((words.len() + 1).min(line.len()))
        };
        self.lines.iter().filter_map(|line| Some(&line[behind(line)?..])).collect()
    }
}

/// Runs the guest once, in `folder`, with the words on the kernel's command line; `dma` is how the card gets at
/// memory.
///
/// # Errors
/// Where one of the programs does not start or end, in words.
pub fn run(
    packages: &Packages,
    simcard: &Path,
    folder: &Path,
    dma: &str,
    words: &str,
) -> Result<Run, String> {
    let failed = |what: &str| {
        let what = what.to_owned();
        move |error: io::Error| format!("{what}: {error}")
    };
    let start = Instant::now();
    let (socket, console) = (folder.join("card"), folder.join("console"));
    let create = |name: &str| File::create(folder.join(name)).map_err(failed(name));
    let card = Command::new(simcard)
        .args(["--once", "--geometry", "lab", "--dma", dma, "--socket"])
        .arg(&socket)
        .stdout(Stdio::null())
        .stderr(create("card.log")?)
        .spawn()
        .map_err(failed("wiresift-simcard"))?;
    let mut card = Owned(card);
    // The first run builds the model of the card, which takes minutes.
    while !socket.exists() {
        let ended = card.0.try_wait().map_err(failed("wiresift-simcard"))?;
        if ended.is_some() || start.elapsed() > 4 * LIMIT {
            return Err(format!("wiresift-simcard does not listen: {}", end_of(&folder.join("card.log"))));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let booted = Instant::now();
    let device =
        format!(r#"{{"driver":"vfio-user-pci","socket":{{"path":"{}","type":"unix"}}}}"#, socket.display());
    let append = format!("console=ttyS0 panic=-1 intel_iommu=on loglevel=3 {words}");
    let mut qemu = packages.qemu();
    qemu.args([
        "-machine",
        "q35,kernel-irqchip=split,memory-backend=mem",
        "-accel",
        "tcg",
        "-cpu",
        "max",
        "-m",
        "512M",
    ])
    .args(["-object", "memory-backend-memfd,id=mem,share=on,size=512M"])
    .args(["-device", "intel-iommu,intremap=on,caching-mode=on", "-device", &device])
    .args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial"])
    .arg(format!("file:{}", console.display()))
    .arg("-kernel")
    .arg(packages.kernel()?)
    .arg("-initrd")
    .arg(folder.join("initrd"))
    .args(["-append", &append])
    .stdin(Stdio::null())
    .stdout(Stdio::null())
    .stderr(create("qemu.log")?);
    let mut qemu = Owned(qemu.spawn().map_err(failed("qemu"))?);
    while qemu.0.try_wait().map_err(failed("qemu"))?.is_none() {
        if booted.elapsed() > LIMIT {
            let said = said(folder);
            return Err(format!("the guest did not end within {} s\n{said}", LIMIT.as_secs()));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let text = String::from_utf8_lossy(&fs::read(&console).unwrap_or_default()).into_owned();
    let lines =
        text.lines().filter_map(|line| Some(line.trim_end().strip_prefix("guest: ")?.to_owned())).collect();
    Ok(Run { lines, said: said(folder), elapsed: booted.elapsed() })
}

fn said(folder: &Path) -> String {
    ["console", "qemu.log", "card.log"]
        .map(|name| format!("--- {name}\n{}\n", end_of(&folder.join(name))))
        .concat()
}

/// The end of what a program said.
fn end_of(path: &Path) -> String {
    let bytes = fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(SAID_MAX)..]).into_owned()
}

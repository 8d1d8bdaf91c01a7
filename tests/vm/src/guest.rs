//! The first process of the guest: it brings the kernel's VFIO up, binds the card, lets `wiresift` classify a capture
//! on it, and turns the machine off. What it finds goes to the console, one fact a line, for the test to read.
//!
//! Words on the kernel's command line: `wiresift.huge` reserves pages of 2 MiB, `wiresift.stray` lets the card read
//! where nothing is mapped.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::mount::{MountFlags, mount};
use rustix::system::{RebootCommand, finit_module, reboot};
use wiresift_abi::csr::{CONTROL_ENABLE, Csr, ErrorCode, STATUS_HALTED};
use wiresift_abi::pci::{DEVICE_ID, VENDOR_ID};
use wiresift_driver::vfio::{Options, Vfio};
use wiresift_driver::{Direction, Transport};

/// Pages of 2 MiB that are reserved with `wiresift.huge`.
const HUGE_PAGES: &str = "/sys/kernel/mm/hugepages/hugepages-2048kB";
/// Where no region ever lies: regions begin at the lowest address that is free.
const STRAY: u64 = 0x7a_5555_0000;
/// How long the card may take, slow as it is here.
const LIMIT: Duration = Duration::from_secs(60);

fn main() {
    if let Err(error) = run() {
        println!("guest: failed: {error:#}");
    }
    println!("guest: end");
    rustix::fs::sync();
    // Returns only where it fails; the kernel panics then, because its first process ends, and the machine stops.
    let _: Result<(), _> = reboot(RebootCommand::PowerOff);
}

fn run() -> Result<()> {
    for (kind, path) in [("proc", "/proc"), ("sysfs", "/sys"), ("devtmpfs", "/dev")] {
        fs::create_dir_all(path)?;
        mount(kind, path, kind, MountFlags::empty(), None).with_context(|| format!("mounting {path}"))?;
    }
    let options = fs::read_to_string("/proc/cmdline")?;
    let has = |word: &str| options.split_whitespace().any(|option| option == word);
    let mut modules: Vec<_> =
        fs::read_dir("/modules")?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    modules.sort();
    for module in modules {
        finit_module(File::open(&module)?, c"", 0).with_context(|| module.display().to_string())?;
    }
    if has("wiresift.huge") {
        fs::write(format!("{HUGE_PAGES}/nr_hugepages"), "8")?;
    }
    let address = find_card()?;
    bind(&address)?;
    println!("guest: card {address}");
    classify(&address)?;
    if has("wiresift.huge") {
        let count = |name: &str| fs::read_to_string(format!("{HUGE_PAGES}/{name}"));
        println!("guest: huge {} of {} free", count("free_hugepages")?.trim(), count("nr_hugepages")?.trim());
    }
    if has("wiresift.stray") {
        stray(&address)?;
    }
    kernel_log()
}

/// The first function with the numbers of a card.
fn find_card() -> Result<String> {
    let number = |path: &Path| {
        let text = fs::read_to_string(path).unwrap_or_default();
        u16::from_str_radix(text.trim().trim_start_matches("0x"), 16).unwrap_or(0)
    };
    for entry in fs::read_dir("/sys/bus/pci/devices")? {
        let entry = entry?;
        let of = |name: &str| number(&entry.path().join(name));
        if (of("vendor"), of("device")) == (VENDOR_ID, DEVICE_ID) {
            return Ok(entry.file_name().to_string_lossy().into_owned());
        }
    }
    bail!("no card on the bus")
}

fn bind(address: &str) -> Result<()> {
    let device = Path::new("/sys/bus/pci/devices").join(address);
    fs::write(device.join("driver_override"), "vfio-pci").context("driver_override")?;
    fs::write("/sys/bus/pci/drivers_probe", address).context("drivers_probe")?;
    let bound = fs::read_link(device.join("driver")).context("no driver took the card")?;
    println!("guest: driver {}", bound.file_name().unwrap_or_default().to_string_lossy());
    Ok(())
}

/// What a user does, and its csv on the console.
fn classify(address: &str) -> Result<()> {
    let start = Instant::now();
    let output = Command::new("/wiresift")
        .args(["classify", "--geometry", "lab", "--format", "csv", "--seed", "7", "--card-timeout", "60000"])
        .args(["--rules", "/rules.acl", "--rules", "/rules.rules", "--device", &format!("vfio:{address}")])
        .arg("/capture.pcap")
        .output()
        .context("/wiresift")?;
    for line in String::from_utf8_lossy(&output.stderr).lines() {
        println!("guest: stderr {line}");
    }
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        println!("guest: csv {line}");
    }
    println!("guest: exit {:?} after {} ms", output.status.code(), start.elapsed().as_millis());
    Ok(())
}

/// The card is told of a ring where nothing is mapped: the IOMMU refuses its read, and it halts.
fn stray(address: &str) -> Result<()> {
    let mut card = Vfio::open(address, Options::default())?;
    card.reset_function()?;
    let c2h = card.map(1 << 16, Direction::C2h)?;
    let status = card.map(64, Direction::C2h)?;
    let halves = |address: u64| [address as u32, (address >> 32) as u32];
    let ([h2c_lo, h2c_hi], [c2h_lo, c2h_hi]) = (halves(STRAY), halves(c2h.iova().0));
    let [status_lo, status_hi] = halves(status.iova().0);
    for (csr, value) in [
        (Csr::H2cBaseLo, h2c_lo),
        (Csr::H2cBaseHi, h2c_hi),
        (Csr::H2cLinesLog2, 10),
        (Csr::C2hBaseLo, c2h_lo),
        (Csr::C2hBaseHi, c2h_hi),
        (Csr::C2hRecordsLog2, 12),
        (Csr::StatusBaseLo, status_lo),
        (Csr::StatusBaseHi, status_hi),
        (Csr::Control, CONTROL_ENABLE),
        (Csr::H2cPidx, 64),
    ] {
        card.write_csr(csr, value)?;
    }
    let start = Instant::now();
    while card.read_csr(Csr::Status)? & STATUS_HALTED == 0 {
        if start.elapsed() > LIMIT {
            bail!("the card does not halt at a read of {STRAY:#x}");
        }
        card.relax();
    }
    let error = card.read_csr(Csr::Error)?;
    println!("guest: stray read of {STRAY:#x}: {:?}", ErrorCode::from_number(error));
    card.write_csr(Csr::Control, 0)?;
    Ok(())
}

/// What the kernel says of the IOMMU.
fn kernel_log() -> Result<()> {
    let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::NONBLOCK;
    let mut log = File::from(rustix::fs::open("/dev/kmsg", flags, rustix::fs::Mode::empty())?);
    let mut record = [0; 8192];
    // One record a read, until none is left.
    while let Ok(count) = log.read(&mut record) {
        let text = String::from_utf8_lossy(&record[..count]);
        if text.contains("DMAR") || text.contains("vfio") {
            println!("guest: kmsg {}", text.lines().next().unwrap_or_default());
        }
    }
    Ok(())
}

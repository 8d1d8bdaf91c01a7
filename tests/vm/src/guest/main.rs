//! The first process of the guest: it brings the kernel's VFIO up, has `wiresift` bind the card and classify a capture
//! on it, as root and without rights, kills it in mid-stream, and turns the machine off. What it finds goes to the console,
//! one fact a line, for the test to read.
//!
//! Words on the kernel's command line: `wiresift.huge` reserves pages of 2 MiB, `wiresift.kill` kills drivers,
//! `wiresift.stray` lets the card reach for what it has no right to.

mod stray;

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use rustix::mount::{MountFlags, mount};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::system::{RebootCommand, finit_module, reboot};
use wiresift_abi::pci::{DEVICE_ID, VENDOR_ID};

/// Pages of 2 MiB that are reserved with `wiresift.huge`.
const HUGE_PAGES: &str = "/sys/kernel/mm/hugepages/hugepages-2048kB";
/// A user without rights.
const USER: u32 = 1000;
/// Lines of verdicts after which a driver is killed, and how often the capture is read meanwhile.
const KILL_AFTER: [usize; 4] = [1, 300, 1000, 2500];
const CAPTURES: usize = 10;

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
    println!("guest: card {address}");
    let device = format!("vfio:{address}");
    show("unbound", &classify(&device).output()?);
    show("bind", &wiresift(&["bind", &address]).output()?);
    show("doctor", &wiresift(&["devices", "doctor", &address]).output()?);
    let expected = timed("cpu", &mut classify("cpu"))?;
    let card = timed("vfio", &mut classify(&device))?;
    compare("vfio", &card, &expected);
    without_rights(&address, &expected)?;
    if has("wiresift.kill") {
        for lines in KILL_AFTER {
            kill(&device, lines)?;
            free_pages(&format!("after a kill at line {lines}"), &has)?;
        }
        compare("after the kills", &timed("after the kills", &mut classify(&device))?, &expected);
    }
    free_pages("at the end", &has)?;
    if has("wiresift.stray") {
        stray::all(&address)?;
    }
    show("unbind", &wiresift(&["unbind", &address]).output()?);
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

fn wiresift(arguments: &[&str]) -> Command {
    let mut command = Command::new("/wiresift");
    command.args(arguments);
    command
}

/// What a user does.
fn classify(device: &str) -> Command {
    let options =
        ["classify", "--geometry", "lab", "--format", "csv", "--seed", "7", "--card-timeout", "60000"];
    let mut command = wiresift(&options);
    command.args(["--no-failover", "--rules", "/rules.acl", "--rules", "/rules.rules", "--device", device]);
    command.arg("/capture.pcap");
    command
}

/// Says what a command said and how it ended.
fn show(name: &str, output: &Output) {
    for line in String::from_utf8_lossy(&output.stderr).lines() {
        println!("guest: {name} stderr {line}");
    }
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        println!("guest: {name} stdout {line}");
    }
    println!("guest: {name} exit {:?}", output.status.code());
}

fn timed(name: &str, command: &mut Command) -> Result<Output> {
    let start = Instant::now();
    let output = command.output().context("/wiresift")?;
    show(name, &output);
    println!("guest: {name} took {} ms", start.elapsed().as_millis());
    Ok(output)
}

fn compare(name: &str, card: &Output, cpu: &Output) {
    let is_same = card.status.success() && card.stdout == cpu.stdout && !cpu.stdout.is_empty();
    println!("guest: {name} csv {}", if is_same { "as on cpu" } else { "other than on cpu" });
}

/// A user who has the group of the card and may pin memory classifies; one who may not is told so.
fn without_rights(address: &str, expected: &Output) -> Result<()> {
    let group = fs::read_link(format!("/sys/bus/pci/devices/{address}/iommu_group"))?;
    let group = Path::new("/dev/vfio").join(group.file_name().context("the group has no number")?);
    let device = format!("vfio:{address}");
    show("without the group", &classify(&device).uid(USER).gid(USER).output()?);
    chown(&group, Some(USER), Some(USER))?;
    // The limit that the kernel gives, 8 MiB, is enough for the rings.
    let output = timed("without rights", classify(&device).uid(USER).gid(USER))?;
    compare("without rights", &output, expected);
    let before = getrlimit(Resource::Memlock);
    setrlimit(Resource::Memlock, Rlimit { current: Some(1 << 20), ..before })?;
    show("without memlock", &classify(&device).uid(USER).gid(USER).output()?);
    setrlimit(Resource::Memlock, before)?;
    chown(&group, Some(0), Some(0))?;
    Ok(())
}

/// Ends a driver with SIGKILL when it has given that many lines of a longer stream.
fn kill(device: &str, lines: usize) -> Result<()> {
    let mut command = classify(device);
    command.args(["/capture.pcap"; CAPTURES - 1]).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut driver = command.spawn()?;
    let stdout = driver.stdout.take().context("no pipe")?;
    let seen = BufReader::with_capacity(256, stdout).lines().take(lines).count();
    let is_running = driver.try_wait()?.is_none();
    driver.kill()?;
    println!("guest: killed {seen} lines, running: {is_running}, {}", driver.wait()?);
    Ok(())
}

fn free_pages(when: &str, has: &dyn Fn(&str) -> bool) -> Result<()> {
    if has("wiresift.huge") {
        let count = |name: &str| fs::read_to_string(format!("{HUGE_PAGES}/{name}"));
        let (free, all) = (count("free_hugepages")?, count("nr_hugepages")?);
        println!("guest: huge {} of {} free {when}", free.trim(), all.trim());
    }
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

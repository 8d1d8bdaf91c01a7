//! What is missing to use a card, and the command that mends it.

use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;

use super::sysfs::PciDevice;
use super::{Address, Root, VFIO_DRIVER};

/// Bytes that a session pins: both rings of the driver's defaults and the status line, rounded up generously.
const PINNED_BYTES: u64 = 4 << 20;
/// Sizes of hugepages that the driver looks for, in KiB.
const HUGEPAGES_KIB: [u32; 2] = [1 << 20, 2 << 10];

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// As it should be.
    Fine,
    /// The card works, slower than it could.
    Slow,
    /// The card cannot be used.
    Missing,
}

impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fine => "ok",
            Self::Slow => "slow",
            Self::Missing => "MISSING",
        })
    }
}

/// Something that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How much it matters.
    pub weight: Weight,
    /// What it is about.
    pub subject: String,
    /// What was found.
    pub text: String,
    /// Command that mends it.
    pub mend: Option<String>,
}

/// Looks at the machine and at these devices, and tells of everything, in the order in which it is to be mended.
pub fn examine(root: &Root, devices: &[PciDevice]) -> Vec<Finding> {
    let process = Process::of(root);
    let mut findings = vec![iommu(root), module(root), container(root, &process)];
    for device in devices {
        findings.extend(card(root, device, &process));
    }
    if devices.is_empty() {
        findings.push(missing(
            "card",
            "no Wiresift card is on the PCI bus: load its image (hdl/boards), then scan the bus",
            "echo 1 | sudo tee /sys/bus/pci/rescan",
        ));
    }
    findings.push(memlock(&process));
    findings.push(hugepages(root, devices));
    findings
}

/// What is missing to use one device, in few words; empty where nothing is.
pub fn missing_of(root: &Root, device: &PciDevice) -> Vec<String> {
    let process = Process::of(root);
    let all = [iommu(root), module(root)]
        .into_iter()
        .chain(card(root, device, &process))
        .chain([memlock(&process)]);
    all.filter(|finding| finding.weight == Weight::Missing).map(|finding| finding.text).collect()
}

fn fine(subject: &str, text: impl Into<String>) -> Finding {
    Finding { weight: Weight::Fine, subject: subject.to_owned(), text: text.into(), mend: None }
}

fn missing(subject: &str, text: impl Into<String>, mend: impl Into<String>) -> Finding {
    let (text, mend) = (text.into(), Some(mend.into()));
    Finding { weight: Weight::Missing, subject: subject.to_owned(), text, mend }
}

fn slow(subject: &str, text: impl Into<String>, mend: impl Into<String>) -> Finding {
    Finding { weight: Weight::Slow, ..missing(subject, text, mend) }
}

fn iommu(root: &Root) -> Finding {
    let groups = root.names("/sys/kernel/iommu_groups").len();
    if groups > 0 {
        return fine("IOMMU", format!("on, {groups} groups"));
    }
    let cpu = root.text("/proc/cpuinfo").unwrap_or_default();
    // The IOMMU of AMD is on unless the firmware has it off; that of Intel needs to be asked for.
    let option =
        if cpu.contains("AuthenticAMD") { "amd_iommu=on iommu=pt" } else { "intel_iommu=on iommu=pt" };
    missing(
        "IOMMU",
        "off: no device has a group (where the kernel option is set already, turn VT-d or AMD-Vi on in the firmware)",
        format!(
            "sudo sed -i 's/^GRUB_CMDLINE_LINUX=\"/&{option} /' /etc/default/grub && sudo update-grub && sudo reboot"
        ),
    )
}

fn module(root: &Root) -> Finding {
    if root.path("/sys/bus/pci/drivers").join(VFIO_DRIVER).is_dir() {
        return fine("driver", format!("{VFIO_DRIVER} is loaded"));
    }
    let mend = format!(
        "echo {VFIO_DRIVER} | sudo tee /etc/modules-load.d/wiresift.conf && sudo modprobe {VFIO_DRIVER}"
    );
    missing("driver", format!("{VFIO_DRIVER} is not loaded"), mend)
}

fn container(root: &Root, process: &Process) -> Finding {
    let path = "/dev/vfio/vfio";
    match process.may_use(root, path) {
        Access::Yes => fine("container", format!("{path} can be opened")),
        Access::Absent => {
            missing("container", format!("{path} is not there"), "sudo modprobe vfio_iommu_type1")
        }
        // The kernel's own rule makes it open to everybody: it gives no access to any device.
        Access::No => {
            missing("container", format!("{path} cannot be opened"), format!("sudo chmod 0666 {path}"))
        }
    }
}

/// What concerns one card.
fn card(root: &Root, device: &PciDevice, process: &Process) -> Vec<Finding> {
    let subject = device.address.to_string();
    let mut findings = Vec::new();
    let driver = device.driver.as_deref().unwrap_or("no driver");
    if device.is_vfio() {
        findings.push(fine(&subject, format!("bound to {VFIO_DRIVER}")));
    } else {
        let mend = format!("sudo wiresift bind {subject}");
        findings.push(missing(&subject, format!("bound to {driver}, not to {VFIO_DRIVER}"), mend));
    }
    match device.group {
        None => findings.push(missing(
            &subject,
            "no IOMMU group",
            "sudo dmesg | grep -i -e DMAR -e IOMMU    # tells why; see IOMMU above",
        )),
        Some(group) => findings.extend(group_of(root, device, group, process)),
    }
    findings.extend(link(&subject, device));
    findings.extend(numa(root, &subject, device, process));
    findings
}

fn group_of(root: &Root, device: &PciDevice, group: u32, process: &Process) -> Vec<Finding> {
    let subject = device.address.to_string();
    let mut findings = Vec::new();
    for other in device.sharers(root) {
        let (address, driver) = (other.address, other.driver.unwrap_or_default());
        findings.push(missing(
            &subject,
            format!("shares group {group} with {address}, which the host's driver {driver} holds"),
            format!(
                "echo {address} | sudo tee /sys/bus/pci/devices/{address}/driver/unbind    # if the host can do without \
                 it; otherwise move the card to another slot"
            ),
        ));
    }
    let path = format!("/dev/vfio/{group}");
    match process.may_use(root, &path) {
        Access::Yes => findings.push(fine(&subject, format!("{path} can be opened"))),
        // It comes with the first device of the group that is bound.
        Access::Absent if !device.is_vfio() => {}
        Access::Absent => {
            findings.push(missing(
                &subject,
                format!("{path} is not there"),
                "sudo udevadm trigger && udevadm settle",
            ));
        }
        Access::No => findings.push(missing(
            &subject,
            format!("{path} cannot be opened by this user"),
            format!("sudo chown {} {path}", process.user()),
        )),
    }
    findings
}

fn link(subject: &str, device: &PciDevice) -> Option<Finding> {
    let (current, max) = device.link.as_ref()?;
    let text = |link: &super::Link| format!("{} x{}", link.speed, link.width);
    if current == max {
        return Some(fine(subject, format!("link {}", text(current))));
    }
    Some(slow(
        subject,
        format!("link {} where {} is possible", text(current), text(max)),
        format!(
            "sudo lspci -vv -s {subject} | grep -e LnkCap -e LnkSta    # then another slot, or seat the card anew"
        ),
    ))
}

fn numa(root: &Root, subject: &str, device: &PciDevice, process: &Process) -> Option<Finding> {
    let node = device.numa_node?;
    let near = cpus(&root.text(&format!("/sys/devices/system/node/node{node}/cpulist"))?);
    let is_near = process.cpus.iter().all(|cpu| near.contains(cpu));
    if is_near {
        return Some(fine(subject, format!("on NUMA node {node}, as this process is")));
    }
    Some(slow(
        subject,
        format!("on NUMA node {node}, and this process may run on others"),
        format!("numactl --cpunodebind={node} --membind={node} wiresift classify ..."),
    ))
}

fn memlock(process: &Process) -> Finding {
    match process.memlock {
        Some(limit) if limit < PINNED_BYTES && !process.is_root() => missing(
            "memlock",
            format!("this user may pin {} KiB; a session needs {} KiB", limit >> 10, PINNED_BYTES >> 10),
            format!(
                "printf '%s - memlock unlimited\\n' {} | sudo tee /etc/security/limits.d/wiresift.conf    # then log in \
                 anew",
                process.user()
            ),
        ),
        Some(limit) => fine("memlock", format!("{} KiB", limit >> 10)),
        None => fine("memlock", "unlimited"),
    }
}

/// Free hugepages, on the node of the cards where they are on one.
fn hugepages(root: &Root, devices: &[PciDevice]) -> Finding {
    let node = devices.iter().find_map(|device| device.numa_node);
    let folder = match node {
        Some(node) => format!("/sys/devices/system/node/node{node}/hugepages"),
        None => "/sys/kernel/mm/hugepages".to_owned(),
    };
    let at = |kib: u32| format!("{folder}/hugepages-{kib}kB");
    let free = |kib: u32| root.text(&format!("{}/free_hugepages", at(kib)))?.parse::<u64>().ok();
    let found = HUGEPAGES_KIB.iter().find_map(|&kib| Some((kib, free(kib).filter(|free| *free > 0)?)));
    match found {
        Some((kib, free)) => fine("hugepages", format!("{free} of {} MiB are free", kib >> 10)),
        None => slow(
            "hugepages",
            "none is free: the rings are made of 4 KiB pages, and the IOMMU looks more up",
            format!("echo 16 | sudo tee {}/nr_hugepages", at(HUGEPAGES_KIB[1])),
        ),
    }
}

/// Whether a process may open a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    Yes,
    No,
    Absent,
}

/// Who asks: this process, as `/proc/self` tells.
struct Process {
    uid: u32,
    gids: Vec<u32>,
    /// Bytes that may be pinned; `None` without limit.
    memlock: Option<u64>,
    cpus: Vec<u32>,
}

impl Process {
    fn of(root: &Root) -> Self {
        let status = root.text("/proc/self/status").unwrap_or_default();
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("").trim();
        let numbers =
            |text: &str| text.split_whitespace().filter_map(|n| n.parse().ok()).collect::<Vec<u32>>();
        let mut gids = numbers(field("Groups:"));
        // Real, effective, saved, of the file system: the second is what counts.
        gids.extend(numbers(field("Gid:")).get(1));
        let limits = root.text("/proc/self/limits").unwrap_or_default();
        let limit = limits.lines().find_map(|line| line.strip_prefix("Max locked memory"));
        let memlock = limit.and_then(|line| line.split_whitespace().next()?.parse().ok());
        let uid = numbers(field("Uid:")).get(1).copied().unwrap_or(u32::MAX);
        Self { uid, gids, memlock, cpus: cpus(field("Cpus_allowed_list:")) }
    }

    fn is_root(&self) -> bool {
        self.uid == 0
    }

    /// For `chown` and the like: the name is known to the shell.
    fn user(&self) -> &'static str {
        "\"$USER\""
    }

    /// By owner, group and mode of the file. A file that is open elsewhere is none of its business here.
    fn may_use(&self, root: &Root, path: &str) -> Access {
        let Ok(found) = fs::metadata(root.path(path)) else { return Access::Absent };
        let shift = if found.uid() == self.uid {
            6
        } else if self.gids.contains(&found.gid()) {
            3
        } else {
            0
        };
        const READ_WRITE: u32 = 6;
        if self.is_root() || found.mode() >> shift & READ_WRITE == READ_WRITE {
            Access::Yes
        } else {
            Access::No
        }
    }
}

/// Numbers of a list such as `0-3,8`.
fn cpus(list: &str) -> Vec<u32> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.trim().parse().ok()?..=last.trim().parse().ok()?)
    };
    list.split(',').filter_map(range).flatten().collect()
}

/// The devices that a command is about: that at an address, or every card and everything bound to `vfio-pci`.
pub fn concerned(root: &Root, address: Option<Address>) -> Vec<PciDevice> {
    match address {
        Some(address) => PciDevice::at(root, address).into_iter().collect(),
        None => super::scan(root).into_iter().filter(|device| device.is_card() || device.is_vfio()).collect(),
    }
}

//! A made tree in place of `/`, with a kernel that binds as the real one does.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use tempfile::TempDir;

use super::bind::override_of;
use super::doctor::{concerned, missing_of};
use super::*;

const CARD: &str = "0000:01:00.0";
const AUDIO: &str = "0000:01:00.1";
const BRIDGE: &str = "0000:00:01.0";
const DISK: &str = "0000:02:00.0";

/// A machine with a card, its neighbour in the group, a bridge above both and a disk.
struct Machine {
    folder: TempDir,
}

impl Machine {
    fn new() -> Self {
        let machine = Self { folder: tempfile::tempdir().unwrap() };
        machine.device(CARD, "0x10ee", "0x903f", "0x120000", Some("wire"), 7);
        machine.device(AUDIO, "0x8086", "0x1234", "0x040300", None, 7);
        machine.device(BRIDGE, "0x8086", "0x9999", "0x060400", Some("pcieport"), 7);
        machine.device(DISK, "0x1af4", "0x1001", "0x010802", Some("nvme"), 9);
        machine.put("sys/bus/pci/devices/0000:02:00.0/nvme/nvme0/x", "");
        machine.put("sys/bus/pci/drivers_probe", "");
        for driver in ["vfio-pci", "wire"] {
            machine.put(&format!("sys/bus/pci/drivers/{driver}/unbind"), "");
        }
        machine.put("dev/vfio/vfio", "");
        machine.mode("dev/vfio/vfio", 0o666);
        machine.put("dev/vfio/7", "");
        machine.mode("dev/vfio/7", 0o666);
        machine.put("proc/cpuinfo", "vendor_id : GenuineIntel\n");
        machine.process(1000, "0-3");
        machine.limit("unlimited");
        machine.put("sys/devices/system/node/node1/cpulist", "0-3,8\n");
        machine.put("sys/devices/system/node/node1/hugepages/hugepages-2048kB/free_hugepages", "12\n");
        machine.put("sys/devices/system/node/node1/hugepages/hugepages-1048576kB/free_hugepages", "0\n");
        machine
    }

    fn root(&self) -> Root {
        Root::new(self.folder.path())
    }

    /// The tree with a kernel that gives a device that it is to probe this driver.
    fn root_that_binds(&self, driver: Option<&'static str>) -> Root {
        let folder = self.folder.path().to_owned();
        Root::with_kernel(folder.clone(), move |path, text| {
            if path.ends_with("drivers_probe") {
                set_driver(&folder, text, driver);
            }
        })
    }

    fn put(&self, path: &str, text: &str) {
        let path = self.folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn mode(&self, path: &str, mode: u32) {
        fs::set_permissions(self.folder.path().join(path), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn process(&self, uid: u32, cpus: &str) {
        let ids = format!("Uid:\t{uid}\t{uid}\t{uid}\t{uid}\nGid:\t500\t500\t500\t500\nGroups:\t501 502 \n");
        self.put("proc/self/status", &format!("Name:\twiresift\n{ids}Cpus_allowed_list:\t{cpus}\n"));
    }

    fn limit(&self, memlock: &str) {
        let text = format!(
            "Limit  Soft Limit  Hard Limit  Units\nMax locked memory    {memlock}    {memlock}    bytes\n"
        );
        self.put("proc/self/limits", &text);
    }

    fn device(
        &self,
        address: &str,
        vendor: &str,
        device: &str,
        class: &str,
        driver: Option<&str>,
        group: u32,
    ) {
        let folder = format!("sys/bus/pci/devices/{address}");
        let files = [
            ("vendor", vendor),
            ("device", device),
            ("class", class),
            ("subsystem_vendor", "0x10ee"),
            ("subsystem_device", "0x5753"),
            ("numa_node", "1"),
            ("driver_override", "(null)"),
            ("current_link_speed", "8.0 GT/s PCIe"),
            ("current_link_width", "16"),
            ("max_link_speed", "8.0 GT/s PCIe"),
            ("max_link_width", "16"),
        ];
        files.iter().for_each(|(name, text)| self.put(&format!("{folder}/{name}"), &format!("{text}\n")));
        let folder = self.folder.path().join(folder);
        symlink(format!("../../../kernel/iommu_groups/{group}"), folder.join("iommu_group")).unwrap();
        self.put(&format!("sys/kernel/iommu_groups/{group}/devices/{address}/x"), "");
        self.driver(address, driver);
    }

    fn driver(&self, address: &str, driver: Option<&str>) {
        if let Some(driver) = driver {
            self.put(&format!("sys/bus/pci/drivers/{driver}/unbind"), "");
        }
        set_driver(self.folder.path(), address, driver);
    }

    fn remove(&self, path: &str) {
        let path = self.folder.path().join(path);
        if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
    }

    fn card(&self) -> PciDevice {
        PciDevice::at(&self.root(), CARD.parse().unwrap()).unwrap()
    }

    /// What the kernel was told last, at a path.
    fn told(&self, path: &str) -> String {
        fs::read_to_string(self.folder.path().join(path)).unwrap()
    }

    fn findings(&self, weight: Weight) -> Vec<(String, String)> {
        let findings = examine(&self.root(), &concerned(&self.root(), None));
        let of_weight = findings.into_iter().filter(|finding| finding.weight == weight);
        of_weight.map(|finding| (finding.text, finding.mend.unwrap_or_default())).collect()
    }
}

fn set_driver(folder: &Path, address: &str, driver: Option<&str>) {
    let link = folder.join(format!("sys/bus/pci/devices/{address}/driver"));
    let _: io::Result<()> = fs::remove_file(&link);
    if let Some(driver) = driver {
        symlink(folder.join("sys/bus/pci/drivers").join(driver), link).unwrap();
    }
}

#[test]
fn addresses_are_those_of_the_kernel() {
    for text in ["0000:01:00.0", "10000:e1:1f.7", "0000:00:00.3"] {
        assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
    }
    assert_eq!("01:00.0".parse::<Address>().unwrap().to_string(), "0000:01:00.0");
    for text in [
        "",
        "0000:01:00",
        "0000:01:20.0",
        "0000:01:00.8",
        "0000:100:00.0",
        "x:01:00.0",
        "0:0:0:0.0",
        "+1:0.0",
    ] {
        assert!(text.parse::<Address>().is_err(), "{text}");
    }
}

#[test]
fn the_bus_is_read() {
    let machine = Machine::new();
    let devices = scan(&machine.root());
    let addresses: Vec<String> = devices.iter().map(|device| device.address.to_string()).collect();
    assert_eq!(addresses, [BRIDGE, CARD, AUDIO, DISK]);
    let card = machine.card();
    assert_eq!((card.vendor, card.device, card.class), (0x10ee, 0x903f, 0x12_0000));
    assert_eq!((card.driver.as_deref(), card.group, card.numa_node), (Some("wire"), Some(7), Some(1)));
    let (now, max) = card.link.clone().unwrap();
    assert_eq!((now.width, max.speed.as_str()), (16, "8.0 GT/s PCIe"));
    assert!(card.is_card() && !card.is_vfio() && !card.is_bridge() && devices[0].is_bridge());
    assert!(!devices[3].is_card());
    assert_eq!(devices[3].users(&machine.root()), ["nvme/nvme0"]);
    assert_eq!(scan(&Root::new("/nonexistent")), []);
}

#[test]
fn a_device_is_bound_and_given_back() {
    let machine = Machine::new();
    let (root, address) = (machine.root(), CARD.parse().unwrap());
    let bound = bind(&machine.root_that_binds(Some("vfio-pci")), address, false).unwrap();
    assert_eq!(bound.before.as_deref(), Some("wire"));
    assert_eq!((bound.now.as_deref(), bound.group), (Some("vfio-pci"), Some(7)));
    assert_eq!(override_of(&root, address).as_deref(), Some("vfio-pci"));
    assert_eq!(machine.told("sys/bus/pci/drivers/wire/unbind"), CARD);
    assert!(machine.card().is_vfio());
    // Again: nothing to do, nobody is asked.
    assert_eq!(bind(&root, address, false).unwrap().before.as_deref(), Some("vfio-pci"));
    let bound = unbind(&machine.root_that_binds(Some("wire")), address).unwrap();
    assert_eq!((bound.before.as_deref(), bound.now.as_deref()), (Some("vfio-pci"), Some("wire")));
    assert_eq!(override_of(&root, address), None);
    assert_eq!(machine.told("sys/bus/pci/drivers/vfio-pci/unbind"), CARD);
    let error = unbind(&root, address).unwrap_err().to_string();
    assert_eq!(error, "0000:01:00.0 is not bound to vfio-pci but to wire");
}

#[test]
fn what_the_kernel_does_not_do_is_undone_and_told() {
    let machine = Machine::new();
    let (root, address) = (machine.root(), CARD.parse().unwrap());
    let error = bind(&machine.root_that_binds(Some("wire")), address, false).unwrap_err();
    assert_eq!(error.to_string(), "0000:01:00.0 is bound to wire where it should be bound to vfio-pci");
    assert_eq!(override_of(&root, address), None, "undone");
    machine.remove("sys/bus/pci/drivers_probe");
    let error = bind(&root, address, false).unwrap_err().to_string();
    assert!(error.contains("cannot write") && error.contains("drivers_probe"), "{error}");
    assert_eq!(override_of(&root, address), None, "undone");
}

#[test]
fn what_must_not_be_bound_is_refused() {
    let machine = Machine::new();
    let root = machine.root();
    let try_bind =
        |address: &str, force| bind(&root, address.parse().unwrap(), force).unwrap_err().to_string();
    assert_eq!(try_bind("0000:05:00.0", true), "there is no PCI device 0000:05:00.0");
    assert!(try_bind(AUDIO, false).starts_with("0000:01:00.1 is no Wiresift card (8086:1234)"));
    assert_eq!(try_bind(DISK, true), "0000:02:00.0 is in use: nvme/nvme0");
    machine.remove("sys/bus/pci/drivers/vfio-pci");
    assert_eq!(try_bind(CARD, false), "the driver vfio-pci is not loaded: sudo modprobe vfio-pci");
    machine.remove(&format!("sys/bus/pci/devices/{CARD}/iommu_group"));
    assert!(try_bind(CARD, false).starts_with("0000:01:00.0 has no IOMMU group"));
    assert_eq!(override_of(&root, CARD.parse().unwrap()), None);
}

#[test]
fn a_machine_that_is_ready_has_nothing_missing() {
    let machine = Machine::new();
    machine.driver(CARD, Some("vfio-pci"));
    assert_eq!(machine.findings(Weight::Missing), []);
    assert_eq!(machine.findings(Weight::Slow), []);
    assert_eq!(missing_of(&machine.root(), &machine.card()), Vec::<String>::new());
}

/// Each thing that can be missing, alone: what is told, and the command.
#[test]
fn each_thing_that_is_missing_is_named_with_its_command() {
    type Break = fn(&Machine);
    let cases: [(Break, Weight, &str, &str); 13] = [
        (
            |m| m.remove("sys/kernel/iommu_groups"),
            Weight::Missing,
            "off: no device has a group",
            "intel_iommu=on iommu=pt",
        ),
        (
            |m| m.remove("sys/bus/pci/drivers/vfio-pci"),
            Weight::Missing,
            "vfio-pci is not loaded",
            "modprobe vfio-pci",
        ),
        (
            |m| m.remove("dev/vfio/vfio"),
            Weight::Missing,
            "/dev/vfio/vfio is not there",
            "modprobe vfio_iommu_type1",
        ),
        (
            |m| m.mode("dev/vfio/vfio", 0o600),
            Weight::Missing,
            "/dev/vfio/vfio cannot be opened",
            "chmod 0666",
        ),
        (
            |m| m.driver(CARD, Some("wire")),
            Weight::Missing,
            "bound to wire",
            "sudo wiresift bind 0000:01:00.0",
        ),
        (|m| m.driver(CARD, None), Weight::Missing, "bound to no driver", "sudo wiresift bind 0000:01:00.0"),
        (
            |m| m.driver(AUDIO, Some("snd")),
            Weight::Missing,
            "shares group 7 with 0000:01:00.1, which the host's driver snd holds",
            "echo 0000:01:00.1 | sudo tee /sys/bus/pci/devices/0000:01:00.1/driver/unbind",
        ),
        (
            |m| m.mode("dev/vfio/7", 0o600),
            Weight::Missing,
            "/dev/vfio/7 cannot be opened by this user",
            "chown",
        ),
        (|m| m.remove("dev/vfio/7"), Weight::Missing, "/dev/vfio/7 is not there", "udevadm trigger"),
        (
            |m| m.limit("65536"),
            Weight::Missing,
            "this user may pin 64 KiB; a session needs 4096 KiB",
            "limits.d",
        ),
        (
            |m| m.put("sys/devices/system/node/node1/hugepages/hugepages-2048kB/free_hugepages", "0\n"),
            Weight::Slow,
            "none is free",
            "echo 16 | sudo tee /sys/devices/system/node/node1/hugepages/hugepages-2048kB/nr_hugepages",
        ),
        (|m| m.process(1000, "0-7"), Weight::Slow, "on NUMA node 1", "numactl --cpunodebind=1 --membind=1"),
        (
            |m| m.put(&format!("sys/bus/pci/devices/{CARD}/current_link_width"), "8\n"),
            Weight::Slow,
            "link 8.0 GT/s PCIe x8 where 8.0 GT/s PCIe x16 is possible",
            "lspci",
        ),
    ];
    for (break_it, weight, text, mend) in cases {
        let machine = Machine::new();
        machine.driver(CARD, Some("vfio-pci"));
        break_it(&machine);
        let found = machine.findings(weight);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert!(found[0].0.contains(text), "{found:?}");
        assert!(found[0].1.contains(mend), "{found:?}");
        let is_listed =
            missing_of(&machine.root(), &machine.card()).iter().any(|listed| listed.contains(text));
        assert_eq!(is_listed, weight == Weight::Missing && !text.starts_with("/dev/vfio/vfio"), "{text}");
    }
}

#[test]
fn without_a_card_that_is_what_is_missing() {
    let machine = Machine::new();
    for address in [CARD, AUDIO, BRIDGE, DISK] {
        machine.remove(&format!("sys/bus/pci/devices/{address}"));
    }
    let found = machine.findings(Weight::Missing);
    assert!(found.len() == 1 && found[0].0.contains("no Wiresift card"), "{found:?}");
}

/// Root may do everything, so nothing of that is missing.
#[test]
fn root_needs_no_rights() {
    let machine = Machine::new();
    machine.driver(CARD, Some("vfio-pci"));
    machine.process(0, "0-3");
    machine.limit("65536");
    machine.mode("dev/vfio/7", 0);
    assert_eq!(machine.findings(Weight::Missing), []);
}

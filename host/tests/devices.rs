//! `wiresift devices`, `bind` and `unbind` as a user calls them, on made trees in place of `/`; and the files for
//! packagers.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};

use wiresift_abi::pci;

fn wiresift(root: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wiresift"));
    command.args(arguments).arg("--root").arg(root).output().expect("the command runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A tree with a card that is bound to `driver`.
fn machine(driver: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let put = |path: &str, text: &str| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let card = "sys/bus/pci/devices/0000:65:00.0";
    let id = |number: u16| format!("{number:#06x}\n");
    put(&format!("{card}/vendor"), &id(pci::VENDOR_ID));
    put(&format!("{card}/device"), &id(pci::DEVICE_ID));
    put(&format!("{card}/subsystem_vendor"), &id(pci::SUBSYSTEM_VENDOR_ID));
    put(&format!("{card}/subsystem_device"), &id(pci::SUBSYSTEM_ID));
    put(&format!("{card}/class"), "0x120000\n");
    put(&format!("{card}/numa_node"), "-1\n");
    put(&format!("{card}/driver_override"), "(null)\n");
    put("sys/kernel/iommu_groups/41/devices/0000:65:00.0/x", "");
    put("sys/bus/pci/drivers_probe", "");
    put(&format!("sys/bus/pci/drivers/{driver}/unbind"), "");
    put("sys/bus/pci/drivers/vfio-pci/unbind", "");
    put("dev/vfio/vfio", "");
    put("dev/vfio/41", "");
    put("proc/self/status", "Uid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nCpus_allowed_list:\t0\n");
    put("sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "8\n");
    symlink(format!("../../../drivers/{driver}"), folder.path().join(card).join("driver")).unwrap();
    symlink("../../../../kernel/iommu_groups/41", folder.path().join(card).join("iommu_group")).unwrap();
    folder
}

#[test]
fn cards_are_listed_with_what_is_missing() {
    let ready = machine("vfio-pci");
    let output = wiresift(ready.path(), &["devices"]);
    assert!(output.status.success());
    let listed = text(&output.stdout);
    let row = listed.lines().find(|line| line.contains("0000:65:00.0")).unwrap();
    let cells: Vec<&str> = row.split_whitespace().collect();
    assert_eq!(cells, ["0000:65:00.0", "10ee:903f", "vfio-pci", "41", "-", "-", "nothing"]);
    let output = wiresift(ready.path(), &["devices", "doctor"]);
    assert!(output.status.success(), "{}", text(&output.stdout));

    let other = machine("xocl");
    let listed = text(&wiresift(other.path(), &["devices"]).stdout);
    assert!(listed.contains("bound to xocl, not to vfio-pci"), "{listed}");
    let output = wiresift(other.path(), &["devices", "doctor", "0000:65:00.0"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stdout).contains("$ sudo wiresift bind 0000:65:00.0"), "{}", text(&output.stdout));
    assert_eq!(text(&output.stderr), "wiresift: one thing is missing\n");
}

#[test]
fn a_machine_without_cards_says_so() {
    let nothing = tempfile::tempdir().unwrap();
    let output = wiresift(nothing.path(), &["devices"]);
    assert!(output.status.success());
    assert!(text(&output.stdout).starts_with("no Wiresift card"));
    let output = wiresift(nothing.path(), &["devices", "doctor"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stdout).contains("MISSING  IOMMU: off"), "{}", text(&output.stdout));
    let output = wiresift(nothing.path(), &["devices", "doctor", "0000:65:00.0"]);
    assert_eq!(text(&output.stderr), "wiresift: there is no PCI device 0000:65:00.0\n");
}

#[test]
fn what_cannot_be_bound_is_an_error() {
    let machine = machine("xocl");
    // Nobody answers the probe in a tree, so the card keeps its driver, and that is told.
    let output = wiresift(machine.path(), &["bind", "0000:65:00.0"]);
    assert_eq!(output.status.code(), Some(2));
    let error = text(&output.stderr);
    assert_eq!(error, "wiresift: 0000:65:00.0 is bound to xocl where it should be bound to vfio-pci\n");
    let output = wiresift(machine.path(), &["unbind", "65:00.0"]);
    assert_eq!(text(&output.stderr), "wiresift: 0000:65:00.0 is not bound to vfio-pci but to xocl\n");
    let output = wiresift(machine.path(), &["bind", "65:00"]);
    assert!(text(&output.stderr).contains("`65:00` is no PCI address"), "{}", text(&output.stderr));
}

/// This machine, whatever it is: the list only reads, and fails nowhere.
#[test]
fn the_devices_of_this_machine_are_listed() {
    let output = wiresift(Path::new("/"), &["devices", "--all"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
}

#[test]
fn the_files_for_packagers_have_the_numbers_of_the_contract() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging");
    let rules = fs::read_to_string(folder.join("60-wiresift.rules")).unwrap();
    let rules: Vec<&str> = rules.lines().filter(|line| !line.starts_with('#')).collect();
    let cards = [(pci::VENDOR_ID, pci::DEVICE_ID), (pci::AWS_VENDOR_ID, pci::AWS_DEVICE_ID)];
    assert_eq!(rules.len(), cards.len());
    for (rule, (vendor, device)) in rules.iter().zip(cards) {
        let (by, subsystem) = (pci::SUBSYSTEM_VENDOR_ID, pci::SUBSYSTEM_ID);
        let attributes = [
            ("vendor", vendor),
            ("device", device),
            ("subsystem_vendor", by),
            ("subsystem_device", subsystem),
        ];
        for (name, value) in attributes {
            assert!(rule.contains(&format!("ATTR{{{name}}}==\"{value:#06x}\"")), "{name} in {rule}");
        }
        assert!(rule.contains("wiresift-bind@$kernel.service"), "{rule}");
    }
    let unit = fs::read_to_string(folder.join("wiresift-bind@.service")).unwrap();
    for line in ["ExecStart=/usr/bin/wiresift bind %I", "ExecStop=/usr/bin/wiresift unbind %I"] {
        assert!(unit.lines().any(|found| found == line), "{line}");
    }
}

//! `wiresift devices`, `bind` and `unbind`.

use std::fmt::Write as _;

use anyhow::{Result, bail};
use tabled::builder::Builder;
use tabled::settings::Style;
use wiresift_host::devices::doctor::{concerned, missing_of};
use wiresift_host::devices::{self, Address, PciDevice, Root, Weight};

use super::{BindArgs, DevicesArgs, DevicesCommand, UnbindArgs};

/// Lists devices, or looks for what is missing.
///
/// # Errors
/// `doctor`: where something is missing without which no card can be used.
pub fn run(args: &DevicesArgs) -> Result<()> {
    let root = Root::new(&args.root);
    match args.command {
        None => super::print(&list(&root, args.all)),
        Some(DevicesCommand::Doctor { address }) => doctor(&root, address),
    }
}

/// Binds a device.
///
/// # Errors
/// Where it cannot be bound.
pub fn bind(args: &BindArgs) -> Result<()> {
    let root = Root::new(&args.root);
    let bound = devices::bind(&root, args.address, args.force)?;
    let address = args.address;
    let group = bound.group.map_or_else(String::new, |group| format!(", /dev/vfio/{group}"));
    let before = bound.before.as_deref().unwrap_or("no driver");
    let mut text = format!("{address}: bound to {}{group} (before: {before})\n", devices::VFIO_DRIVER);
    if let Some(device) = PciDevice::at(&root, address) {
        for missing in missing_of(&root, &device) {
            let _ = writeln!(text, "{address}: still missing: {missing} (wiresift devices doctor)");
        }
    }
    super::print(&text)
}

/// Gives a device back.
///
/// # Errors
/// Where it is not bound, or the kernel does not take it back.
pub fn unbind(args: &UnbindArgs) -> Result<()> {
    let bound = devices::unbind(&Root::new(&args.root), args.address)?;
    let now = bound.now.as_deref().unwrap_or("no driver");
    super::print(&format!("{}: given back, now bound to {now}\n", args.address))
}

fn list(root: &Root, all: bool) -> String {
    let devices = if all { devices::scan(root) } else { concerned(root, None) };
    if devices.is_empty() {
        return "no Wiresift card, and nothing is bound to vfio-pci (--all lists every device)\n".to_owned();
    }
    let mut table = Builder::new();
    table.push_record(["address", "id", "driver", "group", "link", "numa", "missing"]);
    for device in &devices {
        let none = || "-".to_owned();
        let missing = match missing_of(root, device) {
            _ if !device.is_card() && !device.is_vfio() => none(),
            missing if missing.is_empty() => "nothing".to_owned(),
            missing => missing.join("; "),
        };
        table.push_record([
            device.address.to_string(),
            format!("{:04x}:{:04x}", device.vendor, device.device),
            device.driver.clone().unwrap_or_else(none),
            device.group.map_or_else(none, |group| group.to_string()),
            device.link.as_ref().map_or_else(none, |(now, _)| format!("{} x{}", now.speed, now.width)),
            device.numa_node.map_or_else(none, |node| node.to_string()),
            missing,
        ]);
    }
    table.build().with(Style::blank()).to_string() + "\n"
}

fn doctor(root: &Root, address: Option<Address>) -> Result<()> {
    let devices = concerned(root, address);
    if let Some(address) = address
        && devices.is_empty()
    {
        bail!("there is no PCI device {address}");
    }
    let findings = devices::examine(root, &devices);
    let mut text = String::new();
    for finding in &findings {
        let _ = writeln!(text, "{:<8} {}: {}", finding.weight.to_string(), finding.subject, finding.text);
        if let Some(mend) = &finding.mend {
            let _ = writeln!(text, "         $ {mend}");
        }
    }
    super::print(&text)?;
    match findings.iter().filter(|finding| finding.weight == Weight::Missing).count() {
        0 => Ok(()),
        1 => bail!("one thing is missing"),
        missing => bail!("{missing} things are missing"),
    }
}

//! The driver through a stock kernel's VFIO and an IOMMU, against the simulated card, in a virtual machine.
//!
//! Tier 2: `wiresift classify --device vfio:ADDRESS` in the guest, with the card's DMA in place, with pages of 2 MiB
//! and of 4 KiB. Tier 3: the card's DMA by message, so that each access goes through the emulated IOMMU; and one that
//! is outside of every mapping, which the guest's kernel must report. (Tier 1, the same driver over a socket, is in
//! `testbench/tests/simcard.rs`.)
//!
//! Skipped with the reason where QEMU or the kernel cannot be had; REQUIRE_VM=1 makes that a failure.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::process::Command;
use std::time::Instant;

use wiresift_vm::machine::{Packages, Run, file_system, run};
use wiresift_vm::programs;

/// The csv of the same classification on this machine.
fn expected(wiresift: &std::path::Path, fixtures: &std::path::Path) -> Vec<String> {
    let output = Command::new(wiresift)
        .args([
            "classify",
            "--geometry",
            "lab",
            "--format",
            "csv",
            "--seed",
            "7",
            "--device",
            "cpu",
            "--rules",
        ])
        .arg(fixtures.join("demo.acl"))
        .arg("--rules")
        .arg(fixtures.join("demo.rules"))
        .arg(fixtures.join("demo.pcap"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn check(name: &str, run: &Run, expected: &[String], pages: &str) {
    println!("{name}: {:.1} s", run.elapsed.as_secs_f64());
    assert_eq!(run.of("failed:"), Vec::<&str>::new(), "{name}\n{}", run.said);
    assert_eq!(run.of("driver"), ["vfio-pci"], "{name}\n{}", run.said);
    assert!(run.of("exit").iter().any(|line| line.starts_with("Some(0)")), "{name}\n{}", run.said);
    assert!(run.of("csv") == expected, "{name}: the csv is another than that of cpu\n{}", run.said);
    let told = format!("wiresift: memory for the card is in pages of {pages}");
    assert!(run.of("stderr").contains(&told.as_str()), "{name}\n{}", run.said);
}

#[test]
fn a_guest_classifies_on_the_card_as_the_cpu_does() {
    let packages = match Packages::fetch() {
        Ok(packages) => packages,
        Err(reason) => {
            assert!(
                !std::env::var("REQUIRE_VM").is_ok_and(|value| value == "1"),
                "no virtual machine: {reason}"
            );
            println!("skipped: virtual machine: {reason}");
            return;
        }
    };
    let start = Instant::now();
    let guest = programs::guest().unwrap();
    let here = programs::here().unwrap();
    println!("programs for the guest: {:.1} s", start.elapsed().as_secs_f64());
    let fixtures = programs::root().join("tests/fixtures");
    let expected = expected(&here.join("wiresift"), &fixtures);
    assert!(expected.len() > 100);
    let initrd = file_system(&packages, &guest, &fixtures).unwrap();
    let simcard = here.join("wiresift-simcard");
    let guest_run = |dma: &str, words: &str| {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("initrd"), &initrd).unwrap();
        run(&packages, &simcard, folder.path(), dma, words).unwrap_or_else(|error| panic!("{error}"))
    };

    let small = guest_run("fd", "");
    check("tier 2, pages of 4 KiB", &small, &expected, "4 KiB");
    assert!(!small.of("kmsg").iter().any(|line| line.contains("fault")), "{}", small.said);
    let huge = guest_run("fd", "wiresift.huge");
    check("tier 2, pages of 2 MiB", &huge, &expected, "2 MiB");
    assert_eq!(huge.of("huge"), ["8 of 8 free"], "{}", huge.said);

    let by_message = guest_run("message", "wiresift.huge wiresift.stray");
    check("tier 3, DMA by message", &by_message, &expected, "2 MiB");
    assert_eq!(by_message.of("stray"), ["read of 0x7a55550000: Some(ReadResponse)"], "{}", by_message.said);
    let faults: Vec<_> =
        by_message.of("kmsg").into_iter().filter(|line| line.contains("fault addr")).collect();
    assert!(
        faults.iter().any(|line| line.contains("DMA Read") && line.contains("0x7a55550000")),
        "{faults:?}"
    );
}

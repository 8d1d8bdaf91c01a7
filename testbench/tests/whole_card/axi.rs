//! The card's AXI master and AXI4-Lite slave judged by models that share nothing with this project: cocotbext-axi's
//! `AxiRam` and `AxiLiteMaster` on the emitted Verilog, in Icarus. `axi/` holds the other side of the rings in Python,
//! written from `docs/registers.md`.

use std::fs;
use std::path::Path;
use std::process::Command;

use wiresift_abi::geometry::LAB;
use wiresift_hdl::emit::card_verilog;

/// The interpreter with cocotb, or the reason why there is none.
fn missing() -> Option<&'static str> {
    let runs = |program: &str, args: &[&str]| {
        Command::new(program).args(args).output().is_ok_and(|output| output.status.success())
    };
    if !runs("iverilog", &["-V"]) {
        return Some("Icarus (iverilog) is not installed");
    }
    let import = "import cocotb, cocotbext.axi";
    (!runs("python3", &["-c", import]))
        .then_some("cocotb and cocotbext-axi (tests/requirements.txt) are not installed")
}

/// Whether to go on; prints why not. With `REQUIRE_TOOLS=1` a missing tool is a failure.
fn has_tools() -> bool {
    let Some(reason) = missing() else { return true };
    assert!(std::env::var_os("REQUIRE_TOOLS").is_none_or(|value| value != "1"), "{reason}");
    println!("skipped: {reason}");
    false
}

/// Runs tests of `axi/test_card.py` on a text, all where none is named; says whether they passed, and what was printed.
fn run(verilog: &str, tests: &[&str]) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("lab.v");
    fs::write(&source, verilog).unwrap();
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let scripts = here.join("tests/axi");
    let output = Command::new("python3")
        .arg(scripts.join("run.py"))
        .args([&source, &folder.path().join("build")])
        .args(tests)
        .env("WIRESIFT_REGISTERS", here.join("../docs/registers.md"))
        .env("PYTHONPATH", &scripts)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        // cocotbext-axi says some things in the words of an older cocotb.
        .env("PYTHONWARNINGS", "ignore")
        .output()
        .expect("python3 runs");
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), text)
}

#[test]
fn independent_models_of_both_buses_find_the_card_in_order() {
    if !has_tools() {
        return;
    }
    let (passed, text) = run(&card_verilog(&LAB).unwrap(), &[]);
    let table = text.lines().filter(|line| line.contains("** ") || line.starts_with("cocotb:"));
    table.for_each(|line| println!("{}", line.trim()));
    assert!(passed, "{text}");
}

/// Cards that are wrong on the bus in one place each.
#[test]
fn a_wrong_card_is_found_out() {
    if !has_tools() {
        return;
    }
    let card = card_verilog(&LAB).unwrap();
    let mutants = [
        // A bit of every record.
        ("m_axi_wdata = write$m_axi_wdata;", "m_axi_wdata = write$m_axi_wdata ^ 128'h100000000;"),
        // The wrong half of the ring.
        ("m_axi_araddr = fetch$m_axi_araddr;", "m_axi_araddr = fetch$m_axi_araddr ^ 64'h1000;"),
        // A request that is not kept.
        (
            "m_axi_awvalid = write$m_axi_awvalid;",
            "m_axi_awvalid = write$m_axi_awvalid & write$m_axi_awaddr[6];",
        ),
        // Read errors that are not seen.
        ("fetch$m_axi_rresp = m_axi_rresp;", "fetch$m_axi_rresp = 2'h0;"),
    ];
    for (right, wrong) in mutants {
        assert!(card.contains(right), "the card does not say `{right}`");
        let tests: &[&str] = if right.contains("rresp") { &["error_response"] } else { &["interrupt"] };
        let (passed, _) = run(&card.replace(right, wrong), tests);
        assert!(!passed, "`{wrong}` was not found out");
    }
}

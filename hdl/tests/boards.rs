//! What can be checked of `hdl/boards` without the vendors' tools: the tops elaborate with the whole card, the vendors'
//! blocks as black boxes with their documented ports; the blocks of our own do what they should; the numbers on the PCI
//! bus are those of the contract.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use wiresift_abi::geometry::LINE;
use wiresift_abi::pci;
use wiresift_hdl::emit::card_verilog;

/// A top with what it is made of; folders of included files begin with `-I`.
struct Board {
    top: &'static str,
    sources: &'static [&'static str],
    includes: &'static [&'static str],
}

const BOARDS: [Board; 2] = [
    Board {
        top: "wiresift_u55c",
        sources: &["u55c/wiresift_u55c.v", "common/csr_bridge.v", "blackbox/u55c.v"],
        includes: &[],
    },
    Board {
        top: "cl_wiresift",
        sources: &["f2/cl_wiresift.sv", "f2/read_tags.v", "blackbox/sh_ddr.v"],
        includes: &["-Iblackbox/f2", "-If2"],
    },
];

fn boards() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("boards")
}

/// Whether a tool is installed; prints why a test is skipped. With `REQUIRE_TOOLS=1` a missing one is a failure.
fn has(tool: &str) -> bool {
    if Command::new(tool).arg("-V").output().is_ok() {
        return true;
    }
    assert!(std::env::var_os("REQUIRE_TOOLS").is_none_or(|value| value != "1"), "{tool} is not installed");
    println!("skipped: {tool} is not installed");
    false
}

/// The Verilog of the card; it takes seconds, so it is emitted once.
fn card_line() -> &'static str {
    static CARD: OnceLock<String> = OnceLock::new();
    CARD.get_or_init(|| card_verilog(&LINE).unwrap())
}

/// Runs a tool in the folder of the boards; gives whether it succeeded, and everything that it printed.
fn run(tool: &str, arguments: &[&str]) -> (bool, String) {
    let output = Command::new(tool).current_dir(boards()).args(arguments).output().expect("the tool runs");
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), text)
}

#[test]
fn the_tops_elaborate_with_the_whole_card() {
    if !["iverilog", "verilator", "yosys"].map(has).iter().all(|is_there| *is_there) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let card = folder.path().join("card_line.v");
    fs::write(&card, card_line()).unwrap();
    let card = card.to_str().unwrap();
    for Board { top, sources, includes } in BOARDS {
        let files: Vec<&str> = sources.iter().copied().chain([card]).collect();
        let elaborate = ["-g2012", "-t", "null", "-s", top];
        let arguments: Vec<&str> = elaborate.iter().chain(includes).chain(&files).copied().collect();
        let (passed, text) = run("iverilog", &arguments);
        assert!(passed, "{top}: {text}");

        // Every warning about our own files counts, widths of ports among them.
        let lint = [
            "--lint-only",
            "-Wall",
            "-Wno-fatal",
            "-Wno-PINCONNECTEMPTY",
            "-Wno-UNUSED",
            "-Wno-DECLFILENAME",
        ];
        let arguments: Vec<&str> = lint
            .iter()
            .chain(includes)
            .copied()
            .chain(["--top-module", top])
            .chain(files.iter().copied())
            .collect();
        let (_, text) = run("verilator", &arguments);
        let ours = |line: &&str| {
            line.starts_with('%') && !line.contains("card_line.v") && !line.contains("UNDRIVEN: blackbox/")
        };
        let found: Vec<&str> = text.lines().filter(ours).collect();
        assert!(found.is_empty(), "{top}: {}", found.join("\n"));

        let script = format!(
            "read_verilog -sv {} {}; hierarchy -check -top {top}; select -assert-min 1 t:top",
            includes.join(" "),
            files.join(" ")
        );
        let (passed, text) = run("yosys", &["-q", "-p", &script]);
        assert!(passed, "{top}: {text}");
    }
}

/// A port that the vendor's block does not have, and one of the wrong width, are found out.
#[test]
fn a_wrong_port_does_not_elaborate() {
    if !has("iverilog") || !has("verilator") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let blackbox = fs::read_to_string(boards().join("blackbox/u55c.v")).unwrap();
    let source = folder.path().join("u55c.v");
    fs::write(&source, blackbox.replace("s_axib_awregion", "s_axib_region")).unwrap();
    let card = folder.path().join("card_line.v");
    fs::write(&card, card_line()).unwrap();
    let files =
        ["u55c/wiresift_u55c.v", "common/csr_bridge.v", source.to_str().unwrap(), card.to_str().unwrap()];
    let (passed, text) =
        run("iverilog", &[&["-g2012", "-t", "null", "-s", "wiresift_u55c"], &files[..]].concat());
    assert!(!passed && text.contains("s_axib_awregion"), "{text}");
    fs::write(
        &source,
        blackbox.replace("input wire [511:0] s_axib_wdata", "input wire [255:0] s_axib_wdata"),
    )
    .unwrap();
    let lint = ["--lint-only", "-Wall", "-Wno-fatal", "--top-module", "wiresift_u55c"];
    let (_, text) = run("verilator", &[&lint[..], &files[..]].concat());
    assert!(text.lines().any(|line| line.contains("WIDTH") && line.contains("s_axib_wdata")), "{text}");
}

#[test]
fn the_blocks_of_our_own_do_what_they_should() {
    if !has("iverilog") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let benches = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/boards");
    let simulate = |bench: &str, source: &Path| {
        let program = folder.path().join(bench);
        let program = program.to_str().unwrap();
        let file = benches.join(format!("{bench}.v"));
        let (built, text) = run(
            "iverilog",
            &["-g2012", "-o", program, "-s", bench, file.to_str().unwrap(), source.to_str().unwrap()],
        );
        assert!(built, "{text}");
        run("vvp", &[program]).1
    };
    // Each block, and a change of it that makes it wrong.
    let cases = [
        ("read_tags_tb", "f2/read_tags.v", "is_whole[oldest] && given", "given"),
        ("csr_bridge_tb", "common/csr_bridge.v", "s_axi_awlen != 8'd0 || s_axi_awsize > 3'd2", "1'b0"),
    ];
    for (bench, source, right, wrong) in cases {
        let text = simulate(bench, &boards().join(source));
        assert!(text.contains("PASSED") && !text.contains("FAILED"), "{bench}: {text}");
        println!("{bench}: {}", text.lines().last().unwrap_or_default());
        let block = fs::read_to_string(boards().join(source)).unwrap();
        assert!(block.contains(right), "{source} does not say `{right}`");
        let mutant = folder.path().join("mutant.v");
        fs::write(&mutant, block.replace(right, wrong)).unwrap();
        let text = simulate(bench, &mutant);
        assert!(
            text.contains("FAILED") && !text.contains("PASSED"),
            "{bench} does not find `{wrong}`: {text}"
        );
    }
}

#[test]
fn the_numbers_on_the_bus_are_those_of_the_contract() {
    let defines = fs::read_to_string(boards().join("f2/cl_id_defines.vh")).unwrap();
    let number = |high: u16, low: u16| format!("32'h{high:04X}_{low:04X}");
    assert!(defines.contains(&format!("CL_SH_ID0 {}", number(pci::AWS_DEVICE_ID, pci::AWS_VENDOR_ID))));
    assert!(defines.contains(&format!("CL_SH_ID1 {}", number(pci::SUBSYSTEM_ID, pci::SUBSYSTEM_VENDOR_ID))));
    let script = fs::read_to_string(boards().join("u55c/build.tcl")).unwrap();
    let settings = [
        ("vendor_id", pci::VENDOR_ID),
        ("pf0_device_id", pci::DEVICE_ID),
        ("pf0_subsystem_vendor_id", pci::SUBSYSTEM_VENDOR_ID),
        ("pf0_subsystem_id", pci::SUBSYSTEM_ID),
    ];
    for (name, value) in settings {
        assert!(script.contains(&format!("CONFIG.{name} {{{value:04X}}}")), "{name}");
    }
    assert!(script.contains(&format!("CONFIG.pf0_class_code_base {{{:02X}}}", pci::CLASS >> 16)));
    assert_eq!(pci::BAR0_BYTES, 4 << 10, "CONFIG.pf0_bar0_size");
}

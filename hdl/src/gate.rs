//! The gate that every hardware block passes in its own test.
//!
//! RustHDL emits some Verilog that does not do what its own simulation does, lets latches through and
//! names what is not there. So a block counts as right only when the text it emits is taken by three
//! independent tools, and when its native simulation and the Verilated text agree:
//!
//! 1. Icarus reads it;
//! 2. `verilator --lint-only` has no warning but that of widths;
//! 3. yosys finds no latch, no undeclared name, no net without driver or with two, no loop;
//! 4. lock-step: the same inputs go into both, and every output is compared in every cycle, before and
//!    after the clock edge.
//!
//! The Verilated model is a program that reads the inputs of all cycles and prints the outputs, so
//! nothing here is `unsafe`. Programs and findings are kept in a temporary folder by the content of
//! the text, so a block that did not change is not built again.

use std::fmt::Write as _;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rust_hdl::core::prelude::*;

/// A block with a clock port, so that the gate can step it.
pub trait Clocked: Block {
    /// The port of the clock.
    fn clock(&mut self) -> &mut Signal<In, Clock>;
}

/// Whether the slow sweeps are asked for (`tests/run --long`).
pub fn long() -> bool {
    std::env::var("WIRESIFT_LONG").is_ok_and(|text| !text.is_empty())
}

/// Rounds after which a block that still changes is taken for a combinational loop.
const SETTLE_ROUNDS: usize = 200;

/// A block stepped in the calling thread.
pub struct Native<B> {
    /// The unit under test: set `uut.port.next`, read `uut.port.val()`.
    pub uut: B,
}

impl<B: Clocked> Native<B> {
    /// Connects the block, checks that nothing in it is open, and settles it with the clock low.
    pub fn new(mut uut: B) -> Self {
        uut.connect_all();
        check_all(&uut).unwrap();
        let mut native = Self { uut };
        native.settle();
        native
    }

    /// Combinational outputs follow the inputs.
    pub fn settle(&mut self) {
        for _ in 0..SETTLE_ROUNDS {
            self.uut.update_all();
            if !self.uut.has_changed() {
                return;
            }
        }
        panic!("the block does not settle: a combinational loop");
    }

    /// Settles, gives a rising edge, settles.
    pub fn step(&mut self) {
        self.settle();
        self.edge();
    }

    fn edge(&mut self) {
        self.uut.clock().next = Clock { clk: true };
        self.settle();
        self.uut.clock().next = Clock { clk: false };
        self.settle();
    }
}

/// Emits `make()`, checks the text with Icarus, Verilator and yosys, then drives the native block and
/// the Verilated one in lock-step with the same inputs and compares every output in every cycle.
///
/// `stimulus` sets the inputs of a cycle (`uut.port.next = ..`); it sees the outputs of the cycle before.
/// A tool that is not installed is skipped with a printed line, unless `REQUIRE_TOOLS=1` is set.
///
/// # Panics
/// On every difference and every finding.
pub fn passes<B: Clocked>(
    name: &str,
    make: impl Fn() -> B,
    cycles: usize,
    seed: u64,
    stimulus: impl FnMut(&mut B, &mut ChaCha8Rng, usize),
) {
    let mut native = Native::new(make());
    let verilog = generate_verilog(&native.uut);
    let ports = ports_of(&native.uut);
    check_text(name, &verilog);
    if let Some(program) = model(name, &verilog, &ports) {
        lock_step(name, &mut native, &ports, &program, cycles, seed, stimulus);
    }
}

/// Like [`passes`], but the text is `verilog` instead of the block's own: whether a pass over the text
/// keeps its behaviour.
pub fn text_behaves_like<B: Clocked>(
    name: &str,
    verilog: &str,
    make: impl Fn() -> B,
    cycles: usize,
    seed: u64,
    stimulus: impl FnMut(&mut B, &mut ChaCha8Rng, usize),
) {
    let mut native = Native::new(make());
    let ports = ports_of(&native.uut);
    check_text(name, verilog);
    if let Some(program) = model(name, verilog, &ports) {
        lock_step(name, &mut native, &ports, &program, cycles, seed, stimulus);
    }
}

/// Checks a text with Icarus, Verilator's lint and yosys; the top module is `top`.
pub fn check_text(name: &str, verilog: &str) {
    assert!(verilog.contains("module top("), "{name}: no module top");
    let dir = cache_dir("text", verilog);
    if dir.join("checked").exists() {
        return;
    }
    let build = Build::new(dir);
    let top = build.write("top.v", verilog);
    let mut all_ran = true;
    if let Some(run) =
        run(name, Command::new("iverilog").args(["-g2005", "-s", "top", "-o", "top.vvp"]).arg(&top), &build)
    {
        assert!(run.ok && run.text.trim().is_empty(), "{name}: icarus\n{}", run.text);
    } else {
        all_ran = false;
    }
    let lint = ["--lint-only", "-Wno-WIDTH", "--top-module", "top"];
    if let Some(run) = run(name, Command::new("verilator").args(lint).arg(&top), &build) {
        assert!(run.ok && !run.text.contains("%Warning"), "{name}: verilator --lint-only\n{}", run.text);
    } else {
        all_ran = false;
    }
    let script = "read_verilog top.v; hierarchy -check -top top; proc; flatten; check -assert";
    if let Some(run) = run(name, Command::new("yosys").args(["-p", script]), &build) {
        for bad in ["Latch inferred", "implicitly declared", "Re-definition of", "has no driver"] {
            assert!(!run.text.contains(bad), "{name}: yosys: {}", lines_with(&run.text, bad));
        }
        assert!(run.ok, "{name}: yosys\n{}", tail(&run.text));
    } else {
        all_ran = false;
    }
    if all_ran {
        build.write("checked", "");
    }
    build.keep();
}

/// Cells of each kind that synthesis makes of a text for `xcup` or `ecp5`, or `None` without yosys.
pub fn mapped_cells(name: &str, verilog: &str, target: &str) -> Option<Vec<(String, usize)>> {
    let dir = cache_dir(target, verilog);
    let kept = dir.join("stat");
    if !kept.exists() {
        let build = Build::new(dir);
        build.write("top.v", verilog);
        let synth = match target {
            "xcup" => "synth_xilinx -family xcup -flatten -noiopad -noclkbuf -top top",
            "ecp5" => "synth_ecp5 -top top",
            other => panic!("no target {other}"),
        };
        let script = format!("read_verilog top.v; {synth}; tee -o stat stat");
        let run = run(name, Command::new("yosys").args(["-q", "-p", &script]), &build)?;
        assert!(run.ok, "{name}: yosys\n{}", tail(&run.text));
        build.keep();
    }
    let stat = fs::read_to_string(kept).unwrap();
    let cells = stat.lines().skip_while(|line| !line.contains("Number of cells")).skip(1);
    let count = |line: &str| {
        let mut words = line.split_whitespace();
        Some((words.next()?.to_owned(), words.next()?.parse().ok()?))
    };
    Some(cells.map_while(count).collect())
}

/// A port of the top: name in the Verilog, bits, direction.
struct Port {
    name: String,
    bits: usize,
    is_input: bool,
}

impl Port {
    fn words(&self) -> usize {
        self.bits.div_ceil(32)
    }

    /// The member of the Verilated class (Verilator's manual, "encoded names").
    fn member(&self) -> String {
        self.name.replace("__", "___05F").replace('$', "__024")
    }
}

/// Visits the ports of the top in a fixed order.
struct TopPorts<F> {
    depth: usize,
    namespaces: Vec<String>,
    visit: F,
}

impl<F: FnMut(String, &dyn Atom)> Probe for TopPorts<F> {
    fn visit_start_scope(&mut self, _: &str, _: &dyn Block) {
        self.depth += 1;
    }
    fn visit_end_scope(&mut self, _: &str, _: &dyn Block) {
        self.depth -= 1;
    }
    fn visit_start_namespace(&mut self, name: &str, _: &dyn Block) {
        self.namespaces.push(name.to_owned());
    }
    fn visit_end_namespace(&mut self, _: &str, _: &dyn Block) {
        self.namespaces.pop();
    }
    fn visit_atom(&mut self, name: &str, atom: &dyn Atom) {
        if self.depth == 1 && matches!(atom.kind(), AtomKind::InputParameter | AtomKind::OutputParameter) {
            let mut full = self.namespaces.join("$");
            if !full.is_empty() {
                full.push('$');
            }
            (self.visit)(full + name, atom);
        }
    }
}

fn visit_ports(uut: &dyn Block, visit: impl FnMut(String, &dyn Atom)) {
    uut.accept("top", &mut TopPorts { depth: 0, namespaces: Vec::new(), visit });
}

/// Ports without the clock.
fn ports_of(uut: &dyn Block) -> Vec<Port> {
    let mut ports = Vec::new();
    visit_ports(uut, |name, atom| {
        if name != "clock" {
            ports.push(Port { name, bits: atom.bits(), is_input: atom.kind() == AtomKind::InputParameter });
        }
    });
    ports
}

/// Values of the inputs or of the outputs, 32-bit words from the low bits up, port by port.
fn words_of(uut: &dyn Block, inputs: bool) -> Vec<u32> {
    let mut words = Vec::new();
    visit_ports(uut, |name, atom| {
        if name != "clock" && (atom.kind() == AtomKind::InputParameter) == inputs {
            let text = format!("{:x}", atom.verilog());
            let digits = text.split_once("'h").unwrap().1;
            let start = words.len();
            for chunk in digits.as_bytes().rchunks(8) {
                words.push(u32::from_str_radix(std::str::from_utf8(chunk).unwrap(), 16).unwrap());
            }
            words.resize(start + atom.bits().div_ceil(32), 0);
        }
    });
    words
}

fn lock_step<B: Clocked>(
    name: &str,
    native: &mut Native<B>,
    ports: &[Port],
    program: &Path,
    cycles: usize,
    seed: u64,
    mut stimulus: impl FnMut(&mut B, &mut ChaCha8Rng, usize),
) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (mut inputs, mut expected) = (Vec::new(), Vec::new());
    for cycle in 0..cycles {
        stimulus(&mut native.uut, &mut rng, cycle);
        native.settle();
        inputs.extend(words_of(&native.uut, true));
        expected.extend(words_of(&native.uut, false));
        native.edge();
        expected.extend(words_of(&native.uut, false));
    }
    let actual = run_model(name, program, &inputs, cycles);
    let outputs: Vec<&Port> = ports.iter().filter(|port| !port.is_input).collect();
    let frame: usize = outputs.iter().map(|port| port.words()).sum();
    assert!(frame > 0, "{name}: no outputs");
    assert_eq!(expected.len(), 2 * cycles * frame);
    assert_eq!(actual.len(), expected.len(), "{name}: the Verilated model ended early");
    for half in 0..2 * cycles {
        let mut at = half * frame;
        for port in &outputs {
            let range = at..at + port.words();
            at = range.end;
            assert!(
                actual[range.clone()] == expected[range.clone()],
                "{name}: cycle {} {} the edge, port {}: native {:08x?}, verilated {:08x?} (low word first)",
                half / 2,
                if half % 2 == 0 { "before" } else { "after" },
                port.name,
                &expected[range.clone()],
                &actual[range],
            );
        }
    }
}

fn run_model(name: &str, program: &Path, inputs: &[u32], cycles: usize) -> Vec<u32> {
    let dir = tempfile::tempdir().unwrap();
    let (input, output) = (dir.path().join("in"), dir.path().join("out"));
    let bytes: Vec<u8> = inputs.iter().flat_map(|word| word.to_le_bytes()).collect();
    fs::write(&input, bytes).unwrap();
    let status = Command::new(program)
        .arg(cycles.to_string())
        .stdin(fs::File::open(&input).unwrap())
        .stdout(fs::File::create(&output).unwrap())
        .status()
        .unwrap();
    assert!(status.success(), "{name}: the Verilated model failed: {status}");
    let bytes = fs::read(&output).unwrap();
    bytes.chunks_exact(4).map(|word| u32::from_le_bytes(word.try_into().unwrap())).collect()
}

/// The Verilated program, or `None` where a tool is absent.
fn model(name: &str, verilog: &str, ports: &[Port]) -> Option<PathBuf> {
    let shim = shim(ports);
    let dir = cache_dir("model", &(verilog.to_owned() + &shim));
    let program = dir.join("model");
    if program.exists() {
        return Some(program);
    }
    let build = Build::new(dir);
    build.write("top.v", verilog);
    build.write("shim.cpp", &shim);
    let args = [
        "--cc",
        "top.v",
        "--top-module",
        "top",
        "--Mdir",
        "obj",
        "-O3",
        "--x-assign",
        "0",
        "--x-initial",
        "0",
    ];
    let quiet = ["-Wno-fatal", "-Wno-WIDTH", "--output-split", "20000"];
    let verilated = run(name, Command::new("verilator").args(args).args(quiet), &build)?;
    assert!(verilated.ok, "{name}: verilator\n{}", tail(&verilated.text));
    let root = run(name, Command::new("verilator").args(["--getenv", "VERILATOR_ROOT"]), &build)?;
    let include = PathBuf::from(root.text.trim()).join("include");
    let runtime = runtime(name, &include, &build)?;
    let mut sources: Vec<_> =
        fs::read_dir(build.path().join("obj")).unwrap().map(|entry| entry.unwrap().path()).collect();
    sources.retain(|path| path.extension().is_some_and(|extension| extension == "cpp"));
    sources.sort();
    let mut compile = compiler(&include);
    compile.args(["-Iobj", "-o", "model", "shim.cpp"]).args(sources).args(runtime).arg("-pthread");
    let compiled = run(name, &mut compile, &build)?;
    assert!(compiled.ok, "{name}: g++\n{}", tail(&compiled.text));
    // The sources are of no more use; only the program is kept.
    fs::remove_dir_all(build.path().join("obj")).unwrap();
    build.keep();
    Some(program)
}

fn compiler(include: &Path) -> Command {
    let mut command = Command::new("g++");
    // No optimisation: the program runs for a fraction of the time that optimising it would take.
    command.args(["-std=gnu++17", "-O0", "-w", "-DVM_COVERAGE=0", "-DVM_SC=0", "-DVM_TRACE=0"]);
    command.arg("-I").arg(include).arg("-I").arg(include.join("vltstd"));
    command
}

/// Objects of Verilator's own runtime, compiled once.
fn runtime(name: &str, include: &Path, build: &Build) -> Option<Vec<PathBuf>> {
    let sources = ["verilated", "verilated_threads"].map(|file| include.join(file).with_extension("cpp"));
    let text: String = sources.iter().map(|path| fs::read_to_string(path).unwrap_or_default()).collect();
    let dir = cache_dir("runtime", &text);
    let objects = vec![dir.join("verilated.o"), dir.join("verilated_threads.o")];
    if !objects.iter().all(|object| object.exists()) {
        let build = Build::new(dir);
        let run = run(name, compiler(include).arg("-c").args(sources), &build)?;
        assert!(run.ok, "{name}: g++\n{}", tail(&run.text));
        build.keep();
    }
    let _ = build;
    Some(objects)
}

/// The program around the Verilated class: all inputs from stdin, all outputs to stdout.
fn shim(ports: &[Port]) -> String {
    let mut text = String::from(
        "#include \"Vtop.h\"\n#include <cstdio>\n#include <cstdlib>\n#include <cstdint>\n#include <memory>\n\
         double sc_time_stamp() { return 0; }\n\
         static Vtop* top;\n\
         static uint32_t take() { uint32_t w; if (fread(&w, 4, 1, stdin) != 1) exit(2); return w; }\n\
         static void give(uint32_t w) { if (fwrite(&w, 4, 1, stdout) != 1) exit(3); }\n",
    );
    let (mut takes, mut gives) = (String::new(), String::new());
    for port in ports {
        let member = port.member();
        let line = match (port.is_input, port.bits) {
            (true, ..=32) => format!("top->{member} = take();"),
            (true, ..=64) => {
                format!("{{ uint64_t w = take(); top->{member} = w | (uint64_t)take() << 32; }}")
            }
            (true, _) => format!("for (int i = 0; i < {}; i++) top->{member}[i] = take();", port.words()),
            (false, ..=32) => format!("give(top->{member});"),
            (false, ..=64) => {
                format!("give((uint32_t)top->{member}); give((uint32_t)(top->{member} >> 32));")
            }
            (false, _) => format!("for (int i = 0; i < {}; i++) give(top->{member}[i]);", port.words()),
        };
        writeln!(if port.is_input { &mut takes } else { &mut gives }, "  {line}").unwrap();
    }
    write!(
        text,
        "static void inputs() {{\n{takes}}}\nstatic void outputs() {{\n{gives}}}\n\
         int main(int, char** argv) {{\n  std::unique_ptr<Vtop> owner(new Vtop); top = owner.get();\n\
         \x20 top->clock = 0; top->eval();\n  for (long n = atol(argv[1]); n > 0; n--) {{\n\
         \x20   inputs(); top->eval(); outputs();\n    top->clock = 1; top->eval();\n\
         \x20   top->clock = 0; top->eval(); outputs();\n  }}\n  return fflush(stdout) ? 4 : 0;\n}}\n"
    )
    .unwrap();
    text
}

/// A folder in which one test builds; it becomes the cache entry only when it is whole, so parallel
/// tests never see each other's half-built files.
struct Build {
    dir: tempfile::TempDir,
    target: PathBuf,
}

impl Build {
    fn new(target: PathBuf) -> Self {
        let parent = target.parent().unwrap();
        fs::create_dir_all(parent).unwrap();
        Self { dir: tempfile::tempdir_in(parent).unwrap(), target }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn write(&self, file: &str, text: &str) -> PathBuf {
        let path = self.path().join(file);
        fs::write(&path, text).unwrap();
        path
    }

    fn keep(self) {
        let path = self.dir.keep();
        if fs::rename(&path, &self.target).is_err() {
            // Another test built the same at the same time: its entry stays.
            assert!(self.target.exists());
            fs::remove_dir_all(path).unwrap();
        }
    }
}

/// Cache entry of a text. This file is part of the key, so no finding outlives a change of the gate.
fn cache_dir(kind: &str, text: &str) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    (include_str!("gate.rs"), kind, text).hash(&mut hasher);
    std::env::temp_dir().join("wiresift-gate").join(format!("{kind}-{:016x}", hasher.finish()))
}

struct Run {
    ok: bool,
    text: String,
}

/// Runs a tool in the build folder; `None` and a printed line where it is not installed.
fn run(name: &str, command: &mut Command, build: &Build) -> Option<Run> {
    let tool = command.get_program().to_string_lossy().into_owned();
    match command.current_dir(build.path()).stdin(Stdio::null()).output() {
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
            Some(Run { ok: output.status.success(), text: text.into_owned() })
        }
        Err(error) => {
            let required = std::env::var("REQUIRE_TOOLS").is_ok_and(|value| value == "1");
            assert!(!required, "{name}: {tool}: {error}");
            println!("skipped: {name}: {tool}: {error}");
            None
        }
    }
}

fn lines_with(text: &str, word: &str) -> String {
    text.lines().filter(|line| line.contains(word)).take(10).collect::<Vec<_>>().join("\n")
}

fn tail(text: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}

#[cfg(test)]
mod tests;

//! From Verilog to a shared library, built at first use and kept in a cache.
//!
//! The cache is the folder `WIRESIFT_CACHE`, else `XDG_CACHE_HOME/wiresift`, else `~/.cache/wiresift`.
//! A library's name is the hash of everything it was made of, so it never goes stale. A build happens
//! in a folder of its own and ends with a rename; a lock keeps two processes from the same work.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;

use indicatif::{ProgressBar, ProgressStyle};
use sha2::{Digest, Sha256};

use crate::ports::{Inputs, Outputs};

const SHIM: &str = include_str!("../shim/card.cpp");
/// Compilers at a time.
const JOBS: usize = 2;
/// Verilator: two-state values (the driver writes every register it relies on), and files small enough
/// to compile side by side.
const VERILATOR: [&str; 13] = [
    "--cc",
    "-O3",
    "--x-assign",
    "fast",
    "--x-initial",
    "fast",
    "-Wno-fatal",
    "-Wno-WIDTH",
    "--top-module",
    "top",
    "--output-split",
    "15000",
    "--no-timing",
];
const COMPILER: [&str; 7] =
    ["-std=gnu++17", "-fPIC", "-w", "-fno-gnu-unique", "-DVM_COVERAGE=0", "-DVM_SC=0", "-pthread"];
/// Optimisation of what runs every cycle. -O2 runs `lab` 1.4 times as fast (97 to 121 thousand cycles a
/// second), but takes minutes for a single file of `line`, which -O1 builds in 75 s of one core.
const FAST: &str = "-O1";
/// Optimisation of what runs once, which Verilator puts into files of their own, half of the text.
const SLOW: &str = "-O0";

/// Why there is no library.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A tool is not installed.
    #[error("the simulated card needs `{0}`, which is not installed (Debian: apt-get install verilator g++)")]
    NoTool(&'static str),
    /// No place for the cache is known.
    #[error("no cache folder: none of WIRESIFT_CACHE, XDG_CACHE_HOME and HOME is set")]
    NoCache,
    /// A file could not be read or written.
    #[error("cannot build the simulated card in {}", .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What came between.
        #[source]
        source: io::Error,
    },
    /// A tool failed.
    #[error("{tool} failed on the simulated card:\n{text}")]
    Tool {
        /// The tool.
        tool: &'static str,
        /// The end of what it said.
        text: String,
    },
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> BuildError {
    let path = path.to_owned();
    move |source| BuildError::Io { path, source }
}

/// The folder of the cache.
///
/// # Errors
/// [`BuildError::NoCache`].
pub fn cache_folder() -> Result<PathBuf, BuildError> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("WIRESIFT_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|folder| folder.join("wiresift")))
        .or_else(|| set("HOME").map(|folder| folder.join(".cache/wiresift")))
        .ok_or(BuildError::NoCache)
}

/// The library for a Verilog text with the ports of [`crate::ports`]; built where the cache does not
/// have it. A traced one can write VCD files, and is slower.
///
/// # Errors
/// See [`BuildError`].
pub fn library(verilog: &str, is_traced: bool) -> Result<PathBuf, BuildError> {
    let folder = cache_folder()?;
    let parts = Parts { verilog, ports: [Inputs::LIST, Outputs::LIST].concat(), is_traced };
    let wanted = folder.join(format!("card-{}.so", parts.key()?));
    if wanted.exists() {
        return Ok(wanted);
    }
    fs::create_dir_all(&folder).map_err(at(&folder))?;
    let lock_path = wanted.with_extension("lock");
    let lock = File::create(&lock_path).map_err(at(&lock_path))?;
    // Released when the file is closed, also by a process that dies.
    lock.lock().map_err(at(&lock_path))?;
    if !wanted.exists() {
        let build = Build::new(wanted.with_extension("build"))?;
        let made = build.run(&parts)?;
        fs::rename(&made, &wanted).map_err(at(&wanted))?;
    }
    Ok(wanted)
}

/// What a library is made of.
struct Parts<'a> {
    verilog: &'a str,
    ports: String,
    is_traced: bool,
}

impl Parts<'_> {
    fn key(&self) -> Result<String, BuildError> {
        let verilator = run("verilator", Command::new("verilator").arg("--version"))?;
        let compiler = run("g++", Command::new("g++").arg("--version"))?;
        let mut hash = Sha256::new();
        let flags =
            [VERILATOR.join(" "), COMPILER.join(" "), FAST.into(), SLOW.into(), self.is_traced.to_string()];
        for part in [self.verilog, SHIM, &self.ports, &verilator, &compiler]
            .into_iter()
            .chain(flags.iter().map(String::as_str))
        {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let mut key = String::new();
        for byte in &hash.finalize()[..16] {
            // Writing to a String cannot fail.
            let _ = write!(key, "{byte:02x}");
        }
        Ok(key)
    }
}

/// A folder in which one library is built; it is removed in the end, whatever happens.
struct Build {
    folder: PathBuf,
}

impl Drop for Build {
    fn drop(&mut self) {
        // What is left is only waste in a cache.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Build {
    fn new(folder: PathBuf) -> Result<Self, BuildError> {
        if folder.exists() {
            // A build that died; the lock says that nobody is at it.
            fs::remove_dir_all(&folder).map_err(at(&folder))?;
        }
        fs::create_dir_all(&folder).map_err(at(&folder))?;
        Ok(Self { folder })
    }

    /// Builds the library, which is moved away by the caller.
    fn run(&self, parts: &Parts<'_>) -> Result<PathBuf, BuildError> {
        let progress = progress();
        self.write("top.v", parts.verilog)?;
        self.write("ports.h", &parts.ports)?;
        self.write("card.cpp", SHIM)?;
        let mut verilator = Command::new("verilator");
        verilator.args(VERILATOR).args(["--Mdir", ".", "top.v"]).current_dir(&self.folder);
        if parts.is_traced {
            verilator.arg("--trace");
        }
        run("verilator", &mut verilator)?;
        let root = run("verilator", Command::new("verilator").args(["--getenv", "VERILATOR_ROOT"]))?;
        let include = PathBuf::from(root.trim()).join("include");
        let mut runtime = vec!["verilated.cpp", "verilated_threads.cpp"];
        if parts.is_traced {
            runtime.push("verilated_vcd_c.cpp");
        }
        let mut sources = self.sources()?;
        sources.extend(runtime.into_iter().map(|name| include.join(name)));
        let objects = self.compile(&sources, &include, parts.is_traced, &progress)?;
        let library = self.folder.join("card.so");
        let mut link = Command::new("g++");
        link.args(["-shared", "-pthread", "-o"]).arg(&library).args(&objects);
        run("g++", &mut link)?;
        progress.finish_and_clear();
        Ok(library)
    }

    fn write(&self, name: &str, text: &str) -> Result<(), BuildError> {
        let path = self.folder.join(name);
        fs::write(&path, text).map_err(at(&path))
    }

    /// Sources in the folder, the largest first, so that none of them is left for the end.
    fn sources(&self) -> Result<Vec<PathBuf>, BuildError> {
        let mut sources = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(at(&self.folder))? {
            let path = entry.map_err(at(&self.folder))?.path();
            if path.extension().is_some_and(|extension| extension == "cpp") {
                let bytes = fs::metadata(&path).map_err(at(&path))?.len();
                sources.push((bytes, path));
            }
        }
        sources.sort();
        Ok(sources.into_iter().rev().map(|(_, path)| path).collect())
    }

    /// Compiles every source, [`JOBS`] at a time.
    fn compile(
        &self,
        sources: &[PathBuf],
        include: &Path,
        is_traced: bool,
        progress: &ProgressBar,
    ) -> Result<Vec<PathBuf>, BuildError> {
        progress.set_length(sources.len() as u64);
        let objects: Vec<_> = (0..sources.len()).map(|n| self.folder.join(format!("object{n}.o"))).collect();
        let todo = Mutex::new(sources.iter().zip(&objects));
        // A thread that panics would have taken the process with it; the queue itself is always sound.
        let next = || todo.lock().unwrap_or_else(std::sync::PoisonError::into_inner).next();
        let trace = format!("-DVM_TRACE={}", u8::from(is_traced));
        let work = || -> Result<(), BuildError> {
            while let Some((source, object)) = next() {
                let mut compile = Command::new("g++");
                let is_slow = source.to_string_lossy().contains("__Slow");
                compile
                    .args(COMPILER)
                    .arg(if is_slow { SLOW } else { FAST })
                    .arg(&trace)
                    .arg("-DVM_TRACE_FST=0");
                compile.arg(format!("-DVM_TRACE_VCD={}", u8::from(is_traced)));
                compile.arg("-I").arg(&self.folder).arg("-I").arg(include);
                compile.arg("-I").arg(include.join("vltstd")).arg("-c").arg(source).arg("-o").arg(object);
                run("g++", &mut compile)?;
                progress.inc(1);
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let others: Vec<_> = (1..JOBS).map(|_| scope.spawn(work)).collect();
            let mine = work();
            others.into_iter().fold(mine, |all, other| match other.join() {
                Ok(result) => all.and(result),
                Err(panic) => std::panic::resume_unwind(panic),
            })
        })?;
        Ok(objects)
    }
}

/// A line on stderr that says what takes so long.
fn progress() -> ProgressBar {
    const WHAT: &str = "building the simulated card (once for each version of it)";
    if !io::stderr().is_terminal() {
        eprintln!("{WHAT} ...");
    }
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {pos}/{len} [{elapsed}]") {
        bar.set_style(style);
    }
    bar.set_message(WHAT);
    bar.enable_steady_tick(std::time::Duration::from_millis(200));
    bar
}

/// Runs a tool and gives what it printed.
fn run(tool: &'static str, command: &mut Command) -> Result<String, BuildError> {
    let output: Output = command.output().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => BuildError::NoTool(tool),
        _ => BuildError::Io { path: PathBuf::from(tool), source: error },
    })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let all = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&all);
    let last: Vec<_> = text.lines().rev().take(30).collect();
    let text = last.into_iter().rev().collect::<Vec<_>>().join("\n");
    Err(BuildError::Tool { tool, text: if text.is_empty() { output.status.to_string() } else { text } })
}

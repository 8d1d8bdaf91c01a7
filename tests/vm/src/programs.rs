//! The programs that the test runs, and what of this machine they need in the guest.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The root of the project.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The command and the simulated card.
#[derive(Clone, Debug)]
pub struct Programs {
    /// `wiresift`: the one of this machine runs in the guest too.
    pub wiresift: PathBuf,
    /// `wiresift-simcard`.
    pub simcard: PathBuf,
}

impl Programs {
    /// Builds them where they are not built yet, in the profile of this test.
    ///
    /// # Errors
    /// Where they cannot be built.
    pub fn build() -> Result<Self, String> {
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--package", "wiresift-host", "--bin", "wiresift"]);
        build.args(["--package", "wiresift-testbench", "--bin", "wiresift-simcard"]);
        if !cfg!(debug_assertions) {
            build.arg("--release");
        }
        run(build.current_dir(root()))?;
        // Test programs lie in `deps`, one folder below the others.
        let test = std::env::current_exe().unwrap_or_default();
        let folder = test.parent().and_then(Path::parent).unwrap_or(Path::new(""));
        Ok(Self { wiresift: folder.join("wiresift"), simcard: folder.join("wiresift-simcard") })
    }
}

/// The program without what only a debugger reads, which is most of it: the guest unpacks all of it into its memory.
///
/// # Errors
/// Where it cannot be read.
pub fn stripped(program: &Path, folder: &Path) -> Result<Vec<u8>, String> {
    let short = folder.join("stripped");
    let mut strip = Command::new("strip");
    strip.arg("-o").arg(&short).arg(program);
    // Without binutils it runs as it is.
    let path = if run(&mut strip).is_ok() { &short } else { program };
    fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// The dynamic loader and the libraries of a program, where it looks for them.
///
/// # Errors
/// Where the loader does not tell.
pub fn libraries(program: &Path) -> Result<Vec<PathBuf>, String> {
    // What `ldd` does: the loader names what it loaded and ends.
    let listed = Command::new(program).env("LD_TRACE_LOADED_OBJECTS", "1").output();
    let listed = listed.map_err(|error| format!("{}: {error}", program.display()))?;
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    // "libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x..)" and "/lib64/ld-linux-x86-64.so.2 (0x..)".
    let path = |line: &str| line.split_whitespace().find(|word| word.starts_with('/')).map(PathBuf::from);
    let libraries: Vec<_> = listed.lines().filter_map(path).collect();
    if libraries.is_empty() {
        return Err(format!("{} names no library: {listed:?}", program.display()));
    }
    Ok(libraries)
}

fn run(command: &mut Command) -> Result<(), String> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{command:?}: {status}")),
        Err(error) => Err(format!("{command:?}: {error}")),
    }
}

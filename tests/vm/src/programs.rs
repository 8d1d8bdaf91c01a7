//! The programs that the test runs, built where they are not there yet.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The root of the project.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Builds what runs in the guest, without a library that the guest lacks, and gives the folder of the programs.
///
/// # Errors
/// Where it cannot be built.
pub fn guest() -> Result<PathBuf, String> {
    let target = "x86_64-unknown-linux-gnu";
    let folder = root().join("target/vm");
    for (package, program, features) in
        [("wiresift-host", "wiresift", "card"), ("wiresift-vm", "wiresift-guest", "")]
    {
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--package", package, "--bin", program, "--no-default-features"]);
        build.args(["--features", features, "--target", target, "--target-dir"]).arg(&folder);
        // Flags that the test itself was built with are no concern of the guest's.
        build.env_remove("CARGO_ENCODED_RUSTFLAGS");
        build.env("RUSTFLAGS", "-C target-feature=+crt-static -C strip=symbols");
        run(build.current_dir(root()))?;
    }
    Ok(folder.join(target).join("debug"))
}

/// Builds the simulated card and the command for this machine; gives the folder of the programs.
///
/// # Errors
/// Where they cannot be built.
pub fn here() -> Result<PathBuf, String> {
    for (package, program) in [("wiresift-testbench", "wiresift-simcard"), ("wiresift-host", "wiresift")] {
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--package", package, "--bin", program]);
        run(build.current_dir(root()))?;
    }
    // Test programs lie in `deps`, one folder below the others.
    let test = std::env::current_exe().unwrap_or_default();
    Ok(test.parent().and_then(Path::parent).unwrap_or(Path::new("")).to_owned())
}

fn run(command: &mut Command) -> Result<(), String> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{command:?}: {status}")),
        Err(error) => Err(format!("{command:?}: {error}")),
    }
}

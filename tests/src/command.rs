//! Running the command `wiresift` as a user does.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// The devices whose answers must be the same to the byte, with the reference first.
pub const DEVICES: [&[&str]; 4] = [
    &["--device", "reference"],
    &["--device", "cpu"],
    &["--device", "rtl", "--geometry", "line"],
    &["--device", "rtl", "--geometry", "lab"],
];

/// The binary, built with the profile of this test.
pub fn wiresift() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--package", "wiresift-host", "--bin", "wiresift"]);
        if !cfg!(debug_assertions) {
            build.arg("--release");
        }
        if !cfg!(feature = "rtl") {
            build.arg("--no-default-features");
        }
        let status = build.current_dir(env!("CARGO_MANIFEST_DIR")).status();
        assert!(status.is_ok_and(|status| status.success()), "cargo build of wiresift failed");
        // Test binaries lie in `deps`, one folder below the programs.
        let test = std::env::current_exe().unwrap_or_default();
        let folder = test.parent().and_then(Path::parent).map(Path::to_path_buf).unwrap_or_default();
        folder.join("wiresift")
    })
}

/// Whether the devices can run here: the simulated card needs Verilator. Prints why not.
pub fn can_run(test: &str, device: &[&str]) -> bool {
    let needs_card = device.contains(&"rtl");
    if needs_card && !cfg!(feature = "rtl") {
        println!("skipped: {test} on {}: built without the simulated card", device.join(" "));
        return false;
    }
    if !needs_card || Command::new("verilator").arg("--version").output().is_ok() {
        return true;
    }
    let required = std::env::var("REQUIRE_TOOLS").is_ok_and(|value| value == "1");
    assert!(!required, "{test}: verilator is missing");
    println!("skipped: {test} on {}: verilator is not installed", device.join(" "));
    false
}

/// A run of `wiresift classify`.
#[derive(Debug, PartialEq, Eq)]
pub struct Run {
    /// Exit code.
    pub code: Option<i32>,
    /// The csv, or the report of the format asked for.
    pub csv: String,
    /// Standard error.
    pub errors: String,
}

/// Classifies captures with rule files on a device, with csv as the report.
pub fn classify(device: &[&str], rules: &[PathBuf], more: &[&str], captures: &[PathBuf]) -> Run {
    report("csv", device, rules, more, captures)
}

/// Classifies captures with rule files on a device, with a report of that format.
pub fn report(format: &str, device: &[&str], rules: &[PathBuf], more: &[&str], captures: &[PathBuf]) -> Run {
    let mut command = Command::new(wiresift());
    command.args(["classify", "--format", format, "--seed", "7"]).args(device).args(more);
    for file in rules {
        command.arg("--rules").arg(file);
    }
    let output = command.args(captures).output();
    let Output { status, stdout, stderr } = match output {
        Ok(output) => output,
        Err(error) => panic!("wiresift does not start: {error}"),
    };
    Run {
        code: status.code(),
        csv: String::from_utf8_lossy(&stdout).into_owned(),
        errors: String::from_utf8_lossy(&stderr).into_owned(),
    }
}

/// Classifies with every device that can run and compares each with the reference, csv byte for byte
/// and exit code. Returns the reference's run, and how many devices refused the rules as too many.
pub fn agree(
    test: &str,
    rules: &[PathBuf],
    more: &[&str],
    captures: &[PathBuf],
    devices: &[&[&str]],
) -> (Run, usize) {
    let judge = classify(DEVICES[0], rules, more, captures);
    let mut refused = 0;
    for device in devices.iter().filter(|device| can_run(test, device)) {
        let run = classify(device, rules, more, captures);
        if run.code == Some(2) && run.csv.is_empty() && run.errors.contains("do not fit geometry") {
            refused += 1;
            continue;
        }
        assert_eq!(
            run.code,
            judge.code,
            "{test} on {}: {}\nreference: {}",
            device.join(" "),
            run.errors,
            judge.errors
        );
        if run.csv != judge.csv {
            let (line, got, want) = first_difference(&run.csv, &judge.csv);
            panic!(
                "{test} on {}, {captures:?}: line {line} is\n  {got}\nand the reference says\n  {want}",
                device.join(" ")
            );
        }
    }
    (judge, refused)
}

fn first_difference<'a>(got: &'a str, want: &'a str) -> (usize, &'a str, &'a str) {
    let (mut got_lines, mut want_lines) = (got.lines(), want.lines());
    let mut line = 1;
    loop {
        match (got_lines.next(), want_lines.next()) {
            (Some(a), Some(b)) if a == b => line += 1,
            (a, b) => return (line, a.unwrap_or("(nothing)"), b.unwrap_or("(nothing)")),
        }
    }
}

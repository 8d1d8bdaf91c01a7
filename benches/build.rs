//! Finds DPDK, compiles the C between it and Rust, and finds Hyperscan.

use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed=src/dpdk.c");
    let Some(flags) = pkg_config("--cflags", "libdpdk") else {
        println!(
            "cargo::error=rte_acl, the peer of this comparison, is missing: `apt-get install --no-install-recommends \
             libdpdk-dev pkg-config` (or DPDK 22.11 from its sources)"
        );
        return ExitCode::FAILURE;
    };
    if pkg_config("--libs", "libhs").is_none() {
        println!(
            "cargo::error=Hyperscan, a peer of this comparison, is missing: `apt-get install \
             --no-install-recommends libhyperscan-dev pkg-config`"
        );
        return ExitCode::FAILURE;
    }
    let mut build = cc::Build::new();
    build.file("src/dpdk.c").opt_level(2).warnings(false);
    for flag in &flags {
        build.flag(flag);
    }
    build.compile("wiresift_dpdk");
    for path in pkg_config("--libs-only-L", "libdpdk").unwrap_or_default() {
        println!("cargo::rustc-link-search=native={}", path.trim_start_matches("-L"));
    }
    for path in pkg_config("--libs-only-L", "libhs").unwrap_or_default() {
        println!("cargo::rustc-link-search=native={}", path.trim_start_matches("-L"));
    }
    println!("cargo::rustc-link-lib=dylib=rte_acl");
    println!("cargo::rustc-link-lib=dylib=rte_eal");
    ExitCode::SUCCESS
}

fn pkg_config(what: &str, library: &str) -> Option<Vec<String>> {
    let output = Command::new("pkg-config").args([what, library]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.split_ascii_whitespace().map(str::to_owned).collect())
}

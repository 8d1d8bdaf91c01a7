//! The corpus of real rules and captures, which is never part of the project.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The variables that its rules use, with values as Suricata's own configuration has them, but for EXTERNAL_NET.
pub const VARIABLES: [&str; 14] = [
    "HOME_NET=[192.168.0.0/16,10.0.0.0/8,172.16.0.0/12]",
    "HTTP_SERVERS=$HOME_NET",
    "SMTP_SERVERS=$HOME_NET",
    "SQL_SERVERS=$HOME_NET",
    "DNS_SERVERS=$HOME_NET",
    "TELNET_SERVERS=$HOME_NET",
    "HTTP_PORTS=80",
    "ORACLE_PORTS=1521",
    "SSH_PORTS=22",
    "SHELLCODE_PORTS=!80",
    "FILE_DATA_PORTS=[80,110,143]",
    "SIP_SERVERS=$HOME_NET",
    "SIP_PORTS=[5060,5061]",
    "FTP_PORTS=21",
];
/// EXTERNAL_NET as most networks have it.
pub const ELSEWHERE: &str = "EXTERNAL_NET=!$HOME_NET";

/// [`VARIABLES`] with that EXTERNAL_NET, by name.
pub fn variables(external: &str) -> BTreeMap<String, String> {
    let all = VARIABLES.into_iter().chain([external]).filter_map(|variable| variable.split_once('='));
    all.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The folder that CORPUS names. Without it the test that asks says that it was skipped.
pub fn folder(test: &str) -> Option<PathBuf> {
    match std::env::var_os("CORPUS") {
        Some(folder) if !folder.is_empty() => Some(PathBuf::from(folder)),
        _ => {
            println!("skipped: {test}: CORPUS is not set");
            None
        }
    }
}

/// Every capture below a folder, in order of their paths.
pub fn captures(folder: &Path) -> Vec<PathBuf> {
    files(folder, &["pcap", "pcapng"])
}

/// Every file below a folder that has one of the endings, in order of their paths.
pub fn files(folder: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for path in entries.filter_map(|entry| entry.ok().map(|entry| entry.path())) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| endings.iter().any(|e| ending == *e)) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

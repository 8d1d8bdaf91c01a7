//! The corpus of real rules and captures, which is never part of the project.

use std::path::{Path, PathBuf};

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

//! Writes the demonstration files to `tests/fixtures`: a capture and rules for it.
//!
//! `cargo run -p wiresift-host --example make_fixtures`; a test checks that the files are what it writes.

mod fixtures;

use std::path::Path;

fn main() -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures");
    std::fs::create_dir_all(&folder)?;
    for (name, bytes) in fixtures::files() {
        std::fs::write(folder.join(name), &bytes)?;
        println!("{name}: {} bytes", bytes.len());
    }
    Ok(())
}

//! The files in `tests/fixtures` are what their generator writes.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../examples/make_fixtures/fixtures.rs"]
mod fixtures;

use std::path::Path;

#[test]
fn the_demonstration_files_are_what_the_generator_writes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures");
    for (name, expected) in fixtures::files() {
        let found = std::fs::read(folder.join(name)).unwrap();
        assert!(found == expected, "{name} differs: cargo run -p wiresift-host --example make_fixtures");
    }
}

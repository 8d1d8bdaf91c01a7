//! Prints `docs/registers.md`.

fn main() {
    print!("{}", wiresift_abi::document::registers());
}

//! How far a test goes.

/// Whether the slow sweeps are asked for (`tests/run --long`).
pub fn long() -> bool {
    std::env::var("WIRESIFT_LONG").is_ok_and(|text| !text.is_empty())
}

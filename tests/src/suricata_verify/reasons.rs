//! Why a test of suricata-verify gives other alerts here than in Suricata.

/// Names of tests, or of their folders, with the reason for all below. The first that fits counts.
const REASONS: [(&str, &str); 0] = [];

/// Why the test of that name gives other alerts, if it is known to.
pub fn reason(name: &str) -> Option<&'static str> {
    let below =
        |folder: &str| name.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    REASONS.iter().find(|(folder, _)| below(folder)).map(|(_, reason)| *reason)
}

//! Why a test of suricata-verify gives other alerts here than in Suricata.

const STREAM: &str =
    "Suricata also looks at the reassembled stream and alerts for it once more; packets alone match once";
const TUNNEL: &str = "rules see the outer packet, the alert is for the packet inside of the tunnel";
const POLICY: &str = "the configuration lets Suricata drop or pass what it cannot follow (exception policy), so that nothing is looked at";
const THRESHOLDS: &str =
    "`threshold.config` is Suricata's configuration; thresholds are taken from rules alone";
const ORDER: &str =
    "`action-order` is Suricata's configuration; here `pass` takes the packet's alerts always";
const ONCE: &str = "Suricata asks rules of addresses alone once for each direction of a flow, and `pass` goes on for its flow; here every packet is asked";
const EVENTS: &str = "asks for an event of Suricata's own decoder";

/// Names of tests, or of their folders, with the reason for all below. The first that fits counts.
const REASONS: [(&str, &str); 41] = [
    ("plus/detect-bytetest-02", STREAM),
    ("plus/detect-chksum-02", "checksums are not computed"),
    ("plus/detect-pcre/detect-pcre-03", "asks for the URI that Suricata's HTTP parser makes (a prefilter)"),
    ("plus/sctp-pkt-too-small", EVENTS),
    ("strict/bug-4571-01", TUNNEL),
    ("strict/bug-4571-03", TUNNEL),
    ("strict/bug-4571-04", TUNNEL),
    ("strict/bug-4571-06", TUNNEL),
    ("strict/bug-4663-02", ORDER),
    (
        "strict/bug-7725-01",
        "Suricata reports one of the three outer packets, here each is; the other alert is for the packet inside of the tunnel",
    ),
    (
        "strict/bug-8021-alert-max-verdict-01",
        "`packet-alert-max` of Suricata's configuration: here no alert is left out",
    ),
    ("strict/decode-nsh-type1", TUNNEL),
    ("strict/exception-policy-applayer-02", POLICY),
    ("strict/exception-policy-master-switch/exception-policy-master-switch-01", POLICY),
    ("strict/exception-policy-master-switch/exception-policy-master-switch-02", POLICY),
    ("strict/exception-policy-master-switch/exception-policy-master-switch-04", POLICY),
    ("strict/exception-policy-master-switch/exception-policy-master-switch-05", POLICY),
    ("strict/threshold/threshold-config-rate-filter-alert-flow", THRESHOLDS),
    ("strict/threshold/threshold-config-suppress-bydst-ip", THRESHOLDS),
    ("strict/threshold/threshold-config-suppress-bydst-ipsubnet", THRESHOLDS),
    ("strict/threshold/threshold-config-suppress-bydst-ipvar", THRESHOLDS),
    ("strict/threshold/threshold-config-suppress-byeither-ip", THRESHOLDS),
    ("strict/threshold/threshold-config-suppress-byeither-ipsubnet", THRESHOLDS),
    ("strict/threshold/threshold-config-suppress-byeither-ipvar", THRESHOLDS),
    ("strict/threshold/threshold-config-suppress-bysrc-ip", THRESHOLDS),
    ("strict/threshold/threshold-config-suppress-bysrc-ipsubnet", THRESHOLDS),
    ("strict/threshold/threshold-config-suppress-bysrc-ipvar", THRESHOLDS),
    ("strict/threshold/threshold-config-threshold-both-flow", THRESHOLDS),
    ("strict/threshold/threshold-config-threshold-limit-flow", THRESHOLDS),
    ("strict/threshold/threshold-config-threshold-threshold-flow", THRESHOLDS),
    ("strict/util-action-tests/util-action-01", ONCE),
    ("strict/util-action-tests/util-action-02", ONCE),
    ("strict/util-action-tests/util-action-06", ORDER),
    ("strict/util-action-tests/util-action-07", ORDER),
    ("strict/util-action-tests/util-action-11", ORDER),
    ("strict/util-action-tests/util-action-12", ORDER),
    ("strict/util-action-tests/util-action-13", ORDER),
    ("strict/util-action-tests/util-action-14", ORDER),
    ("strict/util-action-tests/util-action-15", ORDER),
    ("strict/util-action-tests/util-action-16", ORDER),
    ("strict/vxlan-decoder-04", TUNNEL),
];

/// Why the test of that name gives other alerts, if it is known to.
pub fn reason(name: &str) -> Option<&'static str> {
    let below =
        |folder: &str| name.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    REASONS.iter().find(|(folder, _)| below(folder)).map(|(_, reason)| *reason)
}

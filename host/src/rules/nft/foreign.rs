//! What a rule can say that cannot be expressed, and why.

use crate::rules::cursor::quoted;
use crate::rules::diagnostics::Fault;

use super::ast::At;

/// Words that decide about a packet; a rule without one only counts, logs or marks.
const DECIDE: [&str; 16] = [
    "accept",
    "drop",
    "reject",
    "jump",
    "goto",
    "return",
    "vmap",
    "queue",
    "fwd",
    "dnat",
    "snat",
    "masquerade",
    "redirect",
    "tproxy",
    "synproxy",
    "xt",
];

/// Matches that are stateful.
const STATEFUL: [&str; 10] =
    ["ct", "limit", "quota", "connlimit", "numgen", "last", "flow", "add", "update", "delete"];

/// Matches on what the card's key does not hold.
const NOT_IN_KEY: [&str; 44] = [
    "ah",
    "arp",
    "cgroup",
    "comp",
    "cpu",
    "dccp",
    "dst",
    "dup",
    "esp",
    "ether",
    "exthdr",
    "fib",
    "frag",
    "gre",
    "gretap",
    "hbh",
    "icmp",
    "icmpv6",
    "igmp",
    "iif",
    "iifgroup",
    "iifname",
    "iiftype",
    "ip",
    "ip option",
    "ip6",
    "ipsec",
    "jhash",
    "mark",
    "meta",
    "mh",
    "oif",
    "oifgroup",
    "oifname",
    "oiftype",
    "osf",
    "payload",
    "rt",
    "sctp",
    "socket",
    "symhash",
    "tcp",
    "udp",
    "vlan",
];

/// Keys of `meta` and `ct` whose change no rule that is expressible can see.
const UNSEEN: [&str; 6] = ["mark", "priority", "nftrace", "secmark", "label", "zone"];
/// Why a statement that changes a packet is not expressible.
pub(super) const CHANGES: &str = "changes the packet for the rules behind";

/// A part of a rule that is not expressible.
pub(super) struct Foreign {
    pub fault: Fault,
    /// It may change what is decided also without a verdict behind it.
    pub changes: bool,
}

/// Whether nothing that is expressible depends on the key of `meta` or `ct`.
pub(super) fn is_unseen(word: &str, key: &str) -> bool {
    matches!(word, "meta" | "ct") && UNSEEN.contains(&key)
}

/// Whether a word decides about a packet.
pub(super) fn decides(word: &str) -> bool {
    DECIDE.contains(&word)
}

/// Whether a statement that begins with the word has no effect but to match. `false` for what is not known.
pub(super) fn only_matches(word: &str) -> bool {
    STATEFUL.contains(&word) || NOT_IN_KEY.contains(&word) || word.starts_with('@')
}

/// Why `what`, a statement that begins with `word`, is not expressible.
pub(super) fn fault(at: At, word: &str, what: &str) -> Fault {
    let label = match word {
        _ if STATEFUL.contains(&word) => "needs what was seen before; every packet is decided by itself",
        "jump" | "goto" | "vmap" => "not expressible",
        _ if only_matches(word) => "the card's key does not hold this",
        _ if DECIDE.contains(&word) => "not a verdict of a filter",
        _ => "not known",
    };
    Fault::new(at, format!("`{}` is not expressible", quoted(what)), label)
}

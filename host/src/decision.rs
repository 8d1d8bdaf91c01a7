//! The answer for one packet, in the form that every device gives it.

use wiresift_abi::vector::Flags;

/// What the rules say of one packet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// Place of the first ACL rule that matches in [`crate::metadata::Metadata::acl`].
    pub acl: Option<u32>,
    /// Places of the matching signatures in [`crate::metadata::Metadata::signatures`], ascending, each
    /// once.
    pub signatures: Vec<u32>,
    /// Places of the signatures that select the packet as a candidate for a full IDS, ascending, each once. They
    /// did not match: see [`crate::rules::model::RuleClass::Prefilter`].
    pub suspects: Vec<u32>,
    /// Reason flags, without those that only the card sets.
    pub flags: Flags,
}

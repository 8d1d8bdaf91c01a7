//! What the host must know beside the card's tables to report a decision: the metadata of a rule image.

mod slots;

use serde::{Deserialize, Serialize};
use wiresift_abi::entry::Entry;

use crate::rules::detect::Detect;
use crate::rules::model::{AclAction, AclRule, Origin, RuleClass, RuleSet, Signature, SignatureAction};

/// Metadata of a rule image, kept in it as JSON. What it does not know is an error: the card may have been told things that go
/// by it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    /// ACL rules in order; everything but the card names them by their place here.
    pub acl: Vec<AclInfo>,
    /// The card's ACL ids, ascending, each with the place of its rule in `acl`. Where there are none, an
    /// id is the place itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub acl_ids: Vec<(u32, u32)>,
    /// Signatures, the refused ones included; everything else names them by their place here.
    pub signatures: Vec<SignatureInfo>,
    /// Signatures that share one header, by the card's signature id: places in `signatures`; none where no header has
    /// the id. Of the headers that a packet satisfies the signatures hold, but those that one of them has with
    /// [`TAKES_AWAY`]: see [`settle`].
    pub headers: Vec<Vec<u32>>,
    /// Entries of the signature headers that the card is not asked about: every signature that they mention waits for a pattern.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "slots")]
    pub host_entries: Vec<Entry>,
    /// The headers on the card that together let through every packet that one of those does whose signatures wait for presence
    /// bits: a card sends these with a header alone. One of them may be there for this, and mentions nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub presence_gates: Vec<u32>,
    /// The rule groups that the card reports, ascending by number. A signature whose pattern is that of one is in one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rule_groups: Vec<RuleGroup>,
    /// The presence bits of the card's short patterns, ascending, each with the place of the first signature
    /// that it leads to; others may have the same pattern.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub short_patterns: Vec<(u16, u32)>,
}

/// What the card names by the number of a pattern in its memory: signatures with this pattern, whose headers are one or
/// are in one header list ([`wiresift_abi::payload::headers`]).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleGroup {
    /// The card's number.
    pub number: u32,
    /// Places of the signatures, ascending; at least one.
    pub signatures: Vec<u32>,
}

/// Added to the place of a signature in [`Metadata::headers`]: a packet that satisfies the header does not satisfy
/// the signature, whatever its other header says. So a negated address list need not be written out as its
/// complement.
pub const TAKES_AWAY: u32 = 1 << 31;

/// What the headers of a packet mention, in any order → the signatures that hold, ascending, each once.
pub fn settle(mentions: &mut Vec<u32>) {
    mentions.sort_unstable();
    mentions.dedup();
    let taken_away = mentions.split_off(mentions.partition_point(|mention| mention & TAKES_AWAY == 0));
    if !taken_away.is_empty() {
        mentions.retain(|signature| taken_away.binary_search(&(signature | TAKES_AWAY)).is_err());
    }
}

/// Headers that mention a signature.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Mentions {
    /// Those with which it holds, ascending.
    pub holds_with: Vec<u32>,
    /// Those that take it away, ascending.
    pub taken_away_by: Vec<u32>,
}

/// An ACL rule as the report shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AclInfo {
    /// Action.
    pub action: AclAction,
    /// Where it stands.
    pub origin: Origin,
}

/// A signature as the report shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignatureInfo {
    /// Signature id.
    pub sid: u32,
    /// Generator id.
    pub gid: u32,
    /// Revision.
    pub rev: u32,
    /// Action.
    pub action: SignatureAction,
    /// Message.
    pub msg: String,
    /// Class type.
    pub classtype: Option<String>,
    /// Priority.
    pub priority: Option<u32>,
    /// References, as written.
    pub references: Vec<String>,
    /// Metadata options.
    pub metadata: Vec<(String, String)>,
    /// What becomes of it.
    pub class: RuleClass,
    /// What it asks beyond its header.
    #[serde(default, skip_serializing_if = "Detect::is_empty")]
    pub detect: Detect,
    /// Where it stands.
    pub origin: Origin,
}

impl Metadata {
    /// Metadata of rules that are not compiled: without headers.
    pub fn of(rules: &RuleSet) -> Self {
        Self {
            acl: rules.acl.iter().map(AclInfo::of).collect(),
            signatures: rules.signatures.iter().map(SignatureInfo::of).collect(),
            ..Self::default()
        }
    }

    /// The headers that mention each signature, by its place.
    ///
    /// # Errors
    /// The place that a header names where there is no signature.
    pub fn mentions(&self) -> Result<Vec<Mentions>, u32> {
        let mut all = vec![Mentions::default(); self.signatures.len()];
        for (header, mentions) in (0..).zip(&self.headers) {
            for mention in mentions {
                let place = mention & !TAKES_AWAY;
                let of_signature = all.get_mut(place as usize).ok_or(place)?;
                let takes_away = mention & TAKES_AWAY != 0;
                let list =
                    if takes_away { &mut of_signature.taken_away_by } else { &mut of_signature.holds_with };
                list.push(header);
            }
        }
        Ok(all)
    }

    /// Number of signature headers that mention signatures.
    pub fn headers_in_use(&self) -> usize {
        self.headers.iter().filter(|mentions| !mentions.is_empty()).count()
    }

    /// Number of signature headers that the card is not asked about.
    pub fn host_headers(&self) -> usize {
        // The entries of a header stand together.
        self.host_entries.chunk_by(|a, b| a.id == b.id).count()
    }

    /// Number of signatures that are not evaluated.
    pub fn refused(&self) -> usize {
        self.signatures.iter().filter(|signature| matches!(signature.class, RuleClass::Refused(_))).count()
    }

    /// Place in `acl` of the rule with that id of the card; `None` where there is none.
    pub fn acl_place(&self, id: u32) -> Option<u32> {
        if self.acl_ids.is_empty() {
            return ((id as usize) < self.acl.len()).then_some(id);
        }
        let found = self.acl_ids.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        Some(self.acl_ids[found].1).filter(|place| (*place as usize) < self.acl.len())
    }
}

impl AclInfo {
    /// What the report shows of a rule.
    pub fn of(rule: &AclRule) -> Self {
        Self { action: rule.action, origin: rule.origin.clone() }
    }
}

impl SignatureInfo {
    /// What the report shows of a signature.
    pub fn of(signature: &Signature) -> Self {
        Self {
            sid: signature.sid,
            gid: signature.gid,
            rev: signature.rev,
            action: signature.action,
            msg: signature.msg.clone(),
            classtype: signature.classtype.clone(),
            priority: signature.priority,
            references: signature.references.clone(),
            metadata: signature.metadata.clone(),
            class: signature.class.clone(),
            detect: signature.detect.clone(),
            origin: signature.origin.clone(),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use wiresift_abi::entry::{Kind, Ternary};

    use super::*;

    #[test]
    fn a_rule_is_found_by_its_id_and_only_where_there_is_one() {
        let rule = AclInfo { action: AclAction::Match, origin: Origin::default() };
        let mut metadata = Metadata { acl: vec![rule; 2], ..Metadata::default() };
        assert_eq!([0, 1, 2].map(|id| metadata.acl_place(id)), [Some(0), Some(1), None]);
        metadata.acl_ids = vec![(5, 1), (9, 0), (12, 2)];
        assert_eq!([0, 5, 9, 12].map(|id| metadata.acl_place(id)), [None, Some(1), Some(0), None]);
    }

    #[test]
    fn mentions_are_told_by_signature_or_which_one_there_is_not() {
        let json = r#"{"acl":[],"signatures":[],"headers":[[],[2147483653]]}"#;
        let metadata = serde_json::from_str::<Metadata>(json).map_err(|error| error.to_string());
        assert_eq!(metadata.map(|metadata| metadata.mentions()), Ok(Err(5)));
    }

    /// Images of before there were rule groups say which pattern each number is.
    #[test]
    fn metadata_of_another_form_is_an_error() {
        let parse = |rest: &str| {
            let text = format!("{{\"acl\":[],\"signatures\":[],\"headers\":[]{rest}}}");
            serde_json::from_str::<Metadata>(&text).map_err(|error| error.to_string())
        };
        assert_eq!(parse(""), Ok(Metadata::default()));
        let error = parse(",\"patterns\":[[7,0]]").err();
        assert!(error.is_some_and(|error| error.contains("unknown field `patterns`")));
    }

    #[test]
    fn entries_are_read_as_they_were_written_and_nothing_else_is_one() {
        let entry = Entry {
            kind: Kind::Signature,
            id: 0xf_fffe,
            src: Ternary { value: 0x2001_0db8 << 96, mask: u128::MAX << 96 },
            dst: Ternary { value: u128::MAX, mask: u128::MAX },
            sport: (1, 2),
            dport: (0, u16::MAX),
            proto: Ternary { value: 6, mask: 0xff },
            class: Ternary { value: 3, mask: 3 },
            aux: Ternary { value: 2, mask: 0x12 },
        };
        let metadata =
            Metadata { host_entries: vec![entry, Entry { id: 0, ..entry }], ..Metadata::default() };
        let text = serde_json::to_string(&metadata).unwrap();
        assert_eq!(serde_json::from_str::<Metadata>(&text).unwrap(), metadata);
        let slots: Vec<String> = serde_json::from_value(
            serde_json::from_str::<serde_json::Value>(&text).unwrap()["host_entries"].clone(),
        )
        .unwrap();
        assert_eq!(slots[0].len(), 2 * 53);
        let acl = Entry { kind: Kind::Acl, ..entry };
        let stray = slots[0].replacen("ff", "fg", 1);
        let hex = |entry: &Entry| hex::encode(&entry.to_wide().unwrap().0[..53]);
        for wrong in ["", "00", &slots[0][2..], &stray, &hex(&acl), &"0".repeat(106), &"f".repeat(106)] {
            let text = text.replacen(&slots[0], wrong, 1);
            let error = serde_json::from_str::<Metadata>(&text).unwrap_err().to_string();
            assert!(error.contains(&format!("`{wrong}` is no slot of a signature header")), "{error}");
        }
        let mut ranges = metadata;
        ranges.host_entries[0].src.mask = 5;
        assert!(serde_json::to_string(&ranges).unwrap_err().to_string().contains("not a prefix"));
    }

    #[test]
    fn a_signature_that_is_taken_away_does_not_hold_whatever_mentions_it() {
        let settled = |mentions: &[u32]| {
            let mut mentions = mentions.to_vec();
            settle(&mut mentions);
            mentions
        };
        assert_eq!(settled(&[7, 3, 7]), [3, 7]);
        assert_eq!(settled(&[TAKES_AWAY | 7, 7, 3, 7, TAKES_AWAY | 9, TAKES_AWAY | 7]), [3]);
        assert_eq!(settled(&[TAKES_AWAY]), [0; 0]);
    }
}

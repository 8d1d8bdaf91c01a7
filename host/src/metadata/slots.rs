//! Entries in metadata: each is the wide slot that it would take, its bytes as hexadecimal digits.

use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serializer};
use wiresift_abi::bits::Line;
use wiresift_abi::entry::{Entry, Kind, WIDE_BITS};

/// Bytes of a wide slot.
const BYTES: usize = WIDE_BITS.div_ceil(8);

/// Writes entries as a list of texts.
///
/// # Errors
/// Where an address is not a prefix.
pub fn serialize<S: Serializer>(entries: &[Entry], serializer: S) -> Result<S::Ok, S::Error> {
    let texts: Option<Vec<String>> =
        entries.iter().map(|entry| Some(hex::encode(&entry.to_wide()?.0[..BYTES]))).collect();
    serializer.collect_seq(texts.ok_or_else(|| S::Error::custom("an entry whose address is not a prefix"))?)
}

/// Reads them.
///
/// # Errors
/// Where a text is no slot of a signature header.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Entry>, D::Error> {
    let read = |text: &String| {
        let mut slot = Line::default();
        hex::decode_to_slice(text, &mut slot.0[..BYTES]).ok()?;
        Entry::from_slot(&slot, false)
            .filter(|entry| entry.kind == Kind::Signature && entry.to_wide() == Some(slot))
    };
    let texts = Vec::<String>::deserialize(deserializer)?;
    texts
        .iter()
        .map(|text| {
            read(text).ok_or_else(|| D::Error::custom(format!("`{text}` is no slot of a signature header")))
        })
        .collect()
}

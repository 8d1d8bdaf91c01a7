//! What of a content of an application-layer buffer stands in the packet.
//!
//! The buffer is made by a parser of the protocol, which a packet classifier does not have. Its contents are sought
//! anywhere in the payload, as far as their bytes stand there as they are; what is left out makes the condition weaker,
//! never stronger. Beyond that a message may be encoded in ways that its protocol leaves open (`docs/prefilter.md`).

use super::names::Carry;

/// Names of attributes of distinguished names, which stand for object ids.
const ATTRIBUTES: [&str; 16] = [
    "C",
    "ST",
    "S",
    "O",
    "OU",
    "L",
    "CN",
    "DC",
    "UID",
    "SN",
    "GN",
    "serialNumber",
    "emailAddress",
    "E",
    "title",
    "street",
];

/// Bytes that are sought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub bytes: Vec<u8>,
    pub nocase: bool,
}

/// The pieces of `content` that stand in the packet; all of them do, in any order. None: nothing is known.
pub(super) fn pieces(content: Piece, carries: &[Carry]) -> Vec<Piece> {
    let mut pieces = vec![content];
    for carry in carries {
        pieces = pieces.into_iter().flat_map(|piece| carried(piece, *carry)).collect();
    }
    pieces.retain(|piece| !piece.bytes.is_empty());
    pieces
}

fn carried(piece: Piece, carry: Carry) -> Vec<Piece> {
    let split = |apart: fn(u8) -> bool| {
        let parts = piece.bytes.split(|&byte| apart(byte));
        parts.map(|bytes| Piece { bytes: bytes.to_vec(), nocase: piece.nocase }).collect()
    };
    match carry {
        Carry::Raw => vec![piece],
        Carry::Caseless => vec![Piece { nocase: true, ..piece }],
        Carry::Uri => split(is_encoded_in_uris),
        Carry::Labels => {
            labels(&piece.bytes).into_iter().map(|bytes| Piece { bytes, nocase: piece.nocase }).collect()
        }
        Carry::Lines => split(|byte| matches!(byte, b'\r' | b'\n')),
        Carry::Words => split(|byte| byte.is_ascii_whitespace() || byte == 0x0b),
        Carry::Dot => {
            let bytes = piece.bytes.strip_prefix(b".").map(<[u8]>::to_vec);
            vec![Piece { bytes: bytes.unwrap_or(piece.bytes), nocase: piece.nocase }]
        }
        Carry::Name => {
            let values = values(&piece.bytes);
            values.into_iter().map(|bytes| Piece { bytes, nocase: piece.nocase }).collect()
        }
        Carry::Not => Vec::new(),
    }
}

/// Bytes of a label at most (RFC 1035, 2.3.4).
const MAX_LABEL_BYTES: usize = 63;

/// Parts of a domain name as a message has them: where a dot stands before a whole label, the label's length does. No
/// length is a letter, so case makes no difference.
fn labels(name: &[u8]) -> Vec<Vec<u8>> {
    let mut parts = Vec::new();
    let mut labels = name.split(|&byte| byte == b'.').peekable();
    // The first one may have begun before.
    let mut open = labels.next().unwrap_or_default().to_vec();
    while let Some(label) = labels.next() {
        // The last one may go on.
        let whole = labels.peek().is_some();
        match u8::try_from(label.len()) {
            Ok(length) if whole && (1..=MAX_LABEL_BYTES).contains(&label.len()) => {
                open.push(length);
                open.extend_from_slice(label);
            }
            _ => parts.push(std::mem::replace(&mut open, label.to_vec())),
        }
    }
    parts.push(open);
    parts
}

/// What a URI cannot have as it is, and `%`, which stands there as `%25` (RFC 3986, 2.4).
fn is_encoded_in_uris(byte: u8) -> bool {
    !byte.is_ascii_graphic()
        || matches!(byte, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' | b'%')
}

/// Values of a distinguished name as text (`C=US, O=Example, CN=example.org`). What may be the name of an attribute, or
/// a part of it, is left out.
fn values(text: &[u8]) -> Vec<Vec<u8>> {
    let mut values = Vec::new();
    let mut before = None;
    // Between two of these stands a value, a name, or a part of either.
    let parts: Vec<_> = text.split_inclusive(|&byte| matches!(byte, b'=' | b',' | b'+' | b'/')).collect();
    for part in parts {
        let (value, end) = match part.split_last() {
            Some((&end, value)) if matches!(end, b'=' | b',' | b'+' | b'/') => (value, Some(end)),
            _ => (part, None),
        };
        let value = value.trim_ascii();
        // What follows a `=` is a value for certain.
        if end != Some(b'=') && (before == Some(b'=') || !may_be_attribute(value)) {
            values.push(value.to_vec());
        }
        before = end;
    }
    values
}

fn may_be_attribute(text: &[u8]) -> bool {
    let object_id = text.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
    let lower = text.to_ascii_lowercase();
    let name = |name: &str| {
        let name = name.to_ascii_lowercase();
        name.as_bytes().windows(lower.len().max(1)).any(|part| part == lower)
    };
    object_id || ATTRIBUTES.iter().any(|one| name(one))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, carries: &[Carry]) -> Vec<String> {
        let pieces = pieces(Piece { bytes: text.as_bytes().to_vec(), nocase: false }, carries);
        pieces.iter().map(|piece| String::from_utf8_lossy(&piece.bytes).into_owned()).collect()
    }

    #[test]
    fn only_what_stands_in_the_packet_is_sought() {
        assert_eq!(of("GET /a b", &[Carry::Raw]), ["GET /a b"]);
        assert_eq!(of("/a b<c>%d", &[Carry::Uri]), ["/a", "b", "c", "d"]);
        assert_eq!(of(".example.org", &[Carry::Labels, Carry::Dot]), ["\x07example", "org"]);
        assert_eq!(of("ww.example.co.uk.", &[Carry::Labels]), ["ww\x07example\x02co\x02uk"]);
        assert_eq!(of("a..b", &[Carry::Labels]), ["a", "b"]);
        assert_eq!(of(&format!("a.{}.b", "x".repeat(64)), &[Carry::Labels])[0], "a");
        assert_eq!(of(".example.org", &[Carry::Raw, Carry::Dot]), ["example.org"]);
        assert_eq!(of("\r\nHost\r\nAccept\r\n\r\n", &[Carry::Lines]), ["Host", "Accept"]);
        assert_eq!(of("a  b\tc", &[Carry::Raw, Carry::Words]), ["a", "b", "c"]);
        assert_eq!(of("anything", &[Carry::Not]), [""; 0]);
        assert_eq!(of("...", &[Carry::Labels]), [""; 0]);
        let caseless = pieces(Piece { bytes: b"a".to_vec(), nocase: false }, &[Carry::Caseless]);
        assert_eq!(caseless, [Piece { bytes: b"a".to_vec(), nocase: true }]);
    }

    #[test]
    fn names_of_attributes_are_not_sought() {
        for (text, found) in [
            ("CN=example.org", vec!["example.org"]),
            ("C=XX, ST=State, O=A, Ltd., CN=example.org", vec!["XX", "State", "A", "Ltd.", "example.org"]),
            (", CN", vec![]),
            ("mailAddress", vec![]),
            ("Internet Widgits Pty Ltd", vec!["Internet Widgits Pty Ltd"]),
            ("2.5.4.17=1234", vec!["1234"]),
            ("OU=O", vec!["O"]),
            ("OU=O, O", vec!["O"]),
        ] {
            let found: Vec<&str> = found;
            assert_eq!(of(text, &[Carry::Name]), found, "{text}");
        }
    }
}

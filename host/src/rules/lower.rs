//! Tests of fields that the header vector holds, as part of the header condition: the card answers them.
//!
//! A rule itself keeps them as its writer wrote them, so that the reference judges this too.

use std::borrow::Cow;

use super::detect::{BitTest, BitsAsk, Detect, FieldTest, NumberTest};
use super::model::{AuxList, Condition, RuleClass, Signature};

const TCP: (u8, u8) = (6, 0xff);
const ICMP: (u8, u8) = (1, 0xff);
const ICMPV6: (u8, u8) = (58, 0xff);

/// A signature with those tests in its condition if they are all that it asks: what the compiler takes. (Where the host
/// has to look at its packets anyway they stay: such headers differ in bits that are not hashed, so they crowd buckets.)
pub fn lowered(signature: &Signature) -> Cow<'_, Signature> {
    if signature.class != RuleClass::Exact {
        return Cow::Borrowed(signature);
    }
    let mut lowered = signature.clone();
    if let Some(values) = take_aux(&mut lowered.detect.fields, &signature.condition) {
        lowered.condition.details.aux = AuxList::Values(values);
    }
    Cow::Owned(lowered)
}

/// The class of a rule that is decided exactly.
pub fn exact_class(detect: &Detect, condition: &Condition) -> RuleClass {
    let mut beyond = detect.clone();
    take_aux(&mut beyond.fields, condition);
    if beyond.is_empty() { RuleClass::Exact } else { RuleClass::ExactOnHost }
}

/// Takes a test of the TCP flags, or of ICMP's type and code, out of `fields`, where the rule is for that protocol alone;
/// gives it as values and masks. A second test of the same field stays, and so does one of a range.
fn take_aux(fields: &mut Vec<FieldTest>, condition: &Condition) -> Option<Vec<(u16, u16)>> {
    if condition.details.aux != AuxList::Any {
        return None;
    }
    let of = |known: &[(u8, u8)]| condition.protocols.iter().all(|protocol| known.contains(protocol));
    if of(&[TCP]) {
        return take(fields, flags);
    }
    if !of(&[ICMP, ICMPV6]) {
        return None;
    }
    let kind = take(fields, |field| match field {
        FieldTest::IcmpType(test) => one(test),
        _ => None,
    });
    let code = take(fields, |field| match field {
        FieldTest::IcmpCode(test) => one(test),
        _ => None,
    });
    let part =
        |part: Option<u16>, shift: u32| part.map_or((0, 0), |value| (value << shift, 0xff_u16 << shift));
    let ((kind_value, kind_mask), (code_value, code_mask)) = (part(kind, 8), part(code, 0));
    kind.or(code).map(|_| vec![(kind_value | code_value, kind_mask | code_mask)])
}

/// Takes the first field out that gives something.
fn take<T>(fields: &mut Vec<FieldTest>, gives: impl Fn(&FieldTest) -> Option<T>) -> Option<T> {
    let (place, given) =
        fields.iter().enumerate().find_map(|(place, field)| gives(field).map(|given| (place, given)))?;
    fields.remove(place);
    Some(given)
}

fn one(test: &NumberTest) -> Option<u16> {
    let single = !test.negated && test.first == test.last;
    u8::try_from(test.first).ok().filter(|_| single).map(u16::from)
}

/// The flags byte as values and masks; one of them must fit.
fn flags(field: &FieldTest) -> Option<Vec<(u16, u16)>> {
    let FieldTest::TcpFlags(BitTest { bits, ignored, asks }) = *field else { return None };
    let looked_at = u16::from(!ignored);
    let bits = u16::from(bits) & looked_at;
    match asks {
        BitsAsk::Exactly => Some(vec![(bits, looked_at)]),
        BitsAsk::All => Some(vec![(bits, bits)]),
        BitsAsk::None => Some(vec![(0, bits)]),
        BitsAsk::Any => {
            let each: Vec<_> = (0..8).map(|place| 1 << place).filter(|bit| bits & bit != 0).collect();
            (!each.is_empty()).then(|| each.into_iter().map(|bit| (bit, bit)).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_masks_say_what_the_test_says() {
        for asks in [BitsAsk::Exactly, BitsAsk::All, BitsAsk::Any, BitsAsk::None] {
            for (bits, ignored) in [(0x02, 0), (0x12, 0xc0), (0xff, 0x0f), (0, 0), (0x03, 0x03), (0, 0xff)] {
                let values = flags(&FieldTest::TcpFlags(BitTest { bits, ignored, asks }));
                for byte in 0..=255_u8 {
                    let (byte_left, bits) = (byte & !ignored, bits & !ignored);
                    let expected = match asks {
                        BitsAsk::Exactly => byte_left == bits,
                        BitsAsk::All => byte_left & bits == bits,
                        BitsAsk::Any => byte_left & bits != 0,
                        BitsAsk::None => byte_left & bits == 0,
                    };
                    let fits = |(value, mask): &(u16, u16)| u16::from(byte) & mask == *value;
                    // One of no bits cannot be said so, and is never set.
                    let found = values.as_ref().is_some_and(|values| values.iter().any(fits));
                    assert_eq!(found, expected, "{asks:?} {bits:#x} {ignored:#x}: {byte:#x}");
                }
            }
        }
    }
}

#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::prelude::*;
use wiresift_abi::bits::Line;
use wiresift_abi::entry::Kind;
use wiresift_abi::vector;

use super::*;

/// An entry of few address bits, ports of few values and any family, and a mask that asks for a little more.
fn entry_and_mask() -> impl Strategy<Value = (Entry, Shape)> {
    let prefix = (any::<u128>(), 0u32..12)
        .prop_map(|(value, len)| Ternary { value: value & prefix_mask(len), mask: prefix_mask(len) });
    let range = (any::<u16>(), any::<u16>(), any::<bool>())
        .prop_map(|(a, b, one)| if one { (a, a) } else { (a.min(b), a.max(b)) });
    let class = prop_oneof![
        Just(Ternary { value: Class::IP, mask: Class::IP }),
        Just(Ternary { value: Class::IP | Class::PORTS, mask: Class::IP | Class::PORTS }),
        Just(Ternary { value: Class::IP, mask: FAMILY }),
        Just(Ternary { value: FAMILY, mask: FAMILY }),
    ];
    let entry =
        (prefix.clone(), prefix, range.clone(), range, class).prop_map(|(src, dst, sport, dport, class)| {
            let proto = Ternary { value: 6, mask: 255 };
            Entry { kind: Kind::Acl, id: 9, src, dst, sport, dport, proto, class, aux: Ternary::default() }
        });
    let mask = (0u8..14, 0u8..14, 0u8..6, 0u8..6, any::<bool>(), any::<bool>())
        .prop_map(|(src, dst, sport, dport, proto, family)| Shape { src, dst, sport, dport, proto, family });
    (entry, mask)
}

/// A header vector inside or just outside of an entry.
fn vector_of(entry: &Entry, bits: u128, ports: (u16, u16), flip: u32, v6: bool) -> Line {
    let address = |of: Ternary<u128>| of.value | (bits.rotate_left(of.mask.count_ones()) & !of.mask);
    // Blocks of the masks above begin and end at these bits.
    const BLOCK: u16 = 0x3ff;
    let port = |range: (u16, u16), n: u16| match n % 6 {
        0 => range.0,
        1 => range.1,
        2 => range.0.wrapping_sub(1),
        3 => n | BLOCK,
        4 => n & !BLOCK,
        _ => n,
    };
    let outside = if flip < 128 { 1 << flip } else { 0 };
    Line::default()
        .with(vector::SRC, address(entry.src) ^ outside)
        .with(vector::DST, address(entry.dst))
        .with(vector::SPORT, port(entry.sport, ports.0).into())
        .with(vector::DPORT, port(entry.dport, ports.1).into())
        .with(vector::PROTO, 6)
        .with(vector::CLASS, (Class::IP | Class::PORTS | if v6 { Class::IPV6 } else { 0 }).into())
}

proptest! {
    #[test]
    fn pieces_count_the_bits_of_the_mask_and_match_what_the_entry_matches(
        (entry, mask) in entry_and_mask(),
        probes in proptest::collection::vec((any::<u128>(), any::<(u16, u16)>(), 0u32..400, any::<bool>()), 20),
    ) {
        let Some(pieces) = pieces(&entry, &mask) else {
            prop_assert!(count(&entry, &mask).is_none_or(|count| count > PIECES_MAX as u64));
            return Ok(());
        };
        prop_assert_eq!(Some(pieces.len() as u64), count(&entry, &mask));
        for piece in &pieces {
            prop_assert!(mask.within(&Shape::of(piece).unwrap()), "{piece:?} under {mask}");
            prop_assert_eq!((piece.id, piece.kind, piece.src.value & !piece.src.mask), (9, Kind::Acl, 0));
        }
        for (bits, ports, flip, v6) in probes {
            let vector = vector_of(&entry, bits, ports, flip, v6);
            let matches = pieces.iter().filter(|piece| piece.matches(&vector)).count();
            prop_assert_eq!(matches, usize::from(entry.matches(&vector)));
        }
    }
}

#[test]
fn an_entry_of_any_protocol_has_no_pieces_for_a_mask_that_asks_for_one() {
    let any = Ternary::default();
    let class = Ternary { value: Class::IP, mask: Class::IP };
    let ports = (0, u16::MAX);
    let proto = Ternary::default();
    let entry = Entry {
        kind: Kind::Acl,
        id: 0,
        src: any,
        dst: any,
        sport: ports,
        dport: ports,
        proto,
        class,
        aux: Ternary::default(),
    };
    let mask = Shape { proto: true, ..Shape::default() };
    assert_eq!(count(&entry, &mask), None);
    assert_eq!(count(&entry, &Shape { src: 20, ..Shape::default() }), Some(1 << 20));
    assert_eq!(pieces(&entry, &Shape { src: 20, ..Shape::default() }), None);
    // Bits that the header of a packet that is not IP has as well.
    let not_ip = Entry { class: Ternary::default(), ..entry };
    assert_eq!(count(&not_ip, &Shape { family: true, ..Shape::default() }), None);
}

//! Header lists: the headers of all rules that ask for a pattern, in as many conditions as a list of the card holds.
//!
//! A list may let through more packets than the rules do, never fewer, so it is made in three steps that only widen:
//! negations that another header takes away are left out ([`crate::metadata::TAKES_AWAY`]), of an address the 32 highest
//! bits count, and while there are too many conditions those two become one whose common cover lets through the least.

use rustc_hash::FxHashMap;
use wiresift_abi::entry::{Entry, Kind, Ternary, prefix_mask};
use wiresift_abi::payload::headers::Header;

use crate::metadata::Mentions;

/// Bits of an address that count.
const ADDRESS_BITS: u32 = 32;
/// Logarithm of the number of header vectors, as far as headers tell them apart: of both addresses and ports, protocol,
/// class and `aux`.
const ALL_LOG2: f64 = 2.0 * 32.0 + 2.0 * 16.0 + 8.0 + 8.0 + 16.0;

/// The entries that each signature holds with.
pub struct Conditions<'a> {
    by_header: FxHashMap<u32, Vec<&'a Entry>>,
    /// By place of the signature.
    mentions: &'a [Mentions],
}

/// The header list of a pattern.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cover {
    /// Its headers, ascending; none where every packet is to be let through.
    pub headers: Vec<Header>,
    /// It may let through packets that no rule of the pattern does, those aside that are taken away: something was joined
    /// or cut.
    pub is_wide: bool,
}

impl<'a> Conditions<'a> {
    /// Those of compiled rules: numbered entries, and the numbers that mention each signature.
    pub fn new(entries: &'a [Entry], mentions: &'a [Mentions]) -> Self {
        let mut by_header: FxHashMap<u32, Vec<&Entry>> = FxHashMap::default();
        for entry in entries.iter().filter(|entry| entry.kind == Kind::Signature) {
            by_header.entry(entry.id).or_default().push(entry);
        }
        Self { by_header, mentions }
    }

    /// The header list, of at most `most` headers, of a pattern that leads to these signatures.
    pub fn cover(&self, signatures: &[u32], most: usize) -> Cover {
        let headers = signatures.iter().flat_map(|place| &self.mentions[*place as usize].holds_with);
        let mut numbers: Vec<u32> = headers.copied().collect();
        numbers.sort_unstable();
        numbers.dedup();
        let entries = numbers.iter().filter_map(|number| self.by_header.get(number)).flatten();
        let (mut cover, is_wide) = cover(entries.copied(), most);
        if cover.iter().any(|entry| size_log2(entry) >= ALL_LOG2) {
            cover.clear();
        }
        // No address is longer than it may be, so none is left out.
        let mut headers: Vec<Header> = cover.iter().filter_map(Header::of).collect();
        headers.sort_unstable();
        Cover { headers, is_wide }
    }
}

/// At most `most` conditions, without number and with no more than 32 bits of an address, that let through what any of the
/// entries does; and whether they may let through more.
pub fn cover<'a>(entries: impl IntoIterator<Item = &'a Entry>, most: usize) -> (Vec<Entry>, bool) {
    let mut cover: Vec<Entry> = Vec::new();
    let mut is_wide = false;
    for entry in entries {
        let narrow = narrow(entry);
        is_wide |= (narrow.src, narrow.dst) != (entry.src, entry.dst);
        if cover.iter().any(|other| lets_through(other, &narrow)) {
            continue;
        }
        cover.retain(|other| !lets_through(&narrow, other));
        cover.push(narrow);
        if cover.len() > most {
            join_closest(&mut cover);
            is_wide = true;
        }
    }
    (cover, is_wide)
}

/// Whether an entry lets through all that another one does.
pub fn lets_through(entry: &Entry, other: &Entry) -> bool {
    joined(entry, other) == *entry
}

/// Puts one condition in the place of those two whose cover lets through the least beyond them, and of all that it covers.
fn join_closest(cover: &mut Vec<Entry>) {
    let pairs = (0..cover.len()).flat_map(|a| (0..a).map(move |b| (a, b)));
    let cost = |(a, b): &(usize, usize)| {
        let (a, b) = (&cover[*a], &cover[*b]);
        size_log2(&joined(a, b)).exp2() - size_log2(a).exp2() - size_log2(b).exp2()
    };
    let Some((a, b)) = pairs.min_by(|one, other| cost(one).total_cmp(&cost(other))) else { return };
    let both = joined(&cover[a], &cover[b]);
    cover.retain(|other| !lets_through(&both, other));
    cover.push(both);
}

/// The condition without number, and with no more than 32 bits of an address.
fn narrow(entry: &Entry) -> Entry {
    let cut = |address: &Ternary<u128>| {
        let bits = address.mask.leading_ones().min(ADDRESS_BITS);
        masked(address.value, prefix_mask(bits))
    };
    Entry { id: 0, src: cut(&entry.src), dst: cut(&entry.dst), ..*entry }
}

fn masked(value: u128, mask: u128) -> Ternary<u128> {
    Ternary { value: value & mask, mask }
}

/// The smallest condition that lets through what either does.
fn joined(a: &Entry, b: &Entry) -> Entry {
    let address = |a: &Ternary<u128>, b: &Ternary<u128>| {
        let same = (a.value ^ b.value).leading_zeros();
        let bits = a.mask.leading_ones().min(b.mask.leading_ones()).min(same);
        masked(a.value, prefix_mask(bits))
    };
    let range = |a: (u16, u16), b: (u16, u16)| (a.0.min(b.0), a.1.max(b.1));
    let byte = |a: Ternary<u8>, b: Ternary<u8>| {
        let mask = a.mask & b.mask & !(a.value ^ b.value);
        Ternary { value: a.value & mask, mask }
    };
    let aux = a.aux.mask & b.aux.mask & !(a.aux.value ^ b.aux.value);
    Entry {
        kind: a.kind,
        id: a.id,
        src: address(&a.src, &b.src),
        dst: address(&a.dst, &b.dst),
        sport: range(a.sport, b.sport),
        dport: range(a.dport, b.dport),
        proto: byte(a.proto, b.proto),
        class: byte(a.class, b.class),
        aux: Ternary { value: a.aux.value & aux, mask: aux },
    }
}

/// Logarithm of the number of header vectors that satisfy a condition.
fn size_log2(entry: &Entry) -> f64 {
    let address = |address: &Ternary<u128>| f64::from(ADDRESS_BITS - address.mask.leading_ones());
    let ports = |(low, high): (u16, u16)| (f64::from(high) - f64::from(low) + 1.0).log2();
    let ternary =
        entry.proto.mask.count_zeros() + entry.class.mask.count_zeros() + entry.aux.mask.count_zeros();
    address(&entry.src) + address(&entry.dst) + ports(entry.sport) + ports(entry.dport) + f64::from(ternary)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use rand::seq::IndexedRandom;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use wiresift_abi::bits::Line;
    use wiresift_abi::vector;

    use super::*;

    fn prefix(value: u128, bits: u32) -> Ternary<u128> {
        masked(value, prefix_mask(bits))
    }

    fn entry(id: u32, dst: Ternary<u128>, dport: (u16, u16)) -> Entry {
        Entry {
            kind: Kind::Signature,
            id,
            src: prefix(0, 0),
            dst,
            sport: (0, u16::MAX),
            dport,
            proto: Ternary { value: 6, mask: 0xff },
            class: Ternary { value: 1, mask: 1 },
            aux: Ternary { value: 0, mask: 0 },
        }
    }

    /// The header list of signatures that have one header each.
    fn cover_of(entries: &[Entry], signatures: &[u32], most: usize) -> Cover {
        let count = entries.iter().map(|entry| entry.id + 1).max().unwrap_or(0);
        let mention = |header| Mentions { holds_with: vec![header], ..Mentions::default() };
        let mentions: Vec<Mentions> = (0..count).map(mention).collect();
        Conditions::new(entries, &mentions).cover(signatures, most)
    }

    #[test]
    fn what_fits_is_taken_as_it_is_and_what_does_not_is_joined_where_it_costs_least() {
        let home = [prefix(10 << 120, 8), prefix(0xac10 << 112, 12), prefix(0xc0a8 << 112, 16)];
        let mut entries: Vec<Entry> = home.iter().map(|dst| entry(0, *dst, (80, 80))).collect();
        let cover = cover_of(&entries, &[0], 4);
        assert_eq!((cover.headers.len(), cover.is_wide), (3, false));
        // Ports side by side become a range before addresses do.
        entries.extend([81, 82].map(|port| entry(1, home[0], (port, port))));
        let cover = cover_of(&entries, &[0, 1], 3);
        let slots: Vec<Line> = cover.headers.iter().map(Header::to_slot).collect();
        assert_eq!((slots.len(), cover.is_wide), (3, true));
        let ranges = slots.iter().map(|slot| Entry::from_slot(slot, true).unwrap().dport);
        assert_eq!(ranges.filter(|range| *range == (80, 82)).count(), 1);
    }

    #[test]
    fn a_list_that_lets_everything_through_is_none() {
        let any = Entry {
            proto: Ternary::default(),
            class: Ternary::default(),
            ..entry(0, prefix(0, 0), (0, u16::MAX))
        };
        let entries = [any, entry(0, prefix(10 << 120, 8), (80, 80))];
        assert_eq!(cover_of(&entries, &[0], 4), Cover::default());
    }

    #[test]
    fn addresses_of_more_than_32_bits_are_cut() {
        let cover = cover_of(&[entry(0, prefix(0x2001_0db8 << 96 | 5, 128), (80, 80))], &[0], 2);
        assert!(cover.is_wide);
        let inside = Line::default().with(vector::DST, 0x2001_0db8 << 96 | 7).with(vector::DPORT, 80);
        let inside = inside.with(vector::PROTO, 6).with(vector::CLASS, 1);
        assert!(cover.headers[0].matches(&inside));
        assert!(!cover.headers[0].matches(&inside.with(vector::DST, 0x2001_0db9 << 96)));
    }

    #[test]
    fn no_packet_of_a_rule_is_stopped_by_its_list() {
        let mut rng = ChaCha8Rng::seed_from_u64(41);
        let (mut stopped, mut passed) = (0, 0);
        for _ in 0..300 {
            let addresses: Vec<u128> = (0..4).map(|_| rng.random::<u128>() & prefix_mask(40)).collect();
            let entries: Vec<Entry> = (0..rng.random_range(1..20))
                .map(|id| {
                    let mut some = || prefix(*addresses.choose(&mut rng).unwrap(), 0);
                    let (src, dst) = (some().value, some().value);
                    let mut side = |value: u128| {
                        let value = if value == 0 { *addresses.choose(&mut rng).unwrap() } else { value };
                        prefix(value, *[0, 8, 20, 32, 40].choose(&mut rng).unwrap())
                    };
                    let (src, dst) = (side(src), side(dst));
                    let low = rng.random_range(0..200u16);
                    let mut one = entry(id / 2, dst, (low, low + rng.random_range(0..3)));
                    one.src = src;
                    one.aux = if rng.random() { Ternary { value: 2, mask: 3 } } else { Ternary::default() };
                    one
                })
                .collect();
            let all: Vec<u32> = (0..=entries.last().unwrap().id).collect();
            let cover = cover_of(&entries, &all, rng.random_range(1..5));
            for _ in 0..200 {
                let near = entries.choose(&mut rng).unwrap();
                let noise = rng.random::<u128>();
                let vector = Line::default()
                    .with(vector::SRC, near.src.value | noise & !near.src.mask)
                    .with(vector::DST, near.dst.value | noise.rotate_left(9) & !near.dst.mask)
                    .with(vector::SPORT, rng.random::<u16>().into())
                    .with(vector::DPORT, u128::from(near.dport.0) + rng.random_range(0..2))
                    .with(vector::PROTO, if rng.random_bool(0.9) { 6 } else { 17 })
                    .with(vector::CLASS, 1)
                    .with(vector::AUX, rng.random_range(0..4));
                let is_let_through =
                    cover.headers.is_empty() || cover.headers.iter().any(|header| header.matches(&vector));
                if entries.iter().any(|entry| entry.matches(&vector)) {
                    assert!(is_let_through, "{entries:?} {vector:?}");
                    passed += 1;
                } else if !is_let_through {
                    stopped += 1;
                }
            }
        }
        assert!(stopped > 3000 && passed > 10_000, "{stopped} {passed}");
    }
}

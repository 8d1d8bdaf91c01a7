#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::prelude::*;
use wiresift_abi::entry::{Entry, Kind, Ternary, prefix_mask};
use wiresift_abi::hash::{ROWS, Secret};

use super::block::KIND_BITS;
use super::*;

/// The instructions that this processor has; says which it has not.
pub fn all_chosen() -> Vec<Chosen> {
    let chosen = |simd: Simd| {
        let chosen = simd.choose();
        if chosen.is_none() {
            println!("skipped: this processor has no {}", simd.name());
        }
        chosen
    };
    Simd::ALL.into_iter().filter_map(chosen).collect()
}

/// Few addresses and ports, so that rules overlap and headers meet them; `wide` ones differ in their last bits too.
fn address(random: u64, wide: bool) -> u128 {
    let high = (0x0a00_0000 | u128::from(random & 0x0103_0007)) << 96;
    if wide {
        high | u128::from(random >> 32 & 0x8000_0003) << 64 | u128::from(random >> 60 & 3)
    } else {
        high
    }
}

fn port(random: u64) -> u16 {
    [0, 1, 80, 443, 1024, 0x8000, 65534, 65535][random as usize % 8]
}

fn entry(id: u32, random: [u64; 8], wide: bool) -> Entry {
    let [src, dst, lengths, ports, proto, class, aux, odd] = random;
    let prefix = |address: u128, length: u64| {
        let lengths = [0, 1, 8, 15, 24, 30, 32, 33, 64, 65, 127, 128];
        let length = lengths[length as usize % if wide { 12 } else { 7 }];
        let mut mask = prefix_mask(length);
        if odd % 5 == 0 {
            mask &= !(0x0100_0002u128 << 96);
        }
        Ternary { value: address & mask, mask }
    };
    let range = |random: u64| match random % 4 {
        0 => (0, 65535),
        1 => (port(random >> 8), port(random >> 8)),
        // At times the wrong way round: no header satisfies that.
        _ => (port(random >> 8), port(random >> 16)),
    };
    let eight = |random: u64, masks: [u8; 4]| {
        let mask = masks[random as usize % 4];
        Ternary { value: (random >> 8) as u8 & mask, mask }
    };
    Entry {
        kind: Kind::Acl,
        id,
        src: prefix(address(src, wide), lengths),
        dst: prefix(address(dst, wide), lengths >> 8),
        sport: range(ports),
        dport: range(ports >> 32),
        proto: eight(proto & 0xf_ffff, [0, 0xff, 0xff, 1]),
        class: eight(class & 0x3ff, [0, 0, 3, 1]),
        aux: if aux & 3 == 0 {
            Ternary { value: (aux >> 8) as u16 & 0x12, mask: 0x12 }
        } else {
            Ternary::default()
        },
    }
}

/// A header near an entry, or anywhere.
fn key(near: &Entry, random: [u64; 4], wide: bool) -> Key {
    let [addresses, ports, rest, which] = random;
    let near_to = |ternary: &Ternary<u128>, random: u64| {
        if which & 3 == 0 {
            address(random, wide)
        } else {
            ternary.value | address(random, wide) & !ternary.mask
        }
    };
    let (src, dst) = (near_to(&near.src, addresses), near_to(&near.dst, addresses.rotate_left(20)));
    let port = |range: (u16, u16), random: u64| if random & 2 == 0 { port(random >> 8) } else { range.0 };
    let (sport, dport) = (port(near.sport, ports), port(near.dport, ports >> 32));
    let eight = |ternary: &Ternary<u8>, random: u64| ternary.value | random as u8 & 3 & !ternary.mask;
    let word = u64::from(sport)
        | u64::from(dport) << 16
        | u64::from(eight(&near.proto, rest)) << 32
        | u64::from(eight(&near.class, rest >> 8)) << 40
        | (rest >> 16 & 0x12) << 48;
    Key([src as u64, (src >> 64) as u64, dst as u64, (dst >> 64) as u64, word])
}

/// Every kind of instructions finds what direct evaluation finds, in every layout that holds the rules.
fn compare<const W: usize, const A: usize>(entries: &[Entry], keys: &[Key], secret: u64) -> Set<W, A> {
    let rules: Vec<Rule<W>> = entries.iter().filter_map(Rule::new).collect();
    let multipliers = Multipliers::of(&Secret([Key([secret; 5]); ROWS]));
    let set = Set::new(&rules, &multipliers);
    compare_in(&set, entries, keys);
    if matches!(set, Set::Short(_)) {
        let long = Set::<W, A>::Long(BlockSet::new(&rules, Kinds::default(), &multipliers));
        compare_in(&long, entries, keys);
    }
    set
}

fn compare_in<const W: usize, const A: usize>(set: &Set<W, A>, entries: &[Entry], keys: &[Key]) {
    for chosen in all_chosen() {
        for keys in keys.chunks(BATCH) {
            let mut headers = Headers::<W>::default();
            keys.iter().enumerate().for_each(|(at, key)| headers.set(at, key));
            let (mut found, mut hits) = (Found::default(), Hits::default());
            let mut first = [u32::MAX; BATCH];
            set.first(chosen, &headers, keys.len(), &mut found, &mut first);
            set.hits(chosen, &headers, keys.len(), &mut found, &mut hits);
            for (at, key) in keys.iter().enumerate() {
                let line = key.to_line();
                let expected: Vec<u32> =
                    entries.iter().filter(|entry| entry.matches(&line)).map(|entry| entry.id).collect();
                let name = chosen.simd().name();
                assert_eq!(first[at], expected.first().copied().unwrap_or(u32::MAX), "{name} {key:?}");
                let mut all: Vec<u32> = found
                    .iter()
                    .zip(&hits)
                    .flat_map(|(found, hits)| {
                        let lanes = (0..LANES).filter(move |lane| hits[at] >> lane & 1 == 1);
                        lanes.map(|lane| set.id(found.0[at], lane))
                    })
                    .collect();
                all.sort_unstable();
                assert_eq!(all, expected, "{name} {key:?}");
            }
        }
    }
}

/// Entries of which each asks for the protocol, class and `aux` of one of the first `kinds`.
fn of_kinds(entries: &[Entry], kinds: usize) -> Vec<Entry> {
    let like = |(n, entry): (usize, &Entry)| {
        let Entry { proto, class, aux, .. } = entries[n % kinds];
        Entry { proto, class, aux, ..*entry }
    };
    entries.iter().enumerate().map(like).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn every_path_finds_what_direct_evaluation_finds(
        entries in proptest::collection::vec(any::<[u64; 8]>(), 0..300),
        keys in proptest::collection::vec((any::<prop::sample::Index>(), any::<[u64; 4]>()), 0..70),
        secret: u64,
    ) {
        for wide in [false, true] {
            let number = |(n, random): (usize, &[u64; 8])| entry(n as u32, *random, wide);
            let any: Vec<Entry> = entries.iter().enumerate().map(number).collect();
            let few = of_kinds(&any, KIND_BITS as usize);
            for (entries, is_few) in [(any, false), (few, true)] {
                let near = |index: &prop::sample::Index| {
                    if entries.is_empty() { entry(0, [0; 8], wide) } else { *index.get(&entries) }
                };
                let keys: Vec<Key> =
                    keys.iter().map(|(index, random)| key(&near(index), *random, wide)).collect();
                let is_short = if wide {
                    matches!(compare::<WIDE, { WIDE - 1 }>(&entries, &keys, secret), Set::Short(_))
                } else {
                    matches!(compare::<NARROW, { NARROW - 1 }>(&entries, &keys, secret), Set::Short(_))
                };
                prop_assert!(is_short || !is_few);
            }
        }
    }
}

#[test]
fn a_set_has_short_blocks_as_long_as_each_kind_has_its_bit() {
    let kinds = |count: u32| -> Vec<Entry> {
        let proto = |id: u32| Ternary { value: id as u8, mask: 0xff };
        // Up to the highest number there is.
        let first = (1 << wiresift_abi::entry::ID.bits) - count;
        let any = |id: u32| Entry { class: Ternary::default(), ..entry(id, [0, 0, 0, 0, 0, 0, 1, 1], false) };
        (0..count).map(|n| Entry { proto: proto(n), ..any(first + n) }).collect()
    };
    for (count, short) in [(KIND_BITS, true), (KIND_BITS + 1, false)] {
        let entries = kinds(count);
        let [src, dst] = [entries[0].src.value, entries[0].dst.value];
        let address = |value: u128| [value as u64, (value >> 64) as u64];
        let ([a, b], [c, d]) = (address(src), address(dst));
        let keys: Vec<Key> = (0..=u64::from(count)).map(|proto| Key([a, b, c, d, proto << 32])).collect();
        let set = compare::<NARROW, { NARROW - 1 }>(&entries, &keys, 1);
        assert_eq!(matches!(set, Set::Short(_)), short, "{count} kinds");
    }
}

#[test]
fn rules_without_any_common_bit_share_blocks_without_a_cut() {
    let entries: Vec<Entry> = (0..1000)
        .map(|id| Entry { class: Ternary::default(), ..entry(id, [0, 0, 0, 0, 0, 0, 1, 1], false) })
        .map(|entry| Entry { dport: (0, 60_000 + entry.id as u16), ..entry })
        .collect();
    let rules: Vec<Rule<NARROW>> = entries.iter().filter_map(Rule::new).collect();
    let set = Set::<NARROW, { NARROW - 1 }>::new(&rules, &Multipliers::of(&Secret([Key::default(); ROWS])));
    assert_eq!(set.tables(), entries.len().div_ceil(LANES));
    let keys = [0, 59_999, 60_000, 60_500, 60_999, 61_000].map(|port: u64| Key([0, 0, 0, 0, port << 16]));
    compare::<NARROW, { NARROW - 1 }>(&entries, &keys, 1);
}

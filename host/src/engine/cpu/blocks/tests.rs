#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::prelude::*;
use wiresift_abi::entry::{Entry, Kind, Ternary, prefix_mask};
use wiresift_abi::hash::{ROWS, Secret};

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

/// Every kind of instructions finds what direct evaluation finds.
fn compare<const W: usize>(entries: &[Entry], keys: &[Key], secret: u64) {
    let rules: Vec<Rule<W>> = entries.iter().filter_map(Rule::new).collect();
    let multipliers = Multipliers::of(&Secret([Key([secret; 5]); ROWS]));
    let set = BlockSet::new(&rules, &multipliers);
    for chosen in all_chosen() {
        for keys in keys.chunks(BATCH) {
            let mut headers = Headers::<W>::default();
            keys.iter().enumerate().for_each(|(at, key)| headers.set(at, key));
            let (mut found, mut hits) = (Found::default(), Hits::default());
            let mut first = [u32::MAX; BATCH];
            chosen.first(&set, &headers, keys.len(), &mut found, &mut first);
            chosen.hits(&set, &headers, keys.len(), &mut found, &mut hits);
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
                        let block = set.block(found.0[at]);
                        (0..LANES).filter(move |lane| hits[at] >> lane & 1 == 1).map(|lane| block.id[lane])
                    })
                    .collect();
                all.sort_unstable();
                assert_eq!(all, expected, "{name} {key:?}");
            }
        }
    }
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
            let entries: Vec<Entry> = entries.iter().enumerate().map(number).collect();
            let near = |index: &prop::sample::Index| {
                if entries.is_empty() { entry(0, [0; 8], wide) } else { *index.get(&entries) }
            };
            let keys: Vec<Key> = keys.iter().map(|(index, random)| key(&near(index), *random, wide)).collect();
            if wide {
                compare::<WIDE>(&entries, &keys, secret);
            } else {
                compare::<NARROW>(&entries, &keys, secret);
            }
        }
    }
}

#[test]
fn rules_without_any_common_bit_share_blocks_without_a_cut() {
    let entries: Vec<Entry> = (0..1000)
        .map(|id| Entry { class: Ternary::default(), ..entry(id, [0, 0, 0, 0, 0, 0, 1, 1], false) })
        .map(|entry| Entry { dport: (0, 60_000 + entry.id as u16), ..entry })
        .collect();
    let rules: Vec<Rule<NARROW>> = entries.iter().filter_map(Rule::new).collect();
    let set = BlockSet::new(&rules, &Multipliers::of(&Secret([Key::default(); ROWS])));
    assert_eq!(set.tables(), entries.len().div_ceil(LANES));
    let keys = [0, 59_999, 60_000, 60_500, 60_999, 61_000].map(|port: u64| Key([0, 0, 0, 0, port << 16]));
    compare::<NARROW>(&entries, &keys, 1);
}

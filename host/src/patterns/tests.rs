#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::engine::cpu::Simd;

/// A pattern that owns its bytes.
type Owned = (Vec<u8>, bool);

/// The instructions that this processor has; says which it has not.
fn all_chosen() -> Vec<Chosen> {
    let chosen = |simd: Simd| {
        let chosen = simd.choose();
        if chosen.is_none() {
            println!("skipped: this processor has no {}", simd.name());
        }
        chosen
    };
    Simd::ALL.into_iter().filter_map(chosen).collect()
}

/// Whether a pattern occurs, place by place.
fn occurs((bytes, nocase): &Owned, payload: &[u8]) -> bool {
    bytes.is_empty()
        || payload.windows(bytes.len()).any(|there| match nocase {
            true => there.eq_ignore_ascii_case(bytes),
            false => there == bytes,
        })
}

/// Every kind of instructions finds what direct search finds, each pattern once, of all lengths and of some; with one scratch
/// for all payloads.
fn compare(patterns: &[Owned], payloads: &[Vec<u8>], seed: u64) {
    let borrowed: Vec<Pattern<'_>> =
        patterns.iter().map(|(bytes, nocase)| Pattern { bytes, nocase: *nocase }).collect();
    let mut scratch = Scratch::default();
    for chosen in all_chosen() {
        let searcher = Searcher::with(&borrowed, seed, chosen);
        for (payload, lengths) in
            payloads.iter().flat_map(|payload| [Lengths::ALL, Lengths(seed as u8 & 7)].map(|l| (payload, l)))
        {
            let mut found = Vec::new();
            searcher.search(payload, lengths, &mut scratch, |pattern| found.push(pattern));
            let set: BTreeSet<u32> = found.iter().copied().collect();
            assert_eq!(set.len(), found.len(), "reported twice");
            for (number, pattern) in patterns.iter().enumerate() {
                assert_eq!(
                    set.contains(&(number as u32)),
                    lengths.has(Lengths::of(&borrowed[number])) && occurs(pattern, payload),
                    "{}: pattern {pattern:?} in {} bytes, {lengths:?}",
                    chosen.simd().name(),
                    payload.len()
                );
            }
        }
    }
}

fn owned(patterns: &[(&[u8], bool)]) -> Vec<Owned> {
    patterns.iter().map(|(bytes, nocase)| (bytes.to_vec(), *nocase)).collect()
}

/// Bytes of a small alphabet with letters of both cases, so that patterns overlap, nest and nearly match.
fn bytes(length: impl Strategy<Value = usize>) -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        4 => prop::sample::select(b"aAbB\0".to_vec()),
        1 => prop::sample::select(b"zZ@[`{\x7f\x80\xc1\xe1\xff ".to_vec()),
    ];
    (length, any::<bool>()).prop_flat_map(move |(length, plain)| match plain {
        true => prop::collection::vec(byte.clone(), length).boxed(),
        false => prop::collection::vec(any::<u8>(), length).boxed(),
    })
}

/// Lengths from 1 to 300, the short ones often.
fn pattern_length() -> impl Strategy<Value = usize> {
    prop_oneof![3 => 1usize..=9, 2 => 1usize..=40, 1 => 1usize..=300]
}

fn payload_length() -> impl Strategy<Value = usize> {
    prop_oneof![4 => 0usize..=20, 4 => 0usize..=300, 1 => 0usize..=9000]
}

/// Where a pattern is put into a payload: a share of the room that there is, both ends often.
fn share() -> impl Strategy<Value = f64> {
    prop_oneof![1 => Just(0.0), 1 => Just(1.0), 3 => 0.0..=1.0]
}

fn flip_case(bytes: &mut [u8], which: u64) {
    for (at, byte) in bytes.iter_mut().enumerate() {
        if which >> (at % 64) & 1 == 1 && byte.is_ascii_alphabetic() {
            *byte ^= 0x20;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn random_patterns_are_found_wherever_they_stand(
        patterns in prop::collection::vec((bytes(pattern_length()), any::<bool>()), 1..40),
        nested in prop::collection::vec((any::<prop::sample::Index>(), share(), share(), any::<bool>()), 0..10),
        payloads in prop::collection::vec(bytes(payload_length()), 1..4),
        puts in prop::collection::vec(
            (any::<prop::sample::Index>(), any::<prop::sample::Index>(), share(), any::<u64>()), 0..12),
        seed: u64,
    ) {
        let mut patterns = patterns;
        for (which, from, length, nocase) in nested {
            let outer = which.get(&patterns).0.clone();
            let from = (from * (outer.len() - 1) as f64) as usize;
            let length = 1 + (length * (outer.len() - from - 1) as f64) as usize;
            patterns.push((outer[from..from + length].to_vec(), nocase));
        }
        let mut payloads = payloads;
        for (which, payload, at, flips) in puts {
            let (mut pattern, nocase) = which.get(&patterns).clone();
            if nocase || flips & 1 == 1 {
                flip_case(&mut pattern, flips);
            }
            let index = payload.index(payloads.len());
            let payload = &mut payloads[index];
            if let Some(room) = payload.len().checked_sub(pattern.len()) {
                let at = (at * room as f64) as usize;
                payload[at..at + pattern.len()].copy_from_slice(&pattern);
            }
        }
        compare(&patterns, &payloads, seed);
    }
}

#[test]
fn patterns_of_every_length_are_found_at_every_place_of_a_block() {
    let text: Vec<u8> = (0..300u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let patterns: Vec<Owned> =
        (1..=20).chain([63, 64, 65, 300]).map(|length| (text[..length].to_vec(), false)).collect();
    let mut payloads = Vec::new();
    for length in [1, 2, 3, 4, 6, 7, 8, 9, 20, 65, 300] {
        for before in (0..70).chain([scratch::CHUNK - 3, scratch::CHUNK - 1, scratch::CHUNK]) {
            let mut payload = vec![b'.'; before];
            payload.extend(&text[..length]);
            payloads.push(payload);
        }
    }
    compare(&patterns, &payloads, 1);
}

/// Pairs of few bytes, in blocks where few of their bytes stand side by side, in blocks where many do, and at the borders of
/// both; and pairs of so many bytes that only the pairs themselves tell.
#[test]
fn pairs_are_found_however_many_bytes_begin_or_end_one() {
    let few = owned(&[(b"ab", false), (b"cd", true), (b"\xffa", false), (b"ad", false)]);
    let many: Vec<Owned> = (0..=255u8).step_by(2).map(|n| (vec![n, n.wrapping_mul(3)], n % 4 == 0)).collect();
    assert!(matches!((pair_ends(&few), pair_ends(&many)), (true, false)));
    let sparse = |at: usize, pair: &[u8]| {
        let mut payload = vec![b'-'; 200];
        payload[at..at + 2].copy_from_slice(pair);
        payload
    };
    let mut payloads: Vec<Vec<u8>> = Vec::new();
    for at in [0, 1, 62, 63, 64, 65, 126, 127, 128, 191, 197, 198] {
        payloads.extend([&b"ab"[..], b"cD", b"cb", b"\xffa", b"\x08\x18"].map(|pair| sparse(at, pair)));
        // Every second place lies between two of the bytes, and is no pair.
        let mut dense = b"cb".repeat(100);
        dense[at..at + 2].copy_from_slice(b"ad");
        payloads.extend([dense[..at + 1].to_vec(), dense[..at + 2].to_vec(), dense]);
    }
    compare(&few, &payloads, 7);
    compare(&many, &payloads, 2);
}

/// Whether a searcher looks at the bytes of pairs first.
fn pair_ends(patterns: &[Owned]) -> bool {
    let patterns: Vec<Pattern<'_>> =
        patterns.iter().map(|(bytes, nocase)| Pattern { bytes, nocase: *nocase }).collect();
    Searcher::new(&patterns, 1).pairs.looks_at_ends()
}

#[test]
fn case_counts_only_where_it_should() {
    let patterns = owned(&[
        (b"a", false),
        (b"A", false),
        (b"a", true),
        (b"A", true),
        (b"aB", false),
        (b"Ab", true),
        (b"1", true),
        (b"GET", false),
        (b"get", true),
        (b"Host", false),
        (b"hOST", true),
        (b"User-Agent: X", false),
        (b"user-agent: x", true),
        (b"[\\]^_@{|}~`", true),
        (b"\xe9\xc9", true),
        (b"a", true),
        (b"", false),
    ]);
    let payloads = [
        "",
        "a",
        "A",
        "B1",
        "ab",
        "aB",
        "AB",
        "get",
        "GET",
        "GeT",
        "host",
        "HOST",
        "Host",
        "hOST",
        "User-Agent: X",
        "USER-AGENT: X",
        "user-agent: x",
        "{|}~\x7f`@[\\]^_",
        "[\\]^_@{|}~`",
    ];
    let mut payloads: Vec<Vec<u8>> = payloads.iter().map(|payload| payload.as_bytes().to_vec()).collect();
    payloads.extend([b"\xe9\xc9".to_vec(), b"\xc9\xc9".to_vec(), b"\xc9\xe9".to_vec()]);
    compare(&patterns, &payloads, 2);
}

#[test]
fn margins_are_no_part_of_the_payload() {
    let zeros: Vec<Owned> = (1..40).map(|length| (vec![0; length], false)).collect();
    let payloads: Vec<Vec<u8>> = (0..80).map(|length| vec![0; length]).collect();
    compare(&zeros, &payloads, 3);
    // What a longer payload left in the scratch is not found in a shorter one.
    let patterns = owned(&[(b"abcdefgh", false), (b"defg", false), (b"fg", false), (b"h", false)]);
    compare(&patterns, &[b"abcdefgh".to_vec(), b"abcdefg".to_vec(), b"abcde".to_vec(), vec![]], 3);
}

#[test]
fn runs_and_periods_of_every_length_are_told_apart() {
    let mut patterns: Vec<Owned> = (1..300).map(|length| (vec![b'a'; length], length % 3 == 0)).collect();
    patterns.extend((1..100).map(|length| (b"abc".iter().copied().cycle().take(length).collect(), false)));
    patterns.extend((0..60).map(|at| {
        let mut pattern = vec![0; 60];
        pattern[at] = 1;
        (pattern, false)
    }));
    let mut payloads: Vec<Vec<u8>> =
        [0, 1, 7, 8, 9, 63, 64, 65, 150, 298, 299, 5000].map(|n| vec![b'a'; n]).into();
    payloads.extend(
        [1, 5, 50, 98, 99, 100, 3000].map(|n| b"bcA".iter().copied().cycle().take(n).collect::<Vec<_>>()),
    );
    payloads.push(b"abc".iter().copied().cycle().take(4000).collect());
    for at in [0, 1, 30, 59, 60, 100] {
        let mut payload = vec![0; 160];
        payload[at] = 1;
        payloads.push(payload);
    }
    compare(&patterns, &payloads, 4);
}

#[test]
fn patterns_without_a_bucket_are_found_by_the_automaton() {
    let repeated = |text: &str, length: usize| text.bytes().cycle().take(length).collect::<Vec<u8>>();
    let patterns: Vec<Owned> = (7..400).map(|length| (repeated("xy", length), length % 2 == 0)).collect();
    let borrowed: Vec<Pattern<'_>> =
        patterns.iter().map(|(bytes, nocase)| Pattern { bytes, nocase: *nocase }).collect();
    let searcher = Searcher::new(&borrowed, 5);
    assert!(searcher.crowded() > 300, "{}", searcher.crowded());
    let mut payloads: Vec<Vec<u8>> = (0..410).step_by(13).map(|length| repeated("xy", length)).collect();
    payloads.push(repeated("YX", 399));
    payloads.push([repeated("xy", 50), repeated("XY", 51), vec![b'-'], repeated("yx", 77)].concat());
    compare(&patterns, &payloads, 5);
}

#[test]
fn runs_of_one_byte_are_measured() {
    let run = |byte: u8| (7..400).map(move |length| (vec![byte; length], length % 2 == 0));
    let runs: Vec<Owned> = run(b'x').chain(run(b'X')).chain(run(0)).chain(run(0xff)).collect();
    let borrowed: Vec<Pattern<'_>> =
        runs.iter().map(|(bytes, nocase)| Pattern { bytes, nocase: *nocase }).collect();
    assert_eq!(Searcher::new(&borrowed, 5).crowded(), 0);
    let mut payloads: Vec<Vec<u8>> = (0..410).step_by(13).map(|length| vec![b'x'; length]).collect();
    payloads.push(vec![b'X'; 399]);
    payloads.push([vec![b'x'; 50], vec![b'X'; 51], vec![b'-'], vec![b'x'; 77]].concat());
    payloads.push([vec![0; 9], vec![0xff; 30], vec![1], vec![0; 12], vec![0xff; 7], vec![0; 8]].concat());
    // A run over the border of what is filtered together.
    payloads.push([vec![b'-'; scratch::CHUNK - 100], vec![0; 200], vec![0xff; 5], vec![0; 300]].concat());
    compare(&runs, &payloads, 5);
}

#[test]
fn a_pattern_that_nearly_matches_everywhere_is_settled_once() {
    // Eight bytes again and again, others in the middle: every eighth place is compared up to these, until that is too dear.
    let around: Vec<u8> = b"qzjx!k%w".repeat(100);
    let pattern = [&around[..], b"qzjx-k%w", &around].concat();
    let mut near = b"qzjx!k%w".repeat(1000);
    let patterns = vec![(pattern.clone(), false), (pattern.to_ascii_uppercase(), true)];
    let mut payloads = vec![near.clone(), near.to_ascii_uppercase()];
    near.extend(&pattern);
    payloads.extend([near.to_ascii_uppercase(), near]);
    compare(&patterns, &payloads, 6);
}

#[test]
fn knuth_morris_pratt_agrees_with_direct_search() {
    let mut failure = Vec::new();
    for pattern in ["a", "aab", "abab", "aabaaab", "abcabd"] {
        for number in 0..1u32 << 12 {
            let text: Vec<u8> = (0..12).map(|bit| b"ab"[(number >> bit & 1) as usize]).collect();
            let found = verify::occurs(pattern.as_bytes(), &text, &mut failure);
            assert_eq!(found, occurs(&(pattern.as_bytes().to_vec(), false), &text), "{pattern} {text:?}");
        }
    }
}

#[test]
fn no_pattern_and_one_seed() {
    compare(&[], &[vec![], b"abc".to_vec()], 7);
    let patterns: Vec<Owned> =
        (0..2000u32).map(|n| (format!("pattern-{n:04}-of-many").into_bytes(), n % 2 == 0)).collect();
    let borrowed: Vec<Pattern<'_>> =
        patterns.iter().map(|(bytes, nocase)| Pattern { bytes, nocase: *nocase }).collect();
    let same = |a: &Searcher, b: &Searcher| format!("{:?}", a.long) == format!("{:?}", b.long);
    let searcher = Searcher::new(&borrowed, 8);
    assert!(same(&searcher, &Searcher::new(&borrowed, 8)));
    assert!(!same(&searcher, &Searcher::new(&borrowed, 9)));
    assert_eq!(searcher.patterns(), 2000);
    // Grams like `of-m` are in all of them; each has seven bytes of its own.
    assert_eq!(searcher.crowded(), 0);
    // As where the number of payloads has come to its end.
    let mut scratch = Scratch { generation: u32::MAX - 1, ..Scratch::default() };
    for _ in 0..4 {
        let mut found = Vec::new();
        searcher.search(
            b"-- PATTERN-0042-OF-MANY pattern-0043-of-many --",
            Lengths::ALL,
            &mut scratch,
            |id| found.push(id),
        );
        found.sort_unstable();
        assert_eq!(found, [42, 43]);
    }
}

//! Which grams of each pattern the filters and buckets hold.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rustc_hash::FxHashMap;

use super::background::Background;
use super::buckets::{BucketHash, Buckets, Entry, RECORDS_MAX};
use super::crowd::Crowds;
use super::filter::{Gram, Long, Medium};
use super::short::{Pairs, Singles};
use super::verify::{Record, Texts};
use super::{MediumBuckets, Pattern, Searcher};
use crate::engine::cpu::Chosen;

/// Entries that a bucket holds at most.
pub const BUCKET_ENTRIES: u8 = 8;
/// Shortest pattern of the filter that is asked at every fourth place: four grams a byte apart.
pub const LONG: usize = 7;
/// Places that a long pattern's grams can begin at, of which the rarest are taken, at most.
const WINDOWS_MAX: usize = 256;
/// What an entry more in a bucket costs, beside the rate at which its gram is met.
const CROWDED: f32 = 1e-7;

/// A pattern in lower case where its case does not count, and all numbers that it has.
struct Text {
    number: u32,
    /// In lower case.
    folded: Vec<u8>,
}

/// See [`Searcher::with`].
pub fn build(patterns: &[Pattern<'_>], seed: u64, chosen: Chosen) -> Searcher {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let (texts, empty) = collect(patterns);
    let (mut singles, mut pairs) = (Vec::new(), Vec::new());
    let (mut three, mut four, mut long) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..texts.len() as u32 {
        let (bytes, nocase) = (texts.of(number), texts.nocase(number));
        let text = || Text { number, folded: bytes.to_ascii_lowercase() };
        match *bytes {
            [only] => singles.extend(cases(only, nocase).map(|byte| (byte, number))),
            [first, second] => pairs.extend(cases(first, nocase).flat_map(|first| {
                cases(second, nocase).map(move |second| (u16::from_le_bytes([first, second]), number))
            })),
            [_, _, _] => three.push(text()),
            _ if bytes.len() < LONG => four.push(text()),
            _ => long.push(text()),
        }
    }
    let background = Background::new();
    let mut records = Records::default();
    // Patterns with the fewest grams to choose from choose first.
    long.sort_by_key(|text| text.folded.len());
    let three = Placed::new(&three, 1, 3, &background, &mut records, &mut random);
    let four = Placed::new(&four, 1, 4, &background, &mut records, &mut random);
    let long = Placed::new(&long, 4, 4, &background, &mut records, &mut random);
    let mut medium = Medium::new(three.grams.len() + four.grams.len(), &mut random);
    three.grams.iter().for_each(|(gram, _)| medium.insert_three(gram >> 8));
    four.grams.iter().for_each(|(gram, _)| medium.insert_four(*gram));
    let mut long_filter = Long::new(long.grams.len(), &mut random);
    long.grams.iter().for_each(|(gram, _)| long_filter.insert(*gram));
    let crowds = Crowds::new(&texts, &records.crowd);
    Searcher {
        chosen,
        texts,
        empty,
        singles: Singles::new(singles),
        pairs: Pairs::new(pairs),
        medium,
        medium_buckets: MediumBuckets { three: three.buckets(), four: four.buckets() },
        long: long_filter,
        long_buckets: long.buckets(),
        records: records.records,
        crowds,
    }
}

/// The different texts, and the patterns without bytes.
fn collect(patterns: &[Pattern<'_>]) -> (Texts, Vec<u32>) {
    let mut empty = Vec::new();
    let mut numbers: Vec<Vec<u32>> = Vec::new();
    let mut order: Vec<(Vec<u8>, bool)> = Vec::new();
    let mut seen: FxHashMap<(Vec<u8>, bool), usize> = FxHashMap::default();
    for (number, pattern) in patterns.iter().enumerate() {
        let number = number as u32;
        if pattern.bytes.is_empty() {
            empty.push(number);
            continue;
        }
        // Where there is no letter both spellings are the same text.
        let nocase = pattern.nocase && pattern.bytes.iter().any(u8::is_ascii_alphabetic);
        let bytes = if nocase { pattern.bytes.to_ascii_lowercase() } else { pattern.bytes.to_vec() };
        let text = *seen.entry((bytes.clone(), nocase)).or_insert_with(|| {
            order.push((bytes, nocase));
            numbers.push(Vec::new());
            numbers.len() - 1
        });
        numbers[text].push(number);
    }
    let mut texts = Texts::default();
    for ((bytes, nocase), numbers) in order.iter().zip(numbers) {
        texts.add(bytes, *nocase, numbers);
    }
    (texts, empty)
}

/// A byte, and its other case if that does not count.
fn cases(byte: u8, nocase: bool) -> impl Iterator<Item = u8> {
    let other = if byte.is_ascii_lowercase() { byte.to_ascii_uppercase() } else { byte.to_ascii_lowercase() };
    std::iter::once(byte).chain((nocase && other != byte).then_some(other))
}

/// Records of all kinds of patterns, and those patterns that have none.
#[derive(Default)]
struct Records {
    records: Vec<Record>,
    crowd: Vec<u32>,
}

/// Grams of patterns of one kind with their entries.
struct Placed {
    hash: BucketHash,
    grams: Vec<(Gram, Entry)>,
}

impl Placed {
    /// Chooses for each pattern the rarest `count` neighbouring grams of `bytes` bytes whose buckets have room.
    fn new(
        texts: &[Text],
        count: usize,
        bytes: usize,
        background: &Background,
        records: &mut Records,
        random: &mut ChaCha8Rng,
    ) -> Self {
        let hash = BucketHash::new(count * texts.len(), random);
        let mut used = vec![0u8; hash.buckets()];
        let mut placed = Self { hash, grams: Vec::with_capacity(count * texts.len()) };
        let mut grams: Vec<(Gram, f32)> = Vec::new();
        for text in texts {
            grams.clear();
            let windows = text.folded.windows(bytes).take(WINDOWS_MAX + count - 1);
            grams.extend(windows.map(|window| (gram(window), background.rate(window))));
            let best = grams
                .windows(count)
                .enumerate()
                .filter_map(|(at, grams)| cost(grams, &hash, &used).map(|cost| (at, cost)))
                .min_by(|(_, a), (_, b)| a.total_cmp(b));
            match best {
                Some((at, _)) if records.records.len() < RECORDS_MAX => {
                    let record = records.records.len() as u32;
                    // Four bytes of a short pattern can be compared only with the bytes before them.
                    let back = if count == 1 { 0 } else { at };
                    records.records.push(Record::new(text.number, &text.folded, back));
                    for (place, (gram, _)) in grams[at..at + count].iter().enumerate() {
                        let delta = (at + place - back) as u32;
                        placed.grams.push((*gram, Entry { record, delta }));
                        used[hash.slot(*gram).bucket] += 1;
                    }
                }
                _ => records.crowd.push(text.number),
            }
        }
        placed
    }

    fn buckets(&self) -> Buckets {
        Buckets::new(self.hash, &self.grams)
    }
}

/// What grams cost together; `None` if a bucket of theirs would hold too many entries.
fn cost(grams: &[(Gram, f32)], hash: &BucketHash, used: &[u8]) -> Option<f32> {
    let mut sum = 0.0;
    for (at, (gram, rate)) in grams.iter().enumerate() {
        let bucket = hash.slot(*gram).bucket;
        let own = grams[..at].iter().filter(|(gram, _)| hash.slot(*gram).bucket == bucket).count();
        let entries = used[bucket] + own as u8;
        if entries >= BUCKET_ENTRIES {
            return None;
        }
        sum += (rate + CROWDED) * f32::from(entries + 2);
    }
    Some(sum)
}

/// A gram; one of three bytes lacks the lowest one.
fn gram(bytes: &[u8]) -> Gram {
    match *bytes {
        [a, b, c, d] => u32::from_le_bytes([a, b, c, d]),
        [a, b, c] => u32::from_le_bytes([0, a, b, c]),
        _ => 0,
    }
}

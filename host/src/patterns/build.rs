//! Which bytes of each pattern the filters and buckets hold.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rustc_hash::FxHashMap;

use super::background::Background;
use super::buckets::{BucketHash, Buckets, Entry, Key, RECORDS_MAX, RUN, window};
use super::crowd::Crowds;
use super::filter::{Gram, Long, Medium};
use super::runs::{Runs, only};
use super::short::{Pairs, Singles};
use super::verify::{Record, Texts};
use super::{MediumBuckets, Pattern, Searcher};
use crate::engine::cpu::Chosen;

/// Patterns that a bucket holds at most.
pub const BUCKET_ENTRIES: u8 = 8;
/// Buckets for each entry of patterns of three to six bytes: in fewer, more entries of others are looked at. (With one, a tenth
/// to a fifth of the time more on real payloads and 10,000 patterns; four for longer patterns too gained nothing there.)
const MEDIUM_ROOM: usize = 4;
/// Likewise of longer ones.
const LONG_ROOM: usize = 2;
/// Shortest pattern of the filter that is asked at every fourth place: four grams a byte apart.
pub const LONG: usize = 7;
/// Places that a long pattern's grams can begin at, of which the rarest are taken, at most.
const WINDOWS_MAX: usize = 256;
/// What an entry more in a bucket costs, beside the rate at which its bytes are met.
const CROWDED: f32 = 1e-7;

/// A text with its number.
struct Text<'a> {
    number: u32,
    /// As it is compared.
    bytes: &'a [u8],
    nocase: bool,
    /// In lower case.
    folded: Vec<u8>,
}

/// See [`Searcher::with`].
pub fn build(patterns: &[Pattern<'_>], seed: u64, chosen: Chosen) -> Searcher {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let (texts, empty) = collect(patterns);
    let (mut singles, mut pairs) = (Vec::new(), Vec::new());
    let (mut medium, mut long, mut runs) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..texts.len() as u32 {
        let (bytes, nocase) = (texts.of(number), texts.nocase(number));
        let text = || Text { number, bytes, nocase, folded: bytes.to_ascii_lowercase() };
        match *bytes {
            [only] => singles.extend(cases(only, nocase).map(|byte| (byte, number))),
            [first, second] => pairs.extend(cases(first, nocase).flat_map(|first| {
                cases(second, nocase).map(move |second| (u16::from_le_bytes([first, second]), number))
            })),
            _ if bytes.len() < LONG => medium.push(text()),
            _ if only(bytes).is_some() => runs.push(number),
            _ => long.push(text()),
        }
    }
    let background = Background::new();
    let mut records = Records::default();
    // Patterns with the fewest grams to choose from choose first.
    long.sort_by_key(|text| text.folded.len());
    let medium = PlacedMedium::new(&medium, &background, &mut records, &mut random);
    let (runs, run_bytes) = Runs::new(&texts, &runs);
    let long = PlacedLong::new(&long, &run_bytes, &background, &mut records, &mut random);
    let medium_filter = medium.filter(&mut random);
    let mut long_filter = Long::new(long.grams.len(), &mut random);
    long.grams.iter().for_each(|gram| long_filter.insert(*gram));
    let crowds = Crowds::new(&texts, &records.crowd);
    Searcher {
        chosen,
        texts,
        empty,
        singles: Singles::new(singles),
        pairs: Pairs::new(pairs),
        medium: medium_filter,
        medium_buckets: MediumBuckets(medium.0.each_ref().map(Filling::buckets)),
        long: long_filter,
        windows: long.windows.buckets(),
        runs,
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

impl Records {
    /// Adds a record, or gives the text to the automata if there are too many.
    fn add(&mut self, text: &Text<'_>, back: usize) -> Option<u32> {
        let number = self.records.len();
        if number >= RECORDS_MAX {
            self.crowd.push(text.number);
            return None;
        }
        self.records.push(Record::new(text.number, text.bytes, text.nocase, back));
        Some(number as u32)
    }
}

/// Entries of buckets that are being filled.
struct Filling {
    hash: BucketHash,
    used: Vec<u8>,
    keys: Vec<(Key, Entry)>,
}

impl Filling {
    fn new(entries: usize, random: &mut ChaCha8Rng) -> Self {
        let hash = BucketHash::new(entries, random);
        Self { hash, used: vec![0; hash.buckets()], keys: Vec::with_capacity(entries) }
    }

    fn used(&self, key: Key) -> u8 {
        self.used[self.hash.slot(key).bucket]
    }

    fn push(&mut self, key: Key, entry: Entry) {
        self.used[self.hash.slot(key).bucket] += 1;
        self.keys.push((key, entry));
    }

    fn buckets(&self) -> Buckets {
        Buckets::new(self.hash, &self.keys)
    }
}

/// Where patterns of three to six bytes are: by one gram for each parity of their place.
struct PlacedMedium([Filling; 3]);

/// Which of the buckets of shorter patterns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// By the gram.
    Four,
    /// By its first three bytes.
    Front,
    /// By its last three.
    Back,
}

/// A gram of a shorter pattern.
#[derive(Clone, Copy, Debug)]
struct Way {
    kind: Kind,
    /// The gram, or three bytes of it.
    bytes: u32,
    /// As in the entry: one for a gram that begins with the pattern.
    delta: u32,
    rate: f32,
}

impl PlacedMedium {
    fn new(
        texts: &[Text<'_>],
        background: &Background,
        records: &mut Records,
        random: &mut ChaCha8Rng,
    ) -> Self {
        let count = |least: usize, most: usize| {
            texts.iter().filter(|text| (least..=most).contains(&text.folded.len())).count()
        };
        let four = 2 * count(5, LONG - 1) + count(4, 4);
        let three = count(3, LONG - 1);
        let mut placed =
            Self([four, three, three].map(|entries| Filling::new(MEDIUM_ROOM * entries, random)));
        for text in texts {
            let Some(record) = records.add(text, 0) else { continue };
            let placed = ways(&text.folded, background).map(|ways| placed.place(&ways, record));
            // One that has room for one parity only is in both.
            if placed != [true; 2] {
                records.crowd.push(text.number);
            }
        }
        placed
    }

    /// Takes the cheapest of the ways whose buckets have room; false if there is none.
    fn place(&mut self, ways: &[Way], record: u32) -> bool {
        let cost = |way: &Way, used: u8| (used < BUCKET_ENTRIES).then_some((*way, cost(way.rate, used)));
        let open = ways.iter().filter_map(|way| cost(way, self.0[way.kind as usize].used(way.bytes.into())));
        let Some((way, _)) = open.min_by(|(_, a), (_, b)| a.total_cmp(b)) else { return false };
        self.0[way.kind as usize].push(way.bytes.into(), Entry { record, delta: way.delta });
        true
    }

    fn filter(&self, random: &mut ChaCha8Rng) -> Medium {
        let keys = |filling: &Filling| filling.keys.iter().map(|(key, _)| *key as u32).collect::<Vec<_>>();
        let [four, front, back] = self.0.each_ref().map(keys);
        let mut medium = Medium::new(four.len() + front.len() + back.len(), random);
        four.iter().for_each(|gram| medium.insert(*gram));
        front.iter().for_each(|bytes| medium.insert_front(*bytes));
        back.iter().for_each(|bytes| medium.insert_back(bytes << 8));
        medium
    }
}

/// Ways to a pattern of three to six bytes, from even and from odd places: grams that begin up to two bytes behind its
/// first one, or one before it.
fn ways(folded: &[u8], background: &Background) -> [Vec<Way>; 2] {
    let mut ways = [Vec::new(), Vec::new()];
    for delta in 0..4usize {
        // Bytes of the gram that are the pattern's, if three or four are.
        let kinds = [
            (Kind::Four, delta.checked_sub(1), 4),
            (Kind::Front, delta.checked_sub(1), 3),
            (Kind::Back, Some(delta), 3),
        ];
        for (kind, from, count) in kinds {
            if let Some(bytes) = from.and_then(|from| folded.get(from..from + count)) {
                let rate = background.rate(bytes);
                ways[delta % 2].push(Way {
                    kind,
                    bytes: little_endian(bytes) as u32,
                    delta: delta as u32,
                    rate,
                });
            }
        }
    }
    ways
}

/// Where longer patterns are: by four neighbouring grams in the filter, and the seven bytes that these cover, a *window*,
/// in the buckets.
struct PlacedLong {
    grams: Vec<Gram>,
    windows: Filling,
}

/// Grams of a window.
const GRAMS: usize = 4;

impl PlacedLong {
    fn new(
        texts: &[Text<'_>],
        run_bytes: &[u8],
        background: &Background,
        records: &mut Records,
        random: &mut ChaCha8Rng,
    ) -> Self {
        let mut placed = Self {
            grams: Vec::new(),
            windows: Filling::new(LONG_ROOM * (texts.len() + run_bytes.len()), random),
        };
        for byte in run_bytes {
            placed.push(&[*byte; LONG], Entry { record: RUN, delta: 0 });
        }
        let mut rates: Vec<f32> = Vec::new();
        for text in texts {
            let grams = text.folded.windows(GRAMS).take(WINDOWS_MAX + GRAMS - 1);
            rates.clear();
            rates.extend(grams.map(|gram| background.rate(gram)));
            // A gram that passes costs a look at its windows; the bucket of a window is seldom reached in vain.
            let costs = text.folded.windows(LONG).zip(rates.windows(GRAMS)).map(|(bytes, rates)| {
                let used = placed.windows.used(window_of(bytes));
                let cost = rates.iter().sum::<f32>() + CROWDED * f32::from(used);
                if used < BUCKET_ENTRIES { cost } else { f32::INFINITY }
            });
            let best = costs.enumerate().min_by(|(_, a), (_, b)| a.total_cmp(b));
            let Some((at, _)) = best.filter(|(_, cost)| cost.is_finite()) else {
                records.crowd.push(text.number);
                continue;
            };
            let Some(record) = records.add(text, at) else { continue };
            placed.push(&text.folded[at..at + LONG], Entry { record, delta: 0 });
        }
        placed
    }

    fn push(&mut self, bytes: &[u8], entry: Entry) {
        self.grams.extend(bytes.windows(GRAMS).map(|gram| little_endian(gram) as Gram));
        self.windows.push(window_of(bytes), entry);
    }
}

/// The key of seven bytes.
fn window_of(bytes: &[u8]) -> Key {
    window(little_endian(bytes))
}

/// What an entry costs for bytes that are met at that rate, in a bucket with others.
fn cost(rate: f32, others: u8) -> f32 {
    (rate + CROWDED) * f32::from(others + 2)
}

/// At most eight bytes, the first one lowest.
fn little_endian(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

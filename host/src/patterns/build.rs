//! Which grams of each pattern the filters and buckets hold.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rustc_hash::{FxHashMap, FxHashSet};

use super::background::Background;
use super::buckets::{BucketHash, Buckets, Entry, RECORDS_MAX, RUN, SPLIT, SplitHash};
use super::crowd::Crowds;
use super::filter::{Gram, Long, Medium};
use super::runs::{Runs, only};
use super::short::{Pairs, Singles};
use super::verify::{Record, Texts};
use super::{LongBuckets, MediumBuckets, Pattern, Searcher};
use crate::engine::cpu::Chosen;

/// Patterns that a bucket holds at most. One of grams of long patterns may have as many entries more as there are
/// deltas, which lead to a split.
pub const BUCKET_ENTRIES: u8 = 8;
/// Shortest pattern of the filter that is asked at every fourth place: four grams a byte apart.
pub const LONG: usize = 7;
/// Places that a long pattern's grams can begin at, of which the rarest are taken, at most.
const WINDOWS_MAX: usize = 256;
/// What an entry more in a bucket costs, beside the rate at which its gram is met.
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
    let long = Placed::new(&long, &run_bytes, &background, &mut records, &mut random);
    let medium_filter = medium.filter(&mut random);
    let mut long_filter = Long::new(long.grams.grams.len(), &mut random);
    long.grams.grams.iter().for_each(|(gram, _)| long_filter.insert(*gram));
    let crowds = Crowds::new(&texts, &records.crowd);
    Searcher {
        chosen,
        texts,
        empty,
        singles: Singles::new(singles),
        pairs: Pairs::new(pairs),
        medium: medium_filter,
        medium_buckets: MediumBuckets {
            four: medium.four.buckets(),
            front: medium.front.buckets(),
            back: medium.back.buckets(),
        },
        long: long_filter,
        long_buckets: LongBuckets {
            grams: long.grams.buckets(),
            splits: long.splits.buckets(),
            split: long.split,
        },
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
    grams: Vec<(Gram, Entry)>,
}

impl Filling {
    fn new(entries: usize, random: &mut ChaCha8Rng) -> Self {
        let hash = BucketHash::new(entries, random);
        Self { hash, used: vec![0; hash.buckets()], grams: Vec::with_capacity(entries) }
    }

    fn used(&self, gram: Gram) -> u8 {
        self.used[self.hash.slot(gram).bucket]
    }

    fn push(&mut self, gram: Gram, entry: Entry) {
        self.used[self.hash.slot(gram).bucket] += 1;
        self.grams.push((gram, entry));
    }

    fn buckets(&self) -> Buckets {
        Buckets::new(self.hash, &self.grams)
    }
}

/// Where patterns of three to six bytes are: by one gram for each parity of their place.
struct PlacedMedium {
    four: Filling,
    front: Filling,
    back: Filling,
}

/// Which of the buckets of shorter patterns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Four,
    Front,
    Back,
}

/// A gram of a shorter pattern.
#[derive(Clone, Copy, Debug)]
struct Way {
    kind: Kind,
    /// The gram, or three bytes of it in the upper ones.
    gram: Gram,
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
        let mut placed = Self {
            four: Filling::new(2 * count(5, LONG - 1) + count(4, 4), random),
            front: Filling::new(count(3, LONG - 1), random),
            back: Filling::new(count(3, LONG - 1), random),
        };
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

    fn filling(&mut self, kind: Kind) -> &mut Filling {
        match kind {
            Kind::Four => &mut self.four,
            Kind::Front => &mut self.front,
            Kind::Back => &mut self.back,
        }
    }

    /// Takes the cheapest of the ways whose buckets have room; false if there is none.
    fn place(&mut self, ways: &[Way], record: u32) -> bool {
        let cost = |way: &Way, used: u8| (used < BUCKET_ENTRIES).then_some((*way, cost(way.rate, used)));
        let open = ways.iter().filter_map(|way| cost(way, self.filling(way.kind).used(way.gram)));
        let Some((way, _)) = open.min_by(|(_, a), (_, b)| a.total_cmp(b)) else { return false };
        self.filling(way.kind).push(way.gram, Entry { record, delta: way.delta });
        true
    }

    fn filter(&self, random: &mut ChaCha8Rng) -> Medium {
        let grams = |filling: &Filling| filling.grams.iter().map(|(gram, _)| *gram).collect::<Vec<_>>();
        let (four, front, back) = (grams(&self.four), grams(&self.front), grams(&self.back));
        let mut medium = Medium::new(four.len() + front.len() + back.len(), random);
        four.iter().for_each(|gram| medium.insert(*gram));
        front.iter().for_each(|gram| medium.insert_front(gram >> 8));
        back.iter().for_each(|gram| medium.insert_back(*gram));
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
                ways[delta % 2].push(Way { kind, gram: gram(bytes), delta: delta as u32, rate });
            }
        }
    }
    ways
}

/// Where longer patterns are: by four neighbouring grams each. Patterns that share a gram with too many others are
/// split by the seven bytes of all four: their grams lead there.
struct Placed {
    grams: Filling,
    splits: Filling,
    /// Grams that lead to the splits, with their deltas.
    leading: FxHashSet<(Gram, u32)>,
    split: SplitHash,
}

/// Grams of a long pattern.
const GRAMS: usize = 4;

impl Placed {
    fn new(
        texts: &[Text<'_>],
        run_bytes: &[u8],
        background: &Background,
        records: &mut Records,
        random: &mut ChaCha8Rng,
    ) -> Self {
        let mut placed = Self {
            grams: Filling::new(GRAMS * texts.len() + run_bytes.len(), random),
            // Few patterns of real sets are split.
            splits: Filling::new(texts.len() / 8, random),
            leading: FxHashSet::default(),
            split: SplitHash::new(random),
        };
        for byte in run_bytes {
            placed.grams.push(gram(&[*byte; GRAMS]), Entry { record: RUN, delta: 0 });
        }
        let mut grams: Vec<(Gram, f32)> = Vec::new();
        for text in texts {
            grams.clear();
            let windows = text.folded.windows(GRAMS).take(WINDOWS_MAX + GRAMS - 1);
            grams.extend(windows.map(|window| (gram(window), background.rate(window))));
            let places = grams.windows(GRAMS).enumerate().flat_map(|(at, grams)| {
                let direct = placed.cost(grams).map(|cost| (at, false, cost));
                let split = placed.cost_split(grams, placed.split.of(&text.folded[at..]));
                direct.into_iter().chain(split.map(|cost| (at, true, cost)))
            });
            let best = places.min_by(|(.., a), (.., b)| a.total_cmp(b));
            let Some((at, split, _)) = best else {
                records.crowd.push(text.number);
                continue;
            };
            let Some(record) = records.add(text, at) else { continue };
            for (delta, (gram, _)) in (0..).zip(&grams[at..at + GRAMS]) {
                if !split {
                    placed.grams.push(*gram, Entry { record, delta });
                } else if placed.leading.insert((*gram, delta)) {
                    placed.grams.push(*gram, Entry { record: SPLIT, delta });
                }
            }
            if split {
                placed.splits.push(placed.split.of(&text.folded[at..]), Entry { record, delta: 0 });
            }
        }
        placed
    }

    /// What entries for four grams cost together; `None` if a bucket would hold too many.
    fn cost(&self, grams: &[(Gram, f32)]) -> Option<f32> {
        let bucket = |gram| self.grams.hash.slot(gram).bucket;
        grams.iter().enumerate().try_fold(0.0, |sum, (at, (gram, rate))| {
            let own = grams[..at].iter().filter(|(other, _)| bucket(*other) == bucket(*gram)).count();
            let used = self.grams.used(*gram) + own as u8;
            (used < BUCKET_ENTRIES).then_some(sum + cost(*rate, used))
        })
    }

    /// As [`Self::cost`] if the grams lead to an entry in a split.
    fn cost_split(&self, grams: &[(Gram, f32)], window: Gram) -> Option<f32> {
        let bucket = |gram| self.grams.hash.slot(gram).bucket;
        let in_split = self.splits.used(window);
        let first = (in_split < BUCKET_ENTRIES).then_some(0.0);
        grams.iter().enumerate().try_fold(first?, |sum, (at, (gram, rate))| {
            let new = |at: usize| !self.leading.contains(&(grams[at].0, at as u32));
            let own = (0..at).filter(|other| new(*other) && bucket(grams[*other].0) == bucket(*gram)).count();
            let used = self.grams.used(*gram) + own as u8;
            let room = !new(at) || used < BUCKET_ENTRIES + GRAMS as u8;
            room.then_some(sum + cost(*rate, used + in_split + 2))
        })
    }
}

/// What an entry costs for a gram that is met at that rate, in a bucket with others.
fn cost(rate: f32, others: u8) -> f32 {
    (rate + CROWDED) * f32::from(others + 2)
}

/// A gram; one of three bytes lacks the lowest one.
fn gram(bytes: &[u8]) -> Gram {
    match *bytes {
        [a, b, c, d] => u32::from_le_bytes([a, b, c, d]),
        [a, b, c] => u32::from_le_bytes([0, a, b, c]),
        _ => 0,
    }
}

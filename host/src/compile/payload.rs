//! The patterns on the card: which of those that lead to signatures, by which windows, in which tables.
//!
//! Every signature that asks for bytes in the payload has one pattern that leads to it
//! ([`crate::engine::host::fast_pattern`]). Patterns that are equal are one. On the card are those of three
//! bytes and more whose window is rare in usual traffic, as many as it holds, the rarest first, and the
//! shorter ones for which it has a presence bit ([`wiresift_abi::payload::short`]); the others are left to
//! the host, which seeks them in packets that satisfy a header of their signatures. Whichever of both finds a
//! pattern, the host goes on the same way, so it changes no answer.
//!
//! A pattern of three bytes and more stands on the card once for each of its rule groups ([`wanted`]), with a number
//! and a header list each: the card reports the number of the rules whose header holds, or nearly
//! ([`mod@headers`]). A shorter pattern is reported for packets that satisfy any header.

pub(super) mod headers;
mod wanted;
mod window;
mod worst;

#[cfg(test)]
mod tests;

use rustc_hash::{FxHashMap, FxHashSet};
use serde::Serialize;
use wiresift_abi::bits::Line;
use wiresift_abi::command::{Command, Opcode};
use wiresift_abi::entry::Entry;
use wiresift_abi::geometry::Geometry;
use wiresift_abi::payload::headers::{Header, HeaderLists, NO_LIST};
use wiresift_abi::payload::short::{SHORT_BYTES_MAX, ShortPattern, ShortPatterns};
use wiresift_abi::payload::{
    self, CHAIN_MAX, CLASSES, Class, SECRET_ROWS, Secret, Tables, backlog_max, memories,
};

pub use worst::Worst;

use crate::metadata::{Mentions, Metadata, RuleGroup};
use headers::{Conditions, Cover};
use wanted::{Part, Text, Wanted};
use window::{Choice, Chooser, folded};

/// Patterns whose window ends with a larger share of the bytes of usual traffic are left to the host. The card compares one
/// pattern a cycle: with a limit ten times as high, pages of a search engine ask for more than that, and their packets are
/// flagged. With this one no more than 60 beats of its queue are ever taken by the captures of the corpus, and the host seeks
/// eleven patterns of a hundred in packets whose header they go with.
const HOT: f32 = 1.0 / 2_000_000.0;
/// Rule groups of a pattern with more are one: each takes a place, and is compared wherever the window of the pattern is. A
/// window may lead to so many of two patterns.
const GROUPS_MAX: usize = CHAIN_MAX / 2;
/// So are those of shorter patterns: their windows are met where the pattern is not. With groups for these and for the ones
/// below, 48 of the 12,180 packets of the corpus were flagged; `jpeg` and `.pdf` were compared four times each.
const GROUPED_BYTES_MIN: usize = Class::Eight.bytes();
/// And those of patterns whose window, times their number, ends with a larger share of the bytes of usual traffic.
const HOT_GROUPED: f32 = HOT / 8.0;

/// The patterns of a rule set on a card.
#[derive(Clone, Debug)]
pub struct Payload {
    geometry: &'static Geometry,
    secret: Secret,
    tables: Tables,
    header_lists: HeaderLists,
    /// Every pattern that leads to signatures, in order of these, and its rule groups.
    texts: Vec<(Text, usize)>,
    /// The rule groups that the card has, by its numbers.
    stored: Vec<Stored>,
    short: ShortPatterns,
    /// Those of one or two bytes that have a presence bit: the bit, ascending, and the place of the text.
    with_bit: Vec<(u16, usize)>,
    left: LeftToHost,
    listed: Listed,
}

/// How rule groups on the card go with header lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// Header lists.
    pub lists: usize,
    /// Header lists that there is room for.
    pub lists_total: usize,
    /// Rule groups whose list may let more packets through than the headers of their rules: some were joined or cut.
    pub wide: usize,
    /// Rule groups that are reported for every packet, as their rules ask.
    pub any_packet: usize,
    /// Rule groups that are reported for every packet because there was no room for their list.
    pub no_room: usize,
}

/// A rule group on the card.
#[derive(Clone, Debug)]
struct Stored {
    number: u32,
    /// Place of its text.
    text: usize,
    part: Part,
    pattern: payload::Pattern,
}

/// A rule group that is to be placed.
struct Chosen {
    /// Place of its text.
    text: usize,
    part: Part,
    choice: Choice,
}

/// Patterns that the host seeks, by the reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LeftToHost {
    /// Of one or two bytes, for which there was no presence bit.
    pub no_bit: usize,
    /// Whose every window is frequent in usual traffic, or repeats itself.
    pub hot: usize,
    /// That found no room.
    pub no_room: usize,
}

/// What the patterns use of the card.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PayloadReport {
    /// Patterns of three bytes and more on the card.
    pub patterns: usize,
    /// Rule groups of these: each is a pattern in the card's memory.
    pub groups: usize,
    /// Patterns that the memory holds.
    pub groups_total: usize,
    /// Patterns whose signatures are one rule group although their headers differ.
    pub joined: usize,
    /// Patterns of one or two bytes that have a presence bit.
    pub short: usize,
    /// Presence bits.
    pub short_total: usize,
    /// Buckets of the window index in use.
    pub windows: usize,
    /// Buckets of the window index.
    pub windows_total: usize,
    /// Share of random bytes that pass the filter, for windows of 8, 4 and 3 bytes.
    pub passes: [f64; CLASSES.len()],
    /// Patterns that the host seeks.
    pub left: LeftToHost,
    /// Their header lists.
    pub listed: Listed,
}

impl Payload {
    /// The patterns of rules for an empty card; notes in the metadata which are on it. The numbers in the entries are those
    /// of the metadata.
    pub fn new(
        geometry: &'static Geometry,
        secret: Secret,
        entries: &[Entry],
        metadata: &mut Metadata,
    ) -> Self {
        let mentions = mentions(metadata);
        let wanted = Wanted::of(metadata, &mentions);
        let mut payload = Self::place(geometry, secret, texts(&wanted), None);
        payload.give_bits(&ShortPatterns::empty(geometry));
        payload.list(&HeaderLists::empty(geometry), &Conditions::new(entries, &mentions), &wanted);
        payload.note(&wanted, metadata);
        payload
    }

    /// The patterns of other rules for the same card: what stays keeps its place.
    pub fn next(&self, entries: &[Entry], metadata: &mut Metadata) -> Self {
        let mentions = mentions(metadata);
        let wanted = Wanted::of(metadata, &mentions);
        let texts = texts(&wanted);
        let mut next = if texts == self.texts {
            self.clone()
        } else {
            let Self { geometry, secret, .. } = *self;
            let next = Self::place(geometry, secret, texts.clone(), Some(&self.tables));
            // Room that is in pieces is found when all are placed anew.
            let anew = (next.left.no_room > 0).then(|| Self::place(geometry, secret, texts, None));
            let mut next = anew.filter(|anew| anew.left.no_room < next.left.no_room).unwrap_or(next);
            next.give_bits(&self.short);
            next
        };
        next.list(&self.header_lists, &Conditions::new(entries, &mentions), &wanted);
        next.note(&wanted, metadata);
        next
    }

    /// Finds the rule groups of patterns of three bytes and more their places.
    fn place(
        geometry: &'static Geometry,
        secret: Secret,
        texts: Vec<(Text, usize)>,
        before: Option<&Tables>,
    ) -> Self {
        let mut left = LeftToHost::default();
        let mut chosen = choose(&texts, &mut left);
        let room = 1 << geometry.payload.patterns_log2;
        if chosen.len() > room {
            // Rather all patterns than all groups.
            chosen.dedup_by_key(|chosen| chosen.text);
            chosen.iter_mut().for_each(|chosen| chosen.part = Part::Whole);
        }
        if chosen.len() > room {
            chosen.sort_by(|a, b| a.choice.rate.total_cmp(&b.choice.rate));
            left.no_room += chosen.len() - room;
            chosen.truncate(room);
        }
        let tables = loop {
            let patterns: Vec<payload::Pattern> =
                chosen.iter().map(|chosen| chosen.choice.pattern.clone()).collect();
            let (tables, refused) = Tables::fit(geometry, secret, &patterns, before);
            if refused.is_empty() {
                break tables;
            }
            // Without the patterns that the card would not find for all of their groups, so that what it says of a
            // pattern is all that there is to say.
            let refused: FxHashSet<usize> = refused.iter().map(|(place, _)| chosen[*place].text).collect();
            left.no_room += refused.len();
            chosen.retain(|chosen| !refused.contains(&chosen.text));
        };
        let stored = tables.stored().map(|(number, place)| {
            let Chosen { text, part, choice } = &chosen[place];
            Stored { number, text: *text, part: *part, pattern: choice.pattern.clone() }
        });
        let stored = stored.collect();
        let header_lists = HeaderLists::empty(geometry);
        let (short, with_bit, listed) = (ShortPatterns::empty(geometry), Vec::new(), Listed::default());
        Self { geometry, secret, tables, header_lists, texts, stored, short, with_bit, left, listed }
    }

    /// Gives the patterns of one or two bytes presence bits; those of `before` keep theirs. Where there are more
    /// patterns than bits the order of the first signatures decides: any of them is in most packets.
    fn give_bits(&mut self, before: &ShortPatterns) {
        let short = |(at, (text, _)): (usize, &(Text, usize))| {
            Some((at, ShortPattern::new(&text.bytes, text.nocase)?))
        };
        let (texts, patterns): (Vec<usize>, Vec<ShortPattern>) =
            self.texts.iter().enumerate().filter_map(short).unzip();
        let (short, bits) = before.next(&patterns);
        self.with_bit = bits.into_iter().zip(texts).filter_map(|(bit, text)| Some((bit?, text))).collect();
        self.with_bit.sort_unstable();
        self.left.no_bit = patterns.len() - self.with_bit.len();
        self.short = short;
    }

    /// Gives every rule group on the card its header list; those of `before` keep their numbers.
    fn list(&mut self, before: &HeaderLists, conditions: &Conditions<'_>, wanted: &[Wanted]) {
        let most = self.geometry.payload.headers_a_list;
        let cover = |stored: &Stored| conditions.cover(&wanted[stored.text].places(stored.part), most);
        let covers: Vec<Cover> = self.stored.iter().map(cover).collect();
        let lists: Vec<Vec<Header>> = covers.iter().map(|cover| cover.headers.clone()).collect();
        let (header_lists, numbers) = before.next(&lists);
        let count = |what: &dyn Fn(&Cover, u16) -> bool| {
            covers.iter().zip(&numbers).filter(|(cover, number)| what(cover, **number)).count()
        };
        self.listed = Listed {
            lists: header_lists.used(),
            lists_total: header_lists.room(),
            wide: count(&|cover, number| cover.is_wide && number != NO_LIST),
            any_packet: count(&|cover, _| cover.headers.is_empty()),
            no_room: count(&|cover, number| !cover.headers.is_empty() && number == NO_LIST),
        };
        let numbers: FxHashMap<u32, u16> =
            self.stored.iter().map(|stored| stored.number).zip(numbers).collect();
        self.tables.set_header_lists(|number| numbers.get(&number).copied().unwrap_or(NO_LIST));
        self.header_lists = header_lists;
    }

    /// Says in the metadata what the card's numbers and presence bits mean.
    fn note(&self, wanted: &[Wanted], metadata: &mut Metadata) {
        let group = |Stored { number, text, part, .. }: &Stored| RuleGroup {
            number: *number,
            signatures: wanted[*text].places(*part),
        };
        metadata.rule_groups = self.stored.iter().map(group).collect();
        let first = |(bit, text): &(u16, usize)| (*bit, wanted[*text].first());
        metadata.short_patterns = self.with_bit.iter().map(first).collect();
    }

    /// The commands that write everything into empty tables; none where there is no pattern.
    pub fn commands(&self) -> Vec<Line> {
        let mut commands = self.short.changes(&ShortPatterns::empty(self.geometry));
        // Short patterns have no windows, and need no secret.
        if !self.stored.is_empty() {
            commands.extend(self.header_lists.changes(&HeaderLists::empty(self.geometry)));
            commands.extend(self.tables.commands());
        }
        lines(&commands)
    }

    /// The commands that make these patterns of those `before`, on a card that was loaded with [`Self::commands`] once.
    pub fn changes(&self, before: &Self) -> Vec<Line> {
        let mut commands = self.tables.changes(&before.tables);
        if before.stored.is_empty() && !commands.is_empty() {
            // The secret was never written, or is written once more.
            let secret = self.tables.commands().into_iter();
            let secret = secret.filter(|command| command.opcode == Opcode::WriteWindowSecret);
            commands = secret.chain(commands).collect();
        }
        let short = self.short.changes(&before.short);
        lines(&[short, self.header_lists.changes(&before.header_lists), commands].concat())
    }

    /// Comparisons that a beat of the hardest payload costs.
    pub fn comparisons_a_beat(&self, worst: &Worst) -> f64 {
        worst.rate() * self.geometry.beat_bytes as f64
    }

    /// Beats of a long packet of the hardest payload that the card's queue takes in before anything is dropped; `None`
    /// where it verifies them as fast as they come.
    pub fn beats_taken(&self, worst: &Worst) -> Option<u64> {
        let a_beat = self.comparisons_a_beat(worst);
        let room = backlog_max(self.geometry) * self.geometry.beats_per_line();
        // Each beat that comes adds one and takes `1 / a_beat` away.
        (a_beat > 1.0).then(|| (room as f64 * a_beat / (a_beat - 1.0)) as u64)
    }

    /// What they use of the card.
    pub fn report(&self) -> PayloadReport {
        let sizes = &self.geometry.payload;
        let bits = f64::from(1 << sizes.filter_word_log2);
        // By memory: both bits that are asked for are set.
        let mut set = vec![0.0; sizes.memories()];
        for command in self.tables.commands().iter().filter(|c| c.opcode == Opcode::WriteFilter) {
            let ones: u32 = command.data.0.iter().map(|byte| byte.count_ones()).sum();
            set[usize::from(command.table)] += (f64::from(ones) / bits).powi(2);
        }
        let words = f64::from(1u32 << sizes.filter_words_log2);
        let count = |what: &dyn Fn(&Stored) -> bool| self.stored.iter().filter(|stored| what(stored)).count();
        PayloadReport {
            patterns: count(&|stored| matches!(stored.part, Part::Whole | Part::Group(0))),
            groups: self.stored.len(),
            groups_total: 1 << sizes.patterns_log2,
            joined: count(&|stored| stored.part == Part::Whole && self.texts[stored.text].1 > 1),
            short: self.short.used(),
            short_total: self.short.room(),
            windows: self.tables.windows(),
            windows_total: self.tables.windows_max(),
            passes: CLASSES.map(|class| memories(class, sizes).map(|memory| set[memory] / words).product()),
            left: self.left,
            listed: self.listed,
        }
    }

    /// Patterns that the card compares with a packet where these bytes stand: `None` where the filter sees that none has
    /// such a window.
    pub fn compared(&self, class: Class, window: &[u8]) -> Option<usize> {
        self.tables.compared(class, window)
    }

    /// The hardest payload for them.
    pub fn worst(&self) -> Worst {
        let mut windows: FxHashMap<Vec<u8>, usize> = FxHashMap::default();
        for Stored { pattern, .. } in &self.stored {
            let compared = self.tables.compared(pattern.class, pattern.window()).unwrap_or(0);
            windows.insert(folded(pattern.window()), compared);
        }
        let mut windows: Vec<(Vec<u8>, usize)> = windows.into_iter().collect();
        windows.sort_unstable();
        worst::worst(windows.iter().map(|(window, compared)| (&window[..], *compared)))
    }
}

/// Chooses the windows of patterns of three bytes and more, and the rule groups that each has on the card; counts
/// those that it shall not have.
fn choose(texts: &[(Text, usize)], left: &mut LeftToHost) -> Vec<Chosen> {
    let mut chooser = Chooser::new();
    let mut chosen = Vec::new();
    let is_long = |(_, (text, _)): &(usize, &(Text, usize))| text.bytes.len() > SHORT_BYTES_MAX;
    for (at, (text, groups)) in texts.iter().enumerate().filter(is_long) {
        let mut choose =
            |places, most| Some((chooser.choose(&text.bytes, text.nocase, places, most)?, places));
        let may_be_several = (2..=GROUPS_MAX).contains(groups) && text.bytes.len() >= GROUPED_BYTES_MIN;
        let several = if may_be_several { choose(*groups, HOT_GROUPED / *groups as f32) } else { None };
        match several.or_else(|| choose(1, 1.0)) {
            None => left.no_room += 1,
            Some((choice, _)) if choice.rate > HOT => left.hot += 1,
            Some((choice, 1)) => chosen.push(Chosen { text: at, part: Part::Whole, choice }),
            Some((choice, groups)) => chosen.extend((0..groups).map(|group| Chosen {
                text: at,
                part: Part::Group(group),
                choice: choice.clone(),
            })),
        }
    }
    chosen
}

#[expect(clippy::expect_used, reason = "the compiler made both lists of the metadata, from the same rules")]
fn mentions(metadata: &Metadata) -> Vec<Mentions> {
    metadata.mentions().expect("a header that mentions no signature")
}

/// Texts, and the number of rule groups of each.
fn texts(wanted: &[Wanted]) -> Vec<(Text, usize)> {
    wanted.iter().map(|wanted| (wanted.text.clone(), wanted.groups())).collect()
}

fn lines(commands: &[Command]) -> Vec<Line> {
    commands.iter().map(Command::to_line).collect()
}

/// A secret from random numbers.
pub fn secret(geometry: &Geometry, mut random: impl FnMut() -> u64) -> Secret {
    let bits = geometry.payload.hash_bits;
    Secret([(); SECRET_ROWS].map(|()| random() >> (64 - bits)))
}

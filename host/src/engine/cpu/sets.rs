//! The entries of an image as sets of blocks: by kind, and by whether a header has IPv6 addresses.

use wiresift_abi::entry::{Entry, Kind};
use wiresift_abi::vector::{Class, Key};

use super::answers::Answers;
use super::blocks::{BATCH, Chosen, Found, Headers, Hits, Multipliers, NARROW, Rule, Set, WIDE};

/// All entries.
#[derive(Clone, Debug)]
pub struct Sets {
    narrow: Side<NARROW, { NARROW - 1 }>,
    wide: Side<WIDE, { WIDE - 1 }>,
}

/// The entries that headers of one family can satisfy, and headers that wait to be looked up together.
#[derive(Clone, Debug)]
struct Side<const W: usize, const A: usize> {
    lists: Lists<W, A>,
    waiting: Headers<W>,
    /// Place of each waiting header among the keys.
    places: [u32; BATCH],
    count: usize,
    /// Headers that need not wait.
    direct: Headers<W>,
}

/// The entries of both kinds, and what a look-up needs beside them.
#[derive(Clone, Debug)]
struct Lists<const W: usize, const A: usize> {
    acl: Set<W, A>,
    signatures: Set<W, A>,
    found: Found,
    hits: Hits,
}

impl Sets {
    /// The sets of these entries.
    pub fn new(entries: &[Entry], multipliers: &Multipliers) -> Self {
        let asks = |entry: &Entry, family: u8| {
            entry.class.mask & Class::IPV6 == 0 || entry.class.value & Class::IPV6 == family
        };
        // Of other headers than those of IPv6 packets only the 32 highest bits of an address are not zero.
        const LOW: u128 = u128::MAX >> 32;
        let high = |entry: &Entry| (entry.src.value | entry.dst.value) & LOW == 0;
        Self {
            narrow: Side::new(entries, multipliers, |entry| asks(entry, 0) && high(entry)),
            wide: Side::new(entries, multipliers, |entry| asks(entry, Class::IPV6)),
        }
    }

    /// Looks up every key; the answers have their places.
    pub fn look_up(&mut self, chosen: Chosen, keys: &[Key], answers: &mut Answers) {
        const IPV6: u64 = (Class::IPV6 as u64) << 40;
        for (chunk, start) in keys.chunks(BATCH).zip((0..).step_by(BATCH)) {
            if chunk.iter().fold(0, |all, key| all | key.0[4]) & IPV6 == 0 {
                // Most traffic: nothing to sort.
                self.narrow.look_up(chosen, chunk, start, answers);
                continue;
            }
            for (key, place) in chunk.iter().zip(start as u32..) {
                if key.0[4] & IPV6 == 0 {
                    self.narrow.push(chosen, key, place, answers);
                } else {
                    self.wide.push(chosen, key, place, answers);
                }
            }
        }
        self.narrow.flush(chosen, answers);
        self.wide.flush(chosen, answers);
    }

    /// Blocks that a header is compared with at most.
    pub fn probes(&self) -> usize {
        self.narrow.lists.probes().max(self.wide.lists.probes())
    }

    /// Bytes of all tables and blocks.
    pub fn bytes(&self) -> usize {
        self.narrow.lists.bytes() + self.wide.lists.bytes()
    }
}

impl<const W: usize, const A: usize> Side<W, A> {
    fn new(entries: &[Entry], multipliers: &Multipliers, takes: impl Fn(&Entry) -> bool) -> Self {
        let set = |kind: Kind| {
            let entries = entries.iter().filter(|entry| entry.kind == kind && takes(entry));
            let rules: Vec<Rule<W>> = entries.filter_map(Rule::new).collect();
            Set::new(&rules, multipliers)
        };
        let (acl, signatures) = (set(Kind::Acl), set(Kind::Signature));
        Self {
            lists: Lists { acl, signatures, found: Found::default(), hits: Hits::default() },
            waiting: Headers::default(),
            places: [0; BATCH],
            count: 0,
            direct: Headers::default(),
        }
    }

    /// Looks up headers, at most a batch, whose places follow each other.
    #[inline]
    fn look_up(&mut self, chosen: Chosen, keys: &[Key], start: usize, answers: &mut Answers) {
        keys.iter().enumerate().for_each(|(at, key)| self.direct.set(at, key));
        self.lists.look_up(chosen, &self.direct, keys.len(), |at| start + at, answers);
    }

    /// Lets a header wait for others.
    #[inline]
    fn push(&mut self, chosen: Chosen, key: &Key, place: u32, answers: &mut Answers) {
        self.waiting.set(self.count, key);
        self.places[self.count] = place;
        self.count += 1;
        if self.count == BATCH {
            self.flush(chosen, answers);
        }
    }

    /// Looks up the headers that wait.
    fn flush(&mut self, chosen: Chosen, answers: &mut Answers) {
        let count = std::mem::take(&mut self.count);
        let places = &self.places;
        if count > 0 {
            self.lists.look_up(chosen, &self.waiting, count, |at| places[at] as usize, answers);
        }
    }
}

impl<const W: usize, const A: usize> Lists<W, A> {
    /// Looks up headers, and answers at their places.
    #[inline]
    fn look_up(
        &mut self,
        chosen: Chosen,
        headers: &Headers<W>,
        count: usize,
        place: impl Fn(usize) -> usize,
        answers: &mut Answers,
    ) {
        if self.acl.tables() > 0 {
            let mut first = [u32::MAX; BATCH];
            self.acl.first(chosen, headers, count, &mut self.found, &mut first);
            for (at, first) in first.into_iter().enumerate().take(count) {
                answers.acl[place(at)] = first;
            }
        }
        if self.signatures.tables() > 0 {
            self.signatures.hits(chosen, headers, count, &mut self.found, &mut self.hits);
            for at in 0..count {
                answers.begin(place(at));
                for (found, hits) in self.found.iter().zip(&self.hits) {
                    let mut lanes = hits[at];
                    while lanes != 0 {
                        answers.push(self.signatures.id(found.0[at], lanes.trailing_zeros() as usize));
                        lanes &= lanes - 1;
                    }
                }
                answers.end(place(at));
            }
        }
    }

    fn probes(&self) -> usize {
        self.acl.tables() + self.signatures.tables()
    }

    fn bytes(&self) -> usize {
        self.acl.bytes() + self.signatures.bytes()
    }
}

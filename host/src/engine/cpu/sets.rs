//! The entries of an image as sets of blocks: by kind, and by whether a header has IPv6 addresses.

use wiresift_abi::entry::{Entry, Kind};
use wiresift_abi::vector::{Class, Key};

use super::answers::Answers;
use super::blocks::{BATCH, BlockSet, Chosen, Found, Headers, Hits, Multipliers, NARROW, Rule, WIDE};

/// All entries.
#[derive(Clone, Debug)]
pub struct Sets {
    narrow: Side<NARROW>,
    wide: Side<WIDE>,
}

/// The entries that headers of one family can satisfy, and headers that wait to be looked up.
#[derive(Clone, Debug)]
struct Side<const W: usize> {
    acl: BlockSet<W>,
    signatures: BlockSet<W>,
    headers: Headers<W>,
    /// Place of each header among the keys.
    places: [u32; BATCH],
    count: usize,
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
        for (place, key) in keys.iter().enumerate() {
            if key.0[4] & IPV6 == 0 {
                self.narrow.push(chosen, place as u32, key, answers);
            } else {
                self.wide.push(chosen, place as u32, key, answers);
            }
        }
        self.narrow.flush(chosen, answers);
        self.wide.flush(chosen, answers);
    }

    /// Blocks that a header is compared with at most.
    pub fn probes(&self) -> usize {
        self.narrow.probes().max(self.wide.probes())
    }

    /// Bytes of all tables and blocks.
    pub fn bytes(&self) -> usize {
        self.narrow.bytes() + self.wide.bytes()
    }
}

impl<const W: usize> Side<W> {
    fn new(entries: &[Entry], multipliers: &Multipliers, takes: impl Fn(&Entry) -> bool) -> Self {
        let set = |kind: Kind| {
            let entries = entries.iter().filter(|entry| entry.kind == kind && takes(entry));
            let rules: Vec<Rule<W>> = entries.filter_map(Rule::new).collect();
            BlockSet::new(&rules, multipliers)
        };
        Self {
            acl: set(Kind::Acl),
            signatures: set(Kind::Signature),
            headers: Headers::default(),
            places: [0; BATCH],
            count: 0,
            found: Found::default(),
            hits: Hits::default(),
        }
    }

    #[inline]
    fn push(&mut self, chosen: Chosen, place: u32, key: &Key, answers: &mut Answers) {
        self.headers.set(self.count, key);
        self.places[self.count] = place;
        self.count += 1;
        if self.count == BATCH {
            self.flush(chosen, answers);
        }
    }

    /// Looks up the headers that wait.
    fn flush(&mut self, chosen: Chosen, answers: &mut Answers) {
        let count = std::mem::take(&mut self.count);
        if count == 0 {
            return;
        }
        if self.acl.tables() > 0 {
            let mut first = [u32::MAX; BATCH];
            chosen.first(&self.acl, &self.headers, count, &mut self.found, &mut first);
            for (place, first) in self.places[..count].iter().zip(first) {
                answers.acl[*place as usize] = first;
            }
        }
        if self.signatures.tables() > 0 {
            chosen.hits(&self.signatures, &self.headers, count, &mut self.found, &mut self.hits);
            for (at, place) in self.places[..count].iter().enumerate() {
                answers.begin(*place as usize);
                for (found, hits) in self.found.iter().zip(&self.hits) {
                    let block = self.signatures.block(found[at]);
                    let mut lanes = hits[at];
                    while lanes != 0 {
                        answers.push(block.id[lanes.trailing_zeros() as usize]);
                        lanes &= lanes - 1;
                    }
                }
                answers.end(*place as usize);
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

//! The masked tables as the CPU looks them up.
//!
//! A bucket is 16 bytes: a tag for each slot, and where its rules begin. The index that a key has in
//! the other way is a second hash of the same key, so it is the tag: of the rules in a bucket that
//! do not match nearly all are passed over by one comparison of four tags.

use rustc_hash::FxHashMap;
use wiresift_abi::entry::{Entry, Kind};
use wiresift_abi::geometry::{self, WAYS};
use wiresift_abi::vector::{self, Key};

use super::hash::{self, ByteHash};
use super::plan::{Plan, Sums};
use super::state::State;

/// Slots that a bucket has place for.
const LANES: usize = 4;
const _: () = {
    let mut n = 0;
    while n < geometry::ALL.len() {
        assert!(geometry::ALL[n].bucket_slots <= LANES);
        n += 1;
    }
};
const _: () = assert!(WAYS == 2);
/// Makes a tag differ from that of an empty slot, which is zero.
const IN_USE: u16 = 1 << hash_bits();
/// One bit for each lane, above all bits of a tag.
const LANE_TOPS: u64 = 0x8000_8000_8000_8000;
const _: () = assert!(IN_USE < 0x4000);

const fn hash_bits() -> usize {
    wiresift_abi::hash::INDEX_BITS
}

/// A rule as the engine compares it.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    value: Key,
    mask: Key,
    sport: (u16, u16),
    dport: (u16, u16),
    /// ACL rule or signature header.
    pub kind: Kind,
    /// Its number.
    pub id: u32,
}

impl Rule {
    fn new(entry: &Entry) -> Self {
        let rest = |proto: u8, class: u8, aux: u16| {
            u64::from(proto) << 32 | u64::from(class) << 40 | u64::from(aux) << 48
        };
        let key = |src: u128, dst: u128, rest: u64| {
            Key([src as u64, (src >> 64) as u64, dst as u64, (dst >> 64) as u64, rest])
        };
        let (proto, class, aux) = (entry.proto, entry.class, entry.aux);
        Self {
            value: key(entry.src.value, entry.dst.value, rest(proto.value, class.value, aux.value)),
            mask: key(entry.src.mask, entry.dst.mask, rest(proto.mask, class.mask, aux.mask)),
            sport: entry.sport,
            dport: entry.dport,
            kind: entry.kind,
            id: entry.id,
        }
    }

    /// Whether a key satisfies the rule.
    #[inline]
    pub fn matches(&self, key: &Key) -> bool {
        let differ = (0..vector::KEY_BITS / 64)
            .fold(0, |differ, n| differ | ((key.0[n] & self.mask.0[n]) ^ self.value.0[n]));
        let (sport, dport) = ports(key);
        differ == 0
            && self.sport.0 <= sport
            && sport <= self.sport.1
            && self.dport.0 <= dport
            && dport <= self.dport.1
    }
}

/// Source and destination port of a key.
#[inline]
pub fn ports(key: &Key) -> (u16, u16) {
    (key.0[4] as u16, (key.0[4] >> 16) as u16)
}

/// A bucket: tags of its slots, those in use first, and the place of the first one's rule.
#[repr(C, align(16))]
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    tags: [u16; LANES],
    base: u32,
}

impl Bucket {
    #[inline]
    fn tags(&self) -> u64 {
        self.tags.iter().rev().fold(0, |all, &tag| all << 16 | u64::from(tag))
    }
}

/// A table with at least one rule.
#[derive(Clone, Debug)]
pub struct Table {
    plan: Plan,
    buckets_log2: u32,
    /// Every rule stands in the bucket of its own key with the mask within its bits, as the compiler places
    /// it. Where it does not, the tags say nothing.
    tagged: bool,
    /// Way by way.
    buckets: Vec<Bucket>,
    rules: Vec<Rule>,
    /// Lowest number of an ACL rule in it; the largest number where there is none.
    pub first_acl: u32,
    /// Whether it holds signature headers.
    pub signatures: bool,
}

impl Table {
    /// The tables that hold rules, those with the first ACL rules first.
    pub fn all(state: &State, hash: &ByteHash) -> Vec<Self> {
        let mut by_table: FxHashMap<u8, Vec<(u16, u8, Entry)>> = FxHashMap::default();
        for (&(table, index, slot), line) in &state.slots {
            if let Some(entry) = state.entry(table, line) {
                by_table.entry(table).or_default().push((index, slot, entry));
            }
        }
        let mut tables: Vec<(u32, u8, Self)> = by_table
            .into_iter()
            .map(|(number, mut slots)| {
                slots.sort_unstable_by_key(|&(index, slot, _)| (slot, index));
                let table = Self::new(state, hash, number, &slots);
                (table.first_acl, number, table)
            })
            .collect();
        tables.sort_unstable_by_key(|&(first_acl, number, _)| (first_acl, number));
        tables.into_iter().map(|(_, _, table)| table).collect()
    }

    fn new(state: &State, hash: &ByteHash, number: u8, slots: &[(u16, u8, Entry)]) -> Self {
        let geometry = state.geometry;
        let buckets_log2 = geometry.buckets_log2(usize::from(number));
        let mask = &state.masks[usize::from(number)];
        let mut in_buckets: Vec<Vec<(u16, Rule)>> = vec![Vec::new(); WAYS << buckets_log2];
        let mut tagged = true;
        for (index, slot, entry) in slots {
            let way = usize::from(*slot) / geometry.bucket_slots;
            let (tag, own) = tag(entry, mask, hash, way, buckets_log2);
            tagged &= own == Some(usize::from(*index));
            in_buckets[(way << buckets_log2) | usize::from(*index)].push((tag, Rule::new(entry)));
        }
        let mut rules: Vec<Rule> = Vec::with_capacity(slots.len());
        let buckets = in_buckets
            .iter()
            .map(|in_bucket| {
                let mut bucket = Bucket { base: rules.len() as u32, ..Bucket::default() };
                for (lane, (tag, rule)) in bucket.tags.iter_mut().zip(in_bucket) {
                    *lane = *tag;
                    rules.push(*rule);
                }
                bucket
            })
            .collect();
        let acl = rules.iter().filter(|rule| rule.kind == Kind::Acl).map(|rule| rule.id);
        Self {
            plan: Plan::new(mask),
            buckets_log2,
            tagged,
            buckets,
            first_acl: acl.min().unwrap_or(u32::MAX),
            signatures: rules.iter().any(|rule| rule.kind == Kind::Signature),
            rules,
        }
    }

    /// Kind and number of every rule.
    pub fn ids(&self) -> impl Iterator<Item = (Kind, u32)> {
        self.rules.iter().map(|rule| (rule.kind, rule.id))
    }

    /// What the table's mask asks of the sums over a key.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Calls `found` with every rule of the table that the key satisfies.
    #[inline]
    pub fn look_up(&self, key: &Key, sums: &Sums, hash: &ByteHash, mut found: impl FnMut(&Rule)) {
        let both = self.plan.hash(key, sums, hash);
        let indices = [hash::index(both, 0, self.buckets_log2), hash::index(both, 1, self.buckets_log2)];
        for way in 0..WAYS {
            let bucket = &self.buckets[(way << self.buckets_log2) | indices[way]];
            let tags = bucket.tags();
            let tag = u64::from(indices[1 - way] as u16 | IN_USE) * 0x0001_0001_0001_0001;
            // No lane of `tags ^ tag` reaches its top bit, so nothing is borrowed across lanes, and a top
            // bit is left where the lane is zero: equal tags.
            let mut lanes = LANE_TOPS.wrapping_sub(tags ^ tag) & LANE_TOPS;
            if !self.tagged {
                lanes = (tags & (u64::from(IN_USE) * 0x0001_0001_0001_0001)) << (15 - hash_bits());
            }
            while lanes != 0 {
                let lane = lanes.trailing_zeros() / 16;
                lanes &= lanes - 1;
                let rule = &self.rules[(bucket.base + lane) as usize];
                if rule.matches(key) {
                    found(rule);
                }
            }
        }
    }
}

/// Tag of an entry in way `way`, and the bucket that all keys that satisfy it have in that way; `None`
/// where they do not have one.
fn tag(entry: &Entry, mask: &Key, hash: &ByteHash, way: usize, buckets_log2: u32) -> (u16, Option<usize>) {
    let rule = Rule::new(entry);
    let (sport, dport) = (entry.sport, entry.dport);
    // The leading bits that all ports of a range have in common.
    let in_common =
        |(lo, hi): (u16, u16)| u64::from(!u16::MAX.checked_shr((lo ^ hi).leading_zeros()).unwrap_or(0));
    let mut cares = rule.mask;
    cares.0[4] |= in_common(sport) | in_common(dport) << 16;
    let mut key = rule.value;
    key.0[4] |= u64::from(sport.0) | u64::from(dport.0) << 16;
    let both = hash.of(&key.and(mask));
    let within = cares.and(mask) == *mask;
    let tag = hash::index(both, 1 - way, buckets_log2) as u16 | IN_USE;
    (tag, within.then(|| hash::index(both, way, buckets_log2)))
}

//! A block of sixteen rules, word by word, so that one header is compared with all of them at once.

use wiresift_abi::entry::{self, Entry};
use wiresift_abi::vector::Key;

/// Rules in a block.
pub const LANES: usize = 16;
/// Number of a lane that holds no rule.
pub const NO_RULE: u32 = u32::MAX;
/// Ternary words of a header without IPv6 addresses: source, destination, rest.
pub const NARROW: usize = 3;
/// Ternary words of any header: four of each address, rest.
pub const WIDE: usize = 9;

/// Bits of a lane's number below the number of its rule.
pub const KIND_BITS: u32 = 12;

/// Sixteen rules. A header matches in a lane where `(word ^ value) & mask` is zero for every word, both
/// ports, less `port_lo`, are at most `port_span`, and it is of the rule's kind ([`super::kinds`]).
///
/// Words of an address stand highest bits first. The last word, which a block of `T` words may lack, has the
/// protocol in its highest byte, then the class and `aux`; ports are one word with the source port in its low half.
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block<const T: usize> {
    /// Values of the words.
    pub value: [[u32; LANES]; T],
    /// Bits of the words that count.
    pub mask: [[u32; LANES]; T],
    /// Lowest ports.
    pub port_lo: [u32; LANES],
    /// Highest ports less the lowest ones.
    pub port_span: [u32; LANES],
    /// Number of the ACL rule or signature header, and below it, in [`KIND_BITS`], the bit of its kind. [`NO_RULE`]
    /// where there is none, and then the other words say nothing.
    pub number: [u32; LANES],
}

const _: () = assert!(size_of::<Block<NARROW>>() == 9 * 64 && size_of::<Block<WIDE>>() == 21 * 64);
const _: () = assert!(size_of::<Block<{ NARROW - 1 }>>() == 7 * 64);
// An id and a kind that leave `NO_RULE` alone.
const _: () = assert!(entry::ID.bits + KIND_BITS as usize <= 32);

impl<const T: usize> Block<T> {
    /// No rules.
    pub const EMPTY: Self = Self {
        value: [[0; LANES]; T],
        mask: [[0; LANES]; T],
        port_lo: [0; LANES],
        port_span: [0; LANES],
        number: [NO_RULE; LANES],
    };

    /// Puts a rule whose kind has that bit into a lane.
    pub fn set<const W: usize>(&mut self, lane: usize, rule: &Rule<W>, kind: u32) {
        for word in 0..T {
            self.value[word][lane] = rule.value[word];
            self.mask[word][lane] = rule.mask[word];
        }
        self.port_lo[lane] = join(rule.sport.0, rule.dport.0);
        self.port_span[lane] = join(rule.sport.1 - rule.sport.0, rule.dport.1 - rule.dport.0);
        self.number[lane] = rule.id << KIND_BITS | kind;
    }

    /// Number of the rule in a lane, as of [`id`].
    #[inline]
    pub fn id(&self, lane: usize) -> u32 {
        id(self.number[lane])
    }
}

/// Number of the rule of a lane's number, [`u32::MAX`] where it is [`NO_RULE`].
#[inline]
pub fn id(number: u32) -> u32 {
    if number == NO_RULE { u32::MAX } else { number >> KIND_BITS }
}

/// A rule as a block holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule<const W: usize> {
    /// Values of the words.
    pub value: [u32; W],
    /// Bits of the words that count.
    pub mask: [u32; W],
    /// Lowest and highest source port.
    pub sport: (u16, u16),
    /// Lowest and highest destination port.
    pub dport: (u16, u16),
    /// Number of the ACL rule or signature header.
    pub id: u32,
}

impl<const W: usize> Rule<W> {
    /// The rule of an entry, or `None` for an entry that no header satisfies. With `NARROW` words only the
    /// 32 highest bits of its addresses count.
    pub fn new(entry: &Entry) -> Option<Self> {
        let value = words(
            entry.src.value,
            entry.dst.value,
            rest(entry.proto.value, entry.class.value, entry.aux.value),
        );
        let mask =
            words(entry.src.mask, entry.dst.mask, rest(entry.proto.mask, entry.class.mask, entry.aux.mask));
        let satisfiable = value.iter().zip(mask).all(|(value, mask)| value & !mask == 0)
            && entry.sport.0 <= entry.sport.1
            && entry.dport.0 <= entry.dport.1;
        satisfiable.then_some(Self { value, mask, sport: entry.sport, dport: entry.dport, id: entry.id })
    }
}

/// Words of a header vector; the ports are [`ports`].
#[inline]
pub fn key_words<const W: usize>(key: &Key) -> [u32; W] {
    let address = |low: usize| u128::from(key.0[low]) | u128::from(key.0[low + 1]) << 64;
    words(address(0), address(2), ((key.0[4] >> 32) as u32).swap_bytes())
}

/// Source port, and destination port in the high half.
#[inline]
pub fn ports(key: &Key) -> u32 {
    key.0[4] as u32
}

/// Protocol in the highest byte, so that a shift leaves it alone.
fn rest(proto: u8, class: u8, aux: u16) -> u32 {
    (u32::from(proto) | u32::from(class) << 8 | u32::from(aux) << 16).swap_bytes()
}

#[inline]
fn words<const W: usize>(src: u128, dst: u128, rest: u32) -> [u32; W] {
    const { assert!(W == NARROW || W == WIDE) };
    let each = (W - 1) / 2;
    std::array::from_fn(|word| {
        let address = if word < each { src } else { dst };
        if word == W - 1 { rest } else { (address >> (96 - 32 * (word % each))) as u32 }
    })
}

fn join(low: u16, high: u16) -> u32 {
    u32::from(low) | u32::from(high) << 16
}

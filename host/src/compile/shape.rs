//! Which bits of an entry count, as far as a table's mask can use them.

use std::fmt;

use wiresift_abi::bits::Line;
use wiresift_abi::entry::{Entry, prefix_len, prefix_mask};
use wiresift_abi::vector::{self, Class, Key};

/// Which bits count: of an entry, or of a table's mask. An entry may stand in a table whose shape lies
/// within its own, because then all header vectors that match it have one masked key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Shape {
    /// Prefix length of the source address, placed as in the header vector.
    pub src: u8,
    /// Prefix length of the destination address.
    pub dst: u8,
    /// Leading bits of the source port that count: those that all ports of the range have in common, so 16
    /// for one port.
    pub sport: u8,
    /// Leading bits of the destination port that count.
    pub dport: u8,
    /// Whether the whole protocol counts.
    pub proto: bool,
    /// Whether the address family counts.
    pub family: bool,
}

/// Class bits that tell the family.
const FAMILY: u8 = Class::IP | Class::IPV6;
/// Bits of a port.
pub const PORT_BITS: u8 = 16;
/// Address bits of a narrow table.
const NARROW_BITS: u8 = 32;

impl Shape {
    /// Shape of an entry; `None` where an address is not a prefix, so that no slot holds it.
    pub fn of(entry: &Entry) -> Option<Self> {
        Some(Self {
            src: prefix_len(entry.src.mask)? as u8,
            dst: prefix_len(entry.dst.mask)? as u8,
            sport: in_common(entry.sport),
            dport: in_common(entry.dport),
            proto: entry.proto.mask == u8::MAX,
            family: entry.class.mask & FAMILY == FAMILY,
        })
    }

    /// Whether every bit that counts here counts there too.
    pub fn within(&self, other: &Self) -> bool {
        self.src <= other.src
            && self.dst <= other.dst
            && self.sport <= other.sport
            && self.dport <= other.dport
            && self.proto <= other.proto
            && self.family <= other.family
    }

    /// Whether it fits a table with 32-bit addresses.
    pub fn is_narrow(&self) -> bool {
        self.src <= NARROW_BITS && self.dst <= NARROW_BITS
    }

    /// Number of bits that count: the more, the fewer rules share a key.
    pub fn weight(&self) -> u32 {
        u32::from(self.src)
            + u32::from(self.dst)
            + u32::from(self.sport)
            + u32::from(self.dport)
            + 8 * u32::from(self.proto)
            + 2 * u32::from(self.family)
    }

    /// The bits as a mask.
    pub fn mask(&self) -> Key {
        let all = |counts: bool, value: u128| if counts { value } else { 0 };
        let line = Line::default()
            .with(vector::SRC, prefix_mask(self.src.into()))
            .with(vector::DST, prefix_mask(self.dst.into()))
            .with(vector::SPORT, port_mask(self.sport).into())
            .with(vector::DPORT, port_mask(self.dport).into())
            .with(vector::PROTO, all(self.proto, u8::MAX.into()))
            .with(vector::CLASS, all(self.family, FAMILY.into()));
        Key::of(&line)
    }
}

/// Leading bits that all ports of a range have in common.
fn in_common((lo, hi): (u16, u16)) -> u8 {
    (lo ^ hi).leading_zeros() as u8
}

/// Mask of the leading bits of a port.
fn port_mask(bits: u8) -> u16 {
    !u16::MAX.checked_shr(bits.into()).unwrap_or(0)
}

/// Key of any header vector that matches the entry, right in the bits that count in its shape.
pub fn key_of(entry: &Entry) -> Key {
    let line = Line::default()
        .with(vector::SRC, entry.src.value)
        .with(vector::DST, entry.dst.value)
        .with(vector::SPORT, entry.sport.0.into())
        .with(vector::DPORT, entry.dport.0.into())
        .with(vector::PROTO, entry.proto.value.into())
        .with(vector::CLASS, entry.class.value.into());
    Key::of(&line)
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "src/{} dst/{}", self.src, self.dst)?;
        for (bits, name) in [(self.sport, " sport"), (self.dport, " dport")] {
            match bits {
                0 => {}
                PORT_BITS => f.write_str(name)?,
                _ => write!(f, "{name}/{bits}")?,
            }
        }
        for (counts, name) in [(self.proto, " proto"), (self.family, " family")] {
            if counts {
                f.write_str(name)?;
            }
        }
        Ok(())
    }
}

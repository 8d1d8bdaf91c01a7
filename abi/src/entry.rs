//! What a slot of a masked table and an entry of the TCAM hold.
//!
//! A slot holds the whole rule, so a match in it is exact: both addresses as prefixes, both ports as
//! inclusive ranges, protocol, class and `aux` as ternaries. A rule whose addresses are not prefixes
//! goes to the TCAM, where every bit has its mask.
//!
//! | bits | field |
//! |---|---|
//! | 0-19 | `id` |
//! | 20-21 | `kind` |
//! | 24-87 | `proto`, `class`, `aux`: value and mask each |
//! | 88-151 | `sport_lo`, `sport_hi`, `dport_lo`, `dport_hi` |
//! | 152-167 | `src_shift`, `dst_shift`: address bits that do not count |
//! | 168- | `src`, `dst`: 32 bits each in a narrow slot, 128 bits each in a wide one |

use crate::bits::{Field, Line};
use crate::vector;

/// Number of the ACL rule, or of the signature header.
pub const ID: Field = Field::new("id", 0, 20);
/// [`Kind`].
pub const KIND: Field = ID.then("kind", 2);
/// Protocol, value.
pub const PROTO: Field = Field::new("proto", 24, 8);
/// Protocol, mask.
pub const PROTO_MASK: Field = PROTO.then("proto_mask", 8);
/// Class, value.
pub const CLASS: Field = PROTO_MASK.then("class", 8);
/// Class, mask.
pub const CLASS_MASK: Field = CLASS.then("class_mask", 8);
/// TCP flags or ICMP type and code, value.
pub const AUX: Field = CLASS_MASK.then("aux", 16);
/// TCP flags or ICMP type and code, mask.
pub const AUX_MASK: Field = AUX.then("aux_mask", 16);
/// Lowest source port.
pub const SPORT_LO: Field = AUX_MASK.then("sport_lo", 16);
/// Highest source port.
pub const SPORT_HI: Field = SPORT_LO.then("sport_hi", 16);
/// Lowest destination port.
pub const DPORT_LO: Field = SPORT_HI.then("dport_lo", 16);
/// Highest destination port.
pub const DPORT_HI: Field = DPORT_LO.then("dport_hi", 16);
/// Low bits of the source address that do not count, 0 to the address width.
pub const SRC_SHIFT: Field = DPORT_HI.then("src_shift", 8);
/// Low bits of the destination address that do not count.
pub const DST_SHIFT: Field = SRC_SHIFT.then("dst_shift", 8);
/// Source address of a narrow slot.
pub const NARROW_SRC: Field = DST_SHIFT.then("src", 32);
/// Destination address of a narrow slot.
pub const NARROW_DST: Field = NARROW_SRC.then("dst", 32);
/// Source address of a wide slot.
pub const WIDE_SRC: Field = DST_SHIFT.then("src", 128);
/// Destination address of a wide slot.
pub const WIDE_DST: Field = WIDE_SRC.then("dst", 128);

/// Bits of a narrow slot.
pub const NARROW_BITS: usize = NARROW_DST.end();
/// Bits of a wide slot.
pub const WIDE_BITS: usize = WIDE_DST.end();
const _: () = assert!(NARROW_BITS == 232 && WIDE_BITS == 424);

/// Entries of a TCAM at most.
pub const TCAM_ENTRIES_MAX: usize = 128;
/// Key bits that one row memory of the TCAM is addressed with: 16 rows are what a LUT RAM of every family holds at least,
/// and a key is written in as many cycles.
pub const TCAM_CHUNK_BITS: usize = 4;
/// Key bits that the TCAM compares bit by bit: both addresses, protocol, class, `aux`, in this
/// order; the ports are compared as ranges beside it.
pub const TCAM_KEY_BITS: usize = 128 + 128 + 8 + 8 + 16;
/// Row memories of the TCAM: chunk `c` is addressed with bits `c * 4 .. c * 4 + 4` of its key.
pub const TCAM_CHUNKS: usize = TCAM_KEY_BITS / TCAM_CHUNK_BITS;
const _: () = assert!(TCAM_KEY_BITS.is_multiple_of(TCAM_CHUNK_BITS));
/// Bits of half a TCAM key: what one command carries of value and mask. In the command's data the
/// value stands at bit 0 and the mask behind it.
pub const TCAM_HALF_BITS: usize = TCAM_KEY_BITS / 2;
const TCAM_HALF_BYTES: usize = TCAM_HALF_BITS / 8;
const _: () = assert!(2 * 8 * TCAM_HALF_BYTES == TCAM_KEY_BITS);
const _: () = assert!(TCAM_HALF_BITS.is_multiple_of(TCAM_CHUNK_BITS));

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// `id` is the number of an ACL rule: the lowest that matches wins.
    Acl = 1,
    /// `id` is the number of a signature header: all that match are reported.
    Signature = 2,
}

/// Value and mask; a bit counts where the mask is one, and the value is zero elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ternary<T> {
    /// Value.
    pub value: T,
    /// Mask.
    pub mask: T,
}

/// A rule as the hardware compares it. Addresses are placed as in the header vector (IPv4 in the
/// 32 highest bits).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    /// ACL rule or signature header.
    pub kind: Kind,
    /// Its number, below `1 << 20`.
    pub id: u32,
    /// Source address.
    pub src: Ternary<u128>,
    /// Destination address.
    pub dst: Ternary<u128>,
    /// Lowest and highest source port.
    pub sport: (u16, u16),
    /// Lowest and highest destination port.
    pub dport: (u16, u16),
    /// Protocol.
    pub proto: Ternary<u8>,
    /// Class bits.
    pub class: Ternary<u8>,
    /// TCP flags or ICMP type and code.
    pub aux: Ternary<u16>,
}

impl Entry {
    /// Whether a header vector satisfies the entry.
    pub fn matches(&self, vector: &Line) -> bool {
        let sport = vector.get(vector::SPORT) as u16;
        let dport = vector.get(vector::DPORT) as u16;
        vector.get(vector::SRC) & self.src.mask == self.src.value
            && vector.get(vector::DST) & self.dst.mask == self.dst.value
            && (self.sport.0..=self.sport.1).contains(&sport)
            && (self.dport.0..=self.dport.1).contains(&dport)
            && vector.get(vector::PROTO) as u8 & self.proto.mask == self.proto.value
            && vector.get(vector::CLASS) as u8 & self.class.mask == self.class.value
            && vector.get(vector::AUX) as u16 & self.aux.mask == self.aux.value
    }

    /// The entry as a slot with 32-bit addresses, or `None` where an address is not a prefix of at
    /// most 32 bits.
    pub fn to_narrow(&self) -> Option<Line> {
        let (src, dst) = (prefix_len(self.src.mask)?, prefix_len(self.dst.mask)?);
        if src > 32 || dst > 32 {
            return None;
        }
        let line = self.common(32 - src, 32 - dst);
        Some(line.with(NARROW_SRC, self.src.value >> 96).with(NARROW_DST, self.dst.value >> 96))
    }

    /// The entry as a slot with 128-bit addresses, or `None` where an address is not a prefix.
    pub fn to_wide(&self) -> Option<Line> {
        let (src, dst) = (prefix_len(self.src.mask)?, prefix_len(self.dst.mask)?);
        let line = self.common(128 - src, 128 - dst);
        Some(line.with(WIDE_SRC, self.src.value).with(WIDE_DST, self.dst.value))
    }

    /// The entry in a slot, or `None` for an empty slot or one whose shifts are out of range.
    pub fn from_slot(slot: &Line, narrow: bool) -> Option<Self> {
        let width = if narrow { 32 } else { 128 };
        let src_shift = slot.get(SRC_SHIFT) as u32;
        let dst_shift = slot.get(DST_SHIFT) as u32;
        if src_shift > width || dst_shift > width {
            return None;
        }
        let (src, dst) = if narrow {
            (slot.get(NARROW_SRC) << 96, slot.get(NARROW_DST) << 96)
        } else {
            (slot.get(WIDE_SRC), slot.get(WIDE_DST))
        };
        Some(Self {
            kind: kind_of(slot.get(KIND))?,
            id: slot.get(ID) as u32,
            src: Ternary { value: src, mask: prefix_mask(width - src_shift) },
            dst: Ternary { value: dst, mask: prefix_mask(width - dst_shift) },
            sport: (slot.get(SPORT_LO) as u16, slot.get(SPORT_HI) as u16),
            dport: (slot.get(DPORT_LO) as u16, slot.get(DPORT_HI) as u16),
            proto: Ternary { value: slot.get(PROTO) as u8, mask: slot.get(PROTO_MASK) as u8 },
            class: Ternary { value: slot.get(CLASS) as u8, mask: slot.get(CLASS_MASK) as u8 },
            aux: Ternary { value: slot.get(AUX) as u16, mask: slot.get(AUX_MASK) as u16 },
        })
    }

    /// Value and mask of the [`TCAM_KEY_BITS`] bits that the TCAM compares bit by bit.
    pub fn tcam_key(&self) -> (Line, Line) {
        (
            tcam_line(self.src.value, self.dst.value, self.proto.value, self.class.value, self.aux.value),
            tcam_line(self.src.mask, self.dst.mask, self.proto.mask, self.class.mask, self.aux.mask),
        )
    }

    /// The entry of a TCAM place, from what is kept beside its key and from the key (value and mask); `None`
    /// for an empty one.
    pub fn from_tcam(kept: &Line, (value, mask): &(Line, Line)) -> Option<Self> {
        const SRC: Field = Field::new("src", 0, 128);
        const DST: Field = SRC.then("dst", 128);
        const PROTO: Field = DST.then("proto", 8);
        const CLASS: Field = PROTO.then("class", 8);
        const AUX: Field = CLASS.then("aux", 16);
        const _: () = assert!(AUX.end() == TCAM_KEY_BITS);
        let ternary = |field| Ternary { value: value.get(field) & mask.get(field), mask: mask.get(field) };
        let eight = |field| Ternary { value: ternary(field).value as u8, mask: ternary(field).mask as u8 };
        let port = |field| kept.get(field) as u16;
        Some(Self {
            kind: kind_of(kept.get(KIND))?,
            id: kept.get(ID) as u32,
            src: ternary(SRC),
            dst: ternary(DST),
            sport: (port(SPORT_LO), port(SPORT_HI)),
            dport: (port(DPORT_LO), port(DPORT_HI)),
            proto: eight(PROTO),
            class: eight(CLASS),
            aux: Ternary { value: ternary(AUX).value as u16, mask: ternary(AUX).mask as u16 },
        })
    }

    /// What the TCAM keeps of the entry beside its rows: id, kind and port ranges at the places that
    /// they have in a slot.
    pub fn to_tcam(&self) -> Line {
        Line::default()
            .with(ID, self.id.into())
            .with(KIND, self.kind as u128)
            .with(SPORT_LO, self.sport.0.into())
            .with(SPORT_HI, self.sport.1.into())
            .with(DPORT_LO, self.dport.0.into())
            .with(DPORT_HI, self.dport.1.into())
    }

    fn common(&self, src_shift: u32, dst_shift: u32) -> Line {
        self.to_tcam()
            .with(PROTO, self.proto.value.into())
            .with(PROTO_MASK, self.proto.mask.into())
            .with(CLASS, self.class.value.into())
            .with(CLASS_MASK, self.class.mask.into())
            .with(AUX, self.aux.value.into())
            .with(AUX_MASK, self.aux.mask.into())
            .with(SRC_SHIFT, src_shift.into())
            .with(DST_SHIFT, dst_shift.into())
    }
}

/// Data of the commands that write a ternary TCAM key: low half, high half.
pub fn tcam_halves((value, mask): &(Line, Line)) -> [Line; 2] {
    [0, TCAM_HALF_BYTES].map(|from| {
        let mut data = Line::default();
        data.0[..TCAM_HALF_BYTES].copy_from_slice(&value.0[from..][..TCAM_HALF_BYTES]);
        data.0[TCAM_HALF_BYTES..][..TCAM_HALF_BYTES].copy_from_slice(&mask.0[from..][..TCAM_HALF_BYTES]);
        data
    })
}

/// Value and mask of the ternary TCAM key in the data of its two commands; the value is zero where the
/// mask is.
pub fn tcam_of_halves(halves: &[Line; 2]) -> (Line, Line) {
    let (mut value, mut mask) = (Line::default(), Line::default());
    for (half, data) in halves.iter().enumerate() {
        for n in 0..TCAM_HALF_BYTES {
            let at = half * TCAM_HALF_BYTES + n;
            mask.0[at] = data.0[TCAM_HALF_BYTES + n];
            value.0[at] = data.0[n] & mask.0[at];
        }
    }
    (value, mask)
}

/// The TCAM's key of a header vector.
pub fn tcam_key_of(vector: &Line) -> Line {
    tcam_line(
        vector.get(vector::SRC),
        vector.get(vector::DST),
        vector.get(vector::PROTO) as u8,
        vector.get(vector::CLASS) as u8,
        vector.get(vector::AUX) as u16,
    )
}

fn tcam_line(src: u128, dst: u128, proto: u8, class: u8, aux: u16) -> Line {
    let src_field = Field::new("src", 0, 128);
    let dst_field = src_field.then("dst", 128);
    let proto_field = dst_field.then("proto", 8);
    let class_field = proto_field.then("class", 8);
    let aux_field = class_field.then("aux", 16);
    Line::default()
        .with(src_field, src)
        .with(dst_field, dst)
        .with(proto_field, proto.into())
        .with(class_field, class.into())
        .with(aux_field, aux.into())
}

/// The kind with that number; `None` for 0, an empty slot, and for 3, which does not exist.
pub fn kind_of(number: u128) -> Option<Kind> {
    match number {
        1 => Some(Kind::Acl),
        2 => Some(Kind::Signature),
        _ => None,
    }
}

/// Mask of the `len` highest bits (0 to 128).
pub const fn prefix_mask(len: u32) -> u128 {
    if len == 0 { 0 } else { u128::MAX << (128 - len) }
}

/// Number of leading ones of a mask that has no other ones.
pub const fn prefix_len(mask: u128) -> Option<u32> {
    let len = mask.leading_ones();
    if prefix_mask(len) == mask { Some(len) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        Entry {
            kind: Kind::Signature,
            id: 0xabcde,
            src: Ternary { value: 0x0a01_0200 << 96, mask: prefix_mask(24) },
            dst: Ternary { value: 0, mask: 0 },
            sport: (0, 65535),
            dport: (80, 443),
            proto: Ternary { value: 6, mask: 255 },
            class: Ternary { value: 5, mask: 7 },
            aux: Ternary { value: 2, mask: 0x12 },
        }
    }

    #[test]
    fn a_slot_gives_back_its_entry() {
        let entry = entry();
        let narrow = entry.to_narrow().and_then(|line| Entry::from_slot(&line, true));
        let wide = entry.to_wide().and_then(|line| Entry::from_slot(&line, false));
        assert_eq!((narrow, wide), (Some(entry), Some(entry)));
        assert_eq!(Entry::from_slot(&Line::default(), true), None);
    }

    #[test]
    fn addresses_that_are_no_prefix_fit_no_slot() {
        let mut entry = entry();
        entry.dst = Ternary { value: 1, mask: 1 };
        assert_eq!((entry.to_narrow(), entry.to_wide()), (None, None));
    }

    #[test]
    fn halves_give_back_their_ternary_key() {
        let mut entry = entry();
        entry.src = Ternary { value: 0x0102 << 8, mask: 0x0f0f << 8 };
        let key = entry.tcam_key();
        let mut halves = tcam_halves(&key);
        assert_eq!(tcam_of_halves(&halves), key);
        assert_eq!(Entry::from_tcam(&entry.to_tcam(), &key), Some(entry));
        // Bits that do not count are not kept.
        halves[0].0[0] ^= 0xff;
        assert_eq!(tcam_of_halves(&halves), key);
    }

    #[test]
    fn a_slot_with_a_shift_out_of_range_is_no_entry() {
        let slot = entry().to_narrow().map(|line| line.with(SRC_SHIFT, 33));
        assert_eq!(slot.and_then(|line| Entry::from_slot(&line, true)), None);
    }
}

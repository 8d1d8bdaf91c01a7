//! What the blocks of the classifier hand to each other.

#![expect(missing_docs, reason = "the derive of LogicStruct writes methods without docs")]

use rust_hdl::core::prelude::*;
use wiresift_abi::bits::Field;
use wiresift_abi::c2h::{IDS_BITS, IDS_MAX};
use wiresift_abi::entry::{
    AUX, AUX_MASK, CLASS, CLASS_MASK, DPORT_HI, DPORT_LO, DST_SHIFT, ID, KIND, PROTO, PROTO_MASK, SPORT_HI,
    SPORT_LO, SRC_SHIFT,
};
use wiresift_abi::geometry::{MAX_TABLES, WAYS};
use wiresift_abi::vector;

/// Bits of an id.
pub const ID_BITS: usize = ID.bits;
/// Signature ids that one bucket pair, or one group of TCAM entries, passes on at most.
pub const PICKED_MAX: usize = 4;
/// Bits of the ids of a [`List`].
pub const LIST_BITS: usize = IDS_MAX * ID_BITS;
/// Bits of a slot before the addresses.
pub const HEAD_BITS: usize = DST_SHIFT.end();
/// Bits of a header vector behind the addresses that a rule can ask for.
pub const FIELDS_BITS: usize = vector::KEY_BITS - vector::SPORT.lsb;
/// Largest number of slots of a bucket, for field widths.
pub const MAX_SLOTS: usize = 8;

const _: () = assert!(PICKED_MAX <= IDS_MAX);

/// A struct over fields of the contract that lie side by side from bit `$from`, and its value
/// from bits. The Verilog of the conversion is the bits themselves, hence the check of the places.
macro_rules! view {
    ($(#[$meta:meta])* $name:ident from $from:expr, $bits:expr, { $($field:ident: $place:expr,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, LogicStruct)]
        pub struct $name {
            $(
                #[doc = concat!("The contract's `", stringify!($place), "`.")]
                pub $field: Bits<{ $place.bits }>,
            )*
        }

        impl From<Bits<{ $bits }>> for $name {
            fn from(bits: Bits<{ $bits }>) -> Self {
                Self { $($field: bits.get_bits($place.lsb - $from),)* }
            }
        }

        const _: () = {
            let mut at = $from;
            $(
                assert!($place.lsb == at);
                at = $place.end();
            )*
            assert!(at == $from + $bits);
        };
    };
}

/// Unused bits between `kind` and `proto`.
const SPARE: Field = KIND.then("spare", PROTO.lsb - KIND.end());

view! {
    /// A slot but for its addresses; what a TCAM entry keeps beside its rows.
    Head from 0, HEAD_BITS, {
        id: ID,
        kind: KIND,
        spare: SPARE,
        proto: PROTO,
        proto_mask: PROTO_MASK,
        class: CLASS,
        class_mask: CLASS_MASK,
        aux: AUX,
        aux_mask: AUX_MASK,
        sport_lo: SPORT_LO,
        sport_hi: SPORT_HI,
        dport_lo: DPORT_LO,
        dport_hi: DPORT_HI,
        src_shift: SRC_SHIFT,
        dst_shift: DST_SHIFT,
    }
}

view! {
    /// The part of a header vector behind the addresses that a rule can ask for.
    Fields from vector::SPORT.lsb, FIELDS_BITS, {
        sport: vector::SPORT,
        dport: vector::DPORT,
        proto: vector::PROTO,
        class: vector::CLASS,
        aux: vector::AUX,
    }
}

/// What an element asks for, decoded; at most one of the strobes is set, none in a bubble.
#[derive(Clone, Copy, Debug, Default, PartialEq, LogicStruct)]
pub struct Op {
    /// A packet.
    pub packet: Bit,
    /// CLEAR.
    pub clear: Bit,
    /// COMMIT.
    pub commit: Bit,
    /// WRITE_SECRET.
    pub secret: Bit,
    /// WRITE_TCAM_LOW.
    pub low: Bit,
    /// WRITE_TCAM_HIGH.
    pub high: Bit,
    /// WRITE_TCAM_ENTRY.
    pub entry: Bit,
    /// WRITE_MASK, or CLEAR for all: one bit a table.
    pub masks: Bits<MAX_TABLES>,
    /// WRITE_SLOT: one bit a table.
    pub tables: Bits<MAX_TABLES>,
    /// One bit a slot of a bucket pair; means nothing without WRITE_SLOT.
    pub slots: Bits<{ WAYS * MAX_SLOTS }>,
}

/// What goes beside an element to its result.
#[derive(Clone, Copy, Debug, Default, PartialEq, LogicStruct)]
pub struct Meta {
    /// A packet.
    pub packet: Bit,
    /// A COMMIT.
    pub commit: Bit,
    /// Sequence number.
    pub sequence: Bits<32>,
    /// Bytes of the packet.
    pub length: Bits<16>,
    /// Flags of the packet.
    pub flags: Bits<16>,
    /// Version of a COMMIT.
    pub version: Bits<16>,
}

/// An entry that was compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, LogicStruct)]
pub struct Candidate {
    /// It is an ACL rule and matches.
    pub acl: Bit,
    /// It is a signature header and matches.
    pub signature: Bit,
    /// Its number.
    pub id: Bits<ID_BITS>,
}

/// What a part of the classifier found for an element.
#[derive(Clone, Copy, Debug, Default, PartialEq, LogicStruct)]
pub struct List {
    /// Number of the first ACL rule; `1 << ID_BITS` for none.
    pub acl: Bits<{ ID_BITS + 1 }>,
    /// Ids of signature headers from the low bits up, zero behind the last.
    pub ids: Bits<LIST_BITS>,
    /// Number of ids: bit `n` for `n`.
    pub count: Bits<{ IDS_MAX + 1 }>,
    /// There were more.
    pub cut: Bit,
}

/// A slot after the first cycle of the comparison, but for the addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, LogicStruct)]
pub struct Compared {
    /// Both shifts are in range.
    pub shifts: Bit,
    /// Protocol, class and `aux` match.
    pub ternary: Bit,
    /// Both ports are in range.
    pub inside: Bit,
    /// The element is a packet.
    pub packet: Bit,
    /// Kind of the entry.
    pub kind: Bits<{ KIND.bits }>,
    /// Its number.
    pub id: Bits<ID_BITS>,
}

/// A TCAM entry after the first cycle of the comparison.
#[derive(Clone, Copy, Debug, Default, PartialEq, LogicStruct)]
pub struct Ranged {
    /// Both ports of a packet are in range.
    pub inside: Bit,
    /// Kind of the entry.
    pub kind: Bits<{ KIND.bits }>,
    /// Its number.
    pub id: Bits<ID_BITS>,
}

/// A candidate with its place.
#[derive(Clone, Copy, Debug, Default, PartialEq, LogicStruct)]
pub struct Placed {
    /// It is the first ACL rule.
    pub first: Bit,
    /// Its place in the list, one-hot; zero for none.
    pub place: Bits<PICKED_MAX>,
    /// Its number.
    pub id: Bits<ID_BITS>,
}

/// A result as it goes to the record packer.
#[derive(Clone, Copy, Debug, Default, PartialEq, LogicStruct)]
pub struct Answer {
    /// Of a COMMIT.
    pub commit: Bit,
    /// Gives no record.
    pub silent: Bit,
    /// An ACL rule matches.
    pub acl_valid: Bit,
    /// Sequence number.
    pub sequence: Bits<32>,
    /// Bytes of the packet.
    pub length: Bits<16>,
    /// Flags of the packet.
    pub flags: Bits<16>,
    /// Version in force.
    pub version: Bits<16>,
    /// The first ACL rule.
    pub acl: Bits<ID_BITS>,
    /// Number of ids.
    pub ids_count: Bits<IDS_BITS>,
    /// Ids.
    pub ids: Bits<LIST_BITS>,
}

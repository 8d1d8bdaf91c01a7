//! The parts of a line that the stages use. Wires only.
//!
//! ```text
//! line --->| Parts |---> key, src, dst, narrow_src, narrow_dst, fields, tcam_key    header vector
//!          |       |---> data, index                                                command
//! ```

use rust_hdl::core::prelude::*;
use wiresift_abi::bits::LINE_BITS;
use wiresift_abi::command::{DATA_LSB, INDEX};
use wiresift_abi::entry::{TCAM_KEY_BITS, WIDE_BITS};
use wiresift_abi::vector::{AUX, DST, HASHED_BITS, PROTO, SPORT, SRC};

use super::hash::{NARROW_ADDRESS, narrow_lsb};
use super::layout::{FIELDS_BITS, Fields};

const SRC_BITS: usize = SRC.bits;
const DST_BITS: usize = DST.bits;
const INDEX_BITS: usize = INDEX.bits;
/// Both addresses, in the TCAM's key and in the header vector.
const ADDRESSES: usize = SRC.bits + DST.bits;
/// Bits of the TCAM's key behind the addresses: protocol, class and `aux` side by side.
const TERNARY: usize = TCAM_KEY_BITS - ADDRESSES;
/// Bits of a command's data that any table takes.
pub const DATA_BITS: usize = WIDE_BITS;

const _: () = assert!(AUX.end() - PROTO.lsb == TERNARY && HASHED_BITS <= DATA_BITS);

/// Takes a line apart.
#[derive(LogicBlock)]
pub struct Parts {
    /// Header vector or command.
    pub line: Signal<In, Bits<LINE_BITS>>,
    /// Hashed bits of the vector.
    pub key: Signal<Out, Bits<HASHED_BITS>>,
    /// Source address.
    pub src: Signal<Out, Bits<SRC_BITS>>,
    /// Destination address.
    pub dst: Signal<Out, Bits<DST_BITS>>,
    /// High bits of the source address.
    pub narrow_src: Signal<Out, Bits<NARROW_ADDRESS>>,
    /// High bits of the destination address.
    pub narrow_dst: Signal<Out, Bits<NARROW_ADDRESS>>,
    /// Fields behind the addresses.
    pub fields: Signal<Out, Fields>,
    /// What the TCAM looks up.
    pub tcam_key: Signal<Out, Bits<TCAM_KEY_BITS>>,
    /// Data of the command.
    pub data: Signal<Out, Bits<DATA_BITS>>,
    /// Index of the command.
    pub index: Signal<Out, Bits<INDEX_BITS>>,
    addresses: Signal<Local, Bits<ADDRESSES>>,
    ternary: Signal<Local, Bits<TERNARY>>,
    src_at: Constant<Bits<16>>,
    dst_at: Constant<Bits<16>>,
    narrow_src_at: Constant<Bits<16>>,
    narrow_dst_at: Constant<Bits<16>>,
    fields_at: Constant<Bits<16>>,
    ternary_at: Constant<Bits<16>>,
    ternary_to: Constant<Bits<16>>,
    data_at: Constant<Bits<16>>,
    index_at: Constant<Bits<16>>,
}

impl Default for Parts {
    fn default() -> Self {
        let bit = |bit: usize| Constant::new((bit as u64).to_bits());
        Self {
            line: Signal::default(),
            key: Signal::default(),
            src: Signal::default(),
            dst: Signal::default(),
            narrow_src: Signal::default(),
            narrow_dst: Signal::default(),
            fields: Signal::default(),
            tcam_key: Signal::default(),
            data: Signal::default(),
            index: Signal::default(),
            addresses: Signal::default(),
            ternary: Signal::default(),
            src_at: bit(SRC.lsb),
            dst_at: bit(DST.lsb),
            narrow_src_at: bit(narrow_lsb(SRC)),
            narrow_dst_at: bit(narrow_lsb(DST)),
            fields_at: bit(SPORT.lsb),
            ternary_at: bit(PROTO.lsb),
            ternary_to: bit(ADDRESSES),
            data_at: bit(DATA_LSB),
            index_at: bit(INDEX.lsb),
        }
    }
}

impl Logic for Parts {
    #[hdl_gen]
    fn update(&mut self) {
        self.key.next = self.line.val().get_bits::<HASHED_BITS>(0);
        self.src.next = self.line.val().get_bits::<SRC_BITS>(self.src_at.val().index());
        self.dst.next = self.line.val().get_bits::<DST_BITS>(self.dst_at.val().index());
        self.narrow_src.next = self.line.val().get_bits::<NARROW_ADDRESS>(self.narrow_src_at.val().index());
        self.narrow_dst.next = self.line.val().get_bits::<NARROW_ADDRESS>(self.narrow_dst_at.val().index());
        self.fields.next = self.line.val().get_bits::<FIELDS_BITS>(self.fields_at.val().index()).into();
        self.addresses.next = self.line.val().get_bits::<ADDRESSES>(0);
        self.ternary.next = self.line.val().get_bits::<TERNARY>(self.ternary_at.val().index());
        self.tcam_key.next = bit_cast::<TCAM_KEY_BITS, ADDRESSES>(self.addresses.val())
            | (bit_cast::<TCAM_KEY_BITS, TERNARY>(self.ternary.val()) << self.ternary_to.val());
        self.data.next = self.line.val().get_bits::<DATA_BITS>(self.data_at.val().index());
        self.index.next = self.line.val().get_bits::<INDEX_BITS>(self.index_at.val().index());
    }
}

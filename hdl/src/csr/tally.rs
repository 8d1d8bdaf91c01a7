//! From the lines of the C2H ring to what the counters count.
//!
//! ```text
//!                  .-------.
//! line, handed --->| Tally |---> verdicts, id_records, pad_records,
//!                  '-------'     acl_matches, signature_matches, cut, deferred
//! ```
//!
//! Each is the number of records of one kind in a line of four; one cycle late.

use std::mem::offset_of;

use rust_hdl::core::prelude::*;
use rust_hdl::widgets::prelude::*;
use wiresift_abi::bits::LINE_BITS;
use wiresift_abi::c2h::{self, IDS_BITS, KIND_BITS, LINE_RECORDS, RECORD_BYTES, RecordKind, VerdictRecord};
use wiresift_abi::vector::Flags;

const RECORD_BITS: usize = RECORD_BYTES * 8;
/// Bits of a number of records in a line.
pub const COUNT_BITS: usize = 3;
const CONTROL_LSB: usize = 8 * offset_of!(VerdictRecord, control);
const KIND_LSB: usize = CONTROL_LSB + c2h::KIND_LSB;
const IDS_LSB: usize = CONTROL_LSB + c2h::IDS_LSB;
/// Bit of an `acl` that is set in `NO_RULE` and in no number of a rule.
const NO_RULE_BIT: usize = 8 * offset_of!(VerdictRecord, acl) + 31;
const FLAGS_LSB: usize = 8 * offset_of!(VerdictRecord, flags);
const CUT_BIT: usize = FLAGS_LSB + Flags::CUT.trailing_zeros() as usize;
const DEFER_BIT: usize = FLAGS_LSB + Flags::DEFER.trailing_zeros() as usize;

const _: () = assert!(LINE_RECORDS < 1 << COUNT_BITS);

/// The tally.
#[derive(LogicBlock)]
pub struct Tally {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Line of the C2H ring.
    pub line: Signal<In, Bits<LINE_BITS>>,
    /// It was handed over to the writer.
    pub handed: Signal<In, Bit>,
    /// Verdicts.
    pub verdicts: Signal<Out, Bits<COUNT_BITS>>,
    /// Records of ids, of patterns or of presence bits.
    pub id_records: Signal<Out, Bits<COUNT_BITS>>,
    /// Pad records.
    pub pad_records: Signal<Out, Bits<COUNT_BITS>>,
    /// Verdicts with an ACL rule.
    pub acl_matches: Signal<Out, Bits<COUNT_BITS>>,
    /// Verdicts with signature ids.
    pub signature_matches: Signal<Out, Bits<COUNT_BITS>>,
    /// Verdicts with the flag CUT.
    pub cut: Signal<Out, Bits<COUNT_BITS>>,
    /// Verdicts with the flag DEFER.
    pub deferred: Signal<Out, Bits<COUNT_BITS>>,
    is_verdict: [DFF<Bit>; LINE_RECORDS],
    is_ids: [DFF<Bit>; LINE_RECORDS],
    is_pad: [DFF<Bit>; LINE_RECORDS],
    has_acl: [DFF<Bit>; LINE_RECORDS],
    has_ids: [DFF<Bit>; LINE_RECORDS],
    is_cut: [DFF<Bit>; LINE_RECORDS],
    is_deferred: [DFF<Bit>; LINE_RECORDS],
    record: [Signal<Local, Bits<RECORD_BITS>>; LINE_RECORDS],
    kind: [Signal<Local, Bits<KIND_BITS>>; LINE_RECORDS],
    kind_verdict: Constant<Bits<KIND_BITS>>,
    kind_ids: Constant<Bits<KIND_BITS>>,
    kind_hits: Constant<Bits<KIND_BITS>>,
    kind_presence: Constant<Bits<KIND_BITS>>,
    kind_pad: Constant<Bits<KIND_BITS>>,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            clock: Default::default(),
            line: Default::default(),
            handed: Default::default(),
            verdicts: Default::default(),
            id_records: Default::default(),
            pad_records: Default::default(),
            acl_matches: Default::default(),
            signature_matches: Default::default(),
            cut: Default::default(),
            deferred: Default::default(),
            is_verdict: Default::default(),
            is_ids: Default::default(),
            is_pad: Default::default(),
            has_acl: Default::default(),
            has_ids: Default::default(),
            is_cut: Default::default(),
            is_deferred: Default::default(),
            record: Default::default(),
            kind: Default::default(),
            kind_verdict: Constant::new((RecordKind::Verdict as u64).into()),
            kind_ids: Constant::new((RecordKind::Ids as u64).into()),
            kind_hits: Constant::new((RecordKind::Hits as u64).into()),
            kind_presence: Constant::new((RecordKind::Presence as u64).into()),
            kind_pad: Constant::new((RecordKind::Pad as u64).into()),
        }
    }
}

impl Logic for Tally {
    #[hdl_gen]
    fn update(&mut self) {
        for width in RECORD_BITS..(RECORD_BITS + 1) {
            for i in 0..LINE_RECORDS {
                self.is_verdict[i].clock.next = self.clock.val();
                self.is_ids[i].clock.next = self.clock.val();
                self.is_pad[i].clock.next = self.clock.val();
                self.has_acl[i].clock.next = self.clock.val();
                self.has_ids[i].clock.next = self.clock.val();
                self.is_cut[i].clock.next = self.clock.val();
                self.is_deferred[i].clock.next = self.clock.val();
                self.record[i].next = self.line.val().get_bits::<RECORD_BITS>(i * width);
                for at in KIND_LSB..(KIND_LSB + 1) {
                    self.kind[i].next = self.record[i].val().get_bits::<KIND_BITS>(at);
                }
                self.is_verdict[i].d.next =
                    self.handed.val() & (self.kind[i].val() == self.kind_verdict.val());
                self.is_ids[i].d.next = self.handed.val()
                    & ((self.kind[i].val() == self.kind_ids.val())
                        | (self.kind[i].val() == self.kind_hits.val())
                        | (self.kind[i].val() == self.kind_presence.val()));
                self.is_pad[i].d.next = self.handed.val() & (self.kind[i].val() == self.kind_pad.val());
                self.has_acl[i].d.next = false;
                self.has_ids[i].d.next = false;
                self.is_cut[i].d.next = false;
                self.is_deferred[i].d.next = false;
                if self.handed.val() & (self.kind[i].val() == self.kind_verdict.val()) {
                    for at in NO_RULE_BIT..(NO_RULE_BIT + 1) {
                        self.has_acl[i].d.next = !(self.record[i].val().get_bit(at));
                    }
                    for at in IDS_LSB..(IDS_LSB + 1) {
                        self.has_ids[i].d.next = self.record[i].val().get_bits::<IDS_BITS>(at).any();
                    }
                    for at in CUT_BIT..(CUT_BIT + 1) {
                        self.is_cut[i].d.next = self.record[i].val().get_bit(at);
                    }
                    for at in DEFER_BIT..(DEFER_BIT + 1) {
                        self.is_deferred[i].d.next = self.record[i].val().get_bit(at);
                    }
                }
            }
        }
        self.verdicts.next = 0.into();
        self.id_records.next = 0.into();
        self.pad_records.next = 0.into();
        self.acl_matches.next = 0.into();
        self.signature_matches.next = 0.into();
        self.cut.next = 0.into();
        self.deferred.next = 0.into();
        for i in 0..LINE_RECORDS {
            if self.is_verdict[i].q.val() {
                self.verdicts.next = self.verdicts.val() + 1;
            }
            if self.is_ids[i].q.val() {
                self.id_records.next = self.id_records.val() + 1;
            }
            if self.is_pad[i].q.val() {
                self.pad_records.next = self.pad_records.val() + 1;
            }
            if self.has_acl[i].q.val() {
                self.acl_matches.next = self.acl_matches.val() + 1;
            }
            if self.has_ids[i].q.val() {
                self.signature_matches.next = self.signature_matches.val() + 1;
            }
            if self.is_cut[i].q.val() {
                self.cut.next = self.cut.val() + 1;
            }
            if self.is_deferred[i].q.val() {
                self.deferred.next = self.deferred.val() + 1;
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use rand::Rng;
    use rand_chacha::ChaCha8Rng;
    use wiresift_abi::c2h::{IDS_MAX, NO_RULE, control, verdict_control};

    use super::*;
    use crate::gate::{Clocked, passes};
    use crate::ring::testing::{number, to_bits};

    impl Clocked for Tally {
        fn clock(&mut self) -> &mut Signal<In, Clock> {
            &mut self.clock
        }
    }

    /// A record, and what it adds to each count, in the order of the ports.
    fn record(rng: &mut ChaCha8Rng) -> (VerdictRecord, [u64; 7]) {
        let mut record = VerdictRecord {
            sequence: rng.random(),
            acl: rng.random(),
            flags: rng.random(),
            length: rng.random(),
            version: rng.random(),
            control: 0,
        };
        let phase = rng.random();
        let mut counts = [0; 7];
        match rng.random_range(0..7) {
            0 => (record, counts[2]) = (VerdictRecord::default(), 1),
            1 => (record.control, counts[1]) = (control(RecordKind::Ids, 2, phase), 1),
            2 => (record.control, counts[1]) = (control(RecordKind::Hits, 6, phase), 1),
            3 => (record.control, counts[1]) = (control(RecordKind::Presence, 0, phase), 1),
            4 => record.control = control(RecordKind::Committed, 0, phase),
            _ => {
                let ids = rng.random_range(0..=IDS_MAX);
                record.control = verdict_control(ids, rng.random_range(0..13), phase);
                record.acl = if rng.random() { NO_RULE } else { record.acl >> 12 };
                let is = |yes: bool| u64::from(yes);
                let has = |flag: u16| is(record.flags & flag != 0);
                let (acl, cut, deferred) = (is(record.acl != NO_RULE), has(Flags::CUT), has(Flags::DEFER));
                counts = [1, 0, 0, acl, is(ids > 0), cut, deferred];
            }
        }
        (record, counts)
    }

    #[test]
    fn the_records_of_a_line_that_is_handed_over_are_counted() {
        let mut expected = None;
        let mut sums = [0; 7];
        passes("tally", Tally::default, 3000, 4, |uut, rng, _| {
            let ports = [
                &uut.verdicts,
                &uut.id_records,
                &uut.pad_records,
                &uut.acl_matches,
                &uut.signature_matches,
                &uut.cut,
                &uut.deferred,
            ];
            let counted = ports.map(|port| number(port.val()));
            if let Some(expected) = expected {
                assert_eq!(counted, expected);
            }
            let (mut line, mut counts) = (Vec::new(), [0; 7]);
            for _ in 0..LINE_RECORDS {
                let (record, adds) = record(rng);
                line.extend(bytemuck::bytes_of(&record));
                counts.iter_mut().zip(adds).for_each(|(count, add)| *count += add);
            }
            uut.line.next = to_bits(&line);
            uut.handed.next = rng.random_bool(0.7);
            expected = Some(if uut.handed.next { counts } else { [0; 7] });
            sums.iter_mut().zip(counted).for_each(|(sum, count)| *sum += count);
        });
        assert!(sums.iter().all(|sum| *sum > 100), "{sums:?}");
    }
}

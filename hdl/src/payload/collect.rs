//! The patterns of an element, each once.
//!
//! ```text
//! valid, hit, end, overflow, number --->.---------.---> out_valid, out_count, out_ids, out_overflow
//!                                       | Collect |
//!                                       '---------'
//! ```
//!
//! At the end of an element its list is at the outputs for one cycle, the next cycle begins another one.

use rust_hdl::core::prelude::*;
use rust_hdl::widgets::prelude::*;
use wiresift_abi::c2h::{HIT_BITS, HITS_BITS, HITS_MAX};

use super::lookup::NUMBER_BITS;

/// Bits of a list.
pub const HIT_LIST_BITS: usize = HITS_MAX * HIT_BITS;

const _: () = assert!(NUMBER_BITS <= HIT_BITS);

/// List of at most [`HITS_MAX`] numbers.
#[derive(LogicBlock)]
pub struct Collect {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous, active high.
    pub reset: Signal<In, Bit>,
    /// Something of an element.
    pub valid: Signal<In, Bit>,
    /// A pattern.
    pub hit: Signal<In, Bit>,
    /// The last of the element.
    pub is_end: Signal<In, Bit>,
    /// Something of the element was dropped.
    pub overflow: Signal<In, Bit>,
    /// The pattern.
    pub number: Signal<In, Bits<NUMBER_BITS>>,
    /// An element ended.
    pub out_valid: Signal<Out, Bit>,
    /// Patterns of it.
    pub out_count: Signal<Out, Bits<HITS_BITS>>,
    /// Pattern `n` at bits `16 n`, zero behind the last.
    pub out_ids: Signal<Out, Bits<HIT_LIST_BITS>>,
    /// There may be more.
    pub out_overflow: Signal<Out, Bit>,
    list: Vec<DFF<Bits<NUMBER_BITS>>>,
    count: DFF<Bits<HITS_BITS>>,
    lost: DFF<Bit>,
    ended: DFF<Bit>,
    base: Signal<Local, Bits<HITS_BITS>>,
    base_lost: Signal<Local, Bit>,
    known: Signal<Local, Bit>,
    place: Signal<Local, Bits<NUMBER_BITS>>,
    places: Vec<Constant<Bits<HITS_BITS>>>,
    place_at: Vec<Constant<Bits<8>>>,
    most: Constant<Bits<HITS_BITS>>,
    one: Constant<Bits<HITS_BITS>>,
    ids: Signal<Local, Bits<HIT_LIST_BITS>>,
}

impl Default for Collect {
    fn default() -> Self {
        Self {
            clock: Signal::default(),
            reset: Signal::default(),
            valid: Signal::default(),
            hit: Signal::default(),
            is_end: Signal::default(),
            overflow: Signal::default(),
            number: Signal::default(),
            out_valid: Signal::default(),
            out_count: Signal::default(),
            out_ids: Signal::default(),
            out_overflow: Signal::default(),
            list: vec![DFF::default(); HITS_MAX],
            count: DFF::default(),
            lost: DFF::default(),
            ended: DFF::default(),
            base: Signal::default(),
            base_lost: Signal::default(),
            known: Signal::default(),
            place: Signal::default(),
            places: (0..HITS_MAX as u64).map(|n| Constant::new(n.to_bits())).collect(),
            place_at: (0..HITS_MAX).map(|n| Constant::new(((n * HIT_BITS) as u64).to_bits())).collect(),
            most: Constant::new((HITS_MAX as u64).to_bits()),
            one: Constant::new(1u64.to_bits()),
            ids: Signal::default(),
        }
    }
}

impl Logic for Collect {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, count, lost, ended);
        // The list that stands at the outputs is gone in the next cycle.
        self.base.next = self.count.q.val();
        self.base_lost.next = self.lost.q.val();
        if self.ended.q.val() {
            self.base.next = 0.into();
            self.base_lost.next = false;
        }
        self.known.next = false;
        for i in 0..HITS_MAX {
            self.list[i].clock.next = self.clock.val();
            self.list[i].d.next = self.list[i].q.val();
            if (self.list[i].q.val() == self.number.val()) & (self.places[i].val() < self.base.val()) {
                self.known.next = true;
            }
        }
        self.count.d.next = self.base.val();
        self.lost.d.next = self.base_lost.val();
        self.ended.d.next = self.valid.val() & self.is_end.val();
        if self.valid.val() {
            self.lost.d.next = self.base_lost.val() | self.overflow.val();
            if self.hit.val() & !self.known.val() {
                if self.base.val() == self.most.val() {
                    self.lost.d.next = true;
                } else {
                    self.count.d.next = self.base.val() + self.one.val();
                }
            }
        }
        for i in 0..HITS_MAX {
            // What it is is the same whether it is counted or not.
            if self.places[i].val() == self.base.val() {
                self.list[i].d.next = self.number.val();
            }
        }
        self.out_valid.next = self.ended.q.val();
        self.out_count.next = self.count.q.val();
        self.out_overflow.next = self.lost.q.val();
        self.ids.next = 0.into();
        for i in 0..HITS_MAX {
            self.place.next = self.list[i].q.val();
            if self.places[i].val() < self.count.q.val() {
                self.ids.next = self.ids.val()
                    | (bit_cast::<HIT_LIST_BITS, NUMBER_BITS>(self.place.val()) << self.place_at[i].val());
            }
        }
        self.out_ids.next = self.ids.val();
        if self.reset.val() {
            self.count.d.next = 0.into();
            self.lost.d.next = false;
            self.ended.d.next = false;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use rand::Rng;

    use super::*;
    use crate::gate::passes;

    #[test]
    fn each_pattern_of_an_element_is_named_once() {
        let (mut list, mut lost) = (Vec::new(), false);
        let mut expected: Option<(Vec<u64>, bool)> = None;
        let mut sizes = [0; HITS_MAX + 1];
        let mut over = 0;
        passes("payload_collect", Collect::default, 6000, 3, |uut, rng, cycle| {
            if cycle > 0 {
                assert_eq!(uut.out_valid.val(), expected.is_some());
            }
            if let Some((list, lost)) = expected.take() {
                let count = uut.out_count.val().index();
                let ids = (0..HITS_MAX)
                    .map(|n| uut.out_ids.val().get_bits::<HIT_BITS>(n * HIT_BITS).index() as u64);
                let ids: Vec<u64> = ids.collect();
                assert_eq!((&ids[..count], uut.out_overflow.val()), (&list[..], lost));
                assert!(ids[count..].iter().all(|id| *id == 0));
                sizes[count] += 1;
                over += usize::from(lost);
            }
            let reset = cycle == 0 || rng.random_bool(0.002);
            uut.reset.next = reset;
            let valid = rng.random_bool(0.8);
            let (hit, end, overflow) = (rng.random_bool(0.6), rng.random_bool(0.06), rng.random_bool(0.01));
            // Few different ones, number 0 among them.
            let number = rng.random_range(0..if cycle % 2000 < 1000 { 5u64 } else { 24 }) * 0x555;
            uut.valid.next = valid;
            uut.hit.next = hit;
            uut.is_end.next = end;
            uut.overflow.next = overflow;
            uut.number.next = number.to_bits();
            if valid {
                if hit && !list.contains(&number) {
                    if list.len() == HITS_MAX { lost = true } else { list.push(number) }
                }
                lost |= overflow;
                if end {
                    expected = Some((std::mem::take(&mut list), std::mem::take(&mut lost)));
                }
            }
            if reset {
                (list, lost, expected) = (Vec::new(), false, None);
            }
        });
        assert!(sizes.iter().all(|size| *size > 3) && over > 10, "{sizes:?} {over}");
    }
}

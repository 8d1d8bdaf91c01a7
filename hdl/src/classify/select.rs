//! From candidates to the first ACL rule and the list of signature ids.
//!
//! ```text
//! candidate[n] --->| Pick  |---> found     two cycles later; at most PICKED_MAX ids
//!
//! a, b (lists) --->| Merge |---> found     one cycle later; at most IDS_MAX ids
//! ```
//!
//! One [`Pick`] stands behind each table and behind each group of TCAM entries, a tree of [`Merge`]
//! behind them all. Ids move up by counting the ones before them; counts are one-hot, so a place is one
//! AND and nothing is added. What does not fit sets `cut`. The lowest ACL id wins; a tie is
//! one id twice.

use rust_hdl::core::prelude::*;
use rust_hdl::widgets::prelude::*;
use wiresift_abi::c2h::IDS_MAX;

use super::layout::{Candidate, ID_BITS, LIST_BITS, List, PICKED_MAX, Placed};

/// Bits of a count of an element's ids, one-hot, before the cut.
const SUM_BITS: usize = 2 * IDS_MAX + 1;
const COUNT_BITS: usize = IDS_MAX + 1;
const SEEN_BITS: usize = PICKED_MAX + 1;

/// Candidates to list.
#[derive(LogicBlock)]
pub struct Pick {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Candidates.
    pub candidate: Vec<Signal<In, Candidate>>,
    /// Two cycles later.
    pub found: Signal<Out, List>,
    placed: Vec<DFF<Placed>>,
    count: DFF<Bits<COUNT_BITS>>,
    cut: DFF<Bit>,
    held: DFF<List>,
    left: Signal<Local, Candidate>,
    right: Signal<Local, Candidate>,
    beaten: Vec<Signal<Local, Bit>>,
    seen: Signal<Local, Bits<SEEN_BITS>>,
    fresh: Signal<Local, Placed>,
    old: Signal<Local, Placed>,
    place: Signal<Local, Bits<PICKED_MAX>>,
    is_acl: Signal<Local, Bit>,
    acl: Signal<Local, Bits<ID_BITS>>,
    ids: Signal<Local, Bits<LIST_BITS>>,
    moved: Signal<Local, Bits<LIST_BITS>>,
    first: Constant<Bits<SEEN_BITS>>,
    last: Constant<Bits<8>>,
    none: Constant<Bits<{ ID_BITS + 1 }>>,
    id_bits: Constant<Bits<8>>,
}

impl Pick {
    /// Picks among `candidates`.
    pub fn new(candidates: usize) -> Self {
        assert!(candidates >= 1);
        Self {
            clock: Signal::default(),
            candidate: vec![Signal::default(); candidates],
            found: Signal::default(),
            placed: vec![DFF::default(); candidates],
            count: DFF::default(),
            cut: DFF::default(),
            held: DFF::default(),
            left: Signal::default(),
            right: Signal::default(),
            beaten: vec![Signal::default(); candidates],
            seen: Signal::default(),
            fresh: Signal::default(),
            old: Signal::default(),
            place: Signal::default(),
            is_acl: Signal::default(),
            acl: Signal::default(),
            ids: Signal::default(),
            moved: Signal::default(),
            first: Constant::new(1.into()),
            last: Constant::new((PICKED_MAX as u64).to_bits()),
            none: Constant::new((1u64 << ID_BITS).to_bits()),
            id_bits: Constant::new((ID_BITS as u64).to_bits()),
        }
    }
}

impl Logic for Pick {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, count, cut, held);
        // Every pair of candidates, for the ACL rule that no other beats.
        for i in 0..self.candidate.len() {
            self.beaten[i].next = false;
        }
        for i in 0..self.candidate.len() {
            self.left.next = self.candidate[i].val();
            for j in 0..self.candidate.len() {
                self.right.next = self.candidate[j].val();
                if i < j {
                    if self.left.val().id < self.right.val().id {
                        if self.left.val().acl {
                            self.beaten[j].next = true;
                        }
                    } else {
                        if self.right.val().acl {
                            self.beaten[i].next = true;
                        }
                    }
                }
            }
        }
        self.seen.next = self.first.val();
        self.cut.d.next = false;
        for i in 0..self.candidate.len() {
            self.left.next = self.candidate[i].val();
            self.fresh.next.id = self.left.val().id;
            self.fresh.next.place = 0.into();
            self.fresh.next.first = false;
            if self.left.val().acl & !self.beaten[i].val() {
                self.fresh.next.first = true;
            }
            if self.left.val().signature {
                self.fresh.next.place = self.seen.val().get_bits::<PICKED_MAX>(0);
                if self.seen.val().get_bit(self.last.val().index()) {
                    self.cut.d.next = true;
                } else {
                    self.seen.next = self.seen.val() << 1;
                }
            }
            self.placed[i].clock.next = self.clock.val();
            self.placed[i].d.next = self.fresh.val();
        }
        self.count.d.next = bit_cast::<COUNT_BITS, SEEN_BITS>(self.seen.val());

        self.acl.next = 0.into();
        self.is_acl.next = false;
        self.ids.next = 0.into();
        for i in 0..self.candidate.len() {
            self.old.next = self.placed[i].q.val();
            if self.old.val().first {
                self.acl.next = self.acl.val() | self.old.val().id;
                self.is_acl.next = true;
            }
            self.moved.next = bit_cast::<LIST_BITS, ID_BITS>(self.old.val().id);
            self.place.next = self.old.val().place;
            for k in 0..PICKED_MAX {
                if self.place.val().get_bit(k) {
                    self.ids.next = self.ids.val() | self.moved.val();
                }
                self.moved.next = self.moved.val() << self.id_bits.val();
            }
        }
        self.held.d.next.ids = self.ids.val();
        self.held.d.next.count = self.count.q.val();
        self.held.d.next.cut = self.cut.q.val();
        self.held.d.next.acl = self.none.val();
        if self.is_acl.val() {
            self.held.d.next.acl = bit_cast::<{ ID_BITS + 1 }, ID_BITS>(self.acl.val());
        }
        self.found.next = self.held.q.val();
    }
}

/// Two lists to one.
#[derive(LogicBlock)]
pub struct Merge {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Ids that come first.
    pub a: Signal<In, List>,
    /// Ids that come behind.
    pub b: Signal<In, List>,
    /// A cycle later.
    pub found: Signal<Out, List>,
    held: DFF<List>,
    ids: Signal<Local, Bits<LIST_BITS>>,
    moved: Signal<Local, Bits<LIST_BITS>>,
    count: Signal<Local, Bits<SUM_BITS>>,
    counted: Signal<Local, Bits<SUM_BITS>>,
    ahead: Signal<Local, Bits<COUNT_BITS>>,
    full: Constant<Bits<COUNT_BITS>>,
    above: Constant<Bits<8>>,
    id_bits: Constant<Bits<8>>,
}

impl Default for Merge {
    fn default() -> Self {
        Self {
            clock: Signal::default(),
            a: Signal::default(),
            b: Signal::default(),
            found: Signal::default(),
            held: DFF::default(),
            ids: Signal::default(),
            moved: Signal::default(),
            count: Signal::default(),
            counted: Signal::default(),
            ahead: Signal::default(),
            full: Constant::new((1u64 << IDS_MAX).to_bits()),
            above: Constant::new((COUNT_BITS as u64).to_bits()),
            id_bits: Constant::new((ID_BITS as u64).to_bits()),
        }
    }
}

impl Logic for Merge {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, held);
        self.held.d.next.acl = self.a.val().acl;
        if self.b.val().acl < self.a.val().acl {
            self.held.d.next.acl = self.b.val().acl;
        }
        // The ids of `b` move up by the number of ids in `a`; places behind the last are zero.
        self.ids.next = self.a.val().ids;
        self.moved.next = self.b.val().ids;
        self.count.next = 0.into();
        self.ahead.next = self.a.val().count;
        self.counted.next = bit_cast::<SUM_BITS, COUNT_BITS>(self.b.val().count);
        for k in 0..COUNT_BITS {
            if self.ahead.val().get_bit(k) {
                self.ids.next = self.ids.val() | self.moved.val();
                self.count.next = self.count.val() | self.counted.val();
            }
            self.moved.next = self.moved.val() << self.id_bits.val();
            self.counted.next = self.counted.val() << 1;
        }
        self.held.d.next.ids = self.ids.val();
        self.held.d.next.count = self.count.val().get_bits::<COUNT_BITS>(0);
        self.held.d.next.cut = self.a.val().cut | self.b.val().cut;
        if self.count.val().get_bits::<IDS_MAX>(self.above.val().index()).any() {
            self.held.d.next.count = self.full.val();
            self.held.d.next.cut = true;
        }
        self.found.next = self.held.q.val();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use rand::Rng;
    use rand_chacha::ChaCha8Rng;

    use super::super::testing::{Pipe, random_id};
    use super::*;
    use crate::gate::passes;

    fn list(acl: Option<u32>, ids: &[u32], cut: bool) -> List {
        let mut list = List {
            acl: u64::from(acl.unwrap_or(1 << ID_BITS)).to_bits(),
            count: (1u64 << ids.len()).to_bits(),
            cut,
            ..List::default()
        };
        for (n, id) in ids.iter().enumerate() {
            list.ids.set_bits::<ID_BITS>(n * ID_BITS, u64::from(*id).to_bits());
        }
        list
    }

    fn picks_the_first(name: &str, candidates: usize) {
        let mut pipe = Pipe::new(2);
        let mut cuts = 0;
        passes(
            name,
            || Pick::new(candidates),
            3000,
            4,
            |uut, rng, _| {
                let (mut acl, mut ids) = (None, Vec::new());
                let density = rng.random::<f64>();
                for candidate in &mut uut.candidate {
                    let id = random_id(rng);
                    let hit = rng.random_bool(density);
                    let is_acl = rng.random_bool(0.4);
                    candidate.next = Candidate {
                        acl: hit & is_acl,
                        signature: hit & !is_acl,
                        id: u64::from(id).to_bits(),
                    };
                    if candidate.next.acl {
                        acl = acl.into_iter().chain([id]).min();
                    } else if hit {
                        ids.push(id);
                    }
                }
                let cut = ids.len() > PICKED_MAX;
                cuts += usize::from(cut);
                ids.truncate(PICKED_MAX);
                if let Some(expected) = pipe.shift(list(acl, &ids, cut)) {
                    assert_eq!(uut.found.val(), expected);
                }
            },
        );
        assert_eq!(cuts > 0, candidates > PICKED_MAX);
    }

    #[test]
    fn the_first_acl_rule_and_the_first_ids_are_picked() {
        picks_the_first("pick_8", 8);
        picks_the_first("pick_4", 4);
    }

    fn random_list(rng: &mut ChaCha8Rng) -> (Option<u32>, Vec<u32>, bool) {
        let ids = (0..rng.random_range(0..=IDS_MAX)).map(|_| random_id(rng)).collect();
        (rng.random_bool(0.7).then(|| random_id(rng)), ids, rng.random_bool(0.1))
    }

    #[test]
    fn lists_are_merged_and_cut_at_the_limit() {
        let mut pipe = Pipe::new(1);
        passes("merge", Merge::default, 3000, 5, |uut, rng, _| {
            let (a, b) = (random_list(rng), random_list(rng));
            let mut ids: Vec<_> = a.1.iter().chain(&b.1).copied().collect();
            let cut = ids.len() > IDS_MAX || a.2 || b.2;
            ids.truncate(IDS_MAX);
            let expected = list(a.0.into_iter().chain(b.0).min(), &ids, cut);
            if let Some(expected) = pipe.shift(expected) {
                assert_eq!(uut.found.val(), expected);
            }
            uut.a.next = list(a.0, &a.1, a.2);
            uut.b.next = list(b.0, &b.1, b.2);
        });
    }
}

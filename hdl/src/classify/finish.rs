//! Gives each element its result, with the version in force.
//!
//! ```text
//! stage 1     valid, meta --->.--------.---> out_*   registers
//! last stage  found --------->| Finish |
//!                             '--------'
//! ```
//!
//! Delays what goes beside an element until its list arrives. A COMMIT changes the version here, at the
//! end of the pipeline, so every verdict carries the version of the tables that decided it.

use rust_hdl::core::prelude::*;
use rust_hdl::widgets::prelude::*;
use wiresift_abi::c2h::{IDS_BITS, IDS_MAX};
use wiresift_abi::vector::Flags;

use super::layout::{Answer, ID_BITS, List, Meta};

/// Delay and output registers.
#[derive(LogicBlock)]
pub struct Finish {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous, active high: forgets the elements inside, keeps the version.
    pub reset: Signal<In, Bit>,
    /// Stage 1: there is an element.
    pub valid: Signal<In, Bit>,
    /// Stage 1: what goes beside it.
    pub meta: Signal<In, Meta>,
    /// Last stage: what all tables found.
    pub found: Signal<In, List>,
    /// There is a result.
    pub out_valid: Signal<Out, Bit>,
    /// Result.
    pub answer: Signal<Out, Answer>,
    valids: Vec<DFF<Bit>>,
    delay: Vec<DFF<Meta>>,
    version: DFF<Bits<16>>,
    held: DFF<Answer>,
    held_valid: DFF<Bit>,
    last: Signal<Local, Meta>,
    last_valid: Signal<Local, Bit>,
    tally: Signal<Local, Bits<IDS_BITS>>,
    count: Signal<Local, Bits<IDS_BITS>>,
    places: Signal<Local, Bits<{ IDS_MAX + 1 }>>,
    acl: Signal<Local, Bits<{ ID_BITS + 1 }>>,
    one: Constant<Bits<IDS_BITS>>,
    cut: Constant<Bits<16>>,
    none_at: Constant<Bits<8>>,
}

impl Finish {
    /// Delays from stage 1 by `cycles`, at least one.
    pub fn new(cycles: usize) -> Self {
        assert!(cycles >= 1);
        Self {
            clock: Signal::default(),
            reset: Signal::default(),
            valid: Signal::default(),
            meta: Signal::default(),
            found: Signal::default(),
            out_valid: Signal::default(),
            answer: Signal::default(),
            valids: vec![DFF::default(); cycles],
            delay: vec![DFF::default(); cycles],
            version: DFF::default(),
            held: DFF::default(),
            held_valid: DFF::default(),
            last: Signal::default(),
            last_valid: Signal::default(),
            tally: Signal::default(),
            count: Signal::default(),
            places: Signal::default(),
            acl: Signal::default(),
            one: Constant::new(1.into()),
            cut: Constant::new(u64::from(Flags::CUT).to_bits()),
            none_at: Constant::new((ID_BITS as u64).to_bits()),
        }
    }
}

impl Logic for Finish {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, version, held, held_valid);
        for i in 0..(self.delay.len()) {
            self.delay[i].clock.next = self.clock.val();
            self.valids[i].clock.next = self.clock.val();
        }
        self.delay[0].d.next = self.meta.val();
        self.valids[0].d.next = self.valid.val();
        for i in 1..(self.delay.len()) {
            self.delay[i].d.next = self.delay[i - 1].q.val();
            self.valids[i].d.next = self.valids[i - 1].q.val();
        }
        self.last.next = self.meta.val();
        self.last_valid.next = false;
        for i in (self.delay.len() - 1)..(self.delay.len()) {
            self.last.next = self.delay[i].q.val();
            self.last_valid.next = self.valids[i].q.val();
        }
        self.count.next = 0.into();
        self.tally.next = 0.into();
        self.places.next = self.found.val().count;
        self.acl.next = self.found.val().acl;
        for k in 1..(IDS_MAX + 1) {
            self.tally.next = self.tally.val() + self.one.val();
            if self.places.val().get_bit(k) {
                self.count.next = self.tally.val();
            }
        }
        self.held.d.next.commit = self.last.val().commit;
        self.held.d.next.silent = !(self.last.val().commit | self.last.val().packet);
        self.held.d.next.sequence = self.last.val().sequence;
        self.held.d.next.version = self.version.q.val();
        self.held.d.next.acl_valid = !self.acl.val().get_bit(self.none_at.val().index());
        self.held.d.next.acl = self.acl.val().get_bits::<ID_BITS>(0);
        self.held.d.next.ids_count = self.count.val();
        self.held.d.next.ids = self.found.val().ids;
        // The tables find nothing for a command; length and flags of its line mean nothing.
        self.held.d.next.length = 0.into();
        self.held.d.next.flags = 0.into();
        if self.last.val().packet {
            self.held.d.next.length = self.last.val().length;
            self.held.d.next.flags = self.last.val().flags;
            if self.found.val().cut {
                self.held.d.next.flags = self.last.val().flags | self.cut.val();
            }
        }
        self.held_valid.d.next = self.last_valid.val();
        if self.last_valid.val() & self.last.val().commit {
            self.version.d.next = self.last.val().version;
            self.held.d.next.version = self.last.val().version;
        }
        self.out_valid.next = self.held_valid.q.val();
        self.answer.next = self.held.q.val();
        if self.reset.val() {
            self.held_valid.d.next = false;
            self.version.d.next = self.version.q.val();
            for i in 0..(self.delay.len()) {
                self.valids[i].d.next = false;
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use rand::Rng;

    use super::super::layout::LIST_BITS;
    use super::super::testing::{Pipe, random_bits, random_id};
    use super::*;
    use crate::gate::passes;

    #[test]
    fn results_carry_the_version_in_force() {
        let mut metas = Pipe::new(3);
        let (mut version, mut expected) = (Bits::<16>::default(), None);
        let (mut commits, mut packets) = (0, 0);
        passes(
            "finish",
            || Finish::new(3),
            4000,
            8,
            |uut, rng, _| {
                assert_eq!(uut.out_valid.val(), expected.is_some());
                if let Some(expected) = expected {
                    assert_eq!(uut.answer.val(), expected);
                }
                let number = |rng: &mut rand_chacha::ChaCha8Rng| u64::from(rng.random::<u16>()).to_bits();
                let kind = rng.random_range(0..4);
                let meta = Meta {
                    packet: kind > 1,
                    commit: kind == 1,
                    sequence: u64::from(rng.random::<u32>()).to_bits(),
                    length: number(rng),
                    flags: number(rng),
                    version: number(rng),
                };
                let ids = rng.random_range(0..=IDS_MAX as u64);
                let has_acl = rng.random_bool(0.5);
                let acl = u64::from(random_id(rng));
                let list = List {
                    acl: if has_acl { acl.to_bits() } else { (1u64 << ID_BITS).to_bits() },
                    ids: random_bits::<LIST_BITS>(rng),
                    count: (1u64 << ids).to_bits(),
                    cut: rng.random_bool(0.3),
                };
                let valid = rng.random_bool(0.8);
                let reset = rng.random_bool(0.01);
                if reset {
                    metas.forget();
                }
                expected =
                    metas.shift((valid & !reset).then_some(meta)).flatten().filter(|_| !reset).map(|meta| {
                        if meta.commit {
                            version = meta.version;
                            commits += 1;
                        }
                        packets += usize::from(meta.packet);
                        let cut = u64::from(if list.cut { Flags::CUT } else { 0 }).to_bits();
                        Answer {
                            commit: meta.commit,
                            silent: !meta.commit & !meta.packet,
                            acl_valid: has_acl,
                            sequence: meta.sequence,
                            length: if meta.packet { meta.length } else { 0.into() },
                            flags: if meta.packet { meta.flags | cut } else { 0.into() },
                            version,
                            acl: if has_acl { acl.to_bits() } else { 0.into() },
                            ids_count: ids.to_bits(),
                            ids: list.ids,
                        }
                    });
                uut.reset.next = reset;
                uut.valid.next = valid;
                uut.meta.next = meta;
                uut.found.next = list;
            },
        );
        assert!(commits > 100 && packets > 100);
    }
}

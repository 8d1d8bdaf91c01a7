//! Gives each element its result, with the version in force.
//!
//! ```text
//! stage 1     valid, meta --->.--------.---> out_*   registers
//! last stage  list ---------->| Finish |
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
    pub list: Signal<In, List>,
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
            list: Signal::default(),
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
        self.places.next = self.list.val().count;
        self.acl.next = self.list.val().acl;
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
        self.held.d.next.ids = self.list.val().ids;
        // The tables find nothing for a command; length and flags of its line mean nothing.
        self.held.d.next.length = 0.into();
        self.held.d.next.flags = 0.into();
        if self.last.val().packet {
            self.held.d.next.length = self.last.val().length;
            self.held.d.next.flags = self.last.val().flags;
            if self.list.val().cut {
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
            for i in 0..(self.delay.len()) {
                self.valids[i].d.next = false;
            }
        }
    }
}

//! The gate finds what it is there to find.

use rand::Rng;
use rust_hdl::widgets::prelude::*;

use super::*;

macro_rules! clocked {
    ($($name:ident),*) => {
        $(impl Clocked for $name {
            fn clock(&mut self) -> &mut Signal<In, Clock> {
                &mut self.clock
            }
        })*
    };
}
clocked!(Sum, Latch, Precedence, Undeclared);

/// Whether `check` panics with a message that holds `finding`.
fn finds(finding: &str, check: impl FnOnce() + std::panic::UnwindSafe) {
    let tools = ["iverilog", "verilator", "yosys", "g++"];
    if let Some(tool) = tools.iter().find(|tool| Command::new(tool).arg("-V").output().is_err()) {
        println!("skipped: {tool} is not installed");
        return;
    }
    let panic = std::panic::catch_unwind(check).expect_err("nothing was found");
    let message = panic.downcast_ref::<String>().unwrap();
    assert!(message.contains(finding), "{message}");
}

/// A sum behind a register, and wide ports.
#[derive(LogicBlock, Default)]
struct Sum {
    pub clock: Signal<In, Clock>,
    pub a: Signal<In, Bits<9>>,
    pub b: Signal<In, Bits<9>>,
    pub wide: Signal<In, Bits<200>>,
    pub both: Signal<Out, Bits<200>>,
    pub middle: Signal<Out, Bits<40>>,
    pub sum: Signal<Out, Bits<9>>,
    pub any: Signal<Out, Bit>,
    held: DFF<Bits<9>>,
}

impl Logic for Sum {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, held);
        self.held.d.next = self.a.val() + self.b.val();
        self.sum.next = self.held.q.val();
        self.any.next = self.a.val().any();
        self.both.next = self.wide.val();
        self.middle.next = self.wide.val().get_bits::<40>(100);
    }
}

fn random_sum(uut: &mut Sum, rng: &mut ChaCha8Rng, _: usize) {
    uut.a.next = rng.random_range(0..512u64).to_bits();
    uut.b.next = rng.random_range(0..512u64).to_bits();
    uut.wide.next = bit_cast::<200, 64>(rng.random::<u64>().to_bits()) << 130 | rng.random::<u64>().to_bits();
}

#[test]
fn a_right_block_passes() {
    passes("sum", Sum::default, 500, 1, random_sum);
}

#[test]
fn a_text_that_behaves_otherwise_is_found() {
    finds("after the edge, port sum", || {
        let uut = Native::new(Sum::default()).uut;
        let text = generate_verilog(&uut).replace("(a + b)", "a + b").replace("a + b", "a - b");
        text_behaves_like("sum", &text, Sum::default, 500, 1, random_sum);
    });
}

/// Holds its output without a clock.
#[derive(LogicBlock, Default)]
struct Latch {
    pub clock: Signal<In, Clock>,
    pub open: Signal<In, Bit>,
    pub d: Signal<In, Bit>,
    pub q: Signal<Out, Bit>,
}

impl Logic for Latch {
    #[hdl_gen]
    fn update(&mut self) {
        if self.open.val() {
            self.q.next = self.d.val();
        }
    }
}

#[test]
fn a_latch_is_found() {
    finds("atch", || {
        passes("latch", Latch::default, 10, 1, |_, _, _| {});
    });
}

/// Verilog compares before it ands; Rust does not.
#[derive(LogicBlock, Default)]
struct Precedence {
    pub clock: Signal<In, Clock>,
    pub a: Signal<In, Bits<8>>,
    pub b: Signal<In, Bits<8>>,
    pub hit: Signal<Out, Bit>,
}

impl Logic for Precedence {
    #[hdl_gen]
    fn update(&mut self) {
        self.hit.next = self.a.val() & self.b.val() == self.b.val();
    }
}

#[test]
fn a_lost_parenthesis_is_found() {
    finds("before the edge, port hit", || {
        passes("precedence", Precedence::default, 500, 1, |uut, rng, _| {
            uut.a.next = rng.random_range(0..256u64).to_bits();
            uut.b.next = rng.random_range(0..256u64).to_bits();
        });
    });
}

const OFFSET: usize = 3;

/// A constant of Rust has no name in the Verilog.
#[derive(LogicBlock, Default)]
struct Undeclared {
    pub clock: Signal<In, Clock>,
    pub a: Signal<In, Bits<8>>,
    pub part: Signal<Out, Bits<4>>,
}

impl Logic for Undeclared {
    #[hdl_gen]
    fn update(&mut self) {
        self.part.next = self.a.val().get_bits::<4>(OFFSET);
    }
}

#[test]
fn an_undeclared_name_is_found() {
    finds("OFFSET", || {
        passes("undeclared", Undeclared::default, 10, 1, |_, _, _| {});
    });
}

#[test]
fn a_step_is_one_edge() {
    let mut native = Native::new(Sum::default());
    native.uut.a.next = 3u32.to_bits();
    native.uut.b.next = 4u32.to_bits();
    native.settle();
    assert_eq!((native.uut.any.val(), native.uut.sum.val()), (true, 0u32.to_bits()));
    native.step();
    assert_eq!(native.uut.sum.val(), 7u32.to_bits());
    native.uut.b.next = 5u32.to_bits();
    native.settle();
    assert_eq!(native.uut.sum.val(), 7u32.to_bits());
}

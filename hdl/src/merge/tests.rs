//! The merged text behaves as the unmerged one, and is one text.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rust_hdl::core::prelude::*;
use rust_hdl::widgets::prelude::*;

use super::*;
use crate::gate::{Clocked, Native, text_behaves_like};
use crate::prim::fifo::Fifo;
use crate::prim::ram::RamStyle;
use crate::prim::skid::RegisterSlice;

/// Two equal FIFOs, one of another depth, and two equal slices in a row, with a count of what passed.
#[derive(LogicBlock)]
struct Row {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub s_axis_tdata: Signal<In, Bits<20>>,
    pub s_axis_tvalid: Signal<In, Bit>,
    pub s_axis_tready: Signal<Out, Bit>,
    pub m_axis_tdata: Signal<Out, Bits<20>>,
    pub m_axis_tvalid: Signal<Out, Bit>,
    pub m_axis_tready: Signal<In, Bit>,
    pub passed: Signal<Out, Bits<20>>,
    fifos: Vec<Fifo<20, 2, 3>>,
    deep: Fifo<20, 3, 4>,
    near: RegisterSlice<20>,
    far: RegisterSlice<20>,
    total: DFF<Bits<20>>,
}

impl Default for Row {
    fn default() -> Self {
        Self {
            clock: Signal::default(),
            reset: Signal::default(),
            s_axis_tdata: Signal::default(),
            s_axis_tvalid: Signal::default(),
            s_axis_tready: Signal::default(),
            m_axis_tdata: Signal::default(),
            m_axis_tvalid: Signal::default(),
            m_axis_tready: Signal::default(),
            passed: Signal::default(),
            fifos: vec![Fifo::new(RamStyle::Distributed), Fifo::new(RamStyle::Distributed)],
            deep: Fifo::new(RamStyle::Block),
            near: RegisterSlice::default(),
            far: RegisterSlice::default(),
            total: DFF::default(),
        }
    }
}

impl Logic for Row {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, total);
        for i in 0..2 {
            self.fifos[i].clock.next = self.clock.val();
            self.fifos[i].reset.next = self.reset.val();
        }
        self.deep.clock.next = self.clock.val();
        self.deep.reset.next = self.reset.val();
        self.near.clock.next = self.clock.val();
        self.near.reset.next = self.reset.val();
        self.far.clock.next = self.clock.val();
        self.far.reset.next = self.reset.val();
        self.fifos[0].s_axis_tdata.next = self.s_axis_tdata.val();
        self.fifos[0].s_axis_tvalid.next = self.s_axis_tvalid.val();
        self.s_axis_tready.next = self.fifos[0].s_axis_tready.val();
        self.near.s_axis_tdata.next = self.fifos[0].m_axis_tdata.val();
        self.near.s_axis_tvalid.next = self.fifos[0].m_axis_tvalid.val();
        self.fifos[0].m_axis_tready.next = self.near.s_axis_tready.val();
        self.deep.s_axis_tdata.next = self.near.m_axis_tdata.val();
        self.deep.s_axis_tvalid.next = self.near.m_axis_tvalid.val();
        self.near.m_axis_tready.next = self.deep.s_axis_tready.val();
        self.far.s_axis_tdata.next = self.deep.m_axis_tdata.val();
        self.far.s_axis_tvalid.next = self.deep.m_axis_tvalid.val();
        self.deep.m_axis_tready.next = self.far.s_axis_tready.val();
        self.fifos[1].s_axis_tdata.next = self.far.m_axis_tdata.val();
        self.fifos[1].s_axis_tvalid.next = self.far.m_axis_tvalid.val();
        self.far.m_axis_tready.next = self.fifos[1].s_axis_tready.val();
        self.m_axis_tdata.next = self.fifos[1].m_axis_tdata.val();
        self.m_axis_tvalid.next = self.fifos[1].m_axis_tvalid.val();
        self.fifos[1].m_axis_tready.next = self.m_axis_tready.val();
        if self.fifos[1].m_axis_tvalid.val() & self.m_axis_tready.val() {
            self.total.d.next = self.total.q.val() + 1;
        }
        self.passed.next = self.total.q.val();
    }
}

impl Clocked for Row {
    fn clock(&mut self) -> &mut Signal<In, Clock> {
        &mut self.clock
    }
}

fn emitted() -> String {
    generate_verilog(&Native::new(Row::default()).uut)
}

fn stimulus(uut: &mut Row, rng: &mut ChaCha8Rng, cycle: usize) {
    uut.reset.next = rng.random_bool(0.002);
    uut.s_axis_tdata.next = rng.random_range(0..1u64 << 20).to_bits();
    uut.s_axis_tvalid.next = rng.random_bool(0.7);
    uut.m_axis_tready.next = rng.random_bool(if cycle < 1000 { 0.9 } else { 0.4 });
}

#[test]
fn the_merged_text_behaves_like_the_block() {
    text_behaves_like("row, merged", &merge(&emitted()).unwrap(), Row::default, 2000, 1, stimulus);
}

#[test]
fn equal_modules_become_one_with_a_name_that_tells() {
    let merged = merge(&emitted()).unwrap();
    let modules: Vec<_> = merged
        .lines()
        .filter_map(|line| line.strip_prefix("module ")?.split_once('('))
        .map(|head| head.0)
        .collect();
    let expected = ["deep_ram", "ram", "dff_1", "dff_3", "dff_4", "dff_20", "deep", "far", "fifos", "top"];
    let (mut sorted, mut expected) = (modules.clone(), expected.to_vec());
    sorted.sort_unstable();
    expected.sort_unstable();
    assert_eq!(sorted, expected);
    assert_eq!(modules.last(), Some(&TOP));
    assert!(!merged.contains("$clock"), "a clock is still assigned");
}

#[test]
fn the_same_block_gives_the_same_text() {
    assert_eq!(merge(&emitted()), merge(&emitted()));
}

#[test]
fn modules_that_differ_stay_apart() {
    let text = "module top(a);\n    top$x x(\n    );\n    top$y y(\n    );\nendmodule\n\
                module top$x(a);\n    q <= 1;\nendmodule\nmodule top$y(a);\n    q <= 0;\nendmodule\n";
    let merged = merge(text).unwrap();
    assert!(merged.contains("module x(a)") && merged.contains("module y(a)") && merged.contains("    y y("));
}

#[test]
fn what_is_not_understood_is_an_error() {
    assert_eq!(merge("module x(a);\nendmodule\n"), Err(MergeError::NoTop));
    assert_eq!(merge("wire a;\n"), Err(MergeError::Outside(1, "wire a;".to_owned())));
    assert_eq!(merge("module top(a);\n"), Err(MergeError::Unended("top".to_owned())));
    let twice = "module top(a);\nendmodule\n".repeat(2);
    assert_eq!(merge(&twice), Err(MergeError::Twice("top".to_owned())));
}

#[test]
fn a_part_holds_what_its_module_needs() {
    let merged = merge(&emitted()).unwrap();
    let expected =
        [("deep", 1), ("dff_20", 1), ("far", 2), ("fifos", 2)].map(|(kind, count)| (kind.to_owned(), count));
    assert_eq!(instances(&merged, TOP).unwrap().into_iter().collect::<Vec<_>>(), expected);
    let whole = part(&merged, "fifos", false).unwrap();
    let modules: Vec<_> = whole.lines().filter(|line| line.starts_with("module ")).collect();
    assert_eq!(modules.len(), 4, "{modules:?}");
    assert!(whole.contains("module ram(") && !whole.contains("module deep"));
    let alone = part(&merged, "fifos", true).unwrap();
    assert_eq!(alone.matches("(* blackbox *)").count(), 3);
    assert!(!alone.contains("reg [19:0] mem"));
    assert_eq!(instances(&alone, "fifos"), instances(&merged, "fifos"));
}

//! The models agree with the texts, and the texts become the memory that was asked for.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::gate::{Clocked, Native, mapped_cells, passes};

impl<const W: usize, const D: usize> Clocked for Ram<W, D> {
    fn clock(&mut self) -> &mut Signal<In, Clock> {
        &mut self.clock
    }
}

impl<const W: usize, const D: usize> Clocked for AsyncRam<W, D> {
    fn clock(&mut self) -> &mut Signal<In, Clock> {
        &mut self.clock
    }
}

fn random<const N: usize>(rng: &mut ChaCha8Rng) -> Bits<N> {
    (0..N).fold(Bits::default(), |word, bit| word.replace_bit(bit, rng.random()))
}

/// Few addresses, so that reads meet writes.
fn near<const D: usize>(rng: &mut ChaCha8Rng) -> Bits<D> {
    rng.random_range(0..4u64.min(1 << D)).to_bits()
}

#[test]
fn every_style_passes_the_gate() {
    for style in [RamStyle::Distributed, RamStyle::Block, RamStyle::Ultra] {
        passes(
            "ram",
            || Ram::<70, 5>::new(style),
            500,
            1,
            |uut, rng, _| {
                uut.read_enable.next = rng.random();
                uut.read_address.next = near(rng);
                uut.write_enable.next = rng.random();
                uut.write_address.next = near(rng);
                uut.write_data.next = random(rng);
            },
        );
    }
}

#[test]
fn a_ram_without_a_read_clock_passes_the_gate() {
    passes("async", AsyncRam::<64, 6>::default, 500, 4, |uut, rng, _| {
        uut.read_address.next = near(rng);
        uut.write_enable.next = rng.random();
        uut.write_address.next = near(rng);
        uut.write_data.next = random(rng);
    });
}

#[test]
fn a_read_gives_the_old_word_and_stays() {
    let mut ram = Native::new(Ram::<8, 2>::new(RamStyle::Block));
    ram.uut.write_enable.next = true;
    ram.uut.write_address.next = 2u32.to_bits();
    ram.uut.read_address.next = 2u32.to_bits();
    let mut seen = Vec::new();
    for (data, read) in [(0xaau32, false), (0xbb, true), (0xcc, false), (0xdd, true)] {
        ram.uut.write_data.next = data.to_bits();
        ram.uut.read_enable.next = read;
        ram.step();
        seen.push(ram.uut.read_data.val().index());
    }
    assert_eq!(seen, [0, 0xaa, 0xaa, 0xcc]);
}

#[test]
#[should_panic(expected = "is read where it is written")]
fn a_broken_promise_is_found() {
    let mut ram = Native::new(Ram::<8, 2>::without_collisions(RamStyle::Block));
    ram.uut.write_enable.next = true;
    ram.uut.read_enable.next = true;
    ram.step();
}

#[test]
fn each_style_becomes_the_memory_asked_for() {
    let cells = |uut: &dyn Fn() -> String, target| mapped_cells("style", &uut(), target);
    let ram = |style| move || generate_verilog(&Native::new(Ram::<72, 9>::new(style)).uut);
    let only = |cells: &[(String, usize)], kinds: &[&str]| {
        cells
            .iter()
            .filter(|cell| kinds.iter().any(|kind| cell.0.starts_with(kind)))
            .map(|cell| cell.1)
            .sum::<usize>()
    };
    let rams = ["RAM", "URAM", "DP16KD", "TRELLIS_DPR"];
    for (style, target, kind, count) in [
        (RamStyle::Block, "xcup", "RAMB36E2", 1),
        (RamStyle::Ultra, "xcup", "URAM288", 1),
        (RamStyle::Distributed, "xcup", "RAM64M8", 88),
        (RamStyle::Block, "ecp5", "DP16KD", 2),
    ] {
        let Some(cells) = cells(&ram(style), target) else { return };
        assert_eq!((only(&cells, &[kind]), only(&cells, &rams)), (count, count), "{target} {cells:?}");
    }
}

//! Every counter counts its own port, across both carries, while it is read.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::*;
use crate::gate::{Clocked, Native, passes};

impl Clocked for Counters {
    fn clock(&mut self) -> &mut Signal<In, Clock> {
        &mut self.clock
    }
}

/// Reads a register as the AXI4-Lite slave does; `each_cycle` runs before every edge.
fn read(uut: &mut Native<Counters>, offset: u16, mut each_cycle: impl FnMut(&mut Native<Counters>)) -> u32 {
    uut.uut.read_address.next = (u32::from(offset) >> 2).to_bits();
    for stage in 0..5 {
        uut.uut.take_low.next = stage == 1;
        uut.uut.take_middle.next = stage == 2;
        uut.uut.take_high.next = stage == 3;
        each_cycle(uut);
        uut.step();
    }
    uut.uut.read_data.val().to_u32()
}

fn value(uut: &mut Native<Counters>, counter: Name) -> u64 {
    let low = u64::from(read(uut, counter.offset(), |_| {}));
    low | u64::from(read(uut, counter.offset() + 4, |_| {})) << 32
}

#[test]
fn each_counter_counts_its_own_port() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut uut = Native::new(Counters::default());
    let mut expected = [0u64; COUNT];
    for _ in 0..3000 {
        for (counter, _, _) in COUNTER_TABLE {
            let step = if rng.random() { rng.random_range(0..=step_max(*counter)) } else { 0 };
            set(&mut uut.uut, *counter, step);
            expected[*counter as usize] += u64::from(step);
        }
        uut.step();
    }
    for (counter, _, _) in COUNTER_TABLE {
        set(&mut uut.uut, *counter, 0);
    }
    for (counter, name, _) in COUNTER_TABLE {
        assert_eq!(value(&mut uut, *counter), expected[*counter as usize], "{name}");
    }
    assert_eq!(read(&mut uut, 0x40, |_| {}), 0, "a register that is no counter");
}

#[test]
fn a_read_sees_a_number_that_the_counter_had() {
    // Steps of nearly 2^16, so that the carry into the high word comes after about 65,000 cycles.
    let mut uut = Native::new(Counters::default());
    let (mut now, mut carried) = (0u64, false);
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    while now < (1 << 33) {
        for _ in 0..2000 {
            uut.uut.packet_bytes.next = 0xffffu32.to_bits();
            now += 0xffff;
            uut.step();
        }
        for _ in 0..3 {
            let start = now;
            let mut count = |uut: &mut Native<Counters>| {
                let step = rng.random_range(0xfff0..=0xffffu64);
                uut.uut.packet_bytes.next = step.to_bits();
                now += step;
            };
            let low = u64::from(read(&mut uut, Name::PacketBytes.offset(), &mut count));
            let high = u64::from(read(&mut uut, Name::PacketBytes.offset() + 4, &mut count));
            let seen = high << 32 | low;
            assert!(seen <= now && seen + 0x30000 > start, "{seen:#x} between {start:#x} and {now:#x}");
            carried |= high > 0;
        }
    }
    assert!(carried);
}

#[test]
fn each_counter_latches_its_own_high_word() {
    let mut uut = Native::new(Counters::default());
    uut.uut.packet_bytes.next = 0xffffu32.to_bits();
    for _ in 0..66_000 {
        uut.step();
    }
    uut.uut.packet_bytes.next = 0u32.to_bits();
    read(&mut uut, Name::PacketBytes.offset(), |_| {});
    assert_eq!(read(&mut uut, Name::Verdicts.offset(), |_| {}), 0);
    assert_eq!(read(&mut uut, Name::PacketBytes.offset() + 4, |_| {}), 1);
    assert_eq!(read(&mut uut, Name::Verdicts.offset() + 4, |_| {}), 0);
}

#[test]
fn it_passes_the_gate() {
    passes("counters", Counters::default, 1500, 3, |uut, rng, cycle| {
        uut.reset.next = rng.random_bool(0.003);
        for (counter, _, _) in COUNTER_TABLE {
            set(uut, *counter, rng.random_range(0..=step_max(*counter)));
        }
        if cycle % 6 == 0 {
            uut.read_address.next = rng.random_range(60..120u32).to_bits();
        }
        uut.take_low.next = cycle % 6 == 1;
        uut.take_middle.next = cycle % 6 == 2;
        uut.take_high.next = cycle % 6 == 3;
    });
}

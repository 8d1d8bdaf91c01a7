//! The machine walks through its states as told, and loses no packet from its account.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::*;
use crate::gate::{Clocked, Native, passes};

impl Clocked for Control {
    fn clock(&mut self) -> &mut Signal<In, Clock> {
        &mut self.clock
    }
}

fn control() -> Native<Control> {
    let mut uut = Native::new(Control::default());
    uut.uut.h2c_lines_log2.next = LINES_LOG2_MIN.to_bits();
    uut.uut.c2h_records_log2.next = RECORDS_LOG2_MIN.to_bits();
    uut.uut.fetch_idle.next = true;
    uut.uut.write_idle.next = true;
    for _ in 0..4 {
        uut.step();
    }
    uut
}

fn steps(uut: &mut Native<Control>, cycles: usize) {
    for _ in 0..cycles {
        uut.step();
    }
}

fn started() -> Native<Control> {
    let mut uut = control();
    uut.uut.enable.next = true;
    steps(&mut uut, 3);
    assert_eq!(status(&uut), STATUS_RUNNING);
    uut
}

fn status(uut: &Native<Control>) -> u32 {
    uut.uut.status.val().to_u32()
}

fn engines(uut: &Native<Control>) -> (bool, bool) {
    (uut.uut.fetch_enable.val(), uut.uut.write_enable.val())
}

#[test]
fn a_stop_waits_for_the_bus_and_clears_once() {
    let mut uut = started();
    assert_eq!(engines(&uut), (true, true));
    uut.uut.fetch_idle.next = false;
    uut.uut.write_idle.next = false;
    steps(&mut uut, 20);
    uut.uut.enable.next = false;
    steps(&mut uut, 50);
    assert_eq!((engines(&uut), status(&uut), uut.uut.clear.val()), ((false, false), 0, false));
    uut.uut.fetch_idle.next = true;
    steps(&mut uut, 50);
    assert_eq!((status(&uut), uut.uut.clear.val()), (0, false));
    uut.uut.write_idle.next = true;
    let mut clears = 0;
    for _ in 0..30 {
        uut.step();
        clears += usize::from(uut.uut.clear.val());
        assert!(status(&uut) == 0 || clears == 1 && !uut.uut.clear.val());
    }
    assert_eq!((clears, status(&uut)), (1, STATUS_IDLE));
    // And it starts again.
    uut.uut.enable.next = true;
    steps(&mut uut, 3);
    assert_eq!((status(&uut), engines(&uut)), (STATUS_RUNNING, (true, true)));
}

#[test]
fn a_bad_configuration_never_starts() {
    type Set = fn(&mut Control);
    let bad: [(Set, Csr); 9] = [
        (|uut| uut.h2c_base.next = 0xffff_ffff_0000_0800u64.to_bits(), Csr::H2cBaseLo),
        (|uut| uut.h2c_base.next = 1u64.to_bits(), Csr::H2cBaseLo),
        (|uut| uut.c2h_base.next = 0x800u64.to_bits(), Csr::C2hBaseLo),
        (|uut| uut.status_base.next = 0x1020u64.to_bits(), Csr::StatusBaseLo),
        (|uut| uut.h2c_lines_log2.next = (LINES_LOG2_MIN - 1).to_bits(), Csr::H2cLinesLog2),
        (|uut| uut.h2c_lines_log2.next = (LINES_LOG2_MAX + 1).to_bits(), Csr::H2cLinesLog2),
        (|uut| uut.h2c_lines_log2.next = (LINES_LOG2_MIN | 1 << 31).to_bits(), Csr::H2cLinesLog2),
        (|uut| uut.c2h_records_log2.next = (RECORDS_LOG2_MIN - 1).to_bits(), Csr::C2hRecordsLog2),
        (|uut| uut.c2h_records_log2.next = (RECORDS_LOG2_MAX + 1).to_bits(), Csr::C2hRecordsLog2),
    ];
    for (set, at) in bad {
        let mut uut = control();
        set(&mut uut.uut);
        steps(&mut uut, 3);
        uut.uut.enable.next = true;
        for _ in 0..30 {
            uut.step();
            assert_eq!(engines(&uut), (false, false));
        }
        assert_eq!(status(&uut), STATUS_HALTED | STATUS_IDLE);
        assert_eq!(uut.uut.error.val().to_u32(), ErrorCode::BadConfig as u32);
        assert_eq!(uut.uut.error_detail.val().to_u32(), at as u32);
        // The next start forgets it.
        uut.uut.enable.next = false;
        steps(&mut uut, 30);
        assert_eq!(status(&uut), STATUS_IDLE);
        let mut good = control();
        good.uut.h2c_lines_log2.next = LINES_LOG2_MAX.to_bits();
        good.uut.c2h_records_log2.next = RECORDS_LOG2_MAX.to_bits();
        good.uut.h2c_base.next = 0xffff_ffff_ffff_f000u64.to_bits();
        good.uut.c2h_base.next = 0x1000u64.to_bits();
        good.uut.status_base.next = 0x40u64.to_bits();
        steps(&mut good, 3);
        good.uut.enable.next = true;
        steps(&mut good, 3);
        assert_eq!((status(&good), good.uut.error.val().to_u32()), (STATUS_RUNNING, 0));
    }
}

#[test]
fn the_first_error_halts_and_is_kept() {
    type Set = fn(&mut Control, bool);
    let sources: [(Set, u32, u32); 4] = [
        (|uut, on| uut.fetch_error.next = on, 5, 0x55),
        (|uut, on| uut.unpack_error.next = on, 7, 0x77),
        (|uut, on| uut.classify_error.next = on, ErrorCode::BadCommand as u32, 0xaa),
        (|uut, on| uut.write_error.next = on, 2, 0x22),
    ];
    for first in 0..sources.len() {
        let mut uut = started();
        uut.uut.fetch_error_code.next = 5u32.to_bits();
        uut.uut.fetch_error_detail.next = 0x55u32.to_bits();
        uut.uut.unpack_error_code.next = 7u32.to_bits();
        uut.uut.unpack_error_detail.next = 0x77u32.to_bits();
        uut.uut.classify_error_detail.next = 0xaau32.to_bits();
        uut.uut.write_error_code.next = 2u32.to_bits();
        uut.uut.write_error_detail.next = 0x22u32.to_bits();
        uut.uut.fetch_idle.next = false;
        uut.uut.fetch_cidx.next = 1234u32.to_bits();
        uut.step();
        sources[first].0(&mut uut.uut, true);
        uut.step();
        sources[first].0(&mut uut.uut, false);
        for (set, _, _) in sources {
            set(&mut uut.uut, true);
            uut.step();
            set(&mut uut.uut, false);
        }
        uut.uut.fetch_cidx.next = 0u32.to_bits();
        steps(&mut uut, 20);
        let found = (uut.uut.error.val().to_u32(), uut.uut.error_detail.val().to_u32());
        assert_eq!(found, (sources[first].1, sources[first].2));
        assert_eq!((status(&uut), engines(&uut), uut.uut.clear.val()), (STATUS_HALTED, (false, true), false));
        assert_eq!(uut.uut.h2c_cidx.val().to_u32(), 1234, "the index of the halt is kept");
        uut.uut.fetch_idle.next = true;
        let mut clears = 0;
        for _ in 0..30 {
            uut.step();
            clears += usize::from(uut.uut.clear.val());
        }
        assert_eq!((clears, status(&uut)), (1, STATUS_HALTED | STATUS_IDLE));
        uut.uut.enable.next = false;
        steps(&mut uut, 30);
        assert_eq!((status(&uut), uut.uut.error.val().to_u32()), (STATUS_IDLE, sources[first].1));
        uut.uut.enable.next = true;
        steps(&mut uut, 10);
        assert_eq!((status(&uut), uut.uut.error.val().to_u32()), (STATUS_RUNNING, 0));
    }
}

#[test]
fn every_packet_is_answered_discarded_or_in_flight() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut uut = started();
    let (mut was_cleared, mut packets, mut answered, mut discarded, mut clears) =
        (false, 0u64, 0u64, 0u64, 0);
    for cycle in 0..20_000 {
        let inside = packets - answered - discarded;
        let flowing = uut.uut.fetch_enable.val() || !uut.uut.fetch_idle.val();
        uut.uut.enable.next = cycle / 200 % 3 != 2;
        uut.uut.fetch_error.next = rng.random_bool(0.001);
        uut.uut.fetch_idle.next = !uut.uut.fetch_enable.val() && rng.random_bool(0.9);
        uut.uut.write_idle.next = rng.random_bool(0.9);
        uut.uut.packet.next = flowing && inside < 200 && rng.random();
        // Behind a clear nothing is left that could be answered.
        let verdicts =
            if !was_cleared && rng.random_bool(0.2) { rng.random_range(0..=inside.min(4)) } else { 0 };
        uut.uut.verdicts.next = verdicts.to_bits();
        uut.settle();
        packets += u64::from(uut.uut.packet.val());
        answered += verdicts;
        discarded += uut.uut.discarded.val().to_u64();
        let cleared = uut.uut.clear.val();
        clears += usize::from(cleared);
        uut.step();
        // What is in flight is never negative, and nothing is left one cycle behind a clear.
        assert!(packets >= answered + discarded);
        let new = u64::from(uut.uut.packet.val());
        assert!(!was_cleared || packets - new + verdicts == answered + discarded);
        was_cleared = cleared;
    }
    assert!(clears > 20 && discarded > 100 && answered > 1000, "{clears} {discarded} {answered}");
}

#[test]
fn it_passes_the_gate() {
    passes("control", Control::default, 4000, 2, |uut, rng, cycle| {
        let rare = |rng: &mut ChaCha8Rng| rng.random_bool(0.004);
        uut.reset.next = rng.random_bool(0.001);
        if cycle % 64 == 0 {
            uut.enable.next = rng.random_bool(0.7);
            uut.h2c_base.next = if rare(rng) { 5u64 } else { rng.random::<u64>() << 12 }.to_bits();
            uut.c2h_base.next = (rng.random::<u64>() << 12).to_bits();
            uut.status_base.next = (rng.random::<u64>() << 6).to_bits();
            uut.h2c_lines_log2.next = rng.random_range(5..21u32).to_bits();
            uut.c2h_records_log2.next = rng.random_range(7..23u32).to_bits();
        }
        uut.fetch_error.next = rare(rng);
        uut.fetch_error_code.next = rng.random_range(0..256u32).to_bits();
        uut.fetch_error_detail.next = rng.random::<u32>().to_bits();
        uut.unpack_error.next = rare(rng);
        uut.unpack_error_code.next = rng.random_range(0..256u32).to_bits();
        uut.unpack_error_detail.next = rng.random::<u32>().to_bits();
        uut.classify_error.next = rare(rng);
        uut.classify_error_detail.next = rng.random::<u32>().to_bits();
        uut.write_error.next = rare(rng);
        uut.write_error_code.next = rng.random_range(0..256u32).to_bits();
        uut.write_error_detail.next = rng.random::<u32>().to_bits();
        uut.fetch_idle.next = rng.random_bool(0.9);
        uut.write_idle.next = rng.random_bool(0.9);
        uut.fetch_cidx.next = rng.random::<u32>().to_bits();
        uut.packet.next = rng.random();
        uut.verdicts.next = rng.random_range(0..5u32).to_bits();
    });
}

//! The simulated bus, memory and registers around a stand-in for the card that copies lines.

use wiresift_abi::bits::LINE_BYTES;
use wiresift_abi::csr::Csr;
use wiresift_abi::geometry::{Geometry, LAB, LINE};
use wiresift_driver::{Direction, DmaRegion, Transport, TransportError};
use wiresift_testbench::axi::Timing;
use wiresift_testbench::model::ModelError;
use wiresift_testbench::{Fault, FaultKind, Options, Side, SimCard, SimError, When};

use crate::built;

const LINES_LOG2: u32 = 5;
const FAILED: u32 = 6;

fn verilog(geometry: &Geometry) -> String {
    let offsets = [
        ("H2C_LINES_LOG2", Csr::H2cLinesLog2),
        ("H2C_BASE_HI", Csr::H2cBaseHi),
        ("H2C_BASE_LO", Csr::H2cBaseLo),
        ("C2H_BASE_HI", Csr::C2hBaseHi),
        ("C2H_BASE_LO", Csr::C2hBaseLo),
        ("H2C_PIDX", Csr::H2cPidx),
        ("H2C_CIDX", Csr::H2cCidx),
        ("STATUS", Csr::Status),
        ("IRQ_CONTROL", Csr::IrqControl),
    ];
    let text = include_str!("loopback.v").replace("@BEAT_BITS@", &(geometry.beat_bytes * 8).to_string());
    offsets
        .iter()
        .fold(text, |text, (name, csr)| text.replace(&format!("@{name}@"), &(*csr as u16).to_string()))
}

/// The stand-in, or `None` with a printed line where Verilator is absent.
fn card(options: &Options) -> Option<SimCard> {
    built(SimCard::with_verilog(options, &verilog(options.geometry)))
}

struct Rings {
    h2c: DmaRegion,
    c2h: DmaRegion,
}

fn set_up(card: &mut SimCard) -> Rings {
    let bytes = LINE_BYTES << LINES_LOG2;
    let h2c = card.map(bytes, Direction::H2c).unwrap();
    let c2h = card.map(bytes, Direction::C2h).unwrap();
    for (low, high, region) in
        [(Csr::H2cBaseLo, Csr::H2cBaseHi, &h2c), (Csr::C2hBaseLo, Csr::C2hBaseHi, &c2h)]
    {
        let iova = region.iova().0;
        card.write_csr(low, iova as u32).unwrap();
        card.write_csr(high, (iova >> 32) as u32).unwrap();
        assert_eq!(card.read_csr(low).unwrap(), iova as u32);
    }
    card.write_csr(Csr::H2cLinesLog2, LINES_LOG2).unwrap();
    Rings { h2c, c2h }
}

/// Copies lines up to `pidx` and waits; gives the status at the end.
fn copy(card: &mut SimCard, rings: &Rings, pidx: u32) -> u32 {
    for n in 0..(LINE_BYTES / 8) << LINES_LOG2 {
        rings.h2c.memory().store(n * 8, (n as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    }
    card.write_csr(Csr::H2cPidx, pidx).unwrap();
    for _ in 0..1000 {
        // In this order: the status behind the last line is that of a card at rest.
        let is_done = card.read_csr(Csr::H2cCidx).unwrap() == pidx;
        let status = card.read_csr(Csr::Status).unwrap();
        if status == FAILED || is_done {
            return status;
        }
        card.relax();
    }
    u32::MAX
}

fn is_copied(rings: &Rings, line: usize) -> bool {
    (0..LINE_BYTES / 8).all(|n| {
        let at = line * LINE_BYTES + n * 8;
        rings.c2h.memory().load(at) == !rings.h2c.memory().load(at)
    })
}

#[test]
fn lines_come_through_whatever_the_bus_does() {
    for geometry in [&LAB, &LINE] {
        for (seed, stall_percent, jitter) in [(1, 0, 0), (2, 30, 100), (3, 80, 3)] {
            let timing = Timing { latency: 20, jitter, stall_percent, ..Timing::new(geometry) };
            let Some(mut card) = card(&Options { seed, timing, ..Options::new(geometry) }) else { return };
            let rings = set_up(&mut card);
            assert_eq!(copy(&mut card, &rings, 20), 0);
            for line in 0..1 << LINES_LOG2 {
                assert_eq!(is_copied(&rings, line), line < 20, "{} line {line}", geometry.name);
            }
            card.check().unwrap();
            let (traffic, beats) = (card.traffic(), 20 * geometry.beats_per_line() as u64);
            assert_eq!((traffic.reads, traffic.writes), (20, 20));
            assert_eq!((traffic.beats_read, traffic.beats_written), (beats, beats));
            assert!(card.cycles() > 40 * 20, "two delays a line");
        }
    }
}

#[test]
fn memory_that_is_not_mapped_is_answered_with_an_error_and_noted() {
    let Some(mut card) = card(&Options::new(&LAB)) else { return };
    let rings = set_up(&mut card);
    let iova = rings.c2h.iova();
    drop(rings.c2h);
    card.write_csr(Csr::H2cPidx, 1).unwrap();
    for _ in 0..100 {
        card.relax();
    }
    assert_eq!(card.read_csr(Csr::Status).unwrap(), FAILED);
    let findings = card.findings();
    assert_eq!(findings.refused.len(), 4, "four beats");
    assert_eq!((findings.refused[0].1.address, findings.refused[0].1.is_write), (iova.0, true));
    let text = card.check().unwrap_err().to_string();
    assert!(text.contains("may not write 16 bytes"), "{text}");
}

#[test]
fn faults_do_what_they_say() {
    let fault = |side, n, kind| Fault { side, when: When::Nth(n), kind };
    // Fault, status at the end, lines copied.
    let cases = [
        (fault(Side::Read, 3, FaultKind::Error), FAILED, vec![0, 1, 2]),
        (fault(Side::Write, 2, FaultKind::Error), FAILED, vec![0, 1]),
        (fault(Side::WriteTo(1), 2, FaultKind::Swallow), 0, vec![0, 1, 3, 4]),
        (fault(Side::WriteTo(0), 2, FaultKind::Swallow), 0, vec![0, 1, 2, 3, 4]),
        (fault(Side::Read, 1, FaultKind::Late(5000)), 0, vec![0, 1, 2, 3, 4]),
        (fault(Side::Read, 4, FaultKind::Lost), u32::MAX, vec![0, 1, 2, 3]),
        (fault(Side::Write, 4, FaultKind::Lost), u32::MAX, vec![0, 1, 2, 3, 4]),
    ];
    for (fault, status, copied) in cases {
        let Some(mut card) = card(&Options { faults: vec![fault], ..Options::new(&LAB) }) else { return };
        let rings = set_up(&mut card);
        assert_eq!(copy(&mut card, &rings, 5), status, "{fault:?}");
        let lines: Vec<_> = (0..1 << LINES_LOG2).filter(|line| is_copied(&rings, *line)).collect();
        assert_eq!(lines, copied, "{fault:?}");
        assert_eq!(card.traffic().faults, u64::from(fault.side != Side::WriteTo(0)));
        card.check().unwrap();
        if status == u32::MAX {
            // A reset mends it.
            card.reset_function().unwrap();
            drop(rings);
            let rings = set_up(&mut card);
            assert_eq!(copy(&mut card, &rings, 5), 0);
            assert!(is_copied(&rings, 4));
        }
    }
}

#[test]
fn an_interrupt_comes_once_and_only_when_it_is_armed() {
    let Some(mut card) = card(&Options::new(&LAB)) else { return };
    let rings = set_up(&mut card);
    copy(&mut card, &rings, 2);
    assert!(!card.wait_interrupt(10_000).unwrap());
    card.write_csr(Csr::IrqControl, 1).unwrap();
    card.write_csr(Csr::H2cPidx, 4).unwrap();
    let before = card.now_ns();
    assert!(card.wait_interrupt(1_000_000).unwrap());
    assert!(card.now_ns() - before < 100_000);
    assert!(!card.wait_interrupt(10_000).unwrap());
    card.check().unwrap();
}

#[test]
fn a_register_that_refuses_is_an_error() {
    let Some(mut card) = card(&Options::new(&LAB)) else { return };
    let error = card.write_register(0x100, 1).unwrap_err();
    assert!(matches!(error, TransportError::Response { offset: 0x100, response: 3 }), "{error:?}");
}

#[test]
fn a_trace_names_the_signals() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("card.vcd");
    let options = Options { trace: Some(file.clone()), ..Options::new(&LAB) };
    let Some(mut card) = card(&options) else { return };
    let rings = set_up(&mut card);
    copy(&mut card, &rings, 1);
    drop(card);
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.starts_with("$version") && text.contains("m_axi_araddr"));
    assert!(text.lines().filter(|line| line.starts_with('#')).count() > 100);
    let nowhere = Options { trace: Some(folder.path().join("no/such/folder.vcd")), ..Options::new(&LAB) };
    let error = SimCard::with_verilog(&nowhere, &verilog(&LAB)).err().expect("an error");
    assert!(matches!(error, SimError::Model(ModelError::Trace(_))), "{error:?}");
}

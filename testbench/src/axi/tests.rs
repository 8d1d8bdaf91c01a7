//! The slave against a master that does everything wrong, and its timing against what was asked for.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use wiresift_abi::geometry::LINE;
use wiresift_driver::{Direction, DmaRegion};

use super::*;
use crate::memory::HostMemory;

/// A master that drives what a test says, cycle by cycle.
struct Bench {
    slave: AxiSlave,
    inputs: Inputs,
    region: DmaRegion,
    target: DmaRegion,
}

impl Bench {
    fn new(timing: Timing) -> Self {
        let memory = HostMemory::new(5);
        let region = memory.map(8192, Direction::H2c).unwrap();
        let target = memory.map(8192, Direction::C2h).unwrap();
        for n in 0..1024 {
            region.memory().store(n * 8, n as u64);
        }
        Self { slave: AxiSlave::new(16, timing, memory, 3, &[]), inputs: Inputs::default(), region, target }
    }

    fn fast() -> Self {
        Self::new(Timing { latency: 10, ..Timing::new(&LINE) })
    }

    fn cycle(&mut self, outputs: Outputs) -> Inputs {
        self.slave.drive(&mut self.inputs);
        self.slave.observe(&self.inputs, &outputs);
        self.inputs
    }

    /// A good request for `beats` beats at `offset` of the region.
    fn read(&self, offset: u64, beats: u8) -> Outputs {
        Outputs {
            m_axi_arvalid: 1,
            m_axi_araddr: self.region.iova().0 + offset,
            m_axi_arlen: beats - 1,
            m_axi_arsize: 4,
            m_axi_arburst: 1,
            m_axi_rready: 1,
            ..Outputs::default()
        }
    }

    fn write(&self, offset: u64, beats: u8) -> Outputs {
        Outputs {
            m_axi_awvalid: 1,
            m_axi_awaddr: self.target.iova().0 + offset,
            m_axi_awlen: beats - 1,
            m_axi_awsize: 4,
            m_axi_awburst: 1,
            m_axi_bready: 1,
            ..Outputs::default()
        }
    }

    /// Cycles until the request of `outputs` is taken.
    fn ask(&mut self, outputs: Outputs) {
        while self.cycle(outputs).m_axi_arready == 0 {}
    }

    fn violations(&self) -> Vec<Violation> {
        self.slave.findings().violations.iter().map(|(_, violation)| *violation).collect()
    }
}

fn data(value: u64, last: u8) -> Outputs {
    Outputs {
        m_axi_wvalid: 1,
        m_axi_wdata: [value; 8],
        m_axi_wstrb: 0xffff,
        m_axi_wlast: last,
        m_axi_bready: 1,
        ..Outputs::default()
    }
}

/// Nothing new, and every answer is taken.
fn wait() -> Outputs {
    Outputs { m_axi_rready: 1, m_axi_bready: 1, ..Outputs::default() }
}

#[test]
fn a_good_master_reads_at_full_throughput_after_the_latency() {
    let mut bench = Bench::new(Timing::new(&LINE));
    let (bursts, beats) = (32u64, 64u64);
    let mut taken = Vec::new();
    let mut asked = 0;
    for cycle in 0..250 + bursts * beats + 2 {
        let outputs = if asked < bursts { bench.read(asked % 8 * 1024, 64) } else { wait() };
        let inputs = bench.cycle(outputs);
        asked += u64::from(asked < bursts && inputs.m_axi_arready != 0);
        if inputs.m_axi_rvalid != 0 {
            taken.push((cycle, inputs.m_axi_rdata[0], inputs.m_axi_rlast, inputs.m_axi_rresp));
        }
    }
    assert_eq!(taken.len() as u64, bursts * beats);
    assert_eq!(taken[0].0, 250);
    for (n, (cycle, data, last, response)) in taken.into_iter().enumerate() {
        let n = n as u64;
        assert_eq!((cycle, data), (250 + n, n % 512 * 2), "one beat a cycle, in order");
        assert_eq!((last, response), (u8::from(n % beats == beats - 1), OKAY));
    }
    assert_eq!(bench.violations(), []);
    assert_eq!(bench.slave.traffic().beats_read, bursts * beats);
}

#[test]
fn a_stalled_bus_gives_the_same_and_takes_about_its_share_longer() {
    let mut bench = Bench::new(Timing { latency: 5, stall_percent: 40, ..Timing::new(&LINE) });
    let (mut cycles, mut beats, mut asked) = (0, 0u64, 0);
    while beats < 6400 {
        let ask = asked < beats / 64 + 2 && asked < 100;
        let outputs = if ask { bench.read(asked % 8 * 1024, 64) } else { wait() };
        let mut inputs = bench.cycle(outputs);
        cycles += 1;
        while ask && inputs.m_axi_arready == 0 {
            beats += u64::from(inputs.m_axi_rvalid);
            inputs = bench.cycle(outputs);
            cycles += 1;
        }
        asked += u64::from(ask);
        beats += u64::from(inputs.m_axi_rvalid);
        assert!(cycles < 100_000);
    }
    assert!((8_000..16_000).contains(&cycles), "{cycles}");
    assert_eq!(bench.violations(), []);
}

#[test]
fn writes_become_visible_before_their_answer_and_not_before_their_data() {
    let mut bench = Bench::fast();
    let request = bench.write(32, 2);
    bench.cycle(data(7, 0));
    bench.cycle(request);
    for _ in 0..50 {
        assert_eq!(bench.cycle(wait()).m_axi_bvalid, 0, "not without the last beat");
        assert_eq!(bench.target.memory().load(32), 0);
    }
    bench.cycle(data(8, 1));
    let answer =
        (0..50).map(|_| bench.cycle(wait())).find(|inputs| inputs.m_axi_bvalid != 0).expect("an answer");
    assert_eq!(answer.m_axi_bresp, OKAY);
    assert_eq!([32, 40, 48, 56, 64].map(|at| bench.target.memory().load(at)), [7, 7, 8, 8, 0]);
    assert_eq!(bench.violations(), []);
}

#[test]
fn nobody_at_an_address_is_an_error_and_noted() {
    let mut bench = Bench::fast();
    let request = Outputs { m_axi_araddr: bench.target.iova().0, ..bench.read(0, 1) };
    bench.ask(request);
    let answer =
        (0..50).map(|_| bench.cycle(wait())).find(|inputs| inputs.m_axi_rvalid != 0).expect("an answer");
    assert_eq!(answer.m_axi_rresp, DECERR);
    let request = Outputs { m_axi_awaddr: bench.region.iova().0, ..bench.write(0, 1) };
    bench.cycle(request);
    bench.cycle(data(7, 1));
    let answer =
        (0..50).map(|_| bench.cycle(wait())).find(|inputs| inputs.m_axi_bvalid != 0).expect("an answer");
    assert_eq!(answer.m_axi_bresp, DECERR);
    assert_eq!(bench.slave.findings().refused.len(), 2);
    assert_eq!(bench.region.memory().load(8), 1, "unchanged");
}

#[test]
fn every_wrong_request_is_a_violation() {
    type Change = fn(&mut Outputs);
    let cases: [(Change, Violation); 10] = [
        (|o| o.m_axi_arburst = 2, Violation::Burst { channel: "AR", burst: 2 }),
        (|o| o.m_axi_arsize = 3, Violation::Size { channel: "AR", size: 3 }),
        (|o| o.m_axi_arid = 1, Violation::Id { channel: "AR", id: 1 }),
        (|o| o.m_axi_araddr += 8, Violation::Unaligned { channel: "AR", address: 8 }),
        (|o| o.m_axi_araddr += 4096 - 48, Violation::Boundary { channel: "AR", address: 4048, beats: 4 }),
        (|o| o.m_axi_awburst = 0, Violation::Burst { channel: "AW", burst: 0 }),
        (|o| o.m_axi_awsize = 6, Violation::Size { channel: "AW", size: 6 }),
        (|o| o.m_axi_awid = 2, Violation::Id { channel: "AW", id: 2 }),
        (|o| o.m_axi_awaddr += 4, Violation::Unaligned { channel: "AW", address: 4 }),
        (|o| o.m_axi_awaddr += 8192 - 16, Violation::Boundary { channel: "AW", address: 8176, beats: 4 }),
    ];
    for (change, expected) in cases {
        let mut bench = Bench::fast();
        let (from, to) = (bench.region.iova().0, bench.target.iova().0);
        let mut wrong =
            if format!("{expected:?}").contains("AR") { bench.read(0, 4) } else { bench.write(0, 4) };
        change(&mut wrong);
        bench.cycle(wrong);
        let found = bench.violations().into_iter().map(|violation| match violation {
            Violation::Unaligned { channel, address } => {
                Violation::Unaligned { channel, address: address - if channel == "AR" { from } else { to } }
            }
            Violation::Boundary { channel, address, beats } => Violation::Boundary {
                channel,
                address: address - if channel == "AR" { from } else { to },
                beats,
            },
            other => other,
        });
        assert_eq!(found.collect::<Vec<_>>(), [expected]);
    }
}

#[test]
fn a_burst_may_end_at_a_boundary() {
    let mut bench = Bench::fast();
    let request = bench.read(4096 - 64, 4);
    bench.ask(request);
    assert_eq!(bench.violations(), []);
}

#[test]
fn what_changes_before_it_is_taken_is_a_violation() {
    type Change = fn(&mut Outputs);
    let cases: [(Change, &'static str); 6] = [
        (|o| o.m_axi_arvalid = 0, "AR"),
        (|o| o.m_axi_araddr += 64, "AR"),
        (|o| o.m_axi_awvalid = 0, "AW"),
        (|o| o.m_axi_awlen += 1, "AW"),
        (|o| o.m_axi_wvalid = 0, "W"),
        (|o| o.m_axi_wdata[1] ^= 1, "W"),
    ];
    for (change, channel) in cases {
        // Stalls nearly always, so that a request has to wait.
        let mut bench = Bench::new(Timing { stall_percent: 95, ..Timing::new(&LINE) });
        let mut outputs = match channel {
            "AR" => bench.read(0, 4),
            "AW" => bench.write(0, 4),
            _ => data(1, 0),
        };
        let is_taken = |inputs: Inputs| match channel {
            "AR" => inputs.m_axi_arready,
            "AW" => inputs.m_axi_awready,
            _ => inputs.m_axi_wready,
        };
        assert_eq!(is_taken(bench.cycle(outputs)), 0);
        assert_eq!(is_taken(bench.cycle(outputs)), 0);
        assert_eq!(bench.violations(), []);
        change(&mut outputs);
        bench.cycle(outputs);
        assert_eq!(bench.violations(), [Violation::Unstable { channel }]);
    }
}

#[test]
fn a_wrong_last_beat_is_a_violation() {
    for lasts in [[1, 0], [0, 0], [1, 1]] {
        let mut bench = Bench::fast();
        let request = bench.write(0, 2);
        bench.cycle(request);
        for last in lasts {
            bench.cycle(data(1, last));
        }
        let expected = lasts.iter().zip([0, 1]).enumerate().filter(|(_, (is, should))| **is != *should);
        let expected: Vec<_> =
            expected.map(|(beat, (last, _))| Violation::Last { last: *last, beat, beats: 2 }).collect();
        assert_eq!(bench.violations(), expected);
    }
}

#[test]
fn too_many_bursts_in_flight_are_a_violation() {
    let mut bench = Bench::new(Timing { reads_in_flight: 3, writes_in_flight: 2, ..Timing::new(&LINE) });
    for _ in 0..4 {
        let request = bench.read(0, 1);
        bench.ask(request);
    }
    assert_eq!(bench.violations(), [Violation::InFlight { channel: "AR", count: 4 }]);
    for _ in 0..3 {
        let request = bench.write(0, 1);
        bench.cycle(request);
    }
    assert_eq!(bench.violations()[1..], [Violation::InFlight { channel: "AW", count: 3 }]);
}

#[test]
fn a_request_during_reset_is_a_violation() {
    let mut bench = Bench::fast();
    bench.inputs.reset = 1;
    let request = bench.read(0, 1);
    bench.cycle(request);
    assert_eq!(bench.violations(), [], "the card has not seen the reset yet");
    bench.cycle(request);
    assert_eq!(bench.violations(), [Violation::Reset { channel: "AR" }]);
    assert_eq!(bench.slave.traffic().reads, 0);
}

#[test]
fn what_the_shell_of_a_board_does_not_wait_for_is_a_violation() {
    let too_long = PATIENCE_CYCLES + 20;
    let deaf = Outputs::default();
    // Answers that are not taken.
    let mut bench = Bench::fast();
    let request = bench.read(0, 1);
    bench.ask(request);
    for _ in 0..too_long {
        bench.cycle(deaf);
    }
    assert_eq!(bench.violations(), [Violation::Slow { channel: "R" }]);
    let mut bench = Bench::fast();
    let request = bench.write(0, 1);
    bench.cycle(request);
    bench.cycle(Outputs { m_axi_bready: 0, ..data(1, 1) });
    for _ in 0..too_long {
        bench.cycle(deaf);
    }
    assert_eq!(bench.violations(), [Violation::Slow { channel: "B" }]);
    // Data that does not come.
    let mut bench = Bench::fast();
    let request = bench.write(0, 2);
    bench.cycle(request);
    bench.cycle(data(1, 0));
    for _ in 0..too_long {
        bench.cycle(wait());
    }
    assert_eq!(bench.violations(), [Violation::Slow { channel: "W" }]);
    // In time, and just so.
    let mut bench = Bench::fast();
    let request = bench.write(0, 1);
    bench.cycle(request);
    for _ in 0..PATIENCE_CYCLES {
        bench.cycle(wait());
    }
    bench.cycle(data(1, 1));
    for _ in 0..100 {
        bench.cycle(wait());
    }
    assert_eq!(bench.violations(), []);
}

#[test]
fn what_comes_long_after_a_stop_is_a_violation() {
    for channel in ["AR", "AW", "W"] {
        let mut bench = Bench::fast();
        bench.slave.note_enable(false);
        for _ in 0..PATIENCE_CYCLES {
            bench.cycle(wait());
        }
        assert_eq!(bench.violations(), []);
        let late = match channel {
            "AR" => bench.read(0, 1),
            "AW" => bench.write(0, 1),
            _ => data(1, 1),
        };
        bench.cycle(late);
        assert_eq!(bench.violations(), [Violation::Drain { channel }]);
    }
    let mut bench = Bench::fast();
    bench.slave.note_enable(false);
    for _ in 0..PATIENCE_CYCLES {
        bench.cycle(wait());
    }
    bench.slave.note_enable(true);
    let request = bench.read(0, 1);
    bench.cycle(request);
    assert_eq!(bench.violations(), [], "it was started again");
}

#[test]
fn strobes_with_a_hole_are_a_violation() {
    let mut bench = Bench::fast();
    let request = bench.write(0, 3);
    bench.cycle(request);
    for (strobe, last) in [(0xfff0, 0), (0xf00f, 0), (0, 1)] {
        bench.cycle(Outputs { m_axi_wstrb: strobe, ..data(1, last) });
    }
    assert_eq!(bench.violations(), [Violation::Strobe { strobe: 0xf00f }]);
}

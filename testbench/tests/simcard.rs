//! The driver against a card that is served over a socket, in this process: the Verilated card and the software
//! card, by file and by message, with resets, unplugs and mappings that go away.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod rules;

use std::collections::VecDeque;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use wiresift_abi::csr::{CONTROL_ENABLE, Csr, ErrorCode, STATUS_HALTED};
use wiresift_abi::geometry::LAB;
use wiresift_driver::conservation::CallerCounters;
use wiresift_driver::fake::{FakeCard, Fault, answer};
use wiresift_driver::hugepages::PageSize;
use wiresift_driver::vfio_user::{DmaBy, Options as ClientOptions, VfioUser};
use wiresift_driver::{Card, Config, Direction, DmaRegion, DriverError, Transport, TransportError};
use wiresift_testbench::library::BuildError;
use wiresift_testbench::model::ModelError;
use wiresift_testbench::simcard::{ServeError, Serving, SoftCard, VerilatedCard, spawn};
use wiresift_testbench::{Options, SimCard, SimError};

const VERSION: u16 = 0x35;

/// A card in another thread is as slow as the machine is loaded, so nothing but a dead one is too slow.
fn config() -> Config {
    Config { h2c_lines_log2: 9, c2h_records_log2: 8, timeout_ns: 20_000_000_000, ..Config::bus() }
}

fn options(dma: DmaBy) -> ClientOptions {
    ClientOptions { dma, limit: Duration::from_secs(20), pages: PageSize::Giant, note: None }
}

/// The Verilated card, served; `None` with a printed line where Verilator is absent.
fn verilated(by: DmaBy, seed: u64) -> Option<(UnixStream, Serving)> {
    let mut options = Options::new(&LAB);
    (options.seed, options.timing.latency, options.timing.jitter) = (seed, 20, 30);
    // Builds the model where it is not in the cache, and tells where that is not possible.
    match SimCard::new(&options) {
        Err(SimError::Model(ModelError::Build(BuildError::NoTool(tool))))
            if std::env::var_os("REQUIRE_TOOLS").is_none_or(|value| value != "1") =>
        {
            println!("skipped: {tool} is not installed");
            return None;
        }
        result => drop(result.expect("a simulated card")),
    }
    let make = move |memory| {
        let sim = SimCard::with_memory(&options, memory).map_err(ServeError::Card)?;
        Ok(VerilatedCard::new(sim))
    };
    Some(spawn(by, make).unwrap())
}

fn soft(seed: u64, faults: Vec<Fault>) -> (UnixStream, Serving) {
    spawn(DmaBy::Fd, move |_| Ok(SoftCard::new(FakeCard::new(&LAB, seed, faults)))).unwrap()
}

/// Posts packets in portions and polls, recovering from errors where `recover` says so; every packet gets one
/// verdict, in order, and `is_right` judges it.
fn run(
    card: &mut Card<VfioUser>,
    packets: &[Vec<u8>],
    rng: &mut ChaCha8Rng,
    is_right: impl Fn(&[u8], &wiresift_driver::Verdict) -> bool,
    mut meanwhile: impl FnMut(&mut Card<VfioUser>, usize),
) -> u64 {
    let first = card.counters().verdicts;
    let (mut posted, mut answered, mut recovered) = (0, 0, 0);
    let mut in_flight: VecDeque<&[u8]> = VecDeque::new();
    let mut verdicts = Vec::new();
    while answered < packets.len() {
        meanwhile(card, answered);
        let portion = rng.random_range(0..60).min(packets.len() - posted);
        let before = card.counters().posted;
        let mut result = card.post(packets[posted..posted + portion].iter().map(Vec::as_slice)).map(|_| ());
        let taken = (card.counters().posted - before) as usize;
        in_flight.extend(packets[posted..posted + taken].iter().map(Vec::as_slice));
        posted += taken;
        if result.is_ok() {
            result = card.poll(&mut verdicts).map(|_| ());
        }
        for verdict in verdicts.drain(..) {
            let packet = in_flight.pop_front().expect("a verdict for a packet in flight");
            assert_eq!(verdict.packet, first + answered as u64);
            assert!(is_right(packet, &verdict), "packet {answered}: {verdict:?}");
            answered += 1;
        }
        if let Err(error) = result {
            recovered += 1;
            card.recover(error).expect("a card that comes back");
        }
    }
    assert!(in_flight.is_empty());
    recovered
}

fn packets(rng: &mut ChaCha8Rng, count: usize) -> Vec<Vec<u8>> {
    (0..count)
        .map(|_| {
            let length = match rng.random_range(0..10) {
                0 => rng.random_range(0..9217),
                1..4 => rng.random_range(60..1515),
                _ => rng.random_range(60..130),
            };
            let mut packet = vec![0; length];
            rng.fill(&mut packet[..]);
            packet
        })
        .collect()
}

fn is_by_rules(packet: &[u8], verdict: &wiresift_driver::Verdict) -> bool {
    let (acl, ids) = rules::expected(packet);
    (verdict.acl, verdict.ids()) == (acl, &ids[..]) && usize::from(verdict.length) == packet.len()
}

fn is_by_hash(packet: &[u8], verdict: &wiresift_driver::Verdict) -> bool {
    let (acl, flags, ids) = answer(packet);
    (verdict.acl, verdict.flags, verdict.ids()) == (acl, flags, &ids[..])
}

#[test]
fn the_verilated_card_decides_over_a_socket_by_file_and_by_message() {
    for (seed, by) in [(1, DmaBy::Fd), (2, DmaBy::Message)] {
        // The client without its files: everything goes by message, whatever the card would like.
        for client in [by, DmaBy::Message] {
            let Some((stream, serving)) = verilated(by, seed) else { return };
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let transport = VfioUser::over(stream, options(client)).unwrap();
            let mut card = Card::open(transport, config()).unwrap();
            assert_eq!(card.load(&rules::image(&LAB, VERSION)).unwrap().version, VERSION);
            let packets = rules::packets(seed, 400);
            let mut resets = 0;
            let recovered = run(&mut card, &packets, &mut rng, is_by_rules, |card, answered| {
                // Somebody resets the card in mid-stream, twice.
                if answered >= [100, 250, usize::MAX][resets] {
                    resets += 1;
                    card.transport_mut().reset_function().unwrap();
                }
            });
            assert_eq!((resets, recovered), (2, 2), "{by:?}, {client:?}");
            let counters = CallerCounters { posted: 400, verdicts: 400 };
            card.conservation(counters).unwrap();
            card.shutdown().unwrap();
            let served = serving.join().unwrap();
            assert_eq!((served.complaint, served.mappings, served.refused), (None, 0, 0));
            assert_eq!(served.by_message > 0, client == DmaBy::Message, "{by:?}, {client:?}");
            assert_eq!(served.by_message_refused, 0);
        }
    }
}

/// Maps what a card needs, enables it, and gives ERROR after the doorbell; `tear` comes before the doorbell.
fn error_after(
    card: &mut VfioUser,
    tear: impl FnOnce(&mut VfioUser, DmaRegion) -> Option<DmaRegion>,
) -> Option<ErrorCode> {
    let [h2c, c2h, status] = [(1 << 16, Direction::H2c), (1 << 16, Direction::C2h), (64, Direction::C2h)]
        .map(|(bytes, direction)| card.map(bytes, direction).unwrap());
    for (csr, value) in [
        (Csr::H2cBaseLo, h2c.iova().0 as u32),
        (Csr::H2cBaseHi, (h2c.iova().0 >> 32) as u32),
        (Csr::H2cLinesLog2, 10),
        (Csr::C2hBaseLo, c2h.iova().0 as u32),
        (Csr::C2hBaseHi, (c2h.iova().0 >> 32) as u32),
        (Csr::C2hRecordsLog2, 12),
        (Csr::StatusBaseLo, status.iova().0 as u32),
        (Csr::StatusBaseHi, (status.iova().0 >> 32) as u32),
    ] {
        card.write_csr(csr, value).unwrap();
    }
    card.write_csr(Csr::Control, CONTROL_ENABLE).unwrap();
    let _h2c = tear(card, h2c);
    card.write_csr(Csr::H2cPidx, 64).unwrap();
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(10) {
        if card.read_csr(Csr::Status).unwrap() & STATUS_HALTED != 0 {
            return ErrorCode::from_number(card.read_csr(Csr::Error).unwrap());
        }
        card.relax();
    }
    None
}

#[test]
fn an_access_outside_of_the_mappings_is_an_error_response_on_the_bus() {
    for by in [DmaBy::Fd, DmaBy::Message] {
        let Some((stream, serving)) = verilated(by, 9) else { return };
        let mut card = VfioUser::over(stream, options(by)).unwrap();
        // DMA_UNMAP while the card is running: what it asks for behind it is refused.
        assert_eq!(error_after(&mut card, |_, _h2c| None), Some(ErrorCode::ReadResponse), "{by:?}");
        card.reset_function().unwrap();
        // Memory that it may read and not write, and one that is not there at all.
        let status = card.map(64, Direction::H2c).unwrap().iova();
        let error = error_after(&mut card, |card, h2c| {
            card.write_csr(Csr::Control, 0).unwrap();
            card.write_csr(Csr::StatusBaseLo, status.0 as u32).unwrap();
            card.write_csr(Csr::StatusBaseHi, (status.0 >> 32) as u32).unwrap();
            card.write_csr(Csr::Control, CONTROL_ENABLE).unwrap();
            // A batch header of nothing: the card halts and tells so in the status line.
            Some(h2c)
        });
        assert!(error.is_some(), "{by:?}");
        card.reset_function().unwrap();
        assert_eq!(card.read_csr(Csr::Error).unwrap(), 0);
        drop(card);
        let served = serving.join().unwrap();
        assert_eq!(served.complaint, None);
        assert_eq!(served.by_message_refused > 0, by == DmaBy::Message);
    }
}

#[test]
fn a_card_that_is_unplugged_is_an_error_in_time() {
    let (stream, serving) = soft(3, vec![]);
    let mut card = Card::open(VfioUser::over(stream, options(DmaBy::Fd)).unwrap(), config()).unwrap();
    card.load(&rules::image(&LAB, VERSION)).unwrap();
    card.post([&[1; 64][..]]).unwrap();
    serving.unplug();
    let start = Instant::now();
    let mut verdicts = Vec::new();
    let error = loop {
        match card.doorbell().and_then(|()| card.poll(&mut verdicts)) {
            Err(error) => break error,
            Ok(_) => drop(card.post([&[1; 64][..]])),
        }
    };
    assert!(matches!(error, DriverError::Transport(TransportError::Broken { .. })), "{error:?}");
    assert!(matches!(card.recover(error), Err(DriverError::GaveUp { .. })));
    assert!(start.elapsed() < Duration::from_secs(1));
}

#[test]
fn an_idle_driver_sleeps_until_the_interrupt() {
    let (stream, serving) = soft(4, vec![]);
    let config = Config { spin_ns: 0, ..config() };
    let mut card = Card::open(VfioUser::over(stream, options(DmaBy::Fd)).unwrap(), config).unwrap();
    card.load(&rules::image(&LAB, VERSION)).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let packets = packets(&mut rng, 2000);
    assert_eq!(run(&mut card, &packets, &mut rng, is_by_hash, |_, _| {}), 0);
    drop(card);
    let served = serving.join().unwrap();
    assert!(served.interrupts > 0, "{served}");
}

/// Random packets through the socket with random faults: late, lost and corrupt records, lost interrupts and doorbells,
/// wild status lines, hangs, halts, and resets by somebody else. (Corrupt as in [`FakeCard::troubled`]: not the number of ids.)
fn random_faults(count: usize, seed: u64) {
    println!("random_faults: {count} packets, seed {seed} (WIRESIFT_SEED)");
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut done = 0;
    let (mut recovered, mut resets, mut faulty, mut interrupts, start) = (0, 0, 0, 0, Instant::now());
    while done < count {
        let portion = 20_000.min(count - done);
        let faults: Vec<Fault> = (0..rng.random_range(0..12))
            .map(|_| {
                let at = rng.random_range(500..40_000);
                match rng.random_range(0..10) {
                    0 => Fault::Damage { at, mask: u128::from(rng.random::<u32>() | 1) << 96 },
                    1 => Fault::Damage { at, mask: 1 << rng.random_range(96..116) },
                    2 => Fault::LoseLine { at: at / 2 },
                    3 => Fault::Drop { at },
                    4 => Fault::WildStatus { at, word: rng.random_range(0..6), value: rng.random() },
                    5 => Fault::Hang { at, forever: false },
                    6 => Fault::LoseDoorbell { at: at / 20 },
                    7 => Fault::Late { at: at / 2, ns: rng.random_range(0..3_000_000) },
                    8 => Fault::LoseInterrupt { at: at / 400 },
                    _ => Fault::Halt { at, error: ErrorCode::BadSequence },
                }
            })
            .collect();
        faulty += faults.len();
        let (stream, serving) = soft(rng.random(), faults);
        // A hang is found by its time-out, so it is short here.
        let config = Config {
            h2c_lines_log2: 11,
            c2h_records_log2: 10,
            timeout_ns: 300_000_000,
            recoveries: 20,
            ..Config::bus()
        };
        let mut card = Card::open(VfioUser::over(stream, options(DmaBy::Fd)).unwrap(), config).unwrap();
        card.load(&rules::image(&LAB, VERSION)).unwrap();
        let packets = packets(&mut rng, portion);
        let mut reset_at = rng.random_range(0..3 * portion);
        recovered += run(&mut card, &packets, &mut rng, is_by_hash, |card, answered| {
            if answered >= reset_at {
                reset_at = usize::MAX;
                resets += 1;
                card.transport_mut().reset_function().unwrap();
            }
        });
        drop(card);
        let served = serving.join().unwrap();
        assert_eq!(served.mappings, 0);
        interrupts += served.interrupts;
        done += portion;
    }
    println!(
        "random_faults: {done} packets, {faulty} faults, {recovered} recoveries, {resets} resets by somebody else, \
         {interrupts} interrupts, in {:?}",
        start.elapsed()
    );
    assert!(recovered > 0);
}

#[test]
fn every_packet_has_one_right_verdict_whatever_goes_wrong() {
    let seed = std::env::var("WIRESIFT_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(11);
    random_faults(1_000_000, seed);
}

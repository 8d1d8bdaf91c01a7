//! Drivers that are killed in mid-stream, against `wiresift-simcard`: the card is not stuck, no mapping of the dead is left, and
//! the next one starts clean and gets right verdicts.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod rules;
mod sweep;

use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use wiresift_abi::geometry::LAB;
use wiresift_driver::conservation::CallerCounters;
use wiresift_driver::hugepages::PageSize;
use wiresift_driver::vfio_user::{DmaBy, Options as ClientOptions, VfioUser};
use wiresift_driver::{Card, Config};
use wiresift_testbench::library::BuildError;
use wiresift_testbench::model::ModelError;
use wiresift_testbench::{Options, SimCard, SimError};

const VERSION: u16 = 0x51;
/// Names the socket to a client that is to be killed.
const SOCKET: &str = "WIRESIFT_KILLED_SOCKET";

/// A process that ends with the test, whatever becomes of it.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _: std::io::Result<()> = self.0.kill();
        let _: std::io::Result<std::process::ExitStatus> = self.0.wait();
    }
}

fn open(socket: &Path) -> Card<VfioUser> {
    let options = ClientOptions {
        dma: DmaBy::Fd,
        limit: Duration::from_secs(20),
        pages: PageSize::Small,
        ..ClientOptions::default()
    };
    let transport = VfioUser::connect(socket, options).expect("the card's socket");
    let config =
        Config { h2c_lines_log2: 9, c2h_records_log2: 8, timeout_ns: 20_000_000_000, ..Config::bus() };
    let mut card = Card::open(transport, config).expect("a card that comes up");
    assert_eq!(card.load(&rules::image(&LAB, VERSION)).expect("rules").version, VERSION);
    card
}

/// Posts packets and takes verdicts, each of which is judged; tells `progress` how many there were.
fn stream(card: &mut Card<VfioUser>, packets: &[Vec<u8>], mut progress: impl FnMut(usize)) {
    let (mut posted, mut answered) = (0, 0);
    let mut in_flight: VecDeque<&[u8]> = VecDeque::new();
    while answered < packets.len() {
        let taken =
            card.post(packets[posted..].iter().map(Vec::as_slice)).expect("a card that takes packets");
        in_flight.extend(packets[posted..posted + taken].iter().map(Vec::as_slice));
        posted += taken;
        let mut verdicts = Vec::new();
        card.poll(&mut verdicts).expect("a card that answers");
        for verdict in verdicts {
            let packet = in_flight.pop_front().expect("a verdict for a packet in flight");
            let (acl, ids) = rules::expected(packet);
            assert_eq!((verdict.packet, verdict.acl, verdict.ids()), (answered as u64, acl, &ids[..]));
            answered += 1;
        }
        progress(answered);
    }
}

/// Run by the other test in a process of its own; alone it does nothing.
#[test]
fn a_client_that_is_to_be_killed() {
    let Some(socket) = std::env::var_os(SOCKET) else { return };
    let mut card = open(Path::new(&socket));
    let mut is_told = false;
    stream(&mut card, &rules::packets(1, 200_000), |answered| {
        if answered > 20 && !is_told {
            is_told = true;
            println!("streaming");
        }
    });
    panic!("nobody killed it");
}

#[test]
fn a_client_that_was_killed_leaves_nothing_behind() {
    match SimCard::new(&Options::new(&LAB)) {
        Err(SimError::Model(ModelError::Build(BuildError::NoTool(tool))))
            if std::env::var_os("REQUIRE_TOOLS").is_none_or(|value| value != "1") =>
        {
            println!("skipped: {tool} is not installed");
            return;
        }
        result => drop(result.expect("a simulated card")),
    }
    let (kills, start) = (if sweep::long() { 100 } else { 20 }, Instant::now());
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("card");
    let mut command = Command::new(env!("CARGO_BIN_EXE_wiresift-simcard"));
    let server = command.arg("--socket").arg(&socket).stderr(Stdio::piped()).spawn().unwrap();
    let mut server = Process(server);
    let mut told = BufReader::new(server.0.stderr.take().unwrap()).lines();
    assert!(told.next().unwrap().unwrap().contains("listening"));
    // Its lines are read to the end, so that it never waits for a full pipe.
    let told = std::thread::spawn(move || told.map_while(Result::ok).collect::<Vec<String>>());
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    for _ in 0..kills {
        let mut client = Command::new(std::env::current_exe().unwrap());
        client.args(["--exact", "a_client_that_is_to_be_killed", "--nocapture"]).env(SOCKET, &socket);
        let mut client = Process(client.stdout(Stdio::piped()).spawn().unwrap());
        let mut lines = BufReader::new(client.0.stdout.take().unwrap()).lines();
        assert!(
            lines.any(|line| line.unwrap().contains("streaming")),
            "the client ended before it was killed"
        );
        std::thread::sleep(Duration::from_micros(rng.random_range(0..20_000)));
        // SIGKILL: nothing of the client runs any more.
        client.0.kill().unwrap();
        client.0.wait().unwrap();
    }
    let mut card = open(&socket);
    let packets = rules::packets(2, 400);
    stream(&mut card, &packets, |_| {});
    card.conservation(CallerCounters { posted: 400, verdicts: 400 }).unwrap();
    card.shutdown().unwrap();
    // The server unmaps what it had of a client when it sees that the client is gone.
    let maps = format!("/proc/{}/maps", server.0.id());
    let shared =
        || std::fs::read_to_string(&maps).unwrap().lines().filter(|line| line.contains("memfd:")).count();
    let since = Instant::now();
    while shared() > 0 {
        assert!(since.elapsed() < Duration::from_secs(10), "{} mappings of clients are left", shared());
        std::thread::sleep(Duration::from_millis(10));
    }
    drop(server);
    let told = told.join().unwrap();
    let left = told.iter().filter(|line| line.contains("the client has left")).count();
    assert!(told.iter().all(|line| !line.contains("broke a rule")), "{told:?}");
    println!(
        "{kills} clients killed in mid-stream, {left} sessions ended in order, in {:?}",
        start.elapsed()
    );
}

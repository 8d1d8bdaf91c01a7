//! `wiresift classify --device vfio-user:SOCKET` with the simulated card behind the socket, which is unplugged in mid-stream:
//! the report is that of the CPU to the byte, and it is told what happened.
#![cfg(feature = "rtl")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread::{self, JoinHandle};

use wiresift_abi::csr::Csr;
use wiresift_abi::geometry::LAB;
use wiresift_driver::TransportError;
use wiresift_driver::dma::DmaMemory;
use wiresift_driver::vfio_user::DmaBy;
use wiresift_testbench::simcard::{ClientMemory, Function, Server, VerilatedCard};
use wiresift_testbench::{Options, SimCard};
use wiresift_tests::command::{Run, can_run, classify};

/// The simulated card, which pulls the plug at a doorbell. One that announces nothing new, as the driver rings it where
/// it has waited for long, does not count.
struct Unplugging {
    card: VerilatedCard,
    doorbells: u32,
    announced: u32,
    at: u32,
    stop: Arc<AtomicBool>,
}

impl Function for Unplugging {
    fn read_register(&mut self, offset: u16) -> Result<u32, TransportError> {
        self.card.read_register(offset)
    }
    fn write_register(&mut self, offset: u16, value: u32) -> Result<(), TransportError> {
        if offset == Csr::H2cPidx as u16 && value != self.announced {
            self.announced = value;
            self.doorbells += 1;
        }
        if self.doorbells == self.at {
            self.stop.store(true, Ordering::Relaxed);
        }
        self.card.write_register(offset, value)
    }
    fn run(&mut self) -> bool {
        self.card.run()
    }
    fn take_interrupt(&mut self) -> bool {
        self.card.take_interrupt()
    }
    fn reset(&mut self) {
        self.card.reset();
    }
    fn mapped(&mut self, iova: u64, memory: Option<Arc<DmaMemory>>, access: (bool, bool)) {
        self.card.mapped(iova, memory, access);
    }
    fn unmapped(&mut self, iova: u64) {
        self.card.unmapped(iova);
    }
}

/// Serves one session, which ends at a doorbell of that number; then nobody listens any more. The card is there when
/// this returns: a client waits less than a second for its answer.
fn serve(socket: &Path, at: u32) -> JoinHandle<()> {
    let listener = UnixListener::bind(socket).unwrap();
    let socket = socket.to_owned();
    let (ready, is_ready) = channel();
    let serving = thread::spawn(move || {
        let stop = Arc::new(AtomicBool::new(false));
        let memory = ClientMemory::new(DmaBy::Fd);
        let sim = SimCard::with_memory(&Options::new(&LAB), memory.clone()).unwrap();
        let card =
            Unplugging { card: VerilatedCard::new(sim), doorbells: 0, announced: 0, at, stop: stop.clone() };
        ready.send(()).unwrap();
        let (stream, _) = listener.accept().unwrap();
        // A client that finds nobody any more is what the test is about.
        drop(Server::new(card, memory).run(stream, &stop));
        std::fs::remove_file(socket).unwrap();
    });
    is_ready.recv().unwrap();
    serving
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

fn run(device: &str, more: &[&str]) -> Run {
    let rules = [fixture("demo.acl"), fixture("demo.rules")];
    let captures = vec![fixture("demo.pcap"); 60];
    classify(&["--device", device, "--geometry", "lab"], &rules, more, &captures)
}

#[test]
fn a_card_that_is_unplugged_changes_no_answer() {
    if !can_run("failover", &["rtl"]) {
        return;
    }
    let cpu = run("cpu", &[]);
    assert_eq!(cpu.code, Some(0), "{}", cpu.errors);
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("card");
    let device = format!("vfio-user:{}", socket.display());

    // It never fails: the card's own answers.
    let serving = serve(&socket, u32::MAX);
    let card = run(&device, &[]);
    serving.join().unwrap();
    assert_eq!((card.code, &card.csv), (Some(0), &cpu.csv), "{}", card.errors);
    assert!(!card.errors.contains("failed"), "{}", card.errors);

    // At the first doorbell the rules are loaded; later ones are in mid-stream.
    for doorbell in [4, 7] {
        let serving = serve(&socket, doorbell);
        let failed = run(&device, &[]);
        serving.join().unwrap();
        assert_eq!((failed.code, &failed.csv), (Some(0), &cpu.csv), "{}", failed.errors);
        assert!(failed.errors.contains("vfio-user: the card failed ("), "{}", failed.errors);
        assert!(failed.errors.contains("the CPU goes on, next try in 1000 ms"), "{}", failed.errors);
    }

    let serving = serve(&socket, 4);
    let failed = run(&device, &["--no-failover"]);
    serving.join().unwrap();
    assert_eq!(failed.code, Some(2));
    assert!(failed.errors.contains("vfio-user: failed"), "{}", failed.errors);

    let absent = run(&device, &[]);
    assert_eq!(absent.code, Some(2), "a card that was never there is an error: {}", absent.errors);
}

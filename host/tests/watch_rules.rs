//! `--watch-rules`: rules that change while packets come through a pipe.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;
use wiresift_host::capture::synthesize;

/// Every device of this build.
const DEVICES: &[&str] =
    if cfg!(feature = "rtl") { &["reference", "cpu", "rtl"] } else { &["reference", "cpu"] };
/// How long a line of output is waited for: the simulated card is built first where it was not before.
const PATIENCE: Duration = Duration::from_secs(if cfg!(feature = "rtl") { 600 } else { 60 });

/// A pcap without packets.
const PCAP: [u8; 24] = [0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0];

/// An access control list: a rule for each source network.
fn acl(networks: &[&str]) -> String {
    let rule = |network| format!("@{network}\t0.0.0.0/0\t0 : 65535\t0 : 65535\t0x00/0x00\t0x0000/0x0000\n");
    networks.iter().map(rule).collect()
}

/// The command with a pipe for captures and its output line by line.
struct Running {
    child: Child,
    input: Option<ChildStdin>,
    output: Receiver<String>,
    errors: Receiver<String>,
    rules: PathBuf,
    _folder: TempDir,
    packets: usize,
}

fn lines(from: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        BufReader::new(from).lines().map_while(Result::ok).try_for_each(|l| sender.send(l))
    });
    receiver
}

impl Running {
    fn new(device: &str, networks: &[&str], format: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let rules = folder.path().join("watched.acl");
        fs::write(&rules, acl(networks)).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_wiresift"))
            .args(["classify", "--watch-rules", "--geometry", "lab", "--seed", "3", "--format", format])
            .args(["--device", device, "--rules", &rules.display().to_string(), "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (output, errors) = (lines(child.stdout.take().unwrap()), lines(child.stderr.take().unwrap()));
        let mut input = child.stdin.take();
        input.as_mut().unwrap().write_all(&PCAP).unwrap();
        Self { child, input, output, errors, rules, _folder: folder, packets: 0 }
    }

    /// Sends packets of that source.
    fn send(&mut self, source: [u8; 4], count: usize) {
        let mut packet = Vec::new();
        synthesize(u32::from_be_bytes(source), 0x0102_0304, [5, 6], 17, &mut packet);
        let mut bytes = vec![0; 8];
        bytes.extend((packet.len() as u32).to_le_bytes());
        bytes.extend((packet.len() as u32).to_le_bytes());
        bytes.extend(packet);
        let input = self.input.as_mut().unwrap();
        input.write_all(&bytes.repeat(count)).unwrap();
        input.flush().unwrap();
        self.packets += count;
    }

    /// Sends packets and checks what becomes of each.
    fn decides(&mut self, source: [u8; 4], count: usize, verdict: &str) {
        let first = self.packets + 1;
        self.send(source, count);
        if first == 1 {
            let line = self.output.recv_timeout(PATIENCE).expect("the first line");
            assert_eq!(line, "packet,action,acl_rule,signatures,flags");
        }
        for number in first..first + count {
            let line = self.output.recv_timeout(PATIENCE).expect("a decision");
            assert_eq!(line, format!("{number},{verdict},,"));
        }
    }

    /// Waits for a line of standard error that holds `text`.
    fn says(&self, text: &str) -> String {
        let mut all = String::new();
        loop {
            let line = self.errors.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{text:?} not in {all}"));
            all = all + &line + "\n";
            if line.contains(text) {
                return all;
            }
        }
    }

    /// Ends the captures; gives what is left of the output.
    fn end(mut self) -> Vec<String> {
        drop(self.input.take());
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status:?}: {:?}", self.errors.iter().collect::<Vec<_>>());
        self.output.iter().collect()
    }
}

fn can_run(device: &str) -> bool {
    let is_there = device != "rtl" || Command::new("verilator").arg("--version").output().is_ok();
    if !is_there {
        println!("skipped: verilator is not installed");
    }
    is_there
}

#[test]
fn verdicts_change_with_the_file_and_none_is_missing() {
    for device in DEVICES.iter().filter(|device| can_run(device)) {
        let mut run = Running::new(device, &["10.0.0.0/8", "0.0.0.0/0"], "csv");
        run.decides([10, 1, 1, 1], 3, "match,1");
        run.decides([11, 1, 1, 1], 3, "match,2");
        fs::write(&run.rules, acl(&["10.1.0.0/16", "10.0.0.0/8", "12.0.0.0/8"])).unwrap();
        let said = run.says("rules reloaded as version 2");
        assert!(said.contains("2 entries inserted, 1 deleted"), "{said}");
        run.decides([10, 1, 1, 1], 3000, "match,1");
        run.decides([10, 2, 1, 1], 2, "match,2");
        run.decides([11, 1, 1, 1], 2, "none,");
        // A broken file is told of, with its place, and changes nothing.
        fs::write(&run.rules, "@10.1.0.0/16 nonsense\n").unwrap();
        let said = run.says("those of version 2 stay");
        assert!(said.contains("watched.acl:1"), "{said}");
        run.decides([10, 2, 1, 1], 5, "match,2");
        // So is one that goes away, and one with more rules than fit.
        fs::remove_file(&run.rules).unwrap();
        run.says("those of version 2 stay");
        run.decides([10, 2, 1, 1], 5, "match,2");
        let many: Vec<String> = (0..30_000).map(|n| format!("10.{}.{}.0/24", n / 256, n % 256)).collect();
        fs::write(&run.rules, acl(&many.iter().map(String::as_str).collect::<Vec<_>>())).unwrap();
        let said = run.says("those of version 2 stay");
        assert!(said.contains("geometry `lab`"), "{said}");
        run.decides([10, 2, 1, 1], 5, "match,2");
        // Editors put a new file in the place of the old one.
        let other = run.rules.with_extension("new");
        fs::write(&other, acl(&["11.0.0.0/8"])).unwrap();
        fs::rename(&other, &run.rules).unwrap();
        run.says("rules reloaded as version 3");
        run.decides([10, 2, 1, 1], 2, "none,");
        run.decides([11, 1, 1, 1], 2, "match,1");
        assert_eq!(run.end(), [""; 0]);
    }
}

#[test]
fn the_table_adds_up_what_both_rule_sets_said() {
    let mut run = Running::new("cpu", &["10.0.0.0/8"], "table");
    run.send([10, 1, 1, 1], 3);
    // The report comes at the end, so this only sees to it that the packets come before the change.
    thread::sleep(Duration::from_millis(500));
    fs::write(&run.rules, acl(&["10.0.0.0/8", "11.0.0.0/8"])).unwrap();
    run.says("rules reloaded as version 2");
    run.send([10, 1, 1, 1], 4);
    run.send([11, 1, 1, 1], 5);
    let table = run.end().join("\n");
    let row = |name: &str| table.lines().find(|line| line.contains(name)).unwrap_or_default();
    assert!(row("watched.acl:1").contains(" 7 "), "{table}");
    assert!(row("watched.acl:2").contains(" 5 "), "{table}");
    assert!(row("rules reloaded").contains(" 1 "), "{table}");
}

#[test]
fn what_cannot_be_watched_is_an_error() {
    let fails = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_wiresift")).args(args).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).unwrap()
    };
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).display().to_string();
    let (rules, image, capture) = (file("a.acl"), file("a.image"), file("a.pcap"));
    fs::write(&rules, acl(&["10.0.0.0/8"])).unwrap();
    fs::write(Path::new(&capture), PCAP).unwrap();
    let made = Command::new(env!("CARGO_BIN_EXE_wiresift"))
        .args(["compile", "--rules", &rules, "--output", &image])
        .status();
    assert!(made.unwrap().success());
    let errors = fails(&["classify", "--watch-rules", "--rules", &image, &capture]);
    assert!(errors.contains("not a rule image"), "{errors}");
    let errors = fails(&["classify", "--watch-rules", "--rules", "-", &capture]);
    assert!(errors.contains("standard input"), "{errors}");
}

//! Sessions with devices and reports that misbehave.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::VecDeque;
use std::io::Write;
use std::sync::Mutex;

use tempfile::NamedTempFile;

use super::*;
use crate::metadata::AclInfo;
use crate::rules::model::{AclAction, Origin};

/// What a test device does wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    Submit,
    Collect,
    Lose,
    Reorder,
    Short,
    BadRule,
}

/// Decides that the ACL rule is the number of bytes modulo 4, and only when it must or has four batches.
struct Double {
    fault: Fault,
    waiting: VecDeque<Arc<Batch>>,
    submitted: usize,
}

impl Double {
    fn new(fault: Fault) -> Self {
        Self { fault, waiting: VecDeque::new(), submitted: 0 }
    }

    fn error(&self) -> DeviceError {
        DeviceError { device: "double".to_owned(), message: "gone".to_owned(), source: None }
    }
}

impl Device for Double {
    fn submit(&mut self, batch: Arc<Batch>) -> Result<(), DeviceError> {
        self.submitted += 1;
        if self.fault == Fault::Submit && self.submitted == 3 {
            return Err(self.error());
        }
        if self.fault != Fault::Lose || self.submitted != 3 {
            self.waiting.push_back(batch);
        }
        Ok(())
    }

    fn collect(&mut self, drain: bool) -> Result<Option<Decided>, DeviceError> {
        if !drain && self.waiting.len() < 4 {
            return Ok(None);
        }
        if self.fault == Fault::Collect && self.submitted >= 3 {
            return Err(self.error());
        }
        let from_back = self.fault == Fault::Reorder;
        if from_back && self.waiting.len() == 1 {
            return Ok(None);
        }
        let batch = if from_back { self.waiting.pop_back() } else { self.waiting.pop_front() };
        let Some(batch) = batch else { return Ok(None) };
        let rule = |packet: &[u8]| if self.fault == Fault::BadRule { 4 } else { packet.len() as u32 % 4 };
        let decide = |packet| Decision { acl: Some(rule(packet)), ..Decision::default() };
        let mut decisions = batch.packets().map(decide).collect::<Vec<_>>();
        if self.fault == Fault::Short {
            decisions.pop();
        }
        Ok(Some(Decided { batch, decisions }))
    }

    fn update(&mut self, _update: &Arc<RuleUpdate>) -> Result<(), DeviceError> {
        unreachable!("no rules change in these sessions")
    }

    fn summary(&self) -> Vec<(String, String)> {
        vec![("batches".to_owned(), self.submitted.to_string())]
    }
}

/// Notes the decisions; fails where it is told to.
#[derive(Default)]
struct Notes {
    acl: Vec<u32>,
    places: Vec<(u32, u64)>,
    finished: Option<Totals>,
    fail_at: Option<(usize, io::ErrorKind)>,
    fail_in_finish: Option<io::ErrorKind>,
}

impl Report for Notes {
    fn decided(&mut self, decided: &Decided) -> io::Result<()> {
        match self.fail_at {
            Some((packets, kind)) if self.acl.len() >= packets => return Err(kind.into()),
            _ => {}
        }
        self.acl.extend(decided.decisions.iter().filter_map(|decision| decision.acl));
        let infos = (0..decided.batch.len()).map(|n| decided.batch.info(n));
        self.places.extend(infos.map(|info| (info.capture, info.number)));
        Ok(())
    }

    fn rules(&mut self, _metadata: Arc<Metadata>) {
        unreachable!("no rules change in these sessions")
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self, totals: &Totals) -> io::Result<()> {
        self.finished = Some(totals.clone());
        self.fail_in_finish.map_or(Ok(()), |kind| Err(kind.into()))
    }
}

fn metadata() -> Arc<Metadata> {
    let rule = AclInfo { action: AclAction::Match, origin: Origin::default() };
    Arc::new(Metadata { acl: vec![rule; 4], ..Metadata::default() })
}

/// A pcap with packets of these lengths, followed by `tail`.
fn capture(lengths: &[u32], tail: &[u8]) -> NamedTempFile {
    let mut bytes = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0];
    bytes.extend([0; 12]);
    bytes.extend(1_u32.to_le_bytes());
    for length in lengths {
        bytes.extend([0; 8]);
        bytes.extend(length.to_le_bytes());
        bytes.extend(length.to_le_bytes());
        bytes.resize(bytes.len() + *length as usize, 0);
    }
    bytes.extend(tail);
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(&bytes).unwrap();
    file
}

fn session(captures: &[&NamedTempFile], fault: Fault, notes: &mut Notes) -> Outcome {
    let captures = captures.iter().map(|file| file.path().to_owned()).collect();
    run(
        Plan { captures, metadata: metadata(), progress: false, reloads: None },
        &mut Double::new(fault),
        notes,
    )
}

/// More than fits all channels together, in batches by number and by bytes.
fn many() -> Vec<u32> {
    (0..60_000).map(|n| n * 7 % 300).collect()
}

#[test]
fn packets_keep_their_order_over_captures_and_batches() {
    let (first, second, empty) = (many(), vec![5, 6, 7], vec![]);
    let files = [capture(&first, &[]), capture(&empty, &[]), capture(&second, &[])];
    let mut notes = Notes::default();
    let outcome = session(&[&files[0], &files[1], &files[2]], Fault::None, &mut notes);
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    let expected = first.iter().chain(&second).map(|length| length % 4).collect::<Vec<_>>();
    assert_eq!(notes.acl, expected);
    let numbers = (1..=60_000).map(|number| (0, number)).chain((1..=3).map(|number| (2, number)));
    assert_eq!(notes.places, numbers.collect::<Vec<_>>());
    assert_eq!(outcome.totals.packets, 60_003);
    assert_eq!(
        outcome.totals.bytes,
        first.iter().chain(&second).map(|length| u64::from(*length)).sum::<u64>()
    );
    assert_eq!(notes.finished, Some(outcome.totals));
}

#[test]
fn a_cut_capture_gives_its_packets_and_then_the_error() {
    let files = [capture(&many(), &[1, 2, 3]), capture(&[1], &[])];
    let mut notes = Notes::default();
    let outcome = session(&[&files[0], &files[1]], Fault::None, &mut notes);
    assert_eq!(notes.acl.len(), 60_000);
    assert!(notes.finished.is_some());
    let Some(SessionError::Capture(error)) = outcome.error else { panic!("{:?}", outcome.error) };
    assert_eq!(error.offset, files[0].path().metadata().unwrap().len() - 3);
}

#[test]
fn a_device_that_breaks_its_promises_ends_the_session_with_an_error() {
    let file = capture(&many(), &[]);
    for (fault, texts) in [
        (Fault::Submit, ["double: gone"; 2]),
        (Fault::Collect, ["double: gone"; 2]),
        // The second where the reader is so slow that the device is drained before the next batch comes.
        (Fault::Lose, ["was next", "were not decided"]),
        (Fault::Reorder, ["was next", "were not decided"]),
        (Fault::Short, ["decisions for"; 2]),
        (Fault::BadRule, ["does not exist"; 2]),
    ] {
        let mut notes = Notes::default();
        let outcome = session(&[&file], fault, &mut notes);
        let Some(SessionError::Device(error)) = outcome.error else { panic!("{:?}", outcome.error) };
        assert!(texts.iter().any(|text| error.to_string().contains(text)), "{error}");
        assert_eq!(notes.acl.len() as u64, outcome.totals.packets, "{error}");
        assert!(notes.finished.is_some());
    }
}

#[test]
fn a_last_batch_that_is_lost_is_an_error() {
    // Three batches: one a capture, because a batch is handed on before the next capture's first read.
    let file = capture(&[1; 5000], &[]);
    let mut notes = Notes::default();
    let outcome = session(&[&file], Fault::Lose, &mut notes);
    let Some(SessionError::Device(error)) = outcome.error else { panic!("{:?}", outcome.error) };
    assert!(error.to_string().contains("1 batches were not decided"), "{error}");
}

#[test]
fn a_report_that_fails_ends_the_session_and_a_closed_pipe_is_no_error() {
    let file = capture(&many(), &[]);
    for (kind, is_error) in [(io::ErrorKind::StorageFull, true), (io::ErrorKind::BrokenPipe, false)] {
        for in_finish in [false, true] {
            let mut notes = Notes::default();
            if in_finish {
                notes.fail_in_finish = Some(kind);
            } else {
                notes.fail_at = Some((3000, kind));
            }
            let outcome = session(&[&file], Fault::None, &mut notes);
            assert_eq!(matches!(outcome.error, Some(SessionError::Report(_))), is_error);
            assert_eq!(notes.finished.is_some(), in_finish);
        }
    }
}

/// A report that counts what it was told, where the test can see it.
struct Counting(Arc<Mutex<usize>>);

impl Report for Counting {
    fn decided(&mut self, decided: &Decided) -> io::Result<()> {
        *self.0.lock().unwrap() += decided.batch.len();
        Ok(())
    }

    fn rules(&mut self, _metadata: Arc<Metadata>) {
        unreachable!("no rules change in these sessions")
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self, _totals: &Totals) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn packets_of_a_pipe_that_falls_silent_are_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
    let bytes = std::fs::read(capture(&[9, 9, 9], &[]).path()).unwrap();
    let told = Arc::new(Mutex::new(0));
    let seen = told.clone();
    let writer = {
        let path = path.clone();
        thread::spawn(move || {
            let mut pipe = std::fs::OpenOptions::new().write(true).open(path).unwrap();
            pipe.write_all(&bytes[..bytes.len() - 1]).unwrap();
            // Waits for the two whole packets before it sends the rest of the third.
            for _ in 0..1000 {
                if *seen.lock().unwrap() == 2 {
                    break;
                }
                thread::sleep(Duration::from_millis(10));
            }
            let at_once = *seen.lock().unwrap();
            pipe.write_all(&bytes[bytes.len() - 1..]).unwrap();
            at_once
        })
    };
    let plan = Plan { captures: vec![path], metadata: metadata(), progress: false, reloads: None };
    let outcome = run(plan, &mut Double::new(Fault::None), &mut Counting(told.clone()));
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    assert_eq!((writer.join().unwrap(), *told.lock().unwrap()), (2, 3));
}

//! What captures ask of a card's payload matcher: `cargo run --release -p wiresift-host --example payload_load -- RULES.. --
//! CAPTURE..`, with `GEOMETRY=lab` in the environment for the small card.
//!
//! Every packet goes through a model of the matcher with the tables that the compiler made: the filter, one survivor
//! verified a cycle (a cycle for each pattern of its window), one beat taken a cycle without a pause, which is more than
//! any bus brings. A packet counts as flagged when the card would give it to the host: more than six patterns, or dropped
//! survivors. It is a measurement, nothing is asserted.
#![allow(clippy::print_stdout, reason = "it prints its results")]

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use wiresift_abi::c2h::HITS_MAX;
use wiresift_abi::geometry::{Geometry, LINE};
use wiresift_abi::payload::{CLASSES, QUEUE_BEATS, QUEUE_MARGIN};
use wiresift_host::capture::{Capture, Next};
use wiresift_host::compile::{Compiled, Options, compile};
use wiresift_host::engine::host::sought_pattern;
use wiresift_host::patterns::{Pattern, Scratch, Searcher};
use wiresift_host::rules::load::load;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut parts = arguments.split(|argument| argument == "--");
    let (rules, captures) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let geometry = std::env::var("GEOMETRY").ok().and_then(|name| Geometry::by_name(&name)).unwrap_or(&LINE);
    let files: Vec<PathBuf> = rules.iter().map(PathBuf::from).collect();
    let vars = BTreeMap::from(VARIABLES.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let rules = load(&files, &vars).map_err(|errors| format!("{errors:?}"))?;
    let compiled = compile(&rules, geometry, &Options { seed: Some(1) })?;
    println!("{:?}", compiled.report.payload);
    println!(
        "packets | beats | survivors a beat | comparisons a beat | > {HITS_MAX} patterns | queue | flagged | capture"
    );
    let mut all = Load::default();
    for capture in captures {
        let mut load = Load::default();
        let mut model = Model::new(&compiled, geometry);
        // A capture that is cut counts as far as it goes.
        if let Err(error) = read(Path::new(capture), |packet| model.take(packet, &mut load)) {
            println!("{capture}: {error}");
        }
        let name = Path::new(capture).file_name().unwrap_or_default().to_string_lossy().into_owned();
        if captures.len() <= 60 {
            load.print(&name);
        }
        all.add(&load);
        for number in model.frequent {
            *all.frequent.entry(number.0).or_default() += number.1;
        }
    }
    all.print("all");
    let mut frequent: Vec<(u64, u32)> =
        all.frequent.iter().map(|(number, count)| (*count, *number)).collect();
    frequent.sort_unstable_by(|a, b| b.cmp(a));
    let texts = texts(&compiled);
    for (count, number) in frequent.into_iter().take(30) {
        println!("{count:8} packets: {:?}", String::from_utf8_lossy(texts[number as usize].0));
    }
    Ok(())
}

/// Variables of the rules of the corpus.
const VARIABLES: [(&str, &str); 17] = [
    ("HOME_NET", "[192.168.0.0/16,10.0.0.0/8,172.16.0.0/12]"),
    ("EXTERNAL_NET", "any"),
    ("HTTP_SERVERS", "$HOME_NET"),
    ("SMTP_SERVERS", "$HOME_NET"),
    ("SQL_SERVERS", "$HOME_NET"),
    ("DNS_SERVERS", "$HOME_NET"),
    ("TELNET_SERVERS", "$HOME_NET"),
    ("HTTP_PORTS", "80"),
    ("ORACLE_PORTS", "1521"),
    ("SSH_PORTS", "22"),
    ("SHELLCODE_PORTS", "!80"),
    ("FILE_DATA_PORTS", "[80,110,143]"),
    ("SIP_SERVERS", "$HOME_NET"),
    ("SIP_PORTS", "[5060,5061]"),
    ("FTP_PORTS", "21"),
    ("DNP3_SERVER", "$HOME_NET"),
    ("MODBUS_SERVER", "$HOME_NET"),
];

#[derive(Default)]
struct Load {
    packets: u64,
    beats: u64,
    survivors: u64,
    comparisons: u64,
    many: u64,
    queue: u64,
    flagged: u64,
    frequent: BTreeMap<u32, u64>,
}

impl Load {
    fn add(&mut self, other: &Self) {
        self.packets += other.packets;
        self.beats += other.beats;
        self.survivors += other.survivors;
        self.comparisons += other.comparisons;
        self.many += other.many;
        self.queue += other.queue;
        self.flagged += other.flagged;
    }

    fn print(&self, name: &str) {
        let of = |count: u64, whole: u64| count as f64 / whole.max(1) as f64;
        println!(
            "{:7} | {:9} | {:9.4} | {:9.4} | {:7} | {:7} | {:9.6} | {name}",
            self.packets,
            self.beats,
            of(self.survivors, self.beats),
            of(self.comparisons, self.beats),
            self.many,
            self.queue,
            of(self.flagged, self.packets),
        );
    }
}

/// The patterns on the card, in the order of the metadata.
fn texts(compiled: &Compiled) -> Vec<(&[u8], bool)> {
    let metadata = &compiled.metadata;
    let sought = metadata
        .patterns
        .iter()
        .filter_map(|(_, place)| sought_pattern(&metadata.signatures[*place as usize]));
    sought.map(|pattern| (pattern.bytes, pattern.nocase)).collect()
}

struct Model<'a> {
    compiled: &'a Compiled,
    geometry: &'a Geometry,
    searcher: Searcher,
    scratch: Scratch,
    /// Cycles of work of each beat in the queue.
    queue: std::collections::VecDeque<u64>,
    /// Cycles left of the work at hand.
    work: u64,
    frequent: BTreeMap<u32, u64>,
}

impl<'a> Model<'a> {
    fn new(compiled: &'a Compiled, geometry: &'a Geometry) -> Self {
        let texts = texts(compiled);
        let patterns: Vec<Pattern<'_>> =
            texts.iter().map(|(bytes, nocase)| Pattern { bytes, nocase: *nocase }).collect();
        Self {
            compiled,
            geometry,
            searcher: Searcher::new(&patterns, 1),
            scratch: Scratch::default(),
            queue: std::collections::VecDeque::new(),
            work: 0,
            frequent: BTreeMap::new(),
        }
    }

    fn take(&mut self, packet: &[u8], load: &mut Load) {
        let mut found = Vec::new();
        self.searcher.search(packet, &mut self.scratch, |pattern| found.push(pattern));
        for &pattern in &found {
            *self.frequent.entry(pattern).or_default() += 1;
        }
        let is_many = found.len() > HITS_MAX;
        let room = QUEUE_BEATS - QUEUE_MARGIN - self.geometry.packets_in_flight;
        let mut is_dropped = false;
        let bytes = self.geometry.beat_bytes;
        for beat in 0..packet.len().div_ceil(bytes) {
            let mut cycles = 0;
            for end in beat * bytes + 1..=packet.len().min((beat + 1) * bytes) {
                for class in CLASSES.into_iter().filter(|class| class.bytes() <= end) {
                    let window = &packet[end - class.bytes()..end];
                    if let Some(compared) = self.compiled.payload.compared(class, window) {
                        load.survivors += 1;
                        cycles += compared.max(1) as u64;
                    }
                }
            }
            load.beats += 1;
            load.comparisons += cycles;
            if cycles > 0 && self.queue.len() >= room {
                is_dropped = true;
            } else if cycles > 0 {
                self.queue.push_back(cycles);
            }
            if self.work == 0 {
                self.work = self.queue.pop_front().unwrap_or(0);
            }
            self.work = self.work.saturating_sub(1);
        }
        load.packets += 1;
        load.many += u64::from(is_many);
        load.queue += u64::from(is_dropped);
        load.flagged += u64::from(is_many || is_dropped);
    }
}

fn read(path: &Path, mut take: impl FnMut(&[u8])) -> Result<(), Box<dyn Error>> {
    let mut capture = Capture::open(path, Arc::new(AtomicU64::new(0)))?;
    loop {
        match capture.next(true)? {
            Next::Packet(packet) => take(packet.bytes),
            Next::Starved => {}
            Next::End => return Ok(()),
        }
    }
}

//! A card behind the driver as a device.
//!
//! Packets go into the ring in order and their verdicts come out in order. What the card leaves to the
//! host is decided on the CPU engine at its place in that order: packets that are too long for the
//! ring, and the headers of verdicts with DEFER, CUT or OVERFLOW (docs/packet-semantics.md). Patterns are sought on the host
//! where a verdict says OVERFLOW; else those that the card named count, whoever decided the headers. A fault of the card is mended by
//! the driver where a reset mends it; no packet is lost or decided twice.
//!
//! New rules are posted behind the packets of the batches before them. A verdict is read by the metadata of
//! the version that its batch was submitted under, and must carry that version; the CPU engine follows
//! when the first packet of a version is left to it.
//!
//! When the card fails for good, the host may stand in ([`failover`]).

pub mod failover;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use wiresift_abi::csr::Counter;
use wiresift_abi::h2c::PACKET_BYTES_MAX;
use wiresift_abi::image::Image;
use wiresift_abi::vector::Flags;
use wiresift_driver::conservation::{CallerCounters, CardCounters};
use wiresift_driver::{Card, Config, DriverError, Transport, Verdict};

use self::failover::Failover;
use super::cpu::parse::Header;
use super::cpu::{CpuEngine, EngineError, Found, Headed};
use super::host::{HostEngine, HostRules};
use crate::decision::Decision;
use crate::device::{Batch, Decided, Device, DeviceError, RuleUpdate};
use crate::metadata::Metadata;

/// Batches that a device takes before it decides one: enough to keep the ring filled.
const BATCHES: usize = 4;

/// What else is to be checked of a transport when the card is at rest.
pub type Check<T> = fn(&T) -> Result<(), Box<dyn Error + Send + Sync>>;

/// A card as a device.
pub struct CardDevice<T: Transport> {
    name: &'static str,
    check: Check<T>,
    /// Only [`Device::summary`], which reads registers, borrows it; the rest has it for itself.
    /// None while the host stands in for it.
    card: RefCell<Option<Card<T>>>,
    config: Config,
    failover: Option<Failover<T>>,
    /// Gives the headers of the packets that the card leaves to the host.
    tables: HostTables,
    /// Finishes every decision, in the order of the packets.
    host: HostEngine,
    /// Rules of the batches to come.
    rules: Rules,
    batches: VecDeque<Pending>,
    verdicts: Vec<Verdict>,
    posted: u64,
    answered: u64,
    /// Counters of the card when the rules were loaded.
    loaded: CardCounters,
    left: LeftToHost,
}

/// Rules with which verdicts are read.
#[derive(Clone)]
struct Rules {
    version: u16,
    host: Arc<HostRules>,
}

/// The CPU engine, which follows the rules of the card when it is needed.
struct HostTables {
    engine: CpuEngine,
    version: u16,
    /// Updates that the engine has not seen, in order.
    behind: VecDeque<Arc<RuleUpdate>>,
}

/// A batch on its way.
struct Pending {
    batch: Arc<Batch>,
    rules: Rules,
    /// Packets posted, or passed over because they never enter the ring.
    posted: usize,
    decisions: Vec<Decision>,
}

/// Packets that the card left to the host.
#[derive(Clone, Copy, Debug, Default)]
struct LeftToHost {
    deferred: u64,
    cut: u64,
    jumbo: u64,
    /// Only the patterns.
    overflow: u64,
}

impl<T: Transport> CardDevice<T> {
    /// Brings the card behind `transport` up and loads `image`. `metadata` is that of the image, `engine` was
    /// built from the same image, `name` is that of the command line.
    ///
    /// # Errors
    /// Where the card does not come up, the image is not for it, or its signatures cannot be verified.
    pub fn open(
        name: &'static str,
        transport: T,
        check: Check<T>,
        image: &Image,
        metadata: Arc<Metadata>,
        engine: CpuEngine,
    ) -> Result<Self, DeviceError> {
        Self::with_config(name, transport, check, image, metadata, engine, Config::default())
    }

    /// Like [`CardDevice::open`], with sizes and limits of the driver.
    ///
    /// # Errors
    /// As [`CardDevice::open`].
    pub fn with_config(
        name: &'static str,
        transport: T,
        check: Check<T>,
        image: &Image,
        metadata: Arc<Metadata>,
        engine: CpuEngine,
        config: Config,
    ) -> Result<Self, DeviceError> {
        let failed = |error: DriverError| failure(name, "cannot be brought up", error);
        let mut card = Card::open(transport, config).map_err(failed)?;
        let version = card.load(image).map_err(failed)?.version;
        let loaded = card.card_counters().map_err(failed)?;
        let host =
            HostRules::new(&metadata).map_err(|error| failure(name, "cannot verify signatures", error))?;
        let host = Arc::new(host);
        host.prepare_for_card();
        Ok(Self {
            name,
            check,
            card: RefCell::new(Some(card)),
            config,
            failover: None,
            tables: HostTables { engine, version, behind: VecDeque::new() },
            host: HostEngine::new(Arc::clone(&host)),
            rules: Rules { version, host },
            batches: VecDeque::new(),
            verdicts: Vec::new(),
            posted: 0,
            answered: 0,
            loaded,
            left: LeftToHost::default(),
        })
    }

    /// Says that no update will come, so that nothing is kept for other rules.
    pub fn fix_rules(&mut self) {
        self.host.fix_rules();
    }

    /// Fills the ring, lets the card run a moment and takes its verdicts; says whether there were any.
    fn step(&mut self) -> Result<bool, DeviceError> {
        let driven = self.post().and_then(|()| self.poll());
        // The verdicts before a fault are good.
        let any = !self.verdicts.is_empty();
        if let Err(error) = self.take_verdicts() {
            return self.fail(error).map(|()| true);
        }
        if let Some(failover) = self.failover.as_mut().filter(|_| any) {
            failover.note_answers();
        }
        let Err(error) = driven else { return Ok(any) };
        match self.recover(error, "failed") {
            Ok(()) => Ok(any),
            Err(error) => self.fail(error).map(|()| true),
        }
    }

    fn poll(&mut self) -> Result<(), DriverError> {
        let Some(card) = self.card.get_mut() else { return Ok(()) };
        card.poll(&mut self.verdicts).map(|_| ())
    }

    fn recover(&mut self, error: DriverError, message: &str) -> Result<(), DeviceError> {
        let Some(card) = self.card.get_mut() else { return Ok(()) };
        card.recover(error).map_err(|error| failure(self.name, message, error))
    }

    fn post(&mut self) -> Result<(), DriverError> {
        let Some(card) = self.card.get_mut() else { return Ok(()) };
        for pending in &mut self.batches {
            let batch = &pending.batch;
            while pending.posted < batch.len() {
                if is_jumbo(batch.packet(pending.posted)) {
                    pending.posted += 1;
                    continue;
                }
                let rest = (pending.posted..batch.len()).map(|n| batch.packet(n));
                let count = card.post(rest.take_while(|packet| !is_jumbo(packet)))?;
                pending.posted += count;
                self.posted += count as u64;
                if count == 0 {
                    return card.doorbell();
                }
            }
        }
        card.doorbell()
    }

    /// Ties verdicts to their packets.
    fn take_verdicts(&mut self) -> Result<(), DeviceError> {
        let mut verdicts = std::mem::take(&mut self.verdicts);
        for verdict in verdicts.drain(..) {
            self.decide_jumbo()?;
            let Some(at) = self.batches.iter().position(|pending| !pending.is_decided()) else {
                return Err(
                    self.broken(format!("a verdict for packet {} that was not posted", verdict.packet))
                );
            };
            self.decide(&verdict, at)?;
        }
        self.verdicts = verdicts;
        self.decide_jumbo()
    }

    /// Decides the packets that never enter the ring, up to the next one that does.
    fn decide_jumbo(&mut self) -> Result<(), DeviceError> {
        for pending in &mut self.batches {
            while let Some(packet) = pending.undecided() {
                if !is_jumbo(packet) {
                    return Ok(());
                }
                self.left.jumbo += 1;
                pending
                    .decide_by(&mut self.tables, &mut self.host, None)
                    .map_err(|error| behind(self.name, error))?;
            }
        }
        Ok(())
    }

    /// Decides the next packet of batch `at`, which waits for a verdict, by this one.
    fn decide(&mut self, verdict: &Verdict, at: usize) -> Result<(), DeviceError> {
        let Rules { version, host } = self.batches[at].rules.clone();
        if self.batches[at].is_decided() || verdict.packet != self.answered {
            return Err(
                self.broken(format!("packet {} decided instead of {}", verdict.packet, self.answered))
            );
        }
        if verdict.version != version {
            let (packet, by) = (verdict.packet, verdict.version);
            return Err(self.broken(format!("packet {packet} decided by version {by} instead of {version}")));
        }
        if let Some(hit) = verdict.hits().iter().find(|hit| !host.is_rule_group(**hit)) {
            return Err(self.broken(format!("a verdict names pattern {hit}")));
        }
        if let Some(bit) = host.unknown_presence_bit(verdict.presence_words()) {
            return Err(self.broken(format!("a verdict sets presence bit {bit}")));
        }
        self.left.overflow += u64::from(verdict.flags.0 & Flags::OVERFLOW != 0);
        // Where patterns are missing, nothing leads to the headers that the card is not asked about.
        if verdict.flags.0 & Flags::HOST_DECIDES != 0 {
            self.left.deferred += u64::from(verdict.flags.0 & Flags::DEFER != 0);
            self.left.cut += u64::from(verdict.flags.0 & Flags::CUT != 0);
            let pending = &mut self.batches[at];
            let found = named(verdict);
            let decided = pending.decide_by(&mut self.tables, &mut self.host, found);
            decided.map_err(|error| behind(self.name, error))?;
        } else {
            if let Some(id) = verdict.acl.filter(|id| host.metadata().acl_place(*id).is_none()) {
                return Err(self.broken(format!("a verdict names ACL rule {id}")));
            }
            if let Some(id) = verdict.ids().iter().find(|id| **id as usize >= host.headers()) {
                return Err(self.broken(format!("a verdict names signature header {id}")));
            }
            self.batches[at].decide_with(&mut self.host, verdict);
        }
        self.answered += 1;
        Ok(())
    }

    /// Whether card, driver and this device counted the same, and the bus was kept in order.
    fn check_at_rest(&mut self) -> Result<(), DeviceError> {
        let caller = CallerCounters { posted: self.posted, verdicts: self.answered };
        let Some(card) = self.card.get_mut() else { return Ok(()) };
        card.conservation(caller).map_err(|error| failure(self.name, "lost packets", error))?;
        (self.check)(card.transport()).map_err(|source| DeviceError {
            device: self.name.to_owned(),
            message: "is not in order".to_owned(),
            source: Some(source),
        })
    }

    fn broken(&self, message: String) -> DeviceError {
        DeviceError { device: self.name.to_owned(), message, source: None }
    }
}

impl HostTables {
    /// Updates that the engine is behind at most.
    const BEHIND: usize = 64;

    /// Notes new rules.
    fn note(&mut self, update: &Arc<RuleUpdate>) {
        self.behind.push_back(update.clone());
    }

    /// The engine with the rules of a version. Versions are asked for in the order of the updates.
    fn at(&mut self, version: u16) -> Result<&mut CpuEngine, EngineError> {
        if self.version != version {
            let count = self.behind.iter().position(|update| update.version == version);
            self.follow(count.map_or(0, |at| at + 1))?;
        }
        Ok(&mut self.engine)
    }

    /// Runs `count` updates.
    fn follow(&mut self, count: usize) -> Result<(), EngineError> {
        let updates: Vec<Arc<RuleUpdate>> = self.behind.drain(..count).collect();
        if let Some(last) = updates.last() {
            let commands = updates.iter().flat_map(|update| update.commands.iter());
            self.engine.update(commands, last.metadata.clone())?;
            self.version = last.version;
        }
        Ok(())
    }

    /// Follows to a version that has decided a batch, where the engine is far behind.
    fn keep_up(&mut self, version: u16) -> Result<(), EngineError> {
        if self.behind.len() >= Self::BEHIND { self.at(version).map(|_| ()) } else { Ok(()) }
    }
}

fn behind(name: &str, error: EngineError) -> DeviceError {
    failure(name, "cannot change the rules of the host's engine", error)
}

fn failure(name: &str, message: &str, error: impl Error + Send + Sync + 'static) -> DeviceError {
    DeviceError { device: name.to_owned(), message: message.to_owned(), source: Some(Box::new(error)) }
}

fn is_jumbo(packet: &[u8]) -> bool {
    packet.len() > PACKET_BYTES_MAX
}

/// The patterns that a verdict names, where it names all.
fn named(verdict: &Verdict) -> Option<Found<'_>> {
    let found = Found { hits: verdict.hits(), presence: verdict.presence_words() };
    (verdict.flags.0 & Flags::OVERFLOW == 0).then_some(found)
}

impl Pending {
    fn is_decided(&self) -> bool {
        self.decisions.len() == self.batch.len()
    }

    /// The first packet without a decision.
    fn undecided(&self) -> Option<&[u8]> {
        (!self.is_decided()).then(|| self.batch.packet(self.decisions.len()))
    }

    /// Decides the first packet without a decision by the host's tables, and by the patterns that a card named.
    fn decide_by(
        &mut self,
        tables: &mut HostTables,
        host: &mut HostEngine,
        found: Option<Found<'_>>,
    ) -> Result<(), EngineError> {
        let at = self.decisions.len();
        let Self { batch, rules, decisions, .. } = self;
        let engine = tables.at(rules.version)?;
        host.follow(&rules.host);
        engine.classify(std::iter::once(batch.packet(at)), |packet, headed| {
            decisions.push(host.decide(packet, batch.info(at).nanos, &Headed { found, ..*headed }));
        });
        Ok(())
    }

    /// Decides the first packet without a decision by a verdict that its rules explain.
    fn decide_with(&mut self, host: &mut HostEngine, verdict: &Verdict) {
        let at = self.decisions.len();
        let packet = self.batch.packet(at);
        let header = Header { flags: verdict.flags.0, ..Header::of(packet) };
        host.follow(&self.rules.host);
        let found = named(verdict);
        let headed = Headed { acl: verdict.acl, headers: verdict.ids(), header, found };
        self.decisions.push(host.decide(packet, self.batch.info(at).nanos, &headed));
    }
}

impl<T: Transport> Device for CardDevice<T> {
    fn submit(&mut self, batch: Arc<Batch>) -> Result<(), DeviceError> {
        self.try_again();
        if let Some(failover) = self.failover.as_mut().filter(|_| self.posted == self.answered) {
            failover.alive_at = Instant::now();
        }
        let decisions = Vec::with_capacity(batch.len());
        let rules = self.rules.clone();
        self.batches.push_back(Pending { batch, rules, posted: 0, decisions });
        if self.card.get_mut().is_none() {
            return self.stand_in();
        }
        while self.batches.iter().filter(|pending| !pending.is_decided()).count() >= BATCHES {
            self.step()?;
        }
        Ok(())
    }

    fn update(&mut self, update: &Arc<RuleUpdate>) -> Result<(), DeviceError> {
        let host =
            update.host_rules().map_err(|error| failure(self.name, "cannot verify signatures", error))?;
        host.prepare_for_card();
        // The packets of the batches before go into the ring before the commands.
        while self.batches.iter().any(|pending| pending.posted < pending.batch.len()) {
            self.step()?;
        }
        self.tables.note(update);
        self.rules = Rules { version: update.version, host };
        if let Some(failover) = &mut self.failover {
            failover.note_rules(update);
        }
        let Some(card) = self.card.get_mut() else { return Ok(()) };
        let driven = card.update(update.commands.clone()).and_then(|_| card.doorbell());
        let Err(error) = driven else { return Ok(()) };
        // Where that helps, it posts the commands too.
        self.recover(error, "cannot change its rules").or_else(|error| self.fail(error))
    }

    fn collect(&mut self, drain: bool) -> Result<Option<Decided>, DeviceError> {
        self.decide_jumbo()?;
        loop {
            if self.batches.front().is_none_or(Pending::is_decided) {
                let decided = self.batches.pop_front();
                if let Some(pending) = &decided {
                    let kept_up = self.tables.keep_up(pending.rules.version);
                    kept_up.map_err(|error| behind(self.name, error))?;
                }
                if decided.is_some() && self.batches.is_empty() {
                    // The decisions stay: each came with a verdict of its own.
                    self.check_at_rest().or_else(|error| self.fail(error))?;
                }
                return Ok(decided.map(|Pending { batch, decisions, .. }| Decided { batch, decisions }));
            }
            if !self.step()? && !drain {
                return Ok(None);
            }
        }
    }

    fn summary(&self) -> Vec<(String, String)> {
        let LeftToHost { deferred, cut, jumbo, overflow } = self.left;
        let mut lines = vec![
            ("decided by the host: deferred".to_owned(), deferred.to_string()),
            ("decided by the host: cut".to_owned(), cut.to_string()),
            ("decided by the host: jumbo".to_owned(), jumbo.to_string()),
        ];
        if self.rules.host.patterns_on_card() > 0 {
            let of = format!("{overflow} of {}", self.answered);
            lines.push(("packets whose patterns the host sought alone".to_owned(), of));
        }
        lines.extend(self.host.summary());
        if let Some(card) = self.card.borrow_mut().as_mut() {
            let recoveries = card.counters().recoveries;
            match card.card_counters() {
                // A recovery sets the card's counters to zero, so they say nothing of the whole session.
                _ if recoveries > 0 => {
                    lines.push(("recoveries of the card".to_owned(), recoveries.to_string()));
                }
                Ok(now) => lines.extend(rates(&now.since(&self.loaded))),
                Err(error) => lines.push(("counters of the card".to_owned(), error.to_string())),
            }
        }
        lines.extend(self.failover.iter().flat_map(|failover| failover.summary(self.is_on_card())));
        lines
    }

    fn notices(&mut self) -> Vec<String> {
        let notices = self.failover.as_mut().map(Failover::take_notices).unwrap_or_default();
        notices.into_iter().map(|notice| format!("{}: {notice}", self.name)).collect()
    }
}

/// What the card did since the rules were loaded.
fn rates(counters: &CardCounters) -> Vec<(String, String)> {
    let [cycles, packets, beats] =
        [Counter::Cycles, Counter::Verdicts, Counter::PacketBeats].map(|counter| counters.get(counter));
    let ratio = |over: u64, under: u64| {
        if under == 0 { "none".to_owned() } else { format!("{:.3}", over as f64 / under as f64) }
    };
    vec![
        ("cycles".to_owned(), cycles.to_string()),
        ("cycles a packet".to_owned(), ratio(cycles, packets)),
        ("beats a cycle".to_owned(), ratio(beats, cycles)),
    ]
}

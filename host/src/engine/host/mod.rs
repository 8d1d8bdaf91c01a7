//! The host's part of a decision: signatures that ask for more than a header.
//!
//! Every device gives the headers that a packet satisfies: the card's verdict or the CPU engine's tables. This joins them with
//! the patterns in the payload and finishes what is left. A card also names the rule groups whose pattern it found in the packet; then only
//! the patterns that it does not seek are left to the search here ([`on_card`]), and headers whose signatures all wait for a
//! pattern are asked here, where one may be found ([`off_card`]).
//!
//! 1. The packet takes its place in its flow.
//! 2. Candidates: signatures without a pattern, of every header that holds; and signatures one of whose headers holds and whose
//!    pattern is in the payload. Only rules of patterns that were found are looked at, never all of a header.
//! 3. Candidates are verified one after another in the order of the rules, within the packet's budget
//!    ([`crate::verify`]), and matches counted for thresholds.
//!
//! Packets must come in order, each once: flows and counters go by what came before. So all devices have the same
//! answers.

mod blind;
mod off_card;
mod on_card;
mod rules;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use wiresift_abi::c2h;
use wiresift_abi::vector::Flags;

pub use rules::{HostError, HostRules, fast_pattern, sought_pattern};

use crate::decision::Decision;
use crate::engine::cpu::parse::Header;
use crate::engine::cpu::{Found, Headed, HeaderSets};
use crate::patterns::{self, Lengths};
use crate::verify::flow::{FlowState, FlowTable};
use crate::verify::layers::Layers;
use crate::verify::run::{Budget, Scratch};
use crate::verify::threshold::Thresholds;
use blind::Blind;
use on_card::Lower;
use rules::{Kind, Rule};

/// Finishes decisions by rules, and keeps what one packet does not tell.
#[derive(Debug)]
pub struct HostEngine {
    rules: Arc<HostRules>,
    flows: FlowTable,
    thresholds: Thresholds,
    scratch: Scratch,
    searched: patterns::Scratch,
    /// The same for the patterns that the card does not seek.
    searched_rest: patterns::Scratch,
    lower: Lower,
    /// The headers that the card is not asked about, once a packet asked for them.
    off_card: Option<HeaderSets>,
    /// The headers that hold, of the packet at hand.
    headers: Vec<u32>,
    marks: Marks,
    candidates: Vec<u32>,
    counts: Counts,
    blind: Blind,
    /// Flows are followed: some rule asks for them, or a later one may.
    follows_flows: bool,
}

/// What is true of the packet at hand: places that carry its number.
#[derive(Debug, Default)]
struct Marks {
    now: u32,
    /// By header: it holds.
    headers: Vec<u32>,
    /// By signature: it is among the candidates.
    candidates: Vec<u32>,
}

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Packets.
    pub packets: u64,
    /// Candidates that were verified.
    pub verified: u64,
    /// Packets whose budget did not suffice.
    pub over_budget: u64,
}

impl HostEngine {
    /// An engine without a past.
    pub fn new(rules: Arc<HostRules>) -> Self {
        let mut engine = Self {
            rules,
            flows: FlowTable::default(),
            thresholds: Thresholds::default(),
            scratch: Scratch::default(),
            searched: patterns::Scratch::default(),
            searched_rest: patterns::Scratch::default(),
            lower: Lower::default(),
            off_card: None,
            headers: Vec::new(),
            marks: Marks::default(),
            candidates: Vec::new(),
            counts: Counts::default(),
            blind: Blind::default(),
            follows_flows: true,
        };
        engine.marks.fit(&engine.rules);
        engine
    }

    /// Says that the rules stay as they are, so that nothing is kept for others.
    pub fn fix_rules(&mut self) {
        self.follows_flows = self.rules.verified() > 0;
    }

    /// Goes by other rules from the next packet on. Flows are kept, the counters of thresholds begin anew.
    pub fn update(&mut self, rules: Arc<HostRules>) {
        self.rules = rules;
        self.follows_flows = true;
        self.off_card = None;
        self.marks.fit(&self.rules);
        self.thresholds.clear();
    }

    /// As [`Self::update`] where the rules are others than those in force.
    pub fn follow(&mut self, rules: &Arc<HostRules>) {
        if !Arc::ptr_eq(&self.rules, rules) {
            self.update(Arc::clone(rules));
        }
    }

    /// The rules in force.
    pub fn rules(&self) -> &Arc<HostRules> {
        &self.rules
    }

    /// What was done so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The lines of a summary.
    pub fn summary(&self) -> Vec<(String, String)> {
        if self.rules.verified() == 0 {
            return Vec::new();
        }
        let Counts { packets, verified, over_budget } = self.counts;
        let each = if packets == 0 { 0.0 } else { verified as f64 / packets as f64 };
        let mut lines = vec![
            ("signatures verified a packet".to_owned(), format!("{each:.3}")),
            ("packets over the budget of verification".to_owned(), over_budget.to_string()),
        ];
        if self.rules.has_prefilters() {
            lines.extend(self.blind.lines());
        }
        lines
    }

    /// What the rules say of the next packet; `headed` is what its headers say, `nanos` the time of its capture.
    pub fn decide(&mut self, packet: &[u8], nanos: u64, headed: &Headed<'_>) -> Decision {
        let mut decision = Decision {
            acl: headed.acl.and_then(|id| self.rules.metadata().acl_place(id)),
            signatures: Vec::new(),
            suspects: Vec::new(),
            flags: Flags(headed.header.flags),
        };
        self.counts.packets += 1;
        let rules = Arc::clone(&self.rules);
        let off_card = rules.off_card.as_ref();
        let off_card = off_card.filter(|off_card| headed.found.is_some_and(|found| off_card.matter(&found)));
        if !self.follows_flows && headed.headers.is_empty() && off_card.is_none() {
            return decision;
        }
        let layers = Layers::new(packet, headed.header);
        let flow = if self.follows_flows { self.flows.update(&layers) } else { None };
        if rules.has_prefilters() {
            self.blind.count(&layers, flow);
        }
        self.headers.clear();
        self.headers.extend(headed.headers);
        if let Some(off_card) =
            off_card.filter(|_| layers.payload().is_some_and(|payload| !payload.is_empty()))
        {
            let sets = self.off_card.get_or_insert_with(|| off_card.sets(rules.metadata()).clone());
            self.headers.extend(sets.look_up(&headed.header.key()));
        }
        if self.headers.is_empty() {
            return decision;
        }
        self.find_candidates(&rules, &layers, headed.found);
        let mut verification = Verification {
            layers: &layers,
            header: &headed.header,
            flow,
            nanos,
            budget: Budget::of(packet.len()),
            is_over_budget: false,
        };
        self.scratch.begin();
        for &place in &self.candidates {
            let rule = &rules.rules[place as usize];
            if matches!(rule.kind, Kind::Verified { .. }) {
                self.counts.verified += 1;
            }
            match verification.verdict(place, rule, &mut self.scratch, &mut self.thresholds) {
                Verdict::Matches => decision.signatures.push(place),
                Verdict::Suspect => decision.suspects.push(place),
                Verdict::Nothing => {}
            }
        }
        self.counts.over_budget += u64::from(verification.is_over_budget);
        if !decision.suspects.is_empty() {
            decision.flags.0 |= Flags::SUSPECT;
        }
        decision
    }

    /// Fills in the candidates, ascending, each once.
    fn find_candidates(&mut self, rules: &HostRules, layers: &Layers<'_>, found: Option<Found<'_>>) {
        let (marks, candidates, headers) = (&mut self.marks, &mut self.candidates, &self.headers[..]);
        candidates.clear();
        marks.begin();
        let (mut lengths, mut rest) = (Lengths::default(), Lengths::default());
        for &header in headers {
            marks.headers[header as usize] = marks.now;
            lengths |= rules.lengths(header);
            rest |= rules.rest(header);
        }
        for &header in headers {
            for &place in rules.always(header) {
                if rules.is_left(place, |header| marks.holds(header)) {
                    marks.add(place, candidates);
                }
            }
        }
        if let Some(payload) = layers.payload().filter(|_| !lengths.is_empty()) {
            match found.filter(|_| !rules.on_card.is_empty()) {
                None => rules.searcher.search(payload, lengths, &mut self.searched, |pattern| {
                    marks.add_of(rules.of_pattern(pattern), rules, candidates, || true);
                }),
                Some(Found { hits, presence }) => {
                    let (on_card, lower) = (&rules.on_card, &mut self.lower);
                    lower.begin();
                    let groups = hits.iter().filter_map(|hit| on_card.group(*hit));
                    let groups = groups.map(|group| (group.pattern, &group.signatures[..]));
                    let short = c2h::present(presence).filter_map(|bit| on_card.number_of_bit(bit));
                    let short = short.map(|pattern| (pattern, rules.of_pattern(pattern)));
                    for (pattern, places) in groups.chain(short) {
                        marks.add_of(places, rules, candidates, || on_card.is_in(pattern, payload, lower));
                    }
                    if !rest.is_empty() {
                        on_card.rest().search(payload, rest, &mut self.searched_rest, |found| {
                            let places = rules.of_pattern(on_card.number_of_rest(found));
                            marks.add_of(places, rules, candidates, || true);
                        });
                    }
                }
            }
        }
        candidates.sort_unstable();
    }
}

impl Marks {
    fn fit(&mut self, rules: &HostRules) {
        self.now = 0;
        self.headers = vec![0; rules.headers()];
        self.candidates = vec![0; rules.rules.len()];
    }

    /// Forgets the packet before.
    fn begin(&mut self) {
        match self.now.checked_add(1) {
            Some(next) => self.now = next,
            None => {
                self.headers.fill(0);
                self.candidates.fill(0);
                self.now = 1;
            }
        }
    }

    fn holds(&self, header: u32) -> bool {
        self.headers[header as usize] == self.now
    }

    /// Adds those signatures of a pattern whose headers hold, if it is in the payload. That is asked where
    /// there is such a signature alone: a short pattern is in most packets.
    fn add_of(
        &mut self,
        places: &[u32],
        rules: &HostRules,
        candidates: &mut Vec<u32>,
        is_in: impl FnOnce() -> bool,
    ) {
        let mut is_in = Some(is_in);
        for &place in places {
            if !rules.holds(place, |header| self.holds(header)) {
                continue;
            }
            if is_in.take().is_some_and(|is_in| !is_in()) {
                return;
            }
            self.add(place, candidates);
        }
    }

    fn add(&mut self, place: u32, candidates: &mut Vec<u32>) {
        let mark = &mut self.candidates[place as usize];
        if *mark != self.now {
            *mark = self.now;
            candidates.push(place);
        }
    }
}

/// What is known of the packet while its candidates are tried.
struct Verification<'p, 'a> {
    layers: &'p Layers<'a>,
    header: &'p Header,
    flow: Option<FlowState>,
    nanos: u64,
    budget: Budget,
    is_over_budget: bool,
}

/// What becomes of a candidate.
enum Verdict {
    Matches,
    Suspect,
    Nothing,
}

impl Verification<'_, '_> {
    fn verdict(
        &mut self,
        place: u32,
        rule: &Rule,
        scratch: &mut Scratch,
        thresholds: &mut Thresholds,
    ) -> Verdict {
        let Kind::Verified { program, is_prefilter, threshold } = &rule.kind else {
            return Verdict::Matches;
        };
        let flow = program.flow();
        let flow_holds = if *is_prefilter { flow.holds_direction(self.flow) } else { flow.holds(self.flow) };
        if !flow_holds {
            return Verdict::Nothing;
        }
        let holds = program.is_flow_alone() || {
            match program.holds(self.layers, scratch, &mut self.budget) {
                Ok(holds) => holds,
                Err(_over_budget) => {
                    self.is_over_budget = true;
                    return Verdict::Suspect;
                }
            }
        };
        match (holds, is_prefilter, threshold) {
            (false, ..) => Verdict::Nothing,
            (true, true, _) => Verdict::Suspect,
            (true, false, None) => Verdict::Matches,
            (true, false, Some(threshold)) => {
                if thresholds.count(place, threshold, self.header, self.nanos) {
                    Verdict::Matches
                } else {
                    Verdict::Nothing
                }
            }
        }
    }
}

//! A rule → the packets that it means, with the verdict for them.

use wiresift_abi::vector::number::{SCTP, TCP, UDP};

use crate::rules::cursor::quoted;
use crate::rules::diagnostics::Fault;

use super::super::ast::{
    At, Element, Field, Match, Op, Reject, Rule, Selector, Statement, Table, TableFamily, Value, ValueKind,
    Verdict,
};
use super::Trouble;
use super::bits::Bits;
use super::field::{Known, regions, seen};
use super::region::{Region, V4, V6};
use super::value::{Numbers, Test, elements, highest, numbers, one};

/// Packets and the verdict for them.
#[derive(Debug)]
pub struct Branch {
    /// Together they are the packets.
    pub regions: Vec<Region>,
    pub verdict: Verdict,
}

/// Regions of one rule at most.
const MAX_REGIONS: usize = 1 << 17;

/// The branches of a rule; none where it decides nothing.
pub fn branches(rule: &Rule, table: &Table) -> Result<Vec<Branch>, Trouble> {
    let known = Known { table: table.family, network: false, transport: false };
    let mut reader = Reader { table, at: &rule.at, found: vec![Region::of(seen(table.family))], known };
    let mut any_port = None;
    for statement in &rule.statements {
        match statement {
            Statement::Match(one) => {
                reader.narrow(one)?;
                any_port = any_port.or_else(|| th(&one.left));
            }
            Statement::Foreign(fault) => return Err(Trouble::Skip(fault.clone())),
            Statement::Verdict(verdict) => {
                reader.check_ports(any_port)?;
                reader.answer(verdict)?;
                return Ok(vec![Branch { regions: reader.found, verdict: verdict.clone() }]);
            }
            Statement::VerdictMap { key, map } => {
                let branches = reader.map(key, map)?;
                reader.check_ports(any_port.or_else(|| th(key)))?;
                return Ok(branches);
            }
        }
    }
    Ok(Vec::new())
}

/// A port of whatever protocol.
fn th(left: &[Selector]) -> Option<&At> {
    let of = |selector: &&Selector| matches!(selector.field, Field::Sport(None) | Field::Dport(None));
    left.iter().find(of).map(|selector| &selector.at)
}

struct Reader<'a> {
    table: &'a Table,
    at: &'a At,
    /// Packets that every match so far lets through.
    found: Vec<Region>,
    known: Known,
}

impl Reader<'_> {
    fn narrow(&mut self, one: &Match) -> Result<(), Trouble> {
        let passing = match one.left.as_slice() {
            [selector] => {
                let test = Test::of(one, selector.field, &self.table.sets)?;
                regions(selector.field, &test, self.known, &one.at)?
            }
            key => self.concatenation(key, one)?,
        };
        self.found = self.both(&passing)?;
        self.learn(&one.left, matches!(one.op, Op::Implicit | Op::Eq) && one.mask.is_none());
        Ok(())
    }

    /// Notes which protocols the rule has named.
    fn learn(&mut self, left: &[Selector], equal: bool) {
        for Selector { field, .. } in left {
            match field {
                Field::V4Src
                | Field::V4Dst
                | Field::V6Src
                | Field::V6Dst
                | Field::V4Protocol
                | Field::FragOff => {
                    self.known.network = true;
                }
                Field::Protocol | Field::EtherType | Field::NfProto => self.known.network |= equal,
                Field::L4Proto => self.known.transport |= equal,
                _ => {}
            }
        }
    }

    /// The packets so far that are in one of the regions.
    fn both(&self, passing: &[Region]) -> Result<Vec<Region>, Trouble> {
        let mut both = Vec::new();
        for region in &self.found {
            both.extend(passing.iter().filter_map(|other| region.and(other)));
            if both.len() > MAX_REGIONS {
                let message = format!("the rule needs more than {MAX_REGIONS} conditions");
                return Err(Trouble::Wrong(Fault::new(self.at.clone(), message, "too many combinations")));
            }
        }
        Ok(both)
    }

    /// `a . b { 1 . 2, … }`.
    fn concatenation(&self, key: &[Selector], one: &Match) -> Result<Vec<Region>, Trouble> {
        if !matches!(one.op, Op::Implicit | Op::Eq) || one.mask.is_some() {
            return Err(Trouble::skip(&one.at, "a comparison of several fields other than with a set"));
        }
        match elements(&one.right, &self.table.sets)? {
            None => self.product(key, &one.right),
            Some(elements) => {
                let mut all = Vec::new();
                for element in elements {
                    all.extend(self.product(key, &element.key)?);
                }
                Ok(all)
            }
        }
    }

    /// Packets whose fields all have the values of an element.
    fn product(&self, key: &[Selector], value: &Value) -> Result<Vec<Region>, Trouble> {
        let values = match &value.kind {
            ValueKind::Concat(values) if values.len() == key.len() => values.as_slice(),
            _ if key.len() == 1 => std::slice::from_ref(value),
            _ => {
                let message = format!("the key has {} fields, its value has another number", key.len());
                return Err(Trouble::Wrong(Fault::new(value.at.clone(), message, "here")));
            }
        };
        let tests: Result<Vec<Test>, Trouble> = key
            .iter()
            .zip(values)
            .map(|(selector, value)| Ok(Test::within(vec![one(selector.field, value)?])))
            .collect();
        self.all_of(key, &tests?, &value.at)
    }

    /// Packets that pass all tests.
    fn all_of(&self, key: &[Selector], tests: &[Test], at: &At) -> Result<Vec<Region>, Trouble> {
        let mut all = vec![Region::of(seen(self.table.family))];
        for (selector, test) in key.iter().zip(tests) {
            let network = self.known.network || key.iter().any(|other| of_network(other.field));
            let passing = regions(selector.field, test, Known { network, ..self.known }, at)?;
            all =
                all.iter().flat_map(|region| passing.iter().filter_map(|other| region.and(other))).collect();
        }
        Ok(all)
    }

    /// The branches of a verdict map.
    fn map(&self, key: &[Selector], map: &Value) -> Result<Vec<Branch>, Trouble> {
        let Some(elements) = elements(map, &self.table.sets)? else {
            return Err(Trouble::Wrong(Fault::new(map.at.clone(), "this is no map", "expected `{` or `@`")));
        };
        let mut branches = Vec::new();
        let mut rest = None;
        for element in elements {
            let verdict = verdict(element)?;
            if matches!(element.key.kind, ValueKind::Rest) {
                rest = Some((verdict, element));
                continue;
            }
            let regions = self.both(&self.product(key, &element.key)?)?;
            branches.push(Branch { regions, verdict: verdict.clone() });
        }
        if let Some((verdict, element)) = rest {
            let regions = self.rest(key, elements, element, &branches)?;
            branches.push(Branch { regions, verdict: verdict.clone() });
        }
        Ok(branches)
    }

    /// Packets that have the fields of the key, with values that no element but `*` has.
    fn rest(
        &self,
        key: &[Selector],
        elements: &[Element],
        rest: &Element,
        others: &[Branch],
    ) -> Result<Vec<Region>, Trouble> {
        let passing = match key {
            [selector] => {
                let mut taken: Vec<Numbers> = Vec::new();
                for element in elements.iter().filter(|element| !matches!(element.key.kind, ValueKind::Rest))
                {
                    taken.extend(numbers(selector.field, &element.key, &self.table.sets)?);
                }
                regions(selector.field, &Test::without(taken), self.known, &rest.key.at)?
            }
            // What the branches before have decided never comes here.
            _ if others.iter().all(|branch| is_final(&branch.verdict)) => {
                let all: Vec<_> =
                    key.iter().map(|selector| Test::within(vec![(0, highest(selector.field))])).collect();
                self.all_of(key, &all, &rest.key.at)?
            }
            _ => return Err(Trouble::skip(&rest.key.at, "`*` of several fields beside jumps")),
        };
        self.both(&passing)
    }

    /// A rejection means only the packets that can be answered in that way: nft adds the match.
    fn answer(&mut self, verdict: &Verdict) -> Result<(), Trouble> {
        let mut region = Region::of(seen(self.table.family));
        match verdict {
            Verdict::Reject(Reject::TcpReset) => region.protocols = Bits::of(|byte| byte == TCP),
            Verdict::Reject(Reject::Icmp) => region = Region::of(V4),
            Verdict::Reject(Reject::Icmp6) => region = Region::of(V6),
            _ => return Ok(()),
        }
        if self.known.table == TableFamily::Bridge && region.families.count_ones() == 1 && !self.known.network
        {
            region.vlan = Some(false);
        }
        if region.protocols != Bits::ALL {
            region = Region { families: region.families & (V4 | V6), ..region };
        }
        self.found = self.both(&[region])?;
        Ok(())
    }

    /// A port without protocol is at a known place only where all packets of the rule have ports.
    fn check_ports(&self, any_port: Option<&At>) -> Result<(), Trouble> {
        let Some(at) = any_port else { return Ok(()) };
        let ports = Bits::of(|byte| [TCP, UDP, SCTP].contains(&byte));
        let known = self.found.iter().all(|region| region.protocols.and(&ports) == region.protocols);
        if known {
            return Ok(());
        }
        let message = "a port of any protocol is not expressible";
        let label = "the protocols of the rule are not TCP, UDP or SCTP alone";
        let fault = Fault::new(at.clone(), message, label);
        Err(Trouble::Skip(fault.help("name them in the same rule: meta l4proto { tcp, udp }")))
    }
}

fn of_network(field: Field) -> bool {
    matches!(
        field,
        Field::V4Src | Field::V4Dst | Field::V6Src | Field::V6Dst | Field::V4Protocol | Field::FragOff
    )
}

fn is_final(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Accept | Verdict::Drop | Verdict::Reject(_))
}

fn verdict(element: &Element) -> Result<&Verdict, Trouble> {
    let at = &element.key.at;
    match &element.verdict {
        Some(Ok(verdict)) => Ok(verdict),
        Some(Err(other)) => {
            let message = format!("`{}` is not a verdict", quoted(other));
            Err(Trouble::Wrong(Fault::new(at.clone(), message, "this element's value")))
        }
        None => Err(Trouble::Wrong(Fault::new(
            at.clone(),
            "an element without a verdict",
            "expected `: verdict`",
        ))),
    }
}

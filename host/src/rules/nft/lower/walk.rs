//! Chains with jumps → one ordered list.
//!
//! A chain is walked for a set of packets. What a rule decides is put on the list; a jump walks the other chain for
//! the packets of the rule, and those that come back from there go on with the next rule, as the list does by
//! itself. Only `return` and `goto` leave a chain before its end: for their packets the rest of the way,
//! behind the jump and down to the policy, is put on the list at once, so that nothing behind decides them.

use std::collections::HashMap;

use crate::rules::cursor::quoted;
use crate::rules::diagnostics::Fault;
use crate::rules::model::AclAction;

use super::super::ast::{At, Base, Chain, Table, Verdict};
use super::field::seen;
use super::region::Region;
use super::rule::{Branch, branches};
use super::{Entry, List, Trouble};

/// Rules of a list at most: about as many as the largest card holds.
const MAX_ENTRIES: usize = 1 << 18;
/// Conditions that are joined at most, so that chains that multiply end with an error.
const MAX_STEPS: usize = 1 << 22;
/// Chains inside each other (`NFT_JUMP_STACK_SIZE`).
const MAX_DEPTH: usize = 16;

/// The list of a base chain.
pub fn list(table: &Table, chain: &Chain, base: &Base) -> Result<List, Fault> {
    let mut list = List::default();
    let chains = reached(table, chain, &mut list)?;
    let all = Region::of(seen(table.family));
    let action = if base.drops { AclAction::Drop } else { AclAction::Accept };
    let mut walk = Walk { chains: &chains, policy: (action, &base.at), entries: Vec::new(), steps: 0 };
    let frame =
        Frame { rules: chains.get(chain.name.as_str()).map_or(&[], Vec::as_slice), parent: None, depth: 0 };
    walk.finish(Some(&frame), &all)?;
    list.entries = walk.entries;
    list.skipped.sort_by_key(|(at, _)| at.start);
    Ok(list)
}

/// A rule that decides something.
struct Lowered<'a> {
    at: &'a At,
    branches: Vec<Branch>,
}

type Chains<'a> = HashMap<&'a str, Vec<Lowered<'a>>>;

/// The chains that packets of a base chain can come to.
fn reached<'a>(table: &'a Table, first: &'a Chain, list: &mut List) -> Result<Chains<'a>, Fault> {
    let mut chains = Chains::new();
    let mut open = vec![first];
    while let Some(chain) = open.pop() {
        if chains.contains_key(chain.name.as_str()) {
            continue;
        }
        let mut rules = Vec::new();
        for rule in &chain.rules {
            list.rules += 1;
            match branches(rule, table) {
                Ok(branches) => rules.push(Lowered { at: &rule.at, branches }),
                Err(Trouble::Skip(fault)) => list.skipped.push((rule.at.clone(), fault)),
                Err(Trouble::Wrong(fault)) => return Err(fault),
            }
        }
        let verdicts =
            rules.iter().flat_map(|rule| rule.branches.iter().map(|branch| (rule.at, &branch.verdict)));
        for (at, verdict) in verdicts {
            let (Verdict::Jump(name) | Verdict::Goto(name)) = verdict else { continue };
            let Some(target) = table.chains.iter().find(|chain| chain.name == *name) else {
                let message = format!("chain `{}` is not in the table", quoted(name));
                return Err(Fault::new(at.clone(), message, "leads there"));
            };
            open.push(target);
        }
        chains.insert(&chain.name, rules);
    }
    Ok(chains)
}

/// A chain that is being walked, from one of its rules on.
#[derive(Clone, Copy)]
struct Frame<'a> {
    rules: &'a [Lowered<'a>],
    /// Where packets go on behind its end; `None`: to the policy.
    parent: Option<&'a Frame<'a>>,
    depth: usize,
}

/// What is left of the packets of a walk.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Left {
    /// Some may come to the end of the chain.
    Some,
    /// All are decided.
    None,
}

struct Walk<'a> {
    chains: &'a Chains<'a>,
    policy: (AclAction, &'a At),
    entries: Vec<Entry>,
    steps: usize,
}

impl<'a> Walk<'a> {
    /// The whole way of packets that go on at a frame, to the policy.
    fn finish(&mut self, frame: Option<&Frame<'_>>, packets: &Region) -> Result<(), Fault> {
        let mut next = frame;
        while let Some(frame) = next {
            if self.chain(frame, packets)? == Left::None {
                return Ok(());
            }
            next = frame.parent;
        }
        let (action, at) = self.policy;
        self.decide(packets, action, at)
    }

    /// The rules of a frame, for some packets.
    fn chain(&mut self, frame: &Frame<'_>, packets: &Region) -> Result<Left, Fault> {
        for (n, rule) in frame.rules.iter().enumerate() {
            let behind = Frame { rules: &frame.rules[n + 1..], ..*frame };
            for branch in &rule.branches {
                for region in &branch.regions {
                    self.step(rule.at)?;
                    let Some(meant) = region.and(packets) else { continue };
                    let left = self.branch(rule.at, &branch.verdict, frame, &behind, &meant, packets)?;
                    if let Some(left) = left {
                        return Ok(left);
                    }
                }
            }
        }
        Ok(Left::Some)
    }

    /// One verdict. What it returns ends the walk of the chain: it holds for all of `packets`.
    fn branch(
        &mut self,
        at: &At,
        verdict: &Verdict,
        frame: &Frame<'_>,
        behind: &Frame<'_>,
        meant: &Region,
        packets: &Region,
    ) -> Result<Option<Left>, Fault> {
        let all = meant == packets;
        let left = match verdict {
            Verdict::Continue => return Ok(None),
            Verdict::Accept => self.decided(meant, AclAction::Accept, at)?,
            Verdict::Drop => self.decided(meant, AclAction::Drop, at)?,
            Verdict::Reject(_) => self.decided(meant, AclAction::Reject, at)?,
            Verdict::Return => Left::Some,
            Verdict::Jump(name) => {
                let left = self.chain(&self.enter(name, Some(behind), frame.depth, at)?, meant)?;
                return Ok((all && left == Left::None).then_some(left));
            }
            Verdict::Goto(name) => self.chain(&self.enter(name, frame.parent, frame.depth, at)?, meant)?,
        };
        if all {
            return Ok(Some(left));
        }
        if left == Left::Some {
            // They leave the chain here, the others go on in it.
            self.finish(frame.parent, meant)?;
        }
        Ok(None)
    }

    fn enter<'f>(
        &self,
        name: &str,
        parent: Option<&'f Frame<'f>>,
        depth: usize,
        at: &At,
    ) -> Result<Frame<'f>, Fault>
    where
        'a: 'f,
    {
        if depth == MAX_DEPTH {
            let message = format!("chains call each other more than {MAX_DEPTH} deep, or in a circle");
            return Err(Fault::new(at.clone(), message, "one too many"));
        }
        let rules = self.chains.get(name).map_or(&[][..], Vec::as_slice);
        Ok(Frame { rules, parent, depth: depth + 1 })
    }

    fn decided(&mut self, packets: &Region, action: AclAction, at: &At) -> Result<Left, Fault> {
        self.decide(packets, action, at)?;
        Ok(Left::None)
    }

    fn decide(&mut self, packets: &Region, action: AclAction, at: &At) -> Result<(), Fault> {
        if self.entries.len() == MAX_ENTRIES {
            let message = format!("the chains make more than {MAX_ENTRIES} rules of a list");
            return Err(Fault::new(at.clone(), message, "they end here").help(
                "each `return` and `goto` repeats what is behind the jump; put rules that hold for all packets first",
            ));
        }
        self.entries.push(Entry { condition: packets.condition(), action, at: at.clone() });
        Ok(())
    }

    fn step(&mut self, at: &At) -> Result<(), Fault> {
        self.steps += 1;
        if self.steps <= MAX_STEPS {
            return Ok(());
        }
        let message = format!("the chains make more than {MAX_STEPS} combinations of rules");
        Err(Fault::new(at.clone(), message, "they end here"))
    }
}

//! Chains with jumps: the list says what following the chains says.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

const CHAINS: usize = 5;
/// Ports below this one are in use.
const PORTS: u16 = 6;

/// A rule: ranges of source and destination ports, and the verdict.
struct Simple {
    sport: Option<(u16, u16)>,
    dport: Option<(u16, u16)>,
    verdict: Verdict,
}

enum Verdict {
    Accept,
    Drop,
    Return,
    Jump(usize),
    Goto(usize),
}

/// Chain 0 is the base chain; a chain leads only to those behind it.
fn random(rng: &mut ChaCha8Rng) -> Vec<Vec<Simple>> {
    let range = |rng: &mut ChaCha8Rng| {
        let (a, b) = (rng.random_range(0..PORTS), rng.random_range(0..PORTS));
        rng.random_bool(0.6).then_some((a.min(b), a.max(b)))
    };
    (0..CHAINS)
        .map(|chain| {
            let count = rng.random_range(0..6);
            let rule = |rng: &mut ChaCha8Rng| {
                let target = rng.random_range(chain + 1..=CHAINS);
                let verdict = match rng.random_range(0..8) {
                    0 => Verdict::Accept,
                    1 => Verdict::Drop,
                    2 | 3 => Verdict::Return,
                    _ if target == CHAINS => Verdict::Return,
                    4 | 5 => Verdict::Goto(target),
                    _ => Verdict::Jump(target),
                };
                Simple { sport: range(rng), dport: range(rng), verdict }
            };
            (0..count).map(|_| rule(rng)).collect()
        })
        .collect()
}

fn text(chains: &[Vec<Simple>], drops: bool) -> String {
    let mut text = String::from("table inet t {\n");
    for (n, rules) in chains.iter().enumerate() {
        text += &format!("chain c{n} {{\n");
        if n == 0 {
            let policy = if drops { "drop" } else { "accept" };
            text += &format!("type filter hook prerouting priority 0; policy {policy};\n");
        }
        for Simple { sport, dport, verdict } in rules {
            for (field, range) in [("sport", sport), ("dport", dport)] {
                if let Some((first, last)) = range {
                    text += &format!("tcp {field} {first}-{last} ");
                }
            }
            text += &match verdict {
                Verdict::Accept => "accept\n".to_owned(),
                Verdict::Drop => "drop\n".to_owned(),
                Verdict::Return => "return\n".to_owned(),
                Verdict::Jump(to) => format!("jump c{to}\n"),
                Verdict::Goto(to) => format!("goto c{to}\n"),
            };
        }
        text += "}\n";
    }
    text + "}\n"
}

/// Follows the chains as netfilter does, with a stack of places to come back to. Whether the packet is accepted.
fn follow(chains: &[Vec<Simple>], drops: bool, sport: u16, dport: u16) -> bool {
    let in_range = |range: &Option<(u16, u16)>, port| range.is_none_or(|(a, b)| (a..=b).contains(&port));
    let mut stack = Vec::new();
    let (mut chain, mut at) = (0, 0);
    loop {
        let Some(rule) = chains[chain].get(at) else {
            let Some(back) = stack.pop() else { return !drops };
            (chain, at) = back;
            continue;
        };
        at += 1;
        if !in_range(&rule.sport, sport) || !in_range(&rule.dport, dport) {
            continue;
        }
        match rule.verdict {
            Verdict::Accept => return true,
            Verdict::Drop => return false,
            Verdict::Return => at = usize::MAX,
            Verdict::Jump(to) => {
                stack.push((chain, at));
                (chain, at) = (to, 0);
            }
            Verdict::Goto(to) => (chain, at) = (to, 0),
        }
    }
}

#[test]
fn the_list_says_what_following_the_chains_says() {
    let seed = std::env::var("WIRESIFT_SEED").map_or(1, |seed| seed.parse().unwrap());
    println!("WIRESIFT_SEED={seed}");
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (mut accepted, mut longest) = (0, 0);
    for _ in 0..400 {
        let (chains, drops) = (random(&mut rng), rng.random());
        let text = text(&chains, drops);
        let rules = rules(&text);
        longest = longest.max(rules.acl.len());
        for sport in 0..=PORTS {
            for dport in 0..=PORTS {
                let packet = Packet { sport, ..Packet::tcp(dport) }.bytes();
                let expected = follow(&chains, drops, sport, dport);
                let (action, _) = decide(&rules, &packet).unwrap();
                assert_eq!(action == AclAction::Accept, expected, "{sport} {dport}\n{text}");
                accepted += usize::from(expected);
            }
        }
    }
    println!("{accepted} accepted, up to {longest} rules");
    assert!(accepted > 2000 && longest > 30, "{accepted} {longest}");
}

#[test]
fn a_return_leaves_its_chain_only() {
    let rules = rules(&inet(
        "tcp dport 1-9 jump one
         tcp dport 5 accept
         tcp dport 6 goto two
         accept
        }
        chain one {
         tcp dport 5-6 return
         drop
        }
        chain two {
         tcp sport 1234 return",
    ));
    let found = |dport| decide(&rules, &Packet::tcp(dport).bytes()).unwrap();
    assert_eq!(found(5), (AclAction::Accept, 5));
    assert_eq!(found(4), (AclAction::Drop, 11));
    assert_eq!(found(6), (AclAction::Drop, 3));
    assert_eq!(found(10), (AclAction::Accept, 7));
}

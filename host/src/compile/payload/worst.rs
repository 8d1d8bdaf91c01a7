//! The worst case: how many comparisons a byte the hardest payload of all costs the card.
//!
//! Every infinite payload is a walk through the automaton of Aho and Corasick over the windows: a step costs a byte, and
//! entering a node costs the comparisons of all windows that end there. The hardest payload is the cycle with the
//! highest mean. It is found by policy iteration (Howard, "Dynamic Programming and Markov Processes", 1960) on the
//! sparse graph: an edge to each child that costs a byte, one to the failure node that costs none. A failure edge where a
//! child exists too only leaves windows out, so it changes nothing of the maximum. All numbers are integers, and the
//! potentials that are left at the end satisfy every edge: they are the proof.

use rustc_hash::FxHashMap;

/// The hardest payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worst {
    /// Bytes that, repeated for ever, are the hardest payload; empty where there are no windows.
    pub payload: Vec<u8>,
    /// Comparisons that one repetition costs.
    pub comparisons: u64,
}

impl Worst {
    /// Comparisons a byte.
    pub fn rate(&self) -> f64 {
        self.comparisons as f64 / self.payload.len().max(1) as f64
    }
}

struct Node {
    byte: u8,
    parent: u32,
    failure: u32,
    /// Comparisons of all windows that end here.
    weight: i64,
}

/// What the best way from a node begins with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Failure,
    Child(u32),
    /// At the root: a byte with which no window begins.
    Other,
}

/// Finds the hardest payload for windows and the comparisons that each costs.
pub fn worst<'a>(windows: impl Iterator<Item = (&'a [u8], usize)>) -> Worst {
    let nodes = automaton(windows);
    let mut best = Worst { payload: Vec::new(), comparisons: 0 };
    // The mean so far.
    let (mut comparisons, mut bytes) = (0, 1);
    loop {
        let Some(cycle) = better_cycle(&nodes, comparisons, bytes) else { return best };
        comparisons = cycle.iter().map(|node| nodes[*node as usize].weight).sum();
        bytes = cycle.len() as i64;
        let payload = cycle.iter().map(|node| nodes[*node as usize].byte).collect();
        best = Worst { payload, comparisons: comparisons as u64 };
    }
}

/// Trie of the windows in breadth-first order, with failure nodes; the root is number 0.
fn automaton<'a>(windows: impl Iterator<Item = (&'a [u8], usize)>) -> Vec<Node> {
    // Insertion order first: node, byte → child.
    let mut children: FxHashMap<(u32, u8), u32> = FxHashMap::default();
    let mut depths = vec![0u8];
    let mut nodes = vec![Node { byte: 0, parent: 0, failure: 0, weight: 0 }];
    for (window, weight) in windows {
        let mut at = 0;
        for byte in window {
            at = *children.entry((at, *byte)).or_insert_with(|| {
                nodes.push(Node { byte: *byte, parent: at, failure: 0, weight: 0 });
                depths.push(depths[at as usize] + 1);
                nodes.len() as u32 - 1
            });
        }
        nodes[at as usize].weight += weight as i64;
    }
    let mut order: Vec<u32> = (0..nodes.len() as u32).collect();
    order.sort_by_key(|node| depths[*node as usize]);
    let mut place = vec![0u32; nodes.len()];
    for (new, old) in order.iter().enumerate() {
        place[*old as usize] = new as u32;
    }
    let mut sorted: Vec<Node> = Vec::with_capacity(nodes.len());
    for old in &order {
        let Node { byte, parent, weight, .. } = nodes[*old as usize];
        sorted.push(Node { byte, parent: place[parent as usize], failure: 0, weight });
    }
    let children: FxHashMap<(u32, u8), u32> = children
        .into_iter()
        .map(|((node, byte), child)| ((place[node as usize], byte), place[child as usize]))
        .collect();
    for node in 1..sorted.len() {
        let Node { byte, parent, .. } = sorted[node];
        if parent != 0 {
            let mut at = sorted[parent as usize].failure;
            sorted[node].failure = loop {
                match children.get(&(at, byte)) {
                    Some(&child) => break child,
                    None if at == 0 => break 0,
                    None => at = sorted[at as usize].failure,
                }
            };
        }
        sorted[node].weight += sorted[sorted[node].failure as usize].weight;
    }
    sorted
}

/// A cycle whose mean is above `comparisons / bytes`, if there is one: its nodes but those that failure edges lead to.
fn better_cycle(nodes: &[Node], comparisons: i64, bytes: i64) -> Option<Vec<u32>> {
    let mut gain = vec![0i64; nodes.len()];
    let mut policy = vec![Step::Failure; nodes.len()];
    policy[0] = Step::Other;
    loop {
        let mut changed = false;
        let mut improve = |gain: &mut [i64], node: u32, value: i64, step: Step| {
            if value > gain[node as usize] {
                gain[node as usize] = value;
                policy[node as usize] = step;
                changed = true;
            }
        };
        // Children lie behind their parents, failure nodes before their node.
        for child in (1..nodes.len() as u32).rev() {
            let node = &nodes[child as usize];
            let value = node.weight * bytes - comparisons + gain[child as usize];
            improve(&mut gain, node.parent, value, Step::Child(child));
        }
        for node in 1..nodes.len() as u32 {
            let value = gain[nodes[node as usize].failure as usize];
            improve(&mut gain, node, value, Step::Failure);
        }
        if !changed {
            return None;
        }
        let cycle = best_cycle(nodes, &policy);
        let sum: i64 = cycle.iter().map(|node| nodes[*node as usize].weight).sum();
        if sum * bytes > comparisons * cycle.len() as i64 {
            return Some(cycle);
        }
    }
}

/// The cycle with the highest mean among those of a policy.
fn best_cycle(nodes: &[Node], policy: &[Step]) -> Vec<u32> {
    let next = |node: u32| match policy[node as usize] {
        Step::Failure => nodes[node as usize].failure,
        Step::Child(child) => child,
        Step::Other => 0,
    };
    let mut walk = vec![0u32; nodes.len()];
    let mut best: (i64, Vec<u32>) = (0, Vec::new());
    for start in 0..nodes.len() as u32 {
        let number = start + 1;
        let mut at = start;
        while walk[at as usize] == 0 {
            walk[at as usize] = number;
            at = next(at);
        }
        if walk[at as usize] != number {
            continue;
        }
        let (mut cycle, mut sum, mut node) = (Vec::new(), 0, at);
        loop {
            if let Step::Child(child) = policy[node as usize] {
                cycle.push(child);
                sum += nodes[child as usize].weight;
            }
            node = next(node);
            if node == at {
                break;
            }
        }
        if sum * best.1.len() as i64 > best.0 * cycle.len() as i64 || (best.1.is_empty() && sum > 0) {
            best = (sum, cycle);
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn of(windows: &[(&[u8], usize)]) -> Worst {
        worst(windows.iter().copied())
    }

    /// Comparisons that the last of three repetitions costs.
    fn counted(payload: &[u8], windows: &[(Vec<u8>, usize)]) -> u64 {
        let text = payload.repeat(10);
        let ends = |end: usize| {
            let all = windows.iter().filter(|(window, _)| text[..end].ends_with(window));
            all.map(|(_, weight)| *weight as u64).sum::<u64>()
        };
        (text.len() - payload.len() + 1..=text.len()).map(ends).sum()
    }

    #[test]
    fn the_hardest_payload_of_small_sets_is_known() {
        assert_eq!(of(&[]).rate(), 0.0);
        assert_eq!(of(&[(b"abc", 1)]).rate(), 1.0 / 3.0);
        assert_eq!(of(&[(b"abca", 1)]).rate(), 1.0 / 3.0);
        assert_eq!(of(&[(b"aaa", 2), (b"aaaa", 1), (b"bcd", 5)]).rate(), 3.0);
        assert_eq!(of(&[(b"aba", 1), (b"babb", 1)]).rate(), 0.5);
        assert_eq!(of(&[(b"abcd", 3), (b"cdab", 2), (b"xyz", 3)]).rate(), 1.25);
    }

    /// The mean is that of the payload, and no payload of up to eight bytes has a higher one.
    #[test]
    fn no_short_payload_is_harder() {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        for _ in 0..60 {
            let letters = rng.random_range(1..4);
            let windows: Vec<(Vec<u8>, usize)> = (0..rng.random_range(1..12))
                .map(|_| {
                    let length = [3, 4, 8][rng.random_range(0..3)];
                    let window = (0..length).map(|_| b'a' + rng.random_range(0..letters)).collect();
                    (window, rng.random_range(1..4))
                })
                .collect();
            let worst = worst(windows.iter().map(|(window, weight)| (&window[..], *weight)));
            assert_eq!(counted(&worst.payload, &windows), worst.comparisons, "{windows:?}");
            for length in 1..=8u32 {
                for number in 0..u32::from(letters).pow(length).min(3000) {
                    let digit =
                        |at: u32| b'a' + (number / u32::from(letters).pow(at) % u32::from(letters)) as u8;
                    let payload: Vec<u8> = (0..length).map(digit).collect();
                    let rate = counted(&payload, &windows) as f64 / f64::from(length);
                    assert!(rate <= worst.rate() + 1e-9, "{payload:?} {windows:?}");
                }
            }
        }
    }
}

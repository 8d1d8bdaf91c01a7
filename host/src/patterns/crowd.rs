//! The automaton of Aho and Corasick ("Efficient string matching", 1975) for patterns that find no bucket with room.
//!
//! It takes at most two steps a byte. Since only whether a pattern occurs is asked, the walk over the patterns that end
//! at a place stops at the first one found before: the shorter ones behind it were found with it.

use rustc_hash::FxHashMap;

use super::scratch::{MARGIN, Scratch};
use super::verify::Texts;

/// Of a node where no pattern ends.
const NO_TEXT: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Node {
    /// Where its edges begin; those of the next node follow.
    edges: u32,
    /// The longest proper suffix that is a node.
    fail: u32,
    /// This node, or the first one on the way of `fail`, where a pattern ends; 0 for none.
    output: u32,
    /// Pattern that ends here.
    text: u32,
}

/// An automaton over the bytes of a payload, or over those in lower case.
#[derive(Clone, Debug, Default)]
struct Crowd {
    /// The nodes with the root first, and one behind the last.
    nodes: Vec<Node>,
    /// Byte and node of each edge, sorted by byte within a node.
    edges: Vec<(u8, u32)>,
}

impl Crowd {
    fn new(texts: &Texts, members: &[u32]) -> Self {
        if members.is_empty() {
            return Self::default();
        }
        let mut children: Vec<Vec<(u8, u32)>> = vec![Vec::new()];
        let mut ends = vec![NO_TEXT];
        let mut next: FxHashMap<(u32, u8), u32> = FxHashMap::default();
        for text in members {
            let mut node = 0;
            for byte in texts.of(*text) {
                node = *next.entry((node, *byte)).or_insert_with(|| {
                    let child = children.len() as u32;
                    children[node as usize].push((*byte, child));
                    children.push(Vec::new());
                    ends.push(NO_TEXT);
                    child
                });
            }
            ends[node as usize] = *text;
        }
        let (mut fail, mut output) = (vec![0u32; children.len()], vec![0u32; children.len()]);
        // Breadth first: a node's failure is nearer to the root than the node.
        let mut queue = vec![0u32];
        let mut at = 0;
        while let Some(node) = queue.get(at).copied() {
            at += 1;
            output[node as usize] =
                if ends[node as usize] == NO_TEXT { output[fail[node as usize] as usize] } else { node };
            for (byte, child) in &children[node as usize] {
                if node != 0 {
                    let mut suffix = fail[node as usize];
                    while suffix != 0 && !next.contains_key(&(suffix, *byte)) {
                        suffix = fail[suffix as usize];
                    }
                    fail[*child as usize] = next.get(&(suffix, *byte)).copied().unwrap_or(0);
                }
                queue.push(*child);
            }
        }
        let mut crowd = Self::default();
        for (node, mut edges) in children.into_iter().enumerate() {
            let [fail, output, text] = [fail[node], output[node], ends[node]];
            crowd.nodes.push(Node { edges: crowd.edges.len() as u32, fail, output, text });
            edges.sort_unstable();
            crowd.edges.extend(edges);
        }
        crowd.nodes.push(Node { edges: crowd.edges.len() as u32, fail: 0, output: 0, text: NO_TEXT });
        crowd
    }

    fn child(&self, node: u32, byte: u8) -> Option<u32> {
        let edges = self.nodes[node as usize].edges as usize..self.nodes[node as usize + 1].edges as usize;
        let edges = &self.edges[edges];
        edges.binary_search_by_key(&byte, |(byte, _)| *byte).ok().map(|at| edges[at].1)
    }

    /// Calls `end` with the patterns that end at each place, the longest one first, until it says false.
    fn search(&self, payload: &[u8], mut end: impl FnMut(u32) -> bool) {
        if self.nodes.is_empty() {
            return;
        }
        let mut node = 0;
        for byte in payload {
            node = loop {
                match self.child(node, *byte) {
                    Some(child) => break child,
                    None if node == 0 => break 0,
                    None => node = self.nodes[node as usize].fail,
                }
            };
            let mut output = self.nodes[node as usize].output;
            while output != 0 && end(self.nodes[output as usize].text) {
                output = self.nodes[self.nodes[output as usize].fail as usize].output;
            }
        }
    }

    fn bytes(&self) -> usize {
        size_of_val(&self.nodes[..]) + size_of_val(&self.edges[..])
    }
}

/// Both automata.
#[derive(Clone, Debug, Default)]
pub struct Crowds {
    exact: Crowd,
    folded: Crowd,
    len: usize,
}

impl Crowds {
    /// Automata of these texts.
    pub fn new(texts: &Texts, members: &[u32]) -> Self {
        let (folded, exact): (Vec<u32>, Vec<u32>) = members.iter().partition(|text| texts.nocase(**text));
        Self { exact: Crowd::new(texts, &exact), folded: Crowd::new(texts, &folded), len: members.len() }
    }

    /// Reports the texts that occur.
    pub fn search(&self, payload: &[u8], scratch: &mut Scratch, report: &mut impl FnMut(u32)) {
        if self.len == 0 {
            return;
        }
        let Scratch { settled, generation, folded, .. } = scratch;
        let mut end = |text: u32| {
            let first = std::mem::replace(&mut settled[text as usize], *generation) != *generation;
            if first {
                report(text);
            }
            first
        };
        self.exact.search(payload, &mut end);
        self.folded.search(&folded[MARGIN..MARGIN + payload.len()], &mut end);
    }

    /// Texts in them.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Bytes of all arrays.
    pub fn bytes(&self) -> usize {
        self.exact.bytes() + self.folded.bytes()
    }
}

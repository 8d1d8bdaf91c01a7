//! The contents of the corpus' rules, as they are sought.

use std::path::Path;

use anyhow::{Result, anyhow};
use rand::SeedableRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;
use wiresift_host::engine::host::fast_pattern;
use wiresift_host::rules::detect::Test;
use wiresift_host::rules::load;

use crate::corpus;

/// Seed of everything drawn.
const SEED: u64 = 3;

/// A pattern: bytes, and whether their case does not count.
pub type Pattern = (Vec<u8>, bool);

/// Contents of rules, each once: those that are a rule's fast pattern, and the others.
pub struct Contents {
    fast: Vec<Pattern>,
    others: Vec<Pattern>,
}

impl Contents {
    /// Of all enabled rules below `rules` in the corpus.
    ///
    /// # Errors
    /// What is wrong in them.
    pub fn load(corpus: &Path) -> Result<Self> {
        let files = corpus::files(&corpus.join("rules"), &["rules"]);
        let rules =
            load(&files, &corpus::variables(corpus::ELSEWHERE)).map_err(|errors| anyhow!("{errors}"))?;
        let (mut fast, mut others) = (Vec::new(), Vec::new());
        for detect in rules.signatures.iter().map(|signature| &signature.detect) {
            fast.extend(fast_pattern(detect).map(|pattern| (pattern.bytes.to_vec(), pattern.nocase)));
            others.extend(detect.buffers.iter().flat_map(|buffer| &buffer.tests).filter_map(
                |test| match test {
                    Test::Content(content) if !content.negated => {
                        Some((content.bytes.clone(), content.nocase))
                    }
                    _ => None,
                },
            ));
        }
        let mut random = ChaCha8Rng::seed_from_u64(SEED);
        for list in [&mut fast, &mut others] {
            list.sort_unstable();
            list.dedup();
            list.shuffle(&mut random);
        }
        others.retain(|pattern| !fast.contains(pattern));
        Ok(Self { fast, others })
    }

    /// `count` patterns: fast ones, then others, then, where the rules have no more, others' halves joined.
    pub fn take(&self, count: usize, shortest: usize) -> Vec<Pattern> {
        let real = self.fast.iter().chain(&self.others).filter(|(bytes, _)| bytes.len() >= shortest);
        let mut patterns: Vec<Pattern> = real.take(count).cloned().collect();
        let mut random = ChaCha8Rng::seed_from_u64(SEED + 1);
        let long: Vec<&Pattern> = self.fast.iter().filter(|(bytes, _)| bytes.len() >= 8).collect();
        while patterns.len() < count {
            let [Some((a, nocase)), Some((b, _))] = [long.choose(&mut random), long.choose(&mut random)]
            else {
                break;
            };
            patterns.push(([&a[..a.len() / 2], &b[b.len() / 2..]].concat(), *nocase));
        }
        patterns
    }

    /// Fast patterns.
    pub fn fast(&self) -> usize {
        self.fast.len()
    }

    /// Contents of that many bytes and more.
    pub fn count(&self, shortest: usize) -> usize {
        self.fast.iter().chain(&self.others).filter(|(bytes, _)| bytes.len() >= shortest).count()
    }
}

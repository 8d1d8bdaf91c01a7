//! The window of a pattern: the one that usual traffic has least.

use rustc_hash::FxHashMap;
use wiresift_abi::payload::{CHAIN_MAX, Class, Pattern, fold};

use crate::patterns::background::Background;

/// Periods that make a run of a window: traffic that repeats up to so many bytes has it at every one of them.
const PERIODS: usize = 4;
/// What a pattern more behind a window costs, beside the rate of the window: one in so many bytes.
const CROWDED: f32 = 1e-7;
/// Places of a window that are looked at, from the start of a pattern.
const PLACES_MAX: usize = 256;

/// Chooses windows.
pub struct Chooser {
    background: Background,
    /// Patterns that have a window.
    uses: FxHashMap<Vec<u8>, usize>,
}

/// A pattern with its window.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// The pattern as the card takes it.
    pub pattern: Pattern,
    /// Share of the bytes of usual traffic with which the window ends.
    pub rate: f32,
}

impl Chooser {
    pub fn new() -> Self {
        Self { background: Background::new(), uses: FxHashMap::default() }
    }

    /// The window of a pattern of three bytes or more that takes so many places; `None` for shorter ones, where all windows
    /// are crowded, and where the best one is met more often than in `most` of the bytes.
    pub fn choose(&mut self, bytes: &[u8], nocase: bool, places: usize, most: f32) -> Option<Choice> {
        let class = Class::of(bytes.len())?;
        let windows = bytes.windows(class.bytes()).take(PLACES_MAX);
        let rated = windows.enumerate().filter_map(|(at, window)| {
            let uses = self.uses.get(&folded(window)).copied().unwrap_or(0);
            let (rate, chain) = self.rate(window);
            (uses + places <= CHAIN_MAX).then_some((at, rate, (rate + CROWDED) * (uses + 1) as f32, chain))
        });
        let best = rated.min_by(|a, b| a.2.total_cmp(&b.2).then(a.3.total_cmp(&b.3)));
        let (at, rate, ..) = best.filter(|(_, rate, ..)| *rate <= most)?;
        let pattern = Pattern { bytes: bytes.to_vec(), nocase, class, window_end: at + class.bytes() };
        *self.uses.entry(folded(pattern.window())).or_default() += places;
        Some(Choice { pattern, rate })
    }

    /// Rate of a window, and that of the chain of its bytes. A window is not met more often than the rarest four bytes
    /// of it; one that repeats itself is met in runs.
    fn rate(&self, window: &[u8]) -> (f32, f32) {
        let lower = window.to_ascii_lowercase();
        let grams = lower.windows(lower.len().min(4));
        let rarest = grams.map(|gram| self.background.rate(gram)).fold(1.0, f32::min);
        let chain = lower.windows(2).fold(1.0, |chain, pair| chain * self.background.pair(pair[0], pair[1]));
        let periods = 1..=PERIODS.min(window.len() / 2);
        let is_run = periods.into_iter().any(|period| lower[period..] == lower[..lower.len() - period]);
        (if is_run { 1.0 } else { rarest }, chain)
    }
}

/// A window as the card hashes it.
pub fn folded(window: &[u8]) -> Vec<u8> {
    window.iter().map(|byte| fold(*byte)).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn window(bytes: &[u8]) -> Vec<u8> {
        Chooser::new().choose(bytes, false, 1, 1.0).unwrap().pattern.window().to_vec()
    }

    #[test]
    fn the_rare_part_of_a_pattern_is_its_window() {
        let rare = window(b"Content-Type: text/html; qzx#9=!w");
        assert!(rare.windows(6).any(|part| part == b"zx#9=!"), "{rare:?}");
        let rare = window(b"\0\0\0\0\0\0\0\0\xde\xad\xbe\xef\x17\x93\x55\xa7\0\0\0\0");
        assert!(rare.windows(6).any(|part| part == b"\xde\xad\xbe\xef\x17\x93"), "{rare:?}");
        assert_eq!(window(b"abc"), b"abc");
        assert!(Chooser::new().choose(b"ab", false, 1, 1.0).is_none());
    }

    #[test]
    fn a_window_that_repeats_itself_is_taken_for_want_of_another_only() {
        assert_ne!(window(b"qzqzqzqzqzqz!"), b"qzqzqzqz");
        let runs: [&[u8]; 4] = [&[0; 3], &[0x90; 20], b"ABABABAB", b"abcdABCD"];
        for run in runs {
            assert_eq!(Chooser::new().choose(run, true, 1, 1.0).unwrap().rate, 1.0, "{run:?}");
        }
    }

    #[test]
    fn no_window_has_more_patterns_than_the_card_compares() {
        let mut chooser = Chooser::new();
        let chosen = (0..40).filter_map(|_| chooser.choose(b"qzxkwvjy", true, 1, 1.0)).count();
        assert_eq!(chosen, CHAIN_MAX);
        // Longer patterns go to another window of theirs.
        let longer = |n: u8| [&b"qzxkwvjy"[..], &[b'!' + n], b"~"].concat();
        assert!((0..40).all(|n| chooser.choose(&longer(n), true, 1, 1.0).is_some()));
    }
}

//! Sets of numbers as disjoint inclusive ranges, and ranges as prefixes.

/// Lowest and highest number of a range, both included.
pub type Range = (u128, u128);

/// Numbers that some range of `include` holds and none of `exclude` does: sorted, disjoint, and no two
/// ranges adjacent.
pub fn difference(include: Vec<Range>, exclude: Vec<Range>) -> Vec<Range> {
    let exclude = merge(exclude);
    let mut left = Vec::new();
    let mut first = 0;
    for (mut lo, hi) in merge(include) {
        while exclude.get(first).is_some_and(|gap| gap.1 < lo) {
            first += 1;
        }
        let mut rest = true;
        for &(gap_lo, gap_hi) in exclude[first..].iter().take_while(|gap| gap.0 <= hi) {
            if gap_lo > lo {
                left.push((lo, gap_lo - 1));
            }
            if gap_hi >= hi {
                rest = false;
                break;
            }
            lo = gap_hi + 1;
        }
        if rest {
            left.push((lo, hi));
        }
    }
    left
}

/// The same numbers as sorted, disjoint ranges that are not adjacent.
fn merge(mut ranges: Vec<Range>) -> Vec<Range> {
    ranges.sort_unstable();
    let mut merged: Vec<Range> = Vec::with_capacity(ranges.len());
    for (lo, hi) in ranges {
        match merged.last_mut() {
            Some(last) if lo <= last.1.saturating_add(1) => last.1 = last.1.max(hi),
            _ => merged.push((lo, hi)),
        }
    }
    merged
}

/// The fewest prefixes that hold exactly the numbers of `ranges`, which are disjoint, not adjacent and
/// below `1 << width`: lowest number and prefix length each, ascending.
pub fn prefixes(ranges: &[Range], width: u32) -> Vec<(u128, u32)> {
    let mut found = Vec::with_capacity(ranges.len());
    for &(mut lo, hi) in ranges {
        loop {
            // The largest aligned block that begins at `lo` and ends at or before `hi`.
            let span = (hi - lo).checked_add(1).map_or(128, u128::ilog2);
            let bits = lo.trailing_zeros().min(span).min(width);
            found.push((lo, width - bits));
            let last = if bits == 128 { u128::MAX } else { lo + ((1 << bits) - 1) };
            if last >= hi {
                break;
            }
            lo = last + 1;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ranges() -> impl Strategy<Value = Vec<Range>> {
        proptest::collection::vec((0u128..256, 0u128..256).prop_map(|(a, b)| (a.min(b), a.max(b))), 0..6)
    }

    fn holds(ranges: &[Range], number: u128) -> bool {
        ranges.iter().any(|range| (range.0..=range.1).contains(&number))
    }

    proptest! {
        #[test]
        fn the_difference_holds_what_include_holds_and_exclude_does_not(include in ranges(), exclude in ranges()) {
            let left = difference(include.clone(), exclude.clone());
            for number in 0..256 {
                prop_assert_eq!(holds(&left, number), holds(&include, number) && !holds(&exclude, number));
            }
            prop_assert!(left.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0));
        }

        #[test]
        fn prefixes_hold_each_number_once(include in ranges()) {
            let ranges = difference(include, Vec::new());
            let prefixes = prefixes(&ranges, 8);
            for number in 0..256u128 {
                let holders = prefixes.iter().filter(|(lo, len)| (number ^ lo) >> (8 - len) == 0).count();
                prop_assert_eq!(holders, usize::from(holds(&ranges, number)));
            }
            // No two of them make up a larger prefix, so there are not fewer.
            for pair in prefixes.windows(2) {
                let (a, b) = (pair[0], pair[1]);
                let up = 9 - a.1;
                prop_assert!(a.1 != b.1 || up == 9 || a.0 >> up != b.0 >> up);
            }
        }
    }

    #[test]
    fn the_ends_of_the_whole_space_do_not_overflow() {
        let all = (0, u128::MAX);
        assert_eq!(prefixes(&[all], 128), [(0, 0)]);
        assert_eq!(difference(vec![all], vec![(0, 0), (u128::MAX, u128::MAX)]), [(1, u128::MAX - 1)]);
        assert_eq!(prefixes(&[(1, u128::MAX - 1)], 128).len(), 254);
        assert_eq!(difference(vec![all, (5, u128::MAX)], vec![all]), []);
    }
}

//! Numbers that keep the order of a list while it changes: of two rules the one before has the lower.
//!
//! Numbers are spread with gaps, so a rule finds one between its neighbours and theirs stay. Where a gap
//! is used up, the smallest stretch around it that is not crowded is spread anew (Bender, Cole, Demaine,
//! Farach-Colton, Zito: "Two simplified algorithms for maintaining order in a list", ESA 2002), so a long
//! row of insertions at one place renumbers few rules each time.

use std::hash::Hash;

use rustc_hash::FxHashMap;

/// A stretch of `span` numbers is crowded when it holds more than `span` to this power: the larger the
/// stretch, the sparser it has to be.
const CROWDED: f64 = 0.8;

/// Numbers below `limit` for `new`, ascending. Keys that are in `old` too, in the same order, keep theirs
/// as far as there is room; `old` is in ascending order of its numbers, and no key comes twice in either.
///
/// # Panics
/// Where `new` has more keys than there are numbers.
pub fn assign<K: Hash + Eq>(old: &[(K, u32)], new: &[K], limit: u32) -> Vec<u32> {
    assert!(new.len() <= limit as usize, "more keys than numbers");
    let places: FxHashMap<&K, usize> = old.iter().enumerate().map(|(place, (key, _))| (key, place)).collect();
    let mut numbers = vec![None; new.len()];
    let mut is_kept = vec![false; old.len()];
    let found: Vec<(usize, usize)> =
        new.iter().enumerate().filter_map(|(n, key)| places.get(key).map(|&place| (n, place))).collect();
    for (n, place) in longest_ascending(&found) {
        numbers[n] = Some(old[place].1);
        is_kept[place] = true;
    }
    let free: Vec<u32> =
        old.iter().zip(&is_kept).filter(|(_, kept)| !**kept).map(|((_, number), _)| *number).collect();
    fill_gaps(&mut numbers, &free, limit);
    while let Some(place) = numbers.iter().position(Option::is_none) {
        spread_around(&mut numbers, place, limit);
    }
    numbers.into_iter().flatten().collect()
}

/// The longest part of the pairs, which ascend in the first, that ascends in the second too.
fn longest_ascending(pairs: &[(usize, usize)]) -> Vec<(usize, usize)> {
    // `ends[n]`: the pair with the lowest second at which a row of `n + 1` pairs ends.
    let mut ends: Vec<usize> = Vec::new();
    let mut before = vec![None; pairs.len()];
    for (n, &(_, second)) in pairs.iter().enumerate() {
        let length = ends.partition_point(|&end| pairs[end].1 < second);
        before[n] = length.checked_sub(1).map(|last| ends[last]);
        if length == ends.len() {
            ends.push(n);
        } else {
            ends[length] = n;
        }
    }
    let mut longest = Vec::with_capacity(ends.len());
    let mut at = ends.last().copied();
    while let Some(n) = at {
        longest.push(pairs[n]);
        at = before[n];
    }
    longest.reverse();
    longest
}

/// Numbers of the gaps that have room: first those that became free there, so that a rule that was changed
/// keeps its number.
fn fill_gaps(numbers: &mut [Option<u32>], free: &[u32], limit: u32) {
    let mut start = 0;
    while start < numbers.len() {
        if numbers[start].is_some() {
            start += 1;
            continue;
        }
        let end = numbers[start..].iter().position(Option::is_some).map_or(numbers.len(), |n| start + n);
        let (low, high) = bounds(numbers, start, end, limit);
        let first = free.partition_point(|&number| number < low);
        let last = free.partition_point(|&number| number < high);
        let again = &free[first..last];
        let again = &again[..again.len().min(end - start)];
        let rest = start + again.len();
        let rest_low = again.last().map_or(low, |number| number + 1);
        if (high - rest_low) as usize >= end - rest {
            for (number, free) in numbers[start..].iter_mut().zip(again) {
                *number = Some(*free);
            }
            spread(&mut numbers[rest..end], rest_low, high);
        } else if (high - low) as usize >= end - start {
            spread(&mut numbers[start..end], low, high);
        }
        start = end;
    }
}

/// Numbers that places `start .. end` may have: from the first to the second, exclusive. The places at both
/// sides have numbers.
fn bounds(numbers: &[Option<u32>], start: usize, end: usize, limit: u32) -> (u32, u32) {
    let below = start.checked_sub(1).and_then(|place| numbers[place]);
    let above = numbers.get(end).copied().flatten();
    (below.map_or(0, |number| number + 1), above.unwrap_or(limit))
}

/// Spreads all numbers of the smallest stretch around a place without number that is not crowded then.
fn spread_around(numbers: &mut [Option<u32>], place: usize, limit: u32) {
    let mut reach = 1;
    loop {
        let mut start = place.saturating_sub(reach);
        let mut end = (place + 1 + reach).min(numbers.len());
        while start > 0 && numbers[start - 1].is_none() {
            start -= 1;
        }
        while end < numbers.len() && numbers[end].is_none() {
            end += 1;
        }
        let (low, high) = bounds(numbers, start, end, limit);
        let (count, span) = (end - start, high - low);
        if count == numbers.len() || count as f64 <= f64::from(span).powf(CROWDED) {
            return spread(&mut numbers[start..end], low, high);
        }
        reach *= 2;
    }
}

/// Spreads numbers over `low .. high`, which are at least as many.
fn spread(numbers: &mut [Option<u32>], low: u32, high: u32) {
    let (parts, span) = (numbers.len() as u64 + 1, u64::from(high - low) + 1);
    for (n, number) in (1..).zip(numbers) {
        *number = Some(low + (n * span / parts) as u32 - 1);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn next(old: &[(u32, u32)], new: &[u32], limit: u32) -> Vec<(u32, u32)> {
        let numbers = assign(old, new, limit);
        new.iter().copied().zip(numbers).collect()
    }

    fn is_ascending(list: &[(u32, u32)], limit: u32) -> bool {
        list.windows(2).all(|two| two[0].1 < two[1].1) && list.iter().all(|(_, number)| *number < limit)
    }

    /// Keys of both lists whose number changed.
    fn changed(old: &[(u32, u32)], new: &[(u32, u32)]) -> usize {
        new.iter().filter(|(key, number)| old.iter().any(|(k, n)| k == key && n != number)).count()
    }

    proptest! {
        #[test]
        fn numbers_ascend_and_stay_where_the_order_does(
            lists in proptest::collection::vec(
                proptest::collection::vec(0u32..40, 0..30), 1..8),
            spare in 0u32..30,
        ) {
            let limit = 40 + spare;
            let mut old: Vec<(u32, u32)> = Vec::new();
            for mut keys in lists {
                let mut seen = std::collections::BTreeSet::new();
                keys.retain(|key| seen.insert(*key));
                let new = next(&old, &keys, limit);
                prop_assert!(is_ascending(&new, limit), "{new:?}");
                old = new;
            }
        }

        #[test]
        fn a_list_that_only_loses_keys_keeps_all_numbers(count in 1u32..60, lost in 0u32..60) {
            let all: Vec<u32> = (0..count).collect();
            let old = next(&[], &all, 1 << 20);
            let rest: Vec<u32> = all.into_iter().filter(|key| *key != lost).collect();
            prop_assert_eq!(changed(&old, &next(&old, &rest, 1 << 20)), 0);
        }
    }

    #[test]
    fn every_number_can_be_used() {
        let mut keys: Vec<u32> = (0..64).collect();
        let old = next(&[], &keys, 64);
        assert_eq!(old.iter().map(|(_, number)| *number).collect::<Vec<_>>(), keys);
        keys.rotate_left(1);
        assert!(is_ascending(&next(&old, &keys, 64), 64));
    }

    /// A changed key takes the number of the one in whose place it stands.
    #[test]
    fn a_changed_rule_keeps_its_number() {
        let old = next(&[], &[1, 2, 3], 1 << 20);
        let new = next(&old, &[1, 7, 3], 1 << 20);
        assert_eq!(new[1].1, old[1].1);
    }

    /// Ten thousand insertions at one place, in front, at the end and in the middle: few numbers change.
    #[test]
    fn insertions_at_one_place_renumber_few() {
        for place in [0usize, 500, 1000] {
            let mut keys: Vec<u32> = (0..1000).collect();
            let mut list = next(&[], &keys, 1 << 20);
            let (mut sum, mut most) = (0, 0);
            for key in 1000..3000 {
                let at = if place == 1000 { keys.len() } else { place };
                keys.insert(at, key);
                let new = next(&list, &keys, 1 << 20);
                assert!(is_ascending(&new, 1 << 20));
                let numbers: FxHashMap<u32, u32> = list.iter().copied().collect();
                let count =
                    new.iter().filter(|(k, n)| numbers.get(k).is_some_and(|number| number != n)).count();
                sum += count;
                most = most.max(count);
                list = new;
            }
            assert!(sum < 2000 * 30, "{place}: {sum} of 2000 insertions, {most} at most");
        }
    }
}

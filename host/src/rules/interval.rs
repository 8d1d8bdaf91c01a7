//! Sets of addresses and ports as intervals.

/// What an interval is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Space {
    V4,
    V6,
    Port,
}

impl Space {
    /// Highest value.
    pub(crate) fn last(self) -> u128 {
        match self {
            Self::V4 => u32::MAX.into(),
            Self::V6 => u128::MAX,
            Self::Port => u16::MAX.into(),
        }
    }

    /// The whole of it.
    pub(crate) fn all(self) -> Interval {
        Interval { space: self, first: 0, last: self.last() }
    }
}

/// Values from `first` to `last`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Interval {
    pub space: Space,
    pub first: u128,
    pub last: u128,
}

/// The same values as ascending intervals with gaps between them.
pub(crate) fn merged(intervals: &[Interval]) -> Vec<Interval> {
    let mut sorted = intervals.to_vec();
    sorted.sort_unstable();
    let mut merged: Vec<Interval> = Vec::with_capacity(sorted.len());
    for next in sorted {
        match merged.last_mut() {
            Some(top) if top.space == next.space && next.first <= top.last.saturating_add(1) => {
                top.last = top.last.max(next.last);
            }
            _ => merged.push(next),
        }
    }
    merged
}

/// Values of `include` that are not in `exclude`, as ascending intervals.
pub(crate) fn subtract(include: &[Interval], exclude: &[Interval]) -> Vec<Interval> {
    let exclude = merged(exclude);
    let mut left = Vec::new();
    for interval in merged(include) {
        let Interval { space, first, last } = interval;
        let begin = exclude.partition_point(|hole| (hole.space, hole.last) < (space, first));
        let mut from = Some(first);
        for hole in exclude[begin..].iter().take_while(|hole| hole.space == space && hole.first <= last) {
            if let Some(from) = from.filter(|&from| from < hole.first) {
                left.push(Interval { space, first: from, last: hole.first - 1 });
            }
            from = hole.last.checked_add(1);
        }
        if let Some(from) = from.filter(|&from| from <= last) {
            left.push(Interval { space, first: from, last });
        }
    }
    left
}

/// Values that both hold, of lists that are ascending and have gaps; as such a list.
pub(crate) fn common(a: &[Interval], b: &[Interval]) -> Vec<Interval> {
    let (mut a, mut b) = (a.iter().copied().peekable(), b.iter().copied().peekable());
    let mut both = Vec::new();
    while let (Some(one), Some(two)) = (a.peek(), b.peek()) {
        if one.space == two.space {
            let (first, last) = (one.first.max(two.first), one.last.min(two.last));
            if first <= last {
                both.push(Interval { space: one.space, first, last });
            }
        }
        if (one.space, one.last) <= (two.space, two.last) {
            a.next()
        } else {
            b.next()
        };
    }
    both
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ports(list: &[(u128, u128)]) -> Vec<Interval> {
        list.iter().map(|&(first, last)| Interval { space: Space::Port, first, last }).collect()
    }

    #[test]
    fn merging_joins_what_touches() {
        assert_eq!(
            merged(&ports(&[(5, 6), (1, 2), (3, 3), (8, 9), (8, 8)])),
            ports(&[(1, 3), (5, 6), (8, 9)])
        );
        assert_eq!(merged(&[Space::V6.all(), Space::V6.all()]), [Space::V6.all()]);
        assert_eq!(merged(&[Space::V6.all(), Space::V4.all()]), [Space::V4.all(), Space::V6.all()]);
    }

    #[test]
    fn subtraction_is_that_of_sets() {
        let mut state = 1_u64;
        let mut random = |bound: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            u128::from((state >> 33) % bound)
        };
        for _ in 0..2_000 {
            let mut list = || {
                let count = random(5);
                let pairs: Vec<_> = (0..count).map(|_| (random(20), random(6))).collect();
                ports(&pairs.iter().map(|&(first, length)| (first, first + length)).collect::<Vec<_>>())
            };
            let (include, exclude) = (list(), list());
            let left = subtract(&include, &exclude);
            let holds = |list: &[Interval], v: u128| list.iter().any(|i| (i.first..=i.last).contains(&v));
            for value in 0..30 {
                let expected = holds(&include, value) && !holds(&exclude, value);
                assert_eq!(holds(&left, value), expected, "{value} in {include:?} without {exclude:?}");
            }
            assert_eq!(merged(&left), left);
            let (a, b) = (merged(&include), merged(&exclude));
            let both = common(&a, &b);
            for value in 0..30 {
                assert_eq!(
                    holds(&both, value),
                    holds(&a, value) && holds(&b, value),
                    "{value} in {a:?} and {b:?}"
                );
            }
            assert_eq!(merged(&both), both);
        }
    }

    #[test]
    fn the_highest_address_can_be_taken_out() {
        let top = Interval { space: Space::V6, first: u128::MAX, last: u128::MAX };
        let left = subtract(&[Space::V6.all()], &[top]);
        assert_eq!(left, [Interval { space: Space::V6, first: 0, last: u128::MAX - 1 }]);
        assert_eq!(subtract(&[Space::V6.all()], &[Space::V6.all()]), []);
        assert_eq!(subtract(&[Space::V6.all()], &[Space::V4.all()]), [Space::V6.all()]);
        let each = [Space::V4.all(), Space::V6.all()];
        assert_eq!(common(&each, &[Space::V6.all()]), [Space::V6.all()]);
        assert_eq!(common(&each, &[Space::V4.all(), top]), [Space::V4.all(), top]);
    }
}

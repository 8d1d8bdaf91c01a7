//! A table that keeps what was used last.

use std::collections::BTreeMap;

/// Values by their keys, the last `most` used.
#[derive(Clone, Debug)]
pub struct Recent<K, V> {
    most: usize,
    uses: u64,
    values: BTreeMap<K, (u64, V)>,
    /// Keys by their last use.
    order: BTreeMap<u64, K>,
}

impl<K: Ord + Clone, V> Recent<K, V> {
    /// An empty table of that size.
    pub fn new(most: usize) -> Self {
        Self { most, uses: 0, values: BTreeMap::new(), order: BTreeMap::new() }
    }

    /// Uses the value of a key, which is taken from `new` where there is none: then the one whose last use is
    /// longest ago goes where there are too many.
    pub fn using(&mut self, key: &K, new: impl FnOnce() -> V) -> &mut V {
        self.uses += 1;
        if let Some((last, _)) = self.values.get(key) {
            self.order.remove(last);
        } else if self.values.len() == self.most
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.values.remove(&oldest);
        }
        self.order.insert(self.uses, key.clone());
        let (last, value) = self.values.entry(key.clone()).or_insert_with(|| (0, new()));
        *last = self.uses;
        value
    }

    /// Empties it.
    pub fn clear(&mut self) {
        self.values.clear();
        self.order.clear();
    }
}

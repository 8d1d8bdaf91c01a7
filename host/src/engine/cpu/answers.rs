//! What the rules say of many headers.

/// Answers for keys, each at the place of its key.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    /// Number of the first ACL rule, or [`u32::MAX`] where none matches.
    pub acl: Vec<u32>,
    /// Signature headers, those of one key together.
    headers: Vec<u32>,
    /// First and last of each key's headers.
    spans: Vec<(u32, u32)>,
}

impl Answers {
    /// Forgets what was, and makes place for `count` answers.
    pub fn reset(&mut self, count: usize) {
        self.acl.clear();
        self.acl.resize(count, u32::MAX);
        self.headers.clear();
        self.spans.clear();
        self.spans.resize(count, (0, 0));
    }

    /// Number of the first ACL rule that the key at a place satisfies.
    pub fn first(&self, place: usize) -> Option<u32> {
        Some(self.acl[place]).filter(|id| *id != u32::MAX)
    }

    /// Signature headers that the key at a place satisfies, each at least once.
    pub fn headers(&self, place: usize) -> &[u32] {
        let (start, end) = self.spans[place];
        &self.headers[start as usize..end as usize]
    }

    /// The headers pushed from here on are those of a place.
    pub(super) fn begin(&mut self, place: usize) {
        self.spans[place].0 = self.headers.len() as u32;
    }

    /// Adds a header.
    #[inline]
    pub(super) fn push(&mut self, header: u32) {
        self.headers.push(header);
    }

    /// The headers of the place are complete.
    pub(super) fn end(&mut self, place: usize) {
        self.spans[place].1 = self.headers.len() as u32;
    }

    /// Begins the headers of a place anew with those that it has.
    pub(super) fn again(&mut self, place: usize) {
        let (start, end) = self.spans[place];
        self.begin(place);
        self.headers.extend_from_within(start as usize..end as usize);
    }
}

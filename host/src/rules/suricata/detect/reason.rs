//! Why a packet alone cannot decide a rule.

/// Kind of a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::rules::suricata) enum Why {
    /// A protocol or a buffer of the application layer.
    Application,
    /// The reassembled stream, or datagrams put together.
    Stream,
    /// What other packets left behind.
    State,
    /// Data that is not in the packet.
    Data,
    /// Something of the packet that is not looked at.
    NotRead,
}

impl Why {
    fn text(self) -> &'static str {
        match self {
            Self::Application => "application layer",
            Self::Stream => "reassembly",
            Self::State => "state of flows and hosts",
            Self::Data => "data outside of the packet",
            Self::NotRead => "not looked at",
        }
    }
}

/// The reasons of a rule, each name once.
#[derive(Clone, Debug, Default)]
pub(in crate::rules::suricata) struct Reasons(Vec<(Why, String)>);

impl Reasons {
    pub(in crate::rules::suricata) fn add(&mut self, why: Why, name: impl Into<String>) {
        let reason = (why, name.into());
        if !self.0.contains(&reason) {
            self.0.push(reason);
        }
    }

    /// Joins those of `others`.
    pub(super) fn extend(&mut self, others: &Self) {
        others.0.iter().for_each(|(why, name)| self.add(*why, name.clone()));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `kind (name, name); kind (name)`.
    pub(super) fn text(mut self) -> String {
        self.0.sort_by_key(|(why, _)| *why);
        let kinds = self.0.chunk_by(|(one, _), (other, _)| one == other).map(|kind| {
            let names: Vec<_> = kind.iter().map(|(_, name)| name.as_str()).collect();
            format!("{} ({})", kind[0].0.text(), names.join(", "))
        });
        kinds.collect::<Vec<_>>().join("; ")
    }
}

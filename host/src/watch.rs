//! Rule files that are looked at while a session runs, and read again when they change.
//!
//! A thread asks for the files' stamps (time of change, length, file number) a few times a second: that also sees
//! editors that put a new file in the place of the old one, and file systems that tell nobody of changes. Files are
//! read when they have not changed for one such moment, so a file that is being written is not read half. Parsing and
//! compiling stay in this thread; packets wait for neither.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use crossbeam::channel::{Receiver, Sender, bounded};

use crate::compile::live::Live;
use crate::device::RuleUpdate;
use crate::rules;
use crate::rules::Reading;
use crate::rules::model::RuleSet;
use crate::session::Reload;

/// Time between two looks at the files.
const INTERVAL: Duration = Duration::from_millis(100);
/// Changes that wait for the session at most; the session takes each when it comes to a batch, so where it is slow the
/// next change is compiled later.
const WAITING: usize = 2;

/// What tells that files changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamps(Vec<Option<Stamp>>);

/// What tells that one file changed; a file that cannot be asked has none.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    changed: Option<SystemTime>,
    length: u64,
    number: u64,
}

impl Stamps {
    /// The stamps that the files have now.
    pub fn of(files: &[PathBuf]) -> Self {
        Self(files.iter().map(|file| Stamp::of(file)).collect())
    }
}

impl Stamp {
    fn of(file: &Path) -> Option<Self> {
        let metadata = fs::metadata(file).ok()?;
        #[cfg(unix)]
        let number = std::os::unix::fs::MetadataExt::ino(&metadata);
        #[cfg(not(unix))]
        let number = 0;
        Some(Self { changed: metadata.modified().ok(), length: metadata.len(), number })
    }
}

/// Rule files and the rules in force.
pub struct Watch {
    /// Files, as for [`rules::load_with`].
    pub files: Vec<PathBuf>,
    /// How they are read.
    pub reading: Reading,
    /// Stamps that the files had before `rules` were read from them.
    pub stamps: Stamps,
    /// Rules in force.
    pub rules: Arc<RuleSet>,
    /// The same, as a card has them.
    pub live: Live,
}

impl Watch {
    /// Looks at the files in a thread of its own, which ends when nobody takes what it finds.
    pub fn start(self) -> Receiver<Reload> {
        let (sender, receiver) = bounded(WAITING);
        thread::spawn(move || self.run(&sender));
        receiver
    }

    fn run(mut self, sender: &Sender<Reload>) {
        let mut seen = self.stamps.clone();
        loop {
            thread::sleep(INTERVAL);
            let now = Stamps::of(&self.files);
            let is_settled = now == seen;
            seen = now;
            if !is_settled || seen == self.stamps {
                continue;
            }
            let found = self.read();
            // What was read while it was written comes again when it is settled.
            if Stamps::of(&self.files) != seen {
                continue;
            }
            self.stamps = seen.clone();
            let reload = match found {
                Ok(rules) if rules == *self.rules => continue,
                Ok(rules) => self.change(rules),
                Err(why) => Reload::Refused(self.refusal(&why)),
            };
            if sender.send(reload).is_err() {
                return;
            }
        }
    }

    fn read(&self) -> Result<RuleSet, String> {
        rules::load_with(&self.files, &self.reading)
            .map_err(|diagnostics| format!("{:?}", miette::Report::new(diagnostics)))
    }

    fn change(&mut self, rules: RuleSet) -> Reload {
        match self.live.update(&rules) {
            Ok(update) => {
                self.rules = Arc::new(rules);
                let update = RuleUpdate::new(update, self.rules.clone());
                // The parser lets no signature through that cannot be verified; else the session ends with the reason.
                let _compiled = update.host_rules();
                Reload::Rules(Arc::new(update))
            }
            Err(error) => Reload::Refused(self.refusal(&error.to_string())),
        }
    }

    fn refusal(&self, why: &str) -> String {
        let version = self.live.version();
        format!("{why}\nwiresift: the changed rules are not in force, those of version {version} stay")
    }
}

//! The progress bar on standard error.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar over the bytes of the captures, or a count of packets where their size is not known.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    bytes_read: Arc<AtomicU64>,
}

impl Progress {
    pub(super) fn new(captures: &[PathBuf], visible: bool) -> Self {
        Self { bar: visible.then(|| bar(total_bytes(captures))), bytes_read: Arc::default() }
    }

    /// Counter of the bytes read, which moves the bar.
    pub(super) fn bytes_read(&self) -> Arc<AtomicU64> {
        self.bytes_read.clone()
    }

    /// Shows how far the session is.
    pub(super) fn show(&self, packets: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(self.bytes_read.load(Ordering::Relaxed));
            bar.set_message(format!("{packets} packets"));
        }
    }

    /// Writes a line to standard error, above the bar.
    pub(super) fn say(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("{line}")),
            None => eprintln!("{line}"),
        }
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Sum of the captures' sizes; `None` where one is a pipe.
fn total_bytes(captures: &[PathBuf]) -> Option<u64> {
    let size =
        |path: &PathBuf| std::fs::metadata(path).ok().filter(|file| file.is_file()).map(|file| file.len());
    captures.iter().map(size).sum()
}

fn bar(total: Option<u64>) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr());
    let template = match total {
        Some(_) => "{bar:40} {percent:>3} %  {msg}  {elapsed}",
        None => "{spinner} {msg}  {elapsed}",
    };
    // A template that does not parse would leave the bar's own look, so there is nothing to report.
    bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

//! `wiresift classify`.

use std::fs::{self, File};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use wiresift_host::capture::STANDARD_INPUT;
use wiresift_host::metadata::Metadata;
use wiresift_host::report::csv::Csv;
use wiresift_host::report::eve::Eve;
use wiresift_host::report::suspects::Suspects;
use wiresift_host::report::table::Table;
use wiresift_host::report::{Both, Report};
use wiresift_host::session::{self, Plan};
use wiresift_host::watch::Watch;

use super::device::Built;
use super::{ClassifyArgs, Format, load};

/// Bytes of the output that are written at once.
const OUTPUT_BYTES: usize = 1 << 18;

pub fn run(args: &ClassifyArgs) -> Result<()> {
    check_captures(args)?;
    let Built { mut device, metadata, watch } = args.build_device()?;
    load::warn_of_refused(&metadata);
    let mut report = args.report(metadata.clone())?;
    let reloads = watch.map(Watch::start);
    let plan = Plan { captures: args.captures.clone(), metadata, progress: args.progress(), reloads };
    match session::run(plan, device.as_mut(), report.as_mut()).error {
        Some(error) => Err(error.into()),
        None => Ok(()),
    }
}

/// A capture that is misspelt is found before anything is written.
fn check_captures(args: &ClassifyArgs) -> Result<()> {
    let is_stdin = |path: &Path| path.as_os_str() == STANDARD_INPUT;
    for capture in args.captures.iter().filter(|capture| !is_stdin(capture)) {
        let found = fs::metadata(capture).with_context(|| capture.display().to_string())?;
        if found.is_dir() {
            bail!("{}: is a directory", capture.display());
        }
    }
    let uses = args.captures.iter().chain(&args.rules.files).filter(|path| is_stdin(path)).count();
    if uses > 1 {
        bail!("standard input (`-`) can be read only once");
    }
    Ok(())
}

impl ClassifyArgs {
    fn report(&self, metadata: Arc<Metadata>) -> Result<Box<dyn Report>> {
        let out: Box<dyn Write + Send> = match &self.output {
            Some(path) => Box::new(File::create(path).with_context(|| path.display().to_string())?),
            None => Box::new(io::stdout()),
        };
        let out = BufWriter::with_capacity(OUTPUT_BYTES, out);
        let report: Box<dyn Report> = match self.format {
            Format::Table => Box::new(Table::new(out, metadata)),
            Format::Csv => Box::new(Csv::new(out, metadata)),
            Format::Eve => {
                let names = self.captures.iter().map(|capture| capture.display().to_string()).collect();
                Box::new(Eve::new(out, metadata, names))
            }
        };
        let Some(path) = &self.suspects else { return Ok(report) };
        let file = File::create(path).with_context(|| path.display().to_string())?;
        let suspects = Suspects::new(BufWriter::with_capacity(OUTPUT_BYTES, file), self.suspect_flows);
        Ok(Box::new(Both(report, Box::new(suspects))))
    }

    /// A bar is for people, and would be torn by lines that come to the same terminal.
    fn progress(&self) -> bool {
        let streams_to_terminal =
            self.format != Format::Table && self.output.is_none() && io::stdout().is_terminal();
        io::stderr().is_terminal() && !streams_to_terminal
    }
}

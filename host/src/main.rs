//! The command `wiresift`.
#![forbid(unsafe_code)]

mod cli;

use std::process::ExitCode;

use clap::Parser;
use wiresift_host::rules::diagnostics::Diagnostics;

/// Exit code of every error, also of a wrong command line.
const EXIT_ERROR: u8 = 2;

fn main() -> ExitCode {
    match cli::Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            match error.downcast::<Diagnostics>() {
                Ok(rules) => eprintln!("{:?}", miette::Report::new(rules)),
                Err(error) => eprintln!("wiresift: {error:#}"),
            }
            ExitCode::from(EXIT_ERROR)
        }
    }
}

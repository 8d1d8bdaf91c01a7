//! The command of this crate: writes the card's Verilog and tells what it costs.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use clap::{Parser, Subcommand};
use wiresift_abi::geometry::{ALL, Geometry};
use wiresift_hdl::emit::{EmitError, card_verilog};
use wiresift_hdl::place::{self, PlaceError};
use wiresift_hdl::synth::{SynthError, Target, costs, table};

/// Builds the Wiresift card.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Writes the Verilog of the card as `card_<geometry>.v`; its top module is `top`.
    Emit {
        /// Sizes of the card.
        #[arg(long, value_parser = geometries())]
        geometry: String,
        /// Folder to write to; it is made where it does not exist.
        #[arg(long)]
        out: PathBuf,
    },
    /// Maps the card with yosys, block by block, and prints what it costs as a Markdown table; fails
    /// where it finds a latch or a memory that did not become what it should.
    Synth {
        /// Sizes of the card.
        #[arg(long, value_parser = geometries())]
        geometry: String,
        /// Family of the FPGA.
        #[arg(long, default_value = "xcup", value_parser = ["xcup", "ecp5"])]
        target: String,
        /// Only this module of the card's Verilog.
        #[arg(long)]
        block: Option<String>,
    },
    /// Places and routes the card on an ECP5-85 with nextpnr and prints the clock that it reaches.
    Place {
        /// Sizes of the card.
        #[arg(long, default_value = "lab", value_parser = geometries())]
        geometry: String,
        /// How many seeds of the placer are tried.
        #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
        seeds: u32,
        /// Folder for netlist and reports; it is made where it does not exist.
        #[arg(long, default_value = "target/place")]
        out: PathBuf,
    },
}

fn geometries() -> PossibleValuesParser {
    PossibleValuesParser::new(ALL.map(|geometry| geometry.name))
}

/// Why the command failed.
#[derive(Debug, thiserror::Error)]
enum CommandError {
    #[error("no geometry {0}")]
    Geometry(String),
    #[error("no target {0}")]
    Target(String),
    #[error(transparent)]
    Synth(#[from] SynthError),
    #[error(transparent)]
    Place(#[from] PlaceError),
    #[error(transparent)]
    Emit(#[from] EmitError),
    #[error("cannot write {}", .0.display())]
    Write(PathBuf, #[source] std::io::Error),
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprint!("error: {error}");
            let mut cause = std::error::Error::source(&error);
            while let Some(inner) = cause {
                eprint!(": {inner}");
                cause = inner.source();
            }
            eprintln!();
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<(), CommandError> {
    match command {
        Command::Emit { geometry, out } => {
            let geometry = by_name(&geometry)?;
            let text = card_verilog(geometry)?;
            let path = out.join(format!("card_{}.v", geometry.name));
            let write = || {
                std::fs::create_dir_all(&out)?;
                std::fs::write(&path, &text)
            };
            write().map_err(|error| CommandError::Write(path.clone(), error))?;
            println!("{}: {} lines", path.display(), text.lines().count());
            Ok(())
        }
        Command::Synth { geometry, target, block } => {
            let target = Target::by_name(&target).ok_or(CommandError::Target(target))?;
            let costs = costs(by_name(&geometry)?, target, block.as_deref())?;
            print!("{}", table::markdown(&costs, target));
            Ok(())
        }
        Command::Place { geometry, seeds, out } => {
            print!("{}", place::markdown(&place::place(by_name(&geometry)?, seeds, &out)?));
            Ok(())
        }
    }
}

fn by_name(name: &str) -> Result<&'static Geometry, CommandError> {
    Geometry::by_name(name).ok_or_else(|| CommandError::Geometry(name.to_owned()))
}

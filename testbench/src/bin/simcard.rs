//! `wiresift-simcard`: the simulated card as a PCI device on a UNIX socket (vfio-user).

use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result, bail};
use clap::{Parser, ValueEnum};
use wiresift_abi::geometry::{self, Geometry};
use wiresift_driver::vfio_user::DmaBy;
use wiresift_testbench::simcard::{ClientMemory, Server, VerilatedCard};
use wiresift_testbench::{Options, SimCard};

/// Serves the simulated card as a PCI device over the vfio-user protocol: to `wiresift --device vfio-user:PATH`, and to
/// QEMU (`-device '{"driver":"vfio-user-pci","socket":{"path":"PATH","type":"unix"}}'`). One client at a time; the
/// card is as after a reset for each.
#[derive(Parser)]
#[command(name = "wiresift-simcard", version)]
struct Args {
    /// Socket to listen on. It is made, and must not be there unless nobody listens on it.
    #[arg(long, value_name = "PATH")]
    socket: PathBuf,
    /// Sizes of the card.
    #[arg(long, default_value = "lab", value_parser = geometry_names())]
    geometry: String,
    /// How the card gets at the client's memory where both are possible.
    #[arg(long, value_enum, default_value_t = Dma::Fd)]
    dma: Dma,
    /// Cycles that the bus takes to answer.
    #[arg(long, value_name = "CYCLES", default_value_t = 20)]
    latency: u32,
    /// Seed of everything random on the bus.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// End when the first client goes.
    #[arg(long)]
    once: bool,
    /// VCD file that every signal is written to.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Dma {
    /// In place, in the file that the client shares.
    Fd,
    /// By a message for each burst.
    Message,
}

fn geometry_names() -> clap::builder::PossibleValuesParser {
    geometry::ALL.map(|geometry| geometry.name).into()
}

fn main() -> ExitCode {
    match serve(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("wiresift-simcard: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn serve(args: &Args) -> Result<()> {
    // The parser lets no name through that does not exist.
    let geometry = Geometry::by_name(&args.geometry).unwrap_or(&geometry::LAB);
    let mut options = Options::new(geometry);
    options.seed = args.seed;
    options.timing.latency = args.latency;
    options.trace.clone_from(&args.trace);
    let by = match args.dma {
        Dma::Fd => DmaBy::Fd,
        Dma::Message => DmaBy::Message,
    };
    let memory = ClientMemory::new(by);
    let sim = SimCard::with_memory(&options, memory.clone()).context("no simulated card")?;
    let mut server = Server::new(VerilatedCard::new(sim), memory);
    let listener = listen(&args.socket)?;
    eprintln!("wiresift-simcard: geometry {}, listening on {}", geometry.name, args.socket.display());
    let never = AtomicBool::new(false);
    loop {
        let (stream, _) = listener.accept().context("no client")?;
        match server.run(stream, &never) {
            Ok(served) => {
                eprintln!("wiresift-simcard: the client has left: {served}");
                if let Some(complaint) = served.complaint {
                    bail!("the card broke a rule of its bus: {complaint}");
                }
            }
            Err(error) => eprintln!("wiresift-simcard: {:#}", anyhow::Error::from(error)),
        }
        if args.once {
            return Ok(());
        }
    }
}

/// Listens on a path; a socket that somebody left behind is taken away.
fn listen(path: &Path) -> Result<UnixListener> {
    let is_left_behind = || {
        let is_socket = std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket());
        is_socket && std::os::unix::net::UnixStream::connect(path).is_err()
    };
    match UnixListener::bind(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse && is_left_behind() => {
            std::fs::remove_file(path).with_context(|| path.display().to_string())?;
            UnixListener::bind(path)
        }
        result => result,
    }
    .with_context(|| format!("cannot listen on {}", path.display()))
}

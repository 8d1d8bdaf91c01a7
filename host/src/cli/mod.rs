//! The command line: its arguments, and what each subcommand does.

mod check;
mod classify;
mod device;
mod devices;
mod explain;
mod image;
mod load;

use std::io::{self, Write};
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::Result;
use clap::{Args, Parser, Subcommand, ValueEnum};
use wiresift_abi::geometry::{self, Geometry};
use wiresift_host::devices::Address;
use wiresift_host::rules::Reading;

/// Sifts packets by access control lists and signatures, on a card or as a card would.
#[derive(Parser)]
#[command(name = "wiresift", version, after_help = EXIT_CODES)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Exit codes: 0 when all went well, 2 on an error. A reader of the output that goes away early (as `head` does) is no \
error.";

#[derive(Subcommand)]
enum Command {
    /// Decide every packet of the captures.
    Classify(ClassifyArgs),
    /// Show what becomes of every rule and what the rules use of a card.
    Check(CheckArgs),
    /// Compile rules into a rule image.
    Compile(CompileArgs),
    /// Show what is in a rule image.
    Inspect(InspectArgs),
    /// List the cards of this machine, and what is missing to use them.
    Devices(DevicesArgs),
    /// Bind a card to vfio-pci, so that a process can use it (needs root).
    Bind(BindArgs),
    /// Give a card back to the driver that the kernel picks (needs root).
    Unbind(UnbindArgs),
}

/// Where the rules come from and what they are compiled for.
#[derive(Args)]
struct RuleArgs {
    /// Rule file: Suricata or Snort signatures, a ClassBench access control list, or an nftables ruleset
    /// (`nft list ruleset`, also with `-j`); `-` is standard input. May be repeated; ACL rules win in the
    /// order of the files.
    #[arg(long = "rules", value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Variable of the signatures, for example HOME_NET=10.0.0.0/8. May be repeated.
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = variable)]
    vars: Vec<(String, String)>,
    /// Base chain of an nftables ruleset, for example 'inet filter input' or filter/input; needed where the
    /// ruleset has several of type filter.
    #[arg(long, value_name = "CHAIN")]
    chain: Option<String>,
    /// Take a rule of an nftables ruleset that is not expressible as an error; otherwise it is left out with
    /// a warning.
    #[arg(long)]
    strict: bool,
    /// Sizes of the card that the rules are compiled for; `line` where nothing is said.
    #[arg(long, value_parser = geometry_names())]
    geometry: Option<String>,
}

#[derive(Args)]
struct ClassifyArgs {
    #[command(flatten)]
    rules: RuleArgs,
    /// What decides the packets: `cpu`, this machine by the tables of the rule image; `vfio:ADDRESS`, the card at that
    /// address of the bus (for example vfio:0000:01:00.0); `vfio-user:SOCKET`, a card that another process serves;
    /// `rtl`, the simulated card, every clock cycle of it, so thousands of packets a second; `reference`, which tries
    /// every rule as it is written: slow, to judge the others.
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    device: DeviceName,
    /// Milliseconds after which a card that makes no progress counts as stalled, for `vfio:` and `vfio-user:`.
    #[arg(long, value_name = "MS", default_value_t = 900, value_parser = clap::value_parser!(u64).range(1..=3_600_000))]
    card_timeout: u64,
    /// With a card: end with an error when it fails for good. Otherwise the CPU decides what is in flight and goes on by
    /// the same rules, until the card is back.
    #[arg(long)]
    no_failover: bool,
    /// What the decisions are told as.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// File to write to instead of standard output.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Also write the packets that need a full IDS to this capture (pcap): those with the flag `suspect`.
    #[arg(long, value_name = "FILE")]
    suspects: Option<PathBuf>,
    /// With --suspects: write their whole flows, as far as they were captured from the suspect on and a buffer of 64 MiB
    /// holds what came before it.
    #[arg(long, requires = "suspects")]
    suspect_flows: bool,
    /// Look at the rule files while packets are decided, and put them in force when they change: between two packets,
    /// without a gap. A file with an error is reported, and the rules before it stay in force.
    #[arg(long)]
    watch_rules: bool,
    /// Seed of the hash's secret and of the simulated card, for runs that are the same every time.
    #[arg(long)]
    seed: Option<u64>,
    /// With `--device rtl`: write the card's signals to this file (VCD).
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Capture: pcap, pcapng or a ClassBench trace, also compressed with gzip; `-` is standard input.
    /// With a rule image in place of rule files, the image is loaded as it is.
    #[arg(value_name = "CAPTURE", required = true)]
    captures: Vec<PathBuf>,
}

#[derive(Args)]
struct CheckArgs {
    #[command(flatten)]
    rules: RuleArgs,
    /// List every signature.
    #[arg(long)]
    verbose: bool,
    /// Say what becomes of the signature of this id and why, and nothing else. May be repeated.
    #[arg(long, value_name = "SID")]
    explain: Vec<u32>,
}

#[derive(Args)]
struct CompileArgs {
    #[command(flatten)]
    rules: RuleArgs,
    /// Seed of the hash's secret, for images that are the same every time. Without it the secret is
    /// random, as it must be where the traffic may be hostile.
    #[arg(long)]
    seed: Option<u64>,
    /// Rule image to write.
    #[arg(long, value_name = "IMAGE")]
    output: PathBuf,
}

#[derive(Args)]
struct InspectArgs {
    /// Rule image.
    #[arg(value_name = "IMAGE")]
    image: PathBuf,
}

#[derive(Args)]
struct DevicesArgs {
    #[command(subcommand)]
    command: Option<DevicesCommand>,
    /// List every PCI device.
    #[arg(long)]
    all: bool,
    /// Folder that stands for /, for tests.
    #[arg(long, hide = true, global = true, default_value = "/")]
    root: PathBuf,
}

#[derive(Subcommand)]
enum DevicesCommand {
    /// Name what is missing (IOMMU, driver, group, rights, memory), with the command that mends it. Exit code 2 where
    /// a card cannot be used.
    Doctor {
        /// Address of a card; all cards where none is given.
        #[arg(value_name = "ADDRESS")]
        address: Option<Address>,
    },
}

#[derive(Args)]
struct BindArgs {
    /// Address on the PCI bus, for example 0000:01:00.0.
    #[arg(value_name = "ADDRESS")]
    address: Address,
    /// Bind it although it has not the numbers of a Wiresift card.
    #[arg(long)]
    force: bool,
    /// Folder that stands for /, for tests.
    #[arg(long, hide = true, default_value = "/")]
    root: PathBuf,
}

#[derive(Args)]
struct UnbindArgs {
    /// Address on the PCI bus, for example 0000:01:00.0.
    #[arg(value_name = "ADDRESS")]
    address: Address,
    /// Folder that stands for /, for tests.
    #[arg(long, hide = true, default_value = "/")]
    root: PathBuf,
}

/// What `--device` names.
#[derive(Clone, Debug, PartialEq, Eq)]
enum DeviceName {
    /// This machine.
    Cpu,
    /// The simulated card.
    Rtl,
    /// Linear search.
    Reference,
    /// The card at an address of the bus.
    Vfio(String),
    /// A card that another process serves on a socket.
    VfioUser(PathBuf),
}

impl FromStr for DeviceName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text, text.split_once(':')) {
            ("cpu", _) => Ok(Self::Cpu),
            ("rtl", _) => Ok(Self::Rtl),
            ("reference", _) => Ok(Self::Reference),
            (_, Some(("vfio", address))) if !address.is_empty() => Ok(Self::Vfio(address.to_owned())),
            (_, Some(("vfio-user", path))) if !path.is_empty() => Ok(Self::VfioUser(path.into())),
            _ => Err("possible values: cpu, vfio:ADDRESS, vfio-user:SOCKET, rtl, reference".to_owned()),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// What matched how often, for people.
    Table,
    /// One line a packet.
    Csv,
    /// Suricata's alert records, JSON.
    Eve,
}

impl Cli {
    /// Does what the command line says.
    pub fn run(self) -> Result<()> {
        match self.command {
            Command::Classify(args) => classify::run(&args),
            Command::Check(args) => print(&check::run(&args)?),
            Command::Compile(args) => image::compile(&args),
            Command::Inspect(args) => print(&image::inspect(&args.image)?),
            Command::Devices(args) => devices::run(&args),
            Command::Bind(args) => devices::bind(&args),
            Command::Unbind(args) => devices::unbind(&args),
        }
    }
}

impl RuleArgs {
    /// The geometry to compile for. The argument's parser lets no name through that does not exist.
    fn geometry(&self) -> &'static Geometry {
        self.geometry.as_deref().and_then(Geometry::by_name).unwrap_or(&geometry::LINE)
    }

    /// How the rule files are read.
    fn reading(&self) -> Reading {
        let vars = self.vars.iter().cloned().collect();
        Reading { vars, chain: self.chain.clone(), strict: self.strict }
    }
}

fn geometry_names() -> clap::builder::PossibleValuesParser {
    geometry::ALL.map(|geometry| geometry.name).into()
}

fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim_start_matches('$').is_empty() => {
            Ok((name.trim_start_matches('$').to_owned(), value.to_owned()))
        }
        _ => Err("a variable is written NAME=VALUE".to_owned()),
    }
}

/// Writes to standard output; a reader that went away wanted no more.
fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

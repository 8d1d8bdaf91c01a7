//! What can go wrong between driver and card.

use wiresift_abi::csr::{Csr, ErrorCode};
use wiresift_abi::geometry::Geometry;

use crate::c2h::RecordError;
use crate::h2c::PacketError;
use crate::ring::IndexError;
use crate::transport::TransportError;
use crate::update::UpdateError;

/// Why the driver could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// The transport failed.
    #[error("the way to the card is broken")]
    Transport(#[from] TransportError),
    /// The card is none, or another one than this driver is made for.
    #[error("register {csr:?} is {is:#x} where it should be {should:#x}")]
    Register {
        /// The register.
        csr: Csr,
        /// What it holds.
        is: u32,
        /// What it should hold.
        should: u32,
    },
    /// The card has a geometry this driver does not know.
    #[error("the card has geometry number {0}, which this driver does not know")]
    UnknownGeometry(u32),
    /// A ring size of [`crate::Config`] is out of range.
    #[error("a {ring} ring of 2^{is} entries; it can have 2^{low} to 2^{high}")]
    RingSize {
        /// Name of the ring.
        ring: &'static str,
        /// Power of two asked for.
        is: u32,
        /// Smallest.
        low: u32,
        /// Largest.
        high: u32,
    },
    /// The card stopped by itself.
    #[error("the card halted: {}", halted(*.error, *.detail))]
    Halted {
        /// Register ERROR.
        error: u32,
        /// Register ERROR_DETAIL.
        detail: u32,
    },
    /// The card did not do something in time.
    #[error("the card did not {what} within {waited_ns} ns (STATUS {status:#x})")]
    Timeout {
        /// What was waited for.
        what: &'static str,
        /// How long, in nanoseconds of [`crate::Transport::now_ns`].
        waited_ns: u64,
        /// Register STATUS at the end.
        status: u32,
    },
    /// The card stopped making progress with packets in flight.
    #[error(
        "the card made no progress for {waited_ns} ns with {in_flight} packets in flight \
         (H2C: announced {announced}, taken {taken}; C2H: written {written}, consumed {consumed})"
    )]
    Stalled {
        /// How long, in nanoseconds.
        waited_ns: u64,
        /// Packets not answered.
        in_flight: u64,
        /// H2C lines announced.
        announced: u32,
        /// H2C lines the card says it has taken.
        taken: u32,
        /// C2H records the card says it has written.
        written: u32,
        /// C2H records consumed.
        consumed: u32,
    },
    /// The card says that it has written records that are not in memory.
    #[error("records {first} to {end} (exclusive) were written, says the card, and are not in memory")]
    RecordsLost {
        /// Index of the first.
        first: u32,
        /// Index behind the last.
        end: u32,
    },
    /// A record is wrong.
    #[error("the card wrote a wrong record")]
    Record(#[from] RecordError),
    /// An index from the card is impossible.
    #[error("the card gave an impossible {what}")]
    Index {
        /// Which index.
        what: &'static str,
        /// What is wrong with it.
        #[source]
        source: IndexError,
    },
    /// A packet cannot be posted.
    #[error("a packet cannot be posted")]
    Packet(#[from] PacketError),
    /// Commands are no transaction for the card.
    #[error("the rules cannot be changed")]
    Update(#[from] UpdateError),
    /// A rule image is for another geometry.
    #[error("the rule image is for geometry `{}`, the card has `{}`", .image.name, .card.name)]
    ImageGeometry {
        /// Geometry of the image.
        image: &'static Geometry,
        /// Geometry of the card.
        card: &'static Geometry,
    },
    /// No rule image was loaded yet.
    #[error("no rule image is loaded")]
    NotLoaded,
    /// A rule image can be loaded only while no packet is in flight.
    #[error("a rule image cannot be loaded while {0} packets are in flight")]
    InFlight(u64),
    /// An earlier error was not recovered from, or the card was shut down.
    #[error("the card is stopped")]
    Stopped,
    /// Recovery was tried too often without a verdict in between.
    #[error("given up after {tries} tries to recover")]
    GaveUp {
        /// Number of tries.
        tries: u32,
        /// What the last one ended with.
        #[source]
        source: Box<DriverError>,
    },
}

fn halted(error: u32, detail: u32) -> String {
    let text = ErrorCode::from_number(error).map_or("it gives no known reason", ErrorCode::text);
    format!("{text} (ERROR {error}, ERROR_DETAIL {detail:#x})")
}

/// Kinds of errors, as they are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// The transport failed.
    Transport,
    /// The card halted.
    Halted,
    /// The card stopped making progress, or did not do something in time.
    Stalled,
    /// Records were lost.
    RecordsLost,
    /// A record was wrong.
    Record,
    /// An index or register was impossible.
    Index,
}

impl DriverError {
    /// What a reset of the card may mend, as a kind; `None` for errors of the caller, which leave the
    /// card as it was.
    pub fn cause(&self) -> Option<Cause> {
        match self {
            Self::Transport(_) => Some(Cause::Transport),
            Self::Halted { .. } => Some(Cause::Halted),
            Self::Timeout { .. } | Self::Stalled { .. } => Some(Cause::Stalled),
            Self::RecordsLost { .. } => Some(Cause::RecordsLost),
            Self::Record(_) => Some(Cause::Record),
            Self::Index { .. } | Self::Register { .. } => Some(Cause::Index),
            Self::UnknownGeometry(_)
            | Self::RingSize { .. }
            | Self::Packet(_)
            | Self::Update(_)
            | Self::ImageGeometry { .. }
            | Self::NotLoaded
            | Self::InFlight(_)
            | Self::Stopped
            | Self::GaveUp { .. } => None,
        }
    }

    /// Whether [`crate::Card::recover`] may help.
    pub fn is_recoverable(&self) -> bool {
        self.cause().is_some()
    }
}

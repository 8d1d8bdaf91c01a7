//! A card that reaches for what it has no right to: the IOMMU refuses it, and the card halts.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use wiresift_abi::csr::{CONTROL_ENABLE, Csr, ErrorCode, STATUS_HALTED};
use wiresift_abi::h2c::{BatchHeader, BatchKind};
use wiresift_driver::vfio::{Options, Vfio};
use wiresift_driver::{Direction, Transport};

/// Where no region ever lies: regions begin at the lowest address that is free.
const UNMAPPED: u64 = 0x7a_5555_0000;
/// How long the card may take, slow as it is here.
const LIMIT: Duration = Duration::from_secs(60);

/// Where the card is told that its memory lies.
#[derive(Clone, Copy)]
struct Places {
    h2c: u64,
    c2h: u64,
    status: u64,
}

/// Each kind of access that must be refused.
pub fn all(address: &str) -> Result<()> {
    let mut card = Vfio::open(address, Options::default())?;
    // The card may read the first two and write the others. (That it may not read these cannot be shown: this kernel's
    // VT-d driver makes every mapping readable.)
    let h2c = card.map(1 << 16, Direction::H2c)?;
    // Never read: what QEMU's IOMMU has translated before is refused without a fault.
    let unread = card.map(1 << 16, Direction::H2c)?;
    let c2h = card.map(1 << 16, Direction::C2h)?;
    let status = card.map(64, Direction::C2h)?;
    // A good batch of one packet, which the card answers and counts in the status line.
    let header = BatchHeader::new(BatchKind::Packets, 1, 0);
    h2c.memory().write(0, &[header.control.to_le_bytes(), 60u16.to_le_bytes()].concat());
    let good = Places { h2c: h2c.iova().0, c2h: c2h.iova().0, status: status.iova().0 };
    for (what, address, places) in [
        ("read of unmapped", UNMAPPED, Places { h2c: UNMAPPED, ..good }),
        ("write to unmapped", UNMAPPED, Places { status: UNMAPPED, ..good }),
        ("write to read-only", unread.iova().0, Places { status: unread.iova().0, ..good }),
    ] {
        let error = stray(&mut card, places)?;
        println!("guest: stray {what} {address:#x}: {error:?}");
    }
    Ok(())
}

/// Starts the card with memory at those places; gives the error with which it halts.
fn stray(card: &mut Vfio, places: Places) -> Result<Option<ErrorCode>> {
    card.reset_function()?;
    let halves = |address: u64| [address as u32, (address >> 32) as u32];
    let [h2c_lo, h2c_hi] = halves(places.h2c);
    let [c2h_lo, c2h_hi] = halves(places.c2h);
    let [status_lo, status_hi] = halves(places.status);
    for (csr, value) in [
        (Csr::H2cBaseLo, h2c_lo),
        (Csr::H2cBaseHi, h2c_hi),
        (Csr::H2cLinesLog2, 10),
        (Csr::C2hBaseLo, c2h_lo),
        (Csr::C2hBaseHi, c2h_hi),
        (Csr::C2hRecordsLog2, 12),
        (Csr::StatusBaseLo, status_lo),
        (Csr::StatusBaseHi, status_hi),
        (Csr::Control, CONTROL_ENABLE),
        (Csr::H2cPidx, 2),
    ] {
        card.write_csr(csr, value)?;
    }
    let start = Instant::now();
    while card.read_csr(Csr::Status)? & STATUS_HALTED == 0 {
        if start.elapsed() > LIMIT {
            bail!("the card does not halt");
        }
        card.relax();
    }
    let error = card.read_csr(Csr::Error)?;
    card.write_csr(Csr::Control, 0)?;
    Ok(ErrorCode::from_number(error))
}

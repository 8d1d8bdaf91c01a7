//! From a block to the text that synthesis and simulation read.

use rust_hdl::core::check_error::CheckError;
use rust_hdl::core::prelude::*;

use wiresift_abi::geometry::{Geometry, LAB, LINE};

use crate::card::{LabCard, LineCard};
use crate::merge::{MergeError, merge};

/// Why a block gives no text.
#[derive(Debug, thiserror::Error)]
pub enum EmitError {
    /// An open connection, a loop, or an input that is written.
    #[error("the block is not sound: {0:?}")]
    Check(CheckError),
    /// No card is built with these sizes.
    #[error("no card is built for the geometry {0}")]
    Geometry(&'static str),
    /// There is no thread for a card, which needs a larger stack than threads have.
    #[error("no thread for the card: {0}")]
    Thread(#[from] std::io::Error),
    /// RustHDL emitted what the merging pass does not understand.
    #[error(transparent)]
    Merge(#[from] MergeError),
}

/// First line of a text: some ports have names that Verilator must rename inside, which harms nothing.
const HEAD: &str = "// verilator lint_off SYMRSVDWORD\n\n";

/// The Verilog of a block, with equal modules merged; the top module is [`crate::merge::TOP`].
/// Connects the block first.
///
/// # Errors
/// See [`EmitError`].
pub fn verilog<B: Block>(mut block: B) -> Result<String, EmitError> {
    block.connect_all();
    check_all(&block).map_err(EmitError::Check)?;
    Ok(HEAD.to_owned() + &merge(&generate_verilog_unchecked(&block))?)
}

/// The Verilog of the whole card of a geometry. The same geometry gives the same text.
///
/// # Errors
/// See [`EmitError`]; a geometry that is neither [`LINE`] nor [`LAB`] has no card.
pub fn card_verilog(geometry: &Geometry) -> Result<String, EmitError> {
    with_room(|| {
        if *geometry == LINE {
            verilog(LineCard::line())
        } else if *geometry == LAB {
            verilog(LabCard::lab())
        } else {
            Err(EmitError::Geometry(geometry.name))
        }
    })?
}

/// Does something with cards by value, a few of which are more than the 2 MiB that a thread's stack has.
///
/// # Errors
/// The system gives no thread.
pub(crate) fn with_room<T: Send>(work: impl FnOnce() -> T + Send) -> std::io::Result<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(64 << 20).spawn_scoped(scope, work)?;
        thread.join().map_or_else(|panic| std::panic::resume_unwind(panic), Ok)
    })
}

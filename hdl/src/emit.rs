//! From a block to the text that synthesis and simulation read.

use rust_hdl::core::check_error::CheckError;
use rust_hdl::core::prelude::*;

use crate::merge::{MergeError, merge};

/// Why a block gives no text.
#[derive(Debug, thiserror::Error)]
pub enum EmitError {
    /// An open connection, a loop, or an input that is written.
    #[error("the block is not sound: {0:?}")]
    Check(CheckError),
    /// RustHDL emitted what the merging pass does not understand.
    #[error(transparent)]
    Merge(#[from] MergeError),
}

/// The Verilog of a block, with equal modules merged; the top module is [`crate::merge::TOP`].
/// Connects the block first.
///
/// # Errors
/// See [`EmitError`].
pub fn verilog<B: Block>(mut block: B) -> Result<String, EmitError> {
    block.connect_all();
    check_all(&block).map_err(EmitError::Check)?;
    Ok(merge(&generate_verilog_unchecked(&block))?)
}

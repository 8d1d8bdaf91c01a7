//! What the card costs: yosys maps it block by block, and the cells are counted and summed.
//!
//! A block is an instance in the card's top. The classifier is too large to be flattened in reasonable
//! time, so its parts are mapped one by one and it itself without them. What was found is kept in
//! `target/synth` by the content of the block's text, so only what changed is mapped again.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;
use wiresift_abi::geometry::Geometry;

use crate::emit::{EmitError, card_verilog};
use crate::merge::{MergeError, TOP, instances, part};

pub mod netlist;
pub mod table;

use netlist::{Counts, NetlistError};

/// Blocks that are mapped part by part.
const SPLIT: [&str; 2] = ["classifier", "matcher"];

/// A family of FPGAs that yosys maps to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// UltraScale+.
    Xcup,
    /// ECP5.
    Ecp5,
}

impl Target {
    /// The target of that name.
    pub fn by_name(name: &str) -> Option<Self> {
        match name {
            "xcup" => Some(Self::Xcup),
            "ecp5" => Some(Self::Ecp5),
            _ => None,
        }
    }

    /// Without LUTs of more inputs than the family's have (six, and four of the ECP5): those cost a multiplexer for each
    /// input above, which makes the paths of comparisons longer on UltraScale+ (in levels and in ns), takes a quarter more
    /// LUTs on the ECP5, and ties them to fixed neighbours.
    fn command(self, top: &str) -> String {
        match self {
            Self::Xcup => {
                format!("synth_xilinx -family xcup -flatten -nowidelut -noiopad -noclkbuf -top {top}")
            }
            Self::Ecp5 => format!("synth_ecp5 -nowidelut -top {top}"),
        }
    }
}

/// Why there is no table.
#[derive(Debug, thiserror::Error)]
pub enum SynthError {
    /// The card gives no text.
    #[error(transparent)]
    Emit(#[from] EmitError),
    /// The text could not be taken apart.
    #[error(transparent)]
    Merge(#[from] MergeError),
    /// The card has no module of that name.
    #[error("the card has no block {0}")]
    NoBlock(String),
    /// A file or yosys itself.
    #[error("{0}")]
    Io(String, #[source] std::io::Error),
    /// yosys found something.
    #[error("yosys failed on {0}:\n{1}")]
    Yosys(String, String),
    /// The netlist is not as it should be.
    #[error("block {0}")]
    Netlist(String, #[source] NetlistError),
    /// A latch.
    #[error("block {0} has a latch")]
    Latch(String),
    /// A memory did not become what its style says.
    #[error("block {0}: memories of style {1} have {2} bits, the cells for them hold {3}")]
    Memory(String, &'static str, usize, usize),
}

/// What one block costs.
#[derive(Clone, Debug, PartialEq)]
pub struct Cost {
    /// Name of the block's module.
    pub name: String,
    /// How many of it the card has.
    pub count: usize,
    /// Cells by kind, of one.
    pub cells: Counts,
    /// Its longest path.
    pub path: netlist::Path,
}

/// Maps the blocks of a card, or only `block`, which may be any module of its text.
///
/// # Errors
/// See [`SynthError`].
pub fn costs(geometry: &Geometry, target: Target, block: Option<&str>) -> Result<Vec<Cost>, SynthError> {
    let text = card_verilog(geometry)?;
    let mut work = Vec::new();
    match block {
        Some(name) => {
            if !text.contains(&format!("module {name}(")) {
                return Err(SynthError::NoBlock(name.to_owned()));
            }
            work.push((name.to_owned(), 1, SPLIT.contains(&name)));
            if SPLIT.contains(&name) {
                work.extend(instances(&text, name)?.into_iter().map(|(name, count)| (name, count, false)));
            }
        }
        None => work = blocks(&text)?,
    }
    work.into_iter()
        .map(|(name, count, is_alone)| {
            eprintln!("{name} ..");
            cost(&part(&text, &name, is_alone)?, &name, count, target)
        })
        .collect()
}

/// The blocks of a card's text: name, how many of it there are, and whether its parts are blocks of their own.
pub fn blocks(text: &str) -> Result<Vec<(String, usize, bool)>, MergeError> {
    let mut blocks = Vec::new();
    for (name, count) in instances(text, TOP)? {
        let is_split = SPLIT.contains(&name.as_str());
        let parts = if is_split { instances(text, &name)? } else { BTreeMap::new() };
        blocks.push((name, count, is_split));
        blocks.extend(parts.into_iter().map(|(name, parts)| (name, count * parts, false)));
    }
    Ok(blocks)
}

fn cost(text: &str, name: &str, count: usize, target: Target) -> Result<Cost, SynthError> {
    let mut hasher = DefaultHasher::new();
    (text, name, target, include_str!("synth.rs"), include_str!("synth/netlist.rs")).hash(&mut hasher);
    let folder = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target")), PathBuf::from);
    let kept = folder.join("synth").join(format!("{name}-{:016x}.json", hasher.finish()));
    if let Some((cells, path)) = load(&kept) {
        return Ok(Cost { name: name.to_owned(), count, cells, path });
    }
    let json = map(text, name, target, &kept)?;
    let (cells, path) =
        netlist::read(&json, name, target).map_err(|error| SynthError::Netlist(name.to_owned(), error))?;
    check(text, name, &cells)?;
    let found = json!({ "cells": cells, "levels": path.levels, "ns": path.ns, "end": path.end });
    std::fs::write(&kept, found.to_string()).map_err(io(&kept))?;
    Ok(Cost { name: name.to_owned(), count, cells, path })
}

fn load(kept: &Path) -> Option<(Counts, netlist::Path)> {
    let found: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(kept).ok()?).ok()?;
    let cells = found["cells"].as_object()?.iter();
    let cells =
        cells.map(|(name, count)| Some((name.clone(), count.as_u64()? as usize))).collect::<Option<_>>()?;
    let levels = u32::try_from(found["levels"].as_u64()?).ok()?;
    Some((cells, netlist::Path { levels, ns: found["ns"].as_f64()?, end: found["end"].as_str()?.to_owned() }))
}

/// Runs yosys in a folder of its own and gives the netlist as JSON.
fn map(text: &str, name: &str, target: Target, kept: &Path) -> Result<String, SynthError> {
    let folder = kept.with_extension(format!("{}", std::process::id()));
    std::fs::create_dir_all(&folder).map_err(io(&folder))?;
    let source = folder.join("block.v");
    std::fs::write(&source, text).map_err(io(&source))?;
    let script = format!(
        "read_verilog block.v; hierarchy -check -top {name}; {}; write_json block.json",
        target.command(name)
    );
    let yosys = Command::new("yosys").current_dir(&folder).args(["-q", "-p", &script]).output();
    let output = yosys.map_err(|error| SynthError::Io("yosys cannot be run".to_owned(), error))?;
    if !output.status.success() {
        return Err(SynthError::Yosys(name.to_owned(), String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    let result = folder.join("block.json");
    let json = std::fs::read_to_string(&result).map_err(io(&result))?;
    std::fs::remove_dir_all(&folder).map_err(io(&folder))?;
    Ok(json)
}

fn io(path: &Path) -> impl Fn(std::io::Error) -> SynthError {
    let what = path.display().to_string();
    move |error| SynthError::Io(what.clone(), error)
}

/// No latch, and every memory of the text became cells of its style: they hold at least its bits, and a
/// style that the text does not have has no cells.
fn check(text: &str, name: &str, cells: &Counts) -> Result<(), SynthError> {
    let is_latch = |cell: &&String| cell.starts_with("LD") || cell.contains("LATCH");
    if cells.keys().any(|cell| is_latch(&cell)) {
        return Err(SynthError::Latch(name.to_owned()));
    }
    let mut bits = memory_bits(text, name)?;
    let has_ultra = cells.keys().any(|cell| cell.starts_with("URAM"));
    if !has_ultra && !cells.keys().any(|cell| cell.starts_with("FD")) {
        // A family without UltraRAM takes block RAM.
        bits[1] += std::mem::take(&mut bits[2]);
    }
    for ((style, bits), held) in ["distributed", "block", "ultra"].into_iter().zip(bits).zip(held_bits(cells))
    {
        if held < bits || (bits == 0 && held > 0) {
            return Err(SynthError::Memory(name.to_owned(), style, bits, held));
        }
    }
    Ok(())
}

/// Bits of the memories of module `name` and all in it, by style: distributed, block, ultra.
fn memory_bits(text: &str, name: &str) -> Result<[usize; 3], SynthError> {
    let own = part(text, name, true)?;
    let mut total = [0; 3];
    for line in own.lines() {
        let Some(style) = ["distributed", "block", "ultra"]
            .iter()
            .position(|style| line.contains(&format!("ram_style = \"{style}\"")))
        else {
            continue;
        };
        // reg [high:0] mem [0:last];
        let mut numbers = line.split(['[', ']', ':']).filter_map(|word| word.parse::<usize>().ok());
        if let (Some(high), Some(0), Some(0), Some(last)) =
            (numbers.next(), numbers.next(), numbers.next(), numbers.next())
        {
            total[style] += (high + 1) * (last + 1);
        }
    }
    // Children that are empty in this text have no memories; their own rows tell of them.
    for (kind, count) in instances(text, name)? {
        if !text.contains(&format!("(* blackbox *)\nmodule {kind}(")) {
            let inside = memory_bits(text, &kind)?;
            for (total, inside) in total.iter_mut().zip(inside) {
                *total += count * inside;
            }
        }
    }
    Ok(total)
}

/// Bits that the memory cells hold, by style.
fn held_bits(cells: &Counts) -> [usize; 3] {
    let mut held = [0; 3];
    for (cell, count) in cells {
        let (style, bits) = match cell.as_str() {
            "RAM64M8" | "RAM32M16" => (0, 512),
            "RAM64M" | "RAM32M" => (0, 256),
            "RAM64X1D" | "RAM64X1S" | "TRELLIS_DPR16X4" => (0, 64),
            "RAM32X1D" | "RAM32X1S" => (0, 32),
            "RAM128X1D" | "RAM128X1S" => (0, 128),
            "RAM256X1D" | "RAM256X1S" => (0, 256),
            "RAMB18E2" | "DP16KD" => (1, 18 << 10),
            "RAMB36E2" => (1, 36 << 10),
            "URAM288" => (2, 288 << 10),
            _ => continue,
        };
        held[style] += count * bits;
    }
    held
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use crate::emit::verilog;
    use crate::prim::fifo::Fifo;
    use crate::prim::ram::RamStyle;

    #[test]
    fn a_block_is_mapped_and_kept() {
        if Command::new("yosys").arg("-V").output().is_err() {
            println!("skipped: yosys is not installed");
            return;
        }
        let text = verilog(Fifo::<72, 9, 10>::new(RamStyle::Block)).unwrap();
        for target in [Target::Xcup, Target::Ecp5] {
            let cost = cost(&text, TOP, 1, target).unwrap();
            assert!(cost.path.levels > 0 && cost.path.ns > 0.5, "{cost:?}");
            assert_eq!(super::cost(&text, TOP, 1, target).unwrap(), cost);
        }
    }

    #[test]
    fn a_memory_that_became_something_else_is_found() {
        let text = verilog(Fifo::<72, 9, 10>::new(RamStyle::Block)).unwrap();
        assert_eq!(memory_bits(&text, TOP).unwrap(), [0, 72 << 9, 0]);
        let counts = |cells: &[(&str, usize)]| {
            cells.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect::<Counts>()
        };
        assert!(check(&text, TOP, &counts(&[("RAMB36E2", 1), ("FDRE", 9)])).is_ok());
        assert!(check(&text, TOP, &counts(&[("DP16KD", 2)])).is_ok());
        for bad in [&[("FDRE", 40_000)][..], &[("RAMB36E2", 1), ("RAM64M8", 1)], &[("URAM288", 1)]] {
            assert!(matches!(check(&text, TOP, &counts(bad)), Err(SynthError::Memory(..))), "{bad:?}");
        }
        let latch = check(&text, TOP, &counts(&[("RAMB36E2", 1), ("LDCE", 1)]));
        assert!(matches!(latch, Err(SynthError::Latch(_))));
    }
}

//! Rules → rule image.
//!
//! [`mod@normalise`] turns each condition into entries, `expand` numbers them and writes the metadata,
//! `masks` and `place` give every entry a slot of the card's tables or a place in its TCAM, and
//! `commands` says it in the lines that load a card.

mod commands;
mod error;
mod expand;
mod masks;
pub mod normalise;
mod place;
mod ranges;
mod report;
mod shape;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use wiresift_abi::geometry::{self, Geometry};
use wiresift_abi::hash::{ROWS, Secret};
use wiresift_abi::image::Image;
use wiresift_abi::vector::{HASHED_BITS, Key};

pub use error::{CompileError, DoesNotFit, RULES_NAMED};
pub use report::{ResourceReport, TableReport};

use crate::engine::cpu::hash::ByteHash;
use crate::metadata::Metadata;
use crate::rules::model::{RuleClass, RuleSet};
use expand::Expanded;
use place::{Item, Placement};

/// How to compile.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Seed of the hash's secret, for images that are the same every time; without it the secret is
    /// random, as it must be where the traffic may be hostile.
    pub seed: Option<u64>,
}

/// A compiled rule set.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// The rule image.
    pub image: Image,
    /// The metadata in it.
    pub metadata: Metadata,
    /// What it uses of the card.
    pub report: ResourceReport,
}

/// Compiles rules for a geometry.
///
/// # Errors
/// Where they do not fit it; see [`CompileError`].
pub fn compile(
    rules: &RuleSet,
    geometry: &'static Geometry,
    options: &Options,
) -> Result<Compiled, CompileError> {
    let expanded = Expanded::new(rules, geometry)?;
    let secret = secret(options.seed)?;
    let hash = ByteHash::new(&secret);
    #[expect(clippy::expect_used, reason = "`normalise` makes every address a prefix")]
    let items: Vec<Item> = expanded
        .entries
        .iter()
        .map(|entry| Item::of(entry).expect("an entry whose address is not a prefix"))
        .collect();
    let placement = Placement::new(&items, &hash, geometry);
    let tcam = placement.left();
    if tcam.len() > geometry.tcam_entries {
        return Err(does_not_fit(&expanded, &items, &hash, &tcam, geometry));
    }
    let lines = commands::commands(&expanded.entries, &secret, &placement, &tcam, geometry);
    let report = resources(&expanded, &placement, tcam.len(), lines.len(), geometry);
    let metadata = serde_json::to_vec(&expanded.metadata).map_err(CompileError::Metadata)?;
    let image = Image::new(geometry, lines, metadata)?;
    Ok(Compiled { image, metadata: expanded.metadata, report })
}

/// The secret of a seed, or a random one.
fn secret(seed: Option<u64>) -> Result<Secret, CompileError> {
    let mut random = match seed {
        Some(seed) => ChaCha8Rng::seed_from_u64(seed),
        None => {
            let mut bytes = [0; 32];
            getrandom::fill(&mut bytes).map_err(CompileError::Random)?;
            ChaCha8Rng::from_seed(bytes)
        }
    };
    let mut rows = [Key::default(); ROWS];
    for row in &mut rows {
        for (n, word) in row.0.iter_mut().enumerate() {
            let bits = (HASHED_BITS - n * 64).min(64);
            *word = random.next_u64() >> (64 - bits);
        }
    }
    Ok(Secret(rows))
}

fn does_not_fit(
    expanded: &Expanded,
    items: &[Item],
    hash: &ByteHash,
    left: &[usize],
    geometry: &'static Geometry,
) -> CompileError {
    let mut rules = Vec::new();
    let mut masks = rustc_hash::FxHashMap::<_, usize>::default();
    for &item in left {
        let origin = expanded.origin(&expanded.entries[item]);
        if rules.len() < RULES_NAMED && !rules.contains(origin) {
            rules.push(origin.clone());
        }
        *masks.entry(items[item].shape).or_default() += 1;
    }
    let total_slots = |geometry: &Geometry| (0..geometry.tables()).map(|n| geometry.slots(n)).sum::<usize>();
    let fits = geometry::ALL.into_iter().find(|other| {
        total_slots(other) > total_slots(geometry)
            && Placement::new(items, hash, other).left().len() <= other.tcam_entries
    });
    let most = masks.into_iter().max_by_key(|&(shape, count)| (count, shape));
    CompileError::DoesNotFit(Box::new(DoesNotFit {
        geometry: geometry.name,
        entries: items.len(),
        left: left.len(),
        tcam: geometry.tcam_entries,
        tables: geometry.tables(),
        slots: total_slots(geometry),
        rules,
        fits: fits.map(|other| other.name),
        mask: most.map_or_else(String::new, |(shape, _)| shape.to_string()),
    }))
}

fn resources(
    expanded: &Expanded,
    placement: &Placement<'_>,
    tcam: usize,
    commands: usize,
    geometry: &'static Geometry,
) -> ResourceReport {
    let metadata = &expanded.metadata;
    let exact = metadata.signatures.iter().filter(|signature| signature.class == RuleClass::Exact).count();
    let in_use = placement.tables.iter().enumerate().filter_map(|(table, placed)| {
        placed.shape.map(|shape| TableReport {
            table,
            narrow: geometry.is_narrow(table),
            mask: shape.to_string(),
            entries: placed.load(),
            slots: placed.capacity(),
        })
    });
    ResourceReport {
        geometry: geometry.name,
        acl_rules: metadata.acl.len(),
        signatures: metadata.signatures.len(),
        exact,
        refused: metadata.signatures.len() - exact,
        headers: metadata.headers.len(),
        never: expanded.never.clone(),
        shadowed: expanded.shadowed,
        entries: expanded.entries.len(),
        tables: in_use.collect(),
        tables_total: geometry.tables(),
        slots_total: (0..geometry.tables()).map(|n| geometry.slots(n)).sum(),
        tcam,
        tcam_total: geometry.tcam_entries,
        commands,
    }
}

/// Metadata of a rule image.
///
/// # Errors
/// Where it is not the JSON of a [`Metadata`].
pub fn metadata(image: &Image) -> Result<Metadata, serde_json::Error> {
    serde_json::from_slice(image.metadata())
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

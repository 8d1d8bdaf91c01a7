//! Rules → rule image.
//!
//! [`mod@normalise`] turns each condition into entries, `relax` takes negated addresses out of those that cost many, `expand` numbers them and writes the metadata,
//! `masks`, `place` and `split` give every entry a slot of the card's tables or a place in its TCAM, [`payload`] the
//! patterns of signatures a place in its payload matcher; `divide` keeps headers off the card that wait for them; and `commands` says it in the lines that load a card. [`live`] does so for the difference to another rule
//! set.

mod commands;
mod diagnose;
mod divide;
mod error;
mod expand;
pub mod live;
mod masks;
pub mod normalise;
pub mod payload;
mod place;
mod ranges;
mod relax;
mod report;
mod search;
mod shape;
mod split;
mod table;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use rustc_hash::FxHashSet;
use wiresift_abi::geometry::Geometry;
use wiresift_abi::hash::{ROWS, Secret};
use wiresift_abi::image::Image;
use wiresift_abi::vector::{HASHED_BITS, Key};

pub use error::{CompileError, DoesNotFit, RULES_NAMED, Shortage};
pub use payload::PayloadReport;
pub use report::{ResourceReport, TableReport};

use crate::engine::cpu::hash::ByteHash;
use crate::engine::host::fast_pattern;
use crate::metadata::Metadata;
use crate::rules::model::{RuleClass, RuleSet};
use divide::divide;
use expand::Expanded;
use payload::Payload;
use split::Fitted;

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
    /// The patterns on the card.
    pub payload: Payload,
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
    let mut expanded = Expanded::new(rules, geometry)?;
    let Secrets { hash: secret, window } = secrets(options.seed, geometry)?;
    let payload = Payload::new(geometry, window, &expanded.entries, &mut expanded.metadata);
    divide(&mut expanded.entries, &mut expanded.metadata);
    let hash = ByteHash::new(&secret);
    let fitted = Fitted::new(expanded.entries.clone(), &hash, geometry);
    let tcam = fitted.placement.left();
    if tcam.len() > geometry.tcam_entries {
        return Err(diagnose::does_not_fit(&expanded, &fitted, &hash, geometry));
    }
    let patterns = payload.commands();
    let lines = commands::commands(&fitted.entries, &secret, &fitted.placement, &tcam, &patterns, geometry);
    let report = resources(&expanded, &fitted, tcam.len(), lines.len(), payload.report(), geometry);
    let metadata = serde_json::to_vec(&expanded.metadata).map_err(CompileError::Metadata)?;
    let image = Image::new(geometry, lines, metadata)?;
    Ok(Compiled { image, metadata: expanded.metadata, report, payload })
}

/// What nobody may know who sends packets.
struct Secrets {
    /// Of the hash of header vectors.
    hash: Secret,
    /// Of the hash of windows of the payload.
    window: wiresift_abi::payload::Secret,
}

/// The secrets of a seed, or random ones.
fn secrets(seed: Option<u64>, geometry: &Geometry) -> Result<Secrets, CompileError> {
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
    let window = payload::secret(geometry, || random.next_u64());
    Ok(Secrets { hash: Secret(rows), window })
}

fn resources(
    expanded: &Expanded,
    fitted: &Fitted<'_>,
    tcam: usize,
    commands: usize,
    payload: PayloadReport,
    geometry: &'static Geometry,
) -> ResourceReport {
    let metadata = &expanded.metadata;
    let fast_patterns = metadata
        .signatures
        .iter()
        .filter(|signature| matches!(signature.class, RuleClass::ExactOnHost | RuleClass::Prefilter(_)))
        .map(|signature| fast_pattern(&signature.detect).map(|pattern| (pattern.bytes, pattern.nocase)));
    let with_pattern: Vec<(&[u8], bool)> = fast_patterns.clone().flatten().collect();
    let in_use = fitted.placement.tables.iter().enumerate().filter_map(|(table, placed)| {
        placed.shape().map(|shape| TableReport {
            table,
            narrow: geometry.is_narrow(table),
            mask: shape.to_string(),
            entries: placed.load(),
            slots: placed.slots().len(),
        })
    });
    ResourceReport {
        geometry: geometry.name,
        acl_rules: metadata.acl.len(),
        signatures: metadata.signatures.len(),
        evaluated: metadata.signatures.len() - metadata.refused(),
        patterns: with_pattern.iter().collect::<FxHashSet<_>>().len(),
        without_pattern: fast_patterns.count() - with_pattern.len(),
        headers: metadata.headers_in_use(),
        headers_on_host: metadata.host_headers(),
        never: expanded.never.clone(),
        shadowed: expanded.shadowed,
        entries: fitted.placed(),
        cut: fitted.cut,
        tables: in_use.collect(),
        tables_total: geometry.tables(),
        slots_total: (0..geometry.tables()).map(|n| geometry.slots(n)).sum(),
        tcam,
        tcam_total: geometry.tcam_entries,
        commands,
        payload,
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

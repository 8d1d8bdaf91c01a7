//! Several rule files as one rule set.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::rules::diagnostics::Diagnostics;
use crate::rules::model::RuleSet;
use crate::rules::source::{Kind, Source};
use crate::rules::suricata::{Reader, Variables};
use crate::rules::{classbench, nft};

/// How rule files are read.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// Variables of signatures by their name without `$`; their text is an address or port list and may name other
    /// variables.
    pub vars: BTreeMap<String, String>,
    /// Base chain of nftables rulesets: `family table chain`, parted by blanks or `/`, also without the family.
    /// `None`: the only one of type filter.
    pub chain: Option<String>,
    /// Rules that are not expressible are errors; otherwise they are left out ([`RuleSet::skipped`]).
    pub strict: bool,
}

/// Reads rule files, in the order given, into one rule set, with variables of signatures (see [`Reading`]). A file
/// named `-` is the standard input. A file without any rule is fine.
///
/// # Errors
/// Everything that is wrong in any of the files.
pub fn load(files: &[PathBuf], vars: &BTreeMap<String, String>) -> Result<RuleSet, Diagnostics> {
    load_with(files, &Reading { vars: vars.clone(), ..Reading::default() })
}

/// As [`load`], with everything that can be said of how to read.
///
/// # Errors
/// Everything that is wrong in any of the files.
pub fn load_with(files: &[PathBuf], reading: &Reading) -> Result<RuleSet, Diagnostics> {
    let mut errors = Diagnostics::default();
    let sources: Vec<_> = files
        .iter()
        .filter_map(|file| {
            errors.next_file();
            Source::read(file).map_err(|error| errors.push(error)).ok()
        })
        .collect();
    parse(&sources, reading, errors)
}

/// As [`load`], of texts that were read already.
///
/// # Errors
/// Everything that is wrong in any of the texts.
pub fn parse_sources(sources: &[Source], vars: &BTreeMap<String, String>) -> Result<RuleSet, Diagnostics> {
    parse(sources, &Reading { vars: vars.clone(), ..Reading::default() }, Diagnostics::default())
}

/// As [`load_with`], of texts that were read already.
///
/// # Errors
/// Everything that is wrong in any of the texts.
pub fn parse_sources_with(sources: &[Source], reading: &Reading) -> Result<RuleSet, Diagnostics> {
    parse(sources, reading, Diagnostics::default())
}

fn parse(sources: &[Source], reading: &Reading, mut errors: Diagnostics) -> Result<RuleSet, Diagnostics> {
    let mut rules = RuleSet::default();
    let variables = Variables::new(&reading.vars);
    let mut signatures = Reader::new(&variables);
    for source in sources {
        errors.next_file();
        match source.kind() {
            Ok(None) => {}
            Ok(Some(Kind::ClassBench)) => classbench::read(source, &mut rules, &mut errors),
            Ok(Some(Kind::Signatures)) => signatures.read(source, &mut rules, &mut errors),
            Ok(Some(kind @ (Kind::Nft | Kind::NftJson))) => {
                nft::read(source, kind, reading.chain.as_deref(), &mut rules, &mut errors);
            }
            Err(error) => errors.push(error),
        }
    }
    if errors.total() == 0 && reading.strict && !rules.skipped.is_empty() {
        errors = Diagnostics::of_skipped(&rules.skipped, false);
    }
    if errors.total() > 0 { Err(errors) } else { Ok(rules) }
}

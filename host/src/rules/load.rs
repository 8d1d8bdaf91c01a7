//! Several rule files as one rule set.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::rules::classbench;
use crate::rules::diagnostics::Diagnostics;
use crate::rules::model::RuleSet;
use crate::rules::source::{Kind, Source};
use crate::rules::suricata::{Reader, Variables};

/// Reads rule files, in the order given, into one rule set. `vars` holds the variables of signatures by their name
/// without `$`; their text is an address or port list and may name other variables. A file named `-` is the standard
/// input. A file without any rule is fine.
///
/// # Errors
/// Everything that is wrong in any of the files.
pub fn load(files: &[PathBuf], vars: &BTreeMap<String, String>) -> Result<RuleSet, Diagnostics> {
    let mut errors = Diagnostics::default();
    let sources: Vec<_> = files
        .iter()
        .filter_map(|file| {
            errors.next_file();
            Source::read(file).map_err(|error| errors.push(error)).ok()
        })
        .collect();
    parse(&sources, vars, errors)
}

/// As [`load`], of texts that were read already.
///
/// # Errors
/// Everything that is wrong in any of the texts.
pub fn parse_sources(sources: &[Source], vars: &BTreeMap<String, String>) -> Result<RuleSet, Diagnostics> {
    parse(sources, vars, Diagnostics::default())
}

fn parse(
    sources: &[Source],
    vars: &BTreeMap<String, String>,
    mut errors: Diagnostics,
) -> Result<RuleSet, Diagnostics> {
    let mut rules = RuleSet::default();
    let variables = Variables::new(vars);
    let mut signatures = Reader::new(&variables);
    for source in sources {
        errors.next_file();
        match source.kind() {
            Ok(None) => {}
            Ok(Some(Kind::ClassBench)) => classbench::read(source, &mut rules, &mut errors),
            Ok(Some(Kind::Signatures)) => signatures.read(source, &mut rules, &mut errors),
            Err(error) => errors.push(error),
        }
    }
    if errors.total() > 0 { Err(errors) } else { Ok(rules) }
}

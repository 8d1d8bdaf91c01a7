//! `wiresift compile` and `wiresift inspect`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use wiresift_abi::ABI_VERSION;
use wiresift_abi::command::{OPCODES, Opcode};
use wiresift_host::compile::{self, Options};

use super::{CompileArgs, check, load};

pub fn compile(args: &CompileArgs) -> Result<()> {
    let rules = args.rules.load_rules()?;
    let compiled = compile::compile(&rules, args.rules.geometry(), &Options { seed: args.seed })?;
    load::warn_of_refused(&compiled.metadata);
    let bytes = compiled.image.to_bytes();
    std::fs::write(&args.output, &bytes).with_context(|| args.output.display().to_string())
}

/// Describes a rule image.
pub fn inspect(path: &Path) -> Result<String> {
    let image = load::read_image(path)?;
    let metadata = load::metadata(&image).with_context(|| path.display().to_string())?;
    let mut counts = BTreeMap::<Opcode, usize>::new();
    for command in image.commands() {
        *counts.entry(command.opcode).or_default() += 1;
    }
    let mut rows = vec![
        ("ABI version".to_owned(), ABI_VERSION.to_string()),
        ("geometry".to_owned(), image.geometry().name.to_owned()),
        ("ACL rules".to_owned(), metadata.acl.len().to_string()),
        ("signatures".to_owned(), metadata.signatures.len().to_string()),
        ("signature headers".to_owned(), metadata.headers_in_use().to_string()),
        ("signature headers off the card".to_owned(), metadata.host_headers().to_string()),
        ("commands".to_owned(), image.lines().len().to_string()),
    ];
    for opcode in OPCODES {
        let count = counts.get(&opcode).copied().unwrap_or_default();
        rows.push((format!("  {opcode:?}"), count.to_string()));
    }
    rows.push(("bytes of metadata".to_owned(), image.metadata().len().to_string()));
    let mut text = String::new();
    writeln!(text, "{}", check::pairs(rows))?;
    text.push_str(&check::classes(&metadata.signatures, false));
    Ok(text)
}

//! Rules or a rule image, as the command line names them.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, bail};
use wiresift_abi::image::{Image, MAGIC};
use wiresift_host::compile;
use wiresift_host::metadata::Metadata;
use wiresift_host::rules;
use wiresift_host::rules::diagnostics::Diagnostics;
use wiresift_host::rules::model::RuleSet;

use super::RuleArgs;

/// What `--rules` named.
pub enum Loaded {
    /// Rules as written.
    Rules(RuleSet),
    /// A rule image and its metadata.
    Image(Box<Image>, Metadata),
}

impl RuleArgs {
    /// Loads rule files, or a rule image in their place.
    pub fn load(&self) -> Result<Loaded> {
        match self.files.iter().find(|file| is_image(file)) {
            None => self.load_rules().map(Loaded::Rules),
            Some(file) if self.files.len() > 1 => {
                bail!("{}: a rule image cannot be joined with other rules", file.display())
            }
            Some(file) => {
                let image = read_image(file)?;
                self.check_image(&image).with_context(|| file.display().to_string())?;
                let metadata = metadata(&image).with_context(|| file.display().to_string())?;
                Ok(Loaded::Image(Box::new(image), metadata))
            }
        }
    }

    /// An image is loaded as it is, so nothing may ask for another one.
    fn check_image(&self, image: &Image) -> Result<()> {
        let geometry = image.geometry().name;
        match &self.geometry {
            Some(other) if other != geometry => {
                bail!("a rule image for geometry `{geometry}`, not `{other}`")
            }
            _ if !self.vars.is_empty() => bail!("a rule image is compiled already: --var has no effect"),
            _ if self.chain.is_some() => bail!("a rule image is compiled already: --chain has no effect"),
            _ if self.strict => bail!("a rule image is compiled already: --strict has no effect"),
            _ => Ok(()),
        }
    }

    /// Loads rule files; tells on standard error which rules are left out.
    pub fn load_rules(&self) -> Result<RuleSet> {
        let rules = rules::load_with(&self.files, &self.reading())?;
        if !rules.skipped.is_empty() {
            let warnings = Diagnostics::of_skipped(&rules.skipped, true);
            eprintln!("{:?}", miette::Report::new(warnings));
        }
        Ok(rules)
    }
}

/// Whether the file begins as a rule image. A file that cannot be read is none; who reads it says why.
fn is_image(path: &Path) -> bool {
    let mut magic = [0; MAGIC.len()];
    let regular = path.metadata().is_ok_and(|file| file.is_file());
    regular && File::open(path).is_ok_and(|mut file| file.read_exact(&mut magic).is_ok()) && magic == MAGIC
}

/// Reads a rule image.
pub fn read_image(path: &Path) -> Result<Image> {
    let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
    Image::from_bytes(&bytes).with_context(|| path.display().to_string())
}

/// The metadata of a rule image.
pub fn metadata(image: &Image) -> Result<Metadata> {
    compile::metadata(image).context("bad metadata of the rule image")
}

/// Says on standard error how many signatures are not evaluated.
pub fn warn_of_refused(metadata: &Metadata) {
    let refused = metadata.refused();
    if refused > 0 {
        let all = metadata.signatures.len();
        eprintln!("wiresift: warning: {refused} of {all} signatures are not evaluated, see `wiresift check`");
    }
}

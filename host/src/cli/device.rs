//! The device that `--device` names.

#[cfg(feature = "rtl")]
use std::sync::Arc;

use anyhow::{Result, bail};
use wiresift_abi::image::Image;
use wiresift_host::compile::{self, Options};
use wiresift_host::device::Device;
#[cfg(feature = "rtl")]
use wiresift_host::engine::card::CardDevice;
use wiresift_host::engine::cpu::{CpuDevice, CpuEngine};
use wiresift_host::engine::reference::ReferenceDevice;
use wiresift_host::metadata::Metadata;
#[cfg(feature = "rtl")]
use wiresift_testbench::{Options as SimOptions, SimCard};

use super::load::Loaded;
use super::{ClassifyArgs, DeviceName};

/// A device, and what its decisions mean.
pub struct Built {
    pub device: Box<dyn Device>,
    pub metadata: Metadata,
}

impl ClassifyArgs {
    /// Loads the rules and builds the device that decides by them.
    pub fn build_device(&self) -> Result<Built> {
        if self.trace.is_some() && self.device != DeviceName::Rtl {
            bail!("only the simulated card (`--device rtl`) has signals to write with --trace");
        }
        let loaded = self.rules.load()?;
        match (self.device, loaded) {
            (DeviceName::Reference, Loaded::Rules(rules)) => {
                let metadata = Metadata::of(&rules);
                Ok(Built { device: Box::new(ReferenceDevice::new(&rules)), metadata })
            }
            (DeviceName::Reference, Loaded::Image(..)) => {
                bail!("the reference judges rules as they are written: name rule files, not a rule image")
            }
            (device, Loaded::Rules(rules)) => {
                let options = Options { seed: self.seed };
                let compiled = compile::compile(&rules, self.rules.geometry(), &options)?;
                self.build(device, &compiled.image, compiled.metadata)
            }
            (device, Loaded::Image(image, metadata)) => self.build(device, &image, metadata),
        }
    }

    fn build(&self, device: DeviceName, image: &Image, metadata: Metadata) -> Result<Built> {
        let engine = CpuEngine::new(image)?;
        let device: Box<dyn Device> = match device {
            DeviceName::Rtl => self.simulated_card(image, &metadata.headers, engine)?,
            DeviceName::Cpu | DeviceName::Reference => Box::new(CpuDevice::new(engine)),
        };
        Ok(Built { device, metadata })
    }

    #[cfg(not(feature = "rtl"))]
    fn simulated_card(&self, _: &Image, _: &[Vec<u32>], _: CpuEngine) -> Result<Box<dyn Device>> {
        bail!("this build has no simulated card (feature `rtl`)")
    }

    #[cfg(feature = "rtl")]
    fn simulated_card(
        &self,
        image: &Image,
        headers: &[Vec<u32>],
        engine: CpuEngine,
    ) -> Result<Box<dyn Device>> {
        let mut options = SimOptions::new(image.geometry());
        options.seed = self.seed.unwrap_or(options.seed);
        options.trace.clone_from(&self.trace);
        let card = SimCard::new(&options)?;
        let image = Arc::new(image.clone());
        let device =
            CardDevice::open("rtl", card, |card| Ok(card.check()?), image, headers.to_vec(), engine)?;
        Ok(Box::new(device))
    }
}

//! The device that `--device` names.

use std::path::Path;
use std::sync::Arc;
#[cfg(feature = "card")]
use std::time::Duration;

#[cfg(feature = "card")]
use anyhow::Context;
use anyhow::{Result, bail};
use wiresift_abi::image::Image;
#[cfg(feature = "card")]
use wiresift_driver::vfio::{self, Vfio};
#[cfg(feature = "card")]
use wiresift_driver::vfio_user::{self, VfioUser};
#[cfg(feature = "card")]
use wiresift_driver::{Config, Transport};
use wiresift_host::capture::STANDARD_INPUT;
use wiresift_host::compile::live::Live;
use wiresift_host::compile::{self, Options};
use wiresift_host::device::Device;
#[cfg(feature = "card")]
use wiresift_host::engine::card::CardDevice;
#[cfg(feature = "card")]
use wiresift_host::engine::card::failover::{Connect, Failover, Return};
use wiresift_host::engine::cpu::{CpuDevice, CpuEngine};
use wiresift_host::engine::reference::ReferenceDevice;
use wiresift_host::metadata::Metadata;
use wiresift_host::rules::model::RuleSet;
use wiresift_host::watch::{Stamps, Watch};
#[cfg(feature = "rtl")]
use wiresift_testbench::{Options as SimOptions, SimCard};

use super::load::Loaded;
use super::{ClassifyArgs, DeviceName};

/// First wait before a card that failed is tried again.
#[cfg(feature = "card")]
const RETURN_AFTER: Duration = Duration::from_secs(1);

/// A device, and what its decisions mean.
pub struct Built {
    pub device: Box<dyn Device>,
    pub metadata: Arc<Metadata>,
    /// The rule files, if they are to be watched.
    pub watch: Option<Watch>,
}

impl ClassifyArgs {
    /// Loads the rules and builds the device that decides by them.
    pub fn build_device(&self) -> Result<Built> {
        if self.trace.is_some() && self.device != DeviceName::Rtl {
            bail!("only the simulated card (`--device rtl`) has signals to write with --trace");
        }
        // Before the files are read, so that no change is missed.
        let stamps = Stamps::of(&self.rules.files);
        match self.rules.load()? {
            Loaded::Rules(rules) if self.watch_rules => self.build_watched(rules, stamps),
            Loaded::Rules(rules) if self.device == DeviceName::Reference => {
                let metadata = Arc::new(Metadata::of(&rules));
                Ok(Built { device: Box::new(ReferenceDevice::new(&rules)), metadata, watch: None })
            }
            Loaded::Rules(rules) => {
                let compiled = compile::compile(&rules, self.rules.geometry(), &self.options())?;
                self.build(&compiled.image, Arc::new(compiled.metadata))
            }
            Loaded::Image(..) if self.watch_rules => {
                bail!("--watch-rules watches rule files, not a rule image")
            }
            Loaded::Image(..) if self.device == DeviceName::Reference => {
                bail!("the reference judges rules as they are written: name rule files, not a rule image")
            }
            Loaded::Image(image, metadata) => self.build(&image, Arc::new(metadata)),
        }
    }

    fn options(&self) -> Options {
        Options { seed: self.seed }
    }

    /// A device whose rules can be changed.
    fn build_watched(&self, rules: RuleSet, stamps: Stamps) -> Result<Built> {
        if self.rules.files.iter().any(|file| file.as_os_str() == STANDARD_INPUT) {
            bail!("--watch-rules cannot watch standard input");
        }
        let live = Live::new(&rules, self.rules.geometry(), &self.options())?;
        let mut built = match self.device {
            DeviceName::Reference => {
                let metadata = live.metadata().clone();
                Built { device: Box::new(ReferenceDevice::new(&rules)), metadata, watch: None }
            }
            _ => self.build(&live.image()?, live.metadata().clone())?,
        };
        let (files, reading) = (self.rules.files.clone(), self.rules.reading());
        built.watch = Some(Watch { files, reading, stamps, rules: Arc::new(rules), live });
        Ok(built)
    }

    fn build(&self, image: &Image, metadata: Arc<Metadata>) -> Result<Built> {
        let engine = CpuEngine::new(image)?;
        let device: Box<dyn Device> = match &self.device {
            DeviceName::Vfio(address) => self.vfio(address, image, metadata.clone(), engine)?,
            DeviceName::VfioUser(socket) => self.vfio_user(socket, image, metadata.clone(), engine)?,
            DeviceName::Rtl => self.simulated_card(image, metadata.clone(), engine)?,
            DeviceName::Cpu | DeviceName::Reference => {
                let mut device = CpuDevice::new(engine)?;
                if !self.watch_rules {
                    device.fix_rules();
                }
                Box::new(device)
            }
        };
        Ok(Built { device, metadata, watch: None })
    }

    #[cfg(not(feature = "card"))]
    fn vfio(&self, _: &str, _: &Image, _: Arc<Metadata>, _: CpuEngine) -> Result<Box<dyn Device>> {
        bail!("this build knows no cards (feature `card`)")
    }

    #[cfg(not(feature = "card"))]
    fn vfio_user(&self, _: &Path, _: &Image, _: Arc<Metadata>, _: CpuEngine) -> Result<Box<dyn Device>> {
        bail!("this build knows no cards (feature `card`)")
    }

    #[cfg(feature = "card")]
    fn vfio(
        &self,
        address: &str,
        image: &Image,
        metadata: Arc<Metadata>,
        engine: CpuEngine,
    ) -> Result<Box<dyn Device>> {
        let options = vfio::Options { note: Some(say), ..vfio::Options::default() };
        let address = address.to_owned();
        let card = Vfio::open(&address, options)
            .with_context(|| format!("the card vfio:{address} cannot be used"))?;
        let connect: Connect<Vfio> = Box::new(move || Ok(Vfio::open(&address, options)?));
        self.card("vfio", card, connect, image, metadata, engine)
    }

    #[cfg(feature = "card")]
    fn vfio_user(
        &self,
        socket: &Path,
        image: &Image,
        metadata: Arc<Metadata>,
        engine: CpuEngine,
    ) -> Result<Box<dyn Device>> {
        let limit = Duration::from_millis(self.card_timeout);
        let options = vfio_user::Options { limit, note: Some(say), ..vfio_user::Options::default() };
        let socket = socket.to_owned();
        let card = VfioUser::connect(&socket, options)?;
        let connect: Connect<VfioUser> = Box::new(move || Ok(VfioUser::connect(&socket, options)?));
        self.card("vfio-user", card, connect, image, metadata, engine)
    }

    /// Limits for a card in real time.
    #[cfg(feature = "card")]
    fn bus_config(&self) -> Config {
        Config { timeout_ns: self.card_timeout * 1_000_000, ..Config::bus() }
    }

    /// A card in real time, which may fail and come back: `connect` reaches it anew.
    #[cfg(feature = "card")]
    fn card<T: Transport + 'static>(
        &self,
        name: &'static str,
        card: T,
        connect: Connect<T>,
        image: &Image,
        metadata: Arc<Metadata>,
        engine: CpuEngine,
    ) -> Result<Box<dyn Device>> {
        let config = self.bus_config();
        let mut device = CardDevice::with_config(name, card, |_| Ok(()), image, metadata, engine, config)?;
        if !self.watch_rules {
            device.fix_rules();
        }
        if self.no_failover {
            return Ok(Box::new(device));
        }
        let failover = Failover::new(connect, Return::After(RETURN_AFTER), image);
        Ok(Box::new(device.with_failover(failover)))
    }

    #[cfg(not(feature = "rtl"))]
    fn simulated_card(&self, _: &Image, _: Arc<Metadata>, _: CpuEngine) -> Result<Box<dyn Device>> {
        bail!("this build has no simulated card (feature `rtl`)")
    }

    #[cfg(feature = "rtl")]
    fn simulated_card(
        &self,
        image: &Image,
        metadata: Arc<Metadata>,
        engine: CpuEngine,
    ) -> Result<Box<dyn Device>> {
        let mut options = SimOptions::new(image.geometry());
        options.seed = self.seed.unwrap_or(options.seed);
        options.trace.clone_from(&self.trace);
        let card = SimCard::new(&options)?;
        let mut device = CardDevice::open("rtl", card, |card| Ok(card.check()?), image, metadata, engine)?;
        if !self.watch_rules {
            device.fix_rules();
        }
        Ok(Box::new(device))
    }
}

/// Says something of a card on standard error.
#[cfg(feature = "card")]
fn say(text: &str) {
    eprintln!("wiresift: {text}");
}

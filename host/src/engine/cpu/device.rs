//! The CPU engine as a device: a batch is decided when it is submitted.

use std::collections::VecDeque;
use std::sync::Arc;

use super::CpuEngine;
use crate::device::{Batch, Decided, Device, DeviceError, RuleUpdate};

/// The device `cpu`.
pub struct CpuDevice {
    engine: CpuEngine,
    decided: VecDeque<Decided>,
}

impl CpuDevice {
    /// Name on the command line.
    pub const NAME: &'static str = "cpu";

    /// A device that decides with an engine.
    pub fn new(engine: CpuEngine) -> Self {
        Self { engine, decided: VecDeque::new() }
    }
}

impl Device for CpuDevice {
    fn submit(&mut self, batch: Arc<Batch>) -> Result<(), DeviceError> {
        let mut decisions = Vec::with_capacity(batch.len());
        self.engine.decide_all(batch.packets(), &mut decisions);
        self.decided.push_back(Decided { batch, decisions });
        Ok(())
    }

    fn update(&mut self, update: &Arc<RuleUpdate>) -> Result<(), DeviceError> {
        self.engine.update(&*update.commands, update.metadata.clone()).map_err(|error| DeviceError {
            device: Self::NAME.to_owned(),
            message: "cannot change its rules".to_owned(),
            source: Some(Box::new(error)),
        })
    }

    fn collect(&mut self, _drain: bool) -> Result<Option<Decided>, DeviceError> {
        Ok(self.decided.pop_front())
    }

    fn summary(&self) -> Vec<(String, String)> {
        let work = format!("{} ({})", self.engine.probes(), self.engine.simd().name());
        vec![("blocks compared a packet".to_owned(), work)]
    }
}

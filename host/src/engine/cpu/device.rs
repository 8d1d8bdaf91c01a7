//! The CPU engine as a device: a batch is decided when it is submitted.

use std::collections::VecDeque;
use std::error::Error;
use std::sync::Arc;

use super::CpuEngine;
use crate::device::{Batch, Decided, Device, DeviceError, RuleUpdate};
use crate::engine::host::{HostEngine, HostError, HostRules};

/// The device `cpu`.
pub struct CpuDevice {
    engine: CpuEngine,
    host: HostEngine,
    decided: VecDeque<Decided>,
}

impl CpuDevice {
    /// Name on the command line.
    pub const NAME: &'static str = "cpu";

    /// A device that decides with an engine.
    ///
    /// # Errors
    /// Where its signatures cannot be verified.
    pub fn new(engine: CpuEngine) -> Result<Self, HostError> {
        let host = HostEngine::new(Arc::new(HostRules::new(engine.metadata())?));
        Ok(Self { engine, host, decided: VecDeque::new() })
    }

    /// Says that no update will come, so that nothing is kept for other rules.
    pub fn fix_rules(&mut self) {
        self.host.fix_rules();
    }

    /// The signatures as the host finishes them.
    pub fn host_rules(&self) -> &Arc<HostRules> {
        self.host.rules()
    }
}

impl Device for CpuDevice {
    fn submit(&mut self, batch: Arc<Batch>) -> Result<(), DeviceError> {
        let mut decisions = Vec::with_capacity(batch.len());
        let host = &mut self.host;
        self.engine.classify(batch.packets(), |packet, headed| {
            let nanos = batch.info(decisions.len()).nanos;
            decisions.push(host.decide(packet, nanos, headed));
        });
        self.decided.push_back(Decided { batch, decisions });
        Ok(())
    }

    fn update(&mut self, update: &Arc<RuleUpdate>) -> Result<(), DeviceError> {
        let failed = |source: Box<dyn Error + Send + Sync>| DeviceError {
            device: Self::NAME.to_owned(),
            message: "cannot change its rules".to_owned(),
            source: Some(source),
        };
        let rules = update.host_rules().map_err(|error| failed(Box::new(error)))?;
        self.engine
            .update(&*update.commands, update.metadata.clone())
            .map_err(|error| failed(Box::new(error)))?;
        self.host.update(rules);
        Ok(())
    }

    fn collect(&mut self, _drain: bool) -> Result<Option<Decided>, DeviceError> {
        Ok(self.decided.pop_front())
    }

    fn summary(&self) -> Vec<(String, String)> {
        let work = format!("{} ({})", self.engine.probes(), self.engine.simd().name());
        let mut lines = vec![("blocks compared a packet".to_owned(), work)];
        lines.extend(self.host.summary());
        lines
    }
}

//! The state that all tasks of a host share.
//!
//! A host and its tasks know each other on purpose: an attempt that ends starts the next queued
//! one, and a destination is invoked like any function. Here is only the data. Accepting requests,
//! which starts attempts, is in `dispatch.rs`; so the imports of this folder make no circle.

use std::sync::{Arc, OnceLock};

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::control::Control;
use super::error::HostError;
use super::function::FunctionConfig;
use super::invocation::Function;
use super::log::Logs;
use super::metrics::Metrics;
use super::options::HostOptions;
use super::sandbox::Sandboxes;
use super::scheduler::Scheduler;
use super::watchdog::Watchdog;

/// The state that all tasks of a host share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) options: HostOptions,
    pub(super) scheduler: Scheduler,
    pub(super) logs: Arc<Logs>,
    pub(super) metrics: Metrics,
    pub(super) watchdog: Watchdog,
    pub(super) sandboxes: Sandboxes,
    /// The functions that are made through the API, once the host accepts them.
    pub(super) control: OnceLock<Arc<Control>>,
    /// The processes that may still begin to initialise.
    pub(super) starts: Arc<Semaphore>,
    /// Cancelled when a shutdown has run out of grace.
    pub(super) kill: CancellationToken,
}

impl Shared {
    /// Sets the state up: creates the log folder and starts the watchdog.
    pub(super) fn new(options: HostOptions) -> Result<Self, HostError> {
        let logs = Logs::new(
            options.log_folder.clone(),
            options.log_bytes_per_invocation,
            options.log_key.clone(),
        )?;
        Ok(Self {
            logs: Arc::new(logs),
            scheduler: Scheduler::new(options.max_concurrency, options.max_environments),
            metrics: Metrics::default(),
            watchdog: Watchdog::start(),
            sandboxes: Sandboxes::new(options.state.clone()),
            starts: Arc::new(Semaphore::new(options.max_starts.max(1))),
            control: OnceLock::new(),
            kill: CancellationToken::new(),
            options,
        })
    }

    /// Adds a function, or replaces the one of that name.
    pub(super) fn register(&self, config: FunctionConfig) -> Result<(), HostError> {
        config.check()?;
        let HostOptions { region, account_id, .. } = &self.options;
        let arn = format!("arn:aws:lambda:{region}:{account_id}:function:{}", config.name);
        let version = Function::version_of(&config.code_sha256);
        self.scheduler.register(Arc::new(Function { config, arn, version }));
        Ok(())
    }
}

//! The interpreter between the planner and the ports.
//!
//! [`Engine`] decides nothing about pipelines. What it does is in the folders of this crate, one
//! for each kind of work; this file only puts an engine together.

use std::sync::Arc;

use sidestep_core::job::start::JobSettings;
use sidestep_core::plan::handoff::{Contention, Handoff};
use tokio::sync::watch;

use crate::advance::mailbox::Mailboxes;
use crate::memory::definitions::Definitions;
use crate::memory::executions::ExecutionMemory;
use crate::memory::functions::AvailableFunctions;
use crate::options::EngineOptions;
use crate::ports::batches::BatchStore;
use crate::ports::cache_index::CacheIndex;
use crate::ports::clock::Clock;
use crate::ports::executions::ExecutionStore;
use crate::ports::freshness::Freshness;
use crate::ports::functions::Functions;
use crate::ports::jobs::Jobs;
use crate::ports::objects::ObjectStore;
use crate::ports::queues::Queues;
use crate::ports::triggers::TriggerStore;
use crate::ports::watcher::Watcher;
use crate::ports::{Deployment, Ports};

/// Advances executions. A process has one and shares it behind an `Arc`.
#[derive(Debug)]
pub struct Engine {
    pub(crate) deployment: Deployment,
    pub(crate) executions: Arc<dyn ExecutionStore>,
    pub(crate) cache: Arc<dyn CacheIndex>,
    pub(crate) objects: Arc<dyn ObjectStore>,
    pub(crate) functions: Arc<dyn Functions>,
    pub(crate) queues: Arc<dyn Queues>,
    pub(crate) triggers: Arc<dyn TriggerStore>,
    pub(crate) batches: Arc<dyn BatchStore>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) definitions: Definitions,
    pub(crate) memory: ExecutionMemory,
    pub(crate) available: AvailableFunctions,
    pub(crate) mailboxes: Mailboxes,
    pub(crate) watcher: Option<Arc<dyn Watcher>>,
    pub(crate) freshness: Option<Arc<dyn Freshness>>,
    pub(crate) handoff: Handoff,
    pub(crate) contention: Contention,
    /// The service of jobs, in a process that calls it itself.
    pub(crate) jobs: Option<Arc<dyn Jobs>>,
    /// Who starts the jobs of new executions; absent where none can run.
    pub(crate) job_settings: Option<JobSettings>,
    pub(crate) state_version: u32,
    pub(crate) is_traced: bool,
    pub(crate) touch_after_ms: u64,
    /// Counts the commits that this process won.
    pub(crate) won: watch::Sender<u64>,
}

impl Engine {
    pub fn new(deployment: Deployment, ports: Ports, options: EngineOptions) -> Self {
        let Ports { executions, cache, objects, functions, queues, triggers, batches, clock } =
            ports;
        let definitions =
            Definitions::new(Arc::clone(&objects), deployment.artifact_bucket.clone());
        Self {
            deployment,
            executions,
            cache,
            objects,
            functions,
            queues,
            triggers,
            batches,
            clock,
            definitions,
            memory: ExecutionMemory::new(options.is_sole_planner),
            available: AvailableFunctions::new(options.checks_functions),
            mailboxes: Mailboxes::default(),
            watcher: options.watcher,
            freshness: options.freshness,
            handoff: options.handoff,
            contention: options.contention,
            jobs: None,
            job_settings: options.jobs,
            state_version: options.state_version,
            is_traced: options.is_traced,
            touch_after_ms: u64::try_from(options.touch_after.as_millis()).unwrap_or(u64::MAX),
            won: watch::Sender::new(0),
        }
    }

    /// Returns the same engine, which calls the service of jobs itself.
    pub fn with_jobs(self, jobs: Arc<dyn Jobs>) -> Self {
        Self { jobs: Some(jobs), ..self }
    }

    /// Replaces the object store by the one that `wrap` makes of it.
    pub fn with_objects(
        mut self,
        wrap: impl FnOnce(Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore>,
    ) -> Self {
        self.objects = wrap(self.objects);
        let bucket = self.deployment.artifact_bucket.clone();
        self.definitions = Definitions::new(Arc::clone(&self.objects), bucket);
        self
    }

    pub fn deployment(&self) -> &Deployment {
        &self.deployment
    }

    /// Returns the store of inputs and artifacts.
    pub fn objects(&self) -> &dyn ObjectStore {
        &*self.objects
    }

    pub fn executions(&self) -> &dyn ExecutionStore {
        &*self.executions
    }

    /// Returns a channel that changes whenever this process wins a commit.
    ///
    /// A caller that watches executions of this process need not ask the table.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.won.subscribe()
    }

    /// Returns the milliseconds since 1970.
    pub fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }
}

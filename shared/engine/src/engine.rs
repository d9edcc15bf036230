//! The one interpreter: load, gather facts, plan, commit, perform effects. It decides nothing about pipelines.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use sidestep_core::definition::Pipeline;
use sidestep_core::execution::commit::{Commit, Revision};
use sidestep_core::execution::past::PastExecution;
use sidestep_core::execution::start::{STATE_VERSION, Start};
use sidestep_core::execution::{Execution, FoldError};
use sidestep_core::name::ExecutionId;
use sidestep_core::parse::problem::Problem;
use sidestep_core::plan::handoff::{Contention, Handoff};
use tokio::sync::watch;

use crate::advance::mailbox::Mailboxes;
use crate::control::RequestError;
use crate::handle::trigger::TriggerStore;
use crate::handle::window::BatchStore;
use crate::memory::definitions::Definitions;
use crate::memory::executions::Recent;
use crate::memory::functions::AtHand;
use crate::ports::clock::Clock;
use crate::ports::executions::{CacheIndex, ExecutionStore, TableError};
use crate::ports::functions::{FunctionError, Functions};
use crate::ports::objects::{ObjectStore, StoreError};
use crate::ports::queues::{QueueError, Queues};
use crate::ports::watcher::Watcher;

/// A failure of the engine. One that is not about the user's input makes the platform deliver the event again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    #[error("the definition has problems")]
    Definition(Vec<Problem>),
    #[error("the execution cannot be started")]
    Start(#[from] crate::start::StartError),
    #[error("execution `{0}` does not exist")]
    ExecutionNotFound(ExecutionId),
    #[error(
        "the state of execution `{execution_id}` has version {found}, this program reads up to {known}"
    )]
    NewerState { execution_id: ExecutionId, found: u32, known: u32 },
    #[error("definition `{digest}` is not in the artifact bucket")]
    DefinitionMissing { digest: String },
    #[error("commit {revision} of execution `{execution_id}` is missing")]
    CommitMissing { execution_id: ExecutionId, revision: Revision },
    #[error("the commits of execution `{execution_id}` do not follow from each other")]
    Damaged { execution_id: ExecutionId, source: FoldError },
    #[error(transparent)]
    Table(#[from] TableError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Function(#[from] FunctionError),
    #[error(transparent)]
    Queue(#[from] QueueError),
    #[error(transparent)]
    Request(#[from] RequestError),
}

/// What the engine needs to know of its deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// Holds `runs/` and `definitions/`.
    pub artifact_bucket: String,
    pub region: String,
    pub account_id: String,
}

/// The adapters behind an engine.
#[derive(Debug, Clone)]
pub struct Ports {
    pub executions: Arc<dyn ExecutionStore>,
    pub cache: Arc<dyn CacheIndex>,
    pub objects: Arc<dyn ObjectStore>,
    pub functions: Arc<dyn Functions>,
    pub queues: Arc<dyn Queues>,
    pub triggers: Arc<dyn TriggerStore>,
    pub batches: Arc<dyn BatchStore>,
    pub clock: Arc<dyn Clock>,
}

/// Advances executions. One per process; cheap to share behind an `Arc`.
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
    pub(crate) turns: Mailboxes,
    /// Starts never change, so each is read once per process.
    pub(crate) starts: Mutex<BTreeMap<ExecutionId, Arc<Start>>>,
    /// Executions that are over, read whole.
    pub(crate) past: Mutex<BTreeMap<ExecutionId, Arc<PastExecution>>>,
    pub(crate) recent: Recent,
    pub(crate) at_hand: AtHand,
    pub(crate) watcher: Option<Arc<dyn Watcher>>,
    pub(crate) handoff: Handoff,
    pub(crate) crowd: Contention,
    /// The version of state that it writes, and the newest that it reads.
    pub(crate) state_version: u32,
    /// Counts the commits that this process won.
    pub(crate) won: watch::Sender<u64>,
}

/// Starts kept in memory; the smallest id makes room.
const KEPT_STARTS: usize = 256;

/// An execution with what it was started with.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub start: Arc<Start>,
    pub pipeline: Arc<Pipeline>,
    pub execution: Execution,
}

impl Engine {
    pub fn new(deployment: Deployment, ports: Ports) -> Self {
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
            turns: Mailboxes::default(),
            starts: Mutex::default(),
            past: Mutex::default(),
            recent: Recent::default(),
            at_hand: AtHand::default(),
            watcher: None,
            handoff: Handoff::default(),
            crowd: Contention::default(),
            state_version: STATE_VERSION,
            won: watch::Sender::new(0),
        }
    }

    /// Says that an execution's functions may be absent here, or others by now: then what ended is taken in and nothing begins, until
    /// somebody has them.
    pub fn watchful(mut self) -> Self {
        self.at_hand = AtHand::watchful();
        self
    }

    /// The same engine as of an older release: it writes that version of state, and leaves newer ones alone.
    pub fn of_version(mut self, state_version: u32) -> Self {
        self.state_version = state_version;
        self
    }

    /// Says that no other planner advances the same executions, as in the embedded cloud: states are then kept in memory. Another one all
    /// the same costs lost commits, and nothing else.
    pub fn alone(mut self) -> Self {
        self.recent = Recent::alone();
        self
    }

    /// The same engine over another object store, which `wrap` makes of the present one.
    pub fn with_objects(
        mut self,
        wrap: impl FnOnce(Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore>,
    ) -> Self {
        self.objects = wrap(self.objects);
        let bucket = self.deployment.artifact_bucket.clone();
        self.definitions = Definitions::new(Arc::clone(&self.objects), bucket);
        self
    }

    pub fn executions(&self) -> &dyn ExecutionStore {
        &*self.executions
    }

    /// Changes whenever this process wins a commit: for whoever watches its executions without asking the table.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.won.subscribe()
    }

    pub(crate) async fn start_of(
        &self,
        id: &ExecutionId,
    ) -> Result<Option<Arc<Start>>, EngineError> {
        let kept = self.starts.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned();
        if kept.is_some() {
            return Ok(kept);
        }
        let Some(start) = self.executions.start(id).await?.map(Arc::new) else { return Ok(None) };
        if start.state_version > self.state_version {
            let (found, known) = (start.state_version, self.state_version);
            return Err(EngineError::NewerState { execution_id: id.clone(), found, known });
        }
        self.keep_start(&start);
        Ok(Some(start))
    }

    pub(crate) fn keep_start(&self, start: &Arc<Start>) {
        let mut starts = self.starts.lock().unwrap_or_else(PoisonError::into_inner);
        if starts.len() >= KEPT_STARTS {
            starts.pop_first();
        }
        starts.insert(start.execution_id.clone(), Arc::clone(start));
    }

    /// Loads an execution's start, definition and `HEAD`.
    pub async fn load(&self, id: &ExecutionId) -> Result<Loaded, EngineError> {
        let head = async { Ok(self.executions.head(id).await?) };
        let (start, execution) = futures::try_join!(self.start_of(id), head)?;
        let (Some(start), Some(execution)) = (start, execution) else {
            return Err(EngineError::ExecutionNotFound(id.clone()));
        };
        let pipeline =
            self.definitions.get(&start.definition_digest, start.definition_format).await?;
        Ok(Loaded { start, pipeline, execution })
    }
}

pub(crate) fn fold(
    id: &ExecutionId,
    execution: &mut Execution,
    commit: &Commit,
) -> Result<(), EngineError> {
    let damaged = |source| EngineError::Damaged { execution_id: id.clone(), source };
    execution.apply(commit).map_err(damaged)
}

/// An error and its causes on one line, for a step's failure reason.
pub fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        text = format!("{text}: {source}");
        cause = source.source();
    }
    text
}

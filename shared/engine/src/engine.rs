//! The one interpreter: load, gather facts, plan, commit, perform effects. It decides nothing about pipelines.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;
use futures::future::{join_all, try_join_all};
use sidestep_core::commit::{Commit, Failure, Revision};
use sidestep_core::definition::Pipeline;
use sidestep_core::execution::{Execution, ExecutionStatus, FoldError};
use sidestep_core::facts::Facts;
use sidestep_core::name::ExecutionId;
use sidestep_core::plan::{Effect, Plan, plan};
use sidestep_core::problem::Problem;
use sidestep_core::report::{Event, Report, ReportedResult};
use sidestep_core::start::{STATE_VERSION, Start};
use tokio::sync::watch;
use tracing::{debug, info, warn};

use crate::clock::Clock;
use crate::definitions::Definitions;
use crate::functions::{FunctionError, Functions};
use crate::object::{ObjectStore, StoreError};
use crate::store::{CacheIndex, Committed, ExecutionStore, TableError};
use crate::trigger::TriggerStore;

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
        "the state of execution `{execution_id}` has version {found}, this program reads up to {STATE_VERSION}"
    )]
    NewerState { execution_id: ExecutionId, found: u32 },
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
    pub triggers: Arc<dyn TriggerStore>,
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
    pub(crate) triggers: Arc<dyn TriggerStore>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) definitions: Definitions,
    /// Within one process an execution is advanced by one task at a time: racing it would only cost lost commits.
    turns: Mutex<BTreeMap<ExecutionId, Weak<tokio::sync::Mutex<()>>>>,
    /// Starts never change, so each is read once per process.
    starts: Mutex<BTreeMap<ExecutionId, Arc<Start>>>,
    /// Counts the commits that this process won.
    won: watch::Sender<u64>,
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
        let Ports { executions, cache, objects, functions, triggers, clock } = ports;
        let definitions =
            Definitions::new(Arc::clone(&objects), deployment.artifact_bucket.clone());
        Self {
            deployment,
            executions,
            cache,
            objects,
            functions,
            triggers,
            clock,
            definitions,
            turns: Mutex::default(),
            starts: Mutex::default(),
            won: watch::Sender::new(0),
        }
    }

    pub fn executions(&self) -> &dyn ExecutionStore {
        &*self.executions
    }

    /// Changes whenever this process wins a commit: for whoever watches its executions without asking the table.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.won.subscribe()
    }

    async fn start_of(&self, id: &ExecutionId) -> Result<Option<Arc<Start>>, EngineError> {
        let kept = self.starts.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned();
        if kept.is_some() {
            return Ok(kept);
        }
        let Some(start) = self.executions.start(id).await?.map(Arc::new) else { return Ok(None) };
        if start.state_version > STATE_VERSION {
            let found = start.state_version;
            return Err(EngineError::NewerState { execution_id: id.clone(), found });
        }
        let mut starts = self.starts.lock().unwrap_or_else(PoisonError::into_inner);
        if starts.len() >= KEPT_STARTS {
            starts.pop_first();
        }
        starts.insert(id.clone(), Arc::clone(&start));
        Ok(Some(start))
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

    /// Folds in the events that `events` makes of the loaded state, and does all that follows, until nothing is left to decide.
    ///
    /// Twice with the same events: the second finds them settled. Stopped half-way: before the commit nothing happened, after it the
    /// sweep begins new attempts for what was not invoked.
    pub async fn advance(
        &self,
        id: &ExecutionId,
        events: impl FnOnce(&Loaded) -> Vec<Event>,
    ) -> Result<ExecutionStatus, EngineError> {
        let turn = self.turn(id);
        let _turn = turn.lock().await;
        let loaded = self.load(id).await?;
        let mut events = events(&loaded);
        let Loaded { start, pipeline, mut execution } = loaded;
        let mut facts = Facts::default();
        loop {
            let plan = self.plan(&pipeline, &start, &execution, &events, &mut facts).await?;
            for late in &plan.discarded {
                info!(execution_id = %id, step = late.step.0, attempt_count = late.attempt_count,
                    reason = late.reason, "report discarded");
            }
            if plan.commit.is_empty() {
                return Ok(execution.status);
            }
            self.write_records(&plan).await?;
            match self.executions.commit(id, &plan.commit).await? {
                Committed::Lost(winner) => {
                    debug!(execution_id = %id, revision = winner.revision, "lost the race for a commit");
                    fold(id, &mut execution, &winner)?;
                    // Its planner may have died before it came to this.
                    self.advance_head(&start, &execution, &winner).await?;
                    facts.commits.insert(winner.revision, *winner);
                }
                Committed::Won => {
                    self.won.send_modify(|count| *count += 1);
                    fold(id, &mut execution, &plan.commit)?;
                    let head = self.advance_head(&start, &execution, &plan.commit);
                    let (head, failed) = futures::join!(head, self.perform(&start, &plan));
                    head?;
                    facts.commits.insert(plan.commit.revision, plan.commit);
                    events = failed;
                    if events.is_empty() && !plan.is_partial {
                        return Ok(execution.status);
                    }
                }
            }
        }
    }

    /// Plans until no fact is missing.
    async fn plan(
        &self,
        pipeline: &Pipeline,
        start: &Start,
        execution: &Execution,
        events: &[Event],
        facts: &mut Facts,
    ) -> Result<Plan, EngineError> {
        facts.now_ms = self.clock.now_ms();
        loop {
            let plan = plan(pipeline, start, execution, events, facts);
            if plan.needs.is_empty() {
                return Ok(plan);
            }
            self.gather(&start.execution_id, &plan.needs, facts).await?;
        }
    }

    /// Writes what may be written before the commit: manifests on behalf of functions, and cache entries.
    async fn write_records(&self, plan: &Plan) -> Result<(), EngineError> {
        try_join_all(plan.manifests.iter().map(|(uri, manifest)| async move {
            let bytes = serde_json::to_vec(manifest).expect("a manifest is plain JSON");
            self.objects.create(uri, Bytes::from(bytes), "application/json").await
        }))
        .await?;
        try_join_all(plan.publish.iter().map(|entry| async move {
            let replaced = self.cache.publish(entry).await?;
            let artifacts = |entry: &sidestep_core::commit::CacheEntry| -> BTreeSet<String> {
                entry.produced.artifacts.iter().map(|artifact| artifact.sha256.clone()).collect()
            };
            if replaced.is_some_and(|previous| artifacts(&previous) != artifacts(entry)) {
                warn!(step_name = %entry.source.step_name, key = %entry.key(),
                    "the step is not deterministic: same code and arguments, other content");
            }
            Ok::<_, TableError>(())
        }))
        .await?;
        Ok(())
    }

    pub(crate) async fn advance_head(
        &self,
        start: &Start,
        execution: &Execution,
        commit: &Commit,
    ) -> Result<(), EngineError> {
        let end = commit.end.as_ref().map(|end| (end, commit.at_ms));
        Ok(self.executions.advance_head(start, execution, end).await?)
    }

    /// Performs the effects of a commit; what could not be started comes back as a report of its failure.
    async fn perform(&self, start: &Start, plan: &Plan) -> Vec<Event> {
        let revision = plan.commit.revision;
        let invoked = plan.effects.iter().map(|effect| async move {
            let Effect::InvokeStep { step, attempt_count, function_arn, payload } = effect;
            let error = self.functions.invoke(function_arn, payload).await.err()?;
            let failure =
                Failure { error_type: error.error_type().to_owned(), message: error_chain(&error) };
            let token = start.secret.token(&start.execution_id, *step, *attempt_count, revision);
            let (step, attempt_count) = (*step, *attempt_count);
            let result = ReportedResult::Failed(failure);
            Some(Event::Reported(Report { step, attempt_count, token, result }))
        });
        join_all(invoked).await.into_iter().flatten().collect()
    }

    fn turn(&self, id: &ExecutionId) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(turn) = turns.get(id).and_then(Weak::upgrade) {
            return turn;
        }
        turns.retain(|_, turn| turn.strong_count() > 0);
        let turn = Arc::new(tokio::sync::Mutex::new(()));
        turns.insert(id.clone(), Arc::downgrade(&turn));
        turn
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

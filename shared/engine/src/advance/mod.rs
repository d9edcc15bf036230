//! One turn of an execution: load, plan until no fact is missing, commit, perform the effects, until nothing is left to decide.

mod gather;
pub mod handoff;
mod head;
mod late_report;
pub(crate) mod mailbox;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::{join_all, try_join_all};
use sidestep_core::cache::determinism::difference;
use sidestep_core::cache::key::CacheKey;
use sidestep_core::definition::{Pipeline, StepIndex};
use sidestep_core::execution::commit::{Commit, Failure, Warning};
use sidestep_core::execution::start::Start;
use sidestep_core::execution::{Execution, ExecutionStatus};
use sidestep_core::name::ExecutionId;
use sidestep_core::plan::facts::Facts;
use sidestep_core::plan::handoff::{attach_state, is_for_a_step};
use sidestep_core::plan::head::is_head_due;
use sidestep_core::plan::{CallbackRecord, Effect, Plan, Publication, plan};
use sidestep_core::plan::{Event, Report, ReportedResult};
use sidestep_core::uri::S3Uri;
use tracing::{debug, info, warn};

use crate::advance::mailbox::Place;
use crate::engine::{Engine, EngineError, Loaded, error_chain, fold};
use crate::ports::executions::{Committed, TableError};

/// What was written before a commit, so that a plan that is made again does not write it again.
#[derive(Debug, Default)]
pub(crate) struct Records {
    manifests: BTreeSet<S3Uri>,
    published: BTreeSet<CacheKey>,
    warnings: Vec<Warning>,
}

/// Where a state came to rest.
pub(crate) enum Settled {
    At(ExecutionStatus),
    /// It came from memory, and does not fit: it has to be read.
    Doubtful,
    /// A step cannot do what follows: nothing was committed.
    Left,
    /// A step lost a commit to one of many that are about to commit: nothing of its own was.
    Crowded,
}

/// Who advances the execution, and whether the state may have come from memory: then another process may have gone on since.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Road {
    Planner { may_be_old: bool },
    Direct { may_be_old: bool, stays_in_crowd: bool },
}

impl Road {
    fn may_be_old(self) -> bool {
        match self {
            Self::Planner { may_be_old } | Self::Direct { may_be_old, .. } => may_be_old,
        }
    }

    fn leaves_crowd(self) -> bool {
        matches!(self, Self::Direct { stays_in_crowd: false, .. })
    }
}

impl Engine {
    /// As [`Engine::load`], from memory where this process is the only planner. `true`: it came from there.
    async fn load_recent(&self, id: &ExecutionId) -> Result<(Loaded, bool), EngineError> {
        let Some(execution) = self.recent.head(id) else {
            return Ok((self.load(id).await?, false));
        };
        let start = self.start_of(id).await?;
        let start = start.ok_or_else(|| EngineError::ExecutionNotFound(id.clone()))?;
        let pipeline =
            self.definitions.get(&start.definition_digest, start.definition_format).await?;
        Ok((Loaded { start, pipeline, execution }, true))
    }

    /// Folds in the events that `events` makes of the loaded state, and does all that follows, until nothing is left to decide. Calls that
    /// wait for the same execution meanwhile are taken together.
    ///
    /// Twice with the same events: the second finds them settled. Stopped half-way: before the commit nothing happened, after it the
    /// sweep begins new attempts for what was not invoked.
    pub async fn advance(
        &self,
        id: &ExecutionId,
        events: impl Fn(&Loaded) -> Vec<Event> + Send + Sync + 'static,
    ) -> Result<ExecutionStatus, EngineError> {
        let turn = self.turns.of(id);
        let held = match turn.join(Arc::new(events)).await {
            Place::Taken(status) => return Ok(status),
            Place::Held(held) => held,
        };
        let (loaded, may_be_old) = self.load_recent(id).await?;
        let first = held.events(&loaded);
        let road = Road::Planner { may_be_old };
        let settled = self.settle(loaded, first, Facts::default(), road).await?;
        let status = match settled {
            Settled::At(status) => status,
            Settled::Doubtful | Settled::Left | Settled::Crowded => {
                self.recent.forget_head(id);
                let loaded = self.load(id).await?;
                let events = held.events(&loaded);
                self.settle_read(loaded, events, Facts::default()).await?
            }
        };
        held.tell(status);
        Ok(status)
    }

    /// Settles a state that was just read, as the planner.
    async fn settle_read(
        &self,
        loaded: Loaded,
        events: Vec<Event>,
        facts: Facts,
    ) -> Result<ExecutionStatus, EngineError> {
        let road = Road::Planner { may_be_old: false };
        match self.settle(loaded, events, facts, road).await? {
            Settled::At(status) => Ok(status),
            Settled::Doubtful | Settled::Left | Settled::Crowded => {
                unreachable!(
                    "only what came from memory is in doubt, and the planner leaves nothing"
                )
            }
        }
    }

    /// Advances an execution that was just created, with facts that may be of use.
    pub(crate) async fn advance_new(
        &self,
        loaded: Loaded,
        facts: Facts,
    ) -> Result<ExecutionStatus, EngineError> {
        let id = loaded.start.execution_id.clone();
        let turn = self.turns.of(&id);
        let _turn = turn.alone().await;
        self.keep_start(&loaded.start);
        self.settle_read(loaded, Vec::new(), facts).await
    }

    pub(crate) async fn settle(
        &self,
        loaded: Loaded,
        mut events: Vec<Event>,
        mut facts: Facts,
        road: Road,
    ) -> Result<Settled, EngineError> {
        let Loaded { start, pipeline, mut execution } = loaded;
        let id = &start.execution_id;
        let (mut has_won, mut losses) = (false, 0);
        facts.is_held = !self.at_hand.has_all(&start, &*self.functions).await?;
        loop {
            let mut records = Records::default();
            let mut plan = self
                .plan(&pipeline, &start, &execution, &events, &mut facts, Some(&mut records))
                .await?;
            // Another process may have gone on without this one's knowledge.
            if road.may_be_old()
                && !has_won
                && (!plan.discarded.is_empty() || plan.commit.is_empty())
            {
                return Ok(Settled::Doubtful);
            }
            // `HEAD` may lag behind, and then does not know of the report's attempt.
            if !plan.discarded.is_empty() {
                let missed = self.take_in(&start, &mut execution).await?;
                if !missed.is_empty() {
                    facts.commits.extend(missed.into_iter().map(|it| (it.revision, it)));
                    continue;
                }
            }
            for discarded in &plan.discarded {
                info!(execution_id = %id, step = %discarded.step, attempt_count = discarded.attempt_count,
                    reason = discarded.reason, "report discarded");
            }
            self.note_late_report(&start, &pipeline, &plan.discarded, &events).await?;
            if plan.commit.is_empty() {
                return Ok(Settled::At(execution.status));
            }
            if matches!(road, Road::Direct { .. }) && !is_for_a_step(&plan) {
                // What was committed before is complete. A successor that could not be started then, and is to be tried again later, is the sweep's.
                return Ok(if has_won { Settled::At(execution.status) } else { Settled::Left });
            }
            plan.commit.warnings = records.warnings;
            match self.executions.commit(id, &plan.commit).await? {
                Committed::Lost(winner) => {
                    debug!(execution_id = %id, revision = winner.revision, "lost the race for a commit");
                    if road.leaves_crowd() && !has_won && self.crowd.is_high(&execution) {
                        return Ok(Settled::Crowded);
                    }
                    losses += 1;
                    self.clock.sleep(pause(losses, self.clock.random())).await;
                    self.follow(&start, &mut execution, &winner).await?;
                    facts.commits.insert(winner.revision, *winner);
                }
                Committed::Won => {
                    has_won = true;
                    let before = execution.clone();
                    fold(id, &mut execution, &plan.commit)?;
                    if self.handoff.is_direct() {
                        attach_state(&pipeline, &start, &execution, &mut plan);
                    }
                    // A planner that is alone, and a step, go on without it.
                    let has_state = matches!(road, Road::Direct { .. }) || self.recent.is_alone();
                    let is_due = !has_state || is_head_due(&plan, &execution);
                    let states = (&before, &execution);
                    // Whoever sees a status finds it told; the effects do not wait for that.
                    let seen = async {
                        self.tell(&start, &pipeline, states, &plan.commit, &facts).await;
                        self.remember(id, &execution, &plan.commit);
                        self.won.send_modify(|count| *count += 1);
                        if !is_due {
                            return Ok(());
                        }
                        self.advance_head(&start, &execution, &plan.commit).await
                    };
                    let (head, failed) =
                        futures::join!(seen, self.perform(&start, &pipeline, &plan));
                    if head.is_err() {
                        // Or the next commit would hide from HEAD and its index what this one means.
                        self.recent.forget_head(id);
                    }
                    head?;
                    facts.commits.insert(plan.commit.revision, plan.commit);
                    events.drain(..plan.taken);
                    events.extend(failed);
                    if events.is_empty() && !plan.is_partial {
                        return Ok(Settled::At(execution.status));
                    }
                }
            }
        }
    }

    pub(crate) fn remember(&self, id: &ExecutionId, execution: &Execution, commit: &Commit) {
        self.recent.keep_commit(id, commit);
        self.recent.keep_head(id, execution);
    }

    /// Plans until no fact is missing. With `records`, what may be written before the commit is written meanwhile.
    pub(crate) async fn plan(
        &self,
        pipeline: &Pipeline,
        start: &Start,
        execution: &Execution,
        events: &[Event],
        facts: &mut Facts,
        mut records: Option<&mut Records>,
    ) -> Result<Plan, EngineError> {
        facts.now_ms = self.clock.now_ms();
        loop {
            let plan = plan(pipeline, start, execution, events, facts);
            let write = async {
                match &mut records {
                    Some(records) => self.write_records(&plan, records).await,
                    None => Ok(()),
                }
            };
            if plan.needs.is_empty() {
                write.await?;
                return Ok(plan);
            }
            futures::try_join!(write, self.gather(&start.execution_id, &plan.needs, facts))?;
        }
    }

    /// Writes what may be written before the commit, and was not yet: manifests on behalf of functions, and cache entries.
    async fn write_records(&self, plan: &Plan, records: &mut Records) -> Result<(), EngineError> {
        let manifests = plan.manifests.iter().filter(|(uri, _)| !records.manifests.contains(uri));
        try_join_all(manifests.map(|(uri, manifest)| async move {
            let bytes = serde_json::to_vec(manifest).expect("a manifest is plain JSON");
            self.objects.create(uri, Bytes::from(bytes), "application/json").await
        }))
        .await?;
        records.manifests.extend(plan.manifests.iter().map(|(uri, _)| uri.clone()));
        let callbacks = plan.callbacks.iter();
        try_join_all(callbacks.map(|(token, record)| self.executions.put_callback(token, record)))
            .await?;
        let fresh: Vec<_> = plan
            .publish
            .iter()
            .filter(|publication| !records.published.contains(&publication.entry.key()))
            .collect();
        let published = try_join_all(fresh.iter().map(|Publication { step, entry }| async move {
            let replaced = self.cache.publish(entry).await?;
            let Some(message) = replaced.and_then(|previous| difference(&previous, entry)) else {
                return Ok(None);
            };
            warn!(step_name = %entry.source.step_name, key = %entry.key(), "{message}");
            Ok::<_, TableError>(Some(Warning { step: *step, message }))
        }))
        .await?;
        records.published.extend(fresh.iter().map(|publication| publication.entry.key()));
        records.warnings.extend(published.into_iter().flatten());
        Ok(())
    }

    /// Performs the effects of a commit; what could not be started comes back as a report of its failure.
    async fn perform(&self, start: &Start, pipeline: &Pipeline, plan: &Plan) -> Vec<Event> {
        let revision = plan.commit.revision;
        let id = &start.execution_id;
        let performed = plan.effects.iter().map(|effect| async move {
            let (step, attempt_count, failure) = match effect {
                Effect::InvokeStep { step, attempt_count, function_arn, payload } => {
                    let error = self.functions.invoke(function_arn, payload).await.err()?;
                    if self.may_have_arrived(payload).await {
                        return None;
                    }
                    (*step, *attempt_count, Failure::new(error.failure_type(), error_chain(&error)))
                }
                Effect::SendCallback { step, attempt_count, queue_url, body } => {
                    let Err(error) = self.queues.send(queue_url, body).await else {
                        self.note_sent(plan, *step).await;
                        return None;
                    };
                    (*step, *attempt_count, Failure::new(error.failure_type(), error_chain(&error)))
                }
                Effect::Wake { at_ms } => {
                    if let Err(error) = self.queues.wake(id, *at_ms, self.clock.now_ms()).await {
                        let error = error_chain(&error);
                        warn!(execution_id = %id, error, "left to the sweep: the planner will not be woken");
                    }
                    return None;
                }
            };
            let token = start.secret.token(id, step, attempt_count, revision);
            let (step, result) = (pipeline.step(step).name.clone(), ReportedResult::Failed(failure));
            Some(Event::Reported(Report { step, attempt_count, token, result }))
        });
        join_all(performed).await.into_iter().flatten().collect()
    }

    /// Notes that the message of a Callback step is in its queue. Not noted: the sweep asks once more.
    async fn note_sent(&self, plan: &Plan, step: StepIndex) {
        let Some((token, record)) = plan.callbacks.iter().find(|(_, record)| record.step == step)
        else {
            return;
        };
        let record = CallbackRecord { is_unsent: false, ..record.clone() };
        if let Err(error) = self.executions.put_callback(token, &record).await {
            let error = error_chain(&error);
            warn!(execution_id = %record.execution_id, error, "a callback's message may be sent again");
        }
    }
}

/// How long to wait after a lost commit, by chance: of many branches that end together each would otherwise lose to each. A lost commit is
/// billed like one that counts, which is more than a function's time for this long.
fn pause(losses: u32, random: [u8; 32]) -> Duration {
    const FIRST: Duration = Duration::from_millis(4);
    const DOUBLINGS: u32 = 6;
    FIRST * 2_u32.pow(losses.min(DOUBLINGS)) * u32::from(random[0]) / 256
}

//! The direct road: a finished step advances its execution by itself.

use std::sync::Arc;

use sidestep_core::event::report_event;
use sidestep_core::execution::Execution;
use sidestep_core::execution::invocation::Invocation;
use sidestep_core::execution::manifest::Manifest;
use sidestep_core::name::ExecutionId;
use sidestep_core::plan::facts::Facts;
use sidestep_core::plan::handoff::{CarriedState, Contention, Handoff};
use sidestep_core::plan::{Event, Report, ReportedResult};
use tracing::debug;

use crate::advance::{Road, Settled};
use crate::engine::{Engine, EngineError, Loaded, fold};

/// What came of a step's try to go on by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandoffOutcome {
    /// The result is committed, by this call or another one, and what follows was begun.
    Done,
    /// Branches are too many to commit one after another: the planner's queue has the result.
    Reported,
    /// Something follows that only the planner may do: nothing was committed, and the manifest has to be written.
    Left,
}

impl Engine {
    /// Says how results reach this engine's executions; its invocations then take the state along.
    pub fn with_handoff(mut self, handoff: Handoff) -> Self {
        self.handoff = handoff;
        self
    }

    /// Says from when on branches are too many to commit one after another.
    pub fn with_contention(mut self, crowd: Contention) -> Self {
        self.crowd = crowd;
        self
    }

    /// Commits the result of an attempt and begins what follows, as the planner would. In a crowd of branches it is left in the planner's queue
    /// instead, if there is one.
    ///
    /// After an error, too, the manifest has to be written: the planner finds what was not done.
    pub async fn hand_off(
        &self,
        invocation: &Invocation,
        carried: Option<CarriedState>,
        manifest: &Manifest,
    ) -> Result<HandoffOutcome, EngineError> {
        let id = &invocation.execution_id;
        // An execution's functions may be older than its planner. What they do not know they would not pass on.
        if carried.as_ref().is_some_and(|it| it.start.state_version > self.state_version) {
            return Ok(HandoffOutcome::Left);
        }
        let carried = carried.filter(|carried| carried.start.execution_id == *id);
        let now_ms = self.clock.now_ms();
        if carried.as_ref().is_some_and(|it| it.is_crowded(self.crowd, now_ms))
            && self.report(invocation, manifest).await?
        {
            return Ok(HandoffOutcome::Reported);
        }
        let turn = self.turns.of(id);
        let _turn = turn.alone().await;
        let event = |loaded: &Loaded| {
            let step = invocation.step_name.clone();
            loaded.pipeline.find(&step)?;
            let (token, attempt_count) = (invocation.token.clone(), invocation.attempt_count);
            let result = ReportedResult::of_manifest(manifest.clone(), None);
            Some(Event::Reported(Report { step, attempt_count, token, result }))
        };
        let mut facts = Facts::default();
        if let Some(carried) = carried {
            let (is_alone, claimed) = (carried.is_alone(), carried.claimed.clone());
            let loaded = self.load_carried(carried).await?;
            let step = loaded.pipeline.find(&invocation.step_name);
            facts.claimed = step.map(|step| (step, claimed));
            let Some(event) = event(&loaded) else { return Ok(HandoffOutcome::Left) };
            // Where others ran beside it, reading the state costs less than a commit that is lost.
            if is_alone {
                let road = Road::Direct { may_be_old: true, stays_in_crowd: true };
                match self.settle(loaded, vec![event], facts.clone(), road).await? {
                    Settled::At(_) => return Ok(HandoffOutcome::Done),
                    Settled::Left | Settled::Crowded => return Ok(HandoffOutcome::Left),
                    Settled::Doubtful => debug!("the state that the invocation took along is old"),
                }
            }
        }
        for stays_in_crowd in [false, true] {
            let loaded = self.load(id).await?;
            let Some(event) = event(&loaded) else { return Ok(HandoffOutcome::Left) };
            let road = Road::Direct { may_be_old: false, stays_in_crowd };
            match self.settle(loaded, vec![event], facts.clone(), road).await? {
                Settled::At(_) => return Ok(HandoffOutcome::Done),
                Settled::Left | Settled::Doubtful => return Ok(HandoffOutcome::Left),
                Settled::Crowded if self.report(invocation, manifest).await? => {
                    return Ok(HandoffOutcome::Reported);
                }
                // Without a queue it has to go on.
                Settled::Crowded => {}
            }
        }
        Ok(HandoffOutcome::Left)
    }

    async fn report(
        &self,
        invocation: &Invocation,
        manifest: &Manifest,
    ) -> Result<bool, EngineError> {
        Ok(self.queues.report(&report_event(invocation, manifest)).await?)
    }

    async fn load_carried(&self, carried: CarriedState) -> Result<Loaded, EngineError> {
        let id = carried.start.execution_id.clone();
        let damaged = |source| EngineError::Damaged { execution_id: id, source };
        let execution = carried.execution().map_err(damaged)?;
        let start = Arc::new(carried.start);
        self.keep_start(&start);
        let pipeline =
            self.definitions.get(&start.definition_digest, start.definition_format).await?;
        Ok(Loaded { start, pipeline, execution })
    }

    /// Takes notice of a commit that a step made: what is remembered of the execution is old, and whoever watches is told.
    pub(crate) async fn on_direct_commit(&self, id: &ExecutionId) -> Result<(), EngineError> {
        match self.recent.head(id).filter(|_| self.watcher.is_some()) {
            Some(before) => self.tell_missed(id, before).await?,
            None => self.recent.forget_head(id),
        }
        self.won.send_modify(|count| *count += 1);
        Ok(())
    }

    async fn tell_missed(
        &self,
        id: &ExecutionId,
        mut execution: Execution,
    ) -> Result<(), EngineError> {
        let turn = self.turns.of(id);
        let _turn = turn.alone().await;
        let Some(start) = self.start_of(id).await? else { return Ok(()) };
        let pipeline =
            self.definitions.get(&start.definition_digest, start.definition_format).await?;
        let mut facts = Facts::default();
        for commit in self.executions.commits_after(id, execution.revision).await? {
            let before = execution.clone();
            fold(id, &mut execution, &commit)?;
            self.tell(&start, &pipeline, (&before, &execution), &commit, &facts).await;
            self.remember(id, &execution, &commit);
            facts.commits.insert(commit.revision, commit);
        }
        Ok(())
    }
}

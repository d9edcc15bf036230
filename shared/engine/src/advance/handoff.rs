//! The direct road: a finished step commits its own result and invokes its successors.

use sidestep_core::event::report_event;
use sidestep_core::execution::Execution;
use sidestep_core::execution::invocation::Invocation;
use sidestep_core::execution::manifest::Manifest;
use sidestep_core::name::ExecutionId;
use sidestep_core::plan::facts::Facts;
use sidestep_core::plan::handoff::CarriedState;
use sidestep_core::plan::{Event, Report};
use tracing::debug;

use crate::advance::settle::{Outcome, Road};
use crate::engine::Engine;
use crate::error::EngineError;
use crate::loaded::fold;

/// How a step's attempt to commit its own result ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandoffOutcome {
    /// The result is committed, by this call or another one, and what follows was begun.
    Committed,
    /// Too many branches compete for the next commit. The planner's queue has the result.
    Reported,
    /// Only the planner may decide or do what follows. The step has to write its manifest, whether
    /// its result was committed or not.
    LeftToPlanner,
}

impl Engine {
    /// Commits the result of an attempt and begins what follows, as the planner would.
    ///
    /// If many branches compete for the next commit, the result goes to the planner's queue
    /// instead, provided there is one. After an error, the step has to write its manifest as well;
    /// the planner then finds what was not done.
    pub async fn hand_off(
        &self,
        invocation: &Invocation,
        carried: Option<CarriedState>,
        manifest: &Manifest,
    ) -> Result<HandoffOutcome, EngineError> {
        let id = &invocation.execution_id;
        // An execution's functions may be older than its planner. They would not pass on the parts
        // of a newer state that they do not know.
        if carried.as_ref().is_some_and(|it| it.start.state_version > self.state_version) {
            return Ok(HandoffOutcome::LeftToPlanner);
        }
        let carried = carried.filter(|carried| carried.start.execution_id == *id);
        let now_ms = self.clock.now_ms();
        if carried.as_ref().is_some_and(|it| it.is_crowded(self.contention, now_ms))
            && self.report(invocation, manifest).await?
        {
            return Ok(HandoffOutcome::Reported);
        }
        let mailbox = self.mailboxes.of(id);
        let _turn = mailbox.alone().await;
        let (step, attempt_count) = (invocation.step_name.clone(), invocation.attempt_count);
        let report =
            Event::Reported(Report::of_manifest(step, attempt_count, manifest.clone(), None));
        let mut facts = Facts::default();
        if let Some(carried) = carried {
            let (is_alone, claimed) = (carried.is_alone(), carried.claimed.clone());
            let loaded = self.load_carried(carried).await?;
            let Some(step) = loaded.pipeline.find(&invocation.step_name) else {
                return Ok(HandoffOutcome::LeftToPlanner);
            };
            facts.claimed = Some((step, claimed));
            // If other steps ran beside this one, reading the state costs less than losing a
            // commit.
            if is_alone {
                let road = Road::Direct { is_from_memory: true, yields: false };
                match self.settle(loaded, vec![report.clone()], facts.clone(), road).await? {
                    Outcome::Settled(_) => return Ok(HandoffOutcome::Committed),
                    Outcome::LeftToPlanner | Outcome::Contended => {
                        return Ok(HandoffOutcome::LeftToPlanner);
                    }
                    Outcome::StaleState => debug!("the state in the invocation is old"),
                }
            }
        }
        for yields in [true, false] {
            let loaded = self.load(id).await?;
            if loaded.pipeline.find(&invocation.step_name).is_none() {
                return Ok(HandoffOutcome::LeftToPlanner);
            }
            let road = Road::Direct { is_from_memory: false, yields };
            match self.settle(loaded, vec![report.clone()], facts.clone(), road).await? {
                Outcome::Settled(_) => return Ok(HandoffOutcome::Committed),
                Outcome::LeftToPlanner | Outcome::StaleState => {
                    return Ok(HandoffOutcome::LeftToPlanner);
                }
                Outcome::Contended if self.report(invocation, manifest).await? => {
                    return Ok(HandoffOutcome::Reported);
                }
                // Without a queue the step has to go on itself.
                Outcome::Contended => {}
            }
        }
        Ok(HandoffOutcome::LeftToPlanner)
    }

    /// Puts the result into the planner's queue. Returns `false` if there is none.
    async fn report(
        &self,
        invocation: &Invocation,
        manifest: &Manifest,
    ) -> Result<bool, EngineError> {
        Ok(self.queues.report(&report_event(invocation.attempt(), manifest.clone())).await?)
    }

    /// Notes a commit that a step made: the remembered state is old, and the watcher has to be
    /// told.
    pub(crate) async fn on_direct_commit(&self, id: &ExecutionId) -> Result<(), EngineError> {
        match self.memory.head(id).filter(|_| self.watcher.is_some()) {
            Some(before) => self.tell_missed(id, before).await?,
            None => self.memory.forget_head(id),
        }
        self.won.send_modify(|count| *count += 1);
        Ok(())
    }

    /// Tells the watcher of the commits after `execution`.
    async fn tell_missed(
        &self,
        id: &ExecutionId,
        mut execution: Execution,
    ) -> Result<(), EngineError> {
        let mailbox = self.mailboxes.of(id);
        let _turn = mailbox.alone().await;
        let Some(start) = self.start_of(id).await? else { return Ok(()) };
        let pipeline = self.pipeline_of(&start).await?;
        let mut facts = Facts::default();
        for commit in self.executions.commits_after(id, execution.revision).await? {
            let before = execution.clone();
            fold(id, &mut execution, &commit)?;
            self.tell_watcher(&start, &pipeline, (&before, &execution), &commit, &facts).await;
            self.remember(id, &execution, &commit);
            facts.commits.insert(commit.revision, commit);
        }
        Ok(())
    }
}

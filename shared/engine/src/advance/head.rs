//! Brings a state up to the commits, and `HEAD` up to the state.

use sidestep_core::execution::Execution;
use sidestep_core::execution::commit::Commit;
use sidestep_core::execution::start::Start;
use sidestep_core::name::ExecutionId;
use sidestep_core::plan::head::is_too_far_behind;

use crate::engine::Engine;
use crate::error::EngineError;
use crate::loaded::{Loaded, fold};
use crate::ports::executions::HeadChange;

impl Engine {
    /// Writes `execution`, the state after `commit`, to `HEAD`.
    pub(crate) async fn advance_head(
        &self,
        start: &Start,
        execution: &Execution,
        commit: &Commit,
    ) -> Result<(), EngineError> {
        let change = match (&commit.end, &commit.retry) {
            (Some(end), _) => HeadChange::Ended { end, at_ms: commit.at_ms },
            (None, Some(_)) => HeadChange::TakenUp,
            (None, None) => HeadChange::Ongoing,
        };
        Ok(self.executions.advance_head(start, execution, change).await?)
    }

    /// Folds in the commits that `HEAD` lacks, and brings `HEAD` up to them.
    ///
    /// Afterwards the planner is asked about the state as it is, not as it was.
    pub(crate) async fn catch_up(&self, loaded: &mut Loaded) -> Result<(), EngineError> {
        let execution = &mut loaded.execution;
        let missed = self.take_in(&loaded.start, execution).await?;
        match missed.last() {
            Some(last) => self.advance_head(&loaded.start, execution, last).await,
            None => Ok(()),
        }
    }

    /// Returns true if the commits say that an execution has ended, and no retry of it is asked
    /// for.
    ///
    /// `HEAD`, the list and the index of live executions are brought up to the commits. The process
    /// that made the last one may have died before it wrote them, or not have come to it yet.
    pub async fn has_ended(&self, id: &ExecutionId) -> Result<bool, EngineError> {
        let mut loaded = self.load(id).await?;
        self.catch_up(&mut loaded).await?;
        let is_over = loaded.execution.status.is_over();
        Ok(is_over && !self.executions.is_retry_asked(id).await?)
    }

    /// Brings `execution` up to date after a commit was lost to `winner`.
    ///
    /// It takes `HEAD`, which may be far ahead by now, or else the commits.
    pub(crate) async fn follow(
        &self,
        start: &Start,
        execution: &mut Execution,
        winner: &Commit,
    ) -> Result<(), EngineError> {
        let id = &start.execution_id;
        match self.executions.head(id).await? {
            Some(head) if head.revision >= winner.revision => {
                *execution = head;
                self.remember(id, execution, winner);
            }
            _ => {
                self.take_in(start, execution).await?;
            }
        }
        Ok(())
    }

    /// Folds the commits into `execution` that it lacks, and returns them.
    ///
    /// `HEAD` is brought up to them if it must not be so far behind: the planner that made them may
    /// have died before it did so.
    pub(crate) async fn take_in(
        &self,
        start: &Start,
        execution: &mut Execution,
    ) -> Result<Vec<Commit>, EngineError> {
        let id = &start.execution_id;
        let missed = self.executions.commits_after(id, execution.revision).await?;
        for (index, commit) in missed.iter().enumerate() {
            fold(id, execution, commit)?;
            self.remember(id, execution, commit);
            // An end may be followed by a retry. The list of executions has to learn of both.
            let is_last = index + 1 == missed.len();
            let is_behind = is_last && is_too_far_behind(missed.len(), execution);
            if is_behind || commit.end.is_some() || commit.retry.is_some() {
                self.advance_head(start, execution, commit).await?;
            }
        }
        Ok(missed)
    }

    /// Remembers a commit and the state after it.
    pub(crate) fn remember(&self, id: &ExecutionId, execution: &Execution, commit: &Commit) {
        self.memory.keep_commit(id, commit);
        self.memory.keep_head(id, execution);
    }
}

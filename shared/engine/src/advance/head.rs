//! Brings `HEAD` up to the commits, and a state up to both.

use sidestep_core::execution::Execution;
use sidestep_core::execution::commit::Commit;
use sidestep_core::execution::start::Start;
use sidestep_core::plan::head::is_too_far_behind;

use crate::engine::{Engine, EngineError, Loaded, fold};
use crate::ports::executions::HeadChange;

impl Engine {
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

    /// Folds in the commits that `HEAD` does not know, and brings it up to them: what is then asked of the planner is about this state.
    pub(crate) async fn catch_up(&self, loaded: &mut Loaded) -> Result<(), EngineError> {
        let execution = &mut loaded.execution;
        let missed = self.take_in(&loaded.start, execution).await?;
        match missed.last() {
            Some(last) => self.advance_head(&loaded.start, execution, last).await,
            None => Ok(()),
        }
    }

    /// Takes in what happened since a commit was lost to `winner`: by `HEAD`, which may be far ahead by now, or by the commits.
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
            _ => drop(self.take_in(start, execution).await?),
        }
        Ok(())
    }

    /// Folds the commits into `execution` that it lacks, and returns them. `HEAD` is brought up to them where it must not be so far behind:
    /// their planner may have died before it came to it.
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
            // Also past an end: it may have been taken up again. The list of executions is told of both.
            let is_last = index + 1 == missed.len();
            let is_behind = is_last && is_too_far_behind(missed.len(), execution);
            if is_behind || commit.end.is_some() || commit.retry.is_some() {
                self.advance_head(start, execution, commit).await?;
            }
        }
        Ok(missed)
    }
}

//! Stopping an execution, and taking one up again.

use std::collections::BTreeMap;

use crate::definition::{Pipeline, StepIndex, StepKind};
use crate::execution::Execution;
use crate::execution::commit::{Commit, Retry, Verdict};
use crate::execution::phase::{ExecutionStatus, Phase, StepState};
use crate::plan::draft::Draft;
use crate::plan::readiness::failed_fail_step;

/// Why an execution cannot be stopped or taken up again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    #[error("it is over already: {}", .0.name())]
    Over(ExecutionStatus),
    #[error("it is {}; only one that Failed or Stopped can be retried", .0.name())]
    NotRetryable(ExecutionStatus),
    #[error("it ended in a Fail step, and would again")]
    FailStep,
}

/// Whether an execution can be stopped; twice is fine.
pub fn check_stop(execution: &Execution) -> Result<(), ControlError> {
    if execution.status.is_over() { Err(ControlError::Over(execution.status)) } else { Ok(()) }
}

/// Whether an execution can be taken up again.
pub fn check_retry(pipeline: &Pipeline, execution: &Execution) -> Result<(), ControlError> {
    if !matches!(execution.status, ExecutionStatus::Failed | ExecutionStatus::Stopped) {
        return Err(ControlError::NotRetryable(execution.status));
    }
    if failed_fail_step(pipeline, &execution.steps).is_some() {
        return Err(ControlError::FailStep);
    }
    Ok(())
}

impl Draft<'_> {
    /// Nothing new starts from here on. What runs goes on to its end, as in SageMaker; a callback is told.
    pub(crate) fn stop(&mut self) {
        if self.is_stopping {
            return;
        }
        self.is_stopping = true;
        self.plan.commit.stop = true;
        let pipeline = self.pipeline;
        for step in pipeline.indexes() {
            let state = self.states[step.0];
            match state.phase {
                Phase::Retrying => self.stop_retrying(step, state),
                Phase::Executing => {
                    if let StepKind::Callback(callback) = &pipeline.step(step).kind {
                        let commit = match self.resolver().commit(state.revision) {
                            Ok(commit) => commit,
                            Err(need) => {
                                self.need([need]);
                                continue;
                            }
                        };
                        let Some(claim) = commit.claim(step).cloned() else { continue };
                        let token = claim.callback_token.unwrap_or_default();
                        self.send(step, claim.attempt_count, callback, &token, None, "Stopping");
                    }
                }
                _ => {}
            }
        }
    }

    fn stop_retrying(&mut self, step: StepIndex, state: StepState) {
        match self.resolver().commit(state.revision) {
            Err(need) => self.need([need]),
            Ok(commit) => {
                let attempt_count = commit.attempts(step);
                let reason = "the execution was stopped before its next attempt".to_owned();
                self.push(step, Verdict::Stopped { attempt_count }, reason);
            }
        }
    }

    /// Lets what failed, was stopped or never started wait once more.
    pub(crate) fn retry(&mut self) {
        let mut attempts = BTreeMap::new();
        for step in self.pipeline.indexes() {
            let state = self.states[step.0];
            if !state.phase.is_retried() {
                continue;
            }
            match self.resolver().commit(state.revision) {
                Err(need) => self.need([need]),
                Ok(commit) => {
                    let begun = Commit::attempts(commit, step);
                    if begun > 0 {
                        attempts.insert(step, begun);
                    }
                }
            }
        }
        let revision = self.plan.commit.revision;
        for state in self.states.iter_mut().filter(|state| state.phase.is_retried()) {
            *state = StepState { phase: Phase::Waiting, revision };
        }
        self.is_stopping = false;
        self.plan.commit.retry = Some(Retry { attempts });
    }
}

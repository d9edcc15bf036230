//! Stopping an execution, and resuming one that failed or was stopped.

use std::collections::BTreeMap;

use crate::definition::{Pipeline, StepIndex, StepKind};
use crate::execution::Execution;
use crate::execution::commit::{Retry, Verdict};
use crate::execution::phase::{ExecutionStatus, Phase, StepState};
use crate::execution::start::Start;
use crate::plan::draft::Draft;
use crate::plan::readiness::failed_fail_step;
use crate::plan::resolver::{Pending, Planned};
use crate::plan::run_condition::waiting_again;

/// Why an execution cannot be stopped or resumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    #[error("it has already ended ({})", .0.name())]
    Over(ExecutionStatus),
    #[error("it is {}; only a Failed, CompletedWithFailures or Stopped one can be retried", .0.name())]
    NotRetryable(ExecutionStatus),
    #[error("it ended in a Fail step, and would end there again")]
    FailStep,
    #[error(
        "it has no steps: nothing was started. `sidestep retry` asks for it again as a new one"
    )]
    Refused,
}

/// Checks that an execution can be stopped. One that is stopping already can be.
pub fn check_stop(execution: &Execution) -> Result<(), ControlError> {
    if execution.status.is_over() { Err(ControlError::Over(execution.status)) } else { Ok(()) }
}

/// Checks that an execution can be resumed.
pub fn check_retry(
    start: &Start,
    pipeline: &Pipeline,
    execution: &Execution,
) -> Result<(), ControlError> {
    if start.refused.is_some() {
        return Err(ControlError::Refused);
    }
    if !execution.status.is_retryable() {
        return Err(ControlError::NotRetryable(execution.status));
    }
    if failed_fail_step(pipeline, &execution.steps).is_some() {
        return Err(ControlError::FailStep);
    }
    Ok(())
}

impl Draft<'_> {
    /// Stops the execution: nothing new starts from here on. Running steps go on to their end, as
    /// in SageMaker. Callback steps are told by a message, and jobs are stopped.
    pub(crate) fn stop(&mut self) {
        if self.is_stopping {
            return;
        }
        self.is_stopping = true;
        self.plan.commit.stop = true;
        for step in self.pipeline.indexes() {
            let (Ok(()) | Err(Pending)) = self.stop_step(step);
        }
    }

    fn stop_step(&mut self, step: StepIndex) -> Planned<()> {
        let StepState { phase, revision } = self.states[step.0];
        match (phase, &self.pipeline.step(step).kind) {
            (Phase::Retrying, _) => {
                let attempt_count = self.resolver().commit(revision)?.attempts(step);
                let reason = "before its next attempt".to_owned();
                self.record(step, Verdict::Stopped { attempt_count }, reason);
            }
            (Phase::Executing, StepKind::Callback(callback)) => {
                let claim = self.resolver().commit(revision)?.claim(step).cloned();
                if let Some(claim) = claim {
                    let token = claim.callback_token.unwrap_or_default();
                    self.send(step, claim.attempt_count, callback, &token, None, "Stopping");
                }
            }
            (Phase::Executing, StepKind::Job(_)) => {
                let claim = self.resolver().commit(revision)?.claim(step);
                if let Some(attempt_count) = claim.map(|claim| claim.attempt_count) {
                    self.stop_job(step, attempt_count);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Resumes the execution: what failed, was stopped or never started waits once more, and so
    /// does what ran because of that. The numbers of attempts go on.
    pub(crate) fn retry(&mut self) {
        let again = waiting_again(self.pipeline, &self.states);
        let mut attempts = BTreeMap::new();
        for step in self.pipeline.indexes() {
            let StepState { phase, revision } = self.states[step.0];
            if !phase.is_retried() && !again.contains(&step) {
                continue;
            }
            // While the commit is missing the number does not matter: the plan is made again.
            let begun = self.resolver().commit(revision).map_or(0, |it| it.attempts(step));
            if begun > 0 {
                attempts.insert(step, begun);
            }
        }
        let revision = self.plan.commit.revision;
        for (index, state) in self.states.iter_mut().enumerate() {
            if state.phase.is_retried() || again.contains(&StepIndex(index)) {
                *state = StepState { phase: Phase::Waiting, revision };
            }
        }
        self.is_stopping = false;
        self.plan.commit.retry = Some(Retry { attempts, again });
    }
}

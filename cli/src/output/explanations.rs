//! Explains why steps run: what differs from the nearest earlier run.
//!
//! The planner reads only what it needs to decide, and its reason is that no result was found. The
//! differences are computed here, when a command shows them.

use sidestep_core::definition::StepIndex;
use sidestep_core::execution::commit::Verdict;
use sidestep_core::execution::past::PastExecution;
use sidestep_core::name::ExecutionId;
use sidestep_core::view::description::ExecutionDescription;
use sidestep_core::view::explain::Explanation;
use sidestep_engine::engine::Engine;

use crate::output::error::CommandError;
use crate::session::Session;
use crate::standing::Standing;

/// Returns the steps of `this` that run, each with what differs.
pub(crate) async fn of_runs(
    engine: &Engine,
    this: &PastExecution,
) -> Result<Vec<(StepIndex, Explanation)>, CommandError> {
    let is_run = |step: &StepIndex| {
        this.decision(*step).is_some_and(|decision| matches!(decision.verdict, Verdict::Run(_)))
    };
    let runs: Vec<StepIndex> = this.pipeline.indexes().filter(is_run).collect();
    let explained = engine.explain(this, &runs, None).await?;
    Ok(runs.into_iter().zip(explained).collect())
}

/// Describes an execution, with what differs as the reason of each step that ran, and with the
/// paths of the user's files in its failures.
pub(crate) async fn describe(
    session: &Session,
    id: &ExecutionId,
) -> Result<ExecutionDescription, CommandError> {
    let engine = &session.engine;
    let mut description = engine.describe(id).await?;
    Standing::read(session)?.add_to(id, &mut description);
    let this = engine.earlier(id).await?;
    for (step, explanation) in of_runs(engine, &this).await? {
        description.steps[step.0].reason = Some(explanation.because());
    }
    for step in &mut description.steps {
        let past = step.failed_attempts.iter_mut().map(|attempt| &mut attempt.failure_reason);
        for text in past.chain(&mut step.failure_reason) {
            *text = session.sources.of_step(&this.pipeline, step.index, text).into_owned();
        }
    }
    Ok(description)
}

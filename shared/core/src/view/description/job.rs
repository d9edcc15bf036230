//! What the description of a step that is a job has beside that of others.

use serde_json::{Map, Value, json};

use crate::definition::{Step, StepType};
use crate::execution::commit::Claim;
use crate::execution::phase::Phase;
use crate::execution::start::Start;
use crate::job::JobType;

/// Returns SageMaker's metadata of a job that was asked for.
pub(super) fn metadata_of_claim(step: &Step, start: &Start, claim: &Claim) -> Option<Value> {
    let kind = JobType::of(step.step_type())?;
    let arn = kind.arn(&start.pipeline_arn, claim.job.as_ref()?);
    Some(json!({ kind.metadata: { "Arn": arn } }))
}

/// Returns SageMaker's metadata of a job that has ended, or for which an earlier one stands in.
pub(super) fn metadata_of_answer(step: &Step, answer: &Map<String, Value>) -> Option<Value> {
    let kind = JobType::of(step.step_type())?;
    Some(json!({ kind.metadata: { "Arn": answer.get(kind.arn_member)? } }))
}

/// Returns SageMaker's status of a step. A job ends after its execution was asked to stop.
pub(super) fn status(step_type: StepType, phase: Phase, is_stopping: bool) -> Option<&'static str> {
    match phase {
        Phase::Executing if is_stopping && JobType::of(step_type).is_some() => Some("Stopping"),
        phase => phase.step_status(),
    }
}

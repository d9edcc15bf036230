//! Status changes: what a commit means for people and programs that watch an execution, in the form
//! in which SageMaker tells EventBridge.
//!
//! Names and detail types are those of the SageMaker developer guide, "Amazon SageMaker AI
//! integration with Amazon EventBridge". The display name and the description of an execution are
//! not part of it: callers may change both at any time, and no commit does.

use serde_json::{Map, Value, json};

use crate::definition::{Pipeline, StepIndex, StepKind};
use crate::execution::Execution;
use crate::execution::commit::{AttemptResult, Commit, Verdict};
use crate::execution::phase::{Phase, Revision};
use crate::execution::start::Start;
use crate::plan::facts::Facts;
use crate::view::timestamp::timestamp;

/// The detail type of a change of an execution.
pub const EXECUTION: &str = "SageMaker Model Building Pipeline Execution Status Change";
/// The detail type of a change of a step.
pub const STEP: &str = "SageMaker Model Building Pipeline Execution Step Status Change";

/// One change of status.
#[derive(Debug, Clone, PartialEq)]
pub struct StatusChange {
    /// [`EXECUTION`] or [`STEP`].
    pub detail_type: &'static str,
    /// The time of the commit, in milliseconds since 1970.
    pub at_ms: u64,
    /// The identifier, which no other change has.
    pub id: String,
    /// The ARNs of the pipeline and of the execution.
    pub resources: [String; 2],
    pub detail: Value,
}

/// Returns the changes that `commit` made when it brought `before` to `after`: first those of the
/// steps in definition order, then that of the execution.
///
/// `facts` may hold the commits in which steps began. The details leave out what it does not hold.
pub fn status_changes(
    start: &Start,
    pipeline: &Pipeline,
    before: &Execution,
    after: &Execution,
    commit: &Commit,
    facts: &Facts,
) -> Vec<StatusChange> {
    let commit_changes = Changes { start, pipeline, commit, facts };
    let mut changes = Vec::new();
    if before.revision == 0 {
        changes.push(commit_changes.execution(None, before.status.name()));
    }
    for step in pipeline.indexes() {
        let (old, new) = (before.step(step), after.step(step));
        let (was, is) = (old.phase.step_status(), new.phase.step_status());
        if let Some(is) = is.filter(|is| was != Some(is)) {
            changes.push(commit_changes.step(step, (old.phase, old.revision), was, is));
        }
    }
    if before.status != after.status {
        changes.push(commit_changes.execution(Some(before.status.name()), after.status.name()));
    }
    changes
}

/// The commit, and what its changes are described with.
struct Changes<'a> {
    start: &'a Start,
    pipeline: &'a Pipeline,
    commit: &'a Commit,
    facts: &'a Facts,
}

impl Changes<'_> {
    fn change(&self, detail_type: &'static str, what: &str, detail: Value) -> StatusChange {
        let (at_ms, revision) = (self.commit.at_ms, self.commit.revision);
        let resources = [self.start.pipeline_arn.clone(), self.start.execution_arn()];
        let id = format!("{}-{revision}-{what}", self.start.execution_id);
        StatusChange { detail_type, at_ms, id, resources, detail }
    }

    fn execution(&self, was: Option<&str>, is: &str) -> StatusChange {
        let detail = json!({
            "pipelineArn": self.start.pipeline_arn,
            "pipelineExecutionArn": self.start.execution_arn(),
            "currentPipelineExecutionStatus": is,
            "previousPipelineExecutionStatus": was,
            "executionStartTime": timestamp(self.start.started_at_ms),
            "executionEndTime": self.commit.end.as_ref().filter(|_| was.is_some()).map(|_| timestamp(self.commit.at_ms)),
        });
        self.change(EXECUTION, is, present(detail))
    }

    fn step(
        &self,
        index: StepIndex,
        (phase, revision): (Phase, Revision),
        was: Option<&str>,
        is: &str,
    ) -> StatusChange {
        let step = self.pipeline.step(index);
        let verdict = self.commit.decision(index).map(|decision| &decision.verdict);
        let claimed = self.commit.claim(index).is_some();
        let began = match phase {
            Phase::Executing => self.facts.commits.get(&revision).map(|commit| commit.at_ms),
            _ => Some(self.commit.at_ms),
        };
        let is_over = !matches!(is, "Executing" | "Starting");
        let source = match verdict {
            Some(Verdict::CacheHit(hit)) => Some(&hit.source.pipeline_execution_arn),
            _ => None,
        };
        let detail = json!({
            "pipelineArn": self.start.pipeline_arn,
            "pipelineExecutionArn": self.start.execution_arn(),
            "stepName": step.name,
            "stepType": step.step_type(),
            "currentStepStatus": is,
            "previousStepStatus": was,
            "stepStartTime": began.filter(|_| claimed || is_over).map(timestamp),
            "stepEndTime": is_over.then(|| timestamp(self.commit.at_ms)),
            "cacheHitResult": source.map(|arn| json!({ "sourcePipelineExecutionArn": arn })),
            "failureReason": self.failure(index),
            "metadata": self.metadata(&step.kind, verdict),
        });
        self.change(STEP, &format!("{}-{is}", step.name), present(detail))
    }

    fn failure(&self, step: StepIndex) -> Option<&str> {
        let completed = self.commit.completion(step).map(|completion| &completion.result);
        match (completed, self.commit.decision(step).map(|decision| &decision.verdict)) {
            (Some(AttemptResult::Failed(failure)), _) | (_, Some(Verdict::Failed(failure))) => {
                Some(&failure.message)
            }
            _ => None,
        }
    }

    fn metadata(&self, kind: &StepKind, verdict: Option<&Verdict>) -> Option<Value> {
        match (kind, verdict) {
            (StepKind::Lambda(lambda), _) => {
                let function = self.start.functions.get(&lambda.function_arn)?;
                Some(json!({ "lambda": { "arn": function.invoke_arn } }))
            }
            (StepKind::Callback(callback), _) => {
                let url = callback.sqs_queue_url.resolve(&self.start.parameters);
                Some(json!({ "callback": { "sqsQueueUrl": url } }))
            }
            (StepKind::Condition { .. }, Some(Verdict::Condition(holds))) => {
                let outcome = if *holds { "True" } else { "False" };
                Some(json!({ "condition": { "outcome": outcome } }))
            }
            (StepKind::Fail { .. }, Some(Verdict::Failed(failure))) => {
                Some(json!({ "fail": { "errorMessage": failure.message } }))
            }
            _ => None,
        }
    }
}

/// Returns the detail without the members that are `null`.
fn present(detail: Value) -> Value {
    let Value::Object(members) = detail else { return detail };
    Value::Object(members.into_iter().filter(|(_, value)| !value.is_null()).collect::<Map<_, _>>())
}

//! The description of one step.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::definition::output::convert_output;
use crate::definition::{Step, StepIndex, StepType};
use crate::execution::commit::{AttemptResult, Completion, Decision, Failure, Verdict};
use crate::execution::phase::Phase;
use crate::execution::result::{Outputs, Produced, Reuse};
use crate::execution::start::Start;
use crate::uri::S3Uri;
use crate::view::description::job::{metadata_of_answer, metadata_of_claim, status};
use crate::view::timestamp::timestamp;

/// A step. `StepStatus` and times are absent if SageMaker would not list the step.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct StepDescription {
    pub step_name: String,
    pub step_type: StepType,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step_status: Option<&'static str>,
    /// The decision; absent while the step's turn has not come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How many attempts have begun; 0 for a step that was not invoked.
    pub attempt_count: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_time: Option<String>,
    /// The declared outputs by name, with their types.
    pub output_parameters: Map<String, Value>,
    /// The outcome of a Condition step: `True` or `False`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_hit_result: Option<CacheHitResult>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selective_execution_result: Option<SelectiveExecutionResult>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supplied: Option<SuppliedResult>,
    /// Steps upstream whose outputs were given by hand.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tainted_by: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    /// The stable type of the failure, with a page in `docs/errors` unless a function made it up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_type: Option<String>,
    /// Attempts that failed and were followed by another.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failed_attempts: Vec<FailedAttempt>,
    /// Attempts that ended after they were given up. Their results were discarded.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub discarded_results: Vec<DiscardedResult>,
    /// How long the function worked in this execution, or when the reused result was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    #[serde(skip)]
    pub index: StepIndex,
    #[serde(skip)]
    pub phase: Phase,
    #[serde(skip)]
    pub started_at_ms: Option<u64>,
    #[serde(skip)]
    pub ended_at_ms: Option<u64>,
    /// How long no process drove it in between, which only the caller can know.
    #[serde(skip)]
    pub interrupted_ms: u64,
    /// The ARN of the step's job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Value>,
    /// The token that the answer to a Callback step has to name.
    #[serde(skip)]
    pub callback_token: Option<String>,
}

/// The origin of a cached result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CacheHitResult {
    pub source_pipeline_execution_arn: String,
}

/// The origin of the result of a step that was not to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct SelectiveExecutionResult {
    pub source_pipeline_execution_arn: String,
}

/// An attempt that failed and was followed by another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct FailedAttempt {
    pub attempt_count: u32,
    pub failure_type: String,
    pub failure_reason: String,
    /// The time at which the next attempt was to begin; absent if the whole execution was resumed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_time: Option<String>,
}

/// The end of an attempt that had been given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DiscardedResult {
    pub attempt_count: u32,
    /// `Succeeded` or `Failed`.
    pub step_status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_type: Option<String>,
    /// The time at which the report arrived.
    pub time: String,
}

/// Outputs that were given by hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct SuppliedResult {
    pub by: String,
    pub sha256: String,
    pub output_names: Vec<String>,
}

impl StepDescription {
    pub(super) fn waiting(index: StepIndex, step: &Step) -> Self {
        Self {
            step_name: step.name.to_string(),
            step_type: step.step_type(),
            step_status: None,
            decision: None,
            reason: None,
            attempt_count: 0,
            start_time: None,
            end_time: None,
            output_parameters: Map::new(),
            outcome: None,
            cache_hit_result: None,
            selective_execution_result: None,
            supplied: None,
            tainted_by: Vec::new(),
            warnings: Vec::new(),
            failure_reason: None,
            failure_type: None,
            failed_attempts: Vec::new(),
            discarded_results: Vec::new(),
            duration_ms: None,
            index,
            phase: Phase::Waiting,
            started_at_ms: None,
            ended_at_ms: None,
            interrupted_ms: 0,
            callback_token: None,
            metadata: None,
        }
    }

    pub(super) fn complete(
        &mut self,
        completion: &Completion,
        at_ms: u64,
        step: &Step,
        documents: &BTreeMap<S3Uri, Value>,
    ) {
        self.attempt_count = completion.attempt_count;
        self.ended_at_ms = Some(at_ms);
        match &completion.result {
            AttemptResult::Succeeded(produced) => self.take(produced, step, documents),
            AttemptResult::Failed(failure) => self.fail(failure),
            AttemptResult::Retried(retried) => {
                self.ended_at_ms = None;
                self.failed_attempts.push(FailedAttempt {
                    attempt_count: completion.attempt_count,
                    failure_type: retried.failure.error_type.clone(),
                    failure_reason: retried.failure.message.clone(),
                    retry_time: Some(timestamp(retried.at_ms)),
                });
            }
        }
    }

    pub(super) fn decide(
        &mut self,
        decision: &Decision,
        at_ms: u64,
        start: &Start,
        step: &Step,
        documents: &BTreeMap<S3Uri, Value>,
    ) {
        self.reason = Some(decision.reason.clone());
        self.decision = Some(decision.verdict.decision());
        self.warnings.extend(decision.warning.clone());
        let is_listed = !matches!(
            decision.verdict,
            Verdict::Skipped | Verdict::NotStarted | Verdict::NotSelected
        );
        self.started_at_ms = self.started_at_ms.or(Some(at_ms)).filter(|_| is_listed);
        if !matches!(decision.verdict, Verdict::Run(_)) {
            self.ended_at_ms = self.started_at_ms.and(Some(at_ms));
        }
        match &decision.verdict {
            Verdict::Run(claim) => {
                self.attempt_count = claim.attempt_count;
                self.callback_token.clone_from(&claim.callback_token);
                self.metadata = metadata_of_claim(step, start, claim);
            }
            Verdict::CacheHit(hit) => {
                self.take(&hit.produced, step, documents);
                let source_pipeline_execution_arn = hit.source.pipeline_execution_arn.clone();
                self.cache_hit_result = Some(CacheHitResult { source_pipeline_execution_arn });
            }
            Verdict::Reused(reuse) => self.reuse(reuse, start, step, documents),
            Verdict::Condition(holds) => self.outcome = Some(outcome(*holds)),
            Verdict::Failed(failure) => self.fail(failure),
            Verdict::Stopped { attempt_count } => self.attempt_count = *attempt_count,
            Verdict::Skipped | Verdict::NotStarted | Verdict::NotSelected => {}
        }
    }

    fn fail(&mut self, failure: &Failure) {
        self.failure_reason = Some(failure.message.clone()).filter(|text| !text.is_empty());
        self.failure_type = Some(failure.error_type.clone());
    }

    fn reuse(
        &mut self,
        reuse: &Reuse,
        start: &Start,
        step: &Step,
        documents: &BTreeMap<S3Uri, Value>,
    ) {
        self.take(&reuse.produced, step, documents);
        self.outcome = reuse.outcome.map(outcome);
        self.selective_execution_result = reuse
            .reference
            .as_ref()
            .map(|id| SelectiveExecutionResult { source_pipeline_execution_arn: start.arn_of(id) });
        self.supplied = reuse.supplied.as_ref().map(|supplied| SuppliedResult {
            by: supplied.by.clone(),
            sha256: supplied.sha256.clone(),
            output_names: supplied.outputs.keys().cloned().collect(),
        });
    }

    /// Lets the step wait once more, because the execution is resumed. Its failure becomes history.
    pub(super) fn wait_again(&mut self, step: &Step) {
        let mut fresh = Self::waiting(self.index, step);
        fresh.attempt_count = self.attempt_count;
        fresh.failed_attempts = std::mem::take(&mut self.failed_attempts);
        if let Some(failure_type) = self.failure_type.take() {
            fresh.failed_attempts.push(FailedAttempt {
                attempt_count: self.attempt_count,
                failure_type,
                failure_reason: self.failure_reason.take().unwrap_or_default(),
                retry_time: None,
            });
        }
        *self = fresh;
    }

    fn take(&mut self, produced: &Produced, step: &Step, documents: &BTreeMap<S3Uri, Value>) {
        self.duration_ms = Some(produced.duration_ms);
        let empty = Map::new();
        let outputs = match &produced.outputs {
            Outputs::Inline(outputs) => outputs,
            Outputs::Stored(uri) => {
                let manifest = documents.get(uri);
                manifest.and_then(|document| document["Outputs"].as_object()).unwrap_or(&empty)
            }
        };
        self.metadata = metadata_of_answer(step, outputs).or(self.metadata.take());
        for declared in step.outputs() {
            let value = outputs
                .get(&declared.name)
                .and_then(|value| convert_output(value, declared.output_type).ok());
            self.output_parameters.extend(value.map(|value| (declared.name.clone(), value)));
        }
    }

    pub(super) fn finish(&mut self, phase: Phase, is_stopping: bool) {
        self.phase = phase;
        self.step_status = status(self.step_type, phase, is_stopping);
        self.start_time = self.started_at_ms.map(timestamp);
        self.end_time = self.ended_at_ms.map(timestamp);
    }
}

/// Returns the outcome of a condition in SageMaker's capitalised words.
fn outcome(holds: bool) -> &'static str {
    if holds { "True" } else { "False" }
}

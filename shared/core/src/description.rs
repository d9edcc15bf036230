//! An execution as people and programs see it: the one JSON document of `run` and `show`, with SageMaker's names.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::macros::format_description;

use crate::commit::{AttemptResult, Commit, Outputs, Produced, Verdict};
use crate::definition::{Pipeline, Step, StepIndex};
use crate::execution::{Execution, Phase};
use crate::output::convert_output;
use crate::price::invocation_usd;
use crate::start::Start;
use crate::uri::S3Uri;

/// An execution with every step of its definition.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ExecutionDescription {
    pub pipeline_name: String,
    pub pipeline_execution_arn: String,
    pub pipeline_execution_status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    pub start_time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_time: Option<String>,
    /// What started it, in words.
    pub trigger: String,
    pub pipeline_parameters: BTreeMap<String, Value>,
    pub steps: Vec<StepDescription>,
    pub summary: Summary,
}

/// A step. `StepStatus` and times are absent where SageMaker would not list the step.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct StepDescription {
    pub step_name: String,
    pub step_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step_status: Option<&'static str>,
    /// Absent while the step's turn has not come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Attempts begun; 0 for a step that was not invoked.
    pub attempt_count: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_time: Option<String>,
    /// The declared outputs by name, with their types.
    pub output_parameters: Map<String, Value>,
    /// Of a Condition step: `True` or `False`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_hit_result: Option<CacheHitResult>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    /// How long the function worked, now or when the reused result was made.
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
}

/// Where a cached result came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CacheHitResult {
    pub source_pipeline_execution_arn: String,
}

/// Steps by decision. `Run` counts invoked functions only: conditions and Fail steps cost no invocation.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Summary {
    pub run: usize,
    pub cache_hit: usize,
    pub reused: usize,
    pub skipped: usize,
    pub not_selected: usize,
    pub failed: usize,
    pub duration_ms: u64,
    /// What the functions of the reused results took when they were made.
    pub saved_ms: u64,
    /// The same at Lambda's list price.
    pub saved_usd: f64,
}

/// Describes an execution from its commits, in order. `documents` holds the manifests of outputs that are stored in S3.
pub fn describe(
    start: &Start,
    pipeline: &Pipeline,
    commits: &[Commit],
    documents: &BTreeMap<S3Uri, Value>,
    now_ms: u64,
) -> ExecutionDescription {
    let mut execution = Execution::new(pipeline.steps.len());
    let mut steps: Vec<_> = pipeline.indexes().map(|i| waiting(i, pipeline.step(i))).collect();
    let mut saved = (0, 0.0);
    for commit in commits {
        if execution.apply(commit).is_err() {
            break;
        }
        for completion in &commit.completions {
            let step = &mut steps[completion.step.0];
            step.attempt_count = completion.attempt_count;
            step.ended_at_ms = Some(commit.at_ms);
            match &completion.result {
                AttemptResult::Succeeded(produced) => {
                    step.take(produced, pipeline.step(completion.step), documents);
                }
                AttemptResult::Failed(failure) => {
                    step.failure_reason = Some(failure.message.clone());
                }
            }
        }
        for decision in &commit.decisions {
            let step = &mut steps[decision.step.0];
            step.reason = Some(decision.reason.clone());
            step.started_at_ms = step.started_at_ms.or(Some(commit.at_ms));
            match &decision.verdict {
                Verdict::Run(claim) => step.attempt_count = claim.attempt_count,
                Verdict::CacheHit(hit) => {
                    step.ended_at_ms = Some(commit.at_ms);
                    step.take(&hit.produced, pipeline.step(decision.step), documents);
                    let source_pipeline_execution_arn = hit.source.pipeline_execution_arn.clone();
                    step.cache_hit_result = Some(CacheHitResult { source_pipeline_execution_arn });
                    saved.0 += hit.produced.duration_ms;
                    saved.1 += invocation_usd(hit.produced.duration_ms, hit.memory_mb);
                }
                Verdict::Condition(holds) => {
                    step.ended_at_ms = Some(commit.at_ms);
                    step.outcome = Some(if *holds { "True" } else { "False" });
                }
                Verdict::Failed(failure) => {
                    step.ended_at_ms = Some(commit.at_ms);
                    step.failure_reason =
                        Some(failure.message.clone()).filter(|text| !text.is_empty());
                }
                Verdict::Skipped | Verdict::NotStarted => step.started_at_ms = None,
            }
        }
    }
    for (step, state) in steps.iter_mut().zip(&execution.steps) {
        step.phase = state.phase;
        step.finish();
    }
    let last = commits.iter().find(|commit| commit.end.is_some());
    let ended_at_ms = last.map(|commit| commit.at_ms);
    let count = |decision| steps.iter().filter(|step| step.decision == Some(decision)).count();
    let is_failed = |step: &&StepDescription| step.phase == Phase::Failed;
    let is_invoked = |step: &&StepDescription| step.attempt_count > 0;
    let summary = Summary {
        run: steps.iter().filter(is_invoked).count(),
        cache_hit: count("CacheHit"),
        reused: count("Reused"),
        skipped: count("Skipped"),
        not_selected: count("NotSelected"),
        failed: steps.iter().filter(is_failed).count(),
        duration_ms: ended_at_ms.unwrap_or(now_ms).saturating_sub(start.started_at_ms),
        saved_ms: saved.0,
        saved_usd: saved.1,
    };
    ExecutionDescription {
        pipeline_name: start.pipeline_name.to_string(),
        pipeline_execution_arn: start.execution_arn(),
        pipeline_execution_status: execution.status.name(),
        failure_reason: last.and_then(|commit| commit.end.clone()?.failure_reason),
        start_time: timestamp(start.started_at_ms),
        end_time: ended_at_ms.map(timestamp),
        trigger: start.trigger.clone(),
        pipeline_parameters: start
            .parameters
            .iter()
            .map(|(n, v)| (n.to_string(), v.clone()))
            .collect(),
        steps,
        summary,
    }
}

fn waiting(index: StepIndex, step: &Step) -> StepDescription {
    StepDescription {
        step_name: step.name.to_string(),
        step_type: step.step_type().to_owned(),
        step_status: None,
        decision: None,
        reason: None,
        attempt_count: 0,
        start_time: None,
        end_time: None,
        output_parameters: Map::new(),
        outcome: None,
        cache_hit_result: None,
        failure_reason: None,
        duration_ms: None,
        index,
        phase: Phase::Waiting,
        started_at_ms: None,
        ended_at_ms: None,
    }
}

impl StepDescription {
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
        for declared in step.outputs() {
            let value = outputs.get(&declared.name);
            let value = value.and_then(|value| convert_output(value, declared.output_type).ok());
            self.output_parameters.extend(value.map(|value| (declared.name.clone(), value)));
        }
    }

    fn finish(&mut self) {
        (self.step_status, self.decision) = match self.phase {
            Phase::Waiting => (None, None),
            Phase::Executing => (Some("Executing"), Some("Run")),
            Phase::Succeeded | Phase::ConditionTrue | Phase::ConditionFalse => {
                (Some("Succeeded"), Some("Run"))
            }
            Phase::CacheHit => (Some("Succeeded"), Some("CacheHit")),
            Phase::Failed => (Some("Failed"), Some("Run")),
            Phase::Skipped | Phase::NotStarted => (None, Some("Skipped")),
        };
        self.start_time = self.started_at_ms.map(timestamp);
        self.end_time = self.ended_at_ms.map(timestamp);
    }
}

/// Milliseconds since 1970 as `2026-11-23T08:57:00.123Z`.
pub fn timestamp(at_ms: u64) -> String {
    let format =
        format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at_ms) * 1_000_000).ok();
    time.and_then(|time| time.format(format).ok()).unwrap_or_default()
}

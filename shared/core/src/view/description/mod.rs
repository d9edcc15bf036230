//! Descriptions: an execution as people and programs see it. This is the one JSON document of `run`
//! and `show`, with SageMaker's names.

mod job;
mod step;

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::definition::Pipeline;
use crate::definition::graph::{Direction, Graph};
use crate::execution::commit::Commit;
use crate::execution::phase::Phase;
use crate::execution::start::Start;
use crate::execution::{Execution, ExecutionStatus};
use crate::plan::late_report::LateReport;
use crate::plan::redact::MASK;
use crate::uri::S3Uri;
use crate::view::price::savings_usd;

pub use self::step::{
    CacheHitResult, DiscardedResult, FailedAttempt, SelectiveExecutionResult, StepDescription,
    SuppliedResult,
};
pub use crate::view::timestamp::timestamp;

/// An execution with every step of its definition.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ExecutionDescription {
    pub pipeline_name: String,
    pub pipeline_execution_arn: String,
    pub pipeline_execution_status: &'static str,
    /// True if it has not ended and no process drives it, which only the caller can know.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub interrupted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    pub start_time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_time: Option<String>,
    /// What started it in words.
    pub trigger: String,
    pub pipeline_parameters: BTreeMap<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selective_execution_config: Option<SelectiveExecutionConfig>,
    pub steps: Vec<StepDescription>,
    pub summary: Summary,
    /// Milliseconds since 1970.
    #[serde(skip)]
    pub started_at_ms: u64,
    /// The time of its end, or of the description while it has not ended.
    #[serde(skip)]
    pub until_ms: u64,
    /// The time of the last commit, in milliseconds since 1970.
    #[serde(skip)]
    pub changed_at_ms: u64,
}

/// The selection, with SageMaker's names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct SelectiveExecutionConfig {
    pub selected_steps: Vec<SelectedStep>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_pipeline_execution_arn: Option<String>,
    /// The selectors as they were given.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub select: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
}

/// A member of [`SelectiveExecutionConfig::selected_steps`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct SelectedStep {
    pub step_name: String,
}

/// Counts of steps by decision. `Run` counts only invoked functions: conditions and Fail steps cost
/// no invocation.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Summary {
    pub run: usize,
    pub cache_hit: usize,
    pub reused: usize,
    pub skipped: usize,
    pub not_selected: usize,
    pub failed: usize,
    /// The time in which the execution was driven. The time between an end and a retry is left out.
    pub duration_ms: u64,
    /// The time in which it had not ended and no process drove it, which only the caller can know.
    #[serde(skip_serializing_if = "is_zero")]
    pub interrupted_ms: u64,
    /// The time that the functions of the reused results took when they were made.
    pub saved_ms: u64,
    /// The price of that time at Lambda's list price.
    pub saved_usd: f64,
}

/// Describes an execution from its commits, in order. `documents` holds the manifests of outputs
/// that are stored in S3.
pub fn describe(
    start: &Start,
    pipeline: &Pipeline,
    commits: &[Commit],
    documents: &BTreeMap<S3Uri, Value>,
    now_ms: u64,
) -> ExecutionDescription {
    let mut execution = Execution::new(pipeline.steps.len());
    let mut steps: Vec<_> =
        pipeline.indexes().map(|i| StepDescription::waiting(i, pipeline.step(i))).collect();
    for commit in commits {
        let before = execution.clone();
        if execution.apply(commit).is_err() {
            break;
        }
        if let Some(retry) = &commit.retry {
            for index in pipeline.indexes() {
                if !before.step(index).phase.is_retried() && !retry.again.contains(&index) {
                    continue;
                }
                steps[index.0].wait_again(pipeline.step(index));
            }
        }
        for completion in &commit.completions {
            let definition = pipeline.step(completion.step);
            steps[completion.step.0].complete(completion, commit.at_ms, definition, documents);
        }
        for decision in &commit.decisions {
            let definition = pipeline.step(decision.step);
            steps[decision.step.0].decide(decision, commit.at_ms, start, definition, documents);
        }
        for warning in &commit.warnings {
            steps[warning.step.0].warnings.push(warning.message.clone());
        }
    }
    for (step, state) in steps.iter_mut().zip(&execution.steps) {
        step.finish(state.phase, execution.status == ExecutionStatus::Stopping);
    }
    taint(pipeline, &mut steps);
    let is_over = execution.status.is_over();
    let last = commits.iter().rev().find(|commit| commit.end.is_some() && is_over);
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
        duration_ms: ended_at_ms
            .unwrap_or(now_ms)
            .saturating_sub(start.started_at_ms)
            .saturating_sub(rested_ms(commits)),
        interrupted_ms: 0,
        saved_ms: execution.saved.ms,
        saved_usd: savings_usd(execution.saved),
    };
    ExecutionDescription {
        pipeline_name: start.pipeline_name.to_string(),
        pipeline_execution_arn: start.execution_arn(),
        pipeline_execution_status: execution.status.name(),
        interrupted: false,
        failure_reason: last.and_then(|commit| commit.end.clone()?.failure_reason),
        start_time: timestamp(start.started_at_ms),
        end_time: ended_at_ms.map(timestamp),
        trigger: start.trigger.clone(),
        pipeline_parameters: start
            .parameters
            .iter()
            .map(|(name, value)| {
                let declared = pipeline.parameters.iter().find(|p| p.name == *name);
                let is_secret = declared.is_some_and(|parameter| parameter.no_echo);
                (name.to_string(), if is_secret { Value::from(MASK) } else { value.clone() })
            })
            .collect(),
        selective_execution_config: start.selection.as_ref().map(|selection| {
            let selected = selection.selected.iter().filter_map(|step| pipeline.steps.get(step.0));
            SelectiveExecutionConfig {
                selected_steps: selected
                    .map(|step| SelectedStep { step_name: step.name.to_string() })
                    .collect(),
                source_pipeline_execution_arn: selection.source.as_ref().map(|id| start.arn_of(id)),
                select: selection.select.clone(),
                exclude: selection.exclude.clone(),
            }
        }),
        steps,
        summary,
        started_at_ms: start.started_at_ms,
        until_ms: ended_at_ms.unwrap_or(now_ms),
        changed_at_ms: commits.last().map_or(start.started_at_ms, |commit| commit.at_ms),
    }
}

impl ExecutionDescription {
    /// Adds the reports that came after their attempts were given up.
    pub fn with_late(mut self, late: Vec<LateReport>) -> Self {
        for LateReport { step, attempt_count, at_ms, failure_type } in late {
            let Some(step) = self.steps.get_mut(step.0) else { continue };
            let step_status = if failure_type.is_some() { "Failed" } else { "Succeeded" };
            let time = timestamp(at_ms);
            let result = DiscardedResult { attempt_count, step_status, failure_type, time };
            step.discarded_results.push(result);
        }
        self
    }
}

/// Returns the time between each end of an execution and the retry that followed it.
fn rested_ms(commits: &[Commit]) -> u64 {
    let mut ended_at_ms = None;
    let mut rested_ms = 0;
    for commit in commits {
        if let Some(ended_at_ms) = ended_at_ms.take_if(|_| commit.retry.is_some()) {
            rested_ms += commit.at_ms.saturating_sub(ended_at_ms);
        }
        if commit.end.is_some() {
            ended_at_ms = Some(commit.at_ms);
        }
    }
    rested_ms
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Marks every step that has a supplied result upstream.
fn taint(pipeline: &Pipeline, steps: &mut [StepDescription]) {
    let supplied: Vec<_> =
        steps.iter().filter(|step| step.supplied.is_some()).map(|step| step.index).collect();
    if supplied.is_empty() {
        return;
    }
    let graph = Graph::new(pipeline);
    for from in supplied {
        for step in graph.reach([from], Direction::Downstream, usize::MAX) {
            if steps[step.0].step_status.is_some() {
                steps[step.0].tainted_by.push(pipeline.step(from).name.to_string());
            }
        }
    }
}

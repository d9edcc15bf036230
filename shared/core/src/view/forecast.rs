//! Forecasts: what an execution would do. These are the decisions of plans that are not written,
//! and for all other steps what their decisions depend on.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::definition::trigger::Trigger;
use crate::definition::{Pipeline, StepIndex, StepKind, StepType};
use crate::execution::Execution;
use crate::execution::commit::{Commit, Verdict};
use crate::execution::phase::Phase;
use crate::execution::start::Start;
use crate::view::price::savings_usd;

/// The forecast of a whole execution.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Forecast {
    pub pipeline_name: String,
    pub steps: Vec<StepForecast>,
    pub summary: ForecastSummary,
}

/// The forecast of a step.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct StepForecast {
    pub step_name: String,
    pub step_type: StepType,
    /// `Run CacheHit Reused Skipped NotSelected`, or `MayRun` if it depends on what other steps
    /// will write.
    pub decision: &'static str,
    pub reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
    #[serde(skip)]
    pub index: StepIndex,
    #[serde(skip)]
    pub phase: Phase,
}

/// Counts of steps by decision. As in an execution, conditions and Fail steps do not count as
/// `Run`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ForecastSummary {
    pub run: usize,
    pub may_run: usize,
    pub cache_hit: usize,
    pub reused: usize,
    pub skipped: usize,
    pub not_selected: usize,
    pub failed: usize,
    pub saved_ms: u64,
    pub saved_usd: f64,
}

/// Makes a forecast from `commits`, which were planned one after the other until nothing was left
/// to decide without running something.
pub fn forecast(
    start: &Start,
    pipeline: &Pipeline,
    execution: &Execution,
    commits: &[Commit],
) -> Forecast {
    let mut summary = ForecastSummary {
        saved_ms: execution.saved.ms,
        saved_usd: savings_usd(execution.saved),
        ..ForecastSummary::default()
    };
    let forecasts = pipeline.indexes().map(|index| {
        let decided = commits.iter().rev().find_map(|commit| commit.decision(index));
        let phase = execution.step(index).phase;
        let (decision, reason) = match decided {
            Some(decided) => (decided.verdict.decision(), decided.reason.clone()),
            None => undecided(start, pipeline, execution, index),
        };
        match decided.map(|decided| &decided.verdict) {
            None if decision == "Run" => summary.run += 1,
            None if is_function(pipeline, index) => summary.may_run += 1,
            Some(Verdict::Run(_)) => summary.run += 1,
            Some(Verdict::CacheHit(_)) => summary.cache_hit += 1,
            Some(Verdict::Reused(_)) => summary.reused += 1,
            Some(Verdict::Skipped | Verdict::NotStarted) => summary.skipped += 1,
            Some(Verdict::NotSelected) => summary.not_selected += 1,
            Some(Verdict::Failed(_)) => summary.failed += 1,
            Some(Verdict::Condition(_) | Verdict::Stopped { .. }) | None => {}
        }
        StepForecast {
            step_name: pipeline.step(index).name.to_string(),
            step_type: pipeline.step(index).step_type(),
            decision,
            reason,
            warning: decided.and_then(|decided| decided.warning.clone()),
            index,
            phase,
        }
    });
    let steps = forecasts.collect();
    Forecast { pipeline_name: start.pipeline_name.to_string(), steps, summary }
}

impl Forecast {
    /// Returns true if the execution would or might invoke a function.
    pub fn has_work(&self) -> bool {
        self.summary.run + self.summary.may_run > 0
    }
}

fn is_function(pipeline: &Pipeline, index: StepIndex) -> bool {
    !matches!(pipeline.step(index).kind, StepKind::Condition { .. } | StepKind::Fail { .. })
}

/// Returns the decision about a step that waits for others, and why.
///
/// A step that takes no cached result runs in any case, unless it may be skipped.
fn undecided(
    start: &Start,
    pipeline: &Pipeline,
    execution: &Execution,
    index: StepIndex,
) -> (&'static str, String) {
    let step = pipeline.step(index);
    let takes_no_hit = if !is_function(pipeline, index) {
        None
    } else if start.forced.contains(&index) {
        Some("forced")
    } else if step.cache.is_none() {
        Some("caching is off for this step")
    } else {
        (!start.use_cache).then_some("cached results are not used in this execution")
    };
    match takes_no_hit {
        Some(why) if !may_be_skipped(pipeline, execution, index) => ("Run", why.to_owned()),
        Some(why) => ("MayRun", format!("{why}; {}", depends_on(pipeline, execution, index))),
        None => ("MayRun", depends_on(pipeline, execution, index)),
    }
}

/// Returns true if a condition that is not decided yet may skip the step.
fn may_be_skipped(pipeline: &Pipeline, execution: &Execution, index: StepIndex) -> bool {
    let mut seen = BTreeSet::from([index]);
    let mut queue = vec![index];
    while let Some(current) = queue.pop() {
        let step = pipeline.step(current);
        let parent = step.parent.map(|parent| parent.condition);
        let is_after_failure =
            |trigger: &Trigger| matches!(trigger, Trigger::Failed | Trigger::Stopped);
        if step.when.is_some()
            || step.triggers.values().any(is_after_failure)
            || parent.is_some_and(|it| execution.step(it).phase == Phase::Waiting)
        {
            return true;
        }
        let waits = |edge: &StepIndex| execution.step(*edge).phase == Phase::Waiting;
        let edges = step.dependencies.iter().copied().chain(parent).filter(waits);
        queue.extend(edges.filter(|edge| seen.insert(*edge)));
    }
    false
}

/// Returns what the decision about a waiting step depends on: the nearest steps upstream that will
/// run, and undecided conditions.
fn depends_on(pipeline: &Pipeline, execution: &Execution, index: StepIndex) -> String {
    let (mut writers, mut conditions) = (BTreeSet::new(), BTreeSet::new());
    let mut seen = BTreeSet::from([index]);
    let mut queue = vec![index];
    while let Some(current) = queue.pop() {
        let step = pipeline.step(current);
        let parent = step.parent.map(|parent| parent.condition);
        for edge in step.dependencies.iter().copied().chain(parent) {
            match execution.step(edge).phase {
                Phase::Executing => {
                    writers.insert(edge);
                }
                Phase::Waiting if seen.insert(edge) => {
                    if matches!(pipeline.step(edge).kind, StepKind::Condition { .. }) {
                        conditions.insert(edge);
                    }
                    queue.push(edge);
                }
                _ => {}
            }
        }
    }
    let names = |steps: &BTreeSet<StepIndex>| {
        let names = steps.iter().map(|step| format!("`{}`", pipeline.step(*step).name));
        names.collect::<Vec<_>>().join(" and ")
    };
    let verb = |steps: &BTreeSet<StepIndex>| if steps.len() == 1 { "writes" } else { "write" };
    if writers.is_empty() && conditions.is_empty() {
        return "may run: an equal step runs first".to_owned();
    }
    let mut parts = Vec::new();
    if !writers.is_empty() {
        parts.push(format!("the content that {} {}", names(&writers), verb(&writers)));
    }
    if !conditions.is_empty() {
        parts.push(format!("the outcome of {}", names(&conditions)));
    }
    format!("may run: depends on {}", parts.join(", and on "))
}

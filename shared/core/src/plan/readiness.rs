//! Readiness: whether a waiting step may start. This is the one place that knows branches,
//! dependencies, trigger rules and failures.

use crate::definition::extension::{OnFailure, TriggerRule};
use crate::definition::{Branch, Parent, Pipeline, StepIndex, StepKind};
use crate::execution::phase::{Phase, StepState};

/// What a waiting step may do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Readiness {
    /// Something before it has not ended yet.
    Wait,
    Ready,
    /// It will never run because of a branch, for this reason.
    Skip(String),
    /// It will never run because of a failure, for this reason.
    Blocked(String),
}

/// Returns the readiness of a waiting step.
pub(crate) fn readiness(
    pipeline: &Pipeline,
    states: &[StepState],
    failed_fail_step: Option<StepIndex>,
    index: StepIndex,
) -> Readiness {
    let step = pipeline.step(index);
    let name = |index: StepIndex| &pipeline.step(index).name;
    if let Some(failed) = failed_fail_step {
        return Readiness::Blocked(format!("Fail step `{}` ended the execution", name(failed)));
    }
    if let Some(parent) = step.parent {
        let condition = name(parent.condition);
        match branch(states[parent.condition.0].phase, parent) {
            BranchOutcome::Taken => {}
            BranchOutcome::Undecided => return Readiness::Wait,
            BranchOutcome::NotTaken(outcome) => {
                return Readiness::Skip(format!("condition `{condition}` was {outcome}"));
            }
            BranchOutcome::Skipped => {
                return Readiness::Skip(format!("condition `{condition}` was skipped"));
            }
            BranchOutcome::NotStarted => {
                return Readiness::Blocked(format!("condition `{condition}` did not start"));
            }
            BranchOutcome::Failed => {
                let continues = pipeline.step(parent.condition).on_failure == OnFailure::Continue;
                let reason = format!("condition `{condition}` failed");
                return if continues {
                    Readiness::Skip(reason)
                } else {
                    Readiness::Blocked(reason)
                };
            }
        }
    }
    let mut ends = Ends::default();
    for dependency in &step.dependencies {
        let phase = states[dependency.0].phase;
        if !phase.is_over() {
            return Readiness::Wait;
        }
        let on_failure = pipeline.step(*dependency).on_failure;
        let trigger = step.trigger(*dependency);
        let kind = match phase {
            _ if trigger.allows_failure() && trigger.holds(phase) => &mut ends.succeeded,
            _ if trigger.allows_failure() => &mut ends.unmet,
            Phase::Failed if on_failure == OnFailure::Continue => &mut ends.tolerated,
            Phase::Failed => &mut ends.failed,
            Phase::NotStarted => &mut ends.not_started,
            Phase::Skipped | Phase::NotSelected => &mut ends.skipped,
            _ => &mut ends.succeeded,
        };
        kind.get_or_insert(*dependency);
    }
    let failure = || {
        if let Some(failed) = ends.failed {
            return Some(format!("`{}` failed", name(failed)));
        }
        let blocked = ends.not_started?;
        let upstream = upstream(pipeline, blocked);
        Some(match first_failed(pipeline, states, upstream.into_iter()) {
            Some(first) => {
                format!("`{}` failed, so `{}` did not start", name(first), name(blocked))
            }
            None => format!("`{}` did not start", name(blocked)),
        })
    };
    let absence = || {
        if let Some(unmet) = ends.unmet {
            let ended = how_it_ended(states[unmet.0].phase);
            let trigger = step.trigger(unmet).name();
            return Some(format!("`{}` {ended}, and its trigger is `{trigger}`", name(unmet)));
        }
        let tolerated = ends.tolerated.map(|step| format!("`{}` failed, as it may", name(step)));
        tolerated.or_else(|| Some(format!("`{}` was skipped", name(ends.skipped?))))
    };
    match step.trigger_rule {
        TriggerRule::AllDone => Readiness::Ready,
        TriggerRule::AllSucceeded => match (failure(), absence()) {
            (Some(reason), _) => Readiness::Blocked(reason),
            (None, Some(reason)) => Readiness::Skip(reason),
            (None, None) => Readiness::Ready,
        },
        TriggerRule::NoneFailed => failure().map_or(Readiness::Ready, Readiness::Blocked),
        TriggerRule::AnySucceeded => {
            if ends.succeeded.is_some() || step.dependencies.is_empty() {
                return Readiness::Ready;
            }
            match (failure(), absence()) {
                (Some(reason), _) => Readiness::Blocked(format!("none succeeded: {reason}")),
                (None, reason) => {
                    Readiness::Skip(format!("none succeeded: {}", reason.unwrap_or_default()))
                }
            }
        }
    }
}

/// The first dependency of each way to end.
#[derive(Debug, Default)]
struct Ends {
    succeeded: Option<StepIndex>,
    failed: Option<StepIndex>,
    /// It failed, with `OnFailure: Continue`.
    tolerated: Option<StepIndex>,
    not_started: Option<StepIndex>,
    skipped: Option<StepIndex>,
    /// Its trigger does not hold.
    unmet: Option<StepIndex>,
}

/// Returns how a step ended whose trigger does not hold.
fn how_it_ended(phase: Phase) -> &'static str {
    match phase {
        Phase::Failed => "failed",
        Phase::NotStarted => "did not start",
        Phase::Skipped => "was skipped",
        Phase::NotSelected => "was not selected",
        Phase::Stopped => "was stopped",
        _ => "succeeded",
    }
}

/// Returns the step of `among` that failed first. Steps with `OnFailure: Continue` do not count.
pub(crate) fn first_failed(
    pipeline: &Pipeline,
    states: &[StepState],
    among: impl Iterator<Item = StepIndex>,
) -> Option<StepIndex> {
    let failed = among.filter(|index| counts_as_failed(pipeline, states, *index));
    failed.min_by_key(|index| (states[index.0].revision, *index))
}

/// Returns true if the step failed and may not fail.
pub(crate) fn counts_as_failed(
    pipeline: &Pipeline,
    states: &[StepState],
    index: StepIndex,
) -> bool {
    let is_failed = states[index.0].phase == Phase::Failed;
    is_failed && pipeline.step(index).on_failure == OnFailure::Fail
}

/// Returns `from` and everything upstream of it, nearest first.
pub(crate) fn upstream(pipeline: &Pipeline, from: StepIndex) -> Vec<StepIndex> {
    let mut is_found = vec![false; pipeline.steps.len()];
    let mut found = vec![from];
    let mut next = 0;
    while let Some(step) = found.get(next).map(|index| pipeline.step(*index)) {
        let edges = step.dependencies.iter().copied();
        for edge in edges.chain(step.parent.map(|parent| parent.condition)) {
            if !std::mem::replace(&mut is_found[edge.0], true) {
                found.push(edge);
            }
        }
        next += 1;
    }
    found
}

/// What the state of a condition means for a step in one of its branches.
enum BranchOutcome {
    Taken,
    /// The condition was this, so the other branch was taken.
    NotTaken(&'static str),
    Undecided,
    Skipped,
    Failed,
    /// Something failed before the condition, so it did not start.
    NotStarted,
}

fn branch(condition: Phase, parent: Parent) -> BranchOutcome {
    use BranchOutcome::{Failed, NotStarted, NotTaken, Skipped, Taken, Undecided};
    match (condition, parent.branch) {
        (Phase::ConditionTrue, Branch::If) | (Phase::ConditionFalse, Branch::Else) => Taken,
        (Phase::ConditionTrue, Branch::Else) => NotTaken("true"),
        (Phase::ConditionFalse, Branch::If) => NotTaken("false"),
        (Phase::Skipped | Phase::NotSelected, _) => Skipped,
        (Phase::Waiting | Phase::Executing, _) => Undecided,
        (Phase::NotStarted, _) => NotStarted,
        _ => Failed,
    }
}

/// Returns a Fail step that was reached. After it nothing new starts.
pub(crate) fn failed_fail_step(pipeline: &Pipeline, states: &[StepState]) -> Option<StepIndex> {
    pipeline.indexes().find(|index| {
        let is_fail = matches!(pipeline.step(*index).kind, StepKind::Fail { .. });
        is_fail && states[index.0].phase == Phase::Failed
    })
}

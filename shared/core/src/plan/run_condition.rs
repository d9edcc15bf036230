//! Run conditions: which steps start because others failed, and what that means for the execution.

use std::collections::BTreeSet;

use crate::definition::trigger::Trigger;
use crate::definition::{Pipeline, StepIndex};
use crate::execution::phase::{Phase, StepState};
use crate::plan::readiness::upstream;

/// Returns true if a step ran because of the failure of each of `failed`.
///
/// A step follows up a failure if it ran although the failed step is behind one of its triggers:
/// directly, or before a step that did not start because of it.
pub(crate) fn are_followed_up(
    pipeline: &Pipeline,
    states: &[StepState],
    failed: &[StepIndex],
) -> bool {
    let mut followed_up = BTreeSet::new();
    for (index, step) in pipeline.steps.iter().enumerate() {
        if step.triggers.is_empty() || !has_run(states[index].phase) {
            continue;
        }
        for (dependency, trigger) in &step.triggers {
            match (states[dependency.0].phase, trigger) {
                (Phase::Failed, _) => drop(followed_up.insert(*dependency)),
                (Phase::NotStarted, Trigger::Any) => {
                    followed_up.extend(upstream(pipeline, *dependency));
                }
                _ => {}
            }
        }
    }
    failed.iter().all(|step| followed_up.contains(step))
}

/// Returns the steps that wait again when an execution is resumed, although they succeeded: they
/// ran because other steps had failed, which are tried again, and what follows from them.
pub(crate) fn waiting_again(pipeline: &Pipeline, states: &[StepState]) -> BTreeSet<StepIndex> {
    let mut again = BTreeSet::new();
    for index in &pipeline.topological_order {
        let step = pipeline.step(*index);
        if !states[index.0].phase.has_succeeded() {
            continue;
        }
        let is_retried = |edge: &StepIndex| {
            step.trigger(*edge).allows_failure() && states[edge.0].phase.is_retried()
        };
        let parent = step.parent.map(|parent| parent.condition);
        let mut edges = step.dependencies.iter().chain(&parent);
        if edges.any(|edge| again.contains(edge) || is_retried(edge)) {
            again.insert(*index);
        }
    }
    again
}

/// Returns true if the step did something, whether it succeeded or not.
fn has_run(phase: Phase) -> bool {
    matches!(
        phase,
        Phase::Succeeded
            | Phase::CacheHit
            | Phase::Failed
            | Phase::ConditionTrue
            | Phase::ConditionFalse
    )
}

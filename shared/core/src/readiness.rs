//! Whether a waiting step's turn has come.
//!
//! A step waits until all it depends on is over, and only then is decided: so what becomes of it does not depend on the order in which its
//! dependencies end. All must have succeeded (SageMaker's AND rule); a skipped one skips it, a failed one keeps it from starting.

use crate::definition::{Branch, Parent, Pipeline, StepIndex, StepKind};
use crate::execution::{Phase, StepState};

/// What a waiting step may do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Readiness {
    Wait,
    Ready,
    /// It will never run because of a branch; the reason in words.
    Skip(String),
    /// It will never run because of a failure; the reason in words.
    Never(String),
}

/// The readiness of a waiting step.
pub(crate) fn readiness(pipeline: &Pipeline, states: &[StepState], index: StepIndex) -> Readiness {
    let step = pipeline.step(index);
    let name = |index: StepIndex| &pipeline.step(index).name;
    if let Some(fired) = fired_fail_step(pipeline, states) {
        return Readiness::Never(format!("Fail step `{}` ended the execution", name(fired)));
    }
    if let Some(parent) = step.parent {
        match branch(states[parent.condition.0].phase, parent) {
            Taken::Yes => {}
            Taken::NotYet => return Readiness::Wait,
            Taken::No(outcome) => {
                return Readiness::Skip(format!(
                    "condition `{}` was {outcome}",
                    name(parent.condition)
                ));
            }
            Taken::Skipped => {
                return Readiness::Skip(format!(
                    "condition `{}` was skipped",
                    name(parent.condition)
                ));
            }
            Taken::Failed => {
                return Readiness::Never(format!("condition `{}` failed", name(parent.condition)));
            }
        }
    }
    let phase = |index: &&StepIndex| states[index.0].phase;
    if step.dependencies.iter().any(|dependency| !phase(&dependency).is_over()) {
        return Readiness::Wait;
    }
    if let Some(failed) = step.dependencies.iter().find(|index| phase(index) == Phase::Failed) {
        return Readiness::Never(format!("`{}` failed", name(*failed)));
    }
    if let Some(blocked) = step.dependencies.iter().find(|index| phase(index) == Phase::NotStarted)
    {
        return Readiness::Never(format!("`{}` did not start", name(*blocked)));
    }
    if let Some(skipped) = step.dependencies.iter().find(|index| phase(index) == Phase::Skipped) {
        return Readiness::Skip(format!("`{}` was skipped", name(*skipped)));
    }
    Readiness::Ready
}

enum Taken {
    Yes,
    NotYet,
    No(&'static str),
    Skipped,
    Failed,
}

fn branch(condition: Phase, parent: Parent) -> Taken {
    match (condition, parent.branch) {
        (Phase::ConditionTrue, Branch::If) | (Phase::ConditionFalse, Branch::Else) => Taken::Yes,
        (Phase::ConditionTrue, Branch::Else) => Taken::No("true"),
        (Phase::ConditionFalse, Branch::If) => Taken::No("false"),
        (Phase::Skipped, _) => Taken::Skipped,
        (Phase::Waiting | Phase::Executing, _) => Taken::NotYet,
        _ => Taken::Failed,
    }
}

/// A Fail step that has been reached: after it nothing new starts.
fn fired_fail_step(pipeline: &Pipeline, states: &[StepState]) -> Option<StepIndex> {
    pipeline.indexes().find(|index| {
        let is_fail = matches!(pipeline.step(*index).kind, StepKind::Fail { .. });
        is_fail && states[index.0].phase == Phase::Failed
    })
}

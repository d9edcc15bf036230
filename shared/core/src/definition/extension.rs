//! The keys of a step that sidestep adds to SageMaker's (`docs/definition.md`).

use crate::definition::condition::Condition;

/// `TriggerRule`: how the dependencies of a step must have ended for it to start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TriggerRule {
    /// All have succeeded. SageMaker's rule.
    #[default]
    AllSucceeded,
    /// All have ended and at least one has succeeded. Joins the branches of a condition.
    AnySucceeded,
    /// All have ended and none has failed. Skipped ones do not matter.
    NoneFailed,
    /// All have ended, in whatever way. Cleans up after a failure.
    AllDone,
}

impl TriggerRule {
    pub const ALL: [(&'static str, Self); 4] = [
        ("AllSucceeded", Self::AllSucceeded),
        ("AnySucceeded", Self::AnySucceeded),
        ("NoneFailed", Self::NoneFailed),
        ("AllDone", Self::AllDone),
    ];
}

/// `OnFailure`: the effect of a failed step on the rest of the execution.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// The execution fails, and dependent steps do not start. SageMaker's behaviour.
    #[default]
    Fail,
    /// The execution can still succeed. For dependent steps this step counts as skipped.
    Continue,
}

impl OnFailure {
    pub const ALL: [(&'static str, Self); 2] = [("Fail", Self::Fail), ("Continue", Self::Continue)];
}

/// `When`: the step runs only if all conditions hold.
#[derive(Debug, Clone, PartialEq)]
pub struct When {
    pub conditions: Vec<Condition>,
    pub otherwise: Otherwise,
}

/// `When.Else`: what happens to a step whose conditions do not hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Otherwise {
    #[default]
    Skip,
    /// The step gets the outputs of the source execution, or of the last one that succeeded.
    Reuse,
}

impl When {
    /// Returns true if the step's decision needs an earlier execution.
    pub fn looks_back(&self) -> bool {
        self.otherwise == Otherwise::Reuse || self.conditions.iter().any(Condition::looks_back)
    }
}

impl Otherwise {
    pub const ALL: [(&'static str, Self); 2] = [("Skip", Self::Skip), ("Reuse", Self::Reuse)];
}

/// `CacheConfig.Scope`: the pipelines that share a cached result.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CacheScope {
    /// All pipelines of a deployment.
    #[default]
    Deployment,
    /// Executions of the same pipeline only, by its name.
    Pipeline,
}

impl CacheScope {
    pub const ALL: [(&'static str, Self); 2] =
        [("Deployment", Self::Deployment), ("Pipeline", Self::Pipeline)];
}

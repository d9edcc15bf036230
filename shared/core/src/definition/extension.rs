//! What sidestep adds to SageMaker's keys of a step (`docs/definition.md`).

use crate::definition::condition::Condition;

/// `TriggerRule`: when a step starts, given how its dependencies ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TriggerRule {
    /// All succeeded; SageMaker's rule.
    #[default]
    AllSucceeded,
    /// All have ended and at least one succeeded: rejoins after a branch.
    AnySucceeded,
    /// All have ended and none failed; skipped ones do not matter.
    NoneFailed,
    /// All have ended, however: cleans up after a failure.
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

/// `OnFailure`: what a failed step does to the rest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// It fails the execution, and what waits for it does not start; SageMaker's behaviour.
    #[default]
    Fail,
    /// The execution may still succeed; to what waits for it the step counts as skipped.
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

/// `When.Else`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Otherwise {
    #[default]
    Skip,
    /// Take the outputs of the source execution, or of the last one that succeeded.
    Reuse,
}

impl Otherwise {
    pub const ALL: [(&'static str, Self); 2] = [("Skip", Self::Skip), ("Reuse", Self::Reuse)];
}

/// `CacheConfig.Scope`: who shares an entry.
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

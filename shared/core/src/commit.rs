//! The journal of an execution: commit `N` is what changed at revision `N`, written once and never edited.
//!
//! Creating commit `N` *is* the decision: the store accepts one record per revision, so of two planners that decide at the same time one
//! wins and the other finds the winner's record, folds it and decides again. `HEAD` is the fold of the commits and only saves
//! reading them all (ADR 0001).

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::cache_key::{CacheKey, KeyParts};
use crate::definition::StepIndex;
use crate::execution::Phase;
use crate::manifest::Artifact;
use crate::name::{ExecutionId, StepName};
use crate::uri::S3Uri;

/// Counts the commits of an execution; the first is 1, and 0 stands for "before the first".
pub type Revision = u32;

/// One atomic change of an execution.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Commit {
    pub revision: Revision,
    /// When it was decided, in milliseconds since 1970, by the planner's clock.
    pub at_ms: u64,
    /// Attempts that ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub completions: Vec<Completion>,
    /// Steps that were decided, in the order in which the planner came to them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub decisions: Vec<Decision>,
    /// Set by the last commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<End>,
}

/// How an execution ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct End {
    /// The reason, when it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
}

/// The accepted end of an attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Completion {
    pub step: StepIndex,
    pub attempt_count: u32,
    pub result: AttemptResult,
}

/// What an attempt came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum AttemptResult {
    Succeeded(Produced),
    Failed(Failure),
}

/// Why a step failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Failure {
    /// Stable, such as `Sidestep.Timeout`, or the function's own.
    pub error_type: String,
    pub message: String,
}

/// What a successful attempt left behind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Produced {
    pub outputs: Outputs,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<Artifact>,
    /// How long the function worked.
    pub duration_ms: u64,
}

/// The JSON object that a function returned, undeclared keys included.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Outputs {
    /// Up to [`crate::limits::INLINE_OUTPUT_BYTES`].
    Inline(Map<String, Value>),
    /// In the manifest at this place.
    Stored(S3Uri),
}

/// What the planner decided about a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Decision {
    pub step: StepIndex,
    pub verdict: Verdict,
    /// In words, for people.
    pub reason: String,
}

impl AttemptResult {
    /// The phase that a step enters with this result.
    pub fn phase(&self) -> Phase {
        match self {
            Self::Succeeded(_) => Phase::Succeeded,
            Self::Failed(_) => Phase::Failed,
        }
    }
}

impl Verdict {
    /// The phase that a step enters with this verdict.
    pub fn phase(&self) -> Phase {
        match self {
            Self::Run(_) => Phase::Executing,
            Self::CacheHit(_) => Phase::CacheHit,
            Self::Condition(true) => Phase::ConditionTrue,
            Self::Condition(false) => Phase::ConditionFalse,
            Self::Failed(_) => Phase::Failed,
            Self::Skipped => Phase::Skipped,
            Self::NotStarted => Phase::NotStarted,
        }
    }
}

/// The kinds of decision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Verdict {
    /// Invoke it: an attempt begins, and with it the claim on the step.
    Run(Claim),
    /// An equal step succeeded before.
    CacheHit(Hit),
    /// A condition was evaluated.
    Condition(bool),
    /// It ended without being invoked: a Fail step fired, or the arguments could not be resolved.
    Failed(Failure),
    /// It will not run: its branch was not taken, or it waits for a step that was skipped.
    Skipped,
    /// It will not run because something failed.
    NotStarted,
}

/// An attempt that begins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Claim {
    pub attempt_count: u32,
    /// After this time, in milliseconds since 1970, the attempt may be taken for lost.
    pub lease_until_ms: u64,
    /// Where a success is published; absent when the step is not cached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<KeyParts>,
}

/// A cache entry that was found, copied so that the execution keeps it when the entry goes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Hit {
    pub key: CacheKey,
    pub source: Source,
    pub produced: Produced,
    pub memory_mb: u32,
}

/// Where a reused result was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Source {
    pub pipeline_execution_arn: String,
    pub execution_id: ExecutionId,
    pub step_name: StepName,
}

/// An entry of the cache index.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CacheEntry {
    pub parts: KeyParts,
    pub source: Source,
    pub produced: Produced,
    pub memory_mb: u32,
    /// When the step succeeded, in milliseconds since 1970: `ExpireAfter` counts from here.
    pub created_at_ms: u64,
}

impl CacheEntry {
    pub fn key(&self) -> CacheKey {
        self.parts.key()
    }

    pub fn is_expired(&self, now_ms: u64, expire_after: Option<Duration>) -> bool {
        let age = Duration::from_millis(now_ms.saturating_sub(self.created_at_ms));
        expire_after.is_some_and(|limit| age >= limit)
    }
}

impl Commit {
    pub fn new(revision: Revision, at_ms: u64) -> Self {
        Self { revision, at_ms, completions: Vec::new(), decisions: Vec::new(), end: None }
    }

    /// Whether this changes nothing and need not be written.
    pub fn is_empty(&self) -> bool {
        self.completions.is_empty() && self.decisions.is_empty() && self.end.is_none()
    }

    /// What `step` produced, if this commit is where it succeeded.
    pub fn produced(&self, step: StepIndex) -> Option<&Produced> {
        let completed = self.completions.iter().find_map(|completion| match &completion.result {
            AttemptResult::Succeeded(produced) if completion.step == step => Some(produced),
            _ => None,
        });
        completed.or_else(|| {
            self.decisions.iter().find_map(|decision| match &decision.verdict {
                Verdict::CacheHit(hit) if decision.step == step => Some(&hit.produced),
                _ => None,
            })
        })
    }

    /// The claim on `step`, if this commit is where its attempt began.
    pub fn claim(&self, step: StepIndex) -> Option<&Claim> {
        self.decisions.iter().find_map(|decision| match &decision.verdict {
            Verdict::Run(claim) if decision.step == step => Some(claim),
            _ => None,
        })
    }

    /// Why `step` failed, if this commit is where it did.
    pub fn failure(&self, step: StepIndex) -> Option<&Failure> {
        let reported = self.completions.iter().find_map(|completion| match &completion.result {
            AttemptResult::Failed(failure) if completion.step == step => Some(failure),
            _ => None,
        });
        reported.or_else(|| {
            self.decisions.iter().find_map(|decision| match &decision.verdict {
                Verdict::Failed(failure) if decision.step == step => Some(failure),
                _ => None,
            })
        })
    }
}

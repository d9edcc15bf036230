//! The journal of an execution: commit `N` is what changed at revision `N`, written once and never
//! edited.
//!
//! Creating commit `N` *is* the decision. The store accepts one record per revision, so of two
//! planners that decide at the same time one wins. The other finds the winner's record, folds it
//! and decides again. `HEAD` is the fold of the commits, and only saves reading them all (ADR
//! 0001).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::cache::key::KeyParts;
use crate::definition::StepIndex;
use crate::execution::inputs::Inputs;
use crate::execution::phase::Phase;
use crate::failure::FailureType;

pub use crate::execution::phase::Revision;
pub use crate::execution::result::{CacheEntry, Hit, Outputs, Produced, Reuse, Source, Supplied};

/// One atomic change of an execution.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Commit {
    pub revision: Revision,
    /// The time of the decision by the planner's clock, in milliseconds since 1970.
    pub at_ms: u64,
    /// Attempts that ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub completions: Vec<Completion>,
    /// What deserves attention about results.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
    /// Decisions about steps, in the order in which the planner came to them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub decisions: Vec<Decision>,
    /// The user asked for a stop: nothing new starts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stop: bool,
    /// The execution is resumed: what failed, was stopped or never started waits once more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// The end of the execution; set by the last commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<End>,
}

/// What an execution keeps when it is resumed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Retry {
    /// How many attempts have begun of each step that waits again. Their numbers go on, because
    /// every attempt has a place of its own in S3.
    pub attempts: BTreeMap<StepIndex, u32>,
    /// The steps that wait again although they succeeded, because they ran after a failure.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub again: BTreeSet<StepIndex>,
}

/// Something about a step that deserves attention, but is not an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Warning {
    pub step: StepIndex,
    pub message: String,
}

/// The end of an execution.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct End {
    /// The reason, if it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    /// It was stopped, and nothing failed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stopped: bool,
    /// A step ran because of each failure: it is `CompletedWithFailures`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub followed_up: bool,
}

/// The accepted end of an attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Completion {
    pub step: StepIndex,
    pub attempt_count: u32,
    pub result: AttemptResult,
}

/// The result of an attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum AttemptResult {
    Succeeded(Produced),
    Failed(Failure),
    /// It failed, and another attempt follows.
    Retried(Box<Retried>),
}

/// An attempt that failed and is followed by another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Retried {
    pub failure: Failure,
    /// The time at which the next attempt begins, in milliseconds since 1970.
    pub at_ms: u64,
    /// The claim of the attempt that failed.
    pub claim: Claim,
}

/// The reason why a step failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Failure {
    /// A stable type such as `Sidestep.Timeout`, or one of the function's own.
    pub error_type: String,
    pub message: String,
}

impl Failure {
    /// Makes a failure with one of sidestep's own types.
    pub fn new(failure_type: FailureType, message: impl Into<String>) -> Self {
        Self { error_type: failure_type.into(), message: message.into() }
    }

    /// Returns the type if it is one of sidestep's own, and `None` for a user function's.
    pub fn failure_type(&self) -> Option<FailureType> {
        FailureType::parse(&self.error_type)
    }
}

/// A decision of the planner about a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Decision {
    pub step: StepIndex,
    pub verdict: Verdict,
    /// The reason in words, for people.
    pub reason: String,
    /// What deserves attention, although it is not an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
    /// The digests behind the values of the step's `Changed` conditions, by the values' text. A
    /// later execution compares with them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub observed: BTreeMap<String, String>,
    /// How many attempts had begun, for a step that does not begin another now. Their numbers stay
    /// used if it runs again.
    #[serde(default, rename = "Begun", skip_serializing_if = "is_zero")]
    pub attempts_begun: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl Decision {
    pub fn new(step: StepIndex, verdict: Verdict, reason: String) -> Self {
        Self { step, verdict, reason, warning: None, observed: BTreeMap::new(), attempts_begun: 0 }
    }
}

impl AttemptResult {
    /// Returns the phase that a step enters with this result.
    pub fn phase(&self) -> Phase {
        match self {
            Self::Succeeded(_) => Phase::Succeeded,
            Self::Failed(_) => Phase::Failed,
            Self::Retried(_) => Phase::Retrying,
        }
    }
}

impl Verdict {
    /// Returns the word that people and programs see.
    pub fn decision(&self) -> &'static str {
        match self {
            Self::Run(_) | Self::Condition(_) | Self::Failed(_) | Self::Stopped { .. } => "Run",
            Self::CacheHit(_) => "CacheHit",
            Self::Reused(_) => "Reused",
            Self::NotSelected => "NotSelected",
            Self::Skipped | Self::NotStarted => "Skipped",
        }
    }

    /// Returns the phase that a step enters with this verdict.
    pub fn phase(&self) -> Phase {
        match self {
            Self::Run(_) => Phase::Executing,
            Self::CacheHit(_) => Phase::CacheHit,
            Self::Reused(Reuse { outcome: None, .. }) => Phase::Reused,
            Self::NotSelected => Phase::NotSelected,
            Self::Condition(true) | Self::Reused(Reuse { outcome: Some(true), .. }) => {
                Phase::ConditionTrue
            }
            Self::Condition(false) | Self::Reused(Reuse { outcome: Some(false), .. }) => {
                Phase::ConditionFalse
            }
            Self::Failed(_) => Phase::Failed,
            Self::Skipped => Phase::Skipped,
            Self::NotStarted => Phase::NotStarted,
            Self::Stopped { .. } => Phase::Stopped,
        }
    }
}

/// What was decided about a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Verdict {
    /// It runs: an attempt begins, and with it the claim on the step.
    Run(Claim),
    /// An equal step succeeded before.
    CacheHit(Hit),
    /// It is not selected, or its `When` does not hold. An earlier result, or one given by hand,
    /// stands in.
    Reused(Reuse),
    /// It is not selected, and nothing that is selected needs it.
    NotSelected,
    /// A condition was evaluated.
    Condition(bool),
    /// It failed without being invoked: it is a Fail step, or its arguments could not be resolved.
    Failed(Failure),
    /// It will not run, because its branch was not taken or a step that it depends on was skipped.
    Skipped,
    /// It will not run, because something failed.
    NotStarted,
    /// It was about to be tried again when the execution was stopped.
    Stopped { attempt_count: u32 },
}

/// An attempt that begins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Claim {
    pub attempt_count: u32,
    /// The time after which the attempt may count as lost, in milliseconds since 1970.
    pub lease_until_ms: u64,
    /// The time at which the step's first attempt began.
    #[serde(default)]
    pub started_at_ms: u64,
    /// The time at which the attempt's `TimeoutSeconds` are over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_ms: Option<u64>,
    /// The token that the answer to a Callback step has to name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback_token: Option<String>,
    /// The name of the attempt's job; absent if the step is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// The key under which a success is published; absent if the step is not cached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<KeyParts>,
    /// The places whose content the key holds.
    #[serde(default, skip_serializing_if = "Inputs::is_empty")]
    pub inputs: Inputs,
}

/// A claim, with the number and time of its commit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Claimed {
    pub revision: Revision,
    pub at_ms: u64,
    pub claim: Claim,
}

impl Claimed {
    /// Returns the claim that `commit` makes on `step`.
    pub fn of(commit: &Commit, step: StepIndex) -> Option<Self> {
        let claim = commit.claim(step)?.clone();
        Some(Self { revision: commit.revision, at_ms: commit.at_ms, claim })
    }
}

impl Commit {
    pub fn new(revision: Revision, at_ms: u64) -> Self {
        Self {
            revision,
            at_ms,
            completions: Vec::new(),
            warnings: Vec::new(),
            stop: false,
            retry: None,
            decisions: Vec::new(),
            end: None,
        }
    }

    /// Returns true if the commit changes nothing and need not be written.
    pub fn is_empty(&self) -> bool {
        self.completions.is_empty()
            && self.decisions.is_empty()
            && self.end.is_none()
            && self.retry.is_none()
            && !self.stop
    }

    /// Returns what `step` produced, if it succeeded with this commit.
    pub fn produced(&self, step: StepIndex) -> Option<&Produced> {
        let completed = self.completions.iter().find_map(|completion| match &completion.result {
            AttemptResult::Succeeded(produced) if completion.step == step => Some(produced),
            _ => None,
        });
        completed.or_else(|| {
            self.decisions.iter().find_map(|decision| match &decision.verdict {
                Verdict::CacheHit(hit) if decision.step == step => Some(&hit.produced),
                Verdict::Reused(reuse) if decision.step == step => Some(&reuse.produced),
                _ => None,
            })
        })
    }

    /// Returns the decision about `step`, if this commit holds one.
    pub fn decision(&self, step: StepIndex) -> Option<&Decision> {
        self.decisions.iter().rev().find(|decision| decision.step == step)
    }

    /// Returns the claim on `step`, if an attempt began with this commit.
    pub fn claim(&self, step: StepIndex) -> Option<&Claim> {
        self.decisions.iter().find_map(|decision| match &decision.verdict {
            Verdict::Run(claim) if decision.step == step => Some(claim),
            _ => None,
        })
    }

    /// Returns the end of an attempt of `step`, if this commit holds one.
    pub fn completion(&self, step: StepIndex) -> Option<&Completion> {
        self.completions.iter().find(|completion| completion.step == step)
    }

    /// Returns how many attempts of `step` had begun with this commit, and 0 if it does not mention
    /// the step. The number only grows from commit to commit.
    pub fn attempts(&self, step: StepIndex) -> u32 {
        let completed = self.completion(step).map(|completion| completion.attempt_count);
        let decided = self.decision(step).map(|decision| match &decision.verdict {
            Verdict::Stopped { attempt_count } => *attempt_count,
            Verdict::Run(claim) => claim.attempt_count,
            _ => decision.attempts_begun,
        });
        let kept = self.retry.as_ref().and_then(|retry| retry.attempts.get(&step).copied());
        completed.max(kept).max(decided).unwrap_or_default()
    }

    /// Returns why `step` failed, if it failed with this commit.
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

//! The status of an execution, and the phases of its steps.

use serde::{Deserialize, Serialize};

/// The number of a commit. The first is 1, and 0 stands for "before the first".
pub type Revision = u32;

/// The status of an execution, in SageMaker's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExecutionStatus {
    Executing,
    Stopping,
    Stopped,
    Failed,
    /// Steps failed, and others ran because of that.
    CompletedWithFailures,
    Succeeded,
}

impl ExecutionStatus {
    pub fn is_over(self) -> bool {
        !matches!(self, Self::Executing | Self::Stopping)
    }

    /// Returns true if a step failed that may not fail.
    pub fn has_failures(self) -> bool {
        matches!(self, Self::Failed | Self::CompletedWithFailures)
    }

    /// Returns true if the execution has ended and can be resumed.
    pub fn is_retryable(self) -> bool {
        self.has_failures() || self == Self::Stopped
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Executing => "Executing",
            Self::Stopping => "Stopping",
            Self::Stopped => "Stopped",
            Self::Failed => "Failed",
            Self::CompletedWithFailures => "CompletedWithFailures",
            Self::Succeeded => "Succeeded",
        }
    }
}

/// The phase of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Its turn has not come yet.
    Waiting,
    /// An attempt is claimed.
    Executing,
    /// An attempt failed, and another follows after a delay.
    Retrying,
    /// Its function succeeded.
    Succeeded,
    /// A cached result of an equal step stands in.
    CacheHit,
    /// An earlier result stands in, because the step is not to run.
    Reused,
    /// It is not selected and not needed.
    NotSelected,
    /// It is a condition that held.
    ConditionTrue,
    /// It is a condition that did not hold.
    ConditionFalse,
    Failed,
    /// It did not run because of a branch.
    Skipped,
    /// It did not run because of a failure.
    NotStarted,
    /// It was to be tried again when the execution was stopped.
    Stopped,
}

impl Phase {
    pub(crate) const CODES: [(Self, u8); 13] = [
        (Self::Waiting, b'-'),
        (Self::Executing, b'x'),
        (Self::Retrying, b'y'),
        (Self::Stopped, b'p'),
        (Self::Succeeded, b's'),
        (Self::CacheHit, b'c'),
        (Self::Reused, b'r'),
        (Self::NotSelected, b'o'),
        (Self::ConditionTrue, b't'),
        (Self::ConditionFalse, b'e'),
        (Self::Failed, b'f'),
        (Self::Skipped, b'k'),
        (Self::NotStarted, b'n'),
    ];

    /// Returns true if the step has ended with outputs or an outcome that other steps may read.
    pub fn has_succeeded(self) -> bool {
        use Phase::{CacheHit, ConditionFalse, ConditionTrue, Reused, Succeeded};
        matches!(self, Succeeded | CacheHit | Reused | ConditionTrue | ConditionFalse)
    }

    /// Returns SageMaker's status of the step, and `None` if SageMaker would not list it.
    pub fn step_status(self) -> Option<&'static str> {
        match self {
            Self::Waiting | Self::Skipped | Self::NotStarted | Self::NotSelected => None,
            Self::Executing => Some("Executing"),
            Self::Retrying => Some("Starting"),
            Self::Stopped => Some("Stopped"),
            Self::Failed => Some("Failed"),
            Self::Succeeded
            | Self::CacheHit
            | Self::Reused
            | Self::ConditionTrue
            | Self::ConditionFalse => Some("Succeeded"),
        }
    }

    /// Returns true if nothing more happens to the step.
    pub fn is_over(self) -> bool {
        !matches!(self, Self::Waiting | Self::Executing | Self::Retrying)
    }

    /// Returns true if the step waits again when the execution is resumed.
    pub fn is_retried(self) -> bool {
        matches!(self, Self::Failed | Self::NotStarted | Self::Stopped | Self::Skipped)
    }
}

/// The phase of one step, and the commit that brought it there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepState {
    pub phase: Phase,
    /// The commit that brought it there; 0 while it waits.
    pub revision: Revision,
}
